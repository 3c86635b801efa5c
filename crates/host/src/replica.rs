//! Private copies of the library for threads that work side by side.
//!
//! OpenBLAS takes a process-wide lock whenever one of its routines needs a buffer: 30 times in an eigenproblem of order
//! 16. Two threads that solve small problems then wait for each other, and with more threads a batch can be slower than
//! on one. A second image of the same file has its own lock (and everything else of its own), and gives the same bits.
//!
//! The loader recognises a file by its inode, so the image is loaded from an anonymous copy of the file in memory. It is
//! loaded while the calling thread may run on one core only, which OpenBLAS takes for the size of the machine: it starts
//! no threads.

use crate::Library;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;

/// A copy of a larger file would cost more memory than it is worth.
const LARGEST_FILE: u64 = 64 << 20;

/// Another image of `library`, set to one thread. `None` where there can be none: another vendor, no memory for the copy,
/// a sandbox that forbids it.
pub(crate) fn replicate(library: &Library) -> Option<Library> {
    if !library.vendor().contains("OpenBLAS") {
        return None;
    }
    let copy = copy_in_memory(File::open(library.path()).ok()?).ok()?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", copy.as_raw_fd()));
    // Never closed: the loader knows an image by its name too, and the number in this one would be used again.
    std::mem::forget(copy);
    let replica = on_one_core(|| Library::open(&path)).ok()?;
    if replica.shares_code_with(library) {
        return None;
    }
    replica.threads().set(1);
    Some(replica)
}

fn copy_in_memory(mut file: File) -> io::Result<File> {
    if file.metadata()?.len() > LARGEST_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // SAFETY: creates an anonymous file with a constant name; the descriptor is owned from here on.
    let mut copy = unsafe {
        let descriptor = libc::memfd_create(c"lapack-ai".as_ptr(), libc::MFD_CLOEXEC);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        File::from_raw_fd(descriptor)
    };
    io::copy(&mut file, &mut copy)?;
    Ok(copy)
}

/// Runs `work` with this thread bound to the core it is on, and sets its former affinity again.
fn on_one_core<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: plain system calls on this thread's own mask, which is large enough for the C library's type.
    unsafe {
        let size = size_of::<libc::cpu_set_t>();
        let mut former: libc::cpu_set_t = std::mem::zeroed();
        let known = libc::sched_getaffinity(0, size, &mut former) == 0;
        let core = libc::sched_getcpu();
        if known && core >= 0 {
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(core as usize, &mut one);
            libc::sched_setaffinity(0, size, &one);
        }
        let result = work();
        if known {
            libc::sched_setaffinity(0, size, &former);
        }
        result
    }
}
