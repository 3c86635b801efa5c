"""Registers, spills and local memory of the kernels that NVIDIA GPUs run for some products, by CUDA's assembler.

    python bench/gpu_registers.py OUTPUT.json

Each product is computed once with an empty cache of programs. What the driver puts there is PTX behind a header of 40
bytes; the `ptxas` that comes with torch's Triton says what becomes of it (the driver's own one may differ in its
version). ``registers`` are those of a work-item, ``spilled`` bytes stored and loaded, ``local_memory`` bytes of a
work-group in static local memory, ``items`` the largest work-group that the registers leave, of 65,536 in a
multiprocessor.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["LAPACK_AI_CACHE_DIR"] = tempfile.mkdtemp(prefix="lapack-ai-registers-")

import numpy as np

import lapack_py as lap

CACHE = Path(os.environ["LAPACK_AI_CACHE_DIR"])
HEADER = 40
PRODUCTS = [
    ("float64", (1, 512, 512, 512)),
    ("float64", (1, 1024, 1024, 1024)),
    ("float64", (1, 4096, 4096, 4096)),
    ("float64", (1, 1024, 1024, 32)),
    ("float64", (1, 16384, 1024, 32)),
    ("float64", (1, 128, 128, 65536)),
    ("float32", (1, 512, 512, 512)),
    ("float32", (1, 4096, 4096, 4096)),
    ("float32", (131072, 16, 16, 16)),
    ("float32", (65536, 32, 32, 32)),
    ("float64", (65536, 32, 32, 32)),
    ("float16", (1, 4096, 4096, 4096)),
]


def assembler() -> str:
    import triton

    found = sorted(Path(triton.__file__).parent.glob("backends/nvidia/bin/ptxas*"))
    return str(found[0])


def kernels(ptx: bytes, ptxas: str) -> list[dict]:
    """What the assembler says of each kernel of a program."""
    (target,) = re.findall(rb"\.target (\w+)", ptx)[:1]
    # The driver writes its own version of the language; an older assembler knows all that the kernels use.
    ptx = re.sub(rb"\.version [\d.]+", b".version 8.0", ptx.rstrip(b"\0"), count=1)
    with tempfile.NamedTemporaryFile(suffix=".ptx") as file:
        file.write(ptx)
        file.flush()
        command = [ptxas, "-v", f"--gpu-name={target.decode()}", file.name, "-o", "/dev/null"]
        said = subprocess.run(command, capture_output=True, text=True)
    if said.returncode:
        raise SystemExit(said.stderr[:2000])
    found = []
    text = said.stderr + said.stdout
    for part in re.split(r"Compiling entry function '", text)[1:]:
        registers = int(re.search(r"Used (\d+) registers", part)[1])
        spills = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", part)
        shared = re.search(r"(\d+) bytes smem", part)
        found.append(
            {
                "kernel": part.split("'")[0],
                "registers": registers,
                "spilled": [int(spills[1]), int(spills[2])],
                "local_memory": int(shared[1]) if shared else 0,
                "items": 65536 // registers // 32 * 32,
            }
        )
    return found


def main() -> None:
    ptxas, seen, result = assembler(), set(), []
    generator = np.random.default_rng(1)
    for dtype, (batch, m, n, k) in PRODUCTS:
        operands = [generator.random((batch, *shape), np.float32).astype(dtype) for shape in ((m, k), (k, n))]
        a, b = (lap.to_device(x if batch > 1 else x[0]) for x in operands)
        made = lap.matmul(a, b)
        report = getattr(made, "report", None)
        made.numpy()
        new = sorted(set(CACHE.rglob("*.clbin")) - seen)
        seen.update(new)
        found = [each for file in new for each in kernels(file.read_bytes()[HEADER:], ptxas)]
        entry = {"dtype": dtype, "batch": batch, "m": m, "n": n, "k": k, "kernels": found}
        result.append(entry)
        print(entry, report or "", flush=True)
        del a, b, made
        lap.trim()
    Path(sys.argv[1]).write_text(json.dumps({"ptxas": ptxas.split("/")[-1], "products": result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
