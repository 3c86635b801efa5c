//! From an [`Error`] to text: one plain line with the number in it, then cause and fixes for who wants them.

use crate::finding::plain;
use crate::{Applicability, Code, Detail, Error, Fix, NonFinite, catalogue};
use std::fmt;

impl fmt::Display for Error {
    /// One line of at most a few dozen words: what is wrong, where, and the first fix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.summary())?;
        if let Some(fix) = self.fixes().first() {
            write!(f, " Fix: {}", fix.text)?;
        }
        write!(f, " [{}]", self.code())
    }
}

/// Relative precision above which there is a better type.
const DOUBLE_IS_BETTER: f64 = 1e-10;
/// Characters of a first line: what a terminal and a log show without a break.
const LINE: usize = 88;

impl Error {
    /// What is wrong and where, in one sentence without cause or fix: the most telling form that fits into 88 characters.
    pub fn summary(&self) -> String {
        let operation = self.operation();
        let argument = self.argument_name();
        let of_batch = match (self.matrix(), self.failed().len()) {
            (None, _) => String::new(),
            (Some(matrix), 0 | 1) => format!(" (matrix {matrix} of {})", self.batch()),
            (Some(matrix), failed) => format!(" (matrix {matrix} and {} more of {})", failed - 1, self.batch()),
        };
        let mut forms = Vec::new();
        let found = self.findings().first().map(|finding| finding.sentence(argument));
        match self.detail() {
            Detail::Text(text) => forms.push(text.clone()),
            Detail::NonFinite { kind, first, count } => {
                let kind = if *kind == NonFinite::Nan { "NaN" } else { "Inf" };
                let (row, col) = (first.row, first.col);
                let others = match count {
                    1 => String::new(),
                    more => format!(", first of {more} NaN or Inf"),
                };
                forms.push(format!("{argument} has {kind} at row {row}, column {col}{others}"));
                forms.push(format!("{argument} has {kind} at row {row}, column {col}"));
            }
            Detail::ZeroPivot { index, n } => {
                forms.extend(found.map(|found| format!("{argument} is singular: {found}")));
                forms.push(format!("{argument} is singular: pivot {index} of {n} is exactly 0"));
            }
            Detail::NotPositiveMinor { order, n } => {
                forms.extend(found.map(|found| format!("{argument} is not positive definite: {found}")));
                forms.push(format!("{argument} is not positive definite: minor {order} of {n} is not positive"));
                forms.push(format!("{argument} is not positive definite (minor {order} of {n})"));
            }
            Detail::NoConvergence { unconverged } => {
                forms.push(format!("the iteration did not converge; {unconverged} values are missing"));
            }
            Detail::Condition { rcond, .. } => {
                let short = format!("{argument} is ill-conditioned, rcond {}", plain(*rcond));
                forms.extend(found.map(|found| format!("{short}: {found}")));
                let (lost, have) = self.digits_lost().unwrap_or_default();
                forms.push(format!("{short}: about {lost:.0} of {have:.0} digits are lost"));
                forms.push(format!("{short}: {lost:.0} of {have:.0} digits lost"));
            }
        }
        let mut lines = forms.into_iter().map(|form| format!("{operation}: {form}{of_batch}."));
        let mut line = lines.next().unwrap_or_default();
        while line.chars().count() > LINE {
            match lines.next() {
                Some(next) => line = next,
                None => break,
            }
        }
        line
    }

