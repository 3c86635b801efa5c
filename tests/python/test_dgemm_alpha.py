"""`dgemm_alpha`: BLAS's arguments, a report of what computed, and words for what cannot be had."""

from __future__ import annotations

import numpy as np
import pytest

import lapack_py as lap

ALGORITHMS = ["auto", "classical", "strassen", "winograd", "alphatensor", "rank48"]
RANDOM = np.random.default_rng(5)


def allowed(report: object, k: int, dtype: type) -> float:
    """The error that the report's bound allows for factors below 1, and that of the reference."""
    bound = float(str(report.reason).rsplit(" ", 1)[1])  # type: ignore[attr-defined]
    return (bound + k * k + 8 * k) * float(np.finfo(dtype).eps) / 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, 4, 4), (7, 5, 9), (33, 64, 20), (70, 9, 66)])
def test_every_algorithm_keeps_its_bound(algorithm: str, dtype: type, shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    a, b, c = (RANDOM.uniform(-1, 1, s).astype(dtype) for s in [(k, m), (n, k), (m, n)])
    got, report = lap.dgemm_alpha(
        a, b, c, alpha=0.5, beta=-2.0, trans_a=True, trans_b="T", algorithm=algorithm, return_report=True
    )
    expected = 0.5 * a.astype(np.float64).T @ b.astype(np.float64).T - 2.0 * c
    assert got.dtype == dtype
    assert np.abs(got - expected).max() <= allowed(report, k, dtype)
    assert report.algorithm == ("classical" if algorithm == "auto" else algorithm)
    assert report.engine == "cpu"


@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_operands_enter_as_they_lie_and_only_strided_ones_are_copied(order: str) -> None:
    data = RANDOM.uniform(-1, 1, (8, 8))
    a = data[::2, ::2] if order == "strided" else np.asarray(data[:4, :4], order="C" if order == "C" else "F")
    got, report = lap.dgemm_alpha(a, a, algorithm="classical", return_report=True)
    assert np.abs(got - a @ a).max() < 1e-14
    assert report.copies == (2 if order == "strided" else 0)


def test_batches_broadcast_and_out_is_written_in_place() -> None:
    a, b = RANDOM.uniform(-1, 1, (6, 1, 4, 4)), RANDOM.uniform(-1, 1, (500, 4, 4))
    out = np.zeros((6, 500, 4, 4))
    assert lap.dgemm_alpha(a, b, out=out) is out
    assert np.abs(out - a @ b).max() < 1e-14
    before = out.copy()
    assert lap.dgemm_alpha(a, b, out, beta=1.0, out=out) is out
    assert np.abs(out - (a @ b + before)).max() < 1e-14


def test_c_stays_as_it_is_and_out_takes_other_layouts_and_types() -> None:
    a, c = RANDOM.uniform(-1, 1, (4, 4)), RANDOM.uniform(-1, 1, (4, 4))
    before = c.copy()
    out = np.zeros((4, 4), order="F")
    assert lap.dgemm_alpha(a, a, c, beta=1.0, out=out) is out
    assert np.array_equal(c, before)
    assert np.abs(out - (a @ a + c)).max() < 1e-14
    single = np.zeros((4, 4), dtype=np.float32)
    lap.dgemm_alpha(a, a, out=single)
    assert np.abs(single - a @ a).max() < 1e-6
    overlapping = a.copy()
    lap.dgemm_alpha(overlapping, overlapping, out=overlapping)
    assert np.abs(overlapping - a @ a).max() < 1e-14


def test_without_beta_c_is_not_read_and_empty_products_are_zeros() -> None:
    nan = np.full((4, 4), np.nan)
    assert np.array_equal(lap.dgemm_alpha(np.eye(4), np.eye(4), nan), np.eye(4))
    assert np.array_equal(lap.dgemm_alpha(nan, nan, np.eye(4), alpha=0.0, beta=3.0), 3.0 * np.eye(4))
    assert np.array_equal(lap.dgemm_alpha(np.ones((3, 0)), np.ones((0, 2))), np.zeros((3, 2)))


EYE = np.eye(4)
REFUSED = {
    "unknown algorithm": ({"algorithm": "fast"}, lap.LapackError, "algorithm='fast' must be 'auto', 'classical'"),
    "inaccurate": ({"algorithm": "winograd", "accuracy": 2550}, lap.LapackError, "2551, more than accuracy=2550"),
    "no algorithm": ({"accuracy": 11.5}, lap.LapackError, "smallest error bound of this size, 12"),
    "no number": ({"accuracy": float("nan")}, lap.LapackError, "accuracy=NaN must be a positive number"),
    "beta alone": ({"beta": 2.0}, lap.LapackError, "beta=2 needs c"),
    "letter": ({"trans_a": "H"}, lap.LapackError, "trans_a='H' must be True, False, 'N', 'T' or 'C'"),
    "c of another shape": ({"c": np.ones((4, 5))}, lap.ShapeError, "c is 4 x 5, the product 4 x 4"),
    "out of another shape": ({"out": np.ones((4, 5))}, lap.ShapeError, "dgemm_alpha: out has shape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_had_is_refused_in_words(case: str) -> None:
    keywords, kind, text = REFUSED[case]
    with pytest.raises(kind, match="dgemm_alpha") as raised:
        lap.dgemm_alpha(EYE, EYE, **keywords)  # type: ignore[call-overload]
    assert text in str(raised.value)


def test_other_operands_than_real_matrices_are_refused() -> None:
    with pytest.raises(lap.DTypeError, match="for real matrices"):
        lap.dgemm_alpha(EYE, 1j * EYE)
    with pytest.raises(lap.LapackError, match="1 dimension"):
        lap.dgemm_alpha(np.ones(4), EYE)
    with pytest.raises(lap.ShapeError, match=r"needs 3 rows, not 4"):
        lap.dgemm_alpha(np.ones((4, 3)), EYE)
