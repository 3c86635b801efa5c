//! A tile of C in registers, and where it goes.
//!
//! With panels of R L rows of A and N columns of B, packed so that step l's are neighbours,
//!
//! ```text
//!     P(:, j) = sum_l A(:, l) b(l, j),      C_t += f_t P      for each target t:
//! ```
//!
//! R loads, N broadcasts and R N fused multiply-adds in each step; the sums leave the registers once for each target.

use crate::real::Real;
use crate::small::vector::Vector;

/// Steps by which a tile asks for A's panel ahead.
const AHEAD: usize = 16;

/// Where a product is added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<T> {
    /// Its first element.
    pub(crate) c: *mut T,
    /// The product's factor.
    pub(crate) factor: T,
    /// The factor of what is there already; where it is 0, nothing is read.
    pub(crate) beta: T,
    /// How much of the block lies in C: blocks at C's end may have fewer rows and columns than the product.
    pub(crate) rows: usize,
    pub(crate) cols: usize,
}

/// Where a tile is in its panels, and the address that it asks for with its next step.
struct Place<T> {
    a: *const T,
    b: *const T,
    next: *const T,
    stride: usize,
}

/// `count` steps of a tile: `sums += A(:, l) b(l, :)`.
///
/// # Safety
/// `count R LANES` elements of A's panel and `count N` of B's can be read.
#[inline(always)]
unsafe fn steps<V: Vector, const R: usize, const N: usize>(
    count: usize,
    sums: &mut [[V; R]; N],
    place: &mut Place<V::Scalar>,
) {
    for _ in 0..count {
        V::prefetch_far(place.next);
        place.next = place.next.wrapping_add(place.stride);
        let mut rows = [V::ZERO; R];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *row = unsafe { V::load(place.a.add(i * V::LANES)) };
            V::prefetch(place.a.wrapping_add((i + AHEAD * R) * V::LANES));
        }
        for (j, column) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let factor = V::splat(unsafe { *place.b.add(j) });
            for (sum, row) in column.iter_mut().zip(rows) {
                *sum = row.fma(factor, *sum);
            }
        }
        // SAFETY: the caller's promise.
        unsafe { (place.a, place.b) = (place.a.add(R * V::LANES), place.b.add(N)) };
    }
}

/// `R` vectors by `N` columns of the product of two panels of `k` steps. Meanwhile it asks for the tile at `[i, j]` of the targets, a
/// column at a time, since all at once they would keep the panels' own loads waiting.
///
/// # Safety
/// `k R LANES` elements of A's panel and `k N` of B's can be read.
#[inline(always)]
unsafe fn product<V: Vector, const R: usize, const N: usize>(
    k: usize,
    mut place: Place<V::Scalar>,
    targets: &[Target<V::Scalar>],
    ld: usize,
    [i, j]: [usize; 2],
) -> [[V; R]; N] {
    let mut sums = [[V::ZERO; R]; N];
    // The steps of each column; the rest comes after all of them.
    let stretch = k / (N * targets.len() + 1);
    for target in targets {
        let mut to = target.c.wrapping_add(i + j * ld);
        for _ in 0..N {
            for part in 0..R {
                V::prefetch(to.wrapping_add(part * V::LANES));
            }
            // Where a column does not begin a line, it ends in one more.
            V::prefetch(to.wrapping_add(R * V::LANES - 1));
            to = to.wrapping_add(ld);
            // SAFETY: the caller's promise; the counts add up to k.
            unsafe { steps(stretch, &mut sums, &mut place) };
        }
    }
    // SAFETY: likewise.
    unsafe { steps(k - stretch * N * targets.len(), &mut sums, &mut place) };
    sums
}

