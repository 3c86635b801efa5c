//! Packing: a linear combination of blocks of a matrix, rearranged into the panels that the tiles read.
//!
//! A panel is W lines (rows of A, columns of B) by `steps` steps, W neighbours a step. The blocks of a combination are read as they
//! lie, once, and their sum is written once: it never exists as a matrix.

use crate::real::Real;
use crate::small::vector::Vector;

/// A block of a combination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<T> {
    /// Its element at line 0, step 0.
    pub(crate) from: *const T,
    /// Its factor.
    pub(crate) factor: T,
    /// Lines and steps of it that lie in the matrix; the rest is 0.
    pub(crate) lines: usize,
    pub(crate) steps: usize,
}

/// What is packed: `count` lines from `line` on, `steps` steps from `step` on, of the sum of `sources`.
pub(crate) struct Part<'a, T> {
    pub(crate) sources: &'a [Source<T>],
    /// Distance of two lines, and of two steps; one of them is 1.
    pub(crate) line_stride: usize,
    pub(crate) step_stride: usize,
    pub(crate) line: usize,
    pub(crate) count: usize,
    pub(crate) step: usize,
    pub(crate) steps: usize,
}

/// Packs it into panels of `W` lines.
///
/// # Safety
/// The sources' lines and steps can be read, and `steps` times `count`, rounded up to a multiple of `W`, elements of `to` written.
#[inline(always)]
pub(crate) unsafe fn pack<V: Vector, const W: usize>(part: &Part<'_, V::Scalar>, mut to: *mut V::Scalar) {
    for first in (0..part.count).step_by(W) {
        let whole = part.count - first >= W
            && part
                .sources
                .iter()
                .all(|source| source.lines >= part.line + first + W && source.steps >= part.step + part.steps);
        // SAFETY: the caller's promise; a whole panel lies within every source.
        unsafe {
            match (whole, part.line_stride == 1) {
                (true, true) if W.is_multiple_of(V::LANES) => across::<V, W>(part, first, to),
                (true, true) => narrow::<V, W>(part, first, to),
                (true, false) => along::<V, W>(part, first, to),
                _ => one_by_one::<V, W>(part, first, to),
            }
            to = to.add(W * part.steps);
        }
    }
}

/// Lines are neighbours in memory: whole vectors of them move.
///
/// # Safety
/// As [`pack`], for one panel, which lies within every source.
#[inline(always)]
unsafe fn across<V: Vector, const W: usize>(part: &Part<'_, V::Scalar>, first: usize, to: *mut V::Scalar) {
    for p in 0..part.steps {
        let at = part.line + first + (part.step + p) * part.step_stride;
        for lane in (0..W).step_by(V::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                let mut sum = V::ZERO;
                for (turn, source) in part.sources.iter().enumerate() {
                    let value = V::load(source.from.add(at + lane));
                    sum = combined(turn, sum, value, source.factor);
                }
                sum.store(to.add(p * W + lane));
            }
        }
    }
}

/// As [`across`], for panels narrower than a vector.
///
/// # Safety
/// As [`across`].
#[inline(always)]
unsafe fn narrow<V: Vector, const W: usize>(part: &Part<'_, V::Scalar>, first: usize, to: *mut V::Scalar) {
    for p in 0..part.steps {
        let at = part.line + first + (part.step + p) * part.step_stride;
        let mut sums = [V::Scalar::ZERO; W];
        for source in part.sources {
            for (lane, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                *sum = *sum + unsafe { *source.from.add(at + lane) } * source.factor;
            }
        }
        // SAFETY: the caller's promise.
        unsafe { to.add(p * W).cast::<[V::Scalar; W]>().write(sums) };
    }
}

/// Steps are neighbours in memory: vectors of them are turned on the way.
///
/// # Safety
/// As [`across`].
#[inline(always)]
unsafe fn along<V: Vector, const W: usize>(part: &Part<'_, V::Scalar>, first: usize, to: *mut V::Scalar) {
    let mut turned = [V::ZERO; W];
    let whole = part.steps / V::LANES * V::LANES;
    for p in (0..whole).step_by(V::LANES) {
        for (line, sum) in turned.iter_mut().enumerate() {
            let at = (part.line + first + line) * part.line_stride + part.step + p;
            *sum = V::ZERO;
            for (turn, source) in part.sources.iter().enumerate() {
                // SAFETY: the caller's promise.
                let value = unsafe { V::load(source.from.add(at)) };
                *sum = combined(turn, *sum, value, source.factor);
            }
        }
        let lanes = turned.as_ptr().cast::<V::Scalar>();
        for lane in 0..V::LANES {
            for line in 0..W {
                // SAFETY: a vector is its lanes in order; and the caller's promise.
                unsafe { *to.add((p + lane) * W + line) = *lanes.add(line * V::LANES + lane) };
            }
        }
    }
    for p in whole..part.steps {
        for line in 0..W {
            // SAFETY: the caller's promise.
            unsafe { *to.add(p * W + line) = element(part, first + line, p) };
        }
    }
}

/// What is left at the ends of the matrix.
///
/// # Safety
/// As [`pack`], for one panel.
#[inline(always)]
unsafe fn one_by_one<V: Vector, const W: usize>(part: &Part<'_, V::Scalar>, first: usize, to: *mut V::Scalar) {
    for p in 0..part.steps {
        for line in 0..W {
            let inside = first + line < part.count;
            // SAFETY: the caller's promise.
            unsafe { *to.add(p * W + line) = if inside { element(part, first + line, p) } else { V::Scalar::ZERO } };
        }
    }
}

/// # Safety
/// As [`pack`].
#[inline(always)]
unsafe fn element<T: Real>(part: &Part<'_, T>, line: usize, p: usize) -> T {
    let (line, step) = (part.line + line, part.step + p);
    let mut sum = T::ZERO;
    for source in part.sources {
        if line < source.lines && step < source.steps {
            // SAFETY: within the source.
            sum = sum + unsafe { *source.from.add(line * part.line_stride + step * part.step_stride) } * source.factor;
        }
    }
    sum
}

/// `sum + factor value`; the first term is not added to 0, which would turn -0 into 0.
#[inline(always)]
fn combined<V: Vector>(turn: usize, sum: V, value: V, factor: V::Scalar) -> V {
    if turn == 0 { value * V::splat(factor) } else { value.fma(V::splat(factor), sum) }
}
