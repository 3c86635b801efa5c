"""Singular value decomposition of low rank by random projection.

A Gaussian matrix Omega of k + p columns is multiplied by ``(A A^H)^q A``; an orthonormal basis Q of the product holds
the range of A up to an error near the (k + 1)-st singular value; ``Q^H A = W diag(S) V^H`` then gives ``U = Q W``.
N. Halko, P. G. Martinsson, J. A. Tropp, Finding Structure with Randomness, SIAM Review 53(2), 217-288 (2011):
algorithms 4.4 and 5.1. Between the products the columns are made orthonormal again, or rounding would leave only the
largest directions.

The error is measured afterwards by r fresh Gaussian vectors w. For any matrix B, equation (4.3) there,

    ||B||_2 <= 10 sqrt(2 / pi) max ||B w_i||   with probability at least 1 - 10^-r

and here B is ``A - U diag(S) V^H``. (Complex w, whose entries have variance 1, fail less often still: their
size is below a small t with probability near t^2, that of real ones with probability near 0.8 t.)
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from .. import _native
from .._errors import composed
from .._results import RandomizedSVDResult
from ._common import (
    Array,
    Device,
    Gpu,
    adjoint,
    answer,
    at_host,
    bad_option,
    matrices,
    product,
    require_finite,
    resident,
    whole_number,
)
from .norms import norm

# Five probes: the bound fails once in 100 000 calls.
PROBES = 5
RandomState: TypeAlias = int | np.random.Generator | np.random.RandomState | None
Normalizer: TypeAlias = Literal["auto", "QR", "LU", "none"]


@composed("randomized_svd")
def randomized_svd(
    M: Any,
    n_components: int,
    *,
    n_oversamples: int = 10,
    n_iter: int | Literal["auto"] = "auto",
    power_iteration_normalizer: Normalizer = "auto",
    transpose: bool | Literal["auto"] = "auto",
    flip_sign: bool = True,
    random_state: RandomState = None,
    svd_lapack_driver: Literal["gesdd"] | None = "gesdd",
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """The largest singular values and their vectors, by random projection, with a bound of the error.

    Parameters
    ----------
    M : array_like, shape (..., m, n)
        Real or complex matrices; NaN and Inf are refused with their place.
    n_components : int
        How many singular values, at least 1; at most min(m, n) are returned.
    n_oversamples : int
        Further columns of the random matrix: the more, the smaller the error.
    n_iter : int or "auto"
        Power iterations: the more, the smaller the error where the singular values fall slowly. "auto" is 7 for fewer
        components than a tenth of min(m, n), else 4.
    power_iteration_normalizer : "auto", "QR", "LU" or "none"
        What keeps the columns apart between products. "auto" is "none" up to 2 iterations, else "QR". "LU" is accepted
        for scikit-learn's sake and does as "QR": the same space, from better conditioned columns.
    transpose : bool or "auto"
        Work on the transpose; "auto" does if m < n, which is a little faster.
    flip_sign : bool
        Make the largest entry of each column of U positive.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState
        Where the random numbers come from; an int gives the same result at every call.
    svd_lapack_driver : None or "gesdd"
        Accepted for scikit-learn's sake, as in `svd`.
    gpu, device, return_report
        As in `svd`; with a GPU asked for, M goes there once and all steps follow it. The report is of the
        decomposition of the small matrix.

    Returns
    -------
    RandomizedSVDResult(U, S, Vh): U (..., m, k), S (..., k), Vh (..., k, n). Its attribute ``error_estimate`` is a
    bound of the 2-norm of ``M - U @ diag(S) @ Vh`` that holds with probability 1 - 1e-5, for each matrix.

    Raises
    ------
    NonFiniteError, ShapeError, ConvergenceError, LapackError
        All are numpy.linalg.LinAlgError.

    Notes
    -----
    scikit-learn's ``sklearn.utils.extmath.randomized_svd``; the method of Halko, Martinsson and Tropp (2011).
    """
    a = matrices(M, "randomized_svd", "M")
    require_finite(a, "randomized_svd", "M")
    wanted = at_least(n_components, 1, "randomized_svd", "n_components")
    extra = at_least(n_oversamples, 0, "randomized_svd", "n_oversamples")
    rows, columns = a.shape[-2:]
    if isinstance(n_iter, str) and n_iter == "auto":
        n_iter = 7 if wanted < 0.1 * min(rows, columns) else 4
    iterations = at_least(n_iter, 0, "randomized_svd", "n_iter")
    if power_iteration_normalizer not in ("auto", "QR", "LU", "none"):
        text = f"power_iteration_normalizer={power_iteration_normalizer!r} must be 'auto', 'QR', 'LU' or 'none'"
        raise bad_option("randomized_svd", text)
    if svd_lapack_driver not in (None, "gesdd"):
        raise bad_option("randomized_svd", "svd_lapack_driver must be None or 'gesdd'; the driver is chosen by size")
    normalized = power_iteration_normalizer != "none"
    if power_iteration_normalizer == "auto":
        normalized = iterations > 2
    if not (isinstance(transpose, (bool, np.bool)) or (isinstance(transpose, str) and transpose == "auto")):
        raise bad_option("randomized_svd", f"transpose={transpose!r} must be True, False or 'auto'")
    turned = rows < columns if isinstance(transpose, str) else bool(transpose)
    rng = generator(random_state, "randomized_svd")
    engine: dict[str, Any] = {"gpu": gpu, "device": device}
    there = resident(a, gpu, device)
    work = _turned(there) if turned else there
    q = _range(work, min(wanted + extra, rows, columns), iterations, normalized, rng, engine)
    (w, s, vh), report = _native.svd(product(adjoint(q), work, **engine), False, **engine, return_report=True)
    k = min(wanted, s.shape[-1])
    u, s, vh = (at_host(x) for x in (product(q, w[..., :k], **engine), s[..., :k], vh[..., :k, :]))
    if turned:
        u, vh = np.swapaxes(vh, -1, -2), np.swapaxes(u, -1, -2)
    if flip_sign:
        u, vh = flipped(u, vh, by_u=True)
    bound = _error_bound(there, u, s, vh, rng, engine)
    return answer(RandomizedSVDResult(u, s, vh, bound), report, return_report)


def _turned(a: Any) -> Any:
    """Each matrix transposed."""
    return a.mT if isinstance(a, _native.DeviceArray) else np.swapaxes(a, -1, -2)


def _orthonormal(q: Any, engine: dict[str, Any]) -> Any:
    """Orthonormal columns with the range of q: by QR, on a device, which has no kernel for it, by the SVD."""
    if isinstance(q, _native.DeviceArray):
        return _native.svd(q, False, **engine).U
    return _native.qr(q, **engine).Q


def _range(a: Any, size: int, iterations: int, normalized: bool, rng: Any, engine: dict[str, Any]) -> Any:
    """Orthonormal columns that nearly span the range of a, which may lie on a device; then they do too."""
    q: Any = _gaussian((*a.shape[:-2], a.shape[-1], size), a.dtype, rng)
    for _ in range(iterations):
        q = product(a, q, **engine)
        if normalized:
            q = _orthonormal(q, engine)
        # The adjoint of a tall block is cheaper than that of a.
        q = adjoint(product(adjoint(q), a, **engine))
        if normalized:
            q = _orthonormal(q, engine)
    return _orthonormal(product(a, q, **engine), engine)


def _error_bound(a: Any, u: Array, s: Array, vh: Array, rng: Any, engine: dict[str, Any]) -> Any:
    """Equation (4.3) for a - u diag(s) vh, with `PROBES` vectors that nothing before depends on."""
    probes = _gaussian((*a.shape[:-2], a.shape[-1], PROBES), a.dtype, rng)
    rest = at_host(product(a, probes, **engine))
    rest = rest - product(u * s[..., None, :], product(vh, probes, **engine), **engine)
    largest = np.max(norm(rest, axis=-2), axis=-1)
    return np.asarray(10 * math.sqrt(2 / math.pi) * largest, dtype=s.dtype)[()]


def _gaussian(shape: tuple[int, ...], dtype: Any, rng: Any) -> Array:
    """Independent normal numbers of variance 1."""
    numbers = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        numbers = (numbers + 1j * rng.standard_normal(shape)) / math.sqrt(2)
    return np.asarray(numbers, dtype=dtype)


def flipped(u: Array, vh: Array, by_u: bool) -> tuple[Array, Array]:
    """Each pair of vectors turned so that the largest entry of that in u (or in vh) is positive; the product stays."""
    decides = np.swapaxes(u, -1, -2) if by_u else vh
    if decides.shape[-1] == 0:
        return u, vh
    place = np.argmax(np.abs(decides), axis=-1)
    largest = np.take_along_axis(decides, place[..., None], axis=-1)[..., 0]
    size = np.abs(largest)
    phase = np.where(size > 0, largest, 1) / np.where(size > 0, size, 1)
    if by_u:
        phase = np.conj(phase)
    return u * phase[..., None, :], vh * np.conj(phase)[..., None]


def generator(random_state: RandomState, operation: str) -> Any:
    """What draws normal numbers."""
    if isinstance(random_state, (np.random.Generator, np.random.RandomState)):
        return random_state
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError):
        text = f"random_state={random_state!r} must be None, a whole number from 0 on, or a numpy.random.Generator"
        raise bad_option(operation, text) from None


def at_least(value: Any, least: int, operation: str, name: str) -> int:
    """`value` as an int that is not smaller than `least`."""
    number = whole_number(value, operation, name)
    if number < least:
        raise bad_option(operation, f"{name}={number} must be at least {least}")
    return number
