//! Products on an OpenCL device against exact bounds, in every layout; what happens when a device fails.
//!
//! They run on the first GPU, or on PoCL. Faults are injected for the whole process, so tests go one by one.

mod common;

use lapack_ai::gpu::array::{DeviceArray, Norm, Sums, matmul_on_device};
use lapack_ai::gpu::{self, inject_fault};
use lapack_ai::{
    BatchView, BatchViewMut, CallOptions, Code, Complex32, Complex64, Device, Engine, Matrix, MatrixView,
    MatrixViewMut, Scalar, matmul, matmul_into,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for name in ["allocation", "build", "lost", "timeout", "wrong", "stall"] {
        inject_fault(name, 0);
    }
    guard
}

/// The device that the tests run on; `None` where there is none, after one line that says so.
fn device() -> Option<Device> {
    let devices = gpu::devices();
    let found = devices.iter().find(|device| !device.info.is_cpu).or(devices.first());
    match found {
        Some(found) => Some(Device::On(found.index)),
        None if std::env::var_os("LAPACK_AI_NO_SKIPS").is_some() => {
            panic!("no OpenCL device, and no test may be skipped")
        }
        None => {
            println!("skipped: no OpenCL device (Debian: apt install pocl-opencl-icd)");
            None
        }
    }
}

fn on(device: Device) -> CallOptions {
    CallOptions { device, timed: true, ..CallOptions::default() }
}

fn random<T: Scalar>(count: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| T::from_complex128(Complex64::new(next(), next()))).collect()
}

/// The largest `|c_ij - sum a_il b_lj|` in units of `k eps sum |a_il| |b_lj|`, the sum in double precision.
fn units<T: Scalar>(a: MatrixView<'_, T>, b: MatrixView<'_, T>, c: MatrixView<'_, T>) -> f64 {
    let eps = if T::DTYPE.size() == 4 || T::DTYPE == lapack_ai::DType::Complex64 {
        f32::EPSILON as f64
    } else {
        f64::EPSILON
    };
    let mut worst = 0.0_f64;
    for i in 0..c.rows() {
        for j in 0..c.cols() {
            let (mut sum, mut bound) = (Complex64::new(0.0, 0.0), 0.0);
            for l in 0..a.cols() {
                sum += a.get(i, l).to_complex128() * b.get(l, j).to_complex128();
                bound += a.get(i, l).modulus() * b.get(l, j).modulus();
            }
            let error = (c.get(i, j).to_complex128() - sum).norm();
            let allowed = a.cols().max(1) as f64 * eps * bound;
            worst = worst.max(if error == 0.0 { 0.0 } else { error / allowed });
        }
    }
    worst
}

fn within(units: f64, what: &str) {
    assert!(units <= 30.0, "{what}: {units:.2} k eps");
    if units > 5.0 {
        println!("{what}: {units:.2} k eps");
    }
}

fn every_shape<T: Scalar>(device: Device) {
    for (m, n, k) in
        [(1, 1, 1), (7, 5, 3), (64, 64, 64), (65, 63, 17), (130, 70, 129), (1, 200, 50), (200, 1, 50), (3, 3, 500)]
    {
        let (a, b) = (random::<T>(m * k, 1), random::<T>(k * n, 2));
        for (a_row_major, b_row_major) in [(true, true), (false, true), (true, false), (false, false)] {
            let view = |data, rows, cols, row_major| {
                let make = if row_major { MatrixView::row_major } else { MatrixView::col_major };
                make(data, rows, cols).expect("the lengths agree")
            };
            let (a, b) = (view(&a, m, k, a_row_major), view(&b, k, n, b_row_major));
            let (c, report) = matmul(a, b, on(device)).unwrap();
            assert_eq!(report.engine, Engine::OpenCl, "{}", report.reason);
            within(units(a, b, c.view()), &format!("{m} x {k} x {n}"));
        }
    }
}

#[test]
fn products_of_all_types_shapes_and_orders_are_within_their_bounds_on_the_device() {
    let _alone = alone();
    let Some(device) = device() else { return };
    every_shape::<f32>(device);
    every_shape::<f64>(device);
    every_shape::<Complex32>(device);
    every_shape::<Complex64>(device);
}

