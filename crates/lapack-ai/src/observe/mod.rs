//! The seam for whoever watches: dashboards, loggers, tests.
//!
//! The library emits one event a call and knows nothing of who listens. With nobody listening a call pays one relaxed
//! atomic load. An observer is told of every call, or, if it [samples](Observer::samples), of as many as cost a negligible
//! part of the time, and of the number of the others (`tally`): a solve of order 4 takes less than a microsecond, and reading
//! the clock alone would be felt.

mod tally;

use crate::Report;
use crate::fork;
use crate::report::Engine;
use lapack_ai_core::{ElementType, Error};
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// One finished call.
#[derive(Debug)]
pub struct CallEvent<'a> {
    /// What it did. Times are filled in, but for a call of which a sampling observer is told only because it failed or
    /// warned.
    pub report: &'a Report,
    /// Why it failed, if it did.
    pub error: Option<&'a Error>,
}

/// Calls of one thread that were counted and not told one by one: each ended well, without a warning, and each is like the
/// last one told of the same operation, type and shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tally {
    /// The operation.
    pub operation: &'static str,
    /// Element type.
    pub dtype: ElementType,
    /// Rows of each matrix.
    pub rows: usize,
    /// Columns of each matrix.
    pub cols: usize,
    /// As in [`Report::inner`].
    pub inner: usize,
    /// Number of matrices of each call.
    pub batch: usize,
    /// Who computed.
    pub engine: Engine,
    /// How many calls.
    pub calls: u64,
    /// The smallest rcond among them; `None` where the operation gives none.
    pub rcond: Option<f64>,
}

/// Someone who is told of every call. Called on the thread that made the call, after the result is complete; it should
/// be quick and must not panic.
pub trait Observer: Send + Sync {
    /// A call has ended.
    fn call(&self, event: &CallEvent<'_>);

    /// Whether it is enough to be told of some of the calls that take less than 0.1 ms, and of the number of the others. Every
    /// failure and every warning is told all the same. If another observer wants every call, this one gets them too.
    fn samples(&self) -> bool {
        false
    }

    /// Calls that were counted since the last time; for observers that sample. Comes when [`tell_counts`] is called, and
    /// when a thread goes on to other calls or ends.
    fn counted(&self, tally: &Tally) {
        let _ = tally;
    }
}

const OFF: u8 = 0;
const EVERY: u8 = 1;
const SAMPLED: u8 = 2;

type Observers = Arc<Vec<(u64, Arc<dyn Observer>)>>;

static MODE: AtomicU8 = AtomicU8::new(OFF);
static OBSERVERS: RwLock<Option<Observers>> = RwLock::new(None);

thread_local! {
    /// Calls of [`unobserved`] that this thread is in.
    static HIDDEN: Cell<usize> = const { Cell::new(0) };
}

/// Keeps an observer subscribed until it is dropped.
#[derive(Debug)]
#[must_use = "the observer is unsubscribed when this is dropped"]
pub struct Subscription {
    id: u64,
}

/// Puts another list in the place of the observers', and says how they want to be told.
fn replace(change: impl FnOnce(&mut Vec<(u64, Arc<dyn Observer>)>)) -> Option<Observers> {
    let mut current = OBSERVERS.write().unwrap_or_else(PoisonError::into_inner);
    let mut list = current.as_deref().cloned().unwrap_or_default();
    change(&mut list);
    let mode = match list.iter().all(|(_, observer)| observer.samples()) {
        _ if list.is_empty() => OFF,
        true => SAMPLED,
        false => EVERY,
    };
    tally::change_audience();
    MODE.store(mode, Ordering::Relaxed);
    current.replace(Arc::new(list))
}

/// Tells `observer` of calls from now on.
pub fn subscribe(observer: Arc<dyn Observer>) -> Subscription {
    // What was counted until now is not this one's.
    tell_counts();
    let _inside = fork::inside();
    let mut id = 1;
    replace(|list| {
        id = list.last().map_or(1, |(last, _)| last + 1);
        list.push((id, observer));
    });
    Subscription { id }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        tell_counts();
        let inside = fork::inside();
        let former = replace(|list| list.retain(|(id, _)| *id != self.id));
        drop(inside);
        // An observer's own end may compute, and so come back here.
        drop(former);
    }
}

/// Whether anybody listens.
#[inline]
pub fn is_observed() -> bool {
    MODE.load(Ordering::Relaxed) != OFF
}

/// Runs `work`, whose calls nobody is told of: for observers that measure something themselves.
pub fn unobserved<R>(work: impl FnOnce() -> R) -> R {
    struct Shown;
    impl Drop for Shown {
        fn drop(&mut self) {
            HIDDEN.set(HIDDEN.get() - 1);
        }
    }
    HIDDEN.set(HIDDEN.get() + 1);
    let _shown = Shown;
    work()
}

/// What was counted before a fork is the parent's.
#[cfg(unix)]
pub(crate) fn in_child() {
    tally::forget();
}

/// Tells the observers that sample what was counted by all threads until now.
pub fn tell_counts() {
    let tallies = {
        let _inside = fork::inside();
        tally::take_all()
    };
    tell_of(&tallies);
}

fn tell_of(tallies: &[Tally]) {
    if tallies.is_empty() {
        return;
    }
    for (_, observer) in observers().iter().flat_map(|list| list.iter()) {
        for tally in tallies {
            observer.counted(tally);
        }
    }
}

/// Outside the lock, so that an observer may subscribe, unsubscribe or compute.
fn observers() -> Option<Observers> {
    let _inside = fork::inside();
    OBSERVERS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// How one call is watched, from its beginning to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watch {
    /// Nobody listens.
    Off,
    /// It is told, and timed.
    Told,
    /// As `Told`, and it says how many of its kind are counted next.
    Sampled(tally::Place, ElementType),
    /// It is counted.
    Counted(tally::Place),
}

impl Watch {
    /// Whether the call is timed.
    #[inline]
    pub(crate) fn is_timed(self) -> bool {
        matches!(self, Watch::Told | Watch::Sampled(..))
    }

    /// Whether its phases are. Those of each matrix of a batch would cost more than a small matrix itself.
    #[inline]
    pub(crate) fn has_phases(self, (rows, cols, batch): (usize, usize, usize)) -> bool {
        self.is_timed() && (batch <= 1 || rows * cols >= 1024)
    }
}

/// Begins to watch a call.
#[inline]
pub(crate) fn begin(operation: &'static str, dtype: impl Into<ElementType>, shape: (usize, usize, usize)) -> Watch {
    match MODE.load(Ordering::Relaxed) {
        OFF => Watch::Off,
        _ if HIDDEN.get() > 0 => Watch::Off,
        SAMPLED => tally::begin(operation, dtype.into(), shape),
        _ => Watch::Told,
    }
}

/// Ends it: tells everybody, or counts.
#[inline]
pub(crate) fn end(watch: Watch, report: &Report, error: Option<&Error>) {
    match watch {
        Watch::Off => {}
        Watch::Counted(place) if error.is_none() && report.warnings.is_empty() && tally::count(place, report) => {}
        _ => tell(watch, &CallEvent { report, error }),
    }
}

#[cold]
fn tell(watch: Watch, event: &CallEvent<'_>) {
    if let Watch::Sampled(place, dtype) = watch {
        let passed = {
            let _inside = fork::inside();
            tally::settle(place, dtype, event.report)
        };
        tell_of(passed.as_slice());
    }
    for (_, observer) in observers().iter().flat_map(|list| list.iter()) {
        observer.call(event);
    }
}
