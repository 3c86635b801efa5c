//! The tuner on a real device: every candidate of every kernel against plain loops, and the search with a tiny budget.

mod common;

use common::matrices::{Layout, OnDevice, check, ratio};
use common::{alone, gpu};
use lapack_ai_core::{Complex64, DType, Scalar};
use lapack_ai_opencl::kernels::gemm::gemm;
use lapack_ai_opencl::tune::{
    Class, Config, Ended, Entry, Family, Outcome, Plan, Table, Target, Watch, candidates_for, tune, with_config,
};
use lapack_ai_opencl::{Gpu, Trace, inject};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// C = alpha op(A) op(B) + beta C with this configuration, every element checked. What was launched.
fn product_with<S: Scalar>(gpu: &Gpu, config: Config, target: &Target, layouts: [Layout; 3]) -> Vec<Config> {
    let Target { transposed, shape: [batch, m, n, k], .. } = *target;
    let make = |which: usize, rows, cols| {
        let (rows, cols) = if transposed[which] { (cols, rows) } else { (rows, cols) };
        OnDevice::<S>::random(gpu, layouts[which], [batch, rows, cols], 40 + which as u64)
    };
    let (a, b) = (make(0, m, k), make(1, k, n));
    let c = OnDevice::<S>::random(gpu, layouts[2], [batch, m, n], 42);
    let va = if transposed[0] { a.view().transposed() } else { a.view() };
    let vb = if transposed[1] { b.view().transposed() } else { b.view() };
    let (alpha, beta) = (Complex64::new(-0.75, 0.0), Complex64::new(0.5, 0.0));
    let (done, used) = with_config(config, || gemm(gpu, alpha, (va, false), (vb, false), beta, c.view()));
    done.unwrap();
    let p = |t, i, l| if transposed[0] { a.at(t, l, i) } else { a.at(t, i, l) };
    let q = |t, l, j| if transposed[1] { b.at(t, j, l) } else { b.at(t, l, j) };
    let mut worst: f64 = 0.0;
    c.compare(gpu, |t, i, j, found| {
        // A large batch is checked at its ends and here and there.
        if t > 4 && t + 5 < batch && t % 1009 != 0 {
            return;
        }
        let sum: Complex64 = (0..k).map(|l| p(t, i, l) * q(t, l, j)).sum();
        let size: f64 = (0..k).map(|l| (p(t, i, l) * q(t, l, j)).norm()).sum();
        let error = (found - alpha * sum - beta * c.at(t, i, j)).norm();
        let bound = alpha.norm() * size + beta.norm() * c.at(t, i, j).norm();
        worst = worst.max(if error.is_nan() { f64::INFINITY } else { ratio::<S>(error, k, bound) });
    });
    check(&format!("{target} {layouts:?} with {config}"), worst);
    used
}

/// Runs every candidate for `target`, or one in `step`; counts by kernel those that were launched.
fn candidates<S: Scalar>(
    gpu: &Gpu,
    target: Target,
    layouts: [Layout; 3],
    step: usize,
    seen: &mut BTreeMap<&str, usize>,
) {
    let target = Target { dtype: S::DTYPE, ..target };
    for config in candidates_for(gpu, target).unwrap().into_iter().step_by(step) {
        let used = product_with::<S>(gpu, config, &target, layouts);
        assert!(used.contains(&config), "{target}: {config} was not launched, but {used:?}");
        *seen.entry(config.family().kernel()).or_default() += 1;
    }
}

fn every_candidate<S: Scalar>(gpu: &Gpu, target: Target, layouts: [Layout; 3], seen: &mut BTreeMap<&str, usize>) {
    candidates::<S>(gpu, target, layouts, 1, seen);
}

const PLAIN: Target = Target { dtype: DType::Float32, transposed: [false; 2], shape: [1, 70, 67, 37] };
const ROWS: [Layout; 3] = [Layout::RowMajor; 3];

