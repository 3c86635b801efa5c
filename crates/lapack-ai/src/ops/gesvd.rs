//! The SVD behind LAPACK's own interface: `xGESVD`'s arguments and results, computed by a GPU where one is usable, else by the
//! `xGESVD` of the LAPACK in use.
//!
//! Who calls for a GPU by name gets it for every matrix that is worth asking about, without a prediction of times. What fails on
//! it, or what it does not take, `xGESVD` computes; a matrix with NaN or Inf too, so that the outcome is the one that programs know.

use super::svd::{Vectors, case};
use crate::dispatch::{self, Device};
use crate::gpu::svd::{Decomposition, fits};
use crate::provider::library;
use crate::report::{Engine, Report};
use lapack_ai_core::{BatchView, BatchViewMut, MatrixView, MatrixViewMut, Result, Scalar};
use lapack_ai_host::Library;
use lapack_ai_opencl::{FaultKind, Gpu};
use std::ptr::null_mut;

/// What becomes of the singular vectors of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// `A`: all of them.
    All,
    /// `S`: the first min(m, n).
    Some,
    /// `O`: the first min(m, n), over A.
    Overwrite,
    /// `N`: none.
    None,
}

impl Job {
    /// The job of a letter, in either case; `None` for others.
    pub fn of(letter: u8) -> Option<Self> {
        Some(match letter.to_ascii_uppercase() {
            b'A' => Self::All,
            b'S' => Self::Some,
            b'O' => Self::Overwrite,
            b'N' => Self::None,
            _ => return None,
        })
    }

    fn letter(self) -> u8 {
        match self {
            Self::All => b'A',
            Self::Some => b'S',
            Self::Overwrite => b'O',
            Self::None => b'N',
        }
    }
}

/// A call of `xGESVD`, its arguments checked as that routine checks them; column-major.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Gesvd<T> {
    /// JOBU and JOBVT, at most one of them `O`.
    pub jobs: [Job; 2],
    pub m: usize,
    pub n: usize,
    pub a: *mut T,
    pub lda: usize,
    pub s: *mut T,
    pub u: *mut T,
    pub ldu: usize,
    pub vt: *mut T,
    pub ldvt: usize,
    pub work: *mut T,
    pub lwork: usize,
}

/// The least workspace that `xGESVD` takes for a real matrix.
pub fn least_workspace(m: usize, n: usize, [jobu, jobvt]: [Job; 2]) -> usize {
    let (l, k) = (m.max(n), m.min(n));
    // MNTHR of ILAENV: from this ratio on, and without vectors of the long side, R alone is reduced.
    let reduced = l >= k * 8 / 5 && if m >= n { jobu } else { jobvt } == Job::None;
    let reduction = if reduced { 4 * k } else { 3 * k + l };
    if k == 0 { 1 } else { reduction.max(5 * k) }
}

impl<T: Scalar<Real = T>> Gesvd<T> {
    /// The workspace with which `xGESVD` is fastest, by its own account.
    ///
    /// # Errors
    /// `LAP-E030` to `LAP-E032` without a LAPACK, or where its integers do not hold the sizes.
    pub fn best_workspace(&self) -> Result<usize> {
        let library = library()?;
        library.check_sizes("svd", &[self.m, self.n, self.lda, self.ldu, self.ldvt])?;
        let mut length = T::ZERO;
        // SAFETY: a query reads the sizes and writes the first element of the workspace only.
        unsafe { self.by_lapack(library, &mut length, Library::QUERY) };
        Ok(super::workspace_length(length).max(least_workspace(self.m, self.n, self.jobs)))
    }

    /// # Safety
    /// As `xGESVD`.
    unsafe fn by_lapack(&self, library: &Library, work: *mut T, lwork: usize) -> i64 {
        let Self { jobs: [jobu, jobvt], m, n, a, lda, s, u, ldu, vt, ldvt, .. } = *self;
        let (jobu, jobvt) = (jobu.letter(), jobvt.letter());
        // SAFETY: the caller's promise.
        unsafe { library.gesvd::<T>(jobu, jobvt, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, null_mut()) }
    }

