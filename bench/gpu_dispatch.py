"""How well dispatch predicts and chooses: random calls that the calibration did not measure.

    python bench/gpu_dispatch.py [--cases 220] [--output FILE]

In an empty cache directory the engines are calibrated; then random (operation, shape, type) are predicted and measured:
products on both engines, other operations, which have no GPU kernels yet, on the CPU. A measured time is the fastest of
repeated calls, each engine measured on its own: the threads of a BLAS go on spinning for an eighth of a second after a
call, and whoever shares the cores with them meanwhile is measured with them; on a virtual machine a threaded call of
50 us may also wait for ticks of the scheduler. The medians are in the file too. For each case the file has what was
predicted before anything of its kind was measured in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time

os.environ["LAPACK_AI_CACHE_DIR"] = tempfile.mkdtemp(prefix="lapack-ai-dispatch-")
os.environ.setdefault("LAPACK_GPU_VERIFY", "sample")

import numpy as np
from machine import processor

import lapack_py as lap

OTHERS = ("solve", "cholesky", "qr", "svd", "svdvals", "eigh", "inv")


def random_product(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """Shapes with extents from 8 to 6000, log-uniform, single or in a batch, of at most 2e11 operations and 0.8 GB."""
    while True:
        dtype = str(rng.choice(["float32", "float64", "complex64", "complex128"], p=[0.3, 0.4, 0.15, 0.15]))
        batch = 1 if rng.random() < 0.7 else int(np.exp(rng.uniform(np.log(2), np.log(20000))))
        top = 6000 if batch == 1 else 600
        m, n, k = (int(np.exp(rng.uniform(np.log(8), np.log(top)))) for _ in range(3))
        factor = 4 if dtype.startswith("complex") else 1
        flops = 2.0 * factor * m * n * k * batch
        size = np.dtype(dtype).itemsize * (m * k + k * n + m * n) * batch
        if 2e6 < flops < 2e11 and size < 8e8:
            lead = () if batch == 1 else (batch,)
            return (*lead, m, k), (*lead, k, n), dtype


def random_other(rng: np.random.Generator) -> tuple[str, tuple[int, ...], str]:
    op = str(rng.choice(OTHERS))
    dtype = str(rng.choice(["float32", "float64"]))
    n = int(np.exp(rng.uniform(np.log(16), np.log(1500))))
    oblong = op in {"qr", "svd", "svdvals"} and rng.random() < 0.5
    m = int(n * np.exp(rng.uniform(0, np.log(4)))) if oblong else n
    return op, (m, n), dtype


def matrix(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    a = rng.standard_normal(shape)
    return np.asarray(a + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else a, dtype=dtype)


def timed(call, budget: float = 1.0) -> tuple[float, float]:
    """Fastest and median seconds of 3 to 9 calls within the budget, after one that warms up, others asleep."""
    time.sleep(0.15)
    call()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < 9 and (len(times) < 3 or time.perf_counter() - begin < budget):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times), float(np.median(times))


def product_case(rng: np.random.Generator) -> dict:
    x, y, dtype = random_product(rng)
    a, b = matrix(rng, x, dtype), matrix(rng, y, dtype)
    explained = lap.explain_dispatch("matmul", (x, y), dtype)
    out = np.empty((*x[:-2], x[-2], y[-1]), dtype=dtype)
    _, report = lap.matmul(a, b, gpu="require", return_report=True)
    assert report.engine == "opencl", report
    cpu = timed(lambda: lap.matmul(a, b, out=out, gpu=False))
    expected = out.copy()
    gpu = timed(lambda: lap.matmul(a, b, out=out, gpu="require"))
    eps = np.finfo(dtype).eps
    scale = np.sqrt(x[-1]) * np.max(np.abs(a)) * np.max(np.abs(b)) * np.sqrt(x[-1])
    assert np.max(np.abs(out - expected)) <= 30 * eps * scale, "the engines disagree"
    prediction = explained.prediction
    predicted = {"cpu": prediction["cpu"], "opencl": (prediction["gpu"] or 0) + (prediction["transfer"] or 0)}
    return {
        "op": "matmul",
        "shape": [list(x), list(y)],
        "dtype": dtype,
        "predicted": predicted,
        "measured": {"cpu": cpu[0], "opencl": gpu[0]},
        "medians": {"cpu": cpu[1], "opencl": gpu[1]},
        "kernel": report.times["compute"],
        "predicted_kernel": prediction["gpu"],
        "chosen": explained.engine,
        "chunks": report.chunks,
    }


def other_case(rng: np.random.Generator) -> dict:
    op, shape, dtype = random_other(rng)
    a = matrix(rng, shape, dtype)
    n = shape[-1]
    if op == "cholesky":
        a = (a @ a.T / n + np.eye(n)).astype(dtype)
    if op == "eigh":
        a = (a + a.T) / 2
    if op == "solve":
        a = (a + 2 * np.sqrt(n) * np.eye(n)).astype(dtype)
    rhs = a[:, :1].copy()
    calls = {
        "solve": lambda: lap.solve(a, rhs, assume_a="gen"),
        "svd": lambda: lap.svd(a, full_matrices=False),
    }
    call = calls.get(op, lambda: getattr(lap, op)(a))
    explained = lap.explain_dispatch(op, shape, dtype)
    fastest, median = timed(call)
    return {
        "op": op,
        "shape": [list(shape)],
        "dtype": dtype,
        "predicted": {"cpu": explained.prediction["cpu"]},
        "measured": {"cpu": fastest},
        "medians": {"cpu": median},
        "chosen": explained.engine,
    }


def summary(cases: list[dict]) -> dict:
    """Errors of the predictions, and what the choice costs against the better engine."""
    errors = {
        name: [abs(c["predicted"][name] / c["measured"][name] - 1) for c in cases if name in c["measured"]]
        for name in ("cpu", "opencl")
    }
    both = [c for c in cases if "opencl" in c["measured"]]
    loss = [c["measured"][c["chosen"]] / min(c["measured"].values()) for c in both]
    everything = errors["cpu"] + errors["opencl"]
    return {
        "cases": len(cases),
        "products": len(both),
        "median_error": float(np.median(everything)),
        "median_error_cpu": float(np.median(errors["cpu"])),
        "median_error_opencl": float(np.median(errors["opencl"])) if errors["opencl"] else None,
        "products_within_10_percent_of_the_better": float(np.mean([x <= 1.1 for x in loss])) if loss else None,
        "all_within_10_percent_of_the_better": float(
            np.mean([x <= 1.1 for x in loss] + [True] * (len(cases) - len(both)))
        ),
        "worst_loss": float(np.max(loss)) if loss else None,
        "opencl_chosen": sum(c["chosen"] == "opencl" for c in both),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=220)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output")
    options = parser.parse_args()
    started = time.perf_counter()
    points = lap.calibrate(["matmul"], seconds=4, progress=True)
    points += lap.calibrate(OTHERS, ["float32", "float64"], seconds=2, progress=True)
    calibration = time.perf_counter() - started
    rng = np.random.default_rng(options.seed)
    count = options.cases * 3 // 4
    cases = []
    for number in range(options.cases):
        cases.append(product_case(rng) if number < count else other_case(rng))
        if number % 20 == 19:
            print(f"{number + 1} of {options.cases}", flush=True)
    chosen = [d for d in lap.devices() if d.chosen]
    result = {
        "processor": processor(),
        "threads": lap.get_num_threads(),
        "versions": {"numpy": np.__version__, "lapack_py": lap.__version__, "lapack": lap.library_info()["vendor"]},
        "device": chosen[0].name if chosen else None,
        "driver": chosen[0].driver if chosen else None,
        "calibration": {"seconds": calibration, "points": points},
        "summary": summary(cases),
        "cases": cases,
    }
    if options.output:
        with open(options.output, "w") as file:
            json.dump(result, file, indent=1)
    print(json.dumps(result["summary"], indent=1))


if __name__ == "__main__":
    main()
