//! Errors of large products by every scheme and on one and two levels, beside sums in twice the precision: on random, positive, graded and
//! adversarial matrices, against the documented bounds.

use lapack_ai_bilinear::large::{Forms, gemm};
use lapack_ai_bilinear::small::Call;
use lapack_ai_bilinear::{Scheme, catalogue};

/// Repeatable numbers, uniform in [0, 1).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// `sum x y` with an error of about `2^-100 sum |x y|`: the rounding of each product and of each sum is kept (Ogita, Rump and Oishi's Dot2).
fn dot(terms: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut sum, mut rest) = (0.0_f64, 0.0_f64);
    for (x, y) in terms {
        let product = x * y;
        let total = sum + product;
        let back = total - sum;
        rest += x.mul_add(y, -product) + ((sum - (total - back)) + (product - back));
        sum = total;
    }
    sum + rest
}

/// Two square matrices.
struct Case {
    n: usize,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Case {
    /// Elements of A and of B by row and column.
    fn new(n: usize, mut a: impl FnMut(usize, usize) -> f64, mut b: impl FnMut(usize, usize) -> f64) -> Self {
        let at = |index: usize| (index % n, index / n);
        Self {
            n,
            a: (0..n * n).map(|index| a(at(index).0, at(index).1)).collect(),
            b: (0..n * n).map(|index| b(at(index).0, at(index).1)).collect(),
        }
    }

    /// Largest error of an element in units of `eps max|A| max|B|`.
    fn error(&self, forms: &Forms<f64>) -> f64 {
        let (n, mut c) = (self.n, vec![f64::NAN; self.n * self.n]);
        let product = Call {
            transpose: [false; 2],
            m: n,
            n,
            k: n,
            alpha: 1.0,
            a: self.a.as_ptr(),
            lda: n,
            b: self.b.as_ptr(),
            ldb: n,
            beta: 0.0,
            c: c.as_mut_ptr(),
            ldc: n,
        };
        // SAFETY: the matrices are there.
        unsafe { gemm(forms, &product, 2) };
        let largest = |x: &[f64]| x.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        // A few columns say as much as all of them.
        let places = (0..n).step_by(n / 16 + 1).flat_map(|j| (0..n).map(move |i| (i, j)));
        let difference = |(i, j): (usize, usize)| {
            let right = dot((0..n).map(|l| (self.a[i + l * n], self.b[l + j * n])));
            (c[i + j * n] - right).abs()
        };
        places.map(difference).fold(0.0, f64::max) / (f64::EPSILON * largest(&self.a) * largest(&self.b))
    }
}

/// Name and scheme, the ordinary product first.
fn schemes() -> Vec<(&'static str, Scheme)> {
    let squared = ["strassen", "winograd", "alphatensor", "few-additions", "rank48"];
    let mut found = vec![
        ("classical", catalogue::classical(1, 1, 1)),
        ("strassen, one level", catalogue::strassen_2()),
        ("winograd, one level", catalogue::winograd_2()),
    ];
    found.extend(squared.map(|name| (name, catalogue::by_name(name).expect("a scheme"))));
    found
}

/// Matrices whose blocks have the signs of the product with the largest sums: these add up, and cancel in C.
fn adversarial(scheme: &Scheme, n: usize, random: &mut Random) -> Case {
    let size = |r: usize| scheme.u[r].len() * scheme.v[r].len();
    let worst = (0..scheme.u.len()).max_by_key(|&r| size(r)).expect("a product");
    let signs = |form: &[(usize, f64)], blocks: [usize; 2]| {
        let mut signs = vec![1.0; blocks[0] * blocks[1]];
        for &(at, factor) in form {
            signs[at] = factor.signum();
        }
        signs
    };
    let terms =
        |form: &lapack_ai_bilinear::Form| form.iter().map(|&(at, factor)| (at, factor.to_f64())).collect::<Vec<_>>();
    let (p, q, t) = (scheme.m, scheme.n, scheme.k);
    let (u, v) = (signs(&terms(&scheme.u[worst]), [p, q]), signs(&terms(&scheme.v[worst]), [q, t]));
    let block = |extent: usize, parts: usize| move |at: usize| at / extent.div_ceil(parts);
    let (rows, inner, cols) = (block(n, p), block(n, q), block(n, t));
    let mut other = Random(random.0 ^ 0x9E37_79B9_7F4A_7C15);
    let a = |i: usize, l: usize| u[rows(i) * q + inner(l)] * (0.5 + 0.5 * random.next());
    let b = |l: usize, j: usize| v[inner(l) * t + cols(j)] * (0.5 + 0.5 * other.next());
    Case::new(n, a, b)
}

fn kinds(scheme: &Scheme, n: usize) -> Vec<(&'static str, Case)> {
    let (mut random, mut other) = (Random(88_172_645_463_325_252), Random(0x2545_F491_4F6C_DD1D));
    let scale = |at: usize| 10.0_f64.powf(-8.0 * at as f64 / n as f64);
    vec![
        ("random", Case::new(n, |_, _| 2.0 * random.next() - 1.0, |_, _| 2.0 * other.next() - 1.0)),
        ("positive", Case::new(n, |_, _| random.next(), |_, _| other.next())),
        ("graded", Case::new(n, |i, _| scale(i) * random.next(), |_, j| scale(j) * other.next())),
        ("adversarial", adversarial(scheme, n, &mut random)),
    ]
}

#[test]
fn errors_on_random_positive_graded_and_adversarial_matrices_are_within_the_documented_bounds() {
    for (name, scheme) in schemes() {
        let forms = Forms::<f64>::of(&scheme);
        for n in [96, 250, 1100] {
            for (kind, case) in kinds(&scheme, n) {
                // The bound is in units of half as much.
                let (error, bound) = (case.error(&forms), forms.error_bound(n) / 2.0);
                println!("{name}, n = {n}, {kind}: {:.3} n eps, bound {:.0} n eps", error / n as f64, bound / n as f64);
                assert!(error <= bound, "{name}, n = {n}, {kind}: {error:.1} of {bound:.1} eps");
            }
        }
    }
}

#[test]
fn errors_on_random_matrices_grow_with_the_levels_no_more_than_the_schemes_say() {
    // Units of n eps max|A| max|B|, twice what was measured at this size.
    let limits = [0.7, 0.7, 1.2, 1.2, 2.5, 1.8, 2.0, 1.0];
    for ((name, scheme), limit) in schemes().into_iter().zip(limits) {
        let case = kinds(&scheme, 250).into_iter().next().expect("random matrices").1;
        let error = case.error(&Forms::of(&scheme)) / 250.0;
        assert!(error < limit, "{name}: {error:.3} n eps");
    }
}

#[test]
fn rank_48_is_more_accurate_than_all_schemes_of_49_products_but_strassens() {
    let errors = |name: &str| {
        let scheme = catalogue::by_name(name).expect("a scheme");
        let forms = Forms::of(&scheme);
        let of = |kind: usize| kinds(&scheme, 250).remove(kind).1.error(&forms);
        [of(0), of(3), forms.error_bound(4096)]
    };
    let ours = errors("rank48");
    for name in ["winograd", "alphatensor", "few-additions"] {
        let theirs = errors(name);
        assert!(
            ours.iter().zip(theirs).all(|(ours, theirs)| *ours < 0.7 * theirs),
            "{name}: {theirs:?}, rank48: {ours:?}"
        );
    }
}
