"""Forked and spawned processes, several processes with one cache, many threads, and Ctrl-C."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import DTYPES, matrix, run_python
from on_device import CHOSEN, NAME, computed_there, product, same_product

import lapack_py as lap

posix = pytest.mark.skipif(os.name != "posix", reason="this system has no fork and no signals between processes")

PROLOGUE = """
import os, traceback, warnings
warnings.simplefilter("ignore")
a = np.random.default_rng(0).standard_normal((200, 200))
right = a @ a
def good(c):
    return np.allclose(c, right)
"""


# Fork.


@posix
def test_a_forked_child_computes_on_the_cpu_and_says_why_and_the_parent_goes_on_using_the_device():
    code = """
x = lap.to_device(a)
assert lap.matmul(a, a, gpu="require", return_report=True)[1].engine == "opencl"
child = os.fork()
if child == 0:
    status = 1
    try:
        for keywords in ({}, {"gpu": True}, {"device": "gpu"}):
            c, report = lap.matmul(a, a, **keywords, return_report=True)
            assert good(c) and report.engine == "cpu", report.reason
            assert report.reason == "this process was forked from one that uses OpenCL", report.reason
        calls = [lambda: lap.matmul(a, a, gpu="require"), lambda: lap.to_device(a), lambda: x.numpy(), lambda: x @ x]
        for call in calls:
            try:
                call()
            except lap.GpuUnavailableError as error:
                assert "forked" in str(error) + error.cause, error.report()
            else:
                raise AssertionError("no error")
        assert np.allclose(lap.solve(a, a), np.eye(200))
        assert lap.devices() == []
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
assert os.waitpid(child, 0)[1] == 0
for _ in range(3):
    c, report = lap.matmul(a, a, gpu="require", return_report=True)
    assert good(c) and report.engine == "opencl"
assert good((x @ x).numpy())
print("good")
"""
    done = run_python(PROLOGUE + code, timeout=120)
    assert done.stdout == "good\n", done.stderr


@posix
def test_a_child_that_is_forked_before_the_device_was_used_may_use_it():
    code = """
child = os.fork()
if child == 0:
    c, report = lap.matmul(a, a, gpu="require", return_report=True)
    os._exit(0 if good(c) and report.engine == "opencl" else 1)
assert os.waitpid(child, 0)[1] == 0
assert lap.matmul(a, a, gpu="require", return_report=True)[1].engine == "opencl"
print("good")
"""
    done = run_python(PROLOGUE + code, timeout=120)
    assert done.stdout == "good\n", done.stderr


@posix
def test_a_fork_beside_threads_that_use_the_device_hangs_nobody():
    code = """
import threading
stop, engines = threading.Event(), []
def work():
    while not stop.is_set():
        c, report = lap.matmul(a, a, gpu="require", return_report=True)
        engines.append(report.engine == "opencl" and good(c))
