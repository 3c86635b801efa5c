"""Randomised SVD with its error bound, and principal component analysis; scikit-learn is the peer."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from helpers import DTYPES, LAYOUTS, adjoint, eps, matrix, norm, refuses, within
from sklearn.decomposition import PCA
from sklearn.utils.extmath import randomized_svd as peer

import lapack_py as lap

pytestmark = pytest.mark.any_lapack

layouts = pytest.mark.parametrize("layout", LAYOUTS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
reals = pytest.mark.parametrize("dtype", ["float32", "float64"])


def spectrum(m: int, n: int, s: Any, dtype: Any = "float64", seed: int = 0) -> np.ndarray:
    """A matrix with the singular values s."""
    s = np.asarray(s)
    u = np.linalg.qr(matrix(m, len(s), dtype=dtype, seed=seed).astype(np.result_type(dtype, "float64"))).Q
    v = np.linalg.qr(matrix(n, len(s), dtype=dtype, seed=seed + 1).astype(np.result_type(dtype, "float64"))).Q
    return ((u * s) @ adjoint(v)).astype(dtype)


def rest(a: np.ndarray, result: Any) -> Any:
    u, s, vh = result
    return np.linalg.norm(a - (u * s[..., None, :]) @ vh, 2, axis=(-2, -1))


@layouts
@dtypes
@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (60, 60), (3, 20, 12)], ids=str)
def test_a_matrix_of_low_rank_is_found_exactly(layout, dtype, shape):
    a = LAYOUTS[layout](
        np.asarray(matrix(*shape[:-1], 4, dtype=dtype) @ matrix(*shape[:-2], 4, shape[-1], dtype=dtype))
    )
    result = lap.randomized_svd(a, 4, random_state=1)
    u, s, vh = result
    n = max(shape[-2:])
    within(norm((u * s[..., None, :]) @ vh - a) / norm(a), n, dtype, "U S Vh - A")
    within(norm(adjoint(u) @ u - np.eye(4)), n, dtype, "U")
    within(norm(vh @ adjoint(vh) - np.eye(4)), n, dtype, "V")
    exact = np.linalg.svdvals(a)[..., :4]
    within(np.max(np.abs(s - exact)) / np.max(exact), n, dtype, "singular values")
    assert [part.dtype for part in result] == [np.dtype(dtype), s.dtype, np.dtype(dtype)]
    assert s.dtype == a.real.dtype
    assert np.shape(result.error_estimate) == shape[:-2]
    assert np.all(result.error_estimate < 1e3 * n * eps(dtype) * norm(a))


@dtypes
def test_the_error_is_close_to_the_best_possible_one(dtype):
    s = 0.7 ** np.arange(30)
    a = spectrum(80, 50, s, dtype)
    for k in (1, 5, 10):
        result = lap.randomized_svd(a, k, random_state=0)
        assert s[k] * (1 - 1e-3) < rest(a, result) < 1.1 * s[k]
        within(np.max(np.abs(result.S - s[:k])), 80, dtype, "singular values", fail=300)


@dtypes
@pytest.mark.parametrize("decay", ["flat", "slow", "fast", "step"])
def test_the_bound_of_the_error_holds(dtype, decay):
    n = 40
    s = {
        "flat": np.ones(n),
        "slow": 1 / np.arange(1, n + 1),
        "fast": 0.5 ** np.arange(n),
        "step": np.where(np.arange(n) < 8, 1, 1e-3),
    }[decay]
    ratios = []
    for seed in range(40):
        a = spectrum(50, n, s, dtype, seed)
        result = lap.randomized_svd(a, 8, n_oversamples=2, n_iter=seed % 4, random_state=seed)
        ratios.append(result.error_estimate / rest(a, result))
    assert min(ratios) >= 1
    # It is a bound to work with: by theory, the factor is near 8 times the ratio of two norms, at most sqrt(n).
    assert np.median(ratios) < 60


def test_the_bound_of_a_stack_is_one_a_matrix():
    a = np.stack([spectrum(30, 20, 0.5 ** np.arange(20)), np.zeros((30, 20)), spectrum(30, 20, np.ones(20))])
    result = lap.randomized_svd(a, 5, random_state=0)
    assert result.error_estimate.shape == (3,)
    assert np.all(result.error_estimate >= rest(a, result))
    assert result.error_estimate[1] == 0


@pytest.mark.parametrize("seed", [3, np.int64(4)])
def test_the_same_seed_gives_the_same_bits_and_generators_are_used_up(seed):
    a = matrix(30, 20)
    one, two = (lap.randomized_svd(a, 3, random_state=seed) for _ in range(2))
    np.testing.assert_array_equal(one.U, two.U)
    assert one.error_estimate == two.error_estimate
    for source in (np.random.default_rng(1), np.random.RandomState(1)):
        first, second = (lap.randomized_svd(a, 3, random_state=source) for _ in range(2))
        assert not np.array_equal(first.U, second.U)
    assert lap.randomized_svd(a, 3).U.shape == (30, 3)


@dtypes
@pytest.mark.parametrize("normalizer", ["auto", "QR", "LU", "none"])
@pytest.mark.parametrize("transpose", ["auto", True, False])
def test_options_change_the_way_and_not_the_result(dtype, normalizer, transpose):
    a = spectrum(40, 30, [8, 4, 2, 1, 0.01], dtype)
    # Without orthonormal columns in between, every iteration costs digits.
    for n_iter in (0, 2) if normalizer == "none" else (0, 2, 3):
        result = lap.randomized_svd(
            a,
            4,
            n_oversamples=3,
            n_iter=n_iter,
            power_iteration_normalizer=normalizer,
            transpose=transpose,
            random_state=0,
        )
        within(np.max(np.abs(result.S - [8, 4, 2, 1])), 40, dtype, "singular values")


def test_power_iterations_keep_directions_that_are_a_billion_times_smaller():
    a = spectrum(40, 30, [1, 1e-3, 1e-6, 1e-9])
    for normalizer in ("auto", "QR", "LU"):
        s = lap.randomized_svd(a, 4, n_oversamples=0, n_iter=5, power_iteration_normalizer=normalizer, random_state=0).S
        np.testing.assert_allclose(s, [1, 1e-3, 1e-6, 1e-9], rtol=1e-5)


@reals
@pytest.mark.parametrize("shape", [(40, 25), (25, 40)], ids=str)
def test_signs_and_numbers_are_scikit_learns(dtype, shape):
    a = spectrum(*shape, [8, 4, 2, 1], dtype)
    theirs = peer(a, 4, random_state=0)
    for ours, reference in zip(lap.randomized_svd(a, 4, random_state=0), theirs, strict=True):
        assert ours.shape == reference.shape
        assert ours.dtype == reference.dtype
        within(np.max(np.abs(ours - reference)) / np.max(np.abs(reference)), max(shape), dtype, "scikit-learn's")


@dtypes
def test_the_largest_entry_of_each_left_vector_is_positive(dtype):
    a = matrix(20, 15, dtype=dtype)
    u = lap.randomized_svd(a, 5, random_state=0).U
    largest = np.take_along_axis(u, np.argmax(np.abs(u), axis=0)[None], axis=0)
    assert np.all(largest.real > 0)
    within(np.max(np.abs(largest.imag)), 1, dtype, "imaginary part")
    other = lap.randomized_svd(a, 5, random_state=0, flip_sign=False)
    within(norm(np.abs(other.U) - np.abs(u)), 20, dtype, "only signs differ")


def test_the_signature_is_scikit_learns_and_more():
    ours, theirs = (inspect.signature(f).parameters for f in (lap.randomized_svd, peer))
    assert list(ours)[: len(theirs)] == list(theirs)
    for name, parameter in theirs.items():
        expected = None if name == "random_state" else parameter.default
        assert (ours[name].kind, ours[name].default) == (parameter.kind, expected)


def test_a_result_unpacks_copies_and_pickles():
    result = lap.randomized_svd(matrix(10, 8), 2, random_state=0)
    assert isinstance(result, lap.SVDResult)
    assert len(result) == 3
    assert result._fields == ("U", "S", "Vh")
    for other in (copy.copy(result), copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert type(other) is lap.RandomizedSVDResult
        assert other.error_estimate == result.error_estimate
        np.testing.assert_array_equal(other.Vh, result.Vh)


def test_a_result_with_a_field_replaced_keeps_its_bound():
    result = lap.randomized_svd(matrix(6, 4, dtype="float64"), 2, random_state=0)
    other = result._replace(S=result.S * 2)
    assert type(other) is type(result)
    assert other.error_estimate == result.error_estimate
    np.testing.assert_array_equal(other.S, 2 * result.S)


def test_more_components_than_there_are_give_what_there_is():
    u, s, vh = lap.randomized_svd(matrix(6, 4), 9, random_state=0)
    assert (u.shape, s.shape, vh.shape) == ((6, 4), (4,), (4, 4))
    u, s, vh = lap.randomized_svd(np.zeros((0, 3)), 2, random_state=0)
    assert (u.shape, s.shape, vh.shape) == ((0, 0), (0,), (0, 3))


def test_options_outside_their_range_are_refused_in_words():
    a = matrix(6, 4)
    for keywords, text in [
        ({"n_components": 0}, "randomized_svd: n_components=0 must be at least 1"),
        ({"n_oversamples": -1}, "n_oversamples=-1 must be at least 0"),
        ({"n_iter": -2}, "n_iter=-2 must be at least 0"),
        ({"power_iteration_normalizer": "SVD"}, "power_iteration_normalizer='SVD' must be"),
        ({"transpose": "no"}, "transpose='no' must be True, False or 'auto'"),
        ({"random_state": -1}, "random_state=-1 must be"),
        ({"random_state": "x"}, "random_state='x' must be"),
        ({"svd_lapack_driver": "gesvd"}, "svd_lapack_driver must be"),
    ]:
        refuses(lambda k=keywords: lap.randomized_svd(**{"M": a, "n_components": 2, **k}), lap.LapackError, text)
    refuses(lambda: lap.randomized_svd(a[0], 2), lap.ShapeError, "randomized_svd: M has 1 dimension")
    with pytest.raises(TypeError, match="n_components must be an integer"):
        lap.randomized_svd(a, 2.5)


# Principal components.


def same_analysis(ours: lap.PCAResult, theirs: PCA, n: int, dtype: Any, gap: float = 1) -> None:
    """Scikit-learn's numbers; directions agree up to eps over the gap between the variances."""
    assert ours.components.shape == theirs.components_.shape
    assert ours.n_components == theirs.n_components_
    k, scale = min(ours.components.shape), theirs.singular_values_[0]
    signs = np.sign(np.sum(ours.components * theirs.components_, axis=1))
    turn = norm(ours.components * signs[:, None] - theirs.components_) / np.sqrt(k)
    within(turn * gap, n, dtype, "components")
    within(np.max(np.abs(ours.singular_values - theirs.singular_values_)) / scale, n, dtype, "singular values")
    size = theirs.explained_variance_[0]
    within(np.max(np.abs(ours.explained_variance - theirs.explained_variance_)) / size, n, dtype, "variance")
    within(
        np.max(np.abs(ours.explained_variance_ratio - theirs.explained_variance_ratio_)), n, dtype, "share of variance"
    )
    within(np.max(np.abs(ours.mean - theirs.mean_)) / max(np.max(np.abs(theirs.mean_)), 1), n, dtype, "mean")
    within(abs(ours.noise_variance - theirs.noise_variance_) / size, n, dtype, "noise")
    for name in ("components", "explained_variance", "singular_values", "mean"):
        assert getattr(ours, name).dtype == np.dtype(dtype)


