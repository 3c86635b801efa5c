//! Moving data between the host and the device.
//!
//! A driver moves pageable memory at a fraction of the bus's rate, since it must copy it into memory that cannot be paged
//! out first. That copy is made here, by several threads, into pinned chunks that are kept; while one chunk is on the bus
//! the next is being filled (or drained). The caller says how bytes are packed, so a strided matrix is packed by the same
//! sweep that a contiguous one is copied by.

use crate::fault::{Fault, FaultKind, check};
use crate::gpu::{Event, Gpu, Shared};
use crate::handle::{Handle, RawBuffer};
use crate::pool::{Block, lock};
use crate::trace;
use opencl3::command_queue::{enqueue_map_buffer, enqueue_read_buffer, enqueue_write_buffer, flush};
use opencl3::memory::{CL_MAP_READ, CL_MAP_WRITE, CL_MEM_ALLOC_HOST_PTR, CL_MEM_READ_WRITE, create_buffer};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Largest chunk in bytes: long enough that the bus's latency does not count.
const CHUNK: usize = 4 << 20;
/// Smallest piece of a transfer, in bytes: the bus takes one while the host copies the next. Its command takes the host as long
/// as the bus takes for about half of that.
const PIECE: usize = 1 << 20;
/// Bytes for which it pays to wake another thread.
const WORTH_A_THREAD: usize = 1 << 20;
/// Chunks of each thread: one on the bus, one at the host.
const DEPTH: usize = 2;

/// Pinned memory, mapped for the life of the device.
struct Pinned {
    _buffer: Handle<RawBuffer>,
    address: *mut u8,
}

// SAFETY: the memory belongs to whoever holds the value.
unsafe impl Send for Pinned {}

struct Chunks {
    idle: Vec<Pinned>,
    made: usize,
}

/// The pinned chunks of a device, and the threads that fill and drain them.
pub(crate) struct Staging {
    chunks: Mutex<Chunks>,
    returned: Condvar,
    chunk: usize,
    most: usize,
    /// None if the system gave none; kept, because starting a thread takes as long as the bus takes for a piece.
    threads: OnceLock<Option<ThreadPool>>,
}

impl Staging {
    /// For `bytes` of pinned memory in all, used by `threads` threads.
    pub(crate) fn new(bytes: usize, threads: usize) -> Self {
        let most = DEPTH * threads.max(1);
        // Whole pages, at least one.
        let chunk = (bytes / most).clamp(4096, CHUNK) & !4095;
        let chunks = Mutex::new(Chunks { idle: Vec::new(), made: 0 });
        Self { chunks, returned: Condvar::new(), chunk, most, threads: OnceLock::new() }
    }

    /// Most pairs of chunks, and threads, of one transfer: two in one direction and one in the other find some.
    fn share(&self) -> usize {
        (self.most / DEPTH / 3).max(1)
    }

    fn threads(&self) -> Option<&ThreadPool> {
        let count = self.most / DEPTH;
        let make = || {
            ThreadPoolBuilder::new()
                .num_threads(count)
                .thread_name(|index| format!("lapack-ai-copy-{index}"))
                .build()
                .ok()
        };
        self.threads.get_or_init(make).as_ref()
    }

    pub(crate) fn limit(&self) -> usize {
        self.chunk * self.most
    }

