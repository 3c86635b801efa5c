//! Eigenvalues and eigenvectors of pairs of general square matrices, `A v = w B v` and `u^H A = w u^H B`.
//!
//! LAPACK's `xGGEV`: balancing, reduction to Hessenberg-triangular form, QZ iteration, back substitution. An eigenvalue is
//! the quotient `alpha / beta`; where B is singular there are infinite ones, with beta = 0, and where A and B share a null
//! vector an undetermined one, with both zero. LAPACK scales a vector's largest component to 1; here each column is then
//! scaled to Euclidean length 1.
//!
//! Row-major matrices are transposed in the working copies, as in `eig`.

use super::eig::packed::{eigenvalue_quotients, join_eigenvalues, join_eigenvectors};
use super::eig::{EigOptions, job, output_address, output_ld, side};
use super::{
    Operand, assert_output, call, certain_length, illegal_argument, non_finite, remembered_query, require_square,
    rough_seconds, shape_mismatch, take_in, works_in_place,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::diagnostics;
use crate::intake::{Part, Want};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{
    Argument, BatchView, BatchViewMut, Code, Detail, Error, Finding, Matrix, MatrixView, MatrixViewMut, Result, Scalar,
};
use lapack_ai_host::{Library, Routine};
use std::ptr::null_mut;

const OPERATION: &str = "eig";
/// Up to this order the locks that OpenBLAS takes are felt.
const LOCKS_COUNT: usize = 64;

/// Result of [`eig_generalised`].
#[derive(Clone, Debug)]
pub struct GeneralisedEig<T: Scalar> {
    /// n eigenvalues `alpha / beta`: Inf where only beta is zero, NaN where both are.
    pub eigenvalues: Vec<T::Complex>,
    /// Their numerators.
    pub alpha: Vec<T::Complex>,
    /// Their denominators, not negative.
    pub beta: Vec<T::Real>,
    /// n x n: column i is the right eigenvector of eigenvalue i, of length 1. Empty if not wanted.
    pub right: Matrix<T::Complex>,
    /// The same for left eigenvectors, `u^H A = w u^H B`.
    pub left: Matrix<T::Complex>,
    /// What the call did.
    pub report: Report,
}

/// Where [`eig_generalised_into`] writes; for real types LAPACK's packed form, as for [`crate::EigOut`].
#[derive(Debug)]
pub struct GeneralisedEigOut<'a, T: Scalar> {
    /// n x 1 each: numerators of the eigenvalues; of real matrices their real parts.
    pub alpha: BatchViewMut<'a, T>,
    /// n x 1 each: imaginary parts of the numerators; given exactly for real types.
    pub imaginary: Option<BatchViewMut<'a, T>>,
    /// n x 1 each: denominators, real and not negative.
    pub beta: BatchViewMut<'a, T>,
    /// n x n each, column-major; given exactly if left vectors are wanted.
    pub left: Option<BatchViewMut<'a, T>>,
    /// n x n each, column-major; given exactly if right vectors are wanted.
    pub right: Option<BatchViewMut<'a, T>>,
}

/// Eigenvalues and eigenvectors of a pair of general n x n matrices, `A v = w B v`.
///
/// # Errors
/// `LAP-E001` for NaN or Inf in A or B, whether `check_finite` is set or not; `LAP-E002` if B has another shape than A;
/// `LAP-E003` if A is not square; `LAP-E013` without convergence; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{EigOptions, MatrixView, eig_generalised};
/// let a = MatrixView::row_major(&[6.0_f64, 0.0, 0.0, 1.0], 2, 2).unwrap();
/// let b = MatrixView::row_major(&[2.0, 0.0, 0.0, 0.0], 2, 2).unwrap();
/// let eig = eig_generalised(a, b, EigOptions::default())?;
/// assert!((eig.eigenvalues[0].re - 3.0).abs() < 1e-15);
/// assert!(eig.eigenvalues[1].re.is_infinite());
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.8; Moler and Stewart, SIAM J. Numer. Anal. 10 (1973) 241-256.
pub fn eig_generalised<T: Scalar>(
    a: MatrixView<'_, T>,
    b: MatrixView<'_, T>,
    options: EigOptions,
) -> Result<GeneralisedEig<T>> {
    let n = a.rows();
    let [mut alpha, mut imaginary, mut beta] = [Matrix::zeros(n, 1), Matrix::zeros(n, 1), Matrix::zeros(n, 1)];
    let (mut left, mut right) = (side(options.left, n), side(options.right, n));
    let out = GeneralisedEigOut {
        alpha: alpha.view_mut().into(),
        imaginary: (!T::DTYPE.is_complex()).then(|| imaginary.view_mut().into()),
        beta: beta.view_mut().into(),
        left: options.left.then(|| left.view_mut().into()),
        right: options.right.then(|| right.view_mut().into()),
    };
    let report = eig_generalised_into(a.into(), b.into(), out, options)?;
    let parts = (!T::DTYPE.is_complex()).then(|| imaginary.view().into());
    let (mut numerators, mut quotients) = (Matrix::zeros(n, 1), Matrix::zeros(n, 1));
    let packed: BatchView<'_, T> = alpha.view().into();
    join_eigenvalues(&packed, parts.as_ref(), &mut numerators.view_mut().into());
    eigenvalue_quotients(&packed, parts.as_ref(), &beta.view().into(), &mut quotients.view_mut().into());
    let [left, right] = [left, right].map(|vectors| {
        let mut joined = Matrix::zeros(vectors.rows(), vectors.cols());
        join_eigenvectors(parts.as_ref(), &vectors.view().into(), &mut joined.view_mut().into());
        joined
    });
    let (eigenvalues, alpha) = (quotients.as_slice().to_vec(), numerators.as_slice().to_vec());
    let beta = beta.as_slice().iter().map(|value| value.re()).collect();
    Ok(GeneralisedEig { eigenvalues, alpha, beta, right, left, report })
}

