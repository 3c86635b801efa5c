//! The way to the code for 4 x 4 products for those to whom each nanosecond counts: nothing to be kept across a call.

use super::dispatch::{self, Element};
use crate::product::Algorithm;

/// Code for 4 x 4 products: `C = alpha op(A) op(B) + beta C` from alpha, A, its leading dimension, B, its leading dimension, beta,
/// C, its leading dimension; as in [`super::Kernels::gemm_raw`].
pub type Four<T> = unsafe fn(T, *const T, usize, *const T, usize, T, *mut T, usize);

/// The code for this processor, or before the first product one that finds it out. There is one for every algorithm.
#[inline(always)]
pub fn four<T: Element>(algorithm: Algorithm, transpose: [bool; 2]) -> Option<Four<T>> {
    let [a, b] = transpose.map(usize::from);
    Some(dispatch::four()[algorithm as usize][a][b])
}
