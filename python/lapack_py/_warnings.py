"""Warning classes, derived from SciPy's LinAlgWarning where SciPy is installed, else from its base, RuntimeWarning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._errors import _Fields

if TYPE_CHECKING:
    _Base = RuntimeWarning
else:
    try:
        from scipy.linalg import LinAlgWarning as _Base
    except ImportError:
        _Base = RuntimeWarning


class LapackWarning(_Fields, _Base):
    """Base of all warnings of lapack_py; has the fields of `LapackError` and ``count``, how often its line gave it."""

    count: int

    def __init__(self, fields: dict[str, Any], count: int) -> None:
        times = f" ({count} times at this line)" if count > 1 else ""
        super().__init__(fields["message"] + times)
        self._fill(fields)
        self.count = count

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._fields(), self.count)


class IllConditionedWarning(LapackWarning):
    """LAP-W001: no digit of the result is certain."""


class GpuNotUsedWarning(LapackWarning):
    """LAP-W002: a GPU was asked for; the CPU computed."""


class DriverFallbackWarning(LapackWarning):
    """LAP-W003: the first LAPACK driver failed; another gave the result."""


class InPiecesWarning(LapackWarning):
    """LAP-W004: the operands did not fit the device at once and went in pieces."""


class TuningIgnoredWarning(LapackWarning):
    """LAP-W005: the file of what was tuned for a device cannot be used."""


class RankUncertainWarning(LapackWarning):
    """LAP-W006: singular values lie around the tolerance that decides the rank."""


class ResultOverflowWarning(LapackWarning):
    """LAP-W007: the result is beyond the range of its type."""


class NotSymmetricWarning(LapackWarning):
    """LAP-W008: one triangle was read, and the other one says something else."""


class BatchPartialWarning(LapackWarning):
    """LAP-W009: some matrices of a batch failed; the results of the others are there."""


class EigenvectorsDependentWarning(LapackWarning):
    """LAP-W016: eigenvectors are parallel; the matrix is defective."""


class InfiniteEigenvaluesWarning(LapackWarning):
    """LAP-W017: eigenvalues of a pair are infinite."""


class NotAFactorWarning(LapackWarning):
    """LAP-W018: a whole matrix was given for its factor."""


class FixAppliedWarning(LapackWarning):
    """LAP-I001: autofix applied a fix that gives what was asked for."""


_CLASSES: dict[str, type[LapackWarning]] = {
    "LAP-W001": IllConditionedWarning,
    "LAP-W002": GpuNotUsedWarning,
    "LAP-W003": DriverFallbackWarning,
    "LAP-W004": InPiecesWarning,
    "LAP-W005": TuningIgnoredWarning,
    "LAP-W006": RankUncertainWarning,
    "LAP-W007": ResultOverflowWarning,
    "LAP-W008": NotSymmetricWarning,
    "LAP-W009": BatchPartialWarning,
    "LAP-W016": EigenvectorsDependentWarning,
    "LAP-W017": InfiniteEigenvaluesWarning,
    "LAP-W018": NotAFactorWarning,
    "LAP-I001": FixAppliedWarning,
}


def from_native(fields: dict[str, Any], count: int) -> LapackWarning:
    """The warning of a core error."""
    return _CLASSES.get(fields["code"], LapackWarning)(fields, count)
