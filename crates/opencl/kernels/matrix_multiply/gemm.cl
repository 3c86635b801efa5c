// C = alpha op(A) op(B) + beta C,  c_ij = alpha sum_l a_il b_lj + beta c_ij,  for every triple of a batch.
//
// op is the identity, transposition, conjugation or both. A transpose is an exchange of strides, made by the host, so that
// one program serves all of them: element (i, l) of op(A) of triple t lies at a_off + t * a_bs + i * a_rs + l * a_cs.
//
// As in BLAS: beta = 0 does not read C; NaN and Inf of A and B spread to the elements of C that they belong to, and to no
// other, because zeros stand in only for what lies outside of the matrices. k = 0 gives C = beta C.
//
// Operands and result may be kept in 16 bits (stored.cl); the sums are of type T, and a result is rounded once.
//
// BM x BN elements of C belong to a work-group: it walks along k in steps of BK, for which the BM x BK of op(A) and the
// BK x BN of op(B) lie in local memory. A work-item holds RM x RN of the elements, BM / RM and BN / RN apart, so that
// neighbouring items write neighbouring rows: coalesced where C's row stride is 1. The host exchanges the problem with its
// transpose, C^T = alpha op(B)^T op(A)^T + beta C^T, where C's columns are the contiguous ones instead.
//
//   -DBM -DBN -DBK -DRM -DRN   powers of two, BM * BK and BN * BK multiples of ITEMS; local memory is (BM + BN + 2) * BK
//                              elements

#ifndef BM
#define BM 64
#define BN 64
#if COMPLEX && DOUBLE
#define BK 8
#else
#define BK 16
#endif
#define RM (COMPLEX ? 8 : 4)
#define RN 4
#endif

#define ITEMS_M (BM / RM)
#define ITEMS_N (BN / RN)
#define ITEMS (ITEMS_M * ITEMS_N)
// Row tiles that are walked before the next column tile: their parts of op(A) stay in the cache meanwhile.
#define BAND 8

static inline void store(__global RESULT *c, T alpha, T sum, T beta) {
    T product = scaled(alpha, sum);
    set_result(c, is_zero(beta) ? product : add(product, scaled(beta, result(c))));
}

// gemm
//   a, a_off, a_rs, a_cs, a_bs   op(A) without its conjugation, m x k: buffer, long offset, row, column, batch strides
//   b, b_off, b_rs, b_cs, b_bs   op(B), likewise, k x n
//   c, c_off, c_rs, c_cs, c_bs   C, likewise, m x n; its elements are distinct, and A and B do not overlap it
//   m, n, k, batch               int extents
//   conj_a, conj_b               int flags
//   alpha, beta                  T
// Local size (ITEMS, 1, 1); dimension 0 goes along the tiles of C, 2 along the batch, each with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm(
    __global const OPERAND *a, long a_off, long a_rs, long a_cs, long a_bs,
    __global const OPERAND *b, long b_off, long b_rs, long b_cs, long b_bs,
    __global RESULT *c, long c_off, long c_rs, long c_cs, long c_bs,
    int m, int n, int k, int batch, int conj_a, int conj_b, T alpha, T beta) {
    // One element more than the tile in each row: items that load along k write to different banks.
    __local T a_tile[BK][BM + 1], b_tile[BK][BN + 1];
    int lid = get_local_id(0);
    int im = lid % ITEMS_M, in = lid / ITEMS_M;
    long tiles_m = ((long)m + BM - 1) / BM, tiles_n = ((long)n + BN - 1) / BN;
    // Neighbouring items load what is contiguous: along the rows of op(A) and the columns of op(B), or along k.
    int a_along_m = a_rs == 1, b_along_n = b_cs == 1;

    for (long t = get_group_id(2); t < batch; t += get_num_groups(2)) {
        for (long tile = get_group_id(0); tile < tiles_m * tiles_n; tile += get_num_groups(0)) {
            long band = tile / (BAND * tiles_n), within = tile % (BAND * tiles_n);
            long height = min((long)BAND, tiles_m - band * BAND);
            long i0 = (band * BAND + within % height) * BM, j0 = (within / height) * BN;
            __global const OPERAND *a_at = a + (a_off + t * a_bs + i0 * a_rs);
            __global const OPERAND *b_at = b + (b_off + t * b_bs + j0 * b_cs);
            int rows = (int)min((long)BM, m - i0), cols = (int)min((long)BN, n - j0);

            T sum[RM][RN];
            for (int r = 0; r < RM; r++) {
                for (int s = 0; s < RN; s++) {
                    sum[r][s] = zero();
                }
            }
            for (int l0 = 0; l0 < k; l0 += BK) {
                int depth = min(BK, k - l0);
#pragma unroll
                for (int part = 0; part < BM * BK / ITEMS; part++) {
                    int e = lid + part * ITEMS;
                    int i = a_along_m ? e % BM : e / BK, l = a_along_m ? e / BM : e % BK;
                    T x = zero();
                    if (i < rows && l < depth) {
                        x = conj_if(operand(a_at, i * a_rs + l * a_cs), conj_a);
                    }
                    a_tile[l][i] = x;
                }
#pragma unroll
                for (int part = 0; part < BN * BK / ITEMS; part++) {
                    int e = lid + part * ITEMS;
                    int j = b_along_n ? e % BN : e / BK, l = b_along_n ? e / BN : e % BK;
                    T x = zero();
                    if (j < cols && l < depth) {
                        x = conj_if(operand(b_at, l * b_rs + j * b_cs), conj_b);
                    }
                    b_tile[l][j] = x;
                }
                a_at += BK * a_cs;
                b_at += BK * b_rs;
                barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
                for (int l = 0; l < BK; l++) {
                    T p[RM], q[RN];
#pragma unroll
                    for (int r = 0; r < RM; r++) {
                        p[r] = a_tile[l][im + r * ITEMS_M];
                    }
#pragma unroll
                    for (int s = 0; s < RN; s++) {
                        q[s] = b_tile[l][in + s * ITEMS_N];
                    }
#pragma unroll
                    for (int r = 0; r < RM; r++) {
#pragma unroll
                        for (int s = 0; s < RN; s++) {
                            sum[r][s] = mul_add(p[r], q[s], sum[r][s]);
                        }
                    }
                }
                barrier(CLK_LOCAL_MEM_FENCE);
            }
#pragma unroll
            for (int s = 0; s < RN; s++) {
#pragma unroll
                for (int r = 0; r < RM; r++) {
                    int i = im + r * ITEMS_M, j = in + s * ITEMS_N;
                    if (i < rows && j < cols) {
                        store(c + (c_off + t * c_bs + (i0 + i) * c_rs + (j0 + j) * c_cs), alpha, sum[r][s], beta);
                    }
                }
            }
        }
    }
}

