//! Matrix product, `C = A B`.
//!
//! BLAS's `xGEMM`. A row-major product is computed as `C^T = B^T A^T`, so row-major operands enter without a copy; an
//! operand that is column-major enters transposed, and only one with two strides is copied. NaN and Inf are not looked
//! for: they have a meaning in a product.

use super::{CallOptions, assert_output, bracket, rough_seconds, shape_mismatch};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::dispatch::{self, model::Case};
use crate::gpu::matmul::Product;
use crate::gpu::triple;
use crate::intake::{self, Part, Want};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{Applicability, Argument, BatchView, BatchViewMut, Matrix, MatrixView, Result, Scalar, Stored};

pub(super) const OPERATION: &str = "matmul";
/// Below this many operations the lock around OpenBLAS's buffers costs more than a second core gives.
const LOCK_BOUND: f64 = 2.0 * 24.0 * 24.0 * 24.0;

/// Product of an m x k and a k x n matrix, row-major.
///
/// Each element is within `k eps` times the product of absolute values of the exact one.
///
/// # Errors
/// `LAP-E002` if the inner dimensions differ; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, matmul};
/// let a = MatrixView::row_major(&[1.0, 2.0, 3.0, 4.0], 2, 2).unwrap();
/// let (c, _report) = matmul(a, a, CallOptions::default())?;
/// assert_eq!(c.as_slice(), [7.0, 10.0, 15.0, 22.0]);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: Dongarra et al., ACM TOMS 16 (1990) 1-17.
pub fn matmul<T: Scalar>(
    a: MatrixView<'_, T>,
    b: MatrixView<'_, T>,
    options: CallOptions,
) -> Result<(Matrix<T>, Report)> {
    let mut c = Matrix::zeros_row_major(a.rows(), b.cols());
    let report = matmul_into(&a.into(), &b.into(), &mut c.view_mut().into(), options)?;
    Ok((c, report))
}

/// As [`matmul`], for a batch, into row-major memory of the caller. A and B may have fewer batch dimensions than C, or
/// extents of 1.
///
/// # Panics
/// If `c` does not have the shape or order stated.
///
/// # Errors
/// As [`matmul`].
pub fn matmul_into<T: Scalar>(
    a: &BatchView<'_, T>,
    b: &BatchView<'_, T>,
    c: &mut BatchViewMut<'_, T>,
    options: CallOptions,
) -> Result<Report> {
    let c = &*c;
    let body = |report: &mut Report, timed| run(a, b, c, options, report, timed);
    bracket::<T, ()>(OPERATION, (a.rows(), b.cols(), c.count()), options, body).map(|((), report)| report)
}

/// Checks the shapes, has the engine chosen, computes.
fn run<T: Scalar>(
    a: &BatchView<'_, T>,
    b: &BatchView<'_, T>,
    c: &BatchViewMut<'_, T>,
    options: CallOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let (m, k, n) = (a.rows(), a.cols(), b.cols());
    report.inner = k;
    let (left, right) = fitting(a, b, c.batch_shape())?;
    let count = c.count();
    assert_output("c", c, count, m, n);
    let case = Case::matmul(T::DTYPE, m, n, k).batched(count);
    let on_gpu = |slot: &_, gpu: &_, report: &mut Report| {
        // One matrix serves the whole batch where its operand has only one; else there is one for each.
        let a = if a.count() == 1 { a.clone() } else { left.clone() };
        let b = if b.count() == 1 { b.clone() } else { right.clone() };
        report.routine = "gemm";
        Product { a, b, c, options }.run(slot, gpu, report)
    };
    let on_cpu = |report: &mut Report| {
        triple::note_cpu(options, T::DTYPE, report);
        on_host(&left, &right, c, report, timed)
    };
    // The model knows products of float32, not those in TF32.
    match triple::wanted(options, T::DTYPE) {
        true => dispatch::run_untaught(OPERATION, options.device, &case, report, on_gpu, on_cpu),
        false => dispatch::run(OPERATION, options.device, &case, report, on_gpu, on_cpu),
    }
}

