"""Matrices without an inverse: what makes them singular, and where."""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl

import lapack_py as lap

from ._case import (
    CONSTANT,
    DEPENDENT,
    EQUAL,
    Case,
    Data,
    least_squares,
    lines,
    pseudo_inverse,
    same,
    solves,
    zero_line,
)


def _springs() -> Data:
    n = 40
    stiffness = 2.0 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    stiffness[0, 0] = stiffness[-1, -1] = 1.0
    force = np.zeros(n)
    force[0], force[-1] = -5.0, 5.0
    return {"a": stiffness, "b": force}


def _survey() -> Data:
    """Answers from 1 to 5; question 7 was exported twice, as columns 3 and 7."""
    rng = np.random.default_rng(7)
    x = rng.integers(1, 6, (60, 9)).astype(float)
    x[:, 7] = x[:, 3]
    y = x @ np.arange(1.0, 10.0) + rng.standard_normal(60)
    return {"x": x, "y": y, "a": x.T @ x, "b": x.T @ y}


def _dummies() -> Data:
    """An intercept, two numbers and four regions: columns 3 to 6 add up to column 0."""
    rng = np.random.default_rng(11)
    region = rng.integers(0, 4, 48)
    region[:4] = np.arange(4)
    x = np.column_stack([np.ones(48), rng.integers(18, 65, 48), rng.integers(0, 9, 48), np.eye(4)[region]])
    y = x @ np.array([10, 0.5, -1, 3, 1, -2, 0]) + rng.standard_normal(48)
    return {"x": x, "y": y, "a": x.T @ x, "b": x.T @ y}


def _unused_feature() -> Data:
    rng = np.random.default_rng(5)
    x = rng.poisson(1.5, (50, 8)).astype(float)
    x[:, 5] = 0.0
    y = rng.standard_normal(50)
    return {"x": x, "y": y, "a": x.T @ x, "b": x.T @ y}


def _shares() -> Data:
    """Budget shares in percent, which add up to 100, beside an intercept."""
    rng = np.random.default_rng(9)
    parts = rng.multinomial(100, [0.2, 0.3, 0.4, 0.1], 40).astype(float)
    x = np.column_stack([np.ones(40), parts])
    y = rng.standard_normal(40)
    return {"x": x, "y": y, "a": x.T @ x, "b": x.T @ y}


def _graph() -> Data:
    """The Laplacian of a ring of 24 nodes with 12 chords."""
    n = 24
    adjacency = np.zeros((n, n))
    for i in range(n):
        adjacency[i, (i + 1) % n] = adjacency[(i + 1) % n, i] = 1
    for i in range(0, n, 2):
        adjacency[i, (i + 7) % n] = adjacency[(i + 7) % n, i] = 1
    return {"a": np.diag(adjacency.sum(0)) - adjacency}


def _isolated_node() -> Data:
    """Degrees minus adjacency plus a weight on every connected node; node 11 has no edge and got none."""
    a = _graph()["a"] + np.eye(24)
    a[11, :] = a[:, 11] = 0.0
    a[np.diag_indices(24)] = -(a - np.diag(np.diag(a))).sum(0) + 1.0
    a[11, 11] = 0.0
    return {"a": a, "b": np.where(np.arange(24) == 11, 0.0, 1.0)}


def _saturated_hessian() -> Data:
    """Logistic regression after perfect separation: every p (1 - p) is 0, and with it X' W X."""
    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(30), rng.standard_normal((30, 3))])
    score = 800.0 * np.sign(x[:, 1]) * (1 + np.abs(x[:, 1]))
    with np.errstate(over="ignore"):
        p = 1 / (1 + np.exp(-score))
    return {"a": x.T @ (x * (p * (1 - p))[:, None])}


def _constraints() -> Data:
    """The KKT matrix of a least squares fit with three constraints, of which the last two are the same."""
    rng = np.random.default_rng(21)
    h = rng.standard_normal((12, 12))
    h = h @ h.T + np.eye(12)
    c = np.zeros((3, 12))
    c[0, :4], c[1, 4:8], c[2, 4:8] = 1, 1, 1
    kkt = np.block([[h, c.T], [c, np.zeros((3, 3))]])
    return {"a": kkt, "b": np.concatenate([rng.standard_normal(12), [1.0, 2.0, 2.0]])}


def _ages() -> Data:
    """Age is the year of the survey minus the year of birth."""
    rng = np.random.default_rng(4)
    born = rng.integers(0, 60, 45)
    year = rng.integers(60, 72, 45)
    x = np.column_stack([np.ones(45), year - born, born, year, rng.integers(0, 2, 45)]).astype(float)
    y = rng.standard_normal(45)
    return {"x": x, "y": y, "a": x.T @ x, "b": x.T @ y}


