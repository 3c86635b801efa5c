//! How long a call will take on each engine, and which one is faster.
//!
//! For an operation on matrices of one shape and type,
//!
//! ```text
//! CPU  t = p f c
//! GPU  t = p f c + sum over operands and results that must move of (latency + bytes / rate) f' c'
//! ```
//!
//! A GPU's call with all operands and results at the host is measured as a whole as well, since its transfers and kernels
//! overlap; where that table is there it is used, and the transfers are what it exceeds the kernels by.
//!
//! Here p is the time from plain rates (`rates`), f the factor from the table of times measured on this machine (`table`), 1
//! before anything was measured, and c the correction from the calls that really happened (`correction`). All times are
//! in seconds.
//!
//! A model is shared between threads: predicting and learning take no lock. Tables are put in by whoever owns it.

mod case;
mod correction;
mod rates;
mod saved;
mod table;

pub(crate) use case::Form;
pub use case::{Case, OpKind};
pub use rates::Rates;
pub use saved::SavedModel;
pub use table::Table;
pub(crate) use table::neighbours;

use crate::report::{Engine, Prediction};
use correction::{Corrections, Key};
use lapack_ai_core::DType;
use std::fmt;

/// While nothing was measured, a GPU must be expected to be this much faster to be chosen.
const UNMEASURED_MARGIN: f64 = 2.0;
/// Transfers before they were measured: latency in seconds, bytes a second.
const PLAIN_TRANSFER: (f64, f64) = (20e-6, 10e9);
/// Number of whole calls on the GPU in keys of corrections, beyond those of the engines.
const WHOLE: usize = 2;
/// Number of a transfer in keys of corrections, beyond those of the operations.
const TRANSFER: usize = 31;

/// Where a prediction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Plain rates: right within a factor of some.
    Prior,
    /// Times measured on this machine.
    Measured,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the device.
    Upload,
    /// From the device.
    Download,
}

/// Bytes that a call on the GPU must move; a transfer of 0 bytes does not take place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// One upload for each operand.
    pub uploads: [usize; 2],
    /// The results' download.
    pub download: usize,
}

impl Moves {
    /// Everything lies with the host.
    pub fn all(case: &Case) -> Self {
        Self { uploads: case.operand_bytes(), download: case.result_bytes() }
    }

    /// Nothing moves: operands and results are the device's.
    pub fn none() -> Self {
        Self::default()
    }

    /// `operands[i]` says whether operand i lies on the device, `result` whether the result stays there.
    pub fn with_on_device(case: &Case, operands: [bool; 2], result: bool) -> Self {
        let mut moves = Self::all(case);
        for (bytes, on_device) in moves.uploads.iter_mut().zip(operands) {
            *bytes = if on_device { 0 } else { *bytes };
        }
        moves.download = if result { 0 } else { moves.download };
        moves
    }
}

/// The faster engine, and the numbers that say so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The engine to use.
    pub engine: Engine,
    /// Predicted times.
    pub prediction: Prediction,
    /// [`Source::Measured`] if every number that was compared comes from measured times.
    pub source: Source,
}

impl Choice {
    /// Why, in one sentence: `OpenCL: 1.2 ms predicted (0.80 ms of it transfers), CPU 31 ms`.
    pub fn reason(&self) -> String {
        let Prediction { cpu, transfer, .. } = self.prediction;
        let cpu = cpu.unwrap_or(0.0);
        let unmeasured = if self.source == Source::Prior { "; from plain rates, nothing was measured yet" } else { "" };
        let Some(gpu) = self.prediction.gpu_total() else {
            return format!("CPU: {} predicted, no GPU kernel for this call{unmeasured}", Duration(cpu));
        };
        let gpu = format!("{} predicted ({} of it transfers)", Duration(gpu), Duration(transfer.unwrap_or(0.0)));
        match self.engine {
            Engine::OpenCl => format!("OpenCL: {gpu}, CPU {}{unmeasured}", Duration(cpu)),
            Engine::Cpu => format!("CPU: {} predicted, OpenCL {gpu}{unmeasured}", Duration(cpu)),
        }
    }
}

/// Seconds for people: two digits and a unit.
struct Duration(f64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            seconds if seconds < 1e-3 => (seconds * 1e6, "us"),
            seconds if seconds < 1.0 => (seconds * 1e3, "ms"),
            seconds => (seconds, "s"),
        };
        // From 9.95 on one digit behind the point would be a third one.
        if value < 0.995 {
            write!(f, "{value:.2} {unit}")
        } else if value < 9.95 {
            write!(f, "{value:.1} {unit}")
        } else {
            write!(f, "{value:.0} {unit}")
        }
    }
}

