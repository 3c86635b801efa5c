//! Small problems on the CPU's LAPACK and on every OpenCL device, with known answers.
//!
//! With `|M|` the 1-norm, of order n and in precision `eps`, the ratios are those of LAPACK's tests (LAPACK Users' Guide, 6.7 and
//! working note 41), which reject 30 and more:
//!
//! - svd: `|A - U diag(s) V^H| / (n eps |A|)`
//! - solve: `|A X - B| / (n eps |A| |X|)`
//! - cholesky: `|A - L L^H| / (n eps |A|)`
//! - eigh: `|A V - V diag(w)| / (n eps |A|)`
//! - product: `max_ij |C - A B|_ij / (n eps max_ij (|A| |B|)_ij)`

use super::{Check, Section};
use crate::dispatch::calibrate::fill;
use crate::ops::cholesky::cholesky;
use crate::ops::eigh::{EighOptions, eigh};
use crate::ops::matmul::matmul;
use crate::ops::solve::{SolveOptions, solve};
use crate::ops::svd::{SvdOptions, svd};
use crate::provider::provider;
use crate::{CallOptions, Complex32, Complex64, Device, Engine, Error, Matrix, Real, Scalar, gpu as devices};
use std::time::Instant;

/// Ratios from here on are wrong results.
const THRESHOLD: f64 = 30.0;
/// Order of the small problems: above what LAPACK does without blocks.
const ORDER: usize = 96;
/// Order of the product whose rate is told: large enough for all threads.
const RATE_ORDER: usize = 768;
/// An unoptimised BLAS stays below this on processors of the last ten years, an optimised one above, in GFLOP/s for a thread.
const SLOW: f64 = 4.0;

/// A dense matrix in double precision, row by row.
struct Dense {
    n: usize,
    elements: Vec<Complex64>,
}

impl Dense {
    fn from_fn(n: usize, at: impl Fn(usize, usize) -> Complex64) -> Self {
        Self { n, elements: (0..n * n).map(|index| at(index / n, index % n)).collect() }
    }

    fn of<T: Scalar>(matrix: &Matrix<T>) -> Self {
        Self::from_fn(matrix.rows(), |i, j| matrix.get(i, j).to_complex128())
    }

    fn at(&self, i: usize, j: usize) -> Complex64 {
        self.elements[i * self.n + j]
    }

    fn adjoint(&self) -> Self {
        Self::from_fn(self.n, |i, j| self.at(j, i).conj())
    }

    /// `self diag(values)`.
    fn scaled(&self, values: &[f64]) -> Self {
        Self::from_fn(self.n, |i, j| self.at(i, j) * values[j])
    }

    fn times(&self, other: &Self) -> Self {
        let mut elements = vec![Complex64::new(0.0, 0.0); self.n * self.n];
        for (row, product) in self.elements.chunks(self.n).zip(elements.chunks_mut(self.n)) {
            for (x, line) in row.iter().zip(other.elements.chunks(self.n)) {
                product.iter_mut().zip(line).for_each(|(sum, y)| *sum += x * y);
            }
        }
        Self { n: self.n, elements }
    }

    fn minus(&self, other: &Self) -> Self {
        Self::from_fn(self.n, |i, j| self.at(i, j) - other.at(i, j))
    }

    /// The 1-norm.
    fn norm(&self) -> f64 {
        let column = |j| (0..self.n).map(|i| self.at(i, j).norm()).sum::<f64>();
        // A NaN must not get lost in a maximum.
        (0..self.n).map(column).fold(0.0, |most, sum| if sum.is_nan() || sum > most { sum } else { most })
    }

    /// Rounded to a type.
    fn rounded<T: Scalar>(&self) -> Matrix<T> {
        Matrix::from_fn(self.n, self.n, |i, j| T::from_complex128(self.at(i, j)))
    }
}

/// Parts in [-1, 1), the same at every run.
fn random(n: usize) -> Dense {
    let mut elements = Vec::new();
    fill(&mut elements, n * n);
    Dense { n, elements }
}

/// Hermitian, with eigenvalues around n: positive definite and well-conditioned.
fn hermitian(n: usize) -> Dense {
    let a = random(n);
    let b = a.adjoint();
    Dense::from_fn(n, |i, j| {
        let shift = if i == j { 4.0 * n as f64 } else { 0.0 };
        Complex64::new(shift, 0.0) + a.at(i, j) + b.at(i, j)
    })
}

/// The ratio of a residual: unlimited where it is NaN.
fn ratio<T: Scalar>(residual: f64, size: f64, n: usize) -> f64 {
    let ratio = residual / (n as f64 * T::Real::EPSILON * size);
    if ratio.is_nan() { f64::INFINITY } else { ratio }
}

