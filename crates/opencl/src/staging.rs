//! Moving data between the host and the device.
//!
//! A driver moves pageable memory at a fraction of the bus's rate, since it must copy it into memory that cannot be paged
//! out first. That copy is made here, by several threads, into pinned chunks that are kept; while some chunks are on the bus
//! others are being filled (or drained). The caller says how bytes are packed, so a strided matrix is packed by the same
//! sweep that a contiguous one is copied by.

use crate::fault::{Fault, FaultKind, check};
use crate::gpu::{Event, Gpu, Shared};
use crate::handle::{Handle, RawBuffer};
use crate::pool::{Block, lock};
use crate::streaming::copy_streaming;
use crate::trace;
use crossbeam_channel::{Receiver, TryRecvError, unbounded};
use opencl3::command_queue::{enqueue_map_buffer, enqueue_read_buffer, enqueue_write_buffer, flush};
use opencl3::memory::{CL_MAP_READ, CL_MAP_WRITE, CL_MEM_ALLOC_HOST_PTR, CL_MEM_READ_WRITE, create_buffer};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// Chunks in all.
const CHUNKS: usize = 32;
/// Most chunks of one transfer.
const SHARE: usize = CHUNKS / 2;
/// Largest chunk in bytes: the bus takes one while the host copies the next. Its command takes the host as long as the bus takes
/// for about half of it.
const CHUNK: usize = 2 << 20;
/// Bytes for which it pays to wake another thread.
const WORTH_A_THREAD: usize = 1 << 20;
/// Looks that a thread takes for something to copy before it sleeps.
const AWAKE: usize = 30;
/// Chunks of a transfer that one thread makes: one on the bus, one at the host.
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
    count: usize,
    /// None if the system gave none; kept, because starting a thread takes as long as the bus takes for a piece.
    threads: OnceLock<Option<ThreadPool>>,
}

impl Staging {
    /// For `bytes` of pinned memory in all, used by `threads` threads.
    pub(crate) fn new(bytes: usize, threads: usize) -> Self {
        // Whole pages, at least one.
        let chunk = (bytes / CHUNKS).clamp(4096, CHUNK) & !4095;
        let chunks = Mutex::new(Chunks { idle: Vec::new(), made: 0 });
        Self { chunks, returned: Condvar::new(), chunk, count: threads.max(1), threads: OnceLock::new() }
    }

    /// The threads that copy, if a transfer of `len` bytes is worth it.
    fn threads(&self, len: usize) -> Option<&ThreadPool> {
        if self.count == 1 || len <= WORTH_A_THREAD {
            return None;
        }
        let make = || {
            ThreadPoolBuilder::new()
                .num_threads(self.count)
                .thread_name(|index| format!("lapack-ai-copy-{index}"))
                .build()
                .ok()
        };
        self.threads.get_or_init(make).as_ref()
    }

    /// Most threads of one transfer: the bus is as fast as ten of them, and others find some.
    fn copiers(&self) -> usize {
        (self.count * 5 / 8).max(1)
    }

    pub(crate) fn limit(&self) -> usize {
        self.chunk * CHUNKS
    }

