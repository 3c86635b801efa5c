"""Compositions of native operations: pseudo-inverse, subspaces, polar form, powers, chains, tensors, exponential."""

from __future__ import annotations

import inspect
import itertools
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from helpers import (
    DTYPES,
    LAYOUTS,
    adjoint,
    assert_in_words,
    eps,
    hermitian,
    matrix,
    norm,
    refuses,
    well_conditioned,
    within,
)

import lapack_py as lap
from lapack_py._composed import exponential

layouts = pytest.mark.parametrize("layout", LAYOUTS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
RECTANGLES = [(1, 1), (5, 5), (7, 4), (4, 7), (30, 30), (3, 6, 4), (2, 3, 4, 6)]
rectangles = pytest.mark.parametrize("shape", RECTANGLES, ids=str)


def agree(ours: Any, theirs: Any, n: int, what: str, condition: float = 1) -> None:
    assert np.shape(ours) == np.shape(theirs), what
    assert ours.dtype == theirs.dtype, what
    size = np.max(np.abs(theirs), initial=1e-300) * condition
    within(np.max(np.abs(ours - theirs), initial=0) / size, n, ours.dtype, what)


def is_orthonormal(q: np.ndarray, what: str) -> None:
    within(norm(adjoint(q) @ q - np.eye(q.shape[-1])), max(q.shape[-2:]), q.dtype, what)


# Pseudo-inverse.


@layouts
@dtypes
@rectangles
def test_pinv_satisfies_the_four_conditions_of_penrose_and_is_numpys(layout, dtype, shape):
    a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
    p = lap.pinv(a)
    n, scale = max(shape[-2:]), norm(a) * norm(p)
    within(norm(a @ p @ a - a) / norm(a) / scale, n, dtype, "A P A - A")
    within(norm(p @ a @ p - p) / norm(p) / scale, n, dtype, "P A P - P")
    within(norm(a @ p - adjoint(a @ p)) / scale, n, dtype, "A P is Hermitian")
    within(norm(p @ a - adjoint(p @ a)) / scale, n, dtype, "P A is Hermitian")
    agree(p, np.linalg.pinv(a), n, "pinv", condition=scale)


@dtypes
def test_pinv_drops_what_is_below_its_bound(dtype):
    a = np.broadcast_to(np.diag([4.0, 2, 1, 0.5]), (3, 4, 4)).astype(dtype)
    for bound in (0.2, 1e-3, np.array([0.2, 0.3, 0.9])):
        for keywords in ({"rcond": bound}, {"rtol": bound}):
            agree(lap.pinv(a, **keywords), np.linalg.pinv(a, **keywords), 4, "pinv")
    agree(lap.pinv(a, rtol=None), np.linalg.pinv(a, rtol=None), 4, "pinv")
    b = hermitian(6, 6, dtype=dtype)
    agree(lap.pinv(b, hermitian=True), np.linalg.pinv(b, hermitian=True), 6, "pinv", condition=np.linalg.cond(b))
    b[np.triu_indices(6, 1)] = np.nan
    assert np.isfinite(lap.pinv(b, hermitian=True)).all()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3), (0, 3, 2)], ids=str)
def test_the_pinv_of_an_empty_matrix_is_empty(shape):
    assert lap.pinv(np.zeros(shape)).shape == np.linalg.pinv(np.zeros(shape)).shape


def test_bounds_of_pinv_that_contradict_or_do_not_fit_are_refused():
    refuses(lambda: lap.pinv(np.eye(2), 0.1, rtol=0.1), lap.LapackError, "pinv: rcond and rtol are two names")
    refuses(lambda: lap.pinv(np.ones((3, 2, 2)), [0.1, 0.2]), lap.ShapeError, "pinv: the bound has shape (2,)")
    refuses(lambda: lap.pinv(np.eye(2), rtol="x"), lap.LapackError, "pinv: rtol='x' must be a number")
    refuses(lambda: lap.orth(np.eye(2), "x"), lap.LapackError, "orth: rcond='x' must be None or a number")
    refuses(lambda: lap.pinv(np.eye(2), [0.1, 0.2]), lap.ShapeError, "pinv: the bound has shape (2,)")


# Subspaces and the polar form.


