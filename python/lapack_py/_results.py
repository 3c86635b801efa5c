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
