//! Scratch memory: working copies and LAPACK workspaces, one allocation a call and none for repeated small calls.
//!
//! An operation adds up what it needs in a [`Need`], takes one [`Scratch`] of that size, and asks it for the address of
//! each part. A scratch below [`KEEP`] bytes goes back to its thread when it is dropped. One large one is kept for the
//! process, with its pages marked as free for the system to take: fresh pages have to be cleared, which is a tenth of the
//! time of an SVD of order 2000. Large ones are aligned to huge pages, to have few of them.

use lapack_ai_core::{Code, Error, Result};
use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Mutex;

/// Every part starts on a cache line, which is also the widest vector.
const ALIGN: usize = 64;
/// Scratch up to this size is kept for the thread's next call.
const KEEP: usize = 1 << 20;
/// The largest scratch that is kept for the process.
const KEEP_LARGE: usize = 512 << 20;
/// From this size on, memory is aligned to and advised for huge pages.
const HUGE: usize = 4 << 20;
const HUGE_PAGE: usize = 2 << 20;
/// A multiple of every system's page size.
const PAGE: usize = 64 << 10;

/// A part of a scratch to come.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    offset: usize,
    element: PhantomData<T>,
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Slot<T> {}

/// The sizes of the parts, added up. Too much saturates, and is then refused by [`Need::take`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Need {
    bytes: usize,
}

impl Need {
    /// Reserves `len` elements.
    #[inline]
    pub(crate) fn add<T>(&mut self, len: usize) -> Slot<T> {
        let offset = self.bytes;
        let bytes = len.saturating_mul(size_of::<T>()).saturating_add(ALIGN - 1) & !(ALIGN - 1);
        self.bytes = offset.saturating_add(bytes);
        Slot { offset, element: PhantomData }
    }

    /// Reserves `a * b` elements.
    #[inline]
    pub(crate) fn add2<T>(&mut self, a: usize, b: usize) -> Slot<T> {
        self.add(a.saturating_mul(b))
    }

    /// What is reserved by now.
    #[inline]
    pub(crate) fn bytes(self) -> usize {
        self.bytes
    }

    /// Allocates, or takes what the thread kept.
    ///
    /// # Errors
    /// `LAP-E033` with the number of bytes.
    #[inline]
    pub(crate) fn take(self, operation: &'static str) -> Result<Scratch> {
        let kept = if self.bytes <= KEEP {
            KEPT.try_with(|kept| kept.take(self.bytes)).ok().flatten()
        } else {
            take_large(self.bytes)
        };
        if let Some(block) = kept {
            return Ok(Scratch { block });
        }
        match Block::allocate(self.bytes) {
            Some(block) => Ok(Scratch { block }),
            None => Err(out_of_memory(operation, self.bytes)),
        }
    }
}

#[cold]
fn out_of_memory(operation: &'static str, bytes: usize) -> Error {
    let gigabytes = bytes as f64 / 1e9;
    Error::text(Code::OutOfMemory, operation, format!("the working memory of {gigabytes:.2} GB could not be allocated"))
}

/// Allocated memory, to be freed by hand.
#[derive(Clone, Copy, Debug)]
struct Block {
    base: NonNull<u8>,
    capacity: usize,
}

// SAFETY: a block is memory of its own, held by one owner at a time.
unsafe impl Send for Block {}

impl Block {
    fn layout(capacity: usize) -> Option<Layout> {
        let align = match capacity {
            HUGE.. => HUGE_PAGE,
            KEEP.. => PAGE,
            _ => ALIGN,
        };
        Layout::from_size_align(capacity, align).ok()
    }

    #[cold]
    fn allocate(bytes: usize) -> Option<Self> {
        let capacity = bytes.max(4096);
        // SAFETY: the size is not zero.
        let base = NonNull::new(unsafe { alloc(Self::layout(capacity)?) })?;
        #[cfg(target_os = "linux")]
        if capacity >= HUGE {
            // SAFETY: advice about memory that was just allocated; a refusal is of no consequence.
            unsafe { libc::madvise(base.as_ptr().cast(), capacity, libc::MADV_HUGEPAGE) };
        }
        Some(Self { base, capacity })
    }

    /// Lets the system take the pages when it needs them, and leaves them in place until then. False where a system has no
    /// such offer: the memory is better given back.
    fn offer(self) -> bool {
        #[cfg(target_os = "linux")]
        // SAFETY: whole pages inside the block, whose contents nobody needs any more.
        let offered = unsafe {
            let inside = self.capacity / PAGE * PAGE;
            libc::madvise(self.base.as_ptr().cast(), inside, libc::MADV_FREE) == 0
        };
        #[cfg(not(target_os = "linux"))]
        let offered = false;
        offered
    }

