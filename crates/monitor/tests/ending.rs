//! What is left when a monitor ends. A file of its own: the other tests' monitors would listen meanwhile.

mod common;

use common::{get, monitor, options};
use lapack_ai_monitor::{Monitor, Options};
use std::net::TcpStream;

#[test]
fn a_monitor_that_ends_gives_its_port_back_and_hears_no_more_calls() {
    let first = monitor();
    let address = common::address(&first);
    drop(first);
    assert!(!lapack_ai::observe::is_observed());
    assert!(TcpStream::connect(address).is_err());
    let again = Monitor::start(Options { port: address.port(), ..options() }).unwrap();
    assert_eq!(get(common::address(&again), "/health/live").status, 200);
}
