//! Real calls for the calibration: the library's own operations on random matrices.

use super::Measured;
use crate::dispatch::model::{Case, OpKind};
use crate::ops::svd::output_is_row_major;
use crate::report::Report;
use crate::{
    CallOptions, Device, EighOptions, EighOut, Engine, LstsqOptions, LstsqOut, QrMode, QrOut, SchurOut, SolveOptions,
    SvdOptions, SvdOut, Vectors, cholesky_into, det_into, eig_into, eigh_into, inv_into, lstsq_into, lu_factor_into,
    matmul_into, qr_into, schur_into, solve_into, svd_into,
};
use crate::{EigOptions, EigOut};
use lapack_ai_core::{BatchView, BatchViewMut, Complex32, Complex64, DType, Real, Result, Scalar};
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

/// Bytes that one buffer may take: larger cases are left to extrapolation.
const LARGEST: usize = 1 << 30;

/// Makes calls on memory that it keeps from one call to the next, so that what is measured is the call and not the
/// system's clearing of fresh pages. Row-major operands, as NumPy's are.
#[derive(Debug, Default)]
pub struct Runner {
    single: Buffers<f32>,
    double: Buffers<f64>,
    complex_single: Buffers<Complex32>,
    complex_double: Buffers<Complex64>,
}

#[derive(Debug)]
struct Buffers<T: Scalar> {
    a: Vec<T>,
    b: Vec<T>,
    out: [Vec<T>; 3],
    reals: [Vec<T::Real>; 2],
    pivots: Vec<i32>,
    rank: Vec<AtomicUsize>,
    /// Order and number of the positive definite matrices that lie in `out[1]`.
    definite: (usize, usize),
}

impl<T: Scalar> Default for Buffers<T> {
    fn default() -> Self {
        Self {
            a: vec![],
            b: vec![],
            out: [vec![], vec![], vec![]],
            reals: [vec![], vec![]],
            pivots: vec![],
            rank: vec![],
            definite: (0, 0),
        }
    }
}

impl Runner {
    /// Makes one call of `case` on `engine` and nowhere else, and takes its time; `None` if it is too large or fails.
    pub fn run(&mut self, case: &Case, engine: Engine) -> Option<Measured> {
        self.run_where(case, if engine == Engine::Cpu { Device::Cpu } else { Device::RequireGpu })
    }

    /// As [`Runner::run`], on the OpenCL device of that number.
    pub(crate) fn run_on(&mut self, case: &Case, engine: Engine, device: usize) -> Option<Measured> {
        self.run_where(case, if engine == Engine::Cpu { Device::Cpu } else { Device::On(device) })
    }

    fn run_where(&mut self, case: &Case, device: Device) -> Option<Measured> {
        let [a, b] = case.operand_bytes();
        if a.max(b).max(case.result_bytes()) > LARGEST {
            return None;
        }
        match case.dtype {
            DType::Float32 => self.single.run(case, device),
            DType::Float64 => self.double.run(case, device),
            DType::Complex64 => self.complex_single.run(case, device),
            DType::Complex128 => self.complex_double.run(case, device),
        }
    }
}

/// Makes `buffer` at least `length` long, with random numbers in [-1, 1).
pub(crate) fn fill<T: Scalar>(buffer: &mut Vec<T>, length: usize) {
    // xorshift64: what matters is that no two rows are alike and none is denormal.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ (buffer.len() as u64) << 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        T::Real::from_f64((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
    };
    while buffer.len() < length {
        let (re, im) = (next(), next());
        buffer.push(if T::DTYPE.is_complex() {
            T::from_complex128(Complex64::new(re.into(), im.into()))
        } else {
            T::from_real(re.into())
        });
    }
}

fn grow<T: Scalar>(buffer: &mut Vec<T>, length: usize) {
    if buffer.len() < length {
        buffer.resize(length, T::ZERO);
    }
}

