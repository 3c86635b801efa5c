//! Batches of 4 x 4 products by AlphaTensor's scheme, on a real device, against row times column.

mod common;

use common::gpu;
use common::matrices::{Layout, OnDevice, Random};
use lapack_ai_core::{Complex64, DType, Real, Scalar};
use lapack_ai_opencl::kernels::DeviceView;
use lapack_ai_opencl::kernels::gemm_alphatensor::{ERROR_BOUND, gemm_alphatensor};
use lapack_ai_opencl::{FaultKind, Gpu, Trace};

/// Terms of a classical product and its update, each rounded once: the share of the reference and of alpha and beta.
const CLASSICAL: f64 = 16.0;

/// Batches that end before, with, and after a group.
const BATCHES: [usize; 6] = [1, 31, 32, 33, 95, 1000];

type Element = fn(&mut Random) -> f64;

struct Case {
    batch: usize,
    layouts: [Layout; 3],
    /// Whether A and B are stored transposed.
    transposed: [bool; 2],
    /// Whether A and B are batches of one.
    repeated: [bool; 2],
    alpha: f64,
    beta: f64,
    element: Element,
}

impl Case {
    fn new(batch: usize) -> Self {
        Self {
            batch,
            layouts: [Layout::RowMajor; 3],
            transposed: [false; 2],
            repeated: [false; 2],
            alpha: 1.0,
            beta: 0.0,
            element: Random::uniform,
        }
    }

    /// The largest error in units of the documented bound, and the kernels that ran.
    fn run<S: Scalar>(&self, gpu: &Gpu) -> (f64, Vec<&'static str>) {
        let make = |which: usize| {
            let count = if self.repeated[which] { 1 } else { self.batch };
            let mut random = Random::new(70 + which as u64);
            OnDevice::<S>::new(gpu, self.layouts[which], [count, 4, 4], |_, _, _| {
                Complex64::new((self.element)(&mut random), 0.0)
            })
        };
        let (a, b) = (make(0), make(1));
        let shape = [self.batch, 4, 4];
        // What beta = 0 must not read.
        let c = match self.beta {
            0.0 => OnDevice::<S>::constant(gpu, self.layouts[2], shape, f64::NAN),
            _ => OnDevice::<S>::random(gpu, self.layouts[2], shape, 72),
        };
        let va = if self.transposed[0] { a.view().transposed() } else { a.view() };
        let vb = if self.transposed[1] { b.view().transposed() } else { b.view() };
        let trace = Trace::default();
        let factors = [self.alpha, self.beta].map(|factor| Complex64::new(factor, 0.0));
        trace.enter(|| gemm_alphatensor(gpu, factors[0], va, vb, factors[1], c.view()).unwrap());

        let [alpha, beta] = factors.map(|factor| S::from_complex128(factor).to_complex128().re);
        let at = |which: usize, matrix: &OnDevice<S>, t, i, j| match self.transposed[which] {
            false => matrix.at(t, i, j).re,
            true => matrix.at(t, j, i).re,
        };
        let largest = |matrix: &OnDevice<S>, t| -> f64 {
            (0..16).map(|at| matrix.at(t, at / 4, at % 4).re.abs()).fold(0.0, f64::max)
        };
        let mut worst: f64 = 0.0;
        c.compare(gpu, |t, i, j, found| {
            let before = if self.beta == 0.0 { 0.0 } else { c.at(t, i, j).re };
            let sum: f64 = (0..4).map(|l| at(0, &a, t, i, l) * at(1, &b, t, l, j)).sum();
            let error = (found.re - alpha * sum - beta * before).abs();
            let size = alpha.abs() * largest(&a, t) * largest(&b, t);
            let rounding = S::Real::EPSILON / 2.0;
            let bound = rounding * ((ERROR_BOUND + CLASSICAL) * size + 3.0 * (beta * before).abs());
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { error / bound });
        });
        assert!(worst <= 1.0, "{:?}, {} triples: {worst} of the bound", self.layouts, self.batch);
        (worst, trace.spans().into_iter().map(|span| span.name).collect())
    }
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

const PAIRS: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];

#[test]
fn every_layout_transpose_and_factor_is_right_up_to_the_bound() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let factors = [(1.0, 0.0), (-0.75, 0.5), (2.0, 1.0), (1.0, -1.0), (0.3, 0.0)];
        let mut turn = 0;
        for a in Layout::ALL {
            for b in Layout::ALL {
                for c in Layout::ALL {
                    let (alpha, beta) = factors[turn % factors.len()];
                    let (transposed, batch) = (PAIRS[turn % 4], BATCHES[turn % 5]);
                    let case = Case { layouts: [a, b, c], transposed, alpha, beta, ..Case::new(batch) };
                    let (_, kernels) = case.run::<S>(gpu);
                    let strided = |layout| matches!(layout, Layout::Strided | Layout::Reversed);
                    let products = kernels.iter().filter(|&&name| name == "gemm_alphatensor").count();
                    assert_eq!(products, 1, "{kernels:?}");
                    assert_eq!(
                        kernels.len() > 1,
                        [a, b, c].into_iter().any(strided),
                        "{kernels:?} for {a:?} {b:?} {c:?}"
                    );
                    turn += 1;
                }
            }
        }
    }
    both!(run);
}

