//! LAPACK.

pub mod config;
pub mod dispatch;
pub mod doctor;
pub mod observe;
pub mod ops;

mod batch;
mod conditioning;
mod intake;
mod provider;
mod report;
mod workspace;

pub use dispatch::Device;
pub use lapack_ai_core::{
    Applicability, Argument, BatchView, BatchViewMut, Code, Complex32, Complex64, DType, Detail, Error, Fix, Layout,
    Location, Matrix, MatrixView, MatrixViewMut, NonFinite, Real, Result, Scalar, Severity,
};
pub use ops::{
    CallOptions, Operand,
    cholesky::{cholesky, cholesky_into},
    eigh::{Eigh, EighOptions, EighOut, eigh, eigh_into},
    lstsq::{Lstsq, LstsqOptions, LstsqOut, lstsq, lstsq_into},
    matmul::{matmul, matmul_into},
    qr::{Qr, QrMode, QrOut, qr, qr_into},
    solve::{SolveOptions, Structure, solve, solve_into},
    svd::{Svd, SvdOptions, SvdOut, Vectors, svd, svd_into},
};
pub use provider::{add_library_hint, num_threads, provider, set_num_threads};
pub use report::{Engine, RcondSource, Report, Times};
