//! The matrix product: the general kernels (`kernels/matrix_multiply/gemm.cl`), which run everywhere, and where a device and a
//! shape have a faster one, that (`gemm_variants.rs`).

use super::gemm_choose::{self, Call, GENERAL, Place, note, small};
use super::gemm_complex;
use super::gemm_config::{Problem, SMALL, SMALL_LOCAL};
use super::gemm_variants::{Product, built, launch};
use super::{DeviceView, Element, Factor, flag, grid, int, invalid, options, same_kind, writable};
use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use lapack_ai_core::Complex64;

/// `C = alpha op(A) op(B) + beta C`: `a` is (batch, m, k), `b` (batch, k, n), `c` (batch, m, n) and overlaps neither.
/// Transposes are given as views, conjugations as flags; a batch of 1 of `a` or `b` is repeated.
///
/// As in BLAS: `beta = 0` does not read C, `alpha = 0` does not read A and B, `k = 0` gives `beta C`.
///
/// # Errors
/// `Invalid` for shapes or types that do not fit or a `c` with a stride of 0, `NoFloat64`, or what the device refused.
pub fn gemm(
    gpu: &Gpu,
    alpha: Complex64,
    (a, conj_a): (DeviceView<'_>, bool),
    (b, conj_b): (DeviceView<'_>, bool),
    beta: Complex64,
    c: DeviceView<'_>,
) -> Result<(), Fault> {
    same_kind(gpu, &[&c, &a, &b])?;
    writable(&c)?;
    let (a, b) = (a.repeated(c.batch)?, b.repeated(c.batch)?);
    if a.rows != c.rows || b.cols != c.cols || a.cols != b.rows {
        return Err(invalid(format!("{:?} times {:?} into {:?}", a.shape(), b.shape(), c.shape())));
    }
    let options = options(gpu, c.dtype)?;
    if c.is_empty() {
        return Ok(());
    }
    let (alpha, beta) = (Factor::new(alpha, c.dtype), Factor::new(beta, c.dtype));
    // The kernels store along C's rows: where its columns are contiguous they compute C^T = op(B)^T op(A)^T.
    let ((a, conj_a), (b, conj_b), c) = match c.rows_are_inner() {
        true => ((a, conj_a), (b, conj_b), c),
        false => ((b.transposed(), conj_b), (a.transposed(), conj_a), c.transposed()),
    };
    if !alpha.is_zero() && c.dtype.is_complex() {
        if gemm_complex::launch(gpu, &alpha, (a, conj_a), (b, conj_b), beta.value, c)? {
            return Ok(());
        }
    } else if !alpha.is_zero() && launch(gpu, Product { alpha: &alpha, a, b, beta: &beta, c })? {
        return Ok(());
    }
    general(gpu, options, [(a, conj_a), (b, conj_b)], c, [&alpha, &beta])
}

/// By the kernels that take every type, shape and layout; C's rows are best its inner direction. `options` are the types';
/// the factors have the type of the sums.
pub(super) fn general<E: Element, R: Element>(
    gpu: &Gpu,
    options: &str,
    [(a, conj_a), (b, conj_b)]: [(DeviceView<'_, E>, bool); 2],
    c: DeviceView<'_, R>,
    [alpha, beta]: [&Factor; 2],
) -> Result<(), Fault> {
    let (m, n, k) = (c.rows, c.cols, if alpha.is_zero() { 0 } else { a.cols });
    let mut args = Vec::with_capacity(26);
    args.extend(a.args());
    args.extend(b.args());
    args.extend(c.args());
    args.extend([int(m), int(n), int(k), int(c.batch), flag(conj_a), flag(conj_b), alpha.arg(), beta.arg()]);

    // Where k is not the contiguous direction, the outer index counts as it.
    let place = |stride: isize| Place { along_k: stride != 1, ld: 0, wide: false };
    let problem =
        Problem { dtype: alpha.dtype(), shape: [c.batch, m, n, k], a: place(a.row_stride), b: place(b.col_stride) };
    let (a_bytes, b_bytes) = (m * (k | 1) * alpha.len, k * n * alpha.len);
    if m.max(n).max(k) <= SMALL && a_bytes + b_bytes <= SMALL_LOCAL {
        let (call, slots) = small(gpu, options, problem, a_bytes + b_bytes);
        // A local array may not have zero bytes, which it would have for k = 0.
        args.extend([int(slots), Arg::Local(slots * a_bytes), Arg::Local((slots * b_bytes).max(16))]);
        let groups = [c.batch.div_ceil(slots), 1, 1];
        gpu.launch(&GENERAL, options, call.kernel, &args, grid(groups, [call.items, 1, 1]), [call.items, 1, 1])?;
        note(&call);
        return Ok(());
    }
    let call = gemm_choose::general(gpu, options, problem);
    let groups =
        |call: &Call| grid([m.div_ceil(call.tile[0]) * n.div_ceil(call.tile[1]), 1, c.batch], [call.items, 1, 1]);
    if call.options != options && built(gpu, &call, &args, groups(&call))? {
        return Ok(());
    }
    // Refused, so that this is the plain one.
    let call = gemm_choose::general(gpu, options, problem);
    gpu.launch(call.source, &call.options, call.kernel, &args, groups(&call), [call.items, 1, 1])?;
    note(&call);
    Ok(())
}
