//! The matrix product on a real device against plain loops.

mod common;

use common::gpu;
use common::matrices::{Layout, OnDevice, check, conj_if, ratio};
use lapack_ai_core::{Complex32, Complex64, Scalar};
use lapack_ai_opencl::kernels::gemm::gemm;
use lapack_ai_opencl::{FaultKind, Gpu, Trace};
use std::collections::BTreeSet;

const ONE: Complex64 = Complex64::new(1.0, 0.0);

/// A product and the check of all its elements.
struct Case {
    /// Batch, m, n, k.
    shape: [usize; 4],
    layouts: [Layout; 3],
    /// Whether A and B are stored transposed.
    transposed: [bool; 2],
    conjugated: [bool; 2],
    /// Whether A and B are batches of one.
    repeated: [bool; 2],
    alpha: Complex64,
    beta: Complex64,
}

impl Case {
    fn new(shape: [usize; 4]) -> Self {
        Self {
            shape,
            layouts: [Layout::RowMajor; 3],
            transposed: [false; 2],
            conjugated: [false; 2],
            repeated: [false; 2],
            alpha: ONE,
            beta: Complex64::ZERO,
        }
    }

    /// The names of the kernels that ran.
    fn run<S: Scalar>(&self, gpu: &Gpu) -> Vec<&'static str> {
        let [batch, m, n, k] = self.shape;
        let make = |which: usize, rows, cols| {
            let (rows, cols) = if self.transposed[which] { (cols, rows) } else { (rows, cols) };
            let count = if self.repeated[which] { 1 } else { batch };
            OnDevice::<S>::random(gpu, self.layouts[which], [count, rows, cols], 20 + which as u64)
        };
        let (a, b) = (make(0, m, k), make(1, k, n));
        let nan = self.beta == Complex64::ZERO;
        let c = match nan {
            true => OnDevice::<S>::constant(gpu, self.layouts[2], [batch, m, n], f64::NAN),
            false => OnDevice::<S>::random(gpu, self.layouts[2], [batch, m, n], 22),
        };
        let va = if self.transposed[0] { a.view().transposed() } else { a.view() };
        let vb = if self.transposed[1] { b.view().transposed() } else { b.view() };
        let trace = Trace::default();
        let factors = ((va, self.conjugated[0]), (vb, self.conjugated[1]));
        trace.enter(|| gemm(gpu, self.alpha, factors.0, factors.1, self.beta, c.view()).unwrap());

        let real = |z: Complex64| S::from_complex128(z).to_complex128();
        let (alpha, beta) = (real(self.alpha), real(self.beta));
        let p = |t, i, l| conj_if(if self.transposed[0] { a.at(t, l, i) } else { a.at(t, i, l) }, self.conjugated[0]);
        let q = |t, l, j| conj_if(if self.transposed[1] { b.at(t, j, l) } else { b.at(t, l, j) }, self.conjugated[1]);
        let mut worst: f64 = 0.0;
        c.compare(gpu, |t, i, j, found| {
            let before = if nan { Complex64::ZERO } else { c.at(t, i, j) };
            let sum: Complex64 = (0..k).map(|l| p(t, i, l) * q(t, l, j)).sum();
            let size: f64 = (0..k).map(|l| (p(t, i, l) * q(t, l, j)).norm()).sum();
            let error = (found - alpha * sum - beta * before).norm();
            let bound = alpha.norm() * size + beta.norm() * before.norm();
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { ratio::<S>(error, k, bound) });
        });
        let what = format!(
            "gemm {:?} {:?} transposed {:?} conjugated {:?} alpha {alpha} beta {beta}",
            self.shape, self.layouts, self.transposed, self.conjugated
        );
        check(&what, worst);
        trace.spans().into_iter().map(|span| span.name).collect()
    }
}

const PAIRS: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];

