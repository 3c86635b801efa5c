// The QR factorisation of a tall matrix by Cholesky factors of Gram matrices: what the products leave to do. `src/svd/tall.rs` has
// the method; r x c are its blocks of columns, R the upper triangular factor, column-major in an n x n matrix.
//
//   -DB=..   order of a diagonal block, 32
//
// Extents are int, offsets and strides long.

// A number in [-1, 1) that depends on the place alone.
static inline REAL noise(ulong place) {
    ulong x = (place + 1) * 0x9e3779b97f4a7c15UL;
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9UL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebUL;
    x ^= x >> 31;
    return (REAL)(long)(x >> 40) / (REAL)(1 << 23) - 1;
}

// perturb
//   x, m, n            m x n, column-major, packed; gets x + size noise
// Any size: dimension 0 along the rows, 1 along the columns, each with the stride of the grid.
__kernel void perturb(__global REAL *x, int m, int n, REAL size) {
    for (int j = get_global_id(1); j < n; j += get_global_size(1)) {
        for (int i = get_global_id(0); i < m; i += get_global_size(0)) {
            long at = i + (long)j * m;
            x[at] += size * noise(at);
        }
    }
}

// begin_cholesky
//   g, n               n x n; its diagonal gets (1 + shift) times what it was
//   diagonal           gets what it was, n
//   info               gets 0
__kernel void begin_cholesky(__global REAL *g, int n, REAL shift, __global REAL *diagonal, __global int *info) {
    for (int j = get_global_id(0); j < n; j += get_global_size(0)) {
        REAL d = g[j + (long)j * n];
        diagonal[j] = d;
        g[j + (long)j * n] = d + shift * d;
    }
    if (get_global_id(0) == 0) {
        *info = 0;
    }
}

// cholesky_block
//   g, n, first, b     the block of order b <= B at (first, first) becomes R^T R, R above and on its diagonal
//   diagonal           of the matrix as it was
//   least              a pivot must be above this times the diagonal as it was and above the smallest normal numbers' root ...
//   info               ... or it gets 1, and 1 stands in for the pivot
// One group of B items; item j has column j.
__kernel __attribute__((reqd_work_group_size(B, 1, 1))) void cholesky_block(
    __global REAL *g, int n, int first, int b, __global const REAL *diagonal, REAL least, REAL smallest,
    __global int *info) {
    __local REAL t[B][B + 1];
    int j = get_local_id(0);
    for (int i = 0; i < b && j < b; i++) {
        t[i][j] = g[first + i + (long)(first + j) * n];
    }
    for (int k = 0; k < b; k++) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (j == k) {
            REAL pivot = t[k][k], before = diagonal[first + k];
            // Also false for NaN.
            int good = pivot > least * before && pivot > smallest;
            if (!good) {
                *info = 1;
            }
            t[k][k] = good ? sqrt(pivot) : 1;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (j > k && j < b) {
            t[k][j] /= t[k][k];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (j > k && j < b) {
            for (int i = k + 1; i <= j; i++) {
                t[i][j] -= t[k][i] * t[k][j];
            }
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i <= j && j < b; i++) {
        g[first + i + (long)(first + j) * n] = t[i][j];
    }
}

// solve_rows
//   x, x_off, rs, cs   rows x b, each row y becomes y R^-1 ...
//   g, n, first, b     ... with the block of R of order b <= B at (first, first)
// Any number of groups of any size: one item a row, with the stride of the grid. Substitution, so that each row solves a system
// whose matrix is off by rounding only.
__kernel void solve_rows(
    __global REAL *x, long x_off, long rs, long cs, int rows, __global const REAL *g, int n, int first, int b) {
    __local REAL r[B][B];
    for (int at = get_local_id(0); at < B * B; at += get_local_size(0)) {
        int i = at % B, j = at / B;
        // Beyond the matrix the identity: what stands in for its columns stays zero.
        r[i][j] = i < b && j < b ? g[first + i + (long)(first + j) * n] : i == j;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int row = get_global_id(0); row < rows; row += get_global_size(0)) {
        REAL y[B];
#pragma unroll
        for (int j = 0; j < B; j++) {
            y[j] = j < b ? x[x_off + row * rs + j * cs] : 0;
        }
#pragma unroll
        for (int j = 0; j < B; j++) {
#pragma unroll
            for (int i = 0; i < j; i++) {
                y[j] -= y[i] * r[i][j];
            }
            y[j] /= r[j][j];
        }
#pragma unroll
        for (int j = 0; j < B; j++) {
            if (j < b) {
                x[x_off + row * rs + j * cs] = y[j];
            }
        }
    }
}

// take_upper
//   g, n               n x n; the part below the diagonal becomes zero
// Any size, as perturb.
__kernel void take_upper(__global REAL *g, int n) {
    for (int j = get_global_id(1); j < n; j += get_global_size(1)) {
        for (int i = get_global_id(0); i < n; i += get_global_size(0)) {
            if (i > j) {
                g[i + (long)j * n] = 0;
            }
        }
    }
}

// departure
//   g, n               n x n
//   result             gets the sum of the squares of g - I
// One group of 256 items.
__kernel __attribute__((reqd_work_group_size(256, 1, 1))) void departure(
    __global const REAL *g, int n, __global REAL *result) {
    __local REAL sums[256];
    int item = get_local_id(0);
    REAL sum = 0;
    for (int j = 0; j < n; j++) {
        for (int i = item; i < n; i += 256) {
            REAL d = g[i + (long)j * n] - (i == j);
            sum += d * d;
        }
    }
    sums[item] = sum;
    for (int step = 128; step > 0; step /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < step) {
            sums[item] += sums[item + step];
        }
    }
    if (item == 0) {
        *result = sums[0];
    }
}
