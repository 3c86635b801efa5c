// C = alpha op(A) op(B) + beta C with sums in float, on NVIDIA's matrix units (compute capability 8.0), for A and B of
//   binary16 (KIND 0), bfloat16 (KIND 1): products of two elements are exact in float;
//   float rounded to TF32's 11 significant bits, ties away from zero (KIND 2): relative error 2^-11 for each operand.
//
// The contract is that of gemm.cl, with strides of 1 where the options say so. BM x BN elements of C belong to a work-group,
// WM x WN of them to a warp; the work-group walks along k in steps of BK. STAGES slots of local memory hold the tiles of the
// next steps, filled by cp.async, 16 bytes a copy; what lies outside of the matrices is filled with zeros, to the byte. A warp's
// operands of the next 32 bytes of k are loaded into registers while it works on the present ones, so that a slot is free again
// as soon as its last ones are in registers: one barrier for each BK terms. Loads, copies and roundings stand between the
// products of the rows of blocks: in a row of their own they would have all warps wait for local memory at once.
//
//   -DKIND                see above
//   -DRESULT_16           1: C is of A's 16-bit type, rounded to nearest, ties to even, once; 0: float
//   -DBM -DBN -DWM -DWN -DBK -DSTAGES   local memory is STAGES * (BM + BN) * BK * SIZE bytes, at most 48 KiB; a line of BK elements
//                         has 32, 64 or 128 bytes; BM and BN are multiples of 64
//   -DA_K -DB_K           1: the operand's stride along k is 1; 0: the one along m or n is. Offset, leading dimension and batch
//                         stride are multiples of 16 bytes
//   -DBAND                row tiles that are walked before the next column tile: their parts of op(A) stay in the cache meanwhile
//
// Fragments. An instruction takes 32 bytes of k: 16 rows of A and 8 columns of B in blocks of 8 lines of 16 bytes, which
// ldmatrix brings to the lanes that want them, 4 blocks at a time; where the outer index is contiguous it transposes 16-bit
// elements on the way, and floats are loaded one by one. Lane 4 g + t (g = 0..7, t = 0..3) gets c0..c3 = C(g, 2 t),
// C(g, 2 t + 1), C(g + 8, 2 t), C(g + 8, 2 t + 1).
//
// Local memory, in chunks of 16 bytes; 8 lanes of a load or of a copy meet all 32 banks once:
//   k contiguous             [E][BK / PER], chunk c of line o at c ^ (o % 8), for 4 chunks a line c ^ (o / 2 % 4), for 2 c ^ (o / 4 % 2)
//   outer index contiguous   [BK][E / PER], chunk c of term k at c ^ (k % 8), for floats c ^ (k % 4 * 2)

#define SIZE (KIND == 2 ? 4 : 2)
// Elements of a chunk, terms of an instruction.
#define PER (16 / SIZE)
#define DEPTH (32 / SIZE)
#define STEPS (BK / DEPTH)
#define WARPS_M (BM / WM)
#define ITEMS (WARPS_M * (BN / WN) * 32)
#define BLOCKS_M (WM / 16)
#define BLOCKS_N (WN / 8)
#define A_CHUNKS (BM * BK / PER)
#define SLOT (A_CHUNKS + BN * BK / PER)
#if KIND == 2
typedef float E;
#else
typedef ushort E;
#endif
#if RESULT_16
typedef ushort R;
#else
typedef float R;
#endif

static inline uint local_address(__local const void *at) { return (uint)(ulong)at; }

// Copies `bytes` of 16 bytes and fills the rest with zeros.
static inline void fetch(uint to, __global const E *from, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"((ulong)from), "r"(bytes));
}

// Four blocks of 8 lines of 16 bytes; lane l has the address of line l % 8 of block l / 8.
static inline void load_blocks(uint *f, uint at, int transposing) {
    if (transposing) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]) : "r"(at) : "memory");
    } else {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]) : "r"(at) : "memory");
    }
}

static inline uint load_word(uint at) {
    uint x;
    asm volatile("ld.shared.b32 %0, [%1];" : "=r"(x) : "r"(at) : "memory");
    return x;
}

