//! The search: a budget of time, products in the order of their importance, and for each the candidates of its kernel.
//!
//! A candidate is built, its result checked and its time taken on a first product of the class; the fastest few are taken to the
//! others. The best of all is measured once more, in turns with what is in use now, and replaces it only where it gains more
//! than noise and loses on none. A candidate that was clearly slower for several classes of one kernel and layout, and
//! never nearly as fast, is not tried again there: building it would cost more than measuring it.

use super::bench::{Bench, median};
use super::table::{Class, Entry, Table};
use super::targets::{Target, targets};
use crate::fault::{Fault, FaultKind};
use crate::gpu::Gpu;
use crate::kernels::gemm_choose::{Wanted, try_out};
use crate::kernels::gemm_config::{Config, Family, Limits, Problem};
use crate::staging::Interrupt;
use lapack_ai_core::DType;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// What a candidate must gain to replace what is in use: more than a second measurement of the same differs.
const NOISE: f64 = 0.03;
/// Slower than the best by this factor, a candidate is measured no further.
const HOPELESS: f64 = 1.5;
/// Slower than what is in use by this factor, a candidate has clearly lost; it is dropped after so many losses.
const CLEARLY: f64 = 1.25;
const LOSSES: u32 = 3;
/// Within this factor of what is in use, a candidate may win elsewhere, and is taken to the other products.
const NEARLY: f64 = 1.1;
/// Candidates that are taken to the other products, and rounds of the last comparison.
const FINALISTS: usize = 6;
const ROUNDS: usize = 7;
/// Part of the budget that one class may take.
const SHARE: f64 = 0.1;
/// Part of the device's free memory that a product may take, and where it is the host's, bytes.
const MEMORY_PART: usize = 2;
const HOST_BYTES: usize = 1 << 30;

/// What to tune.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Time for all of it.
    pub budget: Duration,
    /// Types of the products.
    pub dtypes: Vec<DType>,
    /// Only products whose line ([`Target`]'s text) has one of these in it; none: all of them.
    pub only: Vec<String>,
    /// Measure against the rules, not against what is in use: for a table that others start from.
    pub from_rules: bool,
}

impl Default for Plan {
    /// All types and products, one minute.
    fn default() -> Self {
        Self { budget: Duration::from_secs(60), dtypes: DType::ALL.to_vec(), only: Vec::new(), from_rules: false }
    }
}

impl Plan {
    fn wants(&self, target: &Target) -> bool {
        let line = target.to_string();
        self.only.is_empty() || self.only.iter().any(|text| line.contains(text.as_str()))
    }
}

/// How the search ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// Every product was tuned.
    Done,
    /// The time was used up.
    Budget,
    /// Somebody asked for it.
    Interrupted,
    /// The device failed.
    Failed(Fault),
}

/// What was measured for a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The first of the products.
    pub target: Target,
    /// Floating-point operations of a product, the geometric mean of those that were measured.
    pub flops: f64,
    /// What was found.
    pub entry: Entry,
}

impl Row {
    /// 10^9 floating-point operations a second before and now.
    pub fn gflops(&self) -> [f64; 2] {
        self.entry.seconds.map(|seconds| self.flops / seconds / 1e9)
    }
}

/// What was found, with whatever was found before the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The classes, in the order in which they were tuned.
    pub rows: Vec<Row>,
    /// How it ended.
    pub ended: Ended,
    /// Products that were left out because one would take too large a part of the budget or of the memory.
    pub left_out: usize,
}

/// Who watches a search.
pub struct Watch<'a> {
    /// Told the fraction of the time or of the products that is done, and what is at work.
    pub progress: &'a mut dyn FnMut(f64, &str),
    /// Told each class when it is found, to be kept at once.
    pub found: &'a mut dyn FnMut(&Entry),
    /// Asked between two measurements.
    pub interrupt: Interrupt<'a>,
}

/// Why a search stops before all is done.
enum Stop {
    Budget,
    Interrupted,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Cancelled => Self::Interrupted,
            _ => Self::Fault(fault),
        }
    }
}

#[derive(Default)]
struct Standing {
    losses: u32,
    nearly: bool,
}

/// Candidates are judged for each of these.
type Ground = (Family, DType, [bool; 2], [bool; 2]);

