// Merging the SVDs of two children: order, deflation (LAPACK's xLASD2), and the moves of columns before and after the product.
//
// Deflation. A pole with |z_j| <= TOL is a singular value as it is. Of the others, in ascending order, neighbours whose
// poles differ by at most TOL form chains; within a chain, rotations of columns j - 1 and j of both U and V,
//
//       tau_j^2 = tau_{j-1}^2 + z_j^2,    c = z_j / tau_j,    s = -tau_{j-1} / tau_j,
//       x_{j-1}' = c x_{j-1} + s x_j,     x_j' = c x_j - s x_{j-1},
//
// move all of the chain's z to its last pole; its other poles are deflated. Which poles are near each other does not depend on
// z, so that chains are found and summed by scans and not one after the other. Pole 0 is never deflated: its z is kept at
// least TOL, and the next pole at least TOL / 2 away.
//
// merge_types.cl says what nodes and counts are. In the kernels below
//   nodes, first_node         the merges' nodes; dimension 1 or 2 goes along the merges as said
//   null_turn                 REAL2 (c, s) a merge: pole 0's column of V is c (null column of V1) + s (null column of V2), the
//                             node's null column -s (that of V1) + c (that of V2); (1, 0) for sqre = 0
//   d_sorted, z_sorted, col_sorted   n each: all size poles of a node in ascending order, pole 0 first, and their columns

