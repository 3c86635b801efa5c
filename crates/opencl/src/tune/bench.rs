//! One product on the device: random operands, a reference, times, and the check of a configuration's result.
//!
//! The reference is the general kernel's result as it is built without a table, and sampled elements of it are summed anew at
//! the host. A configuration's result is compared with it in every element, on the device, after C was filled with NaN: what
//! is not written shows. Elements of A and B are below 1/2 in modulus, so that the partial sums of k terms are of the order
//! sqrt(k) / 12 and what rounding adds up to in k random steps is about k eps / 12; wrong is what is more than 50 times that
//! away. A term too many or too few is of the order 1/16, more than that for every k that is measured.

use super::targets::Target;
use crate::fault::{Fault, FaultKind, injected};
use crate::gpu::Gpu;
use crate::kernels::DeviceView;
use crate::kernels::gemm::gemm;
use crate::kernels::gemm_choose::{Wanted, try_out};
use crate::kernels::gemm_config::{Config, Problem};
use crate::kernels::norm::{Norm, norm};
use crate::kernels::scale::{axpby, scale};
use crate::pool::Block;
use crate::staging::Interrupt;
use crate::trace::Trace;
use lapack_ai_core::{Complex64, DType};
use std::time::Instant;

/// Elements of the reference that are summed anew.
const SAMPLES: usize = 24;
/// Seconds of calls, and calls, that make a median.
const ENOUGH: f64 = 3e-3;
const FEWEST: usize = 3;
const MOST: usize = 15;
const ONE: Complex64 = Complex64::new(1.0, 0.0);

/// A product with its operands on the device.
pub(super) struct Bench<'a> {
    gpu: &'a Gpu,
    pub(super) target: Target,
    a: Block,
    b: Block,
    c: Block,
    reference: Block,
}

