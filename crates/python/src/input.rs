//! From Python objects to views, without a copy wherever NumPy's memory can be read as it is.

use crate::device::{device_array, fetch, one_number};
use crate::errors::helper;
use lapack_ai::gpu::array::DeviceArray;
use lapack_ai::{BatchView, BatchViewMut, DType, ElementType, MatrixView, MatrixViewMut, Scalar};
use numpy::npyffi::{
    NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_WRITEABLE, NpyTypes, PyArray_CheckExact, PyArray_Descr,
    PyArrayObject,
};
use numpy::npyffi::{array::PY_ARRAY_API, get_type_object};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// NumPy's numbers of the four types.
pub(crate) const TYPE_NUMBERS: [i32; 4] = [11, 12, 14, 15];

/// An array of one of the four types, in native byte order, aligned, with strides of whole elements.
pub(crate) struct Input<'py> {
    array: Bound<'py, PyAny>,
    dtype: DType,
    /// Copies made to bring it to this form.
    pub(crate) copies: usize,
    /// Their size.
    pub(crate) bytes_copied: usize,
    /// The device array that it was copied from: the results go back there.
    pub(crate) home: Option<DeviceArray>,
}

fn fields<'a>(array: &'a Bound<'_, PyAny>) -> &'a numpy::npyffi::PyArrayObject_fields {
    // SAFETY: only called on objects that passed `PyArray_CheckExact`.
    unsafe { &(*array.as_ptr().cast::<PyArrayObject>()).fields }
}

/// The element type of an exact NumPy array that can be read as it lies.
#[inline]
fn readable_dtype(py: Python<'_>, object: &Bound<'_, PyAny>) -> Option<DType> {
    // SAFETY: any object may be asked.
    if unsafe { PyArray_CheckExact(py, object.as_ptr()) } == 0 {
        return None;
    }
    let fields = fields(object);
    // SAFETY: an array has a descriptor.
    let descr = unsafe { &(*fields.descr.cast::<PyArray_Descr>()).fields };
    let dtype = TYPE_NUMBERS.iter().position(|&number| number == descr.type_num).map(|index| DType::ALL[index])?;
    let native = descr.byteorder as u8 == b'=' || descr.byteorder as u8 == b'|';
    let aligned = fields.flags & NPY_ARRAY_ALIGNED != 0;
    let whole = || strides(fields).iter().all(|stride| stride % dtype.size() as isize == 0);
    (native && aligned && whole()).then_some(dtype)
}

/// Whether `object` is an array that can be read as it lies.
#[inline]
pub(crate) fn is_readable(object: &Bound<'_, PyAny>) -> bool {
    readable_dtype(object.py(), object).is_some()
}

fn shape(fields: &numpy::npyffi::PyArrayObject_fields) -> &[usize] {
    match fields.nd {
        0 => &[],
        // SAFETY: NumPy keeps `nd` extents, which are never negative.
        nd => unsafe { std::slice::from_raw_parts(fields.dimensions.cast::<usize>(), nd as usize) },
    }
}

fn strides(fields: &numpy::npyffi::PyArrayObject_fields) -> &[isize] {
    match fields.nd {
        0 => &[],
        // SAFETY: NumPy keeps `nd` strides.
        nd => unsafe { std::slice::from_raw_parts(fields.strides.cast::<isize>(), nd as usize) },
    }
}

/// NumPy's number of `uint16`.
pub(crate) const UINT16: i32 = 4;

/// An array of bits of 16-bit numbers.
pub(crate) struct Raw<'py>(Bound<'py, PyAny>);

impl<'py> Raw<'py> {
    /// `array`, native and aligned uint16 with strides of whole elements.
    pub(crate) fn of_16(array: Bound<'py, PyAny>) -> PyResult<Self> {
        // SAFETY: any object may be asked.
        let exact = unsafe { PyArray_CheckExact(array.py(), array.as_ptr()) } != 0;
        let fits = exact && {
            let fields = fields(&array);
            // SAFETY: an array has a descriptor.
            let number = unsafe { (*fields.descr.cast::<PyArray_Descr>()).fields.type_num };
            let whole = strides(fields).iter().all(|stride| stride % 2 == 0);
            number == UINT16 && fields.flags & NPY_ARRAY_ALIGNED != 0 && whole
        };
        match fits {
            true => Ok(Self(array)),
            false => Err(pyo3::exceptions::PyTypeError::new_err("lapack_py._mixed gave no readable bits")),
        }
    }

