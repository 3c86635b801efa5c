// Q^T A P = B, upper bidiagonal, by Householder reflectors, for a real m x n matrix with m >= n: LAPACK's xGEBRD with one sweep
// over the matrix for each column (Howell, Demmel, Fulton, Hammarling, Marmol, ACM TOMS 34 (2008)), in panels.
//
// Step i has reflectors H_i = I - tauq_i v_i v_i^T, v_i(i) = 1, zero above, and G_i = I - taup_i u_i u_i^T, u_i(i + 1) = 1, zero
// before. Within a panel the matrix stays as it was at the panel's beginning, A0; what it would be is
//
//   A_i = A0 - sum_s (v_s y_s^T + x_s u_s^T) = A0 - P Z^T,    P = [v_0 x_0 v_1 x_1 ...],  Z = [y_0 u_0 y_1 u_1 ...]
//   y_i = tauq_i A_i^T v_i,    x_i = taup_i (A_i - v_i y_i^T) u_i
//
// with s counting from the panel's first step. At its end one product of rank 2 b, A <- A0 - P Z^T, updates the matrix. The first
// column that is not updated lies at i = first step of the panel.
//
// One sweep for two products: u_i is an affine function of the updated row r, r_j = A_i(i, j) - y_i(j), u_i = e + r / (r_1 - e_i)
// but for its first element. A work-group that has column j of A0 in registers forms A_i(:, j)^T v_i, with it y_i(j) and r_j, and adds
// r_j A0(:, j) to its part of A0 r; then A0 u_i = (A0 r - e_i A0(:, i + 1)) / (r_1 - e_i). Likewise for v_i: products with the updated
// column a are turned into ones with v_i = (a - d_i e_i) / (a_1 - d_i).
//
// Two kernels for each step, each reading what the other's groups have left in part; all of them add the parts in the same order,
// so that a result depends on the input and the device alone:
//
//   bidiagonal_column   finishes x_{i-1} and u_{i-1}, forms the updated column i: parts of |a|^2 and P^T a
//   bidiagonal_sweep    finishes v_i, sweeps over the columns behind i: parts of |r|^2, Z^T r and A0 r
//
// Storage. A is column-major with stride ld. P is m x 2 b and Z n x 2 b, row-major with stride PAIRS, row 0 of each being row 0 of
// the matrix and its column 0. On return of all steps, A's panel has v_i below the diagonal and u_i right of the superdiagonal.
//
//   -DREAL=float|double   the element type (types.cl)
//   -DPAIRS               2 b, at most 64
//   -DITEMS               work-items of a group in the sweep
//   -DHELD                elements of a column that each of them holds: ITEMS * HELD >= m - first row
//   -DAT_ONCE             columns of a group at once
//   -DROWS                rows of a group of the column kernel, whose work-items are ROWS x SLICES

#define EACH (PAIRS + 1)
// A reflector of LAPACK's xLARFG for a vector whose first element is `first` and whose others have this sum of squares:
// (I - tau w w^T) x = value e_1, w = (x - value e_1) * scale but for w_1 = 1.
typedef struct {
    REAL value, tau, scale;
} Reflector;

static inline Reflector reflector(REAL first, REAL squares) {
    Reflector h;
    // Nothing to annihilate: the identity.
    h.value = first, h.tau = 0, h.scale = 0;
    if (squares > 0) {
        REAL length = sqrt(first * first + squares);
        h.value = first > 0 ? -length : length;
        h.tau = (h.value - first) / h.value;
        h.scale = 1 / (first - h.value);
    }
    return h;
}

