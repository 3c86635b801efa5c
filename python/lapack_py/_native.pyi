"""Types of the compiled half of lapack_py."""

from collections.abc import Callable, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Literal, NoReturn, TypeAlias, TypedDict, TypeVar, final, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._errors import LapackError
from ._results import EighResult, EigResult, LstsqResult, QRResult, SchurResult, SlogdetResult, SVDResult

__all__ = [
    "DeviceArray",
    "NativeMonitor",
    "Report",
    "Subscription",
    "add_library_hint",
    "add_table_hint",
    "calibrate",
    "capsule_address",
    "catalogue",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "cholesky_update",
    "close_breaker",
    "config",
    "det",
    "devices",
    "dgemm_alpha",
    "doctor",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "explain",
    "explain_dispatch",
    "explain_iter",
    "get_num_threads",
    "inject_fault",
    "inv",
    "is_autofixing",
    "library_info",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "matmul",
    "observe",
    "qr",
    "rcond",
    "reset_tuning",
    "schur",
    "set_current_device",
    "set_device_memory_limit",
    "set_library",
    "set_num_threads",
    "set_progress",
    "slogdet",
    "solve",
    "solve_banded",
    "solve_triangular",
    "solveh_banded",
    "start_monitor",
    "svd",
    "svdvals",
    "to_device",
    "trim",
    "tune",
    "validate",
]

_Array: TypeAlias = NDArray[Any]
_Gpu: TypeAlias = Literal["auto", "require"] | bool | None
_Device: TypeAlias = str | int | None
_Failures: TypeAlias = Literal["raise", "warn", "collect"]
_Autofix: TypeAlias = Literal["safe", False] | None
_Triangle: TypeAlias = Literal["L", "U", "l", "u"]
_RcondSource: TypeAlias = Literal["probe", "pivots", "estimator", "singular-values", "diagonal", "inverse"]
_GemmAlgorithm: TypeAlias = Literal["auto", "classical", "strassen", "winograd", "alphatensor", "rank48"]
_Transpose: TypeAlias = Literal[0, 1, 2, "N", "T", "C", "n", "t", "c"]
_T = TypeVar("_T")
_Pair: TypeAlias = Sequence[_T] | NDArray[Any]
_Factors: TypeAlias = Literal["reduced", "economic", "complete", "full"]
_Structure: TypeAlias = Literal[
    "auto",
    "gen",
    "general",
    "banded",
    "tridiagonal",
    "sym",
    "symmetric",
    "her",
    "hermitian",
    "pos",
    "positive definite",
    "upper triangular",
    "lower triangular",
    "diagonal",
]

class _Times(TypedDict):
    total: float
    intake: float
    compute: float
    transfer: float
    conditioning: float

class _Prediction(TypedDict):
    cpu: float | None
    gpu: float | None
    transfer: float | None

class _Config(TypedDict):
    gpu_enabled: bool
    gpu_memory_limit: int
    batch_size_limit: int | None
    gpu_device: str | None
    gpu_verify: Literal["sample", "full", "off"]
    gpu_timeout_seconds: int
    gpu_breaker_failures: int
    gpu_breaker_seconds: int
    dashboard_port: int
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    library: str | None

class _Library(TypedDict):
    path: str
    version: str
    vendor: str
    integer_bits: int
    threads: int

