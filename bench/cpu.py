"""Measures lapack_py on the CPU against NumPy, SciPy and direct LAPACK calls; writes bench/results/cpu/*.json.

Usage: python bench/cpu.py [latency] [batches] [large] [overhead]      (all by default)

Only ratios taken in one run mean anything on a shared machine. Contestants take turns, the ratio is formed round by
round and its median quoted. Libraries with thread pools of their own disturb each other when they take turns inside one
process (idle threads spin for a while), so the large matrices are measured in a process for each contestant and round.
SciPy and lapack_py use the same LAPACK file there, the one in SciPy's wheel.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import scipy.linalg
from machine import cpuinfo, processor

import lapack_py as lap

RESULTS = Path(__file__).parent / "results" / "cpu"
ROOT = Path(__file__).parent.parent


def machine() -> dict[str, Any]:
    return {
        "processor": processor(),
        "avx512": "avx512f" in cpuinfo(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "lapack": lap.library_info()["vendor"],
        "lapack_py": lap.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def write(name: str, rows: list[dict[str, Any]], note: str) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"note": note, "machine": machine(), "rows": rows}, indent=1) + "\n")
    print(f"  -> {path.relative_to(ROOT)}")


def timed(call: Callable[[], object], number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number


def in_turns(
    ours: Callable[[], object], theirs: Callable[[], object], number: int, rounds: int
) -> tuple[float, float, float]:
    """Median times of both, and the median over rounds of ours / theirs."""
    timed(ours, max(1, number // 10))
    timed(theirs, max(1, number // 10))
    pairs = [(timed(ours, number), timed(theirs, number)) for _ in range(rounds)]
    median = statistics.median
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)


def residual(a: np.ndarray, product: np.ndarray) -> float:
    """Largest ``norm(A - product) / (norm(A) n eps)`` over a stack."""
    n = max(a.shape[-2:])
    norm = np.abs(a).sum(-2).max(-1)
    return float((np.abs(a - product).sum(-2).max(-1) / (norm * n * np.finfo(a.dtype).eps)).max())


def latency() -> None:
    print("one small matrix, microseconds a call (ours, NumPy's, ratio)")
    random = np.random.default_rng(1)
    rows = []
    for n in (2, 4, 8, 16):
        a, b = random.standard_normal((n, n)), random.standard_normal(n)
        h, p = a + a.T, a @ a.T + n * np.eye(n)
        contests = {
            "solve": (lambda a=a, b=b: lap.solve(a, b), lambda a=a, b=b: np.linalg.solve(a, b)),
            "svd": (lambda a=a: lap.svd(a), lambda a=a: np.linalg.svd(a)),
            "eigh": (lambda h=h: lap.eigh(h), lambda h=h: np.linalg.eigh(h)),
            "qr": (lambda a=a: lap.qr(a), lambda a=a: np.linalg.qr(a)),
            "cholesky": (lambda p=p: lap.cholesky(p), lambda p=p: np.linalg.cholesky(p)),
            "lstsq": (lambda a=a, b=b: lap.lstsq(a, b), lambda a=a, b=b: np.linalg.lstsq(a, b)),
            "matmul": (lambda a=a: lap.matmul(a, a), lambda a=a: np.matmul(a, a)),
        }
        for operation, (ours, theirs) in contests.items():
            t_ours, t_theirs, ratio = in_turns(ours, theirs, 5000, 15)
            row = {"operation": operation, "n": n, "us": t_ours * 1e6, "numpy_us": t_theirs * 1e6, "ratio": ratio}
            rows.append(row)
            print(f"  {operation:9s} {n:3d}  {t_ours * 1e6:8.2f} {t_theirs * 1e6:8.2f}  {ratio:.3f}")
    write(
        "latency", rows, "one float64 matrix, C order, microseconds a call; ratio = ours / NumPy's, median over rounds"
    )


def batches() -> None:
    print("batches, milliseconds (ours, NumPy's, NumPy's / ours)")
    random = np.random.default_rng(2)
    rows = []
    cases = [
        ("svd", 100_000, 4),
        ("solve", 100_000, 4),
        ("eigh", 20_000, 16),
        ("cholesky", 100_000, 4),
        ("qr", 50_000, 4),
    ]
    for operation, count, n in cases:
        a = random.standard_normal((count, n, n))
        b = random.standard_normal((count, n, 1))
        if operation == "eigh":
            a = a + a.transpose(0, 2, 1)
        if operation == "cholesky":
            a = a @ a.transpose(0, 2, 1) + n * np.eye(n)
        arguments = (a, b) if operation == "solve" else (a,)
        ours = functools.partial(getattr(lap, operation), *arguments)
        theirs = functools.partial(getattr(np.linalg, operation), *arguments)
        result = ours()
        if operation == "svd":
            error = residual(a, (result.U * result.S[:, None, :]) @ result.Vh)
        elif operation == "solve":
            scale = np.abs(a).sum(1).max(1) * np.abs(result).sum(1).max(1) * n * np.finfo(float).eps
            error = float((np.abs(a @ result - b).sum(1).max(1) / scale).max())
        elif operation == "eigh":
            w, v = result
            error = residual(a, (v * w[:, None, :]) @ v.transpose(0, 2, 1))
        elif operation == "cholesky":
            error = residual(a, result @ result.transpose(0, 2, 1))
        else:
            error = residual(a, result.Q @ result.R)
        t_ours, t_theirs, ratio = in_turns(ours, theirs, 1, 31)
        row = {"operation": operation, "count": count, "n": n, "ms": t_ours * 1e3, "numpy_ms": t_theirs * 1e3}
        rows.append({**row, "speedup": 1 / ratio, "residual_n_eps": error})
        shown = f"{t_ours * 1e3:8.1f} {t_theirs * 1e3:8.1f}  {1 / ratio:.2f}x  residual {error:.1f} n eps"
        print(f"  {operation:9s} ({count}, {n}, {n})  {shown}")
    write("batches", rows, "float64, C order; speedup = NumPy's time / ours, median over rounds")


CONTESTANTS = {
    "ours": {
        "solve": "lap.solve(a, b)",
        "cholesky": "lap.cholesky(p)",
        "qr": "lap.qr(a)",
        "eigh": "lap.eigh(h)",
        "svd": "lap.svd(a)",
    },
    "scipy": {
        "solve": "sl.solve(a, b)",
        "cholesky": "sl.cholesky(p, lower=True)",
        "qr": "sl.qr(a, mode='economic')",
        "eigh": "sl.eigh(h, driver='evd')",
        "svd": "sl.svd(a)",
    },
    "numpy": {
        "solve": "np.linalg.solve(a, b)",
        "cholesky": "np.linalg.cholesky(p)",
        "qr": "np.linalg.qr(a)",
        "eigh": "np.linalg.eigh(h)",
        "svd": "np.linalg.svd(a)",
    },
}

CHILD = """
import sys, time, statistics
import numpy as np
{imports}
random = np.random.default_rng(3)
n = {n}
a = random.standard_normal((n, n)); b = random.standard_normal(n)
h = a + a.T; p = a @ a.T + n * np.eye(n)
time.sleep(0.3)
def run():
    return {call}
