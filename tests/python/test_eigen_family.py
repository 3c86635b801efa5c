"""eig, eigvals, and what eigh and eigvalsh have beyond NumPy: a second matrix and parts of the spectrum."""

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
    hermitian,
    matrix,
    norm,
    positive,
    refuses,
    same_shapes,
    within,
)

import lapack_py as lap

SHAPES = [(1, 1), (2, 2), (5, 5), (30, 30), (7, 4, 4), (2, 3, 6, 6), (400, 3, 3)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
layouts = pytest.mark.parametrize("layout", LAYOUTS)


def columns(w: np.ndarray) -> np.ndarray:
    return w[..., None, :]


def has_unit_columns(v: np.ndarray) -> None:
    lengths = np.linalg.norm(v, axis=-2)
    within(np.max(np.abs(lengths - 1), initial=0), v.shape[-1], v.dtype, "length of columns")


def is_eigensystem(a: np.ndarray, w: np.ndarray, v: np.ndarray, b: np.ndarray | None = None) -> None:
    """A V = (B) V W, relative to the norms."""
    bv = v if b is None else b @ v
    size = norm(a) + (1 if b is None else norm(b)) * np.max(np.abs(w), initial=0)
    within(norm(a @ v - bv * columns(w)) / (float(size * norm(v)) or 1), a.shape[-1], v.dtype, "A V - B V W")


def real_spectrum(*shape: int, dtype: Any = "float64") -> np.ndarray:
    """Not symmetric, with real eigenvalues: triangular."""
    return np.triu(matrix(*shape, dtype=dtype))


# eig(a) and eigvals(a): NumPy's.


@shapes
@dtypes
@layouts
def test_eig_is_an_eigensystem_with_numpys_shapes_and_dtypes(layout, dtype, shape):
    a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
    ours, theirs = lap.eig(a), np.linalg.eig(a)
    assert type(ours) is lap.EigResult
    assert ours._fields == theirs._fields
    for one, other in zip(ours, theirs, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
    is_eigensystem(a, *ours)
    has_unit_columns(ours.eigenvectors)
    values = lap.eigvals(a)
    assert (values.shape, values.dtype) == (ours.eigenvalues.shape, np.linalg.eigvals(a).dtype)
    trace = np.trace(a, axis1=-2, axis2=-1)
    within(np.max(np.abs(values.sum(-1) - trace)) / norm(a), shape[-1], dtype, "sum of eigenvalues - trace")


@dtypes
def test_real_matrices_with_real_eigenvalues_have_the_types_of_the_numpy_at_hand(dtype):
    a = real_spectrum(4, 5, 5, dtype=dtype)
    # NumPy 2.5 made the results complex in any case.
    always_complex = tuple(map(int, np.__version__.split(".")[:2])) >= (2, 5)
    expected = np.result_type(dtype, "complex64") if always_complex else np.dtype(dtype)
    for ours, theirs in [(lap.eig(a), np.linalg.eig(a)), ([lap.eigvals(a)], [np.linalg.eigvals(a)])]:
        assert [r.dtype for r in ours] == [r.dtype for r in theirs] == [expected] * len(ours)
    is_eigensystem(a, *lap.eig(a))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_complex_pair_makes_the_results_of_the_whole_batch_complex(dtype):
    a = real_spectrum(6, 3, 3, dtype=dtype)
    a[4] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    ours, theirs = lap.eig(a), np.linalg.eig(a)
    assert [r.dtype for r in ours] == [r.dtype for r in theirs]
    assert ours.eigenvalues.dtype.kind == "c"
    np.testing.assert_allclose(ours.eigenvalues, theirs.eigenvalues, atol=1e-6)
    is_eigensystem(a, *ours)
    assert np.all(ours.eigenvectors[:4].imag == 0)


def test_conjugate_pairs_are_exact_conjugates_with_the_positive_imaginary_part_first():
    w, v = lap.eig(matrix(20, 20))
    pairs = np.flatnonzero(w.imag > 0)
    assert len(pairs) > 0
    assert np.array_equal(w[pairs + 1], w[pairs].conj())
    assert np.array_equal(v[:, pairs + 1], v[:, pairs].conj())


@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0), (0, 0, 0), (0, 2, 1, 1)], ids=str)
@dtypes
def test_empty_input_gives_numpys_empty_results(dtype, shape):
    a = np.zeros(shape, dtype)
    for ours, theirs in zip(lap.eig(a), np.linalg.eig(a), strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert lap.eigvals(a).shape == np.linalg.eigvals(a).shape
    w, vl, vr = lap.eig(a, a, left=True)
    assert (w.shape, vl.shape, vr.shape) == (shape[:-1], shape, shape)
    assert lap.eigh(a, a).eigenvectors.shape == shape
    if shape[-1]:
        assert lap.eigh(a, subset_by_index=(0, 0)).eigenvectors.shape == (*shape[:-1], 1)


def test_integers_and_lists_are_computed_in_double():
    assert np.array_equal(np.sort(lap.eigvals([[2, 0], [1, 3]])), [2.0, 3.0])
    assert lap.eig(np.eye(2, dtype=np.int8)).eigenvalues.dtype in {np.dtype("float64"), np.dtype("complex128")}


def test_known_spectra_are_found():
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert np.allclose(np.sort_complex(lap.eigvals(rotation)), [-1j, 1j])
    jordan = 2 * np.eye(5) + np.eye(5, k=1)
    assert np.array_equal(lap.eigvals(jordan), np.full(5, 2.0))
    roots = np.array([1.0, 2.0, 3.0, 4.0])
    companion = np.diag(np.ones(3), -1)
    companion[0] = -np.poly(roots)[1:]
    assert np.allclose(np.sort(lap.eigvals(companion)), roots, rtol=1e-10)


def test_the_input_is_not_changed_and_overwriting_a_fortran_array_makes_no_copy():
    a = np.asfortranarray(matrix(30, 30))
    before = a.copy()
    expected, report = lap.eig(a, return_report=True)
    assert np.array_equal(a, before)
    assert (report.copies, report.routine, report.operation) == (1, "geev", "eig")
    result, report = lap.eig(a, overwrite_a=True, return_report=True)
    assert report.copies == 0
    assert np.array_equal(result.eigenvalues, expected.eigenvalues)
    assert not np.array_equal(a, before)


def test_batches_give_the_bits_of_single_matrices():
    a = matrix(500, 5, 5)
    w, v = lap.eig(a)
    for k in (0, 77, 499):
        one = lap.eig(a[k])
        assert np.array_equal(w[k], one.eigenvalues)
        assert np.array_equal(v[k], one.eigenvectors)


# eig with SciPy's keywords.


@dtypes
@pytest.mark.parametrize(
    ("pair", "left", "right"),
    [form for form in itertools.product([False, True], repeat=3) if form != (False, False, True)],
)
@pytest.mark.parametrize("spectrum", [matrix, real_spectrum])
def test_scipys_forms_have_scipys_order_shapes_and_dtypes(dtype, pair, left, right, spectrum):
    a = spectrum(6, 6, dtype=dtype)
    b = np.triu(positive(6, 6, dtype=dtype)) if pair else None
    ours = lap.eig(a, b, left=left, right=right)
    theirs = scipy.linalg.eig(a, b, left=left, right=right)
    assert isinstance(ours, tuple) == isinstance(theirs, tuple)
    ours, theirs = ((r,) if isinstance(r, np.ndarray) else r for r in (ours, theirs))
    for one, other in zip(ours, theirs, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
    if right:
        is_eigensystem(a, ours[0], ours[-1], b)
        has_unit_columns(ours[-1])
    if left:
        is_eigensystem(adjoint(a), ours[0].conj(), ours[1], None if b is None else adjoint(b))
        has_unit_columns(ours[1])


@dtypes
@layouts
def test_pairs_are_solved_in_every_layout_and_broadcast(layout, dtype):
    a, b = matrix(3, 1, 5, 5, dtype=dtype), matrix(2, 5, 5, dtype=dtype, seed=1)
    w, v = lap.eig(LAYOUTS[layout](a), LAYOUTS[layout](b))
    assert (w.shape, v.shape) == ((3, 2, 5), (3, 2, 5, 5))
    is_eigensystem(a, w, v, b)
    values = lap.eigvals(LAYOUTS[layout](a), b)
    assert np.allclose(np.sort_complex(values), np.sort_complex(w), rtol=1e-2)


def test_homogeneous_eigenvalues_are_scipys_pairs():
    a, b = matrix(4, 4), np.diag([1.0, 2.0, 0.0, 3.0])
    for arguments in [(a,), (a, b)]:
        ours = lap.eigvals(*arguments, homogeneous_eigvals=True)
        theirs = scipy.linalg.eigvals(*arguments, homogeneous_eigvals=True)
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        w, v = lap.eig(*arguments, homogeneous_eigvals=True)
        assert np.array_equal(w.shape, (2, 4))
        second = np.eye(4) if len(arguments) == 1 else b
        assert np.allclose(a @ v * w[1], second @ v * w[0])
    assert lap.eigvals(np.stack([a, a]), homogeneous_eigvals=True).shape == (2, 2, 4)


def test_a_singular_second_matrix_gives_infinite_and_undetermined_eigenvalues_as_scipy_does(silent):
    a, b = np.diag([6.0, 1.0, 0.0]), np.diag([2.0, 0.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = scipy.linalg.eigvals(a, b)
    for given, expected in [(a, theirs.real), (a.astype(complex), [3.0, np.inf, np.nan])]:
        with pytest.warns(lap.InfiniteEigenvaluesWarning, match="of 3 eigenvalues are infinite, since b is singular"):
            values = lap.eigvals(given, b)
        np.testing.assert_array_equal(values.real, expected)


def test_two_types_are_computed_in_the_one_that_holds_both():
    a, b = matrix(4, 4, dtype="float32"), matrix(4, 4, dtype="complex128", seed=2)
    w, v = lap.eig(a, b)
    assert w.dtype == v.dtype == np.complex128
    is_eigensystem(a, w, v, b)
    assert lap.eigh(hermitian(3, 3, dtype="float32"), positive(3, 3)).eigenvectors.dtype == np.float64


def test_overwriting_one_array_that_is_both_matrices_is_harmless():
    a = np.asfortranarray(positive(6, 6))
    assert np.allclose(lap.eigvals(a, a, overwrite_a=True, overwrite_b=True), 1)
    a = np.asfortranarray(positive(6, 6))
    assert np.allclose(lap.eigvalsh(a, a, overwrite_a=True, overwrite_b=True, subset_by_index=(0, 5)), 1)


# eigh with a second matrix.


def residual(a: np.ndarray, b: np.ndarray, kind: int, w: np.ndarray, v: np.ndarray) -> float:
    left, right = {1: (a @ v, b @ v), 2: (a @ (b @ v), v), 3: (b @ (a @ v), v)}[kind]
    return norm(left - right * columns(w)) / (norm(a) * norm(b) * norm(v) * (1 + np.max(np.abs(w), initial=0)))


@dtypes
@layouts
@pytest.mark.parametrize("kind", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 1), (6, 6), (30, 30), (5, 4, 4)], ids=str)
def test_generalised_eigh_solves_all_three_problems_with_vectors_orthonormal_in_b(shape, kind, layout, dtype):
    a, b = LAYOUTS[layout](hermitian(*shape, dtype=dtype)), LAYOUTS[layout](positive(*shape, dtype=dtype, seed=3))
    w, v = lap.eigh(a, b, type=kind)
    theirs = scipy.linalg.eigh(a, b, type=kind)
    assert [r.shape for r in (w, v)] == [r.shape for r in theirs]
    assert [r.dtype for r in (w, v)] == [r.dtype for r in theirs]
    n = shape[-1]
    within(np.max(np.abs(w - theirs[0])) / np.max(np.abs(w)), n, dtype, "eigenvalues, against SciPy's")
    within(residual(a, b, kind, w, v), n, dtype, "residual")
    metric = np.linalg.inv(b) if kind == 3 else b
    gram = adjoint(v) @ metric @ v - np.eye(n)
    within(norm(gram) / (norm(metric) * norm(v) ** 2), n, dtype, "V^H B V - I")
    values = lap.eigvalsh(a, b, type=kind)
    within(np.max(np.abs(values - w)) / np.max(np.abs(w)), n, dtype, "eigvalsh")


@pytest.mark.parametrize("lower", [True, False])
@dtypes
def test_only_one_triangle_of_both_matrices_is_read(dtype, lower):
    a, b = hermitian(7, 7, dtype=dtype), positive(7, 7, dtype=dtype)
    other = np.triu_indices(7, 1) if lower else np.tril_indices(7, -1)
    expected = lap.eigvalsh(a, b)
    spoilt_a, spoilt_b = a.copy(), b.copy()
    spoilt_a[other] = spoilt_b[other] = np.nan
    for values in [
        lap.eigvalsh(spoilt_a, b=spoilt_b, lower=lower),
        lap.eigvalsh(spoilt_a, "L" if lower else "U", b=spoilt_b),
        lap.eigvalsh(spoilt_a, spoilt_b, lower=lower),
        lap.eigh(spoilt_a, spoilt_b, lower=lower, eigvals_only=True),
        lap.eigvalsh(spoilt_a, spoilt_b, lower=lower, subset_by_index=(0, 6)),
    ]:
        within(np.max(np.abs(values - expected)) / np.max(np.abs(expected)), 7, dtype, "eigenvalues")


def test_the_second_positional_argument_is_numpys_triangle_or_scipys_matrix():
    a, b = hermitian(4, 4), positive(4, 4)
    assert np.array_equal(lap.eigvalsh(a, b), lap.eigvalsh(a, b=b))
    assert np.array_equal(lap.eigvalsh(a, b.tolist()), lap.eigvalsh(a, "L", b=b))
    with pytest.raises(TypeError, match="multiple values for argument 'b'"):
        lap.eigh(a, b, b=b)
    with pytest.raises(TypeError, match="not int"):
        lap.eigh(a, 3)


def test_the_second_matrix_is_broadcast_over_a_batch():
    a, b = hermitian(5, 4, 4), positive(4, 4)
    w, v = lap.eigh(a, b)
    for k in range(5):
        one = lap.eigh(a[k], b)
        assert np.array_equal(w[k], one.eigenvalues)
        assert np.array_equal(v[k], one.eigenvectors)
    assert lap.eigh(a[0], np.stack([b, 2 * b])).eigenvectors.shape == (2, 4, 4)


# Parts of a spectrum.


@dtypes
@layouts
@pytest.mark.parametrize("with_b", [False, True])
@pytest.mark.parametrize("indices", [(0, 0), (2, 5), (11, 11), (0, 11)])
def test_a_subset_by_index_is_that_part_of_the_whole(indices, with_b, layout, dtype):
    a = LAYOUTS[layout](hermitian(3, 12, 12, dtype=dtype))
    b = positive(12, 12, dtype=dtype) if with_b else None
    w, v = lap.eigh(a, b=b, subset_by_index=indices)
    whole = lap.eigvalsh(a, b=b)
    m = indices[1] - indices[0] + 1
    assert (w.shape, v.shape) == ((3, m), (3, 12, m))
    expected = whole[:, indices[0] : indices[1] + 1]
    within(np.max(np.abs(w - expected)) / np.max(np.abs(whole)), 12, dtype, "eigenvalues")
    is_eigensystem(a, w, v, b)
    gram = adjoint(v) @ (v if b is None else b @ v) - np.eye(m)
    within(norm(gram), 12, dtype, "V^H B V - I")
    values = lap.eigvalsh(a, b=b, subset_by_index=np.array(indices))
    within(np.max(np.abs(values - expected)) / np.max(np.abs(whole)), 12, dtype, "eigvalsh")


@dtypes
@pytest.mark.parametrize("with_b", [False, True])
@pytest.mark.parametrize("bounds", [(-np.inf, 0), (0.0, np.inf), (-1, 1.5), (1e6, 1e7), (-np.inf, np.inf)])
def test_a_subset_by_value_is_scipys(bounds, with_b, dtype):
    a = hermitian(15, 15, dtype=dtype)
    b = positive(15, 15, dtype=dtype) if with_b else None
    ours = lap.eigh(a, b=b, subset_by_value=bounds)
    theirs = scipy.linalg.eigh(a, b, subset_by_value=bounds)
    same_shapes(ours, theirs)
    assert [r.dtype for r in ours] == [r.dtype for r in theirs]
    within(np.max(np.abs(ours.eigenvalues - theirs[0]), initial=0) / norm(a), 15, dtype, "eigenvalues")
    is_eigensystem(a, *ours, b)
    assert ours.eigenvectors.base is None
    assert ours.eigenvectors.flags.f_contiguous


def test_the_lower_bound_is_excluded_and_the_upper_one_included():
    a = np.diag([0.0, 1.0, 2.0, 3.0])
    assert lap.eigvalsh(a, subset_by_value=(1, 2)).tolist() == [2.0]
    assert lap.eigvalsh(a, subset_by_value=[-1, 1]).tolist() == [0.0, 1.0]


def test_batches_by_value_need_the_same_number_of_each_matrix():
    a = np.stack([np.diag([1.0, 2.0, 3.0]), np.diag([3.0, 1.5, 2.5])])
    error = refuses(
        lambda: lap.eigvalsh(a, subset_by_value=(0, 2)), lap.ShapeError, "selects 2 eigenvalues of matrix 0 and 1"
    )
    assert error.argument == "subset_by_value"
    assert lap.eigvalsh(a, subset_by_value=(0, 2.7)).tolist() == [[1.0, 2.0], [1.5, 2.5]]


def test_the_report_names_the_driver_that_computes_only_what_is_asked_for():
    a, b = hermitian(30, 30), positive(30, 30)
    for arguments, routine in [
        ({"subset_by_index": (0, 1)}, "syevr"),
        ({"b": b}, "sygvd"),
        ({"b": b, "subset_by_index": (0, 1)}, "sygvx"),
    ]:
        _, report = lap.eigh(a, return_report=True, **arguments)
        assert report.routine == routine
        assert report.operation == "eigh"


# The Schur form.


@shapes
@dtypes
@layouts
@pytest.mark.parametrize("output", ["real", "complex"])
def test_the_schur_form_reconstructs_with_scipys_shapes_and_dtypes(output, layout, dtype, shape):
    a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
    t, z = lap.schur(a, output)
    one = scipy.linalg.schur(a.reshape(-1, *shape[-2:])[0], output)
    assert (t.shape, z.shape) == (shape, shape)
    assert [t.dtype, z.dtype] == [r.dtype for r in one]
    n = shape[-1]
    within(norm(z @ t @ adjoint(z) - a) / norm(a), n, dtype, "Z T Z^H - A")
    within(norm(adjoint(z) @ z - np.eye(n)), n, dtype, "Z^H Z - I")
    assert not np.tril(t, -2 if t.dtype.kind == "f" else -1).any()


def test_schur_refuses_in_words_and_takes_empty_input(silent):
    refuses(lambda: lap.schur(matrix(2, 3)), lap.ShapeError, "a must be square, not 2 x 3")
    refuses(lambda: lap.schur([[1, np.nan], [0, 1]], "c"), lap.NonFiniteError, "a has NaN at row 0, column 1")
    refuses(lambda: lap.schur(np.eye(2), "rational"), lap.LapackError, "output='rational' must be 'real' or 'complex'")
    assert lap.schur(np.zeros((0, 3, 3))).T.shape == (0, 3, 3)
    assert lap.schur(np.zeros((2, 0, 0))).Z.shape == (2, 0, 0)


# Bad input.

GOOD = positive(3, 3)
NAN = GOOD.copy()
NAN[2, 1] = np.nan
INDEFINITE = np.diag([1.0, -1.0, 2.0])

REFUSED = {
    "eig, NaN": (lambda: lap.eig(NAN), lap.NonFiniteError, "a has NaN at row 2, column 1"),
    "eig, NaN, unchecked": (lambda: lap.eig(NAN, check_finite=False), lap.NonFiniteError, "row 2, column 1"),
    "eigvals, Inf": (lambda: lap.eigvals([[1, np.inf], [0, 1]]), lap.NonFiniteError, "a has Inf at row 0, column 1"),
    "eig, NaN in b": (lambda: lap.eig(GOOD, NAN), lap.NonFiniteError, "b has NaN at row 2, column 1"),
    "eigh, NaN in b": (lambda: lap.eigh(GOOD, NAN), lap.NonFiniteError, "b has NaN at row 2, column 1"),
    "eigh, NaN, subset": (lambda: lap.eigh(NAN, subset_by_index=(0, 0)), lap.NonFiniteError, "row 2, column 1"),
    "eig, 2 x 3": (lambda: lap.eig(matrix(2, 3)), lap.ShapeError, "a must be square, not 2 x 3"),
    "eigvals, 1-D": (
        lambda: lap.eigvals(np.ones(3)),
        lap.ShapeError,
        "a has 1 dimension, shape (3,); at least 2 are needed",
    ),
    "eig, None": (lambda: lap.eig(None), lap.DTypeError, "a is None"),
    "eig, b 2 x 2": (lambda: lap.eig(GOOD, np.eye(2)), lap.ShapeError, "b must be 3 x 3 like a, not 2 x 2"),
    "eig, b 1-D": (
        lambda: lap.eig(GOOD, np.ones(3)),
        lap.ShapeError,
        "b has 1 dimension, shape (3,); at least 2 are needed",
    ),
    "eig, text": (lambda: lap.eig(GOOD, "L"), lap.DTypeError, "b"),
    "eigh, b 3 x 2": (lambda: lap.eigh(GOOD, np.ones((3, 2))), lap.ShapeError, "b must be 3 x 3 like a, not 3 x 2"),
    "eigh, batches": (
        lambda: lap.eigh(np.stack([GOOD] * 2), np.stack([GOOD] * 3)),
        lap.ShapeError,
        "the leading dimensions [2] of a and [3] of b do not fit together",
    ),
    "eigh, b indefinite": (
        lambda: lap.eigh(GOOD, INDEFINITE),
        lap.NotPositiveDefiniteError,
        "b is not positive definite: ",
    ),
    "eigh, b indefinite, subset": (
        lambda: lap.eigvalsh(GOOD, INDEFINITE, subset_by_value=(0, 1)),
        lap.NotPositiveDefiniteError,
        "b is not positive definite: ",
    ),
    "type": (lambda: lap.eigh(GOOD, GOOD, type=4), lap.LapackError, "type=4 must be 1, 2 or 3"),
    "both subsets": (
        lambda: lap.eigh(GOOD, subset_by_index=(0, 1), subset_by_value=(0, 1)),
        lap.LapackError,
        "exclude each other",
    ),
    "indices reversed": (
        lambda: lap.eigh(GOOD, subset_by_index=(2, 1)),
        lap.LapackError,
        "indices in order from 0 to 2",
    ),
    "indices too large": (lambda: lap.eigh(GOOD, subset_by_index=(0, 3)), lap.LapackError, "from 0 to 2"),
    "indices negative": (lambda: lap.eigh(GOOD, subset_by_index=(-1, 1)), lap.LapackError, "counted from 0"),
    "indices broken": (lambda: lap.eigh(GOOD, subset_by_index=(0.5, 1)), lap.LapackError, "whole numbers"),
    "one index": (lambda: lap.eigh(GOOD, subset_by_index=1), lap.LapackError, "must be two numbers"),
    "three bounds": (lambda: lap.eigh(GOOD, subset_by_value=(1, 2, 3)), lap.LapackError, "must be two numbers"),
    "bounds reversed": (lambda: lap.eigh(GOOD, subset_by_value=(2, 1)), lap.LapackError, "the smaller one first"),
    "bounds NaN": (lambda: lap.eigh(GOOD, subset_by_value=(np.nan, 1)), lap.LapackError, "the smaller one first"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_words_and_nothing_is_printed(case, silent):
    call, kind, text = REFUSED[case]
    refuses(call, kind, text)


@pytest.mark.parametrize(
    "call",
    [lap.eig, lap.eigvals, lambda a: lap.eig(a, np.eye(3)), lambda a: lap.eigh(a, subset_by_index=(0, 1))],
    ids=["eig", "eigvals", "pair", "subset"],
)
def test_the_matrices_of_a_batch_that_failed_are_listed(call, silent):
    a = hermitian(2, 100, 3, 3)
    a[0, 7, 1, 0] = np.nan
    a[1, 50, 2, 2] = np.inf
    error = refuses(lambda: call(a), lap.NonFiniteError, "matrix 7 and 1 more of 200")
    assert error.failed == [7, 150]
    assert (error.matrix, error.location, error.argument, error.position) == (7, (1, 0), "a", 0)


def test_every_second_matrix_that_is_not_positive_definite_is_listed():
    b = np.stack([np.eye(3), INDEFINITE, np.eye(3), INDEFINITE])
    error = refuses(lambda: lap.eigh(GOOD, b), lap.NotPositiveDefiniteError, "matrix 1 and 1 more of 4")
    assert error.failed == [1, 3]
    assert (error.argument, error.position, error.routine, error.info) == ("b", 1, "dsygvd", 5)
    assert any("eig(a, b)" in fix for _, fix in error.fixes)


def test_numpys_handlers_catch_what_numpy_raises():
    for call in (lambda: lap.eig(NAN), lambda: lap.eigvals(matrix(2, 3))):
        with pytest.raises(np.linalg.LinAlgError) as caught:
            call()
        assert_in_words(caught.value, lap.LapackError, "eig: ")


@pytest.mark.parametrize("name", ["eig", "eigvals", "eigh", "eigvalsh"])
def test_signatures_are_scipys_up_to_positions_and_every_parameter_is_documented(name):
    ours = inspect.signature(getattr(lap, name)).parameters
    theirs = inspect.signature(getattr(scipy.linalg, name)).parameters
    missing = set(theirs) - set(ours)
    assert missing <= {"driver"}
    for parameter in set(ours) & set(theirs) - {"lower"}:
        assert ours[parameter].default == theirs[parameter].default, parameter
    positional = [p.name for p in ours.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional == (["a", "b"] if name in ("eig", "eigvals") else ["a", "UPLO"])
    text = inspect.getdoc(getattr(lap, name))
    assert "As ``" in text or all(parameter in text for parameter in ours)


@pytest.mark.parametrize("lower", [0, 1, np.True_, np.False_], ids=str)
def test_the_triangle_is_chosen_by_anything_that_is_true_or_false(lower):
    a = matrix(5, 5)
    assert np.array_equal(lap.eigvalsh(a, lower=lower), lap.eigvalsh(a, UPLO="L" if lower else "U"))
    assert np.array_equal(lap.eigh(a, lower=lower)[1], lap.eigh(a, lower=bool(lower))[1])
