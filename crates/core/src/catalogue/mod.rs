//! What can go wrong, as data: every code with its meaning, usual cause and usual fixes, and every INFO of LAPACK's routines.
//!
//! The way of a number: [`Routine::parse`] finds the routine (`routine.rs`), the [`Rule`]s of the [`Class`]es that it documents
//! are tried on INFO and the dimensions (`rule.rs`, `classes/`), and what fits fills the texts (`explanation.rs`). A
//! negative INFO names an argument (`arguments.rs`). ITER, LAPACKE (`special.rs`) and OpenCL (`opencl.rs`) have tables of their own.
//!
//! An [`Error`](crate::Error) is one case of a [`Condition`], with the numbers of the case. The texts here hold without
//! knowing the call; where a call knows more, its error says more.

mod arguments;
mod classes;
mod conditions;
mod explanation;
mod opencl;
mod routine;
mod rule;
mod special;

pub use arguments::RoutineArgument;
pub use classes::{Class, classes};
pub use conditions::CONDITIONS;
pub use explanation::{Explanation, Unexplained, explain_info};
pub use opencl::{explain_opencl, opencl_codes};
pub use routine::{Kind, Routine};
pub use rule::{Counts, Dims, Edge, Rule};
pub use special::explain_iter;

use crate::{Applicability, Code, Severity};
use std::fmt;

/// One entry of the catalogue: what a code means, why it comes up and what helps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// Identifier.
    pub code: Code,
    /// Short name in lower case with hyphens, for search and for machines.
    pub name: &'static str,
    /// Error, warning or information; the letter of the code says the same.
    pub severity: Severity,
    /// Half a sentence: what is the matter.
    pub title: &'static str,
    /// Full sentences: what it means for the result.
    pub meaning: &'static str,
    /// The usual cause, half a sentence.
    pub cause: &'static str,
    /// What helps without knowing the call, best first.
    pub fixes: &'static [(Applicability, &'static str)],
}

impl Condition {
    /// Everything, over several lines.
    pub fn report(&self) -> String {
        let mut report = format!("{self}\n  meaning: {}\n  cause: {}", self.meaning, self.cause);
        for (applicability, text) in self.fixes {
            report += &format!("\n  fix ({}): {text}", applicability.as_str());
        }
        report
    }

    /// The classes of INFO that are cases of it.
    pub fn classes(&self) -> impl Iterator<Item = &'static Class> {
        classes().filter(|class| class.code == self.code)
    }
}

impl fmt::Display for Condition {
    /// One line: code and title.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}.", self.code, self.title)
    }
}

/// The condition of a code.
pub fn condition(code: Code) -> &'static Condition {
    &CONDITIONS[code as usize]
}

/// The condition of a code in text form, `"LAP-E010"`; case does not matter and `E010` will do.
pub fn explain(code: &str) -> Option<&'static Condition> {
    let wanted = code.trim().to_ascii_uppercase();
    let wanted = wanted.strip_prefix("LAP-").unwrap_or(&wanted);
    CONDITIONS.iter().find(|condition| condition.code.as_str().strip_prefix("LAP-") == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_condition_with_all_texts() {
        assert_eq!(CONDITIONS.len(), Code::ALL.len());
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index, "{code} is not in numeric order");
            let found = condition(code);
            assert_eq!((found.code, found.severity), (code, code.severity()));
            for text in [found.name, found.title, found.meaning, found.cause] {
                assert!(!text.is_empty(), "{code}");
            }
            assert!(!found.fixes.is_empty(), "{code}");
            assert!(found.meaning.ends_with('.') && !found.cause.ends_with('.'), "{code}");
        }
        let mut names: Vec<&str> = CONDITIONS.iter().map(|condition| condition.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CONDITIONS.len());
    }

    #[test]
    fn a_code_is_found_in_any_spelling() {
        for text in ["LAP-E010", "lap-e010", "E010", " e010 "] {
            assert_eq!(explain(text).map(|condition| condition.code), Some(Code::Singular), "{text}");
        }
        assert_eq!(explain("LAP-E999"), None);
        assert_eq!(explain(""), None);
    }
}
