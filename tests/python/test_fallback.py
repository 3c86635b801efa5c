"""What happens when a LAPACK driver does not converge.

No finite matrix is known that makes a healthy library fail, so a shim in front of the real one reports the failure
(``shim/stubborn.c``, built with the system's C compiler). A process keeps its LAPACK, so each case has its own. The
shim spells its routines as the wheel ``scipy-openblas32`` does and stands before that one, whatever other tests use.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.any_lapack,
    pytest.mark.skipif(sys.platform != "linux", reason="the shim relies on the Linux loader"),
]

PRELUDE = """
import warnings
import numpy as np
import lapack_py as lap
warnings.simplefilter("always")
eps = np.finfo(float).eps
def reconstructs(a, result):
    n = max(a.shape)
    return np.abs(result.U * result.S @ result.Vh - a).sum(0).max() <= 30 * n * eps * np.abs(a).sum(0).max()
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    [folder] = importlib.util.find_spec("scipy_openblas32").submodule_search_locations
    real = Path(folder) / "lib" / "libscipy_openblas.so"
    library = tmp_path_factory.mktemp("shim") / "libstubborn.so"
    source = Path(__file__).parent / "shim" / "stubborn.c"
    link = ["-Wl,--no-as-needed", str(real), f"-Wl,-rpath,{real.parent}", "-ldl"]
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, *link], check=True)
    return library


def run(shim, stubborn, code):
    environment = {**os.environ, "LAPACK_AI_LIBRARY": str(shim), "LAPACK_STUBBORN": stubborn}
    command = [sys.executable, "-c", PRELUDE + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("n", "first", "second"), [(40, "gesdd", "gesvd"), (10, "gesvd", "gesdd")])
def test_where_the_first_driver_fails_the_second_gives_the_result_and_a_warning(shim, n, first, second):
    code = f"""
a = np.random.default_rng(1).standard_normal(({n}, {n}))
with warnings.catch_warnings(record=True) as caught:
    result = lap.svd(a)
assert reconstructs(a, result)
[warning] = caught
assert isinstance(warning.message, lap.DriverFallbackWarning), warning
assert warning.message.code == "LAP-W003" and warning.message.routine == "d{first}"
print(warning.message)
"""
    assert f"{first} did not converge; {second} gave the result" in run(shim, first, code)


def test_where_both_drivers_fail_the_error_names_routine_and_info(shim):
    code = """
try:
    lap.svd(np.eye(40))
except lap.ConvergenceError as error:
    assert (error.code, error.routine, error.info) == ("LAP-E012", "dgesvd", 3), error.report()
    print(error)
"""
    assert "svd: the iteration did not converge; 3 values are missing" in run(shim, "gesdd gesvd", code)


def test_the_failed_members_of_a_batch_are_listed(shim):
    code = """
try:
    lap.svd(np.broadcast_to(np.eye(3), (5, 3, 3)))
except lap.ConvergenceError as error:
    assert error.failed == [0, 1, 2, 3, 4] and error.matrix == 0
    print(error)
"""
    assert "matrix 0 and 4 more of 5" in run(shim, "gesdd gesvd", code)


def test_an_eigenvalue_iteration_that_fails_is_an_error_with_routine_and_info(shim):
    code = """
try:
    lap.eigh(np.eye(2))
except lap.ConvergenceError as error:
    assert (error.code, error.routine, error.info) == ("LAP-E013", "dsyev", 3)
    print(error)
"""
    assert "eigh: the iteration did not converge" in run(shim, "syev", code)


@pytest.mark.parametrize(
    ("call", "driver"), [("lap.eig(a)", "geev"), ("lap.eigvals(a)", "geev"), ("lap.eigh(a, np.eye(4))", "sygvd")]
)
def test_the_general_and_generalised_drivers_that_fail_are_named_with_info(shim, call, driver):
    code = f"""
a = np.diag([1.0, 2.0, 3.0, 4.0])
try:
    {call}
except lap.ConvergenceError as error:
    assert (error.code, error.routine, error.info) == ("LAP-E013", "d{driver}", 3)
    print(error)
"""
    assert "the iteration did not converge; 3 values are missing" in run(shim, driver, code)


def test_the_shim_itself_computes_when_it_is_not_told_to_fail(shim):
    code = """
a = np.random.default_rng(1).standard_normal((40, 40))
assert reconstructs(a, lap.svd(a))
print(lap.library_info()["path"])
"""
    assert "libstubborn" in run(shim, "", code)
