//! Straight-line code from a program, for OpenCL C and for Rust.
//!
//! Sums of A are named `s1, s2, ...`, sums of B `t1, ...`, products `p1, ...`, sums of products `q1, ...`. A sum of A or B
//! stands just before the first product that needs it, a sum of products right after the last one that it needs, so that few
//! values live at a time. A comment says what a sum of elements is where its line does not.

pub mod blocks;

use crate::dyadic::Dyadic;
use crate::linear::{LinearProgram, Term};
use crate::program::Program;
use crate::scheme::{Form, Ring, Scheme};
use std::collections::HashMap;
use std::fmt::Write;

/// Longest line of generated code.
const WIDTH: usize = 120;

/// A value in terms of earlier ones.
enum Value {
    Sum([(String, Dyadic); 2]),
    Product(String, String),
}

/// `name = value`, and what that is where it cannot be seen.
struct Line {
    name: String,
    value: Value,
    note: Option<String>,
}

impl Line {
    /// `name = value` in OpenCL C.
    fn text(&self) -> String {
        let value = match &self.value {
            Value::Sum([x, y]) => term_text(x, true) + &term_text(y, false),
            Value::Product(x, y) => format!("{x} * {y}"),
        };
        format!("{} = {value}", self.name)
    }
}

/// The program's lines, in order, and each element of C as a term.
struct Listing {
    lines: Vec<Line>,
    /// Terms of C, and after which line each is known.
    results: Vec<((String, Dyadic), usize)>,
}

impl Listing {
    fn of(program: &Program) -> Self {
        let Scheme { m, n, k, .. } = program.scheme;
        let mut sides =
            [Side::new(&program.u, 's', elements('a', m, n)), Side::new(&program.v, 't', elements('b', n, k))];
        let rank = program.scheme.rank();
        let mut lines = Vec::new();
        // Values of `program.w`: those that are known, and after which line.
        let mut known = vec![None; rank + program.w.steps.len()];
        let mut names: Vec<String> = (1..=rank).map(|r| format!("p{r}")).collect();
        names.resize(known.len(), String::new());
        let mut sums = 0;
        for r in 0..rank {
            let [x, y] = sides.each_mut().map(|side| side.need(side.program.outputs[r].0, &mut lines));
            lines.push(Line { name: names[r].clone(), value: Value::Product(x, y), note: None });
            known[r] = Some(lines.len());
            for (step, terms) in program.w.steps.iter().enumerate() {
                if known[rank + step].is_none() && terms.iter().all(|term| known[term.0].is_some()) {
                    sums += 1;
                    names[rank + step] = format!("q{sums}");
                    let value = Value::Sum(terms.map(|(value, factor)| (names[value].clone(), factor)));
                    lines.push(Line { name: names[rank + step].clone(), value, note: None });
                    known[rank + step] = Some(lines.len());
                }
            }
        }
        let result =
            |&(value, factor): &Term| ((names[value].clone(), factor), known[value].expect("all values are known"));
        Self { lines, results: program.w.outputs.iter().map(result).collect() }
    }
}

impl Listing {
    /// Products that only one sum of products needs, one for each sum at most: they become a part of its line.
    fn fused(&self) -> HashMap<String, (String, String)> {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        let of_sums = self.lines.iter().filter_map(|line| match &line.value {
            Value::Sum(terms) => Some(terms.iter()),
            Value::Product(..) => None,
        });
        let of_results = self.results.iter().map(|(term, _)| term);
        for (name, _) in of_sums.flatten().chain(of_results) {
            *uses.entry(name).or_default() += 1;
        }
        let mut products: HashMap<&str, (String, String)> = HashMap::new();
        let mut fused = HashMap::new();
        for line in &self.lines {
            match &line.value {
                Value::Product(x, y) => {
                    products.insert(&line.name, (x.clone(), y.clone()));
                }
                Value::Sum([x, y]) => {
                    let other = |term: &(String, Dyadic)| term.1.is_unit();
                    let once = |term: &&(String, Dyadic)| other(term) && uses[term.0.as_str()] == 1;
                    // The later product: the sum waits for it anyway. The other factor must be one that is not multiplied.
                    let mut found =
                        [y, x].into_iter().filter(once).filter(|term| products.contains_key(term.0.as_str()));
                    if let Some((name, _)) = found.next().filter(|_| other(x) && other(y)) {
                        fused.insert(name.clone(), products[name.as_str()].clone());
                    }
                }
            }
        }
        fused
    }
}

