//! The matrix product on a device: one JSON line for each case, beside which `bench/gpu_gemm.py` sets cuBLAS.
//!
//! Data on the device, pseudo-random; times are the device's own, the median of several calls, copies into other layouts
//! included. The first line has the time of a kernel that does almost nothing: what every kernel's time has in it. `error` is
//! the largest one of 64 sampled elements of C, in units of k eps times the sum of the terms' moduli; with `beta` = 1 the product
//! is subtracted from C, and no error is given. Products with `alphatensor` are by that scheme, beside the ordinary one. The
//! device is the first GPU, or the one whose name the first argument is part of; a second argument takes the cases whose line
//! it is part of; with a third one, `rules`, sizes between those of the tuner are measured, each also with what the rules say,
//! in turns (`by_rule`, in seconds).

use lapack_ai_core::{Complex64, DType};
use lapack_ai_opencl::kernels::{DeviceView, gemm::gemm, gemm_alphatensor::gemm_alphatensor, scale::scale};
use lapack_ai_opencl::tune::by_rule;
use lapack_ai_opencl::{Block, Candidate, Gpu, Settings, Span, Trace, candidates};

#[derive(Clone, Copy)]
struct Case {
    dtype: DType,
    shape: [usize; 4],
    /// Whether A and B are stored transposed; all matrices are row-major.
    transposed: [bool; 2],
    /// C -= A B, the update of a factorisation, not C = A B.
    update: bool,
    /// By AlphaTensor's scheme, which takes 4 x 4 matrices.
    alphatensor: bool,
}

impl Case {
    /// C = A B, nothing transposed.
    fn new(dtype: DType, shape: [usize; 4]) -> Self {
        Self { dtype, shape, transposed: [false; 2], update: false, alphatensor: false }
    }
}

