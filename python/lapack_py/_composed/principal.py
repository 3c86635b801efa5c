"""Principal component analysis: the directions in which data vary most.

With the mean of each column taken away, ``X = U diag(S) V^H``; the components are the rows of ``V^H``, and the variance
along component i is ``S_i^2 / (n - 1)`` of n samples. Three ways to get there:

- ``full``: the SVD of X.
- ``covariance_eigh``: eigenvectors of ``X^H X / (n - 1)``, the cheapest way if there are many more samples than
  features. Squaring halves the digits: an eigenvalue below eps times the largest is noise. Where it is chosen
  automatically, the wanted eigenvalues must be above ``sqrt(eps)`` times the largest, so that at least half of their
  digits are right; otherwise the SVD computes.
- ``randomized``: the largest components by random projection, see `randomized_svd`.

The choice, the signs and the noise variance (M. E. Tipping, C. M. Bishop, Probabilistic Principal Component Analysis,
J. R. Stat. Soc. B 61(3), 611-622 (1999)) are those of scikit-learn's ``PCA``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .. import _native
from .._errors import composed, raised_here
from ._common import (
    Array,
    Device,
    Gpu,
    adjoint,
    answer,
    asks_for_gpu,
    bad_option,
    bad_shape,
    matrices,
    product,
    require_finite,
)
from .norms import norm
from .randomized import RandomState, at_least, flipped, generator, randomized_svd

_SOLVERS = ("auto", "full", "covariance_eigh", "randomized")


@dataclass(frozen=True, eq=False)
class PCAResult:
    """Result of `pca`: p features, k components.

    Attributes
    ----------
    components : array (k, p)
        Orthonormal rows, the one with the largest variance first.
    explained_variance, explained_variance_ratio : array (k,)
        The variance along each component; its share of the variance of all.
    singular_values : array (k,)
        Of the centred data.
    mean : array (p,)
        Of each feature.
    noise_variance : number
        The mean variance along the directions that were left out.
    n_components : int
        k.
    svd_solver : str
        The way that was taken: "full", "covariance_eigh" or "randomized".
    whiten : bool
        Whether `transform` scales to variance 1.
    """

    components: Array
    explained_variance: Array
    explained_variance_ratio: Array
    singular_values: Array
    mean: Array
    noise_variance: Any
    n_components: int
    svd_solver: str
    whiten: bool

    def __repr__(self) -> str:
        k, p = self.components.shape
        return f"PCAResult({k} of {p} directions by {self.svd_solver}, {self._explained():.1%} of the variance)"

    def _explained(self) -> float:
        return float(np.sum(self.explained_variance_ratio))

    @composed("PCAResult.transform", "X")
    def transform(self, X: Any) -> Array:
        """Coordinates (m, k) of the samples X (m, p) along the components."""
        samples = matrices(X, "PCAResult.transform", "X")
        self._fits(samples, self.components.shape[1], "PCAResult.transform", "X", "features")
        require_finite(samples, "PCAResult.transform", "X")
        coordinates: Array = product(samples - self.mean, adjoint(self.components))
        return coordinates / self._scale() if self.whiten else coordinates

    @composed("PCAResult.inverse_transform", "Z")
    def inverse_transform(self, Z: Any) -> Array:
        """The samples (m, p) whose coordinates are Z (m, k)."""
        coordinates = matrices(Z, "PCAResult.inverse_transform", "Z")
        self._fits(coordinates, self.n_components, "PCAResult.inverse_transform", "Z", "components")
        require_finite(coordinates, "PCAResult.inverse_transform", "Z")
        if self.whiten:
            coordinates = coordinates * self._scale()
        samples: Array = product(coordinates, self.components) + self.mean
        return samples

    def _scale(self) -> Array:
        """Standard deviations; those that rounding left at 0 must not make coordinates infinite."""
        deviation: Array = np.sqrt(self.explained_variance)
        scale: Array = np.maximum(deviation, np.finfo(deviation.dtype).eps)
        return scale

    def _fits(self, given: Array, wanted: int, operation: str, name: str, things: str) -> None:
        if given.shape[-1] != wanted:
            text = f"{name} has {given.shape[-1]} columns, but the analysis has {wanted} {things}"
            raise bad_shape(operation, name, text)


@composed("pca")
def pca(
    X: Any,
    n_components: float | None = None,
    *,
    svd_solver: Literal["auto", "full", "covariance_eigh", "randomized"] = "auto",
    whiten: bool = False,
    n_oversamples: int = 10,
    n_iter: int | Literal["auto"] = "auto",
    random_state: RandomState = None,
    gpu: Gpu = "auto",
    device: Device = None,
    return_report: bool = False,
) -> Any:
    """Principal component analysis.

    Parameters
    ----------
    X : array_like, shape (n, p)
        Samples in rows, at least 2; real or complex. NaN and Inf are refused with their place.
    n_components : None, int or float
        How many components; None: min(n, p). A float between 0 and 1: as many as explain more than that share of the
        variance.
    svd_solver : "auto", "full", "covariance_eigh" or "randomized"
        "auto" takes the covariance for up to 1000 features and at least ten times as many samples (if its accuracy
        suffices), the full SVD for up to 500 samples and features, the randomized one for fewer components than 80 % of
        min(n, p), and else the full one; with a GPU asked for, the full one instead of the covariance.
    whiten : bool
        Let `transform` divide by the standard deviation of each component.
    n_oversamples, n_iter, random_state
        Of `randomized_svd`, if it is used.
    gpu, device, return_report
        As in `svd`. The report is of the decomposition.

    Returns
    -------
    PCAResult with components, explained_variance, explained_variance_ratio, singular_values, mean, noise_variance,
    n_components, svd_solver, and the methods transform and inverse_transform.

    Raises
    ------
    NonFiniteError, ShapeError, ConvergenceError, LapackError
        All are numpy.linalg.LinAlgError.

    Notes
    -----
    scikit-learn's ``sklearn.decomposition.PCA`` as a function. LAPACK xGESDD or xSYEVD.
    """
    x = matrices(X, "pca", "X")
    if x.ndim > 2:
        raise bad_shape("pca", "X", f"X has {x.ndim} dimensions, but must be samples x features")
    n, p = x.shape
    if n < 2 or p < 1:
        cause = "a variance needs two samples, and a direction a feature"
        text = f"X has {n} samples of {p} features; at least 2 samples and 1 feature are needed"
        raise raised_here("LAP-E006", "pca", "X", text, cause)
    require_finite(x, "pca", "X")
    if svd_solver not in _SOLVERS:
        raise bad_option("pca", f"svd_solver={svd_solver!r} must be 'auto', 'full', 'covariance_eigh' or 'randomized'")
    wanted = _wanted(n_components, min(n, p), svd_solver)
    rng = generator(random_state, "pca")
    engine: dict[str, Any] = {"gpu": gpu, "device": device}
    with np.errstate(over="ignore"):
        # A sum of many samples in single precision loses the mean, and the rest of it would be the first component.
        mean = x.mean(axis=0, dtype=np.result_type(x.dtype, np.float64)).astype(x.dtype)
        centred = x - mean
    solver = svd_solver if svd_solver != "auto" else _choice(n, p, wanted)
    if svd_solver == "auto" and solver == "covariance_eigh" and asks_for_gpu(x.dtype, gpu, device):
        # Eigenvectors are the CPU's; a GPU decomposes the tall matrix itself.
        solver = "full"
    found = None
    if solver == "covariance_eigh":
        found = _by_covariance(centred, wanted, engine, checked=svd_solver == "auto")
        solver = "full" if found is None else solver
    if solver == "randomized":
        options: dict[str, Any] = {"n_oversamples": n_oversamples, "n_iter": n_iter, "random_state": rng}
        (u, s, vh), report = randomized_svd(
            centred, int(wanted), flip_sign=False, **options, **engine, return_report=True
        )
    elif found is None:
        (u, s, vh), report = _native.svd(centred, False, **engine, return_report=True)
    else:
        (u, s, vh), report = found
    _, vh = flipped(u, vh, by_u=False)
    # Variances may be beyond the range of the type; their shares are not.
    scale = s[0] if s[0] > 0 else s.dtype.type(1)
    squares = (s / scale) ** 2
    total = (norm(centred) / scale) ** 2 if solver == "randomized" else np.sum(squares)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        unit = scale * scale / (n - 1)
        variance = squares * unit
        ratio = squares / total
    k = int(wanted) if isinstance(wanted, int) else _count(ratio, wanted)
    left = min(n, p) - k
    noise = max(total - np.sum(squares[:k]), 0) / left * unit if left else 0
    result = PCAResult(
        vh[:k].copy(),
        variance[:k].copy(),
        ratio[:k].copy(),
        s[:k].copy(),
        mean,
        s.dtype.type(noise),
        k,
        solver,
        bool(whiten),
    )
    return answer(result, report, return_report)


def _wanted(n_components: Any, most: int, svd_solver: str) -> int | float:
    """The number of components, or the share of the variance, checked."""
    if n_components is None:
        return most
    if isinstance(n_components, str):
        raise bad_option(
            "pca", f"n_components={n_components!r} must be None, a whole number or a share of the variance"
        )
    if isinstance(n_components, (float, np.floating)):
        if not 0 < n_components < 1:
            text = f"n_components={float(n_components)!r} must be a share between 0 and 1, or a whole number as int"
            raise bad_option("pca", text)
        if svd_solver == "randomized":
            text = (
                f"n_components={float(n_components)!r} needs all components, and svd_solver='randomized' has only some"
            )
            raise bad_option("pca", text, ("safe", "use svd_solver='full'."))
        return float(n_components)
    number = at_least(n_components, 1, "pca", "n_components")
    if number > most:
        raise bad_option("pca", f"n_components={number} must be at most {most}, the smaller side of X")
    return number


def _choice(n: int, p: int, wanted: int | float) -> str:
    """scikit-learn's rule."""
    if p <= 1000 and n >= 10 * p:
        return "covariance_eigh"
    if max(n, p) > 500 and 1 <= wanted < 0.8 * min(n, p):
        return "randomized"
    return "full"


