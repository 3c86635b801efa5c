//! Matrices of the host as the packed bytes that go to a device, and back.
//!
//! On the device a batch is packed: matrix after matrix, each in C order, or in Fortran order where that is how the host
//! has it, so that contiguous matrices are copied and not rearranged. Element (i, j) of matrix b lies at
//! `b rows cols + i row_stride + j col_stride`.

use lapack_ai_core::{BatchView, BatchViewMut, Layout, Stored};
use lapack_ai_opencl::{Block, Fault, Gpu, Interrupt, copy_streaming};
use std::mem::size_of;
use std::ops::Range;

/// How matrices are packed on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packing {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Fortran order.
    pub(crate) col_major: bool,
}

impl Packing {
    /// The packing that fits how the host has the matrices.
    pub(crate) fn of<T: Stored>(view: &BatchView<'_, T>) -> Self {
        let col_major = matches!(view.layout(), Layout::ColMajor { .. }) && view.rows() != 1;
        Self { rows: view.rows(), cols: view.cols(), col_major }
    }

    /// Elements of one matrix.
    pub(crate) fn elements(&self) -> usize {
        self.rows * self.cols
    }

    /// Elements from one row, and from one column, to the next.
    pub(crate) fn strides(&self) -> (isize, isize) {
        if self.col_major { (1, self.rows as isize) } else { (self.cols as isize, 1) }
    }

    /// (runs of a matrix, elements of a run): rows in C order, columns in Fortran order.
    fn runs(&self) -> (usize, usize) {
        if self.col_major { (self.cols, self.rows) } else { (self.rows, self.cols) }
    }
}

/// A part of a run: which matrix, which run, which of its elements, and where they lie in the piece.
struct Part {
    matrix: usize,
    run: usize,
    elements: Range<usize>,
    at: usize,
}

/// The parts of runs that elements `first .. first + count` of the packed batch consist of.
fn parts(packing: Packing, first: usize, count: usize) -> impl Iterator<Item = Part> {
    let (runs, length) = packing.runs();
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == count {
            return None;
        }
        let position = first + done;
        let (run, begin) = (position / length, position % length);
        let taken = (length - begin).min(count - done);
        let part = Part { matrix: run / runs, run: run % runs, elements: begin..begin + taken, at: done };
        done += taken;
        Some(part)
    })
}

/// What is uploaded: of some matrices the part that begins at (row, col) and has the packing's extents.
pub(crate) struct Source<'a, T> {
    pub(crate) view: &'a BatchView<'a, T>,
    pub(crate) matrices: Range<usize>,
    pub(crate) row: usize,
    pub(crate) col: usize,
}

/// Where a download goes: as for [`Source`].
pub(crate) struct Target<'a, T> {
    pub(crate) view: &'a BatchViewMut<'a, T>,
    pub(crate) matrices: Range<usize>,
    pub(crate) row: usize,
    pub(crate) col: usize,
}

/// Uploads `source`, packed as `packing` says, to the beginning of the block.
///
/// # Errors
/// Those of the device.
///
/// # Panics
/// If the part is not inside the matrices.
pub(crate) fn upload<T: Stored>(
    gpu: &Gpu,
    block: &Block,
    source: &Source<'_, T>,
    packing: Packing,
    interrupt: Interrupt<'_>,
) -> Result<(), Fault> {
    let Source { view, matrices, row, col } = source;
    assert!(row + packing.rows <= view.rows() && col + packing.cols <= view.cols() && matrices.end <= view.count());
    let size = size_of::<T>();
    let (row_stride, col_stride) = view.strides();
    let corner = *row as isize * row_stride + *col as isize * col_stride;
    let (between_runs, within) = if packing.col_major { (col_stride, row_stride) } else { (row_stride, col_stride) };
    let fill = |start: usize, bytes: &mut [u8]| {
        for part in parts(packing, start / size, bytes.len() / size) {
            let source = view.matrix(matrices.start + part.matrix).as_ptr();
            let first = corner + part.run as isize * between_runs + part.elements.start as isize * within;
            let target = &mut bytes[part.at * size..(part.at + part.elements.len()) * size];
            // SAFETY: the elements are inside the view; the target has room for them.
            unsafe { gather(source.wrapping_offset(first), within, target) };
        }
    };
    gpu.upload(block, 0, matrices.len() * packing.elements() * size, &fill, interrupt)
}

