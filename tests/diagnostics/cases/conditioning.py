"""Results without digits: ill-conditioned matrices, decisions about the rank, overflow and underflow."""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl

import lapack_py as lap

from ._case import ILL, NEARLY, Case, Data, column, least_squares, lines, same, solves

RCOND = r"rcond|condition|digit"


def _polynomial() -> Data:
    t = np.linspace(0, 1, 60)
    y = np.sin(7 * t) + 0.3 * t
    v = np.vander(t, 21, increasing=True)
    return {"v": v, "y": y, "a": v.T @ v, "b": v.T @ y}


def _units() -> Data:
    """A stiffness in N/m, of 1e11, coupled with an electric part in F, of 1e-9: rows and columns 8 to 15."""
    rng = np.random.default_rng(31)
    core = rng.standard_normal((16, 16)) + 6 * np.eye(16)
    scale = np.where(np.arange(16) < 8, 1e6, 1e-5)
    return {"a": scale[:, None] * core * scale, "b": scale * (core @ np.ones(16)), "scale": scale}


def _salaries() -> Data:
    """A rate of 1e-12 beside salaries of 1e5, in a regression without noise."""
    rng = np.random.default_rng(33)
    x = np.column_stack([np.ones(50), 1e5 * rng.uniform(0.3, 2, 50), 1e-12 * rng.uniform(1, 9, 50)])
    return {"a": x, "b": x @ np.array([3.0, 2e-5, 1e12])}


def _thermometers() -> Data:
    """Two thermometers in one place, columns 2 and 4, which differ by some 1e-9 of what they show."""
    rng = np.random.default_rng(35)
    x = rng.standard_normal((60, 6))
    x[:, 4] = x[:, 2] + 1e-9 * rng.standard_normal(60)
    y = x @ np.array([1, 2, 3, 4, 0, 5.0])
    return {"x": x, "y": y, "a": x.T @ x, "b": x.T @ y}


def _years() -> Data:
    years = np.arange(1990, 2021)
    trend = 0.02 * (years - 2005.0) ** 2 + 0.3 * (years - 2005.0) + 14
    return {"years": years, "a": np.vander(years.astype(float), 6), "b": trend}


def _blur() -> Data:
    """A signal of 50 samples seen through a Gaussian of width 3, with noise of 1e-6."""
    i = np.arange(50)
    a = np.exp(-((i[:, None] - i) ** 2) / 18)
    a /= a.sum(1, keepdims=True)
    signal = np.exp(-((i - 20.0) ** 2) / 60)
    return {"a": a, "signal": signal, "b": a @ signal + 1e-6 * np.random.default_rng(37).standard_normal(50)}


def _single() -> Data:
    """Condition 1e8: too much for single precision, nothing for double."""
    rng = np.random.default_rng(39)
    u, v = (np.linalg.qr(rng.standard_normal((24, 24)))[0] for _ in range(2))
    a = ((u * np.logspace(0, -8, 24)) @ v.T).astype(np.float32)
    return {"a": a, "b": (a.astype(float) @ np.ones(24)).astype(np.float32)}


def _covariance(scale: float) -> Data:
    rng = np.random.default_rng(41)
    x = rng.standard_normal((400, 60))
    return {"a": scale * np.cov(x.T)}


def _near_the_tolerance() -> Data:
    """Five values well above, one at 1.2 times the tolerance of 40 eps, the others at rounding."""
    rng = np.random.default_rng(43)
    u, v = (np.linalg.qr(rng.standard_normal((40, 40)))[0] for _ in range(2))
    s = np.zeros(40)
    s[:6] = [10, 5, 2, 1, 0.1, 10 * 1.2 * 40 * np.finfo(float).eps]
    return {"a": (u * s) @ v.T}


def _stored_as_float32() -> Data:
    """The total, column 4, was stored in single precision: it is the sum of columns 0 to 3 only to 1e-8."""
    rng = np.random.default_rng(45)
    x = rng.uniform(0, 100, (60, 5))
    x[:, 4] = x[:, :4].sum(1).astype(np.float32)
    return {"a": x, "b": x[:, :4] @ np.array([1.0, 2, 3, 4]) + 0.01 * rng.standard_normal(60)}


def _check_single(d: Data, x: np.ndarray) -> None:
    solves(d["a"].astype(float), x, d["b"].astype(float))


def _check_determinant(d: Data, result: tuple[float, float]) -> None:
    sign, log = result
    assert sign == 1
    same(log, np.log(np.linalg.eigvalsh(d["a"])).sum())


def _check_total(d: Data, x: np.ndarray) -> None:
    """The smallest of the coefficients that fit equally well: (1, 2, 3, 4, 0) less twice (1, 1, 1, 1, -1)."""
    assert np.abs(x - [-1, 0, 1, 2, 2]).max() < 1e-3, x


def _fit_years(d: Data) -> np.ndarray:
    return lap.lstsq(np.vander((d["years"] - 2005.0) / 15, 6), d["b"]).x


def _scaled(d: Data) -> np.ndarray:
    scale = np.abs(d["a"]).max(0)
    return lap.lstsq(d["a"] / scale, d["b"]).x / scale


