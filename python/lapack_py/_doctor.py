"""``lap.doctor()``: what was found on this machine, and what to do about what was not."""

from __future__ import annotations

from dataclasses import dataclass

from . import _native


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis."""

    topic: str
    ok: bool
    found: str
    advice: str | None


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The diagnosis: ``ok`` if nothing needs to be done; printing it shows the whole text."""

    text: str
    ok: bool
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def doctor() -> Diagnosis:
    """Looks at the LAPACK, threads, memory limits, OpenCL and settings of this process."""
    text, ok, findings = _native.doctor()
    return Diagnosis(text, ok, tuple(Finding(*finding) for finding in findings))