/// The cost model of one machine: its CPU and at most one GPU.
///
/// # Examples
/// ```
/// use lapack_ai::dispatch::model::{Case, Model, Moves, OpKind, Rates};
/// use lapack_ai::{DType, Engine};
/// let gpu = Rates::gpu(30e12, 60e12, 4e12);
/// let model = Model::new(Rates::cpu(16), Some((gpu, &[OpKind::Matmul])));
/// let large = Case::matmul(DType::Float32, 8192, 8192, 8192);
/// let choice = model.choose(&large, Moves::all(&large));
/// assert_eq!(choice.engine, Engine::OpenCl);
/// println!("{}", choice.reason());
/// ```
#[derive(Debug)]
pub struct Model {
    cpu: Rates,
    /// Its rates, and the operations that it has kernels for.
    gpu: Option<(Rates, Vec<OpKind>)>,
    /// The rates that were measured, for operations whose time has several parts.
    measured: Option<Rates>,
    tables: Vec<Option<Table>>,
    /// Whole calls on the GPU from host to host, relative to plain kernels and transfers.
    whole: Vec<Option<Table>>,
    /// Upload and download.
    transfers: [Option<Table>; 2],
    corrections: Corrections,
    /// Least time that any call takes on the GPU.
    gpu_floor: f64,
}

impl Model {
    /// A model without measurements. `gpu` has a device's rates and the operations that there are kernels for.
    pub fn new(cpu: Rates, gpu: Option<(Rates, &[OpKind])>) -> Self {
        let gpu_floor = gpu.map_or(f64::INFINITY, |(rates, _)| rates.launch / 4.0);
        let gpu = gpu.map(|(rates, ops)| (rates, ops.to_vec()));
        let tables = vec![None; 2 * OpKind::ALL.len() * DType::ALL.len()];
        let whole = vec![None; OpKind::ALL.len() * DType::ALL.len()];
        Self {
            cpu,
            gpu,
            measured: None,
            tables,
            whole,
            transfers: [None, None],
            corrections: Corrections::default(),
            gpu_floor,
        }
    }

    fn index(engine: Engine, op: OpKind, dtype: DType) -> usize {
        (engine as usize * OpKind::ALL.len() + op as usize) * DType::ALL.len() + dtype as usize
    }

    fn whole_key(case: &Case) -> Key {
        Key::new(WHOLE, case.op as usize, case.dtype as usize, [case.m, case.n, case.k, case.batch])
    }

    /// Plain time of a whole call on the GPU from host to host.
    pub(crate) fn plain_whole(&self, case: &Case) -> Option<f64> {
        let moves = Moves::all(case);
        let bytes = moves.uploads.iter().chain([&moves.download]);
        let transfers: f64 = bytes.filter(|bytes| **bytes > 0).map(|bytes| plain_transfer(*bytes)).sum();
        Some(self.plain(Engine::OpenCl, case)? + transfers)
    }

    /// As [`Model::plain_whole`], by the table; `None` where nothing was measured.
    fn uncorrected_whole(&self, case: &Case) -> Option<f64> {
        let table = self.whole[Self::index(Engine::Cpu, case.op, case.dtype)].as_ref()?;
        Some(self.plain_whole(case)? * table.factor(&case.coordinates()))
    }

    fn key(engine: Engine, case: &Case) -> Key {
        Key::new(engine as usize, case.op as usize, case.dtype as usize, [case.m, case.n, case.k, case.batch])
    }

    fn transfer_key(direction: Direction, bytes: usize) -> Key {
        Key::new(1, TRANSFER, direction as usize, [bytes, 0, 0, 0])
    }

    /// Time from plain rates; `None` where the engine cannot compute it.
    pub(crate) fn plain(&self, engine: Engine, case: &Case) -> Option<f64> {
        match (engine, &self.gpu) {
            (Engine::Cpu, _) => self.cpu.seconds(engine, case),
            (Engine::OpenCl, Some((rates, ops))) if ops.contains(&case.op) => {
                let stepwise = matches!(case.op, OpKind::Svd | OpKind::SvdVals);
                if stepwise && case.dtype.is_complex() {
                    return None;
                }
                self.measured.as_ref().filter(|_| stepwise).unwrap_or(rates).seconds(engine, case)
            }
            (Engine::OpenCl, _) => None,
        }
    }

    /// Time without the correction from calls.
    fn uncorrected(&self, engine: Engine, case: &Case) -> Option<f64> {
        let plain = self.plain(engine, case)?;
        let table = self.tables[Self::index(engine, case.op, case.dtype)].as_ref();
        Some(plain * table.map_or(1.0, |table| table.factor(&case.coordinates())))
    }

