"""Matrices that should be positive definite, or symmetric, and are not."""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl

import lapack_py as lap

from ._case import NOT_POSITIVE, NOT_SYMMETRIC, Case, Data, element, factor, same, solves

JITTER = r"add [^\n]*diagonal|jitter|shrink|regulari[sz]|nugget"
SMALLEST = r"eigenvalue[^\n]{0,60}"


def _few_samples() -> Data:
    x = np.random.default_rng(71).standard_normal((30, 50))
    return {"a": np.cov(x.T)}


def _kernel(dtype: type = float) -> Data:
    """The covariance of a 5 x 5 grid under a Gaussian of width 10."""
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), -1).reshape(-1, 2)
    squared = ((grid[:, None] - grid) ** 2).sum(-1)
    return {"a": (25 * np.exp(-0.5 * squared / 100)).astype(dtype)}


def _periodic() -> Data:
    """Distances around a torus of 4 x 4 points, which exp(-d/3) does not make a covariance."""
    i, j = np.divmod(np.arange(16), 4)
    di, dj = np.abs(i[:, None] - i), np.abs(j[:, None] - j)
    di, dj = np.minimum(di, 4 - di), np.minimum(dj, 4 - dj)
    return {"a": np.exp(-np.hypot(di, dj) / 3.0)}


def _upper_only() -> Data:
    x = np.random.default_rng(73).standard_normal((60, 15))
    full = np.cov(x.T) + np.eye(15)
    return {"a": np.triu(full), "full": full}


def _one_sided_edit() -> Data:
    """A correlation changed at (1, 0) and not at (0, 1)."""
    a = np.eye(6) + 0.2 * (np.ones((6, 6)) - np.eye(6))
    a[1, 0] = 0.7
    return {"a": a}


def _pairwise() -> Data:
    """Correlations over the rows that both columns have; three in four values are missing."""
    rng = np.random.default_rng(75)
    x = rng.standard_normal((24, 1)) + 0.7 * rng.standard_normal((24, 12))
    x[rng.random(x.shape) < 0.6] = np.nan
    a = np.eye(12)
    for i in range(12):
        for j in range(i):
            both = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
            a[i, j] = a[j, i] = np.corrcoef(x[both, i], x[both, j])[0, 1] if both.sum() > 2 else 0.0
    return {"a": a}


def _negative_variance() -> Data:
    x = np.random.default_rng(77).standard_normal((80, 10))
    a = np.cov(x.T)
    a[3, 3] = -0.25
    return {"a": a}


def _kalman() -> Data:
    """P - K H P after a precise measurement of a state of which little was known: what is left is rounding."""
    rng = np.random.default_rng(79)
    f = rng.standard_normal((6, 6))
    p = 1e8 * (f @ f.T)
    h = rng.standard_normal((6, 6))
    k = np.linalg.solve(h @ p @ h.T + 1e-8 * np.eye(6), h @ p).T
    p = p - k @ h @ p
    return {"a": (p + p.T) / 2}


def _saddle() -> Data:
    """The KKT matrix of 10 unknowns and 4 constraints."""
    rng = np.random.default_rng(81)
    c = rng.standard_normal((4, 10))
    h = np.diag(np.linspace(1, 3, 10))
    return {"a": np.block([[h, c.T], [c, np.zeros((4, 4))]]), "b": rng.standard_normal(14)}


def _flat_electrode() -> Data:
    """Covariances of 12 electrodes of which number 7 has come off and shows nothing."""
    rng = np.random.default_rng(83)
    on = (np.arange(12) != 7)[:, None]
    one, two = (np.cov(on * rng.standard_normal((12, 200)) * s) for s in (1.0, 2.0))
    return {"a": one, "b": one + two}


def _without_the_electrode(d: Data) -> tuple:
    kept = np.delete(np.arange(12), 7)
    return lap.eigh(d["a"][np.ix_(kept, kept)], b=d["b"][np.ix_(kept, kept)])


def _check_patterns(d: Data, result: tuple) -> None:
    kept = np.ix_(*[np.delete(np.arange(12), 7)] * 2)
    values, vectors = map(np.asarray, result)
    same(d["a"][kept] @ vectors, d["b"][kept] @ vectors * values, units=10)


