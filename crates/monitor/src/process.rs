//! What this process does: subscribes to its calls, adds them up on a thread of its own, and says at any time how things stand.

use crate::advice::{self, Evidence};
use crate::aggregate::{Aggregate, MOST_SECONDS, case, comparisons};
use crate::collect::HostCollector;
use crate::event::{Recorder, WhereAmI, shortened};
use crate::fork::Worker;
use crate::history::History;
use crate::limits::batched_seconds;
use crate::snapshot::{Device, Identity, Process, Recommendation, Row};
use lapack_ai::config::config;
use lapack_ai::dispatch::calibrate::Runner;
use lapack_ai::gpu;
use lapack_ai::observe::{self, Observer, Subscription};
use lapack_ai::{DType, ElementType, Half};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the queue is emptied.
const PERIOD: Duration = Duration::from_millis(50);
/// How often recommendations are made anew.
const ADVISE_EVERY: Duration = Duration::from_secs(2);
/// How often the run is written into the history.
const RECORD_EVERY: Duration = Duration::from_secs(30);
/// Shapes that are measured in a batch, at most.
const MOST_TRIALS: usize = 64;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |passed| passed.as_secs_f64())
}

/// How much of a process is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Seconds at most.
    pub(crate) seconds: usize,
    /// Calls with a number above this one.
    pub(crate) calls_after: u64,
}

impl Wanted {
    /// All.
    pub(crate) const ALL: Self = Self { seconds: MOST_SECONDS, calls_after: 0 };
}

struct Sums {
    aggregate: Aggregate,
    host: HostCollector,
    /// Whether the library itself has looked for devices: the monitor does not do it on its own, since a process that has
    /// loaded OpenCL must not be forked.
    devices_known: bool,
    ticked: Instant,
}

/// Operation, element type and shape of calls that were measured in a batch.
type Shape = (String, String, [u64; 4]);

/// What is made anew from time to time.
#[derive(Default)]
struct Advice {
    made: Option<Instant>,
    recommendations: Vec<Recommendation>,
    /// What was measured of a shape in a batch, and how many calls there were then.
    trials: HashMap<Shape, (Option<f64>, u64)>,
    runner: Runner,
}

struct Inner {
    recorder: Arc<Recorder>,
    sums: Mutex<Sums>,
    advice: Mutex<Advice>,
    identity: Identity,
    /// Bits of the seconds that a call costs the language.
    call_overhead: AtomicU64,
    stop: (Mutex<bool>, Condvar),
}

/// Watches this process until it is dropped.
pub struct Watcher {
    inner: Arc<Inner>,
    thread: Worker,
    subscription: Option<Subscription>,
}

impl Watcher {
    /// Begins to watch. `history` is where runs are recorded; `None` for nowhere.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(history: Option<PathBuf>) -> std::io::Result<Self> {
        let now = Instant::now();
        let recorder = Arc::new(Recorder::new());
        let inner = Arc::new(Inner {
            recorder: Arc::clone(&recorder),
            sums: Mutex::new(Sums {
                aggregate: Aggregate::new(now, unix_now()),
                host: HostCollector::below(PathBuf::from("/")),
                devices_known: false,
                ticked: now,
            }),
            advice: Mutex::default(),
            identity: identity(),
            call_overhead: AtomicU64::new(0),
            stop: (Mutex::new(false), Condvar::new()),
        });
        let of_thread = Arc::clone(&inner);
        let thread = Worker::start("lapack-ai watch", move || of_thread.run(history))?;
        let subscription = observe::subscribe(recorder as Arc<dyn Observer>);
        Ok(Self { inner, thread, subscription: Some(subscription) })
    }

    /// Asks `where_am_i` for the place of some calls in the program.
    pub fn look_by(&self, where_am_i: WhereAmI) {
        self.inner.recorder.look_by(where_am_i);
    }

    /// Says what a call costs the language beside the library, in seconds.
    pub fn set_call_overhead(&self, seconds: f64) {
        self.inner.call_overhead.store(seconds.max(0.0).to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn view(&self) -> View {
        View(Arc::clone(&self.inner))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.subscription.take());
        self.thread.end(|| {
            *lock(&self.inner.stop.0) = true;
            self.inner.stop.1.notify_all();
        });
    }
}

/// Looks at what a [`Watcher`] knows.
#[derive(Clone)]
pub(crate) struct View(Arc<Inner>);

impl View {
    /// How things stand now.
    pub(crate) fn process(&self, wanted: Wanted) -> Process {
        self.0.process(wanted)
    }

