//! A part of the spectrum of symmetric and Hermitian matrices.
//!
//! LAPACK's `xSYEVR`/`xHEEVR`: reduction to tridiagonal form, bisection for the eigenvalues asked for, inverse iteration
//! for their vectors. Only these are computed and stored; the reduction, `4/3 n^3` operations, is the same for one as for
//! all.
//!
//! A row-major A is read as its transpose with the other triangle, as in `eigh`.

use super::eig::{job, output_ld};
use super::eigh::{EighOptions, EighOut, conjugate};
use super::{
    Operand, assert_output, call, certain_length, illegal_argument, non_finite, remembered_query, require_square,
    rough_seconds, take_in, works_in_place,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::intake::{Part, Want, is_flipped};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{Applicability, Argument, Code, Detail, Error, Matrix, MatrixView, Real, Result, Scalar};
use lapack_ai_host::{Library, Range, Routine};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

const OPERATION: &str = "eigh";

/// Which eigenvalues to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Select {
    /// All.
    #[default]
    All,
    /// Those numbered `first` to `last`, both included, counted from 0, smallest first.
    Indices {
        /// The first.
        first: usize,
        /// The last.
        last: usize,
    },
    /// Those in the half-open interval (above, up_to]. Either end may be infinite.
    Values {
        /// Not included.
        above: f64,
        /// Included.
        up_to: f64,
    },
}

impl Select {
    /// How many eigenvalues of an n x n matrix there can be: the room that a result needs.
    pub fn most(self, n: usize) -> usize {
        match self {
            Select::Indices { first, last } if first <= last && last < n => last - first + 1,
            Select::Indices { .. } => 0,
            Select::All | Select::Values { .. } => n,
        }
    }

    /// LAPACK's arguments; `None` where the precision of the type leaves nothing of the interval.
    ///
    /// # Errors
    /// `LAP-E005` for indices or bounds that select nothing by any matrix.
    pub(super) fn range<T: Scalar>(self, n: usize) -> Result<Option<Range>> {
        match self {
            Select::All => Ok(Some(Range::All)),
            Select::Indices { first, last } if first <= last && last < n => {
                Ok(Some(Range::Indices(first + 1, last + 1)))
            }
            Select::Indices { first, last } => {
                let text =
                    format!("subset_by_index=({first}, {last}) must be indices in order from 0 to {}", n as i64 - 1);
                let error = bad_subset("subset_by_index", text);
                let fix = format!("use ({first}, {}): the end is included.", n.saturating_sub(1));
                Err(if first < n && last >= n { error.fix(Applicability::Maybe, fix) } else { error })
            }
            Select::Values { above, up_to } if above < up_to => {
                let (low, high) = (T::Real::from_f64(above), T::Real::from_f64(up_to));
                Ok((low < high).then_some(Range::Values(above, up_to)))
            }
            Select::Values { above, up_to } => {
                let text = format!("subset_by_value=({above}, {up_to}) must be two numbers, the smaller one first");
                Err(bad_subset("subset_by_value", text))
            }
        }
    }
}

#[cold]
fn bad_subset(name: &'static str, text: String) -> Error {
    Error::text(Code::BadOption, OPERATION, text).argument(Argument::keyword(name))
}

/// Result of [`eigh_subset`] and [`crate::eigh_generalised`].
#[derive(Clone, Debug)]
pub struct EighSubset<T: Scalar> {
    /// The m eigenvalues selected, smallest first.
    pub eigenvalues: Vec<T::Real>,
    /// n x m: column i belongs to eigenvalue i. Empty without vectors.
    pub eigenvectors: Matrix<T>,
    /// What the call did.
    pub report: Report,
}

