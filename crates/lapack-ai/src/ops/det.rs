//! Determinants: `det(A)`, and its sign and logarithm.
//!
//! `A = P L U` by `xGETRF`, so `det(A) = det(P) prod u_ii`; up to n = 8 `A = P L U Q` by `xGETC2` (stable, and without a
//! lock, see `solve`). A row-major A is factorised as its transpose, which has the same determinant.
//!
//! The product is kept as `m 2^e` in double precision, with m in the middle of the range: nothing overflows or underflows on
//! the way, so `det` is finite wherever the determinant can be represented, and only one logarithm is taken.
//!
//! NaN and Inf have a meaning in a determinant, so they are refused only if that is asked for.

use super::{CallOptions, Operand, call, illegal_argument, non_finite, require_square, rough_seconds, works_in_place};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::intake::{self, Part, Want, is_flipped};
use crate::ops::take_in;
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{Argument, Code, Complex64, Error, MatrixView, Result, Scalar};
use lapack_ai_host::Routine;
use std::sync::atomic::{AtomicU64, Ordering};

/// Largest order for complete pivoting; see `solve`.
const SMALL: usize = 8;

/// The determinant of an n x n matrix; 1 if n = 0, 0 if A is exactly singular.
///
/// The result is the exact determinant of `A + E` with `norm(E)` a small multiple of `n eps norm(A)`; it overflows only if
/// that cannot be represented. NaN and Inf give what the arithmetic gives, unless `check_finite` is set.
///
/// # Errors
/// `LAP-E001` for NaN or Inf where `check_finite` asks for it; `LAP-E003` if A is not square; `LAP-E030` to `LAP-E034`,
/// `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, det};
/// let a = MatrixView::row_major(&[4.0_f64, 2.0, 2.0, 5.0], 2, 2).unwrap();
/// let (det, _report) = det(a, CallOptions::default())?;
/// assert!((det - 16.0).abs() < 1e-14);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: Higham, Accuracy and Stability of Numerical Algorithms, section 14.6.
pub fn det<T: Scalar>(a: MatrixView<'_, T>, options: CallOptions) -> Result<(T, Report)> {
    let mut det = [T::ZERO];
    let report = det_into(a.into(), &mut det, options)?;
    Ok((det[0], report))
}

/// As [`det`], for a batch, one element a matrix in C order.
///
/// # Panics
/// If `det` does not have as many elements as there are matrices.
///
/// # Errors
/// As [`det`]; the error lists every matrix that failed.
#[inline]
pub fn det_into<T: Scalar>(a: Operand<'_, T>, det: &mut [T], options: CallOptions) -> Result<Report> {
    let beyond = Beyond::default();
    let mut report = run("det", &a, det, options, |product| beyond.note(product, product.rounded()))?;
    report.warnings.extend(beyond.warning::<T>());
    Ok(report)
}

/// Sign and logarithm of a determinant, `det(A) = sign exp(logabsdet)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slogdet<T: Scalar> {
    /// A number of modulus 1, or 0 if A is exactly singular.
    pub sign: T,
    /// `ln |det(A)|`, or minus infinity.
    pub logabsdet: T::Real,
}

/// Sign and logarithm of the determinant, which neither overflow nor underflow.
///
/// # Errors
/// As [`det`].
///
/// # Examples
/// ```
/// use lapack_ai::{CallOptions, MatrixView, slogdet};
/// let a = MatrixView::row_major(&[-1e300_f64, 0.0, 0.0, 1e300], 2, 2).unwrap();
/// let (slogdet, _report) = slogdet(a, CallOptions::default())?;
/// assert_eq!(slogdet.sign, -1.0);
/// assert!((slogdet.logabsdet - 600.0 * 10_f64.ln()).abs() < 1e-12);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
pub fn slogdet<T: Scalar>(a: MatrixView<'_, T>, options: CallOptions) -> Result<(Slogdet<T>, Report)> {
    let mut slogdet = [Slogdet { sign: T::ZERO, logabsdet: T::Real::ZERO }];
    let report = slogdet_into(a.into(), &mut slogdet, options)?;
    Ok((slogdet[0], report))
}

/// As [`slogdet`], for a batch, one element a matrix in C order.
///
/// # Panics
/// If `slogdet` does not have as many elements as there are matrices.
///
/// # Errors
/// As [`slogdet`]; the error lists every matrix that failed.
#[inline]
pub fn slogdet_into<T: Scalar>(a: Operand<'_, T>, slogdet: &mut [Slogdet<T>], options: CallOptions) -> Result<Report> {
    run("slogdet", &a, slogdet, options, Product::sign_and_log)
}

