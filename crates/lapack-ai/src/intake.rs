//! One sweep over an input matrix: the working copy, the search for NaN and Inf, and the 1-norm.
//!
//! LAPACK overwrites its input, so one copy is owed in any case; the check rides on it. The sum of `|a_ij|` over a column
//! is finite exactly when every element is and nothing overflowed; only if it is not finite are elements looked at one by
//! one. The largest column sum is `norm(A, 1)`, which the conditioning of `solve` needs.

use lapack_ai_core::{Code, Detail, Error, Layout, Location, MatrixView, NonFinite, Real, Scalar};

/// Which elements an operation reads. The others may hold anything, NaN included, as with LAPACK itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All.
    Full,
    /// Row >= column.
    Lower,
    /// Row <= column.
    Upper,
    /// Row = column.
    Diagonal,
    /// Row - column from minus `upper` to `lower`.
    Band {
        /// Diagonals below the main one.
        lower: usize,
        /// Diagonals above it.
        upper: usize,
    },
}

impl Part {
    /// The same elements of the transpose.
    pub(crate) fn transposed(self) -> Self {
        match self {
            Part::Full | Part::Diagonal => self,
            Part::Lower => Part::Upper,
            Part::Upper => Part::Lower,
            Part::Band { lower, upper } => Part::Band { lower: upper, upper: lower },
        }
    }

    /// LAPACK's UPLO letter.
    pub(crate) fn uplo(self) -> u8 {
        if self == Part::Upper { b'U' } else { b'L' }
    }

    /// Rows of column `j` that are read.
    #[inline(always)]
    fn rows(self, j: usize, rows: usize) -> std::ops::Range<usize> {
        match self {
            Part::Full => 0..rows,
            Part::Lower => j.min(rows)..rows,
            Part::Upper => 0..(j + 1).min(rows),
            Part::Diagonal => j.min(rows)..(j + 1).min(rows),
            Part::Band { lower, upper } => j.saturating_sub(upper).min(rows)..(j + lower + 1).min(rows),
        }
    }
}

/// What the sweep found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Swept {
    /// Largest column sum of `abs1` over the part read, if it was wanted; at most the largest finite number if all elements
    /// are finite.
    pub(crate) norm1: f64,
    /// Whether every element read is finite.
    pub(crate) finite: bool,
}

/// Edge of the square tiles in which a row-major matrix is turned into a column-major one: two tiles of complex128 fit
/// the first-level cache.
const TILE: usize = 32;

/// Copies `source` to the column-major `target` (leading dimension `ld`), element (i, j) to `target + i + j ld`.
///
/// # Safety
/// `target` must be writable for `ld * (cols - 1) + rows` elements and not overlap the source; `ld >= rows`.
#[inline]
pub(crate) unsafe fn copy<T: Scalar>(
    source: MatrixView<'_, T>,
    part: Part,
    target: *mut T,
    ld: usize,
    want: Want,
) -> Swept {
    let (rows, cols) = (source.rows(), source.cols());
    if rows <= TINY && cols <= TINY && part == Part::Full {
        // SAFETY: this function's own promise.
        return conclude(source, part, unsafe { copy_tiny(source, target, ld) });
    }
    let mut tally = Tally::new(want);
    if source.row_stride() == 1 {
        for j in 0..cols {
            let mut range = part.rows(j, rows);
            if want == Want::Finite {
                // Whole cache lines move faster. A NaN among the few elements beyond the part costs a second look.
                range = range.start & !(LINE - 1)..range.end.next_multiple_of(LINE).min(rows);
            }
            let from = source.as_ptr().wrapping_offset(j as isize * source.col_stride()).wrapping_add(range.start);
            // SAFETY: the rows of the range are inside column j of both.
            unsafe { copy_run(from, target.add(j * ld + range.start), range.len(), &mut tally.sums) };
            tally.end_of_column();
        }
    } else if rows <= TILE && cols <= TILE {
        for j in 0..cols {
            let mut sum = T::Real::ZERO;
            for i in part.rows(j, rows) {
                // SAFETY: (i, j) is inside both.
                sum = unsafe { copy_one(source, i, j, target, ld, sum) };
            }
            tally.sums[0] = tally.sums[0].add(sum);
            tally.end_of_column();
        }
    } else {
        // SAFETY: this function's own promise.
        tally.norm1 = unsafe { copy_tiles(source, part, target, ld) };
    }
    conclude(source, part, tally.finish())
}

