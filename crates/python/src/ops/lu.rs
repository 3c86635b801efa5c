use super::substitution::{require_rhs, run_rhs, transpose};
use super::{pair, require_matrix, unify, with_scalar};
use crate::errors::{helper, to_python};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{call_options, truth};
use crate::output::{Order, Output};
use crate::report::finish;
use lapack_ai::{
    Argument, BatchView, BatchViewMut, CallOptions, Code, Error, LuOut, LuRows, Operand, Scalar, Transpose,
    lu_factor_into, lu_into, lu_solve_into,
};
use numpy::{PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// LU factorisation with partial pivoting, a = P @ L @ U, for `lu_solve`.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, N)
///     NaN and Inf are refused with their place.
/// overwrite_a : bool
///     Allow the factors to take a's memory, where a is in Fortran order: saves the copy.
/// check_finite, gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// (lu, piv)
///     lu (..., M, N), in Fortran order, has U on and above its diagonal and L (with ones on its diagonal) below; piv
///     (..., min(M, N)), int32: row i was interchanged with row piv[i].
///
/// Warns
/// -----
/// IllConditionedWarning
///     A scipy.linalg.LinAlgWarning, where a pivot is exactly zero.
///
/// Notes
/// -----
/// LAPACK xGETRF.
#[pyfunction]
#[pyo3(signature = (a, overwrite_a=false, check_finite=true, *, gpu=None, device=None, return_report=false))]
#[pyo3(text_signature = "(a, overwrite_a=False, check_finite=True, *, gpu='auto', device=None, return_report=False)")]
pub(crate) fn lu_factor<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let call = call_options("lu_factor", check_finite, gpu, device, return_report)?;
    let input = Input::new(a, "lu_factor", "a")?;
    require_matrix(py, "lu_factor", "a", &input)?;
    with_scalar!(input.dtype(), run_factor(py, &input, overwrite_a, call))
}

fn flops(m: usize, n: usize, count: usize) -> f64 {
    m as f64 * n as f64 * m.min(n) as f64 * count as f64
}

fn run_factor<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    overwrite_a: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let (m, n, batch) = (a.rows(), a.cols(), a.batch_shape());
    let flops = flops(m, n, a.count());
    let mut pivots = Output::integers(py, "lu_factor", batch, m.min(n))?;
    let in_place = input.may_overwrite(overwrite_a) && a.count() > 0 && a.matrix(0).col_major_lda().is_some();
    let output =
        (!in_place).then(|| Output::matrices::<T>(py, "lu_factor", batch, m, n, Order::ColMajor)).transpose()?;
    let piv = pivots.integer_elements();
    let arrays = [Some(input.object()), Some(pivots.object()), output.as_ref().map(Output::object)];
    let outcome = match &output {
        Some(output) => {
            let mut lu = output.view();
            enter_lapack(py, flops, &arrays, move || lu_factor_into(a.into(), &mut lu, piv, call))
        }
        None => {
            // SAFETY: allowed just above; both views are of memory that the caller gave up, and the operation knows that
            // they are the same.
            let (mut a, mut lu) = unsafe { (writable(&a), writable(&a)) };
            let work = move || lu_factor_into(Operand::overwritable(&mut a), &mut lu, piv, call);
            enter_lapack(py, flops, &arrays, work)
        }
    }?;
    finish(py, outcome, &[input], call.timed, || {
        let lu = output.map_or_else(|| input.object().clone(), Output::into_array);
        Ok(PyTuple::new(py, [lu, pivots.into_array()])?.into_any())
    })
}

/// Solve a @ x = b from the LU factorisation of a.
///
/// Parameters
/// ----------
/// lu_and_piv : tuple (lu, piv)
///     As `lu_factor` returns it, of shapes (..., M, M) and (..., M).
/// b : array_like, shape (M,) or (..., M, K)
///     A vector only if it has exactly one dimension (NumPy 2's rule).
/// trans : 0, 1, 2 or "N", "T", "C"
///     Solve with a, a.T or a.conj().T.
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
///     If U has a zero on its diagonal, with its place.
/// NonFiniteError, ShapeError
///
/// Notes
/// -----
/// LAPACK xGETRS.
#[pyfunction]
#[pyo3(signature = (lu_and_piv, b, trans=None, overwrite_b=false, check_finite=true, *, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(lu_and_piv, b, trans=0, overwrite_b=False, check_finite=True, *, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn lu_solve<'py>(
    py: Python<'py>,
    lu_and_piv: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    trans: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let transpose = transpose("lu_solve", trans)?;
    let call = call_options("lu_solve", check_finite, gpu, device, return_report)?;
    let (lu, piv) = pair("lu_solve", lu_and_piv, "(lu, piv), as lu_factor returns it")?;
    let (lu, b) = (Input::new(&lu, "lu_solve", "lu")?, Input::new(b, "lu_solve", "b")?);
    require_matrix(py, "lu_solve", "lu", &lu)?;
    require_rhs(py, "lu_solve", &b)?;
    let pivots = pivots(py, &piv, &lu)?;
    let (lu, b) = unify(lu, b)?;
    with_scalar!(lu.dtype(), run_solve(py, &lu, pivots, &b, transpose, overwrite_b, call))
}

