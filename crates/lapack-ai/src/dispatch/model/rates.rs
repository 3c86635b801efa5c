//! Time from plain rates: what is known of a machine before anything was measured, and the shape that measured times are
//! held against.
//!
//! With F operations and M bytes a matrix, d the geometric mean of what one side of a product of F operations would be,
//! and b matrices,
//!
//! ```text
//! CPU, one thread    t1 = F / (rate efficiency) (1 + 48 / d) + M / memory
//! CPU                t  = overhead + starts + b t1 / speed-up
//! GPU                t  = launch   + (F b + 2e8) / (rate efficiency) + M b / memory
//! ```
//!
//! On T threads a single matrix is sped up by `(T^-2 + (1 + F / 2e6)^-2)^(-1/2)`, a smooth form of the smaller of the
//! two, and a batch by as many threads as the library starts for it (`batch::Plan`): it takes an operation for 0.5 ns,
//! and 60 us of work for worth a thread. A GPU takes some 2e8 operations' time to fill.
//!
//! The SVD on a GPU has three kinds of time. Of an l x s matrix, r = l rows or, where it is factorised first, r = s:
//!
//! ```text
//! steps      (2 + 1/16) s, with vectors 3/8 s more: steps that wait for each other, 3.5 us each
//! sweeps     r s^2 / 2 - s^3 / 6 elements read, at 3/4 of the memory's rate: the rest of the matrix once for each column
//! products   4 r s^2 / 2 - 4 s^3 / 6, with vectors 4 r s^2 + 4 s^3 more, at 3/5 of the rate of large products
//! QR first   8 l s elements to and from memory, and 6 l s^2 operations
//! ```
//!
//! The numbers of steps and elements are those of the algorithm; 3.5 us, 3/4 and 3/5 were found on an H100, where a panel is one
//! kernel. Devices that need a kernel for each step are slower, which is learnt from their calls.

use super::case::{Case, OpKind};
use crate::report::Engine;
use lapack_ai_opencl::svd::factorises_first;

/// Seconds that a call takes without any work.
const OVERHEAD: f64 = 0.4e-6;
/// Seconds to start a thread.
const START: f64 = 20e-6;

/// Seconds from one step to the next that waits for it.
const STEP: f64 = 3.5e-6;
/// Parts of the memory's and of the products' rates that the SVD on a GPU reaches.
const SWEEPS: f64 = 0.75;
const PRODUCTS: f64 = 0.6;

/// Operations in whose time a GPU fills its units and drains them.
const FILLING: f64 = 2e8;

/// What an engine can do at best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Double-precision operations a second, all cores together.
    pub flops64: f64,
    /// Single-precision operations a second, all cores together.
    pub flops32: f64,
    /// Bytes a second to and from memory.
    pub memory: f64,
    /// Threads of a CPU; 1 for a GPU.
    pub threads: usize,
    /// Seconds from the call to the start of a kernel; 0 for a CPU.
    pub launch: f64,
}

impl Rates {
    /// A CPU of some ten years' age or less: 32 GFLOP/s a thread in double precision, 10 GB/s of memory.
    pub fn cpu(threads: usize) -> Self {
        let count = threads.max(1) as f64;
        Self { flops64: 32e9 * count, flops32: 64e9 * count, memory: 10e9, threads: threads.max(1), launch: 0.0 }
    }

    /// A GPU with the given peaks, in operations and bytes a second, and 30 us to launch a kernel. Without double
    /// precision `flops64` is 0, and its cases have no time.
    pub fn gpu(flops64: f64, flops32: f64, memory: f64) -> Self {
        Self { flops64, flops32, memory, threads: 1, launch: 30e-6 }
    }

    /// Seconds of `case`; `None` where the engine does not compute in its type.
    pub(crate) fn seconds(&self, engine: Engine, case: &Case) -> Option<f64> {
        let double = case.dtype.is_double();
        let rate = if double { self.flops64 } else { self.flops32 };
        if rate <= 0.0 {
            return None;
        }
        let (flops, batch) = (case.flops_each().max(1.0), case.batch.max(1) as f64);
        let side = (flops / 2.0).cbrt();
        let bytes = case.bytes_each() / self.memory;
        Some(match engine {
            Engine::Cpu => {
                let threads = self.threads as f64;
                let one = flops * threads / (rate * case.op.efficiency()) * (1.0 + 48.0 / side) + bytes;
                let shared = (threads.powi(-2) + (1.0 + flops / 2e6).powi(-2)).sqrt().recip().max(1.0);
                let rough = flops / if case.op == OpKind::Matmul { 8e9 } else { 2e9 } + 0.3e-6;
                let workers = (batch * rough / 60e-6).floor().min(threads.min(batch));
                // Large matrices that do not come out even are left to the LAPACK's own threads.
                let uneven = (batch / threads).ceil() * threads > 1.15 * batch && rough > 2e-3;
                if workers < 2.0 || uneven {
                    OVERHEAD + batch * one / shared
                } else {
                    OVERHEAD + START + batch * one / workers
                }
            }
            Engine::OpenCl if matches!(case.op, OpKind::Svd | OpKind::SvdVals) => {
                self.launch + batch * svd_on_gpu(case, rate, self.memory)
            }
            Engine::OpenCl => {
                let work = (flops * batch + FILLING) / (rate * case.op.efficiency());
                self.launch + work + batch * bytes
            }
        })
    }
}

