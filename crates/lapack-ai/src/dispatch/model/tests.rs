use super::*;
use DType::{Float32, Float64};

const KERNELS: &[OpKind] = &[OpKind::Matmul];

fn model() -> Model {
    Model::new(Rates::cpu(16), Some((Rates::gpu(30e12, 60e12, 4e12), KERNELS)))
}

fn measured() -> Model {
    let mut model = model();
    for engine in [Engine::Cpu, Engine::OpenCl] {
        assert!(model.put((engine, OpKind::Matmul, Float64), vec![vec![0.0]], &[Some(1.0)]));
    }
    model
}

fn square(n: usize) -> Case {
    Case::matmul(Float64, n, n, n)
}

#[test]
fn small_products_stay_on_the_cpu_and_large_ones_go_to_the_gpu() {
    let model = model();
    let engine = |n| model.choose(&square(n), Moves::all(&square(n))).engine;
    assert_eq!((engine(16), engine(8192)), (Engine::Cpu, Engine::OpenCl));
    assert!(model.is_too_small(&square(8)) && !model.is_too_small(&square(2000)));
    assert!(!Model::new(Rates::cpu(1), None).choose(&square(8192), Moves::none()).reason().contains("OpenCL"));
}

#[test]
fn operands_that_lie_on_the_device_cost_no_transfer() {
    let (model, case) = (model(), square(1000));
    let bytes = 8_000_000;
    let one = |direction| model.transfer_seconds(direction, bytes);
    let transfer = |moves| model.predict(&case, moves).transfer.unwrap();
    assert_eq!(transfer(Moves::none()), 0.0);
    assert_eq!(transfer(Moves::with_on_device(&case, [true, true], true)), 0.0);
    assert_eq!(transfer(Moves::with_on_device(&case, [false, true], true)), one(Direction::Upload));
    assert_eq!(transfer(Moves::with_on_device(&case, [true, true], false)), one(Direction::Download));
    assert_eq!(transfer(Moves::all(&case)), 2.0 * one(Direction::Upload) + one(Direction::Download));
}

#[test]
fn an_operation_without_a_kernel_has_no_time_on_the_gpu() {
    let case = Case::matrix(OpKind::Svd, Float64, 4000, 4000);
    let choice = model().choose(&case, Moves::all(&case));
    assert_eq!((choice.engine, choice.prediction.gpu, choice.prediction.transfer), (Engine::Cpu, None, None));
    assert!(choice.reason().contains("no GPU kernel"), "{}", choice.reason());
}

#[test]
fn without_measurements_the_gpu_must_be_much_faster_and_the_reason_says_so() {
    let mut model = Model::new(Rates::cpu(1), Some((Rates::gpu(30e12, 60e12, 4e12), KERNELS)));
    // The size at which the GPU is 1.5 times as fast as the CPU, with operands on the device.
    let ratio = |model: &Model, n| {
        let prediction = model.predict(&square(n), Moves::none());
        prediction.cpu.unwrap() / prediction.gpu.unwrap()
    };
    let n = (8..4000).find(|n| ratio(&model, *n) > 1.4).unwrap();
    assert!(ratio(&model, n) < 2.0);
    let prior = model.choose(&square(n), Moves::none());
    assert_eq!((prior.engine, prior.source), (Engine::Cpu, Source::Prior));
    assert!(prior.reason().contains("nothing was measured"), "{}", prior.reason());
    for engine in [Engine::Cpu, Engine::OpenCl] {
        assert!(model.put((engine, OpKind::Matmul, Float64), vec![vec![0.0]], &[Some(1.0)]));
    }
    let choice = model.choose(&square(n), Moves::none());
    assert_eq!((choice.engine, choice.source), (Engine::OpenCl, Source::Measured));
    assert_eq!(model.source(Engine::Cpu, OpKind::Matmul, Float32), Source::Prior);
}

