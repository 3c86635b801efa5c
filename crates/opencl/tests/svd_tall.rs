//! The singular value decomposition of matrices with many more rows than columns, which begins with Cholesky factors: well- and
//! ill-conditioned, of less than full rank, graded. Errors are in units of (n + sqrt(m)) eps, far below LAPACK's max(m, n) eps.

mod common;

use common::decomposed::decompose;
use common::gpu;
use common::matrices::{Layout, OnDevice, Random, check, numbers};
use lapack_ai_core::Scalar;
use lapack_ai_opencl::svd::{Svd, Vectors, svd};
use lapack_ai_opencl::{FaultKind, Gpu, Trace};

/// Rows that only this method takes.
const M: usize = 8500;

/// Uniform in [-1, 1), m x n, row by row.
fn random(m: usize, n: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    (0..m * n).map(|_| random.uniform()).collect()
}

/// A random matrix of well-conditioned columns, times diag(values), times an orthogonal matrix.
fn with_values(m: usize, values: &[f64], seed: u64) -> Vec<f64> {
    let n = values.len();
    let mut a = random(m, n, seed);
    a.iter_mut().enumerate().for_each(|(at, x)| *x *= values[at % n]);
    for turn in 1..4 {
        let w: Vec<f64> = random(1, n, seed + turn);
        let length: f64 = w.iter().map(|x| x * x).sum();
        for row in a.chunks_exact_mut(n) {
            let dot: f64 = row.iter().zip(&w).map(|(x, w)| x * w).sum();
            row.iter_mut().zip(&w).for_each(|(x, w)| *x -= 2.0 * dot / length * w);
        }
    }
    a
}

fn tall<S: Scalar>(gpu: &Gpu, what: &str, [m, n]: [usize; 2], layout: Layout, a: &[f64]) -> Vec<f64> {
    let trace = Trace::default();
    let value = |i: usize, j: usize| a[i * n + j];
    let values = trace.enter(|| decompose::<S>(gpu, what, [m, n], layout, Vectors::Thin, value));
    assert!(trace.spans().iter().any(|span| span.name == "cholesky_block"), "{what}");
    values
}

fn both(gpu: &Gpu, what: &str, shape: [usize; 2], layout: Layout, a: &[f64]) {
    tall::<f32>(gpu, what, shape, layout, a);
    if gpu.info().float64 {
        tall::<f64>(gpu, what, shape, layout, a);
    }
}

#[test]
fn random_matrices_of_every_width_and_layout_are_decomposed() {
    let Some(gpu) = gpu() else { return };
    for (turn, n) in [1, 2, 31, 32, 33, 70].into_iter().enumerate() {
        let layout = Layout::ALL[turn % Layout::ALL.len()];
        both(&gpu, "random", [M + 7 * turn, n], layout, &random(M + 7 * turn, n, turn as u64));
    }
}

#[test]
fn ill_conditioned_matrices_are_decomposed_and_their_values_found() {
    let Some(gpu) = gpu() else { return };
    for condition in [1e0, 1e3, 1e8, 1e12, 1e15, 1e18] {
        for n in [3, 40] {
            let spectra: [(&str, &dyn Fn(usize) -> f64); 3] = [
                ("geometric", &|t| f64::powf(condition, -(t as f64) / (n - 1) as f64)),
                ("one small", &|t| if t == n - 1 { 1.0 / condition } else { 1.0 }),
                ("one large", &|t| if t == 0 { 1.0 } else { 1.0 / condition }),
            ];
            for (name, value) in spectra {
                let values: Vec<f64> = (0..n).map(value).collect();
                both(&gpu, &format!("{name} {condition:e}"), [M, n], Layout::ColMajor, &with_values(M, &values, 3));
            }
        }
    }
}

#[test]
fn matrices_of_less_than_full_rank_are_decomposed() {
    let Some(gpu) = gpu() else { return };
    let n = 34;
    let plain = random(M, n, 9);
    let changed =
        |change: &dyn Fn(usize, usize) -> f64| -> Vec<f64> { (0..M * n).map(|at| change(at / n, at % n)).collect() };
    let cases: [(&str, Vec<f64>); 8] = [
        ("zero", changed(&|_, _| 0.0)),
        ("one element", changed(&|i, j| f64::from((i, j) == (77, 5)))),
        ("all equal", changed(&|_, _| 1.0)),
        ("zero columns", changed(&|i, j| if j % 5 == 2 { 0.0 } else { plain[i * n + j] })),
        ("equal columns", changed(&|i, j| plain[i * n + j % 9])),
        ("rank one", changed(&|i, j| plain[i * n] * (j as f64 + 1.0))),
        (
            "sums of columns",
            changed(&|i, j| if j < 20 { plain[i * n + j] } else { plain[i * n + j - 20] + plain[i * n + j - 19] }),
        ),
        ("few rows", changed(&|i, j| if i < 5 { plain[i * n + j] } else { 0.0 })),
    ];
    for (what, a) in &cases {
        if *what == "zero" {
            let a = OnDevice::<f32>::constant(&gpu, Layout::RowMajor, [1, M, n], 0.0);
            let Svd { sigma, u, v } = svd(&gpu, a.view(), Vectors::Thin).unwrap();
            assert!(numbers::<f32>(&gpu, &sigma, n).iter().all(|x| *x == 0.0));
            let unit = |block, rows: usize| {
                numbers::<f32>(&gpu, block, rows * n)
                    .iter()
                    .enumerate()
                    .all(|(at, x)| *x == f64::from(at % rows == at / rows))
            };
            let (u, v) = (u.unwrap(), v.unwrap());
            assert!(unit(&u, M) && unit(&v, n));
        } else {
            both(&gpu, what, [M, n], Layout::RowMajor, a);
        }
    }
}

