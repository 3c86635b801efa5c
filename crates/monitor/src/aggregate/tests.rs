use super::*;
use lapack_ai::{DType, Prediction, Times};
use std::borrow::Cow;

pub(crate) fn record(operation: &'static str, n: usize, seconds: f64) -> Record {
    let times = Times {
        total: Duration::from_secs_f64(seconds),
        compute: Duration::from_secs_f64(seconds / 2.0),
        ..Times::default()
    };
    Record {
        operation,
        dtype: DType::Float64.into(),
        shape: [n, n, 0, 1],
        engine: Engine::Cpu,
        device: None,
        routine: "gesdd",
        reason: Cow::Borrowed("asked for"),
        prediction: None,
        times: Some(times),
        copied: 0,
        scratch: 0,
        moved: 0,
        rcond: None,
        failure: None,
        info: None,
        warnings: vec![],
        text: String::new(),
        thread: 1,
        caller: None,
        at: Instant::now(),
    }
}

fn aggregate() -> Aggregate {
    Aggregate::new(Instant::now(), 0.0)
}

fn told(record: Record) -> Item {
    Item::Told(Box::new(record))
}

/// Solves of order 4 that were counted only.
fn counted(calls: u64, rcond: Option<f64>) -> Item {
    Item::Counted(Tally {
        operation: "solve",
        dtype: DType::Float64.into(),
        rows: 4,
        cols: 4,
        inner: 0,
        batch: 1,
        engine: Engine::Cpu,
        calls,
        rcond,
    })
}

#[test]
fn counted_calls_last_as_long_as_those_told_around_them() {
    let mut sums = aggregate();
    for seconds in [1e-6, 1e-6, 3e-6] {
        sums.take(told(record("solve", 4, seconds)));
    }
    sums.take(counted(999, Some(0.25)));
    let row = &sums.rows()[0];
    assert_eq!((row.calls, row.timed, row.rcond), (1002, 3, Some(0.25)));
    assert!((row.seconds / (1002.0 * 2e-6) - 1.0).abs() < 1e-2, "{}", row.seconds);
    assert!((row.p95 / 3e-6 - 1.0).abs() < 0.07, "{}", row.p95);
}

#[test]
fn the_shape_of_a_row_is_that_of_most_of_its_calls() {
    let mut sums = aggregate();
    for n in [4, 4, 3, 4, 5, 4] {
        sums.take(told(record("solve", n, 1e-6)));
    }
    assert_eq!(sums.rows()[0].shape, [4, 4, 0, 1]);
}

#[test]
fn the_class_of_size_is_the_nearest_power_of_two() {
    for (rows, cols, class) in [(4, 4, 4), (4000, 4000, 4096), (2900, 2900, 4096), (2890, 2890, 2048), (1, 16, 4)] {
        assert_eq!(size_class(rows, cols), class, "{rows} x {cols}");
    }
    assert_eq!(size_class(0, 5), 0);
}

#[test]
fn memory_stays_bounded_however_many_shapes_there_are() {
    let mut sums = aggregate();
    let operations = ["solve", "svd", "qr", "inv", "lu", "det", "eig", "eigh", "schur", "lstsq", "rcond", "cholesky"];
    for (line, (power, dtype)) in (0..18).flat_map(|power| DType::ALL.map(|dtype| (power, dtype))).enumerate() {
        for operation in operations {
            let caller = Some(format!("line {line}"));
            let n = 1 << power;
            sums.take(told(Record { dtype: dtype.into(), caller, ..record(operation, n, 1e-3) }));
        }
    }
    assert!(sums.rows().len() <= MOST_ROWS + 2);
    assert_eq!(sums.totals(0).calls, 864);
    assert_eq!(sums.rows().iter().map(|row| row.calls).sum::<u64>(), 864);
    assert!(sums.rows().iter().all(|row| row.callers.len() <= MOST_CALLERS));
    assert_eq!(sums.recent(0).len(), MOST_CALLS);
    for _ in 0..2 * MOST_CALLS {
        let failure = Some(Code::Singular);
        sums.take(told(Record { failure, ..record("solve", 4, 1e-6) }));
    }
    assert_eq!(sums.recent(0).len(), MOST_CALLS + MOST_TROUBLES);
    let mut now = sums.last_second;
    for _ in 0..MOST_SECONDS + 10 {
        now += Duration::from_secs(1);
        assert!(sums.second_is_over(now));
        sums.close_second(now, [0.0; 3]);
    }
    assert_eq!(sums.series(usize::MAX).len(), MOST_SECONDS);
}

#[test]
fn failures_warnings_and_fallbacks_are_counted_by_code_and_listed_with_their_text() {
    let mut sums = aggregate();
    let failure = Some(Code::Singular);
    sums.take(told(Record { failure, info: Some(3), text: "singular".into(), ..record("solve", 100, 1e-3) }));
    let warnings = vec![Code::IllConditioned, Code::GpuNotUsed];
    sums.take(told(Record { warnings, rcond: Some(1e-17), ..record("solve", 100, 1e-3) }));
    let totals = sums.totals(7);
    assert_eq!((totals.failures, totals.warnings, totals.fallbacks, totals.dropped), (1, 2, 1, 7));
    assert_eq!(totals.codes["LAP-E010"], 1);
    let row = &sums.rows()[0];
    assert_eq!((row.doubtful, row.rcond_decades[0], row.rcond), (1, 1, Some(1e-17)));
    let call = &sums.recent(0)[0];
    assert_eq!((call.info, call.text.as_str(), call.codes[0].as_str()), (Some(3), "singular", "LAP-E010"));
}

