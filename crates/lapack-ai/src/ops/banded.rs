//! Banded systems in band storage, `A X = B`.
//!
//! With lower bandwidth kl and upper bandwidth ku, element (i, j) of A lies at row `ku + i - j` of column j of AB:
//!
//! ```text
//!      *   a01  a12  a23          kl = 1, ku = 1: three rows; * is not read
//!     a00  a11  a22  a33
//!     a10  a21  a32   *
//! ```
//!
//! | matrix | factorisation | routines |
//! |---|---|---|
//! | tridiagonal (kl = ku = 1) | `A = L U`, partial pivoting | `xGTTRF`, `xGTTRS` |
//! | general band | `A = P L U`, partial pivoting, upper bandwidth kl + ku | `xGBTRF`, `xGBTRS` |
//! | Hermitian positive definite band, one triangle given | `A = U^H U` or `L L^H` | `xPBTRF`, `xPBTRS` |
//!
//! O(n (kl + ku) kl) operations and O(n) memory for each diagonal. The conditioning is known as in `solve`.

use super::{CallOptions, assert_output, call, illegal_argument, non_finite, rough_seconds, shape_mismatch};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::conditioning::{self, threshold, warn_of};
use crate::intake::{self, Part, Want};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{
    Applicability, Argument, BatchView, BatchViewMut, Code, Detail, Error, Location, Matrix, MatrixView, NonFinite,
    Real, Result, Scalar,
};
use std::ffi::c_void;

/// What the rows of AB are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// Every diagonal from `upper` above to `lower` below the main one, `lower + upper + 1` rows.
    General {
        /// kl.
        lower: usize,
        /// ku.
        upper: usize,
    },
    /// Half of a Hermitian positive definite matrix: the main diagonal and those below it (`lower`), or those above it and
    /// the main one.
    PositiveDefinite {
        /// Whether the diagonals below are given.
        lower: bool,
    },
}

/// Solves `A X = B` for a band matrix in band storage `ab` (rows x n) and B (n x nrhs). Returns X, column-major, and the
/// report with an estimate of rcond.
///
/// # Errors
/// `LAP-E001` for NaN or Inf inside the band, at its row and column in `ab`; `LAP-E002` for shapes; `LAP-E010` if A is exactly
/// singular; `LAP-E011` if it is not positive definite though said to be; `LAP-E030` to `LAP-E035`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{Band, CallOptions, MatrixView, solve_banded};
/// // Second differences: 2 on the diagonal, -1 beside it.
/// let ab = MatrixView::row_major(&[0.0, -1.0, -1.0, 2.0, 2.0, 2.0, -1.0, -1.0, 0.0], 3, 3).unwrap();
/// let b = MatrixView::col_major(&[1.0, 0.0, 1.0], 3, 1).unwrap();
/// let (x, report) = solve_banded(ab, b, Band::General { lower: 1, upper: 1 }, CallOptions::default())?;
/// assert!(x.as_slice().iter().all(|x: &f64| (x - 1.0).abs() < 1e-15));
/// assert_eq!(report.structure, "tridiagonal");
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, sections 2.3.1 and 5.3.3.
pub fn solve_banded<T: Scalar>(
    ab: MatrixView<'_, T>,
    b: MatrixView<'_, T>,
    band: Band,
    options: CallOptions,
) -> Result<(Matrix<T>, Report)> {
    let mut x = Matrix::zeros(b.rows(), b.cols());
    let report = solve_banded_into(&ab.into(), &b.into(), &mut x.view_mut().into(), band, options)?;
    Ok((x, report))
}

/// As [`solve_banded`], for a batch, into memory of the caller. `x` is column-major and has B's batch and shape; AB may have
/// fewer batch dimensions or extents of 1, which are repeated. X may be B itself.
///
/// # Panics
/// If `x` does not have the shape or order stated.
///
/// # Errors
/// As [`solve_banded`]; the error lists every matrix that failed.
pub fn solve_banded_into<T: Scalar>(
    ab: &BatchView<'_, T>,
    b: &BatchView<'_, T>,
    x: &mut BatchViewMut<'_, T>,
    band: Band,
    options: CallOptions,
) -> Result<Report> {
    let x = &*x;
    let operation = if matches!(band, Band::General { .. }) { "solve_banded" } else { "solveh_banded" };
    let body = |report: &mut Report, timed| run(operation, ab, b, x, band, options, report, timed);
    call::<T, ()>(operation, (ab.cols(), ab.cols(), b.count()), options, body).map(|((), report)| report)
}

