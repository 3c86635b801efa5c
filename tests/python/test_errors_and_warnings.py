"""Errors and warnings as Python's; observers, reports, settings, threads, forks."""

from __future__ import annotations

import copy
import json
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from helpers import adjoint, matrix, norm, positive, refuses, run_python, well_conditioned, within

import lapack_py as lap

FIELDS = {
    "code", "severity", "summary", "operation", "argument", "position", "routine", "info", "rcond", "cause", "fixes",
    "matrix", "failed", "location",
}  # fmt: skip


def error_of(call: Any) -> lap.LapackError:
    with pytest.raises(lap.LapackError) as caught:
        call()
    return caught.value


def nearly_singular(distance: float = 1e-17, n: int = 12) -> np.ndarray:
    """Triangular, so that elimination changes nothing and rcond is distance / n exactly."""
    a = np.triu(np.ones((n, n)))
    a[-1, -1] = distance
    return a


ERRORS = {
    "non-finite": lambda: lap.svd([[1.0, float("nan")]]),
    "shape": lambda: lap.cholesky(np.ones((2, 3))),
    "dtype": lambda: lap.svd("text"),
    "option": lambda: lap.qr(np.eye(2), mode="thin"),
    "singular": lambda: lap.solve(np.zeros((2, 2)), np.ones(2)),
    "singular in a batch": lambda: lap.solve(np.zeros((3, 2, 2)), np.ones((2, 1))),
    "not positive definite": lambda: lap.cholesky(-np.eye(2)),
    "size": lambda: lap.matmul(*[np.broadcast_to(1.0, (10**8, 10**8))] * 2),
    "GPU": lambda: lap.svd(np.eye(2), gpu="require"),
}
CLASSES = {
    "non-finite": (lap.NonFiniteError, "LAP-E001"),
    "shape": (lap.ShapeError, "LAP-E003"),
    "dtype": (lap.DTypeError, "LAP-E004"),
    "option": (lap.LapackError, "LAP-E005"),
    "singular": (lap.SingularMatrixError, "LAP-E010"),
    "singular in a batch": (lap.SingularMatrixError, "LAP-E010"),
    "not positive definite": (lap.NotPositiveDefiniteError, "LAP-E011"),
    "size": (lap.SizeError, "LAP-E033"),
    "GPU": (lap.GpuUnavailableError, "LAP-E040"),
}


def test_errors_are_also_what_python_programs_already_catch():
    for name in lap.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(lap, name), lap.LapackError)
    assert issubclass(lap.LapackError, np.linalg.LinAlgError)
    assert issubclass(lap.LapackError, ValueError)
    assert issubclass(lap.DTypeError, TypeError)
    assert issubclass(lap.SizeError, MemoryError)
    assert issubclass(lap.ProviderError, OSError)
    assert issubclass(lap.GpuUnavailableError, RuntimeError)


@pytest.mark.parametrize("name", ERRORS)
def test_errors_have_their_class_their_code_and_every_field(name):
    error = error_of(ERRORS[name])
    kind, code = CLASSES[name]
    assert type(error) is kind
    assert error.code == code
    assert vars(error).keys() >= FIELDS
    assert error.severity == "error"
    assert error.args == (str(error),)


def test_fields_say_what_lapack_said_and_which_argument_is_meant():
    error = error_of(ERRORS["not positive definite"])
    assert (error.routine, error.info, error.argument, error.position) == ("dpotrf", 1, "a", 0)
    assert "dpotrf returned INFO = 1" in error.report()
    error = error_of(lambda: lap.solve(np.zeros((2, 2), "float32"), np.ones(2, "float32")))
    assert (error.routine, error.info, error.rcond) == ("sgetrf", 1, 0.0)
    error = error_of(lambda: lap.solve(np.eye(2), np.ones(3)))
    assert (error.argument, error.position) == ("b", 1)


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_errors_survive_copying_and_pickling(name, duplicate):
    error = error_of(ERRORS[name])
    error.hint = "added later"
    other = duplicate(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)
    assert other.report() == error.report()


