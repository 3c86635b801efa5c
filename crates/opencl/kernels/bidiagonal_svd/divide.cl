// The beginning and the end of the bidiagonal SVD by divide and conquer: scaling, the blocks' surroundings, sorted results.

// The exponent of B = 0: below that of all numbers, so that what deflation adds to the values is scaled back to zero.
#define OF_ZERO (-4096)

// scale_bidiagonal: b = 2^-exponent B with largest element in [1, 2), which rounds nothing but what underflows
//   d, e          diagonal, n, and superdiagonal, n - 1
//   n             int, at least 1
//   b_d, b_e      the scaled diagonals, n elements each; b_e[n - 1] = 0. Both zero if B has NaN or Inf, so that all that
//                 follows ends soon and in bounds
//   status        int; NOT_FINITE or 0
//   exponent      int
//   column, col_sorted    n each: set to 0, so that whatever a failure leaves unwritten in them is a column
// One group of (256, 1, 1).
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void scale_bidiagonal(
    __global const REAL *d, __global const REAL *e, int n,
    __global REAL *b_d, __global REAL *b_e, __global int *status, __global int *exponent,
    __global int *column, __global int *col_sorted) {
    __local REAL most[GROUP];
    int lid = get_local_id(0);
    REAL m = 0;
    for (int i = lid; i < n; i += GROUP) {
        m = max_or_nan(m, fabs(d[i]));
        m = i < n - 1 ? max_or_nan(m, fabs(e[i])) : m;
    }
    most[lid] = m;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        if (lid < half_size) {
            most[lid] = max_or_nan(most[lid], most[lid + half_size]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    int finite = isfinite(most[0]), power = finite && most[0] > 0 ? ilogb(most[0]) : OF_ZERO;
    for (int i = lid; i < n; i += GROUP) {
        b_d[i] = finite ? ldexp(d[i], -power) : 0;
        b_e[i] = finite && i < n - 1 ? ldexp(e[i], -power) : 0;
        column[i] = 0;
        col_sorted[i] = 0;
    }
    if (lid == 0) {
        *status = finite ? 0 : NOT_FINITE;
        *exponent = power;
    }
}

// set_identity: U = V = I, n x n. Leaves and merges fill the diagonal blocks; what stays is the zeros around them, and the
// ones in U at the rows where nodes are cut.
//   u, v, ld      matrices, long leading dimension
//   n             int
// Any global and local size: dimension 0 goes along the rows, 1 along the columns, with the stride of the grid; 2 is 2,
// for U and V.
__kernel void set_identity(__global REAL *u, __global REAL *v, long ld, int n) {
    __global REAL *x = get_global_id(2) == 0 ? u : v;
    for (long j = get_global_id(1); j < n; j += get_global_size(1)) {
        for (long i = get_global_id(0); i < n; i += get_global_size(0)) {
            x[i + j * ld] = i == j;
        }
    }
}

// sorted_values: s in descending order, scaled back
//   sigma         n, ascending
//   exponent      int of scale_bidiagonal
//   n             int
//   s             n
// Any global and local size in dimension 0.
__kernel void sorted_values(__global const REAL *sigma, __global const int *exponent, int n, __global REAL *s) {
    for (int i = get_global_id(0); i < n; i += get_global_size(0)) {
        s[i] = ldexp(sigma[n - 1 - i], *exponent);
    }
}

// sorted_vectors: the columns of U and V in the order of sorted_values
//   u, v, ld              matrices, long leading dimension
//   column                n, the column of each value in ascending order
//   n                     int
//   u_out, v_out, out_ld  results, which do not overlap u and v
// Any global and local size: dimension 0 goes along the rows, 1 along the columns, with the stride of the grid; 2 is 2,
// for U and V.
__kernel void sorted_vectors(
    __global const REAL *u, __global const REAL *v, long ld, __global const int *column, int n,
    __global REAL *u_out, __global REAL *v_out, long out_ld) {
    __global const REAL *x = get_global_id(2) == 0 ? u : v;
    __global REAL *y = get_global_id(2) == 0 ? u_out : v_out;
    for (long j = get_global_id(1); j < n; j += get_global_size(1)) {
        long from = column[n - 1 - j];
        for (long i = get_global_id(0); i < n; i += get_global_size(0)) {
            y[i + j * out_ld] = x[i + from * ld];
        }
    }
}
