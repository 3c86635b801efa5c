//! What would have been faster, and what will go wrong: rules over the sums, each with its numbers.
//!
//! A rule promises a time only where it was measured or follows from measured parts:
//!
//! | rule | now | then |
//! |---|---|---|
//! | `batch` | calls x (measured time + what a call costs the language) | matrices x measured time in one batched call |
//! | `threads` | - | no promise: it depends on what else runs |
//! | `engine` | calls x measured median | calls x measured median on the other engine |
//! | `device-arrays` | measured time on the device | that without transfers |
//! | `conditioning`, `fallback` | - | no promise: they are about results, not about time |

use crate::aggregate::is_alike;
use crate::snapshot::{Alert, Device, Machine, Process, Recommendation, Row, Second, Totals};
use std::collections::HashMap;

/// Calls on small matrices from which on batching is worth a word.
const MANY: u64 = 1000;
/// Order up to which a matrix is small: above it a call's own work is more than what a batch saves.
const SMALL: u64 = 64;
/// The least part of the time that a recommendation must save.
const WORTH: f64 = 0.3;
/// The least time, in seconds, that it must save.
const LEAST: f64 = 0.01;
/// Recommendations of one rule, those with the largest gain.
const MOST_OF_A_RULE: usize = 5;
/// Repetitions from which on a warning is a habit.
const HABIT: u64 = 5;

/// What the rules look at.
pub(crate) struct Evidence<'a> {
    pub(crate) rows: &'a [Row],
    /// Threads of the LAPACK, and cores that the process may use.
    pub(crate) threads: usize,
    pub(crate) cores: f64,
    /// Most threads that called for large matrices within one second, and in how many seconds there were several.
    pub(crate) concurrent: (usize, u64),
    /// What a call costs the language beside the library, in seconds.
    pub(crate) call_overhead: f64,
    /// Seconds of one matrix of a row in a batched call, measured; `None` where that cannot be measured.
    pub(crate) batched: &'a dyn Fn(&Row) -> Option<f64>,
}

/// Seconds for people.
pub(crate) fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "us"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s if s < 120.0 => (s, "s"),
        s => (s / 60.0, "min"),
    };
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A count with thousands set apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn shape(row: &Row) -> String {
    format!("{}x{}", row.shape[0], row.shape[1])
}

/// All that apply, the largest gain first.
pub(crate) fn recommendations(evidence: &Evidence<'_>) -> Vec<Recommendation> {
    let rows = || evidence.rows.iter();
    let mut found: Vec<Recommendation> = Vec::new();
    found.extend(rows().filter_map(|row| batch(row, evidence)));
    found.extend(threads(evidence));
    found.extend(rows().filter_map(|row| engine(row, evidence.rows)));
    found.extend(rows().filter_map(|row| device_arrays(row, evidence.rows)));
    found.extend(rows().filter_map(conditioning));
    found.extend(rows().filter_map(fallback));
    let gain = |one: &Recommendation| one.now.zip(one.then).map_or(0.0, |(now, then)| now - then);
    found.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    // Many of one rule would hide the others, and those without a gain in time come last.
    let mut given = HashMap::new();
    found.retain(|one| {
        let so_far = given.entry(one.rule.clone()).or_insert(0);
        *so_far += 1;
        *so_far <= MOST_OF_A_RULE
    });
    found
}

/// Python that makes one call of many, by operation; `None` for one that has no such form here.
fn batched_code(row: &Row) -> Option<String> {
    let [m, n, k, _] = row.shape;
    let call = match row.operation.as_str() {
        "solve" => {
            let k = k.max(1);
            return Some(format!(
                "A = np.asarray(matrices)            # (N, {m}, {n}), one array from the start\n\
                 B = np.asarray(right_hand_sides)    # (N, {n}) or (N, {n}, {k})\n\
                 X = lap.solve(A, B.reshape(len(A), {n}, -1)).reshape(B.shape)"
            ));
        }
        "matmul" => {
            return Some(format!(
                "A = np.asarray(left)     # (N, {m}, {k}), one array from the start\n\
                 B = np.asarray(right)    # (N, {k}, {n})\n\
                 C = lap.matmul(A, B)     # (N, {m}, {n})"
            ));
        }
        "svd" => "U, S, Vh = lap.svd(A)",
        "eigh" => "w, V = lap.eigh(A)",
        "inv" => "X = lap.inv(A)",
        "det" => "d = lap.det(A)",
        "cholesky" => "L = lap.cholesky(A)",
        "qr" => "Q, R = lap.qr(A)",
        "eig" => "w, V = lap.eig(A)",
        _ => return None,
    };
    Some(format!("A = np.asarray(matrices)    # (N, {m}, {n}), one array from the start\n{call}"))
}