def samples(n: int, p: int, dtype: Any = "float64", seed: int = 0) -> np.ndarray:
    """Data whose variances along the axes fall by a constant factor, turned, and away from the origin."""
    k = min(n, p)
    turned = spectrum(n, p, np.sqrt(n) * 3.0 ** -np.linspace(0, 3, k), "float64", seed)
    return (turned + np.linspace(-1, 2, p)).astype(dtype)


@layouts
@reals
@pytest.mark.parametrize("shape", [(30, 6), (60, 5), (200, 4), (8, 12), (600, 20)], ids=str)
@pytest.mark.parametrize("solver", ["auto", "full", "covariance_eigh"])
@pytest.mark.parametrize("wanted", [None, 3, 0.8])
def test_analyses_are_scikit_learns(layout, dtype, shape, solver, wanted):
    # A sample less than features, the last direction has no variance, and none that the others could agree on.
    wanted = 3 if wanted is None and shape[0] <= shape[1] else wanted
    x = LAYOUTS[layout](samples(*shape, dtype))
    ours, theirs = lap.pca(x, wanted, svd_solver=solver), PCA(wanted, svd_solver=solver).fit(np.ascontiguousarray(x))
    squared = solver != "full"
    if shape[0] < shape[1] and squared:
        # Scikit-learn's mean of what is left out then counts directions that data of this size cannot have.
        theirs.noise_variance_ = PCA(wanted, svd_solver="full").fit(x).noise_variance_
    same_analysis(ours, theirs, max(shape), dtype, gap=0.01 if squared else 0.1)
    assert ours.svd_solver == theirs._fit_svd_solver