fn run<T: Scalar>(
    operation: &'static str,
    ab: &BatchView<'_, T>,
    b: &BatchView<'_, T>,
    x: &BatchViewMut<'_, T>,
    band: Band,
    options: CallOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let (n, rows, nrhs) = (ab.cols(), ab.rows(), b.cols());
    let (kl, ku, kind) = match band {
        Band::General { lower: 1, upper: 1 } => (1, 1, Kind::Tridiagonal),
        Band::General { lower, upper } => (lower, upper, Kind::General),
        Band::PositiveDefinite { lower: true } => (rows.saturating_sub(1), 0, Kind::Positive(b'L')),
        Band::PositiveDefinite { lower: false } => (0, rows.saturating_sub(1), Kind::Positive(b'U')),
    };
    if kl.saturating_add(ku).saturating_add(1) != rows {
        let text = match band {
            Band::General { .. } => format!(
                "{kl} diagonals below and {ku} above the main one make {} rows, but ab has {rows}",
                kl.saturating_add(ku).saturating_add(1)
            ),
            Band::PositiveDefinite { .. } => "ab has no row; the main diagonal is needed".to_string(),
        };
        let error = shape_mismatch(operation, Argument::at(0, "ab"), text);
        let whole = "ab looks like the whole matrix: use solve(a, b), or put its diagonals into the rows, ab[u + i - j, j] = a[i, j].";
        return Err(if rows == n { error.fix(Applicability::Maybe, whole) } else { error });
    }
    if b.rows() != n {
        let text = format!("ab has {n} columns, so b needs {n} rows, not {}", b.rows());
        return Err(shape_mismatch(operation, Argument::at(1, "b"), text));
    }
    assert_output("x", x, b.count(), n, nrhs);
    let Some(matrices) = ab.broadcast_to(b.batch_shape()) else {
        let (of_ab, of_b) = (ab.batch_shape(), b.batch_shape());
        let text = format!("the leading dimensions {of_ab:?} of ab and {of_b:?} of b do not fit together");
        return Err(shape_mismatch(operation, Argument::at(1, "b"), text));
    };
    (report.structure, report.routine) = match kind {
        Kind::Tridiagonal => ("tridiagonal", "gttrf"),
        Kind::General => ("banded", "gbtrf"),
        Kind::Positive(_) => ("positive definite, banded", "pbtrf"),
    };
    let library = library()?;
    let ldab = match kind {
        Kind::General => kl.saturating_mul(2).saturating_add(ku + 1),
        _ => rows,
    };
    library.check_sizes(operation, &[n, nrhs, ldab])?;
    let count = b.count();
    if n == 0 || count == 0 {
        return Ok(());
    }
    report.count_copy(rows * n * count);
    let mut need = Need::default();
    let slots = Slots {
        factor: need.add2(ldab.max(4), n),
        y: need.add(n),
        work: need.add(n.saturating_mul(4)),
        aux: need.add(n),
        pivots: need.add(n),
    };
    let job = Job { operation, n, nrhs, kl, ku, kind, ldab, check: options.check_finite, timed, slots };
    let flops = 2.0 * n as f64 * ((kl + ku + 1) as f64) * ((kl + 1) + 2 * nrhs) as f64;
    let plan = Plan {
        count,
        seconds_each: rough_seconds(flops),
        threshold: threshold::<T>(),
        contention: if n < 64 { Contention::Some } else { Contention::None },
        need,
    };
    let item = |worker: &Worker, index| job.one(matrices.matrix(index), b.matrix(index), x, index, worker);
    let outcome = batch::run(library, plan, report, item)?.conclude(report)?;
    warn_of::<T>(&outcome, Argument::at(0, "ab"), report);
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tridiagonal,
    General,
    /// With LAPACK's UPLO.
    Positive(u8),
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    operation: &'static str,
    n: usize,
    nrhs: usize,
    kl: usize,
    ku: usize,
    kind: Kind,
    ldab: usize,
    check: bool,
    timed: bool,
    slots: Slots<T>,
}

