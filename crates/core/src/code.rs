//! The identifiers of conditions. What each means is in the catalogue.

use std::fmt;

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
    /// `LAP-E014`: the eigenvalues are right, some eigenvectors failed.
    EigenvectorsMissing,
    /// `LAP-E015`: the matrix does not have the full rank that the method needs.
    RankDeficient,
    /// `LAP-E016`: a least-squares problem with constraints has no unique solution.
    DependentConstraints,
    /// `LAP-E017`: a row or column is exactly zero.
    ZeroRowOrColumn,
    /// `LAP-E018`: the dynamic mode decomposition ended early.
    ModesFailed,
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
    /// `LAP-E050`: a program for the device could not be built.
    KernelBuildFailed,
    /// `LAP-E051`: OpenCL refused an argument.
    OpenClMisuse,
    /// `LAP-E052`: the device or its driver does not have what was asked for.
    OpenClUnsupported,
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
    /// `LAP-W010`: a factorisation with pivoting stopped at the rank that it found.
    RankCut,
    /// `LAP-W011`: an iteration reached its limit; its values may be inaccurate.
    NotFullyConverged,
    /// `LAP-W012`: NaN or Inf was met, and the routine went on.
    NonFiniteMet,
    /// `LAP-W013`: a solution does not reach the accuracy that was asked for.
    AccuracyNotGuaranteed,
    /// `LAP-W014`: an equation was nearly singular, and was solved with changed values.
    EquationPerturbed,
    /// `LAP-W015`: eigenvalues could not be sorted as asked for.
    ReorderingIncomplete,
    /// `LAP-W016`: eigenvectors are parallel: the matrix has fewer than n.
    EigenvectorsDependent,
    /// `LAP-W017`: eigenvalues of a pair are infinite.
    InfiniteEigenvalues,
    /// `LAP-W018`: what was given as a factor is a whole matrix.
    NotAFactor,
    /// `LAP-I001`: a safe fix was applied.
    FixApplied,
    /// `LAP-I002`: full precision did what low precision could not.
    RefinementFellBack,
    /// `LAP-I003`: the call succeeded.
    Success,
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
    pub const ALL: [Code; 48] = [
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
        Code::EigenvectorsMissing,
        Code::RankDeficient,
        Code::DependentConstraints,
        Code::ZeroRowOrColumn,
        Code::ModesFailed,
        Code::IllegalArgument,
        Code::ProviderNotFound,
        Code::ProviderUnusable,
        Code::TooLargeForLp64,
        Code::OutOfMemory,
        Code::BadConfig,
        Code::Cancelled,
        Code::GpuUnavailable,
        Code::GpuFailed,
        Code::KernelBuildFailed,
        Code::OpenClMisuse,
        Code::OpenClUnsupported,
        Code::IllConditioned,
        Code::GpuNotUsed,
        Code::DriverFallback,
        Code::InPieces,
        Code::TuningIgnored,
        Code::RankUncertain,
        Code::ResultOverflow,
        Code::NotSymmetric,
        Code::BatchPartial,
        Code::RankCut,
        Code::NotFullyConverged,
        Code::NonFiniteMet,
        Code::AccuracyNotGuaranteed,
        Code::EquationPerturbed,
        Code::ReorderingIncomplete,
        Code::EigenvectorsDependent,
        Code::InfiniteEigenvalues,
        Code::NotAFactor,
        Code::FixApplied,
        Code::RefinementFellBack,
        Code::Success,
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
            Code::EigenvectorsMissing => "LAP-E014",
            Code::RankDeficient => "LAP-E015",
            Code::DependentConstraints => "LAP-E016",
            Code::ZeroRowOrColumn => "LAP-E017",
            Code::ModesFailed => "LAP-E018",
            Code::IllegalArgument => "LAP-E020",
            Code::ProviderNotFound => "LAP-E030",
            Code::ProviderUnusable => "LAP-E031",
            Code::TooLargeForLp64 => "LAP-E032",
            Code::OutOfMemory => "LAP-E033",
            Code::BadConfig => "LAP-E034",
            Code::Cancelled => "LAP-E035",
            Code::GpuUnavailable => "LAP-E040",
            Code::GpuFailed => "LAP-E041",
            Code::KernelBuildFailed => "LAP-E050",
            Code::OpenClMisuse => "LAP-E051",
            Code::OpenClUnsupported => "LAP-E052",
            Code::IllConditioned => "LAP-W001",
            Code::GpuNotUsed => "LAP-W002",
            Code::DriverFallback => "LAP-W003",
            Code::InPieces => "LAP-W004",
            Code::TuningIgnored => "LAP-W005",
            Code::RankUncertain => "LAP-W006",
            Code::ResultOverflow => "LAP-W007",
            Code::NotSymmetric => "LAP-W008",
            Code::BatchPartial => "LAP-W009",
            Code::RankCut => "LAP-W010",
            Code::NotFullyConverged => "LAP-W011",
            Code::NonFiniteMet => "LAP-W012",
            Code::AccuracyNotGuaranteed => "LAP-W013",
            Code::EquationPerturbed => "LAP-W014",
            Code::ReorderingIncomplete => "LAP-W015",
            Code::EigenvectorsDependent => "LAP-W016",
            Code::InfiniteEigenvalues => "LAP-W017",
            Code::NotAFactor => "LAP-W018",
            Code::FixApplied => "LAP-I001",
            Code::RefinementFellBack => "LAP-I002",
            Code::Success => "LAP-I003",
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
