"""Handwritten digits: the directions in which they differ most."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from sklearn.datasets import load_digits

import lapack_py as lap

from . import style
from .context import Array, Context, backward_error, size

SHOWN_COMPONENTS = 8


def run(ctx: Context) -> None:
    """Principal components by two routes, and the picture that they give."""
    ctx.stage("2. Handwritten digits in two dimensions (principal components)")
    data, labels = load_digits(return_X_y=True)
    centred = data - data.mean(axis=0)
    n, features = centred.shape

    decomposition = ctx.compare(
        "svd, centred digits",
        size(n, features),
        lambda **kw: lap.svd(centred, full_matrices=False, **kw),
        numpy=lambda: np.linalg.svd(centred, full_matrices=False),
        scipy=lambda: scipy.linalg.svd(centred, full_matrices=False),
        error=lambda r: backward_error(centred, (r.U * r.S) @ r.Vh),
    )
    covariance = centred.T @ centred / (n - 1)
    spectrum = ctx.compare(
        "eigh, covariance of digits",
        size(features, features),
        lambda **kw: lap.eigh(covariance, **kw),
        numpy=lambda: np.linalg.eigh(covariance),
        scipy=lambda: scipy.linalg.eigh(covariance),
        error=lambda r: backward_error(covariance, (r.eigenvectors * r.eigenvalues) @ r.eigenvectors.T),
    )

    variances = decomposition.S**2 / (n - 1)
    eigenvalues = spectrum.eigenvalues[::-1]
    ctx.check(
        "variances from svd equal those from eigh, relative to the largest",
        float(np.max(np.abs(variances - eigenvalues)) / variances[0]),
        1e-12,
    )
    # A pixel that is 0 in every image makes a direction without variance; those directions may turn freely.
    k = SHOWN_COMPONENTS
    overlaps = np.abs(np.sum(decomposition.Vh[:k] * spectrum.eigenvectors[:, ::-1].T[:k], axis=1))
    ctx.check("the first components are the same directions", float(np.max(1 - overlaps)), 1e-10)

    share = np.cumsum(variances) / np.sum(variances)
    needed = int(np.searchsorted(share, 0.9)) + 1
    ctx.say(f"two components show {share[1]:.0%} of the variance; {needed} of {features} hold 90 %")

    components = fix_signs(decomposition.Vh)
    draw(ctx, data, labels, centred @ components[:2].T, share, needed, components)


def fix_signs(components: Array) -> Array:
    """The same components with their largest entry positive: the sign is free, and engines may choose differently."""
    largest = components[np.arange(len(components)), np.argmax(np.abs(components), axis=1)]
    fixed: Array = components * np.sign(largest)[:, None]
    return fixed


def draw(ctx: Context, data: Array, labels: Array, points: Array, share: Array, needed: int, components: Array) -> None:
    """The scatter plot, the curve of explained variance and the components as images."""
    figure = style.new_figure(14, 8, "1797 handwritten digits and their principal components")
    left, right = style.parts(figure, 1, 2, width_ratios=[1.45, 1])
    axes = left.subplots()
    for digit in range(10):
        chosen = points[labels == digit]
        axes.plot(
            chosen[:, 0], chosen[:, 1], linestyle="", marker=f"${digit}$", markersize=6,
            color=style.CLASSES[digit], markeredgewidth=0.2, alpha=0.8,
        )  # fmt: skip
    style.tidy(
        axes,
        f"every image, drawn as its digit ({share[1]:.0%} of the variance)",
        "first component (grey levels)",
        "second component (grey levels)",
    )
    for index in pick_thumbnails(points, labels):
        add_thumbnail(axes, data[index], points[index], style.CLASSES[labels[index]])

    top, bottom = style.parts(right, 2, 1, height_ratios=[1, 1.05])
    curve = top.subplots()
    curve.plot(np.arange(1, len(share) + 1), 100 * share, color=style.BLUE)
    curve.plot([needed], [100 * share[needed - 1]], "o", color=style.RED)
    curve.annotate(
        f"{needed} components: 90 %", (needed, 100 * share[needed - 1]), xytext=(8, -16), textcoords="offset points"
    )
    curve.set_ylim(0, 103)
    style.tidy(curve, "variance explained", "number of components", "share of the variance (%)")

    bottom.suptitle(f"the first {SHOWN_COMPONENTS} components (purple: less ink, green: more)", fontsize=11)
    limit = float(np.max(np.abs(components[:SHOWN_COMPONENTS])))
    for i, panel in enumerate(bottom.subplots(2, SHOWN_COMPONENTS // 2).ravel()):
        panel.imshow(components[i].reshape(8, 8), cmap="PRGn", vmin=-limit, vmax=limit)
        style.picture(panel, f"no. {i + 1}")
    ctx.save(figure, "digits_pca.png")


def pick_thumbnails(points: Array, labels: Array) -> list[int]:
    """One image of each digit, each as far as can be from those already picked, so that none covers another."""
    picked: list[int] = []
    for digit in range(10):
        candidates = np.flatnonzero(labels == digit)
        radius = np.linalg.norm(points[candidates] - points[candidates].mean(axis=0), axis=1)
        candidates = candidates[radius <= np.quantile(radius, 0.9)]
        if picked:
            gaps = np.linalg.norm(points[candidates][:, None] - points[picked][None], axis=2).min(axis=1)
        else:
            gaps = np.linalg.norm(points[candidates], axis=1)
        picked.append(int(candidates[np.argmax(gaps)]))
    return picked


def add_thumbnail(axes: Axes, image: Array, position: Array, colour: str) -> None:
    """Puts one small image where its point is."""
    thumbnail = OffsetImage(image.reshape(8, 8), zoom=3.6, cmap="gray_r", interpolation="nearest")
    frame = {"edgecolor": colour, "linewidth": 2.0}
    axes.add_artist(AnnotationBbox(thumbnail, tuple(position), pad=0.1, bboxprops=frame))
