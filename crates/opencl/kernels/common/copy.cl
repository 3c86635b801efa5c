// dst(i, j) = op(src(i, j)) for every matrix of a batch, op the identity or complex conjugation.
//
// Element (i, j) of matrix b lies at offset + b * batch stride + i * row stride + j * column stride. A transpose is an
// exchange of strides, made by the host. src and dst do not overlap.

// copy_matrix
//   src, s_off, s_rs, s_cs, s_bs   source: buffer, then long offset and row, column, batch strides
//   dst, d_off, d_rs, d_cs, d_bs   target, likewise
//   rows, cols, batch              int extents
//   conjugate                      int flag
// Any global and local size: dimension 0 goes along j, 1 along i, 2 along the batch, each with the stride of the grid.
// Coalesced where both column strides are 1.
__kernel void copy_matrix(
    __global const T *src, long s_off, long s_rs, long s_cs, long s_bs,
    __global T *dst, long d_off, long d_rs, long d_cs, long d_bs,
    int rows, int cols, int batch, int conjugate) {
    for (long b = get_global_id(2); b < batch; b += get_global_size(2)) {
        for (long i = get_global_id(1); i < rows; i += get_global_size(1)) {
            for (long j = get_global_id(0); j < cols; j += get_global_size(0)) {
                T x = src[s_off + b * s_bs + i * s_rs + j * s_cs];
                dst[d_off + b * d_bs + i * d_rs + j * d_cs] = conj_if(x, conjugate);
            }
        }
    }
}

#define TRANSPOSE_TILE 32
#define TRANSPOSE_ROWS 8

// transpose_matrix
//   the arguments of copy_matrix
// For a source that is contiguous along i and a target that is contiguous along j: a tile is read along i, turned in local
// memory and written along j. Local size (32, 8, 1); groups go along the column tiles, the row tiles and the batch, each
// with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(TRANSPOSE_TILE, TRANSPOSE_ROWS, 1))) void transpose_matrix(
    __global const T *src, long s_off, long s_rs, long s_cs, long s_bs,
    __global T *dst, long d_off, long d_rs, long d_cs, long d_bs,
    int rows, int cols, int batch, int conjugate) {
    // One column more than the tile, so that the items that read a column of it meet different banks.
    __local T tile[TRANSPOSE_TILE][TRANSPOSE_TILE + 1];
    int x = get_local_id(0), y = get_local_id(1);
    long row_tiles = ((long)rows + TRANSPOSE_TILE - 1) / TRANSPOSE_TILE;
    long col_tiles = ((long)cols + TRANSPOSE_TILE - 1) / TRANSPOSE_TILE;
    for (long b = get_group_id(2); b < batch; b += get_num_groups(2)) {
        for (long ti = get_group_id(1); ti < row_tiles; ti += get_num_groups(1)) {
            for (long tj = get_group_id(0); tj < col_tiles; tj += get_num_groups(0)) {
                long i0 = ti * TRANSPOSE_TILE, j0 = tj * TRANSPOSE_TILE;
                for (int step = 0; step < TRANSPOSE_TILE; step += TRANSPOSE_ROWS) {
                    long i = i0 + x, j = j0 + y + step;
                    if (i < rows && j < cols) {
                        tile[y + step][x] = src[s_off + b * s_bs + i * s_rs + j * s_cs];
                    }
                }
                barrier(CLK_LOCAL_MEM_FENCE);
                for (int step = 0; step < TRANSPOSE_TILE; step += TRANSPOSE_ROWS) {
                    long i = i0 + y + step, j = j0 + x;
                    if (i < rows && j < cols) {
                        dst[d_off + b * d_bs + i * d_rs + j * d_cs] = conj_if(tile[x][y + step], conjugate);
                    }
                }
                barrier(CLK_LOCAL_MEM_FENCE);
            }
        }
    }
}
