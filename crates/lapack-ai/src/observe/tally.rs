//! Counting calls instead of telling of each.
//!
//! Each thread has a few places, found by a hash of operation, type and shape. A place knows one kind of calls and how many
//! of them are still to be counted before the next is timed and told: after one that took t seconds about `0.1 ms / t`, up to
//! [`MOST`], and with some jitter so that no pattern of the program is met in step. So at most one call in 0.1 ms of a thread
//! is told, which costs it less than one percent.
//!
//! What is told and what is counted add up to the calls made: a place is emptied to the observers before it goes to another
//! kind, when its thread ends, and whenever somebody asks for the counts.

use super::{Tally, Watch, tell_of};
use crate::Report;
use crate::fork;
use crate::report::Engine;
use lapack_ai_core::ElementType;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Kinds of calls that a thread can count at a time.
const PLACES: usize = 16;
/// Nanoseconds of calls for which one is told.
const PERIOD: u64 = 100_000;
/// Most calls that are counted in a row.
const MOST: u64 = 1000;
/// The bits of no rcond: larger than those of any number from 0 to 1, whose bits are ordered as they are.
const NO_RCOND: u64 = u64::MAX;

/// Number of a thread's place.
pub(crate) type Place = usize;

/// What calls of one kind have in common.
#[derive(Clone, Copy, PartialEq)]
struct Kind {
    operation: &'static str,
    /// The type that the call began with; 16-bit types begin as what they are summed in.
    begun: ElementType,
    dtype: ElementType,
    shape: (usize, usize, usize),
    inner: usize,
    engine: Engine,
}

/// What others than the thread look at.
struct Counter {
    calls: AtomicU64,
    /// Bits of the least rcond.
    rcond: AtomicU64,
    /// Changed by the thread only, which needs the lock for that alone.
    kind: Mutex<Option<Kind>>,
}

#[repr(align(128))]
struct Counters([Counter; PLACES]);

impl Counter {
    /// What was counted since the last time, under the lock that keeps the kind.
    fn take(&self, kind: &MutexGuard<'_, Option<Kind>>) -> Option<Tally> {
        let kind = kind.as_ref()?;
        let calls = self.calls.swap(0, Ordering::Relaxed);
        let rcond = self.rcond.swap(NO_RCOND, Ordering::Relaxed);
        let rcond = (rcond != NO_RCOND).then(|| f64::from_bits(rcond));
        let Kind { operation, dtype, shape: (rows, cols, batch), inner, engine, .. } = *kind;
        (calls > 0).then_some(Tally { operation, dtype, rows, cols, inner, batch, engine, calls, rcond })
    }
}

/// The counters of all threads that there are or were; those of ended threads are given to new ones.
struct Registry {
    all: Vec<&'static Counters>,
    free: Vec<&'static Counters>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { all: Vec::new(), free: Vec::new() });

/// Changes with the observers: who comes new is told one call of each kind before others are counted.
static AUDIENCE: AtomicU64 = AtomicU64::new(0);

/// Others listen from now on.
pub(super) fn change_audience() {
    AUDIENCE.fetch_add(1, Ordering::Relaxed);
}

/// What the thread alone looks at: the kind, the calls until the next is told, and for whom.
#[derive(Clone, Copy)]
struct Mine {
    kind: Kind,
    left: u64,
    audience: u64,
}

thread_local! {
    static MINE: [Cell<Option<Mine>>; PLACES] = const { [const { Cell::new(None) }; PLACES] };
    static COUNTERS: Cell<Option<&'static Counters>> = const { Cell::new(None) };
    static JITTER: Cell<u64> = const { Cell::new(0x9E37_79B9_7F4A_7C15) };
    /// Gives the counters back at the thread's end.
    static LEAVE: Leave = const { Leave };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        let Some(counters) = COUNTERS.take() else { return };
        let tallies: Vec<Tally> = {
            let _inside = fork::inside();
            let tallies = counters.0.iter().filter_map(|counter| {
                let mut kind = lock(&counter.kind);
                let tally = counter.take(&kind);
                *kind = None;
                tally
            });
            let tallies = tallies.collect();
            lock(&REGISTRY).free.push(counters);
            tallies
        };
        tell_of(&tallies);
    }
}

#[cold]
fn new_counters() -> &'static Counters {
    let _inside = fork::inside();
    let mut registry = lock(&REGISTRY);
    let counters = registry.free.pop().unwrap_or_else(|| {
        let counter = || Counter { calls: AtomicU64::new(0), rcond: AtomicU64::new(NO_RCOND), kind: Mutex::new(None) };
        let counters: &'static Counters = Box::leak(Box::new(Counters(std::array::from_fn(|_| counter()))));
        registry.all.push(counters);
        counters
    });
    COUNTERS.set(Some(counters));
    LEAVE.with(|_| ());
    counters
}