@final
class Report:
    @property
    def operation(self) -> str: ...
    @property
    def dtype(self) -> Literal["float32", "float64", "complex64", "complex128"]: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def engine(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def device(self) -> str | None: ...
    @property
    def prediction(self) -> _Prediction | None: ...
    @property
    def chunks(self) -> int: ...
    @property
    def verified(self) -> bool: ...
    @property
    def spans(self) -> list[tuple[str, float, float, int]]: ...
    @property
    def routine(self) -> str: ...
    @property
    def structure(self) -> str | None: ...
    @property
    def algorithm(self) -> Literal["classical", "strassen", "winograd", "alphatensor", "rank48"] | None: ...
    @property
    def refinements(self) -> int | None: ...
    @property
    def workers(self) -> int: ...
    @property
    def copies(self) -> int: ...
    @property
    def bytes_copied(self) -> int: ...
    @property
    def rcond(self) -> float | None: ...
    @property
    def rcond_source(
        self,
    ) -> Literal["probe", "pivots", "estimator", "singular-values", "diagonal", "inverse"] | None: ...
    @property
    def rcond_matrix(self) -> int: ...
    @property
    def times(self) -> _Times: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def failures(self) -> list[LapackError]: ...

@final
class DeviceArray:
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def device(self) -> str: ...
    @property
    def device_number(self) -> int: ...
    @property
    def T(self) -> DeviceArray: ...
    @property
    def mT(self) -> DeviceArray: ...
    __array_ufunc__: None
    def numpy(self) -> _Array: ...
    def copy(self) -> DeviceArray: ...
    def conj(self) -> DeviceArray: ...
    def reshape(self, *shape: Any) -> DeviceArray: ...
    def norm(self, ord: Any = None) -> Any: ...
    def __getitem__(self, key: Any, /) -> DeviceArray: ...
    def __len__(self) -> int: ...
    def __matmul__(self, value: Any, /) -> DeviceArray: ...
    def __rmatmul__(self, value: Any, /) -> DeviceArray: ...
    def __mul__(self, value: complex, /) -> DeviceArray: ...
    def __rmul__(self, value: complex, /) -> DeviceArray: ...
    def __truediv__(self, value: complex, /) -> DeviceArray: ...
    def __neg__(self) -> DeviceArray: ...
    def __add__(self, value: DeviceArray, /) -> DeviceArray: ...
    def __sub__(self, value: DeviceArray, /) -> DeviceArray: ...
    # Python finds these too, made beside the others; they take nothing.
    def __radd__(self, value: NoReturn, /) -> DeviceArray: ...
    def __rsub__(self, value: NoReturn, /) -> DeviceArray: ...
    def __rtruediv__(self, value: NoReturn, /) -> DeviceArray: ...
    def __array__(self, *_args: Any, **_keywords: Any) -> NoReturn: ...

@final
class NativeMonitor:
    @property
    def url(self) -> str | None: ...
    @property
    def port(self) -> int | None: ...
    @property
    def token(self) -> str | None: ...
    @property
    def connected(self) -> bool: ...
    @property
    def running_now(self) -> bool: ...
    def snapshot_json(self) -> str: ...
    def close(self) -> None: ...

@final
class Subscription:
    def close(self) -> None: ...
    def __enter__(self) -> Subscription: ...
    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
        /,
    ) -> None: ...

