//! `lapack-ai bench` as a user runs it. No test depends on how fast anything is: baselines are edited by a factor of a
//! thousand, either way.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Said {
    status: i32,
    out: String,
    err: String,
}

fn bench(arguments: &[&str]) -> Said {
    let program = Command::new(env!("CARGO_BIN_EXE_lapack-ai")).arg("bench").args(arguments).output();
    let Output { status, stdout, stderr } = program.expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { status: status.code().expect("no signal"), out: text(stdout), err: text(stderr) }
}

/// A new, empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Two cases, measured on this machine, edited and stored as a baseline.
fn baseline(test: &str, edit: impl FnOnce(&mut Value)) -> String {
    let path = folder(test).join("baseline.json");
    let name = path.to_str().unwrap().to_string();
    let made = bench(&["--quick", "--operations", "solve", "--sizes", "20,30", "--output", &name]);
    assert_eq!(made.status, 0, "{}", made.err);
    let mut figures = read(&path);
    edit(&mut figures);
    fs::write(&path, figures.to_string()).unwrap();
    name
}

fn compare(baseline: &str, further: &[&str]) -> Said {
    let mut arguments = vec!["--quick", "--operations", "solve", "--sizes", "20,30", "--baseline", baseline];
    arguments.extend(further);
    bench(&arguments)
}

/// As if the baseline's machine had taken `factor` times as long.
fn scale(figures: &mut Value, factor: f64) {
    for case in figures["cases"].as_array_mut().unwrap() {
        for seconds in case["seconds"].as_object_mut().unwrap().values_mut() {
            *seconds = json!(seconds.as_f64().unwrap() * factor);
        }
    }
}

