//! What the page's server answers, to friends and to others.

mod common;

use common::{TOKEN, address, alone, get, get_with, monitor, options, process, say, solve_some, wait_for};
use lapack_ai_monitor::{Monitor, Options};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn every_call_of_the_program_is_in_the_snapshot_however_short() {
    let _alone = alone();
    let monitor = monitor();
    solve_some(4, 20_000);
    solve_some(100, 30);
    let process = process(address(&monitor));
    assert_eq!(process["totals"]["calls"], 20_030);
    assert_eq!(process["totals"]["dropped"], 0);
    let rows = process["rows"].as_array().unwrap();
    let small = rows.iter().find(|row| row["size"] == 4).unwrap();
    assert_eq!((small["calls"].as_u64(), small["operation"].as_str()), (Some(20_000), Some("solve")));
    let timed = small["timed"].as_u64().unwrap();
    assert!((10..10_000).contains(&timed), "{timed} of 20,000 were timed");
    let large = rows.iter().find(|row| row["size"] == 128).unwrap();
    assert_eq!(large["calls"], 30);
    assert!(large["p50"].as_f64().unwrap() > 1e-6 && large["flops"].as_f64().unwrap() > 1e6);
}

#[test]
fn the_page_needs_no_token_and_its_data_does() {
    let monitor = monitor();
    let address = address(&monitor);
    for path in ["/", "/app.js", "/app.css", "/icon.svg", "/health/live", "/health/ready"] {
        assert_eq!(get_with(address, path, "").status, 200, "{path}");
    }
    for path in
        ["/api/snapshot", "/api/limits", "/api/map", "/api/history", "/api/export.csv", "/api/export.json", "/metrics"]
    {
        assert_eq!(get_with(address, path, "").status, 401, "{path}");
        let wrong = "Authorization: Bearer a-token-for-testr\r\n";
        assert_eq!(get_with(address, path, wrong).status, 401, "{path}");
    }
    for path in ["/api/snapshot", "/api/export.csv?table=calls", "/api/export.csv", "/api/export.json", "/metrics"] {
        assert_eq!(get(address, path).status, 200, "{path}");
    }
    assert_eq!(get_with(address, &format!("/metrics?token={TOKEN}"), "").status, 200);
}

#[test]
fn no_spelling_of_a_path_gives_data_without_the_token() {
    let monitor = Monitor::start(Options { prefix: "/lapack".into(), ..options() }).unwrap();
    let address = address(&monitor);
    for path in [
        "//api/snapshot",
        "/%61pi/snapshot",
        "/API/snapshot",
        "/api/snapshot/",
        "/api/./snapshot",
        "/app.js/../api/snapshot",
        "/health/../metrics",
        "/%6detrics",
        "/metrics/",
        "/metrics;x",
        "/lapack/api/snapshot",
        "/lapack//metrics",
        "/lapack/metrics",
        "/lapack/lapack/metrics",
    ] {
        let answer = get_with(address, path, "");
        assert!(matches!(answer.status, 400 | 401 | 404), "{path}: {}", answer.status);
        assert!(!answer.body.contains("lapack_ai_") && !answer.body.contains("identity"), "{path}");
    }
}

#[test]
fn answers_carry_a_strict_policy_and_nothing_is_kept_by_caches() {
    let monitor = monitor();
    let page = get_with(address(&monitor), "/", "");
    for part in [
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
    ] {
        assert!(page.head.contains(part), "{}", page.head);
    }
    assert!(!page.head.contains("unsafe"));
    assert!(get(address(&monitor), "/api/snapshot").head.contains("cache-control: no-store"));
    assert!(!page.head.contains("access-control-allow-origin"));
}

#[test]
fn foreign_hosts_and_origins_other_methods_and_paths_outside_are_refused() {
    let monitor = monitor();
    let address = address(&monitor);
    let ask = |text: &str| say(address, text).map(|answer| answer.status);
    let bearer = format!("Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
    assert_eq!(ask(&format!("GET /api/snapshot HTTP/1.1\r\nHost: evil.example\r\n{bearer}")), Some(403));
    assert_eq!(ask(&format!("GET / HTTP/1.1\r\nHost: evil.example\r\n{bearer}")), Some(403));
    let origin = format!("Host: {address}\r\nOrigin: http://evil.example\r\n{bearer}");
    assert_eq!(ask(&format!("GET /api/snapshot HTTP/1.1\r\n{origin}")), Some(403));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
        let text = format!("{method} /api/snapshot HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n{bearer}");
        assert_eq!(ask(&text), Some(405), "{method}");
    }
    for path in [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/app.js/../../Cargo.toml",
        "//etc/passwd",
        "/assets/index.html",
    ] {
        let answer = get(address, path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.body.contains("root:") && !answer.body.contains("[package]"), "{path}");
    }
}

