//! How well the cost model knows this machine's CPU: calibrates, then compares predicted and measured time of random cases
//! that the calibration has not seen.
//!
//! `cargo run --release -p lapack-ai --example predict_cpu [cases]`. A time counts with the fastest of three calls.

use lapack_ai::dispatch::calibrate::{Plan, Runner, calibrate};
use lapack_ai::dispatch::model::{Case, Model, Moves, OpKind, Rates};
use lapack_ai::{DType, Engine, num_threads};
use std::time::Instant;

/// A case is passed over if it is expected to take longer, in seconds.
const LONGEST: f64 = 0.5;

struct Random(u64);

impl Random {
    /// In [0, 1).
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A size whose logarithm is uniform.
    fn size(&mut self, least: usize, most: usize) -> usize {
        (least as f64 * (most as f64 / least as f64).powf(self.next())).round() as usize
    }

    fn case(&mut self, op: OpKind, dtype: DType) -> Case {
        let most = if op == OpKind::Matmul { 2048 } else { 1024 };
        let (m, n, k) = (self.size(8, most), self.size(8, most), self.size(8, most));
        let case = match op {
            OpKind::Matmul => Case::matmul(dtype, m, n, k),
            OpKind::Solve => Case::matrix(op, dtype, n, n).with_rhs(self.size(1, 256)),
            OpKind::Lstsq => Case::matrix(op, dtype, m, n).with_rhs(self.size(1, 64)),
            OpKind::Lu | OpKind::Qr | OpKind::Svd | OpKind::SvdVals => Case::matrix(op, dtype, m, n),
            _ => Case::matrix(op, dtype, n, n),
        };
        if self.next() < 0.25 { case.batched(self.size(2, 2000)) } else { case }
    }
}

fn main() -> lapack_ai::Result<()> {
    let cases = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100);
    let pairs = [
        (OpKind::Matmul, DType::Float64),
        (OpKind::Matmul, DType::Float32),
        (OpKind::Cholesky, DType::Float64),
        (OpKind::Solve, DType::Float64),
        (OpKind::Qr, DType::Float64),
        (OpKind::Svd, DType::Float64),
        (OpKind::Eigh, DType::Float64),
    ];
    let mut model = Model::new(Rates::cpu(num_threads()?), None);
    let mut runner = Runner::default();
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let mut all = Vec::new();
    println!("                     points  calibrated in   error: median  90 %   without calibration");
    for (op, dtype) in pairs {
        let plain = Model::new(Rates::cpu(num_threads()?), None);
        let plan = Plan { dtypes: vec![dtype], ..Plan::new(Engine::Cpu, &[op]) };
        let start = Instant::now();
        let points = calibrate(&mut model, &plan, &mut |case, engine| runner.run(case, engine), &mut |_, _| {});
        let seconds = start.elapsed().as_secs_f64();
        let (mut errors, mut prior) = (Vec::new(), Vec::new());
        while errors.len() < cases {
            let case = random.case(op, dtype);
            let predicted = model.seconds(Engine::Cpu, &case).unwrap_or(f64::INFINITY);
            if predicted > LONGEST {
                continue;
            }
            let times = (0..3).filter_map(|_| runner.run(&case, Engine::Cpu));
            let Some(measured) = times.map(|measured| measured.total).min_by(f64::total_cmp) else { continue };
            let error = (predicted / measured - 1.0).abs();
            errors.push(error);
            prior.push((plain.seconds(Engine::Cpu, &case).unwrap_or(f64::INFINITY) / measured - 1.0).abs());
        }
        all.extend(errors.iter().copied());
        let [median, most, plain] =
            [at(&mut errors, 0.5), at(&mut errors, 0.9), at(&mut prior, 0.5)].map(|x| 100.0 * x);
        let name = format!("{} {}", op.name(), dtype.name());
        println!("{name:<20} {points:>6}  {seconds:>10.2} s  {median:>13.1} % {most:>5.0} %  {plain:>12.0} %");
    }
    println!("{:<20} {:>36.1} % {:>5.0} %", "all", 100.0 * at(&mut all, 0.5), 100.0 * at(&mut all, 0.9));
    let case = Case::matmul(DType::Float64, 100, 200, 300);
    let seconds = model.seconds(Engine::Cpu, &case).unwrap_or(1.0);
    let choose = nanoseconds(|| std::hint::black_box(model.choose(std::hint::black_box(&case), Moves::all(&case))));
    let learn = nanoseconds(|| model.learn(std::hint::black_box(&case), Engine::Cpu, seconds, 0.0));
    println!("choosing takes {choose:.0} ns, learning {learn:.0} ns");
    Ok(())
}

/// Time of one call.
fn nanoseconds<R>(mut call: impl FnMut() -> R) -> f64 {
    const CALLS: u32 = 100_000;
    let start = Instant::now();
    (0..CALLS).for_each(|_| drop(std::hint::black_box(call())));
    start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

/// The quantile `part` of `values`.
fn at(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part) as usize]
}
