//! One 4 x 4 product in BLAS form, by the algorithm that the caller names.

use crate::generated::{alphatensor, alphatensor_mod_2, rank48, strassen, winograd};
use crate::real::Real;
use std::fmt;

/// How one 4 x 4 product is computed. Errors are those of [`Algorithm::error_bound`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Row times column, 64 products.
    Classical,
    /// Strassen's scheme for 2 x 2 matrices, squared: 49 products.
    Strassen,
    /// Winograd's variant of it, squared: 49 products.
    Winograd,
    /// AlphaTensor's scheme: 49 products.
    AlphaTensor,
    /// An accurate scheme with halves: 48 products.
    Rank48,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Classical, Self::Strassen, Self::Winograd, Self::AlphaTensor, Self::Rank48];

    /// The name under which users ask for it, that of its scheme in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classical => "classical",
            Self::Strassen => "strassen",
            Self::Winograd => "winograd",
            Self::AlphaTensor => "alphatensor",
            Self::Rank48 => "rank48",
        }
    }

    /// The algorithm of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Largest error of an element of A B in units of `(eps / 2) max|A| max|B|`, to first order, eps the distance from 1 to the
    /// next number of the type. [`crate::Program::error_bound`] of its program.
    pub fn error_bound(self) -> f64 {
        match self {
            Self::Classical => 12.0,
            Self::Strassen => 830.0,
            Self::Winograd => 2551.0,
            Self::AlphaTensor => 2461.0,
            Self::Rank48 => 1251.5,
        }
    }
}

/// A slice that ends before the matrix does, or a leading dimension below 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLayout {
    /// The matrix: 'A', 'B' or 'C'.
    pub matrix: char,
    /// Its leading dimension.
    pub ld: usize,
    /// Elements of its slice.
    pub len: usize,
}

impl fmt::Display for BadLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { matrix, ld, len } = self;
        match ld {
            0..4 => write!(f, "{matrix} has leading dimension {ld}; give 4 or more"),
            _ => write!(f, "{matrix} has {len} elements; 4 x 4 with leading dimension {ld} needs {}", needed(*ld)),
        }
    }
}

impl std::error::Error for BadLayout {}

/// Elements from the first of a 4 x 4 matrix to its last.
fn needed(ld: usize) -> usize {
    ld.saturating_mul(3).saturating_add(4)
}

/// `C = alpha op(A) op(B) + beta C` for 4 x 4 matrices, column-major as in BLAS: element (i, j) of A is `a[i + j lda]`. op is
/// transposition if `transpose[0]` (of A), `transpose[1]` (of B), else the identity.
///
/// `beta = 0` does not read C, `alpha = 0` does not read A and B. All but [`Algorithm::Classical`] spread a NaN or Inf to other
/// elements of C than the product's definition does.
///
/// # Errors
/// [`BadLayout`], before anything is written.
pub fn gemm_4x4<T: Real>(
    algorithm: Algorithm,
    transpose: [bool; 2],
    alpha: T,
    (a, lda): (&[T], usize),
    (b, ldb): (&[T], usize),
    beta: T,
    (c, ldc): (&mut [T], usize),
) -> Result<(), BadLayout> {
    for (matrix, len, ld) in [('A', a.len(), lda), ('B', b.len(), ldb), ('C', c.len(), ldc)] {
        if ld < 4 || len < needed(ld) {
            return Err(BadLayout { matrix, ld, len });
        }
    }
    if alpha == T::ZERO {
        for at in (0..16).map(|z| z / 4 + z % 4 * ldc) {
            c[at] = if beta == T::ZERO { T::ZERO } else { beta * c[at] };
        }
        return Ok(());
    }
    let call = Call { transpose, alpha, a, lda, b, ldb, beta };
    match algorithm {
        Algorithm::Classical => dispatch::<T, Classical>(&call, c, ldc),
        Algorithm::Strassen => dispatch::<T, Strassen>(&call, c, ldc),
        Algorithm::Winograd => dispatch::<T, Winograd>(&call, c, ldc),
        Algorithm::AlphaTensor => dispatch::<T, AlphaTensor>(&call, c, ldc),
        Algorithm::Rank48 => dispatch::<T, Rank48>(&call, c, ldc),
    }
    Ok(())
}

/// The code of an algorithm: calls `store(z, value)` for every element of A B, all counted row by row.
trait Kernel {
    fn product<T: Real, const FMA: bool>(a: &[T; 16], b: &[T; 16], store: impl FnMut(usize, T));
}