def _chain() -> Data:
    """Transition probabilities between 20 states, in multiples of 1/64: I - P is exact."""
    rng = np.random.default_rng(13)
    p = rng.multinomial(64, np.full(20, 1 / 20), 20) / 64
    return {"p": p, "a": np.eye(20) - p, "b": np.zeros(20)}


def _ages_fit(d: Data) -> np.ndarray:
    kept = np.delete(d["x"], 3, axis=1)
    return lap.solve(kept.T @ kept, kept.T @ d["y"])


def _check_distribution(d: Data, result: np.ndarray) -> None:
    weights = result[:, 0] / result[:, 0].sum()
    assert (weights > 0).all()
    same(weights @ d["p"], weights)


def _drop(d: Data, index: int) -> np.ndarray:
    """The normal equations without one column of the design."""
    kept = np.delete(d["x"], index, axis=1)
    return lap.solve(kept.T @ kept, kept.T @ d["y"])


CASES = (
    Case(
        id="unsupported-springs",
        kind="singular",
        source="https://github.com/CALFEM/calfem-python/issues/58",
        asked="the displacements of a chain of 40 masses joined by springs, from the forces at its ends",
        true_cause="no mass is held: every row of the stiffness matrix adds up to 0, so the constant vector is in the "
        "null space and the last pivot, 39, is 0",
        names=(CONSTANT,),
        make=_springs,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"lstsq|pinv|fix (one|an) unknown|hold|ground|drop (one|an) (row|equation|unknown)",
        fixed=lambda d: lap.lstsq(d["a"], d["b"]).x,
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="error",
    ),
    Case(
        id="question-exported-twice",
        kind="singular",
        source="https://github.com/UDST/sanfran_urbansim/issues/18",
        asked="a linear regression by the normal equations on 9 answers of 60 people",
        true_cause="columns 3 and 7 of the design are equal, hence rows and columns 3 and 7 of X'X too; rank 8 of 9",
        names=(lines(3, 7), EQUAL),
        make=_survey,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"(drop|remove|leave out|delete)[^\n]*(column|one of|variable|row)|lstsq|pinv",
        fixed=lambda d: _drop(d, 7),
        check=lambda d, x: least_squares(np.delete(d["x"], 7, axis=1), x, d["y"]),
        expects="warning",
        steps_scipy=(
            "read 'A singular matrix detected.': neither which columns nor what to do",
            "np.linalg.matrix_rank(x): 8 of 9",
            "look up how to find dependent columns",
            "Q, R, p = scipy.linalg.qr(x, pivoting=True, mode='economic')",
            "read p[8] off the small diagonal of R: column 7 depends on others",
            "np.corrcoef(x.T) and look for a 1: it equals column 3",
            "x = np.delete(x, 7, axis=1)",
            "solve again",
        ),
        steps_lap=("read: columns 3 and 7 are equal; drop one", "x = np.delete(x, 7, axis=1)", "solve again"),
    ),
    Case(
        id="dummy-variable-trap",
        kind="singular",
        source="https://datascience.stackexchange.com/questions/114855/dummy-variable-trap-in-linear-regression",
        asked="the coefficients of a regression on an intercept, two numbers and a one-hot encoded region",
        true_cause="the one-hot columns 3 to 6 add up to the intercept, column 0: rank 6 of 7",
        names=(DEPENDENT, lines(0, 3) + "|" + lines(3, 6), r"\b6\b"),
        make=_dummies,
        numpy=lambda d: np.linalg.inv(d["a"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"(drop|remove|leave out|delete)[^\n]*(column|one of|variable)|lstsq|pinv",
        fixed=lambda d: _drop(d, 6),
        check=lambda d, x: least_squares(np.delete(d["x"], 6, axis=1), x, d["y"]),
        expects="warning",
        steps_scipy=(
            "read the warning of an ill-conditioned matrix with its rcond: no columns in it",
            "np.linalg.matrix_rank(x): 6 of 7",
            "look up multicollinearity, find the dummy variable trap",
            "find the one-hot columns among the seven: x[:, 3:7].sum(axis=1) is all 1",
            "x = np.delete(x, 6, axis=1)",
            "solve again",
        ),
        steps_lap=(
            "read: columns 0, 3, 4, 5 and 6 are linearly dependent; drop one",
            "x = np.delete(x, 6, axis=1)",
            "solve again",
        ),
    ),
    Case(
        id="feature-that-never-occurs",
        kind="singular",
        source="https://github.com/uber/causalml/issues/781",
        asked="a regression on counts of 8 words in 50 texts",
        true_cause="word 5 never occurs: row and column 5 of X'X are all 0",
        names=(zero_line(5),),
        make=_unused_feature,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"(drop|remove|leave out|delete)[^\n]*(column|row|variable|\b5\b)|lstsq|pinv",
        fixed=lambda d: _drop(d, 5),
        check=lambda d, x: least_squares(np.delete(d["x"], 5, axis=1), x, d["y"]),
        expects="error",
    ),
    Case(
        id="shares-that-add-up",
        kind="singular",
        source="https://github.com/statsmodels/statsmodels/issues/8670",
        asked="the covariance of coefficients, inv(X'X), for four budget shares and an intercept",
        true_cause="the shares in columns 1 to 4 add up to 100 times the intercept, column 0: rank 4 of 5",
        names=(DEPENDENT, lines(0, 1) + "|" + lines(1, 4), r"\b4\b"),
        make=_shares,
        numpy=lambda d: np.linalg.inv(d["a"]),
        scipy=lambda d: sl.inv(d["a"]),
        lap=lambda d: lap.inv(d["a"]),
        fix=r"(drop|remove|leave out|delete)[^\n]*(column|one of|variable)|pinv",
        fixed=lambda d: lap.pinv(d["a"]),
        check=lambda d, p: pseudo_inverse(d["a"], p),
        expects="warning",
    ),
    Case(
        id="inverse-of-a-graph-laplacian",
        kind="singular",
        source="https://github.com/scipy/scipy/issues/8216",
        asked="the diffusion between the nodes of a graph by the inverse of its Laplacian",
        true_cause="rows and columns of a Laplacian add up to 0: the constant vector is its null space, rank 23 of 24",
        names=(CONSTANT,),
        make=_graph,
        numpy=lambda d: np.linalg.inv(d["a"]),
        scipy=lambda d: sl.inv(d["a"]),
        lap=lambda d: lap.inv(d["a"]),
        fix=r"pinv|ground|add [^\n]*diagonal|fix (one|an) unknown",
        fixed=lambda d: lap.pinv(d["a"]),
        check=lambda d, p: pseudo_inverse(d["a"], p),
        expects="warning",
    ),
    Case(
        id="isolated-node",
        kind="singular",
        source="https://github.com/mdeff/cnn_graph/issues/18",
        asked="the potentials on a graph from currents into its nodes",
        true_cause="node 11 has no edge: row and column 11 of the matrix are all 0",
        names=(zero_line(11),),
        make=_isolated_node,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"(drop|remove|leave out|delete)[^\n]*(row|column|unknown|\b11\b)|lstsq|pinv",
        fixed=lambda d: lap.lstsq(d["a"], d["b"]).x,
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="error",
    ),
    Case(
        id="covariance-of-proportional-variables",
        kind="singular",
        source="https://github.com/scipy/scipy/issues/10205",
        asked="the density of normal data, by the inverse of the covariance matrix it was drawn with",
        true_cause="row and column 1 are 2.5 times row and column 0: the second variable is a multiple of the first",
        names=(lines(0, 1) + "|" + lines(1, 0), EQUAL + r"|times|2\.5|0\.4\b"),
        make=lambda: {"a": np.array([[4.0, 10, 0], [10, 25, 0], [0, 0, 100]])},
        numpy=lambda d: np.linalg.inv(d["a"]),
        scipy=lambda d: sl.inv(d["a"]),
        lap=lambda d: lap.inv(d["a"]),
        fix=r"pinv|(drop|remove|leave out|delete)[^\n]*(column|one of|variable|row)",
        fixed=lambda d: lap.pinv(d["a"]),
        check=lambda d, p: pseudo_inverse(d["a"], p),
        expects="error",
    ),
    Case(
        id="one-to-nine",
        kind="singular",
        source="https://github.com/numpy/numpy/issues/3755",
        asked="the solution of a system with the matrix of the numbers 1 to 9",
        true_cause="column 1 is the mean of columns 0 and 2: rank 2 of 3, rcond about 1e-18, and no digit can be right",
        names=(
            DEPENDENT + "|" + r"rcond|reciprocal condition",
            r"singular",
            r"\b0\b[^\n]*\b1\b[^\n]*\b2\b|e-1[6-9]|rank",
        ),
        make=lambda: {"a": np.arange(1.0, 10.0).reshape(3, 3), "b": np.full(3, 15.0)},
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"lstsq|pinv",
        fixed=lambda d: lap.lstsq(d["a"], d["b"]).x,
        check=lambda d, x: same(x, [-7.5, 0.0, 7.5], units=20),
        expects="error",
    ),
    Case(
        id="hessian-after-perfect-separation",
        kind="singular",
        source="https://github.com/statsmodels/statsmodels/issues/4782",
        asked="the standard errors of a logistic regression whose classes are separated by one variable",
        true_cause="every weight p (1 - p) has become 0, so all 16 elements of the Hessian are 0",
        names=(r"(all|every|entire|whole|only|no)[^\n]{0,40}(0|zero)|zero matrix|matrix (is|of) (0|zero)",),
        make=_saturated_hessian,
        numpy=lambda d: np.linalg.inv(d["a"]),
        scipy=lambda d: sl.inv(d["a"]),
        lap=lambda d: lap.inv(d["a"]),
        fix=r"add [^\n]*diagonal|regulari[sz]|pinv|scal|check",
        fixed=lambda d: lap.inv(d["a"] + 1e-3 * np.eye(4)),
        check=lambda d, x: same(x, 1e3 * np.eye(4)),
        expects="error",
    ),
    Case(
        id="constraint-given-twice",
        kind="singular",
        source="https://github.com/cvxopt/cvxopt/issues/90",
        asked="a constrained least squares fit by its KKT system, with assume_a='sym'",
        true_cause="the second and the third constraint are the same: rows (and columns) 13 and 14 are equal",
        names=(lines(13, 14), EQUAL),
        make=_constraints,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"], assume_a="sym"),
        lap=lambda d: lap.solve(d["a"], d["b"], assume_a="sym"),
        fix=r"(drop|remove|leave out|delete)[^\n]*(column|one of|row|equation)|lstsq|pinv",
        fixed=lambda d: lap.solve(d["a"][:14, :14], d["b"][:14], assume_a="sym"),
        check=lambda d, x: solves(d["a"][:14, :14], x, d["b"][:14]),
        expects="error",
    ),
    Case(
        id="age-year-and-birth",
        kind="singular",
        source="https://github.com/timothyb0912/pylogit/issues/38",
        asked="a regression on age, year of birth and year of the survey",
        true_cause="column 1 (age) is column 3 (year) minus column 2 (birth): rank 4 of 5",
        names=(DEPENDENT, lines(1, 2) + "|" + lines(3, 1) + "|" + lines(1, 3), r"\b2\b", r"\b3\b"),
        make=_ages,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"(drop|remove|leave out|delete)[^\n]*(column|one of|variable)|lstsq|pinv",
        fixed=_ages_fit,
        check=lambda d, x: least_squares(np.delete(d["x"], 3, axis=1), x, d["y"]),
        expects="error",
    ),
    Case(
        id="stationary-distribution",
        kind="singular",
        source="https://github.com/QuantEcon/QuantEcon.py/issues/19",
        asked="the stationary distribution of a Markov chain, as the solution of (I - P)' x = 0",
        true_cause="the rows of I - P add up to 0 for every chain, so it is singular: rank 19 of 20",
        names=(CONSTANT,),
        make=_chain,
        numpy=lambda d: np.linalg.solve(d["a"].T, d["b"]),
        scipy=lambda d: sl.solve(d["a"].T, d["b"]),
        lap=lambda d: lap.solve(d["a"].T, d["b"]),
        fix=r"null_space|replace [^\n]*(row|equation)|lstsq|pinv|fix (one|an) unknown|eig",
        fixed=lambda d: lap.null_space(d["a"].T),
        check=_check_distribution,
        expects="warning",
    ),
    Case(
        id="affine-with-no-thickness",
        kind="singular",
        source="https://github.com/apple/ml-neuman/issues/62",
        asked="the inverse of the affine map from voxels to millimetres of an image with one slice",
        true_cause="the thickness of the slice is 0: row 2 and column 2 of the map are all 0",
        names=(zero_line(2),),
        make=lambda: {"a": np.array([[-0.9, 0, 0, 90.0], [0, 0.9, 0, -126], [0, 0, 0, 0], [0, 0, 0, 1]])},
        numpy=lambda d: np.linalg.inv(d["a"]),
        scipy=lambda d: sl.inv(d["a"]),
        lap=lambda d: lap.inv(d["a"]),
        fix=r"pinv|(drop|remove|leave out|delete|set|replace)[^\n]*(row|column|element|\b2\b)",
        fixed=lambda d: lap.pinv(d["a"]),
        check=lambda d, p: pseudo_inverse(d["a"], p),
        expects="error",
    ),
)
