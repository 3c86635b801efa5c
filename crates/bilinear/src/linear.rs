//! Straight-line programs for linear maps: sums of two earlier values, as few as can be found.
//!
//! A map is given by its rows, the forms of its outputs. Common sub-expressions are found greedily: of all pairs of terms,
//! taken up to a common factor, one that occurs in the most rows becomes a value of its own, until every row is one term. No
//! row is computed from another by subtraction, so no term that was added is taken off again: each input reaches each output
//! on one path, and the program's rounding errors are those of the plain sum with another order of additions.
//!
//! The choice among equally frequent pairs matters. The search is repeated with [`TRIES`] fixed orders of preference and the
//! shortest program kept, for the map or for its transpose: a program for the transpose, read backwards, is one for the map
//! (Tellegen's principle), with additions that differ by the difference of the extents. The result depends on nothing else.

use crate::cancelling;
use crate::dyadic::Dyadic;
use crate::scheme::Form;
use std::collections::{BTreeMap, HashMap};

/// Orders of preference that are tried.
const TRIES: u64 = 48;

/// A value and its factor.
pub type Term = (usize, Dyadic);

/// `outputs`, each a factor times a value; values are the inputs, then the steps' results.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearProgram {
    /// Number of inputs: the first values.
    pub inputs: usize,
    /// Value `inputs + i` is the sum of the two terms of `steps[i]`; the first one's factor is positive.
    pub steps: Vec<[Term; 2]>,
    /// The results.
    pub outputs: Vec<Term>,
}

/// A pair of terms up to a common factor.
type Pair = [Term; 2];

impl LinearProgram {
    /// A short program for the map with these rows, none of which is empty.
    pub fn shortest(inputs: usize, rows: &[Form]) -> Self {
        let columns = transposed(inputs, rows);
        let direct = (0..TRIES).map(|order| Self::by_pairs(inputs, rows, order));
        let mut best = direct.min_by_key(Self::cost).expect("a try");
        if columns.iter().all(|column| !column.is_empty()) {
            let reversed = (0..TRIES).map(|order| Self::by_pairs(rows.len(), &columns, order).transposed());
            let reversed = reversed.min_by_key(Self::cost).expect("a try");
            if reversed.cost() < best.cost() {
                best = reversed;
            }
        }
        best
    }

    /// As [`LinearProgram::shortest`], but what was added may be taken off again where that is shorter.
    pub fn with_fewest_additions(inputs: usize, rows: &[Form]) -> Self {
        let best = Self::shortest(inputs, rows);
        // The search is for few inputs and many rows.
        let other = match inputs <= rows.len() {
            true => cancelling::fewest(inputs, rows),
            false => {
                let columns = transposed(inputs, rows);
                let whole = columns.iter().all(|column| !column.is_empty());
                if whole { cancelling::fewest(rows.len(), &columns).map(|program| program.transposed()) } else { None }
            }
        };
        other.filter(|other| other.additions() < best.additions()).unwrap_or(best)
    }

    /// Additions and subtractions.
    pub fn additions(&self) -> usize {
        self.steps.len()
    }

    /// Multiplications by constants other than 1 and -1.
    pub fn scalings(&self) -> usize {
        self.steps.iter().flatten().chain(&self.outputs).filter(|term| !term.1.is_unit()).count()
    }

    fn cost(&self) -> (usize, usize) {
        (self.additions(), self.scalings())
    }

    /// The form of every value in the inputs.
    pub fn forms(&self) -> Vec<Form> {
        let mut forms: Vec<Form> = (0..self.inputs).map(|input| vec![(input, Dyadic::ONE)]).collect();
        for step in &self.steps {
            let mut sum = BTreeMap::new();
            for &(value, factor) in step {
                for &(input, by) in &forms[value] {
                    let entry = sum.entry(input).or_insert(Dyadic::ZERO);
                    *entry = *entry + factor * by;
                }
            }
            forms.push(sum.into_iter().filter(|term| !term.1.is_zero()).collect());
        }
        forms
    }

    /// A sum of terms as one term: pairs in the order of a queue, so that no path is longer than need be.
    fn sum(&mut self, mut terms: Vec<Term>) -> Term {
        while terms.len() > 1 {
            let mut next = Vec::with_capacity(terms.len().div_ceil(2));
            for pair in terms.chunks(2) {
                next.push(match *pair {
                    [x, y] => self.add(x, y),
                    _ => pair[0],
                });
            }
            terms = next;
        }
        terms[0]
    }

