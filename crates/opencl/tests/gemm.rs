//! The matrix product on a real device against plain loops.

mod common;

use common::gpu;
use common::matrices::{Layout, OnDevice, check, conj_if, ratio};
use lapack_ai_core::{Complex64, Scalar};
use lapack_ai_opencl::kernels::gemm::gemm;
use lapack_ai_opencl::{FaultKind, Gpu};

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

    fn run<S: Scalar>(&self, gpu: &Gpu) {
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
        gemm(gpu, self.alpha, (va, self.conjugated[0]), (vb, self.conjugated[1]), self.beta, c.view()).unwrap();

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

#[test]
fn a_nan_and_an_inf_reach_their_own_row_and_column_only() {
    fn run<S: Scalar>(gpu: &Gpu) {
        // Extents beside the tiles, so that zeros stand in for what lies outside; once for each kernel.
        for [m, n, k] in [[67, 66, 19], [7, 6, 5]] {
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
