//! Programs in C and Fortran, compiled and linked with the shared library and the static one.

mod common;

use common::{has, libraries, source, text};
use std::path::Path;
use std::process::{Command, Output};

/// The ways to link a program: a name, and the arguments.
fn forms() -> [(&'static str, Vec<String>); 2] {
    let folder = libraries();
    let folder = folder.display();
    [
        ("shared", [format!("-L{folder}"), "-llapack_ai".into(), format!("-Wl,-rpath,{folder}")].into()),
        (
            "static",
            [format!("{folder}/liblapack_ai.a")]
                .into_iter()
                .chain(["-lpthread", "-ldl", "-lm"].map(String::from))
                .collect(),
        ),
    ]
}

/// Compiles `source`.
fn compiled(compiler: &str, name: &str, source: &str, flags: &[&str], link: &[String]) -> Command {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let include = format!("-I{}/include", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(compiler);
    command.args(flags).args([&include, "-o"]).arg(&program).arg(source).args(link).arg("-lm");
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    let compiled = command.output().expect("a compiler");
    assert!(compiled.status.success(), "{name}: {}", text(&compiled.stderr));
    Command::new(&program)
}

/// Compiles `source` and runs it.
fn run(compiler: &str, name: &str, source: &str, flags: &[&str], link: &[String]) -> Output {
    compiled(compiler, name, source, flags, link).output().expect("a program")
}

fn is_right(output: &Output, name: &str) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && out == "all products are right\n", "{name}: {}\n{out}{err}", output.status);
}

const STRICT: [&str; 5] = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"];

#[test]
fn a_program_in_c_links_the_shared_library_and_the_static_one() {
    if !has("cc", "gcc") {
        return;
    }
    for (form, link) in forms() {
        let name = format!("products_c_{form}");
        is_right(&run("cc", &name, &source("products.c"), &STRICT, &link), &name);
    }
}

#[test]
fn without_an_xerbla_of_the_program_the_text_of_lapacks_own_is_written_and_the_routine_returns() {
    if !has("cc", "gcc") {
        return;
    }
    for (form, link) in forms() {
        let name = format!("without_xerbla_{form}");
        let flags: Vec<&str> = STRICT.into_iter().chain(["-DWITHOUT_XERBLA"]).collect();
        let output = run("cc", &name, &source("products.c"), &flags, &link);
        is_right(&output, &name);
        let expected = " ** On entry to DGEMM_ALPHA parameter number  8 had an illegal value\n";
        assert_eq!(text(&output.stderr), expected, "{name}");
    }
}

#[test]
fn a_program_in_fortran_links_the_shared_library_and_the_static_one() {
    if !has("gfortran", "gfortran") {
        return;
    }
    for (form, link) in forms() {
        let name = format!("products_fortran_{form}");
        is_right(&run("gfortran", &name, &source("products.f90"), &["-Wall", "-Werror"], &link), &name);
    }
}

/// The OpenCL device of the tests, as `LAPACK_GPU_DEVICE` names it: the one that `LAPACK_AI_TEST_DEVICE` says, else the first GPU,
/// else PoCL. `None` where there is none, after one line.
fn device() -> Option<String> {
    let devices = lapack_ai::gpu::devices();
    if devices.is_empty() {
        assert!(std::env::var_os("LAPACK_AI_NO_SKIPS").is_none(), "no OpenCL device, and no test may be skipped");
        println!("skipped: no OpenCL device (Debian: apt install pocl-opencl-icd)");
        return None;
    }
    let first = devices.iter().find(|device| !device.info.is_cpu).map(|device| device.index.to_string());
    Some(std::env::var("LAPACK_AI_TEST_DEVICE").ok().or(first).unwrap_or_else(|| "pocl".to_string()))
}

fn decomposes(mut program: Command, name: &str) {
    let output = program.output().expect("a program");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    // LAPACK's own routines say what they think of a NaN.
    assert!(
        output.status.success() && out.ends_with("all decompositions are right\n"),
        "{name}: {}\n{out}{err}",
        output.status
    );
}

#[test]
fn decompositions_of_a_program_in_c_are_right_on_a_device_and_by_lapack() {
    if !has("cc", "gcc") {
        return;
    }
    for (form, link) in forms() {
        let name = format!("decompositions_c_{form}");
        let program = || compiled("cc", &name, &source("decompositions.c"), &STRICT, &link);
        let mut by_lapack = program();
        by_lapack.env("LAPACK_GPU_ENABLED", "false");
        decomposes(by_lapack, &name);
        if let Some(device) = device() {
            let mut on_device = program();
            on_device.arg("gpu").env("LAPACK_GPU_DEVICE", device);
            decomposes(on_device, &name);
        }
    }
}

#[test]
fn decompositions_of_a_program_in_fortran_are_right_on_a_device_and_by_lapack() {
    if !has("gfortran", "gfortran") {
        return;
    }
    for (form, link) in forms() {
        let name = format!("decompositions_fortran_{form}");
        let program = || compiled("gfortran", &name, &source("decompositions.f90"), &["-Wall", "-Werror"], &link);
        decomposes(program(), &name);
        if let Some(device) = device() {
            let mut on_device = program();
            on_device.env("LAPACK_GPU_DEVICE", device);
            decomposes(on_device, &name);
        }
    }
}

#[test]
fn programs_in_c_and_fortran_are_told_what_info_means() {
    for (form, link) in forms() {
        if has("cc", "gcc") {
            let name = format!("explain_c_{form}");
            let output = run("cc", &name, &source("explain.c"), &STRICT, &link);
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            assert!(output.status.success() && out == "all explanations are right\n", "{name}: {out}{err}");
        }
        if has("gfortran", "gfortran") {
            let name = format!("explain_fortran_{form}");
            let output = run("gfortran", &name, &source("explain.f90"), &["-Wall", "-Werror"], &link);
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            assert!(output.status.success() && out.trim() == "all explanations are right", "{name}: {out}{err}");
        }
    }
}

#[test]
fn the_header_is_also_one_for_cpp() {
    if !has("c++", "g++") {
        return;
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("header.cpp");
    let call = "#include \"lapack_ai.h\"\nint main() { return lapack_ai_gemm_error_bound('C', 4, 4, 4) != 12; }\n";
    std::fs::write(&file, call).expect("a file");
    let [(_, shared), _] = forms();
    let flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic"];
    let output = run("c++", "header_cpp", file.to_str().expect("a path"), &flags, &shared);
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn the_header_declares_what_the_library_exports_and_nothing_else() {
    if !has("nm", "binutils") {
        return;
    }
    let header = include_str!("../include/lapack_ai.h");
    let mut declared: Vec<String> = header
        .lines()
        .filter(|line| ["int ", "int64_t ", "double ", "void "].iter().any(|of| line.starts_with(of)))
        .map(|line| line.split(['(', ' ']).nth(1).expect("a name").to_string())
        .collect();
    // Said in words: the same functions under two more names.
    let other_spellings: Vec<String> = declared
        .iter()
        .filter_map(|name| name.strip_suffix('_'))
        .flat_map(|stem| [stem.to_string(), format!("{stem}__")])
        .collect();
    declared.extend(other_spellings);
    declared.sort();
    let library = libraries().join("liblapack_ai.so");
    let listed = Command::new("nm").args(["-D", "--defined-only"]).arg(library).output().expect("nm");
    let mut exported: Vec<String> =
        text(&listed.stdout).lines().filter_map(|line| line.split_whitespace().nth(2).map(String::from)).collect();
    exported.sort();
    assert_eq!(declared, exported);
}
