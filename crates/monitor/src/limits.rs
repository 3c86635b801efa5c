//! What the machine can do, for comparison: the roofline's limits, and the map of where each engine is faster.

use crate::process::lock;
use lapack_ai::dispatch::calibrate::Runner;
use lapack_ai::dispatch::model::{Case, OpKind, Source};
use lapack_ai::observe::unobserved;
use lapack_ai::{DType, Engine, dispatch};
use serde::Serialize;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Rates of one engine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Limits {
    /// `cpu` or `opencl`.
    pub(crate) engine: &'static str,
    /// The device; empty for the CPU.
    pub(crate) device: String,
    /// Double-precision operations a second of large products.
    pub(crate) flops64: f64,
    /// Single-precision operations a second of large products.
    pub(crate) flops32: f64,
    /// Bytes a second to and from memory.
    pub(crate) memory: f64,
    /// Whether these were measured; else they follow from what the driver says.
    pub(crate) measured: bool,
}

/// Time after which the CPU's limits are measured again.
const AGAIN: Duration = Duration::from_secs(3);

/// Of the CPU, the best of what was measured so far (about 0.1 s each time), and of the device in use.
pub(crate) fn limits() -> Vec<Limits> {
    static CPU: Mutex<Option<(Instant, Limits)>> = Mutex::new(None);
    let cpu = {
        let mut known = lock(&CPU);
        match known.take() {
            Some((at, limits)) if at.elapsed() < AGAIN => known.insert((at, limits)),
            former => {
                let now = unobserved(measure_cpu);
                // What else runs on the machine only ever lowers a rate.
                let best = former.map_or_else(|| now.clone(), |(_, former)| former.or_better(&now));
                known.insert((Instant::now(), best))
            }
        }
        .1
        .clone()
    };
    let device = dispatch::device_rates().map(|(name, rates, source)| Limits {
        engine: Engine::OpenCl.name(),
        device: name.to_string(),
        flops64: rates.flops64,
        flops32: rates.flops32,
        memory: rates.memory,
        measured: source == Source::Measured,
    });
    [cpu].into_iter().chain(device).collect()
}

impl Limits {
    /// The higher of each rate.
    fn or_better(self, other: &Self) -> Self {
        Self {
            flops64: self.flops64.max(other.flops64),
            flops32: self.flops32.max(other.flops32),
            memory: self.memory.max(other.memory),
            ..self
        }
    }
}

fn measure_cpu() -> Limits {
    let mut runner = Runner::default();
    let mut product = |dtype| {
        let case = Case::matmul(dtype, 640, 640, 640);
        let least = (0..4).filter_map(|_| runner.run(&case, Engine::Cpu)).map(|taken| taken.total);
        case.flops_each() / least.fold(f64::INFINITY, f64::min)
    };
    let (flops64, flops32) = (product(DType::Float64), product(DType::Float32));
    // Larger than the caches; the second pass is the one without page faults.
    let (from, mut to) = (vec![1_u64; 8 << 20], vec![0_u64; 8 << 20]);
    let copy = |to: &mut Vec<u64>| {
        let started = Instant::now();
        to.copy_from_slice(&from);
        std::hint::black_box(&to);
        started.elapsed().as_secs_f64()
    };
    let seconds = (0..3).map(|_| copy(&mut to)).fold(f64::INFINITY, f64::min);
    let memory = 2.0 * size_of_val(&from[..]) as f64 / seconds;
    Limits { engine: Engine::Cpu.name(), device: String::new(), flops64, flops32, memory, measured: true }
}

/// One operation over sizes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Crossover {
    /// The operation.
    pub(crate) operation: &'static str,
    /// Orders of square matrices.
    pub(crate) sizes: Vec<usize>,
    /// Seconds predicted for the CPU at each.
    pub(crate) cpu: Vec<Option<f64>>,
    /// Seconds predicted for the GPU with transfers; `None` where it has no kernel.
    pub(crate) gpu: Vec<Option<f64>>,
    /// The order from which on `gpu="auto"` goes over to the GPU; `None` where it never does.
    pub(crate) switch: Option<usize>,
    /// Whether predictions rest on measured times.
    pub(crate) measured: bool,
}

/// The least number of which `holds` is true, between one of which it is not (or 0) and one of which it is.
fn least_between(mut without: usize, mut with: usize, holds: impl Fn(usize) -> bool) -> usize {
    while with - without > 1 {
        let middle = usize::midpoint(without, with);
        *(if holds(middle) { &mut with } else { &mut without }) = middle;
    }
    with
}

