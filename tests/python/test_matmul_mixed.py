"""Products of 16-bit arrays on the CPU, and the keywords that choose types: against sums in double."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from helpers import LAYOUTS, matrix, refuses

import lapack_py as lap

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
HALVES = [np.dtype(np.float16), BFLOAT16]
EPS = float(np.finfo(np.float32).eps)
halves = pytest.mark.parametrize("dtype", HALVES, ids=str)


def in_bounds(c, a, b, what=""):
    """Whether every element is within k eps of its sum of moduli, and half a unit of its own type."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    exact, moduli = a @ b, np.abs(a) @ np.abs(b)
    allowed = (a.shape[-1] + 2) * EPS * moduli
    if c.dtype != np.float32:
        allowed += np.abs(exact) * float(ml_dtypes.finfo(c.dtype).eps) / 2 + float(
            ml_dtypes.finfo(c.dtype).smallest_subnormal
        )
    error = np.abs(c.astype(np.float64) - exact)
    assert np.shape(c) == np.shape(exact), what
    assert np.all(error <= allowed), (what, np.max(error / np.where(allowed == 0, 1, allowed)))


@halves
@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_have_their_operands_type_and_are_rounded_once(dtype, layout):
    for shapes in [
        ((5, 7), (7, 3)),
        ((3, 20, 30), (30, 10)),
        ((2, 1, 6, 4), (3, 4, 8)),
        ((40, 0), (0, 3)),
        ((0, 2, 3), (3, 4)),
    ]:
        a, b = (matrix(*shape, seed=i).astype(dtype) for i, shape in enumerate(shapes))
        a, b = LAYOUTS[layout](a), LAYOUTS[layout](b)
        c, report = lap.matmul(a, b, gpu=False, return_report=True)
        assert c.dtype == dtype
        in_bounds(c, a, b, str(shapes))
        assert (report.engine, report.dtype, report.routine) == ("cpu", dtype.name, "gemm")
        assert f"{dtype.name} was widened to float32 for the CPU, and the product rounded" in report.reason


@halves
def test_vectors_are_rows_and_columns_and_two_of_them_give_a_number(dtype):
    a, x, y = matrix(6, 5).astype(dtype), matrix(5, seed=1).astype(dtype), matrix(6, seed=2).astype(dtype)
    assert lap.matmul(a, x).shape == (6,)
    assert lap.matmul(y, a).shape == (5,)
    assert lap.matmul(matrix(4, 6, 5).astype(dtype), x).shape == (4, 6)
    number = lap.matmul(x, x)
    assert number.shape == ()
    assert number.dtype == dtype
    in_bounds(np.asarray(number).reshape(1, 1), x[None, :], x[:, None])


@halves
def test_the_sums_themselves_are_given_to_who_asks_for_float32(dtype):
    a, b = matrix(20, 300).astype(dtype), matrix(300, 30, seed=1).astype(dtype)
    sums = lap.matmul(a, b, dtype=np.float32, gpu=False)
    assert sums.dtype == np.float32
    in_bounds(sums, a, b)
    out = np.empty((20, 30), np.float32)
    assert lap.matmul(a, b, out=out, gpu=False) is out
    np.testing.assert_array_equal(out, sums)
    # Rounded, they are the product.
    np.testing.assert_array_equal(sums.astype(dtype), lap.matmul(a, b, gpu=False))
    own = np.empty((20, 30), dtype)
    assert lap.matmul(a, b, own, gpu=False) is own
    np.testing.assert_array_equal(own, sums.astype(dtype))


def test_types_of_two_operands_are_promoted_as_numpy_promotes_them():
    for left in [*HALVES, "float32", "float64", "complex64", "int8", "int32", "bool"]:
        for right in HALVES:
            if (left, right) == ("int32", BFLOAT16):
                # NumPy has no type for the two.
                refuses(
                    lambda: lap.matmul(np.ones((3, 4), "int32"), np.ones((4, 2), BFLOAT16)), lap.DTypeError, "bfloat16"
                )
                continue
            a, b = np.ones((3, 4), left), np.ones((4, 2), right)
            both = {np.dtype(left).name, right.name} == {"float16", "bfloat16"}
            expected = np.dtype("float32") if both else np.result_type(a, b)
            for c in (lap.matmul(a, b), lap.matmul(b.T, a.T)):
                assert c.dtype == expected, (left, right)
                assert np.all(c == 4)