CASES = (
    Case(
        id="polynomial-of-degree-20",
        kind="conditioning",
        source="https://github.com/numpy/numpy/pull/24938",
        asked="a fit of a polynomial of degree 20 by its normal equations",
        true_cause="the powers of t in [0, 1] are nearly dependent: X'X has rcond about 1e-19, below 2.2e-16",
        names=(ILL, r"e-(1[6-9]|2\d)\b", RCOND),
        make=_polynomial,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"lstsq|\bqr\b|pinv",
        fixed=lambda d: lap.lstsq(d["v"], d["y"]).x,
        check=lambda d, x: same(d["v"] @ x, d["y"], units=1e3),
        expects="warning",
    ),
    Case(
        id="hilbert-matrix",
        kind="conditioning",
        source="https://github.com/pymor/pymor/issues/417",
        asked="the solution of a system with the Hilbert matrix of order 13",
        true_cause="its condition number is about 5e18: rcond about 2e-19, no digit of the solution is right",
        names=(ILL, r"e-(1[6-9]|2\d)\b", RCOND),
        make=lambda: {"a": sl.hilbert(13), "b": sl.hilbert(13) @ np.ones(13)},
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"lstsq|pinv|regulari[sz]",
        fixed=lambda d: lap.lstsq(d["a"], d["b"]).x,
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="warning",
    ),
    Case(
        id="units-apart",
        kind="conditioning",
        source="https://github.com/equinor/ert/issues/9590",
        asked="the solution of a coupled mechanical and electrical model in SI units",
        true_cause="rows and columns 0 to 7 are 1e11 times larger than rows and columns 8 to 15; scaled to the same "
        "size the matrix is well conditioned",
        names=(r"scal|magnitude|size|unit", r"e\+?(1[0-2]|2[0-3])\b|e-(1[0-2]|2[0-3])\b|10(\^|\*\*)(1[0-2]|2[0-3])\b"),
        make=_units,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"scale|equilibrat|unit",
        fixed=lambda d: lap.solve(d["a"] / d["scale"][:, None] / d["scale"], d["b"] / d["scale"]) / d["scale"],
        check=lambda d, x: same(x * d["scale"], np.ones(16), units=10),
        expects="warning",
        steps_scipy=(
            "read the warning of an ill-conditioned matrix with rcond 1e-23: no cause in it",
            "look up what rcond means",
            "np.linalg.cond(a): as bad; suspect dependent equations",
            "np.abs(a).max(axis=1): 7e12 beside 8",
            "look up equilibration of rows and columns",
            "s = np.sqrt(np.abs(np.diag(a)))",
            "scipy.linalg.solve(a / s[:, None] / s, b / s) / s",
        ),
        steps_lap=(
            "read: rows and columns differ in size by 1e11; divide by their largest elements",
            "s = np.sqrt(np.abs(np.diag(a)))",
            "lap.solve(a / s[:, None] / s, b / s) / s",
        ),
    ),
    Case(
        id="small-unit-dropped",
        kind="conditioning",
        source="https://github.com/numpy/numpy/pull/9284",
        asked="a regression on salaries, of 1e5, and a rate, of 1e-12, without noise in it",
        true_cause="column 2 is 1e-17 times column 1 in size and counts as rounding: rank 2 of 3, "
        "coefficient 2 is lost",
        names=(r"rank[^\n]{0,20}\b2\b", r"scal|magnitude|size|unit|small", column(2) + r"|e\+?1[5-8]\b|e-1[5-8]\b"),
        make=_salaries,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=lambda d: sl.lstsq(d["a"], d["b"]),
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=r"scale|divide|unit|normali[sz]",
        fixed=_scaled,
        check=lambda d, x: same(d["a"] @ x, d["b"]),
        expects="silent",
    ),
    Case(
        id="two-thermometers",
        kind="conditioning",
        source="https://github.com/numpy/numpy/issues/12719",
        asked="a regression by its normal equations on six sensors, two of them thermometers in one place",
        true_cause="columns 2 and 4 are equal to some 1e-9: X'X has rcond about 3e-17",
        names=(lines(2, 4), NEARLY),
        make=_thermometers,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"(drop|remove|leave out|delete)[^\n]*(column|one of|variable|row)|lstsq|pinv",
        fixed=lambda d: lap.lstsq(np.delete(d["x"], 4, axis=1), d["y"]).x,
        check=lambda d, x: least_squares(np.delete(d["x"], 4, axis=1), x, d["y"]),
        expects="warning",
    ),
    Case(
        id="powers-of-years",
        kind="conditioning",
        source="https://github.com/scikit-learn/scikit-learn/issues/10590",
        asked="a trend of degree 5 through yearly values from 1990 to 2020",
        true_cause="the columns are powers of numbers near 2000, from 1 to 3e16, and nearly proportional: rank 3 of 6",
        names=(r"rank[^\n]{0,20}\b[2-5]\b[^\n]{0,12}\b6\b", ILL + r"|scal|magnitude|size|dependent|singular value"),
        make=_years,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=lambda d: sl.lstsq(d["a"], d["b"]),
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=r"scale|cent(er|re)|divide|normali[sz]|unit",
        fixed=_fit_years,
        check=lambda d, x: same(np.vander((d["years"] - 2005.0) / 15, 6) @ x, d["b"]),
        expects="silent",
    ),
    Case(
        id="deblurring",
        kind="conditioning",
        source="https://github.com/scipy/scipy/issues/7951",
        asked="a sharp signal from one blurred by a Gaussian, with noise of 1e-6",
        true_cause="blurring by a Gaussian of width 3 has rcond about 1e-17: noise is amplified without bound",
        names=(ILL, r"e-(1[6-9]|2\d)\b", RCOND),
        make=_blur,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"lstsq[^\n]*|pinv|regulari[sz]",
        fixed=lambda d: lap.lstsq(d["a"], d["b"], rcond=1e-4).x,
        check=lambda d, x: same(x, d["signal"], units=3e10),
        expects="warning",
    ),
    Case(
        id="too-much-for-single-precision",
        kind="conditioning",
        source="https://github.com/jax-ml/jax/issues/20047",
        asked="the solution of a system in float32, which was right in float64",
        true_cause="the condition number is 1e8, rcond about 1e-9, beyond the 1.2e-7 of float32 and not of float64",
        names=(ILL, r"float32|single", r"e-(0?[89]|10)\b|digit"),
        make=_single,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"float64|double",
        fixed=lambda d: lap.solve(d["a"].astype(float), d["b"].astype(float)),
        check=_check_single,
        expects="warning",
    ),
    Case(
        id="determinant-of-a-covariance-overflows",
        kind="conditioning",
        source="https://github.com/tky823/ssspy/issues/77",
        asked="the determinant of a covariance matrix of 60 variables in units of a millionth",
        true_cause="the determinant, about 1e358, is larger than 1.8e308, the largest float64",
        names=(r"overflow|too large|larger than|exceed|inf", r"308|35\d|e\+?3\d\d|log|82\d"),
        make=lambda: _covariance(1e6),
        numpy=lambda d: np.linalg.det(d["a"]),
        scipy=lambda d: sl.det(d["a"]),
        lap=lambda d: lap.det(d["a"]),
        fix=r"slogdet",
        fixed=lambda d: lap.slogdet(d["a"]),
        check=_check_determinant,
        expects="warning",
    ),
    Case(
        id="determinant-of-a-covariance-vanishes",
        kind="conditioning",
        source="https://github.com/joshspeagle/dynesty/issues/91",
        asked="the determinant of a covariance matrix of 60 variables, to see whether it has an inverse",
        true_cause="the determinant, about 1e-362, is smaller than the smallest float64, and becomes 0 although the "
        "matrix is not singular",
        names=(r"underflow|too small|smaller than|vanish", r"324|308|36\d|e-3\d\d|log|-8\d\d|slogdet"),
        make=lambda: _covariance(1e-6),
        numpy=lambda d: np.linalg.det(d["a"]),
        scipy=lambda d: sl.det(d["a"]),
        lap=lambda d: lap.det(d["a"]),
        fix=r"slogdet",
        fixed=lambda d: lap.slogdet(d["a"]),
        check=_check_determinant,
        expects="silent",
    ),
    Case(
        id="rank-beside-the-tolerance",
        kind="conditioning",
        source="https://github.com/numpy/numpy/issues/8740",
        asked="the rank of a matrix of measurements",
        true_cause="the sixth singular value is 1.2 times the tolerance, the fifth 1e12 times: the tolerance decides "
        "whether the rank is 6 or 5",
        names=(r"toleran|threshold|cut-?off|rtol|rcond", r"rank", r"\b6\b|\b5\b"),
        make=_near_the_tolerance,
        numpy=lambda d: np.linalg.matrix_rank(d["a"]),
        scipy=lambda d: sl.null_space(d["a"]),
        lap=lambda d: lap.matrix_rank(d["a"]),
        fix=r"rtol|tol=|rcond|toleran",
        fixed=lambda d: lap.matrix_rank(d["a"], rtol=1e-10),
        check=lambda d, rank: same(rank, 5),
        expects="silent",
    ),
    Case(
        id="total-stored-in-single-precision",
        kind="conditioning",
        source="https://github.com/numpy/numpy/pull/9582",
        asked="a least squares fit on four amounts and their total",
        true_cause="column 4 is the sum of columns 0 to 3 to 8 digits only: singular value 4 is 1e-8 of the largest, "
        "far above the tolerance of 1.3e-14, and the coefficients are 244 where 1 to 4 are right",
        names=(r"dependent|combination|sum of|collinear|singular value|gap|" + ILL, r"e-(0?[789]|10)\b|" + column(4)),
        make=_stored_as_float32,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=lambda d: sl.lstsq(d["a"], d["b"]),
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=r"rcond|(drop|remove|leave out|delete)[^\n]*(column|one of|variable)|toleran",
        fixed=lambda d: lap.lstsq(d["a"], d["b"], rcond=1e-6).x,
        check=_check_total,
        expects="silent",
    ),
)
