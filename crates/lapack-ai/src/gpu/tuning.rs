//! Tuning the matrix product of a device, and keeping what was found for later processes.
//!
//! What was found is one file for each device, driver and version of this library ([`Key::of_device`]), in the directory of
//! the measured times. It is read when the device is first opened; one that cannot be used is left alone, warned of once and
//! replaced by the next tuning.

use super::{Slot, choose, lock, slot_of};
use crate::dispatch::model::{OpKind, Source};
use crate::dispatch::store::{Key, Store};
use crate::dispatch::{Device, fault_error, known};
use crate::report::Engine;
use lapack_ai_core::{Code, Error, Result};
use lapack_ai_opencl::tune as engine;
use lapack_ai_opencl::{DeviceInfo, Interrupt};
use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;

pub use lapack_ai_opencl::tune::{Class, Config, Ended, Entry, Outcome, Plan, Row, Table, Tables, Target};

/// Name of the file.
const FILE: &str = "gemm";

/// What a device's file held.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    read: bool,
    table: Option<Table>,
    /// To be told once.
    warning: Option<Error>,
}

/// What a tuning found, and where it is kept.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The device.
    pub device: &'static DeviceInfo,
    /// What was measured now.
    pub outcome: Outcome,
    /// All that is known of the device from this machine, with what was found before.
    pub table: Table,
    /// The file; `None` if it could not be written, and what was found is lost at the end of the process.
    pub file: Option<PathBuf>,
    /// Whether dispatch has measured times of this device that are now too long: `calibrate_now` renews them.
    pub recalibrate: bool,
}

/// What is on disk for a device: the table, or why it cannot be used.
fn read(store: &Store, info: &DeviceInfo) -> std::result::Result<Option<Table>, Error> {
    let key = Key::of_device(info);
    let table = store.read::<Table>(FILE, &key).and_then(|table| table.map(Table::checked).transpose());
    table.map_err(|why| {
        let path = store.path(FILE, &key);
        let text = format!("the tuned configurations in {} cannot be used", path.display());
        Error::text(Code::TuningIgnored, "tune", text).because(why)
    })
}

impl Kept {
    fn state(&self, info: &DeviceInfo) -> std::sync::MutexGuard<'_, State> {
        let mut state = lock(&self.0);
        if !state.read {
            state.read = true;
            match Store::of_this_process().map_or(Ok(None), |store| read(&store, info)) {
                Ok(table) => state.table = table,
                Err(warning) => state.warning = Some(warning),
            }
        }
        state
    }

    /// What was tuned on this machine, read from its file the first time.
    pub(super) fn load(&self, info: &DeviceInfo) -> Option<Table> {
        self.state(info).table.clone()
    }

    /// Where configurations come from, without opening the device.
    pub(super) fn tables(&self, info: &DeviceInfo) -> Tables {
        Tables { tuned: self.load(info), ..Tables::shipped_for(info) }
    }

    /// What is to be said of the file, once.
    pub(crate) fn take_warning(&self) -> Option<Error> {
        lock(&self.0).warning.take()
    }

    fn set(&self, table: Option<Table>) {
        *lock(&self.0) = State { read: true, table, warning: None };
    }
}

/// Finds the fastest configurations of the matrix product on a device and keeps them, for this process and later ones.
/// `progress` is told the fraction done and what is measured; after `interrupt` says true the search ends with what it has.
/// Every class is written down when it is found. Other work on the device or the machine meanwhile disturbs the times.
///
/// # Errors
/// `LAP-E040` if there is no such device or its breaker is open, `LAP-E041` if it cannot be opened. A device that fails on the
/// way ends the search, and [`Outcome::ended`] says so.
///
/// # Examples
/// ```no_run
/// use lapack_ai::Device;
/// use lapack_ai::gpu::tuning::{Plan, tune};
/// let tuned = tune(Device::Auto, &Plan::default(), &mut |done, text| eprintln!("{:3.0} % {text}", 100.0 * done), &|| false)?;
/// println!("{tuned}");
/// # Ok::<(), lapack_ai::Error>(())
/// ```
pub fn tune(
    device: Device,
    plan: &Plan,
    progress: &mut dyn FnMut(f64, &str),
    interrupt: Interrupt<'_>,
) -> Result<Tuned> {
    let slot = slot_of(device)?;
    let lease = slot.lease().map_err(|why| Error::text(Code::GpuUnavailable, "tune", why))?;
    let gpu = match slot.gpu() {
        Ok(gpu) => gpu,
        Err(fault) => {
            let error = fault_error("tune", &fault);
            let _ = lease.settle::<()>(Err(fault));
            return Err(error);
        }
    };
    let info = slot.info();
    let former = slot.tuned.load(info);
    let mut table = former.clone().unwrap_or_else(|| Table::new(info));
    let (store, key) = (Store::of_this_process(), Key::of_device(info));
    let mut file = None;
    let mut found = |entry: &Entry| {
        table.put(*entry);
        let kept = store.as_ref().filter(|store| store.save(FILE, &key, &table).is_ok());
        file = kept.map(|store| store.path(FILE, &key));
    };
    let watch = engine::Watch { progress, found: &mut found, interrupt };
    let outcome = engine::tune(&gpu, plan, former.as_ref(), watch);
    let ended = match &outcome.ended {
        Ended::Failed(fault) => Err(fault.clone()),
        _ => Ok(()),
    };
    // The breaker hears of it; the outcome tells the caller.
    let _ = lease.settle(ended);
    gpu.set_tuned(Some(table.clone()));
    slot.tuned.set(Some(table.clone()));
    let recalibrate = is_stale(slot, &outcome);
    Ok(Tuned { device: info, outcome, table, file, recalibrate })
}

