//! Small products in BLAS form: `C = alpha op(A) op(B) + beta C`, column-major, for matrices that fit the first cache.
//!
//! A call costs what its arithmetic does: nothing is packed that lies right, nothing is allocated, and 4 x 4 matrices pass
//! through registers only. The instructions are chosen once, when the first call asks what the processor has ([`Isa`]).
//! Extents of any size are right; up to which the kernels are worth it, [`takes`] says.
//!
//! Semantics are DGEMM's: `beta = 0` does not read C, `alpha = 0` or `k = 0` does not read A and B, and a NaN or Inf spreads, for
//! [`Algorithm::Classical`], to the elements of C whose sums it is part of. Results do not depend on the number of threads; they
//! do, in rounding, on the instruction set.

mod batch;
mod blocks;
pub mod direct;
mod dispatch;
mod four;
mod isa;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
mod nested;
mod tile;
pub(crate) mod vector;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

pub use batch::Strides;
pub use dispatch::Element;
pub use isa::Isa;
pub use tile::Call;

use crate::product::{Algorithm, BadLayout};
use dispatch::Table;
use four::FourCode;

/// Whether these kernels are at least as fast as a full BLAS for an m x k by k x n product, up to 2 ns: that depends on the
/// instruction set that was chosen, and was measured for square matrices and OpenBLAS (`bench/results/cpu/gemm-small.json`).
/// Shapes are judged by their multiply-adds.
pub fn takes([m, n, k]: [usize; 3]) -> bool {
    let largest: usize = match dispatch::best::<f64>().isa {
        Isa::Avx512 => 23,
        Isa::Avx2 => 20,
        Isa::Neon | Isa::Portable => 4,
    };
    m.max(n).max(k) <= 64 && m * n * k <= largest.pow(3)
}

