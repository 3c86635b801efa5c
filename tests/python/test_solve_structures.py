"""`solve(assume_a=...)`: what is found out, what SciPy's names mean, mixed precision, transposed systems."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from helpers import DTYPES, LAYOUTS, adjoint, matrix, norm, positive, refuses, well_conditioned, within

import lapack_py as lap

N = 40


def structures(dtype: str) -> dict[str, np.ndarray]:
    a = well_conditioned(N, N, dtype=dtype)
    i, j = np.indices(a.shape)
    hermitian = a + adjoint(a)
    definite = positive(N, N, dtype=dtype)
    indefinite = hermitian.copy()
    indefinite[0, 0] = -1
    found = {
        "general": a,
        "diagonal": np.diag(np.diag(a)),
        "upper triangular": np.triu(a),
        "lower triangular": np.tril(a),
        "tridiagonal": np.where(abs(i - j) <= 1, a, 0),
        "banded": np.where((i - j <= 3) & (j - i <= 2), a, 0),
        "positive definite": (definite + adjoint(definite)) / 2,
        "hermitian" if np.dtype(dtype).kind == "c" else "symmetric": indefinite,
    }
    if np.dtype(dtype).kind == "c":
        found["symmetric"] = a + a.T
    return {name: np.asarray(m, dtype=dtype) for name, m in found.items()}


def residual(a, x, b) -> float:
    return norm(a @ x - b) / (norm(a) * norm(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_structure_is_found_out_told_and_used(dtype, layout):
    b = matrix(N, 2, dtype=dtype)
    for name, a in structures(dtype).items():
        given = LAYOUTS[layout](a)
        for assume in (None, "auto", name):
            x, report = lap.solve(given, b, assume_a=assume, return_report=True)
            within(residual(a, x, b), N, dtype, f"{name}, assume_a={assume}")
            assert report.structure == name
        assert np.array_equal(given, a), "the input was written"


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_agree_with_scipys_for_each_of_its_names(dtype):
    b = matrix(N, 1, dtype=dtype)
    for name, a in structures(dtype).items():
        ours = lap.solve(a, b, assume_a=name)
        theirs = scipy.linalg.solve(a, b, assume_a=name)
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        within(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) * 1e-2, N, dtype, name)


@pytest.fixture
def one_thread():
    """Some libraries compute other bits on another number of threads."""
    threads = lap.get_num_threads()
    lap.set_num_threads(1)
    yield
    lap.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_a_batch_of_different_structures_gives_each_what_a_single_call_gives():
    all_of_them = structures("float64")
    a = np.stack(list(all_of_them.values()))
    b = matrix(len(a), N, 1)
    x, report = lap.solve(a, b, return_report=True)
    assert report.structure == "several"
    for index in range(len(a)):
        assert np.array_equal(x[index], lap.solve(a[index], b[index]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*structures("float64"), "hermitian"])
def test_the_transposed_system_is_solved_for_every_structure(dtype, name):
    if name not in structures(dtype):
        name = "symmetric"
    a, b = structures(dtype)[name], matrix(N, 2, dtype=dtype)
    for assume in ("auto", name):
        for lower in (False, True):
            x = lap.solve(a, b, assume_a=assume, transposed=True, lower=lower)
            within(residual(a.T, x, b), N, dtype, f"{name}, lower={lower}")


def test_only_the_named_part_is_read():
    b = np.ones(N)
    for name in ("tridiagonal", "upper triangular", "diagonal"):
        a = structures("float64")[name]
        expected = lap.solve(a, b)
        outside = {
            "tridiagonal": np.abs(np.subtract.outer(np.arange(N), np.arange(N))) > 1,
            "upper triangular": np.tril(np.ones((N, N)), -1) > 0,
            "diagonal": ~np.eye(N, dtype=bool),
        }[name]
        assert np.array_equal(lap.solve(np.where(outside, np.nan, a), b, assume_a=name), expected)


def test_a_nan_is_found_wherever_it_is_if_nothing_was_said():
    for name, a in structures("float64").items():
        for place in ((3, 3), (N - 1, 0), (0, N - 1)):
            bad = a.copy()
            bad[place] = np.nan
            refuses(
                lambda bad=bad: lap.solve(bad, np.ones(N)), lap.NonFiniteError, f"row {place[0]}, column {place[1]}"
            )
        assert name


def test_singular_structures_are_refused_by_name_of_the_pivot():
    for name in ("diagonal", "upper triangular", "lower triangular", "tridiagonal", "banded"):
        a = structures("float64")[name].copy()
        a[:, 7] = 0
        a[7, :] = 0
        refuses(lambda a=a: lap.solve(a, np.ones(N)), lap.SingularMatrixError, "singular")


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("make", [well_conditioned, positive])
def test_mixed_precision_is_as_accurate_as_double_and_counts_its_steps(dtype, make):
    a, b = make(120, 120, dtype=dtype), matrix(120, 3, dtype=dtype)
    x, report = lap.solve(a, b, mixed_precision=True, return_report=True)
    assert report.refinements >= 0
    assert "mixed precision" in report.routine
    within(residual(a, x, b), 120, dtype, "mixed precision")


def test_mixed_precision_falls_back_to_double_and_says_so():
    a = scipy.linalg.hilbert(9)
    x, report = lap.solve(a, np.ones(9), assume_a="gen", mixed_precision=True, return_report=True)
    assert report.refinements < 0
    within(np.linalg.norm(a @ x - 1) / (np.linalg.norm(a) * np.linalg.norm(x)), 9, "float64", "hilbert")


def test_mixed_precision_of_single_precision_is_refused_in_words():
    a = np.eye(3, dtype="float32")
    refuses(lambda: lap.solve(a, np.ones(3, "float32"), mixed_precision=True), lap.LapackError, "float32")


def test_an_unknown_structure_is_refused_with_the_known_ones():
    call = lambda: lap.solve(np.eye(3), np.ones(3), assume_a="sparse")  # noqa: E731
    error = refuses(call, lap.LapackError, "must be 'auto', 'gen', 'sym', 'her', 'pos' or a longer name")
    for name in ("tridiagonal", "banded", "upper triangular", "lower triangular", "diagonal", "positive definite"):
        assert repr(name) in error.cause
    call = lambda: lap.solve(np.eye(3), np.ones(3), assume_a="tridiagnal")  # noqa: E731
    error = refuses(call, lap.LapackError, "assume_a='tridiagnal' must be")
    assert error.fixes[0][1] == "use assume_a='tridiagonal'."
