//! Whether a device computed what it was asked to.
//!
//! Drivers, memory and kernels fail in silence at times, so products are checked against their operands on the device:
//!
//! * `sample`: some elements `c_ij` against `sum_l a_il b_lj`, summed anew with compensation. Which calls are checked is
//!   decided by a credit: every call earns 1 % of its time, and a check is made when the credit covers what the last
//!   checks took. The first call on a device is always checked.
//! * `full`: Freivalds' check of every product, `|A (B x) - C x| <= gamma |A| (|B| |x|)` for a random vector x. An element
//!   that is wrong by more than rounding escapes only if x hides it, which for random reals has probability 0.
//!
//! Errors up to `4 (k + n + 8) eps` of the bound count as rounding, and what the operands lose where they are rounded first. Of
//! products of 16-bit matrices samples are checked, with the rounding of the result allowed for; of products by a scheme with fewer
//! multiplications likewise, with the scheme's error bound.
//!
//! Source: Freivalds, Probabilistic machines can use less running time, IFIP Congress 1977.

use lapack_ai_core::{Complex64, DType, Half, Scalar};
use lapack_ai_opencl::kernels::norm::{self, Norm};
use lapack_ai_opencl::kernels::{DeviceView, check, gemm_mixed::HalfProduct};
use lapack_ai_opencl::{Fault, FaultKind, Gpu};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Elements of a sample.
const SAMPLES: usize = 64;
/// Slack over the worst case of rounding.
const SLACK: f64 = 4.0;

/// What a device has earned for checks, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Credit {
    earned: AtomicI64,
    /// What a check took lately.
    cost: AtomicI64,
}

impl Default for Credit {
    fn default() -> Self {
        Self { earned: AtomicI64::new(1), cost: AtomicI64::new(0) }
    }
}

impl Credit {
    /// Whether a check can be paid for now.
    pub(crate) fn allows(&self) -> bool {
        self.earned.load(Ordering::Relaxed) > self.cost.load(Ordering::Relaxed)
    }

    /// Gives enough for the next check.
    pub(crate) fn grant(&self) {
        self.earned.store(1, Ordering::Relaxed);
        self.cost.store(0, Ordering::Relaxed);
    }

    /// Books a call that took `total`, of which `checking` went to checks.
    pub(crate) fn book(&self, total: Duration, checking: Option<Duration>) {
        let nanoseconds = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let mut change = nanoseconds(total) / 100;
        if let Some(checking) = checking {
            let cost = nanoseconds(checking);
            self.cost.store(cost, Ordering::Relaxed);
            change -= cost;
        }
        self.earned.fetch_add(change, Ordering::Relaxed);
    }
}

/// Small numbers that differ from call to call; quality does not matter, being no constant of the program does.
pub(super) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub(super) fn seed() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    now ^ CALLS.fetch_add(1, Ordering::Relaxed).rotate_left(32)
}

/// What rounds beside the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Nothing.
    Sums,
    /// The operands, to TF32: 2^-11 each.
    Tf32,
}

impl Rounding {
    /// Relative error of a product of two operands, with some room for its own rounding.
    fn of_operands(self) -> f64 {
        match self {
            Rounding::Sums => 0.0,
            Rounding::Tf32 => 1.01 / 1024.0,
        }
    }
}

fn eps(dtype: DType) -> f64 {
    match dtype {
        DType::Float32 | DType::Complex64 => f64::from(f32::EPSILON),
        DType::Float64 | DType::Complex128 => f64::EPSILON,
    }
}

/// Whether a difference is more than is allowed; one that is NaN is.
fn exceeds(difference: f64, allowed: f64) -> bool {
    difference.is_nan() || difference > allowed
}

/// Compares some elements of `c = a b`. Returns the time it took.
///
/// # Errors
/// `WrongResult` with the element that differs most.
pub(crate) fn sample(
    gpu: &Gpu,
    a: DeviceView<'_>,
    b: DeviceView<'_>,
    c: DeviceView<'_>,
    rounding: Rounding,
) -> Result<Duration, Fault> {
    let tolerance = SLACK * (a.shape()[2] + 8) as f64 * eps(c.dtype()) + rounding.of_operands();
    compare(
        gpu,
        c.shape(),
        |sample| tolerance * sample.bound,
        |positions| check::check_samples(gpu, Complex64::new(1.0, 0.0), (a, false), (b, false), c, positions),
    )
}

