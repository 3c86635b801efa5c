// C = alpha op(A) op(B) + beta C for batches of 4 x 4 matrices of real types, by AlphaTensor's scheme with 49 products
// (alphatensor_49.cl).
//
// The contract is that of gemm_batched.cl but for accuracy: an element of op(A) op(B) is right up to
// 2461 * (eps / 2) * max|op(A)| * max|op(B)| of its triple, to first order, not relative to the sum of its own terms' moduli; and a
// NaN or Inf of A or B can spread to all elements of its C.
//
//   -DITEMS       work-items and triples of a work-group
//   -DVEC         elements of an access (batched_tiles.cl)
//   -DA_K -DB_K   1: the operand's stride along k is 1; 0: the one along m or n is
//   -DUPDATE      0: beta is 0, and C is not read
//
// A work-item computes a triple: it takes its A, B and old C from local memory, and puts its C where its A was, which no other
// item reads. Few items have room for their registers: the old C is fetched with A and B, so that it is not waited for once more.
// Local memory: ITEMS * (2 + UPDATE) * PITCH elements.

#define PITCH (16 + PAD)

static inline void take(REAL *to, __local const REAL *from) {
#pragma unroll
    for (int at = 0; at < 16; at += VEC) {
        *(V *)(to + at) = *(__local const V *)(from + at);
    }
}

// gemm_alphatensor
//   a, a_off, a_ld, a_bs   op(A): buffer, long offset, stride of the direction that is not contiguous, batch stride
//   b, b_off, b_ld, b_bs   op(B), likewise
//   c, c_off, c_ld, c_bs   C, likewise; rows are contiguous; A and B do not overlap it
//   batch                  int
//   alpha, beta            REAL
// Local size (ITEMS, 1, 1); groups go along the batch, ITEMS triples at a time, with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm_alphatensor(
    __global const REAL *a, long a_off, long a_ld, long a_bs,
    __global const REAL *b, long b_off, long b_ld, long b_bs,
    __global REAL *c, long c_off, long c_ld, long c_bs,
    int batch, REAL alpha, REAL beta) {
    __local REAL tile[(2 + UPDATE) * ITEMS * PITCH] __attribute__((aligned(16)));
    __local REAL *a_tile = tile, *b_tile = tile + ITEMS * PITCH;
#if UPDATE
    __local REAL *c_tile = tile + 2 * ITEMS * PITCH;
#endif
    int lid = get_local_id(0);
    for (long first = (long)get_group_id(0) * ITEMS; first < batch; first += (long)get_num_groups(0) * ITEMS) {
        int taken = (int)min((long)ITEMS, batch - first);
        fetch(a_tile, a + a_off, a_ld, BEGIN(0, a_bs, first, batch), 4, 4, PITCH, taken, lid);
        fetch(b_tile, b + b_off, b_ld, BEGIN(1, b_bs, first, batch), 4, 4, PITCH, taken, lid);
#if UPDATE
        fetch(c_tile, c + c_off, c_ld, BEGIN(2, c_bs, first, batch), 4, 4, PITCH, taken, lid);
#endif
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lid < taken) {
            // As they lie in memory; row by row.
            REAL p[16] __attribute__((aligned(16))), q[16] __attribute__((aligned(16))), rows_a[16], rows_b[16], rows_c[16];
            take(p, a_tile + lid * PITCH);
            take(q, b_tile + lid * PITCH);
#pragma unroll
            for (int at = 0; at < 16; at++) {
                rows_a[at] = p[A_K ? at : at % 4 * 4 + at / 4];
                rows_b[at] = q[B_K ? at % 4 * 4 + at / 4 : at];
            }
            alphatensor_49(rows_a, rows_b, rows_c);
#pragma unroll
            for (int at = 0; at < 16; at++) {
                p[at] = alpha * rows_c[at % 4 * 4 + at / 4];
            }
#if UPDATE
            take(q, c_tile + lid * PITCH);
#pragma unroll
            for (int at = 0; at < 16; at++) {
                p[at] += beta * q[at];
            }
#endif
#pragma unroll
            for (int at = 0; at < 16; at += VEC) {
                *(__local V *)(a_tile + (lid * PITCH + at)) = *(V *)(p + at);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        store(c + c_off, a_tile, c_ld, BEGIN(2, c_bs, first, batch), 4, 4, PITCH, taken, lid, 1, 0);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
