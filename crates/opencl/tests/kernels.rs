//! Copies, sums, norms and checks on a real device against plain loops.

mod common;

use common::gpu;
use common::matrices::{Layout, OnDevice, Random, check, conj_if, ratio};
use lapack_ai_core::{Complex32, Complex64, Real, Scalar};
use lapack_ai_opencl::kernels::DeviceView;
use lapack_ai_opencl::kernels::check::{check_samples, matvec, matvec_abs};
use lapack_ai_opencl::kernels::copy::copy;
use lapack_ai_opencl::kernels::norm::{NonFiniteElements, Norm, nonfinite, norm};
use lapack_ai_opencl::kernels::scale::{axpby, scale};
use lapack_ai_opencl::{FaultKind, Gpu};

const SHAPES: [[usize; 3]; 10] = [
    [1, 0, 5],
    [2, 5, 0],
    [0, 3, 3],
    [1, 1, 1],
    [3, 1, 70],
    [1, 70, 1],
    [3, 7, 9],
    [2, 33, 65],
    [1, 64, 32],
    [70, 3, 2],
];

fn real_part_for<S: Scalar>(value: Complex64) -> Complex64 {
    if S::DTYPE.is_complex() { value } else { Complex64::new(value.re, 0.0) }
}

/// `value` in the precision of S.
fn rounded<S: Scalar>(value: Complex64) -> Complex64 {
    S::from_complex128(value).to_complex128()
}

