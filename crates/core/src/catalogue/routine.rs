//! Names of routines and their argument lists.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

/// Argument lists as a table of text: see its head.
const TABLE: &str = include_str!("arguments.txt");
/// Where the routines end that return INFO to users.
const HELPERS: &str = "# helpers\n";

/// LAPACKE functions without the argument `matrix_layout`, which shifts all others by one place.
const WITHOUT_LAYOUT: [&str; 7] = ["disna", "gtcon", "gttrf", "ptcon", "pttrf", "stebz", "sterf"];

/// What kind of argument it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A letter that chooses.
    Letter,
    /// An integer.
    Integer,
    /// Integers.
    Integers,
    /// A number.
    Number,
    /// Numbers.
    Vector,
    /// A matrix.
    Matrix,
    /// Workspace.
    Workspace,
    /// A logical value.
    Flag,
    /// Logical values.
    Flags,
    /// A function of the caller.
    Function,
}

impl Kind {
    fn of(letter: &str) -> Kind {
        match letter {
            "c" => Kind::Letter,
            "i" => Kind::Integer,
            "I" => Kind::Integers,
            "r" => Kind::Number,
            "v" => Kind::Vector,
            "m" => Kind::Matrix,
            "w" => Kind::Workspace,
            "l" => Kind::Flag,
            "L" => Kind::Flags,
            _ => Kind::Function,
        }
    }

    /// Whether it is made of real or complex numbers, so that it can be NaN.
    pub fn has_numbers(self) -> bool {
        matches!(self, Kind::Number | Kind::Vector | Kind::Matrix)
    }
}

/// A routine of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routine {
    /// The name without its type prefix: `gesvx`; that of `dsgesv` is `sgesv`.
    pub stem: &'static str,
    /// `s`, `d`, `c` or `z`, if the name had one.
    pub prefix: Option<char>,
    /// Whether it is the function of the C interface, whose arguments begin with `matrix_layout`.
    pub lapacke: bool,
    arguments: &'static str,
}

/// A routine without type prefix, the prefixes, and the arguments.
type Row = (&'static str, &'static str, &'static str);

fn rows(table: &'static str) -> impl Iterator<Item = Row> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (stem, rest) = line.split_once(' ')?;
        let (prefixes, arguments) = rest.split_once(' ')?;
        Some((stem, prefixes, arguments))
    })
}

/// The rows of a name: one, or one for real and one for complex routines.
fn index() -> &'static HashMap<&'static str, Vec<Row>> {
    static INDEX: OnceLock<HashMap<&'static str, Vec<Row>>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index: HashMap<&str, Vec<Row>> = HashMap::new();
        for row in rows(TABLE) {
            index.entry(row.0).or_default().push(row);
        }
        index
    })
}

impl Routine {
    /// The routine of a name: `dgesvx`, `DGESVX_`, `LAPACKE_dgesvx`, or `gesvx` without a type. Without a type the argument list
    /// is that of the real routine, where there is one.
    pub fn parse(name: &str) -> Option<Routine> {
        let name = name.trim().to_ascii_lowercase();
        let (lapacke, name) = match name.strip_prefix("lapacke_") {
            Some(name) => (true, name.strip_suffix("_work").unwrap_or(name)),
            None => (false, name.trim_end_matches('_')),
        };
        let found = |prefix: Option<char>, wanted: &str| {
            let mut known = index().get(wanted)?.iter();
            let (stem, _, arguments) = known.find(|(_, all, _)| prefix.is_none_or(|prefix| all.contains(prefix)))?;
            Some(Routine { stem, prefix, lapacke, arguments })
        };
        let typed = name.chars().next().and_then(|prefix| found(Some(prefix), &name[prefix.len_utf8()..]));
        typed.or_else(|| found(None, name))
    }

    /// All routines that return INFO to users, without type prefixes, in alphabetic order.
    pub fn stems() -> impl Iterator<Item = &'static str> {
        let documented = &TABLE[..TABLE.find(HELPERS).unwrap_or(TABLE.len())];
        let mut last = "";
        rows(documented).filter_map(move |(stem, ..)| (std::mem::replace(&mut last, stem) != stem).then_some(stem))
    }

    /// Every name of every routine that returns INFO to users: `cgesv`, `dgesv`, ...
    pub fn names() -> impl Iterator<Item = String> {
        let documented = &TABLE[..TABLE.find(HELPERS).unwrap_or(TABLE.len())];
        rows(documented).flat_map(|(stem, prefixes, _)| prefixes.chars().map(move |prefix| format!("{prefix}{stem}")))
    }

    /// The arguments of the Fortran routine in order: name and kind.
    pub fn arguments(&self) -> impl Iterator<Item = (&'static str, Kind)> + use<> {
        self.arguments.split(' ').filter_map(|word| word.split_once('.')).map(|(name, kind)| (name, Kind::of(kind)))
    }

    /// How many places the arguments of the C function stand behind those of the Fortran routine.
    pub(super) fn shift(&self) -> usize {
        usize::from(self.lapacke && !WITHOUT_LAYOUT.contains(&self.stem))
    }
}

impl fmt::Display for Routine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = if self.lapacke { "LAPACKE_" } else { "" };
        write!(f, "{interface}{}{}", self.prefix.map_or(String::new(), String::from), self.stem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routine_is_found_in_every_spelling() {
        for (name, shown, stem) in [
            ("dgesvx", "dgesvx", "gesvx"),
            ("DGESVX_", "dgesvx", "gesvx"),
            (" LAPACKE_zgesvx ", "LAPACKE_zgesvx", "gesvx"),
            ("LAPACKE_dgesvx_work", "LAPACKE_dgesvx", "gesvx"),
            ("gesvx", "gesvx", "gesvx"),
            ("ssyevd", "ssyevd", "syevd"),
            ("syevd", "syevd", "syevd"),
            ("cheevd", "cheevd", "heevd"),
            ("dsgesv", "dsgesv", "sgesv"),
            ("sgesv", "sgesv", "gesv"),
            ("cgesv", "cgesv", "gesv"),
            ("zcposv", "zcposv", "cposv"),
        ] {
            let routine = Routine::parse(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!((routine.to_string().as_str(), routine.stem), (shown, stem), "{name}");
        }
        for name in ["", "d", "dgesvq", "zsyevd", "dheevd", "zsgesv", "éa"] {
            assert_eq!(Routine::parse(name), None, "{name}");
        }
    }

    #[test]
    fn only_the_routines_of_mixed_precision_have_a_name_that_is_also_another_routines() {
        let twice: Vec<&str> = Routine::stems()
            .filter(|stem| Routine::parse(stem).is_some_and(|routine| routine.prefix.is_some()))
            .collect();
        assert_eq!(twice, ["cgesv", "cposv", "sgesv", "sposv"]);
    }

    #[test]
    fn real_and_complex_routines_have_their_own_arguments() {
        let position = |name: &str, wanted: &str| {
            let routine = Routine::parse(name).expect("a routine");
            routine.arguments().position(|(name, _)| name == wanted).map(|position| position + 1)
        };
        assert_eq!((position("dgeev", "WI"), position("zgeev", "WI")), (Some(7), None));
        assert_eq!((position("dgesvd", "RWORK"), position("cgesvd", "RWORK")), (None, Some(14)));
        assert_eq!(position("zcgesv", "ITER"), Some(13));
    }
}
