"""`dgemm_alpha` on the device: every algorithm, what chooses it, its bound, its memory, and what it refuses."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from helpers import LAYOUTS, eps, matrix, refuses, run_python, within
from on_device import NAME, NUMBER, computed_there, fault, memory, status

import lapack_py as lap

SCHEMES = ("strassen", "winograd", "alphatensor", "rank48")
REAL = pytest.mark.parametrize("dtype", ["float32", "float64"])
SUMS = ("gemm_fast_sums_a", "gemm_fast_sums_b", "gemm_fast_combine")


def there(a, b, c=None, **keywords):
    """The result of operands that go to the device, by the device; and the report."""
    there = [None if x is None else lap.to_device(x) for x in (a, b, c)]
    result, report = lap.dgemm_alpha(*there, return_report=True, **keywords)
    assert type(result) is lap.DeviceArray
    computed_there(report)
    return result.numpy(), report


def kernels(report):
    return [name for name, *_ in report.spans]


def bound(report):
    return float(re.search(r"error bound ([\d.e+]+)$", report.reason).group(1))


def right_up_to_the_bound(result, report, a, b, before=0.0, *, alpha=1.0, what=""):
    """In units of the bound that the report has, and as accurate as a product of random matrices is."""
    product = a.astype("longdouble") @ b.astype("longdouble")
    error = np.max(np.abs(result - (alpha * product + before)))
    size = abs(alpha) * np.max(np.abs(a)) * np.max(np.abs(b))
    rounding = 3 * np.max(np.abs(alpha * product) + np.abs(before))
    assert error <= eps(result.dtype) / 2 * (bound(report) * size + rounding), what
    within(error / (size + np.max(np.abs(before))), a.shape[-1], result.dtype, what)


@REAL
@pytest.mark.parametrize("algorithm", ["classical", *SCHEMES])
def test_every_algorithm_computes_there_for_all_transposes_and_factors(algorithm, dtype):
    a, b, c = matrix(75, 70, dtype=dtype), matrix(70, 66, dtype=dtype, seed=1), matrix(75, 66, dtype=dtype, seed=2)
    for (trans_a, trans_b), (alpha, beta) in zip(
        itertools.product([False, True], repeat=2), [(1.0, 0.0), (-1.0, 1.0), (0.5, -2.0), (2.0, 0.0)], strict=True
    ):
        x, y = a.T if trans_a else a, b.T if trans_b else b
        keywords = {"alpha": alpha, "beta": beta, "trans_a": trans_a, "trans_b": trans_b}
        result, report = there(x, y, c if beta else None, algorithm=algorithm, **keywords)
        assert (report.algorithm, result.dtype, result.shape) == (algorithm, np.dtype(dtype), (75, 66))
        assert report.reason.startswith("asked for; ")
        ran = kernels(report)
        assert all((name in ran) == (algorithm != "classical") for name in SUMS), ran
        if algorithm != "classical":
            assert re.search(rf"{algorithm} on [123] levels?, \d\.\d+ GB of workspace, ", report.reason), report.reason
        right_up_to_the_bound(result, report, a, b, beta * c, alpha=alpha, what=f"{algorithm} {keywords}")


@REAL
def test_views_batches_and_repeated_matrices_are_multiplied_and_c_is_left_alone(dtype):
    a, b, c = (
        matrix(2, 3, 40, 36, dtype=dtype),
        matrix(36, 44, dtype=dtype, seed=1),
        matrix(3, 40, 44, dtype=dtype, seed=2),
    )
    on_device = lap.to_device(c)
    result = lap.dgemm_alpha(lap.to_device(a), lap.to_device(b), on_device, beta=1.0, algorithm="strassen")
    np.testing.assert_array_equal(on_device.numpy(), c)
    assert result.shape == (2, 3, 40, 44)
    within(np.max(np.abs(result.numpy() - (a @ b + c))) / 60, 36, dtype, "a batch")
    for layout in LAYOUTS.values():
        x = lap.to_device(layout(a))
        result = lap.dgemm_alpha(x[:, ::-1].mT, lap.to_device(matrix(40, 8, dtype=dtype)), algorithm="winograd")
        right = np.swapaxes(a[:, ::-1], -1, -2) @ matrix(40, 8, dtype=dtype)
        within(np.max(np.abs(result.numpy() - right)) / 60, 40, dtype, "views")


def test_one_operand_on_the_device_takes_the_others_there_and_types_are_unified():
    a, b = matrix(30, 20, dtype="float32"), matrix(20, 25, seed=1)
    for x, y in ((lap.to_device(a), b), (a, lap.to_device(b)), (lap.to_device(a), lap.to_device(b))):
        result, report = lap.dgemm_alpha(x, y, algorithm="strassen", return_report=True)
        computed_there(report)
        assert (type(result), result.dtype) == (lap.DeviceArray, np.dtype("float64"))
        within(np.max(np.abs(result.numpy() - a.astype("float64") @ b)) / 20, 20, "float64", "mixed")


def test_alphatensors_scheme_takes_4_x_4_matrices_as_numbers_and_others_are_too_small_for_blocks():
    a, b = matrix(50, 4, 4), matrix(50, 4, 4, seed=1)
    result, report = there(a, b, algorithm="alphatensor")
    assert (report.algorithm, "gemm_alphatensor" in kernels(report), bound(report)) == ("alphatensor", True, 2461)
    within(np.max(np.abs(result - a @ b)) / 20, 4, "float64", "alphatensor")
    _, report = there(a, b, algorithm="rank48")
    assert report.algorithm == "classical"
    assert "rank48 has no blocks in such small matrices" in report.reason


def test_accuracy_takes_levels_away_then_refuses_the_algorithm():
    a, b = matrix(300, 300), matrix(300, 300, seed=1)
    two_levels = 80 * (1251.5 - 148) + 148 * (80 * 80 + 7 * 80)
    result, report = there(a, b, algorithm="rank48", accuracy=two_levels)
    assert (report.algorithm, bound(report)) == ("rank48", two_levels)
    assert "rank48 on 2 levels" in report.reason
    right_up_to_the_bound(result, report, a, b)
    x = lap.to_device(a)
    text = f"algorithm 'rank48' has the error bound {two_levels:g}"
    refuses(lambda: lap.dgemm_alpha(x, x, algorithm="rank48", accuracy=two_levels - 1), lap.LapackError, text[:40])
    _, report = there(a, b, accuracy=300 * 300)
    assert (report.algorithm, bound(report)) == ("classical", 300 * 300)
    error = refuses(lambda: lap.dgemm_alpha(x, x, accuracy=89_999), lap.LapackError, "90000")
    assert error.code == "LAP-E005"


def test_auto_takes_a_scheme_only_where_the_model_expects_it_to_be_faster():
    a, b = matrix(1100, 1050, dtype="float32"), matrix(1050, 1070, dtype="float32", seed=1)
    result, report = there(a, b)
    predicted = re.search(r"([\d.]+) ms predicted, ([\d.]+) ms by the definition", report.reason)
    assert (report.algorithm == "classical") == (predicted is None), report.reason
    assert (report.algorithm != "classical") == ("gemm_fast_combine" in kernels(report))
    if predicted:
        assert float(predicted[1]) * 1.03 <= float(predicted[2]) + 0.001
    right_up_to_the_bound(result, report, a, b)
    # The strict accuracy of the definition takes the definition.
    _, report = there(a, b, accuracy=1050**2)
    assert (report.algorithm, report.reason) == (
        "classical",
        f"the fastest within the accuracy asked for; the definition, error bound {1050**2}",
    )
    _, report = there(matrix(50, 50), matrix(50, 50))
    assert (report.algorithm, report.reason) == ("classical", "the fastest; the definition, error bound 2500")


def test_with_little_memory_there_are_parts_then_the_definition():
    a = np.round(matrix(256, 256, dtype="float32") * 4)
    x = lap.to_device(a)
    seen = []
    for megabytes in (20, 1.9, 0.45):
        lap.trim()
        with memory(int(status().pool["used"] + megabytes * 1e6)):
            result, report = lap.dgemm_alpha(x, x, algorithm="alphatensor", return_report=True)
            computed_there(report)
            np.testing.assert_array_equal(result.numpy(), a @ a)
            workspace = re.search(r"([\d.]+) GB of workspace", report.reason)
            seen.append(float(workspace[1]) * 1e3 if workspace else 0.0)
            assert seen[-1] < megabytes
            del result
    assert seen[0] > seen[1] > seen[2]
    assert seen[-1] == 0


@pytest.mark.parametrize("algorithm", ["strassen", "classical"])
def test_a_device_that_fails_is_stood_in_for_or_an_error(algorithm):
    a = matrix(70, 70)
    x = lap.to_device(a)
    lap.dgemm_alpha(x, x, algorithm=algorithm)
    with fault("allocation"):
        call = lambda: lap.dgemm_alpha(x, x, algorithm=algorithm, gpu="require")  # noqa: E731
        refuses(call, lap.SizeError, "the device refused")
    with fault("allocation"), pytest.warns(lap.GpuNotUsedWarning):
        result, report = lap.dgemm_alpha(x, x, algorithm=algorithm, return_report=True)
    assert (report.engine, report.algorithm, report.device) == ("cpu", algorithm, None)
    assert report.reason.startswith(f"{NAME} failed: ")
    within(np.max(np.abs(result.numpy() - a @ a)) / 90, 70, "float64", "stood in")


@pytest.mark.parametrize("algorithm", ["strassen", "rank48", "classical"])
def test_wrong_results_are_found_and_nan_is_none(algorithm):
    code = f"""