#[test]
fn the_file_names_the_machine_and_has_one_record_a_case() {
    let path = folder("file").join("figures.json");
    let said = bench(&["--quick", "--sizes", "20", "--output", path.to_str().unwrap()]);
    assert_eq!(said.status, 0, "{}", said.err);
    let figures = read(&path);
    assert_eq!((&figures["format"], &figures["dtype"]), (&json!(1), &json!("float64")));
    let machine = &figures["machine"];
    for field in ["cpu", "os"] {
        assert!(machine[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {machine}");
    }
    assert!(machine["cores"].as_u64() > Some(0) && machine["threads"].as_u64() > Some(0), "{machine}");
    assert!(machine["lapack"]["path"].as_str().is_some_and(|path| !path.is_empty()), "{machine}");
    assert!(machine["lapack"]["version"].as_str().is_some_and(|version| version.starts_with("3.")), "{machine}");
    assert!(machine["lapack"]["vendor"].is_string(), "{machine}");

    let cases = figures["cases"].as_array().unwrap();
    let keys: Vec<Value> = cases.iter().map(|case| json!([case["operation"], case["n"], case["batch"]])).collect();
    let expected =
        [("svd", 20, 1), ("solve", 20, 1), ("gemm", 20, 1), ("batched-solve", 8, 200), ("batched-svd", 8, 200)];
    assert_eq!(json!(keys), json!(expected));
    let counts = [22.0 * 8e3, 2.0 / 3.0 * 8e3 + 800.0, 16e3, 200.0 * (1024.0 / 3.0 + 128.0), 200.0 * 22.0 * 512.0];
    for (case, count) in cases.iter().zip(counts) {
        let seconds = |name: &str| case["seconds"][name].as_f64().unwrap();
        let order = ["min", "lower_quartile", "median", "upper_quartile"].map(seconds);
        assert!(order[0] > 0.0 && order.is_sorted(), "{case}");
        let gflops = count / seconds("median") / 1e9;
        assert!((case["gflops"].as_f64().unwrap() / gflops - 1.0).abs() < 1e-12, "{case}");
        let error = case["error"].as_f64().unwrap();
        assert!(error > 0.0 && error <= 30.0, "{case}");
        assert!(case["repeats"].as_u64() >= Some(3) && case["calls"].as_u64() >= Some(1), "{case}");
    }
}

#[test]
fn the_table_has_a_line_a_case_and_progress_goes_to_stderr() {
    let said = bench(&["--quick", "--operations", "matmul,svd", "--sizes", "10,20,10"]);
    assert_eq!(said.status, 0, "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    let head = lines.iter().position(|line| line.starts_with("operation")).expect("a head");
    let names: Vec<Vec<&str>> = lines[head + 1..]
        .iter()
        .map(|line| line.split_whitespace().take(2).collect())
        .filter(|x: &Vec<_>| !x.is_empty())
        .collect();
    assert_eq!(names, [["gemm", "10"], ["gemm", "20"], ["svd", "10"], ["svd", "20"]]);
    let width = lines[head].chars().count();
    assert!(lines[head..head + 5].iter().all(|line| line.chars().count() == width), "{}", said.out);
    assert!(said.err.contains("[4/4] svd n=20") && !said.out.contains("[4/4]"), "{}", said.err);
}

#[test]
fn a_fall_is_reported_in_one_line_a_case_and_gives_status_1() {
    let name = baseline("fall", |figures| scale(figures, 1e-3));
    let said = compare(&name, &[]);
    assert_eq!(said.status, 1, "{}", said.err);
    for n in [20, 30] {
        let line = said.out.lines().find(|line| line.starts_with(&format!("solve n={n}: "))).expect("a line");
        assert!(line.contains(", was ") && line.ends_with(" % slower"), "{line}");
    }
    assert!(said.out.contains("2 of 2 compared cases slower by more than 10 %"), "{}", said.out);
    // Before it is believed it is measured three times.
    assert_eq!(said.err.matches("[round 2 of 3]").count(), 2, "{}", said.err);
    assert_eq!(said.err.matches("[round 3 of 3]").count(), 2, "{}", said.err);
}

#[test]
fn without_a_fall_the_status_is_0_and_nothing_is_measured_twice() {
    let name = baseline("gain", |figures| scale(figures, 1e3));
    let said = compare(&name, &[]);
    assert_eq!(said.status, 0, "{}", said.err);
    assert!(said.out.contains("0 of 2 compared cases slower"), "{}", said.out);
    assert!(!said.err.contains("round"), "{}", said.err);
}

#[test]
fn the_threshold_decides_what_a_fall_is() {
    let name = baseline("threshold", |figures| scale(figures, 1e-3));
    let said = compare(&name, &["--threshold", "1e9%"]);
    assert_eq!(said.status, 0, "{}{}", said.out, said.err);
    let said = compare(&name, &["--threshold", "little"]);
    assert!(said.status == 2 && said.err.contains("a percentage is a number from 0"), "{}", said.err);
}

#[test]
fn cases_that_only_one_side_has_are_mentioned() {
    let name = baseline("missing", |figures| {
        scale(figures, 1e3);
        figures["cases"][1]["n"] = json!(40);
    });
    let said = compare(&name, &[]);
    assert_eq!(said.status, 0, "{}", said.err);
    assert!(said.out.contains("solve n=30: not in the baseline\n"), "{}", said.out);
    assert!(said.out.contains("solve n=40: in the baseline, not measured now\n"), "{}", said.out);
    let said = bench(&["--quick", "--operations", "gemm", "--baseline", &name]);
    assert!(said.status == 2 && said.err.contains("none of the cases asked for"), "{}", said.err);
}

#[test]
fn another_machine_is_refused_unless_that_is_wanted() {
    for (field, value) in [("cpu", json!("Zilog Z80")), ("cores", json!(1001)), ("threads", json!(1002))] {
        let name = baseline(&format!("machine-{field}"), |figures| {
            scale(figures, 1e3);
            figures["machine"][field] = value.clone();
        });
        let said = compare(&name, &[]);
        assert_eq!(said.status, 2, "{field}: {}", said.out);
        let shown = value.as_str().map_or_else(|| value.to_string(), String::from);
        assert!(said.err.contains("another machine") && said.err.contains(&shown), "{}", said.err);
        assert!(said.err.contains("--other-machine") && !said.err.contains("[1/"), "{}", said.err);
        assert_eq!(compare(&name, &["--other-machine"]).status, 0, "{field}");
    }
}

#[test]
fn another_lapack_is_no_other_machine_but_is_named() {
    let name = baseline("lapack", |figures| {
        scale(figures, 1e3);
        figures["machine"]["lapack"]["path"] = json!("/opt/older/liblapack.so");
    });
    let said = compare(&name, &[]);
    assert_eq!(said.status, 0, "{}", said.err);
    assert!(said.out.contains("another LAPACK") && said.out.contains("/opt/older/liblapack.so"), "{}", said.out);
}

#[test]
fn a_baseline_that_is_not_there_comes_with_the_command_that_makes_it() {
    let path = folder("absent").join("baseline.json");
    let name = path.to_str().unwrap();
    let said = bench(&["--baseline", name]);
    assert_eq!((said.status, said.out.as_str()), (2, ""));
    assert!(said.err.contains(&format!("lapack-ai bench --output {name}")), "{}", said.err);
}

#[test]
fn a_file_that_is_no_baseline_is_refused_in_words() {
    let path = folder("broken").join("baseline.json");
    let name = path.to_str().unwrap();
    let figures = |format: u32, median: f64| {
        let seconds = json!({"median": median, "min": 1.0, "lower_quartile": 1.0, "upper_quartile": 1.0});
        let case = json!({"operation": "svd", "n": 9, "batch": 1, "seconds": seconds,
            "gflops": 1.0, "error": 1.0, "repeats": 3, "calls": 1});
        let lapack = json!({"path": "x", "version": "3.12.1", "vendor": ""});
        let machine = json!({"cpu": "x", "cores": 1, "threads": 1, "os": "x", "lapack": lapack});
        json!({"format": format, "version": "0.1.0", "dtype": "float64", "machine": machine, "cases": [case]})
    };
    let mut short = figures(1, 1.0);
    short["machine"].as_object_mut().unwrap().remove("cores");
    let mut unknown = figures(1, 1.0);
    unknown["cases"][0]["operation"] = json!("cholesky");
    let wrong = [
        ("{\"format\": 1, ".to_string(), "no JSON"),
        ("[]".to_string(), "no field \"format\""),
        (figures(2, 1.0).to_string(), "has the form 2"),
        (short.to_string(), "missing field `cores`"),
        (unknown.to_string(), "cholesky"),
        (figures(1, 0.0).to_string(), "median of 0 seconds"),
    ];
    for (text, words) in wrong {
        fs::write(&path, &text).unwrap();
        let said = bench(&["--quick", "--baseline", name]);
        assert_eq!(said.status, 2, "{text}");
        assert!(said.err.contains(words) && said.err.contains(name), "{}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    }
    fs::write(&path, b"\xff").unwrap();
    let said = bench(&["--baseline", name]);
    assert!(said.status == 2 && said.err.contains("cannot be read"), "{}", said.err);
}

#[test]
fn the_baseline_is_not_overwritten_by_what_is_compared_with_it() {
    let name = baseline("itself", |_| {});
    let before = fs::read_to_string(&name).unwrap();
    let said = compare(&name, &["--output", &name]);
    assert!(said.status == 2 && said.err.contains("name another file"), "{}", said.err);
    assert_eq!(fs::read_to_string(&name).unwrap(), before);
}

#[test]
fn a_comparison_can_write_its_own_figures_too() {
    let name = baseline("both", |figures| scale(figures, 1e-3));
    let output = Path::new(&name).with_file_name("now.json");
    let said = compare(&name, &["--output", output.to_str().unwrap()]);
    assert_eq!(said.status, 1, "{}", said.err);
    assert_eq!(read(&output)["cases"].as_array().unwrap().len(), 2);
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_anything_is_measured() {
    let folder = folder("place");
    for place in [folder.clone(), folder.join("absent").join("figures.json")] {
        let said = bench(&["--quick", "--output", place.to_str().unwrap()]);
        assert!(said.status == 2 && !said.err.contains("[1/"), "{}", said.err);
        assert!(said.err.contains("folder"), "{}", said.err);
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_what_can() {
    let said = bench(&["--operations", "svd,cholesky"]);
    assert!(said.status == 2 && said.err.contains("'cholesky'"), "{}", said.err);
    assert!(said.err.contains("svd, solve, gemm, batched-solve, batched-svd"), "{}", said.err);
    for arguments in [["--sizes", "0"], ["--sizes", "many"], ["--budget", "0"], ["--threshold", "5"]] {
        let said = bench(&arguments);
        assert!(said.status == 2 && said.err.contains(arguments[0]), "{}", said.err);
    }
}
