//! The memory pool of one device.
//!
//! A buffer that is given back is kept for the next request of its size class, since a driver takes some 100 us to
//! allocate and clear one. Size classes are eighths of a power of two, so at most 1/8 of a block is unused; before a new
//! buffer is made, idle ones beyond 1/8 of what is in use (or beyond a floor that keeps small programs from allocating at
//! all) are released. Under load more than 80 % of the pool is therefore in use.
//!
//! A block knows the last kernel that was given it. Kernels run in one in-order queue; a transfer, which has a queue of its
//! own, waits for that kernel first. So a block may be given back while a kernel still works on it.

use crate::fault::{Fault, FaultKind, check, injected};
use crate::gpu::{Event, Shared};
use crate::handle::{Handle, RawBuffer};
use opencl3::memory::{CL_MEM_READ_WRITE, create_buffer};
use std::collections::BTreeMap;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Smallest size class in bytes.
const SMALLEST: usize = 512;
/// Idle bytes that are never released for the sake of the ratio.
const IDLE_FLOOR: usize = 64 << 20;

/// What a pool holds, in bytes unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// What the blocks in use were asked for.
    pub requested: usize,
    /// What the blocks in use occupy.
    pub used: usize,
    /// What is kept for the next request.
    pub idle: usize,
    /// The most that `used` has been.
    pub high_water: usize,
    /// The most that `used + idle` may be.
    pub limit: usize,
    /// Buffers made, in number.
    pub allocations: usize,
    /// Requests served from what was idle, in number.
    pub reuses: usize,
}

impl PoolStats {
    /// The part of the pool's memory that callers asked for; 1 for an empty pool.
    pub fn utilisation(&self) -> f64 {
        match self.used + self.idle {
            0 => 1.0,
            held => self.requested as f64 / held as f64,
        }
    }
}

struct Idle {
    buffer: Handle<RawBuffer>,
    last: Option<Arc<Event>>,
    /// When it was given back: the oldest is released first.
    stamp: u64,
}

#[derive(Default)]
struct State {
    idle: BTreeMap<usize, Vec<Idle>>,
    stats: PoolStats,
    stamp: u64,
}

/// The buffers of one device.
pub(crate) struct Pool {
    state: Mutex<State>,
    /// The largest single buffer.
    max_allocation: usize,
}

/// A buffer on the device; goes back to the pool when dropped.
pub struct Block {
    shared: Arc<Shared>,
    buffer: Option<Handle<RawBuffer>>,
    size: usize,
    class: usize,
    last: Mutex<Option<Arc<Event>>>,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({} bytes)", self.size)
    }
}

impl Block {
    /// Size in bytes, as asked for.
    pub fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn raw(&self) -> RawBuffer {
        self.buffer.as_ref().expect("present until dropped").get()
    }

    /// The last kernel that was given this block.
    pub(crate) fn last(&self) -> Option<Arc<Event>> {
        lock(&self.last).clone()
    }

    pub(crate) fn set_last(&self, event: Arc<Event>) {
        *lock(&self.last) = Some(event);
    }

    pub(crate) fn belongs_to(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            let last = lock(&self.last).take();
            self.shared.pool.give_back(buffer, last, self.class, self.size);
        }
    }
}

/// The size class of a request: the next eighth of a power of two.
fn size_class(bytes: usize) -> usize {
    let bytes = bytes.max(SMALLEST);
    let step = (bytes.next_power_of_two() / 16).max(SMALLEST / 8);
    bytes.div_ceil(step) * step
}

impl Pool {
    pub(crate) fn new(limit: usize, max_allocation: usize) -> Self {
        let stats = PoolStats { limit, ..PoolStats::default() };
        Self { state: Mutex::new(State { stats, ..State::default() }), max_allocation }
    }

    pub(crate) fn stats(&self) -> PoolStats {
        lock(&self.state).stats
    }

    pub(crate) fn set_limit(&self, limit: usize) {
        lock(&self.state).stats.limit = limit;
    }

    /// Bytes that a single request can have now: under the limit, the idle counted as free, and under the device's largest
    /// buffer.
    pub(crate) fn available(&self) -> usize {
        let stats = self.stats();
        stats.limit.saturating_sub(stats.used)
    }

    /// Releases what is idle. Returns the bytes.
    pub(crate) fn trim(&self) -> usize {
        let mut state = lock(&self.state);
        let freed = state.stats.idle;
        state.idle.clear();
        state.stats.idle = 0;
        freed
    }

