"""What the composed operations share: inputs checked in words, and the keywords that go down to the native calls.

Native calls check what they are given themselves. What is checked here is what they cannot know: that the input as the
user named it has the shape that the whole composition needs, and that it is finite where the first native call (a
matrix product) lets NaN and Inf through.
"""

from __future__ import annotations

import operator
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _native
from .._convert import as_array
from .._errors import GpuUnavailableError, LapackError, raised_here

Array: TypeAlias = NDArray[Any]
Gpu: TypeAlias = Literal["auto", "require"] | bool | None
Device: TypeAlias = Literal["auto", "cpu", "gpu"] | None
_Result = TypeVar("_Result")

_SHAPE_CAUSE = "the input must be a rectangular array of numbers with at least two dimensions"


def bad_option(operation: str, text: str, fix: tuple[str, str] | None = None) -> LapackError:
    """The error for an option outside its values."""
    return raised_here("LAP-E005", operation, None, text, "the option has a fixed set of values", fix)


def bad_shape(operation: str, name: str | None, text: str, fix: tuple[str, str] | None = None) -> LapackError:
    """The error for shapes that do not fit together."""
    return raised_here("LAP-E002", operation, name, text, "the dimensions that must agree differ", fix)


def plural(count: int, thing: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def matrices(value: Any, operation: str, name: str) -> Array:
    """`value` as an array of one of the four types with at least two dimensions."""
    array, _ = as_array(value, operation, name)
    if array.ndim < 2:
        fix = ("maybe", f"use {name}[None, :] for one row or {name}[:, None] for one column.")
        text = f"{name} has {plural(array.ndim, 'dimension')}; at least 2 are needed"
        raise raised_here("LAP-E006", operation, name, text, _SHAPE_CAUSE, fix if array.ndim == 1 else None)
    return array


def require_square(array: Array, operation: str, name: str) -> None:
    """Refuses matrices that are not square."""
    rows, columns = array.shape[-2:]
    if rows != columns:
        cause = "the operation is defined for as many rows as columns only"
        raise raised_here("LAP-E003", operation, name, f"{name} must be square, not {rows} x {columns}", cause)


def require_finite(array: Array, operation: str, name: str) -> None:
    """Refuses NaN and Inf with their place, in the words of the native operations."""
    # A sum is finite unless an element is not, or it overflows: then the elements decide.
    with np.errstate(all="ignore"):
        if np.isfinite(array.sum()):
            return
    wrong = ~np.isfinite(array)
    count = int(np.count_nonzero(wrong))
    if count == 0:
        return
    place = np.unravel_index(int(np.argmax(wrong)), array.shape)
    row, column = int(place[-2]), int(place[-1])
    kind = "NaN" if np.isnan(array[place]) else "Inf"
    text = f"{name} has {kind} at row {row}, column {column}"
    of_matrix = np.count_nonzero(wrong[place[:-2]])
    if of_matrix > 1:
        text += f", first of {of_matrix} NaN or Inf"
    failed = [int(i) for i in np.flatnonzero(wrong.any(axis=(-2, -1)))]
    matrix = None
    if array.ndim > 2:
        matrix = failed[0]
        others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        text += f" (matrix {matrix}{others} of {wrong.size // wrong[place[:-2]].size})"
    cause = "a NaN or Inf spreads to every result; it usually comes from missing data or a division by 0"
    fix = ("needs-value", "drop or fill these entries first, e.g. with numpy.nan_to_num.")
    more = {"location": (row, column), "position": 0, "matrix": matrix, "failed": failed}
    raise raised_here("LAP-E001", operation, name, text, cause, fix, **more)


def whole_number(value: Any, operation: str, name: str) -> int:
    """`value` as an int; what is no integer is a TypeError, as in NumPy."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{operation}: {name} must be an integer, not {value!r}.") from None


def honour_engine(gpu: Gpu, device: Device) -> None:
    """Checks `gpu` and `device`, and answers a wish for a GPU, where no native call is needed for the result."""
    if gpu not in ("auto", None) or device is not None:
        one = np.ones((1, 1))
        _native.matmul(one, one, gpu=gpu, device=device)


def answer(result: _Result, report: _native.Report | None, return_report: bool) -> Any:
    """The result alone, or with the report of the main native call beside it."""
    return (result, report) if return_report else result


def asks_for_gpu(dtype: Any, gpu: Gpu, device: Device) -> bool:
    """Whether the caller names a GPU, and numbers of the type are decomposed there."""
    return np.dtype(dtype).kind == "f" and (gpu is True or gpu == "require" or device not in (None, "auto", "cpu"))


def resident(a: Array, gpu: Gpu, device: Device) -> Any:
    """`a` on the GPU that the caller asks for, so that a chain of steps moves it once; else `a` itself."""
    if not asks_for_gpu(a.dtype, gpu, device):
        return a
    try:
        return _native.to_device(a, None if device in (None, "gpu") else device)
    except LapackError as error:
        # Where there is none the first step says so, in the words for the operation that was called.
        if gpu == "require" and not isinstance(error, GpuUnavailableError):
            raise
        return a


def at_host(a: Any) -> Array:
    """`a`, copied back if it lies on a device."""
    host: Array = a.numpy() if isinstance(a, _native.DeviceArray) else a
    return host


def adjoint(a: Any) -> Any:
    """Conjugate transpose of each matrix."""
    if isinstance(a, _native.DeviceArray):
        return a.conj().mT
    turned = np.swapaxes(a, -1, -2)
    return np.conj(turned) if a.dtype.kind == "c" else turned


def product(a: Any, b: Any, gpu: Gpu = "auto", device: Device = None) -> Any:
    """Matrix product of stacks of matrices; on the device if one of them lies there."""
    return _native.matmul(a, b, gpu=gpu, device=device)
