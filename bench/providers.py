"""Measures what lapack_py adds to the LAPACK it was given: the same routines of the same library, called directly.

Usage: python bench/providers.py [NAME] [--n N] [--rounds R] [--out FILE]      (default: mkl-lp64, n = 2000, 15 rounds)

NAME is a library of bin/fetch-lapacks. Both sides run in one process on one image of the library with one setting of
its threads, and take turns; the ratio is formed round by round and its median quoted. LAPACK overwrites its input, so
both sides copy A in each call, and both give their results in new arrays. The direct side keeps its workspace. Results
go to bench/results/cpu/providers.json.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import processor

ROOT = Path(__file__).parent.parent
INDEX = ROOT / ".cache" / "lapacks" / "index.json"
RESULTS = Path(__file__).parent / "results" / "cpu" / "providers.json"
LIMIT = 1.01


def with_library(name: str) -> dict[str, Any]:
    """The library's entry; starts this program anew in the environment that the library needs."""
    if not INDEX.is_file():
        sys.exit("there are no libraries yet; python bin/fetch-lapacks brings them")
    entries = {entry["name"]: entry for entry in json.loads(INDEX.read_text())["lapacks"]}
    if name not in entries:
        sys.exit(f"{name} is not here; there are {', '.join(entries)}")
    wanted = {**entries[name]["environment"], "LAPACK_AI_LIBRARY": entries[name]["path"]}
    if any(os.environ.get(key) != value for key, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})
    return entries[name]


