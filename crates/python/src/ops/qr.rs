use super::{require_matrix, result_class, with_scalar};
use crate::gate::enter_lapack;
use crate::input::Input;
use crate::options::{bad, bad_value, call_options, truth};
use crate::output::{Order, Output, name_what_needs_less, named_tuple};
use crate::report::finish;
use lapack_ai::ops::qr::output_shapes;
use lapack_ai::{CallOptions, QrMode, QrOut, Scalar, qr_into};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// QR factorisation, a = Q @ R.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, N)
///     NaN and Inf are refused with their place.
/// mode : "reduced", "complete", "r" or "raw"
///     Q (..., M, K) and R (..., K, N), K = min(M, N); Q (..., M, M) and R (..., M, N); R alone; LAPACK's own (h, tau),
///     h being (..., N, M). SciPy's "economic" is accepted for "reduced".
/// overwrite_a : bool
///     Accepted for SciPy's sake; the one copy goes straight into the result, so there is none to save.
/// check_finite, gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// QRResult(Q, R), in Fortran order; or R; or (h, tau).
///
/// Notes
/// -----
/// LAPACK xGEQRF, xORGQR / xUNGQR.
#[pyfunction]
#[pyo3(signature = (a, mode="reduced", *, overwrite_a=false, check_finite=true, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(a, mode='reduced', *, overwrite_a=False, check_finite=True, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn qr<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    mode: &str,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let _ = overwrite_a;
    let mode = match mode {
        "reduced" | "economic" => QrMode::Reduced,
        "complete" => QrMode::Complete,
        "full" => {
            let text = "mode='full' is 'reduced' in NumPy and 'complete' in SciPy: say which";
            return Err(bad("qr", text));
        }
        "r" => QrMode::R,
        "raw" => QrMode::Raw,
        _ => {
            let text = format!("mode='{mode}' must be 'reduced', 'complete', 'r' or 'raw'");
            return Err(bad_value("qr", &text, "mode", mode, &["reduced", "economic", "complete", "r", "raw"]));
        }
    };
    let call = call_options("qr", check_finite, gpu, device, return_report)?;
    let input = Input::new(a, "qr", "a")?;
    require_matrix(py, "qr", "a", &input)?;
    with_scalar!(input.dtype(), run(py, &input, mode, call))
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    mode: QrMode,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let (m, n, batch) = (a.rows(), a.cols(), a.batch_shape());
    let (q_shape, (r_rows, r_cols)) = output_shapes(m, n, mode);
    // NumPy's raw form is the transpose of LAPACK's: the same memory, read by rows.
    let r = if mode == QrMode::Raw {
        Output::matrices::<T>(py, "qr", batch, r_cols, r_rows, Order::RowMajor)?
    } else {
        Output::matrices::<T>(py, "qr", batch, r_rows, r_cols, Order::ColMajor)?
    };
    let q = match (mode, q_shape) {
        (QrMode::Raw, Some((k, _))) => Some(Output::vectors::<T>(py, "qr", batch, k)?),
        (_, Some((rows, cols))) => {
            let taken = Output::matrices::<T>(py, "qr", batch, rows, cols, Order::ColMajor);
            Some(taken.map_err(|error| {
                let bytes = |columns: usize| (rows * a.count() * size_of::<T>()) as f64 * columns as f64;
                let options = ["mode='complete'", "mode='reduced'"];
                let complete = mode == QrMode::Complete && cols > m.min(n);
                if !complete { error } else { name_what_needs_less(py, error, "qr", options, [bytes(m), bytes(n)]) }
            })?)
        }
        (_, None) => None,
    };
    let r_view = if mode == QrMode::Raw { r.view().transposed() } else { r.view() };
    let mut out = QrOut { q: q.as_ref().map(|q| q.view()), r: r_view };
    let flops = 4.0 * m as f64 * n as f64 * m.min(n) as f64 * a.count() as f64;
    let arrays = [Some(input.object()), Some(r.object()), q.as_ref().map(Output::object)];
    let outcome = enter_lapack(py, flops, &arrays, move || qr_into(&a, &mut out, mode, call))?;
    finish(py, outcome, &[input], call.timed, || {
        let Some(q) = q else { return Ok(r.into_array()) };
        if mode == QrMode::Raw {
            return Ok(PyTuple::new(py, [r.into_array(), q.into_array()])?.into_any());
        }
        static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let class = result_class(py, &CLASS, "QRResult")?;
        named_tuple(&class, PyTuple::new(py, [q.into_array(), r.into_array()])?)
    })
}
