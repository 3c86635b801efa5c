// C = alpha op(A) op(B) + beta C for float, on NVIDIA devices with cp.async (compute capability 8.0).
//
// The contract is that of gemm.cl, with strides of 1 where the options say so. BM x BN elements of C belong to a work-group,
// 8 TM x 4 TN of them to a warp, TM x TN to a work-item, in pieces of 4 x 4: piece (r, s) of item (x, y), x = 0..7, y = 0..3,
// begins at row 32 r + 4 x and column 16 s + 4 y of the warp's part, so that a load from local memory takes 16 bytes and the
// lanes of a warp read neighbouring ones. The work-group walks along k in steps of 8; STAGES slots of local memory hold the
// tiles of the next steps, [8][extent + 4], filled by cp.async; what lies outside of the matrices is filled with zeros. The
// operands of the next term are loaded into registers while the present one is worked on, so that a slot is free again as soon
// as its last term is in registers: one barrier for each 8 terms.
//
//   -DBM -DBN -DTM -DTN -DSTAGES   TM and TN multiples of 4; local memory is STAGES * (BM + BN + 8) * 32 bytes, at most 48 KiB
//   -DA_K -DB_K           1: the operand's stride along k is 1, and its tile is transposed on its way, 4 bytes a copy; the 4
//                         elements of padding put the 8 terms of 4 outer indices on different banks. 0: the stride along m or n is
//   -DA_BYTES -DB_BYTES   16: not along k, offset, leading dimension and batch stride are multiples of 4, and what stands behind
//                         a line up to the next multiple of 4 may be read; 4: any
//   -DC_T                 1: C's columns are contiguous; 0: its rows are
//   -DWALK                see gemm_tiles.cl

#define BK 8
#define WARPS_M (BM / (8 * TM))
#define ITEMS (WARPS_M * (BN / (4 * TN)) * 32)
#define A_PITCH (BM + 4)
#define B_PITCH (BN + 4)
#define A_TILE (BK * A_PITCH)
#define SLOT (A_TILE + BK * B_PITCH)
// Lines of C whose old elements are loaded at once.
#define LINES 2

// Copies the terms from `from` on of a tile of `extent` outer indices, of which `outer` exist, to `to`; `depth` terms exist.
// `stride` is that of the direction that is not contiguous.
static inline void fetch_tile(
    uint to, __global const float *from, long stride, int along_k, int extent, int width, int outer, int depth, int lid) {
    int each = width / 4, lanes = along_k ? BK : extent / each;
    int c = lid % lanes * each, line = lid / lanes;
    __global const float *at = from + line * stride + c;
    int inside = c < (along_k ? depth : outer), lines = (along_k ? outer : depth) - line;
#pragma unroll
    for (int part = 0; part < extent * BK / each / ITEMS; part++) {
        int step = part * (ITEMS / lanes), l = line + step;
        uint place = to + 4 * (along_k ? c * (extent + 4) + l : l * (extent + 4) + c);
        int taken = inside && step < lines;
        if (width == 16) {
            asm volatile("{.reg .pred p; setp.eq.s32 p, %2, 0; cp.async.cg.shared.global [%0], [%1], 16, p;}"
                         ::"r"(place), "l"((ulong)(at + step * stride)), "r"(taken));
        } else {
            asm volatile("{.reg .pred p; setp.eq.s32 p, %2, 0; cp.async.ca.shared.global [%0], [%1], 4, p;}"
                         ::"r"(place), "l"((ulong)(at + step * stride)), "r"(taken));
        }
    }
}

static inline void fragment(float *f, __local const float *line, int pieces, int apart) {
#pragma unroll
    for (int r = 0; r < pieces; r++) {
        float4 x = *(__local const float4 *)(line + r * apart);
        f[4 * r] = x.x, f[4 * r + 1] = x.y, f[4 * r + 2] = x.z, f[4 * r + 3] = x.w;
    }
}

// gemm_f32_async
//   a, a_off, a_ld, a_bs   op(A), m x k: buffer, long offset, stride of the direction that is not contiguous, batch stride
//   b, b_off, b_ld, b_bs   op(B), likewise, k x n
//   c, c_off, c_ld, c_bs   C, likewise, m x n; A and B do not overlap it
//   m, n, k                int extents, k at most 2^30
//   tiles                  int, tiles of C of all triples
//   alpha, beta            float
// Local size (ITEMS, 1, 1); dimension 0 goes along the tiles, one each, or with the stride of the grid where WALK = 1.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm_f32_async(
    __global const float *a, long a_off, long a_ld, long a_bs,
    __global const float *b, long b_off, long b_ld, long b_bs,
    __global float *c, long c_off, long c_ld, long c_bs,
    int m, int n, int k, int tiles, float alpha, float beta) {
    __local float slots[STAGES * SLOT] __attribute__((aligned(128)));
    int lid = get_local_id(0), lane = lid & 31, warp = lid >> 5;
    int im = warp % WARPS_M * (8 * TM) + lane % 8 * 4, in = warp / WARPS_M * (4 * TN) + lane / 8 * 4;
    long a_step = A_K ? BK : BK * a_ld, b_step = B_K ? BK : BK * b_ld;
    uint base = local_address(slots);

    // What is fetched runs ahead of what is computed by STAGES steps, into the next tile.
    int ahead = get_group_id(0), depth, rows, cols;
    __global const float *a_at, *b_at;
#define FETCH(slot) \
    fetch_tile(base + (slot) * 4, a_at, a_ld, A_K, BM, A_BYTES, rows, depth, lid); \
    fetch_tile(base + ((slot) + A_TILE) * 4, b_at, b_ld, B_K, BN, B_BYTES, cols, depth, lid); \
    asm volatile("cp.async.commit_group;"); \
    ADVANCE
    ENTER_TILE
#pragma unroll
    for (int s = 0; s < STAGES; s++) {
        FETCH(s * SLOT)
    }
    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 1) : "memory");
    barrier(CLK_LOCAL_MEM_FENCE);
    float p[2][TM], q[2][TN];
    fragment(p[0], slots + im, TM / 4, 32);
    fragment(q[0], slots + A_TILE + in, TN / 4, 16);
    int slot = 0;
