// SVD of upper bidiagonal blocks by implicit QR iteration (Golub and Kahan 1965; zero shift after Demmel and Kahan 1990).
//
// A sweep over rows l .. m of B is, for i = l .. m - 1, a rotation of columns i, i + 1 of B from the right and one of rows
// i, i + 1 from the left, which chase the bulge downwards. The shift is the smaller singular value of the last 2 x 2; without
// a shift the sweep makes e_{m-1} = 0 at once if some d_i = 0. Elements up to TOL times the block's largest count as zero, since
// those of a few EPS may never become smaller: the error is small beside the block's norm, not beside each singular value.
//
// One work-item computes a sweep's rotations, the others apply them to rows of U and V, each its own: a row passes through
// the whole sweep in one item, one element in a register.
//
//   -DSPACE=__local    kernel qr_leaves: many small blocks, a work-group each, all in local memory
//   -DSPACE=__global   kernels qr_sweeps, qr_apply, qr_finish: one block of any size, the method of last resort
//   -DLEAF             most rows of a block of qr_leaves; local memory is 2 LEAF^2 + 12 LEAF REAL

// Sweeps a row after which the iteration has failed. 2 to 3 are common.
#define MAX_SWEEPS 30

// c, s with c f + s g = r, c g - s f = 0. No overflow, and underflow only where it does no harm.
static inline REAL rotation(REAL f, REAL g, REAL *c, REAL *s) {
    if (g == 0) {
        *c = 1;
        *s = 0;
        return f;
    }
    if (fabs(f) > fabs(g)) {
        REAL t = g / f, h = sqrt(1 + t * t);
        *c = 1 / h;
        *s = t / h;
        return f * h;
    }
    REAL t = f / g, h = sqrt(1 + t * t);
    *s = 1 / h;
    *c = t / h;
    return g * h;
}

// The smaller singular value of (f g; 0 h), as LAPACK's xLAS2.
static inline REAL smaller_value(REAL f, REAL g, REAL h) {
    f = fabs(f), g = fabs(g), h = fabs(h);
    REAL low = fmin(f, h), high = fmax(f, h);
    if (low == 0) {
        return 0;
    }
    REAL as = 1 + low / high, at = (high - low) / high;
    if (g < high) {
        REAL au = (g / high) * (g / high);
        return low * (2 / (sqrt(as * as + au) + sqrt(at * at + au)));
    }
    REAL au = high / g;
    if (au == 0) {
        return low * high / g;
    }
    REAL c = 1 / (sqrt(1 + (as * au) * (as * au)) + sqrt(1 + (at * au) * (at * au)));
    return 2 * (low * c) * au;
}

// TOL times the largest |element|, which counts as at least EPS: B's own largest is 1 or more, and what is smaller than
// TOL EPS beside it would only bring subnormal numbers.
static inline REAL negligible(SPACE const REAL *d, SPACE const REAL *e, int n) {
    REAL m = EPS;
    for (int i = 0; i < n; i++) {
        m = fmax(m, fabs(d[i]));
        m = i < n - 1 ? fmax(m, fabs(e[i])) : m;
    }
    return TOL * m;
}

// Sets what is negligible to zero. (l, m): the lowest rows that are still coupled; m = 0: there are none. *m is a row
// below which nothing is coupled when called.
static inline void lowest_block(SPACE REAL *d, SPACE REAL *e, REAL small, int *l, int *m) {
    while (*m > 0 && fabs(e[*m - 1]) <= small) {
        e[*m - 1] = 0;
        *m -= 1;
    }
    *l = *m;
    while (*l > 0 && fabs(e[*l - 1]) > small) {
        *l -= 1;
    }
    if (*l > 0) {
        e[*l - 1] = 0;
    }
    for (int i = *l; i <= *m; i++) {
        d[i] = fabs(d[i]) <= small ? 0 : d[i];
    }
}

