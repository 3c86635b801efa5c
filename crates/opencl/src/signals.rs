//! The program's signal handlers, kept while drivers are loaded and kernels built.
//!
//! A driver may have a compiler in it that puts its own handlers in place of the program's, as LLVM in PoCL does with SIGUSR1 and
//! others: a handler of Python would not be called any more.

/// Runs `work`, and puts back the handlers that it replaced.
#[cfg(unix)]
pub(crate) fn keeping_handlers<R>(work: impl FnOnce() -> R) -> R {
    /// Puts them back, also where the work panics.
    struct Restore(Vec<(libc::c_int, libc::sigaction)>);
    impl Drop for Restore {
        fn drop(&mut self) {
            for (signal, before) in &self.0 {
                if handler(*signal).is_some_and(|now| now.sa_sigaction != before.sa_sigaction) {
                    // SAFETY: a handler that the program itself had installed.
                    unsafe { libc::sigaction(*signal, before, std::ptr::null_mut()) };
                }
            }
        }
    }
    let _restore = Restore((1..32).filter_map(|signal| Some((signal, handler(signal)?))).collect());
    work()
}

/// What a signal does now; `None` for a number that is none.
#[cfg(unix)]
fn handler(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: all zero is a valid value, and the call with a null pointer only reads the disposition.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, std::ptr::null(), &mut now) == 0).then_some(now)
    }
}

/// Runs `work`: there are no handlers to keep.
#[cfg(not(unix))]
pub(crate) fn keeping_handlers<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI32, Ordering};

    static LAST: AtomicI32 = AtomicI32::new(0);

    extern "C" fn own(_: libc::c_int) {
        LAST.store(1, Ordering::Relaxed);
    }
    extern "C" fn other(_: libc::c_int) {
        LAST.store(2, Ordering::Relaxed);
    }

    fn install(handler: extern "C" fn(libc::c_int)) {
        // SAFETY: the handlers store a number.
        unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    }

    /// The number that the handler stores which a signal meets now.
    fn met() -> i32 {
        LAST.store(0, Ordering::Relaxed);
        // SAFETY: one of the handlers above is installed.
        unsafe { libc::raise(libc::SIGUSR1) };
        LAST.load(Ordering::Relaxed)
    }

    #[test]
    fn a_handler_that_the_work_replaces_is_there_again_also_after_a_panic() {
        install(own);
        assert_eq!(keeping_handlers(|| (install(other), met()).1), 2);
        assert_eq!(met(), 1);
        let panicked = std::panic::catch_unwind(|| {
            keeping_handlers(|| {
                install(other);
                panic!("on purpose");
            })
        });
        assert!(panicked.is_err());
        assert_eq!(met(), 1);
    }
}
