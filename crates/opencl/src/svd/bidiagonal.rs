//! Reduction to bidiagonal form (`kernels/svd/bidiagonal_phases.cl` has the mathematics).

use crate::fault::{Fault, FaultKind, injected};
use crate::gpu::{Arg, Gpu};
use crate::kernels::copy::copy;
use crate::kernels::gemm::gemm;
use crate::kernels::gemm_variants::takes_ptx;
use crate::kernels::{DeviceView, TYPES, int, invalid, options, spare};
use crate::pool::Block;
use crate::program::Source;
use crate::progress::done;
use lapack_ai_core::{Complex64, DType};
use std::sync::atomic::Ordering;

const PHASES: &str = include_str!("../../kernels/svd/bidiagonal_phases.cl");
/// Each phase of a step is a launch.
static SEPARATE: Source =
    Source { name: "bidiagonalise", parts: &[TYPES, PHASES, include_str!("../../kernels/svd/bidiagonalise.cl")] };
/// A panel is a launch.
static WHOLE: Source =
    Source { name: "bidiagonal_panel", parts: &[TYPES, PHASES, include_str!("../../kernels/svd/bidiagonal_panel.cl")] };

/// Steps of a panel, b.
const PANEL: usize = 32;
/// Columns of P and Z, 2 b.
const PAIRS: usize = 2 * PANEL;
/// Sums that a group leaves for the others.
const EACH: usize = PAIRS + 1;
/// Rows of a group that forms its part of a column, where launches separate the phases, and the fewest.
const ROWS: usize = 32;
const FEWEST_ROWS: usize = 16;
/// Local memory for a group's rows of P, in bytes: with the rest it stays below 48 KiB.
const TILE: usize = 34 << 10;
/// Bytes of the matrix from which on columns are fetched into the cache ahead of their use: about that cache's size.
const CACHED: usize = 24 << 20;
/// Bytes that sweeps have read after which the device is waited for: 50 ms on a large GPU. What was enqueued cannot be ended.
const AHEAD: usize = 200 << 30;

/// The bidiagonal matrix and the reflectors' factors, n elements each (e and taup: n - 1 are used), of the matrix's type.
#[derive(Debug)]
pub struct Bidiagonal {
    /// Diagonal.
    pub d: Block,
    /// Superdiagonal.
    pub e: Block,
    /// Factors of the reflectors from the left.
    pub tauq: Block,
    /// Factors of the reflectors from the right.
    pub taup: Block,
}

/// How the work is shared; results differ by rounding alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReductionPlan {
    /// Work-items of a group: 256 or 512.
    pub items: usize,
    /// Groups that wait for each other in one launch for a panel, all of which must be running at the same time; `None`: each
    /// phase of a step is a launch.
    pub resident: Option<usize>,
    /// Whether the programs have NVIDIA's assembly.
    pub ptx: bool,
    /// Most elements of columns that a work-item holds, a power of two: longer columns are read twice.
    pub held: usize,
    /// Most columns that a group works on at once, a power of two up to 8.
    pub at_once: usize,
    /// Whether the next columns are loaded before the present ones are worked on, where there are registers for them.
    pub ahead: bool,
}

impl ReductionPlan {
    /// What suits a device. A group for each compute unit of an NVIDIA GPU is always running: 512 work-items take at most all
    /// registers of a unit.
    pub fn of(gpu: &Gpu, dtype: DType) -> Self {
        let ptx = takes_ptx(gpu);
        let units = gpu.info().compute_units as usize;
        let resident = (ptx && !gpu.shared.stalled.load(Ordering::Relaxed)).then_some(units);
        let held = if dtype.is_double() { 16 } else { 32 };
        Self { items: if ptx { 512 } else { 256 }, resident, ptx, held, at_once: 2, ahead: ptx }
    }

    fn is_valid(&self) -> bool {
        let powers = self.held.is_power_of_two() && self.at_once.is_power_of_two();
        matches!(self.items, 256 | 512) && powers && self.at_once <= 8 && self.resident != Some(0)
    }

    /// For columns of this length; `None` if they are too long to be held.
    fn sweep(&self, rows: usize) -> Option<Sweep> {
        let held = rows.div_ceil(self.items).next_power_of_two();
        // The columns that are loaded ahead want as many registers as those before them.
        let ahead = self.ahead && held < self.held;
        let at_once = (self.held / held / (1 + usize::from(ahead))).min(self.at_once);
        (at_once > 0).then_some(Sweep { held, at_once, ahead })
    }

