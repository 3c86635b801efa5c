"""Norms and condition numbers.

Vector norms: ``||x||_p = (sum |x_i|^p)^(1/p)``, with the limits max and min of ``|x_i|`` for p = inf and -inf, and the
number of nonzeros for p = 0. Matrix norms: of column sums (1, -1) and row sums (inf, -inf), Frobenius, and of the
singular values: the largest (2), the smallest (-2), their sum (nuclear). Condition numbers: ``s_max / s_min`` for p = 2
and ``||A||_p ||inv(A)||_p`` else. N. J. Higham, Accuracy and Stability of Numerical Algorithms (2nd ed., SIAM 2002),
chapter 6. Names, defaults and results are those of ``numpy.linalg``, with two differences:

- Squares of large or small numbers leave the range of the type long before the norm does. Where that happens, the sum
  of squares is formed of scaled numbers, as LAPACK's xNRM2 does.
- NaN and Inf in a matrix are no failure of an iteration. A norm by singular values is NaN if the matrix has a NaN, else
  infinite if it has an Inf (the smallest singular value, which then is unknown, NaN).
"""

from __future__ import annotations

import functools
import math
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .. import _native
from .._convert import as_array
from .._errors import SingularMatrixError, composed, raised_here
from ._common import Array, Device, Gpu, answer, bad_option, honour_engine, matrices, require_square

_Order: TypeAlias = float | Literal["fro", "f", "nuc"] | None
_Axes: TypeAlias = int | tuple[int, ...] | None
_MATRIX_ORDERS = "None, 'fro', 'nuc', 1, -1, 2, -2, inf or -inf"


@composed("norm", "x")
def norm(
    x: Any,
    ord: _Order = None,
    axis: _Axes = None,
    keepdims: bool = False,
    *,
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Norm of a vector or a matrix, or of many along `axis`.

    Parameters
    ----------
    x : array_like
        Of any dimension if `ord` is None and `axis` is None (the 2-norm of all elements), else see `axis`.
    ord : None, number, "fro" or "nuc"
        Vectors: any number, inf and -inf. Matrices: 'fro' (as None), 'nuc', 1, -1, 2, -2, inf, -inf.
    axis : None, int or pair of int
        The axis of the vectors or the two axes of the matrices; None for x of one or two dimensions as a whole.
    keepdims : bool
        Keep the axes that were reduced, with length 1.
    gpu, device, return_report
        As in `svd`; used by the orders 2, -2 and 'nuc'. The report is None where no native call was needed.

    Returns
    -------
    A real number, or an array of them.

    Raises
    ------
    LapackError
        An order that does not exist for vectors or matrices. It is a ValueError.

    Notes
    -----
    NumPy's ``numpy.linalg.norm``; large and small numbers do not overflow. A NaN gives NaN.
    """
    array = _measurable(x, "norm")
    result, report = _norm(array, ord, axis, bool(keepdims), "norm", gpu, device)
    return answer(result, report, return_report)


@composed("matrix_norm", "x")
def matrix_norm(
    x: Any,
    /,
    *,
    keepdims: bool = False,
    ord: _Order = "fro",
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Norm of each matrix of x, shape (..., M, N).

    Parameters
    ----------
    x : array_like, shape (..., M, N)
        Real or complex matrices.
    keepdims : bool
        Keep the last two axes, with length 1.
    ord : None, "fro", "nuc", 1, -1, 2, -2, inf or -inf
        As in `norm`.
    gpu, device, return_report
        As in `norm`.

    Returns
    -------
    array of shape (...), or (..., 1, 1)

    Raises
    ------
    ShapeError, LapackError
        Fewer than two dimensions; an order that does not exist.
    """
    array = _measurable(x, "matrix_norm")
    if array.ndim < 2:
        matrices(array, "matrix_norm", "x")
    result, report = _norm(array, ord, (-2, -1), bool(keepdims), "matrix_norm", gpu, device)
    return answer(result, report, return_report)


@composed("vector_norm", "x")
def vector_norm(x: Any, /, *, axis: _Axes = None, keepdims: bool = False, ord: float = 2) -> Any:
    """Norm of x as one vector, or of the vectors along `axis`.

    Parameters
    ----------
    x : array_like
        Of any dimension.
    axis : None, int or tuple of int
        None: all elements are one vector; several axes: their elements are one vector.
    keepdims : bool
        Keep the axes that were reduced, with length 1.
    ord : number
        Any number, inf and -inf.

    Returns
    -------
    A real number, or an array of them.

    Raises
    ------
    LapackError
        An order that does not exist for vectors. It is a ValueError.
    """
    array = _measurable(x, "vector_norm")
    axes = normalize_axis_tuple(range(array.ndim) if axis is None else axis, array.ndim)
    rest = tuple(i for i in range(array.ndim) if i not in axes)
    length = math.prod(array.shape[i] for i in axes)
    flat = array.transpose(axes + rest).reshape(length, *(array.shape[i] for i in rest))
    result = _vector_norm(flat, ord, 0, False, "vector_norm")
    if keepdims:
        result = np.reshape(result, [1 if i in axes else size for i, size in enumerate(array.shape)])
    return result


# An estimate that a matrix is ill-conditioned would only repeat what is asked for.
@composed("cond", "x", silent=frozenset({"LAP-W001"}))
def cond(x: Any, p: _Order = None, *, gpu: Gpu = "auto", device: Device = None, return_report: bool = False) -> Any:
    """Condition number of each matrix in the norm `p`.

    Parameters
    ----------
    x : array_like, shape (..., M, N)
        Square if `p` is neither None, 2 nor -2.
    p : None, 1, -1, 2, -2, inf, -inf, "fro" or "nuc"
        None and 2: the quotient of the largest and the smallest singular value; -2: its reciprocal.
    gpu, device, return_report
        As in `svd`.

    Returns
    -------
    array of shape (...); inf for singular matrices, NaN for those with a NaN.

    Raises
    ------
    ShapeError, LapackError
        No matrix, an empty one, or one that must be square and is not; a norm that does not exist.

    Notes
    -----
    NumPy's ``numpy.linalg.cond``. For the other norms the inverse is formed in double precision.
    """
    a = matrices(x, "cond", "x")
    if a.shape[-2] * a.shape[-1] == 0:
        cause = "the condition number compares singular values, and an empty matrix has none"
        raise raised_here("LAP-E006", "cond", "x", "x is empty; its condition number is not defined", cause)
    if not _is_matrix_order(p):
        raise bad_option("cond", f"p={p!r} must be {_MATRIX_ORDERS}")
    report: _native.Report | None
    with np.errstate(all="ignore"):
        if p in (None, 2, -2):
            s, report = _singular_values(a, gpu, device)
            result = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            require_square(a, "cond", "x")
            inverse, report = _inverses(a, gpu, device)
            of_a, _ = _norm(a, p, (-2, -1), False, "cond", gpu, device)
            of_inverse, _ = _norm(inverse, p, (-2, -1), False, "cond", gpu, device)
            result = np.asarray(of_a * of_inverse, dtype=a.real.dtype)
    unknown = np.isnan(result) & ~np.isnan(a).any(axis=(-2, -1))
    result = np.where(unknown, np.inf, result).astype(a.real.dtype)[()]
    return answer(result, report, return_report)


def _measurable(x: Any, operation: str) -> Array:
    """`x` as an array; other than the native operations, norms without singular values exist for every number type."""
    if isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray) and x.dtype.char in "fdFDegGO":
        return np.asarray(x)
    return as_array(x, operation, "x")[0]