def test_warnings_survive_copying_and_pickling():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            lap.svd(np.eye(2), gpu=True)
    warning = caught[1].message
    for other in (copy.copy(warning), pickle.loads(pickle.dumps(warning))):
        assert type(other) is type(warning)
        assert (str(other), other.count) == (str(warning), warning.count)
        assert vars(other) == vars(warning)
        assert other.report() == warning.report()


def test_an_error_keeps_the_error_that_caused_it():
    error = error_of(lambda: lap.svd([[1.0], [1.0, 2.0]]))
    assert isinstance(error.__cause__, ValueError)
    assert "inhomogeneous" in str(error.__cause__)


# Warnings.


def ill_conditioned(distances: list[float]) -> list[Any]:
    """The warnings that one line gives when it solves one system after the other."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for distance in distances:
            lap.solve(nearly_singular(distance), np.ones(12))
    return caught


def test_warnings_are_those_that_programs_for_scipy_filter_already():
    assert issubclass(lap.LapackWarning, scipy.linalg.LinAlgWarning)
    assert issubclass(lap.IllConditionedWarning, scipy.linalg.LinAlgWarning)
    assert issubclass(lap.GpuNotUsedWarning, lap.LapackWarning)
    assert issubclass(lap.DriverFallbackWarning, RuntimeWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
        lap.solve(nearly_singular(), np.ones(12))


def test_an_ill_conditioned_system_gives_a_result_and_a_warning_with_rcond():
    a = nearly_singular()
    with pytest.warns(lap.IllConditionedWarning, match=r"rcond [0-9.]+e-1[5-9]: .*\[LAP-W001\]") as caught:
        x, report = lap.solve(a, np.ones(12), return_report=True)
    assert np.all(np.isfinite(x))
    message = caught[0].message
    assert message.rcond == report.rcond
    assert 0 < report.rcond < np.finfo(float).eps
    assert report.warnings == [str(message).split(" (")[0]]
    assert (message.severity, message.operation, message.count) == ("warning", "solve", 1)
    assert message.report().startswith("LAP-W001")


def test_a_warning_is_attributed_to_the_line_of_the_call():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        first = sys._getframe().f_lineno + 1
        lap.solve(nearly_singular(), np.ones(12))
        lap.svd(np.eye(2), gpu=True)
        lap.svd(np.eye(2), gpu=True, hermitian=True)
    assert [entry.filename for entry in caught] == [__file__] * 3
    assert [entry.lineno for entry in caught] == [first, first + 1, first + 2]


def test_a_line_warns_once_by_default_although_rcond_differs():
    caught = ill_conditioned([1e-17, 2e-17, 5e-18])
    assert len(caught) == 1
    assert caught[0].message.count == 1


def test_another_line_warns_again():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            lap.solve(nearly_singular(), np.ones(12))
            lap.solve(nearly_singular(2e-17), np.ones(12))
    assert len(caught) == 2
    assert caught[0].lineno + 1 == caught[1].lineno


def test_new_filters_let_a_line_warn_once_more_and_not_at_every_call():
    def ask() -> None:
        lap.svd(np.eye(2), gpu=True)

    shown = []
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            for _ in range(4):
                ask()
        shown.append(len(caught))
    assert shown == [1, 1]


def test_every_call_warns_under_always_and_says_how_often_it_happened():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            lap.solve(nearly_singular(), np.ones(12))
    assert [entry.message.count for entry in caught] == [1, 2, 3]
    assert "(3 times at this line)" in str(caught[2].message)


def test_a_warning_becomes_an_error_under_error_with_all_its_fields():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(lap.IllConditionedWarning) as caught:
                lap.solve(nearly_singular(), np.ones(12))
    assert caught.value.code == "LAP-W001"
    assert caught.value.fixes


def test_warning_counts_count_all_and_keep_the_worst_rcond():
    rconds = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for distance in [1e-17, 1e-18, 3e-17, 1e-17]:
            _, report = lap.solve(nearly_singular(distance), np.ones(12), return_report=True)
            rconds.append(report.rcond)
    [shown] = caught
    [counted] = [c for c in lap.warning_counts() if (c["file"], c["line"]) == (shown.filename, shown.lineno)]
    assert len(set(rconds)) > 1
    assert (counted["code"], counted["count"], counted["worst_rcond"]) == ("LAP-W001", 4, min(rconds))


def test_the_members_of_a_batch_that_are_ill_conditioned_are_listed_in_one_warning():
    stack = np.stack([well_conditioned(12, 12), nearly_singular(), well_conditioned(12, 12), nearly_singular()])
    with pytest.warns(lap.IllConditionedWarning, match=r"of 4") as caught:
        _, report = lap.solve(stack, np.ones((12, 1)), return_report=True)
    assert len(caught) == 1
    assert caught[0].message.failed == [1, 3]
    assert report.rcond_matrix == caught[0].message.matrix


def test_a_call_that_no_python_code_made_still_warns():
    done = run_python("""
