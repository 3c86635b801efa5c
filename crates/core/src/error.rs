//! The error value: fields first, text last.
//!
//! An [`Error`] says which operation failed, in which LAPACK routine, on which argument and element, with which INFO,
//! and what to do about it. It is built where the facts are known and rendered (`render.rs`) where a person reads it.

use crate::Finding;
use std::fmt;

/// Result of every operation of the library.
pub type Result<T> = std::result::Result<T, Error>;

/// Stable identifier of a condition: `LAP-E0xx` for errors, `LAP-W0xx` for warnings, `LAP-I0xx` for information.
/// Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// `LAP-E001`: the input has NaN or Inf.
    NonFinite,
    /// `LAP-E002`: shapes that do not fit together.
    ShapeMismatch,
    /// `LAP-E003`: a square matrix is needed.
    NotSquare,
    /// `LAP-E004`: an element type that LAPACK does not have.
    UnsupportedDType,
    /// `LAP-E005`: an option with a value that it cannot take.
    BadOption,
    /// `LAP-E006`: too few dimensions, or ragged input.
    NotAMatrix,
    /// `LAP-E010`: a pivot of the factorisation is exactly zero.
    Singular,
    /// `LAP-E011`: a leading minor is not positive.
    NotPositiveDefinite,
    /// `LAP-E012`: the bidiagonal SVD did not converge.
    SvdNoConvergence,
    /// `LAP-E013`: the eigenvalue iteration did not converge.
    EigNoConvergence,
    /// `LAP-E020`: LAPACK refused an argument.
    IllegalArgument,
    /// `LAP-E030`: no LAPACK library was found.
    ProviderNotFound,
    /// `LAP-E031`: a library was found that cannot be used.
    ProviderUnusable,
    /// `LAP-E032`: a size beyond the library's 32-bit integers.
    TooLargeForLp64,
    /// `LAP-E033`: memory could not be allocated.
    OutOfMemory,
    /// `LAP-E034`: a setting in the environment that cannot be used.
    BadConfig,
    /// `LAP-E035`: the caller asked the call to end.
    Cancelled,
    /// `LAP-E040`: a GPU was required and cannot be used.
    GpuUnavailable,
    /// `LAP-E041`: the GPU failed, and the CPU could not or must not step in.
    GpuFailed,
    /// `LAP-W001`: the matrix is so ill-conditioned that no digit of the result is certain.
    IllConditioned,
    /// `LAP-W002`: a GPU was asked for; the CPU computed.
    GpuNotUsed,
    /// `LAP-W003`: the first driver failed; another gave the result.
    DriverFallback,
    /// `LAP-W004`: the operands did not fit the device at once and went in pieces.
    InPieces,
    /// `LAP-W005`: the file of what was tuned for a device cannot be used.
    TuningIgnored,
    /// `LAP-W006`: a singular value lies within a factor 10 of the tolerance that decides on the rank.
    RankUncertain,
    /// `LAP-W007`: the input is finite, the result is beyond the largest number.
    ResultOverflow,
    /// `LAP-W008`: the triangle that is not read differs from the one that is.
    NotSymmetric,
    /// `LAP-W009`: some matrices of a batch failed; the results of the others are returned.
    BatchPartial,
    /// `LAP-I001`: a safe fix was applied.
    FixApplied,
}

/// How bad a condition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// There is no result.
    Error,
    /// There is a result, and a reason to doubt it.
    Warning,
    /// There is a result, as good as any, and something to know about it.
    Information,
}

impl Severity {
    /// `error`, `warning` or `information`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }
}

impl Code {
    /// Every code: errors, warnings, information, each in numeric order.
    pub const ALL: [Code; 29] = [
        Code::NonFinite,
        Code::ShapeMismatch,
        Code::NotSquare,
        Code::UnsupportedDType,
        Code::BadOption,
        Code::NotAMatrix,
        Code::Singular,
        Code::NotPositiveDefinite,
        Code::SvdNoConvergence,
        Code::EigNoConvergence,
        Code::IllegalArgument,
        Code::ProviderNotFound,
        Code::ProviderUnusable,
        Code::TooLargeForLp64,
        Code::OutOfMemory,
        Code::BadConfig,
        Code::Cancelled,
        Code::GpuUnavailable,
        Code::GpuFailed,
        Code::IllConditioned,
        Code::GpuNotUsed,
        Code::DriverFallback,
        Code::InPieces,
        Code::TuningIgnored,
        Code::RankUncertain,
        Code::ResultOverflow,
        Code::NotSymmetric,
        Code::BatchPartial,
        Code::FixApplied,
    ];

