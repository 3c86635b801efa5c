//! `lapack-ai explain` as its users start it.

use serde_json::Value;
use std::process::{Command, Output};

fn explain(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_lapack-ai"))
        .arg("explain")
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit status"), text(stdout), text(stderr))
}

fn first_line(arguments: &[&str]) -> String {
    let (status, out, err) = explain(arguments);
    assert_eq!((status, err.as_str()), (0, ""), "{arguments:?}");
    out.lines().next().expect("a line").to_string()
}

#[test]
fn codes_info_iter_and_opencl_are_explained_in_a_first_line() {
    for (arguments, line) in [
        (&["LAP-E012"][..], "LAP-E012: the singular values did not converge."),
        (&["e010"], "LAP-E010: the matrix is singular."),
        (&["dgesvx", "4", "--n", "4"], "LAP-E010: dgesvx: singular: pivot 4, counted from 1, is exactly 0."),
        (
            &["dgesvx", "5", "--n", "4"],
            "LAP-W001: dgesvx: solved, but no digit is certain: rcond is below the precision.",
        ),
        (&["dgeequ", "4", "--m", "3"], "LAP-E017: dgeequ: column 1, counted from 1, is all zero."),
        (&["LAPACKE_zgesv", "-5"], "LAP-E020: LAPACKE_zgesv: argument 5, LDA, has a value that is not allowed."),
        (&["dsgesv", "--iter", "-3"], "LAP-I002: dsgesv: low precision met a singular or indefinite matrix."),
        (&["opencl", "-5"], "LAP-E041: OpenCL: the device ran out of resources, or a kernel failed (-5)."),
    ] {
        assert_eq!(first_line(arguments), line);
    }
}

#[test]
fn without_n_the_possibilities_are_printed() {
    let (status, out, _) = explain(&["dgesvx", "5"]);
    assert_eq!(status, 0);
    assert!(out.contains("if n >= 5:") && out.contains("if n = 4:"), "{out}");
}

#[test]
fn the_list_has_every_code_and_json_has_its_fields() {
    let (_, list, _) = explain(&["--list"]);
    let (_, json, _) = explain(&["--list", "--json"]);
    let codes: Vec<Value> = serde_json::from_str(&json).expect("a list");
    assert_eq!(list.lines().count(), codes.len());
    assert!(codes.len() >= 45, "{}", codes.len());
    for (line, code) in list.lines().zip(&codes) {
        assert!(line.starts_with(code["code"].as_str().expect("a code")), "{line}");
        assert!(code["fixes"][0]["text"].is_string() && code["cause"].is_string(), "{line}");
    }
    let (_, json, _) = explain(&["dgesvx", "4", "--n", "4", "--json"]);
    let told: Value = serde_json::from_str(&json).expect("an object");
    assert_eq!((&told["class"], &told["index"]), (&"U_ZERO_PIVOT".into(), &3.into()));
}

#[test]
fn what_is_not_known_is_said_on_standard_error_with_status_2() {
    for (arguments, part) in [
        (&["LAP-E999"][..], "no code \"LAP-E999\" is known"),
        (&["dgesvq", "1"], "no routine \"dgesvq\" is known"),
        (&["dgesv", "9", "--n", "4"], "dgesv does not return 9: not for n = 4"),
        (&["dgesv", "--iter", "-1"], "\"dgesv\" returns no ITER"),
        (&["opencl", "-20"], "does not return -20"),
        (&[], "required"),
    ] {
        let (status, out, err) = explain(arguments);
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains(part), "{arguments:?}: {err}");
    }
}
