//! Symmetric and Hermitian eigenproblems with a positive definite second matrix: `A v = w B v`, `A B v = w v` or
//! `B A v = w v`.
//!
//! LAPACK's `xSYGVD`/`xHEGVD`: `B = L L^H`, reduction to a standard problem (`inv(L) A inv(L^H)`, or `L^H A L`), divide and
//! conquer, and back. For a part of the spectrum `xSYGVX`/`xHEGVX`, which computes only that, by bisection and inverse
//! iteration. The vectors are orthonormal with respect to B (problems 1 and 2) or inv(B) (problem 3).
//!
//! Row-major matrices are read as their transposes with the other triangle. For complex types these are the conjugates,
//! whose problem has the same eigenvalues and conjugate vectors, if A and B are read the same way: so A's order decides for
//! both, and a B of the other order is transposed in its working copy.

use super::eig::{job, output_ld};
use super::eig_generalised::require_pair;
use super::eigh::{EighOptions, EighOut, unconverged};
use super::eigh_subset::{EighSubset, Select, deliver, owned};
use super::{
    Operand, assert_output, call, certain_length, illegal_argument, non_finite, remembered_query, rough_seconds,
    take_in, works_in_place,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::diagnostics;
use crate::intake::{self, Part, Want, is_flipped};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{Argument, Code, Detail, Error, MatrixView, Real, Result, Scalar};
use lapack_ai_host::{Library, Range, Routine};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

const OPERATION: &str = "eigh";
/// Up to this order the locks that OpenBLAS takes are felt.
const LOCKS_COUNT: usize = 64;

/// Which generalised problem; LAPACK's ITYPE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Problem {
    /// `A v = w B v`.
    #[default]
    First = 1,
    /// `A B v = w v`.
    Second = 2,
    /// `B A v = w v`.
    Third = 3,
}

/// Eigenvalues and eigenvectors, all or some, of a symmetric (Hermitian) n x n matrix A with a positive definite B.
///
/// # Errors
/// `LAP-E001` for NaN or Inf in a triangle that is read; `LAP-E002` if B has another shape than A; `LAP-E003` if A is not
/// square; `LAP-E005` for indices or bounds that no matrix of order n can meet; `LAP-E011` if B is not positive definite,
/// with the first minor that is not; `LAP-E013` without convergence; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{EighOptions, MatrixView, Problem, Select, eigh_generalised};
/// let a = MatrixView::row_major(&[6.0_f64, 0.0, 0.0, 1.0], 2, 2).unwrap();
/// let b = MatrixView::row_major(&[2.0, 0.0, 0.0, 4.0], 2, 2).unwrap();
/// let eigh = eigh_generalised(a, b, Problem::First, Select::All, EighOptions::default())?;
/// assert!((eigh.eigenvalues[0] - 0.25).abs() < 1e-15 && (eigh.eigenvalues[1] - 3.0).abs() < 1e-15);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.7; Martin and Wilkinson, Numer. Math. 11 (1968) 99-110.
pub fn eigh_generalised<T: Scalar>(
    a: MatrixView<'_, T>,
    b: MatrixView<'_, T>,
    problem: Problem,
    select: Select,
    options: EighOptions,
) -> Result<EighSubset<T>> {
    let n = a.rows();
    let run = |out: EighOut<'_, T>| eigh_generalised_into(a.into(), b.into(), problem, select, out, options);
    owned(n, select.most(n), options.vectors, run)
}

/// As [`eigh_generalised`], for a batch, into memory of the caller: m x 1 eigenvalues and n x m eigenvectors each, where m
/// is [`Select::most`]. Returns how many each pair has; what lies behind them holds nothing of meaning.
///
/// # Panics
/// If an output does not have the batch, shape or order stated.
///
/// # Errors
/// As [`eigh_generalised`]; the error lists every pair that failed.
pub fn eigh_generalised_into<T: Scalar>(
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    problem: Problem,
    select: Select,
    out: EighOut<'_, T>,
    options: EighOptions,
) -> Result<(Report, Vec<usize>)> {
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| run(&a, &b, (problem, select), &out, options, report, timed);
    call::<T, _>(OPERATION, (rows, cols, count), options.call, body).map(|(found, report)| (report, found))
}

/// The driver, without its type prefix.
fn driver<T: Scalar>(all: bool) -> &'static str {
    match (all, T::DTYPE.is_complex()) {
        (true, false) => "sygvd",
        (true, true) => "hegvd",
        (false, false) => "sygvx",
        (false, true) => "hegvx",
    }
}

