// The left operand of a complex product, expanded for a real one.
//
// A complex product is a real one of twice the extents: with x = factor op(a_il), s = -1 if B is to be conjugated and 1 if not,
//
//   | Re c_ij |         | Re x   -s Im x |   | Re b_lj |
//   | Im c_ij | = sum_l | Im x    s Re x | * | Im b_lj |
//
// Complex numbers lie in memory as their parts, so that B with contiguous columns is the real 2 k x n matrix on the right as
// it stands, and C with contiguous columns the real 2 m x n one on the left. Only A needs to be written anew: the real
// 2 m x 2 k matrix of the blocks, columns contiguous, column 2 l being the x of column l as they lie in memory, and column
// 2 l + 1 the s i x.

#define EXPAND_TILE 32
#define EXPAND_ROWS 8

// expand_complex
//   src, s_off, s_rs, s_cs, s_bs   A without its conjugation, m x k: buffer, long offset, row, column, batch strides
//   dst, d_ld, d_bs                the expanded matrix: buffer, long column and batch stride, in complex numbers
//   m, k, batch                    int extents of A
//   conj_a, conj_b                 int flags
//   factor                         T
// Local size (32, 8, 1); groups go along the tiles of k, of m and the batch, each with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(EXPAND_TILE, EXPAND_ROWS, 1))) void expand_complex(
    __global const T *src, long s_off, long s_rs, long s_cs, long s_bs,
    __global T *dst, long d_ld, long d_bs,
    int m, int k, int batch, int conj_a, int conj_b, T factor) {
    // One column more than the tile, so that the items that read a column of it meet different banks.
    __local T tile[EXPAND_TILE][EXPAND_TILE + 1];
    int x = get_local_id(0), y = get_local_id(1);
    // Neighbouring items read what is contiguous, and write along a column.
    int along_m = s_rs == 1;
    long m_tiles = ((long)m + EXPAND_TILE - 1) / EXPAND_TILE, k_tiles = ((long)k + EXPAND_TILE - 1) / EXPAND_TILE;
    for (long t = get_group_id(2); t < batch; t += get_num_groups(2)) {
        for (long ti = get_group_id(1); ti < m_tiles; ti += get_num_groups(1)) {
            for (long tl = get_group_id(0); tl < k_tiles; tl += get_num_groups(0)) {
                long i0 = ti * EXPAND_TILE, l0 = tl * EXPAND_TILE;
                for (int step = y; step < EXPAND_TILE; step += EXPAND_ROWS) {
                    int r = along_m ? x : step, s = along_m ? step : x;
                    if (i0 + r < m && l0 + s < k) {
                        tile[s][r] = src[s_off + t * s_bs + (i0 + r) * s_rs + (l0 + s) * s_cs];
                    }
                }
                barrier(CLK_LOCAL_MEM_FENCE);
                for (int step = y; step < EXPAND_TILE; step += EXPAND_ROWS) {
                    long i = i0 + x, l = l0 + step;
                    if (i < m && l < k) {
                        T value = scaled(factor, conj_if(tile[step][x], conj_a));
                        __global T *to = dst + (t * d_bs + 2 * l * d_ld + i);
                        to[0] = value;
                        to[d_ld] = conj_b ? (T)(value.y, -value.x) : (T)(-value.y, value.x);
                    }
                }
                barrier(CLK_LOCAL_MEM_FENCE);
            }
        }
    }
}
