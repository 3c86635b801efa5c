//! Products of any extents by tiles of C that stay in registers.
//!
//! A tile of R vectors by N columns is summed over l,
//!
//! ```text
//!     C(:, j) += A(:, l) b(l, j),      j = 0 .. N - 1:
//! ```
//!
//! R loads of A's column, N broadcasts of elements of B and R N fused multiply-adds in each step. Nothing is packed where A's
//! columns lie as such. A transposed A is turned piece by piece into a buffer on the stack; a transposed B costs nothing, as its
//! elements are read one by one. The last vector of a column may be a part of one.

use super::vector::Vector;
use crate::real::Real;
use std::mem::MaybeUninit;

/// A checked call: column-major C = alpha op(A) op(B) + beta C.
#[derive(Clone, Copy)]
pub(crate) struct Call<T> {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    /// Whether op is transposition, of A and of B.
    pub(crate) transpose: [bool; 2],
    pub(crate) alpha: T,
    pub(crate) a: *const T,
    pub(crate) lda: usize,
    pub(crate) b: *const T,
    pub(crate) ldb: usize,
    pub(crate) beta: T,
    pub(crate) c: *mut T,
    pub(crate) ldc: usize,
}

/// What a tile is computed from: element (i, l) of A is `a[i + l lda]`, (l, j) of B `b[l rsb + j csb]`.
pub(crate) struct Panel<T> {
    pub(crate) k: usize,
    pub(crate) alpha: T,
    pub(crate) a: *const T,
    pub(crate) lda: usize,
    pub(crate) b: *const T,
    pub(crate) rsb: usize,
    pub(crate) csb: usize,
    pub(crate) beta: T,
    pub(crate) c: *mut T,
    pub(crate) ldc: usize,
    /// Lanes of the last vector of a column that C has.
    pub(crate) last: usize,
}

/// The code of a tile.
pub(crate) type Tile<T> = unsafe fn(&Panel<T>);

/// R vectors, the last a part of one if not `FULL`, by N columns.
///
/// # Safety
/// The panel's pointers reach all elements that it names, and the processor has V's instructions.
#[inline(always)]
pub(crate) unsafe fn tile<V: Vector, const R: usize, const N: usize, const FULL: bool>(panel: &Panel<V::Scalar>) {
    let &Panel { k, alpha, lda, rsb, csb, beta, ldc, last, .. } = panel;
    let (mut a, mut b, mut c) = (panel.a, panel.b, panel.c);
    let mut sums = [[V::ZERO; R]; N];
    // SAFETY: the caller's, for all accesses below: each is to an element of A, B or C.
    unsafe {
        for _ in 0..k {
            let mut x = [V::ZERO; R];
            for (r, x) in x.iter_mut().enumerate() {
                let from = a.add(r * V::LANES);
                *x = if FULL || r + 1 < R { V::load(from) } else { V::load_first(from, last) };
            }
            for (j, sums) in sums.iter_mut().enumerate() {
                let y = V::splat(*b.add(j * csb));
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = x.fma(y, *sum);
                }
            }
            (a, b) = (a.wrapping_add(lda), b.wrapping_add(rsb));
        }
        let (alpha, old) = (V::splat(alpha), V::splat(beta));
        let keeps = beta != V::Scalar::ZERO;
        for sums in sums {
            for (r, sum) in sums.into_iter().enumerate() {
                let to = c.add(r * V::LANES);
                if FULL || r + 1 < R {
                    (if keeps { sum.fma(alpha, old * V::load(to)) } else { sum * alpha }).store(to);
                } else {
                    let value = if keeps { sum.fma(alpha, old * V::load_first(to, last)) } else { sum * alpha };
                    value.store_first(to, last);
                }
            }
            c = c.wrapping_add(ldc);
        }
    }
}

/// Steps of l for which a transposed A is turned at a time.
const TURNED: usize = 64;

/// Tiles of an instruction set: by vectors, by columns, by whether the last vector is whole.
pub(crate) trait Tiles<V: Vector> {
    /// Most vectors and columns of a tile.
    const VECTORS: usize;
    const COLUMNS: usize;

    /// Of 1 to `VECTORS` vectors and 1 to `COLUMNS` columns.
    fn tile(vectors: usize, columns: usize, full: bool) -> Tile<V::Scalar>;

    /// Turns the `rows` x `k` part of a transposed A: element (i, l) is `from[l + i ld]`, and becomes `to[i + l ld_to]`.
    ///
    /// # Safety
    /// The pointers reach all these elements, and the processor has V's instructions.
    unsafe fn turn(rows: usize, k: usize, from: *const V::Scalar, ld: usize, to: *mut V::Scalar, ld_to: usize);
}

/// Space for a turned piece of A: of the longest column of tiles (48 of f32).
#[repr(align(64))]
struct Buffer<T>(MaybeUninit<[[T; 48]; TURNED]>);

