//! The SVD of bidiagonal matrices on a real device: residual, orthogonality and order over families of matrices that are hard
//! in one way or another, and what happens where the divide and conquer does not answer.
//!
//! Faults are injected for the whole process, and each decomposition could meet one: tests go one by one.

mod common;

use common::matrices::{Layout, OnDevice, Random, check, numbers, ratio};
use common::{alone, gpu};
use lapack_ai_core::{Complex64, DType, Real, Scalar};
use lapack_ai_opencl::kernels::DeviceView;
use lapack_ai_opencl::kernels::gemm::gemm;
use lapack_ai_opencl::svd::{Bidiagonal, Plan, bidiagonal_svd, bidiagonal_svd_by, bidiagonalise};
use lapack_ai_opencl::{Block, Fault, FaultKind, Gpu, Trace, inject};
use std::f64::consts::PI;
use std::sync::OnceLock;

/// The device, opened once: building the kernels takes longer than all else.
fn device() -> Option<&'static Gpu> {
    static DEVICE: OnceLock<Option<Gpu>> = OnceLock::new();
    DEVICE.get_or_init(gpu).as_ref()
}

/// Runs a generic function for each real type that the device has.
macro_rules! real_types {
    ($gpu:expr, $function:ident) => {
        $function::<f32>($gpu);
        if $gpu.info().float64 {
            $function::<f64>($gpu);
        }
    };
}

/// A vector on the device.
fn vector<S: Scalar>(gpu: &Gpu, values: &[f64]) -> OnDevice<S> {
    OnDevice::new(gpu, Layout::ColMajor, [1, values.len(), 1], |_, i, _| values[i].into())
}

/// d and e.
type Diagonals = [Vec<f64>; 2];

/// A decomposition as it came from the device.
struct Found {
    sigma: Vec<f64>,
    /// U and V.
    vectors: Option<[Block; 2]>,
    /// The kernels that ran.
    kernels: Vec<&'static str>,
}

impl Found {
    fn ran(&self, kernel: &str) -> bool {
        self.kernels.contains(&kernel)
    }
}

/// Decomposes; d and e become what the type makes of them.
fn decompose<S: Scalar>(gpu: &Gpu, plan: &Plan, [d, e]: &mut Diagonals, vectors: bool) -> Result<Found, Fault> {
    let n = d.len();
    let diagonals = [vector::<S>(gpu, d), vector::<S>(gpu, e)];
    let trace = Trace::default();
    let svd = trace
        .enter(|| bidiagonal_svd_by(plan, gpu, [&diagonals[0].block, &diagonals[1].block], n, S::DTYPE, vectors))?;
    let sigma = numbers::<S>(gpu, &svd.sigma, n);
    for (values, on_device) in [d, e].into_iter().zip(&diagonals) {
        on_device.compare(gpu, |_, i, _, found| {
            values[i] = on_device.at(0, i, 0).re;
            assert_eq!(found.re.to_bits(), values[i].to_bits(), "the input is kept");
        });
    }
    assert_eq!((svd.u.is_some(), svd.v.is_some()), (vectors, vectors));
    let kernels = trace.spans().iter().map(|span| span.name).collect();
    Ok(Found { sigma, vectors: svd.u.zip(svd.v).map(|(u, v)| [u, v]), kernels })
}

/// The 1-norm of Q^T Q - I.
fn departure<S: Scalar>(gpu: &Gpu, q: &Block, n: usize) -> f64 {
    let product = gpu.alloc(n * n * size_of::<S>()).unwrap();
    let [q, c] = [q, &product].map(|block| DeviceView::col_major(block, S::DTYPE, [1, n, n]).unwrap());
    let (one, zero) = (Complex64::new(1.0, 0.0), Complex64::new(0.0, 0.0));
    gemm(gpu, one, (q.transposed(), false), (q, false), zero, c).unwrap();
    let gram = numbers::<S>(gpu, &product, n * n);
    let column = |j: usize| (0..n).map(|i| (gram[i + j * n] - f64::from(i == j)).abs()).sum();
    largest((0..n).map(column))
}

/// NaN if there is one.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most: f64, value| if value > most || value.is_nan() { value } else { most })
}

