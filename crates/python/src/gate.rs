//! The one place where the GIL is released.

use pyo3::prelude::*;

/// Floating-point operations below which a call keeps the GIL: releasing and taking it again costs as much as these.
const WORTH_RELEASING: f64 = 20e3;

/// Runs `work`, which is about `flops` operations long and touches no Python object, without the GIL if it is long enough
/// for other Python threads to profit.
///
/// The arrays' memory stays borrowed meanwhile: another thread that writes to an input while it is read gets what it
/// asked for, as with NumPy itself.
#[inline]
pub(crate) fn enter_lapack<R: Send>(py: Python<'_>, flops: f64, work: impl FnOnce() -> R + Send) -> R {
    if flops < WORTH_RELEASING { work() } else { py.detach(work) }
}
