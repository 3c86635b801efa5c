"""Products of 16-bit arrays on the device, of the host and of its own, against sums in double."""

from __future__ import annotations

import warnings

import ml_dtypes
import numpy as np
import pytest
from helpers import LAYOUTS, matrix, refuses, run_python
from on_device import NAME, NUMBER, computed_there, memory, product

import lapack_py as lap

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
EPS = float(np.finfo(np.float32).eps)
halves = pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)


def in_bounds(c, a, b, what=""):
    """Whether every element is within k eps of its sum of moduli, and half a unit of its own type."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    exact, moduli = a @ b, np.abs(a) @ np.abs(b)
    allowed = (a.shape[-1] + 2) * EPS * moduli
    if c.dtype != np.float32:
        info = ml_dtypes.finfo(c.dtype)
        allowed += np.abs(exact) * float(info.eps) / 2 + float(info.smallest_subnormal)
    assert np.shape(c) == np.shape(exact), what
    assert np.all(np.abs(c.astype(np.float64) - exact) <= allowed), what


@halves
@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_are_within_their_bound_in_every_layout_and_have_their_operands_type(dtype, layout):
    for shapes in [
        ((5, 7), (7, 3)),
        ((3, 40, 50), (50, 60)),
        ((2, 1, 6, 4), (3, 4, 8)),
        ((4, 0), (0, 3)),
        ((0, 2, 3), (3, 4)),
    ]:
        a, b = (LAYOUTS[layout](matrix(*shape, seed=i).astype(dtype)) for i, shape in enumerate(shapes))
        c = product(a, b)
        assert c.dtype == dtype
        in_bounds(c, a, b, str(shapes))
        sums = product(a, b, dtype="float32")
        assert sums.dtype == np.float32
        in_bounds(sums, a, b, str(shapes))


@halves
def test_arrays_on_the_device_stay_what_they_are(dtype):
    a, b = matrix(3, 20, 30).astype(dtype), matrix(30, 10, seed=1).astype(dtype)
    x, y = lap.to_device(a, NUMBER), lap.to_device(b, NUMBER)
    assert (x.dtype, x.nbytes, x.shape) == (dtype, a.nbytes, a.shape)
    for there, here in [
        (x, a),
        (x.mT, a.mT),
        (x[1:, ::2], a[1:, ::2]),
        (x[0], a[0]),
        (x.copy(), a),
        (x.reshape(60, 30), a.reshape(60, 30)),
    ]:
        back = there.numpy()
        assert back.dtype == dtype
        np.testing.assert_array_equal(back, here)
    c, report = lap.matmul(x, y, return_report=True)
    computed_there(report)
    assert report.dtype == dtype.name
    assert c.dtype == dtype
    in_bounds(c.numpy(), a, b)
    in_bounds((x @ b).numpy(), a, b)
    in_bounds((y.T @ x.mT).numpy(), b.T, a.mT)
    sums = lap.matmul(x, y, dtype="float32")
    assert sums.dtype == np.float32
    in_bounds(sums.numpy(), a, b)
    vector = lap.to_device(b[:, 0], NUMBER)
    assert (x @ vector).shape == (3, 20)
    assert lap.to_device(np.asarray(b[0, 0]), NUMBER).numpy() == b[0, 0]


@halves
def test_two_types_on_the_device_are_promoted_as_numpy_promotes_them(dtype):
    a = matrix(4, 5).astype(dtype)
    x = lap.to_device(a, NUMBER)
    for other in ("float32", "float64", "complex64"):
        b = matrix(5, 3, dtype=other)
        for right in (b, lap.to_device(b, NUMBER)):
            c = x @ right
            assert c.dtype == np.result_type(a, b)
            np.testing.assert_allclose(c.numpy(), a.astype(other) @ b, rtol=1e-5, atol=1e-5)
    assert (x @ np.ones((5, 2), BFLOAT16 if dtype == np.float16 else np.float16)).dtype == np.float32


@halves
def test_what_16_bits_are_not_for_is_refused_in_words(dtype):
    x = lap.to_device(np.eye(3).astype(dtype), NUMBER)
    for call in (lambda: 2 * x, lambda: x + x, lambda: x - x, lambda: x.norm()):
        refuses(call, lap.DTypeError, f"arrays of {dtype.name} on a device are for products only. Fix: convert it")
    refuses(lambda: lap.svd(x), lap.DTypeError, f"has dtype {dtype.name}")
    refuses(
        lambda: lap.matmul(x, x, dtype="float64"),
        lap.LapackError,
        "dtype=float64 is not the type of a product on a device",
    )


@halves
def test_a_batch_that_does_not_fit_goes_in_runs(dtype):
    a, b = matrix(40, 64, 64).astype(dtype), matrix(40, 64, 64, seed=1).astype(dtype)
    lap.trim()
    with memory(400_000), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        c, report = lap.matmul(a, b, gpu="require", return_report=True)
        lap.trim()
    computed_there(report)
    assert report.chunks > 1
    assert any("computed in" in str(warning.message) for warning in caught)
    in_bounds(c, a, b)


WRONG = """
import warnings
import ml_dtypes
from lapack_py import _native
warnings.simplefilter("ignore")
a = np.random.default_rng(0).standard_normal((50, 40)).astype(np.dtype({dtype!r}))
for left in (a, lap.to_device(a, {number})):
    for dtype in (None, "float32"):
        _native.inject_fault("wrong", 1)
        c, report = lap.matmul(left, a.T, dtype=dtype, device={number}, return_report=True)
        _native.close_breaker({number})
        c = c if left is a else c.numpy()
        right = lap.matmul(a, a.T, dtype=dtype, gpu=False)
        same = np.allclose(c.astype(float), right.astype(float), 1e-2, 1e-2)
        print(report.engine, "gave a wrong product" in report.reason, c.dtype == right.dtype, same)
        c, report = lap.matmul(left, a.T, dtype=dtype, device={number}, return_report=True)
        print(report.engine, report.verified)
"""


@halves
def test_a_wrong_result_is_found_and_replaced_by_the_cpus(dtype):
    done = run_python(WRONG.format(dtype=dtype.name, number=NUMBER), LAPACK_GPU_VERIFY="full")
    assert done.stdout.splitlines() == ["cpu True True True", "opencl True"] * 4, done.stderr


def test_tf32_is_taken_only_where_it_is_asked_for_and_the_report_says_what_became_of_it():
    a, b = matrix(70, 80, dtype="float32"), matrix(80, 60, dtype="float32", seed=1)
    x = lap.to_device(a, NUMBER)
    for left in (a, x):
        plain, report = lap.matmul(left, b, gpu="require", return_report=True)
        assert "TF32" not in report.reason
        rough, report = lap.matmul(left, b, gpu="require", precision="tf32", return_report=True)
        computed_there(report)
        used = report.reason.endswith("; in TF32")
        assert used or report.reason.endswith(f"; not in TF32, which {NAME} does not have")
        plain, rough = (c if left is a else c.numpy() for c in (plain, rough))
        assert rough.dtype == np.float32
        assert np.array_equal(plain, rough) != used
        moduli = np.abs(a).astype(np.float64) @ np.abs(b)
        assert np.all(np.abs(rough - a.astype(np.float64) @ b) <= (2**-10 * used + 82 * EPS) * moduli)
