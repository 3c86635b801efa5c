//! What concerns the process rather than one call: library, threads, settings, diagnosis, observers.

use crate::errors::to_python;
use crate::options::{bad, named_device};
use crate::report::observed;
use lapack_ai::dispatch::model::{Case, OpKind};
use lapack_ai::gpu::tuning::{self, Ended, Plan};
use lapack_ai::observe::{CallEvent, Observer};
use lapack_ai::validate::{Check, Outcome, Section};
use lapack_ai::{DType, Device, LapackTable};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Names a LAPACK file to be tried first. Without effect once a library is in use.
#[pyfunction]
pub(crate) fn add_library_hint(path: PathBuf) {
    lapack_ai::add_library_hint(path);
}

/// Where `lapack_py` found SciPy's own LAPACK: its name, the addresses of its routines, and the library behind it.
type PythonTable = (String, HashMap<String, usize>, Option<PathBuf>);

fn table((name, routines, controls): PythonTable) -> LapackTable {
    // SAFETY: `lapack_py._provider` takes the addresses from the capsules of scipy.linalg.cython_lapack, which hold
    // LAPACK's routines under their names; the module is never unloaded.
    unsafe { LapackTable::new(name, routines, controls) }
}

/// Names a table of routines to be tried where no OpenBLAS wheel is found.
#[pyfunction]
pub(crate) fn add_table_hint(routines: PythonTable) {
    lapack_ai::add_table_hint(table(routines));
}

/// Uses the LAPACK at a path, of a table, or (None) the one that the search finds.
#[pyfunction]
pub(crate) fn set_library(py: Python<'_>, path: Option<PathBuf>, routines: Option<PythonTable>) -> PyResult<()> {
    let chosen = match (path, routines) {
        (Some(path), _) => py.detach(|| lapack_ai::set_library(&path)),
        (None, Some(routines)) => {
            let name = routines.0.clone();
            lapack_ai::set_library_table(&name, &table(routines))
        }
        (None, None) => py.detach(lapack_ai::set_library_by_search),
    };
    chosen.map(|_| ()).map_err(|error| to_python(py, &error))
}

/// The address in a capsule of a C function.
#[pyfunction]
pub(crate) fn capsule_address(capsule: &Bound<'_, PyAny>) -> PyResult<usize> {
    // SAFETY: asks the capsule for the pointer under its own name; both calls fail with an exception on anything else.
    let address = unsafe {
        let name = pyo3::ffi::PyCapsule_GetName(capsule.as_ptr());
        pyo3::ffi::PyCapsule_GetPointer(capsule.as_ptr(), name)
    };
    if address.is_null() { Err(PyErr::fetch(capsule.py())) } else { Ok(address.addr()) }
}

/// The LAPACK in use: path, version, vendor, integer_bits, threads.
#[pyfunction]
pub(crate) fn library_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let search = lapack_ai::provider().map_err(|error| to_python(py, &error))?;
    let library = &search.library;
    let version = library.version();
    let dict = PyDict::new(py);
    dict.set_item("path", library.path().to_string_lossy())?;
    dict.set_item("version", format!("{}.{}.{}", version.major, version.minor, version.patch))?;
    dict.set_item("vendor", library.vendor())?;
    dict.set_item("integer_bits", library.integer_bits())?;
    dict.set_item("threads", library.threads().get())?;
    Ok(dict)
}

/// Threads used for one large matrix, or for a batch.
#[pyfunction]
pub(crate) fn get_num_threads(py: Python<'_>) -> PyResult<usize> {
    lapack_ai::num_threads().map_err(|error| to_python(py, &error))
}

/// Most threads that can be asked for.
const MOST_THREADS: i64 = 1024;

/// Sets the threads used for one large matrix, or for a batch: 1 to 1024.
#[pyfunction]
pub(crate) fn set_num_threads(py: Python<'_>, threads: i64) -> PyResult<()> {
    if !(1..=MOST_THREADS).contains(&threads) {
        return Err(bad("set_num_threads", &format!("threads={threads} must be from 1 to {MOST_THREADS}")));
    }
    lapack_ai::set_num_threads(threads as usize).map_err(|error| to_python(py, &error))
}

