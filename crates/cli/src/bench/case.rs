//! The cases, their data, and how one is measured.
//!
//! Before a figure counts the result is checked, first and last, with a random vector v: for an error matrix E,
//! `norm(E v)` over the root mean square of v's elements estimates `norm(E)_F` (it is its expectation, squared), in
//! O(n^2) operations and without the routine that is being checked. With eps the machine epsilon:
//!
//! | operation | error in units of n eps | operations counted (n x n) |
//! |---|---|---|
//! | `svd` | `norm(A - U S V^T) / norm(A)`, `norm(I - U^T U)`, `norm(I - V^T V)`: the largest | `22 n^3` |
//! | `solve` | `norm(b - A x) / (norm(A) norm(x))` | `2/3 n^3 + 2 n^2` |
//! | `gemm` | `norm(C - A B) / (norm(A) norm(B))` | `2 n^3` |
//!
//! A ratio above 30, the threshold of LAPACK's own tests, is a wrong result. The counts are the conventional ones,
//! whatever a routine really does, so that GFLOP/s of two machines or libraries compare.
//!
//! Source: LAPACK Working Note 41 (tests); Golub and Van Loan, Matrix Computations, 4th ed., sections 3.2 and 8.6 (counts;
//! the SVD with singular values, U and V by Golub-Reinsch).

use crate::random;
use clap::ValueEnum;
use lapack_ai::ops::svd::SvdOut;
use lapack_ai::{
    BatchView, BatchViewMut, CallOptions, Error, SolveOptions, SvdOptions, matmul_into, solve_into, svd_into,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, Instant};

/// Errors above this, in units of n eps, are wrong results.
const FAIL: f64 = 30.0;
/// Shorter calls are timed several at once, so that the clock's resolution does not show.
const SHORTEST: f64 = 1e-3;
const LEAST_REPEATS: usize = 3;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Operation {
    /// Singular value decomposition with vectors.
    Svd,
    /// Linear system with one right-hand side.
    Solve,
    /// Matrix product.
    #[value(alias = "matmul")]
    Gemm,
    /// Many small systems in one call.
    BatchedSolve,
    /// Many small decompositions in one call.
    BatchedSvd,
}

impl Operation {
    pub(crate) const ALL: [Self; 5] = [Self::Svd, Self::Solve, Self::Gemm, Self::BatchedSolve, Self::BatchedSvd];

    pub(crate) fn name(self) -> &'static str {
        ["svd", "solve", "gemm", "batched-solve", "batched-svd"][self as usize]
    }

    pub(crate) fn is_batched(self) -> bool {
        matches!(self, Self::BatchedSolve | Self::BatchedSvd)
    }

    /// Operations counted for one matrix of order n.
    fn flops(self, n: f64) -> f64 {
        match self {
            Self::Svd | Self::BatchedSvd => 22.0 * n.powi(3),
            Self::Solve | Self::BatchedSolve => 2.0 / 3.0 * n.powi(3) + 2.0 * n * n,
            Self::Gemm => 2.0 * n.powi(3),
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) operation: Operation,
    /// Order of the matrices.
    pub(crate) n: usize,
    /// How many of them.
    pub(crate) batch: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} n={}", self.operation.name(), self.n)?;
        if self.batch == 1 { Ok(()) } else { write!(f, " batch={}", self.batch) }
    }
}

/// Time of one call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seconds {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) upper_quartile: f64,
}

impl Seconds {
    fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        // Linear between neighbours, as NumPy's default.
        let quantile = |fraction: f64| {
            let place = fraction * (samples.len() - 1) as f64;
            let (low, high) = (samples[place.floor() as usize], samples[place.ceil() as usize]);
            low + (high - low) * place.fract()
        };
        Self { median: quantile(0.5), min: samples[0], lower_quartile: quantile(0.25), upper_quartile: quantile(0.75) }
    }
}

/// What was measured of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measurement {
    #[serde(flatten)]
    pub(crate) case: Case,
    pub(crate) seconds: Seconds,
    /// From the median, by the counts above.
    pub(crate) gflops: f64,
    /// Largest error of a result, in units of n eps.
    pub(crate) error: f64,
    /// How many times were taken, each of `calls` calls.
    pub(crate) repeats: usize,
    pub(crate) calls: usize,
}

/// Why a case has no figures.
pub(crate) enum Failure {
    Lapack(Error),
    Wrong(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Lapack(error)
    }
}

