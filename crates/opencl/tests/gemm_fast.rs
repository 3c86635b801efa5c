//! Products by schemes on blocks, on a real device, against sums in twice the precision.

mod common;

use common::matrices::{Layout, OnDevice, Random, check, ratio};
use common::{gpu, open};
use lapack_ai_core::{Complex64, DType, Real, Scalar};
use lapack_ai_opencl::kernels::DeviceView;
use lapack_ai_opencl::kernels::gemm_fast::{Plan, Scheme, error_bound, gemm_fast};
use lapack_ai_opencl::{FaultKind, Gpu, Settings, Trace};

/// What one product by a scheme launches beside products.
const OWN: [&str; 3] = ["gemm_fast_sums_a", "gemm_fast_sums_b", "gemm_fast_combine"];
const PAIRS: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];

/// Where the shape does not matter: several tests then share their programs, whose building takes the time.
const SHAPE: [usize; 3] = [70, 76, 90];

type Element = fn(&mut Random, [usize; 2]) -> f64;

/// Every scheme on each of its numbers of levels.
fn ways() -> impl Iterator<Item = (Scheme, usize)> {
    Scheme::ALL.into_iter().flat_map(|scheme| scheme.levels().iter().map(move |&levels| (scheme, levels)))
}

fn uniform(random: &mut Random, _: [usize; 2]) -> f64 {
    random.uniform()
}

/// So small that all sums are exact in both types.
fn integer(random: &mut Random, _: [usize; 2]) -> f64 {
    (random.uniform() * 4.0).round()
}

struct Case {
    way: (Scheme, usize),
    /// Rows and columns of C, terms of an element.
    shape: [usize; 3],
    batch: usize,
    layouts: [Layout; 3],
    /// Whether A and B are stored transposed.
    transposed: [bool; 2],
    /// Whether A and B are batches of one.
    repeated: [bool; 2],
    alpha: f64,
    beta: f64,
    /// Of A and of B.
    elements: [Element; 2],
}

/// What became of a product.
struct Done {
    plan: Option<Plan>,
    kernels: Vec<&'static str>,
    /// Largest error in units of the documented bound.
    of_bound: f64,
    /// Largest error in units of `k eps max|A| max|B|`.
    ratio: f64,
}

impl Done {
    /// How often the kernels of a scheme were launched, each as often as the others.
    fn parts(&self) -> usize {
        let counts = OWN.map(|name| self.kernels.iter().filter(|&&kernel| kernel == name).count());
        assert!(counts.iter().all(|&count| count == counts[0]), "{:?}", self.kernels);
        counts[0]
    }
}

impl Case {
    fn new(way: (Scheme, usize), shape: [usize; 3]) -> Self {
        Self {
            way,
            shape,
            batch: 1,
            layouts: [Layout::RowMajor; 3],
            transposed: [false; 2],
            repeated: [false; 2],
            alpha: 1.0,
            beta: 0.0,
            elements: [uniform; 2],
        }
    }

    fn run<S: Scalar>(&self, gpu: &Gpu) -> Done {
        let [m, n, k] = self.shape;
        let make = |which: usize, [rows, cols]: [usize; 2]| {
            let count = if self.repeated[which] { 1 } else { self.batch };
            let mut random = Random::new(7 + which as u64);
            let stored = if self.transposed[which] { [count, cols, rows] } else { [count, rows, cols] };
            OnDevice::<S>::new(gpu, self.layouts[which], stored, |_, i, j| {
                let at = if self.transposed[which] { [j, i] } else { [i, j] };
                Complex64::new(self.elements[which](&mut random, at), 0.0)
            })
        };
        let (a, b) = (make(0, [m, k]), make(1, [k, n]));
        let shape = [self.batch, m, n];
        let c = match self.beta {
            // What beta = 0 must not read.
            0.0 => OnDevice::<S>::constant(gpu, self.layouts[2], shape, f64::NAN),
            _ => OnDevice::<S>::new(gpu, self.layouts[2], shape, {
                let mut random = Random::new(9);
                move |_, i, j| Complex64::new(self.elements[0](&mut random, [i, j]), 0.0)
            }),
        };
        let [va, vb] = [(&a, 0), (&b, 1)].map(|(matrix, which)| match self.transposed[which] {
            true => matrix.view().transposed(),
            false => matrix.view(),
        });
        let trace = Trace::default();
        let factors = [self.alpha, self.beta].map(|factor| Complex64::new(factor, 0.0));
        let plan = trace.enter(|| gemm_fast(gpu, self.way, factors[0], va, vb, factors[1], c.view()).unwrap());
        let (of_bound, ratio) = self.compare(gpu, &a, &b, &c);
        let what = format!("{:?} {:?} {:?} {:?}", self.way, self.shape, self.layouts, self.transposed);
        assert!(of_bound <= 1.0, "{what}: {of_bound} of the bound");
        Done { plan, kernels: trace.spans().into_iter().map(|span| span.name).collect(), of_bound, ratio }
    }

