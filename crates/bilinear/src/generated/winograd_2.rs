//! C = A B, 2 x 2 times 2 x 2, by the scheme `winograd`: 7 products, 15 additions (4 of elements of A, 4 of B, 7 of
//! products); right up to 83 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from its
//! table of the scheme.
//! Scheme: S. Winograd, in: R. L. Probert, On the additive complexity of matrix multiplication, SIAM Journal on
//! Computing 5 (1976)
//! Licence of the source: none needed.

use crate::real::Real;

#[inline(always)]
pub(crate) fn product<T: Real, const FMA: bool>(a: &[T; 4], b: &[T; 4], mut store: impl FnMut(usize, T)) {
    let [a11, a12, a21, a22] = *a;
    let [b11, b12, b21, b22] = *b;
    let p1 = a11 * b11;
    let q1 = a12.fused::<FMA>(b21, p1);
    store(0, q1);
    let s1 = a21 + a22;
    let s2 = a11 - s1; // a11 - a21 - a22
    let t1 = b12 - b22;
    let t2 = b11 - t1; // b11 - b12 + b22
    let q2 = (-s2).fused::<FMA>(t2, p1);
    let t3 = b11 - b12;
    let p4 = s1 * t3;
    let s3 = a12 + s2; // a11 + a12 - a21 - a22
    let q3 = (-s3).fused::<FMA>(b22, p4);
    let q4 = q2 - q3;
    store(1, q4);
    let t4 = b21 - t2; // -b11 + b12 + b21 - b22
    let s4 = a11 - a21;
    let q5 = s4.fused::<FMA>(t1, -q2);
    let q6 = a22.fused::<FMA>(t4, -q5);
    store(2, q6);
    let q7 = p4 + q5;
    store(3, -q7);
}

/// The sums of A's elements that are factors of the products.
#[inline(always)]
pub(crate) fn left<T: Real>(a: &[T; 4]) -> [T; 7] {
    let [a11, a12, a21, a22] = *a;
    let s1 = a21 + a22;
    let s2 = a11 - s1;
    let s3 = a12 + s2;
    let s4 = a11 - a21;
    [a11, a12, s2, s1, s3, a22, s4]
}

/// The sums of B's elements that are factors of the products.
#[inline(always)]
pub(crate) fn right<T: Real>(b: &[T; 4]) -> [T; 7] {
    let [b11, b12, b21, b22] = *b;
    let t1 = b12 - b22;
    let t2 = b11 - t1;
    let t3 = b11 - b12;
    let t4 = b21 - t2;
    [b11, b21, t2, t3, b22, t4, t1]
}

/// C, row by row, from the products.
#[inline(always)]
pub(crate) fn combine<T: Real>(p: &[T; 7]) -> [T; 4] {
    let [p1, p2, p3, p4, p5, p6, p7] = *p;
    let q1 = p1 - p3;
    let q2 = p7 - q1;
    let q3 = p1 + p2;
    let q4 = p4 - p5;
    let q5 = q1 - q4;
    let q6 = p6 - q2;
    let q7 = p4 + q2;
    [q3, q5, q6, -q7]
}
