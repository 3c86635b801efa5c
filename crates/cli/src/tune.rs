//! `lapack-ai tune`: finds the fastest configurations of the matrix product on a device.
//!
//! The exit status is for scripts: 0, 1 where the device failed on the way, 2 where nothing could be measured, 130 after Ctrl-C.
//! What was found before the end is kept in each case.

use crate::say;
use clap::Args;
use lapack_ai::gpu::device_named;
use lapack_ai::gpu::tuning::{Ended, Plan, reset, tune};
use lapack_ai::{DType, Device};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The OpenCL device: its number in `lapack-ai doctor`'s order, or a part of its name [default: the GPU in use].
    #[arg(long)]
    device: Option<String>,
    /// Time for all of it.
    #[arg(long, default_value = "60", value_parser = seconds)]
    seconds: f64,
    /// Element types, separated by commas [default: float64,float32,complex128,complex64].
    #[arg(long, value_delimiter = ',', value_parser = dtype)]
    dtype: Vec<DType>,
    /// Only products whose line has one of these texts in it, as "of 4 x 4" for batches of that size; may be repeated.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Write the table to this file, in the form in which tables are shipped; measures against the rules.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Forget what was tuned on this machine, and do nothing else.
    #[arg(long, conflicts_with_all = ["output", "dtype", "only"])]
    reset: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok().filter(|&x: &f64| x > 0.0 && x <= 86_400.0);
    value.ok_or_else(|| "seconds are a number above 0, at most 86400".into())
}

fn dtype(text: &str) -> Result<DType, String> {
    let known = DType::ALL.into_iter().find(|dtype| dtype.name() == text.trim());
    known.ok_or_else(|| "types are float32, float64, complex64 and complex128".into())
}

/// Set by Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_interrupt(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
    // A second one ends the program as always.
    // SAFETY: signal() may be called from a handler.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}

fn catch_interrupts() {
    let handler: extern "C" fn(libc::c_int) = on_interrupt;
    // SAFETY: the handler stores to an atomic and calls signal(), both of which handlers may do.
    unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match tuned(arguments) {
        Ok(status) => ExitCode::from(status),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

/// The exit status.
fn tuned(arguments: &Arguments) -> Result<u8, String> {
    let device = match &arguments.device {
        None => Device::Auto,
        Some(name) => device_named(name).map_err(|error| error.report())?,
    };
    if arguments.reset {
        let had = reset(device).map_err(|error| error.report())?;
        say(if had { "what was tuned for this device is forgotten" } else { "nothing was tuned for this device" });
        return Ok(0);
    }
    if let Some(output) = &arguments.output {
        // A minute of measuring should not end at a file that cannot be written.
        fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(output)
            .map_err(|error| format!("{} cannot be written: {error}", output.display()))?;
    }
    let plan = Plan { budget: Duration::from_secs_f64(arguments.seconds), ..Plan::default() };
    let dtypes = if arguments.dtype.is_empty() { plan.dtypes.clone() } else { arguments.dtype.clone() };
    let plan = Plan { dtypes, only: arguments.only.clone(), from_rules: arguments.output.is_some(), ..plan };
    catch_interrupts();
    let mut bar = Bar::default();
    let found = tune(device, &plan, &mut |done, text| bar.show(done, text), &|| INTERRUPTED.load(Ordering::Relaxed));
    bar.end();
    let found = found.map_err(|error| error.report())?;
    say(&found.to_string());
    if let Some(output) = &arguments.output {
        let written = fs::write(output, found.table.to_json());
        written.map_err(|error| format!("{} cannot be written: {error}", output.display()))?;
        say(&format!("written to {}", output.display()));
    }
    Ok(match found.outcome.ended {
        Ended::Done | Ended::Budget => 0,
        Ended::Interrupted => 130,
        Ended::Failed(_) => 1,
    })
}

/// Progress on standard error: a bar in a terminal, a line each tenth elsewhere.
#[derive(Default)]
struct Bar {
    tenths: usize,
    drawn: bool,
}

impl Bar {
    fn show(&mut self, done: f64, text: &str) {
        let mut err = io::stderr();
        if err.is_terminal() {
            let filled = (30.0 * done) as usize;
            let _ = write!(err, "\r  [{}{}] {text:<40}", "#".repeat(filled), ".".repeat(30 - filled));
            let _ = err.flush();
            self.drawn = true;
        } else if (10.0 * done) as usize > self.tenths {
            self.tenths = (10.0 * done) as usize;
            let _ = writeln!(err, "{:3.0} % {text}", 100.0 * done);
        }
    }

    fn end(&self) {
        if self.drawn {
            eprintln!();
        }
    }
}
