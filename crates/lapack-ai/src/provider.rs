//! The process's LAPACK: found at the first call that needs it, kept for good.

use crate::config::config;
use lapack_ai_core::Result;
use lapack_ai_host::{Library, Search, find};
use std::path::PathBuf;
use std::sync::OnceLock;

static PROVIDER: OnceLock<Result<Search>> = OnceLock::new();

/// The LAPACK in use, with the places that were looked at; searched for at the first call.
///
/// # Errors
/// `LAP-E030` if none was found, `LAP-E031` if the one named in `LAPACK_AI_LIBRARY` is unusable, `LAP-E034` for a wrong
/// setting; the same at every later call.
pub fn provider() -> Result<&'static Search> {
    let found = PROVIDER.get_or_init(|| find(config()?.library.as_deref()));
    found.as_ref().map_err(Clone::clone)
}

/// The library in use.
#[inline]
pub(crate) fn library() -> Result<&'static Library> {
    provider().map(|search| &search.library)
}

/// Names a file to be tried first in the search (after an explicit `LAPACK_AI_LIBRARY`). Without effect once a library
/// is in use.
pub fn add_library_hint(path: PathBuf) {
    lapack_ai_host::add_hint(path);
}

/// Threads used for one large matrix, or for a batch.
///
/// # Errors
/// As [`provider`].
pub fn num_threads() -> Result<usize> {
    Ok(library()?.threads().get())
}

/// Sets the threads used for one large matrix, or for a batch; at least 1.
///
/// # Errors
/// As [`provider`].
pub fn set_num_threads(threads: usize) -> Result<()> {
    library()?.threads().set(threads);
    Ok(())
}
