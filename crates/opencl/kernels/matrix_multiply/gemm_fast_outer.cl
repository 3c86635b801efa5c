// A scheme within another, second part (see gemm_fast_inner.cl).
//
// A value of the outer scheme is a vector W of the 16 values at one place of the inner blocks, row by row; VEC is 1, and all 64
// blocks of a place are in registers at a time. Its product r is made of the products r * INNER_PRODUCTS and following.

#undef Blocks
#undef Target
#undef take
#undef give
#undef sums_of_a
#undef sums_of_b
#undef combine

enum { INNER_PRODUCTS = PRODUCTS };
#undef PRODUCTS

typedef JOIN_VECTOR(REAL, 16) W;
#define EACH_PART(DO) \
    DO(0, s0) DO(1, s1) DO(2, s2) DO(3, s3) DO(4, s4) DO(5, s5) DO(6, s6) DO(7, s7) \
    DO(8, s8) DO(9, s9) DO(10, sa) DO(11, sb) DO(12, sc) DO(13, sd) DO(14, se) DO(15, sf)

static inline W take_whole(const Blocks *x, int i, int j) {
    W value;
#define TAKE_PART(e, part) value.part = take(x, 4 * i + e / 4, 4 * j + e % 4);
    EACH_PART(TAKE_PART)
    return value;
}

static inline void put_whole(const Batch *y, int r, W value) {
    Held held;
    Batch to = {y->at, y->stride, r * INNER_PRODUCTS};
#define HOLD_PART(e, part) held.at[e] = value.part;
    EACH_PART(HOLD_PART)
#if PART == 1
    inner_sums_of_a(&held, &to);
#else
    inner_sums_of_b(&held, &to);
#endif
}

static inline W product_whole(const Batch *y, int r) {
    REAL parts[16];
    Batch from = {y->at, y->stride, r * INNER_PRODUCTS};
    Made made = {parts};
    inner_combine(&from, &made);
    W value;
#define MADE_PART(e, part) value.part = parts[e];
    EACH_PART(MADE_PART)
    return value;
}

static inline void give_whole(const Target *z, int i, int j, W value) {
#define GIVE_PART(e, part) give(z, 4 * i + e / 4, 4 * j + e % 4, value.part);
    EACH_PART(GIVE_PART)
}

#define V W
#define take take_whole
#define put put_whole
#define product product_whole
#define give give_whole
