//! Ranges of INFO as data.
//!
//! LAPACK packs what happened and where into one number: `1..N` may be a pivot, `N+1..2N` a minor of another matrix, and
//! `2N+1` an internal error. A [`Rule`] is one such range, its ends linear in the dimensions, with what the number
//! counts inside of it.

use std::fmt;

/// The dimensions of a call, as far as they are known. Some INFO can only be read with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dims {
    /// Rows of the matrix, where the routine takes M.
    pub m: Option<i64>,
    /// Order of the matrix, or its columns: LAPACK's N.
    pub n: Option<i64>,
    /// A third dimension: right-hand sides of a system (NRHS).
    pub k: Option<i64>,
}

impl Dims {
    /// Dimensions of which only N is known.
    pub fn n(n: i64) -> Self {
        Self { n: Some(n), ..Self::default() }
    }
}

/// One end of a range: `m M + n N + plus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Factor of M.
    pub m: i64,
    /// Factor of N.
    pub n: i64,
    /// Constant.
    pub plus: i64,
}

/// What the number counts inside a range, from 1 at its lower end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// A row, column, pivot or the order of a leading block.
    Index,
    /// How many things failed.
    Amount,
    /// Nothing: there is one meaning only.
    Nothing,
    /// Two indices, `first (N + 1) + last`: rows and columns first..last.
    Block,
    /// The last decimal digit is an error code of an inner routine.
    Digit,
}

/// One range of INFO of some routines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Lower end.
    pub from: Edge,
    /// Upper end, included; `None` where there is none.
    pub to: Option<Edge>,
    /// What the number counts.
    pub counts: Counts,
    /// N stands for the smaller of M and N.
    pub least: bool,
    /// On what it depends besides INFO and the dimensions, where another range overlaps.
    pub when: &'static str,
    /// What to say instead of the headline of the class.
    pub says: &'static str,
}

const fn edge(m: i64, n: i64, plus: i64) -> Edge {
    Edge { m, n, plus }
}

impl Rule {
    /// `1..N`: an index.
    pub const INDEX: Rule = Rule::new(edge(0, 0, 1), Some(edge(0, 1, 0)), Counts::Index);
    /// `1..min(M,N)`: an index.
    pub const INDEX_OF_LEAST: Rule = Rule { least: true, ..Rule::INDEX };
    /// `1..N`: an amount.
    pub const AMOUNT: Rule = Rule { counts: Counts::Amount, ..Rule::INDEX };
    /// `1..min(M,N)`: an amount.
    pub const AMOUNT_OF_LEAST: Rule = Rule { least: true, ..Rule::AMOUNT };
    /// Any positive number: an amount without a bound.
    pub const ANY_AMOUNT: Rule = Rule::new(edge(0, 0, 1), None, Counts::Amount);
    /// Any positive number, with no meaning of its own.
    pub const ANY: Rule = Rule::new(edge(0, 0, 1), None, Counts::Nothing);
    /// `1..M`: a row.
    pub const ROW: Rule = Rule::new(edge(0, 0, 1), Some(edge(1, 0, 0)), Counts::Index);
    /// `M+1..M+N`: a column.
    pub const COLUMN: Rule = Rule::new(edge(1, 0, 1), Some(edge(1, 1, 0)), Counts::Index);
    /// `N+2..`: two indices of which the larger is at most N, packed with the factor N + 1.
    pub const BLOCK: Rule = Rule::new(edge(0, 1, 2), None, Counts::Block);

    const fn new(from: Edge, to: Option<Edge>, counts: Counts) -> Rule {
        Rule { from, to, counts, least: false, when: "", says: "" }
    }

    /// `N+1..2N`: an index.
    pub const fn index_after_n() -> Rule {
        Rule::new(edge(0, 1, 1), Some(edge(0, 2, 0)), Counts::Index)
    }

    /// `N+1..2N`: an amount.
    pub const fn amount_after_n() -> Rule {
        Rule { counts: Counts::Amount, ..Rule::index_after_n() }
    }

    /// `N+1..`: an index without a bound.
    pub const fn index_beyond_n() -> Rule {
        Rule::new(edge(0, 1, 1), None, Counts::Index)
    }

