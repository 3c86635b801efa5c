//! Symmetry, and the smallest eigenvalue of a symmetric matrix by Lanczos' method.
//!
//! From a unit vector `q_1` and `beta_0 = 0`, Lanczos' recurrence (Parlett, The Symmetric Eigenvalue Problem, 1998, (13-1))
//!
//! ```text
//!     r_j = A q_j - beta_(j-1) q_(j-1),   alpha_j = q_j^H r_j,   r_j -= alpha_j q_j,   beta_j = norm(r_j),   q_(j+1) = r_j / beta_j
//! ```
//!
//! gives a tridiagonal `T_m` whose smallest eigenvalue theta is an upper bound of A's and near it after few steps, since
//! extreme eigenvalues come first. An eigenvalue of A lies within `rho = beta_m |s_m|` of theta, s_m being the last element
//! of T's eigenvector (Parlett, (13-20)), and within `rho^2 / gap` where the next eigenvalue is gap away (Theorem 11.7.1).
//! All q_j are kept orthogonal. Each step costs 2 n^2.
//!
//! A random `q_1` may miss an eigenvalue that is small beside the others. Where Cholesky's factorisation stopped at the minor
//! of order k, the leading block `A_11 = L L^H` of order k - 1 and the column `b` above the failing diagonal element `d` give
//! a better one:
//!
//! ```text
//!     v = [-inv(A_11) b; 1; 0],    v^H A v = d - b^H inv(A_11) b <= 0,
//! ```
//!
//! the pivot that failed, so that theta, below every Rayleigh quotient met, is no more than `v^H A v / v^H v`.

use super::dependence::Triangle;
use lapack_ai_core::{Finding, MatrixView, Real, Scalar};

/// Steps: enough for two digits of an extreme eigenvalue, few beside n.
const STEPS: usize = 24;
/// Pairs looked at after a success.
const SAMPLE: usize = 128;

/// The pair of elements that differ most from symmetry (`hermitian`: from each other's conjugates), or the triangle that is
/// empty; `lower` was read.
pub(super) fn asymmetry<T: Scalar>(a: MatrixView<'_, T>, lower: bool, hermitian: bool) -> Option<Finding> {
    let n = a.rows();
    let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
    judge(a, lower, hermitian, pairs)
}

/// As [`asymmetry`], from a sample of at most [`SAMPLE`] pairs: for calls that succeeded.
#[inline]
pub(crate) fn sampled_asymmetry<T: Scalar>(a: MatrixView<'_, T>, lower: bool, hermitian: bool) -> Option<Finding> {
    let n = a.rows();
    let count = n * n.saturating_sub(1) / 2;
    if count <= SAMPLE {
        return asymmetry(a, lower, hermitian);
    }
    // Along diagonals that wrap around: every row and every distance comes in turn.
    let pairs = (0..SAMPLE).map(move |k| {
        let i = k * n / SAMPLE;
        let distance = 1 + k % (n / 2);
        let j = (i + distance) % n;
        (i.max(j), i.min(j))
    });
    judge(a, lower, hermitian, pairs.filter(|(i, j)| i != j))
}

/// Whether `c` is a symmetric matrix with elements off its diagonal, which no triangular factor is. From a sample.
#[inline]
pub(crate) fn is_whole<T: Scalar>(c: MatrixView<'_, T>) -> bool {
    let n = c.rows();
    let count = SAMPLE.min(n);
    let pair = |k: usize| (k * n / count, (k * n / count + 1 + k % 3) % n);
    let pairs = || (0..count).map(pair).filter(|(i, j)| i != j);
    pairs().all(|(i, j)| c.get(i, j) == c.get(j, i).conj()) && pairs().any(|(i, j)| c.get(i, j) != T::ZERO)
}

