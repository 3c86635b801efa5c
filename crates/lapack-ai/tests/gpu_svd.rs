//! Singular value decompositions on an OpenCL device over the matrix types and with the ratios of LAPACK's own SVD tests (`DDRVBD`,
//! whose threshold is 30), against LAPACK's values; fall-backs and cancellation.
//!
//! They run on the first GPU, or on PoCL: 200 shapes by default, as many as `LAPACK_AI_SVD_SHAPES` says.

use lapack_ai::cancel::{CancelFlag, cancellable};
use lapack_ai::gpu::array::{DeviceArray, svd_on_device};
use lapack_ai::{
    CallOptions, Code, Device, Engine, Matrix, MatrixView, Real, Scalar, Svd, SvdOptions, Vectors, gpu, svd,
};
use std::time::{Duration, Instant};

/// LAPACK's threshold.
const THRESHOLD: f64 = 30.0;

/// The device that the tests run on; `None` where there is none, after one line that says so.
fn device() -> Option<Device> {
    let devices = gpu::devices();
    let found = devices.iter().find(|device| !device.info.is_cpu).or(devices.first());
    if found.is_none() {
        assert!(std::env::var_os("LAPACK_AI_NO_SKIPS").is_none(), "no OpenCL device, and no test may be skipped");
        println!("skipped: no OpenCL device (Debian: apt install pocl-opencl-icd)");
    }
    found.map(|found| Device::On(found.index))
}

fn on(device: Device, vectors: Vectors) -> SvdOptions {
    SvdOptions { vectors, call: CallOptions { device, timed: true, ..CallOptions::default() } }
}

/// Repeatable numbers.
struct Random(u64);

impl Random {
    /// Uniform in [-1, 1).
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn below(&mut self, extent: usize) -> usize {
        ((self.uniform() + 1.0) / 2.0 * extent as f64) as usize
    }
}

/// What the singular values are like: `DDRVBD`'s zero and identity matrices, and the modes 1 to 6 of `DLATMS`, which it makes its
/// others with; COND = 1 / eps.
const KINDS: [&str; 8] =
    ["zero", "identity", "one large", "one small", "geometric", "arithmetic", "log-random", "random"];
/// 1, and as near to the smallest and the largest numbers as `DDRVBD` goes.
const SCALES: [&str; 3] = ["", " near underflow", " near overflow"];

/// k singular values of a kind.
fn values(kind: &str, k: usize, eps: f64, random: &mut Random) -> Vec<f64> {
    let along = |t: usize| t as f64 / (k.max(2) - 1) as f64;
    let value = |t: usize| match kind {
        "zero" => 0.0,
        "identity" => 1.0,
        "one large" => {
            if t == 0 {
                1.0
            } else {
                eps
            }
        }
        "one small" => {
            if t + 1 == k && k > 1 {
                eps
            } else {
                1.0
            }
        }
        "geometric" => eps.powf(along(t)),
        "arithmetic" => 1.0 - along(t) * (1.0 - eps),
        "log-random" => eps.powf((random.uniform() + 1.0) / 2.0),
        _ => random.uniform().abs(),
    };
    (0..k).map(value).collect()
}

/// diag(values) between two random orthogonal matrices, each a product of four reflectors; row by row.
fn with_values(m: usize, n: usize, values: &[f64], random: &mut Random) -> Vec<f64> {
    let mut a = vec![0.0; m * n];
    values.iter().enumerate().for_each(|(t, value)| a[t * n + t] = *value);
    for _ in 0..4 {
        for (lines, length, along, across) in [(n, m, n, 1), (m, n, 1, n)] {
            let w: Vec<f64> = (0..length).map(|_| random.uniform()).collect();
            let size: f64 = w.iter().map(|x| x * x).sum();
            for line in 0..lines {
                let dot: f64 = (0..length).map(|l| a[line * across + l * along] * w[l]).sum();
                (0..length).for_each(|l| a[line * across + l * along] -= 2.0 * dot / size * w[l]);
            }
        }
    }
    a
}

