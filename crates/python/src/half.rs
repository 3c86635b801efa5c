//! Arrays of 16-bit numbers: their bits as NumPy's uint16, in and out. What float16 and bfloat16 are for NumPy, and how an
//! array becomes its bits, is `lapack_py._mixed`'s.

use crate::device::device_array;
use crate::errors::helper;
use crate::input::{Raw, is_readable};
use lapack_ai::{BatchView, ElementType, Half};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// The type of that name.
fn named(name: &str) -> PyResult<Half> {
    let found = Half::ALL.into_iter().find(|half| half.name() == name);
    found.ok_or_else(|| pyo3::exceptions::PyTypeError::new_err(format!("{name} is no 16-bit type")))
}

/// An array of 16-bit numbers.
pub(crate) struct Bits<'py> {
    raw: Raw<'py>,
    pub(crate) half: Half,
}

impl<'py> Bits<'py> {
    /// `bits`, which `lapack_py._mixed` made: aligned, native uint16 with strides of whole elements.
    fn new(bits: Bound<'py, PyAny>, name: &str) -> PyResult<Self> {
        Ok(Self { raw: Raw::of_16(bits)?, half: named(name)? })
    }

    /// The array of bits that a NumPy array of 16-bit numbers has; `None` for any other object.
    pub(crate) fn of(object: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        if is_readable(object) || device_array(object).is_some() {
            return Ok(None);
        }
        static BITS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let found = helper(object.py(), &BITS, "lapack_py._mixed", "bits_of")?.call1((object,))?;
        if found.is_none() {
            return Ok(None);
        }
        let (bits, name): (Bound<'py, PyAny>, String) = found.extract()?;
        Self::new(bits, &name).map(Some)
    }

    pub(crate) fn object(&self) -> &Bound<'py, PyAny> {
        self.raw.object()
    }

    pub(crate) fn shape(&self) -> &[usize] {
        self.raw.shape()
    }

    /// The last two axes as matrices; one axis is a row, none a single element.
    pub(crate) fn matrices(&self) -> BatchView<'static, u16> {
        self.raw.matrices_16()
    }
}

/// What a product of host arrays with a 16-bit operand, or with `dtype`, is computed from.
pub(crate) enum Prepared<'py> {
    /// As if neither were there.
    Plain,
    /// These operands, of one of LAPACK's types.
    Cast(Bound<'py, PyAny>, Bound<'py, PyAny>),
    /// 16-bit operands of two axes and more; whether the sums are rounded, and which operand had one axis only.
    Half { a: Bits<'py>, b: Bits<'py>, rounded: bool, vectors: [bool; 2] },
}

pub(crate) fn prepare<'py>(
    x1: &Bound<'py, PyAny>,
    x2: &Bound<'py, PyAny>,
    dtype: Option<&Bound<'py, PyAny>>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Prepared<'py>> {
    static PREPARE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let found = helper(x1.py(), &PREPARE, "lapack_py._mixed", "prepare")?.call1((x1, x2, dtype, out))?;
    if found.is_none() {
        return Ok(Prepared::Plain);
    }
    type Found<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<String>, bool, [bool; 2]);
    let (a, b, name, rounded, vectors): Found<'py> = found.extract()?;
    Ok(match name {
        None => Prepared::Cast(a, b),
        Some(name) => Prepared::Half { a: Bits::new(a, &name)?, b: Bits::new(b, &name)?, rounded, vectors },
    })
}

/// Bits as an array of their type.
pub(crate) fn as_half<'py>(bits: &Bound<'py, PyAny>, half: Half) -> PyResult<Bound<'py, PyAny>> {
    bits.call_method1("view", (dtype_object(bits.py(), half.into())?,))
}

/// The numpy.dtype of an element type.
pub(crate) fn dtype_object<'py>(py: Python<'py>, dtype: ElementType) -> PyResult<Bound<'py, PyAny>> {
    static NAMED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    helper(py, &NAMED, "lapack_py._mixed", "dtype_named")?.call1((dtype.name(),))
}

/// Name of the element type that `dtype` means, as NumPy says it.
pub(crate) fn dtype_name(dtype: &Bound<'_, PyAny>) -> PyResult<String> {
    static NAME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    helper(dtype.py(), &NAME, "lapack_py._mixed", "name_of")?.call1((dtype,))?.extract()
}

/// The product without the axes that one-dimensional operands were given.
pub(crate) fn squeezed<'py>(product: Bound<'py, PyAny>, row: bool, column: bool) -> PyResult<Bound<'py, PyAny>> {
    let axes: Vec<i64> = [(row, -2), (column, -1)].iter().filter(|(drop, _)| *drop).map(|(_, axis)| *axis).collect();
    if axes.is_empty() {
        return Ok(product);
    }
    let squeezed = product.call_method1("squeeze", (PyTuple::new(product.py(), axes)?,))?;
    match squeezed.getattr("ndim")?.extract::<usize>()? {
        0 => squeezed.get_item(()),
        _ => Ok(squeezed),
    }
}
