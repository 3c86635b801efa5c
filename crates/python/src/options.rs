//! The keywords that every operation has: `gpu`, `device`, `check_finite`, `return_report`; and `lap.device`, which sets the
//! default of the first two for a thread.

use lapack_ai::gpu::device_named;
use lapack_ai::{CallOptions, Device, Failures, Precision};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};
use std::cell::Cell;

thread_local! {
    /// What `with lap.device(...)` has set.
    static CURRENT: Cell<Device> = const { Cell::new(Device::Auto) };
}

/// Where calls of this thread run that do not say it themselves.
#[inline]
pub(crate) fn current_device() -> Device {
    CURRENT.get()
}

/// Sets it; returns the former one, both as the words or the number that `device=` takes.
#[pyfunction]
pub(crate) fn set_current_device<'py>(device: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = device.py();
    let former = CURRENT.replace(by_device("device", device)?);
    Ok(match former {
        Device::Auto => PyString::new(py, "auto").into_any(),
        Device::Cpu => PyString::new(py, "cpu").into_any(),
        Device::Gpu | Device::RequireGpu => PyString::new(py, "gpu").into_any(),
        Device::On(number) => PyInt::new(py, number).into_any(),
    })
}

/// The options of a call that gives none.
pub(crate) fn default_call() -> CallOptions {
    CallOptions { device: current_device(), ..CallOptions::default() }
}

/// The OpenCL device that a name or number means.
pub(crate) fn named_device(operation: &'static str, value: &Bound<'_, PyAny>) -> PyResult<Device> {
    let text = match value.extract::<usize>() {
        Ok(number) => number.to_string(),
        Err(_) => value.cast::<PyString>().map_err(|_| bad(operation, &expected(value)))?.to_string(),
    };
    device_named(&text).map_err(|error| crate::errors::to_python(value.py(), &error))
}

fn expected(value: &Bound<'_, PyAny>) -> String {
    let shown = value.repr().map_or_else(|_| "?".to_string(), |text| text.to_string());
    format!("device={shown} must be 'auto', 'cpu', 'gpu' or a device of lap.devices()")
}

/// `gpu="auto"` (or unset), `True`, `"require"`, `False`; or `device="auto"`, `"cpu"`, `"gpu"`.
#[inline]
pub(crate) fn device(
    operation: &'static str,
    gpu: Option<&Bound<'_, PyAny>>,
    device: Option<&Bound<'_, PyAny>>,
) -> PyResult<Device> {
    match (gpu, device) {
        (None, None) => Ok(current_device()),
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
        _ if value.is_instance_of::<PyBool>() => Err(bad(operation, &expected(value))),
        Some(_) | None => {
            match value.extract::<usize>().map_or_else(|_| value.extract::<String>(), |n| Ok(n.to_string())) {
                Ok(text) => device_named(&text).map_err(|known| no_such_device(operation, value, &known)),
                Err(_) => Err(bad(operation, &expected(value))),
            }
        }
    }
}

/// The error for a device that is not among those found.
#[cold]
fn no_such_device(operation: &'static str, value: &Bound<'_, PyAny>, known: &lapack_ai::Error) -> PyErr {
    let lapack_ai::Detail::Text(found) = known.detail() else { return bad(operation, &expected(value)) };
    let error = lapack_ai::Error::text(lapack_ai::Code::BadOption, operation, found.clone())
        .because(expected(value))
        .fix(lapack_ai::Applicability::Maybe, "use device='gpu' for the best GPU, 'cpu', or a name of lap.devices().");
    crate::errors::to_python(value.py(), &error)
}

/// The `LAP-E005` error for an option.
#[cold]
pub(crate) fn bad(operation: &'static str, text: &str) -> PyErr {
    let error = lapack_ai::Error::text(lapack_ai::Code::BadOption, operation, text);
    Python::attach(|py| crate::errors::to_python(py, &error))
}

