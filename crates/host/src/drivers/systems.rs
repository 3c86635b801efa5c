//! Linear systems, their condition numbers, least squares.
#![allow(clippy::missing_safety_doc, reason = "one contract for all, stated in the module above")]

use super::{Char, In, LEN, Out};
use crate::{Library, Routine};
use lapack_ai_core::Scalar;
use std::ffi::c_void;
use std::mem::transmute;

impl Library {
    /// `A = P L U` of an m x n matrix, partial pivoting.
    #[inline]
    pub unsafe fn getrf<T: Scalar>(&self, m: usize, n: usize, a: *mut T, lda: usize, ipiv: *mut i64) -> i64 {
        type Getrf<T> = unsafe extern "C" fn(In, In, *mut T, In, Out, Out);
        let (m, n, lda, mut info) = (self.int(m), self.int(n), self.int(lda), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let getrf = transmute::<*const c_void, Getrf<T>>(self.entry::<T>(Routine::Getrf));
            getrf(&m, &n, a, &lda, ipiv, &mut info);
        }
        self.read_int(info)
    }

    /// Solves `op(A) X = B` in place from GETRF's factors.
    #[inline]
    pub unsafe fn getrs<T: Scalar>(
        &self,
        trans: u8,
        n: usize,
        nrhs: usize,
        a: *const T,
        lda: usize,
        ipiv: *const i64,
        b: *mut T,
        ldb: usize,
    ) -> i64 {
        type Getrs<T> = unsafe extern "C" fn(Char, In, In, *const T, In, In, *mut T, In, Out, usize);
        let (n, nrhs, lda, ldb, mut info) = (self.int(n), self.int(nrhs), self.int(lda), self.int(ldb), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let getrs = transmute::<*const c_void, Getrs<T>>(self.entry::<T>(Routine::Getrs));
            getrs(&trans, &n, &nrhs, a, &lda, ipiv, b, &ldb, &mut info, LEN);
        }
        self.read_int(info)
    }

    /// `A = P L U Q` with complete pivoting, unblocked: for matrices of a few rows.
    #[inline]
    pub unsafe fn getc2<T: Scalar>(&self, n: usize, a: *mut T, lda: usize, ipiv: *mut i64, jpiv: *mut i64) -> i64 {
        type Getc2<T> = unsafe extern "C" fn(In, *mut T, In, Out, Out, Out);
        let (n, lda, mut info) = (self.int(n), self.int(lda), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let getc2 = transmute::<*const c_void, Getc2<T>>(self.entry::<T>(Routine::Getc2));
            getc2(&n, a, &lda, ipiv, jpiv, &mut info);
        }
        self.read_int(info)
    }

    /// Reciprocal condition number from GETRF's factors in the norm `1` or `I`, given that norm of A. `work` has 4n
    /// elements, `aux` n integer cells (real types) or 2n reals (complex).
    pub unsafe fn gecon<T: Scalar>(
        &self,
        norm: u8,
        n: usize,
        a: *const T,
        lda: usize,
        anorm: T::Real,
        work: *mut T,
        aux: *mut c_void,
    ) -> f64 {
        // SAFETY: the same contract; POCON's interface is GECON's with UPLO in the place of NORM.
        unsafe { self.condition::<T>(Routine::Gecon, norm, n, a, lda, anorm, work, aux) }
    }

    /// As [`Library::gecon`], from POTRF's factor in the triangle `uplo`.
    pub unsafe fn pocon<T: Scalar>(
        &self,
        uplo: u8,
        n: usize,
        a: *const T,
        lda: usize,
        anorm: T::Real,
        work: *mut T,
        aux: *mut c_void,
    ) -> f64 {
        // SAFETY: as above.
        unsafe { self.condition::<T>(Routine::Pocon, uplo, n, a, lda, anorm, work, aux) }
    }

