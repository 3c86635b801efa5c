//! Products of batches whose matrices begin anywhere in their blocks: what arrays of pointers are elsewhere, since OpenCL has no
//! pointers across buffers.

use super::gemm::gemm;
use super::gemm_choose::{self, Call, GENERAL, Place};
use super::gemm_config::{Problem, SMALL, SMALL_LOCAL};
use super::gemm_variants::{BATCH_BYTES, built};
use super::{DeviceView, Factor, flag, grid, int, invalid, options, same_kind};
use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::pool::Block;
use lapack_ai_core::{Complex64, DType};

/// Matrices of one shape and with the same strides in one block, each with a beginning of its own.
#[derive(Clone, Copy, Debug)]
pub struct Scattered<'a> {
    /// The first `rows` x `cols` elements from the block's start on, with the matrices' strides.
    view: DeviceView<'a>,
    beginnings: &'a [usize],
}

impl<'a> Scattered<'a> {
    /// `beginnings` are the places of the matrices' first elements, in elements of the block; `strides`, in elements, go from row
    /// to row and column to column.
    ///
    /// # Errors
    /// As [`DeviceView::new`], for any of them, and for more than 2^31 - 1 matrices.
    pub fn new(
        block: &'a Block,
        dtype: DType,
        beginnings: &'a [usize],
        [rows, cols]: [usize; 2],
        [row_stride, col_stride]: [isize; 2],
    ) -> Result<Self, Fault> {
        if i32::try_from(beginnings.len()).is_err() {
            return Err(invalid(format!("a batch of {} matrices is above {}", beginnings.len(), i32::MAX)));
        }
        let at = |begin: usize| DeviceView::new(block, dtype, begin, [1, rows, cols], [0, row_stride, col_stride]);
        let (least, most) = (beginnings.iter().min().copied(), beginnings.iter().max().copied());
        let view = at(least.unwrap_or(0))?;
        at(most.unwrap_or(0))?;
        Ok(Self { view: DeviceView { offset: 0, ..view }, beginnings })
    }

    /// Each matrix transposed: the same memory, the strides exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { view: self.view.transposed(), ..self }
    }

    fn part(self, range: std::ops::Range<usize>) -> Self {
        Self { beginnings: &self.beginnings[range], ..self }
    }

    fn place(&self) -> Option<Place> {
        let place = Place::of(&self.view)?;
        let each = 16 / self.view.dtype.size();
        Some(Place { wide: place.wide && self.beginnings.iter().all(|begin| begin % each == 0), ..place })
    }
}

