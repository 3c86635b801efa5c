use super::{broadcast, matmul_shapes, unify, with_scalar};
use crate::device::{device_array, multiply};
use crate::errors::helper;
use crate::gate::enter_lapack;
use crate::half::{Bits, Prepared, as_half, prepare, squeezed};
use crate::input::{Input, is_readable, writable};
use crate::options::{self, bad, call_options, truth};
use crate::output::{Order, Output};
use crate::report::finish;
use lapack_ai::dispatch::decide;
use lapack_ai::{CallOptions, Device, HalfTarget, Scalar, matmul_half_into, matmul_into};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// How much longer than the CPU an OpenCL device may take.
const SLOW_DEVICE: f64 = 20.0;

/// Matrix product with NumPy's rules: one-dimensional operands are a row (x1) or a column (x2), leading dimensions
/// broadcast.
///
/// Integer operands are multiplied exactly, by NumPy. NaN and Inf are not looked for. float16 and bfloat16 (of ml_dtypes) are
/// summed in float32; the product is rounded to the operands' type, once.
///
/// Parameters
/// ----------
/// x1, x2 : array_like
///     Shapes (..., M, K) and (..., K, N).
/// out : ndarray, optional
///     Where the product goes; it is written straight there if it is in C order, of the product's type, and shares no
///     memory with the operands. Otherwise it is cast as numpy.matmul casts.
/// dtype : dtype_like, optional
///     Type to which the operands are cast, and that the product has. float32 with 16-bit operands gives the sums as they
///     are; so does an `out` of float32.
/// precision : {"float32", "tf32"}, optional
///     "tf32" lets a GPU that has such instructions round float32 operands to TF32 (11 significant bits) and multiply them
///     faster; sums are in float32. Elsewhere it does nothing, and the report says so. The default is the setting
///     LAPACK_GPU_PRECISION, "float32".
/// gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// ndarray, shape (..., M, N)
///
/// Notes
/// -----
/// BLAS xGEMM. On the CPU 16-bit operands are widened to float32 first.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, out=None, *, dtype=None, precision=None, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(x1, x2, /, out=None, *, dtype=None, precision=None, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn matmul<'py>(
    py: Python<'py>,
    x1: &Bound<'py, PyAny>,
    x2: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
    dtype: Option<&Bound<'py, PyAny>>,
    precision: Option<&Bound<'py, PyAny>>,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let precision = options::precision("matmul", precision)?;
    let call = CallOptions { precision, ..call_options("matmul", true, gpu, device, return_report)? };
    if device_array(x1).is_some() || device_array(x2).is_some() {
        return on_device(x1, x2, out, dtype, call);
    }
    if dtype.is_some() || !(is_readable(x1) && is_readable(x2)) {
        match prepare(x1, x2, dtype, out)? {
            Prepared::Plain => {}
            Prepared::Half { a, b, rounded, vectors } => return run_half(py, &a, &b, rounded, vectors, out, call),
            Prepared::Cast(a, b) => {
                let (a, b) = (Input::new(&a, "matmul", "x1")?, Input::new(&b, "matmul", "x2")?);
                return with_scalar!(a.dtype(), run(py, &a, &b, out, call));
            }
        }
    }
    if let Some(product) = exact_product(py, x1, x2)? {
        return with_numpys_report(py, product, out, call);
    }
    let (a, b) = (Input::new(x1, "matmul", "x1")?, Input::new(x2, "matmul", "x2")?);
    matmul_shapes(py, a.shape().len(), b.shape().len())?;
    let (a, b) = unify(a, b)?;
    with_scalar!(a.dtype(), run(py, &a, &b, out, call))
}

/// The product where an operand lies on a device.
#[cold]
fn on_device<'py>(
    x1: &Bound<'py, PyAny>,
    x2: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
    dtype: Option<&Bound<'py, PyAny>>,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    if out.is_some() {
        return Err(bad("matmul", "out cannot be given with device arrays: their product is a new device array"));
    }
    multiply(x1, x2, dtype, call)
}

/// NumPy's product where LAPACK's types would give another: of integers, which are multiplied exactly, of float16 and the
/// like.
#[inline]
fn exact_product<'py>(
    py: Python<'py>,
    x1: &Bound<'py, PyAny>,
    x2: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if is_readable(x1) && is_readable(x2) {
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
    out: Option<&Bound<'py, PyAny>>,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let outcome = decide("matmul", call.device).map(|decision| {
        let mut report = lapack_ai::Report::new("matmul", lapack_ai::DType::Float64, 0, 0, 1);
        report.reason = "types that LAPACK does not have are multiplied by NumPy".into();
        report.routine = "numpy.matmul";
        report.warnings.extend(decision.warning);
        report
    });
    finish(py, outcome, &[], call.timed, || out.map_or(Ok(product.clone()), |out| store("matmul", &product, out)))
}

