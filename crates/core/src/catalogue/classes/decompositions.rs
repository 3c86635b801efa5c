//! Least squares, singular values and pivoted QR.

use super::Class;
use crate::Applicability::{Maybe, NeedsValue, Safe};
use crate::Code;
use crate::catalogue::Rule;

pub(super) const CLASSES: &[Class] = &[
    Class {
        name: "LS_NOT_FULL_RANK",
        code: Code::RankDeficient,
        headline: "no full rank: diagonal element {i} of the factor is 0",
        meaning: "R({i},{i}), element [{z}, {z}] counted from 0 of the triangular factor, is exactly zero: the \
matrix does not have full rank, and no least-squares solution was computed.",
        cause: "column {i} is zero, or a combination of the columns before it",
        fixes: &[
            (Safe, "use GELSD or GELSY (lstsq in Python), which give the least-norm solution for any rank."),
            (Maybe, "remove column {i}, or one that it depends on."),
        ],
        rules: &[(Rule::INDEX_OF_LEAST, "gecxx gels gelst getsls")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "GLS_RANK",
        code: Code::DependentConstraints,
        headline: "the problem has no unique solution",
        meaning: "One of the two matrices, or both together, do not have the rank that makes the solution \
unique. Nothing was solved.",
        cause: "constraints repeat or contradict each other, or the data does not determine all unknowns",
        fixes: &[
            (Maybe, "remove constraints that repeat others."),
            (
                Maybe,
                "solve without constraints by GELSD (lstsq), and add the constraints as heavily weighted \
equations.",
            ),
        ],
        rules: &[
            (Rule::exactly(0, 1).says("the constraints in B are not independent"), "gglse"),
            (Rule::exactly(0, 2).says("A and B together do not determine all unknowns"), "gglse"),
            (Rule::exactly(0, 1).says("the columns of A are not independent"), "ggglm"),
            (Rule::exactly(0, 2).says("A and B together do not have full rank"), "ggglm"),
        ],
        undocumented: &[],
        notes: &[
            ("gglse", "1: rank(B) < P. 2: the rank of A on top of B is below N."),
            ("ggglm", "1: rank(A) < M. 2: the rank of A beside B is below N."),
        ],
    },
    Class {
        name: "SVD_BIDIAG_NO_CONV",
        code: Code::SvdNoConvergence,
        headline: "the singular values did not converge; {i} are missing",
        meaning: "The QR iteration on the bidiagonal form ended with {i} superdiagonal elements that are not \
zero. The singular values before are approximations only.",
        cause: "NaN or Inf in the matrix, extreme scaling, or a faulty library build",
        fixes: &[
            (NeedsValue, "look for NaN and Inf in the matrix: they are the usual cause."),
            (
                Safe,
                "use another driver: GESVD after GESDD and the other way round; svd in Python does that by \
itself.",
            ),
            (Maybe, "scale the matrix to norm 1, or try another LAPACK."),
        ],
        rules: &[(Rule::AMOUNT_OF_LEAST, "gelsd gelss gesvd gesvdq")],
        undocumented: &[],
        notes: &[("gesvd", "WORK(2:min(M,N)) (RWORK for complex matrices) has those elements.")],
    },
    Class {
        name: "SVD_BIDIAG_NO_CONV_AFTER_CHOLESKY",
        code: Code::SvdNoConvergence,
        headline: "the eigenvalues did not converge; {i} are missing",
        meaning: "The Cholesky factorisation succeeded, but the singular values of its factor did not \
converge: {i} off-diagonal elements are not zero.",
        cause: "NaN or Inf in the matrix, extreme scaling, or a faulty library build",
        fixes: &[
            (Safe, "use STEQR or STEDC, which need no definiteness."),
            (NeedsValue, "look for NaN and Inf in D and E."),
        ],
        rules: &[(Rule::amount_after_n(), "pteqr")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "BDSQR_NO_CONV",
        code: Code::SvdNoConvergence,
        headline: "the singular values did not converge; {i} are missing",
        meaning: "The iteration on the bidiagonal matrix gave up. With vectors INFO counts the elements of E \
that are not zero; without vectors it says where the method for values alone stopped.",
        cause: "NaN or Inf in D or E, extreme scaling, or a faulty library build",
        fixes: &[
            (NeedsValue, "look for NaN and Inf in D and E."),
            (Maybe, "use BDSDC, the divide-and-conquer method."),
        ],
        rules: &[
            (Rule::AMOUNT.when("vectors were asked for"), "bdsqr"),
            (
                Rule::exactly(0, 1)
                    .says("no convergence: a split was marked by a positive value")
                    .when("no vectors were asked for"),
                "bdsqr",
            ),
            (
                Rule::exactly(0, 2)
                    .says("no convergence: a block took more than 30 n steps")
                    .when("no vectors were asked for"),
                "bdsqr",
            ),
            (
                Rule::exactly(0, 3)
                    .says("no convergence: more than n blocks came up")
                    .when("no vectors were asked for"),
                "bdsqr",
            ),
        ],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "SVD_DC_NO_CONV",
        code: Code::SvdNoConvergence,
        headline: "the singular values did not converge (divide and conquer)",
        meaning: "The update of the divide-and-conquer method failed; INFO = {info} has no further meaning. \
There are no usable singular values or vectors.",
        cause: "NaN or Inf in the matrix, extreme scaling, or a faulty library build",
        fixes: &[
            (
                Safe,
                "use GESVD, whose QR iteration converges where this method fails; svd in Python does that by \
itself.",
            ),
            (NeedsValue, "look for NaN and Inf in the matrix."),
            (Maybe, "scale the matrix to norm 1, or use GESVJ."),
        ],
        rules: &[(Rule::ANY, "bdsdc gesdd")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "NAN_INPUT",
        code: Code::NonFinite,
        headline: "the matrix has NaN",
        meaning: "Argument {p} was refused because of a NaN in the numbers, not because of its form. Nothing \
was computed.",
        cause: "a NaN spreads to every result; it usually comes from missing data or a division by 0",
        fixes: &[(NeedsValue, "drop or fill these entries first, e.g. with numpy.nan_to_num.")],
        rules: &[(Rule::exactly(0, -4), "gesdd")],
        undocumented: &[
            (Rule::exactly(0, -4), "geev"),
            (Rule::exactly(0, -3), "gebal"),
            (Rule::exactly(0, -6), "hsein"),
            (Rule::exactly(0, -5).says("the norm that was passed is NaN, Inf or negative"), "gecon"),
            (Rule::exactly(0, -4).says("the matrix to be scaled has NaN, or norm 0"), "lascl"),
            (Rule::exactly(0, -5).says("the norm to be scaled to is NaN"), "lascl"),
        ],
        notes: &[
            (
                "geev gebal hsein gecon lascl",
                "The documentation of the routine does not list this meaning; its code has it.",
            ),
            (
                "lascl",
                "LASCL is called by SVD, eigenvalue and least-squares drivers, so that its name appears in \
their place.",
            ),
        ],
    },
    Class {
        name: "SVDX_NO_CONV",
        code: Code::SvdNoConvergence,
        headline: "{i} singular vectors did not converge",
        meaning: "The inverse iteration for selected singular vectors failed for {i} of them, or failed \
altogether (INFO = 2 N + 1).",
        cause: "singular values that lie very close to each other, NaN or Inf in the matrix",
        fixes: &[
            (Safe, "compute all with GESDD (svd) and select."),
            (NeedsValue, "look for NaN and Inf in the matrix."),
        ],
        rules: &[
            (Rule::AMOUNT_OF_LEAST, "bdsvdx gesvdx"),
            (Rule::exactly(2, 1).of_least().says("the singular value iteration failed inside"), "bdsvdx gesvdx"),
        ],
        undocumented: &[],
        notes: &[("bdsvdx", "IWORK has the indices of the vectors.")],
    },
    Class {
        name: "JACOBI_MAX_SWEEPS",
        code: Code::NotFullyConverged,
        headline: "not fully converged; the values may be inaccurate",
        meaning: "The Jacobi method did not converge in the largest number of sweeps. The output may still be \
useful: WORK says how far it came.",
        cause: "NaN or Inf in the matrix, or columns that are parallel to working precision",
        fixes: &[
            (Safe, "use GESDD or GESVD (svd)."),
            (NeedsValue, "look for NaN and Inf in the matrix."),
            (Maybe, "accept the result, if the largest cosine in WORK(6) (RWORK(6)) is small enough for you."),
        ],
        rules: &[(Rule::ANY, "gejsv gesvj")],
        undocumented: &[],
        notes: &[("gesvj", "The limit is 30 sweeps.")],
    },
    Class {
        name: "GSVD_JACOBI_NO_CONV",
        code: Code::SvdNoConvergence,
        headline: "the generalised singular values did not converge",
        meaning: "The Jacobi-like iteration on the two triangular factors did not converge in its number of \
cycles.",
        cause: "NaN or Inf in A or B, or tolerances TOLA and TOLB that are too small",
        fixes: &[(NeedsValue, "look for NaN and Inf in A and B."), (Maybe, "scale A and B to norm 1.")],
        rules: &[(Rule::exactly(0, 1), "ggsvd3 tgsja")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "CSD_NO_CONV",
        code: Code::SvdNoConvergence,
        headline: "the cosine-sine values did not converge; {i} are missing",
        meaning: "The iteration on the bidiagonal blocks did not converge; PHI or WORK (RWORK) has what is \
left.",
        cause: "the matrix is not orthogonal (unitary) to working precision, or has NaN",
        fixes: &[
            (NeedsValue, "check that X^T X is the identity up to rounding."),
            (NeedsValue, "look for NaN and Inf in the matrix."),
        ],
        rules: &[(Rule::ANY_AMOUNT, "bbcsd orcsd orcsd2by1 uncsd uncsd2by1")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "NAN_COL",
        code: Code::NonFinite,
        headline: "column {i}, counted from 1, has NaN",
        meaning: "NaN was found in column {i} (index {z} counted from 0) of the matrix, or in what became of \
it, and the factorisation stopped. K columns before it are factorised.",
        cause: "a NaN spreads to every result; it usually comes from missing data or a division by 0",
        fixes: &[(NeedsValue, "drop or fill the entries of this column.")],
        rules: &[(Rule::INDEX, "geqp3rk")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "INF_COL",
        code: Code::NonFiniteMet,
        headline: "column {i}, counted from 1, has Inf",
        meaning: "There is no NaN, but Inf in column {i} (index {z} counted from 0) of the matrix, or in what \
became of it. The factorisation went on to its end.",
        cause: "a division by 0, or numbers that grew beyond the largest one",
        fixes: &[(NeedsValue, "replace the entries of this column, or scale the matrix.")],
        rules: &[(Rule::index_after_n(), "geqp3rk")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "DMD_FAILED",
        code: Code::ModesFailed,
        headline: "the dynamic modes were not computed",
        meaning: "The dynamic mode decomposition ended early: 1 is an empty input, 2 an SVD and 3 an \
eigenvalue iteration that did not converge; 4 is a warning, the computation went on.",
        cause: "empty or non-finite snapshots, or a column of X that is zero where that of Y is not",
        fixes: &[
            (NeedsValue, "look for NaN, Inf and zero columns in the snapshots X and Y."),
            (Maybe, "choose another SVD by WHTSVD."),
            (Maybe, "choose another scaling by JOBS."),
        ],
        rules: &[
            (Rule::exactly(0, 1).says("the input is empty: M or N is 0"), "gedmd gedmdq"),
            (Rule::exactly(0, 2).says("the singular values of X did not converge"), "gedmd gedmdq"),
            (Rule::exactly(0, 3).says("the eigenvalues did not converge"), "gedmd gedmdq"),
            (Rule::exactly(0, 4).says("computed, but a column of X is 0 and that of Y is not"), "gedmd gedmdq"),
        ],
        undocumented: &[],
        notes: &[],
    },
];
