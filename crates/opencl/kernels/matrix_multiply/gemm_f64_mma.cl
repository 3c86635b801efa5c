// C = alpha op(A) op(B) + beta C for double, on NVIDIA's FP64 matrix units (compute capability 9.0).
//
// The contract is that of gemm.cl, with strides of 1 where the options say so. BM x BN elements of C belong to a work-group,
// WM x WN of them to a warp; the work-group walks along k in steps of BK, 8 or 16. STAGES slots of local memory hold the tiles of the
// next steps, filled by cp.async; what lies outside of the matrices is filled with zeros. A warp's operands of the next 8
// terms are loaded into registers while it works on the present 8, so that a slot is free again as soon as its last 8 are in
// registers: one barrier for each BK terms.
//
//   -DBM -DBN -DWM -DWN -DBK -DSTAGES   local memory is STAGES * (BM + BN) * BK * 8 bytes, at most 48 KiB
//   -DA_K -DB_K           1: the operand's stride along k is 1; 0: the one along m or n is. A_K = 1 with B_K = 0 is the transpose
//                         of another case, and is not here.
//   -DA_BYTES -DB_BYTES   16: offset, leading dimension and batch stride are even, and so is the extent of the contiguous direction,
//                         or what stands behind a line of outer indices may be read; 8: any
//   -DC_T                 1: C's columns are contiguous; 0: its rows are
//   -DWALK                see gemm_tiles.cl
//   How the same work is put to the compiler, found by measuring:
//   -DORDERED             1: loads from local memory and products stay in the order written here; 0: the compiler's order
//   -DTWO_B               1: two sets of registers for B; 0: each is loaded again after its last use
//   -DSPREAD              1: copies are issued between the products; 0: at once behind the barrier
//
// Fragments. mma.m16n8k8 takes from lane 4 g + t (g = 0..7, t = 0..3) a0..a3 = A(g, t), A(g + 8, t), A(g, t + 4),
// A(g + 8, t + 4), b0, b1 = B(t, g), B(t + 4, g), and gives c0..c3 = C(g, 2 t), C(g, 2 t + 1), C(g + 8, 2 t),
// C(g + 8, 2 t + 1). It wants a0..a3 in neighbouring registers, and b0, b1 too; a load of 16 bytes fills two neighbours. Which
// row of the tile is called row g of the instruction is free, and so is the order of the 8 terms, as long as A and B agree:
//
//   A_K = 0   terms t, t + 4 -> 2 t, 2 t + 1; rows g, g + 8 -> 2 g, 2 g + 1: 16 bytes hold two rows of one term, a0 and a1
//   A_K = 1   terms and rows as they are, 8 bytes a load: two terms of one row in 16 bytes would be a0 and a2
//   B_K = 1   A_K = 0: 16 bytes hold two terms of one column, b0 and b1; otherwise 8 bytes a load
//   B_K = 0   8 bytes a load, for the same reason
//
// Local memory, in chunks of 16 bytes. A load's phase, 8 lanes of 16 bytes or 16 lanes of 8, meets all 32 banks once:
//   outer index contiguous   [BK][E / 2], chunk c of term k at c ^ (k / 2 % 4 * 2)
//   k contiguous             [E][BK / 2], chunk c of outer index o at c ^ (o / 2 % 2 * 2), for BK = 16 at
//                            c ^ (o % 2 * 4 + o / 2 % 2 * 2)

#pragma OPENCL EXTENSION cl_khr_fp64 : enable

#define STEPS (BK / 8)
#define WARPS_M (BM / WM)
#define ITEMS (WARPS_M * (BN / WN) * 32)
#define BLOCKS_M (WM / 16)
#define BLOCKS_N (WN / 8)
#define A_CHUNKS (BM * BK / 2)
#define SLOT (A_CHUNKS + BN * BK / 2)

static inline double load(__local const double *at) {
#if ORDERED
    double x;
    asm volatile("ld.shared.f64 %0, [%1];" : "=d"(x) : "r"(local_address(at)) : "memory");
    return x;
#else
    return *at;
#endif
}

static inline double2 load_two(__local const double2 *at) {
#if ORDERED
    double2 x;
    asm volatile("ld.shared.v2.f64 {%0,%1}, [%2];" : "=d"(x.x), "=d"(x.y) : "r"(local_address(at)) : "memory");
    return x;
#else
    return *at;
#endif
}

