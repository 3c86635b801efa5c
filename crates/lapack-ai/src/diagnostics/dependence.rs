//! Which rows or columns depend on which, from what a factorisation left.
//!
//! Partial pivoting exchanges rows only, so at a zero pivot k the columns of `P A = L U` tell: with `U_11` the leading k x k
//! block and `u` the first k elements of column k,
//!
//! ```text
//!     U_11 c = u,    A[:, k] = sum_i c_i A[:, i]
//! ```
//!
//! Where no pivot is exactly zero, `y = inv(A) d` for a random d is a null vector up to `rcond`, since the inverse
//! stretches the direction that A squeezes: `A y = d` is tiny beside `norm(A) norm(y)`, and the last column that takes part
//! is the sum of the others.

use lapack_ai_core::{Axis, Finding, MatrixView, Real, Scalar};
use std::marker::PhantomData;

/// The upper triangle of a column-major matrix.
#[derive(Clone, Copy)]
pub(crate) struct Triangle<'a, T> {
    address: *const T,
    ld: usize,
    memory: PhantomData<&'a T>,
}

impl<T: Scalar> Triangle<'_, T> {
    /// # Safety
    /// `address` points to a matrix of leading dimension `ld` that lives and is not written to while this does, and has as
    /// many columns as are asked for.
    pub(crate) unsafe fn new(address: *const T, ld: usize) -> Self {
        Self { address, ld, memory: PhantomData }
    }

    pub(super) fn get(&self, i: usize, j: usize) -> T {
        // SAFETY: `new`'s promise.
        unsafe { *self.address.add(i + j * self.ld) }
    }
}

/// Largest elements of the lines of `a` along `axis`; ones where it is not there.
fn sizes<T: Scalar>(a: Option<MatrixView<'_, T>>, axis: Axis, count: usize) -> Vec<f64> {
    let Some(a) = a else { return vec![1.0; count] };
    let view = if axis == Axis::Column { a } else { a.transposed() };
    (0..count).map(|j| (0..view.rows()).map(|i| view.get(i, j).modulus()).fold(0.0, f64::max)).collect()
}

/// From the zero pivot `k` of an LU factorisation.
pub(super) fn from_factor<T: Scalar>(
    u: Triangle<'_, T>,
    k: usize,
    axis: Axis,
    a: Option<MatrixView<'_, T>>,
) -> Option<Finding> {
    let mut c: Vec<T> = (0..k).map(|i| u.get(i, k)).collect();
    for j in (0..k).rev() {
        c[j] = c[j].div(u.get(j, j));
        let (above, solved) = c.split_at_mut(j);
        for (i, element) in above.iter_mut().enumerate() {
            *element = element.sub(u.get(i, j).mul(solved[0]));
        }
    }
    finding(axis, k, &c, a, T::Real::EPSILON.powf(0.6))
}

/// From an approximate null vector of `a`.
pub(super) fn from_null_vector<T: Scalar>(y: &[T], a: MatrixView<'_, T>) -> Option<Finding> {
    let sizes = sizes(Some(a), Axis::Column, y.len());
    let share = |j: usize| y[j].modulus() * sizes[j];
    let largest = (0..y.len()).map(share).fold(0.0, f64::max);
    let last = (0..y.len()).rev().find(|&j| share(j) > T::Real::EPSILON.powf(0.375) * largest)?;
    let c: Vec<T> = y[..last].iter().map(|&element| T::ZERO.sub(element.div(y[last]))).collect();
    finding(Axis::Column, last, &c, Some(a), T::Real::EPSILON.powf(0.375))
}

/// Line `index` as the sum of those before it with coefficients `c`, of which shares below `negligible` are noise.
fn finding<T: Scalar>(
    axis: Axis,
    index: usize,
    c: &[T],
    a: Option<MatrixView<'_, T>>,
    negligible: f64,
) -> Option<Finding> {
    let sizes = sizes(a, axis, index);
    let shares: Vec<f64> = c.iter().zip(&sizes).map(|(c, size)| c.modulus() * size).collect();
    let largest = shares.iter().copied().fold(0.0, f64::max);
    if !largest.is_finite() || largest == 0.0 {
        return None;
    }
    // A whole number blurred by rounding is meant.
    let clean =
        |value: f64| if (value - value.round()).abs() <= negligible * value.abs() { value.round() } else { value };
    let mut of: Vec<(usize, f64)> = (0..index)
        .filter(|&i| shares[i] > negligible * largest)
        .map(|i| (i, clean(if T::DTYPE.is_complex() { c[i].modulus() } else { c[i].re_f64() })))
        .collect();
    let residual = a.map_or(0.0, |a| residual(axis, index, c, a));
    if of.len() > 4 {
        of.sort_by(|x, y| shares[y.0].total_cmp(&shares[x.0]).then(x.0.cmp(&y.0)));
    }
    Some(Finding::Dependent { axis, index, of, residual })
}

/// `max |l_index - sum_i c_i l_i| / max |a|`, 0 where that is rounding.
fn residual<T: Scalar>(axis: Axis, index: usize, c: &[T], a: MatrixView<'_, T>) -> f64 {
    let view = if axis == Axis::Column { a } else { a.transposed() };
    let (mut worst, mut largest) = (0.0_f64, 0.0_f64);
    for i in 0..view.rows() {
        let mut rest = view.get(i, index);
        largest = largest.max(rest.modulus());
        for (j, &factor) in c.iter().enumerate() {
            let element = view.get(i, j);
            largest = largest.max(element.modulus());
            rest = rest.sub(element.mul(factor));
        }
        worst = worst.max(rest.modulus());
    }
    let relative = worst / largest;
    if relative <= 32.0 * (index + 1) as f64 * T::Real::EPSILON { 0.0 } else { relative }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_pivot_gives_the_columns_that_it_is_the_sum_of() {
        // A = L U with U's third column 2 times the first minus the second.
        let u = [4.0, 0.0, 0.0, 1.0, 3.0, 0.0, 7.0, -3.0, 0.0];
        // SAFETY: three columns of three elements.
        let triangle = unsafe { Triangle::new(u.as_ptr(), 3) };
        let found = from_factor::<f64>(triangle, 2, Axis::Row, None).unwrap();
        let expected = Finding::Dependent { axis: Axis::Row, index: 2, of: vec![(0, 2.0), (1, -1.0)], residual: 0.0 };
        assert_eq!(found, expected);
    }

    #[test]
    fn columns_that_take_no_part_in_a_null_vector_are_left_out() {
        let a = [1.0, 0.0, 2.0, 1.0, 0.0, 1.0, 0.0, 0.5, 3.0, 0.0, 1.0, 3.0, 1.0, 1.0, 0.0, 1.0];
        let a = MatrixView::row_major(&a, 4, 4).unwrap();
        let found = from_null_vector(&[-1e9_f64, 3.0, 2.0, 1e9], a).unwrap();
        let Finding::Dependent { index: 3, of, residual, .. } = found else { panic!("{found:?}") };
        assert_eq!(of, [(0, 1.0)]);
        assert!(residual > 0.1, "columns 0 and 3 differ in row 1: {residual}");
    }
}
