"""The aligned table of timings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One operation, timed on the same input with the three libraries."""

    operation: str
    size: str
    engine: str
    ours: float
    numpy: float | None
    scipy: float | None
    error: float

    def cells(self) -> list[str]:
        """The row as it is printed."""
        times = [_time(self.ours), _time(self.numpy), _time(self.scipy)]
        return [self.operation, self.size, self.engine, *times, f"{self.error:.2g}"]


HEADINGS = ["operation", "size", "engine", "lapack_py", "NumPy", "SciPy", "error/(n*eps)"]
LEFT_ALIGNED = 3


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        value = seconds * scale
        if value >= 1 or unit == "us":
            # Three significant digits: the repeats do not agree to more than that.
            decimals = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:.{decimals}f} {unit:>2}"
    raise AssertionError("unreachable")


def render(rows: list[Row]) -> str:
    """The rows under their headings, numbers to the right."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    text = [_line(line, widths) for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(text)


def _line(cells: list[str], widths: list[int]) -> str:
    padded = [
        cell.ljust(width) if i < LEFT_ALIGNED else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def verdict(rows: list[Row], other: str) -> str:
    """How the times compare with one other library, counted; within 5 % counts as level."""
    pairs = [(row.ours, theirs) for row in rows if (theirs := getattr(row, other)) is not None]
    faster = sum(ours < 0.95 * theirs for ours, theirs in pairs)
    slower = sum(ours > 1.05 * theirs for ours, theirs in pairs)
    level = len(pairs) - faster - slower
    name = {"numpy": "NumPy", "scipy": "SciPy"}[other]
    return f"faster than {name} in {faster} of {len(pairs)} operations, level in {level}, slower in {slower}"
