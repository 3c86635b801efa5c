//! The singular value decomposition on a device: one JSON line for each case, with the time of every kernel.
//!
//! Data on the device, pseudo-random, uniform in [-0.5, 0.5) (`random`), or such times 10^(-10 j / n) for column j (`graded`).
//! `seconds` is the median of several calls as the caller sees them, `kernels` the device's own seconds in each kernel of one
//! traced call, `launches` their number. `residual` is |A - U S V^T| / (max(m, n) eps |A|), `orthogonality` the larger of
//! |U^T U - I| and |V^T V - I| in units of max(m, n) eps, all in the Frobenius norm, computed on the device. The device is the first
//! GPU, or the one whose name the first argument is part of; a second argument takes the cases whose line it is part of; further ones,
//! such as 1024x1024, are shapes to take instead.

use lapack_ai_core::{Complex64, DType};
use lapack_ai_opencl::kernels::norm::{Norm, norm};
use lapack_ai_opencl::kernels::{DeviceView, gemm::gemm, scale::axpby};
use lapack_ai_opencl::svd::{Svd, Vectors, svd};
use lapack_ai_opencl::{Block, Candidate, Gpu, Settings, Trace, candidates};
use std::collections::BTreeMap;
use std::time::Instant;

/// Element `index`: uniform in [-0.5, 0.5).
fn element(index: usize) -> f64 {
    let mut x = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// Column-major, m x n.
fn filled(gpu: &Gpu, dtype: DType, [m, n]: [usize; 2], graded: bool) -> Block {
    let block = gpu.alloc(m * n * dtype.size()).expect("memory for a matrix");
    for j in 0..n {
        let factor = if graded { 10_f64.powf(-10.0 * j as f64 / n as f64) } else { 1.0 };
        let value = |i: usize| element(i + j * m) * factor;
        let bytes: Vec<u8> = match dtype.is_double() {
            true => (0..m).flat_map(|i| value(i).to_ne_bytes()).collect(),
            false => (0..m).flat_map(|i| (value(i) as f32).to_ne_bytes()).collect(),
        };
        gpu.write(&block, j * m * dtype.size(), &bytes).expect("an upload");
    }
    block
}

fn one(value: f64) -> Complex64 {
    Complex64::new(value, 0.0)
}

/// |X^T X - I| of a rows x columns matrix.
fn orthogonality(gpu: &Gpu, x: DeviceView<'_>) -> f64 {
    let [_, _, k] = x.shape();
    let dtype = x.dtype();
    let block = gpu.alloc(k * k * dtype.size()).expect("memory");
    let gram = DeviceView::col_major(&block, dtype, [1, k, k]).expect("a view");
    gemm(gpu, one(1.0), (x.transposed(), false), (x, false), one(0.0), gram).expect("a product");
    let unit = gpu.alloc(dtype.size()).expect("memory");
    let bytes = if dtype.is_double() { 1.0_f64.to_ne_bytes().to_vec() } else { 1.0_f32.to_ne_bytes().to_vec() };
    gpu.write(&unit, 0, &bytes).expect("an upload");
    let ones = DeviceView::new(&unit, dtype, 0, [1, k, 1], [0; 3]).expect("a view");
    let diagonal = DeviceView::new(&block, dtype, 0, [1, k, 1], [0, k as isize + 1, 1]).expect("a view");
    axpby(gpu, one(-1.0), ones, one(1.0), diagonal).expect("a difference");
    norm(gpu, Norm::Frobenius, gram).expect("a norm")[0]
}

/// |A - U S V^T| / |A|.
fn residual(gpu: &Gpu, a: DeviceView<'_>, [u, v]: [DeviceView<'_>; 2], sigma: &Block) -> f64 {
    let ([_, m, k], dtype) = (u.shape(), a.dtype());
    let scaled = gpu.alloc(m * k * dtype.size()).expect("memory");
    let scaled = DeviceView::col_major(&scaled, dtype, [1, m, k]).expect("a view");
    axpby(gpu, one(1.0), u, one(0.0), scaled).expect("a copy");
    let mut values = vec![0; k * dtype.size()];
    gpu.read(sigma, 0, &mut values).expect("the values");
    for (j, bytes) in values.chunks_exact(dtype.size()).enumerate() {
        let value = match dtype.is_double() {
            true => f64::from_ne_bytes(bytes.try_into().expect("8 bytes")),
            false => f64::from(f32::from_ne_bytes(bytes.try_into().expect("4 bytes"))),
        };
        let column = scaled.window(0, j, m, 1).expect("a column");
        axpby(gpu, one(value), column, one(0.0), column).expect("a multiple");
    }
    let [_, _, n] = a.shape();
    let rest = gpu.alloc(m * n * dtype.size()).expect("memory");
    let rest = DeviceView::col_major(&rest, dtype, [1, m, n]).expect("a view");
    axpby(gpu, one(1.0), a, one(0.0), rest).expect("a copy");
    gemm(gpu, one(-1.0), (scaled, false), (v.transposed(), false), one(1.0), rest).expect("a product");
    norm(gpu, Norm::Frobenius, rest).expect("a norm")[0] / norm(gpu, Norm::Frobenius, a).expect("a norm")[0]
}

