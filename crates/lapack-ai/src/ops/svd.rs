//! Singular value decomposition, `A = U diag(S) V^H`.
//!
//! LAPACK's `xGESDD` (divide and conquer); where it does not converge, `xGESVD` (QR iteration) on a fresh copy, with a
//! warning in the report. Up to order 25 (LAPACK's SMLSIZ) `xGESDD` is itself QR iteration inside, and `xGESVD` does the
//! same with 5 to 30 % less overhead: there the two change places.
//!
//! A row-major A is handed over as its transpose `A^T = conj(V) diag(S) U^T`: LAPACK's left factor, column-major, is then
//! `V^H` in row-major order, and its right factor is U in row-major order. No element moves and none is conjugated.
//!
//! A GPU decomposes real matrices, one after another (`gpu::svd`), where that is faster or asked for. A itself is
//! kept then, also where it may be overwritten.

use super::{
    CallOptions, Operand, SMLSIZ, assert_output, blank_failed, bracket, certain_length, illegal_argument, non_finite,
    remembered_query, rough_seconds, take_in, works_in_place,
};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::conditioning::Rcond;
use crate::diagnostics;
use crate::dispatch::model::{Case, OpKind};
use crate::dispatch::{self, decide_because};
use crate::gpu::svd::{Decomposition, fits};
use crate::intake::{Part, Want, is_flipped};
use crate::provider::library;
use crate::report::{Clock, RcondSource, Report};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{
    Argument, BatchView, BatchViewMut, Code, DType, Detail, Error, Matrix, MatrixView, MatrixViewMut, Result, Scalar,
};
use lapack_ai_host::{Library, Routine};
use lapack_ai_opencl::Gpu;
use std::ptr::null_mut;

const OPERATION: &str = "svd";

/// Which singular vectors are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vectors {
    /// None: singular values only.
    None,
    /// U is m x k and V^H k x n, k = min(m, n).
    #[default]
    Thin,
    /// U is m x m and V^H n x n.
    Full,
}

/// Options of [`svd`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SvdOptions {
    /// Which vectors.
    pub vectors: Vectors,
    /// What every operation can be told.
    pub call: CallOptions,
}

/// Result of [`svd`], k = min(m, n).
#[derive(Clone, Debug)]
pub struct Svd<T: Scalar> {
    /// Left singular vectors, orthonormal columns; m x k (thin), m x m (full), or empty.
    pub u: Matrix<T>,
    /// Singular values, k of them, non-negative, largest first.
    pub s: Vec<T::Real>,
    /// Right singular vectors, conjugate-transposed, orthonormal rows; k x n (thin), n x n (full), or empty.
    pub vh: Matrix<T>,
    /// What the call did.
    pub report: Report,
}

/// Where [`svd_into`] writes.
#[derive(Debug)]
pub struct SvdOut<'a, T: Scalar> {
    /// U and V^H as [`Vectors`] says; `None` exactly for [`Vectors::None`]. In the order that [`output_is_row_major`] says.
    pub vectors: Option<(BatchViewMut<'a, T>, BatchViewMut<'a, T>)>,
    /// k x 1 each.
    pub s: BatchViewMut<'a, T::Real>,
}

/// Singular value decomposition of one matrix (m x n, any m and n, 0 included).
///
/// The singular values are exact for a matrix within a small multiple of `max(m, n) eps norm(A)` of A.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E012` if neither driver converges; `LAP-E030` to `LAP-E034` from
/// finding the library, sizes and memory; `LAP-E040` and `LAP-E041` if a GPU is required; `LAP-E035` if the caller ended the call.
///
/// # Examples
/// ```
/// use lapack_ai::{MatrixView, SvdOptions, svd};
/// let a = MatrixView::row_major(&[3.0, 0.0, 0.0, 0.0, 2.0, 0.0], 2, 3).unwrap();
/// let svd = svd(a, SvdOptions::default())?;
/// assert_eq!(svd.s, [3.0, 2.0]);
/// # Ok::<(), lapack_ai::Error>(())
/// ```
///
/// Source: LAPACK Users' Guide, section 2.4.6; Gu and Eisenstat, SIAM J. Matrix Anal. Appl. 16 (1995) 79-92.
pub fn svd<T: Scalar>(a: MatrixView<'_, T>, options: SvdOptions) -> Result<Svd<T>> {
    let (m, n) = (a.rows(), a.cols());
    let k = m.min(n);
    let (u_cols, vh_rows) = match options.vectors {
        Vectors::None => (0, 0),
        Vectors::Thin => (k, k),
        Vectors::Full => (m, n),
    };
    let zeros = if output_is_row_major(&a.into(), false) { Matrix::zeros_row_major } else { Matrix::zeros };
    let mut u = zeros(m, u_cols);
    let mut vh = zeros(vh_rows, n);
    let mut s = Matrix::zeros(k, 1);
    let vectors = (options.vectors != Vectors::None).then(|| (u.view_mut().into(), vh.view_mut().into()));
    let report = svd_into(a.into(), SvdOut { vectors, s: s.view_mut().into() }, options)?;
    Ok(Svd { u, s: s.as_slice().to_vec(), vh, report })
}

