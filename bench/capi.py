"""One small product through the Fortran interface: nanoseconds of a call, beside the BLAS libraries found here.

    .venv/bin/python bench/capi.py [--blas NAME=FILE:SYMBOL ...] [--json FILE]

Builds `capi_gemm.c`, which says what is measured. Three floors at 4 x 4: `empty` returns at once, `copy` copies A to
C, and `none` is a product without any check of arguments, in vectors of four: what checks cost is the difference.
Every library runs in a process of its own, on one thread, in turns, and the best of three counts; on a machine that
others use, only ratios within one run mean something.
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
LETTERS = {"auto": "F", "classical": "C", "strassen": "S", "winograd": "W", "alphatensor": "A", "rank48": "R"}
SIZES = (4, 8, 16, 32, 48, 63, 64, 96, 128)
ROUNDS = 3

FLOORS = ("empty", "copy", "none")
UNCHECKED = """
#define GEMM(name) void name(const char *ta, const char *tb, const int *m, const int *n, const int *k, \\
    const double *alpha, const double *a, const int *lda, const double *b, const int *ldb, const double *beta, \\
    double *c, const int *ldc)
#define UNUSED (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)alpha, (void)lda, (void)ldb, (void)beta, (void)ldc
typedef double four __attribute__((vector_size(32), aligned(8)));
GEMM(empty_) { UNUSED, (void)a, (void)b, (void)c; }
GEMM(copy_) {
    UNUSED, (void)b;
    for (int j = 0; j < 4; j++)
        ((four *)c)[j] = ((const four *)a)[j];
}
GEMM(none_) {
    UNUSED;
    const four *x = (const four *)a;
    four x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    for (int j = 0; j < 4; j++, b += 4, c += 4)
        *(four *)c = (x0 * b[0] + x1 * b[1]) + (x2 * b[2] + x3 * b[3]);
}
"""


def built(folder: Path) -> tuple[Path, Path]:
    """The measuring program and the floors."""
    program, unchecked, source = folder / "capi_gemm", folder / "none.so", folder / "none.c"
    source.write_text(UNCHECKED)
    gemm = str(ROOT / "bench/capi_gemm.c")
    subprocess.run(["cc", "-O2", "-o", str(program), gemm, "-ldl", "-lm"], check=True)
    subprocess.run(["cc", "-O3", "-mavx2", "-mfma", "-shared", "-fPIC", "-o", str(unchecked), str(source)], check=True)
    return program, unchecked


def openblas() -> Path | None:
    """The wheel's library."""
    try:
        import scipy_openblas32
    except ImportError:
        return None
    return next(Path(scipy_openblas32.get_lib_dir()).glob("libscipy_openblas.so"), None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blas", action="append", default=[], metavar="NAME=FILE:SYMBOL", help="another BLAS")
    parser.add_argument("--json", type=Path, help="where the results go")
    options = parser.parse_args()
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "-p", "lapack-ai-capi", "-p", "lapack-ai-dropin"], check=True
    )
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        program, unchecked = built(Path(folder))
        library = str(target / "liblapack_ai.so")
        runs = [(f"lapack-ai, {name}", [library, "dgemm_alphax_", letter]) for name, letter in LETTERS.items()]
        runs[0] = ("lapack-ai, auto", [library, "dgemm_alpha_"])
        runs.append(("lapack-ai, drop-in", [str(target / "liblapack_ai_dropin.so"), "dgemm_"]))
        if wheel := openblas():
            runs.append(("OpenBLAS", [str(wheel), "scipy_dgemm_"]))
        for text in options.blas:
            name, _, where = text.partition("=")
            runs.append((name, where.rsplit(":", 1)))
        rows: list[dict[str, Any]] = []
        for size in SIZES:
            floors = [(name, [str(unchecked), f"{name}_"]) for name in FLOORS]
            chosen = [*floors, *runs] if size == 4 else runs
            best: dict[str, dict[str, float]] = {}
            for _ in range(ROUNDS):
                for name, arguments in chosen:
                    command = [str(program), str(size), *arguments]
                    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                    found = json.loads(done.stdout)
                    for key in ("independent_ns", "chained_ns"):
                        known = best.setdefault(name, {}).get(key, float("inf"))
                        best[name][key] = min(known, found[key])
            for name, times in best.items():
                rows.append({"n": size, "what": name, **times})
                print(f"{size:4} {name:24} {times['independent_ns']:10.1f} {times['chained_ns']:10.1f}")
    if options.json:
        result = {"processor": processor(), "columns": "nanoseconds a call, one thread", "rows": rows}
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
