"""Large products on the CPU beside two BLAS libraries: effective rates over n."""

import json
from pathlib import Path

from matplotlib.figure import Figure

from lapack_py.demo import style

RESULTS = Path(__file__).parents[2] / "bench" / "results" / "cpu" / "gemm-large.json"
SHOWN = {
    "auto": (style.BLUE, "-o"),
    "strassen": (style.ORANGE, "-o"),
    "alphatensor": (style.GREEN, "-s"),
    "rank48": (style.GREEN, "--^"),
    "OpenBLAS": (style.GREY, "-"),
    "MKL": (style.GREY, "--"),
}


def draw() -> Figure:
    """Square products in float64, one panel for each number of threads: operations of the definition a second."""
    rows = json.loads(RESULTS.read_text())["rows"]
    square = [row for row in rows if row["dtype"] == "float64" and row["m"] == row["n"] == row["k"]]
    square = sorted((row for row in square if row["transposes"] == "NN"), key=lambda row: row["n"])
    threads = sorted({row["threads"] for row in square})
    figure = style.new_figure(9, 4.2, "Effective rates of square products in float64")
    for axes, count in zip(figure.subplots(1, len(threads), squeeze=False)[0], threads, strict=True):
        for name, (colour, line) in SHOWN.items():
            some = [row for row in square if row["threads"] == count and name in row["gflops"]]
            places, rates = [row["n"] for row in some], [row["gflops"][name] for row in some]
            axes.plot(places, rates, line, color=colour, label=name, markersize=4)
        title = "one thread" if count == 1 else f"{count} threads"
        style.tidy(axes, title, "rows and columns", "GFLOP/s")
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=9)
    return figure
