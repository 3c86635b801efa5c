//! Working copies of banded matrices, in the forms that LAPACK has for them.

use crate::intake::{self, Part, Swept, Want};
use lapack_ai_core::{MatrixView, Scalar};

/// Copies the band of `a` to LAPACK's band storage: element (i, j) to row `kl + ku + i - j` of column j, under kl rows of
/// room for fill-in. Returns address, leading dimension and what the sweep found.
///
/// # Safety
/// `target` must hold `(2 kl + ku + 1) n` elements.
pub(super) unsafe fn take_in_band<T: Scalar>(
    a: MatrixView<'_, T>,
    kl: usize,
    ku: usize,
    target: *mut T,
) -> (*mut T, usize, Swept) {
    let (n, ldab) = (a.rows(), 2 * kl + ku + 1);
    for j in 0..n {
        for i in j.saturating_sub(ku)..n.min(j + kl + 1) {
            // SAFETY: the row is below `ldab`, since i - j <= kl.
            unsafe { *target.add(j * ldab + kl + ku + i - j) = a.get(i, j) };
        }
    }
    (target, ldab, intake::inspect(a, Part::Band { lower: kl, upper: ku }, Want::Norm))
}

/// Copies the three diagonals of `a` one after the other, n elements apart: below, main, above.
///
/// # Safety
/// `target` must hold 3n elements.
pub(super) unsafe fn take_in_diagonals<T: Scalar>(a: MatrixView<'_, T>, target: *mut T) -> (*mut T, usize, Swept) {
    let n = a.rows();
    for i in 0..n {
        // SAFETY: all offsets are below 3n.
        unsafe {
            *target.add(n + i) = a.get(i, i);
            if i + 1 < n {
                *target.add(i) = a.get(i + 1, i);
                *target.add(2 * n + i) = a.get(i, i + 1);
            }
        }
    }
    (target, n, intake::inspect(a, Part::Band { lower: 1, upper: 1 }, Want::Norm))
}
