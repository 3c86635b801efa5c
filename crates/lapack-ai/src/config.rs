//! Settings from the environment, read once and checked.
//!
//! | variable | default | values |
//! |---|---|---|
//! | `LAPACK_GPU_ENABLED` | `true` | `true`, `false`, `1`, `0`, `yes`, `no`, `on`, `off` |
//! | `LAPACK_GPU_MEMORY_LIMIT` | `80` | percent of the GPU's memory, 10 to 95 |
//! | `LAPACK_BATCH_SIZE_LIMIT` | unset | matrices of a batch that go to a GPU at a time, at least 1; else as many as fit |
//! | `LAPACK_GPU_DEVICE` | unset | part of the name of an OpenCL device or platform, or `cpu` for one that is a CPU |
//! | `LAPACK_GPU_VERIFY` | `sample` | `sample`, `full`, `off`: which results of a GPU are checked |
//! | `LAPACK_GPU_PRECISION` | `float32` | `float32`, `tf32`: what a GPU makes of float32 operands of products |
//! | `LAPACK_GPU_TIMEOUT_SECONDS` | `60` | seconds after which a call to a GPU counts as failed, 1 to 86400 |
//! | `LAPACK_GPU_BREAKER_FAILURES` | `5` | failures in a row after which a GPU is left alone, 1 to 1000 |
//! | `LAPACK_GPU_BREAKER_SECONDS` | `300` | seconds until it is tried again, 0 to 86400 |
//! | `LAPACK_DASHBOARD_PORT` | `8080` | 1 to 65535 |
//! | `LAPACK_LOG_LEVEL` | `INFO` | `DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL` |
//! | `LAPACK_AI_LIBRARY` | unset | path of the LAPACK to use |
//!
//! `OMP_NUM_THREADS`, `OPENBLAS_NUM_THREADS` and `MKL_NUM_THREADS` are honoured as well; see
//! [`lapack_ai_host::default_threads`].

use lapack_ai_core::{Applicability, Argument, Code, Error, Result};
use std::path::PathBuf;
use std::sync::OnceLock;

/// A day, in seconds: nobody waits longer for a GPU.
const LONGEST: u32 = 86_400;

/// How much is logged, with the names of Python's `logging`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl LogLevel {
    const NAMES: [(&'static str, LogLevel); 5] = [
        ("DEBUG", LogLevel::Debug),
        ("INFO", LogLevel::Info),
        ("WARNING", LogLevel::Warning),
        ("ERROR", LogLevel::Error),
        ("CRITICAL", LogLevel::Critical),
    ];

    /// `DEBUG`, `INFO`, ...
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// Which results of a GPU are checked against their operands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GpuVerify {
    /// Some of them.
    #[default]
    Sample,
    /// Every one.
    Full,
    /// None.
    Off,
}

impl GpuVerify {
    const ALL: [Self; 3] = [Self::Sample, Self::Full, Self::Off];

    /// `sample`, `full` or `off`.
    pub fn name(self) -> &'static str {
        ["sample", "full", "off"][self as usize]
    }
}

/// What becomes of the operands of a product of float32 matrices on a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// They are taken as they are.
    #[default]
    Full,
    /// They are rounded to TF32, 11 significant bits, where the GPU has instructions for that; sums are in float32.
    Tf32,
}

impl Precision {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Full, Self::Tf32];

    /// `float32` or `tf32`.
    pub fn name(self) -> &'static str {
        ["float32", "tf32"][self as usize]
    }
}

/// The settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Whether a GPU may be used at all.
    pub gpu_enabled: bool,
    /// Percent of the GPU's memory that the pool may take, 10 to 95.
    pub gpu_memory_limit: u8,
    /// Most matrices of a batch on the GPU at a time; `usize::MAX` for as many as fit.
    pub batch_size_limit: usize,
    /// Part of the name of the OpenCL device to use, or of its platform; `cpu` for an OpenCL device that is a CPU. `None`
    /// where the library chooses.
    pub gpu_device: Option<String>,
    /// Which results of a GPU are checked.
    pub gpu_verify: GpuVerify,
    /// How a GPU multiplies float32 matrices, where a call does not say it.
    pub gpu_precision: Precision,
    /// Seconds after which a call to a GPU counts as failed, 1 to 86400.
    pub gpu_timeout_seconds: u32,
    /// Failures in a row after which a GPU is left alone, 1 to 1000.
    pub gpu_breaker_failures: u32,
    /// Seconds until it is tried again, 0 to 86400.
    pub gpu_breaker_seconds: u32,
    /// Port of the dashboard.
    pub dashboard_port: u16,
    /// How much is logged.
    pub log_level: LogLevel,
    /// The LAPACK to use, where the user names one.
    pub library: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gpu_enabled: true,
            gpu_memory_limit: 80,
            batch_size_limit: usize::MAX,
            gpu_device: None,
            gpu_verify: GpuVerify::Sample,
            gpu_precision: Precision::Full,
            gpu_timeout_seconds: 60,
            gpu_breaker_failures: 5,
            gpu_breaker_seconds: 300,
            dashboard_port: 8080,
            log_level: LogLevel::Info,
            library: None,
        }
    }
}