/// The convenient form of an operation that writes at most `most` eigenpairs and tells how many.
pub(super) fn owned<T: Scalar>(
    n: usize,
    most: usize,
    vectors: bool,
    run: impl FnOnce(EighOut<'_, T>) -> Result<(Report, Vec<usize>)>,
) -> Result<EighSubset<T>> {
    let mut w = Matrix::zeros(most, 1);
    let mut v = if vectors { Matrix::zeros(n, most) } else { Matrix::zeros(0, 0) };
    let eigenvectors = vectors.then(|| v.view_mut().into());
    let (report, found) = run(EighOut { eigenvalues: w.view_mut().into(), eigenvectors })?;
    let found = found[0];
    let eigenvectors = if vectors && found < most { Matrix::from_fn(n, found, |i, j| v.get(i, j)) } else { v };
    Ok(EighSubset { eigenvalues: w.as_slice()[..found].to_vec(), eigenvectors, report })
}

/// Some eigenvalues, and their eigenvectors, of a symmetric (Hermitian) n x n matrix.
///
/// # Errors
/// `LAP-E001` for NaN or Inf in the triangle read; `LAP-E003` if A is not square; `LAP-E005` for indices or bounds that no
/// matrix of order n can meet; `LAP-E013` without convergence; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{EighOptions, MatrixView, Select, eigh_subset};
/// let a = MatrixView::row_major(&[2.0_f64, 1.0, 1.0, 2.0], 2, 2).unwrap();
/// let largest = eigh_subset(a, Select::Indices { first: 1, last: 1 }, EighOptions::default())?;
/// assert!(largest.eigenvalues.len() == 1 && (largest.eigenvalues[0] - 3.0).abs() < 1e-14);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.4; Dhillon, Parlett and Voemel, ACM TOMS 32 (2006) 533-560.
pub fn eigh_subset<T: Scalar>(a: MatrixView<'_, T>, select: Select, options: EighOptions) -> Result<EighSubset<T>> {
    let n = a.rows();
    owned(n, select.most(n), options.vectors, |out| eigh_subset_into(a.into(), select, out, options))
}

/// As [`eigh_subset`], for a batch, into memory of the caller: m x 1 eigenvalues and n x m eigenvectors each, where m is
/// [`Select::most`]. Returns how many each matrix has; what lies behind them is not written.
///
/// # Panics
/// If an output does not have the batch, shape or order stated.
///
/// # Errors
/// As [`eigh_subset`]; the error lists every matrix that failed.
pub fn eigh_subset_into<T: Scalar>(
    a: Operand<'_, T>,
    select: Select,
    out: EighOut<'_, T>,
    options: EighOptions,
) -> Result<(Report, Vec<usize>)> {
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| run(&a, select, &out, options, report, timed);
    call::<T, _>(OPERATION, (rows, cols, count), options.call, body).map(|(found, report)| (report, found))
}

fn run<T: Scalar>(
    a: &Operand<'_, T>,
    select: Select,
    out: &EighOut<'_, T>,
    options: EighOptions,
    report: &mut Report,
    timed: bool,
) -> Result<Vec<usize>> {
    let n = require_square(OPERATION, &a.view)?;
    let library = library()?;
    let count = a.view.count();
    report.routine = if T::DTYPE.is_complex() { "heevr" } else { "syevr" };
    let range = select.range::<T>(n)?;
    let most = select.most(n);
    assert_output("eigenvalues", &out.eigenvalues, count, most, 1);
    let ldz = output_ld(library, "eigenvectors", out.eigenvectors.as_ref(), options.vectors, (count, n, most))?;
    let Some(range) = range.filter(|_| n > 0 && count > 0) else { return Ok(vec![0; count]) };
    let jobz = job(options.vectors);
    let key = ((Routine::Syevr as u16) << 4 | T::DTYPE as u16, u16::from(jobz), n, 0, 0);
    let lengths = remembered_query(library, key, || query::<T>(library, jobz, n))?;
    let flipped = is_flipped(a.view.layout());
    let in_place = works_in_place(library, a, flipped);
    if !in_place {
        report.count_copy(n * n * count);
    }
    let mut need = Need::default();
    let copy = need.add2(n, if in_place { 0 } else { n });
    let values = need.add(n);
    let (work, rwork, iwork) = (need.add(lengths[0]), need.add(lengths[1]), need.add(lengths[2]));
    let isuppz = need.add(2 * n);
    let read = if options.lower { Part::Lower } else { Part::Upper };
    let job =
        Job { n, range, jobz, read, flipped, in_place, ldz, lengths, copy, values, work, rwork, iwork, isuppz, timed };
    let (cube, square) = ((n as f64).powi(3), (n as f64).powi(2));
    let vectors = if options.vectors { 4.0 * square * most as f64 } else { 0.0 };
    let plan = Plan {
        count,
        seconds_each: rough_seconds(1.4 * cube + vectors) + 5e-6,
        threshold: 0.0,
        contention: if n <= LOCKS_COUNT { Contention::Some } else { Contention::None },
        need,
    };
    let found: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    let item = |worker: &Worker, index| {
        let (item, m) = job.one(a.view.matrix(index), out, index, worker)?;
        found[index].store(m, Ordering::Relaxed);
        Ok(item)
    };
    batch::run(library, plan, report, item)?.conclude(report)?;
    Ok(found.into_iter().map(AtomicUsize::into_inner).collect())
}

/// Up to this order the locks that OpenBLAS takes are felt.
const LOCKS_COUNT: usize = 64;

/// LWORK, LRWORK, LIWORK.
#[cold]
fn query<T: Scalar>(library: &Library, jobz: u8, n: usize) -> Result<[usize; 3]> {
    library.check_sizes(OPERATION, &[n, n.saturating_mul(26)])?;
    let (mut work, mut rwork, mut iwork, mut m) = (T::ZERO, T::Real::ZERO, 0_i64, 0);
    let (none, ask, zero) = (null_mut(), Library::QUERY, T::Real::ZERO);
    // SAFETY: a query reads the sizes and writes the first element of each workspace only.
    unsafe {
        library.syevr(
            jobz,
            Range::All,
            b'L',
            n,
            none,
            n,
            zero,
            &mut m,
            null_mut(),
            none,
            n,
            null_mut(),
            &mut work,
            ask,
            &mut rwork,
            ask,
            &mut iwork,
            ask,
        );
    }
    let complex = T::DTYPE.is_complex();
    let lwork = certain_length(OPERATION, library, work, n.saturating_mul(if complex { 2 } else { 26 }))?;
    let lrwork = if complex { certain_length(OPERATION, library, rwork, n.saturating_mul(24))? } else { 0 };
    Ok([lwork, lrwork, (library.read_int(iwork).max(1) as usize).max(10 * n)])
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    n: usize,
    range: Range,
    jobz: u8,
    /// The triangle read, in the user's terms.
    read: Part,
    flipped: bool,
    in_place: bool,
    ldz: usize,
    lengths: [usize; 3],
    copy: Slot<T>,
    values: Slot<T::Real>,
    work: Slot<T>,
    rwork: Slot<T::Real>,
    iwork: Slot<i64>,
    isuppz: Slot<i64>,
    timed: bool,
}

impl<T: Scalar> Job<T> {
    fn one(&self, a: MatrixView<'_, T>, out: &EighOut<'_, T>, index: usize, worker: &Worker) -> Result<(Item, usize)> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let scratch = &worker.scratch;
        let (stored, part) = if self.flipped { (a.transposed(), self.read.transposed()) } else { (a, self.read) };
        // SAFETY: the scratch holds n x n elements unless A is used where it lies.
        let (address, lda, swept) =
            unsafe { take_in(stored, part, self.in_place, true, Want::Finite, scratch.at(self.copy)) };
        // Whether asked for or not: with NaN or Inf LAPACK returns nonsense.
        if !swept.finite {
            return Err(non_finite(OPERATION, Argument::at(0, "a"), a, self.read));
        }
        item.lap(&mut clock, Phase::Intake);
        // SAFETY: each matrix of the outputs is taken once, by this call.
        let z = out.eigenvectors.as_ref().map_or(null_mut(), |v| unsafe { v.matrix(index) }.as_mut_ptr());
        let (w, mut m) = (scratch.at(self.values), 0);
        let [lwork, lrwork, liwork] = self.lengths;
        // LAPACK's advice for eigenvalues of high relative accuracy.
        let abstol = T::Real::from_f64(T::Real::MIN_POSITIVE);
        // SAFETY: the drivers' contract: `query` sized the workspaces and checked the sizes.
        let info = unsafe {
            worker.library.syevr(
                self.jobz,
                self.range,
                part.uplo(),
                self.n,
                address,
                lda,
                abstol,
                &mut m,
                w,
                z,
                self.ldz,
                scratch.at(self.isuppz),
                scratch.at(self.work),
                lwork,
                scratch.at(self.rwork),
                lrwork,
                scratch.at(self.iwork),
                liwork,
            )
        };
        if info != 0 {
            return Err(failure::<T>(info, self.n));
        }
        // SAFETY: LAPACK wrote m eigenvalues and, where they were wanted, m vectors.
        let m = unsafe { deliver(w, m, out, index, (z, self.ldz, self.n), self.flipped) };
        item.lap(&mut clock, Phase::Compute);
        Ok((item, m))
    }
}

