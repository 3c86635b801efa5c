//! The product of matrices of the host on a device.
//!
//! The operands go up, the product comes back. One matrix is worked on in panels of rows, a batch in runs of matrices, so
//! that the next panel goes up while a kernel works on this one and the last one comes back; where memory does not hold all
//! at once, `chunks` cuts further.

use super::chunks::{Budget, Cut, Extents};
use super::transfer::{Packing, Source, Target, download, upload};
use super::triple::{self, Triple};
use super::{Slot, interrupt};
use crate::config::{GpuVerify, config};
use crate::ops::CallOptions;
use crate::report::{Report, Span};
use lapack_ai_core::{BatchView, BatchViewMut, Code, Complex64, DType, Error, Scalar};
use lapack_ai_opencl::kernels::{DeviceView, Element, scale::scale};
use lapack_ai_opencl::{Block, Fault, FaultKind, Gpu, Interrupt, Trace, injected};
use std::ops::{Add, Range};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a panel below which the launches cost more than the overlap gives.
const PANEL: usize = 16 << 20;
/// Most panels of a product.
const MOST_PANELS: usize = 8;

/// What a product on a device needs to know.
pub(crate) struct Product<'a, T: Scalar> {
    pub(crate) a: BatchView<'a, T>,
    pub(crate) b: BatchView<'a, T>,
    pub(crate) c: &'a BatchViewMut<'a, T>,
    pub(crate) options: CallOptions,
}

/// A packed matrix, or a run of them, on the device.
pub(super) struct Resident<E> {
    pub(super) block: Block,
    pub(super) packing: Packing,
    pub(super) batch: usize,
    pub(super) dtype: E,
}

impl<E: Element> Resident<E> {
    pub(super) fn view(&self) -> Result<DeviceView<'_, E>, Fault> {
        let Packing { rows, cols, .. } = self.packing;
        let (row_stride, col_stride) = self.packing.strides();
        let strides = [self.packing.elements() as isize, row_stride, col_stride];
        DeviceView::new(&self.block, self.dtype, 0, [self.batch, rows, cols], strides)
    }
}

/// A part of C that is being computed, with what it is computed from where a check still needs it.
struct Piece {
    c: Resident<DType>,
    /// Which matrices, rows and columns of C.
    matrices: Range<usize>,
    rows: Range<usize>,
    cols: Range<usize>,
    operands: Option<[Arc<Resident<DType>>; 2]>,
}

/// Bytes that a device has for a product. An eighth is left to the pool, whose blocks are up to that much larger than what
/// was asked for.
pub(crate) fn budget(gpu: &Gpu) -> Budget {
    Budget { total: gpu.available() / 8 * 7, largest: gpu.info().max_allocation as usize }
}

impl<'a, T: Scalar> Product<'a, T> {
    /// Its sizes; an operand with one matrix serves the whole batch.
    pub(crate) fn extents(&self) -> Extents {
        let (m, n, k) = (self.a.rows(), self.b.cols(), self.a.cols());
        let shared = [self.a.count() == 1, self.b.count() == 1];
        Extents { m, n, k, batch: self.c.count(), size: size_of::<T>(), shared }
    }

    /// Computes it on `gpu` and fills in the report: chunks, spans, times, check.
    ///
    /// # Errors
    /// Those of the device; C is then undefined.
    pub(crate) fn run(self, slot: &Slot, gpu: &Gpu, report: &mut Report) -> Result<(), Fault> {
        let started = Instant::now();
        let trace = Trace::default();
        let stop = interrupt();
        let tf32 = triple::in_tf32(gpu, self.options, T::DTYPE, report);
        let outcome = trace.enter(|| self.pieces(slot, gpu, tf32, &trace, &stop, report));
        let total = started.elapsed();
        let checking = outcome?;
        slot.credit.book(total, checking);
        report.verified = checking.is_some();
        let spans = trace.spans();
        let kernels = spans.iter().filter(|span| span.bytes == 0).map(|span| span.seconds).sum::<f64>();
        report.times.compute = Duration::from_secs_f64(kernels).min(total);
        report.times.transfer = total - report.times.compute;
        report.spans = spans.into_iter().map(Span::from).collect();
        Ok(())
    }

