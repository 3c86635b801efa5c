//! OpenCL C for matrices of blocks: what is computed for each place of a block, apart from the products themselves.
//!
//! ```text
//!     sums_of_a(x, y)   reads block (i, j) of A by take(x, i, j), stores the factor of product r by put(y, r, value)
//!     sums_of_b(x, y)   likewise for B
//!     combine(y, z)     reads product r by product(y, r), stores block (i, j) of C by give(z, i, j, value)
//! ```
//!
//! Every block and every product is read once. A factor is stored as soon as it is known, and a sum of products is formed right
//! behind the last one that it needs, so that few values live at a time.

use super::{Side, WIDTH, elements, heading, term_text, with_note};
use crate::linear::Term;
use crate::program::Program;
use crate::scheme::{Ring, Scheme};
use std::fmt::Write;

/// The functions of a program.
///
/// # Panics
/// For a scheme that holds modulo 2 only.
pub fn opencl(program: &Program) -> String {
    let Scheme { m, n, k, ring, .. } = program.scheme;
    assert_ne!(ring, Ring::Modulo2, "REAL is no field of two elements");
    let mut text = heading(program, "//");
    text +=
        "//\n// What is computed for each place of a block; gemm_fast_blocks.cl has what blocks and products are.\n\n";
    let _ = writeln!(text, "#define PRODUCTS {}\n", program.scheme.rank());
    let sides = [
        ("sums_of_a", Side::new(&program.u, 's', elements('a', m, n)), 'a', m, n),
        ("sums_of_b", Side::new(&program.v, 't', elements('b', n, k)), 'b', n, k),
    ];
    for (name, mut side, letter, rows, cols) in sides {
        let _ = writeln!(text, "static inline void {name}(const Blocks *x, const Batch *y) {{");
        for (index, element) in elements(letter, rows, cols).iter().enumerate() {
            let _ = writeln!(text, "    const V {element} = take(x, {}, {});", index / cols, index % cols);
        }
        for r in 0..program.scheme.rank() {
            let mut lines = Vec::new();
            let (value, factor) = side.program.outputs[r];
            assert!(factor == crate::Dyadic::ONE, "factors of whole sums belong to the products");
            let stored = side.need(value, &mut lines);
            for line in lines {
                text += &with_note(format!("    const V {};", line.text()), line.note.as_ref());
            }
            let _ = writeln!(text, "    put(y, {r}, {stored});");
        }
        text += "}\n\n";
    }
    text += &combine(program, k);
    debug_assert!(text.lines().all(|line| line.len() <= WIDTH), "lines of {WIDTH}");
    text
}

fn combine(program: &Program, cols: usize) -> String {
    let rank = program.scheme.rank();
    let mut text = "static inline void combine(const Batch *y, const Target *z) {\n".to_string();
    let mut names: Vec<Option<String>> = vec![None; rank + program.w.steps.len()];
    let mut sums = 0;
    let mut given = vec![false; program.w.outputs.len()];
    for r in 0..rank {
        let _ = writeln!(text, "    const V p{} = product(y, {r});", r + 1);
        names[r] = Some(format!("p{}", r + 1));
        for (step, terms) in program.w.steps.iter().enumerate() {
            let known = |&(value, factor): &Term| names[value].clone().map(|name| (name, factor));
            if let (None, Some(left), Some(right)) = (&names[rank + step], known(&terms[0]), known(&terms[1])) {
                sums += 1;
                let value = term_text(&left, true) + &term_text(&right, false);
                let _ = writeln!(text, "    const V q{sums} = {value};");
                names[rank + step] = Some(format!("q{sums}"));
            }
        }
        for (index, &(value, factor)) in program.w.outputs.iter().enumerate() {
            if let (false, Some(name)) = (given[index], &names[value]) {
                let value = term_text(&(name.clone(), factor), true);
                let _ = writeln!(text, "    give(z, {}, {}, {value});", index / cols, index % cols);
                given[index] = true;
            }
        }
    }
    text + "}\n"
}
