//! A scheme as a straight-line program, and what it costs: operations, and error.

use crate::dyadic::Dyadic;
use crate::linear::LinearProgram;
use crate::scheme::{Form, Scheme};
use std::collections::BTreeMap;

/// Sums of A, sums of B, products, sums of products.
#[derive(Clone, Debug)]
pub struct Program {
    /// The scheme that it computes.
    pub scheme: Scheme,
    /// Sums of elements of A; the factors of its outputs are 1 (they are moved to `w`).
    pub u: LinearProgram,
    /// Sums of elements of B, likewise.
    pub v: LinearProgram,
    /// From the products to C.
    pub w: LinearProgram,
}

impl Program {
    /// The shortest program that is found for a scheme in which nothing is added and taken off again; always the same one.
    pub fn new(scheme: Scheme) -> Self {
        Self::by(scheme, LinearProgram::shortest)
    }

    /// The shortest program that is found: with fewer additions, and larger errors, where taking off again saves any.
    pub fn with_fewest_additions(scheme: Scheme) -> Self {
        Self::by(scheme, LinearProgram::with_fewest_additions)
    }

    fn by(scheme: Scheme, find: fn(usize, &[Form]) -> LinearProgram) -> Self {
        let mut u = find(scheme.m * scheme.n, &scheme.u);
        let mut v = find(scheme.n * scheme.k, &scheme.v);
        // Factors of whole sums cost nothing where products are added up anyway.
        let mut rows = vec![Form::new(); scheme.m * scheme.k];
        for (r, form) in scheme.w.iter().enumerate() {
            let [of_u, of_v] = [&mut u, &mut v].map(|side| std::mem::replace(&mut side.outputs[r].1, Dyadic::ONE));
            for &(element, factor) in form {
                rows[element].push((r, factor * of_u * of_v));
            }
        }
        let w = find(scheme.rank(), &rows);
        Self { scheme, u, v, w }
    }

    /// Additions and subtractions: of elements of A, of B, of products.
    pub fn additions(&self) -> [usize; 3] {
        [&self.u, &self.v, &self.w].map(LinearProgram::additions)
    }

    /// Multiplications by constants. All of them are powers of two times small integers.
    pub fn scalings(&self) -> usize {
        [&self.u, &self.v, &self.w].map(LinearProgram::scalings).iter().sum()
    }

    /// A bound of the error in floating point of this program, to first order: every element of C is right up to
    /// `bound * (eps / 2) * max|A| * max|B|`, with eps the distance from 1 to the next number.
    ///
    /// Every operation adds half an eps of the largest value that its result can have, and carries its operands' errors on;
    /// so does every multiplication by a factor that is no power of two. Fused multiply-adds only lessen it. Factors `alpha`
    /// and `beta` add 1 and 2 times `(eps / 2)` of their terms.
    pub fn error_bound(&self) -> f64 {
        let (u, v) = (Values::of(&self.u), Values::of(&self.v));
        let products = self.scheme.rank();
        let mut forms: Vec<BTreeMap<(usize, usize), f64>> = Vec::new();
        let mut errors = Vec::new();
        for r in 0..products {
            let (x, y) = (self.u.outputs[r].0, self.v.outputs[r].0);
            let mut form = BTreeMap::new();
            for &(i, p) in &u.forms[x] {
                for &(j, q) in &v.forms[y] {
                    form.insert((i, j), (p * q).to_f64());
                }
            }
            errors.push(u.errors[x] * v.sizes[y] + u.sizes[x] * v.errors[y] + u.sizes[x] * v.sizes[y]);
            forms.push(form);
        }
        let size = |form: &BTreeMap<(usize, usize), f64>| form.values().map(|value| value.abs()).sum::<f64>();
        for step in &self.w.steps {
            let mut sum = BTreeMap::new();
            let mut error = 0.0;
            for &(value, factor) in step {
                let by = factor.to_f64();
                for (&key, term) in &forms[value] {
                    *sum.entry(key).or_insert(0.0) += by * term;
                }
                error += by.abs() * errors[value] + rounding(factor) * by.abs() * size(&forms[value]);
            }
            errors.push(error + size(&sum));
            forms.push(sum);
        }
        let of_output = |&(value, factor): &(usize, Dyadic)| {
            factor.to_f64().abs() * (errors[value] + rounding(factor) * size(&forms[value]))
        };
        self.w.outputs.iter().map(of_output).fold(0.0, f64::max)
    }
}

/// 1 if a multiplication by this factor rounds.
fn rounding(factor: Dyadic) -> f64 {
    if factor.is_power_of_two() { 0.0 } else { 1.0 }
}

/// The values of a program of sums of elements that are at most 1.
struct Values {
    forms: Vec<Form>,
    /// Largest moduli.
    sizes: Vec<f64>,
    /// Bounds of the errors, in units of eps / 2.
    errors: Vec<f64>,
}

impl Values {
    fn of(program: &LinearProgram) -> Self {
        let forms = program.forms();
        let sizes: Vec<f64> = forms.iter().map(|form| form.iter().map(|term| term.1.abs().to_f64()).sum()).collect();
        let mut errors = vec![0.0; program.inputs];
        for (step, size) in program.steps.iter().zip(&sizes[program.inputs..]) {
            let carried = |&(value, factor): &(usize, Dyadic)| {
                factor.abs().to_f64() * (errors[value] + rounding(factor) * sizes[value])
            };
            let error = step.iter().map(carried).sum::<f64>() + size;
            errors.push(error);
        }
        Self { forms, sizes, errors }
    }
}