run(); run()
times = []
for _ in range({repeats}):
    start = time.perf_counter(); run(); times.append(time.perf_counter() - start)
print(statistics.median(times))
"""

IMPORTS = {"ours": "import lapack_py as lap", "scipy": "import scipy.linalg as sl", "numpy": ""}


def scipys_lapack() -> str | None:
    """The OpenBLAS inside SciPy's wheel."""
    folders = [Path(scipy.__file__).parent.parent / "scipy.libs", Path(scipy.__file__).parent / ".dylibs"]
    found = [file for folder in folders for file in folder.glob("libscipy_openblas*")]
    return str(found[0]) if found else None


def child(who: str, operation: str, n: int, repeats: int, library: str | None) -> float:
    code = CHILD.format(imports=IMPORTS[who], n=n, call=CONTESTANTS[who][operation], repeats=repeats)
    environment = {**os.environ, **({"LAPACK_AI_LIBRARY": library} if library else {})}
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def large() -> None:
    print("large matrices, milliseconds (ours, SciPy's, NumPy's, ours / SciPy's, ours / NumPy's)")
    library = scipys_lapack()
    rows = []
    for n, rounds in ((1000, 7), (2000, 5)):
        for operation in ("solve", "cholesky", "qr", "eigh", "svd"):
            repeats = {"solve": 15, "cholesky": 15, "qr": 9, "eigh": 5, "svd": 3}[operation]
            times: dict[str, list[float]] = {who: [] for who in CONTESTANTS}
            for _ in range(rounds):
                for who in CONTESTANTS:
                    times[who].append(child(who, operation, n, repeats, library))
            ratio = {
                who: statistics.median(x / y for x, y in zip(times["ours"], times[who], strict=True))
                for who in ("scipy", "numpy")
            }
            ms = {who: statistics.median(values) * 1e3 for who, values in times.items()}
            row = {"operation": operation, "n": n, "ms": ms["ours"], "scipy_ms": ms["scipy"], "numpy_ms": ms["numpy"]}
            rows.append({**row, "over_scipy": ratio["scipy"], "over_numpy": ratio["numpy"]})
            shown = "  ".join(f"{ms[who]:8.1f}" for who in ("ours", "scipy", "numpy"))
            print(f"  {operation:9s} {n:5d}  {shown}  {ratio['scipy']:.3f}  {ratio['numpy']:.3f}", flush=True)
    note = "float64, C order, a process for each contestant and round; SciPy and lapack_py on SciPy's OpenBLAS file"
    write("large", rows, note + "; ratios = ours / theirs, median over rounds; eigh by divide and conquer everywhere")


def overhead() -> None:
    print("over a direct call of the same routine with the same buffers")
    command = ["cargo", "bench", "--quiet", "-p", "lapack-ai", "--bench", "overhead"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)
    for row in rows:
        shown = "direct {direct_us:10.1f} us  ours {ours_us:10.1f} us  over {over_percent:+.2f} %".format(**row)
        print(f"  {row['operation']:17s} {row['n']:5d}  {shown}")
    note = "Rust, float64, same buffers, both sides copy A once; over_percent = median over rounds of ours / direct - 1"
    note += "; 'solve' adds the conditioning probe, in 'solve, same calls' the direct side has one too"
    write("overhead", rows, note)


def main() -> None:
    sections = {"latency": latency, "batches": batches, "large": large, "overhead": overhead}
    chosen = sys.argv[1:] or list(sections)
    unknown = [name for name in chosen if name not in sections]
    if unknown:
        sys.exit(f"unknown section {unknown[0]}; there are {', '.join(sections)}")
    for name in chosen:
        sections[name]()


if __name__ == "__main__":
    main()