struct Search<'a, 'b> {
    gpu: &'a Gpu,
    plan: &'a Plan,
    watch: Watch<'b>,
    started: Instant,
    done: HashSet<Class>,
    standing: HashMap<(Ground, Config), Standing>,
    /// Seconds that a candidate took last, its building included.
    typical: f64,
    fraction: f64,
    rows: Vec<Row>,
    left_out: usize,
}

/// A class at work: its products, and the median time of what is in use for each.
struct Work<'a> {
    label: String,
    class: Class,
    problem: Problem,
    benches: Vec<Bench<'a>>,
    present: Config,
    before: Vec<f64>,
}

/// Tunes the matrix product of a device. Nothing is set: [`Gpu::set_tuned`] takes what was found.
///
/// `former` are classes that were tuned before; they come last.
pub fn tune(gpu: &Gpu, plan: &Plan, former: Option<&Table>, watch: Watch<'_>) -> Outcome {
    let mut search = Search {
        gpu,
        plan,
        watch,
        started: Instant::now(),
        done: HashSet::new(),
        standing: HashMap::new(),
        typical: 0.0,
        fraction: 0.0,
        rows: Vec::new(),
        left_out: 0,
    };
    let ended = match search.all(former) {
        Ok(()) => Ended::Done,
        Err(Stop::Budget) => Ended::Budget,
        Err(Stop::Interrupted) => Ended::Interrupted,
        Err(Stop::Fault(fault)) => Ended::Failed(fault),
    };
    search.tell(1.0, "done");
    Outcome { rows: search.rows, ended, left_out: search.left_out }
}

