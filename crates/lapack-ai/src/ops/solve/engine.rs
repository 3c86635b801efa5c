//! One system of a batch: intake, factorisation, substitution, conditioning.

use super::{OPERATION, SolveOptions, Structure, bad_a, bad_b, failure};
use crate::batch::{Contention, Item, Phase, Worker};
use crate::conditioning::{self, Rcond};
use crate::intake::{self, Part, Want};
use crate::ops::{remembered_query, take_in, workspace_length};
use crate::report::{Clock, RcondSource};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{BatchView, BatchViewMut, MatrixView, Real, Result, Scalar};
use lapack_ai_host::{Library, Routine};
use std::ffi::c_void;
use std::ptr::null_mut;

/// Largest order for which complete pivoting costs no more than partial pivoting (measured; see the module above).
const COMPLETE_PIVOTING: usize = 8;
/// Below this order OpenBLAS's lock around its factorisations costs more than a second core gives.
const LOCK_BOUND: usize = 24;

/// How systems of one shape are solved.
pub(super) struct Engine<'a, T: Scalar> {
    library: &'a Library,
    structure: Structure,
    n: usize,
    nrhs: usize,
    /// Whether LAPACK sees the transpose of A.
    flipped: bool,
    /// The part of the stored matrix (A or its transpose) that is read.
    part: Part,
    in_place: bool,
    check: bool,
    timed: bool,
    lwork: usize,
    need: Need,
    a: Slot<T>,
    y: Slot<T>,
    work: Slot<T>,
    pivots: Slot<i64>,
    column_pivots: Slot<i64>,
    aux: Slot<u128>,
}

impl<'a, T: Scalar> Engine<'a, T> {
    #[inline]
    pub(super) fn new(
        library: &'a Library,
        options: SolveOptions,
        n: usize,
        nrhs: usize,
        flipped: bool,
        overwrite: bool,
        a: &BatchView<'_, T>,
        timed: bool,
    ) -> Result<Self> {
        library.check_sizes(OPERATION, &[n, nrhs])?;
        let mut structure = options.structure;
        if structure == Structure::Hermitian && !T::DTYPE.is_complex() {
            structure = Structure::Symmetric;
        }
        let read = match structure {
            Structure::General => Part::Full,
            Structure::UpperTriangular => Part::Upper,
            Structure::LowerTriangular => Part::Lower,
            Structure::Diagonal => Part::Diagonal,
            _ if options.lower => Part::Lower,
            _ => Part::Upper,
        };
        // The transpose of a complex Hermitian matrix is its conjugate, a different system: it is copied straight.
        let hermitian =
            matches!(structure, Structure::Hermitian | Structure::PositiveDefinite) && T::DTYPE.is_complex();
        let small = structure == Structure::General && n <= COMPLETE_PIVOTING && library.has(Routine::Getc2, T::DTYPE);
        // A copy of a few elements can as well be a transposing one.
        let flipped = flipped && !hermitian && (overwrite || !small);
        let first = a.matrix(0);
        let readable = if flipped { first.transposed() } else { first }.col_major_lda();
        if let Some(lda) = readable {
            library.check_sizes(OPERATION, &[lda])?;
        }
        // Substitution does not write A, so a triangle is used where it lies even if it may not be overwritten.
        let only_reads =
            matches!(structure, Structure::UpperTriangular | Structure::LowerTriangular | Structure::Diagonal);
        let in_place = readable.is_some() && (overwrite || only_reads);
        let lwork = match structure {
            Structure::Symmetric | Structure::Hermitian => {
                let key = ((Routine::Sytrf as u16) << 4 | T::DTYPE as u16, u16::from(hermitian), n, 0, 0);
                remembered_query(library, key, || Ok([query::<T>(library, hermitian, n), 0, 0]))?[0]
            }
            _ => 0,
        };
        let mut need = Need::default();
        let a = if in_place { need.add(0) } else { need.add2(n, n) };
        let y = need.add(n);
        let work = need.add(lwork.max(n.saturating_mul(4)));
        let pivots = need.add(n);
        let column_pivots = need.add(n);
        let aux = need.add(n);
        let part = if flipped { read.transposed() } else { read };
        Ok(Self {
            library,
            structure,
            n,
            nrhs,
            flipped,
            part,
            in_place,
            check: options.call.check_finite,
            timed,
            lwork,
            need,
            a,
            y,
            work,
            pivots,
            column_pivots,
            aux,
        })
    }

