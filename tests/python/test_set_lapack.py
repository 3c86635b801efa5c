"""Choosing the LAPACK while the program runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from helpers import adjoint, matrix, norm, refuses, within

import lapack_py as lap

pytestmark = pytest.mark.any_lapack


@pytest.fixture(autouse=True)
def _back_to_the_usual_one():
    threads = lap.get_num_threads()
    yield
    lap.set_lapack("auto")
    lap.set_num_threads(threads)


def assert_computes() -> None:
    for dtype in ("float32", "complex128"):
        a = matrix(30, 20, dtype=dtype)
        u, s, vh = lap.svd(a, full_matrices=False)
        within(norm(u * s @ vh - a) / norm(a), 30, dtype, "svd")
        b = matrix(40, 40, dtype=dtype)
        x = lap.solve(b, np.ones(40, dtype))
        within(np.linalg.norm(b @ x - 1) / (norm(b) * np.linalg.norm(x)), 40, dtype, "solve")
        h = b + adjoint(b)
        w, v = lap.eigh(h)
        within(norm(v * w @ adjoint(v) - h) / norm(h), 40, dtype, "eigh")


def test_scipys_own_lapack_computes_through_its_capsules_and_the_way_back_is_open():
    usual = lap.library_info()
    info = lap.set_lapack("scipy")
    assert info["path"] == "scipy.linalg.cython_lapack"
    assert info == lap.library_info()
    assert_computes()
    assert lap.set_lapack("auto")["path"] == usual["path"]
    assert_computes()


def test_the_number_of_threads_stays_what_it_was():
    lap.set_num_threads(1)
    assert lap.set_lapack("scipy")["threads"] == 1
    lap.set_num_threads(2)
    assert lap.set_lapack("auto")["threads"] == 2


def test_a_path_is_taken_and_named():
    path = lap.library_info()["path"]
    assert lap.set_lapack(path)["path"] == path
    assert_computes()


def test_a_library_that_cannot_be_used_leaves_the_former_one_in_use():
    before = lap.library_info()
    error = refuses(lambda: lap.set_lapack("/nonexistent/liblapack.so"), lap.ProviderError, "/nonexistent/liblapack.so")
    assert error.code == "LAP-E031"
    if sys.platform == "linux":
        refuses(lambda: lap.set_lapack("libc.so.6"), lap.ProviderError, "no dgesv")
    assert lap.library_info() == before
    assert_computes()


def test_a_package_that_is_not_installed_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    error = refuses(lambda: lap.set_lapack("scipy-openblas64"), lap.ProviderError, "scipy-openblas64")
    assert "pip install scipy-openblas64" in str(error)


def test_calls_of_other_threads_are_right_while_the_library_changes():
    a = matrix(60, 60)
    expected = lap.svdvals(a)
    stop = threading.Event()
    wrong: list[float] = []

    def work() -> None:
        while not stop.is_set():
            error = float(np.max(np.abs(lap.svdvals(a) - expected))) / float(expected[0])
            if error > 60 * 30 * np.finfo(float).eps:
                wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        lap.set_lapack("scipy")
        lap.set_lapack("auto")
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_without_the_wheels_scipys_lapack_is_found_by_itself():
    program = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.startswith("scipy_openblas") else real(name, *rest)
import numpy, lapack_py
assert numpy.allclose(lapack_py.svdvals(numpy.eye(3)), 1)
print(lapack_py.library_info()["path"])
"""
    # The search also looks where these variables point.
    hidden = {"VIRTUAL_ENV", "CONDA_PREFIX", "HOME", "PATH", "LAPACK_AI_LIBRARY"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "scipy.linalg.cython_lapack"