    pub(crate) fn object(&self) -> &Bound<'py, PyAny> {
        &self.0
    }

    pub(crate) fn shape(&self) -> &[usize] {
        shape(fields(&self.0))
    }

    /// The last two axes as matrices, the others as batch; one axis is a row, none a single element. Valid while the array
    /// lives, as [`Input::matrices`].
    pub(crate) fn matrices_16(&self) -> BatchView<'static, u16> {
        let fields = fields(&self.0);
        let (shape, strides) = (shape(fields), strides(fields));
        let strides: Vec<isize> = strides.iter().map(|stride| stride / 2).collect();
        let data = fields.data.cast::<u16>();
        let batch = shape.len().saturating_sub(2);
        // SAFETY: NumPy's shape and strides describe elements of 16 bits, checked to be aligned; `enter_lapack` keeps the array.
        unsafe {
            match (shape, &strides[..]) {
                ([], _) => MatrixView::from_raw(data, 1, 1, 1, 1).into(),
                ([n], [stride]) => MatrixView::from_raw(data, 1, *n, *n as isize, *stride).into(),
                _ => {
                    let [rows, cols] = [shape[batch], shape[batch + 1]];
                    let first = MatrixView::from_raw(data, rows, cols, strides[batch], strides[batch + 1]);
                    if batch == 0 {
                        first.into()
                    } else {
                        BatchView::from_raw(first, &shape[..batch], &strides[..batch])
                    }
                }
            }
        }
    }
}

impl<'py> Input<'py> {
    /// Takes `object` as argument `name` of `operation`. Anything but a readable array goes through
    /// `lapack_py._convert.as_array`, which converts or refuses it in words.
    #[inline]
    pub(crate) fn new(object: &Bound<'py, PyAny>, operation: &str, name: &str) -> PyResult<Self> {
        match readable_dtype(object.py(), object) {
            Some(dtype) => Ok(Self { array: object.clone(), dtype, copies: 0, bytes_copied: 0, home: None }),
            None => Self::convert(object, operation, name),
        }
    }

    #[cold]
    fn convert(object: &Bound<'py, PyAny>, operation: &str, name: &str) -> PyResult<Self> {
        static AS_ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = object.py();
        let home = device_array(object);
        if let Some(home) = &home
            && let ElementType::Lapack(dtype) = home.dtype()
        {
            let array = fetch(py, home)?;
            let bytes_copied = home.size() * dtype.size();
            return Ok(Self { array, dtype, copies: 1, bytes_copied, home: Some(home.clone()) });
        }
        // What LAPACK has no type for is refused in the words for an array of the host.
        let fetched = home.map(|home| fetch(py, &home)).transpose()?;
        let object = fetched.as_ref().unwrap_or(object);
        let convert = helper(py, &AS_ARRAY, "lapack_py._convert", "as_array")?;
        let (array, bytes_copied): (Bound<'py, PyAny>, usize) = convert.call1((object, operation, name))?.extract()?;
        let dtype = readable_dtype(py, &array).ok_or_else(|| {
            pyo3::exceptions::PyTypeError::new_err("lapack_py._convert.as_array gave no readable array")
        })?;
        Ok(Self { array, dtype, copies: usize::from(bytes_copied > 0), bytes_copied, home: None })
    }

    /// Element type.
    #[inline]
    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// All extents.
    #[inline]
    pub(crate) fn shape(&self) -> &[usize] {
        shape(fields(&self.array))
    }

    /// The array itself.
    pub(crate) fn object(&self) -> &Bound<'py, PyAny> {
        &self.array
    }

    /// Whether the caller's own memory may be written: asked for, not converted, not read-only, and no element is part of
    /// two matrices (a broadcast batch would be overwritten while it is still needed).
    #[inline]
    pub(crate) fn may_overwrite(&self, asked: bool) -> bool {
        asked && self.copies == 0 && {
            let fields = fields(&self.array);
            let distinct = fields.nd == 2 || fields.flags & NPY_ARRAY_C_CONTIGUOUS != 0;
            distinct && fields.flags & NPY_ARRAY_WRITEABLE != 0
        }
    }

    /// The same values in another of the four types; the array itself if it has that type.
    pub(crate) fn cast(self, dtype: DType) -> PyResult<Self> {
        if dtype == self.dtype {
            return Ok(self);
        }
        let array = self.array.call_method1("astype", (dtype.name(),))?;
        let bytes_copied = self.bytes_copied + shape(fields(&array)).iter().product::<usize>() * dtype.size();
        Ok(Self { array, dtype, copies: self.copies + 1, bytes_copied, home: self.home })
    }

