//! Keeps calls away from a device that fails, and finds out by itself when it works again.
//!
//! A circuit breaker, one for each device. Closed, every call may use the device. After `limit` failures in a row it
//! opens: nobody may, and no call pays for a time-out again. After `wait` it is half-open: exactly one call may try.
//! Its success closes the breaker, its failure opens it for another `wait`; a call that ends without a verdict (an
//! error in its own arguments, a panic) leaves the next one to try.
//!
//! A closed breaker costs a call one relaxed load. The time is an argument, so that tests need not wait.
//!
//! Source: Nygard, Release It!, 2nd ed., section 5.2.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The breaker of one device.
#[derive(Debug)]
pub struct Breaker {
    limit: u32,
    wait: Duration,
    /// Closed, and the last call was a success: nothing needs the lock.
    healthy: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    failures: u32,
    /// When it may be tried again; `None` while closed.
    next_try: Option<Instant>,
    /// Whether a call is trying now.
    probing: bool,
    last_failure: Option<String>,
}

/// Leave to use the device once. What became of it is said with [`Permit::succeeded`] or [`Permit::failed`].
#[derive(Debug)]
#[must_use = "say what became of the call"]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

/// How a breaker stands. Prints as `closed`, `open, next try in 212 s` or `half-open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls use the device.
    Closed,
    /// Calls do not use the device.
    Open {
        /// Time until one call may try it.
        next_try: Duration,
    },
    /// The next call tries the device, or one is trying it now.
    HalfOpen,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Closed => f.write_str("closed"),
            // Rounded up: "0 s" would say that it is half-open already.
            State::Open { next_try } => write!(f, "open, next try in {} s", next_try.as_secs_f64().ceil()),
            State::HalfOpen => f.write_str("half-open"),
        }
    }
}

impl Breaker {
    /// A closed breaker that opens after `limit` failures in a row (at least 1) for `wait`.
    pub fn new(limit: u32, wait: Duration) -> Self {
        Self { limit: limit.max(1), wait, healthy: AtomicBool::new(true), inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leave to use the device at time `now`; `None` where the call must do without it.
    #[inline]
    pub fn permit(&self, now: Instant) -> Option<Permit<'_>> {
        if self.healthy.load(Ordering::Relaxed) {
            return Some(Permit { breaker: self, probe: false });
        }
        self.permit_in_doubt(now)
    }

    #[cold]
    fn permit_in_doubt(&self, now: Instant) -> Option<Permit<'_>> {
        let mut inner = self.inner();
        let Some(next_try) = inner.next_try else {
            return Some(Permit { breaker: self, probe: false });
        };
        if now < next_try || inner.probing {
            return None;
        }
        inner.probing = true;
        Some(Permit { breaker: self, probe: true })
    }

    /// Closes it at once.
    pub fn reset(&self) {
        let mut inner = self.inner();
        (inner.failures, inner.next_try) = (0, None);
        self.healthy.store(true, Ordering::Relaxed);
    }

    /// How it stands at time `now`.
    pub fn state(&self, now: Instant) -> State {
        match self.inner().next_try {
            None => State::Closed,
            Some(next_try) if now < next_try => State::Open { next_try: next_try - now },
            Some(_) => State::HalfOpen,
        }
    }

    /// What the last failure was, in its own words; `None` where there was none yet. It outlives a later success.
    pub fn last_failure(&self) -> Option<String> {
        self.inner().last_failure.clone()
    }
}

