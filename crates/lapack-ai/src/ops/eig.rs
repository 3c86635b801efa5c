//! Eigenvalues and eigenvectors of general square matrices, `A v = w v` and `u^H A = w u^H`.
//!
//! LAPACK's `xGEEV`: balancing, reduction to Hessenberg form, QR iteration to the Schur form, back substitution. Vectors
//! have Euclidean length 1, and the component of largest size is real.
//!
//! A row-major A is transposed in the working copy. The transpose has the same eigenvalues and its left vectors are the
//! conjugate right ones, so it could enter as it lies; but the copy is owed anyway, transposing it is lost beside `25 n^3`
//! operations, and so the result does not depend on the order of the elements in memory.

pub mod packed;

use super::{
    CallOptions, Operand, assert_output, blank_failed, call, certain_length, illegal_argument, non_finite,
    remembered_query, require_square, rough_seconds, take_in, works_in_place,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::diagnostics;
use crate::intake::{Part, Want};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{
    Argument, BatchViewMut, Code, Complex64, Detail, Error, Finding, Matrix, MatrixView, Real, Result, Scalar,
};
use lapack_ai_host::{Library, Routine};
use packed::{join_eigenvalues, join_eigenvectors};
use std::ptr::null_mut;

const OPERATION: &str = "eig";
/// Up to this order the locks that OpenBLAS takes are felt.
const LOCKS_COUNT: usize = 64;

/// Options of [`eig`] and [`crate::eig_generalised`].
#[derive(Clone, Copy, Debug)]
pub struct EigOptions {
    /// Compute left eigenvectors. Default: no.
    pub left: bool,
    /// Compute right eigenvectors (default).
    pub right: bool,
    /// Of a pair of matrices the quotients alpha / beta are wanted, so that infinite ones are to be warned of. Default: no.
    pub quotients: bool,
    /// What every operation can be told. The check for NaN and Inf is always on.
    pub call: CallOptions,
}

impl Default for EigOptions {
    fn default() -> Self {
        Self { left: false, right: true, quotients: false, call: CallOptions::default() }
    }
}

/// Result of [`eig`].
#[derive(Clone, Debug)]
pub struct Eig<T: Scalar> {
    /// n eigenvalues, in no order but that a conjugate pair of a real matrix stands together.
    pub eigenvalues: Vec<T::Complex>,
    /// n x n: column i is the right eigenvector of eigenvalue i, of length 1. Empty if not wanted.
    pub right: Matrix<T::Complex>,
    /// The same for left eigenvectors, `u^H A = w u^H`.
    pub left: Matrix<T::Complex>,
    /// What the call did.
    pub report: Report,
}

/// Where [`eig_into`] writes. For real types it writes LAPACK's packed form (see [`packed`]), which is the result itself
/// where all eigenvalues are real.
#[derive(Debug)]
pub struct EigOut<'a, T: Scalar> {
    /// n x 1 each: the eigenvalues; of a real matrix their real parts.
    pub eigenvalues: BatchViewMut<'a, T>,
    /// n x 1 each: imaginary parts of the eigenvalues of a real matrix; given exactly for real types.
    pub imaginary: Option<BatchViewMut<'a, T>>,
    /// n x n each, column-major; given exactly if left vectors are wanted.
    pub left: Option<BatchViewMut<'a, T>>,
    /// n x n each, column-major; given exactly if right vectors are wanted.
    pub right: Option<BatchViewMut<'a, T>>,
}