/// As [`eig_generalised`], for a batch, into memory of the caller.
///
/// # Panics
/// If an output does not have the batch, shape or order that [`GeneralisedEigOut`] states.
///
/// # Errors
/// As [`eig_generalised`], and `LAP-E002` if A and B are batches of different length; the error lists every pair that
/// failed.
pub fn eig_generalised_into<T: Scalar>(
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    out: GeneralisedEigOut<'_, T>,
    options: EigOptions,
) -> Result<Report> {
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| run(&a, &b, &out, options, report, timed);
    call::<T, ()>(OPERATION, (rows, cols, count), options.call, body).map(|((), report)| report)
}

/// Refuses a B that is not of A's shape.
pub(super) fn require_pair<T: Scalar>(
    operation: &'static str,
    a: &BatchView<'_, T>,
    b: &BatchView<'_, T>,
) -> Result<usize> {
    let n = require_square(operation, a)?;
    if (b.rows(), b.cols()) != (n, n) {
        let text = format!("b must be {n} x {n} like a, not {} x {}", b.rows(), b.cols());
        return Err(shape_mismatch(operation, Argument::at(1, "b"), text));
    }
    if a.count() != b.count() {
        let text = format!("a has {} matrices, b has {}", a.count(), b.count());
        return Err(shape_mismatch(operation, Argument::at(1, "b"), text));
    }
    Ok(n)
}

fn run<T: Scalar>(
    a: &Operand<'_, T>,
    b: &Operand<'_, T>,
    out: &GeneralisedEigOut<'_, T>,
    options: EigOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let n = require_pair(OPERATION, &a.view, &b.view)?;
    let library = library()?;
    let count = a.view.count();
    assert_output("alpha", &out.alpha, count, n, 1);
    assert_output("beta", &out.beta, count, n, 1);
    output_ld(library, "imaginary", out.imaginary.as_ref(), !T::DTYPE.is_complex(), (count, n, 1))?;
    let ldvl = output_ld(library, "left", out.left.as_ref(), options.left, (count, n, n))?;
    let ldvr = output_ld(library, "right", out.right.as_ref(), options.right, (count, n, n))?;
    report.routine = "ggev";
    if n == 0 || count == 0 {
        return Ok(());
    }
    let jobs = u16::from(options.left) << 1 | u16::from(options.right);
    let key = ((Routine::Ggev as u16) << 4 | T::DTYPE as u16, jobs, n, 0, 0);
    let [lwork, ..] = remembered_query(library, key, || query::<T>(library, options, n))?;
    let in_place = [works_in_place(library, a, false), works_in_place(library, b, false)];
    let mut need = Need::default();
    let copies = in_place.map(|in_place| {
        if !in_place {
            report.count_copy(n * n * count);
        }
        need.add2(n, if in_place { 0 } else { n })
    });
    let (work, rwork) = (need.add(lwork), need.add(if T::DTYPE.is_complex() { 8 * n } else { 0 }));
    let job = Job { n, options, ldvl, ldvr, lwork, in_place, copies, work, rwork, timed };
    let cube = (n as f64).powi(3);
    let plan = Plan {
        count,
        seconds_each: rough_seconds(if options.left || options.right { 66.0 } else { 30.0 } * cube) + 3e-6,
        threshold: 0.0,
        contention: if n <= LOCKS_COUNT { Contention::Some } else { Contention::None },
        need,
    };
    let item = |worker: &Worker, index| job.one(a.view.matrix(index), b.view.matrix(index), out, index, worker);
    batch::run(library, plan, report, item)?.conclude(report)?;
    for matrix in 0..if options.quotients { count } else { 0 } {
        // SAFETY: the workers are done.
        let beta = unsafe { out.beta.matrix(matrix) };
        let infinite = (0..n).filter(|&i| beta.as_view().get(i, 0).modulus() == 0.0).count();
        if infinite > 0 {
            let finding = Finding::InfiniteEigenvalues { count: infinite, n };
            let text = finding.sentence("a");
            diagnostics::warn(report, Code::InfiniteEigenvalues, &text, vec![finding], matrix);
            break;
        }
    }
    Ok(())
}

