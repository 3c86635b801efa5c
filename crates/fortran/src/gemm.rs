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

/// Whether a letter says "transposed"; `None` for letters that it cannot be.
#[inline(always)]
fn transposed(letter: u8) -> Option<bool> {
    match letter | 0x20 {
        b'n' => Some(false),
        b't' | b'c' => Some(true),
        _ => None,
    }
}

impl<T: GemmScalar> Call<T> {
    /// Checks the arguments and computes. `asked` is the algorithm, `None` for the fastest. Returns who computed; `None` if
    /// nobody had to, or could.
    ///
    /// # Safety
    /// The memory is as `xGEMM` demands it.
    #[inline(always)]
    pub unsafe fn run(&self, routine: &str, asked: Option<GemmAlgorithm>) -> Option<Way> {
        // SAFETY: the caller's promise.
        unsafe { if self.four(asked) { Some(Way::Kernel) } else { self.other_size(routine, asked, 0) } }
    }

    /// As [`Call::run`], for a routine whose first argument is the letter of an algorithm: the others have a number more.
    ///
    /// # Safety
    /// As [`Call::run`].
    #[inline(always)]
    pub unsafe fn run_by_letter(&self, routine: &str, letter: u8) -> Option<Way> {
        let Some(asked) = algorithm_by_letter(letter) else { return self.refuse(routine, 1) };
        // SAFETY: the caller's promise.
        unsafe { if self.four(asked) { Some(Way::Kernel) } else { self.other_size(routine, asked, 1) } }
    }

    /// Computes the product if it is one of legal 4 x 4 matrices: the short way for those.
    ///
    /// # Safety
    /// As [`Call::run`].
    #[inline(always)]
    pub unsafe fn four(&self, asked: Option<GemmAlgorithm>) -> bool {
        let ([m, n, k], [lda, ldb, ldc]) = (self.sizes, self.lds);
        let (Some(flip_a), Some(flip_b)) = (transposed(self.letters[0]), transposed(self.letters[1])) else {
            return false;
        };
        if ((m ^ 4) | (n ^ 4) | (k ^ 4)) != 0 || lda < 4 || ldb < 4 || ldc < 4 {
            return false;
        }
        let [lda, ldb, ldc] = [lda, ldb, ldc].map(|ld| ld as usize);
        let ([alpha, beta], algorithm) = (self.factors, asked.unwrap_or(GemmAlgorithm::Classical));
        // SAFETY: the caller's promise.
        unsafe { ways::four(algorithm, [flip_a, flip_b], alpha, (self.a, lda), (self.b, ldb), beta, (self.c, ldc)) };
        true
    }

    /// As [`Call::run`]; `shift` is the number of arguments before TRANSA.
    #[inline(never)]
    unsafe fn other_size(self, routine: &str, asked: Option<GemmAlgorithm>, shift: Integer) -> Option<Way> {
        match self.checked() {
            // SAFETY: the caller's promise.
            Ok(product) => unsafe { compute(&product, asked).unwrap_or_else(|()| self.refuse(routine, 1)) },
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

/// Computes a product whose arguments are legal. Returns who did, `None` if there was nothing to do.
///
/// # Errors
/// If the algorithm does not take the size.
///
/// # Safety
/// The memory is as `xGEMM` demands it.
#[inline]
pub unsafe fn compute<T: GemmScalar>(product: &Product<T>, asked: Option<GemmAlgorithm>) -> Result<Option<Way>, ()> {
    // SAFETY: the caller's promise; with no extent 0 for the library.
    unsafe {
        if ways::is_small(product.m, product.n, product.k) {
            product.by_kernels(asked.unwrap_or(GemmAlgorithm::Classical));
            return Ok(Some(Way::Kernel));
        }
        let choice = ways::choose(asked, None, product.m, product.n, product.k).map_err(|_| ())?;
        Ok(has_terms(product).then(|| product.with_provider(choice)))
    }
}

/// As [`compute`], by the LAPACK in use whatever the size.
///
/// # Safety
/// As [`compute`].
#[cold]
pub unsafe fn compute_by_provider<T: GemmScalar>(product: &Product<T>) {
    // SAFETY: the caller's promise; no extent is 0.
    unsafe {
        if has_terms(product) {
            product.with_provider(Choice { algorithm: GemmAlgorithm::Classical, way: Way::Library, bound: 0.0 });
        }
    }
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