/// As [`svd`], for a batch, into memory of the caller.
///
/// # Panics
/// If an output does not have the batch, shape or order that [`SvdOut`] states.
///
/// # Errors
/// As [`svd`]; the error lists every matrix that failed.
#[inline]
pub fn svd_into<T: Scalar>(a: Operand<'_, T>, out: SvdOut<'_, T>, options: SvdOptions) -> Result<Report> {
    let (m, n, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let body = |report: &mut Report, timed| run(&a, &out, options, report, timed);
    bracket::<T, ()>(OPERATION, (m, n, count), options.call, body).map(|((), report)| report)
}

/// The cost model's case of a call. It knows thin factors; full ones of a matrix that is not square are taken for them.
pub(crate) fn case(dtype: DType, [m, n]: [usize; 2], count: usize, vectors: Vectors) -> (Case, bool) {
    let op = if vectors == Vectors::None { OpKind::SvdVals } else { OpKind::Svd };
    (Case::matrix(op, dtype, m, n).batched(count), vectors != Vectors::Full || m == n)
}

const COMPLEX: &str = "complex matrices are decomposed by the CPU";

#[inline]
fn run<T: Scalar>(
    a: &Operand<'_, T>,
    out: &SvdOut<'_, T>,
    options: SvdOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let (m, n, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let k = m.min(n);
    assert_output("s", &out.s, count, k, 1);
    let wanted = options.vectors != Vectors::None;
    assert_eq!(out.vectors.is_some(), wanted, "outputs u and vh are given exactly when vectors are wanted");
    if let Some((u, vh)) = &out.vectors {
        let full = options.vectors == Vectors::Full;
        assert_output("u", u, count, m, if full { m } else { k });
        assert_output("vh", vh, count, if full { n } else { k }, n);
    }
    let on_cpu = |report: &mut Report| on_host(a, out, options, report, timed);
    if T::DTYPE.is_complex() {
        let decision = decide_because(OPERATION, options.call.device, COMPLEX)?;
        report.reason = decision.reason;
        report.warnings.extend(decision.warning);
        return on_cpu(report);
    }
    let (case, teaches) = case(T::DTYPE, [m, n], count, options.vectors);
    let fits = |gpu: &Gpu| fits(gpu, [m, n], T::DTYPE, options.vectors, 0);
    let on_gpu = |slot, gpu: &Gpu, report: &mut Report| {
        if k == 0 || count == 0 {
            no_values(out);
            return Ok(Ok(()));
        }
        let (u, vh) = out.vectors.as_ref().map_or((None, None), |(u, vh)| (Some(u), Some(vh)));
        Decomposition { a: &a.view, s: &out.s, u, vh, vectors: options.vectors }.run(slot, gpu, report)
    };
    dispatch::run_where_it_fits(OPERATION, options.call.device, (&case, teaches), &fits, report, on_gpu, |report| {
        on_cpu(report).map(Ok)
    })?
}

/// The factors of a matrix without singular values.
fn no_values<T: Scalar>(out: &SvdOut<'_, T>) {
    if let Some((u, vh)) = &out.vectors {
        identities(u);
        identities(vh);
    }
}

/// The decomposition by LAPACK.
fn on_host<T: Scalar>(
    a: &Operand<'_, T>,
    out: &SvdOut<'_, T>,
    options: SvdOptions,
    report: &mut Report,
    timed: bool,
) -> Result<()> {
    let library = library()?;
    let (m, n, count) = (a.view.rows(), a.view.cols(), a.view.count());
    let k = m.min(n);
    let drivers = Drivers::for_order(k);
    report.routine = drivers.first.name();
    if k == 0 {
        no_values(out);
        return Ok(());
    }
    let flipped = output_is_row_major(&a.view, a.overwritable);
    let in_place = works_in_place(library, a, flipped);
    let sizes = Sizes::<T>::new(library, if flipped { (n, m) } else { (m, n) }, options.vectors, in_place)?;
    if !in_place {
        report.count_copy(m * n * count);
    }
    let (rows, cols, small) = (m.max(n) as f64, k as f64, k < 128);
    let flops = if options.vectors == Vectors::None { 3.0 } else { 12.0 } * rows * cols * cols;
    let plan = Plan {
        count,
        seconds_each: rough_seconds(flops) + if small { 2e-6 } else { 0.0 },
        threshold: 0.0,
        contention: Contention::None,
        need: sizes.need,
    };
    let job = Job { drivers, flipped, in_place, check: options.call.check_finite, timed, sizes };
    let outcome =
        batch::run(library, plan, report, |worker: &Worker, index| job.one(a.view.matrix(index), out, index, worker))?
            .conclude_or_go_on(report)?;
    blank_failed(&out.s, report);
    out.vectors.iter().for_each(|(u, vh)| {
        blank_failed(u, report);
        blank_failed(vh, report);
    });
    if !outcome.fallbacks.is_empty() {
        report.warnings.push(fallback_warning::<T>(drivers, &outcome.fallbacks, outcome.fallback_info, count));
    }
    Ok(())
}

/// One of LAPACK's two drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    /// Divide and conquer.
    Gesdd,
    /// QR iteration.
    Gesvd,
}

impl Driver {
    fn name(self) -> &'static str {
        if self == Driver::Gesdd { "gesdd" } else { "gesvd" }
    }
}

