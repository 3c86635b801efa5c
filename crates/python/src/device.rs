//! Arrays on a device, as Python sees them.

use crate::errors::{helper, to_python};
use crate::gate::enter_lapack;
use crate::half::{Bits, as_half, dtype_name, dtype_object};
use crate::input::{Input, common_dtype};
use crate::ops::{matmul_shapes, with_scalar};
use crate::options::{self, bad};
use crate::output::{Order, Output};
use crate::report::{Report, warn_of};
use lapack_ai::gpu::array::{DeviceArray, Norm, Sums, matmul_on_device};
use lapack_ai::{BatchView, CallOptions, Code, Complex64, Device, ElementType, Error, MatrixView, Scalar, Stored};
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyComplex, PyEllipsis, PyFloat, PyInt, PySlice, PyTuple};
use std::time::Duration;

/// An array in the memory of an OpenCL device, made by `to_device` or by an operation on device arrays.
///
/// Transposes and slices are views, results of operations new arrays in C order. Nothing waits for the device until
/// `numpy()` copies the numbers to the host.
#[pyclass(frozen, name = "DeviceArray", module = "lapack_py")]
pub(crate) struct PyDeviceArray {
    pub(crate) inner: DeviceArray,
}

/// Work of a transfer in the terms of `enter_lapack`: some ten operations in the time of a byte.
fn transfer_flops(bytes: usize) -> f64 {
    10.0 * bytes as f64
}

/// Longer than this a kernel is waited for interruptibly.
const PATIENCE: Duration = Duration::from_micros(500);

pub(crate) fn wrap(py: Python<'_>, inner: DeviceArray) -> PyResult<Bound<'_, PyAny>> {
    Ok(Bound::new(py, PyDeviceArray { inner })?.into_any())
}

/// The device array that an object is.
pub(crate) fn device_array(object: &Bound<'_, PyAny>) -> Option<DeviceArray> {
    object.cast::<PyDeviceArray>().ok().map(|array| array.get().inner.clone())
}

/// Copies an array to the host.
pub(crate) fn fetch<'py>(py: Python<'py>, array: &DeviceArray) -> PyResult<Bound<'py, PyAny>> {
    match array.dtype() {
        ElementType::Lapack(dtype) => with_scalar!(dtype, fetch_as(py, array)),
        ElementType::Half(half) => {
            let shape = array.shape();
            let (batch, last) = shape.split_at(shape.len().saturating_sub(2));
            let output = Output::bits(py, "numpy", batch, last)?;
            as_half(&fetch_into(py, array, output, DeviceArray::to_host_16)?, half)
        }
    }
}

fn fetch_as<'py, T: Scalar>(py: Python<'py>, array: &DeviceArray) -> PyResult<Bound<'py, PyAny>> {
    let shape = array.shape();
    let output = match *shape {
        [] => Output::scalars::<T>(py, "numpy", &[])?,
        [n] => Output::vectors::<T>(py, "numpy", &[], n)?,
        [.., rows, cols] => Output::matrices::<T>(py, "numpy", &shape[..shape.len() - 2], rows, cols, Order::RowMajor)?,
    };
    fetch_into(py, array, output, DeviceArray::to_host::<T>)
}

fn fetch_into<'py, T: Stored>(
    py: Python<'py>,
    array: &DeviceArray,
    mut output: Output<'py>,
    copy: fn(&DeviceArray, &mut [T]) -> lapack_ai::Result<()>,
) -> PyResult<Bound<'py, PyAny>> {
    let target = output.elements::<T>();
    let ready = py.detach(|| array.is_ready_within(PATIENCE));
    let flops = if ready { transfer_flops(size_of_val(target)) } else { f64::INFINITY };
    let source = array.clone();
    let outcome = enter_lapack(py, flops, &[Some(output.object())], move || copy(&source, target))?;
    outcome.map_err(|error| to_python(py, &error))?;
    Ok(output.into_array())
}

/// Copies an array of the host to a device.
pub(crate) fn send(py: Python<'_>, input: &Input<'_>, device: Device) -> PyResult<DeviceArray> {
    with_scalar!(input.dtype(), send_as(py, input, device))
}

fn send_as<T: Scalar>(py: Python<'_>, input: &Input<'_>, device: Device) -> PyResult<DeviceArray> {
    let shape = input.shape().to_vec();
    let view: BatchView<'static, T> = match shape.len() {
        0 => input.number::<T>(),
        1 => input.vector::<T>(true),
        _ => input.matrices::<T>(),
    };
    let bytes = shape.iter().product::<usize>() * size_of::<T>();
    let work = move || DeviceArray::from_host(device, &shape, &view);
    let outcome = enter_lapack(py, transfer_flops(bytes), &[Some(input.object())], work)?;
    outcome.map_err(|error| to_python(py, &error))
}