fn batch(row: &Row, evidence: &Evidence<'_>) -> Option<Recommendation> {
    let small = !row.batched && row.engine == "cpu" && row.shape[0].max(row.shape[1]) <= SMALL;
    if !small || row.calls < MANY {
        return None;
    }
    let code = batched_code(row)?;
    let calls = row.calls as f64;
    let now = row.seconds + calls * evidence.call_overhead;
    let then = calls * (evidence.batched)(row)?;
    if then > (1.0 - WORTH) * now || now - then < LEAST {
        return None;
    }
    let operation = &row.operation;
    Some(Recommendation {
        rule: "batch".into(),
        title: format!("Compute the {operation} calls of {} matrices in one batch", shape(row)),
        evidence: format!(
            "{} calls of {operation} on {} matrices one by one took {}; one batched call on one array takes {} (measured on this machine)",
            count(row.calls),
            shape(row),
            duration(now),
            duration(then)
        ),
        code,
        now: Some(now),
        then: Some(then),
    })
}

fn threads(evidence: &Evidence<'_>) -> Option<Recommendation> {
    let cores = evidence.cores.max(1.0);
    let set = evidence.threads as f64;
    let (callers, seconds) = evidence.concurrent;
    let callers = if seconds >= 3 { callers.max(1) } else { 1 };
    let wanted = set * callers as f64;
    let ratio = wanted / cores;
    if ratio < 1.5 {
        return None;
    }
    let each = (cores / callers as f64).floor().max(1.0) as usize;
    let who = match callers {
        1 => format!("LAPACK is set to {} threads", evidence.threads),
        _ => format!(
            "{callers} threads of the program call LAPACK at the same time, which is set to {} threads",
            evidence.threads
        ),
    };
    Some(Recommendation {
        rule: "threads".into(),
        title: "Use fewer threads".into(),
        evidence: format!("threads are oversubscribed {ratio:.1}x: {who}, and there are {cores:.1} cores"),
        code: format!("lap.set_num_threads({each})"),
        now: None,
        then: None,
    })
}

/// The other engine's calls of the same operation, type and size that did the same work, if both were measured often enough.
fn on_the_other_engine<'a>(row: &Row, rows: &'a [Row]) -> Option<&'a Row> {
    let same = |other: &&Row| {
        other.engine != row.engine
            && (&other.operation, &other.dtype, other.size) == (&row.operation, &row.dtype, row.size)
            && !other.batched
            && is_alike(row, other)
    };
    let enough = |row: &Row| row.timed >= HABIT && !row.batched;
    rows.iter().find(same).filter(|other| enough(row) && enough(other))
}

fn engine(row: &Row, rows: &[Row]) -> Option<Recommendation> {
    let other = on_the_other_engine(row, rows)?;
    let (now, then) = (row.p50 * row.calls as f64, other.p50 * row.calls as f64);
    if then > (1.0 - WORTH) * now || now - then < LEAST {
        return None;
    }
    let names = |row: &Row| if row.engine == "cpu" { "the CPU".to_string() } else { row.device.clone() };
    let gpu = if other.engine == "cpu" { "False" } else { "True" };
    let code = match row.operation.as_str() {
        "matmul" => format!("C = lap.matmul(A, B, gpu={gpu})"),
        "svd" => format!("U, S, Vh = lap.svd(A, gpu={gpu})"),
        "svdvals" => format!("S = lap.svdvals(A, gpu={gpu})"),
        _ => return None,
    };
    Some(Recommendation {
        rule: "engine".into(),
        title: format!("Compute {} of {} {} on {}", row.operation, row.dtype, shape(row), names(other)),
        evidence: format!(
            "{} calls took {} on {}; at the median of {} calls on {} they take {}",
            count(row.calls),
            duration(now),
            names(row),
            count(other.calls),
            names(other),
            duration(then)
        ),
        code,
        now: Some(now),
        then: Some(then),
    })
}

