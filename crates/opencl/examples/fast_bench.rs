//! One large product on a device, by the ordinary kernels and by schemes on blocks: one JSON line for each, beside which
//! `bench/gpu_fast.py` sets cuBLAS.
//!
//! ```text
//! fast_bench DEVICE DTYPE OPS M N K BETA [ROUNDS [METHODS]]
//! ```
//!
//! DEVICE is a part of its name ("" for the first GPU), OPS a letter, N or T, for each operand: whether it is stored as it is or
//! transposed, row-major. With BETA = 1 the product is subtracted from C. METHODS are names such as `classical` or `strassen-2`,
//! separated by commas; all of them without. `auto` is what the model of `kernels::gemm_fast_choose` chooses, with the device's rates
//! as they are measured first. Built programs are kept in `LAPACK_AI_CACHE_DIR`, if it is set.
//!
//! Data on the device, pseudo-random, uniform in [-0.5, 0.5). All methods take turns, round by round. `seconds` is the median of
//! the device's own times from the first kernel's start to the last one's end, `wall_seconds` that of the host's; `phases` has
//! the median of each kernel. `error` is the largest one of 256 elements, 16 of each of 16 blocks, in units of k eps times
//! the sum of its terms' moduli; `rms` that of their squares' mean, relative to the elements', in units of eps;
//! `of_bound` the largest error as a part of the bound. With BETA = 1 no error is given. `workspace` is in bytes.

use lapack_ai_core::{Complex64, DType};
use lapack_ai_opencl::kernels::gemm_fast::{Plan, Scheme, error_bound, gemm_fast};
use lapack_ai_opencl::kernels::gemm_fast_choose::{Choice, Speed, fastest};
use lapack_ai_opencl::kernels::{DeviceView, copy::copy, gemm::gemm, scale::scale};
use lapack_ai_opencl::{Block, Fault, Gpu, Settings, Trace, candidates, never};
use std::path::PathBuf;
use std::time::Instant;

struct Case {
    dtype: DType,
    ops: String,
    shape: [usize; 3],
    update: bool,
}

/// A name, and the scheme with its levels unless it is the ordinary product. `auto` has the scheme that the model chooses.
type Method = (String, Option<(Scheme, usize)>);

const AUTO: &str = "auto";

fn methods() -> Vec<Method> {
    let of_scheme = |scheme: Scheme| {
        scheme.levels().iter().map(move |&levels| (format!("{}-{levels}", scheme.name()), Some((scheme, levels))))
    };
    let ordinary = [("classical".to_string(), None), (AUTO.to_string(), None)];
    ordinary.into_iter().chain(Scheme::ALL.into_iter().flat_map(of_scheme)).collect()
}

/// Device seconds of the second of two runs.
fn seconds_of(gpu: &Gpu, target: &Block, work: &dyn Fn() -> Result<(), Fault>) -> f64 {
    let trace = Trace::default();
    work().expect("a run");
    gpu.wait_for(target).expect("an end");
    trace.enter(work).expect("a run");
    gpu.wait_for(target).expect("an end");
    trace.spans().iter().map(|span| span.start + span.seconds).fold(0.0, f64::max)
}

/// What the device reaches: copies of 256 MB, and products by the definition that take a millisecond or more.
fn speed(gpu: &Gpu, dtype: DType) -> Speed {
    let block = |elements: usize| gpu.alloc(elements * dtype.size()).expect("memory for a test");
    let one = Complex64::new(1.0, 0.0);
    let elements = (256 << 20) / dtype.size();
    let (from, to) = (block(elements), block(elements));
    let view = |block| DeviceView::row_major(block, dtype, [1, elements / 1024, 1024]).expect("a view");
    scale(gpu, Complex64::ZERO, view(&from), view(&from)).expect("a test");
    let copying = seconds_of(gpu, &to, &|| copy(gpu, view(&from), false, view(&to)));
    let mut flops = 0.0_f64;
    for n in [512_usize, 1024, 2048, 4096] {
        let [a, b, c] = [0; 3].map(|_| block(n * n));
        let view = |block| DeviceView::row_major(block, dtype, [1, n, n]).expect("a view");
        for block in [&a, &b] {
            scale(gpu, Complex64::ZERO, view(block), view(block)).expect("a test");
        }
        let product = || gemm(gpu, one, (view(&a), false), (view(&b), false), Complex64::ZERO, view(&c));
        let seconds = seconds_of(gpu, &c, &product);
        flops = flops.max(2.0 * (n as f64).powi(3) / seconds);
        if seconds > 1e-3 {
            break;
        }
    }
    Speed { flops, memory: 2.0 * (elements * dtype.size()) as f64 / copying }
}