    fn compare<S: Scalar>(&self, gpu: &Gpu, a: &OnDevice<S>, b: &OnDevice<S>, c: &OnDevice<S>) -> (f64, f64) {
        let [m, n, k] = self.shape;
        let ((scheme, levels), eps) = (self.way, S::Real::EPSILON);
        let [alpha, beta] = [self.alpha, self.beta].map(|factor| S::from_real(factor).to_complex128().re);
        let (mut of_bound, mut worst) = (0.0_f64, 0.0_f64);
        let of = |matrix: &OnDevice<S>, which: usize, t, i, j| match self.transposed[which] {
            true => matrix.at(t, j, i).re,
            false => matrix.at(t, i, j).re,
        };
        // Lines of terms, and the largest elements.
        let lines = |which: usize, matrix: &OnDevice<S>, count: usize| -> Vec<(Vec<f64>, f64)> {
            let place = |i, l| if which == 0 { (i, l) } else { (l, i) };
            let one = |t: usize| {
                let at = |at: usize| place(at / k, at % k);
                let values: Vec<f64> = (0..count * k).map(|x| of(matrix, which, t, at(x).0, at(x).1)).collect();
                let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
                (values, largest)
            };
            (0..self.batch).map(one).collect()
        };
        let (rows, cols) = (lines(0, a, m), lines(1, b, n));
        c.compare(gpu, |t, i, j, found| {
            let ((rows, largest_a), (cols, largest_b)) = (&rows[t], &cols[t]);
            let (sum, rest) = dot(&rows[i * k..][..k], &cols[j * k..][..k]);
            let before = if beta == 0.0 { 0.0 } else { beta * c.at(t, i, j).re };
            // The sum is right to twice the precision, its multiple to once; float64 elements are therefore compared unscaled.
            let error = match (alpha, beta) {
                (1.0, 0.0) => ((found.re - sum) - rest).abs(),
                _ => (found.re - alpha * (sum + rest) - before).abs(),
            };
            let size = largest_a * largest_b;
            let of_product = error_bound(scheme, levels, k).unwrap() * size;
            let of_update = 3.0 * ((alpha * sum).abs() + before.abs());
            let bound = eps / 2.0 * (alpha.abs() * of_product + of_update);
            let error = if error.is_nan() { f64::INFINITY } else { error };
            of_bound = of_bound.max(if error == 0.0 { 0.0 } else { error / bound });
            worst = worst.max(ratio::<S>(error, k, alpha.abs() * size + before.abs()));
        });
        (of_bound, worst)
    }
}

/// Sum of products of two lines, and what it lacks.
fn dot(x: &[f64], y: &[f64]) -> (f64, f64) {
    let (mut sum, mut rest) = (0.0_f64, 0.0);
    for (&x, &y) in x.iter().zip(y) {
        let product = x * y;
        let next = sum + product;
        let part = next - sum;
        rest += (sum - (next - part)) + (product - part) + x.mul_add(y, -product);
        sum = next;
    }
    (sum, rest)
}

/// Runs a function for both real types, of those that the device has.
fn real_types(run32: impl Fn(&Gpu), run64: impl Fn(&Gpu)) {
    let Some(gpu) = gpu() else { return };
    run32(&gpu);
    if gpu.info().float64 {
        run64(&gpu);
    }
}

