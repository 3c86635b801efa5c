//! Which scheme multiplies matrices the fastest on a device, if any does: a model of the times of its kernels.
//!
//! Of an m x n product with k terms, by a scheme of R products of blocks (`bm x bk` times `bk x bn`) that is computed in p parts,
//!
//! ```text
//! definition   2 m n k / rate
//! products     R 2 bm bk bn / rate (1 + 24 / min(bm, bk, bn))
//! sums of A    p m k + R bm bk      elements, at 0.85 of the memory's rate; sums of B likewise
//! C            R bm bn + p m n, and as many more where C is read: in parts behind the first, and for beta
//! float32      2 (m k + k n) more where operands are packed
//! rest         1.5 times the time of as many operations by the definition, for rows and columns beyond the blocks
//! launches     8 us for each kernel beyond one
//! ```
//!
//! `rate` is that of large products by the definition, which batches of smaller ones reach but for the part that is put in above.
//! 24, 0.85 and 1.5 were found on an H200, where the model is within 5 % of what was measured. A scheme is taken if it is expected to
//! be 3 % faster than the definition.

use super::gemm_fast::{Plan, Scheme, error_bound};
use crate::gpu::Gpu;
use lapack_ai_core::DType;

/// Part of the memory's rate that sums of blocks reach.
const SUMS: f64 = 0.85;
/// Extent of a block at which its product takes twice the time that its operations take in a large one.
const SLOW_BLOCK: f64 = 24.0;
/// Time of rows and columns beyond the blocks, relative to what is within them.
const REST: f64 = 1.5;
/// Seconds that one more kernel takes.
const LAUNCH: f64 = 8e-6;
/// What is to be won before a scheme is taken.
const GAIN: f64 = 0.03;

/// What a device reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Operations a second of large products by the definition, in the type in question.
    pub flops: f64,
    /// Bytes a second to and from its memory.
    pub memory: f64,
}

/// A scheme that was chosen, and what it is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// How it is computed, with the memory that there is.
    pub plan: Plan,
    /// Seconds that are expected.
    pub seconds: f64,
    /// Seconds that are expected of the definition.
    pub by_definition: f64,
    /// [`error_bound`].
    pub bound: f64,
}

impl Choice {
    /// Whether it is expected to be faster than the definition by so much that the model is to be believed.
    pub fn pays(&self) -> bool {
        self.seconds * (1.0 + GAIN) <= self.by_definition
    }
}

/// Seconds of an m x n product with `k` terms, given as [m, n, k], by the definition.
pub fn seconds_by_definition([m, n, k]: [usize; 3], speed: Speed) -> f64 {
    2.0 * m as f64 * n as f64 * k as f64 / speed.flops
}

/// Seconds of the same by `plan`. `update`: beta is not 0.
pub fn seconds(plan: &Plan, [m, n, k]: [usize; 3], dtype: DType, update: bool, speed: Speed) -> f64 {
    let products = plan.scheme.products(plan.levels).unwrap_or(0);
    let [bm, bk, bn] = plan.block.map(|extent| extent as f64);
    let across = (1_usize << plan.levels) as f64;
    let (rows, cols, terms) = (bm * across, bn * across, k as f64);
    let (parts, count) = (products.div_ceil(plan.at_a_time.max(1)) as f64, products as f64);
    let loss = 1.0 + SLOW_BLOCK / bm.min(bk).min(bn);
    let of_products = count * 2.0 * bm * bk * bn / speed.flops * loss;
    let reads_of_c = parts - 1.0 + f64::from(u8::from(update));
    let sums = parts * (rows + cols) * terms + count * (bm + bn) * bk;
    let combined = count * bm * bn + (parts + reads_of_c) * rows * cols;
    let packed = if dtype == DType::Float32 { 2.0 * (rows + cols) * terms } else { 0.0 };
    let moved = (sums + combined + packed) * dtype.size() as f64 / (SUMS * speed.memory);
    let rest = 2.0 * terms * (m as f64 * n as f64 - rows * cols) / speed.flops * REST;
    of_products + moved + rest + LAUNCH * (4.0 * parts + 1.0)
}

/// The fastest scheme for an m x n product with `k` terms, given as [m, n, k], on matrices that lie on the device; of several that are
/// as fast, the one with the smallest bound. `only` is the one that was asked for, `accuracy` the largest [`error_bound`]
/// allowed. Whether it is faster than the definition is another question: [`Choice::pays`]. `None` if no scheme is as accurate, the
/// matrices are too small or the device has no memory for any.
pub fn fastest(
    gpu: &Gpu,
    shape: [usize; 3],
    dtype: DType,
    update: bool,
    (only, accuracy): (Option<Scheme>, Option<f64>),
    speed: Speed,
) -> Option<Choice> {
    fastest_of(shape, dtype, update, (only, accuracy), speed, |scheme, levels| {
        Plan::fitting(gpu, shape, dtype, scheme, levels)
    })
}

