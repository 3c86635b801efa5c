"""``lap.validate()`` and ``python -m lapack_py validate``: everything that was found is used."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import lapack_py as lap


@pytest.fixture(scope="module")
def validation() -> lap.Validation:
    return lap.validate()


def test_this_machine_passes_and_every_section_is_checked(validation: lap.Validation) -> None:
    assert validation.ok, str(validation)
    assert {check.section for check in validation.checks} == {"LAPACK", "OpenCL", "GPU", "Python", "container"}
    types = {check.name for check in validation.checks if check.section == "LAPACK" and check.outcome == "passed"}
    assert types >= {"float64", "float32", "complex128", "complex64"}


def test_the_text_shows_each_check_and_what_is_not_passed_has_a_fix(validation: lap.Validation) -> None:
    for check in validation.checks:
        assert check.found in str(validation)
        assert (check.outcome == "passed") == (check.fix is None), check


def test_the_dict_counts_what_is_listed(validation: lap.Validation) -> None:
    told = validation.to_dict()
    for kind in ("passed", "noted", "failed"):
        assert told[kind] == sum(check["outcome"] == kind for check in told["checks"])
    assert told["version"] == lap.__version__
    assert json.loads(json.dumps(told)) == told


def test_a_wrong_result_of_the_module_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lap._native, "svdvals", lambda _: np.array([4.0, 2.0]))
    validation = lap.validate()
    (check,) = (check for check in validation.checks if check.name == "svdvals")
    assert not validation.ok
    assert check.outcome == "failed"
    assert check.found == "[4. 2.] instead of [4. 3.]"


def test_the_program_prints_it_and_ends_with_one_where_something_is_broken() -> None:
    command = [sys.executable, "-m", "lapack_py", "validate", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True), done.stderr
    broken = (
        "import lapack_py._native as native; native.svdvals = lambda _: 0\n"
        "from lapack_py.__main__ import main; raise SystemExit(main(['validate']))"
    )
    done = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "!! svdvals" in done.stdout