macro_rules! both {
    ($function:ident) => {
        real_types($function::<f32>, $function::<f64>)
    };
}

#[test]
fn every_scheme_on_every_number_of_levels_multiplies_integers_exactly_in_one_pass() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for (scheme, levels) in ways() {
            let case = Case { elements: [integer; 2], ..Case::new((scheme, levels), SHAPE) };
            let done = case.run::<S>(gpu);
            assert_eq!(done.of_bound, 0.0, "{scheme:?} {levels}");
            let plan = done.plan.expect("memory for a small product");
            assert_eq!((plan.scheme, plan.levels, Some(plan.at_a_time)), (scheme, levels, scheme.products(levels)));
            assert_eq!(Some(plan), Plan::new(SHAPE, S::DTYPE, scheme, levels));
            assert_eq!(done.parts(), 1);
        }
    }
    both!(run);
}

#[test]
fn layouts_transposes_and_factors_are_right_up_to_the_bound() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let factors = [(1.0, 0.0), (-0.75, 0.5), (2.0, 1.0), (-1.0, 1.0), (0.3, 0.0)];
        let mut turn = 0;
        // Extents that leave rows and columns beyond the blocks, and ones that do not.
        let shapes = [[67, 65, 71], [64, 64, 64], [49, 34, 129]];
        for (at, a) in Layout::ALL.into_iter().enumerate() {
            for b in [Layout::ALL[(at + 1) % 6], Layout::ALL[(at + 3) % 6]] {
                let c = Layout::ALL[(turn * 5 + 2) % 6];
                let (alpha, beta) = factors[turn % factors.len()];
                let (transposed, shape) = (PAIRS[turn % 4], shapes[turn / 4]);
                let way = (Scheme::Strassen, 1 + turn % 3 / 2);
                let done = Case { layouts: [a, b, c], transposed, alpha, beta, ..Case::new(way, shape) }.run::<S>(gpu);
                assert_eq!(done.parts(), 1, "{:?}", done.kernels);
                turn += 1;
            }
        }
    }
    both!(run);
}

#[test]
fn three_levels_take_any_layout_transpose_and_factor() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for (turn, &transposed) in PAIRS.iter().enumerate() {
            let [a, b, c] = [Layout::RowMajor, Layout::ColPadded, Layout::Strided];
            let layouts = [[a, b, c], [b, a, a], [c, c, b], [a, a, a]][turn];
            let (alpha, beta) = [(1.0, 0.0), (-0.75, 0.5), (2.0, 1.0), (-1.0, 1.0)][turn];
            let case = Case { layouts, transposed, alpha, beta, ..Case::new((Scheme::Rank48, 3), [71, 66, 75]) };
            let done = case.run::<S>(gpu);
            assert_eq!(done.plan.map(|plan| plan.levels), Some(3));
            assert_eq!(done.parts(), 1);
        }
    }
    both!(run);
}

#[test]
fn odd_sizes_few_terms_and_tall_and_wide_matrices_are_exact_on_integers() {
    fn run<S: Scalar>(gpu: &Gpu) {
        // Odd ones, updates of low rank, tall, wide, and few elements of many terms.
        let shapes = [[61, 67, 59], [130, 120, 4], [129, 131, 17], [501, 19, 21], [18, 403, 33], [20, 22, 700]];
        for (way, shapes) in [((Scheme::Winograd, 1), &shapes[..]), ((Scheme::Rank48, 2), &shapes[2..4])] {
            for (turn, &shape) in shapes.iter().enumerate() {
                let (alpha, beta) = [(1.0, 0.0), (-1.0, 1.0)][turn % 2];
                let done = Case { elements: [integer; 2], alpha, beta, ..Case::new(way, shape) }.run::<S>(gpu);
                assert_eq!(done.of_bound, 0.0, "{way:?} {shape:?}");
                assert_eq!(done.parts(), 1, "{way:?} {shape:?}: {:?}", done.kernels);
                let plan = done.plan.unwrap();
                let core = plan.block.map(|extent| extent << plan.levels);
                assert!(core[0] <= shape[0] && core[2] <= shape[1] && core[1] >= shape[2], "{core:?} of {shape:?}");
                // Less than a block and the vectors of an access are left to the ordinary product.
                assert!(shape[0] - core[0] < 16 && shape[1] - core[2] < 16, "{core:?} of {shape:?}");
            }
        }
    }
    both!(run);
}

