//! `lapack-ai validate`: LAPACK, OpenCL, GPU, Python and the container are used, and what does not work comes with its fix.

use crate::say;
use lapack_ai::validate::{Check, Section, validate};
use serde_json::{Value, from_slice, to_string_pretty};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const SECTION: Section = Section::Python;
/// Importing takes a second or two where files come over a network.
const LONGEST: Duration = Duration::from_secs(60);
/// Prints what the checks look at. An import that fails is told as its message; the product's value is known.
const SCRIPT: &str = "
import json, sys
told = {'python': sys.version.split()[0], 'executable': sys.executable}
for name in ('numpy', 'lapack_py'):
    try:
        told[name] = __import__(name).__version__
    except Exception as error:
        told[name + '_error'] = f'{type(error).__name__}: {error}'
if 'lapack_py' in told:
    import lapack_py
    try:
        told['values'] = [float(value) for value in lapack_py.svdvals([[3.0, 0.0], [0.0, 4.0]])]
    except Exception as error:
        told['values_error'] = f'{type(error).__name__}: {error}'
print(json.dumps(told))
";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    /// The interpreter to check. Default: python3 or python on the PATH.
    #[arg(long)]
    python: Option<PathBuf>,
    /// A part that is optional in general and needed here: what is not there is a failure then. May be given several times.
    #[arg(long, value_name = "PART", value_parser = ["opencl", "gpu", "python"])]
    require: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut validation = validate(python(arguments.python.as_deref()));
    for section in Section::ALL {
        if arguments.require.iter().any(|name| name.eq_ignore_ascii_case(section.name())) {
            validation.require(section);
        }
    }
    say(&match arguments.json {
        true => to_string_pretty(&validation.json()).expect("strings and numbers"),
        false => format!("lapack-ai {}\n{validation}", env!("CARGO_PKG_VERSION")),
    });
    if validation.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn python(wanted: Option<&Path>) -> Vec<Check> {
    let Some(interpreter) = wanted.map(Path::to_path_buf).or_else(|| on_path(&["python3", "python"])) else {
        let fix = "optional: install Python 3.10 or later, then pip install lapack-py";
        return vec![Check::noted(SECTION, "interpreter", "no python3 on the PATH", fix)];
    };
    match ask(&interpreter) {
        Ok(told) => checks(&told, &interpreter),
        Err(why) => {
            let found = format!("{}: {why}", interpreter.display());
            vec![Check::failed(SECTION, "interpreter", found, "name another one: lapack-ai validate --python PATH")]
        }
    }
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let names = names.iter().map(|name| format!("{name}{}", env::consts::EXE_SUFFIX));
    names.flat_map(|name| folders.iter().map(move |folder| folder.join(&name))).find(|file| file.is_file())
}

/// What the interpreter says of itself.
fn ask(interpreter: &Path) -> Result<Value, String> {
    let mut command = Command::new(interpreter);
    command.args(["-c", SCRIPT]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if !ends_in_time(&mut child) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("no answer within {} s", LONGEST.as_secs()));
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        said.lines().last().map_or_else(|| format!("{} and no answer", output.status), str::to_string)
    })
}

/// The answer is far shorter than a pipe holds, so waiting before reading cannot block.
fn ends_in_time(child: &mut Child) -> bool {
    let started = Instant::now();
    while started.elapsed() < LONGEST {
        if child.try_wait().is_ok_and(|status| status.is_some()) {
            return true;
        }
        sleep(Duration::from_millis(10));
    }
    false
}