/// LWORK.
#[cold]
fn query<T: Scalar>(library: &Library, options: EigOptions, n: usize) -> Result<[usize; 3]> {
    library.check_sizes(OPERATION, &[n])?;
    let (mut work, mut rwork, none) = (T::ZERO, T::Real::ZERO, null_mut());
    let (jobvl, jobvr, ask) = (job(options.left), job(options.right), Library::QUERY);
    // SAFETY: a query reads the sizes and writes the first element of the workspace only.
    unsafe {
        library.ggev(jobvl, jobvr, n, none, n, none, n, none, none, none, none, n, none, n, &mut work, ask, &mut rwork);
    }
    Ok([certain_length(OPERATION, library, work, n.saturating_mul(8))?, 0, 0])
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    n: usize,
    options: EigOptions,
    ldvl: usize,
    ldvr: usize,
    lwork: usize,
    in_place: [bool; 2],
    copies: [Slot<T>; 2],
    work: Slot<T>,
    rwork: Slot<T::Real>,
    timed: bool,
}

impl<T: Scalar> Job<T> {
    fn one(
        &self,
        a: MatrixView<'_, T>,
        b: MatrixView<'_, T>,
        out: &GeneralisedEigOut<'_, T>,
        index: usize,
        worker: &Worker,
    ) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let take = |which: usize, name: &'static str, source: MatrixView<'_, T>| {
            let target = worker.scratch.at(self.copies[which]);
            // SAFETY: the scratch holds n x n elements unless the matrix is used where it lies.
            let (address, ld, swept) =
                unsafe { take_in(source, Part::Full, self.in_place[which], true, Want::Finite, target) };
            // Whether asked for or not: with NaN or Inf LAPACK prints complaints, or does not return.
            let found = || non_finite(OPERATION, Argument::at(which, name), source, Part::Full);
            if swept.finite { Ok((address, ld)) } else { Err(found()) }
        };
        let (a_address, lda) = take(0, "a", a)?;
        let (b_address, ldb) = take(1, "b", b)?;
        item.lap(&mut clock, Phase::Intake);
        // SAFETY: each matrix of the outputs is taken once, by this call; `query` sized the workspace and checked the
        // sizes.
        let info = unsafe {
            let (alpha, beta) = (output_address(Some(&out.alpha), index), output_address(Some(&out.beta), index));
            let alphai = output_address(out.imaginary.as_ref(), index);
            let (vl, vr) = (output_address(out.left.as_ref(), index), output_address(out.right.as_ref(), index));
            worker.library.ggev(
                job(self.options.left),
                job(self.options.right),
                self.n,
                a_address,
                lda,
                b_address,
                ldb,
                alpha,
                alphai,
                beta,
                vl,
                self.ldvl,
                vr,
                self.ldvr,
                worker.scratch.at(self.work),
                self.lwork,
                worker.scratch.at(self.rwork),
            )
        };
        if info != 0 {
            return Err(failure::<T>(info, self.n));
        }
        for vectors in [&out.left, &out.right].into_iter().flatten() {
            // SAFETY: LAPACK is done with this call's matrices of the outputs.
            unsafe { normalise(vectors.matrix(index), out.imaginary.as_ref().map(|parts| parts.matrix(index))) };
        }
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }
}

/// Scales every column, and the two columns of a conjugate pair together, to Euclidean length 1. LAPACK left the largest
/// component near 1, so the squares cannot overflow.
fn normalise<T: Scalar>(mut vectors: MatrixViewMut<'_, T>, imaginary: Option<MatrixViewMut<'_, T>>) {
    let n = vectors.cols();
    let part = |j: usize| imaginary.as_ref().map_or(0.0, |parts| parts.as_view().get(j, 0).re_f64());
    let mut j = 0;
    while j < n {
        let pair = j + 1 < n && (part(j) > 0.0 || part(j + 1) < 0.0);
        let columns = j..j + 1 + usize::from(pair);
        let squares = columns.clone().flat_map(|j| (0..n).map(move |i| (i, j)));
        let length = squares.map(|(i, j)| vectors.as_view().get(i, j).modulus().powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            let factor = T::from_real(1.0 / length);
            for j in columns.clone() {
                for i in 0..n {
                    let scaled = vectors.as_view().get(i, j).mul(factor);
                    vectors.set(i, j, scaled);
                }
            }
        }
        j = columns.end;
    }
}

/// INFO up to n: the first INFO eigenvalues are missing. Beyond: another part of the iteration gave up, and all are.
#[cold]
fn failure<T: Scalar>(info: i64, n: usize) -> Error {
    if info < 0 {
        return illegal_argument::<T>(OPERATION, "ggev", info);
    }
    Error::new(Code::EigNoConvergence, OPERATION, Detail::NoConvergence { unconverged: (info as usize).min(n) })
        .from_routine(format!("{}ggev", T::DTYPE.prefix()), info)
}
