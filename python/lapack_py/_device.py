"""Devices: which there are, which one a block of code uses, what dispatch would do with a call, and calibration."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from . import _native
from ._errors import raised_here

_DTYPES = ("float32", "float64", "complex64", "complex128")
# The one-dimensional sizes of an operation beside (m, n), with what stands in for each where it is not given.
_WITH_RHS = frozenset({"solve", "lstsq"})


@dataclass(frozen=True, repr=False)
class DeviceStatus:
    """An OpenCL device and how it stands.

    ``chosen`` is the one that ``gpu="auto"`` uses; ``breaker`` is "closed", "half-open" or "open, next try in N s";
    ``pool`` (bytes in use, idle, high_water, limit, ...), ``staging`` and ``programs`` (built, loaded from the cache,
    rejected) are None until the device is used. ``tuning`` says where the configurations of its matrix products come
    from (`tune`). Sizes are in bytes.
    """

    number: int
    name: str
    platform: str
    driver: str
    is_cpu: bool
    float64: bool
    memory: int
    max_allocation: int
    compute_units: int
    found_by: str
    chosen: bool
    breaker: str
    last_failure: str | None
    staging: int | None
    tuning: str
    pool: dict[str, Any] | None
    programs: tuple[int, int, int] | None

    def __str__(self) -> str:
        kind = "CPU" if self.is_cpu else "GPU"
        double = "" if self.float64 else ", no float64"
        used = " (chosen)" if self.chosen else ""
        return (
            f"{self.number}: {self.name}, {kind} of {self.platform}, {self.memory / 2**30:.0f} GiB{double}, "
            f"breaker {self.breaker}{used}"
        )

    __repr__ = __str__


def devices() -> list[DeviceStatus]:
    """All OpenCL devices of this machine; empty where there is no OpenCL (``lap.doctor()`` says why)."""
    return [DeviceStatus(**fields) for fields in _native.devices()]


class device:
    """Sets where calls in a ``with`` block run that do not say it themselves, for the current thread.

    Parameters
    ----------
    name : str or int
        "auto", "cpu", "gpu", a part of an OpenCL device's name or of its platform's, or its number in `devices()`.

    Examples
    --------
    >>> import numpy as np, lapack_py as lap
    >>> with lap.device("cpu"):
    ...     x = lap.solve(np.eye(2), np.ones(2))
    """

    def __init__(self, name: str | int) -> None:
        self._name = name
        self._former: list[str | int] = []

    def __enter__(self) -> device:
        self._former.append(_native.set_current_device(self._name))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _native.set_current_device(self._former.pop())


def results_to_device(result: Any, number: int) -> Any:
    """The arrays of a result on the device; named tuples stay what they are, and so does what is no array."""
    if isinstance(result, tuple):
        items = [results_to_device(item, number) for item in result]
        fields = getattr(result, "_fields", None)
        if fields is None:
            return tuple(items)
        named: Any = result
        # `_replace` keeps what a result has beside its fields.
        return named._replace(**dict(zip(fields, items, strict=True)))
    if isinstance(result, np.ndarray) and result.dtype.char in "fdFD":
        return _native.to_device(result, number)
    return result


def on_the_host(args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], int | None]:
    """Arguments with every device array copied to the host, and the number of the device of the first one."""
    number = None

    def fetch(value: Any) -> Any:
        nonlocal number
        if isinstance(value, _native.DeviceArray):
            number = value.device_number if number is None else number
            return value.numpy()
        if type(value) in (list, tuple) and any(isinstance(item, _native.DeviceArray) for item in value):
            return type(value)(fetch(item) for item in value)
        return value

    args = tuple(fetch(value) for value in args)
    return args, {name: fetch(value) for name, value in keywords.items()}, number


def _duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


@dataclass(frozen=True, repr=False)
class DispatchExplanation:
    """What ``gpu="auto"`` does with a call, and why.

    ``prediction`` has the seconds that are expected: cpu, gpu (kernels) and transfer, each None where there is none.
    ``measured`` says whether they come from times measured on this machine (`calibrate`). ``memory_needed`` and
    ``memory_available`` are bytes of the device.
    """

    op: str
    engine: str
    reason: str
    prediction: dict[str, float | None]
    measured: bool
    device: str | None
    memory_needed: int | None
    memory_available: int | None

    def __str__(self) -> str:
        times = [f"{name} {_duration(value)}" for name, value in self.prediction.items() if value is not None]
        origin = "measured" if self.measured else "from plain rates, nothing measured yet (lap.calibrate())"
        lines = [f"{self.op}: {self.engine}, since {self.reason}", f"  predicted: {', '.join(times)}; {origin}"]
        if self.memory_needed is not None and self.memory_available is not None:
            need, have = self.memory_needed / 1e9, self.memory_available / 1e9
            lines.append(f"  memory on {self.device}: {need:.3g} GB needed, {have:.3g} GB available")
        return "\n".join(lines)

    __repr__ = __str__


def _sizes(op: str, shape: Any) -> tuple[int, int, int, int]:
    """(m, n, k, batch) of an operation."""

    def bad(text: str) -> Exception:
        fix = ("needs-value", "give ((..., m, k), (..., k, n)) for matmul, (..., m, n) for others.")
        cause = "the shape says how much there is to compute"
        return raised_here("LAP-E005", "explain_dispatch", "shape", text, cause, fix)

    try:
        nested = len(shape) == 2 and all(np.ndim(part) == 1 for part in shape)
        parts = [tuple(int(extent) for extent in part) for part in (shape if nested else [shape])]
    except (TypeError, ValueError):
        raise bad(f"shape={shape!r} is no shape") from None
    if any(len(part) < 2 or min(part) < 0 for part in parts):
        raise bad(f"shape={shape!r} needs matrices, with at least two extents each")
    first = parts[0]
    if op == "matmul":
        if len(parts) == 1 and len(first) == 3:
            m, k, n = first
            return m, n, k, 1
        if len(parts) == 1 or first[-1] != parts[1][-2]:
            raise bad(f"shape={shape!r} does not name two matrices that can be multiplied")
        try:
            batch = math.prod(np.broadcast_shapes(first[:-2], parts[1][:-2]))
        except ValueError:
            raise bad(f"shape={shape!r} does not name two matrices that can be multiplied") from None
        return first[-2], parts[1][-1], first[-1], batch
    batch = math.prod(first[:-2])
    rhs = parts[1][-1] if op in _WITH_RHS and len(parts) == 2 else 1
    return first[-2], first[-1], rhs, batch


def explain_dispatch(op: str, shape: Any, dtype: Any = "float64") -> DispatchExplanation:
    """Says where ``gpu="auto"`` would compute a call, how long each engine is expected to take, and why.

    Parameters
    ----------
    op : str
        "matmul", "solve", "cholesky", "lu", "qr", "inv", "det", "lstsq", "svd", "svdvals", "eigh", "eighvals", "eig",
        "eigvals" or "schur".
    shape : tuple
        The first argument's shape, (..., m, n); for "matmul" both shapes, or (m, k, n); for "solve" and "lstsq" both
        shapes, or the first alone for one right-hand side.
    dtype : dtype_like
        float32, float64, complex64 or complex128.

    Examples
    --------
    >>> import lapack_py as lap
    >>> lap.explain_dispatch("matmul", ((8, 8), (8, 8))).engine
    'cpu'
    """
    sizes = _sizes(op, shape)
    engine, reason, prediction, measured, found, memory = _native.explain_dispatch(op, np.dtype(dtype).name, sizes)
    needed, available = memory if memory is not None else (None, None)
    return DispatchExplanation(op, engine, reason, prediction, measured, found, needed, available)


def _bar(fraction: float, text: str) -> None:
    done = int(30 * fraction)
    end = "\n" if fraction >= 1 else ""
    print(f"\r  [{'#' * done}{'.' * (30 - done)}] {text:<40}", end=end, file=sys.stderr, flush=True)


def calibrate(
    ops: Iterable[str] = ("matmul",),
    dtypes: Iterable[str] = _DTYPES,
    *,
    seconds: float = 3.0,
    progress: bool | Callable[[float, str], None] = False,
) -> int:
    """Measures how fast this machine's engines are, once; the result is kept on disk and used by ``gpu="auto"``.

    Without it the same is done, operation by operation, when calls whose engine is uncertain have taken as long as
    measuring takes.

    Parameters
    ----------
    ops : iterable of str
        Names as `explain_dispatch` takes them.
    dtypes : iterable of str
        Element types.
    seconds : float
        Time for one operation in one type on one engine, and half of it for calls of both where neither is clearly
        faster. Building a GPU's kernels, once for each machine, may take four times as long beside it.
    progress : bool or callable
        True shows a bar on standard error; a function is called with the fraction done and what is measured.

    Returns
    -------
    int
        Points measured.
    """
    tell = _bar if progress is True else (progress or None)
    return _native.calibrate(list(ops), [np.dtype(dtype).name for dtype in dtypes], seconds, tell)


@contextmanager
def progress(tell: bool | Callable[[float, str], None] = True) -> Iterator[None]:
    """Within the block, long calls of this thread show how far they are.

    Singular value decompositions on a GPU tell it; what a CPU's LAPACK computes cannot be asked. An exception of the
    function ends the call, as Ctrl-C does.

    Parameters
    ----------
    tell : bool or callable
        True shows a bar on standard error, False shows none; a function is called with the fraction done, which rises,
        and what is at work, about twenty times a second.

    Examples
    --------
    >>> with lap.progress(False):
    ...     lap.svdvals(np.zeros((2, 2))).tolist()
    [0.0, 0.0]
    """
    former = _native.set_progress(_bar if tell is True else (tell or None))
    try:
        yield
    finally:
        _native.set_progress(former)
        if tell is True:
            print("\r" + " " * 76 + "\r", end="", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class TunedClass:
    """A class of products: the speed before and after, and the configuration, None where the rules are best."""

    product: str
    kernel: str
    gflops_before: float
    gflops: float
    gain: float
    configuration: str | None


@dataclass(frozen=True, repr=False)
class TuningResult:
    """What `tune` found; prints as a table.

    ``ended`` is "done", "time" (another call goes on from there), "interrupted" or "failed"; ``file`` is where it is
    kept; ``recalibrate`` says that ``gpu="auto"`` still expects the former times, which `calibrate` renews.
    """

    device: str
    classes: list[TunedClass]
    ended: str
    file: str | None
    recalibrate: bool
    _text: str

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def tune(
    device: str | int = "gpu",
    *,
    seconds: float = 60.0,
    dtypes: Iterable[str] = _DTYPES,
    only: Iterable[str] = (),
    progress: bool | Callable[[float, str], None] = False,
    reset: bool = False,
) -> TuningResult | None:
    """Finds the fastest configurations of a device's matrix product; kept on disk for later processes.

    Without it a table that was measured on a device of the same name or family is used, else rules. Every candidate's
    result is checked before it counts, and it replaces what is in use only where it is faster by more than noise.
    Ctrl-C ends it early; what was found until then is kept.

    Parameters
    ----------
    device : str or int
        "gpu" is the device in use; else a part of a device's name or of its platform's, or its number in `devices()`.
    seconds : float
        Time for all of it.
    dtypes : iterable of str
        Element types.
    only : iterable of str
        Only products whose line has one of these texts in it, as "of 4 x 4 x 4" for batches of that size.
    progress : bool or callable
        True shows a bar on standard error; a function is called with the fraction done and what is measured.
    reset : bool
        Forget what was tuned on this machine instead, and return None.

    Returns
    -------
    TuningResult or None
    """
    if reset:
        _native.reset_tuning(device)
        return None
    tell = _bar if progress is True else (progress or None)
    names = [np.dtype(dtype).name for dtype in dtypes]
    text, name, classes, ended, file, recalibrate = _native.tune(device, names, seconds, [*only], tell)
    found = [TunedClass(*fields) for fields in classes]
    return TuningResult(name, found, ended, None if file is None else str(file), recalibrate, text)