/// The driver that is called, and the one that steps in if it does not converge.
#[derive(Clone, Copy, Debug)]
struct Drivers {
    first: Driver,
    second: Driver,
}

impl Drivers {
    fn for_order(k: usize) -> Self {
        if k <= SMLSIZ {
            Self { first: Driver::Gesvd, second: Driver::Gesdd }
        } else {
            Self { first: Driver::Gesdd, second: Driver::Gesvd }
        }
    }
}

/// Empty matrices have identities for their full factors.
fn identities<T: Scalar>(factors: &BatchViewMut<'_, T>) {
    if factors.rows() == 0 || factors.cols() == 0 {
        return;
    }
    for index in 0..factors.count() {
        // SAFETY: one view at a time.
        let mut factor = unsafe { factors.matrix(index) };
        for i in 0..factor.rows() {
            for j in 0..factor.cols() {
                factor.set(i, j, if i == j { T::ONE } else { T::ZERO });
            }
        }
    }
}

/// Sizes and workspace of one decomposition, the same for the whole batch. m and n are those of the stored matrix.
#[derive(Debug)]
struct Sizes<T: Scalar> {
    m: usize,
    n: usize,
    vectors: Vectors,
    lwork: usize,
    need: Need,
    a: Slot<T>,
    work: Slot<T>,
    rwork: Slot<T::Real>,
    iwork: Slot<i64>,
}

impl<T: Scalar> Clone for Sizes<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Scalar> Copy for Sizes<T> {}

impl<T: Scalar> Sizes<T> {
    #[inline]
    fn new(library: &Library, (m, n): (usize, usize), vectors: Vectors, in_place: bool) -> Result<Self> {
        let k = m.min(n);
        let key = ((Routine::Gesdd as u16) << 4 | T::DTYPE as u16, u16::from(jobz(vectors)), m, n, 0);
        let [lwork, ..] = remembered_query(library, key, || query::<T>(library, m, n, vectors))?;
        let mut need = Need::default();
        let a = if in_place { need.add(0) } else { need.add2(m, n) };
        let work = need.add(lwork);
        let rwork = need.add(if T::DTYPE.is_complex() { rwork_length(m, n, vectors) } else { 0 });
        let iwork = need.add2(8, k);
        Ok(Self { m, n, vectors, lwork, need, a, work, rwork, iwork })
    }
}

fn jobz(vectors: Vectors) -> u8 {
    match vectors {
        Vectors::None => b'N',
        Vectors::Thin => b'S',
        Vectors::Full => b'A',
    }
}

/// LRWORK of xGESDD for complex types, the larger of old (3.6) and new documentation; at least GESVD's 5k.
fn rwork_length(m: usize, n: usize, vectors: Vectors) -> usize {
    let (k, l) = (m.min(n), m.max(n));
    if vectors == Vectors::None {
        return k.saturating_mul(7);
    }
    let square = k.saturating_mul(k);
    let first = square.saturating_mul(5).saturating_add(k.saturating_mul(7));
    let second = l.saturating_mul(k).saturating_mul(2).saturating_add(square.saturating_mul(2)).saturating_add(k);
    first.max(second)
}

