"""Large products by `DGEMM_ALPHA` and `SGEMM_ALPHA` beside BLAS libraries, in turns.

Usage: python bench/gemm_large.py [--peer NAME=LIBRARY:PREFIX] ... [--threads T ...] [--rounds R] [--out FILE]

PREFIX comes before `gemm_`: `d` and `s` are put behind it. The first peer is the LAPACK that the library uses. For
every number of threads a process of its own calls all contenders in turns on the same matrices (uniform in [-1, 1),
column-major), with a pause before each call in which other libraries' waiting threads go to sleep. `auto` is free to
choose; the others are named. A ratio is the better peer's time over a contender's, both of the same round; figures are
medians of ratios and least times. Every result is compared, at 64 places, with sums of exact products. Results go to
bench/results/cpu/gemm-large.json.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from math import fsum
from pathlib import Path
from typing import Any

import numpy as np
from machine import processor

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "cpu" / "gemm-large.json"
LETTERS = {"strassen": "S", "winograd": "W", "alphatensor": "A", "rank48": "R"}
ALL = ("auto", *LETTERS)
PAUSE = 0.3
# Extents m, n, k, letters of the transposes, contenders beside the peers; the largest first: before it `auto` measures.
DOUBLE: list[tuple[tuple[int, int, int], str, tuple[str, ...]]] = [
    ((6144, 6144, 6144), "NN", ("auto",)),
    ((4096, 4096, 4096), "NN", ALL),
    ((3072, 3072, 3072), "NN", ("auto", "strassen")),
    ((2048, 2048, 2048), "NN", ALL),
    ((1536, 1536, 1536), "NN", ("auto", "strassen")),
    ((1024, 1024, 1024), "NN", ALL),
    ((512, 512, 512), "NN", ("auto", "strassen")),
    ((4096, 4096, 4096), "TN", ("auto",)),
    ((4096, 4096, 4096), "NT", ("auto",)),
    ((4095, 4097, 4093), "NN", ("auto",)),
    ((4096, 4096, 512), "NN", ("auto",)),
    ((6144, 6144, 1024), "NN", ("auto",)),
    ((12288, 1024, 1024), "NN", ("auto",)),
]
SINGLE: list[tuple[tuple[int, int, int], str, tuple[str, ...]]] = [
    ((4096, 4096, 4096), "NN", ("auto",)),
    ((2048, 2048, 2048), "NN", ("auto",)),
]


def routine(library: ctypes.CDLL, symbol: str, letter: str = "") -> Callable[..., None]:
    """A call of xGEMM's interface on arrays in Fortran order."""
    function = getattr(library, symbol)
    function.restype = None

    def call(letters: str, a: np.ndarray, b: np.ndarray, c: np.ndarray, k: int) -> None:
        kind = ctypes.c_double if c.dtype == np.float64 else ctypes.c_float
        sizes = [ctypes.byref(ctypes.c_int(size)) for size in (*c.shape, k)]
        ld = [ctypes.byref(ctypes.c_int(x.shape[0])) for x in (a, b, c)]
        data = [ctypes.c_void_p(x.ctypes.data) for x in (a, b, c)]
        texts = [text.encode() for text in (letter + letters)]
        one, zero = ctypes.byref(kind(1)), ctypes.byref(kind(0))
        function(*texts, *sizes, one, data[0], ld[0], data[1], ld[1], zero, data[2], ld[2])

    return call


def worst(letters: str, a: np.ndarray, b: np.ndarray, c: np.ndarray, places: np.ndarray) -> float:
    """Largest error at some places, in units of k eps max|A| max|B|."""
    left, right = (a if letters[0] == "N" else a.T), (b if letters[1] == "N" else b.T)
    errors = []
    for i, j in places:
        # A product of two float64 is the sum of two: the rounded one and what it lacks, by Dekker's splitting.
        x, y = left[i].astype(np.float64), right[:, j].astype(np.float64)
        split = [(v * 134217729.0) - (v * 134217729.0 - v) for v in (x, y)]
        low = [v - high for v, high in zip((x, y), split, strict=True)]
        p = x * y
        rest = ((split[0] * split[1] - p) + split[0] * low[1] + low[0] * split[1]) + low[0] * low[1]
        errors.append(abs(fsum([*p, *rest, -float(c[i, j])])))
    unit = left.shape[1] * np.finfo(c.dtype).eps * np.abs(a).max() * np.abs(b).max()
    return float(max(errors) / unit)


