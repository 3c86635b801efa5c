//! What a look at the matrix says about a failure or a warning: O(n^2) work beside the O(n^3) that failed, and none where
//! nothing failed.
//!
//! | asked | looked at | file |
//! |---|---|---|
//! | why is a pivot zero, or rcond tiny? | rows and columns that are zero, equal, of other scale; the null vector that the factors give | `lines.rs`, `dependence.rs` |
//! | why is a minor not positive? | symmetry, diagonal, smallest eigenvalue by Lanczos' method | `definiteness.rs` |
//! | does one triangle speak for both? | the other triangle, all of it after a failure, a sample after a success | `definiteness.rs` |
//! | is the rank certain? | singular values around the tolerance | here |
//!
//! Each answer is a [`Finding`]; the error value turns findings into cause and fixes.

mod definiteness;
mod dependence;
mod lines;

use crate::intake::Part;
use crate::report::Report;
use definiteness::{asymmetry, smallest_eigenvalue};
use lapack_ai_core::{Argument, Axis, BatchView, Code, Detail, Error, Finding, MatrixView, Real, Scalar};

pub(crate) use definiteness::{Stopped, is_whole, sampled_asymmetry};
pub(crate) use dependence::Triangle;

/// What a failed factorisation left behind that tells about the matrix.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, T> {
    /// The matrix as the user passed it; `None` if it was overwritten.
    pub(crate) a: Option<MatrixView<'a, T>>,
    /// U of an LU factorisation up to the zero pivot, where there is one.
    pub(crate) u: Option<Triangle<'a, T>>,
    /// Whether LAPACK saw the transpose, so that U's columns stand for rows.
    pub(crate) flipped: bool,
    /// An approximate null vector, where there is no U.
    pub(crate) null_vector: Option<&'a [T]>,
}

/// Why a factorisation met a zero pivot.
#[cold]
pub(crate) fn singular<T: Scalar>(error: Error, left: Left<'_, T>) -> Error {
    let mut findings = left.a.map_or_else(Vec::new, |a| lines::look(a, false));
    let explained = findings.iter().any(|finding| !matches!(finding, Finding::Scale { .. }));
    if !explained {
        let axis = if left.flipped { Axis::Row } else { Axis::Column };
        let dependent = match (left.u, left.null_vector, left.a, error.detail()) {
            (Some(u), _, a, Detail::ZeroPivot { index, .. }) => dependence::from_factor(u, *index, axis, a),
            (None, Some(y), Some(a), _) => dependence::from_null_vector(y, a),
            _ => None,
        };
        findings.splice(0..0, dependent);
    }
    error.with_findings(findings)
}

/// Why the matrix is singular to working precision. `y` solves `A y = d` for a d of size 1.
#[cold]
pub(crate) fn ill_conditioned<T: Scalar>(a: MatrixView<'_, T>, rcond: f64, y: Option<&[T]>) -> Vec<Finding> {
    // What single precision cannot tell from dependence, double precision may well.
    if T::Real::EPSILON > 1e-10 && rcond > f64::EPSILON {
        return lines::look(a, false);
    }
    let mut findings = lines::look(a, true);
    let explained = findings.iter().any(|finding| !matches!(finding, Finding::Scale { .. }));
    if let (false, Some(y)) = (explained, y) {
        // Dependence at the end: where scales differ, it is their consequence as often as not.
        findings.extend(dependence::from_null_vector(y, a));
    }
    findings
}

/// Why Cholesky's factorisation of the triangle `read` of `a` failed.
#[cold]
pub(crate) fn not_positive<T: Scalar>(
    error: Error,
    a: Option<MatrixView<'_, T>>,
    read: Part,
    stopped: Option<Stopped<'_, T>>,
) -> Error {
    let Some(a) = a else { return error };
    let lower = read == Part::Lower;
    let mut findings: Vec<Finding> = asymmetry(a, lower, true).into_iter().collect();
    let spectrum = smallest_eigenvalue(a, lower, stopped);
    if let Some(Finding::SmallestEigenvalue { negligible: true, .. }) = spectrum {
        if findings.is_empty() {
            findings.extend(lines::look(a, false));
        }
    } else {
        let diagonal = (0..a.rows()).map(|i| (i, a.get(i, i).re_f64())).find(|(_, value)| *value <= 0.0);
        findings.extend(diagonal.map(|(index, value)| Finding::DiagonalNotPositive { index, value }));
    }
    findings.extend(spectrum);
    error.with_findings(findings)
}

/// Extremes of scale, for iterations that did not converge.
#[cold]
pub(crate) fn no_convergence<T: Scalar>(error: Error, a: Option<MatrixView<'_, T>>) -> Error {
    let found = a.map_or_else(Vec::new, |a| lines::look(a, false));
    error.with_findings(found.into_iter().filter(|finding| matches!(finding, Finding::Scale { .. })))
}

/// What parts one singular value from the others.
const GAP: f64 = 1e3;