    /// The routine that factorises, for the report.
    pub(super) fn routine(&self) -> &'static str {
        match self.structure {
            Structure::General if self.complete_pivoting() => "getc2",
            Structure::General => "getrf",
            Structure::Symmetric => "sytrf",
            Structure::Hermitian => "hetrf",
            Structure::PositiveDefinite => "potrf",
            Structure::UpperTriangular | Structure::LowerTriangular => "trtrs",
            Structure::Diagonal => "",
        }
    }

    pub(super) fn copies(&self) -> bool {
        !self.in_place
    }

    /// How much systems of this size wait for each other inside the library.
    pub(super) fn contention(&self) -> Contention {
        match self.n {
            _ if self.complete_pivoting() || self.structure == Structure::Diagonal => Contention::None,
            0..LOCK_BOUND => Contention::Heavy,
            LOCK_BOUND..=64 => Contention::Some,
            _ => Contention::None,
        }
    }

    /// Scratch memory of one worker.
    pub(super) fn need(&self) -> Need {
        self.need
    }

    pub(super) fn flops(&self) -> f64 {
        let (n, nrhs) = (self.n as f64, self.nrhs as f64);
        n * n * (n + 2.0 * nrhs)
    }

    #[inline]
    fn complete_pivoting(&self) -> bool {
        self.structure == Structure::General
            && self.n <= COMPLETE_PIVOTING
            && !self.flipped
            && !self.in_place
            && self.library.has(Routine::Getc2, T::DTYPE)
    }

    /// Solves system `index`.
    #[inline]
    pub(super) fn one(
        &self,
        a: MatrixView<'_, T>,
        b: MatrixView<'_, T>,
        out: &BatchViewMut<'_, T>,
        index: usize,
        worker: &Worker,
    ) -> Result<Item> {
        let mut item = Item::default();
        let mut clock = Clock::start(self.timed);
        let stored = if self.flipped { a.transposed() } else { a };
        // SAFETY: the scratch has room for the copy; each matrix of the output is taken once, by this call.
        let (address, lda, swept) =
            unsafe { take_in(stored, self.part, self.in_place, true, Want::Norm, worker.scratch.at(self.a)) };
        if self.check && !swept.finite {
            let part = if self.flipped { self.part.transposed() } else { self.part };
            return Err(bad_a(a, part));
        }
        // SAFETY: as above.
        let mut x = unsafe { out.matrix(index) };
        let ldx = x.col_major_lda().expect("x is column-major");
        let x = x.as_mut_ptr();
        if !std::ptr::eq(x, b.as_ptr()) || b.col_major_lda() != Some(ldx) {
            // SAFETY: x has B's shape, and is not B.
            let swept = unsafe { intake::copy(b, Part::Full, x, ldx, Want::Finite) };
            if self.check && !swept.finite {
                return Err(bad_b(b));
            }
        } else if self.check && !intake::inspect(b, Part::Full, Want::Finite).finite {
            return Err(bad_b(b));
        }
        item.lap(&mut clock, Phase::Intake);
        let symmetric =
            matches!(self.structure, Structure::Symmetric | Structure::Hermitian | Structure::PositiveDefinite);
        // The sweep over one triangle gave the column sums of that triangle only: enough for the probe of a copied matrix,
        // whose whole norm the estimator can still be given, but all there will be of one that is overwritten.
        let norm1 = if symmetric && self.in_place { intake::symmetric_norm1(stored, self.part) } else { swept.norm1 };
        let original = (symmetric && !self.in_place).then_some(stored);
        let system = System { engine: self, original, a: address, lda, x, ldx, norm1, worker };
        item.rcond = match self.structure {
            Structure::General if self.complete_pivoting() => {
                system.complete_pivoting(stored, &mut clock, &mut item)?
            }
            Structure::General => system.partial_pivoting(&mut clock, &mut item)?,
            Structure::Symmetric | Structure::Hermitian => system.bunch_kaufman(&mut clock, &mut item)?,
            Structure::PositiveDefinite => system.cholesky(&mut clock, &mut item)?,
            Structure::UpperTriangular | Structure::LowerTriangular => system.triangular(&mut clock, &mut item)?,
            Structure::Diagonal => system.diagonal(stored, &mut clock, &mut item)?,
        };
        item.lap(&mut clock, Phase::Conditioning);
        Ok(item)
    }
}

