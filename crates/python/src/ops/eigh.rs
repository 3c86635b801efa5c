use super::eig::second_matrix;
use super::{broadcast, require_matrix, result_class, unify, with_scalar};
use crate::errors::to_python;
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{Fixing, bad, bad_value, call_options, optional_truth, truth};
use crate::output::{Order, Output, named_tuple};
use crate::report::finish;
use lapack_ai::{
    Applicability, Argument, Code, EighOptions, EighOut, Error, Operand, Problem, Scalar, Select,
    eigh_generalised_into, eigh_into, eigh_subset_into,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyEllipsis, PyList, PySlice, PyString, PyTuple};

/// Eigenvalues and eigenvectors of symmetric or Hermitian matrices, a = V @ diag(w) @ V.conj().T.
///
/// With a positive definite ``b`` the generalised problem a @ v = w * (b @ v).
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
///     Only one triangle is read; NaN and Inf in it are refused with their place.
/// UPLO : "L" or "U"
///     The triangle. ``lower=True/False`` is SciPy's name for it, and counts if it is given. An array here is taken for
///     ``b``, which SciPy has in this place.
/// b : array_like, shape (..., M, M), optional
///     Symmetric (Hermitian) and positive definite; the same triangle is read.
/// type : 1, 2 or 3
///     With ``b``: a @ v = w * b @ v, a @ b @ v = w * v or b @ a @ v = w * v.
/// subset_by_index : (lo, hi), optional
///     Compute only the eigenvalues number lo to hi, both included, counted from 0, smallest first.
/// subset_by_value : (lo, hi), optional
///     Compute only the eigenvalues in lo < w <= hi; the ends may be infinite. In a batch each matrix must have the same
///     number of them.
/// eigvals_only : bool
///     Return the eigenvalues alone, as `eigvalsh` does.
/// overwrite_a, overwrite_b : bool
///     Allow the memory to be used: saves a copy where the layout permits. Where a alone is given, in Fortran order, the
///     eigenvectors take its memory.
/// check_finite : bool
///     Accepted for SciPy's sake; the check is always on, since LAPACK itself would print complaints.
/// gpu, device, return_report
///     As for `svd`.
/// errors, autofix
///     As for `solve`.
///
/// Returns
/// -------
/// EighResult(eigenvalues, eigenvectors)
///     Eigenvalues (..., K), smallest first; eigenvectors (..., M, K) in columns (Fortran order). K is M, or how many were
///     asked for. With ``b`` the vectors are orthonormal in the sense V.conj().T @ b @ V = I (type 3: inv(b)).
///
/// Raises
/// ------
/// NonFiniteError, ShapeError, NotPositiveDefiniteError (of b), ConvergenceError
///     All are numpy.linalg.LinAlgError.
///
/// Notes
/// -----
/// LAPACK xSYEVD / xHEEVD, or xSYEV / xHEEV up to order 25; for a subset xSYEVR / xHEEVR. With ``b`` xSYGVD / xHEGVD, for
/// a subset xSYGVX / xHEGVX.
#[pyfunction]
#[pyo3(signature = (a, UPLO=Second::Unsaid, *, b=None, lower=None, eigvals_only=false, r#type=1, subset_by_index=None, subset_by_value=None, overwrite_a=false, overwrite_b=false, check_finite=true, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(a, UPLO='L', *, b=None, lower=None, eigvals_only=False, type=1, subset_by_index=None, subset_by_value=None, overwrite_a=False, overwrite_b=False, check_finite=True, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
#[allow(non_snake_case, reason = "NumPy's keyword")]
pub(crate) fn eigh<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = second)] UPLO: Second<'py>,
    b: Option<Bound<'py, PyAny>>,
    #[pyo3(from_py_with = optional_truth)] lower: Option<bool>,
    #[pyo3(from_py_with = truth)] eigvals_only: bool,
    r#type: i64,
    subset_by_index: Option<&Bound<'py, PyAny>>,
    subset_by_value: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let fixing = Fixing::new("eigh", autofix)?;
    let call = fixing.options(call_options("eigh", check_finite, gpu, device, return_report)?, errors)?;
    let warn_of_asymmetry = UPLO.is_unsaid() && lower.is_none();
    let (b, lower) = UPLO.resolve(b, lower)?;
    let options = EighOptions { lower, vectors: !eigvals_only, warn_of_asymmetry, call };
    let (problem, select) = (problem(r#type)?, select(subset_by_index, subset_by_value)?);
    dispatch(py, a, b, problem, select, options, [overwrite_a, overwrite_b])
}

/// Eigenvalues of symmetric or Hermitian matrices, smallest first, shape (..., M).
///
/// As ``eigh(a).eigenvalues`` at a fraction of the cost, with the same keywords.
#[pyfunction]
#[pyo3(signature = (a, UPLO=Second::Unsaid, *, b=None, lower=None, r#type=1, subset_by_index=None, subset_by_value=None, overwrite_a=false, overwrite_b=false, check_finite=true, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(a, UPLO='L', *, b=None, lower=None, type=1, subset_by_index=None, subset_by_value=None, overwrite_a=False, overwrite_b=False, check_finite=True, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
#[allow(non_snake_case, reason = "NumPy's keyword")]
pub(crate) fn eigvalsh<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = second)] UPLO: Second<'py>,
    b: Option<Bound<'py, PyAny>>,
    #[pyo3(from_py_with = optional_truth)] lower: Option<bool>,
    r#type: i64,
    subset_by_index: Option<&Bound<'py, PyAny>>,
    subset_by_value: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let fixing = Fixing::new("eigh", autofix)?;
    let call = fixing.options(call_options("eigh", check_finite, gpu, device, return_report)?, errors)?;
    let warn_of_asymmetry = UPLO.is_unsaid() && lower.is_none();
    let (b, lower) = UPLO.resolve(b, lower)?;
    let options = EighOptions { lower, vectors: false, warn_of_asymmetry, call };
    let (problem, select) = (problem(r#type)?, select(subset_by_index, subset_by_value)?);
    dispatch(py, a, b, problem, select, options, [overwrite_a, overwrite_b])
}

/// The second positional argument: NumPy has UPLO there, SciPy has b.
pub(crate) enum Second<'py> {
    /// The lower one is read, and nobody asked for that.
    Unsaid,
    Lower,
    Upper,
    Matrix(Bound<'py, PyAny>),
}

impl<'py> Second<'py> {
    fn is_unsaid(&self) -> bool {
        matches!(self, Second::Unsaid)
    }

    /// b, and whether the lower triangle is read.
    fn resolve(self, b: Option<Bound<'py, PyAny>>, lower: Option<bool>) -> PyResult<(Option<Bound<'py, PyAny>>, bool)> {
        match self {
            Second::Unsaid | Second::Lower => Ok((b, lower.unwrap_or(true))),
            Second::Upper => Ok((b, lower.unwrap_or(false))),
            Second::Matrix(_) if b.is_some() => {
                Err(PyTypeError::new_err("eigh() got multiple values for argument 'b'"))
            }
            Second::Matrix(matrix) => Ok((Some(matrix), lower.unwrap_or(true))),
        }
    }
}

fn second<'py>(value: &Bound<'py, PyAny>) -> PyResult<Second<'py>> {
    if let Ok(uplo) = value.cast::<PyString>() {
        return match uplo.to_str()? {
            "L" | "l" => Ok(Second::Lower),
            "U" | "u" => Ok(Second::Upper),
            uplo => Err(bad_value("eigh", &format!("UPLO='{uplo}' must be 'L' or 'U'"), "UPLO", uplo, &["L", "U"])),
        };
    }
    let sequence = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    let array = ["__array__", "__array_interface__", "__dlpack__"];
    if sequence || array.iter().any(|name| value.hasattr(*name).unwrap_or(false)) {
        return Ok(Second::Matrix(value.clone()));
    }
    let text = format!("'L' or 'U' (or a second matrix) expected, not {}", value.get_type().name()?);
    Err(PyTypeError::new_err(text))
}