impl Config {
    /// Reads the settings through `variable`, the environment or a stand-in for it.
    ///
    /// # Errors
    /// `LAP-E034`, naming the variable, its value, and what it may be.
    pub fn read(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self> {
        let value = |name| variable(name).map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
        let mut config = Self::default();
        if let Some(text) = value("LAPACK_GPU_ENABLED") {
            config.gpu_enabled = match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => true,
                "false" | "0" | "no" | "off" => false,
                _ => return Err(bad("LAPACK_GPU_ENABLED", &text, "true or false")),
            };
        }
        if let Some(text) = value("LAPACK_GPU_MEMORY_LIMIT") {
            config.gpu_memory_limit =
                in_range("LAPACK_GPU_MEMORY_LIMIT", text.trim_end_matches('%'), 10, 95, "a percentage from 10 to 95")?;
        }
        if let Some(text) = value("LAPACK_BATCH_SIZE_LIMIT") {
            let most = u32::MAX as usize;
            config.batch_size_limit = in_range("LAPACK_BATCH_SIZE_LIMIT", &text, 1, most, "a whole number from 1")?;
        }
        config.gpu_device = value("LAPACK_GPU_DEVICE");
        if let Some(text) = value("LAPACK_GPU_VERIFY") {
            let name = text.to_ascii_lowercase();
            let known = GpuVerify::ALL.into_iter().find(|known| known.name() == name);
            config.gpu_verify = known.ok_or_else(|| bad("LAPACK_GPU_VERIFY", &text, "sample, full or off"))?;
        }
        if let Some(text) = value("LAPACK_GPU_PRECISION") {
            let name = text.to_ascii_lowercase();
            let known = Precision::ALL.into_iter().find(|known| known.name() == name);
            config.gpu_precision = known.ok_or_else(|| bad("LAPACK_GPU_PRECISION", &text, "float32 or tf32"))?;
        }
        if let Some(text) = value("LAPACK_GPU_TIMEOUT_SECONDS") {
            config.gpu_timeout_seconds =
                in_range("LAPACK_GPU_TIMEOUT_SECONDS", &text, 1, LONGEST, "seconds from 1 to 86400")?;
        }
        if let Some(text) = value("LAPACK_GPU_BREAKER_FAILURES") {
            config.gpu_breaker_failures =
                in_range("LAPACK_GPU_BREAKER_FAILURES", &text, 1, 1000, "a whole number from 1 to 1000")?;
        }
        if let Some(text) = value("LAPACK_GPU_BREAKER_SECONDS") {
            config.gpu_breaker_seconds =
                in_range("LAPACK_GPU_BREAKER_SECONDS", &text, 0, LONGEST, "seconds from 0 to 86400")?;
        }
        if let Some(text) = value("LAPACK_DASHBOARD_PORT") {
            config.dashboard_port = in_range("LAPACK_DASHBOARD_PORT", &text, 1, u16::MAX, "a port from 1 to 65535")?;
        }
        if let Some(text) = value("LAPACK_LOG_LEVEL") {
            let name = text.to_ascii_uppercase();
            let known = LogLevel::NAMES.iter().find(|(known, _)| *known == name);
            config.log_level =
                known.ok_or_else(|| bad("LAPACK_LOG_LEVEL", &text, "DEBUG, INFO, WARNING, ERROR or CRITICAL"))?.1;
        }
        config.library = value("LAPACK_AI_LIBRARY").map(PathBuf::from);
        Ok(config)
    }
}

fn in_range<N: std::str::FromStr + PartialOrd>(
    name: &'static str,
    text: &str,
    least: N,
    most: N,
    allowed: &str,
) -> Result<N> {
    let number = text.parse().ok();
    number.filter(|number| (&least..=&most).contains(&number)).ok_or_else(|| bad(name, text, allowed))
}