// Copies `width` bytes, or fills with zeros.
static inline void fetch(uint to, __global const double *from, int inside, int width) {
    if (width == 16) {
        asm volatile("{.reg .pred p; setp.eq.s32 p, %2, 0; cp.async.cg.shared.global [%0], [%1], 16, p;}"
                     ::"r"(to), "l"((ulong)from), "r"(inside));
    } else {
        asm volatile("{.reg .pred p; setp.eq.s32 p, %2, 0; cp.async.ca.shared.global [%0], [%1], 8, p;}"
                     ::"r"(to), "l"((ulong)from), "r"(inside));
    }
}

static inline void mma(double *c, const double *a, const double *b) {
#if ORDERED
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
                 : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(b[0]), "d"(b[1]));
#else
    asm("mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
        : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(b[0]), "d"(b[1]));
#endif
}

// Place of chunk `c` of line `line` in a tile; a line is an outer index where k is contiguous, otherwise a term.
static inline int place(int along_k, int extent, int line, int c) {
    int swizzle = BK == 8 ? line & 2 : (line & 1) << 2 | (line & 2);
    return along_k ? line * (BK / 2) + (c ^ swizzle) : line * (extent / 2) + (c ^ ((line >> 1 & 3) << 1));
}

// Copies the terms from `from` on of a tile of `extent` outer indices, of which `outer` exist, into the chunks at `to`;
// `depth` terms exist. `stride` is that of the direction that is not contiguous.
static inline void fetch_tile(
    uint to, __global const double *from, long stride, int along_k, int extent, int width, int outer, int depth, int lid) {
    int each = width / 8, lanes = (along_k ? BK : extent) / each;
    int c = lid % lanes * each, line = lid / lanes;
    __global const double *at = from + line * stride + c;
    int inside = c < (along_k ? depth : outer), lines = (along_k ? outer : depth) - line;
#pragma unroll
    for (int part = 0; part < extent * BK / each / ITEMS; part++) {
        int step = part * (ITEMS / lanes);
        int chunk = place(along_k, extent, line + step, c / 2);
        fetch(to + 16 * chunk + 8 * (c % 2), at + step * stride, inside && step < lines, width);
    }
}

// a0..a3 of the 16 rows from `row` on, terms 8 s to 8 s + 7 of the slot.
static inline void fragment_a(double *f, __local const double2 *tile, int row, int s, int g, int t) {
    if (A_K) {
        __local const double *at = (__local const double *)tile;
#pragma unroll
        for (int e = 0; e < 4; e++) {
            f[e] = load(at + 2 * place(1, BM, row + g + 8 * (e % 2), 4 * s + t / 2 + 2 * (e / 2)) + t % 2);
        }
    } else {
#pragma unroll
        for (int e = 0; e < 2; e++) {
            double2 x = load_two(tile + place(0, BM, 8 * s + 2 * t + e, row / 2 + g));
            f[2 * e] = x.x, f[2 * e + 1] = x.y;
        }
    }
}

// b0, b1 of the 8 columns from `col` on, likewise.
static inline void fragment_b(double *f, __local const double2 *tile, int col, int s, int g, int t) {
    if (B_K && !A_K) {
        double2 x = load_two(tile + place(1, BN, col + g, 4 * s + t));
        f[0] = x.x, f[1] = x.y;
    } else {
        __local const double *at = (__local const double *)tile;
#pragma unroll
        for (int e = 0; e < 2; e++) {
            int term = 8 * s + (A_K ? t + 4 * e : 2 * t + e), outer = col + g;
            f[e] = load(at + (B_K ? 2 * place(1, BN, outer, term / 2) + term % 2 : 2 * place(0, BN, term, outer / 2) + outer % 2));
        }
    }
}

