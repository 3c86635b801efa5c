//! The inverse of a square matrix.
//!
//! `A = P L U` by `xGETRF`, then `inv(A) = inv(U) inv(L) P^T` by `xGETRI`, in the output itself. The inverse of the transpose
//! is the transpose of the inverse, so a row-major A is inverted as its transpose and nothing moves.
//!
//! Up to n = 8 the factors are those of complete pivoting (`xGETC2`: stable, and without a lock, see `solve`), and the
//! inverse is the solution of `A X = I`. Where that finds a pivot below the rounding level, partial pivoting decides whether
//! the matrix is singular.
//!
//! With the inverse at hand the condition number needs no estimate: `rcond = 1 / (norm(A, 1) norm(inv(A), 1))`, of the
//! matrix as LAPACK sees it (for row-major A that is the infinity norm), with LAPACK's `CABS1` for complex moduli.

use super::{
    CallOptions, Operand, assert_output, blank_failed, call, certain_length, illegal_argument, non_finite,
    remembered_query, require_square, rough_seconds,
};
use crate::batch::{self, Contention, Findings, Item, Phase, Plan, Worker};
use crate::conditioning::{threshold, warn_of};
use crate::diagnostics::{self, Left};
use crate::intake::{self, Part, Swept, Want, is_flipped};
use crate::provider::library;
use crate::report::{Clock, RcondSource, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{Argument, BatchViewMut, Code, Detail, Error, Matrix, MatrixView, Result, Scalar};
use lapack_ai_host::{Library, Routine};
use std::ptr::null_mut;

const OPERATION: &str = "inv";

/// Largest order for complete pivoting; see `solve`.
const SMALL: usize = 8;

/// The inverse of an n x n matrix, in A's order (row-major if A is strided).
///
/// The columns of the result are as accurate as solutions of linear systems; to solve a system, [`crate::solve`] is the
/// faster and the more accurate. If A is singular to working precision (`rcond < eps`) the report carries `LAP-W001`.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E003` if A is not square; `LAP-E010` if it is exactly singular, with the
/// pivot; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, inv};
/// let a = MatrixView::row_major(&[2.0_f64, 0.0, 0.0, 4.0], 2, 2).unwrap();
/// let (inverse, report) = inv(a, CallOptions::default())?;
/// assert_eq!((inverse.get(0, 0), inverse.get(1, 1)), (0.5, 0.25));
/// assert_eq!(report.rcond, Some(0.5));
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.1; Higham, Accuracy and Stability of Numerical Algorithms, section 14.3.
pub fn inv<T: Scalar>(a: MatrixView<'_, T>, options: CallOptions) -> Result<(Matrix<T>, Report)> {
    let (rows, cols) = (a.rows(), a.cols());
    let zeros = if is_flipped(a.layout()) { Matrix::zeros_row_major } else { Matrix::zeros };
    let mut inverse = zeros(rows, cols);
    let report = inv_into(a.into(), &mut inverse.view_mut().into(), options)?;
    Ok((inverse, report))
}

/// As [`inv`], for a batch, into memory of the caller: row-major if A is row-major or strided, column-major if A is
/// column-major. It may be the memory of an overwritable A, and then nothing is copied.
///
/// # Panics
/// If `inverse` does not have the batch, shape or order stated.
///
/// # Errors
/// As [`inv`]; the error lists every matrix that failed.
#[inline]
pub fn inv_into<T: Scalar>(
    a: Operand<'_, T>,
    inverse: &mut BatchViewMut<'_, T>,
    options: CallOptions,
) -> Result<Report> {
    let inverse = &*inverse;
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| run(&a, inverse, options, report, timed);
    call::<T, ()>(OPERATION, (rows, cols, count), options, body).map(|((), report)| report)
}

fn run<T: Scalar>(
    a: &Operand<'_, T>,
    inverse: &BatchViewMut<'_, T>,
    options: CallOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let n = require_square(OPERATION, &a.view)?;
    let library = library()?;
    let count = a.view.count();
    assert_output("inverse", inverse, count, n, n);
    let small = n <= SMALL && library.has(Routine::Getc2, T::DTYPE);
    report.routine = if small { "getc2" } else { "getri" };
    if n == 0 || count == 0 {
        return Ok(());
    }
    library.check_sizes(OPERATION, &[n])?;
    let flipped = is_flipped(a.view.layout());
    // SAFETY: only the address is looked at.
    let in_place = a.overwritable && std::ptr::eq(unsafe { inverse.matrix(0) }.as_mut_ptr(), a.view.matrix(0).as_ptr());
    if !in_place {
        report.count_copy(n * n * count);
    }
    let mut need = Need::default();
    let lwork = if small { n } else { query::<T>(library, n)? };
    let work = need.add(lwork);
    let small_copy = need.add(if small { n * n } else { 0 });
    let (rows, cols) = (need.add(n), need.add(n));
    let job = Job { n, flipped, small, check: options.check_finite, timed, lwork, work, small_copy, rows, cols };
    let plan = Plan {
        count,
        seconds_each: rough_seconds(2.0 * (n as f64).powi(3)),
        threshold: threshold::<T>(),
        contention: match n {
            _ if small => Contention::None,
            0..=23 => Contention::Heavy,
            24..=64 => Contention::Some,
            _ => Contention::None,
        },
        need,
    };
    let item = |worker: &Worker, index| job.one(a.view.matrix(index), inverse, index, worker);
    let outcome = batch::run(library, plan, report, item)?.conclude_or_go_on(report)?;
    warn_of::<T>(&outcome, Argument::at(0, "a"), report);
    blank_failed(inverse, report);
    Ok(())
}

fn query<T: Scalar>(library: &Library, n: usize) -> Result<usize> {
    let key = ((Routine::Getri as u16) << 4 | T::DTYPE as u16, 0, n, 0, 0);
    let ask = || {
        let mut length = T::ZERO;
        // SAFETY: a query reads the sizes and writes the first element of the workspace only.
        unsafe { library.getri::<T>(n, null_mut(), n, null_mut(), &mut length, Library::QUERY) };
        Ok([certain_length(OPERATION, library, length, n)?, 0, 0])
    };
    Ok(remembered_query(library, key, ask)?[0])
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    n: usize,
    flipped: bool,
    small: bool,
    check: bool,
    timed: bool,
    lwork: usize,
    work: Slot<T>,
    small_copy: Slot<T>,
    rows: Slot<i64>,
    cols: Slot<i64>,
}

impl<T: Scalar> Job<T> {
    #[inline]
    fn one(&self, a: MatrixView<'_, T>, inverse: &BatchViewMut<'_, T>, index: usize, worker: &Worker) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let n = self.n;
        let stored = if self.flipped { a.transposed() } else { a };
        // SAFETY: each matrix of the output is taken once, by this call.
        let out = unsafe { inverse.matrix(index) };
        let mut out = if self.flipped { out.transposed() } else { out };
        let ld = out.col_major_lda().expect("the inverse has the order of a (row-major for strided a)");
        worker.library.check_sizes(OPERATION, &[ld])?;
        let address = out.as_mut_ptr();
        let in_place = std::ptr::eq(address, stored.as_ptr());
        let swept = if self.small {
            // SAFETY: the scratch has n x n elements for it.
            unsafe { intake::copy(stored, Part::Full, worker.scratch.at(self.small_copy), n, Want::Norm) }
        } else if in_place {
            intake::inspect(stored, Part::Full, Want::Norm)
        } else {
            // SAFETY: the inverse holds n x n elements.
            unsafe { intake::copy(stored, Part::Full, address, ld, Want::Norm) }
        };
        if self.check && !swept.finite {
            return Err(non_finite(OPERATION, Argument::at(0, "a"), a, Part::Full));
        }
        item.lap(&mut clock, Phase::Intake);
        // Comparisons with NaN leave GETC2 without a pivot.
        let done = self.small && swept.finite && self.complete_pivoting(address, ld, worker);
        if !done {
            if self.small && !in_place {
                // SAFETY: as above.
                unsafe { intake::copy(stored, Part::Full, address, ld, Want::Finite) };
            }
            if let Err(error) = self.partial_pivoting(address, ld, worker) {
                // SAFETY: GETRF has written U up to the zero pivot into the output.
                let u = unsafe { diagnostics::Triangle::new(address, ld) };
                let left = Left { a: (!in_place).then_some(a), u: Some(u), flipped: self.flipped, null_vector: None };
                return Err(diagnostics::singular(error, left));
            }
        }
        item.lap(&mut clock, Phase::Compute);
        let estimate = rcond(swept, out.as_view());
        item.rcond = Some((estimate, RcondSource::Inverse));
        if estimate < threshold::<T>() && !in_place && worker.is_worth_a_look(estimate) {
            let inverse = out.as_view();
            item.findings = Some(why_doubtful(a, estimate, if self.flipped { inverse.transposed() } else { inverse }));
        }
        item.lap(&mut clock, Phase::Conditioning);
        Ok(item)
    }

    fn partial_pivoting(&self, address: *mut T, ld: usize, worker: &Worker) -> Result<()> {
        let (n, library) = (self.n, worker.library);
        let (pivots, work) = (worker.scratch.at(self.rows), worker.scratch.at(self.work));
        // SAFETY: the drivers' contract; sizes were checked, and the workspaces are as long as was asked for.
        let info = unsafe { library.getrf(n, n, address, ld, pivots) };
        if info != 0 {
            return Err(failure::<T>("getrf", info, n));
        }
        // SAFETY: as above.
        let info = unsafe { library.getri(n, address, ld, pivots, work, self.lwork) };
        if info == 0 { Ok(()) } else { Err(failure::<T>("getri", info, n)) }
    }

    /// Inverts the small copy into the output. False, and nothing written, if a pivot is below the rounding level.
    #[inline]
    fn complete_pivoting(&self, out: *mut T, ld: usize, worker: &Worker) -> bool {
        let (n, library) = (self.n, worker.library);
        let (a, x) = (worker.scratch.at(self.small_copy), worker.scratch.at(self.work));
        let (rows, cols) = (worker.scratch.at(self.rows), worker.scratch.at(self.cols));
        // SAFETY: the drivers' contract.
        if unsafe { library.getc2(n, a, n, rows, cols) } != 0 {
            return false;
        }
        let (mut row_of, mut col_of) = ([0; SMALL], [0; SMALL]);
        for i in 0..n {
            (row_of[i], col_of[i]) = (i, i);
        }
        for i in 0..n - 1 {
            // SAFETY: GETC2 wrote n - 1 interchanges of each kind, from 1 to n.
            let (row, col) = unsafe { (library.read_int_at(rows, i) as usize, library.read_int_at(cols, i) as usize) };
            row_of.swap(i, row - 1);
            col_of.swap(i, col - 1);
        }
        let mut reciprocals = [T::ZERO; SMALL];
        for (j, reciprocal) in reciprocals.iter_mut().enumerate().take(n) {
            // SAFETY: the diagonal of the copy.
            *reciprocal = T::ONE.div(unsafe { *a.add(j * (n + 1)) });
        }
        // Column k of inv(U) inv(L) is column row_of[k] of the inverse, its row i the row col_of[i].
        for (k, &column) in row_of.iter().enumerate().take(n) {
            // SAFETY: all indices are below n; a is n x n, x has n elements, and out n columns of leading dimension ld.
            unsafe {
                for i in 0..n {
                    *x.add(i) = if i == k { T::ONE } else { T::ZERO };
                }
                for j in k..n {
                    let pivot = *x.add(j);
                    for i in j + 1..n {
                        *x.add(i) = (*x.add(i)).sub((*a.add(i + j * n)).mul(pivot));
                    }
                }
                for j in (0..n).rev() {
                    let pivot = (*x.add(j)).mul(reciprocals[j]);
                    *x.add(j) = pivot;
                    for i in 0..j {
                        *x.add(i) = (*x.add(i)).sub((*a.add(i + j * n)).mul(pivot));
                    }
                }
                let column = out.add(column * ld);
                for (i, &row) in col_of.iter().enumerate().take(n) {
                    *column.add(row) = *x.add(i);
                }
            }
        }
        true
    }
}

