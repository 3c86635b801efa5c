//! The singular value decomposition on a device.

mod bidiagonal;
mod reflectors;

pub use bidiagonal::{Bidiagonal, bidiagonalise};
pub use reflectors::{Side, apply_reflectors};
