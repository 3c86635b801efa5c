//! The owned matrix that Rust callers get back.

use crate::{MatrixView, MatrixViewMut, Scalar};

/// An owned dense matrix, column-major (`lda = rows`) or row-major (`lda = cols`).
///
/// An operation returns the order it computed in, so nothing is copied to rearrange it; [`Matrix::get`] hides the order.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T> {
    data: Vec<T>,
    rows: usize,
    cols: usize,
    row_major: bool,
}

impl<T: Scalar> Matrix<T> {
    /// A column-major matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { data: vec![T::ZERO; rows * cols], rows, cols, row_major: false }
    }

    /// A row-major matrix of zeros.
    pub fn zeros_row_major(rows: usize, cols: usize) -> Self {
        Self { row_major: true, ..Self::zeros(rows, cols) }
    }

    /// Element (i, j) = `f(i, j)`, column-major.
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> T) -> Self {
        let data = (0..cols).flat_map(|j| (0..rows).map(move |i| (i, j))).map(|(i, j)| f(i, j)).collect();
        Self { data, rows, cols, row_major: false }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Element (i, j). Panics outside the matrix.
    pub fn get(&self, i: usize, j: usize) -> T {
        self.view().get(i, j)
    }

    /// The elements in storage order; see [`Matrix::is_row_major`].
    pub fn as_slice(&self) -> &[T] {
        &self.data
    }

    /// Whether rows rather than columns are contiguous.
    pub fn is_row_major(&self) -> bool {
        self.row_major
    }

    /// A view to read.
    pub fn view(&self) -> MatrixView<'_, T> {
        let (row_stride, col_stride) = self.strides();
        // SAFETY: the strides reach exactly the `rows * cols` elements of `data`.
        unsafe { MatrixView::from_raw(self.data.as_ptr(), self.rows, self.cols, row_stride, col_stride) }
    }

    /// A view to write.
    pub fn view_mut(&mut self) -> MatrixViewMut<'_, T> {
        let (row_stride, col_stride) = self.strides();
        // SAFETY: as for `view`, and borrowed exclusively.
        unsafe { MatrixViewMut::from_raw(self.data.as_mut_ptr(), self.rows, self.cols, row_stride, col_stride) }
    }

    fn strides(&self) -> (isize, isize) {
        if self.row_major { (self.cols as isize, 1) } else { (1, self.rows as isize) }
    }
}
