//! Error codes of OpenCL: those of the 3.0 headers, of registered extensions, and one of NVIDIA's driver.

use super::explanation::{Explanation, Unexplained};
use crate::{Applicability, Code, Fix};

/// The number, its name in the headers, what is the matter, and the condition that it is a case of.
const CODES: &[(i32, &str, &str, Code)] = &[
    (-1, "CL_DEVICE_NOT_FOUND", "no device of this kind was found", Code::GpuUnavailable),
    (-2, "CL_DEVICE_NOT_AVAILABLE", "the device is not available", Code::GpuFailed),
    (-3, "CL_COMPILER_NOT_AVAILABLE", "the driver has no compiler", Code::OpenClUnsupported),
    (-4, "CL_MEM_OBJECT_ALLOCATION_FAILURE", "the device has not enough memory", Code::OutOfMemory),
    (-5, "CL_OUT_OF_RESOURCES", "the device ran out of resources, or a kernel failed", Code::GpuFailed),
    (-6, "CL_OUT_OF_HOST_MEMORY", "the system gave no memory to the driver", Code::OutOfMemory),
    (-7, "CL_PROFILING_INFO_NOT_AVAILABLE", "the times of a command are not available", Code::OpenClUnsupported),
    (-8, "CL_MEM_COPY_OVERLAP", "a copy reads what it writes", Code::OpenClMisuse),
    (-9, "CL_IMAGE_FORMAT_MISMATCH", "two images have different formats", Code::OpenClMisuse),
    (-10, "CL_IMAGE_FORMAT_NOT_SUPPORTED", "the device does not have this image format", Code::OpenClUnsupported),
    (-11, "CL_BUILD_PROGRAM_FAILURE", "a program could not be built", Code::KernelBuildFailed),
    (-12, "CL_MAP_FAILURE", "memory of the device could not be mapped", Code::GpuFailed),
    (
        -13,
        "CL_MISALIGNED_SUB_BUFFER_OFFSET",
        "a part of a buffer begins at an address that does not fit",
        Code::OpenClMisuse,
    ),
    (-14, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST", "a command that was waited for failed", Code::GpuFailed),
    (-15, "CL_COMPILE_PROGRAM_FAILURE", "a program could not be compiled", Code::KernelBuildFailed),
    (-16, "CL_LINKER_NOT_AVAILABLE", "the driver has no linker", Code::OpenClUnsupported),
    (-17, "CL_LINK_PROGRAM_FAILURE", "a program could not be linked", Code::KernelBuildFailed),
    (-18, "CL_DEVICE_PARTITION_FAILED", "the device could not be divided", Code::OpenClUnsupported),
    (-19, "CL_KERNEL_ARG_INFO_NOT_AVAILABLE", "the program keeps no names of arguments", Code::OpenClUnsupported),
    (-30, "CL_INVALID_VALUE", "a value is out of its range", Code::OpenClMisuse),
    (-31, "CL_INVALID_DEVICE_TYPE", "this kind of device does not exist", Code::OpenClMisuse),
    (-32, "CL_INVALID_PLATFORM", "this platform does not exist", Code::GpuUnavailable),
    (-33, "CL_INVALID_DEVICE", "this device does not exist", Code::GpuUnavailable),
    (-34, "CL_INVALID_CONTEXT", "the context does not exist any more", Code::GpuFailed),
    (-35, "CL_INVALID_QUEUE_PROPERTIES", "the device does not have such queues", Code::OpenClUnsupported),
    (-36, "CL_INVALID_COMMAND_QUEUE", "the queue does not exist any more", Code::GpuFailed),
    (-37, "CL_INVALID_HOST_PTR", "an address of the host does not fit the flags", Code::OpenClMisuse),
    (-38, "CL_INVALID_MEM_OBJECT", "a buffer does not exist any more", Code::OpenClMisuse),
    (-39, "CL_INVALID_IMAGE_FORMAT_DESCRIPTOR", "this image format does not exist", Code::OpenClMisuse),
    (-40, "CL_INVALID_IMAGE_SIZE", "the device has no images of this size", Code::OpenClUnsupported),
    (-41, "CL_INVALID_SAMPLER", "a sampler does not exist", Code::OpenClMisuse),
    (-42, "CL_INVALID_BINARY", "a built program is not one for this device", Code::KernelBuildFailed),
    (-43, "CL_INVALID_BUILD_OPTIONS", "the compiler does not know an option", Code::KernelBuildFailed),
    (-44, "CL_INVALID_PROGRAM", "a program does not exist", Code::OpenClMisuse),
    (-45, "CL_INVALID_PROGRAM_EXECUTABLE", "the program was not built for this device", Code::KernelBuildFailed),
    (-46, "CL_INVALID_KERNEL_NAME", "the program has no kernel of this name", Code::OpenClMisuse),
    (-47, "CL_INVALID_KERNEL_DEFINITION", "a kernel differs from device to device", Code::OpenClMisuse),
    (-48, "CL_INVALID_KERNEL", "a kernel does not exist", Code::OpenClMisuse),
    (-49, "CL_INVALID_ARG_INDEX", "a kernel has no argument of this number", Code::OpenClMisuse),
    (-50, "CL_INVALID_ARG_VALUE", "an argument of a kernel has an impossible value", Code::OpenClMisuse),
    (-51, "CL_INVALID_ARG_SIZE", "an argument of a kernel has the wrong size", Code::OpenClMisuse),
    (-52, "CL_INVALID_KERNEL_ARGS", "not all arguments of a kernel were given", Code::OpenClMisuse),
    (-53, "CL_INVALID_WORK_DIMENSION", "work has 1, 2 or 3 dimensions", Code::OpenClMisuse),
    (
        -54,
        "CL_INVALID_WORK_GROUP_SIZE",
        "the work-group is too large for the kernel or the device",
        Code::OpenClUnsupported,
    ),
    (-55, "CL_INVALID_WORK_ITEM_SIZE", "the work-group is too large in one dimension", Code::OpenClUnsupported),
    (-56, "CL_INVALID_GLOBAL_OFFSET", "the offset of the work is too large", Code::OpenClMisuse),
    (-57, "CL_INVALID_EVENT_WAIT_LIST", "the list of events to wait for is not one", Code::OpenClMisuse),
    (-58, "CL_INVALID_EVENT", "an event does not exist", Code::OpenClMisuse),
    (-59, "CL_INVALID_OPERATION", "this operation is not possible here", Code::OpenClUnsupported),
    (-60, "CL_INVALID_GL_OBJECT", "an object of OpenGL does not exist", Code::OpenClMisuse),
    (-61, "CL_INVALID_BUFFER_SIZE", "the buffer is larger than the device allows", Code::OutOfMemory),
    (-62, "CL_INVALID_MIP_LEVEL", "a texture does not have this level", Code::OpenClMisuse),
    (-63, "CL_INVALID_GLOBAL_WORK_SIZE", "the work is empty or too large", Code::OpenClMisuse),
    (-64, "CL_INVALID_PROPERTY", "a property does not exist or has an impossible value", Code::OpenClMisuse),
    (-65, "CL_INVALID_IMAGE_DESCRIPTOR", "an image is described in an impossible way", Code::OpenClMisuse),
    (-66, "CL_INVALID_COMPILER_OPTIONS", "the compiler does not know an option", Code::KernelBuildFailed),
    (-67, "CL_INVALID_LINKER_OPTIONS", "the linker does not know an option", Code::KernelBuildFailed),
    (
        -68,
        "CL_INVALID_DEVICE_PARTITION_COUNT",
        "the device cannot be divided into so many parts",
        Code::OpenClUnsupported,
    ),
    (-69, "CL_INVALID_PIPE_SIZE", "a pipe is larger than the device allows", Code::OpenClUnsupported),
    (-70, "CL_INVALID_DEVICE_QUEUE", "a queue on the device does not exist", Code::OpenClMisuse),
    (-71, "CL_INVALID_SPEC_ID", "the program has no constant of this number", Code::OpenClMisuse),
    (-72, "CL_MAX_SIZE_RESTRICTION_EXCEEDED", "an argument is larger than the kernel allows", Code::OpenClMisuse),
    (
        -1000,
        "CL_INVALID_GL_SHAREGROUP_REFERENCE_KHR",
        "the context of OpenGL cannot be shared",
        Code::OpenClUnsupported,
    ),
    (-1001, "CL_PLATFORM_NOT_FOUND_KHR", "no OpenCL driver is registered", Code::GpuUnavailable),
    (-1002, "CL_INVALID_D3D10_DEVICE_KHR", "a device of Direct3D does not exist", Code::OpenClMisuse),
    (-1003, "CL_INVALID_D3D10_RESOURCE_KHR", "a resource of Direct3D does not exist", Code::OpenClMisuse),
    (-1004, "CL_D3D10_RESOURCE_ALREADY_ACQUIRED_KHR", "a resource of Direct3D is in use", Code::OpenClMisuse),
    (-1005, "CL_D3D10_RESOURCE_NOT_ACQUIRED_KHR", "a resource of Direct3D was not acquired", Code::OpenClMisuse),
    (-1006, "CL_INVALID_D3D11_DEVICE_KHR", "a device of Direct3D does not exist", Code::OpenClMisuse),
    (-1007, "CL_INVALID_D3D11_RESOURCE_KHR", "a resource of Direct3D does not exist", Code::OpenClMisuse),
    (-1008, "CL_D3D11_RESOURCE_ALREADY_ACQUIRED_KHR", "a resource of Direct3D is in use", Code::OpenClMisuse),
    (-1009, "CL_D3D11_RESOURCE_NOT_ACQUIRED_KHR", "a resource of Direct3D was not acquired", Code::OpenClMisuse),
    (-1010, "CL_INVALID_DX9_MEDIA_ADAPTER_KHR", "a media adapter does not exist", Code::OpenClMisuse),
    (-1011, "CL_INVALID_DX9_MEDIA_SURFACE_KHR", "a media surface does not exist", Code::OpenClMisuse),
    (-1012, "CL_DX9_MEDIA_SURFACE_ALREADY_ACQUIRED_KHR", "a media surface is in use", Code::OpenClMisuse),
    (-1013, "CL_DX9_MEDIA_SURFACE_NOT_ACQUIRED_KHR", "a media surface was not acquired", Code::OpenClMisuse),
    (-1057, "CL_DEVICE_PARTITION_FAILED_EXT", "the device could not be divided", Code::OpenClUnsupported),
    (
        -1058,
        "CL_INVALID_PARTITION_COUNT_EXT",
        "the device cannot be divided into so many parts",
        Code::OpenClUnsupported,
    ),
    (-1059, "CL_INVALID_PARTITION_NAME_EXT", "a part of the device does not exist", Code::OpenClMisuse),
    (-1092, "CL_EGL_RESOURCE_NOT_ACQUIRED_KHR", "a resource of EGL was not acquired", Code::OpenClMisuse),
    (-1093, "CL_INVALID_EGL_OBJECT_KHR", "an object of EGL does not exist", Code::OpenClMisuse),
    (-1094, "CL_INVALID_ACCELERATOR_INTEL", "an accelerator does not exist", Code::OpenClMisuse),
    (-1095, "CL_INVALID_ACCELERATOR_TYPE_INTEL", "this kind of accelerator does not exist", Code::OpenClMisuse),
    (
        -1096,
        "CL_INVALID_ACCELERATOR_DESCRIPTOR_INTEL",
        "an accelerator is described in an impossible way",
        Code::OpenClMisuse,
    ),
    (
        -1097,
        "CL_ACCELERATOR_TYPE_NOT_SUPPORTED_INTEL",
        "the device does not have this accelerator",
        Code::OpenClUnsupported,
    ),
    (-1108, "CL_COMMAND_TERMINATED_ITSELF_WITH_FAILURE_ARM", "a kernel ended itself with a failure", Code::GpuFailed),
    (-1121, "CL_CONTEXT_TERMINATED_KHR", "the context was ended", Code::GpuFailed),
    (-1138, "CL_INVALID_COMMAND_BUFFER_KHR", "a command buffer does not exist", Code::OpenClMisuse),
    (-1139, "CL_INVALID_SYNC_POINT_WAIT_LIST_KHR", "the list of points to wait for is not one", Code::OpenClMisuse),
    (-1140, "CL_INCOMPATIBLE_COMMAND_QUEUE_KHR", "the queue does not fit the command buffer", Code::OpenClMisuse),
    (-1141, "CL_INVALID_MUTABLE_COMMAND_KHR", "a command that was to be changed does not exist", Code::OpenClMisuse),
    (-1142, "CL_INVALID_SEMAPHORE_KHR", "a semaphore does not exist", Code::OpenClMisuse),
    (-9999, "NVIDIA_ILLEGAL_ACCESS", "a kernel read or wrote outside its memory", Code::GpuFailed),
];

/// Causes and fixes of single codes that are more than those of their condition.
const SPECIAL: &[(i32, &str, &str)] = &[
    (
        -1,
        "no driver offers a device of the kind that was asked for",
        "ask for any kind of device (CL_DEVICE_TYPE_ALL); clinfo and lapack-ai doctor list them.",
    ),
    (
        -4,
        "the device's memory is full, with what other programs have in it",
        "free device memory, use smaller inputs, or set LAPACK_GPU_MEMORY_LIMIT so that operands go in pieces.",
    ),
    (
        -5,
        "a kernel uses more registers or local memory than there are, or read outside its memory, or the driver ended it",
        "let the CPU compute (gpu=False); if it comes back for all sizes, restart the process and update the driver.",
    ),
    (
        -61,
        "one buffer may take a part of the device's memory only (CL_DEVICE_MAX_MEM_ALLOC_SIZE)",
        "use smaller inputs; products larger than that go in pieces by themselves.",
    ),
    (
        -1001,
        "the loader found no driver: no file in /etc/OpenCL/vendors, or none that can be opened",
        "install the driver's OpenCL part (pocl-opencl-icd for the CPU); lapack-ai doctor says what was found.",
    ),
    (
        -9999,
        "a defect of the kernel; it destroys the context, so that every later call fails",
        "restart the process, let the CPU compute (gpu=False), and please report it.",
    ),
];

/// What an error code of OpenCL means.
pub fn explain_opencl(code: i32) -> Result<Explanation, Unexplained> {
    let name = || "OpenCL".to_string();
    let Some((_, symbol, what, condition)) = CODES.iter().find(|(known, ..)| *known == code) else {
        let expected = match code {
            0 => "0 is success".to_string(),
            _ => "neither the headers of OpenCL 3.0 nor registered extensions have it".to_string(),
        };
        return Err(Unexplained::NotReturned { routine: name(), info: i64::from(code), expected });
    };
    let mut explanation = Explanation::of_condition(name(), i64::from(code), *condition);
    explanation.summary = format!("OpenCL: {what} ({code}).");
    explanation.meaning = format!("{symbol} ({code}): {what}. {}", explanation.meaning);
    if let Some((_, cause, fix)) = SPECIAL.iter().find(|(known, ..)| *known == code) {
        explanation.cause = (*cause).to_string();
        explanation.fixes.insert(0, Fix { applicability: Applicability::Maybe, text: (*fix).to_string() });
    }
    Ok(explanation)
}

/// Every known code of OpenCL with its name, from -1 downwards.
pub fn opencl_codes() -> impl Iterator<Item = (i32, &'static str)> {
    CODES.iter().map(|(code, name, ..)| (*code, *name))
}
