//! Linear systems, `A X = B`.
//!
//! | structure | factorisation | routines |
//! |---|---|---|
//! | general, n <= 8 | `A = P L U Q`, complete pivoting | `xGETC2` |
//! | general | `A = P L U`, partial pivoting | `xGETRF`, `xGETRS` |
//! | symmetric, Hermitian | `A = U D U^T`, Bunch-Kaufman | `xSYTRF`/`xHETRF`, `xSYTRS`/`xHETRS` |
//! | positive definite | `A = U^H U`, Cholesky | `xPOTRF`, `xPOTRS` |
//! | triangular | none | `xTRTRS` |
//! | diagonal | none | - |
//! | tridiagonal | `A = L U` of the three diagonals | `xGTTRF`, `xGTTRS` |
//! | banded | `A = P L U` of the band | `xGBTRF`, `xGBTRS` |
//! | general, mixed precision | as above in single precision, `x := x + inv(LU) (b - A x)` in double | `DSGESV`, `ZCGESV` |
//! | positive definite, mixed precision | likewise | `DSPOSV`, `ZCPOSV` |
//!
//! What A is can be said, or found out: `structure.rs`.
//!
//! Very small systems take complete pivoting: it costs the same there, is the more stable of the two, and `xGETC2` is
//! the one LU in OpenBLAS that takes no lock, without which a batch of them gains from a second core instead of losing.
//! Where it finds a pivot below the rounding level, partial pivoting decides whether the matrix is singular.
//!
//! A row-major A is factorised as its transpose, and the transposed system solved. How well A is conditioned is known
//! after every solve; `conditioning.rs` says how.

use super::{
    CallOptions, Operand, assert_output, blank_failed, call, illegal_argument, non_finite, require_square,
    rough_seconds, shape_mismatch,
};
use crate::batch::{self, Plan, Worker};
use crate::conditioning::{threshold, warn_of};
use crate::diagnostics::{self, Triangles};
use crate::intake::{Part, is_flipped};
use crate::provider::library;
use crate::report::Report;
use lapack_ai_core::{
    Applicability, Argument, BatchView, BatchViewMut, Code, DType, Detail, Error, Matrix, MatrixView, Result, Scalar,
};

mod bands;
mod engine;
mod equilibrate;
mod methods;
mod structure;

pub use structure::Structure;

pub(super) const OPERATION: &str = "solve";

/// Options of [`solve`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SolveOptions {
    /// What is known about A.
    pub structure: Structure,
    /// Factorise in single precision and refine in double, where A is general or positive definite: faster for large A
    /// that are well-conditioned. The result is as accurate as one in double precision; where refinement does not
    /// converge, everything is computed in double precision. Needs double precision input.
    pub mixed_precision: bool,
    /// For symmetric, Hermitian and positive definite A: read the lower triangle instead of the upper.
    pub lower: bool,
    /// Bring rows and columns of a general A to the same size first: for systems whose equations or unknowns have quite
    /// different units. The conditioning reported is that of the scaled matrix.
    pub equilibrate: bool,
    /// What every operation can be told.
    pub call: CallOptions,
}

/// Solution of [`solve`].
#[derive(Clone, Debug)]
pub struct Solution<T: Scalar> {
    /// X, n x nrhs, column-major.
    pub x: Matrix<T>,
    /// What the call did; `rcond` is set, and a warning is there if no digit of X is certain.
    pub report: Report,
}

