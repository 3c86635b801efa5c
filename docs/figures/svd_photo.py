"""A photograph from a few of its singular values, and how fast these fall."""

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_sample_image

import lapack_py as lap
from lapack_py.demo import style

RANKS = (5, 20, 60)


def draw() -> Figure:
    """Three approximations above, the singular values below."""
    photo = load_sample_image("china.jpg")[::2, ::2].mean(axis=-1) / 255
    U, S, Vh = lap.svd(photo, full_matrices=False)
    figure = style.new_figure(10, 6.2, "A photograph from its largest singular values")
    above, below = style.parts(figure, 2, 1, height_ratios=[1.15, 1])
    pictures = [(f"{k} of {len(S)} values, {error(S, k):.0%} error", (U[:, :k] * S[:k]) @ Vh[:k]) for k in RANKS]
    axes = above.subplots(1, len(RANKS) + 1)
    for one, (title, picture) in zip(axes, [*pictures, ("the photograph", photo)], strict=True):
        one.imshow(picture, cmap="gray", vmin=0, vmax=1)
        style.picture(one, title)
    curve = below.subplots()
    curve.semilogy(np.arange(1, len(S) + 1), S, color=style.BLUE)
    curve.plot(RANKS, S[np.array(RANKS) - 1], "o", color=style.RED)
    style.tidy(curve, "few values are large", "number of the singular value", "singular value")
    return figure


def error(S: np.ndarray, k: int) -> float:
    """Relative error of the best approximation of rank k (Eckart and Young)."""
    return float(np.linalg.norm(S[k:]) / np.linalg.norm(S))
