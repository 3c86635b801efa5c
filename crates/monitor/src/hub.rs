//! The processes that publish: what they said last, and what became of them.
//!
//! The socket is the user's alone (folder 0700, socket 0600). What comes in is bounded: [`MOST_PROCESSES`] connections,
//! [`LONGEST_LINE`] bytes a line, and series, calls and rows of a process as the process itself bounds them. Whoever sends
//! something else is disconnected. Ended processes stay listed for an hour.

use crate::aggregate::{MOST_ROWS, MOST_SECONDS, keep_last};
use crate::fork::Worker;
use crate::process::{Wanted, lock, unix_now};
use crate::publish::{GREETING, VIEW};
use crate::snapshot::Process;
use crate::source::Source;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Processes that can publish at a time.
const MOST_PROCESSES: usize = 64;
/// Processes that are listed, ended ones among them.
const MOST_LISTED: usize = 128;
/// Bytes of one line.
#[cfg(unix)]
const LONGEST_LINE: u64 = 8 << 20;
/// How long ended processes are listed, in seconds.
const REMEMBERED: f64 = 3600.0;
/// A process that says nothing for so long, in seconds, is lost: stopped, or its machine asleep.
const SILENCE: f64 = 10.0;

/// A process that publishes.
struct Peer {
    process: Process,
    /// Seconds that its last message had: long calls change earlier ones.
    told: usize,
}

#[derive(Default)]
struct Inner {
    /// By the number of the connection.
    processes: Mutex<BTreeMap<u64, Peer>>,
    next: AtomicU64,
    connections: AtomicUsize,
    stop: AtomicBool,
}

/// Listens to publishers until it is dropped.
pub struct Hub {
    inner: Arc<Inner>,
    socket: PathBuf,
    thread: Worker,
}

/// What a hub knows.
#[derive(Clone)]
pub struct HubView(Arc<Inner>);

impl Hub {
    /// Listens at `socket`.
    ///
    /// # Errors
    /// If another hub listens there, or the folder is not the user's own.
    #[cfg(unix)]
    pub fn start(socket: PathBuf) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::net::{UnixListener, UnixStream};
        private_folder(socket.parent().unwrap_or(Path::new(".")))?;
        if UnixStream::connect(&socket).is_ok() {
            let text = format!("another monitor listens at {}; open its page, or end it", socket.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        // Left by one that was killed.
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)?;
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
        let inner = Arc::new(Inner::default());
        let of_thread = Arc::clone(&inner);
        let thread = Worker::start("lapack-ai hub", move || {
            for stream in listener.incoming() {
                if of_thread.stop.load(Ordering::Relaxed) {
                    return;
                }
                match stream {
                    Ok(stream) => of_thread.accept(stream),
                    // Out of descriptors, say: others will end.
                    Err(_) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        })?;
        Ok(Self { inner, socket, thread })
    }

    /// There are no local sockets on this system.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(unix))]
    pub fn start(_: PathBuf) -> io::Result<Self> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a page for many processes needs Unix sockets; use lap.monitor()",
        ))
    }

    /// What it knows, for a server.
    pub fn view(&self) -> Arc<HubView> {
        Arc::new(HubView(Arc::clone(&self.inner)))
    }

    /// The processes, with everything that is known of them.
    pub fn processes(&self) -> Vec<Process> {
        HubView(Arc::clone(&self.inner)).processes(&|_| Wanted::ALL)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let Self { inner, socket, thread } = self;
        thread.end(|| {
            inner.stop.store(true, Ordering::Relaxed);
            #[cfg(unix)]
            // Wakes the thread that accepts.
            drop(std::os::unix::net::UnixStream::connect(&*socket));
        });
        let _ = std::fs::remove_file(&*socket);
    }
}

