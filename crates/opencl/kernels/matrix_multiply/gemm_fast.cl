// C = alpha op(A) op(B) + beta C by a bilinear scheme on blocks: what is beside the products of blocks.
//
// op(A), op(B) and C are cut into equal blocks. With the scheme's forms u, v and w,
//
//     S_r = sum_ij u_r(i,j) A_ij,   T_r = sum_ij v_r(i,j) B_ij,   P_r = S_r T_r,   C_ij = alpha sum_r w_r(i,j) P_r + beta C_ij,
//
// where the P_r are products of a batch. All sums of a place are made by one work-item, so that each block and each product is
// read once and each sum written once: the least traffic there is with the sums in memory.
//
//   -DPART                  1: sums of A; 2: sums of B; 3: C
//   -DVEC -DFIRST -DCOUNT   see gemm_fast_blocks.cl; VEC > 1 takes what is contiguous and aligned
//   -DTERMS_INNER           of parts 1 and 2; 1: the product's terms go along the inner direction; 0: along the outer one
//   -DUPDATE                of part 3; 0: beta is 0, and C is not read
//   -DITEMS_X -DITEMS_Y     work-items of a group
//
// "Inner" is the direction of a matrix with the shorter stride; blocks have `length` elements along it, a multiple of VEC,
// and `lines` along the other. In the batch they lie one behind the other, without gaps.
// Dimension 0 goes along the inner direction, VEC elements a work-item, dimension 1 along the lines, with the grid's strides.

#define KERNEL __kernel __attribute__((reqd_work_group_size(ITEMS_X, ITEMS_Y, 1)))
#define EVERY_PLACE \
    for (int line = get_global_id(1); line < lines; line += get_global_size(1)) \
        for (int at = get_global_id(0) * VEC; at < length; at += get_global_size(0) * VEC)

#if PART < 3
// gemm_fast_sums_a, gemm_fast_sums_b
//   x, x_off                           op(A) or op(B): buffer, long offset
//   inner, outer                       long strides of its directions; inner is 1 where VEC > 1
//   down, right                        long, from a block to the next one of its column, of its row
//   sums                               COUNT blocks
//   length, lines, terms               int; the last: those of a block
//   k                                  int, terms of the product: op(A) and op(B) end there
#if PART == 1
KERNEL void gemm_fast_sums_a(
#else
KERNEL void gemm_fast_sums_b(
#endif
    __global const REAL *x, long x_off, long inner, long outer, long down, long right, __global REAL *sums, int length, int lines,
    int terms, int k) {
    EVERY_PLACE {
        Blocks from = {x + (x_off + at * inner + line * outer), down, right, TERMS_INNER ? at : line, 0, 0, k};
        Batch to = {sums + ((long)line * length + at), (long)length * lines, 0};
#if PART == 1
        from.terms_right = terms;
        sums_of_a(&from, &to);
#else
        from.terms_down = terms;
        sums_of_b(&from, &to);
#endif
    }
}
#else
// gemm_fast_combine
//   products                           COUNT blocks
//   length, lines                      int
//   c, c_off, inner, outer             C: buffer, long offset and strides; inner is 1 where VEC > 1
//   down, right                        as above
//   alpha, beta                        REAL
KERNEL void gemm_fast_combine(
    __global REAL *products, int length, int lines, __global REAL *c, long c_off, long inner, long outer, long down, long right,
    REAL alpha, REAL beta) {
    EVERY_PLACE {
        Batch from = {products + ((long)line * length + at), (long)length * lines, 0};
        Target to = {c + (c_off + at * inner + line * outer), down, right, alpha, beta};
        combine(&from, &to);
    }
}
#endif