#[test]
fn a_product_is_right_for_every_shape_about_the_edges_of_tiles() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let extents = [1, 5, 33, 64, 65];
        for m in extents {
            for n in extents {
                for k in [1, 8, 17, 40] {
                    Case::new([1, m, n, k]).run::<S>(gpu);
                }
            }
        }
        for shape in [[1, 200, 3, 70], [1, 3, 200, 70], [1, 1, 1, 3000], [1, 600, 70, 4], [2, 70, 600, 4]] {
            Case::new(shape).run::<S>(gpu);
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn a_product_is_right_for_every_transpose_conjugation_layout_and_factor() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let factors = [ONE, Complex64::ZERO, Complex64::new(-0.75, 0.5)];
        // One shape for each of the two kernels.
        for shape in [[1, 67, 35, 21], [3, 9, 7, 11]] {
            for (turn, layout) in Layout::ALL.into_iter().enumerate() {
                for transposed in PAIRS {
                    for conjugated in PAIRS {
                        let next = |by: usize| Layout::ALL[(turn + by) % Layout::ALL.len()];
                        let layouts = [layout, next(1 + usize::from(transposed[0])), next(3)];
                        let (alpha, beta) = (factors[turn % 3], factors[(turn + usize::from(conjugated[0])) % 3]);
                        let case = Case { layouts, transposed, conjugated, alpha, beta, ..Case::new(shape) };
                        case.run::<S>(gpu);
                    }
                }
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn batches_are_right_and_a_batch_of_one_is_repeated() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for shape in [[300, 3, 2, 4], [7, 16, 16, 16], [5, 32, 32, 32], [33, 1, 1, 1], [3, 70, 40, 33]] {
            for repeated in PAIRS {
                let beta = Complex64::new(0.5, 0.0);
                Case { repeated, beta, ..Case::new(shape) }.run::<S>(gpu);
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn no_terms_leave_beta_times_c_and_no_elements_leave_nothing() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for beta in [Complex64::ZERO, ONE, Complex64::new(2.0, -1.0)] {
            for [batch, m, n, k] in
                [[1, 5, 4, 0], [2, 70, 3, 0], [0, 3, 3, 3], [2, 0, 3, 3], [2, 3, 0, 3], [1, 0, 0, 0]]
            {
                Case { beta, ..Case::new([batch, m, n, k]) }.run::<S>(gpu);
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

/// The kernels of a device whose every variant is known to be taken.
fn has_matrix_units(gpu: &Gpu) -> bool {
    ["H100", "H200"].iter().any(|name| gpu.info().name.contains(name))
}

#[test]
fn large_products_are_right_in_every_layout_with_every_variant_of_the_device() {
    fn run<S: Scalar>(gpu: &Gpu, seen: &mut BTreeSet<&'static str>) {
        let units = gpu.info().compute_units as usize;
        let factors = [(1.0, 0.0), (-0.75, 0.5), (0.5, 1.0)];
        let mut turn = 0;
        // Large tiles with ragged edges on all sides, small ones, one of each exact; k odd, even, short and a single term.
        for shape in [
            [units.div_ceil(2), 200, 121, 21],
            [units.div_ceil(4), 256, 256, 16],
            [1, 131, 197, 77],
            [2, 64, 192, 40],
            [1, 70, 36, 1],
            [3, 1, 90, 33],
            [1, 90, 1, 64],
            [1, 40, 40, 1000],
            [1, 129, 65, 3001],
        ] {
            for layout in Layout::ALL {
                for transposed in PAIRS {
                    turn += 1;
                    let large = shape[0] * shape[1] > 1000;
                    if large && !matches!(layout, Layout::RowMajor | Layout::ColPadded) {
                        continue;
                    }
                    let next = |by: usize| match large {
                        true => layout,
                        false => Layout::ALL[(turn + by) % Layout::ALL.len()],
                    };
                    let c = if turn % 2 == 0 { Layout::RowPadded } else { Layout::ColMajor };
                    let (alpha, beta) = factors[turn % factors.len()];
                    let case = Case {
                        layouts: [layout, next(turn / 7), c],
                        transposed,
                        alpha: Complex64::new(alpha, 0.0),
                        beta: Complex64::new(beta, 0.0),
                        ..Case::new(shape)
                    };
                    seen.extend(case.run::<S>(gpu));
                }
            }
        }
        // A single operand for all, as it lies and, without a stride of 1, from a copy.
        for repeated in PAIRS {
            for layout in [Layout::RowMajor, Layout::Strided] {
                seen.extend(Case { repeated, layouts: [layout; 3], ..Case::new([5, 65, 130, 30]) }.run::<S>(gpu));
                let layouts = [layout, layout, Layout::ColMajor];
                seen.extend(Case { repeated, layouts, ..Case::new([5, 130, 65, 30]) }.run::<S>(gpu));
            }
        }
        // Uses enough of an element that the operands are copied into the other layout, with odd extents.
        for transposed in PAIRS {
            seen.extend(Case { transposed, ..Case::new([1, 801, 785, 11]) }.run::<S>(gpu));
        }
    }
    let Some(gpu) = gpu() else { return };
    if gpu.info().is_cpu {
        println!("skipped: a CPU has no variants, and would take minutes");
        return;
    }
    let mut seen = BTreeSet::new();
    run::<f32>(&gpu, &mut seen);
    if gpu.info().float64 {
        run::<f64>(&gpu, &mut seen);
    }
    println!("kernels: {seen:?}");
    if has_matrix_units(&gpu) {
        for kernel in ["gemm_f32_async", "gemm_f64_mma", "gemm_sum"] {
            assert!(seen.contains(kernel), "{kernel} did not run: {seen:?}");
        }
    }
}

#[test]
fn large_complex_products_are_real_ones_of_twice_the_extents() {
    fn run<S: Scalar>(gpu: &Gpu) {
        // C's rows and its columns as the inner direction; all sizes odd, and enough of them.
        for (turn, layout) in [Layout::RowMajor, Layout::ColPadded, Layout::Strided].into_iter().enumerate() {
            for (pair, transposed) in PAIRS.into_iter().enumerate() {
                let c = [Layout::RowPadded, Layout::ColMajor][(turn + pair) % 2];
                let case = Case {
                    layouts: [layout, layout, c],
                    transposed,
                    conjugated: PAIRS[(turn + pair) % 4],
                    repeated: PAIRS[(2 * turn + pair) % 4],
                    alpha: [ONE, Complex64::new(-0.75, 0.5)][(turn + pair / 2) % 2],
                    beta: Complex64::new([0.0, 0.5][turn % 2], 0.0),
                    ..Case::new([2, 135, 129, 121])
                };
                let kernels = case.run::<S>(gpu);
                assert!(kernels.contains(&"expand_complex"), "{kernels:?}");
                assert!(kernels.len() > 1, "{kernels:?}");
            }
        }
        // No real product has a complex beta.
        let beta = Complex64::new(0.5, 1.0);
        assert_eq!(Case { beta, ..Case::new([2, 135, 129, 121]) }.run::<S>(gpu), ["gemm"]);
    }
    let Some(gpu) = gpu() else { return };
    run::<Complex32>(&gpu);
    if gpu.info().float64 {
        run::<Complex64>(&gpu);
    }
}

#[test]
fn large_batches_of_small_products_are_right_and_have_a_kernel_of_their_own() {
    fn run<S: Scalar>(gpu: &Gpu) {
        // 33 MB each: from 32 MB on a shape has a program of its own.
        let shapes = [[16, 16, 16], [5, 7, 6], [4, 4, 4], [8, 8, 8], [32, 32, 32], [3, 8, 1], [12, 4, 20]];
        // A CPU without optimization takes half a minute for each.
        let shapes = if gpu.info().is_cpu { &shapes[..2] } else { &shapes[..] };
        for &[m, n, k] in shapes {
            let batch = 34_000_000 / ((m * k + k * n + m * n) * size_of::<S>()) + 1;
            for (turn, transposed) in PAIRS.into_iter().enumerate() {
                // All four for one shape, one for each of the others.
                if m != 8 && (m + n) % 4 != turn {
                    continue;
                }
                let layouts = match turn {
                    0 => [Layout::RowMajor; 3],
                    1 => [Layout::ColMajor, Layout::ColMajor, Layout::RowMajor],
                    2 => [Layout::RowPadded, Layout::RowMajor, Layout::ColPadded],
                    _ => [Layout::ColMajor, Layout::RowMajor, Layout::ColMajor],
                };
                let repeated = [turn == 3, false];
                let (alpha, beta) = [(1.0, 0.0), (-0.75, 0.5)][turn % 2];
                let case = Case {
                    layouts,
                    transposed,
                    repeated,
                    alpha: Complex64::new(alpha, 0.0),
                    beta: Complex64::new(beta, 0.0),
                    ..Case::new([batch, m, n, k])
                };
                let matrix_units = has_matrix_units(gpu) && size_of::<S>() == 8 && m.max(n).max(k) > 16;
                let expected = if matrix_units { "gemm_f64_mma" } else { "gemm_batched" };
                assert_eq!(case.run::<S>(gpu), [expected], "{:?}", case.shape);
            }
        }
        // No divisor of 11 is a fit part for a work-item: the kernel for all shapes.
        let case = Case::new([34_000_000 / (3 * 121 * size_of::<S>()) + 1, 11, 11, 11]);
        assert_eq!(case.run::<S>(gpu), ["gemm_small"]);
    }
    let Some(gpu) = gpu() else { return };
    run::<f32>(&gpu);
    if gpu.info().float64 {
        run::<f64>(&gpu);
    }
}

#[test]
fn a_nan_and_an_inf_reach_their_own_row_and_column_only() {
    fn run<S: Scalar>(gpu: &Gpu) {
        // Extents beside the tiles, so that zeros stand in for what lies outside; once for each kernel.
        for [m, n, k] in [[67, 66, 19], [7, 6, 5], [300, 401, 130]] {
            let at = |i, j, si, sj, strange| Complex64::new(if (i, j) == (si, sj) { strange } else { 1.0 }, 0.0);
            let a = OnDevice::<S>::new(gpu, Layout::RowMajor, [1, m, k], |_, i, l| at(i, l, m - 1, k - 1, f64::NAN));
            let b = OnDevice::<S>::new(gpu, Layout::RowMajor, [1, k, n], |_, l, j| at(l, j, 0, n - 1, f64::INFINITY));
            let c = OnDevice::<S>::constant(gpu, Layout::RowMajor, [1, m, n], f64::NAN);
            gemm(gpu, ONE, (a.view(), false), (b.view(), false), Complex64::ZERO, c.view()).unwrap();
            c.compare(gpu, |_, i, j, found| match (i == m - 1, j == n - 1) {
                (true, _) => assert!(found.re.is_nan(), "({i}, {j}) is {found}"),
                (false, true) => assert!(found.re == f64::INFINITY, "({i}, {j}) is {found}"),
                (false, false) => assert_eq!(found, Complex64::new(k as f64, 0.0), "({i}, {j})"),
            });
            gemm(gpu, Complex64::ZERO, (a.view(), false), (b.view(), false), Complex64::ZERO, c.view()).unwrap();
            c.compare(gpu, |_, i, j, found| assert_eq!(found, Complex64::ZERO, "alpha = 0 at ({i}, {j})"));
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let Some(gpu) = gpu() else { return };
    let make = |shape| OnDevice::<f32>::random(&gpu, Layout::RowMajor, shape, 1);
    let (a, b, c) = (make([2, 3, 4]), make([2, 4, 5]), make([2, 3, 5]));
    let product = |a: &OnDevice<f32>, b: &OnDevice<f32>, c: &OnDevice<f32>| {
        gemm(&gpu, ONE, (a.view(), false), (b.view(), false), ONE, c.view())
    };
    assert!(product(&a, &b, &c).is_ok());
    for (a, b, c) in [(&b, &b, &c), (&a, &a, &c), (&a, &b, &a), (&make([3, 3, 4]), &b, &c)] {
        assert_eq!(product(a, b, c).unwrap_err().kind, FaultKind::Invalid);
    }
}