/// As [`send`], for 16-bit numbers.
pub(crate) fn send_bits(py: Python<'_>, bits: &Bits<'_>, device: Device) -> PyResult<DeviceArray> {
    let (shape, view, half) = (bits.shape().to_vec(), bits.matrices(), bits.half);
    let bytes = 2 * shape.iter().product::<usize>();
    let work = move || DeviceArray::from_host_16(device, half, &shape, &view);
    let outcome = enter_lapack(py, transfer_flops(bytes), &[Some(bits.object())], work)?;
    outcome.map_err(|error| to_python(py, &error))
}

/// Copies an array to the memory of a GPU, where it stays through a chain of operations.
///
/// Parameters
/// ----------
/// a : array_like
///     Of any number of dimensions. float16 and bfloat16 (of ml_dtypes) stay what they are and are for products only; what
///     else NumPy makes no float or complex array of is converted as by the operations.
/// device : str or int, optional
///     A part of the device's name or of its platform's, its number in `devices()`, or "cpu" for an OpenCL device that is
///     a CPU. The default is the device that `gpu="auto"` uses.
///
/// Returns
/// -------
/// DeviceArray
///
/// Raises
/// ------
/// GpuUnavailableError
///     If there is no such device.
/// SizeError
///     If it has not enough memory; the message has the numbers.
#[pyfunction]
#[pyo3(signature = (a, device=None))]
pub(crate) fn to_device<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    device: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let wanted = match device {
        Some(device) => options::named_device("to_device", device)?,
        None => options::current_device(),
    };
    let wanted = if matches!(wanted, Device::On(_)) { wanted } else { Device::Auto };
    if let Some(array) = device_array(a)
        && (wanted == Device::Auto || array.device() == wanted)
    {
        return Ok(a.clone());
    }
    if let Some(bits) = Bits::of(a)? {
        return wrap(py, send_bits(py, &bits, wanted)?);
    }
    let input = Input::new(a, "to_device", "a")?;
    wrap(py, send(py, &input, wanted)?)
}

