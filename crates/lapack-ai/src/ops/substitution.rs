//! Linear systems whose matrix is already factorised, `op(A) X = B`: O(n^2) for each right-hand side.
//!
//! | what is given | routine |
//! |---|---|
//! | `A = P L U` from [`crate::lu_factor`] | `xGETRS` |
//! | `A = L L^H` or `U^H U` from [`crate::cholesky`] | `xPOTRS` |
//! | A itself, triangular | `xTRTRS` |
//!
//! The factor is only read, so it is used where it lies if LAPACK can read it there. A row-major triangle is read as its
//! transpose S; row-major L and U are copied. Where `conj(S) X = B` is then to be solved, which LAPACK has no letter for, `S conj(X) = conj(B)`
//! is.
//!
//! How well the matrix is conditioned is not looked at: `solve` and `rcond` tell that.

use super::{
    CallOptions, assert_output, blank_failed, call, illegal_argument, non_finite, require_square_argument,
    rough_seconds, take_in,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::diagnostics::{self, Triangles};
use crate::intake::{self, Part, Want, is_flipped};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{
    Applicability, Argument, BatchView, BatchViewMut, Code, Detail, Error, Finding, Location, MatrixView,
    MatrixViewMut, NonFinite, Result, Scalar,
};

/// Which form of the matrix a system is solved with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transpose {
    /// A itself.
    #[default]
    No,
    /// `A^T`.
    Transposed,
    /// `A^H`.
    Adjoint,
}

/// What is given of the matrix.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given<'a> {
    /// L and U in one matrix, and the interchanges, counted from 0, of all matrices one after the other.
    Lu { pivots: &'a [i32], transpose: Transpose },
    /// The factor in one triangle.
    Cholesky { lower: bool },
    /// The matrix itself.
    Triangular { lower: bool, unit_diagonal: bool, transpose: Transpose },
}

impl Given<'_> {
    fn part(&self) -> Part {
        match *self {
            Given::Lu { .. } => Part::Full,
            Given::Cholesky { lower } | Given::Triangular { lower, .. } if lower => Part::Lower,
            _ => Part::Upper,
        }
    }

    fn routine(&self) -> &'static str {
        match self {
            Given::Lu { .. } => "getrs",
            Given::Cholesky { .. } => "potrs",
            Given::Triangular { .. } => "trtrs",
        }
    }

    fn unit_diagonal(&self) -> bool {
        matches!(self, Given::Triangular { unit_diagonal: true, .. })
    }
}

/// Solves a batch; `name` is what the user calls the factor. X may be B itself.
pub(super) fn substitute<T: Scalar>(
    operation: &'static str,
    name: &'static str,
    a: &BatchView<'_, T>,
    given: Given<'_>,
    b: &BatchView<'_, T>,
    x: &BatchViewMut<'_, T>,
    options: CallOptions,
) -> Result<Report> {
    let argument = Argument::at(0, name);
    let body = |report: &mut Report, timed| {
        let n = require_square_argument(operation, argument, a)?;
        if b.rows() != n {
            let text = format!("{name} is {n} x {n}, so b needs {n} rows, not {}", b.rows());
            return Err(super::shape_mismatch(operation, Argument::at(1, "b"), text));
        }
        let nrhs = b.cols();
        assert_output("x", x, b.count(), n, nrhs);
        let Some(matrices) = a.broadcast_to(b.batch_shape()) else {
            let (of_a, of_b) = (a.batch_shape(), b.batch_shape());
            let text = format!("the leading dimensions {of_a:?} of {name} and {of_b:?} of b do not fit together");
            return Err(super::shape_mismatch(operation, Argument::at(1, "b"), text));
        };
        if let Given::Lu { pivots, .. } = given {
            check_pivots(operation, pivots, n, a.count())?;
        }
        let library = library()?;
        report.routine = given.routine();
        let count = b.count();
        if n == 0 || count == 0 || nrhs == 0 {
            return Ok(());
        }
        // The transpose of L and U in one matrix is not a pair of factors with the ones on L's diagonal.
        let flipped = is_flipped(a.layout()) && !matches!(given, Given::Lu { .. });
        let first = a.matrix(0);
        let readable = if flipped { first.transposed() } else { first }.col_major_lda();
        library.check_sizes(operation, &[n, nrhs, readable.unwrap_or(n)])?;
        if readable.is_none() {
            report.count_copy(n * n * count);
        }
        let mut need = Need::default();
        let copy = if readable.is_some() { need.add(0) } else { need.add2(n, n) };
        let interchanges = need.add(n);
        let check = options.check_finite;
        let in_place = readable.is_some();
        let job = Job { operation, argument, given, n, nrhs, flipped, in_place, check, timed, copy, interchanges };
        let plan = Plan {
            count,
            seconds_each: rough_seconds(2.0 * (n * n) as f64 * nrhs as f64),
            threshold: 0.0,
            contention: match n {
                0..=31 => Contention::Heavy,
                32..=64 => Contention::Some,
                _ => Contention::None,
            },
            need,
        };
        let item = |worker: &Worker, index| {
            // SAFETY: each matrix of the output is taken once, by this call.
            let x = unsafe { x.matrix(index) };
            let source = source_index(index, a.batch_shape(), b.batch_shape());
            job.one(matrices.matrix(index), source, b.matrix(index), x, worker)
        };
        batch::run(library, plan, report, item)?.conclude_or_go_on(report)?;
        blank_failed(x, report);
        doubt_factor(argument, a, given, report);
        Ok(())
    };
    call::<T, ()>(operation, (a.rows(), a.cols(), b.count()), options, body).map(|((), report)| report)
}

