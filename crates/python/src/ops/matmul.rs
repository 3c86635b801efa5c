use super::{broadcast, unify, with_scalar};
use crate::errors::{helper, to_python};
use crate::gate::enter_lapack;
use crate::input::{Input, is_readable};
use crate::options::{call_options, truth};
use crate::output::{Order, Output};
use crate::report::finish;
use lapack_ai::dispatch::decide;
use lapack_ai::{Argument, CallOptions, Code, Error, Scalar, matmul_into};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Matrix product with NumPy's rules: one-dimensional operands are a row (x1) or a column (x2), leading dimensions
/// broadcast.
///
/// Integer operands are multiplied exactly, by NumPy. NaN and Inf are not looked for.
///
/// Parameters
/// ----------
/// x1, x2 : array_like
///     Shapes (..., M, K) and (..., K, N).
/// gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// ndarray, shape (..., M, N)
///
/// Notes
/// -----
/// BLAS xGEMM.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, gpu=None, device=None, return_report=false))]
#[pyo3(text_signature = "(x1, x2, /, *, gpu='auto', device=None, return_report=False)")]
pub(crate) fn matmul<'py>(
    py: Python<'py>,
    x1: &Bound<'py, PyAny>,
    x2: &Bound<'py, PyAny>,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let call = call_options("matmul", true, gpu, device, return_report)?;
    if let Some(product) = exact_product(py, x1, x2)? {
        return with_numpys_report(py, product, call);
    }
    let (a, b) = (Input::new(x1, "matmul", "x1")?, Input::new(x2, "matmul", "x2")?);
    if a.shape().is_empty() || b.shape().is_empty() {
        let argument = if a.shape().is_empty() { Argument::at(0, "x1") } else { Argument::at(1, "x2") };
        let text = format!("{} is a single number, no matrix; use * to scale", argument.name);
        let error = Error::text(Code::NotAMatrix, "matmul", text).argument(argument);
        return Err(to_python(py, &error));
    }
    let (a, b) = unify(a, b)?;
    with_scalar!(a.dtype(), run(py, &a, &b, call))
}

/// NumPy's product where both operands are integers or booleans: exact, which floating point is not.
#[inline]
fn exact_product<'py>(
    py: Python<'py>,
    x1: &Bound<'py, PyAny>,
    x2: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if is_readable(x1) || is_readable(x2) {
        return Ok(None);
    }
    static EXACT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let product = helper(py, &EXACT, "lapack_py._convert", "exact_product")?.call1((x1, x2))?;
    Ok((!product.is_none()).then_some(product))
}

/// The end of a call that NumPy computed: a GPU that was required or wanted is answered for all the same.
#[cold]
fn with_numpys_report<'py>(
    py: Python<'py>,
    product: Bound<'py, PyAny>,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let outcome = decide("matmul", call.device).map(|decision| {
        let mut report = lapack_ai::Report::new("matmul", lapack_ai::DType::Float64, 0, 0, 1);
        report.reason = "integers are multiplied exactly, by NumPy";
        report.routine = "numpy.matmul";
        report.warnings.extend(decision.warning);
        report
    });
    finish(py, outcome, &[], call.timed, || Ok(product))
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    a_input: &Input<'py>,
    b_input: &Input<'py>,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let (a_vector, b_vector) = (a_input.shape().len() == 1, b_input.shape().len() == 1);
    let a = if a_vector { a_input.vector::<T>(true) } else { a_input.matrices::<T>() };
    let b = if b_vector { b_input.vector::<T>(false) } else { b_input.matrices::<T>() };
    let batch = broadcast(py, "matmul", ["x1", "x2"], a.batch_shape(), b.batch_shape())?;
    let (m, n) = (a.rows(), b.cols());
    let output = Output::matrices::<T>(py, "matmul", &batch, m, n, Order::RowMajor)?;
    let mut c = output.view();
    let flops = 2.0 * m as f64 * n as f64 * a.cols() as f64 * b.count().max(a.count()) as f64;
    let outcome = enter_lapack(py, flops, || matmul_into(&a, &b, &mut c, call));
    finish(py, outcome, &[a_input, b_input], call.timed, || {
        let product = output.into_array();
        if !a_vector && !b_vector {
            return Ok(product);
        }
        let mut shape = batch.clone();
        shape.extend([(a_vector, m), (b_vector, n)].iter().filter(|(dropped, _)| !dropped).map(|(_, extent)| *extent));
        let product = product.call_method1("reshape", (pyo3::types::PyTuple::new(py, &shape)?,))?;
        if shape.is_empty() { product.get_item(()) } else { Ok(product) }
    })
}
