//! One opened device: context, queues, launches, waiting.
//!
//! Kernels run asynchronously in one in-order queue. Transfers have a queue for each direction, so that they overlap with
//! kernels and with each other; they return when the data has arrived (`staging.rs`). All waiting goes through
//! [`Shared::wait`], which gives up after a time and then takes the device for lost: a hung kernel costs its caller that
//! time once, never the process.

use crate::discovery::{Candidate, DeviceId, DeviceInfo};
use crate::fault::{Fault, FaultKind, check, injected};
use crate::handle::{Handle, RawBuffer, RawContext, RawEvent, RawQueue, abandon, enter_process};
use crate::kernels::gemm_variants::Variants;
use crate::pool::{Block, Pool, PoolStats};
use crate::program::{ProgramStats, Programs, Source};
use crate::staging::Staging;
use crate::trace;
use opencl3::command_queue::{
    CL_QUEUE_PROFILING_ENABLE, create_command_queue, enqueue_fill_buffer, enqueue_nd_range_kernel, flush,
};
use opencl3::context::context::create_context;
use opencl3::event::{
    CL_EVENT_COMMAND_EXECUTION_STATUS, CL_PROFILING_COMMAND_END, CL_PROFILING_COMMAND_START, get_event_info,
    get_event_profiling_info,
};
use opencl3::kernel::set_kernel_arg;
use std::ffi::c_void;
use std::path::PathBuf;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How a device is used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Percent of the device's memory that the pool may take.
    pub memory_percent: u8,
    /// Bytes of host memory that this process may use, if limited: a device that shares the host's memory is held to a
    /// half of it, and staging to a sixteenth.
    pub host_limit: Option<u64>,
    /// Folder of built kernels; `None` for none.
    pub cache: Option<PathBuf>,
    /// How long one command may take.
    pub timeout: Duration,
    /// Pinned memory for transfers, in bytes.
    pub staging: usize,
    /// Threads that fill and drain it.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
        Self {
            memory_percent: 80,
            host_limit: None,
            cache: None,
            timeout: Duration::from_secs(60),
            staging: 64 << 20,
            threads,
        }
    }
}

/// A command on the device.
#[derive(Debug)]
pub(crate) struct Event(Handle<RawEvent>);

impl Event {
    pub(crate) fn new(raw: opencl3::types::cl_event) -> Self {
        Self(Handle::new(RawEvent(raw)))
    }

    pub(crate) fn raw(&self) -> opencl3::types::cl_event {
        self.0.get().0
    }

    /// OpenCL's execution status: 0 when complete, negative after a failure.
    fn status(&self) -> Result<i32, i32> {
        get_event_info(self.raw(), CL_EVENT_COMMAND_EXECUTION_STATUS).map(i32::from)
    }

    /// Start and end in nanoseconds of the device's clock, once complete.
    pub(crate) fn device_times(&self) -> Option<(u64, u64)> {
        let time = |which| get_event_profiling_info(self.raw(), which).map(u64::from).ok();
        Some((time(CL_PROFILING_COMMAND_START)?, time(CL_PROFILING_COMMAND_END)?))
    }
}

/// What the device, its blocks and its programs share.
pub(crate) struct Shared {
    pub(crate) info: DeviceInfo,
    pub(crate) device: DeviceId,
    pub(crate) programs: Programs,
    pub(crate) variants: Variants,
    pub(crate) pool: Pool,
    pub(crate) staging: Staging,
    pub(crate) compute: Handle<RawQueue>,
    pub(crate) uploads: Handle<RawQueue>,
    pub(crate) downloads: Handle<RawQueue>,
    pub(crate) context: Handle<RawContext>,
    pub(crate) threads: usize,
    held_by_host: bool,
    timeout: Duration,
    lost: AtomicBool,
}

/// One opened device. Cheap to clone; all clones are the same device.
#[derive(Clone)]
pub struct Gpu {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu({})", self.shared.info.name)
    }
}

