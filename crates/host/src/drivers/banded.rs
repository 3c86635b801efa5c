//! Banded and tridiagonal systems. A band matrix with kl lower and ku upper diagonals lies in an array AB whose column j
//! holds column j of A: element (i, j) at row `kl + ku + i - j` for `xGBTRF`, whose first kl rows are room for fill-in.
#![allow(clippy::missing_safety_doc, reason = "one contract for all, stated in the module above")]

use super::{Char, In, LEN, Out};
use crate::{Library, Routine};
use lapack_ai_core::Scalar;
use std::ffi::c_void;
use std::mem::transmute;

impl Library {
    /// `A = P L U` of a square band matrix; `ldab >= 2 kl + ku + 1`.
    pub unsafe fn gbtrf<T: Scalar>(
        &self,
        n: usize,
        kl: usize,
        ku: usize,
        ab: *mut T,
        ldab: usize,
        ipiv: *mut i64,
    ) -> i64 {
        type Gbtrf<T> = unsafe extern "C" fn(In, In, In, In, *mut T, In, Out, Out);
        let (n, kl, ku, ldab, mut info) = (self.int(n), self.int(kl), self.int(ku), self.int(ldab), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let gbtrf = transmute::<*const c_void, Gbtrf<T>>(self.entry::<T>(Routine::Gbtrf));
            gbtrf(&n, &n, &kl, &ku, ab, &ldab, ipiv, &mut info);
        }
        self.read_int(info)
    }

    /// Solves `A X = B` in place from GBTRF's factors.
    pub unsafe fn gbtrs<T: Scalar>(
        &self,
        n: usize,
        kl: usize,
        ku: usize,
        nrhs: usize,
        ab: *const T,
        ldab: usize,
        ipiv: *const i64,
        b: *mut T,
        ldb: usize,
    ) -> i64 {
        type Gbtrs<T> = unsafe extern "C" fn(Char, In, In, In, In, *const T, In, In, *mut T, In, Out, usize);
        let (n, kl, ku, nrhs) = (self.int(n), self.int(kl), self.int(ku), self.int(nrhs));
        let (ldab, ldb, mut info) = (self.int(ldab), self.int(ldb), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let gbtrs = transmute::<*const c_void, Gbtrs<T>>(self.entry::<T>(Routine::Gbtrs));
            gbtrs(&b'N', &n, &kl, &ku, &nrhs, ab, &ldab, ipiv, b, &ldb, &mut info, LEN);
        }
        self.read_int(info)
    }

