//! Least squares, `min ||b - A x||_2`, of least norm where A is rank-deficient.
//!
//! LAPACK's `xGELSD`: the SVD of A by divide and conquer, singular values below `rcond` times the largest counted as zero.
//! NaN and Inf are always looked for: with them `xGELSD` itself prints complaints and returns nonsense.

use super::{
    CallOptions, Operand, SMLSIZ, assert_output, blank_failed, call, certain_length, illegal_argument, non_finite,
    remembered_query, rough_seconds, shape_mismatch, take_in, works_in_place,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::diagnostics;
use crate::intake::{self, Part, Want};
use crate::provider::library;
use crate::report::{Clock, RcondSource, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{
    Applicability, Argument, BatchView, BatchViewMut, Code, Detail, Error, Matrix, MatrixView, Real, Result, Scalar,
};
use lapack_ai_host::{Library, Routine};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

const OPERATION: &str = "lstsq";

/// Options of [`lstsq`].
#[derive(Clone, Copy, Debug, Default)]
pub struct LstsqOptions {
    /// Singular values at most this times the largest count as zero. Default: `eps max(m, n)`, as in NumPy.
    pub rcond: Option<f64>,
    /// What every operation can be told; `check_finite` is always on.
    pub call: CallOptions,
}

/// Result of [`lstsq`].
#[derive(Clone, Debug)]
pub struct Lstsq<T: Scalar> {
    /// The solution of least norm, n x nrhs, column-major.
    pub x: Matrix<T>,
    /// Sum of squares of each column of `b - A x`; NaN where the rank is below n, zero where m <= n.
    pub residuals: Vec<T::Real>,
    /// Number of singular values above the threshold.
    pub rank: usize,
    /// The min(m, n) singular values of A, largest first.
    pub s: Vec<T::Real>,
    /// What the call did.
    pub report: Report,
}

/// Where [`lstsq_into`] writes.
#[derive(Debug)]
pub struct LstsqOut<'a, T: Scalar> {
    /// n x nrhs each, column-major.
    pub x: BatchViewMut<'a, T>,
    /// nrhs x 1 each.
    pub residuals: BatchViewMut<'a, T::Real>,
    /// min(m, n) x 1 each.
    pub s: BatchViewMut<'a, T::Real>,
    /// One for each matrix.
    pub rank: &'a [AtomicUsize],
}

/// Least-squares solution of `A x = b`, A m x n, b m x nrhs.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E002` for shapes; `LAP-E012` if the SVD does not converge; `LAP-E030` to
/// `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{LstsqOptions, MatrixView, lstsq};
/// let a = MatrixView::row_major(&[1.0, 1.0, 1.0], 3, 1).unwrap();
/// let b = MatrixView::col_major(&[1.0, 2.0, 6.0], 3, 1).unwrap();
/// let fit = lstsq(a, b, LstsqOptions::default())?;
/// assert!((fit.x.get(0, 0) - 3.0_f64).abs() < 1e-14 && (fit.residuals[0] - 14.0).abs() < 1e-13);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.3.2.
pub fn lstsq<T: Scalar>(a: MatrixView<'_, T>, b: MatrixView<'_, T>, options: LstsqOptions) -> Result<Lstsq<T>> {
    let (k, nrhs) = (a.rows().min(a.cols()), b.cols());
    let (mut x, mut residuals, mut s) = (Matrix::zeros(a.cols(), nrhs), Matrix::zeros(nrhs, 1), Matrix::zeros(k, 1));
    let rank = [AtomicUsize::new(0)];
    let mut out = LstsqOut {
        x: x.view_mut().into(),
        residuals: residuals.view_mut().into(),
        s: s.view_mut().into(),
        rank: &rank,
    };
    let report = lstsq_into(a.into(), &b.into(), &mut out, options)?;
    let rank = rank[0].load(Ordering::Relaxed);
    Ok(Lstsq { x, residuals: residuals.as_slice().to_vec(), rank, s: s.as_slice().to_vec(), report })
}

/// As [`lstsq`], for a batch, into memory of the caller. A may have fewer batch dimensions than b, or extents of 1.
///
/// # Panics
/// If an output does not have the batch, shape or order that [`LstsqOut`] states.
///
/// # Errors
/// As [`lstsq`]; the error lists every matrix that failed.
pub fn lstsq_into<T: Scalar>(
    a: Operand<'_, T>,
    b: &BatchView<'_, T>,
    out: &mut LstsqOut<'_, T>,
    options: LstsqOptions,
) -> Result<Report> {
    let out = &*out;
    let body = |report: &mut Report, timed| run(&a, b, out, options, report, timed);
    call::<T, ()>(OPERATION, (a.view.rows(), a.view.cols(), b.count()), options.call, body).map(|((), report)| report)
}

fn run<T: Scalar>(
    a: &Operand<'_, T>,
    b: &BatchView<'_, T>,
    out: &LstsqOut<'_, T>,
    options: LstsqOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let (m, n, nrhs, count) = (a.view.rows(), a.view.cols(), b.cols(), b.count());
    report.inner = nrhs;
    let k = m.min(n);
    if b.rows() != m {
        let text = format!("a is {m} x {n}, so b needs {m} rows, not {}", b.rows());
        let error = shape_mismatch(OPERATION, Argument::at(1, "b"), text);
        let turned = b.rows() == n && m != n;
        return Err(if turned {
            error.fix(Applicability::Maybe, "pass a.T, which has as many rows as b.")
        } else {
            error
        });
    }
    let Some(matrices) = a.view.broadcast_to(b.batch_shape()) else {
        let text = format!(
            "the leading dimensions {:?} of a and {:?} of b do not fit together",
            a.view.batch_shape(),
            b.batch_shape()
        );
        return Err(shape_mismatch(OPERATION, Argument::at(1, "b"), text));
    };
    assert_output("x", &out.x, count, n, nrhs);
    assert_output("residuals", &out.residuals, count, nrhs, 1);
    assert_output("s", &out.s, count, k, 1);
    assert_eq!(out.rank.len(), count, "output rank: matrices");
    let library = library()?;
    report.routine = "gelsd";
    let in_place = works_in_place(library, a, false) && a.view.count() == count;
    let key = ((Routine::Gelsd as u16) << 4 | T::DTYPE as u16, 0, m, n, nrhs);
    let lengths = remembered_query(library, key, || query::<T>(library, m, n, nrhs.max(1)))?;
    let mut need = Need::default();
    let copy = if in_place { need.add(0) } else { need.add2(m, n) };
    // LAPACK wants a right-hand side even where only rank and singular values are asked for.
    let solved = nrhs.max(1);
    let rhs = need.add2(m.max(n), solved);
    let (work, rwork, iwork) = (need.add(lengths[0]), need.add(lengths[1]), need.add(lengths[2]));
    let rcond = options.rcond.unwrap_or(T::Real::EPSILON * m.max(n) as f64);
    let undecided = options.rcond.is_none();
    let job = Job { m, n, nrhs, rcond, undecided, in_place, lengths, copy, rhs, work, rwork, iwork, timed };
    if !in_place {
        report.count_copy(m * n * count);
    }
    let (rows, cols) = (m.max(n) as f64, k as f64);
    let plan = Plan {
        count,
        seconds_each: rough_seconds(8.0 * rows * cols * cols) + 1e-6,
        threshold: 0.0,
        contention: Contention::None,
        need,
    };
    let item = |worker: &Worker, index| job.one(matrices.matrix(index), b.matrix(index), out, index, worker);
    let outcome = batch::run(library, plan, report, item)?.conclude_or_go_on(report)?;
    blank_failed(&out.x, report);
    blank_failed(&out.residuals, report);
    blank_failed(&out.s, report);
    if let Some((_, matrix, findings)) = outcome.found {
        diagnostics::warn_of_rank(report, findings, matrix);
    }
    Ok(())
}

/// LWORK, LRWORK, LIWORK.
#[cold]
fn query<T: Scalar>(library: &Library, m: usize, n: usize, nrhs: usize) -> Result<[usize; 3]> {
    let k = m.min(n);
    // xGELSD's documentation: WORK, for complex A RWORK, has at least k (10 + 2 SMLSIZ + 8 NLVL + nrhs) elements. What
    // cannot fit must not be asked for: MKL prints a complaint where its answer overflows.
    let levels = (k / (SMLSIZ + 1)).checked_ilog2().map_or(0, |log| log as usize + 1);
    let workspace = k.saturating_mul(nrhs.saturating_add(10 + 2 * SMLSIZ + 8 * levels));
    library.check_sizes(OPERATION, &[m, n, nrhs, workspace])?;
    if k == 0 {
        return Ok([1, 1, 1]);
    }
    let (mut work, mut rwork, mut iwork) = (T::ONE, T::Real::ONE, 1_i64);
    let (none, ask, ldb) = (null_mut(), Library::QUERY, m.max(n));
    // SAFETY: a query reads the sizes and writes the first element of each workspace only.
    unsafe {
        let zero = T::Real::ZERO;
        library.gelsd::<T>(m, n, nrhs, none, m, none, ldb, null_mut(), zero, &mut work, ask, &mut rwork, &mut iwork);
    }
    // xGELSD needs more than 12 k + k nrhs, in WORK or in RWORK.
    let least = k.saturating_mul(nrhs).saturating_add(k.saturating_mul(12));
    let lwork =
        certain_length(OPERATION, library, work, if T::DTYPE.is_complex() { k.saturating_mul(nrhs) } else { least })?;
    let lrwork = if T::DTYPE.is_complex() { certain_length(OPERATION, library, rwork, k)? } else { 0 };
    Ok([lwork, lrwork, library.read_int(iwork).max(1) as usize])
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    m: usize,
    n: usize,
    nrhs: usize,
    rcond: f64,
    /// Whether rcond is the default: who gives one has decided on the rank.
    undecided: bool,
    in_place: bool,
    lengths: [usize; 3],
    copy: Slot<T>,
    rhs: Slot<T>,
    work: Slot<T>,
    rwork: Slot<T::Real>,
    iwork: Slot<i64>,
    timed: bool,
}

impl<T: Scalar> Job<T> {
    fn one(
        &self,
        a: MatrixView<'_, T>,
        b: MatrixView<'_, T>,
        out: &LstsqOut<'_, T>,
        index: usize,
        worker: &Worker,
    ) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let (m, n, nrhs) = (self.m, self.n, self.nrhs);
        let (k, ldb) = (m.min(n), m.max(n));
        let rhs = worker.scratch.at(self.rhs);
        // SAFETY: the scratch has room for both copies.
        let ((address, lda, swept), swept_b) = unsafe {
            let taken = take_in(a, Part::Full, self.in_place, true, Want::Finite, worker.scratch.at(self.copy));
            (taken, intake::copy(b, Part::Full, rhs, ldb.max(1), Want::Finite))
        };
        if !swept.finite {
            return Err(non_finite(OPERATION, Argument::at(0, "a"), a, Part::Full));
        }
        if !swept_b.finite {
            return Err(non_finite(OPERATION, Argument::at(1, "b"), b, Part::Full));
        }
        item.lap(&mut clock, Phase::Intake);
        // SAFETY: each matrix of the outputs is taken once, by this call.
        let (mut x, mut residuals, mut s) =
            unsafe { (out.x.matrix(index), out.residuals.matrix(index), out.s.matrix(index)) };
        let mut rank = 0;
        if k > 0 {
            for row in 0..if nrhs == 0 { m } else { 0 } {
                // SAFETY: there is room for one right-hand side at least.
                unsafe { *rhs.add(row) = T::ZERO };
            }
            let (work, rwork, iwork) =
                (worker.scratch.at(self.work), worker.scratch.at(self.rwork), worker.scratch.at(self.iwork));
            let rcond = T::Real::from_f64(self.rcond);
            // SAFETY: the drivers' contract: `query` sized the workspaces and checked the sizes.
            let (info, found) = unsafe {
                worker.library.gelsd(
                    m,
                    n,
                    nrhs.max(1),
                    address,
                    lda,
                    rhs,
                    ldb,
                    s.as_mut_ptr(),
                    rcond,
                    work,
                    self.lengths[0],
                    rwork,
                    iwork,
                )
            };
            if info != 0 {
                return Err(failure::<T>(info));
            }
            rank = found;
        }
        out.rank[index].store(rank, Ordering::Relaxed);
        for column in 0..nrhs {
            let mut squares = 0.0;
            for row in 0..n.max(m) {
                // SAFETY: the right-hand sides have max(m, n) rows, of which the first m were copied and, where there was
                // something to solve, the first n written.
                let value = if k == 0 && row >= m { T::ZERO } else { unsafe { *rhs.add(column * ldb + row) } };
                if row < n {
                    // Without rows there is nothing to fit, and zero is the solution of least norm.
                    x.set(row, column, if k == 0 { T::ZERO } else { value });
                } else {
                    squares += value.modulus() * value.modulus();
                }
            }
            residuals.set(column, 0, T::Real::from_f64(if rank < n && m > 0 { f64::NAN } else { squares }));
        }
        if k > 0 {
            let (largest, smallest): (f64, f64) = (s.as_view().get(0, 0).into(), s.as_view().get(k - 1, 0).into());
            let rcond = if largest > 0.0 { smallest / largest } else { 0.0 };
            item.rcond = Some((rcond, RcondSource::SingularValues));
            // SAFETY: GELSD wrote k singular values, one after the other.
            let values = unsafe { std::slice::from_raw_parts(s.as_view().as_ptr(), k) };
            let findings = if self.undecided {
                diagnostics::doubt_rank((!self.in_place).then_some(a), values, rank, self.rcond)
            } else {
                vec![]
            };
            item.findings = (!findings.is_empty()).then(|| Box::new(findings));
        }
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }
}

#[cold]
fn failure<T: Scalar>(info: i64) -> Error {
    if info < 0 {
        return illegal_argument::<T>(OPERATION, "gelsd", info);
    }
    Error::new(Code::SvdNoConvergence, OPERATION, Detail::NoConvergence { unconverged: info as usize })
        .from_routine(format!("{}gelsd", T::DTYPE.prefix()), info)
}
