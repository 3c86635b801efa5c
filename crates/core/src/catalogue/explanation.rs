//! What a number that LAPACK or OpenCL returned means, told in full.

use super::arguments::RoutineArgument;
use super::classes::{Class, classes};
use super::routine::Routine;
use super::{Counts, Dims, Rule, condition};
use crate::{Applicability, Code, Fix, Severity};
use std::fmt;

/// A number, explained. Fields first; [`Explanation::report`] is the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Who returned it: `dgesvx`, `LAPACKE_dgesvx`, `OpenCL`.
    pub routine: String,
    /// The number.
    pub info: i64,
    /// The condition; `None` where the number has several meanings and more must be known to choose.
    pub code: Option<Code>,
    /// Class of INFO, for positive ones and NaN: `U_ZERO_PIVOT`.
    pub class: Option<&'static str>,
    /// One line of at most 88 characters, without the terms of the method: what is the matter.
    pub summary: String,
    /// What it means, with the terms of the method and the element.
    pub meaning: String,
    /// The usual cause, half a sentence.
    pub cause: String,
    /// What helps, best first.
    pub fixes: Vec<Fix>,
    /// The argument that was refused.
    pub argument: Option<RoutineArgument>,
    /// The row, column or pivot that it names, from 0.
    pub index: Option<usize>,
    /// Under what condition this is the meaning, where there are several.
    pub when: String,
    /// The possible meanings, where there are several.
    pub possibilities: Vec<Explanation>,
}

/// Why a number cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unexplained {
    /// No routine of the catalogue has this name.
    UnknownRoutine(String),
    /// The routine has no ITER.
    WithoutIter(String),
    /// The routine does not return this number, or not for these dimensions.
    NotReturned {
        /// The routine.
        routine: String,
        /// The number.
        info: i64,
        /// What it can return.
        expected: String,
    },
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unexplained::UnknownRoutine(name) => {
                write!(f, "no routine {name:?} is known; names are like dgesv, zheevd or LAPACKE_dgesv")
            }
            Unexplained::WithoutIter(name) => {
                write!(f, "{name:?} returns no ITER; dsgesv, dsposv, zcgesv and zcposv do")
            }
            Unexplained::NotReturned { routine, info, expected } => {
                write!(f, "{routine} does not return {info}: {expected}")
            }
        }
    }
}

impl std::error::Error for Unexplained {}

impl Explanation {
    /// An explanation in the words of a condition.
    pub(super) fn of_condition(routine: String, info: i64, code: Code) -> Self {
        let known = condition(code);
        let fixes = known.fixes.iter().map(|&(applicability, text)| Fix { applicability, text: text.into() });
        Self {
            summary: format!("{routine}: {}.", known.title),
            routine,
            info,
            code: Some(code),
            class: None,
            meaning: known.meaning.to_string(),
            cause: known.cause.to_string(),
            fixes: fixes.collect(),
            argument: None,
            index: None,
            when: String::new(),
            possibilities: vec![],
        }
    }

    /// Error, warning or information; `None` where the number has several meanings.
    pub fn severity(&self) -> Option<Severity> {
        self.code.map(Code::severity)
    }

    /// Everything, over several lines.
    pub fn report(&self) -> String {
        let code = self.code.map_or(String::new(), |code| format!("{code}: "));
        let mut report = format!("{code}{}\n  meaning: {}", self.summary, self.meaning);
        if let Some(argument) = &self.argument {
            report += &format!("\n  argument {}: {}, {}", argument.position, argument.name, argument.meaning);
            if let Some(user) = argument.user {
                report += &format!(" (from {user} in lapack_py)");
            }
        }
        if !self.cause.is_empty() {
            report += &format!("\n  cause: {}", self.cause);
        }
        for fix in &self.fixes {
            report += &format!("\n  fix ({}): {}", fix.applicability.as_str(), fix.text);
        }
        for possibility in &self.possibilities {
            let text = possibility.report().replace('\n', "\n  ");
            report += &format!("\n  if {}:\n  {text}", possibility.when);
        }
        report
    }
}

