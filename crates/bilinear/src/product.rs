//! One 4 x 4 product in BLAS form, by the algorithm that the caller names.

use crate::generated::alphatensor_mod_2;
use crate::small::{self, Element};
use std::fmt;

/// How one 4 x 4 product is computed. Errors are those of [`Algorithm::error_bound`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Row times column, 64 products.
    Classical,
    /// Strassen's scheme for 2 x 2 matrices, squared: 49 products.
    Strassen,
    /// Winograd's variant of it, squared: 49 products.
    Winograd,
    /// AlphaTensor's scheme: 49 products.
    AlphaTensor,
    /// An accurate scheme with halves: 48 products.
    Rank48,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Classical, Self::Strassen, Self::Winograd, Self::AlphaTensor, Self::Rank48];

    /// The name under which users ask for it, that of its scheme in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classical => "classical",
            Self::Strassen => "strassen",
            Self::Winograd => "winograd",
            Self::AlphaTensor => "alphatensor",
            Self::Rank48 => "rank48",
        }
    }

    /// The algorithm of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Largest error of an element of A B in units of `(eps / 2) max|A| max|B|`, to first order, eps the distance from 1 to the
    /// next number of the type. [`crate::Program::error_bound`] of its program.
    pub fn error_bound(self) -> f64 {
        match self {
            Self::Classical => 12.0,
            Self::Strassen => 830.0,
            Self::Winograd => 2551.0,
            Self::AlphaTensor => 2461.0,
            Self::Rank48 => 1251.5,
        }
    }
}

/// A slice that ends before the matrix does, or a leading dimension below the number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLayout {
    /// The matrix: 'A', 'B' or 'C'.
    pub matrix: char,
    /// Its rows as it is stored.
    pub rows: usize,
    /// Its columns as it is stored.
    pub cols: usize,
    /// Its leading dimension.
    pub ld: usize,
    /// Elements of its slice.
    pub len: usize,
    /// Elements that the slice needs.
    pub needed: usize,
}

impl fmt::Display for BadLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { matrix, rows, cols, ld, len, needed } = self;
        match *ld < (*rows).max(1) {
            true => write!(f, "{matrix} has leading dimension {ld}; give {} or more", (*rows).max(1)),
            false => {
                write!(f, "{matrix} has {len} elements; {rows} x {cols} with leading dimension {ld} needs {needed}")
            }
        }
    }
}

impl std::error::Error for BadLayout {}

/// `C = alpha op(A) op(B) + beta C` for 4 x 4 matrices: [`small::gemm`] with that shape.
///
/// # Errors
/// [`BadLayout`], before anything is written.
pub fn gemm_4x4<T: Element>(
    algorithm: Algorithm,
    transpose: [bool; 2],
    alpha: T,
    a: (&[T], usize),
    b: (&[T], usize),
    beta: T,
    c: (&mut [T], usize),
) -> Result<(), BadLayout> {
    small::gemm(algorithm, transpose, [4; 3], alpha, a, b, beta, c)
}

/// 64 products of 4 x 4 matrices modulo 2 with 47 multiplications each, by AlphaTensor's scheme: bit t of the 16 words of `a`,
/// row by row, is an element of the t-th matrix.
pub fn product_modulo_2(a: &[u64; 16], b: &[u64; 16]) -> [u64; 16] {
    let mut c = [0; 16];
    alphatensor_mod_2::alphatensor_mod_2(a, b, |z, value| c[z] = value);
    c
}