/// A and B with the leading dimensions of the product.
///
/// # Errors
/// `LAP-E002` if they do not fit.
pub(super) fn fitting<'a, T: Stored>(
    a: &BatchView<'a, T>,
    b: &BatchView<'a, T>,
    batch: &[usize],
) -> Result<(BatchView<'a, T>, BatchView<'a, T>)> {
    let k = a.cols();
    if b.rows() != k {
        let text = format!("the first matrix has {k} columns, so the second needs {k} rows, not {}", b.rows());
        let error = shape_mismatch(OPERATION, Argument::at(1, "x2"), text);
        let turned = a.rows() == b.rows();
        return Err(if turned {
            error.fix(Applicability::Maybe, "transpose the first one: x1.T @ x2.")
        } else {
            error
        });
    }
    let (Some(left), Some(right)) = (a.broadcast_to(batch), b.broadcast_to(batch)) else {
        let text =
            format!("the leading dimensions {:?} and {:?} do not fit together", a.batch_shape(), b.batch_shape());
        return Err(shape_mismatch(OPERATION, Argument::at(1, "x2"), text));
    };
    Ok((left, right))
}

/// The product by the CPU's BLAS; A and B have C's leading dimensions.
pub(super) fn on_host<T: Scalar>(
    left: &BatchView<'_, T>,
    right: &BatchView<'_, T>,
    c: &BatchViewMut<'_, T>,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let (m, k, n, count) = (left.rows(), left.cols(), right.cols(), c.count());
    let library = library()?;
    library.check_sizes(OPERATION, &[m, n, k])?;
    report.routine = "gemm";
    if m == 0 || n == 0 || count == 0 {
        return Ok(());
    }
    let (a_strided, b_strided) = (needs_copy(left), needs_copy(right));
    let mut need = Need::default();
    let a_copy = need.add2(if a_strided { m } else { 0 }, k);
    let b_copy = need.add2(if b_strided { k } else { 0 }, n);
    for (strided, size) in [(a_strided, m * k), (b_strided, k * n)] {
        if strided {
            report.count_copy(size * count);
        }
    }
    let job = Job { m, n, k, a_copy, b_copy, timed };
    let flops = 2.0 * m as f64 * n as f64 * k as f64;
    let contention = if flops < LOCK_BOUND { Contention::Heavy } else { Contention::None };
    let plan = Plan { count, seconds_each: rough_seconds(flops / 4.0), threshold: 0.0, contention, need };
    let item = |worker: &Worker, index| job.one(left.matrix(index), right.matrix(index), c, index, worker);
    batch::run(library, plan, report, item)?.conclude(report).map(|_| ())
}

fn needs_copy<T: Scalar>(operand: &BatchView<'_, T>) -> bool {
    operand.layout() == lapack_ai_core::Layout::Strided
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    m: usize,
    n: usize,
    k: usize,
    a_copy: Slot<T>,
    b_copy: Slot<T>,
    timed: bool,
}

impl<T: Scalar> Job<T> {
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
        // The transposes of A and B as LAPACK reads them: letter, address, leading dimension.
        let operand = |matrix: MatrixView<'_, T>, copy: Slot<T>| {
            if let Some(lda) = matrix.transposed().col_major_lda() {
                return (b'N', matrix.as_ptr(), lda);
            }
            if let Some(lda) = matrix.col_major_lda() {
                return (b'T', matrix.as_ptr(), lda);
            }
            let (target, ld) = (worker.scratch.at(copy), matrix.cols().max(1));
            // SAFETY: the scratch has room for the copy.
            unsafe { intake::copy(matrix.transposed(), Part::Full, target, ld, Want::Finite) };
            (b'N', target.cast_const(), ld)
        };
        let (trans_a, a, lda) = operand(a, self.a_copy);
        let (trans_b, b, ldb) = operand(b, self.b_copy);
        worker.library.check_sizes(OPERATION, &[lda, ldb])?;
        item.lap(&mut clock, Phase::Intake);
        // SAFETY: each matrix of the output is taken once, by this call.
        let mut c = unsafe { c.matrix(index) }.transposed();
        let ldc = c.col_major_lda().expect("c is row-major");
        let (m, n, k) = (self.m, self.n, self.k);
        // SAFETY: the drivers' contract; sizes were checked.
        unsafe { worker.library.gemm(trans_b, trans_a, n, m, k, T::ONE, b, ldb, a, lda, T::ZERO, c.as_mut_ptr(), ldc) };
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }
}
