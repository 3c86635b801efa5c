//! Which OpenCL devices there are.
//!
//! The loader (`libOpenCL`) lists the drivers that an ICD file names. NVIDIA's container toolkit mounts the driver but not
//! that file, so the loader then answers -1001 although everything is there. In that case the driver is opened by name and
//! asked for its platforms by the function that the loader itself would use (`clIcdGetPlatformIDsKHR` of
//! `cl_khr_icd`); its objects carry their table of functions with them, so the loader serves all later calls.

use crate::fault::{Fault, FaultKind};
use crate::handle::enter_process;
use crate::signals::keeping_handlers;
use opencl3::device::{CL_DEVICE_TYPE_ALL, CL_DEVICE_TYPE_CPU, CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT, Device};
use opencl3::error_codes::{DLOPEN_FUNCTION_NOT_AVAILABLE, DLOPEN_RUNTIME_LOAD_FAILED};
use opencl3::platform::{Platform, get_platforms};
use opencl3::types::{cl_device_id, cl_int, cl_platform_id, cl_uint};
use std::ffi::{CStr, c_char, c_void};
use std::sync::OnceLock;

/// How a driver was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// An ICD file names it.
    Loader,
    /// No ICD file names it; it was opened by its own name.
    Name(&'static str),
}

impl FoundBy {
    /// In words.
    pub fn describe(self) -> String {
        match self {
            FoundBy::Loader => "the OpenCL loader".to_string(),
            FoundBy::Name(library) => format!("{library}, which no ICD file names"),
        }
    }
}

/// One OpenCL device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceInfo {
    /// Its own name, for example `NVIDIA H200`.
    pub name: String,
    /// The platform it belongs to, for example `NVIDIA CUDA` or `Portable Computing Language`.
    pub platform: String,
    /// Version of the platform, as it gives it.
    pub platform_version: String,
    /// Version of the driver.
    pub driver: String,
    /// Whether it is a CPU, which OpenCL lists beside GPUs.
    pub is_cpu: bool,
    /// Whether its memory is the host's.
    pub shares_host_memory: bool,
    /// Whether it computes in double precision.
    pub float64: bool,
    /// Whether programs can ask for single-precision quotients and square roots that are rounded correctly.
    pub rounds_float32: bool,
    /// Global memory in bytes.
    pub memory: u64,
    /// The largest single buffer in bytes (`CL_DEVICE_MAX_MEM_ALLOC_SIZE`).
    pub max_allocation: u64,
    /// Local memory of a work-group in bytes.
    pub local_memory: u64,
    /// Most work-items of a work-group.
    pub max_work_group: usize,
    /// Compute units.
    pub compute_units: u32,
    /// Highest clock rate in MHz, as the driver tells it.
    pub clock_mhz: u32,
    /// NVIDIA's compute capability.
    pub compute_capability: Option<(u32, u32)>,
    /// How its driver was found.
    pub found_by: FoundBy,
}

impl DeviceInfo {
    /// The devices among which what is best on one is likely to be good on the others: NVIDIA's of one compute capability,
    /// CPUs of one platform. Any other device is a family of its own.
    pub fn family(&self) -> String {
        match self.compute_capability {
            Some((major, minor)) => format!("NVIDIA, compute capability {major}.{minor}"),
            None if self.is_cpu => format!("{}, CPU", self.platform),
            None => format!("{}, {}", self.platform, self.name),
        }
    }
}

/// A device that can be opened.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What is known of it.
    pub info: DeviceInfo,
    pub(crate) id: DeviceId,
}

/// OpenCL's handle of a device, valid for the life of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeviceId(pub(crate) cl_device_id);

// SAFETY: a root device's handle is a constant of the process; OpenCL's functions may be called from any thread.
unsafe impl Send for DeviceId {}
// SAFETY: as above.
unsafe impl Sync for DeviceId {}

/// Drivers that are asked by name where no ICD file names them: file and a part of the platform's name.
const UNREGISTERED: [(&str, &str); 1] = [("libnvidia-opencl.so.1", "NVIDIA")];

/// All OpenCL devices of the machine, in the loader's order; asked for once in a process.
///
/// # Errors
/// What is missing, in words: no loader, no driver, or a process that was forked from one that uses OpenCL.
pub fn candidates() -> Result<&'static [Candidate], Fault> {
    static FOUND: OnceLock<Result<Vec<Candidate>, Fault>> = OnceLock::new();
    if !enter_process() {
        let text = "this process was forked from one that uses OpenCL; start it with the method \"spawn\" to use a GPU";
        return Err(Fault::new(FaultKind::Forked, text));
    }
    FOUND.get_or_init(|| keeping_handlers(search)).as_deref().map_err(Clone::clone)
}

/// What is known of all devices.
///
/// # Errors
/// As [`candidates`].
pub fn discover() -> Result<Vec<DeviceInfo>, Fault> {
    Ok(candidates()?.iter().map(|candidate| candidate.info.clone()).collect())
}

