"""``lap.validate()``: LAPACK, OpenCL, each GPU, Python and the container are used; what fails comes with its fix."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from . import _native
from ._errors import LapackError

_Check: TypeAlias = tuple[str, str, str, str | None]


@dataclass(frozen=True)
class Check:
    """One check: its ``section``, what it is about, how it ended ("passed", "noted", "failed"), and what to do."""

    section: str
    name: str
    outcome: str
    found: str
    fix: str | None


@dataclass(frozen=True, repr=False)
class Validation:
    """All checks; ``ok`` if nothing is broken. Printing it shows the whole text."""

    text: str
    ok: bool
    checks: tuple[Check, ...]
    _told: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The same for programs, as ``lapack-ai validate --json`` prints it."""
        return {**self._told, "checks": [vars(check) for check in self.checks]}

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def validate() -> Validation:
    """Computes small problems on every engine and checks the results, drivers, device nodes, limits and folders.

    Takes a second, and some more where a device builds its kernels for the first time. ``lap.doctor()`` only looks.
    """
    text, answer = _native.validate(_python())
    told = json.loads(answer)
    return Validation(text, told["ok"], tuple(Check(**check) for check in told["checks"]), told)


def _python() -> list[_Check]:
    """The checks of this interpreter: (name, outcome, found, fix)."""
    from . import __version__

    threading = "" if getattr(sys, "_is_gil_enabled", lambda: True)() else ", free-threaded"
    checks: list[_Check] = [
        ("interpreter", "passed", f"{platform.python_version()}{threading}, {sys.executable}", None),
        ("NumPy", "passed", np.__version__, None),
        ("lapack_py", "passed", __version__, None),
    ]
    try:
        values = _native.svdvals(np.array([[3.0, 0.0], [0.0, 4.0]]))
    except LapackError as error:
        checks.append(("svdvals", "failed", error.summary, "see LAPACK above"))
    else:
        right = bool(np.array_equal(values, [4.0, 3.0]))
        checks.append(("svdvals", "passed", "right", None) if right else _wrong(values))
    return checks


def _wrong(values: Any) -> _Check:
    fix = f"{sys.executable} -m pip install --force-reinstall lapack-py"
    return ("svdvals", "failed", f"{values} instead of [4. 3.]", fix)
