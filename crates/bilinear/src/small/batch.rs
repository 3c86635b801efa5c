//! Strided batches of small products, shared by threads where there are many.

use super::dispatch::{Element, Table};
use super::tile::Call;
use super::vector::Four;
use super::{BadLayout, Kernels, check, four};
use crate::product::Algorithm;

/// Where the matrices of a batch lie: the t-th A begins `t * a` elements behind the first, and so on. 0 is one matrix for all
/// products, for A and B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strides {
    /// How many products.
    pub count: usize,
    /// From each A to the next, in elements.
    pub a: usize,
    /// From each B to the next.
    pub b: usize,
    /// From each C to the next.
    pub c: usize,
}

/// Multiply-adds below which a thread's start takes longer than its work.
const OF_A_THREAD: usize = 1 << 20;

/// What a thread is given; another form of `Call` that may be sent to it.
struct Part<T>(Call<T>, usize);

// SAFETY: parts of a batch write to matrices of their own, and what they read none writes.
unsafe impl<T: Send + Sync> Send for Part<T> {}

impl<T: Element> Kernels<T> {
    /// [`Kernels::gemm`] for each of `strides.count` products, by at most `threads` threads; fewer if the work is small. Products
    /// are the same as one by one, bit for bit.
    ///
    /// # Errors
    /// [`BadLayout`] for slices that end before the last matrix does, or matrices C that overlap, before anything is written.
    pub fn gemm_batched(
        self,
        algorithm: Algorithm,
        transpose: [bool; 2],
        shape: [usize; 3],
        alpha: T,
        (a, lda): (&[T], usize),
        (b, ldb): (&[T], usize),
        beta: T,
        (c, ldc): (&mut [T], usize),
        strides: Strides,
        threads: usize,
    ) -> Result<(), BadLayout> {
        let Strides { count, .. } = strides;
        let Some(steps) = count.checked_sub(1) else { return Ok(()) };
        let offsets = [strides.a, strides.b, strides.c].map(|stride| stride.saturating_mul(steps));
        check(transpose, shape, [a.len(), b.len(), c.len()], [lda, ldb, ldc], offsets)?;
        let [rows, cols, _] = shape;
        let of_one = super::needed(rows, cols, ldc);
        // One behind the other, or all first columns, then all second ones.
        let apart = strides.c >= of_one || strides.c >= rows && ldc >= rows.saturating_add(offsets[2]);
        if count > 1 && !apart {
            let needed = of_one;
            return Err(BadLayout { matrix: 'C', rows, cols, ld: ldc, len: strides.c, needed });
        }
        let (a, b, c) = ((a.as_ptr(), lda), (b.as_ptr(), ldb), (c.as_mut_ptr(), ldc));
        // SAFETY: the slices hold the matrices, no two C overlap, and C's slice is its own.
        unsafe { self.gemm_batched_raw(algorithm, transpose, shape, alpha, a, b, beta, c, strides, threads) };
        Ok(())
    }

    /// [`Kernels::gemm_batched`] with pointers in place of slices.
    ///
    /// # Safety
    /// That of [`Kernels::gemm_raw`] for every product; no C overlaps another, or any A or B.
    pub unsafe fn gemm_batched_raw(
        self,
        algorithm: Algorithm,
        transpose: [bool; 2],
        [m, n, k]: [usize; 3],
        alpha: T,
        (a, lda): (*const T, usize),
        (b, ldb): (*const T, usize),
        beta: T,
        (c, ldc): (*mut T, usize),
        strides: Strides,
        threads: usize,
    ) {
        let Strides { count, .. } = strides;
        let call = Call { m, n, k, transpose, alpha, a, lda, b, ldb, beta, c, ldc };
        let work = [m, n, k].into_iter().fold(count, usize::saturating_mul);
        let threads = threads.min(work / OF_A_THREAD).clamp(1, count.max(1));
        let each = count.div_ceil(threads);
        // SAFETY: within the batch.
        let part = |first: usize| Part(unsafe { moved(&call, strides, first) }, each.min(count.saturating_sub(first)));
        let table = self.0;
        std::thread::scope(|scope| {
            for first in (1..threads).map(|thread| thread * each) {
                let part = part(first);
                scope.spawn(move || {
                    let Part(call, count) = { part };
                    // SAFETY: the caller's; the parts are disjoint.
                    unsafe { run(table, algorithm, &call, strides, count) }
                });
            }
            let Part(call, count) = part(0);
            // SAFETY: likewise.
            unsafe { run(table, algorithm, &call, strides, count) }
        });
    }
}

/// The call for the product at `index`, or the end of the batch.
///
/// # Safety
/// The batch has so many.
unsafe fn moved<T: Copy>(call: &Call<T>, strides: Strides, index: usize) -> Call<T> {
    let (a, b, c) = (call.a.wrapping_add(index * strides.a), call.b.wrapping_add(index * strides.b), call.c);
    Call { a, b, c: c.wrapping_add(index * strides.c), ..*call }
}

/// Products one after the other.
///
/// # Safety
/// That of [`Kernels::gemm_batched_raw`].
unsafe fn run<T: Element>(
    table: &'static Table<T>,
    algorithm: Algorithm,
    call: &Call<T>,
    strides: Strides,
    count: usize,
) {
    let four = [call.m, call.n, call.k] == [4; 3] && call.alpha != T::ZERO;
    if four && algorithm == Algorithm::Classical {
        // SAFETY: the caller's.
        return unsafe { (table.batch)(call, [strides.a, strides.b, strides.c], count) };
    }
    let [ta, tb] = call.transpose.map(usize::from);
    for index in 0..count {
        // SAFETY: within the batch.
        let call = unsafe { moved(call, strides, index) };
        let Call { alpha, a, lda, b, ldb, beta, c, ldc, .. } = call;
        // SAFETY: the caller's.
        unsafe {
            match four {
                true => (table.four[algorithm as usize][ta][tb])(alpha, a, lda, b, ldb, beta, c, ldc),
                false => table.any(algorithm, &call),
            }
        }
    }
}

/// 4 x 4 products by the definition.
///
/// # Safety
/// That of [`Kernels::gemm_batched_raw`], for alpha other than 0; the processor has V's instructions.
#[inline(always)]
pub(crate) unsafe fn four<V: Four>(call: &Call<V::Scalar>, strides: [usize; 3], count: usize) {
    // SAFETY: the caller's.
    unsafe {
        match call.transpose {
            [false, false] => each::<V, false, false>(call, strides, count),
            [false, true] => each::<V, false, true>(call, strides, count),
            [true, false] => each::<V, true, false>(call, strides, count),
            [true, true] => each::<V, true, true>(call, strides, count),
        }
    }
}

/// # Safety
/// That of [`four`].
#[inline(always)]
unsafe fn each<V: Four, const TA: bool, const TB: bool>(call: &Call<V::Scalar>, strides: [usize; 3], count: usize) {
    let &Call { alpha, mut a, lda, mut b, ldb, beta, mut c, ldc, .. } = call;
    for _ in 0..count {
        // SAFETY: the caller's.
        unsafe { four::multiply::<V, TA, TB>(alpha, a, lda, b, ldb, beta, c, ldc) };
        (a, b) = (a.wrapping_add(strides[0]), b.wrapping_add(strides[1]));
        c = c.wrapping_add(strides[2]);
    }
}
