//! Eigenvalues and eigenvectors of symmetric and Hermitian matrices, `A = V diag(w) V^H`.
//!
//! LAPACK's `xSYEVD`/`xHEEVD` (divide and conquer); up to order 25 (LAPACK's SMLSIZ), where that is QR iteration inside,
//! `xSYEV`/`xHEEV`, which does the same with 3 % less overhead. The triangle that is read is copied straight into V, where LAPACK
//! works in place.
//!
//! A row-major A is read as its transpose with the other triangle. For complex A that is the conjugate of A, which has the
//! same eigenvalues and conjugate eigenvectors: V is conjugated in place at the end.

use super::{
    CallOptions, Operand, SMLSIZ, assert_output, blank_failed, call, certain_length, illegal_argument, non_finite,
    remembered_query, require_square, rough_seconds, workspace_length,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::diagnostics::{self, Triangles};
use crate::intake::{self, Part, Want, is_flipped};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{Argument, BatchViewMut, Code, Detail, Error, Matrix, MatrixView, Result, Scalar};
use lapack_ai_host::{Library, Routine};
use std::ptr::null_mut;

const OPERATION: &str = "eigh";
/// Up to this order the locks that OpenBLAS takes, two for each column, are felt.
const LOCKS_COUNT: usize = 64;

/// LAPACK's driver for matrices of order n, without its type prefix.
fn driver<T: Scalar>(n: usize) -> &'static str {
    match (n <= SMLSIZ, T::DTYPE.is_complex()) {
        (true, false) => "syev",
        (true, true) => "heev",
        (false, false) => "syevd",
        (false, true) => "heevd",
    }
}

/// Options of [`eigh`].
#[derive(Clone, Copy, Debug)]
pub struct EighOptions {
    /// Read the lower triangle (default), or the upper. The other is not looked at.
    pub lower: bool,
    /// Compute eigenvectors (default), or eigenvalues only.
    pub vectors: bool,
    /// Warn if the other triangle says something else (default): few call this with a matrix that is not symmetric on
    /// purpose. A sample is compared.
    pub warn_of_asymmetry: bool,
    /// What every operation can be told.
    pub call: CallOptions,
}

impl Default for EighOptions {
    fn default() -> Self {
        Self { lower: true, vectors: true, warn_of_asymmetry: true, call: CallOptions::default() }
    }
}

/// Result of [`eigh`].
#[derive(Clone, Debug)]
pub struct Eigh<T: Scalar> {
    /// n real eigenvalues, smallest first.
    pub eigenvalues: Vec<T::Real>,
    /// n x n, orthonormal columns: column i belongs to eigenvalue i. Empty without vectors.
    pub eigenvectors: Matrix<T>,
    /// What the call did.
    pub report: Report,
}

/// Where [`eigh_into`] writes.
#[derive(Debug)]
pub struct EighOut<'a, T: Scalar> {
    /// n x 1 each.
    pub eigenvalues: BatchViewMut<'a, T::Real>,
    /// n x n each, column-major; `None` for eigenvalues only. May be the memory of an overwritable column-major A, and
    /// then nothing is copied.
    pub eigenvectors: Option<BatchViewMut<'a, T>>,
}

/// Eigenvalues and eigenvectors of a symmetric (Hermitian) n x n matrix.
///
/// Every eigenvalue is within a small multiple of `n eps norm(A)` of an exact one.
///
/// # Errors
/// `LAP-E001` for NaN or Inf in the triangle read; `LAP-E003` if A is not square; `LAP-E013` without convergence;
/// `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{EighOptions, MatrixView, eigh};
/// let a = MatrixView::row_major(&[2.0_f64, 1.0, 1.0, 2.0], 2, 2).unwrap();
/// let eigh = eigh(a, EighOptions::default())?;
/// assert!((eigh.eigenvalues[0] - 1.0).abs() < 1e-15 && (eigh.eigenvalues[1] - 3.0).abs() < 1e-15);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.4; Cuppen, Numer. Math. 36 (1981) 177-195.
pub fn eigh<T: Scalar>(a: MatrixView<'_, T>, options: EighOptions) -> Result<Eigh<T>> {
    let n = a.rows();
    let mut w = Matrix::zeros(n, 1);
    let mut v = if options.vectors { Matrix::zeros(n, a.cols()) } else { Matrix::zeros(0, 0) };
    let eigenvectors = options.vectors.then(|| v.view_mut().into());
    let report = eigh_into(a.into(), EighOut { eigenvalues: w.view_mut().into(), eigenvectors }, options)?;
    Ok(Eigh { eigenvalues: w.as_slice().to_vec(), eigenvectors: v, report })
}