// One sweep over rows l .. m. rotations[i] = (c, s of columns i, i + 1; c, s of rows i, i + 1).
static inline void sweep(SPACE REAL *d, SPACE REAL *e, int l, int m, SPACE REAL *rotations) {
    REAL low = fabs(d[m]), shift = smaller_value(d[m - 1], e[m - 1], d[m]);
    for (int i = l; i < m; i++) {
        low = fmin(low, fabs(d[i]));
    }
    REAL c = 1, s = 0, old_c = 1, old_s = 0;
    if (low == 0 || (shift / d[l]) * (shift / d[l]) <= EPS) {
        for (int i = l; i < m; i++) {
            REAL r = rotation(d[i] * c, e[i], &c, &s);
            if (i > l) {
                e[i - 1] = old_s * r;
            }
            d[i] = rotation(old_c * r, d[i + 1] * s, &old_c, &old_s);
            rotations[4 * i] = c;
            rotations[4 * i + 1] = s;
            rotations[4 * i + 2] = old_c;
            rotations[4 * i + 3] = old_s;
        }
        REAL h = d[m] * c;
        d[m] = h * old_c;
        e[m - 1] = h * old_s;
        return;
    }
    REAL f = (fabs(d[l]) - shift) * (copysign((REAL)1, d[l]) + shift / d[l]), g = e[l];
    for (int i = l; i < m; i++) {
        REAL r = rotation(f, g, &c, &s);
        if (i > l) {
            e[i - 1] = r;
        }
        f = c * d[i] + s * e[i];
        REAL e_i = c * e[i] - s * d[i], d_next = c * d[i + 1];
        g = s * d[i + 1];
        d[i] = rotation(f, g, &old_c, &old_s);
        f = old_c * e_i + old_s * d_next;
        d[i + 1] = old_c * d_next - old_s * e_i;
        if (i < m - 1) {
            g = old_s * e[i + 1];
            e[i + 1] = old_c * e[i + 1];
        }
        e[i] = e_i;
        rotations[4 * i] = c;
        rotations[4 * i + 1] = s;
        rotations[4 * i + 2] = old_c;
        rotations[4 * i + 3] = old_s;
    }
    e[m - 1] = f;
}

// Rotates elements l .. m of a row, `pitch` apart; which = 0: by the rotations of columns (V), 2: of rows (U).
static inline void rotate_row(SPACE REAL *row, long pitch, int l, int m, SPACE const REAL *rotations, int which) {
    REAL x = row[l * pitch];
    for (int i = l; i < m; i++) {
        REAL c = rotations[4 * i + which], s = rotations[4 * i + which + 1], y = row[(i + 1) * pitch];
        row[i * pitch] = c * x + s * y;
        x = c * y - s * x;
    }
    row[m * pitch] = x;
}

