"""Singular value decompositions on the device: accuracy, layouts, batches, faults, memory, what is built on them."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
from helpers import LAYOUTS, eps, matrix, refuses, run_python, within
from on_device import CHOSEN, NAME, NUMBER, computed_there, fault, memory, status

import lapack_py as lap

REAL = pytest.mark.parametrize("dtype", ["float32", "float64"] if CHOSEN.float64 else ["float32"])
SHAPES = [(1, 1), (40, 40), (33, 1), (1, 33), (70, 31), (31, 70), (3, 20, 30), (2, 2, 12, 9)]


def at_host(x):
    return x.numpy() if isinstance(x, lap.DeviceArray) else x


def good(a, u, s, vh, what):
    """Residual, orthogonality and order, in units of max(m, n) eps."""
    u, s, vh = (at_host(x).astype("float64") for x in (u, s, vh))
    side, k = max(a.shape[-2:]), s.shape[-1]
    dtype = a.dtype
    assert np.all(s >= 0)
    assert np.all(np.diff(s, axis=-1) <= 0)
    largest = np.maximum(s.max(axis=-1, initial=0, keepdims=True)[..., None], np.finfo(dtype).tiny)
    rest = (u[..., :k] * s[..., None, :]) @ vh[..., :k, :] - a
    within(np.max(np.linalg.norm(rest / largest, axis=(-2, -1)), initial=0), side, dtype, f"{what}: residual", warn=30)
    for name, q in (("U", u), ("V", np.swapaxes(vh, -1, -2))):
        gram = np.swapaxes(q, -1, -2) @ q - np.eye(q.shape[-1])
        within(np.max(np.abs(gram), initial=0), side, dtype, f"{what}: orthogonality of {name}", warn=30)


@REAL
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_host_and_device_arrays_are_decomposed_there(shape, full, dtype):
    a = matrix(*shape, dtype=dtype)
    right = lap.svdvals(a, gpu=False)
    for given in (a, lap.to_device(a)):
        (u, s, vh), report = lap.svd(given, full, gpu="require", return_report=True)
        computed_there(report)
        assert report.routine == "svd"
        assert (type(u), type(s)) == ((type(given),) * 2)
        m, n = shape[-2:]
        k = min(m, n)
        batch = shape[:-2]
        assert (u.shape, s.shape, vh.shape) == (
            (*batch, m, m if full else k),
            (*batch, k),
            (*batch, n if full else k, n),
        )
        assert u.dtype == s.dtype == vh.dtype == a.dtype
        good(a, u, s, vh, f"{shape}")
        values, report = lap.svdvals(given, gpu="require", return_report=True)
        computed_there(report)
        for found in (at_host(s), at_host(values)):
            within(np.max(np.abs(found - right)) / right.max(), max(m, n), dtype, "values against LAPACK")
        if m == n:
            assert report.rcond == pytest.approx(np.min(right[..., -1] / right[..., 0]), rel=1e3 * eps(dtype) * n)
            assert report.rcond_source == "singular-values"


@REAL
@pytest.mark.parametrize("shape", [(9000, 12), (12, 9000), (2, 8200, 5)])
def test_sides_of_any_length_are_decomposed(shape, dtype):
    a = matrix(*shape, dtype=dtype)
    # Of less than full rank, too.
    a[..., 3] = a[..., 1]
    a[..., 4, :] = 0
    for given in (a, lap.to_device(a)):
        result, report = lap.svd(given, False, gpu="require", return_report=True)
        computed_there(report)
        good(a, *result, f"{shape}")
    right = lap.svdvals(a, gpu=False)
    within(np.max(np.abs(lap.svdvals(a, gpu="require") - right)) / right.max(), max(shape), dtype, "values")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(20, 31), (31, 20), (2, 12, 12)])
def test_every_layout_gives_the_same(layout, shape):
    a = matrix(*shape, dtype="float32")
    u, s, vh = lap.svd(LAYOUTS[layout](a), False, gpu="require")
    good(a, u, s, vh, layout)


def test_views_of_device_arrays_are_decomposed():
    a = matrix(4, 30, 40, dtype="float32")
    x = lap.to_device(a)
    for view, host in (
        (x.mT, np.swapaxes(a, -1, -2)),
        (x[1:3], a[1:3]),
        (x[::2, 3:, ::-1], a[::2, 3:, ::-1]),
        (x[0].T, a[0].T),
    ):
        good(host, *lap.svd(view, False, gpu="require"), "a view")
        good(host, *lap.svd(view, True, gpu="require"), "a view")


def test_empty_matrices_and_batches():
    for shape in ((0, 3), (3, 0), (0, 0), (0, 4, 5), (2, 0, 3)):
        a = np.zeros(shape, "float32")
        right = np.linalg.svd(a)
        for result, report in (
            lap.svd(a, gpu="require", return_report=True),
            lap.svd(lap.to_device(a), return_report=True),
        ):
            assert report.engine in ("cpu", "opencl")
            for got, expected in zip(result, right, strict=True):
                np.testing.assert_array_equal(at_host(got), expected)


def test_the_report_has_times_spans_and_a_reason():
    a = matrix(90, 60, dtype="float32")
    _, report = lap.svd(a, False, gpu="require", return_report=True)
    names = [span[0] for span in report.spans]
    assert names == ["upload", "svd", "download", "download", "download"]
    assert [span[3] for span in report.spans] == [4 * 90 * 60, 0, 4 * 60, 4 * 90 * 60, 4 * 60 * 60]
    starts = [span[1] for span in report.spans]
    assert starts == sorted(starts)
    times = report.times
    assert 0 < times["compute"] < times["total"]
    assert 0 < times["transfer"] < times["total"]
    assert report.reason == "asked for"
    _, report = lap.svd(lap.to_device(a), gpu=True, return_report=True)
    assert report.reason == "the operand lies on the device"
    assert [span[0] for span in report.spans] == ["svd"]


def test_a_nan_is_named_as_by_the_cpu():
    a = matrix(3, 20, 20, dtype="float32")
    a[1, 4, 7] = np.inf
    a[2, 1, 1] = np.nan
    on_cpu = refuses(lambda: lap.svd(a, gpu=False), lap.NonFiniteError, "a has Inf at row 4, column 7")
    for given in (a, lap.to_device(a)):
        error = refuses(lambda given=given: lap.svd(given, gpu="require"), lap.NonFiniteError, "a has Inf at row 4")
        assert str(error) == str(on_cpu)
        assert (error.location, error.matrix, error.failed) == (on_cpu.location, on_cpu.matrix, on_cpu.failed)
    assert status().breaker == "closed"


def test_complex_matrices_are_the_cpus_and_the_report_says_why():
    a = matrix(30, 30, dtype="complex64")
    for given in (a, lap.to_device(a)):
        with pytest.warns(lap.GpuNotUsedWarning, match="complex matrices are decomposed by the CPU"):
            _, report = lap.svd(given, gpu=True, return_report=True)
        assert report.engine == "cpu"
        assert "complex matrices are decomposed by the CPU" in report.reason
        with pytest.raises(lap.GpuUnavailableError, match="complex matrices are decomposed by the CPU"):
            lap.svd(given, gpu="require")


@pytest.mark.parametrize("name", ["allocation", "lost", "timeout"])
def test_after_a_fault_the_cpu_computes_with_a_warning_and_the_reason(name):
    a = matrix(60, 50, dtype="float32")
    lap.svd(a, gpu="require")
    with fault(name), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (u, s, vh), report = lap.svd(a, gpu=True, return_report=True)
    assert (report.engine, report.device, report.spans) == ("cpu", None, [])
    assert report.reason.startswith(f"{NAME} failed: ")
    assert [warning.category for warning in caught] == [lap.GpuNotUsedWarning]
    assert all(np.array_equal(x, y) for x, y in zip((u, s, vh), lap.svd(a, gpu=False), strict=True))
    with fault(name), pytest.raises((lap.GpuError, lap.SizeError)):
        lap.svd(a, gpu="require")
    _, report = lap.svd(a, gpu="require", return_report=True)
    computed_there(report)


def test_a_device_array_that_its_device_fails_on_is_decomposed_by_the_cpu_and_the_factors_go_back():
    a = matrix(2, 40, 30, dtype="float32")
    x = lap.to_device(a)
    with fault("allocation"), pytest.warns(lap.GpuNotUsedWarning, match="svd: computed on the CPU"):
        (u, s, vh), report = lap.svd(x, False, gpu=True, return_report=True)
    assert report.engine == "cpu"
    assert {type(y) for y in (u, s, vh)} == {lap.DeviceArray}
    good(a, u, s, vh, "after a fault")


def test_a_wrong_result_is_found_and_replaced():
    done = run_python(
        """
