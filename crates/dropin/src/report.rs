//! `LAPACK_DROPIN_REPORT=1`: what was called, and who computed, as lines on standard error when the program ends.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A routine that is offered.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Routine {
    Dgemm,
    Sgemm,
    CblasDgemm,
    CblasSgemm,
    Dgesvd,
    Dgesdd,
    Dgesv,
}

const ROUTINES: [&str; 7] = ["dgemm", "sgemm", "cblas_dgemm", "cblas_sgemm", "dgesvd", "dgesdd", "dgesv"];

/// Who computed.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Engine {
    /// This library's kernels: small products, and all where no LAPACK was found.
    Kernel,
    /// The LAPACK in use.
    Library,
    /// The next library of the program that has the routine, since the LAPACK in use cannot serve it.
    Next,
    /// There was nothing to compute.
    Nobody,
}

const ENGINES: [&str; 4] = ["by LAPACK AI's kernels", "by ", "by the program's own library", "with nothing to compute"];

static ASKED: AtomicBool = AtomicBool::new(false);
static COUNTS: [[AtomicU64; ENGINES.len()]; ROUTINES.len()] =
    [const { [const { AtomicU64::new(0) }; ENGINES.len()] }; ROUTINES.len()];

#[inline(always)]
pub(crate) fn is_asked_for() -> bool {
    ASKED.load(Ordering::Relaxed)
}

#[cold]
pub(crate) fn count(routine: Routine, engine: Engine) {
    COUNTS[routine as usize][engine as usize].fetch_add(1, Ordering::Relaxed);
}

/// The lines.
fn lines() -> String {
    let library = lapack_ai::provider().map_or_else(|_| "?".into(), |found| found.library.path().display().to_string());
    let mut lines = String::new();
    for (routine, counts) in ROUTINES.iter().zip(&COUNTS) {
        for (engine, count) in counts.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let whose = if engine == Engine::Library as usize { library.as_str() } else { "" };
                lines += &format!("lapack-ai drop-in: {routine}: {count} calls {}{whose}\n", ENGINES[engine]);
            }
        }
    }
    if lines.is_empty() {
        lines += "lapack-ai drop-in: no calls\n";
    }
    lines
}

extern "C" fn at_exit() {
    eprint!("{}", lines());
}

extern "C" fn at_start() {
    // SAFETY: the system has set up the environment before the libraries' initialisers run; it gives C strings.
    let value = unsafe {
        let value = libc::getenv(c"LAPACK_DROPIN_REPORT".as_ptr());
        if value.is_null() { return } else { std::ffi::CStr::from_ptr(value) }
    };
    if !matches!(value.to_bytes(), b"" | b"0" | b"false" | b"no" | b"off") {
        ASKED.store(true, Ordering::Relaxed);
        // SAFETY: the library is never unloaded.
        unsafe { libc::atexit(at_exit) };
    }
}

/// Runs when the library is loaded, or the program that it is linked into starts.
#[used]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static START: extern "C" fn() = at_start;
