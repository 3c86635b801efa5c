"""What a case is, the words that name a cause, and the checks of what a fix gave.

The expressions in `names` say what a text has to contain before it may count as naming the true cause: the kind of the
fault and its own evidence (the two columns, the element, the shapes, the eigenvalue). They were written from the causes
alone, before the texts, and stay as they are. Indices count from 0. Every expression is searched for in the whole text,
one line at a time (`.` stops at the end of a line), whatever the case of its letters.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from helpers import within

Data = dict[str, Any]
Call = Callable[[Data], Any]


@dataclass(frozen=True)
class Case:
    """A call that failed, or was silently wrong, as somebody met it."""

    id: str
    kind: str
    source: str  # The thread, or "none found".
    asked: str  # What the person wanted.
    true_cause: str
    names: tuple[str, ...]
    make: Callable[[], Data]
    numpy: Call | None  # None where the library has no such call.
    scipy: Call | None
    lap: Call
    fix: str  # Matches the text of one of the fixes.
    fixed: Call
    check: Callable[[Data, Any], None]
    # The louder one of NumPy and SciPy; "silent" is a wrong or useless result of both without a word.
    expects: Literal["error", "warning", "silent"]
    steps_scipy: tuple[str, ...] = ()  # From SciPy's text to a call that works.
    steps_lap: tuple[str, ...] = ()  # The same from a text that names the cause and the fix.
    needs_opencl: bool = False


class ToldElsewhere(Exception):
    """What the library said in a process of its own, with the face of its errors."""

    def __init__(self, text: str, report: str, fixes: list[tuple[str, str]]) -> None:
        super().__init__(text)
        self._report = report
        self.fixes = fixes

    def report(self) -> str:
        return self._report


_ELSEWHERE = """
import json
import numpy as np
import lapack_py as lap
from lapack_py import _native
a = np.random.default_rng(3).standard_normal((48, 48))
try:
{code}
except lap.LapackError as error:
    fixes = [list(fix) for fix in getattr(error, "fixes", [])]
    print(json.dumps({{"text": str(error), "report": error.report(), "fixes": fixes}}))
else:
    print(json.dumps({{"result": result.tolist()}}))