/// The settings read from the environment, as a dict.
#[pyfunction]
pub(crate) fn config(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let config = lapack_ai::config::config().map_err(|error| to_python(py, &error))?;
    let dict = PyDict::new(py);
    dict.set_item("gpu_enabled", config.gpu_enabled)?;
    dict.set_item("gpu_memory_limit", config.gpu_memory_limit)?;
    let batch_size_limit = (config.batch_size_limit < usize::MAX).then_some(config.batch_size_limit);
    dict.set_item("batch_size_limit", batch_size_limit)?;
    dict.set_item("gpu_device", config.gpu_device.as_deref())?;
    dict.set_item("gpu_verify", config.gpu_verify.name())?;
    dict.set_item("gpu_timeout_seconds", config.gpu_timeout_seconds)?;
    dict.set_item("gpu_breaker_failures", config.gpu_breaker_failures)?;
    dict.set_item("gpu_breaker_seconds", config.gpu_breaker_seconds)?;
    dict.set_item("dashboard_port", config.dashboard_port)?;
    dict.set_item("log_level", config.log_level.name())?;
    dict.set_item("library", config.library.as_ref().map(|path| path.to_string_lossy().into_owned()))?;
    Ok(dict)
}

/// The findings of `lap.doctor()`: (text, ok, [(topic, ok, found, advice)]).
#[pyfunction]
#[allow(clippy::type_complexity, reason = "read once, by lapack_py._doctor")]
pub(crate) fn doctor(py: Python<'_>) -> (String, bool, Vec<(&'static str, bool, String, Option<String>)>) {
    let diagnosis = py.detach(lapack_ai::doctor::doctor);
    let text = diagnosis.to_string();
    let ok = diagnosis.ok();
    let findings =
        diagnosis.findings.into_iter().map(|finding| (finding.topic, finding.ok, finding.found, finding.advice));
    (text, ok, findings.collect())
}

/// `lap.validate()`: its text and its JSON. `python` are the checks of the interpreter: (name, outcome, found, fix).
#[pyfunction]
pub(crate) fn validate(py: Python<'_>, python: Vec<(String, String, String, Option<String>)>) -> (String, String) {
    let check = |(name, outcome, found, fix): (String, String, String, Option<String>)| Check {
        section: Section::Python,
        name,
        outcome: if outcome == "passed" { Outcome::Passed } else { Outcome::Failed },
        found,
        fix,
    };
    let validation = py.detach(|| lapack_ai::validate::validate(python.into_iter().map(check).collect()));
    (validation.to_string(), validation.json().to_string())
}

/// Hands every event to a Python callable.
struct PythonObserver {
    callback: Py<PyAny>,
}

impl Observer for PythonObserver {
    fn call(&self, event: &CallEvent<'_>) {
        Python::attach(|py| {
            let error = event.error.map(|error| to_python(py, error));
            let told = Py::new(py, observed(event.report)).and_then(|report| self.callback.call1(py, (report, error)));
            if let Err(broken) = told {
                broken.write_unraisable(py, Some(self.callback.bind(py)));
            }
        });
    }
}

/// Keeps an observer subscribed until `close()` or the end of the `with` block.
#[pyclass(frozen, module = "lapack_py")]
pub(crate) struct Subscription {
    inner: Mutex<Option<lapack_ai::observe::Subscription>>,
}

#[pymethods]
impl Subscription {
    /// Ends the subscription.
    fn close(&self) {
        let taken = self.inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Outside the lock: the end of the callback may come back here.
        drop(taken);
    }
    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }
    fn __exit__(&self, _type: &Bound<'_, PyAny>, _value: &Bound<'_, PyAny>, _traceback: &Bound<'_, PyAny>) {
        self.close();
    }
}

/// Calls `callback(report, error)` after every call that reached the library, `error` being None or the exception, until the
/// returned subscription is closed or forgotten. Input that is refused before (no array, a wrong option) is not told.
#[pyfunction]
pub(crate) fn observe(callback: &Bound<'_, PyAny>) -> PyResult<Subscription> {
    if !callback.is_callable() {
        let text = format!("callback={} must be callable", callback.repr()?);
        return Err(bad("observe", &text));
    }
    let callback = callback.clone().unbind();
    let subscription = lapack_ai::observe::subscribe(Arc::new(PythonObserver { callback }));
    Ok(Subscription { inner: Mutex::new(Some(subscription)) })
}

/// All OpenCL devices, each as a dict: number, name, platform, driver, is_cpu, float64, memory, max_allocation, compute_units,
/// found_by, chosen, breaker, last_failure, staging, tuning, pool, programs.
#[pyfunction]
pub(crate) fn devices(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let found = py.detach(lapack_ai::gpu::devices);
    found.iter().map(|status| device_dict(py, status)).collect()
}

