//! Which configuration of which program computes a product: what was tuned for its class of shapes, on this machine or where
//! the shipped table was made; else a rule.
//!
//! The rules are the best of what was measured by hand on an H100, and what every other device starts from.

use super::gemm_config::{Batched, Config, F32Async, F64Mma, General, Limits, Problem, Small};
use super::gemm_variants::is_refused;
use super::{BATCHED_TILES, DeviceView, Element, SCATTERED, TYPES};
use crate::gpu::Gpu;
use crate::program::Source;
use crate::tune::{Class, Tables};
use lapack_ai_core::DType;
use std::cell::RefCell;
use std::sync::{Arc, PoisonError, RwLock};

pub(super) static GENERAL: Source = Source {
    name: "gemm",
    parts: &[
        TYPES,
        SCATTERED,
        include_str!("../../kernels/common/stored.cl"),
        include_str!("../../kernels/matrix_multiply/gemm.cl"),
    ],
};
/// How tiles are shared out, for the kernels below.
const TILES: &str = include_str!("../../kernels/matrix_multiply/gemm_tiles.cl");
static F64_MMA: Source =
    Source { name: "gemm_f64_mma", parts: &[TILES, include_str!("../../kernels/matrix_multiply/gemm_f64_mma.cl")] };
static F32_ASYNC: Source =
    Source { name: "gemm_f32_async", parts: &[TILES, include_str!("../../kernels/matrix_multiply/gemm_f32_async.cl")] };
static BATCHED: Source = Source {
    name: "gemm_batched",
    parts: &[TYPES, SCATTERED, BATCHED_TILES, include_str!("../../kernels/matrix_multiply/gemm_batched.cl")],
};

/// Work-items of the batched kernel, by rule.
const ITEMS: usize = 64;

/// A program, and how its groups share the work.
pub(super) struct Call {
    pub(super) source: &'static Source,
    pub(super) kernel: &'static str,
    pub(super) options: String,
    /// Rows and columns of C of a work-group.
    pub(super) tile: [usize; 2],
    pub(super) items: usize,
    /// Work-groups on a compute unit that share the tiles; 0: each tile has one of its own.
    pub(super) walk: usize,
    /// What was configured, for kernels that the tuner knows.
    pub(super) of: Option<(Problem, Config)>,
}

/// How an operand, seen as outer index by term, lies in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    /// Whether the terms are contiguous; otherwise the outer indices are.
    pub(crate) along_k: bool,
    /// Stride of the other direction.
    pub(crate) ld: isize,
    /// Whether every access of 16 bytes is aligned and inside of the operand.
    pub(crate) wide: bool,
}

impl Place {
    /// `None` if no stride is 1.
    pub(crate) fn of<E: Element>(view: &DeviceView<'_, E>) -> Option<Self> {
        let (along_k, ld, extent) = match (view.row_stride, view.col_stride) {
            (1, ld) => (false, ld, view.rows),
            (ld, 1) => (true, ld, view.cols),
            (_, ld) if view.rows == 1 => (false, ld, 1),
            (ld, _) if view.cols == 1 => (true, ld, 1),
            _ => return None,
        };
        let each = (16 / view.dtype.size()) as isize;
        let wide = [view.offset as isize, ld, view.batch_stride, extent as isize].iter().all(|value| value % each == 0);
        Some(Self { along_k, ld, wide })
    }
}

/// What of C decides on a kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Whether its columns are contiguous.
    pub(super) turned: bool,
    /// Whether it is read too.
    pub(super) update: bool,
}

/// The kernel for a shape (batch, m, n, k), places of A and B, and C.
pub(super) type Choose = fn(&Gpu, [usize; 4], Place, Place, Target) -> Call;

/// What a device's configurations are taken from beside the rules.
pub(crate) struct Choices(RwLock<Arc<Tables>>);

impl Choices {
    pub(crate) fn new(tables: Tables) -> Self {
        Self(RwLock::new(Arc::new(tables)))
    }

    pub(crate) fn tables(&self) -> Arc<Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, tables: Tables) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tables);
    }
}

