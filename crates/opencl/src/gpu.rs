//! One opened device: context, queues, launches, waiting.
//!
//! Kernels run asynchronously in one in-order queue. Transfers have a queue for each direction, so that they overlap with
//! kernels and with each other; they return when the data has arrived (`staging.rs`). All waiting goes through
//! [`Shared::wait`], which gives up after a time and then takes the device for lost: a hung kernel costs its caller that
//! time once, never the process.
//!
//! One thread at a time is in the driver for a device ([`Shared::api`]). Drivers allow more, but NVIDIA's then leaves a thread
//! of its own spinning for 0.2 s, and on a machine whose other cores wait for each other in a threaded BLAS every call of
//! that BLAS takes several ticks of the scheduler longer.

use crate::cancel::unless_interrupted;
use crate::discovery::{Candidate, DeviceId, DeviceInfo};
use crate::fault::{Fault, FaultKind, check, injected};
use crate::handle::{Handle, RawBuffer, RawContext, RawEvent, RawKernel, RawQueue, abandon, enter_process};
use crate::kernels::gemm_variants::Variants;
use crate::pool::{Block, Pool, PoolStats, lock};
use crate::program::{ProgramStats, Programs, Source};
use crate::signals::keeping_handlers;
use crate::staging::Staging;
use crate::trace;
use crate::tune::{Table, Tables};
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command is waited for by asking for its state without a sleep, and without a pause.
const ASKING: Duration = Duration::from_millis(5);
const SHORT: Duration = Duration::from_micros(50);

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
        let threads = thread::available_parallelism().map_or(1, usize::from).min(16);
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
    /// Kernels that are not timed, and those that are; together they are one in-order queue.
    compute: [Handle<RawQueue>; 2],
    pub(crate) uploads: Handle<RawQueue>,
    pub(crate) downloads: Handle<RawQueue>,
    pub(crate) context: Handle<RawContext>,
    held_by_host: bool,
    /// Which queue the last kernel went to, and its event; held while a thread is in the driver.
    api: Mutex<Option<(bool, Arc<Event>)>>,
    timeout: Duration,
    lost: AtomicBool,
    /// Whether work-groups that waited for each other have given up: they are not asked to again.
    pub(crate) stalled: AtomicBool,
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
        let raw = keeping_handlers(|| create_context(&[id.0], null(), None, null_mut()));
        let context = Handle::new(RawContext(check("clCreateContext", raw)?));
        let queue = |properties| {
            // SAFETY: context and device belong together.
            let raw = unsafe { create_command_queue(context.get().0, id.0, properties) };
            Ok::<_, Fault>(Handle::new(RawQueue(check("clCreateCommandQueue", raw)?)))
        };
        // A queue that times its commands takes twice as long to take one: kernels that nobody times have their own.
        let compute = [queue(0)?, queue(CL_QUEUE_PROFILING_ENABLE)?];
        let (uploads, downloads) = (queue(CL_QUEUE_PROFILING_ENABLE)?, queue(CL_QUEUE_PROFILING_ENABLE)?);
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
            variants: Variants::new(Tables::shipped_for(&info)),
            staging: Staging::new(staging, settings.threads),
            info,
            device: id,
            compute,
            uploads,
            downloads,
            context,
            held_by_host,
            api: Mutex::new(None),
            timeout: settings.timeout,
            lost: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
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

    /// Where the configurations of its matrix products come from.
    pub fn tables(&self) -> Arc<Tables> {
        self.shared.variants.choices.tables()
    }

    /// Sets what was tuned on this machine, in place of what was; the shipped table stays.
    pub fn set_tuned(&self, tuned: Option<Table>) {
        let shipped = self.tables().shipped;
        self.shared.variants.choices.set(Tables { tuned, shipped });
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
    /// `BuildFailed` with the compiler's first error, `Cancelled` under [`crate::interruptible`], or what the driver refused.
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
        unless_interrupted()?;
        let program = shared.programs.get(shared, source, options)?;
        let object = program.kernel(kernel)?;
        let api = shared.api();
        for (index, arg) in args.iter().enumerate() {
            let result = shared.set_arg(object.get().0, index as u32, arg);
            result.map_err(|code| {
                let mut fault = Fault::from_code("clSetKernelArg", code);
                fault.text = format!("argument {index} of {kernel}: {fault}");
                fault
            })?;
        }
        let event = shared.enqueue_kernel(api, &object, global, local)?;
        program.give_back(kernel, object);
        for arg in args {
            if let Arg::Block(block) = arg {
                block.set_last(event.clone());
            }
        }
        trace::note(kernel, || vec![event.clone()], 0);
        Ok(())
    }

    /// Waits up to `patience` for the last kernel that was given this block. Whether it has ended, well or not.
    pub fn is_ready_within(&self, block: &Block, patience: Duration) -> bool {
        let Some(event) = block.last() else { return true };
        let started = Instant::now();
        loop {
            let status = {
                let _api = self.shared.api();
                event.status()
            };
            if status.is_ok_and(|status| status <= 0) || self.is_lost() {
                return true;
            }
            if started.elapsed() >= patience {
                return false;
            }
            std::hint::spin_loop();
        }
    }

    /// Waits for the last kernel that was given this block.
    ///
    /// # Errors
    /// `TimedOut`, `DeviceLost`; `Cancelled` under [`crate::interruptible`], after which the kernels run on, in front of all
    /// later ones.
    pub fn wait_for(&self, block: &Block) -> Result<(), Fault> {
        match block.last() {
            Some(event) => self.shared.noted(self.shared.wait_unnoted(&event, true)),
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

    /// Leave to be in the driver.
    pub(crate) fn api(&self) -> MutexGuard<'_, Option<(bool, Arc<Event>)>> {
        lock(&self.api)
    }

    /// Enqueues a kernel behind the last one, on the timed queue if this thread takes a trace.
    fn enqueue_kernel(
        &self,
        mut last: MutexGuard<'_, Option<(bool, Arc<Event>)>>,
        kernel: &Handle<RawKernel>,
        global: [usize; 3],
        local: [usize; 3],
    ) -> Result<Arc<Event>, Fault> {
        let timed = trace::is_taken();
        let queue = self.compute[usize::from(timed)].get().0;
        // Only a kernel in the other queue must be waited for.
        let before = last.as_ref().filter(|(last, _)| *last != timed).map(|(_, event)| event.raw());
        let (count, list) = before.as_ref().map_or((0, null()), |event| (1, std::ptr::from_ref(event)));
        // SAFETY: arguments are set; the kernels' contracts say which elements they touch, and their callers check these
        // against the blocks.
        let raw = unsafe {
            enqueue_nd_range_kernel(queue, kernel.get().0, 3, null(), global.as_ptr(), local.as_ptr(), count, list)
        };
        let event = Arc::new(Event::new(self.noted(check("clEnqueueNDRangeKernel", raw))?));
        self.noted(check("clFlush", flush(queue)))?;
        *last = Some((timed, event.clone()));
        Ok(event)
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
        let mut last = self.api();
        let timed = last.as_ref().is_some_and(|(timed, _)| *timed);
        let queue = self.compute[usize::from(timed)].get().0;
        // SAFETY: buffers have at least 4 bytes.
        let raw = unsafe { enqueue_fill_buffer(queue, buffer.0, (&raw const zero).cast(), 4, 0, 4, 0, null()) };
        let event = Arc::new(Event::new(check("clEnqueueFillBuffer", raw)?));
        check("clFlush", flush(queue))?;
        *last = Some((timed, event.clone()));
        Ok(event)
    }

    /// Waits for a command, at most the time that the settings give.
    ///
    /// # Errors
    /// `TimedOut`, after which the device counts as lost; what the driver says of the command.
    pub(crate) fn wait(&self, event: &Event) -> Result<(), Fault> {
        self.noted(self.wait_unnoted(event, false))
    }

    /// Whether a command has ended.
    ///
    /// # Errors
    /// What the driver says of the command.
    pub(crate) fn has_ended(&self, event: &Event) -> Result<bool, Fault> {
        self.noted(self.has_ended_unnoted(event))
    }

    fn has_ended_unnoted(&self, event: &Event) -> Result<bool, Fault> {
        let status = {
            let _api = self.api();
            event.status()
        };
        match check("clGetEventInfo", status)? {
            0 => Ok(true),
            failed if failed < 0 => Err(Fault::from_code("a command on the device", failed)),
            _ => Ok(false),
        }
    }

    fn wait_unnoted(&self, event: &Event, may_leave: bool) -> Result<(), Fault> {
        if injected(FaultKind::TimedOut) {
            return Err(Fault::new(FaultKind::TimedOut, "a command did not end in time (injected)"));
        }
        if injected(FaultKind::DeviceLost) {
            return Err(Fault::new(FaultKind::DeviceLost, "the device stopped answering (injected)"));
        }
        let started = Instant::now();
        loop {
            if self.has_ended_unnoted(event)? {
                return Ok(());
            }
            let waited = started.elapsed();
            if waited > self.timeout {
                // A release could wait for the command that hangs.
                abandon();
                let text =
                    format!("a command on {} did not end in {:.1} s", self.info.name, self.timeout.as_secs_f64());
                return Err(Fault::new(FaultKind::TimedOut, text));
            }
            // Kernels and transfers of a few milliseconds are waited for by asking, with the core offered to others in
            // between: a sleep ends late, and a transfer has many such commands.
            if waited < ASKING {
                // Less often as time goes by: whoever asks holds the driver, which others need for their commands.
                for _ in 0..if waited < SHORT { 4 } else { 400 } {
                    std::hint::spin_loop();
                }
                thread::yield_now();
            } else {
                if may_leave {
                    unless_interrupted()?;
                }
                thread::sleep((waited / 50).min(Duration::from_millis(1)));
            }
        }
    }
}
