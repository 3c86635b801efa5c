//! What leaves a process: plain data that is sent to the page, to other processes and to files.
//!
//! Times are in seconds, sizes in bytes, moments in seconds since 1970. Everything read back is bounded by whoever reads it
//! (`hub`): a field that is missing has its default, so that processes of neighbouring versions understand each other.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a process is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// Number of the process.
    pub pid: u32,
    /// Its command line, shortened.
    pub program: String,
    /// Name of the machine.
    pub machine: String,
    /// When its monitor started.
    pub started: f64,
    /// Version of this library.
    pub version: String,
    /// The LAPACK in use; empty while none is.
    pub lapack: String,
    /// Threads that the LAPACK uses, and cores that the process may use.
    pub threads: usize,
    /// See `threads`.
    pub cores: f64,
    /// Settings from the environment, by name.
    pub settings: BTreeMap<String, String>,
}

/// Sums over all calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Calls that ended, well or not.
    pub calls: u64,
    /// Of these, on a GPU.
    pub gpu_calls: u64,
    /// Calls without a result.
    pub failures: u64,
    /// Warnings given.
    pub warnings: u64,
    /// Calls that another engine or driver had to finish.
    pub fallbacks: u64,
    /// Time within calls, all threads together; of calls that were only counted, by those told around them.
    pub seconds: f64,
    /// Calls whose times were read.
    pub timed: u64,
    /// Events that were lost because the queue was full. They are in no other number.
    pub dropped: u64,
    /// Failures and warnings by their code.
    pub codes: BTreeMap<String, u64>,
}

/// Times by phase, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phases {
    /// The whole of the calls whose phases were read.
    pub total: f64,
    /// Working copies and the check for NaN and Inf.
    pub intake: f64,
    /// LAPACK, or kernels.
    pub compute: f64,
    /// To a GPU and back.
    pub transfer: f64,
    /// Condition estimates.
    pub conditioning: f64,
}

/// What was expected of calls that both engines were considered for, and what they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Expectation {
    /// Such calls.
    pub calls: u64,
    /// Time predicted for the CPU, summed.
    pub cpu: f64,
    /// Time predicted for the kernels.
    pub gpu: f64,
    /// Time predicted for transfers.
    pub transfer: f64,
    /// Time that they took on the engine of the row.
    pub measured: f64,
}

/// All calls of one operation, type, class of size and engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// The operation.
    pub operation: String,
    /// Element type.
    pub dtype: String,
    /// The power of two nearest to the geometric mean of rows and columns.
    pub size: u64,
    /// Whether these are calls on several matrices.
    pub batched: bool,
    /// `cpu` or `opencl`.
    pub engine: String,
    /// The device of the last call; empty for the CPU.
    pub device: String,
    /// Rows, columns, inner size and number of matrices of most calls.
    pub shape: [u64; 4],
    /// Routine of the last call.
    pub routine: String,
    /// Why the last call ran there.
    pub reason: String,
    /// Calls that ended, well or not.
    pub calls: u64,
    /// Calls whose time was read.
    pub timed: u64,
    /// Matrices worked on.
    pub matrices: u64,
    /// Calls without a result.
    pub failures: u64,
    /// Warnings given.
    pub warnings: u64,
    /// Calls that another engine or driver had to finish.
    pub fallbacks: u64,
    /// Warnings of ill-conditioning.
    pub doubtful: u64,
    /// Time within calls.
    pub seconds: f64,
    /// Median.
    pub p50: f64,
    /// 95 of 100 calls do not take longer.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// The longest.
    pub longest: f64,
    /// Calls within each of the bounds of `histogram::BOUNDS`, and last all whose duration is known.
    pub buckets: Vec<u64>,
    /// Times by phase.
    pub phases: Phases,
    /// Predicted against measured.
    pub expected: Expectation,
    /// Floating-point operations of all calls, by the textbook count; 0 where there is none.
    pub flops: f64,
    /// Bytes of operands and results of all calls, each counted once.
    pub bytes: f64,
    /// Bytes of copies of inputs.
    pub copied: f64,
    /// Bytes of scratch memory that a call took: the most so far.
    pub scratch: f64,
    /// Bytes moved between host and device.
    pub moved: f64,
    /// The least estimate of the reciprocal condition number.
    pub rcond: Option<f64>,
    /// Timed calls by the decade of their rcond: the last is 1 to 0.1, the first below 1e-16.
    pub rcond_decades: Vec<u64>,
    /// Where in the program some of the calls were made, with how many of those looked at.
    pub callers: BTreeMap<String, u64>,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// Counts the calls that are listed, from 1.
    pub number: u64,
    /// When it ended.
    pub at: f64,
    /// The operation.
    pub operation: String,
    /// Element type.
    pub dtype: String,
    /// Rows, columns, inner size and number of matrices.
    pub shape: [u64; 4],
    /// `cpu` or `opencl`.
    pub engine: String,
    /// Why.
    pub reason: String,
    /// Number of the thread in this process.
    pub thread: u64,
    /// Its time; `None` where it was not read.
    pub seconds: Option<f64>,
    /// Predicted for the CPU, and for the GPU with transfers.
    pub predicted: [Option<f64>; 2],
    /// Bytes of scratch memory: working copies and workspace.
    pub scratch: u64,
    /// Bytes moved between host and device.
    pub moved: u64,
    /// Estimate of the reciprocal condition number.
    pub rcond: Option<f64>,
    /// LAPACK's INFO, where the call failed by it.
    pub info: Option<i64>,
    /// Codes of failure and warnings.
    pub codes: Vec<String>,
    /// The first of their texts.
    pub text: String,
    /// Where in the program it was made; empty where nobody looked.
    pub caller: String,
}

