// Products of Householder reflectors in compact WY form (Schreiber, Van Loan, SIAM J. Sci. Stat. Comput. 10 (1989)).
//
//   H_0 H_1 ... H_{b-1} = I - V T V^T,    H_s = I - tau_s v_s v_s^T,  v_s(s) = 1, zero above
//
// V is r x b, T b x b upper triangular. From T^-1 + T^-T = V^T V follows (Puglisi, SIAM J. Sci. Stat. Comput. 13 (1992))
//
//   T^-1 = U + D,  U the part of V^T V above the diagonal, D = diag(1 / tau_s)
//
// and of two neighbouring parts of it, whatever their sizes,
//
//   T = (T1  T12; 0  T2),    T12 = -T1 (V1^T V2) T2
//
// so that T grows from the tau_s by doubling. A reflector with tau_s = 0 is the identity: its v_s is taken for zero, and any diagonal element of T will do.
//
//   -DPART   reflectors of a part that triangular_factor makes, a power of two
//   -DSIZE   reflectors of a part that triangular_merge starts from, a divisor of ITEMS

#define ITEMS 256

// gather_reflectors
//   a, a_off, rs, cs   where v_s lies: element r of it at a_off + r rs + s cs for r > s; long
//   v                  gets rows - above rows of V below rows of zeros: rows x b, column-major, packed
//   tau, first         tau_0 is element `first`
//   rows, above, b     int
// Any size: dimension 0 goes along the rows, 1 along the columns, each with the stride of the grid.
__kernel void gather_reflectors(
    __global const REAL *a, long a_off, long rs, long cs, __global REAL *v, __global const REAL *tau, int first,
    int rows, int above, int b) {
    for (int s = get_global_id(1); s < b; s += get_global_size(1)) {
        int is_identity = tau[first + s] == 0;
        for (int at = get_global_id(0); at < rows; at += get_global_size(0)) {
            int r = at - above;
            REAL x = 0;
            if (!is_identity && r >= s) {
                x = r == s ? 1 : a[a_off + r * rs + s * cs];
            }
            v[at + (long)s * rows] = x;
        }
    }
}

// triangular_factor
//   gram               V^T V, b x b, column-major, packed
//   t                  gets the T of each PART reflectors in its place, and zeros below them; b x b, likewise
//   tau, first, b      as above
// Local size (ITEMS, 1, 1), a group for each part.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void triangular_factor(
    __global const REAL *gram, __global REAL *t, __global const REAL *tau, int first, int b) {
    // One more in a line: items that read a column of it meet different banks.
    __local REAL u[PART][PART + 1], f[PART][PART + 1], product[PART][PART + 1];
    int lid = get_local_id(0), start = get_group_id(0) * PART, extent = min(PART, b - start);
    for (int e = lid; e < PART * PART; e += ITEMS) {
        int row = e % PART, col = e / PART, inside = row < extent && col < extent;
        u[row][col] = inside && row < col ? gram[start + row + (start + col) * b] : 0;
        f[row][col] = inside && row == col ? tau[first + start + row] : 0;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int size = 1; size < PART; size *= 2) {
        for (int e = lid; e < PART / 2 * size; e += ITEMS) {
            int left = e / (size * size) * 2 * size, row = left + e % size, col = left + size + e / size % size;
            REAL sum = 0;
            for (int l = left + size; l <= col; l++) {
                sum += u[row][l] * f[l][col];
            }
            product[row][col] = sum;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int e = lid; e < PART / 2 * size; e += ITEMS) {
            int left = e / (size * size) * 2 * size, row = left + e % size, col = left + size + e / size % size;
            REAL sum = 0;
            for (int l = row; l < left + size; l++) {
                sum += f[row][l] * product[l][col];
            }
            f[row][col] = -sum;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int e = lid; e < (b - start) * PART; e += ITEMS) {
        int row = e % (b - start), col = e / (b - start);
        if (col < extent) {
            t[start + row + (start + col) * b] = row < PART ? f[row][col] : 0;
        }
    }
}

#if defined(SIZE)
#define COLUMNS (ITEMS / SIZE)
// triangular_merge
//   gram, t, b         as above; T12 of pairs of parts of SIZE reflectors is added, the last part may have fewer
// Local size (ITEMS, 1, 1); dimension 0 goes along the columns of T12, COLUMNS to a group, 1 along the pairs.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void triangular_merge(
    __global const REAL *gram, __global REAL *t, int b) {
    __local REAL product[COLUMNS][SIZE];
    int row = get_local_id(0) % SIZE, line = get_local_id(0) / SIZE;
    int left = get_group_id(1) * 2 * SIZE, right = left + SIZE, col = right + get_group_id(0) * COLUMNS + line;
    // What T2 and T1 have below their diagonals is zero.
    int end = col < b ? min(right + SIZE, b) : 0;
    REAL sum = 0;
#pragma unroll 8
    for (int l = right; l < end; l++) {
        sum += gram[left + row + l * b] * t[l + col * b];
    }
    product[line][row] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    sum = 0;
#pragma unroll 8
    for (int l = 0; l < SIZE; l++) {
        sum += t[left + row + (left + l) * b] * product[line][l];
    }
    if (col < b) {
        t[left + row + col * b] = -sum;
    }
}
#endif
