// The products of all merges of a level at once, with extents that only the device knows:
//
//       U = P_U Q,   V = P_V W      k columns of each node, by halves: the upper rows take the packed columns that reach
//                                   them, the lower rows theirs
//
// A grouped product for levels of many small nodes, where a launch a node or a wait for the counts would cost more than the
// arithmetic. For few large nodes the host reads the counts and calls the general product four times a node.
//
// TILE x TILE elements of the result belong to a work-group, 4 x 4 of them to an item; it walks along the packed columns DEPTH
// at a time.
//
//   -DTILE    32 or 64; local memory is 2 (TILE + 1) DEPTH REAL

#define DEPTH 16
#define SIDE_ITEMS (TILE / 4)
#define ITEMS (SIDE_ITEMS * SIDE_ITEMS)

// merge_multiply
//   nodes, first_node, counts
//   p_u, p_v, q, w    packed matrices and vectors of the undeflated problems, each node's at (first, first)
//   u, v              results
//   ld                long leading dimension of all six
// Local size (ITEMS, 1, 1): groups of dimension 0 are row tiles, of 1 column tiles; 2 is four times the merges.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void merge_multiply(
    __global const int4 *nodes, int first_node, __global const int4 *counts,
    __global const REAL *p_u, __global const REAL *p_v, __global const REAL *q, __global const REAL *w,
    __global REAL *u, __global REAL *v, long ld) {
    __local REAL a_tile[DEPTH][TILE + 1], b_tile[DEPTH][TILE + 1];
    int merge = get_group_id(2) / 4, is_v = get_group_id(2) % 2, is_lower = get_group_id(2) / 2 % 2;
    int4 node = nodes[first_node + merge], count = counts[merge];
    int rows = is_lower ? node.z + (is_v ? node.w : 0) : node.y + 1, k = count.x;
    // Pole 0's column reaches the lower rows where it is made of both null columns.
    int from = is_lower ? count.y + (is_v && node.w ? 0 : 1) : 0, to = is_lower ? k : count.y + 1 + count.z;
    int i0 = get_group_id(0) * TILE, j0 = get_group_id(1) * TILE;
    if (i0 >= rows || j0 >= k) {
        return;
    }
    long row_0 = node.x + (is_lower ? node.y + 1 : 0) + i0, col_0 = node.x + j0;
    __global const REAL *a = (is_v ? p_v : p_u) + row_0 + node.x * ld, *b = (is_v ? w : q) + node.x + col_0 * ld;
    __global REAL *c = (is_v ? v : u) + row_0 + col_0 * ld;
    rows = min(rows - i0, TILE);
    int cols = min(k - j0, TILE), lid = get_local_id(0), im = lid % SIDE_ITEMS, in = lid / SIDE_ITEMS;

    REAL sum[4][4];
    for (int x = 0; x < 4; x++) {
        for (int y = 0; y < 4; y++) {
            sum[x][y] = 0;
        }
    }
    for (int l0 = from; l0 < to; l0 += DEPTH) {
        int depth = min(DEPTH, to - l0);
        for (int e = lid; e < TILE * DEPTH; e += ITEMS) {
            int i = e % TILE, l = e / TILE;
            a_tile[l][i] = i < rows && l < depth ? a[i + (l0 + l) * ld] : 0;
        }
        for (int e = lid; e < TILE * DEPTH; e += ITEMS) {
            int j = e / DEPTH, l = e % DEPTH;
            b_tile[l][j] = j < cols && l < depth ? b[l0 + l + j * ld] : 0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int l = 0; l < DEPTH; l++) {
            REAL p[4], r[4];
            for (int x = 0; x < 4; x++) {
                p[x] = a_tile[l][im + SIDE_ITEMS * x];
                r[x] = b_tile[l][in + SIDE_ITEMS * x];
            }
            for (int x = 0; x < 4; x++) {
                for (int y = 0; y < 4; y++) {
                    sum[x][y] = p[x] * r[y] + sum[x][y];
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int y = 0; y < 4; y++) {
        for (int x = 0; x < 4; x++) {
            if (im + SIDE_ITEMS * x < rows && in + SIDE_ITEMS * y < cols) {
                c[im + SIDE_ITEMS * x + (in + SIDE_ITEMS * y) * ld] = sum[x][y];
            }
        }
    }
}
