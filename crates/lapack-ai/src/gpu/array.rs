//! Arrays that live on a device through a chain of operations.
//!
//! A [`DeviceArray`] is a block of the device's memory seen through a shape, strides and an offset in elements, as NumPy
//! sees its memory. Transposes and slices are views; results of operations are new, packed arrays in C order. Kernels run
//! in the order of the calls, so nothing waits until somebody wants to see numbers.

use super::{Lease, Slot, choose, interrupt};
use crate::config::config;
use crate::dispatch::{Device, fault_error};
use crate::fork;
use crate::ops::shape_mismatch;
use lapack_ai_core::{
    Argument, BatchView, BatchViewMut, Code, Complex64, DType, ElementType, Error, Half, MatrixViewMut, Result, Scalar,
    Stored,
};
use lapack_ai_opencl::kernels::copy::{copy, copy_16};
use lapack_ai_opencl::kernels::{DeviceView, Element, norm, scale};
use lapack_ai_opencl::{Block, Fault, FaultKind, Gpu};
use std::sync::Arc;
use std::time::Duration;

pub use super::array_product::{Sums, matmul_on_device};
pub use super::array_svd::{DeviceSvd, prefers_device, svd_on_device};
pub use super::gemm_alpha::gemm_alpha_on_device;
use super::transfer::{Packing, Source, Target, download, upload};
pub use lapack_ai_opencl::kernels::norm::Norm;

/// An array in the memory of an OpenCL device.
#[derive(Clone, Debug)]
pub struct DeviceArray {
    pub(super) slot: &'static Slot,
    pub(super) gpu: Gpu,
    pub(super) block: Arc<Block>,
    pub(super) dtype: ElementType,
    pub(super) shape: Vec<usize>,
    /// In elements.
    pub(super) strides: Vec<isize>,
    /// In elements.
    pub(super) offset: usize,
}

pub(super) type Outcome<R> = std::result::Result<R, Fault>;

/// Work on corresponding matrices of two arrays.
type PairWork<'a, E> = dyn FnMut(DeviceView<'_, E>, DeviceView<'_, E>) -> Outcome<()> + 'a;

/// Strides of a packed array in C order.
pub(super) fn packed(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut next = 1;
    for (stride, &extent) in strides.iter_mut().zip(shape).rev() {
        *stride = next;
        next *= extent.max(1) as isize;
    }
    strides
}

pub(super) fn lease(operation: &'static str, slot: &'static Slot) -> Result<Lease> {
    slot.lease().map_err(|why| Error::text(Code::GpuUnavailable, operation, why))
}

impl DeviceArray {
    /// Copies matrices of the host to the device that `device` means; `shape` has the last two extents of `source`, or its
    /// rows alone for a vector (one column), behind the leading dimensions.
    ///
    /// # Errors
    /// `LAP-E040` if there is no such device; `LAP-E033` with the number if it has not enough memory; `LAP-E041` if it fails.
    pub fn from_host<T: Scalar>(device: Device, shape: &[usize], source: &BatchView<'_, T>) -> Result<Self> {
        Self::uploaded(device, shape, T::DTYPE.into(), source)
    }

    /// As [`DeviceArray::from_host`], for 16-bit elements.
    ///
    /// # Errors
    /// As [`DeviceArray::from_host`].
    pub fn from_host_16(device: Device, half: Half, shape: &[usize], source: &BatchView<'_, u16>) -> Result<Self> {
        Self::uploaded(device, shape, half.into(), source)
    }

    fn uploaded<T: Stored>(
        device: Device,
        shape: &[usize],
        dtype: ElementType,
        source: &BatchView<'_, T>,
    ) -> Result<Self> {
        const OPERATION: &str = "to_device";
        let _inside = fork::inside();
        if !config()?.gpu_enabled {
            return Err(Error::text(Code::GpuUnavailable, OPERATION, crate::dispatch::NO_GPU_ENABLED));
        }
        let unavailable = |why| Error::text(Code::GpuUnavailable, OPERATION, why);
        let slot = choose(device).map_err(unavailable)?;
        let lease = lease(OPERATION, slot)?;
        let outcome = slot.gpu().and_then(|gpu| {
            let array = Self::new(slot, &gpu, dtype, shape)?;
            let packing = Packing { rows: source.rows(), cols: source.cols(), col_major: false };
            let source = Source { view: source, matrices: 0..source.count(), row: 0, col: 0 };
            upload(&gpu, &array.block, &source, packing, &interrupt())?;
            Ok(array)
        });
        lease.settle(outcome).map_err(|fault| fault_error(OPERATION, &fault))
    }

