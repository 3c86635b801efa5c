//! Rows and columns that are zero, multiples of one another, or of quite different size.
//!
//! With two fixed random vectors w and v, a line l (a row or a column) has the key `(w^T l) / (v^T l)`, which multiples of
//! one line share and others do not. Lines next to each other in the order of their keys are compared element by element:
//! O(mn) for the keys, O(n log n) to sort, and one comparison for each pair of neighbours with equal keys.

use lapack_ai_core::{Axis, Finding, MatrixView, Real, Scalar};

/// What is seen of one line.
#[derive(Clone, Copy, Default)]
struct Seen {
    largest: f64,
    smallest: f64,
    w: f64,
    v: f64,
    sum: f64,
    sizes: f64,
}

/// Everything found about rows and columns of `a`, the most telling first; `near` accepts multiples up to sqrt(eps)
/// instead of rounding only.
pub(super) fn look<T: Scalar>(a: MatrixView<'_, T>, near: bool) -> Vec<Finding> {
    let (rows, cols) = sweep(a);
    if rows.iter().all(|line| line.largest == 0.0) {
        return if rows.is_empty() { vec![] } else { vec![Finding::ZeroMatrix] };
    }
    let sides = [(Axis::Column, &cols), (Axis::Row, &rows)];
    let mut findings = Vec::new();
    findings.extend(sides.iter().filter_map(|(axis, lines)| zero(*axis, lines)));
    if findings.is_empty() {
        let across = [&rows, &cols];
        findings.extend(
            sides.iter().zip(across).filter_map(|((axis, lines), across)| equal(*axis, lines, across, a, near)),
        );
        // Equal columns of a symmetric matrix are equal rows, and one of the two says it.
        findings.truncate(1);
    }
    if findings.is_empty() {
        // Every row of a Laplacian, too.
        findings.extend(
            [(Axis::Row, &rows), (Axis::Column, &cols)].iter().find_map(|(axis, lines)| sums::<T>(*axis, lines)),
        );
    }
    findings.extend(sides.iter().filter_map(|(axis, lines)| scale::<T>(*axis, lines)));
    findings
}

fn sums<T: Scalar>(axis: Axis, lines: &[Seen]) -> Option<Finding> {
    let rounding = 4.0 * T::Real::EPSILON * lines.len() as f64;
    lines.iter().all(|line| line.sum.abs() <= rounding * line.sizes).then_some(Finding::ZeroSums { axis })
}

/// Weights in [1/2, 3/2) that no pattern of a matrix is orthogonal to.
fn weight(index: usize, salt: u64) -> f64 {
    // SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
    let mut z = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    0.5 + ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Sizes and keys of all rows and all columns. A key of complex elements takes real and imaginary part as two elements.
fn sweep<T: Scalar>(a: MatrixView<'_, T>) -> (Vec<Seen>, Vec<Seen>) {
    let (m, n) = (a.rows(), a.cols());
    let start = Seen { smallest: f64::INFINITY, ..Seen::default() };
    let (mut rows, mut cols) = (vec![start; m], vec![start; n]);
    let weights = |count: usize, salt| (0..count).map(|i| weight(i, salt)).collect::<Vec<f64>>();
    let longest = m.max(n);
    let (w, v) = (weights(longest, 1), weights(longest, 0xABCD));
    let mut note = |i: usize, j: usize| {
        let element = a.get(i, j);
        let (size, re) = (element.modulus(), element.re_f64());
        let im: f64 = element.im().into();
        let value = re + std::f64::consts::E * im;
        for (line, at) in [(&mut rows[i], j), (&mut cols[j], i)] {
            line.largest = line.largest.max(size);
            if size > 0.0 {
                line.smallest = line.smallest.min(size);
            }
            line.sum += value;
            line.sizes += size;
            line.w += w[at] * value;
            line.v += v[at] * value;
        }
    };
    // In the order of the memory.
    if a.row_stride().unsigned_abs() <= a.col_stride().unsigned_abs() {
        (0..n).for_each(|j| (0..m).for_each(|i| note(i, j)));
    } else {
        (0..m).for_each(|i| (0..n).for_each(|j| note(i, j)));
    }
    (rows, cols)
}

/// Whether the largest column is more than `factor` times the smallest.
#[cold]
pub(super) fn columns_differ<T: Scalar>(a: MatrixView<'_, T>, factor: f64) -> bool {
    let (_, cols) = sweep(a);
    let sizes = || cols.iter().map(|line| line.largest);
    sizes().fold(0.0, f64::max) > factor * sizes().fold(f64::INFINITY, f64::min)
}

fn zero(axis: Axis, lines: &[Seen]) -> Option<Finding> {
    let mut zeros = lines.iter().enumerate().filter(|(_, line)| line.largest == 0.0).map(|(index, _)| index);
    let index = zeros.next()?;
    Some(Finding::ZeroLine { axis, index, count: 1 + zeros.count() })
}

/// `across` are the lines of the other axis: what is small beside them is small.
fn equal<T: Scalar>(axis: Axis, lines: &[Seen], across: &[Seen], a: MatrixView<'_, T>, near: bool) -> Option<Finding> {
    let eps = T::Real::EPSILON;
    let tolerance = if near { eps.sqrt() } else { 8.0 * eps };
    let mut keys: Vec<(f64, usize)> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| (line.w / line.v, index))
        .filter(|(key, _)| key.is_finite())
        .collect();
    keys.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
    // Sums of that many products agree to so much only.
    let close = tolerance * 100.0 * (a.rows().max(a.cols()) as f64).sqrt();
    let mut pairs: Vec<(usize, usize, f64, bool)> = Vec::new();
    for pair in keys.windows(2) {
        if (pair[1].0 - pair[0].0).abs() > close * pair[0].0.abs().max(1.0) {
            continue;
        }
        let (first, second) = (pair[0].1.min(pair[1].1), pair[0].1.max(pair[1].1));
        if let Some(factor) = multiple(axis, (first, second), across, a, tolerance) {
            let exact = multiple(axis, (first, second), across, a, 8.0 * eps).is_some();
            pairs.push((second, first, factor, exact));
        }
    }
    let &(second, first, factor, exact) = pairs.iter().min_by_key(|(second, first, ..)| (*second, *first))?;
    Some(Finding::EqualLines { axis, first, second, factor, count: pairs.len(), exact })
}