fn bad(name: &'static str, text: &str, allowed: &str) -> Error {
    Error::text(Code::BadConfig, "config", format!("{name}={text} must be {allowed}"))
        .argument(Argument::keyword(name))
        .fix(Applicability::Safe, format!("correct or unset {name}."))
}

/// The process's settings, from its environment at the first call.
///
/// # Errors
/// As [`Config::read`], at every call: a wrong setting is never replaced in silence.
pub fn config() -> Result<&'static Config> {
    static CONFIG: OnceLock<Result<Config>> = OnceLock::new();
    CONFIG
        .get_or_init(|| Config::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())))
        .as_ref()
        .map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&'static str, &str)]) -> Result<Config> {
        Config::read(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string()))
    }

    #[test]
    fn an_empty_environment_gives_the_documented_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!((config.gpu_enabled, config.gpu_memory_limit, config.batch_size_limit), (true, 80, usize::MAX));
        assert_eq!((config.dashboard_port, config.log_level.name()), (8080, "INFO"));
        assert_eq!((config.gpu_device, config.gpu_verify.name()), (None, "sample"));
        assert_eq!(config.gpu_precision.name(), "float32");
        let seconds = (config.gpu_timeout_seconds, config.gpu_breaker_failures, config.gpu_breaker_seconds);
        assert_eq!(seconds, (60, 5, 300));
    }

    #[test]
    fn every_variable_is_read() {
        let config = read(&[
            ("LAPACK_GPU_ENABLED", "off"),
            ("LAPACK_GPU_MEMORY_LIMIT", "95%"),
            ("LAPACK_BATCH_SIZE_LIMIT", "7"),
            ("LAPACK_GPU_DEVICE", "H200"),
            ("LAPACK_GPU_VERIFY", "Full"),
            ("LAPACK_GPU_PRECISION", "TF32"),
            ("LAPACK_GPU_TIMEOUT_SECONDS", "86400"),
            ("LAPACK_GPU_BREAKER_FAILURES", "1000"),
            ("LAPACK_GPU_BREAKER_SECONDS", "0"),
            ("LAPACK_DASHBOARD_PORT", "9000"),
            ("LAPACK_LOG_LEVEL", "debug"),
            ("LAPACK_AI_LIBRARY", "/opt/lapack.so"),
        ])
        .unwrap();
        let expected = Config {
            gpu_enabled: false,
            gpu_memory_limit: 95,
            batch_size_limit: 7,
            gpu_device: Some("H200".into()),
            gpu_verify: GpuVerify::Full,
            gpu_precision: Precision::Tf32,
            gpu_timeout_seconds: 86_400,
            gpu_breaker_failures: 1000,
            gpu_breaker_seconds: 0,
            dashboard_port: 9000,
            log_level: LogLevel::Debug,
            library: Some("/opt/lapack.so".into()),
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn values_outside_their_range_are_refused_with_variable_value_and_range() {
        for (name, value) in [
            ("LAPACK_GPU_ENABLED", "maybe"),
            ("LAPACK_GPU_MEMORY_LIMIT", "9"),
            ("LAPACK_GPU_MEMORY_LIMIT", "96"),
            ("LAPACK_GPU_MEMORY_LIMIT", "lots"),
            ("LAPACK_BATCH_SIZE_LIMIT", "0"),
            ("LAPACK_GPU_VERIFY", "sometimes"),
            ("LAPACK_GPU_PRECISION", "half"),
            ("LAPACK_GPU_TIMEOUT_SECONDS", "0"),
            ("LAPACK_GPU_TIMEOUT_SECONDS", "86401"),
            ("LAPACK_GPU_TIMEOUT_SECONDS", "1.5"),
            ("LAPACK_GPU_BREAKER_FAILURES", "0"),
            ("LAPACK_GPU_BREAKER_FAILURES", "1001"),
            ("LAPACK_GPU_BREAKER_SECONDS", "-1"),
            ("LAPACK_GPU_BREAKER_SECONDS", "86401"),
            ("LAPACK_DASHBOARD_PORT", "65536"),
            ("LAPACK_LOG_LEVEL", "LOUD"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(error.code(), Code::BadConfig);
            assert!(error.to_string().contains(&format!("{name}={value} must be")), "{error}");
        }
    }

    #[test]
    fn a_variable_set_to_nothing_counts_as_unset() {
        assert_eq!(read(&[("LAPACK_GPU_MEMORY_LIMIT", " ")]).unwrap(), Config::default());
    }
}