    /// Computes all pieces. Returns the time that checks took, if there were any.
    fn pieces(
        &self,
        slot: &Slot,
        gpu: &Gpu,
        tf32: bool,
        trace: &Trace,
        stop: Interrupt<'_>,
        report: &mut Report,
    ) -> Result<Option<Duration>, Fault> {
        let extents = self.extents();
        let most = config().map_or(usize::MAX, |config| config.batch_size_limit);
        let cut = extents.cut(budget(gpu), most)?;
        report.chunks = extents.pieces(cut);
        let resident = cut == extents.whole();
        if extents.cut(budget(gpu), usize::MAX)? != extents.whole() {
            report.warnings.push(in_pieces(gpu, &extents, report.chunks));
        }
        let cut = if resident { panels(&extents) } else { cut };
        let mode = config().map_or(GpuVerify::Sample, |config| config.gpu_verify);
        let checks = match mode {
            GpuVerify::Off => Checks::None,
            GpuVerify::Full => Checks::All,
            GpuVerify::Sample if slot.credit.allows() => Checks::First,
            GpuVerify::Sample => Checks::None,
        };
        if extents.pieces(cut) == 1 {
            let piece = self.compute(
                gpu,
                tf32,
                cut,
                0..extents.batch,
                0..extents.m,
                0..extents.n,
                &mut Cached::default(),
                stop,
                checks != Checks::None,
            )?;
            return self.finish(gpu, tf32, piece, stop, checks == Checks::All);
        }
        // Where memory was the reason to cut, a piece is made only when the one before the last is back.
        let ahead = if resident { MOST_PANELS } else { 0 };
        let todo = Mutex::new(self.blocks(cut).enumerate());
        thread::scope(|scope| {
            let (send, receive) = sync_channel::<Piece>(ahead);
            let receive = Arc::new(Mutex::new(receive));
            // Two at a time, so that the bus is busy while the host stores what one of them brought.
            let finishers: Vec<_> = (0..if resident { 2 } else { 1 })
                .map(|_| {
                    let receive = receive.clone();
                    scope.spawn(move || trace.enter(|| self.finish_all(gpu, tf32, stop, checks, &receive)))
                })
                .collect();
            drop(receive);
            let mut cached = Cached { kept: resident.then(Vec::new), ..Cached::default() };
            let made = match resident {
                false => self.send_all(gpu, tf32, cut, stop, checks, &todo, &mut cached, &send),
                // What all panels need comes first; then two panels at a time, so that the bus is busy while the host prepares
                // one of them.
                true => self.common(gpu, &mut cached, stop).and_then(|()| {
                    let mut second = cached.clone();
                    let other = scope.spawn({
                        let (todo, send) = (&todo, send.clone());
                        move || trace.enter(|| self.send_all(gpu, tf32, cut, stop, checks, todo, &mut second, &send))
                    });
                    let made = self.send_all(gpu, tf32, cut, stop, checks, &todo, &mut cached, &send);
                    made.and(other.join().unwrap_or_else(|panic| resume_unwind(panic)))
                }),
            };
            drop(send);
            let finished =
                finishers.into_iter().map(|finisher| finisher.join().unwrap_or_else(|panic| resume_unwind(panic)));
            let finished: Result<Vec<_>, Fault> = finished.collect();
            made.and(finished).map(|checking| checking.into_iter().flatten().reduce(Add::add))
        })
    }

    /// Uploads the operands that every panel of a product needs as a whole.
    fn common(&self, gpu: &Gpu, cached: &mut Cached, stop: Interrupt<'_>) -> Result<(), Fault> {
        let Extents { m, n, k, batch, shared, .. } = self.extents();
        if batch == 1 || shared[1] {
            part(gpu, &self.b, &(0..1), &(0..k), &(0..n), &mut cached.b, &mut cached.kept, stop)?;
        }
        if batch > 1 && shared[0] {
            part(gpu, &self.a, &(0..1), &(0..m), &(0..k), &mut cached.a, &mut cached.kept, stop)?;
        }
        Ok(())
    }

    /// Matrices, rows and columns of C of the pieces, in the order in which they find most of what they need on the device.
    fn blocks(&self, cut: Cut) -> impl Iterator<Item = [Range<usize>; 3]> + Send + use<T> {
        let Extents { m, n, batch, .. } = self.extents();
        ranges(batch, cut.batch).flat_map(move |matrices| {
            ranges(n, cut.n).flat_map(move |cols| {
                let matrices = matrices.clone();
                ranges(m, cut.m).map(move |rows| [matrices.clone(), rows, cols.clone()])
            })
        })
    }

