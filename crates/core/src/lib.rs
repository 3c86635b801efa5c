//! What every engine shares: scalars, matrix views, and the error value.
//!
//! Nothing here computes. A [`MatrixView`] is a pointer, a shape and two element strides; a [`BatchView`] adds leading
//! dimensions; an [`Error`] is a value with fields that becomes text only when it is shown.

pub mod catalogue;
mod code;
mod error;
mod finding;
mod half;
mod matrix;
mod render;
mod scalar;
mod view;

pub use code::{Code, Severity};
pub use error::{Applicability, Argument, Detail, Error, Fix, Location, NonFinite, Result};
pub use finding::{Axis, Finding};
pub use half::{ElementType, Half};
pub use matrix::Matrix;
pub use num_complex::{Complex32, Complex64};
pub use scalar::{DType, Real, Scalar, Stored};
pub use view::{BatchView, BatchViewMut, Layout, MatrixView, MatrixViewMut};