/// Checks order, residual and orthogonality of a decomposition: 1-norms, in units of n eps.
fn examine<S: Scalar>(gpu: &Gpu, what: &str, [d, e]: &Diagonals, found: &Found) {
    let (n, sigma) = (d.len(), &found.sigma);
    assert!(sigma.iter().all(|s| *s >= 0.0 && s.is_finite()), "{what}: {sigma:?}");
    assert!(sigma.is_sorted_by(|a, b| a >= b), "{what}: not in descending order");
    let Some(vectors) = &found.vectors else { return };
    let norm = if sigma[0] > 0.0 { sigma[0] } else { 1.0 };
    let unit = n as f64 * S::Real::EPSILON;
    let [u, v] = vectors.each_ref().map(|block| numbers::<S>(gpu, block, n * n));
    let column = |j: usize| -> f64 {
        let (u, v) = (&u[j * n..][..n], &v[j * n..][..n]);
        let image = |i: usize| d[i] / norm * v[i] + if i + 1 < n { e[i] / norm * v[i + 1] } else { 0.0 };
        (0..n).map(|i| (image(i) - sigma[j] / norm * u[i]).abs()).sum()
    };
    check(&format!("{what}: B V - U S"), largest((0..n).map(column)) / unit);
    for (name, block) in ["U", "V"].into_iter().zip(vectors) {
        check(&format!("{what}: orthogonality of {name}"), departure::<S>(gpu, block, n) / unit);
    }
}

/// Decomposes and checks, with and without vectors, which must agree.
fn accept<S: Scalar>(gpu: &Gpu, plan: &Plan, what: &str, mut case: Diagonals) -> Found {
    let what = format!("{what} {} {}", case[0].len(), S::DTYPE.name());
    let [with, alone] = [true, false].map(|vectors| decompose::<S>(gpu, plan, &mut case, vectors).unwrap());
    for found in [&with, &alone] {
        examine::<S>(gpu, &what, &case, found);
        assert!(found.ran("qr_leaves") && !found.ran("qr_sweeps"), "{what}: {:?}", found.kernels);
        assert_eq!(found.ran("secular_roots"), case[0].len() > plan.leaf, "{what}");
    }
    same_values::<S>(&what, &with.sigma, &alone.sigma);
    with
}

fn same_values<S: Scalar>(what: &str, values: &[f64], others: &[f64]) {
    let off = largest(values.iter().zip(others).map(|(a, b)| (a - b).abs()));
    check(&format!("{what}: values"), ratio::<S>(off, values.len(), values[0]));
}

/// Diagonals with about the singular values `spectrum`: that of an orthogonal matrix times a diagonal times an orthogonal one.
fn with_spectrum<S: Scalar>(gpu: &Gpu, spectrum: &[f64], random: &mut Random) -> Diagonals {
    let n = spectrum.len();
    let mut a = vec![0.0; n * n];
    (0..n).for_each(|i| a[i * (n + 1)] = spectrum[i]);
    for (along, across) in [(1, n), (n, 1), (1, n), (n, 1)] {
        // I - 2 w w^T / (w^T w) on every column, or every row.
        let w: Vec<f64> = (0..n).map(|_| random.uniform()).collect();
        let length: f64 = w.iter().map(|x| x * x).sum();
        for line in 0..n {
            let dot: f64 = (0..n).map(|k| a[line * across + k * along] * w[k]).sum();
            (0..n).for_each(|k| a[line * across + k * along] -= 2.0 * dot / length * w[k]);
        }
    }
    let a = OnDevice::<S>::new(gpu, Layout::ColMajor, [1, n, n], |_, i, j| a[i + j * n].into());
    let Bidiagonal { d, e, .. } = bidiagonalise(gpu, a.view()).unwrap();
    [numbers::<S>(gpu, &d, n), numbers::<S>(gpu, &e, n - 1)]
}

