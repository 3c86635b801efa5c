"""Where a product goes and in which type: `out=` with NumPy's rules, and the types of mixed operands."""

from __future__ import annotations

import inspect
import re
import tracemalloc
from typing import Any

import numpy as np
import pytest
from helpers import DTYPES, LAYOUTS, matrix, norm, refuses, within

import lapack_py as lap

KINDS = ["?", "b", "h", "i", "q", "Q", "e", "f", "d", "g", "F", "D", "G"]
dtypes = pytest.mark.parametrize("dtype", DTYPES)
layouts = pytest.mark.parametrize("layout", LAYOUTS)
SHAPES = [
    ((1, 1), (1, 1)),
    ((5, 3), (3, 4)),
    ((40, 30), (30, 50)),
    ((3, 5, 4), (3, 4, 2)),
    ((2, 1, 4, 4), (3, 4, 4)),
    ((4, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 4, 3), (3,)),
    ((0, 3), (3, 4)),
    ((4, 0), (0, 3)),
]
shapes = pytest.mark.parametrize(("left", "right"), SHAPES, ids=str)


def operands(left, right, dtype):
    """Normally distributed, of one or more dimensions."""
    a = matrix(*left, 1, dtype=dtype)[..., 0]
    b = matrix(*right, 1, dtype=dtype, seed=1)[..., 0]
    return a, b