/// `1 / (norm(A) norm(inv(A)))`; zero if the inverse overflowed.
#[inline]
fn rcond<T: Scalar>(a: Swept, inverse: MatrixView<'_, T>) -> f64 {
    let inverse = intake::inspect(inverse, Part::Full, Want::Norm);
    if a.finite && inverse.finite { (1.0 / (a.norm1 * inverse.norm1)).min(1.0) } else { 0.0 }
}

/// The largest column of the inverse is what A squeezes most.
#[cold]
fn why_doubtful<T: Scalar>(a: MatrixView<'_, T>, rcond: f64, inverse: MatrixView<'_, T>) -> Findings {
    let n = inverse.rows();
    let column = |j: usize| (0..n).map(move |i| inverse.get(i, j));
    let size = |j: usize| column(j).map(Scalar::modulus).fold(0.0, f64::max);
    let largest = (0..n).max_by(|&x, &y| size(x).total_cmp(&size(y))).unwrap_or(0);
    let y: Vec<T> = column(largest).collect();
    Box::new(diagnostics::ill_conditioned(a, rcond, Some(&y)))
}

#[cold]
fn failure<T: Scalar>(routine: &str, info: i64, n: usize) -> Error {
    if info < 0 {
        return illegal_argument::<T>(OPERATION, routine, info);
    }
    Error::new(Code::Singular, OPERATION, Detail::ZeroPivot { index: info as usize - 1, n })
        .argument(Argument::at(0, "a"))
        .from_routine(format!("{}{routine}", T::DTYPE.prefix()), info)
}
