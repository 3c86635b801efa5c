//! The live dashboard: what ran where, how fast, and what would have been faster.
//!
//! ```text
//! calls --observe--> event (bounded queue) --> process (own thread): aggregate, advice, history
//!                                                 |                    |
//!                                   local socket: publish, hub    server: page, JSON, WebSocket, /metrics
//! ```
//!
//! [`Monitor`] watches this process and serves its page; [`Hub`] shows many processes, which publish to it with
//! [`Publisher`]. Everything is read-only: nothing that comes from a browser changes what the library does.
//!
//! ```no_run
//! let monitor = lapack_ai_monitor::Monitor::start(lapack_ai_monitor::Options::default())?;
//! println!("{}", monitor.url());
//! # Ok::<(), std::io::Error>(())
//! ```

mod advice;
mod aggregate;
mod collect;
mod event;
mod export;
mod fork;
mod histogram;
mod history;
mod hub;
mod limits;
mod metrics;
mod process;
mod publish;
mod server;
pub mod snapshot;
mod source;
mod top;

pub use collect::Nvml;
pub use event::WhereAmI;
pub use history::default_path as default_history;
pub use hub::{Hub, watch};
pub use process::Watcher;
pub use publish::{Publisher, default_socket};
pub use server::{Options, Server};
pub use top::render as render_top;

use snapshot::Process;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Watches this process and serves its page, until it is dropped.
pub struct Monitor {
    // Dropped in this order: the page first.
    server: Server,
    watcher: Watcher,
}

impl Monitor {
    /// Starts both.
    ///
    /// # Errors
    /// If the address is taken or not allowed, with what to do.
    pub fn start(options: Options) -> io::Result<Self> {
        let watcher = Watcher::start(options.history.clone())?;
        let server = Server::start(options, Arc::new(watcher.view()))?;
        Ok(Self { server, watcher })
    }

    /// Where the page is, with the token.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The page's server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// What watches.
    pub fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// How things stand.
    pub fn process(&self) -> Process {
        self.watcher.view().process(process::Wanted::ALL)
    }
}

/// Watches this process and publishes to a hub, until it is dropped.
pub struct Published {
    // Dropped in this order: the last message tells what the watcher knows.
    publisher: Publisher,
    watcher: Watcher,
}

impl Published {
    /// Starts both; the hub may come later.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(socket: PathBuf, history: Option<PathBuf>) -> io::Result<Self> {
        let watcher = Watcher::start(history)?;
        let publisher = Publisher::start(socket, watcher.view())?;
        Ok(Self { publisher, watcher })
    }

    /// What watches.
    pub fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// Whether a hub listens now.
    pub fn is_connected(&self) -> bool {
        self.publisher.is_connected()
    }

    /// How things stand.
    pub fn process(&self) -> Process {
        self.watcher.view().process(process::Wanted::ALL)
    }
}
