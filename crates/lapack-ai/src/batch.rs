//! Many matrices side by side, or one after the other on the library's own threads; never both.
//!
//! Threads are started for each call and joined before it returns: there is no pool to lose in a forked child, and a
//! start costs some 20 us, which [`WORTH_A_THREAD`] accounts for.

use crate::Failures;
use crate::cancel::{self, CancelFlag};
use crate::report::{Clock, RcondSource, Report};
use crate::workspace::{Need, Scratch};
use lapack_ai_core::{Code, Error, Finding, Result};

use lapack_ai_host::{Library, STACK_SIZE, with_enough_stack};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Seconds of work that make another thread worth its start.
const WORTH_A_THREAD: f64 = 60e-6;
/// A matrix that takes less is never spread over the library's threads.
const SMALL: f64 = 5e-6;
/// A matrix that takes this long on one thread keeps several library threads busy.
const WORTH_LIBRARY_THREADS: f64 = 2e-3;
/// Seconds of work handed out at a time: long beside the counter they are taken from, short beside the whole, so that all
/// workers end together.
const CHUNK: f64 = 200e-6;

/// Findings in one word (a boxed slice takes two) of the value that every matrix returns.
pub(crate) type Findings = Box<Vec<Finding>>;

/// What one matrix gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Item {
    /// Estimate of its reciprocal condition number, if there is one.
    pub(crate) rcond: Option<(f64, RcondSource)>,
    /// INFO of the first driver, where a second one had to step in.
    pub(crate) fallback: Option<i64>,
    /// Structure and routine, where they were chosen for this matrix.
    pub(crate) taken: Option<(&'static str, &'static str)>,
    /// Refinements of a solution in mixed precision; negative if they were given up.
    pub(crate) refinements: Option<i64>,
    /// What a look at a doubtful matrix has found.
    pub(crate) findings: Option<Findings>,
    /// Phases, where they are measured: intake, compute, conditioning.
    pub(crate) times: Option<[Duration; 3]>,
}

/// What a stretch of time was spent on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    /// Checking and copying the input.
    Intake,
    /// Inside LAPACK.
    Compute,
    /// Estimating the condition number.
    Conditioning,
}

impl Item {
    /// Adds the time since the last lap to `phase`, if time is measured.
    #[inline]
    pub(crate) fn lap(&mut self, clock: &mut Clock, phase: Phase) {
        if clock.is_running() {
            clock.lap(&mut self.times.get_or_insert_default()[phase as usize]);
        }
    }
}

/// What all of them gave.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Worst reciprocal condition number, its source and its matrix.
    pub(crate) worst: Option<(f64, RcondSource, usize)>,
    /// What was found about the worst matrix that was looked at: its rcond, its index, and the findings.
    pub(crate) found: Option<(f64, usize, Vec<Finding>)>,
    /// Matrices with `rcond` below the threshold, in order.
    pub(crate) ill_conditioned: Vec<usize>,
    /// Matrices that a second driver computed.
    pub(crate) fallbacks: Vec<usize>,
    /// INFO of the first driver on one of them.
    pub(crate) fallback_info: i64,
    taken: Option<(&'static str, &'static str)>,
    refinements: Option<i64>,
    failures: Vec<(usize, Error)>,
    times: [Duration; 3],
}

impl Outcome {
    #[inline]
    fn note(&mut self, index: usize, result: Result<Item>, threshold: f64) {
        match result {
            Ok(item) => {
                if let Some((rcond, source)) = item.rcond {
                    if rcond < threshold || rcond.is_nan() {
                        self.ill_conditioned.push(index);
                    }
                    self.note_rcond((rcond, source, index));
                }
                if let Some(findings) = item.findings {
                    self.note_found((item.rcond.map_or(1.0, |(rcond, _)| rcond), index, *findings));
                }
                if let Some(info) = item.fallback {
                    self.fallbacks.push(index);
                    self.fallback_info = info;
                }
                self.note_taken(item.taken);
                self.note_refinements(item.refinements);
                if let Some(times) = item.times {
                    for (sum, time) in self.times.iter_mut().zip(times) {
                        *sum += time;
                    }
                }
            }
            Err(error) => self.failures.push((index, error)),
        }
    }

    /// Keeps the smallest, and of equal ones the first: whichever thread is quicker, the report is the same.
    #[inline]
    fn note_rcond(&mut self, (rcond, source, index): (f64, RcondSource, usize)) {
        let worse = |(worst, _, first): (f64, RcondSource, usize)| rcond < worst || (rcond == worst && index < first);
        if self.worst.is_none_or(worse) {
            self.worst = Some((rcond, source, index));
        }
    }

