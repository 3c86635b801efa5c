"""The error of a randomised SVD, and the error that it states itself."""

import numpy as np
from matplotlib.figure import Figure

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """Best possible, true and stated error for growing rank."""
    rng = np.random.default_rng(0)
    U = lap.qr(rng.standard_normal((300, 100))).Q
    V = lap.qr(rng.standard_normal((200, 100))).Q
    S = 1.0 / np.arange(1, 101) ** 1.5
    A = (U * S) @ V.T
    ranks = np.arange(2, 42, 4)
    true, stated = [], []
    for k in ranks:
        result = lap.randomized_svd(A, int(k), random_state=0)
        Uk, Sk, Vhk = result
        true.append(lap.svdvals(A - (Uk * Sk) @ Vhk)[0])
        stated.append(result.error_estimate)
    figure = style.new_figure(8, 4.4, "Randomised SVD: error in the spectral norm")
    axes = figure.subplots()
    axes.semilogy(ranks, stated, "o-", color=style.ORANGE, label="error_estimate, a bound")
    axes.semilogy(ranks, true, "o-", color=style.BLUE, label="true error")
    axes.semilogy(ranks, S[ranks], "--", color=style.GREY, label="best possible")
    style.tidy(axes, "", "rank", "norm of A - U S Vh")
    axes.legend(frameon=False)
    return figure
