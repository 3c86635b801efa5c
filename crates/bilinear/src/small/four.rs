//! One 4 x 4 product by its definition, all in registers:
//!
//! ```text
//!     C(:, j) = alpha ((A(:, 0) b(0, j) + A(:, 1) b(1, j)) + (A(:, 2) b(2, j) + A(:, 3) b(3, j))) + beta C(:, j).
//! ```

use super::vector::Four;
use crate::real::Real;

/// Code for 4 x 4 matrices: alpha, A, its leading dimension, B, its leading dimension, beta, C, its leading dimension. All
/// arguments travel in registers.
pub(crate) type FourCode<T> = unsafe fn(T, *const T, usize, *const T, usize, T, *mut T, usize);

/// Columns of op(A).
///
/// # Safety
/// Four columns of four can be read; the processor has V's instructions.
#[inline(always)]
pub(crate) unsafe fn columns<V: Four>(from: *const V::Scalar, ld: usize, transposed: bool) -> [V; 4] {
    // SAFETY: the caller's.
    let columns =
        unsafe { [V::load(from), V::load(from.add(ld)), V::load(from.add(2 * ld)), V::load(from.add(3 * ld))] };
    if transposed { V::transposed(columns) } else { columns }
}

/// `alpha sum + beta C`, column by column.
///
/// # Safety
/// Four columns of four can be read and written; the processor has V's instructions.
#[inline(always)]
pub(crate) unsafe fn put<V: Four>(sums: [V; 4], alpha: V::Scalar, beta: V::Scalar, c: *mut V::Scalar, ldc: usize) {
    let (one, zero) = (V::Scalar::of(1.0), V::Scalar::ZERO);
    // SAFETY: the caller's.
    unsafe {
        if beta == zero && alpha == one {
            for (j, sum) in sums.into_iter().enumerate() {
                sum.store(c.add(j * ldc));
            }
            return;
        }
        let by = V::splat(alpha);
        if beta == zero {
            for (j, sum) in sums.into_iter().enumerate() {
                (by * sum).store(c.add(j * ldc));
            }
            return;
        }
        let old = V::splat(beta);
        for (j, sum) in sums.into_iter().enumerate() {
            let to = c.add(j * ldc);
            sum.fma(by, old * V::load(to)).store(to);
        }
    }
}

/// `C = alpha op(A) op(B) + beta C`, op transposition of A if `TA`, of B if `TB`.
///
/// # Safety
/// The pointers reach 4 x 4 elements each, C overlaps neither A nor B, and the processor has V's instructions.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Four, const TA: bool, const TB: bool>(
    alpha: V::Scalar,
    a: *const V::Scalar,
    lda: usize,
    b: *const V::Scalar,
    ldb: usize,
    beta: V::Scalar,
    c: *mut V::Scalar,
    ldc: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let x = columns::<V>(a, lda, TA);
        let (rsb, csb) = if TB { (ldb, 1) } else { (1, ldb) };
        let mut sums = [V::ZERO; 4];
        for (j, sum) in sums.iter_mut().enumerate() {
            let y = b.add(j * csb);
            let first = x[1].fma(V::splat(*y.add(rsb)), x[0] * V::splat(*y));
            let second = x[3].fma(V::splat(*y.add(3 * rsb)), x[2] * V::splat(*y.add(2 * rsb)));
            *sum = first + second;
        }
        put::<V>(sums, alpha, beta, c, ldc);
    }
}
