//! Products of arrays on a device.

use super::array::{DeviceArray, Outcome, lease, packed};
use super::triple::{self, Triple};
use crate::config::{GpuVerify, config};
use crate::dispatch::{Device, fault_error, known, model::Case};
use crate::fork;
use crate::observe;
use crate::ops::matmul_half::{HalfTarget, matmul_half_into};
use crate::ops::{CallOptions, shape_mismatch};
use crate::report::{Clock, Engine, Report, Span};
use lapack_ai_core::{
    Argument, BatchView, BatchViewMut, Code, Complex32, Complex64, DType, ElementType, Error, Half, MatrixView,
    MatrixViewMut, Result, Scalar, Stored,
};
use lapack_ai_opencl::kernels::{DeviceView, Element, gemm_mixed::HalfProduct};
use lapack_ai_opencl::{Fault, FaultKind, Trace, injected};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What becomes of the float sums of a product of 16-bit arrays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sums {
    /// They are rounded to the operands' type, once.
    #[default]
    Rounded,
    /// They stay as they are.
    Float32,
}

/// Product of device arrays under NumPy's rules, their leading dimensions broadcast; the result stays on the device. `sums` is
/// for 16-bit arrays.
///
/// # Errors
/// `LAP-E002` for shapes that do not fit, `LAP-E004` for different types, `LAP-E033`, `LAP-E041`.
pub fn matmul_on_device(
    a: &DeviceArray,
    b: &DeviceArray,
    sums: Sums,
    options: CallOptions,
) -> Result<(DeviceArray, Report)> {
    const OPERATION: &str = "matmul";
    let axes = |array: &DeviceArray| array.shape.len();
    let (m, k, n) = match (axes(a), axes(b)) {
        (2.., 2..) => (a.shape[axes(a) - 2], a.shape[axes(a) - 1], b.shape[axes(b) - 1]),
        _ => {
            let text = "a matrix needs two dimensions".to_string();
            return Err(Error::text(Code::NotAMatrix, OPERATION, text));
        }
    };
    let batch = broadcast(&a.shape[..axes(a) - 2], &b.shape[..axes(b) - 2]);
    let count = batch.as_ref().map_or(0, |batch| batch.iter().product());
    let watch = observe::begin(OPERATION, a.dtype, (m, n, count));
    let timed = options.timed || watch.is_timed();
    let mut clock = Clock::start(timed);
    let mut report = Report::new(OPERATION, a.dtype, m, n, count);
    report.inner = k;
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
        let case = Case::matmul(a.dtype.sums(), m, n, k).batched(count);
        let outcome = multiply(a, b, &batch, (m, n), sums, (timed, options), &case, report);
        match lease.settle(outcome) {
            Ok(product) => Ok(product),
            Err(fault) if super::was_cancelled(&fault) => Err(super::cancelled(OPERATION)),
            Err(fault) if options.device == Device::RequireGpu => Err(fault_error(OPERATION, &fault)),
            Err(fault) => {
                let stood_in = match a.dtype {
                    ElementType::Lapack(DType::Float32) => on_cpu::<f32>(a, b, &batch, options, report, &fault),
                    ElementType::Lapack(DType::Float64) => on_cpu::<f64>(a, b, &batch, options, report, &fault),
                    ElementType::Lapack(DType::Complex64) => on_cpu::<Complex32>(a, b, &batch, options, report, &fault),
                    ElementType::Lapack(DType::Complex128) => {
                        on_cpu::<Complex64>(a, b, &batch, options, report, &fault)
                    }
                    ElementType::Half(half) => half_on_cpu(a, b, half, sums, &batch, options, report, &fault),
                };
                // Where operands or result cannot cross, what the device said is the error.
                stood_in.map_err(|_| fault_error(OPERATION, &fault))
            }
        }
    };
    let result = work(&mut report);
    clock.lap(&mut report.times.total);
    observe::end(watch, &report, result.as_ref().err());
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
    let (a_view, b_view) = (stack(a, &a_data), stack(b, &b_data));
    let shape = product_shape(batch, &a_view, &b_view);
    let mut c_data = vec![T::ZERO; shape.iter().product()];
    let mut c = stack_mut(&shape, &mut c_data);
    let cpu = CallOptions { device: Device::Cpu, ..options };
    let done = crate::ops::matmul::matmul_into(&a_view, &b_view, &mut c, cpu)?;
    let result = DeviceArray::from_host(a.device(), &shape, &c.as_view())?;
    stepped_in("matmul", a, done, report, fault);
    Ok(result)
}

