//! What programs in C and Fortran see of the library, but for the names: the argument rules of `xGEMM`, errors through
//! `XERBLA`, one letter for an algorithm.
//!
//! `crates/capi` and `crates/dropin` give these functions their names. All are `C-unwind`: a program's own `XERBLA` may leave by
//! an exception, as Octave's does.

pub mod gemm;
mod xerbla;

pub use xerbla::xerbla;

use lapack_ai::GemmAlgorithm;

/// Fortran's INTEGER as programs have it unless they are compiled for another.
pub type Integer = i32;

/// The algorithm of a letter: `F` the fastest, `C` classical, `S` Strassen, `W` Winograd, `A` AlphaTensor, `R` rank 48, in either
/// case; `None` for others.
#[inline]
pub fn algorithm_by_letter(letter: u8) -> Option<Option<GemmAlgorithm>> {
    Some(match letter.to_ascii_uppercase() {
        b'F' => None,
        b'C' => Some(GemmAlgorithm::Classical),
        b'S' => Some(GemmAlgorithm::Strassen),
        b'W' => Some(GemmAlgorithm::Winograd),
        b'A' => Some(GemmAlgorithm::AlphaTensor),
        b'R' => Some(GemmAlgorithm::Rank48),
        _ => return None,
    })
}

/// Exports `DGEMM_ALPHA` and its kin from the crate that calls it, under the names that Fortran compilers make of them: with one
/// underscore, with none, and with two.
#[macro_export]
macro_rules! export_gemm_alpha {
    ($scalar:ty, $routine:literal, $expert_routine:literal, $($name:ident)+, $($expert:ident)+) => {
        $(
            /// `C := alpha op(A) op(B) + beta C` by the fastest algorithm; arguments, order and errors are those of `xGEMM`.
            ///
            /// # Safety
            /// As `xGEMM` of the BLAS. The lengths of the CHARACTER arguments may be left out.
            #[unsafe(no_mangle)]
            pub unsafe extern "C-unwind" fn $name(
                transa: *const u8,
                transb: *const u8,
                m: *const $crate::Integer,
                n: *const $crate::Integer,
                k: *const $crate::Integer,
                alpha: *const $scalar,
                a: *const $scalar,
                lda: *const $crate::Integer,
                b: *const $scalar,
                ldb: *const $crate::Integer,
                beta: *const $scalar,
                c: *mut $scalar,
                ldc: *const $crate::Integer,
            ) {
                // SAFETY: the caller's promise.
                unsafe {
                    let letters = [*transa, *transb];
                    let call =
                        $crate::gemm::Call { letters, sizes: [*m, *n, *k], factors: [*alpha, *beta], a, b, c, lds: [*lda, *ldb, *ldc] };
                    call.run($routine, None);
                }
            }
        )+
        $(
            /// The same with the algorithm's letter before the other arguments: see `algorithm_by_letter`.
            ///
            /// # Safety
            /// As above.
            #[unsafe(no_mangle)]
            pub unsafe extern "C-unwind" fn $expert(
                algorithm: *const u8,
                transa: *const u8,
                transb: *const u8,
                m: *const $crate::Integer,
                n: *const $crate::Integer,
                k: *const $crate::Integer,
                alpha: *const $scalar,
                a: *const $scalar,
                lda: *const $crate::Integer,
                b: *const $scalar,
                ldb: *const $crate::Integer,
                beta: *const $scalar,
                c: *mut $scalar,
                ldc: *const $crate::Integer,
            ) {
                // SAFETY: the caller's promise.
                unsafe {
                    let letters = [*transa, *transb];
                    let call =
                        $crate::gemm::Call { letters, sizes: [*m, *n, *k], factors: [*alpha, *beta], a, b, c, lds: [*lda, *ldb, *ldc] };
                    call.run_by_letter($expert_routine, *algorithm);
                }
            }
        )+
    };
}
