//! What `lu_solve`, `cho_solve` and `solve_triangular` share: a factor that is only read, and right-hand sides.

use super::{bad_rhs, broadcast, rhs_advice};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::bad;
use crate::output::{Order, Output};
use crate::report::finish;
use lapack_ai::{BatchView, BatchViewMut, Error, Report, Scalar, Transpose};
use pyo3::prelude::*;

/// SciPy's `trans`: 0, 1, 2 or "N", "T", "C".
pub(crate) fn transpose(operation: &'static str, trans: Option<&Bound<'_, PyAny>>) -> PyResult<Transpose> {
    let Some(trans) = trans else { return Ok(Transpose::No) };
    if let Ok(number) = trans.extract::<i64>() {
        match number {
            0 => return Ok(Transpose::No),
            1 => return Ok(Transpose::Transposed),
            2 => return Ok(Transpose::Adjoint),
            _ => {}
        }
    } else if let Ok(letter) = trans.extract::<String>() {
        match letter.as_str() {
            "N" | "n" => return Ok(Transpose::No),
            "T" | "t" => return Ok(Transpose::Transposed),
            "C" | "c" => return Ok(Transpose::Adjoint),
            _ => {}
        }
    }
    Err(bad(operation, &format!("trans={} must be 0, 1, 2, 'N', 'T' or 'C'", trans.repr()?)))
}

/// Refuses a right-hand side without dimensions.
pub(crate) fn require_rhs(py: Python<'_>, operation: &'static str, b: &Input<'_>) -> PyResult<()> {
    if b.shape().is_empty() {
        return Err(bad_rhs(py, operation, "b is a single number; it needs at least 1 dimension".into(), None));
    }
    Ok(())
}

/// Solves for `b` with the factor `a`, called `name`, by `solve(a, b, x)`; NumPy 2's rule for what a vector is.
pub(crate) fn run_rhs<'py, T: Scalar>(
    py: Python<'py>,
    operation: &'static str,
    name: &'static str,
    a_input: &Input<'py>,
    b_input: &Input<'py>,
    overwrite_b: bool,
    return_report: bool,
    solve: impl FnOnce(&BatchView<'_, T>, &BatchView<'_, T>, &mut BatchViewMut<'_, T>) -> Result<Report, Error>
    + Send
    + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    let a = a_input.matrices::<T>();
    let one_vector = b_input.shape().len() == 1;
    let b = if one_vector { b_input.vector::<T>(false) } else { b_input.matrices::<T>() };
    // Of a band matrix the rows are the diagonals.
    if name != "ab" && a.rows() == a.cols() && b.rows() != a.rows() {
        let (n, rows) = (a.rows(), b.rows());
        let text = format!("{name} is {n} x {n}, so b needs {n} rows, not {rows}");
        return Err(bad_rhs(py, operation, text, rhs_advice(a_input.shape(), b_input.shape())));
    }
    let batch = broadcast(py, operation, [name, "b"], a.batch_shape(), b.batch_shape())?;
    let b = if b.batch_shape() == batch { b } else { b.broadcast_to(&batch).unwrap_or(b) };
    let flops = 2.0 * (a.rows() * a.rows()) as f64 * (b.cols() * b.count()) as f64;
    let column_major = b.count() == 1 && b.matrix(0).col_major_lda().is_some();
    let reuse_b = b_input.may_overwrite(overwrite_b) && batch.is_empty() && column_major && a.cols() == b.rows();
    let output = if reuse_b {
        None
    } else if one_vector {
        Some(Output::vectors::<T>(py, operation, &batch, b.rows())?)
    } else {
        Some(Output::matrices::<T>(py, operation, &batch, b.rows(), b.cols(), Order::ColMajor)?)
    };
    let mut x: BatchViewMut<'static, T> = match &output {
        Some(output) => output.view(),
        // SAFETY: allowed just above.
        None => unsafe { writable(&b) },
    };
    let arrays = [Some(a_input.object()), Some(b_input.object()), output.as_ref().map(Output::object)];
    let outcome = enter_lapack(py, flops, &arrays, move || solve(&a, &b, &mut x))?;
    finish(py, outcome, &[a_input, b_input], return_report, || {
        Ok(output.map_or_else(|| b_input.object().clone(), Output::into_array))
    })
}
