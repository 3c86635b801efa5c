//! The dashboard of this process: `lap.monitor()`.

use crate::options::bad;
use lapack_ai_monitor::{Monitor, Options, Published, Watcher, default_history, default_socket};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was started.
enum Running {
    Page(Monitor),
    Publisher(Published),
}

impl Running {
    fn watcher(&self) -> &Watcher {
        match self {
            Running::Page(monitor) => monitor.watcher(),
            Running::Publisher(published) => published.watcher(),
        }
    }

    fn server(&self) -> Option<&lapack_ai_monitor::Server> {
        match self {
            Running::Page(monitor) => Some(monitor.server()),
            Running::Publisher(_) => None,
        }
    }

    fn process(&self) -> lapack_ai_monitor::snapshot::Process {
        match self {
            Running::Page(monitor) => monitor.process(),
            Running::Publisher(published) => published.process(),
        }
    }
}

/// A running monitor; `lapack_py.Monitor` wraps it.
#[pyclass(frozen, module = "lapack_py")]
pub(crate) struct NativeMonitor {
    running: Mutex<Option<Running>>,
    /// In a forked child there is nothing behind it.
    process: u32,
}

impl NativeMonitor {
    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look<R>(&self, at: impl FnOnce(&Running) -> Option<R>) -> Option<R> {
        (self.process == std::process::id()).then(|| self.running().as_ref().and_then(at)).flatten()
    }
}

#[pymethods]
impl NativeMonitor {
    /// Where the page is, with the token; None if there is no page.
    #[getter]
    fn url(&self) -> Option<String> {
        self.look(|running| running.server().map(lapack_ai_monitor::Server::url))
    }
    /// The port of the page; None if there is no page.
    #[getter]
    fn port(&self) -> Option<u16> {
        self.look(|running| running.server().map(|server| server.address().port()))
    }
    /// What readers of the page must know; None if there is no page.
    #[getter]
    fn token(&self) -> Option<String> {
        self.look(|running| running.server().map(|server| server.token().to_string()))
    }
    /// Whether `lapack-ai monitor` listens to what is published.
    #[getter]
    fn connected(&self) -> bool {
        self.look(|running| Some(matches!(running, Running::Publisher(published) if published.is_connected())))
            .unwrap_or(false)
    }
    /// Whether it was not closed.
    #[getter]
    fn running_now(&self) -> bool {
        self.look(|_| Some(())).is_some()
    }
    /// How things stand, as JSON; "null" after the end.
    fn snapshot_json(&self, py: Python<'_>) -> String {
        py.detach(|| self.look(|running| serde_json::to_string(&running.process()).ok()))
            .unwrap_or_else(|| "null".into())
    }
    /// Ends it: the page is gone, and calls are not watched any more.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.running().take()));
    }
}

/// Starts the dashboard of this process, or (publish) sends what is known to `lapack-ai monitor`. `call_overhead` is what a call
/// costs Python beside the library, in seconds.
#[pyfunction]
#[pyo3(signature = (*, port, address, token, hosts, prefix, history, publish, call_overhead))]
pub(crate) fn start_monitor(
    py: Python<'_>,
    port: u16,
    address: &str,
    token: Option<String>,
    hosts: Vec<String>,
    prefix: String,
    history: bool,
    publish: bool,
    call_overhead: f64,
) -> PyResult<NativeMonitor> {
    let address: IpAddr = address
        .parse()
        .map_err(|_| bad("monitor", &format!("address='{address}' must be an IP address, for example '127.0.0.1'")))?;
    let history: Option<PathBuf> = if history { default_history() } else { None };
    let started = py.detach(|| {
        if publish {
            Published::start(default_socket(), history).map(Running::Publisher)
        } else {
            let options = Options { address, port, token, hosts, prefix, history };
            Monitor::start(options).map(Running::Page)
        }
    });
    // With its number, so that Python can tell a taken port from what was refused.
    let number = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::AddrInUse => libc_eaddrinuse(),
        _ => error.raw_os_error().unwrap_or(0),
    };
    let running = started.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => bad("monitor", &error.to_string()),
        _ => PyOSError::new_err((number(&error), error.to_string())),
    })?;
    running.watcher().look_by(where_am_i);
    running.watcher().set_call_overhead(call_overhead);
    Ok(NativeMonitor { running: Mutex::new(Some(running)), process: std::process::id() })
}

/// `errno.EADDRINUSE` of this system.
fn libc_eaddrinuse() -> i32 {
    if cfg!(windows) {
        10048
    } else if cfg!(target_os = "macos") {
        48
    } else {
        98
    }
}

/// The line of the program that called: the innermost frame that is not of this package.
fn where_am_i() -> Option<String> {
    Python::try_attach(|py| {
        let package = py.import("lapack_py").ok()?.getattr("__file__").ok()?.extract::<String>().ok()?;
        let folder = package.rsplit_once(['/', '\\']).map_or("", |(folder, _)| folder);
        let mut frame = py.import("sys").ok()?.call_method0("_getframe").ok()?;
        loop {
            let code = frame.getattr("f_code").ok()?;
            let file = code.getattr("co_filename").ok()?.extract::<String>().ok()?;
            if !file.starts_with(folder) {
                let line = frame.getattr("f_lineno").ok()?.extract::<u32>().ok()?;
                let name = code.getattr("co_name").ok()?.extract::<String>().ok()?;
                let file = file.rsplit(['/', '\\']).next().unwrap_or(&file);
                return Some(format!("{file}:{line} in {name}"));
            }
            frame = frame.getattr("f_back").ok().filter(|back| !back.is_none())?;
        }
    })
    .flatten()
}
