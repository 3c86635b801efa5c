//! One 4 x 4 product by the algorithms that users name.
//!
//! A scheme for 2 x 2 matrices squared is computed in vectors of four and of eight numbers. Let the 2 x 2 blocks of A be vectors, their
//! elements column by column in the lanes. The outer scheme's sums are sums of vectors: seven of A and seven of B. A
//! transposition makes of these, and one of zeros, a vector for each element within a block, with the outer products in its lanes;
//! on such vectors the inner scheme multiplies seven pairs of blocks at once, 49 products in seven multiplications. Transposed
//! back, the results are the outer scheme's products. In float64 a vector of eight is two registers of four: that was faster than
//! one of AVX-512 on the processor at hand, which needs more steps for transpositions across the halves.
//!
//! Other schemes run as they are generated, on single numbers.

use super::four;
use super::vector::{Double, Four};
use crate::generated::{alphatensor, rank48, strassen, strassen_2, winograd, winograd_2};
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

/// A scheme for 2 x 2 matrices: its product of single elements, and its parts.
pub(crate) trait Square {
    fn product<T: Real, const FMA: bool>(a: &[T; 4], b: &[T; 4], store: impl FnMut(usize, T));
    fn left<T: Real>(a: &[T; 4]) -> [T; 7];
    fn right<T: Real>(b: &[T; 4]) -> [T; 7];
    fn combine<T: Real>(p: &[T; 7]) -> [T; 4];
}

macro_rules! square {
    ($square:ident, $module:ident) => {
        pub(crate) struct $square;

        impl Square for $square {
            #[inline(always)]
            fn product<T: Real, const FMA: bool>(a: &[T; 4], b: &[T; 4], store: impl FnMut(usize, T)) {
                $module::product::<T, FMA>(a, b, store);
            }

            #[inline(always)]
            fn left<T: Real>(a: &[T; 4]) -> [T; 7] {
                $module::left(a)
            }

            #[inline(always)]
            fn right<T: Real>(b: &[T; 4]) -> [T; 7] {
                $module::right(b)
            }

            #[inline(always)]
            fn combine<T: Real>(p: &[T; 7]) -> [T; 4] {
                $module::combine(p)
            }
        }
    };
}

square!(Strassen2, strassen_2);
square!(Winograd2, winograd_2);

/// Blocks of op(matrix), row by row. If transposed, the elements of each are row by row, else column by column.
///
/// # Safety
/// 4 x 4 elements can be read; the processor has V's instructions.
#[inline(always)]
unsafe fn blocks<V: Four>(from: *const V::Scalar, ld: usize, transposed: bool) -> [V; 4] {
    // SAFETY: the caller's.
    unsafe {
        let [a11, a21] = [V::load_block(from, ld), V::load_block(from.add(2), ld)];
        let from = from.add(2 * ld);
        let [a12, a22] = [V::load_block(from, ld), V::load_block(from.add(2), ld)];
        if transposed { [a11, a21, a12, a22] } else { [a11, a12, a21, a22] }
    }
}

/// For each element of a block, row by row, a vector of what the seven outer sums have there.
#[inline(always)]
fn elements_of<V: Four, D: Double<V>>(sums: [V; 7], transposed: bool) -> [D; 4] {
    let [p, q, r, s] = D::spread(sums);
    if transposed { [p, q, r, s] } else { [p, r, q, s] }
}

/// `C = alpha op(A) op(B) + beta C` by a scheme for 2 x 2 matrices squared.
///
/// # Safety
/// The pointers reach 4 x 4 elements each, C overlaps neither A nor B, and the processor has the instructions of V and D.
#[inline(always)]
pub(crate) unsafe fn squared<V: Four, D: Double<V>, S: Square, const TA: bool, const TB: bool>(
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
        let x = elements_of::<V, D>(S::left(&blocks(a, lda, TA)), TA);
        let y = elements_of::<V, D>(S::right(&blocks(b, ldb, TB)), TB);
        let mut z = [D::ZERO; 4];
        match V::FUSED {
            true => S::product::<D, true>(&x, &y, |at, value| z[at] = value),
            false => S::product::<D, false>(&x, &y, |at, value| z[at] = value),
        }
        let [p, q, r, s] = z;
        let [c11, c12, c21, c22] = S::combine(&D::gather([p, r, q, s]));
        let (one, zero) = (V::Scalar::of(1.0), V::Scalar::ZERO);
        let plain = alpha == one && beta == zero;
        for (block, at) in [(c11, c), (c21, c.add(2)), (c12, c.add(2 * ldc)), (c22, c.add(2 * ldc + 2))] {
            let block = match beta == zero {
                _ if plain => block,
                true => block * V::splat(alpha),
                false => block.fma(V::splat(alpha), V::splat(beta) * V::load_block(at, ldc)),
            };
            block.store_block(at, ldc);
        }
    }
}
