use super::{broadcast, require_matrix, result_class, unify, with_scalar};
use crate::errors::helper;
use crate::gate::enter_lapack;
use crate::input::{Input, writable};
use crate::options::{Fixing, call_options, truth};
use crate::output::{Order, Output, named_tuple};
use crate::report::finish;
use lapack_ai::{
    BatchView, EigOptions, EigOut, Error, GeneralisedEigOut, Operand, Report, Scalar, all_real, eig_generalised_into,
    eig_into, eigenvalue_quotients, join_eigenvalues, join_eigenvectors,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// Eigenvalues and eigenvectors of general square matrices, a @ v = w * v.
///
/// ``eig(a)`` is NumPy's. With ``b``, ``left=True``, ``right=False`` or ``homogeneous_eigvals=True`` the result is SciPy's.
///
/// Parameters
/// ----------
/// a : array_like, shape (..., M, M)
///     NaN and Inf are refused with their place.
/// b : array_like, shape (..., M, M), optional
///     Solve the generalised problem a @ v = w * (b @ v). It may be singular: then there are infinite eigenvalues.
/// left, right : bool
///     Which eigenvectors to compute. Left ones satisfy u.conj().T @ a = w * u.conj().T (@ b).
/// homogeneous_eigvals : bool
///     Return the eigenvalues as pairs (..., 2, M): w = pairs[..., 0, :] / pairs[..., 1, :].
/// overwrite_a, overwrite_b : bool
///     Allow the memory to be used as workspace, where the array is in Fortran order: saves the copy.
/// check_finite : bool
///     Accepted for SciPy's sake; the check is always on, since LAPACK itself would print complaints.
/// gpu, device, return_report
///     As for `svd`.
/// errors, autofix
///     As for `solve`.
///
/// Returns
/// -------
/// EigResult(eigenvalues, eigenvectors)
///     Eigenvalues (..., M), in no order; eigenvectors (..., M, M) in columns of length 1 (Fortran order). Both are complex,
///     but with NumPy before 2.5 real, as there, if the input and all eigenvalues of all matrices are.
///     In SciPy's forms: w, (w, vl), (w, vl, vr), or EigResult with ``b``; w is always complex.
///
/// Raises
/// ------
/// NonFiniteError, ShapeError, ConvergenceError
///     All are numpy.linalg.LinAlgError.
///
/// Notes
/// -----
/// LAPACK xGEEV; with ``b`` xGGEV. For symmetric and Hermitian matrices `eigh` is faster and more accurate.
#[pyfunction]
#[pyo3(signature = (a, b=None, *, left=false, right=true, homogeneous_eigvals=false, overwrite_a=false, overwrite_b=false, check_finite=true, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(a, b=None, *, left=False, right=True, homogeneous_eigvals=False, overwrite_a=False, overwrite_b=False, check_finite=True, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
pub(crate) fn eig<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] left: bool,
    #[pyo3(from_py_with = truth)] right: bool,
    #[pyo3(from_py_with = truth)] homogeneous_eigvals: bool,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let fixing = Fixing::new("eig", autofix)?;
    let call = fixing.options(call_options("eig", check_finite, gpu, device, return_report)?, errors)?;
    let scipys = b.is_some() || left || !right || homogeneous_eigvals;
    let form = Form {
        options: EigOptions { left, right, quotients: !homogeneous_eigvals, call },
        homogeneous: homogeneous_eigvals,
        scipys,
    };
    dispatch(py, a, b, form, [overwrite_a, overwrite_b])
}

/// Eigenvalues of general square matrices, shape (..., M).
///
/// As ``eig(a).eigenvalues`` at a fraction of the cost: real if all are, for real input. With ``b`` or
/// ``homogeneous_eigvals=True`` the result is SciPy's, which is always complex.
#[pyfunction]
#[pyo3(signature = (a, b=None, *, homogeneous_eigvals=false, overwrite_a=false, overwrite_b=false, check_finite=true, gpu=None, device=None, return_report=false, errors=None, autofix=None))]
#[pyo3(
    text_signature = "(a, b=None, *, homogeneous_eigvals=False, overwrite_a=False, overwrite_b=False, check_finite=True, gpu='auto', device=None, return_report=False, errors='raise', autofix=None)"
)]
pub(crate) fn eigvals<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] homogeneous_eigvals: bool,
    #[pyo3(from_py_with = truth)] overwrite_a: bool,
    #[pyo3(from_py_with = truth)] overwrite_b: bool,
    #[pyo3(from_py_with = truth)] check_finite: bool,
    gpu: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = truth)] return_report: bool,
    errors: Option<&str>,
    autofix: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let fixing = Fixing::new("eig", autofix)?;
    let call = fixing.options(call_options("eig", check_finite, gpu, device, return_report)?, errors)?;
    let options = EigOptions { left: false, right: false, quotients: !homogeneous_eigvals, call };
    let form = Form { options, homogeneous: homogeneous_eigvals, scipys: b.is_some() || homogeneous_eigvals };
    dispatch(py, a, b, form, [overwrite_a, overwrite_b])
}