impl Permit<'_> {
    /// The device did its work.
    #[inline]
    pub fn succeeded(mut self) {
        if self.probe || !self.breaker.healthy.load(Ordering::Relaxed) {
            self.settle(None);
        }
    }

    /// The device failed at time `now`; `why` is kept for people.
    #[cold]
    pub fn failed(mut self, now: Instant, why: impl Into<String>) {
        self.settle(Some((now, why.into())));
    }

    fn settle(&mut self, failure: Option<(Instant, String)>) {
        let breaker = self.breaker;
        let mut inner = breaker.inner();
        // A call that was let in before the breaker opened says nothing about the device of now.
        let counts = self.probe || inner.next_try.is_none();
        match failure {
            None if counts => {
                (inner.failures, inner.next_try) = (0, None);
                breaker.healthy.store(true, Ordering::Relaxed);
            }
            None => {}
            Some((now, why)) => {
                inner.last_failure = Some(why);
                breaker.healthy.store(false, Ordering::Relaxed);
                inner.failures = inner.failures.saturating_add(1);
                if counts && (self.probe || inner.failures >= breaker.limit) {
                    inner.next_try = Some(now + breaker.wait);
                }
            }
        }
        if self.probe {
            inner.probing = false;
            self.probe = false;
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.inner().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(300);

    fn fail(breaker: &Breaker, now: Instant) {
        breaker.permit(now).expect("leave").failed(now, "out of resources");
    }

    fn open(now: Instant) -> Breaker {
        let breaker = Breaker::new(3, WAIT);
        (0..3).for_each(|_| fail(&breaker, now));
        breaker
    }

    #[test]
    fn it_opens_after_the_limit_of_failures_in_a_row_and_says_when_the_next_try_is() {
        let now = Instant::now();
        let breaker = Breaker::new(3, WAIT);
        assert_eq!((breaker.state(now).to_string(), breaker.last_failure()), ("closed".into(), None));
        (0..2).for_each(|_| fail(&breaker, now));
        assert_eq!(breaker.state(now), State::Closed);
        fail(&breaker, now);
        assert!(breaker.permit(now).is_none());
        let later = now + Duration::from_millis(88_500);
        assert_eq!(breaker.state(later).to_string(), "open, next try in 212 s");
        assert_eq!(breaker.last_failure().unwrap(), "out of resources");
    }

    #[test]
    fn a_success_in_between_starts_the_count_anew() {
        let now = Instant::now();
        let breaker = Breaker::new(3, WAIT);
        (0..2).for_each(|_| fail(&breaker, now));
        breaker.permit(now).unwrap().succeeded();
        (0..2).for_each(|_| fail(&breaker, now));
        assert_eq!(breaker.state(now), State::Closed);
    }

    #[test]
    fn half_open_lets_exactly_one_call_try_and_its_success_closes() {
        let now = Instant::now();
        let breaker = open(now);
        let later = now + WAIT;
        assert_eq!(breaker.state(later).to_string(), "half-open");
        let probe = breaker.permit(later).expect("one may try");
        assert!(breaker.permit(later).is_none(), "a second one may not");
        probe.succeeded();
        assert_eq!(breaker.state(later), State::Closed);
        (0..2).for_each(|_| fail(&breaker, later));
        assert_eq!(breaker.state(later), State::Closed, "the count began at zero");
    }

    #[test]
    fn a_failed_try_opens_for_another_wait() {
        let now = Instant::now();
        let breaker = open(now);
        fail(&breaker, now + WAIT);
        assert_eq!(breaker.state(now + WAIT), State::Open { next_try: WAIT });
        assert!(breaker.permit(now + WAIT * 2 - Duration::from_secs(1)).is_none());
        assert!(breaker.permit(now + WAIT * 2).is_some());
    }

    #[test]
    fn a_try_without_a_verdict_leaves_the_next_call_to_try() {
        let now = Instant::now();
        let breaker = open(now);
        drop(breaker.permit(now + WAIT).expect("one may try"));
        assert_eq!(breaker.state(now + WAIT), State::HalfOpen);
        assert!(breaker.permit(now + WAIT).is_some());
    }

    #[test]
    fn a_call_from_before_the_opening_neither_closes_nor_prolongs_it() {
        let now = Instant::now();
        let breaker = Breaker::new(1, WAIT);
        let (early, other) = (breaker.permit(now).unwrap(), breaker.permit(now).unwrap());
        fail(&breaker, now);
        early.succeeded();
        other.failed(now + WAIT / 2, "late");
        assert_eq!(breaker.state(now), State::Open { next_try: WAIT });
    }

    #[test]
    fn of_many_threads_at_once_one_gets_to_try() {
        let now = Instant::now();
        let breaker = open(now);
        let permits: Vec<_> = std::thread::scope(|scope| {
            let ask = || scope.spawn(|| breaker.permit(now + WAIT));
            let threads: Vec<_> = (0..8).map(|_| ask()).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(permits.len(), 1);
    }
}
