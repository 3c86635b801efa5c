//! Findings: what a look at the matrix itself says about a failure, as facts first and as words last.

use crate::{Applicability, Code, Complex64, Fix};
use std::fmt::{self, Write as _};

/// Rows or columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Along rows: `a[i, :]`.
    Row,
    /// Along columns: `a[:, j]`.
    Column,
}

impl Axis {
    /// `row` or `column`.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Row => "row",
            Axis::Column => "column",
        }
    }
}

/// One fact about a matrix. Indices are zero-based, as the user indexes the argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// Every element is zero.
    ZeroMatrix,
    /// A row or column of zeros, and how many there are in all.
    ZeroLine {
        /// Rows or columns.
        axis: Axis,
        /// The first one.
        index: usize,
        /// How many.
        count: usize,
    },
    /// `second = factor * first`, to rounding.
    EqualLines {
        /// Rows or columns.
        axis: Axis,
        /// The earlier one.
        first: usize,
        /// The later one.
        second: usize,
        /// Ratio of the two.
        factor: f64,
        /// How many repeat an earlier one.
        count: usize,
        /// Whether they agree to rounding.
        exact: bool,
    },
    /// Every row (column) adds up to zero: the vector of ones is a null vector.
    ZeroSums {
        /// Rows or columns.
        axis: Axis,
    },
    /// Row or column `index` is the sum of `of`: pairs of an earlier one and its coefficient.
    Dependent {
        /// Rows or columns.
        axis: Axis,
        /// The one that adds nothing.
        index: usize,
        /// The others with their coefficients, largest contributions first.
        of: Vec<(usize, f64)>,
        /// Largest element of what is left after subtracting, relative to the matrix's largest.
        residual: f64,
    },
    /// Rows or columns differ in size by orders of magnitude: pairs of index and largest element.
    Scale {
        /// Rows or columns.
        axis: Axis,
        /// The largest.
        largest: (usize, f64),
        /// The smallest.
        smallest: (usize, f64),
    },
    /// `a[row, col]` and `a[col, row]` differ: not symmetric, or for complex elements not Hermitian.
    NotSymmetric {
        /// Row of the element with the largest difference.
        row: usize,
        /// Its column.
        col: usize,
        /// `a[row, col]`.
        here: Complex64,
        /// `a[col, row]`.
        there: Complex64,
        /// Whether conjugates were to be equal.
        hermitian: bool,
    },
    /// Matrices of a batch that are singular to working precision, beside the one that failed.
    AlsoIllConditioned {
        /// The one that failed.
        beside: usize,
        /// Their numbers.
        matrices: Vec<usize>,
    },
    /// Eigenvectors so near to parallel that they span nothing: pairs of indices.
    Defective {
        /// The first of a pair.
        first: usize,
        /// The second.
        second: usize,
        /// How many pairs there are.
        count: usize,
    },
    /// Infinite eigenvalues of a pair of matrices, whose second one is singular.
    InfiniteEigenvalues {
        /// How many.
        count: usize,
        /// Of how many.
        n: usize,
    },
    /// One singular value far below all others, at the precision in which data are often stored.
    Gap {
        /// Its index.
        index: usize,
        /// Its size relative to the largest.
        value: f64,
    },
    /// The triangle that was read has nothing off its diagonal, the other one has.
    EmptyTriangle {
        /// Whether the lower one was read.
        lower: bool,
    },
    /// A diagonal element of a triangular matrix that is zero.
    ZeroDiagonal {
        /// Its row and column.
        index: usize,
    },
    /// A diagonal element that no positive definite matrix has.
    DiagonalNotPositive {
        /// Its row and column.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// An upper bound of the smallest eigenvalue, near it, and a multiple of the identity that makes it positive.
    SmallestEigenvalue {
        /// The eigenvalue, about.
        value: f64,
        /// What to add to the diagonal.
        shift: f64,
        /// Whether it is zero to rounding.
        negligible: bool,
    },
    /// A rank that is not the full one.
    Dropped {
        /// The rank.
        rank: usize,
        /// Of how many.
        full: usize,
    },
    /// Singular values on both sides of the tolerance that decides the rank.
    Rank {
        /// The rank that was decided for.
        rank: usize,
        /// Of how many.
        full: usize,
        /// The smallest that counts, relative to the largest.
        last: f64,
        /// The largest that does not, relative to the largest.
        next: f64,
        /// The tolerance, relative to the largest.
        tolerance: f64,
    },
}

