//! The products that are tuned, the most important first: squares in the layouts that row-major arrays give, batches, the
//! updates of factorisations with few terms, long and flat ones, and odd extents.

use lapack_ai_core::DType;
use std::fmt;

/// A product of row-major matrices, A or B stored transposed if so said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The elements' type.
    pub dtype: DType,
    /// Whether A and B are stored transposed.
    pub transposed: [bool; 2],
    /// Batch, m, n, k.
    pub shape: [usize; 4],
}

/// Bytes of A, B and C of a batch of small matrices, on a GPU and on a CPU: more than the batched kernel asks for, several times
/// what a GPU's cache holds.
const BATCH_BYTES: [usize; 2] = [256 << 20, 48 << 20];
/// Orders up to which a batch's class is exact.
const SMALL: usize = 32;

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [batch, m, n, k] = self.shape;
        let letter = |transposed: bool| if transposed { 'T' } else { 'N' };
        write!(f, "{} {}{} ", self.dtype.name(), letter(self.transposed[0]), letter(self.transposed[1]))?;
        if batch > 1 {
            write!(f, "{batch} of ")?;
        }
        write!(f, "{m} x {n} x {k}")
    }
}

impl Target {
    /// Further products of the same class, from the middle and the upper end of its ranges, none of powers of two. What is best
    /// at all three is trusted for the whole range: what fills the compute units at one size leaves them idle at another.
    pub(super) fn others(&self) -> Vec<Self> {
        let middle = |extent: usize| match extent {
            0..=16 => extent,
            _ if extent % 2 == 1 => (extent + extent / 2) | 1,
            _ => (extent + extent / 2).next_multiple_of(16),
        };
        let upper = |extent: usize| match extent {
            0..=16 => extent,
            _ if extent % 2 == 1 => (extent * 31 / 16) | 1,
            _ => extent * 31 / 16 / 8 * 8,
        };
        let [batch, m, n, k] = self.shape;
        let shapes = match batch {
            // The class is of exact extents.
            2.. if m.max(n).max(k) <= SMALL => vec![[batch + batch / 2, m, n, k]],
            _ => vec![[batch, middle(m), middle(n), middle(k)], [batch, upper(m), upper(n), upper(k)]],
        };
        let others = shapes.into_iter().filter(|shape| *shape != self.shape);
        others.map(|shape| Self { shape, ..*self }).collect()
    }

    /// Multiplications and additions of reals.
    pub fn flops(&self) -> f64 {
        let each = if self.dtype.is_complex() { 8.0 } else { 2.0 };
        each * self.shape.iter().map(|extent| *extent as f64).product::<f64>()
    }

    /// Bytes of A and B, and of C.
    pub(super) fn bytes(&self) -> [usize; 2] {
        let [batch, m, n, k] = self.shape;
        [batch * (m * k + k * n) * self.dtype.size(), batch * m * n * self.dtype.size()]
    }
}

/// All targets in these types, complex ones a tier behind real ones; smaller ones for a CPU, which would take minutes for the
/// larger.
pub(super) fn targets(dtypes: &[DType], is_cpu: bool) -> Vec<Target> {
    let tiers = tiers(is_cpu);
    let mut all: Vec<Target> = Vec::new();
    let mut add = |complex: bool, tier: usize| {
        let of_kind: Vec<DType> = dtypes.iter().copied().filter(|dtype| dtype.is_complex() == complex).collect();
        for (transposed, shape) in tiers.get(tier).into_iter().flatten() {
            for &dtype in &of_kind {
                let target = Target { dtype, transposed: *transposed, shape: shape(dtype) };
                if !all.contains(&target) {
                    all.push(target);
                }
            }
        }
    };
    for tier in 0..=tiers.len() {
        add(false, tier);
        if let Some(former) = tier.checked_sub(1) {
            add(true, former);
        }
    }
    all
}

/// Whether A and B are stored transposed, and the shape in a type.
type Shaped = ([bool; 2], Box<dyn Fn(DType) -> [usize; 4]>);