/// Sweeps without copying, for input that is used where it lies.
#[inline]
pub(crate) fn inspect<T: Scalar>(source: MatrixView<'_, T>, part: Part, want: Want) -> Swept {
    let mut tally = Tally::new(want);
    for j in 0..source.cols() {
        let range = part.rows(j, source.rows());
        let from = source.as_ptr().wrapping_offset(j as isize * source.col_stride());
        if source.row_stride() == 1 {
            // SAFETY: the range lies inside column j.
            unsafe { sum_run(from.wrapping_add(range.start), range.len(), &mut tally.sums) };
        } else {
            // SAFETY: (i, j) is inside the matrix.
            let element = |i: usize| unsafe { *from.wrapping_offset(i as isize * source.row_stride()) };
            tally.sums[0] = range.fold(tally.sums[0], |sum, i| sum.add(element(i).abs1()));
        }
        tally.end_of_column();
    }
    conclude(source, part, tally.finish())
}

/// The larger, and NaN if one is NaN.
#[inline(always)]
fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

#[inline(always)]
fn conclude<T: Scalar>(source: MatrixView<'_, T>, part: Part, norm1: f64) -> Swept {
    if norm1.is_finite() { Swept { norm1, finite: true } } else { conclude_slowly(source, part) }
}

/// A sum that is not finite: a NaN or Inf, or finite elements whose sum overflowed.
#[cold]
fn conclude_slowly<T: Scalar>(source: MatrixView<'_, T>, part: Part) -> Swept {
    let finite = first_non_finite(source, part).is_none();
    let largest = if T::Real::EPSILON > 1e-10 { f64::from(f32::MAX) } else { f64::MAX };
    Swept { norm1: if finite { largest } else { f64::NAN }, finite }
}

/// Up to this order a plain double loop is quicker than anything cleverer.
const TINY: usize = 8;

/// # Safety
/// As for [`copy`].
#[inline(always)]
unsafe fn copy_tiny<T: Scalar>(source: MatrixView<'_, T>, target: *mut T, ld: usize) -> f64 {
    let (row_stride, col_stride) = (source.row_stride(), source.col_stride());
    let mut norm1 = 0.0;
    let (mut from, mut to) = (source.as_ptr(), target);
    for _ in 0..source.cols() {
        let mut element = from;
        let mut sum = T::Real::ZERO;
        for i in 0..source.rows() {
            // SAFETY: the strides step through the elements of the source, and the target has `ld` for each column.
            unsafe {
                let value = *element;
                *to.add(i) = value;
                sum = sum.add(value.abs1());
            }
            element = element.wrapping_offset(row_stride);
        }
        norm1 = larger(norm1, sum.into());
        from = from.wrapping_offset(col_stride);
        to = to.wrapping_add(ld);
    }
    norm1
}

#[inline(always)]
unsafe fn copy_one<T: Scalar>(
    source: MatrixView<'_, T>,
    i: usize,
    j: usize,
    target: *mut T,
    ld: usize,
    sum: T::Real,
) -> T::Real {
    let offset = i as isize * source.row_stride() + j as isize * source.col_stride();
    // SAFETY: the caller gives an (i, j) inside both matrices.
    unsafe {
        let value = *source.as_ptr().offset(offset);
        *target.add(i + j * ld) = value;
        sum.add(value.abs1())
    }
}

/// Tile by tile, so that neither the rows read nor the columns written leave the cache between two uses.
unsafe fn copy_tiles<T: Scalar>(source: MatrixView<'_, T>, part: Part, target: *mut T, ld: usize) -> f64 {
    let (rows, cols) = (source.rows(), source.cols());
    let mut norm1 = 0.0;
    for j0 in (0..cols).step_by(TILE) {
        let j1 = (j0 + TILE).min(cols);
        let mut sums = [T::Real::ZERO; TILE];
        for i0 in (0..rows).step_by(TILE) {
            let i1 = (i0 + TILE).min(rows);
            for j in j0..j1 {
                let range = part.rows(j, rows);
                for i in range.start.max(i0)..range.end.min(i1) {
                    // SAFETY: (i, j) is inside both; the caller's promise.
                    sums[j - j0] = unsafe { copy_one(source, i, j, target, ld, sums[j - j0]) };
                }
            }
        }
        norm1 = sums.iter().fold(norm1, |norm, &sum| larger(norm, sum.into()));
    }
    norm1
}