fn device_arrays(row: &Row, rows: &[Row]) -> Option<Recommendation> {
    let phases = &row.phases;
    let part = phases.transfer / phases.total.max(f64::MIN_POSITIVE);
    if row.engine == "cpu" || row.timed < HABIT || part < 0.5 || row.seconds * part < LEAST {
        return None;
    }
    // Where the CPU is faster than the kernels alone, arrays on the device are not the answer.
    if on_the_other_engine(row, rows).is_some_and(|cpu| cpu.p50 < row.p50 * (1.0 - part)) {
        return None;
    }
    let then = row.seconds * (1.0 - part);
    let code = match row.operation.as_str() {
        "matmul" => "dA = lap.to_device(A)    # once\nC = dA @ lap.to_device(B)",
        "svd" => "dA = lap.to_device(A)    # once\nU, S, Vh = lap.svd(dA)",
        _ => return None,
    };
    Some(Recommendation {
        rule: "device-arrays".into(),
        title: format!("Keep the {} {} operands of {} on the device", row.dtype, shape(row), row.operation),
        evidence: format!(
            "{:.0} % of the time of {} calls of {} on {} ({} of {}) is transfer",
            part * 100.0,
            count(row.calls),
            row.operation,
            row.device,
            duration(row.seconds * part),
            duration(row.seconds)
        ),
        code: code.into(),
        now: Some(row.seconds),
        then: Some(then),
    })
}

fn conditioning(row: &Row) -> Option<Recommendation> {
    if row.doubtful < HABIT {
        return None;
    }
    let code = match row.operation.as_str() {
        "solve" => {
            "x, residuals, rank, s = lap.lstsq(A, b)    # least squares of minimal norm: small singular values are left out"
        }
        "inv" => "X = lap.pinv(A, rtol=None)    # singular values below max(M, N) * eps are left out",
        _ => "lap.explain(\"LAP-W001\")",
    };
    let rcond = row.rcond.map_or(String::new(), |rcond| format!("; the smallest rcond is {rcond:.1e}"));
    Some(Recommendation {
        rule: "conditioning".into(),
        title: format!("Look at the matrices of {}: no digit of some results is certain", row.operation),
        evidence: format!(
            "{} of {} calls of {} on {} matrices were ill-conditioned to the last digit (LAP-W001){rcond}",
            count(row.doubtful),
            count(row.calls),
            row.operation,
            shape(row)
        ),
        code: code.into(),
        now: None,
        then: None,
    })
}

fn fallback(row: &Row) -> Option<Recommendation> {
    if row.fallbacks < HABIT {
        return None;
    }
    Some(Recommendation {
        rule: "fallback".into(),
        title: format!("Mend or drop what {} falls back from", row.operation),
        evidence: format!(
            "{} of {} calls of {} did not run as asked for; the last reason: {}",
            count(row.fallbacks),
            count(row.calls),
            row.operation,
            row.reason
        ),
        code: "print(lap.doctor())    # says what is missing; or leave gpu=True out".into(),
        now: None,
        then: None,
    })
}

fn gib(bytes: f64) -> String {
    format!("{:.1} GiB", bytes / f64::from(1 << 30))
}

