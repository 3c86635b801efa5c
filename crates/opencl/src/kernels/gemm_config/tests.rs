//! Which configurations are valid, and which are tried.

use super::*;

/// An H100's, as OpenCL gives them.
const H100: Limits = Limits { local_memory: 48 << 10, work_group: 1024 };

fn problem(dtype: DType, shape: [usize; 4], along_k: [bool; 2], wide: bool) -> Problem {
    let place = |along_k| Place { along_k, ld: 1024, wide };
    Problem { dtype, shape, a: place(along_k[0]), b: place(along_k[1]) }
}

const SQUARE: [usize; 4] = [1, 1024, 1024, 1024];
const MMA: F64Mma =
    F64Mma { bm: 64, bn: 64, wm: 32, wn: 32, bk: 16, stages: 3, walk: 0, ordered: false, two_b: false, spread: false };
const ASYNC: F32Async = F32Async { bm: 128, bn: 128, tm: 8, tn: 16, stages: 4, walk: 0 };

#[test]
fn every_kernel_has_candidates_that_are_valid_each_once_and_without_the_present_one() {
    for dtype in DType::ALL {
        for along_k in [[false, true], [true, true], [false, false]] {
            for wide in [true, false] {
                let square = problem(dtype, SQUARE, along_k, wide);
                let small = problem(dtype, [1 << 16, 8, 8, 8], along_k, wide);
                let mut all = vec![
                    (Config::General(General::plain(dtype)), square, 10),
                    (Config::Small(Small::plain(small.shape)), small, 10),
                ];
                match dtype {
                    DType::Float64 => all.push((Config::F64Mma(MMA), square, 8)),
                    DType::Float32 => all.push((Config::F32Async(ASYNC), square, 8)),
                    _ => {}
                }
                if !dtype.is_complex() {
                    let present = Batched { tm: 4, tn: 4, group: 16, items: 128 };
                    all.push((Config::Batched(present), small, 12));
                }
                for (present, problem, fewest) in all {
                    let candidates = present.candidates(H100, &problem);
                    assert!(candidates.len() >= fewest, "{} of {present} {problem:?}", candidates.len());
                    for (at, config) in candidates.iter().enumerate() {
                        assert!(config.is_valid(H100, &problem) && *config != present, "{config}");
                        assert_eq!(config.family(), present.family());
                        assert!(!candidates[..at].contains(config), "{config}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_kernel_does_not_take_is_not_valid() {
    let double = problem(DType::Float64, SQUARE, [false, true], true);
    let single = problem(DType::Float32, SQUARE, [false, false], true);
    let mma = |change: fn(&mut F64Mma)| {
        let mut config = MMA;
        change(&mut config);
        Config::F64Mma(config).is_valid(H100, &double)
    };
    assert!(mma(|_| {}));
    let wrong: [fn(&mut F64Mma); 8] = [
        |c| c.stages = 1,
        |c| c.stages = 4,
        |c| c.bk = 12,
        |c| c.wm = 0,
        |c| c.wn = 8,
        |c| c.bm = 48,
        |c| c.bn = usize::MAX,
        |c| (c.wm, c.wn) = (64, 64),
    ];
    for (number, change) in wrong.into_iter().enumerate() {
        assert!(!mma(change), "{number}");
    }
    assert!(!Config::F64Mma(MMA).is_valid(H100, &single), "another type");
    let async_with = |config: F32Async, problem: &Problem| Config::F32Async(config).is_valid(H100, problem);
    assert!(async_with(ASYNC, &single));
    for config in [
        F32Async { stages: 8, ..ASYNC },
        F32Async { tm: 6, ..ASYNC },
        F32Async { tm: 16, ..ASYNC },
        F32Async { bm: 96, ..ASYNC },
        F32Async { tn: usize::MAX / 4 * 4, ..ASYNC },
    ] {
        assert!(!async_with(config, &single), "{config:?}");
    }
    let general = |bm, bn, bk, rm, rn| {
        Config::General(General { bm, bn, bk, rm, rn })
            .is_valid(H100, &problem(DType::Float64, SQUARE, [false; 2], false))
    };
    assert!(general(64, 64, 16, 4, 4));
    for [bm, bn, bk, rm, rn] in [
        [64, 64, 64, 4, 4],
        [64, 64, 16, 0, 4],
        [48, 64, 16, 4, 4],
        [128, 128, 8, 1, 1],
        [64, 64, 1, 4, 4],
        [8, 64, 16, 16, 4],
    ] {
        assert!(!general(bm, bn, bk, rm, rn), "{bm} {bn} {bk} {rm} {rn}");
    }
    let batched = |tm, tn, group, items| {
        let small = problem(DType::Float64, [1 << 16, 8, 8, 8], [false, true], true);
        Config::Batched(Batched { tm, tn, group, items }).is_valid(H100, &small)
    };
    assert!(batched(4, 4, 16, 128));
    for [tm, tn, group, items] in
        [[3, 4, 16, 128], [4, 0, 16, 128], [4, 4, 48, 128], [4, 4, usize::MAX, 128], [4, 4, 16, 2048], [8, 8, 32, 4]]
    {
        assert!(!batched(tm, tn, group, items), "{tm} {tn} {group} {items}");
    }
}

#[test]
fn a_device_with_less_takes_less() {
    let square = problem(DType::Float32, SQUARE, [false; 2], true);
    let small = Limits { local_memory: 16 << 10, work_group: 128 };
    let present = Config::General(General::plain(DType::Float32));
    assert!(!present.is_valid(small, &square), "256 work-items");
    let candidates = present.candidates(small, &square);
    assert!(!candidates.is_empty() && candidates.len() < present.candidates(H100, &square).len());
    for config in candidates {
        let Config::General(General { bm, bn, bk, .. }) = config else { panic!("{config}") };
        assert!((bm + bn + 2) * bk * 4 <= 16 << 10 && config.tile().1 <= 128, "{config}");
    }
}
