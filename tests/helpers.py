"""What the tests share: bounds in units of n*eps, matrices in every layout, and programs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lapack_py as lap

# A backward stable algorithm stays near 1 unit. Above WARN a result is still right, but somebody should look: such
# results are listed at the end of the run.
WARN, FAIL = 5.0, 30.0
DTYPES = ("float32", "float64", "complex64", "complex128")
close_calls: list[str] = []


def eps(dtype: Any) -> float:
    return float(np.finfo(np.dtype(dtype)).eps)


def within(error: float, n: int, dtype: Any, what: str, *, warn: float = WARN, fail: float = FAIL) -> None:
    """Asserts that `error`, relative to the size of the data, is at most `fail` times n*eps."""
    units = float(error) / (max(n, 1) * eps(dtype))
    test = os.environ.get("PYTEST_CURRENT_TEST", "")
    assert units <= fail, f"{what}: {units:.3g} n*eps, allowed are {fail:g}"
    if units > warn:
        close_calls.append(f"{units:8.3g} n*eps (limit {fail:g}): {what} in {test}")


def matrix(*shape: int, dtype: Any = "float64", seed: int = 0) -> np.ndarray:
    """Normally distributed numbers, complex where the type is."""
    rng = np.random.default_rng([seed, *shape])
    numbers = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        numbers = numbers + 1j * rng.standard_normal(shape)
    return np.asarray(numbers, dtype=dtype)


def hermitian(*shape: int, dtype: Any = "float64", seed: int = 0) -> np.ndarray:
    a = matrix(*shape, dtype=dtype, seed=seed)
    return (a + adjoint(a)) / 2


def positive(*shape: int, dtype: Any = "float64", seed: int = 0) -> np.ndarray:
    """Hermitian with eigenvalues from 1 to about 5."""
    a = matrix(*shape, dtype=dtype, seed=seed)
    n = max(shape[-1], 1)
    return (a @ adjoint(a) / n + np.eye(shape[-1])).astype(dtype)


def well_conditioned(*shape: int, dtype: Any = "float64", seed: int = 0) -> np.ndarray:
    """Square, with a diagonal that dominates."""
    return (matrix(*shape, dtype=dtype, seed=seed) + 4 * shape[-1] * np.eye(shape[-1])).astype(dtype)


def adjoint(a: np.ndarray) -> np.ndarray:
    return np.conj(np.swapaxes(a, -1, -2))


def norm(a: np.ndarray) -> float:
    """The Frobenius norm of the worst matrix of a batch."""
    return float(np.max(np.linalg.norm(a, axis=(-2, -1)), initial=0.0))


# The same values in every layout that NumPy can give a stack of matrices.
LAYOUTS = {
    "C order": lambda a: np.ascontiguousarray(a),
    "Fortran order": lambda a: np.swapaxes(np.ascontiguousarray(np.swapaxes(a, -1, -2)), -1, -2),
    "part of a wider C array": lambda a: _part_of_wider(a),
    "part of a taller Fortran array": lambda a: np.swapaxes(_part_of_wider(np.swapaxes(a, -1, -2)), -1, -2),
    "rows backwards": lambda a: np.ascontiguousarray(a[..., ::-1, :])[..., ::-1, :],
    "columns backwards": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "every other element": lambda a: _every_other(a),
}


def _part_of_wider(a: np.ndarray) -> np.ndarray:
    wide = np.full((*a.shape[:-1], a.shape[-1] + 3), 7, dtype=a.dtype)
    wide[..., 1:-2] = a
    return wide[..., 1:-2]


def _every_other(a: np.ndarray) -> np.ndarray:
    large = np.full((*a.shape[:-2], 2 * a.shape[-2], 2 * a.shape[-1]), 7, dtype=a.dtype)
    large[..., ::2, ::2] = a
    return large[..., ::2, ::2]


def run_python(code: str, timeout: float = 30.0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a program, with numpy as np and lapack_py as lap, in a process that it cannot take others down with."""
    program = "import numpy as np, lapack_py as lap\n" + code
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
        check=False,
    )


def assert_in_words(error: BaseException, kind: type, text: str) -> None:
    """What every error owes its reader."""
    assert isinstance(error, kind), repr(error)
    assert isinstance(error, lap.LapackError), repr(error)
    assert isinstance(error, np.linalg.LinAlgError)
    line = str(error)
    assert text in line, line
    assert "\n" not in line
    assert error.code.startswith("LAP-E")
    assert line.endswith(f"[{error.code}]")
    assert error.cause
    assert error.operation
    assert error.report().startswith(f"{error.code}: {error.summary}")
    assert error.cause in error.report()
    for how, what in error.fixes:
        assert how in {"safe", "maybe", "needs-value"}
        assert what in error.report()


def refuses(call: Callable[[], Any], kind: type, text: str) -> lap.LapackError:
    with pytest.raises(kind) as caught:
        call()
    assert_in_words(caught.value, kind, text)
    return caught.value


def same_shapes(ours, theirs):
    ours, theirs = ((r,) if isinstance(r, np.ndarray) else tuple(r) for r in (ours, theirs))
    assert [np.shape(r) for r in ours] == [np.shape(r) for r in theirs]
    assert [np.asarray(r).dtype.kind for r in ours] == [np.asarray(r).dtype.kind for r in theirs]
