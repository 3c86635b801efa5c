"""Products of several matrices, and systems with tensors.

- Powers by repeated squaring: ``A^n`` is the product of those ``A^(2^k)`` whose bit is set in n. Negative powers are
  powers of the inverse. D. E. Knuth, The Art of Computer Programming 2 (3rd ed.), section 4.6.3.
- The cheapest order of a chain of products by dynamic programming over all its parts. T. H. Cormen, C. E. Leiserson,
  R. L. Rivest, C. Stein, Introduction to Algorithms (3rd ed.), section 15.2.
- A tensor equation ``sum_J a[I, J] x[J] = b[I]`` is a system of equations once the axes I and the axes J are each laid
  out as one.

Names, defaults and results are those of ``numpy.linalg``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .. import _native
from .._convert import as_array
from .._errors import composed
from ._common import (
    Array,
    Device,
    Gpu,
    answer,
    bad_option,
    bad_shape,
    honour_engine,
    matrices,
    require_square,
    whole_number,
)


@composed("matrix_power", "a")
def matrix_power(a: Any, n: int, *, gpu: Gpu = "auto", device: Device = None, return_report: bool = False) -> Any:
    """Integer power of each matrix.

    Parameters
    ----------
    a : array_like, shape (..., M, M)
        Integers stay integers if n is not negative. NaN and Inf are refused only if n is negative.
    n : int
        The exponent: 0 gives the identity, -1 the inverse.
    gpu, device, return_report
        As in `matmul`. The report is of the last product, or of the inversion; None where neither was needed.

    Returns
    -------
    array of shape (..., M, M)

    Raises
    ------
    ShapeError, SingularMatrixError, TypeError
        Not square; n is negative and a matrix singular; n is no integer.

    Notes
    -----
    NumPy's ``numpy.linalg.matrix_power``; at most ``2 log2(n)`` products.
    """
    power = matrices(a, "matrix_power", "a")
    require_square(power, "matrix_power", "a")
    n = whole_number(n, "matrix_power", "n")
    given = np.asarray(a)
    if n >= 0 and given.dtype.kind in "iub":
        power = given
    report: _native.Report | None = None
    if n == 0:
        honour_engine(gpu, device)
        identity = np.eye(power.shape[-1], dtype=power.dtype)
        return answer(np.broadcast_to(identity, power.shape).copy(), None, return_report)
    if n < 0:
        power, report = _native.inv(power, gpu=gpu, device=device, return_report=True)
        n = -n
    elif n == 1:
        honour_engine(gpu, device)
        power = power.copy()
    result: Any = None
    while True:
        n, bit = divmod(n, 2)
        if bit and result is None:
            result = power
        elif bit:
            result, report = _native.matmul(result, power, gpu=gpu, device=device, return_report=True)
        if n == 0:
            return answer(result, report, return_report)
        power, report = _native.matmul(power, power, gpu=gpu, device=device, return_report=True)


@composed("multi_dot")
def multi_dot(
    arrays: Sequence[Any],
    *,
    out: Array | None = None,
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Product of two or more matrices, in the order that needs the fewest operations.

    Parameters
    ----------
    arrays : sequence of array_like
        Matrices that fit together. The first may be one-dimensional (a row), the last too (a column).
    out : None or array
        Where to put the result: its shape, its type, C order.
    gpu, device, return_report
        As in `matmul`; the report is of the last product.

    Returns
    -------
    array; one-dimensional if one end was a vector, a number if both were.

    Raises
    ------
    ShapeError, DTypeError, LapackError
        Shapes that do not fit, with the number of the array; fewer than two arrays.

    Notes
    -----
    NumPy's ``numpy.linalg.multi_dot``.
    """
    count = len(arrays)
    if count < 2:
        raise bad_option("multi_dot", f"arrays has {count} of them; at least 2 are needed")
    chain = [_factor(array, i) for i, array in enumerate(arrays)]
    row, column = chain[0].ndim == 1, chain[-1].ndim == 1
    for i, array in enumerate(chain):
        vector_allowed = array.ndim == 1 and i in (0, count - 1)
        if array.ndim != 2 and not vector_allowed:
            allowed = "a vector or a matrix" if i in (0, count - 1) else "a matrix"
            raise bad_shape("multi_dot", "arrays", f"array {i} has {array.ndim} dimensions, but must be {allowed}")
    if row:
        chain[0] = chain[0][None, :]
    if column:
        chain[-1] = chain[-1][:, None]
    sizes = [array.shape[0] for array in chain] + [chain[-1].shape[1]]
    for i, array in enumerate(chain[:-1]):
        if array.shape[1] != sizes[i + 1]:
            text = f"array {i} has {array.shape[1]} columns, so array {i + 1} needs as many rows, not {sizes[i + 1]}"
            raise bad_shape("multi_dot", "arrays", text)
    splits = _cheapest_splits(sizes)
    reports: list[_native.Report] = []

    def multiply(first: int, last: int) -> Array:
        if first == last:
            return chain[first]
        middle = splits[first][last]
        left, right = multiply(first, middle), multiply(middle + 1, last)
        result, report = _native.matmul(left, right, gpu=gpu, device=device, return_report=True)
        reports.append(report)
        return np.asarray(result)

    result: Any = multiply(0, count - 1)
    if row and column:
        result = result[0, 0]
    elif row or column:
        result = result.ravel()
    if out is not None:
        if not isinstance(out, np.ndarray) or (out.shape, out.dtype) != (np.shape(result), result.dtype):
            text = f"out must be an array of shape {np.shape(result)} and dtype {result.dtype}"
            raise bad_shape("multi_dot", "out", text)
        out[...] = result
        result = out
    return answer(result, reports[-1] if reports else None, return_report)