/// What the calls of this thread are to be computed with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// What they would be anyway.
    Present,
    /// What the rules say.
    Rules,
    /// The general kernels as they are without a table: what others are compared with.
    General,
    /// This where its kernel takes it.
    One(Config),
}

struct Trial {
    wanted: Wanted,
    used: Vec<(Problem, Config)>,
}

thread_local! {
    static TRIAL: RefCell<Option<Trial>> = const { RefCell::new(None) };
}

/// Runs `work` with what is wanted; says beside its result what was launched.
pub(crate) fn try_out<R>(wanted: Wanted, work: impl FnOnce() -> R) -> (R, Vec<(Problem, Config)>) {
    let former = TRIAL.replace(Some(Trial { wanted, used: Vec::new() }));
    let result = work();
    let trial = TRIAL.replace(former);
    (result, trial.map_or_else(Vec::new, |trial| trial.used))
}

fn wanted() -> Wanted {
    TRIAL.with_borrow(|trial| trial.as_ref().map_or(Wanted::Present, |trial| trial.wanted))
}

/// Whether no variant is to be taken.
pub(super) fn is_general_wanted() -> bool {
    wanted() == Wanted::General
}

/// Notes what was launched, for [`try_out`].
pub(super) fn note(call: &Call) {
    if let Some(used) = call.of {
        TRIAL.with_borrow_mut(|trial| {
            if let Some(trial) = trial {
                trial.used.push(used);
            }
        });
    }
}

/// The call of a family for a problem; `call` makes it of a configuration. What was refused once is not chosen again.
fn chosen(gpu: &Gpu, problem: &Problem, rule: Config, call: impl Fn(Config) -> Call) -> Call {
    let limits = Limits::of(gpu.info());
    let other = match wanted() {
        Wanted::One(config) => (config.family() == rule.family()).then_some(config),
        Wanted::Present => gpu.shared.variants.choices.tables().find(&Class::of(rule.family(), problem)),
        Wanted::Rules | Wanted::General => None,
    };
    let other = other.filter(|config| config.is_valid(limits, problem)).map(&call);
    let other = other.filter(|call| !is_refused(gpu, call));
    other.unwrap_or_else(|| call(rule))
}

/// Double precision on NVIDIA's matrix units.
pub(super) fn f64_mma(gpu: &Gpu, shape: [usize; 4], a: Place, b: Place, c: Target) -> Call {
    let problem = Problem { dtype: DType::Float64, shape, a, b };
    let rule = f64_mma_by_rule(shape, gpu.info().compute_units as usize, a, b);
    chosen(gpu, &problem, Config::F64Mma(rule), |config| in_tiles(&F64_MMA, problem, config, c.turned))
}

/// Single precision with NVIDIA's copies beside the computation.
pub(super) fn f32_async(gpu: &Gpu, shape: [usize; 4], a: Place, b: Place, c: Target) -> Call {
    let problem = Problem { dtype: DType::Float32, shape, a, b };
    let rule = f32_async_by_rule(shape, gpu.info().compute_units as usize, [a, b], c.update);
    chosen(gpu, &problem, Config::F32Async(rule), |config| in_tiles(&F32_ASYNC, problem, config, c.turned))
}

fn in_tiles(source: &'static Source, problem: Problem, config: Config, turned: bool) -> Call {
    let (tile, items) = config.tile();
    let options = config.options(problem.a, problem.b, turned);
    let walk = config.walk();
    Call { source, kernel: config.family().kernel(), options, tile, items, walk, of: Some((problem, config)) }
}

/// The general kernel; `kind` are the options of the type.
pub(super) fn general(gpu: &Gpu, kind: &str, problem: Problem) -> Call {
    let plain = Config::General(General::plain(problem.dtype));
    chosen(gpu, &problem, plain, |config| {
        let call = in_tiles(&GENERAL, problem, config, false);
        // What the kernel is built with anyway needs no program of its own.
        let options = if config == plain { kind.to_string() } else { format!("{kind} {}", call.options) };
        Call { options, ..call }
    })
}

