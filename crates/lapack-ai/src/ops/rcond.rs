//! The reciprocal condition number, `1 / (norm(A) norm(inv(A)))`, estimated.
//!
//! `A = P L U` by `xGETRF`, then `xGECON`: Hager's and Higham's estimate of `norm(inv(A))` from a few solves with the factors,
//! almost always within a factor of 3 and never too small a norm by more than that on matrices that arise in practice. A
//! row-major A is factorised as its transpose, whose 1-norm is A's infinity norm.
//!
//! NaN and Inf have a meaning here, so they are refused only if that is asked for: NaN gives NaN, Inf gives 0.

use super::{CallOptions, Operand, call, illegal_argument, non_finite, require_square, rough_seconds, works_in_place};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::intake::{Part, Want, is_flipped};
use crate::ops::take_in;
use crate::provider::library;
use crate::report::{Clock, RcondSource, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{Argument, MatrixView, Real, Result, Scalar};

const OPERATION: &str = "rcond";

/// A matrix norm that the estimate exists for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Norm {
    /// The largest column sum.
    #[default]
    One,
    /// The largest row sum.
    Infinity,
}

impl Norm {
    fn of_transpose(self) -> Self {
        if self == Norm::One { Norm::Infinity } else { Norm::One }
    }

    fn letter(self) -> u8 {
        if self == Norm::One { b'1' } else { b'I' }
    }
}

/// LAPACK's estimate of the reciprocal condition number of an n x n matrix: from 1 for the best conditioned to 0 for an
/// exactly singular one. 1 if n = 0.
///
/// # Errors
/// `LAP-E001` for NaN or Inf where `check_finite` asks for it; `LAP-E003` if A is not square; `LAP-E030` to `LAP-E034`,
/// `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, Norm, rcond};
/// let a = MatrixView::row_major(&[2.0, 0.0, 0.0, 8.0], 2, 2).unwrap();
/// assert_eq!(rcond(a, Norm::One, CallOptions::default())?.0, 0.25);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: Higham, ACM TOMS 14 (1988) 381; LAPACK Users' Guide, section 2.4.1.
pub fn rcond<T: Scalar>(a: MatrixView<'_, T>, norm: Norm, options: CallOptions) -> Result<(T::Real, Report)> {
    let mut rcond = [T::Real::ZERO];
    let report = rcond_into(a.into(), &mut rcond, norm, options)?;
    Ok((rcond[0], report))
}

/// One result a matrix, written side by side.
struct Results<R>(*mut R);
// SAFETY: each element is written once, by the worker that has its index.
unsafe impl<R: Send> Sync for Results<R> {}

/// As [`rcond`], for a batch, one element a matrix in C order.
///
/// # Panics
/// If `rcond` does not have as many elements as there are matrices.
///
/// # Errors
/// As [`rcond`]; the error lists every matrix that failed.
pub fn rcond_into<T: Scalar>(
    a: Operand<'_, T>,
    rcond: &mut [T::Real],
    norm: Norm,
    options: CallOptions,
) -> Result<Report> {
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| {
        let n = require_square(OPERATION, &a.view)?;
        let library = library()?;
        assert_eq!(rcond.len(), count, "one result a matrix");
        report.routine = "gecon";
        if n == 0 {
            rcond.fill(T::Real::ONE);
        }
        if n == 0 || count == 0 {
            return Ok(());
        }
        library.check_sizes(OPERATION, &[n])?;
        let flipped = is_flipped(a.view.layout());
        let in_place = works_in_place(library, &a, flipped);
        if !in_place {
            report.count_copy(n * n * count);
        }
        let mut need = Need::default();
        let copy = if in_place { need.add(0) } else { need.add2(n, n) };
        let (pivots, work, aux, sums) = (need.add(n), need.add2(n, 4), need.add(n), need.add(n));
        let norm = if flipped { norm.of_transpose() } else { norm };
        let check = options.check_finite;
        let job = Job { n, flipped, in_place, norm, check, timed, copy, pivots, work, aux, sums };
        let plan = Plan {
            count,
            seconds_each: rough_seconds((n as f64).powi(3) * 2.0 / 3.0 + 10.0 * (n * n) as f64),
            threshold: 0.0,
            contention: match n {
                0..=31 => Contention::Heavy,
                32..=64 => Contention::Some,
                _ => Contention::None,
            },
            need,
        };
        let out = &Results(rcond.as_mut_ptr());
        let item = |worker: &Worker, index| {
            let mut item = Item::default();
            let rcond = job.one(a.view.matrix(index), worker, &mut item)?;
            // A NaN would not compare with the others of a batch.
            item.rcond = Some((if rcond.is_nan() { 0.0 } else { rcond }, RcondSource::Estimator));
            // SAFETY: `index` is below the number of results, and handed out once.
            unsafe { out.0.add(index).write(T::Real::from_f64(rcond)) };
            Ok(item)
        };
        batch::run(library, plan, report, item)?.conclude(report).map(|_| ())
    };
    call::<T, ()>(OPERATION, (rows, cols, count), options, body).map(|((), report)| report)
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    n: usize,
    flipped: bool,
    in_place: bool,
    /// Of the matrix as LAPACK sees it.
    norm: Norm,
    check: bool,
    timed: bool,
    copy: Slot<T>,
    pivots: Slot<i64>,
    work: Slot<T>,
    aux: Slot<u128>,
    sums: Slot<f64>,
}

