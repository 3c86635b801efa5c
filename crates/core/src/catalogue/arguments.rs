//! Arguments of LAPACK's routines in plain words, and as the user of this library knows them.

use super::routine::{Kind, Routine};

/// An argument of a LAPACK routine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutineArgument {
    /// Its position in the call, from 1 as LAPACK counts.
    pub position: usize,
    /// Its name in LAPACK's documentation.
    pub name: &'static str,
    /// What it is, half a sentence.
    pub meaning: String,
    /// The argument of this library's operation that decides it; `None` where the library sets it, or no operation calls the
    /// routine.
    pub user: Option<&'static str>,
    pub(super) kind: Kind,
}

/// What one name means wherever it appears with this kind.
const MEANINGS: &[(&str, &str)] = &[
    ("NRHS", "number of right-hand sides"),
    ("KL", "number of diagonals below the main one"),
    ("KU", "number of diagonals above the main one"),
    ("KD", "number of diagonals on one side of the main one"),
    ("KA", "number of diagonals of A on one side of the main one"),
    ("KB", "number of diagonals of B on one side of the main one"),
    ("UPLO", "triangle that is read: 'U' upper, 'L' lower"),
    ("TRANS", "'N' the matrix itself, 'T' its transpose, 'C' the conjugate transpose"),
    ("TRANSA", "'N' A itself, 'T' its transpose, 'C' the conjugate transpose"),
    ("TRANSB", "'N' B itself, 'T' its transpose, 'C' the conjugate transpose"),
    ("TRANA", "'N' A itself, 'T' its transpose, 'C' the conjugate transpose"),
    ("TRANB", "'N' B itself, 'T' its transpose, 'C' the conjugate transpose"),
    ("TRANSR", "form in which the packed matrix is stored"),
    ("DIAG", "'U' if the diagonal is all ones, else 'N'"),
    ("SIDE", "side from which the matrix is applied: 'L' or 'R'"),
    ("NORM", "norm: '1', 'O' or 'I'"),
    ("FACT", "'N' factorise, 'F' factors are given, 'E' scale first"),
    ("EQUED", "how a given factorisation was scaled"),
    ("ITYPE", "which problem: 1, 2 or 3"),
    ("JOBZ", "'V' with eigenvectors, 'N' without"),
    ("JOBVL", "'V' with left eigenvectors, 'N' without"),
    ("JOBVR", "'V' with right eigenvectors, 'N' without"),
    ("JOBVS", "'V' with Schur vectors, 'N' without"),
    ("JOBU", "which left singular vectors"),
    ("JOBVT", "which right singular vectors"),
    ("JOBV", "which right singular vectors"),
    ("COMPZ", "whether and of what vectors are computed"),
    ("COMPQ", "whether the vectors in Q are updated"),
    ("RANGE", "'A' all, 'V' those in an interval, 'I' those with certain indices"),
    ("IL", "index of the smallest one wanted, from 1"),
    ("IU", "index of the largest one wanted, from 1"),
    ("ABSTOL", "absolute error that is good enough for eigenvalues"),
    ("SORT", "'S' sort the eigenvalues, 'N' do not"),
    ("SELECT", "which eigenvalues come first"),
    ("SELCTG", "which eigenvalues come first"),
    ("SENSE", "which condition numbers are computed"),
    ("BALANC", "how the matrix is balanced first"),
    ("ANORM", "norm of the matrix before its factorisation"),
    ("TOL", "size below which a pivot counts as 0"),
    ("IPIV", "row exchanges of the factorisation"),
    ("JPVT", "columns to take first, and their order at the end"),
    ("TAU", "factors of the reflectors"),
    ("INFO", "what the routine reports"),
    ("ITER", "how the refinement ended"),
    ("ILO", "first row of the part that is not triangular"),
    ("IHI", "last row of the part that is not triangular"),
    ("CFROM", "norm to be scaled from"),
    ("CTO", "norm to be scaled to"),
];