/// `C = alpha op(A) op(B) + beta C`; m, n and k are not 0.
///
/// # Safety
/// The call's pointers reach all elements, C overlaps neither A nor B, and the processor has V's instructions.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Vector, S: Tiles<V>>(call: &Call<V::Scalar>) {
    let &Call { m, n, k, transpose, alpha, a, lda, b, ldb, beta, c, ldc } = call;
    let (rsb, csb) = if transpose[1] { (ldb, 1) } else { (1, ldb) };
    let mut panel = Panel { k, alpha, a, lda, b, rsb, csb, beta, c, ldc, last: V::LANES };
    let mut row = 0;
    let mut vectors_left = m.div_ceil(V::LANES);
    let mut buffer: Buffer<V::Scalar> = Buffer(MaybeUninit::uninit());
    let depth = if transpose[0] { TURNED } else { k };
    while vectors_left > 0 {
        let vectors = vectors_left.div_ceil(vectors_left.div_ceil(S::VECTORS));
        vectors_left -= vectors;
        let rows = (vectors * V::LANES).min(m - row);
        panel.last = rows - (vectors - 1) * V::LANES;
        let full = panel.last == V::LANES;
        for first in (0..k).step_by(depth) {
            panel.k = depth.min(k - first);
            panel.beta = if first == 0 { beta } else { V::Scalar::of(1.0) };
            if transpose[0] {
                let turned = buffer.0.as_mut_ptr().cast();
                // SAFETY: these elements are op(A)'s; the buffer has room for a column of tiles.
                unsafe { S::turn(rows, panel.k, a.add(first + row * lda), lda, turned, vectors * V::LANES) };
                (panel.a, panel.lda) = (turned, vectors * V::LANES);
            } else {
                panel.a = a.wrapping_add(row);
            }
            let mut column = 0;
            while column < n {
                let columns = (n - column).div_ceil((n - column).div_ceil(S::COLUMNS));
                panel.b = b.wrapping_add(first * rsb + column * csb);
                panel.c = c.wrapping_add(row + column * ldc);
                // SAFETY: the tile's elements are all of A, B and C.
                unsafe { S::tile(vectors, columns, full)(&panel) };
                column += columns;
            }
        }
        row += rows;
    }
}

/// [`Tiles::turn`] by pieces of 4 x 4.
///
/// # Safety
/// Those of [`Tiles::turn`], with the instructions of F.
#[inline(always)]
pub(crate) unsafe fn turn<F: super::vector::Four>(
    rows: usize,
    k: usize,
    from: *const F::Scalar,
    ld: usize,
    to: *mut F::Scalar,
    ld_to: usize,
) {
    // SAFETY: the caller's: every access below is to an element within `rows` and `k`.
    unsafe {
        for i in (0..rows).step_by(4) {
            let count = (rows - i).min(4);
            let from = from.add(i * ld);
            let mut l = 0;
            while l < k {
                let width = (k - l).min(4);
                if count == 4 && width == 4 {
                    let mut piece = [F::ZERO; 4];
                    for (i, row) in piece.iter_mut().enumerate() {
                        *row = F::load(from.add(l + i * ld));
                    }
                    for (j, column) in F::transposed(piece).into_iter().enumerate() {
                        column.store(to.add(i + (l + j) * ld_to));
                    }
                } else {
                    for j in 0..width {
                        for row in 0..count {
                            *to.add(i + row + (l + j) * ld_to) = *from.add(l + j + row * ld);
                        }
                    }
                }
                l += width;
            }
        }
    }
}

/// Kernels of an instruction set for one type of register: `$name` implements [`Tiles`], with `$turn` for pieces of A.
macro_rules! tiles {
    ($name:ident, $vector:ty, $turn:ty, [$($vectors:literal),+], $columns:tt $(, #[$feature:meta])?) => {
        pub(crate) struct $name;

        impl $name {
            $(#[$feature])?
            unsafe fn one<const R: usize, const N: usize, const FULL: bool>(
                panel: &$crate::small::tile::Panel<<$vector as $crate::small::vector::Vector>::Scalar>,
            ) {
                // SAFETY: the caller's.
                unsafe { $crate::small::tile::tile::<$vector, R, N, FULL>(panel) }
            }
        }

        impl $crate::small::tile::Tiles<$vector> for $name {
            const VECTORS: usize = [$($vectors),+].len();
            const COLUMNS: usize = $columns.len();

            #[inline(always)]
            fn tile(
                vectors: usize,
                columns: usize,
                full: bool,
            ) -> $crate::small::tile::Tile<<$vector as $crate::small::vector::Vector>::Scalar> {
                type Code = $crate::small::tile::Tile<<$vector as $crate::small::vector::Vector>::Scalar>;
                const COUNT: usize = $columns.len();
                static CODE: [[[Code; 2]; COUNT]; [$($vectors),+].len()] =
                    [$($crate::small::tile::tiles!(@row $name, $vectors, $columns)),+];
                CODE[vectors - 1][columns - 1][usize::from(full)]
            }

            #[inline(always)]
            unsafe fn turn(
                rows: usize,
                k: usize,
                from: *const <$vector as $crate::small::vector::Vector>::Scalar,
                ld: usize,
                to: *mut <$vector as $crate::small::vector::Vector>::Scalar,
                ld_to: usize,
            ) {
                // SAFETY: the caller's.
                unsafe { $crate::small::tile::turn::<$turn>(rows, k, from, ld, to, ld_to) }
            }
        }
    };
    (@row $name:ident, $vectors:literal, [$($columns:literal),+]) => {
        [$([$name::one::<$vectors, $columns, false>, $name::one::<$vectors, $columns, true>]),+]
    };
}
pub(crate) use tiles;
