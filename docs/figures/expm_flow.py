"""Solutions of a linear differential equation, by the matrix exponential."""

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """Paths of x' = A x from eight starting points: a spiral and a saddle."""
    systems = [("damped oscillator", [[0.0, 1.0], [-1.0, -0.3]]), ("saddle", [[0.5, 0.3], [0.3, -0.7]])]
    figure = style.new_figure(9, 4.4, "x(t) = expm(t A) x(0)")
    times = np.linspace(0, 6, 120)
    angle = np.arange(8) * np.pi / 4
    start = np.stack([np.cos(angle), np.sin(angle)])
    for axes, (title, matrix) in zip(figure.subplots(1, 2), systems, strict=True):
        paths = lap.expm(times[:, None, None] * np.array(matrix)) @ start
        axes.plot(paths[:, 0], paths[:, 1], color=style.BLUE, linewidth=1)
        axes.plot(*start, "o", color=style.RED)
        axes.set_xlim(-2, 2)
        axes.set_ylim(-2, 2)
        axes.set_aspect("equal")
        style.tidy(axes, title, "position", "speed")
    return figure