/// What goes wrong on the machine.
pub(crate) fn machine_alerts(machine: &Machine) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let whole = match (machine.memory_total, machine.memory_limit) {
        (Some(total), Some(limit)) => Some(total.min(limit)),
        (total, limit) => total.or(limit),
    };
    if let (Some(left), Some(whole)) = (machine.memory_available, whole)
        && (left as f64) < 0.1 * whole as f64
    {
        let place = if machine.memory_limit.is_some() { "the container's limit" } else { "memory" };
        alerts.push(Alert {
            topic: "memory".into(),
            urgent: (left as f64) < 0.03 * whole as f64,
            text: format!("{} are left of {} of {place}", gib(left as f64), gib(whole as f64)),
        });
    }
    for gpu in &machine.gpus {
        if let (Some(used), Some(total)) = (gpu.memory_used, gpu.memory_total)
            && used as f64 > 0.95 * total as f64
        {
            let text = format!("{} has {} in use of {}", gpu.name, gib(used as f64), gib(total as f64));
            alerts.push(Alert { topic: "memory".into(), urgent: used as f64 > 0.98 * total as f64, text });
        }
        if !gpu.throttled.is_empty() {
            let text = format!("{} runs slower than it could: {}", gpu.name, gpu.throttled.join(", "));
            alerts.push(Alert { topic: "device".into(), urgent: false, text });
        }
    }
    alerts
}

/// The operation of an idle process that needs more working memory than can still be had. While one computes, what it has
/// taken is missing from what is left, so nothing can be said then.
pub(crate) fn need_alert(machine: &Machine, process: &Process) -> Option<Alert> {
    let left = machine.memory_available.filter(|_| process.state == "running")? as f64;
    let idle = process.series.last().is_some_and(|second| second.cpu < 0.2);
    let rows = process.rows.iter().filter(|row| row.operation != "other");
    let row = rows.max_by(|a, b| a.scratch.total_cmp(&b.scratch)).filter(|row| idle && row.scratch > left)?;
    let (operation, need, left) = (&row.operation, gib(row.scratch), gib(left));
    let text = format!(
        "another {operation} of {} may fail: it took {need} of working memory, and {left} are left",
        shape(row)
    );
    Some(Alert { topic: "memory".into(), urgent: false, text })
}