/// As [`on_cpu`], for 16-bit operands.
fn half_on_cpu(
    a: &DeviceArray,
    b: &DeviceArray,
    half: Half,
    sums: Sums,
    batch: &[usize],
    options: CallOptions,
    report: &mut Report,
    fault: &Fault,
) -> Result<DeviceArray> {
    let fetch = |array: &DeviceArray| {
        let mut data = vec![0; array.size()];
        array.to_host_16(&mut data).map(|()| data)
    };
    let (a_data, b_data) = (fetch(a)?, fetch(b)?);
    let (a_view, b_view) = (stack(a, &a_data), stack(b, &b_data));
    let shape = product_shape(batch, &a_view, &b_view);
    let cpu = CallOptions { device: Device::Cpu, ..options };
    let elements = shape.iter().product();
    let (result, done) = match sums {
        Sums::Rounded => {
            let mut c_data = vec![0_u16; elements];
            let mut c = stack_mut(&shape, &mut c_data);
            let done = matmul_half_into(half, &a_view, &b_view, HalfTarget::Rounded(&mut c), cpu)?;
            (DeviceArray::from_host_16(a.device(), half, &shape, &c.as_view())?, done)
        }
        Sums::Float32 => {
            let mut c_data = vec![0_f32; elements];
            let mut c = stack_mut(&shape, &mut c_data);
            let done = matmul_half_into(half, &a_view, &b_view, HalfTarget::Float32(&mut c), cpu)?;
            (DeviceArray::from_host(a.device(), &shape, &c.as_view())?, done)
        }
    };
    stepped_in("matmul", a, done, report, fault);
    Ok(result)
}

/// A packed array's data at the host, as matrices.
pub(super) fn stack<'a, T: Stored>(array: &DeviceArray, data: &'a [T]) -> BatchView<'a, T> {
    let lead = array.shape.len() - 2;
    let [rows, cols] = [array.shape[lead], array.shape[lead + 1]];
    // SAFETY: the slice holds the packed array.
    unsafe {
        let first = MatrixView::from_raw(data.as_ptr(), rows, cols, cols as isize, 1);
        BatchView::from_raw(first, &array.shape[..lead], &packed(&array.shape)[..lead])
    }
}

pub(super) fn stack_mut<'a, T: Stored>(shape: &[usize], data: &'a mut [T]) -> BatchViewMut<'a, T> {
    let lead = shape.len() - 2;
    let [m, n] = [shape[lead], shape[lead + 1]];
    // SAFETY: the slice holds the packed array and is borrowed for writing.
    unsafe {
        let first = MatrixViewMut::from_raw(data.as_mut_ptr(), m, n, n as isize, 1);
        BatchViewMut::from_raw(first, &shape[..lead], &packed(shape)[..lead])
    }
}

fn product_shape<T: Stored>(batch: &[usize], a: &BatchView<'_, T>, b: &BatchView<'_, T>) -> Vec<usize> {
    [batch, &[a.rows(), b.cols()]].concat()
}

/// Makes the report one of the CPU's call.
pub(super) fn stepped_in(operation: &'static str, a: &DeviceArray, done: Report, report: &mut Report, fault: &Fault) {
    let reason = format!("{} failed: {fault}", a.device_name());
    report.warnings.push(crate::dispatch::not_used(operation, &reason, "the CPU stepped in".to_string()));
    (report.engine, report.reason, report.device) = (Engine::Cpu, reason.into(), None);
    (report.routine, report.times, report.verified, report.chunks) = (done.routine, done.times, false, 1);
    report.spans.clear();
}

