"""`solve_banded` and `solveh_banded` against SciPy's contract, and the matrices that the bands stand for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from helpers import DTYPES, adjoint, matrix, norm, refuses, within

import lapack_py as lap

BANDS = [(1, 1), (0, 0), (2, 1), (1, 3), (0, 2), (2, 0), (5, 4)]


def band_of(a: np.ndarray, lower: int, upper: int) -> np.ndarray:
    """Band storage of a dense matrix; what is not read is NaN."""
    n = a.shape[-1]
    ab = np.full((*a.shape[:-2], lower + upper + 1, n), np.nan, dtype=a.dtype)
    for j in range(n):
        for i in range(max(0, j - upper), min(n, j + lower + 1)):
            ab[..., upper + i - j, j] = a[..., i, j]
    return ab


def dense(n: int, lower: int, upper: int, dtype: str, *batch: int) -> np.ndarray:
    i, j = np.indices((n, n))
    return np.where((i - j <= lower) & (j - i <= upper), matrix(*batch, n, n, dtype=dtype), 0).astype(dtype)


def residual(a, x, b) -> float:
    return norm(a @ x - b) / (norm(a) * norm(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("lower", "upper"), BANDS)
@pytest.mark.parametrize("n", [1, 2, 3, 9, 40])
def test_the_system_of_the_band_is_solved_and_its_conditioning_known(dtype, lower, upper, n):
    a, b = dense(n, lower, upper, dtype) + 3 * np.eye(n, dtype=dtype), matrix(n, 3, dtype=dtype)
    ab = band_of(a, lower, upper)
    for order in "CF":
        given = np.asarray(ab, order=order)
        x, report = lap.solve_banded((lower, upper), given, b, return_report=True)
        within(residual(a, x, b), n, dtype, f"{lower}, {upper}")
        assert x.dtype == np.dtype(dtype)
        assert 0 < report.rcond <= 1
        assert report.structure == ("tridiagonal" if (lower, upper) == (1, 1) else "banded")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [0, 1, 3])
@pytest.mark.parametrize("lower", [False, True])
def test_a_positive_definite_band_is_solved_from_either_half(dtype, width, lower):
    n = 30
    a = dense(n, width, width, dtype)
    a = ((a + adjoint(a)) / 2 + 8 * np.eye(n)).astype(dtype)
    b = matrix(n, 2, dtype=dtype)
    ab = band_of(a, width, 0) if lower else band_of(a, 0, width)
    x, report = lap.solveh_banded(ab, b, lower=lower, return_report=True)
    within(residual(a, x, b), n, dtype, "solveh_banded")
    assert report.routine == "pbtrf"
    assert report.rcond > 0.01


@pytest.mark.parametrize("shape", [(6,), (6, 2), (6, 1)])
def test_shapes_and_types_are_scipys(shape):
    ab, b = band_of(dense(6, 1, 2, "float64") + 3 * np.eye(6), 1, 2), matrix(*shape)
    for dtype_ab, dtype_b in [("float32", "float64"), ("float64", "complex64"), ("float32", "float32")]:
        ours = lap.solve_banded((1, 2), ab.astype(dtype_ab), b.astype(dtype_b))
        theirs = scipy.linalg.solve_banded((1, 2), np.nan_to_num(ab).astype(dtype_ab), b.astype(dtype_b))
        assert ours.shape == theirs.shape
        assert ours.dtype == np.result_type(dtype_ab, dtype_b)
        within(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs), 6, "float32", "as SciPy")


def test_a_batch_is_solved_and_its_failures_are_listed():
    a = dense(12, 2, 1, "float64", 4) + 4 * np.eye(12)
    b = matrix(4, 12, 2)
    ab = band_of(a, 2, 1)
    x = lap.solve_banded((2, 1), ab, b)
    for index in range(4):
        assert np.array_equal(x[index], lap.solve_banded((2, 1), ab[index], b[index]))
    assert np.array_equal(lap.solve_banded((2, 1), ab[0], b)[3], lap.solve_banded((2, 1), ab[0], b[3]))
    for index in (1, 3):
        for j in range(12):
            for row in range(4):
                if j == 5:
                    ab[index, row, j] = 0
    error = refuses(lambda: lap.solve_banded((2, 1), ab, b), lap.SingularMatrixError, "matrix 1 and 1 more of 4")
    assert error.failed == [1, 3]


def test_a_nan_is_located_in_the_band_and_not_looked_for_outside():
    ab = band_of(dense(8, 1, 1, "float64") + 3 * np.eye(8), 1, 1)
    assert np.isnan(ab[0, 0])
    assert np.isfinite(lap.solve_banded((1, 1), ab, np.ones(8))).all()
    ab[2, 3] = np.inf
    refuses(lambda: lap.solve_banded((1, 1), ab, np.ones(8)), lap.NonFiniteError, "ab has Inf at row 2, column 3")
    ab[2, 3] = 1
    refuses(lambda: lap.solve_banded((1, 1), ab, [np.nan] * 8), lap.NonFiniteError, "b has NaN at row 0, column 0")


def test_what_does_not_fit_is_refused_in_words():
    ab = np.ones((3, 5))
    refuses(lambda: lap.solve_banded((1, 2), ab, np.ones(5)), lap.ShapeError, "4 rows, but ab has 3")
    refuses(lambda: lap.solve_banded((1, 1), ab, np.ones(4)), lap.ShapeError, "b needs 5 rows, not 4")
    refuses(lambda: lap.solve_banded((1, -1), ab, np.ones(5)), lap.LapackError, "l_and_u=(1, -1)")
    refuses(lambda: lap.solve_banded((1, 1), np.ones(5), np.ones(5)), lap.ShapeError, "1 dimension")
    refuses(lambda: lap.solveh_banded(-np.ones((2, 5)), np.ones(5)), lap.NotPositiveDefiniteError, "minor 1 of 5")


def test_a_nearly_singular_band_is_warned_of():
    ab = band_of(np.diag([1.0, 1e-20, 1.0, 1.0]) + np.diag([1e-30] * 3, 1), 0, 1)
    with pytest.warns(lap.IllConditionedWarning, match="solve_banded: ab is ill-conditioned"):
        lap.solve_banded((0, 1), ab, np.ones(4))


def test_nothing_is_computed_where_there_is_nothing():
    assert lap.solve_banded((1, 1), np.ones((3, 0)), np.ones(0)).shape == (0,)
    assert lap.solve_banded((1, 0), np.ones((2, 5)), np.ones((5, 0))).shape == (5, 0)
    assert lap.solve_banded((1, 1), np.ones((0, 3, 5)), np.ones((0, 5, 1))).shape == (0, 5, 1)


def test_b_may_be_overwritten():
    ab, b = band_of(dense(9, 1, 2, "float64") + 4 * np.eye(9), 1, 2), matrix(9)
    expected = lap.solve_banded((1, 2), ab, b)
    x = lap.solve_banded((1, 2), ab, b, overwrite_b=True)
    assert x is b
    assert np.array_equal(x, expected)


@pytest.mark.parametrize("widths", [(1, 1), [1, 1], np.array([1, 1])], ids=str)
def test_the_widths_are_any_pair_of_numbers(widths):
    ab = band_of(dense(5, 1, 1, "float64") + 3 * np.eye(5), 1, 1)
    assert np.array_equal(lap.solve_banded(widths, ab, np.ones(5)), lap.solve_banded((1, 1), ab, np.ones(5)))


def test_a_band_that_happens_to_be_square_is_not_taken_for_the_matrix():
    error = refuses(lambda: lap.solve_banded((1, 1), np.ones((3, 3)), np.ones(4)), lap.ShapeError, "ab has 3 columns")
    assert error.argument == "b"
