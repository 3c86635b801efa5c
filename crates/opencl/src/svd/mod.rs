//! The singular value decomposition on a device.

mod bidiagonal;

pub use bidiagonal::{Bidiagonal, bidiagonalise};
