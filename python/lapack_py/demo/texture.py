"""Corners and typical patches of photographs: thousands of tiny eigenproblems, and two large decompositions."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from scipy.ndimage import gaussian_filter, maximum_filter

import lapack_py as lap

from . import style
from .context import Array, Context, backward_error, size
from .photo import load_photo

PATCH = 32
STEP = 16
CORNERS = 60
# A peak that is fainter than this, relative to the strongest corner, is noise in the sky.
FAINTEST = 0.05
SHOWN_PATCHES = 24


def run(ctx: Context) -> None:
    """Finds the corners of one photograph and the patches that both are made of."""
    ctx.stage("6. Corners and typical patches of photographs (many small, and two large decompositions)")
    grey = [load_photo(name, ctx.quick).mean(axis=0) for name in ("china.jpg", "flower.jpg")]
    small, large = eigenvalues_everywhere(ctx, grey[0])
    basis, share = typical_patches(ctx, grey)
    draw(ctx, grey[0], small, large, basis, share)


def structure_tensors(grey: Array) -> Array:
    """For every second pixel, how the brightness changes around it: a 2 x 2 matrix."""
    down, across = np.gradient(grey)
    parts = [gaussian_filter(p, sigma=2.0)[::2, ::2] for p in (down * down, down * across, across * across)]
    return np.ascontiguousarray(np.stack([parts[0], parts[1], parts[1], parts[2]], axis=-1)).reshape(-1, 2, 2)


def eigenvalues_everywhere(ctx: Context, grey: Array) -> tuple[Array, Array]:
    """The smaller and the larger eigenvalue at every second pixel."""
    tensors = structure_tensors(grey)
    result = ctx.compare(
        "eigh, one matrix per pixel",
        size(*tensors.shape),
        lambda **kw: lap.eigh(tensors, **kw),
        numpy=lambda: np.linalg.eigh(tensors),
        # One call for each matrix: SciPy took a stack of matrices only from version 1.16 on.
        scipy=lambda: [scipy.linalg.eigh(tensor) for tensor in tensors],
        error=lambda r: backward_error(tensors, (r.eigenvectors * r.eigenvalues[:, None]) @ r.eigenvectors.mT),
    )
    height, width = grey[::2, ::2].shape
    values = result.eigenvalues.reshape(height, width, 2)
    trace = np.trace(tensors, axis1=1, axis2=2).reshape(height, width)
    gap = float(np.max(np.abs(values.sum(axis=-1) - trace)) / np.max(trace))
    ctx.check("the eigenvalues of each matrix add up to its trace", gap, 1e-13)
    return values[..., 0], values[..., 1]


def typical_patches(ctx: Context, grey: list[Array]) -> tuple[Array, Array]:
    """The patches whose combinations describe both photographs best, and how much each number of them describes."""
    side = PATCH // 2 if ctx.quick else PATCH
    step = STEP // 2 if ctx.quick else STEP
    windows = [np.lib.stride_tricks.sliding_window_view(g, (side, side))[::step, ::step] for g in grey]
    patches = np.concatenate([w.reshape(-1, side * side) for w in windows])
    centred = patches - patches.mean(axis=0)
    decomposition = ctx.compare(
        "svd, patches of photographs",
        size(*centred.shape),
        lambda **kw: lap.svd(centred, full_matrices=False, **kw),
        numpy=lambda: np.linalg.svd(centred, full_matrices=False),
        scipy=lambda: scipy.linalg.svd(centred, full_matrices=False),
        error=lambda r: backward_error(centred, (r.U * r.S) @ r.Vh),
    )
    scatter = centred.T @ centred
    spectrum = ctx.compare(
        "eigh, scatter of patches",
        size(*scatter.shape),
        lambda **kw: lap.eigh(scatter, **kw),
        numpy=lambda: np.linalg.eigh(scatter),
        scipy=lambda: scipy.linalg.eigh(scatter),
        error=lambda r: backward_error(scatter, (r.eigenvectors * r.eigenvalues) @ r.eigenvectors.T),
    )
    squares = decomposition.S**2
    largest = spectrum.eigenvalues[::-1][: len(squares)]
    gap = float(np.max(np.abs(squares - largest)) / squares[0])
    ctx.check("svd and eigh agree on the variance of every patch", gap, 1e-12)
    share = np.cumsum(squares) / squares.sum()
    shown = share[SHOWN_PATCHES - 1]
    ctx.say(f"{SHOWN_PATCHES} of {side * side} patches hold {shown:.0%} of the variance of both photographs")
    return decomposition.Vh[:SHOWN_PATCHES].reshape(-1, side, side), share


def draw(ctx: Context, grey: Array, small: Array, large: Array, basis: Array, share: Array) -> None:
    """The corners, the edges, the patches, and how many of them are needed."""
    figure = style.new_figure(13, 8.4, "What a photograph is made of, seen through eigenvalues")
    rows = style.parts(figure, 2, 1)
    corners, edges = rows[0].subplots(1, 2)
    corners.imshow(grey, cmap="gray")
    peaks = np.where(small == maximum_filter(small, size=9), small, 0.0)
    found = min(CORNERS, int(np.count_nonzero(peaks > FAINTEST * peaks.max())))
    strongest = np.argsort(peaks, axis=None)[-found:]
    down, across = np.unravel_index(strongest, peaks.shape)
    corners.plot(2 * across, 2 * down, "o", markersize=7, markerfacecolor="none", color=style.ORANGE)
    style.picture(corners, f"the {found} strongest corners (smaller eigenvalue)")
    # Where nothing changes, the direction of the change means nothing: those pixels count as without direction.
    floor = 1e-3 * float(np.quantile(large, 0.99))
    coherence = ((large - small) / (large + small + floor)) ** 2
    image = edges.imshow(coherence, cmap="cividis", vmin=0, vmax=1)
    style.picture(edges, "how clearly the brightness changes in one direction")
    rows[0].colorbar(image, ax=edges, shrink=0.85, label="0 none, 1 a clean edge")

    left, right = style.parts(rows[1], 1, 2, width_ratios=[1.35, 1])
    left.suptitle(f"the {len(basis)} most typical patches", fontsize=11)
    for patch, axes in zip(basis, left.subplots(3, SHOWN_PATCHES // 3).ravel(), strict=True):
        axes.imshow(patch, cmap="gray")
        style.picture(axes)
    curve = right.subplots()
    curve.semilogx(np.arange(1, len(share) + 1), 100 * share, color=style.BLUE)
    curve.plot([SHOWN_PATCHES], [100 * share[SHOWN_PATCHES - 1]], "o", color=style.RED)
    curve.annotate(
        f"the {SHOWN_PATCHES} shown", (SHOWN_PATCHES, 100 * share[SHOWN_PATCHES - 1]),
        xytext=(8, -14), textcoords="offset points",
    )  # fmt: skip
    style.tidy(curve, "variance of both photographs explained", "number of patches", "share of the variance (%)")
    ctx.save(figure, "texture.png")