/// What is to be returned.
#[derive(Clone, Copy)]
struct Form {
    options: EigOptions,
    homogeneous: bool,
    /// Eigenvalues are complex in any case.
    scipys: bool,
}

fn dispatch<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: Option<&Bound<'py, PyAny>>,
    form: Form,
    overwrite: [bool; 2],
) -> PyResult<Bound<'py, PyAny>> {
    let a = Input::new(a, "eig", "a")?;
    require_matrix(py, "eig", "a", &a)?;
    let Some(b) = b else {
        return with_scalar!(a.dtype(), run(py, &a, form, overwrite[0]));
    };
    let b = second_matrix(py, "eig", b)?;
    let (a, b) = unify(a, b)?;
    with_scalar!(a.dtype(), run_pair(py, &a, &b, form, overwrite))
}

/// The second matrix of a pair.
pub(super) fn second_matrix<'py>(
    py: Python<'py>,
    operation: &'static str,
    b: &Bound<'py, PyAny>,
) -> PyResult<Input<'py>> {
    let b = Input::new(b, operation, "b")?;
    require_matrix(py, operation, "b", &b)?;
    Ok(b)
}

/// New arrays for LAPACK's packed form.
struct Packed<'py> {
    values: Output<'py>,
    imaginary: Option<Output<'py>>,
    beta: Option<Output<'py>>,
    left: Option<Output<'py>>,
    right: Option<Output<'py>>,
    batch: Vec<usize>,
    n: usize,
}

impl<'py> Packed<'py> {
    fn new<T: Scalar>(py: Python<'py>, batch: &[usize], n: usize, form: Form, beta: bool) -> PyResult<Self> {
        let vectors = || Output::vectors::<T>(py, "eig", batch, n);
        let matrices = || Output::matrices::<T>(py, "eig", batch, n, n, Order::ColMajor);
        Ok(Self {
            values: vectors()?,
            imaginary: (!T::DTYPE.is_complex()).then(vectors).transpose()?,
            beta: beta.then(vectors).transpose()?,
            left: form.options.left.then(matrices).transpose()?,
            right: form.options.right.then(matrices).transpose()?,
            batch: batch.to_vec(),
            n,
        })
    }

    /// The arrays, for `enter_lapack` to keep.
    fn objects(&self) -> [Option<&Bound<'py, PyAny>>; 5] {
        let optional = [&self.imaginary, &self.beta, &self.left, &self.right];
        let [imaginary, beta, left, right] = optional.map(|output| output.as_ref().map(Output::object));
        [Some(self.values.object()), imaginary, beta, left, right]
    }

    fn out<T: Scalar>(&self) -> EigOut<'static, T> {
        EigOut {
            eigenvalues: self.values.view(),
            imaginary: self.imaginary.as_ref().map(Output::view),
            left: self.left.as_ref().map(Output::view),
            right: self.right.as_ref().map(Output::view),
        }
    }

    fn finished<T: Scalar>(self, py: Python<'py>, form: Form) -> PyResult<Bound<'py, PyAny>> {
        let parts = self.imaginary.as_ref().map(Output::view::<T>);
        let parts: Option<BatchView<'_, T>> = parts.as_ref().map(|parts| parts.as_view());
        let real = parts.as_ref().is_some_and(all_real) && (form.scipys || !numpy_always_complex(py)?);
        // Complex drivers have no packed form, and with a real spectrum it is the result.
        let unpacked = real || T::DTYPE.is_complex();
        let unpack = |vectors: Output<'py>| {
            if unpacked {
                return Ok(vectors.into_array());
            }
            let joined = Output::matrices::<T::Complex>(py, "eig", &self.batch, self.n, self.n, Order::ColMajor)?;
            join_eigenvectors(parts.as_ref(), &vectors.view::<T>().as_view(), &mut joined.view());
            Ok::<_, PyErr>(joined.into_array())
        };
        let left = self.left.map(unpack).transpose()?;
        let right = self.right.map(unpack).transpose()?;

        let complex = || Output::vectors::<T::Complex>(py, "eig", &self.batch, self.n);
        let alpha = self.values.view::<T>();
        let alpha = alpha.as_view();
        let w = if form.homogeneous {
            let numerators = complex()?;
            join_eigenvalues(&alpha, parts.as_ref(), &mut numerators.view());
            let numerators = numerators.into_array();
            let beta = match self.beta {
                Some(beta) => beta.into_array(),
                None => py.import("numpy")?.call_method1("ones_like", (&numerators,))?,
            };
            static STACK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            helper(py, &STACK, "numpy", "stack")?.call1(((numerators, beta), -2))?
        } else if let Some(beta) = &self.beta {
            let quotients = complex()?;
            eigenvalue_quotients(&alpha, parts.as_ref(), &beta.view::<T>().as_view(), &mut quotients.view());
            quotients.into_array()
        } else if T::DTYPE.is_complex() || (real && !form.scipys) {
            self.values.into_array()
        } else {
            let joined = complex()?;
            join_eigenvalues(&alpha, parts.as_ref(), &mut joined.view());
            joined.into_array()
        };
        Ok(match (left, right) {
            (None, None) => w,
            (Some(left), None) => PyTuple::new(py, [w, left])?.into_any(),
            (Some(left), Some(right)) => PyTuple::new(py, [w, left, right])?.into_any(),
            (None, Some(right)) => {
                static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                let class = result_class(py, &CLASS, "EigResult")?;
                named_tuple(&class, PyTuple::new(py, [w, right])?)?
            }
        })
    }
}

