//! Whether this thread is inside the drop-in already.
//!
//! The LAPACK in use normally calls its own routines: it is opened local and deeply bound. But where the program had it open
//! before, its inner calls of `dgemm_` and the like come here. They are meant for itself, are not the program's, and are not
//! counted.

use std::cell::Cell;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, calls of this thread are the LAPACK's own.
pub(crate) struct Guard(());

/// Whether the thread is inside.
#[inline(always)]
pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}

/// Enters, unless the thread is inside.
#[inline(always)]
pub(crate) fn enter() -> Option<Guard> {
    if INSIDE.replace(true) { None } else { Some(Guard(())) }
}

impl Drop for Guard {
    #[inline(always)]
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}
