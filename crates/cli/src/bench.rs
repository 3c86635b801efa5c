//! `lapack-ai bench`: measures this machine, and says what became slower since an earlier measurement.
//!
//! The exit status is for scripts: 0, 1 where a case is slower than the baseline allows, 2 where nothing could be
//! measured or compared.

mod case;
mod compare;
mod record;

use crate::say;
use case::{Case, Failure, Measurement, Operation, measure};
use clap::Args;
use compare::{changes, missing_from, other_machine};
use record::{Machine, Results};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Orders of the single matrices.
const SIZES: [usize; 4] = [100, 500, 1000, 2000];
const QUICK_SIZES: [usize; 2] = [50, 100];
/// Order of the matrices of a batch, and their number.
const BATCH_ORDER: usize = 8;
const BATCH: usize = 10_000;
const QUICK_BATCH: usize = 200;
/// Seconds of repeats for each case.
const BUDGET: f64 = 2.0;
const QUICK_BUDGET: f64 = 0.02;
/// A case that looks slower is measured this often in all: what disturbed it once seldom does so three times.
const ROUNDS: usize = 3;

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to measure, separated by commas; everything if left out.
    #[arg(long, value_enum, value_delimiter = ',')]
    operations: Vec<Operation>,
    /// Orders of the single matrices, separated by commas [default: 100,500,1000,2000].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=20_000))]
    sizes: Vec<u32>,
    /// Seconds of repeats for each case [default: 2]; at least three repeats are made however long they take.
    #[arg(long, value_parser = seconds)]
    budget: Option<f64>,
    /// Small matrices and few repeats: a trial of the command, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Write the figures to this file (JSON).
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compare with the figures in this file, which `--output` made on this machine; exit status 1 if a case is slower.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// By how much a median may exceed the baseline's.
    #[arg(long, value_name = "PERCENT", default_value = "10", value_parser = percent, requires = "baseline")]
    threshold: f64,
    /// Compare even if the baseline is of another machine.
    #[arg(long, requires = "baseline")]
    other_machine: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x <= 3600.0).ok_or_else(|| "seconds are a number above 0, at most 3600".into())
}

fn percent(text: &str) -> Result<f64, String> {
    number(text.trim_end_matches('%'), |x| x >= 0.0).ok_or_else(|| "a percentage is a number from 0".into())
}

