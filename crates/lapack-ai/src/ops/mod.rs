//! The operations, one file each: contract, checks, dispatch, call.

pub mod banded;
pub mod cholesky;
pub mod cholesky_update;
pub mod det;
pub mod eig;
pub mod eig_generalised;
pub mod eigh;
pub mod eigh_generalised;
pub mod eigh_subset;
pub mod gemm_alpha;
pub mod gesvd;
pub mod inv;
pub mod lstsq;
pub mod lu;
pub mod matmul;
pub mod matmul_half;
pub mod qr;
pub mod rcond;
pub mod schur;
pub mod solve;
pub mod substitution;
pub mod svd;
pub mod triangular;

pub use crate::config::Precision;
use crate::dispatch::{Device, decide};
use crate::fork;
use crate::intake::{self, Part, Swept, Want};
use crate::observe;
use crate::report::{Clock, Report};
use lapack_ai_core::{Argument, BatchView, BatchViewMut, Code, Error, MatrixView, Real, Result, Scalar, Stored};
use lapack_ai_host::Library;
use std::cell::Cell;

/// SMLSIZ of LAPACK's ILAENV: the order up to which divide and conquer does not divide.
pub(crate) const SMLSIZ: usize = 25;

/// What every operation can be told.
#[derive(Clone, Copy, Debug)]
pub struct CallOptions {
    /// Look for NaN and Inf in the input. Costs nothing beside the working copy. Default: true.
    pub check_finite: bool,
    /// Where to compute.
    pub device: Device,
    /// How a GPU multiplies float32 matrices; `None` for the setting ([`crate::config::Config::gpu_precision`]). Only products
    /// look at it.
    pub precision: Option<Precision>,
    /// Measure the phases. An observer switches this on by itself.
    pub timed: bool,
    /// What becomes of a batch in which some matrices fail. Factorisations whose results are several (`lu`, `qr`, `schur`),
    /// scalars and everything on a GPU know only [`Failures::Raise`].
    pub failures: Failures,
    /// Apply fixes that give exactly what was asked for by themselves, and say so by `LAP-I001`.
    pub autofix: bool,
}

/// What becomes of a call in which a matrix fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failures {
    /// The first failure is the call's error, and lists the others.
    #[default]
    Raise,
    /// The results of the others are returned, those of the failed are NaN; the report lists the failures, and the warning
    /// `LAP-W009` says so.
    Warn,
    /// Likewise without the warning.
    Collect,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            check_finite: true,
            device: Device::Auto,
            precision: None,
            timed: false,
            failures: Failures::Raise,
            autofix: false,
        }
    }
}

/// An input, and whether the operation may use its memory as workspace.
#[derive(Debug)]
pub struct Operand<'a, T> {
    view: BatchView<'a, T>,
    overwritable: bool,
}

impl<'a, T: Scalar> Operand<'a, T> {
    /// An input whose memory the operation may overwrite: no working copy is made if its layout suits LAPACK.
    pub fn overwritable(matrices: &'a mut BatchViewMut<'_, T>) -> Self {
        Self { view: matrices.as_view(), overwritable: true }
    }
}

impl<'a, T: Scalar> From<BatchView<'a, T>> for Operand<'a, T> {
    fn from(view: BatchView<'a, T>) -> Self {
        Self { view, overwritable: false }
    }
}

impl<'a, T: Scalar> From<MatrixView<'a, T>> for Operand<'a, T> {
    fn from(view: MatrixView<'a, T>) -> Self {
        Self { view: view.into(), overwritable: false }
    }
}

/// Brackets one call of an operation that only the CPU computes: engine, clock, report, event.
///
/// # Errors
/// Those of `body`, told to the observers as well.
#[inline]
pub(crate) fn call<T: Scalar, R>(
    operation: &'static str,
    shape: (usize, usize, usize),
    options: CallOptions,
    body: impl FnOnce(&mut Report, bool) -> Result<R>,
) -> Result<(R, Report)> {
    bracket::<T, R>(operation, shape, options, |report, timed| {
        let decision = decide(operation, options.device)?;
        report.engine = decision.engine;
        report.reason = decision.reason;
        report.warnings.extend(decision.warning);
        body(report, timed)
    })
}

