//! The engine's ground on a real device: memory, transfers, programs, and what happens when something fails.

mod common;

use common::{alone, folder, gpu, open};
use lapack_ai_opencl::{Arg, FaultKind, Gpu, Settings, Source, Trace, inject, never};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static DOUBLE: Source = Source {
    name: "double",
    parts: &[
        "kernel void twice(global int *x, int n) { int i = get_global_id(0); if (i < n) x[i] = FACTOR * x[i]; }\n",
        "kernel void slow(global int *x, int n) { volatile int s = 0; for (int i = 0; i < n; i++) s += i; x[0] = s; }\n",
    ],
};

fn bytes(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

fn twice(gpu: &Gpu, values: &[i32]) -> Result<Vec<i32>, lapack_ai_opencl::Fault> {
    let block = gpu.alloc(4 * values.len())?;
    gpu.write(&block, 0, &bytes(values))?;
    let n = values.len();
    let args = [Arg::Block(&block), Arg::I32(n as i32)];
    gpu.launch(&DOUBLE, "-DFACTOR=2", "twice", &args, [n.next_multiple_of(64), 1, 1], [64, 1, 1])?;
    let mut result = vec![0; 4 * n];
    gpu.read(&block, 0, &mut result)?;
    Ok(result.chunks_exact(4).map(|b| i32::from_ne_bytes(b.try_into().expect("4 bytes"))).collect())
}

#[test]
fn a_kernel_sees_what_was_uploaded_and_a_download_sees_what_it_wrote() {
    let _alone = alone();
    let Some(gpu) = gpu() else { return };
    let values: Vec<i32> = (0..1001).collect();
    assert_eq!(twice(&gpu, &values).unwrap(), values.iter().map(|x| 2 * x).collect::<Vec<_>>());
}

#[test]
fn transfers_of_every_length_and_offset_arrive_as_they_were_sent() {
    let _alone = alone();
    let Some(gpu) = open(&Settings { staging: 1 << 20, threads: 2, ..Settings::default() }) else { return };
    let block = gpu.alloc(9_000_000).unwrap();
    for (offset, len) in [(0, 1), (3, 64), (0, 4096), (17, 300_001), (1, 2_500_003), (999, 8_999_001), (5, 0)] {
        let sent: Vec<u8> = (0..len).map(|i: usize| (i * 7 + i / 251 + offset) as u8).collect();
        gpu.write(&block, offset, &sent).unwrap();
        let mut received = vec![0; len];
        gpu.read(&block, offset, &mut received).unwrap();
        assert!(sent == received, "{len} bytes at {offset}");
    }
}

#[test]
fn many_threads_use_one_device_at_once() {
    let _alone = alone();
    let Some(gpu) = gpu() else { return };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let gpu = &gpu;
            scope.spawn(move || {
                for round in 0..20 {
                    let values: Vec<i32> = (0..997 + 64 * round).map(|i| i * (thread + 1)).collect();
                    assert_eq!(twice(gpu, &values).unwrap(), values.iter().map(|x| 2 * x).collect::<Vec<_>>());
                }
            });
        }
    });
    assert_eq!(gpu.pool().used, 0, "every block came back");
}

#[test]
fn a_block_that_is_given_back_is_used_again() {
    let _alone = alone();
    let Some(gpu) = gpu() else { return };
    drop(gpu.alloc(1_000_000).unwrap());
    drop(gpu.alloc(990_000).unwrap());
    let stats = gpu.pool();
    assert_eq!((stats.allocations, stats.reuses, stats.used), (1, 1, 0));
    assert!(stats.high_water >= 1_000_000 && stats.idle >= 1_000_000);
    assert_eq!(gpu.trim(), stats.idle);
    assert_eq!(gpu.pool().idle, 0);
}

#[test]
fn a_block_given_back_while_a_kernel_runs_is_not_overwritten_by_the_next_owner_s_upload() {
    let _alone = alone();
    let Some(gpu) = gpu() else { return };
    for round in 0..50 {
        let n = 100_000;
        let first = gpu.alloc(4 * n).unwrap();
        gpu.write(&first, 0, &bytes(&vec![1; n])).unwrap();
        let args = [Arg::Block(&first), Arg::I32(n as i32)];
        for _ in 0..3 {
            gpu.launch(&DOUBLE, "-DFACTOR=2", "twice", &args, [n.next_multiple_of(64), 1, 1], [64, 1, 1]).unwrap();
        }
        drop(first);
        let second = gpu.alloc(4 * n).unwrap();
        gpu.write(&second, 0, &bytes(&vec![5; n])).unwrap();
        let mut result = vec![0; 4 * n];
        gpu.read(&second, 0, &mut result).unwrap();
        assert!(result == bytes(&vec![5; n]), "round {round}");
    }
}