    /// Rows of each of the resident groups, for columns of this length; `None` if their memory does not hold that many.
    fn resident_rows(&self, rows: usize, dtype: DType) -> Option<usize> {
        let least = rows.div_ceil(self.resident?).next_power_of_two();
        // More of them leave fewer parts for all others, as long as adding the parts of A0 r does not take longer for it.
        let each = least.max((2 * least).min(ROWS)).max(FEWEST_ROWS);
        (each * EACH * dtype.size() <= TILE && each * 8 <= self.items).then_some(each)
    }
}

/// How a group sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sweep {
    /// Elements of a column that a work-item holds.
    held: usize,
    at_once: usize,
    ahead: bool,
}

/// What the kernels are built with that do not hold columns.
const TWICE: Sweep = Sweep { held: 1, at_once: 1, ahead: false };

/// Reduces `a`, real, m x n with m >= n, column-major, to upper bidiagonal form `B = Q^T A P`. Waits.
///
/// `a` keeps the reflectors as LAPACK's xGEBRD leaves them: v_i below the diagonal, u_i right of the superdiagonal; what stands
/// on the two diagonals is undefined. Elements must be such that sums of their squares do not overflow; what would be annihilated
/// is taken for zero where its sum of squares is below 1e-290, 1e-30 for `float32`. The error is that of xGEBRD: Q B P^T = A + E,
/// |E| at most a small multiple of n eps |A|. The same matrix gives the same bits on the same device.
///
/// # Errors
/// `Invalid` for another shape, type or layout, or what the device refused.
pub fn bidiagonalise(gpu: &Gpu, a: DeviceView<'_>) -> Result<Bidiagonal, Fault> {
    bidiagonalise_by(&ReductionPlan::of(gpu, a.dtype()), gpu, a)
}

/// As [`bidiagonalise`], with the work shared as `plan` says.
///
/// # Errors
/// As [`bidiagonalise`], and `Invalid` for a plan that is out of bounds.
pub fn bidiagonalise_by(plan: &ReductionPlan, gpu: &Gpu, a: DeviceView<'_>) -> Result<Bidiagonal, Fault> {
    let ([batch, m, n], dtype) = (a.shape(), a.dtype());
    let (_, _, [row_stride, _]) = a.place();
    if batch != 1 || m < n || dtype.is_complex() || (m > 1 && row_stride != 1) {
        return Err(invalid(format!("a {} matrix of shape {m} x {n} to be bidiagonalised", dtype.name())));
    }
    if !plan.is_valid() {
        return Err(invalid(format!("a reduction to bidiagonal form by {plan:?}")));
    }
    // Groups that give up leave the matrix half reduced.
    let copied = match plan.resident {
        Some(_) => spare(gpu, m * n * dtype.size())?,
        None => None,
    };
    if let Some(block) = &copied {
        let saved = DeviceView::col_major(block, dtype, [1, m, n])?;
        copy(gpu, a, false, saved)?;
        let work = Work::new(gpu, plan, a)?;
        work.run()?;
        if !work.has_stalled()? {
            return Ok(work.result);
        }
        gpu.shared.stalled.store(true, Ordering::Relaxed);
        copy(gpu, saved, false, a)?;
    }
    let work = Work::new(gpu, &ReductionPlan { resident: None, ..*plan }, a)?;
    work.run()?;
    Ok(work.result)
}

/// The buffers of one reduction, and where it is computed. Names as in the kernels' contracts.
struct Work<'a> {
    gpu: &'a Gpu,
    a: DeviceView<'a>,
    plan: ReductionPlan,
    kind: &'static str,
    /// Most parts of a sum.
    most: usize,
    ldp: usize,
    p: Block,
    z: Block,
    vector: Block,
    r: Block,
    w_part: Block,
    z_part: Block,
    c_part: Block,
    state: Block,
    result: Bidiagonal,
}