fn problem(number: i64) -> PyResult<Problem> {
    match number {
        1 => Ok(Problem::First),
        2 => Ok(Problem::Second),
        3 => Ok(Problem::Third),
        _ => Err(bad("eigh", &format!("type={number} must be 1, 2 or 3"))),
    }
}

fn select(by_index: Option<&Bound<'_, PyAny>>, by_value: Option<&Bound<'_, PyAny>>) -> PyResult<Select> {
    match (by_index, by_value) {
        (None, None) => Ok(Select::All),
        (Some(_), Some(_)) => {
            Err(bad("eigh", "subset_by_index and subset_by_value exclude each other; give one of them"))
        }
        (None, Some(bounds)) => {
            let (above, up_to) = two_numbers("subset_by_value", bounds)?;
            Ok(Select::Values { above, up_to })
        }
        (Some(indices), None) => {
            let (first, last) = two_numbers("subset_by_index", indices)?;
            let whole = |index: f64| index >= 0.0 && index.fract() == 0.0;
            if !whole(first) || !whole(last) {
                let text = format!("subset_by_index=({first}, {last}) must be two whole numbers, counted from 0");
                return Err(bad("eigh", &text));
            }
            Ok(Select::Indices { first: first as usize, last: last as usize })
        }
    }
}

/// The two elements of a list, a tuple or an array.
fn two_numbers(name: &str, value: &Bound<'_, PyAny>) -> PyResult<(f64, f64)> {
    let numbers: Option<Vec<f64>> =
        value.try_iter().ok().and_then(|items| items.map(|item| item?.extract::<f64>()).collect::<PyResult<_>>().ok());
    match numbers.as_deref() {
        Some(&[first, second]) => Ok((first, second)),
        _ => Err(bad("eigh", &format!("{name}={} must be two numbers, (lo, hi)", value.repr()?))),
    }
}