/// Whether dispatch has measured times of products that are faster now.
fn is_stale(slot: &'static Slot, outcome: &Outcome) -> bool {
    let faster = |row: &&Row| row.entry.gain() > 1.0;
    let mut dtypes = outcome.rows.iter().filter(faster).map(|row| row.target.dtype).peekable();
    if dtypes.peek().is_none() {
        return false;
    }
    let model = known::of_slot(slot).model();
    dtypes.any(|dtype| model.source(Engine::OpenCl, OpKind::Matmul, dtype) == Source::Measured)
}

/// Forgets what was tuned on this machine for a device. Whether there was anything.
///
/// # Errors
/// `LAP-E040` if there is no such device, `LAP-E034` if the file cannot be removed.
pub fn reset(device: Device) -> Result<bool> {
    let slot = slot_of(device)?;
    let had = slot.tuned.load(slot.info()).is_some();
    let removed = match Store::of_this_process() {
        None => Ok(false),
        Some(store) => store.remove(FILE, &Key::of_device(slot.info())),
    };
    let removed = removed.map_err(|error| {
        let text = "the file of tuned configurations in LAPACK_AI_CACHE_DIR cannot be removed";
        Error::text(Code::BadConfig, "tune", text).because(error.to_string())
    })?;
    slot.tuned.set(None);
    if let Some(gpu) = &*lock(&slot.opened) {
        gpu.set_tuned(None);
    }
    Ok(had || removed)
}

/// Where the configurations of a device's matrix products come from, in one line with what to do about it.
///
/// # Errors
/// `LAP-E040` if there is no such device.
pub fn describe(device: Device) -> Result<String> {
    choose(device).map(line).map_err(|why| Error::text(Code::GpuUnavailable, "tune", why))
}

pub(crate) fn line(slot: &Slot) -> String {
    let tables = slot.tuned.tables(slot.info());
    let advice = match tables.tuned {
        Some(_) => "`lapack-ai tune` goes on, `--reset` forgets",
        None => "`lapack-ai tune` measures this device in about a minute",
    };
    format!("GEMM: {tables}; {advice}")
}

impl fmt::Display for Tuned {
    /// The classes with the speed before and after, and what became of the whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { rows, ended, left_out } = &self.outcome;
        let mut cells =
            vec![["product", "kernel", "GFLOP/s before", "after", "gain", "configuration"].map(String::from)];
        for row in rows {
            let [before, after] = row.gflops();
            let gain = 100.0 * (row.entry.gain() - 1.0);
            let what = match row.entry.config {
                _ if gain == 0.0 => "as it was".to_string(),
                Some(config) => config.to_string(),
                None => "by rule".to_string(),
            };
            let kernel = row.entry.class.kernel.kernel().to_string();
            let number = |x: f64| if x < 100.0 { format!("{x:.2}") } else { format!("{x:.0}") };
            cells.push([row.target.to_string(), kernel, number(before), number(after), format!("{gain:+.0} %"), what]);
        }
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 5] = std::array::from_fn(width);
        for [product, kernel, before, after, gain, what] in &cells {
            writeln!(
                f,
                "{product:<0$}  {kernel:<1$}  {before:>2$}  {after:>3$}  {gain:>4$}  {what}",
                widths[0], widths[1], widths[2], widths[3], widths[4]
            )?;
        }
        let faster = rows.iter().filter(|row| row.entry.gain() > 1.0).count();
        write!(f, "{}: {faster} of {} classes of products are faster", self.device.name, rows.len())?;
        match ended {
            Ended::Done => write!(f, "; all were tuned")?,
            Ended::Budget => write!(f, "; the time was used up, another run goes on from here")?,
            Ended::Interrupted => write!(f, "; interrupted, another run goes on from here")?,
            Ended::Failed(fault) => write!(f, "; the device failed: {fault}")?,
        }
        if *left_out > 0 {
            write!(f, " ({left_out} products left out: too long for the time, or too large)")?;
        }
        match &self.file {
            Some(file) => write!(f, "\nkept in {}", file.display())?,
            None if rows.is_empty() => {}
            None => write!(f, "\nkept for this process only: LAPACK_AI_CACHE_DIR names no place that can be written")?,
        }
        if self.recalibrate {
            write!(f, "\ndispatch still expects the former times; lap.calibrate() renews them")?;
        }
        Ok(())
    }
}
