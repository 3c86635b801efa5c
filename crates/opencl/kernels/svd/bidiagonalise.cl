// The reduction to bidiagonal form where each phase of a step is a launch (bidiagonal_phases.cl has the mathematics), and the end of
// every panel.

// v_i into column 2 s of P, by the work-items of `groups` groups.
static inline void store_v(const Panel *w, Reflector h, int i, int s, int group, int groups) {
    for (int at = i + group * ITEMS + get_local_id(0); at < w->m; at += groups * ITEMS) {
        w->p[at + 2 * s * w->ldp] = at == i ? 1 : w->vector[at] * h.scale;
    }
}

// A group's rows of P, from row `from` on and but for x_{i-1}, into its local memory.
static inline void load_tile(const Panel *w, __local Local *memory, int from, int s) {
    for (int e = get_local_id(0); e < ROWS * 2 * s; e += ITEMS) {
        int row = e % ROWS, t = e / ROWS, at = w->first + get_group_id(0) * ROWS + row;
        memory->tile[row][t] = at >= from && at < w->m && t < 2 * s - 1 ? w->p[at + t * w->ldp] : 0;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

// bidiagonal_column: form_column
//   i, s, z_parts, w_parts   int, see there
// Local size (ITEMS, 1, 1), a group for each ROWS rows from the panel's first on.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void bidiagonal_column(
    PANEL_PARAMETERS, int i, int s, int z_parts, int w_parts) {
    __local Local memory;
    Panel w = PANEL;
    load_tile(&w, &memory, i, s);
    form_column(&w, &memory, get_group_id(0), i, s, z_parts, w_parts, 1);
}

// bidiagonal_finish: the panel's last x and u, and its reflectors into A, which is changed here alone: v below the diagonal, u right of
// the superdiagonal
//   to                       A once more
//   steps, z_parts, w_parts  int: steps of the panel; see form_column
// Sizes as above.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void bidiagonal_finish(
    PANEL_PARAMETERS, __global REAL *to, int steps, int z_parts, int w_parts) {
    __local Local memory;
    Panel w = PANEL;
    int lid = get_local_id(0), start = first + get_group_id(0) * ROWS;
    load_tile(&w, &memory, first + steps, steps);
    form_column(&w, &memory, get_group_id(0), first + steps, steps, z_parts, w_parts, 0);
    barrier(CLK_GLOBAL_MEM_FENCE);
    to += a_off;
    for (int e = lid; e < ROWS * steps; e += ITEMS) {
        int at = start + e % ROWS, s = e / ROWS;
        if (at < m && at > first + s) {
            to[at + (first + s) * ld] = p[at + 2 * s * ldp];
        }
    }
    for (int e = lid; e < ROWS * steps; e += ITEMS) {
        int j = start + e / steps, s = e % steps;
        if (j < n && j > first + s + 1) {
            to[first + s + j * ld] = z[(long)j * PAIRS + 2 * s + 1];
        }
    }
}

// bidiagonal_sweep: sweep_columns
//   i, s   int
// Local size (ITEMS, 1, 1); any number of groups.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void bidiagonal_sweep(PANEL_PARAMETERS, int i, int s) {
    __local Local memory;
    Panel w = PANEL;
    Reflector h = sweep_columns(&w, &memory, get_group_id(0), get_num_groups(0), i, s);
    store_v(&w, h, i, s, get_group_id(0), get_num_groups(0));
}

// bidiagonal_dots: the sweep for columns that are too long to be held, but for A0 r, which takes one of its own
//   i, s   int
// Local size (ITEMS, 1, 1); any number of groups. AT_ONCE is 1.
#if AT_ONCE == 1
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void bidiagonal_dots(PANEL_PARAMETERS, int i, int s) {
    __local Local memory;
    Panel w = PANEL;
    int lid = get_local_id(0), group = get_group_id(0), groups = get_num_groups(0), done = 2 * s;
    REAL p_v, z_r = 0, squares = 0;
    Left left;
    load_left(&w, &left, i, s);
    Reflector h = left_reflector(&w, &memory, &left, group, i, s, &p_v);
    store_v(&w, h, i, s, group, groups);
    for (int j = i + 1 + group; j < n; j += groups) {
        __global const REAL *column = w.a + j * ld;
        REAL zs = lid < done ? z[(long)j * PAIRS + lid] : 0;
        REAL dots[LOADS];
#pragma unroll
        for (int k = 0; k < LOADS; k++) {
            dots[k] = 0;
        }
        for (int at = i + 1 + lid; at < m; at += LOADS * ITEMS) {
#pragma unroll
            for (int k = 0; k < LOADS; k++) {
                int here = at + k * ITEMS;
                dots[k] += here < m ? column[here] * (vector[here] * h.scale) : 0;
            }
        }
        REAL dot = sum_of(dots);
        REAL own = lid == 0 ? column[i] : 0, values[2] = {dot + own - zs * p_v, own - zs * left.first_p};
        over_items(&memory, values, lid);
        REAL y = h.tau * values[0], r_j = values[1] - y;
        z_r += (lid == done ? y : zs) * r_j;
        squares += j > i + 1 ? r_j * r_j : 0;
        if (lid == 0) {
            z[(long)j * PAIRS + done] = y;
            r[j] = r_j;
        }
    }
    if (lid <= done) {
        z_part[group * EACH + 1 + lid] = z_r;
    }
    if (lid == 0) {
        z_part[group * EACH] = squares;
    }
}

// bidiagonal_product: A0 r
//   i      int
// Local size (ITEMS, 1, 1); dimension 0 goes along the rows from i on, 1 along the parts, which share the columns.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void bidiagonal_product(PANEL_PARAMETERS, int i) {
    int at = i + get_global_id(0), parts = get_num_groups(1), part = get_group_id(1);
    int columns = (n - i - 1 + parts - 1) / parts, from = i + 1 + part * columns, end = min(n, from + columns);
    if (at >= m) {
        return;
    }
    a += a_off + at;
    REAL sum = 0;
    for (int j = from; j < end; j += LOADS) {
        REAL x[LOADS];
#pragma unroll
        for (int k = 0; k < LOADS; k++) {
            x[k] = j + k < end ? r[j + k] * a[(j + k) * ld] : 0;
        }
        sum += sum_of(x);
    }
    w_part[(long)part * m + at] = sum;
}
#endif