def _is_matrix_order(order: Any) -> bool:
    if order is None or np.ndim(order) > 0:
        return order is None
    return order in ("fro", "f", "nuc") if isinstance(order, str) else order in (1, -1, 2, -2, np.inf, -np.inf)


def _norm(
    x: Array, order: Any, axis: Any, keepdims: bool, operation: str, gpu: Gpu, device: Device
) -> tuple[Any, _native.Report | None]:
    """NumPy's `norm`, and the report if singular values were computed."""
    if axis is not None and not isinstance(axis, tuple):
        try:
            axis = (int(axis),)
        except Exception:
            raise TypeError(
                f"{operation}: axis must be None, an integer or a pair of integers, not {axis!r}."
            ) from None
    if axis is None:
        if order is None:
            honour_engine(gpu, device)
            result = _euclidean(x.reshape(-1), 0, False)
            return (result.reshape((1,) * x.ndim) if keepdims else result), None
        axis = tuple(range(x.ndim))
    if len(axis) == 1:
        honour_engine(gpu, device)
        return _vector_norm(x, order, axis[0], keepdims, operation), None
    if len(axis) != 2:
        what = f"x has {x.ndim} dimensions" if len(axis) == x.ndim else f"axis={axis}"
        fix = ("maybe", "name one axis for vectors or two for matrices.")
        raise bad_option(operation, f"{what}, but norms are of vectors (1) and matrices (2)", fix)
    axis = normalize_axis_tuple(axis, x.ndim)
    if not _is_matrix_order(order):
        raise bad_option(operation, f"ord={order!r} is no norm of matrices; use {_MATRIX_ORDERS}")
    if order in ("nuc", 2, -2):
        return _spectral(x, order, axis, keepdims, operation, gpu, device)
    honour_engine(gpu, device)
    if order in (None, "fro", "f"):
        return _euclidean(x, axis, keepdims), None
    # Of no columns (or rows) no sum is the smallest; of empty ones all sums are 0.
    if (order == -1 and x.shape[axis[1]] == 0) or (order == -np.inf and x.shape[axis[0]] == 0):
        raise _no_smallest(operation, order)
    return np.linalg.norm(x, order, axis, keepdims), None


