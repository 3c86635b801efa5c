//! What computes a product, how large its error can be, and the product itself on BLAS's arguments.
//!
//! | way | sizes | what |
//! |---|---|---|
//! | `Kernel` | small ones: [`is_small`] | this library's code, for any algorithm |
//! | `Library` | others | the BLAS, for the ordinary product |
//! | `Scheme` | others, no extent below 4 | this library's code on 4 x 4 blocks: a scheme asked for by name, or Strassen's if it is the fastest |
//! | `Halves` | large ones | this library's code on 2 x 2 blocks: Strassen's scheme, if it is the fastest |
//!
//! A scheme multiplies 4 x 4 matrices of numbers, or larger ones as 4 x 4 matrices of blocks; rows and columns beyond a multiple
//! of 4, and matrices with an extent below 4, are multiplied by the definition.

pub mod fastest;

use crate::provider;
use fastest::Knowledge;
use lapack_ai_bilinear::catalogue;
use lapack_ai_bilinear::large::{self, Forms};
use lapack_ai_bilinear::product::Algorithm;
use lapack_ai_bilinear::small::{self, Strides, direct};
use lapack_ai_host::{Library, default_threads};
use std::borrow::Cow;
use std::fmt;
use std::sync::{LazyLock, Mutex, OnceLock};

/// Element types of products with a choice of algorithm: `f32` and `f64`.
pub trait GemmScalar: lapack_ai_core::Real + small::Element + large::Element {
    /// An algorithm's scheme for blocks of this type.
    fn forms(algorithm: Algorithm) -> &'static Forms<Self>;
    /// Strassen's scheme for 2 x 2 blocks.
    fn halves() -> &'static Forms<Self>;
    /// The ordinary product, uncut.
    fn ordinary() -> &'static Forms<Self>;
    /// What was measured of its products.
    #[doc(hidden)]
    fn knowledge() -> &'static Mutex<Knowledge>;
}

macro_rules! gemm_scalar {
    ($scalar:ty) => {
        impl GemmScalar for $scalar {
            fn forms(algorithm: Algorithm) -> &'static Forms<Self> {
                static FORMS: [OnceLock<Forms<$scalar>>; Algorithm::ALL.len()] = [const { OnceLock::new() }; _];
                FORMS[algorithm as usize].get_or_init(|| {
                    Forms::of(&catalogue::by_name(algorithm.name()).expect("a scheme of the catalogue"))
                })
            }

            fn halves() -> &'static Forms<Self> {
                static FORMS: LazyLock<Forms<$scalar>> = LazyLock::new(|| Forms::of(&catalogue::strassen_2()));
                &FORMS
            }

            fn ordinary() -> &'static Forms<Self> {
                static FORMS: LazyLock<Forms<$scalar>> = LazyLock::new(|| Forms::of(&catalogue::classical(1, 1, 1)));
                &FORMS
            }

            fn knowledge() -> &'static Mutex<Knowledge> {
                static KNOWLEDGE: LazyLock<Mutex<Knowledge>> = LazyLock::new(Knowledge::new);
                &KNOWLEDGE
            }
        }
    };
}

gemm_scalar!(f32);
gemm_scalar!(f64);

/// Whose code computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// This library's.
    Kernel,
    /// The BLAS's.
    Library,
    /// This library's, on 4 x 4 blocks.
    Scheme,
    /// This library's, on 2 x 2 blocks.
    Halves,
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
        }
    }
}

/// The factor `e` by which a scheme multiplies the error of the products of blocks: its stability factor.
fn stability_factor(algorithm: Algorithm) -> f64 {
    match algorithm {
        Algorithm::Classical => 4.0,
        Algorithm::Strassen => 144.0,
        Algorithm::Winograd => 324.0,
        Algorithm::AlphaTensor => 328.0,
        Algorithm::Rank48 => 148.0,
    }
}

/// Bound of the error of every element of `op(A) op(B)` in units of `(eps / 2) max|A| max|B|`, to first order, eps the distance
/// from 1 to the next number of the type.
///
/// By the definition it is `k^2`: a sum of `k` products has `k` roundings, in whatever order; for 4 x 4 by this library's code
/// [`Algorithm::error_bound`]. By a scheme's kernel with the bound `s` and the stability factor `e`, on blocks with `q = floor(k / 4)`
/// terms an element, sums of blocks contribute `q (s - e)` and their products `e q^2`; the `r = k - 4 q` terms beyond add `r^2 + k`.
/// Beyond small matrices it is [`Forms::error_bound`].
#[inline]
pub fn error_bound(algorithm: Algorithm, m: usize, n: usize, k: usize) -> f64 {
    if (m, n, k) == (4, 4, 4) {
        return algorithm.error_bound();
    }
    let by_definition = (k * k) as f64;
    if algorithm == Algorithm::Classical || m.min(n).min(k) < 4 {
        return by_definition;
    }
    if !is_small(m, n, k) {
        return f64::forms(algorithm).error_bound(k).max(by_definition);
    }
    let (q, r, e) = ((k / 4) as f64, (k % 4) as f64, stability_factor(algorithm));
    let beyond = if r > 0.0 { r * r + k as f64 } else { 0.0 };
    (q * (algorithm.error_bound() - e) + e * q * q + beyond).max(by_definition)
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
    let choice = Choice::of(asked.unwrap_or(Algorithm::Classical), m, n, k);
    let Choice { algorithm, bound, .. } = choice;
    match accuracy {
        Some(accuracy) if accuracy.is_nan() || accuracy <= 0.0 => Err(Refused::NoBound(accuracy)),
        Some(accuracy) if bound > accuracy && algorithm != Algorithm::Classical => {
            Err(Refused::Inaccurate { algorithm, bound, accuracy })
        }
        // Where the ordinary product is not the fastest, `fastest` finds that out; it has the smallest bound.
        Some(accuracy) if bound > accuracy => Err(Refused::NoneAccurate { bound, accuracy }),
        _ => Ok(choice),
    }
}