def measure(peers: dict[str, list[str]], threads: int, rounds: int) -> list[dict[str, Any]]:
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    own = ctypes.CDLL(str(target / "release" / "liblapack_ai.so"))
    libraries = {name: ctypes.CDLL(path, os.RTLD_NOW | os.RTLD_LOCAL) for name, (path, _) in peers.items()}
    rows = []
    random = np.random.default_rng(11)
    for letter, dtype, cases in (("d", np.float64, DOUBLE), ("s", np.float32, SINGLE)):
        calls = {name: routine(libraries[name], f"{prefix}{letter}gemm_") for name, (_, prefix) in peers.items()}
        calls["auto"] = routine(own, f"{letter}gemm_alpha_")
        calls |= {name: routine(own, f"{letter}gemm_alphax_", code) for name, code in LETTERS.items()}
        for case, ((m, n, k), letters, contenders) in enumerate(cases):
            shapes = [(m, k) if letters[0] == "N" else (k, m), (k, n) if letters[1] == "N" else (n, k)]
            a, b = (np.asfortranarray(random.uniform(-1, 1, shape).astype(dtype)) for shape in shapes)
            places = np.stack([random.integers(0, m, 64), random.integers(0, n, 64)], axis=1)
            names = [*peers, *contenders]
            times: dict[str, list[float]] = {name: [] for name in names}
            errors = {}
            c = np.zeros((m, n), dtype, order="F")
            if case == 0:
                calls["auto"](letters, a, b, c, k)
            for turn in range(rounds):
                for at in range(len(names)):
                    name = names[(at + turn) % len(names)]
                    time.sleep(PAUSE)
                    start = time.perf_counter()
                    calls[name](letters, a, b, c, k)
                    times[name].append(time.perf_counter() - start)
                    if turn == 0:
                        errors[name] = worst(letters, a, b, c, places)
                        assert errors[name] < 64, (name, errors[name])
            best_peer = [min(times[peer][turn] for peer in peers) for turn in range(rounds)]
            ratio = {
                name: statistics.median(peer / own for peer, own in zip(best_peer, times[name], strict=True))
                for name in contenders
            }
            flops = 2.0 * m * n * k
            row = {"dtype": np.dtype(dtype).name, "threads": threads, "m": m, "n": n, "k": k, "transposes": letters}
            row |= {"gflops": {name: round(flops / min(t) / 1e9, 2) for name, t in times.items()}}
            least = min(min(times[peer]) for peer in peers)
            row |= {"ratio": {name: round(value, 4) for name, value in ratio.items()}}
            row |= {"ratio_of_least": {name: round(least / min(times[name]), 4) for name in contenders}}
            row |= {"error": {name: float(f"{value:.3g}") for name, value in errors.items()}, "rounds": rounds}
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=LIBRARY:PREFIX")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    peers = {}
    for text in options.peer:
        name, _, where = text.partition("=")
        peers[name] = where.rsplit(":", 1)
    if not peers:
        parser.error("name a BLAS: --peer OpenBLAS=libopenblas.so.0:")
    if options.measure:
        print(json.dumps(measure(peers, options.measure, options.rounds)))
        return
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "lapack-ai-capi"], cwd=ROOT, check=True)
    # Rows of other numbers of threads stay.
    kept = json.loads(options.out.read_text())["rows"] if options.out.is_file() else []
    rows = [row for row in kept if row["threads"] not in options.threads]
    for threads in options.threads:
        count = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")}
        environment = {"MKL_INTERFACE_LAYER": "LP64", "MKL_THREADING_LAYER": "INTEL", **os.environ, **count}
        environment["LAPACK_AI_LIBRARY"] = next(iter(peers.values()))[0]
        command = [sys.executable, __file__, "--measure", str(threads), "--rounds", str(options.rounds)]
        command += [argument for text in options.peer for argument in ("--peer", text)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
        rows += json.loads(done.stdout)
    note = (
        "alpha = 1, beta = 0; gflops: 2 m n k by the least time; ratio: the better peer's time over the contender's, "
        "median of rounds in which all take turns; ratio_of_least: the same of least times; error: largest at 64 "
        "places, in units of k eps max|A| max|B|; the machine is a virtual one that others use as well; peers: "
    )
    machine = {"processor": processor(), "cores": os.cpu_count(), "date": date.today().isoformat()}
    found = {"note": note + ", ".join(peers), "machine": machine, "rows": rows}
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