def _vector_norm(x: Array, order: Any, axis: int, keepdims: bool, operation: str) -> Any:
    """NumPy's norm of vectors."""
    if order is not None and (isinstance(order, str) or np.ndim(order) > 0):
        raise bad_option(operation, f"ord={order!r} is no norm of vectors; use a number")
    if order is None or order == 2:
        return _euclidean(x, axis, keepdims)
    if order == -np.inf and x.shape[axis] == 0:
        raise _no_smallest(operation, order)
    with np.errstate(divide="ignore"):
        return np.linalg.norm(x, order, axis, keepdims)


def _no_smallest(operation: str, order: Any) -> Exception:
    cause = "the norm is the smallest of several numbers, and here there are none"
    return raised_here("LAP-E006", operation, "x", f"x is empty; its norm with ord={order} is not defined", cause)


def _euclidean(x: Array, axis: Any, keepdims: bool) -> Any:
    """Root of the sum of squares; of scaled numbers where the squares would leave the range of the type."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        result = np.linalg.norm(x, None, axis, keepdims)
    if x.dtype.kind not in "fc" or x.size == 0:
        return result
    doubtful = ~((result >= _smallest_safe(x.dtype.char)) & (result < np.inf))
    if not np.any(doubtful):
        return result
    with np.errstate(all="ignore"):
        size = np.abs(x).max(axis=axis, keepdims=True)
        usable = np.isfinite(size) & (size > 0)
        scale = np.where(usable, size, 1).astype(size.dtype)
        scaled = np.linalg.norm(x / scale, None, axis, True) * scale
        chosen = np.where(usable, scaled, np.where(np.isnan(size), np.nan, size))
    reduced = chosen.astype(result.dtype).reshape(np.shape(result))
    return np.where(doubtful, reduced, result).astype(result.dtype)[()]


@functools.cache
def _smallest_safe(char: str) -> Any:
    """The norm from which on squares that underflow are negligible."""
    limits = np.finfo(char)
    return np.sqrt(limits.tiny) / limits.eps


def _spectral(
    x: Array, order: Any, axes: tuple[int, ...], keepdims: bool, operation: str, gpu: Gpu, device: Device
) -> tuple[Any, _native.Report]:
    y = np.moveaxis(x, axes, (-2, -1))
    if order == -2 and min(y.shape[-2:]) == 0:
        raise _no_smallest(operation, order)
    s, report = _singular_values(y, gpu, device)
    result: Any
    if order == -2:
        result = np.min(s, axis=-1)
    else:
        result = np.max(s, axis=-1, initial=0) if order == 2 else np.sum(s, axis=-1)
        result = np.where(np.isinf(y).any(axis=(-2, -1)) & ~np.isnan(y).any(axis=(-2, -1)), np.inf, result)
    if keepdims:
        result = np.reshape(result, [1 if i in axes else size for i, size in enumerate(x.shape)])
    return np.asarray(result, dtype=s.dtype)[()], report


def _singular_values(a: Array, gpu: Gpu, device: Device) -> tuple[Array, _native.Report]:
    """Singular values; NaN for matrices with a NaN or Inf."""
    finite: Any = np.isfinite(a).all(axis=(-2, -1)) if a.dtype.kind in "fc" else np.True_
    if np.all(finite):
        return _native.svdvals(a, gpu=gpu, device=device, return_report=True)
    harmless = np.where(finite[..., None, None], a, a.dtype.type(0))
    s, report = _native.svdvals(harmless, gpu=gpu, device=device, return_report=True)
    s[~finite] = np.nan
    return s, report


def _inverses(a: Array, gpu: Gpu, device: Device) -> tuple[Array, _native.Report]:
    """Inverses in double precision; NaN for singular matrices and those with a NaN or Inf."""
    n = a.shape[-1]
    stack = a.reshape(-1, n, n).astype(np.result_type(a.dtype, np.float64))
    usable = np.isfinite(stack).all(axis=(-2, -1))
    stack[~usable] = np.eye(n)
    try:
        inverse, report = _native.inv(stack, gpu=gpu, device=device, return_report=True)
    except SingularMatrixError as error:
        usable[error.failed] = False
        stack[~usable] = np.eye(n)
        inverse, report = _native.inv(stack, gpu=gpu, device=device, return_report=True)
    inverse[~usable] = np.nan
    return inverse.reshape(a.shape), report