fn fastest_of(
    shape: [usize; 3],
    dtype: DType,
    update: bool,
    (only, accuracy): (Option<Scheme>, Option<f64>),
    speed: Speed,
    plan: impl Fn(Scheme, usize) -> Option<Plan>,
) -> Option<Choice> {
    let schemes = Scheme::ALL.into_iter().filter(|&scheme| only.is_none_or(|only| scheme == only));
    let ways = schemes.flat_map(|scheme| scheme.levels().iter().map(move |&levels| (scheme, levels)));
    let choices = ways.filter_map(|(scheme, levels)| {
        let plan = plan(scheme, levels)?;
        let bound = error_bound(plan.scheme, plan.levels, shape[2])?;
        let seconds = seconds(&plan, shape, dtype, update, speed);
        let choice = Choice { plan, seconds, by_definition: seconds_by_definition(shape, speed), bound };
        accuracy.is_none_or(|accuracy| bound <= accuracy).then_some(choice)
    });
    choices.min_by(|x, y| (x.seconds, x.bound).partial_cmp(&(y.seconds, y.bound)).expect("times are numbers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An H200: what one run of `bench/gpu_fast.py` measured of the definition and of copies.
    const H200: Speed = Speed { flops: 54.5e12, memory: 4.265e12 };
    const H200_SINGLE: Speed = Speed { flops: 49.8e12, memory: 4.265e12 };

    fn auto([m, n, k]: [usize; 3], dtype: DType, speed: Speed) -> Option<Choice> {
        let shape = [m, n, k];
        let choice = fastest_of(shape, dtype, false, (None, None), speed, |scheme, levels| {
            Plan::new(shape, dtype, scheme, levels)
        });
        choice.filter(Choice::pays)
    }

    #[test]
    fn an_h200_takes_what_the_model_says() {
        let double = [
            (Scheme::Strassen, 1, 18.18e-3, 147.58e-3),
            (Scheme::Strassen, 2, 16.80e-3, 132.25e-3),
            (Scheme::Strassen, 3, 15.94e-3, 122.49e-3),
            (Scheme::Rank48, 2, 16.98e-3, 130.04e-3),
            (Scheme::Rank48, 3, 16.19e-3, 119.68e-3),
        ];
        for (scheme, levels, small, large) in double {
            for (n, measured) in [(8192, small), (16384, large)] {
                let shape = [n, n, n];
                let plan = Plan::new(shape, DType::Float64, scheme, levels).unwrap();
                let expected = seconds(&plan, shape, DType::Float64, false, H200);
                assert!((0.95..1.05).contains(&(expected / measured)), "{scheme:?} {levels} {n}: {expected}");
            }
        }
        for (scheme, levels, measured) in [(Scheme::Strassen, 1, 19.89e-3), (Scheme::Rank48, 3, 15.79e-3)] {
            let shape = [8192; 3];
            let plan = Plan::new(shape, DType::Float32, scheme, levels).unwrap();
            let expected = seconds(&plan, shape, DType::Float32, false, H200_SINGLE);
            assert!((0.95..1.05).contains(&(expected / measured)), "{scheme:?} {levels}: {expected}");
        }
    }

    #[test]
    fn large_matrices_take_three_levels_of_rank_48_and_small_ones_the_definition() {
        let chosen = |n| auto([n; 3], DType::Float64, H200).map(|choice| (choice.plan.scheme, choice.plan.levels));
        assert_eq!([8192, 16384, 20000].map(chosen), [Some((Scheme::Rank48, 3)); 3]);
        assert_eq!(chosen(4096), Some((Scheme::Rank48, 2)));
        assert_eq!([1, 4, 100, 1024, 2048, 3072].map(chosen), [None; 6]);
        // A scheme moves more for the same operations where memory is slow, and less counts where the operations are slow.
        let with = |speed| auto([4096; 3], DType::Float64, speed).map(|choice| choice.plan.levels);
        assert_eq!(with(Speed { memory: 1e12, ..H200 }), None);
        assert_eq!(with(Speed { flops: 1e12, ..H200 }), Some(3));
    }

    #[test]
    fn few_terms_and_thin_matrices_take_fewer_levels_or_the_definition() {
        let levels = |shape| auto(shape, DType::Float64, H200).map(|choice| choice.plan.levels);
        assert_eq!(levels([16384, 16384, 64]), None);
        assert_eq!(levels([100_000, 64, 4096]), None);
        let (few, many) = (levels([16384, 16384, 2048]).unwrap_or(0), levels([16384; 3]).unwrap());
        assert!(few < many, "{few} {many}");
    }

    #[test]
    fn the_accuracy_asked_for_takes_levels_away_before_it_takes_the_scheme() {
        let shape = [16384; 3];
        let bound = |levels| error_bound(Scheme::Rank48, levels, 16384).unwrap();
        let chosen = |only, accuracy| {
            fastest_of(shape, DType::Float64, false, (only, Some(accuracy)), H200, |scheme, levels| {
                Plan::new(shape, DType::Float64, scheme, levels)
            })
            .map(|choice| (choice.plan.scheme, choice.plan.levels))
        };
        let rank48 = Some(Scheme::Rank48);
        assert_eq!(chosen(rank48, bound(3)), Some((Scheme::Rank48, 3)));
        assert_eq!(chosen(rank48, bound(3) * 0.99), Some((Scheme::Rank48, 2)));
        assert_eq!(chosen(rank48, bound(2) * 0.99), None);
        assert_eq!(chosen(None, bound(2) * 0.99), Some((Scheme::Strassen, 2)));
        assert_eq!(chosen(None, 16384.0 * 16384.0), None);
    }

    #[test]
    fn parts_are_expected_to_take_longer() {
        let shape = [16384; 3];
        let whole = Plan::new(shape, DType::Float64, Scheme::Rank48, 3).unwrap();
        let parts = Plan { at_a_time: whole.at_a_time / 6, ..whole };
        let of = |plan: &Plan, update| seconds(plan, shape, DType::Float64, update, H200);
        assert!(of(&parts, false) > of(&whole, false));
        assert!(of(&whole, true) > of(&whole, false));
    }
}
