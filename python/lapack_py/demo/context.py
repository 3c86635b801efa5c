"""What every part of the demonstration shares: the output folder, the stop-watch, the rows and the checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .progress import Progress
from .table import Row

Array = NDArray[Any]
Call = Callable[[], Any]

EPS = float(np.finfo(np.float64).eps)
# A call shorter than this is repeated until the sum is long enough to be trusted...
ENOUGH_S = 0.15
# ...and a long one is not repeated beyond this.
TOO_LONG_S = 1.5
MIN_REPEATS, MAX_REPEATS = 5, 200
# The thread pools of the libraries keep spinning for a moment after a call and would slow down the next library.
SETTLE_S = 0.05


@dataclass
class Context:
    """Collects the results while the parts run."""

    out: Path
    quick: bool
    progress: Progress
    rows: list[Row] = field(default_factory=list)
    figures: list[Path] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def stage(self, title: str) -> None:
        """Opens a part of the demonstration."""
        self.progress.clear()
        print(f"\n{title}", flush=True)

    def say(self, text: str) -> None:
        """Prints text under the current title."""
        self.progress.clear()
        for line in text.splitlines():
            print(f"  {line}".rstrip(), flush=True)

    def check(self, what: str, error: float, limit: float) -> None:
        """States how well two independent ways to the same number agree; a disagreement fails the whole run."""
        ok = bool(error <= limit)
        self.say(f"{'ok  ' if ok else 'FAIL'} {what}: {error:.1e} (limit {limit:.0e})")
        if not ok:
            self.failed.append(what)

    def save(self, figure: Figure, name: str) -> None:
        """Writes a figure into the output folder."""
        self.progress.step(f"drawing {name}")
        path = self.out / name
        figure.savefig(path, dpi=80 if self.quick else 150)
        self.figures.append(path)

    def compare(
        self,
        operation: str,
        size: str,
        ours: Callable[..., Any],
        *,
        error: Callable[[Any], float],
        numpy: Call | None = None,
        scipy: Call | None = None,
    ) -> Any:
        """Runs one operation with each library, adds a row to the table and gives back our result.

        ``ours`` must pass its keyword arguments on to lapack_py. The first call is not timed: it is there for the
        report, and it loads whatever is loaded only once.
        """
        self.progress.step(f"{operation} {size}")
        result, report = ours(return_report=True)
        seconds = self._best(ours)
        self.progress.step(f"{operation} {size}, NumPy and SciPy")
        numpy_s, scipy_s = (None if call is None else self._best(call) for call in (numpy, scipy))
        self.rows.append(Row(operation, size, str(report.engine), seconds, numpy_s, scipy_s, error(result)))
        return result

    def _best(self, call: Call) -> float:
        time.sleep(SETTLE_S)
        total, best, runs = 0.0, float("inf"), 0
        enough, least = (ENOUGH_S / 10, 2) if self.quick else (ENOUGH_S, MIN_REPEATS)
        while runs == 0 or (total < TOO_LONG_S and runs < MAX_REPEATS):
            start = time.perf_counter()
            call()
            seconds = time.perf_counter() - start
            total, best, runs = total + seconds, min(best, seconds), runs + 1
            if total > enough and runs >= least:
                break
        return best


def size(*shape: int) -> str:
    """A shape as it is read aloud."""
    return " x ".join(str(n) for n in shape)


def backward_error(a: Array, product: Array) -> float:
    """The size of ``a - product`` relative to ``a``, in units of n*eps: about 1 or less is as good as it gets."""
    return float(np.linalg.norm(a - product) / (np.linalg.norm(a) * max(a.shape[-2:]) * EPS))


def solve_error(a: Array, x: Array, b: Array) -> float:
    """The smallest relative change of ``a`` and ``b`` that makes ``x`` exact, in units of n*eps."""
    scale = np.linalg.norm(a) * np.linalg.norm(x) + np.linalg.norm(b)
    return float(np.linalg.norm(b - a @ x) / (scale * max(a.shape) * EPS))