/// Meanings of one routine that are not those of the name.
const SPECIAL: &[(&str, &str, &str)] = &[
    ("gesdd", "JOBZ", "which singular vectors: 'A', 'S', 'O' or 'N'"),
    ("ggglm", "N", "number of rows of A and B"),
    ("ggglm", "M", "number of columns of A"),
    ("ggglm", "P", "number of columns of B"),
    ("gglse", "P", "number of rows of B: constraints"),
    ("gglse", "C", "right-hand side"),
    ("gglse", "D", "right-hand side of the constraints"),
    ("gelsd", "RCOND", "ratio to the largest below which a singular value counts as 0"),
    ("gelss", "RCOND", "ratio to the largest below which a singular value counts as 0"),
    ("gelsy", "RCOND", "largest condition number that is allowed, inverted"),
    ("orgqr", "K", "number of reflectors"),
    ("ungqr", "K", "number of reflectors"),
    ("gemm", "M", "number of rows of the product"),
    ("gemm", "N", "number of columns of the product"),
    ("gemm", "K", "inner dimension of the product"),
];

impl Routine {
    /// The argument at a position, from 1 as this interface counts; `None` if there is none.
    pub fn argument(&self, position: usize) -> Option<RoutineArgument> {
        if self.shift() == 1 && position == 1 {
            let meaning = "LAPACK_ROW_MAJOR (101) or LAPACK_COL_MAJOR (102)".to_string();
            return Some(RoutineArgument { position, name: "matrix_layout", meaning, user: None, kind: Kind::Integer });
        }
        let (name, kind) = self.arguments().nth(position.checked_sub(1 + self.shift())?)?;
        let meaning = self.meaning(name, kind);
        Some(RoutineArgument { position, name, meaning, user: self.user_argument(name, kind), kind })
    }

    fn meaning(&self, name: &str, kind: Kind) -> String {
        if let Some((.., meaning)) = SPECIAL.iter().find(|(stem, known, _)| (*stem, *known) == (self.stem, name)) {
            return (*meaning).to_string();
        }
        if let Some((_, meaning)) = MEANINGS.iter().find(|(known, _)| *known == name) {
            return (*meaning).to_string();
        }
        let has = |wanted: &str| self.arguments().any(|(name, _)| name == wanted);
        match (name, kind) {
            ("N", _) if has("M") => "number of columns".to_string(),
            ("N", _) => "order of the matrix".to_string(),
            ("M", Kind::Integer) if has("IL") => "number of eigenvalues found".to_string(),
            ("M", Kind::Integer) => "number of rows".to_string(),
            ("VL", Kind::Number) => "lower end of the interval".to_string(),
            ("VU", _) => "upper end of the interval".to_string(),
            ("A" | "AB" | "AP", _) => "the matrix".to_string(),
            ("B", _) if has("NRHS") => "right-hand sides, and the solution".to_string(),
            (_, Kind::Workspace) => "workspace".to_string(),
            (_, Kind::Integer) => match name.strip_prefix("LD") {
                Some(of) if has(of) => format!("distance between columns of {of} in memory (leading dimension)"),
                _ => match name.strip_prefix('L') {
                    Some(of) if has(of) => format!("length of {of}"),
                    _ => "an integer".to_string(),
                },
            },
            (_, Kind::Letter) => "a letter that chooses what is done".to_string(),
            (_, Kind::Integers) => "integers".to_string(),
            (_, Kind::Number) => "a number".to_string(),
            (_, Kind::Vector) => "a vector".to_string(),
            (_, Kind::Matrix) => "a matrix".to_string(),
            (_, Kind::Flag) => "a logical value".to_string(),
            (_, Kind::Flags) => "logical values".to_string(),
            (_, Kind::Function) => "a function that chooses eigenvalues".to_string(),
        }
    }

