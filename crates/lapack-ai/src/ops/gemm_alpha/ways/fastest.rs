//! Whether a scheme on blocks is faster than the BLAS: for products that are free to take one.
//!
//! With the rates `r` of the BLAS and `s` of this library's own tiles, in multiplications and additions a second, and the bytes `x` that
//! an algorithm of rank R over p x q x t blocks moves to form its sums and to add its products up ([`Forms::traffic`]),
//!
//! ```text
//!     BLAS    2 m n k / r                     scheme    2 m n k R / (p q t) / s + (x - x of the ordinary product) / bandwidth.
//! ```
//!
//! The rates are measured once in a process for each element type and number of threads, on a product of 1024 rows a thread, in some
//! 0.3 seconds: the own tiles' first, after a pause, since threads of a BLAS that wait for its next call keep processors busy. They are
//! measured only when the process has computed for so long that it takes a tenth of that: before, the BLAS computes. A level of a
//! scheme is taken where it gains 4 % or more: less is within what the model knows, and not worth its error.

use super::{Choice, GemmScalar, Product, Way, error_bound};
use lapack_ai_bilinear::large::Forms;
use lapack_ai_bilinear::product::Algorithm;
use lapack_ai_bilinear::small::Isa;
use lapack_ai_host::Library;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The smallest extent, and the least work as the extent of a cube, for which a scheme was ever seen to pay.
const LEAST: usize = 512;
const LEAST_CUBE: f64 = 1280.0;
/// What a level must save.
const GAIN: f64 = 0.04;
/// Bytes a second that a thread moves beside its arithmetic, and the threads that memory can serve like that.
const BANDWIDTH: f64 = 17e9;
const SERVED: usize = 8;
/// Rows for each thread, columns and terms of the product that is measured, and how often.
const MEASURED: usize = 1024;
const TURNS: usize = 3;
/// Until waiting threads sleep.
const PAUSE: Duration = Duration::from_millis(100);
/// The measurement's share of the time of all products that wait for it.
const SHARE: f64 = 0.1;

/// What is known of the products of one element type.
#[derive(Debug)]
pub struct Knowledge {
    /// Of numbers of threads, how many times as fast as the BLAS the own tiles are.
    ratios: HashMap<usize, Ratio>,
}

#[derive(Clone, Copy, Debug)]
enum Ratio {
    /// Not measured; so much work was computed by the BLAS meanwhile.
    After(f64),
    /// Own rate over the BLAS's, and the BLAS's in multiplications and additions a second.
    Measured(f64, f64),
}

impl Knowledge {
    pub(super) fn new() -> Mutex<Self> {
        Mutex::new(Self { ratios: HashMap::new() })
    }
}

/// Whether a product is large enough to be looked at.
#[inline(always)]
pub fn is_large(m: usize, n: usize, k: usize) -> bool {
    m.min(n).min(k) >= LEAST && m as f64 * n as f64 * k as f64 >= LEAST_CUBE * LEAST_CUBE * LEAST_CUBE
}

/// The fastest within `accuracy` for an `m x n` product with `k` terms on as many threads as the library has; `None` for the BLAS.
pub fn fastest<T: GemmScalar>(library: &Library, accuracy: Option<f64>, [m, n, k]: [usize; 3]) -> Option<Choice> {
    if !is_large(m, n, k) || Isa::best() == Isa::Portable {
        return None;
    }
    let levels = [Way::Halves, Way::Scheme].map(|way| {
        let bound = if way == Way::Halves {
            T::halves().error_bound(k).max((k * k) as f64)
        } else {
            error_bound(Algorithm::Strassen, m, n, k)
        };
        Choice { algorithm: Algorithm::Strassen, way, bound }
    });
    if levels.iter().all(|level| accuracy.is_some_and(|accuracy| level.bound > accuracy)) {
        return None;
    }
    let threads = library.threads().get().max(1);
    let (ratio, rate) = measured::<T>(library, threads, 2.0 * m as f64 * n as f64 * k as f64)?;
    let best = best::<T>(
        [m, n, k],
        threads,
        ratio,
        rate,
        levels.map(|level| accuracy.is_none_or(|accuracy| level.bound <= accuracy)),
    );
    best.map(|at| levels[at])
}