#[test]
fn empty_products_are_zero_or_nothing() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let (c, _) = matmul(view(&[], 3, 0), view(&[], 0, 2), on(device)).unwrap();
    assert_eq!((c.rows(), c.cols(), c.as_slice()), (3, 2, &[0.0; 6][..]));
    let (c, _) = matmul(view(&[], 0, 4), view(&[0.0; 8], 4, 2), on(device)).unwrap();
    assert_eq!((c.rows(), c.cols()), (0, 2));
}

fn view(data: &[f64], rows: usize, cols: usize) -> MatrixView<'_, f64> {
    MatrixView::row_major(data, rows, cols).expect("the lengths agree")
}

#[test]
fn strided_reversed_and_windowed_operands_are_packed_right() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let data = random::<f64>(40 * 40, 3);
    // SAFETY: every element lies inside the 40 x 40 numbers.
    let views = unsafe {
        let at =
            |offset: usize, row: isize, col: isize| MatrixView::from_raw(data.as_ptr().add(offset), 13, 13, row, col);
        [at(0, 40, 1), at(5, 1, 40), at(0, 80, 2), at(39 * 40, -40, 1), at(12, 40, -1), at(0, 0, 1), at(41, 40, 3)]
    };
    for a in views {
        for b in views {
            let (c, report) = matmul(a, b, on(device)).unwrap();
            assert_eq!(report.engine, Engine::OpenCl);
            within(units(a, b, c.view()), "strided");
        }
    }
}

#[test]
fn batches_and_broadcast_operands_go_to_the_device() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let (a, b) = (random::<f64>(12 * 5 * 7, 4), random::<f64>(12 * 7 * 6, 5));
    let b_view = BatchView::row_major(&b, 12, 7, 6).unwrap();
    let one = BatchView::from(view(&a[..35], 5, 7));
    let many = BatchView::row_major(&a, 12, 5, 7).unwrap();
    // SAFETY: a (3, 1) and a (4,) batch inside the same memory.
    let (outer, inner) = unsafe {
        let outer = BatchView::from_raw(view(&a[..35], 5, 7), &[3, 1], &[35, 0]);
        (outer, BatchView::from_raw(view(&b[..42], 7, 6), &[4], &[42]))
    };
    for (name, a, b, shape) in [
        ("both", &many, &b_view, vec![12]),
        ("one a", &one, &b_view, vec![12]),
        ("crossed", &outer, &inner, vec![3, 4]),
    ] {
        let mut c = vec![0.0; 12 * 30];
        // SAFETY: 12 matrices of 30 elements, one behind the other.
        let mut out = unsafe {
            let first = MatrixViewMut::from_raw(c.as_mut_ptr(), 5, 6, 6, 1);
            let strides = if shape.len() == 1 { vec![30] } else { vec![120, 30] };
            BatchViewMut::from_raw(first, &shape, &strides)
        };
        let report = matmul_into(a, b, &mut out, on(device)).unwrap();
        assert_eq!(report.engine, Engine::OpenCl, "{name}");
        let (a, b) = (a.broadcast_to(&shape).unwrap(), b.broadcast_to(&shape).unwrap());
        for index in 0..12 {
            within(units(a.matrix(index), b.matrix(index), out.as_view().matrix(index)), name);
        }
    }
}

#[test]
fn a_product_too_large_for_the_device_goes_in_pieces_and_says_so() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let former = gpu::set_memory_limit(device, 3_000_000).unwrap();
    for (m, n, k) in [(500, 500, 500), (20, 3000, 100), (3000, 20, 100), (30, 30, 9000)] {
        let (a, b) = (random::<f64>(m * k, 6), random::<f64>(k * n, 7));
        let (a, b) = (view(&a, m, k), view(&b, k, n));
        let (c, report) = matmul(a, b, on(device)).unwrap();
        assert_eq!(report.engine, Engine::OpenCl, "{}", report.reason);
        assert!(report.chunks > 1, "{m} {n} {k}");
        let warning = report.warnings.iter().find(|warning| warning.code() == Code::InPieces).expect("a warning");
        let text = warning.to_string();
        assert!(text.contains("GB to give") && text.contains(&format!("{} pieces", report.chunks)), "{text}");
        within(units(a, b, c.view()), "in pieces");
    }
    gpu::set_memory_limit(device, former).unwrap();
}