def is_product(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    exact = np.matmul(a.astype(np.clongdouble), b.astype(np.clongdouble))
    assert c.shape == exact.shape
    scale = np.linalg.norm(a) * np.linalg.norm(b) or 1.0
    within(np.linalg.norm((c - exact).astype("complex128")) / scale, a.shape[-1], c.dtype, "A B")


# Where it goes.


@dtypes
@layouts
@shapes
def test_the_product_is_written_into_out_whatever_its_layout_and_out_is_returned(dtype, layout, left, right):
    a, b = operands(left, right, dtype)
    room = np.full(np.matmul(a, b).shape, 7, dtype=dtype)
    c = LAYOUTS[layout](room) if room.ndim > 1 else np.full(2 * len(room), 7, dtype=dtype)[::2]
    assert lap.matmul(a, b, out=c) is c
    is_product(c, a, b)


@layouts
def test_only_the_elements_of_out_are_written(layout):
    a, b = matrix(5, 3), matrix(3, 4)
    c = LAYOUTS[layout](np.full((5, 4), 7.0))
    owner = c if c.base is None else c.base
    while owner.base is not None:
        owner = owner.base
    touched = np.zeros(owner.shape, dtype=bool)
    np.lib.stride_tricks.as_strided(
        touched.reshape(-1)[(c.ctypes.data - owner.ctypes.data) // 8 :],
        c.shape,
        tuple(stride // 8 for stride in c.strides),
    )[...] = True
    lap.matmul(a, b, out=c)
    np.testing.assert_array_equal(owner[~touched], 7.0)
    assert not np.any(owner[touched] == 7.0)


@shapes
def test_out_and_a_new_array_hold_the_same_bits(left, right):
    a, b = operands(left, right, "float64")
    expected = lap.matmul(a, b)
    np.testing.assert_array_equal(lap.matmul(a, b, out=np.empty_like(expected)), expected)


def test_out_may_be_a_tuple_of_one_array_or_none_as_for_every_ufunc():
    a = matrix(4, 4)
    c = np.empty((4, 4))
    assert lap.matmul(a, a, out=(c,)) is c
    is_product(c, a, a)
    is_product(lap.matmul(a, a, out=None), a, a)


def test_the_report_comes_with_out_itself():
    a, c = matrix(4, 4), np.empty((4, 4))
    result, report = lap.matmul(a, a, out=c, return_report=True)
    assert result is c
    assert report.operation == "matmul"
    assert report.copies == 0


def test_a_fitting_out_needs_no_memory_of_its_own():
    n = 500
    a, c = matrix(n, n), np.empty((n, n))
    tracemalloc.start()
    lap.matmul(a, a, out=c)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * n, "a temporary of the size of the product"


def test_out_of_a_subclass_is_written_and_returned_as_it_is():
    a, c = matrix(3, 3), np.empty((3, 3)).view(np.recarray)
    assert lap.matmul(a, a, out=c) is c
    is_product(np.asarray(c), a, a)


# Where it goes is also where it comes from.

OVERLAPS = {
    "the left operand": lambda a, b: a,
    "the right operand": lambda a, b: b,
    "the left operand transposed": lambda a, b: a.T,
    "the right operand backwards": lambda a, b: b[::-1, ::-1],
}


@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("n", [3, 64])
@dtypes
def test_out_may_be_an_operand(name, n, dtype):
    a, b = matrix(n, n, dtype=dtype), matrix(n, n, dtype=dtype, seed=1)
    before = a.copy(), b.copy()
    c = OVERLAPS[name](a, b)
    assert lap.matmul(a, b, out=c) is c
    is_product(c, *before)


@pytest.mark.parametrize("shift", [1, 5, 31])
def test_out_may_overlap_a_part_of_an_operand(shift):
    n = 6
    memory = matrix(1, 3 * n * n)[0]
    a, c = memory[: n * n].reshape(n, n), memory[shift : shift + n * n].reshape(n, n)
    b, before = matrix(n, n, seed=1), memory[: n * n].reshape(n, n).copy()
    lap.matmul(a, b, out=c)
    is_product(c, before, b)


def test_out_may_be_one_matrix_of_a_batch_or_the_batch_itself():
    batch = matrix(4, 5, 5)
    before = batch.copy()
    lap.matmul(batch[1], batch[2], out=batch[1])
    is_product(batch[1], before[1], before[2])
    before = batch.copy()
    lap.matmul(batch, batch[0], out=batch)
    is_product(batch, before, before[0])


# What out cannot be.


@pytest.mark.parametrize("shape", [(5, 5), (4, 5), (5,), (), (2, 5, 4), (20,), (5, 1)], ids=str)
def test_an_out_of_another_shape_is_refused(shape):
    a, b = matrix(5, 3), matrix(3, 4)
    c = np.full(shape, 7.0)
    error = refuses(lambda: lap.matmul(a, b, out=c), lap.ShapeError, "out")
    assert re.search("5(, | x )4", str(error)), "the shape that out needs"
    assert error.argument == "out"
    np.testing.assert_array_equal(c, 7.0)


def test_a_batch_does_not_go_into_one_matrix():
    refuses(lambda: lap.matmul(matrix(3, 4, 4), matrix(4, 4), out=np.empty((4, 4))), lap.ShapeError, "out")
    refuses(lambda: lap.matmul(matrix(3, 4, 4), matrix(4, 4), out=np.empty((2, 4, 4))), lap.ShapeError, "out")


@pytest.mark.parametrize("computed", ["e", "f", "d", "g", "F", "D", "q", "?"])
@pytest.mark.parametrize("target", [*KINDS, "O"])
def test_out_of_another_type_is_written_or_refused_by_numpys_rule_of_casting(computed, target):
    a = np.abs(matrix(4, 4)).astype(computed)
    c = np.full((4, 4), 7).astype(target)
    try:
        reference = np.matmul(a, a, out=np.empty_like(c))
    except TypeError:
        error = refuses(lambda: lap.matmul(a, a, out=c), lap.DTypeError, "out")
        assert str(c.dtype) in str(error)
        assert isinstance(error, TypeError)
        assert (c == np.full((4, 4), 7).astype(target)).all()
    else:
        assert lap.matmul(a, a, out=c) is c
        difference = np.abs(np.asarray(c - reference if target != "?" else c ^ reference, dtype="clongdouble"))
        coarser = max(
            (np.dtype(kind) for kind in (computed, target) if kind in "efdgFDG"), key=coarseness, default=None
        )
        assert difference.max() <= (0 if coarser is None else 40 * np.finfo(coarser).eps * np.abs(reference).max())


def coarseness(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).eps)


def test_an_out_that_must_not_be_written_is_refused():
    a, c = matrix(3, 3), np.full((3, 3), 7.0)
    c.flags.writeable = False
    error = refuses(lambda: lap.matmul(a, a, out=c), lap.LapackError, "out is read-only")
    assert isinstance(error, ValueError)
    np.testing.assert_array_equal(c, 7.0)


@pytest.mark.parametrize("out", [[[0.0]], "text", 3.0, (np.empty((1, 1)), None), ()], ids=str)
def test_an_out_that_is_no_array_is_a_type_error(out):
    with pytest.raises((TypeError, ValueError), match="out"):
        lap.matmul(np.eye(1), np.eye(1), out=out)


def test_out_is_the_third_argument_as_numpys():
    parameters = inspect.signature(lap.matmul).parameters
    assert list(parameters)[:3] == ["x1", "x2", "out"]
    assert parameters["out"].default is None
    a, c = matrix(3, 3), np.empty((3, 3))
    assert lap.matmul(a, a, c) is c
    assert np.matmul(a, a, c) is c


# Its type.


@pytest.mark.parametrize("left", KINDS)
@pytest.mark.parametrize("right", KINDS)
def test_the_product_of_every_pair_of_types_has_numpys_type_and_value(left, right):
    a, b = np.abs(matrix(4, 3)).astype(left), np.abs(matrix(3, 2, seed=1)).astype(right)
    ours, theirs = lap.matmul(a, b), np.matmul(a, b)
    assert ours.dtype == theirs.dtype
    if ours.dtype.kind in "fc":
        within(
            norm(np.abs(ours - theirs).astype("float64")) / norm(np.abs(theirs).astype("float64")), 3, ours.dtype, "A B"
        )
    else:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["e", "g", "b", "q"])
def test_such_products_go_into_out_too(kind):
    a, b = np.abs(matrix(4, 4)).astype(kind), np.abs(matrix(4, 4, seed=1)).astype("f")
    c = np.empty((4, 4), dtype=np.matmul(a, b).dtype)
    assert lap.matmul(a, b, out=c) is c
    np.testing.assert_allclose(c.astype("float64"), np.matmul(a, b).astype("float64"), rtol=1e-3)


def test_an_object_operand_makes_an_object_product():
    a, b = np.array([[2, 3]], dtype=object), np.array([[0.5], [0.25]])
    np.testing.assert_array_equal(lap.matmul(a, b), np.matmul(a, b))
    assert lap.matmul(a, b).dtype == object


# Chains of products.


@dtypes
def test_the_last_product_of_a_chain_is_written_into_out(dtype):
    chain = [matrix(6, 3, dtype=dtype), matrix(3, 9, dtype=dtype, seed=1), matrix(9, 4, dtype=dtype, seed=2)]
    c = np.empty((6, 4), dtype=dtype)
    assert lap.multi_dot(chain, out=c) is c
    scale = np.prod([norm(factor) for factor in chain])
    within(norm(c - np.linalg.multi_dot(chain)) / scale, 9, dtype, "A B C")