    /// Exactly `n N + plus`.
    pub const fn exactly(n: i64, plus: i64) -> Rule {
        Rule::new(edge(0, n, plus), Some(edge(0, n, plus)), Counts::Nothing)
    }

    /// `from..from+9`: the digit of an inner error code.
    pub const fn digit(from: i64) -> Rule {
        Rule::new(edge(0, 0, from), Some(edge(0, 0, from + 9)), Counts::Digit)
    }

    /// N stands for the smaller of M and N.
    pub const fn of_least(self) -> Rule {
        Rule { least: true, ..self }
    }

    /// What it depends on besides INFO.
    pub const fn when(self, when: &'static str) -> Rule {
        Rule { when, ..self }
    }

    /// What to say instead of the headline of the class.
    pub const fn says(self, says: &'static str) -> Rule {
        Rule { says, ..self }
    }

    /// N as this rule means it.
    pub fn order(&self, dims: Dims) -> Option<i64> {
        match (self.least, dims.m, dims.n) {
            (true, Some(m), Some(n)) => Some(m.min(n)),
            _ => dims.n,
        }
    }

    fn value(&self, edge: Edge, dims: Dims) -> Option<i64> {
        let term = |factor: i64, size: Option<i64>| match factor {
            0 => Some(0),
            factor => size.map(|size| factor.saturating_mul(size)),
        };
        let sum = term(edge.m, dims.m)?.saturating_add(term(edge.n, self.order(dims))?);
        Some(sum.saturating_add(edge.plus))
    }

    /// The lower end, if the dimensions tell.
    pub fn start(&self, dims: Dims) -> Option<i64> {
        self.value(self.from, dims)
    }

    /// Whether INFO can lie in the range: of unknown dimensions any positive value is thought of.
    pub fn allows(&self, info: i64, dims: Dims) -> bool {
        if let (Counts::Block, Some(n)) = (self.counts, dims.n) {
            let (first, last) = (info / (n + 1), info % (n + 1));
            return info > 0 && 1 <= first && first <= last && last <= n;
        }
        match self.ends(dims) {
            Some((low, high)) => low <= info && info <= high,
            None => self.sizes(info, dims).is_some(),
        }
    }

    /// Both ends, if the dimensions tell.
    fn ends(&self, dims: Dims) -> Option<(i64, i64)> {
        Some((self.start(dims)?, self.to.map_or(Some(i64::MAX), |to| self.value(to, dims))?))
    }

    /// The dimension on which it depends whether INFO lies in the range, and its smallest and largest value for which it
    /// does. `None` if there is no such value.
    fn sizes(&self, info: i64, dims: Dims) -> Option<(char, i64, Option<i64>)> {
        let by_m = dims.m.is_none() && (self.from.m > 0 || self.to.is_some_and(|to| to.m > 0));
        let (name, factor): (char, fn(Edge) -> i64) = if by_m { ('m', |edge| edge.m) } else { ('n', |edge| edge.n) };
        // The other dimension counts with what is known of it; unknown, it bounds nothing from above.
        let rest = |edge: Edge| {
            let without = if by_m { Edge { m: 0, ..edge } } else { Edge { n: 0, ..edge } };
            self.value(without, dims)
        };
        let largest = match factor(self.from) {
            0 => None,
            factor => Some((info - rest(self.from).unwrap_or(0)).div_euclid(factor)),
        };
        let smallest = match self.to {
            None => 1,
            Some(to) => match (factor(to), rest(to)) {
                (_, None) => 1,
                (0, Some(rest)) => return (info <= rest).then_some((name, 1, largest)),
                (factor, Some(rest)) => (info - rest + factor - 1).div_euclid(factor).max(1),
            },
        };
        let possible = info >= self.from.plus && largest.is_none_or(|largest| largest >= smallest);
        possible.then_some((name, smallest, largest))
    }

