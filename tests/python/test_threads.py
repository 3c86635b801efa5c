"""Many threads at once, forked and spawned processes, memory over many calls, and Ctrl-C."""

from __future__ import annotations

import concurrent.futures
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import hermitian, matrix, positive, run_python, well_conditioned

import lapack_py as lap

THREADS = 16
posix = pytest.mark.skipif(os.name != "posix", reason="this system has no fork and no signals between processes")
linux = pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")


def calls() -> list[tuple[str, Callable[[], Any]]]:
    """Operations of every kind, on the calling thread and on worker threads, right and wrong ones."""
    small, large = matrix(6, 4), matrix(80, 60)
    square, wide = well_conditioned(7, 7, dtype="complex64"), well_conditioned(90, 90)
    symmetric, definite = hermitian(30, 30), positive(40, 40, dtype="complex128")
    batch, rhs = well_conditioned(300, 5, 5), matrix(300, 5, 2)
    tall = matrix(2000, 4, 4)
    broken = np.stack([positive(3, 3)] * 20)
    broken[7] = -broken[7]
    nan = np.eye(5)
    nan[2, 3] = np.nan
    return [
        ("svd", lambda: lap.svd(small)),
        ("svd, large", lambda: lap.svd(large, full_matrices=False)),
        ("svd, batch", lambda: lap.svd(tall)),
        ("svdvals", lambda: lap.svdvals(large)),
        ("solve", lambda: lap.solve(square, square[0])),
        ("solve, large", lambda: lap.solve(wide, wide[:, :3])),
        ("solve, batch", lambda: lap.solve(batch, rhs)),
        ("solve, pos", lambda: lap.solve(definite, definite[0], assume_a="pos")),
        ("lstsq", lambda: tuple(lap.lstsq(small, small[:, 0]))),
        ("eigh", lambda: lap.eigh(symmetric)),
        ("eigh, batch", lambda: lap.eigh(batch + np.swapaxes(batch, -1, -2))),
        ("eigvalsh", lambda: lap.eigvalsh(symmetric, "U")),
        ("qr", lambda: lap.qr(large)),
        ("cholesky", lambda: lap.cholesky(definite)),
        ("matmul", lambda: lap.matmul(large, large.T)),
        ("matmul, batch", lambda: lap.matmul(batch, rhs)),
        ("a list", lambda: lap.svdvals([[1, 2], [3, 4]])),
        ("an error", lambda: lap.solve(np.zeros((3, 3)), np.ones(3))),
        ("an error in a batch", lambda: lap.cholesky(broken)),
        ("a NaN", lambda: lap.svd(nan)),
        ("a wrong shape", lambda: lap.solve(small, small)),
    ]


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except lap.LapackError as error:
        return type(error).__name__, str(error), error.failed


def same(one: Any, other: Any) -> bool:
    """The same bits for arrays computed on one thread; a large matrix may sum in another order on several."""
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(mine, its) for mine, its in zip(one, other, strict=True))
    if isinstance(one, np.ndarray):
        return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=1e-4, atol=1e-8)
    return bool(one == other)


CALLS = calls()
# Matrices so large that OpenBLAS may use several threads for one of them.
ON_LIBRARY_THREADS = {
    "svd, large",
    "svdvals",
    "solve, large",
    "solve, pos",
    "qr",
    "cholesky",
    "matmul",
    "eigh",
    "eigvalsh",
}
EXPECTED = [outcome(call) for _, call in CALLS]


def wrong_results(rounds: int, offset: int) -> list[str]:
    """Names of the calls whose results differ from those computed alone."""
    wrong = []
    for step in range(rounds * len(CALLS)):
        position = (step + offset) % len(CALLS)
        name, call = CALLS[position]
        if not same(outcome(call), EXPECTED[position]):
            wrong.append(name)
    return wrong


