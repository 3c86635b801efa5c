//! What was found on this machine, and what to do about what was not.

use crate::Device;
use crate::config::{Config, config};
use crate::container::Container;
use crate::gpu::{self, tuning};
use crate::provider;
use lapack_ai_core::Error;
use lapack_ai_host::{Attempt, Outcome, default_threads, requested_threads};
use lapack_ai_opencl::{DeviceInfo, FoundBy, discover};
use std::fmt;

/// One line of the diagnosis.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is about: `LAPACK`, `threads`, `memory`, `OpenCL`, `settings`.
    pub topic: &'static str,
    /// Whether it is as it should be. OpenCL is optional, so its absence is not a fault.
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do, where something is to be done.
    pub advice: Option<String>,
}

/// The diagnosis.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// In order of importance.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether nothing needs to be done.
    pub fn ok(&self) -> bool {
        self.findings.iter().all(|finding| finding.ok)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "lapack-ai {}", env!("CARGO_PKG_VERSION"))?;
        for Finding { topic, ok, found, advice } in &self.findings {
            writeln!(f, "  {} {topic:<9} {found}", if *ok { "ok" } else { "!!" })?;
            if let Some(advice) = advice {
                writeln!(f, "               -> {advice}")?;
            }
        }
        write!(
            f,
            "{}",
            if self.ok() { "Everything that is needed is here." } else { "Something needs attention, see !! above." }
        )
    }
}

/// Looks at the LAPACK, threads, memory, OpenCL and settings of this process.
pub fn doctor() -> Diagnosis {
    let container = Container::of_this_process();
    let mut findings = vec![lapack(), threads(&container), memory(&container)];
    findings.push(opencl(discover().map_err(|fault| fault.text), &container));
    findings.push(settings(config()));
    Diagnosis { findings }
}

fn fault(topic: &'static str, error: &Error) -> Finding {
    let advice = error.fixes().first().map(|fix| fix.text.clone());
    Finding { topic, ok: false, found: format!("{} ({})", error.summary(), error.cause()), advice }
}

fn lapack() -> Finding {
    let topic = "LAPACK";
    let search = match provider() {
        Ok(search) => search,
        Err(error) => return fault(topic, &error),
    };
    let library = &search.library;
    let version = library.version();
    let vendor = if library.vendor().is_empty() { "unnamed vendor" } else { library.vendor() };
    let (bits, path) = (library.integer_bits(), library.path().display());
    let found = format!(
        "{}.{}.{}, {vendor}, {bits}-bit integers\n               {path}",
        version.major, version.minor, version.patch
    );
    let unusable = search.attempts.iter().find_map(|Attempt { outcome, .. }| match outcome {
        Outcome::Unusable(why) => Some(format!("passed over: {why}")),
        _ => None,
    });
    Finding { topic, ok: true, found, advice: unusable }
}

fn threads(container: &Container) -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wish = requested_threads().map_or(String::new(), |threads| format!(", environment asks for {threads}"));
    let (adjustable, using) = match provider() {
        Ok(search) => (search.library.threads().is_adjustable(), search.library.threads().get()),
        Err(_) => (true, default_threads()),
    };
    let advice =
        (!adjustable).then(|| "this LAPACK's threads cannot be set: large matrices may use one core".to_string());
    let quota = container.cpu_quota.map_or(String::new(), |quota| format!(", time for {quota:.1}"));
    Finding { topic: "threads", ok: true, found: format!("{using} in use, {cores} available{quota}{wish}"), advice }
}

fn memory(container: &Container) -> Finding {
    let gib = |bytes: u64| bytes as f64 / (1_u64 << 30) as f64;
    let installed = installed_memory();
    let limit = container.memory_limit.filter(|limit| installed.is_none_or(|installed| *limit < installed));
    let found = match (installed, limit) {
        (Some(installed), Some(limit)) => {
            format!("{:.1} GiB, of which the container may use {:.1}", gib(installed), gib(limit))
        }
        (Some(installed), None) => format!("{:.1} GiB, no container limit", gib(installed)),
        (None, _) => "unknown on this system".to_string(),
    };
    Finding { topic: "memory", ok: true, found, advice: None }
}

