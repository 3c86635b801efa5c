//! Products of matrices that begin anywhere, on a real device, against plain loops.

mod common;

use common::gpu;
use common::matrices::{Layout, OnDevice, check, conj_if, ratio};
use lapack_ai_core::{Complex64, Scalar};
use lapack_ai_opencl::kernels::gemm_at::{Scattered, gemm_at};
use lapack_ai_opencl::{Block, FaultKind, Gpu, Trace};

/// Matrices of one shape in a block, in an order of their own.
struct Heap<S> {
    /// One row with everything.
    all: OnDevice<S>,
    begins: Vec<usize>,
    shape: [usize; 2],
    strides: [isize; 2],
}

impl<S: Scalar> Heap<S> {
    /// `even`: beginnings and strides are multiples of four elements.
    fn new(gpu: &Gpu, count: usize, [rows, cols]: [usize; 2], by_rows: bool, even: bool, seed: u64) -> Self {
        let gap = if even { 4 } else { 3 };
        let line = |extent: usize| if even { extent.next_multiple_of(4) } else { extent + 1 };
        let (strides, each) = match by_rows {
            true => ([line(cols) as isize, 1], rows * line(cols)),
            false => ([1, line(rows) as isize], cols * line(rows)),
        };
        let each = each.next_multiple_of(if even { 4 } else { 1 });
        // In descending order.
        let begins: Vec<usize> = (0..count).map(|t| gap + (count - 1 - t) * (each + gap)).collect();
        let all = OnDevice::random(gpu, Layout::RowMajor, [1, 1, gap + count * (each + gap)], seed);
        Self { all, begins, shape: [rows, cols], strides }
    }

    fn view<'a>(&'a self, block: &'a Block) -> Scattered<'a> {
        Scattered::new(block, S::DTYPE, &self.begins, self.shape, self.strides).unwrap()
    }

    fn index(&self, t: usize, i: usize, j: usize) -> usize {
        self.begins[t] + i * self.strides[0] as usize + j * self.strides[1] as usize
    }

    fn at(&self, t: usize, i: usize, j: usize) -> Complex64 {
        self.all.at(0, 0, self.index(t, i, j))
    }
}

struct Case {
    count: usize,
    shape: [usize; 3],
    by_rows: [bool; 3],
    even: bool,
    conjugated: [bool; 2],
    factors: [f64; 2],
}

impl Case {
    /// The names of the kernels that ran.
    fn run<S: Scalar>(&self, gpu: &Gpu) -> Vec<&'static str> {
        let ([m, n, k], count) = (self.shape, self.count);
        let heap = |rows, cols, which: usize| {
            Heap::<S>::new(gpu, count, [rows, cols], self.by_rows[which], self.even, 30 + which as u64)
        };
        let (mut a, b, c) = (heap(m, k, 0), heap(k, n, 1), heap(m, n, 2));
        // A matrix may be used twice.
        if count > 2 {
            a.begins[0] = a.begins[2];
        }
        let [alpha, beta] = self.factors.map(|x| Complex64::new(x, 0.0));
        let trace = Trace::default();
        trace.enter(|| {
            let operands = ((a.view(&a.all.block), self.conjugated[0]), (b.view(&b.all.block), self.conjugated[1]));
            gemm_at(gpu, alpha, operands.0, operands.1, beta, c.view(&c.all.block)).unwrap();
        });
        let found = c.all.download(gpu);
        let mut own = vec![false; found.len()];
        let mut worst: f64 = 0.0;
        for t in 0..count {
            for i in 0..m {
                for j in 0..n {
                    let at = c.index(t, i, j);
                    own[at] = true;
                    let term = |l: usize| {
                        conj_if(a.at(t, i, l), self.conjugated[0]) * conj_if(b.at(t, l, j), self.conjugated[1])
                    };
                    let (sum, size) =
                        (0..k).fold((Complex64::ZERO, 0.0), |(sum, size), l| (sum + term(l), size + term(l).norm()));
                    let before = c.at(t, i, j);
                    let error = (found[at].to_complex128() - alpha * sum - beta * before).norm();
                    let bound = alpha.norm() * size + beta.norm() * before.norm();
                    worst = worst.max(if error.is_nan() { f64::INFINITY } else { ratio::<S>(error, k, bound) });
                }
            }
        }
        check(&format!("{} of {:?}", self.count, self.shape), worst);
        let mut others = (0..c.all.shape[2]).filter(|&at| !own[at]);
        assert!(others.all(|at| found[at].to_complex128() == c.all.at(0, 0, at)), "written beside C");
        trace.spans().into_iter().filter(|span| span.bytes == 0).map(|span| span.name).collect()
    }
}