/// Matrices of order n that are hard in one way or another, by name. What the type cannot represent is left out.
fn families<S: Scalar>(gpu: &Gpu, n: usize) -> Vec<(&'static str, Diagonals)> {
    let mut random = Random::new(n as u64 + 17);
    let mut uniform = |count: usize| -> Vec<f64> { (0..count).map(|_| random.uniform().abs()).collect() };
    let (p, q, p2, q2) = (uniform(n), uniform(n), uniform(n), uniform(n));
    // Box and Muller's.
    let normal = |u: f64, v: f64| (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * PI * v).cos();
    let g = |i: usize| normal(p[i], q[i]);
    let h = |i: usize| normal(p2[i], q2[i]);
    let m = n.saturating_sub(1).max(1) as f64;
    let along = |i: usize| i as f64 / m;
    let back = |i: usize| (n - 1 - i) as f64 / m;
    let ten = |x: f64| 10_f64.powf(x);
    let mut all: Vec<(&'static str, Diagonals)> = Vec::new();
    let mut add = |name, d: &dyn Fn(usize) -> f64, e: &dyn Fn(usize) -> f64| {
        all.push((name, [(0..n).map(d).collect(), (0..n - 1).map(e).collect()]));
    };
    add("normal", &g, &h);
    add("uniform", &|i| p[i], &|i| q[i]);
    add("zero", &|_| 0.0, &|_| 0.0);
    add("identity", &|_| 1.0, &|_| 0.0);
    add("diagonal", &g, &|_| 0.0);
    add("superdiagonal", &|_| 0.0, &h);
    add("superdiagonal of ones", &|_| 0.0, &|_| 1.0);
    add("ones", &|_| 1.0, &|_| 1.0);
    add("difference", &|_| 1.0, &|_| -1.0);
    add("Jordan", &|_| 0.5, &|_| 1.0);
    add("graded down", &|i| ten(-300.0 * along(i)), &|i| ten(-300.0 * along(i)));
    add("graded up", &|i| ten(-300.0 * back(i)), &|i| ten(-300.0 * back(i + 1)));
    add("graded to eps", &|i| ten(-16.0 * along(i)), &|i| 0.7 * ten(-16.0 * along(i)));
    add("graded to 1e-8", &|i| g(i).signum() * ten(-8.0 * back(i)), &|i| ten(-8.0 * back(i + 1)));
    add("Wilkinson", &|i| i.abs_diff(n / 2) as f64, &|_| 1.0);
    add("glued Wilkinson", &|i| (i % 21).abs_diff(10) as f64, &|i| if i % 21 == 20 { 1e-7 } else { 1.0 });
    add("weakly coupled ones", &|_| 1.0, &|i| 1e-8 * h(i));
    add("coupled at eps", &|_| 1.0, &|i| 1e-15 * h(i));
    add("coupled about eps", &|_| 1.0, &|i| ten(-18.0 + 12.0 * q[i]));
    add("ones and eps", &|i| if p[i] < 0.5 { 1.0 } else { 1e-15 }, &|i| 1e-15 * h(i));
    add("split", &g, &|i| if q[i] < 0.1 { 0.0 } else { h(i) });
    add("zeros in d", &|i| if p2[i] < 0.1 { 0.0 } else { g(i) }, &h);
    add("last of d zero", &|i| if i == n - 1 { 0.0 } else { g(i) }, &h);
    add("first of d zero", &|i| if i == 0 { 0.0 } else { g(i) }, &h);
    add("one large", &|i| if i == n / 3 { 1e8 } else { g(i) }, &h);
    add("exponents down to -20", &|i| ten(-20.0 * p[i]), &|i| ten(-20.0 * q[i]));
    add("exponents of 30", &|i| h(i).signum() * ten(60.0 * p[i] - 30.0), &|i| ten(60.0 * q[i] - 30.0));
    add("tiny d", &|i| 1e-16 * g(i), &h);
    add("two values", &|i| 1.0 + (i % 2) as f64, &|i| 1e-3 * h(i));
    add("periodic", &|i| 1.0 + (i % 7) as f64 / 7.0, &|_| 0.3);
    add("small e", &|i| 1.0 + i as f64 / n as f64, &|i| 1e-4 * h(i));
    add("harmonic", &|i| 1.0 / (1.0 + i as f64), &|i| 1.0 / (2.0 + i as f64));
    if n <= 100 {
        let mut spectrum = |name, s: &dyn Fn(usize) -> f64| {
            let s: Vec<f64> = (0..n).map(s).collect();
            all.push((name, with_spectrum::<S>(gpu, &s, &mut random)));
        };
        spectrum("one and a cluster", &|i| if i == 0 { 1.0 } else { 1e-10 });
        spectrum("arithmetic", &|i| 1.0 - i as f64 / n as f64);
        spectrum("geometric", &|i| ten(-16.0 * along(i)));
        spectrum("pairs", &|i| 1.0 + (i / 2) as f64);
        spectrum("a quarter of the rank", &|i| if i < n.div_ceil(4) { 1.0 + i as f64 } else { 0.0 });
    }
    all.retain(|(_, case)| case.iter().flatten().all(|&x| S::from_real(x).to_complex128().re.is_finite()));
    all
}

fn family<S: Scalar>(gpu: &Gpu, name: &str, n: usize) -> Diagonals {
    families::<S>(gpu, n).into_iter().find(|(known, _)| *known == name).expect("a family of that name").1
}

#[test]
fn every_family_is_decomposed_at_sizes_about_those_of_leaves_and_merges() {
    fn all<S: Scalar>(gpu: &Gpu) {
        for n in [1, 2, 3, 31, 32, 33, 64, 65, 100, 257] {
            for (name, case) in families::<S>(gpu, n) {
                accept::<S>(gpu, &Plan::of(gpu), name, case);
            }
        }
    }
    let _alone = alone();
    let Some(gpu) = device() else { return };
    real_types!(gpu, all);
}

#[test]
fn deep_trees_roots_of_several_work_items_and_general_products_are_as_accurate() {
    fn all<S: Scalar>(gpu: &Gpu) {
        let plan = Plan { leaf: 5, grouped: 40, lanes: 32 };
        for (name, case) in families::<S>(gpu, 131) {
            let found = accept::<S>(gpu, &plan, name, case);
            assert!(found.ran("merge_multiply") && found.kernels.iter().any(|name| name.starts_with("gemm")));
        }
    }
    let _alone = alone();
    let Some(gpu) = device() else { return };
    real_types!(gpu, all);
}

#[test]
fn larger_matrices_are_decomposed_by_grouped_and_general_products() {
    fn some<S: Scalar>(gpu: &Gpu) {
        for (name, n, general) in [("normal", 512, false), ("normal", 700, true), ("Jordan", 700, true)] {
            let found = accept::<S>(gpu, &Plan::of(gpu), name, family::<S>(gpu, name, n));
            assert!(found.ran("merge_multiply"), "{n}");
            assert_eq!(found.kernels.iter().any(|name| name.starts_with("gemm")), general, "{n}");
        }
    }
    let _alone = alone();
    let Some(gpu) = device() else { return };
    real_types!(gpu, some);
}

#[test]
fn known_singular_values_are_found() {
    fn ones<S: Scalar>(gpu: &Gpu) {
        for n in [1, 2, 10, 33, 150] {
            // B^T B has 2 on the diagonal but for one 1, and 1 beside it.
            let known: Vec<f64> = (1..=n).map(|k| 2.0 * (k as f64 * PI / (2 * n + 1) as f64).cos()).collect();
            let mut case = [vec![1.0; n], vec![1.0; n - 1]];
            let found = decompose::<S>(gpu, &Plan::of(gpu), &mut case, false).unwrap();
            same_values::<S>(&format!("ones {n}"), &known, &found.sigma);
        }
    }
    let _alone = alone();
    let Some(gpu) = device() else { return };
    real_types!(gpu, ones);
}

#[test]
fn a_matrix_of_any_scale_has_the_scaled_values() {
    fn scaled<S: Scalar>(gpu: &Gpu) {
        // The smallest of the scaled values are still normal numbers.
        let exponents = if S::DTYPE.is_double() { [1000, -900] } else { [120, -80] };
        let plan = Plan::of(gpu);
        let mut plain = family::<S>(gpu, "uniform", 70);
        let plain_values = decompose::<S>(gpu, &plan, &mut plain, true).unwrap().sigma;
        for scale in exponents.map(|exponent| 2_f64.powi(exponent)) {
            let case = plain.each_ref().map(|x| x.iter().map(|x| scale * x).collect());
            let found = accept::<S>(gpu, &plan, &format!("scaled by {scale:e}"), case);
            assert!(found.sigma.iter().zip(&plain_values).all(|(s, plain)| *s == scale * plain), "{scale:e}");
        }
    }
    let _alone = alone();
    let Some(gpu) = device() else { return };
    real_types!(gpu, scaled);
}

#[test]
fn the_same_matrix_gives_the_same_bits() {
    fn twice<S: Scalar>(gpu: &Gpu) {
        for plan in [Plan::of(gpu), Plan { leaf: 5, grouped: 40, lanes: 32 }] {
            let once = || {
                let found = decompose::<S>(gpu, &plan, &mut family::<S>(gpu, "Jordan", 131), true).unwrap();
                let [u, v] = found.vectors.unwrap();
                [found.sigma, numbers::<S>(gpu, &u, 131 * 131), numbers::<S>(gpu, &v, 131 * 131)]
                    .map(|values| values.into_iter().map(f64::to_bits).collect::<Vec<_>>())
            };
            let first = once();
            assert!((0..3).all(|_| once() == first), "{plan:?}");
        }
    }
    let _alone = alone();
    let Some(gpu) = device() else { return };
    real_types!(gpu, twice);
}

#[test]
fn nan_and_inf_are_refused_and_the_device_goes_on() {
    fn refused<S: Scalar>(gpu: &Gpu) {
        for n in [2, 100] {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                for (which, vectors) in [(0, true), (1, true), (0, false), (1, false)] {
                    let mut case = [vec![1.0; n], vec![1.0; n - 1]];
                    case[which][n / 2 - 1] = bad;
                    let [d, e] = case.map(|values| vector::<S>(gpu, &values));
                    let fault = bidiagonal_svd(gpu, &d.block, &e.block, n, S::DTYPE, vectors).unwrap_err();
                    assert_eq!(fault.kind, FaultKind::NotFinite, "{fault}");
                    assert!(fault.text.contains("NaN or Inf") && !fault.kind.counts_against_device());
                }
            }
        }
        accept::<S>(gpu, &Plan::of(gpu), "after a refusal", family::<S>(gpu, "normal", 50));
    }
    let _alone = alone();
    let Some(gpu) = device() else { return };
    real_types!(gpu, refused);
}