fn device_dict<'py>(py: Python<'py>, status: &lapack_ai::gpu::Status) -> PyResult<Bound<'py, PyDict>> {
    let (dict, info) = (PyDict::new(py), &status.info);
    dict.set_item("number", status.index)?;
    dict.set_item("name", &info.name)?;
    dict.set_item("platform", &info.platform)?;
    dict.set_item("driver", &info.driver)?;
    dict.set_item("is_cpu", info.is_cpu)?;
    dict.set_item("float64", info.float64)?;
    dict.set_item("memory", info.memory)?;
    dict.set_item("max_allocation", info.max_allocation)?;
    dict.set_item("compute_units", info.compute_units)?;
    dict.set_item("found_by", info.found_by.describe())?;
    dict.set_item("chosen", status.chosen)?;
    dict.set_item("breaker", status.breaker.to_string())?;
    dict.set_item("last_failure", status.last_failure.as_deref())?;
    dict.set_item("staging", status.staging)?;
    dict.set_item("tuning", &status.tuning)?;
    let pool = status.pool.map(|pool| -> PyResult<_> {
        let dict = PyDict::new(py);
        dict.set_item("requested", pool.requested)?;
        dict.set_item("used", pool.used)?;
        dict.set_item("idle", pool.idle)?;
        dict.set_item("high_water", pool.high_water)?;
        dict.set_item("limit", pool.limit)?;
        dict.set_item("allocations", pool.allocations)?;
        dict.set_item("reuses", pool.reuses)?;
        dict.set_item("utilisation", pool.utilisation())?;
        Ok(dict)
    });
    dict.set_item("pool", pool.transpose()?)?;
    let programs = status.programs.map(|programs| (programs.built, programs.loaded, programs.rejected));
    dict.set_item("programs", programs)?;
    Ok(dict)
}

/// What `gpu="auto"` would do: (engine, reason, prediction, measured, device, memory).
#[pyfunction]
#[allow(clippy::type_complexity, reason = "read once, by lapack_py._device")]
pub(crate) fn explain_dispatch<'py>(
    py: Python<'py>,
    op: &str,
    dtype: &str,
    sizes: (usize, usize, usize, usize),
) -> PyResult<(&'static str, String, Bound<'py, PyDict>, bool, Option<&'static str>, Option<(usize, usize)>)> {
    let (m, n, k, batch) = sizes;
    let op = OpKind::from_name(op).ok_or_else(|| {
        let known: Vec<&str> = OpKind::ALL.iter().map(|op| op.name()).collect();
        bad("explain_dispatch", &format!("op='{op}' must be one of {}", known.join(", ")))
    })?;
    let dtype = dtype_named(dtype)?;
    let case = Case { op, dtype, m, n, k, batch };
    let explained = py.detach(|| lapack_ai::dispatch::explain(&case));
    let prediction = crate::report::prediction_dict(py, &explained.prediction)?;
    let lapack_ai::dispatch::Explanation { engine, reason, measured, device, memory, .. } = explained;
    Ok((engine.name(), reason, prediction, measured, device, memory))
}

fn dtype_named(name: &str) -> PyResult<DType> {
    let known = DType::ALL.into_iter().find(|dtype| dtype.name() == name);
    known.ok_or_else(|| bad("dtype", &format!("dtype='{name}' must be float32, float64, complex64 or complex128")))
}

