//! General eigenvalues, sorting of Schur forms, Sylvester equations.

use super::Class;
use crate::Applicability::{Maybe, NeedsValue, Safe};
use crate::Code;
use crate::catalogue::Rule;

pub(super) const CLASSES: &[Class] = &[
    Class {
        name: "INVERSE_ITER_NO_CONV_BOTH_SIDES",
        code: Code::EigenvectorsMissing,
        headline: "{i} eigenvectors did not converge; the eigenvalues did",
        meaning: "Inverse iteration failed for {i} eigenvectors, left and right ones together; IFAILL and \
IFAILR say which. The eigenvalues and the other vectors are right.",
        cause: "eigenvalues that lie very close to each other, or are no eigenvalues of this matrix",
        fixes: &[
            (Safe, "use the vectors whose IFAILL and IFAILR are 0."),
            (Safe, "use TREVC after HSEQR, which computes all vectors (GEEV does)."),
        ],
        rules: &[(Rule::ANY_AMOUNT, "hsein")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "QR_EIG_NO_CONV",
        code: Code::EigNoConvergence,
        headline: "the eigenvalues did not converge; the first {i} are missing",
        meaning: "The QR iteration did not find all eigenvalues: those numbered {i} + 1 to N have converged \
and are right. No eigenvectors were computed.",
        cause: "NaN or Inf in the matrix, extreme scaling, or a faulty library build",
        fixes: &[
            (Safe, "use the eigenvalues from number {i} + 1 on (index {i} counted from 0)."),
            (NeedsValue, "look for NaN and Inf in the matrix."),
            (Maybe, "scale the matrix to norm 1, or try another LAPACK."),
        ],
        rules: &[(Rule::INDEX, "gees geesx geev geevx hseqr")],
        undocumented: &[],
        notes: &[("geevx gees geesx hseqr", "Those numbered 1 to ILO - 1 have converged too.")],
    },
    Class {
        name: "REORDER_TOO_CLOSE",
        code: Code::ReorderingIncomplete,
        headline: "the eigenvalues are too close to be sorted",
        meaning: "The Schur form was computed, but some eigenvalues are too close to each other to change \
places. They are in the order in which they came.",
        cause: "nearly equal eigenvalues, whose order rounding errors decide",
        fixes: &[
            (Safe, "use the Schur form unsorted (SORT = 'N')."),
            (NeedsValue, "choose a selection that does not part nearly equal eigenvalues."),
        ],
        rules: &[(Rule::exactly(1, 1), "gees geesx")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "REORDER_ROUNDOFF",
        code: Code::ReorderingIncomplete,
        headline: "sorted, but some eigenvalues no longer fit the selection",
        meaning: "After sorting, rounding errors changed some eigenvalues, so that the selection no longer \
holds for all leading ones. The Schur form is right.",
        cause: "eigenvalues that lie on the border of the selection",
        fixes: &[
            (NeedsValue, "choose a selection with a margin, e.g. real part < -1e-8 instead of < 0."),
            (Safe, "use the Schur form as it is; only the number of selected ones is uncertain."),
        ],
        rules: &[(Rule::exactly(1, 2), "gees geesx gges gges3 ggesx")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "REORDER_FAILED",
        code: Code::ReorderingIncomplete,
        headline: "the eigenvalues could not be sorted",
        meaning: "The generalised Schur form was computed, but TGSEN could not sort it: the problem is very \
ill-conditioned. It may be partly sorted.",
        cause: "nearly equal eigenvalues, whose order rounding errors decide",
        fixes: &[
            (Safe, "use the Schur form unsorted (SORT = 'N')."),
            (NeedsValue, "choose a selection that does not part nearly equal eigenvalues."),
        ],
        rules: &[(Rule::exactly(1, 3), "gges gges3 ggesx")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "SWAP_ILL_CONDITIONED",
        code: Code::ReorderingIncomplete,
        headline: "two eigenvalues are too close to change places",
        meaning: "Two neighbouring blocks of the Schur form are too close to each other to be exchanged. The \
form may be partly sorted, and is still a Schur form of the same matrix.",
        cause: "nearly equal eigenvalues, whose order rounding errors decide",
        fixes: &[
            (Safe, "go on with the order as it is."),
            (NeedsValue, "choose a selection that does not part nearly equal eigenvalues."),
        ],
        rules: &[(Rule::exactly(0, 1), "tgex2 tgexc tgsen trexc trsen")],
        undocumented: &[],
        notes: &[("trexc tgexc", "ILST says where the block is now."), ("tgex2", "Nothing was changed.")],
    },
    Class {
        name: "QZ_NO_CONV",
        code: Code::EigNoConvergence,
        headline: "the eigenvalues did not converge; the first {i} are missing",
        meaning: "The QZ iteration did not find all eigenvalues: ALPHA and BETA numbered {i} + 1 to N are \
right. No eigenvectors were computed.",
        cause: "NaN or Inf in A or B, extreme scaling, or a faulty library build",
        fixes: &[
            (Safe, "use the eigenvalues from number {i} + 1 on (index {i} counted from 0)."),
            (NeedsValue, "look for NaN and Inf in A and B."),
            (Maybe, "scale A and B to norm 1, or try another LAPACK."),
        ],
        rules: &[(Rule::INDEX, "gges gges3 ggesx ggev ggev3 ggevx hgeqz")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "QZ_SHIFT_FAILED",
        code: Code::EigNoConvergence,
        headline: "the eigenvalues did not converge; the first {i} are missing",
        meaning: "The calculation of a shift failed: ALPHA and BETA numbered {i} + 1 to N are right. The pair \
is not in Schur form.",
        cause: "NaN or Inf in H or T, extreme scaling, or a faulty library build",
        fixes: &[
            (Safe, "use the eigenvalues from number {i} + 1 on (index {i} counted from 0)."),
            (NeedsValue, "look for NaN and Inf in H and T."),
        ],
        rules: &[(Rule::index_after_n(), "hgeqz")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "QZ_OTHER",
        code: Code::EigNoConvergence,
        headline: "the eigenvalue method failed inside",
        meaning: "HGEQZ (LAQZ0) failed for another reason than convergence. Nothing of the result can be used.",
        cause: "NaN or Inf in A or B, or a faulty library build",
        fixes: &[
            (NeedsValue, "look for NaN and Inf in A and B."),
            (Maybe, "scale A and B to norm 1, or try another LAPACK."),
        ],
        rules: &[(Rule::exactly(1, 1), "gges gges3 ggesx ggev ggev3 ggevx")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "TGEVC_ERROR",
        code: Code::EigenvectorsMissing,
        headline: "the eigenvectors failed; the eigenvalues are right",
        meaning: "All eigenvalues were computed, but TGEVC could not compute the eigenvectors.",
        cause: "NaN or Inf in A or B, or numbers beyond the largest one on the way",
        fixes: &[
            (Safe, "use the eigenvalues; ask for no vectors (JOBVL = JOBVR = 'N')."),
            (NeedsValue, "look for NaN and Inf in A and B."),
            (Maybe, "scale A and B to norm 1."),
        ],
        rules: &[(Rule::exactly(1, 2), "ggev ggev3 ggevx")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "TGEVC_2X2_BLOCK",
        code: Code::EigenvectorsMissing,
        headline: "no eigenvectors: block {i} has no complex eigenvalue pair",
        meaning: "The 2 x 2 block in rows {i} and {i} + 1 (from index {z} counted from 0) has real \
eigenvalues, but stands where a complex pair should be. No vectors were computed.",
        cause: "the pair is not a generalised Schur form as HGEQZ leaves it",
        fixes: &[(NeedsValue, "pass S and P as HGEQZ or GGES returned them.")],
        rules: &[(Rule::INDEX, "tgevc")],
        undocumented: &[],
        notes: &[],
    },
    Class {
        name: "SYLVESTER_CLOSE_EIGS",
        code: Code::EquationPerturbed,
        headline: "solved with perturbed values: the equation is nearly singular",
        meaning: "The two matrices (or pairs) have common or very close eigenvalues, so that the equation has \
no unique solution; slightly changed values were used. A and B themselves are unchanged.",
        cause: "an eigenvalue of A equals one of B up to sign and rounding",
        fixes: &[
            (Safe, "look at SCALE: the solution is that of the right-hand side multiplied by it."),
            (NeedsValue, "shift A or B, if the problem allows it, so that no eigenvalue is common."),
        ],
        rules: &[(Rule::exactly(0, 1), "trsyl trsyl3"), (Rule::ANY, "tgsy2 tgsyl")],
        undocumented: &[],
        notes: &[],
    },
];
