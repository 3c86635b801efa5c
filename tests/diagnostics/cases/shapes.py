"""Shapes that do not fit, results too large for any memory, options misspelt."""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl

import lapack_py as lap

from ._case import Case, Data, eigen_of, least_squares, same, shape, solves, svd_of

TRANSPOSE = r"transpos|\.T\b"


def _conic() -> Data:
    """Ten points of an orbit, of which the rows were stacked as rows."""
    x = np.array([1.02, 0.95, 0.87, 0.77, 0.67, 0.55, 0.44, 0.30, 0.16, 0.01])
    y = np.array([0.39, 0.32, 0.27, 0.22, 0.18, 0.15, 0.13, 0.12, 0.13, 0.15])
    return {"a": np.array([y**2, x * y, x, y, np.ones(10)]), "b": x**2}


def _calibration() -> Data:
    rng = np.random.default_rng(91)
    a = np.column_stack([np.ones(10), np.arange(10.0), np.arange(10.0) ** 2])
    return {"a": a, "b": a @ np.array([1.0, 2, 3]) + 0.1 * rng.standard_normal(10)}


def _process() -> Data:
    """200 covariances of order 5 and 200 residuals of length 5, as solve took them before NumPy 2."""
    rng = np.random.default_rng(93)
    x = rng.standard_normal((200, 5, 5))
    return {"a": x @ x.mT + np.eye(5), "b": rng.standard_normal((200, 5))}


def _design() -> Data:
    rng = np.random.default_rng(95)
    return {"x": rng.standard_normal((60, 8)), "y": rng.standard_normal(60)}


def _tall() -> Data:
    """Five million points in the plane."""
    return {"a": np.random.default_rng(97).standard_normal((5_000_000, 2))}


def _laplacian() -> Data:
    n = 30
    return {"a": 2.0 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1), "b": np.ones(n)}


def _batch_solution(d: Data, x: np.ndarray) -> None:
    for a, one, b in zip(d["a"], np.asarray(x)[..., 0], d["b"], strict=True):
        solves(a, one, b)


def _check_tall(d: Data, result: tuple) -> None:
    u, s, vh = map(np.asarray, result)
    assert u.shape == (5_000_000, 2)
    same((vh.T * s**2) @ vh, d["a"].T @ d["a"])


def _check_qr(d: Data, result: tuple) -> None:
    q, r = map(np.asarray, result)
    assert q.shape == (5_000_000, 2)
    same(r.T @ r, d["a"].T @ d["a"])