/// Eigenvalues and eigenvectors of a general n x n matrix.
///
/// The eigenvalues are exact for a matrix within a small multiple of `n eps norm(A)` of A; how far that moves them depends
/// on their conditioning. A matrix without n independent eigenvectors gets nearly dependent ones.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, whether `check_finite` is set or not; `LAP-E003` if A is not square; `LAP-E013` without
/// convergence; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{EigOptions, MatrixView, eig};
/// // A rotation by 90 degrees turns every real vector; its eigenvalues are i and -i.
/// let a = MatrixView::row_major(&[0.0_f64, -1.0, 1.0, 0.0], 2, 2).unwrap();
/// let eig = eig(a, EigOptions::default())?;
/// assert!((eig.eigenvalues[0].im - 1.0).abs() < 1e-15 && (eig.eigenvalues[1].im + 1.0).abs() < 1e-15);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.5; Francis, Computer J. 4 (1961) 265-271; Braman, Byers and Mathias, SIAM J.
/// Matrix Anal. Appl. 23 (2002) 948-973.
pub fn eig<T: Scalar>(a: MatrixView<'_, T>, options: EigOptions) -> Result<Eig<T>> {
    let n = a.rows();
    let (mut w, mut imaginary) = (Matrix::zeros(n, 1), Matrix::zeros(n, 1));
    let (mut left, mut right) = (side(options.left, n), side(options.right, n));
    let out = EigOut {
        eigenvalues: w.view_mut().into(),
        imaginary: (!T::DTYPE.is_complex()).then(|| imaginary.view_mut().into()),
        left: options.left.then(|| left.view_mut().into()),
        right: options.right.then(|| right.view_mut().into()),
    };
    let report = eig_into(a.into(), out, options)?;
    let parts = (!T::DTYPE.is_complex()).then(|| imaginary.view().into());
    let mut eigenvalues = Matrix::zeros(n, 1);
    join_eigenvalues(&w.view().into(), parts.as_ref(), &mut eigenvalues.view_mut().into());
    let [left, right] = [left, right].map(|vectors| {
        let mut joined = Matrix::zeros(vectors.rows(), vectors.cols());
        join_eigenvectors(parts.as_ref(), &vectors.view().into(), &mut joined.view_mut().into());
        joined
    });
    Ok(Eig { eigenvalues: eigenvalues.as_slice().to_vec(), right, left, report })
}

/// Room for vectors, if they are wanted.
pub(super) fn side<T: Scalar>(wanted: bool, n: usize) -> Matrix<T> {
    let n = if wanted { n } else { 0 };
    Matrix::zeros(n, n)
}

/// As [`eig`], for a batch, into memory of the caller.
///
/// # Panics
/// If an output does not have the batch, shape or order that [`EigOut`] states.
///
/// # Errors
/// As [`eig`]; the error lists every matrix that failed.
#[inline]
pub fn eig_into<T: Scalar>(a: Operand<'_, T>, out: EigOut<'_, T>, options: EigOptions) -> Result<Report> {
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| run(&a, &out, options, report, timed);
    call::<T, ()>(OPERATION, (rows, cols, count), options.call, body).map(|((), report)| report)
}

/// Refuses what LAPACK cannot write, and gives the leading dimension of an output; 1 if there is none.
pub(super) fn output_ld<T: Scalar>(
    library: &Library,
    name: &str,
    out: Option<&BatchViewMut<'_, T>>,
    wanted: bool,
    shape: (usize, usize, usize),
) -> Result<usize> {
    assert_eq!(out.is_some(), wanted, "output {name} is given exactly when it is wanted");
    let Some(out) = out else { return Ok(1) };
    let (count, rows, cols) = shape;
    assert_output(name, out, count, rows, cols);
    if count == 0 || rows == 0 || cols == 0 {
        return Ok(rows.max(1));
    }
    // SAFETY: only the strides are looked at.
    let ld = unsafe { out.matrix(0) }.col_major_lda().expect("eigenvectors are column-major");
    library.check_sizes(OPERATION, &[ld])?;
    Ok(ld)
}

/// Address of matrix `index` of an output; null if there is none.
///
/// # Safety
/// Each matrix of the output is taken by one call only.
pub(super) unsafe fn output_address<T: Scalar>(out: Option<&BatchViewMut<'_, T>>, index: usize) -> *mut T {
    // SAFETY: the caller's promise.
    out.map_or(null_mut(), |out| unsafe { out.matrix(index) }.as_mut_ptr())
}

