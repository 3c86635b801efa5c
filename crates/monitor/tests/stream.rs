//! The WebSocket of the page.

mod common;

use common::{TOKEN, address, alone, get, monitor, solve_some};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client, http};

fn open_with(address: SocketAddr, protocols: &str, origin: Option<&str>) -> Result<WebSocket<TcpStream>, String> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let mut request = http::Request::builder()
        .uri(format!("ws://{address}/api/stream"))
        .header("Host", address.to_string())
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    if !protocols.is_empty() {
        request = request.header("Sec-WebSocket-Protocol", protocols);
    }
    if let Some(origin) = origin {
        request = request.header("Origin", origin);
    }
    client(request.body(()).unwrap(), stream).map(|(socket, _)| socket).map_err(|error| error.to_string())
}

fn open(address: SocketAddr) -> WebSocket<TcpStream> {
    open_with(address, &format!("lapack-ai, lapack-ai.token.{TOKEN}"), None).expect("a WebSocket")
}

fn next(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        if let Message::Text(text) = socket.read().expect("a message") {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[test]
fn a_reader_gets_everything_once_and_then_what_is_new_each_second() {
    let _alone = alone();
    let monitor = monitor();
    solve_some(100, 10);
    let mut socket = open(address(&monitor));
    let first = next(&mut socket);
    assert_eq!((first["kind"].as_str(), first["processes"][0]["totals"]["calls"].as_u64()), (Some("full"), Some(10)));
    assert!(first["machine"]["cores"].as_u64().unwrap() >= 1);
    let tick = next(&mut socket);
    assert_eq!(tick["kind"], "tick");
    solve_some(100, 7);
    // A tick may have been made just before.
    let ticks = (0..3).map(|_| next(&mut socket));
    let tick = ticks.into_iter().find(|tick| tick["processes"][0]["totals"]["calls"] == 17).expect("the later calls");
    let recent = tick["processes"][0]["recent"].as_array().unwrap();
    assert!(recent.len() >= 7 && recent.len() <= 12, "{} calls are told again", recent.len());
    // Five, and those that a call has changed that ended later.
    assert!(tick["processes"][0]["series"].as_array().unwrap().len() <= 10);
}

#[test]
fn without_the_token_or_from_another_origin_there_is_no_stream() {
    let monitor = monitor();
    let address = address(&monitor);
    for protocols in ["", "lapack-ai", "lapack-ai, lapack-ai.token.wrong-wrong-wrong"] {
        let error = open_with(address, protocols, None).err().unwrap();
        assert!(error.contains("401"), "{error}");
    }
    let protocols = format!("lapack-ai, lapack-ai.token.{TOKEN}");
    let error = open_with(address, &protocols, Some("http://evil.example")).err().unwrap();
    assert!(error.contains("403"), "{error}");
    assert!(open_with(address, &protocols, Some(&format!("http://{address}"))).is_ok());
}

#[test]
fn huge_frames_end_the_connection_of_their_sender_only() {
    let monitor = monitor();
    let address = address(&monitor);
    let mut good = open(address);
    next(&mut good);
    let mut bad = open(address);
    next(&mut bad);
    // A frame that announces 2^62 bytes.
    let stream = bad.get_mut();
    stream.write_all(&[0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]).unwrap();
    stream.write_all(&[0; 4096]).ok();
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    let mut long = open(address);
    next(&mut long);
    long.send(Message::Text("x".repeat(100_000).into())).ok();
    let left = std::iter::from_fn(|| long.read().ok().filter(|message| !message.is_close())).take(5).count();
    assert!(left < 5, "still open after a message that is too long");
    assert_eq!(next(&mut good)["kind"], "tick");
}

#[test]
fn readers_beyond_the_limit_are_refused_and_a_place_comes_back() {
    let monitor = monitor();
    let address = address(&monitor);
    let mut readers: Vec<_> = (0..16).map(|_| open(address)).collect();
    readers.iter_mut().for_each(|socket| drop(next(socket)));
    let protocols = format!("lapack-ai, lapack-ai.token.{TOKEN}");
    assert!(open_with(address, &protocols, None).err().unwrap().contains("503"));
    drop(readers);
    assert!(common::wait_for(5, || open_with(address, &protocols, None).is_ok()));
}

#[test]
fn a_reader_that_does_not_read_is_no_trouble_for_others() {
    let _alone = alone();
    let monitor = monitor();
    let address = address(&monitor);
    let _stuck = open(address);
    solve_some(64, 500);
    let mut good = open(address);
    for _ in 0..3 {
        next(&mut good);
    }
    assert_eq!(get(address, "/health/ready").status, 200);
}