/// The sums of elements of one factor.
struct Side<'a> {
    program: &'a LinearProgram,
    forms: Vec<Form>,
    elements: Vec<String>,
    letter: char,
    /// How many sums have a line.
    sums: usize,
    /// Of every value that is known.
    names: Vec<Option<String>>,
}

impl<'a> Side<'a> {
    fn new(program: &'a LinearProgram, letter: char, elements: Vec<String>) -> Self {
        let mut names: Vec<Option<String>> = elements.iter().cloned().map(Some).collect();
        names.resize(program.inputs + program.steps.len(), None);
        Self { program, forms: program.forms(), elements, letter, sums: 0, names }
    }

    /// The name of a value; adds the lines that it needs and that are not there.
    fn need(&mut self, value: usize, lines: &mut Vec<Line>) -> String {
        if let Some(name) = &self.names[value] {
            return name.clone();
        }
        let terms = self.program.steps[value - self.program.inputs];
        let operands = terms.map(|(operand, factor)| (self.need(operand, lines), factor));
        self.sums += 1;
        let name = format!("{}{}", self.letter, self.sums);
        let plain = terms.iter().all(|term| term.0 < self.program.inputs);
        let note = (!plain).then(|| {
            let form = self.forms[value].iter().map(|&(index, factor)| (self.elements[index].clone(), factor));
            sum_text(&form.collect::<Vec<_>>())
        });
        lines.push(Line { name: name.clone(), value: Value::Sum(operands), note });
        self.names[value] = Some(name.clone());
        name
    }
}

/// `a11`, `a12`, ..., row by row.
fn elements(letter: char, rows: usize, cols: usize) -> Vec<String> {
    (0..rows * cols).map(|index| format!("{letter}{}{}", index / cols + 1, index % cols + 1)).collect()
}

