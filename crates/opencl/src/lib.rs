//! The GPU engine's ground: which OpenCL devices there are.
//!
//! The OpenCL loader is opened at run time; without one the library works and says what is missing. Kernels are not here
//! yet: [`discover`] serves the diagnosis of `doctor` and of `gpu=True`.

use opencl3::device::{CL_DEVICE_TYPE_ALL, CL_DEVICE_TYPE_CPU, Device};
use opencl3::error_codes::{DLOPEN_FUNCTION_NOT_AVAILABLE, DLOPEN_RUNTIME_LOAD_FAILED};
use opencl3::platform::get_platforms;

/// One OpenCL device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceInfo {
    /// Its own name, for example `NVIDIA H200`.
    pub name: String,
    /// The platform it belongs to, for example `NVIDIA CUDA` or `Portable Computing Language`.
    pub platform: String,
    /// Whether it is a CPU, which OpenCL lists beside GPUs.
    pub is_cpu: bool,
    /// Whether it computes in double precision.
    pub float64: bool,
    /// Global memory in bytes.
    pub memory: u64,
    /// Compute units.
    pub compute_units: u32,
}

/// All OpenCL devices of the machine, in the loader's order.
///
/// # Errors
/// What is missing, in words: no loader, or no driver registered with it.
pub fn discover() -> Result<Vec<DeviceInfo>, String> {
    let platforms = match get_platforms() {
        Ok(platforms) => platforms,
        Err(error) if error.0 == -1001 => return Err("no OpenCL driver is registered with the OpenCL loader".into()),
        Err(error) if matches!(error.0, DLOPEN_RUNTIME_LOAD_FAILED | DLOPEN_FUNCTION_NOT_AVAILABLE) => {
            return Err("no OpenCL loader is installed (libOpenCL.so.1)".into());
        }
        Err(error) => return Err(format!("the OpenCL loader failed: {error}")),
    };
    let mut found = Vec::new();
    for platform in platforms {
        let platform_name = platform.name().unwrap_or_default();
        for id in platform.get_devices(CL_DEVICE_TYPE_ALL).unwrap_or_default() {
            let device = Device::new(id);
            found.push(DeviceInfo {
                name: device.name().unwrap_or_default().trim().to_string(),
                platform: platform_name.trim().to_string(),
                is_cpu: device.dev_type().is_ok_and(|kind| kind & CL_DEVICE_TYPE_CPU != 0),
                float64: device.double_fp_config().is_ok_and(|config| config != 0),
                memory: device.global_mem_size().unwrap_or(0),
                compute_units: device.max_compute_units().unwrap_or(0),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_answers_with_devices_or_with_a_sentence_and_never_panics() {
        match discover() {
            Ok(devices) => assert!(devices.iter().all(|device| !device.name.is_empty())),
            Err(why) => assert!(why.contains("OpenCL"), "{why}"),
        }
    }
}
