"""Norms, condition numbers and ranks: NumPy's numbers, shapes, types and errors; more range, and NaN that stays NaN."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from helpers import DTYPES, LAYOUTS, hermitian, matrix, refuses, within

import lapack_py as lap

layouts = pytest.mark.parametrize("layout", LAYOUTS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
MATRIX_ORDERS = [None, "fro", "f", "nuc", 1, -1, 2, -2, np.inf, -np.inf]
VECTOR_ORDERS = [None, 0, 1, -1, 2, -2, 3, 0.5, -1.5, np.inf, -np.inf]


def like_numpy(ours: Any, theirs: Any, n: int, dtype: Any, what: str) -> None:
    """The same shape, the same type of scalar or array, the same dtype, the same numbers."""
    assert type(ours) is type(theirs), what
    assert ours.dtype == theirs.dtype, what
    assert np.shape(ours) == np.shape(theirs), what
    assert np.array_equal(np.isnan(ours), np.isnan(theirs)), what
    size = np.max(np.abs(theirs), initial=1e-300)
    within(np.max(np.abs(ours - theirs), initial=0) / size, n, dtype, what)


@layouts
@dtypes
@pytest.mark.parametrize("order", MATRIX_ORDERS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_matrix_norms_are_numpys(layout, dtype, order, keepdims):
    for shape in [(1, 1), (5, 5), (6, 3), (3, 7), (2, 4, 5), (2, 3, 3, 4)]:
        a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
        n = max(shape[-2:])
        theirs = np.linalg.matrix_norm(a, ord=order, keepdims=keepdims)
        like_numpy(lap.matrix_norm(a, ord=order, keepdims=keepdims), theirs, n, dtype, "matrix_norm")
        ours = lap.norm(a, order, (-2, -1), keepdims)
        like_numpy(ours, np.linalg.norm(a, order, (-2, -1), keepdims), n, dtype, "norm")
        if len(shape) == 2:
            like_numpy(lap.norm(a, order), np.linalg.norm(a, order), n, dtype, "norm without axis")


@dtypes
@pytest.mark.parametrize("order", [None, "nuc", 1, -1, 2, -2, np.inf, -np.inf])
@pytest.mark.parametrize("axes", [*itertools.permutations(range(3), 2), (-1, 0)])
def test_matrix_norms_along_any_two_axes_are_numpys(dtype, order, axes):
    a = matrix(3, 4, 5, dtype=dtype)
    for keepdims in (False, True):
        like_numpy(
            lap.norm(a, order, axes, keepdims), np.linalg.norm(a, order, axes, keepdims), 5, dtype, f"norm over {axes}"
        )


@dtypes
@pytest.mark.parametrize("order", VECTOR_ORDERS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_vector_norms_are_numpys(dtype, order, keepdims):
    for shape, axis in [((7,), None), ((7,), 0), ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), (1,))]:
        a = matrix(*shape, dtype=dtype)
        ours, theirs = (m.norm(a, order, axis, keepdims) for m in (lap, np.linalg))
        like_numpy(ours, theirs, 7, dtype, "norm")
    if order is None:
        return
    for axis in (None, 0, (0, 2), (2, 1), (0, 1, 2), ()):
        a = matrix(2, 3, 4, dtype=dtype)
        ours, theirs = (m.vector_norm(a, axis=axis, ord=order, keepdims=keepdims) for m in (lap.linalg, np.linalg))
        like_numpy(ours, theirs, 24, dtype, "vector_norm")


def test_the_norm_of_anything_without_order_and_axis_is_that_of_all_elements():
    for a in (3.0, [3, 4], np.ones((2, 3, 4)), np.arange(4, dtype="int8"), np.zeros(0), [[True, False]]):
        assert lap.norm(a) == np.linalg.norm(a)
        assert lap.vector_norm(a) == np.linalg.vector_norm(a)
    assert lap.norm(np.ones((2, 3)), keepdims=True).shape == (1, 1)


@pytest.mark.parametrize("char", ["e", "g", "G"])
def test_norms_without_singular_values_take_every_float_type_of_numpy(char):
    a = np.array([[3, 4], [0, 0]], dtype=char)
    for order in (None, 1, np.inf):
        assert lap.norm(a, order) == np.linalg.norm(a, order)
        assert lap.norm(a, order).dtype == np.linalg.norm(a, order).dtype
    refuses(lambda: lap.norm(a, 2), lap.DTypeError, "norm: x has dtype")


@dtypes
def test_sums_of_squares_do_not_leave_the_range_of_the_type(dtype):
    limits = np.finfo(dtype)
    for size in (limits.max / 64, limits.tiny * 16):
        a = np.full((3, 4), size, dtype=dtype)
        for result in (lap.norm(a), lap.norm(a, "fro"), lap.matrix_norm(a), lap.vector_norm(a)):
            within(abs(float(result / np.real(a[0, 0])) - np.sqrt(12)), 12, dtype, "norm")
        within(np.max(np.abs(lap.norm(a, axis=0) / np.real(a[0]) - np.sqrt(3))), 3, dtype, "norms of columns")
    # Only the vectors in need are scaled.
    a = np.array([[1, limits.max], [1, limits.max], [0, 0]], dtype=dtype)
    within(abs(lap.norm(a, axis=0)[0] - np.sqrt(2)), 1, dtype, "norm")
    np.testing.assert_array_equal(lap.norm(a[2:], axis=0), [0, 0])


@pytest.mark.parametrize("order", MATRIX_ORDERS)
def test_a_norm_of_nan_is_nan_and_says_nothing_about_other_matrices(order):
    a = np.stack([matrix(4, 3), matrix(4, 3), matrix(4, 3)])
    a[1, 2, 1] = np.nan
    norms = lap.matrix_norm(a, ord=order)
    assert np.isnan(norms[1])
    np.testing.assert_array_equal(norms[[0, 2]], lap.matrix_norm(a[[0, 2]], ord=order))
    assert np.isnan(lap.norm(a[1], order))
    assert isinstance(lap.norm(a[1], order), np.float64)


def test_the_norm_of_inf_is_inf():
    a = np.ones((3, 2))
    a[1, 1] = np.inf
    for order in (None, "nuc", 1, 2, np.inf):
        assert lap.norm(a, order) == np.inf
    assert np.isnan(lap.norm(a, -2))
    assert lap.vector_norm(a) == np.inf


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3), (0, 2, 2)], ids=str)
@pytest.mark.parametrize("order", MATRIX_ORDERS)
def test_norms_of_empty_matrices_are_numpys(shape, order):
    a = np.zeros(shape)
    try:
        theirs = np.linalg.matrix_norm(a, ord=order)
    except ValueError:
        refuses(lambda: lap.matrix_norm(a, ord=order), lap.ShapeError, "empty")
    else:
        like_numpy(lap.matrix_norm(a, ord=order), theirs, 1, "float64", "norm")


def test_orders_and_axes_that_do_not_exist_are_refused_in_words():
    a = np.ones((2, 3))
    refuses(lambda: lap.norm(a, 3), lap.LapackError, "norm: ord=3 is no norm of matrices")
    refuses(lambda: lap.norm(a, "max"), lap.LapackError, "norm: ord='max' is no norm of matrices")
    refuses(lambda: lap.matrix_norm(a, ord=7), lap.LapackError, "matrix_norm: ord=7")
    refuses(lambda: lap.norm(a[0], "fro"), lap.LapackError, "norm: ord='fro' is no norm of vectors")
    refuses(lambda: lap.norm(a[0], [1, 2]), lap.LapackError, "norm: ord=[1, 2] is no norm of vectors")
    refuses(lambda: lap.norm(a, [1, 2]), lap.LapackError, "norm: ord=[1, 2] is no norm of matrices")
    refuses(lambda: lap.vector_norm(a, ord="nuc"), lap.LapackError, "vector_norm: ord='nuc'")
    refuses(lambda: lap.norm(np.ones((2, 2, 2)), 2), lap.LapackError, "x has 3 dimensions, but norms are of vectors")
    refuses(lambda: lap.matrix_norm(a[0]), lap.ShapeError, "matrix_norm: x has 1 dimension")
    refuses(lambda: lap.norm(np.ma.masked_equal(a, 1)), lap.DTypeError, "norm: x has 6 masked entries")
    for wrong in (2, (0, 2), (0, -3)):
        with pytest.raises(np.exceptions.AxisError):
            lap.norm(a, None, wrong)
    with pytest.raises(ValueError, match="repeated axis"):
        lap.norm(a, None, (0, 0))
    with pytest.raises(TypeError, match="axis must be None"):
        lap.norm(a, None, "rows")


# Condition numbers.


@layouts
@dtypes
@pytest.mark.parametrize("p", [None, 2, -2, "fro", "nuc", 1, -1, np.inf, -np.inf])
def test_condition_numbers_are_numpys(layout, dtype, p):
    for shape in [(1, 1), (4, 4), (2, 3, 5, 5)]:
        a = LAYOUTS[layout](matrix(*shape, dtype=dtype))
        theirs = np.linalg.cond(a, p)
        ours = lap.cond(a, p)
        assert ours.dtype == theirs.dtype
        assert np.shape(ours) == np.shape(theirs)
        # The relative error of a condition number is about the number times eps.
        worst = np.max(np.abs(ours - theirs) / theirs / np.linalg.cond(a))
        within(worst, shape[-1], dtype, "cond")
    if p in (None, 2, -2):
        a = LAYOUTS[layout](matrix(6, 3, dtype=dtype))
        like_numpy(lap.cond(a, p), np.linalg.cond(a, p), 60, dtype, "cond of a tall matrix")


@pytest.mark.parametrize("p", [None, 2, -2, "fro", "nuc", 1, -1, np.inf, -np.inf])
def test_the_condition_number_of_nan_is_nan_and_that_of_a_singular_matrix_inf(p):
    stack = np.stack([np.eye(3), np.eye(3), np.zeros((3, 3)), 2 * np.eye(3)])
    stack[1, 0, 2] = np.nan
    c = lap.cond(stack, p)
    assert np.isnan(c[1])
    assert c[2] == np.inf
    np.testing.assert_allclose(c[[0, 3]], np.linalg.cond(np.eye(3), p))
    assert np.isnan(lap.cond(stack[1], p))
    assert isinstance(lap.cond(stack[1], p), np.float64)


@pytest.mark.parametrize("p", [None, 1, "fro"])
def test_the_condition_number_of_an_ill_conditioned_matrix_comes_without_a_warning(p):
    hilbert = 1 / (np.arange(14)[:, None] + np.arange(14) + 1)
    c, report = lap.cond(hilbert, p, return_report=True)
    assert 1e15 < c < 1e21
    assert report.engine == "cpu"


def test_what_has_no_condition_number_is_refused():
    refuses(lambda: lap.cond(np.zeros((0, 0))), lap.ShapeError, "cond: x is empty")
    refuses(lambda: lap.cond(np.zeros((2, 3, 0))), lap.ShapeError, "cond: x is empty")
    refuses(lambda: lap.cond(np.ones(3)), lap.ShapeError, "cond: x has 1 dimension")
    refuses(lambda: lap.cond(np.ones((2, 3)), 1), lap.ShapeError, "cond: x must be square, not 2 x 3")
    refuses(lambda: lap.cond(np.eye(2), 3), lap.LapackError, "cond: p=3 must be")
    refuses(lambda: lap.cond(np.eye(2), [1]), lap.LapackError, "cond: p=[1] must be")
    refuses(lambda: lap.cond(np.eye(2), "max"), lap.LapackError, "cond: p='max' must be")
    assert lap.cond(np.zeros((0, 2, 2))).shape == np.linalg.cond(np.zeros((0, 2, 2))).shape == (0,)


# Rank.


@layouts
@dtypes
def test_ranks_are_numpys(layout, dtype):
    for m, n, r in [(5, 5, 3), (6, 4, 4), (4, 7, 2), (30, 30, 11), (3, 3, 0)]:
        a = LAYOUTS[layout](np.asarray(matrix(m, r, dtype=dtype) @ matrix(r, n, dtype=dtype, seed=1)))
        assert lap.matrix_rank(a) == np.linalg.matrix_rank(a) == r
        assert type(lap.matrix_rank(a)) is type(np.linalg.matrix_rank(a))
    stack = matrix(4, 5, 5, dtype=dtype)
    stack[1] = 0
    stack[2, :, 3] = stack[2, :, 1]
    np.testing.assert_array_equal(lap.matrix_rank(LAYOUTS[layout](stack)), [5, 0, 4, 5])


@dtypes
def test_bounds_of_the_rank_are_absolute_or_relative_and_one_a_matrix_where_wanted(dtype):
    a = np.broadcast_to(np.diag([4.0, 2, 1, 0.5]), (3, 4, 4)).astype(dtype)
    for tol in (0, 0.7, 2, np.array([0.7, 1.5, 5])):
        np.testing.assert_array_equal(lap.matrix_rank(a, tol), np.linalg.matrix_rank(a, tol))
    for rtol in (0, 0.2, np.array([0.2, 0.3, 1])):
        np.testing.assert_array_equal(lap.matrix_rank(a, rtol=rtol), np.linalg.matrix_rank(a, rtol=rtol))
    b = hermitian(5, 5, dtype=dtype)
    assert lap.matrix_rank(b, hermitian=True) == np.linalg.matrix_rank(b, hermitian=True) == 5


def test_vectors_and_numbers_have_rank_one_unless_zero():
    for value in (0, 3, [0, 0], [0, 1], np.zeros(0), np.zeros((0, 3)), np.zeros((2, 3, 0)), np.float32(0)):
        np.testing.assert_array_equal(lap.matrix_rank(value), np.linalg.matrix_rank(value))


def test_bounds_that_do_not_fit_are_refused():
    refuses(lambda: lap.matrix_rank(np.eye(2), 0.1, rtol=0.1), lap.LapackError, "tol and rtol cannot both be given")
    refuses(lambda: lap.matrix_rank(np.ones((3, 2, 2)), [1, 2]), lap.ShapeError, "the bound has shape (2,)")
    refuses(lambda: lap.matrix_rank(np.ones((3, 2, 2)), rtol=[1, 2]), lap.ShapeError, "the bound has shape (2,)")
    refuses(lambda: lap.matrix_rank(np.eye(2), "x"), lap.LapackError, "matrix_rank: tol='x' must be a number")
    bad = np.ones((3, 2, 2))
    bad[1, 0, 1] = np.nan
    error = refuses(lambda: lap.matrix_rank(bad), lap.NonFiniteError, "matrix_rank: A has NaN at row 0, column 1")
    assert (error.operation, error.argument, error.matrix, error.location) == ("matrix_rank", "A", 1, (0, 1))
