use super::matmul::{store, takes_product};
use super::{broadcast, require_matrix, unify};
use crate::device::{device_array, fetch, operand, type_of, wrap};
use crate::errors::{helper, to_python};
use crate::gate::enter_lapack;
use crate::input::{Input, common_dtype, writable};
use crate::options::{bad, call_options, truth};
use crate::output::{Order, Output};
use crate::report::{Report, finish, warn_of};
use lapack_ai::dispatch::decide;
use lapack_ai::gpu::array::{DeviceArray, gemm_alpha_on_device};
use lapack_ai::gpu::devices;
use lapack_ai::{
    Argument, Code, DType, Device, Error, GemmAlgorithm, GemmAlphaOptions, GemmScalar, Scalar, gemm_alpha_into,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

const OPERATION: &str = "dgemm_alpha";

/// The general matrix product of the BLAS with a choice of algorithm, alpha op(a) op(b) + beta c.
///
/// In float64, or in float32 if all operands are; leading dimensions broadcast. NaN and Inf are not looked for.
///
/// Parameters
/// ----------
/// a, b : array_like
///     Real, of shapes (..., M, K) and (..., K, N) after the transposes that were asked for.
/// c : array_like, optional
///     Shape (..., M, N); it is not changed, unless it is `out` as well. Needed where beta is not 0.
/// alpha, beta : float, optional
///     The factors.
/// trans_a, trans_b : bool or {'N', 'T', 'C'}, optional
///     Whether a, b are taken transposed.
/// algorithm : {'auto', 'classical', 'strassen', 'winograd', 'alphatensor', 'rank48'}, optional
///     'auto' is the fastest: for large matrices that may be a scheme. The schemes take 4 x 4 matrices of numbers, and larger ones
///     as those of blocks; on a device on as many levels as are the fastest there.
/// accuracy : float, optional
///     Largest error bound allowed, in units of eps / 2 times the largest moduli in a and b. 'auto' keeps to it; an
///     algorithm given by name that does not is an error.
/// out : ndarray, optional
///     Where the result goes; it is written straight there if it is in C order, of the result's type, and shares no memory
///     with a and b. Otherwise it is cast as numpy.matmul casts. Not for device arrays.
/// gpu, device
///     As for `svd`, but 'auto' leaves arrays of the host to the CPU. Device arrays are multiplied where they lie.
/// return_report : bool, optional
///     Return (result, report); the report has the algorithm and why it was chosen.
///
/// Returns
/// -------
/// ndarray, shape (..., M, N)
///     A DeviceArray if an operand is one.
///
/// Notes
/// -----
/// BLAS xGEMM; this library's code for 4 x 4, and on devices.
#[pyfunction]
#[pyo3(signature = (
    a, b, c=None, *, alpha=1.0, beta=0.0, trans_a=None, trans_b=None, algorithm="auto", accuracy=None, out=None,
    gpu=None, device=None, return_report=false
))]
#[pyo3(text_signature = "(a, b, c=None, *, alpha=1.0, beta=0.0, trans_a=False, trans_b=False, algorithm='auto', \
                         accuracy=None, out=None, gpu='auto', device=None, return_report=False)")]
pub(crate) fn dgemm_alpha<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    c: Option<&Bound<'py, PyAny>>,
    alpha: f64,
    beta: f64,
    trans_a: Option<&Bound<'py, PyAny>>,
    trans_b: Option<&Bound<'py, PyAny>>,
    algorithm: &str,
    accuracy: Option<f64>,
    out: Option<&Bound<'py, PyAny>>,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let transpose = [transposed("trans_a", trans_a)?, transposed("trans_b", trans_b)?];
    let options = GemmAlphaOptions { transpose, algorithm: by_name(algorithm)?, accuracy, timed: return_report };
    if c.is_none() && beta != 0.0 {
        return Err(bad(OPERATION, &format!("beta={beta} needs c, which is not given")));
    }
    let device = call_options(OPERATION, true, gpu, device, return_report)?.device;
    let there =
        device != Device::Auto || [Some(a), Some(b), c].into_iter().flatten().any(|one| device_array(one).is_some());
    if there && let Some(result) = on_device(py, (alpha, a, b), (beta, c), out, options, device)? {
        return Ok(result);
    }
    let (a, b) = (Input::new(a, OPERATION, "a")?, Input::new(b, OPERATION, "b")?);
    let c = c.map(|c| Input::new(c, OPERATION, "c")).transpose()?;
    for (position, name, input) in [(0, "a", Some(&a)), (1, "b", Some(&b)), (2, "c", c.as_ref())] {
        let Some(input) = input else { continue };
        require_matrix(py, OPERATION, name, input)?;
        if input.dtype().is_complex() {
            return Err(complex(py, position, name, input.dtype()));
        }
    }
    let (a, b) = unify(a, b)?;
    let (a, b, c) = match c {
        None => (a, b, None),
        Some(c) => {
            let (a, c) = unify(a, c)?;
            let (b, c) = unify(b, c)?;
            (a, b, Some(c))
        }
    };
    match a.dtype() {
        DType::Float32 => run::<f32>(py, (alpha as f32, &a, &b), (beta as f32, c.as_ref()), out, options),
        _ => run::<f64>(py, (alpha, &a, &b), (beta, c.as_ref()), out, options),
    }
}