fn svd_ratio<T: Scalar>(call: CallOptions) -> Result<(f64, Engine), Error> {
    let a: Matrix<T> = random(ORDER).rounded();
    let found = svd(a.view(), SvdOptions { call, ..SvdOptions::default() })?;
    let s: Vec<f64> = found.s.iter().map(|s| (*s).into()).collect();
    let exact = Dense::of(&a);
    let product = Dense::of(&found.u).scaled(&s).times(&Dense::of(&found.vh));
    Ok((ratio::<T>(exact.minus(&product).norm(), exact.norm(), ORDER), found.report.engine))
}

fn solve_ratio<T: Scalar>(call: CallOptions) -> Result<f64, Error> {
    let a: Matrix<T> = random(ORDER).rounded();
    let b: Matrix<T> = hermitian(ORDER).rounded();
    let x = Dense::of(&solve(a.view(), b.view(), SolveOptions { call, ..SolveOptions::default() })?.x);
    let exact = Dense::of(&a);
    Ok(ratio::<T>(exact.times(&x).minus(&Dense::of(&b)).norm(), exact.norm() * x.norm(), ORDER))
}

fn cholesky_ratio<T: Scalar>(call: CallOptions) -> Result<f64, Error> {
    let a: Matrix<T> = hermitian(ORDER).rounded();
    let l = Dense::of(&cholesky(a.view(), false, call)?.0);
    let exact = Dense::of(&a);
    Ok(ratio::<T>(exact.minus(&l.times(&l.adjoint())).norm(), exact.norm(), ORDER))
}

fn eigh_ratio<T: Scalar>(call: CallOptions) -> Result<f64, Error> {
    let a: Matrix<T> = hermitian(ORDER).rounded();
    let found = eigh(a.view(), EighOptions { call, ..EighOptions::default() })?;
    let w: Vec<f64> = found.eigenvalues.iter().map(|w| (*w).into()).collect();
    let (exact, v) = (Dense::of(&a), Dense::of(&found.eigenvectors));
    Ok(ratio::<T>(exact.times(&v).minus(&v.scaled(&w)).norm(), exact.norm(), ORDER))
}

fn product_ratio<T: Scalar>(call: CallOptions) -> Result<(f64, Engine), Error> {
    let (a, b): (Matrix<T>, Matrix<T>) = (random(ORDER).rounded(), hermitian(ORDER).rounded());
    let (c, report) = matmul(a.view(), b.view(), call)?;
    let (a, b) = (Dense::of(&a), Dense::of(&b));
    let sizes = |matrix: &Dense| Dense::from_fn(ORDER, |i, j| Complex64::new(matrix.at(i, j).norm(), 0.0));
    let largest = |matrix: &Dense| {
        matrix.elements.iter().map(|x| x.norm()).fold(0.0, |most, x| if x.is_nan() || x > most { x } else { most })
    };
    let error = largest(&Dense::of(&c).minus(&a.times(&b)));
    Ok((ratio::<T>(error, largest(&sizes(&a).times(&sizes(&b))), ORDER), report.engine))
}

/// The error as a check: its first line, and its first fix.
fn failure(section: Section, name: &str, error: &Error) -> Check {
    let fix = error.fixes().first().map_or_else(|| "see lapack-ai doctor".to_string(), |fix| fix.text.clone());
    Check::failed(section, name, error.summary(), fix)
}

/// Checks the LAPACK of the CPU: that there is one, its results in all four types, its rate.
pub fn lapack() -> Vec<Check> {
    const SECTION: Section = Section::Lapack;
    let library = match provider() {
        Ok(search) => &search.library,
        Err(error) => return vec![failure(SECTION, "library", &error)],
    };
    let version = library.version();
    let found = format!(
        "{}.{}.{}, {}, {}-bit integers, {}",
        version.major,
        version.minor,
        version.patch,
        if library.vendor().is_empty() { "unnamed vendor" } else { library.vendor() },
        library.integer_bits(),
        library.path().display()
    );
    let mut checks = vec![Check::passed(SECTION, "library", found)];
    for (name, ratio) in [
        ("float64", results::<f64>()),
        ("float32", results::<f32>()),
        ("complex128", results::<Complex64>()),
        ("complex64", results::<Complex32>()),
    ] {
        checks.push(match ratio {
            Err(error) => failure(SECTION, name, &error),
            Ok(ratio) => judged(
                SECTION,
                name,
                "svd, solve, cholesky, eigh",
                ratio,
                "another LAPACK: pip install scipy-openblas32",
            ),
        });
    }
    checks.push(match rate() {
        Ok(rate) => speed(rate, library.threads().get()),
        Err(error) => failure(SECTION, "speed", &error),
    });
    checks
}

fn judged(section: Section, name: &str, what: &str, ratio: f64, fix: &str) -> Check {
    if ratio < THRESHOLD {
        Check::passed(section, name, format!("{what}: at most {ratio:.2} n eps"))
    } else {
        Check::failed(section, name, format!("{what}: wrong by {ratio:.1} n eps, where {THRESHOLD} is the limit"), fix)
    }
}

