//! LU factorisation with partial pivoting, `A = P L U`, of an m x n matrix, and systems solved with the factors.
//!
//! LAPACK's `xGETRF`: L is m x k with ones on its diagonal, U is k x n, k = min(m, n), and interchange i swapped row i
//! with row `pivots[i]`. A row-major A is transposed by the copy: the LU of the transpose has the ones on U's diagonal, which
//! is another factorisation. A zero pivot is a finding, not a failure: `A = P L U` holds all the same.

use super::substitution::{Given, Transpose, substitute};
use super::{CallOptions, Operand, assert_output, call, illegal_argument, non_finite, rough_seconds};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::diagnostics::{self, Left, Triangle};
use crate::intake::{self, Part, Want};
use crate::provider::library;
use crate::report::{Clock, RcondSource, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{
    Argument, BatchView, BatchViewMut, Code, Detail, Error, Matrix, MatrixView, MatrixViewMut, Result, Scalar,
};

/// Result of [`lu_factor`].
#[derive(Clone, Debug)]
pub struct LuFactors<T: Scalar> {
    /// U on and above the diagonal, L below it; column-major.
    pub lu: Matrix<T>,
    /// Row i was interchanged with row `pivots[i]`, in this order, counted from 0.
    pub pivots: Vec<i32>,
    /// What the call did; the warning `LAP-W001` and an rcond of 0 if a pivot is exactly zero.
    pub report: Report,
}

/// `A = P L U` of an m x n matrix, L and U in one matrix, for [`lu_solve`].
///
/// `norm(A - P L U)` is a small multiple of `n eps norm(A)` unless the pivots grow, which is seen on constructed matrices
/// only.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, lu_factor};
/// let a = MatrixView::row_major(&[1.0, 2.0, 4.0, 4.0], 2, 2).unwrap();
/// let factors = lu_factor(a, CallOptions::default())?;
/// assert_eq!(factors.pivots, [1, 1]);
/// assert_eq!((factors.lu.get(0, 0), factors.lu.get(1, 0), factors.lu.get(1, 1)), (4.0, 0.25, 1.0));
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.1; Higham, Accuracy and Stability of Numerical Algorithms, chapter 9.
pub fn lu_factor<T: Scalar>(a: MatrixView<'_, T>, options: CallOptions) -> Result<LuFactors<T>> {
    let mut lu = Matrix::zeros(a.rows(), a.cols());
    let mut pivots = vec![0; a.rows().min(a.cols())];
    let report = lu_factor_into(a.into(), &mut lu.view_mut().into(), &mut pivots, options)?;
    Ok(LuFactors { lu, pivots, report })
}

/// As [`lu_factor`], for a batch, into memory of the caller: `lu` column-major, the pivots of all matrices one after the
/// other. `lu` may be the memory of an overwritable A, and then nothing is copied.
///
/// # Panics
/// If an output does not have the batch, shape or order stated.
///
/// # Errors
/// As [`lu_factor`]; the error lists every matrix that failed.
pub fn lu_factor_into<T: Scalar>(
    a: Operand<'_, T>,
    lu: &mut BatchViewMut<'_, T>,
    pivots: &mut [i32],
    options: CallOptions,
) -> Result<Report> {
    const OPERATION: &str = "lu_factor";
    let lu = &*lu;
    let (m, n, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let k = m.min(n);
    let body = |report: &mut Report, timed| {
        assert_output("lu", lu, count, m, n);
        assert_eq!(pivots.len(), k * count, "k pivots a matrix");
        report.routine = "getrf";
        if k == 0 || count == 0 {
            return Ok(());
        }
        // SAFETY: only the address is looked at.
        let in_place = a.overwritable && std::ptr::eq(unsafe { lu.matrix(0) }.as_mut_ptr(), a.view.matrix(0).as_ptr());
        if !in_place {
            report.count_copy(m * n * count);
        }
        let mut need = Need::default();
        let interchanges = need.add(k);
        let job = Job { operation: OPERATION, m, n, check: options.check_finite, interchanges };
        let out = &Shared(pivots.as_mut_ptr());
        let item = |worker: &Worker, index| {
            // SAFETY: each matrix of the output is taken once, by this call.
            let mut lu = unsafe { lu.matrix(index) };
            let mut item = Item::default();
            let mut clock = Clock::start(timed);
            let singular = job.factorise(a.view.matrix(index), &mut lu, worker, &mut item, &mut clock)?;
            for i in 0..k {
                // SAFETY: the k pivots of this matrix, which GETRF wrote.
                unsafe {
                    let pivot = worker.library.read_int_at(worker.scratch.at(interchanges), i) - 1;
                    out.0.add(index * k + i).write(pivot as i32);
                }
            }
            item.rcond = singular.then_some((0.0, RcondSource::Pivots));
            item.lap(&mut clock, Phase::Compute);
            Ok(item)
        };
        let outcome = batch::run(job.check_sizes()?, job.plan(count, need), report, item)?.conclude(report)?;
        if let Some(&first) = outcome.ill_conditioned.first() {
            // SAFETY: the workers are done.
            let lu = unsafe { lu.matrix(first) };
            let warning = zero_pivot(OPERATION, lu.as_view(), first, &outcome.ill_conditioned, count);
            let source = (!in_place && m == n).then(|| a.view.matrix(first));
            // SAFETY: GETRF has written U, and nobody writes to it any more.
            let u = unsafe { Triangle::new(lu.as_view().as_ptr(), lu.col_major_lda().unwrap_or(m)) };
            report.warnings.push(diagnostics::singular(
                warning,
                Left { a: source, u: Some(u), flipped: false, null_vector: None },
            ));
        }
        Ok(())
    };
    call::<T, ()>(OPERATION, (m, n, count), options, body).map(|((), report)| report)
}

/// Solves `op(A) X = B` from the result of [`lu_factor`].
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E002`, `LAP-E003` for shapes; `LAP-E005` if a pivot is no row;
/// `LAP-E010` if an element of U's diagonal is zero, with its place; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Panics
/// If there are not as many pivots as rows.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, Transpose, lu_factor, lu_solve};
/// let a = MatrixView::row_major(&[1.0, 2.0, 4.0, 4.0], 2, 2).unwrap();
/// let b = MatrixView::col_major(&[3.0, 8.0], 2, 1).unwrap();
/// let factors = lu_factor(a, CallOptions::default())?;
/// let (x, _report) = lu_solve(factors.lu.view(), &factors.pivots, b, Transpose::No, CallOptions::default())?;
/// assert_eq!(x.as_slice(), [1.0, 1.0]);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
pub fn lu_solve<T: Scalar>(
    lu: MatrixView<'_, T>,
    pivots: &[i32],
    b: MatrixView<'_, T>,
    transpose: Transpose,
    options: CallOptions,
) -> Result<(Matrix<T>, Report)> {
    let mut x = Matrix::zeros(b.rows(), b.cols());
    let report = lu_solve_into(&lu.into(), pivots, &b.into(), &mut x.view_mut().into(), transpose, options)?;
    Ok((x, report))
}

/// As [`lu_solve`], for a batch, into memory of the caller. `x` is column-major and has B's batch and shape; the factors may
/// have fewer batch dimensions or extents of 1, which are repeated; their pivots lie one after the other. X may be B itself.
///
/// # Panics
/// If `x` does not have the shape or order stated, or there are not as many pivots as rows.
///
/// # Errors
/// As [`lu_solve`]; the error lists every matrix that failed.
pub fn lu_solve_into<T: Scalar>(
    lu: &BatchView<'_, T>,
    pivots: &[i32],
    b: &BatchView<'_, T>,
    x: &mut BatchViewMut<'_, T>,
    transpose: Transpose,
    options: CallOptions,
) -> Result<Report> {
    substitute("lu_solve", "lu", lu, Given::Lu { pivots, transpose }, b, x, options)
}

/// Result of [`lu`].
#[derive(Clone, Debug)]
pub struct Lu<T: Scalar> {
    /// Row i of A is row `rows[i]` of `L U`.
    pub rows: Vec<i32>,
    /// Lower triangular (trapezoidal) with ones on its diagonal; its rows in A's order for [`LuRows::OfA`]. Column-major.
    pub l: Matrix<T>,
    /// Upper triangular (trapezoidal). Column-major.
    pub u: Matrix<T>,
    /// What the call did.
    pub report: Report,
}

/// Where [`lu_into`] writes.
#[derive(Debug)]
pub struct LuOut<'a, T: Scalar> {
    /// m for each matrix, one after the other.
    pub rows: &'a mut [i32],
    /// m x k, column-major.
    pub l: BatchViewMut<'a, T>,
    /// k x n, column-major.
    pub u: BatchViewMut<'a, T>,
}

/// The order of L's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LuRows {
    /// L is lower triangular.
    #[default]
    OfL,
    /// The rows of `P L`: `A = L U`.
    OfA,
}

/// `A = P L U` of an m x n matrix, the factors apart; the permutation as the rows of L that A's rows are.
///
/// # Errors
/// As [`lu_factor`]. A zero on U's diagonal gives no warning: the factors are the result.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, LuRows, MatrixView, lu};
/// let a = MatrixView::row_major(&[1.0, 2.0, 4.0, 4.0], 2, 2).unwrap();
/// let lu = lu(a, LuRows::OfL, CallOptions::default())?;
/// assert_eq!((lu.rows, lu.l.as_slice(), lu.u.as_slice()), (vec![1, 0], &[1.0, 0.25, 0.0, 1.0][..], &[4.0, 0.0, 4.0, 1.0][..]));
/// # Ok::<(), lapack_ai::Error>(())
/// ```
pub fn lu<T: Scalar>(a: MatrixView<'_, T>, order: LuRows, options: CallOptions) -> Result<Lu<T>> {
    let (m, n) = (a.rows(), a.cols());
    let (mut l, mut u) = (Matrix::zeros(m, m.min(n)), Matrix::zeros(m.min(n), n));
    let mut rows = vec![0; m];
    let mut out = LuOut { rows: &mut rows, l: l.view_mut().into(), u: u.view_mut().into() };
    let report = lu_into(a.into(), &mut out, order, options)?;
    Ok(Lu { rows, l, u, report })
}

/// As [`lu`], for a batch, into memory of the caller. An overwritable column-major A serves as workspace.
///
/// # Panics
/// If an output does not have the batch, shape or order that [`LuOut`] states.
///
/// # Errors
/// As [`lu`]; the error lists every matrix that failed.
pub fn lu_into<T: Scalar>(
    a: Operand<'_, T>,
    out: &mut LuOut<'_, T>,
    order: LuRows,
    options: CallOptions,
) -> Result<Report> {
    const OPERATION: &str = "lu";
    let (m, n, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let k = m.min(n);
    let body = |report: &mut Report, timed| {
        let (l, u) = (&out.l, &out.u);
        assert_output("l", l, count, m, k);
        assert_output("u", u, count, k, n);
        assert_eq!(out.rows.len(), m * count, "m rows a matrix");
        report.routine = "getrf";
        if k == 0 {
            (0..m * count).for_each(|i| out.rows[i] = (i % m) as i32);
        }
        if k == 0 || count == 0 {
            return Ok(());
        }
        let in_place = a.overwritable && a.view.matrix(0).col_major_lda().is_some();
        if !in_place {
            report.count_copy(m * n * count);
        }
        let mut need = Need::default();
        let interchanges = need.add(k);
        let copy = if in_place { need.add(0) } else { need.add2(m, n) };
        let job = Job { operation: OPERATION, m, n, check: options.check_finite, interchanges };
        let rows = &Shared(out.rows.as_mut_ptr());
        let item = |worker: &Worker, index| {
            let mut item = Item::default();
            let mut clock = Clock::start(timed);
            let a = a.view.matrix(index);
            // SAFETY: the scratch holds m x n elements, and an overwritable A is the operation's.
            let mut work = unsafe {
                if in_place {
                    MatrixViewMut::from_raw(a.as_ptr().cast_mut(), m, n, 1, a.col_stride())
                } else {
                    MatrixViewMut::from_raw(worker.scratch.at(copy), m, n, 1, m as isize)
                }
            };
            job.factorise(a, &mut work, worker, &mut item, &mut clock)?;
            // SAFETY: each matrix of the outputs is taken once, by this call, as are the m rows of this matrix.
            let (mut l, mut u, rows) = unsafe {
                let rows = std::slice::from_raw_parts_mut(rows.0.add(index * m), m);
                (l.matrix(index), u.matrix(index), rows)
            };
            let permutation: Vec<usize> = job.permutation(worker);
            for (i, &row) in permutation.iter().enumerate() {
                rows[row] = i as i32;
            }
            let place = |i: usize| if order == LuRows::OfA { permutation[i] } else { i };
            let work = work.as_view();
            for j in 0..k {
                for i in 0..m {
                    let element = if i > j {
                        work.get(i, j)
                    } else if i == j {
                        T::ONE
                    } else {
                        T::ZERO
                    };
                    l.set(place(i), j, element);
                }
            }
            for j in 0..n {
                (0..k).for_each(|i| u.set(i, j, if i > j { T::ZERO } else { work.get(i, j) }));
            }
            item.lap(&mut clock, Phase::Compute);
            Ok(item)
        };
        batch::run(job.check_sizes()?, job.plan(count, need), report, item)?.conclude(report).map(|_| ())
    };
    call::<T, ()>(OPERATION, (m, n, count), options, body).map(|((), report)| report)
}

/// Integers that workers write side by side, each those of its own matrix.
struct Shared(*mut i32);
// SAFETY: see above.
unsafe impl Sync for Shared {}

/// What a worker needs to know.
struct Job {
    operation: &'static str,
    m: usize,
    n: usize,
    check: bool,
    interchanges: Slot<i64>,
}

impl Job {
    fn check_sizes(&self) -> Result<&'static lapack_ai_host::Library> {
        let library = library()?;
        library.check_sizes(self.operation, &[self.m, self.n])?;
        Ok(library)
    }

    fn plan(&self, count: usize, need: Need) -> Plan {
        let (m, n, k) = (self.m as f64, self.n as f64, self.m.min(self.n) as f64);
        Plan {
            count,
            seconds_each: rough_seconds(k * (m * n - k * (m + n) / 2.0 + k * k / 3.0).max(0.0) * 2.0 + m * n),
            threshold: f64::MIN_POSITIVE,
            contention: match self.m.min(self.n) {
                0..=23 => Contention::Heavy,
                24..=64 => Contention::Some,
                _ => Contention::None,
            },
            need,
        }
    }

    /// Factorises `a` in the column-major `target`, which may be A itself. True if a pivot is exactly zero.
    fn factorise<T: Scalar>(
        &self,
        a: MatrixView<'_, T>,
        target: &mut MatrixViewMut<'_, T>,
        worker: &Worker,
        item: &mut Item,
        clock: &mut Clock,
    ) -> Result<bool> {
        let ld = target.col_major_lda().expect("lu is column-major");
        let address = target.as_mut_ptr();
        let swept = if std::ptr::eq(address, a.as_ptr()) {
            intake::inspect(a, Part::Full, Want::Finite)
        } else {
            // SAFETY: the target has A's shape.
            unsafe { intake::copy(a, Part::Full, address, ld, Want::Finite) }
        };
        if self.check && !swept.finite {
            return Err(non_finite(self.operation, Argument::at(0, "a"), a, Part::Full));
        }
        item.lap(clock, Phase::Intake);
        worker.library.check_sizes(self.operation, &[ld])?;
        // SAFETY: the drivers' contract; sizes were checked.
        let info = unsafe { worker.library.getrf(self.m, self.n, address, ld, worker.scratch.at(self.interchanges)) };
        if info < 0 { Err(illegal_argument::<T>(self.operation, "getrf", info)) } else { Ok(info > 0) }
    }

    /// The row of A that row i of `L U` is.
    fn permutation(&self, worker: &Worker) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.m).collect();
        for i in 0..self.m.min(self.n) {
            // SAFETY: GETRF wrote min(m, n) interchanges, from 1 to m.
            let row = unsafe { worker.library.read_int_at(worker.scratch.at(self.interchanges), i) } as usize - 1;
            rows.swap(i, row);
        }
        rows
    }
}

/// The warning for factors with a zero pivot.
#[cold]
fn zero_pivot<T: Scalar>(
    operation: &'static str,
    lu: MatrixView<'_, T>,
    matrix: usize,
    listed: &[usize],
    batch: usize,
) -> Error {
    let k = lu.rows().min(lu.cols());
    let index = (0..k).find(|&i| lu.get(i, i) == T::ZERO).unwrap_or(0);
    Error::new(Code::IllConditioned, operation, Detail::ZeroPivot { index, n: k })
        .argument(Argument::at(0, "a"))
        .in_batch(matrix, batch)
        .with_failed(if batch > 1 { listed.to_vec() } else { vec![] })
}