    /// The text form, `LAP-E010`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::NonFinite => "LAP-E001",
            Code::ShapeMismatch => "LAP-E002",
            Code::NotSquare => "LAP-E003",
            Code::UnsupportedDType => "LAP-E004",
            Code::BadOption => "LAP-E005",
            Code::NotAMatrix => "LAP-E006",
            Code::Singular => "LAP-E010",
            Code::NotPositiveDefinite => "LAP-E011",
            Code::SvdNoConvergence => "LAP-E012",
            Code::EigNoConvergence => "LAP-E013",
            Code::IllegalArgument => "LAP-E020",
            Code::ProviderNotFound => "LAP-E030",
            Code::ProviderUnusable => "LAP-E031",
            Code::TooLargeForLp64 => "LAP-E032",
            Code::OutOfMemory => "LAP-E033",
            Code::BadConfig => "LAP-E034",
            Code::Cancelled => "LAP-E035",
            Code::GpuUnavailable => "LAP-E040",
            Code::GpuFailed => "LAP-E041",
            Code::IllConditioned => "LAP-W001",
            Code::GpuNotUsed => "LAP-W002",
            Code::DriverFallback => "LAP-W003",
            Code::InPieces => "LAP-W004",
            Code::TuningIgnored => "LAP-W005",
            Code::RankUncertain => "LAP-W006",
            Code::ResultOverflow => "LAP-W007",
            Code::NotSymmetric => "LAP-W008",
            Code::BatchPartial => "LAP-W009",
            Code::FixApplied => "LAP-I001",
        }
    }

    /// Error, warning or information, as the letter in the text form says.
    pub fn severity(self) -> Severity {
        match self.as_str().as_bytes()[4] {
            b'E' => Severity::Error,
            b'W' => Severity::Warning,
            _ => Severity::Information,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An argument of the operation as the user knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name in the Rust and Python signatures.
    pub name: &'static str,
    /// Its position there, from 0; `None` for keywords.
    pub position: Option<usize>,
}

impl Argument {
    /// A positional argument.
    pub fn at(position: usize, name: &'static str) -> Self {
        Self { name, position: Some(position) }
    }

    /// A keyword.
    pub fn keyword(name: &'static str) -> Self {
        Self { name, position: None }
    }
}

/// Which kind of non-finite number stands first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonFinite {
    /// Not a number.
    Nan,
    /// Plus or minus infinity.
    Inf,
}

/// Where in the input: zero-based, row and column as the user indexes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Matrix of the batch in C order; `None` where there is only one.
    pub matrix: Option<usize>,
    /// Row.
    pub row: usize,
    /// Column.
    pub col: usize,
}

/// The facts that one kind of failure has and others do not.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// Nothing but the sentence.
    Text(String),
    /// First non-finite element, and how many there are.
    NonFinite {
        /// Kind of the first.
        kind: NonFinite,
        /// Place of the first.
        first: Location,
        /// Non-finite elements in that matrix.
        count: usize,
    },
    /// Pivot `index` (zero-based) of an n x n factorisation is exactly zero.
    ZeroPivot {
        /// Zero-based pivot.
        index: usize,
        /// Order of the matrix.
        n: usize,
    },
    /// Leading minor of order `order` (one-based) is not positive.
    NotPositiveMinor {
        /// Order of the minor.
        order: usize,
        /// Order of the matrix.
        n: usize,
    },
    /// The iteration left `unconverged` off-diagonal elements.
    NoConvergence {
        /// How many did not converge.
        unconverged: usize,
    },
    /// Estimated reciprocal condition number against the precision of the type.
    Condition {
        /// Estimate of 1 / (norm(A) norm(inv(A))).
        rcond: f64,
        /// Relative precision of the element type.
        eps: f64,
    },
}

/// How safe a fix is to apply without thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applicability {
    /// Gives what was asked for.
    Safe,
    /// Gives something near it; the user decides.
    Maybe,
    /// Needs a value only the user has.
    NeedsValue,
}

impl Applicability {
    /// `safe`, `maybe` or `needs-value`.
    pub fn as_str(self) -> &'static str {
        match self {
            Applicability::Safe => "safe",
            Applicability::Maybe => "maybe",
            Applicability::NeedsValue => "needs-value",
        }
    }
}

/// Something to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// How safe it is.
    pub applicability: Applicability,
    /// One sentence, with the code to type where there is some.
    pub text: String,
}

/// A failure (or a warning) with everything known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    fields: Box<Fields>,
}

/// Boxed, so that `Result` stays one word wide on the fast path.
#[derive(Clone, Debug, PartialEq)]
struct Fields {
    code: Code,
    operation: &'static str,
    detail: Detail,
    argument: Option<Argument>,
    routine: Option<String>,
    info: Option<i64>,
    matrix: Option<usize>,
    failed: Vec<usize>,
    batch: usize,
    cause: Option<String>,
    findings: Vec<Finding>,
    fixes: Vec<Fix>,
}

