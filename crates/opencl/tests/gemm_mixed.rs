//! Products of 16-bit matrices, and of float ones rounded to TF32, on a real device against sums in double.

mod common;

use common::gpu;
use common::matrices::{Layout, OnDevice, Random};
use lapack_ai_core::{DType, Half};
use lapack_ai_opencl::kernels::DeviceView;
use lapack_ai_opencl::kernels::copy::copy_16;
use lapack_ai_opencl::kernels::gemm_mixed::{HalfProduct, gemm_half, gemm_tf32, has_matrix_units};
use lapack_ai_opencl::{Block, FaultKind, Gpu, Trace};
use std::collections::BTreeSet;

const EPS: f64 = f32::EPSILON as f64;
const PAIRS: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];

/// A batch of 16-bit matrices on the device. Whatever does not belong to an element is NaN.
struct Halves {
    block: Block,
    half: Half,
    shape: [usize; 3],
    offset: usize,
    strides: [isize; 3],
    values: Vec<u16>,
}

impl Halves {
    fn new(
        gpu: &Gpu,
        half: Half,
        layout: Layout,
        shape: [usize; 3],
        mut value: impl FnMut(usize, usize, usize) -> f64,
    ) -> Self {
        let (offset, strides, len) = layout.place(shape);
        let block = gpu.alloc(2 * len).unwrap();
        let mut made = Self { block, half, shape, offset, strides, values: vec![half.round(f32::NAN); len] };
        for t in 0..shape[0] {
            for i in 0..shape[1] {
                for j in 0..shape[2] {
                    let at = made.index(t, i, j);
                    made.values[at] = half.round(value(t, i, j) as f32);
                }
            }
        }
        let bytes: Vec<u8> = made.values.iter().flat_map(|bits| bits.to_ne_bytes()).collect();
        gpu.write(&made.block, 0, &bytes).unwrap();
        made
    }

    fn random(gpu: &Gpu, half: Half, layout: Layout, shape: [usize; 3], seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self::new(gpu, half, layout, shape, |_, _, _| random.uniform())
    }

    fn view(&self) -> DeviceView<'_, Half> {
        DeviceView::new(&self.block, self.half, self.offset, self.shape, self.strides).unwrap()
    }

    fn index(&self, t: usize, i: usize, j: usize) -> usize {
        let [batch, row, col] = self.strides;
        (self.offset as isize + t as isize * batch + i as isize * row + j as isize * col) as usize
    }

    /// The element as it was uploaded; a batch of one is repeated.
    fn at(&self, t: usize, i: usize, j: usize) -> f64 {
        f64::from(self.half.widen(self.values[self.index(t.min(self.shape[0] - 1), i, j)]))
    }

    /// Calls `compare(t, i, j, found)` for every element; what lies between them must be untouched.
    fn compare(&self, gpu: &Gpu, mut compare: impl FnMut(usize, usize, usize, f64)) {
        let mut bytes = vec![0; 2 * self.values.len()];
        gpu.read(&self.block, 0, &mut bytes).unwrap();
        let found: Vec<u16> = bytes.chunks_exact(2).map(|b| u16::from_ne_bytes([b[0], b[1]])).collect();
        let mut element = vec![false; found.len()];
        for t in 0..self.shape[0] {
            for i in 0..self.shape[1] {
                for j in 0..self.shape[2] {
                    let at = self.index(t, i, j);
                    element[at] = true;
                    compare(t, i, j, f64::from(self.half.widen(found[at])));
                }
            }
        }
        let untouched = found.iter().zip(&self.values).zip(&element).all(|((now, then), &own)| own || now == then);
        assert!(untouched, "something was written beside the matrix");
    }
}

/// What the operands are: 16 bits with a result of 16 or 32, or float with TF32.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Half(Half, bool),
    Tf32,
}

const KINDS: [Kind; 5] = [
    Kind::Half(Half::Float16, true),
    Kind::Half(Half::Float16, false),
    Kind::Half(Half::BFloat16, true),
    Kind::Half(Half::BFloat16, false),
    Kind::Tf32,
];

/// Operand or result of either size.
enum Matrix {
    Half(Halves),
    Float(OnDevice<f32>),
}

impl Matrix {
    fn random(gpu: &Gpu, half: Option<Half>, layout: Layout, shape: [usize; 3], seed: u64) -> Self {
        match half {
            Some(half) => Matrix::Half(Halves::random(gpu, half, layout, shape, seed)),
            None => Matrix::Float(OnDevice::random(gpu, layout, shape, seed)),
        }
    }

