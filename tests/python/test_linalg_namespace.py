"""`lapack_py.linalg` in the place of `numpy.linalg`: names, signatures, and programs that use it."""

from __future__ import annotations

import inspect
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import DTYPES, positive, run_python

import lapack_py as lap
import lapack_py.linalg as LA

pytestmark = pytest.mark.any_lapack

# Array API standard 2025.12, extension `linalg`.
ARRAY_API = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
# Need routines that are not among the native operations yet.
MISSING = {"eig", "eigvals"} - set(LA.__all__)
NAMES = sorted(set(np.linalg.__all__) - MISSING)
FUNCTIONS = [name for name in NAMES if name != "LinAlgError"]


def test_every_name_of_numpy_is_there():
    assert sorted(LA.__all__) == LA.__all__
    assert set(NAMES) == set(LA.__all__)
    assert set(ARRAY_API) - MISSING <= set(LA.__all__)
    assert LA.LinAlgError is np.linalg.LinAlgError
    assert lap.linalg is LA


def test_operations_are_those_of_the_package():
    for name in LA.__all__:
        if hasattr(lap, name):
            assert getattr(LA, name) is getattr(lap, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_begin_with_numpys_and_add_keywords_only(name):
    ours, theirs = (list(inspect.signature(getattr(m, name)).parameters.values()) for m in (LA, np.linalg))
    for parameter, reference in zip(ours, theirs, strict=False):
        assert (parameter.name, parameter.kind, parameter.default) == (
            reference.name,
            reference.kind,
            reference.default,
        )
    added = ours[len(theirs) :]
    assert len(ours) >= len(theirs)
    # SciPy's second matrix, and numpy.matmul's third argument.
    positional = [p.name for p in added if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional == {"eig": ["b"], "eigvals": ["b"], "matmul": ["out"]}.get(name, [])
    assert all(p.default is not inspect.Parameter.empty for p in added)


COMPOSED = [
    name
    for name in lap.__all__
    if isinstance(getattr(lap, name), types.FunctionType)
    and getattr(lap, name).__module__.startswith("lapack_py._comp")
] + ["linalg.tensorsolve", "linalg.tensorinv"]


@pytest.mark.parametrize("name", COMPOSED)
def test_documentation_describes_every_parameter(name):
    function: Any = lap
    for part in name.split("."):
        function = getattr(function, part)
    text = inspect.getdoc(function)
    for parameter in inspect.signature(function).parameters:
        assert parameter in text, f"{parameter} of {name}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_program_for_numpy_gives_the_same_with_either_module(dtype):
    def program(linalg: Any) -> list[Any]:
        a = positive(6, 6, dtype=dtype)
        u, s, vh = linalg.svd(a)
        factor = linalg.cholesky(a)
        w, v = linalg.eigh(a)
        return [
            (u * s) @ vh,
            linalg.solve(a, np.ones(6)),
            factor @ factor.conj().T,
            (v * w) @ v.conj().T,
            linalg.norm(a, 2),
            linalg.pinv(a),
            linalg.matrix_rank(a),
            linalg.lstsq(a, np.ones(6, dtype=dtype))[0],
            linalg.multi_dot([a, a, a]),
            linalg.cond(a),
            linalg.trace(linalg.outer(a[0], a[1])),
            linalg.tensordot(a, a, axes=1),
            linalg.vecdot(a, a),
            linalg.diagonal(linalg.matrix_transpose(a), offset=1),
            linalg.cross(a[:, :3], a[:, 3:]),
        ]

    for ours, theirs in zip(program(LA), program(np.linalg), strict=True):
        assert np.shape(ours) == np.shape(theirs)
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype
        tolerance = 1e3 * np.finfo(dtype).eps
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * np.max(np.abs(theirs)))


def test_errors_are_caught_by_handlers_written_for_numpy():
    with pytest.raises(np.linalg.LinAlgError):
        LA.solve(np.zeros((2, 2)), np.ones(2))
    with pytest.raises(LA.LinAlgError):
        LA.matrix_power(np.zeros((2, 2)), -1)


def test_the_module_can_be_imported_first_and_by_star():
    done = run_python(
        "import sys\n"
        "from lapack_py.linalg import *\n"
        "assert solve is lap.solve and norm is lap.norm\n"
        "assert 'scipy' not in sys.modules, 'importing must not wait for SciPy'\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_difference_from_the_peers_has_its_reason(tmp_path):
    table = tmp_path / "coverage.md"
    script = Path(__file__).parents[2] / "bin" / "coverage-table"
    done = subprocess.run([sys.executable, script, table], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = table.read_text()
    for peer in ("numpy.linalg", "scipy.linalg", "Array API"):
        assert peer in text
    assert "| `svd` | yes | yes | yes |" in text