def in_threads(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


# Threads.


def test_sixteen_threads_with_all_operations_get_the_results_of_one():
    assert in_threads(lambda number: wrong_results(8, number)) == [[]] * THREADS


def test_threads_that_all_run_batches_get_the_results_of_one():
    batches = [position for position, (name, _) in enumerate(CALLS) if "batch" in name]

    def work(number: int) -> list[str]:
        chosen = [batches[(step + number) % len(batches)] for step in range(20)]
        return [CALLS[at][0] for at in chosen if not same(outcome(CALLS[at][1]), EXPECTED[at])]

    assert in_threads(work) == [[]] * THREADS


def test_the_number_of_threads_may_change_while_others_compute():
    before, stop = lap.get_num_threads(), threading.Event()

    def change() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            lap.set_num_threads(count % 4 + 1)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        assert in_threads(lambda number: wrong_results(2, number), 4) == [[]] * 4
    finally:
        stop.set()
        changer.join()
        lap.set_num_threads(before)


def test_one_array_may_be_read_by_many_calls_at_once():
    a = well_conditioned(60, 60)
    expected = lap.solve(a, a[0])
    assert all(in_threads(lambda _: all(same(lap.solve(a, a[0]), expected) for _ in range(50))))


def test_other_python_threads_run_during_a_long_call():
    ticks, done = 0, threading.Event()
    a = matrix(900, 900)

    def compute() -> None:
        lap.svd(a)
        done.set()

    thread = threading.Thread(target=compute)
    thread.start()
    while not done.wait(1e-3):
        ticks += 1
    thread.join()
    assert ticks > 20


def test_observers_come_and_go_while_threads_compute():
    seen = [0] * THREADS

    def work(number: int) -> list[str]:
        def count(report: Any, error: Any) -> None:
            seen[number] += 1

        with lap.observe(count):
            return wrong_results(2, number)

    assert in_threads(work) == [[]] * THREADS
    assert all(count >= 2 * (len(CALLS) - 1) for count in seen), "refused shapes are not told, all else is"


# Processes.

# Exit codes of a forked child; anything else is a signal or Python's own.
RIGHT, WRONG = 0, 3


def forked(work: Callable[[], list[str]], seconds: float = 20.0) -> int:
    """The exit code of a child that does `work` right after a fork; it is killed if it hangs."""
    child = os.fork()
    if child == 0:
        code = WRONG
        try:
            wrong = work()
            code = WRONG if wrong else RIGHT
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reaped, status = os.waitpid(child, os.WNOHANG)
        if reaped:
            return os.waitstatus_to_exitcode(status)
        time.sleep(5e-3)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail(f"the forked child hung for {seconds:g} s")


# Python warns of forks in processes with threads, which is what these tests are about.
def not_with_mkl(why: str) -> None:
    if "Math Kernel Library" in lap.library_info()["vendor"]:
        pytest.skip(f"MKL: {why}")


may_fork = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@posix
@may_fork
def test_a_forked_child_computes_after_a_batch_ran_on_worker_threads():
    with pytest.warns(lap.NotSymmetricWarning, match="a is not symmetric"):
        lap.eigh(matrix(20_000, 16, 16))
    assert forked(lambda: wrong_results(2, 0)) == RIGHT


@posix
@may_fork
def test_a_forked_child_computes_after_a_large_matrix_ran_on_the_librarys_threads():
    a = matrix(600, 600)
    expected = lap.svdvals(a)
    assert forked(lambda: [] if same(lap.svdvals(a), expected) else ["svdvals"]) == RIGHT
    assert same(lap.svdvals(a), expected), "and so does the parent"


@posix
@may_fork
def test_children_forked_in_the_middle_of_other_threads_calls_compute():
    # Without those on which OpenBLAS starts threads of its own, which the children would do as well: too slow here. The
    # next tests have them.
    alone = [position for position, (name, _) in enumerate(CALLS) if name not in ON_LIBRARY_THREADS]
    stop = threading.Event()
    failures: list[str] = []

    def wrong(rounds: int) -> list[str]:
        chosen = alone * rounds
        return [CALLS[at][0] for at in chosen if not same(outcome(CALLS[at][1]), EXPECTED[at])]

    def work() -> None:
        while not stop.is_set():
            failures.extend(wrong(1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        codes = [forked(lambda: wrong(2)) for _ in range(20)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert codes == [RIGHT] * 20
    assert failures == []


@posix
@may_fork
def test_a_grandchild_computes_too():
    not_with_mkl("its threads do not survive the fork of a fork")
    assert forked(lambda: [] if forked(lambda: wrong_results(1, 0)) == RIGHT else ["grandchild"]) == RIGHT


PROCESSES = """
import multiprocessing, sys
import numpy as np, lapack_py as lap

def task(seed):
    a = np.random.default_rng(seed).standard_normal((2000, 4, 4))
    u, s, vh = lap.svd(a)
    large = np.random.default_rng(seed).standard_normal((200, 200))
    x = lap.solve(large, large[0])
    return bool(np.allclose(u * s[:, None] @ vh, a) and np.allclose(large @ x, large[0]))

def failing(seed):
    lap.cholesky(-np.eye(3))

if __name__ == "__main__":
    lap.eigh(np.ones((20000, 16, 16)))
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(pool.map(task, range(6)))
        try:
            pool.map(failing, range(2))
        except lap.NotPositiveDefiniteError as error:
            print(error.code, error.info)
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_multiprocessing_compute_and_hand_back_errors(method, tmp_path):
    program = tmp_path / "pool.py"
    program.write_text(PROCESSES)
    command = [sys.executable, str(program), method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == [str([True] * 6), "LAP-E011 1"]


# Memory.


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@linux
@pytest.mark.parametrize("threads", [1, 4])
def test_memory_is_flat_over_twenty_thousand_calls(threads):
    not_with_mkl("it keeps memory for each thread that called it")
    # Worker threads of large batches come and go with their memory; many small calls show a leak better.
    chosen = [(call, expected) for (name, call), expected in zip(CALLS, EXPECTED, strict=True) if "large" not in name]
    each = 20_000 // (2 * threads)

    def work(_: int) -> None:
        for step in range(each):
            outcome(chosen[step % len(chosen)][0])

    in_threads(work, threads)
    gc.collect()
    warm = resident()
    in_threads(work, threads)
    gc.collect()
    grown = resident() - warm
    # A lost array of 6 x 4 in each call would be 2 MB; the allocator's own ups and downs stay below one.
    assert grown < 1.5e6, f"{grown / 1e6:.1f} MB in {each * threads} calls"


def test_threads_leave_nothing_behind_when_they_end():
    not_with_mkl("it keeps memory for each thread that called it")

    def work() -> None:
        for _, call in CALLS:
            outcome(call)

    def run_threads(count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    if sys.platform != "linux":
        run_threads(20)
        return
    run_threads(20)
    warm = resident()
    run_threads(100)
    assert resident() - warm < 4e6


# Ctrl-C.

LONG = {
    "one large matrix": ("lap.svd", (3000, 3000), None),
    "a long batch": ("lap.svd", (100_000, 24, 24), None),
    "a long batch on one thread": ("lap.eigh", (50_000, 30, 30), 1),
}


@posix
@pytest.mark.parametrize("name", LONG)
def test_a_keyboard_interrupt_ends_a_long_call_soon(name):
    operation, shape, threads = LONG[name]
    code = f"""
import os, signal, threading, time
a = np.random.default_rng(1).standard_normal((50, 50))
expected = lap.solve(a, a[0])
sent = []
def interrupt():
    time.sleep(0.5)
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
if {threads}:
    lap.set_num_threads({threads})
work = np.random.default_rng(0).standard_normal({shape})
threading.Thread(target=interrupt, daemon=True).start()
try:
    {operation}(work)
except KeyboardInterrupt:
    print(f"{{time.monotonic() - sent[0]:.3f}}")
else:
    print("the call ended by itself")
# What was begun goes on unseen, or not at all; what comes next is right at once.
assert np.allclose(a @ lap.solve(a, a[0]), a[0])
stack = np.random.default_rng(2).standard_normal((5000, 6, 6))
u, s, vh = lap.svd(stack)
assert np.allclose(u * s[:, None] @ vh, stack)
print("right", flush=True)
os._exit(0)
"""
    done = run_python(code, timeout=120)
    assert done.returncode == 0, done.stderr
    waited, after = done.stdout.split("\n")[:2]
    assert waited != "the call ended by itself"
    assert float(waited) < 0.5
    assert after == "right"


@posix
def test_a_handler_of_the_users_own_runs_during_a_long_call_and_the_call_goes_on():
    code = """
import os, signal, threading, time
seen = []
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(time.monotonic()))
a = np.random.default_rng(0).standard_normal((700, 700))
# The first call looks for devices, and their drivers may take signals while they are loaded.
lap.svd(a)
def send():
    time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGUSR1)
threading.Thread(target=send).start()
u, s, vh = lap.svd(a)
assert np.allclose(u * s @ vh, a)
print(len(seen))
"""
    done = run_python(code, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr


@posix
@may_fork
def test_a_fork_waits_for_large_matrices_at_work_and_neither_side_hangs():
    not_with_mkl("its threads do not survive every fork of a computing process")
    program = """
import os, threading, time
a = np.random.default_rng(0).standard_normal((200, 200)) + 40 * np.eye(200)
expected = lap.inv(a)
stop = threading.Event()
wrong = []
def work():
    while not stop.is_set():
        wrong.extend([] if np.allclose(lap.inv(a), expected) else [1])
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for _ in range(8):
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(0 if np.allclose(lap.inv(a), expected) else 1)
    took = time.perf_counter() - started
    assert took < 5, took
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join(20)
    assert not thread.is_alive()
assert not wrong
print("right")
"""
    result = run_python(program, timeout=100.0, PYTHONWARNINGS="ignore")
    assert result.stdout == "right\n", result.stderr
