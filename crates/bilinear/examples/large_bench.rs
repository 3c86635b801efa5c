//! Large products by schemes beside a BLAS, in turns: `large_bench BLAS.so THREADS SIZE...`.

use lapack_ai_bilinear::catalogue;
use lapack_ai_bilinear::large::{Forms, Product, gemm};
use std::time::Instant;

/// Seconds on a processor of this thread.
fn busy() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let threads: usize = arguments[2].parse().unwrap();
    let library = unsafe { libloading::Library::new(&arguments[1]).unwrap() };
    type Dgemm = unsafe extern "C" fn(
        *const u8,
        *const u8,
        *const i32,
        *const i32,
        *const i32,
        *const f64,
        *const f64,
        *const i32,
        *const f64,
        *const i32,
        *const f64,
        *mut f64,
        *const i32,
    );
    let dgemm =
        unsafe { library.get::<Dgemm>(b"scipy_dgemm_\0").or_else(|_| library.get::<Dgemm>(b"dgemm_\0")).unwrap() };
    if let Ok(set) = unsafe {
        library
            .get::<unsafe extern "C" fn(i32)>(b"scipy_openblas_set_num_threads\0")
            .or_else(|_| library.get(b"MKL_Set_Num_Threads\0"))
    } {
        unsafe { set(threads as i32) };
    }
    let schemes = [
        ("classical", Forms::of(&catalogue::classical(1, 1, 1))),
        ("strassen 1", Forms::of(&catalogue::strassen_2())),
        ("strassen 2", Forms::of(&catalogue::by_name("strassen").unwrap())),
    ];
    let only = std::env::var("ONLY").ok();
    let schemes: Vec<_> =
        schemes.into_iter().filter(|(name, _)| only.as_ref().is_none_or(|only| name == only)).collect();
    for size in &arguments[3..] {
        let n: usize = size.parse().unwrap();
        let fill = |seed: u64| {
            let mut state = seed;
            (0..n * n)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
                })
                .collect::<Vec<f64>>()
        };
        let (a, b) = (fill(88172645463325252), fill(0x9E37_79B9_7F4A_7C15));
        let mut right = vec![0.0; n * n];
        let mut c = vec![0.0; n * n];
        let repeats = std::env::var("REPEATS").map_or(7, |text| text.parse().unwrap());
        let mut times = vec![Vec::new(); schemes.len() + 1];
        for _ in 0..repeats {
            let started = (Instant::now(), busy());
            let i = n as i32;
            unsafe {
                dgemm(
                    b"N".as_ptr(),
                    b"N".as_ptr(),
                    &i,
                    &i,
                    &i,
                    &1.0,
                    a.as_ptr(),
                    &i,
                    b.as_ptr(),
                    &i,
                    &0.0,
                    right.as_mut_ptr(),
                    &i,
                )
            };
            times[0].push(if threads == 1 { busy() - started.1 } else { started.0.elapsed().as_secs_f64() });
            for (at, (name, forms)) in schemes.iter().enumerate() {
                let product = Product {
                    transpose: [false; 2],
                    m: n,
                    n,
                    k: n,
                    alpha: 1.0,
                    a: a.as_ptr(),
                    lda: n,
                    b: b.as_ptr(),
                    ldb: n,
                    beta: 0.0,
                    c: c.as_mut_ptr(),
                    ldc: n,
                };
                let started = (Instant::now(), busy());
                unsafe { gemm(forms, &product, threads) };
                times[at + 1].push(if threads == 1 { busy() - started.1 } else { started.0.elapsed().as_secs_f64() });
                let worst = c.iter().zip(&right).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
                assert!(worst < 1e-8 * n as f64, "{name}: {worst}");
            }
        }
        let best: Vec<f64> = times.iter().map(|t| t.iter().copied().fold(f64::INFINITY, f64::min)).collect();
        let flops = 2.0 * (n as f64).powi(3) / 1e9;
        print!("n {n} threads {threads}: blas {:.1} GFLOP/s", flops / best[0]);
        for (at, (name, _)) in schemes.iter().enumerate() {
            print!("; {name} {:.1} ({:.3})", flops / best[at + 1], best[0] / best[at + 1]);
        }
        println!();
    }
}
