//! Generated code is what the generator makes, and the programs compute what their schemes do.

use lapack_ai_bilinear::catalogue::{NAMES, by_name, strassen_2, winograd_2};
use lapack_ai_bilinear::product::Algorithm;
use lapack_ai_bilinear::{Dyadic, LinearProgram, Program, Ring, generated, table};
use std::path::Path;
use std::sync::OnceLock;

/// The programs of all schemes, found once.
fn programs() -> &'static [(&'static str, Program)] {
    static PROGRAMS: OnceLock<Vec<(&'static str, Program)>> = OnceLock::new();
    let program = |name| (name, Program::new(by_name(name).expect("a name of the list")));
    PROGRAMS.get_or_init(|| NAMES.map(program).into())
}

#[test]
fn the_committed_files_are_what_the_generator_makes() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = generated::files();
    assert!(files.iter().any(|(path, _)| path.ends_with(".cl")) && files.iter().any(|(path, _)| path.ends_with(".rs")));
    for (path, text) in files {
        let committed = std::fs::read_to_string(crates.join(&path)).unwrap_or_else(|fault| panic!("{path}: {fault}"));
        assert!(committed == text, "{path} is not what `cargo run --example generate` writes");
    }
}

/// The value of each output for given inputs.
fn run(program: &LinearProgram, inputs: &[Dyadic]) -> Vec<Dyadic> {
    let mut values = inputs.to_vec();
    for [x, y] in &program.steps {
        values.push(x.1 * values[x.0] + y.1 * values[y.0]);
    }
    program.outputs.iter().map(|&(value, factor)| factor * values[value]).collect()
}

#[test]
fn every_program_multiplies_integer_matrices_exactly() {
    for (name, program) in programs() {
        multiplies_exactly(name, program);
    }
}

fn multiplies_exactly(name: &str, program: &Program) {
    let mut state = 1_u64;
    let mut matrix = || -> Vec<Dyadic> {
        let mut element = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Dyadic::from((state >> 40) as i64 % 1000 - 500)
        };
        (0..16).map(|_| element()).collect()
    };
    for _ in 0..20 {
        let (a, b) = (matrix(), matrix());
        let (s, t) = (run(&program.u, &a), run(&program.v, &b));
        let products: Vec<Dyadic> = s.iter().zip(&t).map(|(&x, &y)| x * y).collect();
        for (z, found) in run(&program.w, &products).into_iter().enumerate() {
            let terms = (0..4).map(|l| a[z / 4 * 4 + l] * b[l * 4 + z % 4]);
            let wanted = terms.fold(Dyadic::ZERO, |sum, term| sum + term);
            let modulo_2 = program.scheme.ring == Ring::Modulo2;
            let right = if modulo_2 { found.modulo_2() == wanted.modulo_2() } else { found == wanted };
            assert!(right, "{name} element {z}: {found}, not {wanted}");
        }
    }
}

#[test]
fn programs_need_no_more_operations_than_the_tables_say() {
    // The fewest additions known without subtracting again what was added; 159 for Winograd's scheme squared among them.
    let additions = [48, 198, 159, 168, 159, 315, 200];
    let errors = [Some(12.0), Some(830.0), Some(2551.0), Some(2461.0), Some(2503.0), Some(1251.5), None];
    for (((name, program), additions), error) in programs().iter().zip(additions).zip(errors) {
        assert_eq!(program.additions().iter().sum::<usize>(), additions, "{name}");
        if let Some(error) = error {
            assert_eq!(program.error_bound(), error, "{name}");
        }
    }
}

#[test]
fn stability_factors_are_those_of_the_literature() {
    let wanted = [(4, 64.0), (144, 219.9), (324, 318.7), (328, 312.0), (324, 318.7), (148, 154.5)];
    for (name, (factor, growth)) in NAMES.into_iter().zip(wanted) {
        let scheme = by_name(name).expect("a name of the list");
        assert_eq!(scheme.stability_factor(), Dyadic::from(factor), "{name}");
        assert!((scheme.growth_factor() - growth).abs() < 0.05, "{name}: {}", scheme.growth_factor());
    }
}

#[test]
fn the_documentation_has_the_table_of_these_programs() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/alphatensor.md");
    let text = std::fs::read_to_string(&page).unwrap_or_else(|fault| panic!("{}: {fault}", page.display()));
    assert!(
        text.contains(&table::markdown()),
        "`cargo run --example generate` prints the table for docs/alphatensor.md"
    );
}

#[test]
fn programs_that_may_cancel_are_shorter_and_as_exact() {
    for (name, fewest) in [("winograd", [41, 41, 74]), ("few-additions", [41, 41, 74]), ("alphatensor", [43, 43, 76])] {
        let program = Program::with_fewest_additions(by_name(name).expect("a name of the list"));
        assert_eq!(program.additions(), fewest, "{name}");
        multiplies_exactly(name, &program);
        let plain = Program::new(program.scheme.clone());
        assert!(program.error_bound() > plain.error_bound(), "{name}: {}", program.error_bound());
    }
}

#[test]
fn programs_of_blocks_multiply_exactly_and_no_error_bound_leaves_them_out() {
    let squares = [(Algorithm::Strassen, strassen_2(), 198), (Algorithm::Winograd, winograd_2(), 165)];
    for (algorithm, scheme, additions) in squares {
        let program = Program::new(scheme);
        let squared = program.of_blocks(&program);
        assert_eq!(Some(&squared.scheme), by_name(algorithm.name()).as_ref());
        assert_eq!(squared.additions().iter().sum::<usize>(), additions, "{algorithm:?}");
        multiplies_exactly(algorithm.name(), &squared);
        let bounds = [Program::new(squared.scheme.clone()).error_bound(), squared.error_bound()];
        assert_eq!(algorithm.error_bound(), bounds[0].max(bounds[1]), "{algorithm:?}: {bounds:?}");
    }
}
