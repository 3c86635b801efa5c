//! Singular value decompositions by the device, checked against their definition.

use super::matrices::{Layout, OnDevice, check, numbers};
use lapack_ai_core::{Real, Scalar};
use lapack_ai_opencl::Gpu;
use lapack_ai_opencl::svd::{Svd, Vectors, svd};

/// Largest |x^T y - (x = y)| of columns of `length` elements.
pub(crate) fn orthogonality(vectors: &[f64], length: usize) -> f64 {
    let columns: Vec<&[f64]> = vectors.chunks_exact(length.max(1)).collect();
    let mut worst: f64 = 0.0;
    for (i, x) in columns.iter().enumerate() {
        for (j, y) in columns.iter().enumerate().skip(i) {
            let dot: f64 = x.iter().zip(*y).map(|(x, y)| x * y).sum();
            worst = worst.max((dot - f64::from(i == j)).abs());
        }
    }
    worst
}

/// Decomposes and checks |A - U S V^T|, U, V, the order of the values and that values alone are the same. Returns them.
pub(crate) fn decompose<S: Scalar>(
    gpu: &Gpu,
    what: &str,
    [m, n]: [usize; 2],
    layout: Layout,
    vectors: Vectors,
    mut value: impl FnMut(usize, usize) -> f64,
) -> Vec<f64> {
    let a = OnDevice::<S>::new(gpu, layout, [1, m, n], |_, i, j| value(i, j).into());
    let Svd { sigma, u, v } = svd(gpu, a.view(), vectors).unwrap();
    let k = m.min(n);
    let sigma = numbers::<S>(gpu, &sigma, k);
    let (left, right) = if vectors == Vectors::Full { (m, n) } else { (k, k) };
    let (u, v) = (numbers::<S>(gpu, &u.unwrap(), m * left), numbers::<S>(gpu, &v.unwrap(), n * right));
    let eps = S::Real::EPSILON;
    // max(m, n) would allow too much of a tall matrix, whose sums have errors of either sign.
    let size = match m.max(n) > 8192 {
        true => m.min(n) as f64 + (m.max(n) as f64).sqrt(),
        false => m.max(n).max(1) as f64,
    };
    let what = format!("{what}, {m} x {n} {layout:?} {vectors:?} {}", S::DTYPE.name());
    check(&format!("{what}: U"), orthogonality(&u, m) / (size * eps));
    check(&format!("{what}: V"), orthogonality(&v, n) / (size * eps));
    assert!(sigma.windows(2).all(|pair| pair[0] >= pair[1]) && sigma.iter().all(|x| *x >= 0.0), "{what}: {sigma:?}");
    let (mut off, mut norm): (f64, f64) = (0.0, 0.0);
    for i in 0..m {
        for j in 0..n {
            let sum: f64 = (0..k).map(|t| u[i + t * m] * sigma[t] * v[j + t * n]).sum();
            off = off.hypot(sum - a.at(0, i, j).re);
            norm = norm.hypot(a.at(0, i, j).re);
        }
    }
    check(&format!("{what}: A - U S V^T"), if off == 0.0 { 0.0 } else { off / (size * eps * norm) });
    let alone = svd(gpu, a.view(), Vectors::Neither).unwrap();
    assert!(alone.u.is_none() && alone.v.is_none());
    let alone = numbers::<S>(gpu, &alone.sigma, k);
    let apart = sigma.iter().zip(&alone).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    check(&format!("{what}: values alone"), if apart == 0.0 { 0.0 } else { apart / (size * eps * sigma[0]) });
    sigma
}
