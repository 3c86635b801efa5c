"""Hilbert matrices: how the error of a solution grows with the condition number that the report states."""

import warnings

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """True error and predicted error, eps / rcond, in two precisions."""
    figure = style.new_figure(8, 4.6, "Hilbert matrices: the report foresees the error")
    axes = figure.subplots()
    for dtype, colour in (("float64", style.BLUE), ("float32", style.ORANGE)):
        # In float32 elimination meets an exact zero beyond order 9.
        orders = np.arange(2, 15 if dtype == "float64" else 10)
        errors, foreseen = np.array([measure(n, dtype) for n in orders]).T
        axes.semilogy(orders, errors, "o", color=colour, label=f"{dtype}: error of x")
        axes.semilogy(orders, foreseen, "-", color=colour, label=f"{dtype}: eps / rcond from the report")
    axes.axhline(1, color=style.GREY, linewidth=0.8, linestyle="--")
    axes.annotate("no digit is right", (2, 1), xytext=(0, 4), textcoords="offset points", color=style.GREY)
    style.tidy(axes, "", "order of the matrix", "relative error")
    axes.set_ylim(1e-17, 1e4)
    axes.legend(frameon=False, fontsize=9, ncols=2)
    return figure


def measure(n: int, dtype: str) -> tuple[float, float]:
    """Relative error of the solution whose elements are all 1, and eps / rcond."""
    index = np.arange(n)
    hilbert = (1.0 / (index[:, None] + index + 1)).astype(dtype)
    # The right-hand side in twice the precision, so that only the matrix counts.
    b = hilbert.astype(np.longdouble).sum(axis=1).astype(dtype)
    with warnings.catch_warnings():
        # Beyond the dashed line the warning LAP-W001 is the point of this picture.
        warnings.simplefilter("ignore")
        x, report = lap.solve(hilbert, b, return_report=True)
    error = float(np.max(np.abs(x - 1)))
    return max(error, 1e-17), float(np.finfo(dtype).eps) / report.rcond
