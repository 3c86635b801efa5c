//! Which engine computes, and why.
//!
//! An operation without GPU kernels is the CPU's, and [`decide`] says so. For one with kernels, `run` asks the cost model
//! (`model`), the device's circuit breaker (`breaker`) and the memory, lets the chosen engine compute, and lets the CPU
//! step in where a device fails. What the user asked for is honoured: `require` fails where the GPU does, `gpu=True` warns,
//! the default tells the report.

pub mod breaker;
pub mod calibrate;
pub(crate) mod known;
pub mod model;
pub mod store;

use crate::config::config;
use crate::gpu::{self, Lease, Slot};
use crate::ops::svd::Vectors;
use crate::report::{Engine, Prediction, Report, Times};
use lapack_ai_core::{Code, Error, Result};
use lapack_ai_opencl::{Fault, FaultKind, Gpu};
use model::{Case, Choice, Moves, OpKind, Rates, Source};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

pub use known::calibrate_now;

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
const FORKED: &str = "this process was forked from one that uses OpenCL";

/// Chooses the engine of one call of `operation`, which has no GPU kernels.
///
/// # Errors
/// `LAP-E040` if a GPU is required.
#[inline]
pub fn decide(operation: &'static str, device: Device) -> Result<Decision> {
    decide_because(operation, device, NO_KERNEL)
}

/// As [`decide`], for a call that only the CPU can compute, for the reason given.
///
/// # Errors
/// `LAP-E040` if a GPU is required.
#[inline]
pub(crate) fn decide_because(operation: &'static str, device: Device, why: &'static str) -> Result<Decision> {
    match device {
        Device::Auto => Ok(Decision { engine: Engine::Cpu, reason: why.into(), warning: None }),
        Device::Cpu => Ok(Decision { engine: Engine::Cpu, reason: ASKED.into(), warning: None }),
        Device::Gpu | Device::On(_) | Device::RequireGpu => without_kernel(operation, device, why),
    }
}

#[cold]
fn without_kernel(operation: &'static str, device: Device, why: &'static str) -> Result<Decision> {
    let enabled = config()?.gpu_enabled;
    let (reason, found) = match gpu::choose(device) {
        _ if !enabled => (NO_GPU_ENABLED, "the setting keeps every call on the CPU".to_string()),
        Ok(slot) => (why, format!("the GPU in use is {}", slot.info().name)),
        Err(why) => (no_gpu(), why),
    };
    if device == Device::RequireGpu {
        return Err(unavailable(operation, reason, found));
    }
    let warning = not_used(operation, reason, found);
    Ok(Decision { engine: Engine::Cpu, reason: reason.into(), warning: Some(warning) })
}

/// Why there is no GPU, in a few words.
#[cold]
fn no_gpu() -> &'static str {
    if gpu::is_forked() { FORKED } else { NO_GPU }
}

#[cold]
fn unavailable(operation: &'static str, reason: &str, cause: String) -> Error {
    Error::text(Code::GpuUnavailable, operation, format!("a GPU is required, but {reason}")).because(cause)
}

#[cold]
pub(crate) fn not_used(operation: &'static str, reason: &str, cause: String) -> Error {
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
    run_where_it_fits(operation, device, (case, true), &|_| Ok(()), report, on_gpu, on_cpu)
}

/// As [`run`] for a call that `case` stands in for: its times teach the model nothing.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_untaught<R>(
    operation: &'static str,
    device: Device,
    case: &Case,
    report: &mut Report,
    on_gpu: impl FnOnce(&'static Slot, &Gpu, &mut Report) -> std::result::Result<R, Fault>,
    on_cpu: impl FnOnce(&mut Report) -> Result<R>,
) -> Result<R> {
    run_where_it_fits(operation, device, (case, false), &|_| Ok(()), report, on_gpu, on_cpu)
}

/// Whether a device can compute a call, or why not.
pub(crate) type Fits<'a> = &'a dyn Fn(&Gpu) -> std::result::Result<(), String>;

