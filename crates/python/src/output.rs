//! New NumPy arrays that the operations write into, and the named tuples that carry them.

use crate::input::{TYPE_NUMBERS, UINT16, array_type};
use lapack_ai::{BatchViewMut, MatrixViewMut, Scalar, Stored};
use numpy::npyffi::array::PY_ARRAY_API;
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ptr::null_mut;

/// NumPy 2's limit of dimensions.
const MAX_DIMENSIONS: usize = 64;

/// NumPy's number of `int32`.
const INT32: i32 = 5;

/// NumPy's number of an element type, and its size.
fn element<T: Scalar>() -> (i32, usize) {
    (TYPE_NUMBERS[T::DTYPE as usize], size_of::<T>())
}

/// Order of the elements of each matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// C order.
    RowMajor,
    /// Fortran order.
    ColMajor,
}

/// A new array of shape `batch + (rows, cols)`, or `batch + (rows,)` for a stack of vectors.
pub(crate) struct Output<'py> {
    array: Bound<'py, PyAny>,
    data: *mut u8,
    batch: Vec<usize>,
    rows: usize,
    cols: usize,
    order: Order,
}

impl<'py> Output<'py> {
    /// Matrices.
    #[inline]
    pub(crate) fn matrices<T: Scalar>(
        py: Python<'py>,
        operation: &'static str,
        batch: &[usize],
        rows: usize,
        cols: usize,
        order: Order,
    ) -> PyResult<Self> {
        Self::new(py, operation, batch, &[rows, cols], order, element::<T>())
    }

    /// The bits of matrices of 16-bit numbers in C order; `last` has one extent for a stack of vectors, none for numbers.
    pub(crate) fn bits(py: Python<'py>, operation: &'static str, batch: &[usize], last: &[usize]) -> PyResult<Self> {
        let order = if last.len() == 2 { Order::RowMajor } else { Order::ColMajor };
        Self::new(py, operation, batch, last, order, (UINT16, size_of::<u16>()))
    }

    /// Vectors: of `n` elements each.
    #[inline]
    pub(crate) fn vectors<T: Scalar>(
        py: Python<'py>,
        operation: &'static str,
        batch: &[usize],
        n: usize,
    ) -> PyResult<Self> {
        Self::new(py, operation, batch, &[n], Order::ColMajor, element::<T>())
    }

    #[inline]
    fn new(
        py: Python<'py>,
        operation: &'static str,
        batch: &[usize],
        last: &[usize],
        order: Order,
        (type_number, size): (i32, usize),
    ) -> PyResult<Self> {
        let axes = batch.len() + last.len();
        if axes > MAX_DIMENSIONS {
            return Err(pyo3::exceptions::PyValueError::new_err("more than 64 dimensions"));
        }
        let (mut dims, mut strides) = ([0_isize; MAX_DIMENSIONS], [0_isize; MAX_DIMENSIONS]);
        for (dim, &extent) in dims.iter_mut().zip(batch.iter().chain(last)) {
            *dim = extent as isize;
        }
        let mut stride = size as isize;
        let inner: [usize; 2] = match order {
            Order::ColMajor => [axes.wrapping_sub(2), axes.wrapping_sub(1)],
            Order::RowMajor => [axes.wrapping_sub(1), axes.wrapping_sub(2)],
        };
        for axis in inner.into_iter().filter(|&axis| axis < axes && axis >= batch.len()) {
            strides[axis] = stride;
            stride = stride.saturating_mul(dims[axis].max(1));
        }
        for axis in (0..batch.len()).rev() {
            strides[axis] = stride;
            stride = stride.saturating_mul(dims[axis].max(1));
        }
        // SAFETY: NumPy allocates the memory itself, of the product of the extents, which these strides fill exactly.
        let (array, data) = unsafe {
            let raw = PY_ARRAY_API.PyArray_New(
                py,
                array_type(py),
                axes as i32,
                dims.as_mut_ptr().cast(),
                type_number,
                strides.as_mut_ptr().cast(),
                null_mut(),
                0,
                0,
                null_mut(),
            );
            let array = Bound::from_owned_ptr_or_err(py, raw).map_err(|_| {
                let shape: Vec<usize> = batch.iter().chain(last).copied().collect();
                too_large(py, operation, &shape, size)
            })?;
            let data = (*raw.cast::<numpy::npyffi::PyArrayObject>()).fields.data.cast();
            (array, data)
        };
        let (rows, cols) = (last.first().copied().unwrap_or(1), last.get(1).copied().unwrap_or(1));
        Ok(Self { array, data, batch: batch.to_vec(), rows, cols, order })
    }