@layouts
@dtypes
@pytest.mark.parametrize(("m", "n", "r"), [(1, 1, 1), (5, 5, 3), (6, 4, 4), (4, 7, 2), (30, 28, 11), (3, 3, 0)])
def test_range_and_null_space_are_orthonormal_and_of_the_right_size(layout, dtype, m, n, r):
    a = np.asarray(matrix(2, m, r, dtype=dtype) @ matrix(2, r, n, dtype=dtype, seed=1))
    for given in (LAYOUTS[layout](a), LAYOUTS[layout](a[0])):
        kernel, image = lap.null_space(given), lap.orth(given)
        assert kernel.shape == (*given.shape[:-2], n, n - r)
        assert image.shape == (*given.shape[:-2], m, r)
        assert kernel.dtype == image.dtype == np.dtype(dtype)
        is_orthonormal(kernel, "null space")
        is_orthonormal(image, "range")
        size = max(norm(given), 1e-300)
        within(norm(given @ kernel) / size, max(m, n), dtype, "A times its null space")
        within(norm(given - image @ (adjoint(image) @ given)) / size, max(m, n), dtype, "A outside its range")


def test_subspaces_are_scipys():
    a = matrix(6, 3) @ matrix(3, 5, seed=1)
    for ours, theirs in [(lap.null_space, scipy.linalg.null_space), (lap.orth, scipy.linalg.orth)]:
        # The same space if the projections are the same.
        p, q = ours(a), theirs(a)
        assert p.shape == q.shape
        within(norm(p @ p.T - q @ q.T), 6, "float64", "projection")
        assert ours(a, 0.9).shape == theirs(a, 0.9).shape
        assert ours(np.zeros((0, 3))).shape == theirs(np.zeros((0, 3))).shape


def test_a_stack_whose_matrices_differ_in_rank_has_no_common_basis():
    a = np.stack([np.eye(3), np.diag([1.0, 1, 0])])
    refuses(lambda: lap.null_space(a), lap.ShapeError, "null_space: the matrices of the stack have ranks from 2 to 3")
    refuses(lambda: lap.orth(a), lap.ShapeError, "orth: the matrices of the stack have ranks from 2 to 3")


@layouts
@dtypes
@rectangles
@pytest.mark.parametrize("side", ["left", "right"])
def test_polar_reconstructs_from_an_isometry_and_a_positive_factor(layout, dtype, shape, side):
    a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
    u, p = lap.polar(a, side)
    n = max(shape[-2:])
    within(norm((u @ p if side == "right" else p @ u) - a) / norm(a), n, dtype, "polar")
    is_orthonormal(u if shape[-2] >= shape[-1] else adjoint(u), "u")
    within(norm(p - adjoint(p)) / norm(p), n, dtype, "p is Hermitian")
    assert np.min(np.linalg.eigvalsh(p)) > -30 * n * eps(dtype) * norm(p)
    if len(shape) == 2:
        theirs = scipy.linalg.polar(a, side)
        agree(p, theirs[1], n, "p")
        assert u.shape == theirs[0].shape


def test_polar_has_two_sides():
    refuses(lambda: lap.polar(np.eye(2), "both"), lap.LapackError, "polar: side='both' must be 'right' or 'left'")
    assert lap.polar(np.eye(2))._fields == ("u", "p")


# Powers, chains, tensors.


@layouts
@dtypes
@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 3, 5, 8, 13])
def test_powers_are_numpys(layout, dtype, n):
    for shape in [(1, 1), (4, 4), (2, 3, 5, 5)]:
        a = LAYOUTS[layout]((matrix(*shape, dtype=dtype) + 4 * np.eye(shape[-1])).astype(dtype))
        c = float(np.max(np.linalg.cond(a))) ** abs(n) if n < 0 else float(abs(n) + 1)
        agree(lap.matrix_power(a, n), np.linalg.matrix_power(a, n), shape[-1], f"A^{n}", condition=c)


def test_powers_of_integers_are_exact_integers():
    a = np.array([[1, 1], [1, 0]])
    np.testing.assert_array_equal(lap.matrix_power(a, 80), np.linalg.matrix_power(a, 80))
    assert lap.matrix_power(a, 0).dtype == np.linalg.matrix_power(a, 0).dtype == a.dtype
    assert lap.matrix_power(a, -1).dtype == np.float64
    assert lap.matrix_power(a, np.int64(3))[0, 0] == 3
    first = lap.matrix_power(a, 1)
    assert not np.may_share_memory(first, a)


