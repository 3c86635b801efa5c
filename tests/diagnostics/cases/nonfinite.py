"""NaN and infinity: missing values, logarithms of zero, divisions by zero, overflow."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.linalg as sl

import lapack_py as lap

from ._case import Case, Data, eigen_of, element, factor, least_squares, same, solves, svd_of

NAN = r"\bnans?\b|not a number"
INF = r"\binf(s|inity|inite)?\b"
REMOVE = r"drop|remove|delete|leave out|mask|fill|impute|replace|nan_to_num|isfinite|isnan|dropna|clean"


def _quiet(function, *arguments):
    """What NumPy's arithmetic makes of bad data, without its warnings: they were long scrolled away."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


def _missing() -> Data:
    rng = np.random.default_rng(51)
    x = rng.standard_normal((40, 5))
    y = x @ np.arange(1.0, 6.0)
    x[17, 3] = np.nan
    return {"a": x, "b": y}


def _log_counts() -> Data:
    rng = np.random.default_rng(53)
    counts = rng.poisson(20, (30, 6))
    counts[5, 2] = 0
    return {"counts": counts, "a": _quiet(np.log, counts)}


def _positive(n: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((3 * n, n))
    return np.cov(x.T)


def _with_nan(i: int, j: int, n: int = 12, seed: int = 55) -> Data:
    a = _positive(n, seed)
    a[i, j] = a[j, i] = np.nan
    return {"a": a}


def _sensor() -> Data:
    rng = np.random.default_rng(57)
    b = rng.standard_normal(15)
    b[7] = np.nan
    return {"a": rng.standard_normal((15, 15)) + 8 * np.eye(15), "b": b}


def _boltzmann() -> Data:
    """exp(x) of a float32 of 95 is more than 3.4e38."""
    rng = np.random.default_rng(59)
    energies = rng.uniform(0, 3, (20, 20)).astype(np.float32)
    energies[13, 6] = 95
    return {"energies": energies, "a": _quiet(np.exp, energies), "b": np.ones(20, np.float32)}


def _constant_series() -> Data:
    rng = np.random.default_rng(61)
    x = rng.standard_normal((50, 9))
    x[:, 6] = 4.0
    return {"x": x, "a": _quiet(np.corrcoef, x.T)}


def _never_left() -> Data:
    """Counted transitions divided by their sums; state 3 was never left."""
    rng = np.random.default_rng(63)
    counts = rng.integers(1, 9, (8, 8)).astype(float)
    counts[3] = 0
    return {"a": _quiet(np.divide, counts, counts.sum(1, keepdims=True))}


def _standardised() -> Data:
    rng = np.random.default_rng(65)
    x = rng.standard_normal((30, 7))
    x[:, 2] = 1.5
    return {"a": _quiet(lambda: (x - x.mean(0)) / x.std(0))}


def _weights() -> Data:
    """Weights 1 / variance, of which one variance is 0, on the diagonal of a covariance."""
    variances = np.linspace(0.5, 3, 10)
    variances[4] = 0.0
    return {"a": np.diag(_quiet(np.divide, 1.0, variances)) + 0.1}


def _too_large_to_square() -> Data:
    rng = np.random.default_rng(67)
    x = rng.standard_normal((30, 4))
    x[:, 1] *= 1e170
    return {
        "x": x,
        "y": x[:, 0] + 2 * x[:, 2],
        "a": _quiet(lambda: x.T @ x),
        "b": _quiet(lambda: x.T @ (x[:, 0] * 1.0)),
    }


def _growth() -> Data:
    """A rate of 0.9 a day over 1000 days: e^900 is more than 1.8e308."""
    return {"a": np.array([[0.9, 0.1, 0.0], [0.0, 0.4, 0.2], [0.1, 0.0, 0.3]])}


def _growth_scaled(d: Data) -> tuple[np.ndarray, float]:
    shift = float(np.max(np.linalg.eigvals(d["a"]).real))
    return lap.expm(1000 * (d["a"] - shift * np.eye(3))), 1000 * shift


def _check_growth(d: Data, result: tuple[np.ndarray, float]) -> None:
    values, vectors = np.linalg.eig(d["a"])
    leading = np.argmax(values.real)
    projector = np.outer(vectors[:, leading], np.linalg.inv(vectors)[leading])
    same(result[0], projector.real, units=1e4)


def _rows_left(d: Data) -> np.ndarray:
    good = np.isfinite(d["a"]).all(1)
    return lap.lstsq(d["a"][good], d["b"][good]).x


def _check_rows_left(d: Data, x: np.ndarray) -> None:
    good = np.isfinite(d["a"]).all(1)
    least_squares(d["a"][good], x, d["b"][good])


def _filled(d: Data) -> np.ndarray:
    """NaN pairs replaced by zero covariance, NaN variances by one."""
    a = np.nan_to_num(d["a"], nan=0.0)
    return a + np.diag(np.where(np.diag(a) == 0, 1.0, 0.0))


def _smoothed(d: Data) -> np.ndarray:
    return np.where(np.isnan(d["a"]), 1 / 8, d["a"])


CASES = (
    Case(
        id="missing-value-in-a-regression",
        kind="nonfinite",
        source="https://github.com/mwaskom/seaborn/issues/2992",
        asked="a least squares fit to a table with one missing value",
        true_cause="row 17, column 3 is NaN",
        names=(NAN, element(17, 3)),
        make=_missing,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=lambda d: sl.lstsq(d["a"], d["b"]),
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=REMOVE,
        fixed=_rows_left,
        check=_check_rows_left,
        expects="error",
        steps_scipy=(
            "read 'array must not contain infs or NaNs': neither which array nor where",
            "np.isnan(a).any(), np.isnan(b).any(): it is a",
            "np.argwhere(np.isnan(a)): [[17, 3]]",
            "good = ~np.isnan(a).any(axis=1)",
            "scipy.linalg.lstsq(a[good], b[good])",
        ),
        steps_lap=(
            "read: a has 1 NaN, in row 17, column 3; drop the rows that have any",
            "good = np.isfinite(a).all(axis=1)",
            "lap.lstsq(a[good], b[good])",
        ),
    ),
    Case(
        id="logarithm-of-zero",
        kind="nonfinite",
        source="https://github.com/statsmodels/statsmodels/issues/5554",
        asked="the singular values of a table of log counts",
        true_cause="the count in row 5, column 2 is 0, so its logarithm is -inf",
        names=(INF, element(5, 2)),
        make=_log_counts,
        numpy=lambda d: np.linalg.svd(d["a"], full_matrices=False),
        scipy=lambda d: sl.svd(d["a"], full_matrices=False),
        lap=lambda d: lap.svd(d["a"], full_matrices=False),
        fix=REMOVE,
        fixed=lambda d: lap.svd(np.log(np.maximum(d["counts"], 0.5)), full_matrices=False),
        check=lambda d, result: svd_of(np.log(np.maximum(d["counts"], 0.5)), result),
        expects="error",
    ),
    Case(
        id="nan-in-a-covariance-for-eigh",
        kind="nonfinite",
        source="https://github.com/numpy/numpy/issues/20280",
        asked="the principal axes of a covariance matrix",
        true_cause="the covariance of variables 4 and 9 is NaN: elements (4, 9) and (9, 4)",
        names=(NAN, element(4, 9) + "|" + element(9, 4)),
        make=lambda: _with_nan(4, 9),
        numpy=lambda d: np.linalg.eigh(d["a"]),
        scipy=lambda d: sl.eigh(d["a"]),
        lap=lambda d: lap.eigh(d["a"]),
        fix=REMOVE,
        fixed=lambda d: lap.eigh(_filled(d)),
        check=lambda d, result: eigen_of(_filled(d), result),
        expects="error",
    ),
    Case(
        id="nan-taken-for-not-positive-definite",
        kind="nonfinite",
        source="https://github.com/xinychen/transdim/issues/7",
        asked="the Cholesky factor of a covariance matrix",
        true_cause="element (6, 2) is NaN, which LAPACK reports as a matrix that is not positive definite",
        names=(NAN, element(6, 2) + "|" + element(2, 6)),
        make=lambda: _with_nan(6, 2),
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=REMOVE,
        fixed=lambda d: lap.cholesky(_filled(d) + np.eye(12)),
        check=lambda d, result: factor(result, _filled(d) + np.eye(12)),
        expects="error",
    ),
    Case(
        id="nan-in-the-right-hand-side",
        kind="nonfinite",
        source="https://github.com/numpy/numpy/pull/4324",
        asked="the state of a model from the readings of 15 sensors",
        true_cause="reading 7 of the right-hand side b is NaN, so every unknown becomes NaN",
        names=(NAN, r"\bb\b|right.hand", r"\b7\b"),
        make=_sensor,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=REMOVE,
        fixed=lambda d: lap.solve(d["a"], np.nan_to_num(d["b"])),
        check=lambda d, x: solves(d["a"], x, np.nan_to_num(d["b"])),
        expects="error",
    ),
    Case(
        id="exponential-beyond-float32",
        kind="nonfinite",
        source="https://github.com/SJ001/AI-Feynman/issues/56",
        asked="the solution of a system of Boltzmann factors in float32",
        true_cause="e^95 in row 13, column 6 is more than 3.4e38, the largest float32: it became inf",
        names=(INF, element(13, 6)),
        make=_boltzmann,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=REMOVE + r"|float64|overflow|scale",
        fixed=lambda d: lap.solve(np.exp(d["energies"].astype(float)), d["b"].astype(float)),
        check=lambda d, x: solves(np.exp(d["energies"].astype(float)), x, d["b"].astype(float)),
        expects="error",
    ),
    Case(
        id="correlation-of-a-constant",
        kind="nonfinite",
        source="https://github.com/AI4Finance-Foundation/FinRL/issues/172",
        asked="the principal axes of a correlation matrix of nine series",
        true_cause="series 6 is constant: row and column 6 of its correlations are 0/0 = NaN, 17 elements",
        names=(NAN, r"\b6\b", r"\b17\b|row[^\n]{0,30}col|col[^\n]{0,30}row|all of|whole|every|entire"),
        make=_constant_series,
        numpy=lambda d: np.linalg.eigh(d["a"]),
        scipy=lambda d: sl.eigh(d["a"]),
        lap=lambda d: lap.eigh(d["a"]),
        fix=REMOVE,
        fixed=lambda d: lap.eigh(np.corrcoef(np.delete(d["x"], 6, axis=1).T)),
        check=lambda d, result: eigen_of(np.corrcoef(np.delete(d["x"], 6, axis=1).T), result),
        expects="error",
    ),
    Case(
        id="state-that-was-never-left",
        kind="nonfinite",
        source="https://github.com/jax-ml/jax/issues/18226",
        asked="the eigenvalues of a matrix of transition probabilities",
        true_cause="the counts of row 3 are all 0 and were divided by their sum: row 3 is NaN, 8 elements",
        names=(NAN, r"\b3\b", r"\b8\b|row"),
        make=_never_left,
        numpy=lambda d: np.linalg.eig(d["a"]),
        scipy=lambda d: sl.eig(d["a"]),
        lap=lambda d: lap.eig(d["a"]),
        fix=REMOVE,
        fixed=lambda d: lap.eig(_smoothed(d)),
        check=lambda d, result: eigen_of(_smoothed(d), result),
        expects="error",
    ),
    Case(
        id="standardised-constant",
        kind="nonfinite",
        source="https://github.com/dask/dask/issues/6822",
        asked="the singular values of a standardised table",
        true_cause="column 2 is constant; minus its mean, divided by its deviation, it is 0/0 = NaN in all 30 rows",
        names=(NAN, r"col\w* 2\b|\b2\b", r"\b30\b|whole|all of|every|entire"),
        make=_standardised,
        numpy=lambda d: np.linalg.svd(d["a"], full_matrices=False),
        scipy=lambda d: sl.svd(d["a"], full_matrices=False),
        lap=lambda d: lap.svd(d["a"], full_matrices=False),
        fix=REMOVE,
        fixed=lambda d: lap.svd(np.delete(d["a"], 2, axis=1), full_matrices=False),
        check=lambda d, result: svd_of(np.delete(d["a"], 2, axis=1), result),
        expects="error",
    ),
    Case(
        id="weight-of-a-zero-variance",
        kind="nonfinite",
        source="https://github.com/paninski-lab/eks/issues/36",
        asked="the inverse of a matrix with weights 1 / variance on its diagonal",
        true_cause="variance 4 is 0: element (4, 4) is 1/0 = inf",
        names=(INF, element(4, 4)),
        make=_weights,
        numpy=lambda d: np.linalg.inv(d["a"]),
        scipy=lambda d: sl.inv(d["a"]),
        lap=lambda d: lap.inv(d["a"]),
        fix=REMOVE,
        fixed=lambda d: lap.inv(np.nan_to_num(d["a"], posinf=1e6)),
        check=lambda d, x: same(x @ np.nan_to_num(d["a"], posinf=1e6), np.eye(10)),
        expects="error",
    ),
    Case(
        id="squares-that-overflow",
        kind="nonfinite",
        source="none found",
        asked="a regression by its normal equations, with one column of 1e170",
        true_cause="the square of column 1 is 1e341, more than 1.8e308: element (1, 1) of X'X is inf",
        names=(INF, element(1, 1)),
        make=_too_large_to_square,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=REMOVE + r"|scale|overflow",
        fixed=lambda d: lap.lstsq(d["x"] / [1, 1e170, 1, 1], d["y"]).x,
        check=lambda d, x: least_squares(d["x"] / [1, 1e170, 1, 1], x, d["y"]),
        expects="error",
    ),
    Case(
        id="exponential-that-overflows",
        kind="nonfinite",
        source="https://github.com/scipy/scipy/issues/7433",
        asked="the growth of three populations over 1000 days, expm(1000 A)",
        true_cause="the largest eigenvalue of 1000 A is about 907: e^907 is more than 1.8e308",
        names=(r"overflow|too large|larger than|exceed|inf", r"308|9\d\d\b|e\+?3\d\d|eigenvalue|norm"),
        make=_growth,
        numpy=None,
        scipy=lambda d: sl.expm(1000 * d["a"]),
        lap=lambda d: lap.expm(1000 * d["a"]),
        fix=r"subtract|shift|scale|smaller|divide|log|expm\(",
        fixed=_growth_scaled,
        check=_check_growth,
        expects="warning",
    ),
)
