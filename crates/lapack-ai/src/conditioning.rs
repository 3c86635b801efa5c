//! How ill-conditioned a system is, nearly for free.
//!
//! LAPACK's estimator (`xxCON`) needs about five pairs of triangular solves: 43 % of a solve at n = 256, 15 % at
//! n = 2000. Instead one more right-hand side d with random elements of zero mean and variance s^2 is solved along,
//! `A y = d`. Then (Dixon, SIAM J. Numer. Anal. 20, 1983; Kenney and Laub, SIAM J. Sci. Comput. 15, 1994)
//!
//! ```text
//!     E ||y||_2^2 = s^2 ||inv(A)||_F^2,     P( ||y||_2 < s ||inv(A)||_2 / t ) = O(1 / t)
//! ```
//!
//! so `1 / (norm(A, 1) ||y||_2 / s)` is an estimate of rcond that is too optimistic by a factor t with probability about
//! 1/t only. `xxCON` runs where the estimate falls below sqrt(eps), ten times that in double precision: a matrix singular
//! to working precision would have to be missed by t = 7e8 there, 3e3 in single precision, and one with rcond = 1e-10 in
//! double by 1e3.
//!
//! With complete pivoting (n <= 8) the pivots tell for sure and for nothing: L and the rows of U, divided by their pivots,
//! have no element above 1, so that `rcond >= |u_nn| / |u_11| / (n 4^(n-1))`. In double precision that stays far above eps
//! where the ratio passes the screen.
//!
//! The elements of d are random in size as well as in sign. With signs alone, d is orthogonal to e_i - e_j half of the
//! time, and that is the null vector of the most common singular matrix of all, one with two equal rows.

use crate::batch::Outcome;
use crate::report::{RcondSource, Report};
use lapack_ai_core::{Argument, Code, Detail, Error, Real, Scalar};

/// Standard deviation of the elements of [`probe`]: signs times uniform on [1/2, 3/2], so the root of 13/12.
const DEVIATION: f64 = 1.040_832_999_733_066_5;

/// Writes the right-hand side d. The same for the same n: results are reproducible.
#[inline]
pub(crate) fn probe<T: Scalar>(d: *mut T, n: usize) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for i in 0..n {
        // xorshift64* (Vigna, ACM TOMS 42, 2016).
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let bits = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        let size = 0.5 + (bits >> 1) as f64 / (1_u64 << 52) as f64;
        // SAFETY: the caller gives n elements.
        unsafe { *d.add(i) = T::from_real(if bits & 1 == 0 { size } else { -size }) };
    }
}

/// rcond below which LAPACK's estimator is worth its price.
#[inline]
pub(crate) fn screen<T: Scalar>() -> f64 {
    // In single precision ten times as much would send ordinary matrices to the estimator.
    let margin = if T::Real::EPSILON < 1e-10 { 10.0 } else { 1.0 };
    margin * T::Real::EPSILON.sqrt()
}

/// rcond below which the result has no certain digit, and the user is warned. SciPy's threshold.
#[inline]
pub(crate) fn threshold<T: Scalar>() -> f64 {
    T::Real::EPSILON
}

/// The estimate from the first and last pivot of an LU factorisation with complete pivoting, n <= 8: `|u_nn| / |u_11|`.
#[inline]
pub(crate) fn from_pivots<T: Scalar>(first: T, last: T) -> f64 {
    let (first, last): (f64, f64) = (first.abs1().into(), last.abs1().into());
    last / first
}

/// The estimate from the solution y: `1 / (norm(A, 1) ||y||_2 / s)`. Zero if y overflowed.
#[inline]
pub(crate) fn from_probe<T: Scalar>(norm1: f64, y: *const T, n: usize) -> f64 {
    let mut sum = 0.0;
    for i in 0..n {
        // SAFETY: the caller gives n elements.
        let size: f64 = unsafe { *y.add(i) }.abs1().into();
        sum += size * size;
    }
    let norm = if sum.is_finite() { sum.sqrt() / DEVIATION } else { norm_scaled(y, n) / DEVIATION };
    if norm1 == 0.0 {
        return 0.0;
    }
    let rcond = 1.0 / norm / norm1;
    if rcond.is_nan() { 0.0 } else { rcond.min(1.0) }
}

