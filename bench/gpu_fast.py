"""Large matrix products on a GPU by schemes with fewer multiplications, beside cuBLAS, through torch.

    cargo build --release -p lapack-ai-opencl --example fast_bench
    python bench/gpu_fast.py target/release/examples/fast_bench [OUTPUT.json [CASES ...]]

CASES takes the cases whose line, such as `float64 NN 8192 8192 8192 0`, has one of these texts. Needs torch with CUDA.
For each case cuBLAS is timed, then the example's methods, in turns, then cuBLAS again; the smaller one of its two
medians counts. Some two minutes on an H200, whose results are in bench/results/h200/gemm-fast.json. Times are the
device's own, data is on the device; ``ratio`` is cuBLAS's time over the method's. Errors are defined in the example;
``cublas_error`` and ``cublas_rms`` are measured alike. With beta = 1 the product is subtracted from C. Beside ``auto``
is what it chose.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from gpu_gemm import copy_rate, median_seconds

SQUARE = [2048, 4096, 6144, 8192, 12288, 16384]
MOST = "classical,strassen-1,strassen-2,strassen-3,winograd-3,rank48-2,rank48-3,auto"
SOME = "classical,rank48-2,rank48-3,auto"
# dtype, layouts, m, n, k, beta, methods ("" for all).
CASES = [
    *(("float64", "NN", n, n, n, 0, "" if n <= 8192 else MOST) for n in SQUARE),
    *(("float64", ops, 8192, 8192, 8192, 0, SOME) for ops in ("TN", "NT")),
    *(("float64", "NN", n, n, n, 0, SOME) for n in (8191, 10000)),
    # Updates of rank k, and tall matrices.
    *(("float64", "NN", 16384, 16384, k, 1, SOME) for k in (2048, 4096)),
    *(("float64", "NN", m, n, n, 0, SOME) for m, n in [(65536, 4096), (32768, 8192)]),
    ("float64", "NN", 8192, 8192, 8192, 1, SOME),
    *(("float32", "NN", n, n, n, 0, "" if n == 8192 else SOME) for n in (4096, 8192, 16384)),
]
CACHE = tempfile.mkdtemp(prefix="lapack-ai-fast-")
EPS = {"float64": 2.0**-52, "float32": 2.0**-23}


class Peer:
    """cuBLAS on one case."""

    def __init__(self, dtype: str, ops: str, m: int, n: int, k: int, beta: int) -> None:
        torch.backends.cuda.matmul.allow_tf32 = False
        self.update, self.dtype, self.k = bool(beta), dtype, k
        self.a, self.b = self.matrix(m, k, ops[0] == "T"), self.matrix(k, n, ops[1] == "T")
        self.out = torch.zeros((m, n), dtype=self.a.dtype, device="cuda")

    def matrix(self, rows: int, cols: int, transposed: bool) -> torch.Tensor:
        shape = (cols, rows) if transposed else (rows, cols)
        made = torch.rand(shape, dtype=getattr(torch, self.dtype), device="cuda")
        made -= 0.5
        return made.T if transposed else made

    def seconds(self, repeats: int) -> float:
        if self.update:
            return median_seconds(lambda: self.out.addmm_(self.a, self.b, beta=1, alpha=-1), repeats)
        return median_seconds(lambda: torch.matmul(self.a, self.b, out=self.out), repeats)

    def errors(self) -> dict[str, float]:
        """Of 256 elements, as the example has them."""
        unit = EPS[self.dtype]
        generator = np.random.default_rng(1)
        rows, cols = (generator.integers(0, extent, 16) for extent in self.out.shape)
        a = self.a[torch.as_tensor(rows, device="cuda")].double().cpu().numpy().astype(np.longdouble)
        b = self.b[:, torch.as_tensor(cols, device="cuda")].double().cpu().numpy().astype(np.longdouble)
        at = (torch.as_tensor(rows[:, None], device="cuda"), torch.as_tensor(cols, device="cuda"))
        found = self.out[at].double().cpu().numpy().astype(np.longdouble)
        wanted, moduli = a @ b, np.abs(a) @ np.abs(b)
        error = np.abs(found - wanted)
        rms = np.sqrt(np.sum(error**2) / np.sum(wanted**2)) / unit
        return {"cublas_error": float(np.max(error / moduli) / (self.k * unit)), "cublas_rms": float(rms)}


def measured(bench: str, case: tuple) -> tuple[dict, list[dict]]:
    *sizes, methods = case
    rounds = int(min(11, max(3, 6e12 / (2 * case[2] * case[3] * case[4]))))
    peer = Peer(*sizes)
    before = peer.seconds(rounds)
    errors = {} if peer.update else peer.errors()
    # The example needs the memory.
    del peer
    torch.cuda.empty_cache()
    command = [bench, "", *map(str, sizes), str(rounds), *([methods] if methods else [])]
    environment = {"LAPACK_AI_CACHE_DIR": CACHE, **os.environ}
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout.splitlines()
    first, *found = (json.loads(line) for line in lines)
    after = Peer(*sizes).seconds(rounds)
    torch.cuda.empty_cache()
    for one in found:
        one.update(cublas_seconds=min(before, after), cublas_seconds_both=[before, after], **errors)
        one["ratio"] = round(min(before, after) / one["seconds"], 4)
    return first, found


def main() -> None:
    wanted = sys.argv[3:]
    cases = [case for case in CASES if not wanted or any(text in " ".join(map(str, case)) for text in wanted)]
    result: dict = {"torch": torch.__version__, "cuda": torch.version.cuda, "copy_gbs": round(copy_rate()), "cases": []}
    torch.cuda.empty_cache()
    for case in cases:
        first, found = measured(sys.argv[1], case)
        result = {**first, **result}
        result["cases"] += found
        peer = 2 * case[2] * case[3] * case[4] / found[0]["cublas_seconds"] / 1e12
        rms = found[0].get("cublas_rms", float("nan"))
        print(f"{' '.join(map(str, case[:-1]))}: cuBLAS {peer:.1f} TFLOP/s, rms {rms:.2f}", flush=True)
        for one in found:
            phases = ", ".join(
                f"{name.removeprefix('gemm_fast_')} {1e3 * seconds:.2f}" for name, seconds in one["phases"]
            )
            rms = "" if one["rms"] is None else f", error {one['error']:.1e}, rms {one['rms']:.1f}"
            same = f"{one['done']}-{one['levels']}".startswith(one["method"])
            fell_back = "" if same else f", done by {one['done']}-{one['levels']}"
            print(
                f"  {one['method']}: {1e3 * one['seconds']:.2f} ms ({1e3 * one['wall_seconds']:.2f} wall), "
                f"{one['tflops']:.1f} TFLOP/s, ratio {one['ratio']:.3f}{rms}, {one['workspace'] / 1e9:.2f} GB, "
                f"{one['at_a_time']} at a time{fell_back} [{phases}]",
                flush=True,
            )
        # What was measured so far is kept if the run ends early.
        if len(sys.argv) > 2:
            Path(sys.argv[2]).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
