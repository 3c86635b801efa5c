use super::{require_matrix, result_class, with_scalar};
use crate::device::{device_array, wrap};
use crate::errors::{helper, to_python};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{Fixing, bad, call_options, truth};
use crate::output::{Order, Output, name_what_needs_less, named_tuple};
use crate::report::{Report, finish, warn_of};
use lapack_ai::gpu::array::{DeviceArray, DeviceSvd, prefers_device, svd_on_device};
use lapack_ai::ops::svd::output_is_row_major;
use lapack_ai::{CallOptions, Operand, Scalar, SvdOptions, SvdOut, Vectors, svd_into};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// The class of results.
static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Singular value decomposition, a = U @ diag(S) @ Vh.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, N)
///     Real or complex matrices; NaN and Inf are refused with their place.
/// full_matrices : bool
///     U (..., M, M) and Vh (..., N, N); if False U (..., M, K) and Vh (..., K, N) with K = min(M, N).
/// compute_uv : bool
///     If False only S is returned.
/// hermitian : bool
///     Treat a as Hermitian (only its lower triangle is read) and go through `eigh`.
/// overwrite_a : bool
///     Allow a's memory to be used as workspace: saves the one copy.
/// check_finite : bool
///     Look for NaN and Inf first; rides on the copy and costs nothing beside it. False skips the look at a matrix that
///     is overwritten.
/// lapack_driver : None or "gesdd"
///     Accepted for SciPy's sake: the driver is chosen by size, and the other steps in if it does not converge.
/// gpu, device
///     "auto", True (the CPU steps in, with a warning), "require" or False; "auto", "cpu" or "gpu". A GPU decomposes real
///     matrices; complex ones are the CPU's.
/// return_report : bool
///     Return (result, Report).
/// errors, autofix
///     As for `solve`.
///
/// Returns
/// -------
/// SVDResult(U, S, Vh), or S (..., K) alone, largest first. Of a device array they are device arrays.
///
/// Raises
/// ------
/// NonFiniteError, ConvergenceError
///     Both are numpy.linalg.LinAlgError.
///
/// Notes
/// -----
/// LAPACK xGESDD, or xGESVD up to order 25; on a GPU the same method in kernels. Backward error a small multiple of
/// max(M, N) eps norm(a).
#[pyfunction]
#[pyo3(signature = (a, full_matrices=true, compute_uv=true, hermitian=false, *, overwrite_a=false, check_finite=true, lapack_driver=None, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(a, full_matrices=True, compute_uv=True, hermitian=False, *, overwrite_a=False, check_finite=True, lapack_driver=None, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
pub(crate) fn svd<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] full_matrices: bool,
    #[pyo3(from_py_with = truth)] compute_uv: bool,
    #[pyo3(from_py_with = truth)] hermitian: bool,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    lapack_driver: Option<&str>,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if !matches!(lapack_driver, None | Some("gesdd")) {
        return Err(bad("svd", "lapack_driver must be None or 'gesdd'; the driver is chosen by size"));
    }
    let fixing = Fixing::new("svd", autofix)?;
    let call = fixing.options(call_options("svd", check_finite, gpu, device, return_report)?, errors)?;
    if hermitian {
        return by_eigh(py, a, compute_uv, gpu, device, check_finite, return_report);
    }
    let vectors = match (compute_uv, full_matrices) {
        (false, _) => Vectors::None,
        (true, true) => Vectors::Full,
        (true, false) => Vectors::Thin,
    };
    if let Some(there) = device_array(a).filter(|array| prefers_device(array, vectors, call.device)) {
        return on_device(py, there, vectors, call);
    }
    let input = Input::new(a, "svd", "a")?;
    require_matrix(py, "svd", "a", &input)?;
    with_scalar!(input.dtype(), run(py, &input, vectors, overwrite_a, call))
}