#[test]
fn columns_that_differ_by_little_of_what_others_have_much_of_are_decomposed() {
    // R is ill-conditioned however its rows are scaled: its inverse would not do.
    let Some(gpu) = gpu() else { return };
    let n = 34;
    let mut a = random(M, n, 6);
    for row in a.chunks_exact_mut(n) {
        (row[1], row[20]) = (row[0] + 1e-5 * row[2], row[19] + 1e-4 * row[25]);
    }
    both(&gpu, "differences", [M, n], Layout::ColMajor, &a);
}

#[test]
fn graded_and_extreme_matrices_are_decomposed() {
    let Some(gpu) = gpu() else { return };
    let n = 40;
    let plain = random(M, n, 4);
    let graded = |power: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..M * n).map(|at| plain[at] * 10_f64.powf(power(at / n, at % n))).collect()
    };
    both(&gpu, "graded columns", [M, n], Layout::ColMajor, &graded(&|_, j| -(j as f64) / 2.0));
    both(&gpu, "graded the other way", [M, n], Layout::ColMajor, &graded(&|_, j| (j as f64 - n as f64) / 2.0));
    both(&gpu, "graded rows", [M, n], Layout::ColMajor, &graded(&|i, _| -(i as f64) / 400.0));
    both(&gpu, "large", [M, n], Layout::ColMajor, &graded(&|_, _| 30.0));
    both(&gpu, "small", [M, n], Layout::ColMajor, &graded(&|_, _| -30.0));
    if gpu.info().float64 {
        for power in [300.0, -300.0] {
            tall::<f64>(&gpu, "extreme", [M, n], Layout::ColMajor, &graded(&|_, _| power));
        }
        let columns = graded(&|_, j| -(j as f64) * 7.0);
        tall::<f64>(&gpu, "columns beyond the range of their squares", [M, n], Layout::ColMajor, &columns);
    }
}

#[test]
fn wide_matrices_are_taken_for_tall_ones() {
    let Some(gpu) = gpu() else { return };
    let a = random(20, M, 8);
    both(&gpu, "wide", [20, M], Layout::RowMajor, &a);
}

#[test]
fn a_matrix_takes_the_more_steps_the_worse_its_condition() {
    let Some(gpu) = gpu() else { return };
    let steps = |condition: f64| {
        let values: Vec<f64> = (0..20).map(|t| condition.powf(-f64::from(t) / 19.0)).collect();
        let data = with_values(M, &values, 2);
        let a = OnDevice::<f32>::new(&gpu, Layout::ColMajor, [1, M, 20], |_, i, j| data[i * 20 + j].into());
        let trace = Trace::default();
        trace.enter(|| svd(&gpu, a.view(), Vectors::Neither)).unwrap();
        trace.spans().iter().filter(|span| span.name == "take_upper").count()
    };
    let taken = [1.0, 30.0, 1e8].map(steps);
    assert!(taken[..2] == [1, 2] && taken[2] > 2 && taken[2] <= 5, "{taken:?}");
}

#[test]
fn the_same_matrix_gives_the_same_bits() {
    let Some(gpu) = gpu() else { return };
    let values: Vec<f64> = (0..20).map(|t| 10_f64.powi(-t)).collect();
    let data = with_values(M, &values, 1);
    let a = OnDevice::<f32>::new(&gpu, Layout::RowMajor, [1, M, 20], |_, i, j| data[i * 20 + j].into());
    let once = || {
        let Svd { sigma, u, v } = svd(&gpu, a.view(), Vectors::Thin).unwrap();
        [(sigma, 20), (u.unwrap(), M * 20), (v.unwrap(), 400)].map(|(block, count)| numbers::<f32>(&gpu, &block, count))
    };
    let first = once();
    assert!((0..2).all(|_| once() == first));
}

#[test]
fn a_known_spectrum_is_found() {
    let Some(gpu) = gpu() else { return };
    if !gpu.info().float64 {
        return;
    }
    // Columns of a Hadamard-like sign pattern are orthogonal: the values are the factors, times sqrt(m).
    let (m, n) = (16_384_usize, 30_usize);
    let factor = |t: usize| 10_f64.powi(-(t as i32) / 2);
    let sign = |i: usize, j: usize| if (i & (j + 1)).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
    let a: Vec<f64> = (0..m * n).map(|at| sign(at / n, at % n) * factor(at % n)).collect();
    let values = tall::<f64>(&gpu, "signs", [m, n], Layout::ColMajor, &a);
    let off = values.iter().enumerate().map(|(t, x)| (x / 128.0 - factor(t)).abs()).fold(0.0, f64::max);
    check("known values", off / ((n as f64 + 128.0) * f64::EPSILON));
}

#[test]
fn a_nan_is_refused() {
    let Some(gpu) = gpu() else { return };
    let a = OnDevice::<f32>::new(&gpu, Layout::RowMajor, [1, M, 3], |_, i, j| {
        if (i, j) == (8000, 1) { f64::NAN.into() } else { 1.0.into() }
    });
    assert_eq!(svd(&gpu, a.view(), Vectors::Thin).unwrap_err().kind, FaultKind::NotFinite);
}
