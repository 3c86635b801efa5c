//! The keywords that every operation has: `gpu`, `device`, `check_finite`, `return_report`.

use lapack_ai::{CallOptions, Device};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};

/// `gpu="auto"` (or unset), `True`, `"require"`, `False`; or `device="auto"`, `"cpu"`, `"gpu"`.
#[inline]
pub(crate) fn device(
    operation: &'static str,
    gpu: Option<&Bound<'_, PyAny>>,
    device: Option<&Bound<'_, PyAny>>,
) -> PyResult<Device> {
    match (gpu, device) {
        (None, None) => Ok(Device::Auto),
        _ => parse(operation, gpu, device),
    }
}

#[cold]
fn parse(
    operation: &'static str,
    gpu: Option<&Bound<'_, PyAny>>,
    device: Option<&Bound<'_, PyAny>>,
) -> PyResult<Device> {
    let by_gpu = gpu.map(|value| by_gpu(operation, value)).transpose()?;
    let by_device = device.map(|value| by_device(operation, value)).transpose()?;
    match (by_gpu.unwrap_or_default(), by_device) {
        (by_gpu, None) => Ok(by_gpu),
        (Device::Auto, Some(by_device)) => Ok(by_device),
        (by_gpu, Some(by_device)) if by_gpu == by_device => Ok(by_gpu),
        (Device::RequireGpu, Some(Device::Gpu)) => Ok(Device::RequireGpu),
        _ => Err(bad(operation, "gpu and device contradict each other; give one of them")),
    }
}

fn by_gpu(operation: &'static str, value: &Bound<'_, PyAny>) -> PyResult<Device> {
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(if flag.is_true() { Device::Gpu } else { Device::Cpu });
    }
    match value.cast::<PyString>().ok().map(ToString::to_string).as_deref() {
        Some("auto") => Ok(Device::Auto),
        Some("require") => Ok(Device::RequireGpu),
        _ => Err(bad(operation, &format!("gpu={} must be 'auto', True, 'require' or False", value.repr()?))),
    }
}

fn by_device(operation: &'static str, value: &Bound<'_, PyAny>) -> PyResult<Device> {
    match value.cast::<PyString>().ok().map(ToString::to_string).as_deref() {
        Some("auto") => Ok(Device::Auto),
        Some("cpu") => Ok(Device::Cpu),
        Some("gpu") => Ok(Device::Gpu),
        _ => Err(bad(operation, &format!("device={} must be 'auto', 'cpu' or 'gpu'", value.repr()?))),
    }
}

/// The `LAP-E005` error for an option.
#[cold]
pub(crate) fn bad(operation: &'static str, text: &str) -> PyErr {
    let error = lapack_ai::Error::text(lapack_ai::Code::BadOption, operation, text);
    Python::attach(|py| crate::errors::to_python(py, &error))
}

/// The common keywords together.
#[inline]
pub(crate) fn call_options(
    operation: &'static str,
    check_finite: bool,
    gpu: Option<&Bound<'_, PyAny>>,
    device_name: Option<&Bound<'_, PyAny>>,
    return_report: bool,
) -> PyResult<CallOptions> {
    Ok(CallOptions { check_finite, device: device(operation, gpu, device_name)?, timed: return_report })
}

/// A flag as Python understands it: NumPy's booleans and numbers count as well.
pub(crate) fn truth(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.is_truthy()
}

/// As [`truth`], with None for "not said".
pub(crate) fn optional_truth(value: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
    if value.is_none() { Ok(None) } else { truth(value).map(Some) }
}