#pragma unroll 1
    for (int tile = get_group_id(0); tile < tiles; tile = NEXT_TILE(tile)) {
        float sum[TM][TN];
#pragma unroll
        for (int i = 0; i < TM; i++) {
#pragma unroll
            for (int j = 0; j < TN; j++) {
                sum[i][j] = 0;
            }
        }
#pragma unroll 1
        for (int l0 = 0; l0 < k; l0 += BK) {
            int next = slot + SLOT == STAGES * SLOT ? 0 : slot + SLOT;
#pragma unroll
            for (int l = 0; l < BK; l++) {
                if (l == BK - 1) {
                    // All of the slot is in registers, and the next one has arrived.
                    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
                    barrier(CLK_LOCAL_MEM_FENCE);
                    FETCH(slot)
                }
                __local const float *from = slots + (l == BK - 1 ? next : slot + (l + 1) * A_PITCH);
                fragment(p[(l + 1) % 2], from + im, TM / 4, 32);
                from = slots + A_TILE + (l == BK - 1 ? next : slot + (l + 1) * B_PITCH);
                fragment(q[(l + 1) % 2], from + in, TN / 4, 16);
#pragma unroll
                for (int i = 0; i < TM; i++) {
#pragma unroll
                    for (int j = 0; j < TN; j++) {
                        sum[i][j] = fma(p[l % 2][i], q[l % 2][j], sum[i][j]);
                    }
                }
            }
            slot = next;
        }

        // C in lines, a column's rows or (C_T) a row's columns, of which a work-item has FOURS fours: line s, four r.
#define LINE_COUNT (C_T ? TM : TN)
#define FOURS ((C_T ? TN : TM) / 4)
#define C_ROW(s, r) (C_T ? (s) / 4 * 32 + (s) % 4 : 32 * (r))
#define C_COL(s, r) (C_T ? 16 * (r) : (s) / 4 * 16 + (s) % 4)
#define C_PLACE(s, r) (C_T ? C_ROW(s, r) * c_ld + C_COL(s, r) : C_COL(s, r) * c_ld + C_ROW(s, r))
#define C_SUM(s, r, i) (alpha * sum[C_T ? (s) : 4 * (r) + (i)][C_T ? 4 * (r) + (i) : (s)])
        Tile at = tile_at(tile, m, n);
        __global float *c_at = c + (c_off + at.triple * c_bs);
        c_at += C_T ? (at.i0 + im) * c_ld + at.j0 + in : (at.j0 + in) * c_ld + at.i0 + im;
        int in_fours = (((ulong)c_at | (ulong)(c_ld * 4)) & 15) == 0;
        if (in_fours && at.rows == BM && at.cols == BN) {
#pragma unroll
            for (int s0 = 0; s0 < LINE_COUNT; s0 += LINES) {
                float4 old[LINES][FOURS];
#pragma unroll
                for (int s = 0; s < LINES; s++) {
#pragma unroll
                    for (int r = 0; r < FOURS; r++) {
                        old[s][r] = (float4)(-0.0f);
                        // All loads before the first store: they wait for memory once.
                        if (beta != 0) {
                            old[s][r] = beta * *(__global const float4 *)(c_at + C_PLACE(s0 + s, r));
                        }
                    }
                }
#pragma unroll
                for (int s = 0; s < LINES; s++) {
#pragma unroll
                    for (int r = 0; r < FOURS; r++) {
                        int l = s0 + s;
                        float4 four = (float4)(C_SUM(l, r, 0), C_SUM(l, r, 1), C_SUM(l, r, 2), C_SUM(l, r, 3));
                        *(__global float4 *)(c_at + C_PLACE(l, r)) = four + old[s][r];
                    }
                }
            }
        } else {
#pragma unroll
            for (int s = 0; s < LINE_COUNT; s++) {
#pragma unroll
                for (int r = 0; r < FOURS; r++) {
                    int row = im + C_ROW(s, r), col = in + C_COL(s, r);
                    int left = row < at.rows && col < at.cols ? (C_T ? at.cols - col : at.rows - row) : 0;
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        if (i < left) {
                            __global float *to = c_at + C_PLACE(s, r) + i;
                            *to = beta == 0 ? C_SUM(s, r, i) : C_SUM(s, r, i) + beta * *to;
                        }
                    }
                }
            }
        }
    }
    asm volatile("cp.async.wait_group 0;" ::: "memory");
}
