//! Products by schemes on blocks: exact on integers, within their bounds on others, on all threads and instruction sets.

use lapack_ai_bilinear::catalogue;
use lapack_ai_bilinear::large::{Element, Forms, gemm, gemm_with, workspace_bytes};
use lapack_ai_bilinear::small::{Call, Isa};
use std::fmt::Debug;

const SCHEMES: [&str; 6] = ["classical", "strassen", "winograd", "alphatensor", "few-additions", "rank48"];

/// Repeatable numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }

    /// Uniform in [-1, 1).
    fn uniform(&mut self) -> f64 {
        self.below(1 << 30) as f64 / f64::from(1 << 29) - 1.0
    }
}

/// A matrix in memory, with a leading dimension and rows that belong to nobody.
#[derive(Clone)]
struct Stored<T> {
    elements: Vec<T>,
    ld: usize,
}

impl<T: Element> Stored<T> {
    fn new(rows: usize, cols: usize, pad: usize, mut of: impl FnMut() -> f64) -> Self {
        let ld = rows.max(1) + pad;
        Self { elements: (0..ld * cols).map(|_| T::of(of())).collect(), ld }
    }

    fn at(&self, flip: bool, i: usize, j: usize) -> T {
        self.elements[if flip { j + i * self.ld } else { i + j * self.ld }]
    }
}

struct Case<T> {
    transpose: [bool; 2],
    extents: [usize; 3],
    alpha: f64,
    beta: f64,
    a: Stored<T>,
    b: Stored<T>,
    c: Stored<T>,
}

impl<T: Element + Into<f64> + Debug> Case<T> {
    fn new(random: &mut Random, extents: [usize; 3], mut of: impl FnMut(&mut Random) -> f64) -> Self {
        let [m, n, k] = extents;
        let transpose = [random.below(2) == 1, random.below(2) == 1];
        let stored = |random: &mut Random, flip: bool, rows, cols, of: &mut dyn FnMut(&mut Random) -> f64| {
            let pad = random.below(4);
            let (rows, cols) = if flip { (cols, rows) } else { (rows, cols) };
            Stored::new(rows, cols, pad, || of(random))
        };
        let a = stored(random, transpose[0], m, k, &mut of);
        let b = stored(random, transpose[1], k, n, &mut of);
        let c = stored(random, false, m, n, &mut of);
        let factors = [0.0, 1.0, -2.0, 0.5];
        Self { transpose, extents, alpha: factors[1 + random.below(3)], beta: factors[random.below(4)], a, b, c }
    }

    /// The memory of C after the product.
    fn computed(&self, isa: Isa, forms: &Forms<T>, threads: usize) -> Vec<T> {
        let mut c = self.c.elements.clone();
        let [m, n, k] = self.extents;
        let product = Call {
            transpose: self.transpose,
            m,
            n,
            k,
            alpha: T::of(self.alpha),
            a: self.a.elements.as_ptr(),
            lda: self.a.ld,
            b: self.b.elements.as_ptr(),
            ldb: self.b.ld,
            beta: T::of(self.beta),
            c: c.as_mut_ptr(),
            ldc: self.c.ld,
        };
        // SAFETY: the matrices are there, and the instructions.
        unsafe { gemm_with(isa, forms, &product, threads) };
        c
    }

    /// Largest difference from the definition, in double precision; and whether nothing but C was written.
    fn difference(&self, c: &[T]) -> f64 {
        let [m, n, k] = self.extents;
        let mut worst = 0.0_f64;
        for (at, (&new, &old)) in c.iter().zip(&self.c.elements).enumerate() {
            let (i, j) = (at % self.c.ld, at / self.c.ld);
            if i >= m || j >= n {
                assert_eq!(new, old, "an element beyond C");
                continue;
            }
            let [flip_a, flip_b] = self.transpose;
            let terms = (0..k).map(|l| self.a.at(flip_a, i, l).into() * self.b.at(flip_b, l, j).into());
            let right = self.alpha * terms.sum::<f64>() + self.beta * old.into();
            let difference = (new.into() - right).abs();
            worst = if difference.is_nan() { f64::INFINITY } else { worst.max(difference) };
        }
        worst
    }
}

fn forms<T: Element>() -> Vec<(String, Forms<T>)> {
    let squared = SCHEMES.map(|name| (name.to_string(), catalogue::by_name(name).expect("a scheme")));
    let others = [
        catalogue::classical(1, 1, 1),
        catalogue::strassen_2(),
        catalogue::winograd_2(),
        catalogue::classical(2, 3, 1),
    ];
    let others = others.map(|scheme| (format!("{} {} x {} x {}", scheme.name, scheme.m, scheme.n, scheme.k), scheme));
    squared.into_iter().chain(others).map(|(name, scheme)| (name, Forms::of(&scheme))).collect()
}

fn available() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available())
}

/// Extents around those of tiles, panels and blocks, and the smallest.
const EXTENTS: [usize; 14] = [1, 2, 3, 4, 5, 7, 8, 23, 24, 25, 49, 97, 100, 131];