#[test]
fn every_candidate_of_the_kernels_of_every_device_gives_right_results() {
    let Some(gpu) = gpu() else { return };
    let _alone = alone();
    let mut seen = BTreeMap::new();
    // Ragged edges about tiles of up to 128; the transposes read in the other direction. On a device with variants of its own
    // a view without a stride of 1 and few uses is the general kernel's.
    let layouts = if gpu.info().is_cpu { ROWS } else { [Layout::Strided, Layout::Strided, Layout::RowMajor] };
    let general = Target { shape: [1, 41, 37, 21], ..PLAIN };
    every_general::<f32>(&gpu, general, layouts, 1, &mut seen);
    every_general::<lapack_ai_core::Complex32>(&gpu, PLAIN, ROWS, 4, &mut seen);
    if gpu.info().float64 {
        every_general::<f64>(&gpu, Target { transposed: [true, false], ..general }, layouts, 4, &mut seen);
        every_general::<Complex64>(&gpu, Target { transposed: [false, true], ..PLAIN }, ROWS, 4, &mut seen);
    }
    for target in [[7, 5, 3, 9], [300, 16, 16, 16], [1, 32, 31, 20]] {
        let target = Target { shape: target, ..PLAIN };
        every_candidate::<f32>(&gpu, target, ROWS, &mut seen);
        if gpu.info().float64 {
            every_candidate::<Complex64>(&gpu, target, [Layout::ColPadded; 3], &mut seen);
        }
    }
    println!("candidates: {seen:?}");
    assert!(seen["gemm"] >= 30 && seen["gemm_small"] >= 3 * 10, "{seen:?}");
}

/// As [`every_candidate`], one in `step`: types differ in their arithmetic only, and PoCL takes seconds to build one. The
/// candidates are those of complex matrices of the same size, which no variant takes.
fn every_general<S: Scalar>(
    gpu: &Gpu,
    target: Target,
    layouts: [Layout; 3],
    step: usize,
    seen: &mut BTreeMap<&str, usize>,
) {
    let target = Target { dtype: S::DTYPE, ..target };
    let like = Target { dtype: DType::Complex64, ..target };
    for config in candidates_for(gpu, like).unwrap().into_iter().step_by(step) {
        assert_eq!(config.family(), Family::General);
        let used = product_with::<S>(gpu, config, &target, layouts);
        // Double precision may have less of local memory than it needs.
        if used == [config] {
            *seen.entry("gemm").or_default() += 1;
        }
    }
}

#[test]
fn every_candidate_of_the_batched_kernel_gives_right_results() {
    let Some(gpu) = gpu() else { return };
    let _alone = alone();
    let mut seen = BTreeMap::new();
    // Just above the bytes from which on the kernel is taken, which take the host many seconds to check: a CPU has one in six.
    let step = if gpu.info().is_cpu { 6 } else { 1 };
    // One shape whose accesses are wide, two where they are not.
    for (turn, [m, n, k]) in [[4, 4, 4], [5, 3, 7], [16, 8, 12]].into_iter().enumerate() {
        let batch = |size: usize| 34_000_000 / ((m * k + k * n + m * n) * size) + 1;
        let target = |size| Target { shape: [batch(size), m, n, k], transposed: [turn == 2, false], ..PLAIN };
        if gpu.info().float64 && turn > 0 {
            candidates::<f64>(&gpu, target(8), ROWS, step, &mut seen);
        }
        if !gpu.info().is_cpu || turn == 0 {
            candidates::<f32>(&gpu, target(4), ROWS, step, &mut seen);
        }
    }
    println!("candidates: {seen:?}");
    assert!(seen["gemm_batched"] >= 24 / step, "{seen:?}");
}

fn has_matrix_units(gpu: &Gpu) -> bool {
    ["H100", "H200"].iter().any(|name| gpu.info().name.contains(name))
}

#[test]
fn every_candidate_of_the_kernels_with_nvidias_instructions_gives_right_results() {
    let Some(gpu) = gpu() else { return };
    if !has_matrix_units(&gpu) {
        println!("skipped: gemm_f64_mma and gemm_f32_async need an NVIDIA GPU of compute capability 9.0");
        return;
    }
    let _alone = alone();
    let mut seen = BTreeMap::new();
    let pairs = [[false, false], [true, false], [false, true], [true, true]];
    // Ragged edges of every tile; k odd, short, and long enough that slots are used again; accesses of 16 bytes and fewer.
    for [m, n, k] in [[300, 273, 101], [288, 272, 96], [131, 262, 5]] {
        let pairs = if k == 5 { &pairs[..1] } else { &pairs[..] };
        for (turn, &transposed) in pairs.iter().enumerate() {
            let target = Target { shape: [2, m, n, k], transposed, ..PLAIN };
            let c = if turn % 2 == 0 { Layout::RowMajor } else { Layout::ColMajor };
            // Candidates are those for a row-major C.
            let c = if k == 96 { Layout::RowMajor } else { c };
            let layouts = [Layout::RowMajor, Layout::RowMajor, c];
            taken::<f64>(&gpu, target, layouts, &mut seen);
            taken::<f32>(&gpu, target, layouts, &mut seen);
        }
    }
    println!("candidates: {seen:?}");
    assert!(seen["gemm_f64_mma"] >= 120 && seen["gemm_f32_async"] >= 100, "{seen:?}");
}

