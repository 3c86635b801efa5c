"""The products of `gemm_bench` as one JSON file: `gemm_results.py PROGRAM OUTPUT.json`.

Where torch has CUDA, `bench/gpu_gemm.py` does it, which sets cuBLAS beside each case; torch is some gigabytes, which a
rented machine need not pay for: without it the cases are the same, alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def has_cuda() -> bool:
    """Whether there is a torch with a device."""
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def main() -> int:
    """Measures with what is there."""
    program, output = sys.argv[1:3]
    if not Path(program).is_file():
        print(f"no {program}; make it: cargo build --release -p lapack-ai-opencl --example gemm_bench", file=sys.stderr)
        return 1
    if has_cuda():
        return subprocess.run([sys.executable, "bench/gpu_gemm.py", program, output], check=False).returncode
    done = subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True)
    first, *cases = (json.loads(line) for line in done.stdout.splitlines())
    Path(output).write_text(json.dumps({**first, "cases": cases}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