def test_powers_that_do_not_exist_are_refused():
    refuses(lambda: lap.matrix_power(np.ones((2, 3)), 2), lap.ShapeError, "matrix_power: a must be square, not 2 x 3")
    error = refuses(
        lambda: lap.matrix_power(np.ones((2, 2)), -1), lap.SingularMatrixError, "matrix_power: a is singular"
    )
    assert not any("lstsq" in what for _, what in error.fixes)
    assert error.routine == "dgetrf"
    assert "LAPACK: dgetrf returned INFO" in error.report()
    for exponent in (0.5, "2", None):
        with pytest.raises(TypeError, match="matrix_power: n must be an integer"):
            lap.matrix_power(np.eye(2), exponent)


@dtypes
def test_chains_are_numpys(dtype):
    rng = np.random.default_rng(5)
    for count in (2, 3, 4, 7):
        sizes = rng.integers(1, 9, count + 1)
        chain = [matrix(m, n, dtype=dtype, seed=i) for i, (m, n) in enumerate(itertools.pairwise(sizes))]
        scale = float(np.prod([norm(a) for a in chain]))
        for first, last in [(False, False), (True, False), (False, True), (True, True)]:
            given = list(chain)
            if first:
                given[0] = chain[0][0]
            if last:
                given[-1] = chain[-1][:, 0]
            ours, theirs = lap.multi_dot(given), np.linalg.multi_dot(given)
            assert np.shape(ours) == np.shape(theirs)
            assert ours.dtype == theirs.dtype
            within(np.max(np.abs(ours - theirs)) / scale, 8, dtype, "chain")
    out = np.empty_like(np.linalg.multi_dot(chain))
    assert lap.multi_dot(chain, out=out) is out
    agree(out, np.linalg.multi_dot(chain), 8, "out", condition=scale)


def test_a_chain_is_multiplied_in_the_cheapest_order():
    events = []
    chain = [np.ones((30, 2)), np.ones((2, 40)), np.ones((40, 2)), np.ones((2, 50))]
    with lap.observe(lambda report, error: events.append(report.shape)):
        lap.multi_dot(chain)
    # (A (B C)) D costs 3280 steps, A ((B C) D) 3360, and from the left it would be 7800.
    assert events == [(1, 2, 2), (1, 30, 2), (1, 30, 50)]


def test_chains_that_do_not_fit_are_refused_with_the_number_of_the_array():
    a = np.ones((2, 3))
    refuses(lambda: lap.multi_dot([a]), lap.LapackError, "multi_dot: arrays has 1 of them; at least 2 are needed")
    refuses(lambda: lap.multi_dot([a, a, a]), lap.ShapeError, "array 0 has 3 columns, so array 1 needs as many rows")
    refuses(lambda: lap.multi_dot([a, np.ones(3), a]), lap.ShapeError, "multi_dot: array 1 has 1 dimensions")
    refuses(lambda: lap.multi_dot([a, a.T], out=np.ones(2)), lap.ShapeError, "out must be an array of shape (2, 2)")
    assert lap.multi_dot([[[1, 2]], [[3], [4]]]).dtype == np.int64


@dtypes
def test_tensor_equations_are_numpys(dtype):
    a = well_conditioned(24, 24, dtype=dtype).reshape(6, 4, 2, 3, 4)
    b = matrix(6, 4, dtype=dtype)
    agree(lap.linalg.tensorsolve(a, b), np.linalg.tensorsolve(a, b), 24, "tensorsolve")
    x = lap.linalg.tensorsolve(a, b)
    within(norm(np.tensordot(a, x, 3) - b) / norm(b), 24, dtype, "tensorsolve leaves no residual")
    turned = np.moveaxis(a, 2, 0)
    agree(lap.linalg.tensorsolve(turned, b, (0, 3, 4)), np.linalg.tensorsolve(turned, b, (0, 3, 4)), 24, "axes")
    agree(lap.linalg.tensorinv(a), np.linalg.tensorinv(a), 24, "tensorinv")
    c = well_conditioned(24, 24, dtype=dtype).reshape(24, 8, 3)
    agree(lap.linalg.tensorinv(c, ind=1), np.linalg.tensorinv(c, ind=1), 24, "tensorinv")


def test_tensors_that_are_no_square_system_are_refused():
    a = np.ones((2, 3, 4))
    refuses(lambda: lap.linalg.tensorsolve(a, np.ones((2, 3))), lap.ShapeError, "tensorsolve: a of shape (2, 3, 4)")
    refuses(lambda: lap.linalg.tensorinv(a, 1), lap.ShapeError, "in its first 1 axes as in the others, not 2 and 12")
    refuses(lambda: lap.linalg.tensorinv(a, 0), lap.LapackError, "tensorinv: ind=0 must be positive")