/// Independent partial sums, so that the additions fill vectors and their latency is hidden.
const LANES: usize = 16;
type Sums<R> = [R; LANES];

/// Elements in a cache line, of doubles.
const LINE: usize = 8;

/// What a sweep finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Whether all elements are finite.
    Finite,
    /// That, and `norm(A, 1)`.
    Norm,
}

/// The sums of a sweep: of one column at a time where the norm is wanted, else of all of them.
struct Tally<R> {
    want: Want,
    sums: Sums<R>,
    norm1: f64,
}

impl<R: Real> Tally<R> {
    #[inline(always)]
    fn new(want: Want) -> Self {
        Self { want, sums: [R::ZERO; LANES], norm1: 0.0 }
    }

    #[inline(always)]
    fn end_of_column(&mut self) {
        if self.want == Want::Norm {
            self.norm1 = larger(self.norm1, total(self.sums));
            self.sums = [R::ZERO; LANES];
        }
    }

    #[inline(always)]
    fn finish(self) -> f64 {
        larger(self.norm1, total(self.sums))
    }
}
/// Runs shorter than this are not worth the choice of a faster form.
#[cfg(target_arch = "x86_64")]
const SHORT: usize = 32;

/// Copies `len` elements and adds their `abs1` to the sums.
///
/// # Safety
/// `from` and `to` have `len` elements and do not overlap.
#[inline(always)]
unsafe fn copy_run<T: Scalar>(from: *const T, to: *mut T, len: usize, sums: &mut Sums<T::Real>) {
    if len * size_of::<T>() >= LONG {
        // SAFETY: the caller's promise.
        return unsafe { copy_long_run(from, to, len, sums) };
    }
    #[cfg(target_arch = "x86_64")]
    if len >= SHORT && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the caller's promise, and the processor has AVX2.
        return unsafe { copy_run_avx2(from, to, len, sums) };
    }
    // SAFETY: the caller's promise.
    unsafe { copy_run_portable(from, to, len, sums) }
}

/// Bytes from which the system's copy, which need not read what it overwrites, is worth a second look at the source.
const LONG: usize = 2048;
/// Bytes that stay in the first-level cache between the two.
const BLOCK: usize = 16 << 10;

/// Copies block by block, and looks at each block again while it is in the cache.
///
/// # Safety
/// As for [`copy_run`].
unsafe fn copy_long_run<T: Scalar>(from: *const T, to: *mut T, len: usize, sums: &mut Sums<T::Real>) {
    let block = BLOCK / size_of::<T>();
    for start in (0..len).step_by(block) {
        let part = block.min(len - start);
        // SAFETY: blocks of the caller's `len` elements.
        unsafe {
            from.add(start).copy_to_nonoverlapping(to.add(start), part);
            sum_run(from.add(start), part, sums);
        }
    }
}

/// The portable form compiled for AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn copy_run_avx2<T: Scalar>(from: *const T, to: *mut T, len: usize, sums: &mut Sums<T::Real>) {
    // SAFETY: the caller's promise.
    unsafe { copy_run_portable(from, to, len, sums) }
}

#[inline(always)]
unsafe fn copy_run_portable<T: Scalar>(from: *const T, to: *mut T, len: usize, sums: &mut Sums<T::Real>) {
    let body = len - len % LANES;
    // SAFETY: indices stay below `len`, which the caller promises for both.
    unsafe {
        for start in (0..body).step_by(LANES) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let value = *from.add(start + lane);
                *to.add(start + lane) = value;
                *sum = sum.add(value.abs1());
            }
        }
        for (lane, sum) in sums.iter_mut().enumerate().take(len - body) {
            let value = *from.add(body + lane);
            *to.add(body + lane) = value;
            *sum = sum.add(value.abs1());
        }
    }
}

