//! The names under which programs in C and Fortran call the library: `include/lapack_ai.h` says what each does.

mod explain;

use lapack_ai::ops::gemm_alpha::ways::{self, Choice, GemmScalar, Product, Refused};
use lapack_ai::{Engine, GemmAlgorithm};
use lapack_ai_fortran::{export_gemm_alpha, export_gesvdocl, gemm};
use std::cell::Cell;
use std::ffi::{c_char, c_int};

export_gemm_alpha!(
    f64,
    "DGEMM_ALPHA",
    "DGEMM_ALPHAX",
    other_dgemm other_dgemmx,
    dgemm_alpha_ dgemm_alpha dgemm_alpha__,
    dgemm_alphax_ dgemm_alphax dgemm_alphax__
);
export_gemm_alpha!(
    f32,
    "SGEMM_ALPHA",
    "SGEMM_ALPHAX",
    other_sgemm other_sgemmx,
    sgemm_alpha_ sgemm_alpha sgemm_alpha__,
    sgemm_alphax_ sgemm_alphax sgemm_alphax__
);

export_gesvdocl!(f64, "DGESVDOCL", note_engine, dgesvdocl_ dgesvdocl dgesvdocl__);
export_gesvdocl!(f32, "SGESVDOCL", note_engine, sgesvdocl_ sgesvdocl sgesvdocl__);

thread_local! {
    static LAST_ON_GPU: Cell<bool> = const { Cell::new(false) };
}

fn note_engine(engine: Option<Engine>) {
    LAST_ON_GPU.set(engine == Some(Engine::OpenCl));
}

/// Whether a GPU computed this thread's last `DGESVDOCL` or `SGESVDOCL`.
#[unsafe(no_mangle)]
pub extern "C" fn lapack_ai_last_on_gpu() -> c_int {
    c_int::from(LAST_ON_GPU.get())
}

/// The algorithm's error bound is above the accuracy asked for.
const INACCURATE: c_int = 1;

/// Position of the arguments of `xGEMM` in the C functions' lists: one argument comes before them.
const SHIFT: c_int = 1;

#[inline(always)]
unsafe fn gemm_alpha<T: GemmScalar>(
    algorithm: c_char,
    accuracy: f64,
    letters: [c_char; 2],
    sizes: [i64; 3],
    factors: [T; 2],
    (a, b, c): (*const T, *const T, *mut T),
    lds: [i64; 3],
) -> c_int {
    let Some(asked) = lapack_ai_fortran::algorithm_by_letter(algorithm as u8) else { return -1 };
    let product = match checked(letters, sizes, factors, (a, b, c), lds) {
        Ok(product) => product,
        Err(number) => return -(number + SHIFT),
    };
    if accuracy != 0.0 {
        match ways::choose(asked, Some(accuracy), product.m, product.n, product.k) {
            Ok(_) => {}
            Err(Refused::NoBound(_)) => return -15,
            Err(Refused::Inaccurate { .. } | Refused::NoneAccurate { .. }) => return INACCURATE,
        }
    }
    // SAFETY: the caller's promise.
    unsafe { gemm::compute(&product, asked, (accuracy != 0.0).then_some(accuracy)) };
    0
}

/// As [`gemm::Call::checked`], for 64-bit sizes.
#[inline(always)]
fn checked<T: GemmScalar>(
    letters: [c_char; 2],
    sizes: [i64; 3],
    factors: [T; 2],
    (a, b, c): (*const T, *const T, *mut T),
    lds: [i64; 3],
) -> Result<Product<T>, c_int> {
    let letters = letters.map(|letter| letter as u8);
    gemm::Call { letters, sizes, factors, a, b, c, lds }.checked()
}

macro_rules! export_c {
    ($name:ident, $scalar:ty) => {
        /// `C := alpha op(A) op(B) + beta C`, column-major: see the header.
        ///
        /// # Safety
        /// The memory is as `xGEMM` demands it.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(
            algorithm: c_char,
            transa: c_char,
            transb: c_char,
            m: i64,
            n: i64,
            k: i64,
            alpha: $scalar,
            a: *const $scalar,
            lda: i64,
            b: *const $scalar,
            ldb: i64,
            beta: $scalar,
            c: *mut $scalar,
            ldc: i64,
            accuracy: f64,
        ) -> c_int {
            let (letters, sizes, lds) = ([transa, transb], [m, n, k], [lda, ldb, ldc]);
            // SAFETY: the caller's promise.
            unsafe { gemm_alpha(algorithm, accuracy, letters, sizes, [alpha, beta], (a, b, c), lds) }
        }
    };
}

export_c!(lapack_ai_dgemm_alpha, f64);
export_c!(lapack_ai_sgemm_alpha, f32);

/// Error bound of an algorithm for a size, in units of `(eps / 2) max|A| max|B|`; NaN for a letter that is none, or a negative size.
#[unsafe(no_mangle)]
pub extern "C" fn lapack_ai_gemm_error_bound(algorithm: c_char, m: i64, n: i64, k: i64) -> f64 {
    let sizes = [m, n, k].map(usize::try_from);
    let (Some(asked), [Ok(m), Ok(n), Ok(k)]) = (lapack_ai_fortran::algorithm_by_letter(algorithm as u8), sizes) else {
        return f64::NAN;
    };
    Choice::of(asked.unwrap_or(GemmAlgorithm::Classical), m, n, k).bound
}
