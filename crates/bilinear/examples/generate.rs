//! Writes the committed files of generated code anew.

use lapack_ai_bilinear::generated;
use std::path::Path;

fn main() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, text) in generated::files() {
        std::fs::write(crates.join(&path), text).unwrap_or_else(|fault| panic!("{path}: {fault}"));
    }
}
