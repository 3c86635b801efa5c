"""Least squares and the normal equations, on polynomials of growing degree."""

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """The error of the coefficients in both ways."""
    degrees = np.arange(1, 13)
    t = np.linspace(0, 1, 60)
    found, normal = [], []
    for degree in degrees:
        A = t[:, None] ** np.arange(degree + 1)
        b = A.astype(np.longdouble).sum(axis=1).astype(float)
        found.append(np.max(np.abs(lap.lstsq(A, b).x - 1)))
        # NumPy's solver, which says nothing of the lost digits.
        normal.append(np.max(np.abs(np.linalg.solve(A.T @ A, A.T @ b) - 1)))
    figure = style.new_figure(8, 4.4, "Why not the normal equations")
    axes = figure.subplots()
    axes.semilogy(degrees, np.maximum(found, 1e-17), "o-", color=style.BLUE, label="lstsq(A, b)")
    axes.semilogy(degrees, np.maximum(normal, 1e-17), "o-", color=style.ORANGE, label="solve(A.T @ A, A.T @ b)")
    style.tidy(axes, "the condition number is squared in A.T @ A", "degree of the polynomial", "error of coefficients")
    axes.legend(frameon=False)
    return figure
