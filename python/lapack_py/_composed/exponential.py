"""Matrix exponential by scaling and squaring.

``exp(A) = r_m(A / 2^s)^(2^s)`` with the diagonal Pade approximant ``r_m = p_m / q_m`` of ``exp``. The order m and the
scaling s are those of algorithm 6.1 in A. H. Al-Mohy, N. J. Higham, A New Scaling and Squaring Algorithm for the Matrix
Exponential, SIAM J. Matrix Anal. Appl. 31(3), 970-989 (2009): the smallest cost for which the backward error stays
below the rounding unit. It goes by ``d_k = ||A^k||_1^(1/k)``, not by ``||A||_1``, so a matrix whose powers are smaller
than its norm says is not scaled too far, which would cost accuracy; ``ell`` guards against rounding errors where the
powers of ``|A|`` are much larger than those of A. Triangular matrices take their diagonals from exp itself before and
after every squaring (code fragment 2.1 there).

Where the algorithm estimates ``||A^8||`` and ``||A^10||``, the norm of ``A^8`` itself and bounds from the products at
hand are used; bounds can only make m or s larger. The constants for single precision are those of N. J. Higham, The
Scaling and Squaring Method for the Matrix Exponential Revisited, SIAM J. Matrix Anal. Appl. 26(4), 1179-1193 (2005),
whose largest order there is 7.

Each matrix of a batch has its own m and s; those of one m are worked on together.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _native
from .._convert import as_array
from .._errors import composed, warned_here
from ._common import Array, Device, Gpu, answer, honour_engine, matrices, product, require_finite, require_square

# Largest sizes d for which the backward error of order m is below the rounding unit: Al-Mohy and Higham, table 3.1
# (with 4.25 for order 13, section 5), and Higham (2005), section 2, for single precision.
_THETA = {
    "d": {3: 1.495585217958292e-2, 5: 2.539398330063230e-1, 7: 9.504178996162932e-1, 9: 2.097847961257068, 13: 4.25},
    "f": {3: 4.258730016922831e-1, 5: 1.880152677804762, 7: 3.925724783138660},
}


# The denominators are ill-conditioned only by their scaling, which elimination does not feel.
@composed("expm", silent=frozenset({"LAP-W001"}))
def expm(A: Any, *, gpu: Gpu = "auto", device: Device = None, return_report: bool = False) -> Any:
    """Matrix exponential of each matrix.

    Parameters
    ----------
    A : array_like, shape (..., N, N)
        Real or complex matrices; NaN and Inf are refused with their place.
    gpu, device, return_report
        As in `solve`. The report is of the last system that was solved; None if none was.

    Returns
    -------
    array of shape (..., N, N); Inf where the exponential is beyond the largest number of the type, and NaN where such
    numbers of both signs meet.

    Raises
    ------
    NonFiniteError, ShapeError
        Both are numpy.linalg.LinAlgError.

    Notes
    -----
    SciPy's ``scipy.linalg.expm``. Scaling and squaring with Pade approximants (Al-Mohy and Higham, 2009).
    """
    array, _ = as_array(A, "expm", "A")
    if array.ndim < 2 and array.size == 1:
        array = array.reshape(1, 1)
    array = matrices(array, "expm", "A")
    require_square(array, "expm", "A")
    require_finite(array, "expm", "A")
    n = array.shape[-1]
    stack = array.reshape(math.prod(array.shape[:-2]), n, n)
    result = np.empty_like(stack, order="C")
    # A lower triangular matrix is the transpose of an upper one, and so is its exponential.
    lower: Any = ~np.triu(stack, 1).any(axis=(-2, -1))
    upper: Any = ~np.tril(stack, -1).any(axis=(-2, -1)) | lower
    stack = np.where(lower[:, None, None], np.swapaxes(stack, -1, -2), stack)
    diagonal: Any = upper & ~np.triu(stack, 1).any(axis=(-2, -1))
    with np.errstate(over="ignore", invalid="ignore"):
        result[diagonal] = _of_diagonals(stack[diagonal])
        full = np.flatnonzero(~diagonal)
        report = None
        if full.size:
            result[full], report = _Exponential(stack[full], upper[full], gpu, device).compute()
        else:
            honour_engine(gpu, device)
    result = np.where(lower[:, None, None], np.swapaxes(result, -1, -2), result)
    if not np.isfinite(result).all():
        _warn_of_overflow(array)
    return answer(result.reshape(array.shape), report, return_report)


def _warn_of_overflow(a: Array) -> None:
    """Finite input, and a result beyond the largest number."""
    with np.errstate(over="ignore"):
        norm = float(_norm1(a.reshape(-1, *a.shape[-2:])).max())
    largest = float(np.finfo(a.dtype).max)
    text = f"the result overflows {a.dtype} (beyond {largest:.1e}): norm(A, 1) is {norm:.3g}"
    cause = f"exp of an eigenvalue above {math.log(largest):.0f} is larger than the largest number"
    warned_here(
        "LAP-W007", "expm", "A", text, cause, ("maybe", "shift: expm(A - mu I) is exp(-mu) expm(A); or scale A down.")
    )


def _of_diagonals(a: Array) -> Array:
    result = np.zeros_like(a)
    i = np.arange(a.shape[-1])
    result[:, i, i] = np.exp(a[:, i, i])
    return result


class _Exponential:
    """The exponentials of a stack of matrices, of which some are upper triangular."""

    def __init__(self, a: Array, upper: NDArray[np.bool_], gpu: Gpu, device: Device) -> None:
        self.engine: dict[str, Any] = {"gpu": gpu, "device": device}
        self.theta = _THETA["d" if a.real.dtype == np.float64 else "f"]
        self.unit = float(np.finfo(a.dtype).eps) / 2
        self.upper = np.flatnonzero(upper)
        self.diagonal = np.diagonal(a[self.upper], axis1=-2, axis2=-1)
        self.above = np.diagonal(a[self.upper], 1, axis1=-2, axis2=-1)
        # Scalings so far: powers up to the eighth must stay within the range of the type.
        exponent = int(np.finfo(a.dtype).maxexp) // 16
        # The norm from elements of at most 2: that of the matrix itself may be beyond the range, and so may |a + bi|.
        _, largest = np.frexp(np.maximum(np.abs(a.real), np.abs(a.imag)).max(axis=(-2, -1)))
        size = _norm1(_scaled(_scaled(a, largest // 2), largest - largest // 2))
        bits = np.ceil(np.log2(np.maximum(size, 1))).astype(np.int64) + largest
        self.scalings = np.maximum(bits - exponent, 0)
        self.a = _scaled(a, self.scalings)

    def compute(self) -> tuple[Array, _native.Report]:
        """exp(a), and the report of the last solve."""
        order, further, powers = self._choose()
        result = np.empty_like(self.a)
        report: Any = None
        for m in np.unique(order):
            chosen = np.flatnonzero(order == m)
            s = further[chosen]
            even = {k: _scaled(powers[k][chosen], k * s) for k in ((2, 4, 6) if m == 13 else range(2, m, 2))}
            result[chosen], report = self._pade(_scaled(self.a[chosen], s), even, int(m))
        self._square(result, self.scalings + further)
        return result, report

    def _choose(self) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, Array]]:
        """Order and further scalings of each matrix, and the powers of all of them that were needed to know."""
        a, theta = self.a, self.theta
        order, scaling = np.zeros((2, len(a)), dtype=np.int64)
        powers = {2: product(a, a, **self.engine)}
        d = {2: np.sqrt(_norm1(powers[2]))}

        def multiply(k: int, i: int, j: int) -> None:
            powers[k] = product(powers[i], powers[j], **self.engine)
            d[k] = _norm1(powers[k]) ** (1 / k)

        def settle(m: int, size: Array) -> bool:
            """Gives order m to those that it serves; whether all have an order now."""
            fits = (order == 0) & (size <= theta[m])
            if fits.any():
                fits[fits] = self._excess(a[fits], m) <= 0
            order[fits] = m
            return bool(np.all(order > 0))

        def found() -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, Array]]:
            return order, scaling, powers

        # ||A^4|| and ||A^6|| are at most powers of ||A^2||, and so on: each line has the best bounds at hand.
        if settle(3, d[2]):
            return found()
        multiply(4, 2, 2)
        if settle(5, np.maximum(d[4], (d[4] ** 4 * d[2] ** 2) ** (1 / 6))):
            return found()
        multiply(6, 2, 4)
        size = np.maximum(d[6], d[4])
        if settle(7, size):
            return found()
        last = max(theta)
        if last > 7:
            multiply(8, 4, 4)
            size = np.maximum(d[6], d[8])
            if settle(7, size) or settle(9, size):
                return found()
            size = np.minimum(size, np.maximum(d[8], (d[4] ** 4 * d[6] ** 6) ** (1 / 10)))
        rest = order == 0
        order[rest] = last
        with np.errstate(divide="ignore"):
            s = np.maximum(np.ceil(np.log2(size[rest] / theta[last])), 0)
        s += np.maximum(np.ceil(self._excess(a[rest], last) - s), 0)
        scaling[rest] = s.astype(np.int64)
        return found()

    def _excess(self, a: Array, m: int) -> Array:
        """The paper's `ell` before rounding up: the scalings that rounding errors of order m ask for.

        ``log2(alpha / u) / 2m`` with ``alpha = || |A|^(2m+1) || / (||A|| binom(2m, m) (2m+1)!)``. A scaling by 2^-s
        makes alpha smaller by the factor 2^(-2ms), so the result by s.
        """
        magnitudes = np.abs(a)
        row = np.ones((len(a), 1, a.shape[-1]), dtype=magnitudes.dtype)
        exponent = np.zeros(len(a))
        with np.errstate(divide="ignore", invalid="ignore"):
            for _ in range(2 * m + 1):
                row = product(row, magnitudes, **self.engine)
                size = np.max(row, axis=-1, keepdims=True)
                exponent += np.log2(size[:, 0, 0])
                row = row / np.where(size > 0, size, 1)
            alpha = exponent - np.log2(_norm1(a)) - math.log2(math.comb(2 * m, m) * math.factorial(2 * m + 1))
        return np.nan_to_num((alpha - math.log2(self.unit)) / (2 * m), nan=-np.inf, neginf=-np.inf)

    def _pade(self, a: Array, even: dict[int, Array], m: int) -> tuple[Array, _native.Report]:
        """r_m of a, given its even powers: p = v + u and q = v - u, where u is odd in a, and v even."""
        # Numerators over the last: (2m - k)! / ((m - k)! k!) are integers.
        f = math.factorial
        b = [float(f(2 * m - k) // (f(m - k) * f(k))) for k in range(m + 1)]
        identity = np.eye(a.shape[-1], dtype=a.dtype)
        odd, v = b[1] * identity, b[0] * identity
        for k in even:
            odd = odd + b[k + 1] * even[k]
            v = v + b[k] * even[k]
        if m == 13:
            odd += product(even[6], b[13] * even[6] + b[11] * even[4] + b[9] * even[2], **self.engine)
            v += product(even[6], b[12] * even[6] + b[10] * even[4] + b[8] * even[2], **self.engine)
        u = product(a, odd, **self.engine)
        found: tuple[Array, _native.Report] = _native.solve(v - u, v + u, **self.engine, return_report=True)
        return found

    def _square(self, result: Array, remaining: NDArray[np.int64]) -> None:
        """Undoes the scalings, in place."""
        self._refresh(result, remaining)
        while remaining.any():
            chosen = np.flatnonzero(remaining)
            result[chosen] = product(result[chosen], result[chosen], **self.engine)
            remaining[chosen] -= 1
            self._refresh(result, remaining)

    def _refresh(self, result: Array, remaining: NDArray[np.int64]) -> None:
        """Gives the triangular ones their diagonal and the one above from exp and its divided differences."""
        if not self.upper.size:
            return
        factor = np.ldexp(np.ones(len(self.upper), dtype=self.a.real.dtype), -remaining[self.upper])[:, None]
        x = self.diagonal * factor
        left, right = x[:, :-1], x[:, 1:]
        e = np.exp(x)
        # exp((x + y) / 2) sinh(z) / z with z = (y - x) / 2 does not cancel where x and y are close.
        z = (right - left) / 2
        close = np.abs(z) < 1
        safe = np.where(close & (z != 0), z, 1)
        near = np.exp((left + right) / 2) * np.where(z == 0, 1, np.sinh(safe) / safe)
        far = (e[:, 1:] - e[:, :-1]) / np.where(close, 1, 2 * z)
        i = np.arange(x.shape[-1])
        triangular = np.triu(result[self.upper])
        triangular[:, i, i] = e
        triangular[:, i[:-1], i[1:]] = np.where(close, near, far) * self.above * factor
        result[self.upper] = triangular


def _norm1(a: Array) -> Array:
    norms: Array = np.abs(a).sum(axis=-2).max(axis=-1)
    return norms


def _scaled(a: Array, s: NDArray[np.int64]) -> Array:
    """2^-s a, exact where it does not underflow."""
    return a * np.ldexp(np.ones(len(s), dtype=a.real.dtype), -s)[:, None, None]