/// Judges pairs `(i, j)` with `i > j`.
#[inline]
fn judge<T: Scalar>(
    a: MatrixView<'_, T>,
    lower: bool,
    hermitian: bool,
    pairs: impl Iterator<Item = (usize, usize)>,
) -> Option<Finding> {
    let (mut worst, mut at, mut largest) = (0.0_f64, (0, 0), 0.0_f64);
    let (mut below, mut above) = (0.0_f64, 0.0_f64);
    for (i, j) in pairs {
        let (here, there) = (a.get(i, j), a.get(j, i));
        let (size_here, size_there) = (here.modulus(), there.modulus());
        below = below.max(size_here);
        above = above.max(size_there);
        largest = largest.max(size_here).max(size_there);
        let mirrored = if hermitian { there.conj() } else { there };
        let difference = here.sub(mirrored).modulus();
        if difference > worst {
            (worst, at) = (difference, (i, j));
        }
    }
    // NaN in a triangle that is not read compares as equal: it says that nobody is to look there.
    if worst <= 1e3 * T::Real::EPSILON * largest || !largest.is_finite() {
        return None;
    }
    let (read, other) = if lower { (below, above) } else { (above, below) };
    if other == 0.0 {
        return None;
    }
    if read == 0.0 {
        return Some(Finding::EmptyTriangle { lower });
    }
    let (i, j) = at;
    let (here, there) = (a.get(j, i).to_complex128(), a.get(i, j).to_complex128());
    Some(Finding::NotSymmetric { row: j, col: i, here, there, hermitian: hermitian && T::DTYPE.is_complex() })
}

/// The part of Cholesky's factor that was there when it stopped.
#[derive(Clone, Copy)]
pub(crate) struct Stopped<'a, T> {
    /// The factor, column-major: L, or with `upper` U.
    pub(crate) factor: Triangle<'a, T>,
    pub(crate) upper: bool,
    /// Whether the factor is that of the transpose, for complex elements the conjugate.
    pub(crate) flipped: bool,
    /// The order of the minor that is not positive.
    pub(crate) order: usize,
}

impl<T: Scalar> Stopped<'_, T> {
    /// Element (i, j), i >= j, of the factor L of A itself.
    fn l(&self, i: usize, j: usize) -> T {
        let element = if self.upper { self.factor.get(j, i).conj() } else { self.factor.get(i, j) };
        if self.flipped { element.conj() } else { element }
    }

    /// v.
    fn direction(&self, a: MatrixView<'_, T>, lower: bool) -> Vec<T> {
        let (n, k) = (a.rows(), self.order - 1);
        let mut w: Vec<T> = (0..k).map(|i| if lower { a.get(k, i).conj() } else { a.get(i, k) }).collect();
        for j in 0..k {
            w[j] = w[j].div(self.l(j, j));
            for i in j + 1..k {
                w[i] = w[i].sub(self.l(i, j).mul(w[j]));
            }
        }
        for j in (0..k).rev() {
            for i in j + 1..k {
                w[j] = w[j].sub(self.l(i, j).conj().mul(w[i]));
            }
            w[j] = w[j].div(self.l(j, j));
        }
        let mut v: Vec<T> = w.into_iter().map(|element| T::ZERO.sub(element)).collect();
        v.push(T::ONE);
        v.resize(n, T::ZERO);
        v
    }
}

/// Where nothing better is known.
fn random_start<T: Scalar>(n: usize) -> Vec<T> {
    (0..n)
        .map(|i| T::from_real(if i % 2 == 0 { 1.0 } else { -2.0 } * (1.0 + ((i * 7919 + 1) % 101) as f64 / 101.0)))
        .collect()
}