fn read<T: Scalar>(buffer: &[T], count: usize, rows: usize, cols: usize) -> BatchView<'_, T> {
    BatchView::row_major(&buffer[..count * rows * cols], count, rows, cols).expect("the length asked for")
}

fn write<T: Scalar>(buffer: &mut [T], count: usize, rows: usize, cols: usize) -> BatchViewMut<'_, T> {
    BatchViewMut::col_major(&mut buffer[..count * rows * cols], count, rows, cols).expect("the length asked for")
}

/// As `write`, row-major.
fn write_rows<T: Scalar>(buffer: &mut [T], count: usize, rows: usize, cols: usize) -> BatchViewMut<'_, T> {
    write(buffer, count, cols, rows).transposed()
}

impl<T: Scalar> Buffers<T> {
    fn run(&mut self, case: &Case, device: Device) -> Option<Measured> {
        self.prepare(case);
        let call = CallOptions { device, timed: device != Device::Cpu, ..CallOptions::default() };
        let start = Instant::now();
        let report = self.call(case, call).ok()?;
        let total = start.elapsed().as_secs_f64();
        Some(Measured { total, transfer: report.times.transfer.as_secs_f64() })
    }

    /// Memory for the operands and results, before the clock runs.
    fn prepare(&mut self, case: &Case) {
        let (m, n, k, count) = (case.m, case.n, case.k, case.batch);
        let s = m.min(n);
        let [a, b] = case.operand_bytes().map(|bytes| bytes / T::DTYPE.size());
        fill(&mut self.a, a);
        fill(&mut self.b, b);
        let lengths = match case.op {
            OpKind::Solve | OpKind::Lstsq => [n * k, 0, 0],
            OpKind::Matmul | OpKind::Lu | OpKind::Inv => [m * n, 0, 0],
            OpKind::Cholesky => [n * n, n * n, 0],
            OpKind::Qr | OpKind::Svd => [m * s, s * n, 0],
            OpKind::Eigh | OpKind::EighVals | OpKind::Det | OpKind::SvdVals => [n * n, 0, 0],
            OpKind::Eig | OpKind::EigVals => [n * n, n, n],
            OpKind::Schur => [n * n, n * n, 0],
        };
        for (buffer, length) in self.out.iter_mut().zip(lengths) {
            grow(buffer, length.max(1) * count);
        }
        grow(&mut self.reals[0], n.max(m) * count);
        grow(&mut self.reals[1], k.max(1) * count);
        self.pivots.resize(self.pivots.len().max(s * count), 0);
        self.rank.resize_with(self.rank.len().max(count), AtomicUsize::default);
        if case.op == OpKind::Cholesky && self.definite != (n, count) {
            self.out[1][..n * n * count].copy_from_slice(&self.a[..n * n * count]);
            for matrix in self.out[1][..n * n * count].chunks_exact_mut(n * n) {
                matrix.iter_mut().step_by(n + 1).for_each(|element| *element = T::from_real(2.0 * n as f64));
            }
        }
        // Every other operation may write there.
        self.definite = if case.op == OpKind::Cholesky { (n, count) } else { (0, 0) };
    }