/// A product of pivots, `mantissa 2^exponent`; what is not finite among them is kept apart.
#[derive(Clone, Copy)]
struct Product {
    mantissa: Complex64,
    exponent: i64,
    /// Infinity or NaN, once a factor was.
    beyond: Option<f64>,
    complex: bool,
}

impl Product {
    fn one<T: Scalar>() -> Self {
        Self { mantissa: Complex64::new(1.0, 0.0), exponent: 0, beyond: None, complex: T::DTYPE.is_complex() }
    }

    #[inline]
    fn multiply<T: Scalar>(&mut self, factor: T) {
        let factor = factor.to_complex128();
        let product =
            if self.complex { self.mantissa * factor } else { Complex64::new(self.mantissa.re * factor.re, 0.0) };
        if (1e-150..1e150).contains(&larger_part(product)) {
            self.mantissa = product;
        } else {
            self.multiply_far(factor);
        }
    }

    /// Where the plain product leaves the middle of the range, the powers of two are taken out of both factors first.
    #[cold]
    fn multiply_far(&mut self, factor: Complex64) {
        if !(factor.re.is_finite() && factor.im.is_finite()) {
            return self.multiply_beyond(factor);
        }
        let ((factor, e1), (mantissa, e2)) = (normalised(factor), normalised(self.mantissa));
        self.mantissa = if self.complex { mantissa * factor } else { Complex64::new(mantissa.re * factor.re, 0.0) };
        self.exponent += e1 + e2;
    }

    /// An infinite pivot leaves its sign in the product of a real matrix, and none in that of a complex one.
    fn multiply_beyond(&mut self, factor: Complex64) {
        let size = factor.norm();
        self.beyond = Some(self.beyond.map_or(size, |beyond| beyond + size));
        if self.complex {
            self.mantissa = Complex64::new(f64::NAN, f64::NAN);
        } else if factor.re < 0.0 {
            self.mantissa = -self.mantissa;
        }
    }

    #[inline]
    fn negate_if(&mut self, odd: bool) {
        if odd {
            self.mantissa = -self.mantissa;
        }
    }

    fn sign_and_log<T: Scalar>(&self) -> Slogdet<T> {
        let size = self.mantissa.norm();
        if size == 0.0 {
            return Slogdet { sign: T::ZERO, logabsdet: T::Real::from_real(f64::NEG_INFINITY) };
        }
        let log = self.beyond.unwrap_or_else(|| size.ln() + self.exponent as f64 * std::f64::consts::LN_2);
        let sign = if self.complex { self.mantissa / size } else { Complex64::new(self.mantissa.re.signum(), 0.0) };
        Slogdet { sign: T::from_complex128(sign), logabsdet: T::Real::from_real(log) }
    }

    /// Logarithm of the size to base 10.
    fn log10(&self) -> f64 {
        self.mantissa.norm().log10() + self.exponent as f64 * std::f64::consts::LOG10_2
    }

    fn rounded<T: Scalar>(&self) -> T {
        if let Some(beyond) = self.beyond {
            let Slogdet { sign, .. } = self.sign_and_log::<T>();
            return T::from_complex128(sign.to_complex128() * beyond);
        }
        let (mantissa, e) = normalised(self.mantissa);
        let e = e + self.exponent;
        T::from_complex128(Complex64::new(scaled(mantissa.re, e), scaled(mantissa.im, e)))
    }
}

#[inline]
fn larger_part(z: Complex64) -> f64 {
    z.re.abs().max(z.im.abs())
}

/// `z = m 2^e` with the larger part of m between 1/2 and 1; zero as it is.
fn normalised(z: Complex64) -> (Complex64, i64) {
    let size = larger_part(z);
    if size == 0.0 {
        return (z, 0);
    }
    let e = exponent(size);
    // In two steps: 2^-e itself overflows for the smallest numbers.
    let (first, second) = (power_of_two(-e / 2), power_of_two(-e - -e / 2));
    (Complex64::new(z.re * first * second, z.im * first * second), e)
}

/// e with `x = m 2^e`, m between 1/2 and 1, for finite x > 0.
#[inline]
fn exponent(x: f64) -> i64 {
    let biased = (x.to_bits() >> 52) as i64;
    if biased == 0 { exponent(x * power_of_two(64)) - 64 } else { biased - 1022 }
}

