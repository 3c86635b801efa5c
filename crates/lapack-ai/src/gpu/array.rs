//! Arrays that live on a device through a chain of operations.
//!
//! A [`DeviceArray`] is a block of the device's memory seen through a shape, strides and an offset in elements, as NumPy
//! sees its memory. Transposes and slices are views; results of operations are new, packed arrays in C order. Kernels run
//! in the order of the calls, so nothing waits until somebody wants to see numbers.

use super::{Lease, Slot, choose, interrupt, verify};
use crate::config::{GpuVerify, config};
use crate::dispatch::{Device, fault_error, known, model::Case};
use crate::fork;
use crate::observe::{self, CallEvent};
use crate::ops::{CallOptions, shape_mismatch};
use crate::report::{Clock, Engine, Report, Span};
use lapack_ai_core::{
    Argument, BatchView, BatchViewMut, Code, Complex64, DType, Error, MatrixView, MatrixViewMut, Result, Scalar,
};
use lapack_ai_opencl::kernels::{DeviceView, copy::copy, gemm::gemm, norm, scale};
use lapack_ai_opencl::{Block, Fault, FaultKind, Gpu, Trace, injected};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::transfer::{Packing, Source, Target, download, upload};
pub use lapack_ai_opencl::kernels::norm::Norm;

/// An array in the memory of an OpenCL device.
#[derive(Clone, Debug)]
pub struct DeviceArray {
    slot: &'static Slot,
    gpu: Gpu,
    block: Arc<Block>,
    dtype: DType,
    shape: Vec<usize>,
    /// In elements.
    strides: Vec<isize>,
    /// In elements.
    offset: usize,
}

type Outcome<R> = std::result::Result<R, Fault>;

/// Strides of a packed array in C order.
fn packed(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut next = 1;
    for (stride, &extent) in strides.iter_mut().zip(shape).rev() {
        *stride = next;
        next *= extent.max(1) as isize;
    }
    strides
}

fn lease(operation: &'static str, slot: &'static Slot) -> Result<Lease> {
    slot.lease().map_err(|why| Error::text(Code::GpuUnavailable, operation, why))
}

impl DeviceArray {
    /// Copies matrices of the host to the device that `device` means; `shape` has the last two extents of `source`, or its
    /// rows alone for a vector (one column), behind the leading dimensions.
    ///
    /// # Errors
    /// `LAP-E040` if there is no such device; `LAP-E033` with the number if it has not enough memory; `LAP-E041` if it fails.
    pub fn from_host<T: Scalar>(device: Device, shape: &[usize], source: &BatchView<'_, T>) -> Result<Self> {
        const OPERATION: &str = "to_device";
        let _inside = fork::inside();
        if !config()?.gpu_enabled {
            return Err(Error::text(Code::GpuUnavailable, OPERATION, crate::dispatch::NO_GPU_ENABLED));
        }
        let unavailable = |why| Error::text(Code::GpuUnavailable, OPERATION, why);
        let slot = choose(device).map_err(unavailable)?;
        let lease = lease(OPERATION, slot)?;
        let outcome = slot.gpu().and_then(|gpu| {
            let array = Self::new(slot, &gpu, T::DTYPE, shape)?;
            let packing = Packing { rows: source.rows(), cols: source.cols(), col_major: false };
            let source = Source { view: source, matrices: 0..source.count(), row: 0, col: 0 };
            upload(&gpu, &array.block, &source, packing, &interrupt())?;
            Ok(array)
        });
        lease.settle(outcome).map_err(|fault| fault_error(OPERATION, &fault))
    }

