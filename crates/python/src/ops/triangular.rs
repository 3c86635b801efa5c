use super::substitution::{require_rhs, run_rhs, transpose};
use super::{require_matrix, unify, with_scalar};
use crate::input::Input;
use crate::options::{call_options, truth};
use lapack_ai::{BatchView, BatchViewMut, Scalar, TriangularOptions, solve_triangular_into};
use pyo3::prelude::*;

/// Solve a @ x = b for triangular a.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
///     The other triangle is not read. NaN and Inf are refused with their place.
/// b : array_like, shape (M,) or (..., M, K)
///     A vector only if it has exactly one dimension (NumPy 2's rule).
/// trans : 0, 1, 2 or "N", "T", "C"
///     Solve with a, a.T or a.conj().T.
/// lower : bool
///     a is lower triangular, not upper.
/// unit_diagonal : bool
///     The diagonal of a is one and not read.
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
///     A numpy.linalg.LinAlgError that names the zero on the diagonal.
/// NonFiniteError, ShapeError
///
/// Notes
/// -----
/// LAPACK xTRTRS. How well a is conditioned is not looked at; `solve` with assume_a="upper triangular" does.
#[pyfunction]
#[pyo3(signature = (a, b, trans=None, lower=false, unit_diagonal=false, overwrite_b=false, check_finite=true, *, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=True, *, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn solve_triangular<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    trans: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] lower: bool,
    #[pyo3(from_py_with = truth)] unit_diagonal: bool,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let transpose = transpose("solve_triangular", trans)?;
    let call = call_options("solve_triangular", check_finite, gpu, device, return_report)?;
    let (a, b) = (Input::new(a, "solve_triangular", "a")?, Input::new(b, "solve_triangular", "b")?);
    require_matrix(py, "solve_triangular", "a", &a)?;
    require_rhs(py, "solve_triangular", &b)?;
    let (a, b) = unify(a, b)?;
    let options = TriangularOptions { lower, unit_diagonal, transpose, call };
    with_scalar!(a.dtype(), run(py, &a, &b, options, overwrite_b))
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    a: &Input<'py>,
    b: &Input<'py>,
    options: TriangularOptions,
    overwrite_b: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let solve = move |a: &BatchView<'_, T>, b: &BatchView<'_, T>, x: &mut BatchViewMut<'_, T>| {
        solve_triangular_into::<T>(a, b, x, options)
    };
    run_rhs::<T>(py, "solve_triangular", "a", a, b, overwrite_b, options.call.timed, solve)
}