/// Adds the `abs1` of `len` elements to the sums.
///
/// # Safety
/// `from` has `len` elements.
#[inline(always)]
unsafe fn sum_run<T: Scalar>(from: *const T, len: usize, sums: &mut Sums<T::Real>) {
    #[cfg(target_arch = "x86_64")]
    if len >= SHORT && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the caller's promise, and the processor has AVX2.
        return unsafe { sum_run_avx2(from, len, sums) };
    }
    // SAFETY: the caller's promise.
    unsafe { sum_run_portable(from, len, sums) }
}

/// The portable form compiled for AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn sum_run_avx2<T: Scalar>(from: *const T, len: usize, sums: &mut Sums<T::Real>) {
    // SAFETY: the caller's promise.
    unsafe { sum_run_portable(from, len, sums) }
}

#[inline(always)]
unsafe fn sum_run_portable<T: Scalar>(from: *const T, len: usize, sums: &mut Sums<T::Real>) {
    let body = len - len % LANES;
    // SAFETY: indices stay below `len`, which the caller promises.
    unsafe {
        for start in (0..body).step_by(LANES) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum = sum.add((*from.add(start + lane)).abs1());
            }
        }
        for (lane, sum) in sums.iter_mut().enumerate().take(len - body) {
            *sum = sum.add((*from.add(body + lane)).abs1());
        }
    }
}

/// In pairs: four rounds of independent additions instead of a chain of fifteen.
#[inline(always)]
fn total<R: Real>(mut sums: [R; LANES]) -> f64 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] = sums[lane].add(sums[lane + width]);
        }
        width /= 2;
    }
    sums[0].into()
}

/// `norm(A, 1)` of a symmetric or Hermitian matrix from the triangle that holds it.
#[cold]
pub(crate) fn symmetric_norm1<T: Scalar>(source: MatrixView<'_, T>, part: Part) -> f64 {
    let n = source.cols();
    let mut sums = vec![0.0_f64; n];
    for j in 0..n {
        for i in part.rows(j, n) {
            let size: f64 = source.get(i, j).abs1().into();
            sums[j] += size;
            if i != j {
                sums[i] += size;
            }
        }
    }
    sums.into_iter().fold(0.0, f64::max).min(f64::MAX)
}

/// First NaN or Inf in row-major order, with how many there are.
pub(crate) fn first_non_finite<T: Scalar>(
    source: MatrixView<'_, T>,
    part: Part,
) -> Option<(Location, NonFinite, usize)> {
    let mut first = None;
    let mut count = 0;
    for row in 0..source.rows() {
        for col in 0..source.cols() {
            let read = part == Part::Full || part.rows(col, source.rows()).contains(&row);
            let value = source.get(row, col);
            if read && !value.is_finite() {
                count += 1;
                let kind = if value.is_nan() { NonFinite::Nan } else { NonFinite::Inf };
                first.get_or_insert((Location { matrix: None, row, col }, kind));
            }
        }
    }
    first.map(|(location, kind)| (location, kind, count))
}

/// The error that names the first NaN or Inf. `source` and `part` are as the user sees them, not transposed.
#[cold]
pub(crate) fn non_finite<T: Scalar>(operation: &'static str, source: MatrixView<'_, T>, part: Part) -> Error {
    match first_non_finite(source, part) {
        Some((first, kind, count)) => Error::new(Code::NonFinite, operation, Detail::NonFinite { kind, first, count }),
        None => Error::text(Code::NonFinite, operation, "the input changed while it was read"),
    }
}

