"""inv, det, slogdet, rcond: accuracy, NumPy's shapes, types and special values, conditioning, and refusals in words."""

import inspect
import warnings

import numpy as np
import pytest
from helpers import DTYPES, LAYOUTS, eps, matrix, norm, refuses, well_conditioned, within

import lapack_py as lap

SIZES = (1, 2, 3, 5, 8, 9, 24, 40)


def identity_defect(a, x):
    eye = np.eye(a.shape[-1])
    left, right = norm(a @ x - eye), norm(x @ a - eye)
    return min(left, right) / (norm(a) * norm(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_inverses_reconstruct_the_identity_in_every_layout(dtype, layout):
    for n in SIZES:
        a = matrix(n, n, dtype=dtype, seed=n)
        given = LAYOUTS[layout](a)
        x = lap.inv(given)
        assert x.dtype == a.dtype
        assert x.shape == a.shape
        within(identity_defect(a, x), n, dtype, f"inv of order {n}")
        np.testing.assert_array_equal(given, a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 3, 12, 12), (500, 3, 3), (1, 1, 30, 30)])
def test_a_stack_of_inverses_is_that_of_its_matrices(dtype, shape):
    a = well_conditioned(*shape, dtype=dtype)
    for layout in LAYOUTS.values():
        x = lap.inv(layout(a))
        assert x.shape == shape
        for index in np.ndindex(shape[:-2]):
            np.testing.assert_array_equal(x[index], lap.inv(layout(a)[index]))


@pytest.mark.parametrize("n", [3, 8, 20])
@pytest.mark.parametrize("order", "CF")
def test_overwrite_a_inverts_in_a_itself_without_a_copy(n, order):
    a = np.array(well_conditioned(n, n), order=order)
    expected = lap.inv(a.copy(order))
    x, report = lap.inv(a, overwrite_a=True, return_report=True)
    assert x is a
    assert report.copies == 0
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("name", ["inv", "det", "slogdet"])
def test_signatures_begin_with_numpys_and_add_keywords_only(name):
    first, *added = inspect.signature(getattr(lap, name)).parameters.values()
    assert list(inspect.signature(getattr(np.linalg, name)).parameters) == [first.name]
    assert {p.kind for p in added} == {inspect.Parameter.KEYWORD_ONLY}
    expected = {"overwrite_a", "check_finite", "gpu", "device", "return_report"}
    if name == "inv":
        expected |= {"errors", "autofix"}
    assert expected == {p.name for p in added}


@pytest.mark.parametrize("name", ["inv", "det", "slogdet"])
@pytest.mark.parametrize("shape", [(0, 0), (3, 0, 0), (0, 2, 2), (2, 0, 5, 5), (1, 1), (4, 3, 3)])
@pytest.mark.parametrize("dtype", [*DTYPES, "int64", "bool"])
def test_shapes_and_types_are_numpys(name, shape, dtype):
    eye = np.broadcast_to(np.eye(shape[-1]), shape).astype(dtype)
    ours, theirs = getattr(lap, name)(eye), getattr(np.linalg, name)(eye)
    for mine, peer in zip(*((r,) if not isinstance(r, tuple) else r for r in (ours, theirs)), strict=True):
        assert type(mine) is type(peer)
        assert np.shape(mine) == np.shape(peer)
        assert mine.dtype == peer.dtype
        np.testing.assert_array_equal(mine, peer)