    fn constant(gpu: &Gpu, half: Option<Half>, layout: Layout, shape: [usize; 3], value: f64) -> Self {
        match half {
            Some(half) => Matrix::Half(Halves::new(gpu, half, layout, shape, |_, _, _| value)),
            None => Matrix::Float(OnDevice::constant(gpu, layout, shape, value)),
        }
    }

    fn at(&self, t: usize, i: usize, j: usize) -> f64 {
        match self {
            Matrix::Half(halves) => halves.at(t, i, j),
            Matrix::Float(floats) => floats.at(t, i, j).re,
        }
    }

    fn half(&self) -> DeviceView<'_, Half> {
        match self {
            Matrix::Half(halves) => halves.view(),
            Matrix::Float(_) => panic!("a float matrix"),
        }
    }

    fn float(&self) -> DeviceView<'_> {
        match self {
            Matrix::Float(floats) => floats.view(),
            Matrix::Half(_) => panic!("a 16-bit matrix"),
        }
    }

    fn compare(&self, gpu: &Gpu, mut compare: impl FnMut(usize, usize, usize, f64)) {
        match self {
            Matrix::Half(halves) => halves.compare(gpu, compare),
            Matrix::Float(floats) => floats.compare(gpu, |t, i, j, found| compare(t, i, j, found.re)),
        }
    }
}

fn turned<E: lapack_ai_opencl::kernels::Element>(view: DeviceView<'_, E>, turn: bool) -> DeviceView<'_, E> {
    if turn { view.transposed() } else { view }
}

/// A product and the check of all its elements.
struct Case {
    kind: Kind,
    /// Batch, m, n, k.
    shape: [usize; 4],
    layouts: [Layout; 3],
    /// Whether A and B are stored transposed.
    transposed: [bool; 2],
    /// Whether A and B are batches of one.
    repeated: [bool; 2],
    alpha: f64,
    beta: f64,
}

impl Case {
    fn new(kind: Kind, shape: [usize; 4]) -> Self {
        let layouts = [Layout::RowMajor; 3];
        Self { kind, shape, layouts, transposed: [false; 2], repeated: [false; 2], alpha: 1.0, beta: 0.0 }
    }

    /// The kernels that ran.
    fn run(&self, gpu: &Gpu) -> Vec<&'static str> {
        let [batch, m, n, k] = self.shape;
        let (operand, result) = match self.kind {
            Kind::Half(half, rounded) => (Some(half), rounded.then_some(half)),
            Kind::Tf32 => (None, None),
        };
        let make = |which: usize, rows, cols| {
            let (rows, cols) = if self.transposed[which] { (cols, rows) } else { (rows, cols) };
            let count = if self.repeated[which] { 1 } else { batch };
            Matrix::random(gpu, operand, self.layouts[which], [count, rows, cols], 40 + which as u64)
        };
        let (a, b) = (make(0, m, k), make(1, k, n));
        let c = match self.beta == 0.0 {
            true => Matrix::constant(gpu, result, self.layouts[2], [batch, m, n], f64::NAN),
            false => Matrix::random(gpu, result, self.layouts[2], [batch, m, n], 42),
        };
        let trace = Trace::default();
        let mut in_tf32 = false;
        trace.enter(|| match self.kind {
            Kind::Half(_, rounded) => {
                let target = if rounded { HalfProduct::Rounded(c.half()) } else { HalfProduct::Float32(c.float()) };
                let [va, vb] = [turned(a.half(), self.transposed[0]), turned(b.half(), self.transposed[1])];
                gemm_half(gpu, self.alpha, va, vb, self.beta, target).unwrap();
            }
            Kind::Tf32 => {
                let [va, vb] = [turned(a.float(), self.transposed[0]), turned(b.float(), self.transposed[1])];
                in_tf32 = gemm_tf32(gpu, self.alpha, va, vb, self.beta, c.float()).unwrap();
            }
        });
        let p = |t, i, l| if self.transposed[0] { a.at(t, l, i) } else { a.at(t, i, l) };
        let q = |t, l, j| if self.transposed[1] { b.at(t, j, l) } else { b.at(t, l, j) };
        let (alpha, beta) = (f64::from(self.alpha as f32), f64::from(self.beta as f32));
        // Two roundings of half a unit each, of 2^-11.
        let operands = if in_tf32 { f64::powi(2.0, -10) } else { 0.0 };
        let mut worst: f64 = 0.0;
        c.compare(gpu, |t, i, j, found| {
            let before = if beta == 0.0 { 0.0 } else { c.at(t, i, j) };
            let sum: f64 = (0..k).map(|l| p(t, i, l) * q(t, l, j)).sum();
            let size: f64 = (0..k).map(|l| (p(t, i, l) * q(t, l, j)).abs()).sum();
            let exact = alpha * sum + beta * before;
            let moduli = alpha.abs() * size + beta.abs() * before.abs();
            // The sum's roundings, and three of factors and addition.
            let allowed = ((k + 3) as f64 * EPS + operands) * moduli;
            let stored =
                result.map_or(0.0, |half| half.smallest_rounding().max(half.epsilon() / 2.0 * (exact.abs() + allowed)));
            let error = (found - exact).abs();
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { error / (allowed + stored).max(1e-300) });
        });
        let names: Vec<_> = trace.spans().into_iter().map(|span| span.name).collect();
        assert_eq!(in_tf32, self.kind == Kind::Tf32 && names.contains(&"gemm_mixed_mma"), "{names:?}");
        let Case { kind, shape, layouts, transposed, repeated, .. } = self;
        assert!(
            worst <= 1.0,
            "{kind:?} {shape:?} {layouts:?} transposed {transposed:?} repeated {repeated:?} alpha {alpha} beta {beta}: \
             {worst:.2} of the bound, by {names:?}"
        );
        names
    }
}

