//! A complex matrix product as a real one (`kernels/matrix_multiply/gemm_complex.cl` has the mathematics), for which devices
//! have their fastest instructions.

use super::copy::copy;
use super::gemm::gemm;
use super::gemm_choose::is_general_wanted;
use super::{DeviceView, Factor, TYPES, flag, grid, int, options, real, spare};
use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::Complex64;

static SOURCE: Source =
    Source { name: "gemm_complex", parts: &[TYPES, include_str!("../../kernels/matrix_multiply/gemm_complex.cl")] };

/// Side of the tile of `expand_complex`, and its work-items across.
const TILE: usize = 32;
const TILE_ROWS: usize = 8;
/// Fewest uses of an element of A, each of which is written twice beforehand, and fewest terms of all sums: below them the
/// expansion, or its launch, costs more than the real product gains.
const FEWEST_USES: usize = 128;
const FEWEST_TERMS: usize = 1 << 22;

/// Computes `C = alpha op(A) op(B) + beta C` of complex matrices so, if that pays; otherwise, and without memory for the
/// expanded A, says `false` and has launched nothing that changes C. C's rows are its inner direction.
pub(super) fn launch(
    gpu: &Gpu,
    alpha: &Factor,
    (a, conj_a): (DeviceView<'_>, bool),
    (b, conj_b): (DeviceView<'_>, bool),
    beta: Complex64,
    c: DeviceView<'_>,
) -> Result<bool, Fault> {
    let [batch, m, n] = c.shape();
    let k = a.cols;
    let pays = n >= FEWEST_USES && m.saturating_mul(n).saturating_mul(k).saturating_mul(batch) >= FEWEST_TERMS;
    // A real product can be given a real beta alone.
    if is_general_wanted() || !pays || c.row_stride != 1 || beta.im != 0.0 || m.max(k) > i32::MAX as usize / 2 {
        return Ok(false);
    }
    let memory = |count: usize| spare(gpu, count * c.dtype.size());
    // An even stride keeps the columns on 16 bytes in single precision too.
    let ld = m.next_multiple_of(2);
    let triples = a.distinct();
    let Some(expanded) = memory(triples * 2 * k * ld)? else { return Ok(false) };
    let packed: Option<Block> = match b.row_stride {
        1 => None,
        _ => match memory(b.distinct() * k * n)? {
            None => return Ok(false),
            block => block,
        },
    };

    let mut args = Vec::with_capacity(14);
    args.extend(a.args());
    args.extend([Arg::Block(&expanded), Arg::I64(ld as i64), Arg::I64((2 * k * ld) as i64)]);
    args.extend([int(m), int(k), int(triples), flag(conj_a), flag(conj_b), alpha.arg()]);
    let local = [TILE, TILE_ROWS, 1];
    let groups = [k.div_ceil(TILE), m.div_ceil(TILE), triples];
    gpu.launch(&SOURCE, options(gpu, c.dtype)?, "expand_complex", &args, grid(groups, local), local)?;
    let between = |stride: isize, length: usize| if stride == 0 { 0 } else { length as isize };
    let b = match &packed {
        None => b,
        Some(block) => {
            let strides = [between(b.batch_stride, k * n), 1, k as isize];
            let target = DeviceView::new(block, b.dtype, 0, b.shape(), strides)?;
            copy(gpu, b.once(), false, target.once())?;
            target
        }
    };
    let strides = [between(a.batch_stride, 4 * k * ld), 1, 2 * ld as isize];
    let a = DeviceView::new(&expanded, real(c.dtype), 0, [batch, 2 * m, 2 * k], strides)?;
    let one = Complex64::new(1.0, 0.0);
    gemm(gpu, one, (a, false), (parts(&b), false), beta, parts(&c))?;
    Ok(true)
}

/// Complex matrices with contiguous columns as real ones of twice the rows: real and imaginary parts in turn.
fn parts<'a>(view: &DeviceView<'a>) -> DeviceView<'a> {
    DeviceView {
        dtype: real(view.dtype),
        offset: 2 * view.offset,
        rows: 2 * view.rows,
        row_stride: 1,
        col_stride: 2 * view.col_stride,
        batch_stride: 2 * view.batch_stride,
        ..*view
    }
}