#[test]
fn small_matrices_are_multiplied_where_they_lie_and_larger_ones_side_by_side() {
    fn run<S: Scalar>(gpu: &Gpu) {
        for (turn, (shape, kernel)) in [
            ([4, 4, 4], "gemm_small"),
            ([1, 7, 3], "gemm_small"),
            ([8, 5, 16], "gemm_small"),
            ([33, 9, 4], "gather_matrices"),
            ([40, 41, 37], "gather_matrices"),
            ([5, 4, 0], "gather_matrices"),
        ]
        .into_iter()
        .enumerate()
        {
            for pattern in 0..8_usize {
                let case = Case {
                    count: [1, 5, 33][(turn + pattern) % 3],
                    shape,
                    by_rows: [pattern & 1 == 0, pattern & 2 == 0, pattern & 4 == 0],
                    even: pattern % 3 == 0,
                    conjugated: [pattern % 3 == 1, pattern % 2 == 1],
                    factors: [[1.0, 0.0], [-0.75, 0.5], [0.5, 1.0], [0.0, 2.0]][(turn + pattern) % 4],
                };
                let kernels = case.run::<S>(gpu);
                let expected = if case.factors[0] == 0.0 { "gather_matrices" } else { kernel };
                assert!(kernels.contains(&expected), "{shape:?}: {kernels:?}");
            }
        }
    }
    let Some(gpu) = gpu() else { return };
    all_types!(&gpu, run);
}

#[test]
fn large_batches_have_the_kernel_for_their_shape() {
    let Some(gpu) = gpu() else { return };
    for (pattern, even) in [(0, true), (3, true), (5, false)] {
        let case = Case {
            count: 34_000_000 / (3 * 16 * 4),
            shape: [4, 4, 4],
            by_rows: [pattern & 1 == 0, pattern & 2 == 0, pattern & 4 == 0],
            even,
            conjugated: [false; 2],
            factors: [-1.0, 1.0],
        };
        assert_eq!(case.run::<f32>(&gpu), ["gemm_batched"]);
        if gpu.info().is_cpu {
            break;
        }
    }
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let Some(gpu) = gpu() else { return };
    let heap = |count, shape| Heap::<f32>::new(&gpu, count, shape, true, true, 1);
    let (a, b, c) = (heap(3, [4, 5]), heap(3, [5, 6]), heap(3, [4, 6]));
    let short = heap(2, [4, 5]);
    let one = Complex64::new(1.0, 0.0);
    let product = |a: &Heap<f32>, b: &Heap<f32>| {
        let (x, y) = (a.view(&a.all.block), b.view(&b.all.block));
        gemm_at(&gpu, one, (x, false), (y, false), one, c.view(&c.all.block))
    };
    assert!(product(&a, &b).is_ok());
    assert_eq!(product(&short, &b).unwrap_err().kind, FaultKind::Invalid);
    assert_eq!(product(&b, &a).unwrap_err().kind, FaultKind::Invalid);
    let outside = Scattered::new(&a.all.block, f32::DTYPE, &[0, 1_000_000], [4, 5], [5, 1]);
    assert_eq!(outside.unwrap_err().kind, FaultKind::Invalid);
}