#[test]
fn products_of_integers_are_exact_by_every_scheme_at_every_extent() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let (double, single) = (forms::<f64>(), forms::<f32>());
    for turn in 0..600 {
        let mut extents = [0; 3].map(|_| EXTENTS[random.below(EXTENTS.len())]);
        if turn % 20 == 0 {
            // Several panels of steps in a block.
            extents[2] = 600 + random.below(600);
        }
        let isa = available().nth(turn % available().count()).expect("the portable one");
        let threads = 1 + random.below(3);
        let (name, forms) = &double[turn % double.len()];
        let case = Case::<f64>::new(&mut random, extents, |random| random.below(17) as f64 - 8.0);
        let context = format!("{name}, {extents:?}, {isa:?}, {threads} threads, {:?}", case.transpose);
        assert_eq!(case.difference(&case.computed(isa, forms, threads)), 0.0, "{context}");
        let (name, forms) = &single[turn % single.len()];
        // Sums of 24 bits hold these.
        let case =
            Case::<f32>::new(&mut random, extents.map(|extent| extent.min(131)), |random| random.below(3) as f64 - 1.0);
        let context = format!("float32, {name}, {extents:?}, {isa:?}, {threads} threads, {:?}", case.transpose);
        assert_eq!(case.difference(&case.computed(isa, forms, threads)), 0.0, "{context}");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut random = Random(88_172_645_463_325_252);
    for (name, forms) in forms::<f64>() {
        let case = Case::<f64>::new(&mut random, [301, 157, 700], Random::uniform);
        let alone = case.computed(Isa::best(), &forms, 1);
        for threads in [2, 3, 5, 16] {
            assert!(case.computed(Isa::best(), &forms, threads) == alone, "{name}, {threads} threads");
        }
    }
}

#[test]
fn errors_stay_within_the_bound_of_each_scheme() {
    let mut random = Random(7);
    for (name, forms) in forms::<f64>() {
        for extents in [[64, 64, 64], [100, 60, 1100]] {
            let mut case = Case::<f64>::new(&mut random, extents, Random::uniform);
            (case.alpha, case.beta) = (1.0, 0.0);
            let worst = case.difference(&case.computed(Isa::best(), &forms, 2)) / (f64::EPSILON / 2.0);
            // The definition in double precision, beside which the difference is taken, has an error of its own.
            let bound = forms.error_bound(extents[2]) + (extents[2] * extents[2]) as f64;
            assert!(worst < bound, "{name}, {extents:?}: {worst:.0} of {bound:.0}");
        }
    }
}

#[test]
fn a_beta_of_0_overwrites_what_is_not_a_number() {
    let mut random = Random(3);
    for (name, forms) in forms::<f64>() {
        let mut case = Case::<f64>::new(&mut random, [50, 61, 40], |random| random.below(5) as f64);
        case.beta = 0.0;
        case.c.elements.fill(f64::NAN);
        let [m, n, _] = case.extents;
        let c = case.computed(Isa::best(), &forms, 2);
        let inside = (0..n).flat_map(|j| (0..m).map(move |i| (i, j)));
        assert!(inside.into_iter().all(|(i, j)| c[i + j * case.c.ld].is_finite()), "{name}");
    }
}

#[test]
fn the_workspace_does_not_grow_with_the_matrices() {
    let forms = Forms::<f64>::of(&catalogue::by_name("strassen").expect("a scheme"));
    let bytes = |n, threads| {
        let (mut c, x) = ([0.0], [0.0]);
        let product = Call {
            transpose: [false; 2],
            m: n,
            n,
            k: n,
            alpha: 1.0,
            a: x.as_ptr(),
            lda: n,
            b: x.as_ptr(),
            ldb: n,
            beta: 0.0,
            c: c.as_mut_ptr(),
            ldc: n,
        };
        workspace_bytes(&forms, &product, threads)
    };
    assert!(bytes(1_000_000, 1) < 6 << 20, "{}", bytes(1_000_000, 1));
    assert!(bytes(1_000_000, 16) < 16 << 20, "{}", bytes(1_000_000, 16));
    assert!(bytes(64, 1) < 64 << 10, "{}", bytes(64, 1));
}

#[test]
fn the_best_instructions_are_the_default() {
    let mut random = Random(5);
    let forms = Forms::<f64>::of(&catalogue::strassen_2());
    let case = Case::<f64>::new(&mut random, [70, 45, 33], |random| random.below(5) as f64);
    let mut c = case.c.elements.clone();
    let product = Call {
        transpose: case.transpose,
        m: 70,
        n: 45,
        k: 33,
        alpha: case.alpha,
        a: case.a.elements.as_ptr(),
        lda: case.a.ld,
        b: case.b.elements.as_ptr(),
        ldb: case.b.ld,
        beta: case.beta,
        c: c.as_mut_ptr(),
        ldc: case.c.ld,
    };
    // SAFETY: the matrices are there.
    unsafe { gemm(&forms, &product, 1) };
    assert!(c == case.computed(Isa::best(), &forms, 1));
}