    /// Computes. Returns INFO and who did.
    ///
    /// # Errors
    /// `LAP-E030` to `LAP-E032` where neither a GPU nor a LAPACK is usable.
    ///
    /// # Safety
    /// The memory is as `xGESVD` demands it.
    pub unsafe fn run(&self) -> Result<(i64, Engine)> {
        let (m, n) = (self.m, self.n);
        if m == 0 || n == 0 {
            return Ok((0, Engine::Cpu));
        }
        let vectors = self.vectors();
        let mut report = Report::new("svd", T::DTYPE, m, n, 1);
        let (case, _) = case(T::DTYPE, [m, n], 1, vectors);
        let device = if dispatch::worth_asking(&case) { Device::Gpu } else { Device::Cpu };
        let fits = |gpu: &Gpu| fits(gpu, [m, n], T::DTYPE, vectors, 0);
        let _inside = crate::fork::inside();
        let on_gpu = |slot, gpu: &Gpu, report: &mut Report| {
            // SAFETY: the caller's promise.
            let done = unsafe { self.by_gpu(slot, gpu, vectors, report) }?;
            // NaN or Inf: not the device's fault, and LAPACK has its own answer.
            done.map_err(|_| lapack_ai_opencl::Fault::new(FaultKind::NotFinite, "the matrix has a NaN or an Inf"))?;
            Ok(0)
        };
        let on_cpu = |_: &mut Report| {
            let library = library()?;
            library.check_sizes("svd", &[m, n, self.lda, self.ldu, self.ldvt, self.lwork])?;
            // SAFETY: the caller's promise; what a device left unfinished has not touched A.
            Ok(unsafe { self.by_lapack(library, self.work, self.lwork) })
        };
        let info = dispatch::run_where_it_fits("svd", device, (&case, false), &fits, &mut report, on_gpu, on_cpu)?;
        Ok((info, report.engine))
    }

    /// What the engine must compute: all vectors where all of the long side are wanted.
    fn vectors(&self) -> Vectors {
        let [jobu, jobvt] = self.jobs;
        let long = if self.m >= self.n { jobu } else { jobvt };
        match (long, jobu, jobvt) {
            (_, Job::None, Job::None) => Vectors::None,
            (Job::All, ..) if self.m != self.n => Vectors::Full,
            _ => Vectors::Thin,
        }
    }

    /// # Safety
    /// As `xGESVD`.
    unsafe fn by_gpu(
        &self,
        slot: &crate::gpu::Slot,
        gpu: &Gpu,
        vectors: Vectors,
        report: &mut Report,
    ) -> std::result::Result<Result<()>, lapack_ai_opencl::Fault> {
        let (m, n) = (self.m, self.n);
        let k = m.min(n);
        // What goes over A is kept beside it until nothing can fail any more.
        let over =
            |job: Job, rows: usize, cols: usize| vec![T::ZERO; if job == Job::Overwrite { rows * cols } else { 0 }];
        let (mut over_u, mut over_vt) = (over(self.jobs[0], m, k), over(self.jobs[1], k, n));
        // SAFETY: the caller's promise.
        let done = unsafe {
            let view = |job: Job, own: (*mut T, usize), over: &mut Vec<T>, rows: usize, cols: usize| {
                let (target, ld) = match job {
                    Job::None => return None,
                    Job::Overwrite => (over.as_mut_ptr(), rows.max(1)),
                    _ => own,
                };
                Some(BatchViewMut::from(MatrixViewMut::from_raw(target, rows, cols, 1, ld as isize)))
            };
            let full = vectors == Vectors::Full;
            let u = view(self.jobs[0], (self.u, self.ldu), &mut over_u, m, if full { m } else { k });
            let vh = view(self.jobs[1], (self.vt, self.ldvt), &mut over_vt, if full { n } else { k }, n);
            let a = BatchView::from(MatrixView::from_raw(self.a.cast_const(), m, n, 1, self.lda as isize));
            let s = BatchViewMut::from(MatrixViewMut::from_raw(self.s, k, 1, 1, k as isize));
            Decomposition { a: &a, s: &s, u: u.as_ref(), vh: vh.as_ref(), vectors }.run(slot, gpu, report)?
        };
        if done.is_ok() {
            for (data, rows) in [(over_u, m), (over_vt, k)] {
                for (j, column) in data.chunks_exact(rows.max(1)).enumerate() {
                    // SAFETY: A has the columns and as many rows.
                    unsafe { self.a.add(j * self.lda).copy_from_nonoverlapping(column.as_ptr(), rows) };
                }
            }
        }
        Ok(done)
    }
}

