use super::{bad_rhs, broadcast, require_matrix, rhs_advice, unify, with_scalar};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{Fixing, bad_value, call_options, truth};
use crate::output::{Order, Output};
use crate::report::finish;
use lapack_ai::{BatchView, BatchViewMut, Operand, Scalar, SolveOptions, Structure, solve_into};
use pyo3::prelude::*;

/// Solve a @ x = b.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
///     NaN and Inf are refused with their place.
/// b : array_like, shape (M,) or (..., M, K)
///     A vector only if it has exactly one dimension (NumPy 2's rule).
/// assume_a : str
///     "auto" (default; None is the same): found out for each matrix, and told by ``report.structure``. Or "gen", "sym",
///     "her", "pos", "upper triangular", "lower triangular", "diagonal", "tridiagonal", "banded"; SciPy's long names too.
///     Under "gen" nothing is looked for; under the others only the part that is named is read.
/// lower : bool
///     For "sym", "her", "pos": read the lower triangle instead of the upper.
/// mixed_precision : bool
///     Factorise in single precision and refine to double: faster for large, well-conditioned a, general or positive
///     definite. ``report.refinements`` counts the steps; negative if double precision had to step in.
/// equilibrate : bool
///     Bring rows and columns to the same size first, where equations or unknowns have quite different units. Exact: scales
///     are powers of two. a is treated as general, and ``report.rcond`` is that of the scaled matrix.
/// transposed : bool
///     Solve a.T @ x = b (without conjugation).
/// overwrite_a, overwrite_b : bool
///     Allow the memory to be used: saves the copy where the layout permits.
/// check_finite : bool
///     Look for NaN and Inf first; rides on the copy.
/// gpu, device
///     "auto", True, "require" or False; "auto", "cpu" or "gpu".
/// errors : "raise", "warn" or "collect"
///     What becomes of a batch in which some matrices fail: the first failure is raised and lists the others; or the others'
///     results are returned, NaN for the failed ones, with one warning or without (``report.failures`` has them).
/// autofix : None or "safe"
///     "safe" applies fixes that give exactly what was asked for, and says so in a warning: assume_a="sym" where "pos" does
///     not hold, equilibrate=True where scale alone spoils the conditioning, conversion of element types, the CPU for a GPU
///     that is not there.
/// return_report : bool
///     Return (x, Report); ``report.rcond`` tells how well a is conditioned.
///
/// Returns
/// -------
/// x : ndarray of b's shape (Fortran order)
///
/// Raises
/// ------
/// SingularMatrixError, NotPositiveDefiniteError, NonFiniteError, ShapeError
///     All are numpy.linalg.LinAlgError.
///
/// Warns
/// -----
/// IllConditionedWarning
///     A scipy.linalg.LinAlgWarning, where rcond is below the precision: no digit of x is certain.
///
/// Notes
/// -----
/// LAPACK xGETRF/xGETRS (xGETC2 for M <= 8), xSYTRF, xHETRF, xPOTRF, xTRTRS, xGTTRF, xGBTRF, DSGESV/ZCGESV. The conditioning comes from one more
/// right-hand side with random elements, about 2 % of the time; xxCON runs only where that gives cause.
#[pyfunction]
#[pyo3(signature = (a, b, *, assume_a=None, lower=false, mixed_precision=false, equilibrate=false, transposed=false, overwrite_a=false, overwrite_b=false, check_finite=true, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(a, b, *, assume_a='auto', lower=False, mixed_precision=False, equilibrate=False, transposed=False, overwrite_a=False, overwrite_b=False, check_finite=True, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
pub(crate) fn solve<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    assume_a: Option<&str>,
    #[pyo3(from_py_with = truth)] lower: bool,
    #[pyo3(from_py_with = truth)] mixed_precision: bool,
    #[pyo3(from_py_with = truth)] equilibrate: bool,
    #[pyo3(from_py_with = truth)] transposed: bool,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut structure = assume_a.map_or(Ok(Structure::Auto), structure)?;
    let mut lower = lower;
    if transposed {
        // The transpose's triangles are exchanged.
        lower = !lower;
        structure = structure.transposed();
    }
    let fixing = Fixing::new("solve", autofix)?;
    let call = fixing.options(call_options("solve", check_finite, gpu, device, return_report)?, errors)?;
    let (a, b) = (Input::new(a, "solve", "a")?, Input::new(b, "solve", "b")?);
    require_matrix(py, "solve", "a", &a)?;
    if b.shape().is_empty() {
        return Err(bad_rhs(py, "solve", "b is a single number; it needs at least 1 dimension".into(), None));
    }
    let (a, b) = unify(a, b)?;
    let options = SolveOptions { structure, lower, mixed_precision, equilibrate, call };
    with_scalar!(a.dtype(), run(py, &a, &b, options, transposed, overwrite_a, overwrite_b))
}

