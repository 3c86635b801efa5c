"""The forms of an error: one line, fields, notes, a report, JSON; batches that go on; safe fixes that are applied."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
import warnings

import numpy as np
import pytest
from diagnostics.cases import CASES
from diagnostics.outcomes import outcome_of
from helpers import within

import lapack_py as lap

RNG = np.random.default_rng(2026)
LINE = 88
# Words of LAPACK's authors that a user need not know.
JARGON = ("INFO", "xGETRF", "getrf", "LWORK", "LDA", "XERBLA", "Bunch", "bidiagonal", "superdiagonal", "leading minor")


def equal_columns(n: int = 6) -> np.ndarray:
    a = RNG.integers(-5, 6, (n, n)).astype(float) + 10 * np.eye(n)
    a[:, 4] = a[:, 1]
    return a


def error_of(call):
    with pytest.raises(lap.LapackError) as caught:
        call()
    return caught.value


def test_the_same_facts_are_fields_notes_report_and_json():
    error = error_of(lambda: lap.cholesky(np.diag([1.0, -2.0, 3.0])))
    assert error.code == "LAP-E011"
    kinds = [finding["kind"] for finding in error.findings]
    assert kinds == ["diagonal-not-positive", "smallest-eigenvalue"]
    assert (error.findings[0]["index"], error.findings[0]["value"]) == (1, -2)
    within(abs(error.findings[1]["value"] + 2) / 2, 3, np.float64, "smallest eigenvalue")
    assert error.findings[1]["shift"] > 2
    assert "\n" not in str(error)
    assert error.report().startswith("LAP-E011: cholesky: a is not positive definite: diagonal element 1 is -2.")
    told = json.loads(error.to_json())
    assert told == json.loads(json.dumps(error.to_dict()))
    assert (told["findings"][0]["kind"], told["info"]) == ("diagonal-not-positive", 2)
    assert all(set(fix) == {"applicability", "text"} for fix in told["fixes"])


@pytest.mark.skipif(not hasattr(BaseException, "add_note"), reason="notes came with Python 3.11")
def test_a_traceback_shows_cause_and_fixes_and_copies_show_them_once():
    error = error_of(lambda: lap.cholesky(np.diag([1.0, -2.0])))
    for one in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        shown = "".join(traceback.format_exception_only(one))
        assert shown.count("cause: diagonal element 1 is -2") == 1
        assert shown.count("fix (maybe): add ") == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_first_lines_are_short_and_free_of_jargon(case):
    if case.needs_opencl and not lap.devices():
        pytest.skip("no OpenCL device")
    outcome = outcome_of(case.lap, case)
    for line in outcome.text.splitlines():
        if line.startswith("LAP-"):
            summary = line.split(": ", 1)[1]
            assert len(summary) <= LINE, (len(summary), summary)
            assert not any(word in summary for word in JARGON), summary


def stack_with_bad_members() -> np.ndarray:
    stack = RNG.standard_normal((5, 4, 4)) + 4 * np.eye(4)
    stack[2] = 0
    stack[4, :, 1] = 0
    return stack


CALLS = {
    "inv": lambda a, **how: lap.inv(a, **how),
    "solve": lambda a, **how: lap.solve(a, np.ones((len(a), 4, 2)), **how),
    "cholesky": lambda a, **how: lap.cholesky(a @ np.swapaxes(a, -1, -2), **how),
}


@pytest.mark.parametrize("name", CALLS)
def test_good_members_of_a_batch_come_back_and_bad_ones_are_listed(name):
    stack, call = stack_with_bad_members(), CALLS[name]
    error = error_of(lambda: call(stack))
    assert error.failed == [2, 4]
    with pytest.warns(lap.BatchPartialWarning, match="2 of 5 matrices failed") as caught:
        result, report = call(stack, errors="warn", return_report=True)
    assert caught[0].message.failed == [2, 4]
    assert [failure.matrix for failure in report.failures] == [2, 4]
    assert all(isinstance(failure, lap.LapackError) for failure in report.failures)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        collected, report = call(stack, errors="collect", return_report=True)
    assert len(report.failures) == 2
    np.testing.assert_array_equal(collected, result)
    assert np.isnan(result[[2, 4]]).all()
    good = call(stack[[0, 1, 3]])
    np.testing.assert_array_equal(result[[0, 1, 3]], good)


def test_a_bad_member_of_a_batch_of_decompositions_is_nan_and_the_others_are_whole():
    stack = RNG.standard_normal((3, 5, 5))
    stack += np.swapaxes(stack, -1, -2)
    expected = lap.eigh(stack[[0, 2]])
    stack[1, 0, 0] = np.nan
    with pytest.warns(lap.BatchPartialWarning):
        w, v = lap.eigh(stack, errors="warn")
    assert all(np.isnan(part[1]).all() for part in (w, v))
    np.testing.assert_array_equal(w[[0, 2]], expected.eigenvalues)
    with pytest.warns(lap.BatchPartialWarning):
        u, s, vh = lap.svd(stack, errors="warn")
    assert all(np.isnan(part[1]).all() and np.isfinite(part[[0, 2]]).all() for part in (u, s, vh))
    with pytest.warns(lap.BatchPartialWarning):
        assert np.isnan(lap.eigvals(stack, errors="warn")[1]).all()
    with pytest.warns(lap.BatchPartialWarning):
        assert np.isnan(lap.lstsq(stack, np.ones((3, 5, 1)), errors="warn")[0][1]).all()


def test_an_unknown_way_with_errors_or_fixes_is_refused():
    assert "errors='ignore' must be" in str(error_of(lambda: lap.inv(np.eye(2), errors="ignore")))
    assert "autofix='all' must be None or 'safe'" in str(error_of(lambda: lap.inv(np.eye(2), autofix="all")))


def indefinite(n: int) -> np.ndarray:
    a = RNG.standard_normal((n, n))
    return a + a.T


@pytest.mark.parametrize("n", [4, 30])
@pytest.mark.parametrize("order", ["C", "F"])
def test_autofix_takes_the_symmetric_solver_where_the_matrix_is_not_positive_definite(n, order):
    a, b = np.asarray(indefinite(n), order=order), np.ones(n)
    assert isinstance(error_of(lambda: lap.solve(a, b, assume_a="pos")), lap.NotPositiveDefiniteError)
    with pytest.warns(lap.FixAppliedWarning, match="assume_a='sym' was used"):
        x = lap.solve(a, b, assume_a="pos", autofix="safe")
    within(np.abs(a @ x - b).max() / (np.linalg.norm(a, 1) * np.abs(x).max()), n, a.dtype, "residual")


def badly_scaled(n: int = 12) -> np.ndarray:
    rows, columns = 10.0 ** RNG.integers(-9, 10, n), 10.0 ** RNG.integers(-9, 10, n)
    return rows[:, None] * (RNG.standard_normal((n, n)) + 3 * np.eye(n)) * columns


def test_equilibration_solves_what_only_units_spoil():
    a = badly_scaled()
    x = RNG.standard_normal(len(a)) / np.abs(a).max(axis=0)
    b = a @ x
    with pytest.warns(lap.IllConditionedWarning, match="ill-conditioned") as caught:
        lap.solve(a, b)
    assert any("equilibrate=True" in what for how, what in caught[0].message.fixes if how == "safe")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled, report = lap.solve(a, b, equilibrate=True, return_report=True)
    assert report.rcond > 1e-6
    within(np.abs(scaled / x - 1).max() * report.rcond, len(a), a.dtype, "forward error")
    with pytest.warns(lap.FixAppliedWarning, match="equilibrate=True was used"):
        fixed = lap.solve(a, b, autofix="safe")
    np.testing.assert_array_equal(fixed, scaled)
    stack = np.stack([a, 2 * a])
    np.testing.assert_array_equal(lap.solve(stack, np.stack([b, 2 * b])[..., None], equilibrate=True)[1, :, 0], scaled)


def test_autofix_converts_types_and_leaves_what_is_not_safe():
    with pytest.warns(lap.FixAppliedWarning, match="a was converted from float16 to float32"):
        x = lap.solve(np.eye(3, dtype=np.float16), np.ones(3, np.float32), autofix="safe")
    np.testing.assert_array_equal(x, 1)
    assert isinstance(error_of(lambda: lap.inv(np.eye(2, dtype="longdouble"), autofix="safe")), lap.DTypeError)
    assert isinstance(error_of(lambda: lap.inv(np.eye(2, dtype=np.float16))), lap.DTypeError)
    assert isinstance(error_of(lambda: lap.inv(equal_columns() * 0, autofix="safe")), lap.SingularMatrixError)


def test_a_required_gpu_that_is_not_there_gives_way_to_the_cpu_under_autofix():
    if any(not device.is_cpu for device in lap.devices()):
        pytest.skip("there is a GPU")
    assert isinstance(error_of(lambda: lap.inv(np.eye(2), gpu="require")), lap.GpuUnavailableError)
    with pytest.warns(lap.GpuNotUsedWarning):
        np.testing.assert_array_equal(lap.inv(np.eye(2), gpu="require", autofix="safe"), np.eye(2))
