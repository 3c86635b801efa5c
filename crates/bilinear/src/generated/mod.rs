//! Code from schemes: which files there are, and the kernels among them that this library runs.

pub(crate) mod alphatensor;
pub(crate) mod alphatensor_mod_2;
pub(crate) mod rank48;
pub(crate) mod steps;
pub(crate) mod strassen;
pub(crate) mod strassen_2;
pub(crate) mod winograd;
pub(crate) mod winograd_2;

use crate::catalogue::{by_name, strassen_2 as scheme_of_strassen, winograd_2 as scheme_of_winograd};
use crate::emit;
use crate::program::Program;
use crate::steps as tables;

/// All files of generated code as the generator makes them: path below `crates`, text. They are committed, so that they can be
/// read and need no build step; a test compares.
pub fn files() -> Vec<(String, String)> {
    let program = |name| Program::new(by_name(name).expect("a name of the catalogue"));
    let kernels = ["strassen", "winograd", "alphatensor", "rank48", "alphatensor-mod-2"];
    let mut files: Vec<(String, String)> = kernels
        .into_iter()
        .map(|name| {
            let function = name.replace('-', "_");
            (format!("bilinear/src/generated/{function}.rs"), emit::rust(&program(name), &function))
        })
        .collect();
    for (name, scheme) in [("strassen_2", scheme_of_strassen()), ("winograd_2", scheme_of_winograd())] {
        let program = Program::new(scheme);
        let text = emit::rust(&program, "product") + &emit::rust_parts(&program);
        files.push((format!("bilinear/src/generated/{name}.rs"), text));
    }
    let over_blocks = ["strassen", "winograd", "alphatensor", "rank48"].into_iter().map(|name| (name, program(name)));
    files.push(("bilinear/src/generated/steps.rs".to_string(), tables::rust(over_blocks)));
    let path = "opencl/kernels/matrix_multiply/alphatensor_49.cl";
    files.push((path.to_string(), emit::opencl(&program("alphatensor"), "alphatensor_49")));
    let halves = [("strassen_7", scheme_of_strassen()), ("winograd_7", scheme_of_winograd())];
    let halves = halves.map(|(name, scheme)| (name, Program::new(scheme)));
    let quarters = ["strassen", "winograd", "alphatensor", "rank48"].map(program);
    let quarters = ["strassen_49", "winograd_49", "alphatensor_49", "rank_48"].into_iter().zip(quarters);
    for (name, program) in halves.into_iter().chain(quarters) {
        let path = format!("opencl/kernels/matrix_multiply/fast/{name}.cl");
        files.push((path, emit::blocks::opencl(&program)));
    }
    files
}
