//! The singular value decomposition on a device.
//!
//! Matrices of the host go up one after another, are decomposed there (`lapack_ai_opencl::svd`) and their factors come back.
//! The device's factors are U and V, column-major; what the caller wants in another order is rearranged on the device.

use super::transfer::{Packing, Source, Target, download, upload};
use super::verify_svd::{self, Factors};
use super::{Slot, interrupt};
use crate::cancel;
use crate::config::{GpuVerify, config};
use crate::intake::Part;
use crate::ops::non_finite;
use crate::ops::svd::Vectors;
use crate::report::{RcondSource, Report, Span};
use lapack_ai_core::{Argument, BatchView, BatchViewMut, Complex64, DType, Error, Scalar};
use lapack_ai_opencl::kernels::{DeviceView, copy::copy, scale::scale};
use lapack_ai_opencl::svd::{Svd, need};
use lapack_ai_opencl::{Block, Fault, FaultKind, Gpu, Interrupt, injected, interruptible, watched};
use std::ops::Range;
use std::result::Result;
use std::time::{Duration, Instant};

/// What a decomposition on a device needs to know.
pub(crate) struct Decomposition<'a, T: Scalar> {
    pub(crate) a: &'a BatchView<'a, T>,
    pub(crate) s: &'a BatchViewMut<'a, T::Real>,
    /// Where U goes, if anywhere; of the shape that `vectors` says.
    pub(crate) u: Option<&'a BatchViewMut<'a, T>>,
    /// Where V^T goes.
    pub(crate) vh: Option<&'a BatchViewMut<'a, T>>,
    pub(crate) vectors: Vectors,
}

/// The engine's name for the vectors that are wanted.
pub(super) fn on_device(vectors: Vectors) -> lapack_ai_opencl::svd::Vectors {
    match vectors {
        Vectors::None => lapack_ai_opencl::svd::Vectors::Neither,
        Vectors::Thin => lapack_ai_opencl::svd::Vectors::Thin,
        Vectors::Full => lapack_ai_opencl::svd::Vectors::Full,
    }
}

/// Whether `gpu` can decompose an m x n matrix that is not there yet, with `beside` bytes for what else must be.
///
/// # Errors
/// Why not, with the numbers.
pub(crate) fn fits(gpu: &Gpu, shape: [usize; 2], dtype: DType, vectors: Vectors, beside: usize) -> Result<(), String> {
    let largest = need(gpu, shape, dtype, on_device(vectors)).largest;
    // The pool's blocks are up to an eighth larger than what was asked for.
    let (total, have) = (bytes(gpu, shape, dtype, vectors).saturating_add(beside), gpu.available() / 8 * 7);
    let most = gpu.info().max_allocation as usize;
    let gb = |bytes: usize| bytes as f64 / 1e9;
    let name = &gpu.info().name;
    if total > have {
        return Err(format!("the decomposition needs {:.3} GB, and {name} has {:.3} GB to give", gb(total), gb(have)));
    }
    if largest > most {
        return Err(format!(
            "the decomposition needs {:.3} GB in one piece, and {name} gives {:.3} GB",
            gb(largest),
            gb(most)
        ));
    }
    Ok(())
}

/// Bytes of the device that a matrix and its decomposition take.
pub(crate) fn bytes(gpu: &Gpu, shape: [usize; 2], dtype: DType, vectors: Vectors) -> usize {
    need(gpu, shape, dtype, on_device(vectors)).total.saturating_add(shape[0] * shape[1] * dtype.size())
}

/// Decomposes a matrix on its device, endable by the caller, and checks the result if `check` says so. Waits. Returns the time
/// that the check took.
///
/// # Errors
/// Those of the device; `NotFinite`; `WrongResult` if the check fails.
pub(super) fn decompose<T: Scalar>(
    gpu: &Gpu,
    a: DeviceView<'_>,
    vectors: Vectors,
    check: bool,
) -> Result<(Svd, Option<Duration>), Fault> {
    let flag = cancel::current();
    let note = move |fraction, what| {
        if let Some(flag) = &flag {
            flag.note(fraction, what);
        }
    };
    let found = interruptible(interrupt(), || {
        let found = watched(note, || lapack_ai_opencl::svd::svd(gpu, a, on_device(vectors)))?;
        [Some(&found.sigma), found.u.as_ref(), found.v.as_ref()]
            .into_iter()
            .flatten()
            .try_for_each(|b| gpu.wait_for(b))?;
        Ok::<_, Fault>(found)
    })?;
    let factors = Factors::new(a, &found, vectors)?;
    if injected(FaultKind::WrongResult) {
        let k = a.shape()[1].min(a.shape()[2]);
        let sigma = DeviceView::col_major(&found.sigma, a.dtype(), [1, k, 1])?;
        scale(gpu, Complex64::new(1.5, 0.0), sigma, sigma)?;
    }
    let checking = check.then(|| verify_svd::check::<T>(gpu, a, &factors)).transpose()?;
    Ok((found, checking))
}

/// Whether the next result is to be checked.
pub(super) fn checks(slot: &Slot) -> bool {
    match config().map_or(GpuVerify::Sample, |config| config.gpu_verify) {
        GpuVerify::Off => false,
        GpuVerify::Full => true,
        GpuVerify::Sample => slot.credit.allows(),
    }
}

