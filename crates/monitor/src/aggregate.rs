//! Sums over calls, in bounded memory: one row for each operation, type, class of size and engine, the last calls, and one
//! point for each second.
//!
//! Calls that were only counted are taken to have lasted as the last few told ones of their row: told calls are drawn at
//! random from their likes, so sums and percentiles come out right on average, and numbers of calls exactly.

use crate::event::{Item, Record, shortened};
use crate::histogram::Histogram;
use crate::snapshot::{Call, Comparison, Expectation, Phases, Row, Second, Totals};
use lapack_ai::dispatch::model::{Case, OpKind};
use lapack_ai::observe::Tally;
use lapack_ai::{Code, ElementType, Engine};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Rows at most; what comes later is in the row `other`.
pub(crate) const MOST_ROWS: usize = 400;
/// Calls listed at most.
pub(crate) const MOST_CALLS: usize = 200;
/// Seconds kept.
pub(crate) const MOST_SECONDS: usize = 3600;
/// Places in the program remembered for each row.
const MOST_CALLERS: usize = 8;
/// Decades of rcond that are told apart.
pub(crate) const DECADES: usize = 17;
/// Told durations of a row that stand for the counted calls after them.
const REMEMBERED: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    operation: &'static str,
    dtype: &'static str,
    size: u64,
    batched: bool,
    engine: &'static str,
}

#[derive(Default)]
struct Sums {
    row: Row,
    durations: Histogram,
    /// Nanoseconds of the last told calls.
    last: VecDeque<u64>,
    /// By how many calls the row's shape is ahead of all others.
    ahead: u64,
}

impl Sums {
    /// Votes for the shape that stands for the row: the one that most calls have, if it is more than half of them.
    ///
    /// Source: Boyer and Moore, MJRTY, a fast majority vote algorithm, 1991.
    fn vote(&mut self, shape: [u64; 4], calls: u64) {
        if self.row.shape == shape {
            self.ahead += calls;
        } else if self.ahead >= calls {
            self.ahead -= calls;
        } else {
            (self.row.shape, self.ahead) = (shape, calls - self.ahead);
        }
    }
}

/// The sums of one process.
pub(crate) struct Aggregate {
    rows: HashMap<Key, Sums>,
    totals: Totals,
    recent: VecDeque<Call>,
    listed: u64,
    /// Calls that began before and ended after the last second are of the next.
    second: Second,
    series: VecDeque<Second>,
    last_second: Instant,
    /// Threads that were told of in this second, and calls of large matrices among theirs.
    threads: HashMap<u64, u64>,
    /// Most threads that told of large calls in one second, and how many seconds had more than one.
    pub(crate) concurrent: (usize, u64),
    /// Moments for people.
    epoch: (Instant, f64),
}

/// The power of two nearest to the geometric mean of rows and columns.
fn size_class(rows: usize, cols: usize) -> u64 {
    if rows == 0 || cols == 0 {
        return 0;
    }
    let log = f64::midpoint((rows as f64).log2(), (cols as f64).log2());
    log.round().exp2() as u64
}

/// The case of the cost model that a call is: for its numbers of operations and bytes.
pub(crate) fn case(operation: &str, dtype: ElementType, shape: [usize; 4]) -> Option<Case> {
    let op = match operation {
        "dgemm_alpha" | "gemm_alpha" => OpKind::Matmul,
        "slogdet" => OpKind::Det,
        "lu_factor" => OpKind::Lu,
        name => OpKind::from_name(name)?,
    };
    let [m, n, k, batch] = shape;
    // A call of an impossible size has failed, and its counts would overflow.
    let elements = m.max(k).checked_mul(n.max(k))?.checked_mul(batch)?;
    (elements < 1 << 50).then_some(())?;
    Some(Case { op, dtype: dtype.sums(), m, n, k: k.max(1), batch })
}

fn decade(rcond: f64) -> usize {
    if rcond <= 0.0 || rcond.is_nan() {
        return 0;
    }
    (DECADES as f64 + rcond.log10().ceil() - 1.0).clamp(0.0, DECADES as f64 - 1.0) as usize
}

fn is_fallback(code: Code) -> bool {
    matches!(code, Code::GpuNotUsed | Code::DriverFallback)
}

