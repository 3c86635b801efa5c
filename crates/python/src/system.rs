//! What concerns the process rather than one call: library, threads, settings, diagnosis, observers.

use crate::errors::to_python;
use crate::options::bad;
use crate::report::observed;
use lapack_ai::LapackTable;
use lapack_ai::observe::{CallEvent, Observer};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

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
    dict.set_item("batch_size_limit", config.batch_size_limit)?;
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