// gemm_f64_mma
//   a, a_off, a_ld, a_bs   op(A), m x k: buffer, long offset, stride of the direction that is not contiguous, batch stride
//   b, b_off, b_ld, b_bs   op(B), likewise, k x n
//   c, c_off, c_ld, c_bs   C, likewise, m x n; A and B do not overlap it
//   m, n, k                int extents, k at most 2^30
//   tiles                  int, tiles of C of all triples
//   alpha, beta            double
// Local size (ITEMS, 1, 1); dimension 0 goes along the tiles, one each, or with the stride of the grid where WALK = 1.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm_f64_mma(
    __global const double *a, long a_off, long a_ld, long a_bs,
    __global const double *b, long b_off, long b_ld, long b_bs,
    __global double *c, long c_off, long c_ld, long c_bs,
    int m, int n, int k, int tiles, double alpha, double beta) {
    __local double2 slots[STAGES * SLOT] __attribute__((aligned(128)));
    int lid = get_local_id(0), lane = lid & 31, warp = lid >> 5, g = lane >> 2, t = lane & 3;
    int wm = warp % WARPS_M * WM, wn = warp / WARPS_M * WN;
    long a_step = A_K ? BK : BK * a_ld, b_step = B_K ? BK : BK * b_ld;
    uint base = local_address(slots);

    // What is fetched runs ahead of what is computed by STAGES steps, into the next tile.
    int ahead = get_group_id(0), depth, rows, cols;
    __global const double *a_at, *b_at;
#define FETCH_A(slot) fetch_tile(base + (slot) * 16, a_at, a_ld, A_K, BM, A_BYTES, rows, depth, lid)
#define FETCH_B(slot) fetch_tile(base + ((slot) + A_CHUNKS) * 16, b_at, b_ld, B_K, BN, B_BYTES, cols, depth, lid)
    ENTER_TILE
#pragma unroll
    for (int s = 0; s < STAGES; s++) {
        FETCH_A(s * SLOT);
        FETCH_B(s * SLOT);
        asm volatile("cp.async.commit_group;");
        ADVANCE
    }
    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 1) : "memory");
    barrier(CLK_LOCAL_MEM_FENCE);
    double p[BLOCKS_M][4], q[1 + TWO_B][BLOCKS_N][2];
#pragma unroll
    for (int i = 0; i < BLOCKS_M; i++) {
        fragment_a(p[i], slots, wm + 16 * i, 0, g, t);
    }
#pragma unroll
    for (int j = 0; j < BLOCKS_N; j++) {
        fragment_b(q[0][j], slots + A_CHUNKS, wn + 8 * j, 0, g, t);
    }
    int slot = 0;
    // Steps of 8 terms; two to a turn of the loop where the registers for B or the slot need it.