/// LAPACK's letter for vectors.
pub(super) fn job(vectors: bool) -> u8 {
    if vectors { b'V' } else { b'N' }
}

fn run<T: Scalar>(
    a: &Operand<'_, T>,
    out: &EigOut<'_, T>,
    options: EigOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let n = require_square(OPERATION, &a.view)?;
    let library = library()?;
    let count = a.view.count();
    assert_output("eigenvalues", &out.eigenvalues, count, n, 1);
    output_ld(library, "imaginary", out.imaginary.as_ref(), !T::DTYPE.is_complex(), (count, n, 1))?;
    let ldvl = output_ld(library, "left", out.left.as_ref(), options.left, (count, n, n))?;
    let ldvr = output_ld(library, "right", out.right.as_ref(), options.right, (count, n, n))?;
    report.routine = "geev";
    if n == 0 || count == 0 {
        return Ok(());
    }
    let (jobvl, jobvr) = (job(options.left), job(options.right));
    let jobs = u16::from(options.left) << 1 | u16::from(options.right);
    let key = ((Routine::Geev as u16) << 4 | T::DTYPE as u16, jobs, n, 0, 0);
    let [lwork, ..] = remembered_query(library, key, || query::<T>(library, jobvl, jobvr, n))?;
    let in_place = works_in_place(library, a, false);
    if !in_place {
        report.count_copy(n * n * count);
    }
    let mut need = Need::default();
    let copy = need.add2(n, if in_place { 0 } else { n });
    let (work, rwork) = (need.add(lwork), need.add(if T::DTYPE.is_complex() { 2 * n } else { 0 }));
    let job = Job { n, jobvl, jobvr, ldvl, ldvr, lwork, in_place, copy, work, rwork, timed };
    let cube = (n as f64).powi(3);
    let plan = Plan {
        count,
        seconds_each: rough_seconds(if options.left || options.right { 25.0 } else { 10.0 } * cube) + 2e-6,
        threshold: 0.0,
        contention: if n <= LOCKS_COUNT { Contention::Some } else { Contention::None },
        need,
    };
    let item = |worker: &Worker, index| job.one(a.view.matrix(index), out, index, worker);
    let outcome = batch::run(library, plan, report, item)?.conclude_or_go_on(report)?;
    if let Some((_, matrix, findings)) = outcome.found {
        let text = "the matrix is defective: it has fewer eigenvectors than its order";
        diagnostics::warn(report, Code::EigenvectorsDependent, text, findings, matrix);
    }
    blank_failed(&out.eigenvalues, report);
    out.imaginary.iter().chain(&out.left).chain(&out.right).for_each(|vectors| blank_failed(vectors, report));
    Ok(())
}

/// LWORK.
#[cold]
fn query<T: Scalar>(library: &Library, jobvl: u8, jobvr: u8, n: usize) -> Result<[usize; 3]> {
    library.check_sizes(OPERATION, &[n])?;
    let (mut work, mut rwork) = (T::ZERO, T::Real::ZERO);
    let none = null_mut();
    // SAFETY: a query reads the sizes and writes the first element of the workspace only.
    unsafe {
        library.geev(jobvl, jobvr, n, none, n, none, none, none, n, none, n, &mut work, Library::QUERY, &mut rwork);
    }
    Ok([certain_length(OPERATION, library, work, n.saturating_mul(4))?, 0, 0])
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    n: usize,
    jobvl: u8,
    jobvr: u8,
    ldvl: usize,
    ldvr: usize,
    lwork: usize,
    in_place: bool,
    copy: Slot<T>,
    work: Slot<T>,
    rwork: Slot<T::Real>,
    timed: bool,
}