/// The real factor with `second = factor * first`, if there is one.
fn multiple<T: Scalar>(
    axis: Axis,
    (first, second): (usize, usize),
    across: &[Seen],
    a: MatrixView<'_, T>,
    tolerance: f64,
) -> Option<f64> {
    let view = if axis == Axis::Column { a } else { a.transposed() };
    let length = view.rows();
    let at = |i: usize, j: usize| view.get(i, j);
    let peak = (0..length).max_by(|&x, &y| at(x, first).modulus().total_cmp(&at(y, first).modulus()))?;
    let ratio = at(peak, second).div(at(peak, first));
    let imaginary: f64 = ratio.im().into();
    let mut factor = ratio.re_f64();
    if imaginary.abs() > tolerance * factor.abs() || factor == 0.0 || !factor.is_finite() {
        return None;
    }
    if (factor.abs() - 1.0).abs() <= tolerance {
        factor = factor.signum();
    }
    let size = factor.abs() * at(peak, first).modulus();
    let scaled = T::from_real(factor);
    let agrees = |i: usize| {
        // Both scales count, so that neither one large row nor one large column hides that the rest differs.
        let allowed = tolerance * size.min(across[i].largest.max(f64::MIN_POSITIVE));
        at(i, second).sub(at(i, first).mul(scaled)).modulus() <= allowed
    };
    (0..length).all(agrees).then_some(factor)
}

fn scale<T: Scalar>(axis: Axis, lines: &[Seen]) -> Option<Finding> {
    let sizes = || lines.iter().enumerate().map(|(index, line)| (index, line.largest)).filter(|(_, size)| *size > 0.0);
    let largest = sizes().max_by(|x, y| x.1.total_cmp(&y.1).then(y.0.cmp(&x.0)))?;
    let smallest = sizes().min_by(|x, y| x.1.total_cmp(&y.1))?;
    (largest.1 * T::Real::EPSILON.sqrt() > smallest.1).then_some(Finding::Scale { axis, largest, smallest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, cols: usize, element: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        (0..rows * cols).map(|k| element(k / cols, k % cols)).collect()
    }

    fn noise(i: usize, j: usize) -> f64 {
        weight(31 * i + j, 7) - 1.0
    }

    fn found(data: &[f64], rows: usize, cols: usize) -> Vec<Finding> {
        look(MatrixView::row_major(data, rows, cols).unwrap(), false)
    }

    #[test]
    fn a_random_matrix_has_nothing_to_be_found() {
        assert_eq!(found(&matrix(40, 40, noise), 40, 40), []);
    }

    #[test]
    fn equal_columns_are_found_among_many_with_both_numbers() {
        let data = matrix(50, 40, |i, j| noise(i, if j == 27 { 3 } else { j }));
        let expected =
            Finding::EqualLines { axis: Axis::Column, first: 3, second: 27, factor: 1.0, count: 1, exact: true };
        assert_eq!(found(&data, 50, 40), [expected]);
    }

    #[test]
    fn a_row_that_is_a_multiple_of_another_is_found_with_its_factor() {
        let data = matrix(20, 30, |i, j| if i == 12 { -2.5 * noise(4, j) } else { noise(i, j) });
        let expected =
            Finding::EqualLines { axis: Axis::Row, first: 4, second: 12, factor: -2.5, count: 1, exact: true };
        assert_eq!(found(&data, 20, 30), [expected]);
    }

    #[test]
    fn a_large_row_does_not_make_columns_equal_that_differ_below_it() {
        let data = matrix(6, 6, |i, j| if i == 0 { 1e12 } else { noise(i, j) });
        let findings = look(MatrixView::row_major(&data, 6, 6).unwrap(), true);
        assert!(matches!(findings[..], [Finding::Scale { axis: Axis::Row, .. }]), "{findings:?}");
    }

    #[test]
    fn zero_lines_are_counted_and_a_zero_matrix_is_named_as_such() {
        let data = matrix(10, 10, |i, j| if j == 4 || j == 6 { 0.0 } else { noise(i, j) });
        assert_eq!(found(&data, 10, 10), [Finding::ZeroLine { axis: Axis::Column, index: 4, count: 2 }]);
        assert_eq!(found(&[0.0; 9], 3, 3), [Finding::ZeroMatrix]);
    }

    #[test]
    fn rows_of_other_units_are_found_with_both_ends() {
        let data = matrix(8, 8, |i, j| noise(i, j) * if i == 2 { 1e12 } else { 1.0 });
        let findings = found(&data, 8, 8);
        assert!(matches!(findings[..], [Finding::Scale { axis: Axis::Row, largest: (2, _), .. }]), "{findings:?}");
    }
}
