"""How far the rcond of a report is from the true one, by the way in which it was found."""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lapack_py.demo import style

RESULTS = Path(__file__).parents[2] / "bench" / "results" / "cpu" / "conditioning.json"
SOURCES = {"estimator": style.BLUE, "pivots": style.ORANGE, "probe": style.GREEN}


def draw() -> Figure:
    """Share of the calls whose reported rcond is too large by more than a factor."""
    results = json.loads(RESULTS.read_text())
    factors = 10 ** np.array(results["bins"])
    figure = style.new_figure(8, 4.4, "How far off the reported rcond is")
    axes = figure.subplots()
    for dtype, line in (("float64", "-"), ("float32", "--")):
        for source, colour in SOURCES.items():
            ratios = results[dtype]["ratios"][source]
            beyond = np.cumsum(ratios["histogram"][::-1])[::-1] / ratios["calls"]
            shown = beyond > 0
            axes.loglog(factors[:-1][shown], beyond[shown], line, color=colour, label=f"{source}, {dtype}")
    axes.loglog(factors[factors >= 1], 1 / factors[factors >= 1], ":", color=style.GREY, label="1 / factor")
    style.tidy(axes, "", "reported rcond / true rcond", "share of calls beyond")
    axes.set_xlim(0.1, 1e5)
    axes.set_ylim(1e-5, 1.5)
    axes.legend(frameon=False, fontsize=9)
    return figure
