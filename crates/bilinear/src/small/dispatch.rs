//! Tables of kernels, one for each instruction set and element type, and the choice among them.

use super::blocks;
use super::four::{self, FourCode};
use super::isa::Isa;
use super::nested;
use super::tile::{self, Call, tiles};
use super::vector::{Lanes, Pair};
#[cfg(target_arch = "x86_64")]
use super::x86::{F32x4, F32x8, F32x16, F64x4, F64x8};
use crate::product::Algorithm;
use crate::real::Real;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Code for a batch of 4 x 4 products by the definition.
pub(crate) type BatchCode<T> = unsafe fn(&Call<T>, [usize; 3], usize);

/// Code for sums of blocks.
pub(crate) type CombineCode<T> = unsafe fn([usize; 2], (*mut T, usize), T, (*const T, usize), T, (*const T, usize));

/// Kernels of an instruction set.
pub(crate) struct Table<T> {
    pub(crate) isa: Isa,
    /// Whether it is one to work with; if not, its 4 x 4 codes are [`late`] ones.
    found: bool,
    /// For 4 x 4 matrices, by algorithm in the order of [`Algorithm::ALL`], transposition of A, transposition of B.
    pub(crate) four: [[[FourCode<T>; 2]; 2]; 5],
    /// For any matrices by the definition, by transposition of A; neither alpha nor an extent is 0.
    pub(crate) general: [unsafe fn(&Call<T>); 2],
    /// As many products as the last argument says, of 4 x 4 matrices at these distances.
    pub(crate) batch: BatchCode<T>,
    /// [`blocks::combine`].
    pub(crate) combine: CombineCode<T>,
}

/// What has kernels.
pub(crate) trait Dispatch: Sized + 'static {
    fn table(isa: Isa) -> &'static Table<Self>;
    /// The best table once it is known, before that one that is not `found`.
    fn chosen() -> &'static AtomicPtr<Table<Self>>;
}

/// Element types of small products: `f32` and `f64`.
#[expect(private_bounds, reason = "nothing else has kernels")]
pub trait Element: Real + PartialEq + Send + Sync + Dispatch {}

impl Element for f32 {}
impl Element for f64 {}

/// The best table, for its 4 x 4 codes only: before the first call, they are those that look for it. A caller that does not
/// need to look needs no space on the stack either.
#[inline(always)]
pub(crate) fn four<T: Element>() -> &'static [[[FourCode<T>; 2]; 2]; 5] {
    // SAFETY: from references to statics.
    unsafe { &(*T::chosen().load(Ordering::Relaxed)).four }
}

pub(crate) fn best<T: Element>() -> &'static Table<T> {
    // SAFETY: from references to statics.
    let table: &'static Table<T> = unsafe { &*T::chosen().load(Ordering::Relaxed) };
    if table.found { table } else { choose() }
}

#[cold]
#[inline(never)]
fn choose<T: Element>() -> &'static Table<T> {
    let table = T::table(Isa::best());
    T::chosen().store(ptr::from_ref(table).cast_mut(), Ordering::Relaxed);
    table
}

/// A 4 x 4 code that looks for the best one.
///
/// # Safety
/// That of the code.
unsafe fn late<T: Element, const ALGORITHM: usize, const TA: bool, const TB: bool>(
    alpha: T,
    a: *const T,
    lda: usize,
    b: *const T,
    ldb: usize,
    beta: T,
    c: *mut T,
    ldc: usize,
) {
    let code = choose::<T>().four[ALGORITHM][usize::from(TA)][usize::from(TB)];
    // SAFETY: the caller's.
    unsafe { code(alpha, a, lda, b, ldb, beta, c, ldc) }
}

impl<T: Element> Table<T> {
    /// A product of any extents, alpha 0 included.
    ///
    /// # Safety
    /// The call's pointers reach all elements, and C overlaps neither A nor B.
    pub(crate) unsafe fn any(&'static self, algorithm: Algorithm, call: &Call<T>) {
        let &Call { m, n, k, alpha, beta, c, ldc, .. } = call;
        if m == 0 || n == 0 {
            return;
        }
        if k == 0 || alpha == T::ZERO {
            // SAFETY: the caller's.
            unsafe { tile::scale([m, n], beta, c, ldc) };
            return;
        }
        // SAFETY: the caller's; the table is of an instruction set that the processor has.
        unsafe {
            match algorithm {
                Algorithm::Classical => (self.general[usize::from(call.transpose[0])])(call),
                _ => blocks::multiply(self, algorithm, call),
            }
        }
    }
}

