"""What is not already a readable float or complex array: converted as NumPy would, or refused in words."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import LapackError, raised_here
from ._interchange import given_array
from ._results import SVDResult

_COMPUTED = frozenset("fdFD")
_EXACT = frozenset("?bhilqBHILQ")


def _refuse_type(operation: str, name: str, what: str, fix: tuple[str, str]) -> LapackError:
    cause = "LAPACK computes in float32, float64, complex64 and complex128 only"
    return raised_here("LAP-E004", operation, name, f"{name} {what}", cause, fix)


def _no_memory(operation: str, name: str | None, text: str) -> Exception:
    cause = "the system did not give the memory that the call needs"
    return raised_here("LAP-E033", operation, name, text, cause, ("maybe", "free memory or use smaller inputs."))


def as_array(value: Any, operation: str, name: str) -> tuple[NDArray[Any], int]:
    """`value` as an aligned, native array of one of the four types, and how many bytes were copied to get there."""
    if value is None:
        raise _refuse_type(operation, name, "is None", ("needs-value", "pass an array."))
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        masked = int(np.ma.getmaskarray(value).sum())
        fix = ("needs-value", f"fill what is masked first: {name}.filled(value).")
        raise _refuse_type(operation, name, f"has {masked} masked entr{'y' if masked == 1 else 'ies'}", fix)
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise _refuse_type(operation, name, "is a sparse matrix", ("safe", f"pass {name}.toarray()."))
    try:
        given = given_array(value, operation, name)
        array = _readable(given, operation, name)
    except (LapackError, Warning):
        raise
    except MemoryError as error:
        raise _no_memory(operation, name, f"{name} cannot be converted: {error}") from error
    except Exception as error:
        raise _unreadable(value, operation, name, error) from error
    # NumPy owns what it copied from a list; a buffer that was only wrapped stays with its owner.
    wrapped = isinstance(value, np.ndarray) or not given.flags.owndata
    return array, 0 if wrapped and np.may_share_memory(given, array) else array.nbytes


def as_pivots(value: Any, operation: str) -> NDArray[np.int32]:
    """Row interchanges as contiguous int32; what int32 cannot hold stays outside every matrix."""
    try:
        array = np.asarray(value)
    except Exception as error:
        raise _unreadable(value, operation, "piv", error) from error
    if array.size and array.dtype.kind not in "iu":
        raise raised_here(
            "LAP-E004",
            operation,
            "piv",
            f"piv has dtype {array.dtype}",
            "row interchanges are integers",
            ("needs-value", "pass piv as lu_factor returned it."),
        )
    return np.ascontiguousarray(np.clip(array, -1, np.iinfo(np.int32).max), dtype=np.int32)


def _readable(array: NDArray[Any], operation: str, name: str) -> NDArray[Any]:
    """`array` itself if LAPACK can read it as it lies, else a copy that it can."""
    char = array.dtype.char
    if char in _EXACT:
        array = array.astype(np.float64)
    elif char == "O" and array.ndim == 0:
        fix = ("needs-value", "pass a numpy.ndarray.")
        raise _refuse_type(operation, name, f"is of type {type(array.item()).__name__}, not an array", fix)
    elif char == "O":
        raise _refuse_objects(array, operation, name)
    elif array.dtype.names:
        fields = ", ".join(array.dtype.names)
        fix = ("maybe", f"use numpy.lib.recfunctions.structured_to_unstructured({name}).")
        raise _refuse_type(operation, name, f"has a structured dtype with the fields {fields}", fix)
    elif char not in _COMPUTED:
        array = _converted_by_autofix(array, operation, name)
    array = np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["A"])
    if any(stride % array.itemsize for stride in array.strides):
        array = array.copy()
    return np.asarray(array)


def _refuse_objects(array: NDArray[Any], operation: str, name: str) -> LapackError:
    """The error for an array of Python objects, with the first one that is no number, which made it so."""
    for place in np.ndindex(array.shape):
        item = array[place]
        if not isinstance(item, numbers.Number):
            shown = repr(item) if item is None or isinstance(item, str) else f"an object of type {type(item).__name__}"
            at = f"row {place[-2]}, column {place[-1]}" if len(place) >= 2 else f"index {place[0]}"
            fix = ("needs-value", "fill in a number there, or drop the row.")
            return _refuse_type(operation, name, f"has dtype object: {shown} at {at}", fix)
    fix = ("maybe", f"convert it, if it holds numbers: numpy.asarray({name}, dtype='float64').")
    return _refuse_type(operation, name, "has dtype object", fix)


def _converted_by_autofix(array: NDArray[Any], operation: str, name: str) -> NDArray[Any]:
    """`array` in a type that LAPACK has, where the caller asked for safe fixes and this is one; else the error."""
    from . import _native
    from ._errors import warn

    how, what = _type_fix(array, name)
    error = _refuse_type(operation, name, f"has dtype {array.dtype}", (how, what))
    if how != "safe" or not _native.is_autofixing():
        raise error
    text = f"{operation}: {name} was converted from {array.dtype} to float32."
    warn(
        error.to_dict()
        | {"code": "LAP-I001", "severity": "information", "message": f"{text} [LAP-I001]", "summary": text}
        | {"fixes": [], "long_report": f"LAP-I001: {text}"}
    )
    return array.astype(np.float32)


def _unreadable(value: Any, operation: str, name: str, error: Exception) -> Exception:
    """The error for what NumPy makes no array of, from NumPy's own."""
    said = (str(error).splitlines() or [""])[0].rstrip(".")
    if isinstance(value, (list, tuple)) and isinstance(error, ValueError):
        if "inhomogeneous" in said:
            cause = "rows of a list must all have the same length"
            fix = ("needs-value", "make all rows equally long.")
            return raised_here("LAP-E006", operation, name, f"{name} is ragged", cause, fix)
        if "maximum number of dimension" in said:
            cause = "NumPy's arrays have at most 64 dimensions"
            fix = ("needs-value", "nest lists less deeply.")
            return raised_here("LAP-E006", operation, name, f"{name} has too many dimensions", cause, fix)
    fix = ("needs-value", "pass a numpy.ndarray.")
    if "bfloat16" in str(getattr(value, "dtype", "")):
        fix = ("safe", f"convert it: {name}.float().")
    what = f"of type {type(value).__name__} cannot be read as an array ({type(error).__name__}: {said})"
    return _refuse_type(operation, name, what, fix)


