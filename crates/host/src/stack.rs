//! Stack space: LAPACKs take more of it than threads are usually given.
//!
//! OpenBLAS's threaded LU factorisation keeps half a megabyte of bookkeeping on the stack at each level of its
//! recursion, some seven levels deep. That fits the 8 MiB of a main thread, and ends the process on the 2 MiB of a Rust
//! thread or the half megabyte of a macOS one.

use std::cell::Cell;
use std::thread;

/// Stack for threads in which a LAPACK computes: address space, which costs nothing until it is used.
pub const STACK_SIZE: usize = 64 << 20;
/// Free stack with which a LAPACK is safe.
const ENOUGH: usize = 6 << 20;

/// Runs `work` where the stack is large enough for any routine: here if it is, else on a thread of its own.
///
/// Where no thread can be had `work` runs here.
pub fn with_enough_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if remaining().is_none_or(|bytes| bytes >= ENOUGH) { work() } else { on_a_large_stack(work) }
}

#[cold]
fn on_a_large_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let mut work = Some(work);
    let mut result = None;
    thread::scope(|scope| {
        let (work, result) = (&mut work, &mut result);
        let run = move || *result = work.take().map(|work| work());
        let thread = thread::Builder::new().name("lapack-ai".into()).stack_size(STACK_SIZE).spawn_scoped(scope, run);
        if let Ok(thread) = thread
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    });
    match (result, work) {
        (Some(result), _) => result,
        (None, Some(work)) => work(),
        (None, None) => unreachable!("what was taken was run, or has panicked"),
    }
}

/// Bytes of stack left to this thread, where the system tells.
fn remaining() -> Option<usize> {
    thread_local! {
        static LOWEST: Cell<Option<usize>> = const { Cell::new(None) };
    }
    let lowest = LOWEST.get().or_else(|| {
        let lowest = lowest_address();
        LOWEST.set(lowest);
        lowest
    })?;
    let here = 0_u8;
    (&raw const here).addr().checked_sub(lowest)
}

#[cfg(target_os = "linux")]
fn lowest_address() -> Option<usize> {
    // SAFETY: asks for the attributes of this thread and frees what they hold.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return None;
        }
        let (mut lowest, mut size) = (std::ptr::null_mut(), 0);
        let told = libc::pthread_attr_getstack(&attributes, &mut lowest, &mut size) == 0;
        libc::pthread_attr_destroy(&mut attributes);
        told.then(|| lowest.addr())
    }
}

#[cfg(target_os = "macos")]
fn lowest_address() -> Option<usize> {
    // SAFETY: both functions read this thread's own description.
    unsafe {
        let this = libc::pthread_self();
        libc::pthread_get_stackaddr_np(this).addr().checked_sub(libc::pthread_get_stacksize_np(this))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn lowest_address() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_thread_is_left_for_a_large_one_and_a_large_one_is_not() {
        let on = |size: usize| {
            let thread = thread::Builder::new().stack_size(size).spawn(|| {
                let here = thread::current().id();
                (with_enough_stack(|| thread::current().id()) == here, with_enough_stack(|| 7))
            });
            thread.unwrap().join().unwrap()
        };
        assert_eq!(on(STACK_SIZE), (true, 7));
        if cfg!(any(target_os = "linux", target_os = "macos")) {
            assert_eq!(on(1 << 20), (false, 7));
        }
    }

    #[test]
    fn a_panic_on_the_large_stack_reaches_the_caller() {
        let thread = thread::Builder::new().stack_size(1 << 20).spawn(|| with_enough_stack(|| panic!("told")));
        assert!(thread.unwrap().join().is_err());
    }
}