impl fmt::Display for Explanation {
    /// The one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

/// What INFO = `info` of a routine means. The name may be in any case, with or without type prefix, with a trailing underscore
/// or as `LAPACKE_...`, whose positions are then those of the C function. Without a dimension that the reading depends on,
/// the explanation lists the possibilities.
pub fn explain_info(routine: &str, info: i64, dims: Dims) -> Result<Explanation, Unexplained> {
    let known = Routine::parse(routine).ok_or_else(|| Unexplained::UnknownRoutine(routine.to_string()))?;
    if let Some(explanation) = known.lapacke.then(|| super::special::lapacke_memory(&known, info)).flatten() {
        return Ok(explanation);
    }
    if info == 0 {
        return Ok(Explanation::of_condition(known.to_string(), 0, Code::Success));
    }
    // Where the C function passes on a refusal, it has shifted it by the argument of its own.
    let told = if info < 0 { info + known.shift() as i64 } else { info };
    let found: Vec<Explanation> = classes()
        .flat_map(|class| class.rules_of(known.stem).map(move |rule| (class, rule)))
        .filter(|(_, rule)| rule.allows(told, dims) && told != 0)
        .map(|(class, rule)| by_class(&known, info, told, dims, class, rule))
        .collect();
    match <[Explanation; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(found) if found.is_empty() && info < 0 => refused(&known, info),
        Err(found) if found.is_empty() => Err(not_returned(&known, info, dims)),
        Err(found) => Ok(ambiguous(&known, info, found)),
    }
}

/// The number counted by a rule as text, and as a number where the dimensions tell it.
fn counted(rule: &Rule, info: i64, dims: Dims) -> (String, Option<i64>) {
    match (rule.start(dims), rule.from.n, rule.from.m) {
        (Some(start), ..) => {
            let number = info - start + if rule.counts == Counts::Digit { 0 } else { 1 };
            (number.to_string(), Some(number))
        }
        (None, 0, _) => (format!("{info} - m"), None),
        (None, 1, _) => (format!("{info} - n"), None),
        (None, factor, _) => (format!("{info} - {factor} n"), None),
    }
}

fn by_class(routine: &Routine, info: i64, told: i64, dims: Dims, class: &'static Class, rule: &Rule) -> Explanation {
    let (number, value) = counted(rule, told, dims);
    let from_zero = value.map_or_else(|| format!("{number} - 1"), |value| (value - 1).to_string());
    let (first, last) = match dims.n {
        Some(n) => ((told / (n + 1)).to_string(), (told % (n + 1)).to_string()),
        None => (format!("{told} / (n + 1)"), format!("{told} mod (n + 1)")),
    };
    let filled = |text: &str| {
        let text = text.replace("{i}", &number).replace("{z}", &from_zero).replace("{a}", &first);
        text.replace("{b}", &last).replace("{info}", &info.to_string()).replace("{p}", &(-info).to_string())
    };
    let headline = if rule.says.is_empty() { class.headline } else { rule.says };
    let mut meaning = filled(class.meaning);
    for note in class.notes_of(routine.stem) {
        meaning += &format!(" {}", filled(note));
    }
    let index = match rule.counts {
        Counts::Index => value.map(|value| value - 1),
        Counts::Block => dims.n.map(|n| told / (n + 1) - 1),
        _ => None,
    };
    let fixes = class.fixes.iter().map(|&(applicability, text)| Fix { applicability, text: filled(text) });
    Explanation {
        routine: routine.to_string(),
        info,
        code: Some(class.code),
        class: Some(class.name),
        summary: format!("{routine}: {}.", filled(headline)),
        meaning,
        cause: filled(class.cause),
        fixes: fixes.collect(),
        argument: usize::try_from(-info).ok().and_then(|position| routine.argument(position)),
        index: index.and_then(|index| usize::try_from(index).ok()),
        when: rule.condition(told, dims),
        possibilities: vec![],
    }
}

/// A negative INFO: an argument that LAPACK refused, or in which LAPACKE found a NaN.
fn refused(routine: &Routine, info: i64) -> Result<Explanation, Unexplained> {
    let position = usize::try_from(-info).ok();
    let Some(argument) = position.and_then(|position| routine.argument(position)) else {
        let last = routine.arguments().count() + routine.shift();
        let expected = format!("it has {last} arguments");
        return Err(Unexplained::NotReturned { routine: routine.to_string(), info, expected });
    };
    let (name, position) = (argument.name, argument.position);
    let mut explanation = if routine.lapacke && argument.kind.has_numbers() {
        let mut explanation = Explanation::of_condition(routine.to_string(), info, Code::NonFinite);
        explanation.summary = format!("{routine}: argument {position}, {name}, has NaN.");
        explanation.meaning = format!("The C interface looks for NaN before it calls LAPACK, and found one in {name}.");
        explanation
    } else {
        let (cause, fix) = argument.refusal();
        let mut explanation = Explanation::of_condition(routine.to_string(), info, Code::IllegalArgument);
        explanation.summary = format!("{routine}: argument {position}, {name}, has a value that is not allowed.");
        explanation.meaning = format!(
            "The routine looks at its arguments first and refused {name}, {}. Nothing was computed.",
            argument.meaning
        );
        explanation.cause = cause.to_string();
        explanation.fixes = vec![Fix { applicability: Applicability::NeedsValue, text: fix.to_string() }];
        explanation
    };
    explanation.argument = Some(argument);
    Ok(explanation)
}

fn not_returned(routine: &Routine, info: i64, dims: Dims) -> Unexplained {
    let any = classes().any(|class| class.rules_of(routine.stem).any(|rule| rule.from.plus > 0));
    let expected = match (any, dims.n) {
        (false, _) => "it returns 0, or the negative number of an argument".to_string(),
        (true, Some(n)) => format!("not for n = {n}; check the dimensions that are passed"),
        (true, None) => "no dimensions give this number".to_string(),
    };
    Unexplained::NotReturned { routine: routine.to_string(), info, expected }
}

fn ambiguous(routine: &Routine, info: i64, possibilities: Vec<Explanation>) -> Explanation {
    let by_size =
        possibilities.iter().any(|possible| possible.when.starts_with(['n', 'm']) || possible.when.contains(" n "));
    let fix =
        if by_size { "pass n (and m), the dimensions of the call." } else { "choose by the options of the call." };
    Explanation {
        routine: routine.to_string(),
        info,
        code: None,
        class: None,
        summary: format!("{routine}: {info} has {} possible meanings.", possibilities.len()),
        meaning: "Which one it is depends on the dimensions or the options of the call.".to_string(),
        cause: String::new(),
        fixes: vec![Fix { applicability: Applicability::NeedsValue, text: fix.to_string() }],
        argument: None,
        index: None,
        when: String::new(),
        possibilities,
    }
}