#[test]
fn products_are_within_their_bound_for_every_shape_about_the_edges_of_tiles() {
    let Some(gpu) = gpu() else { return };
    for kind in KINDS {
        for [m, n] in [[1, 1], [5, 33], [33, 5], [64, 64], [65, 130], [130, 65], [1, 90], [90, 1], [8, 200]] {
            for k in [1, 8, 31, 64, 65, 100] {
                Case::new(kind, [1, m, n, k]).run(&gpu);
            }
        }
        Case::new(kind, [1, 3, 2, 5000]).run(&gpu);
    }
}

#[test]
fn products_are_within_their_bound_for_every_layout_transpose_and_factor() {
    let Some(gpu) = gpu() else { return };
    let factors = [(1.0, 0.0), (-0.75, 1.0), (0.0, 0.5), (2.0, -1.25)];
    let mut turn = 0;
    for kind in KINDS {
        for shape in [[1, 72, 40, 48], [1, 67, 35, 41], [3, 9, 7, 11]] {
            for layout in Layout::ALL {
                for transposed in PAIRS {
                    turn += 1;
                    let next = |by: usize| Layout::ALL[(turn + by) % Layout::ALL.len()];
                    let (alpha, beta) = factors[turn % factors.len()];
                    let layouts = [layout, next(turn / 6), next(turn / 5)];
                    Case { layouts, transposed, alpha, beta, ..Case::new(kind, shape) }.run(&gpu);
                }
            }
        }
    }
}

#[test]
fn batches_are_within_their_bound_and_a_batch_of_one_is_repeated() {
    let Some(gpu) = gpu() else { return };
    for kind in KINDS {
        for shape in [[300, 3, 2, 4], [7, 16, 16, 16], [3, 70, 40, 33], [5, 48, 64, 40], [2, 64, 48, 0], [0, 3, 3, 3]] {
            for repeated in PAIRS {
                Case { repeated, beta: 0.5, ..Case::new(kind, shape) }.run(&gpu);
            }
        }
    }
}

#[test]
fn large_products_are_within_their_bound_with_every_tile_of_the_device() {
    let Some(gpu) = gpu() else { return };
    if gpu.info().is_cpu {
        println!("skipped: a CPU has no variants, and would take minutes");
        return;
    }
    let mut seen = BTreeSet::new();
    let units = gpu.info().compute_units as usize;
    // Four tiles of 128 x 128, and of 128 x 256, to a matrix: as many as there are units, which get the largest.
    let many = units / 4 + 1;
    for (turn, kind) in KINDS.into_iter().enumerate() {
        for shape in [[many, 129, 257, 38], [many, 136, 264, 24], [8, 131, 121, 96], [1, 300, 200, 500]] {
            for (index, transposed) in PAIRS.into_iter().enumerate() {
                let c = if (index + turn) % 2 == 0 { Layout::RowMajor } else { Layout::ColMajor };
                let layout = if shape[1] % 2 == 0 { Layout::RowMajor } else { Layout::RowPadded };
                let layouts = [layout, layout, c];
                seen.extend(Case { layouts, transposed, ..Case::new(kind, shape) }.run(&gpu));
            }
        }
    }
    println!("kernels: {seen:?}");
    if ["H100", "H200"].iter().any(|name| gpu.info().name.contains(name)) {
        assert!(has_matrix_units(&gpu) && seen.contains("gemm_mixed_mma"), "{seen:?}");
        assert!(!seen.contains("gemm"), "the general kernel stood in: {seen:?}");
    }
}

