//! `xGESVD`'s arguments: checked in its order, with its numbers, and computed by a GPU where one is usable.

use crate::{Integer, xerbla};
use lapack_ai::Engine;
use lapack_ai::ops::gesvd::{Gesvd, GesvdScalar, Job, least_workspace};

/// The arguments of a call, read from where they lay.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Call<T> {
    /// JOBU and JOBVT.
    pub letters: [u8; 2],
    /// M and N.
    pub sizes: [Integer; 2],
    pub a: *mut T,
    pub s: *mut T,
    pub u: *mut T,
    pub vt: *mut T,
    pub work: *mut T,
    /// LDA, LDU and LDVT.
    pub lds: [Integer; 3],
    pub lwork: Integer,
}

impl<T: GesvdScalar> Call<T> {
    /// Checks the arguments and computes, or answers a workspace query (LWORK = -1). Returns INFO, and who computed if anybody
    /// did.
    ///
    /// # Safety
    /// The memory is as `xGESVD` demands it.
    pub unsafe fn run(&self, routine: &str) -> (Integer, Option<Engine>) {
        let call = match self.checked() {
            Ok(call) => call,
            Err(argument) => {
                xerbla(routine, argument);
                return (-argument, None);
            }
        };
        let best = call.best_workspace();
        // Without a LAPACK the least is all that there is to say.
        let wanted = best.as_ref().map_or(least_workspace(call.m, call.n, call.jobs), |best| *best);
        // Numbers are rounded up, so that a program gets what it needs.
        let told = T::from_real((wanted as f64 * (1.0 + T::ROUNDING)).ceil());
        if self.lwork == -1 {
            // SAFETY: a workspace has one element at least.
            unsafe { self.work.write(told) };
            return (0, None);
        }
        // SAFETY: the caller's promise.
        match unsafe { call.run() } {
            Ok((info, engine)) => {
                // SAFETY: a workspace has one element at least.
                unsafe { self.work.write(told) };
                (info as Integer, Some(engine))
            }
            Err(error) => {
                eprintln!(" ** {routine}: {error}");
                (call.m.min(call.n) as Integer + 1, None)
            }
        }
    }

    /// The call with its sizes, or the number of the first illegal argument.
    fn checked(&self) -> Result<Gesvd<T>, Integer> {
        let ([m, n], [lda, ldu, ldvt]) = (self.sizes, self.lds);
        let jobu = Job::of(self.letters[0]).ok_or(1)?;
        let jobvt = Job::of(self.letters[1]).filter(|job| [jobu, *job] != [Job::Overwrite; 2]).ok_or(2)?;
        if m < 0 || n < 0 {
            return Err(if m < 0 { 3 } else { 4 });
        }
        if lda < m.max(1) {
            return Err(6);
        }
        if ldu < 1 || (matches!(jobu, Job::All | Job::Some) && ldu < m) {
            return Err(9);
        }
        let rows = match jobvt {
            Job::All => n,
            Job::Some => m.min(n),
            _ => 1,
        };
        if ldvt < rows.max(1) {
            return Err(11);
        }
        let [m, n, lda, ldu, ldvt] = [m, n, lda, ldu, ldvt].map(|size| size as usize);
        let jobs = [jobu, jobvt];
        if self.lwork != -1 && i64::from(self.lwork) < least_workspace(m, n, jobs) as i64 {
            return Err(13);
        }
        let Self { a, s, u, vt, work, .. } = *self;
        let lwork = usize::try_from(self.lwork).unwrap_or(1);
        Ok(Gesvd { jobs, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork })
    }
}

/// Exports a routine with `xGESVD`'s arguments from the crate that calls it, under each of the names. `$done` is told who
/// computed.
#[macro_export]
macro_rules! export_gesvdocl {
    ($scalar:ty, $routine:literal, $done:path, $($name:ident)+) => {$(
        /// The singular value decomposition `A = U diag(S) VT` by a GPU, else by `xGESVD`; arguments, order and errors are those
        /// of `xGESVD`.
        ///
        /// # Safety
        /// As `xGESVD` of LAPACK. The lengths of the CHARACTER arguments may be left out.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(
            jobu: *const u8,
            jobvt: *const u8,
            m: *const $crate::Integer,
            n: *const $crate::Integer,
            a: *mut $scalar,
            lda: *const $crate::Integer,
            s: *mut $scalar,
            u: *mut $scalar,
            ldu: *const $crate::Integer,
            vt: *mut $scalar,
            ldvt: *const $crate::Integer,
            work: *mut $scalar,
            lwork: *const $crate::Integer,
            info: *mut $crate::Integer,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                let call = $crate::svd::Call {
                    letters: [*jobu, *jobvt], sizes: [*m, *n], a, s, u, vt, work, lds: [*lda, *ldu, *ldvt], lwork: *lwork,
                };
                let (outcome, engine) = call.run($routine);
                $done(engine);
                *info = outcome;
            }
        }
    )+};
}
