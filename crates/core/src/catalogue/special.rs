//! Numbers beside INFO: ITER of the mixed-precision drivers, and LAPACKE's own codes.

use super::explanation::{Explanation, Unexplained};
use super::routine::Routine;
use crate::Code;

/// ITER of the mixed-precision drivers: the number, what is the matter, and why.
const FALLBACKS: [(i64, &str, &str); 4] = [
    (-1, "low precision was not tried", "the implementation or the machine gives no advantage for this size"),
    (-2, "a number is too large for low precision", "an element overflows when it is narrowed to single precision"),
    (-3, "low precision met a singular or indefinite matrix", "the factorisation in single precision failed"),
    (-31, "the refinement did not converge in 30 steps", "the matrix is too ill-conditioned for single precision"),
];

/// What ITER of `dsgesv`, `dsposv`, `zcgesv` and `zcposv` means. It is information: INFO says whether there is a result.
pub fn explain_iter(routine: &str, iter: i64) -> Result<Explanation, Unexplained> {
    let known = Routine::parse(routine).filter(|known| known.arguments().any(|(name, _)| name == "ITER"));
    let known = known.ok_or_else(|| Unexplained::WithoutIter(routine.to_string()))?;
    let name = format!("{known} ITER");
    if iter >= 0 {
        let mut explanation = Explanation::of_condition(name, iter, Code::Success);
        explanation.summary = format!("{known}: refined in {iter} steps from low precision.");
        explanation.meaning = format!(
            "The system was factorised in single precision; {iter} refinements gave the solution its full accuracy."
        );
        return Ok(explanation);
    }
    let Some((_, headline, cause)) = FALLBACKS.iter().find(|(known, ..)| *known == iter) else {
        let expected = "it is positive, 0, -1, -2, -3 or -31".to_string();
        return Err(Unexplained::NotReturned { routine: name, info: iter, expected });
    };
    let mut explanation = Explanation::of_condition(name, iter, Code::RefinementFellBack);
    explanation.summary = format!("{known}: {headline}.");
    explanation.meaning += " INFO says whether it succeeded.";
    explanation.cause = (*cause).to_string();
    Ok(explanation)
}

/// LAPACKE's codes for memory that it could not have.
pub(super) fn lapacke_memory(routine: &Routine, info: i64) -> Option<Explanation> {
    let what = match info {
        -1010 => "the workspace",
        -1011 => "the transposed copy of a row-major matrix",
        _ => return None,
    };
    let mut explanation = Explanation::of_condition(routine.to_string(), info, Code::OutOfMemory);
    explanation.summary = format!("{routine}: no memory for {what}.");
    explanation.meaning =
        format!("The C interface asked the system for the memory of {what} and did not get it. Nothing was computed.");
    if info == -1011 {
        let text = "pass column-major matrices (LAPACK_COL_MAJOR), which need no copy.".to_string();
        explanation.fixes.insert(0, crate::Fix { applicability: crate::Applicability::Maybe, text });
    }
    Some(explanation)
}