@reals
def test_the_randomized_solver_finds_the_first_components(dtype):
    x = samples(300, 60, dtype)
    ours = lap.pca(x, 4, svd_solver="randomized", random_state=0)
    full = PCA(4, svd_solver="full").fit(x)
    np.testing.assert_allclose(ours.singular_values, full.singular_values_, rtol=1e-3)
    assert abs(np.sum(ours.explained_variance_ratio) - np.sum(full.explained_variance_ratio_)) < 1e-3
    assert ours.svd_solver == "randomized"
    again = lap.pca(x, 4, svd_solver="randomized", random_state=0)
    np.testing.assert_array_equal(ours.components, again.components)


@reals
@pytest.mark.parametrize("solver", ["full", "covariance_eigh", "randomized"])
@pytest.mark.parametrize("whiten", [False, True])
def test_coordinates_are_scikit_learns_and_lead_back(dtype, solver, whiten):
    x = samples(80, 7, dtype)
    ours = lap.pca(x, 7, svd_solver=solver, whiten=whiten, random_state=0)
    z = ours.transform(x)
    assert z.dtype == x.dtype
    assert z.shape == (80, 7)
    within(norm(ours.inverse_transform(z) - x) / norm(x), 80, dtype, "there and back")
    theirs = PCA(7, svd_solver="full", whiten=whiten).fit(x)
    signs = np.sign(np.sum(ours.components * theirs.components_, axis=1))
    within(norm(z * signs - theirs.transform(x)) / norm(z), 80, dtype, "coordinates", fail=3000)
    if whiten:
        np.testing.assert_allclose(np.var(z, axis=0, ddof=1), 1, rtol=1e-3)
    short = lap.pca(x, 2, svd_solver="full")
    assert short.inverse_transform(short.transform(x[:5])).shape == (5, 7)


