"""lu_factor, lu_solve, lu, cho_factor, cho_solve, solve_triangular, cholesky_update: SciPy's contract, with stacks."""

import inspect
import warnings

import numpy as np
import pytest
from helpers import DTYPES, LAYOUTS, adjoint, eps, matrix, norm, positive, refuses, well_conditioned, within

import lapack_py as lap

scipy_linalg = pytest.importorskip("scipy.linalg", reason="SciPy is the peer of these functions")

SHAPES = [(1, 1), (1, 4), (4, 1), (5, 5), (9, 4), (4, 9), (40, 40), (3, 5, 5), (2, 3, 6, 4), (100, 3, 3)]
TRANS = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


def op(a, trans):
    return (a, np.swapaxes(a, -1, -2), adjoint(a))[trans]


def same(ours, theirs):
    """The same shapes and types."""
    assert [(np.shape(x), x.dtype) for x in ours] == [(np.shape(x), x.dtype) for x in theirs]


def solves(a, x, b, what):
    residual = norm(b - a @ x) / (norm(a) * max(norm(x), 1e-30))
    within(residual, a.shape[-1], x.dtype, what)


@pytest.mark.parametrize("name", ["lu", "lu_factor", "lu_solve", "cho_factor", "cho_solve", "solve_triangular"])
def test_signatures_begin_with_scipys_and_add_keywords_only(name):
    ours = list(inspect.signature(getattr(lap, name)).parameters.values())
    theirs = list(inspect.signature(getattr(scipy_linalg, name)).parameters.values())
    for mine, peer in zip(ours, theirs, strict=False):
        assert (mine.name, mine.default, mine.kind) == (peer.name, peer.default, peer.kind)
    added = ours[len(theirs) :]
    assert [p.name for p in added] == ["gpu", "device", "return_report"]
    assert {p.kind for p in added} == {inspect.Parameter.KEYWORD_ONLY}
    assert getattr(lap, name).__doc__.count("-------") >= 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_lu_reconstructs_a_in_every_form_and_layout(dtype, layout):
    for shape in SHAPES:
        a = matrix(*shape, dtype=dtype, seed=2)
        given, n = LAYOUTS[layout](a), max(shape[-2:])
        p, lower, upper = lap.lu(given)
        # For a single row or column SciPy's P and p have types of their own.
        peer = scipy_linalg.lu(a)
        same((lower, upper), peer[1:])
        assert (p.shape, p.dtype) == (peer[0].shape, a.real.dtype)
        within(norm(a - p @ lower @ upper) / norm(a), n, dtype, f"P L U, {shape}")
        assert np.all(np.triu(lower, 1) == 0)
        assert np.all(np.tril(upper, -1) == 0)
        assert np.all(np.diagonal(lower, axis1=-2, axis2=-1) == 1)
        rows, *factors = lap.lu(given, p_indices=True)
        same(factors, peer[1:])
        assert (rows.shape, rows.dtype) == (a.shape[:-1], np.int32)
        np.testing.assert_array_equal(np.take_along_axis(lower, rows[..., None].astype(int), -2), p @ lower)
        permuted, u = lap.lu(given, permute_l=True)
        np.testing.assert_array_equal(permuted, p @ lower)
        np.testing.assert_array_equal(u, upper)
        np.testing.assert_array_equal(given, a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_lu_factor_gives_scipys_factors(dtype, layout):
    for shape in SHAPES:
        a = matrix(*shape, dtype=dtype, seed=2)
        packed, piv = lap.lu_factor(LAYOUTS[layout](a))
        peer = scipy_linalg.lu_factor(a)
        same((packed, piv), peer)
        np.testing.assert_array_equal(piv, peer[1])
        within(norm(packed - peer[0]) / norm(peer[0]), max(shape[-2:]), dtype, f"lu_factor, {shape}", fail=300)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_lu_solve_and_cho_solve_solve_in_every_layout(dtype, layout):
    for n in (1, 2, 5, 40):
        a, s = well_conditioned(n, n, dtype=dtype), positive(n, n, dtype=dtype)
        for b in (matrix(n, dtype=dtype), matrix(n, 3, dtype=dtype)):
            given = LAYOUTS[layout](b) if b.ndim == 2 else b
            column = b if b.ndim == 2 else b[:, None]
            packed, piv = lap.lu_factor(a)
            for trans, form in TRANS.items():
                x = lap.lu_solve((LAYOUTS[layout](packed), piv), given, trans)
                assert x.shape == b.shape
                solves(op(a, form), x.reshape(column.shape), column, f"lu_solve, trans {trans}, n = {n}")
            for lower in (False, True):
                c, is_lower = lap.cho_factor(LAYOUTS[layout](s), lower)
                assert is_lower is lower
                garbage = np.triu(np.full((n, n), np.nan), 1)
                c = c + (garbage if lower else garbage.T)
                x = lap.cho_solve((LAYOUTS[layout](c.astype(dtype)), lower), given)
                assert x.dtype == dtype
                solves(s, x.reshape(column.shape), column, f"cho_solve, lower {lower}, n = {n}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("unit", [False, True])
def test_solve_triangular_reads_its_triangle_only_in_every_form(dtype, layout, unit):
    for n in (1, 2, 5, 40):
        a = (matrix(n, n, dtype=dtype) / n + (1 - unit) * 3 * np.eye(n)).astype(dtype)
        b = matrix(n, 2, dtype=dtype)
        for lower in (False, True):
            kept = np.tril(np.ones((n, n)), -unit) if lower else np.triu(np.ones((n, n)), unit)
            exact = np.where(kept, a, 0) + unit * np.eye(n)
            given = LAYOUTS[layout](np.where(kept, a, np.nan).astype(dtype))
            for trans, form in TRANS.items():
                x = lap.solve_triangular(given, b, trans, lower, unit)
                solves(op(exact, form), x, b, f"trans {trans}, lower {lower}, unit {unit}, n = {n}")
                peer = scipy_linalg.solve_triangular(exact, b, trans, lower, unit)
                assert (x.shape, x.dtype) == (peer.shape, np.dtype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_stacks_broadcast_against_each_other(dtype):
    n = 4
    a, s = well_conditioned(2, n, n, dtype=dtype), positive(2, n, n, dtype=dtype)
    b = matrix(3, 2, n, 5, dtype=dtype)
    lu_piv, c_lower = lap.lu_factor(a), lap.cho_factor(s)
    for x, of in ((lap.lu_solve(lu_piv, b), a), (lap.cho_solve(c_lower, b), s)):
        assert x.shape == b.shape
        solves(of, x, b, "stack of right-hand sides")
    x = lap.solve_triangular(a, b)
    solves(np.triu(a), x, b, "stack of triangles")
    for call in (
        lambda b: lap.lu_solve(lu_piv, b),
        lambda b: lap.cho_solve(c_lower, b),
        lambda b: lap.solve_triangular(a, b),
    ):
        assert call(matrix(n, dtype=dtype)).shape == (2, n)
        assert call(matrix(n, 3, dtype=dtype)).shape == (2, n, 3)
        assert call(matrix(5, 1, n, 3, dtype=dtype)).shape == (5, 2, n, 3)
        np.testing.assert_array_equal(call(b)[1, 0], call(b[1])[0])


def test_a_stack_of_vectors_is_read_as_matrices_as_numpy_2_does():
    packed, piv = lap.lu_factor(well_conditioned(4, 4, 4))
    assert lap.lu_solve((packed, piv), matrix(4, 4)).shape == (4, 4, 4)
    packed, piv = lap.lu_factor(well_conditioned(3, 4, 4))
    refuses(lambda: lap.lu_solve((packed, piv), matrix(3, 4)), lap.ShapeError, "pass b[..., None]")


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "complex64"), ("int64", "float32")])
def test_mixed_types_are_solved_in_the_type_that_holds_both(dtypes):
    first, second = dtypes
    a, b = (np.eye(3) * 4).astype(first), np.full(3, 2).astype(second)
    expected = np.result_type(first if first != "int64" else "float64", second)
    for x in (
        lap.lu_solve(lap.lu_factor(a), b),
        lap.cho_solve(lap.cho_factor(a), b),
        lap.solve_triangular(a, b),
    ):
        assert x.dtype == expected
        np.testing.assert_array_equal(x, [0.5] * 3)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 0, 0), (0, 3, 3), (0, 2, 3)])
