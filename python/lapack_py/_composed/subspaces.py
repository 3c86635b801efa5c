"""What follows from one singular value decomposition ``A = U diag(s) V^H``: inverse, rank, subspaces, polar form.

- Moore-Penrose inverse: ``V diag(1/s) U^H``, with 1/s replaced by 0 where s is negligible.
- Rank: the number of singular values that are not negligible.
- Range and null space: the columns of U and of V that belong to singular values that are not, and that are, negligible.
- Polar form ``A = W P`` (right) or ``A = P W`` (left): ``W = U V^H``, ``P = V diag(s) V^H`` or ``U diag(s) U^H``.

Negligible is what is at most ``rcond * s_max``; by default ``max(M, N) eps s_max``, the size of the rounding errors of
the decomposition. G. H. Golub, C. F. Van Loan, Matrix Computations (4th ed., 2013), sections 2.4, 5.5 and 9.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _native
from .._convert import as_array
from .._errors import composed, warned_here
from .._results import PolarResult
from ._common import Array, Device, Gpu, adjoint, answer, bad_option, bad_shape, honour_engine, matrices, product


@composed("pinv", "a")
def pinv(
    a: Any,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    rtol: Any = np._NoValue,
    check_finite: bool = True,
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Moore-Penrose inverse of each matrix.

    Parameters
    ----------
    a : array_like, shape (..., M, N)
        Real or complex matrices; NaN and Inf are refused with their place.
    rcond : None, number or array_like of shape (...)
        Singular values of at most rcond times the largest count as 0; an array has one number a matrix. Default 1e-15,
        as in NumPy.
    hermitian : bool
        Treat a as Hermitian (only its lower triangle is read) and go through `eigh`.
    rtol : None, number or array_like of shape (...)
        The same under the name of the Array API; here None means ``max(M, N) * eps``. Give rcond or rtol, not both.
    check_finite, gpu, device, return_report
        As in `svd`.

    Returns
    -------
    array of shape (..., N, M)

    Raises
    ------
    NonFiniteError, ShapeError, ConvergenceError, LapackError
        All are numpy.linalg.LinAlgError.

    Notes
    -----
    NumPy's ``numpy.linalg.pinv``. LAPACK xGESDD, or xSYEVD if `hermitian`.
    """
    array = matrices(a, "pinv", "a")
    if rcond is not None and rtol is not np._NoValue:
        raise bad_option("pinv", "rcond and rtol are two names of one bound; give one of them")
    bound = 1e-15 if rcond is None and rtol is np._NoValue else rtol if rcond is None else rcond
    if bound is None:
        bound = max(array.shape[-2:]) * np.finfo(array.dtype).eps
    bounds = _bounds(bound, array, "pinv", "rtol" if rcond is None else "rcond", enlarge=False)
    (u, s, vh), report = _native.svd(
        array, False, True, hermitian, check_finite=check_finite, gpu=gpu, device=device, return_report=True
    )
    cutoff = bounds * np.max(s, axis=-1, keepdims=True, initial=0)
    large = s > cutoff
    inverse = np.divide(1, s, where=large, out=np.zeros_like(s))
    result = product(adjoint(vh) * inverse[..., None, :], adjoint(u), gpu, device)
    return answer(result, report, return_report)


def _bounds(value: Any, array: Array, operation: str, name: str, enlarge: bool) -> Array:
    """Bounds for the matrices, with an axis for singular values; `enlarge` if they may be more than the matrices."""
    try:
        bounds = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise bad_option(
            operation, f"{name}={value!r} must be a number, or an array with one number a matrix"
        ) from None
    batch = array.shape[:-2]
    try:
        fits = enlarge or np.broadcast_shapes(bounds.shape, batch) == batch
        np.broadcast_shapes(bounds.shape, batch)
    except ValueError:
        fits = False
    if not fits:
        text = f"the bound has shape {bounds.shape}, but the matrices have the leading dimensions {batch}"
        raise bad_shape(operation, None, text, ("maybe", "give one number, or one a matrix."))
    return bounds[..., None]


