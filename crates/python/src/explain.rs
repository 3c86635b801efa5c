//! The catalogue, as JSON that `lapack_py._explain` makes objects of.

use lapack_ai::explain::{Dims, answer, catalogue_json, explain_iter, explanation_json};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The meaning of a code, or of a number that a routine or OpenCL returned.
#[pyfunction]
#[pyo3(signature = (what, number, n, m))]
pub(crate) fn explain(what: &str, number: Option<i64>, n: Option<i64>, m: Option<i64>) -> PyResult<String> {
    match answer(what, number, Dims { m, n, k: None }) {
        Ok(found) => Ok(found.json().to_string()),
        Err(why) => Err(PyValueError::new_err(why)),
    }
}

/// The meaning of ITER of a mixed-precision driver.
#[pyfunction(name = "explain_iter")]
pub(crate) fn explain_iteration(routine: &str, iter: i64) -> PyResult<String> {
    match explain_iter(routine, iter) {
        Ok(found) => Ok(explanation_json(&found).to_string()),
        Err(why) => Err(PyValueError::new_err(why.to_string())),
    }
}

/// Every code with its classes of INFO.
#[pyfunction]
pub(crate) fn catalogue() -> String {
    catalogue_json().to_string()
}
