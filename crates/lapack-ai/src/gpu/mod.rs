//! The GPU side of the library: which device is used, whether it may be used now, and what its memory holds.
//!
//! Every OpenCL device of the machine has a [`Slot`] for the life of the process: its circuit breaker, and the opened
//! device once somebody used it. A device that was lost is opened anew by the next call that the breaker lets through.

pub mod array;
mod array_product;
mod array_svd;
mod chunks;
mod gemm_alpha;
pub(crate) mod half;
pub(crate) mod matmul;
pub(crate) mod svd;
mod transfer;
pub(crate) mod triple;
pub mod tuning;
mod verify;
mod verify_svd;

use crate::cancel;
use crate::config::config;
use crate::container::Container;
use crate::dispatch::breaker::{Breaker, Permit, State};
use crate::dispatch::known::Known;
use crate::dispatch::store::Store;
use crate::dispatch::{Device, NO_GPU_ENABLED};
use lapack_ai_core::{Code, Error, Result};
use lapack_ai_opencl::{Candidate, DeviceInfo, Fault, FaultKind, Gpu, PoolStats, ProgramStats, Settings, candidates};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use verify::Credit;

/// One OpenCL device of this machine.
#[derive(Debug)]
pub struct Slot {
    /// Its number, as [`devices`] counts.
    pub index: usize,
    candidate: &'static Candidate,
    breaker: Breaker,
    opened: Mutex<Option<Gpu>>,
    pub(crate) credit: Credit,
    pub(crate) known: OnceLock<Known>,
    pub(crate) tuned: tuning::Kept,
}

/// How a device stands, for people.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its number: what `device=` takes, beside a part of its name.
    pub index: usize,
    /// What is known of it.
    pub info: DeviceInfo,
    /// Whether `gpu="auto"` may use it.
    pub chosen: bool,
    /// Its circuit breaker.
    pub breaker: State,
    /// The last failure in words; `None` if there was none.
    pub last_failure: Option<String>,
    /// Its memory pool; `None` until it is used.
    pub pool: Option<PoolStats>,
    /// Pinned host memory for its transfers, in bytes, at most; `None` until it is used.
    pub staging: Option<usize>,
    /// How its programs came to be; `None` until it is used.
    pub programs: Option<ProgramStats>,
    /// Where the configurations of its matrix products come from.
    pub tuning: String,
}

/// A device with leave to use it once.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) slot: &'static Slot,
    permit: Permit<'static>,
}

impl Lease {
    /// Says what became of the call, and passes it on.
    pub(crate) fn settle<R>(self, outcome: std::result::Result<R, Fault>) -> std::result::Result<R, Fault> {
        match &outcome {
            Ok(_) => self.permit.succeeded(),
            Err(fault) if fault.kind.counts_against_device() => self.permit.failed(Instant::now(), fault.text.clone()),
            // No verdict: the permit ends unused.
            Err(_) => drop(self.permit),
        }
        outcome
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All devices.
pub(crate) fn slots() -> std::result::Result<&'static [Slot], Fault> {
    static SLOTS: OnceLock<Vec<Slot>> = OnceLock::new();
    // Asked each time: the answer is another one in a forked child.
    let found = candidates()?;
    let limits = config().map_or((5, 300), |config| (config.gpu_breaker_failures, config.gpu_breaker_seconds));
    let slot = |(index, candidate)| Slot {
        index,
        candidate,
        breaker: Breaker::new(limits.0, Duration::from_secs(u64::from(limits.1))),
        opened: Mutex::new(None),
        credit: Credit::default(),
        known: OnceLock::new(),
        tuned: tuning::Kept::default(),
    };
    Ok(SLOTS.get_or_init(|| found.iter().enumerate().map(slot).collect()))
}

/// Whether this process was forked from one that uses OpenCL, and so cannot.
pub(crate) fn is_forked() -> bool {
    candidates().is_err_and(|fault| fault.kind == FaultKind::Forked)
}

impl Slot {
    /// What is known of the device.
    pub fn info(&self) -> &'static DeviceInfo {
        &self.candidate.info
    }