/// Makes the folder, or refuses one that others can write to.
#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let found = made.and_then(|()| std::fs::symlink_metadata(folder))?;
    // SAFETY: asks for a number, and cannot fail.
    let user = unsafe { libc::geteuid() };
    if !found.is_dir() || found.uid() != user || found.mode() & 0o022 != 0 {
        let text = format!(
            "{} must be a folder that only you can write to; LAPACK_AI_SOCKET names another place",
            folder.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

#[cfg(unix)]
impl Inner {
    fn accept(self: &Arc<Self>, stream: std::os::unix::net::UnixStream) {
        if self.connections.fetch_add(1, Ordering::Relaxed) >= MOST_PROCESSES {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let (inner, number) = (Arc::clone(self), self.next.fetch_add(1, Ordering::Relaxed));
        let thread = std::thread::Builder::new().name("lapack-ai peer".into());
        let spawned = thread.spawn(move || {
            inner.serve(stream, number);
            inner.connections.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn serve(&self, stream: std::os::unix::net::UnixStream, number: u64) {
        use std::io::BufReader;
        // A publisher speaks every second; one that is stopped stays connected and is shown as lost meanwhile.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(120)));
        let mut reader = BufReader::new(stream);
        match line(&mut reader).as_deref() {
            Some(GREETING) => {
                while let Some(process) = line(&mut reader).and_then(|line| serde_json::from_str(&line).ok()) {
                    self.take_up(number, process);
                    if self.stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
                if let Some(Peer { process, .. }) = lock(&self.processes).get_mut(&number)
                    && process.state != "ended"
                {
                    process.state = "lost".into();
                }
            }
            Some(VIEW) => self.show(reader.into_inner()),
            _ => {}
        }
    }

    /// A line each second with all processes, until the viewer goes.
    fn show(&self, mut stream: std::os::unix::net::UnixStream) {
        use std::io::Write;
        let _ = stream.set_write_timeout(Some(Duration::from_secs(2)));
        while !self.stop.load(Ordering::Relaxed) {
            let processes = self.list(&|_| Wanted { seconds: 60, calls_after: u64::MAX });
            let Ok(mut line) = serde_json::to_string(&processes) else { return };
            line.push('\n');
            if stream.write_all(line.as_bytes()).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Joins what a process says to what it said before, on this connection or an earlier one. The seconds that it tells
    /// again are as they are told now.
    fn take_up(&self, number: u64, mut said: Process) {
        let mut processes = lock(&self.processes);
        said.rows.truncate(MOST_ROWS + 2);
        let told = said.series.len();
        if let Some(Peer { process: before, .. }) = processes.remove(&number) {
            let first = said.series.first().map_or(f64::INFINITY, |second| second.at);
            let listed = before.recent.last().map_or(0, |call| call.number);
            said.recent.retain(|call| call.number > listed);
            said.series.splice(..0, before.series.into_iter().filter(|second| second.at < first));
            said.recent.splice(..0, before.recent);
        } else {
            // It was let go of, stopped for long, and comes back: it has told everything anew.
            processes.retain(|_, peer| !is_same(&peer.process, &said));
        }
        said.series.drain(..said.series.len().saturating_sub(MOST_SECONDS));
        keep_last(&mut said.recent);
        processes.insert(number, Peer { process: said, told });
        let now = unix_now();
        processes.retain(|_, Peer { process, .. }| process.state == "running" || now - process.at < REMEMBERED);
        while processes.len() > MOST_LISTED {
            processes.pop_first();
        }
    }
}

/// Whether both are one process, of one machine or container.
#[cfg(unix)]
fn is_same(one: &Process, other: &Process) -> bool {
    let (one, other) = (&one.identity, &other.identity);
    (one.pid, one.started.to_bits(), &one.machine) == (other.pid, other.started.to_bits(), &other.machine)
}

impl Inner {
    fn list(&self, wanted: &dyn Fn(&Process) -> Wanted) -> Vec<Process> {
        let now = unix_now();
        let processes = lock(&self.processes);
        let part = |Peer { process, told }: &Peer| {
            let Wanted { seconds, calls_after } = wanted(process);
            let seconds = if *told < process.series.len() { seconds.max(*told) } else { seconds };
            let mut part = Process { series: Vec::new(), recent: Vec::new(), ..process.clone() };
            part.series.extend_from_slice(&process.series[process.series.len().saturating_sub(seconds)..]);
            part.recent.extend(process.recent.iter().filter(|call| call.number > calls_after).cloned());
            if part.state == "running" && now - part.at > SILENCE {
                part.state = "lost".into();
            }
            part
        };
        processes.values().map(part).collect()
    }
}

impl Source for HubView {
    fn processes(&self, wanted: &dyn Fn(&Process) -> Wanted) -> Vec<Process> {
        self.0.list(wanted)
    }

    fn is_ready(&self) -> bool {
        !self.0.stop.load(Ordering::Relaxed)
    }
}

/// The next line; `None` at the end, or if it is too long or no text.
#[cfg(unix)]
fn line(reader: &mut impl io::BufRead) -> Option<String> {
    use std::io::{BufRead, Read};
    let mut bytes = Vec::new();
    reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).ok()?;
    (bytes.pop() == Some(b'\n')).then(|| String::from_utf8(bytes).ok())?
}

/// Calls `show` with the processes of the hub at `socket`, once a second, until it returns `false` or the hub ends.
///
/// # Errors
/// If no hub listens there.
#[cfg(unix)]
pub fn watch(socket: &Path, mut show: impl FnMut(Vec<Process>) -> bool) -> io::Result<()> {
    use std::io::{BufReader, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    writeln!(stream, "{VIEW}")?;
    let mut reader = BufReader::new(stream);
    while let Some(processes) = line(&mut reader).and_then(|line| serde_json::from_str(&line).ok()) {
        if !show(processes) {
            break;
        }
    }
    Ok(())
}

/// There are no local sockets on this system.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn watch(_: &Path, _: impl FnMut(Vec<Process>) -> bool) -> io::Result<()> {
    let _ = (GREETING, VIEW, MOST_PROCESSES, MOST_LISTED, REMEMBERED);
    Err(io::Error::new(io::ErrorKind::Unsupported, "watching other processes needs Unix sockets"))
}
