"""Products of arrays of the host on the device, against the CPU's, in units of k*eps of every element's own bound."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from helpers import DTYPES, LAYOUTS, matrix, refuses
from on_device import NAME, computed_there, product, same_product

import lapack_py as lap

SHAPES = [
    (1, 1, 1),
    (1, 7, 1),
    (2, 3, 5),
    (16, 16, 16),
    (17, 31, 33),
    (64, 64, 64),
    (65, 63, 129),
    (1, 200, 90),
    (200, 1, 90),
    (90, 200, 1),
    (3, 700, 2),
]
types = pytest.mark.parametrize("dtype", DTYPES)


@types
def test_products_of_every_shape_are_the_cpus_within_rounding(dtype):
    for m, k, n in SHAPES:
        a, b = matrix(m, k, dtype=dtype), matrix(k, n, dtype=dtype, seed=1)
        same_product(product(a, b), a, b, f"{m} x {k} x {n}")


@types
def test_empty_products_are_empty_or_zero(dtype):
    for m, k, n in [(0, 0, 0), (0, 3, 2), (3, 0, 2), (3, 2, 0)]:
        c = product(np.ones((m, k), dtype), np.ones((k, n), dtype))
        assert c.shape == (m, n)
        assert c.dtype == dtype
        assert not c.any()
    assert product(np.ones((0, 2, 3), dtype), np.ones((3, 4), dtype)).shape == (0, 2, 4)
    assert product(np.ones((5, 2, 0), dtype), np.ones((0, 4), dtype)).shape == (5, 2, 4)


@types
@pytest.mark.parametrize("layout", LAYOUTS)
def test_operands_in_every_layout_are_read_where_they_lie(dtype, layout):
    a, b = matrix(3, 21, 18, dtype=dtype), matrix(3, 18, 25, dtype=dtype, seed=1)
    for other in LAYOUTS:
        for left, right in ((a, b), (a[0], b[0])):
            left, right = LAYOUTS[layout](left), LAYOUTS[other](right)
            same_product(product(left, right), left, right, f"{layout} @ {other}")


@types
def test_transposes_and_adjoints_are_views_that_are_read_right(dtype):
    a, b = matrix(40, 30, dtype=dtype), matrix(40, 30, dtype=dtype, seed=1)
    for left, right in ((a.T, b), (a, b.T), (a.T, a), (a, a.conj().T), (a[::2].T, b[::-2])):
        same_product(product(left, right), left, right, "transposed")


def test_an_operand_that_is_repeated_by_strides_of_zero_is_read_right():
    a = np.broadcast_to(matrix(1, 9), (6, 9))
    b = np.broadcast_to(matrix(9, 1, seed=1), (9, 4))
    same_product(product(a, b), a, b, "repeated")
    stack = np.broadcast_to(matrix(6, 9), (5, 6, 9))
    same_product(product(stack, b), stack, b, "repeated stack")


@types
def test_vectors_are_a_row_on_the_left_and_a_column_on_the_right(dtype):
    a, x, y = matrix(12, 9, dtype=dtype), matrix(9, dtype=dtype), matrix(12, dtype=dtype)
    stack = matrix(4, 12, 9, dtype=dtype)
    for left, right in ((a, x), (y, a), (x, x), (stack, x), (y, stack), (a[:, ::-1], x[::-1])):
        c = product(left, right)
        assert np.shape(c) == np.shape(np.matmul(left, right))
        assert type(c) is type(np.matmul(left, right))
        same_product(c, left, right, f"{left.shape} @ {right.shape}")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((7, 5, 4), (7, 4, 6)),
        ((7, 5, 4), (4, 6)),
        ((5, 4), (7, 4, 6)),
        ((2, 1, 5, 4), (3, 4, 6)),
        ((2, 3, 5, 4), (1, 3, 4, 6)),
        ((1, 5, 4), (9, 4, 6)),
        ((300, 3, 3), (300, 3, 3)),
        ((2, 2, 2, 2, 3, 4), (2, 1, 2, 4, 3)),
    ],
    ids=str,
)
def test_leading_dimensions_broadcast_as_numpys_do(left, right):
    for dtype in DTYPES:
        a, b = matrix(*left, dtype=dtype), matrix(*right, dtype=dtype, seed=1)
        same_product(product(a, b), a, b, f"{left} @ {right}")


def test_a_product_of_several_panels_is_whole():
    a, b = matrix(2000, 100), matrix(100, 2200, seed=1)
    c, report = lap.matmul(a, b, gpu="require", return_report=True)
    computed_there(report)
    assert sum(name.startswith("gemm") for name, *_ in report.spans) > 1
    same_product(c, a, b, "panels")
    stack, other = matrix(12000, 16, 16), matrix(12000, 16, 16, seed=1)
    c, report = lap.matmul(stack, other, gpu="require", return_report=True)
    computed_there(report)
    assert sum(name.startswith("gemm") for name, *_ in report.spans) > 1
    same_product(c, stack, other, "runs of a batch")


def test_mixed_types_give_the_type_that_numpy_gives():
    for one in DTYPES:
        for other in DTYPES:
            a, b = matrix(8, 9, dtype=one), matrix(9, 7, dtype=other, seed=1)
            c = product(a, b)
            assert c.dtype == np.result_type(one, other)
            same_product(c, a, b, f"{one} @ {other}")


def test_integers_beside_floats_are_computed_on_the_device():
    counts = np.arange(30, dtype="int64").reshape(5, 6)
    a = matrix(6, 4)
    same_product(product(counts, a), counts.astype("float64"), a, "int64 @ float64")
    flags = counts % 2 == 0
    same_product(product(flags, a), flags.astype("float64"), a, "bool @ float64")


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "longdouble"])
def test_what_the_device_has_no_type_for_is_multiplied_by_numpy_who_says_so(dtype):
    a = np.arange(12).reshape(3, 4).astype(dtype)
    c, report = lap.matmul(a, a.T, return_report=True)
    assert (report.engine, report.routine) == ("cpu", "numpy.matmul")
    np.testing.assert_array_equal(c, a @ a.T)
    assert c.dtype == (a @ a.T).dtype
    refuses(lambda: lap.matmul(a, a.T, gpu="require"), lap.GpuUnavailableError, "a GPU is required, but")


@types
def test_out_is_written_whatever_its_order_and_type(dtype):
    a, b = matrix(20, 11, dtype=dtype), matrix(11, 15, dtype=dtype, seed=1)
    wider = "complex128" if np.dtype(dtype).kind == "c" else "float64"
    large = np.zeros((40, 30), dtype)
    for out in (
        np.empty((20, 15), dtype),
        np.empty((20, 15), dtype, order="F"),
        large[::2, ::2],
        np.empty((15, 20), dtype)[::-1].T,
        np.empty((20, 15), wider),
    ):
        c = product(a, b, out=out)
        assert c is out
        same_product(c.astype(dtype), a, b, f"out with strides {out.strides}")
    out = np.empty((20, 15), dtype)
    assert product(a, b, out=(out,)) is out
    assert not large[1::2].any()
    assert not large[:, 1::2].any()


def test_out_that_shares_memory_with_an_operand_gets_the_product_of_the_old_values():
    a, b = matrix(12, 12), matrix(12, 12, seed=1)
    for target in (0, 1):
        operands = [a.copy(), b.copy()]
        c = product(*operands, out=operands[target])
        same_product(c, a, b, "out is an operand")


def test_out_of_a_batch_and_of_vectors():
    a, b = matrix(4, 6, 5), matrix(5, 3, seed=1)
    out = np.empty((4, 6, 3))
    assert product(a, b, out=out) is out
    same_product(out, a, b, "batch into out")
    out = np.empty((4, 6))
    assert product(a, b[:, 0], out=out) is out
    same_product(out, a, b[:, 0], "vectors into out")


def test_out_that_does_not_fit_is_refused_in_words_and_left_alone():
    a = matrix(3, 3)
    out = np.zeros((3, 4))
    refuses(lambda: product(a, a, out=out), lap.ShapeError, "out has shape (3, 4), the product has (3, 3)")
    out = np.zeros((3, 3), "int64")
    refuses(lambda: product(a, a, out=out), lap.DTypeError, "into which float64 cannot be cast")
    out = np.zeros((3, 3))
    out.flags.writeable = False
    refuses(lambda: product(a, a, out=out), lap.LapackError, "out is read-only")
    assert not out.any()


def test_shapes_that_do_not_fit_are_refused_in_the_cpus_words():
    for a, b in ((np.ones((3, 4)), np.ones((5, 2))), (np.ones((2, 3, 3)), np.ones((3, 3, 3))), (np.ones(3), 2.0)):
        with pytest.raises(lap.LapackError) as caught:
            lap.matmul(a, b, gpu=False)
        refuses(lambda a=a, b=b: product(a, b), type(caught.value), str(caught.value))


def test_nan_and_inf_pass_with_the_meaning_that_they_have_in_a_product():
    a, b = matrix(30, 20), matrix(20, 25, seed=1)
    a[3, 4], a[7, 0], b[2, 9] = np.nan, np.inf, -np.inf
    c, right = product(a, b), a @ b
    np.testing.assert_array_equal(np.isnan(c), np.isnan(right))
    np.testing.assert_array_equal(np.isposinf(c), np.isposinf(right))
    np.testing.assert_array_equal(np.isneginf(c), np.isneginf(right))


@types
def test_numbers_near_the_ends_of_the_range_are_not_lost(dtype):
    info = np.finfo(dtype)
    large, small = np.sqrt(info.max) / 8, np.sqrt(info.tiny) * 8
    a, b = matrix(20, 20, dtype=dtype), matrix(20, 20, dtype=dtype, seed=1)
    for scale in (large, small):
        left, right = (a * scale).astype(dtype), (b * scale).astype(dtype)
        same_product(product(left, right), left, right, f"scaled by {scale:.1e}")


def test_integers_in_floats_are_multiplied_exactly():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-100, 100, (90, 80)), rng.integers(-100, 100, (80, 70))
    for dtype in DTYPES:
        np.testing.assert_array_equal(product(a.astype(dtype), b.astype(dtype)), (a @ b).astype(dtype))


def test_the_operands_are_not_changed():
    a, b = matrix(33, 44), matrix(44, 22, seed=1)
    copies = a.copy(), b.copy()
    product(a, b)
    np.testing.assert_array_equal(a, copies[0])
    np.testing.assert_array_equal(b, copies[1])


def test_the_report_has_kernels_and_transfers_with_times_and_bytes():
    a, b = matrix(300, 200), matrix(200, 100, seed=1)
    c, report = lap.matmul(a, b, gpu="require", return_report=True)
    computed_there(report)
    moved: dict[str, int] = {}
    for name, start, seconds, size in report.spans:
        assert seconds >= 0
        assert start >= 0
        moved[name] = moved.get(name, 0) + size
    # A check moves a few numbers more.
    assert a.nbytes + b.nbytes <= moved["upload"] <= a.nbytes + b.nbytes + 4096
    assert c.nbytes <= moved["download"] <= c.nbytes + 4096
    assert any(name.startswith("gemm") and size == 0 for name, size in moved.items())
    assert (report.shape, report.dtype, report.chunks) == ((1, 300, 100), "float64", 1)
    times = report.times
    assert times["compute"] + times["transfer"] <= times["total"]
    assert "by opencl (asked for)" in repr(report)


def test_every_way_to_name_the_device_computes_there_without_a_warning():
    a = matrix(10, 10)
    number = next(device.number for device in lap.devices() if device.chosen)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for keywords in (
            {"gpu": True},
            {"gpu": "require"},
            {"device": "gpu"},
            {"device": number},
            {"device": NAME},
            {"device": NAME[:6].upper()},
            {"gpu": "require", "device": "gpu"},
        ):
            _, report = lap.matmul(a, a, **keywords, return_report=True)
            computed_there(report)
            assert report.reason == "asked for"


def test_observers_hear_of_calls_on_the_device():
    heard = []
    with lap.observe(lambda report, error: heard.append((report, error))):
        lap.matmul(np.eye(5), np.eye(5), gpu="require")
    [(report, error)] = heard
    computed_there(report)
    assert error is None
    assert any(name.startswith("gemm") for name, *_ in report.spans)
