"""Arrays of types that linear algebra has no routines for, and complex numbers where real ones belong."""

from __future__ import annotations

import numpy as np
import numpy.lib.recfunctions
import scipy.linalg as sl
import scipy.sparse

import lapack_py as lap

from ._case import Case, Data, eigen_of, element, least_squares, same, solves, svd_of

TO_FLOAT = r"astype|float64|float32|to_numpy|asarray|convert"


def _system(dtype: type = float) -> Data:
    rng = np.random.default_rng(101)
    return {"a": (rng.standard_normal((12, 12)) + 6 * np.eye(12)).astype(dtype), "b": np.ones(12, dtype)}


def _mixed_frame() -> Data:
    """What `.values` of a table with a column of whole and a column of decimal numbers as objects gives."""
    rng = np.random.default_rng(103)
    x = np.empty((20, 3), object)
    x[:, 0] = [1] * 20
    x[:, 1] = [int(i) for i in rng.integers(0, 9, 20)]
    x[:, 2] = [float(i) for i in rng.standard_normal(20)]
    return {"a": x, "b": rng.standard_normal(20)}


def _read_as_text() -> Data:
    rng = np.random.default_rng(105)
    numbers = np.round(rng.standard_normal((15, 4)), 3)
    return {"numbers": numbers, "a": numbers.astype(str), "b": rng.standard_normal(15)}


def _hole() -> Data:
    """A list of lists with a None in row 3, column 1."""
    rng = np.random.default_rng(107)
    x = rng.standard_normal((10, 3)).astype(object)
    x[3, 1] = None
    return {"a": x, "b": rng.standard_normal(10)}


def _impedance() -> Data:
    """A complex symmetric matrix, as impedances are: eigh takes the conjugate of one triangle for the other."""
    return {
        "a": np.array(
            [
                [-1914136.90244366 + 142252.82199352j, -1908906.03509731 + 143480.34218314j],
                [-1908906.03509731 + 143480.34218314j, -1905117.80845876 + 144662.47623334j],
            ]
        )
    }


def _phasors() -> Data:
    rng = np.random.default_rng(109)
    a = rng.standard_normal((6, 6)) + 1j * rng.standard_normal((6, 6))
    return {"a": a, "out": np.zeros((6, 6))}


def _counts() -> Data:
    rng = np.random.default_rng(111)
    return {"a": rng.standard_normal((6, 6)), "out": np.zeros((6, 6), int)}


def _dates() -> Data:
    days = np.arange("2024-01-01", "2024-01-21", dtype="datetime64[D]")
    return {"days": days, "a": days[:, None], "b": 3.0 * np.arange(20) + 1}


def _record() -> Data:
    """What genfromtxt with names=True returns: one dimension of records with fields."""
    rng = np.random.default_rng(113)
    table = rng.standard_normal((12, 3))
    record = np.array([tuple(row) for row in table], dtype=[("x", float), ("y", float), ("z", float)])
    return {"table": table, "a": record}


def _sparse() -> Data:
    n = 25
    a = scipy.sparse.diags_array([-np.ones(n - 1), 4 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1], format="csr")
    return {"a": a, "b": np.ones(n)}


def _masked() -> Data:
    """Two readings of 9999 are masked out; linear algebra sees them nonetheless."""
    rng = np.random.default_rng(115)
    x = np.column_stack([np.ones(30), rng.standard_normal(30)])
    y = x @ np.array([1.0, 2.0])
    y[[4, 21]] = 9999.0
    return {"a": x, "b": np.ma.masked_equal(y, 9999.0)}


def _days_fit(d: Data) -> np.ndarray:
    since = (d["days"] - d["days"][0]).astype(float)
    return lap.lstsq(np.column_stack([np.ones(20), since]), d["b"]).x


def _unmasked(d: Data) -> np.ndarray:
    good = ~d["b"].mask
    return lap.lstsq(d["a"][good], d["b"].data[good]).x