/// Squares first, as matrices of Python and Rust lie, then their transposes; batches of small ones; few terms; the rest.
fn tiers(is_cpu: bool) -> Vec<Vec<Shaped>> {
    let sizes: [usize; 5] = if is_cpu { [256, 512, 128, 64, 1024] } else { [1024, 4096, 2048, 512, 256] };
    let (middle, large) = (sizes[0], sizes[1]);
    let fixed = |transposed: [bool; 2], shape: [usize; 4]| -> Shaped { (transposed, Box::new(move |_| shape)) };
    let square = |n: usize| [1, n, n, n];
    let plain = [false, false];
    let turned = [[false, true], [true, false], [true, true]];
    let transposes = |n: usize| turned.map(|transposed| fixed(transposed, square(n)));
    let batch = |n: usize| -> Shaped {
        let count =
            move |dtype: DType| (BATCH_BYTES[usize::from(is_cpu)] / (3 * n * n * dtype.size())).next_power_of_two();
        (plain, Box::new(move |dtype| [count(dtype), n, n, n]))
    };
    let thin = |k: usize| [middle, large].map(|n| fixed(plain, [1, n, n, k]));
    let few = [[1, 16, 16, 16], [1, 32, 32, 32], [64, 16, 16, 16], [1024, 8, 8, 8], [1024, 4, 4, 4]];
    let others = [
        fixed([false, true], [1, large, large, 64]),
        fixed(plain, [1, large, 64, large]),
        fixed(plain, [1, 64, large, large]),
        fixed(plain, [1, 128, 128, 16 * large]),
        fixed(plain, [16, middle / 4, middle / 4, middle / 4]),
    ];
    let odd = [middle + 7, large + 7].into_iter().flat_map(|n| [plain, [false, true]].map(|t| fixed(t, square(n))));
    vec![
        sizes[..3].iter().map(|n| fixed(plain, square(*n))).collect(),
        sizes[3..].iter().map(|n| fixed(plain, square(*n))).chain([64, 16, 8, 32, 4].map(batch)).collect(),
        sizes[..2].iter().flat_map(|n| transposes(*n)).collect(),
        [64, 128, 32].into_iter().flat_map(thin).chain(few.map(|shape| fixed(plain, shape))).collect(),
        others.into_iter().chain(odd).chain([batch(128)]).collect(),
        [fixed(plain, square(2 * large)), fixed(plain, square(sizes[4] / 2))].into_iter().collect(),
        sizes[2..].iter().flat_map(|n| transposes(*n)).collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_products_have_other_extents_of_the_same_powers_of_two() {
        for target in targets(&DType::ALL, false).into_iter().chain(targets(&DType::ALL, true)) {
            let large = target.shape[1..].iter().any(|extent| *extent > 32);
            assert_eq!(
                target.others().len(),
                if large || target.shape == [1, 32, 32, 32] { 2 } else { usize::from(target.shape[0] > 1) }
            );
            for other in target.others() {
                assert_ne!(target.shape, other.shape, "{target}");
                for (extent, other) in target.shape.iter().zip(other.shape) {
                    assert_eq!(extent.ilog2(), other.ilog2(), "{target}: {other}");
                    assert_eq!(extent % 2, other % 2, "{target}: {other}");
                }
            }
        }
    }

    #[test]
    fn no_target_comes_twice_and_every_type_has_as_many() {
        let all = targets(&DType::ALL, false);
        for dtype in DType::ALL {
            assert_eq!(all.iter().filter(|target| target.dtype == dtype).count(), all.len() / 4, "{}", dtype.name());
        }
        for (at, target) in all.iter().enumerate() {
            assert!(!all[..at].contains(target), "{target}");
        }
    }

    #[test]
    fn a_target_says_what_it_is() {
        let target = Target { dtype: DType::Float64, transposed: [false, true], shape: [3, 5, 7, 9] };
        assert_eq!(target.to_string(), "float64 NT 3 of 5 x 7 x 9");
        assert_eq!(target.flops(), 2.0 * 3.0 * 315.0);
    }
}
