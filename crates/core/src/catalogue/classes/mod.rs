//! The 47 classes of INFO of LAPACK's routines: what each positive INFO (and NaN told by a negative one) means, by range and
//! routine. Read off the INFO sections of LAPACK 3.12's routines, and their code where that says more.

mod decompositions;
mod general;
mod symmetric;
mod systems;

use super::Rule;
use crate::{Applicability, Code};

/// One meaning of INFO. In its texts `{i}` stands for what INFO counts, from 1, `{z}` for the same from 0, `{a}` and `{b}` for
/// the first and last row of a packed block, `{info}` for INFO and `{p}` for minus INFO.
#[derive(Debug, PartialEq)]
pub struct Class {
    /// Name, in capitals with underscores.
    pub name: &'static str,
    /// The condition that it is a case of.
    pub code: Code,
    /// Half a sentence without the terms of the method.
    pub headline: &'static str,
    /// Full sentences, with the terms and the element.
    pub meaning: &'static str,
    /// The usual cause, half a sentence.
    pub cause: &'static str,
    /// What helps, best first.
    pub fixes: &'static [(Applicability, &'static str)],
    /// Ranges of INFO, each with the routines that document it: names without their type prefix, separated by spaces.
    pub rules: &'static [(Rule, &'static str)],
    /// Ranges that routines use without documenting them.
    pub undocumented: &'static [(Rule, &'static str)],
    /// What holds for some of the routines only.
    pub notes: &'static [(&'static str, &'static str)],
}

impl Class {
    /// The routines that document this class, without type prefixes.
    pub fn stems(&self) -> impl Iterator<Item = &'static str> {
        let mut stems: Vec<&str> = self.rules.iter().flat_map(|(_, stems)| stems.split(' ')).collect();
        stems.sort_unstable();
        stems.dedup();
        stems.into_iter()
    }

    /// The ranges of INFO of one routine, documented ones first.
    pub(super) fn rules_of(&self, stem: &str) -> impl Iterator<Item = &'static Rule> {
        let rules = self.rules.iter().chain(self.undocumented);
        rules.filter(move |(_, stems)| stems.split(' ').any(|known| known == stem)).map(|(rule, _)| rule)
    }

    /// What holds for this routine in particular.
    pub(super) fn notes_of(&self, stem: &str) -> impl Iterator<Item = &'static str> {
        self.notes.iter().filter(move |(stems, _)| stems.split(' ').any(|known| known == stem)).map(|(_, note)| *note)
    }
}

/// All classes.
pub fn classes() -> impl Iterator<Item = &'static Class> {
    [systems::CLASSES, decompositions::CLASSES, symmetric::CLASSES, general::CLASSES].into_iter().flatten()
}
