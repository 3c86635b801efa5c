// C = A B, 2 x 2 times 2 x 2, by the scheme `strassen`: 7 products, 18 additions (5 of elements of A, 5 of B, 8 of
// products); right up to 42 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from its
// table of the scheme.
// Scheme: V. Strassen, Gaussian elimination is not optimal, Numerische Mathematik 13 (1969)
// Licence of the source: none needed.
//
// What is computed for each place of a block; gemm_fast_blocks.cl has what blocks and products are.

#define PRODUCTS 7

static inline void sums_of_a(const Blocks *x, const Batch *y) {
    const V a11 = take(x, 0, 0);
    const V a12 = take(x, 0, 1);
    const V a21 = take(x, 1, 0);
    const V a22 = take(x, 1, 1);
    const V s1 = a11 + a22;
    put(y, 0, s1);
    const V s2 = a21 + a22;
    put(y, 1, s2);
    put(y, 2, a11);
    put(y, 3, a22);
    const V s3 = a11 + a12;
    put(y, 4, s3);
    const V s4 = a11 - a21;
    put(y, 5, s4);
    const V s5 = a12 - a22;
    put(y, 6, s5);
}

static inline void sums_of_b(const Blocks *x, const Batch *y) {
    const V b11 = take(x, 0, 0);
    const V b12 = take(x, 0, 1);
    const V b21 = take(x, 1, 0);
    const V b22 = take(x, 1, 1);
    const V t1 = b11 + b22;
    put(y, 0, t1);
    put(y, 1, b11);
    const V t2 = b12 - b22;
    put(y, 2, t2);
    const V t3 = b11 - b21;
    put(y, 3, t3);
    put(y, 4, b22);
    const V t4 = b11 + b12;
    put(y, 5, t4);
    const V t5 = b21 + b22;
    put(y, 6, t5);
}

static inline void combine(const Batch *y, const Target *z) {
    const V p1 = product(y, 0);
    const V p2 = product(y, 1);
    const V q1 = p1 - p2;
    const V p3 = product(y, 2);
    const V p4 = product(y, 3);
    const V q2 = p1 - p4;
    const V q3 = p2 - p4;
    give(z, 1, 0, q3);
    const V p5 = product(y, 4);
    const V q4 = p3 + p5;
    give(z, 0, 1, q4);
    const V p6 = product(y, 5);
    const V q5 = p3 - p6;
    const V q6 = q1 + q5;
    give(z, 1, 1, q6);
    const V p7 = product(y, 6);
    const V q7 = p5 - p7;
    const V q8 = q2 - q7;
    give(z, 0, 0, q8);
}