/// `a11 - 2 a12`.
fn sum_text(terms: &[(String, Dyadic)]) -> String {
    let mut text = String::new();
    for (name, factor) in terms {
        let sign = match (text.is_empty(), factor.is_negative()) {
            (true, false) => "",
            (true, true) => "-",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        text += sign;
        if !factor.is_unit() {
            let _ = write!(text, "{} ", factor.abs());
        }
        text += name;
    }
    text
}

/// What every generated file says first.
fn heading(program: &Program, comment: &str) -> String {
    let Scheme { m, n, k, ring, ref name, ref source, ref licence, .. } = program.scheme;
    let [u, v, w] = program.additions();
    let error = match ring {
        Ring::Modulo2 => "exact".to_string(),
        _ => format!("right up to {} (eps / 2) max|A| max|B| to first order", program.error_bound()),
    };
    let facts = [
        format!(
            "C = A B, {m} x {n} times {n} x {k}, by the scheme `{name}`: {} products, {} additions ({u} of elements of A, {v} of \
             B, {w} of products); {error}. Made by the generator of crates/bilinear from its table of the scheme.",
            program.scheme.rank(),
            u + v + w
        ),
        format!("Scheme: {source}"),
        format!("Licence of the source: {licence}."),
    ];
    let mut text = String::new();
    for fact in facts {
        let mut line = comment.to_string();
        for word in fact.split(' ') {
            if line.len() + 1 + word.len() > WIDTH {
                let _ = writeln!(text, "{line}");
                line = comment.to_string();
            }
            line = line + " " + word;
        }
        let _ = writeln!(text, "{line}");
    }
    text
}

/// A line with its note, where both fit.
fn with_note(line: String, note: Option<&String>) -> String {
    match note {
        Some(note) if line.len() + note.len() + 4 <= WIDTH => format!("{line} // {note}\n"),
        _ => line + "\n",
    }
}

/// A term of a sum in OpenCL C, the first one or a later one.
fn term_text((name, factor): &(String, Dyadic), first: bool) -> String {
    let sign = match (first, factor.is_negative()) {
        (true, false) => "",
        (true, true) => "-",
        (false, false) => " + ",
        (false, true) => " - ",
    };
    let by = if factor.is_unit() { String::new() } else { format!("(REAL){} * ", factor.abs().to_f64()) };
    format!("{sign}{by}{name}")
}

/// An OpenCL C function `name(a, b, c)` that sets c = A B. The elements of a, b and c lie row by row in private memory. `REAL`
/// is the element type, defined before.
///
/// # Panics
/// For a scheme that holds modulo 2 only.
pub fn opencl(program: &Program, name: &str) -> String {
    let Scheme { m, n, k, ring, .. } = program.scheme;
    assert_ne!(ring, Ring::Modulo2, "REAL is no field of two elements");
    let listing = Listing::of(program);
    let mut text = heading(program, "//");
    let _ = writeln!(text, "\nstatic inline void {name}(const REAL *a, const REAL *b, REAL *c) {{");
    for (letter, rows, cols) in [('a', m, n), ('b', n, k)] {
        for (index, element) in elements(letter, rows, cols).iter().enumerate() {
            let _ = writeln!(text, "    const REAL {element} = {letter}[{index}];");
        }
    }
    for (count, line) in (1..).zip(&listing.lines) {
        text += &with_note(format!("    const REAL {};", line.text()), line.note.as_ref());
        for (index, (result, after)) in listing.results.iter().enumerate() {
            if *after == count {
                let _ = writeln!(text, "    c[{index}] = {};", term_text(result, true));
            }
        }
    }
    text + "}\n"
}

/// A Rust function `name(a, b, store)` that calls `store(z, value)` for every element of C = A B; elements are counted row by
/// row. Over the reals it is generic over [`crate::Real`], and over whether multiplications and additions are fused; modulo 2 the elements are 64 bits each, of as many matrices.
pub fn rust(program: &Program, name: &str) -> String {
    let Scheme { m, n, k, ring, .. } = program.scheme;
    let modulo_2 = ring == Ring::Modulo2;
    let listing = Listing::of(program);
    let mut text = heading(program, "//!");
    let (generic, element) = if modulo_2 { ("", "u64") } else { ("<T: Real, const FMA: bool>", "T") };
    let arguments = [
        format!("a: &[{element}; {}]", m * n),
        format!("b: &[{element}; {}]", n * k),
        format!("mut store: impl FnMut(usize, {element})"),
    ];
    let mut head = format!("pub(crate) fn {name}{generic}({}) {{", arguments.join(", "));
    if head.len() > WIDTH {
        head = format!("pub(crate) fn {name}{generic}(\n    {},\n) {{", arguments.join(",\n    "));
    }
    text += "\n";
    if !modulo_2 {
        text += "use crate::real::Real;\n\n";
    }
    let _ = writeln!(text, "#[inline(always)]\n{head}");
    for (letter, rows, cols) in [('a', m, n), ('b', n, k)] {
        let names = elements(letter, rows, cols).join(", ");
        let _ = writeln!(text, "    let [{names}] = *{letter};");
    }
    let fused = if modulo_2 { HashMap::new() } else { listing.fused() };
    let value_of = |value: &Value| match value {
        Value::Product(x, y) => format!("{x} {} {y}", if modulo_2 { "&" } else { "*" }),
        Value::Sum([x, y]) if modulo_2 => format!("{} ^ {}", x.0, y.0),
        Value::Sum([x, y]) => match (fused.get(&x.0), fused.get(&y.0)) {
            (Some(product), _) => rust_fused(product, x.1, y),
            (_, Some(product)) => rust_fused(product, y.1, x),
            _ => rust_sum(x, y),
        },
    };
    for (count, line) in (1..).zip(&listing.lines) {
        if fused.contains_key(&line.name) {
            continue;
        }
        text += &with_note(format!("    let {} = {};", line.name, value_of(&line.value)), line.note.as_ref());
        for (index, ((result, factor), after)) in listing.results.iter().enumerate() {
            if *after == count {
                let sign = if factor.is_negative() && !modulo_2 { "-" } else { "" };
                let by =
                    if factor.is_unit() { String::new() } else { format!("T::of({:?}) * ", factor.abs().to_f64()) };
                let _ = writeln!(text, "    store({index}, {sign}{by}{result});");
            }
        }
    }
    text + "}\n"
}

/// Rust functions `left(a)`, `right(b)` and `combine(p)` of a scheme: its sums of A, its sums of B, and C from the products. For
/// elements that are more than numbers: whoever calls multiplies.
///
/// # Panics
/// For a scheme with factors other than 1 and -1.
pub fn rust_parts(program: &Program) -> String {
    let Scheme { m, n, k, .. } = program.scheme;
    let products = (1..=program.scheme.rank()).map(|r| format!("p{r}")).collect();
    let parts = [
        (
            "left",
            &program.u,
            'a',
            's',
            elements('a', m, n),
            "The sums of A's elements that are factors of the products.",
        ),
        (
            "right",
            &program.v,
            'b',
            't',
            elements('b', n, k),
            "The sums of B's elements that are factors of the products.",
        ),
        ("combine", &program.w, 'p', 'q', products, "C, row by row, from the products."),
    ];
    let mut text = String::new();
    for (name, linear, argument, letter, mut names, about) in parts {
        let (inputs, outputs) = (linear.inputs, linear.outputs.len());
        let _ = write!(
            text,
            "\n/// {about}\n#[inline(always)]\npub(crate) fn {name}<T: Real>({argument}: &[T; {inputs}]) -> [T; {outputs}] {{\n    \
             let [{}] = *{argument};\n",
            names.join(", ")
        );
        let signed = |(name, factor): (&String, Dyadic)| {
            assert!(factor.is_unit(), "factors of 1 and -1");
            format!("{}{name}", if factor.is_negative() { "-" } else { "" })
        };
        for (count, &[x, y]) in (1..).zip(&linear.steps) {
            let sign = if y.1.is_negative() { '-' } else { '+' };
            assert!(y.1.is_unit(), "factors of 1 and -1");
            let _ = writeln!(text, "    let {letter}{count} = {} {sign} {};", signed((&names[x.0], x.1)), names[y.0]);
            names.push(format!("{letter}{count}"));
        }
        let results: Vec<String> = linear.outputs.iter().map(|&(value, by)| signed((&names[value], by))).collect();
        let _ = writeln!(text, "    [{}]\n}}", results.join(", "));
    }
    text
}

/// A product, with this sign, and another term in one operation.
fn rust_fused((x, y): &(String, String), sign: Dyadic, (other, factor): &(String, Dyadic)) -> String {
    let [of_product, of_other] = [sign, *factor].map(|factor| if factor.is_negative() { "-" } else { "" });
    match of_product {
        "" => format!("{x}.fused::<FMA>({y}, {of_other}{other})"),
        _ => format!("(-{x}).fused::<FMA>({y}, {of_other}{other})"),
    }
}

/// A sum; one multiplication by a constant is fused with it.
fn rust_sum(x: &(String, Dyadic), y: &(String, Dyadic)) -> String {
    let signed = |(name, factor): &(String, Dyadic)| format!("{}{name}", if factor.is_negative() { "-" } else { "" });
    let constant = |factor: Dyadic| format!("T::of({:?})", factor.to_f64());
    match (x.1.is_unit(), y.1.is_unit()) {
        (true, true) => format!("{} {} {}", signed(x), if y.1.is_negative() { '-' } else { '+' }, y.0),
        (false, true) => format!("{}.fused::<FMA>({}, {})", x.0, constant(x.1), signed(y)),
        (true, false) => format!("{}.fused::<FMA>({}, {})", y.0, constant(y.1), signed(x)),
        (false, false) => format!("{}.fused::<FMA>({}, {} * {})", x.0, constant(x.1), constant(y.1), y.0),
    }
}
