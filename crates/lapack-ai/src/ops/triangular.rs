//! Triangular systems, `op(A) X = B`, by LAPACK's `xTRTRS`; see `substitution` for how the matrix is read.

use super::CallOptions;
use super::substitution::{Given, Transpose, substitute};
use crate::report::Report;
use lapack_ai_core::{BatchView, BatchViewMut, Matrix, MatrixView, Result, Scalar};

/// Options of [`solve_triangular`].
#[derive(Clone, Copy, Debug, Default)]
pub struct TriangularOptions {
    /// A is lower triangular, not upper.
    pub lower: bool,
    /// The diagonal of A is one; what lies there is not read.
    pub unit_diagonal: bool,
    /// The form of A.
    pub transpose: Transpose,
    /// What every operation can be told.
    pub call: CallOptions,
}

/// Solves `A X = B` (or with A transposed) for triangular A, n x n, by substitution. The other triangle is not read.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E002`, `LAP-E003` for shapes; `LAP-E010` if an element of the diagonal
/// is zero, with its place; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{MatrixView, TriangularOptions, solve_triangular};
/// let a = MatrixView::row_major(&[2.0, 1.0, 0.0, 4.0], 2, 2).unwrap();
/// let b = MatrixView::col_major(&[4.0, 8.0], 2, 1).unwrap();
/// let (x, _report) = solve_triangular(a, b, TriangularOptions::default())?;
/// assert_eq!(x.as_slice(), [1.0, 2.0]);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: Higham, Accuracy and Stability of Numerical Algorithms, chapter 8.
pub fn solve_triangular<T: Scalar>(
    a: MatrixView<'_, T>,
    b: MatrixView<'_, T>,
    options: TriangularOptions,
) -> Result<(Matrix<T>, Report)> {
    let mut x = Matrix::zeros(b.rows(), b.cols());
    let report = solve_triangular_into(&a.into(), &b.into(), &mut x.view_mut().into(), options)?;
    Ok((x, report))
}

/// As [`solve_triangular`], for a batch, into memory of the caller. `x` is column-major and has B's batch and shape; A may
/// have fewer batch dimensions or extents of 1, which are repeated. X may be B itself.
///
/// # Panics
/// If `x` does not have the shape or order stated.
///
/// # Errors
/// As [`solve_triangular`]; the error lists every matrix that failed.
pub fn solve_triangular_into<T: Scalar>(
    a: &BatchView<'_, T>,
    b: &BatchView<'_, T>,
    x: &mut BatchViewMut<'_, T>,
    options: TriangularOptions,
) -> Result<Report> {
    let TriangularOptions { lower, unit_diagonal, transpose, call } = options;
    substitute("solve_triangular", "a", a, Given::Triangular { lower, unit_diagonal, transpose }, b, x, call)
}
