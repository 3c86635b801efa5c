//! Values of a thread that hold while some work runs.

use std::cell::RefCell;
use std::thread::LocalKey;

/// A thread's value, or none.
pub(crate) type Slot<T> = LocalKey<RefCell<Option<T>>>;

/// Puts back what was there before, also where the work panics.
struct Former<T: 'static>(&'static Slot<T>, Option<T>);

impl<T> Drop for Former<T> {
    fn drop(&mut self) {
        self.0.set(self.1.take());
    }
}

/// Runs `work` with `value` in `slot`.
pub(crate) fn with<T, R>(slot: &'static Slot<T>, value: T, work: impl FnOnce() -> R) -> R {
    let _former = Former(slot, slot.replace(Some(value)));
    work()
}