#[test]
fn batches_of_any_count_are_right_and_one_matrix_serves_all_triples() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for batch in BATCHES {
            for repeated in PAIRS {
                for layout in [Layout::RowMajor, Layout::ColPadded, Layout::Strided] {
                    let case = Case { repeated, layouts: [layout; 3], beta: 0.5, ..Case::new(batch) };
                    let kernels = case.run::<S>(gpu).1;
                    assert!(kernels.contains(&"gemm_alphatensor"), "{kernels:?}");
                }
            }
        }
    }
    both!(run);
}

#[test]
fn small_integers_are_multiplied_exactly() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for transposed in PAIRS {
            let element: Element = |random| (random.uniform() * 100.0).round();
            let (worst, _) = Case { element, transposed, beta: 0.0, alpha: -1.0, ..Case::new(1000) }.run::<S>(gpu);
            assert_eq!(worst, 0.0);
        }
    }
    both!(run);
}

#[test]
fn the_bound_holds_for_magnitudes_that_are_chosen_against_the_scheme() {
    let worst = std::cell::Cell::new(0.0_f64);
    fn of<S: Scalar>(gpu: &Gpu) -> f64 {
        let elements: [Element; 5] = [
            // All of one size: the largest sums.
            |random| random.uniform().signum() * (1.0 - random.uniform().abs() / 1000.0),
            // Of all sizes within a matrix.
            |random| random.uniform() * 10_f64.powf(8.0 * random.uniform()),
            // A few large ones, beside which the others are lost.
            |random| random.uniform() * if random.uniform() > 0.8 { 1e6 } else { 1e-6 },
            // Nothing but thirds: every operation rounds.
            |random| (random.uniform() * 9.0).round() / 3.0,
            // One sign.
            |random| 1.0 + random.uniform(),
        ];
        let cases = elements.map(|element| Case { element, ..Case::new(4000) }.run::<S>(gpu).0);
        cases.into_iter().fold(0.0, f64::max)
    }
    real_types(|gpu| worst.set(worst.get().max(of::<f32>(gpu))), |gpu| worst.set(worst.get().max(of::<f64>(gpu))));
    println!("largest error: {:.4} of the bound", worst.get());
}

#[test]
fn an_error_is_relative_to_the_largest_elements_not_to_the_own_terms() {
    fn run<S: Scalar>(gpu: &Gpu) {
        // C's last 2 x 2 block is made of small elements only; the classical product gives it to the last digit.
        let matrix = |seed| {
            let mut random = Random::new(seed);
            OnDevice::<S>::new(gpu, Layout::RowMajor, [1, 4, 4], |_, i, j| {
                Complex64::new((2.0 + random.uniform()) * if i < 2 && j < 2 { 1.0 } else { 1e-9 }, 0.0)
            })
        };
        let (a, b) = (matrix(3), matrix(4));
        let size = 9.0;
        let c = OnDevice::<S>::constant(gpu, Layout::RowMajor, [1, 4, 4], f64::NAN);
        let one = Complex64::new(1.0, 0.0);
        gemm_alphatensor(gpu, one, a.view(), b.view(), Complex64::ZERO, c.view()).unwrap();
        let mut worst: f64 = 0.0;
        c.compare(gpu, |_, i, j, found| {
            let sum: f64 = (0..4).map(|l| a.at(0, i, l).re * b.at(0, l, j).re).sum();
            let error = (found.re - sum).abs();
            assert!(error <= ERROR_BOUND * S::Real::EPSILON / 2.0 * size, "{i} {j}: {error}");
            if i >= 2 && j >= 2 {
                worst = worst.max(error / (S::Real::EPSILON * sum));
            }
        });
        assert!(worst > 1e3, "the small elements are right to {worst} eps, better than the documentation says");
    }
    both!(run);
}

#[test]
fn factors_of_zero_do_not_read_what_they_multiply() {
    fn run<S: Scalar>(gpu: &Gpu) {
        let nan = OnDevice::<S>::constant(gpu, Layout::RowMajor, [9, 4, 4], f64::NAN);
        let c = OnDevice::<S>::random(gpu, Layout::ColPadded, [9, 4, 4], 5);
        let half = Complex64::new(0.5, 0.0);
        gemm_alphatensor(gpu, Complex64::ZERO, nan.view(), nan.view(), half, c.view()).unwrap();
        c.compare(gpu, |t, i, j, found| assert_eq!(found.re, 0.5 * c.at(t, i, j).re));
    }
    both!(run);
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let Some(gpu) = gpu() else { return };
    let block = gpu.alloc(4096).unwrap();
    let view = |dtype, shape| DeviceView::row_major(&block, dtype, shape).unwrap();
    let one = Complex64::new(1.0, 0.0);
    let refused = |a, b, c| {
        let fault = gemm_alphatensor(&gpu, one, a, b, Complex64::ZERO, c).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid);
        fault.to_string()
    };
    let single = DType::Float32;
    let four = view(single, [2, 4, 4]);
    let text = refused(view(single, [2, 4, 5]), view(single, [2, 5, 4]), four);
    assert!(text.contains("4 x 4") && text.contains("[2, 4, 5]"), "{text}");
    let text = refused(view(single, [3, 4, 4]), four, four);
    assert!(text.contains('3') && text.contains('2'), "{text}");
    let complex = view(DType::Complex64, [2, 4, 4]);
    assert!(refused(complex, complex, complex).contains("complex64"));
}

#[test]
fn the_bound_is_that_of_the_generated_code() {
    let code = include_str!("../kernels/matrix_multiply/alphatensor_49.cl");
    let words = code.replace("\n//", "");
    assert!(words.contains(&format!("right up to {ERROR_BOUND} (eps / 2) max|A| max|B|")), "{ERROR_BOUND}");
}