fn run<T: Scalar>(
    a: &Operand<'_, T>,
    b: &Operand<'_, T>,
    (problem, select): (Problem, Select),
    out: &EighOut<'_, T>,
    options: EighOptions,
    report: &mut Report,
    timed: bool,
) -> Result<Vec<usize>> {
    let n = require_pair(OPERATION, &a.view, &b.view)?;
    let library = library()?;
    let count = a.view.count();
    report.routine = driver::<T>(select == Select::All);
    let range = select.range::<T>(n)?;
    let most = select.most(n);
    assert_output("eigenvalues", &out.eigenvalues, count, most, 1);
    let ldz = output_ld(library, "eigenvectors", out.eigenvectors.as_ref(), options.vectors, (count, n, most))?;
    let Some(range) = range.filter(|_| n > 0 && count > 0) else { return Ok(vec![0; count]) };
    let jobz = job(options.vectors);
    let all = range == Range::All;
    let key = ((Routine::Sygvd as u16) << 4 | T::DTYPE as u16, u16::from(jobz), n, usize::from(all), 0);
    let lengths = remembered_query(library, key, || {
        if all { query_all::<T>(library, jobz, n) } else { query_some::<T>(library, n) }
    })?;
    let flipped = is_flipped(a.view.layout());
    // The driver for all leaves the vectors in A, which is copied to where they shall be.
    let in_output = all && options.vectors;
    let in_place = [!in_output && works_in_place(library, a, flipped), works_in_place(library, b, flipped)];
    for _ in in_place.into_iter().filter(|in_place| !in_place) {
        report.count_copy(n * n * count);
    }
    let mut need = Need::default();
    let copies =
        [need.add2(n, if in_place[0] || in_output { 0 } else { n }), need.add2(n, if in_place[1] { 0 } else { n })];
    let values = need.add(n);
    let (work, rwork, iwork) = (need.add(lengths[0]), need.add(lengths[1]), need.add(lengths[2]));
    let ifail = need.add(n);
    let read = if options.lower { Part::Lower } else { Part::Upper };
    let job = Job {
        n,
        problem,
        range,
        jobz,
        read,
        flipped,
        in_output,
        in_place,
        ldz,
        lengths,
        copies,
        values,
        work,
        rwork,
        iwork,
        ifail,
        timed,
    };
    let cube = (n as f64).powi(3);
    let plan = Plan {
        count,
        seconds_each: rough_seconds(if options.vectors { 14.0 } else { 3.0 } * cube) + 3e-6,
        threshold: 0.0,
        contention: if n <= LOCKS_COUNT { Contention::Some } else { Contention::None },
        need,
    };
    let found: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    let item = |worker: &Worker, index| {
        let (item, m) = job.one(a.view.matrix(index), b.view.matrix(index), out, index, worker)?;
        found[index].store(m, Ordering::Relaxed);
        Ok(item)
    };
    batch::run(library, plan, report, item)?.conclude(report)?;
    Ok(found.into_iter().map(AtomicUsize::into_inner).collect())
}

/// LWORK, LRWORK, LIWORK of the driver for all.
#[cold]
fn query_all<T: Scalar>(library: &Library, jobz: u8, n: usize) -> Result<[usize; 3]> {
    library.check_sizes(OPERATION, &[n])?;
    let (mut work, mut rwork, mut iwork) = (T::ZERO, T::Real::ZERO, 0_i64);
    let (none, ask, w) = (null_mut(), Library::QUERY, null_mut());
    // SAFETY: a query reads the sizes and writes the first element of each workspace only.
    unsafe {
        library.sygvd(1, jobz, b'L', n, none, n, none, n, w, &mut work, ask, &mut rwork, ask, &mut iwork, ask);
    }
    // LWORK for reals, LRWORK for complex: at least 2 n^2 with vectors.
    let least = if jobz == b'V' { n.saturating_mul(n).saturating_mul(2) } else { 1 };
    let complex = T::DTYPE.is_complex();
    let lwork = certain_length(OPERATION, library, work, if complex { 1 } else { least })?;
    let lrwork = if complex { certain_length(OPERATION, library, rwork, least)? } else { 0 };
    Ok([lwork, lrwork, library.read_int(iwork).max(1) as usize])
}

/// The same of the driver for some, of which only LWORK is asked: the others are 7n and 5n.
#[cold]
fn query_some<T: Scalar>(library: &Library, n: usize) -> Result<[usize; 3]> {
    library.check_sizes(OPERATION, &[n, n.saturating_mul(8)])?;
    let (mut work, mut rwork, mut m) = (T::ZERO, T::Real::ZERO, 0);
    let (none, ask, zero) = (null_mut(), Library::QUERY, T::Real::ZERO);
    let (mut iwork, mut ifail, w) = (0_i64, 0_i64, null_mut());
    // SAFETY: as above.
    unsafe {
        library.sygvx(
            1,
            b'V',
            Range::All,
            b'L',
            n,
            none,
            n,
            none,
            n,
            zero,
            &mut m,
            w,
            none,
            n,
            &mut work,
            ask,
            &mut rwork,
            &mut iwork,
            &mut ifail,
        );
    }
    Ok([certain_length(OPERATION, library, work, 8 * n)?, if T::DTYPE.is_complex() { 7 * n } else { 0 }, 5 * n])
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    n: usize,
    problem: Problem,
    range: Range,
    jobz: u8,
    /// The triangles read, in the user's terms.
    read: Part,
    flipped: bool,
    in_output: bool,
    in_place: [bool; 2],
    ldz: usize,
    lengths: [usize; 3],
    copies: [Slot<T>; 2],
    values: Slot<T::Real>,
    work: Slot<T>,
    rwork: Slot<T::Real>,
    iwork: Slot<i64>,
    ifail: Slot<i64>,
    timed: bool,
}