/// `MemTotal` of Linux, in bytes.
fn installed_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn opencl(discovered: Result<Vec<DeviceInfo>, String>, container: &Container) -> Finding {
    let topic = "OpenCL";
    let advice = || Some(container.opencl_advice());
    match discovered {
        Ok(devices) if !devices.is_empty() => {
            let describe = |device: &DeviceInfo| {
                let gib = device.memory as f64 / (1_u64 << 30) as f64;
                let float64 = if device.float64 { "" } else { ", no float64" };
                format!("{} ({}, {gib:.0} GiB, {} units{float64})", device.name, device.platform, device.compute_units)
            };
            let found = devices.iter().map(describe).collect::<Vec<_>>().join("; ");
            let unnamed = devices.iter().find(|device| matches!(device.found_by, FoundBy::Name(_)));
            let unnamed = unnamed.map(|device| format!("{} was found by {}", device.name, device.found_by.describe()));
            let advice = match gpu::choose(Device::Auto) {
                Ok(slot) => {
                    let found_by = unnamed.map_or(String::new(), |how| format!("; {how}"));
                    Some(format!("in use: {}{found_by}\n               {}", slot.info().name, tuning::line(slot)))
                }
                Err(why) => Some(format!("none in use: {why}")),
            };
            Finding { topic, ok: true, found, advice }
        }
        Ok(_) => Finding { topic, ok: true, found: "a loader, but no device".into(), advice: advice() },
        Err(why) => Finding { topic, ok: true, found: why, advice: advice() },
    }
}

fn settings(config: lapack_ai_core::Result<&Config>) -> Finding {
    let topic = "settings";
    match config {
        Err(error) => fault(topic, &error),
        Ok(config) => {
            let gpu = if config.gpu_enabled { "enabled" } else { "disabled" };
            let batches = match config.batch_size_limit {
                usize::MAX => "as large as fit".to_string(),
                most => format!("of {most}"),
            };
            let found = format!(
                "GPU {gpu}, {} % of its memory, batches {batches}, results checked: {}, dashboard port {}, log level {}",
                config.gpu_memory_limit,
                config.gpu_verify.name(),
                config.dashboard_port,
                config.log_level.name()
            );
            Finding { topic, ok: true, found, advice: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_opencl_is_no_fault_but_comes_with_advice() {
        let finding = opencl(Err("no OpenCL loader is installed".into()), &Container::default());
        assert!(finding.ok && finding.advice.unwrap().contains("pocl"));
    }

    #[test]
    fn in_a_container_without_a_gpu_the_advice_is_how_to_pass_one_in() {
        let container = Container { evidence: Some("/.dockerenv"), ..Container::default() };
        for found in [Ok(vec![]), Err("no OpenCL driver".into())] {
            assert!(opencl(found, &container).advice.unwrap().contains("docker run --gpus all"));
        }
    }

    #[test]
    fn the_memory_line_names_the_limit_of_the_container_and_the_threads_line_its_quota() {
        let container = Container { memory_limit: Some(1 << 29), cpu_quota: Some(1.5), ..Container::default() };
        if installed_memory().is_some() {
            assert!(memory(&container).found.ends_with("of which the container may use 0.5"));
        }
        assert!(threads(&container).found.contains("time for 1.5"));
    }

    #[test]
    fn a_wrong_setting_is_a_fault_with_the_fix() {
        let error = Config::read(|name| (name == "LAPACK_DASHBOARD_PORT").then(|| "0".to_string())).unwrap_err();
        let finding = fault("settings", &error);
        assert!(!finding.ok && finding.advice.unwrap().contains("LAPACK_DASHBOARD_PORT"));
    }

    #[test]
    fn the_diagnosis_covers_every_topic() {
        let topics: Vec<&str> = doctor().findings.iter().map(|finding| finding.topic).collect();
        assert_eq!(topics, ["LAPACK", "threads", "memory", "OpenCL", "settings"]);
    }
}
