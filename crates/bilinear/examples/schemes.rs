//! A line for each scheme: what it costs in operations and in accuracy, in the form of a table in Markdown.

use lapack_ai_bilinear::catalogue::{NAMES, by_name};
use lapack_ai_bilinear::{Program, Ring};

fn main() {
    println!(
        "| name | products | additions, each form for itself | in the program | scalings | e | growth | error bound |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for name in NAMES {
        let scheme = by_name(name).expect("a name of the list");
        let plain: usize = scheme.plain_additions().iter().sum();
        let (rank, factor, growth) = (scheme.rank(), scheme.stability_factor(), scheme.growth_factor());
        let real = scheme.ring != Ring::Modulo2;
        let program = Program::new(scheme);
        let [u, v, w] = program.additions();
        let accuracy = match real {
            true => format!("{factor} | {growth:.1} | {}", program.error_bound()),
            false => "- | - | -".to_string(),
        };
        println!(
            "| `{name}` | {rank} | {plain} | {} = {u} + {v} + {w} | {} | {accuracy} |",
            u + v + w,
            program.scalings()
        );
    }
}