CASES = (
    Case(
        id="rows-stacked-as-rows",
        kind="shapes",
        source="https://www.configrouter.com/linalgerror-last-2-dimensions-of-the-array-must-be-square-26529/",
        asked="a conic through ten points by least squares",
        true_cause="a is 5 x 10 and b has 10 elements: a has to have as many rows as b, so it is transposed",
        names=(shape(5, 10), r"\b10\b", r"\bb\b"),
        make=_conic,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=lambda d: sl.lstsq(d["a"], d["b"]),
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=TRANSPOSE,
        fixed=lambda d: lap.lstsq(d["a"].T, d["b"]).x,
        check=lambda d, x: least_squares(d["a"].T, x, d["b"]),
        expects="error",
    ),
    Case(
        id="more-equations-than-unknowns",
        kind="shapes",
        source="https://technoteshelp.com/python-linalgerror-last-2-dimensions-of-the-array-must-be-square/",
        asked="the three coefficients of a parabola through ten points by solve",
        true_cause="a is 10 x 3: solve needs as many equations as unknowns, a square matrix",
        names=(shape(10, 3), r"square"),
        make=_calibration,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"lstsq",
        fixed=lambda d: lap.lstsq(d["a"], d["b"]).x,
        check=lambda d, x: least_squares(d["a"], x, d["b"]),
        expects="error",
    ),
    Case(
        id="stack-of-vectors-since-numpy-2",
        kind="shapes",
        source="https://github.com/numpy/numpy/issues/26598",
        asked="the solutions of 200 systems of order 5 with one right-hand side each",
        true_cause="a is (200, 5, 5), b is (200, 5): since NumPy 2 that b is one matrix of 200 x 5 and no stack of "
        "vectors",
        names=(shape(200, 5, 5) + r"|\b5\b[^\n]*\b200\b", shape(200, 5), r"\bb\b"),
        make=_process,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"\[\.\.\., ?(np\.)?(None|newaxis)\]|newaxis|expand_dims|\(200, ?5, ?1\)",
        fixed=lambda d: lap.solve(d["a"], d["b"][..., None]),
        check=_batch_solution,
        expects="error",
    ),
    Case(
        id="product-the-wrong-way-round",
        kind="shapes",
        source="https://github.com/statsmodels/statsmodels/issues/23",
        asked="X'y for a design of 60 x 8",
        true_cause="x is 60 x 8 and y has 60 elements: the 8 columns of x meet 60 elements, so x is to be transposed",
        names=(r"\b8\b", r"\b60\b", shape(60, 8) + r"|column|row|inner|last"),
        make=_design,
        numpy=lambda d: np.matmul(d["x"], d["y"]),
        scipy=None,
        lap=lambda d: lap.matmul(d["x"], d["y"]),
        fix=TRANSPOSE,
        fixed=lambda d: lap.matmul(d["x"].T, d["y"]),
        check=lambda d, result: same(result, np.einsum("ij,i->j", d["x"], d["y"]), units=10),
        expects="error",
    ),
    Case(
        id="eigenvalues-of-a-table",
        kind="shapes",
        source="https://debugah.com/linalgerror-last-2-dimensions-of-the-array-must-be-square-7421/",
        asked="the principal axes of a table of 60 rows and 8 columns by eigh",
        true_cause="eigenvalues belong to square matrices; the table is 60 x 8, its covariance is 8 x 8",
        names=(shape(60, 8), r"square"),
        make=_design,
        numpy=lambda d: np.linalg.eigh(d["x"]),
        scipy=lambda d: sl.eigh(d["x"]),
        lap=lambda d: lap.eigh(d["x"]),
        fix=r"\bsvd\b|\.T ?@|cov|pca",
        fixed=lambda d: lap.eigh(d["x"].T @ d["x"]),
        check=lambda d, result: eigen_of(d["x"].T @ d["x"], result),
        expects="error",
    ),
    Case(
        id="svd-of-a-vector",
        kind="shapes",
        source="none found",
        asked="the singular values of one column of a table",
        true_cause="indexing by a number gave a vector, of shape (60,): a matrix has two dimensions",
        names=(r"\(60,?\)|\b60\b", r"(1|one).?d|dimension|vector", r"2|two|matri"),
        make=_design,
        numpy=lambda d: np.linalg.svd(d["x"][:, 3], full_matrices=False),
        scipy=lambda d: sl.svd(d["x"][:, 3], full_matrices=False),
        lap=lambda d: lap.svd(d["x"][:, 3], full_matrices=False),
        fix=r"reshape|None\]|newaxis|\[:, ?3:4\]|atleast_2d",
        fixed=lambda d: lap.svd(d["x"][:, 3:4], full_matrices=False),
        check=lambda d, result: svd_of(d["x"][:, 3:4], result),
        expects="error",
    ),
    Case(
        id="all-left-singular-vectors",
        kind="size",
        source="https://github.com/numpy/numpy/issues/27542",
        asked="the singular value decomposition of five million points in the plane",
        true_cause="full_matrices=True, the default, asks for a U of 5e6 x 5e6: 200 TB; False needs 80 MB",
        names=(
            r"full_matrices",
            r"\b(200|182|181\.9|186264)(\.\d+)? ?(T|G)i?B",
            shape(5000000, 5000000) + r"|5000000|80 ?M|76",
        ),
        make=_tall,
        numpy=lambda d: np.linalg.svd(d["a"]),
        scipy=lambda d: sl.svd(d["a"]),
        lap=lambda d: lap.svd(d["a"]),
        fix=r"full_matrices ?= ?False",
        fixed=lambda d: lap.svd(d["a"], full_matrices=False),
        check=_check_tall,
        expects="error",
        steps_scipy=(
            "read 'Indexing a matrix size 5000000 x 5000000 would incur integer overflow in LAPACK. Try using "
            "numpy.linalg.svd instead.'",
            "numpy.linalg.svd(a): 'Unable to allocate 182. TiB'; for which array is not said",
            "look up the arguments of svd, find full_matrices",
            "scipy.linalg.svd(a, full_matrices=False)",
        ),
        steps_lap=("read: full_matrices=True asks for 200 TB; False needs 80 MB", "lap.svd(a, full_matrices=False)"),
    ),
    Case(
        id="all-of-q",
        kind="size",
        source="https://github.com/thunder-project/thunder/issues/186",
        asked="an orthonormal basis of two columns of five million rows by qr",
        true_cause="mode='complete' asks for a Q of 5e6 x 5e6: 200 TB; 'reduced' needs 80 MB",
        names=(r"complete|mode", r"\b(200|182|181\.9|186264)(\.\d+)? ?(T|G)i?B"),
        make=_tall,
        numpy=lambda d: np.linalg.qr(d["a"], mode="complete"),
        scipy=lambda d: sl.qr(d["a"]),
        lap=lambda d: lap.qr(d["a"], mode="complete"),
        fix=r"reduced|economic",
        fixed=lambda d: lap.qr(d["a"], mode="reduced"),
        check=_check_qr,
        expects="error",
    ),
    Case(
        id="structure-misspelt",
        kind="options",
        source="https://github.com/scipy/scipy/pull/22713",
        asked="the solution of a symmetric system, said so by assume_a='symetric'",
        true_cause="assume_a='symetric' is no structure: it is spelt 'symmetric', or 'sym'",
        names=(r"assume_a", r"symetric"),
        make=_laplacian,
        numpy=None,
        scipy=lambda d: sl.solve(d["a"], d["b"], assume_a="symetric"),
        lap=lambda d: lap.solve(d["a"], d["b"], assume_a="symetric"),
        fix=r"\bsymmetric\b|['\"]sym['\"]",
        fixed=lambda d: lap.solve(d["a"], d["b"], assume_a="symmetric"),
        check=lambda d, x: solves(d["a"], x, d["b"]),
        expects="error",
    ),
    Case(
        id="mode-of-another-library",
        kind="options",
        source="none found",
        asked="the thin factors of a table by qr with mode='economy', as another language calls it",
        true_cause="mode='economy' is no mode of qr: it is called 'reduced', or 'economic'",
        names=(r"mode", r"economy"),
        make=_design,
        numpy=lambda d: np.linalg.qr(d["x"], mode="economy"),
        scipy=lambda d: sl.qr(d["x"], mode="economy"),
        lap=lambda d: lap.qr(d["x"], mode="economy"),
        fix=r"reduced|economic\b",
        fixed=lambda d: lap.qr(d["x"], mode="reduced"),
        check=lambda d, result: same(np.asarray(result[0]) @ np.asarray(result[1]), d["x"]),
        expects="error",
    ),
    Case(
        id="triangle-in-words",
        kind="options",
        source="https://github.com/numpy/numpy/pull/8098",
        asked="the eigenvalues of a symmetric matrix from its lower triangle, UPLO='lower'",
        true_cause="UPLO='lower' is no triangle: it is 'L' or 'U'",
        names=(r"UPLO", r"lower", r"\bL\b"),
        make=_laplacian,
        numpy=lambda d: np.linalg.eigh(d["a"], UPLO="lower"),
        scipy=None,
        lap=lambda d: lap.eigh(d["a"], UPLO="lower"),
        fix=r"['\"]L['\"]",
        fixed=lambda d: lap.eigh(d["a"], UPLO="L"),
        check=lambda d, result: eigen_of(d["a"], result),
        expects="error",
    ),
    Case(
        id="three-largest-eigenvalues",
        kind="options",
        source="none found",
        asked="the three largest eigenvalues of a matrix of order 30, subset_by_index=[27, 30]",
        true_cause="subset_by_index includes its end, so 30 is one too many: the last index of order 30 is 29",
        names=(r"subset_by_index", r"\b30\b", r"\b29\b|less than|below|out of|smaller"),
        make=_laplacian,
        numpy=None,
        scipy=lambda d: sl.eigh(d["a"], subset_by_index=[27, 30]),
        lap=lambda d: lap.eigh(d["a"], subset_by_index=[27, 30]),
        fix=r"\b29\b|n ?- ?1|includ",
        fixed=lambda d: lap.eigh(d["a"], subset_by_index=[27, 29]),
        check=lambda d, result: eigen_of(d["a"], result),
        expects="error",
    ),
)
