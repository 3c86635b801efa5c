// What the programs of the bidiagonal divide and conquer share: stands behind common/types.cl and in front of each of them.
//
// The matrix. B is upper bidiagonal, n x n, with diagonal d and superdiagonal e, scaled so that its largest element lies in
// [1, 2). A node of the tree is a block of `size` rows and size + sqre columns of B, sqre 0 or 1, whose first element is
// (first, first); an inner node is cut at its middle row,
//
//       ( B1      0  )   B1  nl x (nl + 1)                size = nl + 1 + nr
//       ( alpha  beta )  the row first + nl:  alpha = d[first + nl] in B1's last column, beta = e[first + nl] in B2's first
//       ( 0       B2 )   B2  nr x (nr + sqre)
//
// A node is int4 (first, nl, nr, sqre), a leaf (first, size, sqre, 0). Kernels take the nodes of the whole tree in `nodes` and
// the number of their level's first one as the int `first_node`. All arrays of a node begin at element `first` of arrays
// of n elements, since the nodes of a level do not overlap; what is said to have an element a merge begins with the level.
//
// The vectors. U and V are column-major with leading dimension ld; the node's parts are the square blocks with upper left
// corner (first, first), U's with `size` columns and V's with size + sqre, the last of which, if sqre = 1, spans the null
// space of the block. Columns lie as they come; sigma holds a node's singular values in ascending order and `column` where
// in U and V the vectors of each are.
//
// Values alone (`thin` = 1). All that a merge asks of V is the first row of B2's and the last row of B1's. So V is then
// 2 x n with leading dimension 2: row 0 holds the first row of each node's V, row 1 the last row, and there is no U.
//
// Merging. With B1 = U1 (diag(s1) 0) V1^T and B2 = U2 (diag(s2) 0) V2^T,
//
//       block = diag(U1, 1, U2) M diag(V1, V2)^T,     M = (z_0 z_1 ... ; 0 diag(d_1, d_2, ...)),
//       z = (alpha times the last row of V1, beta times the first row of V2)
//
// with d = (0, s1, s2) in ascending order: the poles. Column 0 belongs to the null column of V1 (turned together with that
// of V2 if sqre = 1) and row 0 to the middle row. What deflation leaves is k poles with |z_j| > TOL and gaps above TOL.

// The unit roundoff, and the perturbation of B that deflation allows itself each time, LAPACK's 8 eps.
#if DOUBLE
#define EPS 0x1p-53
#else
#define EPS 0x1p-24f
#endif
#define TOL (8 * EPS)

typedef JOIN(REAL, 2) REAL2;

#define GROUP 256

// Functions with barriers are inlined by order. PoCL 3.1 has been seen to give wrong results otherwise when work-groups run side
// by side; the mechanism is not known.
#define GROUP_FUNCTION static inline __attribute__((always_inline))

// Bits of `status`, one int for the whole computation.
#define NOT_FINITE 1
#define LEAF_FAILED 2
#define ROOT_FAILED 4

// Poles of the undeflated problem by which rows of U and V they reach: the upper nl + 1 alone, the lower ones alone, both.
// A merge's int4 count is (k, upper, both, chains): packed columns stand in the order upper, pole 0, both, lower.
#define UPPER 1
#define LOWER 2
#define BOTH 3