/// # Safety
/// `source` must have `target.len() / size_of::<T>()` elements, `stride` apart.
unsafe fn gather<T: Stored>(source: *const T, stride: isize, target: &mut [u8]) {
    let size = size_of::<T>();
    // SAFETY: the caller's promise; pinned memory is aligned to pages and pieces to 64 bytes, and unaligned writes are
    // used where elements are written one by one.
    unsafe {
        if stride == 1 {
            copy_streaming(source.cast(), target.as_mut_ptr(), target.len());
        } else {
            for (index, element) in target.chunks_exact_mut(size).enumerate() {
                let value = source.wrapping_offset(index as isize * stride).read();
                element.as_mut_ptr().cast::<T>().write_unaligned(value);
            }
        }
    }
}

/// # Safety
/// `target` must have `source.len() / size_of::<T>()` writable elements, `stride` apart, that nobody else reaches.
unsafe fn scatter<T: Stored>(source: &[u8], target: *mut T, stride: isize) {
    let size = size_of::<T>();
    // SAFETY: as for `gather`.
    unsafe {
        if stride == 1 {
            copy_streaming(source.as_ptr(), target.cast(), source.len());
        } else {
            for (index, element) in source.chunks_exact(size).enumerate() {
                let value = element.as_ptr().cast::<T>().read_unaligned();
                target.wrapping_offset(index as isize * stride).write(value);
            }
        }
    }
}

/// Downloads packed matrices from byte `start` of the block on.
///
/// # Errors
/// Those of the device; what `target` then has is undefined.
///
/// # Panics
/// If the part is not inside the matrices.
pub(crate) fn download<T: Stored>(
    gpu: &Gpu,
    block: &Block,
    start: usize,
    target: &Target<'_, T>,
    packing: Packing,
    interrupt: Interrupt<'_>,
) -> Result<(), Fault> {
    let Target { view, matrices, row, col } = target;
    assert!(row + packing.rows <= view.rows() && col + packing.cols <= view.cols() && matrices.end <= view.count());
    let size = size_of::<T>();
    let (row_stride, col_stride) = view.as_view().strides();
    let corner = *row as isize * row_stride + *col as isize * col_stride;
    let (between_runs, within) = if packing.col_major { (col_stride, row_stride) } else { (row_stride, col_stride) };
    let drain = |begin: usize, bytes: &[u8]| {
        for part in parts(packing, begin / size, bytes.len() / size) {
            // SAFETY: pieces do not overlap, so every element is reached by one thread.
            let target = unsafe { view.matrix(matrices.start + part.matrix).as_mut_ptr() };
            let first = corner + part.run as isize * between_runs + part.elements.start as isize * within;
            let source = &bytes[part.at * size..(part.at + part.elements.len()) * size];
            // SAFETY: the elements are inside the view.
            unsafe { scatter(source, target.wrapping_offset(first), within) };
        }
    };
    gpu.download(block, start, matrices.len() * packing.elements() * size, &drain, interrupt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapack_ai_core::MatrixView;

    #[test]
    fn the_parts_of_a_piece_cover_it_in_order_and_stay_inside_their_runs() {
        let packing = Packing { rows: 3, cols: 5, col_major: false };
        let mut next = 7;
        for part in parts(packing, 7, 22) {
            assert_eq!((part.matrix * 3 + part.run) * 5 + part.elements.start, next);
            assert_eq!(part.at, next - 7);
            assert!(part.elements.end <= 5 && part.run < 3);
            next += part.elements.len();
        }
        assert_eq!(next, 29);
    }

    #[test]
    fn the_packing_keeps_the_order_that_the_host_has() {
        let data = [0.0; 6];
        let a = BatchView::from(MatrixView::row_major(&data, 2, 3).unwrap());
        assert!(!Packing::of(&a).col_major);
        assert!(Packing::of(&a.clone().transposed()).col_major);
        assert_eq!(Packing::of(&a.transposed()).strides(), (1, 3));
    }
}
