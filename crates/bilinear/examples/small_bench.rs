//! Times small products in float64, beside BLAS libraries and LIBXSMM, on one thread.
//!
//! ```text
//! small_bench [--isa NAME] [--sizes 2,3,4] [--rounds R] [--peer NAME=LIBRARY,SYMBOL[,VARIABLE=VALUE]] [--xsmm LIBRARY]
//! ```
//!
//! Everything is called as a Fortran program would call DGEMM: the library's own kernels through a function with its arguments,
//! peers through the symbol of a library that is loaded for it. `independent`: neighbouring calls have nothing to do with one
//! another; `chained`: each one's result is the next one's first factor. All take turns, round by round; a figure is the
//! median of its rounds, in nanoseconds of a call. One JSON line for each. A variable is set while its library is loaded.

use lapack_ai_bilinear::product::Algorithm;
use lapack_ai_bilinear::small::{self, Isa, Kernels, Strides};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::ffi::c_char;
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

type Dgemm = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
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

/// Those of `--isa`.
static KERNELS: OnceLock<Kernels<f64>> = OnceLock::new();

/// DGEMM's interface over the kernels of `--isa` if `FORCED`, else over those that the library chooses: one comparison for 4 x 4 matrices as they lie, all checks for others.
unsafe extern "C" fn own<const ALGORITHM: usize, const FORCED: bool>(
    transa: *const c_char,
    transb: *const c_char,
    m: *const i32,
    n: *const i32,
    k: *const i32,
    alpha: *const f64,
    a: *const f64,
    lda: *const i32,
    b: *const f64,
    ldb: *const i32,
    beta: *const f64,
    c: *mut f64,
    ldc: *const i32,
) {
    // SAFETY: arguments as DGEMM's are valid.
    unsafe {
        let four = ((*m ^ 4) | (*n ^ 4) | (*k ^ 4)) == 0 && *lda >= 4 && *ldb >= 4 && *ldc >= 4;
        if four && *transa as u8 == b'N' && *transb as u8 == b'N' {
            let (a, b, c) = ((a, *lda as usize), (b, *ldb as usize), (c, *ldc as usize));
            return call::<ALGORITHM, FORCED>([false; 2], [4; 3], *alpha, a, b, *beta, c);
        }
        own_checked::<ALGORITHM, FORCED>(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    }
}

#[inline(never)]
unsafe extern "C" fn own_checked<const ALGORITHM: usize, const FORCED: bool>(
    transa: *const c_char,
    transb: *const c_char,
    m: *const i32,
    n: *const i32,
    k: *const i32,
    alpha: *const f64,
    a: *const f64,
    lda: *const i32,
    b: *const f64,
    ldb: *const i32,
    beta: *const f64,
    c: *mut f64,
    ldc: *const i32,
) {
    // SAFETY: arguments as DGEMM's are valid.
    unsafe {
        let (in_a, in_b) = (*transa as u8 & 0xdf, *transb as u8 & 0xdf);
        let turned = |of: u8| of == b'T' || of == b'C';
        let (ta, tb) = (turned(in_a), turned(in_b));
        if !(ta || in_a == b'N') || !(tb || in_b == b'N') {
            return;
        }
        let [m, n, k, lda, ldb, ldc] = [*m, *n, *k, *lda, *ldb, *ldc];
        let (of_a, of_b) = (if ta { k } else { m }, if tb { n } else { k });
        if m < 0 || n < 0 || k < 0 || lda < of_a.max(1) || ldb < of_b.max(1) || ldc < m.max(1) {
            return;
        }
        let [m, n, k, lda, ldb, ldc] = [m, n, k, lda, ldb, ldc].map(|value| value as usize);
        call::<ALGORITHM, FORCED>([ta, tb], [m, n, k], *alpha, (a, lda), (b, ldb), *beta, (c, ldc));
    }
}

#[inline(always)]
unsafe fn call<const ALGORITHM: usize, const FORCED: bool>(
    transpose: [bool; 2],
    shape: [usize; 3],
    alpha: f64,
    a: (*const f64, usize),
    b: (*const f64, usize),
    beta: f64,
    c: (*mut f64, usize),
) {
    let algorithm = Algorithm::ALL[ALGORITHM];
    // SAFETY: arguments as DGEMM's are valid.
    unsafe {
        match KERNELS.get() {
            Some(kernels) if FORCED => kernels.gemm_raw(algorithm, transpose, shape, alpha, a, b, beta, c),
            _ => small::gemm_raw(algorithm, transpose, shape, alpha, a, b, beta, c),
        }
    }
}

/// LIBXSMM's kernel for a shape, and how it is asked for one.
type Kernel = unsafe extern "C" fn(*const f64, *const f64, *mut f64);
type Find = unsafe extern "C" fn(
    i32,
    i32,
    i32,
    *const i32,
    *const i32,
    *const i32,
    *const f64,
    *const f64,
    *const i32,
    *const i32,
) -> Option<Kernel>;

/// Something that is timed.
struct Contender {
    name: String,
    call: Dgemm,
}

struct Options {
    sizes: Vec<i32>,
    rounds: usize,
    contenders: Vec<Contender>,
    find: Option<Find>,
}

/// Loads a library for good.
fn load(path: &str) -> &'static Library {
    // SAFETY: numerical libraries do nothing when they are loaded but look at the processor.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    Box::leak(Box::new(library.unwrap_or_else(|fault| panic!("{path}: {fault}"))))
}

