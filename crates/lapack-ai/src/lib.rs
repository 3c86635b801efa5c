//! Dense linear algebra for Rust through an unmodified LAPACK, found at run time.
//!
//! Nothing is linked: the program starts without a LAPACK and names the one command to run when the first operation finds
//! none. Matrices enter as views of memory that the caller owns, in either order; results come back owned ([`svd`],
//! [`solve`], ...) or are written where the caller says (`svd_into`, ...), in batches as well. Every call gives a
//! [`Report`], every failure an [`Error`] with the element, the cause and the fix.
//!
//! ```
//! use lapack_ai::{MatrixView, SolveOptions, SvdOptions, solve, svd};
//!
//! let a = [4.0_f64, 1.0, 1.0, 3.0];
//! let a = MatrixView::row_major(&a, 2, 2).expect("4 elements");
//! let b = MatrixView::col_major(&[1.0, 2.0], 2, 1).expect("2 elements");
//!
//! let solution = solve(a, b, SolveOptions::default())?;
//! println!("x = ({}, {})", solution.x.get(0, 0), solution.x.get(1, 0));
//! println!("rcond is about {:.2}", solution.report.rcond.unwrap_or(f64::NAN));
//! println!("singular values {:?}", svd(a, SvdOptions::default())?.s);
//! # Ok::<(), lapack_ai::Error>(())
//! ```

pub mod cancel;
pub mod config;
pub mod container;
mod diagnostics;
pub mod dispatch;
pub mod doctor;
pub mod explain;
pub mod observe;
pub mod ops;
pub mod validate;

mod batch;
mod conditioning;
mod fork;
pub mod gpu;
mod intake;
mod provider;
mod report;
mod workspace;

pub use dispatch::Device;
pub use lapack_ai_bilinear::product::Algorithm as GemmAlgorithm;
pub use lapack_ai_core::{
    Applicability, Argument, Axis, BatchView, BatchViewMut, Code, Complex32, Complex64, DType, Detail, ElementType,
    Error, Finding, Fix, Half, Layout, Location, Matrix, MatrixView, MatrixViewMut, NonFinite, Real, Result, Scalar,
    Severity, Stored,
};
pub use lapack_ai_host::{STACK_SIZE, Table as LapackTable, add_table_hint};
pub use ops::{
    CallOptions, Failures, Operand, Precision,
    banded::{Band, solve_banded, solve_banded_into},
    cholesky::{cho_factor_into, cho_solve, cho_solve_into, cholesky, cholesky_into},
    cholesky_update::{CholeskyUpdateOptions, cholesky_update, cholesky_update_into},
    det::{Slogdet, det, det_into, slogdet, slogdet_into},
    eig::packed::{all_real, eigenvalue_quotients, join_eigenvalues, join_eigenvectors},
    eig::{Eig, EigOptions, EigOut, eig, eig_into},
    eig_generalised::{GeneralisedEig, GeneralisedEigOut, eig_generalised, eig_generalised_into},
    eigh::{Eigh, EighOptions, EighOut, eigh, eigh_into},
    eigh_generalised::{Problem, eigh_generalised, eigh_generalised_into},
    eigh_subset::{EighSubset, Select, eigh_subset, eigh_subset_into},
    gemm_alpha::{GemmAlphaOptions, gemm_alpha, gemm_alpha_into, ways::GemmScalar},
    inv::{inv, inv_into},
    lstsq::{Lstsq, LstsqOptions, LstsqOut, lstsq, lstsq_into},
    lu::{Lu, LuFactors, LuOut, LuRows, lu, lu_factor, lu_factor_into, lu_into, lu_solve, lu_solve_into},
    matmul::{matmul, matmul_into},
    matmul_half::{HalfTarget, matmul_half_into},
    qr::{Qr, QrMode, QrOut, qr, qr_into},
    rcond::{Norm, rcond, rcond_into},
    schur::{Schur, SchurOut, schur, schur_into},
    solve::{SolveOptions, Structure, solve, solve_into},
    substitution::Transpose,
    svd::{Svd, SvdOptions, SvdOut, Vectors, svd, svd_into},
    triangular::{TriangularOptions, solve_triangular, solve_triangular_into},
};
pub use provider::{
    add_library_hint, num_threads, provider, set_library, set_library_by_search, set_library_table, set_num_threads,
};
pub use report::{Engine, Prediction, RcondSource, Report, Span, Times};
