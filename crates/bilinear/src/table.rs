//! What the schemes cost, as a table for the documentation.

use crate::catalogue::{NAMES, by_name};
use crate::program::Program;
use crate::scheme::Ring;
use std::fmt::Write;

/// A table in Markdown with a line for each scheme of the catalogue: products; additions of the forms one by one, of the program
/// that the library uses, of the shortest one; factors e and growth; the program's error bound.
pub fn markdown() -> String {
    let mut text = "\
| name | products | additions | with common sums | fewest | e | growth | error bound |\n\
|---|---|---|---|---|---|---|---|\n"
        .to_string();
    for name in NAMES {
        let scheme = by_name(name).expect("a name of the list");
        let plain: usize = scheme.plain_additions().iter().sum();
        let total = |program: &Program| program.additions().iter().sum::<usize>();
        let program = Program::new(scheme);
        let scheme = &program.scheme;
        let accuracy = match scheme.ring {
            Ring::Modulo2 => "- | - | exact".to_string(),
            _ => {
                let (factor, growth) = (scheme.stability_factor(), scheme.growth_factor());
                format!("{factor} | {growth:.1} | {}", program.error_bound())
            }
        };
        let fewest = total(&Program::with_fewest_additions(scheme.clone()));
        let _ =
            writeln!(text, "| `{name}` | {} | {plain} | {} | {fewest} | {accuracy} |", scheme.rank(), total(&program));
    }
    text
}