impl<'a> Work<'a> {
    fn new(gpu: &'a Gpu, plan: &ReductionPlan, a: DeviceView<'a>) -> Result<Self, Fault> {
        let ([_, m, n], dtype) = (a.shape(), a.dtype());
        let memory = |count: usize| gpu.alloc((count * dtype.size()).max(1));
        let units = gpu.info().compute_units as usize;
        let most = plan.resident.unwrap_or(units * (512 / plan.items));
        // Columns of P are aligned, as its product with Z wants them.
        let ldp = m.next_multiple_of(4);
        let panels = n.div_ceil(PANEL);
        let state = gpu.alloc(4 * (1 + panels))?;
        if plan.resident.is_some() {
            gpu.write(&state, 0, &vec![0; 4 * (1 + panels)])?;
        }
        Ok(Self {
            gpu,
            a,
            plan: *plan,
            kind: options(gpu, dtype)?,
            most,
            ldp,
            p: memory(ldp * PAIRS)?,
            z: memory(n * PAIRS)?,
            vector: memory(m)?,
            r: memory(n)?,
            w_part: memory(most * m)?,
            z_part: memory(most * EACH)?,
            c_part: memory(m.div_ceil(FEWEST_ROWS) * EACH)?,
            state,
            result: Bidiagonal { d: memory(n)?, e: memory(n)?, tauq: memory(n)?, taup: memory(n)? },
        })
    }

    fn has_stalled(&self) -> Result<bool, Fault> {
        let mut bytes = [0; 4];
        self.gpu.read(&self.state, 0, &mut bytes)?;
        Ok(bytes != [0; 4])
    }

    fn run(&self) -> Result<(), Fault> {
        let ([_, m, n], dtype) = (self.a.shape(), self.a.dtype());
        // Bytes that the sweeps of a panel read: of all, of those behind, of those that were waited for.
        let read = |first: usize| PANEL * self.left(first);
        let (all, mut behind, mut waited) = ((0..n).step_by(PANEL).map(read).sum::<usize>(), 0, 0);
        for first in (0..n).step_by(PANEL) {
            let steps = PANEL.min(n - first);
            let sweep = self.plan.sweep(m - first);
            let parts = match (sweep, self.plan.resident_rows(m - first, dtype)) {
                (Some(sweep), Some(rows)) => self.whole_panel(sweep, rows, first, steps)?,
                _ => self.panel(sweep, first, steps)?,
            };
            self.finish(first, steps, parts)?;
            let next = first + steps;
            if next == n {
                break;
            }
            let p = DeviceView::new(&self.p, dtype, next, [1, m - next, 2 * steps], [0, 1, self.ldp as isize])?;
            let z = DeviceView::new(&self.z, dtype, next * PAIRS, [1, n - next, 2 * steps], [0, PAIRS as isize, 1])?;
            let one = Complex64::new(1.0, 0.0);
            let rest = self.a.window(next, next, m - next, n - next)?;
            gemm(self.gpu, -one, (p, false), (z.transposed(), false), one, rest)?;
            behind += read(first);
            if behind - waited >= AHEAD {
                self.gpu.wait_for(&self.result.d)?;
                waited = behind;
                done(behind as f64 / all as f64, "reduction to bidiagonal form");
            }
        }
        Ok(())
    }

    fn options(&self, sweep: Sweep, rows: usize, left: usize) -> String {
        let Sweep { held, at_once, ahead } = sweep;
        let ReductionPlan { items, ptx, .. } = self.plan;
        let [ahead, ptx, far] = [ahead, ptx, left > CACHED].map(u8::from);
        format!(
            "{} -DPAIRS={PAIRS} -DITEMS={items} -DROWS={rows} -DHELD={held} -DAT_ONCE={at_once} -DAHEAD={ahead} \
             -DPTX={ptx} -DFAR={far}",
            self.kind
        )
    }

