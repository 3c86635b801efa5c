//! Variants of the matrix product for certain devices, types and shapes: when one is taken, and its launch. What no variant
//! takes is left to the general kernel. With which tiles stands in `gemm_choose.rs`.
//!
//! `gemm_f64_mma.cl` and `gemm_f32_async.cl` are OpenCL C with NVIDIA's assembly in it. Whether a device takes that is asked
//! by building a program of a few lines, once for each device.

use super::copy::copy;
use super::gemm_choose::{self, Call, Choices, Choose, Place, Target, f32_async, f64_mma, note};
use super::gemm_config::{Problem, SMALL};
use super::{DeviceView, Factor, GROUP, TYPES, grid, int, options, spare};
use crate::fault::{Fault, FaultKind};
use crate::gpu::{Arg, Gpu};
use crate::pool::{Block, lock};
use crate::program::Source;
use crate::tune::Tables;
use lapack_ai_core::{Complex64, DType};
use std::collections::HashSet;
use std::sync::{Mutex, OnceLock};

static SUM: Source =
    Source { name: "gemm_sum", parts: &[TYPES, include_str!("../../kernels/matrix_multiply/gemm_sum.cl")] };
pub(super) static PROBE: Source =
    Source { name: "gemm_probe", parts: &[include_str!("../../kernels/matrix_multiply/probe.cl")] };

/// Bytes of A, B and C from which on it is worth a program of its own for the shape.
pub(super) const BATCH_BYTES: usize = 32 << 20;
/// Largest batch of one launch: CUDA's limit.
pub(super) const MOST_TRIPLES: usize = 65_535;
/// Largest k of the variants that count its steps ahead in an `int`.
pub(super) const MOST_TERMS: usize = 1 << 30;
/// Fewest terms of a part of k.
const SHORTEST_PART: usize = 512;
/// Uses of an element from which on an operand is copied into another layout: where that is faster, and where it must be. At
/// 3 TB/s and 50 TFLOP/s the former costs less than a tenth of the product.
const PACK_FASTER: usize = 768;
const PACK_STRIDED: usize = 64;
/// Elements from which on the former pays for A and for B: the kernel's own way is slower for A.
pub(super) const PACK_A: usize = 1 << 20;
pub(super) const PACK_B: usize = 1 << 22;

