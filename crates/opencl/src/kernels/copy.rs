//! Copies between layouts (`kernels/common/copy.cl`).

use super::{DeviceView, Element, TYPES, elementwise, flag, grid, int, invalid, options, same_kind, writable};
use crate::fault::Fault;
use crate::gpu::Gpu;
use crate::program::Source;
use lapack_ai_core::Half;

static SOURCE: Source = Source { name: "copy", parts: &[TYPES, include_str!("../../kernels/common/copy.cl")] };

static SOURCE_16: Source = Source {
    name: "copy_16",
    parts: &[include_str!("../../kernels/common/bits.cl"), include_str!("../../kernels/common/copy.cl")],
};

/// Side of the tile of `transpose_matrix`, and its work-items across.
const TILE: usize = 32;
const TILE_ROWS: usize = 8;

/// `target = op(source)`, op the complex conjugation if `conjugate`, for (batch, m, n) matrices of any strides that do not
/// overlap. For a transpose, give `source.transposed()`. A source batch of 1 is repeated.
///
/// # Errors
/// `Invalid` for shapes or types that differ or a target with a stride of 0, `NoFloat64`, or what the device refused.
pub fn copy(gpu: &Gpu, source: DeviceView<'_>, conjugate: bool, target: DeviceView<'_>) -> Result<(), Fault> {
    let options = options(gpu, target.dtype)?;
    moved(gpu, &SOURCE, options, source, conjugate, target)
}

/// As [`copy`], for elements of 16 bits.
///
/// # Errors
/// As [`copy`].
pub fn copy_16(gpu: &Gpu, source: DeviceView<'_, Half>, target: DeviceView<'_, Half>) -> Result<(), Fault> {
    moved(gpu, &SOURCE_16, "", source, false, target)
}

fn moved<E: Element>(
    gpu: &Gpu,
    program: &'static Source,
    options: &str,
    source: DeviceView<'_, E>,
    conjugate: bool,
    target: DeviceView<'_, E>,
) -> Result<(), Fault> {
    same_kind(gpu, &[&target, &source])?;
    writable(&target)?;
    let mut source = source.repeated(target.batch)?;
    let mut target = target;
    if source.shape() != target.shape() {
        return Err(invalid(format!("a copy from shape {:?} to {:?}", source.shape(), target.shape())));
    }
    if target.is_empty() {
        return Ok(());
    }
    if target.rows_are_inner() {
        (source, target) = (source.transposed(), target.transposed());
    }
    let mut args = Vec::with_capacity(14);
    args.extend(source.args());
    args.extend(target.args());
    args.extend([int(target.rows), int(target.cols), int(target.batch), flag(conjugate)]);
    let turned = source.row_stride == 1 && source.col_stride != 1 && target.col_stride == 1;
    if turned && target.rows.min(target.cols) >= TILE_ROWS {
        let local = [TILE, TILE_ROWS, 1];
        let groups = [target.cols.div_ceil(TILE), target.rows.div_ceil(TILE), target.batch];
        return gpu.launch(program, options, "transpose_matrix", &args, grid(groups, local), local);
    }
    let (global, local) = elementwise(&target);
    gpu.launch(program, options, "copy_matrix", &args, global, local)
}