# The exponential.


@layouts
@dtypes
@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0, 4.0])
def test_the_exponential_is_scipys_of_higher_precision(layout, dtype, size):
    for shape in [(1, 1), (2, 2), (6, 6), (27, 27), (2, 3, 4, 4)]:
        a = LAYOUTS[layout]((size * matrix(*shape, dtype=dtype)).astype(dtype))
        exact = scipy.linalg.expm(a.astype("complex128"))
        ours = lap.expm(a)
        assert ours.shape == a.shape
        assert ours.dtype == a.dtype
        # Of a general matrix, exp has a condition number of about the norm.
        error = np.linalg.norm(ours - exact, axis=(-2, -1)) / np.linalg.norm(exact, axis=(-2, -1))
        condition = np.maximum(np.linalg.norm(a, axis=(-2, -1)), 1)
        within(np.max(error / condition), shape[-1], dtype, "exp")


@dtypes
def test_the_exponential_of_commuting_sums_inverses_and_hermitian_matrices(dtype):
    a = hermitian(9, 9, dtype=dtype)
    w, v = np.linalg.eigh(a.astype(np.result_type(a, "float64")))
    agree(lap.expm(a), ((v * np.exp(w)) @ adjoint(v)).astype(dtype), 9, "exp of a Hermitian matrix", condition=9)
    general = matrix(8, 8, dtype=dtype)
    plus, minus = lap.expm(general), lap.expm(-general)
    within(norm(plus @ minus - np.eye(8)) / (norm(plus) * norm(minus)), 8, dtype, "exp(A) exp(-A)")
    turning = lap.expm(matrix(7, 7, dtype=dtype) - adjoint(matrix(7, 7, dtype=dtype)))
    within(norm(adjoint(turning) @ turning - np.eye(7)) / 7, 7, dtype, "exp of a skew matrix is unitary")


def test_triangular_matrices_keep_their_form_and_the_accuracy_of_their_diagonal():
    a = np.triu(matrix(6, 6)) * 20
    for given in (a, a.T):
        ours = lap.expm(given)
        np.testing.assert_allclose(np.diag(ours), np.exp(np.diag(given)), rtol=4 * eps("float64"))
        np.testing.assert_array_equal(ours == 0, given == 0)
    # Overscaling: the plain algorithm loses six digits here.
    b = np.array([[1, 1e6], [0, -1]])
    within(abs(lap.expm(b)[0, 1] / (1e6 * np.sinh(1)) - 1), 2, "float64", "the corner")
    np.testing.assert_array_equal(lap.expm(np.diag([1.0, -800, 700])), np.diag(np.exp([1.0, -800, 700])))
    close = np.array([[1, 1], [0, 1 + 1e-9]])
    within(abs(lap.expm(close)[0, 1] / np.exp(1 + 5e-10) - 1), 2, "float64", "close eigenvalues")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_exponential_of_enormous_matrices_is_finite_where_it_exists(dtype):
    big = np.sqrt(np.finfo(dtype).max)
    nilpotent = np.array([[0, big], [0, 0]], dtype=dtype)
    np.testing.assert_array_equal(lap.expm(nilpotent), np.eye(2) + nilpotent)
    decaying = np.array([[-2, 1], [1, -2]], dtype=dtype) * dtype_scale(dtype)
    np.testing.assert_array_equal(lap.expm(decaying), np.zeros((2, 2)))
    with pytest.warns(lap.ResultOverflowWarning, match=r"^expm: the result overflows float64 .*norm\(A, 1\) is 800\."):
        overflown = lap.expm(np.array([[800.0, 0], [0, 1]]))
    assert overflown[0, 0] == np.inf


@dtypes
def test_exp_of_a_matrix_whose_norm_is_beyond_the_range_ends(dtype: str) -> None:
    large = np.finfo(dtype).max * 0.9
    a = np.array([[-large, large], [large, -large]], dtype=dtype)
    if a.dtype.kind == "c":
        a *= 1 + 1j
    for given in (a, -a, np.stack([a, np.eye(2, dtype=dtype)])):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ours = lap.expm(given)
        # How a BLAS rounds products of complex numbers decides whether a norm of inf leaves anything finite.
        assert bool(caught) == (not np.isfinite(ours).all())
        for warning in caught:
            assert warning.category is lap.ResultOverflowWarning
            assert str(warning.message).startswith(f"expm: the result overflows {dtype} ")
            assert "norm(A, 1) is inf." in str(warning.message)
        assert ours.shape == given.shape
        assert ours.dtype == given.dtype
    np.testing.assert_allclose(ours[1], np.exp(1) * np.eye(2), rtol=1e-6)
    upper = np.array([[-large, large], [0, -large]], dtype=dtype)
    np.testing.assert_array_equal(lap.expm(upper), np.zeros((2, 2)))


