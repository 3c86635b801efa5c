//! Inverses from factors, and pivots of the caller as the library counts them.
#![allow(clippy::missing_safety_doc, reason = "one contract for all, stated in the module above")]

use super::{In, Out};
use crate::{Library, Routine};
use lapack_ai_core::Scalar;
use std::ffi::c_void;
use std::mem::transmute;

impl Library {
    /// `inv(A)` in place from GETRF's factors. INFO > 0: that pivot is zero, and nothing was inverted.
    #[inline]
    pub unsafe fn getri<T: Scalar>(
        &self,
        n: usize,
        a: *mut T,
        lda: usize,
        ipiv: *const i64,
        work: *mut T,
        lwork: usize,
    ) -> i64 {
        type Getri<T> = unsafe extern "C" fn(In, *mut T, In, In, *mut T, In, Out);
        let (n, lda, lwork, mut info) = (self.int(n), self.int(lda), self.length(lwork), 0);
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let getri = transmute::<*const c_void, Getri<T>>(self.entry::<T>(Routine::Getri));
            getri(&n, a, &lda, ipiv, work, &lwork, &mut info);
        }
        self.read_int(info)
    }

    /// Writes element `index` of an INTEGER array for a routine to read, as wide as the library's integers.
    ///
    /// # Safety
    /// The array has more than `index` cells.
    #[inline(always)]
    pub unsafe fn write_int_at(&self, array: *mut i64, index: usize, value: i32) {
        // SAFETY: the caller's promise; both widths are aligned in an array of 64-bit cells.
        unsafe {
            match self.width() {
                crate::int::Width::Ilp64 => *array.add(index) = i64::from(value),
                crate::int::Width::Lp64 => *array.cast::<i32>().add(index) = value,
            }
        }
    }
}