import _thread, time
_thread.start_new_thread(lap.svd, (np.eye(2),), {"gpu": True})
while not lap.warning_counts():
    time.sleep(0.01)
time.sleep(0.1)
""")
    assert "<sys>:0: GpuNotUsedWarning" in done.stderr
    assert "Traceback" not in done.stderr


# Engines.


def test_a_wanted_gpu_that_is_not_used_warns_once_with_the_reason_and_the_cpu_computes():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            s, report = lap.svd(np.diag([2.0, 1.0]), compute_uv=False, gpu=True, return_report=True)
    [warning] = caught
    assert warning.category is lap.GpuNotUsedWarning
    assert report.reason in str(warning.message)
    assert warning.message.cause
    assert report.engine == "cpu"
    np.testing.assert_array_equal(s, [2.0, 1.0])


def test_a_required_gpu_that_cannot_be_used_is_an_error():
    for keywords in ({"gpu": "require"}, {"gpu": "require", "device": "gpu"}):
        with pytest.raises(lap.GpuUnavailableError, match="a GPU is required, but") as caught:
            lap.svd(np.eye(2), **keywords)
        assert caught.value.cause


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"gpu": False},
        {"gpu": "auto"},
        {"gpu": None},
        {"device": "cpu"},
        {"device": "auto"},
        {"gpu": False, "device": "cpu"},
    ],
    ids=str,
)
def test_no_gpu_asked_for_no_word_about_it(keywords):
    _, report = lap.svd(np.eye(2), **keywords, return_report=True)
    assert report.engine == "cpu"
    assert report.reason
    assert report.warnings == []


def test_the_reason_is_that_of_the_call():
    small, large = np.eye(8), np.ones((128, 128))
    for call, reason in (
        (lambda **k: lap.qr(small, **k), "this operation has no GPU kernel yet"),
        (lambda **k: lap.svd(small, **k), "too small to be worth a GPU"),
        (lambda **k: lap.svd(large, **k), "no GPU was found"),
        (lambda **k: lap.svd(small + 0j, **k), "complex matrices are decomposed by the CPU"),
        (lambda **k: lap.matmul(small, small, **k), "too small to be worth a GPU"),
        (lambda **k: lap.matmul(large, large, **k), "no GPU was found"),
        (lambda **k: lap.matmul(large, large, gpu=False, **k), "asked for"),
        (lambda **k: lap.svd(small, device="cpu", **k), "asked for"),
    ):
        _, report = call(return_report=True)
        assert (report.engine, report.reason, report.prediction) == ("cpu", reason, None)


def test_where_no_gpu_is_found_device_arrays_cannot_be_made():
    refuses(lambda: lap.to_device(np.eye(2)), lap.GpuUnavailableError, "to_device: ")
    assert not any(device.chosen for device in lap.devices())
    explained = lap.explain_dispatch("matmul", (500, 500, 500))
    assert (explained.engine, explained.device, explained.measured) == ("cpu", None, False)
    assert explained.prediction["cpu"] > 0
    assert explained.prediction["gpu"] is None


# Reports and observers.

CALLS = {
    "svd": lambda **kw: lap.svd(np.eye(3), **kw),
    "svdvals": lambda **kw: lap.svdvals(np.eye(3), **kw),
    "solve": lambda **kw: lap.solve(np.eye(3), np.ones(3), **kw),
    "lstsq": lambda **kw: lap.lstsq(np.eye(3), np.ones(3), **kw),
    "eigh": lambda **kw: lap.eigh(np.eye(3), **kw),
    "eigvalsh": lambda **kw: lap.eigvalsh(np.eye(3), **kw),
    "qr": lambda **kw: lap.qr(np.eye(3), **kw),
    "qr, raw": lambda **kw: lap.qr(np.eye(3), "raw", **kw),
    "cholesky": lambda **kw: lap.cholesky(np.eye(3), **kw),
    "matmul": lambda **kw: lap.matmul(np.eye(3), np.eye(3), **kw),
    "svd, hermitian": lambda **kw: lap.svd(np.eye(3), hermitian=True, **kw),
    "svd, hermitian, values only": lambda **kw: lap.svd(np.eye(3), hermitian=True, compute_uv=False, **kw),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_report_comes_beside_the_result_and_says_what_was_done(name):
    alone = CALLS[name]()
    result, report = CALLS[name](return_report=True)
    assert type(result) is type(alone)
    assert isinstance(report, lap.Report)
    assert (report.dtype, report.shape, report.engine) == ("float64", (1, 3, 3), "cpu")
    assert report.operation in name or name in {"svdvals", "eigvalsh"} or "hermitian" in name
    assert report.routine
    assert report.workers == 1
    assert report.bytes_copied == report.copies * 9 * 8
    times = report.times
    assert set(times) == {"total", "intake", "compute", "transfer", "conditioning"}
    assert times["transfer"] == 0
    assert (report.device, report.chunks, report.verified, report.spans) == (None, 1, False, [])
    assert 0 < times["compute"] <= times["total"] < 10
    for text in (report.operation, report.routine, "cpu", "float64"):
        assert text in repr(report)


def test_the_report_of_a_solve_knows_the_conditioning():
    a = np.diag([1.0, 1e-3, 1.0] * 4)
    _, report = lap.solve(a, np.ones(12), assume_a="gen", return_report=True)
    assert report.rcond_source in {"probe", "estimator"}
    assert 1e-5 < report.rcond < 1e-1
    _, report = lap.solve(a, np.ones(12), assume_a="diagonal", return_report=True)
    assert (report.rcond, report.rcond_source) == (1e-3, "diagonal")
    _, report = lap.svd(a, return_report=True)
    assert report.rcond_source == "singular-values"
    within(abs(report.rcond - 1e-3) / 1e-3, 12, "float64", "rcond")


def test_observers_are_told_of_every_call_and_of_every_failure():
    seen: list[tuple[Any, Any]] = []
    with lap.observe(lambda report, error: seen.append((report, error))):
        for call in CALLS.values():
            call()
        with pytest.raises(lap.SingularMatrixError) as caught:
            lap.solve(np.zeros((2, 2)), np.ones(2))
    assert len(seen) == len(CALLS) + 1
    assert all(error is None for _, error in seen[:-1])
    assert all(report.times["total"] > 0 for report, _ in seen)
    report, error = seen[-1]
    assert report.operation == "solve"
    assert isinstance(error, lap.SingularMatrixError)
    assert str(error) == str(caught.value)


def test_an_observer_that_was_closed_hears_no_more():
    seen: list[Any] = []
    subscription = lap.observe(lambda report, error: seen.append(report))
    lap.svd(np.eye(2))
    subscription.close()
    subscription.close()
    lap.svd(np.eye(2))
    assert len(seen) == 1


def test_several_observers_hear_the_same_and_may_compute_themselves():
    first: list[str] = []
    second: list[str] = []

    def curious(report: Any, error: Any) -> None:
        first.append(report.operation)
        if report.operation == "svd":
            lap.cholesky(np.eye(2))

    with lap.observe(curious), lap.observe(lambda report, error: second.append(report.operation)):
        lap.svd(np.eye(2))
    assert sorted(first) == sorted(second) == ["cholesky", "svd"]


def test_an_observer_that_fails_does_not_fail_the_call():
    def broken(report: Any, error: Any) -> None:
        raise RuntimeError("the observer broke")

    unraisable: list[Any] = []
    hook, sys.unraisablehook = sys.unraisablehook, unraisable.append
    try:
        with lap.observe(broken):
            s = lap.svdvals(np.eye(2))
    finally:
        sys.unraisablehook = hook
    np.testing.assert_array_equal(s, np.ones(2))
    assert [str(entry.exc_value) for entry in unraisable] == ["the observer broke"]


def test_an_observer_may_be_dropped_whose_last_act_is_a_call():
    done = run_python(
        """
