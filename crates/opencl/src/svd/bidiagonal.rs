//! Reduction to bidiagonal form (`kernels/svd/bidiagonalise.cl` has the mathematics).

use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::kernels::gemm::gemm;
use crate::kernels::{DeviceView, TYPES, int, invalid, options};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::Complex64;

static SOURCE: Source =
    Source { name: "bidiagonalise", parts: &[TYPES, include_str!("../../kernels/svd/bidiagonalise.cl")] };

/// Steps of a panel, b.
const PANEL: usize = 32;
/// Columns of P and Z, 2 b.
const PAIRS: usize = 2 * PANEL;
/// Sums that a group leaves for the others.
const EACH: usize = PAIRS + 1;
/// Rows of a group of the column kernel, and work-items for each of them.
const ROWS: usize = 32;
const SLICES: usize = 8;

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

/// How the sweep shares a column among the work-items of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sweep {
    items: usize,
    held: usize,
    at_once: usize,
    /// Groups on a compute unit.
    groups: usize,
}

impl Sweep {
    /// For columns of this length: as many work-items as hold it in their registers, and several columns at once where that
    /// leaves registers.
    fn of(rows: usize) -> Option<Self> {
        let [items, held, at_once, groups] = match rows {
            0..=256 => [256, 1, 4, 2],
            257..=512 => [256, 2, 4, 2],
            513..=1024 => [256, 4, 2, 2],
            1025..=2048 => [256, 8, 2, 2],
            2049..=4096 => [512, 8, 2, 1],
            4097..=8192 => [512, 16, 1, 1],
            _ => return None,
        };
        Some(Self { items, held, at_once, groups })
    }
}

/// Reduces `a`, real, m x n with m >= n, column-major, to upper bidiagonal form `B = Q^T A P`.
///
/// `a` keeps the reflectors as LAPACK's xGEBRD leaves them: v_i below the diagonal, u_i right of the superdiagonal; what stands
/// on the two diagonals is undefined. Elements must be such that sums of their squares neither overflow nor matter when they
/// underflow. The error is that of xGEBRD: Q B P^T = A + E, |E| at most a small multiple of n eps |A|.
///
/// # Errors
/// `Invalid` for another shape, type or layout, or what the device refused.
pub fn bidiagonalise(gpu: &Gpu, a: DeviceView<'_>) -> Result<Bidiagonal, Fault> {
    let ([batch, m, n], dtype) = (a.shape(), a.dtype());
    let (block, offset, [row_stride, col_stride]) = a.place();
    if batch != 1 || m < n || dtype.is_complex() || (m > 1 && row_stride != 1) {
        return Err(invalid(format!("a {} matrix of shape {m} x {n} to be bidiagonalised", dtype.name())));
    }
    if Sweep::of(m).is_none() {
        return Err(invalid(format!("{m} rows, where columns of at most 8192 are held in registers")));
    }
    let kind = options(gpu, dtype)?;
    let units = gpu.info().compute_units as usize;
    let memory = |count: usize| gpu.alloc((count * dtype.size()).max(1));
    let [d, e, tauq, taup] = [memory(n)?, memory(n)?, memory(n)?, memory(n)?];
    let (p, z, vector, r) = (memory(m * PAIRS)?, memory(n * PAIRS)?, memory(m)?, memory(n)?);
    let most = 2 * units;
    let (w_part, z_part, c_part) = (memory(most * m)?, memory(most * EACH)?, memory(m.div_ceil(ROWS) * EACH)?);
    let whole = [Arg::Block(block), Arg::I64(offset as i64), Arg::I64(col_stride as i64)];
    let base = format!("{kind} -DPAIRS={PAIRS} -DROWS={ROWS} -DSLICES={SLICES}");
    let program = |sweep: Sweep| {
        let Sweep { items, held, at_once, .. } = sweep;
        format!("{base} -DITEMS={items} -DHELD={held} -DAT_ONCE={at_once}")
    };

    let mut sweeps = 0;
    for first in (0..n).step_by(PANEL) {
        let steps = PANEL.min(n - first);
        let sweep = Sweep::of(m - first).expect("shorter columns than those of the first panel");
        let options = program(sweep);
        let column = |i: usize, s: usize, sweeps: usize, more: bool| {
            let blocks = [&p, &z, &vector, &r, &e, &taup, &w_part, &z_part, &c_part].map(Arg::Block);
            let numbers = [m, n, i, s, sweeps, usize::from(more)].map(int);
            let args: Vec<Arg<'_>> = whole.iter().copied().chain(blocks).chain(numbers).collect();
            let items = ROWS * SLICES;
            let groups = (m - i).div_ceil(ROWS);
            gpu.launch(&SOURCE, &options, "bidiagonal_column", &args, [groups * items, 1, 1], [items, 1, 1])
        };
        for s in 0..steps {
            let i = first + s;
            column(i, s, sweeps, true)?;
            sweeps = (n - i - 1).div_ceil(sweep.at_once).clamp(1, sweep.groups * units);
            let blocks = [&p, &z, &vector, &r, &d, &tauq, &w_part, &z_part, &c_part].map(Arg::Block);
            let numbers = [m, n, i, s, (m - i).div_ceil(ROWS)].map(int);
            let args: Vec<Arg<'_>> = whole.iter().copied().chain(blocks).chain(numbers).collect();
            let local = [sweep.items, 1, 1];
            gpu.launch(&SOURCE, &options, "bidiagonal_sweep", &args, [sweeps * sweep.items, 1, 1], local)?;
        }
        let next = first + steps;
        if next == n {
            break;
        }
        column(next, steps, sweeps, false)?;
        let rows_of = |block, from: usize, extent: usize| {
            DeviceView::new(block, dtype, from * PAIRS, [1, extent - from, 2 * steps], [0, PAIRS as isize, 1])
        };
        let factors = (rows_of(&p, next, m)?, rows_of(&z, next, n)?.transposed());
        let one = Complex64::new(1.0, 0.0);
        gemm(gpu, -one, (factors.0, false), (factors.1, false), one, a.window(next, next, m - next, n - next)?)?;
    }
    Ok(Bidiagonal { d, e, tauq, taup })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_any_length_up_to_the_longest_is_held_as_a_whole() {
        for rows in (1..=8192).step_by(7) {
            let sweep = Sweep::of(rows).unwrap();
            assert!(sweep.items * sweep.held >= rows && sweep.items >= EACH, "{rows}: {sweep:?}");
        }
        assert_eq!(Sweep::of(8193), None);
    }
}
