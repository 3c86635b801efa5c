//! Cholesky factorisation, `A = L L^H` or `A = U^H U`, and systems solved with the factor.
//!
//! LAPACK's `xPOTRF`, in the output itself: the triangle read is copied there, factorised in place, and the other triangle
//! set to zero. A row-major A is read as its transpose: the factor U of `conj(A)` in column-major order is the factor L of
//! A in row-major order, so nothing is conjugated.

use super::substitution::{Given, substitute};
use super::{
    CallOptions, Operand, assert_output, blank_failed, call, illegal_argument, non_finite, require_square,
    rough_seconds,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::diagnostics::{self, Stopped, Triangle, Triangles};
use crate::intake::{self, Part, Swept, Want, is_flipped};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::Need;
use lapack_ai_core::{Argument, BatchView, BatchViewMut, Code, Detail, Error, Matrix, MatrixView, Result, Scalar};

const OPERATION: &str = "cholesky";
const FACTOR: &str = "cho_factor";

/// Cholesky factor of a Hermitian positive definite n x n matrix: L with `A = L L^H`, reading the lower triangle, or with
/// `upper` U with `A = U^H U`, reading the upper. The other triangle of the result is zero.
///
/// # Errors
/// `LAP-E001` for NaN or Inf in the triangle read; `LAP-E003` if A is not square; `LAP-E011` with the first leading minor
/// that is not positive; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, cholesky};
/// let a = MatrixView::row_major(&[4.0, 2.0, 2.0, 5.0], 2, 2).unwrap();
/// let (l, _report) = cholesky(a, false, CallOptions::default())?;
/// assert_eq!((l.get(0, 0), l.get(1, 0), l.get(0, 1), l.get(1, 1)), (2.0, 1.0, 0.0, 2.0));
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.1.
pub fn cholesky<T: Scalar>(a: MatrixView<'_, T>, upper: bool, options: CallOptions) -> Result<(Matrix<T>, Report)> {
    let (rows, cols) = (a.rows(), a.cols());
    let zeros = if is_flipped(a.layout()) { Matrix::zeros_row_major } else { Matrix::zeros };
    let mut factor = zeros(rows, cols);
    let report = cholesky_into(a.into(), &mut factor.view_mut().into(), upper, options)?;
    Ok((factor, report))
}

/// As [`cholesky`], for a batch, into memory of the caller: row-major if A is row-major or strided, column-major if A is
/// column-major. It may be the memory of an overwritable A, and then nothing is copied.
///
/// # Panics
/// If `factor` does not have the batch, shape or order stated.
///
/// # Errors
/// As [`cholesky`]; the error lists every matrix that failed.
#[inline]
pub fn cholesky_into<T: Scalar>(
    a: Operand<'_, T>,
    factor: &mut BatchViewMut<'_, T>,
    upper: bool,
    options: CallOptions,
) -> Result<Report> {
    factorise(OPERATION, &a, factor, upper, options)
}

/// [`cholesky_into`] under SciPy's name: errors and report call it `cho_factor`.
///
/// # Panics
/// As [`cholesky_into`].
///
/// # Errors
/// As [`cholesky`]; the error lists every matrix that failed.
pub fn cho_factor_into<T: Scalar>(
    a: Operand<'_, T>,
    factor: &mut BatchViewMut<'_, T>,
    lower: bool,
    options: CallOptions,
) -> Result<Report> {
    factorise(FACTOR, &a, factor, !lower, options)
}

/// Solves `A X = B` from the Cholesky factor of A in one triangle of `c`: L with `lower`, else U. The other is not read.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E002`, `LAP-E003` for shapes; `LAP-E010` if an element of the factor's
/// diagonal is zero, with its place; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, cho_solve, cholesky};
/// let a = MatrixView::row_major(&[4.0, 2.0, 2.0, 5.0], 2, 2).unwrap();
/// let b = MatrixView::col_major(&[6.0, 7.0], 2, 1).unwrap();
/// let (l, _report) = cholesky(a, false, CallOptions::default())?;
/// let (x, _report) = cho_solve(l.view(), true, b, CallOptions::default())?;
/// assert_eq!(x.as_slice(), [1.0, 1.0]);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.1.
pub fn cho_solve<T: Scalar>(
    c: MatrixView<'_, T>,
    lower: bool,
    b: MatrixView<'_, T>,
    options: CallOptions,
) -> Result<(Matrix<T>, Report)> {
    let mut x = Matrix::zeros(b.rows(), b.cols());
    let report = cho_solve_into(&c.into(), lower, &b.into(), &mut x.view_mut().into(), options)?;
    Ok((x, report))
}

/// As [`cho_solve`], for a batch, into memory of the caller. `x` is column-major and has B's batch and shape; the factor may
/// have fewer batch dimensions or extents of 1, which are repeated. X may be B itself.
///
/// # Panics
/// If `x` does not have the shape or order stated.
///
/// # Errors
/// As [`cho_solve`]; the error lists every matrix that failed.
pub fn cho_solve_into<T: Scalar>(
    c: &BatchView<'_, T>,
    lower: bool,
    b: &BatchView<'_, T>,
    x: &mut BatchViewMut<'_, T>,
    options: CallOptions,
) -> Result<Report> {
    substitute("cho_solve", "c", c, Given::Cholesky { lower }, b, x, options)
}

#[inline]
fn factorise<T: Scalar>(
    operation: &'static str,
    a: &Operand<'_, T>,
    factor: &BatchViewMut<'_, T>,
    upper: bool,
    options: CallOptions,
) -> Result<Report> {
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| run(operation, a, factor, upper, options, report, timed);
    call::<T, ()>(operation, (rows, cols, count), options, body).map(|((), report)| report)
}

fn run<T: Scalar>(
    operation: &'static str,
    a: &Operand<'_, T>,
    factor: &BatchViewMut<'_, T>,
    upper: bool,
    options: CallOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let n = require_square(operation, &a.view)?;
    let library = library()?;
    let count = a.view.count();
    assert_output("factor", factor, count, n, n);
    report.routine = "potrf";
    if n == 0 || count == 0 {
        return Ok(());
    }
    library.check_sizes(operation, &[n])?;
    let flipped = is_flipped(a.view.layout());
    let read = if upper { Part::Upper } else { Part::Lower };
    let part = if flipped { read.transposed() } else { read };
    // SAFETY: only the address is looked at.
    let in_place = a.overwritable && std::ptr::eq(unsafe { factor.matrix(0) }.as_mut_ptr(), a.view.matrix(0).as_ptr());
    if !in_place {
        report.count_copy(n * n * count);
    }
    let job = Job { operation, n, flipped, read, part, check: options.check_finite, timed };
    let plan = Plan {
        count,
        seconds_each: rough_seconds((n as f64).powi(3) / 3.0),
        threshold: 0.0,
        contention: match n {
            0..=31 => Contention::Heavy,
            32..=64 => Contention::Some,
            _ => Contention::None,
        },
        need: Need::default(),
    };
    let item = |worker: &Worker, index| job.one(a.view.matrix(index), factor, index, worker);
    batch::run(library, plan, report, item)?.conclude_or_go_on(report)?;
    blank_failed(factor, report);
    if !in_place {
        let lower = read == Part::Lower;
        // Who asks for the other triangle than the default one has chosen it.
        let chosen = upper == (operation != FACTOR);
        let triangles =
            if chosen { Triangles::Chosen { lower } } else { Triangles::Mirrored { lower, hermitian: true } };
        diagnostics::warn_of_asymmetry(Argument::at(0, "a"), &a.view, triangles, report);
    }
    Ok(())
}

/// What a worker needs to know.
struct Job {
    operation: &'static str,
    n: usize,
    flipped: bool,
    read: Part,
    part: Part,
    check: bool,
    timed: bool,
}

impl Job {
    #[inline]
    fn one<T: Scalar>(
        &self,
        a: MatrixView<'_, T>,
        factor: &BatchViewMut<'_, T>,
        index: usize,
        worker: &Worker,
    ) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let n = self.n;
        let stored = if self.flipped { a.transposed() } else { a };
        // SAFETY: each matrix of the output is taken once, by this call.
        let factor = unsafe { factor.matrix(index) };
        let mut factor = if self.flipped { factor.transposed() } else { factor };
        let ld = factor.col_major_lda().expect("the factor has the order of a (row-major for strided a)");
        let address = factor.as_mut_ptr();
        let swept = if std::ptr::eq(address, stored.as_ptr()) {
            if self.check {
                intake::inspect(stored, self.part, Want::Finite)
            } else {
                Swept { norm1: 0.0, finite: true }
            }
        } else {
            // SAFETY: the factor holds n x n elements.
            unsafe { intake::copy(stored, self.part, address, ld, Want::Finite) }
        };
        if self.check && !swept.finite {
            return Err(non_finite(self.operation, Argument::at(0, "a"), a, self.read));
        }
        item.lap(&mut clock, Phase::Intake);
        // SAFETY: the drivers' contract; sizes were checked.
        let info = unsafe { worker.library.potrf(self.part.uplo(), n, address, ld) };
        if info != 0 {
            let intact = (!std::ptr::eq(address, stored.as_ptr())).then_some(a);
            let error = failure::<T>(self.operation, info, n);
            // SAFETY: POTRF has written the factor up to the minor that failed.
            let factor = unsafe { Triangle::new(address, ld) };
            let (upper, order) = (self.part == Part::Upper, info.max(1) as usize);
            let stopped = Stopped { factor, upper, flipped: self.flipped, order };
            return Err(diagnostics::not_positive(error, intact, self.read, Some(stopped)));
        }
        for column in 0..n {
            let rows = if self.part == Part::Lower { 0..column } else { column + 1..n };
            // SAFETY: the rows of the other triangle of this column.
            unsafe { std::slice::from_raw_parts_mut(address.add(column * ld + rows.start), rows.len()) }.fill(T::ZERO);
        }
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }
}

#[cold]
fn failure<T: Scalar>(operation: &'static str, info: i64, n: usize) -> Error {
    if info < 0 {
        return illegal_argument::<T>(operation, "potrf", info);
    }
    Error::new(Code::NotPositiveDefinite, operation, Detail::NotPositiveMinor { order: info as usize, n })
        .argument(Argument::at(0, "a"))
        .from_routine(format!("{}potrf", T::DTYPE.prefix()), info)
}
