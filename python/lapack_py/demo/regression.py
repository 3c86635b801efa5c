"""A regression three ways: least squares, QR, and Cholesky of the normal equations."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import scipy.linalg
from sklearn.datasets import load_diabetes

import lapack_py as lap

from . import style
from .context import EPS, Array, Context, backward_error, size

NAMES = [
    "age", "sex", "body mass index", "blood pressure", "total cholesterol", "LDL", "HDL",
    "total / HDL", "log triglycerides", "blood glucose",
]  # fmt: skip


def load_patients() -> tuple[Array, Array]:
    """The measurements of 442 patients in their own units, and how far their diabetes got in a year."""
    data = load_diabetes(scaled=False)
    return np.asarray(data.data, dtype=np.float64), np.asarray(data.target, dtype=np.float64)


def run(ctx: Context) -> None:
    """Fits the same model three ways and measures each against the exact answer."""
    ctx.stage("3. A regression three ways (442 diabetes patients)")
    measured, target = load_patients()
    design = np.column_stack([np.ones(len(measured)), measured])
    fits = fit(ctx, design, target)

    ctx.progress.step("the exact fit, in fractions")
    exact = exact_fit(design, target)
    errors = {name: float(np.linalg.norm(x - exact) / np.linalg.norm(exact)) for name, x in fits.items()}
    ctx.say("error of the coefficients, measured against the fit in exact fractions:")
    for name, error in errors.items():
        ctx.say(f"  {name:32s} {error:.1e}")
    condition = float(np.linalg.cond(design))
    ctx.say(f"the condition number is {condition:.0f}; the normal equations square it, which costs them digits")
    ctx.check("lstsq and QR give the same coefficients", relative(*list(fits.values())[:2]), 1e3 * condition * EPS)
    limit = 1e3 * condition**2 * EPS
    ctx.check("so do the normal equations", relative(fits["lstsq"], list(fits.values())[2]), limit)

    predicted = design @ fits["lstsq"]
    r2 = 1 - float(np.sum((target - predicted) ** 2) / np.sum((target - target.mean()) ** 2))
    ctx.say(f"R^2 on the patients that were fitted: {r2:.3f}")
    draw(ctx, fits["lstsq"][1:] * measured.std(axis=0), target, predicted, r2, errors)


def relative(x: Array, y: Array) -> float:
    """How far apart two vectors are."""
    return float(np.linalg.norm(x - y) / np.linalg.norm(x))


def fit(ctx: Context, design: Array, target: Array) -> dict[str, Array]:
    """The coefficients by each of the three ways."""
    shape = size(*design.shape)

    def optimality(result: Any) -> float:
        residual = target - design @ result[0]
        scale = np.linalg.norm(design) * np.linalg.norm(residual)
        return float(np.linalg.norm(design.T @ residual) / scale) / (len(design) * EPS)

    least_squares = ctx.compare(
        "lstsq, patients",
        shape,
        lambda **kw: lap.lstsq(design, target, **kw),
        numpy=lambda: np.linalg.lstsq(design, target),
        scipy=lambda: scipy.linalg.lstsq(design, target),
        error=optimality,
    )
    q, r = ctx.compare(
        "qr, patients",
        shape,
        lambda **kw: lap.qr(design, **kw),
        numpy=lambda: np.linalg.qr(design),
        scipy=lambda: scipy.linalg.qr(design, mode="economic"),
        error=lambda qr: backward_error(design, qr[0] @ qr[1]),
    )
    gram = design.T @ design
    factor = ctx.compare(
        "cholesky, normal equations",
        size(*gram.shape),
        lambda **kw: lap.cholesky(gram, **kw),
        numpy=lambda: np.linalg.cholesky(gram),
        scipy=lambda: scipy.linalg.cholesky(gram, lower=True),
        error=lambda c: backward_error(gram, c @ c.T),
    )
    halfway = lap.solve(factor, design.T @ target, assume_a="lower triangular")
    return {
        "lstsq": least_squares[0],
        "qr": lap.solve(r, q.T @ target, assume_a="upper triangular"),
        "cholesky of the normal equations": lap.solve(factor.T, halfway, assume_a="upper triangular"),
    }


def exact_fit(design: Array, target: Array) -> Array:
    """The least-squares fit without any rounding: normal equations in fractions, rounded once at the end."""
    columns = [[Fraction(v) for v in column] for column in np.column_stack([design, target]).T.tolist()]
    *left, right = columns
    rows = [[sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0)) for b in [*left, right]] for a in left]
    return solve_fractions(rows)


def solve_fractions(rows: list[list[Fraction]]) -> Array:
    """Gauss-Jordan elimination of a system whose right-hand side is the last column."""
    n = len(rows)
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(n):
            if i != k and rows[i][k]:
                factor = rows[i][k]
                rows[i] = [v - factor * w for v, w in zip(rows[i], rows[k], strict=True)]
    return np.array([float(row[-1]) for row in rows])


def draw(ctx: Context, effects: Array, target: Array, predicted: Array, r2: float, errors: dict[str, float]) -> None:
    """The coefficients, the fit, and the accuracy of the three ways."""
    figure = style.new_figure(14, 4.8, "Diabetes after one year, explained by ten measurements")
    bars, scatter, accuracy = figure.subplots(1, 3, width_ratios=[1.1, 1, 0.9])

    order = np.argsort(np.abs(effects))
    colours = [style.BLUE if effects[i] > 0 else style.ORANGE for i in order]
    bars.barh([NAMES[i] for i in order], effects[order], color=colours)
    bars.axvline(0, color="black", linewidth=0.8)
    style.tidy(bars, "effect of each measurement", "change of the score per standard deviation", "", axis="x")

    low, high = min(target.min(), predicted.min()), max(target.max(), predicted.max())
    scatter.plot([low, high], [low, high], color=style.GREY, linewidth=1, label="perfect prediction")
    scatter.plot(target, predicted, "o", markersize=4, color=style.BLUE, alpha=0.45, markeredgewidth=0)
    style.tidy(scatter, f"all 442 patients, R² = {r2:.2f}", "measured score", "predicted score")
    scatter.legend(frameon=False, fontsize=9, loc="upper left")

    labels = ["lstsq", "qr", "cholesky of the\nnormal equations"]
    # An exact hit has no place on a logarithmic axis.
    values = [max(e, EPS / 10) for e in errors.values()]
    accuracy.plot(values, labels, "o", markersize=9, color=style.RED)
    accuracy.set_xscale("log")
    accuracy.set_xlim(min(values) / 20, max(values) * 20)
    accuracy.set_ylim(-0.6, 2.6)
    accuracy.invert_yaxis()
    for value, label in zip(values, labels, strict=True):
        accuracy.annotate(
            f"{value:.0e}", (value, label), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=9
        )
    style.tidy(accuracy, "error against exact fractions", "relative error of the coefficients", "", axis="x")
    ctx.save(figure, "regression.png")
