"""LAPACK AI: the LAPACK you trust, with NumPy's signatures, located errors and known conditioning.

    >>> import numpy as np, lapack_py as lap
    >>> U, S, Vh = lap.svd(np.eye(3))
    >>> x, report = lap.solve(np.eye(2), np.ones(2), return_report=True)
    >>> report.engine
    'cpu'

Every operation takes leading batch dimensions and float32, float64, complex64 or complex128; integers are converted to
float64. ``lap.doctor()`` says what was found on this machine.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _native
from ._doctor import Diagnosis, doctor
from ._errors import (
    ConfigError,
    ConvergenceError,
    DTypeError,
    GpuUnavailableError,
    LapackError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ProviderError,
    ShapeError,
    SingularMatrixError,
    SizeError,
    warning_counts,
)
from ._native import (
    Report,
    cholesky,
    config,
    eigh,
    eigvalsh,
    get_num_threads,
    library_info,
    lstsq,
    matmul,
    observe,
    qr,
    set_num_threads,
    solve,
    svd,
    svdvals,
)
from ._results import EighResult, LstsqResult, QRResult, SVDResult

if TYPE_CHECKING:
    from ._warnings import DriverFallbackWarning, GpuNotUsedWarning, IllConditionedWarning, LapackWarning

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "ConvergenceError",
    "DTypeError",
    "Diagnosis",
    "DriverFallbackWarning",
    "EighResult",
    "GpuNotUsedWarning",
    "GpuUnavailableError",
    "IllConditionedWarning",
    "LapackError",
    "LapackWarning",
    "LstsqResult",
    "NonFiniteError",
    "NotPositiveDefiniteError",
    "ProviderError",
    "QRResult",
    "Report",
    "SVDResult",
    "ShapeError",
    "SingularMatrixError",
    "SizeError",
    "cholesky",
    "config",
    "doctor",
    "eigh",
    "eigvalsh",
    "get_num_threads",
    "library_info",
    "lstsq",
    "matmul",
    "observe",
    "qr",
    "set_num_threads",
    "solve",
    "svd",
    "svdvals",
    "warning_counts",
]


def __getattr__(name: str) -> Any:
    # The warning classes derive from SciPy's, and importing scipy.linalg takes longer than most programs' first call.
    if name in {"LapackWarning", "IllConditionedWarning", "GpuNotUsedWarning", "DriverFallbackWarning"}:
        from . import _warnings

        return getattr(_warnings, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _hint_at_wheels() -> None:
    """Tells the search for a LAPACK where this interpreter's OpenBLAS wheels lie."""
    for package in ("scipy_openblas32", "scipy_openblas64"):
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for library in sorted(Path(folder, "lib").glob("libscipy_openblas*")):
                if library.suffix in {".so", ".dylib", ".dll"}:
                    _native.add_library_hint(library)


def _set_log_level() -> None:
    """Sets the level of the ``lapack_py`` logger from LAPACK_LOG_LEVEL."""
    # A wrong setting is reported by the first call, which is where an error can be caught.
    with contextlib.suppress(ConfigError):
        logging.getLogger("lapack_py").setLevel(config()["log_level"])


_hint_at_wheels()
_set_log_level()