    /// The last two axes as matrices, the others as batch. The view is valid while the array lives: it is used inside
    /// `enter_lapack` only, which is given the array to keep.
    ///
    /// # Panics
    /// If there are fewer than two axes, or the elements are not `T`.
    #[inline]
    pub(crate) fn matrices<T: Scalar>(&self) -> BatchView<'static, T> {
        let (shape, strides) = (self.shape(), strides(fields(&self.array)));
        let batch = shape.len() - 2;
        let [rows, cols] = [shape[batch], shape[batch + 1]];
        let size = size_of::<T>() as isize;
        // SAFETY: NumPy's shape and strides describe elements of type T, which `readable_dtype` checked to be aligned;
        // `enter_lapack` keeps the array. Other threads may write them only by the user's own fault.
        unsafe {
            assert!(self.dtype == T::DTYPE);
            let data = fields(&self.array).data.cast::<T>();
            let first = MatrixView::from_raw(data, rows, cols, strides[batch] / size, strides[batch + 1] / size);
            if batch == 0 {
                return first.into();
            }
            let batch_strides: Vec<isize> = strides[..batch].iter().map(|stride| stride / size).collect();
            BatchView::from_raw(first, &shape[..batch], &batch_strides)
        }
    }

    /// A one-dimensional array as one column (n x 1) or, with `row`, one row (1 x n).
    pub(crate) fn vector<T: Scalar>(&self, row: bool) -> BatchView<'static, T> {
        let (n, stride) = (self.shape()[0], strides(fields(&self.array))[0] / size_of::<T>() as isize);
        // SAFETY: as for `matrices`.
        unsafe {
            assert!(self.dtype == T::DTYPE && self.shape().len() == 1);
            let data = fields(&self.array).data.cast::<T>();
            let column = MatrixView::from_raw(data, n, 1, stride, n as isize);
            if row { column.transposed() } else { column }.into()
        }
    }
}

impl<'py> Input<'py> {
    /// An array without dimensions as a 1 x 1 matrix.
    pub(crate) fn number<T: Scalar>(&self) -> BatchView<'static, T> {
        assert!(self.dtype == T::DTYPE && self.shape().is_empty());
        one_number(fields(&self.array).data.cast::<T>())
    }

    /// The last axis as columns (n x 1), the others as batch.
    ///
    /// # Panics
    /// If there is no axis, or the elements are not `T`.
    pub(crate) fn vectors<T: Scalar>(&self) -> BatchView<'static, T> {
        let (shape, strides) = (self.shape(), strides(fields(&self.array)));
        let size = size_of::<T>() as isize;
        let strides: Vec<isize> = strides.iter().map(|stride| stride / size).collect();
        let batch = shape.len() - 1;
        // SAFETY: as for `matrices`.
        unsafe {
            assert!(self.dtype == T::DTYPE);
            let data = fields(&self.array).data.cast::<T>();
            let first = MatrixView::from_raw(data, shape[batch], 1, strides[batch], shape[batch] as isize);
            if batch == 0 { first.into() } else { BatchView::from_raw(first, &shape[..batch], &strides[..batch]) }
        }
    }
}

/// The caller's own memory to write.
///
/// # Safety
/// [`Input::may_overwrite`] must have allowed it.
pub(crate) unsafe fn writable<'a, T: Scalar>(a: &BatchView<'a, T>) -> BatchViewMut<'a, T> {
    let (row_stride, col_stride) = a.strides();
    // SAFETY: the array is writable, its matrices do not overlap, and the caller gave its contents up.
    unsafe {
        let first = MatrixViewMut::from_raw(a.as_ptr().cast_mut(), a.rows(), a.cols(), row_stride, col_stride);
        BatchViewMut::from_raw(first, a.batch_shape(), a.batch_strides())
    }
}

/// The type in which an operation on both computes: double if either is, complex if either is.
pub(crate) fn common_dtype(a: DType, b: DType) -> DType {
    match (a.is_complex() || b.is_complex(), a.is_double() || b.is_double()) {
        (false, false) => DType::Float32,
        (false, true) => DType::Float64,
        (true, false) => DType::Complex64,
        (true, true) => DType::Complex128,
    }
}

/// The class `numpy.ndarray`, as C sees it.
pub(crate) fn array_type(py: Python<'_>) -> *mut pyo3::ffi::PyTypeObject {
    // SAFETY: NumPy is imported by `PY_ARRAY_API`'s first use.
    unsafe {
        let _ = &PY_ARRAY_API;
        get_type_object(py, NpyTypes::PyArray_Type)
    }
}