/// As [`eigh`], for a batch, into memory of the caller.
///
/// # Panics
/// If an output does not have the batch, shape or order that [`EighOut`] states.
///
/// # Errors
/// As [`eigh`]; the error lists every matrix that failed.
#[inline]
pub fn eigh_into<T: Scalar>(a: Operand<'_, T>, out: EighOut<'_, T>, options: EighOptions) -> Result<Report> {
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| run(&a, &out, options, report, timed);
    call::<T, ()>(OPERATION, (rows, cols, count), options.call, body).map(|((), report)| report)
}

fn run<T: Scalar>(
    a: &Operand<'_, T>,
    out: &EighOut<'_, T>,
    options: EighOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let n = require_square(OPERATION, &a.view)?;
    let library = library()?;
    let count = a.view.count();
    assert_output("eigenvalues", &out.eigenvalues, count, n, 1);
    let given = out.eigenvectors.is_some();
    assert_eq!(given, options.vectors, "output eigenvectors is given exactly when vectors are wanted");
    if let Some(v) = &out.eigenvectors {
        assert_output("eigenvectors", v, count, n, n);
    }
    report.routine = driver::<T>(n);
    if n == 0 || count == 0 {
        return Ok(());
    }
    let read = if options.lower { Part::Lower } else { Part::Upper };
    let flipped = is_flipped(a.view.layout());
    let part = if flipped { read.transposed() } else { read };
    let jobz = if options.vectors { b'V' } else { b'N' };
    let key = ((Routine::Syevd as u16) << 4 | T::DTYPE as u16, u16::from(jobz), n, 0, 0);
    let lengths = remembered_query(library, key, || query::<T>(library, jobz, n))?;
    let mut need = Need::default();
    let copy = need.add2(n, if options.vectors { 0 } else { n });
    let (work, rwork, iwork) = (need.add(lengths[0]), need.add(lengths[1]), need.add(lengths[2]));
    let job = Job {
        n,
        flipped,
        read,
        part,
        jobz,
        lengths,
        copy,
        work,
        rwork,
        iwork,
        timed,
        overwritable: a.overwritable && !flipped,
    };
    if !job.in_place(out, a.view.matrix(0)) {
        report.count_copy(n * n * count);
    }
    let cube = (n as f64).powi(3);
    let plan = Plan {
        count,
        seconds_each: rough_seconds(if options.vectors { 9.0 } else { 1.4 } * cube) + 1e-6,
        threshold: 0.0,
        contention: if n <= LOCKS_COUNT { Contention::Some } else { Contention::None },
        need,
    };
    let item = |worker: &Worker, index| job.one(a.view.matrix(index), out, index, worker);
    batch::run(library, plan, report, item)?.conclude_or_go_on(report)?;
    blank_failed(&out.eigenvalues, report);
    out.eigenvectors.iter().for_each(|v| blank_failed(v, report));
    if !job.in_place(out, a.view.matrix(0)) {
        let lower = options.lower;
        let triangles = if options.warn_of_asymmetry {
            Triangles::Mirrored { lower, hermitian: true }
        } else {
            Triangles::Chosen { lower }
        };
        diagnostics::warn_of_asymmetry(Argument::at(0, "a"), &a.view, triangles, report);
    }
    Ok(())
}

/// LWORK, LRWORK, LIWORK.
#[cold]
fn query<T: Scalar>(library: &Library, jobz: u8, n: usize) -> Result<[usize; 3]> {
    library.check_sizes(OPERATION, &[n])?;
    let (mut work, mut rwork, mut iwork) = (T::ZERO, T::Real::ZERO, 0_i64);
    let ask = Library::QUERY;
    if n <= SMLSIZ {
        // SAFETY: a query reads the sizes and writes the first element of the workspace only.
        unsafe { library.syev(jobz, b'L', n, null_mut(), n, null_mut(), &mut work, ask, &mut rwork) };
        return Ok([workspace_length(work), 3 * n, 0]);
    }
    // SAFETY: a query reads the sizes and writes the first element of each workspace only.
    unsafe {
        library.syevd(jobz, b'L', n, null_mut(), n, null_mut(), &mut work, ask, &mut rwork, ask, &mut iwork, ask);
    }
    // LWORK for reals, LRWORK for complex: at least 2 n^2 with vectors.
    let least = if jobz == b'V' { n.saturating_mul(n).saturating_mul(2) } else { 1 };
    let lwork = certain_length(OPERATION, library, work, if T::DTYPE.is_complex() { 1 } else { least })?;
    let lrwork = if T::DTYPE.is_complex() { certain_length(OPERATION, library, rwork, least)? } else { 0 };
    Ok([lwork, lrwork, library.read_int(iwork).max(1) as usize])
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    n: usize,
    flipped: bool,
    /// The triangle read, in the user's terms.
    read: Part,
    /// The same in LAPACK's.
    part: Part,
    jobz: u8,
    lengths: [usize; 3],
    copy: Slot<T>,
    work: Slot<T>,
    rwork: Slot<T::Real>,
    iwork: Slot<i64>,
    timed: bool,
    overwritable: bool,
}

