"""Products with 16-bit operands: which arrays are such, in which type NumPy would compute, and their bits for the core.

float16 is NumPy's own; bfloat16 is that of the package ml_dtypes, which registers it with NumPy. The core computes with
the bits as they lie.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import raised_here
from ._interchange import given_array

_COMPUTED = frozenset("fdFD")


def _half_name(dtype: np.dtype[Any]) -> str | None:
    """float16, bfloat16, or None for any other type."""
    return dtype.name if dtype.itemsize == 2 and dtype.name in ("float16", "bfloat16") else None


def dtype_named(name: str) -> np.dtype[Any]:
    """The type of that name."""
    if name != "bfloat16":
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError as error:
        fix = ("safe", "pip install ml_dtypes.")
        cause = "NumPy itself has no bfloat16"
        raise raised_here("LAP-E004", "matmul", None, "bfloat16 needs ml_dtypes", cause, fix) from error
    found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return found


def name_of(dtype: Any) -> str:
    """The name of the type that `dtype` means."""
    return _as_dtype(dtype).name


def _as_dtype(dtype: Any) -> np.dtype[Any]:
    try:
        return dtype_named(dtype) if isinstance(dtype, str) else np.dtype(dtype)
    except TypeError as error:
        fix = ("needs-value", "pass a float or complex type.")
        text = f"dtype={dtype!r} is no type of numbers"
        raise raised_here("LAP-E005", "matmul", "dtype", text, "the product has that type", fix) from error


def _bits(array: NDArray[Any]) -> NDArray[np.uint16]:
    """The bits of 16-bit numbers, without a copy where they can be read as they lie."""
    array = np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["A"])
    if any(stride % 2 for stride in array.strides):
        array = array.copy()
    return np.asarray(array).view(np.uint16)


def bits_of(value: Any) -> tuple[NDArray[np.uint16], str] | None:
    """The bits and the type's name of an array of 16-bit numbers; None for anything else."""
    if np.ma.is_masked(value):
        return None
    try:
        array = given_array(value, "to_device", "a")
    except Exception:
        # Whoever converts it next says in words what is wrong.
        return None
    name = _half_name(array.dtype)
    return None if name is None else (_bits(array), name)


def _common(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The type of a product, by NumPy's rules; of two different 16-bit types it is float32."""
    names = _half_name(a), _half_name(b)
    if None not in names and names[0] != names[1]:
        return np.dtype(np.float32)
    return np.result_type(a, b)


def prepare(
    x1: Any, x2: Any, dtype: Any, out: Any
) -> tuple[NDArray[Any], NDArray[Any], str | None, bool, list[bool]] | None:
    """What a product with a 16-bit operand, or of a given type, is computed from; None where it is neither.

    The operands, the name of their 16-bit type (the operands are bits then, of two axes and more) or None, whether the
    sums are rounded to it, and which operand had one axis only.
    """
    if np.ma.is_masked(x1) or np.ma.is_masked(x2):
        return None
    try:
        a, b = given_array(x1, "matmul", "x1"), given_array(x2, "matmul", "x2")
        halves = bool(_half_name(a.dtype) or _half_name(b.dtype))
        if not halves and dtype is None:
            return None
        common = _common(a.dtype, b.dtype)
    except Exception:
        if dtype is None:
            return None
        raise
    if a.ndim == 0 or b.ndim == 0:
        return None
    rounded = True
    target = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    if dtype is not None:
        wanted = _as_dtype(dtype)
        if _half_name(common) and wanted == np.float32:
            rounded = False
        elif wanted != common:
            common = _checked(wanted, common)
    elif _half_name(common) and isinstance(target, np.ndarray) and target.dtype == np.float32:
        rounded = False
    if name := _half_name(common):
        a, b = _bits(a.astype(common, copy=False)), _bits(b.astype(common, copy=False))
        vectors = [a.ndim == 1, b.ndim == 1]
        return a[None, :] if vectors[0] else a, b[:, None] if vectors[1] else b, name, rounded, vectors
    if common.char in _COMPUTED:
        return a.astype(common, copy=False), b.astype(common, copy=False), None, True, [False, False]
    return None


def _checked(wanted: np.dtype[Any], common: np.dtype[Any]) -> np.dtype[Any]:
    """`wanted`, if products of `common` may be computed in it: NumPy's rule same_kind."""
    known = wanted.char in _COMPUTED or _half_name(wanted)
    # ml_dtypes' bfloat16 is of kind V for NumPy.
    is_real = _half_name(common) or common.kind in "biuf"
    if not known or not (is_real or wanted.kind == "c"):
        text = f"dtype={wanted} is no type for a product of {common}"
        fix = (
            "needs-value",
            "pass float16, bfloat16, float32, float64, or for complex operands complex64 or complex128.",
        )
        raise raised_here("LAP-E005", "matmul", "dtype", text, "the operands are cast to it", fix)
    return wanted