/// NumPy's broadcasting of leading dimensions.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
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
    sums: Sums,
    (timed, options): (bool, CallOptions),
    case: &Case,
    report: &mut Report,
) -> Outcome<DeviceArray> {
    let (slot, gpu) = (a.slot, &a.gpu);
    let mut shape = batch.to_vec();
    shape.extend([m, n]);
    let result = if sums == Sums::Float32 { a.dtype.sums().into() } else { a.dtype };
    let c = DeviceArray::new(slot, gpu, result, &shape)?;
    // What does not follow at one stride is packed first, in the shape that it has.
    let (a_packed, b_packed);
    let a = if a.stack(batch).is_some() {
        a
    } else {
        a_packed = spread(a, batch)?;
        &a_packed
    };
    let b = if b.stack(batch).is_some() {
        b
    } else {
        b_packed = spread(b, batch)?;
        &b_packed
    };
    let triple = match a.dtype {
        ElementType::Lapack(dtype) => {
            let [a, b, c] = [a, b, &c].map(|array| view(array, batch, dtype));
            Triple::Lapack { a: a?, b: b?, c: c?, tf32: triple::in_tf32(gpu, options, dtype, report) }
        }
        ElementType::Half(half) => {
            let c = match c.dtype {
                ElementType::Half(half) => HalfProduct::Rounded(view(&c, batch, half)?),
                ElementType::Lapack(dtype) => HalfProduct::Float32(view(&c, batch, dtype)?),
            };
            Triple::Half { a: view(a, batch, half)?, b: view(b, batch, half)?, c }
        }
    };
    let trace = Trace::default();
    let started = Instant::now();
    // The device has what it computes with already; a limit still bounds how long one kernel runs.
    let most = config().map_or(usize::MAX, |config| config.batch_size_limit);
    let count: usize = batch.iter().product();
    report.chunks = count.div_ceil(most).max(1);
    trace.enter(|| -> Outcome<()> {
        for first in (0..count).step_by(most) {
            triple.run(first, most.min(count - first))?.multiply(gpu, 1.0, 0.0)?;
        }
        Ok(())
    })?;
    if injected(FaultKind::WrongResult) {
        triple.multiply(gpu, 1.5, 0.0)?;
    }
    let mode = config().map_or(GpuVerify::Sample, |config| config.gpu_verify);
    let checks = mode == GpuVerify::Full || (mode == GpuVerify::Sample && slot.credit.allows());
    // What the model knows are products whose operands have the type of their sums.
    let modelled = matches!(triple, Triple::Lapack { tf32: false, .. });
    if !timed && !checks {
        // The kernel is not waited for: its time is a guess of the model, for the credit alone.
        let guess = known::of_slot(slot).model().seconds(Engine::OpenCl, case).unwrap_or(0.0);
        slot.credit.book(Duration::from_secs_f64(guess), None);
        return Ok(c);
    }
    gpu.wait_for(&c.block)?;
    let total = started.elapsed();
    let checking = if checks { Some(triple.check(gpu, mode == GpuVerify::Full)?) } else { None };
    slot.credit.book(total, checking);
    report.verified = checking.is_some();
    report.spans = trace.spans().into_iter().map(Span::from).collect();
    let kernels = report.spans.iter().map(|span| span.seconds).sum::<f64>();
    report.times.compute = Duration::from_secs_f64(kernels);
    if modelled {
        known::of_slot(slot).learn(case, Engine::OpenCl, kernels, 0.0);
    }
    Ok(c)
}

/// An array whose matrices follow each other at one stride, as a batch.
pub(super) fn view<'a, E: Element>(array: &'a DeviceArray, batch: &[usize], dtype: E) -> Outcome<DeviceView<'a, E>> {
    array.matrices(batch, dtype).expect("packed where it was not")
}

/// A packed copy with the leading dimensions `batch`.
pub(super) fn spread(array: &DeviceArray, batch: &[usize]) -> Outcome<DeviceArray> {
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
    fn leading_dimensions_broadcast_as_numpys_do() {
        assert_eq!(broadcast(&[3, 1], &[4]), Some(vec![3, 4]));
        assert_eq!(broadcast(&[], &[2]), Some(vec![2]));
        assert_eq!(broadcast(&[3], &[2]), None);
    }
}