/// `C_t = alpha op(A_t) op(B_t) + beta C_t` for every t: as [`gemm`], but for where the matrices lie. Those of C must not overlap
/// one another or those of A and B; A and B may name a matrix any number of times.
///
/// # Errors
/// As [`gemm`], and `Invalid` for lists of different lengths.
pub fn gemm_at(
    gpu: &Gpu,
    alpha: Complex64,
    (a, conj_a): (Scattered<'_>, bool),
    (b, conj_b): (Scattered<'_>, bool),
    beta: Complex64,
    c: Scattered<'_>,
) -> Result<(), Fault> {
    same_kind(gpu, &[&c.view, &a.view, &b.view])?;
    let counts = [&a, &b, &c].map(|one| one.beginnings.len());
    let ([_, m, n], [_, rows, k], [_, inner, cols]) = (c.view.shape(), a.view.shape(), b.view.shape());
    if counts != [counts[0]; 3] || rows != m || cols != n || inner != k {
        return Err(invalid(format!("{counts:?} matrices, {rows} x {k} times {inner} x {cols} into {m} x {n}")));
    }
    let batch = counts[0];
    if batch == 0 || m == 0 || n == 0 {
        return Ok(());
    }
    // The kernels store along C's rows.
    let ((a, conj_a), (b, conj_b), c) = match c.view.rows_are_inner() {
        true => ((a, conj_a), (b, conj_b), c),
        false => ((b.transposed(), conj_b), (a.transposed(), conj_a), c.transposed()),
    };
    // Larger matrices are copied side by side, which costs little beside their products.
    if m.max(n).max(k) <= SMALL && k > 0 && where_they_lie(gpu, alpha, [(a, conj_a), (b, conj_b)], beta, c)? {
        return Ok(());
    }
    // Half of what is left: the product may need some.
    let each = (m * k + k * n + m * n) * c.view.dtype.size();
    let most = (gpu.available() / 2 / each.max(1)).clamp(1, batch);
    for first in (0..batch).step_by(most) {
        let range = first..batch.min(first + most);
        side_by_side(
            gpu,
            alpha,
            [(a.part(range.clone()), conj_a), (b.part(range.clone()), conj_b)],
            beta,
            c.part(range),
        )?;
    }
    Ok(())
}

/// The beginnings of all matrices on the device, operand after operand.
fn upload(gpu: &Gpu, all: [&Scattered<'_>; 3]) -> Result<Block, Fault> {
    let bytes: Vec<u8> =
        all.iter().flat_map(|one| one.beginnings.iter().flat_map(|&begin| (begin as i64).to_ne_bytes())).collect();
    let block = gpu.alloc(bytes.len())?;
    gpu.write(&block, 0, &bytes)?;
    Ok(block)
}

/// Small matrices, by kernels that read them where they lie. `false` if there is none for them.
fn where_they_lie(
    gpu: &Gpu,
    alpha: Complex64,
    [(a, conj_a), (b, conj_b)]: [(Scattered<'_>, bool); 2],
    beta: Complex64,
    c: Scattered<'_>,
) -> Result<bool, Fault> {
    let (dtype, batch) = (c.view.dtype, c.beginnings.len());
    let ([_, m, n], k, size) = (c.view.shape(), a.view.cols, dtype.size());
    let (alpha, beta) = (Factor::new(alpha, dtype), Factor::new(beta, dtype));
    let (a_bytes, b_bytes) = (m * (k | 1) * size, k * n * size);
    if alpha.is_zero() || a_bytes + b_bytes > SMALL_LOCAL {
        return Ok(false);
    }
    let kind = options(gpu, dtype)?;
    let lists = upload(gpu, [&a, &b, &c])?;
    let scattered = |call: Call| Call { options: format!("{} -DSCATTERED=1", call.options), ..call };
    let large = batch * (m * k + k * n + m * n) * size >= BATCH_BYTES;
    let places = (a.place(), b.transposed().place(), c.place());
    if let (Some(place_a), Some(place_b), Some(place_c)) = places
        && large
        && !dtype.is_complex()
        && c.view.row_stride == 1
    {
        let problem = Problem { dtype, shape: [batch, m, n, k], a: place_a, b: place_b };
        if let Some((call, group)) = gemm_choose::batched(gpu, kind, problem, place_c.wide) {
            let call = scattered(call);
            let mut args = Vec::with_capacity(16);
            for (one, ld) in [(&a, place_a.ld), (&b, place_b.ld), (&c, c.view.col_stride)] {
                args.extend([Arg::Block(one.view.block), Arg::I64(0), Arg::I64(ld as i64), Arg::I64(0)]);
            }
            args.extend([int(batch), alpha.arg(), beta.arg(), Arg::Block(&lists)]);
            if built(gpu, &call, &args, grid([batch.div_ceil(group), 1, 1], [call.items, 1, 1]))? {
                return Ok(true);
            }
        }
    }
    let place = Place { along_k: false, ld: 0, wide: false };
    let problem = Problem { dtype, shape: [batch, m, n, k], a: place, b: place };
    let (call, slots) = gemm_choose::small(gpu, kind, problem, a_bytes + b_bytes);
    let call = scattered(call);
    let mut args = Vec::with_capacity(27);
    for one in [&a, &b, &c] {
        args.extend(one.view.args());
    }
    args.extend([int(m), int(n), int(k), int(batch), flag(conj_a), flag(conj_b), alpha.arg(), beta.arg()]);
    args.extend([int(slots), Arg::Local(slots * a_bytes), Arg::Local(slots * b_bytes), Arg::Block(&lists)]);
    let local = [call.items, 1, 1];
    gpu.launch(&GENERAL, &call.options, call.kernel, &args, grid([batch.div_ceil(slots), 1, 1], local), local)?;
    Ok(true)
}

/// Copies the matrices side by side, multiplies them as an ordinary batch, and copies the results back.
fn side_by_side(
    gpu: &Gpu,
    alpha: Complex64,
    [(a, conj_a), (b, conj_b)]: [(Scattered<'_>, bool); 2],
    beta: Complex64,
    c: Scattered<'_>,
) -> Result<(), Fault> {
    let (dtype, batch) = (c.view.dtype, c.beginnings.len());
    let kind = format!("{} -DSCATTERED=1", options(gpu, dtype)?);
    let lists = upload(gpu, [&a, &b, &c])?;
    let copied = |one: &Scattered<'_>, operand: usize, packed: &Block, back: bool| {
        // Neighbouring items along what is contiguous; the copy is transposed where that is the rows.
        let view = if one.view.rows_are_inner() { one.view } else { one.view.transposed() };
        let [_, rows, cols] = view.shape();
        let args = [
            Arg::Block(view.block),
            Arg::I64(0),
            Arg::I64(view.row_stride as i64),
            Arg::I64(view.col_stride as i64),
            int(operand),
            Arg::Block(packed),
            int(rows),
            int(cols),
            int(batch),
            flag(back),
            Arg::Block(&lists),
        ];
        let local = [32, 8, 1];
        let groups = [rows.div_ceil(32), cols.div_ceil(8), batch];
        gpu.launch(&GENERAL, &kind, "gather_matrices", &args, grid(groups, local), local)
    };
    let memory = |one: &Scattered<'_>| gpu.alloc((batch * one.view.rows * one.view.cols * dtype.size()).max(1));
    fn packed<'p>(one: &Scattered<'_>, block: &'p Block, batch: usize) -> Result<DeviceView<'p>, Fault> {
        let (dtype, shape) = (one.view.dtype, [batch, one.view.rows, one.view.cols]);
        match one.view.rows_are_inner() {
            true => DeviceView::col_major(block, dtype, shape),
            false => DeviceView::row_major(block, dtype, shape),
        }
    }
    let blocks = [memory(&a)?, memory(&b)?, memory(&c)?];
    copied(&a, 0, &blocks[0], false)?;
    copied(&b, 1, &blocks[1], false)?;
    if beta != Complex64::ZERO {
        copied(&c, 2, &blocks[2], false)?;
    }
    let (x, y, z) = (packed(&a, &blocks[0], batch)?, packed(&b, &blocks[1], batch)?, packed(&c, &blocks[2], batch)?);
    gemm(gpu, alpha, (x, conj_a), (y, conj_b), beta, z)?;
    copied(&c, 2, &blocks[2], true)
}
