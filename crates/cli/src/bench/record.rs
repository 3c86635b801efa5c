//! The file of figures, and the machine that they are of.

use super::case::Measurement;
use lapack_ai::{Error, num_threads, provider};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;

/// Number of the file's form; another one is refused.
const FORMAT: u32 = 1;

/// The machine, as far as times depend on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    /// That this process may use.
    pub(crate) cores: usize,
    pub(crate) threads: usize,
    pub(crate) os: String,
    pub(crate) lapack: Lapack,
}

/// The LAPACK that computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lapack {
    pub(crate) path: String,
    pub(crate) version: String,
    pub(crate) vendor: String,
}

impl fmt::Display for Lapack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vendor = if self.vendor.is_empty() { "unnamed vendor" } else { &self.vendor };
        write!(f, "LAPACK {}, {vendor}, {}", self.version, self.path)
    }
}

impl Machine {
    /// This machine; finding its LAPACK can fail.
    pub(crate) fn this() -> Result<Self, Error> {
        let library = &provider()?.library;
        let version = library.version();
        Ok(Self {
            cpu: cpu(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: num_threads()?,
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            lapack: Lapack {
                path: library.path().display().to_string(),
                version: format!("{}.{}.{}", version.major, version.minor, version.patch),
                vendor: library.vendor().to_string(),
            },
        })
    }
}

/// The model as the system names it.
fn cpu() -> String {
    let from_file = || model(&fs::read_to_string("/proc/cpuinfo").ok()?);
    let from_sysctl = || {
        let answer = std::process::Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
        String::from_utf8(answer.stdout).ok().map(|text| text.trim().to_string())
    };
    let from_windows = || std::env::var("PROCESSOR_IDENTIFIER").ok();
    let named = match std::env::consts::OS {
        "macos" => from_sysctl(),
        "windows" => from_windows(),
        _ => from_file(),
    };
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".into())
}

/// The model in the text of `/proc/cpuinfo`. On ARM it has no name, only numbers.
fn model(cpuinfo: &str) -> Option<String> {
    let field = |wanted: &str| {
        let pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        pairs.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    if let Some(name) = field("model name") {
        return Some(name.to_string());
    }
    Some(format!("implementer {}, part {}", field("CPU implementer")?, field("CPU part")?))
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    format: u32,
    /// Of this program.
    version: String,
    dtype: String,
    pub(crate) machine: Machine,
    pub(crate) cases: Vec<Measurement>,
}

impl Results {
    pub(crate) fn new(machine: Machine, cases: Vec<Measurement>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_string();
        Self { format: FORMAT, version, dtype: "float64".into(), machine, cases }
    }

    pub(crate) fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("strings and finite numbers");
        text.push('\n');
        text
    }

    /// What is wrong is said as the end of a sentence that begins with the file's name.
    pub(crate) fn from_json(text: &str) -> Result<Self, String> {
        const FOREIGN: &str = "is not a file of lapack-ai bench --output";
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("{FOREIGN}: no JSON ({error})"))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => {
                return Err(format!("has the form {format}, and this version reads {FORMAT}: make a new one"));
            }
            None => return Err(format!("{FOREIGN}: it has no field \"format\"")),
        }
        let results: Self = serde_json::from_value(value).map_err(|error| format!("{FOREIGN}: {error}"))?;
        for case in &results.cases {
            let median = case.seconds.median;
            if median <= 0.0 {
                return Err(format!("is damaged: {} has a median of {median} seconds", case.case));
            }
        }
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_from_either_form_of_cpuinfo() {
        let x86 = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu\n";
        assert_eq!(model(x86).as_deref(), Some("AMD EPYC"));
        let arm = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";
        assert_eq!(model(arm).as_deref(), Some("implementer 0x41, part 0xd0c"));
        assert_eq!(model("processor: 0\n"), None);
    }
}
