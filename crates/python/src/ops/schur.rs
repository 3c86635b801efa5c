use super::{require_matrix, result_class, with_scalar};
use crate::gate::enter_lapack;
use crate::input::{Input, common_dtype};
use crate::options::{bad, call_options, truth};
use crate::output::{Order, Output, named_tuple};
use crate::report::finish;
use lapack_ai::{CallOptions, DType, Scalar, SchurOut, schur_into};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// The Schur form of general square matrices, a = Z @ T @ Z.conj().T.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
///     NaN and Inf are refused with their place.
/// output : "real" or "complex"
///     For real input: "real" gives a real T with blocks of order 2 for conjugate pairs of eigenvalues, "complex" a
///     triangular one. For complex input both are the same.
/// overwrite_a : bool
///     Accepted for SciPy's sake; T is always a new array.
/// check_finite : bool
///     Accepted for SciPy's sake; the check is always on, since LAPACK itself would print complaints.
/// gpu, device, return_report
///     As for `svd`.
///
/// Returns
/// -------
/// SchurResult(T, Z)
///     T upper triangular, Z unitary, both (..., M, M) in Fortran order.
///
/// Raises
/// ------
/// NonFiniteError, ShapeError, ConvergenceError
///     All are numpy.linalg.LinAlgError.
///
/// Notes
/// -----
/// LAPACK xGEES, without sorting.
#[pyfunction]
#[pyo3(signature = (a, output="real", *, overwrite_a=false, check_finite=true, gpu=None, device=None, return_report=false))]
#[pyo3(
    text_signature = "(a, output='real', *, overwrite_a=False, check_finite=True, gpu='auto', device=None, return_report=False)"
)]
pub(crate) fn schur<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    output: &str,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let _ = overwrite_a;
    let complex = match output {
        "real" | "r" => false,
        "complex" | "c" => true,
        _ => return Err(bad("schur", &format!("output='{output}' must be 'real' or 'complex'"))),
    };
    let call = call_options("schur", check_finite, gpu, device, return_report)?;
    let mut input = Input::new(a, "schur", "a")?;
    require_matrix(py, "schur", "a", &input)?;
    if complex {
        let dtype = common_dtype(input.dtype(), DType::Complex64);
        input = input.cast(dtype)?;
    }
    with_scalar!(input.dtype(), run(py, &input, call))
}

fn run<'py, T: Scalar>(py: Python<'py>, input: &Input<'py>, call: CallOptions) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let (n, batch) = (a.rows(), a.batch_shape());
    let square = || Output::matrices::<T>(py, "schur", batch, n, n, Order::ColMajor);
    let (t, z) = (square()?, square()?);
    let out = SchurOut { t: t.view(), z: z.view() };
    let flops = 25.0 * (n as f64).powi(3) * a.count() as f64;
    let arrays = [Some(input.object()), Some(t.object()), Some(z.object())];
    let work_on = a.clone();
    let outcome = enter_lapack(py, flops, &arrays, move || schur_into(work_on.into(), out, call))?;
    finish(py, outcome, &[input], call.timed, || {
        static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let class = result_class(py, &CLASS, "SchurResult")?;
        named_tuple(&class, PyTuple::new(py, [t.into_array(), z.into_array()])?)
    })
}
