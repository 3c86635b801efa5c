//! Ending a call early from another thread, and hearing how far it is.
//!
//! A LAPACK routine cannot be stopped. What can: a batch between two matrices. Whoever waits for a call hands it a flag
//! and raises it; the call then returns `LAP-E035` as soon as the matrices at work are done.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Raised by the one who waits, looked at by the one who works, who also notes on it how far the work is.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    raised: AtomicBool,
    done: Mutex<Option<(f64, &'static str)>>,
}

impl CancelFlag {
    /// Asks the calls made under this flag to end.
    pub fn raise(&self) {
        self.0.raised.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Relaxed)
    }

    /// The fraction that is done and what is at work. `None` before a call has told anything: decompositions on a GPU that take
    /// longer than a twentieth of a second do.
    pub fn progress(&self) -> Option<(f64, &'static str)> {
        *self.0.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, fraction: f64, what: &'static str) {
        *self.0.done.lock().unwrap_or_else(PoisonError::into_inner) = Some((fraction, what));
    }
}

thread_local! {
    static CURRENT: RefCell<Option<CancelFlag>> = const { RefCell::new(None) };
}

/// Runs `work`, whose calls on this thread end early once `flag` is raised.
///
/// # Examples
/// ```
/// use lapack_ai::cancel::{CancelFlag, cancellable};
/// let flag = CancelFlag::default();
/// let sum = cancellable(&flag, || 1 + 1);
/// assert_eq!(sum, 2);
/// ```
pub fn cancellable<R>(flag: &CancelFlag, work: impl FnOnce() -> R) -> R {
    let former = CURRENT.replace(Some(flag.clone()));
    let result = work();
    CURRENT.set(former);
    result
}

/// The flag under which this thread works.
pub(crate) fn current() -> Option<CancelFlag> {
    CURRENT.with_borrow(Clone::clone)
}
