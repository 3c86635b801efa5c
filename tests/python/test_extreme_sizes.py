"""Nothing at all, one row or column, and more than any memory holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import matrix, norm, refuses, run_python, same_shapes, within

import lapack_py as lap

pytestmark = pytest.mark.usefixtures("silent")

EMPTY_SHAPES = [(0, 0), (0, 3), (3, 0), (2, 0, 0), (0, 3, 3), (2, 0, 3), (0, 0, 0)]


@pytest.mark.parametrize("shape", EMPTY_SHAPES, ids=str)
def test_empty_matrices_and_batches_give_what_numpy_gives(shape):
    a = np.zeros(shape)
    columns = np.zeros((*shape[:-1], 2))
    for mode in ("reduced", "complete", "r", "raw"):
        same_shapes(lap.qr(a, mode), np.linalg.qr(a, mode))
    for full in (True, False):
        same_shapes(lap.svd(a, full_matrices=full), np.linalg.svd(a, full_matrices=full))
    same_shapes(lap.svdvals(a), np.linalg.svdvals(a))
    same_shapes(lap.matmul(np.swapaxes(a, -1, -2), a), np.matmul(np.swapaxes(a, -1, -2), a))
    np.testing.assert_array_equal(lap.matmul(a, np.swapaxes(a, -1, -2)), np.matmul(a, np.swapaxes(a, -1, -2)))
    if len(shape) == 2:
        same_shapes(lap.lstsq(a, columns), np.linalg.lstsq(a, columns))
    if shape[-1] == shape[-2]:
        same_shapes(lap.solve(a, columns), np.linalg.solve(a, columns))
        same_shapes(lap.cholesky(a), np.linalg.cholesky(a))


@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3), (0, 0, 0)], ids=str)
def test_eigenvalues_of_empty_matrices_and_batches_are_what_numpy_gives(shape):
    a = np.zeros(shape)
    same_shapes(lap.eigh(a), np.linalg.eigh(a))
    same_shapes(lap.eigvalsh(a), np.linalg.eigvalsh(a))
    same_shapes(lap.svd(a, hermitian=True), np.linalg.svd(a, hermitian=True))


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3)], ids=str)
def test_a_fit_without_right_hand_sides_still_has_rank_and_singular_values(shape):
    a, b = matrix(*shape), np.zeros((shape[0], 0))
    ours, theirs = lap.lstsq(a, b), np.linalg.lstsq(a, b)
    assert ours.x.shape == theirs[0].shape
    assert ours.residuals.shape == theirs[1].shape
    assert ours.rank == theirs[2]
    within(np.max(np.abs(ours.s - theirs[3])) / theirs[3][0], max(shape), "float64", "singular values")


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_one_row_and_one_column_are_matrices_too(shape, dtype):
    a = matrix(*shape, dtype=dtype)
    n, size = max(shape), norm(a)
    u, s, vh = lap.svd(a, full_matrices=False)
    within(norm(u * s @ vh - a) / size, n, dtype, "U S Vh - A")
    q, r = lap.qr(a)
    within(norm(q @ r - a) / size, n, dtype, "Q R - A")
    x = lap.lstsq(a, np.ones((shape[0], 1), dtype)).x
    reference = np.linalg.lstsq(a, np.ones((shape[0], 1), dtype))[0]
    within(norm(x - reference) / norm(reference), n, dtype, "least-squares solution")
    within(norm(lap.matmul(a, a.T) - a @ a.T) / size**2, n, dtype, "A A^T")


# More than any machine addresses, seen through a single number.
HUGE = np.broadcast_to(np.float64(1), (10**8, 10**8))
HUGE_VECTOR = np.broadcast_to(np.float64(1), (10**8,))
LARGE = np.broadcast_to(np.float64(1), (10**6, 10**6))
LARGE_VECTOR = np.broadcast_to(np.float64(1), (10**6,))
TALL = np.broadcast_to(np.float64(1), (3 * 10**9, 2))
MANY = np.broadcast_to(np.eye(2), (10**14, 2, 2))
TOO_LARGE: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "svd": lambda a, b: lap.svd(a),
    "svd, thin": lambda a, b: lap.svd(a, full_matrices=False),
    "svd, hermitian": lambda a, b: lap.svd(a, hermitian=True),
    "svdvals": lambda a, b: lap.svdvals(a),
    "solve": lambda a, b: lap.solve(a, b),
    "solve, pos": lambda a, b: lap.solve(a, b, assume_a="pos"),
    "solve, triangular": lambda a, b: lap.solve(a, b, assume_a="upper triangular"),
    "solve, many columns": lambda a, b: lap.solve(a, a),
    "lstsq": lambda a, b: lap.lstsq(a, b),
    "eigh": lambda a, b: lap.eigh(a),
    "eigvalsh": lambda a, b: lap.eigvalsh(a),
    "qr": lambda a, b: lap.qr(a),
    "qr, r": lambda a, b: lap.qr(a, mode="r"),
    "qr, complete": lambda a, b: lap.qr(a, mode="complete"),
    "cholesky": lambda a, b: lap.cholesky(a),
    "matmul": lambda a, b: lap.matmul(a, a),
    "matmul, vector": lambda a, b: lap.matmul(a, b),
    "matmul, integers": lambda a, b: lap.matmul(np.broadcast_to(1, a.shape), np.broadcast_to(1, a.shape)),
    "integers": lambda a, b: lap.svdvals(np.broadcast_to(1, a.shape)),
    "swapped bytes": lambda a, b: lap.svdvals(np.broadcast_to(np.array(1, ">f8"), a.shape)),
    "complex": lambda a, b: lap.svdvals(np.broadcast_to(np.complex64(1), a.shape)),
}


def refuses_quickly(call):
    started = time.perf_counter()
    refuses(call, lap.SizeError, "LAP-E03")
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_no_memory_holds_is_refused_at_once(name):
    refuses_quickly(lambda: TOO_LARGE[name](HUGE, HUGE_VECTOR))


def memory_is_promised_freely():
    setting = Path("/proc/sys/vm/overcommit_memory")
    return setting.exists() and setting.read_text().strip() == "1"


@pytest.mark.skipif(memory_is_promised_freely(), reason="this system promises memory that it does not have")
@pytest.mark.parametrize("name", TOO_LARGE)
def test_eight_terabytes_are_refused_at_once(name):
    refuses_quickly(lambda: TOO_LARGE[name](LARGE, LARGE_VECTOR))


# With 64-bit integers these are sizes like any other, and a machine with the memory for them would begin to compute.
only_32_bits = pytest.mark.skipif(
    lap.library_info()["integer_bits"] != 32, reason="this LAPACK counts with 64 bits, so there is nothing to refuse"
)


@only_32_bits
@pytest.mark.parametrize("full", [True, False])
def test_sizes_beyond_32_bits_are_refused_at_once(full):
    refuses_quickly(lambda: lap.svd(TALL, full_matrices=full))


@only_32_bits
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_workspaces_beyond_32_bits_are_refused_at_once(dtype):
    # The matrix itself is far from 2**31 in every extent, but not LAPACK's workspace of 3 n^2 elements and more.
    a = np.broadcast_to(np.ones((), dtype), (33_000, 33_000))
    refuses_quickly(lambda: lap.svd(a))
    refuses_quickly(lambda: lap.eigh(a))


def test_too_many_small_matrices_are_refused_at_once():
    refuses_quickly(lambda: lap.svdvals(MANY))
    refuses_quickly(lambda: lap.matmul(MANY, MANY))


@pytest.mark.skipif(memory_is_promised_freely(), reason="this system promises memory that it does not have")
def test_a_batch_too_long_to_count_its_ranks_is_refused_and_not_the_end_of_the_process():
    done = run_python("a = np.empty((10**12, 3, 0)); lap.lstsq(a, a)")
    assert "SizeError" in done.stderr, (done.returncode, done.stderr)
