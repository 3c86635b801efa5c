//! Finding the fastest configurations of the matrix product on a device, and the tables that keep them.
//!
//! [`tune`] measures within a budget and changes nothing; [`crate::Gpu::set_tuned`] takes what it found. Where nothing was
//! tuned a table that is shipped with the library serves the device or its family, and where there is none, rules do.

mod bench;
mod search;
mod table;
mod targets;

pub use crate::kernels::gemm_config::{Config, Family};
pub use search::{Ended, Outcome, Plan, Row, Watch, by_rule, candidates_for, tune, with_config};
pub use table::{Class, Entry, Table, Tables};
pub use targets::Target;
