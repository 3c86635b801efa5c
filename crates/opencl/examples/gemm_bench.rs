//! The matrix product on a device: one JSON line for each case, beside which `bench/gpu_gemm.py` sets cuBLAS.
//!
//! Data on the device, pseudo-random; times are the device's own, the median of several calls, copies into other layouts
//! included. The first line has the time of a kernel that does almost nothing: what every kernel's time has in it. `error` is
//! the largest one of 64 sampled elements of C, in units of k eps times the sum of the terms' moduli, eps that of the sums'
//! type; for 16-bit results and TF32 it shows their own rounding; with `beta` = 1 the product is subtracted from C, and no error is
//! given. The device is the first GPU, or the one whose name the first argument is part of; a second argument takes the cases
//! whose line it is part of; with a third one, `rules`, sizes between those of the tuner are measured, each also with what the
//! rules say, in turns (`by_rule`, in seconds).

use lapack_ai_core::{Complex64, DType, Half};
use lapack_ai_opencl::kernels::gemm_mixed::{HalfProduct, gemm_half, gemm_tf32};
use lapack_ai_opencl::kernels::{DeviceView, Element, gemm::gemm, gemm_alphatensor::gemm_alphatensor, scale::scale};
use lapack_ai_opencl::tune::by_rule;
use lapack_ai_opencl::{Block, Candidate, Gpu, Settings, Span, Trace, candidates, never};

/// What is multiplied; a product has its operands' type.
#[derive(Clone, Copy)]
enum Kind {
    Lapack(DType),
    /// Likewise, by AlphaTensor's scheme, which is for 4 x 4 matrices.
    AlphaTensor(DType),
    Half(Half),
    /// Float matrices, whose elements are rounded to TF32.
    Tf32,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Lapack(dtype) | Kind::AlphaTensor(dtype) => dtype.name(),
            Kind::Half(half) => half.name(),
            Kind::Tf32 => "tf32",
        }
    }

    /// Real numbers of an element.
    fn parts(self) -> usize {
        if matches!(self, Kind::Lapack(dtype) if dtype.is_complex()) { 2 } else { 1 }
    }

    fn is_double(self) -> bool {
        matches!(self, Kind::Lapack(dtype) | Kind::AlphaTensor(dtype) if dtype.is_double())
    }

    fn size(self) -> usize {
        match self {
            Kind::Lapack(dtype) | Kind::AlphaTensor(dtype) => dtype.size(),
            Kind::Half(_) => 2,
            Kind::Tf32 => 4,
        }
    }

    /// The nearest number of the matrices' type, or of its parts'.
    fn rounded(self, x: f64) -> f64 {
        match self {
            Kind::Half(half) => f64::from(half.widen(half.round(x as f32))),
            _ if self.is_double() => x,
            _ => f64::from(x as f32),
        }
    }

    /// Writes the nearest number of the type to `to`.
    fn store(self, x: f64, to: &mut [u8]) {
        match self {
            Kind::Half(half) => to.copy_from_slice(&half.round(x as f32).to_ne_bytes()),
            _ if self.is_double() => to.copy_from_slice(&x.to_ne_bytes()),
            _ => to.copy_from_slice(&(x as f32).to_ne_bytes()),
        }
    }

    fn number(self, bytes: &[u8]) -> f64 {
        match self {
            Kind::Half(half) => f64::from(half.widen(u16::from_ne_bytes([bytes[0], bytes[1]]))),
            _ if self.is_double() => f64::from_ne_bytes(bytes.try_into().expect("8 bytes")),
            _ => f64::from(f32::from_ne_bytes(bytes.try_into().expect("4 bytes"))),
        }
    }
}

#[derive(Clone, Copy)]
struct Case {
    kind: Kind,
    shape: [usize; 4],
    /// Whether A and B are stored transposed; all matrices are row-major.
    transposed: [bool; 2],
    /// C -= A B, the update of a factorisation, not C = A B.
    update: bool,
}

