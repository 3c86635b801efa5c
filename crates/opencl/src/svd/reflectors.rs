//! Application of the reflectors of a reduction (`kernels/svd/reflectors.cl` has the mathematics), as products of matrices.

use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::kernels::gemm::gemm;
use crate::kernels::{DeviceView, TYPES, int, invalid, options};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::Complex64;

static SOURCE: Source = Source { name: "reflectors", parts: &[TYPES, include_str!("../../kernels/svd/reflectors.cl")] };

/// Reflectors of the parts that blocks are made of. T and V^T V of that order fit the local memory of every device.
const PART: usize = 32;
/// Work-items of a group of the triangular kernels.
const ITEMS: usize = 256;

/// Reflectors of a block, b, PART times a power of two: each block reads and writes all of C, in products whose time is b times
/// that of one reflector where it is at least that of the memory, but T is worked on by few groups.
fn block(order: usize) -> usize {
    if order < 1024 { 128 } else { 256 }
}

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
    let kind = format!("{} -DPART={PART}", options(gpu, dtype)?);
    let memory = |count: usize| gpu.alloc(count * dtype.size());
    let block_size = block(order);
    let (v, gram, t) =
        (memory(order * block_size)?, memory(block_size * block_size)?, memory(block_size * block_size)?);
    let (w, tw) = (memory(block_size * columns)?, memory(block_size * columns)?);
    let (block, offset, [row_stride, col_stride]) = a.place();
    let (one, zero) = (Complex64::new(1.0, 0.0), Complex64::ZERO);
    // Q C = (H_0 ...) ((...) C): the last block first.
    for first in (0..count).step_by(block_size).rev() {
        let b = block_size.min(count - first);
        // A row of zeros of V keeps C's part aligned as C is.
        let (rows, above) = (order - first, from_diagonal);
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
            int(above),
            int(b),
        ];
        let local = [64, 1, 1];
        gpu.launch(&SOURCE, &kind, "gather_reflectors", &args, [rows.div_ceil(64).min(1024) * 64, b, 1], local)?;
        let (v_view, t_view) = (packed(&v, [rows, b])?, packed(&t, [b, b])?);
        gemm(gpu, one, (v_view.transposed(), false), (v_view, false), zero, packed(&gram, [b, b])?)?;
        triangular(gpu, &kind, [&gram, &t, tau], first, b)?;
        let part = c.window(first, 0, rows, columns)?;
        let (w_view, tw_view) = (packed(&w, [b, columns])?, packed(&tw, [b, columns])?);
        gemm(gpu, one, (v_view.transposed(), false), (part, false), zero, w_view)?;
        gemm(gpu, one, (t_view, false), (w_view, false), zero, tw_view)?;
        gemm(gpu, -one, (v_view, false), (tw_view, false), one, part)?;
    }
    Ok(())
}

/// T of `b` reflectors, the first of which has element `first` of `tau`, from their V^T V.
fn triangular(gpu: &Gpu, kind: &str, [gram, t, tau]: [&Block; 3], first: usize, b: usize) -> Result<(), Fault> {
    let args = [Arg::Block(gram), Arg::Block(t), Arg::Block(tau), int(first), int(b)];
    let local = [ITEMS, 1, 1];
    gpu.launch(&SOURCE, kind, "triangular_factor", &args, [b.div_ceil(PART) * ITEMS, 1, 1], local)?;
    let mut size = PART;
    while size < b {
        let (args, options) = ([Arg::Block(gram), Arg::Block(t), int(b)], format!("{kind} -DSIZE={size}"));
        // A part without a neighbour on its right is complete.
        let pairs = b.div_ceil(size) / 2;
        let global = [size * size, pairs, 1];
        gpu.launch(&SOURCE, &options, "triangular_merge", &args, global, local)?;
        size *= 2;
    }
    Ok(())
}