class Direct:
    """The routines themselves. Integers are passed as 64-bit cells, which LP64 libraries read the lower half of."""

    def __init__(self, path: str, n: int):
        self.library = ctypes.CDLL(path, os.RTLD_NOW | os.RTLD_LOCAL | getattr(os, "RTLD_DEEPBIND", 0))
        spellings = [(prefix, suffix) for prefix in ("scipy_", "") for suffix in ("_", "_64_", "64_")]
        self.spelling = next(s for s in spellings if hasattr(self.library, f"{s[0]}dgesv{s[1]}"))
        self.n = n
        self.copy = np.empty((n, n), order="F")
        self.pivots = np.empty(n, np.int64)
        self.integers = np.empty(8 * n, np.int64)
        self.work = np.empty(1)
        self.work = np.empty(int(self.gesdd(self.copy, query=True)))

    def call(self, routine: str, *arguments: Any) -> None:
        prefix, suffix = self.spelling
        cells = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                cells.append(ctypes.c_void_p(argument.ctypes.data))
            elif isinstance(argument, int):
                cells.append(ctypes.byref(ctypes.c_int64(argument)))
            elif isinstance(argument, float):
                cells.append(ctypes.byref(ctypes.c_double(argument)))
            else:
                cells.append(argument)
        lengths = [ctypes.c_size_t(1) for argument in arguments if isinstance(argument, bytes)]
        getattr(self.library, f"{prefix}{routine}{suffix}")(*cells, *lengths)

    def checked(self, routine: str, *arguments: Any) -> None:
        info = ctypes.c_int64(0)
        self.call(routine, *arguments, ctypes.byref(info))
        assert ctypes.c_int32(info.value).value == 0, (routine, info.value)

    def gesv(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        np.copyto(self.copy, a)
        x = b.copy()
        self.checked("dgesv", self.n, 1, self.copy, self.n, self.pivots, x, self.n)
        return x

    def getrf_and_twice_getrs(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The calls that `lap.solve` makes: the second right-hand side is the one that tells the conditioning."""
        np.copyto(self.copy, a)
        x, probe = b.copy(), b.copy()
        self.checked("dgetrf", self.n, self.n, self.copy, self.n, self.pivots)
        for rhs in (x, probe):
            self.checked("dgetrs", b"N", self.n, 1, self.copy, self.n, self.pivots, rhs, self.n)
        return x

    def gesdd(self, a: np.ndarray, query: bool = False) -> Any:
        n, length = self.n, -1 if query else len(self.work)
        u, s, vh = (np.empty(shape, order="F") for shape in ((n, n), (n,), (n, n)))
        if not query:
            np.copyto(self.copy, a)
        self.checked("dgesdd", b"S", n, n, self.copy, n, s, u, n, vh, n, self.work, length, self.integers)
        return self.work[0] if query else (u, s, vh)

    def potrf(self, a: np.ndarray) -> np.ndarray:
        factor = np.empty((self.n, self.n), order="F")
        np.copyto(factor, a)
        self.checked("dpotrf", b"L", self.n, factor, self.n)
        return factor

    def gemm(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        n, product = self.n, np.empty((self.n, self.n), order="F")
        self.call("dgemm", b"N", b"N", n, n, n, 1.0, a, n, b, n, 0.0, product, n)
        return product


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Median seconds of both, and the median over rounds of ours / theirs; who begins changes from round to round."""

    def timed(call: Callable[[], object]) -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    for call in (ours, theirs) * 2:
        call()
    pairs = []
    for turn in range(rounds):
        if turn % 2:
            their, our = timed(theirs), timed(ours)
        else:
            our, their = timed(ours), timed(theirs)
        pairs.append((our, their))
    median = statistics.median
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="mkl-lp64")
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    entry = with_library(options.name)
    # Only now, since importing it may already look at the environment.
    import lapack_py as lap

    n = options.n
    random = np.random.default_rng(6)
    a = np.asfortranarray(random.standard_normal((n, n)))
    p = np.asfortranarray(a @ a.T + n * np.eye(n))
    # A product in C order is the same call of dgemm as one in Fortran order, with the operands exchanged.
    rows_of_a, rows_of_p = np.ascontiguousarray(a), np.ascontiguousarray(p)
    b = random.standard_normal(n)
    threads = lap.get_num_threads()
    info = lap.library_info()
    direct = Direct(entry["path"], n)

    contests: dict[str, tuple[str, Callable[[], Any], Callable[[], Any], Callable[[Any], np.ndarray]]] = {
        "matmul": ("dgemm", lambda: lap.matmul(rows_of_a, rows_of_p), lambda: direct.gemm(a, p), lambda c: c),
        "cholesky": ("dpotrf", lambda: lap.cholesky(p), lambda: direct.potrf(p), np.tril),
        "solve": ("dgesv", lambda: lap.solve(a, b), lambda: direct.gesv(a, b), lambda x: x),
        "solve, same calls": (
            "dgetrf, dgetrs, dgetrs",
            lambda: lap.solve(a, b),
            lambda: direct.getrf_and_twice_getrs(a, b),
            lambda x: x,
        ),
        "svd": ("dgesdd", lambda: lap.svd(a), lambda: direct.gesdd(a), lambda result: result[1]),
    }
    print(f"{options.name}: {info['vendor'] or 'reference LAPACK'}, {threads} threads, n = {n}")
    print("milliseconds (ours, direct, ours / direct)")
    rows = []
    for operation, (routines, ours, theirs, part) in contests.items():
        # A contest between different results would say nothing.
        mine, other = part(ours()), part(theirs())
        assert np.abs(mine - other).max() <= 1e-6 * np.abs(other).max(), operation
        rounds = max(3, options.rounds // 3) if operation == "svd" else options.rounds
        t_ours, t_direct, ratio = in_turns(ours, theirs, rounds)
        row = {"operation": operation, "routines": routines, "n": n, "rounds": rounds}
        rows.append({**row, "ms": t_ours * 1e3, "direct_ms": t_direct * 1e3, "ratio": ratio, "met": ratio <= LIMIT})
        print(f"  {operation:18s} {t_ours * 1e3:9.2f} {t_direct * 1e3:9.2f}  {ratio:.4f}  {routines}", flush=True)
    machine = {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "library": options.name,
        "lapack": info["vendor"],
        "lapack_version": info["version"],
        "integer_bits": info["integer_bits"],
        "lapack_py": lap.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    note = "float64, Fortran order (matmul: C order), one process, one image of the library; both sides copy A and give"
    note += f" new arrays; ratio = ours / direct, median over rounds, wanted at most {LIMIT:g}; solve does more than"
    note += " dgesv: it looks for NaN and Inf and tells the conditioning, for which it solves a second right-hand side;"
    note += " in 'solve, same calls' the direct side solves one too"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"note": note, "machine": machine, "rows": rows}, indent=1) + "\n")
    print(f"  -> {options.out}")


if __name__ == "__main__":
    main()
