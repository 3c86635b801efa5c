//! The general product with a choice of algorithm, of arrays on an OpenCL device: the first GPU, or PoCL.

use lapack_ai::gpu::array::{DeviceArray, gemm_alpha_on_device};
use lapack_ai::{BatchView, Code, Device, Engine, GemmAlgorithm, GemmAlphaOptions, MatrixView, gpu};

/// The device that the tests run on; `None` where there is none, after one line that says so.
fn device() -> Option<Device> {
    let devices = gpu::devices();
    let found = devices.iter().find(|device| !device.info.is_cpu).or(devices.first());
    if found.is_none() {
        assert!(std::env::var_os("LAPACK_AI_NO_SKIPS").is_none(), "no OpenCL device, and no test may be skipped");
        println!("skipped: no OpenCL device (Debian: apt install pocl-opencl-icd)");
    }
    found.map(|found| Device::On(found.index))
}

/// Integers so small that all sums are exact, a matrix in C order.
fn integers(rows: usize, cols: usize, seed: usize) -> Vec<f64> {
    (0..rows * cols).map(|at| ((at + seed).wrapping_mul(2_654_435_761) % 9) as f64 - 4.0).collect()
}

fn send(device: Device, [rows, cols]: [usize; 2], data: &[f64]) -> DeviceArray {
    let view = BatchView::from(MatrixView::row_major(data, rows, cols).unwrap());
    DeviceArray::from_host(device, &[rows, cols], &view).unwrap()
}

fn fetch(array: &DeviceArray) -> Vec<f64> {
    let mut data = vec![0.0; array.size()];
    array.to_host(&mut data).unwrap();
    data
}

fn asked(algorithm: GemmAlgorithm) -> GemmAlphaOptions {
    GemmAlphaOptions { algorithm: Some(algorithm), timed: true, ..GemmAlphaOptions::default() }
}

#[test]
fn every_algorithm_updates_a_copy_of_c_there_and_says_what_it_did() {
    let Some(device) = device() else { return };
    let [m, n, k] = [70, 66, 75];
    let (a, b, c) = (integers(k, m, 1), integers(k, n, 2), integers(m, n, 3));
    let arrays = [send(device, [k, m], &a), send(device, [k, n], &b), send(device, [m, n], &c)];
    for algorithm in GemmAlgorithm::ALL {
        let options = GemmAlphaOptions { transpose: [true, false], ..asked(algorithm) };
        let (result, report) =
            gemm_alpha_on_device(-1.0, &arrays[0], &arrays[1], 2.0, Some(&arrays[2]), options, Device::RequireGpu)
                .unwrap();
        assert_eq!((report.engine, report.algorithm), (Engine::OpenCl, algorithm.name()));
        assert!(report.reason.starts_with("asked for; "), "{}", report.reason);
        let by_blocks = report.spans.iter().any(|span| span.name == "gemm_fast_combine");
        assert_eq!(by_blocks, algorithm != GemmAlgorithm::Classical, "{:?}", report.spans);
        assert_eq!(report.reason.contains("GB of workspace"), by_blocks, "{}", report.reason);
        let found = fetch(&result);
        for i in 0..m {
            for j in 0..n {
                let sum: f64 = (0..k).map(|l| a[l * m + i] * b[l * n + j]).sum();
                assert_eq!(found[i * n + j], 2.0 * c[i * n + j] - sum, "{} {i} {j}", algorithm.name());
            }
        }
        assert_eq!(fetch(&arrays[2]), c, "c was changed");
    }
}

#[test]
fn accuracy_takes_levels_away_and_then_refuses() {
    let Some(device) = device() else { return };
    let x = send(device, [300, 300], &integers(300, 300, 4));
    let product = |options| gemm_alpha_on_device(1.0, &x, &x, 0.0, None, options, Device::RequireGpu);
    // 80 terms in a block on two levels.
    let two_levels = 80.0 * (1251.5 - 148.0) + 148.0 * (80.0 * 80.0 + 7.0 * 80.0);
    let options = GemmAlphaOptions { accuracy: Some(two_levels), ..asked(GemmAlgorithm::Rank48) };
    let (_, report) = product(options).unwrap();
    assert!(report.reason.contains("rank48 on 2 levels"), "{}", report.reason);
    assert!(report.reason.ends_with(&format!("error bound {two_levels}")), "{}", report.reason);
    let refused = product(GemmAlphaOptions { accuracy: Some(two_levels - 1.0), ..options }).unwrap_err();
    assert_eq!(refused.code(), Code::BadOption);
    assert!(refused.to_string().contains(&format!("error bound {two_levels}")), "{refused}");
    let strict = GemmAlphaOptions { accuracy: Some(90_000.0), ..GemmAlphaOptions::default() };
    assert_eq!(product(strict).unwrap().1.algorithm, "classical");
    let refused = product(GemmAlphaOptions { accuracy: Some(89_999.0), ..strict }).unwrap_err();
    assert!(refused.to_string().contains("90000"), "{refused}");
}

#[test]
fn auto_takes_a_scheme_only_with_a_predicted_gain() {
    let Some(device) = device() else { return };
    let n = 1100;
    let data = integers(n, n, 5);
    let x = send(device, [n, n], &data);
    let options = GemmAlphaOptions { timed: true, ..GemmAlphaOptions::default() };
    let (result, report) = gemm_alpha_on_device(1.0, &x, &x, 0.0, None, options, Device::RequireGpu).unwrap();
    assert_eq!(report.algorithm == "classical", !report.reason.contains("predicted"), "{}", report.reason);
    println!("{}: {}", report.algorithm, report.reason);
    let found = fetch(&result);
    for at in (0..n * n).step_by(9973) {
        let (i, j) = (at / n, at % n);
        let sum: f64 = (0..n).map(|l| data[i * n + l] * data[l * n + j]).sum();
        assert_eq!(found[at], sum, "{i} {j}");
    }
}