#[test]
fn every_fault_gives_the_cpu_s_result_with_the_reason_and_a_warning() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let data = random::<f64>(90 * 90, 8);
    let a = view(&data, 90, 90);
    let (right, _) = matmul(a, a, on(Device::Cpu)).unwrap();
    for (name, text) in [
        ("allocation", "refused"),
        ("build", "could not be built"),
        ("lost", "stopped answering"),
        ("timeout", "in time"),
    ] {
        // A program that is built already is not built again, and a product may have several kernels to fall back to.
        if name == "build" {
            gpu::forget(device);
        }
        inject_fault(name, if name == "build" { 20 } else { 1 });
        let (c, report) = matmul(a, a, on(device)).unwrap();
        inject_fault(name, 0);
        assert_eq!((report.engine, &report.device), (Engine::Cpu, &None), "{name}");
        assert!(report.reason.contains("failed") && report.reason.contains(text), "{name}: {}", report.reason);
        assert!(report.warnings.iter().any(|warning| warning.code() == Code::GpuNotUsed), "{name}");
        assert!(c.as_slice() == right.as_slice(), "{name}: the CPU's bits");
        let (_, report) = matmul(a, a, on(device)).unwrap();
        assert_eq!(report.engine, Engine::OpenCl, "the device works again after {name}: {}", report.reason);
    }
}

#[test]
fn a_wrong_result_is_found_by_the_check_and_replaced_by_the_cpu_s() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let data = random::<f64>(100 * 100, 9);
    let a = view(&data, 100, 100);
    let (right, _) = matmul(a, a, on(Device::Cpu)).unwrap();
    gpu::check_next(device);
    inject_fault("wrong", 1);
    let (c, report) = matmul(a, a, on(device)).unwrap();
    assert_eq!(report.engine, Engine::Cpu);
    assert!(report.reason.contains("gave a wrong product: element"), "{}", report.reason);
    assert!(c.as_slice() == right.as_slice());
    gpu::check_next(device);
    let (_, report) = matmul(a, a, on(device)).unwrap();
    assert!(report.engine == Engine::OpenCl && report.verified);
}

#[test]
fn operands_with_nan_and_inf_pass_the_check() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let mut data = random::<f64>(50 * 50, 10);
    (data[3], data[700]) = (f64::NAN, f64::INFINITY);
    for _ in 0..5 {
        gpu::check_next(device);
        let (c, report) = matmul(view(&data, 50, 50), view(&data, 50, 50), on(device)).unwrap();
        assert!(report.engine == Engine::OpenCl && report.verified, "{}", report.reason);
        assert!(c.get(0, 0).is_nan());
    }
}

#[test]
fn a_required_device_that_fails_is_an_error_and_one_that_is_not_there_too() {
    let _alone = alone();
    let Some(_) = device() else { return };
    let error = matmul(view(&[1.0], 1, 1), view(&[1.0], 1, 1), on(Device::On(99))).map(|(_, report)| report);
    assert!(error.unwrap().warnings.iter().any(|warning| warning.code() == Code::GpuNotUsed));
    assert_eq!(gpu::device_named("no such device").unwrap_err().code(), Code::GpuUnavailable);
}

#[test]
fn after_five_failures_the_device_is_left_alone_and_the_report_says_why() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let data = random::<f64>(100, 11);
    let a = view(&data, 10, 10);
    inject_fault("allocation", 5);
    for _ in 0..5 {
        assert!(matmul(a, a, on(device)).unwrap().1.reason.contains("injected"));
    }
    let (_, report) = matmul(a, a, on(device)).unwrap();
    assert_eq!(report.engine, Engine::Cpu);
    assert!(
        report.reason.contains("failed too often") && report.reason.contains("open, next try in"),
        "{}",
        report.reason
    );
    let Device::On(index) = device else { unreachable!("a device by number") };
    assert!(gpu::devices()[index].breaker.to_string().starts_with("open"));
    gpu::close_breaker(device);
    assert_eq!(matmul(a, a, on(device)).unwrap().1.engine, Engine::OpenCl);
}