fn dispatch<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: Option<Bound<'py, PyAny>>,
    problem: Problem,
    select: Select,
    options: EighOptions,
    overwrite: [bool; 2],
) -> PyResult<Bound<'py, PyAny>> {
    let a = Input::new(a, "eigh", "a")?;
    require_matrix(py, "eigh", "a", &a)?;
    match b {
        None if select == Select::All => with_scalar!(a.dtype(), run(py, &a, options, overwrite[0])),
        None => with_scalar!(a.dtype(), run_subset(py, &a, select, options, overwrite[0])),
        Some(b) => {
            let (a, b) = unify(a, second_matrix(py, "eigh", &b)?)?;
            with_scalar!(a.dtype(), run_pair(py, &a, &b, (problem, select), options, overwrite))
        }
    }
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    options: EighOptions,
    overwrite_a: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let (n, batch) = (a.rows(), a.batch_shape());
    let w = Output::vectors::<T::Real>(py, "eigh", batch, n)?;
    let overwrite = input.may_overwrite(overwrite_a);
    let reuse = overwrite && a.count() == 1 && a.matrix(0).col_major_lda().is_some();
    let v = (options.vectors && !reuse)
        .then(|| Output::matrices::<T>(py, "eigh", batch, n, a.cols(), Order::ColMajor))
        .transpose()?;
    let eigenvectors = match (&v, options.vectors) {
        (Some(v), _) => Some(v.view()),
        // SAFETY: allowed just above.
        (None, true) => Some(unsafe { writable(&a) }),
        (None, false) => None,
    };
    let out = EighOut { eigenvalues: w.view(), eigenvectors };
    let flops = 9.0 * (n as f64).powi(3) * a.count() as f64;
    let arrays = [Some(input.object()), Some(w.object()), v.as_ref().map(Output::object)];
    let outcome = if overwrite {
        // SAFETY: allowed just above.
        let mut a = unsafe { writable(&a) };
        enter_lapack(py, flops, &arrays, move || eigh_into(Operand::overwritable(&mut a), out, options))
    } else {
        enter_lapack(py, flops, &arrays, move || eigh_into(a.into(), out, options))
    }?;
    finish(py, outcome, &[input], options.call.timed, || {
        let vectors = || v.map_or_else(|| input.object().clone(), Output::into_array);
        result(py, w.into_array(), options.vectors.then(vectors))
    })
}

/// The result as the user gets it.
fn result<'py>(
    py: Python<'py>,
    w: Bound<'py, PyAny>,
    vectors: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(vectors) = vectors else { return Ok(w) };
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = result_class(py, &CLASS, "EighResult")?;
    named_tuple(&class, PyTuple::new(py, [w, vectors])?)
}

/// New arrays for at most `most` eigenpairs of each matrix.
struct Room<'py> {
    w: Output<'py>,
    v: Option<Output<'py>>,
    most: usize,
}

impl<'py> Room<'py> {
    fn new<T: Scalar>(py: Python<'py>, batch: &[usize], n: usize, most: usize, vectors: bool) -> PyResult<Self> {
        let w = Output::vectors::<T::Real>(py, "eigh", batch, most)?;
        let matrices = || Output::matrices::<T>(py, "eigh", batch, n, most, Order::ColMajor);
        Ok(Self { w, v: vectors.then(matrices).transpose()?, most })
    }

