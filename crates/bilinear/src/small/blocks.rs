//! One level of a 4 x 4 scheme over blocks: the scheme's elements are blocks of a quarter of the extents, its products those of
//! the kernels for the definition. For small matrices: large ones are a matter of [`crate::large`].
//!
//! ```text
//!     S_r = sum_x u_r(x) A_x,   T_r = sum_y v_r(y) B_y,   P_r = S_r T_r,   C_z = alpha sum_r w_r(z) P_r + beta C_z.
//! ```
//!
//! Sums are formed as the matrices are stored; a transposed block is multiplied as such. Rows and columns beyond a
//! multiple of 4 are peeled off: with q the part that divides,
//!
//! ```text
//!     C(q, q) = scheme + A(q, rest) B(rest, q),     C(:, rest) and C(rest, q) by the definition alone.
//! ```

use super::Kernels;
use super::dispatch::{Element, Table};
use super::tile::Call;
use crate::generated::steps;
use crate::product::Algorithm;
use crate::steps::{Linear, Steps};

/// A matrix, or a block of one, as it is stored.
#[derive(Clone, Copy)]
struct Block<T> {
    at: *mut T,
    ld: usize,
}

/// `z = f x + g y`, or `f x` where g is 0: of `rows` x `cols` numbers.
///
/// # Safety
/// The pointers reach these elements; z may be y.
#[inline(always)]
pub(crate) unsafe fn combine<T: Element>(
    [rows, cols]: [usize; 2],
    (z, ldz): (*mut T, usize),
    f: T,
    (x, ldx): (*const T, usize),
    g: T,
    (y, ldy): (*const T, usize),
) {
    for j in 0..cols {
        // SAFETY: the caller's, for this column.
        unsafe {
            let (z, x, y) = (z.add(j * ldz), x.add(j * ldx), y.add(j * ldy));
            if g == T::ZERO {
                for i in 0..rows {
                    *z.add(i) = f * *x.add(i);
                }
            } else {
                for i in 0..rows {
                    *z.add(i) = f * *x.add(i) + g * *y.add(i);
                }
            }
        }
    }
}

/// The steps of an algorithm's program; `None` for the definition.
fn steps_of(algorithm: Algorithm) -> Option<&'static Steps> {
    match algorithm {
        Algorithm::Classical => None,
        Algorithm::Strassen => Some(&steps::STRASSEN),
        Algorithm::Winograd => Some(&steps::WINOGRAD),
        Algorithm::AlphaTensor => Some(&steps::ALPHATENSOR),
        Algorithm::Rank48 => Some(&steps::RANK48),
    }
}

/// One level of `algorithm` with the library's own kernels below.
///
/// The part whose extents 4 divides is computed by the scheme, the rest by the definition.
///
/// # Safety
/// As [`Kernels::gemm_raw`]; alpha and no extent is 0.
#[inline(never)]
pub(crate) unsafe fn multiply<T: Element>(table: &'static Table<T>, algorithm: Algorithm, call: &Call<T>) {
    let leaf = Kernels(table);
    let &Call { m, n, k, transpose, alpha, a, lda, b, ldb, beta, c, ldc } = call;
    let direct = |[m, n, k]: [usize; 3], [row, column, first]: [usize; 3], beta: T| {
        if m == 0 || n == 0 || k == 0 {
            return;
        }
        let [i, j] = [
            if transpose[0] { first + row * lda } else { row + first * lda },
            if transpose[1] { column + first * ldb } else { first + column * ldb },
        ];
        let (a, b, c) = ((a.wrapping_add(i), lda), (b.wrapping_add(j), ldb), c.wrapping_add(row + column * ldc));
        // SAFETY: a part of the call's matrices.
        unsafe { leaf.gemm_raw(Algorithm::Classical, transpose, [m, n, k], alpha, a, b, beta, (c, ldc)) }
    };
    let [rows, cols, depth] = [m, n, k].map(|extent| extent / 4 * 4);
    let steps = steps_of(algorithm).filter(|_| rows > 0 && cols > 0 && depth > 0);
    let Some(steps) = steps else { return direct([m, n, k], [0; 3], beta) };
    let whole = Call { m: rows, n: cols, k: depth, ..*call };
    // SAFETY: a part of the call's matrices.
    unsafe { by_scheme(leaf, steps, &whole) };
    direct([rows, cols, k - depth], [0, 0, depth], T::of(1.0));
    direct([m, n - cols, k], [0, cols, 0], beta);
    direct([m - rows, cols, k], [rows, 0, 0], beta);
}

