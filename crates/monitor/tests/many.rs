//! Many processes on one page: they publish over a local socket. Here they are made of real ones: this test program starts
//! itself.

#![cfg(unix)]

mod common;

use common::{TOKEN, get, options, solve_some, wait_for};
use lapack_ai_monitor::snapshot::Process;
use lapack_ai_monitor::{Hub, Published, Server, watch};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A folder of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lapack-ai-many-{}-{name}", std::process::id()));
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("monitor.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that publishes: `calls` solves, then it waits for its standard input to end.
fn publisher(socket: &Path, calls: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "published_by_a_process_of_its_own", "--nocapture"])
        .env("TEST_SOCKET", socket)
        .env("TEST_CALLS", calls.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The other processes' part; nothing where it is run as a test.
#[test]
fn published_by_a_process_of_its_own() {
    let (Ok(socket), Ok(calls)) = (std::env::var("TEST_SOCKET"), std::env::var("TEST_CALLS")) else { return };
    let _published = Published::start(socket.into(), None).unwrap();
    solve_some(30, calls.parse().unwrap());
    let _ = std::io::stdin().read_line(&mut String::new());
}

fn calls_of(processes: &[Process], pid: u32) -> Option<(u64, String)> {
    let process = processes.iter().find(|process| process.identity.pid == pid)?;
    Some((process.totals.calls, process.state.clone()))
}

#[test]
fn one_page_shows_all_processes_and_tells_the_crashed_from_the_ended() {
    let folder = Folder::new("crash");
    let hub = Hub::start(folder.socket()).unwrap();
    let server = Server::of_hub(options(), &hub).unwrap();
    let (mut good, mut bad) = (publisher(&folder.socket(), 300), publisher(&folder.socket(), 500));
    let (first, second) = (good.id(), bad.id());
    let seen = || {
        let processes = hub.processes();
        (calls_of(&processes, first), calls_of(&processes, second))
    };
    let running = |calls| Some((calls, "running".to_string()));
    assert!(wait_for(30, || seen() == (running(300), running(500))), "{:?}", seen());

    bad.kill().unwrap();
    bad.wait().unwrap();
    assert!(wait_for(5, || seen() == (running(300), Some((500, "lost".into())))), "{:?}", seen());

    drop(good.stdin.take());
    assert!(wait_for(10, || calls_of(&hub.processes(), good.id()) == Some((300, "ended".into()))));
    assert!(good.wait().unwrap().success());

    let page = get(server.address(), "/api/snapshot").json();
    let states: Vec<&str> =
        page["processes"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"lost") && states.contains(&"ended"), "{states:?}");
    let metrics = get(server.address(), &format!("/metrics?token={TOKEN}")).body;
    assert!(metrics.contains(&format!("lapack_ai_process_up{{pid=\"{}\"}} 0", bad.id())));
}

#[test]
fn a_hub_that_comes_late_or_again_is_found_and_told_everything() {
    let folder = Folder::new("late");
    let mut child = publisher(&folder.socket(), 200);
    std::thread::sleep(Duration::from_millis(500));
    for _ in 0..2 {
        let hub = Hub::start(folder.socket()).unwrap();
        let complete = || calls_of(&hub.processes(), child.id()) == Some((200, "running".into()));
        assert!(wait_for(20, complete));
        let series = hub.processes()[0].series.len();
        assert!(wait_for(10, || hub.processes()[0].series.len() > series), "seconds are added to what was there");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_that_was_let_go_of_and_comes_back_is_listed_once_and_is_running() {
    let folder = Folder::new("back");
    let hub = Hub::start(folder.socket()).unwrap();
    let says = |calls: u64, stream: &mut UnixStream| {
        let mut process = Process { state: "running".into(), at: f64::MAX, ..Process::default() };
        (process.identity.pid, process.identity.started, process.totals.calls) = (4242, 1e9, calls);
        writeln!(stream, "{}", serde_json::to_string(&process).unwrap()).unwrap();
    };
    let connect = || {
        let mut stream = UnixStream::connect(folder.socket()).unwrap();
        writeln!(stream, "lapack-ai publish 1").unwrap();
        stream
    };
    let seen =
        |calls, state: &str| wait_for(5, || calls_of(&hub.processes(), 4242) == Some((calls, state.to_string())));
    let mut first = connect();
    says(10, &mut first);
    assert!(seen(10, "running"));
    drop(first);
    assert!(seen(10, "lost"));
    let mut second = connect();
    says(25, &mut second);
    assert!(seen(25, "running"));
    assert_eq!(hub.processes().len(), 1);
}

#[test]
fn rubbish_long_lines_and_strangers_do_not_disturb_a_hub() {
    let folder = Folder::new("rubbish");
    let hub = Hub::start(folder.socket()).unwrap();
    for text in
        ["\0\u{1}\n", "GET / HTTP/1.1\r\n\r\n", "lapack-ai publish 1\nnot json\n", "lapack-ai publish 1\n[1,2]\n"]
    {
        let mut stream = UnixStream::connect(folder.socket()).unwrap();
        let _ = stream.write_all(text.as_bytes());
    }
    let mut endless = UnixStream::connect(folder.socket()).unwrap();
    endless.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    endless.write_all(b"lapack-ai publish 1\n").unwrap();
    let block = vec![b'x'; 1 << 20];
    assert!((0..64).any(|_| endless.write_all(&block).is_err()), "64 MiB without an end of line were taken");
    let held: Vec<_> = (0..80).filter_map(|_| UnixStream::connect(folder.socket()).ok()).collect();
    drop(held);
    assert_eq!(hub.processes(), []);
    let mut child = publisher(&folder.socket(), 10);
    assert!(wait_for(20, || calls_of(&hub.processes(), child.id()) == Some((10, "running".into()))));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn processes_beyond_the_limit_are_turned_away_and_a_place_comes_back() {
    let folder = Folder::new("limit");
    let _hub = Hub::start(folder.socket()).unwrap();
    let is_closed = |stream: &mut UnixStream| {
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        matches!(std::io::Read::read(stream, &mut [0]), Ok(0))
    };
    let mut held: Vec<_> = (0..64).map(|_| UnixStream::connect(folder.socket()).unwrap()).collect();
    assert!(!is_closed(&mut held[63]), "64 have a place");
    assert!(wait_for(5, || is_closed(&mut UnixStream::connect(folder.socket()).unwrap())));
    drop(held);
    assert!(wait_for(5, || !is_closed(&mut UnixStream::connect(folder.socket()).unwrap())));
}

#[test]
fn the_socket_is_the_users_alone_and_taken_by_one_hub_at_a_time() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("private");
    let hub = Hub::start(folder.socket()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.0), mode(&folder.socket())), (0o700, 0o600));
    assert!(Hub::start(folder.socket()).err().unwrap().to_string().contains("another monitor listens"));
    drop(hub);
    assert!(!folder.socket().exists());
    std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Hub::start(folder.socket()).err().unwrap().to_string().contains("only you can write to"));
}

#[test]
fn a_terminal_sees_what_the_hub_sees() {
    let folder = Folder::new("terminal");
    let _hub = Hub::start(folder.socket()).unwrap();
    let mut child = publisher(&folder.socket(), 42);
    let mut seen = false;
    for _ in 0..20 {
        watch(&folder.socket(), |processes| {
            seen = calls_of(&processes, child.id()) == Some((42, "running".into()));
            false
        })
        .unwrap();
        if seen {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(seen);
}
