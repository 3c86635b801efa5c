//! The GPU engine: OpenCL devices, their memory, and kernels for linear algebra.
//!
//! The OpenCL loader is opened at run time; without one the library works and says what is missing. This crate knows
//! devices and matrices on them; it does not know LAPACK, the operations, or when a GPU is worth its transfers.

mod cancel;
mod copiers;
mod discovery;
mod fault;
mod gpu;
mod handle;
mod icd;
pub mod kernels;
mod pool;
mod program;
mod progress;
mod scoped;
mod signals;
mod staging;
mod streaming;
pub mod svd;
mod trace;
pub mod tune;

pub use cancel::interruptible;
pub use discovery::{Candidate, DeviceInfo, FoundBy, candidates, discover};
pub use fault::{Fault, FaultKind, inject, injected};
pub use gpu::{Arg, Gpu, Settings};
pub use icd::{IcdFile, icd_files, icd_folder};
pub use pool::{Block, PoolStats};
pub use program::{ProgramStats, Source};
pub use progress::watched;
pub use staging::{Interrupt, never};
pub use streaming::copy_streaming;
pub use trace::{Span, Trace};