/// The smallest eigenvalue of the Hermitian matrix in the triangle, about, with what makes it positive; `None` if it
/// seems to be positive.
pub(super) fn smallest_eigenvalue<T: Scalar>(
    a: MatrixView<'_, T>,
    lower: bool,
    stopped: Option<Stopped<'_, T>>,
) -> Option<Finding> {
    let n = a.rows();
    let norm = norm1(a, lower);
    if norm == 0.0 || !norm.is_finite() {
        return None;
    }
    let start = stopped.map(|stopped| stopped.direction(a, lower));
    let start = start.filter(|v| v.iter().all(|element| element.is_finite()));
    let (alpha, beta) = lanczos(a, lower, STEPS.min(n), start.unwrap_or_else(|| random_start(n)));
    let off = &beta[..alpha.len() - 1];
    let theta = of_tridiagonal(&alpha, off, norm, 1);
    let rho = beta[alpha.len() - 1] * last_component(&alpha, off, theta);
    let gap = of_tridiagonal(&alpha, off, norm, 2) - theta;
    let bound = rho.min(rho * rho / gap.max(f64::MIN_POSITIVE));
    let noise = T::Real::EPSILON * n as f64 * norm;
    let negligible = theta.abs() <= noise;
    if theta > noise {
        return None;
    }
    // The eigenvalue may lie below theta by the bound; 4 noise covers Cholesky's own rounding (Higham, Accuracy and
    // Stability of Numerical Algorithms, Theorem 10.7).
    let shift = 1.02 * theta.abs() + bound.min(theta.abs()) + 4.0 * noise;
    Some(Finding::SmallestEigenvalue { value: theta, shift: round_up(shift), negligible })
}

/// Two digits, never less than `value`.
fn round_up(value: f64) -> f64 {
    let unit = 10_f64.powi(value.log10().floor() as i32 - 1);
    let rounded = format!("{:.1e}", (value / unit).ceil() * unit);
    rounded.parse().unwrap_or(value)
}

fn norm1<T: Scalar>(a: MatrixView<'_, T>, lower: bool) -> f64 {
    let n = a.rows();
    let mut sums = vec![0.0; n];
    for i in 0..n {
        sums[i] += a.get(i, i).re_f64().abs();
        for j in 0..i {
            let size = if lower { a.get(i, j) } else { a.get(j, i) }.modulus();
            sums[i] += size;
            sums[j] += size;
        }
    }
    sums.into_iter().fold(0.0, f64::max)
}

/// `A x` from one triangle.
fn multiply<T: Scalar>(a: MatrixView<'_, T>, lower: bool, x: &[T], out: &mut [T]) {
    out.fill(T::ZERO);
    for i in 0..x.len() {
        out[i] = out[i].add(T::from_real(a.get(i, i).re_f64()).mul(x[i]));
        for j in 0..i {
            let element = if lower { a.get(i, j) } else { a.get(j, i).conj() };
            out[i] = out[i].add(element.mul(x[j]));
            out[j] = out[j].add(element.conj().mul(x[i]));
        }
    }
}

fn dot<T: Scalar>(x: &[T], y: &[T]) -> T {
    x.iter().zip(y).fold(T::ZERO, |sum, (&x, &y)| sum.add(x.conj().mul(y)))
}

/// alpha and beta of up to `steps` steps; the last beta is the residual's.
fn lanczos<T: Scalar>(a: MatrixView<'_, T>, lower: bool, steps: usize, start: Vec<T>) -> (Vec<f64>, Vec<f64>) {
    let n = a.rows();
    let mut basis: Vec<Vec<T>> = vec![unit(start).0];
    let (mut alpha, mut beta) = (Vec::new(), Vec::new());
    let mut r = vec![T::ZERO; n];
    let mut largest = 0.0_f64;
    while alpha.len() < steps {
        let q = basis.last().expect("the basis begins with one vector");
        multiply(a, lower, q, &mut r);
        alpha.push(dot(q, &r).re_f64());
        // Twice, so that the basis stays orthogonal to rounding.
        for _ in 0..2 {
            for known in &basis {
                let share = dot(known, &r);
                r.iter_mut().zip(known).for_each(|(r, &known)| *r = r.sub(share.mul(known)));
            }
        }
        let (next, length) = unit(std::mem::replace(&mut r, vec![T::ZERO; n]));
        largest = largest.max(length).max(alpha.last().copied().unwrap_or(0.0).abs());
        beta.push(length);
        if length <= T::Real::EPSILON * largest * n as f64 {
            // The basis spans an invariant subspace.
            break;
        }
        basis.push(next);
    }
    (alpha, beta)
}