#[test]
fn many_threads_multiply_on_one_device_at_once() {
    let _alone = alone();
    let Some(device) = device() else { return };
    std::thread::scope(|scope| {
        for thread in 0..6 {
            scope.spawn(move || {
                for round in 0..10 {
                    let n = 20 + 7 * round + thread;
                    let data = random::<f64>(n * n, (n * thread + 1) as u64);
                    let (c, report) = matmul(view(&data, n, n), view(&data, n, n), on(device)).unwrap();
                    assert_eq!(report.engine, Engine::OpenCl, "{}", report.reason);
                    within(units(view(&data, n, n), view(&data, n, n), c.view()), "threads");
                }
            });
        }
    });
}

#[test]
fn the_report_has_spans_of_kernels_and_transfers_that_add_up() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let data = random::<f64>(300 * 300, 12);
    let (_, report) = matmul(view(&data, 300, 300), view(&data, 300, 300), on(device)).unwrap();
    let bytes = |name: &str| report.spans.iter().filter(|span| span.name == name).map(|span| span.bytes).sum::<usize>();
    // A check moves a few numbers more.
    let operands = 2 * 300 * 300 * 8;
    assert!((operands..operands + 4096).contains(&bytes("upload")), "{}", bytes("upload"));
    assert!(bytes("download") >= 300 * 300 * 8);
    assert!(report.spans.iter().any(|span| span.name.starts_with("gemm") && span.seconds > 0.0));
    assert!(report.times.compute + report.times.transfer <= report.times.total);
}

fn to_device<T: Scalar>(device: Device, shape: &[usize], data: &[T]) -> DeviceArray {
    let (rows, cols) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let count = shape[..shape.len() - 2].iter().product();
    let source = BatchView::row_major(data, count, rows, cols).expect("the lengths agree");
    DeviceArray::from_host(device, shape, &source).unwrap()
}

fn to_host<T: Scalar>(array: &DeviceArray) -> Vec<T> {
    let mut data = vec![T::ZERO; array.size()];
    array.to_host(&mut data).unwrap();
    data
}

#[test]
fn device_arrays_keep_their_values_through_views_copies_and_products() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let data = random::<f64>(4 * 6 * 8, 13);
    let a = to_device(device, &[4, 6, 8], &data);
    assert!(to_host::<f64>(&a) == data);
    let transposed = to_host::<f64>(&a.transposed());
    for (index, value) in transposed.iter().enumerate() {
        let (t, i, j) = (index / 48, index / 6 % 8, index % 6);
        assert_eq!(*value, data[t * 48 + j * 8 + i]);
    }
    let part = a.sliced(1, 1, 3, 2).sliced(2, 7, 4, -2);
    let values = to_host::<f64>(&part);
    for (index, value) in values.iter().enumerate() {
        let (t, i, j) = (index / 12, index / 4 % 3, index % 4);
        assert_eq!(*value, data[t * 48 + (1 + 2 * i) * 8 + 7 - 2 * j]);
    }
    let (c, report) = matmul_on_device(&a, &a.transposed(), Sums::Rounded, on(device)).unwrap();
    assert_eq!((report.engine, c.shape()), (Engine::OpenCl, &[4, 6, 6][..]));
    let c = to_host::<f64>(&c);
    for t in 0..4 {
        let a = view(&data[t * 48..(t + 1) * 48], 6, 8);
        within(units(a, a.transposed(), view(&c[t * 36..(t + 1) * 36], 6, 6)), "on the device");
    }
    let sum = a.combined(Complex64::new(2.0, 0.0), &a, Complex64::new(-1.0, 0.0)).unwrap();
    assert!(to_host::<f64>(&sum).iter().zip(&data).all(|(sum, x)| (sum - x).abs() <= 4.0 * f64::EPSILON * x.abs()));
    let norm = a.norms(Norm::Frobenius).unwrap();
    for (t, norm) in norm.iter().enumerate() {
        let exact = data[t * 48..(t + 1) * 48].iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!((norm - exact).abs() <= 30.0 * 48.0 * f64::EPSILON * exact);
    }
}

#[test]
fn the_convenient_form_gives_a_matrix_of_the_documented_order() {
    let _alone = alone();
    let Some(device) = device() else { return };
    let a = view(&[1.0, 2.0, 3.0, 4.0], 2, 2);
    let (c, _): (Matrix<f64>, _) = matmul(a, a, on(device)).unwrap();
    assert!(c.is_row_major());
    assert_eq!(c.as_slice(), [7.0, 10.0, 15.0, 22.0]);
}
