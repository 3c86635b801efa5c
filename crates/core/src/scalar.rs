//! The four LAPACK scalar types.

use num_complex::{Complex32, Complex64};
use std::fmt::Debug;

/// Element type of a matrix, under NumPy's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE binary32; LAPACK prefix `S`.
    Float32,
    /// IEEE binary64; LAPACK prefix `D`.
    Float64,
    /// Two binary32; LAPACK prefix `C`.
    Complex64,
    /// Two binary64; LAPACK prefix `Z`.
    Complex128,
}

impl DType {
    /// All four, in the order of LAPACK's prefixes S, D, C, Z.
    pub const ALL: [DType; 4] = [DType::Float32, DType::Float64, DType::Complex64, DType::Complex128];

    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            DType::Float32 => "float32",
            DType::Float64 => "float64",
            DType::Complex64 => "complex64",
            DType::Complex128 => "complex128",
        }
    }

    /// LAPACK's prefix letter, lower case.
    pub fn prefix(self) -> char {
        match self {
            DType::Float32 => 's',
            DType::Float64 => 'd',
            DType::Complex64 => 'c',
            DType::Complex128 => 'z',
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::Float32 => 4,
            DType::Float64 | DType::Complex64 => 8,
            DType::Complex128 => 16,
        }
    }

    /// Whether the parts of elements are of double precision.
    pub fn is_double(self) -> bool {
        matches!(self, DType::Float64 | DType::Complex128)
    }

    /// Whether elements have an imaginary part.
    pub fn is_complex(self) -> bool {
        matches!(self, DType::Complex64 | DType::Complex128)
    }
}

/// A real scalar: what norms, singular values and condition numbers are made of.
pub trait Real: Scalar<Real = Self> + PartialOrd + Into<f64> {
    /// Distance from 1 to the next larger number (LAPACK's `DLAMCH('P')`, twice its `eps`).
    const EPSILON: f64;
    /// Smallest normal number (LAPACK's safe minimum).
    const MIN_POSITIVE: f64;
    /// Rounded from binary64.
    fn from_f64(value: f64) -> Self;
}

/// What elements of matrices are in memory: one of LAPACK's types, or the bits of a 16-bit number ([`crate::Half`]). Every
/// pattern of bits is a value. Sealed.
pub trait Stored: sealed::Sealed + Copy + Send + Sync + Debug + PartialEq + 'static {
    /// The element with all bits 0.
    const BLANK: Self;
}

impl Stored for u16 {
    const BLANK: Self = 0;
}

/// One of LAPACK's four element types. Sealed: the engines rely on `DTYPE` telling the truth.
pub trait Scalar: Stored {
    /// The real type of the same precision.
    type Real: Real;
    /// The complex type of the same precision.
    type Complex: Scalar<Real = Self::Real, Complex = Self::Complex>;
    /// Its name and size at run time.
    const DTYPE: DType;
    /// Additive identity.
    const ZERO: Self;
    /// Multiplicative identity.
    const ONE: Self;
    /// `|x|` for reals, `|Re x| + |Im x|` for complex: LAPACK's `CABS1`, at most sqrt(2) above the modulus, and NaN or
    /// Inf exactly when `x` has a NaN or Inf part (or overflows).
    fn abs1(self) -> Self::Real;
    /// `|x|`, without undue overflow.
    fn modulus(self) -> f64;
    /// Whether no part is NaN or Inf.
    fn is_finite(self) -> bool;
    /// Whether a part is NaN.
    fn is_nan(self) -> bool;
    /// Complex conjugate; the identity for reals.
    fn conj(self) -> Self;
    /// Real part.
    fn re(self) -> Self::Real;
    /// Imaginary part; zero for reals.
    fn im(self) -> Self::Real;
    /// From its two parts.
    fn complex(re: Self::Real, im: Self::Real) -> Self::Complex;
    /// Real part, widened.
    fn re_f64(self) -> f64;
    /// From a real number.
    fn from_real(value: f64) -> Self;
    /// Widened; exact.
    fn to_complex128(self) -> Complex64;
    /// Rounded; a real type takes the real part.
    fn from_complex128(value: Complex64) -> Self;
    /// `a + b`, rounded once per part.
    fn add(self, other: Self) -> Self;
    /// `a - b`, rounded once per part.
    fn sub(self, other: Self) -> Self;
    /// `a b` by the usual formula.
    fn mul(self, other: Self) -> Self;
    /// `a / b`.
    fn div(self, other: Self) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for num_complex::Complex32 {}
    impl Sealed for num_complex::Complex64 {}
    impl Sealed for u16 {}
}

