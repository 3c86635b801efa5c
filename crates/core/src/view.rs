//! Views of matrices and of batches of matrices in memory that someone else owns.
//!
//! Strides count elements, not bytes, and may be zero (broadcast) or negative. Element (i, j) of matrix b lies at
//! `ptr + offset(b) + i * row_stride + j * col_stride`. Nothing is copied or checked when a view is made; the safe
//! constructors take slices, the `unsafe` ones state what the caller promises.

use crate::Stored;
use std::marker::PhantomData;

/// How the elements of one matrix follow each other in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Columns are contiguous, `lda` elements apart: what LAPACK reads. Fortran order.
    ColMajor {
        /// Leading dimension: elements from one column to the next.
        lda: usize,
    },
    /// Rows are contiguous, `lda` elements apart: the column-major form of the transpose. C order.
    RowMajor {
        /// Leading dimension: elements from one row to the next.
        lda: usize,
    },
    /// Any other pair of strides: LAPACK cannot read it where it lies.
    Strided,
}

/// A matrix of `rows` x `cols` elements to read.
#[derive(Clone, Copy, Debug)]
pub struct MatrixView<'a, T> {
    ptr: *const T,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
    lifetime: PhantomData<&'a [T]>,
}

// SAFETY: a view is a shared borrow of its elements, and `Stored` types are `Sync`.
unsafe impl<T: Stored> Send for MatrixView<'_, T> {}
// SAFETY: as above; all access through `&self` reads.
unsafe impl<T: Stored> Sync for MatrixView<'_, T> {}

impl<'a, T: Stored> MatrixView<'a, T> {
    /// A row-major matrix in a slice of `rows * cols` elements; `None` where the length differs.
    pub fn row_major(data: &'a [T], rows: usize, cols: usize) -> Option<Self> {
        let fits = rows.checked_mul(cols) == Some(data.len());
        // SAFETY: the slice holds exactly the elements that the strides reach.
        fits.then(|| unsafe { Self::from_raw(data.as_ptr(), rows, cols, cols as isize, 1) })
    }

    /// A column-major matrix in a slice of `rows * cols` elements; `None` where the length differs.
    pub fn col_major(data: &'a [T], rows: usize, cols: usize) -> Option<Self> {
        let fits = rows.checked_mul(cols) == Some(data.len());
        // SAFETY: as for `row_major`.
        fits.then(|| unsafe { Self::from_raw(data.as_ptr(), rows, cols, 1, rows as isize) })
    }

    /// # Safety
    /// For all i < `rows`, j < `cols`, the element at `ptr + i * row_stride + j * col_stride` must be valid, aligned and
    /// initialised, and nothing may write it during `'a`.
    #[inline]
    pub unsafe fn from_raw(ptr: *const T, rows: usize, cols: usize, row_stride: isize, col_stride: isize) -> Self {
        Self { ptr, rows, cols, row_stride, col_stride, lifetime: PhantomData }
    }

    /// Address of element (0, 0).
    #[inline]
    pub fn as_ptr(&self) -> *const T {
        self.ptr
    }

    /// Number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[inline]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Elements from one row to the next.
    #[inline]
    pub fn row_stride(&self) -> isize {
        self.row_stride
    }

    /// Elements from one column to the next.
    #[inline]
    pub fn col_stride(&self) -> isize {
        self.col_stride
    }

    /// Element (i, j). Panics outside the matrix.
    pub fn get(&self, i: usize, j: usize) -> T {
        assert!(i < self.rows && j < self.cols, "element ({i}, {j}) of a {} x {} matrix", self.rows, self.cols);
        // SAFETY: in range, and the constructor's contract covers every element in range.
        unsafe { *self.ptr.offset(i as isize * self.row_stride + j as isize * self.col_stride) }
    }

    /// The transpose: the same memory, the strides exchanged.
    #[inline]
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// How LAPACK can read this matrix. Where both forms hold (one row, one column, empty), column-major is named.
    #[inline]
    pub fn layout(&self) -> Layout {
        layout(self.rows, self.cols, self.row_stride, self.col_stride)
    }

