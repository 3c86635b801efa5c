"""Products of many kinds beside a BLAS: how many times as fast, by size."""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lapack_py.demo import style

RESULTS = Path(__file__).parents[2] / "bench" / "results" / "cpu" / "gemm-scenarios.json"
SHOWN = {"auto": style.BLUE, "strassen": style.ORANGE, "alphatensor": style.GREEN, "MKL": style.GREY}


def draw() -> Figure:
    """Each scenario's speed relative to OpenBLAS; a dot for each, the sizes side by side."""
    rows = json.loads(RESULTS.read_text())["rows"]
    sizes = sorted({row["n"] for row in rows})
    figure = style.new_figure(8, 4.4, "Products by size, relative to OpenBLAS")
    axes = figure.subplots()
    for index, (name, colour) in enumerate(SHOWN.items()):
        places, ratios = [], []
        for place, size in enumerate(sizes):
            some = [row["ns"]["OpenBLAS"] / row["ns"][name] for row in rows if row["n"] == size]
            places += list(place + 0.18 * (index - 1.5) + np.linspace(-0.06, 0.06, len(some)))
            ratios += some
        axes.semilogy(places, ratios, "o", color=colour, label=name, markersize=3)
    axes.axhline(1, color=style.GREY, linewidth=0.8)
    style.tidy(axes, "", "rows and columns", "times as fast as OpenBLAS")
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axes.legend(frameon=False, fontsize=9, ncols=len(SHOWN))
    return figure