    fn add(&mut self, x: Term, y: Term) -> Term {
        let (pair, factor) = primitive(x, y);
        self.steps.push(pair);
        (self.inputs + self.steps.len() - 1, factor)
    }

    fn by_pairs(inputs: usize, rows: &[Form], order: u64) -> Self {
        let mut program = Self { inputs, steps: Vec::new(), outputs: Vec::new() };
        let mut rows: Vec<Form> = rows.to_vec();
        let mut counts = Counts::of(&rows);
        while let Some(pair) = counts.most_frequent(order) {
            let value = program.add(pair[0], pair[1]).0;
            for row in &mut rows {
                let at = |row: &Form, index| row.iter().position(|term| term.0 == index);
                if let (Some(i), Some(j)) = (at(row, pair[0].0), at(row, pair[1].0)) {
                    let (found, factor) = primitive(row[i], row[j]);
                    if found == pair {
                        for index in [i.max(j), i.min(j)] {
                            let term = row.remove(index);
                            counts.change(term, row, usize::wrapping_sub);
                        }
                        counts.change((value, factor), row, usize::wrapping_add);
                        row.push((value, factor));
                    }
                }
            }
        }
        // What is left has nothing in common.
        program.outputs = rows.into_iter().map(|row| program.sum(row)).collect();
        program
    }

    /// The program read backwards, for the transposed map.
    fn transposed(&self) -> Self {
        let values = self.inputs + self.steps.len();
        let mut uses: Vec<Vec<Term>> = vec![Vec::new(); values];
        for (output, &(value, factor)) in self.outputs.iter().enumerate() {
            uses[value].push((output, factor));
        }
        let mut program = Self { inputs: self.outputs.len(), steps: Vec::new(), outputs: Vec::new() };
        for value in (self.inputs..values).rev() {
            let used = std::mem::take(&mut uses[value]);
            let (sum, factor) = program.sum(used);
            for (operand, by) in self.steps[value - self.inputs] {
                uses[operand].push((sum, factor * by));
            }
        }
        program.outputs = uses.into_iter().take(self.inputs).map(|used| program.sum(used)).collect();
        program
    }
}

/// The columns of a matrix of rows.
fn transposed(inputs: usize, rows: &[Form]) -> Vec<Form> {
    let mut columns = vec![Form::new(); inputs];
    for (index, row) in rows.iter().enumerate() {
        for &(input, factor) in row {
            columns[input].push((index, factor));
        }
    }
    columns
}

/// In how many rows each pair occurs.
struct Counts(HashMap<Pair, usize>);

impl Counts {
    fn of(rows: &[Form]) -> Self {
        let mut counts = Self(HashMap::new());
        for row in rows {
            for (index, &term) in row.iter().enumerate() {
                counts.change(term, &row[..index], usize::wrapping_add);
            }
        }
        counts
    }

    /// Adds or takes off the pairs of a term with each of `others`.
    fn change(&mut self, term: Term, others: &[Term], by: fn(usize, usize) -> usize) {
        for &other in others {
            let count = self.0.entry(primitive(term, other).0).or_default();
            *count = by(*count, 1);
        }
    }

    /// The pair that occurs in the most rows, if one occurs twice; ties go by `order`.
    fn most_frequent(&self, order: u64) -> Option<Pair> {
        let frequent = self.0.iter().filter(|&(_, &count)| count > 1);
        frequent.max_by_key(|&(pair, &count)| (count, preference(pair, order), *pair)).map(|(pair, _)| *pair)
    }
}

/// A fixed pseudo-random number.
fn preference(pair: &Pair, order: u64) -> u64 {
    let mut x = order;
    for (value, _) in pair {
        x = (x ^ *value as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 29;
    }
    x.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 7
}

/// `x + y = factor * pair`: the pair's factors are integers without a common divisor, the first one positive, the lower
/// value first.
fn primitive(x: Term, y: Term) -> (Pair, Dyadic) {
    let [x, y] = if x.0 < y.0 { [x, y] } else { [y, x] };
    let (p, q) = (x.1.to_integers(y.1), x.1);
    let pair = [(x.0, Dyadic::from(p[0])), (y.0, Dyadic::from(p[1]))];
    (pair, q.over(pair[0].1).expect("a divisor"))
}
