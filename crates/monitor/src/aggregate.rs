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
/// Failures and warnings listed beside them, at most.
pub(crate) const MOST_TROUBLES: usize = 50;
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
    /// Failures and warnings that are no longer in `recent`.
    troubles: VecDeque<Call>,
    listed: u64,
    /// Calls that began before and ended after the last second are of the next.
    second: Second,
    series: VecDeque<Second>,
    last_second: Instant,
    /// Threads that were within calls on large matrices, on average: of this second so far, and of each in `series`.
    large: (f64, VecDeque<f64>),
    /// The earliest end of a second that a long call has changed since, and the second in which that was found out.
    changed: Option<(f64, Instant)>,
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

/// Floating-point operations, and bytes of operands and results, of a call.
fn work(operation: &str, dtype: ElementType, shape: [usize; 4]) -> [f64; 2] {
    case(operation, dtype, shape).map_or([0.0; 2], |case| {
        let bytes = case.operand_bytes().iter().sum::<usize>() + case.result_bytes();
        [case.flops_each() * case.batch as f64, bytes as f64]
    })
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
            troubles: VecDeque::new(),
            listed: 0,
            second: Second::default(),
            series: VecDeque::new(),
            last_second: now,
            large: (0.0, VecDeque::new()),
            changed: None,
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

    /// Numbers that grow with every call, told or counted; `[flops, bytes]` are those of one.
    fn add(
        &mut self,
        what: (&'static str, ElementType, [usize; 4], Engine),
        [flops, bytes]: [f64; 2],
        calls: u64,
        rcond: Option<f64>,
    ) -> &mut Sums {
        let (operation, dtype, shape, engine) = what;
        let gpu = if engine == Engine::OpenCl { calls } else { 0 };
        self.totals.calls += calls;
        self.totals.gpu_calls += gpu;
        self.second.calls += calls as f64;
        self.second.gpu_calls += gpu as f64;
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
        let shape = [rows, cols, inner, batch];
        let work = work(operation, dtype, shape);
        self.second.flops += work[0] * calls as f64;
        let sums = self.add((operation, dtype, shape, engine), work, calls, rcond);
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
        // What failed has done less than the work of its shape.
        let work = if failures > 0 { [0.0; 2] } else { work(record.operation, record.dtype, record.shape) };
        let sums = self.add(what, work, 1, record.rcond);
        let row = &mut sums.row;
        row.failures += failures;
        row.warnings += warnings;
        row.fallbacks += fallbacks;
        row.doubtful += record.warnings.iter().filter(|code| **code == Code::IllConditioned).count() as u64;
        row.copied += record.copied as f64;
        row.scratch = row.scratch.max(record.scratch as f64);
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
            // The first call finds nothing ready, so it stands for others only while it is alone.
            if row.timed == 1 {
                sums.last.clear();
            }
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
        // A call of a large matrix uses the library's threads as well.
        let large = record.shape[0].min(record.shape[1]) >= 128 && record.engine == Engine::Cpu;
        self.spread(record.at, seconds, work[0], large);
        self.list(record);
    }

    /// Adds time and operations of a call to the seconds in which it ran; those before the current one are changed for it.
    fn spread(&mut self, end: Instant, seconds: f64, flops: f64, large: bool) {
        let inside = end.saturating_duration_since(self.last_second).as_secs_f64().min(seconds);
        // All of a call without a time is in the second in which it ended.
        let part = if seconds > 0.0 { inside / seconds } else { 1.0 };
        self.second.busy += inside;
        self.second.flops += flops * part;
        self.large.0 += if large { inside } else { 0.0 };
        if part >= 1.0 {
            return;
        }
        let end = self.unix(end);
        let begin = end - seconds;
        for index in (0..self.series.len()).rev() {
            let until = self.series[index].at;
            if until <= begin {
                break;
            }
            let from = index.checked_sub(1).map_or(self.epoch.1, |before| self.series[before].at);
            let length = (until - from).max(1e-3);
            let inside = (until.min(end) - from.max(begin)).max(0.0);
            let second = &mut self.series[index];
            second.busy += inside / length;
            second.flops += flops * inside / seconds / length;
            self.large.1[index] += if large { inside / length } else { 0.0 };
            let fresh = self.changed.filter(|(_, found)| self.is_recent(*found)).map_or(until, |(at, _)| at.min(until));
            self.changed = Some((fresh, self.last_second));
        }
    }

    /// Whether readers, who ask once a second, may not have asked since.
    fn is_recent(&self, second: Instant) -> bool {
        self.last_second.saturating_duration_since(second) < Duration::from_secs(4)
    }

    fn list(&mut self, record: Record) {
        self.listed += 1;
        let at = self.unix(record.at);
        let codes = record.failure.iter().chain(&record.warnings).map(|code| code.as_str().to_string()).collect();
        if self.recent.len() == MOST_CALLS
            && let Some(call) = self.recent.pop_front().filter(|call| !call.codes.is_empty())
        {
            if self.troubles.len() == MOST_TROUBLES {
                self.troubles.pop_front();
            }
            self.troubles.push_back(call);
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
            scratch: record.scratch as u64,
            moved: record.moved as u64,
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
            self.large.1.pop_front();
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
        self.large.1.push_back(std::mem::take(&mut self.large.0) / seconds);
        self.last_second = now;
    }

    /// Most threads that were within calls on large matrices in one of the seconds, on average over it, and how many seconds
    /// had more than one.
    pub(crate) fn concurrent(&self) -> (usize, u64) {
        let most = self.large.1.iter().copied().fold(0.0, f64::max);
        (most.round() as usize, self.large.1.iter().filter(|threads| **threads >= 1.5).count() as u64)
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

    /// Calls with a number above `after`: the last ones, and before them failures and warnings.
    pub(crate) fn recent(&self, after: u64) -> Vec<Call> {
        self.troubles.iter().chain(&self.recent).filter(|call| call.number > after).cloned().collect()
    }

    /// The last `most` seconds, and before them those that have just changed.
    pub(crate) fn series(&self, most: usize) -> Vec<Second> {
        let changed = self.changed.filter(|(_, found)| self.is_recent(*found));
        let again = changed.map_or(0, |(at, _)| self.series.iter().rev().take_while(|second| second.at >= at).count());
        let most = most.max(again);
        self.series.iter().skip(self.series.len().saturating_sub(most)).copied().collect()
    }
}

/// Drops all but the last calls, and of those before them the last failures and warnings.
pub(crate) fn keep_last(calls: &mut Vec<Call>) {
    let older = calls.len().saturating_sub(MOST_CALLS);
    let troubles = calls[..older].iter().filter(|call| !call.codes.is_empty()).count();
    let (mut index, mut surplus) = (0, troubles.saturating_sub(MOST_TROUBLES));
    calls.retain(|call| {
        let trouble = !call.codes.is_empty();
        let keep = index >= older || (trouble && surplus == 0);
        surplus -= usize::from(index < older && trouble && !keep);
        index += 1;
        keep
    });
}

/// CPU against GPU for each operation, type and size of which anything is known of both.
///
/// Measured times are compared where the calls of both engines did about the same work: within one class of size the inner
/// size of a product can differ by any factor. Otherwise the engine with more calls is compared with what was predicted of
/// the other for the same calls.
pub(crate) fn comparisons(rows: &[Row]) -> Vec<Comparison> {
    let mut pairs: BTreeMap<(&str, &str, u64), [Option<&Row>; 2]> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.batched && row.timed > 0 && row.calls > row.failures) {
        let pair = pairs.entry((&row.operation, &row.dtype, row.size)).or_default();
        pair[usize::from(row.engine != "cpu")] = Some(row);
    }
    let comparison = |((operation, dtype, size), pair): ((&str, &str, u64), [Option<&Row>; 2])| {
        let ([cpu, gpu], measured) = match pair {
            [Some(cpu), Some(gpu)] if is_alike(cpu, gpu) => ([cpu.p50, gpu.p50], [true, true]),
            [cpu, gpu] => {
                let row = [cpu, gpu].into_iter().flatten().max_by_key(|row| row.calls)?;
                let calls = row.expected.calls as f64;
                let predicted = |sum: f64| (calls > 0.0 && sum > 0.0).then(|| sum / calls);
                if row.engine == "cpu" {
                    let gpu = predicted(row.expected.gpu)? + row.expected.transfer / calls;
                    ([row.p50, gpu], [true, false])
                } else {
                    ([predicted(row.expected.cpu)?, row.p50], [false, true])
                }
            }
        };
        Some(Comparison { operation: operation.into(), dtype: dtype.into(), size, cpu, gpu, measured })
    };
    pairs.into_iter().filter_map(comparison).collect()
}

/// Whether calls of two rows do the same work to within a quarter.
pub(crate) fn is_alike(one: &Row, other: &Row) -> bool {
    let each = |row: &Row| row.flops / (row.calls - row.failures).max(1) as f64;
    let (one, other) = (each(one), each(other));
    one.max(other) <= 1.25 * one.min(other)
}

#[cfg(test)]
pub(crate) mod tests;