/// The interchanges of all matrices one after the other.
fn pivots(py: Python<'_>, piv: &Bound<'_, PyAny>, lu: &Input<'_>) -> PyResult<Vec<i32>> {
    static AS_PIVOTS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let array = helper(py, &AS_PIVOTS, "lapack_py._convert", "as_pivots")?.call1((piv, "lu_solve"))?;
    let array = array.cast::<PyArrayDyn<i32>>()?;
    let (have, want) = (array.shape(), &lu.shape()[..lu.shape().len() - 1]);
    if have != want && lu.shape().ends_with(&[want[want.len() - 1]]) {
        let text = format!("piv has shape {have:?}, but lu needs one of shape {want:?}");
        let error = Error::text(Code::ShapeMismatch, "lu_solve", text).argument(Argument::at(0, "piv"));
        return Err(to_python(py, &error));
    }
    Ok(array.to_vec()?)
}

fn run_solve<'py, T: Scalar>(
    py: Python<'py>,
    lu: &Input<'py>,
    pivots: Vec<i32>,
    b: &Input<'py>,
    transpose: Transpose,
    overwrite_b: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let solve = move |lu: &BatchView<'_, T>, b: &BatchView<'_, T>, x: &mut BatchViewMut<'_, T>| {
        lu_solve_into::<T>(lu, &pivots, b, x, transpose, call)
    };
    run_rhs::<T>(py, "lu_solve", "lu", lu, b, overwrite_b, call.timed, solve)
}

/// LU factorisation with partial pivoting, a = P @ L @ U, the factors apart.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, N)
///     NaN and Inf are refused with their place.
/// permute_l : bool
///     Return P @ L and U only.
/// overwrite_a : bool
///     Allow a's memory to be used, where a is in Fortran order: saves a copy.
/// check_finite : bool
///     Look for NaN and Inf first; rides on the copy.
/// p_indices : bool
///     Return p with a = L[p] @ U instead of the matrix P; permute_l goes before it.
/// gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// (P, L, U), (p, L, U) or (P @ L, U), K = min(M, N)
///     P (..., M, M), real; p (..., M), int32; L (..., M, K), lower triangular with ones on its diagonal; U (..., K, N),
///     upper triangular. L and U are in Fortran order.
///
/// Notes
/// -----
/// LAPACK xGETRF. A zero on U's diagonal gives no warning: the factors are the result.
#[pyfunction]
#[pyo3(signature = (a, permute_l=false, overwrite_a=false, check_finite=true, p_indices=false, *, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(a, permute_l=False, overwrite_a=False, check_finite=True, p_indices=False, *, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn lu<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] permute_l: bool,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    #[pyo3(from_py_with = truth)] p_indices: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let call = call_options("lu", check_finite, gpu, device, return_report)?;
    let input = Input::new(a, "lu", "a")?;
    require_matrix(py, "lu", "a", &input)?;
    let form = match (permute_l, p_indices) {
        (true, _) => Permutation::InL,
        (false, true) => Permutation::Indices,
        (false, false) => Permutation::Matrix,
    };
    with_scalar!(input.dtype(), run(py, &input, form, overwrite_a, call))
}

/// How the permutation is returned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Permutation {
    InL,
    Indices,
    Matrix,
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    form: Permutation,
    overwrite_a: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let (m, n, batch) = (a.rows(), a.cols(), a.batch_shape());
    let k = m.min(n);
    let flops = flops(m, n, a.count());
    let mut rows = Output::integers(py, "lu", batch, m)?;
    let l = Output::matrices::<T>(py, "lu", batch, m, k, Order::ColMajor)?;
    let u = Output::matrices::<T>(py, "lu", batch, k, n, Order::ColMajor)?;
    let mut out = LuOut { rows: rows.integer_elements(), l: l.view(), u: u.view() };
    let arrays = [Some(input.object()), Some(rows.object()), Some(l.object()), Some(u.object())];
    let order = if form == Permutation::InL { LuRows::OfA } else { LuRows::OfL };
    let outcome = if input.may_overwrite(overwrite_a) {
        // SAFETY: allowed just above.
        let mut a = unsafe { writable(&a) };
        enter_lapack(py, flops, &arrays, move || lu_into(Operand::overwritable(&mut a), &mut out, order, call))
    } else {
        let a = a.clone();
        enter_lapack(py, flops, &arrays, move || lu_into(a.into(), &mut out, order, call))
    }?;
    finish(py, outcome, &[input], call.timed, || {
        let p = match form {
            Permutation::InL => return Ok(PyTuple::new(py, [l.into_array(), u.into_array()])?.into_any()),
            Permutation::Indices => rows.into_array(),
            Permutation::Matrix => permutation_matrix::<T::Real>(py, input, rows.integer_elements())?,
        };
        Ok(PyTuple::new(py, [p, l.into_array(), u.into_array()])?.into_any())
    })
}

/// P with row i of a = P @ (L @ U) being row `rows[i]` of L @ U.
fn permutation_matrix<'py, R: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    rows: &[i32],
) -> PyResult<Bound<'py, PyAny>> {
    let shape = input.shape();
    let (batch, m) = (&shape[..shape.len() - 2], shape[shape.len() - 2]);
    let mut matrices = Output::matrices::<R>(py, "lu", batch, m, m, Order::RowMajor)?;
    let elements = matrices.elements::<R>();
    elements.fill(R::ZERO);
    for (row, &column) in rows.iter().enumerate() {
        elements[row * m + column as usize] = R::ONE;
    }
    Ok(matrices.into_array())
}