    #[cold]
    fn note_found(&mut self, (rcond, index, findings): (f64, usize, Vec<Finding>)) {
        let worse =
            |&(worst, first, _): &(f64, usize, Vec<Finding>)| rcond < worst || (rcond == worst && index < first);
        if self.found.as_ref().is_none_or(worse) {
            self.found = Some((rcond, index, findings));
        }
    }

    #[inline]
    fn note_taken(&mut self, taken: Option<(&'static str, &'static str)>) {
        if taken.is_some() && taken != self.taken {
            self.taken = if self.taken.is_none() { taken } else { Some(("several", "several")) };
        }
    }

    /// Keeps the largest number, and what was given up before any.
    #[inline]
    fn note_refinements(&mut self, refinements: Option<i64>) {
        if let Some(new) = refinements {
            let worse = |known: i64| if known < 0 || new < 0 { known.min(new) } else { known.max(new) };
            self.refinements = Some(self.refinements.map_or(new, worse));
        }
    }

    fn merge(&mut self, other: Outcome) {
        self.note_taken(other.taken);
        self.note_refinements(other.refinements);
        if let Some(worst) = other.worst {
            self.note_rcond(worst);
        }
        if let Some(found) = other.found {
            self.note_found(found);
        }
        self.ill_conditioned.extend(other.ill_conditioned);
        if !other.fallbacks.is_empty() {
            self.fallback_info = other.fallback_info;
        }
        self.fallbacks.extend(other.fallbacks);
        self.failures.extend(other.failures);
        for (sum, time) in self.times.iter_mut().zip(other.times) {
            *sum += time;
        }
    }

    #[cold]
    fn set_failures_aside(&mut self, report: &mut Report) {
        self.failures.sort_by_key(|(index, _)| *index);
        let failed: Vec<usize> = self.failures.iter().map(|(index, _)| *index).collect();
        let batch = report.batch;
        report.failures.extend(self.failures.drain(..).map(|(index, error)| error.in_batch(index, batch)));
        if report.on_failure == Failures::Warn {
            let text = match batch {
                1 => "the matrix failed, and its results are NaN".to_string(),
                _ => format!("{} of {batch} matrices failed and are NaN", failed.len()),
            };
            let cause = report.failures.first().map(Error::summary).unwrap_or_default();
            let warning = Error::text(Code::BatchPartial, report.operation, text).because(cause).with_failed(failed);
            report.warnings.push(warning);
        }
    }

    /// As [`Outcome::conclude`], but failures are set aside if the call asked for that: the operation then blanks their
    /// results ([`crate::ops::blank_failed`]).
    #[inline]
    pub(crate) fn conclude_or_go_on(mut self, report: &mut Report) -> Result<Outcome> {
        if report.on_failure != Failures::Raise && !self.failures.is_empty() {
            self.set_failures_aside(report);
        }
        self.conclude(report)
    }

    /// Puts the findings into the report; the first failure, with the list of all, is the error.
    #[inline]
    pub(crate) fn conclude(mut self, report: &mut Report) -> Result<Outcome> {
        report.times.intake = self.times[0];
        report.times.compute = self.times[1];
        report.times.conditioning = self.times[2];
        if let Some((rcond, source, matrix)) = self.worst {
            (report.rcond, report.rcond_source, report.rcond_matrix) = (Some(rcond), Some(source), matrix);
        }
        if let Some((structure, routine)) = self.taken {
            (report.structure, report.routine) = (structure, routine);
        }
        report.refinements = self.refinements;
        if self.failures.is_empty() {
            self.ill_conditioned.sort_unstable();
            self.fallbacks.sort_unstable();
            return Ok(self);
        }
        Err(first_failure(self.failures, self.ill_conditioned, report.batch))
    }
}

#[cold]
fn first_failure(mut failures: Vec<(usize, Error)>, mut ill_conditioned: Vec<usize>, batch: usize) -> Error {
    ill_conditioned.sort_unstable();
    failures.sort_by_key(|(index, _)| *index);
    let failed = failures.iter().map(|(index, _)| *index).collect();
    let (index, error) = failures.swap_remove(0);
    let also = (!ill_conditioned.is_empty())
        .then_some(Finding::AlsoIllConditioned { beside: index, matrices: ill_conditioned });
    error.with_findings(also).in_batch(index, batch).with_failed(failed)
}

/// How to run a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Number of matrices.
    pub(crate) count: usize,
    /// Rough time of one matrix on one thread, in seconds.
    pub(crate) seconds_each: f64,
    /// `rcond` below which a matrix is listed as ill-conditioned.
    pub(crate) threshold: f64,
    /// How much calls on matrices of this size wait for each other inside the library.
    pub(crate) contention: Contention,
    /// Scratch memory of one worker.
    pub(crate) need: Need,
}

