"""Whatever is passed in: a right answer, or an error in one line; never a crash, never a word from native code.

Each row of a table is one input and what must come of it: a class of error with a part of its text, or a result that is
checked against NumPy.
"""

from __future__ import annotations

import contextlib
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from helpers import (
    LAYOUTS,
    adjoint,
    assert_in_words,
    hermitian,
    matrix,
    norm,
    positive,
    refuses,
    same_shapes,
    well_conditioned,
    within,
)

import lapack_py as lap

pytestmark = pytest.mark.usefixtures("silent")

N = 4
# Symmetric positive definite, so that every operation has a result for it.
GOOD = positive(N, N)
ONES = np.ones(N)


# Every operation on one matrix, and whether its result for `a` is right.
def svd_is_right(a, result):
    u, s, vh = result
    within(norm(u * s[..., None, :] @ vh - a) / norm(a), N, s.dtype, "U S Vh - A")
    values_are_right(a, s)


def values_are_right(a, s):
    reference = np.linalg.svd(a, compute_uv=False)
    within(np.max(np.abs(s - reference)) / np.max(reference), N, s.dtype, "singular values")


def solution_is_right(a, x):
    within(norm(a @ x[..., None] - ONES[:, None]) / (norm(a) * norm(x[..., None])), N, x.dtype, "A x - b")


def fit_is_right(a, result):
    solution_is_right(a, result.x)
    values_are_right(a, result.s)
    assert np.all(result.rank == N)


def eigenvectors_are_right(a, result):
    w, v = result
    within(norm(v * w[..., None, :] @ adjoint(v) - a) / norm(a), N, w.dtype, "V w V^H - A")
    eigenvalues_are_right(a, w)


def eigenvalues_are_right(a, w):
    reference = np.linalg.eigvalsh(a)
    within(np.max(np.abs(w - reference)) / np.max(np.abs(reference)), N, w.dtype, "eigenvalues")


def qr_is_right(a, result):
    q, r = result
    within(norm(q @ r - a) / norm(a), N, r.dtype, "Q R - A")
    within(norm(adjoint(q) @ q - np.eye(N)), N, r.dtype, "Q^H Q - 1")


def factor_is_right(a, factor):
    within(norm(factor @ adjoint(factor) - a) / norm(a), N, factor.dtype, "L L^H - A")


def product_is_right(a, product):
    within(norm(product - a @ GOOD.astype(product.dtype)) / norm(a), N, product.dtype, "A B")


