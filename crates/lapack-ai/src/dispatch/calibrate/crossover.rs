//! A closer look at the sizes where neither engine is clearly the faster one.
//!
//! There a table's few calls decide nothing: a BLAS on many threads may take several times as long as it does a minute
//! later. With P_e(n) the predicted seconds of engine e, sizes with
//!
//! ```text
//! |log P_CPU(n) - log P_GPU(n)| <= log CLOSE,    n = 3/2 2^b
//! ```
//!
//! are called on both engines in turns, so that both meet the same machine, and the model learns from these calls as from a
//! user's: one correction for each power-of-two bucket b (`correction`), in whose middle n lies.

use super::Measured;
use crate::dispatch::model::{Case, Model, Moves, OpKind};
use crate::report::Engine;
use lapack_ai_core::DType;
use std::time::{Duration, Instant};

/// How far apart two predictions may be for the engines to be called again.
const CLOSE: f64 = 4.0;
/// Calls on either engine: what the model learns from a call falls to an eighth with the seventh.
const ROUNDS: usize = 8;

/// Calls single matrices of `op` on both engines where `model` takes these to be about equally fast, the most doubtful size
/// first, until `budget` is used up; sizes at which two rounds would exceed it are left out. `measure` makes one call, or
/// says `None` where it cannot. Returns the number of calls.
pub(crate) fn compare_where_close(
    model: &Model,
    op: OpKind,
    dtype: DType,
    budget: Duration,
    measure: &mut dyn FnMut(&Case, Engine) -> Option<Measured>,
) -> usize {
    let case = |bucket: u32| {
        let n = 3_usize << (bucket - 1);
        if op == OpKind::Matmul { Case::matmul(dtype, n, n, n) } else { Case::matrix(op, dtype, n, n) }
    };
    let doubtful = |bucket: u32| {
        let case = case(bucket);
        let prediction = model.predict(&case, Moves::all(&case));
        let (cpu, gpu) = (prediction.cpu?, prediction.gpu_total()?);
        let apart = (cpu / gpu).ln().abs();
        // Where the tables know little, predictions of very large calls may agree by chance.
        let fits = 2.0 * (cpu + gpu) <= budget.as_secs_f64();
        (fits && apart <= CLOSE.ln()).then_some((apart, case))
    };
    let mut cases: Vec<(f64, Case)> = (1..13).filter_map(doubtful).collect();
    cases.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (begin, mut calls) = (Instant::now(), 0);
    for (_, case) in cases {
        for _ in 0..ROUNDS {
            for engine in [Engine::OpenCl, Engine::Cpu] {
                if begin.elapsed() > budget {
                    return calls;
                }
                let Some(taken) = measure(&case, engine) else { return calls };
                model.learn(&case, engine, taken.total, taken.transfer);
                calls += 1;
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::super::{Plan, calibrate};
    use super::*;
    use crate::dispatch::model::Rates;
    use DType::Float64;

    const TRANSFER: f64 = 1e-5;

    /// The CPU is faster up to about n = 100.
    fn machine(case: &Case, engine: Engine) -> f64 {
        if engine == Engine::Cpu { 1e-10 * case.flops_each() } else { 2e-3 + 1e-11 * case.flops_each() }
    }

    /// What one call takes that other programs make `factor` times as long.
    fn taken(case: &Case, engine: Engine, factor: f64) -> Measured {
        let transfer = if engine == Engine::Cpu { 0.0 } else { TRANSFER };
        Measured { total: transfer + factor * machine(case, engine), transfer }
    }

    /// A calibration on which other programs lay: what one engine's sizes from 60 to 130 took is `factor` times too much.
    fn disturbed(factor: f64, slowed: Engine) -> Model {
        let mut model = Model::new(Rates::cpu(2), Some((Rates::gpu(3e13, 6e13, 4e12), &[OpKind::Svd])));
        for engine in [Engine::Cpu, Engine::OpenCl] {
            let mut measure = |case: &Case, engine: Engine| {
                let hit = engine == slowed && (60..=130).contains(&case.n);
                Some(taken(case, engine, if hit { factor } else { 1.0 }))
            };
            let plan =
                Plan { dtypes: vec![Float64], budget: Duration::from_secs(3600), ..Plan::new(engine, &[OpKind::Svd]) };
            calibrate(&mut model, &plan, &mut measure, &mut |_, _| {});
        }
        model
    }

    fn chosen(model: &Model, n: usize) -> Engine {
        let case = Case::matrix(OpKind::Svd, Float64, n, n);
        model.choose(&case, Moves::all(&case)).engine
    }

    #[test]
    fn a_choice_that_a_disturbance_turned_is_turned_back_by_calls_on_both_engines() {
        for (slowed, n, right) in [(Engine::Cpu, 85, Engine::Cpu), (Engine::OpenCl, 120, Engine::OpenCl)] {
            let truth = |engine| machine(&Case::matrix(OpKind::Svd, Float64, n, n), engine);
            assert!(truth(right) < truth(if right == Engine::Cpu { Engine::OpenCl } else { Engine::Cpu }));
            let model = disturbed(2.8, slowed);
            assert_ne!(chosen(&model, n), right, "the disturbance is too weak for this test");
            let (mut seen, mut number) = (Vec::new(), 0);
            let mut measure = |case: &Case, engine: Engine| {
                seen.push(case.n);
                number += 1;
                Some(taken(case, engine, 1.0))
            };
            let calls = compare_where_close(&model, OpKind::Svd, Float64, Duration::from_secs(60), &mut measure);
            assert_eq!((calls, chosen(&model, n)), (number, right));
            assert!(seen.iter().all(|n| (48..=192).contains(n)), "no size of a clear choice is called: {seen:?}");
        }
    }

    #[test]
    fn the_budget_ends_the_comparison_and_an_engine_that_fails_does_too() {
        let model = disturbed(2.8, Engine::Cpu);
        let mut slow = |_: &Case, _| {
            std::thread::sleep(Duration::from_millis(30));
            Some(Measured { total: 30e-3, transfer: 0.0 })
        };
        let calls = compare_where_close(&model, OpKind::Svd, Float64, Duration::from_millis(50), &mut slow);
        assert_eq!(calls, 2);
        let model = disturbed(2.8, Engine::Cpu);
        let mut asked = 0;
        let mut failing = |_: &Case, _| -> Option<Measured> {
            asked += 1;
            None
        };
        let none = compare_where_close(&model, OpKind::Svd, Float64, Duration::from_secs(60), &mut failing);
        assert_eq!((none, asked), (0, 1));
    }

    #[test]
    fn a_size_of_which_two_rounds_do_not_fit_the_budget_is_not_called() {
        let mut never = |_: &Case, _| -> Option<Measured> { panic!("two rounds would take longer than the budget") };
        let model = disturbed(2.8, Engine::Cpu);
        let too_short = compare_where_close(&model, OpKind::Svd, Float64, Duration::from_millis(4), &mut never);
        assert_eq!(too_short, 0);
    }
}
