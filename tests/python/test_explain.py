"""``lap.explain``, ``lap.explain_info``, ``lap.explain_iter`` and ``python -m lapack_py explain``."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import lapack_py as lap
from lapack_py import _errors, _native, _warnings

pytestmark = pytest.mark.any_lapack

CATALOGUE = json.loads(_native.catalogue())


@pytest.mark.parametrize("code", [entry["code"] for entry in CATALOGUE])
def test_every_code_is_explained_with_cause_and_fixes(code):
    told = lap.explain(code)
    assert (told.code, told.severity[0].upper()) == (code, code[4])
    assert told.title in str(told).splitlines()[0]
    assert told.report() == str(told)
    assert f"cause: {told.cause}" in str(told)
    assert told.fixes
    for how, what in told.fixes:
        assert how in {"safe", "maybe", "needs-value"}
        assert f"fix ({how}): {what}" in str(told)
    assert lap.explain(code.lower().removeprefix("lap-")) == told


def test_every_class_of_python_has_a_code_that_is_explained():
    for code in [*_errors._CLASSES, *_warnings._CLASSES]:
        assert lap.explain(code).code == code


def test_an_error_and_a_warning_are_explained_by_their_code():
    with pytest.raises(lap.SingularMatrixError) as caught:
        lap.solve(np.zeros((2, 2)), np.ones(2))
    assert lap.explain(caught.value) == lap.explain("LAP-E010")
    hilbert = 1 / (np.arange(13)[:, None] + np.arange(13) + 1)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        lap.solve(hilbert, np.ones(13))
    assert lap.explain(given[0].message).code == "LAP-W001"


def test_what_an_error_says_of_its_routine_is_what_explain_info_says():
    with pytest.raises(lap.NotPositiveDefiniteError) as caught:
        lap.cholesky([[1.0, 2.0], [2.0, 1.0]])
    told = lap.explain_info(caught.value.routine, caught.value.info, n=2)
    assert (told.code, told.info_class, told.index) == (caught.value.code, "NOT_POSDEF", 1)


def test_info_is_decoded_with_the_dimensions():
    pivot = lap.explain_info("dgesvx", 4, n=4)
    assert (pivot.code, pivot.severity, pivot.info_class, pivot.index) == ("LAP-E010", "error", "U_ZERO_PIVOT", 3)
    assert pivot.summary == "dgesvx: singular: pivot 4, counted from 1, is exactly 0."
    assert pivot.summary in str(pivot).splitlines()[0]
    assert repr(pivot) == "<dgesvx: singular: pivot 4, counted from 1, is exactly 0>"
    assert lap.explain_info("dgesvx", 5, n=4).info_class == "RCOND_LT_EPS"
    assert lap.explain_info("dgeequ", 4, n=5, m=3).summary == "dgeequ: column 1, counted from 1, is all zero."
    assert lap.explain_info("zheevd", 20, n=7).summary == "zheevd: no convergence in rows and columns 2 to 4."


def test_without_dimensions_every_possible_meaning_is_there():
    told = lap.explain_info("gesvx", 5)
    assert (told.code, told.severity, told.info_class) == (None, None, None)
    assert [(one.code, one.when) for one in told.possibilities] == [("LAP-E010", "n >= 5"), ("LAP-W001", "n = 4")]
    assert "if n = 4:" in str(told)


def test_refused_arguments_are_named_as_lapack_and_as_the_user_knows_them():
    told = lap.explain_info("DGESV_", -4)
    assert told.code == "LAP-E020"
    assert (told.argument.position, told.argument.name, told.argument.user) == (4, "LDA", "a")
    assert lap.explain_info("LAPACKE_dgesv", -5).argument.name == "LDA"
    assert lap.explain_info("LAPACKE_dgesv", -4).code == "LAP-E001"
    assert lap.explain_info("dgesdd", -4).info_class == "NAN_INPUT"
    assert lap.explain_info("dgesdd", 0).code == "LAP-I003"


def test_opencl_and_iter_are_explained():
    assert lap.explain_info("opencl", -61).code == "LAP-E033"
    assert lap.explain_iter("dsgesv", -31).summary == "dsgesv: the refinement did not converge in 30 steps."
    assert lap.explain_iter("zcposv", 3).severity == "information"


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: lap.explain("LAP-E999"), "explain: no code"),
        (lambda: lap.explain_info("dgesvq", 1), "explain_info: no routine"),
        (lambda: lap.explain_info("dgesv", 9, n=4), "dgesv does not return 9: not for n = 4"),
        (lambda: lap.explain_info("opencl", -20), "does not return -20"),
        (lambda: lap.explain_iter("dgesv", -1), "returns no ITER"),
    ],
)
def test_what_is_not_known_is_an_error_with_a_code(call, part):
    with pytest.raises(lap.LapackError, match="LAP-E005") as caught:
        call()
    assert part in caught.value.summary


def test_the_dictionary_has_all_fields_and_is_the_callers_own():
    told = lap.explain_info("dsygvd", 9, n=7)
    fields = told.to_dict()
    assert {name: fields[name] for name in ("routine", "info", "code", "class", "summary", "meaning")} == {
        "routine": told.routine,
        "info": told.info,
        "code": None,
        "class": None,
        "summary": told.summary,
        "meaning": told.meaning,
    }
    assert [one["class"] for one in fields["possibilities"]] == [one.info_class for one in told.possibilities]
    fields["possibilities"].clear()
    assert len(told.to_dict()["possibilities"]) == 2
    assert pickle.loads(pickle.dumps(told)) == told
    assert json.loads(json.dumps(lap.explain("LAP-E011").to_dict()))["classes"]


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lapack_py", "explain", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_module_explains_on_the_command_line():
    assert ask("LAP-E012").stdout.startswith("LAP-E012: the singular values did not converge.\n  meaning: ")
    assert ask("dgesvx", "5", "--n", "4").stdout.startswith("LAP-W001: dgesvx: solved")
    assert ask("opencl", "-5").stdout.startswith("LAP-E041: OpenCL: the device ran out of resources")
    assert json.loads(ask("dgeequ", "4", "--m", "3", "--json").stdout)["index"] == 0
    unknown = ask("LAP-E999")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no code" in unknown.stderr
