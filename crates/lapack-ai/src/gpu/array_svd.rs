//! Singular value decompositions of arrays on a device.

use super::Slot;
use super::array::{DeviceArray, Outcome, lease, packed};
use super::array_product::{stack, stack_mut, stepped_in};
use super::svd::{checks, decompose, fits, note_rcond};
use crate::dispatch::{self, Device, fault_error};
use crate::fork;
use crate::observe;
use crate::ops::CallOptions;
use crate::ops::svd::{SvdOptions, SvdOut, Vectors, case, svd_into};
use crate::report::{Clock, Engine, Report, Span};
use lapack_ai_core::{BatchViewMut, Code, DType, ElementType, Error, Result, Scalar};
use lapack_ai_opencl::kernels::{DeviceView, copy::copy};
use lapack_ai_opencl::{Block, Fault, FaultKind, Gpu};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What [`svd_on_device`] gives; leading dimensions are those of the input, k = min(m, n).
#[derive(Clone, Debug)]
pub struct DeviceSvd {
    /// Singular values (..., k).
    pub s: DeviceArray,
    /// U and V^T, m x k and k x n (thin) or m x m and n x n (full); `None` where values alone were asked for.
    pub vectors: Option<[DeviceArray; 2]>,
    /// What the call did.
    pub report: Report,
}

const OPERATION: &str = "svd";

/// Whether a device array is better decomposed where it lies, the factors staying there, than fetched by the CPU and brought
/// back: by the cost model where `device` leaves the choice, else as `device` says. Never for types that only the CPU decomposes.
pub fn prefers_device(a: &DeviceArray, vectors: Vectors, device: Device) -> bool {
    let (axes, ElementType::Lapack(dtype)) = (a.shape.len(), a.dtype) else { return false };
    if dtype.is_complex() || axes < 2 || a.size() == 0 {
        return false;
    }
    let shape = [a.shape[axes - 2], a.shape[axes - 1]];
    match device {
        Device::Cpu => false,
        Device::Gpu | Device::RequireGpu | Device::On(_) => true,
        Device::Auto => {
            let count = a.shape[..axes - 2].iter().product();
            let _inside = fork::inside();
            fits(&a.gpu, shape, dtype, vectors, kept(shape, dtype, vectors, count)).is_ok()
                && dispatch::prefers_device(a.slot, &case(dtype, shape, count, vectors).0)
        }
    }
}

/// Bytes of the factors of the other matrices of a batch: each by itself first, then all in one block.
fn kept([m, n]: [usize; 2], dtype: DType, vectors: Vectors, count: usize) -> usize {
    let k = m.min(n);
    let elements = match vectors {
        Vectors::None => k,
        Vectors::Thin => k.saturating_mul(m + n + 1),
        Vectors::Full => m.saturating_mul(m).saturating_add(n.saturating_mul(n)),
    };
    if count > 1 { elements.saturating_mul(2 * count).saturating_mul(dtype.size()) } else { 0 }
}

