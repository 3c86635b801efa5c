//! A scheme as a straight-line program, and what it costs: operations, and error.

use crate::dyadic::Dyadic;
use crate::linear::{LinearProgram, Term};
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

    /// The program for blocks within blocks: `self` on matrices whose entries are matrices that `inner` multiplies. It computes
    /// [`Scheme::of_blocks`], by the outer sums of whole blocks and then the inner ones.
    #[must_use]
    pub fn of_blocks(&self, inner: &Self) -> Self {
        let [m, n, k] = [inner.scheme.m, inner.scheme.n, inner.scheme.k];
        // Where element `inside` of block `outer` is, in rows of `cols` blocks.
        let place = |cols: usize, inner_rows: usize, inner_cols: usize| {
            move |outer: usize, inside: usize| {
                let row = outer / cols * inner_rows + inside / inner_cols;
                (row * cols + outer % cols) * inner_cols + inside % inner_cols
            }
        };
        let u = down(&self.u, &inner.u, place(self.scheme.n, m, n));
        let v = down(&self.v, &inner.v, place(self.scheme.k, n, k));
        let w = up(&self.w, &inner.w, place(self.scheme.k, m, k));
        Self { scheme: self.scheme.of_blocks(&inner.scheme), u, v, w }
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

/// The steps of `program` on `values`, in order, added to `steps`, which come behind `inputs` values; its outputs.
fn run(program: &LinearProgram, mut values: Vec<Term>, steps: &mut Vec<[Term; 2]>, inputs: usize) -> Vec<Term> {
    let scaled = |values: &[Term], (value, factor): Term| (values[value].0, values[value].1 * factor);
    for &[x, y] in &program.steps {
        steps.push([scaled(&values, x), scaled(&values, y)]);
        values.push((inputs + steps.len() - 1, Dyadic::ONE));
    }
    program.outputs.iter().map(|&term| scaled(&values, term)).collect()
}

/// Sums of elements: `outer` on whole blocks, then `inner` within each of its outputs.
fn down(outer: &LinearProgram, inner: &LinearProgram, place: impl Fn(usize, usize) -> usize) -> LinearProgram {
    let inputs = outer.inputs * inner.inputs;
    let mut steps = Vec::new();
    let blocks: Vec<Vec<Term>> = (0..inner.inputs)
        .map(|inside| {
            let values = (0..outer.inputs).map(|block| (place(block, inside), Dyadic::ONE)).collect();
            run(outer, values, &mut steps, inputs)
        })
        .collect();
    let mut outputs = Vec::new();
    for r in 0..outer.outputs.len() {
        outputs.extend(run(inner, blocks.iter().map(|elements| elements[r]).collect(), &mut steps, inputs));
    }
    LinearProgram { inputs, steps, outputs }
}

/// Sums of products: `inner` on the products of each outer one, then `outer` on whole blocks.
fn up(outer: &LinearProgram, inner: &LinearProgram, place: impl Fn(usize, usize) -> usize) -> LinearProgram {
    let inputs = outer.inputs * inner.inputs;
    let mut steps = Vec::new();
    let products: Vec<Vec<Term>> = (0..outer.inputs)
        .map(|r| {
            let values = (0..inner.inputs).map(|s| (r * inner.inputs + s, Dyadic::ONE)).collect();
            run(inner, values, &mut steps, inputs)
        })
        .collect();
    let mut outputs = vec![(0, Dyadic::ZERO); outer.outputs.len() * inner.outputs.len()];
    for inside in 0..inner.outputs.len() {
        let values = products.iter().map(|block| block[inside]).collect();
        for (block, output) in run(outer, values, &mut steps, inputs).into_iter().enumerate() {
            outputs[place(block, inside)] = output;
        }
    }
    LinearProgram { inputs, steps, outputs }
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
