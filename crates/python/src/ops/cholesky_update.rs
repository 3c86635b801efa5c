use super::{broadcast, require_matrix, unify, with_scalar};
use crate::errors::to_python;
use crate::gate::enter_lapack;
use crate::input::Input;
use crate::options::{call_options, truth};
use crate::output::{Order, Output};
use crate::report::finish;
use lapack_ai::{Argument, CholeskyUpdateOptions, Code, Error, Scalar, cholesky_update_into};
use pyo3::prelude::*;

/// The Cholesky factor of a + x x^H, or of a - x x^H, from that of a, in O(M^2).
///
/// Parameters
/// ----------
/// L : array_like, shape (..., M, M)
///     The factor of a, as `cholesky` returns it; the other triangle is not read.
/// x : array_like, shape (..., M)
///     Vectors; leading dimensions broadcast against those of L.
/// downdate : bool
///     Take x x^H away instead of adding it.
/// lower : bool
///     The factor is L with a = L @ L.conj().T; if False, U with a = U.conj().T @ U.
/// check_finite, gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// ndarray, shape (..., M, M)
///     The new factor, its diagonal positive and its other triangle zero: L in Fortran order, U in C order.
///
/// Raises
/// ------
/// NotPositiveDefiniteError
///     If a - x x^H is not positive definite: a numpy.linalg.LinAlgError that names the leading minor.
/// NonFiniteError, ShapeError
///
/// Notes
/// -----
/// Givens rotations; for the downdate, hyperbolic ones in their stable, mixed form (Golub and Van Loan, section 6.5.4).
#[pyfunction]
#[pyo3(signature = (L, x, *, downdate=false, lower=true, check_finite=true, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(L, x, *, downdate=False, lower=True, check_finite=True, gpu='auto', device=None, return_report=False)"
)]
#[allow(non_snake_case, reason = "the field's name for the factor")]
pub(crate) fn cholesky_update<'py>(
    py: Python<'py>,
    L: &Bound<'py, PyAny>,
    x: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] downdate: bool,
    #[pyo3(from_py_with = truth)] lower: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let call = call_options("cholesky_update", check_finite, gpu, device, return_report)?;
    let (factor, x) = (Input::new(L, "cholesky_update", "L")?, Input::new(x, "cholesky_update", "x")?);
    require_matrix(py, "cholesky_update", "L", &factor)?;
    let options = CholeskyUpdateOptions { downdate, upper: !lower, call };
    let (factor, x) = unify(factor, x)?;
    if let &[m, n] = &factor.shape()[factor.shape().len() - 2..]
        && (x.shape().is_empty() || (m == n && x.shape().last() != Some(&n)))
    {
        let have = x.shape().last().map_or("a single number".into(), |rows| format!("{rows} elements"));
        let text = format!("L is {m} x {n}, so x needs {n} elements, not {have}");
        let error = Error::text(Code::ShapeMismatch, "cholesky_update", text).argument(Argument::at(1, "x"));
        return Err(to_python(py, &error));
    }
    with_scalar!(factor.dtype(), run(py, &factor, &x, options))
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    factor_input: &Input<'py>,
    x_input: &Input<'py>,
    options: CholeskyUpdateOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let factor = factor_input.matrices::<T>();
    let x = x_input.vectors::<T>();
    let batch = broadcast(py, "cholesky_update", ["L", "x"], factor.batch_shape(), x.batch_shape())?;
    let x = if x.batch_shape() == batch { x } else { x.broadcast_to(&batch).unwrap_or(x) };
    let order = if options.upper { Order::RowMajor } else { Order::ColMajor };
    let output = Output::matrices::<T>(py, "cholesky_update", &batch, factor.rows(), factor.cols(), order)?;
    let mut updated = output.view();
    let flops = 4.0 * (factor.rows() * factor.rows()) as f64 * x.count() as f64;
    let arrays = [Some(factor_input.object()), Some(x_input.object()), Some(output.object())];
    let work = move || cholesky_update_into(&factor, &x, &mut updated, options);
    let outcome = enter_lapack(py, flops, &arrays, work)?;
    finish(py, outcome, &[factor_input, x_input], options.call.timed, || Ok(output.into_array()))
}
