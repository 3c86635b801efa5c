//! Matrix product of 16-bit matrices, `C = A B`, summed in float32.
//!
//! LAPACK and BLAS have no such types. On the CPU the operands are widened to float32, which is exact, multiplied by `SGEMM`,
//! and the product is rounded once; on a device they go as they are (`gpu/half.rs`). NaN and Inf are not looked for.

use super::matmul::{OPERATION, fitting, on_host};
use super::{CallOptions, assert_output, bracket};
use crate::dispatch::{self, model::Case};
use crate::gpu::half::multiply;
use crate::report::Report;
use lapack_ai_core::{BatchView, BatchViewMut, DType, Half, Layout, MatrixView, MatrixViewMut, Result};

/// Where a product goes: row-major memory of the caller.
#[derive(Debug)]
pub enum HalfTarget<'c, 'a> {
    /// Rounded to the operands' type, once.
    Rounded(&'c mut BatchViewMut<'a, u16>),
    /// As it was summed.
    Float32(&'c mut BatchViewMut<'a, f32>),
}

/// Product of 16-bit matrices of type `half`; A and B may have fewer batch dimensions than C, or extents of 1.
///
/// Each sum is within `k eps` (that of float32) times the product of absolute values of the exact one.
///
/// # Panics
/// If the target does not have the shape or order stated.
///
/// # Errors
/// As [`super::matmul::matmul_into`].
pub fn matmul_half_into(
    half: Half,
    a: &BatchView<'_, u16>,
    b: &BatchView<'_, u16>,
    c: HalfTarget<'_, '_>,
    options: CallOptions,
) -> Result<Report> {
    let (count, batch) = match &c {
        HalfTarget::Rounded(c) => (c.count(), c.batch_shape().to_vec()),
        HalfTarget::Float32(c) => (c.count(), c.batch_shape().to_vec()),
    };
    let body = |report: &mut Report, timed| {
        report.dtype = half.into();
        let (m, k, n) = (a.rows(), a.cols(), b.cols());
        report.inner = k;
        let (left, right) = fitting(a, b, &batch)?;
        match &c {
            HalfTarget::Rounded(c) => assert_output("c", c, count, m, n),
            HalfTarget::Float32(c) => assert_output("c", c, count, m, n),
        }
        let on_gpu = |slot: &_, gpu: &_, report: &mut Report| {
            report.routine = "gemm";
            // One matrix serves the whole batch where its operand has only one; else there is one for each.
            let whole = [(a, &left), (b, &right)].map(|(own, spread)| if own.count() == 1 { own } else { spread });
            multiply(slot, gpu, half, whole, &c, report)
        };
        let on_cpu = |report: &mut Report| {
            let note = match &c {
                HalfTarget::Rounded(_) => "widened to float32 for the CPU, and the product rounded",
                HalfTarget::Float32(_) => "widened to float32 for the CPU",
            };
            report.reason = format!("{}; {} was {note}", report.reason, half.name()).into();
            widened(half, [a, b], &c, &batch, report, timed)
        };
        // Predicted as the product of float32 that the CPU makes of it. A device is faster than that; it learns nothing from it.
        let case = Case::matmul(DType::Float32, m, n, k).batched(count);
        dispatch::run_untaught(OPERATION, options.device, &case, report, on_gpu, on_cpu)
    };
    bracket::<f32, ()>(OPERATION, (a.rows(), b.cols(), count), options, body).map(|((), report)| report)
}

/// The product by the CPU's BLAS.
fn widened(
    half: Half,
    [a, b]: [&BatchView<'_, u16>; 2],
    c: &HalfTarget<'_, '_>,
    batch: &[usize],
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let (a_data, b_data) = (widen(half, a), widen(half, b));
    report.copies += 2;
    report.bytes_copied += size_of_val(&a_data[..]) + size_of_val(&b_data[..]);
    let (a, b) = (as_batch(a, &a_data), as_batch(b, &b_data));
    let (left, right) = fitting(&a, &b, batch)?;
    match c {
        HalfTarget::Float32(c) => on_host(&left, &right, c, report, timed),
        HalfTarget::Rounded(c) => {
            let (count, m, n) = (c.count(), a.rows(), b.cols());
            let mut sums = vec![0_f32; count * m * n];
            // SAFETY: the vector holds the packed result and is borrowed for writing.
            let target = unsafe {
                let first = MatrixViewMut::from_raw(sums.as_mut_ptr(), m, n, n as isize, 1);
                BatchViewMut::from_raw(first, &[count], &[(m * n) as isize])
            };
            on_host(&left, &right, &target, report, timed)?;
            round(half, &sums, c);
            Ok(())
        }
    }
}

/// Whether the columns of a matrix are what is contiguous.
fn is_turned(view: &BatchView<'_, u16>) -> bool {
    matches!(view.layout(), Layout::ColMajor { .. }) && view.rows() != 1
}

/// All elements of the matrices, packed one behind the other in the order that each has.
fn widen(half: Half, view: &BatchView<'_, u16>) -> Vec<f32> {
    // A closure for each type: the compiler makes a loop without branches of each.
    match half {
        Half::Float16 => gathered(view, |bits| Half::Float16.widen(bits)),
        Half::BFloat16 => gathered(view, |bits| Half::BFloat16.widen(bits)),
    }
}

fn gathered(view: &BatchView<'_, u16>, widen: impl Fn(u16) -> f32) -> Vec<f32> {
    let mut data = Vec::with_capacity(view.count() * view.rows() * view.cols());
    for index in 0..view.count() {
        let matrix = view.matrix(index);
        let matrix = if is_turned(view) { matrix.transposed() } else { matrix };
        for i in 0..matrix.rows() {
            data.extend((0..matrix.cols()).map(|j| widen(matrix.get(i, j))));
        }
    }
    data
}

/// What [`widen`] made of `view`, under its shape.
fn as_batch<'a>(view: &BatchView<'_, u16>, data: &'a [f32]) -> BatchView<'a, f32> {
    let (rows, cols) = (view.rows(), view.cols());
    let (row_stride, col_stride) = if is_turned(view) { (1, rows as isize) } else { (cols as isize, 1) };
    let mut strides = vec![0; view.batch_shape().len()];
    let mut next = (rows * cols) as isize;
    for (stride, &extent) in strides.iter_mut().zip(view.batch_shape()).rev() {
        *stride = next;
        next *= extent.max(1) as isize;
    }
    // SAFETY: the data are the packed matrices.
    unsafe {
        let first = MatrixView::from_raw(data.as_ptr(), rows, cols, row_stride, col_stride);
        BatchView::from_raw(first, view.batch_shape(), &strides)
    }
}

/// Rounds packed sums into row-major memory.
fn round(half: Half, sums: &[f32], c: &BatchViewMut<'_, u16>) {
    let (m, n) = (c.rows(), c.cols());
    for (index, sums) in sums.chunks_exact((m * n).max(1)).enumerate() {
        // SAFETY: each matrix is taken once, by this thread.
        let mut matrix = unsafe { c.matrix(index) };
        for (i, row) in sums.chunks_exact(n).enumerate() {
            for (j, &sum) in row.iter().enumerate() {
                matrix.set(i, j, half.round(sum));
            }
        }
    }
}
