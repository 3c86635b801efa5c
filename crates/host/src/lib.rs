//! The CPU engine: finds, probes and calls an unmodified LAPACK.
//!
//! A LAPACK is a shared library chosen at run time (`search`), opened and probed before its first real call
//! (`library`), whose routines are reached through one table (`routines`) by typed wrappers that keep LAPACK's argument
//! order (`drivers`). Sizes stay `usize` up to the wrapper; a size that the library's integers cannot hold is refused by
//! [`Library::check_sizes`].

mod drivers;
mod int;
mod library;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod replica;
mod routines;
mod search;
mod stack;
mod threads;

pub use drivers::Range;
pub use library::{Library, MOST_IMAGES, Version};
pub use routines::Routine;
pub use search::{Attempt, Outcome, Search, Table, add_hint, add_table_hint, find};
pub use stack::{STACK_SIZE, with_enough_stack};
pub use threads::{SingleThreaded, default_threads, requested_threads};
