// C = A B, 2 x 2 times 2 x 2, by the scheme `winograd`: 7 products, 15 additions (4 of elements of A, 4 of B, 7 of
// products); right up to 83 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from its
// table of the scheme.
// Scheme: S. Winograd, in: R. L. Probert, On the additive complexity of matrix multiplication, SIAM Journal on
// Computing 5 (1976)
// Licence of the source: none needed.
//
// What is computed for each place of a block; gemm_fast_blocks.cl has what blocks and products are.

#define PRODUCTS 7

static inline void sums_of_a(const Blocks *x, const Batch *y) {
    const V a11 = take(x, 0, 0);
    const V a12 = take(x, 0, 1);
    const V a21 = take(x, 1, 0);
    const V a22 = take(x, 1, 1);
    put(y, 0, a11);
    put(y, 1, a12);
    const V s1 = a21 + a22;
    const V s2 = a11 - s1; // a11 - a21 - a22
    put(y, 2, s2);
    put(y, 3, s1);
    const V s3 = a12 + s2; // a11 + a12 - a21 - a22
    put(y, 4, s3);
    put(y, 5, a22);
    const V s4 = a11 - a21;
    put(y, 6, s4);
}

static inline void sums_of_b(const Blocks *x, const Batch *y) {
    const V b11 = take(x, 0, 0);
    const V b12 = take(x, 0, 1);
    const V b21 = take(x, 1, 0);
    const V b22 = take(x, 1, 1);
    put(y, 0, b11);
    put(y, 1, b21);
    const V t1 = b12 - b22;
    const V t2 = b11 - t1; // b11 - b12 + b22
    put(y, 2, t2);
    const V t3 = b11 - b12;
    put(y, 3, t3);
    put(y, 4, b22);
    const V t4 = b21 - t2; // -b11 + b12 + b21 - b22
    put(y, 5, t4);
    put(y, 6, t1);
}

static inline void combine(const Batch *y, const Target *z) {
    const V p1 = product(y, 0);
    const V p2 = product(y, 1);
    const V q1 = p1 + p2;
    give(z, 0, 0, q1);
    const V p3 = product(y, 2);
    const V q2 = p1 - p3;
    const V p4 = product(y, 3);
    const V p5 = product(y, 4);
    const V q3 = p4 - p5;
    const V q4 = q2 - q3;
    give(z, 0, 1, q4);
    const V p6 = product(y, 5);
    const V p7 = product(y, 6);
    const V q5 = p7 - q2;
    const V q6 = p6 - q5;
    const V q7 = p4 + q5;
    give(z, 1, 0, q6);
    give(z, 1, 1, -q7);
}
