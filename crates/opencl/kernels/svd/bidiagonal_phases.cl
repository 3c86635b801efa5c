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
// A step has two phases, each reading what all groups have left in the one before; all of them add the parts in the same order,
// so that a result depends on the input and the device alone:
//
//   form_column     finishes x_{i-1} and u_{i-1}, forms the updated column i: parts of |a|^2 and P^T a; a group has ROWS rows
//   sweep_columns   finishes v_i, sweeps over the columns behind i: parts of |r|^2, Z^T r and A0 r; groups share the columns
//
// Between two phases all groups must meet: each phase is a launch (bidiagonalise.cl), or groups wait for each other in one launch for
// the whole panel (bidiagonal_panel.cl), which takes less time than a launch.
//
// Storage. A is column-major with stride ld and does not change. P is m x 2 b, column-major with stride ldp, and Z n x 2 b, row-major
// with stride PAIRS: what the product of a panel's end takes best. Row 0 of each is row 0 of the matrix.
//
//   -DREAL=float|double   the element type (types.cl)
//   -DPAIRS               2 b
//   -DITEMS               work-items of a group, more than PAIRS
//   -DROWS                rows of a group in form_column; ITEMS / ROWS is a power of two, 8 at least
//   -DHELD                elements of a column that a work-item holds: ITEMS * HELD >= m - first row
//   -DAT_ONCE             columns of a group at once, a power of two
//   -DAHEAD               1: the next columns are loaded into registers before the present ones are worked on; 0: behind it
//   -DPTX                 1: NVIDIA's assembly (compute capability 7.0): work-items exchange registers; 0: OpenCL C alone
//   -DFAR                 1: with PTX, columns are fetched into the cache before that: where the matrix is larger than the cache

#define EACH (PAIRS + 1)
#define SLICES (ITEMS / ROWS)
#define ROW_GROUPS(w) (((w)->m - (w)->first + ROWS - 1) / ROWS)
#define SUMS (2 * AT_ONCE)
#define WARPS (ITEMS / 32)
#define SPACE (PTX || AT_ONCE == 1 ? 2 * ITEMS : SUMS * ITEMS)
// Loads that are under way at once where parts are added, as many as leave registers for columns, and work-items that share the
// parts of a sum.
#define LOADS (HELD * (1 + DOUBLE) >= 32 ? 8 : 16)
#define MOST_LANES 16

// What the kernels are given:
//   a, a_off, ld              A and its long offset and column stride
//   p, ldp, z                 P, its long column stride, and Z
//   vector                    m elements: the updated column, from row i on
//   r                         n elements: the updated row, from column i + 1 on
//   d, e, tauq, taup          n elements each; e and taup lack the last
//   w_part                    parts of A0 r, m elements each
//   z_part                    parts of |r|^2 and Z^T r, EACH elements each
//   c_part                    parts of |a|^2 (without its first element) and P^T a, EACH elements each
//   m, n, first               int: extents, and the panel's first step
#define PANEL_PARAMETERS \
    __global const REAL *a, long a_off, long ld, __global REAL *p, long ldp, __global REAL *z, __global REAL *vector, \
        __global REAL *r, __global REAL *d, __global REAL *e, __global REAL *tauq, __global REAL *taup, \
        __global REAL *w_part, __global REAL *z_part, __global REAL *c_part, int m, int n, int first
#define PANEL {a + a_off, ld, p, ldp, z, vector, r, d, e, tauq, taup, w_part, z_part, c_part, m, n, first}

typedef struct {
    __global const REAL *a;
    long ld;
    __global REAL *p;
    long ldp;
    __global REAL *z, *vector, *r, *d, *e, *tauq, *taup, *w_part, *z_part, *c_part;
    int m, n, first;
} Panel;

// A group's local memory. `tile` and `column` are the group's rows of P and of the updated column.
typedef struct {
    REAL space[SPACE], totals[SUMS], sums[EACH], weights[EACH], line[EACH];
    REAL tile[ROWS][EACH], column[ROWS];
} Local;