    /// Reciprocal condition number in the 1-norm from GBTRF's factors. `work` has 3n elements, `aux` n integer cells
    /// (real types) or n reals (complex).
    pub unsafe fn gbcon<T: Scalar>(
        &self,
        n: usize,
        kl: usize,
        ku: usize,
        ab: *const T,
        ldab: usize,
        ipiv: *const i64,
        anorm: T::Real,
        work: *mut T,
        aux: *mut c_void,
    ) -> f64 {
        type Gbcon<T, R> =
            unsafe extern "C" fn(Char, In, In, In, *const T, In, In, *const R, *mut R, *mut T, *mut c_void, Out, usize);
        let (n, kl, ku, ldab) = (self.int(n), self.int(kl), self.int(ku), self.int(ldab));
        let (mut info, mut rcond) = (0, T::Real::ZERO);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let gbcon = transmute::<*const c_void, Gbcon<T, T::Real>>(self.entry::<T>(Routine::Gbcon));
            gbcon(&b'1', &n, &kl, &ku, ab, &ldab, ipiv, &anorm, &mut rcond, work, aux, &mut info, LEN);
        }
        rcond.into()
    }

    /// `A = L U` of a tridiagonal matrix given by its diagonals, partial pivoting. `dl` and `du` have n - 1 elements, `du2`
    /// takes n - 2.
    pub unsafe fn gttrf<T: Scalar>(
        &self,
        n: usize,
        dl: *mut T,
        d: *mut T,
        du: *mut T,
        du2: *mut T,
        ipiv: *mut i64,
    ) -> i64 {
        type Gttrf<T> = unsafe extern "C" fn(In, *mut T, *mut T, *mut T, *mut T, Out, Out);
        let (n, mut info) = (self.int(n), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let gttrf = transmute::<*const c_void, Gttrf<T>>(self.entry::<T>(Routine::Gttrf));
            gttrf(&n, dl, d, du, du2, ipiv, &mut info);
        }
        self.read_int(info)
    }

    /// Solves `A X = B` in place from GTTRF's factors.
    pub unsafe fn gttrs<T: Scalar>(
        &self,
        n: usize,
        nrhs: usize,
        dl: *const T,
        d: *const T,
        du: *const T,
        du2: *const T,
        ipiv: *const i64,
        b: *mut T,
        ldb: usize,
    ) -> i64 {
        type Gttrs<T> =
            unsafe extern "C" fn(Char, In, In, *const T, *const T, *const T, *const T, In, *mut T, In, Out, usize);
        let (n, nrhs, ldb, mut info) = (self.int(n), self.int(nrhs), self.int(ldb), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let gttrs = transmute::<*const c_void, Gttrs<T>>(self.entry::<T>(Routine::Gttrs));
            gttrs(&b'N', &n, &nrhs, dl, d, du, du2, ipiv, b, &ldb, &mut info, LEN);
        }
        self.read_int(info)
    }

    /// Reciprocal condition number in the 1-norm from GTTRF's factors. `work` has 2n elements, `iwork` n cells (real
    /// types only).
    pub unsafe fn gtcon<T: Scalar>(
        &self,
        n: usize,
        dl: *const T,
        d: *const T,
        du: *const T,
        du2: *const T,
        ipiv: *const i64,
        anorm: T::Real,
        work: *mut T,
        iwork: *mut i64,
    ) -> f64 {
        type Real<T> = unsafe extern "C" fn(
            Char,
            In,
            *const T,
            *const T,
            *const T,
            *const T,
            In,
            *const T,
            *mut T,
            *mut T,
            Out,
            Out,
            usize,
        );
        type Complex<T, R> = unsafe extern "C" fn(
            Char,
            In,
            *const T,
            *const T,
            *const T,
            *const T,
            In,
            *const R,
            *mut R,
            *mut T,
            Out,
            usize,
        );
        let (n, mut info, mut rcond) = (self.int(n), 0, T::Real::ZERO);
        let address = self.entry::<T>(Routine::Gtcon);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let con = transmute::<*const c_void, Complex<T, T::Real>>(address);
                con(&b'1', &n, dl, d, du, du2, ipiv, &anorm, &mut rcond, work, &mut info, LEN);
            } else {
                let con = transmute::<*const c_void, Real<T>>(address);
                let (anorm, rcond) = ((&raw const anorm).cast(), (&raw mut rcond).cast());
                con(&b'1', &n, dl, d, du, du2, ipiv, anorm, rcond, work, iwork, &mut info, LEN);
            }
        }
        rcond.into()
    }

    /// Cholesky factor of a Hermitian positive definite band matrix with `kd` diagonals beside the main one, in place:
    /// element (i, j) at row `i - j` (`L`) or `kd + i - j` (`U`) of column j.
    pub unsafe fn pbtrf<T: Scalar>(&self, uplo: u8, n: usize, kd: usize, ab: *mut T, ldab: usize) -> i64 {
        type Pbtrf<T> = unsafe extern "C" fn(Char, In, In, *mut T, In, Out, usize);
        let (n, kd, ldab, mut info) = (self.int(n), self.int(kd), self.int(ldab), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let pbtrf = transmute::<*const c_void, Pbtrf<T>>(self.entry::<T>(Routine::Pbtrf));
            pbtrf(&uplo, &n, &kd, ab, &ldab, &mut info, LEN);
        }
        self.read_int(info)
    }

    /// Solves `A X = B` in place from PBTRF's factor.
    pub unsafe fn pbtrs<T: Scalar>(
        &self,
        uplo: u8,
        n: usize,
        kd: usize,
        nrhs: usize,
        ab: *const T,
        ldab: usize,
        b: *mut T,
        ldb: usize,
    ) -> i64 {
        type Pbtrs<T> = unsafe extern "C" fn(Char, In, In, In, *const T, In, *mut T, In, Out, usize);
        let (n, kd, nrhs) = (self.int(n), self.int(kd), self.int(nrhs));
        let (ldab, ldb, mut info) = (self.int(ldab), self.int(ldb), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let pbtrs = transmute::<*const c_void, Pbtrs<T>>(self.entry::<T>(Routine::Pbtrs));
            pbtrs(&uplo, &n, &kd, &nrhs, ab, &ldab, b, &ldb, &mut info, LEN);
        }
        self.read_int(info)
    }

    /// Reciprocal condition number from PBTRF's factor. Workspaces as for [`Library::gbcon`].
    pub unsafe fn pbcon<T: Scalar>(
        &self,
        uplo: u8,
        n: usize,
        kd: usize,
        ab: *const T,
        ldab: usize,
        anorm: T::Real,
        work: *mut T,
        aux: *mut c_void,
    ) -> f64 {
        type Pbcon<T, R> =
            unsafe extern "C" fn(Char, In, In, *const T, In, *const R, *mut R, *mut T, *mut c_void, Out, usize);
        let (n, kd, ldab) = (self.int(n), self.int(kd), self.int(ldab));
        let (mut info, mut rcond) = (0, T::Real::ZERO);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let pbcon = transmute::<*const c_void, Pbcon<T, T::Real>>(self.entry::<T>(Routine::Pbcon));
            pbcon(&uplo, &n, &kd, ab, &ldab, &anorm, &mut rcond, work, aux, &mut info, LEN);
        }
        rcond.into()
    }
}