macro_rules! kernel {
    ($kernel:ident, $($function:ident)::+) => {
        struct $kernel;

        impl Kernel for $kernel {
            #[inline(always)]
            fn product<T: Real, const FMA: bool>(a: &[T; 16], b: &[T; 16], store: impl FnMut(usize, T)) {
                $($function)::+::<T, FMA>(a, b, store);
            }
        }
    };
}

kernel!(Classical, classical);
kernel!(Strassen, strassen::strassen);
kernel!(Winograd, winograd::winograd);
kernel!(AlphaTensor, alphatensor::alphatensor);
kernel!(Rank48, rank48::rank48);

/// The arguments of a call that have been checked, but for C.
struct Call<'a, T> {
    transpose: [bool; 2],
    alpha: T,
    a: &'a [T],
    lda: usize,
    b: &'a [T],
    ldb: usize,
    beta: T,
}

/// op(matrix), column after column.
#[inline(always)]
fn columns<T: Real>(from: &[T], ld: usize, transposed: bool) -> [T; 16] {
    // Copied first, so that what follows has one way to its operands.
    let mut turned = [T::ZERO; 16];
    let (mut from, mut ld) = (from, ld);
    if transposed {
        for (j, column) in (0..4).map(|j| (j, &from[j * ld..j * ld + 4])) {
            for (i, &element) in column.iter().enumerate() {
                turned[4 * i + j] = element;
            }
        }
        (from, ld) = (&turned, 4);
    }
    let mut columns = [T::ZERO; 16];
    for (j, to) in columns.chunks_exact_mut(4).enumerate() {
        to.copy_from_slice(&from[j * ld..j * ld + 4]);
    }
    columns
}

/// The instructions that this machine has.
fn dispatch<T: Real, K: Kernel>(call: &Call<'_, T>, c: &mut [T], ldc: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the features.
            return unsafe { with_avx512::<T, K>(call, c, ldc) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: likewise.
            return unsafe { with_avx2::<T, K>(call, c, ldc) };
        }
    }
    run::<T, K, { cfg!(target_arch = "aarch64") }>(call, c, ldc);
}

/// Has twice the registers, which hold most of a scheme's values.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn with_avx512<T: Real, K: Kernel>(call: &Call<'_, T>, c: &mut [T], ldc: usize) {
    run::<T, K, true>(call, c, ldc);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<T: Real, K: Kernel>(call: &Call<'_, T>, c: &mut [T], ldc: usize) {
    run::<T, K, true>(call, c, ldc);
}

/// The product in the instructions of the function that this becomes a part of.
#[inline(always)]
fn run<T: Real, K: Kernel, const FMA: bool>(call: &Call<'_, T>, c: &mut [T], ldc: usize) {
    // What lies column by column is the transpose, row by row: C^T = op(B)^T op(A)^T is computed, and nothing is rearranged.
    let x = columns(call.b, call.ldb, call.transpose[1]);
    let y = columns(call.a, call.lda, call.transpose[0]);
    let mut sums = [T::ZERO; 16];
    K::product::<T, FMA>(&x, &y, |z, sum| sums[z] = sum);
    let Call { alpha, beta, .. } = *call;
    let c = &mut c[..3 * ldc + 4];
    for (j, sums) in sums.chunks_exact(4).enumerate() {
        for (to, &sum) in c[j * ldc..j * ldc + 4].iter_mut().zip(sums) {
            *to = if beta == T::ZERO { alpha * sum } else { sum.fused::<FMA>(alpha, beta * *to) };
        }
    }
}

/// Row times column, the four elements of a row in the lanes of a vector.
#[inline(always)]
fn classical<T: Real, const FMA: bool>(a: &[T; 16], b: &[T; 16], mut store: impl FnMut(usize, T)) {
    for i in 0..4 {
        let [p, q, r, s] = [a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3]];
        let row: [T; 4] =
            std::array::from_fn(|j| b[4 + j].fused::<FMA>(q, b[j] * p) + b[12 + j].fused::<FMA>(s, b[8 + j] * r));
        for (j, sum) in row.into_iter().enumerate() {
            store(4 * i + j, sum);
        }
    }
}

/// 64 products of 4 x 4 matrices modulo 2 with 47 multiplications each, by AlphaTensor's scheme: bit t of the 16 words of `a`,
/// row by row, is an element of the t-th matrix.
pub fn product_modulo_2(a: &[u64; 16], b: &[u64; 16]) -> [u64; 16] {
    let mut c = [0; 16];
    alphatensor_mod_2::alphatensor_mod_2(a, b, |z, value| c[z] = value);
    c
}