/// Singular value decomposition of real device arrays (..., m, n), on their device; the factors stay there. Waits.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E004` for complex and 16-bit elements; `LAP-E006` with fewer than two axes;
/// where the CPU steps in those of [`crate::svd`]; `LAP-E033`, `LAP-E040`, `LAP-E041` if a GPU is required.
pub fn svd_on_device(a: &DeviceArray, vectors: Vectors, options: CallOptions) -> Result<DeviceSvd> {
    let axes = a.shape.len();
    let dtype = a.computed(OPERATION)?;
    if axes < 2 {
        let text = format!("the array has {axes} dimensions; a matrix needs 2");
        return Err(Error::text(Code::NotAMatrix, OPERATION, text));
    }
    if dtype.is_complex() {
        return Err(Error::text(Code::UnsupportedDType, OPERATION, "complex matrices are decomposed by the CPU"));
    }
    let shape = [a.shape[axes - 2], a.shape[axes - 1]];
    let count = a.shape[..axes - 2].iter().product();
    let watch = observe::begin(OPERATION, a.dtype, (shape[0], shape[1], count));
    let mut clock = Clock::start(options.timed || watch.is_timed());
    let mut report = Report::new(OPERATION, a.dtype, shape[0], shape[1], count);
    let work = |report: &mut Report| -> Result<(DeviceArray, Option<[DeviceArray; 2]>)> {
        let _inside = fork::inside();
        let step_in = |report: &mut Report, fault: &Fault| match dtype {
            DType::Float32 => on_cpu::<f32>(a, vectors, options, report, fault),
            _ => on_cpu::<f64>(a, vectors, options, report, fault),
        };
        let refused = |why| Fault::new(FaultKind::OutOfMemory, why);
        let lease = lease(OPERATION, a.slot)?;
        report.engine = Engine::OpenCl;
        report.reason = "the operand lies on the device".into();
        report.device = Some(Arc::from(a.device_name()));
        report.routine = "svd";
        let outcome = match fits(&a.gpu, shape, dtype, vectors, kept(shape, dtype, vectors, count)) {
            Ok(()) => lease.settle(factors(a, dtype, vectors, report)),
            // No verdict on the device: the lease ends unused.
            Err(why) => Err(refused(why)),
        };
        match outcome {
            Ok(factors) => Ok(factors),
            Err(fault) if super::was_cancelled(&fault) => Err(super::cancelled(OPERATION)),
            // The CPU says where.
            Err(fault) if fault.kind == FaultKind::NotFinite => step_in(report, &fault),
            Err(fault) if options.device == Device::RequireGpu => Err(fault_error(OPERATION, &fault)),
            Err(fault) => step_in(report, &fault),
        }
    };
    let result = work(&mut report);
    clock.lap(&mut report.times.total);
    observe::end(watch, &report, result.as_ref().err());
    result.map(|(s, vectors)| DeviceSvd { s, vectors, report })
}

