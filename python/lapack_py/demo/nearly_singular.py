"""Two columns that say almost the same: what the library reports, and what is left of the solution."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

import lapack_py as lap

from . import style
from .context import EPS, Array, Context, size, solve_error
from .regression import load_patients

BMI = 2
# From kg/m2 to lb/ft2, by the definitions of the pound and the foot.
POUNDS = 0.3048**2 / 0.45359237
# The system that is explained in words.
EXPLAINED_DIGITS = 13


@dataclass(frozen=True)
class Point:
    """One system of the series."""

    distance: float
    solve: float
    lstsq: float
    rcond: float | None
    warned: bool
    rank: int


def run(ctx: Context) -> None:
    """Explains one nearly singular and one singular system, then runs through the whole series."""
    ctx.stage("4. A nearly singular system, explained (the body mass index twice, once by way of pounds and feet)")
    ctx.say("12 patients, 12 columns; each right-hand side is built for a known solution, so the errors are real")
    square = pick_patients()
    well_posed = system(square, 1)
    truth = effects()
    right = well_posed @ truth
    ctx.compare(
        "solve, 12 patients",
        size(*well_posed.shape),
        lambda **kw: lap.solve(well_posed, right, **kw),
        numpy=lambda: np.linalg.solve(well_posed, right),
        scipy=lambda: scipy.linalg.solve(well_posed, right),
        error=lambda x: solve_error(well_posed, x, right),
    )

    points: list[Point] = []
    doubted = False
    for digits in range(1, 17):
        ctx.progress.step(f"body mass index to {digits} digits")
        a = system(square, digits)
        point, caught, doubts = measure(a, truth)
        if digits == EXPLAINED_DIGITS or (caught and not any(p.warned for p in points)):
            explain(ctx, digits, point, caught)
        if doubts and not doubted:
            doubted = True
            ctx.say(f"\nlstsq is the first to have doubts, at {digits} digits:")
            ctx.say(f"  {doubts[0]}")
        points.append(point)
    merged = [p.distance for p in points if p.rank < len(truth)]
    if merged:
        ctx.say(f"\nfrom a distance of {max(merged):.0e} on, lstsq takes the two columns for one and shares the effect")
        ctx.say("evenly between them, which is how the right-hand side was built; solve cannot do that")
    explain_singular(ctx, square, truth)
    draw(ctx, points)


def pick_patients() -> Array:
    """Eleven measurements (a constant first) of the twelve patients who differ most from one another."""
    measured, _ = load_patients()
    scaled = (measured - measured.mean(axis=0)) / measured.std(axis=0)
    # Body mass index stays in its own unit: it is going to be converted and rounded.
    scaled[:, BMI] = measured[:, BMI]
    design = np.column_stack([np.ones(len(scaled)), scaled])
    _, order = scipy.linalg.qr(design.T, mode="r", pivoting=True)
    # Pivoting ranks only as many patients as there are columns; the twelfth is simply the next one.
    chosen: Array = design[order[: design.shape[1] + 1]]
    return chosen


def round_to(values: Array, digits: int) -> Array:
    """Rounds to a number of significant decimal digits, as a printed table would."""
    return np.array([float(f"{value:.{digits - 1}e}") for value in values])


def system(square: Array, digits: int) -> Array:
    """Adds the body mass index once more, after a round trip through pounds and feet written with so many digits."""
    copy = round_to(square[:, 1 + BMI] * POUNDS, digits) / POUNDS
    return np.column_stack([square, copy])


def effects() -> Array:
    """The solution that every system is built for: the effect of the body mass index in equal halves, others 1."""
    truth = np.ones(12)
    truth[[1 + BMI, -1]] = 0.5
    return truth


def distance(a: Array) -> float:
    """How far apart the two columns are, relative to their size."""
    return float(np.linalg.norm(a[:, 1 + BMI] - a[:, -1]) / np.linalg.norm(a[:, -1]))


def measure(a: Array, truth: Array) -> tuple[Point, list[Any], list[Any]]:
    """Solves one system both ways and keeps what the library said about it, of each way."""
    right = a @ truth
    rcond: float | None = None
    with warnings.catch_warnings(record=True) as log:
        warnings.simplefilter("always")
        try:
            x, report = lap.solve(a, right, return_report=True)
            rcond = report.rcond
            error = float(np.linalg.norm(x - truth) / np.linalg.norm(truth))
        except np.linalg.LinAlgError as problem:
            rcond, error = getattr(problem, "rcond", None), float("nan")
    caught = [entry.message for entry in log if issubclass(entry.category, scipy.linalg.LinAlgWarning)]
    with warnings.catch_warnings(record=True) as log:
        warnings.simplefilter("always")
        fitted, _, rank, _ = lap.lstsq(a, right)
    doubts = [entry.message for entry in log if issubclass(entry.category, scipy.linalg.LinAlgWarning)]
    fallback = float(np.linalg.norm(fitted - truth) / np.linalg.norm(truth))
    return Point(distance(a), error, fallback, rcond, bool(caught), int(rank)), caught, doubts


def explain(ctx: Context, digits: int, point: Point, caught: list[Any]) -> None:
    """Prints what the library says about one system, short and long."""
    ctx.say(f"\nwritten with {digits} digits, the two columns differ by {point.distance:.0e}")
    if point.rcond is not None:
        bound = EPS / max(point.rcond, EPS)
        ctx.say(f"rcond in the report: {point.rcond:.1e}, so the error can reach about {bound:.0e}")
    ctx.say(f"error of solve: {point.solve:.1e}; error of lstsq: {point.lstsq:.1e}")
    if not caught:
        correct = max(0, int(-np.log10(max(point.solve, EPS))))
        ctx.say(f"no warning yet, though only about {correct} of 16 digits are left")
    for message in caught[:1]:
        ctx.say("the warning in one line:")
        ctx.say(f"  {message}")
        say_long(ctx, message)


def explain_singular(ctx: Context, square: Array, truth: Array) -> None:
    """Prints what the library says when there is no unique solution at all."""
    a = np.column_stack([square, np.zeros(len(square))])
    ctx.say("\nan exactly singular system: a yes/no column that is no (0) for every patient")
    try:
        lap.solve(a, a @ truth)
    except np.linalg.LinAlgError as problem:
        ctx.say("the error in one line:")
        ctx.say(f"  {problem}")
        say_long(ctx, problem)
    else:
        ctx.failed.append("solve did not refuse a singular matrix")


def say_long(ctx: Context, message: Any) -> None:
    """Prints the long form of a warning or an error, if it has one."""
    report = getattr(message, "report", None)
    if callable(report):
        ctx.say("and in full:")
        ctx.say("\n".join(f"  {line}" for line in str(report()).splitlines()))


def draw(ctx: Context, points: list[Point]) -> None:
    """The error against the distance of the columns, and against what the report said."""
    figure = style.new_figure(13, 5.4, "One measurement twice: what the second column costs")
    left, right = figure.subplots(1, 2)
    # Columns that came out equal have no place on a logarithmic axis, nor has an exact answer.
    shown = [p for p in points if p.distance > 0]
    x = [p.distance for p in shown]
    left.loglog(x, [max(p.solve, EPS / 10) for p in shown], "o-", color=style.RED, label="error of solve")
    left.loglog(x, [max(p.lstsq, EPS / 10) for p in shown], "s--", color=style.BLUE, label="error of lstsq")
    known = [(p.distance, p.rcond) for p in shown if p.rcond]
    if known:
        left.loglog(*zip(*known, strict=True), "^:", color=style.GREY, label="rcond in the report of solve")
    left.invert_xaxis()
    merged = [p for p in shown if p.rank < len(effects())]
    if merged:
        left.annotate(
            "lstsq takes\nthe two\ncolumns\nfor one", (merged[0].distance, merged[0].lstsq), xytext=(36, 40),
            textcoords="offset points", ha="center", fontsize=9, color=style.BLUE,
            arrowprops={"arrowstyle": "->", "color": style.BLUE, "shrinkB": 6},
        )  # fmt: skip
    style.tidy(left, "the closer the columns, the larger the error", "relative distance of the two columns",
               "relative error of the solution, and rcond")  # fmt: skip

    told = [p for p in shown if p.rcond]
    for warned, fill, label in ((False, style.RED, "no warning"), (True, "white", "with a warning")):
        group = [p for p in told if p.warned is warned]
        right.loglog(
            [p.rcond or EPS for p in group], [max(p.solve, EPS / 10) for p in group], "o", markersize=8,
            color=style.RED, markerfacecolor=fill, label=f"solve, {label}",
        )  # fmt: skip
    if told:
        ends = np.array([min(p.rcond or EPS for p in told), max(p.rcond or EPS for p in told)])
        right.loglog(ends, EPS / ends, color=style.GREY, linewidth=1, label="eps / rcond")
    right.invert_xaxis()
    style.tidy(right, "rcond foretells the error", "rcond in the report", "relative error of the solution")
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=9)
    ctx.save(figure, "nearly_singular.png")
