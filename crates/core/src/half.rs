//! The 16-bit storage types: numbers that are kept in 16 bits and computed with in `f32`.
//!
//! LAPACK has no routines for them, so they are no [`crate::Scalar`]s: only products take them. Conversion to `f32` is exact,
//! conversion back rounds to nearest, ties to even (IEEE 754), and is exact for what came from 16 bits.

use crate::DType;

/// A 16-bit storage type, under the names of NumPy and `ml_dtypes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Half {
    /// IEEE binary16: 11 significant bits, largest number 65504.
    Float16,
    /// The upper half of a binary32: 8 significant bits, its range.
    BFloat16,
}

impl Half {
    /// Both.
    pub const ALL: [Half; 2] = [Half::Float16, Half::BFloat16];

    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            Half::Float16 => "float16",
            Half::BFloat16 => "bfloat16",
        }
    }

    /// Distance from 1 to the next larger number.
    pub fn epsilon(self) -> f64 {
        match self {
            Half::Float16 => 1.0 / 1024.0,
            Half::BFloat16 => 1.0 / 128.0,
        }
    }

    /// The largest number.
    pub fn largest(self) -> f64 {
        match self {
            Half::Float16 => 65504.0,
            Half::BFloat16 => f64::from(f32::from_bits(0x7f7f_0000)),
        }
    }

    /// Half the distance between numbers below the smallest normal one: what rounding costs at least.
    pub fn smallest_rounding(self) -> f64 {
        match self {
            Half::Float16 => f64::powi(2.0, -25),
            Half::BFloat16 => f64::powi(2.0, -134),
        }
    }

    /// The number with these bits. Exact.
    #[inline]
    pub fn widen(self, bits: u16) -> f32 {
        match self {
            Half::BFloat16 => f32::from_bits(u32::from(bits) << 16),
            Half::Float16 => {
                let magnitude = u32::from(bits & 0x7fff);
                let sign = u32::from(bits & 0x8000) << 16;
                let widened = match magnitude {
                    // Zero and what is below the smallest normal number: a multiple of 2^-24.
                    0..0x400 => (magnitude as f32 * f32::from_bits(0x3380_0000)).to_bits(),
                    0x400..0x7c00 => (magnitude << 13) + (112 << 23),
                    // Inf and NaN.
                    _ => (magnitude << 13) | 0x7f80_0000,
                };
                f32::from_bits(sign | widened)
            }
        }
    }

    /// The nearest number, ties to even; what is too large becomes Inf, a NaN stays one.
    #[inline]
    pub fn round(self, value: f32) -> u16 {
        let bits = value.to_bits();
        let (sign, magnitude) = (((bits >> 16) & 0x8000) as u16, bits & 0x7fff_ffff);
        match self {
            Half::BFloat16 if value.is_nan() => (bits >> 16) as u16 | 0x40,
            Half::BFloat16 => ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16,
            Half::Float16 if value.is_nan() => sign | 0x7e00 | (magnitude >> 13) as u16 & 0x3ff,
            // 65520, halfway between the largest number and what would follow it, and all above.
            Half::Float16 if magnitude >= 0x477f_f000 => sign | 0x7c00,
            // Below 2^-14 the sum with 1/2 has the multiples of 2^-24 as its last bits.
            Half::Float16 if magnitude < 0x3880_0000 => {
                sign | ((f32::from_bits(magnitude) + 0.5).to_bits() - 0x3f00_0000) as u16
            }
            Half::Float16 => sign | ((magnitude - (112 << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13) as u16,
        }
    }
}

/// The type of the elements of an array on a device: LAPACK's four, or one that only products take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// One that LAPACK computes in.
    Lapack(DType),
    /// 16 bits.
    Half(Half),
}

impl ElementType {
    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            ElementType::Lapack(dtype) => dtype.name(),
            ElementType::Half(half) => half.name(),
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            ElementType::Lapack(dtype) => dtype.size(),
            ElementType::Half(_) => 2,
        }
    }

    /// Whether elements have an imaginary part.
    pub fn is_complex(self) -> bool {
        matches!(self, ElementType::Lapack(dtype) if dtype.is_complex())
    }

    /// The type in which products of such elements are summed.
    pub fn sums(self) -> DType {
        match self {
            ElementType::Lapack(dtype) => dtype,
            ElementType::Half(_) => DType::Float32,
        }
    }
}

impl From<DType> for ElementType {
    fn from(dtype: DType) -> Self {
        ElementType::Lapack(dtype)
    }
}

impl From<Half> for ElementType {
    fn from(half: Half) -> Self {
        ElementType::Half(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_16_bits_comes_back_from_f32() {
        for half in Half::ALL {
            for bits in 0..=u16::MAX {
                let wide = half.widen(bits);
                let back = half.round(wide);
                if wide.is_nan() {
                    assert!(half.widen(back).is_nan(), "{half:?} {bits:#06x}");
                } else {
                    assert_eq!(back, bits, "{half:?} {wide}");
                }
            }
        }
    }

    #[test]
    fn rounding_takes_the_nearest_number_and_the_even_one_of_two() {
        for half in Half::ALL {
            let inf = half.round(f32::INFINITY);
            // Neighbours share a sign; what lies between them is exact in f32, but for the two largest.
            for low in 0..inf - 1 {
                let (below, above) = (half.widen(low), half.widen(low + 1));
                let middle = (f64::from(below) + f64::from(above)) / 2.0;
                let even = if low % 2 == 0 { low } else { low + 1 };
                assert_eq!(half.round(middle as f32), even, "{half:?} {middle:e}");
                assert_eq!(half.round(-middle as f32), even | 0x8000);
                // For BFloat16 the smallest numbers have no f32 between them and the middle.
                if low > 0 {
                    assert_eq!(half.round((middle as f32).next_down()), low, "{half:?} below {middle:e}");
                    assert_eq!(half.round((middle as f32).next_up()), low + 1, "{half:?} above {middle:e}");
                }
            }
        }
        for half in Half::ALL {
            assert_eq!(f64::from(half.widen(half.round(f32::INFINITY) - 1)), half.largest());
        }
        assert_eq!(Half::Float16.round(65519.996), 0x7bff);
        assert_eq!(Half::Float16.round(65520.0), 0x7c00);
        assert_eq!(Half::Float16.round(-1e30), 0xfc00);
        assert_eq!(Half::BFloat16.round(f32::MAX), 0x7f80);
        assert_eq!(Half::Float16.widen(1), f32::powi(2.0, -24));
        assert_eq!(Half::Float16.widen(0x3c00), 1.0);
        assert_eq!(Half::BFloat16.widen(0xc000), -2.0);
    }
}
