// A scheme within another, first part; behind it come the functions of the inner scheme, for 4 x 4 blocks, then
// gemm_fast_outer.cl, then the outer scheme's functions.
//
// The outer scheme's blocks are 4 x 4 matrices of blocks, which the inner one multiplies: its blocks are those of a sum that a
// work-item holds, and so are the blocks of C that it makes.

typedef struct {
    REAL at[16];
} Held;

typedef struct {
    REAL *at;
} Made;

static inline V take_held(const Held *x, int i, int j) { return x->at[4 * i + j]; }

static inline void give_made(const Made *z, int i, int j, V value) { z->at[4 * i + j] = value; }

#define Blocks Held
#define Target Made
#define take take_held
#define give give_made
#define sums_of_a inner_sums_of_a
#define sums_of_b inner_sums_of_b
#define combine inner_combine
