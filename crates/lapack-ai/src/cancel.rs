//! Ending a call early from another thread.
//!
//! A LAPACK routine cannot be stopped. What can: a batch between two matrices. Whoever waits for a call hands it a flag
//! and raises it; the call then returns `LAP-E035` as soon as the matrices at work are done.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Raised by the one who waits, looked at by the one who works.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// Asks the calls made under this flag to end.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
