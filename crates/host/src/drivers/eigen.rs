//! Eigenproblems: general ones, pairs of matrices, and parts of a symmetric spectrum.
#![allow(clippy::missing_safety_doc, reason = "one contract for all, stated in the module above")]

use super::{Char, In, LEN, Out};
use crate::{Library, Routine};
use lapack_ai_core::Scalar;
use std::ffi::c_void;
use std::mem::transmute;

/// Which eigenvalues SYEVR and SYGVX compute: the arguments RANGE, VL, VU, IL and IU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// All.
    All,
    /// The first to the last, counted from 1, smallest first.
    Indices(usize, usize),
    /// Those in the half-open interval (VL, VU].
    Values(f64, f64),
}

impl Range {
    fn letter(self) -> u8 {
        match self {
            Range::All => b'A',
            Range::Indices(..) => b'I',
            Range::Values(..) => b'V',
        }
    }

    fn indices(self) -> (usize, usize) {
        if let Range::Indices(il, iu) = self { (il, iu) } else { (1, 1) }
    }

    fn values(self) -> (f64, f64) {
        if let Range::Values(vl, vu) = self { (vl, vu) } else { (0.0, 0.0) }
    }
}

impl Library {
    /// Eigenvalues and eigenvectors of a general matrix. Real types: `w` takes the real parts, `wi` the imaginary parts,
    /// and a conjugate pair of vectors two real columns. Complex types: `w` takes the eigenvalues, `wi` is not used, and
    /// `rwork` has 2n elements.
    #[inline]
    pub unsafe fn geev<T: Scalar>(
        &self,
        jobvl: u8,
        jobvr: u8,
        n: usize,
        a: *mut T,
        lda: usize,
        w: *mut T,
        wi: *mut T,
        vl: *mut T,
        ldvl: usize,
        vr: *mut T,
        ldvr: usize,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
    ) -> i64 {
        type Real<T> = unsafe extern "C" fn(
            Char,
            Char,
            In,
            *mut T,
            In,
            *mut T,
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
            *mut T,
            In,
            *mut T,
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
        let (n, lda, ldvl, ldvr) = (self.int(n), self.int(lda), self.int(ldvl), self.int(ldvr));
        let (lwork, mut info) = (self.length(lwork), 0);
        let address = self.entry::<T>(Routine::Geev);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let geev = transmute::<*const c_void, Complex<T, T::Real>>(address);
                geev(&jobvl, &jobvr, &n, a, &lda, w, vl, &ldvl, vr, &ldvr, work, &lwork, rwork, &mut info, LEN, LEN);
            } else {
                let geev = transmute::<*const c_void, Real<T>>(address);
                geev(&jobvl, &jobvr, &n, a, &lda, w, wi, vl, &ldvl, vr, &ldvr, work, &lwork, &mut info, LEN, LEN);
            }
        }
        self.read_int(info)
    }

    /// Eigenvalues `alpha / beta` and eigenvectors of a pair of general matrices. `alphai` for real types only, `rwork`
    /// (8n) for complex ones.
    #[inline]
    pub unsafe fn ggev<T: Scalar>(
        &self,
        jobvl: u8,
        jobvr: u8,
        n: usize,
        a: *mut T,
        lda: usize,
        b: *mut T,
        ldb: usize,
        alpha: *mut T,
        alphai: *mut T,
        beta: *mut T,
        vl: *mut T,
        ldvl: usize,
        vr: *mut T,
        ldvr: usize,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
    ) -> i64 {
        type Real<T> = unsafe extern "C" fn(
            Char,
            Char,
            In,
            *mut T,
            In,
            *mut T,
            In,
            *mut T,
            *mut T,
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
            *mut T,
            In,
            *mut T,
            In,
            *mut T,
            *mut T,
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
        let (n, lda, ldb, ldvl, ldvr) = (self.int(n), self.int(lda), self.int(ldb), self.int(ldvl), self.int(ldvr));
        let (l, r, lwork, mut info) = (&raw const jobvl, &raw const jobvr, self.length(lwork), 0);
        let address = self.entry::<T>(Routine::Ggev);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let ggev = transmute::<*const c_void, Complex<T, T::Real>>(address);
                ggev(
                    l, r, &n, a, &lda, b, &ldb, alpha, beta, vl, &ldvl, vr, &ldvr, work, &lwork, rwork, &mut info, LEN,
                    LEN,
                );
            } else {
                let ggev = transmute::<*const c_void, Real<T>>(address);
                ggev(
                    l, r, &n, a, &lda, b, &ldb, alpha, alphai, beta, vl, &ldvl, vr, &ldvr, work, &lwork, &mut info,
                    LEN, LEN,
                );
            }
        }
        self.read_int(info)
    }

    /// Eigenvalues (and with `jobz = V` eigenvectors, in A) of a symmetric or Hermitian A and a positive definite B, by
    /// divide and conquer. `itype`: 1 for `A x = l B x`, 2 for `A B x = l x`, 3 for `B A x = l x`. `rwork` and `lrwork`
    /// for complex types only.
    #[inline]
    pub unsafe fn sygvd<T: Scalar>(
        &self,
        itype: usize,
        jobz: u8,
        uplo: u8,
        n: usize,
        a: *mut T,
        lda: usize,
        b: *mut T,
        ldb: usize,
        w: *mut T::Real,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
        lrwork: usize,
        iwork: *mut i64,
        liwork: usize,
    ) -> i64 {
        type Real<T> = unsafe extern "C" fn(
            In,
            Char,
            Char,
            In,
            *mut T,
            In,
            *mut T,
            In,
            *mut T,
            *mut T,
            In,
            Out,
            In,
            Out,
            usize,
            usize,
        );
        type Complex<T, R> = unsafe extern "C" fn(
            In,
            Char,
            Char,
            In,
            *mut T,
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
        let (itype, n, lda, ldb, mut info) = (self.int(itype), self.int(n), self.int(lda), self.int(ldb), 0);
        let (lwork, lrwork, liwork) = (self.length(lwork), self.length(lrwork), self.length(liwork));
        let (job, tri) = (&raw const jobz, &raw const uplo);
        let address = self.entry::<T>(Routine::Sygvd);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let hegvd = transmute::<*const c_void, Complex<T, T::Real>>(address);
                hegvd(
                    &itype, job, tri, &n, a, &lda, b, &ldb, w, work, &lwork, rwork, &lrwork, iwork, &liwork, &mut info,
                    LEN, LEN,
                );
            } else {
                let sygvd = transmute::<*const c_void, Real<T>>(address);
                let w = w.cast();
                sygvd(&itype, job, tri, &n, a, &lda, b, &ldb, w, work, &lwork, iwork, &liwork, &mut info, LEN, LEN);
            }
        }
        self.read_int(info)
    }

    /// As [`Library::sygvd`], for the part of the spectrum that `range` names, by bisection and inverse iteration. `m`
    /// takes how many there are; `w` has n elements, `z` a column for each; `rwork` (7n) for complex types only, `iwork`
    /// 5n, `ifail` n.
    #[inline]
    pub unsafe fn sygvx<T: Scalar>(
        &self,
        itype: usize,
        jobz: u8,
        range: Range,
        uplo: u8,
        n: usize,
        a: *mut T,
        lda: usize,
        b: *mut T,
        ldb: usize,
        abstol: T::Real,
        m: &mut usize,
        w: *mut T::Real,
        z: *mut T,
        ldz: usize,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
        iwork: *mut i64,
        ifail: *mut i64,
    ) -> i64 {
        type Real<T> = unsafe extern "C" fn(
            In,
            Char,
            Char,
            Char,
            In,
            *mut T,
            In,
            *mut T,
            In,
            *const T,
            *const T,
            In,
            In,
            *const T,
            Out,
            *mut T,
            *mut T,
            In,
            *mut T,
            In,
            Out,
            Out,
            Out,
            usize,
            usize,
            usize,
        );
        type Complex<T, R> = unsafe extern "C" fn(
            In,
            Char,
            Char,
            Char,
            In,
            *mut T,
            In,
            *mut T,
            In,
            *const R,
            *const R,
            In,
            In,
            *const R,
            Out,
            *mut R,
            *mut T,
            In,
            *mut T,
            In,
            *mut R,
            Out,
            Out,
            Out,
            usize,
            usize,
            usize,
        );
        let (letter, (il, iu), (vl, vu)) = (range.letter(), range.indices(), bounds::<T>(range));
        let (itype, n, lda, ldb, ldz) = (self.int(itype), self.int(n), self.int(lda), self.int(ldb), self.int(ldz));
        let (il, iu, lwork, mut found, mut info) = (self.int(il), self.int(iu), self.length(lwork), 0, 0);
        let address = self.entry::<T>(Routine::Sygvx);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let hegvx = transmute::<*const c_void, Complex<T, T::Real>>(address);
                hegvx(
                    &itype, &jobz, &letter, &uplo, &n, a, &lda, b, &ldb, &vl, &vu, &il, &iu, &abstol, &mut found, w, z,
                    &ldz, work, &lwork, rwork, iwork, ifail, &mut info, LEN, LEN, LEN,
                );
            } else {
                let sygvx = transmute::<*const c_void, Real<T::Real>>(address);
                let (a, b, z, work) = (a.cast(), b.cast(), z.cast(), work.cast());
                sygvx(
                    &itype, &jobz, &letter, &uplo, &n, a, &lda, b, &ldb, &vl, &vu, &il, &iu, &abstol, &mut found, w, z,
                    &ldz, work, &lwork, iwork, ifail, &mut info, LEN, LEN, LEN,
                );
            }
        }
        *m = self.read_int(found).max(0) as usize;
        self.read_int(info)
    }

    /// The part of the spectrum of a symmetric or Hermitian matrix that `range` names, by relatively robust
    /// representations where it is the whole, else by bisection and inverse iteration. `m` takes how many there are; `w`
    /// has n elements, `z` a column for each, `isuppz` 2n; `rwork` and `lrwork` for complex types only.
    #[inline]
    pub unsafe fn syevr<T: Scalar>(
        &self,
        jobz: u8,
        range: Range,
        uplo: u8,
        n: usize,
        a: *mut T,
        lda: usize,
        abstol: T::Real,
        m: &mut usize,
        w: *mut T::Real,
        z: *mut T,
        ldz: usize,
        isuppz: *mut i64,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
        lrwork: usize,
        iwork: *mut i64,
        liwork: usize,
    ) -> i64 {
        type Real<T> = unsafe extern "C" fn(
            Char,
            Char,
            Char,
            In,
            *mut T,
            In,
            *const T,
            *const T,
            In,
            In,
            *const T,
            Out,
            *mut T,
            *mut T,
            In,
            Out,
            *mut T,
            In,
            Out,
            In,
            Out,
            usize,
            usize,
            usize,
        );
        type Complex<T, R> = unsafe extern "C" fn(
            Char,
            Char,
            Char,
            In,
            *mut T,
            In,
            *const R,
            *const R,
            In,
            In,
            *const R,
            Out,
            *mut R,
            *mut T,
            In,
            Out,
            *mut T,
            In,
            *mut R,
            In,
            Out,
            In,
            Out,
            usize,
            usize,
            usize,
        );
        let (letter, (il, iu), (vl, vu)) = (range.letter(), range.indices(), bounds::<T>(range));
        let (n, lda, ldz, il, iu) = (self.int(n), self.int(lda), self.int(ldz), self.int(il), self.int(iu));
        let (lwork, lrwork, liwork) = (self.length(lwork), self.length(lrwork), self.length(liwork));
        let (mut found, mut info) = (0, 0);
        let address = self.entry::<T>(Routine::Syevr);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let heevr = transmute::<*const c_void, Complex<T, T::Real>>(address);
                heevr(
                    &jobz, &letter, &uplo, &n, a, &lda, &vl, &vu, &il, &iu, &abstol, &mut found, w, z, &ldz, isuppz,
                    work, &lwork, rwork, &lrwork, iwork, &liwork, &mut info, LEN, LEN, LEN,
                );
            } else {
                let syevr = transmute::<*const c_void, Real<T::Real>>(address);
                let (a, z, work) = (a.cast(), z.cast(), work.cast());
                syevr(
                    &jobz, &letter, &uplo, &n, a, &lda, &vl, &vu, &il, &iu, &abstol, &mut found, w, z, &ldz, isuppz,
                    work, &lwork, iwork, &liwork, &mut info, LEN, LEN, LEN,
                );
            }
        }
        *m = self.read_int(found).max(0) as usize;
        self.read_int(info)
    }
}

/// VL and VU in the type's precision.
fn bounds<T: Scalar>(range: Range) -> (T::Real, T::Real) {
    use lapack_ai_core::Real;
    let (vl, vu) = range.values();
    (T::Real::from_f64(vl), T::Real::from_f64(vu))
}
