//! Small products against sums of twice the precision: every instruction set, shape, form and algorithm.

use lapack_ai_bilinear::product::{Algorithm, BadLayout};
use lapack_ai_bilinear::small::{self, Element, Isa, Kernels, Strides};

/// Repeatable numbers.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^ (x >> 27)
    }

    /// In [-1, 1).
    fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// Element types of the tests.
trait Tested: Element + std::fmt::Debug {
    const EPSILON: f64;
    fn wide(self) -> f64;
}

impl Tested for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Tested for f64 {
    const EPSILON: f64 = f64::EPSILON;
    fn wide(self) -> f64 {
        self
    }
}

/// What the elements between columns are, and those behind the last.
const GUARD: f64 = -7.25e30;

/// A sum with twice the precision, as value and remainder.
#[derive(Clone, Copy, Default)]
struct Sum([f64; 2]);

impl Sum {
    fn add(&mut self, x: f64, y: f64) {
        let product = x * y;
        let total = self.0[0] + product;
        let back = total - self.0[0];
        let lost = (self.0[0] - (total - back)) + (product - back);
        self.0 = [total, self.0[1] + lost + x.mul_add(y, -product)];
    }
}

const PAIRS: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];

/// The instruction sets that this machine has.
fn kernels<T: Element>() -> Vec<Kernels<T>> {
    let found: Vec<Kernels<T>> = Isa::ALL.into_iter().filter_map(Kernels::of).collect();
    assert!(!found.is_empty());
    found
}

/// A rows x cols matrix with guards around its columns; every element from `element`.
fn matrix<T: Tested>(rows: usize, cols: usize, ld: usize, mut element: impl FnMut() -> f64) -> Vec<T> {
    let inside = |at: usize| at % ld < rows && at / ld < cols;
    (0..ld * cols + 3).map(|at| T::of(if inside(at) { element() } else { GUARD })).collect()
}

/// A case: shape, transpositions, alpha and beta, by how much leading dimensions are larger than they must be.
#[derive(Clone, Copy, Debug)]
struct Case {
    shape: [usize; 3],
    transpose: [bool; 2],
    factors: [f64; 2],
    slack: [usize; 3],
}

/// Largest error of an element of C in units of `eps (k |alpha| max|A| max|B| + |beta c|)`; guards are checked.
fn worst<T: Tested>(kernels: Kernels<T>, algorithm: Algorithm, case: Case, random: &mut Random) -> f64 {
    let Case { shape: [m, n, k], transpose, factors: [alpha, beta], slack } = case;
    let (a_rows, a_cols) = if transpose[0] { (k, m) } else { (m, k) };
    let (b_rows, b_cols) = if transpose[1] { (n, k) } else { (k, n) };
    let [lda, ldb, ldc] = [a_rows + slack[0], b_rows + slack[1], m + slack[2]].map(|ld| ld.max(1));
    let a: Vec<T> = matrix(a_rows, a_cols, lda, || random.uniform());
    let b: Vec<T> = matrix(b_rows, b_cols, ldb, || random.uniform());
    let before: Vec<T> = matrix(m, n, ldc, || random.uniform());
    let mut c = before.clone();
    if beta == 0.0 {
        // Must not be read.
        for (at, element) in c.iter_mut().enumerate() {
            if at % ldc < m && at / ldc < n {
                *element = T::of(f64::NAN);
            }
        }
    }
    let (alpha_t, beta_t) = (T::of(alpha), T::of(beta));
    kernels
        .gemm(algorithm, transpose, [m, n, k], alpha_t, (&a, lda), (&b, ldb), beta_t, (&mut c, ldc))
        .expect("a layout that fits");
    let of_a = |i: usize, l: usize| a[if transpose[0] { l + i * lda } else { i + l * lda }].wide();
    let of_b = |l: usize, j: usize| b[if transpose[1] { j + l * ldb } else { l + j * ldb }].wide();
    let mut worst = 0.0_f64;
    for (at, found) in c.iter().enumerate() {
        let (i, j) = (at % ldc, at / ldc);
        if i >= m || j >= n {
            assert_eq!(*found, T::of(GUARD), "something was written beside C: {case:?}, {:?}", kernels.isa());
            continue;
        }
        let mut sum = Sum::default();
        for l in 0..k {
            sum.add(alpha * of_a(i, l), of_b(l, j));
        }
        let old = if beta == 0.0 { 0.0 } else { before[at].wide() };
        sum.add(beta, old);
        let error = ((found.wide() - sum.0[0]) - sum.0[1]).abs();
        let size = k as f64 * alpha.abs() + (beta * old).abs();
        if error != 0.0 {
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { error / (T::EPSILON * size) });
        }
    }
    worst
}

