"""What follows when a device fails: the CPU's result, a warning, a reason; the circuit breaker; checks of results."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from helpers import DTYPES, matrix, refuses, run_python
from on_device import CHOSEN, NAME, NUMBER, computed_there, fault, product, same_product, status

import lapack_py as lap
from lapack_py import _native

REASONS = {
    "allocation": "the device refused",
    "lost": "the device stopped answering",
    "timeout": "a command did not end in time",
}


@pytest.mark.parametrize("name", REASONS)
def test_after_a_fault_the_cpu_computes_with_a_warning_and_the_reason(name):
    a, b = matrix(60, 50), matrix(50, 40, seed=1)
    product(a, b)
    with fault(name), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        c, report = lap.matmul(a, b, gpu=True, return_report=True)
    assert (report.engine, report.device, report.verified, report.spans) == ("cpu", None, False, [])
    assert report.reason.startswith(f"{NAME} failed: ")
    assert REASONS[name] in report.reason
    [warning] = caught
    assert warning.category is lap.GpuNotUsedWarning
    assert warning.message.code == "LAP-W002"
    assert report.reason in str(warning.message)
    assert warning.message.cause == "the CPU stepped in"
    assert warning.filename == __file__
    np.testing.assert_array_equal(c, lap.matmul(a, b, gpu=False))
    # Opened anew where it was lost, the device works again.
    same_product(product(a, b), a, b, f"after {name}")


@pytest.mark.parametrize("name", REASONS)
def test_a_required_device_that_fails_is_an_error(name):
    a = matrix(30, 30)
    product(a, a)
    kind = lap.SizeError if name == "allocation" else lap.GpuError
    with fault(name):
        error = refuses(lambda: lap.matmul(a, a, gpu="require"), kind, REASONS[name])
    assert error.operation == "matmul"
    assert error.code == ("LAP-E033" if name == "allocation" else "LAP-E041")
    assert isinstance(error, MemoryError if name == "allocation" else RuntimeError)
    same_product(product(a, a), a, a, f"after {name}")


def test_a_kernel_that_cannot_be_built_is_a_fault_like_others(tmp_path):
    code = """
import warnings
from lapack_py import _native
a = np.ones((20, 20))
# A product may have several kernels to fall back to.
_native.inject_fault("build", 20)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    c, report = lap.matmul(a, a, gpu=True, return_report=True)
assert report.engine == "cpu" and "could not be built" in report.reason, report.reason
assert [w.message.code for w in caught] == ["LAP-W002"]
assert (c == 20).all()
_native.inject_fault("build", 20)
try:
    lap.matmul(a, a, gpu="require")
except lap.GpuError as error:
    assert error.code == "LAP-E041" and "could not be built" in str(error)
else:
    raise AssertionError
