//! Measuring the tables of the cost model, once for each machine.
//!
//! For each operation and type a grid of sizes is measured: large batches, then single matrices, then small batches, each
//! from the cheapest point to the dearest, until the time budget is used up: what is left is extrapolated from what was
//! measured (see `model::Table`). Large batches come first because a CPU computes them on threads of their own, which a
//! BLAS's threads disturb: these go on spinning for an eighth of a second after the last single matrix. On a GPU single
//! matrices come first, from a few sizes far apart to all of them: there a call takes about as long at any small size, and
//! what lies beyond the largest measured one would be told from its launches alone. Building kernels, once for each
//! machine, is not counted up to some times the budget. Points are round
//! numbers but no powers of two, at which kernels are faster than at the sizes beside them, and the sides at which LAPACK
//! changes its algorithm.
//!
//! A short call is measured three to seven times and counts with the median, after one call that warms caches and
//! compiles kernels; a long one, of which the budget holds few, once or twice and with the faster. Other programs can
//! only make a call slower, and often for longer than the few calls of one point; so what is left of the budget goes to
//! a second visit of the points, first of those that are slow beside their neighbours, and the faster visit counts.

mod crossover;
mod runner;

pub(crate) use crossover::compare_where_close;
pub use runner::Runner;
pub(crate) use runner::fill;

use super::model::{Case, Direction, Form, Model, OpKind, neighbours};
use crate::report::Engine;
use lapack_ai_core::DType;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Building kernels may take so many times the budget beside it.
const BUILDING: f64 = 4.0;
/// Calls that take longer are measured without warming up, and at most twice.
const LONG: f64 = 20e-3;
/// How much longer than expected a long call may take to count at once.
const UNEXPECTED: f64 = 5.0;
/// Seconds of calls that make one point's time certain enough.
const ENOUGH: f64 = 1e-3;
const MOST_SAMPLES: usize = 7;
/// Parts of the budget at which the first visits of large batches, single matrices and small batches must have ended, on a
/// CPU; of single matrices, large batches and small ones on a GPU.
const FIRST_VISITS: [[f64; 3]; 2] = [[0.25, 0.6, 0.7], [0.6, 0.75, 0.85]];
/// Matrices from which a batch is taken for large: more than most machines have threads.
const LARGE_BATCH: usize = 64;
/// How long the threads of a BLAS spin.
const SPINNING: Duration = Duration::from_millis(150);
/// Part of the budget that one point may take on a CPU and on a GPU: a single matrix, a batch. On a GPU dear ones are met before
/// all cheap ones.
const SHARES: [[f64; 2]; 2] = [[0.3, 0.03], [0.1, 0.03]];

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
    /// All of `ops` in both real types and both complex ones, 3 s each.
    pub fn new(engine: Engine, ops: &[OpKind]) -> Self {
        Self { engine, ops: ops.to_vec(), dtypes: DType::ALL.to_vec(), budget: Duration::from_secs(3) }
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
    for_each_table(&plan.ops, &plan.dtypes, progress, &mut |op, dtype| table(model, plan, op, dtype, measure))
}

/// Does `work` for each operation in each type and returns the sum of what it returns; `progress` as in [`calibrate`].
pub(crate) fn for_each_table(
    ops: &[OpKind],
    dtypes: &[DType],
    progress: &mut dyn FnMut(f64, &str),
    work: &mut dyn FnMut(OpKind, DType) -> usize,
) -> usize {
    let pairs: Vec<(OpKind, DType)> = ops.iter().flat_map(|op| dtypes.iter().map(move |dtype| (*op, *dtype))).collect();
    let mut sum = 0;
    for (number, (op, dtype)) in pairs.iter().enumerate() {
        progress(number as f64 / pairs.len() as f64, &format!("{} {}", op.name(), dtype.name()));
        sum += work(*op, *dtype);
    }
    progress(1.0, "done");
    sum
}

