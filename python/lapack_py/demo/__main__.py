"""Runs the demonstration: ``python -m lapack_py.demo [--out DIR] [--quick]``."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import Context

PARTS = ("photo", "digits", "regression", "nearly_singular", "kernel", "texture")
# What has to be installed, under the name that pip knows.
NEEDED = {"matplotlib": "matplotlib", "sklearn": "scikit-learn", "PIL": "pillow"}
# 15 comparisons of two steps each, 6 figures, 16 systems, the exact fit.
STEPS = 53


def main(arguments: list[str] | None = None) -> int:
    """Runs every part; the exit status is 0 only if all checks held."""
    parser = argparse.ArgumentParser(prog="python -m lapack_py.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="folder for the figures")
    parser.add_argument("--quick", action="store_true", help="smaller inputs, fewer repeats")
    options = parser.parse_args(arguments)

    missing = [package for module, package in NEEDED.items() if not importable(module)]
    if missing:
        print(f"The demonstration needs: pip install {' '.join(missing)}", file=sys.stderr)
        return 2

    # Only now: these import what was just looked for.
    from .context import Context
    from .progress import Progress

    started = time.perf_counter()
    options.out.mkdir(parents=True, exist_ok=True)
    context = Context(options.out, options.quick, Progress(STEPS))
    print(describe())
    for part in PARTS:
        importlib.import_module(f".{part}", __package__).run(context)
    context.progress.clear()
    summarise(context, time.perf_counter() - started)
    return 1 if context.failed else 0


def importable(module: str) -> bool:
    """Whether a package is installed and works."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def describe() -> str:
    """Which versions are being compared, and on what."""
    import numpy
    import scipy

    import lapack_py

    version = getattr(lapack_py, "__version__", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"lapack_py {version}, NumPy {numpy.__version__}, SciPy {scipy.__version__}, "
        f"Python {platform.python_version()}, {cores} CPU cores"
    )


def summarise(context: Context, seconds: float) -> None:
    """The table, the figures, and what the numbers say."""
    from .table import render, verdict

    print(f"\nThe same input for all three, best of several runs:\n\n{render(context.rows)}\n")
    print("error/(n*eps): backward error (matmul: relative error); 1 or less is as good as arithmetic allows.")
    print("solve: lapack_py and SciPy also estimate the condition number; NumPy does not, and has no other solver.")
    print(f"\nFigures, after {seconds:.0f} s:")
    for figure in context.figures:
        print(f"  {figure}")
    worst = max(context.rows, key=lambda row: row.error)
    print(f"\nlapack_py was {verdict(context.rows, 'numpy')};")
    print(f"{verdict(context.rows, 'scipy')}.")
    print(f"Largest error: {worst.error:.2g} n*eps ({worst.operation}).")
    if context.failed:
        print("Checks that FAILED: " + "; ".join(context.failed))


if __name__ == "__main__":
    sys.exit(main())