    /// Seconds of `case` on `engine`, without transfers; `None` where the engine cannot compute it.
    pub fn seconds(&self, engine: Engine, case: &Case) -> Option<f64> {
        if case.is_empty() {
            return (self.plain(engine, case)).map(|_| 0.0);
        }
        Some(self.uncorrected(engine, case)? * self.corrections.factor(Self::key(engine, case)))
    }

    fn uncorrected_transfer(&self, direction: Direction, bytes: usize) -> f64 {
        let factor = |table: &Table| table.factor(&[(bytes as f64).ln(), 0.0, 0.0, 0.0]);
        plain_transfer(bytes) * self.transfers[direction as usize].as_ref().map_or(1.0, factor)
    }

    /// Seconds of one transfer; 0 for 0 bytes.
    pub fn transfer_seconds(&self, direction: Direction, bytes: usize) -> f64 {
        if bytes == 0 {
            return 0.0;
        }
        let correction = self.corrections.factor(Self::transfer_key(direction, bytes));
        self.uncorrected_transfer(direction, bytes) * correction
    }

    /// Seconds of transfers, one after another.
    pub(crate) fn moving(&self, moves: Moves) -> f64 {
        let uploads = moves.uploads.iter().map(|bytes| self.transfer_seconds(Direction::Upload, *bytes));
        uploads.sum::<f64>() + self.transfer_seconds(Direction::Download, moves.download)
    }

    /// Predicted times of `case` on both engines.
    pub fn predict(&self, case: &Case, moves: Moves) -> Prediction {
        let gpu = self.seconds(Engine::OpenCl, case);
        let whole = if moves == Moves::all(case) && !case.is_empty() { self.uncorrected_whole(case) } else { None };
        if let (Some(kernels), Some(whole)) = (gpu, whole) {
            let whole = whole * self.corrections.factor(Self::whole_key(case));
            let kernels = kernels.min(whole);
            return Prediction {
                cpu: self.seconds(Engine::Cpu, case),
                gpu: Some(kernels),
                transfer: Some(whole - kernels),
            };
        }
        let transfer = gpu.map(|_| self.moving(moves));
        Prediction { cpu: self.seconds(Engine::Cpu, case), gpu, transfer }
    }

    /// The faster engine. Formatting the reason is left to [`Choice::reason`], since most calls do not ask for it.
    pub fn choose(&self, case: &Case, moves: Moves) -> Choice {
        let prediction = self.predict(case, moves);
        let mut source = self.source(Engine::Cpu, case.op, case.dtype);
        if prediction.gpu.is_some() && self.source(Engine::OpenCl, case.op, case.dtype) == Source::Prior {
            source = Source::Prior;
        }
        let margin = if source == Source::Prior { UNMEASURED_MARGIN } else { 1.0 };
        let faster = match (prediction.cpu, prediction.gpu_total()) {
            (Some(cpu), Some(gpu)) => gpu * margin < cpu,
            (cpu, _) => cpu.is_none(),
        };
        Choice { engine: if faster { Engine::OpenCl } else { Engine::Cpu }, prediction, source }
    }

    /// Whether `case` is so small that no GPU can be faster, found in a few nanoseconds: most small calls need not ask for
    /// more.
    #[inline]
    pub fn is_too_small(&self, case: &Case) -> bool {
        // 0.2 GFLOP/s and 1 us are slower than any CPU on small matrices.
        1e-6 + case.flops_each() * case.batch as f64 / 0.2e9 < self.gpu_floor
    }

    /// Whether times for this operation and type were measured.
    pub fn source(&self, engine: Engine, op: OpKind, dtype: DType) -> Source {
        match self.tables[Self::index(engine, op, dtype)] {
            Some(_) => Source::Measured,
            None => Source::Prior,
        }
    }

    /// Takes up what a call took: `seconds` in all, `transfer_seconds` of it for transfers. Costs some 100 ns. A call of
    /// nothing, or on an engine that the model does not know, is skipped.
    pub fn learn(&self, case: &Case, engine: Engine, seconds: f64, transfer_seconds: f64) {
        if case.is_empty() {
            return;
        }
        if let Some(predicted) = self.uncorrected(engine, case) {
            self.corrections.learn(Self::key(engine, case), (seconds - transfer_seconds) / predicted);
        }
        // A call that moved something moved everything: others are made by device arrays, which move nothing.
        if engine == Engine::OpenCl
            && transfer_seconds > 0.0
            && let Some(predicted) = self.uncorrected_whole(case)
        {
            self.corrections.learn(Self::whole_key(case), seconds / predicted);
        }
    }