/// Solves `A X = B` for one A (n x n) and any number of right-hand sides (n x nrhs).
///
/// The result solves `(A + E) X = B` with `norm(E)` a small multiple of `n eps norm(A)`. If A is singular to working
/// precision (`rcond < eps`) the report carries the warning `LAP-W001`.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E002`, `LAP-E003` for shapes; `LAP-E010` if A is exactly singular, with
/// the pivot; `LAP-E011` if it is not positive definite though said to be; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{MatrixView, SolveOptions, solve};
/// let a = MatrixView::row_major(&[2.0_f64, 1.0, 1.0, 3.0], 2, 2).unwrap();
/// let b = MatrixView::col_major(&[3.0, 4.0], 2, 1).unwrap();
/// let solution = solve(a, b, SolveOptions::default())?;
/// assert!((solution.x.get(0, 0) - 1.0).abs() < 1e-15);
/// assert!(solution.report.rcond.unwrap() > 0.1);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.3.1.
pub fn solve<T: Scalar>(a: MatrixView<'_, T>, b: MatrixView<'_, T>, options: SolveOptions) -> Result<Solution<T>> {
    let mut x = Matrix::zeros(b.rows(), b.cols());
    let report = solve_into(a.into(), &b.into(), &mut x.view_mut().into(), options)?;
    Ok(Solution { x, report })
}

/// As [`solve`], for a batch, into memory of the caller. `x` is column-major and has B's batch and shape; A may have
/// fewer batch dimensions or extents of 1, which are repeated. X may be B itself.
///
/// # Panics
/// If `x` does not have the shape or order stated.
///
/// # Errors
/// As [`solve`]; the error lists every matrix that failed.
#[inline]
pub fn solve_into<T: Scalar>(
    a: Operand<'_, T>,
    b: &BatchView<'_, T>,
    x: &mut BatchViewMut<'_, T>,
    options: SolveOptions,
) -> Result<Report> {
    let x = &*x;
    let (n, count) = (a.view.rows(), b.count());
    let body = |report: &mut Report, timed| run(&a, b, x, options, report, timed);
    call::<T, ()>(OPERATION, (n, a.view.cols(), count), options.call, body).map(|((), report)| report)
}

#[inline]
fn run<T: Scalar>(
    a: &Operand<'_, T>,
    b: &BatchView<'_, T>,
    x: &BatchViewMut<'_, T>,
    options: SolveOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let n = require_square(OPERATION, &a.view)?;
    // X in the memory of B leaves nothing to start again from.
    // SAFETY: only the address is looked at.
    let apart = x.count() == 0 || !std::ptr::eq(unsafe { x.matrix(0) }.as_mut_ptr(), b.as_ptr());
    if b.rows() != n {
        return Err(rows_differ(n, b.rows(), b.cols()));
    }
    assert_output("x", x, b.count(), n, b.cols());
    report.inner = b.cols();
    let widened;
    let matrices = if a.view.batch_shape() == b.batch_shape() {
        &a.view
    } else {
        widened = a
            .view
            .broadcast_to(b.batch_shape())
            .ok_or_else(|| batches_differ(a.view.batch_shape(), b.batch_shape()))?;
        &widened
    };
    if options.mixed_precision && !T::DTYPE.is_double() {
        return Err(not_double(T::DTYPE));
    }
    let library = library()?;
    let count = b.count();
    if n == 0 || count == 0 {
        return Ok(());
    }
    if options.equilibrate {
        if !apart {
            return Err(no_room_to_scale());
        }
        equilibrate::adopt(report, equilibrate::solve_scaled(matrices, b, x, options)?);
        return Ok(());
    }
    let flipped = is_flipped(a.view.layout());
    // A repeated matrix serves several systems, so it must survive the first.
    let overwrite = a.overwritable && a.view.count() == count;
    let engine = engine::Engine::new(library, options, n, b.cols(), flipped, overwrite, &a.view, timed)?;
    (report.structure, report.routine) = engine.planned();
    if engine.copies() {
        report.count_copy(n * n * count);
    }
    let plan = Plan {
        count,
        seconds_each: rough_seconds(engine.flops()),
        threshold: threshold::<T>(),
        contention: engine.contention(),
        need: engine.need(),
    };
    let item = |worker: &Worker, index| engine.one(matrices.matrix(index), b.matrix(index), x, index, worker);
    let outcome = batch::run(library, plan, report, item)?.conclude_or_go_on(report)?;
    warn_of::<T>(&outcome, Argument::at(0, "a"), report);
    blank_failed(x, report);
    if matches!(options.structure, Structure::Symmetric | Structure::Hermitian | Structure::PositiveDefinite)
        && !overwrite
    {
        let (lower, hermitian) = (options.lower, options.structure != Structure::Symmetric);
        let triangles = if lower { Triangles::Chosen { lower } } else { Triangles::Mirrored { lower, hermitian } };
        diagnostics::warn_of_asymmetry(Argument::at(0, "a"), matrices, triangles, report);
    }
    if options.call.autofix {
        apply_safe_fixes(matrices, b, x, options, report, apart && !overwrite)?;
    }
    Ok(())
}