/// Measures one case: repeats until `budget` is used up.
pub(crate) fn measure(case: Case, budget: Duration) -> Result<Measurement, Failure> {
    let mut problem = Problem::new(case);
    // The first call finds the library and touches the memory.
    problem.call()?;
    let first = problem.checked()?;
    let calls = (SHORTEST / problem.time(1)?.max(1e-9)).ceil().max(1.0) as usize;
    let mut samples = Vec::new();
    let start = Instant::now();
    while samples.len() < LEAST_REPEATS || start.elapsed() < budget {
        samples.push(problem.time(calls)?);
    }
    let error = first.max(problem.checked()?);
    let repeats = samples.len();
    let seconds = Seconds::of(samples);
    let gflops = case.operation.flops(case.n as f64) * case.batch as f64 / seconds.median / 1e9;
    Ok(Measurement { case, seconds, gflops, error, repeats, calls })
}

/// Data of a case, row-major, and the memory of its results: U, V^T and S, or X or C in the first one.
struct Problem {
    case: Case,
    a: Vec<f64>,
    b: Vec<f64>,
    v: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    s: Vec<f64>,
}

impl Problem {
    fn new(case: Case) -> Self {
        let Case { operation, n, batch } = case;
        let (matrices, vectors) = (batch * n * n, batch * n);
        let (b, first, second, s) = match operation {
            Operation::Svd | Operation::BatchedSvd => (0, matrices, matrices, vectors),
            Operation::Solve | Operation::BatchedSolve => (vectors, vectors, 0, 0),
            Operation::Gemm => (matrices, matrices, 0, 0),
        };
        let mut a = random(matrices + b + n);
        let v = a.split_off(matrices + b);
        let b = a.split_off(matrices);
        Self { case, a, b, v, first: vec![0.0; first], second: vec![0.0; second], s: vec![0.0; s] }
    }

    fn call(&mut self) -> Result<(), Error> {
        let Case { operation, n, batch } = self.case;
        let fits = "the buffers have the lengths of the case";
        let a = BatchView::row_major(&self.a, batch, n, n).expect(fits);
        let first = &mut self.first[..];
        match operation {
            Operation::Svd | Operation::BatchedSvd => {
                // Row-major input gives row-major vectors.
                let u = BatchViewMut::col_major(first, batch, n, n).expect(fits).transposed();
                let vt = BatchViewMut::col_major(&mut self.second, batch, n, n).expect(fits).transposed();
                let s = BatchViewMut::col_major(&mut self.s, batch, n, 1).expect(fits);
                svd_into(a.into(), SvdOut { vectors: Some((u, vt)), s }, SvdOptions::default())?;
            }
            Operation::Solve | Operation::BatchedSolve => {
                let b = BatchView::row_major(&self.b, batch, n, 1).expect(fits);
                let mut x = BatchViewMut::col_major(first, batch, n, 1).expect(fits);
                solve_into(a.into(), &b, &mut x, SolveOptions::default())?;
            }
            Operation::Gemm => {
                let b = BatchView::row_major(&self.b, batch, n, n).expect(fits);
                let mut c = BatchViewMut::col_major(first, batch, n, n).expect(fits).transposed();
                matmul_into(&a, &b, &mut c, CallOptions::default())?;
            }
        }
        Ok(())
    }

    /// Seconds a call.
    fn time(&mut self, calls: usize) -> Result<f64, Error> {
        let start = Instant::now();
        for _ in 0..calls {
            self.call()?;
        }
        Ok(start.elapsed().as_secs_f64() / calls as f64)
    }

    /// Largest error of the results, in units of n eps; a wrong one is a failure.
    fn checked(&self) -> Result<f64, Failure> {
        let (mut worst, mut at) = (0.0, 0);
        for matrix in 0..self.case.batch {
            let error = self.error(matrix);
            // NaN is the worst of all, and stays.
            if error > worst || error.is_nan() {
                (worst, at) = (error, matrix);
            }
            if error.is_nan() {
                break;
            }
        }
        if worst <= FAIL {
            return Ok(worst);
        }
        let place = if self.case.batch == 1 { String::new() } else { format!(" (matrix {at})") };
        let text = format!("{}{place}: the result is wrong by {worst:.1} n eps, more than {FAIL}", self.case);
        Err(Failure::Wrong(format!("{text}; lapack-ai doctor names the LAPACK that gave it")))
    }