/// `2^e`, |e| < 1023.
#[inline]
fn power_of_two(e: i64) -> f64 {
    f64::from_bits(((e + 1023) as u64) << 52)
}

/// `x 2^e` rounded once, infinite or zero where that is beyond the range.
fn scaled(x: f64, e: i64) -> f64 {
    match e {
        -1000..=1000 => x * power_of_two(e),
        1001.. => x * power_of_two(1000) * power_of_two((e - 1000).min(1000)),
        _ => x * power_of_two((e + 1000).max(-1000)) * power_of_two(-1000),
    }
}

/// The determinant of the first matrix met whose size no number of the type has: bits of its log10, 0 for none.
#[derive(Default)]
struct Beyond(AtomicU64);

impl Beyond {
    #[inline]
    fn note<T: Scalar>(&self, product: &Product, det: T) -> T {
        if !det.is_finite() || det == T::ZERO {
            self.look(product);
        }
        det
    }

    #[cold]
    fn look(&self, product: &Product) {
        if product.beyond.is_none() && product.mantissa.norm() > 0.0 {
            self.0.store(product.log10().to_bits(), Ordering::Relaxed);
        }
    }

    #[cold]
    fn warning<T: Scalar>(self) -> Option<Error> {
        let bits = self.0.into_inner();
        let log10 = f64::from_bits(bits);
        let (end, given) = if log10 > 0.0 { ("large", "inf") } else { ("small", "0") };
        let text =
            format!("the determinant, about 1e{log10:.0}, is too {end} for {}: {given} is returned", T::DTYPE.name());
        (bits != 0).then(|| {
            let cause = "the product of the pivots leaves the range of the type";
            Error::text(Code::ResultOverflow, "det", text).argument(Argument::at(0, "a")).because(cause)
        })
    }
}

/// One result a matrix, written side by side.
struct Results<R>(*mut R);
// SAFETY: each element is written once, by the worker that has its index.
unsafe impl<R: Send> Sync for Results<R> {}