// A reflector of LAPACK's xLARFG for a vector whose first element is `first` and whose others have this sum of squares:
// (I - tau w w^T) x = value e_1, w = (x - value e_1) * scale but for w_1 = 1.
typedef struct {
    REAL value, tau, scale;
} Reflector;

// Sums of squares below that have lost digits to underflow, and a reflector made of them would not be orthogonal.
#if DOUBLE
#define LEAST_SQUARES 1e-290
#else
#define LEAST_SQUARES 1e-30f
#endif

static inline Reflector reflector(REAL first, REAL squares) {
    Reflector h;
    // Nothing to annihilate: the identity.
    h.value = first, h.tau = 0, h.scale = 0;
    if (squares > LEAST_SQUARES) {
        REAL length = sqrt(first * first + squares);
        h.value = first > 0 ? -length : length;
        h.tau = (h.value - first) / h.value;
        h.scale = 1 / (first - h.value);
    }
    return h;
}

static inline REAL sum_of(const REAL *x) {
    REAL sum = 0;
#pragma unroll
    for (int k = 0; k < LOADS; k += 4) {
        sum += (x[k] + x[k + 1]) + (x[k + 2] + x[k + 3]);
    }
    return sum;
}

// The first LOADS parts that a work-item adds of sums of `count` terms each: loads that need not be waited for yet.
static inline void load_parts(REAL *x, __global const REAL *part, int parts, int count, int from, int lid) {
    int lanes = min(ITEMS / count, MOST_LANES), lane = lid / count, t = lid % count;
#pragma unroll
    for (int k = 0; k < LOADS; k++) {
        int at = from + lane + k * lanes;
        x[k] = lane < lanes && at < parts ? part[at * EACH + t] : 0;
    }
}

