//! The singular value decomposition on a device.

mod bidiagonal;
mod decomposition;
mod divide_conquer;
mod merges;
mod need;
mod reflectors;
mod tall;

pub use bidiagonal::{Bidiagonal, ReductionPlan, bidiagonalise, bidiagonalise_by};
pub use decomposition::{Svd, Vectors, svd};
pub use divide_conquer::{BidiagonalSvd, Plan, bidiagonal_svd, bidiagonal_svd_by};
pub use need::{Need, factorises_first, need};
pub use reflectors::{Side, apply_reflectors};