    /// Takes up to `wanted` chunks; waits until at least one can be had.
    fn take(&self, shared: &Shared, wanted: usize) -> Result<Vec<Pinned>, Fault> {
        let mut taken = Vec::with_capacity(wanted);
        let mut chunks = lock(&self.chunks);
        while taken.len() < wanted {
            if let Some(chunk) = chunks.idle.pop() {
                taken.push(chunk);
            } else if chunks.made < CHUNKS {
                let chunk = shared.pinned(self.chunk);
                if chunk.is_err() {
                    chunks.idle.append(&mut taken);
                }
                taken.push(chunk?);
                chunks.made += 1;
            } else if taken.is_empty() {
                // A device that was lost meanwhile does not give its chunks back.
                shared.usable()?;
                let waited = self.returned.wait_timeout(chunks, Duration::from_millis(100));
                chunks = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else {
                break;
            }
        }
        Ok(taken)
    }

    fn give_back(&self, chunks: Vec<Pinned>) {
        lock(&self.chunks).idle.extend(chunks);
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

/// A piece of a transfer: its place in it, and the chunk that has its bytes.
struct Piece {
    start: usize,
    size: usize,
    chunk: Pinned,
}

/// Which way a transfer goes, and what the host does with the bytes of a piece, called by several threads.
#[derive(Clone, Copy)]
enum Direction<'a> {
    /// Provides the bytes from the position on, before they are on the bus.
    Up(&'a (dyn Fn(usize, &mut [u8]) + Sync)),
    /// Takes them, afterwards.
    Down(&'a (dyn Fn(usize, &[u8]) + Sync)),
}

impl Direction<'_> {
    /// The host's part of a piece; a panic in it is for the thread that waits for the piece.
    fn copied(self, mut piece: Piece) -> thread::Result<Piece> {
        let bytes = piece.chunk.bytes(piece.size);
        let copy = || match self {
            Direction::Up(fill) => fill(piece.start, bytes),
            Direction::Down(drain) => drain(piece.start, bytes),
        };
        catch_unwind(AssertUnwindSafe(copy)).map(|()| piece)
    }
}

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
        self.transfer("upload", block, offset, len, Direction::Up(fill), interrupt)
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
        self.transfer("download", block, offset, len, Direction::Down(drain), interrupt)
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
            unsafe { copy_streaming(bytes.as_ptr(), start.0.add(begin), bytes.len()) };
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
        direction: Direction<'_>,
        interrupt: Interrupt<'_>,
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
        let threads = staging.threads(len);
        let wanted = if threads.is_some() { SHARE } else { DEPTH };
        let chunks = shared.noted(staging.take(shared, len.div_ceil(staging.chunk).min(wanted)))?;
        let (sender, returned) = unbounded();
        let mut course = Course {
            shared,
            block,
            offset,
            len,
            direction,
            interrupt,
            next: 0,
            bus: VecDeque::new(),
            events: Vec::new(),
        };
        let mut idle = chunks;
        // The threads only copy. Commands and waiting are this one's: who is in the driver keeps others out.
        let result = match threads {
            None => course.run(&mut idle, &returned, |piece| drop(sender.send(direction.copied(piece)))),
            Some(threads) => threads.in_place_scope(|scope| {
                let (to_copy, pieces) = unbounded();
                for _ in 0..staging.copiers().min(idle.len()) {
                    let (pieces, sender) = (pieces.clone(), sender.clone());
                    scope.spawn(move |_| {
                        while let Some(piece) = next(&pieces) {
                            drop(sender.send(direction.copied(piece)));
                        }
                    });
                }
                let made = course.run(&mut idle, &returned, |piece| drop(to_copy.send(piece)));
                // The copiers end when there will be no more.
                drop(to_copy);
                made
            }),
        };
        let Course { bus, events, .. } = course;
        if result.is_err() && !self.is_lost() {
            bus.iter().for_each(|(event, _)| drop(shared.wait(event)));
        }
        let rest =
            bus.into_iter().map(|(_, piece)| piece.chunk).chain(returned.try_iter().flatten().map(|piece| piece.chunk));
        idle.extend(rest);
        // A lost device may still write to its chunks: they are left to the driver, and the device is not used again.
        if self.is_lost() {
            std::mem::forget(idle)
        } else {
            staging.give_back(idle)
        }
        trace::note(name, || events, len);
        result
    }
}

/// A transfer under way.
struct Course<'a> {
    shared: &'a Shared,
    block: &'a Block,
    offset: usize,
    len: usize,
    direction: Direction<'a>,
    interrupt: Interrupt<'a>,
    /// Where the next piece begins.
    next: usize,
    /// What is on the bus, in the order of the commands, which is that in which they end.
    bus: VecDeque<(Arc<Event>, Piece)>,
    events: Vec<Arc<Event>>,
}

