//! OpenCL's reference-counted objects as owned values.
//!
//! In a forked child the objects belong to a driver whose threads do not exist there, so nothing is released: the
//! handle remembers its process. The same goes for a context that was lost, where a release may wait for ever.

use opencl3::command_queue::release_command_queue;
use opencl3::context::context::release_context;
use opencl3::event::release_event;
use opencl3::kernel::release_kernel;
use opencl3::memory::release_mem_object;
use opencl3::program::release_program;
use opencl3::types::{cl_command_queue, cl_context, cl_event, cl_kernel, cl_mem, cl_program};
use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The process that first touched OpenCL.
static OWNER: OnceLock<u32> = OnceLock::new();
/// Whether objects are left to the end of the process: after a time-out a release could wait for the command.
static ABANDONED: AtomicBool = AtomicBool::new(false);

/// Notes that this process uses OpenCL. Returns whether it may: it is not a fork of one that did before.
pub(crate) fn enter_process() -> bool {
    *OWNER.get_or_init(std::process::id) == std::process::id()
}

/// From now on nothing is released.
pub(crate) fn abandon() {
    ABANDONED.store(true, Ordering::Release);
}

fn may_release() -> bool {
    !ABANDONED.load(Ordering::Acquire) && OWNER.get().is_none_or(|owner| *owner == std::process::id())
}

/// A kind of OpenCL object.
pub(crate) trait Object: Copy {
    /// # Safety
    /// The object must be owned by the caller and not be used afterwards.
    unsafe fn release(self);
    fn address(self) -> usize;
}

macro_rules! object {
    ($name:ident, $raw:ty, $release:path) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) $raw);

        impl Object for $name {
            unsafe fn release(self) {
                // SAFETY: the caller's promise. A refusal leaves the object to the driver, which is all that can be done.
                let _ = unsafe { $release(self.0) };
            }
            fn address(self) -> usize {
                self.0.cast::<c_void>().addr()
            }
        }

        // SAFETY: OpenCL objects may be used from any thread; kernels, whose arguments may not be set by two threads at
        // once, are lent to one thread at a time (`program.rs`).
        unsafe impl Send for $name {}
        // SAFETY: as above.
        unsafe impl Sync for $name {}
    };
}

object!(RawContext, cl_context, release_context);
object!(RawQueue, cl_command_queue, release_command_queue);
object!(RawBuffer, cl_mem, release_mem_object);
object!(RawProgram, cl_program, release_program);
object!(RawKernel, cl_kernel, release_kernel);
object!(RawEvent, cl_event, release_event);

/// One owned reference.
#[derive(Debug)]
pub(crate) struct Handle<O: Object>(O);

impl<O: Object> Handle<O> {
    /// Takes over a reference that the caller owns.
    pub(crate) fn new(object: O) -> Self {
        Self(object)
    }

    pub(crate) fn get(&self) -> O {
        self.0
    }
}

impl<O: Object> Drop for Handle<O> {
    fn drop(&mut self) {
        if self.0.address() != 0 && may_release() {
            // SAFETY: the reference is owned by this handle, which ends here.
            unsafe { self.0.release() };
        }
    }
}
