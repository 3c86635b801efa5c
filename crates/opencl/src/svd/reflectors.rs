//! Application of the reflectors of a reduction (`kernels/svd/reflectors.cl` has the mathematics), as products of matrices.

use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::kernels::gemm::gemm;
use crate::kernels::{DeviceView, TYPES, int, invalid, options};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::Complex64;

static SOURCE: Source = Source { name: "reflectors", parts: &[TYPES, include_str!("../../kernels/svd/reflectors.cl")] };

/// Reflectors of a block, b. T and V^T V of that order fit the local memory of every device.
const BLOCK: usize = 32;

/// Where the reflectors of a reduction lie in its matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// H_i, in the columns, below the diagonal.
    Left,
    /// G_i, in the rows, right of the superdiagonal.
    Right,
}

/// `C <- Q C` for [`Side::Left`], `C <- P C` for [`Side::Right`], Q and P being the products of the reflectors that
/// [`super::bidiagonalise`] left in `a` (m x n), with their factors `tau`. `c` has as many rows as Q or P, m or n, any number of
/// columns, and is column-major.
///
/// # Errors
/// `Invalid` for shapes or types that do not fit, or what the device refused.
pub fn apply_reflectors(gpu: &Gpu, side: Side, a: DeviceView<'_>, tau: &Block, c: DeviceView<'_>) -> Result<(), Fault> {
    let ([_, m, n], dtype) = (a.shape(), a.dtype());
    let [batch, order, columns] = c.shape();
    let (from_diagonal, count, expected) = match side {
        Side::Left => (0, n, m),
        Side::Right => (1, n.saturating_sub(1), n),
    };
    if batch != 1 || order != expected || c.dtype() != dtype || dtype.is_complex() {
        return Err(invalid(format!("{side:?} reflectors of a {m} x {n} matrix, applied to one of {order} rows")));
    }
    if columns == 0 {
        return Ok(());
    }
    let kind = format!("{} -DMOST={BLOCK}", options(gpu, dtype)?);
    let memory = |count: usize| gpu.alloc(count * dtype.size());
    let (v, t) = (memory(order * BLOCK)?, memory(BLOCK * BLOCK)?);
    let (w, tw) = (memory(BLOCK * columns)?, memory(BLOCK * columns)?);
    let (block, offset, [row_stride, col_stride]) = a.place();
    let (one, zero) = (Complex64::new(1.0, 0.0), Complex64::ZERO);
    // Q C = (H_0 ...) ((...) C): the last block first.
    for first in (0..count).step_by(BLOCK).rev() {
        let b = BLOCK.min(count - first);
        let rows = order - first - from_diagonal;
        let packed = |block, shape: [usize; 2]| DeviceView::col_major(block, dtype, [1, shape[0], shape[1]]);
        let (along, across) = match side {
            Side::Left => (row_stride, col_stride),
            Side::Right => (col_stride, row_stride),
        };
        let start = offset as isize + (first + from_diagonal) as isize * along + first as isize * across;
        let args = [
            Arg::Block(block),
            Arg::I64(start as i64),
            Arg::I64(along as i64),
            Arg::I64(across as i64),
            Arg::Block(&v),
            Arg::Block(tau),
            int(first),
            int(rows),
            int(b),
        ];
        let local = [64, 1, 1];
        gpu.launch(&SOURCE, &kind, "gather_reflectors", &args, [rows.div_ceil(64).min(1024) * 64, b, 1], local)?;
        let (v_view, t_view) = (packed(&v, [rows, b])?, packed(&t, [b, b])?);
        gemm(gpu, one, (v_view.transposed(), false), (v_view, false), zero, t_view)?;
        let args = [Arg::Block(&t), Arg::Block(tau), int(first), int(b)];
        gpu.launch(&SOURCE, &kind, "triangular_factor", &args, [BLOCK, 1, 1], [BLOCK, 1, 1])?;
        let part = c.window(order - rows, 0, rows, columns)?;
        let (w_view, tw_view) = (packed(&w, [b, columns])?, packed(&tw, [b, columns])?);
        gemm(gpu, one, (v_view.transposed(), false), (part, false), zero, w_view)?;
        gemm(gpu, one, (t_view, false), (w_view, false), zero, tw_view)?;
        gemm(gpu, -one, (v_view, false), (tw_view, false), one, part)?;
    }
    Ok(())
}
