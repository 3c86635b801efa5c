//! Errors and warnings of the core as Python's.
//!
//! The classes live in `lapack_py._errors`; this module hands over the fields.

use lapack_ai::{Error, Finding};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};

/// Attribute `name` of module `lapack_py.{module}`, looked up once.
pub(crate) fn helper<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    module: &str,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let found =
        cell.get_or_try_init(py, || -> PyResult<Py<PyAny>> { Ok(py.import(module)?.getattr(name)?.unbind()) })?;
    Ok(found.bind(py).clone())
}

/// All fields of an error under their Python names.
fn fields<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("code", error.code().as_str())?;
    dict.set_item("severity", error.severity().as_str())?;
    dict.set_item("message", error.to_string())?;
    dict.set_item("summary", error.summary())?;
    dict.set_item("operation", error.operation())?;
    dict.set_item("argument", error.argument_at_fault().map(|argument| argument.name))?;
    dict.set_item("position", error.argument_at_fault().and_then(|argument| argument.position))?;
    dict.set_item("routine", error.routine())?;
    dict.set_item("info", error.info())?;
    dict.set_item("rcond", error.rcond())?;
    dict.set_item("cause", error.cause())?;
    let fixes = PyList::empty(py);
    for fix in error.fixes() {
        fixes.append((fix.applicability.as_str(), fix.text))?;
    }
    dict.set_item("fixes", fixes)?;
    dict.set_item("matrix", error.matrix())?;
    dict.set_item("failed", error.failed())?;
    dict.set_item("long_report", error.report())?;
    let location = match error.detail() {
        lapack_ai::Detail::NonFinite { first, .. } => Some((first.row, first.col)),
        _ => None,
    };
    dict.set_item("location", location)?;
    dict.set_item("digits_lost", error.digits_lost().map(|(lost, _)| lost))?;
    let argument = error.argument_at_fault().map_or("a", |argument| argument.name);
    let findings = PyList::empty(py);
    for finding in error.findings() {
        findings.append(finding_dict(py, finding, argument)?)?;
    }
    dict.set_item("findings", findings)?;
    Ok(dict)
}

/// A finding under its numbers' names; what counts or indexes is an int.
fn finding_dict<'py>(py: Python<'py>, finding: &Finding, argument: &str) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("kind", finding.kind())?;
    dict.set_item("text", finding.sentence(argument))?;
    if let Some(axis) = finding.axis() {
        dict.set_item("axis", axis.name())?;
    }
    for (name, value) in finding.numbers() {
        match name {
            "index" | "first" | "second" | "count" | "row" | "col" | "rank" | "full" | "largest_index"
            | "smallest_index" => dict.set_item(name, value as usize)?,
            "lower" => dict.set_item(name, value != 0.0)?,
            _ => dict.set_item(name, value)?,
        }
    }
    if !finding.terms().is_empty() {
        dict.set_item("of", finding.terms().to_vec())?;
    }
    Ok(dict)
}

/// The Python exception of an error.
#[cold]
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    static FROM_NATIVE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let exception =
        helper(py, &FROM_NATIVE, "lapack_py._errors", "from_native").and_then(|make| make.call1((fields(py, error)?,)));
    match exception {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}

/// Gives a warning at the line of the user's call; once for each line, under Python's own filters.
#[cold]
pub(crate) fn warn(py: Python<'_>, warnings: &[Error]) -> PyResult<()> {
    static WARN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let warn = helper(py, &WARN, "lapack_py._errors", "warn")?;
    for warning in warnings {
        warn.call1((fields(py, warning)?,))?;
    }
    Ok(())
}