/// Factors that are powers of two or sums of few, so that products with them in the reference are exact.
const FACTORS: [[f64; 2]; 6] = [[1.0, 0.0], [1.0, 1.0], [-0.5, 0.0], [2.0, -0.5], [0.0, 0.5], [0.5, 1.0]];

fn every_shape<T: Tested>(sizes: &[usize], turns: usize) {
    let mut random = Random(3);
    let mut largest = 0.0_f64;
    for kernels in kernels::<T>() {
        let mut turn = 0;
        for &m in sizes {
            for &n in sizes {
                for &k in sizes {
                    for _ in 0..turns {
                        turn += 1;
                        let slack = [turn % 3, turn / 3 % 2, turn / 6 % 4];
                        let (transpose, factors) = (PAIRS[turn % 4], FACTORS[turn / 4 % 6]);
                        let case = Case { shape: [m, n, k], transpose, factors, slack };
                        let error = worst(kernels, Algorithm::Classical, case, &mut random);
                        // A sum of k products rounds k times at most by eps / 2 of partial sums; alpha and beta three times more.
                        assert!(error <= 2.0, "{error} eps, {case:?}, {:?}", kernels.isa());
                        largest = largest.max(error);
                    }
                }
            }
        }
    }
    assert!(largest > 0.05, "a bound that nothing comes near: {largest}");
}

#[test]
fn every_ragged_shape_is_right_in_every_instruction_set_in_float64() {
    every_shape::<f64>(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], 2);
}

#[test]
fn every_ragged_shape_is_right_in_every_instruction_set_in_float32() {
    every_shape::<f32>(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], 2);
}

#[test]
fn larger_shapes_are_right_in_every_form() {
    every_shape::<f64>(&[3, 24, 31, 32, 33, 63, 64], 4);
    every_shape::<f32>(&[5, 31, 32, 33, 48, 63, 64], 4);
}

#[test]
fn extents_beyond_the_buffer_for_a_transposed_factor_are_right() {
    let mut random = Random(8);
    for kernels in kernels::<f64>() {
        for (turn, k) in [65, 127, 128, 200].into_iter().enumerate() {
            let case =
                Case { shape: [67, 35, k], transpose: [true, turn % 2 == 1], factors: [-0.5, 0.5], slack: [1, 0, 2] };
            let error = worst(kernels, Algorithm::Classical, case, &mut random);
            assert!(error <= 2.0, "{error} eps, {case:?}");
        }
    }
}

