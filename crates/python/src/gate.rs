//! The one place where the GIL is released, and where a long call can be interrupted.
//!
//! A LAPACK routine cannot be stopped, and Python runs signal handlers on the main thread only. So a long call of the
//! main thread is computed by a thread of its own while the main thread waits and looks for signals. After Ctrl-C the
//! main thread leaves with `KeyboardInterrupt`; the routine finishes behind it, into memory that is kept alive for it
//! until then, and a batch ends after the matrices at work.

use crate::errors::helper;
use lapack_ai::STACK_SIZE;
use lapack_ai::cancel::{CancelFlag, cancellable};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::cell::RefCell;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::ffi::c_void;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
use std::sync::atomic::AtomicU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

/// Floating-point operations below which a call keeps the GIL: releasing and taking it again costs as much as these.
const WORTH_RELEASING: f64 = 20e3;
/// Floating-point operations above which somebody may want to interrupt: some 20 ms on 16 cores, half a second on one.
const WORTH_INTERRUPTING: f64 = 1e10;
/// How often the main thread looks for signals.
const PATIENCE: Duration = Duration::from_millis(50);

/// Runs `work`, which is about `flops` operations long and touches no Python object, without the GIL if it is long enough
/// for other Python threads to profit, and interruptibly if it is long enough for a person to want that. `arrays` are the
/// objects whose memory `work` uses.
///
/// The arrays' memory stays borrowed meanwhile: another thread that writes to an input while it is read gets what it
/// asked for, as with NumPy itself.
///
/// # Errors
/// Whatever a signal handler, or who is told of the progress, raised.
#[inline]
pub(crate) fn enter_lapack<R: Send + 'static>(
    py: Python<'_>,
    flops: f64,
    arrays: &[Option<&Bound<'_, PyAny>>],
    work: impl FnOnce() -> R + Send + 'static,
) -> PyResult<R> {
    if flops < WORTH_RELEASING {
        Ok(work())
    } else if flops < WORTH_INTERRUPTING || !(on_main_thread(py) || is_watched()) {
        Ok(py.detach(work))
    } else {
        interruptible(py, arrays, work)
    }
}

