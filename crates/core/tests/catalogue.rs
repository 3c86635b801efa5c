//! The catalogue against an independent copy of what LAPACK documents: `data/info.txt` and `data/arguments.txt`.

use lapack_ai_core::Code;
use lapack_ai_core::catalogue::{
    CONDITIONS, Dims, Explanation, Routine, classes, explain_info, explain_iter, explain_opencl, opencl_codes,
};
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENTED: &str = include_str!("data/info.txt");
const LISTS: &str = include_str!("data/arguments.txt");

/// Dimensions that are told apart, N the smaller one.
const M: i64 = 9;
const N: i64 = 7;
const DIMS: Dims = Dims { m: Some(M), n: Some(N), k: None };

struct Range {
    stem: &'static str,
    class: &'static str,
    first: i64,
    last: Option<i64>,
    counts: &'static str,
}

/// `2N+1`, `M+N`, `-4`.
fn value(text: &str) -> i64 {
    let term = |term: &str| match term {
        "N" => N,
        "2N" => 2 * N,
        "M" => M,
        number => number.parse().unwrap_or_else(|_| panic!("{text}")),
    };
    text.split('+').map(term).sum()
}

fn lines() -> impl Iterator<Item = Vec<&'static str>> {
    DOCUMENTED.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

fn ranges() -> Vec<Range> {
    let told = lines().filter(|words| words.len() == 5);
    told.map(|words| Range {
        stem: words[0],
        class: words[1],
        first: value(words[2]),
        last: (words[3] != "*").then(|| value(words[3])),
        counts: words[4],
    })
    .collect()
}

fn silent() -> BTreeSet<&'static str> {
    lines().filter(|words| words.len() == 2).map(|words| words[0]).collect()
}

/// The one explanation, or all that are possible.
fn meanings(routine: &str, info: i64, dims: Dims) -> Vec<Explanation> {
    match explain_info(routine, info, dims) {
        Ok(explanation) if explanation.possibilities.is_empty() => vec![explanation],
        Ok(explanation) => explanation.possibilities,
        Err(_) => vec![],
    }
}

/// Words that belong to the methods and to their programs: a first line does without them.
const JARGON: [&str; 24] = [
    "INFO)",
    "XERBLA",
    "IFAIL",
    "bidiagonal",
    "tridiagonal",
    "superdiagonal",
    "off-diagonal",
    "Bunch",
    "Aasen",
    "Schur",
    "QZ",
    "Gershgorin",
    "Hessenberg",
    "Jacobi",
    "deflat",
    "Householder",
    "minor",
    "LARR",
    "STEBZ",
    "STEIN",
    "BDSQR",
    "Sturm",
    "eigenpair",
    "subroutine",
];

fn is_plain(line: &str) {
    assert!(line.chars().count() <= 88, "{} characters: {line}", line.chars().count());
    assert!(!line.contains(['{', '}', '\n']) && line.ends_with('.'), "{line}");
    for word in JARGON {
        assert!(!line.contains(word), "{word} in: {line}");
    }
}

#[test]
fn the_catalogue_has_442_routines_of_which_229_return_47_classes_in_312_pairs() {
    let pairs: BTreeSet<(&str, &str)> =
        classes().flat_map(|class| class.stems().map(move |stem| (stem, class.name))).collect();
    let known: BTreeSet<&str> = Routine::stems().collect();
    let speaking: BTreeSet<&str> = pairs.iter().map(|(stem, _)| *stem).collect();
    assert_eq!(classes().count(), 47);
    assert_eq!(pairs.len(), 312);
    assert_eq!(speaking.len(), 229);
    assert_eq!(known.len(), 442);
    assert_eq!(Routine::names().count(), 1350);
    let quiet: BTreeSet<&str> = known.difference(&speaking).copied().collect();
    assert_eq!(quiet.len(), 213);
    assert_eq!(quiet, silent());
    let documented: BTreeSet<(&str, &str)> = ranges().iter().map(|range| (range.stem, range.class)).collect();
    assert_eq!(pairs, documented);
}

