//! One 4 x 4 product by the algorithms that users name.

use super::four;
use super::vector::Four;
use crate::generated::{alphatensor, rank48, strassen, winograd};
use crate::real::Real;

/// The generated code of a scheme: calls `store(z, value)` for every element of A B, all counted row by row.
pub(crate) trait Scheme {
    fn product<T: Real, const FMA: bool>(a: &[T; 16], b: &[T; 16], store: impl FnMut(usize, T));
}

macro_rules! scheme {
    ($scheme:ident, $($function:ident)::+) => {
        pub(crate) struct $scheme;

        impl Scheme for $scheme {
            #[inline(always)]
            fn product<T: Real, const FMA: bool>(a: &[T; 16], b: &[T; 16], store: impl FnMut(usize, T)) {
                $($function)::+::<T, FMA>(a, b, store);
            }
        }
    };
}

scheme!(Strassen, strassen::strassen);
scheme!(Winograd, winograd::winograd);
scheme!(AlphaTensor, alphatensor::alphatensor);
scheme!(Rank48, rank48::rank48);

/// op(matrix), column after column.
///
/// # Safety
/// 4 x 4 elements can be read; the processor has V's instructions.
#[inline(always)]
unsafe fn elements<V: Four>(from: *const V::Scalar, ld: usize, transposed: bool) -> [V::Scalar; 16] {
    let mut elements = [V::Scalar::ZERO; 16];
    // SAFETY: the caller's.
    unsafe {
        for (j, column) in four::columns::<V>(from, ld, transposed).into_iter().enumerate() {
            column.store(elements.as_mut_ptr().add(4 * j));
        }
    }
    elements
}

/// `C = alpha op(A) op(B) + beta C` by the code of a scheme on single numbers.
///
/// # Safety
/// The pointers reach 4 x 4 elements each, C overlaps neither A nor B, and the processor has V's instructions.
#[inline(always)]
pub(crate) unsafe fn scalars<V: Four, S: Scheme, const TA: bool, const TB: bool>(
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
        // What lies column by column is the transpose, row by row: C^T = op(B)^T op(A)^T is computed.
        let (x, y) = (elements::<V>(b, ldb, TB), elements::<V>(a, lda, TA));
        let mut sums = [V::Scalar::ZERO; 16];
        match V::FUSED {
            true => S::product::<V::Scalar, true>(&x, &y, |z, sum| sums[z] = sum),
            false => S::product::<V::Scalar, false>(&x, &y, |z, sum| sums[z] = sum),
        }
        let from = sums.as_ptr();
        let columns = [V::load(from), V::load(from.add(4)), V::load(from.add(8)), V::load(from.add(12))];
        four::put::<V>(columns, alpha, beta, c, ldc);
    }
}