/// What autofix does after a solution: says that a matrix said to be positive definite was not, and equilibrates where
/// scale spoils the conditioning and scaling mends it.
#[cold]
fn apply_safe_fixes<T: Scalar>(
    a: &BatchView<'_, T>,
    b: &BatchView<'_, T>,
    x: &BatchViewMut<'_, T>,
    options: SolveOptions,
    report: &mut Report,
    intact: bool,
) -> Result<()> {
    if options.structure == Structure::PositiveDefinite && report.routine != "potrf" {
        report.warnings.push(equilibrate::note("a is not positive definite, so assume_a='sym' was used"));
    }
    let general = matches!(options.structure, Structure::Auto | Structure::General);
    if intact && general && equilibrate::is_badly_scaled(report) {
        let scaled = equilibrate::solve_scaled(
            a,
            b,
            x,
            SolveOptions { call: CallOptions { autofix: false, ..options.call }, ..options },
        )?;
        report.warnings.clear();
        equilibrate::adopt(report, scaled);
        report.warnings.push(equilibrate::note("rows or columns differ in size, so equilibrate=True was used"));
    }
    Ok(())
}

#[cold]
fn no_room_to_scale() -> Error {
    Error::text(Code::BadOption, OPERATION, "equilibrate=True needs b's memory left alone")
        .because("the scaled right-hand side and the solution are kept apart")
        .fix(Applicability::Safe, "leave overwrite_b out.")
}

#[cold]
fn not_double(dtype: DType) -> Error {
    let text = format!("mixed precision refines to double precision, but a is {}", dtype.name());
    Error::text(Code::BadOption, OPERATION, text)
        .because("single precision is already what the factorisation would use")
        .fix(Applicability::Safe, "leave mixed_precision out, or convert a to float64 or complex128.")
}

#[cold]
fn rows_differ(n: usize, rows: usize, cols: usize) -> Error {
    let text = format!("a is {n} x {n}, so b needs {n} rows; it is {rows} x {cols}");
    shape_mismatch(OPERATION, Argument::at(1, "b"), text)
}

#[cold]
fn batches_differ(a: &[usize], b: &[usize]) -> Error {
    let text = format!("the leading dimensions {a:?} of a and {b:?} of b do not fit together");
    shape_mismatch(OPERATION, Argument::at(1, "b"), text)
}

/// The error for INFO of a factorisation of A.
#[cold]
fn failure<T: Scalar>(structure: Structure, routine: &str, info: i64, n: usize) -> Error {
    if info < 0 {
        return illegal_argument::<T>(OPERATION, routine, info);
    }
    let (code, detail) = if structure == Structure::PositiveDefinite {
        (Code::NotPositiveDefinite, Detail::NotPositiveMinor { order: info as usize, n })
    } else {
        (Code::Singular, Detail::ZeroPivot { index: info as usize - 1, n })
    };
    let error = Error::new(code, OPERATION, detail).argument(Argument::at(0, "a"));
    // A diagonal system is solved without a routine.
    if routine.is_empty() { error } else { error.from_routine(format!("{}{routine}", T::DTYPE.prefix()), info) }
}

/// The error for a NaN or Inf in A.
#[cold]
fn bad_a<T: Scalar>(a: MatrixView<'_, T>, part: Part) -> Error {
    non_finite(OPERATION, Argument::at(0, "a"), a, part)
}

/// The error for a NaN or Inf in B.
#[cold]
fn bad_b<T: Scalar>(b: MatrixView<'_, T>) -> Error {
    non_finite(OPERATION, Argument::at(1, "b"), b, Part::Full)
}