/// Singular values, largest first, shape (..., min(M, N)).
///
/// As ``svd(x, compute_uv=False)``, at about a quarter of the cost of a full decomposition.
#[pyfunction]
#[pyo3(signature = (x, /, *, overwrite_a=false, check_finite=true, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(x, /, *, overwrite_a=False, check_finite=True, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
pub(crate) fn svdvals<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let fixing = Fixing::new("svd", autofix)?;
    let call = fixing.options(call_options("svd", check_finite, gpu, device, return_report)?, errors)?;
    if let Some(there) = device_array(x).filter(|array| prefers_device(array, Vectors::None, call.device)) {
        return on_device(py, there, Vectors::None, call);
    }
    let input = Input::new(x, "svd", "x")?;
    require_matrix(py, "svd", "x", &input)?;
    with_scalar!(input.dtype(), run(py, &input, Vectors::None, overwrite_a, call))
}

#[cold]
fn by_eigh<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    compute_uv: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    check_finite: bool,
    return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    static HERMITIAN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let hermitian = helper(py, &HERMITIAN, "lapack_py._convert", "svd_hermitian")?;
    hermitian.call1((a, compute_uv, gpu, device, check_finite, return_report))
}

/// The decomposition of a device array where it lies; the factors stay there.
#[cold]
fn on_device(py: Python<'_>, a: DeviceArray, vectors: Vectors, call: CallOptions) -> PyResult<Bound<'_, PyAny>> {
    // Long enough to be interrupted, as all waits for a device are.
    let outcome = enter_lapack(py, f64::INFINITY, &[], move || svd_on_device(&a, vectors, call))?;
    let DeviceSvd { s, vectors, report } = outcome.map_err(|error| to_python(py, &error))?;
    warn_of(py, &report)?;
    let s = wrap(py, s)?;
    let result = match vectors {
        None => s,
        Some([u, vh]) => {
            let class = result_class(py, &CLASS, "SVDResult")?;
            named_tuple(&class, PyTuple::new(py, [wrap(py, u)?, s, wrap(py, vh)?])?)?
        }
    };
    match call.timed {
        false => Ok(result),
        true => Ok((result, Report::new(report)).into_pyobject(py)?.into_any()),
    }
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    vectors: Vectors,
    overwrite_a: bool,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let (m, n, count) = (a.rows(), a.cols(), a.count());
    let k = m.min(n);
    let overwrite = input.may_overwrite(overwrite_a);
    let order = if output_is_row_major(&a, overwrite) { Order::RowMajor } else { Order::ColMajor };
    let batch = a.batch_shape();
    let s = Output::vectors::<T::Real>(py, "svd", batch, k)?;
    let (u_cols, vh_rows) = if vectors == Vectors::Full { (m, n) } else { (k, k) };
    let factors = if vectors == Vectors::None {
        None
    } else {
        let taken = Output::matrices::<T>(py, "svd", batch, m, u_cols, order)
            .and_then(|u| Ok((u, Output::matrices::<T>(py, "svd", batch, vh_rows, n, order)?)));
        Some(taken.map_err(|error| {
            let bytes = |elements: f64| elements * (count * size_of::<T>()) as f64;
            let (m, n) = (m as f64, n as f64);
            let needs = [bytes(m * m + n * n), bytes((m + n) * m.min(n))];
            let options = ["full_matrices=True", "full_matrices=False"];
            if vectors == Vectors::Full { name_what_needs_less(py, error, "svd", options, needs) } else { error }
        })?)
    };
    let out = SvdOut { vectors: factors.as_ref().map(|(u, vh)| (u.view(), vh.view())), s: s.view() };
    let flops = 20.0 * m.max(n) as f64 * (k as f64).powi(2) * count as f64;
    let options = SvdOptions { vectors, call };
    let (u, vh) = factors.as_ref().map_or((None, None), |(u, vh)| (Some(u.object()), Some(vh.object())));
    let arrays = [Some(input.object()), Some(s.object()), u, vh];
    let outcome = if overwrite {
        // SAFETY: allowed just above.
        let mut a = unsafe { writable(&a) };
        enter_lapack(py, flops, &arrays, move || svd_into(Operand::overwritable(&mut a), out, options))
    } else {
        enter_lapack(py, flops, &arrays, move || svd_into(a.into(), out, options))
    }?;
    finish(py, outcome, &[input], call.timed, || match factors {
        None => Ok(s.into_array()),
        Some((u, vh)) => {
            let class = result_class(py, &CLASS, "SVDResult")?;
            named_tuple(&class, PyTuple::new(py, [u.into_array(), s.into_array(), vh.into_array()])?)
        }
    })
}
