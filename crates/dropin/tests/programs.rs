//! Programs that call BLAS and LAPACK by their names: linked with the drop-in, and unchanged, with it loaded before their own.

#[path = "../../capi/tests/common/mod.rs"]
mod common;

use common::{has, libraries, source, text};
use lapack_ai_host::Routine;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn compile(name: &str, arguments: &[&str]) -> PathBuf {
    let program = built(name);
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o"]).arg(&program).args(arguments);
    let compiled = command.output().expect("a compiler");
    assert!(compiled.status.success(), "{name}: {}", text(&compiled.stderr));
    program
}

/// Compiles a program with the drop-in linked in, shared or static, and runs it with the report.
fn run_linked(name: &str, file: &str, form: &str) -> Output {
    let folder = libraries().display().to_string();
    let (search, run_time) = (format!("-L{folder}"), format!("-Wl,-rpath,{folder}"));
    let archive = format!("{folder}/liblapack_ai_dropin.a");
    let source = source(file);
    let program = match form {
        "shared" => compile(name, &[&source, &search, "-llapack_ai_dropin", &run_time, "-lm"]),
        _ => compile(name, &[&source, &archive, "-lpthread", "-ldl", "-lm"]),
    };
    Command::new(program).env("LAPACK_DROPIN_REPORT", "1").output().expect("a program")
}

/// The count of a line `lapack-ai drop-in: ROUTINE: COUNT calls ENGINE...`.
fn count(report: &str, routine: &str, engine: &str) -> u64 {
    let start = format!("lapack-ai drop-in: {routine}: ");
    let lines = report.lines().filter_map(|line| line.strip_prefix(&start)?.split_once(" calls "));
    lines.filter(|(_, whose)| whose.starts_with(engine)).map(|(count, _)| count.parse::<u64>().expect("a number")).sum()
}

const OWN_KERNELS: &str = "by LAPACK AI's kernels";

#[test]
fn products_under_the_names_of_the_blas_pass_the_rules_of_its_level_3_tests() {
    if !has("cc", "gcc") {
        return;
    }
    for form in ["shared", "static"] {
        let output = run_linked(&format!("level3_{form}"), "level3.c", form);
        let (out, report) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success() && out.ends_with("all tests passed\n"), "{form}: {out}{report}");
        for routine in ["dgemm", "sgemm", "cblas_dgemm", "cblas_sgemm"] {
            assert!(count(&report, routine, OWN_KERNELS) > 0, "{form}, {routine}: {report}");
            assert!(count(&report, routine, "by /") > 0, "{form}, {routine}: {report}");
        }
    }
}

#[test]
fn lapacks_drivers_keep_queries_pivots_and_info() {
    if !has("cc", "gcc") {
        return;
    }
    for form in ["shared", "static"] {
        let output = run_linked(&format!("drivers_{form}"), "drivers.c", form);
        let (out, report) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success() && out == "all tests passed\n", "{form}: {out}{report}");
        let counts = ["dgesvd", "dgesdd", "dgesv"].map(|routine| count(&report, routine, "by "));
        assert_eq!(counts, [2, 2, 2], "{form}: {report}");
    }
}

/// A program with its own LAPACK, one that the drop-in can use as well.
fn program_with_its_own_lapack() -> (PathBuf, PathBuf) {
    let known = ["dgemm", "dgesv", "ilaver"];
    let names = lapack_ai::DType::ALL.into_iter().flat_map(|dtype| Routine::all().filter_map(move |r| r.name(dtype)));
    let mut others: Vec<String> = names.filter(|name| !known.contains(&name.as_str())).collect();
    others.sort();
    others.dedup();
    let stubs: String =
        others.iter().map(|name| format!("void {name}_(void);\nvoid {name}_(void) {{ abort(); }}\n")).collect();
    let stubs_file = built("own_lapack_stubs.c");
    std::fs::write(&stubs_file, format!("#include <stdlib.h>\n{stubs}")).expect("a file");
    let (file, stubs_file) = (source("own_lapack.c"), stubs_file.display().to_string());
    let library = compile("libown_lapack.so", &["-DLIBRARY", "-fPIC", "-shared", &file, &stubs_file]);
    let library_path = library.display().to_string();
    let folder = format!("-Wl,-rpath,{}", env!("CARGO_TARGET_TMPDIR"));
    (compile("own_lapack", &[&file, &library_path, &folder]), library)
}

#[test]
fn an_unchanged_programs_products_are_taken_over_and_its_librarys_inner_ones_left_to_it() {
    if !has("cc", "gcc") {
        return;
    }
    let (program, library) = program_with_its_own_lapack();
    let alone = Command::new(&program).output().expect("a program");
    let expected = "the program's product: 42\nthe library's product: 42\ncalls of its own dgemm: 2\n";
    assert_eq!(text(&alone.stdout), expected);
    let output = Command::new(&program)
        .env("LD_PRELOAD", libraries().join("liblapack_ai_dropin.so"))
        .env("LAPACK_AI_LIBRARY", &library)
        .env("LAPACK_DROPIN_REPORT", "1")
        .output()
        .expect("a program");
    let (out, report) = (text(&output.stdout), text(&output.stderr));
    // The library was in the process before it was opened, so its inner call comes to the drop-in first.
    assert_eq!(out, "the program's product: 6\nthe library's product: 42\ncalls of its own dgemm: 1\n", "{report}");
    assert_eq!(count(&report, "dgemm", ""), 1, "{report}");
    assert_eq!(count(&report, "dgesv", "by "), 1, "{report}");
}

#[test]
fn the_report_is_only_written_if_asked_for_and_says_so_if_nothing_was_called() {
    if !has("cc", "gcc") {
        return;
    }
    let preload = libraries().join("liblapack_ai_dropin.so");
    let run = |value: &str| {
        let mut command = Command::new("true");
        text(
            &command.env("LD_PRELOAD", &preload).env("LAPACK_DROPIN_REPORT", value).output().expect("a program").stderr,
        )
    };
    assert_eq!(run("1"), "lapack-ai drop-in: no calls\n");
    assert_eq!([run("0"), run("")], ["", ""]);
}