/// A lower bound of the longest of xGESDD's workspaces (WORK for reals, RWORK for complex), which it addresses with
/// integers: the terms in k^2 of the paths that it takes.
fn least_length<T: Scalar>(m: usize, n: usize, vectors: Vectors) -> usize {
    let (k, l) = (m.min(n), m.max(n));
    if vectors == Vectors::None {
        return k.saturating_mul(7);
    }
    // Above this ratio (MNTHR) the QR factorisation is kept beside the rest.
    let squares = match (T::DTYPE.is_complex(), l >= k * 11 / 6) {
        (true, _) => 5,
        (false, true) => 4,
        (false, false) => 3,
    };
    k.saturating_mul(k).saturating_mul(squares).saturating_add(k.saturating_mul(7))
}

/// The optimal workspace of both drivers.
#[cold]
fn query<T: Scalar>(library: &Library, m: usize, n: usize, vectors: Vectors) -> Result<[usize; 3]> {
    library.check_sizes(OPERATION, &[m, n])?;
    let vt_rows = if vectors == Vectors::Full { n } else { m.min(n) };
    let jobz = jobz(vectors);
    let (mut dd, mut vd) = (T::ZERO, T::ZERO);
    let query = Library::QUERY;
    // SAFETY: a query reads the sizes and writes the first element of the workspace only.
    unsafe {
        let none = null_mut();
        library.gesdd::<T>(
            jobz,
            m,
            n,
            none,
            m,
            null_mut(),
            none,
            m,
            none,
            vt_rows,
            &mut dd,
            query,
            null_mut(),
            null_mut(),
        );
        library.gesvd::<T>(jobz, jobz, m, n, none, m, null_mut(), none, m, none, vt_rows, &mut vd, query, null_mut());
    }
    let least = least_length::<T>(m, n, vectors);
    library.check_sizes(OPERATION, &[least])?;
    let lwork = certain_length(OPERATION, library, dd, if T::DTYPE.is_complex() { 1 } else { least })?;
    Ok([lwork.max(certain_length(OPERATION, library, vd, 1)?), 0, 0])
}

/// What a worker needs to know.
struct Job<T: Scalar> {
    drivers: Drivers,
    flipped: bool,
    in_place: bool,
    check: bool,
    timed: bool,
    sizes: Sizes<T>,
}

