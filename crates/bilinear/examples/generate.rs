//! Writes the committed files of generated code anew, and prints the table of the documentation.

use lapack_ai_bilinear::{generated, table};
use std::path::Path;

fn main() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, text) in generated::files() {
        std::fs::write(crates.join(&path), text).unwrap_or_else(|fault| panic!("{path}: {fault}"));
    }
    print!("{}", table::markdown());
}