fn number(text: &str, allowed: impl Fn(f64) -> bool) -> Option<f64> {
    text.trim().parse().ok().filter(|&x: &f64| x.is_finite() && allowed(x))
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match bench(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

/// Whether no case is slower. Whatever can be refused is refused before the first measurement.
fn bench(arguments: &Arguments) -> Result<bool, String> {
    let machine = Machine::this().map_err(|error| error.report())?;
    if let (Some(output), Some(baseline)) = (&arguments.output, &arguments.baseline)
        && same_file(output, baseline)
    {
        return Err("--output would replace the baseline, and the next comparison with it: name another file".into());
    }
    let baseline = arguments.baseline.as_deref().map(|path| read_baseline(path, &machine, arguments)).transpose()?;
    if let Some(output) = &arguments.output {
        require_folder(output)?;
    }

    let cases = cases(arguments);
    if let Some(baseline) = &baseline
        && !cases.iter().any(|case| baseline.cases.iter().any(|known| known.case == *case))
    {
        let had: Vec<String> = baseline.cases.iter().map(|known| known.case.to_string()).collect();
        return Err(format!("the baseline has none of the cases asked for; it has: {}", had.join(", ")));
    }
    let budget = arguments.budget.unwrap_or(if arguments.quick { QUICK_BUDGET } else { BUDGET });
    let budget = Duration::from_secs_f64(budget);
    let tell = |failure: Failure| match failure {
        Failure::Lapack(error) => error.report(),
        Failure::Wrong(text) => text,
    };
    let mut measured = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        eprintln!("[{}/{}] {case}", index + 1, cases.len());
        measured.push(measure(*case, budget).map_err(tell)?);
    }
    if let Some(baseline) = &baseline {
        // After all others, not at once: a disturbance of a few seconds is over by then.
        for round in 2..=ROUNDS {
            for change in changes(&measured, &baseline.cases) {
                if change.is_slower(arguments.threshold) {
                    eprintln!("[round {round} of {ROUNDS}] {change}; measured again");
                    let again = measure(change.case, budget).map_err(tell)?;
                    let former = measured.iter_mut().find(|former| former.case == change.case);
                    let former = former.expect("a change is of a measured case");
                    if again.seconds.median < former.seconds.median {
                        *former = again;
                    }
                }
            }
        }
    }

    say(&table(&machine, &measured));
    let results = Results::new(machine, measured);
    if let Some(output) = &arguments.output {
        let written = fs::write(output, results.to_json());
        written.map_err(|error| format!("{} cannot be written: {error}", output.display()))?;
    }
    Ok(baseline.is_none_or(|baseline| compare(&results, &baseline, arguments.threshold)))
}

/// Prints the comparison; whether no case is slower.
fn compare(now: &Results, was: &Results, threshold: f64) -> bool {
    if now.machine.lapack != was.machine.lapack {
        say(&format!("note: the baseline was measured with another LAPACK: {}", was.machine.lapack));
    }
    for case in missing_from(&was.cases, &now.cases) {
        say(&format!("{case}: not in the baseline"));
    }
    for case in missing_from(&now.cases, &was.cases) {
        say(&format!("{case}: in the baseline, not measured now"));
    }
    let changes = changes(&now.cases, &was.cases);
    let slower: Vec<_> = changes.iter().filter(|change| change.is_slower(threshold)).collect();
    for change in &slower {
        say(&change.to_string());
    }
    let (some, all) = (slower.len(), changes.len());
    say(&format!("{some} of {all} compared cases slower by more than {threshold} %"));
    slower.is_empty()
}

fn cases(arguments: &Arguments) -> Vec<Case> {
    let sizes: Vec<usize> = match &arguments.sizes[..] {
        [] if arguments.quick => QUICK_SIZES.to_vec(),
        [] => SIZES.to_vec(),
        sizes => sizes.iter().map(|&n| n as usize).collect(),
    };
    let batch = if arguments.quick { QUICK_BATCH } else { BATCH };
    let wanted = if arguments.operations.is_empty() { &Operation::ALL[..] } else { &arguments.operations };
    let mut cases = Vec::new();
    for &operation in wanted {
        if operation.is_batched() {
            cases.push(Case { operation, n: BATCH_ORDER, batch });
        } else {
            cases.extend(sizes.iter().map(|&n| Case { operation, n, batch: 1 }));
        }
    }
    // Whoever names a case twice means it once.
    let mut seen = Vec::new();
    cases.retain(|case| {
        !seen.contains(case) && {
            seen.push(*case);
            true
        }
    });
    cases
}

fn read_baseline(path: &Path, machine: &Machine, arguments: &Arguments) -> Result<Results, String> {
    let shown = path.display();
    if !path.exists() {
        let quick = if arguments.quick { " --quick" } else { "" };
        return Err(format!("there is no {shown} yet; make it: lapack-ai bench{quick} --output {shown}"));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let baseline = Results::from_json(&text).map_err(|why| format!("{shown} {why}"))?;
    match other_machine(machine, &baseline.machine) {
        Some(how) if !arguments.other_machine => Err(format!(
            "{shown} is of another machine: {how}; make one here with lapack-ai bench --output, or add --other-machine"
        )),
        _ => Ok(baseline),
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// A minute of measuring should not end at a folder that is not there.
fn require_folder(output: &Path) -> Result<(), String> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if output.is_dir() {
        return Err(format!("{} is a folder; --output needs the name of a file", output.display()));
    }
    if folder.is_dir() { Ok(()) } else { Err(format!("there is no folder {}; create it first", folder.display())) }
}

fn table(machine: &Machine, measured: &[Measurement]) -> String {
    let Machine { cpu, cores, threads, os, lapack } = machine;
    let mut text =
        format!("CPU: {cpu}; cores: {cores}, threads: {threads}; {os}\n{lapack}\nfloat64; times are of one call\n\n");
    let head = ["operation", "n", "matrices", "median", "least", "quartiles", "GFLOP/s", "error / n eps"];
    let mut rows = vec![head.map(String::from)];
    for Measurement { case, seconds, gflops, error, .. } in measured {
        rows.push([
            case.operation.name().to_string(),
            case.n.to_string(),
            case.batch.to_string(),
            duration(seconds.median),
            duration(seconds.min),
            format!("{} .. {}", duration(seconds.lower_quartile), duration(seconds.upper_quartile)),
            format!("{gflops:.2}"),
            format!("{error:.1e}"),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    for row in &rows {
        let _ = write!(text, "{:<1$}", row[0], width(0));
        for (column, cell) in row.iter().enumerate().skip(1) {
            let _ = write!(text, "  {cell:>0$}", width(column));
        }
        text.push('\n');
    }
    text
}

/// Seconds with a unit that leaves three digits or more.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s >= 0.1 => format!("{s:.3} s"),
        s if s >= 1e-4 => format!("{:.3} ms", s * 1e3),
        s => format!("{:.2} µs", s * 1e6),
    }
}