    /// A new, packed array with undefined contents.
    fn new(slot: &'static Slot, gpu: &Gpu, dtype: DType, shape: &[usize]) -> Outcome<Self> {
        if dtype.is_double() && !gpu.info().float64 {
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
    pub fn dtype(&self) -> DType {
        self.dtype
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
    fn matrices(&self, batch: &[usize]) -> Option<Outcome<DeviceView<'_>>> {
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
        Some(DeviceView::new(&self.block, self.dtype, self.offset, shape, strides))
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

    fn copy_out(&self, conjugate: bool) -> Outcome<Self> {
        let target = Self::new(self.slot, &self.gpu, self.dtype, &self.shape)?;
        self.each_matrices(&target, &mut |source, target| copy(&self.gpu, source, conjugate, target))?;
        Ok(target)
    }

    /// Calls `work` for corresponding matrices of this array and of `target`, which is packed and of the same shape: once
    /// where this array's matrices follow each other at one stride, else for each entry of the leading axis.
    fn each_matrices(
        &self,
        target: &Self,
        work: &mut dyn FnMut(DeviceView<'_>, DeviceView<'_>) -> Outcome<()>,
    ) -> Outcome<()> {
        if self.shape.len() < 2 {
            let (row, target) = (self.with_axis(0), target.with_axis(0));
            return if self.shape.is_empty() {
                row.with_axis(0).each_matrices(&target.with_axis(0), work)
            } else {
                row.each_matrices(&target, work)
            };
        }
        let batch = &self.shape[..self.shape.len() - 2];
        if let (Some(source), Some(target)) = (self.matrices(batch), target.matrices(batch)) {
            return work(source?, target?);
        }
        (0..self.shape[0]).try_for_each(|index| {
            let part = |array: &Self| array.sliced(0, index, 1, 1).without_axis(0);
            part(self).each_matrices(&part(target), work)
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
        assert!(target.len() == self.size() && self.dtype == T::DTYPE);
        let _inside = fork::inside();
        let lease = lease("numpy", self.slot)?;
        let outcome = self.download(target);
        lease.settle(outcome).map_err(|fault| fault_error("numpy", &fault))
    }

    fn download<T: Scalar>(&self, target: &mut [T]) -> Outcome<()> {
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
        let lease = lease("scale", self.slot)?;
        let work = || {
            let target = Self::new(self.slot, &self.gpu, self.dtype, &self.shape)?;
            self.each_matrices(&target, &mut |x, y| scale::scale(&self.gpu, alpha, x, y))?;
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
        let lease = lease("add", self.slot)?;
        let work = || {
            let target = other.copy_out(false)?;
            self.each_matrices(&target, &mut |x, y| scale::axpby(&self.gpu, alpha, x, beta, y))?;
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
        let lease = lease("norm", self.slot)?;
        let work = || {
            let batch = &self.shape[..self.shape.len() - 2];
            match self.matrices(batch) {
                Some(view) => norm::norm(&self.gpu, which, view?),
                None => {
                    let packed = self.copy_out(false)?;
                    let view = packed.matrices(batch).expect("a packed array has one stride");
                    norm::norm(&self.gpu, which, view?)
                }
            }
        };
        lease.settle(work()).map_err(|fault| fault_error("norm", &fault))
    }

    fn must_match(&self, other: &Self, operation: &'static str) -> Result<()> {
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

/// Product of device arrays under NumPy's rules, their leading dimensions broadcast; the result stays on the device.
///
/// # Errors
/// `LAP-E002` for shapes that do not fit, `LAP-E004` for different types, `LAP-E033`, `LAP-E041`.
pub fn matmul_on_device(a: &DeviceArray, b: &DeviceArray, options: CallOptions) -> Result<(DeviceArray, Report)> {
    const OPERATION: &str = "matmul";
    let axes = |array: &DeviceArray| array.shape.len();
    let (m, k, n) = match (axes(a), axes(b)) {
        (2.., 2..) => (a.shape[axes(a) - 2], a.shape[axes(a) - 1], b.shape[axes(b) - 1]),
        _ => {
            let text = "a matrix needs two dimensions".to_string();
            return Err(Error::text(Code::NotAMatrix, OPERATION, text));
        }
    };
    let observed = observe::is_observed();
    let timed = observed || options.timed;
    let mut clock = Clock::start(timed);
    let batch = broadcast(&a.shape[..axes(a) - 2], &b.shape[..axes(b) - 2]);
    let count = batch.as_ref().map_or(0, |batch| batch.iter().product());
    let mut report = Report::new(OPERATION, a.dtype, m, n, count);
    let work = |report: &mut Report| -> Result<DeviceArray> {
        a.must_match(b, OPERATION)?;
        if b.shape[axes(b) - 2] != k {
            let rows = b.shape[axes(b) - 2];
            let text = format!("the first matrix has {k} columns, so the second needs {k} rows, not {rows}");
            return Err(shape_mismatch(OPERATION, Argument::at(1, "x2"), text));
        }
        let Some(batch) = batch.clone() else {
            let (a, b) = (&a.shape[..axes(a) - 2], &b.shape[..axes(b) - 2]);
            let text = format!("the leading dimensions {a:?} and {b:?} do not fit together");
            return Err(shape_mismatch(OPERATION, Argument::at(1, "x2"), text));
        };
        let _inside = fork::inside();
        let lease = lease(OPERATION, a.slot)?;
        report.engine = Engine::OpenCl;
        report.reason = "the operands lie on the device".into();
        report.device = Some(Arc::from(a.device_name()));
        report.routine = "gemm";
        let case = Case::matmul(a.dtype, m, n, k).batched(count);
        let outcome = multiply(a, b, &batch, (m, n), timed, &case, report);
        match lease.settle(outcome) {
            Ok(product) => Ok(product),
            Err(fault) if super::was_cancelled(&fault) => Err(super::cancelled(OPERATION)),
            Err(fault) if options.device == Device::RequireGpu => Err(fault_error(OPERATION, &fault)),
            Err(fault) => {
                let stood_in = match a.dtype {
                    DType::Float32 => on_cpu::<f32>(a, b, &batch, options, report, &fault),
                    DType::Float64 => on_cpu::<f64>(a, b, &batch, options, report, &fault),
                    DType::Complex64 => on_cpu::<lapack_ai_core::Complex32>(a, b, &batch, options, report, &fault),
                    DType::Complex128 => on_cpu::<Complex64>(a, b, &batch, options, report, &fault),
                };
                // Where operands or result cannot cross, what the device said is the error.
                stood_in.map_err(|_| fault_error(OPERATION, &fault))
            }
        }
    };
    let result = work(&mut report);
    clock.lap(&mut report.times.total);
    if observed {
        observe::emit(&CallEvent { report: &report, error: result.as_ref().err() });
    }
    result.map(|array| (array, report))
}

/// The product by the CPU after the device failed with `fault`, brought back to the device.
fn on_cpu<T: Scalar>(
    a: &DeviceArray,
    b: &DeviceArray,
    batch: &[usize],
    options: CallOptions,
    report: &mut Report,
    fault: &Fault,
) -> Result<DeviceArray> {
    let fetch = |array: &DeviceArray| {
        let mut data = vec![T::ZERO; array.size()];
        array.to_host(&mut data).map(|()| data)
    };
    let (a_data, b_data) = (fetch(a)?, fetch(b)?);
    fn stack<'a, T: Scalar>(array: &DeviceArray, data: &'a [T]) -> BatchView<'a, T> {
        let (lead, [rows, cols]) = (
            &array.shape[..array.shape.len() - 2],
            [array.shape[array.shape.len() - 2], array.shape[array.shape.len() - 1]],
        );
        let strides: Vec<isize> = packed(&array.shape)[..lead.len()].to_vec();
        // SAFETY: the slice holds the packed array.
        unsafe {
            let first = MatrixView::from_raw(data.as_ptr(), rows, cols, cols as isize, 1);
            BatchView::from_raw(first, lead, &strides)
        }
    }
    let (a_view, b_view) = (stack(a, &a_data), stack(b, &b_data));
    let (m, n) = (a_view.rows(), b_view.cols());
    let mut shape = batch.to_vec();
    shape.extend([m, n]);
    let mut c_data = vec![T::ZERO; shape.iter().product()];
    // SAFETY: the vector holds the packed result and is borrowed for writing.
    let mut c = unsafe {
        let first = MatrixViewMut::from_raw(c_data.as_mut_ptr(), m, n, n as isize, 1);
        BatchViewMut::from_raw(first, batch, &packed(&shape)[..batch.len()])
    };
    let cpu = CallOptions { device: Device::Cpu, ..options };
    let done = crate::ops::matmul::matmul_into(&a_view, &b_view, &mut c, cpu)?;
    let result = DeviceArray::from_host(a.device(), &shape, &c.as_view())?;
    let reason = format!("{} failed: {fault}", a.device_name());
    report.warnings.push(crate::dispatch::not_used("matmul", &reason, "the CPU stepped in".to_string()));
    (report.engine, report.reason, report.device) = (Engine::Cpu, reason.into(), None);
    (report.routine, report.times, report.verified) = (done.routine, done.times, false);
    report.spans.clear();
    Ok(result)
}

/// NumPy's broadcasting of leading dimensions.
fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let axes = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(axes).map_or(1, |axis| shape[axis]);
    let one = |axis| match (extent(a, axis), extent(b, axis)) {
        (1, other) | (other, 1) => Some(other),
        (same, other) => (same == other).then_some(same),
    };
    (0..axes).map(one).collect()
}

fn multiply(
    a: &DeviceArray,
    b: &DeviceArray,
    batch: &[usize],
    (m, n): (usize, usize),
    timed: bool,
    case: &Case,
    report: &mut Report,
) -> Outcome<DeviceArray> {
    let (slot, gpu) = (a.slot, &a.gpu);
    let mut shape = batch.to_vec();
    shape.extend([m, n]);
    let c = DeviceArray::new(slot, gpu, a.dtype, &shape)?;
    // What does not follow at one stride is packed first, in the shape that it has.
    let (a_packed, b_packed);
    let a = if a.matrices(batch).is_some() {
        a
    } else {
        a_packed = spread(a, batch)?;
        &a_packed
    };
    let b = if b.matrices(batch).is_some() {
        b
    } else {
        b_packed = spread(b, batch)?;
        &b_packed
    };
    let [av, bv, cv] = [a, b, &c].map(|array| array.matrices(batch).expect("packed where it was not"));
    let (av, bv, cv) = (av?, bv?, cv?);
    let (one, zero) = (Complex64::new(1.0, 0.0), Complex64::new(0.0, 0.0));
    let trace = Trace::default();
    let started = Instant::now();
    trace.enter(|| gemm(gpu, one, (av, false), (bv, false), zero, cv))?;
    if injected(FaultKind::WrongResult) {
        scale::scale(gpu, Complex64::new(1.5, 0.0), cv, cv)?;
    }
    let mode = config().map_or(GpuVerify::Sample, |config| config.gpu_verify);
    let checks = mode == GpuVerify::Full || (mode == GpuVerify::Sample && slot.credit.allows());
    if !timed && !checks {
        // The kernel is not waited for: its time is a guess of the model, for the credit alone.
        let guess = known::of_slot(slot).model().seconds(Engine::OpenCl, case).unwrap_or(0.0);
        slot.credit.book(Duration::from_secs_f64(guess), None);
        return Ok(c);
    }
    gpu.wait_for(&c.block)?;
    let total = started.elapsed();
    let checking = match mode {
        _ if !checks => None,
        GpuVerify::Full => Some(full(gpu, av, bv, cv)?),
        _ => Some(verify::sample(gpu, av, bv, cv)?),
    };
    slot.credit.book(total, checking);
    report.verified = checking.is_some();
    report.spans = trace.spans().into_iter().map(Span::from).collect();
    let kernels = report.spans.iter().map(|span| span.seconds).sum::<f64>();
    report.times.compute = Duration::from_secs_f64(kernels);
    known::of_slot(slot).learn(case, Engine::OpenCl, kernels, 0.0);
    Ok(c)
}

fn full(gpu: &Gpu, a: DeviceView<'_>, b: DeviceView<'_>, c: DeviceView<'_>) -> Outcome<Duration> {
    match c.dtype() {
        DType::Float32 => verify::full::<f32>(gpu, a, b, c),
        DType::Float64 => verify::full::<f64>(gpu, a, b, c),
        DType::Complex64 => verify::full::<lapack_ai_core::Complex32>(gpu, a, b, c),
        DType::Complex128 => verify::full::<Complex64>(gpu, a, b, c),
    }
}

/// A packed copy with the leading dimensions `batch`.
fn spread(array: &DeviceArray, batch: &[usize]) -> Outcome<DeviceArray> {
    let mut view = array.clone();
    while view.shape.len() < batch.len() + 2 {
        view = view.with_axis(0);
    }
    for (axis, &extent) in batch.iter().enumerate() {
        if view.shape[axis] != extent {
            (view.shape[axis], view.strides[axis]) = (extent, 0);
        }
    }
    view.copy_out(false)
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

    #[test]
    fn leading_dimensions_broadcast_as_numpys_do() {
        assert_eq!(broadcast(&[3, 1], &[4]), Some(vec![3, 4]));
        assert_eq!(broadcast(&[], &[2]), Some(vec![2]));
        assert_eq!(broadcast(&[3], &[2]), None);
    }
}
