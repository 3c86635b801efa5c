//! The Schur form.
#![allow(clippy::missing_safety_doc, reason = "one contract for all, stated in the module above")]

use super::{Char, In, LEN, Out};
use crate::{Library, Routine};
use lapack_ai_core::Scalar;
use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::{null, null_mut};

impl Library {
    /// `A = Z T Z^H`, eigenvalues in the order in which they are found: T in A, Z in `vs`. Real types: `w` and `wi` take the
    /// parts of the eigenvalues. Complex types: `w` takes the eigenvalues, `wi` is not used, and `rwork` has n elements.
    #[inline]
    pub unsafe fn gees<T: Scalar>(
        &self,
        n: usize,
        a: *mut T,
        lda: usize,
        w: *mut T,
        wi: *mut T,
        vs: *mut T,
        ldvs: usize,
        work: *mut T,
        lwork: usize,
        rwork: *mut T::Real,
    ) -> i64 {
        type Real<T> = unsafe extern "C" fn(
            Char,
            Char,
            *const c_void,
            In,
            *mut T,
            In,
            Out,
            *mut T,
            *mut T,
            *mut T,
            In,
            *mut T,
            In,
            Out,
            Out,
            usize,
            usize,
        );
        type Complex<T, R> = unsafe extern "C" fn(
            Char,
            Char,
            *const c_void,
            In,
            *mut T,
            In,
            Out,
            *mut T,
            *mut T,
            In,
            *mut T,
            In,
            *mut R,
            Out,
            Out,
            usize,
            usize,
        );
        let (n, lda, ldvs, lwork) = (self.int(n), self.int(lda), self.int(ldvs), self.length(lwork));
        let (mut sdim, mut info) = (0, 0);
        let address = self.entry::<T>(Routine::Gees);
        // Without sorting, SELECT is not called and BWORK not used.
        let (job, sort, select, bwork) = (&raw const b"V"[0], &raw const b"N"[0], null(), null_mut());
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            if T::DTYPE.is_complex() {
                let gees = transmute::<*const c_void, Complex<T, T::Real>>(address);
                gees(
                    job, sort, select, &n, a, &lda, &mut sdim, w, vs, &ldvs, work, &lwork, rwork, bwork, &mut info,
                    LEN, LEN,
                );
            } else {
                let gees = transmute::<*const c_void, Real<T>>(address);
                gees(
                    job, sort, select, &n, a, &lda, &mut sdim, w, wi, vs, &ldvs, work, &lwork, bwork, &mut info, LEN,
                    LEN,
                );
            }
        }
        self.read_int(info)
    }
}
