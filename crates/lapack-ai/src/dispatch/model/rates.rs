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

use super::case::{Case, OpKind};
use crate::report::Engine;

/// Seconds that a call takes without any work.
const OVERHEAD: f64 = 0.4e-6;
/// Seconds to start a thread.
const START: f64 = 20e-6;

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
            Engine::OpenCl => {
                let work = (flops * batch + FILLING) / (rate * case.op.efficiency());
                self.launch + work + batch * bytes
            }
        })
    }
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
                    assert!(seconds(4000, 1) > 4.0 * seconds(2000, 1), "{engine:?} {op:?}");
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
    fn a_device_without_double_precision_has_no_time_for_it() {
        let rates = Rates::gpu(0.0, 1e13, 1e12);
        assert!(rates.seconds(Engine::OpenCl, &Case::matmul(DType::Float64, 10, 10, 10)).is_none());
        assert!(rates.seconds(Engine::OpenCl, &Case::matmul(DType::Complex64, 10, 10, 10)).is_some());
    }
}