_native.inject_fault("build", 0)
c, report = lap.matmul(a, a, gpu="require", return_report=True)
assert report.engine == "opencl" and (c == 20).all()
print("good")
"""
    done = run_python(code, LAPACK_AI_CACHE_DIR=str(tmp_path))
    assert done.stdout == "good\n", done.stderr


def test_where_no_gpu_was_asked_for_a_fault_is_told_too():
    # In the report and as a warning: the call took longer than it had to, and somebody should look at the device.
    a = matrix(60, 50)
    with fault("allocation"), pytest.warns(lap.GpuNotUsedWarning, match="failed: the device refused"):
        lap.matmul(a, a.T, device=NUMBER)


def test_where_memory_is_short_the_cpu_multiplies_device_arrays_and_the_product_goes_back():
    a = matrix(40, 40)
    x = lap.to_device(a)
    with fault("allocation"), pytest.warns(lap.GpuNotUsedWarning, match="failed: the device refused"):
        c, report = lap.matmul(x, x, return_report=True)
    assert (report.engine, report.device, report.spans) == ("cpu", None, [])
    assert f"{NAME} failed: the device refused" in report.reason
    assert type(c) is lap.DeviceArray
    np.testing.assert_array_equal(c.numpy(), lap.matmul(a, a, gpu=False))
    with fault("allocation"):
        refuses(lambda: lap.matmul(x, x, gpu="require"), lap.SizeError, "the device refused")
    c, report = lap.matmul(x, x, return_report=True)
    computed_there(report)


@pytest.mark.parametrize("name", ["lost", "timeout"])
def test_what_was_on_a_lost_device_is_lost_and_the_error_says_why(name):
    a = matrix(40, 40)
    x = lap.to_device(a)
    with fault(name):
        # A product that is timed waits for its kernel.
        refuses(lambda: lap.matmul(x, x, return_report=True), lap.GpuError, REASONS[name])
    y = lap.to_device(a)
    c, report = lap.matmul(y, y, return_report=True)
    computed_there(report)
    same_product(c.numpy(), a, a, f"after {name}")


def test_a_fault_in_to_device_is_an_error_in_words():
    with fault("allocation"):
        refuses(lambda: lap.to_device(np.eye(3)), lap.SizeError, "to_device: the device refused")
    with fault("timeout", 10):
        refuses(lambda: lap.to_device(matrix(500, 500)), lap.GpuError, "did not end in time")
    np.testing.assert_array_equal(lap.to_device(np.eye(3)).numpy(), np.eye(3))


def test_arrays_of_a_lost_device_say_so_and_new_ones_work():
    x = lap.to_device(np.eye(3))
    with fault("lost"):
        refuses(lambda: x.norm(), lap.GpuError, "the device stopped answering")
    refuses(lambda: x.numpy(), lap.GpuError, f"{NAME} was lost before")
    refuses(lambda: x + x, lap.GpuError, "was lost before")
    y = lap.to_device(np.eye(3))
    refuses(lambda: x + y, lap.LapackError, "")
    np.testing.assert_array_equal((y + y).numpy(), 2 * np.eye(3))
    _native.close_breaker(NUMBER)


# The circuit breaker.


def test_after_five_failures_in_a_row_the_device_is_left_alone_until_it_is_closed():
    a = matrix(20, 20)
    product(a, a)
    with fault("allocation", 5), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(5):
            assert status().breaker == "closed"
            assert "injected" in lap.matmul(a, a, gpu=True, return_report=True)[1].reason
        device = status()
        assert device.breaker.startswith("open, next try in ")
        assert 290 < float(device.breaker.split()[-2]) <= 300
        assert "the device refused" in device.last_failure
        assert "breaker open, next try in" in str(device)
        c, report = lap.matmul(a, a, gpu=True, return_report=True)
        assert report.engine == "cpu"
        for text in (f"{NAME} failed too often", "the device refused", "breaker open, next try in"):
            assert text in report.reason
        np.testing.assert_array_equal(c, lap.matmul(a, a, gpu=False))
        refuses(lambda: lap.matmul(a, a, gpu="require"), lap.GpuUnavailableError, "failed too often")
        refuses(lambda: lap.to_device(a), lap.GpuUnavailableError, "failed too often")
        _native.close_breaker(NUMBER)
        assert status().breaker == "closed"
    assert "the device refused" in status().last_failure, "it outlives the failure"
    same_product(product(a, a), a, a, "after the breaker was closed")


def test_a_success_in_between_starts_the_count_anew():
    a = matrix(20, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            with fault("allocation", 3):
                for _ in range(3):
                    lap.matmul(a, a, gpu=True)
                product(a, a)
    assert status().breaker == "closed"


def test_errors_of_the_caller_do_not_count_against_the_device():
    for _ in range(10):
        refuses(lambda: lap.matmul(np.ones((2, 3)), np.ones((2, 3)), gpu="require"), lap.ShapeError, "2")
        refuses(lambda: lap.to_device(np.eye(2)) @ lap.to_device(np.ones((3, 3))), lap.ShapeError, "3")
    assert status().breaker == "closed"


def test_the_settings_of_the_breaker_are_honoured():
    code = f"""
import time, warnings
from lapack_py import _native
warnings.simplefilter("ignore")
a = np.ones((20, 20))
def engine():
    return lap.matmul(a, a, gpu=True, return_report=True)[1].engine
def breaker():
    return lap.devices()[{NUMBER}].breaker
assert engine() == "opencl"
_native.inject_fault("allocation", 2)
print(engine(), breaker())
print(engine(), breaker())
print(engine(), breaker())
time.sleep(1.1)
print(breaker())
print(engine(), breaker())
"""
    done = run_python(code, LAPACK_GPU_BREAKER_FAILURES="2", LAPACK_GPU_BREAKER_SECONDS="1")
    assert done.stdout.splitlines() == [
        "cpu closed",
        "cpu open, next try in 1 s",
        "cpu open, next try in 1 s",
        "half-open",
        "opencl closed",
    ], done.stderr


def test_a_command_that_takes_longer_than_the_setting_allows_is_a_time_out():
    # Products that are waited for together: more than a second of them on any device.
    order, count = (1500, 2000) if CHOSEN.is_cpu else (6000, 300)
    code = f"""
