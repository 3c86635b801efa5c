//! One 4 x 4 product by the algorithms that users name.
//!
//! A scheme for 2 x 2 matrices squared is computed in vectors of four and of eight numbers. Let the 2 x 2 blocks of A be vectors, their
//! elements column by column in the lanes. The outer scheme's sums are sums of vectors: seven of A and seven of B. A
//! transposition makes of these, and one of zeros, a vector for each element within a block, with the outer products in its lanes;
//! on such vectors the inner scheme multiplies seven pairs of blocks at once, 49 products in seven multiplications. Transposed
//! back, the results are the outer scheme's products.
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

/// Four vectors, one for each position in a block, of the seven outer sums; the eighth lane is 0.
#[inline(always)]
fn across<V: Four, D: Double<V>>([p, q, r, s, t, u, v]: [V; 7]) -> [D; 4] {
    let (low, high) = (V::transposed([p, q, r, s]), V::transposed([t, u, v, V::ZERO]));
    // Lanes are column by column, the scheme's elements row by row.
    [0, 2, 1, 3].map(|z| D::join(low[z], high[z]))
}

/// Blocks of the columns of a matrix, row by row, and back.
#[inline(always)]
fn blocks<V: Four>([p, q, r, s]: [V; 4]) -> [V; 4] {
    let ([a11, a21], [a12, a22]) = (p.halves(q), r.halves(s));
    [a11, a12, a21, a22]
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
        let x = across::<V, D>(S::left(&blocks(four::columns::<V>(a, lda, TA))));
        let y = across::<V, D>(S::right(&blocks(four::columns::<V>(b, ldb, TB))));
        let mut z = [D::ZERO; 4];
        match V::FUSED {
            true => S::product::<D, true>(&x, &y, |at, value| z[at] = value),
            false => S::product::<D, false>(&x, &y, |at, value| z[at] = value),
        }
        let [[p, t], [r, v], [q, u], [s, w]] = z.map(D::split);
        let ([p1, p2, p3, p4], [p5, p6, p7, _]) = (V::transposed([p, q, r, s]), V::transposed([t, u, v, w]));
        let [c11, c12, c21, c22] = S::combine(&[p1, p2, p3, p4, p5, p6, p7]);
        let ([first, second], [third, fourth]) = (c11.halves(c21), c12.halves(c22));
        four::put::<V>([first, second, third, fourth], alpha, beta, c, ldc);
    }
}