/// Takes up the conditioning of a square matrix from its singular values.
pub(super) fn note_rcond(report: &mut Report, matrix: usize, values: &[f64]) {
    let (Some(largest), Some(smallest)) = (values.first(), values.last()) else { return };
    let rcond = if *largest > 0.0 { smallest / largest } else { 0.0 };
    if report.rows == report.cols && report.rcond.is_none_or(|known| rcond < known) {
        (report.rcond, report.rcond_source, report.rcond_matrix) =
            (Some(rcond), Some(RcondSource::SingularValues), matrix);
    }
}

/// The times of one call.
struct Clock {
    started: Instant,
    spans: Vec<Span>,
}

impl Clock {
    fn span<R>(&mut self, name: &'static str, bytes: usize, work: impl FnOnce() -> R) -> R {
        let start = self.started.elapsed().as_secs_f64();
        let result = work();
        let seconds = self.started.elapsed().as_secs_f64() - start;
        self.spans.push(Span { name: name.into(), start, seconds, bytes });
        result
    }
}

impl<T: Scalar> Decomposition<'_, T> {
    /// Computes it on `gpu` and fills in the report: spans, times, check, conditioning. The inner error is the caller's: NaN or
    /// Inf, with the place.
    ///
    /// # Errors
    /// Those of the device; the outputs are then undefined.
    pub(crate) fn run(self, slot: &Slot, gpu: &Gpu, report: &mut Report) -> Result<Result<(), Error>, Fault> {
        let mut clock = Clock { started: Instant::now(), spans: Vec::new() };
        let stop = interrupt();
        let mut checking: Option<Duration> = None;
        let mut failures = Vec::new();
        report.routine = "svd";
        for index in 0..self.a.count() {
            match self.one(index, slot, gpu, &stop, &mut clock, report) {
                Ok(Some(time)) => *checking.get_or_insert_default() += time,
                Ok(None) => {}
                Err(fault) if fault.kind == FaultKind::NotFinite => failures.push(index),
                Err(fault) => return Err(fault),
            }
        }
        let total = clock.started.elapsed();
        slot.credit.book(total, checking);
        report.verified = checking.is_some();
        let transfers: f64 = clock.spans.iter().filter(|span| span.bytes > 0).map(|span| span.seconds).sum();
        report.times.transfer = Duration::from_secs_f64(transfers).min(total);
        report.times.compute = total - report.times.transfer;
        report.spans = clock.spans;
        let Some(&first) = failures.first() else { return Ok(Ok(())) };
        let error = non_finite("svd", Argument::at(0, "a"), self.a.matrix(first), Part::Full);
        Ok(Err(error.in_batch(first, self.a.count()).with_failed(failures)))
    }

    fn one(
        &self,
        index: usize,
        slot: &Slot,
        gpu: &Gpu,
        stop: Interrupt<'_>,
        clock: &mut Clock,
        report: &mut Report,
    ) -> Result<Option<Duration>, Fault> {
        let (m, n) = (self.a.rows(), self.a.cols());
        let packing = Packing::of(self.a);
        let size = size_of::<T>();
        let block = gpu.alloc((m * n * size).max(1))?;
        let matrices = index..index + 1;
        clock.span("upload", m * n * size, || {
            let source = Source { view: self.a, matrices: matrices.clone(), row: 0, col: 0 };
            upload(gpu, &block, &source, packing, stop)
        })?;
        let (row, col) = packing.strides();
        let view = DeviceView::new(&block, T::DTYPE, 0, [1, m, n], [0, row, col])?;
        let check = checks(slot);
        let (Svd { sigma, u, v }, checking) =
            clock.span("svd", 0, || decompose::<T>(gpu, view, self.vectors, check))?;
        drop(block);
        let k = m.min(n);
        let s = Packing { rows: k, cols: 1, col_major: true };
        let reals = |packing: Packing| packing.elements() * size;
        clock.span("download", reals(s), || {
            let target = Target { view: self.s, matrices: matrices.clone(), row: 0, col: 0 };
            download(gpu, &sigma, 0, &target, s, stop)
        })?;
        // The rows of V^T are the columns of V.
        for (out, block, col_major) in [(self.u, u, true), (self.vh, v, false)] {
            if let (Some(out), Some(block)) = (out, block) {
                self.bring_back(gpu, out, block, col_major, matrices.clone(), clock, stop)?;
            }
        }
        // SAFETY: nobody writes any more.
        let values = unsafe { self.s.matrix(index) };
        let values: Vec<f64> = (0..k).map(|i| values.as_view().get(i, 0).into()).collect();
        note_rcond(report, index, &values);
        Ok(checking)
    }

    /// Downloads a factor that lies in `block`, in C or Fortran order, into the caller's order.
    fn bring_back(
        &self,
        gpu: &Gpu,
        out: &BatchViewMut<'_, T>,
        mut block: Block,
        col_major: bool,
        matrices: Range<usize>,
        clock: &mut Clock,
        stop: Interrupt<'_>,
    ) -> Result<(), Fault> {
        let (rows, cols) = (out.rows(), out.cols());
        let wanted = Packing::of(&out.as_view());
        let there = Packing { rows, cols, col_major };
        if wanted.col_major != col_major && rows > 1 && cols > 1 {
            let turned = gpu.alloc((rows * cols * size_of::<T>()).max(1))?;
            let view = |block, packing: Packing| {
                let (row, col) = packing.strides();
                DeviceView::new(block, T::DTYPE, 0, [1, rows, cols], [0, row, col])
            };
            copy(gpu, view(&block, there)?, false, view(&turned, wanted)?)?;
            block = turned;
        }
        let bytes = rows * cols * size_of::<T>();
        clock.span("download", bytes, || {
            download(gpu, &block, 0, &Target { view: out, matrices, row: 0, col: 0 }, wanted, stop)
        })
    }
}