    #[cold]
    fn free(self) {
        if let Some(layout) = Self::layout(self.capacity) {
            // SAFETY: allocated with this very layout, and freed once: blocks are held by one owner at a time.
            unsafe { dealloc(self.base.as_ptr(), layout) };
        }
    }
}

/// The block a thread keeps between calls.
struct Kept(Cell<Option<Block>>);

impl Kept {
    /// The kept block, if it is large enough; a smaller one stays.
    #[inline]
    fn take(&self, bytes: usize) -> Option<Block> {
        let block = self.0.get().filter(|block| block.capacity >= bytes)?;
        self.0.set(None);
        Some(block)
    }

    /// Keeps the larger of two blocks and returns the other.
    #[inline]
    fn keep(&self, block: Block) -> Option<Block> {
        match self.0.get() {
            Some(kept) if kept.capacity >= block.capacity => Some(block),
            other => {
                self.0.set(Some(block));
                other
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(block) = self.0.take() {
            block.free();
        }
    }
}

thread_local! {
    static KEPT: Kept = const { Kept(Cell::new(None)) };
}

/// The large block that the process keeps. Only ever tried, never waited for: a thread that held it when the process was
/// forked does not exist in the child.
static LARGE: Mutex<Option<Block>> = Mutex::new(None);

#[cold]
fn take_large(bytes: usize) -> Option<Block> {
    let mut large = LARGE.try_lock().ok()?;
    let fits = large.is_some_and(|block| block.capacity >= bytes);
    if fits { large.take() } else { None }
}

/// Keeps the larger of two large blocks and returns the other.
#[cold]
fn keep_large(block: Block) -> Option<Block> {
    let Ok(mut large) = LARGE.try_lock() else { return Some(block) };
    if block.capacity > KEEP_LARGE || large.is_some_and(|kept| kept.capacity >= block.capacity) || !block.offer() {
        return Some(block);
    }
    large.replace(block)
}

/// Uninitialised memory that holds the parts of a [`Need`].
#[derive(Debug)]
pub(crate) struct Scratch {
    block: Block,
}

impl Scratch {
    /// Address of a part. The part must come from the [`Need`] that this scratch was taken with.
    #[inline]
    pub(crate) fn at<T>(&self, slot: Slot<T>) -> *mut T {
        debug_assert!(slot.offset <= self.block.capacity);
        self.block.base.as_ptr().wrapping_add(slot.offset).cast()
    }
}

impl Drop for Scratch {
    #[inline]
    fn drop(&mut self) {
        let block = self.block;
        let unused = if block.capacity <= KEEP {
            // At the end of a thread there may be nothing left to keep it in.
            KEPT.try_with(|kept| kept.keep(block)).unwrap_or(Some(block))
        } else {
            keep_large(block)
        };
        if let Some(unused) = unused {
            unused.free();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_aligned_and_do_not_overlap() {
        let mut need = Need::default();
        let (a, b, c) = (need.add::<f64>(3), need.add::<u8>(1), need.add2::<f32>(5, 7));
        let scratch = need.take("test").unwrap();
        let (a, b, c) = (scratch.at(a) as usize, scratch.at(b) as usize, scratch.at(c) as usize);
        assert!(a % 64 == 0 && b % 64 == 0 && c % 64 == 0);
        assert!(b >= a + 24 && c > b);
    }

    #[test]
    fn a_small_scratch_is_reused_by_the_next_call_of_the_thread() {
        let mut need = Need::default();
        let slot = need.add::<f64>(100);
        let first = need.take("test").unwrap().at(slot);
        assert_eq!(need.take("test").unwrap().at(slot), first);
    }

    #[test]
    fn a_large_scratch_is_kept_for_the_process_and_one_beyond_the_limit_is_not() {
        let mut need = Need::default();
        let slot = need.add::<u8>(40 << 20);
        let first = need.take("test").unwrap().at(slot);
        if cfg!(target_os = "linux") {
            assert_eq!(need.take("test").unwrap().at(slot), first);
        }
        let mut beyond = Need::default();
        beyond.add::<u8>(KEEP_LARGE + 1);
        drop(beyond.take("test").unwrap());
        assert!(LARGE.lock().unwrap().is_none_or(|kept| kept.capacity <= KEEP_LARGE));
    }

    #[test]
    fn two_scratches_at_a_time_are_distinct() {
        let mut need = Need::default();
        let slot = need.add::<f64>(100);
        let (first, second) = (need.take("test").unwrap(), need.take("test").unwrap());
        assert_ne!(first.at(slot), second.at(slot));
    }

    #[test]
    fn an_impossible_size_is_an_error_with_the_number_of_bytes() {
        let mut need = Need::default();
        need.add2::<f64>(usize::MAX, 2);
        let error = need.take("svd").unwrap_err();
        assert_eq!(error.code(), Code::OutOfMemory);
        assert!(error.summary().contains("GB"), "{error}");
    }
}
