//! The methods: factorisation, substitution, conditioning of one system.

use super::engine::{Engine, Method};
use super::failure;
use super::structure::Structure;
use crate::batch::{Item, Phase, Worker};
use crate::conditioning::{self, Rcond};
use crate::diagnostics::{Stopped, Triangle};
use crate::intake::{self, Part, Want};
use crate::report::{Clock, RcondSource};
use lapack_ai_core::{MatrixView, Real, Result, Scalar};
use std::ffi::c_void;

/// One system at work. Every method's unsafe calls rest on this: `a` and `x` are column-major with `lda` and `ldx`, the
/// workspaces of the engine have the documented lengths, and sizes were checked when the engine was made.
pub(super) struct System<'a, T: Scalar> {
    pub(super) engine: &'a Engine<'a, T>,
    pub(super) method: Method,
    /// A symmetric matrix before it was factorised, unless that was done in its own memory.
    pub(super) original: Option<MatrixView<'a, T>>,
    /// The matrix, its band in LAPACK's band storage, or its three diagonals one after the other.
    pub(super) a: *mut T,
    pub(super) lda: usize,
    pub(super) x: *mut T,
    pub(super) ldx: usize,
    pub(super) norm1: f64,
    pub(super) worker: &'a Worker,
}

impl<T: Scalar> System<'_, T> {
    #[inline]
    fn pivots(&self) -> *mut i64 {
        self.worker.scratch.at(self.engine.slots.pivots)
    }

    /// The probe's right-hand side, to be solved in place.
    #[inline]
    fn probe(&self) -> *mut T {
        let y = self.worker.scratch.at(self.engine.slots.y);
        conditioning::probe(y, self.engine.n);
        y
    }

    /// The probe's estimate, or where that is low, the estimator's.
    #[inline]
    fn judge(&self, y: *const T, estimator: impl FnOnce(T::Real, *mut T, *mut c_void) -> f64) -> Rcond {
        conditioning::judge(self.norm1, y, self.engine.n, || {
            let work = self.worker.scratch.at(self.engine.slots.work);
            let aux = self.worker.scratch.at(self.engine.slots.aux).cast();
            estimator(T::Real::from_f64(self.norm1_for_estimator()), work, aux)
        })
    }

    /// `norm(A, 1)`, from the matrix itself where the sweep saw one triangle only.
    fn norm1_for_estimator(&self) -> f64 {
        self.original.map_or(self.norm1, |original| intake::symmetric_norm1(original, self.method.part))
    }

    /// What a factorisation has written, for a look at it.
    pub(super) fn factor(&self) -> Triangle<'_, T> {
        // SAFETY: see `System`.
        unsafe { Triangle::new(self.a, self.lda) }
    }

    /// Cholesky's factor as far as it came, with the order of the minor that failed.
    pub(super) fn stopped(&self, order: usize) -> Stopped<'_, T> {
        let (upper, flipped) = (self.method.part == Part::Upper, self.method.flipped);
        Stopped { factor: self.factor(), upper, flipped, order }
    }

    /// After Bunch-Kaufman's factorisation met a zero pivot: with a tiny number in its place the probe's solution is
    /// nearly a null vector, since the inverse stretches what A squeezes.
    pub(super) fn null_vector(&self) -> &[T] {
        let n = self.engine.n;
        let (library, pivots) = (self.worker.library, self.pivots());
        let tiny = T::from_real(T::Real::EPSILON * self.norm1.max(f64::MIN_POSITIVE));
        for i in 0..n {
            // SAFETY: see `System`; SYTRF wrote n pivots, negative ones for blocks of order 2.
            unsafe {
                let diagonal = self.a.add(i * (self.lda + 1));
                if *diagonal == T::ZERO && library.read_int_at(pivots, i) > 0 {
                    *diagonal = tiny;
                }
            }
        }
        let y = self.probe();
        let hermitian = self.method.structure == Structure::Hermitian;
        // SAFETY: see `System`; y has n elements.
        unsafe {
            library.sytrs(hermitian, self.method.part.uplo(), n, 1, self.a, self.lda, pivots, y, n);
            std::slice::from_raw_parts(y, n)
        }
    }

    #[inline]
    pub(super) fn complete_pivoting(
        &self,
        stored: MatrixView<'_, T>,
        clock: &mut Clock,
        item: &mut Item,
    ) -> Result<Rcond> {
        let Engine { n, nrhs, .. } = *self.engine;
        let library = self.worker.library;
        let (rows, cols) = (self.pivots(), self.worker.scratch.at(self.engine.slots.column_pivots));
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
        let (work, aux) =
            (self.worker.scratch.at(self.engine.slots.work), self.worker.scratch.at(self.engine.slots.aux).cast());
        // SAFETY: see `System`.
        let rcond = unsafe { library.gecon(b'1', n, self.a, self.lda, T::Real::from_f64(self.norm1), work, aux) };
        let y = self.probe();
        if info == 0 {
            // SAFETY: see `System`; y has n elements.
            unsafe { library.getrs(b'N', n, 1, self.a, self.lda, rows, y, n) };
        }
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
    pub(super) fn partial_pivoting(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let (&Engine { n, nrhs, .. }, Method { structure, flipped, .. }) = (self.engine, self.method);
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

    pub(super) fn bunch_kaufman(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let (&Engine { n, nrhs, lwork, .. }, Method { structure, part, .. }) = (self.engine, self.method);
        let library = self.worker.library;
        let (a, lda, uplo, pivots) = (self.a, self.lda, part.uplo(), self.pivots());
        let hermitian = structure == Structure::Hermitian;
        let work = self.worker.scratch.at(self.engine.slots.work);
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

    pub(super) fn cholesky(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let (&Engine { n, nrhs, .. }, Method { structure, part, .. }) = (self.engine, self.method);
        let library = self.worker.library;
        let (a, lda, uplo) = (self.a, self.lda, part.uplo());
        self.keep_diagonal();
        // SAFETY: see `System`.
        let info = unsafe { library.potrf(uplo, n, a, lda) };
        if info > 0 && self.method.tentative {
            return self.indefinite(clock, item);
        }
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

    /// Before a factorisation that may fail: it takes the place of one triangle and the diagonal, and the other triangle
    /// still has A.
    fn keep_diagonal(&self) {
        if self.method.tentative && self.original.is_none() {
            for i in 0..self.engine.n {
                // SAFETY: see `System`; the probe, whose place this is, comes after a success.
                unsafe { *self.diagonal_kept().add(i) = *self.a.add(i * (self.lda + 1)) };
            }
        }
    }

    fn diagonal_kept(&self) -> *mut T {
        self.worker.scratch.at(self.engine.slots.y)
    }

    /// Starts again with a matrix that was thought to be positive definite and is not. X is still B.
    #[cold]
    fn indefinite(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        match self.original {
            // SAFETY: the copy fits where the first one was.
            Some(original) => unsafe {
                intake::copy(original, self.method.part, self.a, self.lda, Want::Finite);
            },
            None => self.restore(),
        }
        let structure = if T::DTYPE.is_complex() { Structure::Hermitian } else { Structure::Symmetric };
        let method = Method { structure, tentative: false, ..self.method };
        item.taken = Some(self.engine.taken(structure));
        Self { method, ..*self }.bunch_kaufman(clock, item)
    }

    /// Brings back the triangle that Cholesky's factorisation took, from the other one and the diagonal.
    fn restore(&self) {
        let n = self.engine.n;
        for j in 0..n {
            let rows = if self.method.part == Part::Lower { j + 1..n } else { 0..j };
            // SAFETY: all indices are below n; see `System` and `keep_diagonal`.
            unsafe {
                *self.a.add(j * (self.lda + 1)) = *self.diagonal_kept().add(j);
                for i in rows {
                    *self.a.add(i + j * self.lda) = (*self.a.add(j + i * self.lda)).conj();
                }
            }
        }
    }

    pub(super) fn triangular(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let (&Engine { n, nrhs, .. }, Method { structure, flipped, part, .. }) = (self.engine, self.method);
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

    pub(super) fn diagonal(&self, stored: MatrixView<'_, T>, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let (n, nrhs, structure) = (self.engine.n, self.engine.nrhs, self.method.structure);
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

    pub(super) fn tridiagonal(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let (n, nrhs) = (self.engine.n, self.engine.nrhs);
        let library = self.worker.library;
        // SAFETY: the working copy has room for four diagonals.
        let (dl, d, du, du2) = unsafe { (self.a, self.a.add(n), self.a.add(2 * n), self.a.add(3 * n)) };
        let pivots = self.pivots();
        // SAFETY: see `System`.
        let info = unsafe { library.gttrf(n, dl, d, du, du2, pivots) };
        if info != 0 {
            return Err(failure::<T>(self.method.structure, "gttrf", info, n));
        }
        // SAFETY: see `System`.
        unsafe { library.gttrs(n, nrhs, dl, d, du, du2, pivots, self.x, self.ldx) };
        item.lap(clock, Phase::Compute);
        let y = self.probe();
        // SAFETY: see `System`; y has n elements.
        unsafe { library.gttrs(n, 1, dl, d, du, du2, pivots, y, n) };
        Ok(self.judge(y, |norm1, work, aux| {
            // SAFETY: see `System`.
            unsafe { library.gtcon(n, dl, d, du, du2, pivots, norm1, work, aux.cast()) }
        }))
    }

    pub(super) fn banded(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let (&Engine { n, nrhs, .. }, Method { structure, kl, ku, .. }) = (self.engine, self.method);
        let library = self.worker.library;
        let (ab, ldab, pivots) = (self.a, self.lda, self.pivots());
        // SAFETY: see `System`.
        let info = unsafe { library.gbtrf(n, kl, ku, ab, ldab, pivots) };
        if info != 0 {
            return Err(failure::<T>(structure, "gbtrf", info, n));
        }
        // SAFETY: see `System`.
        unsafe { library.gbtrs(n, kl, ku, nrhs, ab, ldab, pivots, self.x, self.ldx) };
        item.lap(clock, Phase::Compute);
        let y = self.probe();
        // SAFETY: see `System`; y has n elements.
        unsafe { library.gbtrs(n, kl, ku, 1, ab, ldab, pivots, y, n) };
        Ok(self.judge(y, |norm1, work, aux| {
            // SAFETY: see `System`.
            unsafe { library.gbcon(n, kl, ku, ab, ldab, pivots, norm1, work, aux) }
        }))
    }

    /// Factorises in single precision and refines in double. Where that converges A is well-conditioned for single
    /// precision, and no estimate is made; where it does not, the factors are those of double precision.
    pub(super) fn refined(&self, clock: &mut Clock, item: &mut Item) -> Result<Rcond> {
        let (&Engine { n, nrhs, slots, .. }, Method { structure, part, .. }) = (self.engine, self.method);
        let (library, scratch) = (self.worker.library, &self.worker.scratch);
        let (a, lda, uplo, pivots) = (self.a, self.lda, part.uplo(), self.pivots());
        let (rhs, work, single, aux) =
            (scratch.at(slots.rhs), scratch.at(slots.work), scratch.at(slots.single), scratch.at(slots.aux));
        for column in 0..nrhs {
            // SAFETY: see `System`; the slot holds B.
            unsafe { std::ptr::copy_nonoverlapping(self.x.add(column * self.ldx), rhs.add(column * n), n) };
        }
        self.keep_diagonal();
        let positive = structure == Structure::PositiveDefinite;
        let (x, ldx) = (self.x, self.ldx);
        // SAFETY: see `System`; the slots have the lengths that the routines document.
        let (info, iterations) = unsafe {
            if positive {
                library.mixed_posv(uplo, n, nrhs, a, lda, rhs, n, x, ldx, work, single.cast(), aux.cast())
            } else {
                library.mixed_gesv(n, nrhs, a, lda, pivots, rhs, n, x, ldx, work, single.cast(), aux.cast())
            }
        };
        if info > 0 && self.method.tentative {
            for column in 0..nrhs {
                // SAFETY: as above.
                unsafe { std::ptr::copy_nonoverlapping(rhs.add(column * n), self.x.add(column * self.ldx), n) };
            }
            return self.indefinite(clock, item);
        }
        if info != 0 {
            return Err(failure::<T>(structure, if positive { "potrf" } else { "getrf" }, info, n));
        }
        item.refinements = Some(iterations);
        item.lap(clock, Phase::Compute);
        if iterations >= 0 {
            return Ok(None);
        }
        let y = self.probe();
        // SAFETY: see `System`; y has n elements.
        unsafe {
            if positive {
                library.potrs(uplo, n, 1, a, lda, y, n)
            } else {
                library.getrs(b'N', n, 1, a, lda, pivots, y, n)
            }
        };
        Ok(self.judge(y, |norm1, work, aux| {
            // SAFETY: see `System`.
            unsafe {
                if positive {
                    library.pocon(uplo, n, a, lda, norm1, work, aux)
                } else {
                    library.gecon(b'1', n, a, lda, norm1, work, aux)
                }
            }
        }))
    }
}