fn checks(told: &Value, interpreter: &Path) -> Vec<Check> {
    let text = |key: &str| told[key].as_str();
    let pip = format!("{} -m pip install", interpreter.display());
    let version = text("python").unwrap_or_default();
    let found = format!("{version}, {}", text("executable").unwrap_or_default());
    let mut checks = vec![match is_at_least(version, [3, 10]) {
        true => Check::passed(SECTION, "interpreter", found),
        false => Check::failed(SECTION, "interpreter", found, "lapack-py needs Python 3.10 or later"),
    }];
    checks.push(match (text("numpy"), text("numpy_error")) {
        (Some(version), _) if is_at_least(version, [2, 0]) => Check::passed(SECTION, "NumPy", version),
        (Some(version), _) => Check::failed(SECTION, "NumPy", version, format!("{pip} 'numpy>=2.0'")),
        (None, why) => Check::noted(SECTION, "NumPy", lacking(why), format!("optional: {pip} numpy")),
    });
    let own = env!("CARGO_PKG_VERSION");
    checks.push(match (text("lapack_py"), text("lapack_py_error")) {
        (Some(version), _) if version == own => Check::passed(SECTION, "lapack_py", version),
        (Some(version), _) => Check::noted(
            SECTION,
            "lapack_py",
            format!("{version}, and this program is {own}"),
            format!("{pip} lapack-py=={own}"),
        ),
        (None, Some(why)) if why.starts_with("ModuleNotFoundError: No module named 'lapack_py'") => {
            Check::noted(SECTION, "lapack_py", "not installed", format!("optional: {pip} lapack-py"))
        }
        (None, why) => Check::failed(
            SECTION,
            "lapack_py",
            why.unwrap_or_default(),
            format!("{pip} --force-reinstall lapack-py=={own}"),
        ),
    });
    if text("lapack_py").is_some() {
        checks.push(match (&told["values"], text("values_error")) {
            (Value::Array(values), _) if values[..] == [4.0, 3.0].map(Value::from) => {
                Check::passed(SECTION, "svdvals", "right")
            }
            (values, why) => Check::failed(
                SECTION,
                "svdvals",
                why.map_or_else(|| format!("{values} instead of [4.0, 3.0]"), str::to_string),
                format!("{} -m lapack_py says what is missing", interpreter.display()),
            ),
        });
    }
    checks
}

/// Why a module cannot be imported; for one that is not there, just that.
fn lacking(why: Option<&str>) -> &str {
    let why = why.unwrap_or_default();
    if why.starts_with("ModuleNotFoundError") { "not installed" } else { why }
}

fn is_at_least(version: &str, wanted: [u32; 2]) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    [parts.next().unwrap_or(0), parts.next().unwrap_or(0)] >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapack_ai::validate::Outcome;
    use serde_json::json;

    fn outcomes(told: &Value) -> Vec<(String, Outcome)> {
        checks(told, Path::new("/usr/bin/python3")).into_iter().map(|check| (check.name, check.outcome)).collect()
    }

    #[test]
    fn a_module_that_computes_passes_and_one_that_is_missing_is_noted() {
        let own = env!("CARGO_PKG_VERSION");
        let good = json!({"python": "3.12.1", "numpy": "2.4.0", "lapack_py": own, "values": [4.0, 3.0]});
        assert!(outcomes(&good).iter().all(|(_, outcome)| *outcome == Outcome::Passed), "{:?}", outcomes(&good));
        let bare = json!({
            "python": "3.12.1",
            "numpy_error": "ModuleNotFoundError: No module named 'numpy'",
            "lapack_py_error": "ModuleNotFoundError: No module named 'lapack_py'",
        });
        assert_eq!(outcomes(&bare)[1..], [("NumPy".into(), Outcome::Noted), ("lapack_py".into(), Outcome::Noted)]);
    }

    #[test]
    fn what_is_broken_fails_and_another_version_is_noted() {
        let told = json!({"python": "3.9.2", "numpy": "1.26.4", "lapack_py": "0.0.1", "values": [4.0, 2.0]});
        let expected = [Outcome::Failed, Outcome::Failed, Outcome::Noted, Outcome::Failed];
        assert_eq!(outcomes(&told).iter().map(|(_, outcome)| *outcome).collect::<Vec<_>>(), expected);
        let told = json!({"python": "3.12.1", "numpy": "2.0", "lapack_py_error": "ImportError: libm.so.6: version"});
        assert_eq!(outcomes(&told)[2].1, Outcome::Failed);
    }

    #[test]
    fn an_interpreter_that_says_nothing_useful_is_named() {
        let checks = python(Some(Path::new("/no/such/python")));
        assert_eq!((checks.len(), checks[0].outcome), (1, Outcome::Failed));
        assert!(checks[0].found.starts_with("/no/such/python: "), "{}", checks[0].found);
    }

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(is_at_least("3.10.0", [3, 10]) && is_at_least("3.9", [3, 9]) && is_at_least("10.0", [9, 1]));
        assert!(!is_at_least("3.9.18", [3, 10]) && !is_at_least("", [2, 0]));
    }
}
