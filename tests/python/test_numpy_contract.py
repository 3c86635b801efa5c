"""What a program written for numpy.linalg may rely on: signatures, result types, dtypes, broadcasting, numbers."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from helpers import (
    DTYPES,
    LAYOUTS,
    adjoint,
    hermitian,
    matrix,
    norm,
    positive,
    refuses,
    well_conditioned,
    within,
)

import lapack_py as lap

OPERATIONS = ["svd", "svdvals", "solve", "lstsq", "eigh", "eigvalsh", "qr", "cholesky", "matmul"]
# Small orders, and both sides of the order from which LAPACK divides and conquers (25).
RECTANGLES = [(1, 1), (5, 5), (7, 4), (4, 7), (30, 30), (45, 28), (28, 45), (3, 6, 4), (2, 3, 4, 6), (2, 27, 27)]
SQUARES = [(1, 1), (2, 2), (6, 6), (9, 9), (30, 30), (60, 60), (5, 4, 4), (2, 3, 7, 7), (2, 30, 30)]
layouts = pytest.mark.parametrize("layout", LAYOUTS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
rectangles = pytest.mark.parametrize("shape", RECTANGLES, ids=str)
squares = pytest.mark.parametrize("shape", SQUARES, ids=str)


def real(dtype: Any) -> np.dtype:
    return np.zeros(0, dtype).real.dtype


def is_orthonormal(q: np.ndarray, what: str) -> None:
    """Columns of length 1, at right angles."""
    within(norm(adjoint(q) @ q - np.eye(q.shape[-1])), max(q.shape[-2:]), q.dtype, what)


def agree(ours: np.ndarray, theirs: np.ndarray, n: int, what: str, **limits: float) -> None:
    """The same numbers, relative to the largest."""
    assert ours.shape == theirs.shape, what
    within(
        np.max(np.abs(ours - theirs), initial=0) / np.max(np.abs(theirs), initial=1e-300), n, ours.dtype, what, **limits
    )


def solves(a: np.ndarray, x: np.ndarray, b: np.ndarray) -> None:
    residual = norm(b - a @ x) / (norm(a) * norm(x) + norm(b))
    within(residual, a.shape[-1], x.dtype, "b - A x")


# Signatures, names, documentation.


@pytest.mark.parametrize("name", OPERATIONS)
def test_signatures_begin_with_numpys_and_add_keywords_only(name):
    ours = list(inspect.signature(getattr(lap, name)).parameters.values())
    theirs = list(inspect.signature(getattr(np.linalg, name)).parameters.values())
    for parameter, reference in zip(ours, theirs, strict=False):
        assert parameter.name == reference.name
        assert parameter.default == reference.default
        assert parameter.kind == reference.kind
    added = ours[len(theirs) :]
    # `out` is the third argument of numpy.matmul, which has no signature to look at.
    positional = [p.name for p in added if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional == (["out"] if name == "matmul" else [])
    assert all(p.default is not inspect.Parameter.empty for p in added)
    assert {"gpu", "device", "return_report"} <= {p.name for p in added}


def test_every_public_name_is_there_and_documented():
    assert sorted(lap.__all__) == lap.__all__
    for name in lap.__all__:
        documented(name, getattr(lap, name))


def documented(name: str, thing: Any) -> None:
    text = inspect.getdoc(thing)
    assert text, name
    assert len(text) > 20, name
    if inspect.isclass(thing) and thing.__module__.startswith("lapack_py"):
        for attribute, value in vars(thing).items():
            if not attribute.startswith("_") and (callable(value) or inspect.isdatadescriptor(value)):
                assert inspect.getdoc(value), f"{name}.{attribute}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_documentation_describes_every_parameter_or_says_where(name):
    text = inspect.getdoc(getattr(lap, name))
    if "As ``" in text:
        return
    for parameter in inspect.signature(getattr(lap, name)).parameters:
        assert parameter in text, f"{parameter} of {name}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'svdd'"):
        lap.svdd  # noqa: B018


# Result types and dtypes.


def test_results_are_named_tuples_with_numpys_fields():
    a = positive(4, 4)
    for ours, theirs in [
        (lap.svd(a), np.linalg.svd(a)),
        (lap.eigh(a), np.linalg.eigh(a)),
        (lap.qr(a), np.linalg.qr(a)),
    ]:
        assert isinstance(ours, tuple)
        assert ours._fields == theirs._fields
        assert [type(item) for item in ours] == [type(item) for item in theirs]
    x, residuals, rank, s = lap.lstsq(matrix(5, 3), np.ones(5))
    assert (x.shape, residuals.shape, s.shape) == ((3,), (1,), (3,))
    assert isinstance(rank, int)


@pytest.mark.parametrize("subclass", [np.matrix, np.ma.MaskedArray, np.recarray])
def test_results_are_plain_arrays_whatever_was_passed(subclass):
    a = positive(3, 3).view(subclass)
    for result in (*lap.svd(a), *lap.eigh(a), *lap.qr(a), lap.cholesky(a), lap.solve(a, np.ones(3)), lap.matmul(a, a)):
        assert type(result) is np.ndarray
        assert result.flags.writeable
        assert result.flags.aligned


@dtypes
def test_results_have_the_dtypes_of_numpys_results(dtype):
    a, b = positive(4, 4, dtype=dtype), matrix(4, 2, dtype=dtype)
    for name, arguments in [
        ("svd", (a,)),
        ("eigh", (a,)),
        ("qr", (a,)),
        ("lstsq", (a, b)),
    ]:
        ours, theirs = (getattr(module, name)(*arguments) for module in (lap, np.linalg))
        for mine, reference in zip(ours, theirs, strict=True):
            if isinstance(mine, np.ndarray):
                assert mine.dtype == reference.dtype, name
    for name, arguments in [
        ("svdvals", (a,)),
        ("eigvalsh", (a,)),
        ("cholesky", (a,)),
        ("solve", (a, b)),
        ("matmul", (a, b)),
    ]:
        ours, theirs = (getattr(module, name)(*arguments) for module in (lap, np.linalg))
        assert ours.dtype == theirs.dtype, name


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "uint64"])
def test_integers_are_computed_in_float64_as_in_numpy(dtype):
    a = np.eye(3, dtype=dtype)
    assert lap.svdvals(a).dtype == np.linalg.svdvals(a).dtype == np.float64
    assert lap.solve(a, a).dtype == np.linalg.solve(a, a).dtype == np.float64
    assert lap.solve(a.astype("float32"), a).dtype == np.linalg.solve(a.astype("float32"), a).dtype == np.float64


@pytest.mark.parametrize(("left", "right"), list(itertools.product(DTYPES, DTYPES)))
def test_mixed_dtypes_are_promoted_as_in_numpy(left, right):
    a, b = well_conditioned(5, 5, dtype=left), matrix(5, 2, dtype=right)
    for name in ("solve", "matmul"):
        ours, theirs = (getattr(module, name)(a, b) for module in (lap, np.linalg))
        assert ours.dtype == theirs.dtype == np.result_type(left, right)
        agree(ours, theirs, 5, name)
    assert lap.lstsq(a, b).x.dtype == np.linalg.lstsq(a, b)[0].dtype


# The numbers: properties in units of n*eps, for every layout.


@layouts
@dtypes
@rectangles
@pytest.mark.parametrize("full", [True, False])
def test_svd_reconstructs_with_orthonormal_factors(layout, dtype, shape, full):
    a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
    n, k = max(shape[-2:]), min(shape[-2:])
    u, s, vh = lap.svd(a, full_matrices=full)
    within(norm(u[..., :k] * s[..., None, :] @ vh[..., :k, :] - a) / norm(a), n, dtype, "U S Vh - A")
    is_orthonormal(u, "U")
    is_orthonormal(adjoint(vh), "V")
    assert np.all(s[..., :-1] >= s[..., 1:])
    assert np.all(s >= 0)
    theirs = np.linalg.svd(a, full_matrices=full)
    assert (u.shape, vh.shape) == (theirs.U.shape, theirs.Vh.shape)
    agree(s, theirs.S, n, "singular values")
    agree(lap.svdvals(a), theirs.S, n, "svdvals")
    agree(lap.svd(a, compute_uv=False), theirs.S, n, "compute_uv=False")


@layouts
@dtypes
@rectangles
@pytest.mark.parametrize("mode", ["reduced", "complete"])
def test_qr_reconstructs_with_an_orthonormal_and_a_triangular_factor(layout, dtype, shape, mode):
    a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
    n = max(shape[-2:])
    q, r = lap.qr(a, mode)
    within(norm(q @ r - a) / norm(a), n, dtype, "Q R - A")
    is_orthonormal(q, "Q")
    np.testing.assert_array_equal(r, np.triu(r))
    theirs = np.linalg.qr(a, mode)
    assert (q.shape, r.shape) == (theirs.Q.shape, theirs.R.shape)
    # Two backward stable factorisations agree up to the condition number of A; here that is below 100 or so.
    only = lap.qr(a, "r")
    agree(np.abs(only), np.abs(lap.qr(a)[1]), n, "mode='r'")


@layouts
@dtypes
@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (30, 30)], ids=str)
def test_the_raw_form_of_qr_is_numpys(layout, dtype, shape):
    a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
    h, tau = lap.qr(a, "raw")
    reference = np.linalg.qr(a, "raw")
    assert (h.shape, tau.shape) == (reference[0].shape, reference[1].shape)
    k = min(shape)
    generate = scipy.linalg.get_lapack_funcs(("ungqr" if np.dtype(dtype).kind == "c" else "orgqr"), dtype=dtype)
    q, _, info = generate(np.asfortranarray(h.T[:, :k]), tau)
    assert info == 0
    within(norm(q @ np.triu(h.T[:k]) - a) / norm(a), max(shape), dtype, "Q R - A")


@layouts
@dtypes
@squares
@pytest.mark.parametrize("triangle", ["L", "U"])
def test_eigh_reconstructs_with_orthonormal_vectors(layout, dtype, shape, triangle):
    a = LAYOUTS[layout](hermitian(*shape, dtype=dtype))
    n = shape[-1]
    w, v = lap.eigh(a, triangle)
    within(norm(v * w[..., None, :] @ adjoint(v) - a) / norm(a), n, dtype, "V w V^H - A")
    is_orthonormal(v, "V")
    assert np.all(w[..., :-1] <= w[..., 1:])
    agree(w, np.linalg.eigvalsh(a, triangle), n, "eigenvalues")
    agree(lap.eigvalsh(a, triangle), w, n, "eigvalsh")
    agree(lap.eigvalsh(a, lower=triangle == "L"), w, n, "eigvalsh, lower")


@layouts
@dtypes
@squares
@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_reconstructs(layout, dtype, shape, upper):
    a = LAYOUTS[layout](positive(*shape, dtype=dtype))
    factor = lap.cholesky(a, upper=upper)
    product = adjoint(factor) @ factor if upper else factor @ adjoint(factor)
    within(norm(product - a) / norm(a), shape[-1], dtype, "L L^H - A")
    np.testing.assert_array_equal(factor, np.triu(factor) if upper else np.tril(factor))
    agree(factor, np.linalg.cholesky(a, upper=upper), shape[-1], "the factor")


@layouts
@dtypes
@squares
@pytest.mark.parametrize("columns", [1, 3])
def test_solve_leaves_a_small_residual(layout, dtype, shape, columns):
    a = LAYOUTS[layout](well_conditioned(*shape, dtype=dtype))
    b = LAYOUTS[layout](matrix(*shape[:-1], columns, dtype=dtype))
    x = lap.solve(a, b)
    solves(a, x, b)
    agree(x, np.linalg.solve(a, b), shape[-1], "x")


STRUCTURES: dict[str, Callable[..., np.ndarray]] = {
    "sym": lambda *shape, dtype: well_conditioned(*shape, dtype=dtype) + well_conditioned(*shape, dtype=dtype).mT,
    "symmetric": lambda *shape, dtype: well_conditioned(*shape, dtype=dtype) + well_conditioned(*shape, dtype=dtype).mT,
    "her": lambda *shape, dtype: hermitian(*shape, dtype=dtype),
    "pos": lambda *shape, dtype: positive(*shape, dtype=dtype),
    "upper triangular": lambda *shape, dtype: np.triu(well_conditioned(*shape, dtype=dtype)),
    "lower triangular": lambda *shape, dtype: np.tril(well_conditioned(*shape, dtype=dtype)),
    "diagonal": lambda *shape, dtype: well_conditioned(*shape, dtype=dtype) * np.eye(shape[-1], dtype=dtype),
    "banded": lambda *shape, dtype: np.triu(np.tril(well_conditioned(*shape, dtype=dtype), 1), -2),
    "tridiagonal": lambda *shape, dtype: np.triu(np.tril(well_conditioned(*shape, dtype=dtype), 1), -1),
}


@layouts
@dtypes
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (30, 30), (3, 12, 12)], ids=str)
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("lower", [False, True])
def test_what_is_known_about_a_matrix_does_not_change_the_solution(layout, dtype, shape, structure, lower):
    a = LAYOUTS[layout](STRUCTURES[structure](*shape, dtype=dtype))
    b = LAYOUTS[layout](matrix(*shape[:-1], 2, dtype=dtype))
    solves(a, lap.solve(a, b, assume_a=structure, lower=lower), b)


@layouts
@dtypes
@rectangles
def test_lstsq_finds_the_minimum_and_numpys_numbers(layout, dtype, shape):
    a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
    b = matrix(*shape[:-1], 2, dtype=dtype)
    n = max(shape[-2:])
    x, residuals, rank, s = lap.lstsq(a, b)
    scale = norm(a) * (norm(a) * norm(x) + norm(b))
    within(norm(adjoint(a) @ (b - a @ x)) / scale, n, dtype, "A^H (b - A x)")
    agree(s, np.linalg.svdvals(a), n, "singular values")
    assert np.all(np.asarray(rank) == min(shape[-2:]))
    squares_left = np.sum(np.abs(b - a @ x) ** 2, axis=-2)
    if shape[-2] > shape[-1]:
        within(np.max(np.abs(residuals - squares_left) / np.sum(np.abs(b) ** 2, axis=-2)), n, dtype, "residuals")
    if len(shape) == 2:
        theirs = np.linalg.lstsq(a, b)
        assert [np.shape(r) for r in (x, residuals, s)] == [theirs[i].shape for i in (0, 1, 3)]
        assert rank == theirs[2]


@layouts
@dtypes
@pytest.mark.parametrize(
    ("left", "right"),
    [((1, 1), (1, 1)), ((5, 3), (3, 4)), ((40, 30), (30, 50)), ((3, 5, 4), (3, 4, 2)), ((2, 1, 4, 4), (3, 4, 4))],
    ids=str,
)
def test_products_are_numpys(layout, dtype, left, right):
    a, b = LAYOUTS[layout](matrix(*left, dtype=dtype)), LAYOUTS[layout](matrix(*right, dtype=dtype, seed=1))
    c = lap.matmul(a, b)
    exact = np.matmul(a.astype(np.clongdouble), b.astype(np.clongdouble))
    assert c.shape == exact.shape
    within(norm((c - exact).astype("complex128")) / (norm(a) * norm(b)), left[-1], dtype, "A B")


@pytest.mark.parametrize("other", LAYOUTS)
@layouts
def test_operands_of_a_product_may_differ_in_layout(layout, other):
    a, b = LAYOUTS[layout](matrix(7, 5)), LAYOUTS[other](matrix(5, 6, seed=1))
    agree(lap.matmul(a, b), a @ b, 5, "A B")


def test_vectors_in_products_are_rows_on_the_left_and_columns_on_the_right():
    a, stack = matrix(3, 4), matrix(2, 3, 4)
    row, column = matrix(3, 1)[:, 0], matrix(1, 4)[0]
    for left, right in [(a, column), (row, a), (stack, column), (row, stack), (row, row), (row[::-1], row[::-1])]:
        ours, theirs = lap.matmul(left, right), np.matmul(left, right)
        assert np.shape(ours) == np.shape(theirs)
        assert type(ours) is type(theirs)
        agree(np.asarray(ours), np.asarray(theirs), 4, "the product")


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "uint64"])
@pytest.mark.parametrize("reported", [False, True])
def test_integers_are_multiplied_exactly_with_or_without_a_report(dtype, reported):
    a = np.arange(6).reshape(2, 3).astype(dtype)
    b = np.full((3, 2), 2**60 + 1 if np.dtype(dtype).itemsize == 8 else 1).astype(dtype)
    theirs = np.matmul(a, b)
    ours = lap.matmul(a, b, return_report=True)[0] if reported else lap.matmul(a, b)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@dtypes
@pytest.mark.parametrize("shape", [(1, 1), (6, 6), (30, 30), (3, 4, 4)], ids=str)
def test_the_svd_of_a_hermitian_matrix_by_eigenvalues_is_an_svd(dtype, shape):
    a = hermitian(*shape, dtype=dtype)
    u, s, vh = lap.svd(a, hermitian=True)
    within(norm(u * s[..., None, :] @ vh - a) / norm(a), shape[-1], dtype, "U S Vh - A")
    is_orthonormal(u, "U")
    is_orthonormal(adjoint(vh), "V")
    agree(s, np.linalg.svd(a, compute_uv=False, hermitian=True), shape[-1], "singular values")
    agree(lap.svd(a, compute_uv=False, hermitian=True), s, shape[-1], "compute_uv=False")


# Broadcasting.


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((4, 4), (4,)),
        ((4, 4), (4, 4)),
        ((3, 4, 4), (4,)),
        ((3, 4, 4), (4, 2)),
        ((3, 4, 4), (3, 4, 2)),
        ((3, 1, 4, 4), (2, 4, 5)),
        ((4, 4), (3, 2, 4, 1)),
        ((1, 4, 4), (3, 4, 2)),
        ((2, 3, 4, 4), (4,)),
        ((4, 4, 4), (4, 4)),
    ],
    ids=str,
)
def test_leading_dimensions_of_systems_broadcast_as_in_numpy(left, right):
    a, b = well_conditioned(*left), matrix(*right)
    theirs = np.linalg.solve(a, b)
    agree(lap.solve(a, b), theirs, 4, "x")
    agree(lap.solve(a, b, assume_a="gen", overwrite_a=True), theirs, 4, "x, a overwritten")
    a = well_conditioned(*left)
    agree(lap.lstsq(a, b).x, theirs, 4, "least squares")


@pytest.mark.parametrize(("left", "right"), [((1, 4, 4), (4,)), ((1, 4, 4), (4, 2)), ((4, 4), (1, 4, 2))], ids=str)
def test_overwriting_b_does_not_change_the_shape_of_the_result(left, right):
    a, b = well_conditioned(*left), matrix(*right)
    theirs = np.linalg.solve(a, b)
    agree(lap.solve(a, np.asfortranarray(b), overwrite_b=True), theirs, 4, "x")


@pytest.mark.parametrize(("left", "right"), [((2, 3, 3), (3, 3, 1)), ((2, 1, 3, 3), (4, 3, 3, 1))], ids=str)
def test_leading_dimensions_that_numpy_refuses_are_refused(left, right):
    a, b = well_conditioned(*left), matrix(*right)
    with pytest.raises(ValueError, match="broadcast"):
        np.linalg.solve(a, b)
    for operation in (lap.solve, lap.lstsq):
        refuses(lambda operation=operation: operation(a, b), lap.ShapeError, "do not fit together")


def test_repeated_matrices_give_repeated_results():
    a = positive(5, 5)
    stack = np.broadcast_to(a, (3, 2, 5, 5))
    for operation in (lap.svdvals, lap.eigvalsh, lap.cholesky, lambda a: lap.qr(a, "r")):
        np.testing.assert_array_equal(operation(stack), np.broadcast_to(operation(a), operation(stack).shape))


def test_a_rank_deficient_fit_has_least_norm_and_numpys_rank():
    a = matrix(8, 3) @ matrix(3, 5)
    b = matrix(8, 2)
    ours, theirs = lap.lstsq(a, b), np.linalg.lstsq(a, b)
    assert ours.rank == theirs[2] == 3
    assert ours.residuals.shape == theirs[1].shape == (0,)
    agree(ours.x, theirs[0], 8, "x")


@pytest.mark.parametrize("rcond", [None, -1, 0.0, 1e-3, 0.5, 2.0])
def test_rcond_decides_the_rank_as_in_numpy(rcond):
    a = np.diag([4.0, 3.0, 1.0, 1e-2, 1e-5])
    ours, theirs = lap.lstsq(a, np.ones(5), rcond), np.linalg.lstsq(a, np.ones(5), rcond)
    assert ours.rank == theirs[2]
    agree(ours.x, theirs[0], 5, "x")


# Memory: what is copied, what is overwritten.


def solve_symmetric(a: np.ndarray, **keywords: Any) -> Any:
    """Reads one triangle, and says so of Hermitian matrices, which are not symmetric."""
    told = contextlib.nullcontext()
    if a.dtype.kind == "c":
        told = pytest.warns(lap.NotSymmetricWarning, match=r"^solve: a is not symmetric: a\[\d+, \d+\] is ")
    with told:
        return lap.solve(a, np.ones(a.shape[-1], a.dtype), assume_a="sym", **keywords)


COPYING: dict[str, Callable[..., Any]] = {
    "svd": lap.svd,
    "svdvals": lap.svdvals,
    "solve": lambda a, **kw: lap.solve(a, np.ones(a.shape[-1], a.dtype), **kw),
    "solve, sym": lambda a, **kw: solve_symmetric(a, **kw),
    "solve, pos": lambda a, **kw: lap.solve(a, np.ones(a.shape[-1], a.dtype), assume_a="pos", **kw),
    "lstsq": lambda a, **kw: lap.lstsq(a, np.ones(a.shape[-1], a.dtype), **kw),
    "eigh": lap.eigh,
    "eigvalsh": lap.eigvalsh,
    "qr": lap.qr,
    "cholesky": lap.cholesky,
}
# Where the layout lets LAPACK work in the caller's own memory.
IN_PLACE = {
    "svd": "CF",
    "svdvals": "CF",
    "solve": "CF",
    "solve, sym": "CF",
    "solve, pos": "CF",
    "lstsq": "F",
    "eigh": "F",
    "eigvalsh": "F",
    "qr": "",
    "cholesky": "CF",
}


def pairs(ours: Any, theirs: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """The arrays of two results of the same operation, side by side."""
    ours, theirs = ((r,) if isinstance(r, np.ndarray) else r for r in (ours, theirs))
    return [(one, other) for one, other in zip(ours, theirs, strict=True) if isinstance(one, np.ndarray)]


@pytest.mark.parametrize("operation", COPYING)
@pytest.mark.parametrize("layout", LAYOUTS)
@dtypes
@pytest.mark.parametrize("shape", [(6, 6), (30, 30), (3, 5, 5)], ids=str)
def test_exactly_one_copy_is_made_and_the_input_is_left_as_it_was(operation, layout, dtype, shape):
    a = LAYOUTS[layout](positive(*shape, dtype=dtype))
    before = a.copy()
    _, report = COPYING[operation](a, return_report=True)
    assert (report.copies, report.bytes_copied) == (1, a.nbytes)
    np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("operation", COPYING)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n", [6, 30])
def test_no_copy_is_made_where_the_input_may_be_overwritten(operation, order, n):
    good = positive(n, n)
    a = np.array(good, order=order)
    result, report = COPYING[operation](a, overwrite_a=True, return_report=True)
    assert report.copies == (0 if order in IN_PLACE[operation] else 1)
    for ours, theirs in pairs(result, COPYING[operation](np.array(good, order=order))):
        agree(ours, theirs, n, "the result")


@pytest.mark.parametrize("structure", ["upper triangular", "lower triangular", "diagonal"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_triangular_and_diagonal_systems_are_solved_without_any_copy(structure, order):
    a = np.array(STRUCTURES[structure](9, 9, dtype="float64"), order=order)
    before = a.copy()
    _, report = lap.solve(a, np.ones(9), assume_a=structure, return_report=True)
    assert report.copies == 0
    np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_copy_only_operands_with_two_strides(layout):
    a, b = LAYOUTS[layout](matrix(6, 5)), LAYOUTS[layout](matrix(5, 7))
    before = a.copy(), b.copy()
    _, report = lap.matmul(a, b, return_report=True)
    two_strides = {"every other element", "rows backwards", "columns backwards"}
    assert report.copies == (2 if layout in two_strides else 0)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


def test_a_conversion_counts_as_a_copy():
    a = np.eye(4, dtype=np.int64)
    _, report = lap.svd(a, return_report=True)
    assert (report.copies, report.bytes_copied) == (2, 2 * 4 * 4 * 8)
    _, report = lap.svd(np.eye(4).tolist(), return_report=True)
    assert (report.copies, report.bytes_copied) == (2, 2 * 4 * 4 * 8)
    _, report = lap.svd(memoryview(np.eye(4)), return_report=True)
    assert report.copies == 1


def test_results_lie_in_overwritten_memory_where_the_layout_permits():
    a = np.array(positive(5, 5), order="F")
    assert np.shares_memory(lap.eigh(a, overwrite_a=True).eigenvectors, a)
    a = positive(5, 5)
    assert np.shares_memory(lap.cholesky(a, overwrite_a=True), a)
    b = np.ones(5)
    assert np.shares_memory(lap.solve(positive(5, 5), b, overwrite_b=True), b)
    kept = np.ones(5)
    lap.solve(positive(5, 5), kept)
    np.testing.assert_array_equal(kept, np.ones(5))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(5,), (5, 3), (2, 5, 3)], ids=str)
def test_b_is_left_as_it_was_unless_it_may_be_overwritten(layout, shape):
    b = matrix(*shape) if len(shape) > 1 else matrix(*shape, 1)[:, 0]
    b = LAYOUTS[layout](b) if len(shape) > 1 else b
    a, before = well_conditioned(5, 5), b.copy()
    expected = lap.solve(a, b)
    lap.lstsq(a, b)
    np.testing.assert_array_equal(b, before)
    x = lap.solve(a, b, overwrite_b=True)
    np.testing.assert_array_equal(x, expected)


def test_an_error_leaves_the_input_as_it_was():
    a = np.diag([1.0, -1.0, 1.0])
    a[0, 2] = a[2, 0] = 0.5
    before = a.copy()
    refuses(lambda: lap.cholesky(a), lap.NotPositiveDefiniteError, "diagonal element 1 is -1")
    refuses(lambda: lap.solve(np.zeros((3, 3)), before[0]), lap.SingularMatrixError, "all its elements are 0")
    np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("operation", COPYING)
def test_the_same_call_gives_the_same_bits_again(operation):
    a = positive(40, 40)
    for one, other in pairs(COPYING[operation](a), COPYING[operation](a)):
        np.testing.assert_array_equal(one, other)