#[test]
fn named_algorithms_over_blocks_keep_their_bound_for_every_shape() {
    let mut random = Random(5);
    let sizes = [1, 3, 4, 5, 7, 8, 12, 17, 20, 33];
    for algorithm in Algorithm::ALL {
        for kernels in kernels::<f64>() {
            let mut turn = 0;
            for m in sizes {
                for n in sizes {
                    for k in sizes {
                        turn += 1;
                        let factors = FACTORS[turn / 4 % 6];
                        let case = Case { shape: [m, n, k], transpose: PAIRS[turn % 4], factors, slack: [1, 2, 0] };
                        let error = worst(kernels, algorithm, case, &mut random);
                        // The bound for numbers, in units of eps / 2, times the products of a block.
                        let bound = algorithm.error_bound();
                        assert!(error <= bound / 2.0, "{algorithm:?}: {error} eps, {case:?}, {:?}", kernels.isa());
                        assert!(algorithm != Algorithm::Classical || error <= 2.0, "{error} eps, {case:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn named_algorithms_multiply_integers_exactly_and_are_not_the_definition() {
    for algorithm in Algorithm::ALL {
        for kernels in kernels::<f64>() {
            for (transpose, n) in PAIRS.into_iter().zip([4, 8, 9, 64]) {
                let mut random = Random(n as u64);
                let mut element = || (random.uniform() * 50.0).round();
                let a: Vec<f64> = (0..n * n).map(|_| element()).collect();
                let b: Vec<f64> = (0..n * n).map(|_| element()).collect();
                let product = |algorithm, a: &[f64]| {
                    let mut c = vec![0.0; n * n];
                    kernels
                        .gemm(algorithm, transpose, [n; 3], 1.0, (a, n), (&b, n), 0.0, (&mut c, n))
                        .expect("a layout that fits");
                    c
                };
                assert_eq!(product(algorithm, &a), product(Algorithm::Classical, &a), "{algorithm:?} {n}");
                // A NaN in one row of A stays there by the definition, and only by it.
                let mut holed = a.clone();
                holed[if transpose[0] { n } else { 1 }] = f64::NAN;
                let spread = product(algorithm, &holed).iter().filter(|x| x.is_nan()).count();
                assert_eq!(spread == n, algorithm == Algorithm::Classical, "{algorithm:?} {n}: {spread}");
            }
        }
    }
}

#[test]
fn a_million_products_by_each_scheme_stay_within_one_part_in_a_trillion() {
    for algorithm in Algorithm::ALL {
        let mut random = Random(11);
        let strides = Strides { count: 1000, a: 16, b: 16, c: 16 };
        let mut largest = 0.0_f64;
        for turn in 0..1000 {
            // Of one size, of one sign, and of very different sizes.
            let mut element = || match turn % 3 {
                0 => random.uniform(),
                1 => random.uniform().abs(),
                _ => random.uniform() * f64::powi(2.0, (random.bits() % 40) as i32 - 20),
            };
            let a: Vec<f64> = (0..16_000).map(|_| element()).collect();
            let b: Vec<f64> = (0..16_000).map(|_| element()).collect();
            let mut c = vec![0.0; 16_000];
            small::gemm_batched(algorithm, [false; 2], [4; 3], 1.0, (&a, 4), (&b, 4), 0.0, (&mut c, 4), strides, 1)
                .expect("a layout that fits");
            for ((a, b), c) in a.chunks_exact(16).zip(b.chunks_exact(16)).zip(c.chunks_exact(16)) {
                let max = |x: &[f64]| x.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
                let size = max(a) * max(b);
                for (at, found) in c.iter().enumerate() {
                    let mut sum = Sum::default();
                    for l in 0..4 {
                        sum.add(a[at % 4 + 4 * l], b[l + at / 4 * 4]);
                    }
                    largest = largest.max(((found - sum.0[0]) - sum.0[1]).abs() / size);
                }
            }
        }
        assert!(largest <= 1e-12, "{algorithm:?}: {largest:e}");
        assert!(largest <= algorithm.error_bound() * f64::EPSILON / 2.0, "{algorithm:?}: {largest:e}");
        assert!(largest > 1e-17, "{algorithm:?}: {largest:e}");
        println!("{algorithm:?}: {largest:e}");
    }
}

#[test]
fn infinity_and_nan_spread_as_sums_do() {
    for kernels in kernels::<f64>() {
        for n in [3, 4, 9] {
            let a: Vec<f64> = (0..n * n).map(|at| if at == 1 { f64::INFINITY } else { 1.0 }).collect();
            let mut b = vec![1.0; n * n];
            // 0 times infinity in column 0, infinity in column 1, NaN in column 2.
            (b[0], b[2 * n + 1]) = (0.0, f64::NAN);
            let mut c = vec![f64::NAN; n * n];
            kernels
                .gemm(Algorithm::Classical, [false; 2], [n; 3], 1.0, (&a, n), (&b, n), 0.0, (&mut c, n))
                .expect("a layout that fits");
            for (at, found) in c.into_iter().enumerate() {
                let right = match (at % n, at / n) {
                    (1, 0) | (_, 2) => found.is_nan(),
                    (1, _) => found == f64::INFINITY,
                    (_, 0) => found == n as f64 - 1.0,
                    _ => found == n as f64,
                };
                assert!(right, "{n}: element {at} is {found}, {:?}", kernels.isa());
            }
        }
    }
}

#[test]
fn factors_of_zero_and_empty_sums_do_not_read_the_matrices() {
    let nothing = std::ptr::null::<f32>();
    for kernels in kernels::<f32>() {
        for algorithm in Algorithm::ALL {
            for (alpha, shape) in [(0.0, [4, 4, 4]), (0.0, [5, 2, 3]), (1.0, [4, 4, 0]), (f32::NAN, [1, 3, 0])] {
                for beta in [0.0, 1.0, 0.5] {
                    let mut c = [if beta == 0.0 { f32::NAN } else { 2.0 }; 25];
                    let (a, b) = ((nothing, 5), (nothing, 5));
                    // SAFETY: A and B must not be read.
                    unsafe { kernels.gemm_raw(algorithm, [true; 2], shape, alpha, a, b, beta, (c.as_mut_ptr(), 5)) };
                    for (at, found) in c.into_iter().enumerate() {
                        if at % 5 < shape[0] && at / 5 < shape[1] {
                            assert_eq!(found, 2.0 * beta, "{shape:?}");
                        } else {
                            assert!(found == 2.0 || found.is_nan() && beta == 0.0, "{shape:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn batches_are_the_products_one_by_one_for_any_number_of_threads() {
    let mut random = Random(21);
    for (shape @ [m, n, k], count) in [([4, 4, 4], 60_001), ([4, 4, 4], 1), ([3, 5, 2], 7), ([8, 8, 8], 9000)] {
        for (turn, transpose) in PAIRS.into_iter().enumerate() {
            let algorithm = if turn % 2 == 0 { Algorithm::Classical } else { Algorithm::Winograd };
            // B is the same for all products in one case.
            let strides = Strides { count, a: m * k + 1, b: if turn == 1 { 0 } else { k * n }, c: m * n + 3 };
            let lds = [if transpose[0] { k } else { m }, if transpose[1] { n } else { k }, m];
            let a: Vec<f64> = (0..strides.a * count).map(|_| random.uniform()).collect();
            let b: Vec<f64> = (0..k * n * count).map(|_| random.uniform()).collect();
            let before: Vec<f64> = (0..strides.c * count).map(|_| random.uniform()).collect();
            let mut wanted = before.clone();
            for index in 0..count {
                let (a, b) = (&a[index * strides.a..], &b[index * strides.b..]);
                let c = &mut wanted[index * strides.c..];
                small::gemm(algorithm, transpose, shape, -0.5, (a, lds[0]), (b, lds[1]), 2.0, (c, lds[2]))
                    .expect("a layout that fits");
            }
            for threads in [1, 2, 3, 64] {
                let mut c = before.clone();
                let (a, b, at_c) = ((a.as_slice(), lds[0]), (b.as_slice(), lds[1]), (c.as_mut_slice(), lds[2]));
                small::gemm_batched(algorithm, transpose, shape, -0.5, a, b, 2.0, at_c, strides, threads)
                    .expect("a layout that fits");
                assert!(c == wanted, "{shape:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn batches_that_do_not_fit_or_overlap_are_refused() {
    let (a, b, mut c) = ([1.0; 48], [1.0; 48], [5.0; 48]);
    let mut run = |a: &[f64], strides| {
        let (a, c) = ((a, 4), (c.as_mut_slice(), 4));
        small::gemm_batched(Algorithm::Classical, [false; 2], [4; 3], 1.0, a, (&b, 4), 0.0, c, strides, 2)
    };
    let strides = Strides { count: 3, a: 16, b: 16, c: 16 };
    let fault = |matrix, len, needed| Err(BadLayout { matrix, rows: 4, cols: 4, ld: 4, len, needed });
    assert_eq!(run(&a[1..], strides), fault('A', 47, 48));
    assert_eq!(run(&a, Strides { c: 17, ..strides }), fault('C', 48, 50));
    assert_eq!(run(&a, Strides { c: 15, ..strides }), fault('C', 15, 16));
    assert_eq!(run(&a, Strides { b: usize::MAX, ..strides }), fault('B', 48, usize::MAX));
    assert_eq!(run(&[], Strides { count: 0, ..strides }), Ok(()));
    assert_eq!(run(&a, strides), Ok(()));
    assert_eq!(c, [4.0; 48]);
}

#[test]
fn slices_that_end_early_are_refused_for_every_matrix() {
    let (long, short) = ([1.0; 12], [1.0; 11]);
    let run = |transpose, a: (&[f64], usize), b: (&[f64], usize), mut c: Vec<f64>, ldc| {
        small::gemm(Algorithm::Classical, transpose, [3, 2, 4], 1.0, a, b, 0.0, (&mut c, ldc)).map_err(|fault| {
            assert!(!fault.to_string().is_empty());
            (fault.matrix, fault.needed)
        })
    };
    let c = || vec![0.0; 6];
    assert_eq!(run([false; 2], (&long, 3), (&long, 4), c(), 3), Ok(()));
    assert_eq!(run([false; 2], (&short, 3), (&long, 4), c(), 3), Err(('A', 12)));
    assert_eq!(run([true, false], (&long, 4), (&long[..7], 4), c(), 3), Err(('B', 8)));
    assert_eq!(run([true; 2], (&long, 3), (&long, 4), c(), 3).map_err(|fault| fault.0), Err('A'));
    assert_eq!(run([false; 2], (&long, 3), (&long, 4), vec![0.0; 5], 3), Err(('C', 6)));
    assert_eq!(run([false; 2], (&long, 3), (&long, 4), c(), 2).map_err(|fault| fault.0), Err('C'));
}

#[test]
fn instruction_sets_have_names_and_the_best_one_is_taken() {
    for isa in Isa::ALL {
        assert_eq!(Isa::by_name(isa.name()), Some(isa));
        assert_eq!(Kernels::<f64>::of(isa).map(Kernels::isa), isa.is_available().then_some(isa));
    }
    assert_eq!(small::best::<f32>().isa(), Isa::best());
    assert!(Isa::Portable.is_available());
}