#define IS_SPACE___local 1
#define IS_SPACE___global 0
#if JOIN(IS_SPACE_, SPACE)
// qr_leaves: the SVD of every leaf
//   nodes, first_node the leaves, of size 1 to LEAF
//   b_d, b_e          B, scaled
//   u, v, ld, thin    results, in their blocks
//   sigma, column     results
//   status            int, LEAF_FAILED is added if an iteration does not end
// Local size (96, 1, 1), a group for every leaf.
#define LEAF_ITEMS 96
__kernel __attribute__((reqd_work_group_size(LEAF_ITEMS, 1, 1))) void qr_leaves(
    __global const int4 *nodes, int first_node, __global const REAL *b_d, __global const REAL *b_e,
    __global REAL *u, __global REAL *v, long ld, int thin,
    __global REAL *sigma, __global int *column, __global volatile int *status) {
    __local REAL d[LEAF], e[LEAF], rotations[4 * LEAF], u_block[LEAF * LEAF], v_block[(LEAF + 1) * (LEAF + 1)];
    __local int rows[2];
    int lid = get_local_id(0);
    int4 node = nodes[first_node + get_group_id(0)];
    int first = node.x, size = node.y, cols = node.y + node.z;
    for (int i = lid; i < size; i += LEAF_ITEMS) {
        d[i] = b_d[first + i];
        e[i] = i < cols - 1 ? b_e[first + i] : 0;
    }
    for (int i = lid; i < size * size; i += LEAF_ITEMS) {
        u_block[i] = i % size == i / size;
    }
    for (int i = lid; i < cols * cols; i += LEAF_ITEMS) {
        v_block[i] = i % cols == i / cols;
    }
    barrier(CLK_LOCAL_MEM_FENCE);

    // size x (size + 1): rotations of columns i and size, from the last row upwards, empty the last column.
    if (cols > size) {
        if (lid == 0) {
            REAL f = e[size - 1];
            for (int i = size - 1; i >= 0; i--) {
                REAL c, s;
                d[i] = rotation(d[i], f, &c, &s);
                if (i > 0) {
                    f = -s * e[i - 1];
                    e[i - 1] = c * e[i - 1];
                }
                rotations[4 * i] = c;
                rotations[4 * i + 1] = s;
            }
            e[size - 1] = 0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int row = lid; row < cols; row += LEAF_ITEMS) {
            REAL y = v_block[row + size * cols];
            for (int i = size - 1; i >= 0; i--) {
                REAL c = rotations[4 * i], s = rotations[4 * i + 1], x = v_block[row + i * cols];
                v_block[row + i * cols] = c * x + s * y;
                y = c * y - s * x;
            }
            v_block[row + size * cols] = y;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    REAL small = lid == 0 ? negligible(d, e, size) : 0;
    int l = 0, m = size - 1;
    for (int count = 0; ; count++) {
        if (lid == 0) {
            lowest_block(d, e, small, &l, &m);
            if (m > 0 && count == MAX_SWEEPS * size) {
                atomic_or(status, LEAF_FAILED);
                m = 0;
            }
            if (m > 0) {
                sweep(d, e, l, m, rotations);
            }
            rows[0] = l;
            rows[1] = m;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        int from = rows[0], to = rows[1];
        if (to == 0) {
            break;
        }
        for (int row = lid; row < size + cols; row += LEAF_ITEMS) {
            if (row < cols) {
                rotate_row(v_block + row, cols, from, to, rotations, 0);
            } else if (!thin) {
                rotate_row(u_block + (row - cols), size, from, to, rotations, 2);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    for (int j = lid; j < size; j += LEAF_ITEMS) {
        int rank = 0;
        for (int i = 0; i < size; i++) {
            rank += fabs(d[i]) < fabs(d[j]) || (fabs(d[i]) == fabs(d[j]) && i < j);
        }
        sigma[first + rank] = fabs(d[j]);
        column[first + rank] = first + j;
    }
    for (int j = 0; j < cols; j++) {
        REAL sign = j < size && d[j] < 0 ? -1 : 1;
        for (int i = lid; i < cols; i += LEAF_ITEMS) {
            if (!thin) {
                v[first + i + (first + j) * ld] = sign * v_block[i + j * cols];
                if (i < size && j < size) {
                    u[first + i + (first + j) * ld] = u_block[i + j * size];
                }
            } else if (i == 0) {
                v[(first + j) * ld] = sign * v_block[j * cols];
                v[(first + j) * ld + 1] = sign * v_block[cols - 1 + j * cols];
            }
        }
    }
}
#else
// qr_sweeps: the rotations of the next sweeps of the SVD of the whole of B
//   d, e              B, scaled, n elements each; overwritten
//   n                 int
//   sweeps            int, at most so many
//   state             5 + 2 * sweeps int: the lowest coupled row (n - 1 at first; 0: done), the sweeps of this call, all
//                     sweeps so far as a long in two ints (0 at first), 1 if too many, then (l, m) of each sweep
//   rotations         4 n REAL a sweep
// One work-item.
__kernel void qr_sweeps(
    __global REAL *d, __global REAL *e, int n, int sweeps, __global int *state, __global REAL *rotations) {
    REAL small = negligible(d, e, n);
    int m = state[0], l = 0, count = 0;
    long all = *(__global long *)(state + 2);
    for (; count < sweeps && !state[4]; count++) {
        lowest_block(d, e, small, &l, &m);
        if (m == 0) {
            break;
        }
        sweep(d, e, l, m, rotations + 4L * n * count);
        state[5 + 2 * count] = l;
        state[6 + 2 * count] = m;
        all += 1;
        state[4] = all > (long)MAX_SWEEPS * n;
    }
    lowest_block(d, e, small, &l, &m);
    state[0] = m;
    state[1] = count;
    *(__global long *)(state + 2) = all;
}

// qr_apply: applies them to U and V
//   u, v, ld, n       matrices, n x n, and their long leading dimension
//   state, rotations  what qr_sweeps wrote
// Any global and local size: dimension 0 goes along the rows with the stride of the grid; 1 is 2, for U and V.
__kernel void qr_apply(
    __global REAL *u, __global REAL *v, long ld, int n, __global const int *state, __global const REAL *rotations) {
    __global REAL *x = get_global_id(1) == 0 ? u : v;
    for (int row = get_global_id(0); row < n; row += get_global_size(0)) {
        for (int count = 0; count < state[1]; count++) {
            int l = state[5 + 2 * count], m = state[6 + 2 * count];
            rotate_row(x + row, ld, l, m, rotations + 4L * n * count, get_global_id(1) == 0 ? 2 : 0);
        }
    }
}

// qr_finish: makes the singular values positive and sorts them
//   d                 what qr_sweeps left
//   n                 int
//   v, ld             column j of V changes its sign with d[j]; rows: int, how many V has
//   sigma, column     results
// Any global and local size: dimension 0 goes along the values with the stride of the grid.
__kernel void qr_finish(
    __global const REAL *d, int n, __global REAL *v, long ld, int rows, __global REAL *sigma, __global int *column) {
    for (int j = get_global_id(0); j < n; j += get_global_size(0)) {
        int rank = 0;
        REAL s = fabs(d[j]);
        for (int i = 0; i < n; i++) {
            REAL other = fabs(d[i]);
            rank += other < s || (other == s && i < j);
        }
        sigma[rank] = s;
        column[rank] = j;
        for (int i = 0; d[j] < 0 && i < rows; i++) {
            v[i + j * ld] = -v[i + j * ld];
        }
    }
}
#endif