/// Element `index` of the matrix with this seed: uniform in [-0.5, 0.5).
fn element(seed: u64, index: usize) -> f64 {
    let mut x = (index as u64 ^ (seed << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// `count` elements; a complex one is two neighbours of the real sequence.
fn filled(gpu: &Gpu, kind: Kind, seed: u64, count: usize) -> Block {
    if kind.parts() == 2 {
        let real = if kind.is_double() { DType::Float64 } else { DType::Float32 };
        return filled(gpu, Kind::Lapack(real), seed, 2 * count);
    }
    let (size, block) = (kind.size(), gpu.alloc(count * kind.size()).expect("memory for a matrix"));
    let fill = |start: usize, bytes: &mut [u8]| {
        for (at, to) in bytes.chunks_exact_mut(size).enumerate() {
            kind.store(element(seed, start / size + at), to);
        }
    };
    gpu.upload(&block, 0, count * size, &fill, &never).expect("an upload");
    block
}

/// Largest error of some elements of C.
fn error(gpu: &Gpu, case: &Case, c: &Block) -> f64 {
    let [batch, m, n, k] = case.shape;
    let (kind, size) = (case.kind, case.kind.size());
    let eps = if kind.is_double() { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let mut worst: f64 = 0.0;
    for sample in 0..64_usize {
        let pick = |salt: usize, extent: usize| match sample {
            0 => 0,
            1 => extent - 1,
            _ => (sample * 2_654_435_761 + salt * 40_503) % extent,
        };
        let (t, i, j) = (pick(1, batch), pick(2, m), pick(3, n));
        let value = |seed, index: usize| match kind.parts() {
            1 => Complex64::new(kind.rounded(element(seed, index)), 0.0),
            _ => Complex64::new(kind.rounded(element(seed, 2 * index)), kind.rounded(element(seed, 2 * index + 1))),
        };
        let a = |l| value(1, t * m * k + if case.transposed[0] { l * m + i } else { i * k + l });
        let b = |l| value(2, t * k * n + if case.transposed[1] { j * k + l } else { l * n + j });
        let (sum, moduli) = (0..k).fold((Complex64::ZERO, 0.0), |(sum, moduli), l| {
            let term = a(l) * b(l);
            (sum + term, moduli + term.norm())
        });
        let mut bytes = [0; 16];
        gpu.read(c, (t * m * n + i * n + j) * size, &mut bytes[..size]).expect("a download");
        let each = size / kind.parts();
        let part = |at: usize| if at < kind.parts() { kind.number(&bytes[at * each..(at + 1) * each]) } else { 0.0 };
        worst = worst.max((Complex64::new(part(0), part(1)) - sum).norm() / (k as f64 * eps * moduli));
    }
    worst
}

/// A view of (batch, rows, columns), stored as they are or transposed.
fn view<E: Element>(block: &Block, dtype: E, [batch, rows, cols]: [usize; 3], transposed: bool) -> DeviceView<'_, E> {
    match transposed {
        false => DeviceView::row_major(block, dtype, [batch, rows, cols]).expect("a view"),
        true => DeviceView::row_major(block, dtype, [batch, cols, rows]).expect("a view").transposed(),
    }
}

fn run(gpu: &Gpu, case: &Case, line: &str, with_rules: bool) {
    let [batch, m, n, k] = case.shape;
    let kind = case.kind;
    let (a, b) = (filled(gpu, kind, 1, batch * m * k), filled(gpu, kind, 2, batch * k * n));
    let c = match case.update {
        true => filled(gpu, kind, 3, batch * m * n),
        false => gpu.alloc(batch * m * n * kind.size()).expect("memory for a matrix"),
    };
    let (alpha, beta) = if case.update { (-1.0, 1.0) } else { (1.0, 0.0) };
    fn operands<'a, E: Element>(a: &'a Block, b: &'a Block, case: &Case, dtype: E) -> [DeviceView<'a, E>; 2] {
        let [batch, m, n, k] = case.shape;
        [view(a, dtype, [batch, m, k], case.transposed[0]), view(b, dtype, [batch, k, n], case.transposed[1])]
    }
    let product = || match kind {
        Kind::Lapack(dtype) => {
            let [a, b] = operands(&a, &b, case, dtype);
            let [alpha, beta] = [alpha, beta].map(|factor| Complex64::new(factor, 0.0));
            gemm(gpu, alpha, (a, false), (b, false), beta, view(&c, dtype, [batch, m, n], false))
        }
        Kind::AlphaTensor(dtype) => {
            let [a, b] = operands(&a, &b, case, dtype);
            let [alpha, beta] = [alpha, beta].map(|factor| Complex64::new(factor, 0.0));
            gemm_alphatensor(gpu, alpha, a, b, beta, view(&c, dtype, [batch, m, n], false))
        }
        Kind::Half(half) => {
            let [a, b] = operands(&a, &b, case, half);
            gemm_half(gpu, alpha, a, b, beta, HalfProduct::Rounded(view(&c, half, [batch, m, n], false)))
        }
        Kind::Tf32 => {
            let [a, b] = operands(&a, &b, case, DType::Float32);
            gemm_tf32(gpu, alpha, a, b, beta, view(&c, DType::Float32, [batch, m, n], false)).map(|_| ())
        }
    };
    let once = || {
        let trace = Trace::default();
        trace.enter(product).expect("a product");
        gpu.wait_for(&c).expect("an end");
        trace.spans()
    };
    once();
    let flops = if kind.parts() == 2 { 8.0 } else { 2.0 } * (batch * m * n * k) as f64;
    let bytes = (batch * (m * k + k * n + if case.update { 2 } else { 1 } * m * n) * kind.size()) as f64;
    let repeats = ((4e11 / flops) as usize).clamp(5, 25);
    let (mut spans, mut others) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        spans.push(once());
        if with_rules {
            others.push(by_rule(once));
        }
    }
    let names: Vec<&str> = spans[0].iter().map(|span| span.name).collect();
    let median = |all: &[Vec<Span>]| {
        let end = |spans: &Vec<Span>| spans.iter().map(|span| span.start + span.seconds).fold(0.0, f64::max);
        let mut seconds: Vec<f64> = all.iter().map(end).collect();
        seconds.sort_by(f64::total_cmp);
        seconds[all.len() / 2]
    };
    let seconds = median(&spans);
    let rules = if with_rules { format!(", \"by_rule\": {:.4e}", median(&others)) } else { String::new() };
    let error = if case.update { "null".to_string() } else { format!("{:.2e}", error(gpu, case, &c)) };
    println!(
        "{{{line}{rules}, \"kernels\": \"{}\", \"seconds\": {seconds:.4e}, \"tflops\": {:.2}, \"gbs\": {:.0}, \"error\": {error}}}",
        names.join("+"),
        flops / seconds / 1e12,
        bytes / seconds / 1e9,
    );
}

/// Sizes beside those that the tuner measures.
fn between() -> Vec<Case> {
    let mut cases = Vec::new();
    for dtype in [DType::Float64, DType::Float32] {
        let mut add =
            |shape, transposed| cases.push(Case { kind: Kind::Lapack(dtype), shape, transposed, update: false });
        for n in [
            80, 100, 160, 200, 320, 400, 600, 640, 800, 896, 1000, 1200, 1400, 1800, 1920, 2400, 3200, 3600, 5000, 7000,
        ] {
            for transposed in [[false, false], [true, false], [false, true]] {
                add([1, n, n, n], transposed);
            }
        }
        for (m, n, k) in [(3000, 3000, 48), (5000, 5000, 100), (1500, 6000, 200), (6000, 40, 3000), (700, 5000, 90)] {
            add([1, m, n, k], [false, false]);
        }
        for (n, batch) in [(4, 1_500_000), (8, 300_000), (12, 100_000), (24, 50_000), (48, 9_000), (100, 3_000)] {
            add([batch, n, n, n], [false, false]);
        }
    }
    cases
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for dtype in [DType::Float64, DType::Float32] {
        let mut add =
            |shape, transposed| cases.push(Case { kind: Kind::Lapack(dtype), shape, transposed, update: false });
        for n in [512, 1024, 1536, 2048, 4096, 8192, 16384] {
            add([1, n, n, n], [false, false]);
        }
        for n in [1024, 4096] {
            for transposed in [[true, false], [false, true], [true, true]] {
                add([1, n, n, n], transposed);
            }
        }
        for n in [1023, 2047, 4097, 4098] {
            add([1, n, n, n], [false, false]);
        }
        for k in [32, 64, 128] {
            for (m, n) in [(1024, 1024), (4096, 4096), (16384, 16384), (16384, 1024)] {
                add([1, m, n, k], [false, false]);
            }
        }
        add([1, 128, 128, 65536], [false, false]);
        add([1, 16384, 64, 16384], [false, false]);
        for (n, batch) in [(4, 1 << 20), (8, 1 << 19), (16, 1 << 17), (32, 1 << 16), (64, 1 << 14), (128, 1 << 12)] {
            add([batch, n, n, n], [false, false]);
        }
    }
    for dtype in [DType::Float64, DType::Float32] {
        for (transposed, update) in [([false, false], false), ([true, false], false), ([false, false], true)] {
            for kind in [Kind::Lapack(dtype), Kind::AlphaTensor(dtype)] {
                cases.push(Case { kind, shape: [1 << 20, 4, 4, 4], transposed, update });
            }
        }
    }
    // Updates of blocked factorisations.
    for dtype in [DType::Float64, DType::Float32] {
        for k in [32, 64, 128] {
            for (m, n) in [(1024, 1024), (4096, 4096), (16384, 16384), (16384, 1024)] {
                cases.push(Case {
                    kind: Kind::Lapack(dtype),
                    shape: [1, m, n, k],
                    transposed: [false, false],
                    update: true,
                });
            }
        }
    }
    for dtype in [DType::Complex128, DType::Complex64] {
        for n in [1024, 2048, 4096, 8192] {
            cases.push(Case {
                kind: Kind::Lapack(dtype),
                shape: [1, n, n, n],
                transposed: [false, false],
                update: false,
            });
        }
    }
    for kind in [Kind::Half(Half::Float16), Kind::Half(Half::BFloat16), Kind::Tf32] {
        let mut add = |shape, transposed| cases.push(Case { kind, shape, transposed, update: false });
        for n in [1024, 2048, 4096, 8192, 16384] {
            add([1, n, n, n], [false, false]);
        }
        for transposed in [[true, false], [false, true], [true, true]] {
            add([1, 4096, 4096, 4096], transposed);
        }
        for n in [4095, 4100] {
            add([1, n, n, n], [false, false]);
        }
        add([64, 1024, 1024, 128], [false, true]);
    }
    cases
}

/// Seconds of a kernel that does almost nothing.
fn least(gpu: &Gpu) -> f64 {
    let block = gpu.alloc(4).expect("memory for an element");
    let view = DeviceView::row_major(&block, DType::Float32, [1, 1, 1]).expect("a view");
    let mut seconds: Vec<f64> = (0..15)
        .map(|_| {
            let trace = Trace::default();
            trace.enter(|| scale(gpu, Complex64::ZERO, view, view).expect("a kernel"));
            gpu.wait_for(&block).expect("an end");
            trace.spans()[0].seconds
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[7]
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    let only = arguments.next().unwrap_or_default();
    let found = candidates().expect("an OpenCL loader");
    let suits = |one: &&Candidate| !one.info.is_cpu && one.info.name.contains(&wanted);
    let gpu = Gpu::open(found.iter().find(suits).expect("a GPU"), &Settings::default()).expect("the GPU opens");
    println!(
        "{{\"device\": \"{}\", \"driver\": \"{}\", \"empty_seconds\": {:.2e}}}",
        gpu.info().name,
        gpu.info().driver,
        least(&gpu)
    );
    let with_rules = arguments.next().is_some_and(|word| word == "rules");
    for case in if with_rules { between() } else { cases() } {
        let [batch, m, n, k] = case.shape;
        let ops: String = case.transposed.iter().map(|&transposed| if transposed { 'T' } else { 'N' }).collect();
        let name = case.kind.name();
        let line = format!(
            "\"dtype\": \"{name}\", \"ops\": \"{ops}\", \"batch\": {batch}, \"m\": {m}, \"n\": {n}, \"k\": {k}, \"beta\": {}",
            u8::from(case.update)
        );
        if line.contains(&only) {
            run(&gpu, &case, &line, with_rules);
        }
    }
}
