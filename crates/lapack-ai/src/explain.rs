//! What codes and INFO mean: the catalogue, and its entries as JSON for programs.
//!
//! ```
//! use lapack_ai::explain::{Dims, explain, explain_info};
//!
//! let singular = explain("LAP-E010").expect("a code");
//! assert_eq!(singular.title, "the matrix is singular");
//!
//! let known = explain_info("dgesvx", 5, Dims::n(4))?;
//! assert_eq!(known.summary, "dgesvx: solved, but no digit is certain: rcond is below the precision.");
//! # Ok::<(), lapack_ai::explain::Unexplained>(())
//! ```

pub use lapack_ai_core::catalogue::{
    CONDITIONS, Dims, Explanation, Unexplained, classes, condition, explain, explain_info, explain_iter,
    explain_opencl, opencl_codes,
};
use lapack_ai_core::catalogue::{Class, Condition};
use lapack_ai_core::{Applicability, Severity};
use serde_json::{Value, json};

fn fixes(fixes: impl Iterator<Item = (Applicability, String)>) -> Value {
    fixes.map(|(applicability, text)| json!({"applicability": applicability.as_str(), "text": text})).collect()
}

fn fixed(texts: &[(Applicability, &str)]) -> Value {
    fixes(texts.iter().map(|&(applicability, text)| (applicability, text.to_string())))
}

/// An explanation with all its fields, and `report`, its text.
pub fn explanation_json(explanation: &Explanation) -> Value {
    let argument = explanation.argument.as_ref().map(|argument| {
        json!({
            "position": argument.position,
            "name": argument.name,
            "meaning": argument.meaning,
            "user": argument.user,
        })
    });
    json!({
        "routine": explanation.routine,
        "info": explanation.info,
        "code": explanation.code.map(|code| code.as_str()),
        "severity": explanation.severity().map(Severity::as_str),
        "class": explanation.class,
        "summary": explanation.summary,
        "meaning": explanation.meaning,
        "cause": explanation.cause,
        "fixes": fixes(explanation.fixes.iter().map(|fix| (fix.applicability, fix.text.clone()))),
        "argument": argument,
        "index": explanation.index,
        "when": explanation.when,
        "possibilities": explanation.possibilities.iter().map(explanation_json).collect::<Value>(),
        "report": explanation.report(),
    })
}

fn class_json(class: &Class) -> Value {
    let documented = class.rules.iter().map(|rule| (rule, true));
    let ranges = documented.chain(class.undocumented.iter().map(|rule| (rule, false)));
    let ranges = ranges.map(|((rule, routines), documented)| {
        json!({
            "range": rule.to_string(),
            "routines": routines.split(' ').collect::<Vec<_>>(),
            "documented": documented,
            "when": rule.when,
            "says": rule.says,
        })
    });
    let notes = class
        .notes
        .iter()
        .map(|(routines, text)| json!({"routines": routines.split(' ').collect::<Vec<_>>(), "text": text}));
    json!({
        "name": class.name,
        "headline": class.headline,
        "meaning": class.meaning,
        "cause": class.cause,
        "fixes": fixed(class.fixes),
        "ranges": ranges.collect::<Value>(),
        "notes": notes.collect::<Value>(),
    })
}

/// A condition with all its fields, the classes of INFO and the OpenCL codes that are cases of it, and `report`, its text.
/// In the texts of classes `{i}` and the like stand for numbers that INFO gives.
pub fn condition_json(condition: &Condition) -> Value {
    let opencl = opencl_codes().filter_map(|(number, name)| {
        let known = explain_opencl(number).ok()?;
        (known.code == Some(condition.code)).then(|| json!({"number": number, "name": name, "summary": known.summary}))
    });
    json!({
        "code": condition.code.as_str(),
        "name": condition.name,
        "severity": condition.severity.as_str(),
        "title": condition.title,
        "meaning": condition.meaning,
        "cause": condition.cause,
        "fixes": fixed(condition.fixes),
        "classes": condition.classes().map(class_json).collect::<Value>(),
        "opencl": opencl.collect::<Value>(),
        "report": condition.report(),
    })
}