macro_rules! real_scalar {
    ($real:ty, $dtype:expr) => {
        impl Real for $real {
            const EPSILON: f64 = <$real>::EPSILON as f64;
            const MIN_POSITIVE: f64 = <$real>::MIN_POSITIVE as f64;
            fn from_f64(value: f64) -> Self {
                value as $real
            }
        }
        impl Stored for $real {
            const BLANK: Self = 0.0;
        }
        impl Scalar for $real {
            type Real = $real;
            type Complex = num_complex::Complex<$real>;
            const DTYPE: DType = $dtype;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn abs1(self) -> $real {
                self.abs()
            }
            fn modulus(self) -> f64 {
                f64::from(self.abs())
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                <$real>::is_finite(self)
            }
            fn is_nan(self) -> bool {
                <$real>::is_nan(self)
            }
            #[inline(always)]
            fn conj(self) -> Self {
                self
            }
            fn re(self) -> $real {
                self
            }
            fn im(self) -> $real {
                0.0
            }
            #[inline(always)]
            fn complex(re: $real, im: $real) -> Self::Complex {
                num_complex::Complex::new(re, im)
            }
            fn re_f64(self) -> f64 {
                f64::from(self)
            }
            fn from_real(value: f64) -> Self {
                value as $real
            }
            fn to_complex128(self) -> Complex64 {
                Complex64::new(f64::from(self), 0.0)
            }
            fn from_complex128(value: Complex64) -> Self {
                value.re as $real
            }
            fn add(self, other: Self) -> Self {
                self + other
            }
            fn sub(self, other: Self) -> Self {
                self - other
            }
            fn mul(self, other: Self) -> Self {
                self * other
            }
            fn div(self, other: Self) -> Self {
                self / other
            }
        }
    };
}

macro_rules! complex_scalar {
    ($complex:ty, $real:ty, $dtype:expr) => {
        impl Stored for $complex {
            const BLANK: Self = <$complex>::new(0.0, 0.0);
        }
        impl Scalar for $complex {
            type Real = $real;
            type Complex = $complex;
            const DTYPE: DType = $dtype;
            const ZERO: Self = <$complex>::new(0.0, 0.0);
            const ONE: Self = <$complex>::new(1.0, 0.0);
            #[inline(always)]
            fn abs1(self) -> $real {
                self.re.abs() + self.im.abs()
            }
            fn modulus(self) -> f64 {
                f64::from(self.re).hypot(f64::from(self.im))
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.re.is_finite() && self.im.is_finite()
            }
            fn is_nan(self) -> bool {
                self.re.is_nan() || self.im.is_nan()
            }
            #[inline(always)]
            fn conj(self) -> Self {
                <$complex>::new(self.re, -self.im)
            }
            #[inline(always)]
            fn re(self) -> $real {
                self.re
            }
            #[inline(always)]
            fn im(self) -> $real {
                self.im
            }
            #[inline(always)]
            fn complex(re: $real, im: $real) -> Self {
                Self::new(re, im)
            }
            fn re_f64(self) -> f64 {
                f64::from(self.re)
            }
            fn from_real(value: f64) -> Self {
                <$complex>::new(value as $real, 0.0)
            }
            fn to_complex128(self) -> Complex64 {
                Complex64::new(f64::from(self.re), f64::from(self.im))
            }
            fn from_complex128(value: Complex64) -> Self {
                <$complex>::new(value.re as $real, value.im as $real)
            }
            fn add(self, other: Self) -> Self {
                self + other
            }
            fn sub(self, other: Self) -> Self {
                self - other
            }
            fn mul(self, other: Self) -> Self {
                self * other
            }
            fn div(self, other: Self) -> Self {
                self / other
            }
        }
    };
}

real_scalar!(f32, DType::Float32);
real_scalar!(f64, DType::Float64);
complex_scalar!(Complex32, f32, DType::Complex64);
complex_scalar!(Complex64, f64, DType::Complex128);
