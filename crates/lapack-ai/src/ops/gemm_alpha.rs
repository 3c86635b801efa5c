//! The general product with a choice of algorithm, `C = alpha op(A) op(B) + beta C`.
//!
//! BLAS's `xGEMM` with one more argument. Small products are computed by this library's own kernels, by whatever algorithm was
//! asked for; others by the BLAS, or by a scheme on blocks (`ways.rs` has the choice and the error bounds). A row-major C is computed as
//! `C^T = op(B)^T op(A)^T`; operands enter as they lie, and only those with two strides are copied. NaN and Inf are not looked for.

pub mod ways;

use super::{assert_output, bracket, rough_seconds, shape_mismatch};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::intake::{self, Part, Want};
use crate::ops::CallOptions;
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_bilinear::product::Algorithm;
use lapack_ai_bilinear::small::Strides;
use lapack_ai_core::{Argument, BatchView, BatchViewMut, Code, Error, Layout, Matrix, MatrixView, Result};
use ways::{Choice, GemmScalar, Product, Way};

pub(crate) const OPERATION: &str = "dgemm_alpha";
/// Seconds of a 4 x 4 product from memory to memory, for deciding about threads only.
const SECONDS_OF_A_BLOCK: f64 = 20e-9;

/// What a call of [`gemm_alpha`] can be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct GemmAlphaOptions {
    /// Transpose A, transpose B.
    pub transpose: [bool; 2],
    /// The algorithm; `None` for the fastest that `accuracy` allows.
    pub algorithm: Option<Algorithm>,
    /// Largest error bound of an element of `op(A) op(B)`, in units of `(eps / 2) max|A| max|B|`: see [`ways::error_bound`].
    pub accuracy: Option<f64>,
    /// Measure the phases.
    pub timed: bool,
}

/// `alpha op(A) op(B)`, row-major.
///
/// # Errors
/// As [`gemm_alpha_into`].
///
/// # Examples
/// ```
/// use lapack_ai::{GemmAlgorithm, GemmAlphaOptions, MatrixView, gemm_alpha};
/// let a = [1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 4.0];
/// let a = MatrixView::row_major(&a, 4, 4).unwrap();
/// let options = GemmAlphaOptions { algorithm: Some(GemmAlgorithm::AlphaTensor), ..Default::default() };
/// let (c, report) = gemm_alpha(0.5, a, a, options)?;
/// assert_eq!(c.as_slice()[15], 8.0);
/// assert_eq!(report.algorithm, "alphatensor");
/// # Ok::<(), lapack_ai::Error>(())
/// ```
pub fn gemm_alpha<T: GemmScalar>(
    alpha: T,
    a: MatrixView<'_, T>,
    b: MatrixView<'_, T>,
    options: GemmAlphaOptions,
) -> Result<(Matrix<T>, Report)> {
    let [flip_a, flip_b] = options.transpose;
    let (rows, cols) = (if flip_a { a.cols() } else { a.rows() }, if flip_b { b.rows() } else { b.cols() });
    let mut c = Matrix::zeros_row_major(rows, cols);
    let zero = <T as lapack_ai_core::Scalar>::ZERO;
    let report = gemm_alpha_into(alpha, &a.into(), &b.into(), zero, &mut c.view_mut().into(), options)?;
    Ok((c, report))
}

/// `C = alpha op(A) op(B) + beta C` for batches, in memory of the caller. A and B may have fewer batch dimensions than C, or
/// extents of 1. `beta = 0` does not read C; `alpha = 0` does not read A and B.
///
/// The report's `algorithm` and `reason` say what computed, and why.
///
/// # Panics
/// If a matrix of C is neither row- nor column-major, or has not the shape of the product.
///
/// # Errors
/// `LAP-E002` if the inner dimensions differ; `LAP-E005` if `accuracy` is no bound that an algorithm keeps, or the algorithm that
/// was asked for does not keep it; `LAP-E030` to `LAP-E033`.
///
/// Source: Dongarra et al., ACM TOMS 16 (1990) 1-17; the schemes' are in the catalogue of the crate `lapack-ai-bilinear`.
pub fn gemm_alpha_into<T: GemmScalar>(
    alpha: T,
    a: &BatchView<'_, T>,
    b: &BatchView<'_, T>,
    beta: T,
    c: &mut BatchViewMut<'_, T>,
    options: GemmAlphaOptions,
) -> Result<Report> {
    let [flip_a, flip_b] = options.transpose;
    let a = if flip_a { a.clone().transposed() } else { a.clone() };
    let b = if flip_b { b.clone().transposed() } else { b.clone() };
    let c = &*c;
    let body = |report: &mut Report, timed| run((alpha, &a), &b, (beta, c), options, report, timed);
    let call = CallOptions { timed: options.timed, ..CallOptions::default() };
    bracket::<T, ()>(OPERATION, (a.rows(), b.cols(), c.count()), call, body).map(|((), report)| report)
}

