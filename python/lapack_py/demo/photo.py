"""A photograph, compressed by keeping the largest singular values of each colour channel."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_sample_image

import lapack_py as lap

from . import style
from .context import EPS, Array, Context, backward_error, size

RANKS = (5, 20, 50, 100)


def load_photo(name: str, quick: bool) -> Array:
    """One of scikit-learn's photographs as three matrices (red, green, blue) of numbers from 0 to 1."""
    image = load_sample_image(name)
    if quick:
        image = image[::4, ::4]
    return np.ascontiguousarray(np.moveaxis(image, -1, 0), dtype=np.float64) / 255.0


def run(ctx: Context) -> None:
    """Compresses the photograph and draws what each rank keeps."""
    ctx.stage("1. A photograph in fewer numbers (singular value decomposition of each colour channel)")
    photo = load_photo("china.jpg", ctx.quick)
    _, height, width = photo.shape
    u, s, vh = decompose(ctx, photo)

    norm = float(np.linalg.norm(photo))
    ctx.say("rank   numbers kept   relative error")
    kept: list[tuple[int, float, float, Array]] = []
    worst = 0.0
    for rank in RANKS:
        storage = rank * (height + width + 1) / (height * width)
        if storage > 1:
            continue
        approximation = lap.matmul(u[..., :rank] * s[:, None, :rank], vh[:, :rank])
        error = float(np.linalg.norm(photo - approximation)) / norm
        predicted = float(np.linalg.norm(s[:, rank:])) / norm
        worst = max(worst, abs(error - predicted) / predicted)
        ctx.say(f"{rank:4d}   {storage:11.1%}   {error:14.2%}")
        kept.append((rank, storage, error, approximation))
    ctx.check("error equals the one that the discarded singular values predict (Eckart-Young)", worst, 1e-10)

    rebuild(ctx, u, s, vh, rank=kept[-1][0])
    draw(ctx, photo, s, kept)


def decompose(ctx: Context, photo: Array) -> tuple[Array, Array, Array]:
    """The decomposition of the three channels in one call."""
    from scipy.linalg import svd as scipy_svd

    result = ctx.compare(
        "svd, 3 colour channels",
        size(*photo.shape),
        lambda **kw: lap.svd(photo, full_matrices=False, **kw),
        numpy=lambda: np.linalg.svd(photo, full_matrices=False),
        # One call for each channel: SciPy took a stack of matrices only from version 1.16 on.
        scipy=lambda: [scipy_svd(channel, full_matrices=False) for channel in photo],
        error=lambda r: backward_error(photo, (r.U * r.S[:, None, :]) @ r.Vh),
    )
    return result.U, result.S, result.Vh


def rebuild(ctx: Context, u: Array, s: Array, vh: Array, rank: int) -> None:
    """Times the product that turns the kept numbers back into a picture."""
    left, right = np.ascontiguousarray(u[..., :rank] * s[:, None, :rank]), np.ascontiguousarray(vh[:, :rank])
    # Every 40th row, in wider numbers where the machine has them, is enough to judge the product by.
    some = left[:, ::40]
    exact = some.astype(np.longdouble) @ right.astype(np.longdouble)
    scale = float(np.linalg.norm(some) * np.linalg.norm(right)) * rank * EPS
    ctx.compare(
        f"matmul, picture of rank {rank}",
        f"{size(*left.shape)} x {right.shape[-1]}",
        lambda **kw: lap.matmul(left, right, **kw),
        numpy=lambda: np.matmul(left, right),
        error=lambda c: float(np.linalg.norm((c[:, ::40] - exact).astype(np.float64))) / scale,
    )


def draw(ctx: Context, photo: Array, s: Array, kept: list[tuple[int, float, float, Array]]) -> None:
    """The original and the reconstructions side by side, and how fast the singular values fall."""
    figure = style.new_figure(13, 7.4, "A photograph compressed by SVD")
    top, bottom = style.parts(figure, 2, 1)
    bottom_left, bottom_right = style.parts(bottom, 1, 2, width_ratios=[2, 1])
    panels = [*top.subplots(1, 3), *bottom_left.subplots(1, 2)]
    _, height, width = photo.shape
    pictures = [(f"original, {width} x {height} pixels", photo)]
    pictures += [(f"rank {r}: {storage:.0%} of the numbers, error {err:.1%}", a) for r, storage, err, a in kept]
    for axes, (title, channels) in zip(panels, pictures, strict=False):
        axes.imshow(np.clip(np.moveaxis(channels, 0, -1), 0, 1))
        style.picture(axes, title)
    for axes in panels[len(pictures) :]:
        axes.set_visible(False)

    axes = bottom_right.subplots()
    for values, name, colour, dash in zip(
        s, ("red", "green", "blue"), (style.RED, style.GREEN, style.BLUE), ("-", "--", ":"), strict=True
    ):
        axes.loglog(np.arange(1, len(values) + 1), values / values[0], dash, color=colour, label=f"{name} channel")
    for rank, *_ in kept:
        axes.axvline(rank, color=style.GREY, linewidth=0.7, alpha=0.6)
    style.tidy(axes, "singular values (grey lines: the ranks shown)", "index", "relative to the largest")
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    ctx.save(figure, "photo_compression.png")
