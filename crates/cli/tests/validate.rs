//! `lapack-ai validate` as its users start it.

use serde_json::Value;
use std::process::{Command, Output};

fn validate(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let Output { status, stdout, .. } = Command::new(env!("CARGO_BIN_EXE_lapack-ai"))
        .arg("validate")
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("the program starts");
    (status.code().expect("an exit status"), String::from_utf8(stdout).expect("UTF-8"))
}

/// No interpreter is found on this path, so that these tests do not depend on what is installed in one.
const NO_PYTHON: (&str, &str) = ("PATH", "/no/such/folder");

#[test]
fn a_machine_with_a_lapack_passes_and_every_part_is_named() {
    let (status, text) = validate(&[], &[NO_PYTHON]);
    assert_eq!(status, 0, "{text}");
    for part in ["LAPACK\n", "OpenCL\n", "GPU\n", "Python\n", "container\n", "0 failed (!!). Everything"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn a_lapack_that_cannot_be_opened_fails_with_its_fix() {
    let (status, text) = validate(&["--json"], &[NO_PYTHON, ("LAPACK_AI_LIBRARY", "/no/such/liblapack.so")]);
    let told: Value = serde_json::from_str(&text).expect("an object");
    assert_eq!((status, &told["ok"]), (1, &Value::Bool(false)));
    let first = &told["checks"][0];
    assert_eq!((first["section"].as_str(), first["outcome"].as_str()), (Some("LAPACK"), Some("failed")));
    assert!(first["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{first}");
}

#[test]
fn a_part_that_is_missing_fails_only_where_it_is_required() {
    let lacking = [NO_PYTHON];
    assert_eq!(validate(&[], &lacking).0, 0);
    let (status, text) = validate(&["--require", "python"], &lacking);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("!! interpreter"), "{text}");
    assert_eq!(validate(&["--require", "fortran"], &lacking).0, 2);
}
