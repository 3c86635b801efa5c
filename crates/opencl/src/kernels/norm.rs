//! Norms, and the search for NaN and Inf (`kernels/common/norm.cl`).

use super::{DeviceView, GROUP, TYPES, flag, grid, int, lanes, options, read_reals, real, same_kind};
use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::pool::Block;
use crate::program::Source;

static SOURCE: Source = Source { name: "norm", parts: &[TYPES, include_str!("../../kernels/common/norm.cl")] };

/// Most inner elements of a chunk, and elements of a chunk in all: enough that a chunk's result costs little.
const INNER_CHUNK: usize = 4096;
const CHUNK: usize = 16_384;
/// Terms of a column sum that one group adds up.
const SUM_CHUNK: usize = 4096;

const LOCAL: [usize; 3] = [GROUP, 1, 1];

/// Which norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Root of the sum of squares, scaled so that it neither overflows nor underflows on the way.
    Frobenius,
    /// Largest modulus of an element; not a matrix norm, LAPACK's `'M'`.
    Max,
    /// Largest column sum of moduli.
    One,
    /// Largest row sum of moduli.
    Inf,
}

/// What [`nonfinite`] finds in one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonFiniteElements {
    /// How many elements are NaN or Inf or have a part that is.
    pub count: u64,
    /// Row and column of the first of them in C order.
    pub first: Option<(usize, usize)>,
}

/// The norm of each matrix of a (batch, m, n) view, a block of `batch` reals of the elements' precision, left on the
/// device. 0 for an empty matrix; NaN if an element is. The same matrix in the same layout gives the same bits.
///
/// # Errors
/// `Invalid` for a block of another device, `NoFloat64`, `OutOfMemory`, or what the device refused.
pub fn norm_on_device(gpu: &Gpu, which: Norm, a: DeviceView<'_>) -> Result<Block, Fault> {
    same_kind(gpu, &[&a])?;
    let options = options(gpu, a.dtype)?;
    let result = gpu.alloc((a.batch * real(a.dtype).size()).max(1))?;
    if a.batch == 0 {
        return Ok(result);
    }
    match which {
        Norm::Frobenius => reduce(gpu, options, ["frobenius_partial", "frobenius_finish"], 3, a, &[], &result)?,
        Norm::Max => reduce(gpu, options, ["largest_partial", "largest_finish"], 1, a, &[], &result)?,
        Norm::One => sums(gpu, options, a, &result)?,
        Norm::Inf => sums(gpu, options, a.transposed(), &result)?,
    }
    Ok(result)
}

/// The norm of each matrix, widened to double precision. Waits.
///
/// # Errors
/// As [`norm_on_device`], and what goes wrong while waiting.
pub fn norm(gpu: &Gpu, which: Norm, a: DeviceView<'_>) -> Result<Vec<f64>, Fault> {
    read_reals(gpu, &norm_on_device(gpu, which, a)?, a.dtype, a.batch)
}

/// Counts NaN and Inf in each matrix of a (batch, m, n) view and finds the first. Waits.
///
/// # Errors
/// As [`norm`].
pub fn nonfinite(gpu: &Gpu, a: DeviceView<'_>) -> Result<Vec<NonFiniteElements>, Fault> {
    same_kind(gpu, &[&a])?;
    let options = options(gpu, a.dtype)?;
    let result = gpu.alloc((16 * a.batch).max(1))?;
    let cols = a.cols;
    // The kernel counts in C order of the matrix as it was given, whichever direction it calls the outer one.
    let index = if a.rows_are_inner() { [1, cols as i64] } else { [cols as i64, 1] };
    if a.batch > 0 {
        reduce(gpu, options, ["nonfinite_partial", "nonfinite_finish"], 4, a, &index.map(Arg::I64), &result)?;
    }
    let mut bytes = vec![0; 16 * a.batch];
    gpu.read(&result, 0, &mut bytes)?;
    let long = |bytes: &[u8]| i64::from_ne_bytes(bytes.try_into().expect("8 bytes"));
    let element = |pair: &[u8]| NonFiniteElements {
        count: long(&pair[..8]) as u64,
        first: usize::try_from(long(&pair[8..])).ok().map(|index| (index / cols, index % cols)),
    };
    Ok(bytes.chunks_exact(16).map(element).collect())
}

/// The two stages of a reduction over all elements. A chunk's partial result takes up to `words` 8-byte words.
fn reduce(
    gpu: &Gpu,
    options: &str,
    [partial_kernel, finish_kernel]: [&'static str; 2],
    words: usize,
    a: DeviceView<'_>,
    extra: &[Arg<'_>],
    result: &Block,
) -> Result<(), Fault> {
    let a = if a.rows_are_inner() { a.transposed() } else { a };
    let i_chunk = a.cols.clamp(1, INNER_CHUNK);
    let o_chunk = CHUNK / i_chunk;
    let chunks = a.rows.div_ceil(o_chunk) * a.cols.div_ceil(i_chunk);
    let partial = gpu.alloc((a.batch * chunks * words * 8).max(1))?;
    if chunks > 0 {
        let mut args = Vec::with_capacity(14);
        args.extend(a.args());
        args.extend([int(a.rows), int(a.cols), int(a.batch), int(o_chunk), int(i_chunk)]);
        args.push(int(a.cols.next_power_of_two().min(GROUP)));
        args.extend(extra);
        args.push(Arg::Block(&partial));
        gpu.launch(&SOURCE, options, partial_kernel, &args, grid([chunks, a.batch, 1], LOCAL), LOCAL)?;
    }
    let args = [Arg::Block(&partial), Arg::I64(chunks as i64), int(a.batch), Arg::Block(result)];
    gpu.launch(&SOURCE, options, finish_kernel, &args, grid([a.batch, 1, 1], LOCAL), LOCAL)
}

/// The largest column sum of each matrix.
fn sums(gpu: &Gpu, options: &str, a: DeviceView<'_>, result: &Block) -> Result<(), Fault> {
    let along = a.rows_are_inner();
    let lanes = lanes(a.cols, a.rows, along);
    let chunks = a.rows.div_ceil(SUM_CHUNK);
    let partial = gpu.alloc((a.batch * chunks * a.cols * real(a.dtype).size()).max(1))?;
    if !a.is_empty() {
        let mut args = Vec::with_capacity(12);
        args.extend(a.transposed().args());
        args.extend([int(a.cols), int(a.rows), int(a.batch), int(SUM_CHUNK), int(lanes), flag(along)]);
        args.push(Arg::Block(&partial));
        let groups = [a.cols.div_ceil(GROUP / lanes), chunks, a.batch];
        gpu.launch(&SOURCE, options, "sums_partial", &args, grid(groups, LOCAL), LOCAL)?;
    }
    let args = [Arg::Block(&partial), int(a.cols), int(a.batch), Arg::I64(chunks as i64), Arg::Block(result)];
    gpu.launch(&SOURCE, options, "sums_finish", &args, grid([a.batch, 1, 1], LOCAL), LOCAL)
}
