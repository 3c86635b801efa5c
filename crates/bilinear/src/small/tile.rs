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

/// Arguments of a product in BLAS's terms: column-major C = alpha op(A) op(B) + beta C, C m x n, op(A) m x k.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Call<T> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Whether op is transposition, of A and of B.
    pub transpose: [bool; 2],
    pub alpha: T,
    pub a: *const T,
    pub lda: usize,
    pub b: *const T,
    pub ldb: usize,
    pub beta: T,
    pub c: *mut T,
    pub ldc: usize,
}

/// `C = beta C`: what is left of a product where alpha or k is 0.
///
/// # Safety
/// All elements of C can be written, and read unless beta is 0.
#[cold]
#[inline(never)]
pub(crate) unsafe fn scale<T: Real + PartialEq>([m, n]: [usize; 2], beta: T, c: *mut T, ldc: usize) {
    if beta == T::of(1.0) {
        return;
    }
    for at in (0..n).flat_map(|j| (0..m).map(move |i| i + j * ldc)) {
        // SAFETY: an element of C.
        unsafe {
            let to = c.add(at);
            *to = if beta == T::ZERO { T::ZERO } else { beta * *to };
        }
    }
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

/// The code of a tile: the fields of a [`Panel`], apart, so that they travel in registers.
pub(crate) type Tile<T> =
    unsafe fn(usize, *const T, usize, *const T, usize, usize, alpha: T, beta: T, *mut T, usize, last: usize);

/// `value`, of which the compiler does not know what it is.
#[inline(always)]
fn opaque(value: usize) -> usize {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    let value = {
        let mut value = value;
        // SAFETY: no instruction.
        unsafe { std::arch::asm!("/* {0} */", inout(reg) value, options(pure, nomem, nostack, preserves_flags)) };
        value
    };
    value
}

/// R vectors, the last a part of one if not `FULL`, by N columns, at most 8.
///
/// # Safety
/// The panel's pointers reach all elements that it names, and the processor has V's instructions.
#[inline(always)]
pub(crate) unsafe fn tile<V: Vector, const R: usize, const N: usize, const FULL: bool>(panel: Panel<V::Scalar>) {
    let Panel { k, alpha, mut a, lda, mut b, rsb, csb, beta, mut c, ldc, last } = panel;
    let mut sums = [[V::ZERO; R]; N];
    // Distances of the columns of B that addresses have room for, as sums of a pointer and a multiple of one register. Left
    // alone, the compiler adds the stride N times, and every step waits for all N.
    let [three, five, seven] = [3, 5, 7].map(|columns| opaque(columns * csb));
    let columns = [0, csb, 2 * csb, three, 4 * csb, five, 2 * three, seven];
    // SAFETY: the caller's, for all accesses below: each is to an element of A, B or C.
    unsafe {
        for _ in 0..k {
            let mut x = [V::ZERO; R];
            for (r, x) in x.iter_mut().enumerate() {
                let from = a.add(r * V::LANES);
                *x = if FULL || r + 1 < R { V::load(from) } else { V::load_first(from, last) };
            }
            for (sums, at) in sums.iter_mut().zip(columns) {
                let y = V::splat(*b.add(at));
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

/// The call for rows in wide vectors, and the call for those at the end that are few enough for a narrow one. A wide one that
/// holds one row takes as long as a full one.
#[inline(always)]
pub(crate) fn rows<W: Vector, N: Vector<Scalar = W::Scalar>>(call: &Call<W::Scalar>) -> [Call<W::Scalar>; 2] {
    let rest = call.m % W::LANES;
    let narrow = if rest <= N::LANES { rest } else { 0 };
    let wide = call.m - narrow;
    let step = if call.transpose[0] { call.lda } else { 1 };
    let (a, c) = (call.a.wrapping_add(wide * step), call.c.wrapping_add(wide));
    [Call { m: wide, ..*call }, Call { m: narrow, a, c, ..*call }]
}

/// `C = alpha A op(B) + beta C`; n and k are not 0.
///
/// # Safety
/// The call's pointers reach all elements, C overlaps neither A nor B, and the processor has V's instructions.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Vector, S: Tiles<V>>(call: &Call<V::Scalar>) {
    let &Call { m, k, alpha, a, lda, b, beta, c, ldc, .. } = call;
    let [rsb, csb] = strides_of_b(call);
    let mut panel = Panel { k, alpha, a, lda, b, rsb, csb, beta, c, ldc, last: V::LANES };
    let mut row = 0;
    while row < m {
        let vectors = share((m - row).div_ceil(V::LANES), S::VECTORS);
        let rows = (vectors * V::LANES).min(m - row);
        (panel.a, panel.b, panel.c) = (a.wrapping_add(row), b, c.wrapping_add(row));
        panel.last = rows - (vectors - 1) * V::LANES;
        // SAFETY: the caller's.
        unsafe { across::<V, S>(&mut panel, vectors, call.n) };
        row += rows;
    }
}

/// `C = alpha A^T op(B) + beta C`; n and k are not 0.
///
/// # Safety
/// That of [`multiply`].
#[inline(always)]
pub(crate) unsafe fn multiply_turned<V: Vector, S: Tiles<V>>(call: &Call<V::Scalar>) {
    let &Call { m, k, alpha, a, lda, b, beta, c, ldc, .. } = call;
    let [rsb, csb] = strides_of_b(call);
    let mut buffer: Buffer<V::Scalar> = Buffer(MaybeUninit::uninit());
    let turned = buffer.0.as_mut_ptr().cast();
    let mut panel = Panel { k, alpha, a: turned, lda: 0, b, rsb, csb, beta, c, ldc, last: V::LANES };
    let mut row = 0;
    while row < m {
        let vectors = share((m - row).div_ceil(V::LANES), S::VECTORS);
        let rows = (vectors * V::LANES).min(m - row);
        panel.last = rows - (vectors - 1) * V::LANES;
        panel.lda = vectors * V::LANES;
        for first in (0..k).step_by(TURNED) {
            panel.k = TURNED.min(k - first);
            panel.beta = if first == 0 { beta } else { V::Scalar::of(1.0) };
            (panel.b, panel.c) = (b.wrapping_add(first * rsb), c.wrapping_add(row));
            // SAFETY: these elements are A's; the buffer has room for a column of tiles.
            unsafe {
                S::turn(rows, panel.k, a.add(first + row * lda), lda, turned, panel.lda);
                across::<V, S>(&mut panel, vectors, call.n);
            }
        }
        row += rows;
    }
}

/// Row and column stride of op(B).
#[inline(always)]
fn strides_of_b<T>(call: &Call<T>) -> [usize; 2] {
    if call.transpose[1] { [call.ldb, 1] } else { [1, call.ldb] }
}

/// What to take of `count`, so that no share is above `limit` and the last two are about equal.
#[inline(always)]
fn share(count: usize, limit: usize) -> usize {
    match count {
        _ if count <= limit => count,
        _ if count < 2 * limit => count.div_ceil(2),
        _ => limit,
    }
}

/// Tiles beside one another, over the n columns of C.
///
/// # Safety
/// That of [`multiply`], for the panel's rows.
#[inline(always)]
unsafe fn across<V: Vector, S: Tiles<V>>(panel: &mut Panel<V::Scalar>, vectors: usize, n: usize) {
    let full = panel.last == V::LANES;
    let mut column = 0;
    while column < n {
        let columns = share(n - column, S::COLUMNS);
        let &mut Panel { k, alpha, a, lda, b, rsb, csb, beta, c, ldc, last } = panel;
        // SAFETY: the tile's elements are all of A, B and C.
        unsafe { S::tile(vectors, columns, full)(k, a, lda, b, rsb, csb, alpha, beta, c, ldc, last) };
        panel.b = panel.b.wrapping_add(columns * panel.csb);
        panel.c = panel.c.wrapping_add(columns * panel.ldc);
        column += columns;
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
                k: usize,
                a: *const <$vector as $crate::small::vector::Vector>::Scalar,
                lda: usize,
                b: *const <$vector as $crate::small::vector::Vector>::Scalar,
                rsb: usize,
                csb: usize,
                alpha: <$vector as $crate::small::vector::Vector>::Scalar,
                beta: <$vector as $crate::small::vector::Vector>::Scalar,
                c: *mut <$vector as $crate::small::vector::Vector>::Scalar,
                ldc: usize,
                last: usize,
            ) {
                let panel = $crate::small::tile::Panel { k, alpha, a, lda, b, rsb, csb, beta, c, ldc, last };
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
