use super::cholesky::factorise;
use super::substitution::{require_rhs, run_rhs};
use super::{pair, require_matrix, unify, with_scalar};
use crate::input::Input;
use crate::options::{call_options, truth};
use lapack_ai::{BatchView, BatchViewMut, CallOptions, Operand, Scalar, cho_factor_into, cho_solve_into};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyTuple};

/// Cholesky factor of Hermitian positive definite matrices, for `cho_solve`.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
///     Only the triangle of the factor is read; NaN and Inf in it are refused with their place.
/// lower : bool
///     Factorise into L with a = L @ L.conj().T instead of U with a = U.conj().T @ U.
/// overwrite_a : bool
///     Allow the factor to take a's memory: saves the copy.
/// check_finite, gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// (c, lower)
///     c has a's shape and order; its other triangle is zero.
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
#[pyo3(signature = (a, lower=false, overwrite_a=false, check_finite=true, *, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(a, lower=False, overwrite_a=False, check_finite=True, *, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn cho_factor<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] lower: bool,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let call = call_options("cho_factor", check_finite, gpu, device, return_report)?;
    let input = Input::new(a, "cho_factor", "a")?;
    require_matrix(py, "cho_factor", "a", &input)?;
    with_scalar!(input.dtype(), run_factor(py, &input, lower, overwrite_a, call))
}

fn run_factor<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    lower: bool,
    overwrite_a: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let work = move |a: Operand<'_, T>, factor: &mut BatchViewMut<'_, T>| cho_factor_into(a, factor, lower, call);
    let with_lower = |factor: Bound<'py, PyAny>| {
        Ok(PyTuple::new(py, [factor, PyBool::new(py, lower).to_owned().into_any()])?.into_any())
    };
    factorise::<T>(py, "cho_factor", input, overwrite_a, call.timed, work, with_lower)
}

/// Solve a @ x = b from the Cholesky factor of a.
///
/// Parameters
/// ----------
/// c_and_lower : tuple (c, lower)
///     As `cho_factor` returns it: c of shape (..., M, M), and whether the factor is in its lower triangle. The other
///     triangle is not read.
/// b : array_like, shape (M,) or (..., M, K)
///     A vector only if it has exactly one dimension (NumPy 2's rule).
/// overwrite_b : bool
///     Allow x to take b's memory, where b is in Fortran order: saves the copy.
/// check_finite, gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// x : ndarray of b's shape (Fortran order)
///
/// Raises
/// ------
/// SingularMatrixError
///     If the factor has a zero on its diagonal, with its place.
/// NonFiniteError, ShapeError
///
/// Notes
/// -----
/// LAPACK xPOTRS.
#[pyfunction]
#[pyo3(signature = (c_and_lower, b, overwrite_b=false, check_finite=true, *, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(c_and_lower, b, overwrite_b=False, check_finite=True, *, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn cho_solve<'py>(
    py: Python<'py>,
    c_and_lower: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let call = call_options("cho_solve", check_finite, gpu, device, return_report)?;
    let (c, lower) = pair("cho_solve", c_and_lower, "(c, lower), as cho_factor returns it")?;
    let (lower, c, b) = (truth(&lower)?, Input::new(&c, "cho_solve", "c")?, Input::new(b, "cho_solve", "b")?);
    require_matrix(py, "cho_solve", "c", &c)?;
    require_rhs(py, "cho_solve", &b)?;
    let (c, b) = unify(c, b)?;
    with_scalar!(c.dtype(), run_solve(py, &c, lower, &b, overwrite_b, call))
}

fn run_solve<'py, T: Scalar>(
    py: Python<'py>,
    c: &Input<'py>,
    lower: bool,
    b: &Input<'py>,
    overwrite_b: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let solve = move |c: &BatchView<'_, T>, b: &BatchView<'_, T>, x: &mut BatchViewMut<'_, T>| {
        cho_solve_into::<T>(c, lower, b, x, call)
    };
    run_rhs::<T>(py, "cho_solve", "c", c, b, overwrite_b, call.timed, solve)
}