import warnings
from lapack_py import _native
warnings.simplefilter("ignore")
a = np.random.default_rng(0).standard_normal((70, 70))
x = lap.to_device(a)
for alpha in (1.0, -0.01):
    c, report = lap.dgemm_alpha(x, x, alpha=alpha, algorithm="{algorithm}", gpu="require", return_report=True)
    assert report.verified and np.allclose(c.numpy(), alpha * (a @ a)), report.reason
    _native.inject_fault("wrong", 1)
    c, report = lap.dgemm_alpha(x, x, alpha=alpha, algorithm="{algorithm}", return_report=True)
    assert report.engine == "cpu" and "gave a wrong product: element" in report.reason, report.reason
    assert np.allclose(c.numpy(), alpha * (a @ a))
    _native.close_breaker({NUMBER})
a[3, 5] = np.nan
x = lap.to_device(a)
c, report = lap.dgemm_alpha(x, x, algorithm="{algorithm}", gpu="require", return_report=True)
assert report.verified and np.isnan(c.numpy()[3]).all()
print("good")
"""
    done = run_python(code, LAPACK_GPU_VERIFY="full")
    assert done.stdout == "good\n", done.stderr


def test_the_cpu_that_steps_in_updates_c_as_the_device_would():
    a, c = matrix(2, 30, 30), matrix(30, 30, seed=2)
    x, y = lap.to_device(a), lap.to_device(c)
    with fault("allocation"), pytest.warns(lap.GpuNotUsedWarning):
        result, report = lap.dgemm_alpha(x, x, y, alpha=-1.0, beta=2.0, trans_a=True, return_report=True)
    assert report.engine == "cpu"
    within(np.max(np.abs(result.numpy() - (2 * c - np.swapaxes(a, -1, -2) @ a))) / 90, 30, "float64", "stepped in")


def test_matrices_of_the_host_go_there_when_asked_to_and_come_back():
    a, b, c = matrix(70, 60), matrix(60, 50, seed=1), matrix(70, 50, seed=2)
    result, report = lap.dgemm_alpha(a, b, c, beta=1.0, algorithm="strassen", gpu="require", return_report=True)
    computed_there(report)
    assert type(result) is np.ndarray
    right_up_to_the_bound(result, report, a, b, c)
    out = np.empty((70, 50))
    assert lap.dgemm_alpha(a, b, out=out, gpu="require") is out
    within(np.max(np.abs(out - a @ b)) / 60, 60, "float64", "out")
    for keywords in ({}, {"gpu": False}, {"gpu": "auto"}):
        _, report = lap.dgemm_alpha(a, b, return_report=True, **keywords)
        assert report.engine == "cpu"


def test_what_does_not_fit_is_refused_in_words():
    x, y = lap.to_device(matrix(6, 5)), lap.to_device(matrix(6, 5))
    refuses(lambda: lap.dgemm_alpha(x, y), lap.ShapeError, "op(a) has 5 columns, so op(b) needs 5 rows, not 6")
    refuses(lambda: lap.dgemm_alpha(x, y, x, beta=1.0, trans_b=True), lap.ShapeError, "c is 6 x 5, the product 6 x 6")
    refuses(lambda: lap.dgemm_alpha(x, y, beta=1.0), lap.LapackError, "needs c")
    refuses(lambda: lap.dgemm_alpha(x, y, trans_b=True, out=np.empty((6, 6))), lap.LapackError, "out cannot be given")
    z = lap.to_device(matrix(5, 5, dtype="complex128"))
    refuses(lambda: lap.dgemm_alpha(x, z), lap.LapackError, "complex128")
    refuses(lambda: lap.dgemm_alpha(lap.to_device(np.ones(5)), x), lap.LapackError, "two dimensions")
    refuses(
        lambda: lap.dgemm_alpha(lap.to_device(matrix(2, 4, 4)), lap.to_device(matrix(3, 4, 4))), lap.ShapeError, "[2]"
    )
