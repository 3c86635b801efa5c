//! Threads that copy for all transfers of a device.
//!
//! A transfer has a piece to be copied every few ten microseconds, and ends with the last of them: work is handed to threads that
//! stay awake for a while after their last piece, whichever transfer it was from. (A general pool of threads puts them to sleep
//! in between and is late at every piece.)

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Looks that a thread takes for something to copy before it sleeps.
const AWAKE: usize = 100;

type Job = Box<dyn FnOnce() + Send>;

/// The threads; they end with the value.
pub(crate) struct Copiers(Sender<Job>);

/// What a caller has given to the threads and waits for.
pub(crate) struct Scope<'pool, 'env> {
    jobs: &'pool Sender<Job>,
    unfinished: Arc<AtomicUsize>,
    /// Work may borrow what lives as long as 'env, which must not shrink.
    env: PhantomData<&'env mut &'env ()>,
}

impl Copiers {
    /// `count` threads, or as many as the system gives; none if it gives none.
    pub(crate) fn new(count: usize) -> Option<Self> {
        let (sender, receiver) = unbounded();
        let started = (0..count).filter(|index| {
            let jobs = receiver.clone();
            let thread = thread::Builder::new().name(format!("lapack-ai-copy-{index}"));
            thread.spawn(move || work(&jobs)).is_ok()
        });
        (started.count() > 0).then_some(Self(sender))
    }

    /// Runs `body`, which may give work to the threads, and waits for that.
    pub(crate) fn scope<'env, R>(&self, body: impl FnOnce(&Scope<'_, 'env>) -> R) -> R {
        body(&Scope { jobs: &self.0, unfinished: Arc::default(), env: PhantomData })
    }
}

impl<'env> Scope<'_, 'env> {
    /// Gives the threads something to do; a panic in it is dropped.
    pub(crate) fn spawn(&self, job: impl FnOnce() + Send + 'env) {
        self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.unfinished.clone();
        let job = move || {
            // The work and all that it borrows is gone when the count falls.
            drop(catch_unwind(AssertUnwindSafe(job)));
            unfinished.fetch_sub(1, Ordering::Release);
        };
        // SAFETY: the scope waits for its work before anything that the work borrows can end.
        let job = unsafe { forever(Box::new(job)) };
        self.jobs.send(job).unwrap_or_else(|_| unreachable!("the threads outlive the sender"));
    }
}

impl Drop for Scope<'_, '_> {
    fn drop(&mut self) {
        // Also when `body` panics.
        while self.unfinished.load(Ordering::Acquire) > 0 {
            pause();
        }
    }
}

/// # Safety
/// The work must have been done and dropped before 'env ends.
unsafe fn forever<'env>(job: Box<dyn FnOnce() + Send + 'env>) -> Job {
    // SAFETY: the types differ in their lifetimes only, for which the caller answers.
    unsafe { std::mem::transmute::<Box<dyn FnOnce() + Send + 'env>, Job>(job) }
}

fn work(jobs: &Receiver<Job>) {
    let mut looks = 0;
    loop {
        let job = match jobs.try_recv() {
            Ok(job) => job,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) if looks < AWAKE => {
                looks += 1;
                pause();
                continue;
            }
            Err(TryRecvError::Empty) => match jobs.recv() {
                Ok(job) => job,
                Err(_) => return,
            },
        };
        looks = 0;
        job();
    }
}

/// Between two looks for what has ended or has to be done.
pub(crate) fn pause() {
    for _ in 0..50 {
        std::hint::spin_loop();
    }
    thread::yield_now();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn work_that_borrows_is_done_before_its_scope_ends() {
        let copiers = Copiers::new(3).unwrap();
        for round in 0..100 {
            let sums: Vec<AtomicUsize> = (0..7).map(|_| AtomicUsize::new(0)).collect();
            copiers.scope(|scope| {
                for sum in &sums {
                    scope.spawn(move || {
                        thread::sleep(Duration::from_micros(round));
                        sum.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
            assert!(sums.iter().all(|sum| sum.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn a_panic_in_the_work_or_its_scope_leaves_the_threads_alive() {
        let copiers = Copiers::new(1).unwrap();
        let done = AtomicUsize::new(0);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            copiers.scope(|scope| {
                scope.spawn(|| panic!("in the work"));
                scope.spawn(|| {
                    thread::sleep(Duration::from_millis(5));
                    done.fetch_add(1, Ordering::Relaxed);
                });
                panic!("in the scope");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(done.load(Ordering::Relaxed), 1);
        copiers.scope(|scope| {
            scope.spawn(|| {
                done.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!(done.load(Ordering::Relaxed), 2);
    }
}
