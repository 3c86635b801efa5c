// Products of Householder reflectors in compact WY form (Schreiber, Van Loan, SIAM J. Sci. Stat. Comput. 10 (1989)).
//
//   H_0 H_1 ... H_{b-1} = I - V T V^T,    H_s = I - tau_s v_s v_s^T,  v_s(s) = 1, zero above
//
// V is r x b, T b x b upper triangular. From T^-1 + T^-T = V^T V follows (Puglisi, SIAM J. Sci. Stat. Comput. 13 (1992))
//
//   T^-1 = U + D,  U the part of V^T V above the diagonal, D = diag(1 / tau_s)
//
// A reflector with tau_s = 0 is the identity: its v_s is taken for zero, and any diagonal element of T will do.

// gather_reflectors
//   a, a_off, rs, cs   where v_s lies: element r of it at a_off + r rs + s cs for r > s; long
//   v                  gets V, r x b, column-major, packed
//   tau, first         tau_0 is element `first`
//   rows, b            int extents
// Any size: dimension 0 goes along the rows, 1 along the columns, each with the stride of the grid.
__kernel void gather_reflectors(
    __global const REAL *a, long a_off, long rs, long cs, __global REAL *v, __global const REAL *tau, int first,
    int rows, int b) {
    for (int s = get_global_id(1); s < b; s += get_global_size(1)) {
        int is_identity = tau[first + s] == 0;
        for (int r = get_global_id(0); r < rows; r += get_global_size(0)) {
            REAL x = 0;
            if (!is_identity && r >= s) {
                x = r == s ? 1 : a[a_off + r * rs + s * cs];
            }
            v[r + (long)s * rows] = x;
        }
    }
}

// triangular_factor
//   gram               V^T V, b x b, column-major, packed; gets T, zero below the diagonal
//   tau, first, b      as above, b at most MOST
// One group of MOST items: item j makes column j of T by substitution, t_ij = -tau_i sum_{i < l <= j} u_il t_lj.
__kernel __attribute__((reqd_work_group_size(MOST, 1, 1))) void triangular_factor(
    __global REAL *gram, __global const REAL *tau, int first, int b) {
    // One more in a line: items that read a column of it meet different banks.
    __local REAL u[MOST][MOST + 1], t[MOST][MOST + 1];
    int j = get_local_id(0);
    for (int i = 0; i < b; i++) {
        if (j < b) {
            u[i][j] = gram[i + j * b];
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (j >= b) {
        return;
    }
    for (int i = b - 1; i >= 0; i--) {
        REAL x = 0;
        if (i == j) {
            x = tau[first + j];
        } else if (i < j) {
            for (int l = i + 1; l <= j; l++) {
                x += u[i][l] * t[l][j];
            }
            x *= -tau[first + i];
        }
        t[i][j] = x;
        gram[i + j * b] = x;
    }
}