/// As [`run`] for a call that a device may be too small for; whether its times teach the model is said beside the case.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_where_it_fits<R>(
    operation: &'static str,
    device: Device,
    (case, teaches): (&Case, bool),
    fits: Fits<'_>,
    report: &mut Report,
    on_gpu: impl FnOnce(&'static Slot, &Gpu, &mut Report) -> std::result::Result<R, Fault>,
    on_cpu: impl FnOnce(&mut Report) -> Result<R>,
) -> Result<R> {
    let (lease, gpu, reason) = match plan(operation, device, case, fits, report)? {
        Plan::Cpu { reason, warning } => {
            report.reason = reason;
            report.warnings.extend(warning);
            return if teaches { learn_cpu(case, report, on_cpu) } else { on_cpu(report) };
        }
        Plan::Gpu { lease, gpu, reason } => (lease, gpu, reason),
    };
    let slot = lease.slot;
    report.warnings.extend(slot.tuned.take_warning());
    report.engine = Engine::OpenCl;
    report.reason = reason;
    report.device = Some(Arc::from(slot.info().name.as_str()));
    let outcome = on_gpu(slot, &gpu, report);
    match lease.settle(outcome) {
        Ok(result) => {
            if teaches {
                learn_gpu(slot, case, report);
            }
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

/// Chooses the engine, notes the prediction.
fn plan(operation: &'static str, device: Device, case: &Case, fits: Fits<'_>, report: &mut Report) -> Result<Plan> {
    let on_cpu = |reason: Cow<'static, str>| Ok(Plan::Cpu { reason, warning: None });
    match device {
        Device::Cpu => on_cpu(ASKED.into()),
        Device::Auto if !worth_asking(case) => on_cpu(TOO_SMALL.into()),
        Device::Auto if !gpu::available() => on_cpu(no_gpu().into()),
        Device::Auto => choose_by_model(case, fits, report),
        Device::Gpu | Device::On(_) | Device::RequireGpu => {
            let enabled = config()?.gpu_enabled;
            let refused = |reason: &str, cause: String| {
                if device == Device::RequireGpu {
                    return Err(unavailable(operation, reason, cause));
                }
                let warning = Some(not_used(operation, reason, cause));
                Ok(Plan::Cpu { reason: reason.to_string().into(), warning })
            };
            if !enabled {
                return refused(NO_GPU_ENABLED, "the setting keeps every call on the CPU".to_string());
            }
            match gpu::choose(device) {
                Err(why) => refused(no_gpu(), why),
                Ok(slot) => match ready(slot, case, fits) {
                    Ok((lease, gpu)) => Ok(Plan::Gpu { lease, gpu, reason: ASKED.into() }),
                    Err(why) => refused(&why, format!("{} was asked for", slot.info().name)),
                },
            }
        }
    }
}

/// Below this work no GPU is asked: the answer would cost as much as the call.
#[inline]
pub(crate) fn worth_asking(case: &Case) -> bool {
    case.flops_each() * case.batch as f64 > 1e6
}

/// The device and leave to use it, or why not.
fn ready(slot: &'static Slot, case: &Case, fits: Fits<'_>) -> std::result::Result<(Lease, Gpu), String> {
    if case.dtype.is_double() && !slot.info().float64 {
        return Err(format!("{} has no double precision", slot.info().name));
    }
    let lease = slot.lease()?;
    match slot.gpu() {
        // The lease ends unused where it does not fit.
        Ok(gpu) => fits(&gpu).map(|()| (lease, gpu)),
        Err(fault) => Err(lease.settle::<Gpu>(Err(fault)).map_or_else(|fault| fault.text, |_| String::new())),
    }
}

fn choose_by_model(case: &Case, fits: Fits<'_>, report: &mut Report) -> Result<Plan> {
    let slot = match gpu::choose(Device::Auto) {
        Ok(slot) => slot,
        Err(why) => return Ok(Plan::Cpu { reason: why.into(), warning: None }),
    };
    let choice = choice_for(slot, case, Moves::all(case));
    report.prediction = Some(choice.prediction);
    let reason = Cow::Owned(choice.reason());
    if choice.engine == Engine::Cpu {
        return Ok(Plan::Cpu { reason, warning: None });
    }
    match ready(slot, case, fits) {
        Ok((lease, gpu)) => Ok(Plan::Gpu { lease, gpu, reason }),
        Err(why) => Ok(Plan::Cpu { reason: why.into(), warning: None }),
    }
}

/// What the model says, after the operation was measured if it was time for that.
fn choice_for(slot: &'static Slot, case: &Case, moves: Moves) -> Choice {
    let known = known::of_slot(slot);
    let model = known.model();
    let choice = model.choose(case, moves);
    if !known::is_uncertain(&model, case) {
        return choice;
    }
    known.note_uncertain(slot, case, choice.prediction.cpu.unwrap_or(0.0));
    known.model().choose(case, moves)
}

/// Whether operands that lie on a device are better worked on there, where the results stay too, than fetched by the CPU.
pub(crate) fn prefers_device(slot: &'static Slot, case: &Case) -> bool {
    if !worth_asking(case) {
        return false;
    }
    let prediction = choice_for(slot, case, Moves::none()).prediction;
    // The CPU would have to move what a device has to for operands of the host.
    let moved = known::of_slot(slot).model().moving(Moves::all(case));
    prediction.gpu.zip(prediction.cpu).is_some_and(|(gpu, cpu)| gpu < cpu + moved)
}

/// Computes on the CPU, and learns from a call that was long enough to have been asked about.
fn learn_cpu<R>(case: &Case, report: &mut Report, on_cpu: impl FnOnce(&mut Report) -> Result<R>) -> Result<R> {
    if report.prediction.is_none() {
        return on_cpu(report);
    }
    let started = Instant::now();
    let result = on_cpu(report)?;
    if let Ok(slot) = gpu::choose(Device::Auto) {
        known::of_slot(slot).learn(case, Engine::Cpu, started.elapsed().as_secs_f64(), 0.0);
    }
    Ok(result)
}

fn learn_gpu(slot: &'static Slot, case: &Case, report: &Report) {
    // Asked for in any case: what is known is known for a LAPACK, and the first call is to open it, not one that happens to
    // run beside a fork, whose child would miss what OpenBLAS does before.
    let known = known::of_slot(slot);
    // Pieces and checks are no part of the model.
    if report.chunks == 1 && !report.verified {
        let (compute, transfer) = (report.times.compute.as_secs_f64(), report.times.transfer.as_secs_f64());
        known.learn(case, Engine::OpenCl, compute + transfer, transfer);
    }
}

/// What the model says of a call with operands at the host, without opening the device or measuring anything: cheap enough
/// for a whole map of sizes.
pub fn predict(case: &Case) -> Choice {
    let (known, _) = known::current();
    known.model().choose(case, Moves::all(case))
}

/// The device that `gpu="auto"` would use, and what was measured of it or else follows from its driver's figures.
pub fn device_rates() -> Option<(&'static str, Rates, Source)> {
    let (known, slot) = known::current();
    let (rates, source) = known.model().device_rates()?;
    Some((slot?.info().name.as_str(), rates, source))
}

/// What `gpu="auto"` would do with a call, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Who would compute.
    pub engine: Engine,
    /// Why, in one sentence with the numbers.
    pub reason: String,
    /// The predicted times.
    pub prediction: Prediction,
    /// Whether they come from measured times.
    pub measured: bool,
    /// The device that was considered.
    pub device: Option<&'static str>,
    /// Bytes that the device would need, and bytes that it has to give; `None` without a device or a kernel.
    pub memory: Option<(usize, usize)>,
}

/// Explains the choice for `case` with operands at the host, without computing.
pub fn explain(case: &Case) -> Explanation {
    let (known, slot) = known::current();
    let model = known.model();
    let choice = model.choose(case, Moves::all(case));
    let gpu = slot.and_then(|slot| slot.gpu().ok());
    let need = |gpu: &Gpu| match svd_vectors(case) {
        Some(vectors) => gpu::svd::bytes(gpu, [case.m, case.n], case.dtype, vectors),
        None => case.operand_bytes().iter().sum::<usize>() + case.result_bytes(),
    };
    // What the device does not take it is not asked for.
    let refused = gpu
        .as_ref()
        .zip(svd_vectors(case))
        .filter(|_| choice.engine == Engine::OpenCl)
        .and_then(|(gpu, vectors)| gpu::svd::fits(gpu, [case.m, case.n], case.dtype, vectors, 0).err());
    let has_kernel = choice.prediction.gpu.is_some();
    let reason = match slot {
        None => gpu::choose(Device::Auto).map_or_else(|why| why, |_| String::new()),
        Some(_) if !worth_asking(case) => TOO_SMALL.to_string(),
        Some(_) => refused.clone().unwrap_or_else(|| choice.reason()),
    };
    Explanation {
        engine: if worth_asking(case) && refused.is_none() { choice.engine } else { Engine::Cpu },
        reason,
        prediction: choice.prediction,
        measured: choice.source == Source::Measured,
        device: slot.map(|slot| slot.info().name.as_str()),
        memory: gpu.filter(|_| has_kernel).map(|gpu| (need(&gpu), gpu.available())),
    }
}

/// The vectors of a case that is a singular value decomposition.
fn svd_vectors(case: &Case) -> Option<Vectors> {
    match case.op {
        OpKind::Svd => Some(Vectors::Thin),
        OpKind::SvdVals => Some(Vectors::None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_kernels_a_required_gpu_fails_while_a_wanted_one_warns_and_auto_is_silent() {
        assert_eq!(decide("qr", Device::RequireGpu).unwrap_err().code(), Code::GpuUnavailable);
        let wanted = decide("qr", Device::Gpu).unwrap();
        assert_eq!(wanted.warning.unwrap().code(), Code::GpuNotUsed);
        let auto = decide("qr", Device::Auto).unwrap();
        assert!(auto.warning.is_none() && !auto.reason.is_empty());
    }

    #[test]
    fn small_calls_do_not_ask_for_a_gpu() {
        assert!(!worth_asking(&Case::matmul(lapack_ai_core::DType::Float64, 64, 64, 64)));
        assert!(worth_asking(&Case::matmul(lapack_ai_core::DType::Float64, 256, 256, 256)));
    }
}