impl Aggregate {
    pub(crate) fn new(now: Instant, unix: f64) -> Self {
        Self {
            rows: HashMap::new(),
            totals: Totals::default(),
            recent: VecDeque::new(),
            listed: 0,
            second: Second::default(),
            series: VecDeque::new(),
            last_second: now,
            threads: HashMap::new(),
            concurrent: (0, 0),
            epoch: (now, unix),
        }
    }

    fn unix(&self, at: Instant) -> f64 {
        self.epoch.1 + at.saturating_duration_since(self.epoch.0).as_secs_f64()
    }

    /// Takes up one event.
    pub(crate) fn take(&mut self, item: Item) {
        match item {
            Item::Told(record) => self.told(*record),
            Item::Counted(tally) => self.counted(&tally),
        }
    }

    fn sums(&mut self, operation: &'static str, dtype: ElementType, shape: [usize; 4], engine: Engine) -> &mut Sums {
        let [rows, cols, _, batch] = shape;
        let mut key = Key {
            operation,
            dtype: dtype.name(),
            size: size_class(rows, cols),
            batched: batch != 1,
            engine: engine.name(),
        };
        if self.rows.len() >= MOST_ROWS && !self.rows.contains_key(&key) {
            key = Key { operation: "other", dtype: "any", size: 0, batched: false, engine: engine.name() };
        }
        self.rows.entry(key).or_insert_with(|| Sums {
            row: Row {
                operation: key.operation.into(),
                dtype: key.dtype.into(),
                size: key.size,
                batched: key.batched,
                engine: key.engine.into(),
                rcond_decades: vec![0; DECADES],
                ..Row::default()
            },
            ..Sums::default()
        })
    }

