//! Every scheme is the product: all entries of its tensor, in exact arithmetic.

use lapack_ai_bilinear::catalogue::{NAMES, by_name, classical, strassen_2, winograd_2};
use lapack_ai_bilinear::{Dyadic, Ring, Scheme};

fn scheme(name: &str) -> Scheme {
    by_name(name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn every_scheme_agrees_with_the_product_in_all_4096_entries_of_the_tensor() {
    let ranks = [64, 49, 49, 49, 49, 48, 47];
    for (name, rank) in NAMES.into_iter().zip(ranks) {
        let scheme = scheme(name);
        assert_eq!(scheme.mismatch(), None, "{name}");
        assert_eq!((scheme.rank(), scheme.v.len(), scheme.w.len()), (rank, rank, rank), "{name}");
        assert_eq!((scheme.name.as_str(), [scheme.m, scheme.n, scheme.k]), (name, [4, 4, 4]));
        assert!(!scheme.source.is_empty() && !scheme.licence.is_empty(), "{name}");
    }
    assert_eq!(by_name("magic"), None);
}

#[test]
fn the_ring_that_a_scheme_names_is_the_largest_that_it_holds_in() {
    let fractions = |scheme: &Scheme| {
        let forms = scheme.u.iter().chain(&scheme.v).chain(&scheme.w);
        forms.flatten().any(|term| term.1.modulo_2().is_none())
    };
    for name in NAMES {
        let scheme = scheme(name);
        match scheme.ring {
            Ring::Integers => assert!(!fractions(&scheme), "{name}"),
            Ring::Halves => assert!(fractions(&scheme), "{name}"),
            Ring::Modulo2 => {
                let over_integers = Scheme { ring: Ring::Integers, ..scheme };
                assert!(over_integers.mismatch().is_some(), "{name}");
            }
        }
    }
}

#[test]
fn a_changed_sign_anywhere_is_found() {
    for name in ["strassen", "alphatensor", "rank48"] {
        for r in [0, 17, 46] {
            let mut wrong = scheme(name);
            wrong.v[r][0].1 = -wrong.v[r][0].1;
            let mismatch = wrong.mismatch().expect("a wrong entry");
            let [x, y, z] = mismatch.entry;
            assert_eq!(wrong.tensor(x, y, z), mismatch.found);
        }
    }
    let mut wrong = scheme("alphatensor-mod-2");
    wrong.u[3].pop();
    assert!(wrong.mismatch().is_some());
}

#[test]
fn a_scheme_within_another_is_one_for_the_products_of_the_extents() {
    let mixed = classical(1, 2, 3).of_blocks(&strassen_2()).of_blocks(&classical(2, 1, 1));
    assert_eq!(([mixed.m, mixed.n, mixed.k], mixed.rank()), ([4, 4, 6], 6 * 7 * 2));
    assert_eq!(mixed.mismatch(), None);
    assert_eq!(winograd_2().of_blocks(&strassen_2()).mismatch(), None);
}

#[test]
fn lines_that_are_no_scheme_are_refused_with_the_line() {
    let head = "shape 2 2 2\nring integers\n";
    for line in ["a11 | b11", "a13 | b11 | c11", "a11 | b11 + b11 | c11", "a11 | b1 | c11", "a11 | | c11", "colour red"]
    {
        let fault = Scheme::parse(&format!("{head}{line}")).unwrap_err();
        assert!(fault.contains(line), "{fault}");
    }
    let read = Scheme::parse(&format!("{head}-2 a11 - 1/4 a22 | b12 | -1/2 (c11 - 3 c22)")).expect("a scheme");
    assert_eq!(read.u[0], [(0, Dyadic::from(-2)), (3, Dyadic::new(-1, 2))]);
    assert_eq!(read.w[0], [(0, Dyadic::new(-1, 1)), (3, Dyadic::new(3, 1))]);
}
