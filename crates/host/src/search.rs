//! Where a LAPACK is looked for, in which order, and what was found there.
//!
//! 1. the path the caller names (API or `LAPACK_AI_LIBRARY`): it or nothing;
//! 2. the PyPI wheels `scipy-openblas32` and `scipy-openblas64`: where the Python module says they lie, then in the
//!    active virtual or conda environment, the user's site-packages, and beside the program;
//! 3. a table of routines that the caller brought, SciPy's `cython_lapack`;
//! 4. the names under which systems install one.

use crate::Library;
use lapack_ai_core::{Applicability, Code, Error, Result};
use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Files of the wheels, as `package directory / file`, for each system.
#[cfg(target_os = "macos")]
const WHEEL_FILES: [&str; 2] =
    ["scipy_openblas32/lib/libscipy_openblas.dylib", "scipy_openblas64/lib/libscipy_openblas64_.dylib"];
#[cfg(windows)]
const WHEEL_FILES: [&str; 2] =
    ["scipy_openblas32/lib/libscipy_openblas.dll", "scipy_openblas64/lib/libscipy_openblas64_.dll"];
#[cfg(not(any(target_os = "macos", windows)))]
const WHEEL_FILES: [&str; 2] =
    ["scipy_openblas32/lib/libscipy_openblas.so", "scipy_openblas64/lib/libscipy_openblas64_.so"];

/// Bare names for the system's loader. Reference LAPACK is last: it works, and is slow.
#[cfg(target_os = "macos")]
const SYSTEM_NAMES: &[&str] = &[
    "libopenblas.dylib",
    "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
    "/usr/local/opt/openblas/lib/libopenblas.dylib",
];
#[cfg(windows)]
const SYSTEM_NAMES: &[&str] = &["mkl_rt.3.dll", "mkl_rt.2.dll", "libopenblas.dll", "openblas.dll"];
#[cfg(not(any(target_os = "macos", windows)))]
const SYSTEM_NAMES: &[&str] = &[
    "libmkl_rt.so.3",
    "libmkl_rt.so.2",
    "libopenblas.so.0",
    "libopenblas.so",
    "libflexiblas.so.3",
    "libflame.so",
    "liblapack.so.3",
];

/// What came of one place.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Opened and probed: this one is used.
    Used,
    /// No such file or name.
    Absent,
    /// There, but not usable, and why.
    Unusable(String),
}

/// One place that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// File or bare name.
    pub place: PathBuf,
    /// What came of it.
    pub outcome: Outcome,
}

/// A found library with the way to it.
#[derive(Debug)]
pub struct Search {
    /// The library.
    pub library: Library,
    /// Every place looked at, the last one used.
    pub attempts: Vec<Attempt>,
}

static HINTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static TABLE: Mutex<Option<Table>> = Mutex::new(None);

/// A LAPACK as a table: its name, the addresses by plain routine name, and the library whose thread settings count.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    routines: HashMap<String, usize>,
    controls: Option<PathBuf>,
}

impl Table {
    /// # Safety
    /// [`Library::from_table`]'s promise.
    pub unsafe fn new(name: String, routines: HashMap<String, usize>, controls: Option<PathBuf>) -> Self {
        Self { name, routines, controls }
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`Library::from_table`].
    pub fn open(&self) -> Result<Library> {
        // SAFETY: the constructor's promise.
        unsafe { Library::from_table(&self.name, &self.routines, self.controls.as_deref()) }
    }
}

/// A table to be tried where none of the wheels is found.
pub fn add_table_hint(table: Table) {
    *TABLE.lock().unwrap_or_else(PoisonError::into_inner) = Some(table);
}

/// Names a file to be tried before all other places but the explicit path. The Python module calls this with the files
/// of the wheels that its interpreter sees.
pub fn add_hint(path: PathBuf) {
    let mut hints = HINTS.lock().unwrap_or_else(PoisonError::into_inner);
    if !hints.contains(&path) {
        hints.push(path);
    }
}

/// Finds and opens a LAPACK. `explicit` is the path from the caller or the environment.
///
/// # Errors
/// `LAP-E031` if the explicit path is unusable; `LAP-E030` with every place and the one command to run if none is found.
pub fn find(explicit: Option<&Path>) -> Result<Search> {
    if let Some(path) = explicit {
        let library = Library::open(path).map_err(|error| {
            error.fix(Applicability::Safe, "correct or unset LAPACK_AI_LIBRARY (or the path given).")
        })?;
        return Ok(Search { library, attempts: vec![Attempt { place: path.into(), outcome: Outcome::Used }] });
    }
    let mut attempts = Vec::new();
    for place in wheel_places() {
        if !place.exists() {
            attempts.push(Attempt { place, outcome: Outcome::Absent });
            continue;
        }
        if let Some(library) = attempt(place, &mut attempts) {
            return Ok(Search { library, attempts });
        }
    }
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(table) = table
        && let Some(library) = note(PathBuf::from(&table.name), table.open(), &mut attempts)
    {
        return Ok(Search { library, attempts });
    }
    for name in SYSTEM_NAMES {
        if let Some(library) = attempt(PathBuf::from(name), &mut attempts) {
            return Ok(Search { library, attempts });
        }
    }
    Err(not_found(&attempts))
}