class Last:
    def __call__(self, report, error): pass
    def __del__(self): lap.svdvals(np.eye(3))
other = lap.observe(lambda report, error: None)
lap.observe(Last()).close()
print("closed")
""",
        timeout=20,
    )
    assert done.stdout == "closed\n"


# Settings from the environment.


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("LAPACK_GPU_MEMORY_LIMIT", "5", "a percentage from 10 to 95"),
        ("LAPACK_GPU_ENABLED", "perhaps", "true or false"),
        ("LAPACK_BATCH_SIZE_LIMIT", "0", "a whole number from 1"),
        ("LAPACK_GPU_VERIFY", "never", "sample, full or off"),
        ("LAPACK_GPU_PRECISION", "tf16", "float32 or tf32"),
        ("LAPACK_GPU_TIMEOUT_SECONDS", "0", "seconds from 1 to 86400"),
        ("LAPACK_DASHBOARD_PORT", "70000", "a port from 1 to 65535"),
        ("LAPACK_LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    ],
)
def test_a_wrong_setting_fails_every_call_with_variable_value_and_range(variable, value, allowed):
    done = run_python(
        """
for call in (lap.config, lambda: lap.svd(np.eye(2)), lap.library_info, lap.get_num_threads):
    try:
        call()
    except lap.ConfigError as error:
        assert error.code == "LAP-E034" and error.cause and error.fixes
        print(error)
