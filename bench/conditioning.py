"""How well `solve` knows its matrix: rcond of every report against the truth, on ordinary and on adversarial matrices.

The truth is the 1-norm of the matrix times that of its inverse, both in 80-bit arithmetic: in-place Gauss-Jordan
elimination with complete pivoting, whose pivots cannot grow by much. Its error in rcond is about n times 5e-20, so it
is right to two digits down to rcond = eps in double precision. LAPACK's estimator and an inverse in double precision
cannot be the judge there: they see the matrix through rounding errors of n eps.

Prints a table and writes everything as JSON.

Usage: python bench/conditioning.py [--matrices N] [FILE]    (10^5, bench/results/cpu/conditioning.json)
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import processor

import lapack_py as lap

SEED = 20
# What counts as ill-conditioned: the bound that a report should not miss.
ILL = {"float64": 1e-10, "float32": 1e-5}
SINGLE_SHARE = 0.2
LARGE, LARGE_ORDER = 300, 200
GROUPS = {"2 to 8": (2, 8, 0.45), "9 to 24": (9, 24, 0.25), "25 to 64": (25, 64, 0.3)}
QUANTILES = (0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0)
# Factors by which the screen could be higher than sqrt(eps); it is 10 in double precision, 1 in single.
SCREENS = (1, 3, 10, 30, 100)
# Histogram of log10(reported / true rcond), the figure of the documentation.
BINS = np.linspace(-2, 8, 41)


class Random(np.random.Generator):
    """Random numbers, and powers of ten in proportion to the digits of the type."""

    def __init__(self, seed: int, dtype: str) -> None:
        super().__init__(np.random.PCG64(seed))
        self.share = np.log(np.finfo(dtype).eps) / np.log(np.finfo("float64").eps)

    def decades(self, low: float, high: float) -> float:
        return float(10 ** (self.share * self.uniform(low, high)))


Maker = Callable[[Random, int], np.ndarray]


def orthogonal(random: Random, n: int) -> np.ndarray:
    q, r = np.linalg.qr(random.standard_normal((n, n)))
    return np.asarray(q * np.sign(np.diagonal(r)))


def geometric(random: Random, n: int) -> np.ndarray:
    return np.asarray(random.decades(8, 16) ** -np.linspace(0, 1, n))


def one_small(random: Random, n: int) -> np.ndarray:
    values = random.uniform(0.5, 1, n)
    values[-1] = random.decades(-16, -8)
    return values


def with_values(values: Callable[[Random, int], np.ndarray]) -> Maker:
    return lambda random, n: (orthogonal(random, n) * values(random, n)) @ orthogonal(random, n)


def definite(random: Random, n: int) -> np.ndarray:
    q = orthogonal(random, n)
    return symmetrised((q * geometric(random, n)) @ q.T)


def indefinite(random: Random, n: int) -> np.ndarray:
    q = orthogonal(random, n)
    return symmetrised((q * geometric(random, n) * random.choice([-1, 1], n)) @ q.T)


def symmetrised(a: np.ndarray) -> np.ndarray:
    return np.asarray((a + a.T) / 2)


def signs(random: Random, n: int) -> np.ndarray:
    return random.choice([-1.0, 1.0], (n, n))


def kahan(random: Random, n: int) -> np.ndarray:
    """Kahan's triangle, whose last pivot says little: s^(n-1) beside a smallest singular value far below."""
    lowest = 10 ** (-12 * random.share / (n - 1))
    s = random.uniform(lowest, 1)
    c = np.sqrt(1 - s * s)
    triangle = np.triu(np.full((n, n), -c), 1) + np.eye(n)
    return np.asarray(triangle * s ** np.arange(n)[:, None])


def permuted(make: Maker) -> Maker:
    def permute(random: Random, n: int) -> np.ndarray:
        return np.asarray(make(random, n)[random.permutation(n)][:, random.permutation(n)])

    return permute


def wilkinson(random: Random, n: int) -> np.ndarray:
    """Wilkinson's example of growth 2^(n-1) under partial pivoting, disturbed a little."""
    a = np.eye(n) - np.tril(np.ones((n, n)), -1)
    a[:, -1] = 1
    return np.asarray(a * (1 + random.decades(-12, -1) * random.standard_normal((n, n))))


def graded(random: Random, n: int) -> np.ndarray:
    scale = random.decades(-8, 0) ** np.linspace(0, 1, n)
    return np.asarray(scale[:, None] * random.standard_normal((n, n)) * scale)


