//! What was found on this machine, and what to do about what was not.

use crate::config::{Config, config};
use crate::provider;
use lapack_ai_core::Error;
use lapack_ai_host::{Attempt, Outcome, default_threads, requested_threads};
use lapack_ai_opencl::{DeviceInfo, discover};
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
    let mut findings = vec![lapack(), threads(), memory()];
    findings.push(opencl(discover().map_err(|fault| fault.text)));
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

fn threads() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wish = requested_threads().map_or(String::new(), |threads| format!(", environment asks for {threads}"));
    let (adjustable, using) = match provider() {
        Ok(search) => (search.library.threads().is_adjustable(), search.library.threads().get()),
        Err(_) => (true, default_threads()),
    };
    let advice =
        (!adjustable).then(|| "this LAPACK's threads cannot be set: large matrices may use one core".to_string());
    Finding { topic: "threads", ok: true, found: format!("{using} in use, {cores} available{wish}"), advice }
}

fn memory() -> Finding {
    let gib = |bytes: u64| bytes as f64 / (1_u64 << 30) as f64;
    let installed = installed_memory();
    let limit = cgroup_limit().filter(|limit| installed.is_none_or(|installed| *limit < installed));
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

/// The memory limit of this process's cgroup, version 2 or 1; `None` where there is none.
fn cgroup_limit() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    files.iter().find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok())
}

fn opencl(discovered: Result<Vec<DeviceInfo>, String>) -> Finding {
    let topic = "OpenCL";
    let install = "optional: install your GPU's OpenCL driver; PoCL (Debian: pocl-opencl-icd) runs OpenCL on the CPU";
    match discovered {
        Ok(devices) if !devices.is_empty() => {
            let describe = |device: &DeviceInfo| {
                let gib = device.memory as f64 / (1_u64 << 30) as f64;
                let float64 = if device.float64 { "" } else { ", no float64" };
                format!("{} ({}, {gib:.0} GiB, {} units{float64})", device.name, device.platform, device.compute_units)
            };
            let found = devices.iter().map(describe).collect::<Vec<_>>().join("; ");
            let advice = Some("not used yet: this version computes on the CPU only".to_string());
            Finding { topic, ok: true, found, advice }
        }
        Ok(_) => Finding { topic, ok: true, found: "a loader, but no device".into(), advice: Some(install.into()) },
        Err(why) => Finding { topic, ok: true, found: why, advice: Some(install.into()) },
    }
}

fn settings(config: lapack_ai_core::Result<&Config>) -> Finding {
    let topic = "settings";
    match config {
        Err(error) => fault(topic, &error),
        Ok(config) => {
            let gpu = if config.gpu_enabled { "enabled" } else { "disabled" };
            let found = format!(
                "GPU {gpu}, {} % of its memory, batches of {}, dashboard port {}, log level {}",
                config.gpu_memory_limit,
                config.batch_size_limit,
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
        let finding = opencl(Err("no OpenCL loader is installed".into()));
        assert!(finding.ok && finding.advice.unwrap().contains("pocl"));
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
