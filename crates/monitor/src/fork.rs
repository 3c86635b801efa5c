//! What a forked child must not share with its parent: it has neither the thread that empties the queue nor the one that
//! serves the page, and its copy of a listening socket would keep the port taken after the parent has ended.

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle};

static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Sockets that listen; -1 where there is none.
static LISTENING: [AtomicI32; 8] = [const { AtomicI32::new(-1) }; 8];

/// Number of this process, without a system call.
pub(crate) fn process() -> u32 {
    match PROCESS.load(Ordering::Relaxed) {
        0 => first(),
        known => known,
    }
}

#[cold]
fn first() -> u32 {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handler is a function of this library, and calls only what is allowed after a fork.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    std::process::id()
}

#[cfg(unix)]
extern "C" fn in_child() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    for socket in &LISTENING {
        let socket = socket.swap(-1, Ordering::Relaxed);
        if socket >= 0 {
            // SAFETY: the child's own copy, which nothing in the child uses: the thread that did is not there.
            unsafe { libc::close(socket) };
        }
    }
}

/// Has a socket closed in forked children, until this is dropped.
pub(crate) struct NotInChildren(usize);

impl NotInChildren {
    #[cfg(unix)]
    pub(crate) fn new(socket: &impl std::os::fd::AsRawFd) -> Option<Self> {
        process();
        let number = socket.as_raw_fd();
        let free = |place: &AtomicI32| place.compare_exchange(-1, number, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        LISTENING.iter().position(free).map(Self)
    }

    #[cfg(not(unix))]
    pub(crate) fn new<T>(_: &T) -> Option<Self> {
        None
    }
}

impl Drop for NotInChildren {
    fn drop(&mut self) {
        LISTENING[self.0].store(-1, Ordering::Relaxed);
    }
}

/// A thread that is waited for by the process that started it: in a forked child it does not exist, and the locks that it had
/// stay taken.
pub(crate) struct Worker {
    thread: Option<JoinHandle<()>>,
    process: u32,
}

impl Worker {
    /// Starts a thread of that name.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let thread = Builder::new().name(name.into()).spawn(work)?;
        Ok(Self { thread: Some(thread), process: process() })
    }

    /// Tells the thread to end and waits for it; nothing in a forked child.
    pub(crate) fn end(&mut self, tell: impl FnOnce()) {
        let Some(thread) = self.thread.take() else { return };
        if self.process == process() {
            tell();
            let _ = thread.join();
        } else {
            std::mem::forget(thread);
        }
    }
}
