//! Telling a hub how this process stands: a line of JSON each second over a local socket.
//!
//! The first line is all there is; later ones have the last seconds and calls. The last line of a process that ends in order
//! says so; where it is missing the process was lost. Without a hub the publisher tries again every two seconds, which costs
//! one failed system call.

use crate::fork::Worker;
use crate::process::{View, Wanted, lock};
use crate::snapshot::Process;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

const PERIOD: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(2);
/// A hub that does not read for so long is let go of.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(2);
/// What the first line says, before the process.
pub(crate) const GREETING: &str = "lapack-ai publish 1";
/// What a viewer's only line says.
pub(crate) const VIEW: &str = "lapack-ai view 1";

/// The user's own socket: `LAPACK_AI_SOCKET`, else in `XDG_RUNTIME_DIR`, else in a folder of the user below the temporary one.
pub fn default_socket() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("LAPACK_AI_SOCKET") {
        return path;
    }
    #[cfg(unix)]
    // SAFETY: asks for a number, and cannot fail.
    let user = unsafe { libc::geteuid() };
    #[cfg(not(unix))]
    let user = 0;
    let folder = variable("XDG_RUNTIME_DIR").map(|folder| folder.join("lapack-ai"));
    folder.unwrap_or_else(|| std::env::temp_dir().join(format!("lapack-ai-{user}"))).join("monitor.sock")
}

struct Shared {
    stop: (Mutex<bool>, Condvar),
    connected: AtomicBool,
}

/// Publishes until it is dropped.
pub struct Publisher {
    shared: Arc<Shared>,
    thread: Worker,
}

impl Publisher {
    pub(crate) fn start(socket: PathBuf, view: View) -> io::Result<Self> {
        let shared = Arc::new(Shared { stop: (Mutex::new(false), Condvar::new()), connected: AtomicBool::new(false) });
        let of_thread = Arc::clone(&shared);
        let thread = Worker::start("lapack-ai tell", move || of_thread.run(&socket, &view))?;
        Ok(Self { shared, thread })
    }

    /// Whether a hub listens now.
    pub fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.thread.end(|| {
            *lock(&self.shared.stop.0) = true;
            self.shared.stop.1.notify_all();
        });
    }
}

impl Shared {
    /// Whether to stop, after at most `period`.
    fn wait(&self, period: Duration) -> bool {
        let waited = self.stop.1.wait_timeout_while(lock(&self.stop.0), period, |stop| !*stop);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    #[cfg(unix)]
    fn run(&self, socket: &std::path::Path, view: &View) {
        use std::os::unix::net::UnixStream;
        loop {
            if let Ok(stream) = UnixStream::connect(socket) {
                self.connected.store(true, Ordering::Relaxed);
                let done = stream.set_write_timeout(Some(PATIENCE)).and_then(|()| self.publish(stream, view));
                self.connected.store(false, Ordering::Relaxed);
                if done.is_ok() {
                    return;
                }
            }
            if self.wait(RETRY) {
                return;
            }
        }
    }

    #[cfg(not(unix))]
    fn run(&self, _: &std::path::Path, _: &View) {
        let _ = (GREETING, VIEW, PERIOD, RETRY);
        while !self.wait(Duration::from_secs(3600)) {}
    }

    /// Publishes until it is to stop; an error is the hub's end.
    #[cfg(unix)]
    fn publish(&self, mut stream: std::os::unix::net::UnixStream, view: &View) -> io::Result<()> {
        use std::io::Write;
        let mut wanted = Wanted::ALL;
        writeln!(stream, "{GREETING}")?;
        loop {
            let stop = self.wait(PERIOD);
            let mut process: Process = view.process(wanted);
            if stop {
                process.state = "ended".into();
            }
            let last = process.recent.last().map_or(wanted.calls_after, |call| call.number);
            wanted = Wanted { seconds: 5, calls_after: last };
            let mut line = serde_json::to_string(&process)?;
            line.push('\n');
            stream.write_all(line.as_bytes())?;
            if stop {
                return Ok(());
            }
        }
    }
}