#[pymethods]
impl PyDeviceArray {
    /// All extents.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.shape())
    }
    /// Element type, a numpy.dtype.
    #[getter]
    fn dtype<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        dtype_object(py, self.inner.dtype())
    }
    /// Number of dimensions.
    #[getter]
    fn ndim(&self) -> usize {
        self.inner.shape().len()
    }
    /// Number of elements.
    #[getter]
    fn size(&self) -> usize {
        self.inner.size()
    }
    /// Size of the elements in bytes.
    #[getter]
    fn nbytes(&self) -> usize {
        self.inner.size() * self.inner.dtype().size()
    }
    /// Name of the device.
    #[getter]
    fn device(&self) -> &'static str {
        self.inner.device_name()
    }
    /// Number of the device in `devices()`.
    #[getter]
    fn device_number(&self) -> usize {
        match self.inner.device() {
            Device::On(number) => number,
            _ => 0,
        }
    }
    /// All axes in reverse order: a view.
    #[getter(T)]
    fn reversed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        wrap(py, self.inner.reversed())
    }
    /// Each matrix transposed: a view.
    #[getter(mT)]
    fn transposed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if self.inner.shape().len() < 2 {
            let text = format!("the array has {} dimensions; mT needs 2", self.inner.shape().len());
            return Err(to_python(py, &Error::text(Code::NotAMatrix, "mT", text)));
        }
        wrap(py, self.inner.transposed())
    }
    /// The numbers as a numpy.ndarray in C order. Waits for the device.
    fn numpy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        fetch(py, &self.inner)
    }
    /// A packed copy on the same device.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.copied(py, false)
    }
    /// The complex conjugate; the array itself if it is real.
    fn conj<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if slf.get().inner.dtype().is_complex() { slf.get().copied(slf.py(), true) } else { Ok(slf.clone().into_any()) }
    }
    /// The same elements in C order under another shape; one extent may be -1.
    #[pyo3(signature = (*shape))]
    fn reshape<'py>(&self, py: Python<'py>, shape: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let single = (shape.len() == 1).then(|| shape.get_item(0)).transpose()?;
        let extents: Vec<i64> = match single.as_ref().and_then(|one| one.cast::<PyTuple>().ok()) {
            Some(inner) => inner.extract::<Vec<i64>>()?,
            None => shape.extract::<Vec<i64>>()?,
        };
        let known: i64 = extents.iter().filter(|extent| **extent >= 0).product();
        let fill = |extent: i64| match extent {
            -1 if known > 0 => self.inner.size() / known as usize,
            0.. => extent as usize,
            _ => usize::MAX,
        };
        let shape: Vec<usize> = extents.iter().map(|extent| fill(*extent)).collect();
        if extents.iter().filter(|extent| **extent == -1).count() > 1 || shape.contains(&usize::MAX) {
            return Err(bad("reshape", &format!("shape {extents:?} must be extents, of which one may be -1")));
        }
        wrap(py, self.inner.reshaped(&shape).map_err(|error| to_python(py, &error))?)
    }
    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        wrap(key.py(), self.indexed(key)?)
    }
    fn __len__(&self) -> PyResult<usize> {
        self.inner.shape().first().copied().ok_or_else(|| PyTypeError::new_err("len() of an array without dimensions"))
    }
    fn __matmul__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        multiply(slf.as_any(), other, None, options::default_call())
    }
    fn __rmatmul__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        multiply(other, slf.as_any(), None, options::default_call())
    }
    fn __mul__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.times(other, |x| x)
    }
    fn __rmul__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.times(other, |x| x)
    }
    fn __truediv__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.times(other, |x| Complex64::new(1.0, 0.0) / x)
    }
    fn __neg__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.scaled(py, Complex64::new(-1.0, 0.0))
    }
    fn __add__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.combined(other, 1.0)
    }
    fn __sub__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.combined(other, -1.0)
    }
    /// A norm of each matrix, computed on the device: "fro", 1, inf (largest row sum) or "max". A float, or an array over
    /// the leading dimensions.
    #[pyo3(signature = (ord=None))]
    fn norm<'py>(&self, py: Python<'py>, ord: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let which = match ord {
            None => Norm::Frobenius,
            Some(ord) if ord.eq("fro").unwrap_or(false) => Norm::Frobenius,
            Some(ord) if ord.eq("max").unwrap_or(false) => Norm::Max,
            Some(ord) if ord.eq(1).unwrap_or(false) => Norm::One,
            Some(ord) if ord.eq(f64::INFINITY).unwrap_or(false) => Norm::Inf,
            Some(ord) => return Err(bad("norm", &format!("ord={} must be 'fro', 1, inf or 'max'", ord.repr()?))),
        };
        let inner = self.inner.clone();
        let norms = enter_lapack(py, f64::INFINITY, &[], move || inner.norms(which))?;
        let norms = norms.map_err(|error| to_python(py, &error))?;
        if let ([_, _], [norm]) = (self.inner.shape(), &norms[..]) {
            return Ok(PyFloat::new(py, *norm).into_any());
        }
        let leading = &self.inner.shape()[..self.inner.shape().len() - 2];
        let array = py.import("numpy")?.getattr("array")?.call1((norms,))?;
        array.call_method1("reshape", (PyTuple::new(py, leading)?,))
    }
    /// Refused: a copy to the host in silence is what device arrays are there to avoid.
    #[pyo3(signature = (*args, **_keywords))]
    fn __array__(&self, args: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, pyo3::types::PyDict>>) -> PyResult<()> {
        let text = format!("it lies in the memory of the device {}", self.inner.device_name());
        let error = lapack_ai::Error::text(lapack_ai::Code::UnsupportedDType, "DeviceArray", text)
            .because(
                "NumPy reads the memory of the host, and a copy in silence is what device arrays are there to avoid",
            )
            .fix(lapack_ai::Applicability::Safe, "use .numpy() to copy it to the host.");
        Err(to_python(args.py(), &error))
    }
    /// NumPy leaves operators with device arrays to this class.
    #[classattr]
    fn __array_ufunc__() -> Option<bool> {
        None
    }
    fn __repr__(&self) -> String {
        let (shape, dtype) = (self.inner.shape(), self.inner.dtype().name());
        let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
        format!("<lapack_py.DeviceArray {} {dtype} on {}>", shape.join(" x "), self.inner.device_name())
    }
}