#[test]
fn every_class_has_a_code_a_cause_and_fixes_and_no_name_twice() {
    let mut names = BTreeSet::new();
    for class in classes() {
        assert!(names.insert(class.name), "{} comes twice", class.name);
        assert!(CONDITIONS.iter().any(|condition| condition.code == class.code), "{}", class.name);
        assert!(!class.cause.is_empty() && !class.cause.ends_with('.'), "{}", class.name);
        assert!(class.meaning.ends_with('.') && !class.headline.ends_with('.'), "{}", class.name);
        assert!(!class.fixes.is_empty() && class.fixes.iter().all(|(_, text)| text.ends_with('.')), "{}", class.name);
        for (stems, _) in class.rules.iter().chain(class.undocumented).map(|(rule, stems)| (stems, rule)) {
            for stem in stems.split(' ') {
                assert!(Routine::parse(stem).is_some(), "{}: {stem}", class.name);
            }
        }
        for (stems, note) in class.notes {
            let known: BTreeSet<&str> =
                class.rules.iter().chain(class.undocumented).flat_map(|(_, stems)| stems.split(' ')).collect();
            assert!(stems.split(' ').all(|stem| known.contains(stem)), "{}: {note}", class.name);
        }
    }
}

#[test]
fn every_documented_info_of_every_pair_is_read_as_its_class_with_the_number_decoded() {
    let mut right = BTreeSet::new();
    for range in ranges() {
        let Range { stem, class, first, last, counts } = range;
        let inside = match (counts, last) {
            // Rows and columns 2 to 5 of 7.
            ("block", _) => vec![2 * (N + 1) + 5],
            (_, None) => vec![first, first + 1, first + 1000],
            (_, Some(last)) => vec![first, last],
        };
        for info in inside {
            let found: Vec<Explanation> =
                meanings(stem, info, DIMS).into_iter().filter(|found| found.class == Some(class)).collect();
            assert!(!found.is_empty(), "{stem} {info} is not read as {class}");
            let decoded = usize::try_from(info - first).expect("not below the first");
            let index = match counts {
                "index" => Some(decoded),
                "block" => Some(1),
                _ => None,
            };
            let shown = match counts {
                "index" | "amount" => (decoded + 1).to_string(),
                "block" => "2 to 5".to_string(),
                "digit" => format!("code {decoded}"),
                _ => String::new(),
            };
            let is_decoded = |found: &Explanation| {
                found.index == index && format!("{} {}", found.summary, found.meaning).contains(&shown)
            };
            assert!(found.iter().any(is_decoded), "{stem} {info}: no {shown}, {index:?} in {found:#?}");
        }
        // Other ranges of the routine with the same class may lie beside this one.
        let of_class = |info: i64| {
            ranges().iter().any(|other| {
                (other.stem, other.class) == (stem, class)
                    && other.first <= info
                    && other.last.is_none_or(|last| info <= last)
            })
        };
        for outside in [Some(first - 1), last.map(|last| last + 1)].into_iter().flatten() {
            let undocumented = meanings(stem, outside, DIMS).iter().any(|found| found.class == Some(class));
            assert!(!undocumented || of_class(outside), "{stem} {outside} is read as {class}");
        }
        right.insert((stem, class));
    }
    assert_eq!(right.len(), 312);
}

#[test]
fn with_the_dimensions_few_routines_need_to_know_more() {
    let mut unsure: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for stem in Routine::stems() {
        for info in 1..=3 * N {
            let found = meanings(stem, info, DIMS);
            if found.len() > 1 {
                assert!(found.iter().any(|found| !found.when.is_empty()), "{stem} {info}");
                unsure.entry(stem).or_default().extend(found.iter().filter_map(|found| found.class));
            }
        }
    }
    let stems: Vec<&str> = unsure.keys().copied().collect();
    assert_eq!(
        stems,
        ["bdsqr", "hbgvd", "hegvd", "hegvx", "hpgvd", "hpgvx", "sbgvd", "spgvd", "spgvx", "sygvd", "sygvx"]
    );
    assert_eq!(unsure["sygvd"], BTreeSet::from(["B_NOT_POSDEF", "EIG_DC_SUBMATRIX"]));
}

