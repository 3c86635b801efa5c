//! Measuring the tables of the cost model, once for each machine.
//!
//! For each operation and type a grid of sizes is measured, first single matrices and then batches, each from the
//! cheapest point to the dearest, until the time budget is used up: what is left is extrapolated from what was measured
//! (see `model::Table`). Points are powers of a few, and the sides at which LAPACK changes its algorithm. A batch is an
//! axis of its own, since a CPU spreads a batch over its threads but a small matrix not.
//!
//! A short call is measured up to seven times and counts with the median, after one call that warms caches and compiles
//! kernels; a long one, of which the budget holds few, is measured once or twice and counts with the faster.

mod runner;

pub use runner::Runner;

use super::model::{Case, Direction, Form, Model, OpKind};
use crate::report::Engine;
use lapack_ai_core::DType;
use std::time::{Duration, Instant};

/// Calls that take longer are measured without warming up, and at most twice.
const LONG: f64 = 20e-3;
/// Seconds of calls that make one point's time certain enough.
const ENOUGH: f64 = 1e-3;
const MOST_SAMPLES: usize = 7;
/// Part of the budget that single matrices may take; the rest is for batches.
const SINGLES: f64 = 0.65;
/// Part of the budget that one point may take: a single matrix, a batch.
const SHARES: [f64; 2] = [0.3, 0.03];

/// What one call took, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// From entry to return.
    pub total: f64,
    /// Of that, moving operands and results.
    pub transfer: f64,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// On which engine.
    pub engine: Engine,
    /// Operations, each in every one of the types.
    pub ops: Vec<OpKind>,
    /// Element types.
    pub dtypes: Vec<DType>,
    /// Time for one operation in one type.
    pub budget: Duration,
}

impl Plan {
    /// All of `ops` in both real types and both complex ones, 1.5 s each.
    pub fn new(engine: Engine, ops: &[OpKind]) -> Self {
        Self { engine, ops: ops.to_vec(), dtypes: DType::ALL.to_vec(), budget: Duration::from_millis(1500) }
    }
}

/// Runs `plan` and puts the tables into `model`. `measure` makes one call, or says `None` where it cannot;
/// `progress` is told the fraction done and what is measured. Returns the number of points measured.
///
/// # Examples
/// ```no_run
/// use lapack_ai::dispatch::calibrate::{Plan, Runner, calibrate};
/// use lapack_ai::dispatch::model::{Model, OpKind, Rates};
/// use lapack_ai::Engine;
/// let mut model = Model::new(Rates::cpu(lapack_ai::num_threads()?), None);
/// let mut runner = Runner::default();
/// let plan = Plan::new(Engine::Cpu, &OpKind::ALL);
/// calibrate(&mut model, &plan, &mut |case, engine| runner.run(case, engine), &mut |done, text| {
///     eprintln!("{:3.0} % {text}", 100.0 * done);
/// });
/// # Ok::<(), lapack_ai::Error>(())
/// ```
pub fn calibrate(
    model: &mut Model,
    plan: &Plan,
    measure: &mut dyn FnMut(&Case, Engine) -> Option<Measured>,
    progress: &mut dyn FnMut(f64, &str),
) -> usize {
    let pairs: Vec<(OpKind, DType)> =
        plan.ops.iter().flat_map(|op| plan.dtypes.iter().map(move |dtype| (*op, *dtype))).collect();
    let mut points = 0;
    for (number, (op, dtype)) in pairs.iter().enumerate() {
        progress(number as f64 / pairs.len() as f64, &format!("{} {}", op.name(), dtype.name()));
        points += table(model, plan, *op, *dtype, measure);
    }
    progress(1.0, "done");
    points
}

/// Measures transfers of 4 KiB to 256 MiB in steps of 8 through `measure` (seconds for so many bytes, `None` where it
/// cannot be done) and puts them into `model`. Returns the number of sizes measured.
pub fn calibrate_transfers(model: &mut Model, measure: &mut dyn FnMut(Direction, usize) -> Option<f64>) -> usize {
    let mut points = 0;
    for direction in [Direction::Upload, Direction::Download] {
        let mut measured = Vec::new();
        for bytes in (12..=27).step_by(3).map(|power| 1_usize << power).chain([256 << 20]) {
            let mut once = || measure(direction, bytes);
            if let Some(seconds) = typical(&mut once, f64::INFINITY) {
                measured.push((bytes, seconds));
            }
        }
        points += if model.put_transfers(direction, &measured) { measured.len() } else { 0 };
    }
    points
}