#[test]
fn under_load_more_than_four_fifths_of_the_pool_are_in_use() {
    let _alone = alone();
    let Some(gpu) = gpu() else { return };
    let mut seed = 1_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    gpu.set_memory_limit(400 << 20);
    let mut blocks = Vec::new();
    let (mut lowest, mut filled) = (1.0_f64, false);
    for _ in 0..2000 {
        match gpu.alloc(1 + random(8 << 20)) {
            Ok(block) => blocks.push(block),
            Err(fault) => {
                assert_eq!(fault.kind, FaultKind::OutOfMemory);
                filled = true;
                lowest = lowest.min(gpu.pool().utilisation());
                for _ in 0..blocks.len() / 4 {
                    blocks.swap_remove(random(blocks.len()));
                }
            }
        }
        let stats = gpu.pool();
        assert!(stats.used + stats.idle <= stats.limit);
    }
    assert!(filled && lowest > 0.8, "in use when full: {:.1} %", lowest * 100.0);
}

#[test]
fn a_request_beyond_the_limit_is_refused_with_the_numbers() {
    let _alone = alone();
    let Some(gpu) = gpu() else { return };
    gpu.set_memory_limit(10_000_000);
    let _held = gpu.alloc(6_000_000).unwrap();
    let fault = gpu.alloc(6_000_000).unwrap_err();
    assert_eq!(fault.kind, FaultKind::OutOfMemory);
    assert!(fault.text.contains("0.006 GB more") && fault.text.contains("0.010 GB"), "{fault}");
    assert!(!gpu.is_lost());
    let fault = gpu.alloc(usize::MAX / 4).unwrap_err();
    assert!(fault.text.contains("larger than the device's largest"), "{fault}");
}

#[test]
fn a_program_is_built_once_loaded_by_the_next_process_and_rebuilt_if_its_file_is_corrupt() {
    let _alone = alone();
    let cache = folder("cache");
    let settings = Settings { cache: Some(cache.clone()), ..Settings::default() };
    let Some(first) = open(&settings) else { return };
    twice(&first, &[1, 2]).unwrap();
    twice(&first, &[1, 2]).unwrap();
    assert_eq!((first.programs().built, first.programs().loaded), (1, 0));
    let second = open(&settings).unwrap();
    assert_eq!(twice(&second, &[3]).unwrap(), [6]);
    assert_eq!((second.programs().built, second.programs().loaded), (0, 1));

    let files = || std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let [file] = &files()[..] else { panic!("one file: {:?}", files()) };
    let whole = std::fs::read(file).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (what, contents) in
        [("flipped", &flipped[..]), ("cut", &whole[..whole.len() / 2]), ("empty", &[]), ("text", b"x")]
    {
        std::fs::write(file, contents).unwrap();
        let third = open(&settings).unwrap();
        assert_eq!(twice(&third, &[4]).unwrap(), [8], "{what}");
        assert_eq!((third.programs().built, third.programs().rejected), (1, 1), "{what}");
        assert!(std::fs::read(file).unwrap().len() == whole.len(), "the file was replaced after: {what}");
    }
    std::fs::remove_dir_all(cache).unwrap();
}

#[test]
fn another_option_is_another_program() {
    let _alone = alone();
    let cache = folder("options");
    let Some(gpu) = open(&Settings { cache: Some(cache.clone()), ..Settings::default() }) else { return };
    let block = gpu.alloc(4).unwrap();
    for (options, expected) in [("-DFACTOR=3", 21), ("-DFACTOR=5", 35)] {
        gpu.write(&block, 0, &bytes(&[7])).unwrap();
        gpu.launch(&DOUBLE, options, "twice", &[Arg::Block(&block), Arg::I32(1)], [1, 1, 1], [1, 1, 1]).unwrap();
        let mut result = [0; 4];
        gpu.read(&block, 0, &mut result).unwrap();
        assert_eq!(i32::from_ne_bytes(result), expected);
    }
    assert_eq!(gpu.programs().built, 2);
    std::fs::remove_dir_all(cache).unwrap();
}

#[test]
fn a_source_with_an_error_gives_the_compiler_s_first_error() {
    let _alone = alone();
    static WRONG: Source = Source { name: "wrong", parts: &["kernel void f(global int *x) { x[0] = undeclared; }"] };
    let Some(gpu) = gpu() else { return };
    let block = gpu.alloc(4).unwrap();
    let fault = gpu.launch(&WRONG, "", "f", &[Arg::Block(&block)], [1, 1, 1], [1, 1, 1]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::BuildFailed);
    assert!(fault.text.contains("wrong") && fault.text.contains("undeclared"), "{fault}");
    assert_eq!(twice(&gpu, &[1]).unwrap(), [2], "the device is as usable as before");
}