/// All operations in one type, from what this process knows.
pub(crate) fn crossovers(dtype: DType) -> Vec<Crossover> {
    let sizes: Vec<usize> = (2..=28).map(|half| (f64::from(half) / 2.0).exp2().round() as usize).collect();
    let crossover = |op: OpKind| {
        let choose = |n: usize| {
            let k = if op == OpKind::Matmul { n } else { 1 };
            dispatch::predict(&Case { op, dtype, m: n, n, k, batch: 1 })
        };
        let choices: Vec<_> = sizes.iter().map(|n| choose(*n)).collect();
        let switch = choices.iter().position(|choice| choice.engine == Engine::OpenCl).map(|index| {
            let below = index.checked_sub(1).map_or(0, |before| sizes[before]);
            least_between(below, sizes[index], |n| choose(n).engine == Engine::OpenCl)
        });
        Crossover {
            operation: op.name(),
            cpu: choices.iter().map(|choice| choice.prediction.cpu).collect(),
            gpu: choices.iter().map(|choice| choice.prediction.gpu_total()).collect(),
            switch,
            measured: choices.iter().all(|choice| choice.source == Source::Measured),
            sizes: sizes.clone(),
        }
    };
    OpKind::ALL.into_iter().map(crossover).collect()
}

/// Time that a trial may take, in seconds: it is the program's processor.
const TRIAL: f64 = 0.05;

/// Seconds of one matrix in a batched call, measured by making one; `each` is what a call on one takes.
pub(crate) fn batched_seconds(runner: &mut Runner, case: &Case, each: f64) -> Option<f64> {
    // Enough for the threads to be worth starting, if there is time for so many.
    let case = case.batched(((TRIAL / 4.0 / each.max(1e-9)) as usize).clamp(8, 4096));
    let started = Instant::now();
    let mut least = f64::INFINITY;
    // The least of several: what else runs on the machine only ever adds to a time.
    for run in 0..10 {
        least = least.min(unobserved(|| runner.run(&case, Engine::Cpu))?.total);
        if run >= 3 && started.elapsed().as_secs_f64() > TRIAL {
            break;
        }
    }
    Some(least / case.batch as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_the_cpu_are_rates_that_a_machine_can_have() {
        let cpu = &limits()[0];
        assert!(cpu.measured && cpu.flops64 > 1e7 && cpu.flops64 < 1e15, "{cpu:?}");
        assert!(cpu.memory > 1e8 && cpu.memory < 1e13, "{cpu:?}");
    }

    #[test]
    fn limits_that_were_measured_again_are_no_lower() {
        let limits = |flops64, memory| Limits { flops64, memory, ..limits()[0].clone() };
        let best = limits(1e11, 5e9).or_better(&limits(3e10, 2e10));
        assert_eq!((best.flops64, best.memory), (1e11, 2e10));
    }

    #[test]
    fn predictions_grow_with_the_size() {
        let found = crossovers(DType::Float64);
        let svd = found.iter().find(|one| one.operation == "svd").unwrap();
        let seconds: Vec<f64> = svd.cpu.iter().map(|seconds| seconds.unwrap()).collect();
        assert_eq!(seconds.len(), svd.sizes.len());
        assert!(seconds.windows(2).all(|pair| pair[0] <= pair[1] * 1.0001), "{seconds:?}");
    }

    #[test]
    fn the_switch_is_found_to_the_order_between_two_sizes() {
        assert_eq!(least_between(362, 512, |n| n >= 400), 400);
        assert_eq!(least_between(0, 2, |_| true), 1);
        assert_eq!(least_between(362, 363, |n| n >= 363), 363);
    }

    #[test]
    fn a_batched_solve_takes_less_than_a_millisecond_each() {
        let case = Case::matrix(OpKind::Solve, DType::Float64, 4, 4);
        let seconds = batched_seconds(&mut Runner::default(), &case, 1e-6).unwrap();
        assert!(seconds > 0.0 && seconds < 1e-3);
    }

    #[test]
    fn a_trial_of_slow_calls_takes_no_more_than_some_of_them() {
        let case = Case::matrix(OpKind::Svd, DType::Float64, 64, 64);
        let mut runner = Runner::default();
        let each = runner.run(&case, Engine::Cpu).unwrap().total;
        let started = Instant::now();
        batched_seconds(&mut runner, &case, each).unwrap();
        let most = 40.0 * each + 10.0 * TRIAL;
        assert!(started.elapsed().as_secs_f64() < most, "{:?}, and a call takes {each} s", started.elapsed());
    }
}