/// The 4 x 4 codes of one algorithm.
macro_rules! forms {
    ($code:ident) => {
        [[$code::<false, false>, $code::<false, true>], [$code::<true, false>, $code::<true, true>]]
    };
}

/// A function of 4 x 4 kernels in the instructions of `$feature`.
macro_rules! four_code {
    ($name:ident, $scalar:ty, $code:expr $(, #[$feature:meta])?) => {
        $(#[$feature])?
        pub(super) unsafe fn $name<const TA: bool, const TB: bool>(
            alpha: $scalar,
            a: *const $scalar,
            lda: usize,
            b: *const $scalar,
            ldb: usize,
            beta: $scalar,
            c: *mut $scalar,
            ldc: usize,
        ) {
            // SAFETY: the caller's.
            unsafe {
                match alpha == 0.0 {
                    true => tile::scale([4; 2], beta, c, ldc),
                    false => $code(alpha, a, lda, b, ldb, beta, c, ldc),
                }
            }
        }
    };
}

/// A module with the kernels of one instruction set for one type, and their table.
macro_rules! kernels {
    (
        $module:ident, $isa:expr, $scalar:ty, $four:ty, [$strassen:expr, $winograd:expr],
        narrow $narrow:ty, $narrow_columns:tt, wide $wide:ty, $wide_vectors:tt, $wide_columns:tt
        $(, #[$feature:meta])?
    ) => {
        mod $module {
            use super::*;

            tiles!(Narrow, $narrow, $four, [1], $narrow_columns $(, #[$feature])?);
            tiles!(Wide, $wide, $four, $wide_vectors, $wide_columns $(, #[$feature])?);

            $(#[$feature])?
            unsafe fn general(call: &Call<$scalar>) {
                let [wide, narrow] = tile::rows::<$wide, $narrow>(call);
                // SAFETY: the caller's.
                unsafe {
                    tile::multiply::<$wide, Wide>(&wide);
                    tile::multiply::<$narrow, Narrow>(&narrow);
                }
            }

            // Apart from the other, which needs no space on the stack.
            $(#[$feature])?
            unsafe fn turned(call: &Call<$scalar>) {
                let [wide, narrow] = tile::rows::<$wide, $narrow>(call);
                // SAFETY: the caller's.
                unsafe {
                    tile::multiply_turned::<$wide, Wide>(&wide);
                    tile::multiply_turned::<$narrow, Narrow>(&narrow);
                }
            }

            $(#[$feature])?
            unsafe fn batch(call: &Call<$scalar>, strides: [usize; 3], count: usize) {
                // SAFETY: the caller's.
                unsafe { crate::small::batch::four::<$four>(call, strides, count) }
            }

            $(#[$feature])?
            unsafe fn combine(
                extents: [usize; 2],
                z: (*mut $scalar, usize),
                f: $scalar,
                x: (*const $scalar, usize),
                g: $scalar,
                y: (*const $scalar, usize),
            ) {
                // SAFETY: the caller's.
                unsafe { blocks::combine(extents, z, f, x, g, y) }
            }

            four_code!(classical, $scalar, four::multiply::<$four, TA, TB> $(, #[$feature])?);
            four_code!(strassen, $scalar, $strassen $(, #[$feature])?);
            four_code!(winograd, $scalar, $winograd $(, #[$feature])?);
            four_code!(alphatensor, $scalar, nested::scalars::<$four, nested::AlphaTensor, TA, TB> $(, #[$feature])?);
            four_code!(rank48, $scalar, nested::scalars::<$four, nested::Rank48, TA, TB> $(, #[$feature])?);

            pub(super) const KERNELS: Table<$scalar> = Table {
                isa: $isa,
                found: true,
                four: [
                    forms!(classical),
                    forms!(strassen),
                    forms!(winograd),
                    forms!(alphatensor),
                    forms!(rank48),
                ],
                general: [general, turned],
                batch,
                combine,
            };
            pub(super) static TABLE: Table<$scalar> = KERNELS;
        }
    };
}

kernels!(
    portable_f64, if cfg!(target_arch = "aarch64") { Isa::Neon } else { Isa::Portable }, f64, Lanes<f64, 4>,
    [
        nested::scalars::<Lanes<f64, 4>, nested::Strassen, TA, TB>,
        nested::scalars::<Lanes<f64, 4>, nested::Winograd, TA, TB>
    ],
    narrow Lanes<f64, 2>, [1, 2, 3, 4], wide Lanes<f64, 2>, [1, 2], [1, 2, 3, 4]
);
kernels!(
    portable_f32, if cfg!(target_arch = "aarch64") { Isa::Neon } else { Isa::Portable }, f32, Lanes<f32, 4>,
    [
        nested::scalars::<Lanes<f32, 4>, nested::Strassen, TA, TB>,
        nested::scalars::<Lanes<f32, 4>, nested::Winograd, TA, TB>
    ],
    narrow Lanes<f32, 4>, [1, 2, 3, 4], wide Lanes<f32, 4>, [1, 2], [1, 2, 3, 4]
);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx2_f64, Isa::Avx2, f64, F64x4,
    [
        nested::squared::<F64x4, Pair<F64x4>, nested::Strassen2, TA, TB>,
        nested::squared::<F64x4, Pair<F64x4>, nested::Winograd2, TA, TB>
    ],
    narrow F64x4, [1, 2, 3, 4, 5, 6, 7, 8], wide F64x4, [1, 2], [1, 2, 3, 4, 5, 6],
    #[target_feature(enable = "avx2,fma")]
);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx2_f32, Isa::Avx2, f32, F32x4,
    [
        nested::squared::<F32x4, F32x8, nested::Strassen2, TA, TB>,
        nested::squared::<F32x4, F32x8, nested::Winograd2, TA, TB>
    ],
    narrow F32x4, [1, 2, 3, 4, 5, 6, 7, 8], wide F32x8, [1, 2], [1, 2, 3, 4, 5, 6],
    #[target_feature(enable = "avx2,fma")]
);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx512_f64, Isa::Avx512, f64, F64x4,
    [
        nested::squared::<F64x4, Pair<F64x4>, nested::Strassen2, TA, TB>,
        nested::squared::<F64x4, Pair<F64x4>, nested::Winograd2, TA, TB>
    ],
    narrow F64x4, [1, 2, 3, 4, 5, 6, 7, 8], wide F64x8, [1, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8],
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx2,fma")]
);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx512_f32, Isa::Avx512, f32, F32x4,
    [
        nested::squared::<F32x4, F32x8, nested::Strassen2, TA, TB>,
        nested::squared::<F32x4, F32x8, nested::Winograd2, TA, TB>
    ],
    narrow F32x8, [1, 2, 3, 4, 5, 6, 7, 8], wide F32x16, [1, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8],
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx2,fma")]
);

macro_rules! late {
    ($scalar:ty, $algorithm:literal) => {
        [
            [late::<$scalar, $algorithm, false, false>, late::<$scalar, $algorithm, false, true>],
            [late::<$scalar, $algorithm, true, false>, late::<$scalar, $algorithm, true, true>],
        ]
    };
}

macro_rules! dispatch {
    ($scalar:ty, $portable:ident, $avx2:ident, $avx512:ident) => {
        impl Dispatch for $scalar {
            fn table(isa: Isa) -> &'static Table<Self> {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => &$avx512::TABLE,
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => &$avx2::TABLE,
                    _ => &$portable::TABLE,
                }
            }

            #[inline(always)]
            fn chosen() -> &'static AtomicPtr<Table<Self>> {
                static LATE: Table<$scalar> = Table {
                    found: false,
                    four: [
                        late!($scalar, 0),
                        late!($scalar, 1),
                        late!($scalar, 2),
                        late!($scalar, 3),
                        late!($scalar, 4),
                    ],
                    ..$portable::KERNELS
                };
                static CHOSEN: AtomicPtr<Table<$scalar>> = AtomicPtr::new(ptr::from_ref(&LATE).cast_mut());
                &CHOSEN
            }
        }
    };
}

dispatch!(f64, portable_f64, avx2_f64, avx512_f64);
dispatch!(f32, portable_f32, avx2_f32, avx512_f32);