    /// Takes up what one transfer took, in seconds.
    pub fn learn_transfer(&self, direction: Direction, bytes: usize, seconds: f64) {
        if bytes > 0 {
            let ratio = seconds / self.uncorrected_transfer(direction, bytes);
            self.corrections.learn(Self::transfer_key(direction, bytes), ratio);
        }
    }

    /// Puts in what was measured: a grid of sizes' logarithms and, for each point, measured over plain time. What calls
    /// had taught about the former times is forgotten. False if nothing was measured.
    pub(crate) fn put(
        &mut self,
        (engine, op, dtype): (Engine, OpKind, DType),
        axes: Vec<Vec<f64>>,
        ratios: &[Option<f64>],
    ) -> bool {
        let Some(table) = Table::new(axes, ratios) else { return false };
        self.tables[Self::index(engine, op, dtype)] = Some(table);
        let mine = (engine as usize, op as usize, dtype as usize);
        self.corrections.forget(|engine, what, dtype| (engine, what, dtype) == mine);
        self.find_floor();
        true
    }

    /// Puts in whole calls on the GPU from host to host: as [`Model::put`], over [`Model::plain_whole`].
    pub(crate) fn put_whole(&mut self, op: OpKind, dtype: DType, axes: Vec<Vec<f64>>, ratios: &[Option<f64>]) -> bool {
        let Some(table) = Table::new(axes, ratios) else { return false };
        self.whole[Self::index(Engine::Cpu, op, dtype)] = Some(table);
        let mine = (WHOLE, op as usize, dtype as usize);
        self.corrections.forget(|engine, what, dtype| (engine, what, dtype) == mine);
        true
    }

    /// Puts in measured transfers: (bytes, seconds), rising in bytes. False if nothing was measured.
    pub fn put_transfers(&mut self, direction: Direction, measured: &[(usize, f64)]) -> bool {
        let axis = measured.iter().map(|(bytes, _)| (*bytes as f64).ln()).collect();
        let ratios: Vec<_> = measured.iter().map(|(bytes, seconds)| Some(seconds / plain_transfer(*bytes))).collect();
        let Some(table) = Table::new(vec![axis], &ratios).filter(Table::is_sound) else { return false };
        self.transfers[direction as usize] = Some(table);
        let mine = (1, TRANSFER, direction as usize);
        self.corrections.forget(|engine, what, dtype| (engine, what, dtype) == mine);
        true
    }

    /// The GPU's rates, and whether they were measured.
    pub(crate) fn device_rates(&self) -> Option<(Rates, Source)> {
        let plain = self.gpu.as_ref().map(|(rates, _)| (*rates, Source::Prior));
        self.measured.map(|rates| (rates, Source::Measured)).or(plain)
    }

    /// Whether the device's rates were measured.
    pub(crate) fn has_rates(&self) -> bool {
        self.measured.is_some()
    }

    /// Puts in what the device reaches: operations a second of large products in double and in single precision (0 for a type
    /// that it does not have), bytes a second to and from its memory. What is kept of operations that depend on them is forgotten.
    pub fn put_rates(&mut self, flops64: f64, flops32: f64, memory: f64) {
        self.measured = Some(Rates::gpu(flops64, flops32, memory));
        for (op, dtype) in [OpKind::Svd, OpKind::SvdVals].into_iter().flat_map(|op| DType::ALL.map(|dtype| (op, dtype)))
        {
            self.tables[Self::index(Engine::OpenCl, op, dtype)] = None;
            self.whole[Self::index(Engine::Cpu, op, dtype)] = None;
            let engines = [Engine::OpenCl as usize, WHOLE];
            let mine = (op as usize, dtype as usize);
            self.corrections.forget(|engine, what, dtype| engines.contains(&engine) && (what, dtype) == mine);
        }
        self.find_floor();
    }

    fn find_floor(&mut self) {
        let Some((rates, ops)) = &self.gpu else { return };
        let smallest = ops.iter().flat_map(|op| DType::ALL.map(|dtype| Case::at(*op, dtype, [0.0; 4])));
        let measured = smallest.filter(|case| self.source(Engine::OpenCl, case.op, case.dtype) == Source::Measured);
        let least = measured.filter_map(|case| self.uncorrected(Engine::OpenCl, &case)).min_by(f64::total_cmp);
        // Half of it, since calls may turn out faster than the calibration.
        self.gpu_floor = least.map_or(rates.launch / 4.0, |least| least / 2.0);
    }
}

fn plain_transfer(bytes: usize) -> f64 {
    PLAIN_TRANSFER.0 + bytes as f64 / PLAIN_TRANSFER.1
}

#[cfg(test)]
mod tests;
