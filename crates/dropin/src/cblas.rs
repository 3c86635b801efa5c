//! `cblas_dgemm` and `cblas_sgemm`. A row-major product is the column-major one of the transposes, with A and B exchanged.
//!
//! Illegal arguments go to the program's own `cblas_xgemm`, which says so as the program expects it; where there is none, as
//! `XERBLA` does, with CBLAS's numbers.

use crate::forward::next;
use crate::report::Routine;
use lapack_ai_fortran::{gemm, xerbla};
use std::ffi::{CStr, c_int, c_void};

const ROW_MAJOR: c_int = 101;
const COL_MAJOR: c_int = 102;

/// The letter of a CBLAS_TRANSPOSE; one that is none for others.
fn letter(transpose: c_int) -> u8 {
    match transpose {
        111 => b'N',
        112 => b'T',
        113 => b'C',
        _ => b'?',
    }
}

macro_rules! export_cblas_gemm {
    ($name:ident, $symbol:literal, $scalar:ty, $counted:expr) => {
        /// `C := alpha op(A) op(B) + beta C` in the order that the first argument says.
        ///
        /// # Safety
        /// As CBLAS's routine of that name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(
            order: c_int,
            transa: c_int,
            transb: c_int,
            m: c_int,
            n: c_int,
            k: c_int,
            alpha: $scalar,
            a: *const $scalar,
            lda: c_int,
            b: *const $scalar,
            ldb: c_int,
            beta: $scalar,
            c: *mut $scalar,
            ldc: c_int,
        ) {
            let (flip_a, flip_b) = (letter(transa), letter(transb));
            let (factors, row_major) = ([alpha, beta], order == ROW_MAJOR);
            let call = if row_major {
                gemm::Call { letters: [flip_b, flip_a], sizes: [n, m, k], factors, a: b, b: a, c, lds: [ldb, lda, ldc] }
            } else {
                gemm::Call { letters: [flip_a, flip_b], sizes: [m, n, k], factors, a, b, c, lds: [lda, ldb, ldc] }
            };
            // SAFETY: the caller's promise.
            match (row_major || order == COL_MAJOR).then(|| unsafe { crate::multiply($counted, &call) }) {
                Some(Ok(())) => {}
                wrong => {
                    type Gemm = unsafe extern "C-unwind" fn(
                        c_int,
                        c_int,
                        c_int,
                        c_int,
                        c_int,
                        c_int,
                        $scalar,
                        *const $scalar,
                        c_int,
                        *const $scalar,
                        c_int,
                        $scalar,
                        *mut $scalar,
                        c_int,
                    );
                    let symbol: &CStr = $symbol;
                    let own = next(symbol);
                    if own.is_null() {
                        let argument =
                            wrong.and_then(Result::err).map_or(1, |number| number_in_cblas(number, row_major));
                        return xerbla(symbol.to_str().expect("a name in ASCII"), argument);
                    }
                    // SAFETY: CBLAS's interface, and the caller's promise; what is illegal is for it to say.
                    unsafe {
                        let own = std::mem::transmute::<*const c_void, Gemm>(own);
                        own(order, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                    }
                }
            }
        }
    };
}

/// The number of an argument of `xGEMM` in CBLAS's list, which has the order before it; in row-major order A and B, M and N
/// were exchanged.
fn number_in_cblas(number: c_int, row_major: bool) -> c_int {
    let exchanged = match number {
        1 => 2,
        2 => 1,
        3 => 4,
        4 => 3,
        8 => 10,
        10 => 8,
        other => other,
    };
    1 + if row_major { exchanged } else { number }
}

export_cblas_gemm!(cblas_dgemm, c"cblas_dgemm", f64, Routine::CblasDgemm);
export_cblas_gemm!(cblas_sgemm, c"cblas_sgemm", f32, Routine::CblasSgemm);