    fn argument_name(&self) -> &'static str {
        self.argument_at_fault().map_or("A", |argument| argument.name)
    }

    /// rcond and eps of a matrix that is too ill-conditioned for single precision and not for double.
    fn beyond_single_only(&self) -> Option<(f64, f64)> {
        match *self.detail() {
            Detail::Condition { rcond, eps } if eps > DOUBLE_IS_BETTER && rcond > f64::EPSILON => Some((rcond, eps)),
            _ => None,
        }
    }

    /// Why it happened: what is known of this case, else the code's usual cause.
    pub fn cause(&self) -> String {
        let found = self.findings().iter().map(|finding| finding.cause(self.argument_name()));
        let known: Vec<String> = self.own_cause().map(str::to_string).into_iter().chain(found).collect();
        if let Some((rcond, eps)) = self.beyond_single_only() {
            let text = format!(
                "the condition number, about {}, is beyond what float32 holds ({})",
                plain(1.0 / rcond),
                plain(1.0 / eps)
            );
            return [vec![text], known].concat().join("; ");
        }
        if known.is_empty() { catalogue::condition(self.code()).cause.to_string() } else { known.join("; ") }
    }

    /// What to do, best first: what gives exactly what was asked for, then what is known of this case, then the code's
    /// usual fixes.
    pub fn fixes(&self) -> Vec<Fix> {
        let mut fixes: Vec<Fix> = self.own_fixes().to_vec();
        if self.beyond_single_only().is_some() {
            let text = "use float64 (complex128), which holds it: convert the arguments with astype.".to_string();
            fixes.push(Fix { applicability: Applicability::Maybe, text });
        }
        for finding in self.findings() {
            fixes.extend(finding.fixes(self.code(), self.operation(), self.argument_name()));
        }
        for &(applicability, text) in usual_fixes(self.code(), self.operation()) {
            // With a shift that is known, the advice to find one out is no longer any.
            let known = matches!(applicability, Applicability::NeedsValue) && !self.findings().is_empty();
            if !known && !fixes.iter().any(|fix| fix.text == text) {
                fixes.push(Fix { applicability, text: text.to_string() });
            }
        }
        fixes.sort_by_key(|fix| fix.applicability != Applicability::Safe);
        fixes
    }

    /// Everything, over several lines: summary, cause, every fix, and what LAPACK said.
    pub fn report(&self) -> String {
        let mut report = format!("{}: {}\n  cause: {}", self.code(), self.summary(), self.cause());
        for fix in self.fixes() {
            report += &format!("\n  fix ({}): {}", fix.applicability.as_str(), fix.text);
        }
        if let Some((lost, have)) = self.digits_lost() {
            report += &format!("\n  digits: about {lost:.0} of {have:.0} are lost");
        }
        match self.detail() {
            Detail::ZeroPivot { index, n } => report += &format!("\n  pivot: {index} of {n} is exactly 0"),
            Detail::NotPositiveMinor { order, n } => report += &format!("\n  minor: {order} of {n} is not positive"),
            _ => {}
        }
        if let (Some(routine), Some(info)) = (self.routine(), self.info()) {
            report += &format!("\n  LAPACK: {routine} returned INFO = {info}");
        }
        if self.failed().len() > 1 {
            let shown: Vec<String> = self.failed().iter().take(10).map(usize::to_string).collect();
            let dots = if self.failed().len() > 10 { ", ..." } else { "" };
            report += &format!("\n  failed matrices: {}{dots}", shown.join(", "));
        }
        report
    }
}