/// The product on a device, if an operand lies there or the call asks for one; `None` if the CPU is to compute.
#[cold]
fn on_device<'py>(
    py: Python<'py>,
    (alpha, a, b): (f64, &Bound<'py, PyAny>, &Bound<'py, PyAny>),
    (beta, c): (f64, Option<&Bound<'py, PyAny>>),
    out: Option<&Bound<'py, PyAny>>,
    options: GemmAlphaOptions,
    device: Device,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let c = c.filter(|_| beta != 0.0);
    let operands = [Some((a, "a")), Some((b, "b")), c.map(|c| (c, "c"))];
    let there = operands.iter().flatten().find_map(|(object, _)| device_array(object));
    if there.is_none() {
        if device == Device::Auto || device == Device::Cpu {
            return Ok(None);
        }
        if !matches!(device, Device::On(_)) && !devices().iter().any(|one| one.chosen) {
            // An error where a GPU is required, else a warning.
            let decision = decide(OPERATION, device).map_err(|error| to_python(py, &error))?;
            let mut report = lapack_ai::Report::new(OPERATION, DType::Float64, 0, 0, 1);
            report.warnings.extend(decision.warning);
            warn_of(py, &report)?;
            return Ok(None);
        }
    } else if out.is_some() {
        return Err(bad(OPERATION, "out cannot be given with device arrays: their product is a new device array"));
    }
    let home = there.as_ref().map_or(device, DeviceArray::device);
    let mut common = None;
    for (position, (object, name)) in operands.iter().flatten().enumerate() {
        let dtype = type_of(OPERATION, object, name)?;
        if dtype.is_complex() {
            return Err(complex(py, position, name, dtype.sums()));
        }
        common = Some(match common {
            Some(common) if common != dtype => common_dtype(lapack_ai::ElementType::sums(common), dtype.sums()).into(),
            _ => dtype,
        });
    }
    let common = common.expect("a and b are there");
    let sent = |(object, name)| operand(OPERATION, object, name, home, common);
    let [a, b, c] = operands.map(|one| one.map(sent).transpose());
    let (Some(a), Some(b), c) = (a?, b?, c?) else { unreachable!("a and b are there") };
    let work = move || gemm_alpha_on_device(alpha, &a, &b, beta, c.as_ref(), options, device);
    // A call that is timed waits for the kernel.
    let flops = if options.timed { f64::INFINITY } else { 1e6 };
    let (product, report) = enter_lapack(py, flops, &[], work)?.map_err(|error| to_python(py, &error))?;
    warn_of(py, &report)?;
    let product = match there {
        Some(_) => wrap(py, product)?,
        None => {
            let product = fetch(py, &product)?;
            out.map_or(Ok(product.clone()), |out| store(OPERATION, &product, out))?
        }
    };
    if !options.timed {
        return Ok(Some(product));
    }
    Ok(Some((product, Report::new(report)).into_pyobject(py)?.into_any()))
}