impl<'a> Search<'a, '_> {
    fn left(&self) -> f64 {
        self.plan.budget.as_secs_f64() - self.started.elapsed().as_secs_f64()
    }

    /// The fraction never goes back.
    fn tell(&mut self, fraction: f64, text: &str) {
        let budget = self.plan.budget.as_secs_f64();
        let of_time = (budget - self.left()) / budget.max(1e-3);
        self.fraction = self.fraction.max(fraction.max(of_time).min(1.0));
        (self.watch.progress)(self.fraction, text);
    }

    /// Ends the search if there is no time for another candidate, or somebody asked for it.
    fn go_on(&self) -> Result<(), Stop> {
        if (self.watch.interrupt)() {
            return Err(Stop::Interrupted);
        }
        if self.left() < self.typical { Err(Stop::Budget) } else { Ok(()) }
    }

    fn wanted(&self) -> Wanted {
        if self.plan.from_rules { Wanted::Rules } else { Wanted::Present }
    }

    fn all(&mut self, former: Option<&Table>) -> Result<(), Stop> {
        let gpu = self.gpu;
        let dtypes = self.plan.dtypes.iter().filter(|dtype| !dtype.is_double() || gpu.info().float64);
        let mut all = targets(&dtypes.copied().collect::<Vec<_>>(), gpu.info().is_cpu);
        all.retain(|target| self.plan.wants(target));
        let count = 2 * all.len();
        // What was never tuned comes first.
        for (turn, again) in [false, true].into_iter().enumerate() {
            for (number, target) in all.iter().enumerate() {
                self.go_on()?;
                let fraction = (turn * all.len() + number) as f64 / count as f64;
                self.tell(fraction, &target.to_string());
                match self.prepare(*target, former, again) {
                    Ok(Some(work)) => self.class(&work, *target)?,
                    Ok(None) => {}
                    // The next product may need less, and one that the general kernel gets wrong is no measure.
                    Err(Stop::Fault(fault))
                        if matches!(fault.kind, FaultKind::OutOfMemory | FaultKind::WrongResult) =>
                    {
                        self.left_out += 1;
                    }
                    Err(stop) => return Err(stop),
                }
            }
            if former.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn fits(&self, target: &Target) -> bool {
        let [ab, c] = target.bytes();
        let own = if self.gpu.info().shares_host_memory { HOST_BYTES } else { usize::MAX };
        ab + 3 * c <= (self.gpu.available() / MEMORY_PART).min(own)
    }

    /// The products of a class and what is in use for them; `None` if it was done, or is too large.
    fn prepare(&mut self, target: Target, former: Option<&Table>, again: bool) -> Result<Option<Work<'a>>, Stop> {
        if !self.fits(&target) {
            self.left_out += usize::from(!again);
            return Ok(None);
        }
        let first = Bench::new(self.gpu, target)?;
        let used = first.used(self.wanted())?;
        // Several launches, and there is no class whose time it is.
        let [(problem, present)] = used[..] else { return Ok(None) };
        let class = Class::of(present.family(), &problem);
        let known = former.is_some_and(|former| former.has(&class));
        if known != again || self.done.contains(&class) {
            return Ok(None);
        }
        first.fill(self.watch.interrupt)?;
        let once = first.once(self.wanted())?;
        let candidates = present.candidates(Limits::of(self.gpu.info()), &problem).len();
        let others = target.others();
        let all: f64 = 1.0 + others.iter().map(|other| other.flops() / target.flops()).sum::<f64>();
        // Each candidate is run some four times on the first product, each finalist on the others, and the last comparison.
        if once * (4 * candidates) as f64 + once * all * (4 * FINALISTS + 2 * ROUNDS) as f64
            > SHARE * self.plan.budget.as_secs_f64()
        {
            self.left_out += usize::from(!again);
            return Ok(None);
        }
        let mut benches = vec![first];
        for other in others.into_iter().filter(|other| self.fits(other)) {
            let bench = Bench::new(self.gpu, other)?;
            let same = |(problem, config): &(Problem, Config)| Class::of(config.family(), problem) == class;
            let used = bench.used(self.wanted())?;
            if used.len() == 1 && used.iter().all(same) {
                bench.fill(self.watch.interrupt)?;
                benches.push(bench);
            }
        }
        let before = benches.iter().map(|bench| bench.seconds(self.wanted(), f64::INFINITY));
        let before = before.collect::<Result<Vec<_>, _>>()?;
        self.done.insert(class);
        Ok(Some(Work { label: target.to_string(), class, problem, benches, present, before }))
    }

    /// Finds the best configuration of a class and notes it.
    fn class(&mut self, work: &Work<'_>, target: Target) -> Result<(), Stop> {
        let limits = Limits::of(self.gpu.info());
        let Class { kernel, dtype, along_k, wide, .. } = work.class;
        let ground = (kernel, dtype, along_k, wide);
        let mut waiting: Vec<Config> = work.present.candidates(limits, &work.problem);
        // What was fast elsewhere first: what comes later is then given up sooner.
        waiting.sort_by_key(|config| self.standing.get(&(ground, *config)).is_none_or(|standing| !standing.nearly));
        waiting.reverse();
        let mut tried: Vec<(Config, f64)> = Vec::new();
        let mut best = (work.present, work.before[0]);
        let mut refined = HashSet::new();
        let mut stopped = Ok(());
        loop {
            let Some(config) = waiting.pop() else {
                // The best one's variations, once it is known.
                if !refined.insert(best.0) {
                    break;
                }
                waiting = best.0.refinements(limits, &work.problem);
                waiting.retain(|config| tried.iter().all(|(known, _)| known != config));
                continue;
            };
            stopped = self.go_on();
            if stopped.is_err() {
                break;
            }
            let standing = self.standing.entry((ground, config)).or_default();
            if standing.losses >= LOSSES && !standing.nearly {
                continue;
            }
            self.tell(0.0, &work.label);
            let Some(seconds) = self.candidate(work, config, HOPELESS * best.1)? else { continue };
            let standing = self.standing.entry((ground, config)).or_default();
            standing.losses += u32::from(seconds > CLEARLY * best.1.min(work.before[0]));
            standing.nearly |= seconds < NEARLY * best.1.min(work.before[0]);
            tried.push((config, seconds));
            if seconds < best.1 {
                best = (config, seconds);
            }
        }
        // What was tried counts, however it ended; but nothing was compared if nothing was tried.
        if tried.is_empty() && stopped.is_err() {
            self.done.remove(&work.class);
            return stopped;
        }
        let entry = self.decide(work, tried)?;
        (self.watch.found)(&entry);
        let flops: Vec<f64> = work.benches.iter().map(|bench| bench.target.flops()).collect();
        self.rows.push(Row { target, flops: mean(&flops), entry });
        stopped
    }

    /// Seconds of a candidate on the first product; `None` if it cannot be built, or is wrong.
    fn candidate(&mut self, work: &Work<'_>, config: Config, hopeless: f64) -> Result<Option<f64>, Stop> {
        let (started, wanted) = (Instant::now(), Wanted::One(config));
        let seconds = match work.benches[0].is_right(wanted)? {
            true => Some(work.benches[0].seconds(wanted, hopeless)?),
            false => None,
        };
        let took = started.elapsed().as_secs_f64();
        self.typical = if self.typical == 0.0 { took } else { 0.7 * self.typical + 0.3 * took };
        Ok(seconds)
    }

    /// What the class is to be computed with.
    fn decide(&mut self, work: &Work<'_>, mut tried: Vec<(Config, f64)>) -> Result<Entry, Stop> {
        tried.retain(|(_, seconds)| *seconds < NEARLY * work.before[0]);
        tried.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut finalists = Vec::new();
        for (config, seconds) in tried.into_iter().take(FINALISTS) {
            let mut ratios = vec![seconds / work.before[0]];
            for (bench, before) in work.benches.iter().zip(&work.before).skip(1) {
                // One that is wrong or not taken there is no candidate for the class.
                let right = bench.is_right(Wanted::One(config))?;
                let lost = (1.0 + NOISE) * before;
                let seconds = if right { bench.seconds(Wanted::One(config), lost)? } else { f64::INFINITY };
                ratios.push(seconds / before);
                if seconds > lost {
                    break;
                }
            }
            if ratios.len() == work.benches.len() && wins(&ratios) {
                finalists.push((config, mean(&ratios)));
            }
        }
        finalists.sort_by(|a, b| a.1.total_cmp(&b.1));
        let present = (self.gpu.tables().find(&work.class)).filter(|_| !self.plan.from_rules);
        let mut entry = Entry { class: work.class, config: present, seconds: [mean(&work.before); 2] };
        for (config, _) in finalists {
            let (before, after) = self.in_turns(work, config)?;
            let ratios: Vec<f64> = after.iter().zip(&before).map(|(after, before)| after / before).collect();
            if wins(&ratios) {
                entry = Entry { config: Some(config), seconds: [mean(&before), mean(&after)], ..entry };
                break;
            }
        }
        Ok(entry)
    }

    /// Medians of what is in use and of a candidate, measured in turns, for each product.
    fn in_turns(&self, work: &Work<'_>, config: Config) -> Result<(Vec<f64>, Vec<f64>), Stop> {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for bench in &work.benches {
            let (mut now, mut then) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                now.push(bench.once(self.wanted())?);
                then.push(bench.once(Wanted::One(config))?);
            }
            before.push(median(&mut now));
            after.push(median(&mut then));
        }
        Ok((before, after))
    }
}

