//! The schemes that the library knows, by name. Those of others are read from `schemes/`, where their sources stand; the
//! rest follows from three lines of mathematics here.

use crate::dyadic::Dyadic;
use crate::scheme::{Form, Ring, Scheme};

/// Names of all schemes, as [`by_name`] takes them.
pub const NAMES: [&str; 7] =
    ["classical", "strassen", "winograd", "alphatensor", "few-additions", "rank48", "alphatensor-mod-2"];

const STRASSEN: &str = include_str!("../schemes/strassen_7.txt");
const WINOGRAD: &str = include_str!("../schemes/winograd_7.txt");
const ALPHATENSOR: &str = include_str!("../schemes/alphatensor_49.txt");
const FEW_ADDITIONS: &str = include_str!("../schemes/few_additions_49.txt");
const RANK_48: &str = include_str!("../schemes/rank_48.txt");
const ALPHATENSOR_MOD_2: &str = include_str!("../schemes/alphatensor_47_mod_2.txt");

/// The scheme for 4 x 4 matrices of that name, `None` for a name that is not in [`NAMES`].
pub fn by_name(name: &str) -> Option<Scheme> {
    Some(match name {
        "classical" => classical(4, 4, 4),
        "strassen" => squared(STRASSEN),
        "winograd" => squared(WINOGRAD),
        "alphatensor" => own(ALPHATENSOR),
        "few-additions" => own(FEW_ADDITIONS),
        "rank48" => own(RANK_48),
        "alphatensor-mod-2" => own(ALPHATENSOR_MOD_2),
        _ => return None,
    })
}

/// Row times column: `m n k` products.
pub fn classical(m: usize, n: usize, k: usize) -> Scheme {
    let one = |index| -> Form { vec![(index, Dyadic::ONE)] };
    let mut scheme = Scheme {
        m,
        n,
        k,
        ring: Ring::Integers,
        u: Vec::new(),
        v: Vec::new(),
        w: Vec::new(),
        name: "classical".to_string(),
        source: "the definition of the product".to_string(),
        licence: "none needed".to_string(),
    };
    for i in 0..m {
        for l in 0..k {
            for j in 0..n {
                scheme.u.push(one(i * n + j));
                scheme.v.push(one(j * k + l));
                scheme.w.push(one(i * k + l));
            }
        }
    }
    scheme
}

/// Strassen's scheme for 2 x 2 matrices.
pub fn strassen_2() -> Scheme {
    own(STRASSEN)
}

/// Winograd's variant of it, with 15 additions in place of 18.
pub fn winograd_2() -> Scheme {
    own(WINOGRAD)
}

fn squared(text: &str) -> Scheme {
    let scheme = own(text);
    scheme.of_blocks(&scheme)
}

fn own(text: &str) -> Scheme {
    Scheme::parse(text).unwrap_or_else(|fault| panic!("a table of this library: {fault}"))
}