/// The decompositions of all matrices.
fn factors(
    a: &DeviceArray,
    dtype: DType,
    vectors: Vectors,
    report: &mut Report,
) -> Outcome<(DeviceArray, Option<[DeviceArray; 2]>)> {
    let (slot, gpu): (&'static Slot, &Gpu) = (a.slot, &a.gpu);
    let axes = a.shape.len();
    let (batch, [m, n]) = (&a.shape[..axes - 2], [a.shape[axes - 2], a.shape[axes - 1]]);
    let (k, count) = (m.min(n), batch.iter().product::<usize>());
    let (u_cols, vh_rows) = if vectors == Vectors::Full { (m, n) } else { (k, k) };
    // What does not follow at one stride is packed first.
    let spread;
    let a = match a.stack(batch) {
        Some(_) => a,
        None => {
            spread = a.copy_out(false)?;
            &spread
        }
    };
    let view = a.matrices(batch, dtype).expect("one stride, by the line above")?;
    let started = Instant::now();
    let (mut all, mut checking): (Vec<[Option<Block>; 3]>, Option<Duration>) = (Vec::new(), None);
    for index in 0..count {
        let check = checks(slot);
        let one = view.run(index, 1)?;
        let (found, time) = match dtype {
            DType::Float32 => decompose::<f32>(gpu, one, vectors, check)?,
            _ => decompose::<f64>(gpu, one, vectors, check)?,
        };
        if let Some(time) = time {
            *checking.get_or_insert_default() += time;
        }
        all.push([Some(found.sigma), found.u, found.v]);
    }
    let total = started.elapsed();
    slot.credit.book(total, checking);
    report.verified = checking.is_some();
    report.times.compute = total;
    report.spans = vec![Span { name: "svd".into(), start: 0.0, seconds: total.as_secs_f64(), bytes: 0 }];
    // Matrices of `rows` x `cols` as the engine leaves them, column-major, of all decompositions.
    let mut joined = |which: usize, rows: usize, cols: usize| -> Outcome<DeviceArray> {
        let mut shape = batch.to_vec();
        shape.extend([rows, cols]);
        let each = rows * cols;
        let mut strides = packed(&shape);
        let last = strides.len() - 2;
        (strides[last], strides[last + 1]) = (1, rows.max(1) as isize);
        let block = match &mut all[..] {
            [one] => one[which].take().expect("taken once"),
            many => {
                let block = gpu.alloc((count * each * dtype.size()).max(1))?;
                for (index, one) in many.iter().enumerate() {
                    let from =
                        DeviceView::col_major(one[which].as_ref().expect("not yet taken"), dtype, [1, rows, cols])?;
                    let to = DeviceView::new(&block, dtype, index * each, [1, rows, cols], [0, 1, rows as isize])?;
                    copy(gpu, from, false, to)?;
                }
                block
            }
        };
        Ok(DeviceArray {
            slot,
            gpu: gpu.clone(),
            block: Arc::new(block),
            dtype: dtype.into(),
            shape,
            strides,
            offset: 0,
        })
    };
    let s = joined(0, k, 1)?;
    let vectors = match vectors {
        Vectors::None => None,
        _ => Some([joined(1, m, u_cols)?, joined(2, n, vh_rows)?.transposed()]),
    };
    let s = s.without_axis(axes - 1);
    let mut values = vec![0.0; count * k];
    match dtype {
        DType::Float32 => {
            let mut single = vec![0.0_f32; count * k];
            s.download(&mut single)?;
            values.iter_mut().zip(single).for_each(|(value, one)| *value = one.into());
        }
        _ => s.download(&mut values)?,
    }
    values.chunks_exact(k.max(1)).enumerate().for_each(|(index, values)| note_rcond(report, index, values));
    Ok((s, vectors))
}

/// The decomposition by the CPU after the device failed with `fault`, brought back to the device.
fn on_cpu<T: Scalar>(
    a: &DeviceArray,
    vectors: Vectors,
    options: CallOptions,
    report: &mut Report,
    fault: &Fault,
) -> Result<(DeviceArray, Option<[DeviceArray; 2]>)> {
    let mut data = vec![T::ZERO; a.size()];
    a.to_host(&mut data)?;
    let axes = a.shape.len();
    let (batch, [m, n]) = (&a.shape[..axes - 2], [a.shape[axes - 2], a.shape[axes - 1]]);
    let (k, count) = (m.min(n), batch.iter().product::<usize>());
    let (u_cols, vh_rows) = if vectors == Vectors::Full { (m, n) } else { (k, k) };
    let view = stack(a, &data);
    let shaped = |rows: usize, cols: usize| [batch, &[rows, cols][..]].concat();
    let row_major = crate::ops::svd::output_is_row_major(&view, false);
    // Fortran order is the transpose in C order.
    let order = |rows: usize, cols: usize| if row_major { shaped(rows, cols) } else { shaped(cols, rows) };
    let mut values = vec![<T::Real as Scalar>::ZERO; count * k];
    let wanted = vectors != Vectors::None;
    let shapes = if wanted { [order(m, u_cols), order(vh_rows, n)] } else { [order(0, 0), order(0, 0)] };
    let [mut u, mut vh] = shapes.each_ref().map(|shape| vec![T::ZERO; shape.iter().product()]);
    let cpu = CallOptions { device: Device::Cpu, ..options };
    let done = {
        fn turned<T: Scalar>(view: BatchViewMut<'_, T>, row_major: bool) -> BatchViewMut<'_, T> {
            if row_major { view } else { view.transposed() }
        }
        let [left, right] = [stack_mut(&shapes[0], &mut u), stack_mut(&shapes[1], &mut vh)];
        let factors = wanted.then(|| (turned(left, row_major), turned(right, row_major)));
        let out = SvdOut { vectors: factors, s: stack_mut(&shaped(k, 1), &mut values) };
        svd_into(view.into(), out, SvdOptions { vectors, call: cpu })?
    };
    let send = |shape: &[usize], data: &mut [T]| -> Result<DeviceArray> {
        let array = DeviceArray::from_host(a.device(), shape, &stack_mut(shape, data).as_view())?;
        Ok(if row_major { array } else { array.transposed() })
    };
    let s_shape = shaped(k, 1);
    let s = DeviceArray::from_host(a.device(), &s_shape, &stack_mut(&s_shape, &mut values).as_view())?;
    let vectors = if wanted { Some([send(&shapes[0], &mut u)?, send(&shapes[1], &mut vh)?]) } else { None };
    (report.rcond, report.rcond_source, report.rcond_matrix) = (done.rcond, done.rcond_source, done.rcond_matrix);
    stepped_in(OPERATION, a, done, report, fault);
    Ok((s.without_axis(axes - 1), vectors))
}