fn run<T: Scalar, R: Send>(
    operation: &'static str,
    a: &Operand<'_, T>,
    results: &mut [R],
    options: CallOptions,
    finish: impl Fn(&Product) -> R + Sync,
) -> Result<Report> {
    let (rows, cols, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| {
        let n = require_square(operation, &a.view)?;
        let library = library()?;
        assert_eq!(results.len(), count, "one result a matrix");
        let small = n <= SMALL && library.has(Routine::Getc2, T::DTYPE);
        report.routine = if small { "getc2" } else { "getrf" };
        if n == 0 {
            results.iter_mut().for_each(|result| *result = finish(&Product::one::<T>()));
        }
        if n == 0 || count == 0 {
            return Ok(());
        }
        library.check_sizes(operation, &[n])?;
        let flipped = is_flipped(a.view.layout());
        let in_place = !small && works_in_place(library, a, flipped);
        if !in_place {
            report.count_copy(n * n * count);
        }
        let mut need = Need::default();
        let copy = if in_place { need.add(0) } else { need.add2(n, n) };
        let (row_pivots, col_pivots) = (need.add(n), need.add(n));
        let check = options.check_finite;
        let job = Job { operation, n, flipped, small, in_place, check, timed, copy, row_pivots, col_pivots };
        let plan = Plan {
            count,
            seconds_each: rough_seconds(2.0 / 3.0 * (n as f64).powi(3)),
            threshold: 0.0,
            contention: match n {
                _ if small => Contention::None,
                0..=23 => Contention::Heavy,
                24..=64 => Contention::Some,
                _ => Contention::None,
            },
            need,
        };
        let out = &Results(results.as_mut_ptr());
        let item = |worker: &Worker, index| {
            let (product, item) = job.one(a.view.matrix(index), worker)?;
            // SAFETY: `index` is below the number of results, and handed out once.
            unsafe { out.0.add(index).write(finish(&product)) };
            Ok(item)
        };
        batch::run(library, plan, report, item)?.conclude(report).map(|_| ())
    };
    call::<T, ()>(operation, (rows, cols, count), options, body).map(|((), report)| report)
}

/// The determinant of a triangular matrix: its diagonal says it exactly, while elimination of the transpose would
/// interchange rows and lose digits. A dense matrix is known for one after a few comparisons.
#[inline]
fn triangular<T: Scalar>(a: *const T, lda: usize, n: usize) -> Option<Product> {
    // SAFETY: the caller's matrix has n columns of n elements, `lda` apart.
    let column = |j: usize| unsafe { std::slice::from_raw_parts(a.add(j * lda), n) };
    let zero = |part: &[T]| part.iter().all(|&x| x == T::ZERO);
    if (0..n).all(|j| zero(&column(j)[j + 1..])) || (0..n).all(|j| zero(&column(j)[..j])) {
        let mut product = Product::one::<T>();
        (0..n).for_each(|j| product.multiply(column(j)[j]));
        return Some(product);
    }
    None
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    operation: &'static str,
    n: usize,
    flipped: bool,
    small: bool,
    in_place: bool,
    check: bool,
    timed: bool,
    copy: Slot<T>,
    row_pivots: Slot<i64>,
    col_pivots: Slot<i64>,
}

impl<T: Scalar> Job<T> {
    #[inline]
    fn one(&self, a: MatrixView<'_, T>, worker: &Worker) -> Result<(Product, Item)> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let (n, library) = (self.n, worker.library);
        let stored = if self.flipped { a.transposed() } else { a };
        let copy = worker.scratch.at(self.copy);
        // SAFETY: the scratch has room for the copy.
        let (address, lda, swept) = unsafe { take_in(stored, Part::Full, self.in_place, true, Want::Finite, copy) };
        if self.check && !swept.finite {
            return Err(non_finite(self.operation, Argument::at(0, "a"), a, Part::Full));
        }
        item.lap(&mut clock, Phase::Intake);
        // A NaN or Inf beside the diagonal spreads, as in elimination.
        if swept.finite
            && let Some(product) = triangular::<T>(address, lda, n)
        {
            item.lap(&mut clock, Phase::Compute);
            return Ok((product, item));
        }
        let (rows, cols) = (worker.scratch.at(self.row_pivots), worker.scratch.at(self.col_pivots));
        // SAFETY: the drivers' contract. Comparisons with NaN leave GETC2 without a pivot.
        let complete = self.small && swept.finite && unsafe { library.getc2(n, address, lda, rows, cols) } == 0;
        if !complete {
            if self.small {
                // A pivot below the rounding level was replaced: partial pivoting decides, on a fresh copy.
                // SAFETY: the copy fits where the first one was.
                unsafe { intake::copy(stored, Part::Full, address, lda, Want::Finite) };
            }
            // SAFETY: the drivers' contract.
            let info = unsafe { library.getrf(n, n, address, lda, rows) };
            if info < 0 {
                return Err(illegal_argument::<T>(self.operation, "getrf", info));
            }
            if info > 0 {
                item.lap(&mut clock, Phase::Compute);
                let mut zero = Product::one::<T>();
                zero.multiply(T::ZERO);
                return Ok((zero, item));
            }
        }
        let mut product = Product::one::<T>();
        for i in 0..n {
            // SAFETY: the diagonal, and the interchanges that the factorisation wrote (GETC2: n - 1 of each kind).
            unsafe {
                product.multiply(*address.add(i * (lda + 1)));
                if !complete || i + 1 < n {
                    product.negate_if(library.read_int_at(rows, i) != i as i64 + 1);
                }
                if complete && i + 1 < n {
                    product.negate_if(library.read_int_at(cols, i) != i as i64 + 1);
                }
            }
        }
        item.lap(&mut clock, Phase::Compute);
        Ok((product, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_beyond_the_range_of_numbers_on_its_way_is_exact_at_the_end() {
        let mut product = Product::one::<f64>();
        for factor in [1e300, 1e300, 1e-300, 5e-324, 1e-300, 1e300, -8.0, 2.0_f64.powi(1000), 2.0_f64.powi(74)] {
            product.multiply(factor);
        }
        let det: f64 = product.rounded();
        assert!((det / -8e300 - 1.0).abs() < 1e-15, "{det:e}");
    }

    #[test]
    fn what_is_too_large_or_too_small_at_the_end_is_infinite_zero_or_denormal() {
        for (x, e, expected) in [
            (0.5, 1024, 2.0_f64.powi(1023)),
            (0.5, 1025, f64::INFINITY),
            (-0.5, 9000, f64::NEG_INFINITY),
            (0.5, -1073, 5e-324),
            (0.75, -1060, 0.75 * 2.0_f64.powi(-1000) * 2.0_f64.powi(-60)),
            (0.5, -9000, 0.0),
        ] {
            assert_eq!(scaled(x, e), expected, "{x} 2^{e}");
        }
    }
}