@composed("matrix_rank", "A")
def matrix_rank(
    A: Any,
    tol: Any = None,
    hermitian: bool = False,
    *,
    rtol: Any = None,
    check_finite: bool = True,
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Rank of each matrix: how many singular values are not negligible.

    Parameters
    ----------
    A : array_like, shape (..., M, N), or a vector or number
        NaN and Inf are refused with their place. A vector or number has rank 0 if it is zero, else 1.
    tol : None, number or array_like of shape (...)
        Singular values of at most tol count as 0.
    hermitian : bool
        Treat A as Hermitian (only its lower triangle is read) and go through `eigvalsh`.
    rtol : None, number or array_like of shape (...)
        The bound in units of the largest singular value; default ``max(M, N) * eps``. Give tol or rtol, not both.
    check_finite, gpu, device, return_report
        As in `svd`; the report is None for vectors and numbers.

    Returns
    -------
    int or array of int, shape (...)

    Raises
    ------
    NonFiniteError, ConvergenceError, LapackError
        All are numpy.linalg.LinAlgError.

    Notes
    -----
    NumPy's ``numpy.linalg.matrix_rank``. LAPACK xGESDD, or xSYEVD if `hermitian`.
    """
    if tol is not None and rtol is not None:
        raise bad_option("matrix_rank", "tol and rtol cannot both be given")
    array, _ = as_array(A, "matrix_rank", "A")
    if array.ndim < 2:
        honour_engine(gpu, device)
        return answer(int(bool(np.any(array != 0))), None, return_report)
    default = max(array.shape[-2:]) * np.finfo(array.dtype).eps
    name, value = ("tol", tol) if tol is not None else ("rtol", default if rtol is None else rtol)
    cutoff = _bounds(value, array, "matrix_rank", name, enlarge=True)
    s, report = _native.svd(
        array, False, False, hermitian, check_finite=check_finite, gpu=gpu, device=device, return_report=True
    )
    if tol is None:
        cutoff = cutoff * np.max(s, axis=-1, keepdims=True, initial=0)
    if tol is None and rtol is None:
        _doubt_rank(s, cutoff)
    return answer(np.count_nonzero(s > cutoff, axis=-1), report, return_report)


def _doubt_rank(s: Array, cutoff: Array) -> None:
    """Warns where a singular value lies around the default tolerance, so that a little noise changes the rank.

    Below the tolerance the doubt ends sooner, since the tolerance is itself a bound of the rounding errors.
    """
    s, cutoff = np.broadcast_arrays(s, cutoff)
    largest = np.max(s, axis=-1, keepdims=True, initial=0)
    doubtful: Any = (s > cutoff / 2) & (s < 10 * cutoff) & (cutoff < largest)
    if not doubtful.any():
        return
    *matrix, _ = np.argwhere(doubtful)[0]
    values = s[tuple(matrix)] / s[(*matrix, 0)]
    bound = float(cutoff[(*matrix, 0)] / s[(*matrix, 0)])
    inside = np.flatnonzero(doubtful[tuple(matrix)])
    number = int(inside[np.argmin(np.abs(np.log(values[inside] / bound)))])
    value = float(values[number])
    text = f"rank {np.count_nonzero(values > bound)} of {len(values)} is uncertain"
    cause = f"singular value {number} is {value:.2g}, beside the tolerance {bound:.2g}"
    fix = ("needs-value", f"decide it: rtol={value / 3:.1g} counts {value:.1g}, rtol={value * 3:.1g} drops it.")
    warned_here("LAP-W006", "matrix_rank", "A", text, cause, fix)


@composed("null_space", "A")
def null_space(
    A: Any,
    rcond: float | None = None,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: Any = "gesdd",
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Orthonormal basis of the vectors that A maps to 0.

    Parameters
    ----------
    A : array_like, shape (..., M, N)
        Real or complex matrices; NaN and Inf are refused with their place. The matrices of a stack must have one rank.
    rcond : None or number
        Singular values of at most rcond times the largest count as 0; default ``max(M, N) * eps``.
    overwrite_a : bool
        Allow A's memory to be used as workspace.
    lapack_driver : None or "gesdd"
        Accepted for SciPy's sake, as in `svd`.
    check_finite, gpu, device, return_report
        As in `svd`.

    Returns
    -------
    array of shape (..., N, N - rank)

    Raises
    ------
    NonFiniteError, ShapeError, ConvergenceError, LapackError
        All are numpy.linalg.LinAlgError.

    Notes
    -----
    SciPy's ``scipy.linalg.null_space``. LAPACK xGESDD.
    """
    array = matrices(A, "null_space", "A")
    (_, s, vh), report = _native.svd(
        array,
        overwrite_a=overwrite_a,
        check_finite=check_finite,
        lapack_driver=lapack_driver,
        gpu=gpu,
        device=device,
        return_report=True,
    )
    rank = _one_rank(s, array.shape, rcond, "null_space")
    return answer(adjoint(vh[..., rank:, :]), report, return_report)


@composed("orth", "A")
def orth(
    A: Any,
    rcond: float | None = None,
    *,
    check_finite: bool = True,
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Orthonormal basis of the range of A.

    Parameters
    ----------
    A : array_like, shape (..., M, N)
        Real or complex matrices; NaN and Inf are refused with their place. The matrices of a stack must have one rank.
    rcond : None or number
        Singular values of at most rcond times the largest count as 0; default ``max(M, N) * eps``.
    check_finite, gpu, device, return_report
        As in `svd`.

    Returns
    -------
    array of shape (..., M, rank)

    Raises
    ------
    NonFiniteError, ShapeError, ConvergenceError, LapackError
        All are numpy.linalg.LinAlgError.

    Notes
    -----
    SciPy's ``scipy.linalg.orth``. LAPACK xGESDD.
    """
    array = matrices(A, "orth", "A")
    (u, s, _), report = _native.svd(array, False, check_finite=check_finite, gpu=gpu, device=device, return_report=True)
    rank = _one_rank(s, array.shape, rcond, "orth")
    return answer(u[..., :rank], report, return_report)


def _one_rank(s: Array, shape: tuple[int, ...], rcond: float | None, operation: str) -> int:
    """The rank of all matrices of a stack; bases of different sizes do not fit into one array."""
    if rcond is None:
        rcond = float(np.finfo(s.dtype).eps) * max(shape[-2:])
    elif not isinstance(rcond, (int, float, np.number)):
        raise bad_option(operation, f"rcond={rcond!r} must be None or a number")
    cutoff = np.max(s, axis=-1, keepdims=True, initial=0) * rcond
    ranks = np.count_nonzero(s > cutoff, axis=-1)
    smallest, largest = (int(np.min(ranks)), int(np.max(ranks))) if np.size(ranks) else (0, 0)
    if smallest != largest:
        fix = ("maybe", f"call {operation} for one matrix at a time, or give rcond.")
        text = f"the matrices of the stack have ranks from {smallest} to {largest}, so their bases differ in size"
        raise bad_shape(operation, "A", text, fix)
    return largest


@composed("polar", "a")
def polar(
    a: Any,
    side: str = "right",
    *,
    check_finite: bool = True,
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Polar decomposition ``a = u @ p`` (right) or ``a = p @ u`` (left), u with orthonormal rows or columns, p >= 0.

    Parameters
    ----------
    a : array_like, shape (..., M, N)
        Real or complex matrices; NaN and Inf are refused with their place.
    side : "right" or "left"
        On which side of u the positive semidefinite factor stands.
    check_finite, gpu, device, return_report
        As in `svd`.

    Returns
    -------
    PolarResult(u, p): u (..., M, N); p (..., N, N) for "right", (..., M, M) for "left".

    Raises
    ------
    NonFiniteError, ShapeError, ConvergenceError, LapackError
        All are numpy.linalg.LinAlgError.

    Notes
    -----
    SciPy's ``scipy.linalg.polar``. LAPACK xGESDD.
    """
    if side not in ("right", "left"):
        raise bad_option("polar", f"side={side!r} must be 'right' or 'left'")
    array = matrices(a, "polar", "a")
    (w, s, vh), report = _native.svd(
        array, False, check_finite=check_finite, gpu=gpu, device=device, return_report=True
    )
    u = product(w, vh, gpu, device)
    if side == "right":
        p = product(adjoint(vh) * s[..., None, :], vh, gpu, device)
    else:
        p = product(w * s[..., None, :], adjoint(w), gpu, device)
    return answer(PolarResult(u, p), report, return_report)
