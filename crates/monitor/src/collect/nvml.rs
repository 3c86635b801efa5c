//! GPUs of NVIDIA, by the management library that comes with the driver, opened at run time.
//!
//! Only calls that answer at once and need no rights are made: name, utilisation, memory, power, temperature, clock, reasons
//! for throttling. The library's own "utilisation" is the part of its last sample, up to a second long, in which any kernel ran.
//!
//! Source: NVML API reference, device queries.

use crate::snapshot::GpuFigures;
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};

type Handle = *mut c_void;
type Status = c_int;

/// `nvmlUtilization_t`.
#[repr(C)]
#[derive(Default)]
pub struct Utilisation {
    /// Percent.
    pub gpu: c_uint,
    /// Percent.
    pub memory: c_uint,
}

/// `nvmlMemory_t`.
#[repr(C)]
#[derive(Default)]
pub struct Memory {
    /// Bytes.
    pub total: c_ulonglong,
    /// Bytes.
    pub free: c_ulonglong,
    /// Bytes.
    pub used: c_ulonglong,
}

/// The functions in use, by NVML's names.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "each is the function of that name")]
pub struct Functions {
    pub device_get_count: unsafe extern "C" fn(*mut c_uint) -> Status,
    pub device_get_handle_by_index: unsafe extern "C" fn(c_uint, *mut Handle) -> Status,
    pub device_get_name: unsafe extern "C" fn(Handle, *mut c_char, c_uint) -> Status,
    pub device_get_utilization_rates: unsafe extern "C" fn(Handle, *mut Utilisation) -> Status,
    pub device_get_memory_info: unsafe extern "C" fn(Handle, *mut Memory) -> Status,
    pub device_get_power_usage: unsafe extern "C" fn(Handle, *mut c_uint) -> Status,
    pub device_get_enforced_power_limit: unsafe extern "C" fn(Handle, *mut c_uint) -> Status,
    pub device_get_temperature: unsafe extern "C" fn(Handle, c_uint, *mut c_uint) -> Status,
    pub device_get_clock_info: unsafe extern "C" fn(Handle, c_uint, *mut c_uint) -> Status,
    pub device_get_current_clocks_throttle_reasons: unsafe extern "C" fn(Handle, *mut c_ulonglong) -> Status,
}

/// What slows a GPU down, by the bits of `nvmlClocksThrottleReasons`. Idling, and clocks that somebody set, are no fault.
const REASONS: [(u64, &str); 6] = [
    (0x4, "power limit"),
    (0x8, "hardware slowdown"),
    (0x20, "temperature (software)"),
    (0x40, "temperature (hardware)"),
    (0x80, "power brake"),
    (0x10, "synchronised with a slower GPU"),
];

/// NVML, opened, with the devices that it knows.
pub struct Nvml {
    functions: Functions,
    devices: Vec<Handle>,
}

// SAFETY: NVML's handles are valid for the whole process, and its functions may be called from any thread.
unsafe impl Send for Nvml {}

impl Nvml {
    /// The driver's; `None` where there is none. It stays open: NVML must not be unloaded while its threads run.
    pub fn load() -> Option<Self> {
        let names = if cfg!(windows) { ["nvml.dll", "nvml.dll"] } else { ["libnvidia-ml.so.1", "libnvidia-ml.so"] };
        // SAFETY: the driver's library, whose initialisers do nothing that Rust would mind.
        let library = names.iter().find_map(|name| unsafe { libloading::Library::new(*name) }.ok())?;
        let library: &'static libloading::Library = Box::leak(Box::new(library));
        // SAFETY: the types are those of NVML's header.
        unsafe {
            let init = library.get::<unsafe extern "C" fn() -> Status>(b"nvmlInit_v2").ok()?;
            if init() != 0 {
                return None;
            }
            Self::with(Functions {
                device_get_count: *library.get(b"nvmlDeviceGetCount_v2").ok()?,
                device_get_handle_by_index: *library.get(b"nvmlDeviceGetHandleByIndex_v2").ok()?,
                device_get_name: *library.get(b"nvmlDeviceGetName").ok()?,
                device_get_utilization_rates: *library.get(b"nvmlDeviceGetUtilizationRates").ok()?,
                device_get_memory_info: *library.get(b"nvmlDeviceGetMemoryInfo").ok()?,
                device_get_power_usage: *library.get(b"nvmlDeviceGetPowerUsage").ok()?,
                device_get_enforced_power_limit: *library.get(b"nvmlDeviceGetEnforcedPowerLimit").ok()?,
                device_get_temperature: *library.get(b"nvmlDeviceGetTemperature").ok()?,
                device_get_clock_info: *library.get(b"nvmlDeviceGetClockInfo").ok()?,
                // Named anew in version 12.2 of the driver's interface; the former name may go.
                device_get_current_clocks_throttle_reasons: *library
                    .get(b"nvmlDeviceGetCurrentClocksEventReasons")
                    .or_else(|_| library.get(b"nvmlDeviceGetCurrentClocksThrottleReasons"))
                    .ok()?,
            })
        }
    }

    /// With functions of the caller.
    ///
    /// # Safety
    /// They must keep NVML's contract: write at most what they are given room for, and keep handles valid.
    pub unsafe fn with(functions: Functions) -> Option<Self> {
        let mut count = 0;
        // SAFETY: the caller's promise, here and below.
        if unsafe { (functions.device_get_count)(&raw mut count) } != 0 {
            return None;
        }
        let handle = |index| {
            let mut handle = std::ptr::null_mut();
            // SAFETY: as above.
            let status = unsafe { (functions.device_get_handle_by_index)(index, &raw mut handle) };
            (status == 0).then_some(handle)
        };
        Some(Self { devices: (0..count.min(64)).filter_map(handle).collect(), functions })
    }