    /// Who the process is, as it was known at the start.
    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Whether events are taken up in time.
    pub(crate) fn is_ready(&self) -> bool {
        lock(&self.0.sums).ticked.elapsed() < Duration::from_secs(5)
    }

    /// Looks for devices, if nobody did.
    pub(crate) fn find_devices(&self) {
        lock(&self.0.sums).devices_known = true;
    }
}

impl Inner {
    fn run(&self, history: Option<PathBuf>) {
        let mut recorded = Instant::now();
        let mut history = history.map(|path| History::open(&path));
        loop {
            let stopped = {
                let waited = self.stop.1.wait_timeout_while(lock(&self.stop.0), PERIOD, |stop| !*stop);
                *waited.unwrap_or_else(PoisonError::into_inner).0
            };
            self.tick(stopped);
            if stopped || recorded.elapsed() > RECORD_EVERY {
                recorded = Instant::now();
                if let Some(Ok(history)) = &mut history {
                    let process = self.process(Wanted { seconds: 0, calls_after: u64::MAX });
                    if process.totals.calls > 0 {
                        // A history that cannot be written is no reason to disturb the program.
                        let _ = history.record(&process);
                    }
                }
            }
            if stopped {
                return;
            }
        }
    }

    /// Takes up what has happened.
    fn tick(&self, all: bool) {
        let now = Instant::now();
        let mut sums = lock(&self.sums);
        self.drain(&mut sums);
        sums.ticked = now;
        if all {
            observe::tell_counts();
            self.drain(&mut sums);
        }
        let Sums { aggregate, host, devices_known, .. } = &mut *sums;
        // Counts are fetched just before the second that they belong to ends.
        if aggregate.second_is_over(now) {
            observe::tell_counts();
            while let Some(item) = self.recorder.take() {
                aggregate.take(item);
            }
            let figures = host.process(now);
            let pool = if *devices_known { pool_in_use() } else { 0.0 };
            aggregate.close_second(now, [figures.cpu, figures.memory, pool]);
        }
    }

    fn drain(&self, sums: &mut Sums) {
        while let Some(item) = self.recorder.take() {
            sums.devices_known |= item.knows_devices();
            sums.aggregate.take(item);
        }
    }

    fn process(&self, wanted: Wanted) -> Process {
        observe::tell_counts();
        let (totals, rows, recent, series, concurrent, devices_known) = {
            let mut sums = lock(&self.sums);
            self.drain(&mut sums);
            let sums = &sums;
            let aggregate = &sums.aggregate;
            let recent = aggregate.recent(wanted.calls_after);
            let series = aggregate.series(wanted.seconds);
            let totals = aggregate.totals(self.recorder.dropped());
            (totals, aggregate.rows(), recent, series, aggregate.concurrent(), sums.devices_known)
        };
        let mut identity = self.identity.clone();
        // The LAPACK is opened by the program's first call, not by looking.
        if totals.calls > 0
            && let Ok(search) = lapack_ai::provider()
        {
            let (library, version) = (&search.library, search.library.version());
            identity.lapack = format!(
                "{} {}.{}.{} ({})",
                library.vendor(),
                version.major,
                version.minor,
                version.patch,
                library.path().display()
            );
            identity.threads = library.threads().get();
        }
        let devices = if devices_known { devices() } else { Vec::new() };
        let alerts = advice::process_alerts(&totals, &series, &devices);
        let recommendations = self.advise(&rows, &identity, concurrent);
        Process {
            identity,
            state: "running".into(),
            at: unix_now(),
            comparisons: comparisons(&rows),
            totals,
            rows,
            recent,
            series,
            devices,
            recommendations,
            alerts,
        }
    }

    fn advise(&self, rows: &[Row], identity: &Identity, concurrent: (usize, u64)) -> Vec<Recommendation> {
        let mut advice = lock(&self.advice);
        if advice.made.is_some_and(|made| made.elapsed() < ADVISE_EVERY) {
            return advice.recommendations.clone();
        }
        let Advice { trials, runner, .. } = &mut *advice;
        let trials = std::cell::RefCell::new((trials, runner));
        let batched = |row: &Row| {
            let (trials, runner) = &mut *trials.borrow_mut();
            let key = (row.operation.clone(), row.dtype.clone(), row.shape);
            let known = trials.get(&key).copied();
            // Measured again when there are twice as many calls: the first time may have been a busy moment.
            if let Some((seconds, calls)) = known
                && row.calls < 2 * calls
            {
                return seconds;
            }
            if known.is_none() && trials.len() >= MOST_TRIALS {
                return None;
            }
            let case = case(&row.operation, element_type(&row.dtype)?, row.shape.map(|size| size as usize))?;
            let measured = batched_seconds(runner, &case, row.p50);
            let before = known.and_then(|(seconds, _)| seconds);
            let seconds = before.into_iter().chain(measured).min_by(f64::total_cmp);
            trials.insert(key, (seconds, row.calls));
            seconds
        };
        let recommendations = advice::recommendations(&Evidence {
            rows,
            threads: identity.threads,
            cores: identity.cores,
            concurrent,
            call_overhead: f64::from_bits(self.call_overhead.load(Ordering::Relaxed)),
            batched: &batched,
        });
        advice.made = Some(Instant::now());
        advice.recommendations.clone_from(&recommendations);
        recommendations
    }
}