/// Brackets one call: clock, report, event. The engine is chosen in `body`.
///
/// # Errors
/// Those of `body`, told to the observers as well.
#[inline]
pub(crate) fn bracket<T: Scalar, R>(
    operation: &'static str,
    shape: (usize, usize, usize),
    options: CallOptions,
    body: impl FnOnce(&mut Report, bool) -> Result<R>,
) -> Result<(R, Report)> {
    let watch = observe::begin(operation, T::DTYPE, shape);
    let mut clock = Clock::start(options.timed || watch.is_timed());
    let (rows, cols, batch) = shape;
    let mut report = Report::new(operation, T::DTYPE, rows, cols, batch);
    report.on_failure = options.failures;
    let result = {
        let _inside = fork::inside();
        body(&mut report, options.timed || watch.has_phases(shape))
    };
    clock.lap(&mut report.times.total);
    observe::end(watch, &report, result.as_ref().err());
    result.map(|value| (value, report))
}

/// Brings a matrix to column-major form: where it lies if it may be overwritten and `stored` is column-major, else by
/// one copy to `target` with leading dimension `stored.rows()`. Returns address and leading dimension for LAPACK.
///
/// `stored` is the matrix as LAPACK shall see it (the input or its transpose), `part` in its terms.
///
/// # Safety
/// `target` must hold `stored.rows() * stored.cols()` elements unless the matrix is used in place.
#[inline]
pub(crate) unsafe fn take_in<T: Scalar>(
    stored: MatrixView<'_, T>,
    part: Part,
    in_place: bool,
    check: bool,
    want: Want,
    target: *mut T,
) -> (*mut T, usize, Swept) {
    match stored.col_major_lda() {
        Some(lda) if in_place => {
            let swept = if check { intake::inspect(stored, part, want) } else { Swept { norm1: 0.0, finite: true } };
            (stored.as_ptr().cast_mut(), lda, swept)
        }
        _ => {
            let ld = stored.rows().max(1);
            // SAFETY: the caller's promise.
            let swept = unsafe { intake::copy(stored, part, target, ld, want) };
            (target, ld, swept)
        }
    }
}

/// Whether the call works in the input's own memory: allowed, and under a leading dimension that the library can count.
#[inline]
pub(crate) fn works_in_place<T: Scalar>(library: &Library, a: &Operand<'_, T>, flipped: bool) -> bool {
    let lda = |view: MatrixView<'_, T>| if flipped { view.transposed() } else { view }.col_major_lda();
    let countable = |lda: usize| library.check_sizes("", &[lda]).is_ok();
    a.overwritable && a.view.count() > 0 && lda(a.view.matrix(0)).is_some_and(countable)
}

/// The error for a NaN or Inf in argument `name`; `source` and `part` as the user sees them.
#[cold]
pub(crate) fn non_finite<T: Scalar>(
    operation: &'static str,
    argument: Argument,
    source: MatrixView<'_, T>,
    part: Part,
) -> Error {
    intake::non_finite(operation, source, part).argument(argument)
}

/// The error for an INFO that only a defect of this library can cause.
#[cold]
pub(crate) fn illegal_argument<T: Scalar>(operation: &'static str, routine: &str, info: i64) -> Error {
    let routine = format!("{}{routine}", T::DTYPE.prefix());
    let text = format!("argument {} of {routine} was refused", -info);
    Error::text(Code::IllegalArgument, operation, text).from_routine(routine, info)
}

/// A workspace length as LAPACK reports it: a floating-point number, which in single precision may have been rounded
/// down (exact only to 2^24), so it is taken one unit in the last place higher.
#[inline]
pub(crate) fn workspace_length<T: Scalar>(reported: T) -> usize {
    let length = reported.re_f64();
    (length + length.abs() * T::Real::EPSILON).ceil().max(1.0) as usize
}

/// The length that a routine asked for, once it is certain that the routine could count that far: in 32-bit integers a
/// query wraps around in silence. `least` is a lower bound from the routine's documentation, computed in 64 bits.
///
/// # Errors
/// `LAP-E032` if the library's integers cannot hold the length.
pub(crate) fn certain_length<T: Scalar>(
    operation: &'static str,
    library: &Library,
    reported: T,
    least: usize,
) -> Result<usize> {
    library.check_sizes(operation, &[least])?;
    let length = workspace_length(reported).max(least);
    library.check_sizes(operation, &[length])?;
    Ok(length)
}