    fn call(&mut self, case: &Case, call: CallOptions) -> Result<Report> {
        let (m, n, k, count) = (case.m, case.n, case.k, case.batch);
        let s = m.min(n);
        let [first, second, third] = &mut self.out;
        let [values, residuals] = &mut self.reals;
        let a = read(&self.a, count, m, if case.op == OpKind::Matmul { k } else { n });
        match case.op {
            OpKind::Matmul => matmul_into(&a, &read(&self.b, count, k, n), &mut write_rows(first, count, m, n), call),
            OpKind::Solve => {
                let options = SolveOptions { call, ..SolveOptions::default() };
                solve_into(a.into(), &read(&self.b, count, n, k), &mut write(first, count, n, k), options)
            }
            OpKind::Cholesky => {
                let a = read(second, count, n, n);
                cholesky_into(a.into(), &mut write_rows(first, count, n, n), false, call)
            }
            OpKind::Lu => lu_factor_into(a.into(), &mut write(first, count, m, n), &mut self.pivots[..s * count], call),
            OpKind::Qr => {
                let mut out = QrOut { q: Some(write(first, count, m, s)), r: write(second, count, s, n) };
                qr_into(&a, &mut out, QrMode::Reduced, call)
            }
            OpKind::Inv => inv_into(a.into(), &mut write_rows(first, count, n, n), call),
            OpKind::Det => det_into(a.into(), &mut first[..count], call),
            OpKind::Lstsq => {
                let mut out = LstsqOut {
                    x: write(first, count, n, k),
                    residuals: write(residuals, count, k, 1),
                    s: write(values, count, s, 1),
                    rank: &self.rank[..count],
                };
                let options = LstsqOptions { call, ..LstsqOptions::default() };
                lstsq_into(a.into(), &read(&self.b, count, m, k), &mut out, options)
            }
            OpKind::Svd => {
                let rows = output_is_row_major(&a, false);
                let target = if rows { write_rows } else { write };
                let vectors = Some((target(first, count, m, s), target(second, count, s, n)));
                let out = SvdOut { vectors, s: write(values, count, s, 1) };
                svd_into(a.into(), out, SvdOptions { vectors: Vectors::Thin, call })
            }
            OpKind::SvdVals => {
                let out = SvdOut { vectors: None, s: write(values, count, s, 1) };
                svd_into(a.into(), out, SvdOptions { vectors: Vectors::None, call })
            }
            OpKind::Eigh | OpKind::EighVals => {
                let vectors = case.op == OpKind::Eigh;
                let eigenvectors = vectors.then(|| write(first, count, n, n));
                let out = EighOut { eigenvalues: write(values, count, n, 1), eigenvectors };
                eigh_into(a.into(), out, EighOptions { vectors, call, ..EighOptions::default() })
            }
            OpKind::Eig | OpKind::EigVals => {
                let right = case.op == OpKind::Eig;
                let out = EigOut {
                    eigenvalues: write(second, count, n, 1),
                    imaginary: (!T::DTYPE.is_complex()).then(|| write(third, count, n, 1)),
                    left: None,
                    right: right.then(|| write(first, count, n, n)),
                };
                eig_into(a.into(), out, EigOptions { left: false, right, call, ..EigOptions::default() })
            }
            OpKind::Schur => {
                let out = SchurOut { t: write(first, count, n, n), z: write(second, count, n, n) };
                schur_into(a.into(), out, call)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_runs_in_every_type_for_one_matrix_and_for_a_batch() {
        let mut runner = Runner::default();
        for op in OpKind::ALL {
            for dtype in DType::ALL {
                for (coordinates, batch) in [([2.0, 1.0, 1.0, 0.0], 1), ([1.0, -1.0, 1.5, 0.0], 3)] {
                    let case = Case::at(op, dtype, coordinates).batched(batch);
                    let measured = runner.run(&case, Engine::Cpu).unwrap_or_else(|| panic!("{case:?}"));
                    assert!(measured.total > 0.0 && measured.transfer == 0.0, "{case:?}");
                }
            }
        }
    }

    #[test]
    fn a_matrix_made_definite_for_one_case_is_made_anew_for_the_next() {
        let mut runner = Runner::default();
        for (n, op) in [(8, OpKind::Cholesky), (8, OpKind::Schur), (8, OpKind::Cholesky), (30, OpKind::Cholesky)] {
            assert!(runner.run(&Case::matrix(op, DType::Float64, n, n), Engine::Cpu).is_some(), "{op:?} {n}");
        }
    }

    #[test]
    fn a_case_beyond_the_memory_for_it_is_not_run() {
        let case = Case::matmul(DType::Float64, 1 << 15, 1 << 15, 1);
        assert!(Runner::default().run(&case, Engine::Cpu).is_none());
    }
}
