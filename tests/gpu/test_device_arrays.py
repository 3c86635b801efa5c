"""Arrays on the device: what goes up comes back, views are NumPy's, and operators stay there."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from helpers import DTYPES, LAYOUTS, eps, matrix, refuses, within
from on_device import NAME, NUMBER, computed_there, spans

import lapack_py as lap

types = pytest.mark.parametrize("dtype", DTYPES)
SHAPES = [(), (1,), (7,), (0,), (3, 4), (0, 4), (4, 0), (2, 3, 4), (2, 0, 4), (2, 3, 1, 4), (2, 1, 3, 2, 2)]


def there(array, like=None):
    """An array on the device, with the shape and type of `like`."""
    assert type(array) is lap.DeviceArray
    assert (array.device, array.device_number) == (NAME, NUMBER)
    if like is not None:
        assert (array.shape, array.dtype) == (np.shape(like), np.asarray(like).dtype)
    return array


def same(array, expected):
    """Bit for bit, NaN included."""
    there(array, expected)
    back = array.numpy()
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, expected)
    assert back.flags.c_contiguous
    assert back.flags.writeable
    assert back.flags.owndata


# There and back.


@types
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_arrays_of_every_type_and_shape_come_back_bit_for_bit(dtype, shape):
    a = matrix(*shape, dtype=dtype)
    array = there(lap.to_device(a), a)
    assert (array.ndim, array.size, array.nbytes) == (a.ndim, a.size, a.nbytes)
    same(array, a)
    special = a.copy()
    if a.size:
        special.flat[0] = np.nan
        special.flat[-1] = -np.inf
    same(lap.to_device(special), special)


@types
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_the_host_is_read_right(dtype, layout):
    for shape in ((13, 9), (3, 13, 9), (2, 3, 5, 4)):
        a = matrix(*shape, dtype=dtype)
        same(lap.to_device(LAYOUTS[layout](a)), a)
    vector = matrix(20, dtype=dtype)
    same(lap.to_device(vector[::-3]), vector[::-3])
    same(lap.to_device(np.broadcast_to(vector, (4, 20))), np.broadcast_to(vector, (4, 20)))
    same(lap.to_device(matrix(4, 3, 2, dtype=dtype).T), matrix(4, 3, 2, dtype=dtype).T)


def test_large_arrays_come_back_through_many_pieces():
    a = matrix(3001, 1777)
    same(lap.to_device(a), a)
    same(lap.to_device(a.T), a.T)


def test_what_numpy_makes_an_array_of_is_taken_as_by_the_operations():
    same(lap.to_device([[1, 2], [3, 4]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    same(lap.to_device(2.5), np.array(2.5))
    same(lap.to_device(np.arange(6, dtype="int32").reshape(2, 3)), np.arange(6.0).reshape(2, 3))
    same(lap.to_device(np.eye(2, dtype=">f8")), np.eye(2))


def test_an_array_that_is_there_already_is_not_copied():
    array = lap.to_device(np.eye(3))
    assert lap.to_device(array) is array
    assert lap.to_device(array, device=NUMBER) is array
    same(lap.to_device(np.eye(3), device=NAME), np.eye(3))
    with lap.device(NUMBER):
        assert lap.to_device(array) is array


def test_what_comes_back_is_a_copy():
    array = lap.to_device(np.eye(3))
    back = array.numpy()
    back[0, 0] = 5
    same(array, np.eye(3))


# Views.


def random_keys(rng, shape):
    """A random key for an array of `shape`: integers, slices, None and at most one Ellipsis."""
    axes = int(rng.integers(0, len(shape) + 1))
    ellipsis = bool(rng.integers(0, 2))
    at = int(rng.integers(0, axes + 1)) if ellipsis else axes
    keys = []
    for place in range(axes):
        axis = place if place < at else len(shape) - axes + place
        extent = shape[axis]
        if rng.integers(0, 3) == 0 and extent > 0:
            keys.append(int(rng.integers(-extent, extent)))
        else:
            limits = [None if rng.integers(0, 3) == 0 else int(rng.integers(-extent - 2, extent + 3)) for _ in range(2)]
            step = [None, 1, 2, 3, -1, -2, -3][rng.integers(0, 7)]
            keys.append(slice(*limits, step))
    if ellipsis:
        keys.insert(at, ...)
    for _ in range(int(rng.integers(0, 3))):
        keys.insert(int(rng.integers(0, len(keys) + 1)), None)
    return keys[0] if len(keys) == 1 and rng.integers(0, 2) else tuple(keys)


@pytest.mark.parametrize("shape", [(), (6,), (5, 7), (3, 4, 5), (2, 3, 4, 3), (2, 3, 2, 2, 3), (4, 0, 3)], ids=str)
def test_random_keys_select_what_numpy_selects(shape):
    rng = np.random.default_rng(len(shape))
    a = matrix(*shape, dtype="float32")
    array = lap.to_device(a)
    for _ in range(150):
        key = random_keys(rng, shape)
        view, expected = array[key], a[key]
        same(view, np.asarray(expected))
        # A view of a view.
        again = random_keys(rng, view.shape)
        same(view[again], np.asarray(expected[again]))


@types
def test_transposes_and_slices_are_views_of_the_same_memory(dtype):
    a = matrix(4, 6, 5, dtype=dtype)
    with spans() as reports:
        array = lap.to_device(a)
        used = lap.devices()[NUMBER].pool["used"]
        views = [array.T, array.mT, array[1], array[..., ::-2], array[:, None], array.mT[2:0:-1].T]
        assert lap.devices()[NUMBER].pool["used"] == used
    assert reports == []
    for view, expected in zip(views, [a.T, a.mT, a[1], a[..., ::-2], a[:, None], a.mT[2:0:-1].T], strict=True):
        same(view, expected)
    same(lap.to_device(a[0, 0]).T, a[0, 0])


def test_a_view_keeps_the_memory_that_it_shows():
    view = lap.to_device(matrix(50, 40))[7:9].mT
    for seed in range(5):
        lap.to_device(matrix(50, 40, seed=seed + 1))
    same(view, matrix(50, 40)[7:9].T)


@types
def test_reshapes_have_numpys_order(dtype):
    a = matrix(4, 6, 5, dtype=dtype)
    array = lap.to_device(a)
    for shape in ((120,), (-1,), (6, 20), (2, -1, 3), (1, 120, 1), (4, 6, 5)):
        same(array.reshape(shape), a.reshape(shape))
        same(array.reshape(*shape), a.reshape(shape))
        # Not packed: the elements are those of the view, in its own order.
        same(array.T.reshape(shape), a.T.reshape(shape))
        same(array[..., ::-1].reshape(shape), a[..., ::-1].reshape(shape))
    same(lap.to_device(np.ones((0, 3))).reshape(3, 0), np.ones((3, 0)))
    same(lap.to_device(np.ones((1, 1))).reshape(()), np.ones(()))


def test_a_copy_is_packed_and_apart():
    a = matrix(5, 4)
    array = lap.to_device(a)
    same(array.mT.copy(), a.T)
    same(array[::-1, ::2].copy(), a[::-1, ::2])


# Arithmetic.


@types
def test_arithmetic_is_numpys(dtype):
    a, b = matrix(3, 8, 7, dtype=dtype), matrix(3, 8, 7, dtype=dtype, seed=1)
    x, y = lap.to_device(a), lap.to_device(b)

    def close(array, expected):
        expected = expected.astype(dtype)
        there(array, expected)
        error = np.max(np.abs(array.numpy() - expected)) / np.max(np.abs(expected))
        within(error, 1, dtype, "arithmetic")

    close(x + y, a + b)
    close(x - y, a - b)
    close(-x, -a)
    for factor in (3, -2.5, True, np.float64(0.1), np.float32(2), np.int64(7), np.array(4.0)):
        close(x * factor, a * factor)
        close(factor * x, factor * a)
        close(x / factor, a / factor)
    close(x[:, ::2].mT + y[:, ::2].mT, (a[:, ::2] + b[:, ::2]).mT)
    close(x[1] - y[0, ::-1, :], a[1] - b[0, ::-1])
    same(x.conj(), a.conj())
    if np.dtype(dtype).kind == "c":
        close(x * (1 + 2j), a * (1 + 2j))
        close(x / np.complex64(2j), a / np.complex64(2j))
        same(x.mT.conj(), a.mT.conj())


def test_arithmetic_of_every_number_of_dimensions():
    for shape in SHAPES:
        a = matrix(*shape)
        x = lap.to_device(a)
        same(x + x, np.asarray(a + a))
        same(x * 0.5, np.asarray(a * 0.5))
        same(-x.copy(), np.asarray(-a))


@types
def test_norms_are_numpys_for_matrices_stacks_and_views(dtype):
    a = matrix(2, 3, 31, 22, dtype=dtype)
    x = lap.to_device(a)
    for ord_ in ("fro", 1, np.inf, "max", None):
        for view, host in ((x, a), (x[1, 2], a[1, 2]), (x.mT, a.mT), (x[:, 1, ::-2], a[:, 1, ::-2])):
            ours = view.norm(ord_) if ord_ is not None else view.norm()
            if ord_ == "max":
                right = np.max(np.abs(host), axis=(-2, -1))
            else:
                right = np.linalg.norm(host.astype("complex128"), ord_ or "fro", axis=(-2, -1))
            assert isinstance(ours, float if host.ndim == 2 else np.ndarray)
            assert np.shape(ours) == np.shape(right)
            within(np.max(np.abs(ours - right) / right), host.shape[-1], dtype, f"norm {ord_}")
    large = np.full((4, 4), 1e30 if eps(dtype) > 1e-10 else 1e300, dtype)
    assert np.isfinite(lap.to_device(large).norm())
    assert lap.to_device(np.ones((0, 3), dtype)).norm() == 0
    assert np.isnan(lap.to_device(np.array([[1, np.nan]], dtype)).norm())


# Products.


@types
def test_products_with_device_arrays_or_numpys_on_either_side_stay_on_the_device(dtype):
    a, b = matrix(9, 12, dtype=dtype), matrix(12, 5, dtype=dtype, seed=1)
    x, y = lap.to_device(a), lap.to_device(b)
    right = lap.matmul(a, b, gpu=False)
    bound = np.abs(a) @ np.abs(b)
    with spans() as reports:
        results = [x @ y, x @ b, a @ y, lap.matmul(x, y), lap.matmul(a, y), x @ b.tolist()]
    assert len(reports) == 6
    for report in reports:
        computed_there(report)
        assert report.reason == "the operands lie on the device"
    for c in results[:5]:
        there(c, right)
        within(np.max(np.abs(c.numpy() - right) / bound), 12, dtype, "on the device")
    # A list is float64 or complex128.
    assert results[5].dtype == np.result_type(dtype, np.asarray(b.tolist()).dtype)


def test_products_follow_numpys_rules_for_vectors_and_stacks():
    cases = [((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 3)), ((5, 3, 4), (4,)), ((4,), (5, 4, 2)), ((5, 3, 4), (5, 4, 2))]
    cases += [
        ((5, 1, 3, 4), (2, 4, 3)),
        ((3, 4), (5, 4, 2)),
        ((0, 4), (4, 3)),
        ((3, 0), (0, 2)),
        ((2, 0, 3, 4), (4, 5)),
    ]
    for left, right in cases:
        a, b = matrix(*left), matrix(*right, seed=1)
        c = lap.to_device(a) @ lap.to_device(b)
        expected = np.matmul(a, b)
        there(c, expected)
        within(np.max(np.abs(c.numpy() - expected), initial=0.0), 4, "float64", f"{left} @ {right}", fail=300)


def test_products_of_views_are_those_of_what_they_show():
    a, b = matrix(4, 10, 8), matrix(4, 10, 8, seed=1)
    x, y = lap.to_device(a), lap.to_device(b)
    for c, expected in (
        (x @ y.mT, a @ b.mT),
        (x.mT @ y, a.mT @ b),
        (x[::-1, 1::2] @ y.mT[..., ::3], a[::-1, 1::2] @ b.mT[..., ::3]),
        (x[0] @ y[1].T, a[0] @ b[1].T),
        (x[:, 0] @ y.T[:, :, 2], a[:, 0] @ b.T[:, :, 2]),
        (x[:, None] @ y.mT, a[:, None] @ b.mT),
        (x.T[..., None, :] @ x.T[..., :, None], a.T[..., None, :] @ a.T[..., :, None]),
    ):
        there(c, expected)
        error = np.max(np.abs(c.numpy() - expected)) / np.max(np.abs(expected))
        within(error, 10, "float64", "views")


def test_types_that_differ_are_brought_to_the_common_one():
    for one in DTYPES:
        for other in DTYPES:
            a, b = matrix(4, 5, dtype=one), matrix(5, 3, dtype=other, seed=1)
            c = lap.to_device(a) @ lap.to_device(b)
            there(c, (a @ b).astype(np.result_type(one, other)))
            within(np.max(np.abs(c.numpy() - a @ b)) / np.max(np.abs(a @ b)), 5, c.dtype, f"{one} @ {other}")


def test_a_chain_of_twenty_operations_stays_on_the_device():
    a = matrix(60, 60) / 8
    x = lap.to_device(a)
    y, right = x, a
    with spans() as reports:
        for step in range(20):
            if step % 4 == 0:
                y, right = y @ x, right @ a
            elif step % 4 == 1:
                y, right = y.mT + x, right.T + a
            elif step % 4 == 2:
                y, right = (y * 0.5)[::-1], (right * 0.5)[::-1]
            else:
                y, right = y - x.T, right - a.T
        there(y, right)
    assert len(reports) == 5
    for report in reports:
        computed_there(report)
        assert any(name.startswith("gemm") for name, *_ in report.spans)
        # A check moves a few numbers; nothing of an operand's size crosses the bus.
        assert sum(size for *_, size in report.spans) < a.nbytes / 2
    within(np.max(np.abs(y.numpy() - right)) / np.max(np.abs(right)), 60, "float64", "the chain")


def test_the_report_of_a_product_on_the_device_has_its_kernel():
    x = lap.to_device(matrix(50, 50))
    c, report = lap.matmul(x, x, return_report=True)
    there(c)
    computed_there(report)
    name, _, seconds, size = report.spans[0]
    assert name.startswith("gemm")
    assert size == 0
    assert seconds > 0
    assert report.shape == (1, 50, 50)


def test_nothing_waits_until_numbers_are_wanted():
    # Kernels run in order: whatever is still at work when an array is let go of, the numbers are right.
    x = lap.to_device(matrix(300, 300) / 20)
    y = x
    for _ in range(10):
        y = y @ x
    right = np.linalg.matrix_power(matrix(300, 300) / 20, 11)
    within(np.max(np.abs(y.numpy() - right)) / np.max(np.abs(right)), 300, "float64", "power")


# What is refused, and how.


def test_shapes_and_types_that_do_not_fit_are_refused_in_words():
    x, y = lap.to_device(np.ones((3, 4))), lap.to_device(np.ones((5, 2)))
    refuses(lambda: x @ y, lap.ShapeError, "the first matrix has 4 columns, so the second needs 4 rows, not 5")
    stack = lap.to_device(np.ones((2, 4, 4)))
    refuses(lambda: stack @ lap.to_device(np.ones((3, 4, 4))), lap.ShapeError, "the leading dimensions [2] and [3]")
    refuses(lambda: x @ lap.to_device(2.0), lap.LapackError, "x2 is a single number, no matrix")
    refuses(lambda: x + y, lap.ShapeError, "shapes [3, 4] and [5, 2] differ")
    refuses(lambda: x + lap.to_device(np.ones((3, 4), "float32")), lap.DTypeError, "types float64 and float32")
    refuses(lambda: x * 1j, lap.LapackError, "a complex factor needs a complex array")
    refuses(lambda: x.norm(2), lap.LapackError, "ord=2 must be 'fro', 1, inf or 'max'")
    refuses(lambda: lap.to_device(np.ones(3)).norm(), lap.LapackError, "a matrix norm needs 2")
    refuses(lambda: lap.to_device(np.ones(3)).mT, lap.LapackError, "mT needs 2")
    refuses(lambda: x.reshape(5, 5), lap.ShapeError, "cannot become [5, 5]")
    refuses(lambda: x.reshape(-1, -1), lap.LapackError, "one may be -1")
    refuses(lambda: x.reshape(-1, 5), lap.ShapeError, "cannot become")
    refuses(lambda: lap.matmul(x, x.T, out=np.empty((3, 3))), lap.LapackError, "out cannot be given with device arrays")


@pytest.mark.parametrize(
    ("key", "kind", "text"),
    [
        (3, IndexError, "index 3 is out of bounds for axis 0 with size 3"),
        ((0, -5), IndexError, "index -5 is out of bounds for axis 1 with size 4"),
        ((0, 0, 0), IndexError, "too many indices: the array has 2 dimensions, but 3 were indexed"),
        ((..., ...), IndexError, "an index can only have a single ellipsis"),
        ([0, 1], TypeError, "indexed by integers, slices, ... and None only"),
        ("a", TypeError, "indexed by integers, slices, ... and None only"),
        (np.array([True, False, True]), TypeError, "indexed by integers, slices, ... and None only"),
        (1.0, TypeError, "indexed by integers, slices, ... and None only"),
        (slice(None, None, 0), ValueError, "slice step cannot be zero"),
    ],
    ids=str,
)
def test_keys_that_select_nothing_are_refused_in_words(key, kind, text):
    array = lap.to_device(np.ones((3, 4)))
    with pytest.raises(kind) as caught:
        array[key]
    assert text in str(caught.value)


def test_indices_of_numpys_integers_and_flags_mean_what_they_do_in_numpy():
    a = matrix(3, 4)
    array = lap.to_device(a)
    same(array[np.int64(1), np.uint8(2)], np.asarray(a[1, 2]))
    with pytest.raises(TypeError):
        array[True]


def test_numpy_does_not_take_device_arrays_in_silence():
    array = lap.to_device(np.eye(3))
    for call in (lambda: np.asarray(array), lambda: np.array(array, dtype="float32"), lambda: np.linalg.norm(array)):
        with pytest.raises(TypeError, match=r"it lies in the memory of the device .* Fix: use \.numpy\(\) to copy it"):
            call()
    with pytest.raises(TypeError):
        np.add(array, np.eye(3))
    with pytest.raises(TypeError):
        array + np.eye(3)
    with pytest.raises(TypeError):
        array * np.eye(3)
    with pytest.raises(TypeError):
        array + "text"


def test_what_makes_no_array_is_refused_as_by_the_operations():
    refuses(lambda: lap.to_device(None), lap.DTypeError, "a is None")
    refuses(lambda: lap.to_device([["a"]]), lap.DTypeError, "a has dtype <U1")
    refuses(lambda: lap.to_device([[1.0], [1.0, 2.0]]), lap.ShapeError, "a is ragged")
    refuses(
        lambda: lap.to_device(np.eye(2), device="no such device"), lap.GpuUnavailableError, "no OpenCL device matches"
    )
    refuses(lambda: lap.to_device(np.eye(2), device=99), lap.GpuUnavailableError, "no OpenCL device matches '99'")
    refuses(lambda: lap.to_device(np.eye(2), device=1.5), lap.LapackError, "device=1.5 must be")


# As an object.


def test_an_array_shows_its_shape_type_and_device():
    array = lap.to_device(np.ones((2, 3, 4), "complex64"))
    assert repr(array) == f"<lapack_py.DeviceArray 2 x 3 x 4 complex64 on {NAME}>"
    assert len(array) == 2
    assert lap.DeviceArray.__module__ == "lapack_py"
    with pytest.raises(TypeError, match="without dimensions"):
        len(lap.to_device(1.0))


def test_an_array_is_iterated_along_its_first_axis():
    a = matrix(3, 4)
    rows = list(lap.to_device(a))
    assert len(rows) == 3
    for row, expected in zip(rows, a, strict=True):
        same(row, expected)


def test_an_array_is_not_pickled_but_says_so():
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(lap.to_device(np.eye(2)))
    with pytest.raises(TypeError):
        copy.deepcopy(lap.to_device(np.eye(2)))


def test_memory_goes_back_when_arrays_are_let_go_of():
    lap.trim()
    before = lap.devices()[NUMBER].pool["used"]
    arrays = [lap.to_device(np.ones((100, 100))) for _ in range(10)]
    assert lap.devices()[NUMBER].pool["used"] >= before + 10 * 80_000
    del arrays
    assert lap.devices()[NUMBER].pool["used"] == before
