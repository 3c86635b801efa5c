//! Copies of memory that nobody reads soon from a cache.
//!
//! A plain store first reads the line that it overwrites, and then keeps it in a cache: of the memory's traffic a third is for
//! nothing, where the bus or a later program is the next reader. Streaming stores write whole lines at once.

/// Bytes below which the ends of a copy cost more than streaming saves.
const WORTH_STREAMING: usize = 2 << 10;

/// Copies `len` bytes by streaming stores where the processor has them. Other threads that are told of the copy after it see it.
///
/// # Safety
/// `source` must be readable and `target` writable for `len` bytes, and they must not overlap.
pub unsafe fn copy_streaming(source: *const u8, target: *mut u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    if len >= WORTH_STREAMING {
        // SAFETY: the caller's promise.
        unsafe { stream(source, target, len) };
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { target.copy_from_nonoverlapping(source, len) };
}

/// # Safety
/// As for [`copy_streaming`].
#[cfg(target_arch = "x86_64")]
unsafe fn stream(source: *const u8, target: *mut u8, len: usize) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128};
    /// What leaves the processor as one.
    const LINE: usize = 64;
    let head = target.align_offset(LINE).min(len);
    let lines = (len - head) / LINE;
    let tail = head + lines * LINE;
    // SAFETY: head, lines and tail are the `len` bytes; the lines of the target are aligned. Every x86-64 has SSE2.
    unsafe {
        target.copy_from_nonoverlapping(source, head);
        for line in 0..lines {
            let at = head + line * LINE;
            let (from, to) = (source.add(at).cast::<__m128i>(), target.add(at).cast::<__m128i>());
            let quarters = [0, 1, 2, 3].map(|quarter| _mm_loadu_si128(from.add(quarter)));
            for (quarter, value) in quarters.into_iter().enumerate() {
                _mm_stream_si128(to.add(quarter), value);
            }
        }
        target.add(tail).copy_from_nonoverlapping(source.add(tail), len - tail);
        // Streaming stores are ordered by this alone.
        _mm_sfence();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_all_lengths_and_alignments_are_whole_and_touch_nothing_else() {
        let source: Vec<u8> = (0..9000_usize).map(|i| ((i * 31) >> 2) as u8 | 1).collect();
        for (from, to) in [(0, 0), (1, 0), (0, 1), (7, 63), (64, 65)] {
            for len in [0, 1, 63, 2047, 2048, 2049, 2111, 4096, 8191] {
                let mut target = vec![0_u8; 9000];
                // SAFETY: both vectors have more bytes than that behind the places.
                unsafe { copy_streaming(source.as_ptr().add(from), target.as_mut_ptr().add(to), len) };
                assert_eq!(target[to..to + len], source[from..from + len], "{from} {to} {len}");
                assert!(target[..to].iter().chain(&target[to + len..]).all(|&byte| byte == 0), "{from} {to} {len}");
            }
        }
    }
}