    /// The leading dimension under which LAPACK can read this matrix as column-major, if it can.
    #[inline]
    pub fn col_major_lda(&self) -> Option<usize> {
        leading_dimension(self.rows, self.cols, self.row_stride, self.col_stride)
    }
}

#[inline]
fn layout(rows: usize, cols: usize, row_stride: isize, col_stride: isize) -> Layout {
    let col_lda = leading_dimension(rows, cols, row_stride, col_stride);
    if let Some(lda) = col_lda {
        return Layout::ColMajor { lda };
    }
    match leading_dimension(cols, rows, col_stride, row_stride) {
        Some(lda) => Layout::RowMajor { lda },
        None => Layout::Strided,
    }
}

/// `lda` if `inner` elements are contiguous and the `outer` runs do not overlap; strides of extents below 2, and of empty
/// matrices, are free.
#[inline]
fn leading_dimension(inner: usize, outer: usize, inner_stride: isize, outer_stride: isize) -> Option<usize> {
    let smallest = inner.max(1);
    if inner > 1 && outer > 0 && inner_stride != 1 {
        return None;
    }
    if outer <= 1 || inner == 0 {
        return Some(smallest);
    }
    (outer_stride >= smallest as isize).then_some(outer_stride as usize)
}

/// A matrix of `rows` x `cols` elements to write.
#[derive(Debug)]
pub struct MatrixViewMut<'a, T> {
    ptr: *mut T,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: an exclusive borrow of its elements, and `Stored` types are `Send`.
unsafe impl<T: Stored> Send for MatrixViewMut<'_, T> {}

impl<'a, T: Stored> MatrixViewMut<'a, T> {
    /// # Safety
    /// As [`MatrixView::from_raw`], with the elements distinct, writable and reached by nobody else during `'a`; they
    /// need not be initialised.
    #[inline]
    pub unsafe fn from_raw(ptr: *mut T, rows: usize, cols: usize, row_stride: isize, col_stride: isize) -> Self {
        Self { ptr, rows, cols, row_stride, col_stride, lifetime: PhantomData }
    }

    /// Address of element (0, 0).
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.ptr
    }

    /// Number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[inline]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Elements from one row to the next.
    #[inline]
    pub fn row_stride(&self) -> isize {
        self.row_stride
    }

    /// Elements from one column to the next.
    #[inline]
    pub fn col_stride(&self) -> isize {
        self.col_stride
    }

    /// The transpose: the same memory, the strides exchanged.
    #[inline]
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// The leading dimension under which LAPACK can write this matrix as column-major, if it can.
    #[inline]
    pub fn col_major_lda(&self) -> Option<usize> {
        leading_dimension(self.rows, self.cols, self.row_stride, self.col_stride)
    }

    /// The same elements to read.
    #[inline]
    pub fn as_view(&self) -> MatrixView<'_, T> {
        // SAFETY: this view's promise includes the reading one, but for initialisation, which the engines establish
        // before they read.
        unsafe { MatrixView::from_raw(self.ptr, self.rows, self.cols, self.row_stride, self.col_stride) }
    }

    /// Writes element (i, j). Panics outside the matrix.
    pub fn set(&mut self, i: usize, j: usize, value: T) {
        assert!(i < self.rows && j < self.cols, "element ({i}, {j}) of a {} x {} matrix", self.rows, self.cols);
        // SAFETY: in range, and the constructor's contract covers every element in range.
        unsafe { *self.ptr.offset(i as isize * self.row_stride + j as isize * self.col_stride) = value }
    }
}

/// Matrices of one shape under any number of leading (batch) dimensions, to read.
#[derive(Clone, Debug)]
pub struct BatchView<'a, T> {
    first: MatrixView<'a, T>,
    batch: Batch,
}