    /// Computes piece after piece of those left to do and hands them on, until the other side ends, which then has the
    /// reason.
    fn send_all(
        &self,
        gpu: &Gpu,
        tf32: bool,
        cut: Cut,
        stop: Interrupt<'_>,
        checks: Checks,
        todo: &Mutex<impl Iterator<Item = (usize, [Range<usize>; 3])>>,
        cached: &mut Cached,
        send: &SyncSender<Piece>,
    ) -> Result<(), Fault> {
        loop {
            let next = todo.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, [matrices, rows, cols])) = next else { return Ok(()) };
            let check = checks == Checks::All || (checks == Checks::First && index == 0);
            let piece = self.compute(gpu, tf32, cut, matrices, rows, cols, cached, stop, check);
            let sent = piece.map(|piece| send.send(piece).is_ok());
            if sent != Ok(true) {
                // Whoever shares the work ends too.
                todo.lock().unwrap_or_else(PoisonError::into_inner).by_ref().for_each(drop);
                return sent.map(drop);
            }
        }
    }

    /// Finishes piece after piece until there are no more. Returns the time that checks took, if there were any.
    fn finish_all(
        &self,
        gpu: &Gpu,
        tf32: bool,
        stop: Interrupt<'_>,
        checks: Checks,
        pieces: &Mutex<Receiver<Piece>>,
    ) -> Result<Option<Duration>, Fault> {
        let mut checking: Option<Duration> = None;
        loop {
            let next = pieces.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(piece) = next else { return Ok(checking) };
            if let Some(time) = self.finish(gpu, tf32, piece, stop, checks == Checks::All)? {
                *checking.get_or_insert_default() += time;
            }
        }
    }

    /// Uploads what a piece needs and launches its kernels.
    fn compute(
        &self,
        gpu: &Gpu,
        tf32: bool,
        cut: Cut,
        matrices: Range<usize>,
        rows: Range<usize>,
        cols: Range<usize>,
        cached: &mut Cached,
        stop: Interrupt<'_>,
        check: bool,
    ) -> Result<Piece, Fault> {
        let k = self.a.cols();
        let packing = Packing { rows: rows.len(), cols: cols.len(), col_major: false };
        let c = gpu.alloc((matrices.len() * packing.elements() * size_of::<T>()).max(1))?;
        let c = Resident { block: c, packing, batch: matrices.len(), dtype: T::DTYPE };
        let mut operands = None;
        for (step, inner) in ranges(k, cut.k).enumerate() {
            let a = part(gpu, &self.a, &matrices, &rows, &inner, &mut cached.a, &mut cached.kept, stop)?;
            let b = part(gpu, &self.b, &matrices, &inner, &cols, &mut cached.b, &mut cached.kept, stop)?;
            let beta = if step == 0 { 0.0 } else { 1.0 };
            triple(&a, &b, &c, tf32)?.multiply(gpu, 1.0, beta)?;
            operands = Some([a, b]);
        }
        if injected(FaultKind::WrongResult) {
            scale(gpu, Complex64::new(1.5, 0.0), c.view()?, c.view()?)?;
        }
        // A check needs all of k: what was added up from several blocks is not checked.
        let operands = operands.filter(|_| check && cut.k >= k);
        Ok(Piece { c, matrices, rows, cols, operands })
    }

    /// Checks a piece, if that is wanted, and downloads it.
    fn finish(
        &self,
        gpu: &Gpu,
        tf32: bool,
        piece: Piece,
        stop: Interrupt<'_>,
        full: bool,
    ) -> Result<Option<Duration>, Fault> {
        let mut checking = None;
        if let Some([a, b]) = &piece.operands {
            // Waited for here, so that the check is not charged with the kernel.
            gpu.wait_for(&piece.c.block)?;
            checking = Some(triple(a, b, &piece.c, tf32)?.check(gpu, full)?);
        }
        let Piece { c, matrices, rows, cols, .. } = piece;
        let target = Target { view: self.c, matrices, row: rows.start, col: cols.start };
        download(gpu, &c.block, 0, &target, c.packing, stop)?;
        Ok(checking)
    }
}

fn triple<'a>(
    a: &'a Resident<DType>,
    b: &'a Resident<DType>,
    c: &'a Resident<DType>,
    tf32: bool,
) -> Result<Triple<'a>, Fault> {
    Ok(Triple::Lapack { a: a.view()?, b: b.view()?, c: c.view()?, tf32 })
}

