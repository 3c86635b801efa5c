use super::{require_matrix, with_scalar};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{Fixing, call_options, truth};
use crate::output::{Order, Output};
use crate::report::finish;
use lapack_ai::{CallOptions, Layout, Operand, Scalar, inv_into};
use pyo3::prelude::*;

/// The inverse of square matrices. To solve a @ x = b, `solve` is faster and more accurate.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
///     NaN and Inf are refused with their place.
/// overwrite_a : bool
///     Allow the inverse to take a's memory: saves the copy.
/// check_finite, gpu, device
///     As for `svd`.
/// return_report : bool
///     Return (inverse, Report); ``report.rcond`` is 1 / (norm(a) * norm(inverse)) itself, not an estimate.
/// errors, autofix
///     As for `solve`.
///
/// Returns
/// -------
/// ndarray of a's shape and order.
///
/// Raises
/// ------
/// SingularMatrixError, NonFiniteError, ShapeError
///     All are numpy.linalg.LinAlgError.
///
/// Warns
/// -----
/// IllConditionedWarning
///     A scipy.linalg.LinAlgWarning, where rcond is below the precision: no digit of the inverse is certain.
///
/// Notes
/// -----
/// LAPACK xGETRF, xGETRI (xGETC2 for M <= 8).
#[pyfunction]
#[pyo3(signature = (a, *, overwrite_a=false, check_finite=true, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(a, *, overwrite_a=False, check_finite=True, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
pub(crate) fn inv<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let fixing = Fixing::new("inv", autofix)?;
    let call = fixing.options(call_options("inv", check_finite, gpu, device, return_report)?, errors)?;
    let input = Input::new(a, "inv", "a")?;
    require_matrix(py, "inv", "a", &input)?;
    with_scalar!(input.dtype(), run(py, &input, overwrite_a, call))
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    overwrite_a: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let layout = a.layout();
    let order = if matches!(layout, Layout::ColMajor { .. }) { Order::ColMajor } else { Order::RowMajor };
    let flops = 2.0 * (a.rows() as f64).powi(3) * a.count() as f64;
    if input.may_overwrite(overwrite_a) && layout != Layout::Strided && a.rows() == a.cols() {
        // SAFETY: allowed just above; both views are of memory that the caller gave up, and the operation knows that
        // they are the same.
        let (mut a, mut inverse) = unsafe { (writable(&a), writable(&a)) };
        let work = move || inv_into(Operand::overwritable(&mut a), &mut inverse, call);
        let outcome = enter_lapack(py, flops, &[Some(input.object())], work)?;
        return finish(py, outcome, &[input], call.timed, || Ok(input.object().clone()));
    }
    let output = Output::matrices::<T>(py, "inv", a.batch_shape(), a.rows(), a.cols(), order)?;
    let mut inverse = output.view();
    let arrays = [Some(input.object()), Some(output.object())];
    let outcome = enter_lapack(py, flops, &arrays, move || inv_into(a.into(), &mut inverse, call))?;
    finish(py, outcome, &[input], call.timed, || Ok(output.into_array()))
}