def _type_fix(array: NDArray[Any], name: str) -> tuple[str, str]:
    """How to bring an array of a refused type to one that LAPACK has."""
    if array.dtype.kind == "M":
        return ("maybe", f"convert dates to days: ({name} - {name}.min()) / numpy.timedelta64(1, 'D').")
    if array.dtype.kind == "m":
        return ("maybe", f"convert spans to days: {name} / numpy.timedelta64(1, 'D').")
    if array.dtype.kind in "UST":
        return ("maybe", f"convert text to numbers: numpy.asarray({name}).astype('float64').")
    # The narrow types of the package ml_dtypes (bfloat16, float8_e4m3, ...) are foreign ones to NumPy.
    if array.dtype.char == "e" or array.dtype.name.startswith(("bfloat", "float8", "float6", "float4")):
        return ("safe", f"convert it: {name}.astype('float32').")
    if array.dtype.char in "gG":
        target = "complex128" if array.dtype.char == "G" else "float64"
        return ("maybe", f"convert it, losing digits: {name}.astype('{target}').")
    return ("needs-value", "pass numbers.")


def exact_product(x1: Any, x2: Any) -> Any:
    """NumPy's product where LAPACK's types would give another; None where they would not, and for what is no operand.

    NumPy multiplies integers and booleans exactly, computes float16, longdouble and objects in their own arithmetic,
    and takes float32 with int8 or int16 as float32, where LAPACK's rule (integers are float64) gives float64.
    """
    # The core says in its own words what is wrong with an operand.
    if np.ma.is_masked(x1) or np.ma.is_masked(x2):
        return None
    try:
        a, b = given_array(x1, "matmul", "x1"), given_array(x2, "matmul", "x2")
        common = np.result_type(a, b)
    except Exception:
        return None
    kinds = a.dtype.char + b.dtype.char
    # An array of objects was made on purpose; objects from a list are a mistake in it, which is reported as one.
    objects = all(isinstance(x, np.ndarray) for x, kind in zip((x1, x2), kinds, strict=True) if kind == "O")
    if not all(kind in _EXACT or kind in _COMPUTED or kind in "egG" or (kind == "O" and objects) for kind in kinds):
        return None
    taken = all(kind in _EXACT or kind in _COMPUTED for kind in kinds) and common.char in _COMPUTED
    if taken and common == np.result_type(*(_computed_as(x.dtype) for x in (a, b))):
        return None
    return _by_numpy(a, b)


