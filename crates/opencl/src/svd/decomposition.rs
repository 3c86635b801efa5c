//! A = U diag(sigma) V^T of a dense real matrix: reduction to bidiagonal form, the SVD of that by divide and conquer, and the
//! reduction's reflectors applied to its vectors. What LAPACK's xGESDD does, with everything of order n^2 on the device.

use super::bidiagonal::{Bidiagonal, bidiagonalise};
use super::divide_conquer::{BidiagonalSvd, bidiagonal_svd};
use super::need::factorises_first;
use super::reflectors::{Side, apply_reflectors};
use super::tall;
use crate::fault::{Fault, FaultKind};
use crate::gpu::Gpu;
use crate::kernels::copy::copy;
use crate::kernels::norm::{Norm, norm};
use crate::kernels::scale::{axpby, scale};
use crate::kernels::{DeviceView, Factor, invalid};
use crate::pool::Block;
use crate::progress::{done, part};
use lapack_ai_core::{Complex64, DType};

/// Which vectors are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// None.
    Neither,
    /// The first min(m, n) of each.
    Thin,
    /// All m and n of them.
    Full,
}

/// The decomposition of an m x n matrix, k = min(m, n); of the matrix's type, column-major without gaps.
#[derive(Debug)]
pub struct Svd {
    /// The k singular values, descending.
    pub sigma: Block,
    /// U, m x k or m x m.
    pub u: Option<Block>,
    /// V (not transposed), n x k or n x n.
    pub v: Option<Block>,
}

/// Largest elements that are decomposed as they are: their squares' sums neither overflow nor lose what matters to underflow, which
/// is what is above eps times the largest.
fn safe(dtype: DType) -> std::ops::Range<f64> {
    if dtype.is_double() { 1e-100..1e100 } else { 1e-6..1e12 }
}

/// Powers of two by whose product a matrix is divided whose largest element is not in the range that is safe: they round nothing.
/// Two of them, since one alone may be beyond the type's range.
pub(super) fn powers(largest: f64, safe: std::ops::Range<f64>) -> Option<[f64; 2]> {
    if largest == 0.0 || safe.contains(&largest) {
        return None;
    }
    let exponent = largest.log2().floor();
    let half = (exponent / 2.0).floor();
    Some([half, exponent - half].map(f64::exp2))
}

/// `x = a` divided by the powers.
pub(super) fn scale_down(gpu: &Gpu, a: DeviceView<'_>, powers: [f64; 2], x: DeviceView<'_>) -> Result<(), Fault> {
    let [first, second] = powers.map(|power| Complex64::new(1.0 / power, 0.0));
    scale(gpu, first, a, x)?;
    scale(gpu, second, x, x)
}

/// Multiplies the n singular values of a matrix that was divided by the powers.
pub(super) fn scale_up(
    gpu: &Gpu,
    sigma: &Block,
    n: usize,
    dtype: DType,
    powers: Option<[f64; 2]>,
) -> Result<(), Fault> {
    let Some(powers) = powers else { return Ok(()) };
    let view = DeviceView::col_major(sigma, dtype, [1, n, 1])?;
    powers.into_iter().try_for_each(|power| scale(gpu, Complex64::new(power, 0.0), view, view))
}

/// Sets the diagonal of `x` to one.
pub(super) fn set_diagonal(gpu: &Gpu, x: DeviceView<'_>) -> Result<(), Fault> {
    let ([_, rows, cols], dtype) = (x.shape(), x.dtype());
    let one = gpu.alloc(dtype.size())?;
    gpu.write(&one, 0, Factor::new(Complex64::new(1.0, 0.0), dtype).bytes())?;
    copy(gpu, DeviceView::new(&one, dtype, 0, [1, rows.min(cols), 1], [0; 3])?, false, x.diagonal())
}

/// The singular value decomposition of the real m x n matrix `a`, of any strides; it is not changed. Waits.
///
/// Errors are those of LAPACK's xGESDD: |A - U diag(sigma) V^T| is at most a small multiple of max(m, n) eps |A|, and so is the
/// error of every singular value and the distance of U and V from orthogonal ones. The same matrix gives the same bits on the same
/// device. Where there are many more rows than columns (or the other way round) the QR factorisation comes first. [`super::need`]
/// says what memory it takes.
///
/// # Errors
/// `NotFinite` if `a` has NaN or Inf; `Invalid` for a complex type or a batch other than 1; else as [`super::bidiagonal_svd`].
pub fn svd(gpu: &Gpu, a: DeviceView<'_>, vectors: Vectors) -> Result<Svd, Fault> {
    let ([batch, rows, cols], dtype) = (a.shape(), a.dtype());
    if batch != 1 || dtype.is_complex() {
        return Err(invalid(format!("the SVD of {batch} matrices of {}", dtype.name())));
    }
    if rows < cols {
        let Svd { sigma, u, v } = svd(gpu, a.transposed(), vectors)?;
        return Ok(Svd { sigma, u: v, v: u });
    }
    let (m, n) = (rows, cols);
    if vectors != Vectors::Full && n > 0 && factorises_first(m, n) {
        return tall::svd(gpu, a, vectors);
    }
    let memory = |count: usize| gpu.alloc((count * dtype.size()).max(1));
    let work = memory(m * n)?;
    let work_view = DeviceView::col_major(&work, dtype, [1, m, n])?;
    let largest = if n == 0 { 0.0 } else { norm(gpu, Norm::Max, a)?[0] };
    if !largest.is_finite() {
        return Err(Fault::new(FaultKind::NotFinite, "the matrix has a NaN or an Inf"));
    }
    let powers = powers(largest, safe(dtype));
    match powers {
        None => copy(gpu, a, false, work_view)?,
        Some(powers) => scale_down(gpu, a, powers, work_view)?,
    }

    // What comes behind the reduction takes a tenth of the time on a GPU.
    let Bidiagonal { d, e, tauq, taup } = part([0.0, 0.9], || bidiagonalise(gpu, work_view))?;
    done(0.9, "singular values of the bidiagonal matrix");
    let BidiagonalSvd { sigma, u, v } = bidiagonal_svd(gpu, &d, &e, n, dtype, vectors != Vectors::Neither)?;
    done(0.95, "vectors");
    scale_up(gpu, &sigma, n, dtype, powers)?;
    let (Some(small), Some(v)) = (u, v) else { return Ok(Svd { sigma, u: None, v: None }) };
    let columns = if vectors == Vectors::Full { m } else { n };
    let u = memory(m * columns)?;
    let u_view = DeviceView::col_major(&u, dtype, [1, m, columns])?;
    axpby(gpu, Complex64::ZERO, u_view, Complex64::ZERO, u_view)?;
    copy(gpu, DeviceView::col_major(&small, dtype, [1, n, n])?, false, u_view.window(0, 0, n, n)?)?;
    drop(small);
    if columns > n {
        // What Q makes of the identity below completes the orthonormal columns.
        set_diagonal(gpu, u_view.window(n, n, columns - n, columns - n)?)?;
    }
    apply_reflectors(gpu, Side::Left, work_view, &tauq, u_view)?;
    apply_reflectors(gpu, Side::Right, work_view, &taup, DeviceView::col_major(&v, dtype, [1, n, n])?)?;
    Ok(Svd { sigma, u: Some(u), v: Some(v) })
}