/// The same with the value that was probably meant, among `known`.
#[cold]
pub(crate) fn bad_value(operation: &'static str, text: &str, keyword: &str, value: &str, known: &[&str]) -> PyErr {
    let names: Vec<String> = known.iter().map(|known| format!("'{known}'")).collect();
    let mut error = lapack_ai::Error::text(lapack_ai::Code::BadOption, operation, text)
        .because(format!("{keyword} is one of {}", names.join(", ")));
    let lower = value.to_lowercase();
    let distances = known.iter().map(|&known| (edits(&lower, &known.to_lowercase()), known));
    if let Some((distance, nearest)) = distances.min_by_key(|(distance, _)| *distance) {
        // A letter that stands for the word is meant by it.
        let initial = known.iter().find(|known| known.len() == 1 && lower.starts_with(&known.to_lowercase()));
        let meant = if distance <= 1 + lower.len() / 3 { Some(nearest) } else { initial.copied() };
        if let Some(meant) = meant {
            error = error.fix(lapack_ai::Applicability::Maybe, format!("use {keyword}='{meant}'."));
        }
    }
    Python::attach(|py| crate::errors::to_python(py, &error))
}

/// Levenshtein's distance: insertions, deletions and replacements between two words.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, x) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
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
    let device = device(operation, gpu, device_name)?;
    Ok(CallOptions { check_finite, device, timed: return_report, ..CallOptions::default() })
}

/// `precision=None`, `"float32"` or `"tf32"`.
pub(crate) fn precision(operation: &'static str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Precision>> {
    let Some(value) = value else { return Ok(None) };
    let name = value.cast::<PyString>().ok().map(ToString::to_string);
    let known = Precision::ALL.into_iter().find(|known| name.as_deref() == Some(known.name()));
    match known {
        Some(known) => Ok(Some(known)),
        None => Err(bad(operation, &format!("precision={} must be 'float32' or 'tf32'", value.repr()?))),
    }
}

/// A flag as Python understands it: NumPy's booleans and numbers count as well.
pub(crate) fn truth(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.is_truthy()
}

/// As [`truth`], with None for "not said".
pub(crate) fn optional_truth(value: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
    if value.is_none() { Ok(None) } else { truth(value).map(Some) }
}

thread_local! {
    /// Whether the call at work on this thread applies safe fixes.
    static FIXING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the call at work on this thread applies safe fixes: for the Python code that converts its arguments.
#[pyfunction]
pub(crate) fn is_autofixing() -> bool {
    FIXING.get()
}

/// `autofix=` for the time of a call.
pub(crate) struct Fixing {
    operation: &'static str,
    safe: bool,
    former: bool,
}

impl Fixing {
    /// None or False, or "safe".
    #[inline]
    pub(crate) fn new(operation: &'static str, autofix: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let safe = autofix.map_or(Ok(false), |value| is_safe(operation, value))?;
        Ok(Self { operation, safe, former: if safe { FIXING.replace(true) } else { false } })
    }

    /// The options of the call with `errors=` and `autofix=`.
    #[inline]
    pub(crate) fn options(&self, options: CallOptions, errors: Option<&str>) -> PyResult<CallOptions> {
        if errors.is_none() && !self.safe {
            return Ok(options);
        }
        let failures = match errors {
            None | Some("raise") => Failures::Raise,
            Some("warn") => Failures::Warn,
            Some("collect") => Failures::Collect,
            Some(other) => {
                let text = format!("errors='{other}' must be 'raise', 'warn' or 'collect'");
                return Err(bad(self.operation, &text));
            }
        };
        // A GPU that was asked for gives way to the CPU with a warning; one that was required does not.
        let gives_way = self.safe && options.device == Device::RequireGpu;
        let device = if gives_way { Device::Gpu } else { options.device };
        Ok(CallOptions { failures, autofix: self.safe, device, ..options })
    }
}

impl Drop for Fixing {
    fn drop(&mut self) {
        if self.safe {
            FIXING.set(self.former);
        }
    }
}

#[cold]
fn is_safe(operation: &'static str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if value.is_none() || value.cast::<PyBool>().is_ok_and(|flag| !flag.is_true()) {
        return Ok(false);
    }
    match value.cast::<PyString>().ok().map(ToString::to_string).as_deref() {
        Some("safe") => Ok(true),
        _ => Err(bad(operation, &format!("autofix={} must be None or 'safe'", value.repr()?))),
    }
}
