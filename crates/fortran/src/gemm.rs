//! `xGEMM`'s arguments: checked in its order, with its numbers, and computed.

use crate::{Integer, algorithm_by_letter, xerbla};
use lapack_ai::GemmAlgorithm;
pub use lapack_ai::ops::gemm_alpha::ways::Product;
use lapack_ai::ops::gemm_alpha::ways::{self, Choice, GemmScalar, Way};

/// The arguments of a call, read from where they lay.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Call<T, I = Integer> {
    /// TRANSA and TRANSB.
    pub letters: [u8; 2],
    /// M, N and K.
    pub sizes: [I; 3],
    /// ALPHA and BETA.
    pub factors: [T; 2],
    pub a: *const T,
    pub b: *const T,
    pub c: *mut T,
    /// LDA, LDB and LDC.
    pub lds: [I; 3],
}

/// Of each letter: 0 for "as it is", 1 for "transposed", 2 for those that it cannot be.
const TRANSPOSED: [u8; 256] = {
    let mut table = [2; 256];
    (table[b'N' as usize], table[b'n' as usize]) = (0, 0);
    (table[b'T' as usize], table[b't' as usize], table[b'C' as usize], table[b'c' as usize]) = (1, 1, 1, 1);
    table
};

/// Whether a letter says "transposed"; `None` for letters that it cannot be.
fn transposed(letter: u8) -> Option<bool> {
    match TRANSPOSED[letter as usize] {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// The short way for 4 x 4 matrices: computes the product if that is all there is to do, else returns false, and nothing has
/// happened. It comes before all checks that have a number, since such a product takes as long as a few of them.
///
/// # Safety
/// As `xGEMM` of the BLAS.
#[inline(always)]
pub unsafe fn four<T: GemmScalar>(
    algorithm: GemmAlgorithm,
    transa: *const u8,
    transb: *const u8,
    m: *const Integer,
    n: *const Integer,
    k: *const Integer,
    alpha: *const T,
    a: *const T,
    lda: *const Integer,
    b: *const T,
    ldb: *const Integer,
    beta: *const T,
    c: *mut T,
    ldc: *const Integer,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let (flip_a, flip_b) = (TRANSPOSED[*transa as usize], TRANSPOSED[*transb as usize]);
        let (lda, ldb, ldc) = (i64::from(*lda), i64::from(*ldb), i64::from(*ldc));
        let other = ((*m ^ 4) | (*n ^ 4) | (*k ^ 4)) != 0 || ((lda - 4) | (ldb - 4) | (ldc - 4)) < 0;
        if (flip_a | flip_b) > 1 || other || *alpha == <T as lapack_ai::Scalar>::ZERO {
            return false;
        }
        let Some(code) = ways::four(algorithm, [flip_a == 1, flip_b == 1]) else { return false };
        code(*alpha, a, lda as usize, b, ldb as usize, *beta, c, ldc as usize);
        true
    }
}

impl<T: GemmScalar> Call<T> {
    /// Checks the arguments and computes. `asked` is the algorithm, `None` for the fastest. Returns who computed; `None` if
    /// nobody had to, or could.
    ///
    /// # Safety
    /// The memory is as `xGEMM` demands it.
    pub unsafe fn run(&self, routine: &str, asked: Option<GemmAlgorithm>) -> Option<Way> {
        // SAFETY: the caller's promise.
        unsafe { self.shifted(routine, asked, 0) }
    }

    /// As [`Call::run`], for a routine whose first argument is the letter of an algorithm: the others have a number more.
    ///
    /// # Safety
    /// As [`Call::run`].
    pub unsafe fn run_by_letter(&self, routine: &str, letter: u8) -> Option<Way> {
        match algorithm_by_letter(letter) {
            // SAFETY: the caller's promise.
            Some(asked) => unsafe { self.shifted(routine, asked, 1) },
            None => self.refuse(routine, 1),
        }
    }

    /// As [`Call::run`]; `shift` is the number of arguments before TRANSA.
    #[inline(always)]
    unsafe fn shifted(&self, routine: &str, asked: Option<GemmAlgorithm>, shift: Integer) -> Option<Way> {
        match self.checked() {
            // SAFETY: the caller's promise.
            Ok(product) => unsafe { compute(&product, asked, None) },
            Err(argument) => self.refuse(routine, argument + shift),
        }
    }

    #[cold]
    fn refuse(&self, routine: &str, argument: Integer) -> Option<Way> {
        xerbla(routine, argument);
        None
    }
}

impl<T: GemmScalar, I: Copy + Into<i64>> Call<T, I> {
    /// The product, or the number of the first illegal argument.
    ///
    /// # Errors
    /// The number in `xGEMM`'s list.
    #[inline(always)]
    pub fn checked(&self) -> Result<Product<T>, Integer> {
        let ([m, n, k], [lda, ldb, ldc]) = (self.sizes.map(I::into), self.lds.map(I::into));
        let flip_a = transposed(self.letters[0]).ok_or(1)?;
        let flip_b = transposed(self.letters[1]).ok_or(2)?;
        if (m | n | k) < 0 {
            return Err(if m < 0 { 3 } else { 4 + Integer::from(n >= 0) });
        }
        let rows = [if flip_a { k } else { m }, if flip_b { n } else { k }, m];
        if lda < rows[0].max(1) {
            return Err(8);
        }
        if ldb < rows[1].max(1) {
            return Err(10);
        }
        if ldc < rows[2].max(1) {
            return Err(13);
        }
        let [m, n, k, lda, ldb, ldc] = [m, n, k, lda, ldb, ldc].map(|size: i64| size as usize);
        let ([alpha, beta], Self { a, b, c, .. }) = (self.factors, *self);
        Ok(Product { transpose: [flip_a, flip_b], m, n, k, alpha, a, lda, b, ldb, beta, c, ldc })
    }
}

/// Computes a product whose arguments are legal, by the algorithm `asked` for, else by the fastest whose error bound is at most `accuracy`.
/// Returns who did, `None` if there was nothing to do.
///
/// # Safety
/// The memory is as `xGEMM` demands it.
#[inline(always)]
pub unsafe fn compute<T: GemmScalar>(
    product: &Product<T>,
    asked: Option<GemmAlgorithm>,
    accuracy: Option<f64>,
) -> Option<Way> {
    // SAFETY: the caller's promise.
    unsafe {
        if ways::is_small(product.m, product.n, product.k) {
            let algorithm = asked.unwrap_or(GemmAlgorithm::Classical);
            if product.is_four() {
                product.by_kernels(algorithm);
            } else {
                product.by_other_kernels(algorithm);
            }
            return Some(Way::Kernel);
        }
        match asked {
            None => compute_by_fastest(product, accuracy),
            Some(GemmAlgorithm::Classical) => compute_by_provider(product),
            Some(algorithm) => compute_by_scheme(product, algorithm),
        }
    }
}

/// As [`compute`], for a product that is not small: apart, since the small ones are to need little of the stack.
///
/// # Safety
/// As [`compute`].
#[inline(never)]
unsafe fn compute_by_scheme<T: GemmScalar>(product: &Product<T>, algorithm: GemmAlgorithm) -> Option<Way> {
    let choice = Choice::of(algorithm, product.m, product.n, product.k);
    // SAFETY: the caller's promise; no extent is 0 for the library.
    unsafe { has_terms(product).then(|| product.with_provider(choice)) }
}

/// As [`compute_by_scheme`], by the fastest algorithm.
///
/// # Safety
/// As [`compute`].
#[inline(never)]
unsafe fn compute_by_fastest<T: GemmScalar>(product: &Product<T>, accuracy: Option<f64>) -> Option<Way> {
    // SAFETY: the caller's promise; no extent is 0 for the library.
    unsafe { has_terms(product).then(|| product.by_fastest(accuracy)) }
}

/// As [`compute`], by the LAPACK in use whatever the size.
///
/// # Safety
/// As [`compute`].
#[inline(never)]
pub unsafe fn compute_by_provider<T: GemmScalar>(product: &Product<T>) -> Option<Way> {
    // The bound is for those who ask for one.
    let choice = Choice { algorithm: GemmAlgorithm::Classical, way: Way::Library, bound: 0.0 };
    // SAFETY: the caller's promise; no extent is 0 for the library.
    unsafe { has_terms(product).then(|| product.with_provider(choice)) }
}

/// Whether there is a product to compute; else C is scaled here.
///
/// # Safety
/// As [`compute`].
#[inline(always)]
unsafe fn has_terms<T: GemmScalar>(product: &Product<T>) -> bool {
    if product.m == 0 || product.n == 0 {
        return false;
    }
    let some = product.alpha != <T as lapack_ai::Scalar>::ZERO && product.k > 0;
    if !some {
        // SAFETY: the caller's promise; the kernels do not look for a product either.
        unsafe { product.by_kernels(GemmAlgorithm::Classical) };
    }
    some
}
