//! What is known about A, and finding it out.
//!
//! With lower bandwidth kl and upper bandwidth ku, the largest i - j and j - i of an element that is not zero:
//!
//! | found | taken for |
//! |---|---|
//! | kl = ku = 0 | diagonal |
//! | kl = 0; ku = 0 | upper; lower triangular |
//! | kl, ku <= 1 | tridiagonal |
//! | 2 kl + ku + 1 <= n / 2 | banded |
//! | A = A^H, diagonal positive | positive definite, until Cholesky's factorisation says otherwise |
//! | A = A^H; A = A^T | Hermitian; symmetric |
//! | else | general |
//!
//! Equality is exact. A dense matrix without symmetry is known for one after O(n) comparisons; what costs O(n^2) saves
//! O(n^3). A NaN or Inf counts as not zero and equals nothing.

use lapack_ai_core::{MatrixView, Scalar};

/// What is known about A.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Structure {
    /// Nothing: it is found out, for each matrix of a batch. Up to order 8 all are taken for general.
    #[default]
    Auto,
    /// Nothing, and nothing is looked for.
    General,
    /// `A = A^T`, real or complex; only the triangle that `lower` names is read.
    Symmetric,
    /// `A = A^H`; only one triangle is read.
    Hermitian,
    /// `A = A^H` with positive eigenvalues; only one triangle is read.
    PositiveDefinite,
    /// Zero below the diagonal; what lies there is not read.
    UpperTriangular,
    /// Zero above the diagonal; what lies there is not read.
    LowerTriangular,
    /// Zero off the diagonal; what lies there is not read.
    Diagonal,
    /// Zero off the diagonal and the two beside it; what lies there is not read.
    Tridiagonal,
    /// Zero but for a few diagonals, which are found.
    Banded,
}

impl Structure {
    /// The structure of the transpose.
    pub fn transposed(self) -> Self {
        match self {
            Structure::UpperTriangular => Structure::LowerTriangular,
            Structure::LowerTriangular => Structure::UpperTriangular,
            same => same,
        }
    }

    /// SciPy's long name.
    pub fn name(self) -> &'static str {
        match self {
            Structure::Auto => "auto",
            Structure::General => "general",
            Structure::Symmetric => "symmetric",
            Structure::Hermitian => "hermitian",
            Structure::PositiveDefinite => "positive definite",
            Structure::UpperTriangular => "upper triangular",
            Structure::LowerTriangular => "lower triangular",
            Structure::Diagonal => "diagonal",
            Structure::Tridiagonal => "tridiagonal",
            Structure::Banded => "banded",
        }
    }
}

/// Rows of one column; `stored` is read column by column, so it should be column-major.
struct Columns<'a, T>(MatrixView<'a, T>);

impl<T: Scalar> Columns<'_, T> {
    /// First row of `range` in column j whose element is not zero.
    #[inline]
    fn first(&self, j: usize, range: std::ops::Range<usize>) -> Option<usize> {
        let from = range.start;
        match self.slice(j) {
            Some(column) => column[range].iter().position(|&x| x != T::ZERO).map(|found| from + found),
            None => range.into_iter().find(|&i| self.0.get(i, j) != T::ZERO),
        }
    }

    /// Last row of `range` in column j whose element is not zero.
    #[inline]
    fn last(&self, j: usize, range: std::ops::Range<usize>) -> Option<usize> {
        let from = range.start;
        match self.slice(j) {
            Some(column) => column[range].iter().rposition(|&x| x != T::ZERO).map(|found| from + found),
            None => range.into_iter().rev().find(|&i| self.0.get(i, j) != T::ZERO),
        }
    }

    #[inline]
    fn slice(&self, j: usize) -> Option<&[T]> {
        let column = self.0.as_ptr().wrapping_offset(j as isize * self.0.col_stride());
        // SAFETY: the column's elements follow each other and belong to the view.
        (self.0.row_stride() == 1).then(|| unsafe { std::slice::from_raw_parts(column, self.0.rows()) })
    }
}

/// Lower and upper bandwidth of a square matrix; best read column by column.
pub(super) fn bandwidths<T: Scalar>(stored: MatrixView<'_, T>) -> (usize, usize) {
    let (n, columns) = (stored.rows(), Columns(stored));
    let (mut kl, mut ku) = (0, 0);
    for j in 0..n {
        if let Some(i) = columns.last(j, (j + kl + 1).min(n)..n) {
            kl = i - j;
        }
        if let Some(i) = columns.first(j, 0..j.saturating_sub(ku)) {
            ku = j - i;
        }
    }
    (kl, ku)
}

/// Whether a band is worth its own factorisation: it then takes at most half of the matrix's place.
pub(super) fn is_narrow(n: usize, kl: usize, ku: usize) -> bool {
    2 * kl + ku < n / 2
}

/// Edge of the tiles in which an element meets its mirror image.
const TILE: usize = 32;

/// Whether `a_ij = mirror(a_ji)` for all i > j.
fn is_mirrored<T: Scalar>(a: MatrixView<'_, T>, mirror: impl Fn(T) -> T) -> bool {
    let n = a.rows();
    // A matrix without symmetry mostly ends here.
    if a.get(0, n - 1) != mirror(a.get(n - 1, 0)) {
        return false;
    }
    let (rows, cols) = (a.row_stride(), a.col_stride());
    // SAFETY: only called with i, j < n.
    let at = |i: usize, j: usize| unsafe { *a.as_ptr().offset(i as isize * rows + j as isize * cols) };
    let tiles = n.div_ceil(TILE);
    (0..tiles).all(|column| {
        (column..tiles).all(|row| {
            (column * TILE..n.min((column + 1) * TILE)).all(|j| {
                let below = (row * TILE).max(j + 1)..n.min((row + 1) * TILE);
                below.into_iter().all(|i| at(i, j) == mirror(at(j, i)))
            })
        })
    })
}