static inline void round_operands(uint *f, int count) {
    // The instruction would cut the digits off.
#if KIND == 2
#pragma unroll
    for (int e = 0; e < count; e++) {
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(f[e]) : "f"(as_float(f[e])));
    }
#endif
}

static inline void mma(float *c, const uint *a, const uint *b) {
#if KIND == 0
#define INSTRUCTION "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
#elif KIND == 1
#define INSTRUCTION "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
#else
#define INSTRUCTION "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"
#endif
    asm(INSTRUCTION " {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Place of chunk `c` of line `line` in a tile; a line is an outer index where k is contiguous, otherwise a term.
static inline int place(int along_k, int extent, int line, int c) {
    if (along_k) {
        int chunks = BK / PER;
        return line * chunks + (c ^ (chunks == 8 ? line & 7 : chunks == 4 ? line >> 1 & 3 : line >> 2 & 1));
    }
    return line * (extent / PER) + (c ^ (KIND == 2 ? (line & 3) << 1 : line & 7));
}

// Copies the terms from `from` on of a tile of `extent` outer indices, of which `outer` exist, into the chunks at `to`;
// `depth` terms exist. `stride` is that of the direction that is not contiguous.
static inline void fetch_tile(
    uint to, __global const E *from, long stride, int along_k, int extent, int outer, int depth, int lid) {
    int lanes = (along_k ? BK : extent) / PER;
    int c = lid % lanes, line = lid / lanes;
    __global const E *at = from + line * stride + c * PER;
    int bytes = clamp(((along_k ? depth : outer) - c * PER) * SIZE, 0, 16), lines = (along_k ? outer : depth) - line;
#pragma unroll
    for (int part = 0; part < extent * BK / PER / ITEMS; part++) {
        int step = part * (ITEMS / lanes);
        fetch(to + 16 * place(along_k, extent, line + step, c), at + step * stride, step < lines ? bytes : 0);
    }
}

// a0..a3 of the 16 rows from `row` on, terms DEPTH s and on of the tile.
static inline void fragment_a(uint *f, uint tile, int row, int s, int lane) {
    if (A_K) {
        load_blocks(f, tile + 16 * place(1, BM, row + lane % 16, 2 * s + lane / 16), 0);
    } else if (KIND != 2) {
        load_blocks(f, tile + 16 * place(0, BM, DEPTH * s + lane % 8 + lane / 16 * 8, row / PER + lane / 8 % 2), 1);
    } else {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int term = DEPTH * s + lane % 4 + e / 2 * 4, outer = row + lane / 4 + e % 2 * 8;
            f[e] = load_word(tile + 16 * place(0, BM, term, outer / PER) + outer % PER * SIZE);
        }
    }
}

// b0, b1 of the 8 columns from `col` on, and of the next 8, likewise.
static inline void fragments_b(uint (*f)[2], uint tile, int col, int s, int lane) {
    uint x[4];
    if (B_K) {
        load_blocks(x, tile + 16 * place(1, BN, col + lane % 8 + lane / 16 * 8, 2 * s + lane / 8 % 2), 0);
    } else if (KIND != 2) {
        load_blocks(x, tile + 16 * place(0, BN, DEPTH * s + lane % 16, col / PER + lane / 16), 1);
    } else {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int term = DEPTH * s + lane % 4 + e % 2 * 4, outer = col + lane / 4 + e / 2 * 8;
            x[e] = load_word(tile + 16 * place(0, BN, term, outer / PER) + outer % PER * SIZE);
        }
    }
    f[0][0] = x[0], f[0][1] = x[1], f[1][0] = x[2], f[1][1] = x[3];
}

// Two results in the lower and the upper half of a word.
static inline uint rounded(float x, float y) {
    uint both;
#if KIND == 1
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(y), "f"(x));
#else
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(y), "f"(x));
#endif
    return both;
}

