//! Finding the fastest configurations of the matrix product on a device, and keeping them.

mod table;

pub use crate::kernels::gemm_config::{Config, Family};
pub use table::{Class, Entry, Table, Tables};
