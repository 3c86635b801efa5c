//! How one system of a batch is solved: intake, the choice of the method, workspace.

use super::bands::{take_in_band, take_in_diagonals};
use super::methods::System;
use super::structure::{Structure, bandwidths, detect, is_narrow};
use super::{OPERATION, SolveOptions, bad_a, bad_b};
use crate::batch::{Contention, Findings, Item, Phase, Worker};
use crate::conditioning::threshold;
use crate::diagnostics;
use crate::intake::{self, Part, Want};
use crate::ops::{remembered_query, take_in, workspace_length};
use crate::report::{Clock, RcondSource};
use crate::workspace::{Need, Slot};
use lapack_ai_core::{BatchView, BatchViewMut, Detail, Error, Finding, MatrixView, Result, Scalar};
use lapack_ai_host::{Library, Routine};
use std::ptr::null_mut;

/// Largest order for which complete pivoting costs no more than partial pivoting (measured; see the module above).
const COMPLETE_PIVOTING: usize = 8;
/// Below this order OpenBLAS's lock around its factorisations costs more than a second core gives.
const LOCK_BOUND: usize = 24;

/// How systems of one shape are solved.
pub(super) struct Engine<'a, T: Scalar> {
    library: &'a Library,
    structure: Structure,
    lower: bool,
    pub(super) n: usize,
    pub(super) nrhs: usize,
    /// Whether A lies in memory as its transpose.
    flipped: bool,
    /// Whether LAPACK could read A, or its transpose, where it lies.
    readable: bool,
    overwrite: bool,
    pub(super) mixed: bool,
    check: bool,
    timed: bool,
    autofix: bool,
    pub(super) lwork: usize,
    need: Need,
    pub(super) slots: Slots<T>,
}

/// Parts of the scratch memory.
#[derive(Clone, Copy)]
pub(super) struct Slots<T> {
    /// Working copy of A, or its band, or its three diagonals.
    pub(super) a: Slot<T>,
    /// The probe.
    pub(super) y: Slot<T>,
    pub(super) work: Slot<T>,
    pub(super) pivots: Slot<i64>,
    pub(super) column_pivots: Slot<i64>,
    /// Integer or real workspace of the estimators.
    pub(super) aux: Slot<u128>,
    /// B, and the single-precision copies of A and X, for mixed precision.
    pub(super) rhs: Slot<T>,
    pub(super) single: Slot<T>,
}

