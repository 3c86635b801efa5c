//! The singular value decomposition of dense matrices on a real device, by LAPACK's ratios.

mod common;

use common::decomposed::decompose;
use common::gpu;
use common::matrices::{Layout, OnDevice, Random, check, numbers};
use lapack_ai_opencl::svd::{Svd, Vectors, svd};
use lapack_ai_opencl::{FaultKind, Gpu};

fn both(
    gpu: &Gpu,
    what: &str,
    shape: [usize; 2],
    layout: Layout,
    vectors: Vectors,
    value: impl Fn(usize, usize) -> f64,
) {
    decompose::<f32>(gpu, what, shape, layout, vectors, &value);
    if gpu.info().float64 {
        decompose::<f64>(gpu, what, shape, layout, vectors, &value);
    }
}

/// Uniform in [-1, 1), a function of the place.
fn noise(seed: u64) -> impl Fn(usize, usize) -> f64 {
    move |i, j| Random::new(seed + 1000 * i as u64 + j as u64 * 77_777).uniform()
}

#[test]
fn matrices_of_every_shape_and_layout_are_decomposed() {
    let Some(gpu) = gpu() else { return };
    let shapes = [[1, 1], [2, 2], [5, 1], [1, 5], [7, 3], [3, 7], [33, 33], [40, 65], [90, 60], [130, 129]];
    for (turn, shape) in shapes.into_iter().enumerate() {
        let layout = Layout::ALL[turn % Layout::ALL.len()];
        let vectors = [Vectors::Thin, Vectors::Full][turn % 2];
        both(&gpu, "random", shape, layout, vectors, noise(turn as u64));
    }
}

#[test]
fn singular_graded_clustered_and_extreme_matrices_are_decomposed() {
    let Some(gpu) = gpu() else { return };
    let thin = |what: &str, value: &dyn Fn(usize, usize) -> f64| {
        both(&gpu, what, [70, 60], Layout::RowMajor, Vectors::Thin, value);
    };
    let random = noise(5);
    thin("zero", &|_, _| 0.0);
    thin("identity", &|i, j| f64::from(i == j));
    thin("rank one", &|i, j| (i as f64 + 1.0) * (j as f64 - 20.0) / 100.0);
    thin("two equal columns", &|i, j| random(i, if j == 7 { 3 } else { j }));
    thin("graded rows", &|i, j| random(i, j) * 10_f64.powi(-(i as i32) / 6));
    thin("graded columns", &|i, j| random(i, j) * 10_f64.powi(-(j as i32) / 6));
    thin("all equal", &|_, _| 1.0);
    thin("Hilbert", &|i, j| 1.0 / (i + j + 1) as f64);
    thin("large", &|i, j| random(i, j) * 1e30);
    thin("small", &|i, j| random(i, j) * 1e-30);
    if gpu.info().float64 {
        for factor in [1e300, 1e-300, 5e-320] {
            // What is below the normal numbers has too few digits for a ratio of its own: the values are compared.
            let what = format!("{factor:e}");
            let value = |i: usize, j: usize| random(i, j) * factor;
            if factor > 1e-310 {
                decompose::<f64>(&gpu, &what, [40, 30], Layout::ColMajor, Vectors::Thin, value);
            } else {
                let a = OnDevice::<f64>::new(&gpu, Layout::ColMajor, [1, 40, 30], |_, i, j| value(i, j).into());
                let sigma = numbers::<f64>(&gpu, &svd(&gpu, a.view(), Vectors::Neither).unwrap().sigma, 30);
                assert!(sigma[0] > 2.0 * factor && sigma[0] < 20.0 * factor, "{sigma:?}");
            }
        }
    }
}

#[test]
fn known_singular_values_are_found() {
    let Some(gpu) = gpu() else { return };
    if !gpu.info().float64 {
        return;
    }
    // H D H with Householder reflectors H: the values are those of D, here six clusters.
    let (m, values) = (100, |t: usize| [1.0, 1.0 - 1e-9, 0.5, 1e-3, 1e-10, 0.0][t * 6 / 100]);
    let w: Vec<f64> = (0..m).map(|i| (i as f64 * 0.37).sin()).collect();
    let length: f64 = w.iter().map(|x| x * x).sum();
    let h = |i: usize, j: usize| f64::from(i == j) - 2.0 * w[i] * w[j] / length;
    let product = |i: usize, j: usize| (0..m).map(|t| h(i, t) * values(t) * h(t, j)).sum::<f64>();
    let sigma = decompose::<f64>(&gpu, "known", [m, m], Layout::ColMajor, Vectors::Thin, product);
    let worst = sigma.iter().enumerate().map(|(t, x)| (x - values(t)).abs()).fold(0.0, f64::max);
    check("known values", worst / (m as f64 * f64::EPSILON));
}

#[test]
fn a_nan_an_inf_and_complex_numbers_are_refused() {
    let Some(gpu) = gpu() else { return };
    for strange in [f64::NAN, f64::INFINITY] {
        let a = OnDevice::<f32>::new(&gpu, Layout::RowMajor, [1, 20, 9], |_, i, j| {
            if (i, j) == (13, 4) { strange.into() } else { 1.0.into() }
        });
        let fault = svd(&gpu, a.view(), Vectors::Thin).unwrap_err();
        assert_eq!(fault.kind, FaultKind::NotFinite);
    }
    let a = OnDevice::<lapack_ai_core::Complex32>::random(&gpu, Layout::RowMajor, [1, 4, 4], 1);
    assert_eq!(svd(&gpu, a.view(), Vectors::Thin).unwrap_err().kind, FaultKind::Invalid);
}

#[test]
fn a_matrix_without_elements_has_no_values() {
    let Some(gpu) = gpu() else { return };
    let a = OnDevice::<f32>::random(&gpu, Layout::RowMajor, [1, 5, 0], 1);
    let Svd { sigma, u, v } = svd(&gpu, a.view(), Vectors::Full).unwrap();
    drop(sigma);
    assert!(v.is_some());
    let u = numbers::<f32>(&gpu, &u.unwrap(), 25);
    assert!(u.iter().enumerate().all(|(z, x)| *x == f64::from(z % 6 == 0)), "{u:?}");
}
