"""The named tuples that operations return; fields and order are NumPy's."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class SVDResult(NamedTuple):
    """Result of `svd`: ``a = U @ diag(S) @ Vh``."""

    U: NDArray[Any]
    S: NDArray[Any]
    Vh: NDArray[Any]


class RandomizedSVDResult(SVDResult):
    """Result of `randomized_svd`: U, S, Vh, and beside them a bound of the error.

    ``error_estimate`` (a number, or an array for a stack) is a bound of the 2-norm of ``M - U @ diag(S) @ Vh``; it
    holds with the probability that `randomized_svd` states.
    """

    error_estimate: Any

    def __new__(cls, U: NDArray[Any], S: NDArray[Any], Vh: NDArray[Any], error_estimate: Any) -> RandomizedSVDResult:
        self = super().__new__(cls, U, S, Vh)
        self.error_estimate = error_estimate
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (*self, self.error_estimate)

    def _replace(self, /, **fields: Any) -> RandomizedSVDResult:
        U, S, Vh = super()._replace(**fields)
        return RandomizedSVDResult(U, S, Vh, self.error_estimate)


class EigResult(NamedTuple):
    """Result of `eig`: eigenvalues, in no order, and right eigenvectors in columns."""

    eigenvalues: NDArray[Any]
    eigenvectors: NDArray[Any]


class EighResult(NamedTuple):
    """Result of `eigh`: eigenvalues, smallest first, and eigenvectors in columns."""

    eigenvalues: NDArray[Any]
    eigenvectors: NDArray[Any]


class QRResult(NamedTuple):
    """Result of `qr`: ``a = Q @ R``."""

    Q: NDArray[Any]
    R: NDArray[Any]


class SchurResult(NamedTuple):
    """Result of `schur`: ``a = Z @ T @ Z.conj().T``."""

    T: NDArray[Any]
    Z: NDArray[Any]


class LstsqResult(NamedTuple):
    """Result of `lstsq`; unpacks as NumPy's tuple does."""

    x: NDArray[Any]
    residuals: NDArray[Any]
    rank: int | NDArray[np.int64]
    s: NDArray[Any]


class SlogdetResult(NamedTuple):
    """Result of `slogdet`: ``det(a) = sign * exp(logabsdet)``; numbers for one matrix, arrays for a stack."""

    sign: Any
    logabsdet: Any


class PolarResult(NamedTuple):
    """Result of `polar`: ``a = u @ p`` or ``a = p @ u``."""

    u: NDArray[Any]
    p: NDArray[Any]