/// What the variants of one device need to know of it.
pub(crate) struct Variants {
    ptx: OnceLock<Ptx>,
    pub(crate) choices: Choices,
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

impl Variants {
    /// For a device whose configurations come from `tables`.
    pub(crate) fn new(tables: Tables) -> Self {
        Self { choices: Choices::new(tables), ptx: OnceLock::new(), mixed: OnceLock::new(), refused: Mutex::default() }
    }
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

/// Whether the device takes NVIDIA's assembly for compute capability 8.0.
pub(crate) fn takes_ptx(gpu: &Gpu) -> bool {
    Ptx::of(gpu).copies
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

/// Launches a variant if there is one for this product; otherwise says `false`.
pub(super) fn launch(gpu: &Gpu, product: Product<'_>) -> Result<bool, Fault> {
    let [_, m, n] = product.c.shape();
    let k = product.a.cols;
    if gemm_choose::is_general_wanted() {
        return Ok(false);
    }
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
    let Some(block) = spare(gpu, parts * m * n * c.dtype.size())? else { return Ok(false) };
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
    let target = Target { turned, update: !product.beta.is_zero() };
    // A tuned configuration that cannot be built gives way to the rules'.
    for _ in 0..2 {
        let call = choose(gpu, [batch, m, n, product.a.cols], place_a, place_b, target);
        let tiles = m.div_ceil(call.tile[0]) * n.div_ceil(call.tile[1]);
        let most = batch.min(i32::MAX as usize / tiles);
        let mut all = true;
        for first in (0..batch).step_by(most) {
            let count = most.min(batch - first) * tiles;
            let mut args = Vec::with_capacity(18);
            for (view, ld) in [(&product.a, place_a.ld), (&product.b, place_b.ld), (&product.c, c_ld)] {
                args.push(Arg::Block(view.block));
                args.extend(operand(view, ld, first));
            }
            args.extend([int(m), int(n), int(product.a.cols), int(count), product.alpha.arg(), product.beta.arg()]);
            let groups = if call.walk == 0 { count } else { count.min(call.walk * gpu.info().compute_units as usize) };
            all &= built(gpu, &call, &args, [groups * call.items, 1, 1])?;
            if !all {
                break;
            }
        }
        if all {
            return Ok(true);
        }
    }
    Ok(false)
}

fn refused_as(call: &Call) -> String {
    format!("{} {}", call.kernel, call.options)
}

/// Whether a call's program could not be built before.
pub(super) fn is_refused(gpu: &Gpu, call: &Call) -> bool {
    lock(&gpu.shared.variants.refused).contains(&refused_as(call))
}

/// Launches; `false` if the program cannot be built, which is tried once for each device.
pub(super) fn built(gpu: &Gpu, call: &Call, args: &[Arg<'_>], global: [usize; 3]) -> Result<bool, Fault> {
    if is_refused(gpu, call) {
        return Ok(false);
    }
    match gpu.launch(call.source, &call.options, call.kernel, args, global, [call.items, 1, 1]) {
        Err(fault) if fault.kind == FaultKind::BuildFailed => {
            lock(&gpu.shared.variants.refused).insert(refused_as(call));
            Ok(false)
        }
        other => other.map(|()| note(call)).map(|()| true),
    }
}

/// A copy of an operand, seen as outer index by term, with contiguous outer indices: where no stride is 1, or where the
/// kernel then gains more than the copy costs. `uses` of each element are made. `None` otherwise, and without memory for it.
pub(super) fn packed(gpu: &Gpu, view: &DeviceView<'_>, uses: usize, elements: usize) -> Result<Option<Block>, Fault> {
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
    let Some(block) = spare(gpu, view.distinct() * line_of(view) * view.cols * view.dtype.size())? else {
        return Ok(None);
    };
    copy(gpu, view.once(), false, lines(view, &block)?.once())?;
    Ok(Some(block))
}

/// Length of a line of a packed operand, in elements.
fn line_of(view: &DeviceView<'_>) -> usize {
    view.rows.next_multiple_of(4)
}

/// The packed form of `view` in its block.
pub(super) fn lines<'a>(view: &DeviceView<'_>, block: &'a Block) -> Result<DeviceView<'a>, Fault> {
    let line = line_of(view) as isize;
    let batch_stride = if view.batch_stride == 0 { 0 } else { line * view.cols as isize };
    DeviceView::new(block, view.dtype, 0, view.shape(), [batch_stride, 1, line])
}

/// Large batches of small matrices: plain OpenCL C, a program for each shape.
fn batched(gpu: &Gpu, product: &Product<'_>) -> Result<bool, Fault> {
    let Product { alpha, a, b, beta, c } = *product;
    let ([batch, m, n], k, size) = (c.shape(), a.cols, c.dtype.size());
    let (Some(place_a), Some(place_b)) = (Place::of(&a), Place::of(&b.transposed())) else { return Ok(false) };
    if batch * (m * k + k * n + m * n) * size < BATCH_BYTES {
        return Ok(false);
    }
    let each = (16 / size) as isize;
    let c_even = [c.offset as isize, c.col_stride, c.batch_stride, m as isize].iter().all(|value| value % each == 0);
    let problem = Problem { dtype: c.dtype, shape: [batch, m, n, k], a: place_a, b: place_b };
    let kind = options(gpu, c.dtype)?;
    let mut args = Vec::with_capacity(15);
    for (view, ld) in [(&a, place_a.ld), (&b, place_b.ld), (&c, c.col_stride)] {
        let strides = [view.offset as i64, ld as i64, view.batch_stride as i64];
        args.push(Arg::Block(view.block));
        args.extend(strides.map(Arg::I64));
    }
    args.extend([int(batch), alpha.arg(), beta.arg()]);
    for _ in 0..2 {
        let Some((call, group)) = gemm_choose::batched(gpu, kind, problem, c_even) else { return Ok(false) };
        if built(gpu, &call, &args, grid([batch.div_ceil(group), 1, 1], [call.items, 1, 1]))? {
            return Ok(true);
        }
    }
    Ok(false)
}