def _computed_as(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in which LAPACK computes with `dtype`."""
    return np.dtype(np.float64) if dtype.char in _EXACT else dtype


def _by_numpy(a: NDArray[Any], b: NDArray[Any]) -> Any:
    from . import _native

    try:
        return np.matmul(a, b)
    except ValueError:
        # The core's words for shapes that do not fit, from operands of the same shapes that take no memory.
        _native.matmul(np.broadcast_to(0.0, a.shape), np.broadcast_to(0.0, b.shape))
        raise
    except TypeError:
        return None
    except MemoryError as error:
        raise _no_memory("matmul", None, f"the product has no room: {error}") from error


def takes_product(
    out: Any, shape: tuple[int, ...], dtype: str, x1: NDArray[Any], x2: NDArray[Any], operation: str = "matmul"
) -> bool:
    """Whether a product can be written straight into `out`; an error where it does not fit there at all."""
    target = _out_array(out, operation)
    if target.shape != shape:
        text = f"out has shape {target.shape}, the product has {shape}"
        fix = ("needs-value", f"pass out=numpy.empty({shape}).")
        raise raised_here("LAP-E002", operation, "out", text, "the result must fit where it is to be written", fix)
    if not target.flags.writeable:
        fix = ("needs-value", "pass an array that can be written.")
        raise raised_here("LAP-E005", operation, "out", "out is read-only", "the result is written into out", fix)
    return bool(
        type(target) is np.ndarray
        and target.dtype == dtype
        and x1.ndim >= 2
        and x2.ndim >= 2
        and target.flags.c_contiguous
        and not np.may_share_memory(target, x1)
        and not np.may_share_memory(target, x2)
    )


def store_product(product: Any, out: Any, operation: str = "matmul") -> Any:
    """`product` cast into `out` under NumPy's rule for ufuncs, same_kind; returns `out`."""
    target = _out_array(out, operation)
    if target.shape != np.shape(product):
        takes_product(out, np.shape(product), "", target, target, operation)
    try:
        np.copyto(target, product, casting="same_kind")
    except TypeError as error:
        text = f"out has dtype {target.dtype}, into which {np.asarray(product).dtype} cannot be cast"
        fix = ("safe", f"pass out of dtype {np.asarray(product).dtype}.")
        raise raised_here("LAP-E004", operation, "out", text, "the cast would lose more than precision", fix) from error
    return target


def _out_array(out: Any, operation: str) -> NDArray[Any]:
    if isinstance(out, tuple) and len(out) == 1:
        out = out[0]
    if not isinstance(out, np.ndarray):
        fix = ("needs-value", "pass a numpy.ndarray.")
        raise _refuse_type(operation, "out", f"is of type {type(out).__name__}, not an array", fix)
    return out


def svd_hermitian(a: Any, compute_uv: bool, gpu: Any, device: Any, check_finite: bool, return_report: bool) -> Any:
    """The SVD of a Hermitian matrix from its eigendecomposition: ``|w|`` sorted, signs moved into Vh."""
    from . import _native

    keywords = {"gpu": gpu, "device": device, "check_finite": check_finite, "return_report": True, "UPLO": "L"}
    v: NDArray[Any] | None = None
    if compute_uv:
        (w, v), report = _native.eigh(a, **keywords)
    else:
        w, report = _native.eigvalsh(a, **keywords)
    # One batch axis: NumPy sorts arrays of up to 32 dimensions only.
    *batch, n = w.shape
    w = w.reshape(math.prod(batch), n)
    order = np.argsort(np.abs(w), axis=-1)[:, ::-1]
    w = np.take_along_axis(w, order, axis=-1)
    s = np.abs(w).reshape(*batch, n)
    result: Any = s
    if v is not None:
        u = np.take_along_axis(v.reshape(len(w), n, n), order[:, None, :], axis=-1)
        signs = np.where(w < 0, -1, 1).astype(w.dtype)
        vh = np.conj(np.swapaxes(u * signs[:, None, :], -1, -2))
        result = SVDResult(u.reshape(v.shape), s, vh.reshape(v.shape))
    return (result, report) if return_report else result