/// Warns of a factor whose triangle that was read is empty, or that is a whole matrix.
fn doubt_factor<T: Scalar>(argument: Argument, a: &BatchView<'_, T>, given: Given<'_>, report: &mut Report) {
    let (Given::Cholesky { lower } | Given::Triangular { lower, .. }) = given else { return };
    // The identity is a unit triangle like any other.
    if !given.unit_diagonal() {
        diagnostics::warn_of_asymmetry(argument, a, Triangles::Chosen { lower }, report);
    }
    if matches!(given, Given::Cholesky { .. }) && a.count() > 0 && diagnostics::is_whole(a.matrix(0)) {
        let name = argument.name;
        let text = format!("{name} is symmetric, so it is no triangular factor");
        let cause = format!("{name} seems to be the matrix itself, of which one triangle was read as the factor");
        let warning = Error::text(Code::NotAFactor, report.operation, text).argument(argument).because(cause);
        report.warnings.push(warning.fix(Applicability::Maybe, "pass cho_factor(a), or use solve(a, b)."));
    }
}

/// The matrix of a batch of shape `from` that matrix `index` of the broadcast shape `to` is.
fn source_index(index: usize, from: &[usize], to: &[usize]) -> usize {
    if from == to {
        return index;
    }
    let (mut rest, mut source, mut stride) = (index, 0, 1);
    for (axis, &extent) in to.iter().enumerate().rev() {
        let position = rest % extent;
        rest /= extent;
        if let Some(axis) = (axis + from.len()).checked_sub(to.len()) {
            source += position.min(from[axis] - 1) * stride;
            stride *= from[axis];
        }
    }
    source
}

/// LAPACK would interchange rows outside the matrix.
fn check_pivots(operation: &'static str, pivots: &[i32], n: usize, count: usize) -> Result<()> {
    assert_eq!(pivots.len(), n * count, "one interchange a row");
    let outside = |&(_, &pivot): &(usize, &i32)| usize::try_from(pivot).map_or(true, |pivot| pivot >= n);
    let Some((position, pivot)) = pivots.iter().enumerate().find(outside) else { return Ok(()) };
    let text = format!("piv has {pivot} at position {}, which must be from 0 to {}", position % n, n - 1);
    let error = Error::text(Code::BadOption, operation, text).argument(Argument::at(0, "piv"));
    Err(error
        .because("row interchanges are counted from 0, as lu_factor returns them")
        .fix(lapack_ai_core::Applicability::NeedsValue, "pass piv as lu_factor returned it.")
        .in_batch(position / n, count))
}

/// What a worker needs to know.
struct Job<'a, T: Scalar> {
    operation: &'static str,
    argument: Argument,
    given: Given<'a>,
    n: usize,
    nrhs: usize,
    flipped: bool,
    in_place: bool,
    check: bool,
    timed: bool,
    copy: Slot<T>,
    interchanges: Slot<i64>,
}

