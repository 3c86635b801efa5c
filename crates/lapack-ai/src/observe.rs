//! The seam for whoever watches: dashboards, loggers, tests.
//!
//! The library emits one event a call and knows nothing of who listens. With nobody listening a call pays one relaxed
//! atomic load, in [`is_observed`].

use crate::Report;
use crate::fork;
use lapack_ai_core::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// One finished call.
#[derive(Debug)]
pub struct CallEvent<'a> {
    /// What it did; times are filled in.
    pub report: &'a Report,
    /// Why it failed, if it did.
    pub error: Option<&'a Error>,
}

/// Someone who is told of every call. Called on the thread that made the call, after the result is complete; it should
/// be quick and must not panic.
pub trait Observer: Send + Sync {
    /// A call has ended.
    fn call(&self, event: &CallEvent<'_>);
}

static OBSERVED: AtomicBool = AtomicBool::new(false);
static OBSERVERS: RwLock<Vec<(u64, Arc<dyn Observer>)>> = RwLock::new(Vec::new());

/// Keeps an observer subscribed until it is dropped.
#[derive(Debug)]
#[must_use = "the observer is unsubscribed when this is dropped"]
pub struct Subscription {
    id: u64,
}

/// Tells `observer` of every call from now on.
pub fn subscribe(observer: Arc<dyn Observer>) -> Subscription {
    let _inside = fork::inside();
    let mut observers = OBSERVERS.write().unwrap_or_else(PoisonError::into_inner);
    let id = observers.last().map_or(1, |(last, _)| last + 1);
    observers.push((id, observer));
    OBSERVED.store(true, Ordering::Relaxed);
    Subscription { id }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let inside = fork::inside();
        let mut observers = OBSERVERS.write().unwrap_or_else(PoisonError::into_inner);
        let position = observers.iter().position(|(id, _)| *id == self.id);
        let removed = position.map(|position| observers.remove(position));
        OBSERVED.store(!observers.is_empty(), Ordering::Relaxed);
        // An observer's own end may compute, and so come back here.
        drop(observers);
        drop(inside);
        drop(removed);
    }
}

/// Whether anybody listens.
#[inline]
pub fn is_observed() -> bool {
    OBSERVED.load(Ordering::Relaxed)
}

/// Tells everybody. Outside the lock, so that an observer may subscribe, unsubscribe or compute.
#[cold]
pub(crate) fn emit(event: &CallEvent<'_>) {
    let observers: Vec<Arc<dyn Observer>> = {
        let _inside = fork::inside();
        let observers = OBSERVERS.read().unwrap_or_else(PoisonError::into_inner);
        observers.iter().map(|(_, observer)| Arc::clone(observer)).collect()
    };
    for observer in observers {
        observer.call(event);
    }
}
