//! What the device did, timed by the device: one span for each kernel and each transfer of a traced call.
//!
//! A trace belongs to the thread that began it; threads that work for the same call are given it by [`Trace::enter`].

use crate::gpu::Event;
use crate::pool::lock;
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

/// One command, in seconds after the first command of the trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The kernel's name, `upload` or `download`.
    pub name: &'static str,
    /// When it began.
    pub start: f64,
    /// How long it ran; a transfer of several chunks from the first one's start to the last one's end.
    pub seconds: f64,
    /// Bytes moved by a transfer; 0 for a kernel.
    pub bytes: usize,
}

struct Mark {
    name: &'static str,
    events: Vec<Arc<Event>>,
    bytes: usize,
}

/// The commands of one call.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<Mark>>>);

thread_local! {
    static CURRENT: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

impl Trace {
    /// The trace that this thread writes to, if one is being taken.
    pub fn current() -> Option<Trace> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `work`, whose commands on this thread are written to this trace.
    pub fn enter<R>(&self, work: impl FnOnce() -> R) -> R {
        let former = CURRENT.replace(Some(self.clone()));
        let result = work();
        CURRENT.set(former);
        result
    }

    /// The spans, in the order of their starts. Commands that have not ended yet, or that the driver did not time, are
    /// left out.
    pub fn spans(&self) -> Vec<Span> {
        let marks = lock(&self.0);
        let timed = |mark: &Mark| -> Option<(&'static str, u64, u64, usize)> {
            let times: Vec<(u64, u64)> = mark.events.iter().filter_map(|event| event.device_times()).collect();
            let start = times.iter().map(|time| time.0).min()?;
            Some((mark.name, start, times.iter().map(|time| time.1).max()?, mark.bytes))
        };
        let mut timed: Vec<_> = marks.iter().filter_map(timed).collect();
        timed.sort_by_key(|span| span.1);
        let origin = timed.first().map_or(0, |span| span.1);
        let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 * 1e-9;
        let span = |&(name, start, end, bytes): &(&'static str, u64, u64, usize)| Span {
            name,
            start: seconds(origin, start),
            seconds: seconds(start, end),
            bytes,
        };
        timed.iter().map(span).collect()
    }
}

/// Whether this thread takes a trace.
pub(crate) fn is_taken() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// Writes a command to this thread's trace, if there is one.
pub(crate) fn note(name: &'static str, events: impl FnOnce() -> Vec<Arc<Event>>, bytes: usize) {
    CURRENT.with_borrow(|trace| {
        if let Some(trace) = trace {
            lock(&trace.0).push(Mark { name, events: events(), bytes });
        }
    });
}
