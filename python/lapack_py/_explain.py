"""What codes and INFO mean: ``lap.explain``, ``lap.explain_info`` and ``lap.explain_iter``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import _native
from ._errors import LapackError, raised_here

if TYPE_CHECKING:
    from ._warnings import LapackWarning


@dataclass(frozen=True, repr=False)
class _Told:
    """What both have: the text, and the fields as a dictionary."""

    _text: str = field(kw_only=True)
    _fields: dict[str, Any] = field(kw_only=True, hash=False)

    def report(self) -> str:
        """The whole text, over several lines; printing shows it too."""
        return self._text

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain dictionaries, lists, text and numbers, as ``lapack-ai explain --json`` prints them."""
        copied: dict[str, Any] = json.loads(json.dumps(self._fields))
        return copied

    def __str__(self) -> str:
        return self._text


@dataclass(frozen=True, repr=False)
class Condition(_Told):
    """The meaning of a code: what `explain` returns.

    ``name`` is short and for programs, ``title`` half a sentence, ``meaning`` says what became of the result. ``fixes``
    are pairs of how safe a fix is and what it says, as errors have them.
    """

    code: str
    name: str
    severity: str
    title: str
    meaning: str
    cause: str
    fixes: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"<{self.code}: {self.title}>"


@dataclass(frozen=True)
class RoutineArgument:
    """An argument of a LAPACK routine: its ``position`` from 1, LAPACK's ``name``, what it is, and which argument of
    lapack_py's operation decides it (``user``; None where there is none)."""

    position: int
    name: str
    meaning: str
    user: str | None


@dataclass(frozen=True, repr=False)
class Explanation(_Told):
    """The meaning of a number that LAPACK or OpenCL returned: what `explain_info` and `explain_iter` return.

    ``summary`` is one line, ``meaning`` has the terms of the method. ``code``, ``severity`` and ``info_class`` are None
    where the number has several meanings; then ``possibilities`` has each, with ``when`` it holds. ``argument`` is the
    one that was refused, ``index`` the row, column or pivot, from 0. ``fixes`` are pairs as errors have them.
    """

    routine: str
    info: int
    code: str | None
    severity: str | None
    info_class: str | None
    summary: str
    meaning: str
    cause: str
    fixes: tuple[tuple[str, str], ...]
    argument: RoutineArgument | None
    index: int | None
    when: str
    possibilities: tuple[Explanation, ...]

    def __repr__(self) -> str:
        return f"<{self.summary.removesuffix('.')}>"


def _pairs(fixes: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((fix["applicability"], fix["text"]) for fix in fixes)


def _condition(fields: dict[str, Any]) -> Condition:
    text = fields.pop("report")
    own = {name: fields[name] for name in ("code", "name", "severity", "title", "meaning", "cause")}
    return Condition(**own, fixes=_pairs(fields["fixes"]), _text=text, _fields=fields)


def _explanation(fields: dict[str, Any]) -> Explanation:
    text = fields.pop("report")
    own = {
        name: fields[name] for name in ("routine", "info", "code", "severity", "summary", "meaning", "cause", "when")
    }
    argument = fields["argument"]
    return Explanation(
        **own,
        index=fields["index"],
        info_class=fields["class"],
        fixes=_pairs(fields["fixes"]),
        argument=None if argument is None else RoutineArgument(**argument),
        possibilities=tuple(map(_explanation, fields["possibilities"])),
        _text=text,
        _fields=fields,
    )


def _unknown(operation: str, argument: str, error: ValueError) -> LapackError:
    cause = "the catalogue has the codes of this library, the routines of LAPACK 3.12 and the errors of OpenCL 3.0"
    return raised_here("LAP-E005", operation, argument, str(error), cause, ("maybe", "see lapack-ai explain --list."))


def explain(code: str | LapackError | LapackWarning) -> Condition:
    """What a code means, its usual cause, and what helps.

    ``code`` is like ``"LAP-E010"`` (``"e010"`` will do), or an error or warning of this library. An error knows more
    than its code: see its ``report()``.

        >>> print(lap.explain("LAP-E010"))
        LAP-E010: the matrix is singular.
          meaning: A pivot of the factorisation is exactly 0: ...
          cause: a row or column is zero, repeated, or a combination of others
          fix (maybe): use lstsq or pinv for the least-norm solution.
          ...
        >>> lap.explain("LAP-W001").severity
        'warning'
    """
    told = code if isinstance(code, str) else code.code
    try:
        return _condition(json.loads(_native.explain(told, None, None, None)))
    except ValueError as error:
        raise _unknown("explain", "code", error) from None


def explain_info(routine: str, info: int, n: int | None = None, m: int | None = None) -> Explanation:
    """What the INFO means that a LAPACK routine returned to you or to another library.

    ``routine`` may be in any case, with or without type (``"dgesvx"``, ``"gesvx"``), with a trailing underscore or as
    ``"LAPACKE_dgesvx"``, where positions are those of the C function; ``"opencl"`` takes an error code of OpenCL. Some
    INFO can be read only with the dimensions ``m`` and ``n`` of the call; without them the explanation lists what is
    possible.

        >>> print(lap.explain_info("dgesvx", 5, n=4).summary)
        dgesvx: solved, but no digit is certain: rcond is below the precision.
        >>> [(possible.info_class, possible.when) for possible in lap.explain_info("dgesvx", 5).possibilities]
        [('U_ZERO_PIVOT', 'n >= 5'), ('RCOND_LT_EPS', 'n = 4')]
        >>> lap.explain_info("dgesv", -4).argument
        RoutineArgument(position=4, name='LDA', meaning='distance between columns of A ...', user='a')
    """
    try:
        return _explanation(json.loads(_native.explain(routine, info, n, m)))
    except ValueError as error:
        raise _unknown("explain_info", "routine", error) from None


def explain_iter(routine: str, iter: int) -> Explanation:
    """What ITER means, which ``dsgesv``, ``dsposv``, ``zcgesv`` and ``zcposv`` return beside INFO.

    >>> lap.explain_iter("dsgesv", -3).summary
    'dsgesv: low precision met a singular or indefinite matrix.'
    """
    try:
        return _explanation(json.loads(_native.explain_iter(routine, iter)))
    except ValueError as error:
        raise _unknown("explain_iter", "routine", error) from None
