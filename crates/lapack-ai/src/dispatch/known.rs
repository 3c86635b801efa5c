//! What this process knows of its engines: one cost model for each device, kept on disk.
//!
//! A model starts from the last process's file, else from plain rates. It is measured at once by [`calibrate_now`], or by
//! itself: calls whose engine is uncertain count what they take, and when they have taken as long as measuring will, the
//! operation is measured. Measuring by itself therefore at most doubles the time of a program that has no use for it, as
//! the renter of skis who buys when the rents have reached the price.

use super::calibrate::{Plan, Runner, calibrate, calibrate_transfers, compare_where_close, for_each_table};
use super::model::{Case, Model, OpKind, Rates, Source};
use super::store::{Key, Store};
use crate::gpu::{self, Slot};
use crate::report::Engine;
use lapack_ai_core::{Complex64, DType, Result};
use lapack_ai_opencl::kernels::{DeviceView, copy::copy, gemm::gemm, scale::scale};
use lapack_ai_opencl::{DeviceInfo, Fault};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Operations with GPU kernels.
const ON_GPU: [OpKind; 3] = [OpKind::Matmul, OpKind::Svd, OpKind::SvdVals];
/// Name of the file.
const FILE: &str = "model";
/// How often what calls have taught is written down.
const SAVE_EVERY: Duration = Duration::from_secs(20);
/// Time to measure one operation in one type on one engine, when it is done by itself.
const BUDGET: Duration = Duration::from_millis(1200);
/// Part of it beside, for calls of both engines where neither is clearly faster.
const COMPARING: f64 = 0.5;

/// What is known for one device, or for the CPU alone.
#[derive(Debug)]
pub(crate) struct Known {
    model: RwLock<Arc<Model>>,
    info: Option<&'static DeviceInfo>,
    device: Option<(&'static str, &'static str)>,
    /// Seconds that calls of uncertain engine have taken, by operation and type; infinite once it was measured.
    uncertain: Mutex<HashMap<(OpKind, DType), f64>>,
    saved: Mutex<Option<Instant>>,
}

