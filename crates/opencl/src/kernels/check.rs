//! Checks of products (`kernels/common/check.cl`).

use super::gemm_mixed::{HalfProduct, stored};
use super::{
    DeviceView, Element, Factor, GROUP, TYPES, flag, grid, int, invalid, lanes, options, read_reals, real, same_kind,
    writable,
};
use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::program::Source;
use lapack_ai_core::{Complex64, DType, Half};

static SOURCE: Source = Source {
    name: "check",
    parts: &[TYPES, include_str!("../../kernels/common/stored.cl"), include_str!("../../kernels/common/check.cl")],
};

/// Work-items of a sample's group.
const SAMPLE_GROUP: usize = 64;
const LOCAL: [usize; 3] = [GROUP, 1, 1];

/// One element of a product, computed again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// `|c_ij - alpha sum_l a_il b_lj|`.
    pub difference: f64,
    /// `|alpha| sum_l |a_il| |b_lj|`; a correct product keeps `difference <= (k + 8) eps bound`.
    pub bound: f64,
}

/// Computes elements of `C = alpha op(A) op(B)` again, with a sum that is compensated, and compares. `a` is (batch, m, k),
/// `b` (batch, k, n), `c` (batch, m, n); transposes are given as views, conjugations as flags; a batch of 1 of `a` or `b`
/// is repeated. `positions` are (row, column, matrix). Waits.
///
/// Data must be finite and products must not overflow: what is not finite in a sample says nothing.
///
/// # Errors
/// `Invalid` for shapes or types that do not fit or a position outside of `c`, `NoFloat64`, `OutOfMemory`, or what the
/// device refused.
pub fn check_samples(
    gpu: &Gpu,
    alpha: Complex64,
    (a, conj_a): (DeviceView<'_>, bool),
    (b, conj_b): (DeviceView<'_>, bool),
    c: DeviceView<'_>,
    positions: &[[usize; 3]],
) -> Result<Vec<Sample>, Fault> {
    same_kind(gpu, &[&c, &a, &b])?;
    let options = options(gpu, c.dtype)?;
    samples(gpu, options, c.dtype, alpha, [(a, conj_a), (b, conj_b)], c, positions)
}

/// As [`check_samples`] for the product of 16-bit matrices. The differences have the rounding of a 16-bit result in them.
///
/// # Errors
/// As [`check_samples`].
pub fn check_samples_half(
    gpu: &Gpu,
    a: DeviceView<'_, Half>,
    b: DeviceView<'_, Half>,
    c: HalfProduct<'_>,
    positions: &[[usize; 3]],
) -> Result<Vec<Sample>, Fault> {
    same_kind(gpu, &[&a, &b])?;
    let (sums, one, operands) = (DType::Float32, Complex64::new(1.0, 0.0), [(a, false), (b, false)]);
    match c {
        HalfProduct::Rounded(c) => {
            same_kind(gpu, &[&a, &c])?;
            samples(gpu, &stored(a.dtype, true), sums, one, operands, c, positions)
        }
        HalfProduct::Float32(c) => {
            same_kind(gpu, &[&c])?;
            samples(gpu, &stored(a.dtype, false), sums, one, operands, c, positions)
        }
    }
}

fn samples<E: Element, R: Element>(
    gpu: &Gpu,
    options: &str,
    sums: DType,
    alpha: Complex64,
    [(a, conj_a), (b, conj_b)]: [(DeviceView<'_, E>, bool); 2],
    c: DeviceView<'_, R>,
    positions: &[[usize; 3]],
) -> Result<Vec<Sample>, Fault> {
    let (a, b) = (a.repeated(c.batch)?, b.repeated(c.batch)?);
    if a.rows != c.rows || b.cols != c.cols || a.cols != b.rows {
        return Err(invalid(format!("{:?} times {:?} checked against {:?}", a.shape(), b.shape(), c.shape())));
    }
    let inside = |&&[i, j, t]: &&[usize; 3]| i < c.rows && j < c.cols && t < c.batch;
    if let Some(outside) = positions.iter().find(|position| !inside(position)) {
        return Err(invalid(format!("sample (row, column, matrix) {outside:?} of a result {:?}", c.shape())));
    }
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let samples = i32::try_from(positions.len()).map_err(|_| invalid(format!("{} samples", positions.len())))?;
    let bytes: Vec<u8> = positions.iter().flatten().flat_map(|&at| (at as i32).to_ne_bytes()).collect();
    let at = gpu.alloc(bytes.len())?;
    gpu.write(&at, 0, &bytes)?;
    let result = gpu.alloc(2 * positions.len() * real(sums).size())?;
    let alpha = Factor::new(alpha, sums);
    let mut args = Vec::with_capacity(22);
    args.extend(a.args());
    args.extend(b.args());
    args.extend(c.args());
    args.extend([int(a.cols), flag(conj_a), flag(conj_b), alpha.arg()]);
    args.extend([Arg::Block(&at), Arg::I32(samples), Arg::Block(&result)]);
    let local = [SAMPLE_GROUP, 1, 1];
    gpu.launch(&SOURCE, options, "check_samples", &args, grid([positions.len(), 1, 1], local), local)?;
    let values = read_reals(gpu, &result, sums, 2 * positions.len())?;
    Ok(values.chunks_exact(2).map(|pair| Sample { difference: pair[0], bound: pair[1] }).collect())
}

/// `y = op(A) x`, op the complex conjugation if `conj_a`: `a` is (batch, m, k), `x` (batch, k, 1), `y` (batch, m, 1) and
/// overlaps neither. For a transpose, give `a.transposed()`. A batch of 1 of `a` or `x` is repeated.
///
/// # Errors
/// `Invalid` for shapes or types that do not fit, `NoFloat64`, or what the device refused.
pub fn matvec(
    gpu: &Gpu,
    (a, conj_a): (DeviceView<'_>, bool),
    x: DeviceView<'_>,
    y: DeviceView<'_>,
) -> Result<(), Fault> {
    same_kind(gpu, &[&y, &a, &x])?;
    launch(gpu, "matvec", a, Some(conj_a), x, y)
}

/// `y = |A| x`, with the moduli of `a` (batch, m, k), for `x` (batch, k, 1) without negative elements and `y` (batch, m, 1),
/// both real and of `a`'s precision. Bounds what rounding can do in [`matvec`]. A batch of 1 of `a` or `x` is repeated.
///
/// # Errors
/// As [`matvec`].
pub fn matvec_abs(gpu: &Gpu, a: DeviceView<'_>, x: DeviceView<'_>, y: DeviceView<'_>) -> Result<(), Fault> {
    same_kind(gpu, &[&y, &x])?;
    same_kind(gpu, &[&a])?;
    if y.dtype != real(a.dtype) {
        return Err(invalid(format!("moduli of {} in vectors of {}", a.dtype.name(), y.dtype.name())));
    }
    launch(gpu, "matvec_abs", a, None, x, y)
}

fn launch(
    gpu: &Gpu,
    kernel: &'static str,
    a: DeviceView<'_>,
    conj_a: Option<bool>,
    x: DeviceView<'_>,
    y: DeviceView<'_>,
) -> Result<(), Fault> {
    writable(&y)?;
    let (a, x) = (a.repeated(y.batch)?, x.repeated(y.batch)?);
    if x.cols != 1 || y.cols != 1 || a.rows != y.rows || a.cols != x.rows {
        return Err(invalid(format!("{:?} times {:?} into {:?}", a.shape(), x.shape(), y.shape())));
    }
    let options = options(gpu, a.dtype)?;
    if y.is_empty() {
        return Ok(());
    }
    let along = !a.rows_are_inner();
    let lanes = lanes(a.rows, a.cols, along);
    let vector = |v: &DeviceView<'_>| [Arg::I64(v.offset as i64), Arg::I64(v.row_stride as i64)];
    let mut args = Vec::with_capacity(19);
    args.extend(a.args());
    args.push(Arg::Block(x.block));
    args.extend(vector(&x));
    args.extend([Arg::I64(x.batch_stride as i64), Arg::Block(y.block)]);
    args.extend(vector(&y));
    args.push(Arg::I64(y.batch_stride as i64));
    args.extend([int(a.rows), int(a.cols), int(y.batch)]);
    args.extend(conj_a.map(flag));
    args.extend([int(lanes), flag(along)]);
    let groups = [a.rows.div_ceil(GROUP / lanes), y.batch, 1];
    gpu.launch(&SOURCE, options, kernel, &args, grid(groups, LOCAL), LOCAL)
}
