"""Many threads, many calls, forks in between: every result is checked, and memory has to stay flat.

Prints what happened and writes it as JSON; ends with 1 if a result was wrong, a child failed or memory grew.

Usage: python bench/stress.py [--calls N] [--threads N] [FILE]   (10^6 calls, 16 threads, bench/results/cpu/stress.json)
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import processor

import lapack_py as lap

# Growth of resident memory that is no leak: the allocator's arenas, one for each thread that was ever busy at once.
ALLOWED_GROWTH = 16 << 20
# Measurements of memory after warm-up.
MARKS = 10
# Each child computes every kind of call.
FORKS = 50
# A child that takes longer hangs.
HANG_SECONDS = 60.0


def work_list() -> list[tuple[str, Callable[[], Any]]]:
    """Names and calls: all operations, four types, one matrix and batches, and errors."""
    random = np.random.default_rng(11)
    work: list[tuple[str, Callable[[], Any]]] = []
    for dtype in ("float32", "float64", "complex64", "complex128"):

        def draw(*shape: int, dtype: str = dtype) -> Any:
            a = random.standard_normal(shape) + (1j * random.standard_normal(shape) if dtype[0] == "c" else 0)
            return a.astype(dtype)

        for n in (3, 8, 20):
            a, b = draw(n, n) + 4 * n * np.eye(n, dtype=dtype), draw(n, 2)
            tall = draw(n + 2, n)
            definite = (a @ a.conj().T).astype(dtype)
            columns = np.asfortranarray(a)
            work += [
                (f"solve {n} {dtype}", lambda a=a, b=b: lap.solve(a, b)),
                (f"svd {n} {dtype}", lambda a=tall: lap.svd(a)),
                (f"svdvals {n} {dtype}", lambda a=tall: lap.svdvals(a)),
                (f"lstsq {n} {dtype}", lambda a=tall: tuple(lap.lstsq(a, a[:, 0]))),
                (f"eigh {n} {dtype}", lambda a=definite: lap.eigh(a)),
                (f"qr {n} {dtype}", lambda a=tall: lap.qr(a)),
                (f"cholesky {n} {dtype}", lambda a=definite: lap.cholesky(a)),
                (f"matmul {n} {dtype}", lambda a=a, b=b: lap.matmul(a, b)),
                (f"solve {n} {dtype}, Fortran order", lambda a=columns, b=b: lap.solve(a, b)),
            ]
        stack = draw(200, 4, 4) + 16 * np.eye(4, dtype=dtype)
        work += [
            (f"solve batch {dtype}", lambda a=stack: lap.solve(a, a)),
            (f"svd batch {dtype}", lambda a=stack: lap.svd(a)),
            (f"matmul batch {dtype}", lambda a=stack: lap.matmul(a, a)),
        ]
        broken = np.stack([np.eye(3, dtype=dtype)] * 10)
        broken[4] *= -1
        nan = np.full((3, 3), np.nan, dtype=dtype)
        wide = draw(3, 2)
        work += [
            (f"singular {dtype}", lambda dtype=dtype: lap.solve(np.zeros((3, 3), dtype), np.ones(3, dtype))),
            (f"not definite in a batch {dtype}", lambda a=broken: lap.cholesky(a)),
            (f"NaN {dtype}", lambda a=nan: lap.svd(a)),
            (f"wrong shape {dtype}", lambda a=wide: lap.solve(a, a)),
        ]
    return work


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except lap.LapackError as error:
        return type(error).__name__, str(error), error.failed


def same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and bool(np.array_equal(one, other))
    return bool(one == other)


def resident() -> int | None:
    """Bytes of this process in memory, where the system tells."""
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if file.exists() else None


def run(threads: int, work: Callable[[int], None]) -> None:
    started = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def fork_and_check(check: Callable[[], bool]) -> str:
    """What became of a child that was forked just now, in the middle of other threads' calls."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    end = time.monotonic() + HANG_SECONDS
    while time.monotonic() < end:
        reaped, status = os.waitpid(child, os.WNOHANG)
        if reaped:
            code = os.waitstatus_to_exitcode(status)
            return {0: "right", 1: "wrong result"}.get(code, f"exit code {code}")
        time.sleep(2e-3)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hung"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=16)
    default = Path(__file__).parent / "results" / "cpu" / "stress.json"
    parser.add_argument("file", nargs="?", type=Path, default=default)
    arguments = parser.parse_args()

    work = work_list()
    expected = [outcome(call) for _, call in work]
    each = max(1, arguments.calls // (arguments.threads * (MARKS + 1)))
    wrong: dict[str, int] = {}
    failed = sum(isinstance(result, tuple) and isinstance(result[0], str) for result in expected)
    print(f"{len(work)} kinds of calls, {failed} of them errors; {arguments.threads} threads")

    def check(position: int) -> bool:
        name, call = work[position]
        if same(outcome(call), expected[position]):
            return True
        wrong[name] = wrong.get(name, 0) + 1
        return False

    def compute(number: int) -> None:
        for step in range(each):
            check((step * 7 + number) % len(work))

    start = time.perf_counter()
    run(arguments.threads, compute)
    gc.collect()
    marks = [resident()]
    children: dict[str, int] = {}
    for mark in range(MARKS):
        done = threading.Event()
        runner = threading.Thread(target=lambda done=done: (run(arguments.threads, compute), done.set()))
        runner.start()
        for _ in range(FORKS // MARKS if hasattr(os, "fork") else 0):
            end = fork_and_check(lambda: all(check(position) for position in range(len(work))))
            children[end] = children.get(end, 0) + 1
        runner.join()
        gc.collect()
        marks.append(resident())
        calls = (mark + 2) * each * arguments.threads
        memory = "" if marks[-1] is None else f", {marks[-1] / 1e6:.1f} MB resident"
        print(f"{calls:9d} calls, {time.perf_counter() - start:7.1f} s{memory}", flush=True)
    seconds = time.perf_counter() - start
    grown = None if marks[0] is None or marks[-1] is None else marks[-1] - marks[0]
    print(f"wrong results: {sum(wrong.values())} {wrong or ''}")
    print(f"forked children: {children}")
    print(f"resident memory grew by {'unknown' if grown is None else f'{grown / 1e6:.2f} MB'} after warm-up")
    machine = {
        "processor": processor(),
        "cores": lap.get_num_threads(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "lapack": lap.library_info()["vendor"],
        "date": time.strftime("%Y-%m-%d"),
    }
    note = (
        "mixed calls on threads, every result compared bit for bit with the one computed alone; bytes resident after "
    )
    note += "warm-up and after each tenth of the calls; children forked in between compute every kind of call"
    result = {
        "note": note,
        "machine": machine,
        "threads": arguments.threads,
        "kinds": len(work),
        "calls": (MARKS + 1) * each * arguments.threads,
        "seconds": round(seconds, 1),
        "wrong": wrong,
        "children": children,
        "resident_bytes": marks,
        "growth_bytes": grown,
    }
    arguments.file.write_text(json.dumps(result, indent=1) + "\n")
    bad_children = sum(children.values()) - children.get("right", 0)
    return 1 if wrong or bad_children or (grown or 0) > ALLOWED_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
