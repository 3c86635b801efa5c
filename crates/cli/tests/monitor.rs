//! `lapack-ai monitor` and `lapack-ai top`, as a user starts them.

#![cfg(unix)]

use lapack_ai::{MatrixView, SolveOptions, solve};
use lapack_ai_monitor::Published;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lapack-ai"))
}

/// A place of the test's own.
fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lapack-ai-cli-{}-{name}", std::process::id())).join("monitor.sock")
}

/// This process publishes all its calls, so the tests run one after another.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn remove(socket: &Path) {
    let _ = std::fs::remove_dir_all(socket.parent().unwrap());
}

/// This process publishes ten solves of order 50.
fn publish(socket: &Path) -> Published {
    let published = Published::start(socket.to_path_buf(), None).unwrap();
    let (a, b) = (vec![0.01; 2500], vec![1.0; 50]);
    let a: Vec<f64> = a.iter().enumerate().map(|(i, x)| if i % 51 == 0 { 2.0 } else { *x }).collect();
    for _ in 0..10 {
        let (a, b) = (MatrixView::row_major(&a, 50, 50).unwrap(), MatrixView::col_major(&b, 50, 1).unwrap());
        solve(a, b, SolveOptions::default()).unwrap();
    }
    published
}

fn monitor(socket: &Path) -> (Running, String) {
    let mut child = program()
        .args(["monitor", "--port", "0", "--socket"])
        .arg(socket)
        .env_remove("LAPACK_DASHBOARD_TOKEN")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
    (Running(child), url.trim().to_string())
}

fn get(url: &str, path: &str) -> String {
    let (address, token) = url.strip_prefix("http://").unwrap().split_once("/?token=").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path}?token={token} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Whether it ends well on SIGTERM.
fn ends(mut running: Running) -> bool {
    let child = &mut running.0;
    // SAFETY: sends a signal to the child, which was not waited for yet.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        assert!(Instant::now() < until, "it does not end on SIGTERM");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn monitor_prints_the_page_shows_who_publishes_and_ends_on_a_signal() {
    let _alone = alone();
    let socket = socket("page");
    let (child, url) = monitor(&socket);
    assert!(get(&url, "/health/live").contains("alive"));
    let published = publish(&socket);
    let until = Instant::now() + Duration::from_secs(20);
    while !get(&url, "/api/snapshot").contains("\"calls\":10") {
        assert!(Instant::now() < until, "{}", get(&url, "/api/snapshot"));
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(published);
    assert!(ends(child));
    assert!(!socket.exists());
    remove(&socket);
}

#[test]
fn top_shows_processes_without_a_monitor_and_with_one() {
    let _alone = alone();
    let socket = socket("top");
    let published = publish(&socket);
    let once = || program().args(["top", "--once", "--socket"]).arg(&socket).output().unwrap();
    let seen = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        text
    };
    // The publisher looks for a hub every two seconds, so it may come after the only look.
    let found = (0..10).map(|_| seen(&once())).find(|text| text.contains("1 running"));
    assert!(found.is_some_and(|text| text.contains("solve") && text.contains("10 calls")));
    let (child, _) = monitor(&socket);
    let found = (0..10).map(|_| seen(&once())).find(|text| text.contains("1 running"));
    assert!(found.is_some_and(|text| text.contains("solve")));
    drop(published);
    assert!(ends(child));
    remove(&socket);
}

#[test]
fn a_second_monitor_and_an_address_without_a_token_are_refused_in_one_line() {
    let _alone = alone();
    let socket = socket("second");
    let (child, _) = monitor(&socket);
    let second = program().args(["monitor", "--port", "0", "--socket"]).arg(&socket).output().unwrap();
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        !second.status.success() && text.contains("another monitor listens") && text.lines().count() == 1,
        "{text}"
    );
    assert!(ends(child));
    let open = program().args(["monitor", "--address", "0.0.0.0", "--socket"]).arg(&socket).output().unwrap();
    assert!(String::from_utf8_lossy(&open.stderr).contains("needs a token"));
    remove(&socket);
}
