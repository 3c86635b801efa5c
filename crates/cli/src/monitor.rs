//! `lapack-ai monitor` and `lapack-ai top`: all processes of this user that publish.

use clap::Args;
use lapack_ai::config::config;
use lapack_ai_monitor::{Hub, Options, Server, default_history, default_socket, render_top, watch};
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Args)]
pub(crate) struct MonitorArguments {
    /// Port of the page; 0 for any that is free. Default: LAPACK_DASHBOARD_PORT, or 8080.
    #[arg(long)]
    port: Option<u16>,
    /// Address to listen on. One that other machines reach needs a token.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// What readers must know, at least 16 letters or digits. Default: LAPACK_DASHBOARD_TOKEN, or a random one.
    #[arg(long, env = "LAPACK_DASHBOARD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A name under which a proxy makes the page reachable; may be given several times.
    #[arg(long = "host")]
    hosts: Vec<String>,
    /// A path that a proxy puts before the page's and does not take off.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Where processes publish. Default: a socket of this user.
    #[arg(long)]
    socket: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct TopArguments {
    /// Where processes publish. Default: a socket of this user.
    #[arg(long)]
    socket: Option<PathBuf>,
    /// Print once, after two seconds, and end.
    #[arg(long)]
    once: bool,
}

static STOP: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C and SIGTERM end the program in order.
fn end_on_signal() {
    #[cfg(unix)]
    {
        extern "C" fn stop(_: i32) {
            STOP.store(true, Ordering::Relaxed);
        }
        let handler: extern "C" fn(i32) = stop;
        // SAFETY: the handler stores to an atomic and does nothing else.
        unsafe {
            libc::signal(libc::SIGINT, handler as libc::sighandler_t);
            libc::signal(libc::SIGTERM, handler as libc::sighandler_t);
        }
    }
}

fn fail(error: &io::Error) -> ExitCode {
    eprintln!("lapack-ai: {error}");
    ExitCode::FAILURE
}

/// Serves the page until a signal.
pub(crate) fn monitor(arguments: MonitorArguments) -> ExitCode {
    end_on_signal();
    let serve = || -> io::Result<()> {
        let hub = Hub::start(arguments.socket.unwrap_or_else(default_socket))?;
        let port = match arguments.port {
            Some(port) => port,
            None => config().map_err(|error| io::Error::other(error.to_string()))?.dashboard_port,
        };
        let options = Options {
            address: arguments.address,
            port,
            token: arguments.token,
            hosts: arguments.hosts,
            prefix: arguments.prefix,
            history: default_history(),
        };
        let server = Server::of_hub(options, &hub)?;
        super::say(&format!(
            "{}\nProcesses with lap.monitor(publish=True), or LAPACK_AI_PUBLISH=1, are on this page. Ctrl-C ends it.",
            server.url()
        ));
        while !STOP.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    };
    serve().map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
}

/// Columns and lines of the terminal.
fn size() -> (usize, usize) {
    #[cfg(unix)]
    {
        // SAFETY: the structure is plain numbers, filled in by the system.
        let mut size: libc::winsize = unsafe { std::mem::zeroed() };
        // SAFETY: asks for the size of the standard output; it writes one such structure.
        let told = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
        if told == 0 && size.ws_col > 0 && size.ws_row > 0 {
            return (size.ws_col.into(), size.ws_row.into());
        }
    }
    (120, 10_000)
}

/// Shows the processes in the terminal until a signal: those of the running monitor, else it listens itself.
pub(crate) fn top(arguments: &TopArguments) -> ExitCode {
    end_on_signal();
    let socket = arguments.socket.clone().unwrap_or_else(default_socket);
    let screen = io::stdout().is_terminal() && !arguments.once;
    let mut shown = 0;
    let mut show = |processes: &[lapack_ai_monitor::snapshot::Process]| {
        shown += 1;
        let (width, height) = size();
        if screen {
            // Home, and away with what is left of the last screen.
            let text = render_top(processes, width, height.saturating_sub(1)).replace('\n', "\x1b[K\n");
            let _ = write!(io::stdout(), "\x1b[H{text}\x1b[K\n\x1b[J").and_then(|()| io::stdout().flush());
        } else if !arguments.once || shown >= 2 {
            super::say(&render_top(processes, width, height));
        }
        let done = arguments.once && shown >= 2;
        !done && !STOP.load(Ordering::Relaxed)
    };
    if screen {
        let _ = write!(io::stdout(), "\x1b[?1049h\x1b[?25l");
    }
    let mut run = || -> io::Result<()> {
        match watch(&socket, |processes| show(&processes)) {
            Ok(()) => return Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {}
            Err(error) => return Err(error),
        }
        let hub = Hub::start(socket.clone())?;
        loop {
            std::thread::sleep(Duration::from_secs(1));
            if !show(&hub.processes()) {
                return Ok(());
            }
        }
    };
    let done = run();
    if screen {
        let _ = write!(io::stdout(), "\x1b[?25h\x1b[?1049l").and_then(|()| io::stdout().flush());
    }
    done.map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
}
