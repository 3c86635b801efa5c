// The undeflated problem of a merge: singular values and vectors of M = (z^T; 0 diag(d_1 .. d_{k-1})), d_0 = 0.
//
// Its singular values are the roots of the secular equation
//
//       f(s^2) = 1 + sum_j z_j^2 / (d_j^2 - s^2) = 0,      d_i < s_i < d_{i+1},     s_{k-1}^2 < d_{k-1}^2 + ||z||^2
//
// A root is kept as its distance tau = s^2 - d_o^2 from the nearer of its two poles, o, so that every
//
//       D_j = d_j^2 - s^2 = (d_j - d_o) (d_j + d_o) - tau
//
// comes without cancellation. The iteration (R.-C. Li, LAPACK Working Note 89) replaces f by c + a / (D_l - x) + b / (D_r - x)
// with the two poles l and r around the root; a, b and c match f and f' with a (or b) = z_o^2 (fixed weight), or match the two
// halves of the sum, l and below, r and above, with their derivatives (middle way), which takes over when the other is
// slow. Every step stays within bounds for the root; one that leaves them becomes a Newton step or a bisection in the logarithm.
// All is divided by tau: with q_j = tau / D_j and t_j = z_j q_j
//
//       F = tau f = tau + sum z_j t_j,      F' = tau^2 f' = sum t_j^2,     step x = tau eta
//
// has no overflow in the narrowest gap, (8 eps)^2, of FP32.
//
// The roots are then exact for a slightly different z (Gu and Eisenstat, SIAM J. Matrix Anal. Appl. 16 (1995) 79),
//
//       zhat_j^2 = (s_{k-1}^2 - d_j^2) prod_{i < j} (s_i^2 - d_j^2) / (d_i^2 - d_j^2)
//                                      prod_{j <= i < k-1} (s_i^2 - d_j^2) / (d_{i+1}^2 - d_j^2),
//
// and with it the vectors are orthogonal to working precision:
//
//       u_i ~ (-1, d_1 zhat_1 / D_1, d_2 zhat_2 / D_2, ...),     v_i ~ (zhat_0 / D_0, zhat_1 / D_1, ...)
//
//   -DLANES    work-items that share a root: a power of two up to GROUP; 1 for a CPU

#define MAX_STEPS 100
#define ROOTS (GROUP / LANES)

typedef struct {
    REAL below, above;                // sum of z_j t_j over j <= l, and over j >= r
    REAL below_slope, above_slope;    // sum of t_j^2
    REAL partial;                     // sum of the |partial sums|: their rounding errors are at most EPS times this
} Sums;