    fn out<T: Scalar>(&self) -> EighOut<'static, T> {
        EighOut { eigenvalues: self.w.view(), eigenvectors: self.v.as_ref().map(Output::view) }
    }

    /// The arrays, cut to the number that was found; numbers that differ make no array.
    fn finished(self, py: Python<'py>, found: &[usize]) -> PyResult<Bound<'py, PyAny>> {
        let m = found.first().copied().unwrap_or(self.most);
        if let Some(other) = found.iter().position(|&other| other != m) {
            return Err(uneven(py, m, other, found[other]));
        }
        let cut = |array: Bound<'py, PyAny>| {
            if m == self.most {
                return Ok(array);
            }
            // A copy, so that the result does not keep the room for all.
            let leading = PySlice::new(py, 0, m as isize, 1);
            array.get_item((PyEllipsis::get(py), leading))?.call_method1("copy", ("K",))
        };
        let vectors = self.v.map(|v| cut(v.into_array())).transpose()?;
        result(py, cut(self.w.into_array())?, vectors)
    }
}

#[cold]
fn uneven(py: Python<'_>, m: usize, other: usize, count: usize) -> PyErr {
    let text = format!("subset_by_value selects {m} eigenvalues of matrix 0 and {count} of matrix {other}");
    let error = Error::text(Code::ShapeMismatch, "eigh", text)
        .argument(Argument::keyword("subset_by_value"))
        .because("the matrices of a batch have results of one shape")
        .fix(Applicability::Maybe, "use subset_by_index, or take the matrices one by one.");
    to_python(py, &error)
}

fn run_subset<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    select: Select,
    options: EighOptions,
    overwrite_a: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let (n, most) = (a.rows(), select.most(a.rows()));
    let room = Room::new::<T>(py, a.batch_shape(), n, most, options.vectors)?;
    let out = room.out::<T>();
    let flops = (n as f64).powi(2) * (1.4 * n as f64 + 4.0 * most as f64) * a.count() as f64;
    let arrays = [Some(input.object()), Some(room.w.object()), room.v.as_ref().map(Output::object)];
    let outcome = if input.may_overwrite(overwrite_a) {
        // SAFETY: allowed just above.
        let mut a = unsafe { writable(&a) };
        enter_lapack(py, flops, &arrays, move || eigh_subset_into(Operand::overwritable(&mut a), select, out, options))
    } else {
        enter_lapack(py, flops, &arrays, move || eigh_subset_into(a.into(), select, out, options))
    }?;
    let (outcome, found) = outcome.map_or_else(|error| (Err(error), vec![]), |(report, found)| (Ok(report), found));
    finish(py, outcome, &[input], options.call.timed, || room.finished(py, &found))
}

fn run_pair<'py, T: Scalar>(
    py: Python<'py>,
    a_input: &Input<'py>,
    b_input: &Input<'py>,
    (problem, select): (Problem, Select),
    options: EighOptions,
    overwrite: [bool; 2],
) -> PyResult<Bound<'py, PyAny>> {
    let (a, b) = (a_input.matrices::<T>(), b_input.matrices::<T>());
    let batch = broadcast(py, "eigh", ["a", "b"], a.batch_shape(), b.batch_shape())?;
    let spread = a.batch_shape() != batch || b.batch_shape() != batch;
    let a = if a.batch_shape() == batch { a } else { a.broadcast_to(&batch).unwrap_or(a) };
    let b = if b.batch_shape() == batch { b } else { b.broadcast_to(&batch).unwrap_or(b) };
    let n = a.rows();
    let room = Room::new::<T>(py, &batch, n, select.most(n), options.vectors)?;
    let out = room.out::<T>();
    let flops = if options.vectors { 14.0 } else { 3.0 } * (n as f64).powi(3) * a.count() as f64;
    // A matrix that is repeated, or is both a and b, is needed again.
    let distinct = !spread && a.as_ptr() != b.as_ptr();
    let overwrite_a = a_input.may_overwrite(overwrite[0] && distinct);
    let overwrite_b = b_input.may_overwrite(overwrite[1] && distinct);
    // SAFETY: allowed just above.
    let mut a_memory = overwrite_a.then(|| unsafe { writable(&a) });
    // SAFETY: as above.
    let mut b_memory = overwrite_b.then(|| unsafe { writable(&b) });
    let arrays =
        [Some(a_input.object()), Some(b_input.object()), Some(room.w.object()), room.v.as_ref().map(Output::object)];
    let outcome = enter_lapack(py, flops, &arrays, move || {
        let a = a_memory.as_mut().map_or_else(|| a.into(), Operand::overwritable);
        let b = b_memory.as_mut().map_or_else(|| b.into(), Operand::overwritable);
        eigh_generalised_into(a, b, problem, select, out, options)
    })?;
    let (outcome, found) = outcome.map_or_else(|error| (Err(error), vec![]), |(report, found)| (Ok(report), found));
    finish(py, outcome, &[a_input, b_input], options.call.timed, || room.finished(py, &found))
}
