//! Numbers `n / 2^e`, the coefficients of every scheme here: exact, and exactly representable in floating point.

use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};

/// `numerator / 2^exponent` with an odd numerator, or an integer with exponent 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dyadic {
    numerator: i64,
    exponent: u32,
}

impl Dyadic {
    /// 0.
    pub const ZERO: Self = Self { numerator: 0, exponent: 0 };
    /// 1.
    pub const ONE: Self = Self { numerator: 1, exponent: 0 };

    /// `numerator / 2^exponent`.
    pub const fn new(mut numerator: i64, mut exponent: u32) -> Self {
        while exponent > 0 && numerator % 2 == 0 {
            numerator /= 2;
            exponent -= 1;
        }
        Self { numerator, exponent }
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// Whether it is below 0.
    pub fn is_negative(self) -> bool {
        self.numerator < 0
    }

    /// Whether it is 1 or -1.
    pub fn is_unit(self) -> bool {
        self.exponent == 0 && self.numerator.abs() == 1
    }

    /// Whether a multiplication by it is exact in floating point.
    pub fn is_power_of_two(self) -> bool {
        self.numerator.unsigned_abs().is_power_of_two()
    }

    /// Its modulus.
    #[must_use]
    pub fn abs(self) -> Self {
        Self { numerator: self.numerator.abs(), ..self }
    }

    /// 0 or 1, whichever an integer is modulo 2; `None` where there is a fraction.
    pub fn modulo_2(self) -> Option<bool> {
        (self.exponent == 0).then_some(self.numerator % 2 != 0)
    }

    /// `self / other`, if that is such a number.
    pub fn over(self, other: Self) -> Option<Self> {
        let shift = other.numerator.trailing_zeros();
        if other.is_zero() || self.numerator % (other.numerator >> shift) != 0 {
            return None;
        }
        let quotient = self.numerator / (other.numerator >> shift);
        let exponent = i64::from(self.exponent) + i64::from(shift) - i64::from(other.exponent);
        Some(match u32::try_from(exponent) {
            Ok(exponent) => Self::new(quotient, exponent),
            Err(_) => Self::new(quotient << -exponent, 0),
        })
    }

    /// The numerators over the common denominator, and its exponent.
    fn numerators(self, other: Self) -> ([i64; 2], u32) {
        let exponent = self.exponent.max(other.exponent);
        ([self, other].map(|x| x.numerator << (exponent - x.exponent)), exponent)
    }

    /// The integers without a common divisor, the first one positive, whose ratio is `self : other`; neither is 0.
    pub(crate) fn to_integers(self, other: Self) -> [i64; 2] {
        let [p, q] = self.numerators(other).0;
        let (mut divisor, mut rest) = (p.abs(), q.abs());
        while rest != 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        [p, q].map(|x| x / divisor * p.signum())
    }

    /// The same number in floating point; exact for every coefficient of a scheme.
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / (1_u64 << self.exponent) as f64
    }

    /// Reads `3`, `1/4`; the denominator is a power of two. Signs are not read.
    pub fn parse(text: &str) -> Option<Self> {
        let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
        let (numerator, denominator): (u32, u32) = (numerator.parse().ok()?, denominator.parse().ok()?);
        denominator.is_power_of_two().then(|| Self::new(i64::from(numerator), denominator.trailing_zeros()))
    }
}

impl From<i64> for Dyadic {
    fn from(value: i64) -> Self {
        Self::new(value, 0)
    }
}

impl Add for Dyadic {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let ([p, q], exponent) = self.numerators(other);
        Self::new(p + q, exponent)
    }
}

impl Neg for Dyadic {
    type Output = Self;
    fn neg(self) -> Self {
        Self { numerator: -self.numerator, ..self }
    }
}

impl Sub for Dyadic {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Dyadic {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::new(self.numerator * other.numerator, self.exponent + other.exponent)
    }
}

impl fmt::Display for Dyadic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exponent {
            0 => write!(f, "{}", self.numerator),
            _ => write!(f, "{}/{}", self.numerator, 1_u64 << self.exponent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_products_and_quotients_are_exact_and_reduced() {
        let (quarter, three) = (Dyadic::new(1, 2), Dyadic::from(3));
        assert_eq!(quarter + quarter, Dyadic::new(1, 1));
        assert_eq!(three * quarter - Dyadic::ONE, -quarter);
        assert_eq!(three.over(quarter), Some(Dyadic::from(12)));
        assert_eq!(quarter.over(three), None);
        assert_eq!(Dyadic::from(-6).over(Dyadic::from(12)), Some(Dyadic::new(-1, 1)));
        assert_eq!(Dyadic::ONE.over(Dyadic::ZERO), None);
        assert_eq!((three * quarter).to_f64(), 0.75);
        assert_eq!((Dyadic::from(4).modulo_2(), quarter.modulo_2()), (Some(false), None));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for value in [Dyadic::ONE, Dyadic::new(3, 2), Dyadic::from(12)] {
            assert_eq!(Dyadic::parse(&value.to_string()), Some(value));
        }
        assert_eq!([Dyadic::parse("1/3"), Dyadic::parse("-1"), Dyadic::parse("")], [None; 3]);
    }
}