/// Matrices of one shape under any number of leading (batch) dimensions, to write.
#[derive(Debug)]
pub struct BatchViewMut<'a, T> {
    ptr: *mut T,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
    batch: Batch,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: as for `MatrixViewMut`. `Sync` because `matrix` is unsafe and asks that every matrix be taken by one thread.
unsafe impl<T: Stored> Send for BatchViewMut<'_, T> {}
// SAFETY: see above.
unsafe impl<T: Stored> Sync for BatchViewMut<'_, T> {}

/// Leading dimensions and their element strides; empty for a single matrix, which then costs no allocation.
#[derive(Clone, Debug, Default)]
struct Batch {
    shape: Vec<usize>,
    strides: Vec<isize>,
    count: usize,
}

impl Batch {
    fn new(shape: &[usize], strides: &[isize]) -> Self {
        assert_eq!(shape.len(), strides.len(), "one stride for each batch dimension");
        Self { shape: shape.to_vec(), strides: strides.to_vec(), count: shape.iter().product() }
    }

    /// Element offset of matrix `index`, counted in C order over the batch dimensions.
    #[inline]
    fn offset(&self, mut index: usize) -> isize {
        // One leading dimension, the usual case, needs no division.
        if let [stride] = self.strides[..] {
            return index as isize * stride;
        }
        let mut offset = 0;
        for (&extent, &stride) in self.shape.iter().zip(&self.strides).rev() {
            offset += (index % extent) as isize * stride;
            index /= extent;
        }
        offset
    }
}

impl<'a, T: Stored> From<MatrixView<'a, T>> for BatchView<'a, T> {
    fn from(first: MatrixView<'a, T>) -> Self {
        Self { first, batch: Batch { count: 1, ..Batch::default() } }
    }
}

impl<'a, T: Stored> BatchView<'a, T> {
    /// # Safety
    /// [`MatrixView::from_raw`]'s promise for every matrix of the batch.
    pub unsafe fn from_raw(first: MatrixView<'a, T>, shape: &[usize], strides: &[isize]) -> Self {
        Self { first, batch: Batch::new(shape, strides) }
    }

    /// A contiguous, row-major batch `(count, rows, cols)`; `None` where the slice's length differs.
    pub fn row_major(data: &'a [T], count: usize, rows: usize, cols: usize) -> Option<Self> {
        let each = rows.checked_mul(cols)?;
        if each.checked_mul(count)? != data.len() {
            return None;
        }
        // SAFETY: the slice holds exactly `count` matrices of `each` elements.
        Some(unsafe {
            let first = MatrixView::from_raw(data.as_ptr(), rows, cols, cols as isize, 1);
            Self::from_raw(first, &[count], &[each as isize])
        })
    }

    /// Number of matrices.
    #[inline]
    pub fn count(&self) -> usize {
        self.batch.count
    }

    /// The leading dimensions.
    #[inline]
    pub fn batch_shape(&self) -> &[usize] {
        &self.batch.shape
    }

    /// Elements from one matrix to the next along each leading dimension.
    #[inline]
    pub fn batch_strides(&self) -> &[isize] {
        &self.batch.strides
    }

    /// Address of the first matrix.
    #[inline]
    pub fn as_ptr(&self) -> *const T {
        self.first.ptr
    }

    /// Elements from one row, and from one column, to the next.
    #[inline]
    pub fn strides(&self) -> (isize, isize) {
        (self.first.row_stride, self.first.col_stride)
    }

    /// Rows of each matrix.
    #[inline]
    pub fn rows(&self) -> usize {
        self.first.rows
    }

    /// Columns of each matrix.
    #[inline]
    pub fn cols(&self) -> usize {
        self.first.cols
    }

    /// How LAPACK can read each matrix: they all share one pair of strides.
    #[inline]
    pub fn layout(&self) -> Layout {
        self.first.layout()
    }