OPERATIONS: dict[str, tuple[Callable[..., Any], Callable[..., None]]] = {
    "svd": (lap.svd, svd_is_right),
    "svd, hermitian": (lambda a, **kw: lap.svd(a, hermitian=True, **kw), svd_is_right),
    "svdvals": (lap.svdvals, values_are_right),
    "solve": (lambda a, **kw: lap.solve(a, ONES, **kw), solution_is_right),
    "solve, pos": (lambda a, **kw: lap.solve(a, ONES, assume_a="pos", **kw), solution_is_right),
    "lstsq": (lambda a, **kw: lap.lstsq(a, ONES, **kw), fit_is_right),
    "eigh": (lap.eigh, eigenvectors_are_right),
    "eigvalsh": (lap.eigvalsh, eigenvalues_are_right),
    "qr": (lap.qr, qr_is_right),
    "cholesky": (lap.cholesky, factor_is_right),
    "matmul": (lambda a, **kw: lap.matmul(a, GOOD, **kw), product_is_right),
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


class Holder:
    """What other libraries' arrays look like to NumPy."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


class FakeTensor(Holder):
    """A tensor as PyTorch has them, in the memory of the CPU or not."""

    def __init__(self, array, device="cpu"):
        super().__init__(array)
        self.device, self.shape, self.requires_grad = device, array.shape, False

    def __array__(self, dtype=None, copy=None):
        if self.device != "cpu":
            raise TypeError(f"can't convert {self.device} device type tensor to numpy.\nUse Tensor.cpu() first.")
        return super().__array__(dtype, copy)


class Subclass(np.ndarray):
    pass


def unaligned(a):
    memory = np.zeros(a.nbytes + 1, dtype=np.uint8)[1:]
    view = memory.view(a.dtype).reshape(a.shape)
    view[...] = a
    assert not view.flags.aligned
    return view


def field_of_records(a):
    """Elements 12 bytes apart: no whole number of elements."""
    records = np.zeros(a.shape, dtype=[("id", "i4"), ("value", "f8")])
    records["value"] = a
    return records["value"]


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def nested(depth):
    value = [1.0, 2.0]
    for _ in range(depth - 1):
        value = [value]
    return value


# Accepted by every operation: the object, and the array that it stands for.
INTEGERS = np.array([[9, 1, 0, 2], [1, 8, 1, 0], [0, 1, 7, 1], [2, 0, 1, 9]])
ODD: dict[str, tuple[Any, np.ndarray]] = {
    "a list of lists": (GOOD.tolist(), GOOD),
    "a tuple of rows": (tuple(GOOD), GOOD),
    "integers": (INTEGERS, INTEGERS),
    "8-bit integers": (INTEGERS.astype(np.int8), INTEGERS),
    "unsigned integers": (INTEGERS.astype(np.uint64), INTEGERS),
    "a list of integers": (INTEGERS.tolist(), INTEGERS),
    "booleans": (np.eye(N, dtype=bool), np.eye(N)),
    "numpy.matrix": (GOOD.view(np.matrix), GOOD),
    "a masked array without masked entries": (np.ma.masked_array(GOOD), GOOD),
    "a subclass of ndarray": (GOOD.view(Subclass), GOOD),
    "an object with __array__": (Holder(GOOD), GOOD),
    "a tensor on the CPU": (FakeTensor(GOOD), GOOD),
    "a memoryview": (memoryview(GOOD), GOOD),
    "a read-only array": (read_only(GOOD), GOOD),
    "swapped bytes": (GOOD.astype(">f8"), GOOD),
    "swapped bytes, complex": (GOOD.astype(">c16"), GOOD),
    "an unaligned array": (unaligned(GOOD), GOOD),
    "a field of records": (field_of_records(GOOD), GOOD),
    "a repeated matrix": (np.broadcast_to(GOOD, (3, N, N)), np.stack([GOOD] * 3)),
    "64 dimensions": (GOOD.reshape((1,) * 62 + (N, N)), GOOD),
    **{layout: (arrange(GOOD), GOOD) for layout, arrange in LAYOUTS.items()},
}


@every_operation
@pytest.mark.parametrize("name", ODD)
def test_odd_inputs_give_right_results(operation, name):
    given, plain = ODD[name]
    call, check = OPERATIONS[operation]
    check(plain.astype(np.float64), call(given))


OVERWRITABLE = [name for name in OPERATIONS if name not in {"svd, hermitian", "matmul"}]
PROTECTED = {
    "a read-only array": lambda: read_only(GOOD),
    "a read-only array in Fortran order": lambda: read_only(GOOD).T,
    "a repeated matrix": lambda: np.broadcast_to(GOOD, (3, N, N)),
    "a writable repeated matrix": lambda: np.lib.stride_tricks.as_strided(GOOD.copy(), (3, N, N), (0, 8 * N, 8)),
    "swapped bytes": lambda: GOOD.astype(">f8"),
    "an unaligned array": lambda: unaligned(GOOD),
    "a list": lambda: GOOD.tolist(),
    "rows backwards": lambda: LAYOUTS["rows backwards"](GOOD),
    "every other element": lambda: LAYOUTS["every other element"](GOOD),
}


@pytest.mark.parametrize("operation", OVERWRITABLE)
@pytest.mark.parametrize("name", PROTECTED)
def test_overwrite_a_leaves_alone_what_cannot_be_overwritten(operation, name):
    given = PROTECTED[name]()
    call, check = OPERATIONS[operation]
    check(GOOD, call(given, overwrite_a=True))
    np.testing.assert_array_equal(np.broadcast_to(GOOD, np.shape(given)), given)


@pytest.mark.parametrize("operation", OVERWRITABLE)
def test_overlapping_windows_are_not_overwritten_although_they_are_writable(operation):
    # A symmetric Toeplitz matrix in 2N-1 numbers; diagonally dominant, so positive definite.
    numbers = np.concatenate([[0.1, 0.2, 0.3], [4.0], [0.3, 0.2, 0.1]])
    windows = np.lib.stride_tricks.as_strided(numbers[N - 1 :], (N, N), (-8, 8))
    call, check = OPERATIONS[operation]
    check(windows.copy(), call(windows, overwrite_a=True))
    np.testing.assert_array_equal(numbers, [0.1, 0.2, 0.3, 4.0, 0.3, 0.2, 0.1])


# Refused by every operation: the object, the class of the error, and a part of its text.
REFUSED: dict[str, tuple[Any, type, str]] = {
    "None": (None, lap.DTypeError, "is None. Fix: pass an array."),
    "text": ("matrix", lap.DTypeError, "has dtype <U6. Fix: convert text to numbers"),
    "a list of texts": ([["1", "2"], ["3", "4"]], lap.DTypeError, "convert text to numbers"),
    "bytes": (b"1234", lap.DTypeError, "has dtype |S4"),
    "a ragged list": ([[1.0, 2.0], [3.0]], lap.ShapeError, "is ragged. Fix: make all rows equally long."),
    "a list of unequal arrays": ([np.ones(2), np.ones(3)], lap.ShapeError, "is ragged"),
    "a list with None": ([[1.0, None], [2.0, 3.0]], lap.DTypeError, "has dtype object"),
    "65 dimensions": (nested(65), lap.ShapeError, "has too many dimensions"),
    "a dict": ({1: 2}, lap.DTypeError, "is of type dict, not an array"),
    "a set": ({1, 2}, lap.DTypeError, "is of type set, not an array"),
    "a generator": ((i for i in range(3)), lap.DTypeError, "is of type generator, not an array"),
    "a function": (len, lap.DTypeError, "is of type builtin_function_or_method, not an array"),
    "a file path": (Path("a.npy"), lap.DTypeError, "not an array"),
    "objects": (GOOD.astype(object), lap.DTypeError, "has dtype object. Fix: convert it, if it holds numbers"),
    "decimals": ([[decimal.Decimal(1)]], lap.DTypeError, "has dtype object"),
    "numbers beyond float64": ([[10**400]], lap.DTypeError, "has dtype object"),
    "float16": (GOOD.astype(np.float16), lap.DTypeError, "has dtype float16. Fix: convert it: "),
    "long double": (GOOD.astype(np.longdouble), lap.DTypeError, "convert it, losing digits: "),
    "complex long double": (GOOD.astype(np.clongdouble), lap.DTypeError, ".astype('complex128')"),
    "dates": (np.zeros((N, N), "M8[s]"), lap.DTypeError, "has dtype datetime64[s]"),
    "time differences": (np.zeros((N, N), "m8[s]"), lap.DTypeError, "has dtype timedelta64[s]"),
    "records": (
        np.zeros((N, N), [("x", "f8"), ("y", "f8")]),
        lap.DTypeError,
        "has a structured dtype with the fields x, y. ",
    ),
    "void": (np.zeros((N, N), "V8"), lap.DTypeError, "has dtype |V8"),
    "NumPy's strings": (np.full((2, 2), "1", np.dtypes.StringDType()), lap.DTypeError, "convert text to numbers"),
    "masked entries": (np.ma.masked_less(GOOD, 0.1), lap.DTypeError, "masked entr"),
    "masked integers": (np.ma.masked_less(INTEGERS, 1), lap.DTypeError, "masked entr"),
    "one masked entry": (np.ma.masked_array(np.eye(2), [[1, 0], [0, 0]]), lap.DTypeError, "has 1 masked entry. "),
    "a sparse matrix": (scipy.sparse.csr_matrix(GOOD), lap.DTypeError, "is a sparse matrix. Fix: pass "),
    "a sparse array": (scipy.sparse.coo_array(GOOD), lap.DTypeError, ".toarray()"),
    "a tensor on a GPU": (FakeTensor(GOOD, "cuda:0"), lap.DTypeError, "can't convert cuda:0 device type tensor"),
    "a wrong __array__": (Holder([1.0]), lap.DTypeError, "of type Holder cannot be read as an array"),
}


# NumPy multiplies these, and so do we; they are refused by all other operations.
MULTIPLIED = {"objects", "float16", "long double", "complex long double"}
NO_FACTOR = [name for name in REFUSED if name not in MULTIPLIED]


@pytest.mark.parametrize(
    ("operation", "name"),
    [(op, name) for op in OPERATIONS for name in (NO_FACTOR if op == "matmul" else REFUSED)],
)
def test_what_no_operation_takes_is_refused_in_words(operation, name):
    given, kind, text = REFUSED[name]
    error = refuses(lambda: OPERATIONS[operation][0](given), kind, text)
    assert error.argument in {"a", "x", "x1"}


@pytest.mark.parametrize(
    ("call", "argument", "name"),
    [
        (call, argument, name)
        for call, argument, names in [
            (lap.solve, "b", REFUSED),
            (lap.lstsq, "b", REFUSED),
            (lap.matmul, "x2", NO_FACTOR),
        ]
        for name in names
    ],
)
def test_the_second_argument_is_named_where_it_is_the_second_that_is_refused(call, argument, name):
    given, kind, text = REFUSED[name]
    error = refuses(lambda: call(GOOD, given), kind, text)
    assert error.argument == argument


@pytest.mark.parametrize("name", NO_FACTOR)
def test_a_product_of_what_is_refused_is_refused(name):
    given, kind, text = REFUSED[name]
    assert refuses(lambda: lap.matmul(given, given), kind, text).argument == "x1"


NO_MATRIX = {"a number": 3.0, "a complex number": 1j, "a vector": ONES, "an empty list": [], "a range": range(3)}


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "matmul"])
@pytest.mark.parametrize("name", NO_MATRIX)
def test_fewer_than_two_dimensions_are_refused(operation, name):
    given = NO_MATRIX[name]
    refuses(lambda: OPERATIONS[operation][0](given), lap.ShapeError, f"has {np.ndim(given)} dimension")


def with_value(value, row, column, a=GOOD):
    a = np.array(a, dtype=np.result_type(a, type(value)))
    a[..., row, column] = value
    return a


def one_bad(a, index, member):
    stack = np.stack([a] * 3)
    stack[index] = member
    return stack


NAN, INF = float("nan"), float("inf")
INF_IMAGINARY = with_value(complex(1.0, INF), 3, 1)
SYMMETRIC_NAN = with_value(NAN, 3, 3)

# One call, the class of its error, and a part of its text.
ERRORS: dict[str, tuple[Callable[[], Any], type, str]] = {
    "svd, NaN": (lambda: lap.svd(SYMMETRIC_NAN), lap.NonFiniteError, "has NaN at row 3, column 3."),
    "svd, Inf": (lambda: lap.svd(with_value(INF, 0, 2)), lap.NonFiniteError, "has Inf at row 0, column 2."),
    "svd, minus Inf": (lambda: lap.svd(with_value(-INF, 1, 0)), lap.NonFiniteError, "has Inf at row 1, column 0."),
    "svd, NaN in Fortran order": (
        lambda: lap.svd(np.asfortranarray(with_value(NAN, 1, 2))),
        lap.NonFiniteError,
        "row 1, column 2",
    ),
    "svd, many NaN": (lambda: lap.svd(np.full((3, 4), NAN)), lap.NonFiniteError, "row 0, column 0, first of 12 NaN"),
    "svd, Inf in the imaginary part": (lambda: lap.svd(INF_IMAGINARY), lap.NonFiniteError, "Inf at row 3, column 1"),
    "svd, hermitian, NaN": (lambda: lap.svd(SYMMETRIC_NAN, hermitian=True), lap.NonFiniteError, "row 3, column 3"),
    "svdvals, NaN": (lambda: lap.svdvals(SYMMETRIC_NAN), lap.NonFiniteError, "row 3, column 3"),
    "solve, NaN": (lambda: lap.solve(SYMMETRIC_NAN, ONES), lap.NonFiniteError, "a has NaN at row 3, column 3"),
    "solve, NaN in b": (lambda: lap.solve(GOOD, [1, NAN, 1, 1]), lap.NonFiniteError, "b has NaN at row 1, column 0"),
    "solve, Inf in a matrix b": (
        lambda: lap.solve(GOOD, with_value(INF, 2, 1)),
        lap.NonFiniteError,
        "b has Inf at row 2, column 1",
    ),
    "solve, Inf in the imaginary part": (lambda: lap.solve(INF_IMAGINARY, ONES), lap.NonFiniteError, "row 3, column 1"),
    "lstsq, NaN": (lambda: lap.lstsq(SYMMETRIC_NAN, ONES), lap.NonFiniteError, "a has NaN"),
    "lstsq, NaN in b": (lambda: lap.lstsq(GOOD, [1, 1, NAN, 1]), lap.NonFiniteError, "b has NaN at row 2, column 0"),
    "lstsq, NaN although not looked for": (
        lambda: lap.lstsq(SYMMETRIC_NAN, ONES, check_finite=False),
        lap.NonFiniteError,
        "row 3, column 3",
    ),
    "eigh, NaN": (lambda: lap.eigh(SYMMETRIC_NAN), lap.NonFiniteError, "row 3, column 3"),
    "eigh, Inf in the imaginary part": (lambda: lap.eigh(INF_IMAGINARY), lap.NonFiniteError, "row 3, column 1"),
    "eigvalsh, NaN": (lambda: lap.eigvalsh(SYMMETRIC_NAN, "U"), lap.NonFiniteError, "row 3, column 3"),
    "qr, NaN": (lambda: lap.qr(SYMMETRIC_NAN), lap.NonFiniteError, "row 3, column 3"),
    "cholesky, NaN": (lambda: lap.cholesky(SYMMETRIC_NAN), lap.NonFiniteError, "row 3, column 3"),
    "svd, NaN in one of three": (
        lambda: lap.svd(one_bad(GOOD, 1, SYMMETRIC_NAN)),
        lap.NonFiniteError,
        "row 3, column 3 (matrix 1 of 3)",
    ),
    "svd, gesvd asked for": (lambda: lap.svd(GOOD, lapack_driver="gesvd"), lap.LapackError, "must be None or 'gesdd'"),
    "solve, 2 x 3": (lambda: lap.solve(matrix(2, 3), np.ones(2)), lap.ShapeError, "a must be square, not 2 x 3. Fix:"),
    "solve, 1 x N": (lambda: lap.solve(matrix(1, N), [1.0]), lap.ShapeError, "must be square, not 1 x 4"),
    "solve, N x 1": (lambda: lap.solve(matrix(N, 1), ONES), lap.ShapeError, "must be square, not 4 x 1"),
    "eigh, 2 x 3": (lambda: lap.eigh(matrix(2, 3)), lap.ShapeError, "a must be square, not 2 x 3"),
    "eigvalsh, N x 1": (lambda: lap.eigvalsh(matrix(N, 1)), lap.ShapeError, "must be square, not 4 x 1"),
    "cholesky, 3 x 2": (lambda: lap.cholesky(matrix(3, 2)), lap.ShapeError, "must be square, not 3 x 2"),
    "svd, hermitian, 2 x 3": (lambda: lap.svd(matrix(2, 3), hermitian=True), lap.ShapeError, "must be square"),
    "solve, b too short": (lambda: lap.solve(GOOD, np.ones(3)), lap.ShapeError, "so b needs 4 rows; it is 3 x 1"),
    "solve, b a number": (lambda: lap.solve(GOOD, 1.0), lap.ShapeError, "b is a single number"),
    "solve, b a row": (lambda: lap.solve(GOOD, np.ones((1, N))), lap.ShapeError, "so b needs 4 rows; it is 1 x 4"),
    "solve, a stack of vectors": (
        lambda: lap.solve(np.stack([GOOD] * 3), np.ones((3, N))),
        lap.ShapeError,
        "pass b[..., None] and take x[..., 0].",
    ),
    "solve, batches that do not fit": (
        lambda: lap.solve(np.ones((2, N, N)), np.ones((3, N, 1))),
        lap.ShapeError,
        "leading dimensions [2] of a and [3] of b",
    ),
    "lstsq, b too long": (lambda: lap.lstsq(matrix(5, 3), np.ones(6)), lap.ShapeError, "so b needs 5 rows, not 6"),
    "lstsq, b a number": (lambda: lap.lstsq(GOOD, 2.0), lap.ShapeError, "b is a single number"),
    "lstsq, a stack of vectors": (
        lambda: lap.lstsq(matrix(2, 5, 3), np.ones((2, 5))),
        lap.ShapeError,
        "pass b[..., None]",
    ),
    "matmul, inner dimensions": (lambda: lap.matmul(matrix(2, 3), matrix(2, 3)), lap.ShapeError, "3 rows, not 2"),
    "matmul, inner dimensions of integers": (lambda: lap.matmul([[1, 2]], [[1, 2]]), lap.ShapeError, "2 rows, not 1"),
    "matmul, vectors": (lambda: lap.matmul(np.ones(3), np.ones(2)), lap.ShapeError, "3 rows, not 2"),
    "matmul, a number": (lambda: lap.matmul(2.0, GOOD), lap.ShapeError, "use * to scale"),
    "matmul, a number on the right": (lambda: lap.matmul(GOOD, 2.0), lap.ShapeError, "use * to scale"),
    "matmul, integers": (lambda: lap.matmul(2, 3), lap.ShapeError, "use * to scale"),
    "matmul, batches that do not fit": (
        lambda: lap.matmul(np.ones((2, 3, 3)), np.ones((4, 3, 3))),
        lap.ShapeError,
        "leading dimensions [2] of x1 and [4] of x2",
    ),
    "solve, zero": (lambda: lap.solve(np.zeros((N, N)), ONES), lap.SingularMatrixError, "all its elements are 0"),
    "solve, two equal rows": (
        lambda: lap.solve([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0], [3.0, 5.0, 1.0]], [1.0, 1.0, 1.0]),
        lap.SingularMatrixError,
        "rows 0 and 1 are equal",
    ),
    "solve, a column and its double": (
        lambda: lap.solve([[1.0, 2.0], [1.0, 2.0]], [1.0, 1.0]),
        lap.SingularMatrixError,
        "column 1 is 2 times column 0",
    ),
    "solve, one of three singular": (
        lambda: lap.solve(one_bad(GOOD, 1, 0.0), np.ones((N, 1))),
        lap.SingularMatrixError,
        "(matrix 1 of 3)",
    ),
    "solve, pos, indefinite": (
        lambda: lap.solve(np.diag([1.0, -1.0]), [1.0, 1.0], assume_a="pos"),
        lap.NotPositiveDefiniteError,
        "use assume_a='sym'",
    ),
    "solve, sym, zero": (
        lambda: lap.solve(np.zeros((N, N)), ONES, assume_a="sym"),
        lap.SingularMatrixError,
        "is singular",
    ),
    "solve, a zero on the diagonal": (
        lambda: lap.solve(np.triu(GOOD) * [1, 0, 1, 1], ONES, assume_a="upper triangular"),
        lap.SingularMatrixError,
        "a[1, 1] is 0",
    ),
    "solve, diagonal with a zero": (
        lambda: lap.solve(np.diag([1.0, 2.0, 0.0]), np.ones(3), assume_a="diagonal"),
        lap.SingularMatrixError,
        "a[2, 2] is 0",
    ),
    "cholesky, indefinite": (
        lambda: lap.cholesky([[1.0, 2.0], [2.0, 1.0]]),
        lap.NotPositiveDefiniteError,
        "its smallest eigenvalue is about -1",
    ),
    "cholesky, one of three": (
        lambda: lap.cholesky(one_bad(GOOD, 2, -GOOD)),
        lap.NotPositiveDefiniteError,
        "(matrix 2 of 3)",
    ),
    "solve, assume_a": (lambda: lap.solve(GOOD, ONES, assume_a="psd"), lap.LapackError, "assume_a='psd' must be"),
    "eigh, UPLO": (lambda: lap.eigh(GOOD, UPLO="X"), lap.LapackError, "UPLO='X' must be 'L' or 'U'"),
    "eigh, UPLO with lower": (lambda: lap.eigh(GOOD, "X", lower=False), lap.LapackError, "UPLO='X' must be"),
    "eigvalsh, UPLO": (lambda: lap.eigvalsh(GOOD, UPLO=""), lap.LapackError, "UPLO='' must be 'L' or 'U'"),
    "qr, mode": (lambda: lap.qr(GOOD, mode="thin"), lap.LapackError, "mode='thin' must be 'reduced'"),
    "gpu": (lambda: lap.svd(GOOD, gpu="yes"), lap.LapackError, "gpu='yes' must be 'auto', True, 'require' or False"),
    "gpu as a number": (lambda: lap.svd(GOOD, gpu=1), lap.LapackError, "gpu=1 must be"),
    "device": (
        lambda: lap.qr(GOOD, device="tpu"),
        lap.LapackError,
        "use device='gpu' for the best GPU, 'cpu', or a name of lap.devices().",
    ),
    "device as a number": (lambda: lap.matmul(GOOD, GOOD, device=999), lap.LapackError, "a name of lap.devices()."),
    "device as a flag": (lambda: lap.matmul(GOOD, GOOD, device=True), lap.LapackError, "device=True must be"),
    "gpu and device": (lambda: lap.eigh(GOOD, gpu=False, device="gpu"), lap.LapackError, "contradict each other"),
    "gpu required": (lambda: lap.svd(GOOD, gpu="require"), lap.GpuUnavailableError, "a GPU is required, but"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_wrong_call_is_refused_in_words(name):
    call, kind, text = ERRORS[name]
    refuses(call, kind, text)


@pytest.mark.parametrize("name", ["device", "device as a number"])
def test_the_cause_of_a_device_that_is_not_there_is_the_value_that_was_given(name):
    call, kind, text = ERRORS[name]
    given = {"device": "'tpu'", "device as a number": "999"}[name]
    error = refuses(call, kind, text)
    assert error.cause == f"device={given} must be 'auto', 'cpu', 'gpu' or a device of lap.devices()"


def test_a_nan_is_named_with_its_row_and_column():
    error = refuses(lambda: lap.svd(with_value(NAN, 2, 1)), lap.NonFiniteError, "row 2, column 1")
    assert error.location == (2, 1)
    assert error.argument == "a"
    assert error.matrix is None


def test_every_failed_member_of_a_batch_is_listed():
    stack = np.stack([GOOD] * 5)
    stack[[1, 4]] = 0
    error = refuses(lambda: lap.solve(stack, np.ones((N, 1))), lap.SingularMatrixError, "matrix 1 and 1 more of 5")
    assert (error.matrix, error.failed) == (1, [1, 4])
    assert "failed matrices: 1, 4" in error.report()


def lower_only(a):
    """NaN above the diagonal."""
    return np.where(np.tri(N, dtype=bool), a, NAN)


def upper_only(a):
    return np.where(np.tri(N, dtype=bool).T, a, NAN)


def diagonal_only(a):
    return np.where(np.eye(N, dtype=bool), a, NAN)


COMPLEX = positive(N, N, dtype="complex128")
# What is not read may hold anything. The call, on an array that has NaN there; the matrix meant; the check.
UNREAD: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Any, Callable[..., None]]] = {
    "cholesky": (lap.cholesky, lower_only, GOOD, factor_is_right),
    "cholesky, upper": (lambda a: adjoint(lap.cholesky(a, upper=True)), upper_only, GOOD, factor_is_right),
    "cholesky, complex": (lap.cholesky, lower_only, COMPLEX, factor_is_right),
    "eigh": (lap.eigh, lower_only, GOOD, eigenvectors_are_right),
    "eigh, U": (lambda a: lap.eigh(a, "U"), upper_only, GOOD, eigenvectors_are_right),
    "eigh, u": (lambda a: lap.eigh(a, "u"), upper_only, GOOD, eigenvectors_are_right),
    "eigh, lower=False": (lambda a: lap.eigh(a, lower=False), upper_only, GOOD, eigenvectors_are_right),
    "eigh, complex": (lap.eigh, lower_only, COMPLEX, eigenvectors_are_right),
    "eigh, U, complex": (lambda a: lap.eigh(a, "U"), upper_only, COMPLEX, eigenvectors_are_right),
    "eigvalsh": (lap.eigvalsh, lower_only, GOOD, eigenvalues_are_right),
    "eigvalsh, U, complex": (lambda a: lap.eigvalsh(a, "U"), upper_only, COMPLEX, eigenvalues_are_right),
    "svd, hermitian": (lambda a: lap.svd(a, hermitian=True), lower_only, COMPLEX, svd_is_right),
    **{
        f"solve, {structure}, {'lower' if lower else 'upper'}, {a.dtype}": (
            lambda a, structure=structure, lower=lower: lap.solve(a, ONES, assume_a=structure, lower=lower),
            lower_only if lower else upper_only,
            a,
            solution_is_right,
        )
        for structure, a in [("pos", GOOD), ("pos", COMPLEX), ("sym", GOOD), ("her", GOOD), ("her", COMPLEX)]
        for lower in (False, True)
    },
    "solve, upper triangular": (
        lambda a: lap.solve(a, ONES, assume_a="upper triangular"),
        upper_only,
        np.triu(GOOD),
        solution_is_right,
    ),
    "solve, lower triangular": (
        lambda a: lap.solve(a, ONES, assume_a="lower triangular"),
        lower_only,
        np.tril(GOOD),
        solution_is_right,
    ),
    "solve, diagonal": (
        lambda a: lap.solve(a, ONES, assume_a="diagonal"),
        diagonal_only,
        np.diag(np.diag(GOOD)),
        solution_is_right,
    ),
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", UNREAD)
def test_a_nan_where_nothing_is_read_does_no_harm(name, order):
    call, spoil, meant, check = UNREAD[name]
    check(meant, call(np.asarray(spoil(meant), order=order)))


UNCHECKED = [("svd", 60, INF), ("svd", 4, INF), ("svdvals", 4, NAN), ("svdvals", 60, NAN), ("svdvals", 200, INF)]


@pytest.mark.parametrize(("operation", "n", "value"), UNCHECKED)
def test_unchecked_nan_and_inf_give_an_error_or_no_number_but_no_text_from_lapack(operation, n, value):
    a = hermitian(n, n)
    a[1, 1] = value
    try:
        result = getattr(lap, operation)(a, check_finite=False)
    except lap.LapackError as error:
        assert_in_words(error, lap.LapackError, "svd: ")
    else:
        s = result if operation == "svdvals" else result.S
        assert np.isnan(s).any(), "a finite result for input that is not"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: lap.solve(GOOD, ONES, assume_a=1), "assume_a"),
        (lambda: lap.eigh(GOOD, UPLO=None), "UPLO"),
        (lambda: lap.lstsq(GOOD, ONES, rcond="warn"), "rcond"),
        (lambda: lap.svd(GOOD, lapack_driver=3), "lapack_driver"),
        (lambda: lap.svd(GOOD, no_such_option=True), "no_such_option"),
    ],
)
def test_an_option_of_a_wrong_type_is_a_type_error_that_names_it(call, name):
    with pytest.raises(TypeError) as caught:
        call()
    # From Python 3.11 on, the name is in a note that tracebacks show below the text.
    assert name in " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


@pytest.mark.parametrize("flag", [0, 1, np.False_, np.True_])
def test_flags_may_be_numbers_as_in_numpy(flag):
    a = matrix(5, 3)
    same_shapes(lap.svd(a, flag), np.linalg.svd(a, flag))
    same_shapes(lap.svd(a, compute_uv=flag), np.linalg.svd(a, compute_uv=flag))


def test_nothing_is_left_behind_by_errors():
    a = well_conditioned(6, 6)
    for call, *_ in ERRORS.values():
        with contextlib.suppress(lap.LapackError):
            call()
    x = lap.solve(a, np.ones(6))
    within(norm(a @ x[:, None] - 1) / (norm(a) * norm(x[:, None])), 6, "float64", "A x - b after errors")