/// Element `index` of the matrix with this seed: uniform in [-0.5, 0.5).
fn element(seed: u64, index: usize) -> f64 {
    let mut x = (index as u64 ^ (seed << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// `count` elements; a complex one is two neighbours of the real sequence.
fn filled(gpu: &Gpu, dtype: DType, seed: u64, count: usize) -> Block {
    if dtype.is_complex() {
        let real = if dtype.is_double() { DType::Float64 } else { DType::Float32 };
        return filled(gpu, real, seed, 2 * count);
    }
    let block = gpu.alloc(count * dtype.size()).expect("memory for a matrix");
    const PART: usize = 1 << 24;
    for first in (0..count).step_by(PART) {
        let range = first..count.min(first + PART);
        let bytes: Vec<u8> = match dtype {
            DType::Float32 => range.flat_map(|i| (element(seed, i) as f32).to_ne_bytes()).collect(),
            _ => range.flat_map(|i| element(seed, i).to_ne_bytes()).collect(),
        };
        gpu.write(&block, first * dtype.size(), &bytes).expect("an upload");
    }
    block
}

/// Largest error of some elements of C.
fn error(gpu: &Gpu, case: &Case, c: &Block) -> f64 {
    let [batch, m, n, k] = case.shape;
    let size = case.dtype.size();
    let single = !case.dtype.is_double();
    let eps = if single { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let mut worst: f64 = 0.0;
    for sample in 0..64_usize {
        let pick = |salt: usize, extent: usize| match sample {
            0 => 0,
            1 => extent - 1,
            _ => (sample * 2_654_435_761 + salt * 40_503) % extent,
        };
        let (t, i, j) = (pick(1, batch), pick(2, m), pick(3, n));
        let value = |seed, index: usize| {
            let rounded = |x: f64| if single { f64::from(x as f32) } else { x };
            match case.dtype.is_complex() {
                false => Complex64::new(rounded(element(seed, index)), 0.0),
                true => Complex64::new(rounded(element(seed, 2 * index)), rounded(element(seed, 2 * index + 1))),
            }
        };
        let a = |l| value(1, t * m * k + if case.transposed[0] { l * m + i } else { i * k + l });
        let b = |l| value(2, t * k * n + if case.transposed[1] { j * k + l } else { l * n + j });
        let (sum, moduli) = (0..k).fold((Complex64::ZERO, 0.0), |(sum, moduli), l| {
            let term = a(l) * b(l);
            (sum + term, moduli + term.norm())
        });
        let mut bytes = [0; 16];
        gpu.read(c, (t * m * n + i * n + j) * size, &mut bytes[..size]).expect("a download");
        let part = |at: usize| match single {
            true => f64::from(f32::from_ne_bytes(bytes[4 * at..4 * at + 4].try_into().expect("4 bytes"))),
            false => f64::from_ne_bytes(bytes[8 * at..8 * at + 8].try_into().expect("8 bytes")),
        };
        let found = Complex64::new(part(0), if case.dtype.is_complex() { part(1) } else { 0.0 });
        worst = worst.max((found - sum).norm() / (k as f64 * eps * moduli));
    }
    worst
}

fn run(gpu: &Gpu, case: &Case, line: &str, with_rules: bool) {
    let [batch, m, n, k] = case.shape;
    let Case { dtype, transposed, .. } = *case;
    let (a, b) = (filled(gpu, dtype, 1, batch * m * k), filled(gpu, dtype, 2, batch * k * n));
    let c = match case.update {
        true => filled(gpu, dtype, 3, batch * m * n),
        false => gpu.alloc(batch * m * n * dtype.size()).expect("memory for a matrix"),
    };
    let view = |block, transposed: bool, rows, cols| match transposed {
        false => DeviceView::row_major(block, dtype, [batch, rows, cols]).expect("a view"),
        true => DeviceView::row_major(block, dtype, [batch, cols, rows]).expect("a view").transposed(),
    };
    let one = Complex64::new(1.0, 0.0);
    let (alpha, beta) = if case.update { (-one, one) } else { (one, Complex64::ZERO) };
    let once = || {
        let trace = Trace::default();
        let factors = ((view(&a, transposed[0], m, k), false), (view(&b, transposed[1], k, n), false));
        let target = view(&c, false, m, n);
        trace.enter(|| match case.alphatensor {
            true => gemm_alphatensor(gpu, alpha, factors.0.0, factors.1.0, beta, target).expect("a product"),
            false => gemm(gpu, alpha, factors.0, factors.1, beta, target).expect("a product"),
        });
        gpu.wait_for(&c).expect("an end");
        trace.spans()
    };
    once();
    let flops = if dtype.is_complex() { 8.0 } else { 2.0 } * (batch * m * n * k) as f64;
    let bytes = (batch * (m * k + k * n + if case.update { 2 } else { 1 } * m * n) * dtype.size()) as f64;
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
        let mut add = |shape, transposed| cases.push(Case { transposed, ..Case::new(dtype, shape) });
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
        let mut add = |shape, transposed| cases.push(Case { transposed, ..Case::new(dtype, shape) });
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
        for (transposed, update) in [([false; 2], false), ([true, false], false), ([false; 2], true)] {
            for alphatensor in [false, true] {
                cases.push(Case { transposed, update, alphatensor, ..Case::new(dtype, [1 << 20, 4, 4, 4]) });
            }
        }
    }
    // Updates of blocked factorisations.
    for dtype in [DType::Float64, DType::Float32] {
        for k in [32, 64, 128] {
            for (m, n) in [(1024, 1024), (4096, 4096), (16384, 16384), (16384, 1024)] {
                cases.push(Case { update: true, ..Case::new(dtype, [1, m, n, k]) });
            }
        }
    }
    for dtype in [DType::Complex128, DType::Complex64] {
        for n in [1024, 2048, 4096, 8192] {
            cases.push(Case::new(dtype, [1, n, n, n]));
        }
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
        let name = case.dtype.name();
        let line = format!(
            "\"dtype\": \"{name}\", \"ops\": \"{ops}\", \"batch\": {batch}, \"m\": {m}, \"n\": {n}, \"k\": {k}, \"beta\": {}, \
             \"alphatensor\": {}",
            u8::from(case.update),
            case.alphatensor
        );
        if line.contains(&only) {
            run(&gpu, &case, &line, with_rules);
        }
    }
}