/// The kernels of one instruction set.
pub struct Kernels<T: Element>(&'static Table<T>);

impl<T: Element> Clone for Kernels<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Element> Copy for Kernels<T> {}

/// The kernels of this processor's best instruction set.
pub fn best<T: Element>() -> Kernels<T> {
    Kernels(dispatch::best())
}

/// [`Kernels::gemm`] of the best instruction set.
///
/// # Errors
/// [`BadLayout`], before anything is written.
pub fn gemm<T: Element>(
    algorithm: Algorithm,
    transpose: [bool; 2],
    shape: [usize; 3],
    alpha: T,
    a: (&[T], usize),
    b: (&[T], usize),
    beta: T,
    c: (&mut [T], usize),
) -> Result<(), BadLayout> {
    best().gemm(algorithm, transpose, shape, alpha, a, b, beta, c)
}

/// [`Kernels::gemm_raw`] of the best instruction set: what a C or Fortran interface calls.
///
/// # Safety
/// That of [`Kernels::gemm_raw`].
#[inline(always)]
pub unsafe fn gemm_raw<T: Element>(
    algorithm: Algorithm,
    transpose: [bool; 2],
    shape: [usize; 3],
    alpha: T,
    a: (*const T, usize),
    b: (*const T, usize),
    beta: T,
    c: (*mut T, usize),
) {
    // SAFETY: the caller's.
    unsafe {
        match is_four(shape) {
            true => by_four(dispatch::four(), algorithm, transpose, alpha, a, b, beta, c),
            false => other(algorithm, transpose, shape, alpha, a, b, beta, c),
        }
    }
}

/// All but 4 x 4 matrices, whose way needs no space on the stack as long as this is apart.
///
/// # Safety
/// That of [`Kernels::gemm_raw`].
#[inline(never)]
unsafe fn other<T: Element>(
    algorithm: Algorithm,
    transpose: [bool; 2],
    shape: [usize; 3],
    alpha: T,
    a: (*const T, usize),
    b: (*const T, usize),
    beta: T,
    c: (*mut T, usize),
) {
    // SAFETY: the caller's.
    unsafe { gemm_other_raw(algorithm, transpose, shape, alpha, a, b, beta, c) }
}

/// [`gemm_raw`] for callers who know that the matrices are not 4 x 4; those are computed too, but not the short way.
///
/// # Safety
/// That of [`Kernels::gemm_raw`].
#[inline(always)]
pub unsafe fn gemm_other_raw<T: Element>(
    algorithm: Algorithm,
    transpose: [bool; 2],
    [m, n, k]: [usize; 3],
    alpha: T,
    (a, lda): (*const T, usize),
    (b, ldb): (*const T, usize),
    beta: T,
    (c, ldc): (*mut T, usize),
) {
    let call = Call { m, n, k, transpose, alpha, a, lda, b, ldb, beta, c, ldc };
    // SAFETY: the caller's.
    unsafe { dispatch::best::<T>().any(algorithm, &call) }
}

/// Whether all extents are 4; not as arrays, which would pass through memory.
#[inline(always)]
pub fn is_four([m, n, k]: [usize; 3]) -> bool {
    ((m ^ 4) | (n ^ 4) | (k ^ 4)) == 0
}

/// A product of 4 x 4 matrices.
///
/// # Safety
/// That of [`Kernels::gemm_raw`], for codes that this processor has the instructions of.
#[inline(always)]
unsafe fn by_four<T: Element>(
    codes: &[[[FourCode<T>; 2]; 2]; 5],
    algorithm: Algorithm,
    transpose: [bool; 2],
    alpha: T,
    (a, lda): (*const T, usize),
    (b, ldb): (*const T, usize),
    beta: T,
    (c, ldc): (*mut T, usize),
) {
    let [ta, tb] = transpose.map(usize::from);
    // SAFETY: the caller's.
    unsafe { (codes[algorithm as usize][ta][tb])(alpha, a, lda, b, ldb, beta, c, ldc) }
}

/// [`Kernels::gemm_batched`] of the best instruction set.
///
/// # Errors
/// [`BadLayout`], before anything is written.
pub fn gemm_batched<T: Element>(
    algorithm: Algorithm,
    transpose: [bool; 2],
    shape: [usize; 3],
    alpha: T,
    a: (&[T], usize),
    b: (&[T], usize),
    beta: T,
    c: (&mut [T], usize),
    strides: Strides,
    threads: usize,
) -> Result<(), BadLayout> {
    best().gemm_batched(algorithm, transpose, shape, alpha, a, b, beta, c, strides, threads)
}

/// [`Kernels::gemm_batched_raw`] of the best instruction set.
///
/// # Safety
/// That of [`Kernels::gemm_batched_raw`].
pub unsafe fn gemm_batched_raw<T: Element>(
    algorithm: Algorithm,
    transpose: [bool; 2],
    shape: [usize; 3],
    alpha: T,
    a: (*const T, usize),
    b: (*const T, usize),
    beta: T,
    c: (*mut T, usize),
    strides: Strides,
    threads: usize,
) {
    // SAFETY: the caller's.
    unsafe { best().gemm_batched_raw(algorithm, transpose, shape, alpha, a, b, beta, c, strides, threads) }
}

/// Elements from the first of a column-major matrix to its last.
fn needed(rows: usize, cols: usize, ld: usize) -> usize {
    if rows == 0 || cols == 0 { 0 } else { ld.saturating_mul(cols - 1).saturating_add(rows) }
}

/// Rows and columns of A, B and C as they are stored.
fn stored(transpose: [bool; 2], [m, n, k]: [usize; 3]) -> [(usize, usize); 3] {
    [if transpose[0] { (k, m) } else { (m, k) }, if transpose[1] { (n, k) } else { (k, n) }, (m, n)]
}

/// That three slices hold the matrices, the last of a batch at `offsets`.
fn check(
    transpose: [bool; 2],
    shape: [usize; 3],
    lens: [usize; 3],
    lds: [usize; 3],
    offsets: [usize; 3],
) -> Result<(), BadLayout> {
    for (at, (rows, cols)) in stored(transpose, shape).into_iter().enumerate() {
        let (matrix, ld, len) = (['A', 'B', 'C'][at], lds[at], lens[at]);
        let needed = match needed(rows, cols, ld) {
            0 => 0,
            elements => elements.saturating_add(offsets[at]),
        };
        if ld < rows.max(1) || len < needed {
            return Err(BadLayout { matrix, rows, cols, ld, len, needed });
        }
    }
    Ok(())
}

impl<T: Element> Kernels<T> {
    /// Those of an instruction set; `None` if this processor does not have it.
    pub fn of(isa: Isa) -> Option<Self> {
        isa.is_available().then(|| Self(T::table(isa)))
    }

    /// Whose they are.
    pub fn isa(self) -> Isa {
        self.0.isa
    }

    /// `C = alpha op(A) op(B) + beta C` for an m x n C, column-major as in BLAS: element (i, j) of A is `a[i + j lda]`. `shape` is
    /// [m, n, k]; op is transposition if `transpose[0]` (of A), `transpose[1]` (of B), else the identity.
    ///
    /// An algorithm other than [`Algorithm::Classical`] multiplies by one level of its scheme: the elements of 4 x 4 matrices
    /// themselves, or the blocks of larger ones; rows and columns beyond a multiple of 4 are multiplied by the definition, and
    /// so are matrices with an extent below 4. Error bounds are those of [`Algorithm::error_bound`] for 4 x 4 matrices.
    ///
    /// # Errors
    /// [`BadLayout`] for a slice that ends before its matrix does, or a leading dimension below the number of rows, before
    /// anything is written.
    pub fn gemm(
        self,
        algorithm: Algorithm,
        transpose: [bool; 2],
        shape: [usize; 3],
        alpha: T,
        (a, lda): (&[T], usize),
        (b, ldb): (&[T], usize),
        beta: T,
        (c, ldc): (&mut [T], usize),
    ) -> Result<(), BadLayout> {
        check(transpose, shape, [a.len(), b.len(), c.len()], [lda, ldb, ldc], [0; 3])?;
        let (a, b, c) = ((a.as_ptr(), lda), (b.as_ptr(), ldb), (c.as_mut_ptr(), ldc));
        // SAFETY: the slices hold the matrices, and C's is its own.
        unsafe { self.gemm_raw(algorithm, transpose, shape, alpha, a, b, beta, c) };
        Ok(())
    }

    /// [`Kernels::gemm`] with pointers in place of slices.
    ///
    /// # Safety
    /// Leading dimensions are at least the numbers of rows of the matrices as they are stored. All elements of C can be read and
    /// written, and C overlaps neither A nor B; all elements of A and B can be read, unless alpha or k is 0. With m or n 0 nothing is
    /// accessed. If beta is 0, C need not be initialised.
    pub unsafe fn gemm_raw(
        self,
        algorithm: Algorithm,
        transpose: [bool; 2],
        shape @ [m, n, k]: [usize; 3],
        alpha: T,
        a: (*const T, usize),
        b: (*const T, usize),
        beta: T,
        c: (*mut T, usize),
    ) {
        if is_four(shape) {
            // SAFETY: the caller's.
            return unsafe { by_four(&self.0.four, algorithm, transpose, alpha, a, b, beta, c) };
        }
        let ((a, lda), (b, ldb), (c, ldc)) = (a, b, c);
        let call = Call { m, n, k, transpose, alpha, a, lda, b, ldb, beta, c, ldc };
        // SAFETY: the caller's.
        unsafe { self.0.any(algorithm, &call) }
    }
}
