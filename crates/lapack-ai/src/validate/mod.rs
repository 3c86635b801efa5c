//! Whether everything works: LAPACK, OpenCL, each GPU, Python and the container are used, not only looked at.
//!
//! [`doctor`](crate::doctor::doctor) says what is there. Here small problems are computed on every engine and type, and their
//! results checked in units of `n eps`; drivers are opened, device nodes and folders tried. Whatever is not as it should be
//! comes with the command or the setting that mends it.

mod computing;
mod container;
mod opencl;

pub use computing::{gpu, lapack};
pub use container::container;
pub use opencl::opencl;

use serde_json::{Value, json};
use std::fmt;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Nothing is broken, but something could be better, or is not there and optional.
    Noted,
    /// Something does not work.
    Failed,
}

impl Outcome {
    /// `passed`, `noted`, `failed`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Noted => "noted",
            Outcome::Failed => "failed",
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Outcome::Passed => "ok",
            Outcome::Noted => "--",
            Outcome::Failed => "!!",
        }
    }
}

/// The parts that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The LAPACK of the CPU.
    Lapack,
    /// The loader and its drivers.
    OpenCl,
    /// The OpenCL devices.
    Gpu,
    /// The interpreter and the module `lapack_py`.
    Python,
    /// Limits, devices and folders that a container gives.
    Container,
}

impl Section {
    /// All, in the order of the output.
    pub const ALL: [Section; 5] = [Section::Lapack, Section::OpenCl, Section::Gpu, Section::Python, Section::Container];

    /// `LAPACK`, `OpenCL`, `GPU`, `Python`, `container`.
    pub fn name(self) -> &'static str {
        match self {
            Section::Lapack => "LAPACK",
            Section::OpenCl => "OpenCL",
            Section::Gpu => "GPU",
            Section::Python => "Python",
            Section::Container => "container",
        }
    }
}

/// One check and its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The part it belongs to.
    pub section: Section,
    /// What is checked, a word or two.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found, in one line.
    pub found: String,
    /// What to do, where something can be done.
    pub fix: Option<String>,
}

impl Check {
    /// A check that passed.
    pub fn passed(section: Section, name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { section, name: name.into(), outcome: Outcome::Passed, found: found.into(), fix: None }
    }

    /// One that found something which could be better, or is missing and optional.
    pub fn noted(section: Section, name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { section, name: name.into(), outcome: Outcome::Noted, found: found.into(), fix: Some(fix.into()) }
    }

    /// One that found something broken.
    pub fn failed(section: Section, name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { section, name: name.into(), outcome: Outcome::Failed, found: found.into(), fix: Some(fix.into()) }
    }
}

/// All checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// In the order of [`Section::ALL`].
    pub checks: Vec<Check>,
}

impl Validation {
    /// Whether nothing is broken.
    pub fn ok(&self) -> bool {
        self.count(Outcome::Failed) == 0
    }

    /// Checks that ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }

    /// What is optional in general is needed here: a section that did not pass a single check, which is to say that what it
    /// is about is not there, has failed.
    pub fn require(&mut self, section: Section) {
        let mut own: Vec<&mut Check> = self.checks.iter_mut().filter(|check| check.section == section).collect();
        if own.iter().all(|check| check.outcome != Outcome::Passed) {
            own.iter_mut().for_each(|check| check.outcome = Outcome::Failed);
        }
    }

    /// For programs: `{"ok", "passed", "noted", "failed", "version", "checks": [{"section", "name", "outcome", "found", "fix"}]}`.
    pub fn json(&self) -> Value {
        let check = |check: &Check| {
            json!({
                "section": check.section.name(),
                "name": check.name,
                "outcome": check.outcome.name(),
                "found": check.found,
                "fix": check.fix,
            })
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "ok": self.ok(),
            "passed": self.count(Outcome::Passed),
            "noted": self.count(Outcome::Noted),
            "failed": self.count(Outcome::Failed),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
        for section in Section::ALL {
            let own: Vec<&Check> = self.checks.iter().filter(|check| check.section == section).collect();
            if !own.is_empty() {
                writeln!(f, "{}", section.name())?;
            }
            for Check { name, outcome, found, fix, .. } in own {
                writeln!(f, "  {} {name:<width$}  {found}", outcome.mark())?;
                if let Some(fix) = fix {
                    writeln!(f, "     {:<width$}  -> {fix}", "")?;
                }
            }
        }
        let [passed, noted, failed] =
            [Outcome::Passed, Outcome::Noted, Outcome::Failed].map(|outcome| self.count(outcome));
        let ending = match failed {
            0 => "Everything that is needed works.",
            _ => "Something does not work, see !! above.",
        };
        write!(f, "{passed} passed, {noted} noted (--), {failed} failed (!!). {ending}")
    }
}

/// Checks everything. `python` are the checks of that section, which whoever has an interpreter makes.
pub fn validate(python: Vec<Check>) -> Validation {
    let mut checks = lapack();
    checks.extend(opencl());
    checks.extend(gpu());
    checks.extend(python);
    checks.extend(container());
    Validation { checks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Validation {
        Validation {
            checks: vec![
                Check::passed(Section::Lapack, "library", "3.12.0"),
                Check::noted(Section::Gpu, "devices", "none", "optional: pass one in"),
                Check::failed(Section::Container, "memory", "20 MiB left", "raise the limit"),
            ],
        }
    }

    #[test]
    fn the_text_has_sections_marks_fixes_and_counts() {
        let text = example().to_string();
        for part in [
            "LAPACK\n  ok library  3.12.0\n",
            "GPU\n  -- devices  none\n              -> optional: pass one in\n",
            "container\n  !! memory   20 MiB left\n",
            "1 passed, 1 noted (--), 1 failed (!!). Something does not work",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn a_note_is_no_failure_unless_its_section_is_required() {
        let mut validation = Validation { checks: example().checks.drain(..2).collect() };
        assert!(validation.ok());
        validation.require(Section::Lapack);
        assert!(validation.ok(), "it passed");
        validation.require(Section::Gpu);
        assert!(!validation.ok());
    }

    #[test]
    fn json_says_the_same() {
        let value = example().json();
        assert_eq!((&value["ok"], &value["failed"]), (&json!(false), &json!(1)));
        assert_eq!(value["checks"][2]["fix"], "raise the limit");
        assert_eq!(value["checks"][0]["fix"], Value::Null);
    }
}