/// The product of 16-bit operands; `vectors` says which of them had one axis only.
#[cold]
fn run_half<'py>(
    py: Python<'py>,
    a_bits: &Bits<'py>,
    b_bits: &Bits<'py>,
    rounded: bool,
    vectors: [bool; 2],
    out: Option<&Bound<'py, PyAny>>,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let (half, a, b) = (a_bits.half, a_bits.matrices(), b_bits.matrices());
    let batch = broadcast(py, "matmul", ["x1", "x2"], a.batch_shape(), b.batch_shape())?;
    let (m, n) = (a.rows(), b.cols());
    let output = match rounded {
        true => Output::bits(py, "matmul", &batch, &[m, n])?,
        false => Output::matrices::<f32>(py, "matmul", &batch, m, n, Order::RowMajor)?,
    };
    let flops = 2.0 * m as f64 * n as f64 * a.cols() as f64 * b.count().max(a.count()) as f64;
    let arrays = [Some(a_bits.object()), Some(b_bits.object()), Some(output.object())];
    // Loops of the host and a slow device both take longer than the CPU's product.
    let flops = SLOW_DEVICE * flops;
    let outcome = match rounded {
        true => {
            let mut c = output.view::<u16>();
            enter_lapack(py, flops, &arrays, move || matmul_half_into(half, &a, &b, HalfTarget::Rounded(&mut c), call))?
        }
        false => {
            let mut c = output.view::<f32>();
            enter_lapack(py, flops, &arrays, move || matmul_half_into(half, &a, &b, HalfTarget::Float32(&mut c), call))?
        }
    };
    finish(py, outcome, &[], call.timed, || {
        let product = output.into_array();
        let product = if rounded { as_half(&product, half)? } else { product };
        let product = squeezed(product, vectors[0], vectors[1])?;
        out.map_or(Ok(product.clone()), |out| store("matmul", &product, out))
    })
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    a_input: &Input<'py>,
    b_input: &Input<'py>,
    out: Option<&Bound<'py, PyAny>>,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let (a_vector, b_vector) = (a_input.shape().len() == 1, b_input.shape().len() == 1);
    let a = if a_vector { a_input.vector::<T>(true) } else { a_input.matrices::<T>() };
    let b = if b_vector { b_input.vector::<T>(false) } else { b_input.matrices::<T>() };
    let batch = broadcast(py, "matmul", ["x1", "x2"], a.batch_shape(), b.batch_shape())?;
    let (m, n) = (a.rows(), b.cols());
    let mut shape = batch.clone();
    shape.extend([(a_vector, m), (b_vector, n)].iter().filter(|(dropped, _)| !dropped).map(|(_, extent)| *extent));
    let target = match out {
        Some(out) if takes_product::<T>(py, "matmul", out, &shape, a_input, b_input)? => {
            Some(Input::new(out, "matmul", "out")?)
        }
        _ => None,
    };
    let output = match &target {
        Some(_) => None,
        None => Some(Output::matrices::<T>(py, "matmul", &batch, m, n, Order::RowMajor)?),
    };
    let mut c = match (&output, &target) {
        (Some(output), _) => output.view(),
        // SAFETY: `takes_product` found it writable, in C order and apart from the operands.
        (None, Some(target)) => unsafe { writable(&target.matrices::<T>()) },
        (None, None) => unreachable!("one of the two is made above"),
    };
    let flops = 2.0 * m as f64 * n as f64 * a.cols() as f64 * b.count().max(a.count()) as f64;
    // A device that was asked for may be a slow one, and then a call is long that would be short for the CPU.
    let asked_for = matches!(call.device, Device::Gpu | Device::RequireGpu | Device::On(_));
    let flops = if asked_for { SLOW_DEVICE * flops } else { flops };
    let c_object = output.as_ref().map_or(out, |output| Some(output.object()));
    let arrays = [Some(a_input.object()), Some(b_input.object()), c_object];
    let outcome = enter_lapack(py, flops, &arrays, move || matmul_into(&a, &b, &mut c, call))?;
    finish(py, outcome, &[a_input, b_input], call.timed, || {
        let product = match (output, target) {
            (Some(output), _) => output.into_array(),
            (None, target) => return Ok(target.expect("made above").object().clone()),
        };
        let product = if a_vector || b_vector {
            product.call_method1("reshape", (pyo3::types::PyTuple::new(py, &shape)?,))?
        } else {
            product
        };
        match out {
            Some(out) => store("matmul", &product, out),
            None if shape.is_empty() => product.get_item(()),
            None => Ok(product),
        }
    })
}

/// Whether the product can be written straight into `out`; an error where it does not fit there at all.
pub(super) fn takes_product<T: Scalar>(
    py: Python<'_>,
    operation: &str,
    out: &Bound<'_, PyAny>,
    shape: &[usize],
    a: &Input<'_>,
    b: &Input<'_>,
) -> PyResult<bool> {
    static TAKES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let takes = helper(py, &TAKES, "lapack_py._convert", "takes_product")?;
    let shape = pyo3::types::PyTuple::new(py, shape)?;
    let direct = takes.call1((out, shape, T::DTYPE.name(), a.object(), b.object(), operation))?.extract::<bool>()?;
    Ok(direct && is_readable(out))
}

/// `product` cast into `out`, by NumPy.
#[cold]
pub(super) fn store<'py>(
    operation: &str,
    product: &Bound<'py, PyAny>,
    out: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    static STORE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    helper(product.py(), &STORE, "lapack_py._convert", "store_product")?.call1((product, out, operation))
}