/// Decides whether a call is counted or told.
#[inline]
pub(super) fn begin(operation: &'static str, dtype: ElementType, shape: (usize, usize, usize)) -> Watch {
    let (rows, cols, batch) = shape;
    let mix = (operation.as_ptr().addr() >> 2)
        .wrapping_add(rows.wrapping_mul(5))
        .wrapping_add(cols.wrapping_mul(3))
        .wrapping_add(batch.wrapping_mul(7))
        .wrapping_add(dtype.size());
    let place = (mix ^ (mix >> 4) ^ (mix >> 8)) % PLACES;
    MINE.with(|mine| match mine[place].get() {
        Some(Mine { kind, left: left @ 1.., audience })
            if same(&kind, operation, dtype, shape) && audience == AUDIENCE.load(Ordering::Relaxed) =>
        {
            mine[place].set(Some(Mine { kind, left: left - 1, audience }));
            Watch::Counted(place)
        }
        _ => Watch::Sampled(place, dtype),
    })
}

/// Names of operations are constants, so that equal ones nearly always lie at one address; where not, the call is told.
#[inline]
fn same(kind: &Kind, operation: &'static str, dtype: ElementType, shape: (usize, usize, usize)) -> bool {
    std::ptr::eq(kind.operation, operation) && kind.begun == dtype && kind.shape == shape
}

/// Counts a call that ended well; `false` if it is not of the place's kind after all.
#[inline]
pub(super) fn count(place: Place, report: &Report) -> bool {
    let kind = MINE.with(|mine| mine[place].get());
    let Some((counters, kind)) = COUNTERS.get().zip(kind.map(|mine| mine.kind)) else { return false };
    // A call within the call may have taken the place; engine and inner size are known only now.
    if kind.engine != report.engine || kind.inner != report.inner || !std::ptr::eq(kind.operation, report.operation) {
        return false;
    }
    let counter = &counters.0[place];
    if let Some(bits) = report.rcond.filter(|rcond| *rcond >= 0.0).map(f64::to_bits)
        && bits < counter.rcond.load(Ordering::Relaxed)
    {
        counter.rcond.fetch_min(bits, Ordering::Relaxed);
    }
    counter.calls.fetch_add(1, Ordering::Relaxed);
    true
}

/// Takes up what a told call says about the next ones. Returns what the place had counted of another kind.
#[cold]
pub(super) fn settle(place: Place, begun: ElementType, report: &Report) -> Option<Tally> {
    let counters = COUNTERS.get().unwrap_or_else(new_counters);
    let shape = (report.rows, report.cols, report.batch);
    let (dtype, inner, engine) = (report.dtype, report.inner, report.engine);
    let kind = Kind { operation: report.operation, begun, dtype, shape, inner, engine };
    let former = MINE.with(|mine| mine[place].get());
    let mut passed = None;
    if former.is_none_or(|former| former.kind != kind) {
        let counter = &counters.0[place];
        let mut shared = lock(&counter.kind);
        passed = counter.take(&shared);
        *shared = Some(kind);
    }
    let nanoseconds = report.times.total.as_nanos().clamp(1, u128::from(u64::MAX)) as u64;
    let mean = (PERIOD / nanoseconds).min(MOST);
    let audience = AUDIENCE.load(Ordering::Relaxed);
    let mine = Mine { kind, left: mean / 2 + jitter() % (mean + 1), audience };
    MINE.with(|all| all[place].set(Some(mine)));
    passed
}

/// A pseudo-random number.
fn jitter() -> u64 {
    let mut state = JITTER.get();
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    JITTER.set(state);
    state >> 16
}

/// What all threads have counted since the last time.
pub(super) fn take_all() -> Vec<Tally> {
    let registry = lock(&REGISTRY);
    let counters = registry.all.iter().flat_map(|counters| &counters.0);
    counters.filter_map(|counter| counter.take(&lock(&counter.kind))).collect()
}

/// Drops what was counted, in a forked child: no lock that the parent's threads may have held is waited for.
#[cfg(unix)]
pub(super) fn forget() {
    let Ok(registry) = REGISTRY.try_lock() else { return };
    for counter in registry.all.iter().flat_map(|counters| &counters.0) {
        counter.calls.store(0, Ordering::Relaxed);
        counter.rcond.store(NO_RCOND, Ordering::Relaxed);
    }
}
