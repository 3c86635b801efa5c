//! Errors of the BLAS go through `XERBLA`, which a program may define itself.
//!
//! The program's own comes first: the one that was linked, in the program or in a BLAS that it uses. It is found through a weak
//! reference, which makes the linker export it from the program, and at run time through the loader. Where there is none, the
//! text of LAPACK's own is written to standard error and the routine returns; nothing stops the program.

use crate::Integer;
use std::ffi::c_void;

type Xerbla = unsafe extern "C-unwind" fn(*const u8, *const Integer, usize);

/// Says that argument number `argument` of `routine` has an illegal value.
#[cold]
#[inline(never)]
pub fn xerbla(routine: &str, argument: Integer) {
    let address = programs_own();
    if address.is_null() {
        eprintln!(" ** On entry to {routine} parameter number {argument:2} had an illegal value");
        return;
    }
    // SAFETY: what is called XERBLA has XERBLA's interface: a name with its length, a number.
    unsafe {
        let xerbla = std::mem::transmute::<*const c_void, Xerbla>(address);
        xerbla(routine.as_ptr(), &argument, routine.len());
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod linked {
    use std::ffi::c_void;

    std::arch::global_asm!(
        ".weak xerbla_",
        ".pushsection .data.rel.ro.lapack_ai_xerbla, \"aw\"",
        ".balign 8",
        ".globl lapack_ai_linked_xerbla",
        ".hidden lapack_ai_linked_xerbla",
        "lapack_ai_linked_xerbla:",
        ".8byte xerbla_",
        ".popsection",
    );

    unsafe extern "C" {
        static lapack_ai_linked_xerbla: *const c_void;
    }

    pub(super) fn xerbla() -> *const c_void {
        // SAFETY: defined above; the linker and the loader write it before any code runs.
        unsafe { lapack_ai_linked_xerbla }
    }
}

fn programs_own() -> *const c_void {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    if !linked::xerbla().is_null() {
        return linked::xerbla();
    }
    #[cfg(unix)]
    // SAFETY: a lookup by name.
    return unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"xerbla_".as_ptr()) };
    #[cfg(not(unix))]
    std::ptr::null()
}
