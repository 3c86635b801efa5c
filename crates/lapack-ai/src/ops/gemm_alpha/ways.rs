//! What computes a product, how large its error can be, and the product itself on BLAS's arguments.
//!
//! | way | sizes | error bound of an element of A B, in units of `(eps / 2) max|A| max|B|` |
//! |---|---|---|
//! | `Kernel` | 4 x 4 x 4 | that of the algorithm's code, [`Algorithm::error_bound`] |
//! | `Blocks` | up to [`MOST_IN_BLOCKS`] | `q` times that, and `2 q (q + 1)` for the sums; `q = ceil(k / 4)` |
//! | `Library` | all | `k^2`: `k` roundings of a sum of `k` products, in whatever order |
//!
//! `Blocks` takes C in blocks of 4 x 4, each the sum of products of blocks of A and B. Blocks at the edges are filled with
//! zeros. It is there so that a scheme does what its name says at other sizes than its own, not to be fast.

use crate::provider;
use lapack_ai_bilinear::product::{self, Algorithm};
use lapack_ai_core::Scalar;
use lapack_ai_host::Library;
use std::borrow::Cow;
use std::fmt;

/// Largest extent of a product that is computed from blocks by a scheme that was asked for by name.
pub const MOST_IN_BLOCKS: usize = 64;

/// Element types of products with a choice of algorithm: `f32` and `f64`.
pub trait GemmScalar: lapack_ai_core::Real + lapack_ai_bilinear::Real {}
impl GemmScalar for f32 {}
impl GemmScalar for f64 {}

/// Whose code computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// This library's code for one 4 x 4 product.
    Kernel,
    /// That code on each pair of blocks.
    Blocks,
    /// The BLAS.
    Library,
}

/// An algorithm and whose code runs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Whose code.
    pub way: Way,
    /// Bound of the error: see [`error_bound`].
    pub bound: f64,
}

/// Why there is no choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refused {
    /// The accuracy is no positive number.
    NoBound(f64),
    /// The algorithm that was asked for has a larger bound.
    Inaccurate {
        /// What was asked for.
        algorithm: Algorithm,
        /// Its bound.
        bound: f64,
        /// What is allowed.
        accuracy: f64,
    },
    /// No algorithm has a bound as small.
    NoneAccurate {
        /// The smallest bound.
        bound: f64,
        /// What is allowed.
        accuracy: f64,
    },
    /// The algorithm that was asked for does not take the size.
    Size {
        /// What was asked for.
        algorithm: Algorithm,
        /// m, n and k.
        sizes: [usize; 3],
    },
}

impl Refused {
    /// Whether the accuracy is at fault, not the algorithm.
    pub fn about_accuracy(&self) -> bool {
        !matches!(self, Self::Size { .. })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoBound(accuracy) => write!(f, "accuracy={accuracy} must be a positive number"),
            Self::Inaccurate { algorithm, bound, accuracy } => write!(
                f,
                "algorithm '{}' has the error bound {bound}, more than accuracy={accuracy}; allow {bound} or use 'auto'",
                algorithm.name()
            ),
            Self::NoneAccurate { bound, accuracy } => write!(
                f,
                "accuracy={accuracy} is below the smallest error bound of this size, {bound} ('classical'); allow {bound}"
            ),
            Self::Size { algorithm, sizes: [m, n, k] } => write!(
                f,
                "algorithm '{}' takes sizes up to {MOST_IN_BLOCKS}, not {m} x {n} x {k}; use 'auto' or 'classical'",
                algorithm.name()
            ),
        }
    }
}

/// Bound of the error of every element of `op(A) op(B)` in units of `(eps / 2) max|A| max|B|`, to first order, eps the distance
/// from 1 to the next number of the type. The table on top of this file has the formulas.
#[inline]
pub fn error_bound(algorithm: Algorithm, way: Way, k: usize) -> f64 {
    let k = k as f64;
    match way {
        Way::Kernel => algorithm.error_bound(),
        Way::Library => k * k,
        Way::Blocks => {
            let q = (k / 4.0).ceil();
            let sums = if q > 1.0 { 2.0 * q * (q + 1.0) } else { 0.0 };
            q * algorithm.error_bound() + sums
        }
    }
}

