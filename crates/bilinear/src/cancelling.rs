//! Programs with fewer additions that may take off again what was added: `x + y + z` from `w + x + y + z` by one subtraction.
//!
//! Fewer operations and larger errors than those of `linear.rs`: they show how far a scheme's additions can be reduced. The
//! search is in the manner of J. Boyar and R. Peralta, A new combinational logic minimization technique, SEA 2010. Known forms
//! grow from the inputs. As long as a row is the sum or difference of two known forms, it becomes known; else the sum of two
//! known forms does after which the most rows are one operation away. Ties go by fixed orders of preference, as there.

use crate::dyadic::Dyadic;
use crate::linear::LinearProgram;
use crate::scheme::Form;
use std::collections::{BTreeSet, HashMap};

/// Orders of preference that are tried.
const TRIES: u64 = 64;

/// Coefficients -1, 0 and 1 and what sums of such have; the first that is not 0 is positive.
type Vector = Vec<i8>;

/// A program for rows with coefficients -1 and 1; `None` for others.
pub(crate) fn fewest(inputs: usize, rows: &[Form]) -> Option<LinearProgram> {
    let vectors: Option<Vec<Vector>> = rows.iter().map(|row| vector(inputs, row)).collect();
    let vectors = vectors?;
    let tries = (0..TRIES).map(|order| Search::new(inputs, &vectors, order).run());
    let mut program = tries.min_by_key(LinearProgram::additions)?;
    for (row, output) in rows.iter().zip(&mut program.outputs) {
        // Rows are found up to their sign.
        output.1 = if row[0].1.is_negative() { -Dyadic::ONE } else { Dyadic::ONE };
    }
    Some(program)
}

fn vector(inputs: usize, row: &Form) -> Option<Vector> {
    let mut made = vec![0; inputs];
    for &(input, factor) in row {
        made[input] = match factor.is_unit() {
            true if factor.is_negative() => -1,
            true => 1,
            false => return None,
        };
    }
    Some(canonical(made).0)
}

/// The vector or its negative, and whether it is the negative.
fn canonical(mut vector: Vector) -> (Vector, bool) {
    let negative = vector.iter().find(|&&x| x != 0).is_some_and(|&x| x < 0);
    if negative {
        vector.iter_mut().for_each(|x| *x = -*x);
    }
    (vector, negative)
}

fn combined(x: &Vector, y: &Vector, sign: i8) -> Vector {
    x.iter().zip(y).map(|(x, y)| x + sign * y).collect()
}

struct Search<'a> {
    rows: &'a [Vector],
    order: u64,
    program: LinearProgram,
    known: Vec<Vector>,
    index: HashMap<Vector, usize>,
    /// What is one operation away: the first operand, the second, its sign, whether the result is the vector's negative.
    near: HashMap<Vector, (usize, usize, i8, bool)>,
    /// Rows that are not known.
    missing: BTreeSet<Vector>,
}

impl<'a> Search<'a> {
    fn new(inputs: usize, rows: &'a [Vector], order: u64) -> Self {
        let program = LinearProgram { inputs, steps: Vec::new(), outputs: Vec::new() };
        let missing = rows.iter().cloned().collect();
        let (known, index, near) = (Vec::new(), HashMap::new(), HashMap::new());
        let mut search = Self { rows, order, program, known, index, near, missing };
        for input in 0..inputs {
            let mut unit = vec![0; inputs];
            unit[input] = 1;
            search.learn(unit);
        }
        search
    }

    fn learn(&mut self, vector: Vector) {
        self.missing.remove(&vector);
        self.near.remove(&vector);
        let new = self.known.len();
        for (other, known) in self.known.iter().enumerate() {
            for sign in [1, -1] {
                let (sum, negative) = canonical(combined(known, &vector, sign));
                if sum.iter().any(|&x| x != 0) && !self.index.contains_key(&sum) {
                    self.near.entry(sum).or_insert((other, new, sign, negative));
                }
            }
        }
        self.index.insert(vector.clone(), new);
        self.known.push(vector);
    }

    /// Adds the step for a vector that is near.
    fn step(&mut self, vector: Vector) {
        let (x, y, sign, negative) = self.near[&vector];
        let sign = Dyadic::from(i64::from(sign));
        // The first factor of a step is positive; of two operands one has the sign that makes it so.
        let step = match (negative, sign.is_negative()) {
            (false, _) => [(x, Dyadic::ONE), (y, sign)],
            (true, true) => [(y, Dyadic::ONE), (x, -Dyadic::ONE)],
            (true, false) => unreachable!("the first element of a sum of canonical vectors that is not 0 is positive"),
        };
        self.program.steps.push(step);
        self.learn(vector);
    }

    fn run(mut self) -> LinearProgram {
        loop {
            let row = self.missing.iter().filter(|row| self.near.contains_key(*row));
            if let Some(row) = row.max_by_key(|row| preference(row, self.order)) {
                let row = row.clone();
                self.step(row);
                continue;
            }
            if self.missing.is_empty() {
                break;
            }
            let next = self.most_useful().unwrap_or_else(|| self.most_similar());
            self.step(next);
        }
        self.program.outputs = self.rows.iter().map(|row| (self.index[row], Dyadic::ONE)).collect();
        self.program
    }

    /// What is near, after which the most missing rows would be near.
    fn most_useful(&self) -> Option<Vector> {
        let mut counts: HashMap<Vector, usize> = HashMap::new();
        for row in &self.missing {
            for known in &self.known {
                for sign in [1, -1] {
                    let rest = canonical(combined(row, known, sign)).0;
                    if self.near.contains_key(&rest) {
                        *counts.entry(rest).or_default() += 1;
                    }
                }
            }
        }
        let best =
            counts.into_iter().max_by_key(|(vector, count)| (*count, preference(vector, self.order), vector.clone()));
        best.map(|(vector, _)| vector)
    }

    /// What is near and leaves the shortest rests of the missing rows, where no row is two operations away.
    fn most_similar(&self) -> Vector {
        let rest = |row: &Vector, known: &Vector| {
            let terms = |sign: i8| row.iter().zip(known).filter(|(x, y)| **x != sign * **y).count();
            terms(1).min(terms(-1))
        };
        let rests: Vec<(&Vector, usize)> = self
            .missing
            .iter()
            .map(|row| (row, self.known.iter().map(|known| rest(row, known)).min().unwrap_or(row.len())))
            .collect();
        let gain = |near: &Vector| -> usize {
            rests.iter().map(|&(row, shortest)| shortest.saturating_sub(rest(row, near))).sum()
        };
        let best = self.near.keys().max_by_key(|near| (gain(near), preference(near, self.order), (*near).clone()));
        best.expect("with two inputs something is near").clone()
    }
}

/// A fixed pseudo-random number.
fn preference(vector: &Vector, order: u64) -> u64 {
    vector.iter().fold(order, |x, &element| {
        let x = (x ^ element as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^ (x >> 29)
    })
}
