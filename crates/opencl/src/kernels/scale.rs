//! Multiples and sums of matrices (`kernels/common/scale.cl`).

use super::{DeviceView, Factor, TYPES, elementwise, int, invalid, options, same_kind, writable};
use crate::fault::Fault;
use crate::gpu::Gpu;
use crate::program::Source;
use lapack_ai_core::Complex64;

static SOURCE: Source = Source { name: "scale", parts: &[TYPES, include_str!("../../kernels/common/scale.cl")] };

/// `y = alpha x` for (batch, m, n) matrices of any strides; `y` is `x` or does not overlap it. NaN and Inf of `x` spread
/// even for `alpha = 0`. A batch of one `x` is repeated.
///
/// # Errors
/// `Invalid` for shapes or types that differ or a target with a stride of 0, `NoFloat64`, or what the device refused.
pub fn scale(gpu: &Gpu, alpha: Complex64, x: DeviceView<'_>, y: DeviceView<'_>) -> Result<(), Fault> {
    launch(gpu, "scale_matrix", &[alpha], x, y)
}

/// `y = alpha x + beta y` for (batch, m, n) matrices of any strides; `y` is `x` or does not overlap it. As in BLAS,
/// `alpha = 0` does not read `x` and `beta = 0` does not read `y`. A batch of one `x` is repeated.
///
/// # Errors
/// As [`scale`].
pub fn axpby(gpu: &Gpu, alpha: Complex64, x: DeviceView<'_>, beta: Complex64, y: DeviceView<'_>) -> Result<(), Fault> {
    launch(gpu, "axpby_matrix", &[alpha, beta], x, y)
}

fn launch(
    gpu: &Gpu,
    kernel: &'static str,
    factors: &[Complex64],
    x: DeviceView<'_>,
    y: DeviceView<'_>,
) -> Result<(), Fault> {
    same_kind(gpu, &[&y, &x])?;
    writable(&y)?;
    let (mut x, mut y) = (x.repeated(y.batch)?, y);
    if x.shape() != y.shape() {
        return Err(invalid(format!("a sum of shape {:?} from {:?}", y.shape(), x.shape())));
    }
    let options = options(gpu, y.dtype)?;
    if y.is_empty() {
        return Ok(());
    }
    if y.rows_are_inner() {
        (x, y) = (x.transposed(), y.transposed());
    }
    let factors: Vec<Factor> = factors.iter().map(|&factor| Factor::new(factor, y.dtype)).collect();
    let mut args = Vec::with_capacity(15);
    args.extend(x.args());
    args.extend(y.args());
    args.extend([int(y.rows), int(y.cols), int(y.batch)]);
    args.extend(factors.iter().map(Factor::arg));
    let (global, local) = elementwise(&y);
    gpu.launch(&SOURCE, options, kernel, &args, global, local)
}
