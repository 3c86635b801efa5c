//! The report of a call, as Python sees it.

use crate::device::results_to_device;
use crate::errors;
use crate::input::Input;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// What a call did: engine and reason, routine, time by phase, copies, conditioning, warnings.
///
/// Times are in seconds; phases of matrices that ran side by side add up, so their sum can exceed the total.
#[pyclass(frozen, module = "lapack_py")]
pub(crate) struct Report {
    inner: lapack_ai::Report,
}

#[pymethods]
impl Report {
    /// Name of the operation.
    #[getter]
    fn operation(&self) -> &'static str {
        self.inner.operation
    }
    /// Element type, by NumPy's name.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.inner.dtype.name()
    }
    /// (matrices, rows, columns).
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        (self.inner.batch, self.inner.rows, self.inner.cols)
    }
    /// Who computed: "cpu" or "opencl".
    #[getter]
    fn engine(&self) -> &'static str {
        self.inner.engine.name()
    }
    /// Why that engine.
    #[getter]
    fn reason(&self) -> &str {
        &self.inner.reason
    }
    /// Name of the OpenCL device that computed, or None.
    #[getter]
    fn device(&self) -> Option<&str> {
        self.inner.device.as_deref()
    }
    /// Seconds that were expected: cpu, gpu (kernels), transfer; each None where it was not asked. None if no choice
    /// was made.
    #[getter]
    fn prediction<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.inner.prediction.map(|prediction| prediction_dict(py, &prediction)).transpose()
    }
    /// Pieces in which the operands went to the device.
    #[getter]
    fn chunks(&self) -> usize {
        self.inner.chunks
    }
    /// Whether the device's result was checked against the operands.
    #[getter]
    fn verified(&self) -> bool {
        self.inner.verified
    }
    /// Kernels and transfers as the device timed them: (name, start, seconds, bytes). Empty on the CPU.
    #[getter]
    fn spans(&self) -> Vec<(String, f64, f64, usize)> {
        let spans = self.inner.spans.iter();
        spans.map(|span| (span.name.to_string(), span.start, span.seconds, span.bytes)).collect()
    }
    /// The LAPACK routine, without its type prefix.
    #[getter]
    fn routine(&self) -> &'static str {
        self.inner.routine
    }
    /// The structure of the matrix that was used ("general", "positive definite", ...; "several" for a batch of
    /// different ones), or None where the operation asks for none.
    #[getter]
    fn structure(&self) -> Option<&'static str> {
        (!self.inner.structure.is_empty()).then_some(self.inner.structure)
    }
    /// The algorithm of a product that has a choice of them, or None.
    #[getter]
    fn algorithm(&self) -> Option<&'static str> {
        (!self.inner.algorithm.is_empty()).then_some(self.inner.algorithm)
    }
    /// Refinements of a solution in mixed precision; negative if they were given up; None without them.
    #[getter]
    fn refinements(&self) -> Option<i64> {
        self.inner.refinements
    }
    /// Matrices worked on side by side.
    #[getter]
    fn workers(&self) -> usize {
        self.inner.workers
    }
    /// Copies made of input matrices.
    #[getter]
    fn copies(&self) -> usize {
        self.inner.copies
    }
    /// Their size in bytes.
    #[getter]
    fn bytes_copied(&self) -> usize {
        self.inner.bytes_copied
    }
    /// Smallest estimate of the reciprocal condition number, or None.
    #[getter]
    fn rcond(&self) -> Option<f64> {
        self.inner.rcond
    }
    /// Where it comes from: "pivots", "probe", "estimator", "singular-values", "diagonal", or None.
    #[getter]
    fn rcond_source(&self) -> Option<&'static str> {
        self.inner.rcond_source.map(lapack_ai::RcondSource::name)
    }
    /// Index (C order) of the matrix it belongs to.
    #[getter]
    fn rcond_matrix(&self) -> usize {
        self.inner.rcond_matrix
    }
    /// Seconds by phase: total, intake, compute, transfer, conditioning.
    #[getter]
    fn times<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let times = &self.inner.times;
        let dict = PyDict::new(py);
        dict.set_item("total", times.total.as_secs_f64())?;
        dict.set_item("intake", times.intake.as_secs_f64())?;
        dict.set_item("compute", times.compute.as_secs_f64())?;
        dict.set_item("transfer", times.transfer.as_secs_f64())?;
        dict.set_item("conditioning", times.conditioning.as_secs_f64())?;
        Ok(dict)
    }
    /// One-line texts of the warnings.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.inner.warnings.iter().map(ToString::to_string))
    }
    /// The exceptions of the matrices that failed, where the call went on without them (errors="warn" or "collect").
    #[getter]
    fn failures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.inner.failures.iter().map(|failure| errors::to_python(py, failure).into_value(py)))
    }

    fn __repr__(&self) -> String {
        let report = &self.inner;
        let rcond = report.rcond.map_or(String::new(), |rcond| format!(", rcond {rcond:.1e}"));
        format!(
            "<lapack_py.Report {} {} x {} x {} {}: {} by {} ({}), {:.3} ms, {} copies{rcond}>",
            report.operation,
            report.batch,
            report.rows,
            report.cols,
            report.dtype.name(),
            report.routine,
            report.engine.name(),
            report.reason,
            report.times.total.as_secs_f64() * 1e3,
            report.copies,
        )
    }
}

/// The fields of a prediction under their Python names.
pub(crate) fn prediction_dict<'py>(
    py: Python<'py>,
    prediction: &lapack_ai::Prediction,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("cpu", prediction.cpu)?;
    dict.set_item("gpu", prediction.gpu)?;
    dict.set_item("transfer", prediction.transfer)?;
    Ok(dict)
}

impl Report {
    pub(crate) fn new(inner: lapack_ai::Report) -> Self {
        Self { inner }
    }
}

/// A report seen by an observer.
pub(crate) fn observed(report: &lapack_ai::Report) -> Report {
    Report { inner: report.clone() }
}

/// The end of every operation: warnings are given, and `result` is returned, with the report beside it if asked for.
#[inline]
pub(crate) fn finish<'py>(
    py: Python<'py>,
    outcome: Result<lapack_ai::Report, lapack_ai::Error>,
    inputs: &[&Input<'py>],
    return_report: bool,
    result: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let report = outcome.map_err(|error| errors::to_python(py, &error))?;
    warn_of(py, &report)?;
    let mut result = result()?;
    let home = inputs.iter().find_map(|input| input.home.as_ref());
    if let Some(home) = home {
        result = results_to_device(result, home)?;
    }
    if !return_report {
        return Ok(result);
    }
    with_report(result, report, inputs)
}

/// Gives the warnings of a call.
#[inline]
pub(crate) fn warn_of(py: Python<'_>, report: &lapack_ai::Report) -> PyResult<()> {
    if report.warnings.is_empty() { Ok(()) } else { errors::warn(py, &report.warnings) }
}

#[cold]
fn with_report<'py>(
    result: Bound<'py, PyAny>,
    mut report: lapack_ai::Report,
    inputs: &[&Input<'py>],
) -> PyResult<Bound<'py, PyAny>> {
    let py = result.py();
    for input in inputs {
        report.copies += input.copies;
        report.bytes_copied += input.bytes_copied;
    }
    if let Some(home) = inputs.iter().find_map(|input| input.home.as_ref()) {
        report.reason = format!("{}; its operands were fetched from {}", report.reason, home.device_name()).into();
    }
    Ok((result, Report { inner: report }).into_pyobject(py)?.into_any())
}