fn unit<T: Scalar>(mut x: Vec<T>) -> (Vec<T>, f64) {
    let norm = dot(&x, &x).re_f64().sqrt();
    if norm > 0.0 {
        let scale = T::from_real(1.0 / norm);
        x.iter_mut().for_each(|element| *element = element.mul(scale));
    }
    (x, norm)
}

/// T's eigenvalue number `number`, from 1, smallest first: by bisection on the number of negative pivots of `T - x I`
/// (Sylvester's law of inertia). `2 norm` where there are not as many.
fn of_tridiagonal(alpha: &[f64], beta: &[f64], norm: f64, number: usize) -> f64 {
    let (mut low, mut high) = (-2.0 * norm, 2.0 * norm);
    let is_below = |x: f64| {
        let (mut pivot, mut negative) = (1.0, 0);
        for (i, &diagonal) in alpha.iter().enumerate() {
            let off = if i == 0 { 0.0 } else { beta[i - 1] };
            pivot = diagonal - x - off * off / pivot;
            if pivot < 0.0 {
                negative += 1;
            }
            if pivot == 0.0 {
                pivot = f64::MIN_POSITIVE;
            }
        }
        negative >= number
    };
    for _ in 0..120 {
        let middle = 0.5 * (low + high);
        if is_below(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    0.5 * (low + high)
}

/// Size of the last element of T's unit eigenvector for theta, by its three-term recurrence.
fn last_component(alpha: &[f64], beta: &[f64], theta: f64) -> f64 {
    let mut s = vec![1.0];
    for i in 0..alpha.len() - 1 {
        let before = if i == 0 { 0.0 } else { beta[i - 1] * s[i - 1] };
        s.push(((theta - alpha[i]) * s[i] - before) / beta[i]);
    }
    let norm = s.iter().map(|x| x * x).sum::<f64>().sqrt();
    let share = (s[s.len() - 1] / norm).abs();
    if share.is_finite() { share } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Q diag(lambda) Q^T` with the orthogonal `Q = I - 2 v v^T / (v^T v)`.
    fn with_spectrum(lambda: &[f64]) -> Vec<f64> {
        let n = lambda.len();
        let v: Vec<f64> = (0..n).map(|i| 1.0 + (i as f64 * 0.7).sin()).collect();
        let square: f64 = v.iter().map(|x| x * x).sum();
        let q = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / square;
        let entry = |i: usize, j: usize| (0..n).map(|k| q(i, k) * lambda[k] * q(j, k)).sum();
        (0..n * n).map(|k| entry(k / n, k % n)).collect()
    }

    #[test]
    fn the_smallest_eigenvalue_is_found_to_two_digits_and_the_shift_covers_it() {
        let n = 120;
        let mut lambda: Vec<f64> = (0..n).map(|i| 1.0 + i as f64 / 10.0).collect();
        lambda[77] = -2.1e-3;
        let data = with_spectrum(&lambda);
        let found = smallest_eigenvalue(MatrixView::row_major(&data, n, n).unwrap(), true, None).unwrap();
        let Finding::SmallestEigenvalue { value, shift, negligible } = found else { panic!("{found:?}") };
        assert!(value < 0.0 && shift > 2.1e-3 && shift < 0.1 && !negligible, "{value} {shift}");
        let small = with_spectrum(&[3.0, -0.5, 2.0, 8.0]);
        let found = smallest_eigenvalue(MatrixView::row_major(&small, 4, 4).unwrap(), false, None).unwrap();
        let Finding::SmallestEigenvalue { value, shift, .. } = found else { panic!("{found:?}") };
        assert!((value + 0.5).abs() < 1e-12 && (0.5..0.6).contains(&shift), "{value} {shift}");
    }

    #[test]
    fn the_failed_factorisation_points_at_an_eigenvalue_that_is_small_beside_the_others() {
        let n = 60;
        let mut lambda: Vec<f64> = (0..n).map(|i| 1.0 + 3.0 * i as f64).collect();
        lambda[31] = -2.1e-3;
        let data = with_spectrum(&lambda);
        let mut l = vec![0.0; n * n];
        let mut order = 0;
        for j in 0..n {
            let pivot = data[j * n + j] - (0..j).map(|k| l[j + k * n] * l[j + k * n]).sum::<f64>();
            if pivot <= 0.0 {
                order = j + 1;
                break;
            }
            l[j + j * n] = pivot.sqrt();
            for i in j + 1..n {
                let inner: f64 = (0..j).map(|k| l[i + k * n] * l[j + k * n]).sum();
                l[i + j * n] = (data[i * n + j] - inner) / l[j + j * n];
            }
        }
        // SAFETY: n columns of n elements.
        let factor = unsafe { Triangle::new(l.as_ptr(), n) };
        let stopped = Stopped { factor, upper: false, flipped: false, order };
        let a = MatrixView::row_major(&data, n, n).unwrap();
        let found = smallest_eigenvalue(a, true, Some(stopped)).unwrap();
        let Finding::SmallestEigenvalue { value, shift, .. } = found else { panic!("{found:?}") };
        assert!((-2.11e-3..-2e-3).contains(&value) && (2.1e-3..2.3e-3).contains(&shift), "{value} {shift}");
        assert_eq!(smallest_eigenvalue(a, true, None), None, "a random start misses it in so few steps");
    }

    #[test]
    fn a_semidefinite_matrix_has_an_eigenvalue_that_is_zero_to_rounding() {
        let data = with_spectrum(&[3.0, 0.0, 2.0, 8.0, 1.0]);
        let found = smallest_eigenvalue(MatrixView::row_major(&data, 5, 5).unwrap(), true, None);
        assert!(matches!(found, Some(Finding::SmallestEigenvalue { negligible: true, .. })), "{found:?}");
        let positive = with_spectrum(&[3.0, 0.5, 2.0, 8.0, 1.0]);
        assert_eq!(smallest_eigenvalue(MatrixView::row_major(&positive, 5, 5).unwrap(), true, None), None);
    }

    #[test]
    fn an_asymmetric_pair_is_named_and_a_stored_triangle_is_none() {
        let a = [1.0, 2.0, 3.0, 2.0, 1.0, 4.0, 3.0, 9.0, 1.0];
        let found = asymmetry(MatrixView::row_major(&a, 3, 3).unwrap(), true, true);
        assert_eq!(
            found,
            Some(Finding::NotSymmetric { row: 1, col: 2, here: 4.0.into(), there: 9.0.into(), hermitian: false })
        );
        let lower = [1.0, 0.0, 0.0, 2.0, 1.0, 0.0, 3.0, 9.0, 1.0];
        let lower = MatrixView::row_major(&lower, 3, 3).unwrap();
        assert_eq!(asymmetry(lower, true, true), None);
        assert_eq!(asymmetry(lower, false, true), Some(Finding::EmptyTriangle { lower: false }));
        let nan = f64::NAN;
        let unread = [1.0, nan, 2.0, 1.0];
        assert_eq!(asymmetry(MatrixView::row_major(&unread, 2, 2).unwrap(), true, true), None);
    }

    #[test]
    fn a_sample_finds_a_matrix_that_is_not_symmetric_at_all() {
        let n = 300;
        let data: Vec<f64> = (0..n * n).map(|k| ((k * 31) % 17) as f64).collect();
        assert!(sampled_asymmetry(MatrixView::row_major(&data, n, n).unwrap(), true, true).is_some());
    }
}