/// The 2-norm of elements whose squares overflow.
#[cold]
fn norm_scaled<T: Scalar>(y: *const T, n: usize) -> f64 {
    // SAFETY: the caller gives n elements.
    let sizes = || (0..n).map(|i| unsafe { *y.add(i) }.abs1().into());
    let largest: f64 = sizes().fold(0.0, f64::max);
    largest * sizes().map(|size| (size / largest).powi(2)).sum::<f64>().sqrt()
}

/// What the probe's solution y says of a matrix with that 1-norm, or where it says too little, `estimator`.
#[inline]
pub(crate) fn judge<T: Scalar>(norm1: f64, y: *const T, n: usize, estimator: impl FnOnce() -> f64) -> Rcond {
    let rcond = from_probe(norm1, y, n);
    if rcond >= screen::<T>() {
        return Some((rcond, RcondSource::Probe));
    }
    let rcond = estimator();
    Some((if rcond.is_nan() { 0.0 } else { rcond }, RcondSource::Estimator))
}

/// Adds the warning for the matrices of `argument` whose rcond is below the threshold, if there are any.
#[inline]
pub(crate) fn warn_of<T: Scalar>(outcome: &Outcome, argument: Argument, report: &mut Report) {
    if let (Some((rcond, _, matrix)), false) = (outcome.worst, outcome.ill_conditioned.is_empty()) {
        let warning = ill_conditioned::<T>(report.operation, rcond, &outcome.ill_conditioned, report.batch, matrix);
        // What was found belongs to the worst matrix, unless two threads met equally bad ones.
        let found = outcome.found.as_ref().filter(|(_, of, _)| *of == matrix).map(|(_, _, found)| found.clone());
        report.warnings.push(warning.argument(argument).with_findings(found.unwrap_or_default()));
    }
}

/// The warning for a matrix with `rcond` below the threshold.
#[cold]
pub(crate) fn ill_conditioned<T: Scalar>(
    operation: &'static str,
    rcond: f64,
    listed: &[usize],
    batch: usize,
    matrix: usize,
) -> Error {
    Error::new(Code::IllConditioned, operation, Detail::Condition { rcond, eps: T::Real::EPSILON })
        .argument(lapack_ai_core::Argument::at(0, "a"))
        .in_batch(matrix, batch)
        .with_failed(if batch > 1 { listed.to_vec() } else { vec![] })
}

/// Estimate with its source.
pub(crate) type Rcond = Option<(f64, RcondSource)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_has_no_two_equal_elements_and_mean_zero() {
        let mut d = vec![0.0_f64; 4000];
        probe(d.as_mut_ptr(), d.len());
        let mean = d.iter().sum::<f64>() / d.len() as f64;
        let variance = d.iter().map(|x| x * x).sum::<f64>() / d.len() as f64;
        assert!(mean.abs() < 0.06, "{mean}");
        assert!((variance.sqrt() / DEVIATION - 1.0).abs() < 0.02, "{variance}");
        assert!(d.iter().all(|x| (0.5..=1.5).contains(&x.abs())));
        let mut sizes: Vec<u64> = d.iter().map(|x| x.abs().to_bits()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        assert_eq!(sizes.len(), d.len());
    }

    #[test]
    fn the_identity_is_perfectly_conditioned_up_to_the_estimates_spread() {
        let mut y = vec![0.0_f64; 100];
        probe(y.as_mut_ptr(), 100);
        let rcond = from_probe(1.0, y.as_ptr(), 100);
        assert!((0.05..=1.0).contains(&rcond), "{rcond}");
    }

    #[test]
    fn pivots_of_equal_size_mean_a_well_conditioned_matrix_and_a_small_last_one_does_not() {
        assert_eq!(from_pivots(-2.0_f64, 1.0), 0.5);
        assert!(from_pivots(4.0_f32, 1e-7) < screen::<f32>());
    }

    #[test]
    fn a_solution_that_overflows_counts_as_singular_and_a_large_one_does_not_overflow() {
        assert_eq!(from_probe(1.0, [f64::INFINITY, 1.0].as_ptr(), 2), 0.0);
        let rcond = from_probe(1e-200, [1e200_f64, 1e200].as_ptr(), 2);
        assert!((rcond - DEVIATION / 2.0_f64.sqrt()).abs() < 1e-12, "{rcond}");
    }
}