#[test]
fn injected_faults_come_back_as_what_they_stand_for_and_end_when_they_are_used_up() {
    let _alone = alone();
    for (name, kind) in FaultKind::INJECTABLE {
        if matches!(kind, FaultKind::WrongResult | FaultKind::Stalled) {
            continue; // Results are checked, and kernels whose groups wait for one another launched, by callers only.
        }
        let Some(gpu) = gpu() else { return };
        assert!(inject(name, 1));
        let fault = twice(&gpu, &[1, 2, 3]).unwrap_err();
        assert_eq!(fault.kind, kind, "{fault}");
        assert_eq!(gpu.is_lost(), fault.is_fatal(), "{name}");
        inject(name, 0);
        if fault.is_fatal() {
            assert_eq!(twice(&gpu, &[1]).unwrap_err().kind, FaultKind::DeviceLost);
        } else {
            assert_eq!(twice(&gpu, &[1]).unwrap(), [2]);
        }
    }
}

#[test]
fn a_transfer_ends_between_two_chunks_when_the_caller_wants_it() {
    let _alone = alone();
    let Some(gpu) = open(&Settings { staging: 64 << 10, threads: 1, ..Settings::default() }) else { return };
    let block = gpu.alloc(8 << 20).unwrap();
    let begun = AtomicBool::new(false);
    let fill = |_: usize, target: &mut [u8]| {
        begun.store(true, Ordering::Relaxed);
        target.fill(1);
    };
    let fault = gpu.upload(&block, 0, 8 << 20, &fill, &|| begun.load(Ordering::Relaxed)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Cancelled);
    gpu.upload(&block, 0, 8 << 20, &fill, &never).expect("the device and its chunks are as usable as before");
}

#[test]
fn a_trace_has_a_span_for_every_kernel_and_transfer_in_their_order() {
    let _alone = alone();
    let Some(gpu) = gpu() else { return };
    let trace = Trace::default();
    trace.enter(|| twice(&gpu, &vec![1; 100_000])).unwrap();
    let spans = trace.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.name).collect();
    assert_eq!(names, ["upload", "twice", "download"]);
    assert_eq!((spans[0].bytes, spans[1].bytes, spans[2].bytes), (400_000, 0, 400_000));
    assert!(spans[0].start == 0.0 && spans.iter().all(|span| span.seconds >= 0.0 && span.seconds < 10.0));
    assert!(spans[1].start >= spans[0].seconds, "the kernel begins after the upload's end");
    twice(&gpu, &[1]).unwrap();
    assert_eq!(trace.spans().len(), 3, "what comes after does not belong to it");
}

#[test]
fn a_memory_limit_of_the_process_makes_pool_and_staging_smaller() {
    let _alone = alone();
    let Some(large) = gpu() else { return };
    let small = open(&Settings { host_limit: Some(64 << 20), ..Settings::default() }).unwrap();
    assert!(small.staging_bytes() <= 4 << 20 && small.staging_bytes() < large.staging_bytes());
    if small.info().shares_host_memory {
        assert!(small.pool().limit <= 32 << 20);
    }
}

/// In a process of its own, since a device that hangs is left as it is until the process ends.
#[test]
fn a_kernel_that_does_not_end_in_time_costs_its_caller_that_time_and_the_device() {
    if std::env::var_os("LAPACK_AI_TEST_HANG").is_none() {
        let test = "a_kernel_that_does_not_end_in_time_costs_its_caller_that_time_and_the_device";
        let program = std::env::current_exe().unwrap();
        let status =
            std::process::Command::new(program).args(["--exact", test]).env("LAPACK_AI_TEST_HANG", "1").status();
        assert!(status.unwrap().success());
        return;
    }
    let settings = Settings { timeout: Duration::from_millis(200), ..Settings::default() };
    let Some(gpu) = open(&settings) else { return };
    let block = gpu.alloc(4).unwrap();
    let slow = |n: i32| {
        gpu.launch(&DOUBLE, "-DFACTOR=2", "slow", &[Arg::Block(&block), Arg::I32(n)], [1, 1, 1], [1, 1, 1])?;
        gpu.wait_for(&block)
    };
    slow(1).expect("a short one ends in time");
    let started = Instant::now();
    let fault = slow(i32::MAX).unwrap_err();
    assert_eq!(fault.kind, FaultKind::TimedOut, "{fault}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(gpu.is_lost() && gpu.alloc(4).unwrap_err().kind == FaultKind::DeviceLost);
}