#[test]
fn a_copy_moves_every_element_between_any_two_layouts_and_nothing_else() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for shape in SHAPES {
            for from in Layout::ALL {
                for to in Layout::ALL {
                    let conjugate = from != Layout::RowMajor;
                    let source = OnDevice::<S>::random(gpu, from, shape, 1);
                    let target = OnDevice::<S>::random(gpu, to, shape, 2);
                    copy(gpu, source.view(), conjugate, target.view()).unwrap();
                    target.compare(gpu, |t, i, j, found| {
                        let expected = conj_if(source.at(t, i, j), conjugate);
                        assert_eq!(found, expected, "{shape:?} {from:?} to {to:?} at {t}, {i}, {j}");
                    });
                }
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn a_copy_transposes_and_repeats_a_batch_of_one() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for layout in Layout::ALL {
            let source = OnDevice::<S>::random(gpu, layout, [1, 40, 67], 3);
            let target = OnDevice::<S>::random(gpu, Layout::RowMajor, [3, 67, 40], 4);
            copy(gpu, source.view().transposed(), false, target.view()).unwrap();
            target.compare(gpu, |_, i, j, found| assert_eq!(found, source.at(0, j, i), "{layout:?} at {i}, {j}"));
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn a_sum_is_right_in_every_layout_and_in_place() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let factors = [(0.0, 0.0), (1.0, 0.0), (-0.5, 0.25), (0.75, -2.0)].map(|(re, im)| Complex64::new(re, im));
        for (index, shape) in SHAPES.into_iter().enumerate() {
            let layout = Layout::ALL[index % 6];
            for (alpha, beta) in factors.iter().flat_map(|&alpha| factors.map(|beta| (alpha, beta))) {
                let (a, b) = (real_part_for::<S>(alpha), real_part_for::<S>(beta));
                let x = OnDevice::<S>::random(gpu, Layout::ColPadded, shape, 5);
                let y = OnDevice::<S>::random(gpu, layout, shape, 6);
                axpby(gpu, alpha, x.view(), beta, y.view()).unwrap();
                y.compare(gpu, |t, i, j, found| {
                    let (p, q) = (a * x.at(t, i, j), b * y.at(t, i, j));
                    let error = (found - p - q).norm();
                    check(&format!("axpby {shape:?} {layout:?}"), ratio::<S>(error, 2, p.norm() + q.norm()));
                });
                scale(gpu, alpha, x.view(), x.view()).unwrap();
                x.compare(gpu, |t, i, j, found| {
                    let product = a * x.at(t, i, j);
                    check(&format!("scale {shape:?}"), ratio::<S>((found - product).norm(), 1, product.norm()));
                });
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn a_factor_of_zero_does_not_read_in_a_sum_but_spreads_nan_in_a_multiple() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let (zero, two) = (Complex64::ZERO, Complex64::new(2.0, 0.0));
        let make = |value| OnDevice::<S>::constant(gpu, Layout::RowPadded, [2, 3, 5], value);
        let (ones, nans) = (make(1.0), make(f64::NAN));
        axpby(gpu, two, ones.view(), zero, nans.view()).unwrap();
        nans.compare(gpu, |_, _, _, found| assert_eq!(found.re, 2.0));
        let nans = make(f64::NAN);
        let more = make(f64::NAN);
        axpby(gpu, zero, nans.view(), zero, more.view()).unwrap();
        more.compare(gpu, |_, _, _, found| assert_eq!(found, zero));
        axpby(gpu, zero, nans.view(), two, ones.view()).unwrap();
        ones.compare(gpu, |_, _, _, found| assert_eq!(found.re, 2.0));
        scale(gpu, zero, nans.view(), ones.view()).unwrap();
        ones.compare(gpu, |_, _, _, found| assert!(found.re.is_nan()));
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

/// The four norms of matrix `t`, in the order of [`NORMS`], divided by `scale` so that double precision holds them.
fn reference_norms<S: Scalar>(a: &OnDevice<S>, t: usize, scale: f64) -> [f64; 4] {
    let [_, m, n] = a.shape;
    let modulus = |i, j| (a.at(t, i, j) / scale).norm();
    let squares: f64 = (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| modulus(i, j).powi(2)).sum();
    let cols = (0..n).map(|j| (0..m).map(|i| modulus(i, j)).sum()).fold(0.0, f64::max);
    let rows = (0..m).map(|i| (0..n).map(|j| modulus(i, j)).sum()).fold(0.0, f64::max);
    let most = (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| modulus(i, j)).fold(0.0, f64::max);
    [squares.sqrt(), most, cols, rows]
}

const NORMS: [Norm; 4] = [Norm::Frobenius, Norm::Max, Norm::One, Norm::Inf];

#[test]
fn norms_are_right_in_every_shape_and_layout() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let long = [[1, 9001, 2], [2, 3, 5000], [1, 300, 129]];
        for (index, shape) in SHAPES.into_iter().chain(long).enumerate() {
            for layout in [Layout::ALL[index % 6], Layout::ALL[(index + 1) % 6]] {
                let a = OnDevice::<S>::random(gpu, layout, shape, 7);
                for (k, which) in NORMS.into_iter().enumerate() {
                    let found = norm(gpu, which, a.view()).unwrap();
                    assert_eq!(found.len(), shape[0]);
                    for (t, found) in found.into_iter().enumerate() {
                        let expected = reference_norms(&a, t, 1.0)[k];
                        let what = format!("{which:?} norm of {shape:?} {layout:?}");
                        check(&what, ratio::<S>((found - expected).abs(), 1, expected));
                    }
                }
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn norms_neither_overflow_nor_underflow_before_their_result_does() {
    fn run<S: Scalar>(gpu: &Gpu) {
        // Both ends of the range, with room for the sums; and both ends in one matrix.
        let (large, small) = (1e-3 / S::Real::MIN_POSITIVE, 1e3 * S::Real::MIN_POSITIVE);
        for scale in [large, small] {
            let mut random = Random::new(8);
            let a = OnDevice::<S>::new(gpu, Layout::RowMajor, [2, 17, 9], |_, _, _| random.complex() * scale);
            for (k, which) in NORMS.into_iter().enumerate() {
                for (t, found) in norm(gpu, which, a.view()).unwrap().into_iter().enumerate() {
                    let expected = reference_norms(&a, t, scale)[k];
                    let what = format!("{which:?} norm at {scale:e}");
                    check(&what, ratio::<S>((found / scale - expected).abs(), 1, expected));
                }
            }
        }
        for others in [1.0, small] {
            let value = |_, i, j| Complex64::new(if i + j == 0 { large } else { others }, 0.0);
            let a = OnDevice::<S>::new(gpu, Layout::RowMajor, [1, 5, 5], value);
            let found = norm(gpu, Norm::Frobenius, a.view()).unwrap()[0];
            check("Frobenius norm of large and small elements", ratio::<S>((found / large - 1.0).abs(), 1, 1.0));
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn a_nan_makes_every_norm_nan_and_an_inf_makes_it_inf_in_its_own_matrix_only() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let strange = |t, i, j| match (t, i, j) {
            (1, 20, 3) => Complex64::new(0.5, 0.0) + f64::NAN,
            (1, 2, 5) | (2, 24, 8) => Complex64::new(f64::INFINITY, 0.0),
            _ => Complex64::new(1.0, 1.0),
        };
        for layout in [Layout::RowMajor, Layout::ColPadded] {
            let a = OnDevice::<S>::new(gpu, layout, [4, 25, 9], strange);
            for which in NORMS {
                let found = norm(gpu, which, a.view()).unwrap();
                assert!(found[0].is_finite() && found[3].is_finite(), "{which:?}: {found:?}");
                assert!(found[1].is_nan() && found[2] == f64::INFINITY, "{which:?}: {found:?}");
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn nan_and_inf_are_counted_and_the_first_in_c_order_is_named_in_every_layout() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for layout in Layout::ALL {
            let strange = |t, i, j| match (t, i, j) {
                (0, 300, 1) => Complex64::new(0.0, 0.0) + f64::NAN,
                (0, 7, 60) | (0, 8, 0) => Complex64::new(f64::NEG_INFINITY, 0.0),
                _ => Complex64::new(1.0, 0.0),
            };
            let a = OnDevice::<S>::new(gpu, layout, [2, 301, 61], strange);
            let expected =
                [NonFiniteElements { count: 3, first: Some((7, 60)) }, NonFiniteElements { count: 0, first: None }];
            assert_eq!(nonfinite(gpu, a.view()).unwrap(), expected, "{layout:?}");
        }
        let empty = OnDevice::<S>::random(gpu, Layout::RowMajor, [2, 0, 3], 9);
        assert_eq!(nonfinite(gpu, empty.view()).unwrap(), [NonFiniteElements { count: 0, first: None }; 2]);
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn an_imaginary_part_that_is_nan_is_found() {
    let Some(gpu) = gpu() else { return };
    for (re, im) in [(f64::INFINITY, f64::NAN), (f64::NAN, f64::INFINITY), (1.0, f64::NAN)] {
        let value = |_, i, j| if (i, j) == (1, 2) { Complex64::new(re, im) } else { Complex64::new(1.0, 0.0) };
        let a = OnDevice::<Complex32>::new(&gpu, Layout::RowMajor, [1, 2, 3], value);
        assert!(NORMS.iter().all(|&which| norm(&gpu, which, a.view()).unwrap()[0].is_nan()), "{re} + {im} i");
        assert_eq!(nonfinite(&gpu, a.view()).unwrap(), [NonFiniteElements { count: 1, first: Some((1, 2)) }]);
    }
}

#[test]
fn a_matrix_of_more_chunks_than_a_group_has_items_is_reduced_as_a_whole() {
    let Some(gpu) = gpu() else { return };
    // 269 chunks: the second stage takes some of them in a second round.
    let n = 1_100_000;
    for (early, late) in [(4.0, 3.0), (3.0, 4.0), (f64::NAN, f64::NAN)] {
        let value = |_, i, _| match i {
            5000 => Complex64::new(early, 0.0),
            i if i == n - 1 => Complex64::new(late, 0.0),
            _ => Complex64::new(1.0, 0.0),
        };
        let a = OnDevice::<f32>::new(&gpu, Layout::ColMajor, [1, n, 1], value);
        if early.is_nan() {
            let expected = NonFiniteElements { count: 2, first: Some((5000, 0)) };
            assert_eq!(nonfinite(&gpu, a.view()).unwrap(), [expected]);
            continue;
        }
        let sum = n as f64 - 2.0 + early + late;
        let squares = n as f64 - 2.0 + early * early + late * late;
        for (which, expected) in NORMS.into_iter().zip([squares.sqrt(), 4.0, sum, 4.0]) {
            let found = norm(&gpu, which, a.view()).unwrap()[0];
            check(&format!("{which:?} norm of a long vector"), ratio::<f32>((found - expected).abs(), 1, expected));
            let again = norm(&gpu, which, a.view()).unwrap()[0];
            assert_eq!(found.to_bits(), again.to_bits(), "the same bits in every run");
        }
    }
}

#[test]
fn a_sample_accepts_a_right_element_and_finds_a_wrong_one() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let alpha = Complex64::new(0.5, -1.5);
        let factor = rounded::<S>(alpha);
        for k in [0, 1, 63, 64, 65, 500] {
            for (conj_a, conj_b) in [(false, false), (true, false), (false, true), (true, true)] {
                let a = OnDevice::<S>::random(gpu, Layout::ColPadded, [2, 6, k], 10);
                let b = OnDevice::<S>::random(gpu, Layout::ColMajor, [1, k, 5], 11);
                let term = |t, i, j, l| conj_if(a.at(t, i, l), conj_a) * conj_if(b.at(t, l, j), conj_b);
                let sum = |t, i, j| factor * (0..k).map(|l| term(t, i, j, l)).sum::<Complex64>();
                let bound = |t, i, j| factor.norm() * (0..k).map(|l| term(t, i, j, l).norm()).sum::<f64>();
                let allowed = (k + 8) as f64 * S::Real::EPSILON;
                let wrong = |t, i, j| if (t, i, j) == (1, 4, 2) { 0.5 + 3.0 * allowed * bound(t, i, j) } else { 0.0 };
                let c = OnDevice::<S>::new(gpu, Layout::RowPadded, [2, 6, 5], |t, i, j| sum(t, i, j) + wrong(t, i, j));
                let positions = [[0, 0, 0], [5, 4, 1], [4, 2, 1], [3, 1, 0]];
                let (va, vb) = ((a.view(), conj_a), (b.view(), conj_b));
                let samples = check_samples(gpu, alpha, va, vb, c.view(), &positions).unwrap();
                for ([i, j, t], sample) in positions.into_iter().zip(samples) {
                    let right = sample.difference <= allowed * sample.bound;
                    assert_eq!(right, (t, i, j) != (1, 4, 2), "k = {k}, ({t}, {i}, {j}): {sample:?}");
                    let off = (sample.bound - bound(t, i, j)).abs();
                    check("bound of a sample", ratio::<S>(off, k, bound(t, i, j)));
                }
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn the_sum_of_a_sample_is_as_accurate_as_in_twice_the_precision() {
    fn run<S: Scalar>(gpu: &Gpu) {
        // Integers that fill the significand: every product is rounded, and all cancel but the first.
        let (n, most, first) = (101, 1.0 / S::Real::EPSILON, 1024.0);
        let mut random = Random::new(18);
        let mut integers = || (0..n).map(|_| (random.uniform() * most).round()).collect::<Vec<f64>>();
        let (p, q) = (integers(), integers());
        // The negative terms are in two parts and in another order, so that their roundings do not cancel too.
        let term = |l: usize| match (l, 7 * l % n) {
            (0, _) => [first, 1.0],
            (l, _) if l <= n => [p[l - 1], q[l - 1]],
            (l, at) if l <= 2 * n => [-p[at], (q[at] / 3.0).round()],
            (_, at) => [-p[at], q[at] - (q[at] / 3.0).round()],
        };
        let k = 3 * n + 1;
        let real = |value: f64| Complex64::new(value, 0.0);
        let a = OnDevice::<S>::new(gpu, Layout::RowMajor, [1, 1, k], |_, _, l| real(term(l)[0]));
        let b = OnDevice::<S>::new(gpu, Layout::ColMajor, [1, k, 1], |_, l, _| real(term(l)[1]));
        let c = OnDevice::<S>::constant(gpu, Layout::RowMajor, [1, 1, 1], first);
        let found = check_samples(gpu, real(1.0), (a.view(), false), (b.view(), false), c.view(), &[[0, 0, 0]]);
        let sample = found.unwrap()[0];
        check("compensated sum", ratio::<S>(sample.difference, k, S::Real::EPSILON * sample.bound));
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn a_matrix_times_a_vector_is_right_with_its_moduli_too() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for [m, k] in [[0, 3], [3, 0], [1, 1], [1, 1000], [1000, 1], [37, 300], [300, 37]] {
            for (layout, conj) in Layout::ALL.into_iter().zip([false, true].into_iter().cycle()) {
                let a = OnDevice::<S>::random(gpu, layout, [2, m, k], 12);
                let x = OnDevice::<S>::random(gpu, Layout::Strided, [1, k, 1], 13);
                let y = OnDevice::<S>::random(gpu, Layout::RowPadded, [2, m, 1], 14);
                matvec(gpu, (a.view(), conj), x.view(), y.view()).unwrap();
                let bound = |t, i| (0..k).map(|l| (a.at(t, i, l) * x.at(t, l, 0)).norm()).sum::<f64>();
                y.compare(gpu, |t, i, _, found| {
                    let sum = (0..k).map(|l| conj_if(a.at(t, i, l), conj) * x.at(t, l, 0)).sum::<Complex64>();
                    let what = format!("matvec {m} x {k} {layout:?}");
                    check(&what, ratio::<S>((found - sum).norm(), k, bound(t, i)));
                });
                let moduli = |_, l, _| Complex64::new(x.at(0, l, 0).norm(), 0.0);
                let u = OnDevice::<S::Real>::new(gpu, Layout::Strided, [1, k, 1], moduli);
                let v = OnDevice::<S::Real>::random(gpu, Layout::RowPadded, [2, m, 1], 15);
                matvec_abs(gpu, a.view(), u.view(), v.view()).unwrap();
                v.compare(gpu, |t, i, _, found| {
                    let what = format!("moduli {m} x {k} {layout:?}");
                    check(&what, ratio::<S>((found.re - bound(t, i)).abs(), k, bound(t, i)));
                });
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn a_view_that_leaves_its_block_is_refused() {
    let Some(gpu) = gpu() else { return };
    let block = gpu.alloc(4 * 100).unwrap();
    let make = |offset, shape, strides| DeviceView::new(&block, f32::DTYPE, offset, shape, strides);
    assert!(make(0, [1, 10, 10], [0, 10, 1]).is_ok());
    assert!(make(99, [1, 10, 10], [0, -10, -1]).is_ok());
    assert!(make(1000, [1, 0, 10], [0, 10, 1]).is_ok(), "an empty view reaches nothing");
    for (offset, shape, strides) in [
        (1, [1, 10, 10], [0, 10, 1]),
        (98, [1, 10, 10], [0, -10, -1]),
        (0, [2, 10, 10], [1, 10, 1]),
        (0, [1, usize::MAX, 1], [0, 0, 0]),
        (0, [1, 2, 2], [0, isize::MAX, isize::MAX]),
    ] {
        let fault = make(offset, shape, strides).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
    }
    let whole = make(0, [1, 10, 10], [0, 10, 1]).unwrap();
    assert!(whole.window(9, 9, 1, 1).is_ok() && whole.window(10, 10, 0, 0).is_ok());
    assert!(whole.window(9, 0, 2, 1).is_err() && whole.window(0, usize::MAX, 1, 2).is_err());
}

#[test]
fn operands_that_do_not_fit_are_refused_before_anything_runs() {
    let Some(gpu) = gpu() else { return };
    let single = OnDevice::<f32>::random(&gpu, Layout::RowMajor, [2, 3, 4], 16);
    let complex = OnDevice::<Complex32>::random(&gpu, Layout::RowMajor, [2, 3, 4], 17);
    let square = OnDevice::<f32>::random(&gpu, Layout::RowMajor, [2, 3, 3], 19);
    let turned = single.view().transposed();
    let repeated = DeviceView::new(&single.block, f32::DTYPE, 0, [2, 3, 4], [0, 4, 1]).unwrap();
    let one = Complex64::new(1.0, 0.0);
    let refused = [
        copy(&gpu, single.view(), false, complex.view()),
        copy(&gpu, single.view(), false, turned),
        copy(&gpu, single.view(), false, repeated),
        scale(&gpu, one, turned, single.view()),
        matvec(&gpu, (single.view(), false), single.view(), single.view()),
        matvec_abs(&gpu, complex.view(), complex.view(), complex.view()),
        check_samples(&gpu, one, (single.view(), false), (turned, false), single.view(), &[]).map(drop),
        check_samples(&gpu, one, (single.view(), false), (turned, false), square.view(), &[[0, 3, 0]]).map(drop),
        check_samples(&gpu, one, (single.view(), false), (turned, false), square.view(), &[[0, 0, 2]]).map(drop),
    ];
    for result in refused {
        assert_eq!(result.unwrap_err().kind, FaultKind::Invalid);
    }
}