impl Error {
    /// A failure of `operation` ("solve", "svd", ...).
    pub fn new(code: Code, operation: &'static str, detail: Detail) -> Self {
        let (argument, routine, info, matrix, cause) = (None, None, None, None, None);
        let fields = Fields {
            code,
            operation,
            detail,
            argument,
            routine,
            info,
            matrix,
            failed: vec![],
            batch: 1,
            cause,
            findings: vec![],
            fixes: vec![],
        };
        Self { fields: Box::new(fields) }
    }

    /// A failure that one sentence describes.
    pub fn text(code: Code, operation: &'static str, text: impl Into<String>) -> Self {
        Self::new(code, operation, Detail::Text(text.into()))
    }

    /// Names the argument at fault.
    pub fn argument(mut self, argument: Argument) -> Self {
        self.fields.argument = Some(argument);
        self
    }

    /// Names the LAPACK routine and its INFO.
    pub fn from_routine(mut self, routine: impl Into<String>, info: i64) -> Self {
        self.fields.routine = Some(routine.into());
        self.fields.info = Some(info);
        self
    }

    /// Adds the cause, where it is more than the code's usual one.
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.fields.cause = Some(cause.into());
        self
    }

    /// Adds a fix.
    pub fn fix(mut self, applicability: Applicability, text: impl Into<String>) -> Self {
        self.fields.fixes.push(Fix { applicability, text: text.into() });
        self
    }

    /// Adds what a look at the matrix has found, the most telling first.
    pub fn with_findings(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.fields.findings.extend(findings);
        self
    }

    /// Says which matrix of a batch of `batch` failed; a batch of one has no index.
    pub fn in_batch(mut self, matrix: usize, batch: usize) -> Self {
        if batch > 1 {
            self.fields.matrix = Some(matrix);
            self.fields.batch = batch;
            if let Detail::NonFinite { first, .. } = &mut self.fields.detail {
                first.matrix = Some(matrix);
            }
        }
        self
    }

    /// Lists all matrices of the batch that failed, in order.
    pub fn with_failed(mut self, failed: Vec<usize>) -> Self {
        self.fields.failed = failed;
        self
    }

    /// Identifier of the condition.
    pub fn code(&self) -> Code {
        self.fields.code
    }

    /// Error or warning.
    pub fn severity(&self) -> Severity {
        self.fields.code.severity()
    }

    /// The operation the user called.
    pub fn operation(&self) -> &'static str {
        self.fields.operation
    }

    /// The facts.
    pub fn detail(&self) -> &Detail {
        &self.fields.detail
    }

    /// The argument at fault, if one is.
    pub fn argument_at_fault(&self) -> Option<Argument> {
        self.fields.argument
    }

    /// The LAPACK routine that reported it, if one did.
    pub fn routine(&self) -> Option<&str> {
        self.fields.routine.as_deref()
    }

    /// LAPACK's INFO, if a routine reported it.
    pub fn info(&self) -> Option<i64> {
        self.fields.info
    }

    /// Zero-based index, in C order, of the first matrix of a batch that failed.
    pub fn matrix(&self) -> Option<usize> {
        self.fields.matrix
    }

    /// All matrices of the batch that failed; empty outside batches.
    pub fn failed(&self) -> &[usize] {
        &self.fields.failed
    }

    /// How many matrices the batch has.
    pub fn batch(&self) -> usize {
        self.fields.batch
    }

    /// The estimate of the reciprocal condition number, if there is one.
    pub fn rcond(&self) -> Option<f64> {
        match self.fields.detail {
            Detail::Condition { rcond, .. } => Some(rcond),
            Detail::ZeroPivot { .. } => Some(0.0),
            _ => None,
        }
    }

    /// Digits of the result that the conditioning leaves uncertain, and those that the type has.
    pub fn digits_lost(&self) -> Option<(f64, f64)> {
        match self.fields.detail {
            Detail::Condition { rcond, eps } => {
                let have = (1.0 / eps).log10().floor();
                Some(((1.0 / rcond.max(f64::MIN_POSITIVE)).log10().floor().min(have), have))
            }
            _ => None,
        }
    }

    /// What a look at the matrix has found, the most telling first.
    pub fn findings(&self) -> &[Finding] {
        &self.fields.findings
    }

    /// The cause given with [`Error::because`].
    pub(crate) fn own_cause(&self) -> Option<&str> {
        self.fields.cause.as_deref()
    }

    /// The fixes given with [`Error::fix`].
    pub(crate) fn own_fixes(&self) -> &[Fix] {
        &self.fields.fixes
    }
}

impl std::error::Error for Error {}
