//! The Schur form `A = Z T Z^H` of general square matrices, Z unitary and T triangular.
//!
//! LAPACK's `xGEES` without sorting: reduction to Hessenberg form and QR iteration. For real A, T is quasi-triangular: a
//! conjugate pair of eigenvalues is a block of order 2 on its diagonal.
//!
//! A is copied straight into T, where LAPACK works in place; a row-major A is transposed by this copy, as in `eig`.

use super::eig::{output_address, output_ld};
use super::{
    CallOptions, Operand, call, certain_length, illegal_argument, non_finite, remembered_query, require_square,
    rough_seconds,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::intake::{self, Part, Want};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{Argument, BatchViewMut, Code, Detail, Error, Matrix, MatrixView, Result, Scalar};
use lapack_ai_host::{Library, Routine};
use std::ptr::null_mut;

const OPERATION: &str = "schur";
/// Up to this order the locks that OpenBLAS takes are felt.
const LOCKS_COUNT: usize = 64;

/// Result of [`schur`].
#[derive(Clone, Debug)]
pub struct Schur<T: Scalar> {
    /// n x n, upper triangular; for real types with blocks of order 2 on the diagonal.
    pub t: Matrix<T>,
    /// n x n, unitary.
    pub z: Matrix<T>,
    /// What the call did.
    pub report: Report,
}

/// Where [`schur_into`] writes.
#[derive(Debug)]
pub struct SchurOut<'a, T: Scalar> {
    /// n x n each, column-major.
    pub t: BatchViewMut<'a, T>,
    /// n x n each, column-major.
    pub z: BatchViewMut<'a, T>,
}

/// The Schur form of a general n x n matrix.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, whether `check_finite` is set or not; `LAP-E003` if A is not square; `LAP-E013` without
/// convergence; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, schur};
/// let a = MatrixView::row_major(&[1.0_f64, 0.0, 5.0, 2.0], 2, 2).unwrap();
/// let schur = schur(a, CallOptions::default())?;
/// assert_eq!(schur.t.get(1, 0), 0.0);
/// assert!((schur.t.get(0, 0) * schur.t.get(1, 1) - 2.0).abs() < 1e-14);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.5; Golub and Van Loan, Matrix Computations, section 7.5.
pub fn schur<T: Scalar>(a: MatrixView<'_, T>, options: CallOptions) -> Result<Schur<T>> {
    let n = a.rows();
    let (mut t, mut z) = (Matrix::zeros(n, n), Matrix::zeros(n, n));
    let out = SchurOut { t: t.view_mut().into(), z: z.view_mut().into() };
    let report = schur_into(a.into(), out, options)?;
    Ok(Schur { t, z, report })
}

/// As [`schur`], for a batch, into memory of the caller.
///
/// # Panics
/// If an output does not have the batch, shape or order that [`SchurOut`] states.
///
/// # Errors
/// As [`schur`]; the error lists every matrix that failed.
pub fn schur_into<T: Scalar>(a: Operand<'_, T>, out: SchurOut<'_, T>, options: CallOptions) -> Result<Report> {
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| run(&a, &out, report, timed);
    call::<T, ()>(OPERATION, (rows, cols, count), options, body).map(|((), report)| report)
}

fn run<T: Scalar>(a: &Operand<'_, T>, out: &SchurOut<'_, T>, report: &mut Report, timed: bool) -> Result<()> {
    let n = require_square(OPERATION, &a.view)?;
    let library = library()?;
    let count = a.view.count();
    let ldt = output_ld(library, "t", Some(&out.t), true, (count, n, n))?;
    let ldz = output_ld(library, "z", Some(&out.z), true, (count, n, n))?;
    report.routine = "gees";
    if n == 0 || count == 0 {
        return Ok(());
    }
    let key = ((Routine::Gees as u16) << 4 | T::DTYPE as u16, 0, n, 0, 0);
    let [lwork, ..] = remembered_query(library, key, || query::<T>(library, n))?;
    report.count_copy(n * n * count);
    let mut need = Need::default();
    let values = [need.add(n), need.add(n)];
    let (work, rwork) = (need.add(lwork), need.add(n));
    let job = Job { n, ldt, ldz, lwork, values, work, rwork, timed };
    let plan = Plan {
        count,
        seconds_each: rough_seconds(25.0 * (n as f64).powi(3)) + 2e-6,
        threshold: 0.0,
        contention: if n <= LOCKS_COUNT { Contention::Some } else { Contention::None },
        need,
    };
    let item = |worker: &Worker, index| job.one(a.view.matrix(index), out, index, worker);
    batch::run(library, plan, report, item)?.conclude(report).map(|_| ())
}

/// LWORK.
#[cold]
fn query<T: Scalar>(library: &Library, n: usize) -> Result<[usize; 3]> {
    library.check_sizes(OPERATION, &[n])?;
    let (mut work, mut rwork, none) = (T::ZERO, T::Real::ZERO, null_mut());
    // SAFETY: a query reads the sizes and writes the first element of the workspace only.
    unsafe { library.gees(n, none, n, none, none, none, n, &mut work, Library::QUERY, &mut rwork) };
    Ok([certain_length(OPERATION, library, work, n.saturating_mul(3))?, 0, 0])
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    n: usize,
    ldt: usize,
    ldz: usize,
    lwork: usize,
    /// The parts of the eigenvalues, which T holds as well.
    values: [Slot<T>; 2],
    work: Slot<T>,
    rwork: Slot<T::Real>,
    timed: bool,
}

impl<T: Scalar> Job<T> {
    fn one(&self, a: MatrixView<'_, T>, out: &SchurOut<'_, T>, index: usize, worker: &Worker) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let scratch = &worker.scratch;
        // SAFETY: each matrix of the outputs is taken once, by this call.
        let (t, z) = unsafe { (output_address(Some(&out.t), index), output_address(Some(&out.z), index)) };
        // SAFETY: T holds n x n elements, and is not A.
        let swept = unsafe { intake::copy(a, Part::Full, t, self.ldt, Want::Finite) };
        // Whether asked for or not: with NaN or Inf LAPACK prints complaints, or does not return.
        if !swept.finite {
            return Err(non_finite(OPERATION, Argument::at(0, "a"), a, Part::Full));
        }
        item.lap(&mut clock, Phase::Intake);
        let [w, wi] = self.values.map(|slot| scratch.at(slot));
        // SAFETY: the drivers' contract: `query` sized the workspace and checked the sizes.
        let info = unsafe {
            let (work, rwork) = (scratch.at(self.work), scratch.at(self.rwork));
            worker.library.gees(self.n, t, self.ldt, w, wi, z, self.ldz, work, self.lwork, rwork)
        };
        if info != 0 {
            return Err(failure::<T>(info, self.n));
        }
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }
}

/// INFO > 0: the first INFO eigenvalues are missing.
#[cold]
fn failure<T: Scalar>(info: i64, n: usize) -> Error {
    if info < 0 {
        return illegal_argument::<T>(OPERATION, "gees", info);
    }
    Error::new(Code::EigNoConvergence, OPERATION, Detail::NoConvergence { unconverged: (info as usize).min(n) })
        .from_routine(format!("{}gees", T::DTYPE.prefix()), info)
}