// gemm_small: batches of small triples, the whole of op(A) and op(B) in local memory
//   the arguments of gemm, then
//   slots             int, triples that a work-group takes at once
//   a_local, b_local  local memory for slots * m * (k | 1) and slots * k * n elements
// Any local size (x, 1, 1); groups go along the batch, `slots` triples at a time, with the stride of the grid.
__kernel void gemm_small(
    __global const OPERAND *a, long a_off, long a_rs, long a_cs, long a_bs,
    __global const OPERAND *b, long b_off, long b_rs, long b_cs, long b_bs,
    __global RESULT *c, long c_off, long c_rs, long c_cs, long c_bs,
    int m, int n, int k, int batch, int conj_a, int conj_b, T alpha, T beta,
    int slots, __local T *a_local, __local T *b_local SCATTERED_ARGUMENT) {
    int lid = get_local_id(0), items = get_local_size(0);
    // An odd row length: items on neighbouring rows meet different banks.
    int pitch = k | 1;
    for (long first = (long)get_group_id(0) * slots; first < batch; first += (long)get_num_groups(0) * slots) {
        int taken = (int)min((long)slots, batch - first);
        Begin a_begin = BEGIN(0, a_bs, first, batch), b_begin = BEGIN(1, b_bs, first, batch);
        Begin c_begin = BEGIN(2, c_bs, first, batch);
        for (int e = lid; e < taken * m * k; e += items) {
            int slot = e / (m * k), at = e % (m * k);
            int i = a_rs == 1 ? at % m : at / k, l = a_rs == 1 ? at / m : at % k;
            T x = operand(a, FIRST(a_off, a_begin) + begins(a_begin, slot) + i * a_rs + l * a_cs);
            a_local[(slot * m + i) * pitch + l] = conj_if(x, conj_a);
        }
        for (int e = lid; e < taken * k * n; e += items) {
            int slot = e / (k * n), at = e % (k * n);
            int j = b_cs == 1 ? at % n : at / k, l = b_cs == 1 ? at / n : at % k;
            T x = operand(b, FIRST(b_off, b_begin) + begins(b_begin, slot) + l * b_rs + j * b_cs);
            b_local[(slot * n + j) * k + l] = conj_if(x, conj_b);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int e = lid; e < taken * m * n; e += items) {
            int slot = e / (m * n), at = e % (m * n);
            int i = at % m, j = at / m;
            __local const T *p = a_local + (slot * m + i) * pitch, *q = b_local + (slot * n + j) * k;
            T sum = zero();
            for (int l = 0; l < k; l++) {
                sum = mul_add(p[l], q[l], sum);
            }
            store(c + (FIRST(c_off, c_begin) + begins(c_begin, slot) + i * c_rs + j * c_cs), alpha, sum, beta);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