/// The configurations that would be tried for a product in place of the rules', which comes first; none where it is no single
/// launch.
///
/// # Errors
/// What goes wrong on the device.
pub fn candidates_for(gpu: &Gpu, target: Target) -> Result<Vec<Config>, Fault> {
    let used = Bench::new(gpu, target)?.used(Wanted::Rules)?;
    let [(problem, rule)] = used[..] else { return Ok(Vec::new()) };
    let limits = Limits::of(gpu.info());
    let mut all = vec![rule];
    all.extend(rule.candidates(limits, &problem));
    all.extend(rule.refinements(limits, &problem));
    Ok(all)
}

/// Runs `work`, whose products on this thread take this configuration where its kernel is theirs and takes it. Beside its
/// result, the configurations that were launched.
pub fn with_config<R>(config: Config, work: impl FnOnce() -> R) -> (R, Vec<Config>) {
    let (result, used) = try_out(Wanted::One(config), work);
    (result, used.into_iter().map(|(_, config)| config).collect())
}

/// Runs `work`, whose products on this thread take what the rules say, whatever the tables do: for comparisons.
pub fn by_rule<R>(work: impl FnOnce() -> R) -> R {
    try_out(Wanted::Rules, work).0
}

/// Whether a candidate whose times are so many times those of what is in use replaces it.
fn wins(ratios: &[f64]) -> bool {
    mean(ratios) < 1.0 - NOISE && ratios.iter().all(|ratio| *ratio < 1.0 + NOISE)
}

/// The geometric mean.
fn mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_wins_if_it_gains_more_than_noise_and_loses_nowhere() {
        assert!(wins(&[0.9]) && wins(&[0.9, 1.02, 0.8]));
        assert!(!wins(&[0.98]), "noise");
        assert!(!wins(&[0.5, 0.5, 1.04]), "loses at one size");
        assert!(!wins(&[0.5, f64::INFINITY]), "wrong, or not taken, at one size");
        assert!(!wins(&[0.5, f64::NAN]));
    }

    #[test]
    fn the_mean_is_geometric() {
        assert!((mean(&[0.5, 2.0]) - 1.0).abs() < 1e-15);
    }
}
