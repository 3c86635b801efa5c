//! The singular value decomposition on a device.

mod bidiagonal;
mod decomposition;
mod divide_conquer;
mod merges;
mod reflectors;

pub use bidiagonal::{Bidiagonal, ReductionPlan, bidiagonalise, bidiagonalise_by};
pub use decomposition::{Svd, Vectors, svd};
pub use divide_conquer::{BidiagonalSvd, Plan, bidiagonal_svd, bidiagonal_svd_by};
pub use reflectors::{Side, apply_reflectors};
