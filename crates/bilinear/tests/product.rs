//! One 4 x 4 product in BLAS form, by every algorithm, against sums of twice the precision.

use lapack_ai_bilinear::Program;
use lapack_ai_bilinear::catalogue::by_name;
use lapack_ai_bilinear::product::{Algorithm, BadLayout, gemm_4x4, product_modulo_2};
use lapack_ai_bilinear::small::Element;

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
    /// Half the distance from 1 to the next number.
    const ROUNDING: f64;
    fn wide(self) -> f64;
}

impl Tested for f32 {
    const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Tested for f64 {
    const ROUNDING: f64 = f64::EPSILON / 2.0;
    fn wide(self) -> f64 {
        self
    }
}

/// `alpha sum x y + beta c` with twice the precision in sum and products, as value and remainder.
fn exact(alpha: f64, terms: impl Iterator<Item = (f64, f64)>, beta: f64, c: f64) -> [f64; 2] {
    let mut sum = [0.0_f64; 2];
    let mut add = |x: f64, y: f64| {
        let product = x * y;
        let total = sum[0] + product;
        let back = total - sum[0];
        let lost = (sum[0] - (total - back)) + (product - back);
        sum = [total, sum[1] + lost + x.mul_add(y, -product)];
    };
    for (x, y) in terms {
        add(alpha * x, y);
    }
    add(beta, c);
    sum
}

/// A product with random elements from `element`; its largest error in units of the bound.
fn worst<T: Tested>(
    algorithm: Algorithm,
    transpose: [bool; 2],
    lds: [usize; 3],
    [alpha, beta]: [f64; 2],
    element: &mut dyn FnMut() -> f64,
) -> f64 {
    let mut matrix = |ld: usize| -> Vec<T> {
        let gap = T::of(f64::NAN);
        (0..3 * ld + 5).map(|at| if at % ld < 4 && at / ld < 4 { T::of(element()) } else { gap }).collect()
    };
    let (a, b, before) = (matrix(lds[0]), matrix(lds[1]), matrix(lds[2]));
    let mut c = if beta == 0.0 { vec![T::of(f64::NAN); before.len()] } else { before.clone() };
    let (a_at, b_at) = ((a.as_slice(), lds[0]), (b.as_slice(), lds[1]));
    gemm_4x4(algorithm, transpose, T::of(alpha), a_at, b_at, T::of(beta), (&mut c, lds[2]))
        .expect("a layout that fits");
    let at = |matrix: &[T], ld: usize, turned: bool, i: usize, j: usize| {
        let (i, j) = if turned { (j, i) } else { (i, j) };
        matrix[i + j * ld].wide()
    };
    let largest = |matrix: &[T]| matrix.iter().map(|x| x.wide().abs()).filter(|x| !x.is_nan()).fold(0.0, f64::max);
    let size = largest(&a) * largest(&b);
    let mut worst: f64 = 0.0;
    for (index, found) in c.iter().enumerate() {
        let (i, j) = (index % lds[2], index / lds[2]);
        if i >= 4 || j >= 4 {
            assert!(found.wide().is_nan(), "something was written beside C");
            continue;
        }
        let old = before[index].wide();
        let terms = (0..4).map(|l| (at(&a, lds[0], transpose[0], i, l), at(&b, lds[1], transpose[1], l, j)));
        let [value, rest] = exact(alpha, terms, beta, if beta == 0.0 { 0.0 } else { old });
        let error = ((found.wide() - value) - rest).abs();
        // Alpha rounds once, beta once, their sum once.
        let bound = alpha.abs() * size * (algorithm.error_bound() + 8.0) + 2.0 * (beta * old).abs();
        worst = worst.max(if error.is_nan() { f64::INFINITY } else { error / (T::ROUNDING * bound) });
    }
    worst
}

const PAIRS: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];

#[test]
fn every_algorithm_keeps_its_bound_for_random_products_in_every_form() {
    // Factors that are exact in both types, so that the reference has the same.
    let factors = [[1.0, 0.0], [-0.75, 0.5], [2.0, 1.0], [1.0, -1.0]];
    for algorithm in Algorithm::ALL {
        let mut random = Random(1);
        let mut largest = 0.0_f64;
        for turn in 0..40_000 {
            let lds = [4 + turn % 3, 4 + turn / 3 % 4, 4 + turn / 5 % 2];
            let (transpose, both) = (PAIRS[turn % 4], factors[turn / 4 % 4]);
            let mut element: Box<dyn FnMut() -> f64> = match turn % 5 {
                0 => Box::new(|| random.uniform()),
                1 => Box::new(|| random.uniform().signum() * (1.0 - random.uniform().abs() / 1000.0)),
                2 => Box::new(|| random.uniform() * 10_f64.powf(8.0 * random.uniform())),
                3 => Box::new(|| (random.uniform() * 9.0).round() / 3.0),
                _ => Box::new(|| 1.0 + random.uniform()),
            };
            let of_both = [
                worst::<f32>(algorithm, transpose, lds, both, &mut element),
                worst::<f64>(algorithm, transpose, lds, both, &mut element),
            ];
            largest = largest.max(of_both[0]).max(of_both[1]);
        }
        assert!(largest <= 1.0, "{algorithm:?}: {largest} of the bound");
        // A bound that nothing comes near would be no description.
        assert!(largest > 0.01, "{algorithm:?}: {largest} of the bound");
        println!("{algorithm:?}: largest error {largest:.3} of the bound");
    }
}