    /// Takes up to `wanted` pairs of chunks; waits until at least one pair can be had.
    fn take(&self, shared: &Shared, wanted: usize) -> Result<Vec<[Pinned; DEPTH]>, Fault> {
        let mut pairs = Vec::with_capacity(wanted);
        let mut chunks = lock(&self.chunks);
        while pairs.len() < wanted {
            while chunks.idle.len() < DEPTH && chunks.made < self.most {
                chunks.idle.push(shared.pinned(self.chunk)?);
                chunks.made += 1;
            }
            match chunks.idle.len() >= DEPTH {
                true => {
                    let at = chunks.idle.len() - DEPTH;
                    let pair: Vec<Pinned> = chunks.idle.drain(at..).collect();
                    pairs.push(pair.try_into().unwrap_or_else(|_| unreachable!("DEPTH chunks were taken")));
                }
                false if pairs.is_empty() => {
                    // A device that was lost meanwhile does not give its chunks back.
                    shared.usable()?;
                    let waited = self.returned.wait_timeout(chunks, Duration::from_millis(100));
                    chunks = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                false => break,
            }
        }
        Ok(pairs)
    }

    fn give_back(&self, pairs: Vec<[Pinned; DEPTH]>) {
        lock(&self.chunks).idle.extend(pairs.into_iter().flatten());
        self.returned.notify_all();
    }
}

impl Shared {
    fn pinned(&self, bytes: usize) -> Result<Pinned, Fault> {
        let flags = CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR;
        // SAFETY: no host memory is handed over.
        let raw = unsafe { create_buffer(self.context.get().0, flags, bytes, null_mut()) };
        let buffer = Handle::new(RawBuffer(check("clCreateBuffer", raw)?));
        let mut address = null_mut();
        let flags = CL_MAP_READ | CL_MAP_WRITE;
        // SAFETY: the whole of the buffer made above; a blocking call, so the address is valid when it returns.
        let raw = unsafe {
            enqueue_map_buffer(self.uploads.get().0, buffer.get().0, 1, flags, 0, bytes, &mut address, 0, null())
        };
        drop(Event::new(check("clEnqueueMapBuffer", raw)?));
        Ok(Pinned { _buffer: buffer, address: address.cast() })
    }
}

/// How a transfer is cut into pieces and shared among threads.
struct Pieces {
    len: usize,
    piece: usize,
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Pieces {
    fn new(len: usize, chunk: usize, workers: usize) -> Self {
        let piece = (len / (DEPTH * workers)).clamp(PIECE.min(chunk), chunk) & !63;
        Self { len, piece: piece.max(64), next: AtomicUsize::new(0), stop: AtomicBool::new(false) }
    }

    /// Start and length of the next piece.
    fn take(&self) -> Option<(usize, usize)> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let start = self.next.fetch_add(1, Ordering::Relaxed).checked_mul(self.piece)?;
        (start < self.len).then(|| (start, self.piece.min(self.len - start)))
    }
}

/// One thread's part of a transfer: its chunks, the pieces to take from, and where its commands are noted.
type Work<'a> = &'a (dyn Fn(&mut [Pinned; DEPTH], &Pieces, &Mutex<Vec<Arc<Event>>>) -> Result<(), Fault> + Sync);

/// Whether the caller wants a transfer to end.
pub type Interrupt<'a> = &'a (dyn Fn() -> bool + Sync);

/// For transfers that nobody interrupts.
pub fn never() -> bool {
    false
}

impl Gpu {
    /// Writes `len` bytes from byte `offset` of `block` on. `fill(start, bytes)` provides the bytes from `start` on, and is
    /// called by several threads. Returns when the data has arrived.
    ///
    /// # Errors
    /// What the driver refused; `Cancelled` if `interrupt` said so between two chunks.
    ///
    /// # Panics
    /// If the bytes are not inside the block.
    pub fn upload(
        &self,
        block: &Block,
        offset: usize,
        len: usize,
        fill: &(dyn Fn(usize, &mut [u8]) + Sync),
        interrupt: Interrupt<'_>,
    ) -> Result<(), Fault> {
        let queue = self.shared.uploads.get();
        self.transfer("upload", block, offset, len, interrupt, &|pair, pieces, events| {
            let queue = &queue;
            let mut pending: [Option<Arc<Event>>; DEPTH] = [const { None }; DEPTH];
            for turn in 0.. {
                let slot = turn % DEPTH;
                if let Some(event) = pending[slot].take() {
                    self.shared.wait(&event)?;
                }
                let Some((start, size)) = pieces.take() else { break };
                if interrupt() {
                    return Err(cancelled());
                }
                fill(start, pair[slot].bytes(size));
                let api = self.shared.api();
                // SAFETY: the pinned bytes are not touched until the event has been waited for.
                let raw = unsafe {
                    let (block, address) = (block.raw().0, pair[slot].address.cast());
                    enqueue_write_buffer(queue.0, block, 0, offset + start, size, address, 0, null())
                };
                let event = Arc::new(Event::new(self.shared.noted(check("clEnqueueWriteBuffer", raw))?));
                check("clFlush", flush(queue.0))?;
                drop(api);
                lock(events).push(event.clone());
                pending[slot] = Some(event);
            }
            pending.iter().flatten().try_for_each(|event| self.shared.wait(event))
        })
    }