    /// The memory to write, valid while the array lives (see `Input::matrices`); a stack of vectors is a stack of
    /// one-column matrices.
    #[inline]
    pub(crate) fn view<T: Stored>(&self) -> BatchViewMut<'static, T> {
        let (row_stride, col_stride) = match self.order {
            Order::ColMajor => (1, self.rows as isize),
            Order::RowMajor => (self.cols as isize, 1),
        };
        // SAFETY: the array is new and known to nobody else; its elements are T and laid out as computed above.
        unsafe {
            let first = MatrixViewMut::from_raw(self.data.cast::<T>(), self.rows, self.cols, row_stride, col_stride);
            if self.batch.is_empty() {
                return first.into();
            }
            let mut strides = vec![0; self.batch.len()];
            let mut stride = (self.rows * self.cols).max(1) as isize;
            for (axis, &extent) in self.batch.iter().enumerate().rev() {
                strides[axis] = stride;
                stride *= extent.max(1) as isize;
            }
            BatchViewMut::from_raw(first, &self.batch, &strides)
        }
    }

    /// The array, not yet finished: for `enter_lapack` to keep.
    pub(crate) fn object(&self) -> &Bound<'py, PyAny> {
        &self.array
    }

    /// One number a matrix: shape `batch` itself.
    #[inline]
    pub(crate) fn scalars<T: Scalar>(py: Python<'py>, operation: &'static str, batch: &[usize]) -> PyResult<Self> {
        Self::new(py, operation, batch, &[], Order::ColMajor, element::<T>())
    }

    /// Vectors of `n` integers of 32 bits.
    pub(crate) fn integers(py: Python<'py>, operation: &'static str, batch: &[usize], n: usize) -> PyResult<Self> {
        Self::new(py, operation, batch, &[n], Order::ColMajor, (INT32, size_of::<i32>()))
    }

    /// All elements of a stack of vectors of integers, vector after vector, valid while the array lives.
    pub(crate) fn integer_elements(&mut self) -> &'static mut [i32] {
        let len = self.batch.iter().product::<usize>() * self.rows;
        // SAFETY: made by `integers`: new, contiguous, and all bit patterns are numbers.
        unsafe { std::slice::from_raw_parts_mut(self.data.cast::<i32>(), len) }
    }

    /// All elements as they lie, matrix after matrix, valid while the array lives.
    pub(crate) fn elements<T: Stored>(&mut self) -> &'static mut [T] {
        let len = self.batch.iter().product::<usize>() * self.rows * self.cols;
        // SAFETY: the array is new, contiguous and of type T; all bit patterns are numbers.
        unsafe { std::slice::from_raw_parts_mut(self.data.cast::<T>(), len) }
    }

    /// The finished array; a number where it has no dimension, as NumPy's functions return it.
    pub(crate) fn into_number(self) -> PyResult<Bound<'py, PyAny>> {
        if self.batch.is_empty() {
            self.array.get_item(pyo3::types::PyTuple::empty(self.array.py()))
        } else {
            Ok(self.array)
        }
    }

    /// The finished array.
    #[inline]
    pub(crate) fn into_array(self) -> Bound<'py, PyAny> {
        self.array
    }
}

/// The error for an array that the system gives no memory for.
#[cold]
pub(crate) fn too_large(py: Python<'_>, operation: &'static str, shape: &[usize], size: usize) -> PyErr {
    let bytes = shape.iter().map(|&extent| extent as f64).product::<f64>() * size as f64;
    let text = format!("a result of shape {shape:?} needs {}, more than there is", in_words(bytes));
    crate::errors::to_python(py, &lapack_ai::Error::text(lapack_ai::Code::OutOfMemory, operation, text))
}

/// An amount of memory with its unit.
pub(crate) fn in_words(bytes: f64) -> String {
    match bytes {
        1e12.. => format!("{:.0} TB", bytes / 1e12),
        1e9.. => format!("{:.0} GB", bytes / 1e9),
        1e6.. => format!("{:.0} MB", bytes / 1e6),
        _ => format!("{:.0} kB", bytes / 1e3),
    }
}

/// Where memory for all columns of an orthogonal factor cannot be had: which option needs how much instead.
#[cold]
pub(crate) fn name_what_needs_less(
    py: Python<'_>,
    error: PyErr,
    operation: &'static str,
    [full_option, thin_option]: [&'static str; 2],
    [full, thin]: [f64; 2],
) -> PyErr {
    if !error.is_instance_of::<PyMemoryError>(py) {
        return error;
    }
    let text = format!("{full_option} asks for {}; {thin_option} needs {}", in_words(full), in_words(thin));
    let error = lapack_ai::Error::text(lapack_ai::Code::OutOfMemory, operation, text)
        .because("there is not that much memory: the full orthogonal factor is M x M, however few columns a has")
        .fix(
            lapack_ai::Applicability::Maybe,
            format!("use {thin_option}: the columns that it leaves out carry nothing of a."),
        );
    crate::errors::to_python(py, &error)
}

/// An instance of the named tuple class `class`, made by `tuple` itself: a fifth of the time of calling the class.
#[inline]
pub(crate) fn named_tuple<'py>(
    class: &Bound<'py, PyAny>,
    items: Bound<'py, pyo3::types::PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let arguments = pyo3::types::PyTuple::new(py, [items])?;
    // SAFETY: `tuple.__new__(class, items)`: `class` is a subclass of tuple that adds no C fields.
    unsafe {
        let new = ffi::PyType_GetSlot(&raw mut ffi::PyTuple_Type, ffi::Py_tp_new);
        let new = std::mem::transmute::<*mut std::ffi::c_void, ffi::newfunc>(new);
        Bound::from_owned_ptr_or_err(py, new(class.as_ptr().cast(), arguments.as_ptr(), null_mut()))
    }
}
