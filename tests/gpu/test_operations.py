"""Every public operation takes arrays on the device, gives arrays on the device, and the values of NumPy's."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from helpers import DTYPES, hermitian, matrix, positive, refuses, well_conditioned, within
from on_device import NAME, computed_there, status

import lapack_py as lap

N = 6
types = pytest.mark.parametrize("dtype", DTYPES)


def operands(dtype):
    """The matrices that the calls below take."""
    return {
        "a": well_conditioned(N, N, dtype=dtype),
        "tall": matrix(9, 4, dtype=dtype),
        "h": hermitian(N, N, dtype=dtype),
        "p": positive(N, N, dtype=dtype),
        "b": matrix(N, 2, dtype=dtype, seed=1),
        "t": np.triu(well_conditioned(N, N, dtype=dtype)),
        "ab": np.asarray(matrix(3, N, dtype=dtype) + 9 * np.array([[0], [1], [0]]), dtype),
        "hb": np.asarray(np.abs(matrix(2, N, dtype=dtype)) * 0.1 + np.array([[0], [9]]), dtype),
        "stack": well_conditioned(3, N, N, dtype=dtype),
    }


# Each takes operands, all on the host or all on the device.
CALLS = {
    "svd": lambda o: lap.svd(o["tall"]),
    "svdvals": lambda o: lap.svdvals(o["tall"]),
    "solve": lambda o: lap.solve(o["a"], o["b"]),
    "lstsq": lambda o: lap.lstsq(o["tall"], o["tall"])[:1],
    "eig": lambda o: lap.eig(o["a"]),
    "eigvals": lambda o: lap.eigvals(o["a"]),
    "eigh": lambda o: lap.eigh(o["h"]),
    "eigvalsh": lambda o: lap.eigvalsh(o["h"]),
    "schur": lambda o: lap.schur(o["a"]),
    "qr": lambda o: lap.qr(o["tall"]),
    "cholesky": lambda o: lap.cholesky(o["p"]),
    "cho_factor": lambda o: lap.cho_factor(o["p"])[0],
    "cho_solve": lambda o: lap.cho_solve(lap.cho_factor(o["p"], lower=True), o["b"]),
    "cholesky_update": lambda o: lap.cholesky_update(o["t"], o["b"][:, 0] * 0.01),
    "lu": lambda o: lap.lu(o["a"]),
    "lu_factor": lambda o: lap.lu_factor(o["a"])[0],
    "lu_solve": lambda o: lap.lu_solve((o["a"], np.arange(N, dtype="int32")), o["b"]),
    "solve_triangular": lambda o: lap.solve_triangular(o["t"], o["b"]),
    "solve_banded": lambda o: lap.solve_banded((1, 1), o["ab"], o["b"]),
    "solveh_banded": lambda o: lap.solveh_banded(o["hb"], o["b"]),
    "inv": lambda o: lap.inv(o["a"]),
    "det": lambda o: lap.det(o["stack"]),
    "slogdet": lambda o: lap.slogdet(o["stack"]),
    "rcond": lambda o: lap.rcond(o["stack"]),
    "matmul": lambda o: lap.matmul(o["a"], o["b"]),
    "dgemm_alpha": lambda o: lap.dgemm_alpha(o["a"], o["b"]),
    "pinv": lambda o: lap.pinv(o["tall"]),
    "matrix_rank": lambda o: lap.matrix_rank(o["tall"]),
    "cond": lambda o: lap.cond(o["a"]),
    "norm": lambda o: lap.norm(o["a"]),
    "matrix_norm": lambda o: lap.matrix_norm(o["stack"], ord="nuc"),
    "vector_norm": lambda o: lap.vector_norm(o["a"]),
    "null_space": lambda o: lap.null_space(o["tall"].mT),
    "orth": lambda o: lap.orth(o["tall"]),
    "polar": lambda o: lap.polar(o["a"]),
    "matrix_power": lambda o: lap.matrix_power(o["a"], 3),
    "multi_dot": lambda o: lap.multi_dot([o["a"], o["a"], o["b"]]),
    "expm": lambda o: lap.expm(o["h"]),
    "randomized_svd": lambda o: lap.randomized_svd(o["tall"], 2, random_state=0),
    "pca": lambda o: lap.pca(o["tall"], 2).transform(o["tall"]),
}


def parts(result):
    """The arrays of a result, in order."""
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("name", CALLS)
@types
def test_an_operation_gives_with_device_arrays_what_it_gives_with_numpys(name, dtype):
    if name == "dgemm_alpha" and np.dtype(dtype).kind == "c":
        with pytest.raises(TypeError, match="LAP-E004"):
            CALLS[name](operands(dtype))
        return
    host = operands(dtype)
    device = {key: lap.to_device(value) for key, value in host.items()}
    expected, result = CALLS[name](host), CALLS[name](device)
    assert type(result) is (lap.DeviceArray if type(expected) is np.ndarray else type(expected)), type(result)
    for got, right in zip(parts(result), parts(expected), strict=True):
        if isinstance(right, np.ndarray) and right.dtype.char in "fdFD":
            assert type(got) is lap.DeviceArray
            assert got.device == NAME
            assert got.dtype == right.dtype
            got = got.numpy()
        assert np.shape(got) == np.shape(right)
        if name in ("matmul", "dgemm_alpha"):
            within(np.max(np.abs(got - right)) / np.max(np.abs(right)), N, dtype, name)
        else:
            # The CPU computed both.
            np.testing.assert_array_equal(got, right)


def test_there_is_a_call_for_every_operation():
    other = {
        "calibrate",
        "config",
        "progress",
        "devices",
        "doctor",
        "explain_dispatch",
        "get_num_threads",
        "library_info",
    }
    other |= {
        "explain",
        "explain_info",
        "explain_iter",
        "monitor",
        "observe",
        "set_lapack",
        "set_num_threads",
        "to_device",
        "trim",
        "tune",
        "validate",
        "warning_counts",
        "linalg",
        "device",
    }
    public = {name for name in lap.__all__ if not inspect.isclass(getattr(lap, name))}
    assert public - other == set(CALLS)


def test_the_namespace_of_numpy_takes_device_arrays_too():
    a, b = well_conditioned(5, 5), matrix(5, seed=1)
    x, y = lap.to_device(a), lap.to_device(b)
    for got, right in (
        (lap.linalg.solve(x, y), lap.linalg.solve(a, b)),
        (lap.linalg.inv(x), lap.linalg.inv(a)),
        (lap.linalg.tensorsolve(x, y), lap.linalg.solve(a, b)),
        (lap.linalg.norm(x, 1), lap.linalg.norm(a, 1)),
    ):
        got = got.numpy() if isinstance(got, lap.DeviceArray) else got
        np.testing.assert_allclose(got, right, rtol=1e-12)
    # What is NumPy's own there does not take them.
    with pytest.raises(TypeError, match=r"use \.numpy\(\) to copy it"):
        lap.linalg.outer(y, y)


def test_what_a_result_has_beside_its_arrays_comes_along():
    a = matrix(9, 4)
    result, right = (lap.randomized_svd(x, 2, random_state=0) for x in (lap.to_device(a), a))
    assert type(result) is type(right)
    assert result.error_estimate == right.error_estimate
    fit = lap.pca(lap.to_device(a), 2)
    # The analysis itself stays at the host; what it makes of device arrays is on the device.
    assert type(fit.components) is np.ndarray
    back = fit.inverse_transform(fit.transform(lap.to_device(a)))
    assert type(back) is lap.DeviceArray


def test_an_operand_of_the_host_beside_one_of_the_device_is_taken():
    a, b = well_conditioned(5, 5), matrix(5, 2, seed=1)
    right = lap.solve(a, b)
    for left, other in ((lap.to_device(a), b), (a, lap.to_device(b)), (lap.to_device(a), b.tolist())):
        x = lap.solve(left, other)
        assert type(x) is lap.DeviceArray
        np.testing.assert_array_equal(x.numpy(), right)


def test_the_report_says_that_the_operands_came_from_the_device():
    x = lap.to_device(well_conditioned(5, 5))
    for call in (lap.inv, lap.svd, lap.qr):
        _, report = call(x, return_report=True)
        assert report.engine == "cpu"
        assert report.copies >= 1
        assert f"its operands were fetched from {NAME}" in report.reason
        assert report.bytes_copied >= 5 * 5 * 8
    _, report = lap.matmul(x, x, return_report=True)
    computed_there(report)


def test_nothing_is_written_into_a_device_array_that_may_be_overwritten():
    a = well_conditioned(5, 5)
    x = lap.to_device(a)
    lap.inv(x, overwrite_a=True)
    lap.solve(x, x, overwrite_a=True, overwrite_b=True)
    np.testing.assert_array_equal(x.numpy(), a)


def test_errors_name_the_element_as_for_numpys_arrays():
    a = matrix(6, 6)
    a[3, 2] = np.nan
    error = refuses(lambda: lap.svd(lap.to_device(a)), lap.NonFiniteError, "svd: a has NaN at row 3, column 2")
    assert error.location == (3, 2)
    singular = np.ones((3, 3))
    refuses(lambda: lap.solve(lap.to_device(singular), np.ones(3)), lap.SingularMatrixError, "a is singular")
    refuses(lambda: lap.cholesky(lap.to_device(-np.eye(2))), lap.NotPositiveDefiniteError, "diagonal element 0 is -1")
    refuses(lambda: lap.solve(lap.to_device(np.eye(2)), lap.to_device(np.ones(3))), lap.ShapeError, "b needs 2 rows")
    refuses(lambda: lap.svd(lap.to_device(np.ones(3))), lap.ShapeError, "a has 1 dimension")


def test_warnings_are_those_of_numpys_arrays():
    hilbert = 1 / (np.arange(13)[:, None] + np.arange(13) + 1)
    with pytest.warns(lap.IllConditionedWarning):
        lap.solve(lap.to_device(hilbert), np.ones(13))


def test_an_operation_without_kernel_says_so_whatever_was_asked_for():
    for call in (lambda **k: lap.qr(np.eye(3), **k), lambda **k: lap.qr(lap.to_device(np.eye(3)), **k)):
        with pytest.raises(lap.GpuUnavailableError) as caught:
            call(gpu="require")
        assert "a GPU is required, but this operation has no GPU kernel yet" in str(caught.value)
        assert caught.value.cause == f"the GPU in use is {NAME}"
        with pytest.warns(lap.GpuNotUsedWarning, match="this operation has no GPU kernel yet"):
            call(gpu=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call()
    assert status().breaker == "closed"