/// Compares some elements of `c = alpha a b` by a scheme whose error bound is `bound (eps / 2) max|a| max|b|`, that of the ordinary
/// product where `bound` is 0. Returns the time it took.
///
/// # Errors
/// As [`sample`].
pub(crate) fn sample_of_scheme(
    gpu: &Gpu,
    alpha: f64,
    a: DeviceView<'_>,
    b: DeviceView<'_>,
    c: DeviceView<'_>,
    bound: f64,
) -> Result<Duration, Fault> {
    let started = Instant::now();
    // NaN stays NaN: nothing can be said of elements to which a scheme has spread it.
    let larger = |x: f64, y: f64| if x >= y || x.is_nan() { x } else { y };
    let largest = |view| norm::norm(gpu, Norm::Max, view).map(|all| all.into_iter().fold(0.0, larger));
    let of_scheme =
        if bound > 0.0 { alpha.abs() * bound * eps(c.dtype()) / 2.0 * largest(a)? * largest(b)? } else { 0.0 };
    let tolerance = SLACK * (a.shape()[2] + 8) as f64 * eps(c.dtype());
    compare(
        gpu,
        c.shape(),
        |sample| of_scheme + tolerance * sample.bound,
        |positions| check::check_samples(gpu, Complex64::new(alpha, 0.0), (a, false), (b, false), c, positions),
    )?;
    Ok(started.elapsed())
}

/// As [`sample`], for the product of 16-bit matrices.
///
/// # Errors
/// As [`sample`].
pub(crate) fn sample_half(
    gpu: &Gpu,
    a: DeviceView<'_, Half>,
    b: DeviceView<'_, Half>,
    c: HalfProduct<'_>,
) -> Result<Duration, Fault> {
    let (shape, rounded) = match c {
        HalfProduct::Rounded(c) => (c.shape(), Some(c.dtype())),
        HalfProduct::Float32(c) => (c.shape(), None),
    };
    let tolerance = SLACK * (a.shape()[2] + 8) as f64 * f64::from(f32::EPSILON);
    let allowed = |sample: &check::Sample| match rounded {
        None => tolerance * sample.bound,
        // What may be above the largest number may be Inf.
        Some(half) if sample.bound >= half.largest() => f64::INFINITY,
        Some(half) => (tolerance + half.epsilon()) * sample.bound + half.smallest_rounding(),
    };
    compare(gpu, shape, allowed, |positions| check::check_samples_half(gpu, a, b, c, positions))
}

/// Compares elements that `samples` computes again at some positions.
fn compare(
    gpu: &Gpu,
    [batch, m, n]: [usize; 3],
    allowed: impl Fn(&check::Sample) -> f64,
    samples: impl FnOnce(&[[usize; 3]]) -> Result<Vec<check::Sample>, Fault>,
) -> Result<Duration, Fault> {
    let started = Instant::now();
    if m * n * batch == 0 {
        return Ok(started.elapsed());
    }
    let mut state = seed();
    let mut below = |extent: usize| (next_random(&mut state) % extent as u64) as usize;
    let positions: Vec<[usize; 3]> = (0..SAMPLES).map(|_| [below(m), below(n), below(batch)]).collect();
    for (sample, [i, j, t]) in samples(&positions)?.iter().zip(&positions) {
        // A bound that is not finite comes from NaN or Inf in the operands, or from overflow: nothing can be said.
        let allowed = allowed(sample);
        if sample.bound.is_finite() && allowed.is_finite() && exceeds(sample.difference, allowed) {
            return Err(wrong(gpu, format!("element ({i}, {j}) of matrix {t} is off by {:.1e}", sample.difference)));
        }
    }
    Ok(started.elapsed())
}

