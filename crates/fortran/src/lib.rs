//! What programs in C and Fortran see of the library, but for the names: the argument rules of `xGEMM` and `xGESVD`, errors through
//! `XERBLA`, one letter for an algorithm.
//!
//! `crates/capi` and `crates/dropin` give these functions their names. All are `C-unwind`: a program's own `XERBLA` may leave by
//! an exception, as Octave's does.

pub mod gemm;
pub mod svd;
mod xerbla;

pub use xerbla::xerbla;

use lapack_ai::GemmAlgorithm;

/// Fortran's INTEGER as programs have it unless they are compiled for another.
pub type Integer = i32;

/// The algorithm of a letter: `F` the fastest, `C` classical, `S` Strassen, `W` Winograd, `A` AlphaTensor, `R` rank 48, in either
/// case; `None` for others.
pub const fn algorithm_by_letter(letter: u8) -> Option<Option<GemmAlgorithm>> {
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

/// What a letter stands for where the matrices are 4 x 4.
pub const AT_FOUR: [Option<GemmAlgorithm>; 256] = {
    let mut table = [None; 256];
    let mut letter = 0;
    while letter < 256 {
        table[letter] = match algorithm_by_letter(letter as u8) {
            Some(None) => Some(GemmAlgorithm::Classical),
            Some(asked) => asked,
            None => None,
        };
        letter += 1;
    }
    table
};

/// Exports `DGEMM_ALPHA` and its kin from the crate that calls it, under the names that Fortran compilers make of them: with one
/// underscore, with none, and with two.
#[macro_export]
macro_rules! export_gemm_alpha {
    ($scalar:ty, $routine:literal, $expert_routine:literal, $other:ident $other_expert:ident, $($name:ident)+, $($expert:ident)+) => {
        $crate::xgemm! {
            ($scalar)
            /// All that is not the short way, which needs no stack for it.
            #[cold]
            #[inline(never)]
            unsafe fn $other(transa transb m n k alpha a lda b ldb beta c ldc) {
                let call = $crate::gemm::Call {
                    letters: [*transa, *transb], sizes: [*m, *n, *k], factors: [*alpha, *beta], a, b, c, lds: [*lda, *ldb, *ldc],
                };
                call.run($routine, None);
            }
        }
        $crate::xgemm! {
            ($scalar)
            /// All that is not the short way, which needs no stack for it.
            #[cold]
            #[inline(never)]
            unsafe fn $other_expert([algorithm: *const u8] transa transb m n k alpha a lda b ldb beta c ldc) {
                let call = $crate::gemm::Call {
                    letters: [*transa, *transb], sizes: [*m, *n, *k], factors: [*alpha, *beta], a, b, c, lds: [*lda, *ldb, *ldc],
                };
                call.run_by_letter($expert_routine, *algorithm);
            }
        }
        $($crate::xgemm! {
            ($scalar)
            /// `C := alpha op(A) op(B) + beta C` by the fastest algorithm; arguments, order and errors are those of `xGEMM`.
            ///
            /// # Safety
            /// As `xGEMM` of the BLAS. The lengths of the CHARACTER arguments may be left out.
            #[unsafe(no_mangle)]
            pub unsafe fn $name(transa transb m n k alpha a lda b ldb beta c ldc) {
                let fastest = lapack_ai::GemmAlgorithm::Classical;
                if !$crate::gemm::four(fastest, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
                    $other(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                }
            }
        })+
        $($crate::xgemm! {
            ($scalar)
            /// The same with the algorithm's letter before the other arguments: see `algorithm_by_letter`.
            ///
            /// # Safety
            /// As above.
            #[unsafe(no_mangle)]
            pub unsafe fn $expert([algorithm: *const u8] transa transb m n k alpha a lda b ldb beta c ldc) {
                let done = match $crate::AT_FOUR[*algorithm as usize] {
                    Some(named) => $crate::gemm::four(named, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc),
                    None => false,
                };
                if !done {
                    $other_expert(algorithm, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                }
            }
        })+
    };
}

/// A function with `xGEMM`'s arguments, each by address, after others.
#[macro_export]
macro_rules! xgemm {
    (
        ($scalar:ty) $(#[$attribute:meta])* $visible:vis unsafe fn $name:ident(
            $([$before:ident: $type:ty])? $ta:ident $tb:ident $m:ident $n:ident $k:ident $alpha:ident $a:ident $lda:ident $b:ident
            $ldb:ident $beta:ident $c:ident $ldc:ident
        ) $body:block
    ) => {
        $(#[$attribute])*
        $visible unsafe extern "C-unwind" fn $name(
            $($before: $type,)?
            $ta: *const u8,
            $tb: *const u8,
            $m: *const $crate::Integer,
            $n: *const $crate::Integer,
            $k: *const $crate::Integer,
            $alpha: *const $scalar,
            $a: *const $scalar,
            $lda: *const $crate::Integer,
            $b: *const $scalar,
            $ldb: *const $crate::Integer,
            $beta: *const $scalar,
            $c: *mut $scalar,
            $ldc: *const $crate::Integer,
        ) {
            // SAFETY: the caller's promise.
            unsafe { $body }
        }
    };
}