CASES = (
    Case(
        id="half-precision",
        kind="dtypes",
        source="https://github.com/jacobgil/pytorch-grad-cam/issues/442",
        asked="the singular vectors of the activations of a network in half precision",
        true_cause="float16 has no LAPACK routines: it has to be float32",
        names=(r"float16|half",),
        make=lambda: _system(np.float16),
        numpy=lambda d: np.linalg.svd(d["a"]),
        scipy=None,
        lap=lambda d: lap.svd(d["a"]),
        fix=r"float32|float64",
        fixed=lambda d: lap.svd(d["a"].astype(np.float32)),
        check=lambda d, result: svd_of(d["a"].astype(np.float32), result),
        expects="error",
    ),
    Case(
        id="extended-precision",
        kind="dtypes",
        source="https://github.com/numpy/numpy/issues/21736",
        asked="the solution of a system in extended precision",
        true_cause="longdouble, which some systems call float128, has no LAPACK routines: it has to be float64",
        names=(r"longdouble|float128|float96|extended",),
        make=lambda: _system(np.longdouble),
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"float64|double",
        fixed=lambda d: lap.solve(d["a"].astype(float), d["b"].astype(float)),
        check=lambda d, x: solves(d["a"].astype(float), x, d["b"].astype(float)),
        expects="error",
    ),
    Case(
        id="table-of-objects",
        kind="dtypes",
        source="https://github.com/QuentinAndre/pyprocessmacro/issues/12",
        asked="a regression on the columns of a table with whole and decimal numbers",
        true_cause="the array has dtype object: its elements are Python's numbers, and all of them can be float64",
        names=(r"object",),
        make=_mixed_frame,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=None,
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=TO_FLOAT,
        fixed=lambda d: lap.lstsq(d["a"].astype(float), d["b"]).x,
        check=lambda d, x: least_squares(d["a"].astype(float), x, d["b"]),
        expects="error",
    ),
    Case(
        id="numbers-read-as-text",
        kind="dtypes",
        source="https://github.com/vanheeringen-lab/gimmemotifs/issues/123",
        asked="a regression on a table read from a file",
        true_cause="the elements are text, dtype <U6 or the like, such as '-0.123'",
        names=(r"\btext|str(ing)?\b|<U\d+|unicode",),
        make=_read_as_text,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=lambda d: sl.lstsq(d["a"], d["b"]),
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=TO_FLOAT,
        fixed=lambda d: lap.lstsq(d["a"].astype(float), d["b"]).x,
        check=lambda d, x: least_squares(d["numbers"], x, d["b"]),
        expects="error",
    ),
    Case(
        id="none-in-a-list",
        kind="dtypes",
        source="none found",
        asked="a regression on a list of lists with a hole in it",
        true_cause="row 3, column 1 is None, which makes all of the array objects",
        names=(r"None", element(3, 1)),
        make=_hole,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=None,
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=TO_FLOAT + r"|drop|remove|replace|fill",
        fixed=lambda d: lap.lstsq(np.delete(d["a"], 3, axis=0).astype(float), np.delete(d["b"], 3)).x,
        check=lambda d, x: least_squares(np.delete(d["a"], 3, axis=0).astype(float), x, np.delete(d["b"], 3)),
        expects="error",
    ),
    Case(
        id="complex-symmetric-for-eigh",
        kind="dtypes",
        source="https://github.com/numpy/numpy/issues/11619",
        asked="the eigenvalues of a complex symmetric matrix by eigh",
        true_cause="the matrix is symmetric and not Hermitian: element (0, 0) has the imaginary part 142252.8, which "
        "eigh ignores",
        names=(r"hermitian", r"imaginary|conj|complex|diagonal|\(\d, ?\d\)|symmetric"),
        make=_impedance,
        numpy=lambda d: np.linalg.eigh(d["a"]),
        scipy=lambda d: sl.eigh(d["a"]),
        lap=lambda d: lap.eigh(d["a"]),
        fix=r"\beig\b|eigvals\b|conj",
        fixed=lambda d: lap.eig(d["a"]),
        check=lambda d, result: eigen_of(d["a"], result),
        expects="silent",
    ),
    Case(
        id="complex-product-into-real",
        kind="dtypes",
        source="https://github.com/mdolab/OpenAeroStruct/issues/95",
        asked="a product of complex matrices in an array made by np.zeros",
        true_cause="out is float64 and the product is complex128: the imaginary part has no place in it",
        names=(r"out", r"complex128|complex", r"float64|real"),
        make=_phasors,
        numpy=lambda d: np.matmul(d["a"], d["a"], out=d["out"]),
        scipy=None,
        lap=lambda d: lap.matmul(d["a"], d["a"], out=d["out"]),
        fix=r"complex",
        fixed=lambda d: lap.matmul(d["a"], d["a"], out=d["out"].astype(complex)),
        check=lambda d, result: same(result, np.einsum("ij,jk->ik", d["a"], d["a"]), units=10),
        expects="error",
    ),
    Case(
        id="product-into-integers",
        kind="dtypes",
        source="none found",
        asked="a product of matrices in an array of integers",
        true_cause="out is int64 and the product is float64: its fractions have no place in it",
        names=(r"out", r"int64|integer", r"float64|float"),
        make=_counts,
        numpy=lambda d: np.matmul(d["a"], d["a"], out=d["out"]),
        scipy=None,
        lap=lambda d: lap.matmul(d["a"], d["a"], out=d["out"]),
        fix=r"float64|float",
        fixed=lambda d: lap.matmul(d["a"], d["a"], out=d["out"].astype(float)),
        check=lambda d, result: same(result, np.einsum("ij,jk->ik", d["a"], d["a"]), units=10),
        expects="error",
    ),
    Case(
        id="dates-as-a-column",
        kind="dtypes",
        source="https://github.com/bradyrx/esmtools/issues/31",
        asked="a trend over twenty days",
        true_cause="the column holds dates, dtype datetime64[D], which are no numbers",
        names=(r"datetime64|date",),
        make=_dates,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=lambda d: sl.lstsq(d["a"], d["b"]),
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=TO_FLOAT + r"|subtract|timedelta",
        fixed=_days_fit,
        check=lambda d, x: same(x, [1.0, 3.0], units=10),
        expects="error",
    ),
    Case(
        id="table-with-field-names",
        kind="dtypes",
        source="none found",
        asked="the singular values of a table read with its column names",
        true_cause="the array has records with the fields x, y, z, one dimension and no numbers of its own",
        names=(r"structured|record|field|void",),
        make=_record,
        numpy=lambda d: np.linalg.svd(d["a"], full_matrices=False),
        scipy=lambda d: sl.svd(d["a"], full_matrices=False),
        lap=lambda d: lap.svd(d["a"], full_matrices=False),
        fix=r"structured_to_unstructured|view|to_numpy|column_stack|names",
        fixed=lambda d: lap.svd(np.lib.recfunctions.structured_to_unstructured(d["a"]), full_matrices=False),
        check=lambda d, result: svd_of(d["table"], result),
        expects="error",
    ),
    Case(
        id="sparse-matrix",
        kind="dtypes",
        source="https://github.com/ImperialCollegeLondon/sharpy/pull/186",
        asked="the solution of a system whose matrix is stored sparsely",
        true_cause="a is a sparse csr array, which NumPy takes for one object without dimensions",
        names=(r"sparse|csr",),
        make=_sparse,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"toarray|todense|spsolve",
        fixed=lambda d: lap.solve(d["a"].toarray(), d["b"]),
        check=lambda d, x: solves(d["a"].toarray(), x, d["b"]),
        expects="error",
        steps_scipy=(
            "read 'Sparse arrays/matrices are not supported by this function. Perhaps one of the `scipy.sparse.linalg` "
            "functions would work instead.'",
            "look up which of them it is: spsolve",
            "scipy.sparse.linalg.spsolve(a, b)",
        ),
        steps_lap=("read: a is a sparse csr array; a.toarray()", "lap.solve(a.toarray(), b)"),
    ),
    Case(
        id="masked-readings",
        kind="dtypes",
        source="https://github.com/astropy/astropy/issues/4824",
        asked="a line through 30 readings of which two are masked out",
        true_cause="b is a masked array; its mask, of readings 4 and 21, is ignored, and both count as 9999",
        names=(r"mask",),
        make=_masked,
        numpy=lambda d: np.linalg.lstsq(d["a"], d["b"]),
        scipy=None,
        lap=lambda d: lap.lstsq(d["a"], d["b"]),
        fix=r"mask|compress|fill",
        fixed=_unmasked,
        check=lambda d, x: same(x, [1.0, 2.0], units=10),
        expects="silent",
    ),
)