    /// A block of at least `bytes`.
    pub(crate) fn allocate(&self, shared: &Arc<Shared>, bytes: usize) -> Result<Block, Fault> {
        let gb = |bytes: usize| bytes as f64 / 1e9;
        if injected(FaultKind::OutOfMemory) {
            return Err(Fault::new(
                FaultKind::OutOfMemory,
                format!("the device refused {:.3} GB (injected)", gb(bytes)),
            ));
        }
        if bytes > self.max_allocation {
            let most = gb(self.max_allocation);
            let text = format!("a buffer of {:.3} GB is larger than the device's largest, {most:.3} GB", gb(bytes));
            return Err(Fault::new(FaultKind::OutOfMemory, text));
        }
        let class = size_class(bytes).min(self.max_allocation);
        let mut state = lock(&self.state);
        let (buffer, last) = match state.take_idle(class) {
            Some((found, idle)) => {
                state.stats.reuses += 1;
                return Ok(self.hand_out(state, shared, idle.buffer, idle.last, found, bytes));
            }
            None => {
                state.make_room(class);
                let PoolStats { used, idle, limit, .. } = state.stats;
                if used + idle + class > limit {
                    let text = format!(
                        "{:.3} GB more do not fit: {:.3} GB of the {:.3} GB that may be used are in use",
                        gb(bytes),
                        gb(used),
                        gb(limit)
                    );
                    return Err(Fault::new(FaultKind::OutOfMemory, text));
                }
                let made = shared.create_buffer(class).or_else(|_| {
                    // The driver may have less than the limit left: what is idle is the first to go.
                    state.idle.clear();
                    state.stats.idle = 0;
                    shared.create_buffer(class)
                })?;
                state.stats.allocations += 1;
                made
            }
        };
        Ok(self.hand_out(state, shared, buffer, last, class, bytes))
    }

    fn hand_out(
        &self,
        mut state: MutexGuard<'_, State>,
        shared: &Arc<Shared>,
        buffer: Handle<RawBuffer>,
        last: Option<Arc<Event>>,
        class: usize,
        size: usize,
    ) -> Block {
        state.stats.used += class;
        state.stats.requested += size;
        state.stats.high_water = state.stats.high_water.max(state.stats.used);
        Block { shared: shared.clone(), buffer: Some(buffer), size, class, last: Mutex::new(last) }
    }

    fn give_back(&self, buffer: Handle<RawBuffer>, last: Option<Arc<Event>>, class: usize, size: usize) {
        let mut state = lock(&self.state);
        state.stats.used -= class;
        state.stats.requested -= size;
        state.stats.idle += class;
        state.stamp += 1;
        let stamp = state.stamp;
        state.idle.entry(class).or_default().push(Idle { buffer, last, stamp });
    }
}

impl State {
    /// An idle buffer of this class, or of one at most an eighth larger.
    fn take_idle(&mut self, class: usize) -> Option<(usize, Idle)> {
        let (&found, _) = self.idle.range(class..=class + class / 8).next()?;
        let list = self.idle.get_mut(&found).expect("a class that was just seen");
        let idle = list.pop().expect("empty lists are removed");
        if list.is_empty() {
            self.idle.remove(&found);
        }
        self.stats.idle -= found;
        Some((found, idle))
    }

    /// Releases idle buffers, the longest unused first, until `class` more bytes keep the limit and the ratio.
    fn make_room(&mut self, class: usize) {
        loop {
            let PoolStats { used, idle, limit, .. } = self.stats;
            let needed = used.saturating_add(class);
            let allowed = (needed / 8).max(IDLE_FLOOR.min(limit / 4)).min(limit.saturating_sub(needed));
            if idle <= allowed {
                return;
            }
            let oldest = self.idle.iter().map(|(&class, list)| (list[0].stamp, class)).min();
            let Some((_, class)) = oldest else { return };
            let list = self.idle.get_mut(&class).expect("a class that was just seen");
            list.remove(0);
            if list.is_empty() {
                self.idle.remove(&class);
            }
            self.stats.idle -= class;
        }
    }
}

impl Shared {
    /// A new buffer that the device really has: drivers allocate at the first use and would report the lack of memory at
    /// some later command.
    fn create_buffer(self: &Arc<Self>, size: usize) -> Result<(Handle<RawBuffer>, Option<Arc<Event>>), Fault> {
        // SAFETY: no host memory is involved.
        let raw = unsafe { create_buffer(self.context.get().0, CL_MEM_READ_WRITE, size, null_mut()) };
        let buffer = Handle::new(RawBuffer(check("clCreateBuffer", raw)?));
        let touched = self.touch(buffer.get())?;
        Ok((buffer, Some(touched)))
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_class_wastes_at_most_an_eighth() {
        for bytes in [513, 1000, 4096, 4097, 100_000, 1 << 20, (1 << 20) + 1, 3_000_000_001] {
            let class = size_class(bytes);
            assert!(class >= bytes && class as f64 <= bytes as f64 * 1.126, "{bytes} became {class}");
            assert_eq!(size_class(class), class, "a class is its own class");
        }
        assert_eq!(size_class(1), SMALLEST);
    }
}
