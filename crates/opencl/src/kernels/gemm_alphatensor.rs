//! Batches of 4 x 4 products by AlphaTensor's scheme with 49 products (`kernels/matrix_multiply/gemm_alphatensor.cl`). The code
//! of one product is generated from the scheme's table by crates/bilinear.

use super::copy::copy;
use super::gemm::gemm;
use super::gemm_choose::Place;
use super::{BATCHED_TILES, DeviceView, Factor, SCATTERED, TYPES, grid, int, invalid, options, same_kind, writable};
use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::Complex64;

static SOURCE: Source = Source {
    name: "gemm_alphatensor",
    parts: &[
        TYPES,
        SCATTERED,
        BATCHED_TILES,
        include_str!("../../kernels/matrix_multiply/alphatensor_49.cl"),
        include_str!("../../kernels/matrix_multiply/gemm_alphatensor.cl"),
    ],
};

/// Work-items of a group, one for each triple: the best of 16 to 128 on an H100, and more items than triples are slower.
const ITEMS: usize = 32;

/// Largest error of an element of `A B` by this kernel in units of `(eps / 2) max|A| max|B|`, to first order; max is the
/// largest modulus in a triple's own matrix, eps the distance from 1 to the next number of the type.
pub const ERROR_BOUND: f64 = 2461.0;

/// `C = alpha A B + beta C` for a batch of 4 x 4 matrices of a real type, each with 49 products in place of 64: `a`, `b` and `c`
/// are (batch, 4, 4), `c` overlaps neither, and a batch of 1 of `a` or `b` is repeated. Transposes are given as views.
///
/// As [`gemm`], which is the more accurate and as fast (both are bound by memory), but for two things. The error of an element of
/// the product is bounded by [`ERROR_BOUND`]` (eps / 2) max|A| max|B|`, the largest elements of the whole matrices, not by its own
/// terms; `alpha` and `beta` add the rounding of three operations. A small element of C beside large ones can be wrong in every
/// digit. And a NaN or Inf of a matrix can spread to all 16 elements of its product.
///
/// `beta = 0` does not read C, `alpha = 0` does not read A and B. Layouts in which neither direction is contiguous are copied
/// first.
///
/// # Errors
/// `Invalid` for shapes or types that do not fit, complex ones among them, or a `c` with a stride of 0, `NoFloat64`, or what
/// the device refused.
pub fn gemm_alphatensor(
    gpu: &Gpu,
    alpha: Complex64,
    a: DeviceView<'_>,
    b: DeviceView<'_>,
    beta: Complex64,
    c: DeviceView<'_>,
) -> Result<(), Fault> {
    same_kind(gpu, &[&c, &a, &b])?;
    writable(&c)?;
    if c.dtype.is_complex() {
        return Err(invalid(format!("{} matrices; this product takes real ones", c.dtype.name())));
    }
    if [&a, &b, &c].iter().any(|view| [view.rows, view.cols] != [4, 4]) {
        return Err(invalid(format!("{:?} times {:?} into {:?}; each must be 4 x 4", a.shape(), b.shape(), c.shape())));
    }
    let (a, b) = (a.repeated(c.batch)?, b.repeated(c.batch)?);
    let kind = options(gpu, c.dtype)?;
    if c.is_empty() {
        return Ok(());
    }
    let (factor, old) = (Factor::new(alpha, c.dtype), Factor::new(beta, c.dtype));
    if factor.is_zero() {
        return gemm(gpu, alpha, (a, false), (b, false), beta, c);
    }
    let (a_packed, b_packed) = (packed(gpu, &a)?, packed(gpu, &b)?);
    let (a, b) = (replaced(a, a_packed.as_ref())?, replaced(b, b_packed.as_ref())?);
    let c_packed = packed_target(gpu, &c, !old.is_zero())?;
    let target = match &c_packed {
        Some(block) => DeviceView::row_major(block, c.dtype, c.shape())?,
        None => c,
    };
    // The kernel stores along C's rows: where its columns are contiguous it computes C^T = B^T A^T.
    let (x, y, z) = match target.row_stride {
        1 => (a, b, target),
        _ => (b.transposed(), a.transposed(), target.transposed()),
    };
    let place = |view: &DeviceView<'_>| Place::of(view).ok_or_else(|| invalid("no contiguous direction".to_string()));
    let (place_x, place_y, place_z) = (place(&x)?, place(&y.transposed())?, place(&z)?);
    let wide = place_x.wide && place_y.wide && place_z.wide;
    let options = format!(
        "{kind} -DITEMS={ITEMS} -DUNROLL={} -DVEC={} -DA_K={} -DB_K={} -DUPDATE={}",
        // All accesses to a matrix at once: fewer items share a unit in double precision, where each needs more registers.
        if wide && c.dtype.is_double() { 8 } else { 4 },
        if wide { 16 / c.dtype.size() } else { 1 },
        u8::from(place_x.along_k),
        u8::from(place_y.along_k),
        u8::from(!old.is_zero())
    );
    let mut args = Vec::with_capacity(15);
    for (view, ld) in [(&x, place_x.ld), (&y, place_y.ld), (&z, place_z.ld)] {
        args.push(Arg::Block(view.block));
        args.extend([view.offset as i64, ld as i64, view.batch_stride as i64].map(Arg::I64));
    }
    args.extend([int(c.batch), factor.arg(), old.arg()]);
    let local = [ITEMS, 1, 1];
    gpu.launch(&SOURCE, &options, "gemm_alphatensor", &args, grid([c.batch.div_ceil(ITEMS), 1, 1], local), local)?;
    match c_packed {
        Some(_) => copy(gpu, target, false, c),
        None => Ok(()),
    }
}

/// A copy with contiguous rows of an operand in which no direction is contiguous.
fn packed(gpu: &Gpu, view: &DeviceView<'_>) -> Result<Option<Block>, Fault> {
    if Place::of(view).is_some() {
        return Ok(None);
    }
    let source = view.once();
    let block = gpu.alloc(source.batch * 16 * view.dtype.size())?;
    copy(gpu, source, false, DeviceView::row_major(&block, view.dtype, source.shape())?)?;
    Ok(Some(block))
}

/// The view of the copy, if there is one.
fn replaced<'a>(view: DeviceView<'a>, copy: Option<&'a Block>) -> Result<DeviceView<'a>, Fault> {
    let Some(block) = copy else { return Ok(view) };
    DeviceView::row_major(block, view.dtype, view.once().shape())?.repeated(view.batch)
}

/// Memory for a result in which no direction is contiguous, with its elements if they are read.
fn packed_target(gpu: &Gpu, view: &DeviceView<'_>, read: bool) -> Result<Option<Block>, Fault> {
    match read {
        true => packed(gpu, view),
        false if Place::of(view).is_some() => Ok(None),
        false => gpu.alloc(view.batch * 16 * view.dtype.size()).map(Some),
    }
}