"""


def elsewhere(code: str, **environment: str | None) -> np.ndarray:
    """Runs lines that set `result` in a new process, since the library looks for devices once, and gives it.

    What the library raises there is raised here. `a` is a matrix of 48 x 48; a variable that is None is unset.
    """
    variables: dict[str, str | None] = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE.format(code=textwrap.indent(textwrap.dedent(code), "    "))],
        capture_output=True,
        text=True,
        timeout=120,
        env={name: value for name, value in variables.items() if value is not None},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    if "result" in told:
        return np.array(told["result"])
    raise ToldElsewhere(told["text"], told["report"], [(applicability, text) for applicability, text in told["fixes"]])


# Words that name a cause.

SINGULAR = r"singular|no inverse|not invertible|linearly dependent|rank[- ]deficient|rank \d+"
DEPENDENT = r"combination|dependent|redundant|collinear|sum of|rank \d+ of|rank is \d+|null (space|vector)"
EQUAL = r"equal|identical|duplicat|the same|cop(y|ies)|repeat|multiple|proportional"
NEARLY = r"near|almost|close to|to within|differ(s)? (by|in)|correlat|to \d+ digits"
ILL = r"ill.?condition|nearly singular|close to singular|almost singular|condition number"
NOT_POSITIVE = r"not positive.?definite|indefinite|not positive semi"
CONSTANT = (
    r"(row|column|line|element)s?[^\n]{0,60}\b(add(s)? up|sum(s)?)\b[^\n]{0,10} (0|zero)\b"
    r"|constant vector|vector of ones|all.ones|null ?(space|vector)[^\n]{0,60}(constant|ones|equal)"
)
NOT_SYMMETRIC = r"not (\w+ )?(symmetric|hermitian)|(un|non|a)-?symmetric|non-?hermitian|symmetry"


def column(*indices: int) -> str:
    """Names these columns, in this order."""
    return r"(col|\[:, ?)[^\n]{0,50}?\b" + r"\b[^\n]{1,60}?\b".join(map(str, indices)) + r"\b"


def row(*indices: int) -> str:
    return r"(row|equation|\[)[^\n]{0,50}?\b" + r"\b[^\n]{1,60}?\b".join(map(str, indices)) + r"\b"


def zero_line(i: int) -> str:
    """Says that all of row or column i is zero."""
    kind = r"(row|col|equation|variable|feature)\w*"
    return (
        rf"{kind}[^\n]{{0,30}}\b{i}\b[^\n]{{0,40}}\b(all|only|entirely|wholly|nothing but|every)\b[^\n]{{0,20}}(0|zero)"
        rf"|{kind}[^\n]{{0,30}}\b{i}\b,? (is|are|has|have|holds?) (0|zero|only zero|nothing)"
        rf"|(zero|empty) {kind}[^\n]{{0,30}}\b{i}\b"
        rf"|(only|all)[ -]zeros?[^\n]{{0,30}}\b{i}\b"
    )


def lines(*indices: int) -> str:
    """Names these rows or columns of a matrix with the same rows as columns."""
    return r"(row|col|equation|line|variable|\[)[^\n]{0,60}?\b" + r"\b[^\n]{1,60}?\b".join(map(str, indices)) + r"\b"


def element(i: int, j: int) -> str:
    """Names the element in row i and column j, in whatever order and notation."""
    return rf"\b{i}\b\D{{1,16}}\b{j}\b|col\w* {j}\b\D{{1,16}}\b{i}\b"


def slices(*indices: int) -> str:
    """Names these matrices of a batch."""
    return r"(matri|slice|batch|member|\[)[^\n]{0,60}?\b" + r"\b[^\n]{1,60}?\b".join(map(str, indices)) + r"\b"


def shape(*sizes: int) -> str:
    """Names a shape: (60, 8), 60 x 8, 60 by 8."""
    return r"\b" + r"(,? ?\)?,? | ?[x×,] ?| by )".join(map(str, sizes)) + r"\b"


# Checks of results, in units of n*eps.


def _norm(a: Any) -> float:
    return float(np.linalg.norm(np.asarray(a)))


def _dtype(*arrays: Any) -> np.dtype:
    return np.result_type(*(np.asarray(array).dtype for array in arrays), np.float32)


def solves(a: Any, x: Any, b: Any, *, dtype: Any = None) -> None:
    """The backward error of a solution."""
    a, x, b = np.asarray(a), np.asarray(x), np.asarray(b)
    assert np.isfinite(x).all(), "the solution is not finite"
    error = _norm(b - a @ x) / (_norm(a) * _norm(x) + _norm(b))
    within(error, a.shape[-1], dtype or _dtype(a, b), "backward error of a solution")


def least_squares(a: Any, x: Any, b: Any, *, units: float = 1.0) -> None:
    """The residual is orthogonal to the columns."""
    a, x, b = np.asarray(a), np.asarray(x), np.asarray(b)
    assert np.isfinite(x).all(), "the solution is not finite"
    error = _norm(a.conj().T @ (b - a @ x)) / (_norm(a) * (_norm(a) * _norm(x) + _norm(b)))
    within(error / units, max(a.shape), _dtype(a, b), "gradient of a least squares solution")


def same(result: Any, right: Any, *, units: float = 1.0, dtype: Any = None) -> None:
    """A result close to the right one, relative to its norm; `units` is what the condition of the problem allows."""
    result, right = np.asarray(result), np.asarray(right)
    assert result.shape == right.shape, f"{result.shape} instead of {right.shape}"
    assert np.isfinite(result).all(), "the result is not finite"
    error = _norm(result - right) / max(_norm(right), np.finfo(float).tiny)
    within(error / units, max((*right.shape, 1)), dtype or _dtype(result, right), "relative error of a result")


def pseudo_inverse(a: Any, p: Any, *, units: float = 1.0) -> None:
    """The first and third condition of Penrose."""
    a, p = np.asarray(a), np.asarray(p)
    within(_norm(a @ p @ a - a) / (_norm(a) ** 2 * _norm(p)) / units, max(a.shape), _dtype(a), "A P A - A")
    within(_norm(a @ p - (a @ p).conj().T) / (_norm(a) * _norm(p)) / units, max(a.shape), _dtype(a), "symmetry of A P")


def factor(lower: Any, a: Any) -> None:
    """A Cholesky factor L of A."""
    lower = np.asarray(lower)
    assert (np.triu(lower, 1) == 0).all(), "the factor is not lower triangular"
    same(lower @ lower.conj().T, a)


def svd_of(a: Any, result: Any) -> None:
    u, s, vh = result
    same(np.asarray(u) * np.asarray(s) @ np.asarray(vh), a)


def eigen_of(a: Any, result: Any) -> None:
    """Pairs of eigenvalues and eigenvectors."""
    values, vectors = map(np.asarray, result)
    assert np.isfinite(values).all()
    error = _norm(a @ vectors - vectors * values) / (_norm(a) * _norm(vectors))
    within(error, np.shape(a)[-1], _dtype(a), "residual of eigenpairs")
