//! The product of 16-bit matrices of the host on a device.
//!
//! The operands go up as they are, in 16 bits, the product comes back in 16 or 32. A batch goes in runs of matrices where
//! memory or the setting asks for that; a product of which one matrix has no room is left to the CPU.

use super::chunks::Extents;
use super::matmul::{Resident, budget, in_pieces, ranges};
use super::transfer::{Packing, Source, Target, download, upload};
use super::triple::Triple;
use super::{Slot, interrupt};
use crate::config::{GpuVerify, config};
use crate::ops::matmul_half::HalfTarget;
use crate::report::{Report, Span};
use lapack_ai_core::{BatchView, BatchViewMut, DType, Half, Stored};
use lapack_ai_opencl::kernels::{Element, gemm_mixed::HalfProduct};
use lapack_ai_opencl::{Fault, FaultKind, Gpu, Interrupt, Trace, injected};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Computes `c = a b` on `gpu` and fills in the report; an operand with one matrix serves the whole batch.
///
/// # Errors
/// Those of the device; C is then undefined.
pub(crate) fn multiply(
    slot: &Slot,
    gpu: &Gpu,
    half: Half,
    [a, b]: [&BatchView<'_, u16>; 2],
    c: &HalfTarget<'_, '_>,
    report: &mut Report,
) -> Result<(), Fault> {
    let started = Instant::now();
    let trace = Trace::default();
    let checking = trace.enter(|| runs(slot, gpu, half, [a, b], c, report))?;
    let total = started.elapsed();
    slot.credit.book(total, checking);
    report.verified = checking.is_some();
    let spans = trace.spans();
    let kernels = spans.iter().filter(|span| span.bytes == 0).map(|span| span.seconds).sum::<f64>();
    report.times.compute = Duration::from_secs_f64(kernels).min(total);
    report.times.transfer = total - report.times.compute;
    report.spans = spans.into_iter().map(Span::from).collect();
    Ok(())
}

/// Run after run of the batch. Returns the time that checks took, if there were any.
fn runs(
    slot: &Slot,
    gpu: &Gpu,
    half: Half,
    [a, b]: [&BatchView<'_, u16>; 2],
    c: &HalfTarget<'_, '_>,
    report: &mut Report,
) -> Result<Option<Duration>, Fault> {
    let (batch, result) = match c {
        HalfTarget::Rounded(c) => (c.count(), 2),
        HalfTarget::Float32(c) => (c.count(), 4),
    };
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    // As if the operands had the size of the result.
    let extents = Extents { m, n, k, batch, size: result, shared: [a.count() == 1, b.count() == 1] };
    let most = config().map_or(usize::MAX, |config| config.batch_size_limit);
    let cut = extents.cut(budget(gpu), most)?;
    if (cut.m, cut.n, cut.k) != (m, n, k) {
        let (need, have) = (extents.need() as f64 / 1e9, gpu.available() as f64 / 1e9);
        let text = format!("the product needs {need:.3} GB, and {} has {have:.3} GB to give", gpu.info().name);
        return Err(Fault::new(FaultKind::OutOfMemory, text));
    }
    report.chunks = extents.pieces(cut);
    if extents.cut(budget(gpu), usize::MAX)? != extents.whole() {
        report.warnings.push(in_pieces(gpu, &extents, report.chunks));
    }
    let stop = interrupt();
    let mode = config().map_or(GpuVerify::Sample, |config| config.gpu_verify);
    let mut check = mode == GpuVerify::Full || (mode == GpuVerify::Sample && slot.credit.allows());
    let mut checking: Option<Duration> = None;
    let (mut a_there, mut b_there) = (None, None);
    for matrices in ranges(batch, cut.batch) {
        let a = there(gpu, half, a, &matrices, &mut a_there, &stop)?;
        let b = there(gpu, half, b, &matrices, &mut b_there, &stop)?;
        let time = match c {
            HalfTarget::Rounded(c) => {
                let there = room(gpu, half, [matrices.len(), m, n])?;
                let triple = Triple::Half { a: a.view()?, b: b.view()?, c: HalfProduct::Rounded(there.view()?) };
                finish(gpu, triple, check, &there, c, matrices, &stop)?
            }
            HalfTarget::Float32(c) => {
                let there = room(gpu, DType::Float32, [matrices.len(), m, n])?;
                let triple = Triple::Half { a: a.view()?, b: b.view()?, c: HalfProduct::Float32(there.view()?) };
                finish(gpu, triple, check, &there, c, matrices, &stop)?
            }
        };
        if let Some(time) = time {
            *checking.get_or_insert_default() += time;
        }
        check = mode == GpuVerify::Full;
    }
    Ok(checking)
}

/// The matrices of an operand on the device; one that serves the whole batch goes there once.
fn there<'a>(
    gpu: &Gpu,
    half: Half,
    view: &BatchView<'_, u16>,
    matrices: &Range<usize>,
    kept: &'a mut Option<Resident<Half>>,
    stop: Interrupt<'_>,
) -> Result<&'a Resident<Half>, Fault> {
    let shared = view.count() == 1;
    if !shared || kept.is_none() {
        let matrices = if shared { 0..1 } else { matrices.clone() };
        // Given back before the next is asked for.
        *kept = None;
        let packing = Packing::of(view);
        let made = Resident {
            block: gpu.alloc((matrices.len() * packing.elements() * 2).max(1))?,
            packing,
            batch: matrices.len(),
            dtype: half,
        };
        upload(gpu, &made.block, &Source { view, matrices, row: 0, col: 0 }, packing, stop)?;
        *kept = Some(made);
    }
    Ok(kept.as_ref().expect("made above"))
}

fn room<E: Element>(gpu: &Gpu, dtype: E, [batch, rows, cols]: [usize; 3]) -> Result<Resident<E>, Fault> {
    let block = gpu.alloc((batch * rows * cols * dtype.size()).max(1))?;
    Ok(Resident { block, packing: Packing { rows, cols, col_major: false }, batch, dtype })
}

/// Computes, checks if that is wanted, and downloads.
fn finish<E: Element, T: Stored>(
    gpu: &Gpu,
    triple: Triple<'_>,
    check: bool,
    there: &Resident<E>,
    c: &BatchViewMut<'_, T>,
    matrices: Range<usize>,
    stop: Interrupt<'_>,
) -> Result<Option<Duration>, Fault> {
    triple.multiply(gpu, 1.0, 0.0)?;
    if injected(FaultKind::WrongResult) {
        triple.multiply(gpu, 1.5, 0.0)?;
    }
    let mut checking = None;
    if check {
        // Waited for here, so that the check is not charged with the kernel.
        gpu.wait_for(&there.block)?;
        checking = Some(triple.check(gpu, false)?);
    }
    download(gpu, &there.block, 0, &Target { view: c, matrices, row: 0, col: 0 }, there.packing, stop)?;
    Ok(checking)
}