impl Course<'_> {
    /// Moves all pieces. `copy` has the host's part done and sends the piece to `returned`.
    fn run(
        &mut self,
        idle: &mut Vec<Pinned>,
        returned: &Receiver<thread::Result<Piece>>,
        copy: impl Fn(Piece),
    ) -> Result<(), Fault> {
        let up = matches!(self.direction, Direction::Up(_));
        let mut copying = 0;
        loop {
            while let Some(piece) = self.cut(idle)? {
                if up {
                    copying += 1;
                    copy(piece);
                } else {
                    self.enqueue(piece, idle)?;
                }
            }
            // What is at the host, and what is on the bus: whichever comes first.
            if let Ok(copied) = returned.try_recv() {
                let piece = copied.unwrap_or_else(|panic| resume_unwind(panic));
                copying -= 1;
                if up {
                    self.enqueue(piece, idle)?;
                } else {
                    idle.push(piece.chunk);
                }
            } else if let Some((event, _)) = self.bus.front() {
                if copying == 0 {
                    self.shared.wait(event)?;
                } else if !self.shared.has_ended(event)? {
                    pause();
                    continue;
                }
                let (_, piece) = self.bus.pop_front().expect("the command that was waited for");
                if up {
                    idle.push(piece.chunk);
                } else {
                    copying += 1;
                    copy(piece);
                }
            } else if copying == 0 {
                return Ok(());
            } else {
                pause();
            }
        }
    }

    /// The next piece, if there is one and a chunk for it.
    fn cut(&mut self, idle: &mut Vec<Pinned>) -> Result<Option<Piece>, Fault> {
        let (start, size) = (self.next, self.shared.staging.chunk.min(self.len - self.next));
        if size == 0 || idle.is_empty() {
            return Ok(None);
        }
        if (self.interrupt)() {
            return Err(cancelled());
        }
        self.next += size;
        Ok(idle.pop().map(|chunk| Piece { start, size, chunk }))
    }

    /// Puts a piece on the bus; its chunk is idle again if the driver refuses.
    fn enqueue(&mut self, piece: Piece, idle: &mut Vec<Pinned>) -> Result<(), Fault> {
        let Self { shared, block, offset, .. } = *self;
        let (block, at, size, address) = (block.raw().0, offset + piece.start, piece.size, piece.chunk.address.cast());
        let api = shared.api();
        // SAFETY: the pinned bytes are not touched until the event has ended.
        let (queue, call, raw) = unsafe {
            match self.direction {
                Direction::Up(_) => {
                    let queue = shared.uploads.get().0;
                    let raw = enqueue_write_buffer(queue, block, 0, at, size, address, 0, null());
                    (queue, "clEnqueueWriteBuffer", raw)
                }
                Direction::Down(_) => {
                    let queue = shared.downloads.get().0;
                    let raw = enqueue_read_buffer(queue, block, 0, at, size, address, 0, null());
                    (queue, "clEnqueueReadBuffer", raw)
                }
            }
        };
        let event = match shared.noted(check(call, raw)) {
            Ok(event) => Arc::new(Event::new(event)),
            Err(fault) => {
                idle.push(piece.chunk);
                return Err(fault);
            }
        };
        self.bus.push_back((event.clone(), piece));
        check("clFlush", flush(queue))?;
        drop(api);
        self.events.push(event);
        Ok(())
    }
}

/// The next piece to be copied; none when there will be no more. A thread that sleeps is late for one that the bus brings.
fn next(pieces: &Receiver<Piece>) -> Option<Piece> {
    for _ in 0..AWAKE {
        match pieces.try_recv() {
            Ok(piece) => return Some(piece),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => pause(),
        }
    }
    pieces.recv().ok()
}

/// Between two looks for what has ended.
fn pause() {
    for _ in 0..50 {
        std::hint::spin_loop();
    }
    thread::yield_now();
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