    /// The same matrices under leading dimensions `shape`, by NumPy's broadcasting rule: dimensions are aligned at the
    /// right, and one of extent 1 is repeated. `None` where they do not fit.
    pub fn broadcast_to(&self, shape: &[usize]) -> Option<Self> {
        let missing = shape.len().checked_sub(self.batch.shape.len())?;
        let mut strides = vec![0; missing];
        for (axis, (&extent, &stride)) in self.batch.shape.iter().zip(&self.batch.strides).enumerate() {
            match (extent, shape[missing + axis]) {
                (have, want) if have == want => strides.push(stride),
                (1, _) => strides.push(0),
                _ => return None,
            }
        }
        Some(Self { first: self.first, batch: Batch::new(shape, &strides) })
    }

    /// Each matrix transposed.
    pub fn transposed(self) -> Self {
        Self { first: self.first.transposed(), batch: self.batch }
    }

    /// Matrix `index` in C order over the batch dimensions. Panics past the end.
    #[inline]
    pub fn matrix(&self, index: usize) -> MatrixView<'a, T> {
        assert!(index < self.batch.count, "matrix {index} of a batch of {}", self.batch.count);
        MatrixView { ptr: self.first.ptr.wrapping_offset(self.batch.offset(index)), ..self.first }
    }
}

impl<'a, T: Stored> From<MatrixViewMut<'a, T>> for BatchViewMut<'a, T> {
    fn from(first: MatrixViewMut<'a, T>) -> Self {
        Self::single(first, Batch { count: 1, ..Batch::default() })
    }
}

impl<'a, T: Stored> BatchViewMut<'a, T> {
    fn single(first: MatrixViewMut<'a, T>, batch: Batch) -> Self {
        let MatrixViewMut { ptr, rows, cols, row_stride, col_stride, .. } = first;
        Self { ptr, rows, cols, row_stride, col_stride, batch, lifetime: PhantomData }
    }

    /// # Safety
    /// [`MatrixViewMut::from_raw`]'s promise for every matrix of the batch, and no two matrices overlap.
    pub unsafe fn from_raw(first: MatrixViewMut<'a, T>, shape: &[usize], strides: &[isize]) -> Self {
        Self::single(first, Batch::new(shape, strides))
    }

    /// A contiguous batch `(count, rows, cols)` of column-major matrices; `None` where the slice's length differs.
    pub fn col_major(data: &'a mut [T], count: usize, rows: usize, cols: usize) -> Option<Self> {
        let each = rows.checked_mul(cols)?;
        if each.checked_mul(count)? != data.len() {
            return None;
        }
        // SAFETY: the slice holds exactly `count` matrices of `each` elements, and is borrowed for writing.
        Some(unsafe {
            let first = MatrixViewMut::from_raw(data.as_mut_ptr(), rows, cols, 1, rows as isize);
            Self::from_raw(first, &[count], &[each as isize])
        })
    }

    /// Number of matrices.
    #[inline]
    pub fn count(&self) -> usize {
        self.batch.count
    }

    /// Rows of each matrix.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of each matrix.
    #[inline]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The leading dimensions.
    #[inline]
    pub fn batch_shape(&self) -> &[usize] {
        &self.batch.shape
    }