/// One second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Second {
    /// Its end.
    pub at: f64,
    /// Calls ended in it, per second.
    pub calls: f64,
    /// Of these, on a GPU.
    pub gpu_calls: f64,
    /// Failures, per second.
    pub failures: f64,
    /// Threads that were within calls, on average.
    pub busy: f64,
    /// Floating-point operations per second.
    pub flops: f64,
    /// Processor time of the process, in cores.
    pub cpu: f64,
    /// Resident memory of the process.
    pub memory: f64,
    /// Memory that the pools of its devices have in use.
    pub pool: f64,
}

/// A device as this process uses it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its platform and driver.
    pub platform: String,
    /// Whether it is a CPU that runs OpenCL.
    pub is_cpu: bool,
    /// Whether `gpu="auto"` may use it.
    pub chosen: bool,
    /// Its memory.
    pub memory: u64,
    /// Its circuit breaker.
    pub breaker: String,
    /// The last failure.
    pub last_failure: Option<String>,
    /// Bytes in use, kept for later, the most in use so far, and the limit; `None` until it is used.
    pub pool: Option<[u64; 4]>,
    /// Where its configurations come from.
    pub tuning: String,
}

/// Something to do, with what shows that it is worth it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recommendation {
    /// The rule.
    pub rule: String,
    /// What to do, in a few words.
    pub title: String,
    /// The numbers.
    pub evidence: String,
    /// Python that does it.
    pub code: String,
    /// Seconds that it took.
    pub now: Option<f64>,
    /// Seconds that it would have taken.
    pub then: Option<f64>,
}

/// Something that will go wrong, or does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alert {
    /// What it is about: `memory`, `pool`, `failures`, `device`.
    pub topic: String,
    /// Whether it cannot wait.
    pub urgent: bool,
    /// One sentence with the numbers.
    pub text: String,
}

/// How much faster one engine is at one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Comparison {
    /// The operation.
    pub operation: String,
    /// Element type.
    pub dtype: String,
    /// Class of size.
    pub size: u64,
    /// Seconds of a call on the CPU.
    pub cpu: f64,
    /// Seconds of a call on the GPU, with transfers.
    pub gpu: f64,
    /// Whether each was measured; else it is the prediction.
    pub measured: [bool; 2],
}

/// All of a process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// Who it is.
    pub identity: Identity,
    /// `running`, `ended`, or `lost` if it ended without a word.
    pub state: String,
    /// When this was true.
    pub at: f64,
    /// Sums.
    pub totals: Totals,
    /// By operation, type, size and engine; the longest time first.
    pub rows: Vec<Row>,
    /// The last calls, oldest first.
    pub recent: Vec<Call>,
    /// The last seconds, oldest first.
    pub series: Vec<Second>,
    /// Devices.
    pub devices: Vec<Device>,
    /// CPU against GPU.
    pub comparisons: Vec<Comparison>,
    /// What to do.
    pub recommendations: Vec<Recommendation>,
    /// What goes wrong.
    pub alerts: Vec<Alert>,
}

/// A GPU as its vendor's interface tells it; what it does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GpuFigures {
    /// Its name.
    pub name: String,
    /// `nvml`, `amdgpu` or `intel`.
    pub source: String,
    /// Part of the last sample in which a kernel ran, 0 to 1.
    pub utilisation: Option<f64>,
    /// Memory in use by all processes.
    pub memory_used: Option<u64>,
    /// Its memory.
    pub memory_total: Option<u64>,
    /// Watts.
    pub power: Option<f64>,
    /// Watts that it may take.
    pub power_limit: Option<f64>,
    /// Degrees Celsius.
    pub temperature: Option<f64>,
    /// Clock in MHz.
    pub clock: Option<f64>,
    /// Why it runs slower than it could; empty where it does not.
    pub throttled: Vec<String>,
}

/// The machine as the process that serves the page sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// When.
    pub at: f64,
    /// Cores, and the time of them that this process may use.
    pub cores: usize,
    /// See `cores`; `None` without a limit.
    pub cpu_quota: Option<f64>,
    /// Processor time in use, in cores.
    pub cpu: Option<f64>,
    /// Mean number of processes that want to run: over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Memory of the machine.
    pub memory_total: Option<u64>,
    /// Memory that can still be had.
    pub memory_available: Option<u64>,
    /// Limit of the container, and what is in use of it.
    pub memory_limit: Option<u64>,
    /// See `memory_limit`.
    pub memory_used: Option<u64>,
    /// What shows that this is a container; `None` outside.
    pub container: Option<String>,
    /// Its number, and its image where the runtime tells it.
    pub container_id: Option<String>,
    /// See `container_id`.
    pub container_image: Option<String>,
    /// GPUs.
    pub gpus: Vec<GpuFigures>,
}