/// Blocks of a matrix whose quarters are `rows` x `cols` as stored, in the scheme's order: row by row of op(matrix).
fn quarters<T>(at: *mut T, ld: usize, [rows, cols]: [usize; 2], transposed: bool) -> impl Iterator<Item = Block<T>> {
    (0..16).map(move |z| {
        let (i, j) = if transposed { (z % 4, z / 4) } else { (z / 4, z % 4) };
        Block { at: at.wrapping_add(i * rows + j * cols * ld), ld }
    })
}

/// # Safety
/// As [`Kernels::gemm_raw`]; 4 divides the extents, none of which is 0.
unsafe fn by_scheme<T: Element>(leaf: Kernels<T>, steps: &Steps, call: &Call<T>) {
    let table = leaf.0;
    let &Call { m, n, k, transpose, alpha, a, lda, b, ldb, beta, c, ldc } = call;
    let shape @ [m, n, k] = [m / 4, n / 4, k / 4];
    let of_a = if transpose[0] { [k, m] } else { [m, k] };
    let of_b = if transpose[1] { [n, k] } else { [k, n] };
    let rank = steps.u.outputs.len();
    let lengths = [steps.u.steps.len() * m * k, steps.v.steps.len() * k * n, (rank + steps.w.steps.len()) * m * n];
    let mut space: Vec<T> = Vec::with_capacity(lengths.iter().sum());
    let mut free = space.as_mut_ptr();
    // SAFETY: all blocks are parts of the call's matrices or of the space, which holds as many as are taken.
    unsafe {
        let mut left: Vec<_> = quarters(a.cast_mut(), lda, of_a, transpose[0]).collect();
        sums(table, &mut left, &steps.u, of_a, &mut free);
        let mut right: Vec<_> = quarters(b.cast_mut(), ldb, of_b, transpose[1]).collect();
        sums(table, &mut right, &steps.v, of_b, &mut free);
        let mut products = Vec::with_capacity(rank + steps.w.steps.len());
        for (&(x, _), &(y, _)) in steps.u.outputs.iter().zip(steps.v.outputs) {
            let (x, y, p) = (left[x], right[y], take(&mut free, [m, n]));
            leaf.gemm_raw(
                Algorithm::Classical,
                transpose,
                shape,
                T::of(1.0),
                (x.at, x.ld),
                (y.at, y.ld),
                T::ZERO,
                (p.at, p.ld),
            );
            products.push(p);
        }
        sums(table, &mut products, &steps.w, [m, n], &mut free);
        for (&(value, factor), c) in steps.w.outputs.iter().zip(quarters(c, ldc, [m, n], false)) {
            let (p, old) = (products[value], (c.at.cast_const(), c.ld));
            (table.combine)([m, n], (c.at, c.ld), alpha * T::of(factor), (p.at, p.ld), beta, old);
        }
    }
}

/// The next block of the space.
fn take<T>(free: &mut *mut T, [rows, cols]: [usize; 2]) -> Block<T> {
    let block = Block { at: *free, ld: rows };
    *free = free.wrapping_add(rows * cols);
    block
}

/// Adds the values of a program's steps to those of its inputs.
///
/// # Safety
/// The inputs are blocks of these extents, and from `free` on is room for the others.
unsafe fn sums<T: Element>(
    table: &Table<T>,
    values: &mut Vec<Block<T>>,
    program: &Linear,
    extents: [usize; 2],
    free: &mut *mut T,
) {
    for &[(x, f), (y, g)] in program.steps {
        let (z, x, y) = (take(free, extents), values[x], values[y]);
        // SAFETY: the caller's.
        unsafe { (table.combine)(extents, (z.at, z.ld), T::of(f), (x.at, x.ld), T::of(g), (y.at, y.ld)) };
        values.push(z);
    }
}