static inline float2 widened(uint both) {
    float2 x;
#if KIND == 1
    x.x = as_float(both << 16), x.y = as_float(both & 0xffff0000);
#else
    asm("{.reg .f16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h;}" : "=f"(x.x), "=f"(x.y) : "r"(both));
#endif
    return x;
}

// Writes x and y to neighbours of C, of which `count` exist; `paired` if they may be reached in one access.
static inline void store(__global R *at, float x, float y, float beta, int count, int paired) {
#if RESULT_16
    if (paired && count > 1) {
        if (beta != 0) {
            float2 before = widened(*(__global const uint *)at);
            x += beta * before.x, y += beta * before.y;
        }
        *(__global uint *)at = rounded(x, y);
    } else if (count > 0) {
        if (beta != 0) {
            x += beta * widened(at[0]).x;
            y += count > 1 ? beta * widened(at[1]).x : 0;
        }
        uint both = rounded(x, y);
        at[0] = (ushort)both;
        if (count > 1) {
            at[1] = (ushort)(both >> 16);
        }
    }
#else
    if (paired && count > 1) {
        __global float2 *pair = (__global float2 *)at;
        *pair = beta == 0 ? (float2)(x, y) : (float2)(x, y) + beta * *pair;
    } else if (count > 0) {
        at[0] = beta == 0 ? x : x + beta * at[0];
        if (count > 1) {
            at[1] = beta == 0 ? y : y + beta * at[1];
        }
    }
#endif
}

// gemm_mixed_mma
//   a, a_off, a_ld, a_bs   op(A), m x k: buffer, long offset, stride of the direction that is not contiguous, batch stride
//   b, b_off, b_ld, b_bs   op(B), likewise, k x n
//   c, c_off, c_ld, c_bs   C, m x n, likewise, columns contiguous; A and B do not overlap it
//   m, n, k                int extents, k at most 2^30
//   alpha, beta            float
// Local size (ITEMS, 1, 1); dimension 0 goes along the tiles of C, one each, 2 along the batch.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm_mixed_mma(
    __global const E *a, long a_off, long a_ld, long a_bs,
    __global const E *b, long b_off, long b_ld, long b_bs,
    __global R *c, long c_off, long c_ld, long c_bs,
    int m, int n, int k, float alpha, float beta) {
    __local uint4 tiles[STAGES * SLOT] __attribute__((aligned(128)));
    int lid = get_local_id(0), lane = lid & 31, warp = lid >> 5;
    int wm = warp % WARPS_M * WM, wn = warp / WARPS_M * WN;
    int tiles_m = (m + BM - 1) / BM, tiles_n = (n + BN - 1) / BN, tile = get_group_id(0);
    int band = tile / (BAND * tiles_n), within = tile % (BAND * tiles_n), height = min(BAND, tiles_m - band * BAND);
    int i0 = (band * BAND + within % height) * BM, j0 = within / height * BN;
    int rows = min(BM, m - i0), cols = min(BN, n - j0);
    long a_step = A_K ? BK : BK * a_ld, b_step = B_K ? BK : BK * b_ld;
    uint base = local_address(tiles);
    long triple = get_group_id(2);
    __global const E *a_at = a + (a_off + triple * a_bs + i0 * (A_K ? a_ld : 1));
    __global const E *b_at = b + (b_off + triple * b_bs + j0 * (B_K ? b_ld : 1));

    float sum[BLOCKS_M][BLOCKS_N][4];
#pragma unroll
    for (int i = 0; i < BLOCKS_M; i++) {
#pragma unroll
        for (int j = 0; j < BLOCKS_N; j++) {
            sum[i][j][0] = sum[i][j][1] = sum[i][j][2] = sum[i][j][3] = 0;
        }
    }
    int depth = k;
#define FETCH_A(slot) fetch_tile((slot), a_at, a_ld, A_K, BM, rows, depth, lid)
#define FETCH_B(slot) fetch_tile((slot) + A_CHUNKS * 16, b_at, b_ld, B_K, BN, cols, depth, lid)
#pragma unroll
    for (int s = 0; s < STAGES; s++) {
        FETCH_A(base + s * SLOT * 16);
        FETCH_B(base + s * SLOT * 16);
        asm volatile("cp.async.commit_group;");
        a_at += a_step, b_at += b_step, depth -= BK;
    }
    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 1) : "memory");
    barrier(CLK_LOCAL_MEM_FENCE);
    uint p[2][BLOCKS_M][4], q[2][BLOCKS_N][2];
    // With block i of A come the blocks of B from i * B_SHARE on: all of them in the first half of the rows.
