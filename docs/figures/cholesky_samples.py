"""Correlated samples from independent ones: x = L z."""

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """Independent numbers, and the same numbers with a wished covariance."""
    covariance = np.array([[2.0, 1.2], [1.2, 1.0]])
    z = np.random.default_rng(0).standard_normal((2, 800))
    x = lap.cholesky(covariance) @ z
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = 2 * np.stack([np.cos(angle), np.sin(angle)])
    figure = style.new_figure(9, 4.4, "Samples with a given covariance")
    pairs = [("independent: z", z, circle), ("correlated: L @ z", x, lap.cholesky(covariance) @ circle)]
    for axes, (title, points, ring) in zip(figure.subplots(1, 2, sharex=True, sharey=True), pairs, strict=True):
        axes.plot(*points, "o", markersize=3, alpha=0.4, color=style.BLUE, markeredgewidth=0)
        axes.plot(*ring, color=style.RED, label="two standard deviations")
        axes.set_aspect("equal")
        style.tidy(axes, title, "", "")
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    return figure
