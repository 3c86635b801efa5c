"""The first vibrations of an L-shaped drum: eigenvectors of the discrete Laplacian."""

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style

SIDE = 25


def draw() -> Figure:
    """Six modes, lowest first."""
    inside = np.ones((SIDE, SIDE), dtype=bool)
    inside[: SIDE // 2, SIDE // 2 + 1 :] = False
    number = np.full((SIDE + 2, SIDE + 2), -1)
    number[1:-1, 1:-1][inside] = np.arange(inside.sum())
    laplacian = 4 * np.eye(inside.sum())
    for row, column in np.argwhere(number >= 0):
        for near in (
            number[row + 1, column],
            number[row - 1, column],
            number[row, column + 1],
            number[row, column - 1],
        ):
            if near >= 0:
                laplacian[number[row, column], near] = -1
    values, vectors = lap.eigh(laplacian)
    figure = style.new_figure(9, 6, "How an L-shaped drum swings")
    for k, axes in enumerate(figure.subplots(2, 3).ravel()):
        # The sign of an eigenvector is free; the largest element is made positive.
        mode = vectors[:, k] * np.sign(vectors[np.argmax(np.abs(vectors[:, k])), k])
        shape = np.full((SIDE, SIDE), np.nan)
        shape[inside] = mode
        axes.imshow(shape, cmap="RdBu_r", vmin=-np.abs(mode).max(), vmax=np.abs(mode).max())
        style.picture(axes, f"eigenvalue {values[k]:.4f}")
    return figure
