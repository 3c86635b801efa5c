"""Triangles, bands and factors taken for others; eigenvalue problems given to the wrong routine."""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl

import lapack_py as lap

from ._case import CONSTANT, NOT_SYMMETRIC, Case, Data, eigen_of, element, same, solves

TRIANGLE = r"triang|above the diagonal|below the diagonal"


def _lower() -> Data:
    rng = np.random.default_rng(121)
    x = rng.standard_normal((12, 12))
    a = x @ x.T + np.eye(12)
    return {"a": a, "l": np.linalg.cholesky(a), "b": rng.standard_normal(12)}


def _broken_triangle() -> Data:
    """R of a table whose column 6 is the sum of columns 0 and 1, with the exact zero that gives."""
    rng = np.random.default_rng(123)
    r = np.triu(rng.standard_normal((10, 10))) + 3 * np.eye(10)
    r[6, 6] = 0.0
    return {"a": r, "b": r @ np.ones(10)}


def _tridiagonal() -> Data:
    n = 30
    return {"a": 2.5 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1), "b": np.ones(n)}


def _heat_without_boundary() -> Data:
    """Heat conduction in a rod insulated at both ends, as three diagonals."""
    n = 25
    ab = np.array([np.full(n, -1.0), np.full(n, 2.0), np.full(n, -1.0)])
    ab[1, 0] = ab[1, -1] = 1.0
    ab[0, 0] = ab[2, -1] = 0.0
    b = np.zeros(n)
    b[0], b[-1] = 1.0, -1.0
    full = 2.0 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    full[0, 0] = full[-1, -1] = 1.0
    return {"ab": ab, "b": b, "full": full}


def _general() -> Data:
    rng = np.random.default_rng(125)
    return {"a": rng.standard_normal((9, 9)) + 4 * np.eye(9), "b": rng.standard_normal(9)}


def _last_pivot() -> Data:
    """Differences of neighbours around a ring: exact arithmetic, last pivot 0."""
    n = 16
    return {"a": np.eye(n) - np.roll(np.eye(n), 1, axis=1), "b": np.cos(2 * np.pi * np.arange(n) / n)}


def _advection() -> Data:
    """Upwind differences: the element below the diagonal is -3, the one above -1."""
    n = 20
    return {"a": 5.0 * np.eye(n) - np.eye(n, k=1) - 3 * np.eye(n, k=-1), "b": np.ones(n)}


def _random_walk() -> Data:
    """Transition probabilities on a path of 10 nodes: (0, 1) is 1, (1, 0) is 1/2."""
    a = (np.eye(10, k=1) + np.eye(10, k=-1)) / 2
    a[0, 1] = a[9, 8] = 1.0
    return {"a": a}


def _critical_damping() -> Data:
    """Four oscillators, one like the other, damped critically: every eigenvalue is -2 and has one vector."""
    a = np.kron(np.eye(4), [[0.0, 1.0], [-4.0, -4.0]])
    return {"a": a}


def _lower_half() -> Data:
    x = np.random.default_rng(127).standard_normal((40, 9))
    full = x.T @ x / 40
    return {"a": np.tril(full), "full": full}


def _descriptor() -> Data:
    """A circuit: mass matrix diag(1, 1, 1, 0) since the fourth equation has no derivative."""
    a = np.array([[0.0, 1, 0, 0], [-6, -5, 0, 1], [0, 0, -9, 1], [1, 0, 1, -1]])
    return {"a": a, "b": np.diag([1.0, 1, 1, 0])}


def _check_homogeneous(d: Data, result: tuple) -> None:
    alpha, beta = np.asarray(result[0])
    vectors = np.asarray(result[1])
    same(d["a"] @ vectors * beta, d["b"] @ vectors * alpha, units=10)


def _check_schur(d: Data, result: tuple) -> None:
    t, z = map(np.asarray, result)
    same(z @ t @ z.conj().T, d["a"])