impl<T: Scalar> Job<'_, T> {
    fn one(
        &self,
        a: MatrixView<'_, T>,
        source: usize,
        b: MatrixView<'_, T>,
        mut x: MatrixViewMut<'_, T>,
        worker: &Worker,
    ) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let (n, nrhs) = (self.n, self.nrhs);
        let read = self.given.part();
        let (stored, part) = if self.flipped { (a.transposed(), read.transposed()) } else { (a, read) };
        let copy = worker.scratch.at(self.copy);
        // SAFETY: the scratch has room for the copy.
        let (address, lda, swept) = unsafe { take_in(stored, part, self.in_place, self.check, Want::Finite, copy) };
        if self.check && !swept.finite {
            self.refuse_non_finite(a, read)?;
        }
        let ldx = x.col_major_lda().expect("x is column-major");
        worker.library.check_sizes(self.operation, &[ldx])?;
        let target = x.as_mut_ptr();
        let swept = if std::ptr::eq(target, b.as_ptr()) && b.col_major_lda() == Some(ldx) {
            intake::inspect(b, Part::Full, Want::Finite)
        } else {
            // SAFETY: x has B's shape, and is not B.
            unsafe { intake::copy(b, Part::Full, target, ldx, Want::Finite) }
        };
        if self.check && !swept.finite {
            return Err(non_finite(self.operation, Argument::at(1, "b"), b, Part::Full));
        }
        item.lap(&mut clock, Phase::Intake);
        if !self.given.unit_diagonal()
            && let Some(zero) = (0..n).find(|&i| stored.get(i, i) == T::ZERO)
        {
            return Err(self.singular(zero));
        }
        let conjugate = T::DTYPE.is_complex() && self.needs_conjugate();
        if conjugate {
            conjugate_columns(&mut x, n, nrhs, ldx);
        }
        let info = self.call(part, address, lda, source, target, ldx, worker);
        if info < 0 {
            return Err(illegal_argument::<T>(self.operation, self.given.routine(), info));
        }
        if conjugate {
            conjugate_columns(&mut x, n, nrhs, ldx);
        }
        item.lap(&mut clock, Phase::Compute);
        Ok(item)
    }

    /// Whether LAPACK is to solve the conjugate system; see the head of this file.
    fn needs_conjugate(&self) -> bool {
        match self.given {
            Given::Cholesky { .. } => self.flipped,
            Given::Triangular { transpose, .. } => self.flipped && transpose == Transpose::Adjoint,
            Given::Lu { .. } => false,
        }
    }

    fn call(&self, part: Part, a: *const T, lda: usize, source: usize, x: *mut T, ldx: usize, worker: &Worker) -> i64 {
        let (n, nrhs, library) = (self.n, self.nrhs, worker.library);
        let letter = |transpose| match (transpose, self.flipped) {
            (Transpose::No, false) | (Transpose::Transposed | Transpose::Adjoint, true) => b'N',
            (Transpose::Transposed, false) | (Transpose::No, true) => b'T',
            (Transpose::Adjoint, false) => b'C',
        };
        // SAFETY: the drivers' contract; sizes were checked, and the interchanges are rows of the matrix.
        unsafe {
            match self.given {
                Given::Lu { pivots, transpose } => {
                    let interchanges = worker.scratch.at(self.interchanges);
                    for (i, &pivot) in pivots[source * n..][..n].iter().enumerate() {
                        library.write_int_at(interchanges, i, pivot + 1);
                    }
                    library.getrs(letter(transpose), n, nrhs, a, lda, interchanges, x, ldx)
                }
                Given::Cholesky { .. } => library.potrs(part.uplo(), n, nrhs, a, lda, x, ldx),
                Given::Triangular { unit_diagonal, transpose, .. } => {
                    let diag = if unit_diagonal { b'U' } else { b'N' };
                    library.trtrs(part.uplo(), letter(transpose), diag, n, nrhs, a, lda, x, ldx)
                }
            }
        }
    }

    #[cold]
    fn refuse_non_finite(&self, a: MatrixView<'_, T>, read: Part) -> Result<()> {
        if self.given.unit_diagonal() {
            // What lies on the diagonal is not read.
            let inside = |i: usize, j: usize| if read == Part::Lower { i > j } else { i < j };
            let mut found = (0..self.n * self.n)
                .map(|k| (k / self.n, k % self.n))
                .filter(|&(row, col)| inside(row, col) && !a.get(row, col).is_finite());
            let Some((row, col)) = found.next() else { return Ok(()) };
            let kind = if a.get(row, col).is_nan() { NonFinite::Nan } else { NonFinite::Inf };
            let detail =
                Detail::NonFinite { kind, first: Location { matrix: None, row, col }, count: 1 + found.count() };
            return Err(Error::new(Code::NonFinite, self.operation, detail).argument(self.argument));
        }
        Err(non_finite(self.operation, self.argument, a, read))
    }

    #[cold]
    fn singular(&self, zero: usize) -> Error {
        Error::new(Code::Singular, self.operation, Detail::ZeroPivot { index: zero, n: self.n })
            .argument(self.argument)
            .with_findings([Finding::ZeroDiagonal { index: zero }])
    }
}

fn conjugate_columns<T: Scalar>(x: &mut MatrixViewMut<'_, T>, rows: usize, cols: usize, ldx: usize) {
    for column in 0..cols {
        // SAFETY: column `column` of x, which is column-major.
        let column = unsafe { std::slice::from_raw_parts_mut(x.as_mut_ptr().add(column * ldx), rows) };
        column.iter_mut().for_each(|element| *element = element.conj());
    }
}

#[cfg(test)]
mod tests {
    use super::source_index;

    #[test]
    fn a_broadcast_matrix_is_found_where_it_comes_from() {
        let sources = |from: &[usize], to: &[usize]| -> Vec<usize> {
            (0..to.iter().product()).map(|index| source_index(index, from, to)).collect()
        };
        assert_eq!(sources(&[3], &[2, 3]), [0, 1, 2, 0, 1, 2]);
        assert_eq!(sources(&[2, 1], &[2, 3]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(sources(&[], &[2, 2]), [0, 0, 0, 0]);
        assert_eq!(sources(&[2, 2], &[2, 2]), [0, 1, 2, 3]);
    }
}