#[test]
fn without_dimensions_the_possibilities_are_listed_with_their_condition() {
    let explanation = explain_info("dgesvx", 5, Dims::default()).expect("a meaning");
    assert_eq!(explanation.summary, "dgesvx: 5 has 2 possible meanings.");
    assert_eq!((explanation.code, explanation.class), (None, None));
    let found: Vec<(&str, &str)> =
        explanation.possibilities.iter().map(|found| (found.class.unwrap_or(""), found.when.as_str())).collect();
    assert_eq!(found, [("U_ZERO_PIVOT", "n >= 5"), ("RCOND_LT_EPS", "n = 4")]);
    let report = explanation.report();
    assert!(report.contains("if n = 4:") && report.contains("LAP-W001"), "{report}");
    // N + 1 needs an N of at least 1.
    assert_eq!(explain_info("dgesvx", 1, Dims::default()).map(|found| found.class), Ok(Some("U_ZERO_PIVOT")));
    let packed = meanings("dsyevd", 20, Dims::default());
    assert!(packed.iter().any(|found| found.meaning.contains("20 / (n + 1) to 20 mod (n + 1)")), "{packed:?}");
    let minor = meanings("dsygv", 9, Dims::default());
    assert!(minor.iter().any(|found| found.meaning.contains("order 9 - n of B")), "{minor:?}");
}

#[test]
fn one_pair_of_dimensions_decides_between_pivot_and_precision() {
    let known = explain_info("dgesvx", 5, Dims::n(4)).expect("a meaning");
    assert_eq!((known.class, known.code), (Some("RCOND_LT_EPS"), Some(Code::IllConditioned)));
    let known = explain_info("dgesvx", 4, Dims::n(4)).expect("a meaning");
    assert_eq!((known.class, known.index), (Some("U_ZERO_PIVOT"), Some(3)));
    assert_eq!(known.summary, "dgesvx: singular: pivot 4, counted from 1, is exactly 0.");
    assert!(known.meaning.contains("U(4,4), element [3, 3]"), "{}", known.meaning);
    let error = explain_info("dgesvx", 6, Dims::n(4)).expect_err("it is too large");
    assert!(error.to_string().contains("dgesvx does not return 6: not for n = 4"), "{error}");
}

#[test]
fn rows_are_told_from_columns_by_m() {
    let dims = Dims { m: Some(3), n: Some(5), k: None };
    assert_eq!(explain_info("dgeequ", 3, dims).expect("a row").summary, "dgeequ: row 3, counted from 1, is all zero.");
    let column = explain_info("dgeequ", 5, dims).expect("a column");
    assert_eq!((column.index, column.code), (Some(1), Some(Code::ZeroRowOrColumn)));
    assert_eq!(column.summary, "dgeequ: column 2, counted from 1, is all zero.");
}

#[test]
fn first_lines_are_short_and_free_of_jargon_for_every_routine_and_number() {
    // Large dimensions make long numbers.
    let dims = Dims { m: Some(20_000), n: Some(20_000), k: None };
    let mut lines = 0;
    // Names of one routine are equally long.
    for name in Routine::names().filter(|name| name.starts_with(['d', 'z'])) {
        for name in [name.clone(), format!("LAPACKE_{name}")] {
            let arguments = Routine::parse(&name).expect("a routine").arguments().count() as i64;
            for info in (-arguments - 1..=4).chain([19_999, 20_000, 20_001, 20_002, 20_003, 39_999, 40_001, 40_004]) {
                for found in meanings(&name, info, dims) {
                    // An argument has the name that it has.
                    let name = found.argument.as_ref().map_or("", |argument| argument.name);
                    is_plain(&found.summary.replace(&format!(", {name},"), &", ".repeat(name.len() / 2 + 1)));
                    lines += 1;
                }
            }
        }
    }
    for (code, _) in opencl_codes() {
        is_plain(&explain_opencl(code).expect("a code").summary);
    }
    for iter in [-31, -3, -2, -1, 0, 29] {
        is_plain(&explain_iter("dsgesv", iter).expect("a code").summary);
    }
    for condition in CONDITIONS {
        assert!(condition.title.chars().count() <= 70, "{}", condition.title);
    }
    assert!(lines > 10_000, "{lines}");
}