    /// Figures of all devices.
    pub(crate) fn gpus(&self) -> Vec<GpuFigures> {
        self.devices.iter().map(|device| self.figures(*device)).collect()
    }

    fn figures(&self, device: Handle) -> GpuFigures {
        let functions = &self.functions;
        let mut name = [0 as c_char; 96];
        let (mut use_of, mut memory, mut reasons) = (Utilisation::default(), Memory::default(), 0);
        // SAFETY: `Nvml::with`'s promise; the name's length is given.
        let (named, used, stored, slowed) = unsafe {
            (
                (functions.device_get_name)(device, name.as_mut_ptr(), name.len() as c_uint) == 0,
                (functions.device_get_utilization_rates)(device, &raw mut use_of) == 0,
                (functions.device_get_memory_info)(device, &raw mut memory) == 0,
                (functions.device_get_current_clocks_throttle_reasons)(device, &raw mut reasons) == 0,
            )
        };
        let number = |ask: unsafe extern "C" fn(Handle, *mut c_uint) -> Status| {
            let mut value = 0;
            // SAFETY: as above.
            (unsafe { ask(device, &raw mut value) } == 0).then(|| f64::from(value))
        };
        let indexed = |ask: unsafe extern "C" fn(Handle, c_uint, *mut c_uint) -> Status, index| {
            let mut value = 0;
            // SAFETY: as above.
            (unsafe { ask(device, index, &raw mut value) } == 0).then(|| f64::from(value))
        };
        // The last byte stays 0 whatever was written.
        name[95] = 0;
        // SAFETY: there is a 0 within the array.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        let slow = REASONS.iter().filter(|(bit, _)| slowed && reasons & bit != 0);
        GpuFigures {
            name: if named { name } else { "NVIDIA GPU".into() },
            source: "nvml".into(),
            utilisation: used.then(|| f64::from(use_of.gpu) / 100.0),
            memory_used: stored.then_some(memory.used),
            memory_total: stored.then_some(memory.total),
            // In milliwatts.
            power: number(functions.device_get_power_usage).map(|power| power / 1e3),
            power_limit: number(functions.device_get_enforced_power_limit).map(|power| power / 1e3),
            temperature: indexed(functions.device_get_temperature, 0),
            clock: indexed(functions.device_get_clock_info, 1),
            throttled: slow.map(|(_, name)| (*name).to_string()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn count(count: *mut c_uint) -> Status {
        // SAFETY: this and the others are called with a pointer to one value.
        unsafe { *count = 1 };
        0
    }
    extern "C" fn handle(_: c_uint, handle: *mut Handle) -> Status {
        // SAFETY: see above.
        unsafe { *handle = std::ptr::dangling_mut() };
        0
    }
    extern "C" fn name(_: Handle, name: *mut c_char, length: c_uint) -> Status {
        let text = c"NVIDIA H200";
        assert!(length as usize > text.count_bytes());
        // SAFETY: there is room, as was just seen.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), name, text.count_bytes() + 1) };
        0
    }
    extern "C" fn utilisation(_: Handle, to: *mut Utilisation) -> Status {
        // SAFETY: see above.
        unsafe { *to = Utilisation { gpu: 83, memory: 40 } };
        0
    }
    extern "C" fn memory(_: Handle, to: *mut Memory) -> Status {
        // SAFETY: see above.
        unsafe { *to = Memory { total: 1000, free: 400, used: 600 } };
        0
    }
    extern "C" fn power(_: Handle, to: *mut c_uint) -> Status {
        // SAFETY: see above.
        unsafe { *to = 650_500 };
        0
    }
    extern "C" fn not_supported(_: Handle, _: *mut c_uint) -> Status {
        3
    }
    extern "C" fn indexed(_: Handle, which: c_uint, to: *mut c_uint) -> Status {
        // SAFETY: see above.
        unsafe { *to = 60 + which };
        0
    }
    extern "C" fn reasons(_: Handle, to: *mut c_ulonglong) -> Status {
        // SAFETY: see above. Idle, power limit, temperature.
        unsafe { *to = 0x1 | 0x4 | 0x40 };
        0
    }

    #[test]
    fn figures_are_converted_and_what_a_device_does_not_tell_is_left_out() {
        let functions = Functions {
            device_get_count: count,
            device_get_handle_by_index: handle,
            device_get_name: name,
            device_get_utilization_rates: utilisation,
            device_get_memory_info: memory,
            device_get_power_usage: power,
            device_get_enforced_power_limit: not_supported,
            device_get_temperature: indexed,
            device_get_clock_info: indexed,
            device_get_current_clocks_throttle_reasons: reasons,
        };
        // SAFETY: the functions above write one value each.
        let found = unsafe { Nvml::with(functions) }.unwrap().gpus();
        let expected = GpuFigures {
            name: "NVIDIA H200".into(),
            source: "nvml".into(),
            utilisation: Some(0.83),
            memory_used: Some(600),
            memory_total: Some(1000),
            power: Some(650.5),
            power_limit: None,
            temperature: Some(60.0),
            clock: Some(61.0),
            throttled: vec!["power limit".into(), "temperature (hardware)".into()],
        };
        assert_eq!(found, [expected]);
    }
}