thread_local! {
    /// Calls of the calibration itself teach nothing and start no calibration.
    static CALIBRATING: Cell<bool> = const { Cell::new(false) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the device's data sheet would say, from what its driver tells: a start that measurements replace.
fn device_rates(info: &DeviceInfo) -> Rates {
    let cycles = f64::from(info.compute_units) * f64::from(info.clock_mhz) * 1e6;
    // Fused operations a cycle and unit: vectors of a CPU's core; the least that GPUs of today have.
    let (single, double) = if info.is_cpu { (16.0, 8.0) } else { (128.0, 16.0) };
    let memory = if info.is_cpu { 10e9 } else { 200e9 };
    let flops64 = if info.float64 { 2.0 * double * cycles } else { 0.0 };
    Rates::gpu(flops64, 2.0 * single * cycles, memory)
}

/// A model of plain rates.
fn unmeasured(info: Option<&'static DeviceInfo>) -> Model {
    let threads = crate::num_threads().unwrap_or(1);
    Model::new(Rates::cpu(threads), info.map(|info| (device_rates(info), &ON_GPU[..])))
}

impl Known {
    fn new(info: Option<&'static DeviceInfo>) -> Self {
        let mut model = unmeasured(info);
        let device = info.map(|info| (info.name.as_str(), info.driver.as_str()));
        if let (Some(store), Ok(key)) = (Store::of_this_process(), Key::current(device))
            && let Some(saved) = store.load(FILE, &key)
        {
            model.restore(saved);
        }
        Self { model: RwLock::new(Arc::new(model)), info, device, uncertain: Mutex::default(), saved: Mutex::new(None) }
    }

    pub(crate) fn model(&self) -> Arc<Model> {
        self.model.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down what is known, for the next process. A place that cannot be written costs a calibration there.
    fn save(&self) {
        *lock(&self.saved) = Some(Instant::now());
        if let (Some(store), Ok(key)) = (Store::of_this_process(), Key::current(self.device)) {
            let _ = store.save(FILE, &key, &self.model().save());
        }
    }

    /// Takes up what a call took, all of it and its transfers, in seconds.
    pub(crate) fn learn(&self, case: &Case, engine: Engine, total: f64, transfer: f64) {
        if CALIBRATING.get() {
            return;
        }
        self.model().learn(case, engine, total, transfer);
        let due = lock(&self.saved).get_or_insert_with(Instant::now).elapsed() > SAVE_EVERY;
        if due {
            self.save();
        }
    }

    /// Notes that a call of uncertain engine is expected to take `seconds`, and measures its operation if it is time.
    pub(crate) fn note_uncertain(&self, slot: &'static Slot, case: &Case, seconds: f64) {
        if CALIBRATING.get() {
            return;
        }
        let pair = (case.op, case.dtype);
        {
            let mut uncertain = lock(&self.uncertain);
            let spent = uncertain.entry(pair).or_insert(0.0);
            *spent += seconds;
            if *spent < (2.0 + COMPARING) * BUDGET.as_secs_f64() {
                return;
            }
            *spent = f64::NEG_INFINITY;
        }
        self.measure(Some(slot), &[case.op], &[case.dtype], BUDGET, &mut |_, _| {});
    }

    /// What the device reaches, measured now if nobody has: some milliseconds on a GPU. What the driver says if that fails.
    pub(crate) fn rates(&self, slot: &'static Slot) -> Option<Rates> {
        let _one_at_a_time = one_at_a_time();
        if !self.model().has_rates() {
            let mut model = unmeasured(self.info);
            model.restore(self.model().save());
            if measure_rates(slot, &mut model).is_ok() {
                *self.model.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(model);
                self.save();
            }
        }
        self.model().device_rates().map(|(rates, _)| rates)
    }

    /// Measures operations in the given types and keeps the result. Returns the number of points.
    fn measure(
        &self,
        slot: Option<&'static Slot>,
        ops: &[OpKind],
        dtypes: &[DType],
        budget: Duration,
        progress: &mut dyn FnMut(f64, &str),
    ) -> usize {
        let _one_at_a_time = one_at_a_time();
        let former = CALIBRATING.replace(true);
        // Measured beside the one in use, which others ask meanwhile.
        let mut model = unmeasured(self.info);
        model.restore(self.model().save());
        let mut runner = Runner::default();
        let mut points = 0;
        let gpu_ops: Vec<OpKind> = ops.iter().copied().filter(|op| ON_GPU.contains(op)).collect();
        // What each step shows of the progress is its share of the time.
        let on_gpu = if slot.is_some() { gpu_ops.len() as f64 } else { 0.0 };
        let all = (ops.len() as f64 + (1.0 + COMPARING) * on_gpu).max(1.0);
        let (gpu_part, cpu_part) = (on_gpu / all, ops.len() as f64 / all);
        let slot = slot.filter(|_| !gpu_ops.is_empty());
        if let Some(slot) = slot {
            points += measure_transfers(slot, &mut model);
            if !model.has_rates() {
                // Where that fails, what the driver says stays.
                let _ = measure_rates(slot, &mut model);
            }
            let plan = Plan { engine: Engine::OpenCl, ops: gpu_ops.clone(), dtypes: dtypes.to_vec(), budget };
            let mut run = |case: &Case, engine| runner.run_on(case, engine, slot.index);
            let mut told = |done: f64, text: &str| progress(gpu_part * done, &format!("{}, {text}", slot.info().name));
            points += calibrate(&mut model, &plan, &mut run, &mut told);
        }
        let plan = Plan { engine: Engine::Cpu, ops: ops.to_vec(), dtypes: dtypes.to_vec(), budget };
        let mut told = |done: f64, text: &str| progress(gpu_part + cpu_part * done, &format!("CPU, {text}"));
        points += calibrate(&mut model, &plan, &mut |case, engine| runner.run(case, engine), &mut told);
        if let Some(slot) = slot {
            let mut both = |case: &Case, engine| runner.run_on(case, engine, slot.index);
            let before = gpu_part + cpu_part;
            let mut told =
                |done: f64, text: &str| progress(before + (1.0 - before) * done, &format!("both engines, {text}"));
            let budget = budget.mul_f64(COMPARING);
            for_each_table(&gpu_ops, dtypes, &mut told, &mut |op, dtype| {
                compare_where_close(&model, op, dtype, budget, &mut both)
            });
        }
        CALIBRATING.set(former);
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(model);
        self.save();
        points
    }
}

/// Two calibrations at once would measure each other.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    lock(&ONE)
}

fn measure_transfers(slot: &'static Slot, model: &mut Model) -> usize {
    let Ok(gpu) = slot.gpu() else { return 0 };
    let mut host = vec![1_u8; 256 << 20];
    calibrate_transfers(model, &mut |direction, bytes| {
        let block = gpu.alloc(bytes).ok()?;
        let started = Instant::now();
        match direction {
            super::model::Direction::Upload => gpu.write(&block, 0, &host[..bytes]).ok()?,
            super::model::Direction::Download => gpu.read(&block, 0, &mut host[..bytes]).ok()?,
        }
        Some(started.elapsed().as_secs_f64())
    })
}

/// Measures what the device reaches: copies of its memory, and products large enough to fill it.
fn measure_rates(slot: &'static Slot, model: &mut Model) -> std::result::Result<(), Fault> {
    let gpu = slot.gpu()?;
    // The fastest of three, after one that builds the kernel.
    let fastest = |work: &dyn Fn() -> std::result::Result<(), Fault>| {
        (0..4).try_fold(f64::INFINITY, |least, round| {
            let started = Instant::now();
            work()?;
            Ok::<_, Fault>(if round == 0 { least } else { least.min(started.elapsed().as_secs_f64()) })
        })
    };
    let bytes = (256 << 20).min(gpu.available() / 4) / 4096 * 4096;
    let (from, to) = (gpu.alloc(bytes)?, gpu.alloc(bytes)?);
    let shape = [1, bytes / 4096, 1024];
    let (source, target) =
        (DeviceView::row_major(&from, DType::Float32, shape)?, DeviceView::row_major(&to, DType::Float32, shape)?);
    let copying = fastest(&|| copy(&gpu, source, false, target).and_then(|()| gpu.wait_for(&to)))?;
    let product = |dtype: DType| -> std::result::Result<f64, Fault> {
        if dtype.is_double() && !slot.info().float64 {
            return Ok(0.0);
        }
        let mut rate = 0.0;
        for n in [256_usize, 512, 1024, 2048, 4096] {
            if 3 * n * n * dtype.size() > gpu.available() {
                break;
            }
            let [a, b, c] =
                [gpu.alloc(n * n * dtype.size())?, gpu.alloc(n * n * dtype.size())?, gpu.alloc(n * n * dtype.size())?];
            let view = |block| DeviceView::row_major(block, dtype, [1, n, n]);
            let (a, b, target) = (view(&a)?, view(&b)?, view(&c)?);
            scale(&gpu, Complex64::ZERO, a, a)?;
            scale(&gpu, Complex64::ZERO, b, b)?;
            let one = Complex64::new(1.0, 0.0);
            let work =
                || gemm(&gpu, one, (a, false), (b, false), Complex64::ZERO, target).and_then(|()| gpu.wait_for(&c));
            let seconds = fastest(&work)?;
            rate = f64::max(rate, 2.0 * (n as f64).powi(3) / seconds);
            if seconds > 1e-3 {
                break;
            }
        }
        Ok(rate)
    };
    model.put_rates(product(DType::Float64)?, product(DType::Float32)?, 2.0 * bytes as f64 / copying);
    Ok(())
}

/// What is known for a device.
pub(crate) fn of_slot(slot: &'static Slot) -> &'static Known {
    slot.known.get_or_init(|| Known::new(Some(slot.info())))
}

/// What is known of the CPU where there is no device.
fn of_cpu() -> &'static Known {
    static CPU: OnceLock<Known> = OnceLock::new();
    CPU.get_or_init(|| Known::new(None))
}

/// What is known for the device that `gpu="auto"` would use, or of the CPU alone.
pub(crate) fn current() -> (&'static Known, Option<&'static Slot>) {
    match gpu::choose(crate::Device::Auto) {
        Ok(slot) => (of_slot(slot), Some(slot)),
        Err(_) => (of_cpu(), None),
    }
}

/// Measures operations on the CPU and on the device in use, and keeps the result for later processes. `budget` is the time
/// for one operation in one type on one engine, and half of it for calls of both where neither is clearly faster;
/// `progress` is told the fraction done and what is measured.
///
/// Returns the number of points measured.
///
/// # Errors
/// `LAP-E030` to `LAP-E034` where there is no LAPACK to measure.
pub fn calibrate_now(
    ops: &[OpKind],
    dtypes: &[DType],
    budget: Duration,
    progress: &mut dyn FnMut(f64, &str),
) -> Result<usize> {
    crate::provider::provider()?;
    let (known, slot) = current();
    Ok(known.measure(slot, ops, dtypes, budget, progress))
}

/// Whether an operation's engine is still a guess.
pub(crate) fn is_uncertain(model: &Model, case: &Case) -> bool {
    [Engine::Cpu, Engine::OpenCl].iter().any(|engine| model.source(*engine, case.op, case.dtype) == Source::Prior)
}
