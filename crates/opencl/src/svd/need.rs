//! What a decomposition takes of a device, known before it begins.

use super::Vectors;
use crate::gpu::Gpu;
use lapack_ai_core::DType;

/// Rows up to which the reduction to bidiagonal form reads each column once: longer ones do not fit the registers of a work-group.
const LONGEST: usize = 8192;

/// Memory that [`super::svd`] needs beside the matrix itself, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// At most at once.
    pub total: usize,
    /// For the largest block.
    pub largest: usize,
}

/// What [`super::svd`] of an m x n matrix of the real type `dtype` needs.
pub fn need(gpu: &Gpu, [m, n]: [usize; 2], dtype: DType, vectors: Vectors) -> Need {
    let elements = counted([m, n], vectors, gpu.info().compute_units as usize);
    Need { total: elements.total.saturating_mul(dtype.size()), largest: elements.largest.saturating_mul(dtype.size()) }
}

/// As [`need`] in elements, on a device of `units` compute units.
fn counted([m, n]: [usize; 2], vectors: Vectors, units: usize) -> Need {
    let (l, k) = (m.max(n), m.min(n));
    let times = usize::saturating_mul;
    let (square, whole) = (times(k, k), times(l, k));
    if vectors != Vectors::Full && factorises_first(l, k) {
        // R, the inverse, G, its copy and two that are being made, beside the SVD of R; X and U.
        let small = counted([k, k], vectors, units);
        let factors = times(whole, if vectors == Vectors::Neither { 1 } else { 2 });
        let total = factors.saturating_add(times(square, 6)).saturating_add(small.total);
        return Need { total, largest: whole.max(small.largest) };
    }
    // P, Z and the parts of sums of the reduction.
    let sums = times(l, 70 + 2 * units).saturating_add(times(k, 70)).saturating_add(130 * units);
    let small = match vectors {
        Vectors::Neither => times(k, 16),
        _ => times(square, 6).saturating_add(times(k, 8)),
    };
    let columns = if vectors == Vectors::Full { l } else { k };
    let result = match vectors {
        Vectors::Neither => 0,
        _ => times(square, 2).saturating_add(times(l, columns)),
    };
    // Packed reflectors of a block, and its products.
    let reflectors = if vectors == Vectors::Neither { 0 } else { times(l.max(columns), 100) };
    let peak = sums.max(small).max(result.saturating_add(reflectors));
    let largest = whole.max(times(l, columns)).max(square).max(sums);
    Need { total: whole.saturating_add(peak), largest }
}

/// Whether [`super::svd`] of an l x s matrix, l >= s, begins with its QR factorisation: where the reduction would read
/// columns twice, and where the reduction of R is so much shorter that it pays.
pub fn factorises_first(l: usize, s: usize) -> bool {
    l > s && (l > LONGEST || (s >= 1024 && l >= 2 * s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_what_is_wanted_and_with_every_side() {
        let all = [Vectors::Neither, Vectors::Thin, Vectors::Full];
        for shape in [[100, 100], [3000, 200], [8000, 8000], [1_000_000, 100]] {
            let totals = all.map(|vectors| counted(shape, vectors, 132).total);
            assert!(totals.is_sorted(), "{shape:?}: {totals:?}");
            for vectors in all {
                let [m, n] = shape;
                let of = |shape| counted(shape, vectors, 132);
                assert_eq!(of([m, n]), of([n, m]));
                assert!(of([2 * m, n]).total > of([m, n]).total && of([m, n]).largest >= m * n);
            }
        }
        // A copy, and six matrices of its order.
        let square = counted([8192, 8192], Vectors::Thin, 132);
        assert!((7.0..7.1).contains(&(square.total as f64 / (8192.0 * 8192.0))));
        assert_eq!(counted([usize::MAX, 5], Vectors::Full, 1).total, usize::MAX);
        let larger = counted([9000, 9000], Vectors::Thin, 132).total;
        assert!(larger > square.total && counted([20_000, 9000], Vectors::Thin, 132).total > larger);
    }
}