def test_slogdet_has_numpys_fields():
    result = lap.slogdet(np.eye(2))
    assert result._fields == ("sign", "logabsdet")
    assert (result.sign, result.logabsdet) == (1, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_determinants_agree_with_numpys_in_double_precision(dtype, layout):
    for shape in [(1, 1), (2, 2), (5, 5), (8, 8), (9, 9), (30, 30), (6, 4, 4), (2, 3, 12, 12)]:
        a = well_conditioned(*shape, dtype=dtype, seed=3)
        exact_sign, exact_log = np.linalg.slogdet(a.astype("complex128"))
        sign, log = lap.slogdet(LAYOUTS[layout](a))
        n = shape[-1]
        within(np.max(np.abs(sign - exact_sign)), n, dtype, f"sign, {shape}")
        within(np.max(np.abs(log - exact_log) / np.abs(exact_log).clip(1)), n, dtype, f"logarithm, {shape}")
        if np.max(exact_log) > np.log(np.finfo(a.dtype).max):
            continue
        exact = np.linalg.det(a.astype("complex128"))
        within(np.max(np.abs(lap.det(LAYOUTS[layout](a)) - exact) / np.abs(exact)), n * n, dtype, f"det, {shape}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_singular_matrices_have_determinant_0_and_logarithm_minus_infinity(dtype):
    for n in (2, 8, 9, 30):
        for a in (np.ones((n, n), dtype), np.zeros((n, n), dtype)):
            assert lap.det(a) == 0
            assert lap.slogdet(a) == (0, -np.inf)


REAL_SPECIAL = [
    [[np.nan, 1], [1, 2]],
    [[np.inf, 1], [1, 2]],
    [[1, np.inf], [1, 2]],
    [[np.inf]],
    [[-np.inf, 0], [0, 1]],
    [[np.nan, np.nan], [np.nan, np.nan]],
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("a", REAL_SPECIAL)
def test_nan_and_inf_in_a_real_determinant_give_what_numpy_gives(dtype, a):
    a = np.array(a, dtype)
    with np.errstate(all="ignore"):
        expected = np.linalg.det(a), *np.linalg.slogdet(a)
    np.testing.assert_array_equal([lap.det(a), *lap.slogdet(a)], expected)


@pytest.mark.parametrize("n", [1, 2, 8, 9, 30])
def test_nan_and_inf_spread_to_complex_determinants_without_a_warning(n):
    for special in (np.nan, np.inf):
        a = np.full((n, n), special, "complex128")
        assert not np.isfinite(lap.det(a))
        assert not np.isfinite(lap.slogdet(a).logabsdet)


def test_det_is_finite_where_the_partial_products_are_not():
    a = np.diag([1e200, 1e200, 1e-200, -1e-200, 3.0])
    assert lap.det(a) == pytest.approx(-3, rel=1e-14)
    assert lap.det(np.diag([1e30, 1e30, 1e-30, 1e-30]).astype("float32")) == pytest.approx(1, rel=1e-6)
    with pytest.warns(
        lap.ResultOverflowWarning, match="^det: the determinant, about 1e600, is too large for float64"
    ) as caught:
        assert lap.det(np.diag([1e200] * 3)) == np.inf
    assert "slogdet" in caught[0].message.fixes[0][1]
    assert lap.slogdet(np.diag([1e200] * 3)).logabsdet == pytest.approx(600 * np.log(10), rel=1e-15)
    with pytest.warns(lap.ResultOverflowWarning, match="about 1e-600, is too small for float64: 0 is returned"):
        assert lap.det(np.diag([1e-200] * 3)) == 0


def test_determinants_check_for_nan_only_when_asked():
    a = np.array([[1.0, 2.0], [np.nan, 4.0]])
    for call in (lap.det, lap.slogdet, lap.rcond):
        error = refuses(lambda call=call: call(a, check_finite=True), lap.NonFiniteError, "NaN at row 1, column 0")
        assert error.location == (1, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_report_of_inv_has_the_condition_number_itself(dtype):
    for n in (2, 5, 8, 9, 30):
        a = matrix(n, n, dtype=dtype, seed=7)
        x, report = lap.inv(np.asfortranarray(a), return_report=True)
        exact = 1 / (np.linalg.norm(a, 1) * np.linalg.norm(x, 1))
        # Complex moduli are LAPACK's |Re| + |Im|.
        assert exact / 2.1 <= report.rcond <= exact * (1 + n * eps(dtype) * 10)
        assert report.rcond_source == "inverse"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [4, 8, 9, 40])
def test_an_inverse_without_a_certain_digit_is_warned_of(dtype, n):
    a = matrix(n, n, dtype=dtype, seed=1)
    a[:, 0] *= eps(dtype) / 1000
    with pytest.warns(lap.IllConditionedWarning, match="a is ill-conditioned, rcond"):
        lap.inv(a)


def test_a_well_conditioned_inverse_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in SIZES:
            lap.inv(matrix(n, n))


@pytest.mark.parametrize("n", [2, 8, 9, 30])
def test_singular_members_of_a_stack_are_listed(n):
    a = np.broadcast_to(np.eye(n), (5, n, n)).copy()
    a[1, 0, 0] = a[4, 0, 0] = 0
    error = refuses(lambda: lap.inv(a), lap.SingularMatrixError, "column 0 is all 0 (matrix 1 and 1 more of 5)")
    assert error.failed == [1, 4]
    assert error.code == "LAP-E010"
    a[2, 0, 0] = np.nan
    error = refuses(lambda: lap.inv(a[2:4]), lap.NonFiniteError, "NaN at row 0, column 0")
    assert error.failed == [0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", [1, np.inf])
def test_rcond_is_within_a_factor_of_three_of_numpys_cond(dtype, order):
    for shape in [(1, 1), (2, 2), (5, 5), (30, 30), (7, 4, 4)]:
        a = matrix(*shape, dtype=dtype, seed=5)
        exact = 1 / np.linalg.cond(a, order)
        for layout in LAYOUTS.values():
            estimate = lap.rcond(layout(a), ord=order)
            assert np.shape(estimate) == shape[:-2]
            assert estimate.dtype == a.real.dtype
            assert np.all(estimate >= exact * 0.99)
            assert np.all(estimate <= exact * 3)


def test_rcond_of_singular_empty_and_non_finite_matrices():
    assert lap.rcond(np.ones((3, 3))) == 0
    assert lap.rcond(np.zeros((0, 0))) == 1
    assert lap.rcond(np.zeros((0, 3, 3))).shape == (0,)
    stack = np.array([np.eye(2), [[np.nan, 0], [0, 1]], np.ones((2, 2)), [[np.inf, 0], [0, 1]]])
    np.testing.assert_array_equal(lap.rcond(stack), [1, np.nan, 0, 0])
    assert isinstance(lap.rcond(np.eye(2)), np.float64)


@pytest.mark.parametrize("order", [2, "fro", -np.inf, int])
def test_rcond_knows_two_norms(order):
    refuses(lambda: lap.rcond(np.eye(2), ord=order), lap.LapackError, "must be 1 or numpy.inf")


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "rcond"])
def test_what_is_no_square_matrix_is_refused_in_words(name):
    call = getattr(lap, name)
    refuses(lambda: call(np.ones((2, 3))), lap.ShapeError, "a must be square, not 2 x 3")
    refuses(lambda: call(np.ones(3)), lap.ShapeError, "a has 1 dimension, shape (3,); at least 2 are needed")
    refuses(lambda: call(np.float64(3)), lap.ShapeError, "a has 0 dimensions")
    refuses(lambda: call(None), lap.DTypeError, "a is None")
    refuses(lambda: call(np.eye(2, dtype="float16")), lap.DTypeError, "float16")
    refuses(lambda: call([["x"]]), lap.DTypeError, "a has dtype")
    error = refuses(lambda: call(np.eye(2), device="moon"), lap.LapackError, "or a name of lap.devices().")
    assert error.cause == "device='moon' must be 'auto', 'cpu', 'gpu' or a device of lap.devices()"
    with pytest.raises(TypeError):
        call(np.eye(2), unknown=True)


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "rcond"])
def test_the_report_says_what_was_done(name):
    for n in (4, 20):
        result, report = getattr(lap, name)(np.eye(n), return_report=True)
        assert report.operation == name
        assert report.copies == 1
        assert report.engine == "cpu"
        assert report.routine in {"getc2", "getri", "getrf", "gecon"}
        assert result is not None


@pytest.mark.parametrize("name", ["det", "slogdet", "rcond"])
def test_overwrite_a_saves_the_copy_and_changes_no_bit(name):
    call = getattr(lap, name)
    a = np.asfortranarray(matrix(20, 20))
    expected = call(a)
    result, report = call(a.copy("F"), overwrite_a=True, return_report=True)
    assert report.copies == 0
    assert result == expected


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("make", [np.triu, np.tril])
def test_the_determinant_of_a_triangular_matrix_is_that_of_its_diagonal(make, order):
    a = np.asarray(make(matrix(130, 130)), order=order)
    sign, logabsdet = lap.slogdet(a)
    diagonal = np.diag(a)
    assert sign == np.prod(np.sign(diagonal))
    within(abs(logabsdet - np.log(np.abs(diagonal)).sum()) / 130, 130, "float64", "logarithm")


@pytest.mark.parametrize("place", [(0, 3), (3, 0), (4, 4)])
def test_a_nan_beside_the_diagonal_of_a_triangular_matrix_spreads_to_its_determinant(place):
    a = np.eye(9)
    a[place] = np.nan
    assert np.isnan(lap.det(a))
    assert np.isnan(lap.slogdet(a).logabsdet)