def _by_covariance(centred: Array, wanted: int | float, engine: dict[str, Any], checked: bool) -> Any:
    """((U, S, Vh), report) without U; None if `checked` and squaring has cost the wanted components their digits."""
    n, p = centred.shape
    # A power of 2, so that squares stay within the range of the type.
    size = np.ldexp(centred.real.dtype.type(1), np.frexp(np.max(np.abs(centred)))[1] - 1)
    scaled = centred / size
    gram = product(adjoint(scaled), scaled, **engine)
    (w, v), report = _native.eigh(gram, **engine, return_report=True)
    k = min(n, p)
    w, vh = np.maximum(w[::-1][:k], 0), adjoint(v)[::-1][:k]
    if checked:
        needed = wanted if isinstance(wanted, int) else _count(w / max(np.sum(w), np.finfo(w.dtype).tiny), wanted)
        if w[needed - 1] <= np.sqrt(np.finfo(w.dtype).eps) * w[0]:
            return None
    return (np.zeros((0, k), dtype=centred.dtype), np.sqrt(w) * size, vh), report


def _count(ratio: Array, share: float) -> int:
    """How many components explain more than `share`; at least 1 (of constant data, all are as good)."""
    count = int(np.searchsorted(np.cumsum(ratio), share, side="right")) + 1
    return min(count, len(ratio)) if np.isfinite(ratio).all() else 1