print(lap.doctor().ok)
""",
        **{variable: value},
    )
    *errors, ok = done.stdout.splitlines()
    assert len(errors) == 4, done.stderr
    for line in errors:
        assert f"{variable}={value} must be {allowed}. Fix: correct or unset {variable}." in line
    assert ok == "False"


def test_settings_are_read_from_the_environment():
    done = run_python(
        "import json, logging; print(json.dumps([lap.config(), logging.getLogger('lapack_py').level]))",
        LAPACK_GPU_ENABLED="off",
        LAPACK_GPU_MEMORY_LIMIT="60%",
        LAPACK_BATCH_SIZE_LIMIT="7",
        LAPACK_GPU_DEVICE="H200",
        LAPACK_GPU_VERIFY="full",
        LAPACK_GPU_TIMEOUT_SECONDS="10",
        LAPACK_GPU_BREAKER_FAILURES="2",
        LAPACK_GPU_BREAKER_SECONDS="30",
        LAPACK_DASHBOARD_PORT="9000",
        LAPACK_LOG_LEVEL="error",
    )
    config, level = json.loads(done.stdout)
    assert config == {
        "gpu_enabled": False,
        "gpu_memory_limit": 60,
        "batch_size_limit": 7,
        "gpu_device": "H200",
        "gpu_verify": "full",
        "gpu_timeout_seconds": 10,
        "gpu_breaker_failures": 2,
        "gpu_breaker_seconds": 30,
        "dashboard_port": 9000,
        "log_level": "ERROR",
        "library": os.environ.get("LAPACK_AI_LIBRARY"),
    }
    assert level == 40


def test_a_library_that_does_not_exist_is_named():
    done = run_python(
        """