    /// Numbers that grow with every call, told or counted.
    fn add(
        &mut self,
        what: (&'static str, ElementType, [usize; 4], Engine),
        calls: u64,
        rcond: Option<f64>,
    ) -> &mut Sums {
        let (operation, dtype, shape, engine) = what;
        let case = case(operation, dtype, shape);
        let (flops, bytes) = case.as_ref().map_or((0.0, 0.0), |case| {
            let bytes = case.operand_bytes().iter().sum::<usize>() + case.result_bytes();
            (case.flops_each() * case.batch as f64, bytes as f64)
        });
        let gpu = if engine == Engine::OpenCl { calls } else { 0 };
        self.totals.calls += calls;
        self.totals.gpu_calls += gpu;
        self.second.calls += calls as f64;
        self.second.gpu_calls += gpu as f64;
        self.second.flops += flops * calls as f64;
        let sums = self.sums(operation, dtype, shape, engine);
        sums.vote(shape.map(|size| size as u64), calls);
        sums.row.calls += calls;
        sums.row.matrices += calls * shape[3] as u64;
        sums.row.flops += flops * calls as f64;
        sums.row.bytes += bytes * calls as f64;
        if let Some(rcond) = rcond {
            sums.row.rcond = Some(sums.row.rcond.map_or(rcond, |least| least.min(rcond)));
        }
        sums
    }

    fn counted(&mut self, tally: &Tally) {
        let &Tally { operation, dtype, rows, cols, inner, batch, engine, calls, rcond } = tally;
        let sums = self.add((operation, dtype, [rows, cols, inner, batch], engine), calls, rcond);
        let likes = sums.last.len() as u64;
        let mut seconds = 0.0;
        for (index, nanoseconds) in sums.last.iter().enumerate() {
            let part = calls / likes + u64::from((index as u64) < calls % likes);
            sums.durations.add(*nanoseconds, part);
            seconds += *nanoseconds as f64 * 1e-9 * part as f64;
        }
        sums.row.seconds += seconds;
        self.totals.seconds += seconds;
        self.second.busy += seconds;
    }

    fn told(&mut self, record: Record) {
        let what = (record.operation, record.dtype, record.shape, record.engine);
        let fallbacks = u64::from(record.warnings.iter().any(|code| is_fallback(*code)));
        let failures = u64::from(record.failure.is_some());
        let warnings = record.warnings.len() as u64;
        let sums = self.add(what, 1, record.rcond);
        let row = &mut sums.row;
        row.failures += failures;
        row.warnings += warnings;
        row.fallbacks += fallbacks;
        row.doubtful += record.warnings.iter().filter(|code| **code == Code::IllConditioned).count() as u64;
        row.copied += record.copied as f64;
        row.moved += record.moved as f64;
        if let Some(rcond) = record.rcond {
            row.rcond_decades[decade(rcond)] += 1;
        }
        if record.failure.is_none() {
            row.routine = record.routine.into();
            row.reason = shortened(&record.reason);
            row.device = record.device.as_deref().unwrap_or_default().into();
        }
        if let Some(caller) = &record.caller
            && (row.callers.len() < MOST_CALLERS || row.callers.contains_key(caller))
        {
            *row.callers.entry(caller.clone()).or_default() += 1;
        }
        let mut seconds = 0.0;
        if let Some(times) = &record.times {
            seconds = times.total.as_secs_f64();
            let nanoseconds = times.total.as_nanos() as u64;
            sums.durations.add(nanoseconds, 1);
            if sums.last.len() == REMEMBERED {
                sums.last.pop_front();
            }
            sums.last.push_back(nanoseconds);
            row.seconds += seconds;
            row.timed += 1;
            if !times.compute.is_zero() {
                let Phases { total, intake, compute, transfer, conditioning } = &mut row.phases;
                *total += seconds;
                *intake += times.intake.as_secs_f64();
                *compute += times.compute.as_secs_f64();
                *transfer += times.transfer.as_secs_f64();
                *conditioning += times.conditioning.as_secs_f64();
            }
            if let Some(prediction) = record.prediction {
                let Expectation { calls, cpu, gpu, transfer, measured } = &mut row.expected;
                *calls += 1;
                *cpu += prediction.cpu.unwrap_or(0.0);
                *gpu += prediction.gpu.unwrap_or(0.0);
                *transfer += prediction.transfer.unwrap_or(0.0);
                *measured += seconds;
            }
        }
        let totals = &mut self.totals;
        totals.failures += failures;
        totals.warnings += warnings;
        totals.fallbacks += fallbacks;
        totals.seconds += seconds;
        totals.timed += u64::from(record.times.is_some());
        for code in record.failure.iter().chain(&record.warnings) {
            *totals.codes.entry(code.as_str().into()).or_default() += 1;
        }
        self.second.failures += failures as f64;
        self.second.busy += seconds;
        // A call of a large matrix uses the library's threads as well.
        if record.shape[0].min(record.shape[1]) >= 128 && record.engine == Engine::Cpu {
            *self.threads.entry(record.thread).or_default() += 1;
        }
        self.list(record);
    }

    fn list(&mut self, record: Record) {
        self.listed += 1;
        let at = self.unix(record.at);
        let codes = record.failure.iter().chain(&record.warnings).map(|code| code.as_str().to_string()).collect();
        if self.recent.len() == MOST_CALLS {
            self.recent.pop_front();
        }
        self.recent.push_back(Call {
            number: self.listed,
            at,
            operation: record.operation.into(),
            dtype: record.dtype.name().into(),
            shape: record.shape.map(|size| size as u64),
            engine: record.engine.name().into(),
            reason: shortened(&record.reason),
            thread: record.thread,
            seconds: record.times.map(|times| times.total.as_secs_f64()),
            predicted: record.prediction.map_or([None, None], |told| [told.cpu, told.gpu_total()]),
            rcond: record.rcond,
            info: record.info,
            codes,
            text: record.text,
            caller: record.caller.unwrap_or_default(),
        });
    }

    /// Whether the second has passed.
    pub(crate) fn second_is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_second) >= Duration::from_millis(990)
    }

    /// Ends the second, with figures of the process: processor time in cores, memory, and the pools' memory in bytes.
    pub(crate) fn close_second(&mut self, now: Instant, [cpu, memory, pool]: [f64; 3]) {
        let seconds = now.saturating_duration_since(self.last_second).as_secs_f64();
        let sums = std::mem::take(&mut self.second);
        if self.series.len() == MOST_SECONDS {
            self.series.pop_front();
        }
        self.series.push_back(Second {
            at: self.unix(now),
            calls: sums.calls / seconds,
            gpu_calls: sums.gpu_calls / seconds,
            failures: sums.failures / seconds,
            busy: sums.busy / seconds,
            flops: sums.flops / seconds,
            cpu,
            memory,
            pool,
        });
        let concurrent = self.threads.len();
        self.threads.clear();
        self.concurrent.0 = self.concurrent.0.max(concurrent);
        self.concurrent.1 += u64::from(concurrent > 1);
        self.last_second = now;
    }

    pub(crate) fn totals(&self, dropped: u64) -> Totals {
        Totals { dropped, ..self.totals.clone() }
    }

    /// The rows, the longest time first.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let finished = |sums: &Sums| Row {
            p50: sums.durations.quantile(0.5).unwrap_or(0.0),
            p95: sums.durations.quantile(0.95).unwrap_or(0.0),
            p99: sums.durations.quantile(0.99).unwrap_or(0.0),
            longest: sums.durations.longest(),
            buckets: sums.durations.coarse().to_vec(),
            ..sums.row.clone()
        };
        let mut rows: Vec<Row> = self.rows.values().map(finished).collect();
        rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then_with(|| a.operation.cmp(&b.operation)));
        rows
    }

    /// Calls with a number above `after`.
    pub(crate) fn recent(&self, after: u64) -> Vec<Call> {
        self.recent.iter().filter(|call| call.number > after).cloned().collect()
    }

    /// The last `most` seconds.
    pub(crate) fn series(&self, most: usize) -> Vec<Second> {
        self.series.iter().skip(self.series.len().saturating_sub(most)).copied().collect()
    }
}