/// Parts of the scratch memory.
struct Slots<T> {
    /// Working copy of the band.
    factor: Slot<T>,
    /// The probe.
    y: Slot<T>,
    /// Workspaces of the estimators.
    work: Slot<T>,
    aux: Slot<u128>,
    pivots: Slot<i64>,
}

impl<T: Scalar> Job<T> {
    fn one(
        &self,
        ab: MatrixView<'_, T>,
        b: MatrixView<'_, T>,
        out: &BatchViewMut<'_, T>,
        index: usize,
        worker: &Worker,
    ) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let factor = worker.scratch.at(self.slots.factor);
        // SAFETY: the slot has room for every form of the band.
        let norm1 = unsafe { self.take_in(ab, factor) };
        if self.check
            && !norm1.is_finite()
            && let Some(error) = self.non_finite(ab)
        {
            return Err(error);
        }
        // SAFETY: each matrix of the output is taken once, by this call.
        let mut x = unsafe { out.matrix(index) };
        let ldx = x.col_major_lda().expect("x is column-major");
        worker.library.check_sizes(self.operation, &[ldx])?;
        let x = x.as_mut_ptr();
        let swept = if std::ptr::eq(x, b.as_ptr()) && b.col_major_lda() == Some(ldx) {
            intake::inspect(b, Part::Full, Want::Finite)
        } else {
            // SAFETY: x has B's shape, and is not B.
            unsafe { intake::copy(b, Part::Full, x, ldx, Want::Finite) }
        };
        if self.check && !swept.finite {
            return Err(non_finite(self.operation, Argument::at(1, "b"), b, Part::Full));
        }
        item.lap(&mut clock, Phase::Intake);
        self.factorise(factor, worker)?;
        self.substitute(factor, self.nrhs, x, ldx, worker);
        item.lap(&mut clock, Phase::Compute);
        let norm1 = norm1.min(f64::MAX);
        let y = worker.scratch.at(self.slots.y);
        conditioning::probe(y, self.n);
        self.substitute(factor, 1, y, self.n, worker);
        let estimator = || self.estimate(factor, T::Real::from_f64(norm1), worker);
        item.rcond = conditioning::judge(norm1, y, self.n, estimator);
        item.lap(&mut clock, Phase::Conditioning);
        Ok(item)
    }

    /// Rows of AB that column j has elements of A in.
    fn rows(&self, j: usize) -> std::ops::Range<usize> {
        self.ku.saturating_sub(j)..self.kl.min(self.n - 1 - j) + self.ku + 1
    }

    /// Copies the band to the form that LAPACK factorises. Returns the largest sum of a column, of a triangle's both sides.
    ///
    /// # Safety
    /// `target` must hold `max(ldab, 4) n` elements.
    unsafe fn take_in(&self, ab: MatrixView<'_, T>, target: *mut T) -> f64 {
        let n = self.n;
        let mut sums = vec![0.0_f64; n];
        for j in 0..n {
            for row in self.rows(j) {
                let element = ab.get(row, j);
                let place = match self.kind {
                    // Below, main, above, one after the other; element (i, i + 1) at i.
                    Kind::Tridiagonal if row == 0 => 2 * n + j - 1,
                    Kind::Tridiagonal if row == 1 => n + j,
                    Kind::Tridiagonal => j,
                    Kind::General => j * self.ldab + self.kl + row,
                    Kind::Positive(_) => j * self.ldab + row,
                };
                // SAFETY: every place is below the slot's length.
                unsafe { *target.add(place) = element };
                let size: f64 = element.abs1().into();
                sums[j] += size;
                let i = j + row - self.ku;
                if matches!(self.kind, Kind::Positive(_)) && i != j {
                    sums[i] += size;
                }
            }
        }
        sums.into_iter().fold(0.0, |largest, sum| if sum > largest || sum.is_nan() { sum } else { largest })
    }

    #[cold]
    fn non_finite(&self, ab: MatrixView<'_, T>) -> Option<Error> {
        let mut found: Vec<(usize, usize)> = (0..self.n)
            .flat_map(|j| self.rows(j).map(move |row| (row, j)))
            .filter(|&(row, col)| !ab.get(row, col).is_finite())
            .collect();
        found.sort_unstable();
        let &(row, col) = found.first()?;
        let kind = if ab.get(row, col).is_nan() { NonFinite::Nan } else { NonFinite::Inf };
        let detail = Detail::NonFinite { kind, first: Location { matrix: None, row, col }, count: found.len() };
        Some(Error::new(Code::NonFinite, self.operation, detail).argument(Argument::at(0, "ab")))
    }

    fn diagonals(&self, factor: *mut T) -> [*mut T; 4] {
        // SAFETY: the slot holds four diagonals of n elements.
        [0, 1, 2, 3].map(|k| unsafe { factor.add(k * self.n) })
    }

    fn factorise(&self, factor: *mut T, worker: &Worker) -> Result<()> {
        let (n, library, pivots) = (self.n, worker.library, worker.scratch.at(self.slots.pivots));
        // SAFETY: the drivers' contract; the slots have the documented lengths, and sizes were checked.
        let (routine, info) = unsafe {
            match self.kind {
                Kind::Tridiagonal => {
                    let [dl, d, du, du2] = self.diagonals(factor);
                    ("gttrf", library.gttrf(n, dl, d, du, du2, pivots))
                }
                Kind::General => ("gbtrf", library.gbtrf(n, self.kl, self.ku, factor, self.ldab, pivots)),
                Kind::Positive(uplo) => ("pbtrf", library.pbtrf(uplo, n, self.kl + self.ku, factor, self.ldab)),
            }
        };
        if info == 0 {
            return Ok(());
        }
        if info < 0 {
            return Err(illegal_argument::<T>(self.operation, routine, info));
        }
        let (code, detail) = match self.kind {
            Kind::Positive(_) => (Code::NotPositiveDefinite, Detail::NotPositiveMinor { order: info as usize, n }),
            _ => (Code::Singular, Detail::ZeroPivot { index: info as usize - 1, n }),
        };
        let error = Error::new(code, self.operation, detail).argument(Argument::at(0, "ab"));
        Err(error.from_routine(format!("{}{routine}", T::DTYPE.prefix()), info))
    }

    fn substitute(&self, factor: *mut T, nrhs: usize, x: *mut T, ldx: usize, worker: &Worker) {
        let (n, library, pivots) = (self.n, worker.library, worker.scratch.at(self.slots.pivots));
        // SAFETY: as in `factorise`; x has nrhs columns of n elements.
        unsafe {
            match self.kind {
                Kind::Tridiagonal => {
                    let [dl, d, du, du2] = self.diagonals(factor);
                    library.gttrs(n, nrhs, dl, d, du, du2, pivots, x, ldx);
                }
                Kind::General => {
                    library.gbtrs(n, self.kl, self.ku, nrhs, factor, self.ldab, pivots, x, ldx);
                }
                Kind::Positive(uplo) => {
                    library.pbtrs(uplo, n, self.kl + self.ku, nrhs, factor, self.ldab, x, ldx);
                }
            }
        }
    }

    fn estimate(&self, factor: *mut T, norm1: T::Real, worker: &Worker) -> f64 {
        let (n, library, pivots) = (self.n, worker.library, worker.scratch.at(self.slots.pivots));
        let work = worker.scratch.at(self.slots.work);
        let aux: *mut c_void = worker.scratch.at(self.slots.aux).cast();
        // SAFETY: as in `factorise`.
        unsafe {
            match self.kind {
                Kind::Tridiagonal => {
                    let [dl, d, du, du2] = self.diagonals(factor);
                    library.gtcon(n, dl, d, du, du2, pivots, norm1, work, aux.cast())
                }
                Kind::General => library.gbcon(n, self.kl, self.ku, factor, self.ldab, pivots, norm1, work, aux),
                Kind::Positive(uplo) => library.pbcon(uplo, n, self.kl + self.ku, factor, self.ldab, norm1, work, aux),
            }
        }
    }
}