#[test]
fn small_integers_are_multiplied_exactly_by_every_algorithm() {
    let mut random = Random(9);
    for algorithm in Algorithm::ALL {
        for transpose in PAIRS {
            let mut element = || (random.uniform() * 100.0).round();
            let error = worst::<f32>(algorithm, transpose, [4, 5, 6], [-1.0, 2.0], &mut element);
            assert_eq!(error, 0.0, "{algorithm:?}");
            assert_eq!(worst::<f64>(algorithm, transpose, [4, 5, 6], [-1.0, 2.0], &mut element), 0.0, "{algorithm:?}");
        }
    }
}

#[test]
fn bounds_and_names_are_those_of_the_schemes() {
    for algorithm in Algorithm::ALL {
        let scheme = by_name(algorithm.name()).expect("a scheme of that name");
        assert_eq!(Program::new(scheme).error_bound(), algorithm.error_bound(), "{algorithm:?}");
        assert_eq!(Algorithm::by_name(algorithm.name()), Some(algorithm));
    }
    assert_eq!(Algorithm::by_name("auto"), None);
}

#[test]
fn factors_of_zero_do_not_read_what_they_multiply() {
    let nan = [f64::NAN; 16];
    for algorithm in Algorithm::ALL {
        let mut c: [f64; 16] = std::array::from_fn(|z| z as f64);
        gemm_4x4(algorithm, [false; 2], 0.0, (&nan, 4), (&nan, 4), 0.5, (&mut c, 4)).expect("a layout that fits");
        assert_eq!(c, std::array::from_fn(|z| z as f64 / 2.0));
        let mut c = nan;
        gemm_4x4(algorithm, [false; 2], 0.0, (&nan, 4), (&nan, 4), 0.0, (&mut c, 4)).expect("a layout that fits");
        assert_eq!(c, [0.0; 16]);
    }
}

#[test]
fn a_layout_that_does_not_fit_is_refused_and_nothing_is_written() {
    let (full, short) = ([1.0_f32; 19], [1.0_f32; 18]);
    let mut c = [7.0_f32; 19];
    let mut run = |a: &[f32], lda, b: &[f32], ldb, ldc| {
        gemm_4x4(Algorithm::AlphaTensor, [false; 2], 1.0, (a, lda), (b, ldb), 0.0, (&mut c, ldc))
    };
    assert_eq!(
        run(&short, 5, &full, 5, 5),
        Err(BadLayout { matrix: 'A', rows: 4, cols: 4, ld: 5, len: 18, needed: 19 })
    );
    assert_eq!(
        run(&full, 5, &full, 3, 5),
        Err(BadLayout { matrix: 'B', rows: 4, cols: 4, ld: 3, len: 19, needed: 13 })
    );
    let fault = run(&full, 5, &full, 5, 6).unwrap_err();
    assert_eq!(fault.to_string(), "C has 19 elements; 4 x 4 with leading dimension 6 needs 22");
    assert_eq!(run(&full, 5, &full, usize::MAX, 5).unwrap_err().matrix, 'B');
    assert_eq!(run(&full, 3, &full, 5, 5).unwrap_err().to_string(), "A has leading dimension 3; give 4 or more");
    assert_eq!(c, [7.0; 19]);
}

#[test]
fn products_modulo_2_are_right_in_all_64_bits() {
    let mut random = Random(4);
    for _ in 0..1000 {
        let (a, b) = (std::array::from_fn(|_| random.bits()), std::array::from_fn(|_| random.bits()));
        let c = product_modulo_2(&a, &b);
        for (z, found) in c.into_iter().enumerate() {
            let wanted = (0..4).fold(0, |sum, l| sum ^ (a[z / 4 * 4 + l] & b[l * 4 + z % 4]));
            assert_eq!(found, wanted, "element {z}");
        }
    }
}