/// Element `index` of the matrix with this seed: uniform in [-0.5, 0.5), a number of the type.
fn element(dtype: DType, seed: u64, index: usize) -> f64 {
    let mut x = (index as u64 ^ (seed << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
    if dtype.is_double() { x } else { f64::from(x as f32) }
}

fn filled(gpu: &Gpu, dtype: DType, seed: u64, count: usize) -> Block {
    let (size, block) = (dtype.size(), gpu.alloc(count * dtype.size()).expect("memory for a matrix"));
    let fill = |start: usize, bytes: &mut [u8]| {
        for (at, to) in bytes.chunks_exact_mut(size).enumerate() {
            let x = element(dtype, seed, start / size + at);
            match size {
                4 => to.copy_from_slice(&(x as f32).to_ne_bytes()),
                _ => to.copy_from_slice(&x.to_ne_bytes()),
            }
        }
    };
    gpu.upload(&block, 0, count * size, &fill, &never).expect("an upload");
    block
}

/// `x + y` and what it lacks.
fn two_sum(x: f64, y: f64) -> (f64, f64) {
    let sum = x + y;
    let part = sum - x;
    (sum, (x - (sum - part)) + (y - part))
}

/// Largest error and mean square relative to the elements', as the module's text has them, and the largest as it is.
fn errors(gpu: &Gpu, case: &Case, c: &Block) -> [f64; 3] {
    let [m, n, k] = case.shape;
    let (dtype, size) = (case.dtype, case.dtype.size());
    let eps = if dtype.is_double() { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let turned = |operand: usize| &case.ops[operand..=operand] == "T";
    let (mut worst, mut largest, mut squares, mut of_errors) = (0.0_f64, 0.0_f64, 0.0, 0.0);
    for sample in 0..256_usize {
        let pick = |salt: usize, part: usize, extent: usize| {
            part * extent / 4 + (sample * 2_654_435_761 + salt * 40_503) % extent.div_ceil(4).max(1)
        };
        let i = pick(1, sample % 4, m).min(m - 1);
        let j = pick(2, sample / 4 % 4, n).min(n - 1);
        let a = |l| element(dtype, 1, if turned(0) { l * m + i } else { i * k + l });
        let b = |l| element(dtype, 2, if turned(1) { j * k + l } else { l * n + j });
        let (mut sum, mut rest, mut moduli) = (0.0, 0.0, 0.0);
        for l in 0..k {
            let (x, y) = (a(l), b(l));
            let product = x * y;
            let (next, lost) = two_sum(sum, product);
            rest += lost + x.mul_add(y, -product);
            sum = next;
            moduli += product.abs();
        }
        let mut bytes = [0; 8];
        gpu.read(c, (i * n + j) * size, &mut bytes[..size]).expect("a download");
        let found = match size {
            4 => f64::from(f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
            _ => f64::from_ne_bytes(bytes),
        };
        let error = ((found - sum) - rest).abs();
        worst = worst.max(error / (k as f64 * eps * moduli));
        largest = largest.max(error);
        of_errors += error * error;
        squares += sum * sum;
    }
    [worst, (of_errors / squares).sqrt() / eps, largest / (eps / 2.0)]
}

fn view(block: &Block, dtype: DType, [rows, cols]: [usize; 2], transposed: bool) -> DeviceView<'_> {
    match transposed {
        false => DeviceView::row_major(block, dtype, [1, rows, cols]).expect("a view"),
        true => DeviceView::row_major(block, dtype, [1, cols, rows]).expect("a view").transposed(),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What was measured of one method: device and host seconds, kernels with their seconds, for each round.
#[derive(Default)]
struct Measured {
    device: Vec<f64>,
    wall: Vec<f64>,
    phases: Vec<(&'static str, Vec<f64>)>,
    plan: Option<Plan>,
    error: Option<[f64; 3]>,
}

/// `auto` with what it is for this case, where the matrices are on the device; other methods as they are.
fn chosen(gpu: &Gpu, case: &Case, method: &Method) -> Method {
    if method.0 != AUTO {
        return method.clone();
    }
    let choice = fastest(gpu, case.shape, case.dtype, case.update, (None, None), speed(gpu, case.dtype));
    let plan = choice.filter(Choice::pays).map(|choice| (choice.plan.scheme, choice.plan.levels));
    gpu.trim();
    (method.0.clone(), plan)
}

fn run(gpu: &Gpu, case: &Case, rounds: usize, methods: &[Method]) {
    let [m, n, k] = case.shape;
    let dtype = case.dtype;
    let (a, b) = (filled(gpu, dtype, 1, m * k), filled(gpu, dtype, 2, k * n));
    let c = filled(gpu, dtype, 3, m * n);
    let turned = |operand: usize| &case.ops[operand..=operand] == "T";
    let (x, y) = (view(&a, dtype, [m, k], turned(0)), view(&b, dtype, [k, n], turned(1)));
    let target = view(&c, dtype, [m, n], false);
    let [alpha, beta] = if case.update { [-1.0, 1.0] } else { [1.0, 0.0] }.map(|x| Complex64::new(x, 0.0));
    let product = |method: &Method| -> Result<Option<Plan>, Fault> {
        match method.1 {
            Some(scheme) => gemm_fast(gpu, scheme, alpha, x, y, beta, target),
            None => gemm(gpu, alpha, (x, false), (y, false), beta, target).map(|()| None),
        }
    };
    let methods: Vec<Method> = methods.iter().map(|method| chosen(gpu, case, method)).collect();
    let mut all: Vec<Measured> = methods.iter().map(|_| Measured::default()).collect();
    for round in 0..=rounds {
        for (method, measured) in methods.iter().zip(&mut all) {
            // Other methods need buffers of other sizes: those of this one are made anew, and the first round builds programs.
            measured.plan = product(method).expect("a product");
            gpu.wait_for(&c).expect("an end");
            if round == 0 {
                measured.error = (!case.update).then(|| errors(gpu, case, &c));
                continue;
            }
            let (trace, started) = (Trace::default(), Instant::now());
            trace.enter(|| product(method)).expect("a product");
            gpu.wait_for(&c).expect("an end");
            let wall = started.elapsed().as_secs_f64();
            let spans = trace.spans();
            measured.wall.push(wall);
            measured.device.push(spans.iter().map(|span| span.start + span.seconds).fold(0.0, f64::max));
            for (at, span) in spans.iter().enumerate() {
                if measured.phases.len() <= at {
                    measured.phases.push((span.name, Vec::new()));
                }
                measured.phases[at].1.push(span.seconds);
            }
        }
    }
    let flops = 2.0 * (m * n * k) as f64;
    for (method, measured) in methods.iter().zip(all) {
        let seconds = median(measured.device);
        let phases: Vec<String> =
            measured.phases.into_iter().map(|(name, each)| format!("[\"{name}\", {:.4e}]", median(each))).collect();
        let (block, at_a_time, workspace) = measured
            .plan
            .map_or(("null".to_string(), 0, 0), |plan| (format!("{:?}", plan.block), plan.at_a_time, plan.workspace));
        // Elements are at most 1/2.
        let bound = method.1.map_or(Some((k * k) as f64), |(scheme, levels)| error_bound(scheme, levels, k));
        let errors = match (measured.error, bound) {
            (Some([worst, rms, largest]), Some(bound)) => {
                format!("\"error\": {worst:.3e}, \"rms\": {rms:.3e}, \"of_bound\": {:.2e}", largest / (0.25 * bound))
            }
            _ => "\"error\": null, \"rms\": null, \"of_bound\": null".to_string(),
        };
        println!(
            "{{\"dtype\": \"{}\", \"ops\": \"{}\", \"m\": {m}, \"n\": {n}, \"k\": {k}, \"beta\": {}, \"method\": \"{}\", \
             \"done\": {}, \"levels\": {}, \"block\": {block}, \"at_a_time\": {at_a_time}, \"workspace\": {workspace}, \"seconds\": {seconds:.5e}, \
             \"wall_seconds\": {:.5e}, \"tflops\": {:.2}, \"phases\": [{}], {errors}}}",
            dtype.name(),
            case.ops,
            u8::from(case.update),
            method.0,
            measured.plan.map_or("\"classical\"".to_string(), |plan| format!("\"{}\"", plan.scheme.name())),
            measured.plan.map_or(0, |plan| plan.levels),
            median(measured.wall),
            flops / seconds / 1e12,
            phases.join(", "),
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str).expect("DEVICE DTYPE OPS M N K BETA");
    let number = |at: usize| argument(at).parse::<usize>().expect("a number");
    let found = candidates().expect("an OpenCL loader");
    let named = |info: &&lapack_ai_opencl::Candidate| info.info.name.contains(argument(0));
    let gpus = found.iter().filter(|one| !one.info.is_cpu);
    let candidate = gpus.chain(found.iter().filter(|one| one.info.is_cpu)).find(named).expect("a device of that name");
    let settings =
        Settings { cache: std::env::var_os("LAPACK_AI_CACHE_DIR").map(PathBuf::from), ..Settings::default() };
    let gpu = Gpu::open(candidate, &settings).expect("the device opens");
    let dtype = DType::ALL.into_iter().find(|dtype| dtype.name() == argument(1)).expect("a type");
    let case =
        Case { dtype, ops: argument(2).into(), shape: [number(3), number(4), number(5)], update: number(6) == 1 };
    let rounds = if arguments.len() > 7 { number(7) } else { 7 };
    let wanted: Vec<&str> = arguments.get(8).map_or(Vec::new(), |names| names.split(',').collect());
    let methods: Vec<Method> =
        methods().into_iter().filter(|method| wanted.is_empty() || wanted.contains(&method.0.as_str())).collect();
    println!("{{\"device\": \"{}\", \"driver\": \"{}\"}}", gpu.info().name, gpu.info().driver);
    run(&gpu, &case, rounds, &methods);
}