#[test]
fn what_is_smaller_than_the_blocks_is_multiplied_by_the_definition() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for shape in [[3, 40, 40], [40, 3, 40], [40, 40, 3], [1, 1, 1], [5, 5, 5], [40, 40, 0]] {
            let done = Case::new((Scheme::Rank48, 2), shape).run::<S>(gpu);
            assert_eq!((done.plan, done.parts()), (None, 0), "{shape:?}");
        }
        let done = Case { alpha: 0.0, beta: 0.5, ..Case::new((Scheme::Strassen, 1), [40; 3]) }.run::<S>(gpu);
        assert_eq!((done.plan, done.parts()), (None, 0));
    }
    both!(run);
}

#[test]
fn every_matrix_of_a_batch_is_multiplied_and_one_matrix_serves_all() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for repeated in PAIRS {
            for (alpha, beta) in [(1.0, 0.0), (2.0, -1.0)] {
                let case = Case {
                    batch: 3,
                    repeated,
                    alpha,
                    beta,
                    elements: [integer; 2],
                    ..Case::new((Scheme::Strassen, 1), [35, 38, 40])
                };
                let done = case.run::<S>(gpu);
                assert_eq!((done.of_bound, done.parts()), (0.0, 3), "{repeated:?}");
            }
        }
    }
    both!(run);
}

#[test]
fn the_bounds_hold_for_random_graded_and_adversarial_matrices() {
    fn of<S: Scalar>(gpu: &Gpu) {
        fn graded(random: &mut Random, [i, j]: [usize; 2]) -> f64 {
            random.uniform() * 10_f64.powf(-8.0 * (i + j) as f64 / 140.0)
        }
        fn graded_backwards(random: &mut Random, [i, j]: [usize; 2]) -> f64 {
            random.uniform() * 10_f64.powf(8.0 * (i + j) as f64 / 140.0)
        }
        // A few large ones, beside which the others are lost.
        fn spiked(random: &mut Random, _: [usize; 2]) -> f64 {
            random.uniform() * if random.uniform() > 0.8 { 1e6 } else { 1e-6 }
        }
        // All of one size, with the signs of +-1 matrices: the largest sums of blocks.
        fn signs(random: &mut Random, [i, j]: [usize; 2]) -> f64 {
            let sign = if (i & j).count_ones() % 2 == 0 { 1.0 } else { -1.0 };
            sign * (1.0 - random.uniform().abs() / 1000.0)
        }
        // One sign, and thirds: sums grow, and every operation rounds.
        fn thirds(random: &mut Random, _: [usize; 2]) -> f64 {
            (4.0 + (random.uniform() * 3.0).round()) / 3.0
        }
        let kinds: [(&str, [Element; 2]); 6] = [
            ("random", [uniform; 2]),
            ("graded", [graded; 2]),
            ("graded against each other", [graded, graded_backwards]),
            ("spiked", [spiked; 2]),
            ("signs", [signs; 2]),
            ("thirds", [thirds; 2]),
        ];
        for way in ways() {
            let mut worst: f64 = 0.0;
            for (name, elements) in kinds {
                let done = Case { elements, ..Case::new(way, SHAPE) }.run::<S>(gpu);
                assert_eq!(done.parts(), 1);
                worst = worst.max(done.of_bound);
                check(&format!("{way:?} on {name} matrices"), done.ratio);
            }
            println!("{way:?} {}: {worst:.1e} of the bound", S::DTYPE.name());
        }
    }
    both!(of);
}