/// What is done with one matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    pub(super) structure: Structure,
    /// Whether LAPACK sees the transpose of A.
    pub(super) flipped: bool,
    /// The part of the stored matrix (A or its transpose) that is read.
    pub(super) part: Part,
    pub(super) in_place: bool,
    /// Bandwidths of A, where it is banded.
    pub(super) kl: usize,
    pub(super) ku: usize,
    /// Whether the structure was only guessed, so that Cholesky's failure is no error.
    pub(super) tentative: bool,
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
        if structure == Structure::Auto && n <= COMPLETE_PIVOTING {
            structure = Structure::General;
        }
        let first = a.matrix(0);
        let lda = if flipped { first.transposed() } else { first }.col_major_lda();
        if let Some(lda) = lda {
            library.check_sizes(OPERATION, &[lda])?;
        }
        let lwork = match structure {
            _ if options.call.autofix
                || matches!(structure, Structure::Symmetric | Structure::Hermitian | Structure::Auto) =>
            {
                let hermitian = structure != Structure::Symmetric && T::DTYPE.is_complex();
                let key = ((Routine::Sytrf as u16) << 4 | T::DTYPE as u16, u16::from(hermitian), n, 0, 0);
                remembered_query(library, key, || Ok([query::<T>(library, hermitian, n), 0, 0]))?[0]
            }
            _ => 0,
        };
        let mixed = options.mixed_precision
            && matches!(structure, Structure::Auto | Structure::General | Structure::PositiveDefinite)
            && library.has(Routine::MixedGesv, T::DTYPE)
            && library.has(Routine::MixedPosv, T::DTYPE);
        let mut engine = Self {
            library,
            structure,
            lower: options.lower,
            n,
            nrhs,
            flipped,
            readable: lda.is_some(),
            overwrite,
            mixed,
            check: options.call.check_finite,
            timed,
            autofix: options.call.autofix,
            lwork,
            need: Need::default(),
            slots: Slots::empty(),
        };
        let copied = structure == Structure::Auto || !engine.method(structure, 0, 0).in_place;
        engine.slots = Slots::new(&mut engine.need, n, nrhs, copied, lwork, mixed);
        Ok(engine)
    }

    /// How a matrix of `structure` is treated.
    #[inline]
    fn method(&self, structure: Structure, kl: usize, ku: usize) -> Method {
        let read = match structure {
            Structure::UpperTriangular => Part::Upper,
            Structure::LowerTriangular => Part::Lower,
            Structure::Diagonal => Part::Diagonal,
            Structure::Tridiagonal => Part::Band { lower: 1, upper: 1 },
            Structure::General | Structure::Auto | Structure::Banded => Part::Full,
            _ if self.lower => Part::Lower,
            _ => Part::Upper,
        };
        // The transpose of a complex Hermitian matrix is its conjugate, a different system: it is copied straight.
        let hermitian =
            matches!(structure, Structure::Hermitian | Structure::PositiveDefinite) && T::DTYPE.is_complex();
        let bands = matches!(structure, Structure::Tridiagonal | Structure::Banded);
        // A copy of a few elements can as well be a transposing one; and refinement has no transposed form.
        let straight = !self.overwrite && self.takes_complete_pivoting(structure) || self.refines(structure);
        let flipped = self.flipped && !hermitian && !straight && !bands;
        let guessed = self.structure == Structure::Auto || self.autofix;
        let tentative = guessed && structure == Structure::PositiveDefinite;
        // Substitution does not write A, so a triangle is used where it lies even if it may not be overwritten.
        let only_reads =
            matches!(structure, Structure::UpperTriangular | Structure::LowerTriangular | Structure::Diagonal);
        let lies_right = self.readable && flipped == self.flipped;
        let in_place = lies_right && !bands && (self.overwrite || only_reads);
        let part = if flipped { read.transposed() } else { read };
        Method { structure, flipped, part, in_place, kl, ku, tentative }
    }

    #[inline]
    fn takes_complete_pivoting(&self, structure: Structure) -> bool {
        structure == Structure::General
            && self.n <= COMPLETE_PIVOTING
            && !self.mixed
            && self.library.has(Routine::Getc2, T::DTYPE)
    }

    /// Whether matrices of `structure` are factorised in single precision.
    #[inline]
    pub(super) fn refines(&self, structure: Structure) -> bool {
        self.mixed && matches!(structure, Structure::General | Structure::PositiveDefinite)
    }

    /// The method for matrix `a`.
    #[inline]
    fn method_for(&self, a: MatrixView<'_, T>) -> Method {
        let stored = || if self.flipped { a.transposed() } else { a };
        match self.structure {
            Structure::Auto => {
                let (structure, kl, ku) = detect(stored());
                if self.flipped { self.method(structure.transposed(), ku, kl) } else { self.method(structure, kl, ku) }
            }
            Structure::Banded => {
                let (kl, ku) = bandwidths(stored());
                let (kl, ku) = if self.flipped { (ku, kl) } else { (kl, ku) };
                // What has no room as a band is no gain as one.
                if is_narrow(self.n, kl, ku) {
                    self.method(Structure::Banded, kl, ku)
                } else {
                    self.method(Structure::General, 0, 0)
                }
            }
            structure => self.method(structure, 1, 1),
        }
    }

    /// The name of a structure, and the routine that factorises it.
    pub(super) fn taken(&self, structure: Structure) -> (&'static str, &'static str) {
        let routine = match structure {
            Structure::General if self.refines(structure) => "gesv, mixed precision",
            Structure::PositiveDefinite if self.refines(structure) => "posv, mixed precision",
            Structure::General if self.takes_complete_pivoting(structure) => "getc2",
            Structure::General | Structure::Auto => "getrf",
            Structure::Symmetric => "sytrf",
            Structure::Hermitian => "hetrf",
            Structure::PositiveDefinite => "potrf",
            Structure::UpperTriangular | Structure::LowerTriangular => "trtrs",
            Structure::Diagonal => "",
            Structure::Tridiagonal => "gttrf",
            Structure::Banded => "gbtrf",
        };
        (structure.name(), routine)
    }

    /// What is known before a matrix was looked at.
    pub(super) fn planned(&self) -> (&'static str, &'static str) {
        self.taken(self.structure)
    }

    /// Whether a working copy of A is made, as far as that is known beforehand.
    pub(super) fn copies(&self) -> bool {
        match self.structure {
            Structure::Auto => !(self.readable && self.overwrite),
            structure => !self.method(structure, 0, 0).in_place,
        }
    }

    /// How much systems of this size wait for each other inside the library.
    pub(super) fn contention(&self) -> Contention {
        match self.n {
            _ if self.takes_complete_pivoting(self.structure) || self.structure == Structure::Diagonal => {
                Contention::None
            }
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
        let method = self.method_for(a);
        let stored = if method.flipped { a.transposed() } else { a };
        let target = worker.scratch.at(self.slots.a);
        // SAFETY: the scratch has room for the copy; each matrix of the output is taken once, by this call.
        let (address, lda, swept) = unsafe {
            match method.structure {
                Structure::Banded => take_in_band(stored, method.kl, method.ku, target),
                Structure::Tridiagonal => take_in_diagonals(stored, target),
                _ => take_in(stored, method.part, method.in_place, true, Want::Norm, target),
            }
        };
        if self.check && !swept.finite {
            let part = if method.flipped { method.part.transposed() } else { method.part };
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
            matches!(method.structure, Structure::Symmetric | Structure::Hermitian | Structure::PositiveDefinite);
        // The sweep over one triangle gave the column sums of that triangle only: enough for the probe of a copied matrix,
        // whose whole norm the estimator can still be given, but all there will be of one that is overwritten.
        let norm1 =
            if symmetric && method.in_place { intake::symmetric_norm1(stored, method.part) } else { swept.norm1 };
        let original = (symmetric && !method.in_place).then_some(stored);
        let system = System { engine: self, method, original, a: address, lda, x, ldx, norm1, worker };
        if self.structure != method.structure {
            item.taken = Some(self.taken(method.structure));
        }
        let clock = &mut clock;
        let rcond = match method.structure {
            structure if self.refines(structure) => system.refined(clock, &mut item),
            // GETC2 finds no pivot among NaN and leaves its interchanges unset.
            structure @ Structure::General
                if self.takes_complete_pivoting(structure) && swept.finite && !method.in_place && !method.flipped =>
            {
                system.complete_pivoting(stored, clock, &mut item)
            }
            Structure::General | Structure::Auto => system.partial_pivoting(clock, &mut item),
            Structure::Symmetric | Structure::Hermitian => system.bunch_kaufman(clock, &mut item),
            Structure::PositiveDefinite => system.cholesky(clock, &mut item),
            Structure::UpperTriangular | Structure::LowerTriangular => system.triangular(clock, &mut item),
            Structure::Diagonal => system.diagonal(stored, clock, &mut item),
            Structure::Tridiagonal => system.tridiagonal(clock, &mut item),
            Structure::Banded => system.banded(clock, &mut item),
        };
        item.rcond = rcond.map_err(|error| self.why_singular(error, a, &system))?;
        item.findings = item.rcond.and_then(|(rcond, source)| self.why_doubtful(rcond, source, a, &system));
        item.lap(clock, Phase::Conditioning);
        Ok(item)
    }

    /// The matrix as far as it is A and still there: not where it was overwritten, nor a triangle that speaks for both if
    /// the other one says something else.
    fn visible<'m>(&self, a: MatrixView<'m, T>, method: &Method) -> Option<MatrixView<'m, T>> {
        let whole = self.structure == Structure::Auto || method.part == Part::Full;
        let symmetric =
            matches!(method.structure, Structure::Symmetric | Structure::Hermitian | Structure::PositiveDefinite);
        let overwritten = method.in_place && self.overwrite;
        (!overwritten
            && (whole
                || symmetric
                    && diagnostics::sampled_asymmetry(a, self.lower, method.structure != Structure::Symmetric)
                        .is_none()))
        .then_some(a)
    }

    #[cold]
    fn why_singular(&self, error: Error, a: MatrixView<'_, T>, system: &System<'_, T>) -> Error {
        let method = &system.method;
        match (error.detail(), method.structure) {
            (&Detail::NotPositiveMinor { order, .. }, _) => {
                let intact = (!(method.in_place && self.overwrite)).then_some(a);
                let read = if self.lower { Part::Lower } else { Part::Upper };
                diagnostics::not_positive(error, intact, read, Some(system.stopped(order)))
            }
            (
                &Detail::ZeroPivot { index, .. },
                Structure::UpperTriangular | Structure::LowerTriangular | Structure::Diagonal,
            ) => error.with_findings([Finding::ZeroDiagonal { index }]),
            (Detail::ZeroPivot { .. }, structure) => {
                let by_lu = structure == Structure::General && !self.refines(structure);
                let u = by_lu.then(|| system.factor());
                let flipped = method.flipped && !self.takes_complete_pivoting(structure);
                let symmetric = matches!(structure, Structure::Symmetric | Structure::Hermitian);
                let null_vector = symmetric.then(|| system.null_vector());
                diagnostics::singular(error, diagnostics::Left { a: self.visible(a, method), u, flipped, null_vector })
            }
            _ => error,
        }
    }

    /// What a look at a matrix that is singular to working precision finds.
    #[inline]
    fn why_doubtful(
        &self,
        rcond: f64,
        source: RcondSource,
        a: MatrixView<'_, T>,
        system: &System<'_, T>,
    ) -> Option<Findings> {
        if rcond >= threshold::<T>() || !system.worker.is_worth_a_look(rcond) {
            return None;
        }
        let a = self.visible(a, &system.method)?;
        // SAFETY: the slot has n elements, and every source but the diagonal leaves the probe's solution there.
        let y = unsafe { std::slice::from_raw_parts(system.worker.scratch.at(self.slots.y), self.n) };
        Some(Box::new(diagnostics::ill_conditioned(a, rcond, (source != RcondSource::Diagonal).then_some(y))))
    }
}

