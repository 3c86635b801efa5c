//! Packing: a linear combination of blocks of a matrix, rearranged into the panels that the tiles read.
//!
//! A panel is W lines (rows of A, columns of B) by `steps` steps, W neighbours a step. The blocks of a combination are read as they
//! lie, once, and their sum is written once: it never exists as a matrix.

use crate::real::Real;
use crate::small::vector::Vector;

/// Steps by which memory is asked for ahead.
const AHEAD: usize = 8;

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
pub(crate) unsafe fn pack<V: Vector, const W: usize>(part: &Part<'_, V::Scalar>, to: *mut V::Scalar) {
    let inside = |source: &Source<V::Scalar>| match source.steps >= part.step + part.steps {
        true => source.lines.saturating_sub(part.line).min(part.count) / W,
        false => 0,
    };
    let whole = part.sources.iter().map(inside).min().unwrap_or(0);
    // SAFETY: the caller's promise; whole panels lie within every source.
    unsafe {
        match part.line_stride == 1 {
            true if W.is_multiple_of(V::LANES) => across::<V, W>(part, whole, to),
            true => narrow::<V, W>(part, whole, to),
            false => along::<V, W>(part, whole, to),
        }
        for first in (whole * W..part.count).step_by(W) {
            one_by_one::<V, W>(part, first, to.add(first * part.steps));
        }
    }
}

/// Lines are neighbours in memory: whole vectors of them move, those of all panels in each step, so that memory is read in long pieces.
///
/// # Safety
/// As [`pack`], for the first `panels` panels, which lie within every source.
#[inline(always)]
unsafe fn across<V: Vector, const W: usize>(part: &Part<'_, V::Scalar>, panels: usize, to: *mut V::Scalar) {
    for p in 0..part.steps {
        let at = part.line + (part.step + p) * part.step_stride;
        for panel in 0..panels {
            let mut sums = [V::ZERO; W];
            for (turn, source) in part.sources.iter().enumerate() {
                let from = source.from.wrapping_add(at + panel * W);
                for (piece, sum) in sums.iter_mut().enumerate().take(W / V::LANES) {
                    V::prefetch(from.wrapping_add(piece * V::LANES + AHEAD * part.step_stride));
                    // SAFETY: the caller's promise.
                    *sum = combined(turn, *sum, unsafe { V::load(from.add(piece * V::LANES)) }, source.factor);
                }
            }
            for (piece, sum) in sums.into_iter().enumerate().take(W / V::LANES) {
                // SAFETY: the caller's promise.
                unsafe { sum.store(to.add((panel * part.steps + p) * W + piece * V::LANES)) };
            }
        }
    }
}

/// As [`across`], for panels narrower than a vector.
///
/// # Safety
/// As [`across`].
#[inline(always)]
unsafe fn narrow<V: Vector, const W: usize>(part: &Part<'_, V::Scalar>, panels: usize, to: *mut V::Scalar) {
    for p in 0..part.steps {
        let at = part.line + (part.step + p) * part.step_stride;
        for panel in 0..panels {
            let mut sums = [V::Scalar::ZERO; W];
            for source in part.sources {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: the caller's promise.
                    *sum = *sum + unsafe { *source.from.add(at + panel * W + lane) } * source.factor;
                }
            }
            // SAFETY: the caller's promise.
            unsafe { to.add((panel * part.steps + p) * W).cast::<[V::Scalar; W]>().write(sums) };
        }
    }
}

/// Steps are neighbours in memory: vectors of them are turned on the way. A panel's lines lie in different pages; those of the next
/// panel are asked for.
///
/// # Safety
/// As [`across`].
#[inline(always)]
unsafe fn along<V: Vector, const W: usize>(part: &Part<'_, V::Scalar>, panels: usize, to: *mut V::Scalar) {
    let whole = part.steps / V::LANES * V::LANES;
    for panel in 0..panels {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.add(panel * W * part.steps);
            for p in (0..whole).step_by(V::LANES) {
                let mut turned = [V::ZERO; W];
                for (turn, source) in part.sources.iter().enumerate() {
                    let mut from = source.from.add((part.line + panel * W) * part.line_stride + part.step + p);
                    for sum in &mut turned {
                        *sum = combined(turn, *sum, V::load(from), source.factor);
                        V::prefetch_far(from.wrapping_add(W * part.line_stride));
                        from = from.wrapping_add(part.line_stride);
                    }
                }
                V::store_turned(&turned, to.add(p * W));
            }
            for p in whole..part.steps {
                for line in 0..W {
                    *to.add(p * W + line) = element(part, panel * W + line, p);
                }
            }
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
