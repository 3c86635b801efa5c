//! SVD, symmetric eigenproblems, QR.
#![allow(clippy::missing_safety_doc, reason = "one contract for all, stated in the module above")]

use super::{Char, In, LEN, Out};
use crate::{Library, Routine};
use lapack_ai_core::Scalar;
use std::ffi::c_void;
use std::mem::transmute;

impl Library {
    /// SVD by divide and conquer. `rwork` for complex types only.
    #[inline]
    pub unsafe fn gesdd<T: Scalar>(
        &self,
        jobz: u8,
        m: usize,
        n: usize,
        a: *mut T,
        lda: usize,
        s: *mut T::Real,
        u: *mut T,
        ldu: usize,
        vt: *mut T,
        ldvt: usize,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
        iwork: *mut i64,
    ) -> i64 {
        type Real<T> =
            unsafe extern "C" fn(Char, In, In, *mut T, In, *mut T, *mut T, In, *mut T, In, *mut T, In, Out, Out, usize);
        type Complex<T, R> = unsafe extern "C" fn(
            Char,
            In,
            In,
            *mut T,
            In,
            *mut R,
            *mut T,
            In,
            *mut T,
            In,
            *mut T,
            In,
            *mut R,
            Out,
            Out,
            usize,
        );
        let (m, n, lda, ldu, ldvt) = (self.int(m), self.int(n), self.int(lda), self.int(ldu), self.int(ldvt));
        let (lwork, mut info) = (self.length(lwork), 0);
        let address = self.entry::<T>(Routine::Gesdd);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let gesdd = transmute::<*const c_void, Complex<T, T::Real>>(address);
                gesdd(&jobz, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, rwork, iwork, &mut info, LEN);
            } else {
                let gesdd = transmute::<*const c_void, Real<T>>(address);
                gesdd(&jobz, &m, &n, a, &lda, s.cast(), u, &ldu, vt, &ldvt, work, &lwork, iwork, &mut info, LEN);
            }
        }
        self.read_int(info)
    }

    /// SVD by QR iteration. `rwork` (5 min(m, n)) for complex types only.
    #[inline]
    pub unsafe fn gesvd<T: Scalar>(
        &self,
        jobu: u8,
        jobvt: u8,
        m: usize,
        n: usize,
        a: *mut T,
        lda: usize,
        s: *mut T::Real,
        u: *mut T,
        ldu: usize,
        vt: *mut T,
        ldvt: usize,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
    ) -> i64 {
        type Real<T> = unsafe extern "C" fn(
            Char,
            Char,
            In,
            In,
            *mut T,
            In,
            *mut T,
            *mut T,
            In,
            *mut T,
            In,
            *mut T,
            In,
            Out,
            usize,
            usize,
        );
        type Complex<T, R> = unsafe extern "C" fn(
            Char,
            Char,
            In,
            In,
            *mut T,
            In,
            *mut R,
            *mut T,
            In,
            *mut T,
            In,
            *mut T,
            In,
            *mut R,
            Out,
            usize,
            usize,
        );
        let (m, n, lda, ldu, ldvt) = (self.int(m), self.int(n), self.int(lda), self.int(ldu), self.int(ldvt));
        let (lwork, mut info) = (self.length(lwork), 0);
        let address = self.entry::<T>(Routine::Gesvd);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let gesvd = transmute::<*const c_void, Complex<T, T::Real>>(address);
                gesvd(&jobu, &jobvt, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, rwork, &mut info, LEN, LEN);
            } else {
                let gesvd = transmute::<*const c_void, Real<T>>(address);
                gesvd(&jobu, &jobvt, &m, &n, a, &lda, s.cast(), u, &ldu, vt, &ldvt, work, &lwork, &mut info, LEN, LEN);
            }
        }
        self.read_int(info)
    }

    /// Eigenvalues (and with `jobz = V` eigenvectors, in A) of a symmetric or Hermitian matrix by QR iteration. `rwork`
    /// (3n) for complex types only.
    #[inline]
    pub unsafe fn syev<T: Scalar>(
        &self,
        jobz: u8,
        uplo: u8,
        n: usize,
        a: *mut T,
        lda: usize,
        w: *mut T::Real,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
    ) -> i64 {
        type Real<T> = unsafe extern "C" fn(Char, Char, In, *mut T, In, *mut T, *mut T, In, Out, usize, usize);
        type Complex<T, R> =
            unsafe extern "C" fn(Char, Char, In, *mut T, In, *mut R, *mut T, In, *mut R, Out, usize, usize);
        let (n, lda, lwork, mut info) = (self.int(n), self.int(lda), self.length(lwork), 0);
        let address = self.entry::<T>(Routine::Syev);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let heev = transmute::<*const c_void, Complex<T, T::Real>>(address);
                heev(&jobz, &uplo, &n, a, &lda, w, work, &lwork, rwork, &mut info, LEN, LEN);
            } else {
                let syev = transmute::<*const c_void, Real<T>>(address);
                syev(&jobz, &uplo, &n, a, &lda, w.cast(), work, &lwork, &mut info, LEN, LEN);
            }
        }
        self.read_int(info)
    }

    /// Eigenvalues (and with `jobz = V` eigenvectors, in A) of a symmetric or Hermitian matrix by divide and conquer.
    /// `rwork` and `lrwork` for complex types only.
    #[inline]
    pub unsafe fn syevd<T: Scalar>(
        &self,
        jobz: u8,
        uplo: u8,
        n: usize,
        a: *mut T,
        lda: usize,
        w: *mut T::Real,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
        lrwork: usize,
        iwork: *mut i64,
        liwork: usize,
    ) -> i64 {
        type Real<T> = unsafe extern "C" fn(Char, Char, In, *mut T, In, *mut T, *mut T, In, Out, In, Out, usize, usize);
        type Complex<T, R> = unsafe extern "C" fn(
            Char,
            Char,
            In,
            *mut T,
            In,
            *mut R,
            *mut T,
            In,
            *mut R,
            In,
            Out,
            In,
            Out,
            usize,
            usize,
        );
        let (n, lda, mut info) = (self.int(n), self.int(lda), 0);
        let (lwork, lrwork, liwork) = (self.length(lwork), self.length(lrwork), self.length(liwork));
        let address = self.entry::<T>(Routine::Syevd);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let heevd = transmute::<*const c_void, Complex<T, T::Real>>(address);
                heevd(&jobz, &uplo, &n, a, &lda, w, work, &lwork, rwork, &lrwork, iwork, &liwork, &mut info, LEN, LEN);
            } else {
                let syevd = transmute::<*const c_void, Real<T>>(address);
                syevd(&jobz, &uplo, &n, a, &lda, w.cast(), work, &lwork, iwork, &liwork, &mut info, LEN, LEN);
            }
        }
        self.read_int(info)
    }

    /// `A = Q R` of an m x n matrix: R in the upper triangle, the reflectors below it and in `tau`.
    #[inline]
    pub unsafe fn geqrf<T: Scalar>(
        &self,
        m: usize,
        n: usize,
        a: *mut T,
        lda: usize,
        tau: *mut T,
        work: *mut T,
        lwork: usize,
    ) -> i64 {
        type Geqrf<T> = unsafe extern "C" fn(In, In, *mut T, In, *mut T, *mut T, In, Out);
        let (m, n, lda, lwork, mut info) = (self.int(m), self.int(n), self.int(lda), self.length(lwork), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let geqrf = transmute::<*const c_void, Geqrf<T>>(self.entry::<T>(Routine::Geqrf));
            geqrf(&m, &n, a, &lda, tau, work, &lwork, &mut info);
        }
        self.read_int(info)
    }

    /// The first n columns (m x n) of Q from k reflectors of GEQRF, in place.
    #[inline]
    pub unsafe fn orgqr<T: Scalar>(
        &self,
        m: usize,
        n: usize,
        k: usize,
        a: *mut T,
        lda: usize,
        tau: *const T,
        work: *mut T,
        lwork: usize,
    ) -> i64 {
        type Orgqr<T> = unsafe extern "C" fn(In, In, In, *mut T, In, *const T, *mut T, In, Out);
        let (m, n, k, lda, lwork, mut info) =
            (self.int(m), self.int(n), self.int(k), self.int(lda), self.length(lwork), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let orgqr = transmute::<*const c_void, Orgqr<T>>(self.entry::<T>(Routine::Orgqr));
            orgqr(&m, &n, &k, a, &lda, tau, work, &lwork, &mut info);
        }
        self.read_int(info)
    }
}
