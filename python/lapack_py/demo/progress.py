"""A small progress bar: a moving bar on a terminal, now and then a plain line anywhere else."""

from __future__ import annotations

import sys
import time
from typing import TextIO

WIDTH = 28
# Work that ends sooner than this needs no bar; drawing one would only flicker.
PATIENCE_S = 1.0
# A log file should show that work goes on, without a line for every step.
BETWEEN_LINES_S = 5.0


class Progress:
    """Counts steps out of a total that is known beforehand."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total = total
        self.done = 0
        self.stream = sys.stderr if stream is None else stream
        self.is_terminal = self.stream.isatty()
        self.started = self.last_line = time.perf_counter()
        self.drawn = 0

    def step(self, label: str) -> None:
        """Shows what is being worked on now, and counts the step before it as done."""
        now = time.perf_counter()
        if not self.is_terminal and now - self.last_line > BETWEEN_LINES_S:
            print(f"... {self.done}/{self.total}  {label}", file=self.stream, flush=True)
            self.last_line = now
        elif self.is_terminal and now - self.started > PATIENCE_S:
            filled = WIDTH * min(self.done, self.total) // max(self.total, 1)
            bar = "#" * filled + "." * (WIDTH - filled)
            line = f"[{bar}] {min(self.done, self.total)}/{self.total}  {label}"[:79]
            self.stream.write("\r" + line.ljust(self.drawn))
            self.stream.flush()
            self.drawn = len(line)
        self.done += 1

    def clear(self) -> None:
        """Takes the bar off the screen, so that ordinary output can follow."""
        if self.drawn:
            self.stream.write("\r" + " " * self.drawn + "\r")
            self.stream.flush()
            self.drawn = 0