import os, time, warnings
warnings.simplefilter("ignore")
x = lap.to_device(np.ones(({order}, {order})))
y = x
for _ in range({count}):
    y = y @ x
started = time.monotonic()
try:
    y.numpy()
except lap.GpuError as error:
    print(error)
print(time.monotonic() - started < 60, flush=True)
os._exit(0)
"""
    done = run_python(code, timeout=120, LAPACK_GPU_TIMEOUT_SECONDS="1", LAPACK_GPU_VERIFY="off")
    error, soon = done.stdout.splitlines()
    assert f"a command on {NAME} did not end in 1.0 s" in error, done.stderr
    assert soon == "True"


# Checks of results.

VERIFY = """
import warnings
from lapack_py import _native
warnings.simplefilter("ignore")
a = np.random.default_rng(0).standard_normal((64, 64)).astype("{dtype}")
wrong = found = verified = 0
for call in range(20):
    _native.inject_fault("wrong", 1)
    c, report = lap.matmul(a, a, gpu=True, return_report=True)
    _native.inject_fault("wrong", 0)
    _native.close_breaker({number})
    if report.engine == "cpu":
        found += 1
        assert "gave a wrong product: " in report.reason and "is off by" in report.reason, report.reason
    else:
        verified += report.verified
    wrong += not np.allclose(c, a @ a, rtol=1e-3, atol=1e-3)
for call in range(20):
    c, report = lap.matmul(a, a, gpu="require", return_report=True)
    assert np.allclose(c, a @ a, rtol=1e-3, atol=1e-3)
    verified += report.verified
x = lap.to_device(a)
_native.inject_fault("wrong", 1)
c, report = lap.matmul(x, x, return_report=True)
on_device = report.engine
print(found, wrong, verified, on_device)
"""


@pytest.mark.parametrize("dtype", DTYPES)
def test_with_full_verification_a_wrong_result_is_always_found(dtype):
    done = run_python(VERIFY.format(dtype=dtype, number=NUMBER), LAPACK_GPU_VERIFY="full")
    assert done.stdout.split() == ["20", "0", "20", "cpu"], done.stderr


def test_without_verification_nothing_is_checked():
    done = run_python(VERIFY.format(dtype="float64", number=NUMBER), LAPACK_GPU_VERIFY="off")
    assert done.stdout.split() == ["0", "20", "0", "opencl"], done.stderr


def test_with_sampling_the_first_result_is_checked_and_a_part_of_the_others():
    done = run_python(VERIFY.format(dtype="float64", number=NUMBER), LAPACK_GPU_VERIFY="sample")
    found, wrong, *_ = map(str, done.stdout.split())
    assert int(found) >= 1, done.stderr
    assert int(found) + int(wrong) == 20


def test_full_verification_finds_one_wrong_matrix_of_a_batch_and_lets_right_ones_pass():
    code = """
import warnings
from lapack_py import _native
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
stack = (50, 20, 30)
pairs = [(stack, (50, 30, 10)), (stack, (30, 10)), ((1, 3), (3, 1)), ((2000, 300), (300, 1500)), (stack, (30, 4))]
for shape, other in pairs:
    a, b = rng.standard_normal(shape), rng.standard_normal(other)
    c, report = lap.matmul(a, b, gpu="require", return_report=True)
    assert report.verified and np.allclose(c, a @ b)
    _native.inject_fault("wrong", 1)
    c, report = lap.matmul(a, b, gpu=True, return_report=True)
    assert report.engine == "cpu" and "gave a wrong product: row" in report.reason, report.reason
    assert np.allclose(c, a @ b)
a[3, 4], b[0, 0] = np.nan, np.inf
c, report = lap.matmul(a, b, gpu="require", return_report=True)
assert report.verified and np.isnan(c[3, 4]).all() and np.isnan(c[3]).sum() == 4
print("good")
"""
    done = run_python(code, LAPACK_GPU_VERIFY="full")
    assert done.stdout == "good\n", done.stderr


def test_a_wrong_result_where_the_device_is_required_is_an_error():
    code = """
from lapack_py import _native
a = np.ones((30, 30))
_native.inject_fault("wrong", 1)
try:
    lap.matmul(a, a, gpu="require")
except lap.GpuError as error:
    assert error.code == "LAP-E041" and "gave a wrong product" in str(error)
    print("good")
"""
    done = run_python(code, LAPACK_GPU_VERIFY="full")
    assert done.stdout == "good\n", done.stderr


def test_unknown_faults_are_refused():
    refuses(lambda: _native.inject_fault("fire", 1), lap.LapackError, "name='fire' must be allocation, build, lost")
