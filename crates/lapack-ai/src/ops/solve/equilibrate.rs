//! Equilibration: rows and columns brought to the same size before the factorisation.
//!
//! ```text
//!     (R A C) (inv(C) X) = R B,    r_i = 1 / max_j |a_ij|,    c_j = 1 / max_i r_i |a_ij|
//! ```
//!
//! LAPACK's `xGEEQU`, with r and c rounded to powers of two as in `xGEEQUB`, so that scaling makes no rounding errors. Where A
//! is ill-conditioned only because its rows or columns have different units, `R A C` is not (van der Sluis, Numer. Math. 14,
//! 1969: the condition number is then within a factor n of the best that scaling reaches).

use super::{OPERATION, SolveOptions, Structure, solve_into};
use crate::report::Report;
use lapack_ai_core::{BatchView, BatchViewMut, Code, Error, Finding, MatrixView, Result, Scalar};

/// The nearest power of two to `1 / size`; 1 where there is nothing to scale.
fn reciprocal(size: f64) -> f64 {
    if size > 0.0 && size.is_finite() { 2.0_f64.powi(-(size.log2().round() as i32).clamp(-1022, 1022)) } else { 1.0 }
}

/// r and c.
fn scales<T: Scalar>(a: MatrixView<'_, T>) -> (Vec<f64>, Vec<f64>) {
    let n = a.rows();
    let row = |i: usize| (0..n).map(|j| a.get(i, j).modulus()).fold(0.0, f64::max);
    let r: Vec<f64> = (0..n).map(|i| reciprocal(row(i))).collect();
    let column = |j: usize| (0..n).map(|i| r[i] * a.get(i, j).modulus()).fold(0.0, f64::max);
    let c = (0..n).map(|j| reciprocal(column(j))).collect();
    (r, c)
}

/// Solves the scaled systems of a batch of general matrices. X must not be B.
pub(super) fn solve_scaled<T: Scalar>(
    a: &BatchView<'_, T>,
    b: &BatchView<'_, T>,
    x: &BatchViewMut<'_, T>,
    options: SolveOptions,
) -> Result<Report> {
    let (n, nrhs, count) = (a.rows(), b.cols(), b.count());
    let mut report = None;
    for index in 0..count {
        let (a, b) = (a.matrix(index), b.matrix(index));
        let (r, c) = scales(a);
        let scaled: Vec<T> = (0..n * n).map(|k| a.get(k % n, k / n).mul(T::from_real(r[k % n] * c[k / n]))).collect();
        let rhs: Vec<T> = (0..n * nrhs).map(|k| b.get(k % n, k / n).mul(T::from_real(r[k % n]))).collect();
        let inside = "a matrix of n rows fills its memory";
        let scaled = MatrixView::col_major(&scaled, n, n).expect(inside);
        let rhs = MatrixView::col_major(&rhs, n, nrhs).expect(inside);
        // SAFETY: one matrix of the output at a time.
        let mut out = unsafe { x.matrix(index) };
        let mut solution = lapack_ai_core::Matrix::zeros(n, nrhs);
        let plain = SolveOptions { structure: Structure::General, equilibrate: false, ..options };
        let found = solve_into(scaled.into(), &rhs.into(), &mut solution.view_mut().into(), plain)
            .map_err(|error| error.in_batch(index, count))?;
        for j in 0..nrhs {
            (0..n).for_each(|i| out.set(i, j, solution.get(i, j).mul(T::from_real(c[i]))));
        }
        let worse = |known: &Report| known.rcond.unwrap_or(1.0) > found.rcond.unwrap_or(1.0);
        if report.as_ref().is_none_or(worse) {
            report = Some(Report { rcond_matrix: index, ..found });
        }
    }
    Ok(report.unwrap_or_else(|| Report::new(OPERATION, T::DTYPE, n, n, count)))
}

/// Takes over what the scaled solution says of conditioning and doubts.
pub(super) fn adopt(report: &mut Report, scaled: Report) {
    (report.rcond, report.rcond_source, report.rcond_matrix) = (scaled.rcond, scaled.rcond_source, scaled.rcond_matrix);
    (report.structure, report.routine) = (scaled.structure, scaled.routine);
    report.warnings.extend(scaled.warnings);
}

/// Whether rows or columns of different size are among the causes of a warning.
pub(super) fn is_badly_scaled(report: &Report) -> bool {
    let scaled = |finding: &Finding| matches!(finding, Finding::Scale { .. });
    report
        .warnings
        .iter()
        .any(|warning| warning.code() == Code::IllConditioned && warning.findings().iter().any(scaled))
}

/// That a fix was applied by itself.
pub(super) fn note(fix: &str) -> Error {
    Error::text(Code::FixApplied, OPERATION, fix.to_string())
}