    fn error(&self, matrix: usize) -> f64 {
        let n = self.case.n;
        let batch = self.case.batch;
        let [a, b, first, second, s] = [&self.a, &self.b, &self.first, &self.second, &self.s]
            .map(|data| &data[data.len() / batch * matrix..data.len() / batch * (matrix + 1)]);
        let v = &self.v;
        let unit = n as f64 * f64::EPSILON;
        // norm(E)_F from E v.
        let estimate = |ev: Vec<f64>| norm(&ev) * (n as f64).sqrt() / norm(v);
        match self.case.operation {
            Operation::Svd | Operation::BatchedSvd => {
                let svt: Vec<f64> = times(second, v).iter().zip(s).map(|(x, s)| x * s).collect();
                let residual = estimate(minus(&times(a, v), &times(first, &svt))) / norm(a);
                let u = estimate(minus(v, &transposed_times(first, &times(first, v))));
                let vt = estimate(minus(v, &times(second, &transposed_times(second, v))));
                let ordered = s.windows(2).all(|pair| pair[0] >= pair[1]) && s.last().is_none_or(|&last| last >= 0.0);
                if !ordered || (residual + u + vt).is_nan() { f64::NAN } else { residual.max(u).max(vt) / unit }
            }
            Operation::Solve | Operation::BatchedSolve => {
                norm(&minus(b, &times(a, first))) / (norm(a) * norm(first) * unit)
            }
            Operation::Gemm => estimate(minus(&times(first, v), &times(a, &times(b, v)))) / (norm(a) * norm(b) * unit),
        }
    }
}

/// A x, A row-major.
fn times(a: &[f64], x: &[f64]) -> Vec<f64> {
    a.chunks_exact(x.len()).map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
}

/// A^T x, A row-major.
fn transposed_times(a: &[f64], x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for (row, x) in a.chunks_exact(x.len()).zip(x) {
        for (y, a) in y.iter_mut().zip(row) {
            *y += a * x;
        }
    }
    y
}

fn minus(x: &[f64], y: &[f64]) -> Vec<f64> {
    x.iter().zip(y).map(|(x, y)| x - y).collect()
}

/// 2-norm, or Frobenius norm of a matrix.
fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_numpys() {
        let seconds = Seconds::of(vec![4.0, 1.0, 2.0, 3.0]);
        let expected = Seconds { median: 2.5, min: 1.0, lower_quartile: 1.75, upper_quartile: 3.25 };
        assert_eq!(seconds, expected);
        assert_eq!(Seconds::of(vec![2.0]).median, 2.0);
    }

    #[test]
    fn names_are_those_of_the_command_line_and_of_the_file() {
        for operation in Operation::ALL {
            let typed = operation.to_possible_value().unwrap();
            assert_eq!(operation.name(), typed.get_name());
            assert_eq!(serde_json::to_value(operation).unwrap(), operation.name());
        }
    }

    #[test]
    fn right_results_pass_and_a_result_changed_in_one_element_does_not() {
        for operation in Operation::ALL {
            let batch = if operation.is_batched() { 20 } else { 1 };
            let case = Case { operation, n: 12, batch };
            let mut problem = Problem::new(case);
            problem.call().unwrap();
            assert!(problem.checked().is_ok_and(|error| error > 0.0), "{case}");
            for change in [1e-9, f64::NAN] {
                let last = problem.first.len() - 1;
                let right = problem.first[last];
                problem.first[last] += change;
                let Err(Failure::Wrong(text)) = problem.checked() else { panic!("{case}: {change} passed") };
                assert!(text.contains("wrong by"), "{text}");
                assert_eq!(text.contains("matrix 19"), batch == 20, "{text}");
                problem.first[last] = right;
            }
        }
    }

    #[test]
    fn a_decomposition_in_the_wrong_order_is_wrong_though_its_product_is_right() {
        let n = 5;
        let mut problem = Problem::new(Case { operation: Operation::Svd, n, batch: 1 });
        problem.call().unwrap();
        problem.s.swap(0, 1);
        for k in 0..n {
            problem.first.swap(k * n, k * n + 1);
            problem.second.swap(k, n + k);
        }
        assert!(matches!(problem.checked(), Err(Failure::Wrong(_))));
        problem.s.swap(0, 1);
        assert!(problem.checked().is_err(), "the product is wrong now");
    }
}
