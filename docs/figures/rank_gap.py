"""The rank of noisy data: where the singular values fall."""

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """Singular values of a matrix of rank 8, clean and with noise."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 8)) @ rng.standard_normal((8, 40))
    noisy = A + 1e-6 * rng.standard_normal(A.shape)
    figure = style.new_figure(8, 4.4, "A matrix of rank 8, and the same with noise of 1e-6")
    axes = figure.subplots()
    index = np.arange(1, 41)
    clean, blurred = lap.svdvals(A), lap.svdvals(noisy)
    axes.semilogy(index, clean, "o", color=style.BLUE, label="clean")
    axes.semilogy(index, blurred, "o", color=style.ORANGE, markersize=4, label="with noise")
    default = clean[0] * max(A.shape) * np.finfo(float).eps
    axes.axhline(default, color=style.GREY, linestyle="--", linewidth=1)
    axes.annotate("default tolerance", (28, default), xytext=(0, 4), textcoords="offset points", color=style.GREY)
    axes.axhline(1e-4, color=style.RED, linestyle="--", linewidth=1)
    axes.annotate("tol=1e-4", (28, 1e-4), xytext=(0, 4), textcoords="offset points", color=style.RED)
    style.tidy(axes, "", "number of the singular value", "singular value")
    axes.legend(frameon=False)
    return figure