/// The strongest structure of `stored`, as it lies in memory (column-major), and its bandwidths if it is banded.
pub(super) fn detect<T: Scalar>(stored: MatrixView<'_, T>) -> (Structure, usize, usize) {
    let n = stored.rows();
    let (kl, ku) = bandwidths(stored);
    let structure = match (kl, ku) {
        (0, 0) => Structure::Diagonal,
        (0, _) => Structure::UpperTriangular,
        (_, 0) => Structure::LowerTriangular,
        (1, 1) if n > 3 => Structure::Tridiagonal,
        _ if is_narrow(n, kl, ku) => Structure::Banded,
        _ => of_dense(stored),
    };
    (structure, kl, ku)
}

fn of_dense<T: Scalar>(stored: MatrixView<'_, T>) -> Structure {
    let diagonal = || (0..stored.rows()).map(|i| stored.get(i, i));
    let is_real = |x: T| x == x.conj();
    if is_mirrored(stored, T::conj) && diagonal().all(is_real) {
        if diagonal().all(|x| x.re_f64() > 0.0) {
            Structure::PositiveDefinite
        } else if T::DTYPE.is_complex() {
            Structure::Hermitian
        } else {
            Structure::Symmetric
        }
    } else if T::DTYPE.is_complex() && is_mirrored(stored, |x| x) {
        Structure::Symmetric
    } else {
        Structure::General
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapack_ai_core::Complex64;

    fn of(n: usize, element: impl Fn(usize, usize) -> f64) -> (Structure, usize, usize) {
        let data: Vec<f64> = (0..n * n).map(|k| element(k % n, k / n)).collect();
        let found = detect(MatrixView::col_major(&data, n, n).unwrap());
        // The transpose, which is read against the grain, must be found out too.
        let (structure, kl, ku) = detect(MatrixView::row_major(&data, n, n).unwrap());
        assert_eq!(found, (structure.transposed(), ku, kl));
        found
    }

    fn dense(i: usize, j: usize) -> f64 {
        1.0 + (3 * i + 5 * j) as f64 % 7.0
    }

    #[test]
    fn zeros_tell_diagonal_triangular_tridiagonal_and_banded_matrices() {
        let kept = |keep: bool, i, j| if keep { dense(i, j) } else { 0.0 };
        assert_eq!(of(70, |i, j| kept(i == j, i, j)).0, Structure::Diagonal);
        assert_eq!(of(70, |i, j| kept(i <= j, i, j)).0, Structure::UpperTriangular);
        assert_eq!(of(70, |i, j| kept(i >= j, i, j)).0, Structure::LowerTriangular);
        assert_eq!(of(70, |i, j| kept(i.abs_diff(j) <= 1, i, j)).0, Structure::Tridiagonal);
        assert_eq!(of(70, |i, j| kept(i <= j + 5 && j <= i + 3, i, j)), (Structure::Banded, 5, 3));
        assert_eq!(of(70, |i, j| kept(i <= j + 40 && j <= i + 3, i, j)).0, Structure::General);
        assert_eq!(of(70, |_, _| 0.0).0, Structure::Diagonal);
    }

    #[test]
    fn one_element_off_decides_wherever_it_is() {
        let symmetric = |i: usize, j: usize| dense(i.max(j), i.min(j));
        assert_eq!(of(70, symmetric).0, Structure::PositiveDefinite);
        for (p, q) in [(69, 0), (1, 0), (40, 35), (69, 68)] {
            let off = of(70, |i, j| if (i, j) == (p, q) { -1.0 } else { symmetric(i, j) });
            assert_eq!(off.0, Structure::General, "{p}, {q}");
            let below = of(70, |i, j| if i <= j || (i, j) == (p, q) { 1.0 } else { 0.0 });
            assert_ne!(below.0, Structure::UpperTriangular, "{p}, {q}");
        }
        assert_eq!(of(70, |i, j| if i == j && i == 31 { 0.0 } else { symmetric(i, j) }).0, Structure::Symmetric);
    }

    #[test]
    fn a_nan_is_neither_zero_nor_its_own_mirror_image() {
        let nan = of(70, |i, j| {
            if (i, j) == (60, 2) {
                f64::NAN
            } else if i == j {
                1.0
            } else {
                0.0
            }
        });
        assert_eq!((nan.0, nan.1), (Structure::LowerTriangular, 58));
        assert_eq!(of(70, |i, j| if i == j { f64::NAN } else { 1.0 }).0, Structure::General);
    }

    #[test]
    fn complex_symmetric_is_not_hermitian() {
        let of = |element: &dyn Fn(usize, usize) -> Complex64| {
            let data: Vec<Complex64> = (0..900).map(|k| element(k % 30, k / 30)).collect();
            detect(MatrixView::col_major(&data, 30, 30).unwrap()).0
        };
        let z = |i: usize, j: usize| Complex64::new(dense(i.max(j), i.min(j)), dense(i.min(j), i.max(j)));
        assert_eq!(of(&z), Structure::Symmetric);
        let hermitian = |i: usize, j: usize| match i.cmp(&j) {
            std::cmp::Ordering::Less => z(i, j),
            std::cmp::Ordering::Equal => Complex64::from(-1.0),
            std::cmp::Ordering::Greater => z(i, j).conj(),
        };
        assert_eq!(of(&hermitian), Structure::Hermitian);
    }
}
