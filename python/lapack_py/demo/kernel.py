"""A reader of handwritten digits: kernel ridge regression, which is one large positive definite system."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from sklearn.datasets import load_digits

import lapack_py as lap

from . import style
from .context import EPS, Array, Context, backward_error, size, solve_error

TRAINED = 1500
TRAINED_QUICK = 300
RIDGE = 1e-2


def run(ctx: Context) -> None:
    """Learns from most of the digits and reads the rest."""
    ctx.stage("5. Reading digits that were held out (kernel ridge: one positive definite system)")
    data, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(data))
    trained = TRAINED_QUICK if ctx.quick else TRAINED
    train, test = order[:trained], order[TRAINED:]
    images = data[train]
    products = ctx.compare(
        "matmul, products of images",
        f"{size(trained, data.shape[1])} x {trained}",
        lambda **kw: lap.matmul(images, images.T, **kw),
        numpy=lambda: np.matmul(images, images.T),
        error=lambda c: product_error(c, images),
    )
    # The usual width: as many features as there are pixels, each with the variance of the whole set.
    gamma = 1.0 / (data.shape[1] * float(data.var()))
    norms = np.sum(data**2, axis=1)
    kernel = np.exp(-gamma * (norms[train, None] + norms[None, train] - 2 * products))
    kernel += RIDGE * np.eye(trained)
    wanted = np.eye(10)[labels[train]]

    weights = solve(ctx, kernel, wanted)
    cross = np.exp(-gamma * (norms[test, None] + norms[None, train] - 2 * lap.matmul(data[test], images.T)))
    scores = lap.matmul(cross, weights)
    read = np.argmax(scores, axis=1)
    wrong = np.flatnonzero(read != labels[test])
    accuracy = 1 - len(wrong) / len(test)
    # How far the right answer is ahead of the best other one; below zero for the misread digits.
    right = scores[np.arange(len(test)), labels[test]]
    others = np.where(np.eye(10, dtype=bool)[labels[test]], -np.inf, scores)
    hardest = np.argsort(right - others.max(axis=1))
    ctx.say(f"{len(test) - len(wrong)} of {len(test)} held-out digits read correctly ({accuracy:.1%})")
    reference = np.argmax(cross @ np.linalg.solve(kernel, wanted), axis=1)
    ctx.check("digits read differently with NumPy's solution", float(np.mean(read != reference)), 0.0)
    draw(ctx, data[test], labels[test], read, hardest, accuracy)


def product_error(c: Array, images: Array) -> float:
    """The error of the products; the grey levels are whole numbers, so integers give the exact answer."""
    some = images[::10].astype(np.int64)
    exact = some @ images.astype(np.int64).T
    scale = float(np.linalg.norm(images[::10]) * np.linalg.norm(images))
    return float(np.linalg.norm(c[::10] - exact) / (scale * images.shape[1] * EPS))


def solve(ctx: Context, kernel: Array, wanted: Array) -> Array:
    """Factors the kernel and solves for the weights, with and without the knowledge that it is positive definite."""
    n = len(kernel)
    ctx.compare(
        "cholesky, kernel",
        size(n, n),
        lambda **kw: lap.cholesky(kernel, **kw),
        numpy=lambda: np.linalg.cholesky(kernel),
        scipy=lambda: scipy.linalg.cholesky(kernel, lower=True),
        error=lambda c: backward_error(kernel, c @ c.T),
    )
    weights: Array = ctx.compare(
        "solve, positive definite",
        f"{size(n, n)}, 10 rhs",
        lambda **kw: lap.solve(kernel, wanted, assume_a="pos", **kw),
        # NumPy has only its general solver to offer.
        numpy=lambda: np.linalg.solve(kernel, wanted),
        scipy=lambda: scipy.linalg.solve(kernel, wanted, assume_a="pos"),
        error=lambda x: solve_error(kernel, x, wanted),
    )
    general = ctx.compare(
        "solve, general",
        f"{size(n, n)}, 10 rhs",
        lambda **kw: lap.solve(kernel, wanted, **kw),
        numpy=lambda: np.linalg.solve(kernel, wanted),
        scipy=lambda: scipy.linalg.solve(kernel, wanted, assume_a="gen"),
        error=lambda x: solve_error(kernel, x, wanted),
    )
    difference = float(np.linalg.norm(weights - general) / np.linalg.norm(weights))
    ctx.check("both ways to solve give the same weights", difference, 1e-9)
    return weights


def draw(ctx: Context, images: Array, labels: Array, read: Array, hardest: Array, accuracy: float) -> None:
    """Which digit was taken for which, and the images that were hardest to read."""
    figure = style.new_figure(12, 5, f"Kernel ridge: {accuracy:.1%} of {len(labels)} held-out digits read correctly")
    left, right = style.parts(figure, 1, 2, width_ratios=[1, 1.2])
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (labels, read), 1)
    axes = left.subplots()
    axes.imshow(np.sqrt(counts), cmap="Blues")
    for i, j in np.argwhere(counts):
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", color="white" if i == j else "black", fontsize=9)
    axes.set_xticks(range(10))
    axes.set_yticks(range(10))
    axes.set_title("how often each digit was read as which", fontsize=11)
    axes.set_xlabel("read as")
    axes.set_ylabel("meant as")

    panels = right.subplots(2, 4).ravel()
    right.suptitle("the hardest to read", fontsize=11)
    for panel, index in zip(panels, hardest, strict=False):
        panel.imshow(images[index].reshape(8, 8), cmap="gray_r")
        correct = read[index] == labels[index]
        style.picture(
            panel, f"a {labels[index]}, only just" if correct else f"a {labels[index]}, read as {read[index]}"
        )
        panel.title.set_color("black" if correct else style.RED)
    ctx.save(figure, "digits_kernel.png")
