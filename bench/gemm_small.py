"""Times small matrix products in float64 beside BLAS libraries and LIBXSMM, for each instruction set of this machine.

Usage: python bench/gemm_small.py [--peer NAME=LIBRARY,SYMBOL[,VARIABLE=VALUE]] [--xsmm LIBRARY] [--rounds R]
       [--core N] [--out FILE]

Runs the example `small_bench` of the crate lapack-ai-bilinear, which calls everything as a Fortran program would, on
one thread and one core; contenders take turns, and figures are medians over the rounds. The first run lets the library
choose its instructions, the others force them. Results go to bench/results/cpu/gemm-small.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from datetime import date
from pathlib import Path

from machine import processor

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "cpu" / "gemm-small.json"
# Products this small are not worth threads to any of them, and must not start any.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MKL_THREADING_LAYER": "SEQUENTIAL"}


def rows(arguments: list[str], core: int) -> list[dict[str, object]]:
    program = ROOT / "target" / "release" / "examples" / "small_bench"
    command = ["taskset", "-c", str(core), str(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **ENVIRONMENT})
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--xsmm")
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    build = ["cargo", "build", "--release", "--quiet", "-p", "lapack-ai-bilinear", "--example", "small_bench"]
    subprocess.run(build, cwd=ROOT, check=True)
    arguments = ["--rounds", str(options.rounds)]
    for peer in options.peer:
        arguments += ["--peer", peer]
    if options.xsmm:
        arguments += ["--xsmm", options.xsmm]
    chosen = rows(arguments, options.core)
    forced = [rows([*arguments, "--isa", isa], options.core) for isa in ("avx2", "portable")]
    note = (
        "float64, alpha = 1, beta = 0, nothing transposed, one core; ns of one call through DGEMM's interface, or of "
        "one 4 x 4 product of a batch; medians of rounds in which all take turns; the instruction set is that of this "
        "library's kernels, and was chosen by it in the first rows"
    )
    machine = {"processor": processor(), "cores": os.cpu_count(), "date": date.today().isoformat()}
    found = {"note": note, "machine": machine, "rows": [row for part in [chosen, *forced] for row in part]}
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
