//! A monitor, and a client that says exactly what it is told to.

#![allow(dead_code, reason = "each test file uses its own part")]

use lapack_ai::{MatrixView, SolveOptions, solve};
use lapack_ai_monitor::{Monitor, Options};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) const TOKEN: &str = "a-token-for-tests";

/// A monitor is told of every call of the process, so tests that count run one after another.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn options() -> Options {
    Options { token: Some(TOKEN.into()), history: None, ..Options::default() }
}

pub(crate) fn monitor() -> Monitor {
    Monitor::start(options()).expect("a free port")
}

pub(crate) fn address(monitor: &Monitor) -> SocketAddr {
    monitor.server().address()
}

/// Solves `calls` systems of order `n`.
pub(crate) fn solve_some(n: usize, calls: usize) {
    let a: Vec<f64> = (0..n * n).map(|i| if i % (n + 1) == 0 { 2.0 } else { 0.5 / n as f64 }).collect();
    let b = vec![1.0; n];
    for _ in 0..calls {
        let (a, b) = (MatrixView::row_major(&a, n, n).unwrap(), MatrixView::col_major(&b, n, 1).unwrap());
        solve(a, b, SolveOptions::default()).unwrap();
    }
}

/// An answer: status, head, body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Sends `text` as it is, and reads until the server closes.
pub(crate) fn say(address: SocketAddr, text: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(text.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_lowercase(), body: unchunked(head, body) })
}

fn unchunked(head: &str, body: &str) -> String {
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return body.to_string();
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap_or(0);
        if length == 0 {
            break;
        }
        whole.push_str(&after[..length]);
        rest = &after[length + 2..];
    }
    whole
}

/// A GET with the token and more headers.
pub(crate) fn get_with(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let text = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    say(address, &text).expect("an answer")
}

/// A GET with the token.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    get_with(address, path, &format!("Authorization: Bearer {TOKEN}\r\n"))
}

/// The only process of a snapshot.
pub(crate) fn process(address: SocketAddr) -> Value {
    get(address, "/api/snapshot").json()["processes"][0].clone()
}

/// Waits until `ready` is true, at most `seconds`.
pub(crate) fn wait_for(seconds: u64, mut ready: impl FnMut() -> bool) -> bool {
    let until = std::time::Instant::now() + Duration::from_secs(seconds);
    while std::time::Instant::now() < until {
        if ready() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    ready()
}
