//! Ending an algorithm of many kernels early.
//!
//! Kernels cannot be stopped once they are enqueued. What can is the thread that enqueues them: under [`interruptible`] each
//! launch, and each wait for kernels, asks whether to go on. What was enqueued still runs, in front of whatever comes later;
//! its memory is given out again only behind it.

use crate::fault::{Fault, FaultKind};
use crate::scoped;
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static STOP: RefCell<Option<Rc<dyn Fn() -> bool>>> = const { RefCell::new(None) };
}

/// Runs `work`, whose launches and waits for kernels on this thread fail with `Cancelled` once `stop` says so.
pub fn interruptible<R>(stop: impl Fn() -> bool + 'static, work: impl FnOnce() -> R) -> R {
    scoped::with(&STOP, Rc::new(stop), work)
}

/// # Errors
/// `Cancelled` if this thread's work is to end.
pub(crate) fn unless_interrupted() -> Result<(), Fault> {
    // Asked outside of the borrow: what is asked may itself work under another `stop`.
    match STOP.with_borrow(Clone::clone).is_some_and(|stop| stop()) {
        true => Err(Fault::new(FaultKind::Cancelled, "the work was ended before it was done")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_only_inside_the_innermost_frame_whose_question_says_so() {
        assert_eq!(unless_interrupted(), Ok(()));
        let ended = || unless_interrupted().is_err_and(|fault| fault.kind == FaultKind::Cancelled);
        let inner = interruptible(|| true, || (ended(), interruptible(|| false, ended), ended()));
        assert_eq!(inner, (true, false, true));
        assert!(!ended());
    }

    #[test]
    fn a_panic_leaves_no_question_behind() {
        let panicked = std::panic::catch_unwind(|| interruptible(|| true, || panic!("on purpose")));
        assert!(panicked.is_err());
        assert_eq!(unless_interrupted(), Ok(()));
    }
}