def _outlier() -> Data:
    """A row that was never part of the data is taken out of X'X."""
    rng = np.random.default_rng(85)
    x = rng.standard_normal((20, 5))
    a = x.T @ x
    return {"x": x, "a": a, "l": np.linalg.cholesky(a), "row": np.array([9.0, -8, 7, 9, 8])}


def _complex_symmetric() -> Data:
    """X X' of complex data, without the conjugate."""
    rng = np.random.default_rng(87)
    x = rng.standard_normal((8, 40)) + 1j * rng.standard_normal((8, 40))
    return {"x": x, "a": x @ x.T / 40 + 5 * np.eye(8)}


def _check_updated(d: Data, lower: np.ndarray) -> None:
    kept = d["x"][:-1]
    factor(lower, kept.T @ kept)


CASES = (
    Case(
        id="more-variables-than-samples",
        kind="definite",
        source="https://github.com/spectralpython/spectral/issues/159",
        asked="the Cholesky factor of the covariance of 50 variables from 30 samples",
        true_cause="30 samples give a covariance of rank 29 at most: positive semi-definite, 21 of the 50 eigenvalues "
        "are 0 up to rounding",
        names=(NOT_POSITIVE, r"semi.?definite|rank|" + SMALLEST + r"(\b0\b|zero|e-\d\d)"),
        make=_few_samples,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=JITTER,
        fixed=lambda d: lap.cholesky(d["a"] + 1e-6 * np.eye(50)),
        check=lambda d, lower: factor(lower, d["a"] + 1e-6 * np.eye(50)),
        expects="error",
    ),
    Case(
        id="kernel-without-jitter",
        kind="definite",
        source="https://stats.stackexchange.com/questions/205012/numpy-linalg-cholesky-of-correlation-matrix-with-small-eigenvalue-gives-error",
        asked="the Cholesky factor of a Gaussian kernel on a 5 x 5 grid",
        true_cause="the kernel is much wider than the grid: its smallest eigenvalue is 0 up to rounding, about -6e-15",
        names=(NOT_POSITIVE, SMALLEST + r"(\b0\b|zero|e-1\d)"),
        make=_kernel,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=JITTER,
        fixed=lambda d: lap.cholesky(d["a"] + 1e-8 * np.eye(25)),
        check=lambda d, lower: factor(lower, d["a"] + 1e-8 * np.eye(25)),
        expects="error",
        steps_scipy=(
            "read '25-th leading minor of the array is not positive definite': not by how much, nor what to do",
            "np.allclose(a, a.T): symmetric, so not that",
            "np.linalg.eigvalsh(a)[0]: -6e-15, rounding",
            "look up how to make a kernel positive definite: jitter",
            "scipy.linalg.cholesky(a + 1e-8 * np.eye(25), lower=True)",
        ),
        steps_lap=(
            "read: not positive definite, smallest eigenvalue about -6e-15, rounding; add 1e-13 to the diagonal",
            "lap.cholesky(a + 1e-8 * np.eye(25))",
        ),
    ),
    Case(
        id="covariance-on-a-torus",
        kind="definite",
        source="https://stackoverflow.com/questions/21604498/numpy-cholesky-decomposition-linalgerror",
        asked="the Cholesky factor of exp(-d/3) for the distances d between 16 points with periodic boundaries",
        true_cause="this is no covariance: two eigenvalues are -0.0801, far from rounding",
        names=(NOT_POSITIVE, SMALLEST + r"-\d"),
        make=_periodic,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=JITTER + r"|eigh|sym",
        fixed=lambda d: lap.cholesky(d["a"] + 0.09 * np.eye(16)),
        check=lambda d, lower: factor(lower, d["a"] + 0.09 * np.eye(16)),
        expects="error",
    ),
    Case(
        id="upper-triangle-read-as-lower",
        kind="definite",
        source="https://github.com/scipy/scipy/issues/8233",
        asked="the Cholesky factor of a covariance of which only the upper triangle is stored",
        true_cause="the lower triangle is read, and it holds zeros below the diagonal: the factor is that of a "
        "diagonal matrix",
        names=(r"triangle|below the diagonal|above the diagonal|" + NOT_SYMMETRIC, r"lower|upper"),
        make=_upper_only,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=r"upper ?= ?True|\.T\b|other triangle",
        fixed=lambda d: lap.cholesky(d["a"], upper=True),
        check=lambda d, upper: factor(np.asarray(upper).T, d["full"]),
        expects="silent",
        steps_scipy=(
            "nothing is said; notice that l @ l.T is diagonal",
            "print the factor: it is diagonal",
            "print the matrix: zeros below the diagonal",
            "look up which triangle is read",
            "scipy.linalg.cholesky(a, lower=False)",
        ),
        steps_lap=(
            "read: only the lower triangle is read, and it is zero; upper=True",
            "lap.cholesky(a, upper=True)",
        ),
    ),
    Case(
        id="correlation-edited-on-one-side",
        kind="definite",
        source="https://github.com/numpy/numpy/issues/15134",
        asked="the Cholesky factor of a correlation matrix with one value changed by hand",
        true_cause="not symmetric: element (1, 0) is 0.7, element (0, 1) is 0.2; the upper triangle is ignored",
        names=(NOT_SYMMETRIC, element(1, 0) + "|" + element(0, 1)),
        make=_one_sided_edit,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=r"symmetri[sz]e|\.T\b|/ ?2|average",
        fixed=lambda d: lap.cholesky((d["a"] + d["a"].T) / 2),
        check=lambda d, lower: factor(lower, (d["a"] + d["a"].T) / 2),
        expects="silent",
    ),
    Case(
        id="pairwise-correlations",
        kind="definite",
        source="https://github.com/statsmodels/statsmodels/pull/631",
        asked="the Cholesky factor of correlations that were computed pair by pair around missing values",
        true_cause="every pair used other rows, so the matrix is indefinite: four eigenvalues are negative, the "
        "smallest is about -1.36",
        names=(NOT_POSITIVE, SMALLEST + r"-\d"),
        make=_pairwise,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=JITTER + r"|eigh|sym",
        fixed=lambda d: lap.cholesky(d["a"] + 2 * np.eye(12)),
        check=lambda d, lower: factor(lower, d["a"] + 2 * np.eye(12)),
        expects="error",
    ),
    Case(
        id="negative-variance",
        kind="definite",
        source="https://github.com/rlabbe/filterpy/issues/31",
        asked="the Cholesky factor of a covariance matrix",
        true_cause="the variance at (3, 3) is -0.25, and a matrix with a negative element on its diagonal is not "
        "positive definite",
        names=(NOT_POSITIVE + r"|negative", r"diagonal|variance|\(3, ?3\)|\[3, ?3\]", r"\b3\b", r"-0\.25|-2\.5"),
        make=_negative_variance,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=JITTER + r"|eigh|sym|check|correct|sign",
        fixed=lambda d: lap.cholesky(d["a"] + 2 * np.eye(10)),
        check=lambda d, lower: factor(lower, d["a"] + 2 * np.eye(10)),
        expects="error",
    ),
    Case(
        id="kalman-filter-after-an-update",
        kind="definite",
        source="https://github.com/rlabbe/filterpy/issues/62",
        asked="the sigma points of a Kalman filter, from the Cholesky factor of its covariance",
        true_cause="the update P - K H P cancels all digits: the smallest eigenvalue is about -3e-6, where it should "
        "be about 1e-8",
        names=(NOT_POSITIVE, SMALLEST + r"-\d"),
        make=_kalman,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=JITTER,
        fixed=lambda d: lap.cholesky(d["a"] + 2 * abs(np.linalg.eigvalsh(d["a"])[0]) * np.eye(6)),
        check=lambda d, lower: factor(lower, d["a"] + 2 * abs(np.linalg.eigvalsh(d["a"])[0]) * np.eye(6)),
        expects="error",
    ),
    Case(
        id="saddle-point-as-positive-definite",
        kind="definite",
        source="https://github.com/scipy/scipy/pull/22713",
        asked="the solution of a KKT system with assume_a='pos'",
        true_cause="a KKT matrix is symmetric and indefinite: 10 eigenvalues are positive, 4 negative, the first zero "
        "pivot is that of constraint 0, row 10",
        names=(NOT_POSITIVE, SMALLEST + r"-\d|\b10\b|negative"),
        make=_saddle,
        numpy=None,
        scipy=lambda d: sl.solve(d["a"], d["b"], assume_a="pos"),
        lap=lambda d: lap.solve(d["a"], d["b"], assume_a="pos"),
        fix=r"assume_a ?= ?['\"]?sym",
        fixed=lambda d: lap.solve(d["a"], d["b"], assume_a="sym"),
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="error",
    ),
    Case(
        id="spatial-patterns-of-a-flat-electrode",
        kind="definite",
        source="https://github.com/TNTLFreiburg/fbcsp/issues/3",
        asked="common spatial patterns, eigh(C1, C1 + C2), of twelve electrodes",
        true_cause="electrode 7 shows nothing: row and column 7 of the second matrix, b, are all 0, so b is not "
        "positive definite",
        names=(NOT_POSITIVE, r"\bb\b", r"\b7\b"),
        make=_flat_electrode,
        numpy=None,
        scipy=lambda d: sl.eigh(d["a"], d["b"]),
        lap=lambda d: lap.eigh(d["a"], b=d["b"]),
        fix=JITTER + r"|\beig\(|drop|remove|leave out|delete",
        fixed=_without_the_electrode,
        check=_check_patterns,
        expects="error",
    ),
    Case(
        id="row-removed-that-was-not-there",
        kind="definite",
        source="https://github.com/scipy/scipy/pull/8286",
        asked="the Cholesky factor of X'X after a row is taken out of X",
        true_cause="the row was never part of X: L'L less its square is indefinite, x'(L L')^-1 x is more than 1",
        names=(NOT_POSITIVE + r"|positive definite", r"downdate|subtract|remov|tak"),
        make=_outlier,
        numpy=None,
        scipy=None,
        lap=lambda d: lap.cholesky_update(d["l"], d["row"], downdate=True),
        fix=r"smaller|scale|factor[^\n]*(again|anew)|cholesky\(|update|check",
        fixed=lambda d: lap.cholesky_update(d["l"], d["x"][-1], downdate=True),
        check=_check_updated,
        expects="error",
    ),
    Case(
        id="symmetric-instead-of-hermitian",
        kind="definite",
        source="https://github.com/numpy/numpy/pull/2716",
        asked="the Cholesky factor of the covariance of complex data",
        true_cause="X X' was formed without the conjugate: the matrix is symmetric and not Hermitian, its diagonal has "
        "imaginary parts, which are ignored",
        names=(r"hermitian", r"imaginary|conj|complex|diagonal|\(0, ?0\)|\(\d, ?\d\)"),
        make=_complex_symmetric,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=r"conj|\.H\b|hermitian",
        fixed=lambda d: lap.cholesky(d["x"] @ d["x"].conj().T / 40),
        check=lambda d, lower: factor(lower, d["x"] @ d["x"].conj().T / 40),
        expects="silent",
    ),
    Case(
        id="kernel-in-single-precision",
        kind="definite",
        source="https://github.com/dimforge/nalgebra/issues/348",
        asked="the Cholesky factor in float32 of a kernel that has one in float64",
        true_cause="the jitter of 1e-6, enough in float64, is below the rounding of float32, 600 * 1.2e-7: the "
        "smallest eigenvalue became about -3e-6",
        names=(NOT_POSITIVE, r"float32|single|" + SMALLEST + r"e-0?\d"),
        make=lambda: {"a": (_kernel()["a"] + 1e-6 * np.eye(25)).astype(np.float32)},
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=r"float64|double|" + JITTER,
        fixed=lambda d: lap.cholesky(d["a"] + np.float32(1e-3) * np.eye(25, dtype=np.float32)),
        check=lambda d, lower: factor(lower, d["a"] + np.float32(1e-3) * np.eye(25, dtype=np.float32)),
        expects="error",
    ),
)
