"""What is not already a readable float or complex array: converted as NumPy would, or refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import raised_here
from ._results import SVDResult

_COMPUTED = frozenset("fdFD")
_EXACT = frozenset("?bhilqBHILQ")


def _refuse_type(operation: str, name: str, what: str, fix: tuple[str, str]) -> Exception:
    cause = "LAPACK computes in float32, float64, complex64 and complex128 only"
    return raised_here("LAP-E004", operation, name, f"{name} {what}", cause, fix)


def as_array(value: Any, operation: str, name: str) -> tuple[NDArray[Any], int]:
    """`value` as an aligned, native array of one of the four types, and how many bytes were copied to get there."""
    if value is None:
        raise _refuse_type(operation, name, "is None", ("needs-value", "pass an array."))
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        masked = int(np.ma.getmaskarray(value).sum())
        fix = ("needs-value", f"fill them first: {name}.filled(value).")
        raise _refuse_type(operation, name, f"has {masked} masked entries", fix)
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise _refuse_type(operation, name, "is a sparse matrix", ("safe", f"pass {name}.toarray()."))
    try:
        array = np.asarray(value)
    except ValueError as error:
        cause = "rows of a list must all have the same length"
        fix = ("needs-value", "make all rows equally long.")
        raise raised_here("LAP-E006", operation, name, f"{name} is ragged", cause, fix) from error
    char = array.dtype.char
    if char in _EXACT:
        array = array.astype(np.float64)
    elif char not in _COMPUTED:
        raise _refuse_type(operation, name, f"has dtype {array.dtype}", _type_fix(array, name))
    array = np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["A"])
    if any(stride % array.itemsize for stride in array.strides):
        array = array.copy()
    array = np.asarray(array)
    shared = isinstance(value, np.ndarray) and np.may_share_memory(value, array)
    return array, 0 if shared else array.nbytes


def _type_fix(array: NDArray[Any], name: str) -> tuple[str, str]:
    """How to bring an array of a refused type to one that LAPACK has."""
    if array.dtype.kind == "O":
        return ("maybe", f"convert it, if it holds numbers: {name}.astype('float64').")
    if array.dtype.kind in "US":
        return ("maybe", f"convert text to numbers: numpy.asarray({name}).astype('float64').")
    if array.dtype.char == "e":
        return ("safe", f"convert it: {name}.astype('float32').")
    if array.dtype.char in "gG":
        return ("maybe", f"convert it, losing digits: {name}.astype('{'complex128' if array.dtype.char == 'G' else 'float64'}').")
    return ("needs-value", "pass numbers.")


def exact_product(x1: Any, x2: Any) -> Any:
    """NumPy's product if both operands are integers or booleans, else None."""
    a, b = np.asarray(x1), np.asarray(x2)
    return np.matmul(a, b) if a.dtype.char in _EXACT and b.dtype.char in _EXACT else None


def svd_hermitian(a: Any, compute_uv: bool, gpu: Any, device: Any, check_finite: bool, return_report: bool) -> Any:
    """The SVD of a Hermitian matrix from its eigendecomposition: ``|w|`` sorted, signs moved into Vh."""
    from . import _native

    keywords = {"gpu": gpu, "device": device, "check_finite": check_finite, "return_report": True}
    if not compute_uv:
        w, report = _native.eigvalsh(a, **keywords)
        values = np.sort(np.abs(w), axis=-1)[..., ::-1]
        return (values, report) if return_report else values
    (w, v), report = _native.eigh(a, **keywords)
    order = np.argsort(np.abs(w), axis=-1)[..., ::-1]
    w = np.take_along_axis(w, order, axis=-1)
    u = np.take_along_axis(v, order[..., None, :], axis=-1)
    signs = np.where(w < 0, -1, 1).astype(w.dtype)
    vh = np.conj(np.swapaxes(u * signs[..., None, :], -1, -2))
    result = SVDResult(u, np.abs(w), vh)
    return (result, report) if return_report else result
