//! The process's LAPACK: found at the first call that needs it, or chosen by the program.

use crate::config::config;
use crate::fork;
use lapack_ai_core::{Error, Result};
use lapack_ai_host::{Attempt, Library, Outcome, Search, Table, find};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The one in use. Null before the first call, and while none can be found.
static CURRENT: AtomicPtr<Search> = AtomicPtr::new(ptr::null_mut());

/// Every library opened so far: they stay open, so going back to one is cheap and calls that still run in it are safe.
static OPENED: Mutex<Opened> = Mutex::new(Opened { libraries: Vec::new(), failure: None });

struct Opened {
    /// By the name it was asked for; the search's own choice has none.
    libraries: Vec<(Option<PathBuf>, &'static Search)>,
    failure: Option<Error>,
}

/// The LAPACK in use, with the places that were looked at; searched for at the first call.
///
/// # Errors
/// `LAP-E030` if none was found, `LAP-E031` if the one named in `LAPACK_AI_LIBRARY` is unusable, `LAP-E034` for a wrong
/// setting; the same at every later call.
#[inline]
pub fn provider() -> Result<&'static Search> {
    // SAFETY: the pointer is null or of a leaked value.
    match unsafe { CURRENT.load(Ordering::Acquire).as_ref() } {
        Some(search) => Ok(search),
        None => first_use(),
    }
}

#[cold]
fn first_use() -> Result<&'static Search> {
    let _inside = fork::inside();
    let mut opened = opened();
    // SAFETY: as in `provider`; another thread may have been quicker.
    if let Some(search) = unsafe { CURRENT.load(Ordering::Acquire).as_ref() } {
        return Ok(search);
    }
    if let Some(failure) = &opened.failure {
        return Err(failure.clone());
    }
    let found = config().and_then(|config| find(config.library.as_deref()));
    match found {
        Ok(search) => Ok(opened.keep(None, search)),
        Err(error) => {
            opened.failure = Some(error.clone());
            Err(error)
        }
    }
}

fn opened() -> MutexGuard<'static, Opened> {
    OPENED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Opened {
    fn keep(&mut self, name: Option<PathBuf>, search: Search) -> &'static Search {
        fork::go_first();
        let search: &'static Search = Box::leak(Box::new(search));
        self.libraries.push((name, search));
        self.switch_to(search)
    }

    /// Makes `search` the one in use; the number of threads stays what it was.
    fn switch_to(&mut self, search: &'static Search) -> &'static Search {
        let former = CURRENT.swap(ptr::from_ref(search).cast_mut(), Ordering::AcqRel);
        // SAFETY: as in `provider`.
        if let Some(former) = unsafe { former.as_ref() } {
            search.library.threads().set(former.library.threads().get());
        }
        search
    }

    fn choose(&mut self, name: &Path, open: impl FnOnce() -> Result<Library>) -> Result<&'static Search> {
        let known = self.libraries.iter().find(|(known, _)| known.as_deref() == Some(name)).map(|(_, search)| *search);
        if let Some(search) = known {
            return Ok(self.switch_to(search));
        }
        let library = open()?;
        let attempts = vec![Attempt { place: name.into(), outcome: Outcome::Used }];
        Ok(self.keep(Some(name.into()), Search { library, attempts }))
    }
}

/// Opens the LAPACK at `path` (or of that bare name, looked up by the system's loader) and uses it from the next call on.
/// Calls that run meanwhile end in the former one. The number of threads stays what it was.
///
/// # Errors
/// `LAP-E031` if it cannot be used; the former one stays in use.
pub fn set_library(path: &Path) -> Result<&'static Search> {
    let _inside = fork::inside();
    opened().choose(path, || Library::open(path))
}

/// As [`set_library`], for a table of routines.
///
/// # Errors
/// As [`set_library`].
pub fn set_library_table(name: &str, table: &Table) -> Result<&'static Search> {
    let _inside = fork::inside();
    opened().choose(Path::new(name), || table.open())
}

/// Goes back to the LAPACK that the search finds: see [`provider`].
///
/// # Errors
/// As [`provider`]; the former one stays in use.
pub fn set_library_by_search() -> Result<&'static Search> {
    let _inside = fork::inside();
    let mut opened = opened();
    let known = opened.libraries.iter().find(|(name, _)| name.is_none()).map(|(_, search)| *search);
    if let Some(search) = known {
        return Ok(opened.switch_to(search));
    }
    let search = find(config()?.library.as_deref())?;
    opened.failure = None;
    Ok(opened.keep(None, search))
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
    let _inside = fork::inside();
    library()?.threads().set(threads);
    Ok(())
}