#[cold]
fn query<T: Scalar>(library: &Library, hermitian: bool, n: usize) -> usize {
    let mut length = T::ZERO;
    // SAFETY: a query reads the sizes and writes the first element of the workspace only.
    unsafe { library.sytrf::<T>(hermitian, b'U', n, null_mut(), n.max(1), null_mut(), &mut length, Library::QUERY) };
    workspace_length(length)
}

/// One system at work. Every method's unsafe calls rest on this: `a` and `x` are column-major with `lda` and `ldx`, the
/// workspaces of the engine have the documented lengths, and sizes were checked when the engine was made.
struct System<'a, T: Scalar> {
    engine: &'a Engine<'a, T>,
    /// A symmetric matrix before it was factorised, unless that was done in its own memory.
    original: Option<MatrixView<'a, T>>,
    a: *mut T,
    lda: usize,
    x: *mut T,
    ldx: usize,
    norm1: f64,
    worker: &'a Worker,
}

impl<T: Scalar> System<'_, T> {
    #[inline]
    fn pivots(&self) -> *mut i64 {
        self.worker.scratch.at(self.engine.pivots)
    }

    /// The probe's right-hand side, to be solved in place.
    #[inline]
    fn probe(&self) -> *mut T {
        let y = self.worker.scratch.at(self.engine.y);
        conditioning::probe(y, self.engine.n);
        y
    }

    /// The probe's estimate, or where that is low, the estimator's.
    #[inline]
    fn judge(&self, y: *const T, estimator: impl FnOnce(T::Real, *mut T, *mut c_void) -> f64) -> Rcond {
        let rcond = conditioning::from_probe(self.norm1, y, self.engine.n);
        if rcond >= conditioning::screen::<T>() {
            return Some((rcond, RcondSource::Probe));
        }
        let work = self.worker.scratch.at(self.engine.work);
        let aux = self.worker.scratch.at(self.engine.aux).cast();
        let rcond = estimator(T::Real::from_f64(self.norm1_for_estimator()), work, aux);
        Some((if rcond.is_nan() { 0.0 } else { rcond }, RcondSource::Estimator))
    }

    /// `norm(A, 1)`, from the matrix itself where the sweep saw one triangle only.
    fn norm1_for_estimator(&self) -> f64 {
        self.original.map_or(self.norm1, |original| intake::symmetric_norm1(original, self.engine.part))
    }

    #[inline]
    fn complete_pivoting(&self, stored: MatrixView<'_, T>, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let Engine { n, nrhs, .. } = *self.engine;
        let library = self.worker.library;
        let (rows, cols) = (self.pivots(), self.worker.scratch.at(self.engine.column_pivots));
        // SAFETY: see `System`.
        let info = unsafe { library.getc2(n, self.a, self.lda, rows, cols) };
        if info != 0 {
            // A pivot below the rounding level was replaced: partial pivoting decides, on a fresh copy.
            // SAFETY: the copy fits where the first one was.
            unsafe { intake::copy(stored, Part::Full, self.a, self.lda, Want::Finite) };
            return self.partial_pivoting(clock, item);
        }
        for column in 0..nrhs {
            // SAFETY: see `System`; x has nrhs columns of n elements, and GETC2 wrote n - 1 interchanges of each kind.
            unsafe { self.substitute(self.x.add(column * self.ldx), rows, cols) };
        }
        item.lap(clock, Phase::Compute);
        // SAFETY: see `System`; the first and the last pivot.
        let (first, last) = unsafe { (*self.a, *self.a.add((n - 1) * (self.lda + 1))) };
        let rcond = conditioning::from_pivots(first, last);
        if rcond >= conditioning::screen::<T>() {
            return Ok(Some((rcond, RcondSource::Pivots)));
        }
        // SAFETY: the copy fits where the first one was; the factors below are those of partial pivoting.
        let info = unsafe {
            intake::copy(stored, Part::Full, self.a, self.lda, Want::Finite);
            library.getrf(n, n, self.a, self.lda, rows)
        };
        let (work, aux) = (self.worker.scratch.at(self.engine.work), self.worker.scratch.at(self.engine.aux).cast());
        // SAFETY: see `System`.
        let rcond = unsafe { library.gecon(b'1', n, self.a, self.lda, T::Real::from_f64(self.norm1), work, aux) };
        Ok(Some((if info != 0 || rcond.is_nan() { 0.0 } else { rcond }, RcondSource::Estimator)))
    }

    /// Solves `P L U Q x = b` in place, from GETC2's factors: what `xGESC2` does, whose look-up of machine constants at
    /// every call takes longer than the substitution itself.
    ///
    /// # Safety
    /// `x` has n elements; `rows` and `cols` hold GETC2's interchanges.
    #[inline]
    unsafe fn substitute(&self, x: *mut T, rows: *const i64, cols: *const i64) {
        let Engine { n, .. } = *self.engine;
        let library = self.worker.library;
        // SAFETY: all indices are below n, which GETC2 guarantees for its interchanges (from 1).
        unsafe {
            let swap = |i: usize, pivots: *const i64| {
                let j = library.read_int_at(pivots, i) as usize - 1;
                std::ptr::swap(x.add(i), x.add(j));
            };
            let element = |i: usize, j: usize| *self.a.add(i + j * self.lda);
            for i in 0..n - 1 {
                swap(i, rows);
            }
            for j in 0..n - 1 {
                let pivot = *x.add(j);
                for i in j + 1..n {
                    *x.add(i) = (*x.add(i)).sub(element(i, j).mul(pivot));
                }
            }
            for j in (0..n).rev() {
                let pivot = (*x.add(j)).div(element(j, j));
                *x.add(j) = pivot;
                for i in 0..j {
                    *x.add(i) = (*x.add(i)).sub(element(i, j).mul(pivot));
                }
            }
            for i in (0..n - 1).rev() {
                swap(i, cols);
            }
        }
    }

    #[inline]
    fn partial_pivoting(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let Engine { structure, n, nrhs, flipped, .. } = *self.engine;
        let library = self.worker.library;
        let trans = if flipped { b'T' } else { b'N' };
        let (a, lda, pivots) = (self.a, self.lda, self.pivots());
        // SAFETY: see `System`.
        let info = unsafe { library.getrf(n, n, a, lda, pivots) };
        if info != 0 {
            return Err(failure::<T>(structure, "getrf", info, n));
        }
        // SAFETY: see `System`.
        unsafe { library.getrs(trans, n, nrhs, a, lda, pivots, self.x, self.ldx) };
        item.lap(clock, Phase::Compute);
        let y = self.probe();
        // SAFETY: see `System`; y has n elements.
        unsafe { library.getrs(trans, n, 1, a, lda, pivots, y, n) };
        Ok(self.judge(y, |norm1, work, aux| {
            // SAFETY: see `System`.
            unsafe { library.gecon(b'1', n, a, lda, norm1, work, aux) }
        }))
    }

    fn bunch_kaufman(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let Engine { structure, n, nrhs, part, lwork, .. } = *self.engine;
        let library = self.worker.library;
        let (a, lda, uplo, pivots) = (self.a, self.lda, part.uplo(), self.pivots());
        let hermitian = structure == Structure::Hermitian;
        let work = self.worker.scratch.at(self.engine.work);
        // SAFETY: see `System`.
        let info = unsafe { library.sytrf(hermitian, uplo, n, a, lda, pivots, work, lwork) };
        if info != 0 {
            return Err(failure::<T>(structure, if hermitian { "hetrf" } else { "sytrf" }, info, n));
        }
        // SAFETY: see `System`.
        unsafe { library.sytrs(hermitian, uplo, n, nrhs, a, lda, pivots, self.x, self.ldx) };
        item.lap(clock, Phase::Compute);
        let y = self.probe();
        // SAFETY: see `System`; y has n elements.
        unsafe { library.sytrs(hermitian, uplo, n, 1, a, lda, pivots, y, n) };
        Ok(self.judge(y, |norm1, work, aux| {
            // SAFETY: see `System`.
            unsafe { library.sycon(hermitian, uplo, n, a, lda, pivots, norm1, work, aux.cast()) }
        }))
    }

    fn cholesky(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let Engine { structure, n, nrhs, part, .. } = *self.engine;
        let library = self.worker.library;
        let (a, lda, uplo) = (self.a, self.lda, part.uplo());
        // SAFETY: see `System`.
        let info = unsafe { library.potrf(uplo, n, a, lda) };
        if info != 0 {
            return Err(failure::<T>(structure, "potrf", info, n));
        }
        // SAFETY: see `System`.
        unsafe { library.potrs(uplo, n, nrhs, a, lda, self.x, self.ldx) };
        item.lap(clock, Phase::Compute);
        let y = self.probe();
        // SAFETY: see `System`; y has n elements.
        unsafe { library.potrs(uplo, n, 1, a, lda, y, n) };
        Ok(self.judge(y, |norm1, work, aux| {
            // SAFETY: see `System`.
            unsafe { library.pocon(uplo, n, a, lda, norm1, work, aux) }
        }))
    }

    fn triangular(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let Engine { structure, n, nrhs, flipped, part, .. } = *self.engine;
        let library = self.worker.library;
        let trans = if flipped { b'T' } else { b'N' };
        let (a, lda, uplo) = (self.a, self.lda, part.uplo());
        // SAFETY: see `System`.
        let info = unsafe { library.trtrs(uplo, trans, b'N', n, nrhs, a, lda, self.x, self.ldx) };
        if info != 0 {
            return Err(failure::<T>(structure, "trtrs", info, n));
        }
        item.lap(clock, Phase::Compute);
        let y = self.probe();
        // SAFETY: see `System`; y has n elements.
        unsafe { library.trtrs(uplo, trans, b'N', n, 1, a, lda, y, n) };
        Ok(self.judge(y, |_, work, aux| {
            // SAFETY: see `System`.
            unsafe { library.trcon(b'1', uplo, n, a, lda, work, aux) }
        }))
    }

    fn diagonal(&self, stored: MatrixView<'_, T>, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let Engine { structure, n, nrhs, .. } = *self.engine;
        let (mut smallest, mut largest) = (f64::INFINITY, 0.0_f64);
        for i in 0..n {
            let pivot = stored.get(i, i);
            let size = pivot.modulus();
            if size == 0.0 {
                return Err(failure::<T>(structure, "", i as i64 + 1, n));
            }
            (smallest, largest) = (smallest.min(size), largest.max(size));
            for column in 0..nrhs {
                // SAFETY: see `System`.
                unsafe {
                    let x = self.x.add(column * self.ldx + i);
                    *x = (*x).div(pivot);
                }
            }
        }
        item.lap(clock, Phase::Compute);
        Ok(Some((smallest / largest, RcondSource::Diagonal)))
    }
}
