//! Products whose operands have fewer digits than the sums: 16-bit operands, and float operands rounded to TF32, with sums in
//! float.
//!
//! On NVIDIA devices with the instructions the matrix units compute (`kernels/matrix_multiply/gemm_mixed_mma.cl`); elsewhere
//! the general kernel widens 16-bit operands as it reads them.

use super::copy::{copy, copy_16};
use super::gemm::{gemm, general};
use super::gemm_choose::{Call, Place};
use super::gemm_config::SMALL;
use super::gemm_variants::{MOST_TERMS, MOST_TRIPLES, PROBE, built};
use super::{DeviceView, Element, Factor, int, invalid, same_kind, spare, writable};
use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::{Complex64, DType, Half};

static MMA: Source =
    Source { name: "gemm_mixed_mma", parts: &[include_str!("../../kernels/matrix_multiply/gemm_mixed_mma.cl")] };

/// Uses of an element from which on an operand that does not lie as the instructions want it is copied.
const PACK: usize = 32;
/// Bytes of an access; offsets, leading dimensions and batch strides must be multiples.
const CHUNK: usize = 16;

/// Where the product of 16-bit matrices goes.
#[derive(Clone, Copy, Debug)]
pub enum HalfProduct<'a> {
    /// Rounded to the operands' type, once.
    Rounded(DeviceView<'a, Half>),
    /// As it was summed.
    Float32(DeviceView<'a>),
}

/// `C = alpha A B + beta C` for 16-bit A (batch, m, k) and B (batch, k, n) of one type, summed in float, into C (batch, m, n),
/// which overlaps neither. Transposes are given as views; a batch of 1 of `a` or `b` is repeated.
///
/// A sum is within `k 2^-23 sum |a_il| |b_lj|` of the exact one. As in BLAS: `beta = 0` does not read C, `alpha = 0` does not
/// read A and B, `k = 0` gives `beta C`.
///
/// # Errors
/// `Invalid` for shapes or types that do not fit or a `c` with a stride of 0, or what the device refused.
pub fn gemm_half(
    gpu: &Gpu,
    alpha: f64,
    a: DeviceView<'_, Half>,
    b: DeviceView<'_, Half>,
    beta: f64,
    c: HalfProduct<'_>,
) -> Result<(), Fault> {
    same_kind(gpu, &[&a, &b])?;
    match c {
        HalfProduct::Rounded(c) => {
            same_kind(gpu, &[&a, &c])?;
            half_into(gpu, alpha, a, b, beta, c, true)
        }
        HalfProduct::Float32(c) => {
            same_kind(gpu, &[&c])?;
            if c.dtype != DType::Float32 {
                return Err(invalid(format!("a product of {} as {}", a.dtype.name(), c.dtype.name())));
            }
            half_into(gpu, alpha, a, b, beta, c, false)
        }
    }
}

fn half_into<R: Element>(
    gpu: &Gpu,
    alpha: f64,
    a: DeviceView<'_, Half>,
    b: DeviceView<'_, Half>,
    beta: f64,
    c: DeviceView<'_, R>,
    rounded: bool,
) -> Result<(), Fault> {
    writable(&c)?;
    let (a, b) = fitting(a, b, &c)?;
    if c.is_empty() {
        return Ok(());
    }
    let [alpha, beta] = [alpha, beta].map(factor);
    let kind = match a.dtype {
        Half::Float16 => Kind::Float16,
        Half::BFloat16 => Kind::BFloat16,
    };
    if on_matrix_units(gpu, kind, [&alpha, &beta], a, b, c, rounded)? {
        return Ok(());
    }
    let options = stored(a.dtype, rounded);
    let (a, b, c) = match c.rows_are_inner() {
        true => (a, b, c),
        false => (b.transposed(), a.transposed(), c.transposed()),
    };
    general(gpu, &options, [(a, false), (b, false)], c, [&alpha, &beta])
}

/// The options of kernels for 16-bit operands and a result that is rounded to them or not (`kernels/common/stored.cl`).
pub(super) fn stored(half: Half, rounded: bool) -> String {
    let number = match half {
        Half::Float16 => 1,
        Half::BFloat16 => 2,
    };
    format!("-DREAL=float -DCOMPLEX=0 -DOPERAND_16={number} -DRESULT_16={}", if rounded { number } else { 0 })
}

/// As [`gemm`] for float matrices, whose elements may be rounded to TF32 (11 significant bits, the range of
/// float) before they are multiplied; sums are in float. Returns whether they were: where the device has no such
/// instructions, and for small matrices, the product is that of `gemm`.
///
/// # Errors
/// As `gemm`; `Invalid` for another type.
pub fn gemm_tf32(
    gpu: &Gpu,
    alpha: f64,
    a: DeviceView<'_>,
    b: DeviceView<'_>,
    beta: f64,
    c: DeviceView<'_>,
) -> Result<bool, Fault> {
    same_kind(gpu, &[&c, &a, &b])?;
    writable(&c)?;
    if c.dtype != DType::Float32 {
        return Err(invalid(format!("TF32 for {}", c.dtype.name())));
    }
    let (left, right) = fitting(a, b, &c)?;
    if !c.is_empty() && on_matrix_units(gpu, Kind::Tf32, [&factor(alpha), &factor(beta)], left, right, c, false)? {
        return Ok(true);
    }
    let number = |x| Complex64::new(x, 0.0);
    gemm(gpu, number(alpha), (a, false), (b, false), number(beta), c)?;
    Ok(false)
}

/// Whether the device has matrix units for these types.
pub fn has_matrix_units(gpu: &Gpu) -> bool {
    *gpu.shared.variants.mixed.get_or_init(|| {
        let takes = || gpu.shared.programs.get(&gpu.shared, &PROBE, "-DMATRIX_F64=0 -DMATRIX_MIXED=1").is_ok();
        gpu.info().platform.contains("NVIDIA") && takes()
    })
}

/// A and B with C's batch, if their shapes fit.
fn fitting<'a, E: Element, R: Element>(
    a: DeviceView<'a, E>,
    b: DeviceView<'a, E>,
    c: &DeviceView<'_, R>,
) -> Result<(DeviceView<'a, E>, DeviceView<'a, E>), Fault> {
    let (a, b) = (a.repeated(c.batch)?, b.repeated(c.batch)?);
    if a.rows != c.rows || b.cols != c.cols || a.cols != b.rows {
        return Err(invalid(format!("{:?} times {:?} into {:?}", a.shape(), b.shape(), c.shape())));
    }
    Ok((a, b))
}