/// The largest ratio of the four operations on the CPU.
fn results<T: Scalar>() -> Result<f64, Error> {
    let call = CallOptions { device: Device::Cpu, ..CallOptions::default() };
    let ratios = [svd_ratio::<T>(call)?.0, solve_ratio::<T>(call)?, cholesky_ratio::<T>(call)?, eigh_ratio::<T>(call)?];
    Ok(ratios.into_iter().fold(0.0, f64::max))
}

/// GFLOP/s of a product in float64, the best of three.
fn rate() -> Result<f64, Error> {
    let call = CallOptions { device: Device::Cpu, ..CallOptions::default() };
    let a: Matrix<f64> = random(RATE_ORDER).rounded();
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let started = Instant::now();
        matmul(a.view(), a.view(), call)?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(2.0 * (RATE_ORDER as f64).powi(3) / best / 1e9)
}

fn speed(rate: f64, threads: usize) -> Check {
    let found = format!("{rate:.0} GFLOP/s in float64 with {threads} threads (product of order {RATE_ORDER})");
    match rate < SLOW {
        true => Check::noted(
            Section::Lapack,
            "speed",
            found,
            "this looks like a BLAS that is not optimised, or a busy machine: pip install scipy-openblas32",
        ),
        false => Check::passed(Section::Lapack, "speed", found),
    }
}

/// Checks every OpenCL device: a product in each precision that it has, on a GPU an SVD too, and that it was the device which
/// computed them.
pub fn gpu() -> Vec<Check> {
    const SECTION: Section = Section::Gpu;
    let found = devices::devices();
    if found.is_empty() {
        let fix = "optional: see OpenCL above; the CPU computes everything";
        return vec![Check::noted(SECTION, "devices", "none", fix)];
    }
    found
        .iter()
        .map(|status| {
            let info = &status.info;
            let started = Instant::now();
            let call = CallOptions { device: Device::On(status.index), ..CallOptions::default() };
            let whole = on_device(call, info.float64, !info.is_cpu);
            let name = format!("device {}", status.index);
            let used = format!(
                "{}: {}{} in {:.1} s",
                info.name,
                if info.is_cpu { "a CPU; products" } else { "products, svd" },
                if info.float64 { " in float32, float64" } else { " in float32" },
                started.elapsed().as_secs_f64()
            );
            match whole {
                Ok(ratio) => judged(SECTION, &name, &used, ratio, "LAPACK_GPU_ENABLED=0 until its driver is updated"),
                Err(error) => failure(SECTION, &name, &error),
            }
        })
        .collect()
}

/// The largest ratio of what a device computes.
fn on_device(call: CallOptions, double: bool, decompose: bool) -> Result<f64, Error> {
    let mut made = vec![product_ratio::<f32>(call)?];
    if double {
        made.push(product_ratio::<f64>(call)?);
    }
    if decompose {
        made.push(svd_ratio::<f32>(call)?);
        if double {
            made.push(svd_ratio::<f64>(call)?);
        }
    }
    let elsewhere = made.iter().any(|(_, engine)| *engine != Engine::OpenCl);
    if elsewhere {
        return Err(Error::text(
            crate::Code::GpuUnavailable,
            "validate",
            "the device failed and the CPU computed instead",
        ));
    }
    Ok(made.into_iter().map(|(ratio, _)| ratio).fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn the_lapack_of_this_machine_passes_in_every_type() {
        let checks = lapack();
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["library", "float64", "float32", "complex128", "complex64", "speed"]);
        for check in &checks {
            assert_ne!(check.outcome, Outcome::Failed, "{check:?}");
        }
    }

    #[test]
    fn every_device_of_this_machine_passes() {
        for check in gpu() {
            assert_ne!(check.outcome, Outcome::Failed, "{check:?}");
        }
    }

    #[test]
    fn a_wrong_result_and_a_nan_fail_with_the_fix() {
        for wrong in [30.0, ratio::<f64>(f64::NAN, 1.0, ORDER)] {
            let check = judged(Section::Lapack, "float64", "svd", wrong, "another LAPACK");
            assert_eq!((check.outcome, check.fix.as_deref()), (Outcome::Failed, Some("another LAPACK")), "{wrong}");
        }
        assert_eq!(judged(Section::Lapack, "float64", "svd", 0.3, "").outcome, Outcome::Passed);
    }

    #[test]
    fn the_norm_keeps_a_nan() {
        let mut a = random(3);
        assert!(a.norm().is_finite());
        a.elements[4] = Complex64::new(f64::NAN, 0.0);
        assert!(a.norm().is_nan());
    }

    #[test]
    fn a_slow_blas_is_noted_and_a_fast_one_is_not() {
        assert_eq!(speed(1.5, 8).outcome, Outcome::Noted);
        assert_eq!(speed(40.0, 2).outcome, Outcome::Passed);
    }
}