/// The largest |x^T y - (x = y)| of rows or columns.
fn departure<T: Scalar>(count: usize, length: usize, at: impl Fn(usize, usize) -> T) -> f64 {
    let lines: Vec<Vec<f64>> = (0..count).map(|i| (0..length).map(|l| at(i, l).re_f64()).collect()).collect();
    let mut worst = 0.0_f64;
    for (i, x) in lines.iter().enumerate() {
        for (j, y) in lines.iter().enumerate().take(i + 1) {
            let dot: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
            worst = worst.max((dot - f64::from(u8::from(i == j))).abs());
        }
    }
    worst
}

/// Decomposes a matrix on the device and checks LAPACK's ratios. Returns the largest.
fn accept<T: Scalar>(device: Device, what: &str, a: MatrixView<'_, T>, scale: f64, vectors: Vectors) -> f64 {
    let (m, n) = (a.rows(), a.cols());
    let k = m.min(n);
    let Svd { u, s, vh, report } = svd(a, on(device, vectors)).unwrap();
    assert_eq!(report.engine, Engine::OpenCl, "{what}: {}", report.reason);
    let eps = T::Real::EPSILON;
    let s: Vec<f64> = s.into_iter().map(|x| x.into() / scale).collect();
    assert!(s.iter().all(|x| *x >= 0.0) && s.is_sorted_by(|a, b| a >= b), "{what}: {s:?}");
    let mut ratios = Vec::new();
    // In double precision: a LAPACK that adds thousands of floats one by one is itself hundreds of eps away.
    let exact: Vec<f64> = (0..m * n).map(|at| a.get(at / n, at % n).re_f64() / scale).collect();
    let right = svd(MatrixView::row_major(&exact, m, n).unwrap(), on(Device::Cpu, Vectors::None)).unwrap().s;
    let apart = s.iter().zip(&right).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    let largest = right.first().copied().unwrap_or(0.0);
    ratios.push(("values", if apart == 0.0 { 0.0 } else { apart / (largest * eps * k as f64) }));
    if vectors != Vectors::None {
        ratios.push(("U", departure(u.cols(), m, |j, i| u.view().get(i, j)) / (m as f64 * eps)));
        ratios.push(("V", departure(vh.rows(), n, |i, j| vh.view().get(i, j)) / (n as f64 * eps)));
        let (mut off, mut norm) = (0.0_f64, 0.0_f64);
        for j in 0..n {
            let (mut sum_off, mut sum) = (0.0, 0.0);
            for i in 0..m {
                let element = a.get(i, j).re_f64() / scale;
                let product: f64 =
                    (0..k).map(|t| u.view().get(i, t).re_f64() * s[t] * vh.view().get(t, j).re_f64()).sum();
                sum_off += (product - element).abs();
                sum += element.abs();
            }
            (off, norm) = (off.max(sum_off), norm.max(sum));
        }
        ratios.push(("A - U S V^T", if off == 0.0 { 0.0 } else { off / (norm * m.max(n) as f64 * eps) }));
    }
    for (name, ratio) in &ratios {
        assert!(*ratio < THRESHOLD, "{what}, {vectors:?}: {name} has ratio {ratio:.1}");
    }
    ratios.iter().map(|(_, ratio)| *ratio).fold(0.0, f64::max)
}

/// One matrix of a kind at a scale.
fn one<T: Scalar>(
    device: Device,
    [m, n]: [usize; 2],
    kind: &str,
    scale: &str,
    vectors: Vectors,
    random: &mut Random,
) -> f64 {
    let eps = T::Real::EPSILON;
    let smallest = if T::DTYPE.is_double() { f64::MIN_POSITIVE } else { f64::from(f32::MIN_POSITIVE) };
    let factor = match scale {
        "" => 1.0,
        " near underflow" => smallest / eps,
        _ => eps / smallest,
    };
    let values = values(kind, m.min(n), eps, random);
    let data: Vec<T> = if kind == "zero" || kind == "identity" {
        (0..m * n).map(|at| T::from_real(if at / n == at % n { values[at / n] * factor } else { 0.0 })).collect()
    } else {
        with_values(m, n, &values, random).into_iter().map(|x| T::from_real(x * factor)).collect()
    };
    let a = match random.below(2) {
        0 => MatrixView::row_major(&data, m, n),
        // The transpose, which has the same values.
        _ => MatrixView::col_major(&data, n, m),
    };
    accept(device, &format!("{m} x {n}, {kind}{scale}, {}", T::DTYPE.name()), a.unwrap(), factor, vectors)
}