@dtypes
def test_complex_data_have_orthonormal_components_too(dtype):
    x = matrix(50, 6, dtype=dtype) * np.arange(1, 7)
    x = x.astype(dtype)
    for solver in ("full", "covariance_eigh"):
        result = lap.pca(x, svd_solver=solver)
        c = result.components
        within(norm(c @ adjoint(c) - np.eye(6)), 50, dtype, "components")
        z = result.transform(x)
        within(norm(result.inverse_transform(z) - x) / norm(x), 50, dtype, "there and back")
        within(
            np.max(np.abs(np.var(z, axis=0, ddof=1) - result.explained_variance)) / result.explained_variance[0],
            50,
            dtype,
            "variance",
        )


@reals
def test_signs_are_such_that_the_largest_entry_of_each_component_is_positive(dtype):
    for solver in ("full", "covariance_eigh", "randomized"):
        c = lap.pca(samples(70, 6, dtype), 4, svd_solver=solver, random_state=0).components
        assert np.all(np.take_along_axis(c, np.argmax(np.abs(c), axis=1)[:, None], axis=1) > 0)


@pytest.mark.parametrize(
    ("shape", "wanted", "solver"),
    [
        ((200, 20), None, "covariance_eigh"),
        ((199, 20), None, "full"),
        ((501, 60), 10, "randomized"),
        ((501, 60), 48, "full"),
        ((501, 60), 0.9, "full"),
        ((40, 501), 10, "randomized"),
    ],
)
def test_the_solver_is_chosen_as_in_scikit_learn(shape, wanted, solver):
    x = samples(*shape)
    assert lap.pca(x, wanted, random_state=0).svd_solver == solver
    assert PCA(wanted, random_state=0).fit(x)._fit_svd_solver == solver


@reals
def test_the_covariance_is_not_used_where_squaring_would_cost_the_wanted_components_their_digits(dtype):
    # The third direction lies below the square root of eps, where the covariance sees noise only.
    s = np.array([1, 0.1, 0.01 * np.sqrt(eps(dtype))]) * 20
    x = spectrum(400, 3, s, "float64")
    x = (x - x.mean(axis=0)).astype(dtype)
    assert lap.pca(x, 2).svd_solver == "covariance_eigh"
    careful = lap.pca(x, 3)
    assert careful.svd_solver == "full"
    assert lap.pca(x, 3, svd_solver="covariance_eigh").svd_solver == "covariance_eigh"
    exact = np.linalg.svdvals(x.astype("float64") - x.astype("float64").mean(axis=0))
    within(abs(careful.singular_values[2] - exact[2]) / exact[0], 3, dtype, "the smallest singular value")