for _ in range(2):
    try:
        lap.svd(np.eye(2))
    except lap.ProviderError as error:
        assert isinstance(error, OSError) and error.code == "LAP-E031", error.code
        print(error)
""",
        LAPACK_AI_LIBRARY="/nonexistent/lapack.so",
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert all("/nonexistent/lapack.so" in line for line in lines)
    assert lines[0] == lines[1]


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_usual_variables_cap_the_threads(variable):
    others = {name: "64" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = run_python("print(lap.get_num_threads(), lap.library_info()['threads'])", **{**others, variable: "1"})
    assert done.stdout.split() == ["1", "1"]


def test_threads_can_be_set_and_change_no_result():
    before = lap.get_num_threads()
    a, stack = matrix(90, 90), matrix(200, 12, 12)
    results = []
    try:
        for threads in (1, 2, 4):
            lap.set_num_threads(threads)
            assert lap.get_num_threads() == threads
            results.append((lap.svdvals(stack), lap.svdvals(a)))
    finally:
        lap.set_num_threads(before)
    for batch, single in results[1:]:
        np.testing.assert_array_equal(batch, results[0][0])
        within(np.max(np.abs(single - results[0][1])) / single[0], 90, "float64", "singular values")


# Threads and processes.


def check_everything(seed: int) -> bool:
    a, spd = matrix(20, 20, seed=seed), positive(20, 20, seed=seed)
    stack = positive(64, 8, 8, seed=seed)
    u, s, vh = lap.svd(a)
    within(norm(u * s @ vh - a) / norm(a), 20, "float64", "svd")
    w, v = lap.eigh(stack)
    within(norm(v * w[:, None, :] @ adjoint(v) - stack) / norm(stack), 8, "float64", "eigh")
    x = lap.solve(spd, a)
    within(norm(spd @ x - a) / (norm(spd) * norm(x)), 20, "float64", "solve")
    within(norm(lap.matmul(a, spd) - a @ spd) / (norm(a) * norm(spd)), 20, "float64", "matmul")
    with pytest.raises(lap.NotPositiveDefiniteError):
        lap.cholesky(-spd)
    return True


def test_calls_from_eight_threads_at_once_give_right_results():
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check_everything, range(160)))


def test_observers_and_warnings_work_from_eight_threads_at_once():
    seen: list[Any] = []

    def work(seed: int) -> None:
        with lap.observe(lambda report, error: None):
            lap.svd(matrix(5, 5, seed=seed), gpu=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with lap.observe(lambda report, error: seen.append(report)), ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(80)))
    assert len(seen) == 80


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_can_compute():
    # The library's threads are up before the fork, and do not exist in the child.
    lap.svd(matrix(200, 200))
    check_everything(0)
    child = os.fork()
    if child == 0:
        # A child that hangs is ended by the alarm; it must not return into pytest either way.
        signal.alarm(20)
        try:
            check_everything(1)
            lap.svd(matrix(200, 200))
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    check_everything(2)


def test_python_goes_on_during_a_long_call():
    a = matrix(800, 800)
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.002)

    ticker = threading.Thread(target=tick)
    ticker.start()
    started = time.perf_counter()
    lap.svd(a)
    ended = time.perf_counter()
    done.set()
    ticker.join()
    during = [t for t in ticks if started < t < ended]
    # Without the lock released there would be none between start and end.
    assert len(during) >= 5, (len(during), ended - started)


def test_an_observer_that_cannot_be_called_is_refused_at_once():
    with pytest.raises(lap.LapackError, match="callback=3 must be callable"):
        lap.observe(3)