/// The warning that singular values lie around the tolerance, so that rounding decides the rank. `s` is sorted,
/// `tolerance` relative to the largest.
fn uncertain_rank<R: Real>(s: &[R], rank: usize, tolerance: f64) -> Option<Finding> {
    /// How far above the tolerance a singular value is out of doubt.
    const DOUBT: f64 = 10.0;
    /// How far below: less, since the tolerance itself is an upper bound of rounding.
    const NOISE: f64 = 2.0;
    /// Precision of single precision, in which much data was stored once.
    const STORED: f64 = 2.4e-7;
    let largest: f64 = s.first().copied()?.into();
    let relative = |index: usize| s.get(index).map_or(0.0, |&value| Into::<f64>::into(value) / largest);
    let last = if rank > 0 { relative(rank - 1) } else { f64::INFINITY };
    let next = relative(rank);
    let doubtful = last < tolerance * DOUBT || next > tolerance / NOISE;
    if largest > 0.0 && !doubtful && rank > 1 && last < STORED && relative(rank - 2) > GAP * last {
        return Some(Finding::Gap { index: rank - 1, value: last });
    }
    (largest > 0.0 && doubtful).then_some(Finding::Rank { rank, full: s.len(), last, next, tolerance })
}

/// Matrices of a batch that are looked at after a success.
const LOOKED_AT: usize = 4;

/// Which triangle was read, and whether somebody chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Triangles {
    /// The lower or the upper one by default: the other one is to mirror it.
    Mirrored { lower: bool, hermitian: bool },
    /// Chosen: it is to have something in it.
    Chosen { lower: bool },
}

/// Warns where one triangle was read and the other one says something else.
#[inline]
pub(crate) fn warn_of_asymmetry<T: Scalar>(
    argument: Argument,
    a: &BatchView<'_, T>,
    triangles: Triangles,
    report: &mut Report,
) {
    let (lower, hermitian) = match triangles {
        Triangles::Mirrored { lower, hermitian } => (lower, hermitian),
        Triangles::Chosen { lower } => (lower, false),
    };
    let count = a.count();
    for matrix in (0..count.min(LOOKED_AT)).map(|k| k * count / count.min(LOOKED_AT)) {
        if let Some(finding) = sampled_asymmetry(a.matrix(matrix), lower, hermitian) {
            let name = argument.name;
            let text = match finding {
                Finding::EmptyTriangle { .. } => finding.sentence(name),
                _ if matches!(triangles, Triangles::Chosen { .. }) => return,
                _ => format!("{name} is {}", finding.sentence(name)),
            };
            let triangle = if lower { "lower" } else { "upper" };
            let mut warning = Error::text(Code::NotSymmetric, report.operation, text).argument(argument);
            if !matches!(finding, Finding::EmptyTriangle { .. }) {
                warning = warning.because(format!("only the {triangle} triangle was read"));
            }
            report.warnings.push(warning.with_findings([finding]).in_batch(matrix, count));
            return;
        }
    }
}

/// Adds a warning with findings about argument `a` to the report.
#[cold]
pub(crate) fn warn(report: &mut Report, code: Code, text: &str, findings: Vec<Finding>, matrix: usize) {
    let warning = Error::text(code, report.operation, text).argument(Argument::at(0, "a")).with_findings(findings);
    report.warnings.push(warning.in_batch(matrix, report.batch));
}

/// Warns of a rank that rounding may have decided.
#[cold]
pub(crate) fn warn_of_rank(report: &mut Report, findings: Vec<Finding>, matrix: usize) {
    let text = match findings.first() {
        Some(Finding::Rank { rank, full, .. }) => {
            format!("rank {rank} of {full} is uncertain: singular values lie around the tolerance")
        }
        Some(Finding::Dropped { rank, full }) => {
            format!("rank {rank} of {full}, perhaps because columns differ in size")
        }
        Some(finding) => finding.sentence("a"),
        None => return,
    };
    let warning = Error::text(Code::RankUncertain, report.operation, text).argument(Argument::at(0, "a"));
    report.warnings.push(warning.with_findings(findings).in_batch(matrix, report.batch));
}

/// What makes the rank doubtful that the default tolerance gave: scale, singular values around it, or one far below the rest.
#[inline]
pub(crate) fn doubt_rank<T: Scalar>(
    a: Option<MatrixView<'_, T>>,
    s: &[T::Real],
    rank: usize,
    tolerance: f64,
) -> Vec<Finding> {
    if rank < s.len() {
        let dropped = dropped_by_scale(a, rank, s.len());
        if !dropped.is_empty() {
            return dropped;
        }
    }
    let doubt = uncertain_rank(s, rank, tolerance);
    // Columns of other units make a gap that says nothing about dependence.
    let gap = matches!(doubt, Some(Finding::Gap { .. }));
    if gap && a.is_none_or(|a| lines::columns_differ(a, GAP)) { vec![] } else { doubt.into_iter().collect() }
}

/// A rank below the full one where columns differ in size by so much that scale alone may have decided it.
#[cold]
fn dropped_by_scale<T: Scalar>(a: Option<MatrixView<'_, T>>, rank: usize, full: usize) -> Vec<Finding> {
    let found = a.map_or_else(Vec::new, |a| lines::look(a, false));
    let scale = found.into_iter().find(|finding| matches!(finding, Finding::Scale { axis: Axis::Column, .. }));
    scale.map_or_else(Vec::new, |scale| vec![Finding::Dropped { rank, full }, scale])
}
