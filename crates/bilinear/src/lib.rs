//! Bilinear schemes for the matrix product: AlphaTensor's, Strassen's and their kin, as data with an exact proof, and a
//! generator of straight-line code from them.
//!
//! It knows neither LAPACK nor OpenCL. Schemes run here on 4 x 4 matrices of numbers ([`product`], [`small`]) and on matrices of
//! blocks ([`large`]).

mod cancelling;
pub mod catalogue;
mod dyadic;
pub mod emit;
pub mod generated;
pub mod large;
mod linear;
pub mod product;
mod program;
mod real;
mod scheme;
pub mod small;
mod stability;
mod steps;
pub mod table;

pub use dyadic::Dyadic;
pub use linear::{LinearProgram, Term};
pub use program::Program;
pub use real::Real;
pub use scheme::{Form, Mismatch, Ring, Scheme};