#[test]
fn a_comparison_takes_what_was_measured_and_else_what_was_predicted() {
    let mut sums = aggregate();
    let prediction = Some(Prediction { cpu: Some(0.8), gpu: Some(0.08), transfer: Some(0.02) });
    let gpu = Record { engine: Engine::OpenCl, prediction, ..record("svd", 4096, 0.1) };
    sums.take(told(gpu));
    let found = &comparisons(&sums.rows())[0];
    assert_eq!((found.cpu, found.measured, found.size), (0.8, [false, true], 4096));
    sums.take(told(record("svd", 4096, 0.9)));
    let found = &comparisons(&sums.rows())[0];
    assert!((found.cpu / found.gpu / 9.0 - 1.0).abs() < 0.1 && found.measured == [true, true]);
}

#[test]
fn a_failure_stays_listed_when_many_calls_have_ended_well_since() {
    let mut sums = aggregate();
    sums.take(told(Record { failure: Some(Code::Singular), ..record("solve", 100, 1e-3) }));
    (0..3 * MOST_CALLS).for_each(|_| sums.take(told(record("svd", 100, 1e-3))));
    let mut listed = sums.recent(0);
    assert_eq!((listed.len(), listed[0].number, listed[1].number), (MOST_CALLS + 1, 1, 402));
    listed.extend((0..MOST_CALLS).map(|_| Call::default()));
    keep_last(&mut listed);
    assert_eq!((listed.len(), listed[0].number, listed[1].number), (MOST_CALLS + 1, 1, 0));
}

#[test]
fn decades_of_rcond_run_from_below_the_precision_to_one() {
    assert_eq!((decade(1.0), decade(0.5), decade(0.05), decade(1e-16), decade(0.0)), (16, 16, 15, 0, 0));
}

#[test]
fn a_long_call_is_in_the_seconds_in_which_it_ran_and_not_in_that_of_its_end() {
    let mut sums = aggregate();
    let start = sums.last_second;
    for second in 1..=5 {
        sums.close_second(start + Duration::from_secs(second), [0.0; 3]);
    }
    let told_last = sums.series(1);
    assert_eq!((told_last.len(), told_last[0].busy), (1, 0.0));
    // From 1.5 s to 5.5 s.
    sums.take(told(Record { at: start + Duration::from_millis(5500), ..record("svd", 2048, 4.0) }));
    sums.close_second(start + Duration::from_secs(6), [0.0; 3]);
    let again = sums.series(1);
    let busy: Vec<f64> = again.iter().map(|second| (second.busy * 1e6).round() / 1e6).collect();
    assert_eq!(busy, [0.5, 1.0, 1.0, 1.0, 0.5], "what has changed is told again");
    let flops: f64 = again.iter().map(|second| second.flops).sum();
    assert!((flops / sums.rows()[0].flops - 1.0).abs() < 1e-9);
    for second in 7..=10 {
        sums.close_second(start + Duration::from_secs(second), [0.0; 3]);
    }
    assert_eq!(sums.series(1).len(), 1, "and not for ever");
}

#[test]
fn threads_that_take_turns_are_not_taken_for_threads_at_the_same_time() {
    let at = |sums: &mut Aggregate, thread, millis, seconds| {
        let at = sums.last_second + Duration::from_millis(millis);
        sums.take(told(Record { thread, at, ..record("svd", 512, seconds) }));
    };
    let mut turns = aggregate();
    (1..=4).for_each(|thread| at(&mut turns, thread, 250 * thread, 0.25));
    turns.close_second(turns.last_second + Duration::from_secs(1), [0.0; 3]);
    assert_eq!(turns.concurrent(), (1, 0));
    let mut together = aggregate();
    (1..=4).for_each(|thread| at(&mut together, thread, 950, 0.9));
    together.close_second(together.last_second + Duration::from_secs(1), [0.0; 3]);
    assert_eq!(together.concurrent(), (4, 1));
}

#[test]
fn the_first_call_which_finds_nothing_ready_stands_for_no_other() {
    let mut sums = aggregate();
    sums.take(told(record("solve", 4, 0.02)));
    sums.take(told(record("solve", 4, 1e-6)));
    sums.take(counted(1000, None));
    let row = &sums.rows()[0];
    assert!((row.seconds - 0.021_001).abs() < 1e-6, "{}", row.seconds);
}

#[test]
fn what_failed_adds_no_work_to_the_rate() {
    let mut sums = aggregate();
    sums.take(told(record("solve", 100, 1e-3)));
    let flops = sums.rows()[0].flops;
    sums.take(told(Record { failure: Some(Code::Singular), ..record("solve", 100, 1e-3) }));
    assert_eq!((sums.rows()[0].flops, sums.rows()[0].calls), (flops, 2));
}

#[test]
fn products_of_different_inner_sizes_are_not_compared_by_their_measured_times() {
    let mut sums = aggregate();
    let prediction = Some(Prediction { cpu: Some(2.0), gpu: Some(0.2), transfer: Some(0.05) });
    let product =
        |k, engine, seconds| Record { shape: [512, 512, k, 1], engine, prediction, ..record("matmul", 512, seconds) };
    sums.take(told(product(10, Engine::Cpu, 1e-3)));
    for _ in 0..2 {
        sums.take(told(product(10_000, Engine::OpenCl, 0.25)));
    }
    let found = &comparisons(&sums.rows())[0];
    assert_eq!((found.cpu, found.measured), (2.0, [false, true]));
    for _ in 0..9 {
        sums.take(told(product(10_000, Engine::Cpu, 1.8)));
    }
    assert_eq!(comparisons(&sums.rows())[0].measured, [true, true]);
}
