//! Element types of the generated kernels.

use std::ops::{Add, Mul, Neg, Sub};

/// A real type in floating point.
pub trait Real: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Neg<Output = Self> {
    /// 0.
    const ZERO: Self;

    /// `value`, rounded.
    fn of(value: f64) -> Self;

    /// `self * factor + term`, in one rounding if `FMA`: for code that is compiled for processors with an instruction for it. In
    /// software it would take longer than a whole product.
    #[must_use]
    fn fused<const FMA: bool>(self, factor: Self, term: Self) -> Self;
}

macro_rules! real {
    ($type:ty) => {
        impl Real for $type {
            const ZERO: Self = 0.0;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $type
            }

            #[inline(always)]
            fn fused<const FMA: bool>(self, factor: Self, term: Self) -> Self {
                if FMA { self.mul_add(factor, term) } else { self * factor + term }
            }
        }
    };
}

real!(f32);
real!(f64);
