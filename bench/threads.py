"""How batches and large matrices scale with the threads of this machine; prints a table and writes it as JSON.

Usage: python bench/threads.py [FILE]      (default: bench/results/cpu/threads.json)
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import processor

import lapack_py as lap


def median_ms(call: Callable[[], object], repeats: int) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def main() -> None:
    print(lap.doctor())
    random = np.random.default_rng(4)
    small, rhs = random.standard_normal((200_000, 4, 4)), random.standard_normal((200_000, 4, 1))
    middle = random.standard_normal((20_000, 16, 16))
    middle = middle + middle.transpose(0, 2, 1)
    positive = middle @ middle.transpose(0, 2, 1) + 16 * np.eye(16)
    column = middle[..., :1]
    large = random.standard_normal((1000, 1000))
    work: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "svd 200000 x 4 x 4": (lambda: lap.svd(small), lambda: np.linalg.svd(small)),
        "solve 200000 x 4 x 4": (lambda: lap.solve(small, rhs), lambda: np.linalg.solve(small, rhs)),
        "eigh 20000 x 16 x 16": (lambda: lap.eigh(middle), lambda: np.linalg.eigh(middle)),
        "cholesky 20000 x 16 x 16": (lambda: lap.cholesky(positive), lambda: np.linalg.cholesky(positive)),
        "solve 20000 x 16 x 16": (lambda: lap.solve(middle, column), lambda: np.linalg.solve(middle, column)),
        "svd 1000 x 1000": (lambda: lap.svd(large), lambda: np.linalg.svd(large)),
    }
    counts = [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= lap.get_num_threads()]
    rows: list[dict[str, object]] = []
    print(f"{'milliseconds':26s}" + "".join(f"{count:>9d}" for count in counts) + "    NumPy")
    for name, (ours, theirs) in work.items():
        row = []
        for count in counts:
            lap.set_num_threads(count)
            row.append(median_ms(ours, 3))
        numpys = median_ms(theirs, 3)
        rows.append({"work": name, "ms": dict(zip(map(str, counts), row, strict=True)), "numpy_ms": numpys})
        print(f"{name:26s}" + "".join(f"{ms:9.1f}" for ms in row) + f"{numpys:9.1f}", flush=True)
    machine = {
        "processor": processor(),
        "cores": counts[-1],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "lapack": lap.library_info()["vendor"],
        "date": time.strftime("%Y-%m-%d"),
    }
    note = "float64, C order, milliseconds by number of threads, median of 3; NumPy with its own threads"
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results" / "cpu" / "threads.json"
    file.write_text(json.dumps({"note": note, "machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