/// CPU against GPU for each operation, type and size of which anything is known of both.
pub(crate) fn comparisons(rows: &[Row]) -> Vec<Comparison> {
    let mut pairs: BTreeMap<(String, String, u64), [Option<f64>; 4]> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.batched && row.timed > 0 && row.calls > row.failures) {
        let pair = pairs.entry((row.operation.clone(), row.dtype.clone(), row.size)).or_default();
        let calls = row.expected.calls as f64;
        let predicted = |sum: f64| (calls > 0.0 && sum > 0.0).then(|| sum / calls);
        pair[usize::from(row.engine != "cpu")] = Some(row.p50);
        pair[2] = pair[2].or(predicted(row.expected.cpu));
        pair[3] = pair[3].or(predicted(row.expected.gpu).map(|gpu| gpu + row.expected.transfer / calls));
    }
    let comparison = |((operation, dtype, size), known): ((String, String, u64), [Option<f64>; 4])| {
        let [cpu, gpu, cpu_told, gpu_told] = known;
        let measured = [cpu.is_some(), gpu.is_some()];
        Some(Comparison { operation, dtype, size, cpu: cpu.or(cpu_told)?, gpu: gpu.or(gpu_told)?, measured })
    };
    pairs.into_iter().filter_map(comparison).collect()
}

#[cfg(test)]
pub(crate) mod tests {
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

    #[test]
    fn counted_calls_last_as_long_as_those_told_around_them() {
        let mut sums = aggregate();
        sums.take(told(record("solve", 4, 1e-6)));
        sums.take(told(record("solve", 4, 3e-6)));
        let tally = Tally {
            operation: "solve",
            dtype: DType::Float64.into(),
            rows: 4,
            cols: 4,
            inner: 0,
            batch: 1,
            engine: Engine::Cpu,
            calls: 999,
            rcond: Some(0.25),
        };
        sums.take(Item::Counted(tally));
        let row = &sums.rows()[0];
        assert_eq!((row.calls, row.timed, row.rcond), (1001, 2, Some(0.25)));
        assert!((row.seconds / (1001.0 * 2e-6) - 1.0).abs() < 1e-2, "{}", row.seconds);
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
        let operations =
            ["solve", "svd", "qr", "inv", "lu", "det", "eig", "eigh", "schur", "lstsq", "rcond", "cholesky"];
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
    fn decades_of_rcond_run_from_below_the_precision_to_one() {
        assert_eq!((decade(1.0), decade(0.5), decade(0.05), decade(1e-16), decade(0.0)), (16, 16, 15, 0, 0));
    }
}
