//! Forking while other threads compute.
//!
//! A forked child has the forking thread only. A lock that another thread held at that moment, in this library or in the
//! LAPACK, stays taken in the child for ever, and the child's first call waits for it. So a fork waits until no call is at
//! work, at most [`PATIENCE`], and calls that begin meanwhile wait for the fork.
//!
//! Calls are counted in several places, so that threads do not fight for one cache line.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

/// How long a fork waits for calls to end. After that it goes ahead, and a child that computes may hang.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(10);

#[repr(align(128))]
struct Slot(AtomicUsize);

static SLOTS: [Slot; 16] = [const { Slot(AtomicUsize::new(0)) }; 16];
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// Forks under way: several threads may fork at once, and the first one's end is not that of the others.
static FORKING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's slot, once it has one.
    static SLOT: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    /// Calls within calls.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread is forking: the handlers may be there several times, and the first counts.
    static FORKS: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, no other thread forks the process.
#[derive(Debug)]
pub(crate) struct Inside {
    /// Work of this thread only.
    not_send: std::marker::PhantomData<*const ()>,
}

/// Begins work that a fork must not interrupt.
#[inline]
pub(crate) fn inside() -> Inside {
    let depth = DEPTH.get();
    DEPTH.set(depth + 1);
    if depth == 0 {
        let slot = SLOT.get().unwrap_or_else(new_slot);
        // Both sides write first and look then, so one of them sees the other.
        slot.0.fetch_add(1, Ordering::SeqCst);
        if FORKING.load(Ordering::SeqCst) > 0 {
            wait_for_the_fork(slot);
        }
    }
    Inside { not_send: std::marker::PhantomData }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        let depth = DEPTH.get() - 1;
        DEPTH.set(depth);
        if let (0, Some(slot)) = (depth, SLOT.get()) {
            slot.0.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cold]
fn new_slot() -> &'static Slot {
    let slot = &SLOTS[NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS.len()];
    SLOT.set(Some(slot));
    static WATCHED: std::sync::Once = std::sync::Once::new();
    WATCHED.call_once(go_first);
    slot
}

/// Puts the handlers before those of all libraries open by now: the system calls the latest first, and OpenBLAS's ends the
/// threads that a call at work waits for.
pub(crate) fn go_first() {
    #[cfg(unix)]
    // SAFETY: the handlers are functions of this library, which is never unloaded.
    unsafe {
        libc::pthread_atfork(Some(before), Some(after), Some(in_child));
    }
}

#[cold]
fn wait_for_the_fork(slot: &Slot) {
    while FORKING.load(Ordering::SeqCst) > 0 {
        slot.0.fetch_sub(1, Ordering::SeqCst);
        while FORKING.load(Ordering::SeqCst) > 0 {
            thread::sleep(Duration::from_micros(50));
        }
        slot.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(unix)]
extern "C" fn before() {
    // A fork from inside a call, by an observer say, cannot wait for that call.
    if DEPTH.get() > 0 || FORKS.replace(true) {
        return;
    }
    FORKING.fetch_add(1, Ordering::SeqCst);
    let started = Instant::now();
    while SLOTS.iter().any(|slot| slot.0.load(Ordering::SeqCst) > 0) && started.elapsed() < PATIENCE {
        thread::sleep(Duration::from_micros(50));
    }
}

#[cfg(unix)]
extern "C" fn after() {
    if FORKS.replace(false) {
        FORKING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The threads that were at work, or forking too, do not exist in the child.
#[cfg(unix)]
extern "C" fn in_child() {
    for slot in &SLOTS {
        slot.0.store(0, Ordering::SeqCst);
    }
    if let (1.., Some(slot)) = (DEPTH.get(), SLOT.get()) {
        slot.0.store(1, Ordering::SeqCst);
    }
    FORKS.set(false);
    FORKING.store(0, Ordering::SeqCst);
    crate::observe::in_child();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::{Barrier, Mutex, PoisonError};

    /// The tests count on being the only ones who fork.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn the_end_of_one_fork_does_not_let_work_begin_while_another_goes_on() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, ended) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            // Registered twice, the handlers count once.
            before();
            before();
            let second = scope.spawn(|| {
                before();
                begun.wait();
                ended.wait();
                after();
            });
            begun.wait();
            after();
            let late = scope.spawn(|| drop(inside()));
            thread::sleep(Duration::from_millis(20));
            assert!(!late.is_finished(), "work began during the second fork");
            ended.wait();
            second.join().expect("the second fork ends");
            late.join().expect("it goes on after both");
        });
    }

    #[test]
    fn a_fork_waits_for_the_work_that_is_going_on_and_holds_up_the_next() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let done = AtomicBool::new(false);
        let begun = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _inside = inside();
                begun.store(true, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(80));
                let _nested = inside();
                done.store(true, Ordering::SeqCst);
            });
            while !begun.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            before();
            assert!(done.load(Ordering::SeqCst), "the fork went ahead");
            let late = scope.spawn(|| drop(inside()));
            thread::sleep(Duration::from_millis(20));
            assert!(!late.is_finished(), "work began during the fork");
            after();
            late.join().expect("it goes on after the fork");
        });
    }
}