/// An argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    /// A `__global` pointer.
    Block(&'a Block),
    /// An `int`.
    I32(i32),
    /// A `long`.
    I64(i64),
    /// A scalar of any other type, by its bytes.
    Bytes(&'a [u8]),
    /// A `__local` array of that many bytes.
    Local(usize),
}

impl Gpu {
    /// Opens a device.
    ///
    /// # Errors
    /// `Forked` in a fork of a process that uses OpenCL; otherwise what the driver refused.
    pub fn open(candidate: &Candidate, settings: &Settings) -> Result<Self, Fault> {
        own_process()?;
        let Candidate { info, id } = candidate.clone();
        let raw = create_context(&[id.0], null(), None, null_mut());
        let context = Handle::new(RawContext(check("clCreateContext", raw)?));
        let queue = || {
            // SAFETY: context and device belong together.
            let raw = unsafe { create_command_queue(context.get().0, id.0, CL_QUEUE_PROFILING_ENABLE) };
            Ok::<_, Fault>(Handle::new(RawQueue(check("clCreateCommandQueue", raw)?)))
        };
        let (compute, uploads, downloads) = (queue()?, queue()?, queue()?);
        let (limit, held_by_host) = settings.memory_limit(&info);
        let staging = settings.staging.min(settings.host_limit.map_or(usize::MAX, |limit| limit as usize / 16));
        let identity = format!(
            "{}\n{}\n{}\n{}\n{}",
            info.name,
            info.platform,
            info.platform_version,
            info.driver,
            env!("CARGO_PKG_VERSION")
        );
        let shared = Shared {
            pool: Pool::new(limit, info.max_allocation as usize),
            programs: Programs::new(settings.cache.clone(), identity),
            variants: Variants::default(),
            staging: Staging::new(staging, settings.threads),
            info,
            device: id,
            compute,
            uploads,
            downloads,
            context,
            threads: settings.threads.max(1),
            held_by_host,
            timeout: settings.timeout,
            lost: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What is known of the device.
    pub fn info(&self) -> &DeviceInfo {
        &self.shared.info
    }

    /// Whether two handles are the same device.
    pub fn is(&self, other: &Gpu) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether the device failed in a way that ended its context.
    pub fn is_lost(&self) -> bool {
        self.shared.lost.load(Ordering::Acquire)
    }

    /// What the memory pool holds.
    pub fn pool(&self) -> PoolStats {
        self.shared.pool.stats()
    }

    /// How programs came to be.
    pub fn programs(&self) -> ProgramStats {
        self.shared.programs.stats()
    }

    /// Pinned host memory for transfers, in bytes: the most that will be used.
    pub fn staging_bytes(&self) -> usize {
        self.shared.staging.limit()
    }

    /// Bytes that may still be allocated, the idle blocks of the pool counted as free.
    pub fn available(&self) -> usize {
        self.shared.pool.available()
    }

    /// Whether the pool is held to less than its share of the device by the memory limit of this process.
    pub fn is_held_by_host_limit(&self) -> bool {
        self.shared.held_by_host
    }

    /// Sets the most that the pool may hold, in bytes.
    pub fn set_memory_limit(&self, bytes: usize) {
        self.shared.pool.set_limit(bytes);
    }

    /// Releases the pool's idle buffers. Returns the bytes.
    pub fn trim(&self) -> usize {
        self.shared.pool.trim()
    }

    /// A block of at least `bytes`, its contents undefined.
    ///
    /// # Errors
    /// `OutOfMemory`, with what was asked for and what there is.
    pub fn alloc(&self, bytes: usize) -> Result<Block, Fault> {
        self.shared.usable()?;
        self.shared.pool.allocate(&self.shared, bytes)
    }

    /// Enqueues a kernel and returns; kernels run in the order of their launches. `global` counts work-items and is a
    /// multiple of `local`.
    ///
    /// # Errors
    /// `BuildFailed` with the compiler's first error, or what the driver refused.
    pub fn launch(
        &self,
        source: &Source,
        options: &str,
        kernel: &'static str,
        args: &[Arg<'_>],
        global: [usize; 3],
        local: [usize; 3],
    ) -> Result<(), Fault> {
        let shared = &self.shared;
        shared.usable()?;
        let program = shared.programs.get(shared, source, options)?;
        let object = program.kernel(kernel)?;
        for (index, arg) in args.iter().enumerate() {
            let result = shared.set_arg(object.get().0, index as u32, arg);
            result.map_err(|code| {
                let mut fault = Fault::from_code("clSetKernelArg", code);
                fault.text = format!("argument {index} of {kernel}: {fault}");
                fault
            })?;
        }
        // SAFETY: arguments are set; the kernels' contracts say which elements they touch, and their callers check these
        // against the blocks.
        let raw = unsafe {
            enqueue_nd_range_kernel(
                shared.compute.get().0,
                object.get().0,
                3,
                null(),
                global.as_ptr(),
                local.as_ptr(),
                0,
                null(),
            )
        };
        let event = Arc::new(Event::new(shared.noted(check("clEnqueueNDRangeKernel", raw))?));
        shared.noted(check("clFlush", flush(shared.compute.get().0)))?;
        program.give_back(kernel, object);
        for arg in args {
            if let Arg::Block(block) = arg {
                block.set_last(event.clone());
            }
        }
        trace::note(kernel, || vec![event.clone()], 0);
        Ok(())
    }

    /// Waits for the last kernel that was given this block.
    ///
    /// # Errors
    /// `TimedOut`, `DeviceLost`.
    pub fn wait_for(&self, block: &Block) -> Result<(), Fault> {
        match block.last() {
            Some(event) => self.shared.wait(&event),
            None => Ok(()),
        }
    }
}

impl Settings {
    /// What the pool of a device may take, in bytes, and whether the process's memory limit decides that.
    fn memory_limit(&self, info: &DeviceInfo) -> (usize, bool) {
        let share = (info.memory as f64 * f64::from(self.memory_percent) / 100.0) as u64;
        let host = if info.shares_host_memory { self.host_limit.map(|limit| limit / 2) } else { None };
        match host {
            Some(host) if host < share => (host as usize, true),
            _ => (share as usize, false),
        }
    }
}

fn own_process() -> Result<(), Fault> {
    if enter_process() {
        return Ok(());
    }
    let text = "this process was forked from one that uses the GPU; start it with the method \"spawn\" to use it";
    Err(Fault::new(FaultKind::Forked, text))
}

impl Shared {
    /// Refuses work on a device that was lost, and in a forked child.
    pub(crate) fn usable(&self) -> Result<(), Fault> {
        own_process()?;
        if self.lost.load(Ordering::Acquire) {
            return Err(Fault::new(FaultKind::DeviceLost, format!("{} was lost before", self.info.name)));
        }
        Ok(())
    }

    /// Remembers a fault that ends the context.
    pub(crate) fn noted<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &result
            && fault.is_fatal()
        {
            self.lost.store(true, Ordering::Release);
        }
        result
    }

    fn set_arg(&self, kernel: opencl3::types::cl_kernel, index: u32, arg: &Arg<'_>) -> Result<(), i32> {
        let set = |size: usize, value: *const c_void| {
            // SAFETY: `value` points to `size` bytes, or is null for local memory.
            unsafe { set_kernel_arg(kernel, index, size, value) }
        };
        match *arg {
            Arg::Block(block) => {
                let raw = block.raw().0;
                set(size_of_val(&raw), (&raw const raw).cast())
            }
            Arg::I32(value) => set(4, (&raw const value).cast()),
            Arg::I64(value) => set(8, (&raw const value).cast()),
            Arg::Bytes(bytes) => set(bytes.len(), bytes.as_ptr().cast()),
            Arg::Local(bytes) => set(bytes, null()),
        }
    }

    /// Writes to a new buffer, so that the driver allocates it now.
    pub(crate) fn touch(&self, buffer: RawBuffer) -> Result<Arc<Event>, Fault> {
        let zero = 0_u32;
        let queue = self.compute.get().0;
        // SAFETY: buffers have at least 4 bytes.
        let raw = unsafe { enqueue_fill_buffer(queue, buffer.0, (&raw const zero).cast(), 4, 0, 4, 0, null()) };
        let event = Arc::new(Event::new(check("clEnqueueFillBuffer", raw)?));
        check("clFlush", flush(queue))?;
        Ok(event)
    }

    /// Waits for a command, at most the time that the settings give.
    ///
    /// # Errors
    /// `TimedOut`, after which the device counts as lost; what the driver says of the command.
    pub(crate) fn wait(&self, event: &Event) -> Result<(), Fault> {
        self.noted(self.wait_unnoted(event))
    }

    fn wait_unnoted(&self, event: &Event) -> Result<(), Fault> {
        if injected(FaultKind::TimedOut) {
            return Err(Fault::new(FaultKind::TimedOut, "a command did not end in time (injected)"));
        }
        if injected(FaultKind::DeviceLost) {
            return Err(Fault::new(FaultKind::DeviceLost, "the device stopped answering (injected)"));
        }
        let started = Instant::now();
        loop {
            match check("clGetEventInfo", event.status())? {
                0 => return Ok(()),
                failed if failed < 0 => return Err(Fault::from_code("a command on the device", failed)),
                _ => {}
            }
            let waited = started.elapsed();
            if waited > self.timeout {
                // A release could wait for the command that hangs.
                abandon();
                let text =
                    format!("a command on {} did not end in {:.1} s", self.info.name, self.timeout.as_secs_f64());
                return Err(Fault::new(FaultKind::TimedOut, text));
            }
            // Kernels of a few microseconds are waited for by asking; longer ones leave the core to others.
            if waited < Duration::from_micros(100) {
                std::hint::spin_loop();
            } else {
                thread::sleep(Duration::from_micros(20).max(waited / 50).min(Duration::from_millis(1)));
            }
        }
    }
}