#define B_SHARE ((BLOCKS_N / 2 + BLOCKS_M / 2 - 1) / (BLOCKS_M / 2) * 2)
#define LOAD(set, i, slot, s)                                                                          \
    fragment_a(p[set][i], (slot), wm + 16 * (i), (s), lane);                                           \
    _Pragma("unroll") for (int j = (i) * B_SHARE; j < min(((i) + 1) * B_SHARE, BLOCKS_N); j += 2) {    \
        fragments_b(q[set] + j, (slot) + A_CHUNKS * 16, wn + 8 * j, (s), lane);                        \
    }
#define ROUND(set, i)                                                                                  \
    round_operands(p[set][i], 4);                                                                      \
    _Pragma("unroll") for (int j = (i) * B_SHARE; j < min(((i) + 1) * B_SHARE, BLOCKS_N); j++) {       \
        round_operands(q[set][j], 2);                                                                  \
    }
#pragma unroll
    for (int i = 0; i < BLOCKS_M; i++) {
        LOAD(0, i, base, 0);
    }
#pragma unroll
    for (int i = 0; i < BLOCKS_M - 1; i++) {
        ROUND(0, i);
    }
    uint slot = base;
    // Steps of DEPTH terms; two to a turn of the loop at least, so that the sets of registers change places.
#define TURNS (STEPS > 1 ? STEPS : 2)
#pragma unroll 1
    for (int l = 0; l < k; l += TURNS * DEPTH) {
#pragma unroll
        for (int turn = 0; turn < TURNS; turn++) {
            if (STEPS == 1 && turn == 1 && l + BK >= k) {
                break;
            }
            uint next = slot;
            int set = turn % 2, other = 1 - set, step = (turn + 1) % STEPS, last = step == 0;
            if (last) {
                // All of the slot is in registers, and the next one has arrived.
                asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
                barrier(CLK_LOCAL_MEM_FENCE);
                next = slot + SLOT * 16 == base + STAGES * SLOT * 16 ? base : slot + SLOT * 16;
            }
#pragma unroll
            for (int i = 0; i < BLOCKS_M; i++) {
                LOAD(other, i, next, step);
                if (last && i == 0) {
                    FETCH_A(slot);
                }
                if (last && i == 1) {
                    FETCH_B(slot);
                    asm volatile("cp.async.commit_group;");
                    a_at += a_step, b_at += b_step, depth -= BK;
                }
                // The last block of a set is not loaded long before; it has no part of B with it.
                if (i == BLOCKS_M - 1) {
                    round_operands(p[set][i], 4);
                }
#pragma unroll
                for (int j = 0; j < BLOCKS_N; j++) {
                    mma(sum[i][j], p[set][i], q[set][j]);
                }
                if (i > 0) {
                    ROUND(other, i - 1);
                }
            }
            slot = next;
        }
    }
    asm volatile("cp.async.wait_group 0;" ::: "memory");

    __global R *c_at = c + (c_off + triple * c_bs + i0 * c_ld + j0);
    int paired = (((ulong)c_at | (ulong)(c_ld * sizeof(R))) & (2 * sizeof(R) - 1)) == 0;
#pragma unroll
    for (int i = 0; i < BLOCKS_M; i++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
            int row = wm + 16 * i + 8 * e + lane / 4;
            __global R *line = c_at + row * c_ld;
#pragma unroll
            for (int j = 0; j < BLOCKS_N; j++) {
                int col = wn + 8 * j + lane % 4 * 2;
                store(line + col, alpha * sum[i][j][2 * e], alpha * sum[i][j][2 * e + 1], beta, row < rows ? cols - col : 0, paired);
            }
        }
    }
}
