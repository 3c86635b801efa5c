//! `lapack-ai tune` as its users start it: on the first OpenCL device, with a small budget.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs, process};

fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("lapack-ai-tune-{name}-{}", process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn run(cache: &PathBuf, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_lapack-ai"))
        .arg("tune")
        .args(arguments)
        .env("LAPACK_AI_CACHE_DIR", cache)
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit status"), text(stdout), text(stderr))
}

/// Whether there is a device to tune; one line, or a failure where nothing may be skipped.
fn has_device(err: &str) -> bool {
    if !err.contains("OpenCL") {
        return true;
    }
    assert!(env::var_os("LAPACK_AI_NO_SKIPS").is_none(), "no OpenCL device, and no test may be skipped: {err}");
    println!("skipped: no OpenCL device (Debian: apt install pocl-opencl-icd)");
    false
}

fn files(cache: &PathBuf) -> Vec<PathBuf> {
    let all = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("gemm-")).collect()
}

#[test]
fn a_class_is_tuned_kept_written_in_the_shipped_form_and_forgotten() {
    let cache = folder("kept");
    let output = cache.join("table.json");
    let common = ["--device", "0", "--dtype", "float32"];
    let arguments = [&common[..], &["--seconds", "15", "--output", output.to_str().unwrap()]].concat();
    let (status, out, err) = run(&cache, &arguments);
    if !has_device(&err) {
        return;
    }
    assert_eq!(status, 0, "{err}");
    let head = out.lines().next().unwrap();
    for column in ["product", "kernel", "GFLOP/s before", "after", "gain", "configuration"] {
        assert!(head.contains(column), "{out}");
    }
    assert!(out.contains("float32 NN ") && out.contains("classes of products are faster"), "{out}");
    assert!(err.lines().any(|line| line.trim_start().starts_with("100 %")), "{err}");
    let table: Value = serde_json::from_str(&fs::read_to_string(&output).unwrap()).unwrap();
    let entries = table["entries"].as_array().unwrap();
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry["class"]["dtype"] == "float32"), "{table}");
    assert!(table["device"].as_str().is_some_and(|name| out.contains(name)), "{table}");
    assert_eq!(files(&cache).len(), 1);

    let (status, out, err) = run(&cache, &["--device", "0", "--reset"]);
    assert_eq!((status, out.trim()), (0, "what was tuned for this device is forgotten"), "{err}");
    assert!(files(&cache).is_empty());
    let (status, out, _) = run(&cache, &["--device", "0", "--reset"]);
    assert_eq!((status, out.trim()), (0, "nothing was tuned for this device"));
    let _ = fs::remove_dir_all(&cache);
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_it_early_and_keeps_what_was_found() {
    let cache = folder("interrupted");
    let mut child = Command::new(env!("CARGO_BIN_EXE_lapack-ai"))
        .args(["tune", "--device", "0", "--dtype", "float32", "--seconds", "600"])
        .env("LAPACK_AI_CACHE_DIR", &cache)
        .stdout(process::Stdio::piped())
        .stderr(process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(6));
    if child.try_wait().unwrap().is_none() {
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }
    let said = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&said.stdout), text(&said.stderr));
    if !has_device(&err) {
        return;
    }
    assert_eq!(said.status.code(), Some(130), "{out}{err}");
    assert!(out.contains("interrupted, another run goes on from here"), "{out}");
    let _ = fs::remove_dir_all(&cache);
}

#[test]
fn what_cannot_be_tuned_is_refused_in_words() {
    let cache = folder("refused");
    for (arguments, expected) in [
        (&["--device", "no such device"][..], "no such device"),
        (&["--seconds", "0"], "above 0"),
        (&["--dtype", "float16"], "float32"),
        (&["--reset", "--output", "x"], "--reset"),
    ] {
        let (status, _, err) = run(&cache, arguments);
        assert_eq!(status, 2, "{err}");
        assert!(err.contains(expected) || err.contains("OpenCL"), "{err}");
    }
    let (status, _, err) = run(&cache, &["--device", "0", "--output", "/no/such/folder/table.json"]);
    assert_eq!(status, 2);
    assert!(err.contains("/no/such/folder/table.json cannot be written") || err.contains("OpenCL"), "{err}");
    let _ = fs::remove_dir_all(&cache);
}
