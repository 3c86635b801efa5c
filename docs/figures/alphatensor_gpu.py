"""Large products on a GPU by schemes with fewer multiplications, beside cuBLAS."""

import json
from pathlib import Path

from matplotlib.figure import Figure

from lapack_py.demo import style

RESULTS = Path(__file__).parents[2] / "bench" / "results" / "h200" / "gemm-fast.json"
SHOWN = {
    "classical": (style.BLUE, ":"),
    "strassen-1": (style.ORANGE, ":"),
    "strassen-2": (style.ORANGE, "--"),
    "strassen-3": (style.ORANGE, "-"),
    "rank48-2": (style.GREEN, "--"),
    "rank48-3": (style.GREEN, "-"),
    "auto": (style.BLUE, "-"),
}


def draw() -> Figure:
    """Operations of the definition a second, a line for each method over the rows of square matrices in float64."""
    result = json.loads(RESULTS.read_text())
    square = [
        case
        for case in result["cases"]
        if (case["dtype"], case["ops"], case["beta"]) == ("float64", "NN", 0)
        and case["m"] == case["n"] == case["k"]
        and case["n"] % 1024 == 0
    ]
    figure = style.new_figure(8, 4.4, f"Square products in float64, {result['device']}")
    axes = figure.subplots()
    sizes = sorted({case["n"] for case in square})
    peers = {case["n"]: 2e-12 * case["n"] ** 3 / case["cublas_seconds"] for case in square}
    axes.plot(sizes, [peers[n] for n in sizes], "o-", color=style.GREY, label="cuBLAS", markersize=3)
    for name, (colour, line) in SHOWN.items():
        rates = {case["n"]: case["tflops"] for case in square if case["method"] == name}
        if rates:
            axes.plot(*zip(*sorted(rates.items()), strict=True), f"o{line}", color=colour, label=name, markersize=3)
    style.tidy(axes, "", "rows and columns", "effective TFLOP/s, 2 n^3 / time")
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.legend(frameon=False, fontsize=9, ncols=2)
    return figure