#[test]
fn a_nan_and_an_inf_reach_their_own_row_and_column_only() {
    let Some(gpu) = gpu() else { return };
    for half in Half::ALL {
        for [m, n, k] in [[67, 66, 19], [72, 64, 40], [7, 6, 5]] {
            let at = |own: bool, strange: f64| if own { strange } else { 1.0 };
            let a =
                Halves::new(&gpu, half, Layout::RowMajor, [1, m, k], |_, i, l| at((i, l) == (m - 1, k - 1), f64::NAN));
            let b = Halves::new(&gpu, half, Layout::ColPadded, [1, k, n], |_, l, j| {
                at((l, j) == (0, n - 1), f64::INFINITY)
            });
            let c = Halves::new(&gpu, half, Layout::RowMajor, [1, m, n], |_, _, _| f64::NAN);
            gemm_half(&gpu, 1.0, a.view(), b.view(), 0.0, HalfProduct::Rounded(c.view())).unwrap();
            c.compare(&gpu, |_, i, j, found| match (i == m - 1, j == n - 1) {
                (true, _) => assert!(found.is_nan(), "({i}, {j}) is {found}"),
                (false, true) => assert!(found == f64::INFINITY, "({i}, {j}) is {found}"),
                (false, false) => assert!(found == k as f64, "({i}, {j}) is {found}"),
            });
        }
    }
}

/// `x y` in both result types, as part of a product large enough for the matrix units and of a small one.
fn one_product(gpu: &Gpu, half: Half, x: f64, y: f64, beta: f64, before: f64) -> [(f64, f64); 2] {
    [40, 3].map(|n| {
        let make = |value: f64| {
            Halves::new(gpu, half, Layout::RowMajor, [1, n, n], move |_, i, j| if i == j { value } else { 0.0 })
        };
        let (a, b) = (make(x), make(y));
        let c = make(before);
        let wide = OnDevice::<f32>::constant(gpu, Layout::RowMajor, [1, n, n], before);
        gemm_half(gpu, 1.0, a.view(), b.view(), beta, HalfProduct::Rounded(c.view())).unwrap();
        gemm_half(gpu, 1.0, a.view(), b.view(), beta, HalfProduct::Float32(wide.view())).unwrap();
        let (mut rounded, mut summed) = (f64::NAN, f64::NAN);
        c.compare(gpu, |_, i, j, found| {
            if (i, j) == (1, 1) {
                rounded = found
            }
        });
        wide.compare(gpu, |_, i, j, found| {
            if (i, j) == (1, 1) {
                summed = found.re
            }
        });
        (rounded, summed)
    })
}

#[test]
fn what_is_too_large_for_binary16_becomes_inf_and_stays_a_number_in_float() {
    let Some(gpu) = gpu() else { return };
    assert_eq!(one_product(&gpu, Half::Float16, 300.0, -300.0, 0.0, 0.0), [(f64::NEG_INFINITY, -90000.0); 2]);
    // 65504 is the largest number; 65520 is halfway to what would follow, and 65519 is nearer to the former.
    assert_eq!(one_product(&gpu, Half::Float16, 2047.0, 32.0, 1.0, 15.0), [(65504.0, 65519.0); 2]);
    assert_eq!(one_product(&gpu, Half::Float16, 2047.0, 32.0, 1.0, 16.0), [(f64::INFINITY, 65520.0); 2]);
    assert_eq!(one_product(&gpu, Half::BFloat16, 256.0, 384.0, 0.0, 0.0), [(98304.0, 98304.0); 2]);
}

#[test]
fn subnormal_numbers_are_read_and_written() {
    let Some(gpu) = gpu() else { return };
    let tiny = f64::powi(2.0, -24);
    assert_eq!(one_product(&gpu, Half::Float16, tiny, 1024.0, 0.0, 0.0), [(1024.0 * tiny, 1024.0 * tiny); 2]);
    assert_eq!(
        one_product(&gpu, Half::Float16, f64::powi(2.0, -14), f64::powi(2.0, -9), 0.0, 0.0),
        [(2.0 * tiny, 2.0 * tiny); 2]
    );
    // Half of the smallest number is a tie, and zero is even; three halves go to two.
    assert_eq!(one_product(&gpu, Half::Float16, tiny, 0.5, 0.0, 0.0), [(0.0, tiny / 2.0); 2]);
    assert_eq!(one_product(&gpu, Half::Float16, 3.0 * tiny, 0.5, 0.0, 0.0), [(2.0 * tiny, 1.5 * tiny); 2]);
}

