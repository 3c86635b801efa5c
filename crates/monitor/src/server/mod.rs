//! The page and its data over HTTP, for one reader or a few.
//!
//! | address | what |
//! |---|---|
//! | `/`, `/app.js`, `/app.css` | the page; no data is in it, so it needs no token |
//! | `/api/stream` | WebSocket: everything once, then a message a second |
//! | `/api/snapshot` | everything, as JSON |
//! | `/api/limits`, `/api/map?dtype=float64` | what the machine can do; where each engine is faster |
//! | `/api/history`, `/api/history/RUN` | runs; one run beside those before it |
//! | `/api/export.json`, `/api/export.csv?table=operations` | for other programs |
//! | `/metrics` | for Prometheus |
//! | `/health/live`, `/health/ready` | for orchestrators |
//!
//! `guard` says who may read what. One thread serves all; connections, sizes and times are bounded:
//! [`MOST_CONNECTIONS`] at a time, a head of 16 KiB within 10 s, a connection for 2 minutes, 16 WebSockets that send at most
//! 1 KiB a message and must take each of ours within 10 s.

mod assets;
mod guard;
mod routes;
mod stream;

use crate::collect::Collector;
use crate::fork::{NotInChildren, Worker};
use crate::history::{self, History};
use crate::process::{Wanted, lock, unix_now};
use crate::snapshot::{Machine, Process};
use crate::source::Source;
use guard::Guard;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// Connections at a time; more are closed at once.
const MOST_CONNECTIONS: usize = 128;
/// Time for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Bytes of the head of a request.
const HEAD_BYTES: usize = 16 << 10;
/// Time after which a connection is ended: first in order, then at once.
const CONNECTION_TIME: [Duration; 2] = [Duration::from_secs(100), Duration::from_secs(20)];

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen. Another address than this machine's own needs `token` to be set.
    pub address: IpAddr,
    /// The port; 0 for any that is free.
    pub port: u16,
    /// What readers must know; `None` for a random one.
    pub token: Option<String>,
    /// Names under which the page may be reached beside this machine's own: those of a proxy.
    pub hosts: Vec<String>,
    /// What a proxy puts before every path and does not take off; empty for nothing.
    pub prefix: String,
    /// Where runs are recorded; `None` for nowhere.
    pub history: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            token: None,
            hosts: Vec::new(),
            prefix: String::new(),
            history: history::default_path(),
        }
    }
}

/// A token's least length: 16 characters of any alphabet are more than can be tried.
const LEAST_TOKEN: usize = 16;

fn random_token() -> io::Result<String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What handlers share.
pub(crate) struct Shared {
    pub(crate) guard: Guard,
    pub(crate) source: Arc<dyn Source>,
    collector: Mutex<Collector>,
    history: Option<PathBuf>,
    pub(crate) streams: stream::Streams,
}

/// One message to the page.
#[derive(Serialize)]
pub(crate) struct Message {
    kind: &'static str,
    version: &'static str,
    machine: Machine,
    alerts: Vec<crate::snapshot::Alert>,
    processes: Vec<Process>,
}

impl Shared {
    fn machine(&self) -> Machine {
        lock(&self.collector).machine(Instant::now(), unix_now())
    }

    fn message(&self, kind: &'static str, wanted: &dyn Fn(&Process) -> Wanted) -> Message {
        let machine = self.machine();
        let alerts = crate::advice::machine_alerts(&machine);
        let mut processes = self.source.processes(wanted);
        for process in &mut processes {
            process.alerts.extend(crate::advice::need_alert(&machine, process));
        }
        Message { kind, version: env!("CARGO_PKG_VERSION"), machine, alerts, processes }
    }

    /// The history, opened for one question: files that come later, or from other processes, are seen.
    fn history(&self) -> Result<History, String> {
        let path =
            self.history.as_ref().ok_or("no history is kept: it was switched off, or there is no home folder")?;
        History::open(path)
    }
}

/// Serves until it is dropped.
pub struct Server {
    address: SocketAddr,
    prefix: String,
    token: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Worker,
}

impl Server {
    /// Listens, and serves on a thread of its own.
    ///
    /// # Errors
    /// If the port is taken, or the address is not this machine's own and there is no token.
    pub(crate) fn start(options: Options, source: Arc<dyn Source>) -> io::Result<Self> {
        let refuse = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        if !options.address.is_loopback() && options.token.is_none() {
            return Err(refuse(format!("listening on {} needs a token of your own: set token", options.address)));
        }
        let token = options.token.map_or_else(random_token, Ok)?;
        if token.len() < LEAST_TOKEN
            || !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err(refuse(format!("a token has at least {LEAST_TOKEN} letters, digits, '-', '_' or '.'")));
        }
        let prefix = options.prefix.trim_matches('/');
        if !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./~".contains(&byte)) {
            return Err(refuse(format!("prefix '{prefix}' must be a path of letters, digits, '-', '_', '.' and '/'")));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        let listener = TcpListener::bind((options.address, options.port)).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => {
                let text = format!("port {} is taken; choose another, or port=0 for any that is free", options.port);
                io::Error::new(io::ErrorKind::AddrInUse, text)
            }
            _ => error,
        })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            guard: Guard::new(&token, address, options.hosts),
            source,
            collector: Mutex::new(Collector::new()),
            history: options.history,
            streams: stream::Streams::default(),
        });
        let router = routes::router(&prefix, &shared);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .thread_name("lapack-ai page")
            .build()?;
        let thread = Worker::start("lapack-ai page", move || {
            let _not_in_children = NotInChildren::new(&listener);
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, router) => {}
                    _ = stopped => {}
                }
            });
            // Readers that are still there are left, not waited for.
            runtime.shutdown_timeout(Duration::from_millis(200));
        })?;
        Ok(Self { address, prefix, token, stop: Some(stop), thread })
    }

    /// Serves what a hub knows.
    ///
    /// # Errors
    /// As [`Monitor::start`](crate::Monitor::start).
    pub fn of_hub(options: Options, hub: &crate::Hub) -> io::Result<Self> {
        Self::start(options, hub.view())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What readers must know.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Where the page is, with the token.
    pub fn url(&self) -> String {
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            ip @ IpAddr::V4(_) => ip.to_string(),
        };
        format!("http://{host}:{}{}/?token={}", self.address.port(), self.prefix, self.token)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stop = self.stop.take();
        self.thread.end(|| drop(stop));
    }
}

async fn accept(listener: tokio::net::TcpListener, router: axum::Router) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of descriptors, say: others will end.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Closed at once where there is no place.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _place = place;
            let _ = stream.set_nodelay(true);
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::pin!(connection);
            if tokio::time::timeout(CONNECTION_TIME[0], connection.as_mut()).await.is_err() {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(CONNECTION_TIME[1], connection).await;
            }
        });
    }
}