impl<T: Scalar> Job<T> {
    fn one(&self, a: MatrixView<'_, T>, worker: &Worker, item: &mut Item) -> Result<f64> {
        let mut clock = Clock::start(self.timed);
        let (n, library) = (self.n, worker.library);
        let stored = if self.flipped { a.transposed() } else { a };
        let copy = worker.scratch.at(self.copy);
        // SAFETY: the scratch has room for the copy.
        let (address, lda, swept) = unsafe { take_in(stored, Part::Full, self.in_place, true, Want::Finite, copy) };
        if !swept.finite {
            if self.check {
                return Err(non_finite(OPERATION, Argument::at(0, "a"), a, Part::Full));
            }
            let nan = (0..n * n).any(|k| a.get(k / n, k % n).is_nan());
            return Ok(if nan { f64::NAN } else { 0.0 });
        }
        // SAFETY: the matrix where it was brought, and n sums.
        let (column_major, sums) = unsafe {
            let sums = worker.scratch.at(self.sums);
            sums.write_bytes(0, n);
            (MatrixView::from_raw(address, n, n, 1, lda as isize), std::slice::from_raw_parts_mut(sums, n))
        };
        let norm = norm_of(column_major, self.norm, sums);
        item.lap(&mut clock, Phase::Intake);
        let (pivots, work) = (worker.scratch.at(self.pivots), worker.scratch.at(self.work));
        // SAFETY: the drivers' contract; sizes were checked.
        let info = unsafe { library.getrf(n, n, address, lda, pivots) };
        item.lap(&mut clock, Phase::Compute);
        if info != 0 {
            return if info < 0 { Err(illegal_argument::<T>(OPERATION, "getrf", info)) } else { Ok(0.0) };
        }
        let aux = worker.scratch.at(self.aux).cast();
        let norm = T::Real::from_f64(norm);
        // SAFETY: as above; the workspaces have the lengths that the wrapper states.
        let rcond = unsafe { library.gecon(self.norm.letter(), n, address, lda, norm, work, aux) };
        item.lap(&mut clock, Phase::Conditioning);
        // The estimate can only fail on factors that overflowed.
        Ok(if rcond.is_nan() { 0.0 } else { rcond })
    }
}

/// The norm with true moduli, at most the largest number of the type. `sums` are n zeros.
fn norm_of<T: Scalar>(a: MatrixView<'_, T>, norm: Norm, sums: &mut [f64]) -> f64 {
    let n = a.cols();
    for j in 0..n {
        // SAFETY: column j, which is contiguous.
        let column = unsafe { std::slice::from_raw_parts(a.as_ptr().offset(j as isize * a.col_stride()), n) };
        for (i, element) in column.iter().enumerate() {
            sums[if norm == Norm::One { j } else { i }] += element.modulus();
        }
    }
    let largest = if T::Real::EPSILON > 1e-10 { f64::from(f32::MAX) } else { f64::MAX };
    sums.iter().copied().fold(0.0, f64::max).min(largest)
}