/// Chooses algorithm and code for an `m x n` product with `k` terms an element: what was asked for, else the fastest whose error
/// bound is at most `accuracy`.
///
/// # Errors
/// [`Refused`].
#[inline]
pub fn choose(
    asked: Option<Algorithm>,
    accuracy: Option<f64>,
    m: usize,
    n: usize,
    k: usize,
) -> Result<Choice, Refused> {
    let algorithm = asked.unwrap_or(Algorithm::Classical);
    let way = match algorithm {
        _ if (m, n, k) == (4, 4, 4) => Way::Kernel,
        Algorithm::Classical => Way::Library,
        _ if m.max(n).max(k) > MOST_IN_BLOCKS => return Err(Refused::Size { algorithm, sizes: [m, n, k] }),
        _ => Way::Blocks,
    };
    let bound = error_bound(algorithm, way, k);
    match accuracy {
        Some(accuracy) if accuracy.is_nan() || accuracy <= 0.0 => Err(Refused::NoBound(accuracy)),
        Some(accuracy) if bound > accuracy && algorithm != Algorithm::Classical => {
            Err(Refused::Inaccurate { algorithm, bound, accuracy })
        }
        // The ordinary product is the fastest at every size and has the smallest bound.
        Some(accuracy) if bound > accuracy => Err(Refused::NoneAccurate { bound, accuracy }),
        _ => Ok(Choice { algorithm, way, bound }),
    }
}

impl Choice {
    /// Why this one, in a few words.
    pub(crate) fn reason(&self, asked: bool, capped: bool) -> Cow<'static, str> {
        let whose = match self.way {
            Way::Kernel => "code for 4 x 4",
            Way::Blocks => "blocks of 4 x 4",
            Way::Library => "the BLAS",
        };
        let why = match (asked, capped) {
            (true, _) => "asked for",
            (false, true) => "the fastest within the accuracy asked for",
            (false, false) => "the fastest",
        };
        format!("{why}; {whose}, error bound {}", self.bound).into()
    }
}

/// `C = alpha op(A) op(B) + beta C` on memory, column-major: C is m x n, op(A) m x k.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Product<T> {
    pub transpose: [bool; 2],
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub alpha: T,
    pub a: *const T,
    pub lda: usize,
    pub b: *const T,
    pub ldb: usize,
    pub beta: T,
    pub c: *mut T,
    pub ldc: usize,
}

impl<T: GemmScalar> Product<T> {
    /// Computes it as chosen. Without a library the blocks' code stands in for it.
    ///
    /// # Safety
    /// `m`, `n`, `k` are at least 1; the memory is as BLAS's `xGEMM` demands it, and the sizes fit the library's integers.
    /// [`Way::Kernel`] is for 4 x 4 x 4 only.
    #[inline]
    pub(crate) unsafe fn compute(&self, choice: Choice, library: Option<&Library>) {
        // SAFETY: the caller's promise.
        unsafe {
            match (choice.way, library) {
                (Way::Kernel, _) => self.kernel(choice.algorithm),
                (Way::Library, Some(library)) => self.by_library(library),
                (Way::Blocks, _) | (Way::Library, None) => self.blocks(choice.algorithm),
            }
        }
    }

    /// As [`Product::compute`], by the code for 4 x 4 products.
    ///
    /// # Safety
    /// The sizes are 4, the leading dimensions at least that, the memory as BLAS's `xGEMM` demands it.
    #[inline(always)]
    pub unsafe fn kernel(&self, algorithm: Algorithm) {
        let len = |ld: usize| 3 * ld + 4;
        // SAFETY: the caller's promise: four columns, ld apart.
        let (a, b, c) = unsafe {
            (
                std::slice::from_raw_parts(self.a, len(self.lda)),
                std::slice::from_raw_parts(self.b, len(self.ldb)),
                std::slice::from_raw_parts_mut(self.c, len(self.ldc)),
            )
        };
        let (a, b, c) = ((a, self.lda), (b, self.ldb), (c, self.ldc));
        let done = product::gemm_4x4(algorithm, self.transpose, self.alpha, a, b, self.beta, c);
        debug_assert_eq!(done, Ok(()));
    }

    /// As [`Product::compute`], by the LAPACK in use; by the blocks' code, where none can be found.
    ///
    /// # Safety
    /// As for [`Product::compute`].
    #[inline]
    pub unsafe fn by_provider(&self) -> Way {
        match provider::library() {
            // SAFETY: the caller's promise.
            Ok(library) if self.fits(library) => unsafe {
                self.by_library(library);
                Way::Library
            },
            // SAFETY: likewise.
            _ => unsafe {
                self.blocks(Algorithm::Classical);
                Way::Blocks
            },
        }
    }

    fn fits(&self, library: &Library) -> bool {
        library.check_sizes("", &[self.m, self.n, self.k, self.lda, self.ldb, self.ldc]).is_ok()
    }

    #[inline(always)]
    unsafe fn by_library(&self, library: &Library) {
        let Self { transpose, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc } = *self;
        let [flip_a, flip_b] = transpose.map(|flip| if flip { b'T' } else { b'N' });
        // SAFETY: the caller's promise.
        unsafe { library.gemm(flip_a, flip_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) }
    }