/// All conditions in the order of their codes, as [`condition_json`] has each.
pub fn catalogue_json() -> Value {
    CONDITIONS.iter().map(condition_json).collect()
}

/// What is asked for by two words: a code (`LAP-E010`) alone, or the name of a routine, or `opencl`, with a number.
///
/// # Errors
/// A sentence that says what is not known.
pub fn answer(what: &str, number: Option<i64>, dims: Dims) -> Result<Answer, String> {
    match number {
        None => match explain(what) {
            Some(condition) => Ok(Answer::Condition(condition)),
            None => Err(format!("no code {what:?} is known; codes are like LAP-E010, and routines need their INFO")),
        },
        Some(number) if what.trim().eq_ignore_ascii_case("opencl") => {
            let code = i32::try_from(number).map_err(|_| format!("{number} is no error code of OpenCL"))?;
            explain_opencl(code).map(Answer::from).map_err(|error| error.to_string())
        }
        Some(number) => explain_info(what, number, dims).map(Answer::from).map_err(|error| error.to_string()),
    }
}

/// What [`answer`] found.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The meaning of a code.
    Condition(&'static Condition),
    /// The meaning of a number.
    Explanation(Box<Explanation>),
}

impl From<Explanation> for Answer {
    fn from(explanation: Explanation) -> Self {
        Answer::Explanation(Box::new(explanation))
    }
}

impl Answer {
    /// Everything, over several lines.
    pub fn report(&self) -> String {
        match self {
            Answer::Condition(condition) => condition.report(),
            Answer::Explanation(explanation) => explanation.report(),
        }
    }

    /// All fields.
    pub fn json(&self) -> Value {
        match self {
            Answer::Condition(condition) => condition_json(condition),
            Answer::Explanation(explanation) => explanation_json(explanation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_fields_of_what_it_describes() {
        let told = explanation_json(&explain_info("LAPACKE_dgesv", -5, Dims::default()).expect("an argument"));
        assert_eq!((&told["code"], &told["severity"]), (&json!("LAP-E020"), &json!("error")));
        assert_eq!((&told["argument"]["name"], &told["argument"]["user"]), (&json!("LDA"), &json!("a")));
        assert_eq!(told["index"], Value::Null);
        let several = explanation_json(&explain_info("dgesvx", 5, Dims::default()).expect("a meaning"));
        assert_eq!(several["code"], Value::Null);
        assert_eq!(several["possibilities"][1]["when"], json!("n = 4"));
        let memory = condition_json(explain("LAP-E033").expect("a code"));
        assert!(memory["opencl"].as_array().expect("a list").iter().any(|code| code["number"] == json!(-61)));
        let positive = condition_json(explain("LAP-E011").expect("a code"));
        let classes = positive["classes"].as_array().expect("a list");
        let of_b = classes.iter().find(|class| class["name"] == json!("B_NOT_POSDEF")).expect("a class");
        assert_eq!(of_b["ranges"][0]["range"], json!("N+1..2N"));
    }

    #[test]
    fn two_words_are_a_code_a_routine_or_opencl() {
        let title =
            |found: Result<Answer, String>| found.map(|found| found.report().lines().next().map(str::to_string));
        let line = |text: &str| Ok(Some(text.to_string()));
        assert_eq!(title(answer("e010", None, Dims::default())), line("LAP-E010: the matrix is singular."));
        let pivot = "LAP-E010: dgesv: singular: pivot 3, counted from 1, is exactly 0.";
        assert_eq!(title(answer("DGESV", Some(3), Dims::default())), line(pivot));
        let memory = "LAP-E033: OpenCL: the device has not enough memory (-4).";
        assert_eq!(title(answer("OpenCL", Some(-4), Dims::default())), line(memory));
        for (what, number) in [("LAP-E999", None), ("dgesv", None), ("dgesvq", Some(1)), ("opencl", Some(1 << 40))] {
            assert!(answer(what, number, Dims::default()).is_err(), "{what}");
        }
    }
}
