//! Which engine computes, and why.
//!
//! An operation without GPU kernels is the CPU's, and [`decide`] says so. For one with kernels, [`run`] asks the cost model
//! (`model`), the device's circuit breaker (`breaker`) and the memory, lets the chosen engine compute, and lets the CPU
//! step in where a device fails. What the user asked for is honoured: `require` fails where the GPU does, `gpu=True` warns,
//! the default tells the report.

pub mod breaker;
pub mod calibrate;
pub mod model;
pub mod store;

use crate::config::config;
use crate::gpu::{self, Lease, Slot};
use crate::report::{Engine, Report, Times};
use lapack_ai_core::{Code, Error, Result};
use lapack_ai_opencl::{Fault, FaultKind, Gpu};
use std::borrow::Cow;
use std::sync::Arc;

/// Where the user wants a call to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// Wherever it is fastest.
    #[default]
    Auto,
    /// On a GPU; where none is usable the CPU computes and a warning says why.
    Gpu,
    /// On a GPU or not at all.
    RequireGpu,
    /// On the OpenCL device of that number; where it is not usable the CPU computes and a warning says why.
    On(usize),
    /// On the CPU.
    Cpu,
}

/// The choice for a call of an operation without GPU kernels.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Who computes.
    pub engine: Engine,
    /// Why, in a few words.
    pub reason: Cow<'static, str>,
    /// For a GPU asked for and not used.
    pub warning: Option<Error>,
}

const NO_KERNEL: &str = "this operation has no GPU kernel yet";
pub(crate) const NO_GPU_ENABLED: &str = "LAPACK_GPU_ENABLED is false";
const ASKED: &str = "asked for";
const TOO_SMALL: &str = "too small to be worth a GPU";
const NO_GPU: &str = "no GPU was found";

/// Chooses the engine of one call of `operation`, which has no GPU kernels.
///
/// # Errors
/// `LAP-E040` if a GPU is required.
#[inline]
pub fn decide(operation: &'static str, device: Device) -> Result<Decision> {
    match device {
        Device::Auto => Ok(Decision { engine: Engine::Cpu, reason: NO_KERNEL.into(), warning: None }),
        Device::Cpu => Ok(Decision { engine: Engine::Cpu, reason: ASKED.into(), warning: None }),
        Device::Gpu | Device::On(_) | Device::RequireGpu => without_kernel(operation, device),
    }
}

#[cold]
fn without_kernel(operation: &'static str, device: Device) -> Result<Decision> {
    let enabled = config()?.gpu_enabled;
    let (reason, found) = match gpu::choose(device) {
        _ if !enabled => (NO_GPU_ENABLED, "the setting keeps every call on the CPU".to_string()),
        Ok(slot) => (NO_KERNEL, format!("the GPU in use is {}", slot.info().name)),
        Err(why) => (NO_GPU, why),
    };
    if device == Device::RequireGpu {
        return Err(unavailable(operation, reason, found));
    }
    let warning = not_used(operation, reason, found);
    Ok(Decision { engine: Engine::Cpu, reason: reason.into(), warning: Some(warning) })
}

#[cold]
fn unavailable(operation: &'static str, reason: &str, cause: String) -> Error {
    Error::text(Code::GpuUnavailable, operation, format!("a GPU is required, but {reason}")).because(cause)
}

#[cold]
fn not_used(operation: &'static str, reason: &str, cause: String) -> Error {
    Error::text(Code::GpuNotUsed, operation, format!("computed on the CPU: {reason}")).because(cause)
}

/// A fault as the error of an operation that the CPU cannot do instead.
#[cold]
pub(crate) fn fault_error(operation: &'static str, fault: &Fault) -> Error {
    let code = match fault.kind {
        FaultKind::Cancelled => return gpu::cancelled(operation),
        FaultKind::OutOfMemory => Code::OutOfMemory,
        FaultKind::NoDevice | FaultKind::NoFloat64 | FaultKind::Forked => Code::GpuUnavailable,
        _ => Code::GpuFailed,
    };
    Error::text(code, operation, fault.text.clone())
}

/// Who computes a call of an operation that has GPU kernels.
enum Plan {
    Cpu { reason: Cow<'static, str>, warning: Option<Error> },
    Gpu { lease: Lease, gpu: Gpu, reason: Cow<'static, str> },
}

/// Computes a call on the engine that is chosen for it, on the CPU if a device fails, and notes both in the report.
///
/// # Errors
/// Those of `on_cpu`; `LAP-E040` and `LAP-E041` if a GPU is required; `LAP-E035` if the caller ended the call.
pub(crate) fn run<R>(
    operation: &'static str,
    device: Device,
    case: &Case,
    report: &mut Report,
    on_gpu: impl FnOnce(&'static Slot, &Gpu, &mut Report) -> std::result::Result<R, Fault>,
    on_cpu: impl FnOnce(&mut Report) -> Result<R>,
) -> Result<R> {
    let (lease, gpu, reason) = match plan(operation, device, case, report)? {
        Plan::Cpu { reason, warning } => {
            report.reason = reason;
            report.warnings.extend(warning);
            return learn_cpu(case, report, on_cpu);
        }
        Plan::Gpu { lease, gpu, reason } => (lease, gpu, reason),
    };
    let slot = lease.slot;
    report.engine = Engine::OpenCl;
    report.reason = reason;
    report.device = Some(Arc::from(slot.info().name.as_str()));
    let outcome = on_gpu(slot, &gpu, report);
    match lease.settle(outcome) {
        Ok(result) => {
            learn_gpu(slot, case, report);
            Ok(result)
        }
        Err(fault) if gpu::was_cancelled(&fault) => Err(gpu::cancelled(operation)),
        Err(fault) if device == Device::RequireGpu => Err(fault_error(operation, &fault)),
        Err(fault) => {
            let reason = format!("{} failed: {fault}", slot.info().name);
            report.warnings.push(not_used(operation, &reason, "the CPU stepped in".to_string()));
            report.engine = Engine::Cpu;
            report.reason = reason.into();
            report.device = None;
            report.chunks = 1;
            report.verified = false;
            report.spans.clear();
            report.times = Times::default();
            on_cpu(report)
        }
    }
}
