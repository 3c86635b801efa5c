//! `/metrics` in Prometheus' text format, version 0.0.4.
//!
//! Labels are bounded as the rows are. GPUs have the names of OpenTelemetry's semantic conventions for hardware
//! (`hw.gpu.utilization`, `hw.power`, ...) as Prometheus spells them.

use crate::histogram::BOUNDS;
use crate::snapshot::{Machine, Process, Row};
use std::fmt::Write;

/// The media type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A label's value, with what would end it escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "{name}{braces} {value}");
    }
}

/// One family of a number of each row.
type OfRow = (&'static str, &'static str, fn(&Row) -> f64);

/// All families.
pub(crate) fn text(machine: &Machine, processes: &[Process]) -> String {
    let mut text = Text(String::new());
    operations(&mut text, processes);
    of_processes(&mut text, processes);
    of_machine(&mut text, machine);
    text.0
}

fn operations(text: &mut Text, processes: &[Process]) {
    let labels = |process: &Process, row: &Row| {
        format!(
            "pid=\"{}\",operation=\"{}\",dtype=\"{}\",size=\"{}\",batched=\"{}\",engine=\"{}\"",
            process.identity.pid,
            escaped(&row.operation),
            escaped(&row.dtype),
            row.size,
            row.batched,
            escaped(&row.engine)
        )
    };
    let families: [OfRow; 7] = [
        ("lapack_ai_calls_total", "Calls that ended.", |row| row.calls as f64),
        ("lapack_ai_failures_total", "Calls without a result.", |row| row.failures as f64),
        ("lapack_ai_warnings_total", "Warnings given.", |row| row.warnings as f64),
        ("lapack_ai_fallbacks_total", "Calls that another engine or driver finished.", |row| row.fallbacks as f64),
        ("lapack_ai_matrices_total", "Matrices worked on.", |row| row.matrices as f64),
        ("lapack_ai_flops_total", "Floating-point operations by the textbook count.", |row| row.flops),
        ("lapack_ai_transferred_bytes_total", "Bytes moved between host and device.", |row| row.moved),
    ];
    let rows = || processes.iter().flat_map(|process| process.rows.iter().map(move |row| (process, row)));
    for (name, help, value) in families {
        text.family(name, "counter", help);
        for (process, row) in rows() {
            text.sample(name, &labels(process, row), value(row));
        }
    }
    let name = "lapack_ai_call_duration_seconds";
    text.family(name, "histogram", "Time of calls; of calls that were only counted, that of those timed around them.");
    for (process, row) in rows().filter(|(_, row)| row.buckets.len() == BOUNDS.len() + 1) {
        let labels = labels(process, row);
        // A call whose duration nobody knows is in no bucket, and so not in the count either.
        let beyond = row.buckets[BOUNDS.len()];
        for (bound, within) in BOUNDS.iter().zip(&row.buckets) {
            text.sample(&format!("{name}_bucket"), &format!("{labels},le=\"{bound:?}\""), *within as f64);
        }
        text.sample(&format!("{name}_bucket"), &format!("{labels},le=\"+Inf\""), beyond as f64);
        text.sample(&format!("{name}_sum"), &labels, row.seconds);
        text.sample(&format!("{name}_count"), &labels, beyond as f64);
    }
    let name = "lapack_ai_rcond_least";
    text.family(name, "gauge", "Smallest estimate of the reciprocal condition number.");
    for (process, row) in rows() {
        if let Some(rcond) = row.rcond {
            text.sample(name, &labels(process, row), rcond);
        }
    }
}

fn of_processes(text: &mut Text, processes: &[Process]) {
    let pid = |process: &Process| format!("pid=\"{}\"", process.identity.pid);
    let last = |process: &Process| process.series.last().copied().unwrap_or_default();
    text.family("lapack_ai_process_up", "gauge", "1 for a process that runs, 0 for one that ended or was lost.");
    for process in processes {
        text.sample("lapack_ai_process_up", &pid(process), f64::from(u8::from(process.state == "running")));
    }
    text.family("lapack_ai_process_cpu_cores", "gauge", "Processor time of the process, in cores.");
    for process in processes {
        text.sample("lapack_ai_process_cpu_cores", &pid(process), last(process).cpu);
    }
    text.family("lapack_ai_process_memory_bytes", "gauge", "Resident memory of the process.");
    for process in processes {
        text.sample("lapack_ai_process_memory_bytes", &pid(process), last(process).memory);
    }
    text.family("lapack_ai_busy_threads", "gauge", "Threads within calls, on average over the last second.");
    for process in processes {
        text.sample("lapack_ai_busy_threads", &pid(process), last(process).busy);
    }
    text.family(
        "lapack_ai_events_dropped_total",
        "counter",
        "Events that the monitor lost because its queue was full.",
    );
    for process in processes {
        text.sample("lapack_ai_events_dropped_total", &pid(process), process.totals.dropped as f64);
    }
    text.family("lapack_ai_codes_total", "counter", "Failures and warnings by code.");
    for process in processes {
        for (code, count) in &process.totals.codes {
            text.sample(
                "lapack_ai_codes_total",
                &format!("{},code=\"{}\"", pid(process), escaped(code)),
                *count as f64,
            );
        }
    }
    text.family("lapack_ai_pool_bytes", "gauge", "Memory of a device's pool.");
    for process in processes {
        for (number, device) in process.devices.iter().enumerate() {
            let Some(pool) = device.pool else { continue };
            for (state, bytes) in ["used", "idle", "high_water", "limit"].iter().zip(pool) {
                let device = escaped(&device.name);
                let labels = format!("{},number=\"{number}\",device=\"{device}\",state=\"{state}\"", pid(process));
                text.sample("lapack_ai_pool_bytes", &labels, bytes as f64);
            }
        }
    }
}