impl<T> Slots<T> {
    fn empty() -> Self {
        Self::new(&mut Need::default(), 0, 0, false, 0, false)
    }

    fn new(need: &mut Need, n: usize, nrhs: usize, copied: bool, lwork: usize, mixed: bool) -> Self {
        let single = if mixed { n.saturating_mul(n.saturating_add(nrhs)).div_ceil(2) } else { 0 };
        Self {
            // A tridiagonal matrix of order 3 or less has more diagonals than it has elements.
            a: if copied { need.add(n.saturating_mul(n).max(n.saturating_mul(4))) } else { need.add(0) },
            y: need.add(n),
            work: need.add(lwork.max(n.saturating_mul(4)).max(if mixed { n.saturating_mul(nrhs) } else { 0 })),
            pivots: need.add(n),
            column_pivots: need.add(n),
            aux: need.add(n),
            rhs: need.add2(if mixed { n } else { 0 }, nrhs),
            single: need.add(single),
        }
    }
}

#[cold]
fn query<T: Scalar>(library: &Library, hermitian: bool, n: usize) -> usize {
    let mut length = T::ZERO;
    // SAFETY: a query reads the sizes and writes the first element of the workspace only.
    unsafe { library.sytrf::<T>(hermitian, b'U', n, null_mut(), n.max(1), null_mut(), &mut length, Library::QUERY) };
    workspace_length(length)
}
