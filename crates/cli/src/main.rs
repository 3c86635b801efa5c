//! `lapack-ai`: the library from the command line.

mod bench;
mod explain;
mod monitor;
mod tune;
mod validate;

use clap::{Parser, Subcommand};
use lapack_ai::doctor::doctor;
use lapack_ai::{CallOptions, Error, MatrixView, SolveOptions, SvdOptions, solve, svd};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

/// A modern LAPACK: what is on this machine, and measurements of it.
#[derive(Parser)]
#[command(name = "lapack-ai", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what was found (LAPACK, threads, memory, OpenCL, settings) and what to do about what was not.
    Doctor,
    /// Use LAPACK, OpenCL, each GPU, Python and what a container gives, and say what does not work with its fix.
    ///
    /// Exit status: 0; 1 if something does not work.
    Validate(validate::Arguments),
    /// Time an SVD and a solve of order N on random data, and check the results.
    Try {
        /// Order of the matrices.
        #[arg(default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
        n: u32,
    },
    /// Measure svd, solve, gemm and batches in float64, and compare with an earlier measurement.
    ///
    /// Every result is checked before its figures count. Exit status: 0; 1 if a case is slower than the baseline allows;
    /// 2 if nothing could be measured or compared.
    Bench(bench::Arguments),
    /// Find the fastest configurations of the matrix product on a GPU, and keep them for later processes.
    ///
    /// Every candidate's result is checked before it counts. Ctrl-C ends it early; what was found is kept, and another run
    /// goes on from there. Exit status: 0; 1 if the device failed on the way; 2 if nothing could be measured; 130 after Ctrl-C.
    Tune(tune::Arguments),
    /// Say what a code (LAP-E010), an INFO of LAPACK (dgesvx 5 --n 4) or an error of OpenCL (opencl -5) means.
    ///
    /// Exit status: 0; 2 if it is not known.
    Explain(explain::Arguments),
    /// Serve one page of all processes of this user that publish: what ran where, how fast, and what would have been faster.
    Monitor(monitor::MonitorArguments),
    /// Show the processes that publish in the terminal.
    Top(monitor::TopArguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Doctor => {
            let diagnosis = doctor();
            say(&diagnosis.to_string());
            if diagnosis.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Tune(arguments) => tune::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Monitor(arguments) => monitor::monitor(arguments),
        Command::Top(arguments) => monitor::top(&arguments),
        Command::Try { n } => match try_out(n as usize) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}", error.report());
                ExitCode::FAILURE
            }
        },
    }
}

/// Prints a line. Whoever closed the pipe (`| head`) has read enough, so that is no error.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Numbers in [-1, 1), the same at every run.
fn random(count: usize) -> Vec<f64> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn try_out(n: usize) -> Result<(), Error> {
    let data = random(n * n);
    let a = MatrixView::row_major(&data, n, n).expect("n * n elements");
    let call = CallOptions { timed: true, ..CallOptions::default() };

    let start = Instant::now();
    let decomposition = svd(a, SvdOptions { call, ..SvdOptions::default() })?;
    let seconds = start.elapsed().as_secs_f64();
    // norm(A)_F is the 2-norm of the singular values: a check that costs nothing.
    let frobenius = data.iter().map(|x| x * x).sum::<f64>().sqrt();
    let from_values = decomposition.s.iter().map(|s| s * s).sum::<f64>().sqrt();
    let error = (frobenius - from_values).abs() / frobenius;
    let routine = decomposition.report.routine;
    say(&format!("svd   {n} x {n}  {:9.2} ms  {routine}  norm error {error:.1e}", seconds * 1e3));

    let b = random(n);
    let start = Instant::now();
    let solution = solve(
        a,
        MatrixView::col_major(&b, n, 1).expect("n elements"),
        SolveOptions { call, ..SolveOptions::default() },
    )?;
    let seconds = start.elapsed().as_secs_f64();
    let residual = (0..n)
        .map(|i| ((0..n).map(|j| a.get(i, j) * solution.x.get(j, 0)).sum::<f64>() - b[i]).abs())
        .fold(0.0, f64::max);
    let rcond = solution.report.rcond.unwrap_or(f64::NAN);
    let routine = solution.report.routine;
    say(&format!("solve {n} x {n}  {:9.2} ms  {routine}  residual {residual:.1e}, rcond {rcond:.1e}", seconds * 1e3));
    Ok(())
}
