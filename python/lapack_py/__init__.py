"""LAPACK AI: the LAPACK you trust, with NumPy's signatures, located errors and known conditioning.

    >>> import numpy as np, lapack_py as lap
    >>> U, S, Vh = lap.svd(np.eye(3))
    >>> x, report = lap.solve(np.eye(2), np.ones(2), return_report=True)
    >>> report.engine
    'cpu'

Every operation takes leading batch dimensions and float32, float64, complex64 or complex128; integers are converted to
float64. ``lapack_py.linalg`` has the names of ``numpy.linalg`` and can stand in for it. ``lap.doctor()`` says what was
found on this machine.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from . import _threadpools, linalg
from ._composed.exponential import expm
from ._composed.norms import cond, matrix_norm, norm, vector_norm
from ._composed.principal import PCAResult, pca
from ._composed.products import matrix_power, multi_dot
from ._composed.randomized import randomized_svd
from ._composed.subspaces import matrix_rank, null_space, orth, pinv, polar
from ._device import (
    DeviceStatus,
    DispatchExplanation,
    TunedClass,
    TuningResult,
    calibrate,
    device,
    devices,
    explain_dispatch,
    progress,
    tune,
)
from ._doctor import Diagnosis, doctor
from ._errors import (
    ConfigError,
    ConvergenceError,
    DTypeError,
    GpuError,
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
from ._explain import Condition, Explanation, RoutineArgument, explain, explain_info, explain_iter
from ._monitor import Monitor, monitor
from ._native import (
    DeviceArray,
    Report,
    cho_factor,
    cho_solve,
    cholesky,
    cholesky_update,
    config,
    det,
    dgemm_alpha,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    get_num_threads,
    inv,
    library_info,
    lstsq,
    lu,
    lu_factor,
    lu_solve,
    matmul,
    observe,
    qr,
    rcond,
    schur,
    set_num_threads,
    slogdet,
    solve,
    solve_banded,
    solve_triangular,
    solveh_banded,
    svd,
    svdvals,
    to_device,
    trim,
)
from ._provider import hint_at_packages, set_lapack
from ._results import (
    EighResult,
    EigResult,
    LstsqResult,
    PolarResult,
    QRResult,
    RandomizedSVDResult,
    SchurResult,
    SlogdetResult,
    SVDResult,
)
from ._validate import Check, Validation, validate

if TYPE_CHECKING:
    from ._warnings import (
        BatchPartialWarning,
        DriverFallbackWarning,
        EigenvectorsDependentWarning,
        FixAppliedWarning,
        GpuNotUsedWarning,
        IllConditionedWarning,
        InfiniteEigenvaluesWarning,
        InPiecesWarning,
        LapackWarning,
        NotAFactorWarning,
        NotSymmetricWarning,
        RankUncertainWarning,
        ResultOverflowWarning,
        TuningIgnoredWarning,
    )

__version__ = "0.1.0"

__all__ = [
    "BatchPartialWarning",
    "Check",
    "Condition",
    "ConfigError",
    "ConvergenceError",
    "DTypeError",
    "DeviceArray",
    "DeviceStatus",
    "Diagnosis",
    "DispatchExplanation",
    "DriverFallbackWarning",
    "EigResult",
    "EigenvectorsDependentWarning",
    "EighResult",
    "Explanation",
    "FixAppliedWarning",
    "GpuError",
    "GpuNotUsedWarning",
    "GpuUnavailableError",
    "IllConditionedWarning",
    "InPiecesWarning",
    "InfiniteEigenvaluesWarning",
    "LapackError",
    "LapackWarning",
    "LstsqResult",
    "Monitor",
    "NonFiniteError",
    "NotAFactorWarning",
    "NotPositiveDefiniteError",
    "NotSymmetricWarning",
    "PCAResult",
    "PolarResult",
    "ProviderError",
    "QRResult",
    "RandomizedSVDResult",
    "RankUncertainWarning",
    "Report",
    "ResultOverflowWarning",
    "RoutineArgument",
    "SVDResult",
    "SchurResult",
    "ShapeError",
    "SingularMatrixError",
    "SizeError",
    "SlogdetResult",
    "TunedClass",
    "TuningIgnoredWarning",
    "TuningResult",
    "Validation",
    "calibrate",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "cholesky_update",
    "cond",
    "config",
    "det",
    "device",
    "devices",
    "dgemm_alpha",
    "doctor",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "explain",
    "explain_dispatch",
    "explain_info",
    "explain_iter",
    "expm",
    "get_num_threads",
    "inv",
    "library_info",
    "linalg",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "monitor",
    "multi_dot",
    "norm",
    "null_space",
    "observe",
    "orth",
    "pca",
    "pinv",
    "polar",
    "progress",
    "qr",
    "randomized_svd",
    "rcond",
    "schur",
    "set_lapack",
    "set_num_threads",
    "slogdet",
    "solve",
    "solve_banded",
    "solve_triangular",
    "solveh_banded",
    "svd",
    "svdvals",
    "to_device",
    "trim",
    "tune",
    "validate",
    "vector_norm",
    "warning_counts",
]


_WARNINGS = frozenset(
    {
        "LapackWarning",
        "IllConditionedWarning",
        "GpuNotUsedWarning",
        "DriverFallbackWarning",
        "InPiecesWarning",
        "TuningIgnoredWarning",
        "RankUncertainWarning",
        "EigenvectorsDependentWarning",
        "InfiniteEigenvaluesWarning",
        "NotAFactorWarning",
        "ResultOverflowWarning",
        "NotSymmetricWarning",
        "BatchPartialWarning",
        "FixAppliedWarning",
    }
)


def __getattr__(name: str) -> Any:
    # The warning classes derive from SciPy's, and importing scipy.linalg takes longer than most programs' first call.
    if name in _WARNINGS:
        from . import _warnings

        return getattr(_warnings, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _set_log_level() -> None:
    """Sets the level of the ``lapack_py`` logger from LAPACK_LOG_LEVEL."""
    # A wrong setting is reported by the first call, which is where an error can be caught.
    with contextlib.suppress(ConfigError):
        logging.getLogger("lapack_py").setLevel(config()["log_level"])


hint_at_packages()
_threadpools.register()
_set_log_level()
# Whole programs are watched without a change to them.
if os.environ.get("LAPACK_AI_PUBLISH", "0") not in ("", "0"):
    monitor(publish=True)
