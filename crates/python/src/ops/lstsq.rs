use super::{bad_rhs, broadcast, require_matrix, result_class, rhs_advice, unify, with_scalar};
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{Fixing, call_options, truth};
use crate::output::{Order, Output, named_tuple, too_large};
use crate::report::finish;
use lapack_ai::{LstsqOptions, LstsqOut, Operand, Scalar, lstsq_into};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Least-squares solution of a @ x = b, of least norm where a is rank-deficient.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, N)
///     NaN and Inf are refused with their place.
/// b : array_like, shape (M,) or (..., M, K)
///     A vector only if it has exactly one dimension.
/// rcond : float or None
///     Singular values at most rcond times the largest count as zero; None means eps * max(M, N), -1 machine precision.
/// overwrite_a : bool
///     Allow a's memory to be used, where a is in Fortran order: saves the copy.
/// check_finite : bool
///     Accepted for SciPy's sake; the check is always on, since LAPACK itself would print complaints.
/// gpu, device, return_report
///     As for `svd`.
/// errors, autofix
///     As for `solve`.
///
/// Returns
/// -------
/// LstsqResult(x, residuals, rank, s)
///     x (..., N, K) or (..., N); residuals (..., K), empty if the rank is below N or M <= N (NaN for such members of a
///     batch); rank an int (an array for batches); s (..., min(M, N)).
///
/// Notes
/// -----
/// LAPACK xGELSD.
#[pyfunction]
#[pyo3(signature = (a, b, rcond=None, *, overwrite_a=false, check_finite=true, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(a, b, rcond=None, *, overwrite_a=False, check_finite=True, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
pub(crate) fn lstsq<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    rcond: Option<f64>,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let fixing = Fixing::new("lstsq", autofix)?;
    let call = fixing.options(call_options("lstsq", check_finite, gpu, device, return_report)?, errors)?;
    let (a, b) = (Input::new(a, "lstsq", "a")?, Input::new(b, "lstsq", "b")?);
    require_matrix(py, "lstsq", "a", &a)?;
    if b.shape().is_empty() {
        return Err(bad_rhs(py, "lstsq", "b is a single number; it needs at least 1 dimension".into(), None));
    }
    let (a, b) = unify(a, b)?;
    with_scalar!(a.dtype(), run(py, &a, &b, LstsqOptions { rcond, call }, overwrite_a))
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    a_input: &Input<'py>,
    b_input: &Input<'py>,
    options: LstsqOptions,
    overwrite_a: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let a = a_input.matrices::<T>();
    let one_vector = b_input.shape().len() == 1;
    let b = if one_vector { b_input.vector::<T>(false) } else { b_input.matrices::<T>() };
    let (m, n, nrhs) = (a.rows(), a.cols(), b.cols());
    if b.rows() != m {
        let text = format!("a is {m} x {n}, so b needs {m} rows, not {}", b.rows());
        let turned = (b.rows() == n).then(|| "pass a.T, which has as many rows as b.".to_string());
        let advice = turned.or_else(|| rhs_advice(a_input.shape(), b_input.shape()));
        return Err(bad_rhs(py, "lstsq", text, advice));
    }
    let batch = broadcast(py, "lstsq", ["a", "b"], a.batch_shape(), b.batch_shape())?;
    let b = if b.batch_shape() == batch { b } else { b.broadcast_to(&batch).unwrap_or(b) };
    let x = if one_vector {
        Output::vectors::<T>(py, "lstsq", &batch, n)?
    } else {
        Output::matrices::<T>(py, "lstsq", &batch, n, nrhs, Order::ColMajor)?
    };
    let residuals = Output::vectors::<T::Real>(py, "lstsq", &batch, nrhs)?;
    let s = Output::vectors::<T::Real>(py, "lstsq", &batch, m.min(n))?;
    let mut rank: Vec<AtomicUsize> = Vec::new();
    rank.try_reserve_exact(b.count()).map_err(|_| too_large(py, "lstsq", &batch, size_of::<usize>()))?;
    rank.resize_with(b.count(), AtomicUsize::default);
    let rank: Arc<[AtomicUsize]> = rank.into();
    let (ranks, x_view, residuals_view, s_view) = (Arc::clone(&rank), x.view(), residuals.view(), s.view());
    let flops = 8.0 * m.max(n) as f64 * (m.min(n) as f64).powi(2) * b.count() as f64 + 1e5;
    let overwrite = a_input.may_overwrite(overwrite_a);
    let objects = [a_input.object(), b_input.object(), x.object(), residuals.object(), s.object()].map(Some);
    let outcome = enter_lapack(py, flops, &objects, move || {
        let mut out = LstsqOut { x: x_view, residuals: residuals_view, s: s_view, rank: &ranks };
        if overwrite {
            // SAFETY: allowed just above.
            let mut a = unsafe { writable(&a) };
            lstsq_into(Operand::overwritable(&mut a), &b, &mut out, options)
        } else {
            lstsq_into(a.into(), &b, &mut out, options)
        }
    })?;
    finish(py, outcome, &[a_input, b_input], options.call.timed, || {
        let ranks: Vec<usize> = rank.iter().map(|rank| rank.load(Ordering::Relaxed)).collect();
        let all_full = ranks.iter().all(|&rank| rank == n) && m > n;
        let (residuals, rank) = if batch.is_empty() {
            // NumPy: an empty array where residuals say nothing.
            let residuals = if all_full { residuals } else { Output::vectors::<T::Real>(py, "lstsq", &[], 0)? };
            (residuals, ranks[0].into_pyobject(py)?.into_any())
        } else {
            let ranks = ranks.iter().map(|&rank| rank as i64).collect();
            let flat = numpy::PyArray1::from_vec(py, ranks);
            (residuals, flat.call_method1("reshape", (PyTuple::new(py, &batch)?,))?)
        };
        static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let class = result_class(py, &CLASS, "LstsqResult")?;
        named_tuple(&class, PyTuple::new(py, [x.into_array(), residuals.into_array(), rank, s.into_array()])?)
    })
}