impl PyDeviceArray {
    fn copied<'py>(&self, py: Python<'py>, conjugate: bool) -> PyResult<Bound<'py, PyAny>> {
        wrap(py, self.inner.copied(conjugate).map_err(|error| to_python(py, &error))?)
    }

    fn scaled<'py>(&self, py: Python<'py>, alpha: Complex64) -> PyResult<Bound<'py, PyAny>> {
        wrap(py, self.inner.scaled(alpha).map_err(|error| to_python(py, &error))?)
    }

    fn times<'py>(
        &self,
        other: &Bound<'py, PyAny>,
        factor: impl Fn(Complex64) -> Complex64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = other.py();
        let Some(number) = number(other) else { return Ok(py.NotImplemented().into_bound(py)) };
        if number.im != 0.0 && !self.inner.dtype().is_complex() {
            return Err(bad(
                "scale",
                "a complex factor needs a complex array: convert it before it goes to the device",
            ));
        }
        self.scaled(py, factor(number))
    }

    fn combined<'py>(&self, other: &Bound<'py, PyAny>, sign: f64) -> PyResult<Bound<'py, PyAny>> {
        let py = other.py();
        let Some(other) = device_array(other) else { return Ok(py.NotImplemented().into_bound(py)) };
        let sum = self.inner.combined(Complex64::new(1.0, 0.0), &other, Complex64::new(sign, 0.0));
        wrap(py, sum.map_err(|error| to_python(py, &error))?)
    }

    /// The view that a key means: integers, slices, `...` and None, alone or in a tuple.
    fn indexed(&self, key: &Bound<'_, PyAny>) -> PyResult<DeviceArray> {
        let keys: Vec<Bound<'_, PyAny>> = match key.cast::<PyTuple>() {
            Ok(tuple) => tuple.iter().collect(),
            Err(_) => vec![key.clone()],
        };
        let is_ellipsis = |key: &Bound<'_, PyAny>| key.is_instance_of::<PyEllipsis>();
        let used = keys.iter().filter(|key| !key.is_none() && !is_ellipsis(key)).count();
        let axes = self.inner.shape().len();
        if keys.iter().filter(|key| is_ellipsis(key)).count() > 1 {
            return Err(PyIndexError::new_err("an index can only have a single ellipsis ('...')"));
        }
        if used > axes {
            let text = format!("too many indices: the array has {axes} dimensions, but {used} were indexed");
            return Err(PyIndexError::new_err(text));
        }
        let mut array = self.inner.clone();
        // The next axis of the view, and which axis of this array that is.
        let (mut axis, mut own) = (0, 0);
        for key in &keys {
            if is_ellipsis(key) {
                axis += axes - used;
                own += axes - used;
            } else if key.is_none() {
                array = array.with_axis(axis);
                axis += 1;
            } else if let Ok(slice) = key.cast::<PySlice>() {
                let range = slice.indices(array.shape()[axis] as isize)?;
                array = array.sliced(axis, range.start.max(0) as usize, range.slicelength, range.step);
                axis += 1;
                own += 1;
            } else if let Some(index) = whole_number(key) {
                let extent = array.shape()[axis] as isize;
                let place = if index < 0 { index + extent } else { index };
                if !(0..extent).contains(&place) {
                    let text = format!("index {index} is out of bounds for axis {own} with size {extent}");
                    return Err(PyIndexError::new_err(text));
                }
                array = array.sliced(axis, place as usize, 1, 1).without_axis(axis);
                own += 1;
            } else {
                return Err(PyTypeError::new_err("device arrays are indexed by integers, slices, ... and None only"));
            }
        }
        Ok(array)
    }
}

/// An index; a flag is none, though Python counts it among the integers: for NumPy it is a mask.
fn whole_number(key: &Bound<'_, PyAny>) -> Option<isize> {
    if key.is_instance_of::<PyBool>() { None } else { key.extract().ok() }
}

/// A number as a factor.
fn number(object: &Bound<'_, PyAny>) -> Option<Complex64> {
    if object.is_instance_of::<PyFloat>() || object.is_instance_of::<PyInt>() {
        return object.extract::<f64>().ok().map(|re| Complex64::new(re, 0.0));
    }
    if let Ok(number) = object.cast::<PyComplex>() {
        return Some(Complex64::new(number.real(), number.imag()));
    }
    // NumPy's numbers; its arrays have a length.
    let scalar =
        object.hasattr("dtype").unwrap_or(false) && object.getattr("ndim").is_ok_and(|n| n.eq(0).unwrap_or(false));
    if !scalar || device_array(object).is_some() {
        return None;
    }
    let complex = object.py().import("builtins").ok()?.getattr("complex").ok()?.call1((object,)).ok()?;
    let number = complex.cast::<PyComplex>().ok()?;
    Some(Complex64::new(number.real(), number.imag()))
}