#[test]
fn nan_told_by_a_negative_info_is_not_taken_for_a_refused_argument() {
    for (routine, info, part) in [
        ("dgesdd", -4, "has NaN"),
        ("zgeev", -4, "has NaN"),
        ("dgebal", -3, "has NaN"),
        ("chsein", -6, "has NaN"),
        ("sgecon", -5, "NaN, Inf or negative"),
        ("dlascl", -4, "NaN, or norm 0"),
        ("dlascl", -5, "NaN"),
        ("LAPACKE_dgesdd", -5, "has NaN"),
        ("LAPACKE_dgesv", -4, "argument 4, A, has NaN"),
        ("LAPACKE_dposv", -6, "argument 6, LDA, has"),
    ] {
        let found = explain_info(routine, info, Dims::default()).unwrap_or_else(|error| panic!("{error}"));
        let nan = !routine.contains("posv");
        assert_eq!(found.code == Some(Code::NonFinite), nan, "{routine} {info}");
        assert!(found.summary.contains(part), "{}", found.summary);
    }
    // Documented for one of them only.
    assert_eq!(explain_info("dgeev", -4, Dims::default()).map(|found| found.class), Ok(Some("NAN_INPUT")));
    assert!(explain_info("dgeev", -4, Dims::default()).expect("NaN").meaning.contains("does not list"));
    let pivot = explain_info("dsytrf", 3, Dims::default()).expect("a pivot");
    assert!(pivot.meaning.contains("A NaN at this place"), "{}", pivot.meaning);
    let minor = explain_info("dpotrf", 3, Dims::default()).expect("a minor");
    assert!(minor.meaning.contains("A NaN on the diagonal"), "{}", minor.meaning);
}

#[test]
fn the_lists_of_arguments_are_lapacks() {
    let mut positions = 0;
    for line in LISTS.lines().filter(|line| !line.starts_with('#')) {
        let (name, expected) = line.split_once(' ').expect("a name and a list");
        let routine = Routine::parse(name).unwrap_or_else(|| panic!("{name}"));
        let names: Vec<&str> = routine.arguments().map(|(name, _)| name).collect();
        assert_eq!(names.join(" "), expected, "{name}");
        for (index, argument) in names.iter().enumerate().filter(|(_, argument)| **argument != "INFO") {
            let info = -(index as i64 + 1);
            let told = explain_info(name, info, Dims::default()).expect("an argument").argument.expect("one");
            assert_eq!((told.position, told.name), (index + 1, *argument), "{name} {info}");
            assert!(!told.meaning.is_empty());
            // LAPACKE's first argument is the layout.
            let c = explain_info(&format!("LAPACKE_{name}"), info - 1, Dims::default()).expect("an argument");
            assert_eq!(c.argument.expect("one").name, *argument, "LAPACKE_{name} {}", info - 1);
            positions += 1;
        }
    }
    assert!(positions > 700, "{positions}");
    for name in Routine::names() {
        let routine = Routine::parse(&name).unwrap_or_else(|| panic!("{name}"));
        assert!(routine.arguments().any(|(name, _)| name == "INFO"), "{name} has no INFO");
        assert_eq!(routine.to_string(), name);
    }
}