/// How an operation sees its input: as it is if that is column-major, else its transpose.
///
/// A C-ordered matrix is the transpose of a Fortran-ordered one, so nothing is rearranged: the operation works on the
/// transpose and gives its results accordingly. A matrix that is neither is copied as if it were C-ordered.
#[inline]
pub(crate) fn is_flipped(layout: Layout) -> bool {
    !matches!(layout, Layout::ColMajor { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(source: MatrixView<'_, f64>, part: Part) -> (Vec<f64>, Swept) {
        let ld = source.rows() + 1;
        let mut target = vec![-1.0; ld * source.cols()];
        // SAFETY: the target has `ld` elements a column.
        let swept = unsafe { copy(source, part, target.as_mut_ptr(), ld, Want::Norm) };
        (target, swept)
    }

    #[test]
    fn every_stride_gives_the_same_column_major_copy_and_the_1_norm() {
        for (rows, cols) in [(1, 1), (3, 5), (9, 8), (40, 33), (70, 41)] {
            let value = |i: usize, j: usize| ((i * 7 + j * 13) % 11) as f64 - 5.0;
            let row_major: Vec<f64> = (0..rows * cols).map(|k| value(k / cols, k % cols)).collect();
            let col_major: Vec<f64> = (0..rows * cols).map(|k| value(k % rows, k / rows)).collect();
            let norm1 = (0..cols).map(|j| (0..rows).map(|i| value(i, j).abs()).sum()).fold(0.0, f64::max);
            let views = [
                MatrixView::row_major(&row_major, rows, cols).unwrap(),
                MatrixView::col_major(&col_major, rows, cols).unwrap(),
            ];
            for view in views {
                let (target, swept) = copied(view, Part::Full);
                assert_eq!(swept, Swept { norm1, finite: true });
                assert_eq!(inspect(view, Part::Full, Want::Norm), swept);
                for j in 0..cols {
                    for i in 0..rows {
                        assert_eq!(target[i + j * (rows + 1)], value(i, j), "({i}, {j}) of {rows} x {cols}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_form_for_avx2_and_the_portable_one_agree_to_the_bit() {
        for len in [0, 1, 31, 32, 100, 1000] {
            let from: Vec<f64> = (0..len).map(|k| (k as f64 * 0.7).sin()).collect();
            let (mut to, mut other) = (vec![0.0; len], vec![0.0; len]);
            let (mut fast, mut portable, mut only_sums) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
            // SAFETY: both targets have `len` elements.
            unsafe {
                copy_run(from.as_ptr(), to.as_mut_ptr(), len, &mut fast);
                copy_run_portable(from.as_ptr(), other.as_mut_ptr(), len, &mut portable);
                sum_run(from.as_ptr(), len, &mut only_sums);
            }
            assert_eq!((fast, only_sums), (portable, portable));
            assert!(to == from && other == from);
        }
    }

    #[test]
    fn only_the_named_triangle_is_read() {
        let mut data = vec![f64::NAN; 50 * 50];
        for i in 0..50 {
            for j in 0..=i {
                data[i * 50 + j] = 1.0;
            }
        }
        let view = MatrixView::row_major(&data, 50, 50).unwrap();
        assert_eq!(copied(view, Part::Lower).1, Swept { norm1: 50.0, finite: true });
        assert!(!copied(view, Part::Upper).1.finite);
        assert!(inspect(view.transposed(), Part::Upper, Want::Norm).finite);
    }

    #[test]
    fn the_norm_of_a_symmetric_matrix_counts_both_triangles() {
        // An arrow: each column of the lower triangle sums to 1 or 2, the whole last column to 4.
        let data = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 2.0];
        let lower = MatrixView::row_major(&data, 3, 3).unwrap();
        assert_eq!(symmetric_norm1(lower, Part::Lower), 4.0);
        assert_eq!(inspect(lower, Part::Lower, Want::Norm).norm1, 2.0);
    }

    #[test]
    fn the_first_nan_is_found_in_row_major_order_with_the_count() {
        let mut data = vec![0.0; 12];
        data[5] = f64::INFINITY;
        data[7] = f64::NAN;
        let view = MatrixView::row_major(&data, 3, 4).unwrap();
        let location = Location { matrix: None, row: 1, col: 1 };
        assert_eq!(first_non_finite(view, Part::Full), Some((location, NonFinite::Inf, 2)));
        assert!(!copied(view, Part::Full).1.finite);
    }

    #[test]
    fn finite_elements_whose_sum_overflows_are_finite() {
        let data = vec![f64::MAX; 9];
        let view = MatrixView::row_major(&data, 3, 3).unwrap();
        assert_eq!(copied(view, Part::Full).1, Swept { norm1: f64::MAX, finite: true });
    }
}
