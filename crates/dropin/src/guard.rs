//! Whether this thread is inside the drop-in already.
//!
//! The LAPACK in use normally calls its own routines: it is opened local and deeply bound. But where the program had it open
//! before, its inner calls of `dgemm_` and the like come here. They are meant for itself, are not the program's, and are not
//! counted.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Threads inside. To ask it takes no look at the thread's own memory, and none of them is this one if it is 0.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// While it lives, calls of this thread are the LAPACK's own.
pub(crate) struct Guard(());

/// Whether any thread is inside.
#[inline(always)]
pub(crate) fn is_anyone_inside() -> bool {
    THREADS.load(Ordering::Relaxed) != 0
}

/// Enters, unless the thread is inside.
#[inline]
pub(crate) fn enter() -> Option<Guard> {
    if INSIDE.replace(true) {
        return None;
    }
    THREADS.fetch_add(1, Ordering::Relaxed);
    Some(Guard(()))
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        INSIDE.set(false);
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}