/// The number of levels that pays, less one, of those that are allowed.
fn best<T: GemmScalar>(
    extents: [usize; 3],
    threads: usize,
    ratio: f64,
    rate: f64,
    allowed: [bool; 2],
) -> Option<usize> {
    let own = |forms: &Forms<T>| {
        let bytes = (forms.traffic(extents) - T::ordinary().traffic(extents)).max(0.0) * size_of::<T>() as f64;
        forms.share() / ratio + bytes / (BANDWIDTH * threads.min(SERVED) as f64) * rate / work(extents)
    };
    let mut best = (None, 1.0);
    for (level, forms) in [T::halves(), T::forms(Algorithm::Strassen)].into_iter().enumerate() {
        let time = own(forms);
        if allowed[level] && time <= best.1 - GAIN {
            best = (Some(level), time);
        }
    }
    best.0
}

/// Multiplications and additions of the definition.
fn work([m, n, k]: [usize; 3]) -> f64 {
    2.0 * m as f64 * n as f64 * k as f64
}

/// The ratio of rates and the BLAS's rate; `None` while the measurement would be too large a part of the work.
fn measured<T: GemmScalar>(library: &Library, threads: usize, flops: f64) -> Option<(f64, f64)> {
    let mut known = T::knowledge().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ratio = known.ratios.entry(threads).or_insert(Ratio::After(0.0));
    let cost = 2.0 * TURNS as f64 * work([MEASURED * threads, MEASURED, MEASURED]);
    match *ratio {
        Ratio::Measured(ratio, rate) => return Some((ratio, rate)),
        Ratio::After(done) if (done + flops) * SHARE < cost => *ratio = Ratio::After(done + flops),
        Ratio::After(_) => {
            let (own, theirs) = measure::<T>(library, threads);
            *ratio = Ratio::Measured(theirs / own, work([MEASURED * threads, MEASURED, MEASURED]) / theirs);
        }
    }
    match *ratio {
        Ratio::Measured(ratio, rate) => Some((ratio, rate)),
        Ratio::After(_) => None,
    }
}