def equal_rows(random: Random, n: int) -> np.ndarray:
    a = random.standard_normal((n, n))
    one, other = random.choice(n, 2, replace=False)
    a[one] = a[other] * (1 + random.decades(-17, -7) * random.standard_normal(n))
    return a


def equal_columns(random: Random, n: int) -> np.ndarray:
    return equal_rows(random, n).T


def hilbert(random: Random, n: int) -> np.ndarray:
    index = np.arange(n)
    return np.asarray(1 / (index[:, None] + index + random.uniform(0.5, 2)))


def vandermonde(random: Random, n: int) -> np.ndarray:
    return np.vander(random.uniform(random.choice([-1, 0]), 1, n))


def triangle(random: Random, n: int) -> np.ndarray:
    """Random elements, a diagonal that may be small."""
    a = np.triu(random.standard_normal((n, n)))
    np.fill_diagonal(a, random.decades(-4, 0) ** random.random(n))
    return a


def sparse(random: Random, n: int) -> np.ndarray:
    a = random.standard_normal((n, n)) * (random.random((n, n)) < 3 / n)
    return np.asarray(a + np.diag(random.decades(-8, 0) ** random.random(n)))


def blocks(random: Random, n: int) -> np.ndarray:
    """Block triangular, one block small or nearly singular."""
    half = max(1, n // 2)
    a = random.standard_normal((n, n))
    a[half:, :half] = 0
    corner = with_values(one_small)(random, n - half) if random.random() < 0.5 else a[half:, half:]
    a[half:, half:] = corner * (1 if random.random() < 0.5 else random.decades(-12, -6))
    return a


def scaled_rows(random: Random, n: int) -> np.ndarray:
    return np.asarray(random.decades(-12, -1) ** random.random((n, 1)) * random.standard_normal((n, n)))


def scaled_columns(random: Random, n: int) -> np.ndarray:
    return scaled_rows(random, n).T


def low_rank(random: Random, n: int) -> np.ndarray:
    rank = int(random.integers(1, n))
    exact = random.standard_normal((n, rank)) @ random.standard_normal((rank, n))
    return np.asarray(exact + random.decades(-16, -7) * random.standard_normal((n, n)))


def shifted(random: Random, n: int) -> np.ndarray:
    """Symmetric, an eigenvalue shifted nearly to zero, as in inverse iteration."""
    a = symmetrised(random.standard_normal((n, n)))
    value = np.linalg.eigvalsh(a)[random.integers(n)]
    return np.asarray(a - value * (1 + random.decades(-16, -7)) * np.eye(n))


def probe(n: int) -> np.ndarray:
    """The right-hand side that `solve` solves along: see crates/lapack-ai/src/conditioning.rs."""
    state, mask, elements = 0x9E3779B97F4A7C15, (1 << 64) - 1, []
    for _ in range(n):
        state ^= state >> 12
        state = (state ^ (state << 25)) & mask
        state ^= state >> 27
        bits = ((state * 0x2545F4914F6CDD1D) & mask) >> 11
        size = 0.5 + (bits >> 1) / 2.0**52
        elements.append(size if bits & 1 == 0 else -size)
    return np.array(elements)


def against_the_probe(random: Random, n: int) -> np.ndarray:
    """The left singular vector of the smallest singular value is orthogonal to the probe: nothing is seen of it."""
    first = probe(n)
    u, _ = np.linalg.qr(np.column_stack([first, random.standard_normal((n, n - 1))]))
    return np.asarray((u * one_small(random, n)) @ orthogonal(random, n))


# Name, maker, structures beside "gen" and none that fit.
CLASSES: list[tuple[str, Maker, tuple[str, ...]]] = [
    ("normal", lambda random, n: random.standard_normal((n, n)), ()),
    ("signs", signs, ()),
    ("geometric singular values", with_values(geometric), ()),
    ("one small singular value", with_values(one_small), ()),
    ("positive definite, geometric", definite, ("pos", "sym")),
    ("symmetric indefinite, geometric", indefinite, ("sym",)),
    ("symmetric, shifted by an eigenvalue", shifted, ("sym",)),
    ("Kahan", kahan, ()),
    ("Kahan, permuted", permuted(kahan), ()),
    ("Wilkinson", wilkinson, ()),
    ("graded", graded, ()),
    ("two nearly equal rows", equal_rows, ()),
    ("two nearly equal columns", equal_columns, ()),
    ("Hilbert-like", hilbert, ("pos", "sym")),
    ("Vandermonde", vandermonde, ()),
    ("triangular, small diagonal", triangle, ()),
    ("triangular, permuted", permuted(triangle), ()),
    ("sparse", sparse, ()),
    ("blocks", blocks, ()),
    ("scaled rows", scaled_rows, ()),
    ("scaled columns", scaled_columns, ()),
    ("low rank and noise", low_rank, ()),
]
# Made by one who knows the probe; not part of the sums.
AGAINST = "against the probe"


def true_rcond(stack: np.ndarray) -> np.ndarray:
    """rcond in the 1-norm of each matrix; 0 where a pivot is zero. Permutations are not undone: no norm sees them."""
    a = stack.astype(np.longdouble)
    count, n, _ = a.shape
    which = np.arange(count)
    norm = np.abs(a).sum(axis=1).max(axis=1)
    singular = np.zeros(count, bool)
    for k in range(n):
        at = np.abs(a[:, k:, k:]).reshape(count, -1).argmax(axis=1)
        rows, cols = at // (n - k) + k, at % (n - k) + k
        a[which, rows], a[:, k] = a[:, k].copy(), a[which, rows].copy()
        a[which, :, cols], a[:, :, k] = a[:, :, k].copy(), a[which, :, cols].copy()
        pivot = a[:, k, k].copy()
        singular |= pivot == 0
        pivot[pivot == 0] = 1
        column, row = a[:, :, k].copy(), a[:, k] / pivot[:, None]
        column[:, k] = 0
        a[:, :, k] = 0
        row[:, k] = 1 / pivot
        a[:, k] = 0
        a -= column[:, :, None] * row[:, None, :]
        a[:, k] = row
    inverse = np.abs(a).sum(axis=1).max(axis=1)
    return np.asarray(np.where(singular, 0, 1 / (norm * inverse)), dtype=np.float64)


def reported(a: np.ndarray, b: np.ndarray, assume: str | None) -> tuple[float, str]:
    """rcond of the report and its source; where the call refuses a singular matrix, 0."""
    try:
        report = lap.solve(a, b, assume_a=assume, return_report=True)[1]
    except (lap.SingularMatrixError, lap.NotPositiveDefiniteError):
        return 0.0, "refused"
    return report.rcond, report.rcond_source


class Rows:
    """What was measured, one line for each call."""

    def __init__(self) -> None:
        self.kinds: list[tuple[str, str, str, str]] = []
        self.numbers: list[tuple[float, float]] = []
        self.sources: list[str] = []

    def add(self, kind: tuple[str, str, str, str], true: float, found: tuple[float, str]) -> None:
        self.kinds.append(kind)
        self.numbers.append((true, found[0]))
        self.sources.append(found[1])


def measure(matrices: int) -> Rows:
    rows = Rows()
    classes = [*CLASSES, (AGAINST, against_the_probe, ())]
    for dtype, share in (("float64", 1.0), ("float32", SINGLE_SHARE)):
        random = Random(SEED, dtype)
        plan = []
        for group, (low, high, part) in GROUPS.items():
            orders = range(low, high + 1)
            each = max(1, round(matrices * share * part / (len(orders) * len(CLASSES))))
            plan += [(group, n, each) for n in orders]
        plan.append((str(LARGE_ORDER), LARGE_ORDER, max(1, round(LARGE * share / len(CLASSES)))))
        for name, make, structures in classes:
            start = time.perf_counter()
            for group, n, each in plan:
                stack = np.stack([make(random, n) for _ in range(each)]).astype(dtype)
                b = random.standard_normal(n).astype(dtype)
                for a, true in zip(stack, true_rcond(stack), strict=True):
                    for assume in ("gen", None, *structures):
                        # Column-major, where the report's norm is the 1-norm; of others it may see the transpose.
                        found = reported(np.asfortranarray(a), b, assume)
                        rows.add((dtype, name, group, assume or "auto"), float(true), found)
            print(f"{dtype} {name}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    return rows


def tally(true: np.ndarray, found: np.ndarray, sources: np.ndarray, dtype: str) -> dict[str, int]:
    """Counts of one selection of calls."""
    eps, ill = float(np.finfo(dtype).eps), ILL[dtype]
    bad, singular, warned = true < ill, true < eps, found < eps
    return {
        "calls": len(true),
        "ill": int(bad.sum()),
        "missed": int((bad & (found > ill)).sum()),
        "missed_tenfold": int((bad & (found > 10 * ill)).sum()),
        "singular": int(singular.sum()),
        "warned": int(warned.sum()),
        "warning_missed": int((singular & ~warned).sum()),
        "warning_missed_tenfold": int((singular & (found > 10 * eps)).sum()),
        "warning_false": int((warned & ~singular).sum()),
        "warning_false_tenfold": int((warned & (true > 10 * eps)).sum()),
        "refused": int((sources == "refused").sum()),
    }


def summary(rows: Rows) -> dict[str, Any]:
    kinds, sources = np.array(rows.kinds), np.array(rows.sources)
    true, found = np.array(rows.numbers).T
    result: dict[str, Any] = {}
    for dtype in ILL:
        of_type = kinds[:, 0] == dtype
        ours = of_type & (kinds[:, 1] != AGAINST)

        def count(where: np.ndarray, dtype: str = dtype) -> dict[str, int]:
            return tally(true[where], found[where], sources[where], dtype)

        # Where the truth is a matter of rounding, a ratio says nothing.
        known = ours & (true >= np.finfo(dtype).eps) & (found > 0)
        ratios = {}
        for source in np.unique(sources[known]):
            log = np.log10(found[known & (sources == source)] / true[known & (sources == source)])
            ratios[str(source)] = {
                "calls": len(log),
                "quantiles": {
                    str(part): float(f"{10**value:.4g}")
                    for part, value in zip(QUANTILES, np.quantile(log, QUANTILES), strict=True)
                },
                "histogram": np.histogram(np.clip(log, BINS[0], BINS[-1]), BINS)[0].tolist(),
            }
        # What a higher screen would give: the estimator would have run where the cheap estimate is below it.
        cheap = ours & np.isin(sources, ("pivots", "probe"))
        bad, screens = ours & (true < ILL[dtype]), {}
        for factor in SCREENS:
            passing = cheap & (found >= factor * np.sqrt(np.finfo(dtype).eps))
            screens[str(factor)] = {
                "screened_out": int((cheap & ~passing).sum()),
                "screened_out_normal": int((cheap & ~passing & (kinds[:, 1] == "normal")).sum()),
                "missed": int((bad & passing).sum()),
            }
        result[dtype] = {
            "eps": float(np.finfo(dtype).eps),
            "ill_below": ILL[dtype],
            "all": count(ours),
            "by_structure": {name: count(ours & (kinds[:, 3] == name)) for name in ("gen", "auto", "pos", "sym")},
            "by_class": {name: count(of_type & (kinds[:, 1] == name)) for name in dict.fromkeys(kinds[:, 1])},
            "by_order": {name: count(ours & (kinds[:, 2] == name)) for name in dict.fromkeys(kinds[:, 2])},
            "by_source": {str(name): count(ours & (sources == name)) for name in np.unique(sources)},
            "ratios": ratios,
            "screens": screens,
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--matrices", type=int, default=100_000)
    default = Path(__file__).parent / "results" / "cpu" / "conditioning.json"
    parser.add_argument("file", nargs="?", type=Path, default=default)
    arguments = parser.parse_args()
    if np.finfo(np.longdouble).eps > 2e-19:
        sys.exit("This machine has no 80-bit arithmetic in NumPy, so there is no truth to compare with.")
    warnings.simplefilter("ignore", lap.IllConditionedWarning)

    start = time.perf_counter()
    result = summary(measure(arguments.matrices))
    # The whole is in the file; this is what one looks at first.
    columns = (
        "calls",
        "ill",
        "missed",
        "missed_tenfold",
        "singular",
        "warning_missed",
        "warning_missed_tenfold",
        "warning_false",
        "refused",
    )
    for dtype, of_type in result.items():
        for part in ("by_class", "by_order", "by_structure", "by_source"):
            print(f"\n{dtype + ' ' + part:38s}" + "".join(f"{name:>24s}" for name in columns))
            for name, counts in of_type[part].items():
                print(f"{name:38s}" + "".join(f"{counts[column]:24d}" for column in columns))
        print(json.dumps(of_type["screens"]))
        for source, ratio in of_type["ratios"].items():
            print(source, ratio["calls"], ratio["quantiles"])
    machine = {
        "processor": processor(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "lapack": lap.library_info()["vendor"],
        "date": time.strftime("%Y-%m-%d"),
    }
    note = (
        "rcond of solve's report against 80-bit Gauss-Jordan with complete pivoting; missed: truth below ill_below, "
        "report above; singular: truth below eps; the class 'against the probe' is in no sum; ratios are reported / "
        "true where the truth is at least eps; screens: the estimator run below so many times sqrt(eps)"
    )
    written = {
        "note": note,
        "machine": machine,
        "seed": SEED,
        "seconds": round(time.perf_counter() - start, 1),
        "bins": BINS.tolist(),
        **result,
    }
    arguments.file.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