import warnings
from lapack_py import _native
a = np.random.default_rng(0).standard_normal((50, 40)).astype("float32")
_, report = lap.svd(a, gpu="require", return_report=True)
assert report.verified
for vectors in (True, False):
    for given in (a, lap.to_device(a)):
        # The first opportunity is the iteration's, which has a second method.
        _native.inject_fault("wrong", 2)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result, report = lap.svd(given, compute_uv=vectors, gpu=True, return_report=True)
        assert [w.message.code for w in caught] == ["LAP-W002"]
        assert "gave a wrong SVD" in report.reason and report.engine == "cpu" and not report.verified, report.reason
        s = result.S if vectors else result
        s = s.numpy() if isinstance(s, lap.DeviceArray) else s
        assert np.array_equal(s, lap.svd(a, compute_uv=vectors, gpu=False)[1] if vectors else lap.svdvals(a, gpu=False))
        _, report = lap.svd(a, gpu="require", return_report=True)
        assert report.engine == "opencl" and report.verified
print("good")
""",
        LAPACK_GPU_VERIFY="full",
        LAPACK_GPU_DEVICE=str(NUMBER),
        timeout=120,
    )
    assert done.stdout == "good\n", done.stdout + done.stderr


def test_a_matrix_that_does_not_fit_is_known_before_and_the_cpu_has_it():
    a = matrix(300, 300, dtype="float32")
    with memory(2_000_000):
        error = refuses(lambda: lap.svd(a, gpu="require"), lap.GpuUnavailableError, "the decomposition needs 0.0")
        assert f"and {NAME} has 0.00" in str(error)
        with pytest.warns(lap.GpuNotUsedWarning, match="the decomposition needs"):
            _, report = lap.svd(a, gpu=True, return_report=True)
        assert report.engine == "cpu"
    assert status().breaker == "closed"
    _, report = lap.svd(a, gpu="require", return_report=True)
    computed_there(report)


def test_small_matrices_are_the_cpus_and_the_choice_has_numbers():
    small = matrix(20, 20)
    for given in (small, lap.to_device(small) if CHOSEN.float64 else small):
        _, report = lap.svd(given, return_report=True)
        assert report.engine == "cpu"
        assert report.reason.startswith("too small to be worth a GPU")
    explained = lap.explain_dispatch("svd", (2000, 2000), "float32")
    assert explained.prediction["gpu"] > 0
    assert explained.prediction["cpu"] > 0
    # A and its copy, and six matrices of its order.
    assert explained.memory_needed == pytest.approx(8 * 4 * 2000**2, rel=0.02)
    assert lap.explain_dispatch("svdvals", (2000, 2000), "float32").memory_needed < explained.memory_needed / 3


def test_batches_of_small_matrices_are_left_to_the_cpu():
    _, report = lap.svd(matrix(200, 16, 16, dtype="float32"), return_report=True)
    assert report.engine == "cpu"
    assert report.prediction["gpu"] > report.prediction["cpu"]


def test_a_long_decomposition_can_be_ended():
    done = run_python(
        f"""
