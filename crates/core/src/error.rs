//! The error value: fields first, text last.
//!
//! An [`Error`] says which operation failed, in which LAPACK routine, on which argument and element, with which INFO,
//! and what to do about it. It is built where the facts are known and rendered (`render.rs`) where a person reads it.

use crate::{Code, Finding, Severity};

/// Result of every operation of the library.
pub type Result<T> = std::result::Result<T, Error>;

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
