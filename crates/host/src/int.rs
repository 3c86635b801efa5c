//! Fortran INTEGERs of either width behind one pointer type.
//!
//! LP64 libraries read and write 32-bit integers, ILP64 libraries 64-bit ones. Every INTEGER is passed as the address of
//! an `i64` cell: ILP64 uses all of it, LP64 the four bytes at its address. `encode` puts the value where the library
//! reads it and `decode` takes it from where the library wrote it, on either byte order. Arrays (IPIV, IWORK) are given
//! as many `i64` cells as elements, which is enough for both.

/// Width of a library's INTEGER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// 32 bits.
    Lp64,
    /// 64 bits.
    Ilp64,
}

impl Width {
    /// Largest size that can be passed.
    pub(crate) fn max(self) -> usize {
        match self {
            Width::Lp64 => i32::MAX as usize,
            Width::Ilp64 => i64::MAX as usize,
        }
    }

    #[inline(always)]
    pub(crate) fn encode(self, value: i64) -> i64 {
        match self {
            Width::Ilp64 => value,
            Width::Lp64 if cfg!(target_endian = "little") => value,
            Width::Lp64 => value << 32,
        }
    }

    #[inline(always)]
    pub(crate) fn decode(self, cell: i64) -> i64 {
        match self {
            Width::Ilp64 => cell,
            Width::Lp64 if cfg!(target_endian = "little") => i64::from(cell as i32),
            Width::Lp64 => cell >> 32,
        }
    }

    /// From what `ILAVER` left of a cell that held -1. An LP64 library overwrites half of it, so the cell is either
    /// negative (little-endian) or huge (big-endian); an ILP64 library leaves the small version number itself.
    pub(crate) fn from_probe(cell: i64) -> Self {
        if (0..1000).contains(&cell) { Width::Ilp64 } else { Width::Lp64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_32_bit_write_over_minus_one_is_recognised_and_read_back() {
        let mut cell = -1_i64;
        // What an LP64 ILAVER does: store a 32-bit 3 at the cell's address.
        // SAFETY: writes the first four of the cell's eight bytes.
        unsafe { (&raw mut cell).cast::<i32>().write(3) };
        assert_eq!(Width::from_probe(cell), Width::Lp64);
        assert_eq!(Width::Lp64.decode(cell), 3);
    }

    #[test]
    fn a_64_bit_write_is_recognised() {
        assert_eq!(Width::from_probe(3), Width::Ilp64);
    }

    #[test]
    fn negative_values_survive_both_widths() {
        for width in [Width::Lp64, Width::Ilp64] {
            assert_eq!(width.decode(width.encode(-4)), -4);
        }
    }
}
