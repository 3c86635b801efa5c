//! QR factorisation, `A = Q R`.
//!
//! LAPACK's `xGEQRF` and `xORGQR`/`xUNGQR`, in the outputs themselves: A is copied into Q (or, where it is wide, into R),
//! factorised there, R is taken out, and Q formed in place. A row-major A is transposed by that one copy: factorising it
//! as the LQ of its transpose would save nothing and is a quarter slower in today's libraries.

use super::{
    CallOptions, assert_output, call, illegal_argument, non_finite, remembered_query, rough_seconds, workspace_length,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::intake::{self, Part, Want};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{Argument, BatchView, BatchViewMut, Matrix, MatrixView, Result, Scalar};
use lapack_ai_host::{Library, Routine};
use std::ptr::null_mut;

const OPERATION: &str = "qr";

/// What [`qr`] returns, k = min(m, n).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QrMode {
    /// Q is m x k, R is k x n.
    #[default]
    Reduced,
    /// Q is m x m, R is m x n.
    Complete,
    /// R only, k x n.
    R,
    /// LAPACK's own form: the m x n output of `xGEQRF` (R above, reflectors below the diagonal) in place of R, and the k
    /// factors tau in place of Q.
    Raw,
}

/// Result of [`qr`].
#[derive(Clone, Debug)]
pub struct Qr<T: Scalar> {
    /// Orthonormal columns; k x 1 factors tau for [`QrMode::Raw`]; empty for [`QrMode::R`].
    pub q: Matrix<T>,
    /// Upper triangular (trapezoidal); the reflectors too for [`QrMode::Raw`].
    pub r: Matrix<T>,
    /// What the call did.
    pub report: Report,
}

/// Where [`qr_into`] writes; all column-major, shapes as [`QrMode`] says.
#[derive(Debug)]
pub struct QrOut<'a, T: Scalar> {
    /// Q, or tau for [`QrMode::Raw`]; `None` for [`QrMode::R`].
    pub q: Option<BatchViewMut<'a, T>>,
    /// R.
    pub r: BatchViewMut<'a, T>,
}

/// QR factorisation of an m x n matrix by Householder reflections.
///
/// `norm(A - Q R)` is a small multiple of `max(m, n) eps norm(A)`, and Q is orthonormal to `m eps`. The signs of R's
/// diagonal are LAPACK's, not all positive.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, QrMode, qr};
/// let a = MatrixView::row_major(&[3.0_f64, 4.0], 2, 1).unwrap();
/// let qr = qr(a, QrMode::Reduced, CallOptions::default())?;
/// assert!((qr.r.get(0, 0).abs() - 5.0).abs() < 1e-15);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.2.
pub fn qr<T: Scalar>(a: MatrixView<'_, T>, mode: QrMode, options: CallOptions) -> Result<Qr<T>> {
    let (q_shape, r_shape) = output_shapes(a.rows(), a.cols(), mode);
    let (q_rows, q_cols) = q_shape.unwrap_or((0, 0));
    let mut q = Matrix::zeros(q_rows, q_cols);
    let mut r = Matrix::zeros(r_shape.0, r_shape.1);
    let mut out = QrOut { q: q_shape.map(|_| q.view_mut().into()), r: r.view_mut().into() };
    let report = qr_into(&a.into(), &mut out, mode, options)?;
    Ok(Qr { q, r, report })
}

/// Shapes of Q (`None` where there is none) and R for an m x n matrix.
pub fn output_shapes(m: usize, n: usize, mode: QrMode) -> (Option<(usize, usize)>, (usize, usize)) {
    let k = m.min(n);
    match mode {
        QrMode::Reduced => (Some((m, k)), (k, n)),
        QrMode::Complete => (Some((m, m)), (m, n)),
        QrMode::R => (None, (k, n)),
        QrMode::Raw => (Some((k, 1)), (m, n)),
    }
}

/// As [`qr`], for a batch, into memory of the caller.
///
/// # Panics
/// If an output does not have the batch, shape or order that [`QrOut`] states.
///
/// # Errors
/// As [`qr`]; the error lists every matrix that failed.
pub fn qr_into<T: Scalar>(
    a: &BatchView<'_, T>,
    out: &mut QrOut<'_, T>,
    mode: QrMode,
    options: CallOptions,
) -> Result<Report> {
    let out = &*out;
    let body = |report: &mut Report, timed| run(a, out, mode, options, report, timed);
    call::<T, ()>(OPERATION, (a.rows(), a.cols(), a.count()), options, body).map(|((), report)| report)
}