/// Real number `index` of an operand: uniform in [-1/2, 1/2), rounded to the type's precision.
fn number(seed: u64, index: usize, single: bool) -> f64 {
    let mut x = (index as u64 ^ (seed << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (x >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
    if single { f64::from(value as f32) } else { value }
}

fn element(dtype: DType, seed: u64, index: usize) -> Complex64 {
    let single = !dtype.is_double();
    match dtype.is_complex() {
        false => Complex64::new(number(seed, index, single), 0.0),
        true => Complex64::new(number(seed, 2 * index, single), number(seed, 2 * index + 1, single)),
    }
}

fn eps(dtype: DType) -> f64 {
    if dtype.is_double() { f64::EPSILON } else { f64::from(f32::EPSILON) }
}

/// The largest difference of two right results.
fn bound(dtype: DType, k: usize) -> f64 {
    4.0 * k.max(16) as f64 * eps(dtype)
}

fn fill(
    gpu: &Gpu,
    block: &Block,
    dtype: DType,
    seed: u64,
    elements: usize,
    interrupt: Interrupt<'_>,
) -> Result<(), Fault> {
    let fill = |start: usize, bytes: &mut [u8]| match dtype.is_double() {
        false => {
            for (at, target) in bytes.chunks_exact_mut(4).enumerate() {
                target.copy_from_slice(&(number(seed, start / 4 + at, true) as f32).to_ne_bytes());
            }
        }
        true => {
            for (at, target) in bytes.chunks_exact_mut(8).enumerate() {
                target.copy_from_slice(&number(seed, start / 8 + at, false).to_ne_bytes());
            }
        }
    };
    gpu.upload(block, 0, elements * dtype.size(), &fill, interrupt)
}

impl<'a> Bench<'a> {
    /// Memory for a product, its contents undefined.
    ///
    /// # Errors
    /// `OutOfMemory`, or what else goes wrong on the device.
    pub(super) fn new(gpu: &'a Gpu, target: Target) -> Result<Self, Fault> {
        let [batch, m, n, k] = target.shape;
        let block = |elements: usize| gpu.alloc(elements * target.dtype.size());
        let (a, b) = (block(batch * m * k)?, block(batch * k * n)?);
        let (c, reference) = (block(batch * m * n)?, block(batch * m * n)?);
        Ok(Self { gpu, target, a, b, c, reference })
    }

    /// Fills the operands, and makes and checks the reference.
    ///
    /// # Errors
    /// `WrongResult` if the reference is wrong; `Cancelled`; what else goes wrong on the device.
    pub(super) fn fill(&self, interrupt: Interrupt<'_>) -> Result<(), Fault> {
        let [batch, m, n, k] = self.target.shape;
        fill(self.gpu, &self.a, self.target.dtype, 1, batch * m * k, interrupt)?;
        fill(self.gpu, &self.b, self.target.dtype, 2, batch * k * n, interrupt)?;
        try_out(Wanted::General, || self.multiply(&self.reference)).0?;
        self.check_reference()
    }

    fn multiply(&self, c: &Block) -> Result<(), Fault> {
        let Target { dtype, transposed, shape: [batch, m, n, k] } = self.target;
        let view = |block, transposed: bool, rows, cols| match transposed {
            false => DeviceView::row_major(block, dtype, [batch, rows, cols]),
            true => DeviceView::row_major(block, dtype, [batch, cols, rows]).map(DeviceView::transposed),
        };
        let (a, b) = (view(&self.a, transposed[0], m, k)?, view(&self.b, transposed[1], k, n)?);
        gemm(self.gpu, ONE, (a, false), (b, false), Complex64::ZERO, view(c, false, m, n)?)
    }

    /// All of a result as one matrix.
    fn all<'b>(&self, block: &'b Block) -> Result<DeviceView<'b>, Fault> {
        let [batch, m, n, _] = self.target.shape;
        DeviceView::row_major(block, self.target.dtype, [1, batch * m, n])
    }

    fn check_reference(&self) -> Result<(), Fault> {
        let Target { dtype, transposed, shape: [batch, m, n, k] } = self.target;
        let parts = if dtype.is_complex() { 2 } else { 1 };
        let part = dtype.size() / parts;
        for sample in 0..SAMPLES {
            let pick = |salt: usize, extent: usize| match sample {
                0 => 0,
                1 => extent - 1,
                _ => (sample * 2_654_435_761 + salt * 40_503) % extent,
            };
            let (t, i, j) = (pick(1, batch), pick(2, m), pick(3, n));
            let a = |l| element(dtype, 1, t * m * k + if transposed[0] { l * m + i } else { i * k + l });
            let b = |l| element(dtype, 2, t * k * n + if transposed[1] { j * k + l } else { l * n + j });
            let sum: Complex64 = (0..k).map(|l| a(l) * b(l)).sum();
            let mut bytes = [0; 16];
            let found = &mut bytes[..dtype.size()];
            self.gpu.read(&self.reference, (t * m * n + i * n + j) * dtype.size(), found)?;
            let real = |at: usize| match part {
                4 => f64::from(f32::from_ne_bytes(found[4 * at..4 * at + 4].try_into().expect("4 bytes"))),
                _ => f64::from_ne_bytes(found[8 * at..8 * at + 8].try_into().expect("8 bytes")),
            };
            let found = Complex64::new(real(0), if parts == 2 { real(1) } else { 0.0 });
            // A NaN fails too.
            let right = (found - sum).norm() <= 2.0 * bound(dtype, k);
            if !right {
                let text = format!("the general kernel gives {found} where {sum} is right, for {}", self.target);
                return Err(Fault::new(FaultKind::WrongResult, text));
            }
        }
        Ok(())
    }

    /// Whether a configuration is launched for this product and its result is right.
    ///
    /// # Errors
    /// What goes wrong on the device.
    pub(super) fn is_right(&self, wanted: Wanted) -> Result<bool, Fault> {
        let (c, reference) = (self.all(&self.c)?, self.all(&self.reference)?);
        scale(self.gpu, Complex64::new(f64::NAN, f64::NAN), c, c)?;
        let (done, used) = try_out(wanted, || self.multiply(&self.c));
        done?;
        if let Wanted::One(config) = wanted
            && used.iter().any(|(_, used)| *used != config)
        {
            return Ok(false);
        }
        if injected(FaultKind::WrongResult) {
            // The last element, which no tile but the last one writes.
            let last = (self.target.bytes()[1] / self.target.dtype.size() - 1) * self.target.dtype.size();
            self.gpu.write(&self.c, last, &vec![0x3f; self.target.dtype.size()])?;
        }
        axpby(self.gpu, -ONE, reference, ONE, c)?;
        let difference = norm(self.gpu, Norm::Max, c)?;
        let [.., k] = self.target.shape;
        Ok(difference.iter().all(|difference| *difference <= bound(self.target.dtype, k)))
    }

    /// What is launched.
    ///
    /// # Errors
    /// What goes wrong on the device.
    pub(super) fn used(&self, wanted: Wanted) -> Result<Vec<(Problem, Config)>, Fault> {
        let (done, used) = try_out(wanted, || self.multiply(&self.c));
        done.map(|()| used)
    }

    /// Seconds of one call by the device's clock, copies into other layouts included.
    ///
    /// # Errors
    /// What goes wrong on the device.
    pub(super) fn once(&self, wanted: Wanted) -> Result<f64, Fault> {
        let trace = Trace::default();
        let started = Instant::now();
        try_out(wanted, || trace.enter(|| self.multiply(&self.c))).0?;
        self.gpu.wait_for(&self.c)?;
        let by_host = started.elapsed().as_secs_f64();
        let end = trace.spans().iter().map(|span| span.start + span.seconds).fold(0.0, f64::max);
        Ok(if end > 0.0 { end } else { by_host })
    }

    /// The median of some calls; of one, where it takes longer than `hopeless` seconds.
    ///
    /// # Errors
    /// What goes wrong on the device.
    pub(super) fn seconds(&self, wanted: Wanted, hopeless: f64) -> Result<f64, Fault> {
        let mut all = vec![self.once(wanted)?];
        while all[0] <= hopeless && all.len() < MOST && (all.len() < FEWEST || all.iter().sum::<f64>() < ENOUGH) {
            all.push(self.once(wanted)?);
        }
        Ok(median(&mut all))
    }
}

/// The median; of an even number the lower one.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}