# Each function returns its result alone, or with the report beside it; what `compute_uv` and `mode` do to the result
# itself doubles the overloads of `svd` and triples those of `qr`. The last overload is for flags known only when run.
@overload
def svd(
    a: ArrayLike,
    full_matrices: bool = True,
    compute_uv: Literal[True] = True,
    hermitian: bool = False,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: Literal["gesdd"] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> SVDResult: ...
@overload
def svd(
    a: ArrayLike,
    full_matrices: bool = True,
    compute_uv: Literal[True] = True,
    hermitian: bool = False,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: Literal["gesdd"] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[SVDResult, Report]: ...
@overload
def svd(
    a: ArrayLike,
    full_matrices: bool = True,
    *,
    compute_uv: Literal[False],
    hermitian: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: Literal["gesdd"] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> _Array: ...
@overload
def svd(
    a: ArrayLike,
    full_matrices: bool = True,
    *,
    compute_uv: Literal[False],
    hermitian: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: Literal["gesdd"] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[_Array, Report]: ...
@overload
def svd(
    a: ArrayLike,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: Literal["gesdd"] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def svdvals(
    x: ArrayLike,
    /,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> _Array: ...
@overload
def svdvals(
    x: ArrayLike,
    /,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[_Array, Report]: ...
@overload
def svdvals(
    x: ArrayLike,
    /,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def solve(
    a: ArrayLike,
    b: ArrayLike,
    *,
    assume_a: _Structure | None = "auto",
    lower: bool = False,
    mixed_precision: bool = False,
    equilibrate: bool = False,
    transposed: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> _Array: ...
@overload
def solve(
    a: ArrayLike,
    b: ArrayLike,
    *,
    assume_a: _Structure | None = "auto",
    lower: bool = False,
    mixed_precision: bool = False,
    equilibrate: bool = False,
    transposed: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[_Array, Report]: ...
@overload
def solve(
    a: ArrayLike,
    b: ArrayLike,
    *,
    assume_a: _Structure | None = "auto",
    lower: bool = False,
    mixed_precision: bool = False,
    equilibrate: bool = False,
    transposed: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def lstsq(
    a: ArrayLike,
    b: ArrayLike,
    rcond: float | None = None,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> LstsqResult: ...
@overload
def lstsq(
    a: ArrayLike,
    b: ArrayLike,
    rcond: float | None = None,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[LstsqResult, Report]: ...
@overload
def lstsq(
    a: ArrayLike,
    b: ArrayLike,
    rcond: float | None = None,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def eig(
    a: ArrayLike,
    b: ArrayLike | None = None,
    *,
    left: Literal[False] = False,
    right: Literal[True] = True,
    homogeneous_eigvals: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> EigResult: ...
@overload
def eig(
    a: ArrayLike,
    b: ArrayLike | None = None,
    *,
    left: Literal[False] = False,
    right: Literal[True] = True,
    homogeneous_eigvals: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[EigResult, Report]: ...
@overload
def eig(
    a: ArrayLike,
    b: ArrayLike | None = None,
    *,
    left: bool = False,
    right: bool = True,
    homogeneous_eigvals: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def eigvals(
    a: ArrayLike,
    b: ArrayLike | None = None,
    *,
    homogeneous_eigvals: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> _Array: ...
@overload
def eigvals(
    a: ArrayLike,
    b: ArrayLike | None = None,
    *,
    homogeneous_eigvals: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[_Array, Report]: ...
@overload
def eigvals(
    a: ArrayLike,
    b: ArrayLike | None = None,
    *,
    homogeneous_eigvals: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def eigh(
    a: ArrayLike,
    UPLO: _Triangle | ArrayLike = "L",
    *,
    b: ArrayLike | None = None,
    lower: bool | None = None,
    eigvals_only: Literal[False] = False,
    type: Literal[1, 2, 3] = 1,
    subset_by_index: _Pair[int] | None = None,
    subset_by_value: _Pair[float] | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> EighResult: ...
@overload
def eigh(
    a: ArrayLike,
    UPLO: _Triangle | ArrayLike = "L",
    *,
    b: ArrayLike | None = None,
    lower: bool | None = None,
    eigvals_only: Literal[False] = False,
    type: Literal[1, 2, 3] = 1,
    subset_by_index: _Pair[int] | None = None,
    subset_by_value: _Pair[float] | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[EighResult, Report]: ...
@overload
def eigh(
    a: ArrayLike,
    UPLO: _Triangle | ArrayLike = "L",
    *,
    b: ArrayLike | None = None,
    lower: bool | None = None,
    eigvals_only: bool = False,
    type: Literal[1, 2, 3] = 1,
    subset_by_index: _Pair[int] | None = None,
    subset_by_value: _Pair[float] | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def eigvalsh(
    a: ArrayLike,
    UPLO: _Triangle | ArrayLike = "L",
    *,
    b: ArrayLike | None = None,
    lower: bool | None = None,
    type: Literal[1, 2, 3] = 1,
    subset_by_index: _Pair[int] | None = None,
    subset_by_value: _Pair[float] | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> _Array: ...
@overload
def eigvalsh(
    a: ArrayLike,
    UPLO: _Triangle | ArrayLike = "L",
    *,
    b: ArrayLike | None = None,
    lower: bool | None = None,
    type: Literal[1, 2, 3] = 1,
    subset_by_index: _Pair[int] | None = None,
    subset_by_value: _Pair[float] | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[_Array, Report]: ...
@overload
def eigvalsh(
    a: ArrayLike,
    UPLO: _Triangle | ArrayLike = "L",
    *,
    b: ArrayLike | None = None,
    lower: bool | None = None,
    type: Literal[1, 2, 3] = 1,
    subset_by_index: _Pair[int] | None = None,
    subset_by_value: _Pair[float] | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def schur(
    a: ArrayLike,
    output: Literal["real", "complex", "r", "c"] = "real",
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> SchurResult: ...
@overload
def schur(
    a: ArrayLike,
    output: Literal["real", "complex", "r", "c"] = "real",
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[SchurResult, Report]: ...
@overload
def schur(
    a: ArrayLike,
    output: Literal["real", "complex", "r", "c"] = "real",
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def qr(
    a: ArrayLike,
    mode: _Factors = "reduced",
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> QRResult: ...
@overload
def qr(
    a: ArrayLike,
    mode: _Factors = "reduced",
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[QRResult, Report]: ...
@overload
def qr(
    a: ArrayLike,
    mode: Literal["r"],
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> _Array: ...
@overload
def qr(
    a: ArrayLike,
    mode: Literal["r"],
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[_Array, Report]: ...
@overload
def qr(
    a: ArrayLike,
    mode: Literal["raw"],
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> tuple[_Array, _Array]: ...
@overload
def qr(
    a: ArrayLike,
    mode: Literal["raw"],
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[tuple[_Array, _Array], Report]: ...
@overload
def qr(
    a: ArrayLike,
    mode: _Factors | Literal["r", "raw"] = "reduced",
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def cholesky(
    a: ArrayLike,
    /,
    *,
    upper: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> _Array: ...
@overload
def cholesky(
    a: ArrayLike,
    /,
    *,
    upper: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[_Array, Report]: ...
@overload
def cholesky(
    a: ArrayLike,
    /,
    *,
    upper: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def inv(
    a: ArrayLike,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> _Array: ...
@overload
def inv(
    a: ArrayLike,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> tuple[_Array, Report]: ...
@overload
def inv(
    a: ArrayLike,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
    errors: _Failures = "raise",
    autofix: _Autofix = None,
) -> Any: ...
@overload
def slogdet(
    a: ArrayLike,
    *,
    overwrite_a: bool = False,
    check_finite: bool = False,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> SlogdetResult: ...
@overload
def slogdet(
    a: ArrayLike,
    *,
    overwrite_a: bool = False,
    check_finite: bool = False,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[SlogdetResult, Report]: ...
@overload
def slogdet(
    a: ArrayLike,
    *,
    overwrite_a: bool = False,
    check_finite: bool = False,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def lu_factor(
    a: ArrayLike,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> tuple[_Array, NDArray[np.int32]]: ...
@overload
def lu_factor(
    a: ArrayLike,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[tuple[_Array, NDArray[np.int32]], Report]: ...
@overload
def lu_factor(
    a: ArrayLike,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def lu_solve(
    lu_and_piv: tuple[ArrayLike, ArrayLike],
    b: ArrayLike,
    trans: _Transpose = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> _Array: ...
@overload
def lu_solve(
    lu_and_piv: tuple[ArrayLike, ArrayLike],
    b: ArrayLike,
    trans: _Transpose = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[_Array, Report]: ...
@overload
def lu_solve(
    lu_and_piv: tuple[ArrayLike, ArrayLike],
    b: ArrayLike,
    trans: _Transpose = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def cho_factor(
    a: ArrayLike,
    lower: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> tuple[_Array, bool]: ...
@overload
def cho_factor(
    a: ArrayLike,
    lower: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[tuple[_Array, bool], Report]: ...
@overload
def cho_factor(
    a: ArrayLike,
    lower: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def cho_solve(
    c_and_lower: tuple[ArrayLike, bool],
    b: ArrayLike,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> _Array: ...
@overload
def cho_solve(
    c_and_lower: tuple[ArrayLike, bool],
    b: ArrayLike,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[_Array, Report]: ...
@overload
def cho_solve(
    c_and_lower: tuple[ArrayLike, bool],
    b: ArrayLike,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def solve_triangular(
    a: ArrayLike,
    b: ArrayLike,
    trans: _Transpose = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> _Array: ...
@overload
def solve_triangular(
    a: ArrayLike,
    b: ArrayLike,
    trans: _Transpose = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[_Array, Report]: ...
@overload
def solve_triangular(
    a: ArrayLike,
    b: ArrayLike,
    trans: _Transpose = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def solve_banded(
    l_and_u: _Pair[int],
    ab: ArrayLike,
    b: ArrayLike,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> _Array: ...
@overload
def solve_banded(
    l_and_u: _Pair[int],
    ab: ArrayLike,
    b: ArrayLike,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[_Array, Report]: ...
@overload
def solve_banded(
    l_and_u: _Pair[int],
    ab: ArrayLike,
    b: ArrayLike,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def solveh_banded(
    ab: ArrayLike,
    b: ArrayLike,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> _Array: ...
@overload
def solveh_banded(
    ab: ArrayLike,
    b: ArrayLike,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[_Array, Report]: ...
@overload
def solveh_banded(
    ab: ArrayLike,
    b: ArrayLike,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def cholesky_update(
    L: ArrayLike,
    x: ArrayLike,
    *,
    downdate: bool = False,
    lower: bool = True,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> _Array: ...
@overload
def cholesky_update(
    L: ArrayLike,
    x: ArrayLike,
    *,
    downdate: bool = False,
    lower: bool = True,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[_Array, Report]: ...
@overload
def cholesky_update(
    L: ArrayLike,
    x: ArrayLike,
    *,
    downdate: bool = False,
    lower: bool = True,
    check_finite: bool = True,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...

# Two arrays with permute_l, else three.
@overload
def lu(
    a: ArrayLike,
    permute_l: Literal[False] = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    p_indices: bool = False,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> tuple[_Array, _Array, _Array]: ...
@overload
def lu(
    a: ArrayLike,
    permute_l: Literal[True],
    overwrite_a: bool = False,
    check_finite: bool = True,
    p_indices: bool = False,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> tuple[_Array, _Array]: ...
@overload
def lu(
    a: ArrayLike,
    permute_l: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    p_indices: bool = False,
    *,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...

# A number for one matrix, an array for a stack.
@overload
def det(
    a: ArrayLike,
    *,
    overwrite_a: bool = False,
    check_finite: bool = False,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> Any: ...
@overload
def det(
    a: ArrayLike,
    *,
    overwrite_a: bool = False,
    check_finite: bool = False,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[Any, Report]: ...
@overload
def det(
    a: ArrayLike,
    *,
    overwrite_a: bool = False,
    check_finite: bool = False,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def rcond(
    a: ArrayLike,
    *,
    ord: float = 1,
    overwrite_a: bool = False,
    check_finite: bool = False,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> Any: ...
@overload
def rcond(
    a: ArrayLike,
    *,
    ord: float = 1,
    overwrite_a: bool = False,
    check_finite: bool = False,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[Any, Report]: ...
@overload
def rcond(
    a: ArrayLike,
    *,
    ord: float = 1,
    overwrite_a: bool = False,
    check_finite: bool = False,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
@overload
def dgemm_alpha(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    trans_a: bool | _Transpose = False,
    trans_b: bool | _Transpose = False,
    algorithm: _GemmAlgorithm = "auto",
    accuracy: float | None = None,
    out: NDArray[Any] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> _Array: ...
@overload
def dgemm_alpha(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    trans_a: bool | _Transpose = False,
    trans_b: bool | _Transpose = False,
    algorithm: _GemmAlgorithm = "auto",
    accuracy: float | None = None,
    out: NDArray[Any] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[_Array, Report]: ...
@overload
def dgemm_alpha(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    trans_a: bool | _Transpose = False,
    trans_b: bool | _Transpose = False,
    algorithm: _GemmAlgorithm = "auto",
    accuracy: float | None = None,
    out: NDArray[Any] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...

# The product of two vectors is a number, hence Any.
@overload
def matmul(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    out: NDArray[Any] | None = None,
    *,
    dtype: Any = None,
    precision: Literal["float32", "tf32"] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[False] = False,
) -> Any: ...
@overload
def matmul(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    out: NDArray[Any] | None = None,
    *,
    dtype: Any = None,
    precision: Literal["float32", "tf32"] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: Literal[True],
) -> tuple[Any, Report]: ...
@overload
def matmul(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    out: NDArray[Any] | None = None,
    *,
    dtype: Any = None,
    precision: Literal["float32", "tf32"] | None = None,
    gpu: _Gpu = "auto",
    device: _Device = None,
    return_report: bool = False,
) -> Any: ...
def config() -> _Config: ...
def library_info() -> _Library: ...
def get_num_threads() -> int: ...
def set_library(path: str | None, routines: tuple[str, dict[str, int], str | None] | None) -> None: ...
def add_table_hint(routines: tuple[str, dict[str, int], str | None]) -> None: ...
def capsule_address(capsule: object) -> int: ...
def set_num_threads(threads: int) -> None: ...
def start_monitor(
    *,
    port: int,
    address: str,
    token: str | None,
    hosts: Sequence[str],
    prefix: str,
    history: bool,
    publish: bool,
    call_overhead: float,
) -> NativeMonitor: ...
def observe(callback: Callable[[Report, LapackError | None], object]) -> Subscription: ...
def validate(python: list[tuple[str, str, str, str | None]]) -> tuple[str, str]: ...
def doctor() -> tuple[str, bool, list[tuple[str, bool, str, str | None]]]: ...
def add_library_hint(path: str | PathLike[str]) -> None: ...
def to_device(a: Any, device: str | int | None = None) -> DeviceArray: ...
def devices() -> list[dict[str, Any]]: ...
def set_current_device(device: str | int) -> str | int: ...
def set_device_memory_limit(device: int, bytes: int) -> int: ...
def close_breaker(device: int) -> None: ...
def inject_fault(name: str, times: int) -> None: ...
def trim() -> int: ...
def explain(what: str, number: int | None, n: int | None, m: int | None) -> str: ...
def explain_iter(routine: str, iter: int) -> str: ...
def catalogue() -> str: ...
def is_autofixing() -> bool: ...
def explain_dispatch(
    op: str, dtype: str, sizes: tuple[int, int, int, int]
) -> tuple[str, str, dict[str, float | None], bool, str | None, tuple[int, int] | None]: ...
def set_progress(watcher: Callable[[float, str], object] | None) -> Callable[[float, str], object] | None: ...
def calibrate(
    ops: Sequence[str], dtypes: Sequence[str], seconds: float, progress: Callable[[float, str], object] | None
) -> int: ...
def tune(
    device: str | int,
    dtypes: Sequence[str],
    seconds: float,
    only: Sequence[str],
    progress: Callable[[float, str], object] | None,
) -> tuple[str, str, list[tuple[str, str, float, float, float, str | None]], str, PathLike[str] | None, bool]: ...
def reset_tuning(device: str | int) -> bool: ...