/// What goes wrong in a process.
pub(crate) fn process_alerts(totals: &Totals, series: &[Second], devices: &[Device]) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for device in devices {
        if let Some([used, _, _, limit]) = device.pool
            && limit > 0
            && used as f64 > 0.9 * limit as f64
        {
            alerts.push(Alert {
                topic: "pool".into(),
                urgent: used as f64 > 0.97 * limit as f64,
                text: format!(
                    "{} of {} that calls on {} may use are in use; larger operands will go in pieces",
                    gib(used as f64),
                    gib(limit as f64),
                    device.name
                ),
            });
        }
        if device.breaker.starts_with("open") {
            let why = device.last_failure.as_deref().unwrap_or("it failed too often");
            let text = format!("{} is left alone for now: {why}", device.name);
            alerts.push(Alert { topic: "device".into(), urgent: true, text });
        }
    }
    let last = &series[series.len().saturating_sub(60)..];
    let (calls, failures) =
        last.iter().fold((0.0, 0.0), |(calls, failures), second| (calls + second.calls, failures + second.failures));
    if failures >= 3.0 && failures > 0.01 * calls {
        let codes: Vec<&str> = totals.codes.keys().filter(|code| code.contains("-E")).map(String::as_str).collect();
        alerts.push(Alert {
            topic: "failures".into(),
            urgent: failures > 0.5 * calls,
            text: format!("{:.0} of {:.0} calls failed within the last minute ({})", failures, calls, codes.join(", ")),
        });
    }
    alerts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{GpuFigures, Phases};

    fn row(operation: &str, n: u64, calls: u64, seconds: f64) -> Row {
        let (operation, engine) = (operation.into(), "cpu".into());
        Row { operation, engine, size: n, shape: [n, n, 1, 1], calls, timed: calls, seconds, ..Row::default() }
    }

    fn advise(rows: &[Row], batched: f64) -> Vec<Recommendation> {
        let batched = |_: &Row| Some(batched);
        recommendations(&Evidence {
            rows,
            threads: 2,
            cores: 2.0,
            concurrent: (1, 0),
            call_overhead: 1e-6,
            batched: &batched,
        })
    }

    #[test]
    fn many_small_calls_are_to_be_one_batch_and_the_numbers_say_why() {
        let found = &advise(&[row("solve", 4, 12_400, 9.0)], 4e-6)[0];
        assert_eq!(found.rule, "batch");
        assert!(
            found.evidence.starts_with(
                "12,400 calls of solve on 4x4 matrices one by one took 9.0 s; one batched call on one array takes 50 ms"
            ),
            "{}",
            found.evidence
        );
        assert!(found.code.contains("lap.solve(A"));
        assert!((found.now.unwrap() - 9.0124).abs() < 1e-9 && (found.then.unwrap() - 0.0496).abs() < 1e-9);
    }

    #[test]
    fn many_recommendations_of_one_rule_hide_no_other() {
        let mut rows: Vec<Row> = (2..40).map(|n| row("solve", n, 12_400, n as f64)).collect();
        rows.push(Row { doubtful: 50, ..row("inv", 300, 50, 1.0) });
        let found = advise(&rows, 1e-9);
        let of = |rule: &str| found.iter().filter(|one| one.rule == rule).count();
        assert_eq!((of("batch"), of("conditioning")), (5, 1), "{found:?}");
        let least = found.iter().filter_map(|one| one.now).fold(f64::INFINITY, f64::min);
        assert!(least > 25.0, "the largest gains are kept: {found:?}");
    }

    #[test]
    fn few_large_batched_or_hardly_faster_calls_are_left_alone() {
        let batched = Row { batched: true, ..row("solve", 4, 12_400, 9.0) };
        for (row, each) in [
            (row("solve", 4, 999, 9.0), 1e-6),
            (row("solve", 200, 12_400, 9.0), 1e-6),
            (row("schur", 4, 12_400, 9.0), 1e-6),
            (row("solve", 4, 12_400, 9.0), 6e-4),
            (batched, 1e-6),
        ] {
            assert_eq!(advise(&[row], each), []);
        }
    }

    #[test]
    fn threads_beyond_the_cores_are_told_with_the_ratio_and_so_are_callers_that_share_them() {
        let none = |_: &Row| None;
        let evidence = |threads, concurrent| Evidence {
            rows: &[],
            threads,
            cores: 2.0,
            concurrent,
            call_overhead: 0.0,
            batched: &none,
        };
        let found = &recommendations(&evidence(8, (1, 0)))[0];
        assert!(found.evidence.starts_with("threads are oversubscribed 4.0x"));
        assert_eq!(found.code, "lap.set_num_threads(2)");
        let found = &recommendations(&evidence(2, (4, 10)))[0];
        assert!(found.evidence.contains("4.0x: 4 threads of the program"));
        assert_eq!(found.code, "lap.set_num_threads(1)");
        assert_eq!(recommendations(&evidence(2, (4, 1))), [], "one second is no habit");
    }

    #[test]
    fn time_that_is_mostly_transfer_asks_for_device_arrays() {
        let phases = Phases { total: 2.0, transfer: 1.66, ..Phases::default() };
        let found = Row { engine: "opencl".into(), device: "H200".into(), phases, ..row("matmul", 4096, 40, 2.0) };
        let found = &advise(&[found], 1.0)[0];
        assert!(found.evidence.starts_with("83 % of the time of 40 calls of matmul on H200"), "{}", found.evidence);
        assert!((found.then.unwrap() - 0.34).abs() < 1e-9);
    }

    #[test]
    fn calls_that_the_other_engine_does_faster_are_told_so_by_what_was_measured_of_both() {
        let gpu = Row {
            engine: "opencl".into(),
            device: "H200".into(),
            dtype: "float32".into(),
            flops: 40.0,
            p50: 2e-3,
            ..row("matmul", 64, 40, 0.08)
        };
        let cpu = Row { engine: "cpu".into(), flops: 9.0, calls: 9, timed: 9, p50: 1e-5, ..gpu.clone() };
        let found = advise(&[gpu.clone(), cpu.clone()], 1.0);
        assert_eq!((found.len(), found[0].rule.as_str()), (1, "engine"));
        assert_eq!(found[0].title, "Compute matmul of float32 64x64 on the CPU");
        assert_eq!(
            found[0].evidence,
            "40 calls took 80 ms on H200; at the median of 9 calls on the CPU they take 400 us"
        );
        assert_eq!(found[0].code, "C = lap.matmul(A, B, gpu=False)");
        let slow = Row { p50: 0.1, ..cpu.clone() };
        assert_eq!(advise(&[gpu.clone(), slow], 1.0)[0].code, "C = lap.matmul(A, B, gpu=True)");
        let other_work = Row { flops: 90.0, ..cpu.clone() };
        let too_few = Row { timed: 4, ..cpu.clone() };
        let about_the_same = Row { p50: 1.9e-3, ..cpu };
        for other in [other_work, too_few, about_the_same] {
            assert_eq!(advise(&[gpu.clone(), other], 1.0), []);
        }
        // Mostly transfer, but the CPU is faster than the kernels alone.
        let phases = Phases { total: 2.0, transfer: 1.5, ..Phases::default() };
        let cpu = Row { engine: "cpu".into(), p50: 4e-4, ..gpu.clone() };
        let found = advise(&[Row { phases, ..gpu }, cpu], 1.0);
        assert!(found.iter().all(|one| one.rule == "engine"), "{found:?}");
    }

    #[test]
    fn repeated_doubt_and_repeated_fallbacks_are_told_with_the_reason() {
        let doubtful = Row { doubtful: 7, rcond: Some(3e-18), ..row("solve", 100, 70, 1.0) };
        let fallen = Row { fallbacks: 6, reason: "no GPU was found".into(), ..row("qr", 100, 6, 1.0) };
        let found = advise(&[doubtful, fallen], 1.0);
        assert_eq!(found.len(), 2);
        assert!(found[0].evidence.contains("7 of 70 calls") && found[0].evidence.contains("3.0e-18"));
        assert!(found[1].evidence.contains("no GPU was found"));
    }

    #[test]
    fn memory_pools_breakers_throttling_and_failures_raise_alerts() {
        let gib = 1_u64 << 30;
        let machine = Machine {
            memory_total: Some(16 * gib),
            memory_limit: Some(8 * gib),
            memory_available: Some(gib / 5),
            gpus: vec![GpuFigures {
                name: "H200".into(),
                throttled: vec!["power limit".into()],
                ..GpuFigures::default()
            }],
            ..Machine::default()
        };
        let alerts = machine_alerts(&machine);
        assert!(alerts[0].urgent && alerts[0].text.contains("0.2 GiB are left of 8.0 GiB of the container's limit"));
        assert!(alerts[1].text.contains("power limit"));
        let device = Device {
            name: "H200".into(),
            pool: Some([95 * gib, 0, 95 * gib, 100 * gib]),
            breaker: "open for 299 s".into(),
            ..Device::default()
        };
        let series = vec![Second { calls: 100.0, failures: 5.0, ..Second::default() }; 3];
        let totals = Totals { codes: [("LAP-E010".to_string(), 15)].into(), ..Totals::default() };
        let topics: Vec<String> =
            process_alerts(&totals, &series, &[device]).into_iter().map(|one| one.topic).collect();
        assert_eq!(topics, ["pool", "device", "failures"]);
        assert_eq!(process_alerts(&Totals::default(), &[], &[]), []);
    }

    #[test]
    fn an_idle_process_is_told_of_an_operation_that_no_longer_fits_and_a_busy_one_is_not() {
        let gib = f64::from(1 << 30);
        let machine = Machine { memory_available: Some(2 << 30), ..Machine::default() };
        let process = |cpu, scratch| Process {
            state: "running".into(),
            rows: vec![row("eigh", 64, 9, 1.0), Row { scratch, ..row("svd", 20_000, 1, 9.0) }],
            series: vec![Second { cpu, ..Second::default() }],
            ..Process::default()
        };
        let alert = need_alert(&machine, &process(0.01, 9.6 * gib)).unwrap();
        assert_eq!(
            alert.text,
            "another svd of 20000x20000 may fail: it took 9.6 GiB of working memory, and 2.0 GiB are left"
        );
        assert_eq!(need_alert(&machine, &process(1.0, 9.6 * gib)), None);
        assert_eq!(need_alert(&machine, &process(0.01, 1.9 * gib)), None);
    }
}