def test_empty_matrices_have_empty_factors(shape):
    a = np.zeros(shape)
    *batch, m, n = shape
    packed, piv = lap.lu_factor(a)
    assert (packed.shape, piv.shape, piv.dtype) == (shape, (*batch, min(m, n)), np.int32)
    p, lower, upper = lap.lu(a)
    assert (lower.shape, upper.shape) == ((*batch, m, min(m, n)), (*batch, min(m, n), n))
    np.testing.assert_array_equal(p, np.broadcast_to(np.eye(m), (*batch, m, m)))
    rows, _, _ = lap.lu(a, p_indices=True)
    assert rows.shape == shape[:-1]
    if shape[-1] == shape[-2]:
        assert lap.cho_factor(a)[0].shape == shape
        b = np.zeros((*shape[:-1], 2))
        for x in (
            lap.lu_solve(lap.lu_factor(a), b),
            lap.cho_solve(lap.cho_factor(a), b),
            lap.solve_triangular(a, b),
        ):
            assert x.shape == b.shape
        assert lap.cholesky_update(a, np.zeros(shape[:-1])).shape == shape


def test_no_right_hand_sides_have_no_solutions():
    eye, none = np.eye(3), np.zeros((3, 0))
    assert lap.lu_solve(lap.lu_factor(eye), none).shape == (3, 0)
    assert lap.cho_solve((eye, True), none).shape == (3, 0)
    assert lap.solve_triangular(eye, none).shape == (3, 0)