/// As [`every_candidate`], where another layout of C may leave out a few candidates.
fn taken<S: Scalar>(gpu: &Gpu, target: Target, layouts: [Layout; 3], seen: &mut BTreeMap<&str, usize>) {
    let target = Target { dtype: S::DTYPE, ..target };
    for config in candidates_for(gpu, target).unwrap() {
        if product_with::<S>(gpu, config, &target, layouts).contains(&config) {
            *seen.entry(config.family().kernel()).or_default() += 1;
        }
    }
}

/// What the search told its watcher.
#[derive(Default)]
struct Heard {
    fractions: Vec<f64>,
    texts: Vec<String>,
    found: Vec<Entry>,
}

/// Runs the search; it is interrupted once `stop` says so of what was heard.
fn search(gpu: &Gpu, seconds: f64, stop: fn(&Heard) -> bool) -> (Outcome, Heard) {
    search_among(gpu, seconds, &[], stop)
}

/// Likewise, of products whose line has one of these texts in it.
fn search_among(gpu: &Gpu, seconds: f64, only: &[&str], stop: fn(&Heard) -> bool) -> (Outcome, Heard) {
    let heard = Mutex::new(Heard::default());
    let hear = |what: &dyn Fn(&mut Heard)| what(&mut heard.lock().unwrap());
    let mut progress = |done: f64, text: &str| {
        hear(&|heard| {
            heard.fractions.push(done);
            heard.texts.push(text.to_string());
        });
    };
    let mut found = |entry: &Entry| hear(&|heard| heard.found.push(*entry));
    let interrupt = || stop(&heard.lock().unwrap());
    let plan = Plan {
        budget: Duration::from_secs_f64(seconds),
        dtypes: vec![DType::Float32],
        only: only.iter().map(|text| text.to_string()).collect(),
        from_rules: true,
    };
    let outcome = tune(gpu, &plan, None, Watch { progress: &mut progress, found: &mut found, interrupt: &interrupt });
    (outcome, heard.into_inner().unwrap())
}

fn never_ends(_: &Heard) -> bool {
    false
}

#[test]
fn a_search_ends_with_its_budget() {
    let Some(gpu) = gpu() else { return };
    let _alone = alone();
    let started = Instant::now();
    let (outcome, heard) = search(&gpu, 0.5, never_ends);
    // The products at work when the time is up are prepared, one candidate may be, and a comparison then follows.
    assert!(started.elapsed().as_secs_f64() < 0.5 + 30.0, "{:?}", started.elapsed());
    assert_eq!(outcome.ended, Ended::Budget);
    assert!(heard.fractions.is_sorted() && *heard.fractions.last().unwrap() == 1.0, "{:?}", heard.fractions);
}

#[test]
fn a_search_tells_its_progress_and_each_class_and_what_it_finds_is_no_noise() {
    let Some(gpu) = gpu() else { return };
    let _alone = alone();
    let (outcome, heard) = search(&gpu, 600.0, |heard| heard.found.len() == 2);
    assert_eq!((&outcome.ended, outcome.rows.len()), (&Ended::Interrupted, 2));
    assert!(heard.fractions.is_sorted() && *heard.fractions.last().unwrap() == 1.0, "{:?}", heard.fractions);
    assert!(heard.texts.iter().any(|text| text.contains("float32 NN")), "{:?}", heard.texts);
    let rows: Vec<Entry> = outcome.rows.iter().map(|row| row.entry).collect();
    assert_eq!(rows, heard.found);
    for row in &outcome.rows {
        let [before, after] = row.entry.seconds;
        assert!(before > 0.0 && after > 0.0 && row.gflops()[0] > 0.0, "{row:?}");
        match row.entry.config {
            Some(_) => assert!(row.entry.gain() > 1.03, "no more than noise: {row:?}"),
            None => assert_eq!(before, after, "{row:?}"),
        }
    }
}

#[test]
fn a_search_takes_only_the_products_whose_line_has_the_text() {
    let Some(gpu) = gpu() else { return };
    let _alone = alone();
    let (outcome, heard) = search_among(&gpu, 600.0, &["no such product", "NN 64 x 64 x 64"], never_ends);
    assert_eq!(outcome.ended, Ended::Done);
    let lines: Vec<String> = outcome.rows.iter().map(|row| row.target.to_string()).collect();
    assert_eq!(lines, ["float32 NN 64 x 64 x 64"]);
    assert!(heard.texts.iter().all(|text| text == "done" || text.contains("NN 64 x 64 x 64")), "{:?}", heard.texts);
    let (outcome, _) = search_among(&gpu, 600.0, &["no such product"], never_ends);
    assert_eq!((outcome.ended, outcome.rows.len()), (Ended::Done, 0));
}