    /// The device, opened if it is not, or not any more.
    pub(crate) fn gpu(&self) -> std::result::Result<Gpu, Fault> {
        let mut opened = lock(&self.opened);
        match &*opened {
            Some(gpu) if !gpu.is_lost() => Ok(gpu.clone()),
            _ => {
                let gpu = Gpu::open(self.candidate, &settings())?;
                gpu.set_tuned(self.tuned.load(self.info()));
                *opened = Some(gpu.clone());
                Ok(gpu)
            }
        }
    }

    /// Leave to use it once, or why not.
    pub(crate) fn lease(&'static self) -> std::result::Result<Lease, String> {
        match self.breaker.permit(Instant::now()) {
            Some(permit) => Ok(Lease { slot: self, permit }),
            None => Err(format!(
                "{} failed too often ({}; breaker {})",
                self.info().name,
                self.breaker.last_failure().unwrap_or_default(),
                self.breaker.state(Instant::now())
            )),
        }
    }
}

fn settings() -> Settings {
    let container = Container::of_this_process();
    let mut settings = Settings { host_limit: container.memory_headroom, cache: cache_folder(), ..Settings::default() };
    if let Ok(config) = config() {
        settings.memory_percent = config.gpu_memory_limit;
        settings.timeout = Duration::from_secs(u64::from(config.gpu_timeout_seconds));
    }
    if let Some(quota) = container.cpu_quota {
        settings.threads = settings.threads.min(quota.ceil().max(1.0) as usize);
    }
    settings
}

fn cache_folder() -> Option<PathBuf> {
    Store::of_this_process().map(|store| store.directory().join("kernels"))
}

/// The device that serves `device`, whether or not its breaker lets calls through.
///
/// # Errors
/// Why there is none, in words.
pub(crate) fn choose(device: Device) -> std::result::Result<&'static Slot, String> {
    if let Device::On(index) = device {
        let slots = slots().map_err(|fault| fault.text)?;
        return slots.get(index).ok_or_else(|| format!("there is no OpenCL device {index}"));
    }
    static CHOSEN: OnceLock<std::result::Result<usize, String>> = OnceLock::new();
    let slots = match slots() {
        Ok(slots) => slots,
        Err(fault) => return Err(fault.text),
    };
    CHOSEN.get_or_init(|| choose_among(slots)).clone().map(|index| &slots[index])
}

/// Whether a GPU may be used by calls that do not ask for one: asked by every call that could profit.
pub(crate) fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| choose(Device::Auto).is_ok())
}

fn choose_among(slots: &[Slot]) -> std::result::Result<usize, String> {
    let names = || slots.iter().map(|slot| slot.info().name.as_str()).collect::<Vec<_>>().join(", ");
    let config = config().map_err(|error| error.to_string())?;
    if !config.gpu_enabled {
        return Err(NO_GPU_ENABLED.to_string());
    }
    if slots.is_empty() {
        return Err("OpenCL is installed but offers no device".to_string());
    }
    if let Some(wanted) = &config.gpu_device {
        return matching(slots, wanted)
            .ok_or_else(|| format!("no OpenCL device matches LAPACK_GPU_DEVICE={wanted}; found: {}", names()));
    }
    // Double precision first, then what the hardware promises.
    let rank = |slot: &&Slot| {
        let info = slot.info();
        (info.float64, u64::from(info.compute_units) * u64::from(info.clock_mhz), info.memory)
    };
    let best = slots.iter().filter(|slot| !slot.info().is_cpu).max_by_key(rank);
    best.map(|slot| slot.index).ok_or_else(|| format!("no GPU among the OpenCL devices: {}", names()))
}

/// The device whose name or platform has `wanted` in it, or the first CPU for "cpu"; a number counts devices.
fn matching(slots: &[Slot], wanted: &str) -> Option<usize> {
    let wanted = wanted.to_lowercase();
    if let Ok(index) = wanted.parse::<usize>() {
        return (index < slots.len()).then_some(index);
    }
    // What people call it, and what its platform calls itself.
    let wanted = if wanted == "pocl" { "portable computing language".to_string() } else { wanted };
    let named = |slot: &&Slot| {
        let info = slot.info();
        info.name.to_lowercase().contains(&wanted) || info.platform.to_lowercase().contains(&wanted)
    };
    let cpu = |slot: &&Slot| wanted == "cpu" && slot.info().is_cpu;
    slots.iter().find(cpu).or_else(|| slots.iter().find(named)).map(|slot| slot.index)
}