#[test]
fn a_refused_argument_is_named_with_what_it_is_and_where_it_comes_from() {
    let found = explain_info("DGESV", -4, Dims::default()).expect("an argument");
    assert_eq!(found.summary, "dgesv: argument 4, LDA, has a value that is not allowed.");
    assert!(found.cause.contains("smaller than the number of rows"), "{}", found.cause);
    let argument = found.argument.expect("one");
    assert_eq!((argument.position, argument.name, argument.user), (4, "LDA", Some("a")));
    assert!(argument.meaning.contains("distance between columns of A"), "{}", argument.meaning);
    let layout = explain_info("LAPACKE_dgesv", -1, Dims::default()).expect("an argument");
    assert_eq!(layout.argument.expect("one").name, "matrix_layout");
    // These few have no layout, so that nothing is shifted.
    let plain = explain_info("LAPACKE_dstebz", -3, Dims::default()).expect("an argument");
    assert_eq!(plain.argument.expect("one").name, "N");
    let beyond = explain_info("dgesv", -9, Dims::default()).expect_err("there are 8");
    assert!(beyond.to_string().contains("it has 8 arguments"), "{beyond}");
}

#[test]
fn memory_of_lapacke_success_and_unknown_names_are_told() {
    for (info, part) in [(-1010, "workspace"), (-1011, "transposed")] {
        let found = explain_info("LAPACKE_dgesv", info, Dims::default()).expect("memory");
        assert_eq!(found.code, Some(Code::OutOfMemory));
        assert!(found.summary.contains(part), "{}", found.summary);
        assert!(explain_info("dgesv", info, Dims::default()).is_err());
    }
    assert_eq!(explain_info("dgesv", 0, Dims::default()).map(|found| found.code), Ok(Some(Code::Success)));
    let error = explain_info("dgesvq", 1, Dims::default()).expect_err("no routine");
    assert!(error.to_string().contains("no routine \"dgesvq\" is known"), "{error}");
    let error = explain_info("dgetrs", 3, Dims::default()).expect_err("no meaning");
    assert!(error.to_string().contains("it returns 0, or the negative number of an argument"), "{error}");
}

#[test]
fn iterations_of_mixed_precision_are_information() {
    for routine in ["dsgesv", "dsposv", "zcgesv", "ZCPOSV"] {
        for (iter, part) in [(-1, "not tried"), (-2, "too large"), (-3, "singular or indefinite"), (-31, "30 steps")] {
            let found = explain_iter(routine, iter).expect("a code");
            assert_eq!(found.code, Some(Code::RefinementFellBack));
            assert!(found.summary.contains(part), "{}", found.summary);
        }
        assert!(explain_iter(routine, 4).expect("refined").summary.contains("refined in 4 steps"));
        assert!(explain_iter(routine, -7).is_err());
    }
    assert!(explain_iter("dgesv", -1).is_err(), "it has no ITER");
}

#[test]
fn every_error_of_opencl_has_a_name_a_cause_and_a_fix() {
    let codes: Vec<(i32, &str)> = opencl_codes().collect();
    for required in (-19..=-1).chain(-72..=-30).chain([-1000, -1001, -9999]) {
        assert!(codes.iter().any(|(code, _)| *code == required), "{required}");
    }
    assert!(codes.is_sorted_by(|a, b| a.0 > b.0));
    for (code, name) in codes {
        let found = explain_opencl(code).expect("a code");
        assert!(found.meaning.starts_with(name) && !found.cause.is_empty() && !found.fixes.is_empty(), "{name}");
        assert!(found.summary.contains(&format!("({code})")), "{}", found.summary);
    }
    for (code, condition) in [
        (-1, Code::GpuUnavailable),
        (-4, Code::OutOfMemory),
        (-5, Code::GpuFailed),
        (-11, Code::KernelBuildFailed),
        (-50, Code::OpenClMisuse),
        (-61, Code::OutOfMemory),
        (-1001, Code::GpuUnavailable),
    ] {
        assert_eq!(explain_opencl(code).map(|found| found.code), Ok(Some(condition)), "{code}");
    }
    assert!(explain_opencl(0).is_err() && explain_opencl(-20).is_err());
}
