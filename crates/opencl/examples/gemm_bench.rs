//! The matrix product on a device: one JSON line for each case, beside which `bench/gpu_gemm.py` sets cuBLAS.
//!
//! Data on the device, pseudo-random; times are the device's own, the median of several calls, copies into other layouts
//! included. `error` is the largest one of 64 sampled elements of C, in units of k eps times the sum of the terms' moduli, eps
//! that of the sums' type; for 16-bit results and TF32 it shows their own rounding. The device is the first GPU, or the one whose name the first argument is part of; a second argument takes the cases whose line
//! it is part of.

use lapack_ai_core::{Complex64, DType, Half};
use lapack_ai_opencl::kernels::gemm_mixed::{HalfProduct, gemm_half, gemm_tf32};
use lapack_ai_opencl::kernels::{DeviceView, Element, gemm::gemm};
use lapack_ai_opencl::{Block, Candidate, Gpu, Settings, Trace, candidates};

/// What is multiplied; a product has its operands' type.
#[derive(Clone, Copy)]
enum Kind {
    Lapack(DType),
    Half(Half),
    /// Float matrices, whose elements are rounded to TF32.
    Tf32,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Lapack(dtype) => dtype.name(),
            Kind::Half(half) => half.name(),
            Kind::Tf32 => "tf32",
        }
    }

    fn size(self) -> usize {
        match self {
            Kind::Lapack(dtype) => dtype.size(),
            Kind::Half(_) => 2,
            Kind::Tf32 => 4,
        }
    }

    /// The nearest number of the matrices' type.
    fn rounded(self, x: f64) -> f64 {
        match self {
            Kind::Half(half) => f64::from(half.widen(half.round(x as f32))),
            Kind::Lapack(DType::Float64) => x,
            _ => f64::from(x as f32),
        }
    }

    fn bytes(self, x: f64) -> Vec<u8> {
        match self {
            Kind::Half(half) => half.round(x as f32).to_ne_bytes().to_vec(),
            Kind::Lapack(DType::Float64) => x.to_ne_bytes().to_vec(),
            _ => (x as f32).to_ne_bytes().to_vec(),
        }
    }

    fn number(self, bytes: &[u8]) -> f64 {
        match self {
            Kind::Half(half) => f64::from(half.widen(u16::from_ne_bytes([bytes[0], bytes[1]]))),
            Kind::Lapack(DType::Float64) => f64::from_ne_bytes(bytes.try_into().expect("8 bytes")),
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
}

/// Element `index` of the matrix with this seed: uniform in [-0.5, 0.5).
fn element(seed: u64, index: usize) -> f64 {
    let mut x = (index as u64 ^ (seed << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

fn filled(gpu: &Gpu, kind: Kind, seed: u64, count: usize) -> Block {
    let block = gpu.alloc(count * kind.size()).expect("memory for a matrix");
    const PART: usize = 1 << 24;
    for first in (0..count).step_by(PART) {
        let range = first..count.min(first + PART);
        let bytes: Vec<u8> = range.flat_map(|i| kind.bytes(element(seed, i))).collect();
        gpu.write(&block, first * kind.size(), &bytes).expect("an upload");
    }
    block
}

/// Largest error of some elements of C.
fn error(gpu: &Gpu, case: &Case, c: &Block) -> f64 {
    let [batch, m, n, k] = case.shape;
    let (kind, size) = (case.kind, case.kind.size());
    let eps = if size == 8 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let mut worst: f64 = 0.0;
    for sample in 0..64_usize {
        let pick = |salt: usize, extent: usize| match sample {
            0 => 0,
            1 => extent - 1,
            _ => (sample * 2_654_435_761 + salt * 40_503) % extent,
        };
        let (t, i, j) = (pick(1, batch), pick(2, m), pick(3, n));
        let a = |l| kind.rounded(element(1, t * m * k + if case.transposed[0] { l * m + i } else { i * k + l }));
        let b = |l| kind.rounded(element(2, t * k * n + if case.transposed[1] { j * k + l } else { l * n + j }));
        let (sum, moduli) = (0..k).fold((0.0, 0.0), |(sum, moduli), l| {
            let term = a(l) * b(l);
            (sum + term, moduli + f64::abs(term))
        });
        let mut bytes = [0; 8];
        gpu.read(c, (t * m * n + i * n + j) * size, &mut bytes[..size]).expect("a download");
        worst = worst.max((kind.number(&bytes[..size]) - sum).abs() / (k as f64 * eps * moduli));
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

fn run(gpu: &Gpu, case: &Case, line: &str) {
    let [batch, m, n, k] = case.shape;
    let kind = case.kind;
    let (a, b) = (filled(gpu, kind, 1, batch * m * k), filled(gpu, kind, 2, batch * k * n));
    let c = gpu.alloc(batch * m * n * kind.size()).expect("memory for a matrix");
    fn operands<'a, E: Element>(a: &'a Block, b: &'a Block, case: &Case, dtype: E) -> [DeviceView<'a, E>; 2] {
        let [batch, m, n, k] = case.shape;
        [view(a, dtype, [batch, m, k], case.transposed[0]), view(b, dtype, [batch, k, n], case.transposed[1])]
    }
    let product = || match kind {
        Kind::Lapack(dtype) => {
            let [a, b] = operands(&a, &b, case, dtype);
            let (one, zero) = (Complex64::new(1.0, 0.0), Complex64::ZERO);
            gemm(gpu, one, (a, false), (b, false), zero, view(&c, dtype, [batch, m, n], false))
        }
        Kind::Half(half) => {
            let [a, b] = operands(&a, &b, case, half);
            gemm_half(gpu, 1.0, a, b, 0.0, HalfProduct::Rounded(view(&c, half, [batch, m, n], false)))
        }
        Kind::Tf32 => {
            let [a, b] = operands(&a, &b, case, DType::Float32);
            gemm_tf32(gpu, 1.0, a, b, 0.0, view(&c, DType::Float32, [batch, m, n], false)).map(|_| ())
        }
    };
    let once = || {
        let trace = Trace::default();
        trace.enter(product).expect("a product");
        gpu.wait_for(&c).expect("an end");
        trace.spans()
    };
    once();
    let flops = 2.0 * (batch * m * n * k) as f64;
    let bytes = (batch * (m * k + k * n + m * n) * kind.size()) as f64;
    let repeats = ((4e11 / flops) as usize).clamp(5, 25);
    let spans: Vec<_> = (0..repeats).map(|_| once()).collect();
    let names: Vec<&str> = spans[0].iter().map(|span| span.name).collect();
    let mut seconds: Vec<f64> =
        spans.iter().map(|spans| spans.iter().map(|span| span.start + span.seconds).fold(0.0, f64::max)).collect();
    seconds.sort_by(f64::total_cmp);
    let seconds = seconds[repeats / 2];
    println!(
        "{{{line}, \"kernels\": \"{}\", \"seconds\": {seconds:.4e}, \"tflops\": {:.2}, \"gbs\": {:.0}, \"error\": {:.2e}}}",
        names.join("+"),
        flops / seconds / 1e12,
        bytes / seconds / 1e9,
        error(gpu, case, &c)
    );
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for dtype in [DType::Float64, DType::Float32] {
        let mut add = |shape, transposed| cases.push(Case { kind: Kind::Lapack(dtype), shape, transposed });
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
    for kind in [Kind::Half(Half::Float16), Kind::Half(Half::BFloat16), Kind::Tf32] {
        let mut add = |shape, transposed| cases.push(Case { kind, shape, transposed });
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

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    let only = arguments.next().unwrap_or_default();
    let found = candidates().expect("an OpenCL loader");
    let suits = |one: &&Candidate| !one.info.is_cpu && one.info.name.contains(&wanted);
    let gpu = Gpu::open(found.iter().find(suits).expect("a GPU"), &Settings::default()).expect("the GPU opens");
    println!("{{\"device\": \"{}\", \"driver\": \"{}\"}}", gpu.info().name, gpu.info().driver);
    for case in cases() {
        let [batch, m, n, k] = case.shape;
        let ops: String = case.transposed.iter().map(|&transposed| if transposed { 'T' } else { 'N' }).collect();
        let name = case.kind.name();
        let line = format!(
            "\"dtype\": \"{name}\", \"ops\": \"{ops}\", \"batch\": {batch}, \"m\": {m}, \"n\": {n}, \"k\": {k}"
        );
        if line.contains(&only) {
            run(&gpu, &case, &line);
        }
    }
}
