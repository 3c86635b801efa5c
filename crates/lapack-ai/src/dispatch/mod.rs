//! Which engine computes, and why.
//!
//! The GPU engine does not compute in this version: the CPU always does, and every report says so. What the user asked
//! for is still honoured: `require` fails, `gpu=True` warns, the default is silent.

pub mod breaker;
pub mod calibrate;
pub mod model;
pub mod store;

use crate::config::config;
use crate::report::Engine;
use lapack_ai_core::{Code, Error, Result};
use std::borrow::Cow;

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
    /// On the CPU.
    Cpu,
}

/// The choice for one call.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Who computes.
    pub engine: Engine,
    /// Why, in a few words.
    pub reason: Cow<'static, str>,
    /// For a GPU asked for and not used.
    pub warning: Option<Error>,
}

const NO_ENGINE: &str = "this version computes on the CPU only";
const DISABLED: &str = "LAPACK_GPU_ENABLED is false";
const ASKED: &str = "asked for";

/// Chooses the engine of one call of `operation`.
///
/// # Errors
/// `LAP-E040` if a GPU is required and none can be used.
#[inline]
pub fn decide(operation: &'static str, device: Device) -> Result<Decision> {
    match device {
        Device::Auto => Ok(Decision { engine: Engine::Cpu, reason: NO_ENGINE.into(), warning: None }),
        Device::Cpu => Ok(Decision { engine: Engine::Cpu, reason: ASKED.into(), warning: None }),
        Device::Gpu | Device::RequireGpu => gpu_asked_for(operation, device),
    }
}

#[cold]
fn gpu_asked_for(operation: &'static str, device: Device) -> Result<Decision> {
    let reason = if config()?.gpu_enabled { NO_ENGINE } else { DISABLED };
    let found = match lapack_ai_opencl::discover() {
        Ok(devices) if devices.is_empty() => "OpenCL is installed but offers no device".to_string(),
        Ok(devices) => {
            let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
            format!("OpenCL devices found: {}", names.join(", "))
        }
        Err(why) => why,
    };
    if device == Device::RequireGpu {
        return Err(
            Error::text(Code::GpuUnavailable, operation, format!("a GPU is required, but {reason}")).because(found)
        );
    }
    let warning = Error::text(Code::GpuNotUsed, operation, format!("computed on the CPU: {reason}")).because(found);
    Ok(Decision { engine: Engine::Cpu, reason: reason.into(), warning: Some(warning) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_gpu_fails_while_a_wanted_one_warns_and_auto_is_silent() {
        assert_eq!(decide("svd", Device::RequireGpu).unwrap_err().code(), Code::GpuUnavailable);
        let wanted = decide("svd", Device::Gpu).unwrap();
        assert_eq!(wanted.warning.unwrap().code(), Code::GpuNotUsed);
        let auto = decide("svd", Device::Auto).unwrap();
        assert!(auto.warning.is_none() && !auto.reason.is_empty());
    }
}
