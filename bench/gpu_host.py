"""NumPy to NumPy: products of arrays of the host on a GPU and on the processor, transfers included.

    python bench/gpu_host.py [OUTPUT.json]

`out=` is allocated beforehand. Medians of the calls; results are checked by a random vector (Freivalds): ``error`` is
max |C x - A (B x)| in units of n eps |A| |B| |x|. ``kernel_seconds`` is the part of the last call in which kernels ran.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from machine import processor

import lapack_py as lap


def median_call(work, repeats: int) -> tuple[float, object]:
    """Median seconds of `work`, and the last call's result."""
    times = []
    warm = min(2, repeats)
    for _ in range(repeats + warm):
        begin = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - begin)
    return sorted(times[warm:])[repeats // 2], result


def case(n: int, dtype: str) -> dict:
    rng = np.random.default_rng(n)
    a, b = (rng.standard_normal((n, n)).astype(dtype) for _ in range(2))
    out = np.empty((n, n), dtype)
    gpu, (_, report) = median_call(lambda: lap.matmul(a, b, out=out, gpu="require", return_report=True), 15)
    assert report.engine == "opencl", report
    x = rng.standard_normal(n)
    exact = a.astype(float) @ (b.astype(float) @ x)
    scale = np.linalg.norm(a) * np.linalg.norm(b) * np.linalg.norm(x)
    error = np.abs(out.astype(float) @ x - exact).max() / (n * np.finfo(dtype).eps * scale)
    # Threads of the processor's LAPACK spin for a while after a call: the two sides do not take turns.
    repeats = 5 if n < 8192 else 1
    cpu, _ = median_call(lambda: lap.matmul(a, b, out=out, gpu=False), repeats)
    numpy_seconds, _ = median_call(lambda: np.matmul(a, b, out=out), repeats)
    return {
        "dtype": dtype,
        "n": n,
        "gpu_seconds": gpu,
        "cpu_seconds": cpu,
        "numpy_seconds": numpy_seconds,
        "times_faster": round(cpu / gpu, 2),
        "kernel_seconds": report.times["compute"],
        "error": float(error),
    }


def main() -> None:
    name = next(device.name for device in lap.devices() if device.chosen)
    result = {"device": name, "processor": processor(), "cores": os.cpu_count(), "cases": []}
    for dtype in ("float64", "float32"):
        for n in (1024, 2048, 4096, 8192):
            made = case(n, dtype)
            result["cases"].append(made)
            print(
                f"{dtype} {n}: GPU {made['gpu_seconds'] * 1e3:.2f} ms, processor {made['cpu_seconds'] * 1e3:.1f} ms "
                f"({made['times_faster']:.1f} times), NumPy {made['numpy_seconds'] * 1e3:.1f} ms, "
                f"error {made['error']:.1e}"
            )
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
