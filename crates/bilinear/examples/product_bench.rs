//! Nanoseconds of one 4 x 4 product by each algorithm: one JSON line each, the best of 15 runs. `independent`: neighbouring calls
//! have nothing to do with one another; `chained`: each one's result is the next one's first factor.

use lapack_ai_bilinear::product::{Algorithm, gemm_4x4};
use std::hint::black_box;
use std::time::Instant;

const CALLS: usize = 20_000;

fn best(mut work: impl FnMut()) -> f64 {
    let seconds = (0..15).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min) / CALLS as f64 * 1e9
}

fn main() {
    // A rotation, so that a chain of products neither grows nor vanishes.
    let (sin, cos) = 0.7_f64.sin_cos();
    let b = [cos, sin, 0.0, 0.0, -sin, cos, 0.0, 0.0, 0.0, 0.0, cos, sin, 0.0, 0.0, -sin, cos];
    for algorithm in Algorithm::ALL {
        let (a, mut c) = (b, [0.0; 16]);
        let independent = best(|| {
            for _ in 0..CALLS {
                let (a, b) = (black_box(&a), black_box(&b));
                gemm_4x4(algorithm, [false; 2], 1.0, (a, 4), (b, 4), 0.0, (&mut c, 4)).expect("a layout that fits");
                black_box(&mut c);
            }
        });
        let mut x = b;
        let chained = best(|| {
            for _ in 0..CALLS {
                gemm_4x4(algorithm, [false; 2], 1.0, (&x, 4), (black_box(&b), 4), 0.0, (&mut c, 4))
                    .expect("a layout that fits");
                std::mem::swap(&mut x, &mut c);
            }
        });
        println!(
            "{{\"algorithm\": \"{}\", \"independent_ns\": {independent:.1}, \"chained_ns\": {chained:.1}}}",
            algorithm.name()
        );
    }
}
