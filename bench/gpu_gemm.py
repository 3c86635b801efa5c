"""Matrix products on a GPU beside cuBLAS, through torch: the example `gemm_bench`, then each of its cases with torch.

    cargo build --release -p lapack-ai-opencl --example gemm_bench
    python bench/gpu_gemm.py target/release/examples/gemm_bench [OUTPUT.json [CASES ...]]

CASES takes the cases whose line has one of these texts, as `"float16` or `tf32`. Needs torch with CUDA. Times are
those of device events around one product, the median of several; random data. ``empty_seconds`` and
``cublas_empty_seconds`` are the times of a kernel that does almost nothing, measured alike: the smallest products
consist of little else.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch


def median_seconds(work, repeats: int) -> float:
    """Median time of `work` on the device."""
    times = []
    for _ in range(repeats + 1):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        # Work in the queue before the first event keeps the host's time out of the interval.
        torch.cuda._sleep(200_000)
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) * 1e-3)
    return sorted(times[1:])[repeats // 2]


def peer_seconds(case: dict) -> float:
    """The time of cuBLAS for a case."""
    in_tf32 = case["dtype"] == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = in_tf32
    dtype = torch.float32 if in_tf32 else getattr(torch, case["dtype"])
    batch, m, n, k = (case[key] for key in ("batch", "m", "n", "k"))

    def matrix(rows: int, cols: int, transposed: bool) -> torch.Tensor:
        shape = (batch, cols, rows) if transposed else (batch, rows, cols)
        made = torch.rand(shape, dtype=dtype if dtype.itemsize > 2 else torch.float32, device="cuda")
        made -= 0.5
        made = made.to(dtype)
        made = made.transpose(1, 2) if transposed else made
        return made if batch > 1 else made[0]

    a, b = matrix(m, k, case["ops"][0] == "T"), matrix(k, n, case["ops"][1] == "T")
    out = torch.empty((batch, m, n) if batch > 1 else (m, n), dtype=dtype, device="cuda")
    repeats = int(min(25, max(5, 4e11 / (2 * batch * m * n * k))))
    if case["beta"] == 0:
        return median_seconds(lambda: torch.matmul(a, b, out=out), repeats)
    out.zero_()
    update = out.baddbmm_ if batch > 1 else out.addmm_
    return median_seconds(lambda: update(a, b, beta=1, alpha=-1), repeats)


def copy_rate() -> float:
    """GB/s of a large copy, bytes read and written."""
    source = torch.rand(1 << 28, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / median_seconds(lambda: target.copy_(source), 9) / 1e9


def main() -> None:
    cases: list[dict] = []
    for text in sys.argv[3:] or [""]:
        command = [sys.argv[1], "", text]
        lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        first, *some = (json.loads(line) for line in lines)
        cases += some
    single = torch.zeros(1, device="cuda")
    result = {
        **first,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cublas_empty_seconds": median_seconds(single.zero_, 15),
        "copy_gbs": round(copy_rate()),
        "cases": cases,
    }
    print(first, result["torch"], f"copy {result['copy_gbs']} GB/s")
    for case in cases:
        case["cublas_seconds"] = peer_seconds(case)
        case["ratio"] = round(case["cublas_seconds"] / case["seconds"], 3)
        peer = case["tflops"] / case["ratio"]
        shape = " ".join(str(case[key]) for key in ("batch", "m", "n", "k"))
        update = ", C -= A B" if case["beta"] else ""
        error = "" if case["error"] is None else f", error {case['error']:.1e}"
        print(
            f"{case['dtype']} {case['ops']} {shape}{update}: {case['tflops']:.1f} TFLOP/s, {case['gbs']:.0f} GB/s, "
            f"cuBLAS {peer:.1f} TFLOP/s, ratio {case['ratio']:.2f}{error}, {case['kernels']}"
        )
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
