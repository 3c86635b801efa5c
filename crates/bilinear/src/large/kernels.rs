//! The packing and tile code of each instruction set.

use super::pack::{Part, pack};
use super::tile::{Block, multiply};
use crate::real::Real;
use crate::small::Isa;
#[cfg(target_arch = "aarch64")]
use crate::small::neon::{F32x4, F64x2};
use crate::small::vector::{Lanes, Vector};
#[cfg(target_arch = "x86_64")]
use crate::small::x86::{F32x8, F32x16, F64x4, F64x8};

/// Code for one instruction set and element type.
pub(crate) struct Kernels<T: 'static> {
    /// Rows and columns of a tile.
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Packs rows of A, and columns of B.
    pub(crate) pack_rows: unsafe fn(&Part<'_, T>, *mut T),
    pub(crate) pack_cols: unsafe fn(&Part<'_, T>, *mut T),
    pub(crate) multiply: unsafe fn(&Block<'_, T>),
}

/// Element types of large products: `f32` and `f64`.
#[expect(private_interfaces, reason = "nothing else has kernels")]
pub trait Element: Real + PartialEq + Into<f64> + Send + Sync + 'static {
    #[doc(hidden)]
    fn kernels(isa: Isa) -> &'static Kernels<Self>;
}

macro_rules! kernels {
    ($name:ident, $vector:ty, $vectors:literal, $cols:literal $(, #[$feature:meta])?) => {
        mod $name {
            use super::*;
            type Scalar = <$vector as Vector>::Scalar;
            const ROWS: usize = $vectors * <$vector as Vector>::LANES;

            /// # Safety
            /// That of [`pack`].
            $(#[$feature])?
            unsafe fn pack_rows(part: &Part<'_, Scalar>, to: *mut Scalar) {
                // SAFETY: the caller's promise.
                unsafe { pack::<$vector, ROWS>(part, to) }
            }

            /// # Safety
            /// That of [`pack`].
            $(#[$feature])?
            unsafe fn pack_cols(part: &Part<'_, Scalar>, to: *mut Scalar) {
                // SAFETY: the caller's promise.
                unsafe { pack::<$vector, $cols>(part, to) }
            }

            /// # Safety
            /// That of [`multiply`].
            $(#[$feature])?
            unsafe fn tiles(block: &Block<'_, Scalar>) {
                // SAFETY: the caller's promise.
                unsafe { multiply::<$vector, $vectors, $cols>(block) }
            }

            pub(super) static KERNELS: Kernels<Scalar> =
                Kernels { rows: ROWS, cols: $cols, pack_rows, pack_cols, multiply: tiles };
        }
    };
}

kernels!(portable_f64, Lanes<f64, 2>, 2, 4);
kernels!(portable_f32, Lanes<f32, 4>, 2, 4);
#[cfg(target_arch = "aarch64")]
kernels!(neon_f64, F64x2, 4, 6);
#[cfg(target_arch = "aarch64")]
kernels!(neon_f32, F32x4, 4, 6);
#[cfg(target_arch = "x86_64")]
kernels!(avx2_f64, F64x4, 3, 4, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx2_f32, F32x8, 3, 4, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx512_f64, F64x8, 3, 8, #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx512_f32, F32x16, 3, 8, #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx2,fma")]);

macro_rules! element {
    ($scalar:ty, $portable:ident, $neon:ident, $avx2:ident, $avx512:ident) => {
        #[expect(private_interfaces, reason = "nothing else has kernels")]
        impl Element for $scalar {
            fn kernels(isa: Isa) -> &'static Kernels<Self> {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => &$avx512::KERNELS,
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => &$avx2::KERNELS,
                    #[cfg(target_arch = "aarch64")]
                    Isa::Neon => &$neon::KERNELS,
                    _ => &$portable::KERNELS,
                }
            }
        }
    };
}

element!(f64, portable_f64, neon_f64, avx2_f64, avx512_f64);
element!(f32, portable_f32, neon_f32, avx2_f32, avx512_f32);
