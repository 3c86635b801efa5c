//! `lapack-ai explain`: what a code, an INFO or an error of OpenCL means.

use crate::say;
use lapack_ai::explain::{CONDITIONS, Dims, answer, catalogue_json, explain_iter};
use serde_json::{Value, to_string_pretty};
use std::process::ExitCode;

/// What is asked.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A code (LAP-E010), the name of a LAPACK routine (dgesvx, LAPACKE_dgesvx), or opencl.
    #[arg(required_unless_present = "list")]
    what: Option<String>,
    /// INFO of the routine, or the error code of OpenCL.
    #[arg(allow_negative_numbers = true)]
    number: Option<i64>,
    /// ITER of the routine instead (dsgesv, dsposv, zcgesv, zcposv).
    #[arg(long, allow_negative_numbers = true, conflicts_with = "number")]
    iter: Option<i64>,
    /// Order of the matrix, or its columns.
    #[arg(long)]
    n: Option<u32>,
    /// Rows of the matrix.
    #[arg(long)]
    m: Option<u32>,
    /// List all codes.
    #[arg(long, conflicts_with_all = ["what", "number"])]
    list: bool,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match told(arguments) {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("lapack-ai explain: {why}");
            ExitCode::from(2)
        }
    }
}

fn told(arguments: &Arguments) -> Result<String, String> {
    let pretty = |value: &Value| to_string_pretty(value).map_err(|error| error.to_string());
    if arguments.list {
        return match arguments.json {
            true => pretty(&catalogue_json()),
            false => Ok(CONDITIONS.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        };
    }
    let what = arguments.what.as_deref().unwrap_or_default();
    let dims = Dims { m: arguments.m.map(i64::from), n: arguments.n.map(i64::from), k: None };
    let found = match arguments.iter {
        Some(iter) => explain_iter(what, iter).map_err(|error| error.to_string())?.into(),
        None => answer(what, arguments.number, dims)?,
    };
    if arguments.json { pretty(&found.json()) } else { Ok(found.report()) }
}
