//! Symmetric and Hermitian eigenvalues.

use super::Class;
use crate::Applicability::{Maybe, NeedsValue, Safe};
use crate::Code;
use crate::catalogue::Rule;

/// What it depends on whether INFO of `xSYGVD` is packed.
const VECTORS: &str = "eigenvectors were asked for (JOBZ = 'V')";
/// The other meaning of the same numbers.
const OF_B: &str = "it is the factorisation of B, which is far more likely";
const NOT_OF_B: &str = "B is positive definite";
/// The codes 1 to 4 of STEBZ.
const INACCURATE: &str = "some eigenvalues are less accurate than asked for";
const NOT_ALL_FOUND: &str = "not all of the selected eigenvalues were found";
const INACCURATE_AND_NOT_ALL_FOUND: &str = "some eigenvalues are missing, others inaccurate";
const NO_INTERVAL: &str = "no eigenvalues: their interval is too small";

pub(super) const CLASSES: &[Class] = &[
    Class {
        name: "B_NOT_POSDEF",
        code: Code::NotPositiveDefinite,
        headline: "B is not positive definite: its leading block of order {i}",
        meaning: "The leading principal minor of order {i} of B is not positive: the fault is in B, not in A. \
Its Cholesky factorisation stopped at row {i} (index {z} counted from 0), and no eigenvalue \
was computed.",
        cause: "an eigenvalue of B is zero or negative, A and B are exchanged, or the triangle that is read \
is not the one that was filled",
        fixes: &[
            (Maybe, "exchange A and B, if it is A that is positive definite."),
            (Maybe, "use GGEV, eig(a, b) in Python, which needs no definiteness."),
            (NeedsValue, "add a little more than minus the smallest eigenvalue of B to its diagonal."),
        ],
        rules: &[
            (Rule::index_after_n().when(OF_B), "sygvx hegvx spgvx hpgvx sygvd hegvd spgvd hpgvd sbgvd hbgvd"),
            (Rule::index_after_n(), "hbgv hbgvx hegv hegv_2stage hpgv sbgv sbgvx spgv sygv sygv_2stage"),
        ],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "TRIDIAG_NO_CONV",
        code: Code::EigNoConvergence,
        headline: "the eigenvalues did not converge; {i} are missing",
        meaning: "The iteration on the tridiagonal form ended with {i} off-diagonal elements that are not \
zero.",
        cause: "NaN or Inf in the matrix, extreme scaling, or a faulty library build",
        fixes: &[
            (NeedsValue, "look for NaN and Inf in the matrix: they are the usual cause."),
            (
                Safe,
                "use another driver: SYEVD, SYEVR and SYEV fail on different matrices; eigh in Python tries a \
second one.",
            ),
            (Maybe, "scale the matrix to norm 1, or try another LAPACK."),
        ],
        rules: &[(
            Rule::AMOUNT,
            "hbev hbev_2stage hbevd hbevd_2stage hbgv hbgvd heev heev_2stage heevd heevd_2stage hegv \
hegv_2stage hegvd hpev hpevd hpgv hpgvd sbev sbev_2stage sbevd sbevd_2stage sbgv sbgvd spev \
spevd spgv spgvd steqr sterf stev stevd syev syev_2stage syevd syevd_2stage sygv sygv_2stage \
sygvd",
        )],
        undocumented: &[(Rule::AMOUNT, "stedc")],
        notes: &[
            ("stedc", "Matrices of up to 25 rows are left to STEQR, whose count this is."),
            ("steqr sterf", "The limit is 30 N iterations."),
        ],
    },
    Class {
        name: "EIG_DC_SUBMATRIX",
        code: Code::EigNoConvergence,
        headline: "no convergence in rows and columns {a} to {b}",
        meaning: "The divide-and-conquer method found no eigenvalue of the submatrix in rows and columns {a} \
to {b}, counted from 1. INFO packs both: {a} (N + 1) + {b}.",
        cause: "NaN or Inf in these rows, extreme scaling, or a faulty library build",
        fixes: &[
            (NeedsValue, "look for NaN and Inf in the matrix: they are the usual cause."),
            (
                Safe,
                "use another driver: SYEVD, SYEVR and SYEV fail on different matrices; eigh in Python tries a \
second one.",
            ),
            (Maybe, "scale the matrix to norm 1, or try another LAPACK."),
        ],
        rules: &[
            (Rule::BLOCK.when(VECTORS), "sygvd hegvd"),
            (Rule::BLOCK, "heevd heevd_2stage stedc syevd syevd_2stage"),
        ],
        undocumented: &[
            (Rule::BLOCK, "stevd spevd hpevd sbevd sbevd_2stage hbevd hbevd_2stage"),
            (Rule::BLOCK.when(VECTORS), "spgvd hpgvd sbgvd hbgvd"),
        ],
        notes: &[(
            "stevd spevd hpevd sbevd sbevd_2stage hbevd hbevd_2stage spgvd hpgvd sbgvd hbgvd",
            "The documentation of the routine does not list this meaning; it passes on the code of STEDC.",
        )],
    },
    Class {
        name: "INTERNAL_ERROR",
        code: Code::EigNoConvergence,
        headline: "the eigenvalue method failed inside (INFO = {info})",
        meaning: "The method of relatively robust representations failed; the number {info} has no documented \
meaning.",
        cause: "NaN or Inf in the matrix, or eigenvalues in clusters that the method cannot separate",
        fixes: &[
            (Safe, "use SYEVD or SYEV (HEEVD, HEEV; STEVD for a tridiagonal matrix), which have no such failure."),
            (NeedsValue, "look for NaN and Inf in the matrix."),
        ],
        rules: &[(Rule::ANY, "heevr heevr_2stage stevr syevr syevr_2stage")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "INTERNAL_ERROR_1X_2X",
        code: Code::EigNoConvergence,
        headline: "the eigenvalue method failed inside (INFO = {info})",
        meaning: "The method of relatively robust representations failed with the inner code {i}: 1X is from \
LARRE, which computes the eigenvalues, 2X from LARRV, which computes the vectors.",
        cause: "NaN or Inf in D or E, or eigenvalues in clusters that the method cannot separate",
        fixes: &[
            (Safe, "use STEDC or STEQR, which have no such failure."),
            (NeedsValue, "look for NaN and Inf in D and E."),
        ],
        rules: &[
            (Rule::digit(10).says("the eigenvalues failed inside, with code {i}"), "stegr stemr"),
            (Rule::digit(20).says("the eigenvectors failed inside, with code {i}"), "stegr stemr"),
        ],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "INVERSE_ITER_NO_CONV",
        code: Code::EigenvectorsMissing,
        headline: "{i} eigenvectors did not converge; the eigenvalues did",
        meaning: "Inverse iteration failed for {i} eigenvectors; their indices, counted from 1, are in IFAIL. \
All eigenvalues and the other vectors are right.",
        cause: "eigenvalues that lie very close to each other",
        fixes: &[
            (Safe, "use the vectors whose index is not in IFAIL."),
            (Safe, "use SYEVR or SYEVD (HEEVR, HEEVD) for all of them."),
            (
                Maybe,
                "pass ABSTOL = 2 SAFMIN (2 * DLAMCH('S')), which makes the eigenvalues as accurate as they \
can be.",
            ),
        ],
        rules: &[(
            Rule::AMOUNT,
            "hbevx hbevx_2stage hbgvx heevx heevx_2stage hegvx hpevx hpgvx sbevx sbevx_2stage sbgvx spevx \
spgvx stein stevx syevx syevx_2stage sygvx",
        )],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "STEBZ_ERROR",
        code: Code::EigNoConvergence,
        headline: "the eigenvalues were not all found",
        meaning: "The bisection STEBZ failed: 1 and 3 mean that some eigenvalues are less accurate than asked \
for, 2 and 3 that not all of IL..IU were found, 4 that no interval holds them all.",
        cause: "NaN or Inf in the matrix, or arithmetic that does not round as it should",
        fixes: &[
            (Safe, "ask for all eigenvalues (RANGE = 'A') and select."),
            (NeedsValue, "look for NaN and Inf in the matrix."),
            (Safe, "use SYEVR or SYEVD (HEEVR, HEEVD)."),
        ],
        rules: &[
            (
                Rule::exactly(1, 1).says(INACCURATE),
                "hbevx hbevx_2stage heevx heevx_2stage hpevx sbevx sbevx_2stage spevx stevx syevx \
syevx_2stage",
            ),
            (
                Rule::exactly(1, 2).says(NOT_ALL_FOUND),
                "hbevx hbevx_2stage heevx heevx_2stage hpevx sbevx sbevx_2stage spevx stevx syevx \
syevx_2stage",
            ),
            (
                Rule::exactly(1, 3).says(INACCURATE_AND_NOT_ALL_FOUND),
                "hbevx hbevx_2stage heevx heevx_2stage hpevx sbevx sbevx_2stage spevx stevx syevx \
syevx_2stage",
            ),
            (
                Rule::exactly(1, 4).says(NO_INTERVAL),
                "hbevx hbevx_2stage heevx heevx_2stage hpevx sbevx sbevx_2stage spevx stevx syevx \
syevx_2stage",
            ),
            (Rule::exactly(2, 1).says(INACCURATE), "hbgvx sbgvx"),
            (Rule::exactly(2, 2).says(NOT_ALL_FOUND), "hbgvx sbgvx"),
            (Rule::exactly(2, 3).says(INACCURATE_AND_NOT_ALL_FOUND), "hbgvx sbgvx"),
            (Rule::exactly(2, 4).says(NO_INTERVAL), "hbgvx sbgvx"),
        ],
        undocumented: &[
            (Rule::exactly(1, 1).says(INACCURATE).when(NOT_OF_B), "sygvx hegvx spgvx hpgvx"),
            (Rule::exactly(1, 2).says(NOT_ALL_FOUND).when(NOT_OF_B), "sygvx hegvx spgvx hpgvx"),
            (Rule::exactly(1, 3).says(INACCURATE_AND_NOT_ALL_FOUND).when(NOT_OF_B), "sygvx hegvx spgvx hpgvx"),
            (Rule::exactly(1, 4).says(NO_INTERVAL).when(NOT_OF_B), "sygvx hegvx spgvx hpgvx"),
        ],
        notes: &[(
            "sygvx hegvx spgvx hpgvx",
            "The documentation of the routine does not list this meaning; it passes on the code of SYEVX \
(HEEVX, SPEVX, HPEVX).",
        )],
    },
    Class {
        name: "STEBZ_NO_CONV",
        code: Code::EigNoConvergence,
        headline: "the eigenvalues were not all found",
        meaning: "The bisection failed: 1 and 3 mean that some eigenvalues, with a negative block number, are \
less accurate than asked for, 2 and 3 that not all of IL..IU were found, 4 that no interval \
holds them all and nothing was computed.",
        cause: "NaN or Inf in D or E, or arithmetic that does not round as it should",
        fixes: &[
            (Safe, "ask for all eigenvalues (RANGE = 'A') and select."),
            (NeedsValue, "look for NaN and Inf in D and E."),
        ],
        rules: &[
            (Rule::exactly(0, 1).says(INACCURATE), "stebz"),
            (Rule::exactly(0, 2).says(NOT_ALL_FOUND), "stebz"),
            (Rule::exactly(0, 3).says(INACCURATE_AND_NOT_ALL_FOUND), "stebz"),
            (Rule::exactly(0, 4).says(NO_INTERVAL), "stebz"),
        ],
        undocumented: &[],
        notes: &[],
    },
];
