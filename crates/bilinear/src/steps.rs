//! Programs as constant tables: for code that runs them over blocks, where a table is as fast as straight-line code.

use crate::dyadic::Dyadic;
use crate::linear::Term;
use crate::program::Program;
use std::fmt::Write;

/// A value and its factor.
pub(crate) type Part = (usize, f64);

/// [`crate::LinearProgram`]: values are the inputs, then the steps' results.
pub(crate) struct Linear {
    /// Each the sum of two earlier values times their factors.
    pub(crate) steps: &'static [[Part; 2]],
    /// The results.
    pub(crate) outputs: &'static [Part],
}

/// [`Program`]: its sums of A, of B, and of products.
pub(crate) struct Steps {
    pub(crate) u: Linear,
    pub(crate) v: Linear,
    pub(crate) w: Linear,
}

/// Longest line of generated code.
const WIDTH: usize = 120;

/// Rust code of the tables of these programs.
pub(crate) fn rust<'a>(programs: impl Iterator<Item = (&'a str, Program)>) -> String {
    let mut text = "//! The programs of the schemes as tables: `(value, factor)`, values counted from the inputs on, elements row by row. Made by
//! the generator of crates/bilinear; `crates/bilinear/schemes` has the schemes, their sources and licences.

use crate::steps::{Linear, Steps};
"
    .to_string();
    for (name, program) in programs {
        let [u, v, w] = program.additions();
        let _ = write!(
            text,
            "\n/// `{name}`: {} products; {u} sums of A, {v} of B, {w} of products.\n#[rustfmt::skip]\npub(crate) static {}: Steps = Steps {{\n",
            program.scheme.rank(),
            name.to_uppercase()
        );
        for (side, linear) in [("u", &program.u), ("v", &program.v), ("w", &program.w)] {
            let _ = writeln!(text, "    {side}: Linear {{");
            list(&mut text, "steps", linear.steps.iter().map(|[x, y]| format!("[{}, {}]", part(x), part(y))));
            list(&mut text, "outputs", linear.outputs.iter().map(part));
            text += "    },\n";
        }
        text += "};\n";
    }
    text
}

/// `name: &[items],` in lines.
fn list(text: &mut String, name: &str, items: impl Iterator<Item = String>) {
    let _ = writeln!(text, "        {name}: &[");
    let mut line = String::new();
    for item in items {
        if line.len() + item.len() + 14 > WIDTH {
            let _ = writeln!(text, "           {line}");
            line.clear();
        }
        let _ = write!(line, " {item},");
    }
    let _ = writeln!(text, "           {line}\n        ],");
}

fn part(&(value, factor): &Term) -> String {
    format!("({value}, {:?})", Dyadic::to_f64(factor))
}