/// How much concurrent calls of one library wait for each other at its locks (measured with OpenBLAS 0.3.34).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contention {
    /// Not noticeably.
    None,
    /// A tenth or more of the time on two threads, more on many.
    Some,
    /// So much that a second thread makes it slower.
    Heavy,
}

/// Seconds of work that make another image of the library worth its making.
const WORTH_AN_IMAGE: f64 = 40e-3;

/// One thread at work on a batch.
#[derive(Debug)]
pub(crate) struct Worker {
    /// The library, or its own image of it.
    pub(crate) library: &'static Library,
    /// Its memory.
    pub(crate) scratch: Scratch,
    /// Threads that one matrix may take: one where others work beside this worker.
    pub(crate) threads: usize,
    /// Smallest rcond of a matrix that it has looked at for causes.
    looked_at: Cell<f64>,
}

impl Worker {
    fn new(library: &'static Library, scratch: Scratch, threads: usize) -> Self {
        Self { library, scratch, threads, looked_at: Cell::new(f64::INFINITY) }
    }

    /// Whether a matrix of that rcond is worth a look: the worst so far, so that a batch of nothing else takes few looks.
    #[cold]
    pub(crate) fn is_worth_a_look(&self, rcond: f64) -> bool {
        let worse = rcond < self.looked_at.get();
        if worse {
            self.looked_at.set(rcond);
        }
        worse
    }
}

impl Plan {
    /// Workers for a library that may use `threads` threads.
    fn workers(&self, threads: usize) -> usize {
        if self.count < 2 || threads < 2 {
            return 1;
        }
        // Large matrices that do not come out even leave cores idle in the last round; the library's threads do not.
        let places = self.count.div_ceil(threads) * threads;
        if places as f64 > 1.15 * self.count as f64 && self.seconds_each > WORTH_LIBRARY_THREADS {
            return 1;
        }
        let by_work = (self.count as f64 * self.seconds_each / WORTH_A_THREAD) as usize;
        threads.min(self.count).min(by_work).max(1)
    }

