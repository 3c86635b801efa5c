//! Linear systems, their factorisations and scalings.

use super::Class;
use crate::Applicability::{Maybe, NeedsValue, Safe};
use crate::Code;
use crate::catalogue::Rule;

pub(super) const CLASSES: &[Class] = &[
    Class {
        name: "U_ZERO_PIVOT",
        code: Code::Singular,
        headline: "singular: pivot {i}, counted from 1, is exactly 0",
        meaning: "U({i},{i}), element [{z}, {z}] counted from 0, is exactly zero: the matrix is singular and \
nothing was solved or inverted. The factors are complete, but dividing by them gives Inf.",
        cause: "a row or column is zero, repeated, or a combination of others",
        fixes: &[
            (Maybe, "solve by least squares instead: GELSD, lstsq in Python, or with a pseudo-inverse."),
            (
                NeedsValue,
                "look for the dependence among the first {i} columns: zero, equal or proportional ones; \
remove one of them.",
            ),
            (
                NeedsValue,
                "add a small multiple of the identity, if that has a meaning for the problem (ridge \
regression).",
            ),
        ],
        rules: &[
            (Rule::INDEX_OF_LEAST, "getrf getrf2 getf2 gbtrf gbtf2"),
            (
                Rule::INDEX,
                "cgesv gbrfsx gbsv gbsvx gbsvxx gerfsx gesv gesvx gesvxx getri gtsv gtsvx gttrf herfsx hesvxx \
porfsx posvxx sgesv syrfsx sysvxx",
            ),
        ],
        undocumented: &[],
        notes: &[
            ("gtsv gtsvx", "The elimination stopped there, unless {i} is the order of the matrix."),
            (
                "gesvx gbsvx gtsvx gesvxx gbsvxx sysvxx hesvxx posvxx gerfsx gbrfsx syrfsx herfsx porfsx",
                "RCOND = 0 is returned.",
            ),
            ("posvxx porfsx", "For this routine it is the leading block of order {i} that is not positive definite."),
            (
                "sysvxx hesvxx syrfsx herfsx",
                "For this routine it is the block D({i},{i}) of the symmetric factorisation.",
            ),
            ("sgesv cgesv", "It was found in full precision; ITER says how the attempt in low precision ended."),
        ],
    },
    Class {
        name: "D_ZERO_PIVOT",
        code: Code::Singular,
        headline: "singular: pivot {i}, counted from 1, is exactly 0",
        meaning: "D({i},{i}), element [{z}, {z}] counted from 0 of the block diagonal factor, is exactly zero: \
the symmetric matrix is singular and nothing was solved or inverted.",
        cause: "a row and column is zero, repeated, or a combination of others",
        fixes: &[
            (
                NeedsValue,
                "look for NaN in the matrix first: some of these routines report a NaN pivot in the same way.",
            ),
            (Maybe, "solve by least squares instead: GELSD, lstsq in Python."),
            (NeedsValue, "remove the dependent row and column, or add a small multiple of the identity."),
        ],
        rules: &[(
            Rule::INDEX,
            "hesv hesv_aa hesv_rk hesv_rook hesvx hetf2 hetf2_rk hetf2_rook hetrf hetrf_rk hetrf_rook \
hetri hetri2 hetri2x hetri_3 hetri_3x hetri_rook hpsv hpsvx hptrf hptri spsv spsvx sptrf \
sptri sysv sysv_aa sysv_rk sysv_rook sysvx sytf2 sytf2_rk sytf2_rook sytrf sytrf_rk \
sytrf_rook sytri sytri2 sytri2x sytri_3 sytri_3x sytri_rook",
        )],
        undocumented: &[],
        notes: &[
            (
                "sytf2 sytf2_rook sytf2_rk sytrf sytrf_rook sytrf_rk hetf2 hetf2_rook hetf2_rk hetrf \
hetrf_rook hetrf_rk sysv sysv_rook sysv_rk hesv hesv_rook hesv_rk sysvx hesvx",
                "A NaN at this place is reported in the same way.",
            ),
            (
                "sytf2_rk sytrf_rk sysv_rk hetf2_rk hetrf_rk hesv_rk",
                "Column {i} of the triangle that is read is all zero at that step; further ones are not \
reported.",
            ),
            ("sysvx hesvx spsvx hpsvx", "RCOND = 0 is returned."),
        ],
    },
    Class {
        name: "BAND_LU_FAILED",
        code: Code::Singular,
        headline: "singular: step {i}, counted from 1, has no usable pivot",
        meaning: "The symmetric matrix was reduced to a band, and the LU factorisation of the band met a zero \
pivot in column {i}: the matrix is singular and nothing was solved.",
        cause: "a row and column is zero, repeated, or a combination of others",
        fixes: &[
            (Maybe, "factorise with SYTRF (HETRF) instead, whose report names the row of the matrix itself."),
            (Maybe, "solve by least squares instead: GELSD, lstsq in Python."),
        ],
        rules: &[(Rule::INDEX, "hesv_aa_2stage hetrf_aa_2stage sysv_aa_2stage sytrf_aa_2stage")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "NOT_POSDEF",
        code: Code::NotPositiveDefinite,
        headline: "not positive definite: the leading block of order {i} shows it",
        meaning: "The leading principal minor of order {i} is not positive: the Cholesky factorisation stopped \
at row {i} (index {z} counted from 0), and nothing was solved.",
        cause: "an eigenvalue is zero or negative, or the triangle that is read is not the one that was \
filled",
        fixes: &[
            (
                Safe,
                "solve with the symmetric solver SYSV (HESV), assume_a='sym' ('her') in Python, which needs \
no definiteness.",
            ),
            (Maybe, "pass the other UPLO, if it is the other triangle that has the data."),
            (NeedsValue, "add a little more than minus the smallest eigenvalue to the diagonal."),
            (NeedsValue, "look for NaN in the matrix: it is reported in the same way."),
        ],
        rules: &[(
            Rule::INDEX,
            "cposv pbstf pbsv pbsvx pbtf2 pbtrf pftrf posv posvx potf2 potrf potrf2 ppsv ppsvx pptrf \
pteqr ptsv ptsvx pttrf sposv",
        )],
        undocumented: &[],
        notes: &[
            (
                "ptsv ptsvx pttrf",
                "If {i} is the order of the matrix, the factorisation was completed and its last element is \
not positive.",
            ),
            ("potrf potrf2 potf2 pftrf posv posvx sposv cposv", "A NaN on the diagonal is reported in the same way."),
            ("posvx pbsvx ppsvx ptsvx", "RCOND = 0 is returned."),
            ("sposv cposv", "It was found in full precision; ITER says how the attempt in low precision ended."),
        ],
    },
    Class {
        name: "RANK_DEFICIENT_OR_NOT_PSD",
        code: Code::RankCut,
        headline: "stopped early: the matrix has no full rank or is indefinite",
        meaning: "The Cholesky factorisation with pivoting met no further positive pivot. RANK holds how many \
rows were factorised; they are right.",
        cause: "the matrix is positive semidefinite, or an eigenvalue is negative, or it has NaN",
        fixes: &[
            (Safe, "use the first RANK columns of the factor, if the matrix is semidefinite."),
            (Maybe, "use SYEVD (eigh) to see the signs of the eigenvalues."),
            (NeedsValue, "pass another TOL, below which a pivot counts as zero."),
        ],
        rules: &[(Rule::ANY, "pstf2 pstrf")],
        undocumented: &[],
        notes: &[("pstrf pstf2", "A NaN pivot ends it in the same way.")],
    },
    Class {
        name: "CHOL_FACTOR_ZERO_DIAG",
        code: Code::Singular,
        headline: "no inverse: element {i} of the factor's diagonal is 0",
        meaning: "Element ({i},{i}) of the Cholesky factor, [{z}, {z}] counted from 0, is zero: the matrix has \
no inverse.",
        cause: "the factor was not made by a factorisation that succeeded, or was changed since",
        fixes: &[
            (Safe, "check INFO of the factorisation before inverting."),
            (Maybe, "invert with GETRI from an LU factorisation, or use a pseudo-inverse."),
        ],
        rules: &[(Rule::INDEX, "pftri potri pptri")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "TRI_ZERO_DIAG",
        code: Code::Singular,
        headline: "singular: diagonal element {i}, counted from 1, is 0",
        meaning: "A({i},{i}), element [{z}, {z}] counted from 0 of the triangular matrix, is exactly zero: it \
has no inverse, and nothing was solved.",
        cause: "a zero on the diagonal, or a matrix whose diagonal of ones is not stored",
        fixes: &[
            (Maybe, "pass DIAG = 'U' (unit_diagonal=True in Python), if the diagonal is meant to be ones."),
            (Maybe, "pass the other UPLO, if the data is in the other triangle."),
            (Maybe, "solve the original problem by least squares: GELSD, lstsq in Python."),
        ],
        rules: &[(Rule::INDEX, "tbtrs tftri tptri tptrs trtri trtrs")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "RCOND_LT_EPS",
        code: Code::IllConditioned,
        headline: "solved, but no digit is certain: rcond is below the precision",
        meaning: "The factors are not singular, but RCOND is less than the machine precision: the matrix is \
singular to working precision. The solution and the error bounds FERR and BERR were \
computed.",
        cause: "columns (or rows) are nearly dependent, or differ in scale by many orders of magnitude",
        fixes: &[
            (
                Safe,
                "read FERR: it bounds the relative error of each solution, and may be better than RCOND \
suggests.",
            ),
            (Maybe, "bring rows and columns to similar size: FACT = 'E' does."),
            (Maybe, "use least squares with a tolerance (GELSD, lstsq), or a higher precision."),
        ],
        rules: &[(Rule::exactly(1, 1), "gbsvx gesvx gtsvx hesvx hpsvx pbsvx posvx ppsvx ptsvx spsvx sysvx")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "RHS_NOT_GUARANTEED",
        code: Code::AccuracyNotGuaranteed,
        headline: "solution {i}, counted from 1, is not guaranteed",
        meaning: "The solution of right-hand side {i} (column {z} counted from 0) does not reach the accuracy \
that is asked for; those after it may not either. ERR_BNDS_NORM and ERR_BNDS_COMP have the \
bounds of each.",
        cause: "the matrix is too ill-conditioned for this right-hand side",
        fixes: &[
            (Safe, "read ERR_BNDS_NORM and ERR_BNDS_COMP: the bounds say what each solution is worth."),
            (
                Maybe,
                "ask for no componentwise accuracy (PARAMS(3) = 0), if errors relative to the largest element \
will do.",
            ),
            (Maybe, "bring rows and columns to similar size (FACT = 'E')."),
        ],
        rules: &[(Rule::index_beyond_n(), "gbrfsx gbsvxx gerfsx gesvxx herfsx hesvxx porfsx posvxx syrfsx sysvxx")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "RCOND_NAN_OR_INF",
        code: Code::NonFiniteMet,
        headline: "the condition estimate is NaN or Inf",
        meaning: "RCOND is NaN or Inf, or the norm of the inverse came out as 0 (then RCOND = 0).",
        cause: "the factors have NaN or Inf, from the matrix or from an overflow",
        fixes: &[
            (NeedsValue, "look for NaN and Inf in the matrix that was factorised."),
            (Maybe, "scale the matrix to norm 1 before the factorisation."),
        ],
        rules: &[(Rule::exactly(0, 1), "gecon")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "PIVOT_PERTURBED",
        code: Code::IllConditioned,
        headline: "pivot {i}, counted from 1, was too small and was replaced",
        meaning: "U({i},{i}) is so small that a solution would overflow; it was replaced by the smallest \
number that is safe. The matrix is singular to working precision.",
        cause: "rows or columns are dependent, up to rounding",
        fixes: &[
            (Maybe, "solve by least squares instead: GELSD, lstsq in Python."),
            (Maybe, "bring rows and columns to similar size, and remove nearly equal columns."),
        ],
        rules: &[(Rule::INDEX, "getc2")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "EQU_ZERO_ROW_OR_COL",
        code: Code::ZeroRowOrColumn,
        headline: "row {i}, counted from 1, is all zero",
        meaning: "A row or column of the matrix is exactly zero, so that no scaling exists and the matrix is \
singular. It is number {i} (index {z} counted from 0).",
        cause: "an empty category, a feature that is constant zero, or an equation without coefficients",
        fixes: &[
            (Maybe, "remove the row or column, or use least squares (GELSD, lstsq), which takes it."),
            (Safe, "leave the scaling out: it does not help a singular matrix."),
        ],
        rules: &[
            (Rule::ROW, "gbequ gbequb geequ geequb"),
            (Rule::COLUMN.says("column {i}, counted from 1, is all zero"), "gbequ gbequb geequ geequb"),
        ],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "EQU_NONPOSITIVE_DIAG",
        code: Code::NotPositiveDefinite,
        headline: "diagonal element {i}, counted from 1, is zero or negative",
        meaning: "A({i},{i}), element [{z}, {z}] counted from 0, is not positive, so that the matrix is not \
positive definite and the scaling does not exist.",
        cause: "the matrix is not positive definite",
        fixes: &[
            (
                Safe,
                "solve with the symmetric solver SYSV (HESV), assume_a='sym' ('her') in Python, which needs \
no definiteness.",
            ),
            (NeedsValue, "look at this element: a variance or a squared length cannot be negative."),
        ],
        rules: &[(Rule::INDEX, "heequb pbequ poequ poequb ppequ syequb")],
        undocumented: &[],
        notes: &[],
    },
];
