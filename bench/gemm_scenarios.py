"""68 kinds of products beside the BLAS libraries found here: who is fastest where.

    python bench/gemm_scenarios.py [--blas NAME=FILE:SYMBOL[,VARIABLE=VALUE] ...] [--eigen FOLDER]
        [--rounds R] [--json FILE]

Builds `gemm_scenarios.c`, which has the scenarios: sizes 4 to 512, random, identity, graded, ill-scaled, symmetric and
transposed matrices, alpha and beta, parts of larger matrices, chains, and batches as a loop of calls. All call DGEMM's
Fortran interface on one thread, in a process of their own, in turns; the best of the rounds counts. `eigen` is Eigen's
product of matrices of fixed size, for 4 x 4 without transposes only. Libraries for `--blas` are peers; a win is to be
faster than every one of them, a tie to be within 3 % of the fastest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import processor

ROOT = Path(__file__).parent.parent
LETTERS = {"strassen": "S", "winograd": "W", "alphatensor": "A", "rank48": "R"}
RANK_49 = ("strassen", "winograd", "alphatensor")
TIE = 1.03

EIGEN = """
#include <Eigen/Core>
using Matrix = Eigen::Map<Eigen::Matrix4d, 0, Eigen::OuterStride<>>;
extern "C" void fixed_(const char *, const char *, const int *, const int *, const int *, const double *alpha,
    const double *a, const int *lda, const double *b, const int *ldb, const double *beta, double *c, const int *ldc) {
    Matrix x(const_cast<double *>(a), Eigen::OuterStride<>(*lda));
    Matrix y(const_cast<double *>(b), Eigen::OuterStride<>(*ldb));
    Matrix z(c, Eigen::OuterStride<>(*ldc));
    if (*beta == 0)
        z.noalias() = *alpha * x * y;
    else
        z = (*alpha * x * y + *beta * z).eval();
}
"""


def contenders(options: argparse.Namespace, folder: Path) -> dict[str, list[str]]:
    """Name to arguments of the measuring program."""
    library = str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "liblapack_ai.so")
    found = {"auto": [library, "dgemm_alpha_"]}
    found |= {name: [library, "dgemm_alphax_", letter] for name, letter in LETTERS.items()}
    for text in options.blas:
        name, _, where = text.partition("=")
        place, _, setting = where.partition(",")
        found[name] = [*([setting] if setting else []), *place.rsplit(":", 1)]
    if options.eigen:
        source, fixed = folder / "eigen.cpp", folder / "eigen.so"
        source.write_text(EIGEN)
        flags = ["-O3", "-march=native", "-shared", "-fPIC", f"-I{options.eigen}"]
        subprocess.run(["c++", *flags, "-o", str(fixed), str(source)], check=True)
        found["eigen"] = [str(fixed), "fixed_", "", "4"]
    return found


def measured(program: Path, runs: dict[str, list[str]], rounds: int) -> list[dict[str, Any]]:
    """A row for each scenario, with the times of all that have it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for turn in range(rounds):
        for name, arguments in runs.items():
            print(f"round {turn + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            settings = [text for text in arguments[:1] if "=" in text]
            command = ["env", *settings, str(program), *arguments[len(settings) :]]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            for line in map(json.loads, done.stdout.splitlines()):
                if name == "eigen" and "transposed" in line["scenario"]:
                    continue
                key = (line["scenario"], line["n"])
                row = rows.setdefault(key, {"scenario": key[0], "n": key[1], "matrices": line["matrices"]})
                times, errors = row.setdefault("ns", {}), row.setdefault("error", {})
                times[name] = min(times.get(name, float("inf")), line["ns"])
                errors[name] = max(errors.get(name, 0.0), line["error"])
    return list(rows.values())


def counts(rows: list[dict[str, Any]], peers: list[str], names: tuple[str, ...]) -> dict[str, int]:
    """How often the fastest of `names` is ahead of all peers, within a tie of the fastest of them, and behind."""
    result = {"scenarios": 0, "wins": 0, "ties": 0, "behind": 0}
    for row in rows:
        times = row["ns"]
        own = min(times[name] for name in names)
        best = min(times[peer] for peer in peers if peer in times)
        outcome = "wins" if own < best / TIE else "ties" if own <= best * TIE else "behind"
        result["scenarios"] += 1
        result[outcome] += 1
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--blas", action="append", default=[], metavar="NAME=FILE:SYMBOL[,VARIABLE=VALUE]", help="a peer"
    )
    parser.add_argument("--eigen", type=Path, help="Eigen's headers")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where the results go")
    options = parser.parse_args()
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "lapack-ai-capi"], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "gemm_scenarios"
        source = str(ROOT / "bench/gemm_scenarios.c")
        subprocess.run(["cc", "-O2", "-o", str(program), source, "-ldl", "-lm"], check=True)
        runs = contenders(options, folder)
        rows = measured(program, runs, options.rounds)
    peers = [name for name in runs if name != "auto" and name not in LETTERS]
    blas = [peer for peer in peers if peer != "eigen"]
    summary: dict[str, Any] = {}
    for what, names in (("auto", ("auto",)), ("rank 49", RANK_49)):
        for size in sorted({row["n"] for row in rows}):
            some = [row for row in rows if row["n"] == size]
            summary[f"{what}, n = {size}"] = counts(some, blas, names)
        summary[f"{what}, all"] = counts(rows, blas, names)
        print(what, json.dumps(summary[f"{what}, all"]), "4 x 4:", json.dumps(summary[f"{what}, n = 4"]))
    if options.json:
        note = "nanoseconds of a product, one thread; error in units of k max|A| max|B| eps; peers of the counts: "
        result = {"processor": processor(), "note": note + ", ".join(blas), "counts": summary, "rows": rows}
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
