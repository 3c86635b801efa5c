"""A hundred calls that failed, or were silently wrong, as people met them, and what was really wrong with each."""

from __future__ import annotations

from . import batches_and_devices, conditioning, definite, dtypes, nonfinite, shapes, singular, structure
from ._case import Case, ToldElsewhere

CASES: tuple[Case, ...] = (
    *singular.CASES,
    *conditioning.CASES,
    *nonfinite.CASES,
    *definite.CASES,
    *shapes.CASES,
    *dtypes.CASES,
    *structure.CASES,
    *batches_and_devices.CASES,
)

__all__ = ["CASES", "Case", "ToldElsewhere"]