    unsafe fn condition<T: Scalar>(
        &self,
        routine: Routine,
        letter: u8,
        n: usize,
        a: *const T,
        lda: usize,
        anorm: T::Real,
        work: *mut T,
        aux: *mut c_void,
    ) -> f64 {
        type Con<T, R> =
            unsafe extern "C" fn(Char, In, *const T, In, *const R, *mut R, *mut T, *mut c_void, Out, usize);
        let (n, lda, mut info, mut rcond) = (self.int(n), self.int(lda), 0, T::Real::ZERO);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let con = transmute::<*const c_void, Con<T, T::Real>>(self.entry::<T>(routine));
            con(&letter, &n, a, &lda, &anorm, &mut rcond, work, aux, &mut info, LEN);
        }
        rcond.into()
    }

    /// `A = U D U^T` or `L D L^T` (Bunch-Kaufman) of a symmetric matrix, real or complex; `hermitian` for `U D U^H`.
    pub unsafe fn sytrf<T: Scalar>(
        &self,
        hermitian: bool,
        uplo: u8,
        n: usize,
        a: *mut T,
        lda: usize,
        ipiv: *mut i64,
        work: *mut T,
        lwork: usize,
    ) -> i64 {
        type Sytrf<T> = unsafe extern "C" fn(Char, In, *mut T, In, Out, *mut T, In, Out, usize);
        let routine = if hermitian { Routine::Hetrf } else { Routine::Sytrf };
        let (n, lda, lwork, mut info) = (self.int(n), self.int(lda), self.length(lwork), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let sytrf = transmute::<*const c_void, Sytrf<T>>(self.entry::<T>(routine));
            sytrf(&uplo, &n, a, &lda, ipiv, work, &lwork, &mut info, LEN);
        }
        self.read_int(info)
    }

    /// Solves `A X = B` in place from SYTRF's (HETRF's) factors.
    pub unsafe fn sytrs<T: Scalar>(
        &self,
        hermitian: bool,
        uplo: u8,
        n: usize,
        nrhs: usize,
        a: *const T,
        lda: usize,
        ipiv: *const i64,
        b: *mut T,
        ldb: usize,
    ) -> i64 {
        let routine = if hermitian { Routine::Hetrs } else { Routine::Sytrs };
        type Sytrs<T> = unsafe extern "C" fn(Char, In, In, *const T, In, In, *mut T, In, Out, usize);
        let (n, nrhs, lda, ldb, mut info) = (self.int(n), self.int(nrhs), self.int(lda), self.int(ldb), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let sytrs = transmute::<*const c_void, Sytrs<T>>(self.entry::<T>(routine));
            sytrs(&uplo, &n, &nrhs, a, &lda, ipiv, b, &ldb, &mut info, LEN);
        }
        self.read_int(info)
    }

    /// Reciprocal condition number from SYTRF's (HETRF's) factors. `work` has 2n elements, `iwork` n cells.
    pub unsafe fn sycon<T: Scalar>(
        &self,
        hermitian: bool,
        uplo: u8,
        n: usize,
        a: *const T,
        lda: usize,
        ipiv: *const i64,
        anorm: T::Real,
        work: *mut T,
        iwork: *mut i64,
    ) -> f64 {
        type Real<T> = unsafe extern "C" fn(Char, In, *const T, In, In, *const T, *mut T, *mut T, Out, Out, usize);
        type Complex<T, R> = unsafe extern "C" fn(Char, In, *const T, In, In, *const R, *mut R, *mut T, Out, usize);
        let routine = if hermitian { Routine::Hecon } else { Routine::Sycon };
        let (n, lda, mut info, mut rcond) = (self.int(n), self.int(lda), 0, T::Real::ZERO);
        let address = self.entry::<T>(routine);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let con = transmute::<*const c_void, Complex<T, T::Real>>(address);
                con(&uplo, &n, a, &lda, ipiv, &anorm, &mut rcond, work, &mut info, LEN);
            } else {
                let con = transmute::<*const c_void, Real<T>>(address);
                let (anorm, rcond) = ((&raw const anorm).cast(), (&raw mut rcond).cast());
                con(&uplo, &n, a, &lda, ipiv, anorm, rcond, work, iwork, &mut info, LEN);
            }
        }
        rcond.into()
    }

    /// Cholesky factor of the triangle `uplo` in place; the other triangle is not touched.
    #[inline]
    pub unsafe fn potrf<T: Scalar>(&self, uplo: u8, n: usize, a: *mut T, lda: usize) -> i64 {
        type Potrf<T> = unsafe extern "C" fn(Char, In, *mut T, In, Out, usize);
        let (n, lda, mut info) = (self.int(n), self.int(lda), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let potrf = transmute::<*const c_void, Potrf<T>>(self.entry::<T>(Routine::Potrf));
            potrf(&uplo, &n, a, &lda, &mut info, LEN);
        }
        self.read_int(info)
    }

    /// Solves `A X = B` in place from POTRF's factor.
    pub unsafe fn potrs<T: Scalar>(
        &self,
        uplo: u8,
        n: usize,
        nrhs: usize,
        a: *const T,
        lda: usize,
        b: *mut T,
        ldb: usize,
    ) -> i64 {
        type Potrs<T> = unsafe extern "C" fn(Char, In, In, *const T, In, *mut T, In, Out, usize);
        let (n, nrhs, lda, ldb, mut info) = (self.int(n), self.int(nrhs), self.int(lda), self.int(ldb), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let potrs = transmute::<*const c_void, Potrs<T>>(self.entry::<T>(Routine::Potrs));
            potrs(&uplo, &n, &nrhs, a, &lda, b, &ldb, &mut info, LEN);
        }
        self.read_int(info)
    }

    /// Solves `op(A) X = B` in place for the triangle `uplo` of A; with `diag` = `U` its diagonal is one and not read.
    pub unsafe fn trtrs<T: Scalar>(
        &self,
        uplo: u8,
        trans: u8,
        diag: u8,
        n: usize,
        nrhs: usize,
        a: *const T,
        lda: usize,
        b: *mut T,
        ldb: usize,
    ) -> i64 {
        type Trtrs<T> =
            unsafe extern "C" fn(Char, Char, Char, In, In, *const T, In, *mut T, In, Out, usize, usize, usize);
        let (n, nrhs, lda, ldb, mut info) = (self.int(n), self.int(nrhs), self.int(lda), self.int(ldb), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let trtrs = transmute::<*const c_void, Trtrs<T>>(self.entry::<T>(Routine::Trtrs));
            trtrs(&uplo, &trans, &diag, &n, &nrhs, a, &lda, b, &ldb, &mut info, LEN, LEN, LEN);
        }
        self.read_int(info)
    }

    /// Reciprocal condition number of the triangle `uplo` in the norm `1` or `I`. Workspaces as for [`Library::gecon`].
    pub unsafe fn trcon<T: Scalar>(
        &self,
        norm: u8,
        uplo: u8,
        n: usize,
        a: *const T,
        lda: usize,
        work: *mut T,
        aux: *mut c_void,
    ) -> f64 {
        type Trcon<T, R> = unsafe extern "C" fn(
            Char,
            Char,
            Char,
            In,
            *const T,
            In,
            *mut R,
            *mut T,
            *mut c_void,
            Out,
            usize,
            usize,
            usize,
        );
        let (n, lda, mut info, mut rcond) = (self.int(n), self.int(lda), 0, T::Real::ZERO);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let trcon = transmute::<*const c_void, Trcon<T, T::Real>>(self.entry::<T>(Routine::Trcon));
            trcon(&norm, &uplo, &b'N', &n, a, &lda, &mut rcond, work, aux, &mut info, LEN, LEN, LEN);
        }
        rcond.into()
    }

    /// Least squares by the divide-and-conquer SVD; B has max(m, n) rows, the solution lies in its first n. Singular
    /// values below `rcond` times the largest count as zero. Returns (INFO, rank). `rwork` for complex types only.
    pub unsafe fn gelsd<T: Scalar>(
        &self,
        m: usize,
        n: usize,
        nrhs: usize,
        a: *mut T,
        lda: usize,
        b: *mut T,
        ldb: usize,
        s: *mut T::Real,
        rcond: T::Real,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
        iwork: *mut i64,
    ) -> (i64, usize) {
        type Real<T> =
            unsafe extern "C" fn(In, In, In, *mut T, In, *mut T, In, *mut T, *const T, Out, *mut T, In, Out, Out);
        type Complex<T, R> = unsafe extern "C" fn(
            In,
            In,
            In,
            *mut T,
            In,
            *mut T,
            In,
            *mut R,
            *const R,
            Out,
            *mut T,
            In,
            *mut R,
            Out,
            Out,
        );
        let (m, n, nrhs, lda, ldb) = (self.int(m), self.int(n), self.int(nrhs), self.int(lda), self.int(ldb));
        let (lwork, mut rank, mut info) = (self.length(lwork), 0, 0);
        let address = self.entry::<T>(Routine::Gelsd);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let gelsd = transmute::<*const c_void, Complex<T, T::Real>>(address);
                gelsd(&m, &n, &nrhs, a, &lda, b, &ldb, s, &rcond, &mut rank, work, &lwork, rwork, iwork, &mut info);
            } else {
                let gelsd = transmute::<*const c_void, Real<T>>(address);
                let rcond = (&raw const rcond).cast();
                gelsd(&m, &n, &nrhs, a, &lda, b, &ldb, s.cast(), rcond, &mut rank, work, &lwork, iwork, &mut info);
            }
        }
        (self.read_int(info), self.read_int(rank).max(0) as usize)
    }
}