def test_a_singular_matrix_is_factorised_with_a_warning_and_refused_by_lu_solve():
    a = np.array([np.eye(3), np.ones((3, 3)), np.diag([1.0, 0, 1])])
    with pytest.warns(
        lap.IllConditionedWarning, match=r"singular: pivot 1 of 3 is exactly 0 \(matrix 1 and 1 more"
    ) as caught:
        packed, piv = lap.lu_factor(a)
    assert caught[0].message.cause == "columns 0 and 1 are equal (and 1 more)"
    assert caught[0].message.failed == [1, 2]
    assert (caught[0].message.operation, caught[0].message.rcond) == ("lu_factor", 0)
    assert isinstance(caught[0].message, scipy_linalg.LinAlgWarning)
    for matrices, factors, rows in zip(a, packed, piv, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_array_equal(factors, scipy_linalg.lu_factor(matrices)[0])
        assert rows.dtype == np.int32
    error = refuses(lambda: lap.lu_solve((packed, piv), np.ones(3)), lap.SingularMatrixError, "lu is singular")
    assert error.failed == [1, 2]
    assert "lu[1, 1] is 0" in error.report()


@pytest.mark.parametrize("lower", [False, True])
def test_a_zero_on_the_diagonal_of_a_triangle_is_named(lower):
    a = np.broadcast_to(np.eye(4), (3, 4, 4)).copy()
    a[1, 2, 2] = 0
    call = lambda: lap.solve_triangular(a, np.ones(4), lower=lower)  # noqa: E731
    error = refuses(call, lap.SingularMatrixError, "a is singular: a[2, 2] is 0 (matrix 1 of 3)")
    assert error.failed == [1]
    assert "pivot: 2 of 4" in error.report()
    with pytest.raises(np.linalg.LinAlgError):
        scipy_linalg.solve_triangular(a[1], np.ones(4), lower=lower)
    assert lap.solve_triangular(a, np.ones(4), lower=lower, unit_diagonal=True).shape == (3, 4)
    error = refuses(lambda: lap.cho_solve((a, lower), np.ones(4)), lap.SingularMatrixError, "c is singular")
    assert error.failed == [1]


def test_what_is_not_positive_definite_is_named_under_the_name_of_the_call():
    a = np.array([np.eye(3), np.diag([1.0, -1, 1])])
    error = refuses(lambda: lap.cho_factor(a), lap.NotPositiveDefiniteError, "diagonal element 1 is -1 (matrix 1 of 2)")
    assert "minor: 2 of 3 is not positive" in error.report()
    assert error.operation == "cho_factor"
    assert error.failed == [1]


@pytest.mark.parametrize("name", ["lu_factor", "cho_factor"])
def test_overwrite_a_factorises_in_a_itself(name):
    call = getattr(lap, name)
    expected = call(np.asfortranarray(positive(20, 20)))[0]
    a = np.asfortranarray(positive(20, 20))
    (factor, _), report = call(a, overwrite_a=True, return_report=True)
    assert factor is a
    assert report.copies == 0
    np.testing.assert_array_equal(factor, expected)
    c_order = positive(20, 20)
    factor, _ = call(c_order, overwrite_a=True)
    np.testing.assert_array_equal(factor, call(positive(20, 20))[0])


def test_lu_with_overwrite_a_gives_the_same_factors():
    a = np.asfortranarray(matrix(20, 12))
    expected = lap.lu(a)
    for mine, theirs in zip(lap.lu(a, overwrite_a=True), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_overwrite_b_gives_x_in_b():
    a = well_conditioned(6, 6)
    for b in (matrix(6), np.asfortranarray(matrix(6, 2))):
        for call in (
            lambda b: lap.lu_solve(lap.lu_factor(a), b, overwrite_b=True),
            lambda b: lap.cho_solve((np.linalg.cholesky(positive(6, 6)), True), b, overwrite_b=True),
            lambda b: lap.solve_triangular(a, b, overwrite_b=True),
        ):
            given = b.copy("K")
            assert call(given) is given


def test_factors_are_read_where_they_lie():
    a = positive(30, 30)
    c = lap.cho_factor(a)
    _, report = lap.cho_solve(c, np.ones(30), return_report=True)
    assert report.copies == 0
    _, report = lap.solve_triangular(a, np.ones(30), return_report=True)
    assert report.copies == 0
    _, report = lap.lu_solve(lap.lu_factor(a), np.ones(30), return_report=True)
    assert report.copies == 0


@pytest.mark.parametrize("piv", [[0, 3, 2], [-1, 1, 2], [0, 2**40, 2]])
def test_pivots_outside_the_matrix_never_reach_lapack(piv):
    refuses(lambda: lap.lu_solve((np.eye(3), piv), np.ones(3)), lap.LapackError, "which must be from 0 to 2")


def test_pivots_of_another_shape_or_type_are_refused_in_words():
    eye, b = np.eye(3), np.ones(3)
    refuses(lambda: lap.lu_solve((eye, [0, 1]), b), lap.ShapeError, "piv has shape [2], but lu needs one of shape [3]")
    refuses(lambda: lap.lu_solve((eye, [0.0, 1, 2]), b), lap.DTypeError, "piv has dtype float64")
    refuses(lambda: lap.lu_solve((eye, [[0], [1, 2]]), b), lap.LapackError, "piv")
    np.testing.assert_array_equal(lap.lu_solve((eye, np.arange(3, dtype="uint8")), b), b)


@pytest.mark.parametrize(("name", "tail"), [("lu_solve", "(lu, piv)"), ("cho_solve", "(c, lower)")])
def test_something_else_than_the_tuple_is_refused_in_words(name, tail):
    for wrong, text in [
        (np.eye(3), f"must be the tuple {tail}"),
        (None, f"must be the tuple {tail}"),
        ("xy", f"must be the tuple {tail}"),
        ((np.eye(3),), f"has 1 item, not 2: {tail}"),
        ((1, 2, 3), f"has 3 items, not 2: {tail}"),
    ]:
        error = refuses(lambda wrong=wrong: getattr(lap, name)(wrong, np.ones(3)), lap.LapackError, text)
        assert "as it is returned" in error.fixes[0][1]


@pytest.mark.parametrize("trans", [3, -1, "X", "", None.__class__, 1.5])
def test_an_unknown_trans_is_refused_in_words(trans):
    for call in (
        lambda: lap.lu_solve(lap.lu_factor(np.eye(2)), np.ones(2), trans),
        lambda: lap.solve_triangular(np.eye(2), np.ones(2), trans),
    ):
        refuses(call, lap.LapackError, "must be 0, 1, 2, 'N', 'T' or 'C'")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("lu_solve", lambda a, b: lap.lu_solve((a, np.broadcast_to(np.arange(a.shape[-2]), a.shape[:-1])), b)),
        ("cho_solve", lambda a, b: lap.cho_solve((a, False), b)),
        ("solve_triangular", lap.solve_triangular),
    ],
)
def test_bad_input_to_the_solvers_is_refused_in_words(name, call):
    first = {"lu_solve": "lu", "cho_solve": "c", "solve_triangular": "a"}[name]
    eye = np.eye(3)
    refuses(lambda: call(eye, np.ones(4)), lap.ShapeError, f"{first} is 3 x 3, so b needs 3 rows, not 4")
    refuses(lambda: call(np.ones((3, 2)), np.ones(3)), lap.ShapeError, "must be square, not 3 x 2")
    refuses(lambda: call(eye, 1.0), lap.ShapeError, "b is a single number")
    refuses(lambda: call(eye, [1.0, np.inf, 1.0]), lap.NonFiniteError, "b has Inf at row 1")
    bad = np.eye(3)
    bad[0, 2] = np.nan
    error = refuses(lambda: call(bad, np.ones(3)), lap.NonFiniteError, f"{first} has NaN at row 0, column 2")
    assert error.operation == name
    assert np.isnan(
        {
            "lu_solve": lambda: lap.lu_solve((bad, [0, 1, 2]), np.ones(3), check_finite=False),
            "cho_solve": lambda: lap.cho_solve((bad, False), np.ones(3), check_finite=False),
            "solve_triangular": lambda: lap.solve_triangular(bad, np.ones(3), check_finite=False),
        }[name]()
    ).any()
    refuses(lambda: call(np.broadcast_to(eye, (2, 3, 3)), np.ones((5, 3, 1))), lap.ShapeError, "do not fit together")