/// Freivalds' check of every matrix of `c = a b`. Returns the time it took.
///
/// # Errors
/// `WrongResult` with the row that differs most.
pub(crate) fn full<T: Scalar>(
    gpu: &Gpu,
    a: DeviceView<'_>,
    b: DeviceView<'_>,
    c: DeviceView<'_>,
    rounding: Rounding,
) -> Result<Duration, Fault> {
    let started = Instant::now();
    let [batch, m, n] = c.shape();
    let k = a.shape()[2];
    if m * n * batch == 0 {
        return Ok(started.elapsed());
    }
    let (dtype, real) = (T::DTYPE, <T::Real as Scalar>::DTYPE);
    let mut state = seed();
    let x: Vec<f64> = (0..n).map(|_| 0.5 + (next_random(&mut state) >> 11) as f64 / (1_u64 << 53) as f64).collect();
    let x_block = gpu.alloc(n * dtype.size())?;
    let bytes: Vec<u8> = x.iter().flat_map(|&x| to_bytes(x, dtype)).collect();
    gpu.write(&x_block, 0, &bytes)?;
    let r_block = gpu.alloc(n * real.size())?;
    let bytes: Vec<u8> = x.iter().flat_map(|&x| to_bytes(x, real)).collect();
    gpu.write(&r_block, 0, &bytes)?;
    let (x, r) =
        (DeviceView::col_major(&x_block, dtype, [1, n, 1])?, DeviceView::col_major(&r_block, real, [1, n, 1])?);

    let [bx, abx, cx] = [k, m, m].map(|length| gpu.alloc((batch * length * dtype.size()).max(1)));
    let [bound_k, bound_m] = [k, m].map(|length| gpu.alloc((batch * length * real.size()).max(1)));
    let (bx, abx, cx, bound_k, bound_m) = (bx?, abx?, cx?, bound_k?, bound_m?);
    let vector = |block, dtype, length| DeviceView::col_major(block, dtype, [batch, length, 1]);
    check::matvec(gpu, (b, false), x, vector(&bx, dtype, k)?)?;
    check::matvec(gpu, (a, false), vector(&bx, dtype, k)?, vector(&abx, dtype, m)?)?;
    check::matvec(gpu, (c, false), x, vector(&cx, dtype, m)?)?;
    check::matvec_abs(gpu, b, r, vector(&bound_k, real, k)?)?;
    check::matvec_abs(gpu, a, vector(&bound_k, real, k)?, vector(&bound_m, real, m)?)?;
    let read = |block, count: usize, dtype: DType| {
        let mut bytes = vec![0; count * dtype.size()];
        gpu.read(block, 0, &mut bytes)?;
        Ok::<_, Fault>(from_bytes(&bytes, dtype))
    };
    let parts = if dtype.is_complex() { 2 } else { 1 };
    let (abx, cx) = (read(&abx, batch * m, dtype)?, read(&cx, batch * m, dtype)?);
    let bound = read(&bound_m, batch * m, real)?;
    let tolerance = SLACK * (k + n + 8) as f64 * eps(dtype) + rounding.of_operands();
    for (index, bound) in bound.iter().enumerate() {
        let difference = (0..parts).map(|part| (abx[index * parts + part] - cx[index * parts + part]).abs());
        let difference = difference.fold(0.0, |worst: f64, d| if d.is_nan() { d } else { worst.max(d) });
        if bound.is_finite() && exceeds(difference, tolerance * bound) {
            let (matrix, row) = (index / m, index % m);
            return Err(wrong(gpu, format!("row {row} of matrix {matrix} is off by {difference:.1e}")));
        }
    }
    Ok(started.elapsed())
}

fn wrong(gpu: &Gpu, what: String) -> Fault {
    Fault::new(FaultKind::WrongResult, format!("{} gave a wrong product: {what}", gpu.info().name))
}

fn to_bytes(x: f64, dtype: DType) -> Vec<u8> {
    match dtype {
        DType::Float32 => (x as f32).to_ne_bytes().to_vec(),
        DType::Float64 => x.to_ne_bytes().to_vec(),
        DType::Complex64 => [x as f32, 0.0].iter().flat_map(|x| x.to_ne_bytes()).collect(),
        DType::Complex128 => [x, 0.0].iter().flat_map(|x| x.to_ne_bytes()).collect(),
    }
}

/// All parts, real and imaginary, as numbers.
fn from_bytes(bytes: &[u8], dtype: DType) -> Vec<f64> {
    match dtype {
        DType::Float32 | DType::Complex64 => {
            bytes.chunks_exact(4).map(|b| f64::from(f32::from_ne_bytes(b.try_into().expect("4 bytes")))).collect()
        }
        DType::Float64 | DType::Complex128 => {
            bytes.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().expect("8 bytes"))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_call_is_checked_and_later_ones_when_a_hundredth_of_the_time_pays_for_it() {
        let credit = Credit::default();
        assert!(credit.allows());
        credit.book(Duration::from_millis(1), Some(Duration::from_micros(50)));
        let mut checks = 0;
        for _ in 0..1000 {
            let check = credit.allows().then_some(Duration::from_micros(50));
            checks += usize::from(check.is_some());
            credit.book(Duration::from_millis(1), check);
        }
        // 1000 calls of 1 ms earn 10 ms, which pays for 200 checks of 50 us.
        assert!((190..=200).contains(&checks), "{checks} checks");
    }
}