def test_dtype_casts_the_operands_as_numpy_does():
    a, b = matrix(5, 6, dtype="float32"), matrix(6, 4, dtype="float32", seed=1)
    for dtype in ("float64", "complex64", np.complex128):
        c = lap.matmul(a, b, dtype=dtype)
        assert c.dtype == dtype
        np.testing.assert_allclose(c, np.matmul(a, b, dtype=dtype), rtol=1e-5, atol=1e-6)
    low = lap.matmul(a, b, dtype="float16")
    assert low.dtype == np.float16
    in_bounds(low, a.astype("float16"), b.astype("float16"))
    assert lap.matmul(a, b, dtype="bfloat16").dtype == BFLOAT16
    refuses(lambda: lap.matmul(a * 1j, b, dtype="float32"), lap.LapackError, "is no type for a product of complex64")
    refuses(lambda: lap.matmul(a, b, dtype="int32"), lap.LapackError, "dtype=int32 is no type for a product")
    refuses(lambda: lap.matmul(a, b, dtype="kilograms"), lap.LapackError, "is no type of numbers")


@halves
def test_nan_inf_and_overflow_are_what_they_are_for_ieee(dtype):
    a = np.eye(3).astype(dtype)
    a[0, 1], a[1, 1] = np.nan, np.inf
    c = lap.matmul(a, np.eye(3).astype(dtype), gpu=False)
    assert np.isnan(c[0]).all()
    assert np.isnan(c[1, 0])
    assert c[1, 1] == np.inf
    np.testing.assert_array_equal(c[2], [0, 0, 1])
    large = np.full((1, 1), 300, dtype)
    assert lap.matmul(large, large)[0, 0] == (np.inf if dtype == np.float16 else np.asarray(90000).astype(dtype))
    assert lap.matmul(large, large, dtype="float32")[0, 0] == 90000


@halves
def test_shapes_that_do_not_fit_are_refused_in_words(dtype):
    a = np.ones((3, 4), dtype)
    refuses(lambda: lap.matmul(a, a), lap.ShapeError, "needs 4 rows, not 3")
    refuses(
        lambda: lap.matmul(np.ones((2, 3, 4), dtype), np.ones((3, 4, 2), dtype)), lap.ShapeError, "do not fit together"
    )


@halves
def test_other_byte_orders_and_lists_are_read(dtype):
    a = matrix(4, 4).astype(np.float16)
    np.testing.assert_array_equal(lap.matmul(a.astype(">f2"), a), lap.matmul(a, a))
    rows = [list(row) for row in a.astype(dtype)]
    in_bounds(lap.matmul(a.astype(dtype), a.astype(dtype)), a.astype(dtype), a.astype(dtype))
    if dtype == np.float16:
        np.testing.assert_array_equal(lap.matmul(rows, a), lap.matmul(a, a))


def test_tf32_does_nothing_on_the_cpu_and_the_report_says_so():
    a = matrix(30, 30, dtype="float32")
    c, report = lap.matmul(a, a, precision="tf32", gpu=False, return_report=True)
    np.testing.assert_array_equal(c, lap.matmul(a, a, gpu=False))
    assert "not in TF32, which the CPU does not have" in report.reason
    _, report = lap.matmul(a, a, precision="float32", gpu=False, return_report=True)
    assert "TF32" not in report.reason
    _, report = lap.matmul(a.astype("float64"), a, precision="tf32", gpu=False, return_report=True)
    assert "TF32" not in report.reason
    refuses(lambda: lap.matmul(a, a, precision="half"), lap.LapackError, "precision='half' must be 'float32' or 'tf32'")


@halves
def test_every_other_operation_refuses_16_bits(dtype):
    refuses(lambda: lap.svd(np.eye(3).astype(dtype)), lap.DTypeError, f"has dtype {dtype.name}. Fix: convert it")