/// SciPy's names.
fn structure(name: &str) -> PyResult<Structure> {
    match name {
        "auto" => Ok(Structure::Auto),
        "gen" | "general" => Ok(Structure::General),
        "tridiagonal" => Ok(Structure::Tridiagonal),
        "banded" => Ok(Structure::Banded),
        "sym" | "symmetric" => Ok(Structure::Symmetric),
        "her" | "hermitian" => Ok(Structure::Hermitian),
        "pos" | "positive definite" => Ok(Structure::PositiveDefinite),
        "upper triangular" => Ok(Structure::UpperTriangular),
        "lower triangular" => Ok(Structure::LowerTriangular),
        "diagonal" => Ok(Structure::Diagonal),
        _ => Err(bad_value(
            "solve",
            &format!("assume_a='{name}' must be 'auto', 'gen', 'sym', 'her', 'pos' or a longer name"),
            "assume_a",
            name,
            &[
                "auto",
                "general",
                "tridiagonal",
                "banded",
                "symmetric",
                "hermitian",
                "positive definite",
                "upper triangular",
                "lower triangular",
                "diagonal",
                "gen",
                "sym",
                "her",
                "pos",
            ],
        )),
    }
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    a_input: &Input<'py>,
    b_input: &Input<'py>,
    options: SolveOptions,
    transposed: bool,
    overwrite_a: bool,
    overwrite_b: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let a = a_input.matrices::<T>();
    let a = if transposed { a.transposed() } else { a };
    let one_vector = b_input.shape().len() == 1;
    let b = if one_vector { b_input.vector::<T>(false) } else { b_input.matrices::<T>() };
    if a.rows() == a.cols() && b.rows() != a.rows() {
        let (n, rows) = (a.rows(), b.rows());
        let text = format!("a is {n} x {n}, so b needs {n} rows; it is {rows} x {}", b.cols());
        return Err(bad_rhs(py, "solve", text, rhs_advice(a_input.shape(), b_input.shape())));
    }
    let batch = broadcast(py, "solve", ["a", "b"], a.batch_shape(), b.batch_shape())?;
    let b = if b.batch_shape() == batch { b } else { b.broadcast_to(&batch).unwrap_or(b) };
    let n = a.rows() as f64;
    let flops = n * n * (n + 2.0 * b.cols() as f64) * b.count() as f64;

    let reuse_b = b_input.may_overwrite(overwrite_b) && batch.is_empty() && in_lapack_order(&b) && a.rows() == a.cols();
    let output = if reuse_b {
        None
    } else if one_vector {
        Some(Output::vectors::<T>(py, "solve", &batch, b.rows())?)
    } else {
        Some(Output::matrices::<T>(py, "solve", &batch, b.rows(), b.cols(), Order::ColMajor)?)
    };
    let mut x: BatchViewMut<'static, T> = match &output {
        Some(output) => output.view(),
        // SAFETY: allowed just above.
        None => unsafe { writable(&b) },
    };
    let arrays = [Some(a_input.object()), Some(b_input.object()), output.as_ref().map(Output::object)];
    let outcome = if a_input.may_overwrite(overwrite_a) {
        // SAFETY: allowed just above.
        let mut a = unsafe { writable(&a) };
        enter_lapack(py, flops, &arrays, move || solve_into(Operand::overwritable(&mut a), &b, &mut x, options))
    } else {
        enter_lapack(py, flops, &arrays, move || solve_into(a.into(), &b, &mut x, options))
    }?;
    finish(py, outcome, &[a_input, b_input], options.call.timed, || {
        Ok(output.map_or_else(|| b_input.object().clone(), Output::into_array))
    })
}

fn in_lapack_order<T: Scalar>(b: &BatchView<'_, T>) -> bool {
    b.count() == 1 && b.matrix(0).col_major_lda().is_some()
}