fn of_machine(text: &mut Text, machine: &Machine) {
    let single = [
        ("lapack_ai_machine_cpu_cores", "Processor time in use on the machine, in cores.", machine.cpu),
        (
            "lapack_ai_machine_load1",
            "Mean number of processes that want to run, over a minute.",
            machine.load.map(|l| l[0]),
        ),
        (
            "lapack_ai_machine_memory_available_bytes",
            "Memory that can still be had, of the machine or the container.",
            machine.memory_available.map(|bytes| bytes as f64),
        ),
        (
            "lapack_ai_container_memory_limit_bytes",
            "Limit of the container.",
            machine.memory_limit.map(|bytes| bytes as f64),
        ),
    ];
    for (name, help, value) in single {
        if let Some(value) = value {
            text.family(name, "gauge", help);
            text.sample(name, "", value);
        }
    }
    type OfGpu = (&'static str, &'static str, fn(&crate::snapshot::GpuFigures) -> Option<f64>);
    let gpus: [OfGpu; 6] = [
        ("hw_gpu_utilization_ratio", "Part of the time in which the GPU ran a kernel.", |gpu| gpu.utilisation),
        ("hw_gpu_memory_usage_bytes", "GPU memory in use.", |gpu| gpu.memory_used.map(|bytes| bytes as f64)),
        ("hw_gpu_memory_limit_bytes", "GPU memory.", |gpu| gpu.memory_total.map(|bytes| bytes as f64)),
        ("hw_power_watts", "Power of the GPU.", |gpu| gpu.power),
        ("hw_temperature_celsius", "Temperature of the GPU.", |gpu| gpu.temperature),
        ("lapack_ai_gpu_throttled", "Whether the GPU runs slower than it could.", |gpu| {
            (gpu.source == "nvml").then(|| f64::from(u8::from(!gpu.throttled.is_empty())))
        }),
    ];
    for (name, help, value) in gpus {
        let values = machine.gpus.iter().enumerate().filter_map(|(number, gpu)| Some((number, gpu, value(gpu)?)));
        for (place, (number, gpu, value)) in values.enumerate() {
            if place == 0 {
                text.family(name, "gauge", help);
            }
            let labels = format!("hw_id=\"{number}\",hw_name=\"{}\",hw_type=\"gpu\"", escaped(&gpu.name));
            text.sample(name, &labels, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::GpuFigures;

    #[test]
    fn every_sample_belongs_to_the_family_before_it_and_labels_are_escaped() {
        let mut buckets = vec![0; BOUNDS.len() + 1];
        buckets[5..].fill(3);
        buckets[BOUNDS.len()] = 4;
        let row =
            Row { operation: "a\"b\\c".into(), calls: 5, seconds: 0.5, buckets, rcond: Some(1e-3), ..Row::default() };
        let process = Process { rows: vec![row], ..Process::default() };
        let gpu = GpuFigures { name: "H200".into(), utilisation: Some(0.5), ..GpuFigures::default() };
        let machine = Machine { gpus: vec![gpu.clone(), gpu], load: Some([1.0, 2.0, 3.0]), ..Machine::default() };
        let text = text(&machine, &[process]);
        let mut family = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split(' ').next().unwrap();
            } else if !line.starts_with('#') {
                assert!(line.starts_with(family), "{line} after {family}");
                assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
            }
        }
        assert!(text.contains(r#"operation="a\"b\\c""#));
        assert!(text.contains("le=\"+Inf\"} 4\n") && text.contains("le=\"0.0003\"} 3\n"));
        assert_eq!(text.matches("# TYPE hw_gpu_utilization_ratio").count(), 1);
    }
}