impl<T: Scalar> Job<T> {
    fn one(
        &self,
        a: MatrixView<'_, T>,
        b: MatrixView<'_, T>,
        out: &EighOut<'_, T>,
        index: usize,
        worker: &Worker,
    ) -> Result<(Item, usize)> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let (n, scratch) = (self.n, &worker.scratch);
        let source_b = b;
        let part = if self.flipped { self.read.transposed() } else { self.read };
        let [a_stored, b_stored] = [a, b].map(|source| if self.flipped { source.transposed() } else { source });
        // SAFETY: each matrix of the outputs is taken once, by this call.
        let z = out.eigenvectors.as_ref().map_or(null_mut(), |v| unsafe { v.matrix(index) }.as_mut_ptr());
        // SAFETY: the output, or the scratch, holds n x n elements unless the matrix is used where it lies.
        let (a_taken, b_taken) = unsafe {
            let a_taken = if self.in_output {
                (z, self.ldz, intake::copy(a_stored, part, z, self.ldz, Want::Finite))
            } else {
                take_in(a_stored, part, self.in_place[0], true, Want::Finite, scratch.at(self.copies[0]))
            };
            (a_taken, take_in(b_stored, part, self.in_place[1], true, Want::Finite, scratch.at(self.copies[1])))
        };
        // Whether asked for or not: with NaN or Inf LAPACK returns nonsense.
        for (position, name, source, swept) in [(0, "a", a, a_taken.2), (1, "b", b, b_taken.2)] {
            if !swept.finite {
                return Err(non_finite(OPERATION, Argument::at(position, name), source, self.read));
            }
        }
        item.lap(&mut clock, Phase::Intake);
        let (w, mut m) = (scratch.at(self.values), n);
        let ((a, lda, _), (b, ldb, _)) = (a_taken, b_taken);
        let (itype, jobz, uplo, [lwork, lrwork, liwork]) =
            (self.problem as usize, self.jobz, part.uplo(), self.lengths);
        let (work, rwork, iwork) = (scratch.at(self.work), scratch.at(self.rwork), scratch.at(self.iwork));
        // SAFETY: the drivers' contract: the queries sized the workspaces and checked the sizes.
        let info = unsafe {
            if self.range == Range::All {
                worker.library.sygvd(itype, jobz, uplo, n, a, lda, b, ldb, w, work, lwork, rwork, lrwork, iwork, liwork)
            } else {
                // LAPACK's advice for eigenvalues of the highest accuracy.
                let abstol = T::Real::from_f64(2.0 * T::Real::MIN_POSITIVE);
                worker.library.sygvx(
                    itype,
                    jobz,
                    self.range,
                    uplo,
                    n,
                    a,
                    lda,
                    b,
                    ldb,
                    abstol,
                    &mut m,
                    w,
                    z,
                    self.ldz,
                    work,
                    lwork,
                    rwork,
                    iwork,
                    scratch.at(self.ifail),
                )
            }
        };
        if info != 0 {
            let error = failure::<T>(self.range == Range::All, info, n);
            let intact = (!self.in_place[1]).then_some(source_b);
            return Err(if error.code() == Code::NotPositiveDefinite {
                diagnostics::not_positive(error, intact, self.read, None)
            } else {
                error
            });
        }
        // SAFETY: LAPACK wrote m eigenvalues and, where they were wanted, m vectors.
        let m = unsafe { deliver(w, m, out, index, (z, self.ldz, n), self.flipped) };
        item.lap(&mut clock, Phase::Compute);
        Ok((item, m))
    }
}

/// INFO from n + 1 to 2n: the minor of order INFO - n of B is not positive. Else: the eigenvalue iteration gave up.
#[cold]
fn failure<T: Scalar>(all: bool, info: i64, n: usize) -> Error {
    let routine = driver::<T>(all);
    if info < 0 {
        return illegal_argument::<T>(OPERATION, routine, info);
    }
    let size = info as usize;
    let error = if size > n && size <= 2 * n {
        Error::new(Code::NotPositiveDefinite, OPERATION, Detail::NotPositiveMinor { order: size - n, n })
            .argument(Argument::at(1, "b"))
    } else {
        let unconverged = if all { unconverged(size, n) } else { size.min(n) };
        Error::new(Code::EigNoConvergence, OPERATION, Detail::NoConvergence { unconverged })
    };
    error.from_routine(format!("{}{routine}", T::DTYPE.prefix()), info)
}