@pytest.mark.parametrize("solver", ["full", "covariance_eigh", "randomized"])
def test_the_mean_of_many_samples_in_single_precision_is_not_lost(solver):
    # Summed one after the other in float32, these have a mean of about 1016.
    x = np.random.default_rng(0).standard_normal((2_000_000, 2)) * [3, 1] + 1000
    ours, exact = lap.pca(x.astype("float32"), 1, svd_solver=solver, random_state=0), lap.pca(x, 1)
    np.testing.assert_allclose(ours.mean, exact.mean, rtol=2 * eps("float32"))
    np.testing.assert_allclose(ours.explained_variance, exact.explained_variance, rtol=1e-3)
    np.testing.assert_allclose(ours.components, exact.components, atol=1e-3)


def test_constant_data_have_no_variance_and_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = lap.pca(np.full((5, 3), 2.0), 0.5)
    assert result.n_components == 1
    np.testing.assert_array_equal(result.explained_variance, [0])
    np.testing.assert_array_equal(result.transform(np.full((2, 3), 2.0)), np.zeros((2, 1)))


@reals
@pytest.mark.parametrize("solver", ["full", "covariance_eigh", "randomized"])
def test_shares_of_the_variance_do_not_leave_the_range_of_the_type(dtype, solver):
    x = samples(60, 5, dtype)
    plain = lap.pca(x, 3, svd_solver=solver, random_state=0)
    limits = np.finfo(dtype)
    for size in (limits.max / 1024, limits.tiny * 1024):
        result = lap.pca(x * size, 3, svd_solver=solver, random_state=0)
        within(np.max(np.abs(result.explained_variance_ratio - plain.explained_variance_ratio)), 60, dtype, "shares")
        within(norm(result.components - plain.components), 60, dtype, "components", fail=300)
        within(np.max(np.abs(result.singular_values / size - plain.singular_values)) / 60, 60, dtype, "values")


def test_integers_and_lists_are_taken_and_the_input_is_left_alone():
    x = [[1, 2], [3, 5], [5, 5], [4, 1]]
    assert lap.pca(x).components.dtype == np.float64
    y = samples(40, 3)
    before = y.copy()
    for solver in ("full", "covariance_eigh", "randomized"):
        lap.pca(y, 2, svd_solver=solver)
    np.testing.assert_array_equal(y, before)


def test_data_and_options_that_cannot_be_are_refused_in_words():
    x = samples(20, 5)
    for keywords, text in [
        ({"n_components": 0}, "pca: n_components=0 must be at least 1"),
        ({"n_components": 6}, "pca: n_components=6 must be at most 5"),
        ({"n_components": 1.5}, "pca: n_components=1.5 must be a share between 0 and 1"),
        ({"n_components": "mle"}, "pca: n_components='mle' must be None"),
        ({"n_components": 0.5, "svd_solver": "randomized"}, "needs all components"),
        ({"svd_solver": "arpack"}, "pca: svd_solver='arpack' must be"),
    ]:
        refuses(lambda k=keywords: lap.pca(x, **k), lap.LapackError, text)
    refuses(lambda: lap.pca(x[:1]), lap.ShapeError, "pca: X has 1 samples of 5 features")
    refuses(lambda: lap.pca(np.zeros((5, 0))), lap.ShapeError, "at least 2 samples and 1 feature")
    refuses(lambda: lap.pca(np.zeros((2, 5, 3))), lap.ShapeError, "pca: X has 3 dimensions")
    result = lap.pca(x, 2)
    refuses(lambda: result.transform(x[:, :3]), lap.ShapeError, "transform: X has 3 columns, but the analysis has 5")
    refuses(lambda: result.inverse_transform(x), lap.ShapeError, "Z has 5 columns, but the analysis has 2 components")
    x[3, 2] = np.nan
    refuses(lambda: result.transform(x), lap.NonFiniteError, "PCAResult.transform: X has NaN at row 3, column 2")
    assert repr(result).startswith("PCAResult(2 of 5 directions by full, ")
