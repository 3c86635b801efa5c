//! What the tests of the engine share: a device to run on.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod decomposed;
pub(crate) mod matrices;

use lapack_ai_opencl::{Gpu, Settings, candidates};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A device with `settings`: a GPU if there is one, else PoCL. `None` where there is no OpenCL at all, after one line that
/// says so; a failure where everything is required.
pub(crate) fn open(settings: &Settings) -> Option<Gpu> {
    let found = candidates().map(|found| found.iter().find(|one| !one.info.is_cpu).or(found.first()));
    match found {
        Ok(Some(candidate)) => Some(Gpu::open(candidate, settings).expect("a device that was found can be opened")),
        _ if std::env::var_os("LAPACK_AI_NO_SKIPS").is_some() => panic!("no OpenCL device, and no test may be skipped"),
        _ => {
            println!("skipped: no OpenCL device (Debian: apt install pocl-opencl-icd)");
            None
        }
    }
}

pub(crate) fn gpu() -> Option<Gpu> {
    open(&Settings::default())
}

/// Faults are injected for the whole process, so tests that do it, or that must not meet one, go one by one.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder of this test's own.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("lapack-ai-test-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    folder
}