    /// Reads `len` bytes from byte `offset` of `block` on, after the last kernel that was given the block.
    /// `drain(start, bytes)` takes them, called by several threads.
    ///
    /// # Errors
    /// As [`Gpu::upload`].
    ///
    /// # Panics
    /// If the bytes are not inside the block.
    pub fn download(
        &self,
        block: &Block,
        offset: usize,
        len: usize,
        drain: &(dyn Fn(usize, &[u8]) + Sync),
        interrupt: Interrupt<'_>,
    ) -> Result<(), Fault> {
        let queue = self.shared.downloads.get();
        self.transfer("download", block, offset, len, interrupt, &|pair, pieces, events| {
            let queue = &queue;
            let mut pending: [Option<(Arc<Event>, usize, usize)>; DEPTH] = [const { None }; DEPTH];
            let finish = |slot: usize, pending: Option<(Arc<Event>, usize, usize)>, pair: &mut [Pinned; DEPTH]| {
                let Some((event, start, size)) = pending else { return Ok(()) };
                self.shared.wait(&event)?;
                drain(start, pair[slot].bytes(size));
                Ok(())
            };
            for turn in 0.. {
                let slot = turn % DEPTH;
                finish(slot, pending[slot].take(), pair)?;
                let Some((start, size)) = pieces.take() else { break };
                if interrupt() {
                    return Err(cancelled());
                }
                let api = self.shared.api();
                // SAFETY: the pinned bytes are not touched until the event has been waited for.
                let raw = unsafe {
                    let (block, address) = (block.raw().0, pair[slot].address.cast());
                    enqueue_read_buffer(queue.0, block, 0, offset + start, size, address, 0, null())
                };
                let event = Arc::new(Event::new(self.shared.noted(check("clEnqueueReadBuffer", raw))?));
                check("clFlush", flush(queue.0))?;
                drop(api);
                lock(events).push(event.clone());
                pending[slot] = Some((event, start, size));
            }
            for (slot, pending) in pending.into_iter().enumerate() {
                finish(slot, pending, pair)?;
            }
            Ok(())
        })
    }

    /// Reads bytes into a slice.
    ///
    /// # Errors
    /// As [`Gpu::upload`].
    pub fn read(&self, block: &Block, offset: usize, target: &mut [u8]) -> Result<(), Fault> {
        /// The start of the slice, for several threads.
        struct Start(*mut u8);
        // SAFETY: pieces do not overlap, so no byte is written by two threads; the slice is borrowed for the call.
        unsafe impl Sync for Start {}
        let (start, len) = (Start(target.as_mut_ptr()), target.len());
        let start = &start;
        let drain = |begin: usize, bytes: &[u8]| {
            // SAFETY: a piece lies inside `0..len`, and the slice has that length.
            unsafe { start.0.add(begin).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        };
        self.download(block, offset, len, &drain, &never)
    }

    /// Writes a slice.
    ///
    /// # Errors
    /// As [`Gpu::upload`].
    pub fn write(&self, block: &Block, offset: usize, bytes: &[u8]) -> Result<(), Fault> {
        let fill = |start: usize, target: &mut [u8]| target.copy_from_slice(&bytes[start..start + target.len()]);
        self.upload(block, offset, bytes.len(), &fill, &never)
    }

    /// The frame of both directions: order after kernels, chunks, threads, trace.
    fn transfer(
        &self,
        name: &'static str,
        block: &Block,
        offset: usize,
        len: usize,
        interrupt: Interrupt<'_>,
        work: Work<'_>,
    ) -> Result<(), Fault> {
        let shared = &self.shared;
        shared.usable()?;
        assert!(block.belongs_to(shared), "a block of another device");
        assert!(offset.checked_add(len).is_some_and(|end| end <= block.size()), "bytes outside the block");
        if len == 0 {
            return Ok(());
        }
        if interrupt() {
            return Err(cancelled());
        }
        self.wait_for(block)?;
        let staging = &shared.staging;
        let wanted = (len / WORTH_A_THREAD).clamp(1, staging.share());
        let mut pairs = shared.noted(staging.take(shared, wanted))?;
        let pieces = Pieces::new(len, staging.chunk, pairs.len());
        let events = Mutex::new(Vec::new());
        let one = |pair: &mut [Pinned; DEPTH]| {
            work(pair, &pieces, &events).inspect_err(|_| pieces.stop.store(true, Ordering::Relaxed))
        };
        let (first, others) = pairs.split_first_mut().expect("at least one pair");
        let result = match (!others.is_empty()).then(|| staging.threads()).flatten() {
            None => one(first),
            Some(threads) => {
                let failed = Mutex::new(Ok(()));
                threads
                    .in_place_scope(|scope| {
                        for pair in others {
                            let (one, failed) = (&one, &failed);
                            scope.spawn(move |_| {
                                if let Err(fault) = one(pair) {
                                    *lock(failed) = Err(fault);
                                }
                            });
                        }
                        one(first)
                    })
                    .and(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
            }
        };
        if result.is_err() && !self.is_lost() {
            lock(&events).iter().for_each(|event| drop(shared.wait(event)));
        }
        // A lost device may still write to its chunks: they are left to the driver, and the device is not used again.
        if self.is_lost() {
            std::mem::forget(pairs)
        } else {
            staging.give_back(pairs)
        }
        trace::note(name, || std::mem::take(&mut lock(&events)), len);
        result
    }
}

impl Pinned {
    fn bytes(&mut self, size: usize) -> &mut [u8] {
        // SAFETY: mapped memory of at least `size` bytes (a piece is at most a chunk), held exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.address, size) }
    }
}

fn cancelled() -> Fault {
    Fault::new(FaultKind::Cancelled, "the caller asked the call to end")
}