fn run<T: Scalar>(
    a: &BatchView<'_, T>,
    out: &QrOut<'_, T>,
    mode: QrMode,
    options: CallOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let library = library()?;
    let (m, n, count) = (a.rows(), a.cols(), a.count());
    let (q_shape, r_shape) = output_shapes(m, n, mode);
    assert_output("r", &out.r, count, r_shape.0, r_shape.1);
    match (&out.q, q_shape) {
        (Some(q), Some((rows, cols))) => assert_output("q", q, count, rows, cols),
        (None, None) => {}
        _ => panic!("output q is given exactly when the mode has one"),
    }
    report.routine = "geqrf";
    let k = m.min(n);
    let place = match mode {
        QrMode::Raw => Place::R,
        QrMode::R if m <= n => Place::R,
        QrMode::R => Place::Scratch,
        QrMode::Reduced | QrMode::Complete if m < n => Place::R,
        QrMode::Reduced | QrMode::Complete => Place::Q,
    };
    let key = ((Routine::Geqrf as u16) << 4 | T::DTYPE as u16, mode as u16, m, n, 0);
    let [lwork, ..] = remembered_query(library, key, || query::<T>(library, m, n, mode))?;
    let mut need = Need::default();
    let copy = if place == Place::Scratch { need.add2(m, n) } else { need.add(0) };
    let (tau, work) = (need.add(k), need.add(lwork));
    let job = Job { m, n, mode, place, copy, tau, work, lwork, check: options.check_finite, timed };
    report.count_copy(m * n * count);
    let (rows, cols) = (m.max(n) as f64, k as f64);
    let plan = Plan {
        count,
        seconds_each: rough_seconds(4.0 * rows * cols * cols),
        threshold: 0.0,
        contention: Contention::None,
        need,
    };
    let item = |worker: &Worker, index| job.one(a.matrix(index), out, index, worker);
    batch::run(library, plan, report, item)?.conclude(report).map(|_| ())
}

/// Optimal workspace of both routines; 1 where there is nothing to do.
#[cold]
fn query<T: Scalar>(library: &Library, m: usize, n: usize, mode: QrMode) -> Result<[usize; 3]> {
    library.check_sizes(OPERATION, &[m, n])?;
    let (mut geqrf, mut orgqr) = (T::ONE, T::ONE);
    let (k, ask, ld) = (m.min(n), Library::QUERY, m.max(1));
    let q_cols = if mode == QrMode::Complete { m } else { k };
    // SAFETY: a query reads the sizes and writes the first element of the workspace only.
    unsafe {
        library.geqrf(m, n, null_mut(), ld, null_mut(), &mut geqrf, ask);
        library.orgqr(m, q_cols, k, null_mut(), ld, null_mut(), &mut orgqr, ask);
    }
    let lwork = workspace_length(geqrf).max(workspace_length(orgqr)).max(n).max(q_cols);
    library.check_sizes(OPERATION, &[lwork])?;
    Ok([lwork, 0, 0])
}

/// Where the m x n working copy lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Q,
    R,
    Scratch,
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    m: usize,
    n: usize,
    mode: QrMode,
    place: Place,
    copy: Slot<T>,
    tau: Slot<T>,
    work: Slot<T>,
    lwork: usize,
    check: bool,
    timed: bool,
}

impl<T: Scalar> Job<T> {
    fn one(&self, a: MatrixView<'_, T>, out: &QrOut<'_, T>, index: usize, worker: &Worker) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let (m, n) = (self.m, self.n);
        let k = m.min(n);
        // SAFETY: each matrix of the outputs is taken once, by this call.
        let (mut r, q) = unsafe { (out.r.matrix(index), out.q.as_ref().map(|q| q.matrix(index))) };
        let order = "q and r are column-major";
        let (r_rows, ldr, r) = (r.rows(), r.col_major_lda().expect(order), r.as_mut_ptr());
        let (q_cols, ldq, q) = match q {
            Some(mut q) => (q.cols(), q.col_major_lda().expect(order), q.as_mut_ptr()),
            None => (0, 1, null_mut()),
        };
        let (h, ldh) = match self.place {
            Place::Q => (q, ldq),
            Place::R => (r, ldr),
            Place::Scratch => (worker.scratch.at(self.copy), m.max(1)),
        };
        // SAFETY: the place has m rows and at least n columns.
        let swept = unsafe { intake::copy(a, Part::Full, h, ldh, Want::Finite) };
        if self.check && !swept.finite {
            return Err(non_finite(OPERATION, Argument::at(0, "a"), a, Part::Full));
        }
        item.lap(&mut clock, Phase::Intake);
        let tau = if self.mode == QrMode::Raw { q } else { worker.scratch.at(self.tau) };
        let (work, lwork) = (worker.scratch.at(self.work), self.lwork);
        if k > 0 {
            // SAFETY: the drivers' contract: `query` sized the workspace and checked the sizes.
            let info = unsafe { worker.library.geqrf(m, n, h, ldh, tau, work, lwork) };
            if info != 0 {
                return Err(illegal_argument::<T>(OPERATION, "geqrf", info));
            }
        }
        if self.mode == QrMode::Raw {
            item.lap(&mut clock, Phase::Compute);
            return Ok(item);
        }
        // SAFETY: every index below is inside the output it belongs to; Q, R and the scratch are distinct.
        unsafe {
            if self.place == Place::R {
                // The reflectors go to Q, if there is one, before R's lower part is cleared.
                for column in 0..k.min(q_cols) {
                    h.add(column * ldh).copy_to_nonoverlapping(q.add(column * ldq), m);
                }
            } else {
                for column in 0..n {
                    h.add(column * ldh).copy_to_nonoverlapping(r.add(column * ldr), (column + 1).min(r_rows).min(m));
                }
            }
            for column in 0..n {
                let from = (column + 1).min(r_rows);
                std::slice::from_raw_parts_mut(r.add(column * ldr + from), r_rows - from).fill(T::ZERO);
            }
            if m > 0 && q_cols > 0 {
                worker.library.orgqr(m, q_cols, k, q, ldq, tau, work, lwork);
            }
        }
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }
}
