//! The routines that are called, by name.

use lapack_ai_core::DType;

/// A LAPACK or BLAS routine without its type prefix. Where real and complex names differ (`SYEVD`/`HEEVD`) the variant
/// carries the real name. `Mixed...` factorise in single precision and refine in double (`DSGESV`, `ZCGESV`): double
/// precision only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
#[allow(missing_docs)]
pub enum Routine {
    Gemm,
    Gesv,
    Gesdd,
    Gesvd,
    Getrf,
    Getrs,
    Gecon,
    Getc2,
    Sytrf,
    Sytrs,
    Sycon,
    Hetrf,
    Hetrs,
    Hecon,
    Potrf,
    Potrs,
    Pocon,
    Trtrs,
    Trcon,
    Gelsd,
    Syev,
    Syevd,
    Geqrf,
    Orgqr,
    Getri,
    Gees,
    Geev,
    Ggev,
    Sygvd,
    Sygvx,
    Syevr,
    Gbtrf,
    Gbtrs,
    Gbcon,
    Gttrf,
    Gttrs,
    Gtcon,
    Pbtrf,
    Pbtrs,
    Pbcon,
    MixedGesv,
    MixedPosv,
}

/// One row of the table below.
struct Entry {
    routine: Routine,
    real: &'static str,
    complex: &'static str,
    /// A library without it is still usable.
    optional: bool,
}

const fn entry(routine: Routine, real: &'static str, complex: &'static str) -> Entry {
    Entry { routine, real, complex, optional: false }
}

/// In the order of [`Routine`]. An empty name: the routine does not exist for that kind of type.
const TABLE: [Entry; Routine::COUNT] = [
    entry(Routine::Gemm, "gemm", "gemm"),
    entry(Routine::Gesv, "gesv", "gesv"),
    entry(Routine::Gesdd, "gesdd", "gesdd"),
    entry(Routine::Gesvd, "gesvd", "gesvd"),
    entry(Routine::Getrf, "getrf", "getrf"),
    entry(Routine::Getrs, "getrs", "getrs"),
    entry(Routine::Gecon, "gecon", "gecon"),
    Entry { routine: Routine::Getc2, real: "getc2", complex: "getc2", optional: true },
    entry(Routine::Sytrf, "sytrf", "sytrf"),
    entry(Routine::Sytrs, "sytrs", "sytrs"),
    entry(Routine::Sycon, "sycon", "sycon"),
    entry(Routine::Hetrf, "", "hetrf"),
    entry(Routine::Hetrs, "", "hetrs"),
    entry(Routine::Hecon, "", "hecon"),
    entry(Routine::Potrf, "potrf", "potrf"),
    entry(Routine::Potrs, "potrs", "potrs"),
    entry(Routine::Pocon, "pocon", "pocon"),
    entry(Routine::Trtrs, "trtrs", "trtrs"),
    entry(Routine::Trcon, "trcon", "trcon"),
    entry(Routine::Gelsd, "gelsd", "gelsd"),
    entry(Routine::Syev, "syev", "heev"),
    entry(Routine::Syevd, "syevd", "heevd"),
    entry(Routine::Geqrf, "geqrf", "geqrf"),
    entry(Routine::Orgqr, "orgqr", "ungqr"),
    entry(Routine::Getri, "getri", "getri"),
    entry(Routine::Gees, "gees", "gees"),
    entry(Routine::Geev, "geev", "geev"),
    entry(Routine::Ggev, "ggev", "ggev"),
    entry(Routine::Sygvd, "sygvd", "hegvd"),
    entry(Routine::Sygvx, "sygvx", "hegvx"),
    entry(Routine::Syevr, "syevr", "heevr"),
    entry(Routine::Gbtrf, "gbtrf", "gbtrf"),
    entry(Routine::Gbtrs, "gbtrs", "gbtrs"),
    entry(Routine::Gbcon, "gbcon", "gbcon"),
    entry(Routine::Gttrf, "gttrf", "gttrf"),
    entry(Routine::Gttrs, "gttrs", "gttrs"),
    entry(Routine::Gtcon, "gtcon", "gtcon"),
    entry(Routine::Pbtrf, "pbtrf", "pbtrf"),
    entry(Routine::Pbtrs, "pbtrs", "pbtrs"),
    entry(Routine::Pbcon, "pbcon", "pbcon"),
    Entry { routine: Routine::MixedGesv, real: "sgesv", complex: "cgesv", optional: true },
    Entry { routine: Routine::MixedPosv, real: "sposv", complex: "cposv", optional: true },
];

impl Routine {
    /// How many there are.
    pub(crate) const COUNT: usize = Routine::MixedPosv as usize + 1;

    /// All, in table order.
    pub fn all() -> impl Iterator<Item = Routine> {
        TABLE.iter().map(|entry| entry.routine)
    }

    /// The name for an element type, lower case and without decoration: `dsyevd`, `zheevd`. `None` where LAPACK has none.
    pub fn name(self, dtype: DType) -> Option<String> {
        let entry = &TABLE[self as usize];
        let stem = if dtype.is_complex() { entry.complex } else { entry.real };
        (!stem.is_empty()).then(|| format!("{}{stem}", dtype.prefix()))
    }

    /// Whether a library may lack it.
    pub(crate) fn is_optional(self) -> bool {
        TABLE[self as usize].optional
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (position, routine) in Routine::all().enumerate() {
            assert_eq!(routine as usize, position, "{routine:?}");
        }
    }

    #[test]
    fn names_follow_lapacks_prefixes_and_hermitian_spelling() {
        assert_eq!(Routine::Syevd.name(DType::Float64).as_deref(), Some("dsyevd"));
        assert_eq!(Routine::Syevd.name(DType::Complex64).as_deref(), Some("cheevd"));
        assert_eq!(Routine::Hetrf.name(DType::Float32), None);
    }
}