    /// For which dimensions INFO lies in the range, in words: `n >= 5`. Empty if for all.
    pub fn condition(&self, info: i64, dims: Dims) -> String {
        let sizes = if self.ends(dims).is_some() { None } else { self.sizes(info, dims) };
        let size = match sizes {
            Some((name, low, Some(high))) if low == high => format!("{name} = {low}"),
            Some((name, 1, Some(high))) => format!("{name} <= {high}"),
            Some((name, low, Some(high))) => format!("{low} <= {name} <= {high}"),
            Some((name, low, None)) if low > 1 => format!("{name} >= {low}"),
            _ => String::new(),
        };
        match (size.is_empty(), self.when.is_empty()) {
            (false, false) => format!("{size} and {}", self.when),
            (true, _) => self.when.to_string(),
            (_, true) => size,
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut terms: Vec<String> = Vec::new();
        for (factor, name) in [(self.m, "M"), (self.n, "N")] {
            match factor {
                0 => {}
                1 => terms.push(name.to_string()),
                factor => terms.push(format!("{factor}{name}")),
            }
        }
        if self.plus != 0 || terms.is_empty() {
            terms.push(self.plus.to_string());
        }
        f.write_str(&terms.join("+"))
    }
}

impl fmt::Display for Rule {
    /// The range as documentation writes it: `1..N`, `2N+1`, `> 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.least { ", N being min(M,N)" } else { "" };
        match self.to {
            Some(to) if to == self.from => write!(f, "{to}{end}"),
            Some(to) => write!(f, "{}..{to}{end}", self.from),
            None if self.counts == Counts::Block => write!(f, "first (N+1) + last"),
            None if self.from == edge(0, 0, 1) => write!(f, "> 0"),
            None => write!(f, ">= {}{end}", self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_its_ends_and_nothing_beyond() {
        let minor = Rule::index_after_n();
        for (info, inside) in [(4, false), (5, true), (8, true), (9, false)] {
            assert_eq!(minor.allows(info, Dims::n(4)), inside, "{info}");
        }
        assert!(Rule::exactly(2, 1).allows(9, Dims::n(4)) && !Rule::exactly(2, 1).allows(8, Dims::n(4)));
        let rows = Dims { m: Some(3), n: Some(5), k: None };
        assert!(Rule::INDEX_OF_LEAST.allows(3, rows) && !Rule::INDEX_OF_LEAST.allows(4, rows));
        assert!(Rule::COLUMN.allows(8, rows) && !Rule::COLUMN.allows(9, rows) && !Rule::COLUMN.allows(3, rows));
    }

    #[test]
    fn without_n_every_range_that_some_n_allows_is_possible_and_says_for_which() {
        for (rule, info, said) in [
            (Rule::INDEX, 5, Some("n >= 5")),
            (Rule::exactly(1, 1), 5, Some("n = 4")),
            (Rule::exactly(1, 1), 1, None),
            (Rule::exactly(2, 1), 5, Some("n = 2")),
            (Rule::exactly(2, 1), 6, None),
            (Rule::index_after_n(), 5, Some("3 <= n <= 4")),
            (Rule::index_beyond_n(), 5, Some("n <= 4")),
            (Rule::ROW, 5, Some("m >= 5")),
            (Rule::COLUMN, 5, Some("m <= 4")),
            (Rule::exactly(0, 1), 1, Some("")),
            (Rule::ANY, 5, Some("")),
        ] {
            let found = rule.allows(info, Dims::default()).then(|| rule.condition(info, Dims::default()));
            assert_eq!(found.as_deref(), said, "{rule:?} {info}");
        }
    }

    #[test]
    fn ranges_are_written_as_documentation_writes_them() {
        for (rule, text) in [
            (Rule::INDEX, "1..N"),
            (Rule::AMOUNT_OF_LEAST, "1..N, N being min(M,N)"),
            (Rule::COLUMN, "M+1..M+N"),
            (Rule::exactly(2, 1), "2N+1"),
            (Rule::exactly(0, -4), "-4"),
            (Rule::ANY, "> 0"),
            (Rule::index_beyond_n(), ">= N+1"),
            (Rule::BLOCK, "first (N+1) + last"),
        ] {
            assert_eq!(rule.to_string(), text);
        }
    }

    #[test]
    fn a_packed_block_lies_inside_the_matrix() {
        // Rows and columns 2 to 4 of 6: 2 * 7 + 4.
        assert!(Rule::BLOCK.allows(18, Dims::n(6)));
        // 4 to 2, 1 to 0, and the 0 to 5 that an ordinary count would be.
        for info in [30, 7, 5, 0, -18] {
            assert!(!Rule::BLOCK.allows(info, Dims::n(6)), "{info}");
        }
    }
}