threads = [threading.Thread(target=work) for _ in range(3)]
lap.matmul(a, a, gpu="require")
[thread.start() for thread in threads]
for _ in range(5):
    child = os.fork()
    if child == 0:
        c, report = lap.matmul(a, a, gpu=True, return_report=True)
        os._exit(0 if good(c) and report.engine == "cpu" else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
[thread.join() for thread in threads]
assert engines and all(engines)
print("good")
"""
    done = run_python(PROLOGUE + code, timeout=120)
    assert done.stdout == "good\n", done.stderr


def work(seed: int) -> tuple[str, str, float]:
    """For processes of multiprocessing: engine, reason, and how far the product is off."""
    a = matrix(150, 150, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        c, report = lap.matmul(a, a, gpu=True, return_report=True)
    return report.engine, report.reason, float(np.max(np.abs(c - a @ a)))


@posix
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_workers_of_multiprocessing_compute_on_the_cpu_and_say_why():
    product(np.eye(3), np.eye(3))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map(work, range(4))
    for engine, reason, error in results:
        assert engine == "cpu"
        assert reason == "this process was forked from one that uses OpenCL"
        assert error < 1e-10
    a = matrix(40, 40)
    same_product(product(a, a), a, a, "the parent after its workers")


def test_spawned_workers_of_multiprocessing_compute_on_the_device():
    product(np.eye(3), np.eye(3))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map(work, range(4))
    for engine, reason, error in results:
        assert (engine, reason) == ("opencl", "asked for")
        assert error < 1e-10


# The cache of built kernels.

BUILD = """
import numpy as np, lapack_py as lap
for dtype in ("float32", "float64", "complex64", "complex128"):
    a = np.random.default_rng(0).standard_normal((90, 90)).astype(dtype)
    c, report = lap.matmul(a, a, gpu="require", return_report=True)
    assert report.engine == "opencl" and np.allclose(c, a @ a, rtol=1e-3, atol=1e-3)
    y = lap.to_device(a)
    assert np.allclose((y @ y + y).numpy(), a @ a + a, rtol=1e-3, atol=1e-3)
[device] = [device for device in lap.devices() if device.chosen]
print(*device.programs)
"""


def built(place: Path) -> tuple[int, int, int]:
    """Runs the above; how many programs were built, loaded from the cache, and rejected there."""
    done = run_python(BUILD, timeout=120, LAPACK_AI_CACHE_DIR=str(place))
    assert done.returncode == 0, done.stderr
    first, loaded, rejected = map(int, done.stdout.split())
    return first, loaded, rejected


def test_kernels_are_built_once_and_then_taken_from_the_cache(tmp_path):
    first, loaded, rejected = built(tmp_path)
    assert first > 0
    assert (loaded, rejected) == (0, 0)
    assert built(tmp_path) == (0, first, 0)


def test_damaged_cache_files_are_rejected_built_anew_and_replaced(tmp_path):
    first, _, _ = built(tmp_path)
    files = sorted(file for file in (tmp_path / "kernels").iterdir() if file.is_file())
    assert len(files) == first
    for number, file in enumerate(files):
        content = file.read_bytes()
        middle = len(content) // 2
        damaged = [b"", content[:middle], content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]]
        file.write_bytes(damaged[number % 3])
    assert built(tmp_path) == (first, 0, first)
    assert built(tmp_path) == (0, first, 0)


def test_two_processes_with_one_empty_cache_do_not_disturb_each_other(tmp_path):
    environment = {**os.environ, "LAPACK_AI_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", BUILD]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:
        output, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
        assert output.split()[2] == "0", "no process saw a part of a file"
    first, loaded, rejected = built(tmp_path)
    assert (first, rejected) == (0, 0)
    assert loaded > 0


def test_a_cache_that_cannot_be_written_costs_no_result(tmp_path):
    (tmp_path / "file").write_text("")
    first, loaded, rejected = built(tmp_path / "file")
    assert first > 0
    assert (loaded, rejected) == (0, 0)


# Threads.


def test_eight_threads_use_the_device_at_once_and_get_the_results_of_one():
    def one(seed):
        n = 20 + 13 * (seed % 9)
        a = matrix(n, n + 3, dtype=DTYPES[seed % 4], seed=seed)
        b = matrix(n + 3, n, dtype=DTYPES[seed % 4], seed=seed + 1)
        c, report = lap.matmul(a, b, gpu="require", return_report=True)
        computed_there(report)
        same_product(c, a, b, "threads")
        x, y = lap.to_device(a), lap.to_device(b)
        same_product((x @ y).numpy(), a, b, "threads, on the device")
        np.testing.assert_array_equal((x.mT[::-1] * 2).numpy(), a.T[::-1] * 2)
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(160)))


def test_one_device_array_may_be_used_by_many_threads_at_once():
    a = matrix(80, 80)
    x = lap.to_device(a)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for c in pool.map(lambda _: (x @ x.mT).numpy(), range(64)):
            same_product(c, a, a.T, "shared")


def test_other_python_threads_run_during_a_product_on_the_device():
    # The GIL is released: a thread that counts gets somewhere meanwhile.
    code = """
import threading
counted, stop = [0], threading.Event()
def count():
    while not stop.is_set():
        counted[0] += 1
b = np.random.default_rng(0).standard_normal((900, 900))
lap.matmul(b, b, gpu="require")
thread = threading.Thread(target=count)
before = counted[0]
thread.start()
_, report = lap.matmul(b, b, gpu="require", return_report=True)
during = counted[0] - before
stop.set()
thread.join()
print(report.engine, during > 100)
"""
    done = run_python(PROLOGUE + code, timeout=120)
    assert done.stdout == "opencl True\n", done.stderr


# Ctrl-C.

INTERRUPT = """
import signal, threading, time
{setup}
sent = []
def interrupt():
    time.sleep(0.4)
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    {work}
except KeyboardInterrupt:
    print(f"{{time.monotonic() - sent[0]:.3f}}")
else:
    print("the call ended by itself")
c, report = lap.matmul(a, a, gpu="require", return_report=True)
assert report.engine == "opencl" and good(c)
x = lap.to_device(a)
assert good((x @ x).numpy())
assert lap.matmul(a, a, return_report=True)[1].engine in ("cpu", "opencl")
[device] = [device for device in lap.devices() if device.chosen]
print(device.breaker, flush=True)
os._exit(0)
"""
ORDER = 1500 if CHOSEN.is_cpu else 8000
# Each works for seconds on the device at hand, however fast that is.
LONG = {
    "product": (
        "big = np.ones((1, 1))\n"
        "n, took = 700, 0.0\n"
        "while took < 1.5 and n < 30000:\n"
        "    n = int(n * 1.5)\n"
        "    big = np.ones((n, n), dtype='float64')\n"
        "    started = time.monotonic()\n"
        "    lap.matmul(big, big, gpu='require')\n"
        "    took = time.monotonic() - started",
        "lap.matmul(big, big, gpu='require')",
    ),
    "download": (
        # A queue takes some thousand kernels, so each must be long.
        f"y = big = lap.to_device(np.ones(({ORDER}, {ORDER})) / {ORDER})\n"
        "(big @ big).numpy()\n"
        "steps, took = 1, 0.0\n"
        "while took < 0.3:\n"
        "    steps *= 2\n"
        "    started = time.monotonic()\n"
        "    for _ in range(steps):\n"
        "        y = y @ big\n"
        "    y.numpy()\n"
        "    took = time.monotonic() - started\n"
        "for _ in range(int(4 / took * steps) + 2):\n"
        "    y = y @ big",
        "y.numpy()",
    ),
}


@posix
@pytest.mark.parametrize("name", LONG)
def test_ctrl_c_ends_a_long_call_on_the_device_in_under_a_second(name):
    setup, call = LONG[name]
    done = run_python(PROLOGUE + INTERRUPT.format(setup=setup, work=call), timeout=240, LAPACK_GPU_VERIFY="off")
    assert done.returncode == 0, done.stderr
    waited, breaker = done.stdout.splitlines()
    assert waited != "the call ended by itself"
    assert float(waited) < 1.0
    assert breaker == "closed", "the wish of the user says nothing about the device"


def test_nothing_is_left_to_say_when_a_process_ends_while_the_device_works():
    code = """
x = lap.to_device(np.ones((1000, 1000)) / 1000)
y = x
for _ in range(3):
    y = y @ x
print(repr(y).endswith(NAME + ">"))
""".replace("NAME", repr(NAME))
    done = run_python(code, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