/// Key of a remembered workspace query: routine and dtype, jobs, sizes.
type QueryKey = (u16, u16, usize, usize, usize);

/// A key, the address of the library that was asked, and its answer.
type Query = Cell<(QueryKey, usize, [usize; 3])>;

thread_local! {
    static QUERIES: [Query; 16] = const { [const { Cell::new(((0, 0, 0, 0, 0), 0, [0; 3])) }; 16] };
}

/// The answer to a workspace query, from the thread's memory if it was asked before: a query costs as much as half an
/// SVD of order 4.
#[inline]
pub(crate) fn remembered_query(
    library: &Library,
    key: QueryKey,
    ask: impl FnOnce() -> Result<[usize; 3]>,
) -> Result<[usize; 3]> {
    let asked = std::ptr::from_ref(library).addr();
    let mix = usize::from(key.0)
        .wrapping_mul(31)
        .wrapping_add(usize::from(key.1).wrapping_mul(7))
        .wrapping_add(key.2.wrapping_mul(3))
        .wrapping_add(key.3)
        .wrapping_add(key.4.wrapping_mul(5));
    let slot = mix % 16;
    let (known, of, answer) = QUERIES.with(|queries| queries[slot].get());
    if known == key && of == asked {
        return Ok(answer);
    }
    let answer = ask()?;
    QUERIES.with(|queries| queries[slot].set((key, asked, answer)));
    Ok(answer)
}

/// The error for two shapes that do not fit.
#[cold]
pub(crate) fn shape_mismatch(operation: &'static str, argument: Argument, text: String) -> Error {
    Error::text(Code::ShapeMismatch, operation, text).argument(argument)
}

/// Refuses a matrix that is not square.
#[inline]
pub(crate) fn require_square<T: Scalar>(operation: &'static str, a: &BatchView<'_, T>) -> Result<usize> {
    require_square_argument(operation, Argument::at(0, "a"), a)
}

/// As [`require_square`], for a matrix of another name.
#[inline]
pub(crate) fn require_square_argument<T: Scalar>(
    operation: &'static str,
    argument: Argument,
    a: &BatchView<'_, T>,
) -> Result<usize> {
    if a.rows() == a.cols() { Ok(a.rows()) } else { Err(not_square(operation, argument, a.rows(), a.cols())) }
}

#[cold]
fn not_square(operation: &'static str, argument: Argument, rows: usize, cols: usize) -> Error {
    let text = format!("{} must be square, not {rows} x {cols}", argument.name);
    Error::text(Code::NotSquare, operation, text).argument(argument)
}

/// `flops` at 2 GFLOP/s, a rate that small matrices reach on one thread: for deciding about threads only.
#[inline]
pub(crate) fn rough_seconds(flops: f64) -> f64 {
    flops / 2e9 + 0.3e-6
}

/// Writes NaN to the outputs of matrices that failed, so that nothing half-done passes for a result.
#[inline]
pub(crate) fn blank_failed<T: Scalar>(out: &BatchViewMut<'_, T>, report: &Report) {
    if !report.failures.is_empty() {
        blank(out, report);
    }
}

#[cold]
fn blank<T: Scalar>(out: &BatchViewMut<'_, T>, report: &Report) {
    for failure in &report.failures {
        // SAFETY: the workers are done.
        let mut matrix = unsafe { out.matrix(failure.matrix().unwrap_or(0)) };
        let (rows, cols) = (matrix.rows(), matrix.cols());
        (0..rows * cols).for_each(|k| matrix.set(k % rows, k / rows, T::from_real(f64::NAN)));
    }
}

/// Panics if an output does not have the shape that the operation documents: a defect of the caller.
#[inline]
pub(crate) fn assert_output<T: Stored>(name: &str, out: &BatchViewMut<'_, T>, count: usize, rows: usize, cols: usize) {
    let have = (out.count(), out.rows(), out.cols());
    assert_eq!(have, (count, rows, cols), "output {name}: (matrices, rows, columns)");
}