/// Measures transfers of 4 KiB to 256 MiB in steps of 8 through `measure` (seconds for so many bytes, `None` where it
/// cannot be done) and puts them into `model`. Returns the number of sizes measured.
pub fn calibrate_transfers(model: &mut Model, measure: &mut dyn FnMut(Direction, usize) -> Option<f64>) -> usize {
    let mut points = 0;
    for direction in [Direction::Upload, Direction::Download] {
        let mut measured = Vec::new();
        for bytes in (12..=27).step_by(3).map(|power| 1_usize << power).chain([256 << 20]) {
            let mut once = || measure(direction, bytes).map(|total| Measured { total, transfer: 0.0 });
            if let Some(taken) = typical(&mut once, f64::INFINITY, f64::INFINITY) {
                measured.push((bytes, taken.total));
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
    // On a GPU the whole call is what takes time and what counts; its kernels are noted beside it.
    let on_gpu = engine == Engine::OpenCl;
    let of_call = |case: &Case| if on_gpu { model.plain_whole(case) } else { model.plain(engine, case) };
    let plain: Vec<f64> = cases.iter().map(|case| of_call(case).unwrap_or(f64::INFINITY)).collect();
    // Batches of vectors are rare: their time goes to those of matrices.
    let rare = |case: &Case| op == OpKind::Matmul && case.batch > 1 && case.m.min(case.n).min(case.k) == 1;
    let wanted = |point: &usize| plain[*point].is_finite() && !rare(&cases[*point]);
    let mut order: Vec<usize> = (0..cases.len()).filter(wanted).collect();
    let is_batch = |point: usize| cases[point].batch > 1;
    let turn = |point: usize| match cases[point].batch {
        LARGE_BATCH.. => usize::from(on_gpu),
        1 => usize::from(!on_gpu),
        _ => 2,
    };
    let level = |point: usize| if on_gpu && !is_batch(point) { level(&axes, point) } else { 0 };
    order.sort_by(|a, b| (turn(*a), level(*a)).cmp(&(turn(*b), level(*b))).then(plain[*a].total_cmp(&plain[*b])));
    if !on_gpu && order.first().is_some_and(|first| turn(*first) == 0) {
        std::thread::sleep(SPINNING.min(plan.budget / 8));
    }
    let budget = plan.budget.as_secs_f64();
    let (spent, for_building) = (Cell::new(0.0), Cell::new(BUILDING * budget));
    // Seconds that a point may take if all must end at `part` of the budget.
    let share = |point: usize, part: f64| {
        let left = part * budget - spent.get();
        (SHARES[usize::from(on_gpu)][usize::from(is_batch(point))] * budget).min(left)
    };
    // Of the call, and of its kernels alone.
    let mut visit = |point: usize, expected: f64, share: f64| -> Option<[f64; 2]> {
        let (begin, mut calls) = (Instant::now(), Vec::new());
        let mut call = || {
            let taken = measure(&cases[point], engine)?;
            calls.push(taken.total);
            Some(taken)
        };
        let taken = typical(&mut call, expected, share);
        let building = match calls[..] {
            [first, second, ..] if on_gpu && first > UNEXPECTED * second => (first - second).min(for_building.get()),
            _ => 0.0,
        };
        for_building.set(for_building.get() - building);
        let took = begin.elapsed().as_secs_f64().max(calls.iter().sum());
        spent.set(spent.get() + took - building);
        let taken = taken?;
        let kernels = (taken.total - taken.transfer) / model.plain(engine, &cases[point])?;
        Some([taken.total / plain[point], kernels])
    };
    let mut ratios: Vec<Option<f64>> = vec![None; cases.len()];
    let mut kernels = ratios.clone();
    // How far plain rates are off where the last points lay: what the next one will take. On a GPU the next one is no neighbour:
    // its launches take as long as those of the smallest, and the whole is off as it was for the dearest so far.
    let (mut off, mut launches, mut dearest) = (1.0, 0.0, 0.0);
    for point in order {
        let share = share(point, FIRST_VISITS[usize::from(on_gpu)][turn(point)]);
        let expected = if on_gpu { off * (plain[point] + launches) } else { off * plain[point] };
        if expected < share
            && let Some([ratio, of_kernels]) = visit(point, expected, share)
        {
            (ratios[point], kernels[point]) = (Some(ratio), Some(of_kernels));
            if !on_gpu {
                off = ratio;
            } else if plain[point] > dearest {
                if dearest == 0.0 {
                    launches = ((ratio - 1.0) * plain[point]).max(0.0);
                }
                (off, dearest) = (ratio * plain[point] / (plain[point] + launches), plain[point]);
            }
        }
    }
    for (point, former) in most_doubtful_first(&axes, &ratios) {
        let share = share(point, 1.0);
        if 2.0 * former * plain[point] < share
            && let Some([ratio, of_kernels]) =
                visit(point, former * plain[point], share).filter(|[ratio, _]| *ratio < former)
        {
            (ratios[point], kernels[point]) = (Some(ratio), Some(of_kernels));
        }
    }
    let count = ratios.iter().flatten().count();
    if on_gpu {
        model.put_whole(op, dtype, axes.clone(), &ratios);
    }
    model.put((engine, op, dtype), axes, &kernels);
    count
}

/// How fine a grid must be to have this point, if its axes' points are halved again and again: 0 for the first point of each.
fn level(axes: &[Vec<f64>], point: usize) -> u32 {
    let (mut rest, mut sum) = (point, 0);
    for axis in axes.iter().rev() {
        let place = rest % axis.len();
        rest /= axis.len();
        let finest = axis.len().next_power_of_two().trailing_zeros();
        sum += if place == 0 { 0 } else { finest.saturating_sub(place.trailing_zeros()) };
    }
    sum
}

/// The measured points and their ratios, those first that exceed their neighbours' mean most.
fn most_doubtful_first(axes: &[Vec<f64>], ratios: &[Option<f64>]) -> Vec<(usize, f64)> {
    let doubt = |point: usize, ratio: f64| {
        let near: Vec<f64> = neighbours(axes, point).filter_map(|near| ratios[near]).map(f64::ln).collect();
        ratio.ln() - near.iter().sum::<f64>() / near.len().max(1) as f64
    };
    let measured = ratios.iter().enumerate().filter_map(|(point, ratio)| Some((point, (*ratio)?)));
    let mut all: Vec<(f64, usize, f64)> = measured.map(|(point, ratio)| (doubt(point, ratio), point, ratio)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().map(|(_, point, ratio)| (point, ratio)).collect()
}

/// The median call of a few, within `budget` seconds as far as that goes; `None` if one cannot be made. A call that takes
/// much longer than `expected` has built a kernel, or the like, and is made again.
fn typical(once: &mut dyn FnMut() -> Option<Measured>, expected: f64, budget: f64) -> Option<Measured> {
    let mut first = once()?;
    if first.total < LONG || first.total > UNEXPECTED * expected {
        // The first call warmed up; a second one shows whether there is time for more.
        first = once()?;
    }
    let (mut samples, mut sum) = (vec![first], first.total);
    let most = if first.total < LONG { MOST_SAMPLES } else { 2 };
    while samples.len() < most && sum + first.total < budget && (sum < ENOUGH || samples.len() < 3) {
        let next = once()?;
        samples.push(next);
        sum += next.total;
    }
    samples.sort_by(|a, b| a.total.total_cmp(&b.total));
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
    let product = || cut(&[1.0, 4.0, 14.0, 60.0, 250.0, 1000.0, 2000.0, 4000.0, 8000.0]);
    let order = || cut(&[2.0, 4.0, 8.0, 15.0, 25.0, 33.0, 60.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::model::{Moves, Rates, Source};
    use DType::Float64;

    fn model() -> Model {
        Model::new(Rates::cpu(2), Some((Rates::gpu(3e13, 6e13, 4e12), &[OpKind::Matmul])))
    }

    fn plan(engine: Engine, op: OpKind) -> Plan {
        Plan { dtypes: vec![Float64], ..Plan::new(engine, &[op]) }
    }

    /// A machine that is far from plain rates, and not by a constant.
    fn machine(case: &Case) -> f64 {
        5e-6 + case.batch as f64 * (case.flops_each().powf(0.9) * 3e-10 + 1e-6)
    }

    #[test]
    fn a_machine_unlike_the_plain_rates_is_predicted_between_and_beyond_the_grid() {
        for (engine, op) in [(Engine::Cpu, OpKind::Qr), (Engine::Cpu, OpKind::Eigh), (Engine::OpenCl, OpKind::Matmul)] {
            let mut model = model();
            // It "takes" nothing to measure, so that no budget ends. A CPU moves nothing.
            let moving = if engine == Engine::Cpu { 0.0 } else { 1e-5 };
            let mut measure = |case: &Case, _| Some(Measured { total: machine(case) + moving, transfer: moving });
            let plan = Plan { budget: Duration::from_secs(3600), ..plan(engine, op) };
            let points = calibrate(&mut model, &plan, &mut measure, &mut |_, _| {});
            assert!(points > 20, "{points}");
            assert_eq!(model.source(engine, op, Float64), Source::Measured);
            for (n, batch) in [(20, 1), (90, 1), (700, 1), (90, 30), (11, 300)] {
                let case = Case::matrix(op, Float64, n + n / 3, n).batched(batch);
                let case = if op == OpKind::Matmul { Case { k: n, ..case } } else { case };
                let case = if op == OpKind::Eigh { Case { m: n, ..case } } else { case };
                let error = model.seconds(engine, &case).unwrap() / machine(&case) - 1.0;
                assert!(error.abs() < 0.15, "{case:?}: {error:+.3}");
                let whole = model
                    .predict(&case, Moves::all(&case))
                    .gpu_total()
                    .map_or(0.0, |whole| whole / (machine(&case) + moving) - 1.0);
                assert!(whole.abs() < 0.25, "{case:?}: {whole:+.3} of the whole call");
            }
        }
    }

    #[test]
    fn the_budget_ends_the_measuring_and_the_rest_is_extrapolated() {
        let mut model = model();
        let budget = Duration::from_millis(60);
        let mut largest = 0;
        let mut measure = |case: &Case, _| {
            largest = largest.max(case.n);
            let total = case.flops_each() * 1e-9;
            std::thread::sleep(Duration::from_secs_f64(total));
            Some(Measured { total, transfer: 0.0 })
        };
        let start = Instant::now();
        calibrate(&mut model, &Plan { budget, ..plan(Engine::Cpu, OpKind::Cholesky) }, &mut measure, &mut |_, _| {});
        assert!(start.elapsed() < 4 * budget, "{:?}", start.elapsed());
        assert!(largest < 1024, "{largest}");
        let case = Case::matrix(OpKind::Cholesky, Float64, 2000, 2000);
        let error = model.seconds(Engine::Cpu, &case).unwrap() / (case.flops_each() * 1e-9);
        assert!((0.3..3.0).contains(&error), "{error}");
    }

    #[test]
    fn a_gpu_is_measured_at_large_sizes_before_all_small_ones_and_building_is_not_counted() {
        let mut model = Model::new(Rates::cpu(2), Some((Rates::gpu(3e13, 6e13, 4e12), &[OpKind::Svd])));
        let mut built = std::collections::HashSet::new();
        // 3 ms more than plain rates say, and 50 ms to build what each size needs.
        let plain = Rates::gpu(3e13, 6e13, 4e12);
        let mut measure = |case: &Case, _| {
            let building = if built.insert(case.n) { 50e-3 } else { 0.0 };
            Some(Measured { total: building + 3e-3 + plain.seconds(Engine::OpenCl, case)?, transfer: 0.0 })
        };
        let budget = Duration::from_millis(400);
        calibrate(&mut model, &Plan { budget, ..plan(Engine::OpenCl, OpKind::Svd) }, &mut measure, &mut |_, _| {});
        for n in [3, 100, 200, 700] {
            let case = Case::matrix(OpKind::Svd, Float64, n, n);
            let truth = 3e-3 + plain.seconds(Engine::OpenCl, &case).unwrap();
            let error = model.predict(&case, Moves::all(&case)).gpu_total().unwrap() / truth;
            assert!((0.5..2.0).contains(&error), "{n}: {error}");
        }
    }

    #[test]
    fn a_grid_is_refined_from_its_ends_and_middles() {
        let axes = vec![vec![0.0; 5], vec![0.0; 2]];
        let levels: Vec<u32> = (0..10).map(|point| level(&axes, point)).collect();
        assert_eq!(levels, [0, 1, 3, 4, 2, 3, 3, 4, 1, 2]);
    }

    #[test]
    fn an_engine_that_cannot_compute_an_operation_leaves_it_unmeasured() {
        let mut model = model();
        let none = calibrate(&mut model, &plan(Engine::Cpu, OpKind::Svd), &mut |_, _| None, &mut |_, _| {});
        let mut never = |_: &Case, _| -> Option<Measured> { panic!("there is no kernel") };
        let without = calibrate(&mut model, &plan(Engine::OpenCl, OpKind::Svd), &mut never, &mut |_, _| {});
        assert_eq!((none, without), (0, 0));
        assert_eq!(model.source(Engine::Cpu, OpKind::Svd, Float64), Source::Prior);
    }

    #[test]
    fn a_disturbance_at_the_first_visit_of_a_point_is_mended_by_the_second() {
        let mut model = model();
        let mut calls = 0;
        let mut measure = |case: &Case, _| {
            // All calls of the first visit: one to warm up and three that count.
            let hit = case.n == 60 && case.batch == 1 && calls < 4;
            calls += i32::from(hit);
            Some(Measured { total: machine(case) * if hit { 10.0 } else { 1.0 }, transfer: 0.0 })
        };
        calibrate(&mut model, &plan(Engine::Cpu, OpKind::Inv), &mut measure, &mut |_, _| {});
        let case = Case::matrix(OpKind::Inv, Float64, 60, 60);
        let ratio = model.seconds(Engine::Cpu, &case).unwrap() / machine(&case);
        assert!(calls == 4, "{calls}");
        assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn the_first_call_warms_up_and_one_slow_call_of_a_few_does_not_count() {
        let call = |total: Option<f64>| total.map(|total| Measured { total, transfer: 0.0 });
        let mut times = [9.0, 1e-4, 5e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4].into_iter();
        assert_eq!(
            typical(&mut || call(times.next()), 9.0, 1.0),
            call(Some(9.0)),
            "a long call is not made twice to warm up"
        );
        let mut times = [1e-2, 1e-4, 5e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4].into_iter();
        assert_eq!(typical(&mut || call(times.next()), 9.0, 1.0), call(Some(1e-4)));
        let mut times = [0.7, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4].into_iter();
        let built = typical(&mut || call(times.next()), 1e-3, 0.1);
        assert_eq!(built, call(Some(1e-4)), "a first call that builds a kernel does not count");
        assert_eq!(typical(&mut || None, 1.0, 1.0), None);
    }

    #[test]
    fn progress_runs_from_zero_to_one_and_names_what_is_measured() {
        let mut seen = Vec::new();
        let plan = Plan { dtypes: vec![Float64], ..Plan::new(Engine::Cpu, &[OpKind::Inv, OpKind::Det]) };
        let mut measure = |case: &Case, _| Some(Measured { total: machine(case), transfer: 0.0 });
        calibrate(&mut model(), &plan, &mut measure, &mut |done, text| seen.push((done, text.to_string())));
        let expected = [(0.0, "inv float64"), (0.5, "det float64"), (1.0, "done")];
        assert_eq!(seen, expected.map(|(done, text)| (done, text.to_string())));
    }

    #[test]
    fn transfers_are_measured_in_both_directions() {
        let mut model = model();
        let rate = |direction| if direction == Direction::Upload { 2e9 } else { 5e9 };
        let points =
            calibrate_transfers(&mut model, &mut |direction, bytes| Some(1e-5 + bytes as f64 / rate(direction)));
        assert_eq!(points, 14);
        for direction in [Direction::Upload, Direction::Download] {
            for bytes in [10_000, 3_000_000, 1 << 30] {
                let error = model.transfer_seconds(direction, bytes) / (1e-5 + bytes as f64 / rate(direction)) - 1.0;
                assert!(error.abs() < 0.1, "{direction:?} {bytes}: {error:+.3}");
            }
        }
        assert_eq!(calibrate_transfers(&mut model, &mut |_, _| None), 0);
    }
}