#[test]
fn the_reason_has_the_numbers_that_were_compared() {
    let prediction = Prediction { cpu: Some(0.031), gpu: Some(0.0004), transfer: Some(0.0008) };
    let choice = |engine| Choice { engine, prediction, source: Source::Measured };
    assert_eq!(choice(Engine::OpenCl).reason(), "OpenCL: 1.2 ms predicted (800 us of it transfers), CPU 31 ms");
    assert_eq!(choice(Engine::Cpu).reason(), "CPU: 31 ms predicted, OpenCL 1.2 ms predicted (800 us of it transfers)");
    let text = |seconds| Duration(seconds).to_string();
    assert_eq!([text(3.2e-7), text(9.96e-6), text(2.5), text(123.0)], ["0.32 us", "10 us", "2.5 s", "123 s"]);
}

#[test]
fn predictions_follow_the_calls_of_that_size_only() {
    let model = measured();
    let before = model.seconds(Engine::Cpu, &square(1000)).unwrap();
    let other = model.seconds(Engine::Cpu, &square(100)).unwrap();
    (0..60).for_each(|_| model.learn(&square(1000), Engine::Cpu, 3.0 * before, 0.0));
    let after = model.seconds(Engine::Cpu, &square(1000)).unwrap();
    assert!((after / before - 3.0).abs() < 0.05);
    assert_eq!(model.seconds(Engine::Cpu, &square(100)).unwrap(), other);
}

#[test]
fn transfers_are_learnt_apart_from_the_kernels() {
    let model = measured();
    let case = square(1000);
    let kernel = model.seconds(Engine::OpenCl, &case).unwrap();
    let transfer = model.transfer_seconds(Direction::Upload, 8_000_000);
    (0..60).for_each(|_| model.learn(&case, Engine::OpenCl, kernel + 5.0, 5.0));
    assert!((model.seconds(Engine::OpenCl, &case).unwrap() / kernel - 1.0).abs() < 0.01);
    (0..60).for_each(|_| model.learn_transfer(Direction::Upload, 8_000_000, transfer / 2.0));
    assert!((model.transfer_seconds(Direction::Upload, 8_000_000) / transfer - 0.5).abs() < 0.01);
    assert_eq!(model.transfer_seconds(Direction::Download, 8_000_000), transfer);
}

#[test]
fn new_measurements_take_the_place_of_what_calls_had_taught() {
    let mut model = measured();
    let plain = model.seconds(Engine::Cpu, &square(1000)).unwrap();
    (0..60).for_each(|_| model.learn(&square(1000), Engine::Cpu, 3.0 * plain, 0.0));
    assert!(model.put((Engine::Cpu, OpKind::Matmul, Float64), vec![vec![0.0]], &[Some(2.0)]));
    assert!((model.seconds(Engine::Cpu, &square(1000)).unwrap() / plain - 2.0).abs() < 1e-9);
}

#[test]
fn measured_transfers_are_met_at_their_sizes_and_grow_with_the_bytes_beyond() {
    let mut model = model();
    let points = [(4096, 12e-6), (1 << 20, 100e-6), (64 << 20, 5e-3)];
    assert!(model.put_transfers(Direction::Download, &points));
    for (bytes, seconds) in points {
        assert!((model.transfer_seconds(Direction::Download, bytes) / seconds - 1.0).abs() < 1e-9);
    }
    let beyond = model.transfer_seconds(Direction::Download, 640 << 20);
    assert!((0.049..0.051).contains(&beyond), "{beyond}");
    assert!(!model.put_transfers(Direction::Upload, &[]));
    assert!(!model.put_transfers(Direction::Upload, &[(10, 1.0), (5, 1.0)]));
}

#[test]
fn a_call_of_nothing_takes_no_time_and_teaches_nothing() {
    let model = model();
    let empty = square(0);
    model.learn(&empty, Engine::Cpu, 1.0, 0.0);
    assert_eq!(model.predict(&empty, Moves::all(&empty)).cpu, Some(0.0));
    assert_eq!(model.choose(&empty, Moves::all(&empty)).engine, Engine::Cpu);
}
