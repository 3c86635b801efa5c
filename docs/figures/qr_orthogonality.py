"""Orthogonality lost by Gram and Schmidt's formulas and kept by Householder's."""

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """The departure of Q from orthogonality as the columns become dependent."""
    rng = np.random.default_rng(0)
    U = lap.qr(rng.standard_normal((60, 20))).Q
    V = lap.qr(rng.standard_normal((20, 20))).Q
    powers = np.arange(0, 16)
    ours, textbook = [], []
    for power in powers:
        A = (U * np.logspace(0, -power, 20)) @ V.T
        ours.append(departure(lap.qr(A).Q))
        textbook.append(departure(gram_schmidt(A)))
    figure = style.new_figure(8, 4.4, "How orthogonal Q is")
    axes = figure.subplots()
    axes.loglog(10.0**powers, textbook, "o-", color=style.ORANGE, label="Gram-Schmidt, as in textbooks")
    axes.loglog(10.0**powers, ours, "o-", color=style.BLUE, label="qr (Householder)")
    style.tidy(axes, "", "condition number of A", "norm of Q.T @ Q - I")
    axes.legend(frameon=False)
    return figure


def departure(Q: np.ndarray) -> float:
    """How far the columns are from orthonormal."""
    return float(np.linalg.norm(Q.T @ Q - np.eye(Q.shape[1])))


def gram_schmidt(A: np.ndarray) -> np.ndarray:
    """The classical process, column by column."""
    Q = np.zeros_like(A)
    for j in range(A.shape[1]):
        rest = A[:, j] - Q[:, :j] @ (Q[:, :j].T @ A[:, j])
        Q[:, j] = rest / np.linalg.norm(rest)
    return Q
