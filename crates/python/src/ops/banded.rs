use super::substitution::{require_rhs, run_rhs};
use super::{require_matrix, unify, with_scalar};
use crate::input::Input;
use crate::options::{bad, call_options, truth};
use lapack_ai::{Band, BatchView, BatchViewMut, CallOptions, Scalar, solve_banded_into};
use pyo3::prelude::*;

/// Solve a @ x = b for a band matrix, given by its diagonals.
///
/// Parameters
/// ----------
/// l_and_u : (int, int)
///     Diagonals below and above the main one.
/// ab : array_like, shape (..., l + u + 1, M)
///     Element (i, j) of the matrix at row u + i - j, column j. Corners that lie outside the matrix are not read. NaN and
///     Inf are refused with their place in ab.
/// b : array_like, shape (M,) or (..., M, K)
///     A vector only if it has exactly one dimension (NumPy 2's rule).
/// overwrite_ab : bool
///     Accepted for SciPy's sake; the factors need more room than ab has.
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
/// SingularMatrixError, NonFiniteError, ShapeError
///
/// Warns
/// -----
/// IllConditionedWarning
///     Where rcond is below the precision.
///
/// Notes
/// -----
/// LAPACK xGBTRF / xGBTRS; xGTTRF / xGTTRS for three diagonals. O(M l (l + u)) operations.
#[pyfunction]
#[pyo3(signature = (l_and_u, ab, b, overwrite_ab=false, overwrite_b=false, check_finite=true, *, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(l_and_u, ab, b, overwrite_ab=False, overwrite_b=False, check_finite=True, *, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn solve_banded<'py>(
    py: Python<'py>,
    l_and_u: &Bound<'py, PyAny>,
    ab: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] overwrite_ab: bool,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let _ = overwrite_ab;
    let Some((lower, upper)) = widths(l_and_u) else {
        let text =
            format!("l_and_u={} must be two numbers of diagonals, below and above the main one", l_and_u.repr()?);
        return Err(bad("solve_banded", &text));
    };
    let call = call_options("solve_banded", check_finite, gpu, device, return_report)?;
    start(py, "solve_banded", ab, b, Band::General { lower, upper }, overwrite_b, call)
}

/// Solve a @ x = b for a Hermitian positive definite band matrix, given by its diagonals on one side.
///
/// Parameters
/// ----------
/// ab : array_like, shape (..., u + 1, M)
///     Element (i, j) of the matrix at row u + i - j (upper form), or i - j (lower form), of column j. Corners that lie
///     outside the matrix are not read. NaN and Inf are refused with their place in ab.
/// b : array_like, shape (M,) or (..., M, K)
///     A vector only if it has exactly one dimension (NumPy 2's rule).
/// overwrite_ab : bool
///     Accepted for SciPy's sake.
/// overwrite_b : bool
///     Allow x to take b's memory, where b is in Fortran order: saves the copy.
/// lower : bool
///     ab is in lower form: the main diagonal comes first.
/// check_finite, gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// x : ndarray of b's shape (Fortran order)
///
/// Raises
/// ------
/// NotPositiveDefiniteError, NonFiniteError, ShapeError
///
/// Notes
/// -----
/// LAPACK xPBTRF / xPBTRS.
#[pyfunction]
#[pyo3(signature = (ab, b, overwrite_ab=false, overwrite_b=false, lower=false, check_finite=true, *, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(ab, b, overwrite_ab=False, overwrite_b=False, lower=False, check_finite=True, *, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn solveh_banded<'py>(
    py: Python<'py>,
    ab: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] overwrite_ab: bool,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] lower: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let _ = overwrite_ab;
    let call = call_options("solveh_banded", check_finite, gpu, device, return_report)?;
    start(py, "solveh_banded", ab, b, Band::PositiveDefinite { lower }, overwrite_b, call)
}

/// Any pair of numbers.
fn widths(l_and_u: &Bound<'_, PyAny>) -> Option<(usize, usize)> {
    let mut numbers = l_and_u.try_iter().ok()?;
    let lower = numbers.next()?.ok()?.extract().ok()?;
    let upper = numbers.next()?.ok()?.extract().ok()?;
    numbers.next().is_none().then_some((lower, upper))
}

fn start<'py>(
    py: Python<'py>,
    operation: &'static str,
    ab: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    band: Band,
    overwrite_b: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let (ab, b) = (Input::new(ab, operation, "ab")?, Input::new(b, operation, "b")?);
    require_matrix(py, operation, "ab", &ab)?;
    require_rhs(py, operation, &b)?;
    let (ab, b) = unify(ab, b)?;
    with_scalar!(ab.dtype(), run(py, operation, &ab, &b, band, overwrite_b, call))
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    operation: &'static str,
    ab: &Input<'py>,
    b: &Input<'py>,
    band: Band,
    overwrite_b: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let solve = move |ab: &BatchView<'_, T>, b: &BatchView<'_, T>, x: &mut BatchViewMut<'_, T>| {
        solve_banded_into::<T>(ab, b, x, band, call)
    };
    run_rhs::<T>(py, operation, "ab", ab, b, overwrite_b, call.timed, solve)
}
