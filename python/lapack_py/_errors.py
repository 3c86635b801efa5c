"""Exceptions, built from the core's error values, and the giving of warnings.

Every exception is a ``numpy.linalg.LinAlgError`` (so a ``ValueError``) and carries the fields of the core's error:
``code``, ``operation``, ``argument``, ``position``, ``routine``, ``info``, ``rcond``, ``digits_lost``, ``cause``,
``fixes`` (pairs of applicability and text), ``findings`` (what a look at the matrix found, a dict each), ``matrix`` and
``failed`` (for batches) and ``location`` (row, column). ``str(e)`` is one line, ``e.report()`` all of it; cause and
fixes are notes (PEP 678), so tracebacks show them too. ``e.to_dict()`` and ``e.to_json()`` are for logs.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

_logger = logging.getLogger("lapack_py")
_Parameters = ParamSpec("_Parameters")
_Returned = TypeVar("_Returned")


class _Fields:
    """The fields shared by exceptions and warnings."""

    code: str
    severity: str
    message: str
    summary: str
    operation: str
    argument: str | None
    position: int | None
    routine: str | None
    info: int | None
    rcond: float | None
    digits_lost: float | None
    cause: str
    fixes: list[tuple[str, str]]
    findings: list[dict[str, Any]]
    matrix: int | None
    failed: list[int]
    location: tuple[int, int] | None
    _long_report: str

    def _fill(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self, "_long_report" if name == "long_report" else name, value)

    def _fields(self) -> dict[str, Any]:
        """What `_fill` was given, and what was added since; for pickling."""
        fields = dict(self.__dict__)
        fields["long_report"] = fields.pop("_long_report")
        return fields

    def report(self) -> str:
        """Summary, cause, every fix, and what LAPACK said, over several lines."""
        return self._long_report

    def to_dict(self) -> dict[str, Any]:
        """All fields, as numbers, texts, lists and dicts."""
        names = list(_Fields.__annotations__)
        names.remove("_long_report")
        fields = {name: getattr(self, name) for name in names}
        fields["fixes"] = [{"applicability": how, "text": what} for how, what in self.fixes]
        return fields

    def to_json(self) -> str:
        """`to_dict` as JSON, one line: for logs."""
        return json.dumps(self.to_dict())


class LapackError(_Fields, np.linalg.LinAlgError):
    """Base of all errors of lapack_py."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(fields["message"])
        self._fill(fields)
        # Python 3.10 has no notes.
        if "__notes__" not in fields and hasattr(self, "add_note"):
            self.add_note(f"cause: {self.cause}")
            for how, what in self.fixes:
                self.add_note(f"fix ({how}): {what}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._fields(),)


class NonFiniteError(LapackError):
    """LAP-E001: NaN or Inf in the input."""


class ShapeError(LapackError):
    """LAP-E002, E003, E006: shapes that do not fit."""


class DTypeError(LapackError, TypeError):
    """LAP-E004: an element type that LAPACK does not have."""


class SingularMatrixError(LapackError):
    """LAP-E010: exactly singular."""


class NotPositiveDefiniteError(LapackError):
    """LAP-E011: not positive definite."""


class ConvergenceError(LapackError):
    """LAP-E012, E013: an iteration did not converge."""


class ProviderError(LapackError, OSError):
    """LAP-E030, E031: no usable LAPACK library."""

    # OSError's own __new__ and __str__ treat arguments as errno and file name.
    def __str__(self) -> str:
        return str(self.args[0])


class SizeError(LapackError, MemoryError):
    """LAP-E032, E033: too large for the library's integers, or for memory."""


class ConfigError(LapackError):
    """LAP-E034: a setting in the environment that cannot be used."""


class GpuUnavailableError(LapackError, RuntimeError):
    """LAP-E040: a GPU was required and cannot be used."""


class GpuError(LapackError, RuntimeError):
    """LAP-E041: a GPU failed, and the CPU could not or must not step in."""


_CLASSES: dict[str, type[LapackError]] = {
    "LAP-E001": NonFiniteError,
    "LAP-E002": ShapeError,
    "LAP-E003": ShapeError,
    "LAP-E004": DTypeError,
    "LAP-E006": ShapeError,
    "LAP-E010": SingularMatrixError,
    "LAP-E011": NotPositiveDefiniteError,
    "LAP-E012": ConvergenceError,
    "LAP-E013": ConvergenceError,
    "LAP-E030": ProviderError,
    "LAP-E031": ProviderError,
    "LAP-E032": SizeError,
    "LAP-E033": SizeError,
    "LAP-E034": ConfigError,
    "LAP-E040": GpuUnavailableError,
    "LAP-E041": GpuError,
}


class _Composed:
    """The composed operation that is running: the one that the user called, not the native ones that it consists of."""

    __slots__ = ("argument", "operation", "silent")

    def __init__(self, operation: str, argument: str | None, silent: frozenset[str]) -> None:
        self.operation = operation
        self.argument = argument
        self.silent = set(silent)


_running: ContextVar[_Composed | None] = ContextVar("lapack_py_running", default=None)


def composed(
    operation: str, argument: str | None = None, silent: frozenset[str] = frozenset()
) -> Callable[[Callable[_Parameters, _Returned]], Callable[_Parameters, _Returned]]:
    """Decorates an operation that consists of others: errors and warnings inside name `operation`.

    `argument` is the user's array that the native operation is given as it is; without it, native operations work on
    intermediate matrices, and an error must not send the user to a row of their own array. Warnings whose code is in
    `silent` are not given, the others once a call. In nested operations the outermost is named.
    """

    def decorate(function: Callable[_Parameters, _Returned]) -> Callable[_Parameters, _Returned]:
        @functools.wraps(function)
        def call(*args: _Parameters.args, **keywords: _Parameters.kwargs) -> _Returned:
            outer = _running.get()
            inner = _Composed(operation, argument, silent)
            if outer is not None:
                inner = _Composed(outer.operation, outer.argument, silent | outer.silent)
            token = _running.set(inner)
            try:
                if _holds_device_arrays(args, keywords):
                    return _through_the_host(function, args, keywords)
                return function(*args, **keywords)
            finally:
                _running.reset(token)

        return call

    return decorate


def _holds_device_arrays(args: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    from ._native import DeviceArray

    values = (*args, *keywords.values())
    return any(
        type(value) is DeviceArray
        or (type(value) in (list, tuple) and any(type(item) is DeviceArray for item in value))
        for value in values
    )


def _through_the_host(function: Callable[..., _Returned], args: Any, keywords: dict[str, Any]) -> _Returned:
    """A composed operation on device arrays: NumPy's part of it needs them at the host; the results go back."""
    from ._device import on_the_host, results_to_device

    args, keywords, number = on_the_host(args, keywords)
    result = function(*args, **keywords)
    # The type of arrays changes, which no annotation of the operations tells.
    brought: Any = result if number is None else results_to_device(result, number)
    return cast("_Returned", brought)


def _as_called(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an error or a warning, told in the words of the composed operation that the user called."""
    running = _running.get()
    if running is None or running.operation == fields["operation"]:
        return fields
    fields = dict(fields)
    given, texts = fields["argument"], ("summary", "message", "long_report")
    old, new = f"{fields['operation']}: ", f"{running.operation}: "
    # A summary begins with the argument only if the fault lies in its elements.
    if given is not None and fields["summary"].startswith(f"{old}{given} "):
        old += f"{given} "
        new += f"{running.argument or 'an intermediate matrix'} "
    for name in texts:
        fields[name] = fields[name].replace(old, new, 1)
    fields |= {"operation": running.operation, "argument": running.argument}
    if running.argument is None:
        fields["position"] = None
        if fields["code"] == "LAP-E001":
            fix = ("maybe", "scale the input down, or pass it as float64 or complex128.")
            _tell(fields, "numbers grew beyond the largest of their type on the way to the result", [fix])
    # Least squares is advice on a system of equations, which no composed operation was asked to solve.
    if any("lstsq" in what for _, what in fields["fixes"]):
        _tell(fields, fields["cause"], [fix for fix in fields["fixes"] if "lstsq" not in fix[1]])
    return fields


def _tell(fields: dict[str, Any], cause: str, fixes: list[tuple[str, str]]) -> None:
    """Gives an error or warning another cause and other fixes; what LAPACK said stays."""
    summary, code = fields["summary"], fields["code"]
    said = [line for line in fields["long_report"].split("\n") if line.startswith(("  LAPACK:", "  failed matrices:"))]
    listed = [f"  fix ({how}): {what}" for how, what in fixes]
    fields |= {"cause": cause, "fixes": fixes, "message": f"{summary}{_first(fixes)} [{code}]"}
    fields["long_report"] = "\n".join([f"{code}: {summary}", f"  cause: {cause}", *listed, *said])


def _first(fixes: list[tuple[str, str]]) -> str:
    return f" Fix: {fixes[0][1]}" if fixes else ""


def from_native(fields: dict[str, Any]) -> LapackError:
    """The exception of a core error."""
    return _CLASSES.get(fields["code"], LapackError)(_as_called(fields))


def raised_here(
    code: str,
    operation: str,
    argument: str | None,
    text: str,
    cause: str,
    fix: tuple[str, str] | None = None,
    **more: Any,
) -> LapackError:
    """An exception for input that never reaches the core; `more` are fields that only some errors have."""
    return from_native(_fields_of(code, "error", operation, argument, text, cause, fix) | more)


def _fields_of(
    code: str,
    severity: str,
    operation: str,
    argument: str | None,
    text: str,
    cause: str,
    fix: tuple[str, str] | None,
) -> dict[str, Any]:
    fixes = [fix] if fix else []
    summary = f"{operation}: {text}."
    message = f"{summary}{_first(fixes)} [{code}]"
    report = "\n  ".join([f"{code}: {summary}", f"cause: {cause}", *(f"fix ({how}): {what}" for how, what in fixes)])
    empty = ("position", "routine", "info", "rcond", "digits_lost", "matrix", "location")
    fields: dict[str, Any] = dict.fromkeys(empty)
    fields |= {"code": code, "severity": severity, "message": message, "summary": summary, "operation": operation}
    fields |= {
        "argument": argument,
        "cause": cause,
        "fixes": fixes,
        "findings": [],
        "failed": [],
        "long_report": report,
    }
    return fields


def warned_here(
    code: str, operation: str, argument: str | None, text: str, cause: str, fix: tuple[str, str], **more: Any
) -> None:
    """Gives a warning about what the core does not see; fields as in `raised_here`."""
    warn(_fields_of(code, "warning", operation, argument, text, cause, fix) | more)


class _Site:
    """How often one line of the user's code gave one warning."""

    __slots__ = ("count", "worst_rcond")

    def __init__(self) -> None:
        self.count = 0
        self.worst_rcond: float | None = None


_sites: dict[tuple[str, int, str], _Site] = {}
_sites_lock = threading.Lock()


def warning_counts() -> list[dict[str, Any]]:
    """Every line that gave a warning so far: file, line, code, count and the smallest rcond seen there."""
    with _sites_lock:
        return [
            {"file": file, "line": line, "code": code, "count": site.count, "worst_rcond": site.worst_rcond}
            for (file, line, code), site in _sites.items()
        ]


def _caller() -> FrameType | None:
    """The frame that called the operation; None where C called it, as the first function of a thread."""
    try:
        frame: FrameType | None = sys._getframe(2)
    except ValueError:
        return None
    # Some operations pass through Python code of this package on their way.
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("lapack_py._"):
        frame = frame.f_back
    return frame


def warn(fields: dict[str, Any]) -> None:
    """Gives a warning at the line that called the operation.

    Python's own "default" action shows a text once for each line, but here the text has a number in it and would differ
    at every call. So a line whose registry shows that the filters let one pass, and hold back repeats, is held back as
    a whole; the counts go on. Under "always" and "error" every warning passes, as the user has asked.
    """
    from . import _warnings

    running = _running.get()
    if running is not None:
        if fields["code"] in running.silent:
            return
        running.silent.add(fields["code"])
        fields = _as_called(fields)
    frame = _caller()
    # Without a caller: what Python's own warnings say there.
    scope, file, line = vars(sys), "<sys>", 0
    if frame is not None:
        scope, file, line = frame.f_globals, frame.f_code.co_filename, frame.f_lineno
    with _sites_lock:
        site = _sites.setdefault((file, line, fields["code"]), _Site())
        site.count += 1
        rcond = fields["rcond"]
        if rcond is not None and (site.worst_rcond is None or rcond < site.worst_rcond):
            site.worst_rcond = rcond
        count = site.count
    warning = _warnings.from_native(fields, count)
    _logger.debug("%s at %s:%d", warning, file, line)
    registry = scope.setdefault("__warningregistry__", {})
    category = type(warning)
    key = (str(warning), category, line)
    earlier = [
        known
        for known, shown in list(registry.items())
        if isinstance(known, tuple) and len(known) == 3 and known[1:] == (category, line) and shown and known != key
    ]
    if earlier:
        registry[key] = True
    module = scope.get("__name__", "<unknown>")
    try:
        warnings.warn_explicit(warning, category, file, line, module, registry)
    finally:
        # New filters empty the registry; then this warning has passed, and its key is the one that holds back others.
        if any(known in registry for known in earlier):
            registry.pop(key, None)
