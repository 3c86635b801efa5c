//! Routines that go to the LAPACK in use as they come.
//!
//! They serve 32-bit integers, as the program passes them. A LAPACK with 64-bit ones, or none, leaves the call to the next
//! library of the process that has the routine: the program's own.

use crate::guard;
use crate::report::{self, Engine, Routine};
use lapack_ai::DType;
use lapack_ai_fortran::Integer;
use lapack_ai_host as host;
use std::ffi::{CStr, c_void};

/// The next definition of a name after this library's, in the order of the loader; null if there is none.
pub(crate) fn next(name: &CStr) -> *const c_void {
    // SAFETY: a lookup by name.
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }
}

/// The routine of whoever computes it.
fn target(routine: host::Routine, name: &CStr) -> (*const c_void, Engine) {
    if let Ok(found) = lapack_ai::provider()
        && found.library.integer_bits() == Integer::BITS
        && let Some(address) = found.library.routine(routine, DType::Float64)
    {
        return (address, Engine::Library);
    }
    let own = next(name);
    if own.is_null() {
        eprintln!(
            "lapack-ai drop-in: no LAPACK with 32-bit integers has {}; name one in LAPACK_AI_LIBRARY",
            name.to_string_lossy()
        );
        std::process::abort();
    }
    (own, Engine::Next)
}

macro_rules! forward {
    ($name:ident, $symbol:literal, $routine:expr, $counted:expr, ($($argument:ident: $type:ty),+ $(,)?)) => {
        /// LAPACK's routine of that name.
        ///
        /// # Safety
        /// As LAPACK's routine.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name($($argument: $type),+) {
            type Forwarded = unsafe extern "C-unwind" fn($($type),+);
            let guard = guard::enter();
            let (address, engine) = target($routine, $symbol);
            if guard.is_some() && report::is_asked_for() {
                report::count($counted, engine);
            }
            // SAFETY: the routine's own interface, with the caller's arguments.
            unsafe { std::mem::transmute::<*const c_void, Forwarded>(address)($($argument),+) };
        }
    };
}

type In = *const Integer;
type Out = *mut Integer;
type Char = *const u8;
type Real = *mut f64;

forward!(
    dgesvd_,
    c"dgesvd_",
    host::Routine::Gesvd,
    Routine::Dgesvd,
    (jobu: Char, jobvt: Char, m: In, n: In, a: Real, lda: In, s: Real, u: Real, ldu: In, vt: Real, ldvt: In, work: Real,
     lwork: In, info: Out, jobu_length: usize, jobvt_length: usize)
);
forward!(
    dgesdd_,
    c"dgesdd_",
    host::Routine::Gesdd,
    Routine::Dgesdd,
    (jobz: Char, m: In, n: In, a: Real, lda: In, s: Real, u: Real, ldu: In, vt: Real, ldvt: In, work: Real, lwork: In,
     iwork: Out, info: Out, jobz_length: usize)
);
forward!(
    dgesv_,
    c"dgesv_",
    host::Routine::Gesv,
    Routine::Dgesv,
    (n: In, nrhs: In, a: Real, lda: In, ipiv: Out, b: Real, ldb: In, info: Out)
);
