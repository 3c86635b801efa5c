//! Systems factorised in single precision and refined in double: `DSGESV`, `ZCGESV`, `DSPOSV`, `ZCPOSV`.
#![allow(clippy::missing_safety_doc, reason = "one contract for all, stated in the module above")]

use super::{Char, In, LEN, Out};
use crate::{Library, Routine};
use lapack_ai_core::Scalar;
use std::ffi::c_void;
use std::mem::transmute;

impl Library {
    /// Solves `A X = B`, double precision only. Returns (INFO, ITER): ITER >= 0 counts the refinements; below 0 the
    /// refinement was given up, and `a` holds GETRF's factors in double precision.
    ///
    /// `work` has `n * nrhs` elements, `swork` room for `n * (n + nrhs)` elements of single precision, `rwork` n reals
    /// (complex types only). B is read only.
    pub unsafe fn mixed_gesv<T: Scalar>(
        &self,
        n: usize,
        nrhs: usize,
        a: *mut T,
        lda: usize,
        ipiv: *mut i64,
        b: *const T,
        ldb: usize,
        x: *mut T,
        ldx: usize,
        work: *mut T,
        swork: *mut c_void,
        rwork: *mut T::Real,
    ) -> (i64, i64) {
        type Real<T> =
            unsafe extern "C" fn(In, In, *mut T, In, Out, *const T, In, *mut T, In, *mut T, *mut c_void, Out, Out);
        type Complex<T, R> = unsafe extern "C" fn(
            In,
            In,
            *mut T,
            In,
            Out,
            *const T,
            In,
            *mut T,
            In,
            *mut T,
            *mut c_void,
            *mut R,
            Out,
            Out,
        );
        let (n, nrhs, lda) = (self.int(n), self.int(nrhs), self.int(lda));
        let (ldb, ldx, mut iter, mut info) = (self.int(ldb), self.int(ldx), 0, 0);
        let address = self.entry::<T>(Routine::MixedGesv);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let gesv = transmute::<*const c_void, Complex<T, T::Real>>(address);
                gesv(&n, &nrhs, a, &lda, ipiv, b, &ldb, x, &ldx, work, swork, rwork, &mut iter, &mut info);
            } else {
                let gesv = transmute::<*const c_void, Real<T>>(address);
                gesv(&n, &nrhs, a, &lda, ipiv, b, &ldb, x, &ldx, work, swork, &mut iter, &mut info);
            }
        }
        (self.read_int(info), self.read_int(iter))
    }

    /// As [`Library::mixed_gesv`] for a Hermitian positive definite A, of which the triangle `uplo` is read; POTRF's
    /// factor takes the place of GETRF's.
    pub unsafe fn mixed_posv<T: Scalar>(
        &self,
        uplo: u8,
        n: usize,
        nrhs: usize,
        a: *mut T,
        lda: usize,
        b: *const T,
        ldb: usize,
        x: *mut T,
        ldx: usize,
        work: *mut T,
        swork: *mut c_void,
        rwork: *mut T::Real,
    ) -> (i64, i64) {
        type Real<T> = unsafe extern "C" fn(
            Char,
            In,
            In,
            *mut T,
            In,
            *const T,
            In,
            *mut T,
            In,
            *mut T,
            *mut c_void,
            Out,
            Out,
            usize,
        );
        type Complex<T, R> = unsafe extern "C" fn(
            Char,
            In,
            In,
            *mut T,
            In,
            *const T,
            In,
            *mut T,
            In,
            *mut T,
            *mut c_void,
            *mut R,
            Out,
            Out,
            usize,
        );
        let (n, nrhs, lda) = (self.int(n), self.int(nrhs), self.int(lda));
        let (ldb, ldx, mut iter, mut info) = (self.int(ldb), self.int(ldx), 0, 0);
        let address = self.entry::<T>(Routine::MixedPosv);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let posv = transmute::<*const c_void, Complex<T, T::Real>>(address);
                posv(&uplo, &n, &nrhs, a, &lda, b, &ldb, x, &ldx, work, swork, rwork, &mut iter, &mut info, LEN);
            } else {
                let posv = transmute::<*const c_void, Real<T>>(address);
                posv(&uplo, &n, &nrhs, a, &lda, b, &ldb, x, &ldx, work, swork, &mut iter, &mut info, LEN);
            }
        }
        (self.read_int(info), self.read_int(iter))
    }
}