/// A number as people write it: `2`, `0.5`, `-2.1e-3`, `1e12`.
pub(crate) fn plain(value: f64) -> String {
    let size = value.abs();
    if value == value.trunc() && size < 1e5 {
        return format!("{value:.0}");
    }
    if !value.is_finite() {
        return format!("{value}");
    }
    if (0.01..1e5).contains(&size) {
        let digits = (2 - size.log10().floor() as i32).max(0) as usize;
        let text = format!("{value:.digits$}");
        return if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text };
    }
    let text = format!("{value:.1e}");
    text.replace(".0e", "e")
}

impl Finding {
    /// A word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Finding::ZeroMatrix => "zero-matrix",
            Finding::ZeroLine { .. } => "zero-line",
            Finding::EqualLines { .. } => "equal-lines",
            Finding::ZeroSums { .. } => "zero-sums",
            Finding::Dependent { .. } => "dependent",
            Finding::AlsoIllConditioned { .. } => "also-ill-conditioned",
            Finding::Defective { .. } => "defective",
            Finding::InfiniteEigenvalues { .. } => "infinite-eigenvalues",
            Finding::Gap { .. } => "gap",
            Finding::Scale { .. } => "scale",
            Finding::NotSymmetric { .. } => "not-symmetric",
            Finding::EmptyTriangle { .. } => "empty-triangle",
            Finding::ZeroDiagonal { .. } => "zero-diagonal",
            Finding::DiagonalNotPositive { .. } => "diagonal-not-positive",
            Finding::SmallestEigenvalue { .. } => "smallest-eigenvalue",
            Finding::Dropped { .. } => "dropped",
            Finding::Rank { .. } => "rank",
        }
    }

    /// Its sentence about the argument `a`.
    pub fn sentence(&self, a: &str) -> String {
        match self {
            Finding::ZeroMatrix => "all its elements are 0".to_string(),
            Finding::ZeroLine { axis, index, count } => {
                format!("{} {index} is all 0{}", axis.name(), more(*count - 1))
            }
            Finding::EqualLines { axis, first, second, factor, count, exact } => {
                let axis = axis.name();
                let nearly = if *exact { "" } else { "nearly " };
                let what = if *factor == 1.0 {
                    format!("{axis}s {first} and {second} are {nearly}equal")
                } else if *factor == -1.0 {
                    format!("{axis} {second} is {nearly}minus {axis} {first}")
                } else {
                    format!("{axis} {second} is {nearly}{} times {axis} {first}", plain(*factor))
                };
                format!("{what}{}", more(*count - 1))
            }
            Finding::Dependent { axis, index, of, residual } => {
                let sign = match (of.len() > SHOWN, *residual == 0.0) {
                    (false, true) => "=",
                    (true, true) => "is",
                    (_, false) => "is nearly",
                };
                format!("{} {index} {sign} {}", axis.name(), combination(axis.name(), of))
            }
            Finding::Scale { axis, largest, smallest } => {
                let ratio = 10_f64.powf((largest.1 / smallest.1).log10().round());
                format!(
                    "{}s differ in size by {}: {} {} has {}, {} {} has {}",
                    axis.name(),
                    plain(ratio),
                    axis.name(),
                    largest.0,
                    plain(largest.1),
                    axis.name(),
                    smallest.0,
                    plain(smallest.1)
                )
            }
            Finding::ZeroSums { axis } => format!("every {} adds up to 0", axis.name()),
            Finding::NotSymmetric { row, col, here, there, hermitian } => {
                let what = if *hermitian { "Hermitian" } else { "symmetric" };
                let (here, there) = (number(*here), number(*there));
                format!("not {what}: {a}[{row}, {col}] is {here}, {a}[{col}, {row}] is {there}")
            }
            Finding::AlsoIllConditioned { beside, matrices } => {
                let shown: Vec<String> = matrices.iter().take(5).map(usize::to_string).collect();
                let (are, more) =
                    (if matrices.len() > 1 { "are" } else { "is" }, more(matrices.len().saturating_sub(5)));
                format!("beside matrix {beside}, {}{more} {are} singular to working precision", shown.join(", "))
            }
            Finding::Defective { first, second, count } => {
                format!("eigenvectors {first} and {second} are parallel{}", more(*count - 1))
            }
            Finding::InfiniteEigenvalues { count, n } => {
                format!("{count} of {n} eigenvalues are infinite, since b is singular")
            }
            Finding::Gap { index, value } => {
                format!("singular value {index} is {} of the largest, far below the others", plain(*value))
            }
            Finding::EmptyTriangle { lower } => {
                let (read, other) = if *lower { ("lower", "upper") } else { ("upper", "lower") };
                format!("only its {read} triangle was read, which is 0; the {other} one is not")
            }
            Finding::ZeroDiagonal { index } => format!("{a}[{index}, {index}] is 0"),
            Finding::DiagonalNotPositive { index, value } => {
                format!("diagonal element {index} is {}", plain(*value))
            }
            Finding::SmallestEigenvalue { value, negligible: false, .. } => {
                format!("its smallest eigenvalue is about {}", plain(*value))
            }
            Finding::SmallestEigenvalue { value, .. } => {
                format!("an eigenvalue is 0 to rounding ({})", plain(*value))
            }
            Finding::Dropped { rank, full } => format!("rank {rank} of {full}: the others count as rounding"),
            Finding::Rank { rank, full, last, next, tolerance } => format!(
                "rank {rank} of {full} is uncertain: singular values {} and {} lie around the tolerance {}",
                plain(*last),
                plain(*next),
                plain(*tolerance)
            ),
        }
    }

    /// Its sentence as a cause: the condition by name where the headline shows the numbers alone.
    pub fn cause(&self, a: &str) -> String {
        let sentence = self.sentence(a);
        match self {
            Finding::Dependent { axis, .. } => format!("{}s are linearly dependent: {sentence}", axis.name()),
            Finding::ZeroSums { axis } => {
                let other = if *axis == Axis::Row { "columns" } else { "rows" };
                format!("{sentence}, so the {other} are linearly dependent: their sum is 0")
            }
            Finding::NotSymmetric { .. } => format!("{a} is {sentence}"),
            _ => sentence,
        }
    }

    /// What to do about it in `operation` on argument `a`, beside what always can be done about `code`.
    pub fn fixes(&self, code: Code, operation: &str, a: &str) -> Vec<Fix> {
        use Applicability::{Maybe, NeedsValue, Safe};
        let fix = |applicability, text: String| vec![Fix { applicability, text }];
        let symmetric = matches!(code, Code::NotPositiveDefinite | Code::NotSymmetric);
        match self {
            Finding::ZeroMatrix => fix(NeedsValue, format!("check where {a} is filled: nothing was written to it.")),
            Finding::ZeroSums { .. } if operation == "inv" => {
                fix(Maybe, "use pinv, or fix one unknown: leave out its row and its column.".to_string())
            }
            Finding::ZeroSums { .. } => {
                fix(Maybe, "fix one unknown: leave out its row and its column; or use lstsq.".to_string())
            }
            Finding::EqualLines { .. } | Finding::Dependent { .. } | Finding::ZeroLine { .. } if operation == "inv" => {
                fix(Maybe, format!("use pinv, or drop a column of what {a} was made of."))
            }
            Finding::AlsoIllConditioned { .. } | Finding::Dropped { .. } => vec![],
            Finding::Defective { .. } => fix(Maybe, "use schur, whose vectors are always orthonormal.".to_string()),
            Finding::InfiniteEigenvalues { .. } => fix(
                Maybe,
                "use homogeneous_eigvals=True, which gives alpha and beta instead of alpha / beta.".to_string(),
            ),
            Finding::Gap { value, .. } => fix(
                Maybe,
                format!(
                    "use rcond={} to leave it out, or drop one of the nearly dependent columns.",
                    plain(value * 30.0)
                ),
            ),
            Finding::ZeroLine { axis, index, .. } => {
                fix(Maybe, format!("drop {} {index}, which carries no information, and use lstsq.", axis.name()))
            }
            Finding::EqualLines { axis, second: index, .. } | Finding::Dependent { axis, index, .. } if !symmetric => {
                fix(Maybe, format!("drop {} {index}, which the others already say, and use lstsq.", axis.name()))
            }
            Finding::Scale { .. } if operation == "solve" => {
                fix(Safe, "use equilibrate=True, which scales rows and columns to the same size first.".to_string())
            }
            Finding::Scale { axis: Axis::Column, .. } if operation == "lstsq" => fix(
                Maybe,
                format!("scale the columns: with s = abs({a}).max(axis=0) solve for {a} / s, and divide x by s."),
            ),
            Finding::Scale { axis, .. } => {
                fix(Maybe, format!("bring the {}s to similar size (choose other units).", axis.name()))
            }
            Finding::NotSymmetric { .. } if operation == "eigh" || operation == "eigvalsh" => {
                let other = operation.replace("eigh", "eig").replace("eigvalsh", "eigvals");
                let mut fixes = fix(Maybe, format!("use {other}({a}), which needs no symmetry."));
                fixes.extend(fix(Maybe, format!("or make it symmetric first: ({a} + {a}.conj().T) / 2.")));
                fixes
            }
            Finding::NotSymmetric { .. } if operation == "solve" => {
                let mut fixes = fix(Maybe, "use assume_a='gen', which reads all of it.".to_string());
                fixes.extend(fix(Maybe, format!("or make it symmetric first: ({a} + {a}.conj().T) / 2.")));
                fixes
            }
            Finding::NotSymmetric { .. } => {
                fix(Maybe, format!("make it symmetric first: ({a} + {a}.conj().T) / 2; or use solve or lu_factor."))
            }
            Finding::EmptyTriangle { lower } => {
                let text = if operation.starts_with("eig") {
                    format!("use UPLO='{}', the triangle that has the numbers.", if *lower { 'U' } else { 'L' })
                } else if operation == "cho_solve" {
                    format!("pass (c, {}), the triangle that has the numbers.", if *lower { "False" } else { "True" })
                } else if operation == "solve_triangular" || operation == "solve" {
                    format!("use lower={}, the triangle that has the numbers.", if *lower { "False" } else { "True" })
                } else {
                    format!("pass {a}.T, or fill both triangles: the numbers lie in the other one.")
                };
                fix(Maybe, text)
            }
            Finding::SmallestEigenvalue { shift, .. } => fix(
                Maybe,
                format!("add {} to the diagonal: {a} + {} * numpy.eye(len({a})).", plain(*shift), plain(*shift)),
            ),
            Finding::Rank { last, next, tolerance, .. } => {
                let name = if operation == "lstsq" { "rcond" } else { "rtol" };
                let doubtful = if *last < 10.0 * tolerance { *last } else { *next };
                let (count, drop) = (plain(doubtful / 3.0), plain(doubtful * 3.0));
                fix(
                    NeedsValue,
                    format!("decide it: {name}={count} counts {}, {name}={drop} drops it.", plain(doubtful)),
                )
            }
            Finding::EqualLines { second: index, .. } | Finding::Dependent { index, .. } => {
                fix(Maybe, format!("drop row and column {index}, which the others already say."))
            }
            Finding::ZeroDiagonal { index } if operation == "solve_triangular" => fix(
                Maybe,
                format!(
                    "use unit_diagonal=True if ones are meant on the diagonal; else {a}[{index}, {index}] needs a value."
                ),
            ),
            Finding::ZeroDiagonal { .. } | Finding::DiagonalNotPositive { .. } => vec![],
        }
    }

    /// Its numbers by name, for other languages: floats, since indices fit them exactly.
    pub fn numbers(&self) -> Vec<(&'static str, f64)> {
        match self {
            Finding::ZeroMatrix => vec![],
            Finding::ZeroLine { index, count, .. } => vec![("index", *index as f64), ("count", *count as f64)],
            Finding::EqualLines { first, second, factor, count, .. } => {
                vec![
                    ("first", *first as f64),
                    ("second", *second as f64),
                    ("factor", *factor),
                    ("count", *count as f64),
                ]
            }
            Finding::Dependent { index, residual, .. } => vec![("index", *index as f64), ("residual", *residual)],
            Finding::Scale { largest, smallest, .. } => vec![
                ("largest_index", largest.0 as f64),
                ("largest", largest.1),
                ("smallest_index", smallest.0 as f64),
                ("smallest", smallest.1),
            ],
            Finding::ZeroSums { .. } => vec![],
            Finding::NotSymmetric { row, col, here, there, .. } => vec![
                ("row", *row as f64),
                ("col", *col as f64),
                ("here", here.re),
                ("here_imaginary", here.im),
                ("there", there.re),
                ("there_imaginary", there.im),
            ],
            Finding::AlsoIllConditioned { matrices, .. } => vec![("count", matrices.len() as f64)],
            Finding::Defective { first, second, count } => {
                vec![("first", *first as f64), ("second", *second as f64), ("count", *count as f64)]
            }
            Finding::InfiniteEigenvalues { count, n } => vec![("count", *count as f64), ("n", *n as f64)],
            Finding::Gap { index, value } => vec![("index", *index as f64), ("value", *value)],
            Finding::EmptyTriangle { lower } => vec![("lower", f64::from(u8::from(*lower)))],
            Finding::ZeroDiagonal { index } => vec![("index", *index as f64)],
            Finding::DiagonalNotPositive { index, value } => vec![("index", *index as f64), ("value", *value)],
            Finding::SmallestEigenvalue { value, shift, .. } => vec![("value", *value), ("shift", *shift)],
            Finding::Dropped { rank, full } => vec![("rank", *rank as f64), ("full", *full as f64)],
            Finding::Rank { rank, full, last, next, tolerance } => vec![
                ("rank", *rank as f64),
                ("full", *full as f64),
                ("last", *last),
                ("next", *next),
                ("tolerance", *tolerance),
            ],
        }
    }

    /// Rows or columns, where the finding is about some.
    pub fn axis(&self) -> Option<Axis> {
        match self {
            Finding::ZeroLine { axis, .. }
            | Finding::EqualLines { axis, .. }
            | Finding::ZeroSums { axis }
            | Finding::Dependent { axis, .. }
            | Finding::Scale { axis, .. } => Some(*axis),
            _ => None,
        }
    }

    /// The lines that a dependent one is made of, with their coefficients.
    pub fn terms(&self) -> &[(usize, f64)] {
        if let Finding::Dependent { of, .. } = self { of } else { &[] }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence("a"))
    }
}