    /// As [`Product::compute`], from blocks of 4 x 4.
    ///
    /// # Safety
    /// As for [`Product::compute`].
    pub unsafe fn blocks(&self, algorithm: Algorithm) {
        let (zero, one) = (<T as Scalar>::ZERO, <T as Scalar>::ONE);
        for (j, i) in (0..self.n).step_by(4).flat_map(|j| (0..self.m).step_by(4).map(move |i| (j, i))) {
            let mut sum = [zero; 16];
            for l in (0..self.k).step_by(4) {
                // SAFETY: the blocks begin inside the matrices.
                let (a, b) = unsafe {
                    (
                        block(self.a, self.lda, self.transpose[0], (i, self.m), (l, self.k)),
                        block(self.b, self.ldb, self.transpose[1], (l, self.k), (j, self.n)),
                    )
                };
                let kept = if l == 0 { zero } else { one };
                let done = product::gemm_4x4(algorithm, [false; 2], one, (&a, 4), (&b, 4), kept, (&mut sum, 4));
                debug_assert_eq!(done, Ok(()));
            }
            for (q, p) in (0..4.min(self.n - j)).flat_map(|q| (0..4.min(self.m - i)).map(move |p| (q, p))) {
                let scaled = self.alpha * sum[p + 4 * q];
                // SAFETY: an element of C.
                unsafe {
                    let to = self.c.add(i + p + (j + q) * self.ldc);
                    *to = if self.beta == zero { scaled } else { scaled + self.beta * *to };
                }
            }
        }
    }
}

/// The block of op(matrix) from row and column `at` on, column-major, with zeros beyond its `extent`.
///
/// # Safety
/// The matrix is column-major with leading dimension `ld`, op(matrix) of the two extents.
unsafe fn block<T: Scalar>(
    from: *const T,
    ld: usize,
    transposed: bool,
    (row, rows): (usize, usize),
    (col, cols): (usize, usize),
) -> [T; 16] {
    let mut block = [T::ZERO; 16];
    for (q, p) in (0..4.min(cols - col)).flat_map(|q| (0..4.min(rows - row)).map(move |p| (q, p))) {
        let (i, j) = if transposed { (col + q, row + p) } else { (row + p, col + q) };
        // SAFETY: inside the matrix.
        block[p + 4 * q] = unsafe { *from.add(i + j * ld) };
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_at_4_x_4_is_the_ordinary_product_by_own_code_and_elsewhere_by_the_blas() {
        let chosen = |m, n, k| choose(None, None, m, n, k).map(|choice| (choice.algorithm, choice.way, choice.bound));
        assert_eq!(chosen(4, 4, 4), Ok((Algorithm::Classical, Way::Kernel, 12.0)));
        assert_eq!(chosen(4, 4, 5), Ok((Algorithm::Classical, Way::Library, 25.0)));
    }

    #[test]
    fn a_scheme_asked_for_takes_sizes_up_to_64_and_names_them_beyond() {
        let chosen = |m, n, k| choose(Some(Algorithm::Strassen), None, m, n, k);
        assert_eq!(chosen(64, 1, 7).map(|choice| choice.way), Ok(Way::Blocks));
        let refused = chosen(3, 65, 7).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "algorithm 'strassen' takes sizes up to 64, not 3 x 65 x 7; use 'auto' or 'classical'"
        );
        assert!(!refused.about_accuracy());
    }

    #[test]
    fn an_accuracy_that_is_not_kept_is_refused_with_the_bound_that_is() {
        let refused = choose(Some(Algorithm::Rank48), Some(1000.0), 4, 4, 4).unwrap_err().to_string();
        assert!(refused.contains("'rank48' has the error bound 1251.5, more than accuracy=1000"), "{refused}");
        assert!(choose(Some(Algorithm::Rank48), Some(1251.5), 4, 4, 4).is_ok());
        let refused = choose(None, Some(11.0), 4, 4, 4).unwrap_err().to_string();
        assert!(refused.contains("accuracy=11 is below the smallest error bound of this size, 12"), "{refused}");
        assert!(choose(None, Some(12.0), 4, 4, 4).is_ok());
        for wrong in [0.0, -1.0, f64::NAN] {
            assert!(matches!(choose(None, Some(wrong), 4, 4, 4), Err(Refused::NoBound(_))));
        }
    }

    #[test]
    fn one_block_in_depth_has_the_bound_of_its_code_and_more_add_their_sums() {
        let bound = |k| error_bound(Algorithm::Strassen, Way::Blocks, k);
        assert_eq!([bound(3), bound(4), bound(5)], [830.0, 830.0, 2.0 * 830.0 + 12.0]);
    }
}