/// The device that `name` means: a part of its name or its platform's, a number, or "cpu".
///
/// # Errors
/// `LAP-E040` with the devices that there are.
pub fn device_named(name: &str) -> Result<Device> {
    let fail = |text: String| Err(Error::text(Code::GpuUnavailable, "device", text));
    let slots = match slots() {
        Ok(slots) => slots,
        Err(fault) => return fail(fault.text),
    };
    match matching(slots, name) {
        Some(index) => Ok(Device::On(index)),
        None => {
            let names: Vec<&str> = slots.iter().map(|slot| slot.info().name.as_str()).collect();
            fail(format!("no OpenCL device matches '{name}'; found: {}", names.join(", ")))
        }
    }
}

/// All OpenCL devices of this machine and how they stand; empty where there is no OpenCL.
pub fn devices() -> Vec<Status> {
    let chosen = choose(Device::Auto).ok().map(|slot| slot.index);
    let status = |slot: &Slot| {
        let opened = lock(&slot.opened);
        Status {
            index: slot.index,
            info: slot.info().clone(),
            chosen: chosen == Some(slot.index),
            breaker: slot.breaker.state(Instant::now()),
            last_failure: slot.breaker.last_failure(),
            pool: opened.as_ref().map(Gpu::pool),
            staging: opened.as_ref().map(Gpu::staging_bytes),
            programs: opened.as_ref().map(Gpu::programs),
            tuning: slot.tuned.tables(slot.info()).to_string(),
        }
    };
    slots().map_or_else(|_| Vec::new(), |slots| slots.iter().map(status).collect())
}

/// Releases memory that the pools of all opened devices keep for later. Returns the bytes.
pub fn trim() -> usize {
    let trim = |slot: &Slot| lock(&slot.opened).as_ref().map_or(0, Gpu::trim);
    slots().map_or(0, |slots| slots.iter().map(trim).sum())
}

fn slot_of(device: Device) -> Result<&'static Slot> {
    choose(device).map_err(|why| Error::text(Code::GpuUnavailable, "device", why))
}

/// Sets how many bytes of a device's memory the library may use. Returns the former limit.
///
/// # Errors
/// `LAP-E040` if there is no such device, `LAP-E041` if it cannot be opened.
pub fn set_memory_limit(device: Device, bytes: usize) -> Result<usize> {
    let gpu = slot_of(device)?.gpu().map_err(|fault| crate::dispatch::fault_error("device", &fault))?;
    let former = gpu.pool().limit;
    gpu.trim();
    gpu.set_memory_limit(bytes);
    Ok(former)
}

/// Closes a device's circuit breaker at once, for whoever has mended the device. Nothing happens if there is none.
pub fn close_breaker(device: Device) {
    if let Ok(slot) = choose(device) {
        slot.breaker.reset();
    }
}

/// Lets go of an opened device; the next call opens it anew. Arrays on it stay valid.
pub fn forget(device: Device) {
    if let Ok(slot) = choose(device) {
        *lock(&slot.opened) = None;
    }
}

/// Makes the next `times` opportunities for a fault ("allocation", "build", "lost", "timeout", "wrong", "stall") fail, for tests of
/// what follows. Returns whether the name is known.
pub fn inject_fault(name: &str, times: u32) -> bool {
    lapack_ai_opencl::inject(name, times)
}

/// Has the next product on a device checked, whatever the credit. For tests.
pub fn check_next(device: Device) {
    if let Ok(slot) = choose(device) {
        slot.credit.grant();
    }
}

/// The error of a call that ends because its caller asked for it.
#[cold]
pub(crate) fn cancelled(operation: &'static str) -> Error {
    Error::text(Code::Cancelled, operation, "the call was ended before it was done")
}

/// Looks at the flag under which this thread works; for transfers, which other threads make.
pub(crate) fn interrupt() -> impl Fn() -> bool + Sync {
    let flag = cancel::current();
    move || flag.as_ref().is_some_and(cancel::CancelFlag::is_raised)
}

/// Whether a fault is the caller's wish and not the device's failure.
pub(crate) fn was_cancelled(fault: &Fault) -> bool {
    fault.kind == FaultKind::Cancelled
}