#[test]
fn errors_are_relative_to_the_largest_elements_and_rank48_has_the_smallest() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let error = |scheme, levels| Case::new((scheme, levels), SHAPE).run::<S>(gpu).ratio;
        let [strassen, winograd, rank48] = [Scheme::Strassen, Scheme::Winograd, Scheme::Rank48].map(|s| error(s, 3));
        assert!(rank48 < strassen && strassen < winograd, "{rank48} {strassen} {winograd}");
        // Small rows of A: the ordinary product gives what is made of them to the last digits.
        fn rows(random: &mut Random, [i, _]: [usize; 2]) -> f64 {
            (2.0 + random.uniform()) * if i < 32 { 1.0 } else { 1e-9 }
        }
        let shape = [64, 64, 64];
        let (mut x, mut y) = (Random::new(7), Random::new(8));
        let a = OnDevice::<S>::new(gpu, Layout::RowMajor, [1, 64, 64], |_, i, j| rows(&mut x, [i, j]).into());
        let b = OnDevice::<S>::new(gpu, Layout::RowMajor, [1, 64, 64], |_, _, _| (2.0 + y.uniform()).into());
        let c = OnDevice::<S>::constant(gpu, Layout::RowMajor, [1, 64, 64], f64::NAN);
        let one = Complex64::new(1.0, 0.0);
        gemm_fast(gpu, (Scheme::Strassen, 1), one, a.view(), b.view(), Complex64::ZERO, c.view()).unwrap();
        let bound = error_bound(Scheme::Strassen, 1, shape[2]).unwrap() * S::Real::EPSILON / 2.0 * 9.0;
        let mut worst: f64 = 0.0;
        c.compare(gpu, |_, i, j, found| {
            let sum: f64 = (0..64).map(|l| a.at(0, i, l).re * b.at(0, l, j).re).sum();
            let error = (found.re - sum).abs();
            assert!(error <= bound, "{i} {j}: {error}");
            if i >= 32 {
                worst = worst.max(error / (S::Real::EPSILON * sum));
            }
        });
        assert!(worst > 1e3, "the small elements are right to {worst} eps, better than the documentation says");
    }
    both!(run);
}

#[test]
fn alpha_of_zero_does_not_read_the_factors() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let nan = OnDevice::<S>::constant(gpu, Layout::RowMajor, [1, 40, 40], f64::NAN);
        let c = OnDevice::<S>::random(gpu, Layout::ColPadded, [1, 40, 40], 5);
        let half = Complex64::new(0.5, 0.0);
        gemm_fast(gpu, (Scheme::Strassen, 1), Complex64::ZERO, nan.view(), nan.view(), half, c.view()).unwrap();
        c.compare(gpu, |t, i, j, found| assert_eq!(found.re, 0.5 * c.at(t, i, j).re));
    }
    both!(run);
}