// Sums over all of k; every lane of the root gets them. All lanes of the group take part in the reduction.
GROUP_FUNCTION Sums evaluate(
    __global const REAL *pole, __global const REAL *z, int k, int l, REAL d_o, REAL tau, int lid, int active,
    __local REAL *buffer) {
    Sums s = {0, 0, 0, 0, 0};
    int lane = lid % LANES;
    if (active) {
        for (int j = lane; j <= l; j += LANES) {
            REAL t = z[j] * (tau / ((pole[j] - d_o) * (pole[j] + d_o) - tau));
            s.below += z[j] * t;
            s.below_slope += t * t;
            s.partial += fabs(s.below);
        }
        // From the far end towards the root: the partial sums stay small.
        for (int j = k - 1 - lane; j > l; j -= LANES) {
            REAL t = z[j] * (tau / ((pole[j] - d_o) * (pole[j] + d_o) - tau));
            s.above += z[j] * t;
            s.above_slope += t * t;
            s.partial += fabs(s.above);
        }
    }
#if LANES > 1
    __local REAL *mine = buffer + lid;
    mine[0] = s.below;
    mine[GROUP] = s.above;
    mine[2 * GROUP] = s.below_slope;
    mine[3 * GROUP] = s.above_slope;
    mine[4 * GROUP] = s.partial;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_size = LANES / 2; half_size > 0; half_size /= 2) {
        if (lane < half_size) {
            for (int which = 0; which < 5; which++) {
                mine[which * GROUP] += mine[which * GROUP + half_size];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    mine = buffer + (lid - lane);
    s.below = mine[0];
    s.above = mine[GROUP];
    s.below_slope = mine[2 * GROUP];
    s.above_slope = mine[3 * GROUP];
    s.partial = mine[4 * GROUP];
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    return s;
}

// A distance between low and high, which have one sign, or one is zero: the middle of their logarithms where they are far apart.
static inline REAL bisect(REAL low, REAL high) {
    REAL small = fabs(low) < fabs(high) ? low : high, large = fabs(low) < fabs(high) ? high : low;
    if (small == 0) {
        return large / 32;
    }
    return fabs(large) > 4 * fabs(small) ? copysign(sqrt(fabs(small)) * sqrt(fabs(large)), large) : (small + large) / 2;
}

// eta: the zero of the interpolation is tau (1 + eta). q_l, q_r = D_l / tau, D_r / tau; z_l, z_r squares of z.
static inline REAL interpolated_step(
    Sums s, REAL f, REAL slope, REAL q_l, REAL q_r, REAL z_l, REAL z_r, int left_origin, int middle_way, int last) {
    REAL c, a = (q_l + q_r) * f - q_l * q_r * slope, b = q_l * q_r * f;
    if (middle_way) {
        c = f - q_l * s.below_slope - q_r * s.above_slope;
    } else if (left_origin) {
        c = f - q_r * slope - (q_l - q_r) * z_l / (q_l * q_l);
    } else {
        c = f - q_l * slope - (q_r - q_l) * z_r / (q_r * q_r);
    }
    c = last ? fabs(c) : c;
    REAL root = sqrt(fabs(a * a - 4 * b * c));
    if (last) {
        return a >= 0 ? (a + root) / (2 * c) : 2 * b / (a - root);
    }
    return a <= 0 ? (a - root) / (2 * c) : 2 * b / (a + root);
}

// Whether `mine` holds for any item of the group; with a root to each item, for this one.
GROUP_FUNCTION int any_of_group(__local volatile int *any, int lid, int mine) {
#if LANES > 1
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid == 0) {
        *any = 0;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (mine) {
        *any = 1;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return *any;
#else
    return mine;
#endif
}

// secular_roots
//   nodes, first_node, counts, norm, pole, z    of merge_deflate
//   origin, tau                     n each: results, o and tau of each root
//   value                           n: the first k of a node are its singular values, ascending
//   status                          int, ROOT_FAILED is added if an iteration does not end
// Local size (256, 1, 1); dimension 0 has a group for every ROOTS roots, dimension 1 is the number of merges.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void secular_roots(
    __global const int4 *nodes, int first_node, __global const int4 *counts, __global const REAL *norm,
    __global const REAL *pole, __global const REAL *z,
    __global int *origin, __global REAL *tau_of, __global REAL *value, __global volatile int *status) {
    __local REAL buffer[5 * GROUP];
    __local int unfinished;
    int lid = get_local_id(0), lane = lid % LANES;
    int first = nodes[first_node + get_group_id(1)].x, k = counts[get_group_id(1)].x;
    if ((int)get_group_id(0) * ROOTS >= k) {
        return;
    }
    int i = get_group_id(0) * ROOTS + lid / LANES, active = i < k, last = i == k - 1;
    pole += first, z += first;

    // The poles that the interpolation has: around the root, for the last root the two below it.
    int l = last ? k - 2 : active ? i : 0, r = l + 1, o = last ? r : l;
    REAL gap = 0, z_l = 0, z_r = 0, tau = 0, low = 0, high = 0;
    if (k > 1) {
        gap = (pole[r] - pole[l]) * (pole[r] + pole[l]);
        z_l = z[l] * z[l];
        z_r = z[r] * z[r];
        tau = last ? norm[get_group_id(1)] / 2 : gap / 2;
        high = last ? 2 * norm[get_group_id(1)] : gap;
        Sums s = evaluate(pole, z, k, l, pole[o], tau, lid, active, buffer);
        REAL f = tau + s.below + s.above;
        // The other poles' share of f, in the middle.
        REAL d_l = o == l ? -tau : -gap - tau, d_r = o == l ? gap - tau : -tau;
        REAL c = f / tau - z_l / d_l - z_r / d_r, guess;
        if (last) {
            low = f < 0 ? tau : low;
            high = f < 0 ? high : tau;
            REAL a = z_l + z_r - c * gap, b = z_r * gap, root = sqrt(fabs(a * a + 4 * b * c));
            guess = a >= 0 ? (a + root) / (2 * c) : 2 * b / (root - a);
        } else if (f >= 0) {
            high = tau;
            REAL a = c * gap + z_l + z_r, b = z_l * gap, root = sqrt(fabs(a * a - 4 * b * c));
            guess = a > 0 ? 2 * b / (a + root) : (a - root) / (2 * c);
        } else {
            o = r;
            low = -tau;
            high = 0;
            REAL a = z_l + z_r - c * gap, b = z_r * gap, root = sqrt(fabs(a * a + 4 * b * c));
            guess = a >= 0 ? -2 * b / (a + root) : (a - root) / (2 * c);
        }
        tau = guess > low && guess < high ? guess : bisect(low, high);
    } else {
        o = 0;
        tau = z[0] * z[0];
        active = 0;
    }

    int middle_way = last, done = !active;
    REAL f_before = 0;
    for (int step = 0; step < MAX_STEPS && any_of_group(&unfinished, lid, !done); step++) {
        Sums s = evaluate(pole, z, k, l, pole[o], tau, lid, !done, buffer);
        if (!done) {
            REAL f = tau + s.below + s.above, slope = s.below_slope + s.above_slope;
            REAL error = fabs(tau) + 8 * (fabs(s.below) + fabs(s.above)) + s.partial + slope;
            if (f * copysign((REAL)1, tau) < 0) {
                low = tau;
            } else {
                high = tau;
            }
            done = fabs(f) <= EPS * error || high - low <= 2 * EPS * fabs(tau);
            if (!done) {
                // f falls slowly: change the interpolation.
                if (step > 0 && fabs(f / tau) > fabs(f_before) / 10) {
                    middle_way = !middle_way || last;
                }
                f_before = f / tau;
                REAL d_o = pole[o];
                REAL q_l = ((pole[l] - d_o) * (pole[l] + d_o) - tau) / tau, q_r = ((pole[r] - d_o) * (pole[r] + d_o) - tau) / tau;
                REAL next = tau + tau * interpolated_step(s, f, slope, q_l, q_r, z_l, z_r, o == l, middle_way, last);
                if (!(next > low && next < high)) {
                    next = tau - tau * (f / slope);
                }
                // Every eighth step halves the bounds whatever happens.
                if (!(next > low && next < high) || step % 8 == 7) {
                    next = bisect(low, high);
                }
                done = next == tau;
                tau = next;
            }
        }
    }

    if (lane == 0 && i < k) {
        if (!done) {
            atomic_or(status, ROOT_FAILED);
        }
        REAL d_o = pole[o];
        origin[first + i] = o;
        tau_of[first + i] = tau;
        value[first + i] = d_o + tau / (d_o + sqrt(d_o * d_o + tau));
    }
}

// secular_weights: zhat
//   nodes, first_node, counts, pole, z      of merge_deflate
//   origin, tau                 of secular_roots
//   weight                      n: zhat, with the signs of z
// Local size (256, 1, 1); dimension 0 has a group for every ROOTS poles, dimension 1 is the number of merges.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void secular_weights(
    __global const int4 *nodes, int first_node, __global const int4 *counts,
    __global const REAL *pole, __global const REAL *z,
    __global const int *origin, __global const REAL *tau, __global REAL *weight) {
    __local REAL buffer[GROUP];
    int lid = get_local_id(0), lane = lid % LANES;
    int first = nodes[first_node + get_group_id(1)].x, k = counts[get_group_id(1)].x;
    if ((int)get_group_id(0) * ROOTS >= k) {
        return;
    }
    int j = get_group_id(0) * ROOTS + lid / LANES;
    pole += first, z += first, origin += first, tau += first;
    // Every quotient lies between 0 and 1, and so does every product of some of them: no underflow before zhat's own.
    REAL product = 1;
    if (j < k) {
        REAL d_j = pole[j];
        for (int i = lane; i < k - 1; i += LANES) {
            REAL d_o = pole[origin[i]], d_m = pole[i < j ? i : i + 1];
            product *= ((d_o - d_j) * (d_o + d_j) + tau[i]) / ((d_m - d_j) * (d_m + d_j));
        }
    }
#if LANES > 1
    buffer[lid] = product;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_size = LANES / 2; half_size > 0; half_size /= 2) {
        if (lane < half_size) {
            buffer[lid] *= buffer[lid + half_size];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    product = buffer[lid];
#endif
    if (lane == 0 && j < k) {
        REAL d_j = pole[j], d_o = pole[origin[k - 1]];
        weight[first + j] = copysign(sqrt(fabs(product * ((d_o - d_j) * (d_o + d_j) + tau[k - 1]))), z[j]);
    }
}

// Elements j of u_i and v_i, each up to a factor: v times tau, u times tau * scale with scale = 1 / d_o, or 1 / tau for pole 0. So
// no element is large and the one at the pole of origin is at least TOL.
typedef struct {
    REAL u, v;
} Element;

static inline REAL scale_of(REAL d_o, int o, REAL tau) { return 1 / (o > 0 ? d_o : tau); }

static inline Element element(REAL d_j, REAL weight, int j, REAL d_o, REAL tau, REAL scale) {
    Element x;
    x.v = weight * (tau / ((d_j - d_o) * (d_j + d_o) - tau));
    x.u = j == 0 ? -tau * scale : d_j * scale * x.v;
    return x;
}

#define COLUMN_ITEMS 64

// The sum of x over the group in every item.
GROUP_FUNCTION REAL group_sum(__local REAL *buffer, int lid, REAL x) {
    barrier(CLK_LOCAL_MEM_FENCE);
    buffer[lid] = x;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_size = COLUMN_ITEMS / 2; half_size > 0; half_size /= 2) {
        if (lid < half_size) {
            buffer[lid] += buffer[lid + half_size];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    return buffer[0];
}

// secular_vectors: the vectors of the undeflated problem, with rows in packed order
//   nodes, first_node, counts, pole, packed     of merge_deflate
//   weight, origin, tau             of secular_weights and secular_roots
//   q, w, ld                        results: k x k with element (0, 0) at (first, first); long leading dimension
// Local size (64, 1, 1); dimension 0 has a group for every column, dimension 1 is the number of merges.
__kernel __attribute__((reqd_work_group_size(COLUMN_ITEMS, 1, 1))) void secular_vectors(
    __global const int4 *nodes, int first_node, __global const int4 *counts,
    __global const REAL *pole, __global const int *packed,
    __global const REAL *weight, __global const int *origin, __global const REAL *tau_of,
    __global REAL *q, __global REAL *w, long ld) {
    __local REAL buffer[COLUMN_ITEMS];
    int lid = get_local_id(0), i = get_group_id(0);
    int first = nodes[first_node + get_group_id(1)].x, k = counts[get_group_id(1)].x;
    if (i >= k) {
        return;
    }
    pole += first, packed += first, weight += first;
    int o = origin[first + i];
    REAL d_o = pole[o], tau = tau_of[first + i], scale = scale_of(d_o, o, tau), u_square = 0, v_square = 0;
    for (int j = lid; j < k; j += COLUMN_ITEMS) {
        Element x = element(pole[j], weight[j], j, d_o, tau, scale);
        u_square += x.u * x.u;
        v_square += x.v * x.v;
    }
    REAL u_norm = sqrt(group_sum(buffer, lid, u_square)), v_norm = sqrt(group_sum(buffer, lid, v_square));
    for (int r = lid; r < k; r += COLUMN_ITEMS) {
        int j = packed[r];
        Element x = element(pole[j], weight[j], j, d_o, tau, scale);
        long at = first + r + (first + i) * ld;
        q[at] = x.u / u_norm;
        w[at] = x.v / v_norm;
    }
}

// secular_rows: the thin form's product, first and last row of V times the v_i, which are not stored
//   nodes, first_node, counts, pole, packed     of merge_deflate
//   weight, origin, tau             of secular_weights and secular_roots
//   p_v                             packed rows, 2 x n
//   v                               2 x n, a node's first k columns are replaced
// Local size (64, 1, 1); dimension 0 has a group for every column, dimension 1 is the number of merges.
__kernel __attribute__((reqd_work_group_size(COLUMN_ITEMS, 1, 1))) void secular_rows(
    __global const int4 *nodes, int first_node, __global const int4 *counts,
    __global const REAL *pole, __global const int *packed,
    __global const REAL *weight, __global const int *origin, __global const REAL *tau_of,
    __global const REAL *p_v, __global REAL *v) {
    __local REAL buffer[COLUMN_ITEMS];
    int lid = get_local_id(0), i = get_group_id(0);
    int first = nodes[first_node + get_group_id(1)].x, k = counts[get_group_id(1)].x;
    if (i >= k) {
        return;
    }
    pole += first, packed += first, weight += first;
    int o = origin[first + i];
    REAL d_o = pole[o], tau = tau_of[first + i], scale = scale_of(d_o, o, tau), square = 0, first_row = 0, last_row = 0;
    for (int r = lid; r < k; r += COLUMN_ITEMS) {
        int j = packed[r];
        REAL x = element(pole[j], weight[j], j, d_o, tau, scale).v;
        square += x * x;
        first_row += x * p_v[2 * (first + r)];
        last_row += x * p_v[2 * (first + r) + 1];
    }
    REAL norm = sqrt(group_sum(buffer, lid, square));
    first_row = group_sum(buffer, lid, first_row);
    last_row = group_sum(buffer, lid, last_row);
    if (lid == 0) {
        v[2 * (first + i)] = first_row / norm;
        v[2 * (first + i) + 1] = last_row / norm;
    }
}