#[test]
fn results_are_rounded_once_to_the_nearest_and_ties_to_the_even_number() {
    let Some(gpu) = gpu() else { return };
    // Binary16 has steps of 2 from 2048 on, bfloat16 from 256 on.
    for (half, base) in [(Half::Float16, 2048.0), (Half::BFloat16, 256.0)] {
        for (added, expected) in [(1.0, 0.0), (2.0, 2.0), (3.0, 4.0), (-1.0, -1.0), (5.0, 4.0), (7.0, 8.0)] {
            let found = one_product(&gpu, half, base / 4.0, 4.0, 1.0, added);
            assert_eq!(found, [(base + expected, base + added); 2], "{half:?} {added}");
        }
    }
}

#[test]
fn tf32_rounds_operands_to_11_bits_with_ties_away_from_zero_and_only_on_matrix_units() {
    let Some(gpu) = gpu() else { return };
    let step = f64::powi(2.0, -10);
    for (x, rounded) in
        [(1.0 + step / 2.0, 1.0 + step), (1.0 + step / 4.0, 1.0), (-1.0 - 1.5 * step, -1.0 - 2.0 * step)]
    {
        let make = |value: f64| {
            OnDevice::<f32>::new(&gpu, Layout::RowMajor, [1, 40, 40], |_, i, j| {
                lapack_ai_core::Complex64::new(if i == j { value } else { 0.0 }, 0.0)
            })
        };
        let (a, b, c) = (make(x), make(1.0), make(f64::NAN));
        let used = gemm_tf32(&gpu, 1.0, a.view(), b.view(), 0.0, c.view()).unwrap();
        assert_eq!(used, has_matrix_units(&gpu));
        c.compare(&gpu, |_, i, j, found| {
            let expected = if i == j { if used { rounded } else { x } } else { 0.0 };
            assert_eq!(found.re, expected, "({i}, {j})");
        });
    }
}

#[test]
fn copies_of_16_bits_are_exact_in_every_layout() {
    let Some(gpu) = gpu() else { return };
    for from in Layout::ALL {
        for to in Layout::ALL {
            let source = Halves::random(&gpu, Half::Float16, from, [3, 37, 50], 7);
            let target = Halves::new(&gpu, Half::Float16, to, [3, 50, 37], |_, _, _| f64::NAN);
            copy_16(&gpu, source.view().transposed(), target.view()).unwrap();
            target.compare(&gpu, |t, i, j, found| assert_eq!(found, source.at(t, j, i), "{from:?} to {to:?}"));
        }
    }
}

#[test]
fn shapes_and_types_that_do_not_fit_are_refused() {
    let Some(gpu) = gpu() else { return };
    let make = |half, shape| Halves::random(&gpu, half, Layout::RowMajor, shape, 1);
    let (a, b, c) = (make(Half::Float16, [2, 3, 4]), make(Half::Float16, [2, 4, 5]), make(Half::Float16, [2, 3, 5]));
    let other = make(Half::BFloat16, [2, 4, 5]);
    let product = |a: &Halves, b: &Halves, c: &Halves| {
        gemm_half(&gpu, 1.0, a.view(), b.view(), 0.0, HalfProduct::Rounded(c.view())).map_err(|fault| fault.kind)
    };
    assert_eq!(product(&a, &b, &c), Ok(()));
    for (a, b, c) in
        [(&b, &b, &c), (&a, &a, &c), (&a, &b, &a), (&a, &other, &c), (&a, &b, &make(Half::BFloat16, [2, 3, 5]))]
    {
        assert_eq!(product(a, b, c), Err(FaultKind::Invalid));
    }
    let block = gpu.alloc(8 * 30).unwrap();
    let double = DeviceView::row_major(&block, DType::Float64, [2, 3, 5]).unwrap();
    let outcome = gemm_half(&gpu, 1.0, a.view(), b.view(), 0.0, HalfProduct::Float32(double));
    assert_eq!(outcome.unwrap_err().kind, FaultKind::Invalid);
}