/// Seconds of one decomposition on a GPU with rate `flops` of products and `memory` bytes a second.
fn svd_on_gpu(case: &Case, flops: f64, memory: f64) -> f64 {
    let (l, s) = (case.m.max(case.n), case.m.min(case.n));
    let first = factorises_first(l, s);
    let (l, s) = (l as f64, s as f64);
    let r = if first { s } else { l };
    let swept = r * s * s / 2.0 - s * s * s / 6.0;
    let (steps, operations) = match case.op {
        OpKind::Svd => (2.4375 * s, 4.0 * swept + 4.0 * (r * s * s + s * s * s)),
        _ => (2.0625 * s, 4.0 * swept),
    };
    let size = case.dtype.size() as f64;
    let (bytes, more) = if first { (8.0 * l * s * size, 6.0 * l * s * s) } else { (0.0, 0.0) };
    STEP * steps + (swept * size / SWEEPS + bytes) / memory + (operations + more) / (flops * PRODUCTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapack_ai_core::DType;

    #[test]
    fn time_grows_with_every_size() {
        for (engine, rates) in [(Engine::Cpu, Rates::cpu(16)), (Engine::OpenCl, Rates::gpu(3e13, 6e13, 4e12))] {
            for op in OpKind::ALL {
                for dtype in DType::ALL {
                    let seconds = |n, batch| {
                        let case = Case::matrix(op, dtype, n, n).with_rhs(n).batched(batch);
                        rates.seconds(engine, &case).unwrap()
                    };
                    // A device has as many steps for a column however long it is.
                    let stepwise = engine == Engine::OpenCl && matches!(op, OpKind::Svd | OpKind::SvdVals);
                    let growth = if stepwise { 2.5 } else { 4.0 };
                    assert!(seconds(4000, 1) > growth * seconds(2000, 1), "{engine:?} {op:?}");
                    assert!(seconds(4, 1) < 2e-4, "{engine:?} {op:?}: {}", seconds(4, 1));
                    assert!(seconds(100, 200) > seconds(100, 100), "{engine:?} {op:?}");
                }
            }
        }
    }

    #[test]
    fn a_batch_takes_the_threads_that_small_matrices_alone_do_not() {
        let (one, many) = (Rates::cpu(1), Rates::cpu(16));
        let case = Case::matrix(OpKind::Solve, DType::Float64, 16, 16);
        let gain = |case: Case| one.seconds(Engine::Cpu, &case).unwrap() / many.seconds(Engine::Cpu, &case).unwrap();
        assert!(gain(case) < 1.1);
        assert!(gain(case.batched(100_000)) > 15.0);
    }

    #[test]
    fn the_svd_on_a_gpu_takes_what_it_took_on_an_h100() {
        // Copies at 3 TB/s; products at 55 and 48 TFLOP/s.
        let rates = Rates::gpu(55e12, 48e12, 3e12);
        let double: &[_] = &[(512, 5.4e-3), (1024, 11.0e-3), (2048, 28.1e-3), (4096, 0.130), (8192, 0.848)];
        let single: &[_] = &[(1024, 10.1e-3), (2048, 24.0e-3), (8192, 0.453)];
        for (dtype, times) in [(DType::Float64, double), (DType::Float32, single)] {
            for &(n, time) in times {
                let predicted = rates.seconds(Engine::OpenCl, &Case::matrix(OpKind::Svd, dtype, n, n)).unwrap();
                assert!((0.65..1.35).contains(&(predicted / time)), "{dtype:?} {n}: {predicted} for {time}");
            }
        }
    }

    #[test]
    fn a_device_without_double_precision_has_no_time_for_it() {
        let rates = Rates::gpu(0.0, 1e13, 1e12);
        assert!(rates.seconds(Engine::OpenCl, &Case::matmul(DType::Float64, 10, 10, 10)).is_none());
        assert!(rates.seconds(Engine::OpenCl, &Case::matmul(DType::Complex64, 10, 10, 10)).is_some());
    }
}