def dtype_scale(dtype: str) -> Any:
    return np.dtype(dtype).type(1e20 if dtype == "float32" else 1e200)


def choice(a: np.ndarray) -> tuple[int, int]:
    """Order of the Pade approximant and number of scalings."""
    order, scalings, _ = exponential._Exponential(a[None], np.array([False]), "auto", None)._choose()
    return int(order[0]), int(scalings[0])


@pytest.mark.parametrize(
    ("dtype", "orders"),
    [("float32", {3: 0.43, 5: 1.88, 7: 3.93}), ("float64", {3: 0.015, 5: 0.25, 7: 0.95, 9: 2.1, 13: 4.25})],
)
def test_the_order_is_the_lowest_that_the_size_allows_and_then_scaling_begins(dtype, orders):
    # Of a multiple of a projection, all powers are of one size.
    projection_matrix = np.full((2, 2), 0.5, dtype=dtype)
    for order, size in orders.items():
        assert choice(0.95 * size * projection_matrix) == (order, 0)
        above = choice(1.05 * size * projection_matrix)
        assert above == ((order, 1) if order == max(orders) else (min(m for m in orders if m > order), 0))
    assert choice(64 * max(orders.values()) * 0.95 * projection_matrix) == (max(orders), 6)


def test_a_matrix_whose_powers_vanish_by_cancellation_is_scaled_all_the_same():
    square_zero = np.array([[1.0, -1], [1, -1]])
    assert choice(0.001 * square_zero) == (3, 0)
    order, scalings = choice(1000 * square_zero)
    assert order == 13
    assert scalings > 3
    # Without cancellation there is nothing to fear.
    assert choice(np.array([[0, 1000.0], [0, 0]])) == (3, 0)


def test_members_of_a_batch_are_scaled_each_for_itself():
    sizes = np.array([0, 1e-9, 1e-3, 0.1, 0.6, 1.5, 3, 10, 60])
    a = matrix(len(sizes), 4, 4) * sizes[:, None, None]
    together = lap.expm(a)
    for i, one in enumerate(a):
        agree(together[i], lap.expm(one), 4, "exp in a batch", condition=max(norm(one), 1))
    np.testing.assert_array_equal(together[0], np.eye(4))


def test_the_exponential_takes_what_scipys_takes_and_refuses_the_rest_in_words():
    np.testing.assert_allclose(lap.expm(2), scipy.linalg.expm(2))
    np.testing.assert_allclose(lap.expm([[0, 1], [0, 0]]), [[1, 1], [0, 1]])
    assert lap.expm(np.zeros((0, 0))).shape == (0, 0)
    assert lap.expm(np.zeros((0, 3, 3))).shape == (0, 3, 3)
    refuses(lambda: lap.expm(np.ones(3)), lap.ShapeError, "expm: A has 1 dimension")
    refuses(lambda: lap.expm(np.ones((2, 3))), lap.ShapeError, "expm: A must be square, not 2 x 3")
    bad = np.ones((4, 3, 3))
    bad[2, 1, 0], bad[3, 2, 2] = np.inf, np.nan
    error = refuses(
        lambda: lap.expm(bad), lap.NonFiniteError, "expm: A has Inf at row 1, column 0 (matrix 2 and 1 more of 4)"
    )
    assert (error.location, error.matrix, error.failed) == ((1, 0), 2, [2, 3])


# What all compositions have in common.

CALLS = {
    "pinv": lap.pinv,
    "matrix_rank": lap.matrix_rank,
    "null_space": lap.null_space,
    "orth": lap.orth,
    "polar": lap.polar,
    "expm": lap.expm,
    "matrix_power": lambda a, **k: lap.matrix_power(a, -2, **k),
    "cond": lap.cond,
    "norm": lambda a, **k: lap.norm(a, 2, **k),
    "matrix_norm": lambda a, **k: lap.matrix_norm(a, ord="nuc", **k),
    "multi_dot": lambda a, **k: lap.multi_dot([a, a, a], **k),
    "tensorsolve": lambda a, **k: lap.linalg.tensorsolve(a, np.ones(len(a)), **k),
    "tensorinv": lambda a, **k: lap.linalg.tensorinv(a, 1, **k),
    "randomized_svd": lambda a, **k: lap.randomized_svd(a, 2, **k),
    "pca": lap.pca,
}
ARGUMENTS = {"matrix_rank": "A", "null_space": "A", "orth": "A", "expm": "A", "randomized_svd": "M", "pca": "X"}
calls = pytest.mark.parametrize("name", CALLS)