impl<T: Scalar> Job<T> {
    #[inline]
    fn one(&self, a: MatrixView<'_, T>, out: &SvdOut<'_, T>, index: usize, worker: &Worker) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let stored = if self.flipped { a.transposed() } else { a };
        let look = self.check || self.drivers.first == Driver::Gesvd;
        // SAFETY: the scratch has room for the copy; each matrix of the output is taken once, by this call.
        let (address, lda, swept) =
            unsafe { take_in(stored, Part::Full, self.in_place, look, Want::Finite, worker.scratch.at(self.sizes.a)) };
        item.lap(&mut clock, Phase::Intake);
        // Without the check only NaN and Inf that nobody looked for pass. xGESVD prints complaints about them, so what the
        // copy has seen, or is quickly seen, counts in any case.
        if !swept.finite {
            return Err(non_finite(OPERATION, Argument::at(0, "a"), a, Part::Full));
        }
        // SAFETY: as above.
        let mut s = unsafe { out.s.matrix(index) };
        let s = s.as_mut_ptr();
        let factors = match &out.vectors {
            // SAFETY: as above.
            Some((u, vh)) => Factors::new(unsafe { (u.matrix(index), vh.matrix(index)) }, self.flipped),
            None => Factors { u: null_mut(), ldu: 1, vt: null_mut(), ldvt: 1 },
        };
        let mut info = self.decompose(self.drivers.first, address, lda, s, &factors, worker);
        if info > 0 && !self.in_place {
            let first_info = info;
            // SAFETY: as above; the input is intact, since it was copied.
            let (address, lda, _) =
                unsafe { take_in(stored, Part::Full, false, false, Want::Finite, worker.scratch.at(self.sizes.a)) };
            info = self.decompose(self.drivers.second, address, lda, s, &factors, worker);
            item.fallback = Some(first_info);
        }
        item.lap(&mut clock, Phase::Compute);
        if info != 0 {
            let error = self.failure(a, info);
            return Err(if info > 0 {
                diagnostics::no_convergence(error, (!self.in_place).then_some(a))
            } else {
                error
            });
        }
        item.rcond = self.rcond(s);
        Ok(item)
    }

    /// `s_min / s_max`, for a square matrix.
    #[inline]
    fn rcond(&self, s: *const T::Real) -> Rcond {
        let k = self.sizes.m.min(self.sizes.n);
        if self.sizes.m != self.sizes.n {
            return None;
        }
        // SAFETY: LAPACK wrote k values.
        let (largest, smallest): (f64, f64) = unsafe { ((*s).into(), (*s.add(k - 1)).into()) };
        Some((if largest > 0.0 { smallest / largest } else { 0.0 }, RcondSource::SingularValues))
    }

    #[inline]
    fn decompose(
        &self,
        driver: Driver,
        a: *mut T,
        lda: usize,
        s: *mut T::Real,
        factors: &Factors<T>,
        worker: &Worker,
    ) -> i64 {
        let Sizes { m, n, vectors, lwork, work, rwork, iwork, .. } = self.sizes;
        let Factors { u, ldu, vt, ldvt } = *factors;
        let (job, library) = (jobz(vectors), worker.library);
        let (work, rwork, iwork) = (worker.scratch.at(work), worker.scratch.at(rwork), worker.scratch.at(iwork));
        // SAFETY: the drivers' contract: `query` sized the workspaces for both and checked the sizes.
        unsafe {
            match driver {
                Driver::Gesdd => library.gesdd(job, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, rwork, iwork),
                Driver::Gesvd => library.gesvd(job, job, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, rwork),
            }
        }
    }

    #[cold]
    fn failure(&self, a: MatrixView<'_, T>, info: i64) -> Error {
        let last = if self.in_place { self.drivers.first } else { self.drivers.second };
        if info > 0 {
            let routine = format!("{}{}", T::DTYPE.prefix(), last.name());
            let detail = Detail::NoConvergence { unconverged: info as usize };
            return Error::new(Code::SvdNoConvergence, OPERATION, detail).from_routine(routine, info);
        }
        // INFO = -4 is how xGESDD says that A has a NaN, which the check, switched off, did not find.
        if info == -4 {
            let routine = format!("{}gesdd", T::DTYPE.prefix());
            if self.in_place {
                let text = "a has a NaN or Inf, whose place is lost since a was overwritten";
                return Error::text(Code::NonFinite, OPERATION, text).from_routine(routine, info);
            }
            return non_finite(OPERATION, Argument::at(0, "a"), a, Part::Full).from_routine(routine, info);
        }
        illegal_argument::<T>(OPERATION, last.name(), info)
    }
}

/// LAPACK's U and VT: the outputs, exchanged and transposed if the input is flipped.
struct Factors<T> {
    u: *mut T,
    ldu: usize,
    vt: *mut T,
    ldvt: usize,
}

impl<T: Scalar> Factors<T> {
    #[inline]
    fn new((u, vh): (MatrixViewMut<'_, T>, MatrixViewMut<'_, T>), flipped: bool) -> Self {
        let (mut left, mut right) = if flipped { (vh.transposed(), u.transposed()) } else { (u, vh) };
        let order = "u and vh have the order that `output_is_row_major` says";
        let (ldu, ldvt) = (left.col_major_lda().expect(order), right.col_major_lda().expect(order));
        Self { u: left.as_mut_ptr(), ldu, vt: right.as_mut_ptr(), ldvt }
    }
}

#[cold]
fn fallback_warning<T: Scalar>(drivers: Drivers, matrices: &[usize], info: i64, count: usize) -> Error {
    let (first, second) = (drivers.first.name(), drivers.second.name());
    let text = format!("{first} did not converge; {second} gave the result");
    Error::text(Code::DriverFallback, OPERATION, text)
        .from_routine(format!("{}{first}", T::DTYPE.prefix()), info)
        .in_batch(matrices[0], count)
        .with_failed(matrices.to_vec())
}

/// The order that [`svd_into`] asks of its outputs for an input `a`: row-major or not. It is the order in which LAPACK sees
/// A: as it lies; but a copy of a tall or wide matrix is made such that LAPACK sees it tall, since it begins with the QR
/// factorisation then, which is faster than the LQ factorisation of the wide one.
pub fn output_is_row_major<T: Scalar>(a: &BatchView<'_, T>, overwritable: bool) -> bool {
    let (m, n) = (a.rows(), a.cols());
    // MNTHR of LAPACK's ILAENV: from this ratio on xGESDD factorises first.
    let factorises_first = m.min(n) > 1 && m.max(n) >= m.min(n) * 11 / 6;
    if factorises_first && !overwritable { m < n } else { is_flipped(a.layout()) }
}