@pytest.mark.parametrize("name", ["lu", "lu_factor", "cho_factor"])
def test_bad_input_to_the_factorisations_is_refused_in_words(name):
    call = getattr(lap, name)
    refuses(lambda: call(np.ones(3)), lap.ShapeError, "a has 1 dimension")
    refuses(lambda: call(np.diag([1, np.nan])), lap.NonFiniteError, "a has NaN at row 1, column 1")
    refuses(lambda: call(None), lap.DTypeError, "a is None")
    stack = np.stack([np.eye(2), np.full((2, 2), np.inf), np.eye(2)])
    assert refuses(lambda: call(stack), lap.NonFiniteError, "(matrix 1 of 3)").failed == [1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("lower", [True, False])
def test_rank_one_changes_give_the_factor_of_the_changed_matrix(dtype, layout, lower):
    for shape in [(1, 1), (2, 2), (5, 5), (40, 40), (3, 4, 4)]:
        a, x = positive(*shape, dtype=dtype), matrix(*shape[:-1], dtype=dtype)
        outer = x[..., :, None] * np.conj(x[..., None, :])
        factor = LAYOUTS[layout](lap.cholesky(a, upper=not lower))
        product = lambda f: f @ adjoint(f) if lower else adjoint(f) @ f  # noqa: E731
        up = lap.cholesky_update(factor, x, lower=lower)
        assert (up.shape, up.dtype) == (a.shape, a.dtype)
        size, n = norm(a + outer), shape[-1]
        within(norm(product(up) - a - outer) / size, n, dtype, f"update, {shape}")
        expected = lap.cholesky((a + outer).astype(dtype), upper=not lower)
        within(norm(up - expected) / norm(expected), n * 10, dtype, f"update against cholesky, {shape}")
        down = lap.cholesky_update(LAYOUTS[layout](up), x, downdate=True, lower=lower)
        within(norm(product(down) - a) / size, n, dtype, f"downdate, {shape}")


def test_updates_broadcast_and_accept_any_stride():
    factor, x = np.linalg.cholesky(positive(4, 4)), matrix(3, 8)[:, ::2]
    updated = lap.cholesky_update(factor, x)
    assert updated.shape == (3, 4, 4)
    for index in range(3):
        np.testing.assert_array_equal(updated[index], lap.cholesky_update(factor, x[index].copy()))
    assert lap.cholesky_update(np.stack([factor] * 2), x[0]).shape == (2, 4, 4)


def test_a_downdate_that_loses_definiteness_names_the_minor_and_the_matrices():
    factors = np.stack([2 * np.eye(3)] * 3)
    x = np.array([[0, 1.0, 0], [0, 2.0, 0], [3.0, 0, 0]])
    call = lambda: lap.cholesky_update(factors, x, downdate=True)  # noqa: E731
    error = refuses(
        call, lap.NotPositiveDefiniteError, "is not positive definite, from minor 2 of 3 on (matrix 1 and 1 more"
    )
    assert error.failed == [1, 2]
    assert error.code == "LAP-E011"


def test_a_downdate_close_to_the_limit_keeps_the_digits_that_there_are():
    for gap in (1e-2, 1e-5, 1e-8):
        down = lap.cholesky_update(np.eye(2), [np.sqrt(1 - gap), 0.0], downdate=True)
        # The gap itself is known to eps / gap only.
        assert down[0, 0] == pytest.approx(np.sqrt(gap), rel=4 * eps("float64") / gap)
        assert down[1, 1] == 1


def test_bad_input_to_updates_is_refused_in_words():
    eye = np.eye(3)
    refuses(lambda: lap.cholesky_update(eye, np.ones(2)), lap.ShapeError, "L is 3 x 3, so x needs 3 elements, not 2")
    refuses(lambda: lap.cholesky_update(eye, 1.0), lap.ShapeError, "x needs 3 elements, not a single number")
    refuses(lambda: lap.cholesky_update(np.ones((2, 3)), np.ones(3)), lap.ShapeError, "must be square, not 2 x 3")
    refuses(lambda: lap.cholesky_update(np.ones(3), np.ones(3)), lap.ShapeError, "L has 1 dimension")
    refuses(lambda: lap.cholesky_update(eye, [1, np.nan, 1]), lap.NonFiniteError, "x has NaN at row 1")
    eye[2, 0] = np.inf
    refuses(lambda: lap.cholesky_update(eye, np.ones(3)), lap.NonFiniteError, "L has Inf at row 2, column 0")
    assert np.isfinite(lap.cholesky_update(eye, np.ones(3), lower=False)).all()
    refuses(lambda: lap.cholesky_update(np.stack([eye] * 2), np.ones((3, 3))), lap.ShapeError, "do not fit together")


def test_errors_name_the_array_that_does_not_fit():
    for call, name in [
        (lambda: lap.lu_solve((np.ones((3, 2)), [0, 1]), np.ones(3)), "lu"),
        (lambda: lap.cho_solve((np.ones((3, 2)), True), np.ones(3)), "c"),
        (lambda: lap.cholesky_update(np.ones((3, 2)), np.ones(3)), "L"),
    ]:
        error = refuses(call, lap.ShapeError, f"{name} must be square, not 3 x 2")
        assert error.argument == name


def test_a_single_number_is_no_vector_to_update_with():
    for factor in (np.eye(3), np.ones((2, 3))):
        refuses(lambda factor=factor: lap.cholesky_update(factor, 5.0), lap.ShapeError, "not a single number")
