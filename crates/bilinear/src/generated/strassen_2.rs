//! C = A B, 2 x 2 times 2 x 2, by the scheme `strassen`: 7 products, 18 additions (5 of elements of A, 5 of B, 8 of
//! products); right up to 42 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from its
//! table of the scheme.
//! Scheme: V. Strassen, Gaussian elimination is not optimal, Numerische Mathematik 13 (1969)
//! Licence of the source: none needed.

use crate::real::Real;

#[inline(always)]
pub(crate) fn product<T: Real, const FMA: bool>(a: &[T; 4], b: &[T; 4], mut store: impl FnMut(usize, T)) {
    let [a11, a12, a21, a22] = *a;
    let [b11, b12, b21, b22] = *b;
    let s1 = a11 + a22;
    let t1 = b11 + b22;
    let p1 = s1 * t1;
    let s2 = a21 + a22;
    let p2 = s2 * b11;
    let q1 = p1 - p2;
    let t2 = b12 - b22;
    let p3 = a11 * t2;
    let t3 = b11 - b21;
    let p4 = a22 * t3;
    let q2 = p1 - p4;
    let q3 = p2 - p4;
    store(2, q3);
    let s3 = a11 + a12;
    let p5 = s3 * b22;
    let q4 = p3 + p5;
    store(1, q4);
    let s4 = a11 - a21;
    let t4 = b11 + b12;
    let q5 = (-s4).fused::<FMA>(t4, p3);
    let q6 = q1 + q5;
    store(3, q6);
    let s5 = a12 - a22;
    let t5 = b21 + b22;
    let q7 = (-s5).fused::<FMA>(t5, p5);
    let q8 = q2 - q7;
    store(0, q8);
}

/// The sums of A's elements that are factors of the products.
#[inline(always)]
pub(crate) fn left<T: Real>(a: &[T; 4]) -> [T; 7] {
    let [a11, a12, a21, a22] = *a;
    let s1 = a11 + a22;
    let s2 = a21 + a22;
    let s3 = a11 + a12;
    let s4 = a11 - a21;
    let s5 = a12 - a22;
    [s1, s2, a11, a22, s3, s4, s5]
}

/// The sums of B's elements that are factors of the products.
#[inline(always)]
pub(crate) fn right<T: Real>(b: &[T; 4]) -> [T; 7] {
    let [b11, b12, b21, b22] = *b;
    let t1 = b11 + b22;
    let t2 = b12 - b22;
    let t3 = b11 - b21;
    let t4 = b11 + b12;
    let t5 = b21 + b22;
    [t1, b11, t2, t3, b22, t4, t5]
}

/// C, row by row, from the products.
#[inline(always)]
pub(crate) fn combine<T: Real>(p: &[T; 7]) -> [T; 4] {
    let [p1, p2, p3, p4, p5, p6, p7] = *p;
    let q1 = p1 - p4;
    let q2 = p5 - p7;
    let q3 = q1 - q2;
    let q4 = p3 + p5;
    let q5 = p2 - p4;
    let q6 = p1 - p2;
    let q7 = p3 - p6;
    let q8 = q6 + q7;
    [q3, q4, q5, q8]
}