/// Copies m eigenvalues from a driver's array of n to the output, and conjugates the vectors if the driver saw the
/// conjugate matrix. Returns how many the output has.
///
/// # Safety
/// `w` holds m values; `z` is null or holds m columns of n elements, `ldz` apart; nothing else uses the output's matrix.
pub(super) unsafe fn deliver<T: Scalar>(
    w: *const T::Real,
    m: usize,
    out: &EighOut<'_, T>,
    index: usize,
    (z, ldz, n): (*mut T, usize, usize),
    flipped: bool,
) -> usize {
    let m = m.min(out.eigenvalues.rows());
    // SAFETY: the caller's promise.
    unsafe {
        let mut values = out.eigenvalues.matrix(index);
        for i in 0..m {
            values.set(i, 0, *w.add(i));
        }
        if flipped && T::DTYPE.is_complex() && !z.is_null() {
            conjugate(z, ldz, n, m);
        }
    }
    m
}

#[cold]
fn failure<T: Scalar>(info: i64, n: usize) -> Error {
    let routine = if T::DTYPE.is_complex() { "heevr" } else { "syevr" };
    if info < 0 {
        return illegal_argument::<T>(OPERATION, routine, info);
    }
    Error::new(Code::EigNoConvergence, OPERATION, Detail::NoConvergence { unconverged: (info as usize).min(n) })
        .from_routine(format!("{}{routine}", T::DTYPE.prefix()), info)
}