/// An operand of a product that has `common` type, on the device: what is on the host, or of another type, goes there.
pub(crate) fn operand<'py>(
    operation: &str,
    object: &Bound<'py, PyAny>,
    name: &str,
    device: Device,
    common: ElementType,
) -> PyResult<DeviceArray> {
    let py = object.py();
    let array = device_array(object);
    if let Some(array) = &array
        && array.dtype() == common
    {
        return Ok(array.clone());
    }
    let host = array.map_or_else(|| Ok(object.clone()), |array| fetch(py, &array))?;
    match (Bits::of(&host)?, common) {
        (Some(bits), ElementType::Half(_)) => send_bits(py, &bits, device),
        (Some(bits), ElementType::Lapack(dtype)) => {
            let wide = as_half(bits.object(), bits.half)?.call_method1("astype", (dtype.name(),))?;
            send(py, &Input::new(&wide, operation, name)?, device)
        }
        (None, common) => send(py, &Input::new(&host, operation, name)?.cast(common.sums())?, device),
    }
}

/// The element type of an operand.
pub(crate) fn type_of(operation: &str, object: &Bound<'_, PyAny>, name: &str) -> PyResult<ElementType> {
    if let Some(array) = device_array(object) {
        return Ok(array.dtype());
    }
    match Bits::of(object)? {
        Some(bits) => Ok(bits.half.into()),
        None => Input::new(object, operation, name).map(|input| input.dtype().into()),
    }
}

/// `a @ b` where at least one is on a device; so is the result.
pub(crate) fn multiply<'py>(
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    dtype: Option<&Bound<'py, PyAny>>,
    call: CallOptions,
) -> PyResult<Bound<'py, PyAny>> {
    let py = a.py();
    let known = [device_array(a), device_array(b)];
    let device = known.iter().flatten().next().map_or(Device::Auto, DeviceArray::device);
    let types = [type_of("matmul", a, "x1")?, type_of("matmul", b, "x2")?];
    let common = if types[0] == types[1] { types[0] } else { common_dtype(types[0].sums(), types[1].sums()).into() };
    let sums = match dtype.map(dtype_name).transpose()?.as_deref() {
        None => Sums::Rounded,
        Some(name) if name == common.name() => Sums::Rounded,
        Some("float32") if matches!(common, ElementType::Half(_)) => Sums::Float32,
        Some(name) => {
            let text = format!("dtype={name} is not the type of a product on a device of {}", common.name());
            return Err(bad("matmul", &text));
        }
    };
    let a = operand("matmul", a, "x1", device, common)?;
    let b = operand("matmul", b, "x2", device, common)?;
    let (a_axes, b_axes) = (a.shape().len(), b.shape().len());
    matmul_shapes(py, a_axes, b_axes)?;
    let a_matrix = if a_axes == 1 { a.with_axis(0) } else { a };
    let b_matrix = if b_axes == 1 { b.with_axis(1) } else { b };
    let work = move || matmul_on_device(&a_matrix, &b_matrix, sums, call);
    // A call that is timed waits for the kernel.
    let flops = if call.timed { f64::INFINITY } else { 1e6 };
    let outcome = enter_lapack(py, flops, &[], work)?;
    let (mut product, report) = outcome.map_err(|error| to_python(py, &error))?;
    if a_axes == 1 {
        product = product.without_axis(product.shape().len() - 2);
    }
    if b_axes == 1 {
        product = product.without_axis(product.shape().len() - 1);
    }
    warn_of(py, &report)?;
    let product = wrap(py, product)?;
    if !call.timed {
        return Ok(product);
    }
    Ok((product, Report::new(report)).into_pyobject(py)?.into_any())
}

/// The results of an operation on arrays that came from a device, brought back there.
#[cold]
pub(crate) fn results_to_device<'py>(result: Bound<'py, PyAny>, like: &DeviceArray) -> PyResult<Bound<'py, PyAny>> {
    static BRING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = result.py();
    let Device::On(number) = like.device() else { return Ok(result) };
    helper(py, &BRING, "lapack_py._device", "results_to_device")?.call1((result, number))
}

/// A matrix view of one number.
pub(crate) fn one_number<T: Scalar>(data: *const T) -> BatchView<'static, T> {
    // SAFETY: one element, which the caller keeps alive.
    unsafe { MatrixView::from_raw(data, 1, 1, 1, 1) }.into()
}