fn factor(value: f64) -> Factor {
    Factor::new(Complex64::new(value, 0.0), DType::Float32)
}

/// What an instruction multiplies, by the numbers of the kernel's option.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Float16 = 0,
    BFloat16 = 1,
    Tf32 = 2,
}

/// Elements that can be copied into another layout.
trait Packed: Element {
    fn packed(gpu: &Gpu, source: DeviceView<'_, Self>, target: DeviceView<'_, Self>) -> Result<(), Fault>;
}

impl Packed for Half {
    fn packed(gpu: &Gpu, source: DeviceView<'_, Self>, target: DeviceView<'_, Self>) -> Result<(), Fault> {
        copy_16(gpu, source, target)
    }
}

impl Packed for DType {
    fn packed(gpu: &Gpu, source: DeviceView<'_, Self>, target: DeviceView<'_, Self>) -> Result<(), Fault> {
        copy(gpu, source, false, target)
    }
}

/// Launches the kernel with NVIDIA's instructions; `false` where the device, the shape or the layout is none for it.
fn on_matrix_units<E: Packed, R: Element>(
    gpu: &Gpu,
    kind: Kind,
    [alpha, beta]: [&Factor; 2],
    a: DeviceView<'_, E>,
    b: DeviceView<'_, E>,
    c: DeviceView<'_, R>,
    rounded: bool,
) -> Result<bool, Fault> {
    let ([batch, m, n], k) = (c.shape(), a.cols);
    let suits = (1..=MOST_TERMS).contains(&k) && m.max(n).max(k) > SMALL && !alpha.is_zero();
    if !suits || !has_matrix_units(gpu) {
        return Ok(false);
    }
    // The kernel stores along C's columns: where its rows are contiguous it computes C^T = B^T A^T.
    if n > 1 && c.col_stride != 1 {
        if m > 1 && c.row_stride != 1 {
            return Ok(false);
        }
        // The transpose has contiguous columns, or one column alone.
        return on_matrix_units(gpu, kind, [alpha, beta], b.transposed(), a.transposed(), c.transposed(), rounded);
    }
    let (Some(block_a), Some(block_b)) = (packed(gpu, &a, n)?, packed(gpu, &b.transposed(), m)?) else {
        return Ok(false);
    };
    let view_a = block_a.as_ref().map_or(Ok(a), |block| lines(&a, block))?;
    let view_b = block_b.as_ref().map_or(Ok(b), |block| Ok(lines(&b.transposed(), block)?.transposed()))?;
    let (Some(place_a), Some(place_b)) = (Place::of(&view_a), Place::of(&view_b.transposed())) else {
        return Ok(false);
    };
    let units = gpu.info().compute_units as usize;
    let call = configuration(kind, [batch, m, n, k], units, [place_a, place_b], rounded);
    let tiles = m.div_ceil(call.tile[0]) * n.div_ceil(call.tile[1]);
    for first in (0..batch).step_by(MOST_TRIPLES) {
        let place = |offset: usize, ld: isize, batch_stride: isize| {
            let offset = offset as i64 + first as i64 * batch_stride as i64;
            [Arg::I64(offset), Arg::I64(ld as i64), Arg::I64(batch_stride as i64)]
        };
        let mut args = Vec::with_capacity(17);
        for (view, ld) in [(&view_a, place_a.ld), (&view_b, place_b.ld)] {
            args.push(Arg::Block(view.block));
            args.extend(place(view.offset, ld, view.batch_stride));
        }
        args.push(Arg::Block(c.block));
        args.extend(place(c.offset, c.row_stride, c.batch_stride));
        args.extend([int(m), int(n), int(k), alpha.arg(), beta.arg()]);
        if !built(gpu, &call, &args, [tiles * call.items, 1, MOST_TRIPLES.min(batch - first)])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `Some(None)` where an operand, seen as outer index by term, lies as the instructions want it, else a copy in the same
/// direction. `None` if there is no memory for it or it is not worth its `uses`.
fn packed<E: Packed>(gpu: &Gpu, view: &DeviceView<'_, E>, uses: usize) -> Result<Option<Option<Block>>, Fault> {
    let each = (CHUNK / view.dtype.size()) as isize;
    let aligned =
        |place: Place| [view.offset as isize, place.ld, view.batch_stride].iter().all(|elements| elements % each == 0);
    if Place::of(view).is_some_and(aligned) {
        return Ok(Some(None));
    }
    if uses < PACK {
        return Ok(None);
    }
    let [lines_of, line] = extents(view);
    let Some(block) = spare(gpu, view.distinct() * lines_of * line * view.dtype.size())? else { return Ok(None) };
    E::packed(gpu, view.once(), lines(view, &block)?.once())?;
    Ok(Some(Some(block)))
}

/// Whether the copy of an operand has its terms in lines; otherwise the outer indices are.
fn along_terms<E: Element>(view: &DeviceView<'_, E>) -> bool {
    !view.rows_are_inner()
}

/// Number of lines of a copy and their length, in elements.
fn extents<E: Element>(view: &DeviceView<'_, E>) -> [usize; 2] {
    let each = CHUNK / view.dtype.size();
    let [lines, line] = if along_terms(view) { [view.rows, view.cols] } else { [view.cols, view.rows] };
    [lines, line.next_multiple_of(each)]
}

/// The copy of `view` in its block.
fn lines<'a, E: Element>(view: &DeviceView<'_, E>, block: &'a Block) -> Result<DeviceView<'a, E>, Fault> {
    let [count, line] = extents(view);
    let batch_stride = if view.batch_stride == 0 { 0 } else { (count * line) as isize };
    let [row, col] = if along_terms(view) { [line as isize, 1] } else { [1, line as isize] };
    DeviceView::new(block, view.dtype, 0, view.shape(), [batch_stride, row, col])
}

/// Extents of a group's and of a warp's part of C; bytes of a line of terms, slots, band.
struct Tile {
    group: [usize; 2],
    warp: [usize; 2],
    line: usize,
    slots: usize,
    band: usize,
}

/// Tiles, warps and slots are the best of those that were measured on an H100, where two groups of 128 x 128 on a unit
/// compute faster than one of 128 x 256, but for TF32 with both operands along k.
fn tile(kind: Kind, [batch, m, n, _]: [usize; 4], units: usize, [a, b]: [Place; 2]) -> Tile {
    let tiles = |group: [usize; 2]| m.div_ceil(group[0]) * n.div_ceil(group[1]) * batch;
    let both_along_k = a.along_k && b.along_k;
    if kind == Kind::Tf32 && both_along_k && tiles([128, 256]) >= units {
        return Tile { group: [128, 256], warp: [64, 64], line: 32, slots: 4, band: 8 };
    }
    if tiles([128, 128]) >= units {
        return Tile { group: [128, 128], warp: [64, 64], line: 64, slots: 3, band: 8 };
    }
    let (line, slots) = if kind == Kind::Tf32 { (64, 4) } else { (128, 3) };
    Tile { group: [64, 64], warp: [32, 32], line, slots, band: 8 }
}

fn configuration(kind: Kind, shape: [usize; 4], units: usize, [a, b]: [Place; 2], rounded: bool) -> Call {
    let Tile { group, warp, line, slots, band } = tile(kind, shape, units, [a, b]);
    let size = if kind == Kind::Tf32 { 4 } else { 2 };
    let options = format!(
        "-DKIND={} -DRESULT_16={} -DBM={} -DBN={} -DWM={} -DWN={} -DBK={} -DSTAGES={slots} -DA_K={} -DB_K={} -DBAND={band}",
        kind as u8,
        u8::from(rounded),
        group[0],
        group[1],
        warp[0],
        warp[1],
        line / size,
        u8::from(a.along_k),
        u8::from(b.along_k),
    );
    let items = (group[0] / warp[0]) * (group[1] / warp[1]) * 32;
    Call { source: &MMA, kernel: "gemm_mixed_mma", options, tile: group, items, walk: 0, of: None }
}