def _factor(value: Any, number: int) -> Array:
    """One factor; integers are kept, since their products are exact."""
    array = as_array(value, "multi_dot", f"array {number}")[0]
    given = np.asarray(value)
    return given if given.dtype.kind in "iub" else array


def _cheapest_splits(sizes: list[int]) -> list[list[int]]:
    """For each part of a chain of matrices, sizes[i] x sizes[i + 1], after which matrix to split it."""
    count = len(sizes) - 1
    cost = [[0.0] * count for _ in range(count)]
    splits = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for first in range(count - length):
            last = first + length
            cost[first][last] = math.inf
            for middle in range(first, last):
                product = sizes[first] * sizes[middle + 1] * sizes[last + 1]
                total = cost[first][middle] + cost[middle + 1][last] + product
                if total < cost[first][last]:
                    cost[first][last], splits[first][last] = total, middle
    return splits


@composed("tensorsolve", "a")
def tensorsolve(
    a: Any,
    b: Any,
    axes: Sequence[int] | None = None,
    *,
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Solution x of ``tensordot(a, x, axes=x.ndim) = b``.

    Parameters
    ----------
    a : array_like, shape b.shape + x.shape
        As many elements in the axes of b as in those of x.
    b : array_like
        The right-hand side.
    axes : None or sequence of int
        Axes of a that are moved to its end first.
    gpu, device, return_report
        As in `solve`.

    Returns
    -------
    x

    Raises
    ------
    ShapeError, SingularMatrixError
        Both are numpy.linalg.LinAlgError.

    Notes
    -----
    NumPy's ``numpy.linalg.tensorsolve``. LAPACK xGETRF, as `solve`.
    """
    tensor, right = as_array(a, "tensorsolve", "a")[0], as_array(b, "tensorsolve", "b")[0]
    if axes is not None:
        moved = normalize_axis_tuple(axes, tensor.ndim)
        tensor = tensor.transpose([i for i in range(tensor.ndim) if i not in moved] + list(moved))
    shape = tensor.shape[right.ndim :]
    size = math.prod(shape)
    if math.prod(tensor.shape) != size**2 or right.size != size:
        text = f"a of shape {tensor.shape} and b of shape {right.shape} are no square system of equations"
        raise bad_shape("tensorsolve", "a", text)
    x, report = _native.solve(tensor.reshape(size, size), right.reshape(-1), gpu=gpu, device=device, return_report=True)
    return answer(x.reshape(shape), report, return_report)


@composed("tensorinv", "a")
def tensorinv(a: Any, ind: int = 2, *, gpu: Gpu = "auto", device: Device = None, return_report: bool = False) -> Any:
    """Inverse of a tensor: ``tensordot(tensorinv(a, ind), b, ind)`` is ``tensorsolve(a, b)``.

    Parameters
    ----------
    a : array_like
        As many elements in the first `ind` axes as in the others.
    ind : int
        How many of the first axes are those of the right-hand side; positive.
    gpu, device, return_report
        As in `inv`.

    Returns
    -------
    array of shape ``a.shape[ind:] + a.shape[:ind]``

    Raises
    ------
    ShapeError, SingularMatrixError, LapackError
        All are numpy.linalg.LinAlgError.

    Notes
    -----
    NumPy's ``numpy.linalg.tensorinv``. LAPACK xGETRF, as `inv`.
    """
    tensor = as_array(a, "tensorinv", "a")[0]
    ind = whole_number(ind, "tensorinv", "ind")
    if ind <= 0:
        raise bad_option("tensorinv", f"ind={ind} must be positive")
    rows, columns = math.prod(tensor.shape[:ind]), math.prod(tensor.shape[ind:])
    if rows != columns:
        text = f"a must have as many elements in its first {ind} axes as in the others, not {rows} and {columns}"
        raise bad_shape("tensorinv", "a", text)
    inverse, report = _native.inv(tensor.reshape(rows, rows), gpu=gpu, device=device, return_report=True)
    return answer(inverse.reshape(tensor.shape[ind:] + tensor.shape[:ind]), report, return_report)