fn attempt(place: PathBuf, attempts: &mut Vec<Attempt>) -> Option<Library> {
    let opened = Library::open(&place);
    note(place, opened, attempts)
}

fn note(place: PathBuf, opened: Result<Library>, attempts: &mut Vec<Attempt>) -> Option<Library> {
    match opened {
        Ok(library) => {
            attempts.push(Attempt { place, outcome: Outcome::Used });
            Some(library)
        }
        Err(error) => {
            let bare_name = place.components().count() == 1;
            let summary = error.summary();
            let absent = bare_name && summary.contains("cannot be opened");
            let outcome = if absent { Outcome::Absent } else { Outcome::Unusable(summary) };
            attempts.push(Attempt { place, outcome });
            None
        }
    }
}

fn not_found(attempts: &[Attempt]) -> Error {
    let looked: Vec<String> = attempts
        .iter()
        .map(|attempt| match &attempt.outcome {
            Outcome::Unusable(why) => format!("{} ({why})", attempt.place.display()),
            _ => attempt.place.display().to_string(),
        })
        .collect();
    Error::text(Code::ProviderNotFound, "load", format!("no LAPACK library found in {} places", attempts.len()))
        .because(format!("looked for: {}", looked.join(", ")))
}

/// Every place where one of the wheels may lie, best first, without repeats.
fn wheel_places() -> Vec<PathBuf> {
    let mut places = HINTS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut roots: Vec<PathBuf> =
        ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(env::var_os).map(PathBuf::from).collect();
    // A checkout's own environment lies above the crate's folder, which `cargo run` and `cargo test` name, and above the
    // program that was built there.
    let program = env::current_exe().ok();
    let starts = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).into_iter().chain(program.clone());
    for start in starts {
        roots.extend(start.ancestors().map(|folder| folder.join(".venv")).filter(|venv| venv.is_dir()));
    }
    roots.extend(env::var_os("HOME").map(|home| PathBuf::from(home).join(".local")));
    // The interpreters on the path, where `pip install` puts things outside an environment.
    roots.extend(env::var_os("PATH").iter().flat_map(env::split_paths).filter_map(|folder| {
        let python = folder.join("python3").canonicalize().ok()?;
        Some(python.parent()?.parent()?.to_path_buf())
    }));
    for root in roots {
        for site in site_packages(&root) {
            places.extend(WHEEL_FILES.iter().map(|file| site.join(file)));
        }
    }
    if let Some(folder) = program.as_deref().and_then(Path::parent) {
        places.extend(WHEEL_FILES.iter().filter_map(|file| Path::new(file).file_name()).map(|file| folder.join(file)));
    }
    let mut seen: Vec<OsString> = Vec::new();
    places.retain(|place| {
        let new = !seen.contains(&place.clone().into_os_string());
        seen.push(place.clone().into_os_string());
        new
    });
    places
}

/// The `site-packages` folders under an environment's root, newest Python first.
fn site_packages(root: &Path) -> Vec<PathBuf> {
    if cfg!(windows) {
        return vec![root.join("Lib").join("site-packages")];
    }
    let Ok(entries) = root.join("lib").read_dir() else { return vec![] };
    let mut sites: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .flat_map(|entry| ["site-packages", "dist-packages"].map(|name| entry.path().join(name)))
        .collect();
    sites.sort();
    sites.reverse();
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_path_that_cannot_be_opened_is_an_error_and_nothing_else_is_tried() {
        let error = find(Some(Path::new("/nonexistent/liblapack.so"))).unwrap_err();
        assert_eq!(error.code(), Code::ProviderUnusable);
        assert!(error.summary().contains("/nonexistent/liblapack.so"), "{error}");
        assert!(error.fixes()[0].text.contains("LAPACK_AI_LIBRARY"), "{error}");
    }

    #[test]
    fn a_library_that_is_no_lapack_is_refused_by_name() {
        let error = Library::open("libc.so.6").unwrap_err().summary();
        if cfg!(target_os = "linux") {
            assert!(error.contains("libc.so.6 has no dgesv"), "{error}");
        }
    }

    #[test]
    fn when_nothing_is_found_the_error_lists_the_places_and_one_command() {
        let attempts = [Attempt { place: "/a/b.so".into(), outcome: Outcome::Absent }];
        let error = not_found(&attempts);
        assert!(error.report().contains("/a/b.so"), "{}", error.report());
        assert!(error.to_string().contains("pip install scipy-openblas32"), "{error}");
    }
}
