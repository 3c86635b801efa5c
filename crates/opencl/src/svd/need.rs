//! What a decomposition takes of a device, known before it begins.

use super::Vectors;
use crate::gpu::Gpu;
use lapack_ai_core::DType;

/// Rows that the reduction to bidiagonal form takes: longer columns do not fit the registers of a work-group.
pub(super) const LONGEST: usize = 8192;

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

/// Why [`super::svd`] does not take a matrix of this shape, in words; `None` if it does.
pub fn refusal([m, n]: [usize; 2], _vectors: Vectors) -> Option<String> {
    let l = m.max(n);
    (l > LONGEST).then(|| format!("a side of {l}, where {LONGEST} is the most"))
}

/// Whether [`super::svd`] of an l x s matrix, l >= s, begins with its QR factorisation: where there are more rows than the
/// reduction takes, and where the reduction of R is so much shorter that it pays.
pub fn factorises_first(l: usize, s: usize) -> bool {
    l > LONGEST || (s >= 1024 && l >= 2 * s)
}