    /// The operation of this library that calls the routine, as Python spells it.
    pub fn operation(&self) -> Option<&'static str> {
        Some(match self.stem {
            "gemm" => "matmul",
            "gesv" | "getrs" | "getc2" | "sytrf" | "sytrs" | "sycon" | "hetrf" | "hetrs" | "hecon" | "potrs"
            | "pocon" | "sgesv" | "cgesv" | "sposv" | "cposv" | "gttrf" | "gttrs" | "gtcon" => "solve",
            "gesdd" | "gesvd" => "svd",
            "getrf" => "lu_factor",
            "gecon" => "rcond",
            "potrf" => "cholesky",
            "trtrs" | "trcon" => "solve_triangular",
            "gelsd" => "lstsq",
            "syev" | "heev" | "syevd" | "heevd" | "syevr" | "heevr" | "sygvd" | "hegvd" | "sygvx" | "hegvx" => "eigh",
            "geqrf" | "orgqr" | "ungqr" => "qr",
            "getri" => "inv",
            "gees" => "schur",
            "geev" | "ggev" => "eig",
            "gbtrf" | "gbtrs" | "gbcon" => "solve_banded",
            "pbtrf" | "pbtrs" | "pbcon" => "solveh_banded",
            _ => return None,
        })
    }

    /// The argument of that operation which decides this one.
    fn user_argument(&self, name: &str, kind: Kind) -> Option<&'static str> {
        let user = match (self.operation()?, name) {
            ("matmul", "B" | "N" | "LDB" | "TRANSB") => "b",
            ("matmul", "ALPHA" | "BETA" | "C" | "LDC") => return None,
            (_, "B" | "NRHS" | "LDB") => "b",
            ("eigh", "JOBZ") => "eigvals_only",
            ("eigh", "RANGE" | "IL" | "IU") => "subset_by_index",
            ("eigh", "VL" | "VU") => "subset_by_value",
            ("eigh", "ITYPE") => "type",
            ("svd", "JOBZ" | "JOBU" | "LDU" | "JOBVT" | "LDVT") => "full_matrices",
            ("eig", "JOBVL" | "LDVL") => "left",
            ("eig", "JOBVR" | "LDVR") => "right",
            ("lstsq", "RCOND") => "rcond",
            ("qr", "K") => "mode",
            ("solve_triangular", "DIAG") => "unit_diagonal",
            ("solve_triangular", "TRANS") => "trans",
            ("solve_banded", "KL" | "KU") => "l_and_u",
            ("solve_banded" | "solveh_banded", "AB" | "LDAB" | "N" | "KD" | "ANORM") => "ab",
            (_, "UPLO") => "lower",
            (_, "TRANS") => "transposed",
            (_, "A" | "M" | "N" | "LDA" | "ANORM" | "DL" | "D" | "DU" | "DU2" | "TRANSA" | "K") => "a",
            _ => return None,
        };
        // A matrix and the interval's end may have the same name.
        (name != "VL" || kind == Kind::Number).then_some(user)
    }
}

impl RoutineArgument {
    /// Why LAPACK refuses such an argument, half a sentence, and what to pass.
    pub(super) fn refusal(&self) -> (&'static str, &'static str) {
        match self.kind {
            _ if matches!(self.name, "VL" | "VU") => {
                ("the interval is empty: VU must be larger than VL", "exchange the ends, and look for NaN in them.")
            }
            _ if matches!(self.name, "IL" | "IU") => {
                ("the indices must be 1 <= IL <= IU <= N", "count from 1, and check the order of the two.")
            }
            Kind::Letter => {
                ("it is not one of the letters that the routine knows", "pass one of the letters in its documentation.")
            }
            Kind::Integer if self.name.starts_with("LD") => (
                "it is smaller than the number of rows of the array, or than 1",
                "pass the distance between columns: at least the number of rows (of columns in row-major order).",
            ),
            Kind::Integer if self.name.ends_with("WORK") => (
                "it is smaller than the routine needs",
                "call with -1 first; the length comes in the first element of the workspace.",
            ),
            Kind::Integer if self.name == "matrix_layout" => {
                ("it is neither 101 nor 102", "pass LAPACK_ROW_MAJOR or LAPACK_COL_MAJOR.")
            }
            Kind::Integer => (
                "it is negative, or does not fit the other dimensions",
                "check the dimensions, and that integers have the library's width (32 or 64 bits).",
            ),
            Kind::Number => ("it is negative or NaN", "look for NaN in what it was computed from."),
            _ => (
                "the routine checks only part of its arguments; this is one that it can refuse",
                "compare the call with the documentation of the routine.",
            ),
        }
    }
}