impl<T: Scalar> Job<T> {
    /// Whether LAPACK works in A's own memory: V is A, or A may be overwritten and no vectors are wanted.
    fn in_place(&self, out: &EighOut<'_, T>, first: MatrixView<'_, T>) -> bool {
        self.overwritable
            && first.col_major_lda().is_some()
            // SAFETY: only the address is looked at.
            && out.eigenvectors.as_ref().is_none_or(|v| std::ptr::eq(unsafe { v.matrix(0) }.as_mut_ptr(), first.as_ptr()))
    }

    #[inline]
    fn one(&self, a: MatrixView<'_, T>, out: &EighOut<'_, T>, index: usize, worker: &Worker) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let n = self.n;
        let stored = if self.flipped { a.transposed() } else { a };
        let (address, ld) = match &out.eigenvectors {
            Some(v) => {
                // SAFETY: each matrix of the output is taken once, by this call.
                let mut v = unsafe { v.matrix(index) };
                let ld = v.col_major_lda().expect("eigenvectors are column-major");
                (v.as_mut_ptr(), ld)
            }
            None if self.overwritable && stored.col_major_lda().is_some() => {
                (stored.as_ptr().cast_mut(), stored.col_major_lda().unwrap_or(n))
            }
            None => (worker.scratch.at(self.copy), n),
        };
        let swept = if std::ptr::eq(address, stored.as_ptr()) {
            intake::inspect(stored, self.part, Want::Finite)
        } else {
            // SAFETY: V, or the scratch, holds n x n elements.
            unsafe { intake::copy(stored, self.part, address, ld, Want::Finite) }
        };
        // Whether asked for or not: with NaN or Inf LAPACK prints complaints and returns nonsense.
        if !swept.finite {
            return Err(non_finite(OPERATION, Argument::at(0, "a"), a, self.read));
        }
        item.lap(&mut clock, Phase::Intake);
        // SAFETY: as above.
        let mut w = unsafe { out.eigenvalues.matrix(index) };
        let [lwork, lrwork, liwork] = self.lengths;
        let (work, rwork, iwork) =
            (worker.scratch.at(self.work), worker.scratch.at(self.rwork), worker.scratch.at(self.iwork));
        // SAFETY: the drivers' contract: `query` sized the workspaces and checked the sizes.
        let info = unsafe {
            let (library, w) = (worker.library, w.as_mut_ptr());
            let (jobz, uplo) = (self.jobz, self.part.uplo());
            if n <= SMLSIZ {
                library.syev(jobz, uplo, n, address, ld, w, work, lwork, rwork)
            } else {
                library.syevd(jobz, uplo, n, address, ld, w, work, lwork, rwork, lrwork, iwork, liwork)
            }
        };
        if info != 0 {
            let intact = (!std::ptr::eq(address, stored.as_ptr())).then_some(a);
            return Err(diagnostics::no_convergence(failure::<T>(info, n), intact));
        }
        if self.flipped && T::DTYPE.is_complex() && out.eigenvectors.is_some() {
            // SAFETY: V has n columns.
            unsafe { conjugate(address, ld, n, n) };
        }
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }
}

#[cold]
fn failure<T: Scalar>(info: i64, n: usize) -> Error {
    let routine = driver::<T>(n);
    if info < 0 {
        return illegal_argument::<T>(OPERATION, routine, info);
    }
    Error::new(Code::EigNoConvergence, OPERATION, Detail::NoConvergence { unconverged: unconverged(info as usize, n) })
        .from_routine(format!("{}{routine}", T::DTYPE.prefix()), info)
}

/// How many values are missing, from the INFO > 0 of a divide and conquer driver. With vectors INFO packs the rows of a
/// failed sub-problem, `first (n + 1) + last`; without, it counts.
pub(super) fn unconverged(info: usize, n: usize) -> usize {
    let (first, last) = (info / (n + 1), info % (n + 1));
    if info > n { last - first.min(last) + 1 } else { info }
}

/// Conjugates n x m eigenvectors in place: those of the conjugate matrix become those of the matrix.
///
/// # Safety
/// `vectors` holds m columns of n elements, `ld` apart.
pub(super) unsafe fn conjugate<T: Scalar>(vectors: *mut T, ld: usize, n: usize, m: usize) {
    for column in 0..m {
        for row in 0..n {
            // SAFETY: inside, by the caller's promise.
            unsafe {
                let element = vectors.add(column * ld + row);
                *element = (*element).conj();
            }
        }
    }
}