CASES = (
    Case(
        id="forward-substitution",
        kind="structure",
        source="https://github.com/scipy/scipy/issues/6060",
        asked="the solution of L x = b for a Cholesky factor L by solve_triangular",
        true_cause="lower=False, the default, reads the upper triangle, of which only the diagonal is not 0; the "
        "elements below the diagonal are ignored",
        names=(TRIANGLE, r"lower"),
        make=_lower,
        numpy=None,
        scipy=lambda d: sl.solve_triangular(d["l"], d["b"]),
        lap=lambda d: lap.solve_triangular(d["l"], d["b"]),
        fix=r"lower ?= ?True",
        fixed=lambda d: lap.solve_triangular(d["l"], d["b"], lower=True),
        check=lambda d, x: solves(d["l"], x, d["b"]),
        expects="silent",
    ),
    Case(
        id="zero-on-the-diagonal-of-r",
        kind="structure",
        source="https://github.com/jax-ml/jax/issues/3589",
        asked="back substitution with the R of a rank-deficient table",
        true_cause="element (6, 6) of R is 0",
        names=(r"\b6\b", r"diagonal|pivot|\(6, ?6\)|\[6, ?6\]", r"\b0\b|zero"),
        make=_broken_triangle,
        numpy=None,
        scipy=lambda d: sl.solve_triangular(d["a"], d["b"]),
        lap=lambda d: lap.solve_triangular(d["a"], d["b"]),
        fix=r"lstsq|pinv",
        fixed=lambda d: lap.lstsq(d["a"], d["b"]).x,
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="error",
    ),
    Case(
        id="full-matrix-as-bands",
        kind="structure",
        source="https://github.com/scipy/scipy/issues/8362",
        asked="the solution of a tridiagonal system by solve_banded, with the whole matrix as ab",
        true_cause="ab has to hold the 3 diagonals as its rows, 3 x 30; the whole matrix of 30 x 30 was given",
        names=(r"\b30\b", r"\b3\b", r"row|diagonal|band"),
        make=_tridiagonal,
        numpy=None,
        scipy=lambda d: sl.solve_banded((1, 1), d["a"], d["b"]),
        lap=lambda d: lap.solve_banded((1, 1), d["a"], d["b"]),
        fix=r"diagonals|ab\[|\bsolve\(|lap\.solve\b",
        fixed=lambda d: lap.solve(d["a"], d["b"]),
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="error",
    ),
    Case(
        id="insulated-rod",
        kind="structure",
        source="https://github.com/JorgeDeLosSantos/nusa/pull/14",
        asked="the temperatures of a rod with heat flowing in at one end and out at the other, by solve_banded",
        true_cause="no temperature is given anywhere: every row adds up to 0, the last pivot, 24, is 0",
        names=(r"singular|no inverse|not invertible", CONSTANT + r"|\b24\b"),
        make=_heat_without_boundary,
        numpy=None,
        scipy=lambda d: sl.solve_banded((1, 1), d["ab"], d["b"]),
        lap=lambda d: lap.solve_banded((1, 1), d["ab"], d["b"]),
        fix=r"lstsq|pinv|fix (one|an) unknown|drop (one|an) (row|equation|unknown)",
        fixed=lambda d: lap.lstsq(d["full"], d["b"]).x,
        check=lambda d, x: solves(d["full"], x, d["b"]),
        expects="error",
    ),
    Case(
        id="factors-of-the-other-function",
        kind="structure",
        source="none found",
        asked="the solution of a system from the result of lu by lu_solve",
        true_cause="lu_solve takes the two results of lu_factor; lu gives three: P, L and U",
        names=(r"\b3\b|three", r"\b2\b|two|pair|lu_factor"),
        make=_general,
        numpy=None,
        scipy=lambda d: sl.lu_solve(sl.lu(d["a"]), d["b"]),
        lap=lambda d: lap.lu_solve(lap.lu(d["a"]), d["b"]),
        fix=r"lu_factor",
        fixed=lambda d: lap.lu_solve(lap.lu_factor(d["a"]), d["b"]),
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="error",
        steps_scipy=(
            "read 'too many values to unpack (expected 2)', raised inside SciPy",
            "open the traceback and find that it unpacks the first argument",
            "look up lu_solve: it takes the result of lu_factor",
            "scipy.linalg.lu_solve(scipy.linalg.lu_factor(a), b)",
        ),
        steps_lap=(
            "read: three arrays were given; lu_solve takes the two of lu_factor",
            "lap.lu_solve(lap.lu_factor(a), b)",
        ),
    ),
    Case(
        id="differences-around-a-ring",
        kind="structure",
        source="https://github.com/numpy/numpy/issues/13011",
        asked="the values on a ring of 16 points from their differences, by lu_factor and lu_solve",
        true_cause="the rows add up to 0, so pivot 15 of the factorisation is exactly 0 and the solution divides by it",
        names=(r"\b15\b|" + CONSTANT, r"singular|no inverse|zero|\b0\b"),
        make=_last_pivot,
        numpy=None,
        scipy=lambda d: sl.lu_solve(sl.lu_factor(d["a"]), d["b"]),
        lap=lambda d: lap.lu_solve(lap.lu_factor(d["a"]), d["b"]),
        fix=r"lstsq|pinv|fix (one|an) unknown|drop (one|an) (row|equation|unknown)",
        fixed=lambda d: lap.lstsq(d["a"], d["b"]).x,
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="warning",
    ),
    Case(
        id="triangle-of-a-cholesky-factor",
        kind="structure",
        source="https://github.com/scipy/scipy/issues/17476",
        asked="the solution of A x = b from NumPy's Cholesky factor by cho_solve((L, False), b)",
        true_cause="L is lower triangular and was called upper: only its diagonal is read",
        names=(TRIANGLE, r"lower"),
        make=_lower,
        numpy=None,
        scipy=lambda d: sl.cho_solve((d["l"], False), d["b"]),
        lap=lambda d: lap.cho_solve((d["l"], False), d["b"]),
        fix=r"True|lower",
        fixed=lambda d: lap.cho_solve((d["l"], True), d["b"]),
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="silent",
    ),
    Case(
        id="matrix-instead-of-its-factor",
        kind="structure",
        source="https://github.com/pytorch/pytorch/issues/152164",
        asked="the solution of A x = b by cho_solve((A, True), b)",
        true_cause="cho_solve takes a Cholesky factor; the symmetric matrix itself was given",
        names=(r"factor", r"symmetric|itself|not (a )?(triangular|cholesky)|cho_factor"),
        make=_lower,
        numpy=None,
        scipy=lambda d: sl.cho_solve((d["a"], True), d["b"]),
        lap=lambda d: lap.cho_solve((d["a"], True), d["b"]),
        fix=r"cho_factor|cholesky",
        fixed=lambda d: lap.cho_solve(lap.cho_factor(d["a"]), d["b"]),
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="silent",
    ),
    Case(
        id="advection-as-symmetric",
        kind="structure",
        source="https://github.com/jax-ml/jax/issues/40813",
        asked="the solution of an upwind discretisation with assume_a='sym'",
        true_cause="not symmetric: element (1, 0) is -3, element (0, 1) is -1; one triangle is ignored",
        names=(NOT_SYMMETRIC, element(1, 0) + "|" + element(0, 1)),
        make=_advection,
        numpy=None,
        scipy=lambda d: sl.solve(d["a"], d["b"], assume_a="sym"),
        lap=lambda d: lap.solve(d["a"], d["b"], assume_a="sym"),
        fix=r"assume_a ?= ?['\"]?(gen|auto|tri|band)|general",
        fixed=lambda d: lap.solve(d["a"], d["b"], assume_a="gen"),
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="silent",
    ),
    Case(
        id="random-walk-as-symmetric",
        kind="structure",
        source="https://github.com/scipy/scipy/issues/6573",
        asked="the eigenvalues of a random walk on a path by eigh",
        true_cause="not symmetric: element (0, 1) is 1, element (1, 0) is 0.5; the upper triangle is ignored",
        names=(NOT_SYMMETRIC, element(1, 0) + "|" + element(0, 1)),
        make=_random_walk,
        numpy=lambda d: np.linalg.eigh(d["a"]),
        scipy=lambda d: sl.eigh(d["a"]),
        lap=lambda d: lap.eigh(d["a"]),
        fix=r"\beig\b|eigvals\b|symmetri[sz]e",
        fixed=lambda d: lap.eig(d["a"]),
        check=lambda d, result: eigen_of(d["a"], result),
        expects="silent",
        steps_scipy=(
            "nothing is said; notice that the largest eigenvalue is not 1",
            "compute a @ v - v * w: not 0",
            "look up what eigh assumes",
            "np.allclose(a, a.T): False",
            "scipy.linalg.eig(a)",
        ),
        steps_lap=("read: not symmetric at (0, 1), where it differs by 0.5; use eig", "lap.eig(a)"),
    ),
    Case(
        id="critical-damping",
        kind="structure",
        source="https://github.com/numpy/numpy/issues/20322",
        asked="the modes of critically damped oscillators, to diagonalise with",
        true_cause="every eigenvalue is -2 with one vector for two of them: the matrix is defective, the eigenvectors "
        "are dependent, their condition is 1e8 or more",
        names=(r"defective|dependent|parallel|diagonali[sz]|eigenvectors? [^\n]{0,40}(condition|singular)",),
        make=_critical_damping,
        numpy=lambda d: np.linalg.eig(d["a"]),
        scipy=lambda d: sl.eig(d["a"]),
        lap=lambda d: lap.eig(d["a"]),
        fix=r"schur",
        fixed=lambda d: lap.schur(d["a"]),
        check=_check_schur,
        expects="silent",
    ),
    Case(
        id="eigenvalues-of-the-empty-triangle",
        kind="structure",
        source="https://github.com/Reference-LAPACK/lapack/pull/319",
        asked="the eigenvalues of a matrix stored in its lower triangle, with UPLO='U'",
        true_cause="UPLO='U' reads the upper triangle, which holds zeros above the diagonal",
        names=(TRIANGLE + "|" + NOT_SYMMETRIC, r"upper|lower|UPLO"),
        make=_lower_half,
        numpy=lambda d: np.linalg.eigh(d["a"], UPLO="U"),
        scipy=lambda d: sl.eigh(d["a"], lower=False),
        lap=lambda d: lap.eigh(d["a"], UPLO="U"),
        fix=r"['\"]?L['\"]?\b|lower",
        fixed=lambda d: lap.eigh(d["a"], UPLO="L"),
        check=lambda d, result: eigen_of(d["full"], result),
        expects="silent",
    ),
    Case(
        id="circuit-without-a-derivative",
        kind="structure",
        source="https://github.com/scipy/scipy/issues/3054",
        asked="the poles of a circuit, eig(A, E), with an equation that has no derivative",
        true_cause="E, the second matrix, is singular, its row 3 is 0: one eigenvalue is infinite, with beta = 0",
        names=(r"\binf(inite|inity)?\b", r"singular|beta|\bb\b"),
        make=_descriptor,
        numpy=None,
        scipy=lambda d: sl.eig(d["a"], d["b"]),
        lap=lambda d: lap.eig(d["a"], d["b"]),
        fix=r"homogeneous_eigvals",
        fixed=lambda d: lap.eig(d["a"], d["b"], homogeneous_eigvals=True),
        check=_check_homogeneous,
        expects="silent",
    ),
)