fn search() -> Result<Vec<Candidate>, Fault> {
    let no_device = |text: &str| Fault::new(FaultKind::NoDevice, text);
    let registered = match get_platforms() {
        Ok(platforms) => platforms,
        // No ICD file at all.
        Err(error) if error.0 == -1001 => Vec::new(),
        Err(error) if matches!(error.0, DLOPEN_RUNTIME_LOAD_FAILED | DLOPEN_FUNCTION_NOT_AVAILABLE) => {
            return Err(no_device("no OpenCL loader is installed (libOpenCL.so.1)"));
        }
        Err(error) => return Err(no_device(&format!("the OpenCL loader failed: {error}"))),
    };
    let mut found = Vec::new();
    for platform in &registered {
        found.extend(devices_of(platform, FoundBy::Loader));
    }
    for (library, vendor) in UNREGISTERED {
        if !found.iter().any(|candidate| candidate.info.platform.contains(vendor)) {
            for platform in unregistered_platforms(library) {
                found.extend(devices_of(&platform, FoundBy::Name(library)));
            }
        }
    }
    if found.is_empty() && registered.is_empty() {
        return Err(no_device("no OpenCL driver is registered with the OpenCL loader"));
    }
    Ok(found)
}

fn devices_of(platform: &Platform, found_by: FoundBy) -> Vec<Candidate> {
    let platform_name = platform.name().unwrap_or_default().trim().to_string();
    let platform_version = platform.version().unwrap_or_default().trim().to_string();
    let ids = platform.get_devices(CL_DEVICE_TYPE_ALL).unwrap_or_default();
    let describe = |id: cl_device_id| {
        let device = Device::new(id);
        let is_cpu = device.dev_type().is_ok_and(|kind| kind & CL_DEVICE_TYPE_CPU != 0);
        let info = DeviceInfo {
            name: device.name().unwrap_or_default().trim().to_string(),
            platform: platform_name.clone(),
            platform_version: platform_version.clone(),
            driver: device.driver_version().unwrap_or_default().trim().to_string(),
            is_cpu,
            shares_host_memory: is_cpu || device.host_unified_memory().unwrap_or(false),
            float64: device.double_fp_config().is_ok_and(|config| config != 0),
            rounds_float32: device
                .single_fp_config()
                .is_ok_and(|config| config & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT != 0),
            memory: device.global_mem_size().unwrap_or(0),
            max_allocation: device.max_mem_alloc_size().unwrap_or(0),
            local_memory: device.local_mem_size().unwrap_or(0),
            max_work_group: device.max_work_group_size().unwrap_or(1),
            compute_units: device.max_compute_units().unwrap_or(0),
            clock_mhz: device.max_clock_frequency().unwrap_or(0),
            compute_capability: device
                .compute_capability_major_nv()
                .ok()
                .zip(device.compute_capability_minor_nv().ok()),
            found_by,
        };
        Candidate { info, id: DeviceId(id) }
    };
    ids.into_iter().map(describe).collect()
}

type GetExtension = unsafe extern "C" fn(*const c_char) -> *mut c_void;
type GetPlatforms = unsafe extern "C" fn(cl_uint, *mut cl_platform_id, *mut cl_uint) -> cl_int;

/// The platforms of a driver that no ICD file names; none where there is no such driver.
fn unregistered_platforms(library: &'static str) -> Vec<Platform> {
    const NAME: &CStr = c"clIcdGetPlatformIDsKHR";
    // SAFETY: a driver's initialisers are what the OpenCL loader runs too. The functions have the types that the
    // extension cl_khr_icd gives them. The library is never closed, since its platforms live on.
    unsafe {
        let Ok(driver) = libloading::Library::new(library) else { return Vec::new() };
        let driver = Box::leak(Box::new(driver));
        let Ok(get_extension) = driver.get::<GetExtension>(b"clGetExtensionFunctionAddress\0") else {
            return Vec::new();
        };
        let address = get_extension(NAME.as_ptr());
        if address.is_null() {
            return Vec::new();
        }
        let get_platforms = std::mem::transmute::<*mut c_void, GetPlatforms>(address);
        let mut ids = [std::ptr::null_mut(); 8];
        let mut count = 0;
        if get_platforms(ids.len() as cl_uint, ids.as_mut_ptr(), &raw mut count) != 0 {
            return Vec::new();
        }
        ids.iter().take(count as usize).map(|&id| Platform::new(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_answers_with_devices_or_with_a_sentence_and_never_panics() {
        match discover() {
            Ok(devices) => assert!(devices.iter().all(|device| !device.name.is_empty())),
            Err(why) => assert!(why.text.contains("OpenCL"), "{why}"),
        }
    }

    #[test]
    fn a_driver_that_is_not_there_has_no_platforms() {
        assert!(unregistered_platforms("libno-such-driver.so.1").is_empty());
    }
}
