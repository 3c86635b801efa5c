//! Registers of 64-bit ARM processors.

use super::vector::Vector;
use crate::real::Real;
use std::arch::aarch64::*;

macro_rules! register {
    ($name:ident, $scalar:ty, $lanes:literal, $register:ty, $add:ident, $sub:ident, $mul:ident, $neg:ident, $fma:ident,
     $set:ident, $load:ident, $store:ident) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name($register);

        register!(@operator $name, Add, add, $add);
        register!(@operator $name, Sub, sub, $sub);
        register!(@operator $name, Mul, mul, $mul);

        impl std::ops::Neg for $name {
            type Output = Self;

            #[inline(always)]
            fn neg(self) -> Self {
                // SAFETY: every such processor has the instruction.
                unsafe { Self($neg(self.0)) }
            }
        }

        impl Real for $name {
            // SAFETY: registers have the layout of the array, and every value of it is one of theirs.
            const ZERO: Self = unsafe { std::mem::transmute::<[$scalar; $lanes], Self>([0.0; $lanes]) };

            #[inline(always)]
            fn of(value: f64) -> Self {
                Self::splat(value as $scalar)
            }

            #[inline(always)]
            fn fused<const FMA: bool>(self, factor: Self, term: Self) -> Self {
                // SAFETY: every such processor has the instruction.
                unsafe { Self($fma(term.0, self.0, factor.0)) }
            }
        }

        impl Vector for $name {
            type Scalar = $scalar;
            const LANES: usize = $lanes;
            const FUSED: bool = true;

            #[inline(always)]
            fn splat(value: $scalar) -> Self {
                // SAFETY: every such processor has the instruction.
                unsafe { Self($set(value)) }
            }

            #[inline(always)]
            unsafe fn load(from: *const $scalar) -> Self {
                // SAFETY: the caller's.
                unsafe { Self($load(from)) }
            }

            #[inline(always)]
            unsafe fn load_first(from: *const $scalar, count: usize) -> Self {
                let mut lanes = [0.0; $lanes];
                // SAFETY: the caller's.
                unsafe {
                    for (at, lane) in lanes.iter_mut().enumerate().take(count) {
                        *lane = *from.add(at);
                    }
                    Self($load(lanes.as_ptr()))
                }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: the caller's.
                unsafe { $store(to, self.0) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $scalar, count: usize) {
                let mut lanes = [0.0; $lanes];
                // SAFETY: the caller's.
                unsafe {
                    $store(lanes.as_mut_ptr(), self.0);
                    for (at, lane) in lanes.into_iter().enumerate().take(count) {
                        *to.add(at) = lane;
                    }
                }
            }
        }
    };
    (@operator $name:ident, $trait:ident, $function:ident, $instruction:ident) => {
        impl std::ops::$trait for $name {
            type Output = Self;

            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                // SAFETY: every such processor has the instruction.
                unsafe { Self($instruction(self.0, other.0)) }
            }
        }
    };
}

register!(
    F64x2,
    f64,
    2,
    float64x2_t,
    vaddq_f64,
    vsubq_f64,
    vmulq_f64,
    vnegq_f64,
    vfmaq_f64,
    vdupq_n_f64,
    vld1q_f64,
    vst1q_f64
);
register!(
    F32x4,
    f32,
    4,
    float32x4_t,
    vaddq_f32,
    vsubq_f32,
    vmulq_f32,
    vnegq_f32,
    vfmaq_f32,
    vdupq_n_f32,
    vld1q_f32,
    vst1q_f32
);