/// The type of that name.
pub(crate) fn element_type(name: &str) -> Option<ElementType> {
    let lapack = DType::ALL.into_iter().map(ElementType::from);
    let half = [Half::Float16, Half::BFloat16].into_iter().map(ElementType::from);
    lapack.chain(half).find(|dtype| dtype.name() == name)
}

fn pool_in_use() -> f64 {
    gpu::devices().iter().filter_map(|device| device.pool).map(|pool| pool.used as f64).sum()
}

fn devices() -> Vec<Device> {
    let device = |status: gpu::Status| Device {
        name: status.info.name,
        platform: format!("{}, driver {}", status.info.platform, status.info.driver),
        is_cpu: status.info.is_cpu,
        chosen: status.chosen,
        memory: status.info.memory,
        breaker: status.breaker.to_string(),
        last_failure: status.last_failure.map(|text| shortened(&text)),
        pool: status.pool.map(|pool| [pool.used, pool.idle, pool.high_water, pool.limit].map(|bytes| bytes as u64)),
        tuning: status.tuning,
    };
    gpu::devices().into_iter().map(device).collect()
}

/// The command line, shortened: names of files without their folders.
fn program() -> String {
    let mut words = std::env::args().take(6).map(|word| match word.rsplit_once('/') {
        Some((_, name)) if word.starts_with('/') => name.to_string(),
        _ => word,
    });
    let first = words.next().unwrap_or_default();
    shortened(&words.fold(first, |line, word| line + " " + &word))
}

fn identity() -> Identity {
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: String| settings.insert(name.to_string(), value);
    match config() {
        Ok(config) => {
            set("LAPACK_GPU_ENABLED", config.gpu_enabled.to_string());
            set("LAPACK_GPU_MEMORY_LIMIT", format!("{} %", config.gpu_memory_limit));
            set("LAPACK_GPU_DEVICE", config.gpu_device.clone().unwrap_or_else(|| "(chosen)".into()));
            set("LAPACK_GPU_VERIFY", config.gpu_verify.name().into());
            set("LAPACK_GPU_PRECISION", config.gpu_precision.name().into());
            set("LAPACK_GPU_TIMEOUT_SECONDS", config.gpu_timeout_seconds.to_string());
            set("LAPACK_GPU_BREAKER_FAILURES", config.gpu_breaker_failures.to_string());
            set("LAPACK_GPU_BREAKER_SECONDS", config.gpu_breaker_seconds.to_string());
            let most = config.batch_size_limit;
            set("LAPACK_BATCH_SIZE_LIMIT", if most == usize::MAX { "as many as fit".into() } else { most.to_string() });
            set("LAPACK_LOG_LEVEL", config.log_level.name().into());
        }
        Err(error) => {
            set("settings", error.to_string());
        }
    }
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LAPACK_AI_LIBRARY"] {
        if let Some(value) = std::env::var_os(name) {
            set(name, value.to_string_lossy().into_owned());
        }
    }
    let container = lapack_ai::container::Container::of_this_process();
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    Identity {
        pid: std::process::id(),
        program: program(),
        machine: machine_name(),
        started: unix_now(),
        version: env!("CARGO_PKG_VERSION").into(),
        lapack: String::new(),
        threads: 0,
        cores: container.cpu_quota.map_or(cores, |quota| quota.min(cores)),
        settings,
    }
}

fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_string());
    name.or_else(|| std::env::var("COMPUTERNAME").ok()).or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_name_and_others_have_none() {
        assert_eq!(element_type("float64"), Some(DType::Float64.into()));
        assert_eq!(element_type("bfloat16").map(|dtype| dtype.size()), Some(2));
        assert_eq!(element_type("int8"), None);
    }
}
