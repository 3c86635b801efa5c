"""Girko's circular law: eigenvalues of a random matrix fill a disc."""

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """The eigenvalues of one matrix of order 400 in the complex plane."""
    n = 400
    values = lap.eigvals(np.random.default_rng(0).standard_normal((n, n)) / np.sqrt(n))
    figure = style.new_figure(5.4, 5.4, "Eigenvalues of a random matrix")
    axes = figure.subplots()
    angle = np.linspace(0, 2 * np.pi, 300)
    axes.plot(np.cos(angle), np.sin(angle), color=style.GREY, linewidth=1)
    axes.plot(values.real, values.imag, "o", markersize=3, color=style.BLUE)
    axes.set_aspect("equal")
    style.tidy(axes, "real ones, and conjugate pairs", "real part", "imaginary part")
    return figure