/// The warning that memory made pieces of a product.
#[cold]
pub(super) fn in_pieces(gpu: &Gpu, extents: &Extents, pieces: usize) -> Error {
    let gb = |bytes: usize| bytes as f64 / 1e9;
    let (need, have) = (gb(extents.need()), gb(gpu.available()));
    let name = &gpu.info().name;
    let text =
        format!("the product needs {need:.3} GB, and {name} has {have:.3} GB to give: computed in {pieces} pieces");
    let warning = Error::text(Code::InPieces, "matmul", text);
    if gpu.is_held_by_host_limit() {
        return warning
            .because("the memory limit of this process or container holds the device to a half of what is left");
    }
    if extents.need() <= gpu.available() {
        return warning.because(format!("one buffer of the device holds at most {:.3} GB", gb(budget(gpu).largest)));
    }
    warning
}

/// Which pieces are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checks {
    None,
    First,
    All,
}

/// The last part of each operand, which the next piece may need again.
#[derive(Clone, Default)]
struct Cached {
    a: Option<(Key, Arc<Resident<DType>>)>,
    b: Option<(Key, Arc<Resident<DType>>)>,
    /// Where there is memory for all parts, those before: a block that is given back would be the next part's, which would
    /// wait for the kernel that still reads it.
    kept: Option<Vec<Arc<Resident<DType>>>>,
}

/// Matrices, rows and columns of a part.
type Key = [Range<usize>; 3];

/// A part of an operand on the device: the one of the piece before, if it is the same.
fn part<T: Scalar>(
    gpu: &Gpu,
    view: &BatchView<'_, T>,
    matrices: &Range<usize>,
    rows: &Range<usize>,
    cols: &Range<usize>,
    cached: &mut Option<(Key, Arc<Resident<DType>>)>,
    kept: &mut Option<Vec<Arc<Resident<DType>>>>,
    stop: Interrupt<'_>,
) -> Result<Arc<Resident<DType>>, Fault> {
    // One matrix serves the whole batch.
    let matrices = if view.count() == 1 { 0..1 } else { matrices.clone() };
    let key = [matrices.clone(), rows.clone(), cols.clone()];
    if let Some((known, resident)) = cached
        && *known == key
    {
        return Ok(resident.clone());
    }
    let before = cached.take();
    if let (Some(kept), Some((_, resident))) = (kept, before) {
        kept.push(resident);
    }
    let packing = Packing { rows: rows.len(), cols: cols.len(), ..Packing::of(view) };
    let block = gpu.alloc((matrices.len() * packing.elements() * size_of::<T>()).max(1))?;
    let batch = matrices.len();
    upload(gpu, &block, &Source { view, matrices, row: rows.start, col: cols.start }, packing, stop)?;
    let resident = Arc::new(Resident { block, packing, batch, dtype: T::DTYPE });
    *cached = Some((key, resident.clone()));
    Ok(resident)
}

/// The cut of a product that fits as a whole: panels for the sake of overlap.
fn panels(extents: &Extents) -> Cut {
    let whole = extents.whole();
    let moved = extents.need();
    let count = (moved / PANEL).clamp(1, MOST_PANELS);
    if extents.batch > 1 {
        return Cut { batch: extents.batch.div_ceil(count), ..whole };
    }
    Cut { m: extents.m.div_ceil(count).next_multiple_of(64).min(extents.m.max(1)), ..whole }
}

/// `0..extent` in steps of `block`; one empty range for nothing.
pub(super) fn ranges(extent: usize, block: usize) -> impl Iterator<Item = Range<usize>> {
    let block = block.max(1);
    (0..extent.div_ceil(block).max(1)).map(move |index| index * block..((index + 1) * block).min(extent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_an_extent_without_gaps() {
        assert_eq!(ranges(10, 4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
        assert!(ranges(0, 4).eq(std::iter::once(0..0)));
    }

    #[test]
    fn a_small_product_is_one_panel_and_a_large_one_overlaps() {
        let small = Extents { m: 100, n: 100, k: 100, batch: 1, size: 8, shared: [true; 2] };
        assert_eq!(panels(&small), small.whole());
        let large = Extents { m: 4096, n: 4096, k: 4096, ..small };
        assert_eq!(panels(&large).m, 512);
        let batch = Extents { batch: 100_000, m: 16, n: 16, k: 16, shared: [false; 2], ..small };
        assert_eq!(panels(&batch).batch, 12_500);
    }
}
