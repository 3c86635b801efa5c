//! The Python module's native half, `lapack_py._native`.
//!
//! Arrays enter as views (`input`), results are written straight into new NumPy arrays (`output`), the GIL is released in
//! one place (`gate`), and errors and warnings become Python's in one place (`errors`). The operations themselves are
//! those of `lapack-ai`.

mod device;
mod errors;
mod explain;
mod gate;
mod half;
mod input;
mod monitor;
mod ops;
mod options;
mod output;
mod report;
mod system;

use pyo3::prelude::*;

/// Compiled half of `lapack_py`; use the functions that `lapack_py` exports.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::device::{PyDeviceArray, to_device};
    #[pymodule_export]
    use crate::explain::{catalogue, explain, explain_iteration};
    #[pymodule_export]
    use crate::gate::set_progress;
    #[pymodule_export]
    use crate::monitor::{NativeMonitor, start_monitor};
    #[pymodule_export]
    use crate::ops::{
        banded::{solve_banded, solveh_banded},
        cho::{cho_factor, cho_solve},
        cholesky::cholesky,
        cholesky_update::cholesky_update,
        det::{det, slogdet},
        eig::{eig, eigvals},
        eigh::{eigh, eigvalsh},
        gemm_alpha::dgemm_alpha,
        inv::inv,
        lstsq::lstsq,
        lu::{lu, lu_factor, lu_solve},
        matmul::matmul,
        qr::qr,
        rcond::rcond,
        schur::schur,
        solve::solve,
        svd::{svd, svdvals},
        triangular::solve_triangular,
    };
    #[pymodule_export]
    use crate::options::{is_autofixing, set_current_device};
    #[pymodule_export]
    use crate::report::Report;
    #[pymodule_export]
    use crate::system::{
        Subscription, add_library_hint, add_table_hint, calibrate, capsule_address, close_breaker, config, devices,
        doctor, explain_dispatch, get_num_threads, inject_fault, library_info, observe, reset_tuning,
        set_device_memory_limit, set_library, set_num_threads, trim, tune, validate,
    };
}
