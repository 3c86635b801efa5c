use super::{require_matrix, result_class, with_scalar};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{bad, call_options, truth};
use crate::output::{Order, Output, named_tuple};
use crate::report::finish;
use lapack_ai::{EighOptions, EighOut, Operand, Scalar, eigh_into};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// Eigenvalues and eigenvectors of symmetric or Hermitian matrices, a = V @ diag(w) @ V.conj().T.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
///     Only one triangle is read; NaN and Inf in it are refused with their place.
/// UPLO : "L" or "U"
///     The triangle. ``lower=True/False`` is SciPy's name for it, and counts if it is given.
/// overwrite_a : bool
///     Allow the eigenvectors to take a's memory, where a is in Fortran order: saves the copy.
/// check_finite : bool
///     Accepted for SciPy's sake; the check is always on, since LAPACK itself would print complaints.
/// gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// EighResult(eigenvalues, eigenvectors)
///     Eigenvalues (..., M), smallest first; eigenvectors (..., M, M) in columns (Fortran order).
///
/// Notes
/// -----
/// LAPACK xSYEVD / xHEEVD, or xSYEV / xHEEV up to order 25.
#[pyfunction]
#[pyo3(signature = (a, UPLO="L", *, lower=None, overwrite_a=false, check_finite=true, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(a, UPLO='L', *, lower=None, overwrite_a=False, check_finite=True, gpu='auto', device=None, return_report=False)"
)]
#[allow(non_snake_case, reason = "NumPy's keyword")]
pub(crate) fn eigh<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    UPLO: &str,
    lower: Option<bool>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let lower = triangle(UPLO, lower)?;
    let call = call_options("eigh", check_finite, gpu, device, return_report)?;
    let input = Input::new(a, "eigh", "a")?;
    require_matrix(py, "eigh", "a", &input)?;
    with_scalar!(input.dtype(), run(py, &input, EighOptions { lower, vectors: true, call }, overwrite_a))
}

/// Eigenvalues of symmetric or Hermitian matrices, smallest first, shape (..., M).
///
/// As ``eigh(a).eigenvalues`` at a fraction of the cost.
#[pyfunction]
#[pyo3(signature = (a, UPLO="L", *, lower=None, overwrite_a=false, check_finite=true, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(a, UPLO='L', *, lower=None, overwrite_a=False, check_finite=True, gpu='auto', device=None, return_report=False)"
)]
#[allow(non_snake_case, reason = "NumPy's keyword")]
pub(crate) fn eigvalsh<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    UPLO: &str,
    lower: Option<bool>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let lower = triangle(UPLO, lower)?;
    let call = call_options("eigh", check_finite, gpu, device, return_report)?;
    let input = Input::new(a, "eigh", "a")?;
    require_matrix(py, "eigh", "a", &input)?;
    with_scalar!(input.dtype(), run(py, &input, EighOptions { lower, vectors: false, call }, overwrite_a))
}

fn triangle(uplo: &str, lower: Option<bool>) -> PyResult<bool> {
    match uplo {
        "L" | "l" => Ok(lower.unwrap_or(true)),
        "U" | "u" => Ok(lower.unwrap_or(false)),
        _ => Err(bad("eigh", &format!("UPLO='{uplo}' must be 'L' or 'U'"))),
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
        if !options.vectors {
            return Ok(w.into_array());
        }
        static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let class = result_class(py, &CLASS, "EighResult")?;
        let vectors = v.map_or_else(|| input.object().clone(), Output::into_array);
        named_tuple(&class, PyTuple::new(py, [w.into_array(), vectors])?)
    })
}
