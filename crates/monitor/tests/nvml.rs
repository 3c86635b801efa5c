//! GPUs as NVIDIA's management library tells them, through the real loader: the test compiles a library of that name and
//! starts itself again with it on the loader's path.

#![cfg(target_os = "linux")]

mod common;

use common::{address, get, monitor};
use std::process::Command;

/// Two devices: the first tells everything and is slowed down, the second knows name and memory only.
const LIBRARY: &str = r#"
#include <string.h>
typedef struct { int number; } *device;
static struct { int number; } devices[2] = {{0}, {1}};
enum { NOT_FOUND = 6, NOT_SUPPORTED = 3 };
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *handle) {
    if (index == 1) return NOT_FOUND;
    *handle = (device)&devices[index / 2];
    return 0;
}
int nvmlDeviceGetName(device d, char *name, unsigned length) {
    strncpy(name, d->number ? "NVIDIA A100 MIG" : "NVIDIA H200", length);
    return 0;
}
int nvmlDeviceGetMemoryInfo(device d, unsigned long long *memory) {
    memory[0] = 150000000000ULL; memory[1] = 1000; memory[2] = d->number ? 7 : 90000000000ULL;
    return 0;
}
int nvmlDeviceGetUtilizationRates(device d, unsigned *rates) {
    rates[0] = 83; rates[1] = 40;
    return d->number ? NOT_SUPPORTED : 0;
}
static int number(device d, unsigned value, unsigned *to) { *to = value; return d->number ? NOT_SUPPORTED : 0; }
int nvmlDeviceGetPowerUsage(device d, unsigned *to) { return number(d, 650500, to); }
int nvmlDeviceGetEnforcedPowerLimit(device d, unsigned *to) { return number(d, 700000, to); }
int nvmlDeviceGetTemperature(device d, unsigned sensor, unsigned *to) { return number(d, 71 + sensor, to); }
int nvmlDeviceGetClockInfo(device d, unsigned which, unsigned *to) { return number(d, which == 1 ? 1980 : 0, to); }
int REASONS(device d, unsigned long long *to) { *to = 0x1 | 0x4; return d->number ? NOT_SUPPORTED : 0; }
"#;

/// The other process's part: prints what the page would show.
#[test]
fn told_by_a_process_of_its_own() {
    if std::env::var_os("TEST_NVML").is_none() {
        return;
    }
    let monitor = monitor();
    let machine = get(address(&monitor), "/api/snapshot").json()["machine"]["gpus"].to_string();
    let metrics = get(address(&monitor), "/metrics").body;
    println!("GPUS {machine}");
    metrics.lines().filter(|line| line.contains("hw_id")).for_each(|line| println!("METRIC {line}"));
}

/// What a process with that library says: GPUs as JSON, and lines of metrics.
fn with_library(name: &str, options: &[&str]) -> (serde_json::Value, Vec<String>) {
    let folder = std::env::temp_dir().join(format!("lapack-ai-nvml-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("nvml.c"), LIBRARY).unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o", "libnvidia-ml.so.1", "nvml.c"])
        .args(options)
        .current_dir(&folder)
        .status()
        .unwrap();
    assert!(compiled.success());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "told_by_a_process_of_its_own", "--nocapture"])
        .env("TEST_NVML", "1")
        .env("LD_LIBRARY_PATH", &folder)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let of =
        |kind: &str| text.lines().filter_map(|line| line.split_once(kind)).map(|(_, rest)| rest.to_string()).collect();
    let gpus: Vec<String> = of("GPUS ");
    (serde_json::from_str(gpus.first().unwrap_or_else(|| panic!("{text}"))).unwrap(), of("METRIC "))
}

#[test]
fn the_drivers_library_is_found_by_the_loader_and_its_devices_are_on_the_page_and_in_the_metrics() {
    let (gpus, metrics) = with_library("all", &["-DREASONS=nvmlDeviceGetCurrentClocksThrottleReasons"]);
    let gpus = gpus.as_array().unwrap();
    assert_eq!(gpus.len(), 2, "the device that cannot be opened is left out: {gpus:?}");
    let first = &gpus[0];
    assert_eq!((first["name"].as_str(), first["source"].as_str()), (Some("NVIDIA H200"), Some("nvml")));
    assert_eq!((first["utilisation"].as_f64(), first["power"].as_f64()), (Some(0.83), Some(650.5)));
    assert_eq!((first["power_limit"].as_f64(), first["temperature"].as_f64()), (Some(700.0), Some(71.0)));
    assert_eq!((first["clock"].as_f64(), first["memory_used"].as_u64()), (Some(1980.0), Some(90_000_000_000)));
    assert_eq!(first["throttled"], serde_json::json!(["power limit"]));
    let second = &gpus[1];
    assert_eq!((second["name"].as_str(), second["memory_used"].as_u64()), (Some("NVIDIA A100 MIG"), Some(7)));
    assert!(["utilisation", "power", "temperature", "clock"].iter().all(|name| second[name].is_null()), "{second}");
    let labels = "{hw_id=\"0\",hw_name=\"NVIDIA H200\",hw_type=\"gpu\"}";
    for line in [
        format!("hw_gpu_utilization_ratio{labels} 0.83"),
        format!("hw_power_watts{labels} 650.5"),
        format!("hw_temperature_celsius{labels} 71"),
        format!("lapack_ai_gpu_throttled{labels} 1"),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics:?}");
    }
}

#[test]
fn a_driver_that_knows_only_the_later_name_of_throttling_is_read_too() {
    let (gpus, _) = with_library("later", &["-DREASONS=nvmlDeviceGetCurrentClocksEventReasons"]);
    assert_eq!(gpus[0]["throttled"], serde_json::json!(["power limit"]));
}

#[test]
fn a_library_that_lacks_functions_is_as_good_as_none() {
    let (gpus, metrics) = with_library("less", &["-DREASONS=something_else"]);
    assert_eq!((gpus.as_array().unwrap().len(), metrics.len()), (0, 0));
}
