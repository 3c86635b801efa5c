//! Typed calls. Each wrapper has LAPACK's argument order; sizes are `usize`, the return value is INFO.
//!
//! All wrappers share one contract, which is their safety section:
//! * matrices are column-major with the stated leading dimension, workspaces at least as long as LAPACK's documentation
//!   (or the routine's own query, `lwork = QUERY`) says, all pointers valid for that, and nothing else touches them;
//! * integer arrays (`ipiv`, `iwork`) have one `i64` cell an element, whatever the library's width;
//! * every size has passed [`Library::check_sizes`];
//! * optional routines have been asked for with [`Library::has`].
//!
//! Real and complex routines differ in their workspaces. Where the complex one takes RWORK and the real one does not,
//! the wrapper takes `rwork` and passes it on only for complex types.
#![allow(clippy::missing_safety_doc, reason = "one contract for all, stated above")]

mod banded;
mod decompositions;
mod eigen;
mod inverse;
mod mixed;
mod schur;
mod systems;

pub use eigen::Range;

use crate::{Library, Routine};
use lapack_ai_core::Scalar;
use std::ffi::c_void;
use std::mem::transmute;

type In = *const i64;
type Out = *mut i64;
/// CHARACTER argument: the address of one letter; its hidden length follows the visible arguments.
type Char = *const u8;
/// Hidden length of a CHARACTER argument.
const LEN: usize = 1;

impl Library {
    #[inline(always)]
    fn int(&self, value: usize) -> i64 {
        self.width().encode(value as i64)
    }

    /// `lwork` as LAPACK takes it: [`Library::QUERY`] is -1.
    #[inline(always)]
    fn length(&self, value: usize) -> i64 {
        if value == Self::QUERY { self.width().encode(-1) } else { self.int(value) }
    }

    #[inline(always)]
    fn entry<T: Scalar>(&self, routine: Routine) -> *const c_void {
        let address = self.address(routine, T::DTYPE);
        debug_assert!(!address.is_null(), "{routine:?} for {:?}", T::DTYPE);
        address
    }

    /// Workspace length that asks a routine for its optimal one, left in the first element of the workspace.
    pub const QUERY: usize = usize::MAX;

    /// Reads an INTEGER cell that a routine wrote.
    #[inline(always)]
    pub fn read_int(&self, cell: i64) -> i64 {
        self.width().decode(cell)
    }

    /// Reads element `index` of an INTEGER array that a routine wrote: its elements are as wide as the library's integers.
    ///
    /// # Safety
    /// The array has more than `index` elements.
    #[inline(always)]
    pub unsafe fn read_int_at(&self, array: *const i64, index: usize) -> i64 {
        // SAFETY: the caller's promise; both widths are aligned in an array of 64-bit cells.
        unsafe {
            match self.width() {
                crate::int::Width::Ilp64 => *array.add(index),
                crate::int::Width::Lp64 => i64::from(*array.cast::<i32>().add(index)),
            }
        }
    }

    /// `C := alpha op(A) op(B) + beta C`, op chosen by `N`, `T` or `C`; C is m x n, the inner dimension k.
    #[inline]
    pub unsafe fn gemm<T: Scalar>(
        &self,
        transa: u8,
        transb: u8,
        m: usize,
        n: usize,
        k: usize,
        alpha: T,
        a: *const T,
        lda: usize,
        b: *const T,
        ldb: usize,
        beta: T,
        c: *mut T,
        ldc: usize,
    ) {
        type Gemm<T> = unsafe extern "C" fn(
            Char,
            Char,
            In,
            In,
            In,
            *const T,
            *const T,
            In,
            *const T,
            In,
            *const T,
            *mut T,
            In,
            usize,
            usize,
        );
        let (m, n, k) = (self.int(m), self.int(n), self.int(k));
        let (lda, ldb, ldc) = (self.int(lda), self.int(ldb), self.int(ldc));
        // SAFETY: the routine's documented interface, and this module's contract.
        unsafe {
            let gemm = transmute::<*const c_void, Gemm<T>>(self.entry::<T>(Routine::Gemm));
            gemm(&transa, &transb, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc, LEN, LEN);
        }
    }
}
