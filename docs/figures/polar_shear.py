"""A shear of the plane as a stretch followed by a rotation."""

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """A grid: as it is, stretched, then turned, which is the shear."""
    shear = np.array([[1.0, 0.9], [0.0, 1.0]])
    rotation, stretch = lap.polar(shear)
    line = np.linspace(-1, 1, 21)
    across, up = np.meshgrid(line, line)
    grid = np.stack([across, up])
    stages = [("the grid", np.eye(2)), ("stretched: P", stretch), ("then turned: U @ P = A", rotation @ stretch)]
    figure = style.new_figure(10, 3.8, "Polar decomposition of a shear")
    for axes, (title, matrix) in zip(figure.subplots(1, 3, sharex=True, sharey=True), stages, strict=True):
        x, y = np.tensordot(matrix, grid, axes=1)
        axes.plot(x[::4].T, y[::4].T, color=style.BLUE, linewidth=1)
        axes.plot(x[:, ::4], y[:, ::4], color=style.ORANGE, linewidth=1)
        axes.set_aspect("equal")
        style.tidy(axes, title, "", "")
    return figure