fn run<T: GemmScalar>(
    (alpha, a): (T, &BatchView<'_, T>),
    b: &BatchView<'_, T>,
    (beta, c): (T, &BatchViewMut<'_, T>),
    options: GemmAlphaOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let (m, k, n, count) = (a.rows(), a.cols(), b.cols(), c.count());
    report.inner = k;
    if b.rows() != k {
        let text = format!("op(a) has {k} columns, so op(b) needs {k} rows, not {}", b.rows());
        return Err(shape_mismatch(OPERATION, Argument::at(1, "b"), text));
    }
    let (Some(a), Some(b)) = (a.broadcast_to(c.batch_shape()), b.broadcast_to(c.batch_shape())) else {
        let text =
            format!("the leading dimensions {:?} and {:?} do not fit together", a.batch_shape(), b.batch_shape());
        return Err(shape_mismatch(OPERATION, Argument::at(1, "b"), text));
    };
    assert_output("c", c, count, m, n);
    let choice = ways::choose(options.algorithm, options.accuracy, m, n, k).map_err(refused)?;
    tell(report, choice, &options);
    if m == 0 || n == 0 || count == 0 {
        return Ok(());
    }
    let library = library()?;
    library.check_sizes(OPERATION, &[m, n, k])?;
    let found = match options.algorithm {
        None => ways::fastest::fastest::<T>(library, options.accuracy, [m, n, k]),
        Some(_) => None,
    };
    let choice = found.unwrap_or(choice);
    tell(report, choice, &options);
    let mut need = Need::default();
    let strided = |operand: &BatchView<'_, T>| operand.layout() == Layout::Strided;
    let (a_strided, b_strided) = (strided(&a), strided(&b));
    let a_copy = need.add2(if a_strided { m } else { 0 }, k);
    let b_copy = need.add2(if b_strided { k } else { 0 }, n);
    for (strided, size) in [(a_strided, m * k), (b_strided, k * n)] {
        if strided {
            report.count_copy(size * count);
        }
    }
    if let Some((first, strides)) = evenly_spaced(choice, (alpha, &a), &b, (beta, c)) {
        let mut clock = Clock::start(timed);
        // SAFETY: all matrices are those of the views, and a view's matrices to write do not overlap.
        unsafe { first.batch_by_kernels(choice.algorithm, strides, library.threads().get()) };
        clock.lap(&mut report.times.compute);
        return Ok(());
    }
    let flops = 2.0 * m as f64 * n as f64 * k as f64;
    let (seconds_each, contention) = match choice.way {
        Way::Library if flops < 2.0 * 24.0 * 24.0 * 24.0 => (rough_seconds(flops / 4.0), Contention::Heavy),
        Way::Library => (rough_seconds(flops / 4.0), Contention::None),
        Way::Kernel | Way::Scheme | Way::Halves => (SECONDS_OF_A_BLOCK * (flops / 128.0).max(1.0), Contention::None),
    };
    let job = Job { choice, alpha, beta, a_copy, b_copy, timed };
    let plan = Plan { count, seconds_each, threshold: 0.0, contention, need };
    let item = |worker: &Worker, index| job.one(a.matrix(index), b.matrix(index), c, index, worker);
    batch::run(library, plan, report, item)?.conclude(report).map(|_| ())
}

/// Puts into a report who computes, and why.
fn tell(report: &mut Report, choice: Choice, options: &GemmAlphaOptions) {
    report.algorithm = choice.algorithm.name();
    report.reason = choice.reason(options.algorithm.is_some(), options.accuracy.is_some());
    report.routine = if choice.way == Way::Library { "gemm" } else { "gemm_alpha" };
}

/// The first product of a batch and the distances of the others, where the kernels take them as they lie.
fn evenly_spaced<T: GemmScalar>(
    choice: Choice,
    (alpha, a): (T, &BatchView<'_, T>),
    b: &BatchView<'_, T>,
    (beta, c): (T, &BatchViewMut<'_, T>),
) -> Option<(Product<T>, Strides)> {
    let count = c.count();
    if choice.way != Way::Kernel || count < 2 {
        return None;
    }
    // As one matrix alone: C or its transpose, whichever is column-major.
    let (left, right, target) = match c.as_view().matrix(0).col_major_lda() {
        Some(_) => (a.clone(), b.clone(), c.as_view()),
        None => (b.clone().transposed(), a.clone().transposed(), c.as_view().transposed()),
    };
    let operand = |matrices: &BatchView<'_, T>| {
        let first = matrices.matrix(0);
        let by_columns = first.col_major_lda().map(|ld| (false, ld));
        let (flip, ld) = by_columns.or_else(|| first.transposed().col_major_lda().map(|ld| (true, ld)))?;
        Some((flip, first.as_ptr(), ld, spacing(matrices)?))
    };
    let ((flip_a, a, lda, a_step), (flip_b, b, ldb, b_step)) = (operand(&left)?, operand(&right)?);
    let (ldc, c_step) = (target.matrix(0).col_major_lda()?, spacing(&target)?);
    let (m, n, k) = (left.rows(), right.cols(), left.cols());
    let c = target.as_ptr().cast_mut();
    let product = Product { transpose: [flip_a, flip_b], m, n, k, alpha, a, lda, b, ldb, beta, c, ldc };
    Some((product, Strides { count, a: a_step, b: b_step, c: c_step }))
}

/// The distance of neighbouring matrices, if it is the same for all and not negative.
fn spacing<T: GemmScalar>(matrices: &BatchView<'_, T>) -> Option<usize> {
    let (shape, strides) = (matrices.batch_shape(), matrices.batch_strides());
    let mut axes = shape.iter().zip(strides).rev().filter(|&(&extent, _)| extent > 1);
    let (&extent, &step) = axes.next()?;
    let mut next = step * extent as isize;
    for (&extent, &stride) in axes {
        if stride != next {
            return None;
        }
        next *= extent as isize;
    }
    usize::try_from(step).ok()
}

/// The error for a choice that cannot be had.
#[cold]
pub(crate) fn refused(why: ways::Refused) -> Error {
    Error::text(Code::BadOption, OPERATION, why.to_string()).argument(Argument::keyword("accuracy"))
}

/// What a worker needs to know.
struct Job<T: GemmScalar> {
    choice: Choice,
    alpha: T,
    beta: T,
    a_copy: Slot<T>,
    b_copy: Slot<T>,
    timed: bool,
}

impl<T: GemmScalar> Job<T> {
    fn one(
        &self,
        a: MatrixView<'_, T>,
        b: MatrixView<'_, T>,
        c: &BatchViewMut<'_, T>,
        index: usize,
        worker: &Worker,
    ) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        // SAFETY: each matrix of the output is taken once, by this call.
        let mut target = unsafe { c.matrix(index) };
        // What is computed is C or its transpose, whichever is column-major.
        let (mut left, mut right) = ((a, self.a_copy), (b, self.b_copy));
        if target.col_major_lda().is_none() {
            (left, right) = ((b.transposed(), self.b_copy), (a.transposed(), self.a_copy));
            target = target.transposed();
        }
        let ldc = target.col_major_lda().expect("c is row- or column-major");
        let operand = |(matrix, copy): (MatrixView<'_, T>, Slot<T>)| {
            if let Some(ld) = matrix.col_major_lda() {
                return (false, matrix.as_ptr(), ld);
            }
            if let Some(ld) = matrix.transposed().col_major_lda() {
                return (true, matrix.as_ptr(), ld);
            }
            let (to, ld) = (worker.scratch.at(copy), matrix.rows().max(1));
            // SAFETY: the scratch has room for the copy.
            unsafe { intake::copy(matrix, Part::Full, to, ld, Want::Finite) };
            (false, to.cast_const(), ld)
        };
        let (m, n, k) = (left.0.rows(), right.0.cols(), left.0.cols());
        let ((flip_a, a, lda), (flip_b, b, ldb)) = (operand(left), operand(right));
        worker.library.check_sizes(OPERATION, &[lda, ldb, ldc])?;
        item.lap(&mut clock, Phase::Intake);
        let (alpha, beta, c) = (self.alpha, self.beta, target.as_mut_ptr());
        let product = Product { transpose: [flip_a, flip_b], m, n, k, alpha, a, lda, b, ldb, beta, c, ldc };
        // SAFETY: addresses and leading dimensions are those of views; sizes were checked.
        unsafe { product.compute(self.choice, Some(worker.library), worker.threads) };
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }
}
