//! What the engine's ground costs on a device: transfers, allocations, launches, and the first call with a cold and a warm
//! program cache. Prints one JSON object. The device is the first GPU, or the one whose name the first argument is part of.

use lapack_ai_core::{Complex64, DType};
use lapack_ai_opencl::kernels::{DeviceView, gemm::gemm};
use lapack_ai_opencl::{Arg, Candidate, Gpu, Settings, Source, candidates, never};
use std::time::Instant;

static EMPTY: Source = Source { name: "empty", parts: &["kernel void empty(global int *x) { }\n"] };

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn repeated(count: usize, mut once: impl FnMut() -> f64) -> f64 {
    once();
    median((0..count).map(|_| once()).collect())
}

fn seconds(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

/// GB/s as the caller sees them, and without the host's copies: what the bus does from and to pinned memory.
fn transfers(gpu: &Gpu, bytes: usize) -> [f64; 4] {
    let block = gpu.alloc(bytes).expect("memory for a transfer");
    let mut host: Vec<u8> = (0..bytes).map(|i| ((i * 31) >> 3) as u8).collect();
    let up = repeated(9, || seconds(|| gpu.write(&block, 0, &host).expect("a transfer")));
    let down = repeated(9, || seconds(|| gpu.read(&block, 0, &mut host).expect("a transfer")));
    let pinned_up = repeated(9, || seconds(|| gpu.upload(&block, 0, bytes, &|_, _| (), &never).expect("a transfer")));
    let pinned_down =
        repeated(9, || seconds(|| gpu.download(&block, 0, bytes, &|_, _| (), &never).expect("a transfer")));
    let rate = |time: f64| bytes as f64 / time / 1e9;
    [rate(up), rate(down), rate(pinned_up), rate(pinned_down)]
}

/// Microseconds: an allocation that the pool serves, one that the driver serves (a block of `bytes`).
fn allocations(gpu: &Gpu, bytes: usize) -> [f64; 2] {
    let reused = repeated(50, || seconds(|| drop(gpu.alloc(bytes).expect("memory"))));
    let fresh = repeated(9, || {
        gpu.trim();
        seconds(|| {
            let block = gpu.alloc(bytes).expect("memory");
            gpu.wait_for(&block).expect("an allocation");
        })
    });
    [reused * 1e6, fresh * 1e6]
}

/// Microseconds: enqueueing a kernel, and a kernel with the wait for its end.
fn launches(gpu: &Gpu) -> [f64; 2] {
    let block = gpu.alloc(64).expect("memory");
    let launch = || gpu.launch(&EMPTY, "", "empty", &[Arg::Block(&block)], [64, 1, 1], [64, 1, 1]).expect("a launch");
    const MANY: usize = 1000;
    let enqueue = repeated(9, || {
        let time = seconds(|| (0..MANY).for_each(|_| launch()));
        gpu.wait_for(&block).expect("an end");
        time / MANY as f64
    });
    let whole = repeated(200, || {
        seconds(|| {
            launch();
            gpu.wait_for(&block).expect("an end");
        })
    });
    [enqueue * 1e6, whole * 1e6]
}

/// Seconds from opening the device to the first product of order 256, with the cache as it is.
fn first_call(candidate: &Candidate, settings: &Settings) -> (f64, usize, usize) {
    let started = Instant::now();
    let gpu = Gpu::open(candidate, settings).expect("the device can be opened");
    let n = 256;
    let blocks = [0; 3].map(|_| gpu.alloc(n * n * 8).expect("memory"));
    let bytes: Vec<u8> = (0..n * n).flat_map(|i| ((i % 17) as f64).to_ne_bytes()).collect();
    gpu.write(&blocks[0], 0, &bytes).expect("a transfer");
    gpu.write(&blocks[1], 0, &bytes).expect("a transfer");
    let [a, b, c] = [0, 1, 2].map(|i| DeviceView::row_major(&blocks[i], DType::Float64, [1, n, n]).expect("a view"));
    let (one, zero) = (Complex64::new(1.0, 0.0), Complex64::new(0.0, 0.0));
    gemm(&gpu, one, (a, false), (b, false), zero, c).expect("a product");
    let mut result = vec![0; n * n * 8];
    gpu.read(&blocks[2], 0, &mut result).expect("a transfer");
    (started.elapsed().as_secs_f64(), gpu.programs().built, gpu.programs().loaded)
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default().to_lowercase();
    let found = candidates().expect("OpenCL");
    let fits = |one: &&Candidate| {
        if wanted.is_empty() { !one.info.is_cpu } else { one.info.name.to_lowercase().contains(&wanted) }
    };
    let candidate = found.iter().find(fits).expect("a device of that name");
    let cache = std::env::temp_dir().join(format!("lapack-ai-engine-bench-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&cache);
    let settings = Settings { cache: Some(cache.clone()), ..Settings::default() };
    let cold = first_call(candidate, &settings);
    let warm = first_call(candidate, &settings);
    let gpu = Gpu::open(candidate, &settings).expect("the device can be opened");
    let info = gpu.info();
    let sizes = [1 << 16, 1 << 20, 16 << 20, 256 << 20, 1 << 30];
    let transfers: Vec<String> = sizes
        .iter()
        .map(|&bytes| {
            let [up, down, pinned_up, pinned_down] = transfers(&gpu, bytes);
            format!(
                "{{\"bytes\": {bytes}, \"upload_gb_s\": {up:.3}, \"download_gb_s\": {down:.3}, \
                 \"pinned_upload_gb_s\": {pinned_up:.3}, \"pinned_download_gb_s\": {pinned_down:.3}}}"
            )
        })
        .collect();
    let allocations: Vec<String> = [1 << 12, 1 << 20, 128 << 20, 1 << 30]
        .iter()
        .map(|&bytes| {
            let [reused, fresh] = allocations(&gpu, bytes);
            format!("{{\"bytes\": {bytes}, \"from_pool_us\": {reused:.3}, \"from_driver_us\": {fresh:.1}}}")
        })
        .collect();
    let [enqueue, whole] = launches(&gpu);
    println!(
        "{{\"device\": \"{}\", \"driver\": \"{}\", \"found_by\": \"{}\", \"staging_threads\": {}, \"staging_bytes\": {},\n \
         \"transfers\": [{}],\n \"allocations\": [{}],\n \"launch_us\": {enqueue:.2}, \"launch_and_wait_us\": {whole:.2},\n \
         \"first_call\": {{\"cold_s\": {:.3}, \"cold_built\": {}, \"warm_s\": {:.3}, \"warm_loaded\": {}}}}}",
        info.name,
        info.driver,
        info.found_by.describe(),
        settings.threads,
        gpu.staging_bytes(),
        transfers.join(",\n  "),
        allocations.join(",\n  "),
        cold.0,
        cold.1,
        warm.0,
        warm.2
    );
    let _ = std::fs::remove_dir_all(&cache);
}
