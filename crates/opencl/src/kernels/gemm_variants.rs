//! Variants of the matrix product for certain devices, types and shapes: when one is taken, and its launch. What no variant
//! takes is left to the general kernel.
//!
//! `gemm_f64_mma.cl` and `gemm_f32_async.cl` are OpenCL C with NVIDIA's assembly in it. Whether a device takes that is asked
//! by building a program of a few lines, once for each device.

use super::copy::copy;
use super::{DeviceView, Element, Factor, GROUP, TYPES, grid, int, options};
use crate::fault::{Fault, FaultKind};
use crate::gpu::{Arg, Gpu};
use crate::pool::{Block, lock};
use crate::program::Source;
use lapack_ai_core::{Complex64, DType};
use std::collections::HashSet;
use std::sync::{Mutex, OnceLock};

static F64_MMA: Source =
    Source { name: "gemm_f64_mma", parts: &[include_str!("../../kernels/matrix_multiply/gemm_f64_mma.cl")] };
static F32_ASYNC: Source =
    Source { name: "gemm_f32_async", parts: &[include_str!("../../kernels/matrix_multiply/gemm_f32_async.cl")] };
static BATCHED: Source =
    Source { name: "gemm_batched", parts: &[TYPES, include_str!("../../kernels/matrix_multiply/gemm_batched.cl")] };
static SUM: Source =
    Source { name: "gemm_sum", parts: &[TYPES, include_str!("../../kernels/matrix_multiply/gemm_sum.cl")] };
pub(super) static PROBE: Source =
    Source { name: "gemm_probe", parts: &[include_str!("../../kernels/matrix_multiply/probe.cl")] };

/// Largest extent of the matrices that the batched variant takes.
const SMALL: usize = 32;
/// Bytes of A, B and C from which on it is worth a program of its own for the shape.
const BATCH_BYTES: usize = 32 << 20;
/// Largest batch of one launch: CUDA's limit.
pub(super) const MOST_TRIPLES: usize = 65_535;
/// Largest k of the variants that count its steps ahead in an `int`.
pub(super) const MOST_TERMS: usize = 1 << 30;
/// Fewest terms of a part of k.
const SHORTEST_PART: usize = 512;
/// Work-items of the batched variant.
const ITEMS: usize = 128;
/// Uses of an element from which on an operand is copied into another layout: where that is faster, and where it must be. At
/// 3 TB/s and 50 TFLOP/s the former costs less than a tenth of the product.
const PACK_FASTER: usize = 768;
const PACK_STRIDED: usize = 64;
/// Elements from which on the former pays for A and for B: the kernel's own way is slower for A.
const PACK_A: usize = 1 << 20;
const PACK_B: usize = 1 << 24;

/// What the variants of one device need to know of it.
#[derive(Default)]
pub(crate) struct Variants {
    ptx: OnceLock<Ptx>,
    /// Whether the device takes the instructions of `gemm_mixed`.
    pub(super) mixed: OnceLock<bool>,
    /// Options of programs that could not be built.
    refused: Mutex<HashSet<String>>,
}

/// What of NVIDIA's assembly a device takes.
#[derive(Clone, Copy, Default)]
struct Ptx {
    /// Copies from global to local memory beside the computation: compute capability 8.0.
    copies: bool,
    /// Matrix instructions of double precision and shape 16 x 8 x 8: compute capability 9.0.
    matrix_f64: bool,
}

impl Ptx {
    fn of(gpu: &Gpu) -> Self {
        *gpu.shared.variants.ptx.get_or_init(|| {
            let takes = |options| gpu.shared.programs.get(&gpu.shared, &PROBE, options).is_ok();
            if !gpu.info().platform.contains("NVIDIA") || !takes("-DMATRIX_F64=0") {
                return Self::default();
            }
            Self { copies: true, matrix_f64: gpu.info().float64 && takes("-DMATRIX_F64=1") }
        })
    }
}

/// C = alpha A B + beta C, C's rows being its inner direction.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub(super) alpha: &'a Factor,
    pub(super) a: DeviceView<'a>,
    pub(super) b: DeviceView<'a>,
    pub(super) beta: &'a Factor,
    pub(super) c: DeviceView<'a>,
}