    /// Each matrix transposed.
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// The same matrices to read.
    pub fn as_view(&self) -> BatchView<'_, T> {
        // SAFETY: as for `MatrixViewMut::as_view`.
        let first = unsafe { MatrixView::from_raw(self.ptr, self.rows, self.cols, self.row_stride, self.col_stride) };
        BatchView { first, batch: self.batch.clone() }
    }

    /// Matrix `index` in C order over the batch dimensions. Panics past the end.
    ///
    /// # Safety
    /// No other view of the same matrix may be alive.
    #[inline]
    pub unsafe fn matrix(&self, index: usize) -> MatrixViewMut<'_, T> {
        assert!(index < self.batch.count, "matrix {index} of a batch of {}", self.batch.count);
        let ptr = self.ptr.wrapping_offset(self.batch.offset(index));
        // SAFETY: inside the batch, so covered by the constructor's promise; exclusive by this function's.
        unsafe { MatrixViewMut::from_raw(ptr, self.rows, self.cols, self.row_stride, self.col_stride) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_c_ordered_slice_is_row_major_and_its_transpose_column_major() {
        let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let a = MatrixView::row_major(&data, 2, 3).unwrap();
        assert_eq!(a.layout(), Layout::RowMajor { lda: 3 });
        assert_eq!(a.transposed().layout(), Layout::ColMajor { lda: 3 });
        assert_eq!((a.get(1, 0), a.transposed().get(0, 1)), (4.0, 4.0));
    }

    #[test]
    fn a_window_of_a_larger_matrix_keeps_its_leading_dimension() {
        let data = [0.0; 12];
        // SAFETY: 2 rows of 3 inside 3 rows of 4.
        let window = unsafe { MatrixView::from_raw(data.as_ptr(), 2, 3, 4, 1) };
        assert_eq!(window.layout(), Layout::RowMajor { lda: 4 });
    }

    #[test]
    fn overlapping_reversed_or_doubly_strided_matrices_are_strided() {
        let data = [0.0; 16];
        for (row_stride, col_stride) in [(1, 1), (4, 2), (-4, 1), (0, 1), (2, 1)] {
            // SAFETY: only the strides are looked at.
            let a = unsafe { MatrixView::from_raw(data.as_ptr(), 3, 3, row_stride, col_stride) };
            assert_eq!(a.layout(), Layout::Strided, "strides {row_stride}, {col_stride}");
        }
    }

    #[test]
    fn a_single_row_or_column_is_column_major_whatever_its_free_stride() {
        let data = [0.0; 4];
        // SAFETY: only the strides are looked at.
        let row = unsafe { MatrixView::from_raw(data.as_ptr(), 1, 4, 99, 1) };
        assert_eq!(row.layout(), Layout::ColMajor { lda: 1 });
        // SAFETY: as above.
        let column = unsafe { MatrixView::from_raw(data.as_ptr(), 4, 1, 1, -7) };
        assert_eq!(column.layout(), Layout::ColMajor { lda: 4 });
    }

    #[test]
    fn an_empty_matrix_is_column_major_whatever_its_strides() {
        let data = [0.0; 4];
        for (rows, cols) in [(0, 4), (4, 0), (0, 0)] {
            // SAFETY: there is no element to reach.
            let a = unsafe { MatrixView::from_raw(data.as_ptr(), rows, cols, 0, 0) };
            assert_eq!(a.layout(), Layout::ColMajor { lda: rows.max(1) }, "{rows} x {cols}");
        }
    }

    #[test]
    fn batches_count_in_c_order_and_broadcast_by_stride_zero() {
        let data: Vec<f64> = (0..12).map(f64::from).collect();
        let first = MatrixView::row_major(&data[..4], 2, 2).unwrap();
        // SAFETY: offsets 0, 4, 8 twice over, each followed by 4 elements.
        let batch = unsafe { BatchView::from_raw(first, &[2, 3], &[0, 4]) };
        let corner: Vec<f64> = (0..batch.count()).map(|i| batch.matrix(i).get(0, 0)).collect();
        assert_eq!(corner, [0.0, 4.0, 8.0, 0.0, 4.0, 8.0]);
    }

    #[test]
    #[should_panic(expected = "matrix 1 of a batch of 1")]
    fn a_matrix_past_the_end_of_a_batch_panics() {
        let data = [0.0; 4];
        BatchView::from(MatrixView::row_major(&data, 2, 2).unwrap()).matrix(1);
    }

    #[test]
    fn a_slice_of_the_wrong_length_makes_no_view() {
        assert!(MatrixView::row_major(&[0.0; 5], 2, 3).is_none());
        assert!(MatrixView::<f64>::col_major(&[], usize::MAX, 2).is_none());
        assert!(BatchView::row_major(&[0.0; 8], 3, 2, 2).is_none());
    }
}