fn usual_fixes(code: Code, operation: &str) -> &'static [(Applicability, &'static str)] {
    use Applicability::{Maybe, NeedsValue, Safe};
    match (code, operation) {
        (Code::NonFinite, _) => &[(NeedsValue, "drop or fill these entries first, e.g. with numpy.nan_to_num.")],
        (Code::NotSquare, "solve") => &[(Maybe, "use lstsq for rectangular systems.")],
        (Code::NotSquare, "inv") => &[(Maybe, "use pinv, which any matrix has.")],
        (Code::NotSquare, "eig" | "eigvals" | "eigh" | "eigvalsh" | "schur") => {
            &[(Maybe, "use svd for a table of data, or the eigenvalues of its covariance, a.T @ a.")]
        }
        (Code::UnsupportedDType, "DeviceArray") => &[],
        (Code::UnsupportedDType, _) => &[(Safe, "convert first, e.g. A.astype('float64').")],
        (Code::Singular, "solve") => &[
            (Maybe, "use lstsq for the least-norm solution."),
            (NeedsValue, "remove the dependent row or column, or add a small multiple of the identity."),
        ],
        (Code::Singular, "inv") => &[
            (Maybe, "use pinv, the pseudo-inverse."),
            (NeedsValue, "remove the dependent row or column, or add a small multiple of the identity."),
        ],
        (Code::Singular, "solve_banded") => {
            &[(Maybe, "fix one unknown (drop its row and column), or use lstsq on the whole matrix.")]
        }
        (Code::Singular, "lu_solve" | "cho_solve" | "solve_triangular") => {
            &[(Maybe, "use lstsq on the original matrix for the least-norm solution.")]
        }
        (Code::NotPositiveDefinite, "cholesky_update") => &[],
        (Code::NotPositiveDefinite, "solve") => {
            &[(Safe, "use assume_a='sym' ('her' for complex), which needs no definiteness.")]
        }
        (Code::NotPositiveDefinite, "eigh") => &[
            (NeedsValue, "add a little more than minus the smallest eigenvalue of b (see eigvalsh) to its diagonal."),
            (Maybe, "use eig(a, b), which needs no definiteness."),
        ],
        (Code::NotPositiveDefinite, _) => &[
            (NeedsValue, "add a little more than minus the smallest eigenvalue (see eigvalsh) to the diagonal."),
            (Maybe, "use eigh, which needs no definiteness."),
        ],
        (Code::SvdNoConvergence | Code::EigNoConvergence, _) => {
            &[(Maybe, "scale the matrix to norm 1, or try another LAPACK (LAPACK_AI_LIBRARY).")]
        }
        (Code::IllegalArgument, _) => &[(Maybe, "please report it with the shapes and options of the call.")],
        (Code::ProviderNotFound | Code::ProviderUnusable, _) => &[(Safe, "run: pip install scipy-openblas32")],
        (Code::TooLargeForLp64, _) => &[(
            Safe,
            "run pip install scipy-openblas64 and set LAPACK_AI_LIBRARY to its library, which counts with 64 bits.",
        )],
        (Code::OutOfMemory, _) => &[(Maybe, "free memory or use smaller inputs.")],
        (Code::GpuUnavailable, _) => {
            &[(Safe, "use gpu='auto' to let the CPU compute; lap.doctor() lists what was found.")]
        }
        (Code::GpuFailed, _) => {
            &[(Safe, "use gpu='auto' or gpu=False to let the CPU compute; lap.devices() shows the device's state.")]
        }
        (Code::InPieces, _) => &[
            (Safe, "nothing, the result is complete; it took more transfers than it could."),
            (Maybe, "free device memory, or raise LAPACK_GPU_MEMORY_LIMIT or the container's memory limit."),
        ],
        (Code::TuningIgnored, _) => &[(
            Safe,
            "run lapack-ai tune, or lap.tune(), which replaces the file; until then products are as fast as untuned.",
        )],
        (Code::ResultOverflow, "det") => &[(Maybe, "use slogdet, which gives the sign and the logarithm of the size.")],
        (Code::IllConditioned, "solve") => &[
            (Maybe, "use lstsq, which drops directions below the noise."),
            (Maybe, "bring columns and rows to similar size, and remove nearly equal columns."),
        ],
        (Code::IllConditioned, "inv") => &[
            (
                Maybe,
                "use solve instead of multiplying by the inverse, or lstsq, which drops directions below the noise.",
            ),
            (Maybe, "bring columns and rows to similar size, and remove nearly equal columns."),
        ],
        (Code::IllConditioned, "lu_factor") => {
            &[(Maybe, "solve with lstsq instead: lu_solve refuses factors with a zero pivot.")]
        }
        (Code::GpuNotUsed, _) => {
            &[(Safe, "use gpu='auto' to accept the CPU silently; lap.doctor() lists what was found.")]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Argument, Location, Severity};

    #[test]
    fn a_nan_is_named_with_its_place_and_count() {
        let first = Location { matrix: None, row: 2, col: 5 };
        let error = Error::new(Code::NonFinite, "svd", Detail::NonFinite { kind: NonFinite::Nan, first, count: 3 })
            .argument(Argument::at(0, "a"))
            .in_batch(7, 10);
        assert_eq!(error.summary(), "svd: a has NaN at row 2, column 5, first of 3 NaN or Inf (matrix 7 of 10).");
    }

    #[test]
    fn the_line_names_the_first_fix_and_the_code() {
        let error = Error::new(Code::Singular, "solve", Detail::ZeroPivot { index: 2, n: 3 });
        assert_eq!(
            error.to_string(),
            "solve: A is singular: pivot 2 of 3 is exactly 0. Fix: use lstsq for the least-norm solution. [LAP-E010]"
        );
    }

    #[test]
    fn the_report_lists_cause_every_fix_and_what_lapack_said() {
        let error = Error::new(Code::NotPositiveDefinite, "cholesky", Detail::NotPositiveMinor { order: 2, n: 3 })
            .from_routine("dpotrf", 2);
        let report = error.report();
        for part in [
            "LAP-E011",
            "minor 2 of 3",
            "cause:",
            "fix (needs-value):",
            "fix (maybe): use eigh",
            "dpotrf returned INFO = 2",
        ] {
            assert!(report.contains(part), "{part} is missing in:\n{report}");
        }
    }

    #[test]
    fn digits_lost_come_from_rcond_and_the_precision() {
        let error = Error::new(Code::IllConditioned, "solve", Detail::Condition { rcond: 2.3e-18, eps: 2.2e-16 });
        assert!(error.summary().contains("rcond 2.3e-18: about 15 of 15 digits are lost"), "{}", error.summary());
        assert_eq!(error.severity(), Severity::Warning);
    }

    #[test]
    fn every_code_is_unique() {
        let mut texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }
}