#[test]
fn clients_that_hold_send_rubbish_or_too_much_do_no_harm_to_others() {
    let monitor = monitor();
    let address = address(&monitor);
    // Half a request each, and open for the rest of the test.
    let held: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /api/snapshot HTTP/1.1\r\nHost: loc").unwrap();
            stream
        })
        .collect();
    let started = Instant::now();
    assert_eq!(get(address, "/health/live").status, 200);
    assert!(started.elapsed() < Duration::from_secs(2), "others wait for those who hold");
    let long = format!("GET /?{} HTTP/1.1\r\nHost: {address}\r\n\r\n", "a".repeat(100_000));
    assert!(say(address, &long).is_none_or(|answer| matches!(answer.status, 400 | 414 | 431)));
    let head =
        |bytes| format!("GET / HTTP/1.1\r\nHost: {address}\r\nX-Y: {}\r\nConnection: close\r\n\r\n", "z".repeat(bytes));
    assert_eq!(say(address, &head(8 << 10)).unwrap().status, 200);
    assert!(
        say(address, &head(20 << 10)).is_none_or(|answer| answer.status == 431),
        "a head beyond the limit is answered"
    );
    let many = format!("GET / HTTP/1.1\r\nHost: {address}\r\n{}\r\n", "X-Y: z\r\n".repeat(5000));
    assert!(say(address, &many).is_none_or(|answer| matches!(answer.status, 400 | 431)));
    assert!(say(address, "\0\0\0\u{7f} rubbish\r\n\r\n").is_none_or(|answer| answer.status == 400));
    let smuggled = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    assert!(say(address, &smuggled).is_none_or(|answer| answer.status == 400 || answer.status == 200));
    assert_eq!(get(address, "/health/live").status, 200);
    // Those who hold are let go of.
    for mut stream in held {
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        let mut rest = Vec::new();
        assert!(stream.read_to_end(&mut rest).is_ok(), "still open after the time for a head");
    }
}

#[test]
fn more_connections_than_there_are_places_are_closed_and_places_come_back() {
    let monitor = monitor();
    let address = address(&monitor);
    let held: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(address).ok()).collect();
    std::thread::sleep(Duration::from_millis(300));
    let closed = held.iter().filter(|stream| {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        matches!((&**stream).read(&mut [0]), Ok(0))
    });
    assert!(closed.count() >= 200 - 128);
    drop(held);
    assert!(wait_for(5, || say(
        address,
        &format!("GET /health/live HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
    )
    .is_some_and(|answer| answer.status == 200)));
}

#[test]
fn ten_thousand_requests_are_answered_while_the_program_computes() {
    let _alone = alone();
    let monitor = monitor();
    let address = address(&monitor);
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                    (0..1250).filter(|_| answered(&mut stream, &request)).count()
                })
            })
            .collect();
        let load = scope.spawn(|| solve_some(50, 2000));
        let answered: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        load.join().unwrap();
        assert_eq!(answered, 10_000);
    });
    assert_eq!(process(address)["totals"]["calls"], 2000);
}

/// One request on an open connection.
fn answered(stream: &mut TcpStream, request: &str) -> bool {
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed in the middle of an answer");
        bytes.extend_from_slice(&buffer[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if bytes.len() >= end + 4 + length.expect("a length") {
            return head.starts_with("http/1.1 200");
        }
    }
}

#[test]
fn another_address_needs_a_token_and_weak_tokens_and_taken_ports_are_refused_with_the_fix() {
    let everywhere = Options { address: "0.0.0.0".parse().unwrap(), token: None, ..options() };
    assert!(Monitor::start(everywhere).err().unwrap().to_string().contains("needs a token"));
    let weak = Options { token: Some("short".into()), ..options() };
    assert!(Monitor::start(weak).err().unwrap().to_string().contains("at least 16"));
    let first = monitor();
    let second = Options { port: address(&first).port(), ..options() };
    let error = Monitor::start(second).err().unwrap();
    assert!(error.to_string().contains("is taken") && error.to_string().contains("port=0"), "{error}");
}

#[test]
fn behind_a_prefix_that_a_proxy_keeps_everything_is_reachable() {
    let monitor = Monitor::start(Options { prefix: "/user/ada/proxy/8080/".into(), ..options() }).unwrap();
    let address = address(&monitor);
    assert!(monitor.url().contains("/user/ada/proxy/8080/?token="));
    for path in ["/", "/app.js", "/user/ada/proxy/8080/", "/user/ada/proxy/8080/app.js"] {
        assert_eq!(get_with(address, path, "").status, 200, "{path}");
    }
    assert_eq!(get_with(address, "/user/ada/proxy/8080/api/snapshot", "").status, 401);
    assert_eq!(get(address, "/user/ada/proxy/8080/api/snapshot").status, 200);
}

#[test]
fn a_name_that_was_allowed_reaches_the_page_through_a_proxy() {
    let monitor = Monitor::start(Options { hosts: vec!["hub.example.org".into()], ..options() }).unwrap();
    let text =
        "GET / HTTP/1.1\r\nHost: hub.example.org\r\nOrigin: https://hub.example.org\r\nConnection: close\r\n\r\n";
    assert_eq!(say(address(&monitor), text).unwrap().status, 200);
}

#[test]
fn the_map_and_the_limits_are_for_every_type_and_others_are_refused() {
    let monitor = monitor();
    let address = address(&monitor);
    for dtype in ["float32", "float64", "complex128"] {
        let map = get(address, &format!("/api/map?dtype={dtype}")).json();
        assert!(map.as_array().unwrap().iter().any(|row| row["operation"] == "svd"), "{dtype}");
    }
    assert_eq!(get(address, "/api/map?dtype=int8").status, 400);
    assert_eq!(get(address, "/api/export.csv?table=secrets").status, 400);
    assert!(get(address, "/api/limits").json()[0]["flops64"].as_f64().unwrap() > 1e6);
}