#define TURNS (STEPS > 1 ? STEPS : 1 + TWO_B)
#pragma unroll 1
    for (int tile = get_group_id(0); tile < tiles; tile = NEXT_TILE(tile)) {
        double sum[BLOCKS_M][BLOCKS_N][4];
#pragma unroll
        for (int i = 0; i < BLOCKS_M; i++) {
#pragma unroll
            for (int j = 0; j < BLOCKS_N; j++) {
                sum[i][j][0] = sum[i][j][1] = sum[i][j][2] = sum[i][j][3] = 0;
            }
        }
#pragma unroll 1
        for (int l = 0; l < k; l += TURNS * 8) {
#pragma unroll
            for (int turn = 0; turn < TURNS; turn++) {
                if (STEPS == 1 && turn == 1 && l + BK >= k) {
                    // An odd number of steps leaves the next tile's first operands in the second set.
#pragma unroll
                    for (int j = 0; j < BLOCKS_N; j++) {
                        q[0][j][0] = q[TWO_B][j][0], q[0][j][1] = q[TWO_B][j][1];
                    }
                    break;
                }
                int next = slot, last = turn % STEPS == STEPS - 1;
                if (last) {
                    // All of the slot is in registers, and the next one has arrived.
                    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
                    barrier(CLK_LOCAL_MEM_FENCE);
                    next = slot + SLOT == STAGES * SLOT ? 0 : slot + SLOT;
#if !SPREAD
                    FETCH_A(slot);
                    FETCH_B(slot);
                    asm volatile("cp.async.commit_group;");
#endif
                }
                int step = (turn + 1) % STEPS, set = TWO_B ? turn % 2 : 0;
#if TWO_B
#pragma unroll
                for (int j = 0; j < BLOCKS_N; j++) {
                    fragment_b(q[1 - set][j], slots + next + A_CHUNKS, wn + 8 * j, step, g, t);
                }
#endif
#pragma unroll
                for (int i = 0; i < BLOCKS_M; i++) {
#pragma unroll
                    for (int j = 0; j < BLOCKS_N; j++) {
                        mma(sum[i][j], p[i], q[set][j]);
#if !TWO_B
                        // Columns of a pair together: their loads are neighbours.
                        if (i == BLOCKS_M - 1 && j % 2 == 1) {
                            fragment_b(q[0][j - 1], slots + next + A_CHUNKS, wn + 8 * j - 8, step, g, t);
                            fragment_b(q[0][j], slots + next + A_CHUNKS, wn + 8 * j, step, g, t);
                        }
#endif
                    }
                    fragment_a(p[i], slots + next, wm + 16 * i, step, g, t);
#if SPREAD
                    if (last && i == 0) {
                        FETCH_A(slot);
                    }
                    if (last && i == (BLOCKS_M > 1)) {
                        FETCH_B(slot);
                        asm volatile("cp.async.commit_group;");
                    }
#endif
                }
                if (last) {
                    ADVANCE
                    slot = next;
                }
            }
        }

        Tile at = tile_at(tile, m, n);
        __global double *c_at = c + (c_off + at.triple * c_bs + (C_T ? at.i0 * c_ld + at.j0 : at.j0 * c_ld + at.i0));
        // Elements x and y of a work-item: of one row and columns 2 t, 2 t + 1 (C_T), or of one column and two rows, which
        // are neighbours unless A_K.
        c_at += C_T ? (wm + (A_K ? g : 2 * g)) * c_ld + wn + 2 * t : (wn + 2 * t) * c_ld + wm + (A_K ? g : 2 * g);
        int in_pairs = (C_T || !A_K) && (((ulong)c_at | (ulong)(c_ld * 8)) & 15) == 0;
#define APART (A_K ? 8 : 1)
#define C_ROW(i, e) (16 * (i) + (C_T ? (e) * APART : 0))
#define C_COL(j, e) (8 * (j) + (C_T ? 0 : (e)))
#define C_PLACE(i, j, e) (C_T ? C_ROW(i, e) * c_ld + C_COL(j, e) : C_COL(j, e) * c_ld + C_ROW(i, e))
#define C_X(i, j, e) (alpha * sum[i][j][C_T ? 2 * (e) : (e)])
#define C_Y(i, j, e) (alpha * sum[i][j][C_T ? 2 * (e) + 1 : (e) + 2])
        if (in_pairs && at.rows == BM && at.cols == BN) {
#pragma unroll
            for (int i = 0; i < BLOCKS_M; i++) {
                double2 old[BLOCKS_N][2];
                if (beta != 0) {
                    // All loads before the first store: they wait for memory once.
#pragma unroll
                    for (int j = 0; j < BLOCKS_N; j++) {
#pragma unroll
                        for (int e = 0; e < 2; e++) {
                            old[j][e] = beta * *(__global const double2 *)(c_at + C_PLACE(i, j, e));
                        }
                    }
                } else {
#pragma unroll
                    for (int j = 0; j < BLOCKS_N; j++) {
                        old[j][0] = old[j][1] = (double2)(-0.0, -0.0);
                    }
                }
#pragma unroll
                for (int j = 0; j < BLOCKS_N; j++) {
#pragma unroll
                    for (int e = 0; e < 2; e++) {
                        *(__global double2 *)(c_at + C_PLACE(i, j, e)) = (double2)(C_X(i, j, e), C_Y(i, j, e)) + old[j][e];
                    }
                }
            }
        } else {
            int rows_left = at.rows - wm - (A_K ? g : 2 * g), cols_left = at.cols - wn - 2 * t;
#pragma unroll
            for (int i = 0; i < BLOCKS_M; i++) {
#pragma unroll
                for (int j = 0; j < BLOCKS_N; j++) {
#pragma unroll
                    for (int e = 0; e < 2; e++) {
                        if (C_ROW(i, e) < rows_left && C_COL(j, e) < cols_left) {
                            __global double *to = c_at + C_PLACE(i, j, e);
                            *to = beta == 0 ? C_X(i, j, e) : C_X(i, j, e) + beta * *to;
                            if (C_T ? C_COL(j, e) + 1 < cols_left : C_ROW(i, e) + APART < rows_left) {
                                to += C_T ? 1 : APART;
                                *to = beta == 0 ? C_Y(i, j, e) : C_Y(i, j, e) + beta * *to;
                            }
                        }
                    }
                }
            }
        }
    }
    asm volatile("cp.async.wait_group 0;" ::: "memory");
}