/// A real or complex number as people write it.
fn number(value: Complex64) -> String {
    match (value.re, value.im) {
        (re, 0.0) => plain(re),
        (re, im) => format!("{}{}{}i", plain(re), if im < 0.0 { "-" } else { "+" }, plain(im.abs())),
    }
}

fn more(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" (and {count} more)") }
}

/// Terms of a sum that are written out.
const SHOWN: usize = 4;

/// `column 0 + 2 column 3 - column 4`, or the numbers alone where they are many.
fn combination(axis: &str, of: &[(usize, f64)]) -> String {
    if of.len() > SHOWN {
        let shown: Vec<String> = of.iter().take(SHOWN).map(|(index, _)| index.to_string()).collect();
        return format!("a combination of {axis}s {} and {} more", shown.join(", "), of.len() - SHOWN);
    }
    let mut text = String::new();
    for (position, (index, factor)) in of.iter().enumerate() {
        let sign = match (position, *factor < 0.0) {
            (0, false) => "",
            (0, true) => "-",
            (_, false) => " + ",
            (_, true) => " - ",
        };
        let size = factor.abs();
        let size = if size == 1.0 { String::new() } else { format!("{} ", plain(size)) };
        // Writing to a String cannot fail.
        let _ = write!(text, "{sign}{size}{axis} {index}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let shown: Vec<String> =
            [2.0, -1.0, 0.5, 0.125, 1234.5, 1e12, -2.1e-3, 2.23e-16, 0.1 + 0.2].map(plain).to_vec();
        assert_eq!(shown, ["2", "-1", "0.5", "0.125", "1234", "1e12", "-2.1e-3", "2.2e-16", "0.3"]);
    }

    #[test]
    fn a_dependent_column_is_written_as_the_sum_that_it_is() {
        let of = vec![(0, 1.0), (3, 2.0), (4, -1.0)];
        let finding = Finding::Dependent { axis: Axis::Column, index: 5, of, residual: 0.0 };
        assert_eq!(finding.to_string(), "column 5 = column 0 + 2 column 3 - column 4");
        let many = (0..9).map(|index| (index, 1.0)).collect();
        let finding = Finding::Dependent { axis: Axis::Row, index: 9, of: many, residual: 1e-15 };
        assert_eq!(finding.to_string(), "row 9 is nearly a combination of rows 0, 1, 2, 3 and 5 more");
    }

    #[test]
    fn equal_and_proportional_lines_are_told_apart() {
        let finding =
            |factor| Finding::EqualLines { axis: Axis::Column, first: 3, second: 7, factor, count: 2, exact: true };
        assert_eq!(finding(1.0).to_string(), "columns 3 and 7 are equal (and 1 more)");
        assert_eq!(finding(-1.0).to_string(), "column 7 is minus column 3 (and 1 more)");
        assert_eq!(finding(2.54).to_string(), "column 7 is 2.54 times column 3 (and 1 more)");
    }

    #[test]
    fn a_scale_is_told_with_both_ends() {
        let finding = Finding::Scale { axis: Axis::Row, largest: (0, 1e6), smallest: (4, 1.3e-6) };
        assert_eq!(finding.to_string(), "rows differ in size by 1e12: row 0 has 1e6, row 4 has 1.3e-6");
    }
}