    /// What all kernels are given, and what only some are.
    fn args<'b>(&'b self, first: usize, more: &[Arg<'b>]) -> Vec<Arg<'b>> {
        let [_, m, n] = self.a.shape();
        let (block, offset, [_, ld]) = self.a.place();
        let matrix = [Arg::Block(block), Arg::I64(offset as i64), Arg::I64(ld as i64), Arg::Block(&self.p)];
        let Bidiagonal { d, e, tauq, taup } = &self.result;
        let blocks = [&self.z, &self.vector, &self.r, d, e, tauq, taup, &self.w_part, &self.z_part, &self.c_part];
        let mut args = Vec::with_capacity(26);
        args.extend(matrix);
        args.push(Arg::I64(self.ldp as i64));
        args.extend(blocks.map(Arg::Block));
        args.extend([m, n, first].map(int));
        args.extend(more);
        args
    }

    /// Bytes of the matrix behind a step.
    fn left(&self, first: usize) -> usize {
        let [_, m, n] = self.a.shape();
        (m - first) * (n - first) * self.a.dtype().size()
    }

    /// A panel in one launch. Returns the parts of sums that its last step leaves, of |r|^2 and of A0 r.
    fn whole_panel(&self, sweep: Sweep, rows: usize, first: usize, steps: usize) -> Result<[usize; 2], Fault> {
        let groups = self.most;
        // One more than there are never arrives.
        let expected = groups + usize::from(injected(FaultKind::Stalled));
        let more = [int(steps), Arg::Block(&self.state), int(first / PANEL), int(expected)];
        let (options, args) = (self.options(sweep, rows, self.left(first)), self.args(first, &more));
        let items = self.plan.items;
        self.gpu.launch(&WHOLE, &options, "bidiagonal_panel", &args, [groups * items, 1, 1], [items, 1, 1])?;
        Ok([self.sweeping(sweep, first + steps - 1); 2])
    }

    /// Groups that leave parts in the sweep of step i.
    fn sweeping(&self, sweep: Sweep, i: usize) -> usize {
        let [_, _, n] = self.a.shape();
        (n - i - 1).div_ceil(sweep.at_once).clamp(1, self.most)
    }

    /// Launches a kernel that does a part of a panel.
    fn part(
        &self,
        kernel: &'static str,
        sweep: Sweep,
        first: usize,
        more: &[Arg<'_>],
        groups: [usize; 2],
    ) -> Result<(), Fault> {
        let (options, args) = (self.options(sweep, ROWS, self.left(first)), self.args(first, more));
        let items = self.plan.items;
        self.gpu.launch(&SEPARATE, &options, kernel, &args, [groups[0] * items, groups[1], 1], [items, 1, 1])
    }

    /// A panel with a launch for each phase; without a `sweep` columns are read twice. Returns what [`Work::whole_panel`] does.
    fn panel(&self, sweep: Option<Sweep>, first: usize, steps: usize) -> Result<[usize; 2], Fault> {
        let [_, m, n] = self.a.shape();
        let sharing = sweep.unwrap_or(TWICE);
        let launch = |kernel, more: &[Arg<'_>], groups| self.part(kernel, sharing, first, more, groups);
        let mut parts = [0; 2];
        for s in 0..steps {
            let i = first + s;
            let numbers = [i, s, parts[0], parts[1]].map(int);
            launch("bidiagonal_column", &numbers, [(m - first).div_ceil(ROWS), 1])?;
            let sweeps = self.sweeping(sharing, i);
            parts = [sweeps; 2];
            match sweep {
                Some(_) => launch("bidiagonal_sweep", &[int(i), int(s)], [sweeps, 1])?,
                None => {
                    launch("bidiagonal_dots", &[int(i), int(s)], [sweeps, 1])?;
                    let rows = (m - i).div_ceil(self.plan.items);
                    // Some groups on each unit, and some columns for each of them.
                    parts[1] = (4 * self.most).div_ceil(rows).min((n - i - 1).div_ceil(16)).clamp(1, self.most);
                    launch("bidiagonal_product", &[int(i)], [rows, parts[1]])?;
                }
            }
        }
        Ok(parts)
    }

    /// The end of a panel: what is left of its last step, and its reflectors into the matrix.
    fn finish(&self, first: usize, steps: usize, [z_parts, w_parts]: [usize; 2]) -> Result<(), Fault> {
        let ([_, m, _], (block, _, _)) = (self.a.shape(), self.a.place());
        let more = [Arg::Block(block), int(steps), int(z_parts), int(w_parts)];
        self.part("bidiagonal_finish", TWICE, first, &more, [(m - first).div_ceil(ROWS), 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: ReductionPlan =
        ReductionPlan { items: 512, resident: Some(132), ptx: true, held: 16, at_once: 4, ahead: true };

    #[test]
    fn a_column_of_any_length_up_to_the_longest_is_held_as_a_whole() {
        for rows in (1..=8192).step_by(7) {
            let Sweep { held, at_once, .. } = PLAN.sweep(rows).unwrap();
            assert!(PLAN.items * held >= rows && held * at_once <= PLAN.held, "{rows}: {held} {at_once}");
            let each = PLAN.resident_rows(rows, DType::Float64).unwrap();
            assert!(132 * each >= rows && PLAN.items / each >= 8, "{rows}: {each}");
        }
        assert_eq!(PLAN.sweep(8193), None);
        assert_eq!(PLAN.resident_rows(132 * 64 + 1, DType::Float64), None);
    }
}