/// Measures operations on both engines; `progress(fraction, text)` is told how far it is. Returns the points measured.
#[pyfunction]
pub(crate) fn calibrate(
    py: Python<'_>,
    ops: Vec<String>,
    dtypes: Vec<String>,
    seconds: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<usize> {
    let ops = ops.iter().map(|name| {
        OpKind::from_name(name).ok_or_else(|| bad("calibrate", &format!("there is no operation '{name}' to measure")))
    });
    let ops = ops.collect::<PyResult<Vec<_>>>()?;
    let dtypes = dtypes.iter().map(|name| dtype_named(name)).collect::<PyResult<Vec<_>>>()?;
    let budget = budget("calibrate", seconds)?;
    let mut broken = None;
    let mut tell = |fraction: f64, text: &str| {
        Python::attach(|py| {
            let told = progress.as_ref().map_or(Ok(()), |tell| tell.call1(py, (fraction, text)).map(|_| ()));
            broken = broken.take().or(told.and_then(|()| py.check_signals()).err());
        });
    };
    let points = py.detach(|| lapack_ai::dispatch::calibrate_now(&ops, &dtypes, budget, &mut tell));
    match broken {
        Some(error) => Err(error),
        None => points.map_err(|error| to_python(py, &error)),
    }
}

/// Seconds to spend, refused where they are no time.
fn budget(operation: &'static str, seconds: f64) -> PyResult<Duration> {
    if !(seconds > 0.0 && seconds < 1e5) {
        return Err(bad(operation, &format!("seconds={seconds} must be a time above 0")));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// "gpu" and "auto" are the device in use.
fn tunable(device: &Bound<'_, PyAny>) -> PyResult<Device> {
    match device.extract::<String>() {
        Ok(name) if name == "gpu" || name == "auto" => Ok(Device::Auto),
        _ => named_device("tune", device),
    }
}

/// A class of products: text, kernel, GFLOP/s before and after, gain, configuration or None for the rules'.
type TunedClass = (String, &'static str, f64, f64, f64, Option<String>);

/// Finds the fastest configurations of a device's matrix product. Returns (text, device, classes, ended, file, recalibrate).
/// After an exception of `progress` or a signal it ends early and raises that; what was found is kept.
#[pyfunction]
#[allow(clippy::type_complexity, reason = "read once, by lapack_py._device")]
pub(crate) fn tune(
    py: Python<'_>,
    device: &Bound<'_, PyAny>,
    dtypes: Vec<String>,
    seconds: f64,
    only: Vec<String>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(String, &'static str, Vec<TunedClass>, &'static str, Option<PathBuf>, bool)> {
    let device = tunable(device)?;
    let dtypes = dtypes.iter().map(|name| dtype_named(name)).collect::<PyResult<Vec<_>>>()?;
    let plan = Plan { budget: budget("tune", seconds)?, dtypes, only, ..Plan::default() };
    let (mut broken, stop) = (None, AtomicBool::new(false));
    let mut tell = |fraction: f64, text: &str| {
        Python::attach(|py| {
            let told = progress.as_ref().map_or(Ok(()), |tell| tell.call1(py, (fraction, text)).map(|_| ()));
            broken = broken.take().or(told.and_then(|()| py.check_signals()).err());
            stop.store(broken.is_some(), Ordering::Relaxed);
        });
    };
    let found = py.detach(|| tuning::tune(device, &plan, &mut tell, &|| stop.load(Ordering::Relaxed)));
    if let Some(error) = broken {
        return Err(error);
    }
    let found = found.map_err(|error| to_python(py, &error))?;
    let class = |row: &tuning::Row| {
        let [before, after] = row.gflops();
        let config = row.entry.config.map(|config| config.to_string());
        (row.target.to_string(), row.entry.class.kernel.kernel(), before, after, row.entry.gain(), config)
    };
    let ended = match found.outcome.ended {
        Ended::Done => "done",
        Ended::Budget => "time",
        Ended::Interrupted => "interrupted",
        Ended::Failed(_) => "failed",
    };
    let classes = found.outcome.rows.iter().map(class).collect();
    Ok((found.to_string(), found.device.name.as_str(), classes, ended, found.file, found.recalibrate))
}

/// Forgets what was tuned on this machine for a device. Returns whether there was anything.
#[pyfunction]
pub(crate) fn reset_tuning(py: Python<'_>, device: &Bound<'_, PyAny>) -> PyResult<bool> {
    tuning::reset(tunable(device)?).map_err(|error| to_python(py, &error))
}

/// Releases device memory that is kept for later calls. Returns the bytes.
#[pyfunction]
pub(crate) fn trim(py: Python<'_>) -> usize {
    py.detach(lapack_ai::gpu::trim)
}

/// Closes a device's circuit breaker at once.
#[pyfunction]
pub(crate) fn close_breaker(device: usize) {
    lapack_ai::gpu::close_breaker(Device::On(device));
}

/// Sets how many bytes of a device's memory may be used. Returns the former limit.
#[pyfunction]
pub(crate) fn set_device_memory_limit(py: Python<'_>, device: usize, bytes: usize) -> PyResult<usize> {
    let set = py.detach(|| lapack_ai::gpu::set_memory_limit(Device::On(device), bytes));
    set.map_err(|error| to_python(py, &error))
}

/// Makes the next `times` opportunities for a fault of a device fail; for tests of what follows.
#[pyfunction]
pub(crate) fn inject_fault(name: &str, times: u32) -> PyResult<()> {
    if lapack_ai::gpu::inject_fault(name, times) {
        return Ok(());
    }
    Err(bad("inject_fault", &format!("name='{name}' must be allocation, build, lost, timeout or wrong")))
}