fn run(gpu: &Gpu, dtype: DType, [m, n]: [usize; 2], graded: bool, vectors: Vectors, line: &str) {
    let block = filled(gpu, dtype, [m, n], graded);
    let a = DeviceView::col_major(&block, dtype, [1, m, n]).expect("a view");
    let once = || {
        let started = Instant::now();
        let found = svd(gpu, a, vectors).expect("a decomposition");
        gpu.wait_for(found.u.as_ref().unwrap_or(&found.sigma)).expect("an end");
        gpu.wait_for(found.v.as_ref().unwrap_or(&found.sigma)).expect("an end");
        (started.elapsed().as_secs_f64(), found)
    };
    let Svd { sigma, u, v } = once().1;
    let repeats = if n > 4096 { 3 } else { 7 };
    let mut seconds: Vec<f64> = (0..repeats).map(|_| once().0).collect();
    seconds.sort_by(f64::total_cmp);
    let trace = Trace::default();
    trace.enter(once);
    let mut kernels: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for span in trace.spans() {
        let entry = kernels.entry(span.name).or_default();
        entry.0 += 1;
        entry.1 += span.seconds;
    }
    let kernels: Vec<String> =
        kernels.iter().map(|(name, (count, time))| format!("\"{name}\": [{count}, {time:.3e}]")).collect();
    let eps = if dtype.is_double() { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let unit = m.max(n) as f64 * eps;
    let k = m.min(n);
    let errors = match (&u, &v) {
        (Some(u), Some(v)) => {
            let u = DeviceView::col_major(u, dtype, [1, m, k]).expect("a view");
            let v = DeviceView::col_major(v, dtype, [1, n, k]).expect("a view");
            let off = orthogonality(gpu, u).max(orthogonality(gpu, v)) / unit;
            format!("\"residual\": {:.2e}, \"orthogonality\": {off:.2e}", residual(gpu, a, [u, v], &sigma) / unit)
        }
        _ => "\"residual\": null, \"orthogonality\": null".to_string(),
    };
    println!(
        "{{{line}, \"seconds\": {:.4e}, {errors}, \"kernels\": {{{}}}}}",
        seconds[repeats / 2],
        kernels.join(", ")
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    let only = arguments.next().unwrap_or_default();
    let found = candidates().expect("an OpenCL loader");
    let suits = |one: &&Candidate| {
        if wanted.is_empty() { !one.info.is_cpu } else { one.info.name.contains(&wanted) }
    };
    let gpu = Gpu::open(found.iter().find(suits).expect("a device"), &Settings::default()).expect("the device opens");
    println!("{{\"device\": \"{}\", \"driver\": \"{}\"}}", gpu.info().name, gpu.info().driver);
    let shapes: Vec<[usize; 2]> = arguments
        .map(|shape| {
            let (m, n) = shape.split_once('x').expect("a shape such as 1024x512");
            [m, n].map(|extent| extent.parse().expect("an extent"))
        })
        .collect();
    let squares = [512, 1024, 2048, 4096, 8192].map(|n| [n, n]);
    let usual = squares.into_iter().chain([[4096, 512], [8192, 2048], [1_000_000, 100]]).collect();
    let shapes = if shapes.is_empty() { usual } else { shapes };
    for dtype in [DType::Float64, DType::Float32] {
        for &shape in &shapes {
            for (graded, vectors) in [(false, Vectors::Thin), (true, Vectors::Thin), (false, Vectors::Neither)] {
                let line = format!(
                    "\"dtype\": \"{}\", \"m\": {}, \"n\": {}, \"matrix\": \"{}\", \"vectors\": {}",
                    dtype.name(),
                    shape[0],
                    shape[1],
                    if graded { "graded" } else { "random" },
                    vectors == Vectors::Thin
                );
                if line.contains(&only) {
                    run(&gpu, dtype, shape, graded, vectors, &line);
                }
            }
        }
    }
}
