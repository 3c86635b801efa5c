"""A hundred calls that failed: what NumPy and SciPy do, and whether this library names the true cause and the fix."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from diagnostics.cases import CASES, Case
from diagnostics.outcomes import LOUDNESS, names_the_fix, outcome_of, unnamed, why_the_fix_fails

import lapack_py as lap

# Texts that fall short, with what is missing in each. There are to be five at most.
FALL_SHORT: dict[str, str] = {}

# Where a silent result is of another form than the right one: what shows that it is useless.
USELESS = {
    "determinant-of-a-covariance-vanishes": lambda data, result: result == 0,
    "powers-of-years": lambda data, result: result[2] < 6,
    "critical-damping": lambda data, result: np.linalg.cond(result[1]) > 1e8,
    "circuit-without-a-derivative": lambda data, result: np.isinf(result[0]).any(),
}

# Singular but for rounding: whether a pivot becomes exactly 0, an error, or only small depends on the processor.
ROUNDING_DECIDES = {
    "question-exported-twice",
    "dummy-variable-trap",
    "shares-that-add-up",
    "inverse-of-a-graph-laplacian",
    "one-to-nine",
    "constraint-given-twice",
    "age-year-and-birth",
    "stationary-distribution",
}

recorded = pytest.mark.skipif(
    tuple(map(int, np.__version__.split(".")[:2])) < (2, 4)
    or tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 17),
    reason="recorded with NumPy 2.4 and SciPy 1.17",
)
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
of_other_libraries = pytest.mark.parametrize(
    "case", [case for case in CASES if case.numpy or case.scipy], ids=lambda case: case.id
)
silent = pytest.mark.parametrize("case", [case for case in CASES if case.expects == "silent"], ids=lambda case: case.id)
counted = [case for case in CASES if case.steps_scipy]


@pytest.fixture(autouse=True)
def _device(request):
    case = request.node.callspec.params.get("case") if hasattr(request.node, "callspec") else None
    if case is not None and case.needs_opencl and not lap.devices():
        pytest.skip("no OpenCL device; Debian, Ubuntu: apt-get install pocl-opencl-icd ocl-icd-libopencl1")


def test_there_are_a_hundred_different_cases_with_threads():
    assert len(CASES) == 100
    assert len({case.id for case in CASES}) == 100
    threads = [case.source for case in CASES if case.source.startswith("https://")]
    assert len(threads) >= 85
    assert all(case.source == "none found" for case in CASES if case.source not in threads)


def test_a_text_that_says_nothing_names_no_cause():
    for case in CASES:
        for text in ("", "Singular matrix", "SVD did not converge", "Matrix is not positive definite", "info=-4"):
            assert unnamed(case, text), (case.id, text)


@recorded
@of_other_libraries
def test_numpy_and_scipy_fail_warn_or_stay_silent_as_recorded(case: Case):
    outcomes = [outcome_of(call, case) for call in (case.numpy, case.scipy) if call]
    loudest = max((outcome.loudness for outcome in outcomes), key=LOUDNESS.index)
    allowed = {"warning", "error"} if case.id in ROUNDING_DECIDES else {case.expects}
    assert loudest in allowed, [(outcome.loudness, outcome.line) for outcome in outcomes]


@recorded
@silent
def test_a_result_that_numpy_or_scipy_gives_silently_is_wrong(case: Case):
    for call in filter(None, (case.numpy, case.scipy)):
        data, result = case.make(), outcome_of(call, case).result
        if case.id in USELESS:
            assert USELESS[case.id](data, result)
            continue
        if isinstance(result, tuple) and len(result) == 4:
            result = result[0]
        elif case.id == "rank-beside-the-tolerance" and np.ndim(result) == 2:
            result = 40 - result.shape[1]
        with pytest.raises(AssertionError):
            case.check(data, result)


@cases
def test_the_text_names_the_true_cause(case: Case):
    outcome = outcome_of(case.lap, case)
    missing = unnamed(case, outcome.text)
    if case.id in FALL_SHORT:
        assert missing or not names_the_fix(case, outcome.fixes), "it names both now"
        return
    assert outcome.loudness != "silent", "nothing was said"
    assert not missing, outcome.text


@cases
def test_the_fix_is_named(case: Case):
    outcome = outcome_of(case.lap, case)
    if case.id not in FALL_SHORT:
        assert names_the_fix(case, outcome.fixes), f"{outcome.fixes} do not have {case.fix}"


@cases
def test_the_fix_applied_gives_the_right_result_and_not_the_same_complaint(case: Case):
    assert why_the_fix_fails(case, outcome_of(case.lap, case)) is None


def test_at_least_95_texts_name_the_cause_and_the_fix():
    assert len(FALL_SHORT) <= 5
    assert set(FALL_SHORT) <= {case.id for case in CASES}


def test_named_causes_save_at_least_half_of_the_steps_from_the_error_to_a_call_that_works():
    assert len(counted) == 10
    assert all(1 <= len(case.steps_lap) < len(case.steps_scipy) for case in counted)
    assert 2 * sum(len(case.steps_lap) for case in counted) <= sum(len(case.steps_scipy) for case in counted)