    /// The images of the library that `workers` share out among themselves; none if side by side is no gain.
    fn images(&self, library: &'static Library, workers: usize) -> Vec<&'static Library> {
        if self.contention == Contention::None {
            return vec![library];
        }
        let images = library.images(workers, self.count as f64 * self.seconds_each > WORTH_AN_IMAGE);
        if self.contention == Contention::Heavy && images.len() < 2 { vec![] } else { images }
    }
}

/// Calls `item(worker, index)` for every index below `plan.count`.
///
/// # Errors
/// If memory for a worker cannot be had; errors of `item` are collected in the outcome.
#[inline]
pub(crate) fn run(
    library: &'static Library,
    plan: Plan,
    report: &mut Report,
    item: impl Fn(&Worker, usize) -> Result<Item> + Sync,
) -> Result<Outcome> {
    let workers = if plan.count > 1 { plan.workers(library.threads().get()) } else { 1 };
    if workers > 1 {
        let images = plan.images(library, workers);
        if !images.is_empty() {
            report.workers = workers;
            return run_side_by_side(library, &images, plan, workers, report.operation, &item);
        }
    }
    let cancel = if plan.count > 1 { cancel::current() } else { None };
    // A library that uses several threads on one matrix may need a large stack for it.
    if plan.seconds_each > SMALL && library.threads().get() > 1 {
        let operation = report.operation;
        return with_enough_stack(|| run_in_turn(library, plan, operation, cancel.as_ref(), &item));
    }
    run_in_turn(library, plan, report.operation, cancel.as_ref(), item)
}

#[inline]
fn run_in_turn(
    library: &'static Library,
    plan: Plan,
    operation: &'static str,
    cancel: Option<&CancelFlag>,
    item: impl Fn(&Worker, usize) -> Result<Item>,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    if plan.count > 0 {
        let worker = Worker::new(library, plan.need.take(operation)?, library.threads().get());
        for index in 0..plan.count {
            if is_raised(cancel) {
                return Err(cancelled(operation, index, plan.count));
            }
            outcome.note(index, item(&worker, index), plan.threshold);
        }
    }
    Ok(outcome)
}

#[inline]
fn is_raised(cancel: Option<&CancelFlag>) -> bool {
    cancel.is_some_and(CancelFlag::is_raised)
}

#[cold]
fn cancelled(operation: &'static str, done: usize, count: usize) -> Error {
    Error::text(Code::Cancelled, operation, format!("ended on request after {done} of {count} matrices"))
}

fn run_side_by_side(
    library: &'static Library,
    images: &[&'static Library],
    plan: Plan,
    workers: usize,
    operation: &'static str,
    item: &(impl Fn(&Worker, usize) -> Result<Item> + Sync),
) -> Result<Outcome> {
    let _held = library.threads().hold_to_one();
    let chunk = ((CHUNK / plan.seconds_each) as usize).clamp(1, plan.count.div_ceil(workers));
    let next = AtomicUsize::new(0);
    let cancel = cancel::current();
    let merged = Mutex::new(Ok(Outcome::default()));
    let work = |number: usize| {
        let mut outcome = Outcome::default();
        let started = plan.need.take(operation).map(|scratch| {
            let worker = Worker::new(images[number % images.len()], scratch, 1);
            loop {
                let from = next.fetch_add(chunk, Ordering::Relaxed);
                if from >= plan.count || is_raised(cancel.as_ref()) {
                    break;
                }
                for index in from..(from + chunk).min(plan.count) {
                    outcome.note(index, item(&worker, index), plan.threshold);
                }
            }
        });
        let mut merged = merged.lock().unwrap_or_else(PoisonError::into_inner);
        match (started, merged.as_mut()) {
            (Ok(()), Ok(merged)) => merged.merge(outcome),
            (Err(error), Ok(_)) => *merged = Err(error),
            (_, Err(_)) => {}
        }
    };
    let work = &work;
    thread::scope(|scope| {
        for number in 1..workers {
            // Where the system gives no more threads, those that started do all the work.
            let thread = thread::Builder::new().name("lapack-ai".into()).stack_size(STACK_SIZE);
            if thread.spawn_scoped(scope, move || work(number)).is_err() {
                break;
            }
        }
        work(0);
    });
    if is_raised(cancel.as_ref()) {
        return Err(cancelled(operation, next.into_inner().min(plan.count), plan.count));
    }
    merged.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(count: usize, seconds_each: f64) -> Plan {
        Plan { count, seconds_each, threshold: 0.0, contention: Contention::None, need: Need::default() }
    }

    #[test]
    fn one_matrix_or_one_thread_runs_on_the_caller() {
        assert_eq!(plan(1, 1.0).workers(8), 1);
        assert_eq!(plan(100, 1.0).workers(1), 1);
    }

    #[test]
    fn little_work_is_not_spread_over_threads() {
        assert_eq!(plan(10, 1e-6).workers(8), 1);
        assert_eq!(plan(100_000, 1e-6).workers(8), 8);
    }

    #[test]
    fn matrices_that_block_each_other_run_on_one_thread_unless_the_work_is_worth_an_image() {
        let library = crate::provider::library().expect("a LAPACK");
        let heavy = |count| Plan { contention: Contention::Heavy, ..plan(count, 1e-6) };
        assert!(heavy(1000).images(library, 2).len() != 1, "alone on one thread, or each with an image");
        if cfg!(all(target_os = "linux", target_env = "gnu")) && library.vendor().contains("OpenBLAS") {
            let images = library.images(4, true);
            assert_eq!(images.len(), 4);
            assert!(images[1..].iter().all(|image| image.threads().get() == 1));
            for (position, image) in images.iter().enumerate() {
                assert!(images[..position].iter().all(|other| !image.shares_code_with(other)), "image {position}");
            }
        }
    }

    #[test]
    fn a_raised_flag_ends_a_batch_on_one_thread_and_on_several() {
        let library = crate::provider::library().expect("a LAPACK");
        for (seconds_each, count) in [(1e-9, 10), (1e-4, 1000)] {
            let done = AtomicUsize::new(0);
            let flag = CancelFlag::default();
            let mut report = Report::new("solve", lapack_ai_core::DType::Float64, 1, 1, count);
            let outcome = cancel::cancellable(&flag, || {
                run(library, plan(count, seconds_each), &mut report, |_, _| {
                    if done.fetch_add(1, Ordering::Relaxed) == 3 {
                        flag.raise();
                    }
                    Ok(Item::default())
                })
            });
            assert_eq!(outcome.unwrap_err().code(), Code::Cancelled);
            assert!(done.into_inner() < count, "all were computed");
        }
    }

    #[test]
    fn a_few_large_matrices_are_left_to_the_librarys_threads() {
        assert_eq!(plan(3, 0.5).workers(8), 1);
        assert_eq!(plan(3, 0.5).workers(2), 1);
        assert_eq!(plan(4, 0.5).workers(2), 2);
        assert_eq!(plan(16, 0.5).workers(8), 8);
    }
}
