use super::{require_matrix, with_scalar};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{bad, call_options, truth};
use crate::output::Output;
use crate::report::finish;
use lapack_ai::{CallOptions, Norm, Operand, Scalar, rcond_into};
use pyo3::prelude::*;

/// The reciprocal condition number of square matrices, 1 / (norm(a) * norm(inv(a))), as LAPACK estimates it.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
/// ord : 1 or numpy.inf
///     The norm.
/// overwrite_a : bool
///     Allow a's memory to be used: saves the copy.
/// check_finite : bool
///     Refuse NaN and Inf with their place. Off unless asked for: NaN gives NaN, Inf gives 0.
/// gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// rcond : real number, or ndarray of shape (...)
///     0 for exactly singular matrices; below the precision of the type, no digit of a solution is certain.
///
/// Notes
/// -----
/// LAPACK xGETRF, xGECON: almost always within a factor of 3 of the truth.
#[pyfunction]
#[pyo3(signature = (a, *, ord=None, overwrite_a=false, check_finite=false, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(a, *, ord=1, overwrite_a=False, check_finite=False, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn rcond<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    ord: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let norm = ord.map_or(Ok(Norm::One), norm)?;
    let call = call_options("rcond", check_finite, gpu, device, return_report)?;
    let input = Input::new(a, "rcond", "a")?;
    require_matrix(py, "rcond", "a", &input)?;
    with_scalar!(input.dtype(), run(py, &input, norm, overwrite_a, call))
}

fn norm(ord: &Bound<'_, PyAny>) -> PyResult<Norm> {
    match ord.extract::<f64>() {
        Ok(1.0) => Ok(Norm::One),
        Ok(f64::INFINITY) => Ok(Norm::Infinity),
        _ => Err(bad("rcond", &format!("ord={} must be 1 or numpy.inf", ord.repr()?))),
    }
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    norm: Norm,
    overwrite_a: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let mut output = Output::scalars::<T::Real>(py, "rcond", a.batch_shape())?;
    let rcond = output.elements::<T::Real>();
    let flops = (a.rows() as f64).powi(3) * a.count() as f64;
    let arrays = [Some(input.object()), Some(output.object())];
    let outcome = if input.may_overwrite(overwrite_a) {
        // SAFETY: allowed just above.
        let mut a = unsafe { writable(&a) };
        enter_lapack(py, flops, &arrays, move || rcond_into(Operand::overwritable(&mut a), rcond, norm, call))
    } else {
        enter_lapack(py, flops, &arrays, move || rcond_into(a.into(), rcond, norm, call))
    }?;
    finish(py, outcome, &[input], call.timed, || output.into_number())
}
