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
use lapack_ai_fortran::{Integer, export_gemm_alpha, gemm};
use report::{Engine, Routine};

export_gemm_alpha!(f64, "DGEMM_ALPHA", "DGEMM_ALPHAX", dgemm_alpha_ dgemm_alpha dgemm_alpha__, dgemm_alphax_ dgemm_alphax dgemm_alphax__);
export_gemm_alpha!(f32, "SGEMM_ALPHA", "SGEMM_ALPHAX", sgemm_alpha_ sgemm_alpha sgemm_alpha__, sgemm_alphax_ sgemm_alphax sgemm_alphax__);

/// Computes a product that the program asked for.
///
/// # Errors
/// The number of the first illegal argument in `xGEMM`'s list.
///
/// # Safety
/// The memory is as `xGEMM` demands it.
#[inline(always)]
unsafe fn multiply<T: GemmScalar>(routine: Routine, call: &gemm::Call<T>) -> Result<(), Integer> {
    // SAFETY: the caller's promise.
    unsafe {
        if !guard::is_inside() && call.four(None) {
            if report::is_asked_for() {
                report::count(routine, Engine::Kernel);
            }
            return Ok(());
        }
        other_size(routine, call)
    }
}

/// # Safety
/// As [`multiply`].
#[inline(never)]
unsafe fn other_size<T: GemmScalar>(routine: Routine, call: &gemm::Call<T>) -> Result<(), Integer> {
    let product = call.checked()?;
    let Some(guard) = guard::enter() else {
        // SAFETY: the caller's promise.
        unsafe { gemm::compute_by_provider(&product) };
        return Ok(());
    };
    // SAFETY: the caller's promise; no algorithm was asked for, so any size is taken.
    let way = unsafe { gemm::compute(&product, None) };
    drop(guard);
    if report::is_asked_for() {
        let engine = match way {
            Ok(Some(Way::Kernel)) => Engine::Kernel,
            Ok(Some(Way::Library | Way::Scheme)) => Engine::Library,
            Ok(None) | Err(()) => Engine::Nobody,
        };
        report::count(routine, engine);
    }
    Ok(())
}

macro_rules! export_gemm {
    ($name:ident, $scalar:ty, $routine:literal, $counted:expr) => {
        /// `C := alpha op(A) op(B) + beta C`.
        ///
        /// # Safety
        /// As `xGEMM` of the BLAS.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(
            transa: *const u8,
            transb: *const u8,
            m: *const Integer,
            n: *const Integer,
            k: *const Integer,
            alpha: *const $scalar,
            a: *const $scalar,
            lda: *const Integer,
            b: *const $scalar,
            ldb: *const Integer,
            beta: *const $scalar,
            c: *mut $scalar,
            ldc: *const Integer,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                let (letters, lds) = ([*transa, *transb], [*lda, *ldb, *ldc]);
                let call = gemm::Call { letters, sizes: [*m, *n, *k], factors: [*alpha, *beta], a, b, c, lds };
                if let Err(argument) = multiply($counted, &call) {
                    lapack_ai_fortran::xerbla($routine, argument);
                }
            }
        }
    };
}

export_gemm!(dgemm_, f64, "DGEMM ", Routine::Dgemm);
export_gemm!(sgemm_, f32, "SGEMM ", Routine::Sgemm);
