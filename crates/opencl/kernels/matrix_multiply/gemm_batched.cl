// C = alpha op(A) op(B) + beta C for batches of small matrices of one shape, real types, extents known when it is built.
//
// The contract is that of gemm.cl, with strides of 1 where the options say so. Such a product is bound by memory: a
// work-group reads the whole of A and B of GROUP triples into local memory in accesses of VEC elements, neighbouring items
// neighbouring ones, computes with TM x TN elements of C to a work-item, and writes C by way of local memory in the same manner:
// at once where an item has 16 bytes of a column, its neighbours the bytes beside them, and a column is 64 bytes or more.
//
//   -DM -DN -DK             extents of op(A) and op(B), M x K and K x N
//   -DTM -DTN               divide M and N
//   -DGROUP -DITEMS         triples of a work-group, its work-items
//   -DVEC                   elements of an access: divides K, TM, and TN where B_K = 0; offsets, leading dimensions and batch
//                           strides are multiples of it
//   -DA_K -DB_K             1: the operand's stride along k is 1; 0: the one along m or n is
//
// What brings matrices into local memory and back stands in batched_tiles.cl. Local memory:
// GROUP * (A_PITCH + B_PITCH) elements, or GROUP * C_PITCH: C takes the place of A and B.

#define A_LINE (A_K ? K : M)
#define A_LINES (A_K ? M : K)
#define B_LINE (B_K ? K : N)
#define B_LINES (B_K ? N : K)
#define A_PITCH (A_LINES * LINE_PITCH(A_LINE) + PAD)
#define B_PITCH (B_LINES * LINE_PITCH(B_LINE) + PAD)
#define C_PITCH (N * LINE_PITCH(M) + PAD)
#define DIRECT (VEC > 1 && TM == VEC && M * sizeof(REAL) >= 64)
#define LOCAL_AB (GROUP * (A_PITCH + B_PITCH))
#define LOCAL_C (GROUP * C_PITCH)

// gemm_batched
//   a, a_off, a_ld, a_bs   op(A): buffer, long offset, stride of the direction that is not contiguous, batch stride
//   b, b_off, b_ld, b_bs   op(B), likewise
//   c, c_off, c_ld, c_bs   C, likewise; rows are contiguous; A and B do not overlap it
//   batch                  int
//   alpha, beta            REAL
//   beginnings             where SCATTERED (scattered.cl), in place of the batch strides
// Local size (ITEMS, 1, 1); groups go along the batch, GROUP triples at a time, with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm_batched(
    __global const REAL *a, long a_off, long a_ld, long a_bs,
    __global const REAL *b, long b_off, long b_ld, long b_bs,
    __global REAL *c, long c_off, long c_ld, long c_bs,
    int batch, REAL alpha, REAL beta SCATTERED_ARGUMENT) {
    __local REAL tile[LOCAL_AB > LOCAL_C ? LOCAL_AB : LOCAL_C] __attribute__((aligned(16)));
    __local REAL *a_tile = tile, *b_tile = tile + GROUP * A_PITCH;
    int lid = get_local_id(0);
    for (long first = (long)get_group_id(0) * GROUP; first < batch; first += (long)get_num_groups(0) * GROUP) {
        int taken = (int)min((long)GROUP, batch - first);
        fetch(a_tile, a + a_off, a_ld, BEGIN(0, a_bs, first, batch), A_LINE, A_LINES, A_PITCH, taken, lid);
        fetch(b_tile, b + b_off, b_ld, BEGIN(1, b_bs, first, batch), B_LINE, B_LINES, B_PITCH, taken, lid);
        barrier(CLK_LOCAL_MEM_FENCE);

        // What is the work of one item may be more than one piece of C: all of them are computed before C replaces A and B.
#define PER_TRIPLE ((M / TM) * (N / TN))
#define PIECES ((GROUP * PER_TRIPLE + ITEMS - 1) / ITEMS)
        REAL sum[PIECES][TM][TN];
#pragma unroll
        for (int piece = 0; piece < PIECES; piece++) {
            int e = lid + piece * ITEMS, slot = e / PER_TRIPLE, i = e % (M / TM) * TM, j = e % PER_TRIPLE / (M / TM) * TN;
#pragma unroll
            for (int r = 0; r < TM; r++) {
#pragma unroll
                for (int s = 0; s < TN; s++) {
                    sum[piece][r][s] = 0;
                }
            }
            if (slot < taken) {
                __local const REAL *p = a_tile + (slot * A_PITCH + (A_K ? i * LINE_PITCH(K) : i));
                __local const REAL *q = b_tile + (slot * B_PITCH + (B_K ? j * LINE_PITCH(K) : j));
#pragma unroll
                for (int l = 0; l < K; l += VEC) {
                    REAL x[VEC][TM], y[VEC][TN];
#pragma unroll
                    for (int r = 0; r < (A_K ? TM : VEC); r++) {
#pragma unroll
                        for (int s = 0; s < (A_K ? VEC : TM); s += VEC) {
                            REAL v[VEC];
                            *(V *)v = *(__local const V *)(A_K ? p + (r * LINE_PITCH(K) + l) : p + ((l + r) * LINE_PITCH(M) + s));
#pragma unroll
                            for (int o = 0; o < VEC; o++) {
                                x[A_K ? o : r][A_K ? r : s + o] = v[o];
                            }
                        }
                    }
#pragma unroll
                    for (int r = 0; r < (B_K ? TN : VEC); r++) {
#pragma unroll
                        for (int s = 0; s < (B_K ? VEC : TN); s += VEC) {
                            REAL v[VEC];
                            *(V *)v = *(__local const V *)(B_K ? q + (r * LINE_PITCH(K) + l) : q + ((l + r) * LINE_PITCH(N) + s));
#pragma unroll
                            for (int o = 0; o < VEC; o++) {
                                y[B_K ? o : r][B_K ? r : s + o] = v[o];
                            }
                        }
                    }
#pragma unroll
                    for (int o = 0; o < VEC; o++) {
#pragma unroll
                        for (int r = 0; r < TM; r++) {
#pragma unroll
                            for (int s = 0; s < TN; s++) {
                                sum[piece][r][s] = x[o][r] * y[o][s] + sum[piece][r][s];
                            }
                        }
                    }
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        Begin begin = BEGIN(2, c_bs, first, batch);
#pragma unroll
        for (int piece = 0; piece < PIECES; piece++) {
            int e = lid + piece * ITEMS, slot = e / PER_TRIPLE, i = e % (M / TM) * TM, j = e % PER_TRIPLE / (M / TM) * TN;
            if (slot < taken) {
#pragma unroll
                for (int s = 0; s < TN; s++) {
#pragma unroll
                    for (int r = 0; r < TM; r += VEC) {
                        REAL v[VEC];
#pragma unroll
                        for (int o = 0; o < VEC; o++) {
                            v[o] = sum[piece][r + o][s];
                        }
                        if (DIRECT) {
                            put_scaled((__global V *)(FIRST(c + c_off, begin) + (begins(begin, slot) + (j + s) * c_ld + i + r)), *(V *)v, alpha, beta);
                        } else {
                            *(__local V *)(tile + (slot * C_PITCH + (j + s) * LINE_PITCH(M) + i + r)) = *(V *)v;
                        }
                    }
                }
            }
        }
        if (!DIRECT) {
            barrier(CLK_LOCAL_MEM_FENCE);
            store(c + c_off, tile, c_ld, begin, M, N, C_PITCH, taken, lid, alpha, beta);
            barrier(CLK_LOCAL_MEM_FENCE);
        }
    }
}
