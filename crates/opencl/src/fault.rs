//! What goes wrong on a device, as a value: the kind decides what the caller does, the text is for people.
//!
//! [`inject`] makes a fault happen on purpose, so that every way out can be tested without a broken GPU.

use opencl3::error_codes::{
    CL_BUILD_PROGRAM_FAILURE, CL_COMPILE_PROGRAM_FAILURE, CL_DEVICE_NOT_AVAILABLE,
    CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, CL_INVALID_BUFFER_SIZE, CL_INVALID_COMMAND_QUEUE, CL_INVALID_CONTEXT,
    CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_HOST_MEMORY, CL_OUT_OF_RESOURCES, error_text,
};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// No OpenCL loader, no driver or no device: nothing was tried.
    NoDevice,
    /// The device has no double precision.
    NoFloat64,
    /// The device, or the share of it that may be used, has not enough memory.
    OutOfMemory,
    /// A kernel could not be built.
    BuildFailed,
    /// The device does not answer any more, or its context is destroyed.
    DeviceLost,
    /// A command did not end in time.
    TimedOut,
    /// A result did not pass its check.
    WrongResult,
    /// Work-groups that wait for each other were not all running at the same time; they are done without.
    Stalled,
    /// This process was forked from one that uses the device.
    Forked,
    /// The caller asked the work to end.
    Cancelled,
    /// The data has NaN or Inf, where the computation takes neither.
    NotFinite,
    /// Arguments that do not fit: a defect of this library.
    Invalid,
    /// Any other refusal of the driver.
    Failed,
}

impl FaultKind {
    /// Every kind that a device can have at run time, by the name that [`inject`] takes.
    pub const INJECTABLE: [(&'static str, FaultKind); 6] = [
        ("allocation", FaultKind::OutOfMemory),
        ("build", FaultKind::BuildFailed),
        ("lost", FaultKind::DeviceLost),
        ("timeout", FaultKind::TimedOut),
        ("wrong", FaultKind::WrongResult),
        ("stall", FaultKind::Stalled),
    ];

    /// Whether the failure says something about the device, so that it counts against it.
    pub fn counts_against_device(self) -> bool {
        !matches!(self, FaultKind::NoFloat64 | FaultKind::Cancelled | FaultKind::Forked | FaultKind::NotFinite)
    }
}

/// A failure on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// What happened, in a few words with the number.
    pub text: String,
}

impl Fault {
    /// A failure described by the caller.
    pub fn new(kind: FaultKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// The failure of an OpenCL call that returned `code`.
    pub(crate) fn from_code(call: &'static str, code: i32) -> Self {
        // NVIDIA's code for an illegal address in a kernel, which destroys the context.
        const NVIDIA_ILLEGAL_ACCESS: i32 = -9999;
        let kind = match code {
            CL_MEM_OBJECT_ALLOCATION_FAILURE | CL_INVALID_BUFFER_SIZE | CL_OUT_OF_HOST_MEMORY => FaultKind::OutOfMemory,
            CL_BUILD_PROGRAM_FAILURE | CL_COMPILE_PROGRAM_FAILURE => FaultKind::BuildFailed,
            CL_OUT_OF_RESOURCES
            | CL_DEVICE_NOT_AVAILABLE
            | CL_INVALID_COMMAND_QUEUE
            | CL_INVALID_CONTEXT
            | CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST
            | NVIDIA_ILLEGAL_ACCESS => FaultKind::DeviceLost,
            _ => FaultKind::Failed,
        };
        Self { kind, text: format!("{call} failed with {} ({code})", error_text(code)) }
    }

    /// Whether the context cannot be used any more.
    pub fn is_fatal(&self) -> bool {
        matches!(self.kind, FaultKind::DeviceLost | FaultKind::TimedOut)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

/// How often each of [`FaultKind::INJECTABLE`] is still to happen.
static ARMED: [AtomicU32; FaultKind::INJECTABLE.len()] = [const { AtomicU32::new(0) }; FaultKind::INJECTABLE.len()];
/// Sum of the above: the one load that a call pays.
static ANY_ARMED: AtomicU32 = AtomicU32::new(0);

/// Makes the next `times` opportunities for the named fault ("allocation", "build", "lost", "timeout", "wrong",
/// "stall") fail. For tests of what follows; 0 disarms. Returns whether the name is known.
pub fn inject(name: &str, times: u32) -> bool {
    let Some(index) = FaultKind::INJECTABLE.iter().position(|(known, _)| *known == name) else { return false };
    ARMED[index].store(times, Ordering::SeqCst);
    ANY_ARMED.store(ARMED.iter().map(|armed| armed.load(Ordering::SeqCst)).sum(), Ordering::SeqCst);
    true
}

/// Whether a fault of this kind is to happen now.
pub fn injected(kind: FaultKind) -> bool {
    ANY_ARMED.load(Ordering::Relaxed) > 0 && consume(kind)
}

#[cold]
fn consume(kind: FaultKind) -> bool {
    let Some(index) = FaultKind::INJECTABLE.iter().position(|(_, known)| *known == kind) else { return false };
    ARMED[index].fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// The result of an OpenCL call as a fault.
pub(crate) fn check<T>(call: &'static str, result: Result<T, i32>) -> Result<T, Fault> {
    result.map_err(|code| Fault::from_code(call, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_the_caller_must_do() {
        assert_eq!(Fault::from_code("clCreateBuffer", -4).kind, FaultKind::OutOfMemory);
        assert_eq!(Fault::from_code("clCreateBuffer", -61).kind, FaultKind::OutOfMemory);
        assert_eq!(Fault::from_code("clBuildProgram", -11).kind, FaultKind::BuildFailed);
        assert!(Fault::from_code("clFlush", -36).is_fatal());
        assert!(!Fault::from_code("clSetKernelArg", -50).is_fatal());
    }

    #[test]
    fn the_text_has_the_call_the_name_and_the_number() {
        let text = Fault::from_code("clCreateBuffer", -4).to_string();
        assert!(text.contains("clCreateBuffer") && text.contains("ALLOCATION") && text.contains("-4"), "{text}");
    }

    #[test]
    fn an_unknown_fault_cannot_be_injected() {
        assert!(!inject("earthquake", 1));
    }
}