#[test]
fn lapacks_matrix_types_at_random_shapes_keep_lapacks_ratios() {
    let Some(device) = device() else { return };
    let double = gpu::devices().iter().any(|found| device == Device::On(found.index) && found.info.float64);
    let shapes = std::env::var("LAPACK_AI_SVD_SHAPES").ok().and_then(|text| text.parse().ok()).unwrap_or(200_usize);
    let started = Instant::now();
    let (mut random, mut worst) = (Random(0x2545_F491_4F6C_DD1D), 0.0_f64);
    for turn in 0..shapes {
        // Small ones are as important, and cost less.
        let most = if random.below(3) == 0 { 200 } else { 80 };
        let shape = [1 + random.below(most), 1 + random.below(most)];
        let kind = KINDS[turn % KINDS.len()];
        let scale = SCALES[if random.below(2) == 0 { 0 } else { 1 + random.below(2) }];
        let vectors = [Vectors::Thin, Vectors::Full, Vectors::None][random.below(3)];
        let ratio = match double && random.below(2) == 0 {
            true => one::<f64>(device, shape, kind, scale, vectors, &mut random),
            false => one::<f32>(device, shape, kind, scale, vectors, &mut random),
        };
        worst = worst.max(ratio);
    }
    println!("{shapes} shapes in {:.0} s, largest ratio {worst:.1}", started.elapsed().as_secs_f64());
}

#[test]
fn a_tall_matrix_of_every_kind_keeps_lapacks_ratios() {
    let Some(device) = device() else { return };
    let mut random = Random(88_172_645_463_325_252);
    for kind in KINDS {
        for vectors in [Vectors::Thin, Vectors::None] {
            one::<f32>(device, [8200, 13], kind, "", vectors, &mut random);
            one::<f32>(device, [9, 8300], kind, " near underflow", vectors, &mut random);
        }
    }
}

#[test]
fn a_flag_that_is_raised_ends_a_decomposition_early_and_the_device_goes_on() {
    let Some(device) = device() else { return };
    let n = 700;
    let mut random = Random(7);
    let data: Vec<f32> = (0..n * n).map(|_| random.uniform() as f32).collect();
    let a = MatrixView::row_major(&data, n, n).unwrap();
    // Kernels are built before.
    svd(a, on(device, Vectors::Thin)).unwrap();
    let started = Instant::now();
    svd(a, on(device, Vectors::Thin)).unwrap();
    let whole = started.elapsed();
    let flag = CancelFlag::default();
    let started = Instant::now();
    let outcome = std::thread::scope(|scope| {
        let raised = flag.clone();
        scope.spawn(move || {
            std::thread::sleep(whole / 4);
            raised.raise();
        });
        cancellable(&flag, || svd(a, on(device, Vectors::Thin)))
    });
    assert_eq!(outcome.unwrap_err().code(), Code::Cancelled);
    assert!(started.elapsed() < whole + Duration::from_millis(50), "{:?} of {whole:?}", started.elapsed());
    let x = DeviceArray::from_host(device, &[n, n], &a.into()).unwrap();
    let raised = CancelFlag::default();
    raised.raise();
    let outcome = cancellable(&raised, || svd_on_device(&x, Vectors::Thin, CallOptions::default()));
    assert_eq!(outcome.unwrap_err().code(), Code::Cancelled);
    let small = Matrix::<f32>::zeros(3, 3);
    assert_eq!(svd(small.view(), on(device, Vectors::Thin)).unwrap().report.engine, Engine::OpenCl);
}
