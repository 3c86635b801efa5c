"""Arrays of other libraries in and out: DLPack, the array interface, buffers, pandas, and NumPy's other types."""

from __future__ import annotations

import array
import ctypes
import fractions
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import DTYPES, LAYOUTS, matrix, norm, positive, refuses, run_python, well_conditioned, within

import lapack_py as lap

N = 5
GOOD = positive(N, N)
ONES = np.ones(N)

# Every operation with `a` in the place of each of its arguments.
CALLS = {
    "svd": lap.svd,
    "svd, hermitian": lambda a, **kw: lap.svd(a, hermitian=True, **kw),
    "svdvals": lap.svdvals,
    "solve": lambda a, **kw: lap.solve(a, ONES, **kw),
    "solve, b": lambda a, **kw: lap.solve(GOOD, a, **kw),
    "lstsq": lambda a, **kw: lap.lstsq(a, ONES, **kw),
    "lstsq, b": lambda a, **kw: lap.lstsq(GOOD, a, **kw),
    "eigh": lap.eigh,
    "eigvalsh": lap.eigvalsh,
    "qr": lap.qr,
    "cholesky": lap.cholesky,
    "matmul": lambda a, **kw: lap.matmul(a, GOOD, **kw),
    "matmul, x2": lambda a, **kw: lap.matmul(GOOD, a, **kw),
}
PRODUCTS = {"matmul", "matmul, x2"}
every_operation = pytest.mark.parametrize("operation", CALLS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
layouts = pytest.mark.parametrize("layout", LAYOUTS)


def parts(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


def same_bits(one: Any, other: Any) -> None:
    for mine, reference in zip(parts(one), parts(other), strict=True):
        np.testing.assert_array_equal(mine, reference)


class OnlyDLPack:
    """An array of a library that NumPy knows nothing of but the DLPack protocol."""

    def __init__(self, array, device=(1, 0), *, legacy=False, read_only=False):
        self.array, self.device, self.legacy, self.read_only = array, device, legacy, read_only
        self.exports = 0

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **options):
        self.exports += 1
        if self.legacy:
            if options:
                raise TypeError("__dlpack__() got an unexpected keyword argument")
            return self.array.__dlpack__()
        view = self.array.view()
        view.flags.writeable = view.flags.writeable and not self.read_only
        return view.__dlpack__(max_version=(1, 0))


class Tensor(OnlyDLPack):
    """As PyTorch's: DLPack, `requires_grad`, and a conversion that refuses what NumPy does not have."""

    def __init__(self, array, *, requires_grad=False, dtype=None, **options):
        super().__init__(array, **options)
        self.requires_grad, self.dtype = requires_grad, dtype or array.dtype

    def __dlpack__(self, **options):
        if self.dtype == "torch.bfloat16":
            raise BufferError("NumPy has no bfloat16")
        return super().__dlpack__(**options)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Got unsupported ScalarType BFloat16")


class Interface:
    """What has nothing but `__array_interface__`."""

    def __init__(self, array):
        self.__array_interface__ = array.__array_interface__
        self.keeps = array


# DLPack, in.


@every_operation
@layouts
@pytest.mark.parametrize("legacy", [False, True])
def test_a_dlpack_export_gives_the_bits_of_its_array(operation, layout, legacy):
    a = LAYOUTS[layout](GOOD)
    same_bits(CALLS[operation](OnlyDLPack(a, legacy=legacy)), CALLS[operation](a))


@dtypes
@layouts
@pytest.mark.parametrize("legacy", [False, True])
def test_dlpack_exports_enter_without_a_copy(dtype, layout, legacy):
    a = LAYOUTS[layout](matrix(N, N, dtype=dtype))
    tensor = OnlyDLPack(a, legacy=legacy)
    _, report = lap.svd(tensor, return_report=True)
    _, plain = lap.svd(a, return_report=True)
    assert (report.copies, report.bytes_copied) == (plain.copies, plain.bytes_copied)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16", "bool"])
def test_integer_exports_are_converted_as_integer_arrays_are(dtype):
    a = np.eye(N, dtype=dtype)
    same_bits(lap.solve(OnlyDLPack(a), ONES), lap.solve(a, ONES))


@pytest.mark.parametrize("operation", [name for name in CALLS if name not in {"svd, hermitian", "lstsq, b", *PRODUCTS}])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_read_only_export_is_never_written(operation, order):
    a = np.array(GOOD, order=order)
    before = a.copy()
    options = {"overwrite_b": True} if operation == "solve, b" else {"overwrite_a": True}
    CALLS[operation](OnlyDLPack(a, read_only=True), **options)
    np.testing.assert_array_equal(a, before)


def test_a_writable_export_may_be_overwritten_if_the_caller_says_so():
    a = np.array(GOOD, order="F")
    vectors = lap.eigh(OnlyDLPack(a), overwrite_a=True).eigenvectors
    assert np.shares_memory(vectors, a)


def test_the_memory_of_an_export_outlives_its_owner():
    factor = lap.cholesky(OnlyDLPack(GOOD.copy()), overwrite_a=True)
    junk = [np.full((N, N), 7.0) for _ in range(100)]
    within(norm(factor @ factor.T - GOOD) / norm(GOOD), N, "float64", "L L^H - A")
    assert len(junk) == 100


ELSEWHERE = {
    2: "a CUDA GPU (number 3)",
    4: "an OpenCL device",
    7: "a Vulkan device",
    8: "an Apple GPU (Metal)",
    10: "a ROCm GPU",
    14: "a oneAPI device",
    99: "a device of DLPack type 99",
}


@every_operation
@pytest.mark.parametrize("device", ELSEWHERE)
def test_memory_of_another_device_is_refused_with_its_name_and_the_way_to_the_host(operation, device):
    tensor = OnlyDLPack(GOOD, (device, 3))
    error = refuses(lambda: CALLS[operation](tensor), lap.DTypeError, f"lies on {ELSEWHERE[device]}")
    assert error.argument in {"a", "b", "x", "x1", "x2"}
    assert error.fixes == [("safe", f"pass {error.argument}.cpu().")]
    assert tensor.exports == 0


@pytest.mark.parametrize("device", [3, 11, 13])
def test_pinned_and_managed_memory_is_asked_for_since_the_host_can_read_it(device):
    tensor = OnlyDLPack(GOOD, (device, 0))
    same_bits(lap.svdvals(tensor), lap.svdvals(GOOD))


@pytest.mark.parametrize(
    ("library", "move"), [("cupy", "cupy.asnumpy(x)"), ("jaxlib", "jax.device_get(x)"), ("dpctl", "asnumpy(x)")]
)
def test_libraries_without_a_cpu_method_are_told_their_own_way(library, move):
    foreign = type("ndarray", (OnlyDLPack,), {"__module__": f"{library}._core"})(GOOD, (2, 0))
    refuses(lambda: lap.svdvals(foreign), lap.DTypeError, move)


@every_operation
def test_a_tensor_that_records_gradients_is_refused_with_the_fix(operation):
    tensor = Tensor(GOOD, requires_grad=True)
    error = refuses(lambda: CALLS[operation](tensor), lap.DTypeError, "is a tensor that records gradients")
    assert error.fixes == [("safe", f"pass {error.argument}.detach().")]
    elsewhere = Tensor(GOOD, requires_grad=True, device=(2, 0))
    refuses(lambda: CALLS[operation](elsewhere), lap.DTypeError, ".detach().cpu().")


def test_a_tensor_of_a_type_that_numpy_lacks_is_refused_with_the_fix():
    tensor = Tensor(GOOD, dtype="torch.bfloat16")
    refuses(lambda: lap.svd(tensor), lap.DTypeError, "unsupported ScalarType BFloat16). Fix: convert it: a.float()")


def test_a_broken_export_is_refused_in_words():
    class Broken(OnlyDLPack):
        def __dlpack__(self, **options):
            raise BufferError("the buffer was given away\nand more")

    class Strange(OnlyDLPack):
        def __dlpack_device__(self):
            raise ValueError("Unknown device type meta")

    refuses(lambda: lap.svd(Broken(GOOD)), lap.DTypeError, "(BufferError: the buffer was given away)")
    refuses(lambda: lap.matmul(GOOD, Strange(GOOD)), lap.DTypeError, "(ValueError: Unknown device type meta)")


# DLPack, out.


@pytest.mark.parametrize("name", ["svd", "eigh", "qr", "cholesky", "solve", "lstsq", "matmul"])
@dtypes
def test_results_are_exported_without_a_copy(name, dtype):
    a = well_conditioned(4, 4, dtype=dtype) if name in {"solve", "lstsq", "matmul"} else positive(4, 4, dtype=dtype)
    arguments = (a, a) if name in {"solve", "lstsq", "matmul"} else (a,)
    for result in parts(getattr(lap, name)(*arguments)):
        if isinstance(result, np.ndarray) and result.size:
            assert result.__dlpack_device__() == (1, 0)
            assert "dltensor_versioned" in repr(result.__dlpack__(max_version=(1, 0), copy=False))
            assert '"dltensor"' in repr(result.__dlpack__())
            # As torch.from_dlpack takes it, and back.
            for legacy in (False, True):
                taken = np.from_dlpack(OnlyDLPack(result, legacy=legacy))
                assert np.shares_memory(taken, result)
                np.testing.assert_array_equal(taken, result)


def test_a_result_made_read_only_is_exported_with_that_flag_or_not_at_all():
    result = lap.cholesky(GOOD)
    result.flags.writeable = False
    with pytest.raises(BufferError, match="readonly"):
        result.__dlpack__()
    taken = np.from_dlpack(OnlyDLPack(result))
    assert not taken.flags.writeable
    assert np.shares_memory(taken, result)


def test_copy_is_granted_and_refused_as_the_protocol_says():
    result = lap.cholesky(GOOD)
    assert not np.shares_memory(np.from_dlpack(result, copy=True), result)
    assert np.shares_memory(np.from_dlpack(result, copy=False), result)


# The array interface and buffers.


@every_operation
@layouts
def test_the_array_interface_gives_the_bits_of_its_array(operation, layout):
    a = LAYOUTS[layout](GOOD)
    same_bits(CALLS[operation](Interface(a)), CALLS[operation](a))


def test_the_array_interface_enters_without_a_copy_and_read_only_memory_stays_as_it_is():
    a = np.array(GOOD, order="F")
    assert np.shares_memory(lap.eigh(Interface(a), overwrite_a=True).eigenvectors, a)
    a = np.array(GOOD, order="F")
    a.flags.writeable = False
    lap.eigh(Interface(a), overwrite_a=True)
    np.testing.assert_array_equal(a, GOOD)
    _, report = lap.svd(Interface(GOOD), return_report=True)
    assert report.copies == 1, "LAPACK's own working copy"


def test_a_broken_array_interface_is_refused_in_words():
    broken = Interface(GOOD)
    broken.__array_interface__ = {"shape": (2, 2), "typestr": "<f8", "version": 3, "data": "nowhere"}
    refuses(lambda: lap.svd(broken), lap.DTypeError, "of type Interface cannot be read as an array")


def ctypes_matrix(a):
    return ((ctypes.c_double * a.shape[1]) * a.shape[0])(*(tuple(row) for row in a))


@every_operation
@pytest.mark.parametrize(
    "wrap",
    [
        memoryview,
        lambda a: memoryview(np.asfortranarray(a)),
        lambda a: memoryview(a.repeat(2, 1)[:, ::2]),
        ctypes_matrix,
    ],
    ids=["memoryview", "memoryview, Fortran order", "memoryview, strided", "ctypes"],
)
def test_buffers_give_the_bits_of_their_array(operation, wrap):
    buffer = wrap(GOOD)
    same_bits(CALLS[operation](buffer), CALLS[operation](np.asarray(buffer)))


@pytest.mark.parametrize("code", "dfilqB")
def test_an_array_of_the_standard_library_is_a_vector(code):
    b = array.array(code, [1, 2, 3, 4, 5])
    plain = np.asarray(b)
    same_bits(lap.solve(GOOD, b), lap.solve(GOOD, plain))
    assert lap.matmul(GOOD, b).dtype == np.matmul(GOOD, plain).dtype
    refuses(lambda: lap.svd(b), lap.ShapeError, "has 1 dimension")


# pandas.


def frame(a):
    return pd.DataFrame(a, columns=[f"c{i}" for i in range(a.shape[1])])


@every_operation
@pytest.mark.parametrize(
    "wrap",
    [frame, lambda a: pd.DataFrame({i: a[:, i] for i in range(a.shape[1])}), lambda a: frame(a).astype("Float64")],
    ids=["one block", "a block for each column", "nullable"],
)
def test_a_data_frame_gives_the_bits_of_its_values(operation, wrap):
    given = wrap(GOOD)
    # The layout decides how LAPACK sees a matrix, so it has to be that of the frame.
    plain = np.asarray(given.to_numpy(dtype="float64"))
    same_bits(CALLS[operation](given), CALLS[operation](plain))


@pytest.mark.parametrize("call", [lap.solve, lap.lstsq, lap.matmul], ids=["solve", "lstsq", "matmul"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "Int64", "Float32", "boolean", "bool"])
def test_a_series_is_a_vector(call, dtype):
    series = pd.Series([1, 0, 1, 1, 0]).astype(dtype)
    plain = series.to_numpy(dtype=dtype.lower().replace("boolean", "bool"))
    same_bits(call(GOOD, series), call(GOOD, plain))


def test_a_frame_of_one_type_is_read_where_it_lies_and_not_written():
    given = frame(np.asfortranarray(GOOD))
    _, report = lap.svd(given, return_report=True)
    assert report.copies == 1, "LAPACK's own working copy"
    lap.eigh(given, overwrite_a=True)
    np.testing.assert_array_equal(given.to_numpy(), GOOD)


def test_columns_of_several_types_are_brought_to_their_common_type():
    given = pd.DataFrame({"a": np.array([3.0, 1.0], "f4"), "b": [1, 4], "c": [True, False]})[["a", "b"]]
    same_bits(lap.svdvals(given), lap.svdvals(given.to_numpy(dtype="float64")))
    with_flags = pd.DataFrame({"a": [3.0, 1.0], "b": [True, False]})
    assert np.asarray(with_flags).dtype == object
    same_bits(lap.svdvals(with_flags), lap.svdvals(with_flags.to_numpy(dtype="float64")))
    narrow = pd.DataFrame({"a": np.array([3, 1], "f4"), "b": pd.array([1, 4], dtype="Float32")})
    assert lap.svdvals(narrow).dtype == np.float32


WORDS = pd.DataFrame({"x": [1.0, 2.0], "name": ["a", "b"]})
DAYS = pd.to_datetime(["2026-01-01", "2026-01-02"])
NO_NUMBERS = {
    "a column of text": (WORDS, "not of a number type: 'name' (", ".select_dtypes('number')"),
    "a column of objects": (
        pd.DataFrame({"x": [1.0, 2.0], 7: pd.Series([1, 2], dtype=object)}),
        "7 (object)",
        ".astype('float64')",
    ),
    "many columns": (pd.DataFrame([["a"] * 5] * 5), "), and 2 more. Fix:", ".select_dtypes"),
    "a column of dates": (pd.DataFrame({"x": [1.0, 2.0], "day": DAYS}), "'day' (datetime64[", ".select_dtypes"),
    "dates only": (pd.DataFrame({"day": DAYS}), "has dtype datetime64[", "numpy.timedelta64(1, 'D')"),
    "categories": (
        pd.DataFrame({"x": [1, 2], "kind": pd.Categorical(["a", "b"])}),
        "'kind' (category)",
        "select_dtypes",
    ),
    "text for numbers": (pd.Series(["1", "2"], dtype=object), "has dtype object", ".astype('float64')"),
}


@every_operation
@pytest.mark.parametrize("name", NO_NUMBERS)
def test_columns_that_hold_no_numbers_are_named(operation, name):
    given, text, fix = NO_NUMBERS[name]
    error = refuses(lambda: CALLS[operation](given), lap.DTypeError, text)
    assert fix in error.fixes[0][1]


@every_operation
@pytest.mark.parametrize("dtype", ["Int64", "Float64", "Float32"])
def test_a_missing_value_is_located(operation, dtype):
    given = frame(np.round(GOOD)).astype(dtype)
    given.iloc[3, 1] = pd.NA
    error = refuses(lambda: CALLS[operation](given), lap.NonFiniteError, "has NA at row 3, column 1 ('c1').")
    assert error.location == (3, 1)
    given.iloc[4, 0] = pd.NA
    refuses(lambda: CALLS[operation](given), lap.NonFiniteError, "column 1 ('c1'), first of 2 missing values")
    assert error.code == "LAP-E001"


def test_a_missing_value_of_a_series_is_located():
    given = pd.Series([1, None, 3, 4, 5], dtype="Int64")
    error = refuses(lambda: lap.solve(GOOD, given), lap.NonFiniteError, "b has NA at row 1, column 0. Fix:")
    assert error.location == (1, 0)


def test_a_nan_of_a_frame_is_the_cores_nan():
    given = frame(GOOD)
    given.iloc[2, 4] = np.nan
    refuses(lambda: lap.svd(given), lap.NonFiniteError, "a has NaN at row 2, column 4")
    assert np.isnan(lap.matmul(given, GOOD)).any()


def test_pandas_is_not_imported_for_other_arrays():
    done = run_python("import sys; lap.svd([[1, 2], [3, 4]]); print('pandas' in sys.modules)")
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


# NumPy's other types: computed where numpy.linalg computes, refused where it refuses.

OTHER = ["float16", "longdouble", "clongdouble"]
# Without the product, which numpy.matmul computes in every type.
FACTORISATIONS = [name for name in CALLS if name not in PRODUCTS]
if np.dtype(np.longdouble) == np.dtype(np.float64):
    OTHER = ["float16"]


@pytest.mark.parametrize("operation", FACTORISATIONS)
@pytest.mark.parametrize("dtype", OTHER)
def test_types_that_numpy_linalg_refuses_are_refused(operation, dtype):
    a = GOOD.astype(dtype)
    with pytest.raises(TypeError, match="unsupported in linalg"):
        np.linalg.svd(a)
    error = refuses(lambda: CALLS[operation](a), lap.DTypeError, f"has dtype {a.dtype}. Fix: convert it")
    assert isinstance(error, TypeError)


@pytest.mark.parametrize("operation", FACTORISATIONS)
@pytest.mark.parametrize("dtype", ["O", "M8[s]", "m8[s]", "U3", "S3"])
def test_what_is_no_number_is_refused(operation, dtype):
    # numpy.linalg.qr takes these, and reads "1.5" and a date as 1.5 and as seconds since 1970.
    a = np.eye(N, dtype=int).astype(dtype)
    refuses(lambda: CALLS[operation](a), lap.DTypeError, "has dtype")


KINDS = ["?", "b", "H", "i", "q", "Q", "e", "f", "d", "g", "F", "D", "G"]


@pytest.mark.parametrize("left", KINDS)
@pytest.mark.parametrize("right", KINDS)
@pytest.mark.parametrize("name", ["solve", "lstsq"])
def test_solve_and_lstsq_promote_every_pair_of_types_as_numpy(name, left, right):
    a, b = np.eye(3, dtype=left), np.ones(3, dtype=right)
    ours, theirs = getattr(lap, name), getattr(np.linalg, name)
    try:
        reference = parts(theirs(a, b))[0]
    except TypeError:
        refuses(lambda: ours(a, b), lap.DTypeError, "has dtype")
    else:
        result = parts(ours(a, b))[0]
        assert result.dtype == reference.dtype
        within(norm(result[:, None] - reference[:, None]), 3, result.dtype, name)


@pytest.mark.parametrize("dtype", ["?", "b", "B", "h", "q", "Q", "e", "g", "G"])
@pytest.mark.parametrize(
    ("left", "right"), [((3, 4), (4, 2)), ((4,), (4,)), ((2, 3, 4), (4,)), ((0, 4), (4, 2)), ((3, 0), (0, 2))], ids=str
)
def test_products_of_types_that_lapack_lacks_are_numpys(dtype, left, right):
    a = (matrix(*left, 1)[..., 0] * 4).astype("complex128" if dtype == "G" else "float64")
    a, b = np.abs(a).astype(dtype), np.ones(right, dtype=dtype)
    ours, theirs = lap.matmul(a, b), np.matmul(a, b)
    assert ours.dtype == theirs.dtype
    assert type(ours) is type(theirs)
    np.testing.assert_array_equal(ours, theirs)


def test_products_of_objects_are_exact():
    a = np.array([[fractions.Fraction(1, 3), 2], [10**40, 1]], dtype=object)
    np.testing.assert_array_equal(lap.matmul(a, a), np.matmul(a, a))
    refuses(lambda: lap.matmul([[fractions.Fraction(1, 3)]], [[1]]), lap.DTypeError, "has dtype object")
    nothing = np.array([[None]])
    refuses(lambda: lap.matmul(nothing, nothing), lap.DTypeError, "has dtype object")


@pytest.mark.parametrize("dtype", ["e", "g", "b", "?"])
def test_shapes_of_such_products_are_refused_in_the_usual_words(dtype):
    a = np.ones((2, 3), dtype=dtype)
    refuses(lambda: lap.matmul(a, a), lap.ShapeError, "the second needs 3 rows, not 2")
    refuses(lambda: lap.matmul(a[0, 0], a), lap.ShapeError, "use * to scale")
    refuses(lambda: lap.matmul(np.stack([a] * 2), np.stack([a.T] * 3)), lap.ShapeError, "leading dimensions")


def test_masked_arrays_without_masked_entries_are_arrays_and_others_are_refused():
    same_bits(lap.svd(np.ma.masked_array(GOOD)), lap.svd(GOOD))
    masked = np.ma.masked_array(GOOD, np.eye(N, dtype=bool))
    refuses(lambda: lap.svd(masked), lap.DTypeError, "has 5 masked entries")


@pytest.mark.skipif(sys.platform == "win32", reason="the C library's printf is not captured there")
@pytest.mark.usefixtures("silent")
def test_nothing_is_printed_on_the_way():
    for call in CALLS.values():
        call(OnlyDLPack(GOOD))
        call(frame(GOOD))
        call(Interface(GOOD))
