//! The way to the code for 4 x 4 products for those to whom each nanosecond counts: nothing to be kept across a call.

use super::dispatch::Element;
use crate::product::Algorithm;
use std::sync::atomic::Ordering;

/// Code for 4 x 4 products: `C = alpha op(A) op(B) + beta C` from alpha, A, its leading dimension, B, its leading dimension, beta,
/// C, its leading dimension. Alpha must not be 0; the rest as in [`super::Kernels::gemm_raw`].
pub type Four<T> = unsafe fn(T, *const T, usize, *const T, usize, T, *mut T, usize);

/// The code for this processor; `None` before the first product that [`super::best`] computed, which finds out what it has.
#[inline(always)]
pub fn four<T: Element>(algorithm: Algorithm, transpose: [bool; 2]) -> Option<Four<T>> {
    let chosen = T::chosen().load(Ordering::Relaxed);
    // SAFETY: null, or from a reference to a static.
    let table = unsafe { chosen.as_ref() }?;
    let [a, b] = transpose.map(usize::from);
    Some(table.four[algorithm as usize][a][b])
}