#[test]
fn with_less_memory_there_are_parts_then_fewer_levels_then_the_ordinary_product() {
    // Its own device: the limit is for no other test.
    let Some(gpu) = open(&Settings::default()) else { return };
    let (shape, way) = ([192, 192, 192], (Scheme::Rank48, 3));
    let whole = Plan::new(shape, DType::Float32, way.0, way.1).unwrap();
    let two = Plan::new(shape, DType::Float32, way.0, 2).unwrap();
    let matrices = 3 * 4 * 192 * 192;
    let run = |workspace: usize, beta: f64| {
        gpu.trim();
        gpu.set_memory_limit(gpu.pool().used + matrices / 8 * 9 + 4096 + workspace / 8 * 9 + 8);
        let done = Case { elements: [integer; 2], beta, ..Case::new(way, shape) }.run::<f32>(&gpu);
        assert_eq!(done.of_bound, 0.0, "{workspace} bytes");
        assert_eq!(
            done.parts(),
            done.plan.map_or(0, |plan| way.0.products(plan.levels).unwrap().div_ceil(plan.at_a_time))
        );
        (done.plan.map_or(0, |plan| plan.levels), done.parts())
    };
    for beta in [0.0, 1.0] {
        assert_eq!(run(whole.workspace, beta), (3, 1));
        let (levels, parts) = run(whole.workspace / 3, beta);
        assert!(levels == 3 && (3..=7).contains(&parts), "{levels} levels, {parts} parts");
        let (levels, parts) = run(two.workspace / 5, beta);
        assert!(levels == 2 && (5..=7).contains(&parts), "{levels} levels, {parts} parts");
        assert_eq!(run(two.workspace / 20, beta), (0, 0));
    }
    gpu.trim();
    gpu.set_memory_limit(gpu.pool().used + two.workspace / 20);
    assert_eq!(Plan::fitting(&gpu, shape, DType::Float32, way.0, way.1), None);
    gpu.set_memory_limit(gpu.pool().used + 2 * two.workspace);
    let plan = Plan::fitting(&gpu, shape, DType::Float32, way.0, 2);
    assert_eq!(plan, Some(two));
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let Some(gpu) = gpu() else { return };
    let block = gpu.alloc(4 << 20).unwrap();
    let view = |dtype, shape| DeviceView::row_major(&block, dtype, shape).unwrap();
    let one = Complex64::new(1.0, 0.0);
    let refused = |way, a, b, c| {
        let fault = gemm_fast(&gpu, way, one, a, b, Complex64::ZERO, c).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid);
        fault.to_string()
    };
    let (single, way) = (DType::Float32, (Scheme::Strassen, 2));
    let square = view(single, [1, 64, 64]);
    let text = refused(way, view(single, [1, 64, 65]), square, square);
    assert!(text.contains("[1, 64, 65] times [1, 64, 64]"), "{text}");
    let text = refused((Scheme::AlphaTensor, 3), square, square, square);
    assert!(text.contains("3 levels of alphatensor, which has [2]"), "{text}");
    let complex = view(DType::Complex64, [1, 64, 64]);
    assert!(refused(way, complex, complex, complex).contains("complex64"));
    let text = refused(way, view(single, [3, 64, 64]), square, view(single, [2, 64, 64]));
    assert!(text.contains('3') && text.contains('2'), "{text}");
}

#[test]
fn the_bounds_are_those_of_the_generated_code() {
    let codes = [
        (Scheme::Strassen, 1, include_str!("../kernels/matrix_multiply/fast/strassen_7.cl")),
        (Scheme::Winograd, 1, include_str!("../kernels/matrix_multiply/fast/winograd_7.cl")),
        (Scheme::Strassen, 2, include_str!("../kernels/matrix_multiply/fast/strassen_49.cl")),
        (Scheme::Winograd, 2, include_str!("../kernels/matrix_multiply/fast/winograd_49.cl")),
        (Scheme::AlphaTensor, 2, include_str!("../kernels/matrix_multiply/fast/alphatensor_49.cl")),
        (Scheme::Rank48, 2, include_str!("../kernels/matrix_multiply/fast/rank_48.cl")),
    ];
    // The error s of the code and the stability factor e, from the bounds for blocks of 16 and 32 terms:
    // 16 (s - e) + e (16^2 + 7 16) and 32 (s - e) + e (32^2 + 7 32).
    let of = |scheme, levels: usize| {
        let bound = |q: usize| error_bound(scheme, levels, q << levels).unwrap();
        let growth = (bound(32) - 2.0 * bound(16)) / 512.0;
        ((bound(16) - growth * 368.0) / 16.0 + growth, growth)
    };
    for (scheme, levels, code) in codes {
        let words = code.replace("\n//", "");
        let (error, _) = of(scheme, levels);
        assert!(
            words.contains(&format!("right up to {error} (eps / 2) max|A| max|B|")),
            "{scheme:?} {levels}: {error}"
        );
    }
    for (scheme, outer, inner) in [
        (Scheme::Strassen, (Scheme::Strassen, 1), (Scheme::Strassen, 2)),
        (Scheme::Winograd, (Scheme::Winograd, 1), (Scheme::Winograd, 2)),
        (Scheme::Rank48, (Scheme::Strassen, 1), (Scheme::Rank48, 2)),
    ] {
        let ((s, e), (s_inner, e_inner)) = (of(outer.0, outer.1), of(inner.0, inner.1));
        assert_eq!(of(scheme, 3), (4.0 * (s - e) + e * s_inner, e * e_inner), "{scheme:?}");
    }
}