/// The algorithm of that name, `None` for the fastest.
fn by_name(name: &str) -> PyResult<Option<GemmAlgorithm>> {
    if name == "auto" {
        return Ok(None);
    }
    GemmAlgorithm::by_name(name).map(Some).ok_or_else(|| {
        let names: Vec<String> = GemmAlgorithm::ALL.iter().map(|algorithm| format!("'{}'", algorithm.name())).collect();
        bad(
            OPERATION,
            &format!("algorithm='{name}' must be 'auto', {}", names.join(", ").replace(", 'rank48'", " or 'rank48'")),
        )
    })
}

/// A flag, or one of BLAS's letters.
fn transposed(name: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
    let Some(value) = value else { return Ok(false) };
    let Ok(letter) = value.cast::<PyString>() else { return value.is_truthy() };
    match letter.to_string().as_str() {
        "N" | "n" => Ok(false),
        "T" | "t" | "C" | "c" => Ok(true),
        other => Err(bad(OPERATION, &format!("{name}='{other}' must be True, False, 'N', 'T' or 'C'"))),
    }
}

#[cold]
fn complex(py: Python<'_>, position: usize, name: &'static str, dtype: DType) -> PyErr {
    let text =
        format!("{name} has dtype {}; the product with a choice of algorithm is for real matrices", dtype.name());
    let error = Error::text(Code::UnsupportedDType, OPERATION, text).argument(Argument::at(position, name));
    to_python(py, &error.fix(lapack_ai::Applicability::Safe, "use matmul, which takes complex matrices."))
}

fn run<'py, T: GemmScalar>(
    py: Python<'py>,
    (alpha, a_input, b_input): (T, &Input<'py>, &Input<'py>),
    (beta, c_input): (T, Option<&Input<'py>>),
    out: Option<&Bound<'py, PyAny>>,
    options: GemmAlphaOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let (a, b) = (a_input.matrices::<T>(), b_input.matrices::<T>());
    let [flip_a, flip_b] = options.transpose;
    let (m, n) = (if flip_a { a.cols() } else { a.rows() }, if flip_b { b.rows() } else { b.cols() });
    let mut batch = broadcast(py, OPERATION, ["a", "b"], a.batch_shape(), b.batch_shape())?;
    if let Some(c_input) = c_input {
        let c = c_input.matrices::<T>();
        if (c.rows(), c.cols()) != (m, n) {
            let text = format!("c is {} x {}, the product {m} x {n}", c.rows(), c.cols());
            return Err(to_python(
                py,
                &Error::text(Code::ShapeMismatch, OPERATION, text).argument(Argument::at(2, "c")),
            ));
        }
        batch = broadcast(py, OPERATION, ["the product", "c"], &batch, c.batch_shape())?;
    }
    let mut shape = batch.clone();
    shape.extend([m, n]);
    let target = match out {
        Some(out) if takes_product::<T>(py, OPERATION, out, &shape, a_input, b_input)? => {
            Some(Input::new(out, OPERATION, "out")?)
        }
        _ => None,
    };
    let output = match &target {
        Some(_) => None,
        None => Some(Output::matrices::<T>(py, OPERATION, &batch, m, n, Order::RowMajor)?),
    };
    let written = output.as_ref().map(|output| output.object()).or(out).expect("one of the two is there");
    if let Some(c_input) = c_input
        && beta != <T as Scalar>::ZERO
        && !c_input.object().is(written)
    {
        static COPY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        helper(py, &COPY, "numpy", "copyto")?.call1((written, c_input.object()))?;
    }
    let mut c = match (&output, &target) {
        (Some(output), _) => output.view(),
        // SAFETY: `takes_product` found it writable, in C order and apart from a and b.
        (None, Some(target)) => unsafe { writable(&target.matrices::<T>()) },
        (None, None) => unreachable!("one of the two is made above"),
    };
    let flops = 2.0 * m as f64 * n as f64 * a.cols().max(a.rows()) as f64 * c.count() as f64;
    let arrays = [Some(a_input.object()), Some(b_input.object()), Some(written)];
    let outcome = enter_lapack(py, flops, &arrays, move || gemm_alpha_into(alpha, &a, &b, beta, &mut c, options))?;
    let mut inputs = vec![a_input, b_input];
    inputs.extend(c_input);
    finish(py, outcome, &inputs, options.timed, || match (output, out) {
        (Some(output), Some(out)) => store(OPERATION, &output.into_array(), out),
        (Some(output), None) => Ok(output.into_array()),
        (None, _) => Ok(target.expect("made above").object().clone()),
    })
}
