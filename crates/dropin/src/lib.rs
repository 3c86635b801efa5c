//! The names of BLAS and LAPACK themselves, for existing programs: loaded before their own (`LD_PRELOAD`), or linked before it.
//!
//! `DGEMM`, `SGEMM`, `cblas_dgemm` and `cblas_sgemm` take small products themselves and leave others to the LAPACK in use.
//! `DGESVD`, `DGESDD` and `DGESV` are that LAPACK's: their outputs (factors, pivots, workspaces) are defined to the last element,
//! and nothing here gives the same ones faster. All calls are counted where `LAPACK_DROPIN_REPORT=1` asks for it.
//!
//! What this library calls can call these names again, if it was in the process before: such calls go on to it at once
//! (`guard.rs`). Integers are 32 bits wide, names are those of gfortran; others (`dgemm_64_`, `scipy_dgemm_`) are not offered.

pub mod cblas;
pub mod forward;
mod guard;
mod report;

use lapack_ai::GemmScalar;
use lapack_ai::ops::gemm_alpha::ways::Way;
use lapack_ai_fortran::{Integer, export_gemm_alpha, gemm, xgemm};
use report::{Engine, Routine};

export_gemm_alpha!(f64, "DGEMM_ALPHA", "DGEMM_ALPHAX", other_dgemm_alpha other_dgemm_alphax, dgemm_alpha_ dgemm_alpha dgemm_alpha__, dgemm_alphax_ dgemm_alphax dgemm_alphax__);
export_gemm_alpha!(f32, "SGEMM_ALPHA", "SGEMM_ALPHAX", other_sgemm_alpha other_sgemm_alphax, sgemm_alpha_ sgemm_alpha sgemm_alpha__, sgemm_alphax_ sgemm_alphax sgemm_alphax__);

/// Computes a product that the program, or its LAPACK, asked for.
///
/// # Errors
/// The number of the first illegal argument in `xGEMM`'s list.
///
/// # Safety
/// The memory is as `xGEMM` demands it.
#[inline(never)]
unsafe fn multiply<T: GemmScalar>(routine: Routine, call: &gemm::Call<T>) -> Result<(), Integer> {
    let product = call.checked()?;
    let Some(guard) = guard::enter() else {
        // SAFETY: the caller's promise.
        unsafe { gemm::compute_by_provider(&product) };
        return Ok(());
    };
    // SAFETY: the caller's promise; no algorithm was asked for, so any size is taken.
    let way = unsafe { gemm::compute(&product, Some(lapack_ai::GemmAlgorithm::Classical), None) };
    drop(guard);
    if report::is_asked_for() {
        let engine = match way {
            Some(Way::Kernel) => Engine::Kernel,
            Some(Way::Library | Way::Scheme | Way::Halves) => Engine::Library,
            None => Engine::Nobody,
        };
        report::count(routine, engine);
    }
    Ok(())
}

/// Whether a call is sure to be the program's, and nobody wants to know of it: then the short way is open.
#[inline(always)]
fn is_plain() -> bool {
    !report::is_asked_for() && !guard::is_anyone_inside()
}

macro_rules! export_gemm {
    ($name:ident, $other:ident, $scalar:ty, $routine:literal, $counted:expr) => {
        xgemm! {
            ($scalar)
            /// All that is not the short way, which needs no stack for it.
            #[cold]
            #[inline(never)]
            unsafe fn $other(transa transb m n k alpha a lda b ldb beta c ldc) {
                let (letters, lds) = ([*transa, *transb], [*lda, *ldb, *ldc]);
                let call = gemm::Call { letters, sizes: [*m, *n, *k], factors: [*alpha, *beta], a, b, c, lds };
                if let Err(argument) = multiply($counted, &call) {
                    lapack_ai_fortran::xerbla($routine, argument);
                }
            }
        }
        xgemm! {
            ($scalar)
            /// `C := alpha op(A) op(B) + beta C`.
            ///
            /// # Safety
            /// As `xGEMM` of the BLAS.
            #[unsafe(no_mangle)]
            pub unsafe fn $name(transa transb m n k alpha a lda b ldb beta c ldc) {
                let classical = lapack_ai::GemmAlgorithm::Classical;
                let done = is_plain()
                    && gemm::four(classical, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                if !done {
                    $other(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                }
            }
        }
    };
}

export_gemm!(dgemm_, other_dgemm, f64, "DGEMM ", Routine::Dgemm);
export_gemm!(sgemm_, other_sgemm, f32, "SGEMM ", Routine::Sgemm);
