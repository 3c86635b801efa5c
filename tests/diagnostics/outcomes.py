"""What a library made of a failing call, and whether its text names the true cause."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, Literal

from diagnostics.cases import Case
from diagnostics.cases._case import Call

Loudness = Literal["silent", "warning", "error"]
LOUDNESS: tuple[Loudness, ...] = ("silent", "warning", "error")


@dataclass(frozen=True)
class Outcome:
    """An error, the warnings, or nothing but a result."""

    loudness: Loudness
    kind: str  # The class of the error or of the first warning.
    line: str  # Its first line.
    text: str  # All it said, reports included.
    fixes: tuple[str, ...]
    codes: frozenset[str]
    result: Any = None


def _said(complaint: Any) -> str:
    report = getattr(complaint, "report", None)
    return f"{complaint}\n{report()}" if callable(report) else str(complaint)


def _fixes(complaint: Any) -> tuple[str, ...]:
    return tuple(text for _, text in getattr(complaint, "fixes", ()))


def _codes(*complaints: Any) -> frozenset[str]:
    return frozenset(complaint.code for complaint in complaints if hasattr(complaint, "code"))


def outcome_of(call: Call, case: Case) -> Outcome:
    """Makes a call with data of its own."""
    data = case.make()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call(data)
        except Exception as error:
            line = str(error).strip().splitlines()[0] if str(error).strip() else ""
            return Outcome("error", type(error).__name__, line, _said(error), _fixes(error), _codes(error))
    if not caught:
        return Outcome("silent", "", "", "", (), frozenset(), result)
    messages = [warning.message for warning in caught]
    return Outcome(
        "warning",
        type(messages[0]).__name__,
        str(messages[0]).strip().splitlines()[0],
        "\n".join(map(_said, messages)),
        tuple(fix for message in messages for fix in _fixes(message)),
        _codes(*messages),
        result,
    )


def unnamed(case: Case, text: str) -> list[str]:
    """The expressions that a text would have to contain to name the true cause of a case, and does not."""
    return [name for name in case.names if not re.search(name, text, re.IGNORECASE)]


def names_the_fix(case: Case, fixes: tuple[str, ...]) -> bool:
    return any(re.search(case.fix, fix, re.IGNORECASE) for fix in fixes)


def why_the_fix_fails(case: Case, outcome: Outcome) -> str | None:
    """None where the fix gives the right result, and not the complaint again that it is to mend.

    A warning of another kind is no failure: the rank that lstsq decides on may deserve one.
    """
    data = case.make()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            case.check(data, case.fixed(data))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    again = [warning.message for warning in caught if _codes(warning.message) & outcome.codes]
    return f"{type(again[0]).__name__} again: {again[0]}" if again else None