// Elements of the ascending x[0 .. count) that are below `value`, or not above it.
static inline int count_below(__global const REAL *x, int count, REAL value, int or_equal) {
    int low = 0, high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        REAL y = x[middle];
        if (y < value || (or_equal && y == value)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// merge_order: d and z in ascending order of d
//   nodes, first_node
//   b_d, b_e                  B, scaled
//   v, ld, thin               the children's V; in thin form what is outside of the children's own rows becomes zero
//   sigma, column             the children's results
//   d_sorted, z_sorted, col_sorted, null_turn     results
// Any global and local size in dimension 0, which goes along a node's poles; dimension 1 is the number of merges.
__kernel void merge_order(
    __global const int4 *nodes, int first_node, __global const REAL *b_d, __global const REAL *b_e,
    __global REAL *v, long ld, int thin, __global const REAL *sigma, __global const int *column,
    __global REAL *d_sorted, __global REAL *z_sorted, __global int *col_sorted, __global REAL2 *null_turn) {
    int4 node = nodes[first_node + get_global_id(1)];
    int first = node.x, nl = node.y, nr = node.z, middle = first + nl, size = nl + 1 + nr;
    long last_row = thin ? 1 : middle, first_row = thin ? 0 : middle + 1;
    REAL alpha = b_d[middle], beta = b_e[middle];
    for (int p = get_global_id(0); p < size; p += get_global_size(0)) {
        int rank = 0, col = middle;
        REAL d = 0, z;
        if (p == 0) {
            REAL c = 1, s = 0;
            z = alpha * v[last_row + middle * ld];
            if (node.w) {
                REAL other = beta * v[first_row + (first + size) * ld], r = hypot(z, other);
                if (r > TOL) {
                    c = z / r;
                    s = other / r;
                    z = r;
                }
            }
            z = fabs(z) > TOL ? z : TOL;
            null_turn[get_global_id(1)] = (REAL2)(c, s);
        } else if (p <= nl) {
            int at = p - 1;
            d = sigma[first + at];
            col = column[first + at];
            rank = 1 + at + count_below(sigma + middle + 1, nr, d, 0);
            z = alpha * v[last_row + col * ld];
            if (thin) {
                v[1 + col * ld] = 0;
            }
        } else {
            int at = p - 1 - nl;
            d = sigma[middle + 1 + at];
            col = column[middle + 1 + at];
            rank = 1 + at + count_below(sigma + first, nl, d, 1);
            z = beta * v[first_row + col * ld];
            if (thin) {
                v[col * ld] = 0;
            }
        }
        d_sorted[first + rank] = d;
        z_sorted[first + rank] = z;
        col_sorted[first + rank] = col;
    }
}

// Inclusive sum over the group of x, item by item; *total the sum over all. `buffer` is 2 GROUP.
GROUP_FUNCTION int4 scan(__local int4 *buffer, int lid, int4 x, int4 *total) {
    int at = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    buffer[lid] = x;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int step = 1; step < GROUP; step *= 2) {
        x = buffer[at + lid];
        if (lid >= step) {
            x += buffer[at + lid - step];
        }
        at = GROUP - at;
        buffer[at + lid] = x;
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    *total = buffer[at + GROUP - 1];
    return x;
}

// A chain up to some pole: sum of z^2, where among the survivors it begins, and which rows its columns reach.
typedef struct {
    REAL square;
    int start, rows, begins;
} Chain;

static inline Chain joined(Chain a, Chain b) {
    if (!b.begins) {
        b.square += a.square;
        b.start = a.start;
        b.rows |= a.rows;
        b.begins = a.begins;
    }
    return b;
}

// merge_deflate: which poles stay
//   nodes, first_node
//   d_sorted, z_sorted, col_sorted
//   counts            int4 a merge: result
//   norm              REAL a merge: ||z||^2 of the poles that stay
//   pole, z           n each: the k poles that stay, ascending, and their z
//   packed, source    n each: packed[r], r < k, is the index in `pole` that packed column r belongs to; source[r], r < size,
//                     is the column of U and V that it comes from, behind the first k the deflated ones
//   value             n: from k on the deflated singular values, ascending, in the order of `source`
//   survivor          n: positions of the poles with large z
//   turn              n REAL2: (c, s) of survivor q with q - 1
//   chain             n int2: first and last survivor of each chain of two and more
//   place             n int4: workspace
// Local size (256, 1, 1), one group a merge in dimension 1.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void merge_deflate(
    __global const int4 *nodes, int first_node,
    __global const REAL *d_sorted, __global const REAL *z_sorted, __global const int *col_sorted,
    __global int4 *counts, __global REAL *norm, __global REAL *pole, __global REAL *z, __global int *packed, __global int *source,
    __global REAL *value, __global int *survivor, __global REAL2 *turn, __global int2 *chain, __global int4 *place) {
    __local int4 sums[2 * GROUP];
    __local Chain chains[2 * GROUP];
    __local Chain before[GROUP];
    __local REAL squares[GROUP];
    int lid = get_local_id(0);
    int4 node = nodes[first_node + get_group_id(1)];
    int first = node.x, middle = node.x + node.y, size = node.y + 1 + node.z;
    d_sorted += first, z_sorted += first, col_sorted += first, pole += first, z += first, packed += first, source += first;
    value += first, survivor += first, turn += first, chain += first, place += first;

    // The poles with large z. packed[p] says for now whether sorted pole p is deflated.
    int survivors = 0;
    for (int base = 0; base < size; base += GROUP) {
        int p = base + lid;
        int stays = p < size && (p == 0 || fabs(z_sorted[p]) > TOL);
        int4 total, sum = scan(sums, lid, (int4)(stays, 0, 0, 0), &total);
        if (stays) {
            survivor[survivors + sum.x - 1] = p;
        }
        if (p < size) {
            packed[p] = !stays;
        }
        survivors += total.x;
    }
    barrier(CLK_GLOBAL_MEM_FENCE);

    // The chains. count: upper, lower, both, chains of two and more so far; place[j] = (rows, index among those, column).
    int4 count = 0;
    Chain carry = {0, 0, 0, 1};
    REAL all = 0;
    for (int base = 0; base < survivors; base += GROUP) {
        int q = base + lid, valid = q < survivors;
        int p = valid ? survivor[q] : 0;
        REAL d = valid ? d_sorted[p] : 0, z_q = valid ? z_sorted[p] : 0;
        int linked = valid && q > 1 && d - d_sorted[survivor[q - 1]] <= TOL;
        int goes_on = valid && q > 0 && q + 1 < survivors && d_sorted[survivor[q + 1]] - d <= TOL;
        int col = valid ? col_sorted[p] : middle;
        Chain x = {z_q * z_q, q, col == middle ? 0 : col < middle ? UPPER : LOWER, !linked};
        int at = 0;
        chains[lid] = x;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int step = 1; step < GROUP; step *= 2) {
            x = chains[at + lid];
            if (lid >= step) {
                x = joined(chains[at + lid - step], x);
            }
            at = GROUP - at;
            chains[at + lid] = x;
            barrier(CLK_LOCAL_MEM_FENCE);
        }
        x = joined(carry, x);
        before[lid] = x;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (linked) {
            Chain previous = lid > 0 ? before[lid - 1] : carry;
            REAL tau = previous.start == q - 1 ? z_sorted[survivor[q - 1]] : sqrt(previous.square);
            REAL h = sqrt(tau * tau + z_q * z_q);
            turn[q] = (REAL2)(z_q / h, -tau / h);
        }
        carry = before[GROUP - 1];

        int stays = valid && !goes_on, ends = stays && linked;
        int4 one = (int4)(stays && x.rows == UPPER, stays && x.rows == LOWER, stays && x.rows == BOTH, ends);
        int4 total, sum = count + scan(sums, lid, one, &total) - one;
        if (stays) {
            int j = sum.x + sum.y + sum.z + (q > 0);
            pole[j] = j == 1 ? fmax(d, TOL / 2) : d;
            z[j] = ends ? sqrt(x.square) : z_q;
            place[j] = (int4)(x.rows, x.rows == UPPER ? sum.x : x.rows == LOWER ? sum.y : sum.z, col, 0);
            if (ends) {
                chain[sum.w] = (int2)(x.start, q);
            }
            all += x.square;
        } else if (valid) {
            packed[p] = 1;
        }
        count += total;
        barrier(CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE);
    }

    // The deflated poles: behind the others, in ascending order.
    int k = 1 + count.x + count.y + count.z, deflated = 0;
    for (int base = 0; base < size; base += GROUP) {
        int p = base + lid, leaves = p < size && packed[p];
        int4 total, sum = scan(sums, lid, (int4)(leaves, 0, 0, 0), &total);
        if (leaves) {
            int r = k + deflated + sum.x - 1;
            value[r] = d_sorted[p];
            source[r] = col_sorted[p];
        }
        deflated += total.x;
    }
    barrier(CLK_GLOBAL_MEM_FENCE);

    // The others: upper, pole 0, both, lower.
    for (int j = lid; j < k; j += GROUP) {
        int4 at = place[j];
        int r = at.x == 0 ? count.x : at.x == UPPER ? at.y : count.x + 1 + at.y + (at.x == LOWER ? count.z : 0);
        packed[r] = j;
        source[r] = at.z;
    }
    squares[lid] = all;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        if (lid < half_size) {
            squares[lid] += squares[lid + half_size];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (lid == 0) {
        counts[get_group_id(1)] = (int4)(k, count.x, count.z, count.w);
        norm[get_group_id(1)] = squares[0];
    }
}

// The two sides. Dimension 2 goes along merges and sides; in thin form V is the only one.
#define SIDE                                                                            \
    int merge = thin ? get_global_id(2) : get_global_id(2) / 2;                         \
    int is_v = thin || get_global_id(2) % 2;                                            \
    int4 node = nodes[first_node + merge], count = counts[merge];                       \
    int first = node.x, middle = node.x + node.y, size = node.y + 1 + node.z;           \
    int extra = is_v && node.w, row_0 = thin ? 0 : first;                               \
    int rows = thin ? 2 : size + extra, upper_rows = thin ? 1 : node.y + 1;

// merge_rotate: the chains' rotations of columns of U and V
//   nodes, first_node, counts
//   col_sorted, survivor, turn, chain     of merge_deflate
//   u, v, ld, thin                        matrices
// Any global and local size in dimensions 0, along the rows, and 1, along the chains; 2 is merges times sides.
__kernel void merge_rotate(
    __global const int4 *nodes, int first_node, __global const int4 *counts,
    __global const int *col_sorted, __global const int *survivor,
    __global const REAL2 *turn, __global const int2 *chain, __global REAL *u, __global REAL *v, long ld, int thin) {
    SIDE
    __global REAL *a = is_v ? v : u;
    for (int which = get_global_id(1); which < count.w; which += get_global_size(1)) {
        int2 ends = chain[first + which];
        for (long i = row_0 + get_global_id(0); i < row_0 + rows; i += get_global_size(0)) {
            long to = col_sorted[first + survivor[first + ends.x]];
            REAL x = a[i + to * ld];
            for (int q = ends.x + 1; q <= ends.y; q++) {
                long from = col_sorted[first + survivor[first + q]];
                REAL2 cs = turn[first + q];
                REAL y = a[i + from * ld];
                a[i + to * ld] = cs.x * x + cs.y * y;
                x = cs.x * y - cs.y * x;
                to = from;
            }
            a[i + to * ld] = x;
        }
    }
}

// merge_pack: copies columns to where the product takes them from, without the halves that are zero
//   nodes, first_node, counts, source, null_turn
//   u, v, ld, thin        matrices
//   p_u, p_v              packed matrices, in the same blocks with the same leading dimension; column r of a node from
//                         column source[r], the null column to the same place
// Any global and local size in dimensions 0, along the rows, and 1, along the columns; 2 is merges times sides.
__kernel void merge_pack(
    __global const int4 *nodes, int first_node, __global const int4 *counts,
    __global const int *source, __global const REAL2 *null_turn,
    __global const REAL *u, __global const REAL *v, long ld, int thin, __global REAL *p_u, __global REAL *p_v) {
    SIDE
    __global const REAL *from = is_v ? v : u;
    __global REAL *to = is_v ? p_v : p_u;
    REAL2 cs = null_turn[merge];
    for (int r = get_global_id(1); r < size + extra; r += get_global_size(1)) {
        // Whether the column is made of the null columns of V1 and V2, and by which factors.
        int is_null = r == size || (r == count.y && is_v);
        REAL upper = r == size ? -cs.y : cs.x, lower = r == size ? cs.x : cs.y;
        long col = is_null ? middle : source[first + r];
        int has_upper = r <= count.y + count.z || r >= count.x || thin, has_lower = r >= count.y || thin;
        for (int i = get_global_id(0); i < rows; i += get_global_size(0)) {
            int is_upper = i < upper_rows;
            if (!(is_upper ? has_upper : has_lower)) {
                continue;
            }
            REAL x;
            if (!is_null) {
                x = from[row_0 + i + col * ld];
            } else if (is_upper) {
                x = upper * from[row_0 + i + col * ld];
            } else {
                x = node.w ? lower * from[row_0 + i + (first + size) * ld] : 0;
            }
            to[row_0 + i + (first + r) * ld] = x;
        }
    }
}

// merge_unpack: deflated columns and the null column, which no product changes
//   nodes, first_node, counts
//   p_u, p_v, ld, thin    packed matrices
//   u, v                  matrices; the node's columns from k on become those of the packed ones
// Any global and local size in dimensions 0, along the rows, and 1, along the columns; 2 is merges times sides.
__kernel void merge_unpack(
    __global const int4 *nodes, int first_node, __global const int4 *counts,
    __global const REAL *p_u, __global const REAL *p_v,
    long ld, int thin, __global REAL *u, __global REAL *v) {
    SIDE
    __global const REAL *from = is_v ? p_v : p_u;
    __global REAL *to = is_v ? v : u;
    for (int r = count.x + get_global_id(1); r < size + extra; r += get_global_size(1)) {
        for (int i = get_global_id(0); i < rows; i += get_global_size(0)) {
            long at = row_0 + i + (first + r) * ld;
            to[at] = from[at];
        }
    }
}

// merge_rank: the node's singular values in ascending order
//   nodes, first_node, counts
//   value             n: k roots, ascending, then the deflated values, ascending; value[j] belongs to column first + j
//   sigma, column     results
// Any global and local size in dimension 0, which goes along a node's values; dimension 1 is the number of merges.
__kernel void merge_rank(
    __global const int4 *nodes, int first_node, __global const int4 *counts, __global const REAL *value,
    __global REAL *sigma, __global int *column) {
    int4 node = nodes[first_node + get_global_id(1)];
    int first = node.x, size = node.y + 1 + node.z, k = counts[get_global_id(1)].x;
    for (int j = get_global_id(0); j < size; j += get_global_size(0)) {
        REAL s = value[first + j];
        int rank = j < k ? j + count_below(value + first + k, size - k, s, 0) : j - k + count_below(value + first, k, s, 1);
        sigma[first + rank] = s;
        column[first + rank] = first + j;
    }
}
