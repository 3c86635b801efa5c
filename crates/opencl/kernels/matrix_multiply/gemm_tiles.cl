// How the tiled kernels for NVIDIA devices share out the tiles of C: in front of gemm_f64_mma.cl and gemm_f32_async.cl.
//
//   -DBM -DBN   extents of a tile
//   -DWALK      1: a work-group takes one tile after another, and the operands of the next one arrive while it stores this one,
//               which pays where k is short; 0: it takes one, and has more registers to itself

// Row tiles that are walked before the next column tile: their parts of op(A) stay in the cache meanwhile.
#define BAND 8
// The tile behind `number` of a work-group.
#define NEXT_TILE(number) (WALK ? (number) + (int)get_num_groups(0) : INT_MAX)

// A tile of C: whose triple, its first row and column, and how many of its rows and columns exist.
typedef struct {
    int triple, i0, j0, rows, cols;
} Tile;

// The tile with this number: row tiles in bands, then column tiles, then the batch.
static inline Tile tile_at(int number, int m, int n) {
    int tiles_m = (m + BM - 1) / BM, tiles_n = (n + BN - 1) / BN;
    Tile at;
    at.triple = number / (tiles_m * tiles_n);
    number -= at.triple * (tiles_m * tiles_n);
    int band = number / (BAND * tiles_n), within = number % (BAND * tiles_n), height = min(BAND, tiles_m - band * BAND);
    at.i0 = (band * BAND + within % height) * BM, at.j0 = within / height * BN;
    at.rows = min(BM, m - at.i0), at.cols = min(BN, n - at.j0);
    return at;
}

static inline uint local_address(__local const void *at) { return (uint)(ulong)at; }

// What is fetched runs ahead of what is computed, into the next tile. The kernels have the same names for it: operands `a_at`, `b_at`
// of tile `ahead`, its `rows` and `cols`, and `depth` terms left.
#define ENTER_TILE \
    { \
        Tile at = tile_at(ahead, m, n); \
        a_at = a + (a_off + at.triple * a_bs + at.i0 * (A_K ? a_ld : 1)); \
        b_at = b + (b_off + at.triple * b_bs + at.j0 * (B_K ? b_ld : 1)); \
        rows = at.rows, cols = at.cols, depth = k; \
    }
// Behind the last tile nothing exists: zeros are filled in, and never used.
#define ADVANCE \
    a_at += a_step, b_at += b_step, depth -= BK; \
    if (WALK && depth <= 0 && ahead < tiles) { \
        ahead = NEXT_TILE(ahead); \
        if (ahead < tiles) { \
            ENTER_TILE \
        } \
    }