thread_local! {
    /// What this thread's long calls tell how far they are.
    static WATCHER: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

fn is_watched() -> bool {
    WATCHER.with_borrow(Option::is_some)
}

/// Long calls of this thread tell `watcher(fraction, what)` how far they are, or nobody. Returns who was told before.
#[pyfunction]
pub(crate) fn set_progress(watcher: Option<Py<PyAny>>) -> Option<Py<PyAny>> {
    WATCHER.replace(watcher)
}

/// Tells the watcher, if there is one and there is news.
///
/// # Errors
/// Whatever the watcher raised.
fn tell(py: Python<'_>, flag: &CancelFlag, told: &mut f64) -> PyResult<()> {
    let Some((fraction, what)) = flag.progress().filter(|(fraction, _)| *fraction > *told) else { return Ok(()) };
    *told = fraction;
    // Taken outside of the borrow: the watcher may itself make calls.
    match WATCHER.with_borrow(|watcher| watcher.as_ref().map(|watcher| watcher.clone_ref(py))) {
        Some(watcher) => watcher.call1(py, (fraction, what)).map(|_| ()),
        None => Ok(()),
    }
}

fn on_main_thread(py: Python<'_>) -> bool {
    static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static MAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let ask = || -> PyResult<bool> {
        let current = helper(py, &CURRENT, "threading", "current_thread")?.call0()?;
        Ok(current.is(&helper(py, &MAIN, "threading", "main_thread")?.call0()?))
    };
    ask().unwrap_or(false)
}

/// How far an interruptible call is.
enum Progress<R> {
    Running,
    Done(thread::Result<R>),
    /// The main thread has left; the arrays are let go of when the work is done.
    Abandoned(Vec<Py<PyAny>>),
}

/// What the main thread and the computing one share.
struct Shared<R, W> {
    /// Here, and not the computing thread's own, so that it is not lost if that thread cannot be started.
    work: Mutex<Option<W>>,
    progress: Mutex<Progress<R>>,
    changed: Condvar,
    flag: CancelFlag,
}

impl<R, W: FnOnce() -> R> Shared<R, W> {
    fn compute(&self) {
        let Some(work) = lock(&self.work).take() else { return };
        let result = catch_unwind(AssertUnwindSafe(|| cancellable(&self.flag, work)));
        let former = mem::replace(&mut *lock(&self.progress), Progress::Done(result));
        self.changed.notify_one();
        if let Progress::Abandoned(arrays) = former {
            ABANDONED.fetch_sub(1, Ordering::AcqRel);
            // At the end of the process there is no interpreter left to give them back to.
            let mut arrays = Some(arrays);
            if Python::try_attach(|_| drop(arrays.take())).is_none() {
                mem::forget(arrays);
            }
        }
    }

    /// The result, if it comes within `PATIENCE`.
    fn wait(&self) -> Option<thread::Result<R>> {
        let running = |progress: &mut Progress<R>| matches!(progress, Progress::Running);
        let waited = self.changed.wait_timeout_while(lock(&self.progress), PATIENCE, running);
        let (mut progress, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match mem::replace(&mut *progress, Progress::Running) {
            Progress::Done(result) => Some(result),
            other => {
                *progress = other;
                None
            }
        }
    }

    /// Leaves the work to itself.
    fn abandon(&self, arrays: Vec<Py<PyAny>>) {
        let mut progress = lock(&self.progress);
        if matches!(*progress, Progress::Running) {
            *progress = Progress::Abandoned(arrays);
            self.flag.raise();
            ABANDONED.fetch_add(1, Ordering::AcqRel);
            static WATCHED: Once = Once::new();
            WATCHED.call_once(watch_the_end);
        }
    }
}

fn interruptible<R: Send + 'static>(
    py: Python<'_>,
    arrays: &[Option<&Bound<'_, PyAny>>],
    work: impl FnOnce() -> R + Send + 'static,
) -> PyResult<R> {
    let shared = Arc::new(Shared {
        work: Mutex::new(Some(work)),
        progress: Mutex::new(Progress::Running),
        changed: Condvar::new(),
        flag: CancelFlag::default(),
    });
    let of_thread = Arc::clone(&shared);
    let thread = thread::Builder::new().name("lapack-ai call".into()).stack_size(STACK_SIZE);
    if thread.spawn(move || of_thread.compute()).is_err() {
        let work = lock(&shared.work).take().expect("no thread took it");
        return Ok(py.detach(work));
    }
    let mut told = 0.0;
    loop {
        match py.detach(|| shared.wait()) {
            Some(Ok(result)) => return Ok(result),
            Some(Err(panic)) => resume_unwind(panic),
            None => {
                let ended = py.check_signals().and_then(|()| tell(py, &shared.flag, &mut told));
                if let Err(interrupt) = ended {
                    shared.abandon(arrays.iter().flatten().map(|array| (*array).clone().unbind()).collect());
                    return Err(interrupt);
                }
            }
        }
    }
}

/// Calls that nobody waits for any more and that still compute.
static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// OpenBLAS joins its threads when the process ends, and waits for ever if a call is using them. So a process that ends
/// with an abandoned call in it ends before the libraries' own clean-up.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn watch_the_end() {
    unsafe extern "C" {
        /// glibc's `atexit` whose handler is told the exit status.
        fn on_exit(handler: extern "C" fn(i32, *mut c_void), argument: *mut c_void) -> i32;
        fn fflush(stream: *mut c_void) -> i32;
        fn _exit(status: i32) -> !;
    }
    extern "C" fn leave(status: i32, _: *mut c_void) {
        if ABANDONED.load(Ordering::Acquire) > 0 {
            // SAFETY: both may be called at any time; Python has ended and flushed its own files before.
            unsafe {
                fflush(std::ptr::null_mut());
                _exit(status)
            }
        }
    }
    // SAFETY: the handler lives as long as the process: this module is never unloaded.
    unsafe { on_exit(leave, std::ptr::null_mut()) };
}

/// As above, where the exit status cannot be known: the process waits for the call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn watch_the_end() {
    unsafe extern "C" {
        fn atexit(handler: extern "C" fn()) -> i32;
    }
    static PROCESS: AtomicU32 = AtomicU32::new(0);
    extern "C" fn wait() {
        // A forked child has the number, but not the thread.
        let here = PROCESS.load(Ordering::Relaxed) == std::process::id();
        while here && ABANDONED.load(Ordering::Acquire) > 0 {
            thread::sleep(PATIENCE);
        }
    }
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    // SAFETY: the handler lives as long as the process: this module is never unloaded.
    unsafe { atexit(wait) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