// sums[t] = sum over the groups of part[group * EACH + t], t < EACH, by all `items` work-items, in a fixed order. `space` has
// room for `items` elements.
static inline void add_parts(
    __local REAL *sums, __local REAL *space, __global const REAL *part, int groups, int lid, int items) {
    int lanes = items / EACH, lane = lid / EACH, t = lid % EACH;
    REAL sum = 0;
    if (lane < lanes) {
        for (int g = lane; g < groups; g += lanes) {
            sum += part[g * EACH + t];
        }
        space[lane * EACH + t] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid < EACH) {
        sum = space[lid];
        for (int l = 1; l < lanes; l++) {
            sum += space[l * EACH + lid];
        }
        sums[lid] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

#define COLUMN_ITEMS (ROWS * SLICES)
// Adds the slices' terms of each row; the sum is everybody's.
static inline REAL over_slices(__local REAL *space, REAL term, int row, int slice) {
    space[slice * ROWS + row] = term;
    barrier(CLK_LOCAL_MEM_FENCE);
    REAL sum = 0;
    for (int s = 0; s < SLICES; s++) {
        sum += space[s * ROWS + row];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}

// bidiagonal_column
//   a, a_off, ld              A and its long offset and column stride
//   p, z                      P and Z
//   vector                    m elements: row i and those behind it get the updated column i
//   r                         n elements: r of step i - 1, from column i on
//   e, taup                   get element i - 1
//   w_part, z_part            what bidiagonal_sweep left of step i - 1 in `sweeps` groups: m elements of A0 r each; Z^T r, |r|^2
//   c_part                    gets P^T a and |a|^2 (without its first element), EACH elements a group
//   m, n, i, s                int: extents, the step, and its number in the panel
//   sweeps                    int
//   more                      int: 0 behind the panel's last step: x and u are finished, no column is formed
// Local size (COLUMN_ITEMS, 1, 1), a group for each ROWS rows from i on.
__kernel __attribute__((reqd_work_group_size(COLUMN_ITEMS, 1, 1))) void bidiagonal_column(
    __global REAL *a, long a_off, long ld, __global REAL *p, __global REAL *z, __global REAL *vector,
    __global const REAL *r, __global REAL *e, __global REAL *taup, __global const REAL *w_part,
    __global const REAL *z_part, __global REAL *c_part, int m, int n, int i, int s, int sweeps, int more) {
    __local REAL space[COLUMN_ITEMS], tile[ROWS][EACH], sums[EACH], weights[EACH], column[ROWS];
    int lid = get_local_id(0), row = lid % ROWS, slice = lid / ROWS, group = get_group_id(0);
    int first = i + group * ROWS, at = first + row, inside = at < m, done = 2 * s;
    a += a_off;

    for (int t = lid; t < ROWS * PAIRS; t += COLUMN_ITEMS) {
        int line = t / PAIRS, c = t % PAIRS;
        tile[line][c] = first + line < m && c < done ? p[(long)(first + line) * PAIRS + c] : 0;
    }
    REAL own = inside && more + s > 0 && i < n ? a[at + i * ld] : 0;
    if (s > 0) {
        add_parts(sums, space, z_part, sweeps, lid, COLUMN_ITEMS);
        Reflector g = reflector(r[i], sums[PAIRS]);
        if (lid < EACH) {
            // Z^T u.
            weights[lid] = lid < done - 1 ? (sums[lid] - g.value * z[(long)i * PAIRS + lid]) * g.scale : 0;
        }
        REAL w = 0;
        if (inside) {
            for (int part = slice; part < sweeps; part += SLICES) {
                w += w_part[(long)part * m + at];
            }
        }
        w = over_slices(space, w, row, slice);
        REAL correction = 0;
        for (int t = slice; t < done - 1; t += SLICES) {
            correction += tile[row][t] * weights[t];
        }
        correction = over_slices(space, correction, row, slice);
        if (slice == 0) {
            REAL x = g.tau * ((w - g.value * own) * g.scale - correction);
            tile[row][done - 1] = x;
            if (inside) {
                p[(long)at * PAIRS + done - 1] = x;
            }
            if (at < n) {
                REAL u = at == i ? 1 : r[at] * g.scale;
                z[(long)at * PAIRS + done - 1] = u;
                if (at > i) {
                    a[i - 1 + at * ld] = u;
                }
            }
            if (at == i) {
                e[i - 1] = g.value;
                taup[i - 1] = g.tau;
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (!more) {
        return;
    }
    // The column, as it is after the panel's steps so far. u_{i-1}(i) is 1, which another group may not have stored yet.
    REAL update = 0;
    for (int t = slice; t < done; t += SLICES) {
        update += tile[row][t] * (t == done - 1 ? (REAL)1 : z[(long)i * PAIRS + t]);
    }
    update = over_slices(space, update, row, slice);
    if (slice == 0) {
        column[row] = inside ? own - update : 0;
        if (inside) {
            vector[at] = column[row];
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid < EACH) {
        REAL sum = 0;
        for (int line = 0; line < ROWS; line++) {
            REAL x = column[line];
            sum += lid == PAIRS ? (first + line > i ? x * x : 0) : tile[line][lid] * x;
        }
        c_part[group * EACH + lid] = sum;
    }
}

// Sums of `AT_ONCE` pairs of values over the work-items of a group; all of them get the sums.
static inline void over_items(__local REAL (*space)[ITEMS], REAL (*pair)[2], int lid) {
#pragma unroll
    for (int q = 0; q < AT_ONCE; q++) {
        space[2 * q][lid] = pair[q][0];
        space[2 * q + 1][lid] = pair[q][1];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_items = ITEMS / 2; half_items > 0; half_items /= 2) {
        if (lid < half_items) {
#pragma unroll
            for (int q = 0; q < 2 * AT_ONCE; q++) {
                space[q][lid] += space[q][lid + half_items];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int q = 0; q < AT_ONCE; q++) {
        pair[q][0] = space[2 * q][0];
        pair[q][1] = space[2 * q + 1][0];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

// bidiagonal_sweep
//   the arguments of bidiagonal_column, as far as they are its own, and
//   d, tauq                   get element i
//   columns                   int, groups of bidiagonal_column
// Local size (ITEMS, 1, 1); any number of groups, which share the columns behind i.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void bidiagonal_sweep(
    __global REAL *a, long a_off, long ld, __global REAL *p, __global REAL *z, __global const REAL *vector,
    __global REAL *r, __global REAL *d, __global REAL *tauq, __global REAL *w_part, __global REAL *z_part,
    __global const REAL *c_part, int m, int n, int i, int s, int columns) {
    __local REAL space[2 * AT_ONCE][ITEMS], sums[EACH];
    int lid = get_local_id(0), group = get_group_id(0), groups = get_num_groups(0), done = 2 * s;
    a += a_off;

    add_parts(sums, &space[0][0], c_part, columns, lid, ITEMS);
    Reflector h = reflector(vector[i], sums[PAIRS]);
    // Work-item t < PAIRS is in charge of column t of P and Z: P^T v and P(i, :).
    int counts = lid < done;
    REAL first_p = counts ? p[(long)i * PAIRS + lid] : 0;
    REAL p_v = counts ? (sums[lid] - h.value * first_p) * h.scale : 0;
    REAL v[HELD], w[HELD], z_r = 0, squares = 0;
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        int at = i + lid + k * ITEMS;
        v[k] = at >= m ? 0 : at == i ? 1 : vector[at] * h.scale;
        w[k] = 0;
        // A row of the vector is stored by one of the groups.
        if (at < m && (lid / 32 + k) % groups == group) {
            p[(long)at * PAIRS + done] = v[k];
            if (at > i) {
                a[at + i * ld] = v[k];
            }
        }
    }
    if (group == 0 && lid == 0) {
        d[i] = h.value;
        tauq[i] = h.tau;
    }
    for (int j0 = i + 1 + group * AT_ONCE; j0 < n; j0 += groups * AT_ONCE) {
        REAL c[AT_ONCE][HELD], zs[AT_ONCE], pair[AT_ONCE][2];
#pragma unroll
        for (int q = 0; q < AT_ONCE; q++) {
            int j = j0 + q;
#pragma unroll
            for (int k = 0; k < HELD; k++) {
                int at = i + lid + k * ITEMS;
                c[q][k] = at < m && j < n ? a[at + j * ld] : 0;
            }
            zs[q] = counts && j < n ? z[(long)j * PAIRS + lid] : 0;
        }
#pragma unroll
        for (int q = 0; q < AT_ONCE; q++) {
            pair[q][0] = -zs[q] * p_v;
            pair[q][1] = -zs[q] * first_p + (lid == 0 ? c[q][0] : 0);
#pragma unroll
            for (int k = 0; k < HELD; k++) {
                pair[q][0] += c[q][k] * v[k];
            }
        }
        over_items(space, pair, lid);
#pragma unroll
        for (int q = 0; q < AT_ONCE; q++) {
            int j = j0 + q;
            REAL y = h.tau * pair[q][0], r_j = pair[q][1] - y;
#pragma unroll
            for (int k = 0; k < HELD; k++) {
                w[k] += r_j * c[q][k];
            }
            if (j < n) {
                z_r += (lid == done ? y : zs[q]) * r_j;
                squares += j > i + 1 ? r_j * r_j : 0;
                if (lid == 0) {
                    z[(long)j * PAIRS + done] = y;
                    r[j] = r_j;
                }
            }
        }
    }
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        int at = i + lid + k * ITEMS;
        if (at < m) {
            w_part[(long)group * m + at] = w[k];
        }
    }
    if (lid < PAIRS) {
        z_part[group * EACH + lid] = z_r;
    }
    if (lid == 0) {
        z_part[group * EACH + PAIRS] = squares;
    }
}