fn peer(text: &str) -> Contender {
    let (name, rest) = text.split_once('=').expect("NAME=LIBRARY,SYMBOL");
    let mut parts = rest.split(',');
    let (path, symbol) = (parts.next().expect("a library"), parts.next().expect("a symbol"));
    let variable = parts.next().map(|text| text.split_once('=').expect("VARIABLE=VALUE"));
    if let Some((variable, value)) = variable {
        // SAFETY: no other thread runs.
        unsafe { std::env::set_var(variable, value) };
    }
    // SAFETY: the symbol has DGEMM's arguments.
    let call = *unsafe { load(path).get::<Dgemm>(symbol.as_bytes()) }.expect("a symbol of the library");
    // Libraries that choose their kernels late do it now.
    time(call, 4, 10, false);
    if let Some((variable, _)) = variable {
        // SAFETY: as above; no library has started threads for products this small.
        unsafe { std::env::remove_var(variable) };
    }
    Contender { name: name.to_string(), call }
}

fn options() -> Options {
    let chosen: [Dgemm; 5] = [own::<0, false>, own::<1, false>, own::<2, false>, own::<3, false>, own::<4, false>];
    let forced: [Dgemm; 5] = [own::<0, true>, own::<1, true>, own::<2, true>, own::<3, true>, own::<4, true>];
    let own_ones = if std::env::args().any(|argument| argument == "--isa") { forced } else { chosen };
    let mut contenders: Vec<Contender> = Algorithm::ALL
        .into_iter()
        .zip(own_ones)
        .map(|(algorithm, call)| Contender { name: algorithm.name().to_string(), call })
        .collect();
    let (mut sizes, mut rounds, mut find) = ((2..=64).collect(), 101, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{option} needs a value"));
        match option.as_str() {
            "--isa" => {
                let isa = Isa::by_name(&value).expect("avx512, avx2, neon or portable");
                let kernels = Kernels::of(isa).unwrap_or_else(|| panic!("this processor has no {value}"));
                assert!(KERNELS.set(kernels).is_ok(), "one --isa");
            }
            "--sizes" => sizes = value.split(',').map(|size| size.parse().expect("a size")).collect(),
            "--rounds" => rounds = value.parse().expect("a number of rounds"),
            "--peer" => contenders.push(peer(&value)),
            "--xsmm" => {
                // SAFETY: the function has these arguments.
                find = Some(*unsafe { load(&value).get::<Find>(b"libxsmm_dmmdispatch") }.expect("libxsmm_dmmdispatch"));
            }
            other => panic!("no option {other}"),
        }
    }
    Options { sizes, rounds, contenders, find }
}

/// A rotation in every pair of rows, so that a chain of products neither grows nor vanishes.
fn rotation(n: usize) -> Vec<f64> {
    let (sin, cos) = 0.7_f64.sin_cos();
    let element = |i: usize, j: usize| match (i == j, i ^ 1 == j, i | 1 < n) {
        (true, _, true) => cos,
        (true, _, false) => 1.0,
        (_, true, true) => {
            if i < j {
                -sin
            } else {
                sin
            }
        }
        _ => 0.0,
    };
    (0..n * n).map(|at| element(at % n, at / n)).collect()
}