/// Operations for one matrix of order n: `[values only, with vectors]` in units of n^3.
fn flops(units: [f64; 2], n: usize, count: usize, options: EigOptions) -> f64 {
    let units = units[usize::from(options.left || options.right)];
    units * (n as f64).powi(3) * count as f64
}

fn run<'py, T: Scalar>(
    py: Python<'py>,
    input: &Input<'py>,
    form: Form,
    overwrite_a: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let a = input.matrices::<T>();
    let packed = Packed::new::<T>(py, a.batch_shape(), a.rows(), form, false)?;
    let (out, options) = (packed.out::<T>(), form.options);
    let flops = flops([10.0, 25.0], a.rows(), a.count(), options);
    let [values, imaginary, _, left, right] = packed.objects();
    let arrays = [Some(input.object()), values, imaginary, left, right];
    let outcome = if input.may_overwrite(overwrite_a) {
        // SAFETY: allowed just above.
        let mut a = unsafe { writable(&a) };
        enter_lapack(py, flops, &arrays, move || eig_into(Operand::overwritable(&mut a), out, options))
    } else {
        enter_lapack(py, flops, &arrays, move || eig_into(a.into(), out, options))
    }?;
    finish(py, outcome, &[input], options.call.timed, || packed.finished::<T>(py, form))
}

fn run_pair<'py, T: Scalar>(
    py: Python<'py>,
    a_input: &Input<'py>,
    b_input: &Input<'py>,
    form: Form,
    overwrite: [bool; 2],
) -> PyResult<Bound<'py, PyAny>> {
    let (a, b) = (a_input.matrices::<T>(), b_input.matrices::<T>());
    let batch = broadcast(py, "eig", ["a", "b"], a.batch_shape(), b.batch_shape())?;
    let spread = a.batch_shape() != batch || b.batch_shape() != batch;
    let a = if a.batch_shape() == batch { a } else { a.broadcast_to(&batch).unwrap_or(a) };
    let b = if b.batch_shape() == batch { b } else { b.broadcast_to(&batch).unwrap_or(b) };
    let packed = Packed::new::<T>(py, &batch, a.rows(), form, true)?;
    let options = form.options;
    let EigOut { eigenvalues: alpha, imaginary, left, right } = packed.out::<T>();
    let beta = packed.beta.as_ref().expect("made for pairs").view();
    let out = GeneralisedEigOut { alpha, imaginary, beta, left, right };
    let flops = flops([30.0, 66.0], a.rows(), a.count(), options);
    // A matrix that is repeated, or is both a and b, is needed again.
    let distinct = !spread && a.as_ptr() != b.as_ptr();
    let overwrite_a = a_input.may_overwrite(overwrite[0] && distinct);
    let overwrite_b = b_input.may_overwrite(overwrite[1] && distinct);
    // SAFETY: allowed just above.
    let mut a_memory = overwrite_a.then(|| unsafe { writable(&a) });
    // SAFETY: as above.
    let mut b_memory = overwrite_b.then(|| unsafe { writable(&b) });
    let work = move || -> Result<Report, Error> {
        let a = a_memory.as_mut().map_or_else(|| a.into(), Operand::overwritable);
        let b = b_memory.as_mut().map_or_else(|| b.into(), Operand::overwritable);
        eig_generalised_into(a, b, out, options)
    };
    let [values, imaginary, beta, left, right] = packed.objects();
    let arrays = [Some(a_input.object()), Some(b_input.object()), values, imaginary, beta, left, right];
    let outcome = enter_lapack(py, flops, &arrays, work)?;
    finish(py, outcome, &[a_input, b_input], options.call.timed, || packed.finished::<T>(py, form))
}

/// Whether the NumPy at hand gives complex eigenvalues whatever they are, as the Array API standard asks and NumPy does
/// from 2.5 on.
fn numpy_always_complex(py: Python<'_>) -> PyResult<bool> {
    static ALWAYS: PyOnceLock<bool> = PyOnceLock::new();
    let known = ALWAYS.get_or_try_init(py, || -> PyResult<bool> {
        let version: String = py.import("numpy")?.getattr("__version__")?.extract()?;
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        Ok((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (2, 5))
    })?;
    Ok(*known)
}