/// Small matrices in local memory: the call, and the triples that a group takes at once, `bytes` each.
pub(super) fn small(gpu: &Gpu, kind: &str, problem: Problem, bytes: usize) -> (Call, usize) {
    let plain = Config::Small(Small::plain(problem.shape));
    let call = chosen(gpu, &problem, plain, |config| Call {
        options: kind.to_string(),
        ..in_tiles(&GENERAL, problem, config, false)
    });
    let slots = match call.of {
        Some((_, Config::Small(config))) => config.slots(problem.shape, bytes),
        _ => 1,
    };
    (call, slots)
}

/// A large batch of small real matrices: the call, and the triples of a group. `None` where no part of C suits a work-item.
pub(super) fn batched(gpu: &Gpu, kind: &str, problem: Problem, c_even: bool) -> Option<(Call, usize)> {
    let rule = batched_by_rule(&problem)?;
    let [_, m, n, k] = problem.shape;
    let call = chosen(gpu, &problem, Config::Batched(rule), |config| {
        let call = in_tiles(&BATCHED, problem, config, false);
        let width = match config {
            Config::Batched(config) => config.width(&problem, c_even),
            _ => 1,
        };
        let options = format!("{kind} -DM={m} -DN={n} -DK={k} -DVEC={width} {}", call.options);
        Call { options, ..call }
    });
    let group = match call.of {
        Some((_, Config::Batched(config))) => config.group,
        _ => 1,
    };
    Some((call, group))
}

/// Tiles, warps, slots and groups on a unit are the best of those that were measured on an H100 and, for batches, on an H200.
fn f64_mma_by_rule([batch, m, n, k]: [usize; 4], units: usize, a: Place, b: Place) -> F64Mma {
    let tiles = |rows: usize, cols: usize| m.div_ceil(rows) * n.div_ceil(cols) * batch;
    let large = large_tile_pays([batch, m, n], units);
    // So many that each unit takes several in turn.
    let (some, many) = (tiles(64, 64) > 4 * units, batch == 1 && tiles(128, 64) >= 16 * units);
    let few = 2 * tiles(64, 64) <= units;
    let plain = !a.along_k && b.along_k && a.wide && b.wide;
    const FREE: [bool; 3] = [false; 3];
    const ORDERED: [bool; 3] = [true; 3];
    const SPREAD: [bool; 3] = [false, true, true];
    let usual = match (a.along_k, b.along_k) {
        _ if plain => FREE,
        (true, true) => SPREAD,
        _ => ORDERED,
    };
    // Extents of a group's and a warp's part of C, BK, STAGES, walk, and how it is put to the compiler.
    let ([bm, bn], [wm, wn], bk, stages, walk, put) = match k {
        _ if m.max(n) <= 32 => ([32, 32], [16, 16], 16, 4, 0, FREE),
        _ if few => ([64, 32], [32, 16], 16, 3, 0, SPREAD),
        _ if batch > 1 && m.max(n) <= 64 => ([64, 64], [32, 32], 16, 3, 0, SPREAD),
        _ if batch > 1 && k <= 128 => ([64, 64], [32, 32], 16, 3, 2, usual),
        _ if batch > 1 && k <= 512 => ([64, 64], [32, 32], 16, 3, 0, usual),
        // Short: bound by the stores of C, for which the operands of the next tile need not wait.
        0..=32 if many => ([128, 64], [64, 32], 16, 2, 0, FREE),
        0..=32 if some => ([64, 64], [32, 32], 16, 3, 4, ORDERED),
        33..=64 if many => ([128, 64], [64, 32], 8, 4, 4, SPREAD),
        33..=64 if some => ([64, 32], [32, 16], 16, 3, 4, FREE),
        65..=128 if many => ([64, 32], [32, 32], 16, 4, 4, FREE),
        65..=128 if some => ([64, 32], [32, 32], 16, 4, 4, SPREAD),
        0..=512 => ([64, 64], [32, 32], 16, 3, 0, usual),
        _ if large && plain => ([128, 128], [32, 32], 8, 3, 0, FREE),
        _ if large && a.wide && b.wide => ([128, 64], [64, 32], 16, 2, 0, FREE),
        _ if !(plain || a.wide && b.wide) => ([64, 64], [32, 32], 16, 3, 0, ORDERED),
        _ => ([64, 64], [32, 32], 16, 3, 0, usual),
    };
    let [ordered, two_b, spread] = put;
    F64Mma { bm, bn, wm, wn, bk, stages, walk, ordered, two_b, spread }
}