// memory->sums[t] = sum over `parts` parts of part[part * EACH + t], t < count, by all work-items, in a fixed order. `x` has been
// loaded.
static inline void add_parts(__local Local *memory, REAL *x, __global const REAL *part, int parts, int count, int lid) {
    int lanes = min(ITEMS / count, MOST_LANES);
    REAL sum = sum_of(x);
    for (int from = LOADS * lanes; from < parts; from += LOADS * lanes) {
        load_parts(x, part, parts, count, from, lid);
        sum += sum_of(x);
    }
    if (lid < lanes * count) {
        memory->space[lid] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid < count) {
        sum = 0;
        for (int l = 0; l < lanes; l++) {
            sum += memory->space[l * count + lid];
        }
        memory->sums[lid] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

// Adds the slices' two terms of each row; slice 0 gets the sums.
static inline void over_slices(__local REAL *space, REAL *terms, int lid) {
    space[lid] = terms[0];
    space[ITEMS + lid] = terms[1];
    barrier(CLK_LOCAL_MEM_FENCE);
#if SLICES > 8
    if (lid < 16 * ROWS) {
        __local REAL *mine = space + lid / (8 * ROWS) * ITEMS + lid % (8 * ROWS);
        REAL sum = 0;
#pragma unroll
        for (int k = 0; k < SLICES / 8; k++) {
            sum += mine[k * 8 * ROWS];
        }
        mine[0] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    if (lid < ROWS) {
#pragma unroll
        for (int v = 0; v < 2; v++) {
            REAL sum = 0;
#pragma unroll
            for (int k = 0; k < 8; k++) {
                sum += space[v * ITEMS + k * ROWS + lid];
            }
            terms[v] = sum;
        }
    }
}

// Groups that leave parts in the sweep of step i, of `groups` that there are.
static inline int sweeping(const Panel *w, int i, int groups) {
    return clamp((w->n - i - 1 + AT_ONCE - 1) / AT_ONCE, 1, groups);
}

// LOADS parts of A0 r for a row, from `part` on, of those that its slice adds.
static inline void load_slice(const Panel *w, REAL *y, int w_parts, int part, int at) {
#pragma unroll
    for (int k = 0; k < LOADS; k++) {
        int which = part + k * SLICES;
        y[k] = which < w_parts ? w->w_part[(long)which * w->m + at] : 0;
    }
}

// The first phase of step i = first + s for the rows of group `group`, which begin at row `first`. `tile` has the group's rows of
// P but for x_{i-1}. z_parts and w_parts parts were left. Without `more` x and u are finished, and no column is formed.
static inline void form_column(
    const Panel *w, __local Local *memory, int group, int i, int s, int z_parts, int w_parts, int more) {
    int lid = get_local_id(0), row = lid % ROWS, slice = lid / ROWS, at = w->first + group * ROWS + row, done = 2 * s;
    int finish = s > 0 && i < w->n, inside = at >= i && at < w->m && i < w->n;
    // In the panel's first step there are no parts, and nothing to finish: no condition about barriers.
    REAL own = lid < ROWS && inside ? w->a[at + i * w->ld] : 0;
    REAL row_element = finish && lid < ROWS && inside && at < w->n ? w->r[at] : 0, leading = finish ? w->r[i] : 0;
    REAL z_element = finish && lid < done - 1 ? w->z[(long)i * PAIRS + lid] : 0, terms[2] = {0, 0};
    REAL x[LOADS], y[LOADS];
    load_parts(x, w->z_part, z_parts, max(done, 1), 0, lid);
    load_slice(w, y, inside ? w_parts : 0, slice, at);
    add_parts(memory, x, w->z_part, z_parts, max(done, 1), lid);
    terms[0] = sum_of(y);
    for (int part = slice + LOADS * SLICES; inside && part < w_parts; part += LOADS * SLICES) {
        load_slice(w, y, w_parts, part, at);
        terms[0] += sum_of(y);
    }
    Reflector g = reflector(leading, memory->sums[0]);
    if (lid < done - 1) {
        // Z^T u, and Z(i, :).
        memory->weights[lid] = (memory->sums[1 + lid] - g.value * z_element) * g.scale;
        memory->line[lid] = z_element;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    terms[0] *= g.scale;
    for (int t = slice; t < done - 1; t += SLICES) {
        REAL p = memory->tile[row][t];
        terms[0] -= p * memory->weights[t];
        terms[1] += p * memory->line[t];
    }
    over_slices(memory->space, terms, lid);
    if (lid < ROWS) {
        REAL x_i = inside ? g.tau * (terms[0] - g.value * g.scale * own) : 0;
        if (finish) {
            memory->tile[row][done - 1] = x_i;
            if (inside) {
                w->p[at + (done - 1) * w->ldp] = x_i;
            }
            if (inside && at < w->n) {
                w->z[(long)at * PAIRS + done - 1] = at == i ? 1 : row_element * g.scale;
            }
            if (at == i) {
                w->e[i - 1] = g.value;
                w->taup[i - 1] = g.tau;
            }
        }
        // u_{i-1}(i) is 1.
        REAL updated = inside ? own - (terms[1] + x_i) : 0;
        memory->column[row] = updated;
        if (inside && more) {
            w->vector[at] = updated;
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (more && lid <= done && w->first + group * ROWS < w->m) {
        REAL sum = 0;
        for (int l = 0; l < ROWS; l++) {
            REAL element = memory->column[l];
            REAL factor = lid > 0 ? memory->tile[l][lid - 1] : w->first + group * ROWS + l > i ? element : 0;
            sum += factor * element;
        }
        w->c_part[group * EACH + lid] = sum;
    }
}

#if PTX
// The value of the work-item of the same warp whose number differs by `mask`.
static inline REAL exchanged(REAL x, int mask) {
#if DOUBLE
    int2 from = as_int2(x), to;
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(to.x) : "r"(from.x), "r"(mask));
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(to.y) : "r"(from.y), "r"(mask));
    return as_double(to);
#else
    int from = as_int(x), to;
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(to) : "r"(from), "r"(mask));
    return as_float(to);
#endif
}

// Sums of `SUMS` values over the work-items of a group; all of them get the sums.
static inline void over_items(__local Local *memory, REAL *values, int lid) {
    int lane = lid % 32;
    // Halves of a warp give each other half of the values, so that each step has half as many.
#pragma unroll
    for (int width = SUMS / 2; width > 0; width /= 2) {
        int mask = 32 * width / SUMS;
#pragma unroll
        for (int q = 0; q < width; q++) {
            REAL low = values[q], high = values[q + width];
            values[q] = (lane & mask ? high : low) + exchanged(lane & mask ? low : high, mask);
        }
    }
#pragma unroll
    for (int mask = 16 / SUMS; mask > 0; mask /= 2) {
        values[0] += exchanged(values[0], mask);
    }
    if (lane % (32 / SUMS) == 0) {
        memory->space[lane / (32 / SUMS) * WARPS + lid / 32] = values[0];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid < SUMS) {
        REAL even = 0, odd = 0;
#pragma unroll
        for (int warp = 0; warp < WARPS; warp += 2) {
            even += memory->space[lid * WARPS + warp];
            odd += memory->space[lid * WARPS + warp + 1];
        }
        memory->totals[lid] = even + odd;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int q = 0; q < SUMS; q++) {
        values[q] = memory->totals[q];
    }
}
#else
static inline void over_items(__local Local *memory, REAL *values, int lid) {
    __local REAL *space = memory->space;
#pragma unroll
    for (int q = 0; q < SUMS; q++) {
        space[q * ITEMS + lid] = values[q];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_items = ITEMS / 2; half_items > 0; half_items /= 2) {
        if (lid < half_items) {
#pragma unroll
            for (int q = 0; q < SUMS; q++) {
                space[q * ITEMS + lid] += space[q * ITEMS + lid + half_items];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int q = 0; q < SUMS; q++) {
        values[q] = space[q * ITEMS];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}
#endif

// Columns j to j + AT_ONCE - 1 from row i on, and what the work-item in charge of column `lid` of Z needs of their rows of it.
static inline void load_columns(const Panel *w, REAL (*c)[HELD], REAL *zs, int i, int j, int done, int lid) {
#pragma unroll
    for (int q = 0; q < AT_ONCE; q++) {
        int exists = j + q < w->n, rows = exists ? w->m - i - lid : 0;
        __global const REAL *column = w->a + (j + q) * w->ld + (i + lid);
#pragma unroll
        for (int k = 0; k < HELD; k++) {
            c[q][k] = k * ITEMS < rows ? column[k * ITEMS] : 0;
        }
        zs[q] = exists && lid < done ? w->z[(long)(j + q) * PAIRS + lid] : 0;
    }
}

// Turns of the sweep's loop that columns are fetched into the cache before their turn. Those of all groups must stay there so long.
#define DISTANCE (AHEAD ? 3 : 2)

// Fetches columns j to j + AT_ONCE - 1 from row i on into the device's cache.
static inline void fetch_columns(const Panel *w, int i, int j, int lid) {
#if PTX && FAR
#define CACHED (128 / (int)sizeof(REAL))
#define CACHE_LINES (ITEMS * HELD / CACHED)
    for (int k = lid; k < AT_ONCE * CACHE_LINES; k += ITEMS) {
        int column = j + k / CACHE_LINES, at = i + k % CACHE_LINES * CACHED;
        if (column < w->n && at < w->m) {
            asm volatile("prefetch.global.L2 [%0];" ::"l"((ulong)(w->a + at + column * w->ld)));
        }
    }
#endif
}

// What of the first phase's parts is needed for H_i.
typedef struct {
    REAL x[LOADS], leading, first_p;
} Left;

static inline void load_left(const Panel *w, Left *l, int i, int s) {
    int lid = get_local_id(0), done = 2 * s;
    load_parts(l->x, w->c_part, ROW_GROUPS(w), done + 1, 0, lid);
    l->leading = w->vector[i];
    l->first_p = lid < done ? w->p[i + lid * w->ldp] : 0;
}

// H_i, of which group 0 leaves d and tauq. All need P^T v, which work-item t < done has of column t, and P(i, :), likewise.
static inline Reflector left_reflector(const Panel *w, __local Local *memory, Left *l, int group, int i, int s, REAL *p_v) {
    int lid = get_local_id(0), done = 2 * s;
    add_parts(memory, l->x, w->c_part, ROW_GROUPS(w), done + 1, lid);
    Reflector h = reflector(l->leading, memory->sums[0]);
    *p_v = lid < done ? (memory->sums[1 + lid] - h.value * l->first_p) * h.scale : 0;
    if (group == 0 && lid == 0) {
        w->d[i] = h.value;
        w->tauq[i] = h.tau;
    }
    return h;
}

// The second phase of step i = first + s for group `group` of `groups`. Returns H_i; v_i in P is left to the caller.
static inline Reflector sweep_columns(const Panel *w, __local Local *memory, int group, int groups, int i, int s) {
    int lid = get_local_id(0), done = 2 * s, stride = groups * AT_ONCE, j0 = i + 1 + group * AT_ONCE;
    REAL c[AT_ONCE][HELD], zs[AT_ONCE], v[HELD], sum[HELD], z_r = 0, squares = 0, p_v;
    Left left;
    load_left(w, &left, i, s);
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        int at = i + lid + k * ITEMS;
        v[k] = at < w->m ? w->vector[at] : 0;
        sum[k] = 0;
    }
    // Behind the loads that are waited for first.
    load_columns(w, c, zs, i, j0, done, lid);
    fetch_columns(w, i, j0 + (DISTANCE - 1) * stride, lid);
    Reflector h = left_reflector(w, memory, &left, group, i, s, &p_v);
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        v[k] = k == 0 && lid == 0 ? 1 : v[k] * h.scale;
    }
    for (; j0 < w->n; j0 += stride) {
#if AHEAD
        REAL next[AT_ONCE][HELD], next_zs[AT_ONCE];
        load_columns(w, next, next_zs, i, j0 + stride, done, lid);
#endif
        fetch_columns(w, i, j0 + DISTANCE * stride, lid);
        REAL values[SUMS];
#pragma unroll
        for (int q = 0; q < AT_ONCE; q++) {
            values[q] = -zs[q] * p_v;
            values[AT_ONCE + q] = -zs[q] * left.first_p + (lid == 0 ? c[q][0] : 0);
#pragma unroll
            for (int k = 0; k < HELD; k++) {
                values[q] += c[q][k] * v[k];
            }
        }
        over_items(memory, values, lid);
#pragma unroll
        for (int q = 0; q < AT_ONCE; q++) {
            int j = j0 + q;
            REAL y = h.tau * values[q], r_j = values[AT_ONCE + q] - y;
#pragma unroll
            for (int k = 0; k < HELD; k++) {
                sum[k] += r_j * c[q][k];
            }
            if (j < w->n) {
                z_r += (lid == done ? y : zs[q]) * r_j;
                squares += j > i + 1 ? r_j * r_j : 0;
                if (lid == q) {
                    w->z[(long)j * PAIRS + done] = y;
                    w->r[j] = r_j;
                }
            }
        }
#if AHEAD
#pragma unroll
        for (int q = 0; q < AT_ONCE; q++) {
            zs[q] = next_zs[q];
#pragma unroll
            for (int k = 0; k < HELD; k++) {
                c[q][k] = next[q][k];
            }
        }
#else
        load_columns(w, c, zs, i, j0 + stride, done, lid);
#endif
    }
    if (group < sweeping(w, i, groups)) {
#pragma unroll
        for (int k = 0; k < HELD; k++) {
            int at = i + lid + k * ITEMS;
            if (at < w->m) {
                w->w_part[(long)group * w->m + at] = sum[k];
            }
        }
        if (lid <= done) {
            w->z_part[group * EACH + 1 + lid] = z_r;
        }
        if (lid == 0) {
            w->z_part[group * EACH] = squares;
        }
    }
    return h;
}
