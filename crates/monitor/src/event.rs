//! From a call to the aggregation: an observer that puts what happened into a queue of fixed length and is done.
//!
//! The queue takes no lock. Where it is full an event is dropped and counted, so a program never waits for its monitor.

use crate::fork;
use crossbeam_queue::ArrayQueue;
use lapack_ai::observe::{CallEvent, Observer, Tally};
use lapack_ai::{Code, ElementType, Engine, Prediction, Times};
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Events that wait at most: a thread tells at most one in 0.1 ms, and the aggregation looks every 50 ms.
pub(crate) const QUEUE: usize = 8192;
/// How often the program is asked where a call was made.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Characters of a text that is kept.
const TEXT: usize = 240;

/// One call, without what it borrowed.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) operation: &'static str,
    pub(crate) dtype: ElementType,
    pub(crate) shape: [usize; 4],
    pub(crate) engine: Engine,
    pub(crate) device: Option<Arc<str>>,
    pub(crate) routine: &'static str,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) prediction: Option<Prediction>,
    /// `None` where nobody read the clock.
    pub(crate) times: Option<Times>,
    pub(crate) copied: usize,
    pub(crate) scratch: usize,
    pub(crate) moved: usize,
    pub(crate) rcond: Option<f64>,
    pub(crate) failure: Option<Code>,
    pub(crate) info: Option<i64>,
    pub(crate) warnings: Vec<Code>,
    pub(crate) text: String,
    pub(crate) thread: u64,
    pub(crate) caller: Option<String>,
    pub(crate) at: Instant,
}

/// What the queue holds.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Told(Box<Record>),
    Counted(Tally),
}

impl Item {
    /// Whether the library has looked for devices by now.
    pub(crate) fn knows_devices(&self) -> bool {
        matches!(self, Self::Told(record) if record.engine == Engine::OpenCl || record.prediction.is_some())
    }
}

/// Says where in the program the calling thread is, for people: `train.py:42 in step`.
pub type WhereAmI = fn() -> Option<String>;

/// The observer.
pub(crate) struct Recorder {
    queue: ArrayQueue<Item>,
    dropped: AtomicU64,
    started: Instant,
    process: u32,
    where_am_i: OnceLock<WhereAmI>,
    /// Nanoseconds after `started` before which nobody is asked where a call was made.
    next_look: AtomicU64,
}

thread_local! {
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

/// A small number for each thread.
fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    if THREAD.get() == 0 {
        THREAD.set(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    THREAD.get()
}

/// At most [`TEXT`] characters.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            queue: ArrayQueue::new(QUEUE),
            dropped: AtomicU64::new(0),
            started: Instant::now(),
            process: fork::process(),
            where_am_i: OnceLock::new(),
            next_look: AtomicU64::new(0),
        }
    }

    pub(crate) fn look_by(&self, where_am_i: WhereAmI) {
        let _ = self.where_am_i.set(where_am_i);
    }

    pub(crate) fn take(&self) -> Option<Item> {
        self.queue.pop()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn put(&self, item: Item) {
        let calls = if let Item::Counted(tally) = &item { tally.calls } else { 1 };
        // In a forked child there is nobody who would empty the queue.
        if self.process == fork::process() && self.queue.push(item).is_err() {
            self.dropped.fetch_add(calls, Ordering::Relaxed);
        }
    }

    /// Where the call was made, for some of them.
    fn caller(&self) -> Option<String> {
        let where_am_i = self.where_am_i.get()?;
        let now = self.started.elapsed().as_nanos() as u64;
        let due = self.next_look.load(Ordering::Relaxed);
        let next = now + LOOK_EVERY.as_nanos() as u64;
        let mine =
            now >= due && self.next_look.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        mine.then(where_am_i)?.map(|text| shortened(&text))
    }
}

impl Observer for Recorder {
    fn call(&self, event: &CallEvent<'_>) {
        let report = event.report;
        let moved = report.spans.iter().map(|span| span.bytes).sum();
        let text =
            event.error.or(report.warnings.first()).map_or_else(String::new, |told| shortened(&told.to_string()));
        self.put(Item::Told(Box::new(Record {
            operation: report.operation,
            dtype: report.dtype,
            shape: [report.rows, report.cols, report.inner, report.batch],
            engine: report.engine,
            device: report.device.clone(),
            routine: report.routine,
            reason: report.reason.clone(),
            prediction: report.prediction,
            times: (!report.times.total.is_zero()).then_some(report.times),
            copied: report.bytes_copied,
            scratch: report.scratch,
            moved,
            rcond: report.rcond,
            failure: event.error.map(lapack_ai::Error::code),
            info: event.error.and_then(lapack_ai::Error::info),
            warnings: report.warnings.iter().map(lapack_ai::Error::code).collect(),
            text,
            thread: thread_number(),
            caller: self.caller(),
            at: Instant::now(),
        })));
    }

    fn samples(&self) -> bool {
        true
    }

    fn counted(&self, tally: &Tally) {
        self.put(Item::Counted(*tally));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapack_ai::{DType, Report};

    fn call(recorder: &Recorder) {
        let report = Report::new("solve", DType::Float64, 4, 4, 1);
        recorder.call(&CallEvent { report: &report, error: None });
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_goes_on_when_it_is_emptied() {
        let recorder = Recorder::new();
        (0..QUEUE + 5).for_each(|_| call(&recorder));
        assert_eq!(recorder.dropped(), 5);
        assert!(recorder.take().is_some());
        call(&recorder);
        assert_eq!(recorder.dropped(), 5);
        assert_eq!(std::iter::from_fn(|| recorder.take()).count(), QUEUE);
    }

    #[test]
    fn the_program_is_asked_where_it_is_once_in_fifty_milliseconds_and_not_at_every_call() {
        let recorder = Recorder::new();
        recorder.look_by(|| Some("train.py:42".into()));
        (0..1000).for_each(|_| call(&recorder));
        let looked = std::iter::from_fn(|| recorder.take());
        let looked = looked.filter(|item| matches!(item, Item::Told(record) if record.caller.is_some())).count();
        assert!((1..=20).contains(&looked), "{looked} of 1000");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened(&"é".repeat(300)), format!("{}...", "é".repeat(TEXT)));
        assert_eq!(shortened("short"), "short");
    }
}
