use super::{require_matrix, with_scalar};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{Fixing, call_options, truth};
use crate::output::{Order, Output};
use crate::report::finish;
use lapack_ai::{BatchViewMut, CallOptions, Error, Layout, Operand, Report, Scalar, cholesky_into};
use pyo3::prelude::*;

/// Cholesky factor of Hermitian positive definite matrices.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
///     Only the triangle of the factor is read; NaN and Inf in it are refused with their place.
/// upper : bool
///     Return U with a = U.conj().T @ U instead of L with a = L @ L.conj().T.
/// overwrite_a : bool
///     Allow the factor to take a's memory: saves the copy.
/// check_finite, gpu, device, return_report
///     As for `svd`.
/// errors, autofix
///     As for `solve`.
///
/// Returns
/// -------
/// ndarray of a's shape and order; the other triangle is zero.
///
/// Raises
/// ------
/// NotPositiveDefiniteError
///     A numpy.linalg.LinAlgError that names the leading minor.
///
/// Notes
/// -----
/// LAPACK xPOTRF.
#[pyfunction]
#[pyo3(signature = (a, /, *, upper=false, overwrite_a=false, check_finite=true, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(a, /, *, upper=False, overwrite_a=False, check_finite=True, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
pub(crate) fn cholesky<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] upper: bool,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let fixing = Fixing::new("cholesky", autofix)?;
    let call = fixing.options(call_options("cholesky", check_finite, gpu, device, return_report)?, errors)?;
    let input = Input::new(a, "cholesky", "a")?;
    require_matrix(py, "cholesky", "a", &input)?;
    with_scalar!(input.dtype(), run(py, &input, upper, overwrite_a, call))
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    upper: bool,
    overwrite_a: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let work = move |a: Operand<'_, T>, factor: &mut BatchViewMut<'_, T>| cholesky_into(a, factor, upper, call);
    factorise::<T>(py, "cholesky", input, overwrite_a, call.timed, work, Ok)
}

/// Runs `work` on the input and an array for the factor, of the input's order or the input itself.
pub(crate) fn factorise<'py, T: Scalar>(
    py: Python<'py>,
    operation: &'static str,
    input: &Input<'py>,
    overwrite_a: bool,
    return_report: bool,
    work: impl FnOnce(Operand<'_, T>, &mut BatchViewMut<'_, T>) -> Result<Report, Error> + Send + 'static,
    result: impl FnOnce(Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let layout = a.layout();
    let order = if matches!(layout, Layout::ColMajor { .. }) { Order::ColMajor } else { Order::RowMajor };
    let flops = (a.rows() as f64).powi(3) / 3.0 * a.count() as f64;
    if input.may_overwrite(overwrite_a) && layout != Layout::Strided && a.rows() == a.cols() {
        // SAFETY: allowed just above; both views are of memory that the caller gave up, and the operation knows that
        // they are the same.
        let (mut a, mut factor) = unsafe { (writable(&a), writable(&a)) };
        let work = move || work(Operand::overwritable(&mut a), &mut factor);
        let outcome = enter_lapack(py, flops, &[Some(input.object())], work)?;
        return finish(py, outcome, &[input], return_report, || result(input.object().clone()));
    }
    let output = Output::matrices::<T>(py, operation, a.batch_shape(), a.rows(), a.cols(), order)?;
    let mut factor = output.view();
    let arrays = [Some(input.object()), Some(output.object())];
    let outcome = enter_lapack(py, flops, &arrays, move || work(a.into(), &mut factor))?;
    finish(py, outcome, &[input], return_report, || result(output.into_array()))
}
