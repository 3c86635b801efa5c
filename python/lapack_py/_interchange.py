"""Arrays of other libraries as NumPy arrays, without a copy where their memory can be read as it lies.

What is asked, in this order: the DLPack protocol, which tells the device and whether the memory may be written
(https://dmlc.github.io/dlpack/latest/python_spec.html), pandas' own types, and all that ``numpy.asarray`` knows
(``__array__``, ``__array_interface__``, the buffer protocol, nested lists).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import raised_here

# dlpack.h, DLDeviceType; without those that the host can read, which numpy.from_dlpack takes too.
_ON_THE_HOST = frozenset({1, 3, 11, 13})
_DEVICES = {
    2: "a CUDA GPU",
    4: "an OpenCL device",
    7: "a Vulkan device",
    8: "an Apple GPU (Metal)",
    9: "a VPI device",
    10: "a ROCm GPU",
    14: "a oneAPI device",
    15: "a WebGPU device",
}
# How the arrays of a library come to the host, where it is not `.cpu()`.
_TO_THE_HOST = {
    "cupy": "cupy.asnumpy({name})",
    "jax": "jax.device_get({name})",
    "jaxlib": "jax.device_get({name})",
    "dpctl": "dpctl.tensor.asnumpy({name})",
    "dpnp": "dpnp.asnumpy({name})",
}
_ARRAY_PROTOCOLS = ("__array__", "__array_interface__", "__array_struct__")


def given_array(value: Any, operation: str, name: str) -> NDArray[Any]:
    """`value` as NumPy reads it, of whatever type; the caller's own memory where that needs no copy.

    Raises
    ------
    DTypeError
        For memory of another device, tensors that record gradients, and columns that hold no numbers.
    NonFiniteError
        For missing values of pandas' nullable types, with the place of the first.
    Exception
        Whatever the object itself raises.
    """
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if hasattr(type(value), "__dlpack__"):
        return _from_dlpack(value, operation, name)
    if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "isna"):
        return _from_pandas(value, operation, name)
    return np.asarray(value)


def _from_dlpack(value: Any, operation: str, name: str) -> NDArray[Any]:
    """The memory behind a DLPack export. What was exported as read-only stays read-only."""
    device, number = value.__dlpack_device__()
    records = getattr(value, "requires_grad", False) is True
    if int(device) not in _ON_THE_HOST:
        where = f"{_DEVICES.get(int(device), f'a device of DLPack type {int(device)}')} (number {number})"
        library = type(value).__module__.partition(".")[0]
        move = _TO_THE_HOST.get(library, "{name}.detach().cpu()" if records else "{name}.cpu()").format(name=name)
        cause = "the CPU computes, and it cannot read the memory of another device"
        raise raised_here("LAP-E004", operation, name, f"{name} lies on {where}", cause, ("safe", f"pass {move}."))
    if records:
        cause = "gradients cannot be followed through a LAPACK routine"
        fix = ("safe", f"pass {name}.detach().")
        raise raised_here("LAP-E004", operation, name, f"{name} is a tensor that records gradients", cause, fix)
    try:
        return np.from_dlpack(value)
    except MemoryError:
        raise
    except Exception:
        # Types that DLPack and NumPy do not share, lazily conjugated tensors: the object's own conversion may know how,
        # or says best why not.
        if any(hasattr(value, protocol) for protocol in _ARRAY_PROTOCOLS):
            return np.asarray(value)
        raise


def _from_pandas(value: Any, operation: str, name: str) -> NDArray[Any]:
    """A DataFrame or Series: columns of one NumPy type as they lie, others brought to their common type."""
    columns = list(value.dtypes.items()) if value.ndim == 2 else [("", value.dtype)]
    # Nullable and Arrow types name the NumPy type of their values.
    nullable = any(hasattr(dtype, "numpy_dtype") for _, dtype in columns)
    array = np.asarray(value)
    if array.dtype.kind != "O" and not nullable:
        return array
    types = [
        np.dtype(getattr(dtype, "numpy_dtype", dtype if isinstance(dtype, np.dtype) else "O")) for _, dtype in columns
    ]
    others = [column for column, dtype in zip(columns, types, strict=True) if dtype.kind not in "biufc"]
    if others:
        raise _no_numbers(value.ndim, others, operation, name)
    missing = np.asarray(value.isna(), dtype=bool)
    if nullable and missing.any():
        raise _missing_value(missing, [label for label, _ in columns], operation, name)
    return np.asarray(value.to_numpy(dtype=np.result_type(*types)))


def _no_numbers(dimensions: int, others: list[tuple[Any, Any]], operation: str, name: str) -> Exception:
    """The error for columns whose type is not one of numbers."""
    if dimensions == 1:
        text = f"{name} has dtype {others[0][1]}"
        fix = ("maybe", f"convert it, if it holds numbers: {name}.astype('float64').")
    else:
        more = f", and {len(others) - 3} more" if len(others) > 3 else ""
        listed = ", ".join(f"{label!r} ({dtype})" for label, dtype in others[:3])
        subject = "a column that is" if len(others) == 1 else "columns that are"
        text = f"{name} has {subject} not of a number type: {listed}{more}"
        fix = ("maybe", f"take the others, {name}.select_dtypes('number'), or convert: {name}.astype('float64').")
    cause = "LAPACK computes in float32, float64, complex64 and complex128 only"
    return raised_here("LAP-E004", operation, name, text, cause, fix)


def _missing_value(missing: NDArray[np.bool_], labels: list[Any], operation: str, name: str) -> Exception:
    """The error for NA, which no floating-point number stands for."""
    row, column = (*(int(i) for i in np.argwhere(missing)[0]), 0)[:2]
    count = int(missing.sum())
    label = f" ({labels[column]!r})" if missing.ndim == 2 else ""
    text = f"{name} has NA at row {row}, column {column}{label}" + (f", first of {count} missing values" * (count > 1))
    fix = ("needs-value", f"fill or drop what is missing: {name}.fillna(value) or {name}.dropna().")
    error = raised_here("LAP-E001", operation, name, text, "a missing value is no number to compute with", fix)
    error.location = (row, column)
    return error
