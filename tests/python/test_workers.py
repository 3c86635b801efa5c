"""Threads as others set them: threadpoolctl, joblib's workers, and the environment in which Dask starts its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import joblib
import numpy as np
import pytest
import threadpoolctl
from helpers import matrix, run_python

import lapack_py as lap

pytestmark = pytest.mark.any_lapack

# Enough work to be spread over all threads.
BATCH = matrix(20_000, 6, 6)
several = pytest.mark.skipif(lap.get_num_threads() < 2, reason="one thread cannot be limited further")
VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@pytest.fixture(autouse=True)
def threads_as_before():
    before = lap.get_num_threads()
    yield
    lap.set_num_threads(before)


def workers() -> int:
    return lap.svd(BATCH, return_report=True)[1].workers


def entry() -> dict[str, Any]:
    [ours] = [pool for pool in threadpoolctl.threadpool_info() if pool["internal_api"] == "lapack_py"]
    return ours


def library_threads() -> int:
    """What the OpenBLAS that computes says itself."""
    path = os.path.realpath(lap.library_info()["path"])
    [pool] = [pool for pool in threadpoolctl.threadpool_info() if pool["filepath"] == path]
    return pool["num_threads"]


# threadpoolctl.


def test_threadpool_info_shows_our_threads():
    ours = entry()
    assert ours["user_api"] == "blas"
    assert ours["num_threads"] == lap.get_num_threads()
    assert ours["version"] == lap.__version__
    assert os.path.basename(ours["filepath"]).startswith("_native")


def test_no_private_image_of_the_library_is_listed_however_many_there_are():
    before = {pool["filepath"] for pool in threadpoolctl.threadpool_info()}
    with pytest.warns(lap.NotSymmetricWarning, match="a is not symmetric"):
        lap.eigh(matrix(20_000, 16, 16))
    after = {pool["filepath"] for pool in threadpoolctl.threadpool_info()}
    assert after == before


@several
@pytest.mark.parametrize("limits", [{"limits": 1}, {"limits": 1, "user_api": "blas"}, {"limits": {"blas": 1}}], ids=str)
def test_a_limit_holds_for_batches_and_for_the_library_and_ends_with_its_block(limits):
    before = lap.get_num_threads()
    assert workers() > 1
    with threadpoolctl.threadpool_limits(**limits):
        assert lap.get_num_threads() == 1
        assert workers() == 1
        assert library_threads() == 1, "the end of a batch has not raised it"
    assert lap.get_num_threads() == before
    assert workers() > 1
    assert library_threads() == before


@several
def test_a_limit_on_other_apis_leaves_our_threads_alone():
    before = lap.get_num_threads()
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert lap.get_num_threads() == before


def test_set_num_threads_shows_in_threadpool_info():
    lap.set_num_threads(1)
    assert entry()["num_threads"] == 1
    assert library_threads() == 1


@several
def test_threads_that_set_limits_by_turns_leave_them_as_they_were():
    before = lap.get_num_threads()
    # This thread has a limit before and so decides; what the others do within theirs is passed over.
    with threadpoolctl.threadpool_limits(1):
        entered, leave = threading.Event(), threading.Event()

        def other():
            with threadpoolctl.threadpool_limits(before + 3):
                entered.set()
                leave.wait(10)

        thread = threading.Thread(target=other)
        thread.start()
        assert entered.wait(10)
        assert lap.get_num_threads() == 1
    assert lap.get_num_threads() == before
    leave.set()
    thread.join()
    assert lap.get_num_threads() == before


@pytest.mark.parametrize("first", ["import threadpoolctl", "", "import sklearn"])
def test_registration_does_not_depend_on_the_order_of_imports(first):
    code = """
import threadpoolctl
with threadpoolctl.threadpool_limits(1):
    assert lap.get_num_threads() == 1, lap.get_num_threads()
print([pool["internal_api"] for pool in threadpoolctl.threadpool_info()].count("lapack_py"))
"""
    program = f"{first}\nimport importlib, lapack_py as lap\nimportlib.reload(lap)\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr


def test_nothing_is_missed_where_threadpoolctl_is_not_installed():
    # `None` in sys.modules is how Python itself says that a module cannot be imported.
    code = "import sys\nsys.modules['threadpoolctl'] = None\nimport lapack_py as lap\nprint(lap.svdvals([[3.0]])[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "3.0"), done.stderr


# The environment at start: Dask's nannies set all three variables to 1; a shell or a batch system one of them.


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_limits_the_threads_of_a_new_process(variable):
    others = {name: "" for name in VARIABLES}
    done = run_python("print(lap.get_num_threads(), lap.library_info()['threads'])", **{**others, variable: "1"})
    assert (done.returncode, done.stdout.split()) == (0, ["1", "1"]), done.stderr


NANNY = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def test_a_process_in_the_environment_of_a_dask_worker_computes_on_one_thread():
    code = """
import threading
a = np.random.default_rng(0).standard_normal((20000, 8, 8))
result, report = lap.svd(a, return_report=True)
assert report.workers == 1, report
assert np.allclose(result.U * result.S[:, None] @ result.Vh, a)
# A worker computes several tasks at a time, each on a thread of its own.
right = []
def task():
    right.append(np.allclose(lap.svdvals(a), result.S))
threads = [threading.Thread(target=task) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(right.count(True))
"""
    done = run_python(code, timeout=60, **NANNY)
    assert (done.returncode, done.stdout.strip()) == (0, "4"), done.stderr


def test_a_setting_of_the_program_goes_over_the_environments():
    code = "lap.set_num_threads(3); print(lap.get_num_threads())"
    done = run_python(code, **NANNY)
    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr


# joblib.


def task(seed: int) -> tuple[int, int, bool]:
    """In a worker: our threads, those that a batch took, and whether the numbers are right."""
    a = np.random.default_rng(seed).standard_normal((20_000, 4, 4))
    result, report = lap.svd(a, return_report=True)
    right = np.allclose(result.U * result.S[:, None] @ result.Vh, a)
    return lap.get_num_threads(), report.workers, bool(right)


# loky's own warning about the time that a worker takes to start on a busy machine.
@pytest.mark.filterwarnings("ignore:A worker stopped while some jobs")
def test_the_workers_of_loky_have_the_threads_that_joblib_gives_them():
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        results = joblib.Parallel()(joblib.delayed(task)(seed) for seed in range(4))
    assert results == [(1, 1, True)] * 4


def test_errors_come_back_from_loky_with_their_fields():
    with joblib.parallel_config("loky", n_jobs=2), pytest.raises(lap.SingularMatrixError) as caught:
        joblib.Parallel()(joblib.delayed(lap.solve)(np.zeros((3, 3)), np.ones(3)) for _ in range(2))
    assert caught.value.code == "LAP-E010"


def test_the_threads_of_joblib_compute_side_by_side():
    with threadpoolctl.threadpool_limits(1):
        results = joblib.Parallel(n_jobs=4, backend="threading")(joblib.delayed(task)(seed) for seed in range(8))
    assert results == [(1, 1, True)] * 8


def test_results_are_the_same_bits_on_one_thread_and_on_all():
    expected = lap.svd(BATCH)
    with threadpoolctl.threadpool_limits(1):
        for mine, reference in zip(lap.svd(BATCH), expected, strict=True):
            np.testing.assert_array_equal(mine, reference)