/// Nanoseconds of a call.
fn time(call: Dgemm, n: i32, calls: usize, chained: bool) -> f64 {
    let b = rotation(n as usize);
    let (mut x, mut c) = (b.clone(), vec![0.0; b.len()]);
    let no = c"N".as_ptr();
    let start = Instant::now();
    for _ in 0..calls {
        let call = black_box(call);
        // SAFETY: n x n matrices.
        unsafe { call(no, no, &n, &n, &n, &1.0, x.as_ptr(), &n, b.as_ptr(), &n, &0.0, c.as_mut_ptr(), &n) };
        if chained {
            std::mem::swap(&mut x, &mut c);
        }
    }
    let elapsed = start.elapsed().as_secs_f64() / calls as f64 * 1e9;
    black_box(c);
    elapsed
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Every work's median over the rounds, in which they take turns.
fn in_turns(rounds: usize, count: usize, mut work: impl FnMut(usize) -> f64) -> Vec<f64> {
    let mut times = vec![Vec::new(); count];
    for round in 0..=rounds {
        for (which, times) in times.iter_mut().enumerate() {
            let found = work(which);
            // The first round warms up.
            if round > 0 {
                times.push(found);
            }
        }
    }
    times.into_iter().map(median).collect()
}

/// Nanoseconds of a product in a batch of 4 x 4 ones: by this library, by LIBXSMM's kernel in a loop, and by every peer's calls.
fn batch(options: &Options, isa: Isa, place: &str, count: usize) {
    let kernels = KERNELS.get().copied().unwrap_or_else(small::best);
    let (a, b) = (rotation(4).repeat(count), rotation(4).repeat(count));
    let mut c = vec![0.0; 16 * count];
    let repeats = (20_000 / count).max(1);
    let kernel = options.find.and_then(|find| {
        let (four, none) = (4, 0);
        // SAFETY: pointers to what the function reads.
        unsafe { find(4, 4, 4, &four, &four, &four, &1.0, &0.0, &none, &none) }
    });
    let mut names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    let own = names.len();
    names.extend(kernel.map(|_| "libxsmm"));
    let peers = names.len();
    names.extend(options.contenders[own..].iter().map(|peer| peer.name.as_str()));
    let strides = Strides { count, a: 16, b: 16, c: 16 };
    let times = in_turns(options.rounds, names.len(), |which| {
        let start = Instant::now();
        for _ in 0..repeats {
            if which < own {
                let algorithm = Algorithm::ALL[which];
                kernels
                    .gemm_batched(algorithm, [false; 2], [4; 3], 1.0, (&a, 4), (&b, 4), 0.0, (&mut c, 4), strides, 1)
                    .expect("a layout that fits");
                continue;
            }
            let no = c"N".as_ptr();
            for ((a, b), c) in a.chunks_exact(16).zip(b.chunks_exact(16)).zip(c.chunks_exact_mut(16)) {
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                // SAFETY: 4 x 4 matrices.
                unsafe {
                    match kernel {
                        Some(kernel) if which < peers => kernel(a, b, c),
                        _ => (options.contenders[own + which - peers].call)(
                            no, no, &4, &4, &4, &1.0, a, &4, b, &4, &0.0, c, &4,
                        ),
                    }
                }
            }
        }
        start.elapsed().as_secs_f64() / (repeats * count) as f64 * 1e9
    });
    for (name, ns) in names.iter().zip(times) {
        println!(
            "{{\"what\": \"batch, {place}\", \"isa\": \"{}\", \"name\": \"{name}\", \"count\": {count}, \"ns\": {ns:.2}}}",
            isa.name()
        );
    }
}

fn main() {
    let options = options();
    let isa = KERNELS.get().map_or(Isa::best(), |kernels| kernels.isa());
    for &n in &options.sizes {
        let calls = (4_000_000 / (n as usize).pow(3)).clamp(4, 4_000);
        // Schemes over blocks take long, and sizes between differ little.
        let timed: Vec<usize> = (0..options.contenders.len())
            .filter(|&which| n == 4 || n % 16 == 0 || !(1..Algorithm::ALL.len()).contains(&which))
            .collect();
        for (what, chained) in [("independent", false), ("chained", true)] {
            let times = in_turns(options.rounds, timed.len(), |at| {
                let over_blocks = n > 4 && (1..Algorithm::ALL.len()).contains(&timed[at]);
                time(options.contenders[timed[at]].call, n, if over_blocks { calls.min(8) } else { calls }, chained)
            });
            for (&which, ns) in timed.iter().zip(times) {
                println!(
                    "{{\"what\": \"{what}\", \"isa\": \"{}\", \"name\": \"{}\", \"n\": {n}, \"ns\": {ns:.2}}}",
                    isa.name(),
                    options.contenders[which].name
                );
            }
        }
    }
    batch(&options, isa, "in cache", 64);
    batch(&Options { rounds: options.rounds.min(15), ..options }, isa, "streaming", 1 << 20);
}
