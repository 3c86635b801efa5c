//! Whether a device's singular value decomposition is one.
//!
//! For a vector w whose elements are random, as far from 0 as from infinity,
//!
//! ```text
//! |A (V w) - U (S w)| <= c sigma_1 |w|      |V^T (V w) - w| <= c |w|      |U^T (U w) - w| <= c |w|
//! ```
//!
//! with `c = 256 max(m, n) eps`, some eight times the largest error that LAPACK's own tests allow. A residual or a departure
//! from orthogonality that is larger than rounding escapes only if w hides it, which for random reals has probability 0. It
//! takes six products of a matrix and a vector. Where only values are there, `|A|_F^2 = sum of sigma_i^2` is checked.

use super::verify::{next_random, seed};
use crate::ops::svd::Vectors;
use lapack_ai_core::{Real, Scalar};
use lapack_ai_opencl::kernels::DeviceView;
use lapack_ai_opencl::kernels::check::matvec;
use lapack_ai_opencl::kernels::norm::{Norm, norm};
use lapack_ai_opencl::svd::Svd;
use lapack_ai_opencl::{Block, Fault, FaultKind, Gpu};
use std::time::{Duration, Instant};

/// Errors in units of `max(m, n) eps` that count as rounding.
const SLACK: f64 = 256.0;

/// The factors on the device, k = min(m, n).
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    /// The k values.
    pub(super) sigma: &'a Block,
    /// The first k columns of U and of V.
    pub(super) vectors: Option<[DeviceView<'a>; 2]>,
}

impl<'a> Factors<'a> {
    /// Those of `a`.
    pub(super) fn new(a: DeviceView<'_>, svd: &'a Svd, vectors: Vectors) -> Result<Self, Fault> {
        let ([_, m, n], dtype) = (a.shape(), a.dtype());
        let k = m.min(n);
        let columns = |block, rows: usize| {
            let all = if vectors == Vectors::Full { rows } else { k };
            DeviceView::col_major(block, dtype, [1, rows, all])?.window(0, 0, rows, k)
        };
        let vectors = match (&svd.u, &svd.v) {
            (Some(u), Some(v)) => Some([columns(u, m)?, columns(v, n)?]),
            _ => None,
        };
        Ok(Self { sigma: &svd.sigma, vectors })
    }
}

/// A vector of the host on the device.
fn send<T: Scalar>(gpu: &Gpu, values: &[f64]) -> Result<Block, Fault> {
    let block = gpu.alloc((values.len() * size_of::<T>()).max(1))?;
    let bytes: Vec<u8> = match T::DTYPE.is_double() {
        true => values.iter().flat_map(|x| x.to_ne_bytes()).collect(),
        false => values.iter().flat_map(|x| (*x as f32).to_ne_bytes()).collect(),
    };
    gpu.write(&block, 0, &bytes)?;
    Ok(block)
}

fn fetch<T: Scalar>(gpu: &Gpu, block: &Block, count: usize) -> Result<Vec<f64>, Fault> {
    let mut bytes = vec![0; count * size_of::<T>()];
    gpu.read(block, 0, &mut bytes)?;
    Ok(match T::DTYPE.is_double() {
        true => bytes.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().expect("8 bytes"))).collect(),
        false => bytes.chunks_exact(4).map(|b| f32::from_ne_bytes(b.try_into().expect("4 bytes")).into()).collect(),
    })
}

/// A matrix times a vector.
fn product(gpu: &Gpu, a: DeviceView<'_>, x: &Block) -> Result<Block, Fault> {
    let ([_, rows, cols], dtype) = (a.shape(), a.dtype());
    let y = gpu.alloc(rows * dtype.size())?;
    let column = DeviceView::col_major(x, dtype, [1, cols, 1])?;
    matvec(gpu, (a, false), column, DeviceView::col_major(&y, dtype, [1, rows, 1])?)?;
    Ok(y)
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

/// Checks `factors` of `a`, in the real type `T`. Returns the time it took.
///
/// # Errors
/// `WrongResult` with what is wrong.
pub(super) fn check<T: Scalar>(gpu: &Gpu, a: DeviceView<'_>, factors: &Factors<'_>) -> Result<Duration, Fault> {
    let started = Instant::now();
    let [_, m, n] = a.shape();
    let k = m.min(n);
    if k == 0 {
        return Ok(started.elapsed());
    }
    let dtype = a.dtype();
    let eps = T::Real::EPSILON;
    let allowed = SLACK * m.max(n) as f64 * eps;
    let wrong = |what: &str, off: f64| {
        let text = format!("{} gave a wrong SVD: {what} by {off:.1e}", gpu.info().name);
        Err(Fault::new(FaultKind::WrongResult, text))
    };
    let sigma = fetch::<T>(gpu, factors.sigma, k)?;
    if !sigma.iter().all(|s| s.is_finite() && *s >= 0.0) || !sigma.is_sorted_by(|a, b| a >= b) {
        return wrong("the values are not in order", f64::NAN);
    }
    let largest = sigma[0];
    // Where sums of squares, or products, leave the range of the type nothing can be said.
    let range = if dtype.is_double() { 1e-140..1e140 } else { 1e-15..1e15 };
    let sayable = range.contains(&largest);
    let Some([u, v]) = factors.vectors else {
        if sayable {
            let whole = norm(gpu, Norm::Frobenius, a)?[0];
            let off = (length(sigma.iter().copied()) / whole - 1.0).abs();
            if off.is_nan() || off > allowed {
                return wrong("the sum of squares is off", off);
            }
        }
        return Ok(started.elapsed());
    };
    let mut state = seed();
    let w: Vec<f64> = (0..k)
        .map(|_| {
            let x = 0.5 + (next_random(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
            // The type's own number, so that the comparison is with what the device has.
            let x = T::from_real(x).re_f64();
            if next_random(&mut state) & 1 == 0 { x } else { -x }
        })
        .collect();
    let size = length(w.iter().copied());
    let w_block = send::<T>(gpu, &w)?;
    let times = |matrix: DeviceView<'_>, x: &Block| product(gpu, matrix, x);
    for (name, q) in [("V is not orthogonal", v), ("U is not orthogonal", u)] {
        let image = times(q, &w_block)?;
        let back = fetch::<T>(gpu, &times(q.transposed(), &image)?, k)?;
        let off = length(back.iter().zip(&w).map(|(x, y)| x - y)) / size;
        if off.is_nan() || off > allowed {
            return wrong(name, off);
        }
    }
    if sayable {
        let left = fetch::<T>(gpu, &times(a, &times(v, &w_block)?)?, m)?;
        let scaled: Vec<f64> = sigma.iter().zip(&w).map(|(s, w)| s * w).collect();
        let right = fetch::<T>(gpu, &times(u, &send::<T>(gpu, &scaled)?)?, m)?;
        let off = length(left.iter().zip(&right).map(|(x, y)| (x - y) / largest)) / size;
        if off.is_nan() || off > allowed {
            return wrong("A V is not U S", off);
        }
    }
    Ok(started.elapsed())
}