impl Choice {
    /// An algorithm for an `m x n` product with `k` terms an element, and whose code runs it there.
    pub fn of(algorithm: Algorithm, m: usize, n: usize, k: usize) -> Self {
        let way = match algorithm {
            _ if is_small(m, n, k) => Way::Kernel,
            _ if algorithm == Algorithm::Classical || m.min(n).min(k) < 4 => Way::Library,
            _ => Way::Scheme,
        };
        Self { algorithm, way, bound: error_bound(algorithm, m, n, k) }
    }

    /// Why this one, in a few words.
    pub(crate) fn reason(&self, asked: bool, capped: bool) -> Cow<'static, str> {
        let whose = match self.way {
            Way::Kernel => "own kernels",
            Way::Library => "the BLAS",
            Way::Scheme => "own kernels on blocks",
            Way::Halves => "own kernels on 2 x 2 blocks",
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

/// Code for 4 x 4 products, for callers to whom each nanosecond counts: see [`direct::four`].
#[inline(always)]
pub fn four<T: GemmScalar>(algorithm: Algorithm, transpose: [bool; 2]) -> Option<direct::Four<T>> {
    direct::four(algorithm, transpose)
}

/// Whether [`Way::Kernel`] is the way of an algorithm that is not held to an accuracy.
#[inline(always)]
pub fn is_small(m: usize, n: usize, k: usize) -> bool {
    small::takes([m, n, k])
}

impl<T: GemmScalar> Product<T> {
    /// Computes it as chosen; a scheme on blocks by `threads` threads. Without a library the kernels stand in for it.
    ///
    /// # Safety
    /// The memory is as BLAS's `xGEMM` demands it, no extent is 0 where the library computes, and the sizes fit its integers.
    #[inline]
    pub(crate) unsafe fn compute(&self, choice: Choice, library: Option<&Library>, threads: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match (choice.way, library) {
                (Way::Library, Some(library)) => self.by_library(library),
                (Way::Scheme, _) => self.by_forms(T::forms(choice.algorithm), threads),
                (Way::Halves, _) => self.by_forms(T::halves(), threads),
                (Way::Kernel, _) | (_, None) => self.by_kernels(choice.algorithm),
            }
        }
    }

    /// Computes it by a scheme on blocks.
    ///
    /// # Safety
    /// The memory is as BLAS's `xGEMM` demands it.
    unsafe fn by_forms(&self, forms: &Forms<T>, threads: usize) {
        let &Self { transpose, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc } = self;
        let product = small::Call { transpose, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc };
        // SAFETY: the caller's promise.
        unsafe {
            match alpha == <T as lapack_ai_core::Scalar>::ZERO || m == 0 || n == 0 || k == 0 {
                true => self.by_kernels(Algorithm::Classical),
                false => large::gemm(forms, &product, threads),
            }
        }
    }

    /// Computes it by this library's kernels, whatever the size.
    ///
    /// # Safety
    /// The memory is as BLAS's `xGEMM` demands it.
    #[inline(always)]
    pub unsafe fn by_kernels(&self, algorithm: Algorithm) {
        let &Self { transpose, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc } = self;
        // SAFETY: the caller's promise.
        unsafe { small::gemm_raw(algorithm, transpose, [m, n, k], alpha, (a, lda), (b, ldb), beta, (c, ldc)) }
    }

    /// Whether all extents are 4.
    #[inline(always)]
    pub fn is_four(&self) -> bool {
        small::is_four([self.m, self.n, self.k])
    }

    /// As [`Product::by_kernels`], for all extents but those of 4 x 4 matrices, which have a shorter way.
    ///
    /// # Safety
    /// As [`Product::by_kernels`].
    #[inline(always)]
    pub unsafe fn by_other_kernels(&self, algorithm: Algorithm) {
        let &Self { transpose, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc } = self;
        // SAFETY: the caller's promise.
        unsafe { small::gemm_other_raw(algorithm, transpose, [m, n, k], alpha, (a, lda), (b, ldb), beta, (c, ldc)) }
    }

    /// Computes a batch of them by this library's kernels: the matrices lie at `strides` from each other.
    ///
    /// # Safety
    /// As [`Product::by_kernels`], for each; no two C overlap.
    pub(crate) unsafe fn batch_by_kernels(&self, algorithm: Algorithm, strides: Strides, threads: usize) {
        let &Self { transpose, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc } = self;
        let (shape, a, b, c) = ([m, n, k], (a, lda), (b, ldb), (c, ldc));
        // SAFETY: the caller's promise.
        unsafe { small::gemm_batched_raw(algorithm, transpose, shape, alpha, a, b, beta, c, strides, threads) }
    }

    /// Computes it as chosen, with the LAPACK in use; by the kernels where none can be found.
    ///
    /// # Safety
    /// As BLAS's `xGEMM`; no extent is 0.
    #[inline]
    pub unsafe fn with_provider(&self, choice: Choice) -> Way {
        match provider::library() {
            // SAFETY: the caller's promise.
            Ok(library) if self.fits(library) => unsafe {
                self.compute(choice, Some(library), library.threads().get());
                choice.way
            },
            // SAFETY: likewise.
            _ if choice.way == Way::Scheme => unsafe {
                self.by_forms(T::forms(choice.algorithm), default_threads());
                Way::Scheme
            },
            // SAFETY: likewise.
            _ => unsafe {
                self.by_kernels(choice.algorithm);
                Way::Kernel
            },
        }
    }

    /// As [`Product::with_provider`], by the fastest algorithm whose bound is at most `accuracy`.
    ///
    /// # Safety
    /// As [`Product::with_provider`].
    pub unsafe fn by_fastest(&self, accuracy: Option<f64>) -> Way {
        let (m, n, k) = (self.m, self.n, self.k);
        let found = match fastest::is_large(m, n, k) {
            true => provider::library().ok().and_then(|library| fastest::fastest::<T>(library, accuracy, [m, n, k])),
            false => None,
        };
        // The bound is for those who ask for one.
        let ordinary = Choice { algorithm: Algorithm::Classical, way: Way::Library, bound: 0.0 };
        // SAFETY: the caller's promise.
        unsafe { self.with_provider(found.unwrap_or(ordinary)) }
    }

    fn fits(&self, library: &Library) -> bool {
        library.check_sizes("", &[self.m, self.n, self.k, self.lda, self.ldb, self.ldc]).is_ok()
    }

    #[inline(always)]
    unsafe fn by_library(&self, library: &Library) {
        let &Self { transpose, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc } = self;
        let [flip_a, flip_b] = transpose.map(|flip| if flip { b'T' } else { b'N' });
        // SAFETY: the caller's promise.
        unsafe { library.gemm(flip_a, flip_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapack_ai_bilinear::catalogue;

    #[test]
    fn the_fastest_is_the_ordinary_product_small_ones_by_own_kernels_and_others_by_the_blas() {
        let chosen = |m, n, k| choose(None, None, m, n, k).map(|choice| (choice.algorithm, choice.way, choice.bound));
        assert_eq!(chosen(4, 4, 4), Ok((Algorithm::Classical, Way::Kernel, 12.0)));
        assert_eq!(chosen(64, 1, 5), Ok((Algorithm::Classical, Way::Kernel, 25.0)));
        assert_eq!(chosen(4, 65, 5), Ok((Algorithm::Classical, Way::Library, 25.0)));
    }

    #[test]
    fn a_scheme_asked_for_is_taken_on_blocks_unless_an_extent_is_below_4() {
        let chosen = |m, n, k| choose(Some(Algorithm::Strassen), None, m, n, k).map(|choice| choice.way);
        assert_eq!(chosen(64, 1, 7), Ok(Way::Kernel));
        assert_eq!(chosen(100_000, 65, 7), Ok(Way::Scheme));
        assert_eq!(chosen(3, 4097, 7), Ok(Way::Library));
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
    fn bounds_on_blocks_follow_from_those_of_the_scheme() {
        let bound = |m, k| error_bound(Algorithm::Strassen, m, 4, k);
        assert_eq!([bound(3, 4), bound(4, 4), bound(5, 4)], [16.0, 830.0, 830.0]);
        let sums = 830.0 - 144.0;
        assert_eq!([bound(4, 8), bound(4, 10)], [2.0 * sums + 144.0 * 4.0, 2.0 * sums + 144.0 * 4.0 + 4.0 + 10.0]);
    }

    #[test]
    fn stability_factors_are_those_of_the_catalogue() {
        for algorithm in Algorithm::ALL {
            let scheme = catalogue::by_name(algorithm.name()).expect("a scheme");
            assert_eq!(stability_factor(algorithm), scheme.stability_factor().to_f64(), "{}", algorithm.name());
        }
    }
}