/// The types of `DGESVD` and `SGESVD`.
pub trait GesvdScalar: Scalar<Real = Self> {
    /// What rounding may take from a number, relative to it.
    const ROUNDING: f64;
}
impl GesvdScalar for f32 {
    const ROUNDING: f64 = f32::EPSILON as f64;
}
impl GesvdScalar for f64 {
    const ROUNDING: f64 = f64::EPSILON;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_workspace_is_the_one_that_lapack_itself_takes() {
        let library = library().expect("a LAPACK");
        let jobs = [Job::All, Job::Some, Job::Overwrite, Job::None];
        for (m, n) in [(0, 3), (1, 1), (3, 9), (9, 3), (8, 5), (5, 8), (7, 5), (30, 30), (100, 7)] {
            for jobs in jobs.iter().flat_map(|jobu| jobs.map(|jobvt| [*jobu, jobvt])) {
                if jobs == [Job::Overwrite; 2] {
                    continue;
                }
                let least = least_workspace(m, n, jobs);
                let (mut a, mut s) = (vec![1.0; m * n + 1], vec![0.0; m.min(n) + 1]);
                let (mut u, mut vt) = (vec![0.0; m * m + 1], vec![0.0; n * n + 1]);
                let mut work = vec![0.0; least];
                let call = Gesvd {
                    jobs,
                    m,
                    n,
                    a: a.as_mut_ptr(),
                    lda: m.max(1),
                    s: s.as_mut_ptr(),
                    u: u.as_mut_ptr(),
                    ldu: m.max(1),
                    vt: vt.as_mut_ptr(),
                    ldvt: n.max(1),
                    work: work.as_mut_ptr(),
                    lwork: least,
                };
                // SAFETY: all arrays are as large as the routine wants them.
                let info = unsafe { call.by_lapack(library, work.as_mut_ptr(), least) };
                // MKL may want the documented length, 3 k + l, where the reference reduces R alone and takes 4 k.
                let documented = (3 * m.min(n) + m.max(n)).max(5 * m.min(n)).max(1);
                let stricter = library.vendor().contains("Math Kernel Library") && least < documented;
                assert!(info == 0 || stricter && info == -13, "{m} x {n}, {jobs:?}, {least}: {info}");
            }
        }
    }

    #[test]
    fn all_vectors_are_computed_only_where_the_long_side_wants_them() {
        let vectors = |m, n, jobs| {
            let none = null_mut();
            let call = Gesvd::<f64> {
                jobs,
                m,
                n,
                a: none,
                lda: 1,
                s: none,
                u: none,
                ldu: 1,
                vt: none,
                ldvt: 1,
                work: none,
                lwork: 1,
            };
            call.vectors()
        };
        assert_eq!(vectors(5, 3, [Job::All, Job::None]), Vectors::Full);
        assert_eq!(vectors(3, 5, [Job::All, Job::None]), Vectors::Thin);
        assert_eq!(vectors(3, 5, [Job::Overwrite, Job::All]), Vectors::Full);
        assert_eq!(vectors(4, 4, [Job::All, Job::All]), Vectors::Thin);
        assert_eq!(vectors(5, 3, [Job::None, Job::None]), Vectors::None);
    }
}