@pytest.mark.parametrize("name", [n for n in CALLS if n not in {"cond", "norm", "matrix_norm", "multi_dot"}])
def test_a_nan_is_located_in_the_users_array_under_the_users_name(name):
    a = well_conditioned(5, 5)
    a[3, 1] = np.nan
    argument = ARGUMENTS.get(name, "a")
    with pytest.raises(lap.NonFiniteError) as caught:
        CALLS[name](a)
    error = caught.value
    assert_in_words(error, lap.NonFiniteError, f"{name}: {argument} has NaN at row 3, column 1.")
    assert (error.code, error.operation, error.argument, error.location) == ("LAP-E001", name, argument, (3, 1))
    assert error.report().startswith(f"LAP-E001: {name}: {argument} has NaN")


@calls
def test_a_gpu_that_is_required_and_missing_is_refused_for_the_operation_that_was_called(name):
    a = well_conditioned(5, 5)
    refuses(lambda: CALLS[name](a, gpu="require"), lap.GpuUnavailableError, f"{name}: a GPU is required")
    refuses(lambda: CALLS[name](a, gpu=7), lap.LapackError, f"{name}: gpu=7 must be")


@calls
def test_a_gpu_that_is_wanted_warns_once_a_call_at_the_users_line(name):
    a = well_conditioned(5, 5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        CALLS[name](a, gpu=True)
    [warning] = caught
    assert warning.category is lap.GpuNotUsedWarning
    assert warning.message.operation == name
    assert str(warning.message).startswith(f"{name}: ")
    assert warning.filename == __file__


def test_a_warning_in_a_composition_is_attributed_to_the_line_of_the_call():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        first = inspect.currentframe().f_lineno
        lap.pinv(np.eye(2), gpu=True)
        lap.pca(np.eye(5), gpu=True)
        lap.expm([[0, 1], [1, 0]], gpu=True)
    assert [warning.lineno - first for warning in caught] == [1, 2, 3]


@calls
def test_the_report_is_that_of_the_main_native_call(name):
    a = well_conditioned(5, 5)
    result, report = CALLS[name](a, return_report=True)
    assert isinstance(report, lap.Report)
    assert report.engine == "cpu"
    assert report.operation in {"svd", "solve", "inv", "eigh", "matmul"}
    assert type(result) is type(CALLS[name](a))


def test_without_a_native_call_there_is_no_report_but_a_wanted_gpu_is_heard():
    a = np.eye(3)
    for call in (
        lambda **k: lap.norm(a, **k),
        lambda **k: lap.matrix_norm(a, ord=1, **k),
        lambda **k: lap.matrix_power(a, 0, **k),
        lambda **k: lap.expm(a, **k),
    ):
        assert call(return_report=True)[1] is None
        with pytest.raises(lap.GpuUnavailableError):
            call(gpu="require")


def test_numbers_that_grow_too_large_on_the_way_are_not_blamed_on_the_users_array():
    a = np.full((20, 20), 1e200)
    error = refuses(lambda: lap.randomized_svd(a, 2, n_iter=2), lap.NonFiniteError, "an intermediate matrix has")
    assert error.argument is None
    assert "scale the input down" in str(error)
    assert error.operation == "randomized_svd"


def test_after_an_error_native_operations_go_by_their_own_names_again():
    with pytest.raises(lap.LapackError):
        lap.pinv([[np.nan]])
    with pytest.raises(lap.LapackError) as caught:
        lap.svd([[np.nan]])
    assert caught.value.operation == "svd"


def test_inverse_powers_of_ill_conditioned_matrices_warn_under_the_users_name():
    hilbert = 1 / (np.arange(14)[:, None] + np.arange(14) + 1)
    with pytest.warns(lap.IllConditionedWarning, match="^matrix_power: a is ill-conditioned") as caught:
        lap.matrix_power(hilbert, -1)
    assert not any("lstsq" in what for _, what in caught[0].message.fixes)
    assert caught[0].filename == __file__
