// Blocks of matrices and the batches of their sums and products, for the functions that the generator makes of a bilinear
// scheme (fast/*.cl).
//
//   -DVEC             elements of an access: 16 bytes, or 1
//   -DFIRST -DCOUNT   the scheme's products that are computed now, COUNT of them from FIRST on: what the others need alone is
//                     never computed, since these are constants

#define JOIN_VECTOR(a, b) JOIN(a, b)
#if VEC == 1
typedef REAL V;
#else
typedef JOIN_VECTOR(REAL, VEC) V;
#endif

// A place of every block of A or B.
typedef struct {
    __global const REAL *at; // in block (0, 0)
    long down, right;        // from a block to the next one of its column, of its row
    int term;                // which of the product's k terms it is in block (0, 0)
    int terms_down, terms_right; // how many further it is in the next blocks
    int k;                   // terms; what would lie behind them counts as 0
} Blocks;

// The same place of every matrix of a batch, one for each product that is computed now.
typedef struct {
    __global REAL *at;
    long stride;
    int base; // which product a scheme's first one is
} Batch;

// A place of every block of C.
typedef struct {
    __global REAL *at;
    long down, right;
    REAL alpha, beta;
} Target;

static inline V take(const Blocks *x, int i, int j) {
    if (x->term + i * x->terms_down + j * x->terms_right >= x->k) {
        return (V)(0);
    }
    return *(__global const V *)(x->at + (i * x->down + j * x->right));
}

static inline void put(const Batch *y, int r, V value) {
    int at = y->base + r - FIRST;
    if (at >= 0 && at < COUNT) {
        *(__global V *)(y->at + at * y->stride) = value;
    }
}

static inline V product(const Batch *y, int r) {
    int at = y->base + r - FIRST;
    return at >= 0 && at < COUNT ? *(__global const V *)(y->at + at * y->stride) : (V)(0);
}

static inline void give(const Target *z, int i, int j, V value) {
    __global V *to = (__global V *)(z->at + (i * z->down + j * z->right));
#if UPDATE
    *to = z->alpha * value + z->beta * *to;
#else
    *to = z->alpha * value;
#endif
}
