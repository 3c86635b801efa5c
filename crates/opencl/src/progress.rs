//! How far an algorithm of many kernels is, for whoever waits for it.
//!
//! Kernels are enqueued far faster than they run, so what was enqueued says nothing. Algorithms that may run for seconds wait for
//! the device now and then, and tell here what is behind them.

use crate::scoped;
use std::cell::RefCell;
use std::rc::Rc;

/// Told the fraction that is done, and what is at work.
type Tell = Rc<dyn Fn(f64, &'static str)>;

thread_local! {
    static TELL: RefCell<Option<Tell>> = const { RefCell::new(None) };
}

/// Runs `work`, which tells the fraction of itself that is done, rising, and what is at work.
pub fn watched<R>(tell: impl Fn(f64, &'static str) + 'static, work: impl FnOnce() -> R) -> R {
    scoped::with(&TELL, Rc::new(tell), work)
}

/// Runs `work`, which is the part from `begin` to `end` of what this thread is watched at.
pub(crate) fn part<R>([begin, end]: [f64; 2], work: impl FnOnce() -> R) -> R {
    match TELL.with_borrow(Clone::clone) {
        None => work(),
        Some(outer) => watched(move |fraction, what| outer(begin + (end - begin) * fraction, what), work),
    }
}

/// Tells whoever watches.
pub(crate) fn done(fraction: f64, what: &'static str) {
    // Asked outside of the borrow: who is told may itself work and be watched.
    if let Some(tell) = TELL.with_borrow(Clone::clone) {
        tell(fraction, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_parts_are_told_as_fractions_of_the_whole_to_the_innermost_watcher_alone() {
        let told = Rc::new(RefCell::new(Vec::new()));
        let hear = told.clone();
        watched(
            move |fraction, what| hear.borrow_mut().push((fraction, what)),
            || {
                part([0.5, 1.0], || part([0.0, 0.5], || done(1.0, "inner")));
                watched(|_, _| (), || done(0.9, "to another"));
                done(1.0, "all");
            },
        );
        done(0.3, "to nobody");
        assert_eq!(*told.borrow(), [(0.75, "inner"), (1.0, "all")]);
    }
}