/// Adds a tile to a target, of which it covers the rows from `i` and the columns from `j` on.
///
/// # Safety
/// What lies within the target's rows and columns can be read and written.
#[inline(always)]
unsafe fn add<V: Vector, const R: usize, const N: usize>(
    sums: &[[V; R]; N],
    target: &Target<V::Scalar>,
    ld: usize,
    [i, j]: [usize; 2],
) {
    if i >= target.rows || j >= target.cols {
        return;
    }
    let (rows, cols) = (target.rows - i, target.cols - j);
    // SAFETY: the caller's promise.
    unsafe {
        let to = target.c.add(i + j * ld);
        if rows >= R * V::LANES && cols >= N && target.beta == V::Scalar::of(1.0) {
            // Nearly every tile; without a question in between the sums stay in registers.
            let factor = V::splat(target.factor);
            for (column, sums) in sums.iter().enumerate() {
                for (part, sum) in sums.iter().enumerate() {
                    let to = to.add(part * V::LANES + column * ld);
                    sum.fma(factor, V::load(to)).store(to);
                }
            }
        } else {
            add_part(sums, target, to, ld, [rows, cols]);
        }
    }
}

/// Adds the first `rows` rows and `cols` columns of a tile to a target, from `to` on, as far as the tile goes.
///
/// # Safety
/// As [`add`].
#[inline(always)]
unsafe fn add_part<V: Vector, const R: usize, const N: usize>(
    sums: &[[V; R]; N],
    target: &Target<V::Scalar>,
    to: *mut V::Scalar,
    ld: usize,
    [rows, cols]: [usize; 2],
) {
    let (factor, beta) = (V::splat(target.factor), V::splat(target.beta));
    for (column, sums) in sums.iter().enumerate().take(cols) {
        for (part, sum) in sums.iter().enumerate() {
            let done = part * V::LANES;
            if done >= rows {
                break;
            }
            // SAFETY: the caller's promise; a part that ends before its last lane is not written beyond.
            unsafe {
                let to = to.add(done + column * ld);
                let here = (rows - done).min(V::LANES);
                let value = match target.beta == V::Scalar::ZERO {
                    true => *sum * factor,
                    false => sum.fma(factor, beta * V::load_first(to, here)),
                };
                value.store_first(to, here);
            }
        }
    }
}

/// Packed panels and what becomes of their products.
pub(crate) struct Block<'a, T> {
    /// Steps of the panels.
    pub(crate) k: usize,
    /// Panels of A, each `k` times the tile's rows.
    pub(crate) a: *const T,
    /// Rows of A from `first_row` on that are packed there.
    pub(crate) rows: usize,
    /// The row of the targets at which the first panel begins.
    pub(crate) first_row: usize,
    /// Panels of B, each `k` times the tile's columns.
    pub(crate) b: *const T,
    /// Columns of B that are packed there.
    pub(crate) cols: usize,
    /// The column of the targets at which the first panel begins.
    pub(crate) first_col: usize,
    /// Where the product is added.
    pub(crate) targets: &'a [Target<T>],
    /// The leading dimension of all targets.
    pub(crate) ld: usize,
}

/// Multiplies all panels of A by all of B: a panel of B stays near while those of A pass by, and they ask for the next one of B, each
/// for its share.
///
/// # Safety
/// The panels are there, and the targets' elements can be read and written; no other thread uses those from `first_row` to
/// `first_row + rows`.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Vector, const R: usize, const N: usize>(block: &Block<'_, V::Scalar>) {
    let (height, k) = (R * V::LANES, block.k);
    let stride = N.div_ceil(block.rows.div_ceil(height));
    for j in (0..block.cols).step_by(N) {
        for i in (0..block.rows).step_by(height) {
            let at = [block.first_row + i, block.first_col + j];
            let next = block.b.wrapping_add((j + N) * k + i / height * stride * k);
            // SAFETY: the caller's promise.
            unsafe {
                let place = Place { a: block.a.add(i * k), b: block.b.add(j * k), next, stride };
                let sums = product::<V, R, N>(k, place, block.targets, block.ld, at);
                for target in block.targets {
                    add(&sums, target, block.ld, at);
                }
            }
        }
    }
}
