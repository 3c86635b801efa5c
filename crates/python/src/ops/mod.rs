//! One file an operation: keywords in, views to the core, arrays out.

pub(crate) mod banded;
pub(crate) mod cho;
pub(crate) mod cholesky;
pub(crate) mod cholesky_update;
pub(crate) mod det;
pub(crate) mod eig;
pub(crate) mod eigh;
pub(crate) mod gemm_alpha;
pub(crate) mod inv;
pub(crate) mod lstsq;
pub(crate) mod lu;
pub(crate) mod matmul;
pub(crate) mod qr;
pub(crate) mod rcond;
pub(crate) mod schur;
pub(crate) mod solve;
pub(crate) mod substitution;
pub(crate) mod svd;
pub(crate) mod triangular;

use crate::errors::{helper, to_python};
use crate::input::{Input, common_dtype};
use lapack_ai::{Argument, Code, Error};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Runs a generic function for the type that `dtype` names.
macro_rules! with_scalar {
    ($dtype:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match $dtype {
            lapack_ai::DType::Float32 => $function::<f32>($($argument),*),
            lapack_ai::DType::Float64 => $function::<f64>($($argument),*),
            lapack_ai::DType::Complex64 => $function::<lapack_ai::Complex32>($($argument),*),
            lapack_ai::DType::Complex128 => $function::<lapack_ai::Complex64>($($argument),*),
        }
    };
}
pub(crate) use with_scalar;

/// Refuses fewer than two dimensions.
#[inline]
pub(crate) fn require_matrix(
    py: Python<'_>,
    operation: &'static str,
    name: &'static str,
    input: &Input<'_>,
) -> PyResult<()> {
    if input.shape().len() >= 2 { Ok(()) } else { Err(not_a_matrix(py, operation, name, input.shape())) }
}

#[cold]
fn not_a_matrix(py: Python<'_>, operation: &'static str, name: &'static str, shape: &[usize]) -> PyErr {
    let dimensions = shape.len();
    let text = match shape {
        [length] => format!("{name} has 1 dimension, shape ({length},); at least 2 are needed"),
        _ => format!("{name} has {dimensions} dimensions; at least 2 are needed"),
    };
    // All operations on pairs call the second matrix b.
    let position = usize::from(name == "b");
    let mut error = Error::text(Code::NotAMatrix, operation, text).argument(Argument::at(position, name));
    if dimensions == 1 {
        let fix = format!("use {name}[None, :] for one row or {name}[:, None] for one column.");
        error = error.fix(lapack_ai::Applicability::Maybe, fix);
    }
    to_python(py, &error)
}

/// Both inputs in the type that holds either.
#[inline]
pub(crate) fn unify<'py>(a: Input<'py>, b: Input<'py>) -> PyResult<(Input<'py>, Input<'py>)> {
    if a.dtype() == b.dtype() {
        return Ok((a, b));
    }
    let dtype = common_dtype(a.dtype(), b.dtype());
    Ok((a.cast(dtype)?, b.cast(dtype)?))
}

/// NumPy's broadcasting of leading dimensions.
#[inline]
pub(crate) fn broadcast(
    py: Python<'_>,
    operation: &'static str,
    names: [&'static str; 2],
    a: &[usize],
    b: &[usize],
) -> PyResult<Vec<usize>> {
    if a == b {
        return Ok(a.to_vec());
    }
    let axes = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(axes).map_or(1, |axis| shape[axis]);
    (0..axes)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (1, other) | (other, 1) => Ok(other),
            (same, other) if same == other => Ok(same),
            _ => {
                let [first, second] = names;
                let text = format!("the leading dimensions {a:?} of {first} and {b:?} of {second} do not fit together");
                Err(to_python(py, &Error::text(Code::ShapeMismatch, operation, text).argument(Argument::at(1, second))))
            }
        })
        .collect()
}

/// A named tuple class of `lapack_py._results`.
#[inline]
pub(crate) fn result_class<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    helper(py, cell, "lapack_py._results", name)
}

/// Refuses single numbers as operands of a product.
#[inline]
pub(crate) fn matmul_shapes(py: Python<'_>, a_axes: usize, b_axes: usize) -> PyResult<()> {
    if a_axes > 0 && b_axes > 0 {
        return Ok(());
    }
    let argument = if a_axes == 0 { Argument::at(0, "x1") } else { Argument::at(1, "x2") };
    let text = format!("{} is a single number, no matrix; use * to scale", argument.name);
    Err(to_python(py, &Error::text(Code::NotAMatrix, "matmul", text).argument(argument)))
}

/// The `LAP-E002` error for a right-hand side.
#[cold]
pub(crate) fn bad_rhs(py: Python<'_>, operation: &'static str, text: String, fix: Option<String>) -> PyErr {
    let mut error = Error::text(Code::ShapeMismatch, operation, text).argument(Argument::at(1, "b"));
    if let Some(fix) = fix {
        error = error.fix(lapack_ai::Applicability::Maybe, fix);
    }
    to_python(py, &error)
}

/// A stack of right-hand sides that looks like a stack of vectors: NumPy 2 reads it as matrices.
#[cold]
pub(crate) fn rhs_advice(a: &[usize], b: &[usize]) -> Option<String> {
    let vectors = b.len() >= 2 && a.len() == b.len() + 1 && a[..a.len() - 1] == *b;
    vectors.then(|| "b looks like a stack of vectors: pass b[..., None] and take x[..., 0].".to_string())
}

#[cold]
fn not_that_pair(operation: &'static str, text: &str) -> PyErr {
    let factors = if operation == "lu_solve" { "lu_factor" } else { "cho_factor" };
    let error = Error::text(Code::BadOption, operation, text)
        .because("the factors come as the tuple that another function returns")
        .fix(lapack_ai::Applicability::Maybe, format!("pass {factors}(a) as it is returned."));
    Python::attach(|py| to_python(py, &error))
}

/// The two elements of a tuple that another function returned.
pub(crate) fn pair<'py>(
    operation: &'static str,
    object: &Bound<'py, PyAny>,
    what: &str,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let is_sequence = object.is_instance_of::<pyo3::types::PyTuple>() || object.is_instance_of::<pyo3::types::PyList>();
    match (is_sequence, object.len()) {
        (true, Ok(2)) => Ok((object.get_item(0)?, object.get_item(1)?)),
        (true, Ok(items)) => Err(not_that_pair(
            operation,
            &format!("the first argument has {items} item{}, not 2: {what}", if items == 1 { "" } else { "s" }),
        )),
        _ => Err(not_that_pair(operation, &format!("the first argument must be the tuple {what}"))),
    }
}
