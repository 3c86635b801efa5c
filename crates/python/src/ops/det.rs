use super::{require_matrix, result_class, with_scalar};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{call_options, truth};
use crate::output::{Output, named_tuple};
use crate::report::finish;
use lapack_ai::{CallOptions, Operand, Real, Scalar, Slogdet, det_into, slogdet_into};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// The determinant of square matrices.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
/// overwrite_a : bool
///     Allow a's memory to be used: saves the copy.
/// check_finite : bool
///     Refuse NaN and Inf with their place. Off unless asked for: they have a meaning in a determinant.
/// gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// det : number, or ndarray of shape (...)
///     0 for singular matrices, 1 for empty ones. It overflows only if the determinant itself cannot be represented.
///
/// Notes
/// -----
/// LAPACK xGETRF (xGETC2 for M <= 8).
#[pyfunction]
#[pyo3(signature = (a, *, overwrite_a=false, check_finite=false, gpu=None, device=None, return_report=false))]
#[pyo3(text_signature = "(a, *, overwrite_a=False, check_finite=False, gpu='auto', device=None, return_report=False)")]
pub(crate) fn det<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let call = call_options("det", check_finite, gpu, device, return_report)?;
    let input = Input::new(a, "det", "a")?;
    require_matrix(py, "det", "a", &input)?;
    with_scalar!(input.dtype(), run_det(py, &input, overwrite_a, call))
}

/// Sign and logarithm of the determinant, det(a) = sign * exp(logabsdet); neither overflows.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
/// overwrite_a, check_finite, gpu, device, return_report
///     As for `det`.
///
/// Returns
/// -------
/// SlogdetResult(sign, logabsdet)
///     Numbers, or ndarrays of shape (...): (0, -inf) for singular matrices, (1, 0) for empty ones.
///
/// Notes
/// -----
/// LAPACK xGETRF (xGETC2 for M <= 8).
#[pyfunction]
#[pyo3(signature = (a, *, overwrite_a=false, check_finite=false, gpu=None, device=None, return_report=false))]
#[pyo3(text_signature = "(a, *, overwrite_a=False, check_finite=False, gpu='auto', device=None, return_report=False)")]
pub(crate) fn slogdet<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let call = call_options("slogdet", check_finite, gpu, device, return_report)?;
    let input = Input::new(a, "slogdet", "a")?;
    require_matrix(py, "slogdet", "a", &input)?;
    with_scalar!(input.dtype(), run_slogdet(py, &input, overwrite_a, call))
}

fn run_det<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    overwrite_a: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let mut output = Output::scalars::<T>(py, "det", a.batch_shape())?;
    let det = output.elements::<T>();
    let flops = (a.rows() as f64).powi(3) * a.count() as f64;
    let arrays = [Some(input.object()), Some(output.object())];
    let outcome = if input.may_overwrite(overwrite_a) {
        // SAFETY: allowed just above.
        let mut a = unsafe { writable(&a) };
        enter_lapack(py, flops, &arrays, move || det_into(Operand::overwritable(&mut a), det, call))
    } else {
        enter_lapack(py, flops, &arrays, move || det_into(a.into(), det, call))
    }?;
    finish(py, outcome, &[input], call.timed, || output.into_number())
}

fn run_slogdet<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    overwrite_a: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let mut sign = Output::scalars::<T>(py, "slogdet", a.batch_shape())?;
    let mut logabsdet = Output::scalars::<T::Real>(py, "slogdet", a.batch_shape())?;
    let mut results = vec![Slogdet { sign: T::ZERO, logabsdet: T::Real::from_f64(0.0) }; a.count()];
    let flops = (a.rows() as f64).powi(3) * a.count() as f64;
    let arrays = [Some(input.object())];
    let (outcome, results) = if input.may_overwrite(overwrite_a) {
        // SAFETY: allowed just above.
        let mut a = unsafe { writable(&a) };
        let work = move || (slogdet_into(Operand::overwritable(&mut a), &mut results, call), results);
        enter_lapack(py, flops, &arrays, work)
    } else {
        enter_lapack(py, flops, &arrays, move || (slogdet_into(a.into(), &mut results, call), results))
    }?;
    for (index, result) in results.iter().enumerate() {
        sign.elements::<T>()[index] = result.sign;
        logabsdet.elements::<T::Real>()[index] = result.logabsdet;
    }
    finish(py, outcome, &[input], call.timed, || {
        static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let class = result_class(py, &CLASS, "SlogdetResult")?;
        named_tuple(&class, PyTuple::new(py, [sign.into_number()?, logabsdet.into_number()?])?)
    })
}