/// Least seconds of the own tiles and of the BLAS.
fn measure<T: GemmScalar>(library: &Library, threads: usize) -> (f64, f64) {
    let (m, n) = (MEASURED * threads, MEASURED);
    let one = <T as lapack_ai_core::Scalar>::ONE;
    let zero = <T as lapack_ai_core::Scalar>::ZERO;
    let (a, b, mut c) = (vec![one; m * n], vec![one; n * n], vec![zero; m * n]);
    let (lda, ldb, c_at) = (m, n, c.as_mut_ptr());
    let product = Product {
        transpose: [false; 2],
        m,
        n,
        k: n,
        alpha: one,
        a: a.as_ptr(),
        lda,
        b: b.as_ptr(),
        ldb,
        beta: zero,
        c: c_at,
        ldc: m,
    };
    let least = |compute: &dyn Fn()| {
        let seconds = |_| {
            let start = Instant::now();
            compute();
            start.elapsed().as_secs_f64()
        };
        (0..TURNS).map(seconds).fold(f64::INFINITY, f64::min)
    };
    if threads > 1 {
        std::thread::sleep(PAUSE);
    }
    // SAFETY: the matrices are there, with these extents.
    let own = least(&|| unsafe { product.by_forms(T::ordinary(), threads) });
    // SAFETY: likewise.
    let theirs = least(&|| unsafe { product.by_library(library) });
    black_box(&c);
    (own, theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [bool; 2] = [true; 2];

    #[test]
    fn one_level_pays_before_two_and_none_on_small_matrices() {
        let levels = |n| best::<f64>([n; 3], 1, 1.0, 52e9, BOTH);
        assert_eq!(levels(600), None);
        assert_eq!(levels(2048), Some(0));
        assert_eq!(levels(4096), Some(1));
    }

    #[test]
    fn a_blas_that_is_faster_than_the_own_tiles_is_kept() {
        for (ratio, level) in [(0.84, None), (0.92, Some(1)), (1.02, Some(1))] {
            assert_eq!(best::<f64>([4096; 3], 1, ratio, 52e9, BOTH), level, "{ratio}");
        }
    }

    #[test]
    fn a_bound_that_two_levels_exceed_leaves_one() {
        assert_eq!(best::<f64>([6144; 3], 1, 1.0, 52e9, BOTH), Some(1));
        assert_eq!(best::<f64>([6144; 3], 1, 1.0, 52e9, [true, false]), Some(0));
        assert_eq!(best::<f64>([6144; 3], 1, 1.0, 52e9, [false, false]), None);
    }

    /// With a measurement put in place of one, on random matrices with an odd number of rows: what is chosen, and how far from the BLAS's.
    fn computed(accuracy: Option<f64>) -> (Choice, f64) {
        let library = crate::provider::library().expect("a LAPACK");
        let threads = library.threads().get().max(1);
        f64::knowledge().lock().unwrap().ratios.insert(threads, Ratio::Measured(1.1, 10e9));
        let (m, n) = (1311, 1282);
        let mut state = 7_u64;
        let mut random = |count: usize| {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
            };
            (0..count).map(|_| next()).collect::<Vec<f64>>()
        };
        let (a, b, mut c, mut right) = (random(m * n), random(n * n), vec![0.5; m * n], vec![0.5; m * n]);
        let mut product = Product {
            transpose: [false; 2],
            m,
            n,
            k: n,
            alpha: 2.0,
            a: a.as_ptr(),
            lda: m,
            b: b.as_ptr(),
            ldb: n,
            beta: -1.0,
            c: c.as_mut_ptr(),
            ldc: m,
        };
        let ordinary = Choice { algorithm: Algorithm::Classical, way: Way::Library, bound: (n * n) as f64 };
        let choice = fastest::<f64>(library, accuracy, [m, n, n]).unwrap_or(ordinary);
        // SAFETY: the matrices are there.
        unsafe {
            product.compute(choice, Some(library), threads);
            product.c = right.as_mut_ptr();
            product.compute(ordinary, Some(library), threads);
        }
        (choice, c.iter().zip(&right).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max) / f64::EPSILON)
    }

    #[test]
    fn what_is_chosen_is_within_its_bound_and_within_the_accuracy_asked_for() {
        let (free, error) = computed(None);
        assert!(matches!(free.way, Way::Halves | Way::Scheme), "{free:?}");
        // Both products have an error; alpha is 2.
        assert!(error > 0.0 && error < 2.0 * free.bound, "{error}");
        let (strict, error) = computed(Some(1282.0 * 1282.0));
        assert_eq!((strict.way, error), (Way::Library, 0.0));
    }

    #[test]
    fn the_blas_computes_until_a_measurement_is_a_small_part_of_the_work() {
        let library = crate::provider::library().expect("a LAPACK");
        // A number of threads that nobody else asks about; the last product is the one after which it pays.
        let cost = 2.0 * TURNS as f64 * work([MEASURED * 777, MEASURED, MEASURED]);
        assert_eq!(measured::<f32>(library, 777, 0.4 * cost / SHARE), None);
        assert_eq!(measured::<f32>(library, 777, 0.4 * cost / SHARE), None);
        f32::knowledge().lock().unwrap().ratios.insert(777, Ratio::Measured(1.0, 1e9));
        assert_eq!(measured::<f32>(library, 777, 1.0), Some((1.0, 1e9)));
    }

    #[test]
    fn flat_products_are_left_to_the_blas() {
        for extents in [[511, 9000, 9000], [9000, 511, 9000], [9000, 9000, 511], [1000, 1000, 1000]] {
            assert!(!is_large(extents[0], extents[1], extents[2]), "{extents:?}");
        }
        assert!(is_large(4096, 4096, 512));
    }
}