fn table(
    model: &mut Model,
    plan: &Plan,
    op: OpKind,
    dtype: DType,
    measure: &mut dyn FnMut(&Case, Engine) -> Option<Measured>,
) -> usize {
    let engine = plan.engine;
    let axes = axes(op, engine);
    let cases = points(&axes, op, dtype);
    let plain: Vec<f64> = cases.iter().map(|case| model.plain(engine, case).unwrap_or(f64::INFINITY)).collect();
    let mut order: Vec<usize> = (0..cases.len()).filter(|point| plain[*point].is_finite()).collect();
    let is_batch = |point: usize| cases[point].batch > 1;
    order.sort_by(|a, b| is_batch(*a).cmp(&is_batch(*b)).then(plain[*a].total_cmp(&plain[*b])));
    let begin = Instant::now();
    let mut ratios = vec![None; cases.len()];
    // How far plain rates are off where the last points lay: what the next one will take.
    let mut off = 1.0;
    for point in order {
        let case = &cases[point];
        let budget = plan.budget.as_secs_f64();
        let part = if is_batch(point) { 1.0 } else { SINGLES };
        let left = part * budget - begin.elapsed().as_secs_f64();
        let share = (SHARES[usize::from(is_batch(point))] * budget).min(left);
        if off * plain[point] > share {
            continue;
        }
        let mut once = || measure(case, engine).map(|measured| measured.total - measured.transfer);
        if let Some(seconds) = typical(&mut once, share) {
            let ratio = seconds / plain[point];
            ratios[point] = Some(ratio);
            off = ratio;
        }
    }
    let count = ratios.iter().flatten().count();
    model.put((engine, op, dtype), axes, &ratios);
    count
}

/// The median of a few, within `budget` seconds as far as that goes; `None` if a call cannot be made.
fn typical(once: &mut dyn FnMut() -> Option<f64>, budget: f64) -> Option<f64> {
    let mut first = once()?;
    if first < LONG {
        // The first call warmed up; a second one shows whether there is time for more.
        first = once()?;
    }
    let (mut samples, mut sum) = (vec![first], first);
    let most = if first < LONG { MOST_SAMPLES } else { 2 };
    while samples.len() < most && sum + first < budget && (sum < ENOUGH || samples.len() < 3) {
        let next = once()?;
        samples.push(next);
        sum += next;
    }
    samples.sort_by(f64::total_cmp);
    Some(samples[(samples.len() - 1) / 2])
}

/// The logarithms of the grid's sizes: one axis for each coordinate in use, the batch last.
fn axes(op: OpKind, engine: Engine) -> Vec<Vec<f64>> {
    let log = |sizes: &[f64]| sizes.iter().map(|size| size.ln()).collect::<Vec<_>>();
    // A GPU is worth its while on sizes that a CPU need not be measured on.
    let cut = |sizes: &[f64]| {
        let most = if engine == Engine::Cpu { 4096.0 } else { 16384.0 };
        log(&sizes.iter().copied().filter(|size| *size <= most).collect::<Vec<_>>())
    };
    let product = || cut(&[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 2048.0, 4096.0, 8192.0]);
    let order = || cut(&[2.0, 4.0, 8.0, 16.0, 25.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0]);
    let rhs = || log(&[1.0, 16.0, 256.0, 2048.0]);
    let batch = || log(&[1.0, 8.0, 64.0, 1024.0]);
    let mut axes = match op.form() {
        Form::Product => vec![product(), product(), product()],
        Form::Square => vec![order()],
        Form::System => vec![order(), rhs()],
        Form::Oblong => vec![order(), log(&[1.0 / 16.0, 0.25, 0.5, 1.0, 2.0, 4.0, 16.0])],
        Form::Turned => vec![order(), log(&[1.0, 1.5, 2.0, 4.0, 16.0])],
        Form::Fit => vec![order(), log(&[0.25, 1.0, 4.0, 16.0]), log(&[1.0, 64.0])],
    };
    // A case has three coordinates and the batch: those not in use have one point.
    axes.resize(3, vec![0.0]);
    axes.push(batch());
    axes
}

/// The cases at all points of the grid, row-major.
fn points(axes: &[Vec<f64>], op: OpKind, dtype: DType) -> Vec<Case> {
    let total: usize = axes.iter().map(Vec::len).product();
    let at = |point: usize| {
        let (mut rest, mut all) = (point, [0.0; 4]);
        for (axis, nodes) in axes.iter().enumerate().rev() {
            all[axis] = nodes[rest % nodes.len()];
            rest /= nodes.len();
        }
        Case::at(op, dtype, all)
    };
    (0..total).map(at).collect()
}