#[test]
fn an_interrupted_search_keeps_what_it_found() {
    let Some(gpu) = gpu() else { return };
    let _alone = alone();
    // A few candidates of the first class were tried.
    let (outcome, heard) = search(&gpu, 600.0, |heard| heard.texts.len() > 6);
    assert_eq!(outcome.ended, Ended::Interrupted);
    assert_eq!((outcome.rows.len(), heard.found.len()), (1, 1), "{outcome:?}");
    assert!(heard.texts.len() <= 8, "it went on: {:?}", heard.texts);
    let (outcome, heard) = search(&gpu, 600.0, |_| true);
    assert_eq!((outcome.ended, outcome.rows.len(), heard.found.len()), (Ended::Interrupted, 0, 0));
}

#[test]
fn a_candidate_whose_result_is_wrong_never_wins() {
    let Some(gpu) = gpu() else { return };
    let _alone = alone();
    inject("wrong", u32::MAX);
    let (outcome, _) = search(&gpu, 600.0, |heard| heard.found.len() == 1);
    inject("wrong", 0);
    let [row] = &outcome.rows[..] else { panic!("{outcome:?}") };
    assert_eq!((row.entry.config, row.entry.gain()), (None, 1.0), "{row:?}");
}

#[test]
fn a_device_that_fails_on_the_way_ends_the_search() {
    let Some(gpu) = gpu() else { return };
    let _alone = alone();
    let lose = |heard: &Heard| {
        if heard.texts.len() == 3 {
            inject("lost", 1);
        }
        false
    };
    let (outcome, _) = search(&gpu, 600.0, lose);
    inject("lost", 0);
    assert!(matches!(&outcome.ended, Ended::Failed(fault) if fault.is_fatal()), "{outcome:?}");
}

#[test]
fn a_tuned_class_is_computed_with_what_was_tuned_and_one_that_cannot_be_built_gives_way() {
    let Some(gpu) = gpu() else { return };
    let _alone = alone();
    let target = Target { dtype: DType::Complex64, shape: [1, 60, 60, 40], ..PLAIN };
    let all = candidates_for(&gpu, target).unwrap();
    let (rule, other) = (all[0], all[3]);
    let launched = || {
        // A configuration of another kernel changes nothing, but tells what was launched.
        let small = candidates_for(&gpu, Target { shape: [1, 8, 8, 8], ..target }).unwrap()[0];
        product_with::<lapack_ai_core::Complex32>(&gpu, small, &target, ROWS)
    };
    let class = Class {
        kernel: Family::General,
        dtype: target.dtype,
        along_k: [false, true],
        wide: [false; 2],
        size: [0, 5, 5, 5],
    };
    let table = |config| {
        let mut table = Table::new(gpu.info());
        table.put(Entry { class, config, seconds: [2.0, 1.0] });
        Some(table)
    };
    let plainly = || {
        let (a, c) = (Layout::RowMajor, Layout::RowMajor);
        let make = |layout, shape, seed| OnDevice::<lapack_ai_core::Complex32>::random(&gpu, layout, shape, seed);
        let (a, b, c) = (make(a, [1, 60, 40], 1), make(a, [1, 40, 60], 2), make(c, [1, 60, 60], 3));
        let trace = Trace::default();
        let one = Complex64::new(1.0, 0.0);
        trace.enter(|| gemm(&gpu, one, (a.view(), false), (b.view(), false), one, c.view())).unwrap();
        gpu.programs().built + gpu.programs().loaded
    };
    assert_eq!(launched(), [rule]);
    let former = plainly();
    gpu.set_tuned(table(Some(other)));
    assert!(gpu.tables().to_string().contains("tuned on this machine (1 classes)"), "{}", gpu.tables());
    assert_eq!(plainly(), former + 1, "a program of its own");
    gpu.set_tuned(table(None));
    assert_eq!(plainly(), former + 1, "the rules' again");
    // Refused once, and from then on passed over without a word.
    gpu.set_tuned(table(Some(all[4])));
    inject("build", 1);
    assert_eq!(plainly(), former + 1);
    inject("build", 0);
    assert_eq!(plainly(), former + 1);
    gpu.set_tuned(None);
}
