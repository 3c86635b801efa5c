//! What a call did: engine and reason, routine, time by phase, copies, conditioning, warnings.

use lapack_ai_core::{ElementType, Error};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Who computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The LAPACK on the CPU.
    Cpu,
    /// The kernels of this library on an OpenCL device.
    OpenCl,
}

impl Engine {
    /// `cpu` or `opencl`.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Cpu => "cpu",
            Engine::OpenCl => "opencl",
        }
    }
}

/// What a call was expected to take, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prediction {
    /// The whole call on the CPU.
    pub cpu: Option<f64>,
    /// The kernels on the GPU with their launches; `None` where the GPU has no kernel or there is no GPU.
    pub gpu: Option<f64>,
    /// Moving operands to the GPU and results back; 0 for operands that lie there.
    pub transfer: Option<f64>,
}

impl Prediction {
    /// The whole call on the GPU: kernels and transfers.
    pub fn gpu_total(&self) -> Option<f64> {
        Some(self.gpu? + self.transfer?)
    }
}

/// One command of an OpenCL device, timed by the device itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The kernel's name, `upload` or `download`.
    pub name: Cow<'static, str>,
    /// When it began, in seconds after the call's first command.
    pub start: f64,
    /// How long it ran, in seconds.
    pub seconds: f64,
    /// Bytes moved by a transfer; 0 for a kernel.
    pub bytes: usize,
}

impl From<lapack_ai_opencl::Span> for Span {
    fn from(span: lapack_ai_opencl::Span) -> Self {
        Self { name: Cow::Borrowed(span.name), start: span.start, seconds: span.seconds, bytes: span.bytes }
    }
}

/// Where an estimate of the reciprocal condition number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RcondSource {
    /// One solve with a random vector: the true value is rarely larger by much, and may be smaller. See `conditioning`.
    Probe,
    /// The ratio of the last to the first pivot under complete pivoting: an upper bound up to a factor n.
    Pivots,
    /// LAPACK's estimator (`xxCON`), usually within a factor of 3.
    Estimator,
    /// The ratio of extreme singular values: exact up to rounding.
    SingularValues,
    /// The ratio of extreme diagonal elements of a diagonal matrix: exact.
    Diagonal,
    /// The norm of the inverse itself: exact up to rounding.
    Inverse,
}

impl RcondSource {
    /// A word for reports.
    pub fn name(self) -> &'static str {
        match self {
            RcondSource::Probe => "probe",
            RcondSource::Pivots => "pivots",
            RcondSource::Estimator => "estimator",
            RcondSource::SingularValues => "singular-values",
            RcondSource::Diagonal => "diagonal",
            RcondSource::Inverse => "inverse",
        }
    }
}

/// Time of one call, by phase. Phases of matrices that run side by side add up, so their sum can exceed the total.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// From the entry of the operation to its return.
    pub total: Duration,
    /// Checking for NaN and Inf, and making the working copy: one sweep.
    pub intake: Duration,
    /// Inside LAPACK, or in the kernels of a GPU.
    pub compute: Duration,
    /// Moving operands to a GPU and results back.
    pub transfer: Duration,
    /// Conditioning: the probe and, where it runs, LAPACK's estimator.
    pub conditioning: Duration,
}

/// What a call did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The operation: `svd`, `solve`, ...
    pub operation: &'static str,
    /// Element type.
    pub dtype: ElementType,
    /// Rows of each matrix.
    pub rows: usize,
    /// Columns of each matrix.
    pub cols: usize,
    /// Inner size of a product, or number of right-hand sides; 0 where the operation has neither.
    pub inner: usize,
    /// Number of matrices.
    pub batch: usize,
    /// Who computed.
    pub engine: Engine,
    /// Why that engine.
    pub reason: Cow<'static, str>,
    /// The OpenCL device that computed; `None` for the CPU.
    pub device: Option<Arc<str>>,
    /// What each engine was expected to take, where both were considered.
    pub prediction: Option<Prediction>,
    /// Pieces in which the operands went to the device: 1, or more where memory did not hold all at once.
    pub chunks: usize,
    /// Whether the device's result was checked against the operands.
    pub verified: bool,
    /// Kernels and transfers as the device timed them; empty unless asked for.
    pub spans: Vec<Span>,
    /// The LAPACK routine without its type prefix.
    pub routine: &'static str,
    /// The structure of the matrix that was used, or "several" for a batch of different ones; empty where the operation
    /// asks for none.
    pub structure: &'static str,
    /// The algorithm of a product that has a choice of them ([`crate::gemm_alpha`]); empty for other operations.
    pub algorithm: &'static str,
    /// Refinements of a solution in mixed precision (ITER of `xSGESV`), the most of a batch; negative if the refinement
    /// was given up and everything computed in double precision.
    pub refinements: Option<i64>,
    /// Matrices worked on side by side.
    pub workers: usize,
    /// Copies made of input matrices, by the library and by the language binding.
    pub copies: usize,
    /// Their size in bytes.
    pub bytes_copied: usize,
    /// Bytes of scratch memory on the host: working copies and LAPACK's workspace, of all workers together.
    pub scratch: usize,
    /// Smallest estimate of the reciprocal condition number over the batch.
    pub rcond: Option<f64>,
    /// Where it comes from.
    pub rcond_source: Option<RcondSource>,
    /// The matrix it belongs to.
    pub rcond_matrix: usize,
    /// Time by phase; zero unless asked for (an observer, or [`crate::CallOptions::timed`]).
    pub times: Times,
    /// What is doubtful about the result.
    pub warnings: Vec<Error>,
    /// Matrices that failed, in order, where the call was told to go on without them.
    pub failures: Vec<Error>,
    /// What was asked for in that case.
    pub(crate) on_failure: crate::Failures,
}

impl Report {
    /// An empty report of a call about to run; the language bindings make one where they have work done elsewhere.
    pub fn new(operation: &'static str, dtype: impl Into<ElementType>, rows: usize, cols: usize, batch: usize) -> Self {
        Self {
            operation,
            dtype: dtype.into(),
            rows,
            cols,
            inner: 0,
            batch,
            engine: Engine::Cpu,
            reason: Cow::Borrowed(""),
            device: None,
            prediction: None,
            chunks: 1,
            verified: false,
            spans: Vec::new(),
            routine: "",
            structure: "",
            algorithm: "",
            refinements: None,
            workers: 1,
            copies: 0,
            bytes_copied: 0,
            scratch: 0,
            rcond: None,
            rcond_source: None,
            rcond_matrix: 0,
            times: Times::default(),
            warnings: Vec::new(),
            failures: Vec::new(),
            on_failure: crate::Failures::Raise,
        }
    }

    /// Counts one copy.
    pub fn count_copy(&mut self, elements: usize) {
        self.copies += 1;
        self.bytes_copied += elements * self.dtype.size();
    }
}

/// A stopwatch that costs nothing when it is off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Option<Instant>);

impl Clock {
    #[inline]
    pub(crate) fn start(on: bool) -> Self {
        Self(on.then(Instant::now))
    }

    /// Whether time is measured.
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// Adds the time since the start, or the last lap, to `phase`.
    #[inline]
    pub(crate) fn lap(&mut self, phase: &mut Duration) {
        if let Some(last) = &mut self.0 {
            let now = Instant::now();
            *phase += now - *last;
            *last = now;
        }
    }
}