/// Likewise.
fn f32_async_by_rule([batch, m, n, k]: [usize; 4], units: usize, [a, b]: [Place; 2], update: bool) -> F32Async {
    let tiles = |rows: usize, cols: usize| m.div_ceil(rows) * n.div_ceil(cols) * batch;
    // Copies of 4 bytes leave no registers for the larger part of a work-item.
    let wide = F32Async::bytes(a) + F32Async::bytes(b) == 32;
    let ([bm, bn], [tm, tn], stages) = match wide {
        _ if 2 * tiles(64, 64) <= units => ([32, 32], [4, 4], 3),
        true if large_tile_pays([batch, m, n], units) => ([128, 128], [8, 16], 4),
        _ if m <= 64 => ([64, 64], [8, 8], 3),
        true if tiles(64, 64) <= 2 * units => ([64, 64], [8, 8], 3),
        _ => ([128, 64], [8, 8], 3),
    };
    // A group that reads C waits for it: with few terms more groups on a unit hide that, not the next tile's operands.
    let short = k <= 128 && !(update && k <= 32);
    let walk = if short && batch == 1 && tiles(bm, bn) > 4 * units { 2 } else { 0 };
    F32Async { bm, bn, tm, tn, stages, walk }
}

/// The best of what was measured on an H200: small groups of small parts, whose columns are stored at once where they can be.
fn batched_by_rule(problem: &Problem) -> Option<Batched> {
    let [_, m, n, k] = problem.shape;
    let access = 16 / problem.dtype.size();
    let part =
        |extent: usize, wanted: usize| if extent.is_multiple_of(wanted) { Some(wanted) } else { part_of(extent) };
    // Longer matrices are loaded from local memory more often, unless the parts are larger; the shortest are one part.
    let few = if m * n >= 1024 || n <= 4 { 4 } else { 8 / access };
    let (tm, tn) = (part(m, access)?, part(n, few)?);
    // 64 bytes of C to an item, and at most 16 KB of A and B to a group: several groups on a unit, one computing while others
    // load.
    let [c, each] = [m * n, m * k + k * n].map(|elements| elements * problem.dtype.size());
    let group = (64 * ITEMS / c).min(16384 / each).max(1);
    Some(Batched { tm, tn, group, items: ITEMS })
}

/// Whether a group should have 128 x 128 elements of C, not 64 x 64.
fn large_tile_pays([batch, m, n]: [usize; 3], units: usize) -> bool {
    let tiles = |side: usize| m.div_ceil(side) * n.div_ceil(side) * batch;
    // In units of the time that a compute unit takes for a large tile. It takes a quarter for a small one, a little more
    // because more memory is moved, and needs two of them to be busy.
    let large = tiles(128).div_ceil(units) as f64;
    let small = tiles(64).div_ceil(units).max(2) as f64 / 4.0 * 1.05;
    large <= small
}

/// Rows or columns of a work-item of the batched variant: a divisor of the extent, large enough to use what it loads.
fn part_of(extent: usize) -> Option<usize> {
    match extent {
        1..=5 | 7 => Some(extent),
        _ => [4, 5, 3, 2].into_iter().find(|part| extent.is_multiple_of(*part)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_gets_the_large_tile_where_it_keeps_all_units_busy() {
        for n in [2048, 4096, 8192, 8193, 16384] {
            assert!(large_tile_pays([1, n, n], 132), "{n}");
        }
        for n in [64, 512, 1024] {
            assert!(!large_tile_pays([1, n, n], 132), "{n}");
        }
        assert!(large_tile_pays([4096, 128, 128], 132));
        assert!(!large_tile_pays([16384, 64, 64], 132));
    }

    #[test]
    fn parts_divide_their_extents() {
        for extent in 1..=32 {
            if let Some(part) = part_of(extent) {
                assert_eq!(extent % part, 0, "{extent}");
            }
        }
        assert_eq!([1, 4, 7, 8, 11, 32].map(part_of), [Some(1), Some(4), Some(7), Some(4), None, Some(4)]);
    }
}