    /// A new, packed array with undefined contents.
    pub(super) fn new(slot: &'static Slot, gpu: &Gpu, dtype: ElementType, shape: &[usize]) -> Outcome<Self> {
        if dtype.sums().is_double() && !gpu.info().float64 {
            let text = format!("{} has no double precision; convert to float32 first", gpu.info().name);
            return Err(Fault::new(FaultKind::NoFloat64, text));
        }
        let elements = shape.iter().fold(1_usize, |product, extent| product.saturating_mul(*extent));
        let block = Arc::new(gpu.alloc(elements.saturating_mul(dtype.size()).max(1))?);
        let (shape, strides) = (shape.to_vec(), packed(shape));
        Ok(Self { slot, gpu: gpu.clone(), block, dtype, shape, strides, offset: 0 })
    }

    /// The device's name.
    pub fn device_name(&self) -> &'static str {
        &self.slot.info().name
    }

    /// The device as operations name it.
    pub fn device(&self) -> Device {
        Device::On(self.slot.index)
    }

    /// Element type.
    pub fn dtype(&self) -> ElementType {
        self.dtype
    }

    /// The element type, where it is one that LAPACK computes in.
    ///
    /// # Errors
    /// `LAP-E004` for 16-bit elements.
    pub(super) fn computed(&self, operation: &'static str) -> Result<DType> {
        match self.dtype {
            ElementType::Lapack(dtype) => Ok(dtype),
            ElementType::Half(half) => Err(only_products(operation, half)),
        }
    }

    /// All extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Strides in elements.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Number of elements.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it is packed in C order.
    pub fn is_packed(&self) -> bool {
        let strides = packed(&self.shape);
        let free = |axis: usize| self.shape[axis] == 1;
        self.size() == 0 || (0..self.shape.len()).all(|axis| free(axis) || self.strides[axis] == strides[axis])
    }

    /// The last two axes exchanged: a view.
    ///
    /// # Panics
    /// With fewer than two axes.
    pub fn transposed(&self) -> Self {
        let last = self.shape.len() - 1;
        let mut array = self.clone();
        array.shape.swap(last - 1, last);
        array.strides.swap(last - 1, last);
        array
    }

    /// All axes in reverse order: a view.
    pub fn reversed(&self) -> Self {
        let mut array = self.clone();
        array.shape.reverse();
        array.strides.reverse();
        array
    }

    /// Axis `axis` restricted to `count` elements from `start` on, `step` apart: a view. The caller has checked the range.
    ///
    /// # Panics
    /// If the range leaves the array.
    pub fn sliced(&self, axis: usize, start: usize, count: usize, step: isize) -> Self {
        let mut array = self.clone();
        // An array without elements has no place in its block.
        if count > 0 && self.size() > 0 {
            let last = start as isize + (count as isize - 1) * step;
            assert!(
                start < self.shape[axis] && (0..self.shape[axis] as isize).contains(&last),
                "a slice leaves the array"
            );
            array.offset = array.offset.wrapping_add_signed(start as isize * array.strides[axis]);
        }
        array.strides[axis] *= step;
        array.shape[axis] = count;
        array
    }

    /// Without an axis of extent 1.
    ///
    /// # Panics
    /// If its extent is another.
    pub fn without_axis(&self, axis: usize) -> Self {
        assert_eq!(self.shape[axis], 1, "only an axis of extent 1 can be left out");
        let mut array = self.clone();
        array.shape.remove(axis);
        array.strides.remove(axis);
        array
    }

    /// With a new axis of extent 1 at `axis`.
    pub fn with_axis(&self, axis: usize) -> Self {
        let mut array = self.clone();
        array.shape.insert(axis, 1);
        array.strides.insert(axis, 0);
        array
    }

    /// The same elements, in C order, under another shape: a view where the array is packed, else a copy.
    ///
    /// # Errors
    /// `LAP-E002` if the number of elements differs; those of [`DeviceArray::copied`].
    pub fn reshaped(&self, shape: &[usize]) -> Result<Self> {
        if shape.iter().product::<usize>() != self.size() {
            let text = format!("an array of shape {:?} cannot become {shape:?}", self.shape);
            return Err(Error::text(Code::ShapeMismatch, "reshape", text));
        }
        let source = if self.is_packed() { self.clone() } else { self.copied(false)? };
        Ok(Self { shape: shape.to_vec(), strides: packed(shape), ..source })
    }

    /// The array as matrices under leading dimensions `batch`, its own repeated where they are 1; `None` where the matrices
    /// do not follow each other at one stride.
    pub(super) fn matrices<E: Element>(&self, batch: &[usize], dtype: E) -> Option<Outcome<DeviceView<'_, E>>> {
        let (shape, strides) = self.stack(batch)?;
        Some(DeviceView::new(&self.block, dtype, self.offset, shape, strides))
    }

    /// Shape and strides of these matrices: (batch, rows, columns).
    pub(super) fn stack(&self, batch: &[usize]) -> Option<([usize; 3], [isize; 3])> {
        let (axes, last) = (self.shape.len(), self.shape.len().checked_sub(2)?);
        let missing = batch.len().checked_sub(last)?;
        // An empty batch has no strides that could disagree.
        let mut stride = batch.contains(&0).then_some(0);
        let mut next = 0_isize;
        let axes_left = if stride.is_some() { &[] } else { batch };
        // From the innermost leading axis outwards: each must go on where the one inside it ends.
        for (axis, &extent) in axes_left.iter().enumerate().rev().filter(|(_, extent)| **extent != 1) {
            let own =
                axis.checked_sub(missing).map_or(0, |axis| if self.shape[axis] == 1 { 0 } else { self.strides[axis] });
            match stride {
                None => stride = Some(own),
                Some(_) if own == next => {}
                Some(_) => return None,
            }
            next = own * extent as isize;
        }
        let shape = [batch.iter().product(), self.shape[axes - 2], self.shape[axes - 1]];
        let strides = [stride.unwrap_or(0), self.strides[axes - 2], self.strides[axes - 1]];
        Some((shape, strides))
    }

    /// A packed copy, conjugated if asked for.
    ///
    /// # Errors
    /// `LAP-E033`, `LAP-E041`.
    pub fn copied(&self, conjugate: bool) -> Result<Self> {
        let _inside = fork::inside();
        let lease = lease("copy", self.slot)?;
        lease.settle(self.copy_out(conjugate)).map_err(|fault| fault_error("copy", &fault))
    }

    pub(super) fn copy_out(&self, conjugate: bool) -> Outcome<Self> {
        let target = Self::new(self.slot, &self.gpu, self.dtype, &self.shape)?;
        match self.dtype {
            ElementType::Lapack(dtype) => {
                self.each_matrices(&target, dtype, &mut |from, to| copy(&self.gpu, from, conjugate, to))?;
            }
            ElementType::Half(half) => {
                self.each_matrices(&target, half, &mut |from, to| copy_16(&self.gpu, from, to))?;
            }
        }
        Ok(target)
    }

    /// Calls `work` for corresponding matrices of this array and of `target`, which is packed and of the same shape: once
    /// where this array's matrices follow each other at one stride, else for each entry of the leading axis.
    fn each_matrices<E: Element>(&self, target: &Self, dtype: E, work: &mut PairWork<'_, E>) -> Outcome<()> {
        if self.shape.len() < 2 {
            let (row, target) = (self.with_axis(0), target.with_axis(0));
            return if self.shape.is_empty() {
                row.with_axis(0).each_matrices(&target.with_axis(0), dtype, work)
            } else {
                row.each_matrices(&target, dtype, work)
            };
        }
        let batch = &self.shape[..self.shape.len() - 2];
        if let (Some(source), Some(target)) = (self.matrices(batch, dtype), target.matrices(batch, dtype)) {
            return work(source?, target?);
        }
        (0..self.shape[0]).try_for_each(|index| {
            let part = |array: &Self| array.sliced(0, index, 1, 1).without_axis(0);
            part(self).each_matrices(&part(target), dtype, work)
        })
    }

    /// Waits up to `patience` for the last kernel that works on this array. Whether it has ended.
    pub fn is_ready_within(&self, patience: Duration) -> bool {
        self.gpu.is_ready_within(&self.block, patience)
    }

    /// Copies the array to packed memory of the host, in C order. Waits.
    ///
    /// # Errors
    /// `LAP-E041` if the device fails: what was on it is lost then.
    ///
    /// # Panics
    /// If `target` has another length or type.
    pub fn to_host<T: Scalar>(&self, target: &mut [T]) -> Result<()> {
        assert!(self.dtype == T::DTYPE.into());
        self.downloaded(target)
    }

    /// As [`DeviceArray::to_host`], for 16-bit elements.
    ///
    /// # Errors
    /// As [`DeviceArray::to_host`].
    ///
    /// # Panics
    /// As [`DeviceArray::to_host`].
    pub fn to_host_16(&self, target: &mut [u16]) -> Result<()> {
        assert!(matches!(self.dtype, ElementType::Half(_)));
        self.downloaded(target)
    }

    fn downloaded<T: Stored>(&self, target: &mut [T]) -> Result<()> {
        assert_eq!(target.len(), self.size());
        let _inside = fork::inside();
        let lease = lease("numpy", self.slot)?;
        let outcome = self.download(target);
        lease.settle(outcome).map_err(|fault| fault_error("numpy", &fault))
    }

    pub(super) fn download<T: Stored>(&self, target: &mut [T]) -> Outcome<()> {
        // One long row; a view is packed on the device first, so that the bus carries its elements only.
        let packed;
        let (block, offset) = if self.is_packed() {
            (&self.block, self.offset)
        } else {
            packed = self.copy_out(false)?;
            (&packed.block, 0)
        };
        let size = size_of::<T>();
        let count = target.len();
        // SAFETY: `count` elements in one row, borrowed for writing.
        let view = unsafe { MatrixViewMut::from_raw(target.as_mut_ptr(), 1, count, count as isize, 1) };
        let view = BatchViewMut::from(view);
        let packing = Packing { rows: 1, cols: count, col_major: false };
        let target = Target { view: &view, matrices: 0..1, row: 0, col: 0 };
        download(&self.gpu, block, offset * size, &target, packing, &interrupt())
    }

    /// `alpha` times the array.
    ///
    /// # Errors
    /// `LAP-E033`, `LAP-E041`.
    pub fn scaled(&self, alpha: Complex64) -> Result<Self> {
        let _inside = fork::inside();
        let dtype = self.computed("scale")?;
        let lease = lease("scale", self.slot)?;
        let work = || {
            let target = Self::new(self.slot, &self.gpu, self.dtype, &self.shape)?;
            self.each_matrices(&target, dtype, &mut |x, y| scale::scale(&self.gpu, alpha, x, y))?;
            Ok(target)
        };
        lease.settle(work()).map_err(|fault| fault_error("scale", &fault))
    }

    /// `alpha` times this array plus `beta` times `other`, of the same shape and type.
    ///
    /// # Errors
    /// `LAP-E002` for another shape, type or device; `LAP-E033`, `LAP-E041`.
    pub fn combined(&self, alpha: Complex64, other: &Self, beta: Complex64) -> Result<Self> {
        self.must_match(other, "add")?;
        if self.shape != other.shape {
            let text = format!("shapes {:?} and {:?} differ", self.shape, other.shape);
            return Err(shape_mismatch("add", Argument::at(1, "b"), text));
        }
        let _inside = fork::inside();
        let dtype = self.computed("add")?;
        let lease = lease("add", self.slot)?;
        let work = || {
            let target = other.copy_out(false)?;
            self.each_matrices(&target, dtype, &mut |x, y| scale::axpby(&self.gpu, alpha, x, beta, y))?;
            Ok(target)
        };
        lease.settle(work()).map_err(|fault| fault_error("add", &fault))
    }

    /// A norm of every matrix, in C order over the leading dimensions. Waits.
    ///
    /// # Errors
    /// `LAP-E006` with fewer than two axes; `LAP-E033`, `LAP-E041`.
    pub fn norms(&self, which: Norm) -> Result<Vec<f64>> {
        if self.shape.len() < 2 {
            let text = format!("the array has {} dimensions; a matrix norm needs 2", self.shape.len());
            return Err(Error::text(Code::NotAMatrix, "norm", text).argument(Argument::at(0, "x")));
        }
        let _inside = fork::inside();
        let dtype = self.computed("norm")?;
        let lease = lease("norm", self.slot)?;
        let work = || {
            let batch = &self.shape[..self.shape.len() - 2];
            match self.matrices(batch, dtype) {
                Some(view) => norm::norm(&self.gpu, which, view?),
                None => {
                    let packed = self.copy_out(false)?;
                    let view = packed.matrices(batch, dtype).expect("a packed array has one stride");
                    norm::norm(&self.gpu, which, view?)
                }
            }
        };
        lease.settle(work()).map_err(|fault| fault_error("norm", &fault))
    }

    pub(super) fn must_match(&self, other: &Self, operation: &'static str) -> Result<()> {
        if !self.gpu.is(&other.gpu) {
            let text = format!("the arrays lie on {} and {}", self.device_name(), other.device_name());
            let fix = "move one of them: lap.to_device(a.numpy(), device=...).";
            let error = Error::text(Code::ShapeMismatch, operation, text);
            return Err(error.fix(lapack_ai_core::Applicability::Safe, fix));
        }
        if self.dtype != other.dtype {
            let text = format!("the arrays have types {} and {}", self.dtype.name(), other.dtype.name());
            return Err(Error::text(Code::UnsupportedDType, operation, text).argument(Argument::at(1, "b")));
        }
        Ok(())
    }
}

/// The error for an operation that 16-bit elements have not.
#[cold]
fn only_products(operation: &'static str, half: Half) -> Error {
    let text = format!("arrays of {} on a device are for products only", half.name());
    Error::text(Code::UnsupportedDType, operation, text)
        .argument(Argument::at(0, "x"))
        .fix(lapack_ai_core::Applicability::Safe, "convert it: lap.to_device(x.numpy().astype('float32')).")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_strides_are_those_of_c_order() {
        assert_eq!(packed(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!(packed(&[2, 0, 4]), [4, 4, 1]);
        assert!(packed(&[]).is_empty());
    }
}