import os, signal, threading, time
os.environ["LAPACK_GPU_DEVICE"] = "{NUMBER}"
a = np.random.default_rng(0).standard_normal((1500, 1500)).astype("float32")
lap.svd(a[:50, :50], gpu="require")
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
started = time.perf_counter()
try:
    # Again and again, since a fast device is done before the signal comes.
    while True:
        lap.svd(a, gpu="require")
except KeyboardInterrupt:
    assert time.perf_counter() - started < 3
# The device goes on.
(u, s, vh), report = lap.svd(a[:60, :60], gpu="require", return_report=True)
assert report.engine == "opencl"
print("good")
""",
        timeout=120,
    )
    assert done.stdout == "good\n", done.stdout + done.stderr


def test_threads_may_decompose_at_the_same_time():
    a = [matrix(50, 40, dtype="float32", seed=seed) for seed in range(4)]
    results = [None] * 4

    def work(index):
        results[index] = lap.svd(a[index], False, gpu="require", return_report=True)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for matrix_of, (result, report) in zip(a, results, strict=True):
        computed_there(report)
        good(matrix_of, *result, "a thread")


@REAL
@pytest.mark.parametrize("shape", [(90, 50), (50, 90), (2, 60, 40)])
def test_the_randomised_decomposition_runs_there(shape, dtype):
    # Of rank 5, with noise far below what is kept.
    a = (matrix(*shape[:-1], 5) @ matrix(*shape[:-2], 5, shape[-1], seed=1)).astype(dtype)
    exact = lap.svdvals(a, gpu=False)[..., :5]
    (u, s, vh), report = lap.randomized_svd(a, 5, random_state=0, gpu="require", return_report=True)
    computed_there(report)
    assert type(u) is np.ndarray
    within(np.max(np.abs(s - exact)) / exact.max(), max(shape[-2:]), dtype, "values")
    rest = np.linalg.norm((u * s[..., None, :]) @ vh - a, axis=(-2, -1))
    within(np.max(rest) / exact.max(), max(shape[-2:]), dtype, "residual", warn=30)


@REAL
def test_principal_components_are_found_there(dtype):
    x = (matrix(400, 8, dtype=dtype) * np.arange(1, 9)).astype(dtype)
    fit, report = lap.pca(x, 3, gpu="require", return_report=True)
    computed_there(report)
    assert fit.svd_solver == "full"
    right = lap.pca(x, 3, svd_solver="full", gpu=False)
    within(np.max(np.abs(fit.components - right.components)), 4000, dtype, "components")
    np.testing.assert_allclose(fit.explained_variance, right.explained_variance, rtol=4000 * eps(dtype))
    # Complex data are the CPU's.
    with pytest.warns(lap.GpuNotUsedWarning):
        lap.pca(x + 1j * x[::-1], 3, svd_solver="full", gpu=True)


def test_a_long_decomposition_tells_how_far_it_is():
    a = np.random.default_rng(3).standard_normal((900, 900)).astype("float32")
    told = []
    with lap.progress(lambda *news: told.append(news)):
        computed_there(lap.svd(a, gpu="require", return_report=True)[1])
        in_the_block = len(told)
        lap.svdvals(np.eye(3), gpu=False)
    computed_there(lap.svd(a, gpu="require", return_report=True)[1])
    assert len(told) == in_the_block, "told outside of the block, or by a short call"
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(set(fractions)), "it never goes back and is told once"
    assert all(0 < fraction <= 1 for fraction in fractions)
    if CHOSEN.is_cpu:
        # Slow enough for the phases to be seen; a GPU is done before anybody asks.
        assert "vectors" in {what for _, what in told}


def test_an_exception_of_the_function_that_is_told_ends_the_call_and_the_next_one_works():
    a = np.random.default_rng(3).standard_normal((900, 900)).astype("float32")

    def broken(fraction, what):
        raise RuntimeError(f"enough at {what}")

    if CHOSEN.is_cpu:
        with pytest.raises(RuntimeError, match="enough at"), lap.progress(broken):
            lap.svd(a, gpu="require")
    assert lap.svdvals(a[:5, :5], gpu="require").shape == (5,)