impl<T: Scalar> Job<T> {
    #[inline]
    fn one(&self, a: MatrixView<'_, T>, out: &EigOut<'_, T>, index: usize, worker: &Worker) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        // SAFETY: the scratch holds n x n elements unless A is used where it lies.
        let (address, lda, swept) =
            unsafe { take_in(a, Part::Full, self.in_place, true, Want::Finite, worker.scratch.at(self.copy)) };
        // Whether asked for or not: with NaN or Inf LAPACK prints complaints, or does not return.
        if !swept.finite {
            return Err(non_finite(OPERATION, Argument::at(0, "a"), a, Part::Full));
        }
        item.lap(&mut clock, Phase::Intake);
        // SAFETY: each matrix of the outputs is taken once, by this call; `query` sized the workspace and checked the
        // sizes.
        let info = unsafe {
            let w = output_address(Some(&out.eigenvalues), index);
            let wi = output_address(out.imaginary.as_ref(), index);
            let (vl, vr) = (output_address(out.left.as_ref(), index), output_address(out.right.as_ref(), index));
            let (work, rwork) = (worker.scratch.at(self.work), worker.scratch.at(self.rwork));
            let (jobvl, jobvr, ldvl, ldvr) = (self.jobvl, self.jobvr, self.ldvl, self.ldvr);
            worker.library.geev(jobvl, jobvr, self.n, address, lda, w, wi, vl, ldvl, vr, ldvr, work, self.lwork, rwork)
        };
        if info != 0 {
            return Err(diagnostics::no_convergence(failure::<T>(info), (!self.in_place).then_some(a)));
        }
        item.findings = self.parallel_vectors(out, index).map(|finding| Box::new(vec![finding]));
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }

    /// Eigenvectors of nearly equal eigenvalues that are parallel. All pairs of eigenvalues are compared, and vectors only
    /// where these are close: O(n^2) beside 25 n^3.
    fn parallel_vectors(&self, out: &EigOut<'_, T>, index: usize) -> Option<Finding> {
        let n = self.n;
        // SAFETY: LAPACK has written them, and nobody else has this matrix.
        let (w, wi, v) = unsafe {
            let w = out.eigenvalues.matrix(index);
            (w, out.imaginary.as_ref().map(|wi| wi.matrix(index)), out.right.as_ref()?.matrix(index))
        };
        let (w, wi, v) = (w.as_view(), wi.as_ref().map(|wi| wi.as_view()), v.as_view());
        let imaginary = |j: usize| wi.as_ref().map_or(0.0, |wi| wi.get(j, 0).re_f64());
        let value = |j: usize| {
            let w = w.get(j, 0).to_complex128();
            Complex64::new(w.re, w.im + imaginary(j))
        };
        // Of a pair of conjugates the first; its vector is packed into both columns.
        let component = |i: usize, j: usize| {
            let here = v.get(i, j).to_complex128();
            if imaginary(j) > 0.0 { here + Complex64::i() * v.get(i, j + 1).to_complex128() } else { here }
        };
        let largest = (0..n).map(|j| value(j).norm()).fold(0.0, f64::max);
        // The eigenvalues of a defective pair, and the angle between its vectors, are off by the root of rounding.
        let near = T::Real::EPSILON.powf(0.45);
        let mut found: Option<(usize, usize, usize)> = None;
        for j in (0..n).filter(|&j| imaginary(j) >= 0.0) {
            for k in (0..j).filter(|&k| imaginary(k) >= 0.0 && (value(k) - value(j)).norm() <= near * largest) {
                let cosine = (0..n).map(|i| component(i, k).conj() * component(i, j)).sum::<Complex64>().norm();
                if 1.0 - cosine <= near * near / 2.0 {
                    let (first, second, count) = found.unwrap_or((k, j, 0));
                    found = Some((first, second, count + 1));
                }
            }
        }
        found.map(|(first, second, count)| Finding::Defective { first, second, count })
    }
}

/// INFO > 0: the first INFO eigenvalues are missing.
#[cold]
fn failure<T: Scalar>(info: i64) -> Error {
    if info < 0 {
        return illegal_argument::<T>(OPERATION, "geev", info);
    }
    Error::new(Code::EigNoConvergence, OPERATION, Detail::NoConvergence { unconverged: info as usize })
        .from_routine(format!("{}geev", T::DTYPE.prefix()), info)
}
