//! A product that is on a device, in any of the types that there are kernels for: its computation and its check.

use super::verify::{self, Rounding};
use crate::config::config;
use crate::ops::{CallOptions, Precision};
use crate::report::Report;
use lapack_ai_core::{Complex32, Complex64, DType, Half};
use lapack_ai_opencl::kernels::gemm_mixed::{HalfProduct, gemm_half, gemm_tf32, has_matrix_units};
use lapack_ai_opencl::kernels::{DeviceView, gemm::gemm};
use lapack_ai_opencl::{Fault, Gpu};
use std::time::Duration;

/// A, B and C = A B.
#[derive(Clone, Copy)]
pub(crate) enum Triple<'a> {
    /// In one of LAPACK's types; `tf32`: float operands may be rounded to TF32.
    Lapack { a: DeviceView<'a>, b: DeviceView<'a>, c: DeviceView<'a>, tf32: bool },
    /// Of 16-bit operands.
    Half { a: DeviceView<'a, Half>, b: DeviceView<'a, Half>, c: HalfProduct<'a> },
}

impl Triple<'_> {
    /// Launches `C = alpha A B + beta C`.
    pub(crate) fn multiply(&self, gpu: &Gpu, alpha: f64, beta: f64) -> Result<(), Fault> {
        let number = |x| Complex64::new(x, 0.0);
        match *self {
            Triple::Lapack { a, b, c, tf32: true } => gemm_tf32(gpu, alpha, a, b, beta, c).map(|_| ()),
            Triple::Lapack { a, b, c, .. } => gemm(gpu, number(alpha), (a, false), (b, false), number(beta), c),
            Triple::Half { a, b, c } => gemm_half(gpu, alpha, a, b, beta, c),
        }
    }

    /// Checks C: some elements, or with `full` all of it; there is no check of all of a product of 16-bit operands, so that
    /// some elements are checked then too. Returns the time it took.
    pub(crate) fn check(&self, gpu: &Gpu, full: bool) -> Result<Duration, Fault> {
        match *self {
            Triple::Half { a, b, c } => verify::sample_half(gpu, a, b, c),
            Triple::Lapack { a, b, c, tf32 } => {
                let rounding = if tf32 { Rounding::Tf32 } else { Rounding::Sums };
                if !full {
                    return verify::sample(gpu, a, b, c, rounding);
                }
                match c.dtype() {
                    DType::Float32 => verify::full::<f32>(gpu, a, b, c, rounding),
                    DType::Float64 => verify::full::<f64>(gpu, a, b, c, rounding),
                    DType::Complex64 => verify::full::<Complex32>(gpu, a, b, c, rounding),
                    DType::Complex128 => verify::full::<Complex64>(gpu, a, b, c, rounding),
                }
            }
        }
    }

    /// The same of matrices `first` to `first + count - 1` of C's batch.
    pub(crate) fn run(self, first: usize, count: usize) -> Result<Self, Fault> {
        Ok(match self {
            Triple::Lapack { a, b, c, tf32 } => {
                Triple::Lapack { a: a.run(first, count)?, b: b.run(first, count)?, c: c.run(first, count)?, tf32 }
            }
            Triple::Half { a, b, c } => {
                let c = match c {
                    HalfProduct::Rounded(c) => HalfProduct::Rounded(c.run(first, count)?),
                    HalfProduct::Float32(c) => HalfProduct::Float32(c.run(first, count)?),
                };
                Triple::Half { a: a.run(first, count)?, b: b.run(first, count)?, c }
            }
        })
    }
}

/// Whether TF32 is wanted for operands of this type.
pub(crate) fn wanted(options: CallOptions, dtype: DType) -> bool {
    let setting = || config().map_or(Precision::Full, |config| config.gpu_precision);
    dtype == DType::Float32 && options.precision.unwrap_or_else(setting) == Precision::Tf32
}

/// Whether a product is computed in TF32, noted in the report.
pub(crate) fn in_tf32(gpu: &Gpu, options: CallOptions, dtype: DType, report: &mut Report) -> bool {
    if !wanted(options, dtype) {
        return false;
    }
    let has = has_matrix_units(gpu);
    let note = match has {
        true => "in TF32".to_string(),
        false => format!("not in TF32, which {} does not have", gpu.info().name),
    };
    report.reason = format!("{}; {note}", report.reason).into();
    has
}

/// Notes in the report of a product by the CPU that TF32, if the call asked for it, is nothing that it has.
pub(crate) fn note_cpu(options: CallOptions, dtype: DType, report: &mut Report) {
    if options.precision == Some(Precision::Tf32) && wanted(options, dtype) {
        report.reason = format!("{}; not in TF32, which the CPU does not have", report.reason).into();
    }
}