#[test]
fn where_divide_and_conquer_fails_qr_iteration_on_the_whole_matrix_answers() {
    fn fallback<S: Scalar>(gpu: &Gpu) {
        let plan = Plan::of(gpu);
        for n in [1, 2, 40, 90] {
            for name in ["normal", "zeros in d", "graded up", "Jordan", "zero", "coupled about eps", "Wilkinson"] {
                let what = format!("fallback {name} {n} {}", S::DTYPE.name());
                let mut case = family::<S>(gpu, name, n);
                let [with, alone] = [true, false].map(|vectors| {
                    inject("wrong", 1);
                    let found = decompose::<S>(gpu, &plan, &mut case, vectors).unwrap();
                    assert!(found.ran("qr_sweeps") && found.ran("qr_apply") == vectors, "{what}: {:?}", found.kernels);
                    examine::<S>(gpu, &what, &case, &found);
                    found
                });
                same_values::<S>(&what, &with.sigma, &alone.sigma);
                let divided = decompose::<S>(gpu, &plan, &mut case, false).unwrap();
                same_values::<S>(&what, &divided.sigma, &with.sigma);
            }
        }
    }
    let _alone = alone();
    let Some(gpu) = device() else { return };
    real_types!(gpu, fallback);
}

#[test]
fn an_empty_matrix_has_no_values() {
    let _alone = alone();
    let Some(gpu) = device() else { return };
    let empty = vector::<f32>(gpu, &[]);
    let svd = bidiagonal_svd(gpu, &empty.block, &empty.block, 0, DType::Float32, true).unwrap();
    assert!(svd.u.is_some() && svd.v.is_some());
}

#[test]
fn what_does_not_fit_is_refused() {
    let _alone = alone();
    let Some(gpu) = device() else { return };
    let [d, short] = [vector::<f32>(gpu, &[1.0; 8]), vector::<f32>(gpu, &[1.0; 3])];
    let plan = Plan::of(gpu);
    let by = |plan, e: &OnDevice<f32>, n, dtype| {
        bidiagonal_svd_by(&plan, gpu, [&d.block, &e.block], n, dtype, true).map(|_| ()).map_err(|fault| fault.kind)
    };
    assert_eq!(by(plan, &d, 8, DType::Float32), Ok(()));
    let invalid = Err(FaultKind::Invalid);
    assert_eq!(by(plan, &short, 8, DType::Float32), invalid);
    assert_eq!(by(plan, &d, 8, DType::Complex64), invalid);
    assert_eq!(by(plan, &d, 1 << 21, DType::Float32), invalid);
    for plan in
        [Plan { leaf: 2, ..plan }, Plan { leaf: 33, ..plan }, Plan { lanes: 3, ..plan }, Plan { lanes: 512, ..plan }]
    {
        assert_eq!(by(plan, &d, 8, DType::Float32), invalid, "{plan:?}");
    }
}