/// A program, and how its groups share the work.
pub(super) struct Call {
    pub(super) source: &'static Source,
    pub(super) kernel: &'static str,
    pub(super) options: String,
    /// Rows and columns of C of a work-group.
    pub(super) tile: [usize; 2],
    pub(super) items: usize,
}

/// How an operand, seen as outer index by term, lies in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// Whether the terms are contiguous; otherwise the outer indices are.
    along_k: bool,
    /// Stride of the other direction.
    pub(super) ld: isize,
    /// Whether every access of 16 bytes is aligned and inside of the operand.
    wide: bool,
}

impl Place {
    /// `None` if no stride is 1.
    pub(super) fn of<E: Element>(view: &DeviceView<'_, E>) -> Option<Self> {
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

    pub(super) fn bit(&self) -> u8 {
        u8::from(self.along_k)
    }
}

/// Launches a variant if there is one for this product; otherwise says `false`.
pub(super) fn launch(gpu: &Gpu, product: Product<'_>) -> Result<bool, Fault> {
    let [_, m, n] = product.c.shape();
    let k = product.a.cols;
    if product.c.dtype.is_complex() || k == 0 || k > MOST_TERMS || (m > 1 && product.c.row_stride != 1) {
        return Ok(false);
    }
    let ptx = Ptx::of(gpu);
    let extent = m.max(n).max(k);
    match product.c.dtype {
        DType::Float64 if ptx.matrix_f64 && extent > SMALL / 2 => tiled(gpu, product, f64_mma),
        _ if extent <= SMALL => batched(gpu, &product),
        DType::Float32 if ptx.copies => tiled(gpu, product, f32_async),
        _ => Ok(false),
    }
}

/// The kernel for a shape (batch, m, n, k), compute units, places of A and B, and whether C's columns are contiguous.
type Choose = fn([usize; 4], usize, Place, Place, bool) -> Call;

/// Launches a kernel with tiles of C, in parts if need be.
fn tiled(gpu: &Gpu, product: Product<'_>, choose: Choose) -> Result<bool, Fault> {
    if let Some(part) = part_of_terms(&product, gpu.info().compute_units as usize)
        && in_parts(gpu, &product, part, choose)?
    {
        return Ok(true);
    }
    whole(gpu, product, choose)
}

/// Terms of a part, where a product has too few elements to keep the device busy and terms enough to share out.
fn part_of_terms(product: &Product<'_>, units: usize) -> Option<usize> {
    let ([batch, m, n], k) = (product.c.shape(), product.a.cols);
    let tiles = m.div_ceil(64) * n.div_ceil(64);
    let parts = (2 * units / tiles).min(k / SHORTEST_PART);
    (batch == 1 && 2 * tiles <= units && parts >= 2).then(|| k.div_ceil(parts).next_multiple_of(16))
}

/// Sums over parts of k, as a batch, and their sum. `false` without memory for them.
fn in_parts(gpu: &Gpu, product: &Product<'_>, part: usize, choose: Choose) -> Result<bool, Fault> {
    let Product { alpha, a, b, beta, c } = *product;
    let ([_, m, n], k) = (c.shape(), a.cols);
    let parts = k.div_ceil(part);
    let block = match gpu.alloc(parts * m * n * c.dtype.size()) {
        Ok(block) => block,
        Err(fault) if fault.kind == FaultKind::OutOfMemory => return Ok(false),
        Err(fault) => return Err(fault),
    };
    let (one, zero) = (Factor::new(Complex64::new(1.0, 0.0), c.dtype), Factor::new(Complex64::ZERO, c.dtype));
    // The last part may be shorter.
    for (first, count, terms) in [(0, k / part, part), (k / part, 1, k % part)] {
        if count == 0 || terms == 0 {
            continue;
        }
        let start = first * part;
        let at = |view: DeviceView<'_>, stride: isize| view.offset.wrapping_add_signed(start as isize * stride);
        let step = |stride: isize| part as isize * stride;
        let a = DeviceView {
            offset: at(a, a.col_stride),
            cols: terms,
            batch: count,
            batch_stride: step(a.col_stride),
            ..a
        };
        let b = DeviceView {
            offset: at(b, b.row_stride),
            rows: terms,
            batch: count,
            batch_stride: step(b.row_stride),
            ..b
        };
        let c = DeviceView::new(&block, c.dtype, first * m * n, [count, m, n], [(m * n) as isize, 1, m as isize])?;
        if !whole(gpu, Product { alpha: &one, a, b, beta: &zero, c }, choose)? {
            return Ok(false);
        }
    }
    let args = [
        Arg::Block(&block),
        int(parts),
        Arg::Block(c.block),
        Arg::I64(c.offset as i64),
        Arg::I64(c.row_stride as i64),
        Arg::I64(c.col_stride as i64),
        int(m),
        int(n),
        alpha.arg(),
        beta.arg(),
    ];
    let local = [GROUP, 1, 1];
    gpu.launch(&SUM, options(gpu, c.dtype)?, "gemm_sum", &args, grid([(m * n).div_ceil(GROUP), 1, 1], local), local)?;
    Ok(true)
}

/// Brings the operands into a layout that the kernel takes, where it must or should be, and launches it.
fn whole(gpu: &Gpu, product: Product<'_>, choose: Choose) -> Result<bool, Fault> {
    let along_k = |view: &DeviceView<'_>| Place::of(view).is_some_and(|place| place.along_k);
    // C^T = B^T A^T has the better layout, where k is contiguous in A alone.
    let turned = along_k(&product.a) && !along_k(&product.b.transposed());
    let product = match turned {
        true => Product { a: product.b.transposed(), b: product.a.transposed(), c: product.c.transposed(), ..product },
        false => product,
    };
    let Product { a, b, c, .. } = product;
    let block_a = packed(gpu, &a, c.cols, PACK_A)?;
    let block_b = packed(gpu, &b.transposed(), c.rows, PACK_B)?;
    let view_a = block_a.as_ref().map_or(Ok(a), |block| lines(&a, block))?;
    let view_b = block_b.as_ref().map_or(Ok(b), |block| Ok(lines(&b.transposed(), block)?.transposed()))?;
    // What was packed may be read to the end of its lines.
    let place = |view: &DeviceView<'_>, packed: bool| {
        Place::of(view).map(|place| Place { wide: place.wide || packed, ..place })
    };
    let places = (place(&view_a, block_a.is_some()), place(&view_b.transposed(), block_b.is_some()));
    let (Some(place_a), Some(place_b)) = places else { return Ok(false) };
    let product = Product { a: view_a, b: view_b, ..product };
    let c_ld = if turned { product.c.row_stride } else { product.c.col_stride };
    let operand = |view: &DeviceView<'_>, ld: isize, first: usize| {
        let offset = view.offset as i64 + first as i64 * view.batch_stride as i64;
        [Arg::I64(offset), Arg::I64(ld as i64), Arg::I64(view.batch_stride as i64)]
    };
    let [batch, m, n] = product.c.shape();
    let units = gpu.info().compute_units as usize;
    let call = choose([batch, m, n, product.a.cols], units, place_a, place_b, turned);
    let tiles = m.div_ceil(call.tile[0]) * n.div_ceil(call.tile[1]);
    for first in (0..batch).step_by(MOST_TRIPLES) {
        let mut args = Vec::with_capacity(17);
        for (view, ld) in [(&product.a, place_a.ld), (&product.b, place_b.ld), (&product.c, c_ld)] {
            args.push(Arg::Block(view.block));
            args.extend(operand(view, ld, first));
        }
        args.extend([int(m), int(n), int(product.a.cols), product.alpha.arg(), product.beta.arg()]);
        let global = [tiles * call.items, 1, MOST_TRIPLES.min(batch - first)];
        if !built(gpu, &call, &args, global)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Launches; `false` if the program cannot be built, which is tried once for each device.
pub(super) fn built(gpu: &Gpu, call: &Call, args: &[Arg<'_>], global: [usize; 3]) -> Result<bool, Fault> {
    let refused = &gpu.shared.variants.refused;
    let key = format!("{} {}", call.kernel, call.options);
    if lock(refused).contains(&key) {
        return Ok(false);
    }
    match gpu.launch(call.source, &call.options, call.kernel, args, global, [call.items, 1, 1]) {
        Err(fault) if fault.kind == FaultKind::BuildFailed => {
            lock(refused).insert(key);
            Ok(false)
        }
        other => other.map(|()| true),
    }
}

/// A copy of an operand, seen as outer index by term, with contiguous outer indices: where no stride is 1, or where the
/// kernel then gains more than the copy costs. `uses` of each element are made. `None` otherwise, and without memory for it.
fn packed(gpu: &Gpu, view: &DeviceView<'_>, uses: usize, elements: usize) -> Result<Option<Block>, Fault> {
    let pays = match Place::of(view) {
        None => uses >= PACK_STRIDED,
        Some(place) => {
            let large = uses >= PACK_FASTER && view.rows * view.cols >= elements;
            view.dtype == DType::Float32 && (place.along_k || !place.wide) && large
        }
    };
    if !pays {
        return Ok(None);
    }
    let batch = if view.batch_stride == 0 { 1 } else { view.batch };
    let block = match gpu.alloc(batch * line_of(view) * view.cols * view.dtype.size()) {
        Ok(block) => block,
        Err(fault) if fault.kind == FaultKind::OutOfMemory => return Ok(None),
        Err(fault) => return Err(fault),
    };
    copy(gpu, DeviceView { batch, ..*view }, false, DeviceView { batch, ..lines(view, &block)? })?;
    Ok(Some(block))
}

/// Length of a line of a packed operand, in elements.
fn line_of(view: &DeviceView<'_>) -> usize {
    view.rows.next_multiple_of(4)
}

/// The packed form of `view` in its block.
fn lines<'a>(view: &DeviceView<'_>, block: &'a Block) -> Result<DeviceView<'a>, Fault> {
    let line = line_of(view) as isize;
    let batch_stride = if view.batch_stride == 0 { 0 } else { line * view.cols as isize };
    DeviceView::new(block, view.dtype, 0, view.shape(), [batch_stride, 1, line])
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

/// Tiles, warps and slots are the best of those that were measured on an H100.
fn f64_mma(shape: [usize; 4], units: usize, a: Place, b: Place, turned: bool) -> Call {
    let [batch, m, n, k] = shape;
    let large = large_tile_pays([batch, m, n], units);
    let many = batch == 1 && m.div_ceil(128) * n.div_ceil(64) >= 32 * units;
    let few = 2 * m.div_ceil(64) * n.div_ceil(64) * batch <= units;
    let plain = !a.along_k && b.along_k && a.wide && b.wide;
    // Extents of a group's and a warp's part of C, BK, STAGES.
    let (tile, [wm, wn], step, stages) = match k {
        _ if m.max(n) <= 32 => ([32, 32], [16, 16], 16, 4),
        _ if few => ([64, 32], [32, 16], 16, 3),
        // Work-groups that end soon: two and more on a unit, one storing while another computes.
        0..=128 if many => ([128, 64], [64, 32], 16, 2),
        0..=64 if batch == 1 => ([64, 64], [32, 32], 8, 4),
        0..=512 => ([64, 64], [32, 32], 16, 3),
        _ if large && plain => ([128, 128], [32, 32], 8, 3),
        _ if large => ([128, 128], [64, 32], 8, 3),
        _ => ([64, 64], [32, 32], 16, 3),
    };
    let [ordered, two_b, spread] = match (a.along_k, b.along_k) {
        _ if plain && !few => [0, 0, 0],
        (_, true) if plain || a.along_k => [0, 1, 1],
        _ => [1, 1, 1],
    };
    let bytes = |place: Place| if place.wide { 16 } else { 8 };
    let [bm, bn] = tile;
    let options = format!(
        "-DBM={bm} -DBN={bn} -DWM={wm} -DWN={wn} -DBK={step} -DSTAGES={stages} -DA_K={} -DB_K={} -DA_BYTES={} -DB_BYTES={} \
         -DC_T={} -DORDERED={ordered} -DTWO_B={two_b} -DSPREAD={spread}",
        a.bit(),
        b.bit(),
        bytes(a),
        bytes(b),
        u8::from(turned)
    );
    Call { source: &F64_MMA, kernel: "gemm_f64_mma", options, tile, items: (bm / wm) * (bn / wn) * 32 }
}

/// Likewise.
fn f32_async(shape: [usize; 4], units: usize, a: Place, b: Place, turned: bool) -> Call {
    let [batch, m, n, _] = shape;
    let bytes = |place: Place| if place.wide && !place.along_k { 16 } else { 4 };
    // Copies of 4 bytes leave no registers for the larger part of a work-item.
    let few = 2 * m.div_ceil(64) * n.div_ceil(64) * batch <= units;
    let ([bm, bn], [tm, tn], stages) = match bytes(a) + bytes(b) {
        _ if few => ([32, 32], [4, 4], 3),
        32 if large_tile_pays([batch, m, n], units) => ([128, 128], [8, 16], 4),
        _ if m <= 64 => ([64, 64], [8, 8], 3),
        _ => ([128, 64], [8, 8], 3),
    };
    let options = format!(
        "-DBM={bm} -DBN={bn} -DTM={tm} -DTN={tn} -DSTAGES={stages} -DA_K={} -DB_K={} -DA_BYTES={} -DB_BYTES={} \
         -DC_T={}",
        a.bit(),
        b.bit(),
        bytes(a),
        bytes(b),
        u8::from(turned)
    );
    let items = bm / (8 * tm) * (bn / (4 * tn)) * 32;
    Call { source: &F32_ASYNC, kernel: "gemm_f32_async", options, tile: [bm, bn], items }
}

/// Large batches of small matrices: plain OpenCL C, a program for each shape.
fn batched(gpu: &Gpu, product: &Product<'_>) -> Result<bool, Fault> {
    let Product { alpha, a, b, beta, c } = *product;
    let ([batch, m, n], k, size) = (c.shape(), a.cols, c.dtype.size());
    let each = (m * k + k * n) * size;
    let (Some(place_a), Some(place_b)) = (Place::of(&a), Place::of(&b.transposed())) else { return Ok(false) };
    let (Some(tm), Some(tn)) = (part_of(m), part_of(n)) else { return Ok(false) };
    if batch * (each + m * n * size) < BATCH_BYTES {
        return Ok(false);
    }
    let width = 16 / size;
    let even = |values: &[isize]| values.iter().all(|value| value % width as isize == 0);
    let c_even = even(&[c.offset as isize, c.col_stride, c.batch_stride, m as isize]);
    let along_n = place_b.along_k || tn % width == 0;
    let wide = place_a.wide && place_b.wide && c_even && k % width == 0 && tm % width == 0 && along_n;
    // About 16 KB of A and B to a group: several groups on a unit, one computing while others load.
    let groups_of = (16384 / each).max(1);
    let groups_of = if groups_of == 1 && each <= 16384 { 2 } else { groups_of };
    let kind = options(gpu, c.dtype)?;
    let options = format!(
        "{kind} -DM={m} -DN={n} -DK={k} -DTM={tm} -DTN={tn} -DGROUP={groups_of} -DITEMS={ITEMS} -DVEC={} -DA_K={} -DB_K={}",
        if wide { width } else { 1 },
        place_a.bit(),
        place_b.bit()
    );
    let call = Call { source: &BATCHED, kernel: "gemm_batched", options, tile: [m, n], items: ITEMS };
    let mut args = Vec::with_capacity(15);
    for (view, ld) in [(&a, place_a.ld), (&b, place_b.ld), (&c, c.col_stride)] {
        let strides = [view.offset as i64, ld as i64, view.batch_stride as i64];
        args.push(Arg::Block(view.block));
        args.extend(strides.map(Arg::I64));
    }
    args.extend([int(batch), alpha.arg(), beta.arg()]);
    built(gpu, &call, &args, grid([batch.div_ceil(groups_of), 1, 1], [ITEMS, 1, 1]))
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
        for extent in 1..=SMALL {
            if let Some(part) = part_of(extent) {
                assert_eq!(extent % part, 0, "{extent}");
            }
        }
        assert_eq!([1, 4, 7, 8, 11, 32].map(part_of), [Some(1), Some(4), Some(7), Some(4), None, Some(4)]);
    }
}
