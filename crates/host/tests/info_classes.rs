//! Classes of INFO made by real calls of the LAPACK in use, each with a matrix that brings it about, and read by the catalogue.
//!
//! Calls whose outcome LAPACK's documentation fixes must give their class with every LAPACK. Others need what one library does
//! with NaN, or with eigenvalues that are too close; they are tried with OpenBLAS, where the least number of classes is fixed.

mod common;

use common::Arg::{self, F, I, Is, L, R, Rs};
use common::Lapack;
use lapack_ai_core::DType;
use lapack_ai_core::catalogue::{self, Dims, classes, explain_info};
use lapack_ai_host::Routine;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Case {
    routine: &'static str,
    class: &'static str,
    dims: Dims,
    arguments: Vec<Arg>,
}

/// A call with its arguments in short: `'L` a letter, `5` an integer, `r0.5` a number, `w25` room for 25 numbers, `i5` for 5
/// integers, `#` the next of `given`.
fn case<const G: usize>(
    routine: &'static str,
    class: &'static str,
    (m, n): (i64, i64),
    arguments: &str,
    given: [Arg; G],
) -> Case {
    let mut given = given.into_iter();
    let size = |text: &str| text.parse().unwrap_or_else(|_| panic!("{routine}: {text}"));
    let argument = |word: &str| match word.split_at(1) {
        ("#", _) => given.next().unwrap_or_else(|| panic!("{routine}: too few")),
        ("'", letter) => L(letter.as_bytes()[0]),
        ("w", room) => Rs(vec![0.0; size(room)]),
        ("i", room) => Is(vec![0; size(room)]),
        ("r", number) => R(number.parse().unwrap_or_else(|_| panic!("{routine}: {number}"))),
        _ => I(word.parse().unwrap_or_else(|_| panic!("{routine}: {word}"))),
    };
    let arguments = arguments.split_whitespace().map(argument).collect();
    assert!(given.next().is_none(), "{routine}: too many");
    Case { routine, class, dims: Dims { m: Some(m), n: Some(n), k: None }, arguments }
}

fn rs(values: &[f64]) -> Arg {
    Rs(values.to_vec())
}

/// `x` times the identity.
fn identity(n: usize, x: f64) -> Arg {
    Rs((0..n * n).map(|k| if k % (n + 1) == 0 { x } else { 0.0 }).collect())
}

/// A symmetric matrix of order 5 with NaN beside its diagonal.
fn nan() -> Arg {
    let mut a: Vec<f64> = (0..25).map(|k| 1.0 / (1 + k / 5 + k % 5) as f64).collect();
    a[1] = f64::NAN;
    a[5] = f64::NAN;
    Rs(a)
}

/// Two blocks with nearly the same pair of eigenvalues, and large elements between them.
const CLOSE: [f64; 16] = [
    1.0, -5.05e-16, 0.0, 0.0, //
    315.9, 1.0, 0.0, 0.0, //
    -7402.0, -19353.0, 1.00000049, -6.8e-15, //
    0.0, -23.13, 128.4, 1.00000049,
];

/// Two pairs of generalised eigenvalues that differ by 3e-11, and large elements between them.
const CLOSE_A: [f64; 16] = [
    1.0,
    -1.7130428688239693e-7,
    0.0,
    0.0, //
    24886.3685427136,
    1.0,
    0.0,
    0.0, //
    3.629062983541653,
    18118342.735644363,
    1.0000000000322518,
    -2.459524010317129e-16, //
    -2.0863163234225235,
    180015.88089943168,
    6848.283913489519,
    1.0000000000322518,
];

/// The other matrix of the pair.
const CLOSE_B: [f64; 16] = [
    1.0,
    0.0,
    0.0,
    0.0, //
    0.0,
    1.0,
    0.0,
    0.0, //
    -4.09068106486326e-7,
    8931044.066484923,
    1.0,
    0.0, //
    940.6965105611358,
    -0.2746286839869577,
    0.0,
    1.0,
];

/// Selects the second pair of [`CLOSE`].
extern "C" fn second_pair(real: *const f64, _imaginary: *const f64) -> i32 {
    // SAFETY: LAPACK passes the address of a number.
    i32::from(unsafe { *real } > 1.000_000_2)
}

/// Changes its mind after the eigenvalues are sorted, as rounding errors make a selection do.
extern "C" fn fickle(_real: *const f64, _imaginary: *const f64) -> i32 {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    [0, 0, 1, 1, 0, 1, 1, 1][CALLS.fetch_add(1, Ordering::Relaxed) % 8]
}

/// Selects the second pair of [`CLOSE_A`] and [`CLOSE_B`].
extern "C" fn second_quotient(real: *const f64, _imaginary: *const f64, beta: *const f64) -> i32 {
    // SAFETY: LAPACK passes the addresses of numbers.
    i32::from(unsafe { *real > (1.0 + 1.6e-11) * *beta })
}

/// Zero pivots, wrong signs, zero rows: LAPACK's documentation says what comes of them.
fn by_documentation() -> Vec<Case> {
    let rank_one = || rs(&[1.0, 2.0, 2.0, 4.0]);
    let indefinite = || rs(&[1.0, 2.0, 2.0, 1.0]);
    let ones = || rs(&[1.0; 4]);
    let hilbert = Rs((0..169).map(|k| 1.0 / (1 + k / 13 + k % 13) as f64).collect());
    let one = || identity(2, 1.0);
    let two = (2, 2);
    let zero_column = || rs(&[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    let solve = "'N 'N 13 1 # 13 w169 13 i13 'N w13 w13 # 13 w13 13 r0 w1 w1 w200 i13";
    let modes = "'N 'N 'N 'N 1 3 0 w9 3 w9 3 -1 r0 0 w3 w3 w9 3 w3 w9 3 w9 3 w9 3 w500 500 i100 100";
    vec![
        case("dgetrf", "U_ZERO_PIVOT", two, "2 2 # 2 i2", [rank_one()]),
        case("dgesv", "U_ZERO_PIVOT", two, "2 1 # 2 i2 w2 2", [rank_one()]),
        case("dgetri", "U_ZERO_PIVOT", two, "2 w4 2 # w100 100", [Is(vec![1, 2])]),
        case("dgbtrf", "U_ZERO_PIVOT", two, "2 2 1 1 w8 4 i2", []),
        case("dgttrf", "U_ZERO_PIVOT", (3, 3), "3 w2 w3 w2 w2 i3", []),
        case("dsgesv", "U_ZERO_PIVOT", two, "2 1 # 2 i2 w2 2 w2 2 w8 w8 0", [rank_one()]),
        case("dsytrf", "D_ZERO_PIVOT", two, "'L 2 w4 2 i2 w200 200", []),
        case("zhetrf", "D_ZERO_PIVOT", two, "'L 2 w8 2 i2 w400 200", []),
        case("dpotrf", "NOT_POSDEF", two, "'L 2 # 2", [indefinite()]),
        case("dpbtrf", "NOT_POSDEF", two, "'L 2 0 # 1", [rs(&[1.0, -1.0])]),
        case("dsposv", "NOT_POSDEF", two, "'L 2 1 # 2 w2 2 w2 2 w8 w8 0", [indefinite()]),
        case("dpstrf", "RANK_DEFICIENT_OR_NOT_PSD", two, "'L 2 # 2 i2 0 r-1 w8", [ones()]),
        case("dpotri", "CHOL_FACTOR_ZERO_DIAG", two, "'L 2 w4 2", []),
        case("dtrtrs", "TRI_ZERO_DIAG", two, "'L 'N 'N 2 1 w4 2 w2 2", []),
        case("dgetc2", "PIVOT_PERTURBED", two, "2 # 2 i2 i2", [rank_one()]),
        case("dgesvx", "RCOND_LT_EPS", (13, 13), solve, [hilbert, rs(&[1.0; 13])]),
        case("dsysv_aa_2stage", "BAND_LU_FAILED", (3, 3), "'L 3 1 w9 3 w5000 5000 i3 i3 w3 3 w5000 5000", []),
        case("dgeequ", "EQU_ZERO_ROW_OR_COL", two, "2 2 # 2 w2 w2 r0 r0 r0", [rs(&[1.0, 1.0, 0.0, 0.0])]),
        case("dpoequ", "EQU_NONPOSITIVE_DIAG", two, "2 # 2 w2 r0 r0", [identity(2, -1.0)]),
        case("dgels", "LS_NOT_FULL_RANK", (3, 2), "'N 3 2 1 # 3 w3 3 w500 500", [zero_column()]),
        case("dgglse", "GLS_RANK", two, "2 2 1 w4 2 # 1 w2 w1 w2 w500 500", [rs(&[1.0, 0.0])]),
        case("dgedmd", "DMD_FAILED", (3, 0), modes, []),
        case("dsygvd", "B_NOT_POSDEF", two, "1 'N 'L 2 # 2 # 2 w2 w100 100 i100 100", [one(), identity(2, -1.0)]),
        case("dtgevc", "TGEVC_2X2_BLOCK", two, "'R 'A i2 2 # 2 # 2 w4 2 w4 2 2 0 w20", [ones(), one()]),
        case("dtrsyl", "SYLVESTER_CLOSE_EIGS", two, "'N 'N -1 2 2 # 2 # 2 # 2 r0", [one(), one(), ones()]),
    ]
}

/// NaN, and eigenvalues that are too close: what OpenBLAS's LAPACK makes of them.
fn by_behaviour() -> Vec<Case> {
    let (two, four, five) = ((2, 2), (4, 4), (5, 5));
    let broken = || rs(&[0.1, f64::NAN, 0.1, 0.1]);
    let one = || identity(2, 1.0);
    let condition = "'1 2 # 2 # r0 w8 i2";
    let divide = "'U 'I 5 # # w25 5 w25 5 w1 i1 w2000 i400";
    let selected = "'V 'V 'A 5 5 # 5 r0 r0 0 0 0 w5 w50 5 w50 10 w5000 5000 i100";
    let jacobi = "'N 'N 'N 2 2 2 0 2 # 2 # 2 r-1 r-1 w2 w2 w4 2 w4 2 w4 2 w10 0";
    let cosine = "'N 'N 'N 'N 'N 4 2 2 # # w4 2 w4 2 w4 2 w4 2 w2 w1 w2 w1 w2 w1 w2 w1 w200 200";
    let pivoted = "2 2 0 # r-1 r-1 # 2 0 r0 r0 i2 w2 w500 500 i10";
    let inverse = "5 # # 1 # # # w25 5 w50 i10 i10";
    let some = "'V 'A 'L 5 # 5 r0 r0 0 0 r0 0 w5 w25 5 w5000 5000 i500 i10";
    let some_of_pair = "1 'V 'A 'L 5 # 5 # 5 r0 r0 0 0 r0 0 w5 w25 5 w5000 5000 i500 i10";
    let schur = "'V # # 4 # 4 0 w4 w4 w16 4 w500 500 i4";
    let schur_of_pair = "'V 'V 'S # 4 # 4 # 4 0 w4 w4 w4 w16 4 w16 4 w900 900 i4";
    let hessenberg = |k: usize| if k % 5 > k / 5 + 1 { 0.0 } else { (k % 7) as f64 + 1.0 };
    let to_five = |scale: f64| Rs((1..=5).map(|k| f64::from(k) * scale).collect());
    let diagonal = Rs((0..16).map(|k| if k % 5 == 0 { (k / 5 + 1) as f64 } else { 0.0 }).collect());
    let close = |second: extern "C" fn(*const f64, *const f64) -> i32| F(second as *const _);
    let quotient = F(second_quotient as *const _);
    let tiny = f64::from_bits(1);
    vec![
        case("dgecon", "RCOND_NAN_OR_INF", two, condition, [one(), R(tiny)]),
        case("dgecon", "NAN_INPUT", two, condition, [one(), R(f64::NAN)]),
        case("dgesdd", "NAN_INPUT", five, "'A 5 5 # 5 w5 w25 5 w25 5 w5000 5000 i40", [nan()]),
        case("dgeev", "NAN_INPUT", five, "'N 'N 5 # 5 w5 w5 w25 5 w25 5 w500 500", [nan()]),
        case("dgesvd", "SVD_BIDIAG_NO_CONV", five, "'A 'A 5 5 # 5 w5 w25 5 w25 5 w5000 5000", [nan()]),
        case("dgelsd", "SVD_BIDIAG_NO_CONV", five, "5 5 1 # 5 w5 5 w5 r-1 0 w5000 5000 i5000", [nan()]),
        case("dpteqr", "SVD_BIDIAG_NO_CONV_AFTER_CHOLESKY", five, "'I 5 # # w25 5 w100", [rs(&[2.0; 5]), broken()]),
        case("dbdsqr", "BDSQR_NO_CONV", five, "'U 5 5 0 0 # # w25 5 w5 5 w5 5 w100", [rs(&[1.0; 5]), broken()]),
        case("dbdsdc", "SVD_DC_NO_CONV", five, divide, [rs(&[1.0; 5]), broken()]),
        case("dgesvdx", "SVDX_NO_CONV", five, selected, [nan()]),
        case("dtgsja", "GSVD_JACOBI_NO_CONV", two, jacobi, [rs(&[1.0, 0.0, 2.0, 3.0]), rs(&[4.0, 0.0, 5.0, 6.0])]),
        case("dbbcsd", "CSD_NO_CONV", two, cosine, [rs(&[0.5, f64::NAN]), rs(&[0.5])]),
        case("dgeqp3rk", "NAN_COL", two, pivoted, [I(2), rs(&[f64::NAN, 0.0, 1.0, 1.0])]),
        case("dgeqp3rk", "INF_COL", two, pivoted, [I(0), rs(&[1.0, 0.5, 1.0, f64::INFINITY])]),
        case("dsyev", "TRIDIAG_NO_CONV", five, "'V 'L 5 # 5 w5 w500 500", [nan()]),
        case("dsyevd", "TRIDIAG_NO_CONV", five, "'N 'L 5 # 5 w5 w500 500 i500 500", [nan()]),
        // 1 is no eigenvalue of a matrix of norm 1e-5.
        case(
            "dstein",
            "INVERSE_ITER_NO_CONV",
            five,
            inverse,
            [to_five(1e-5), rs(&[1e-6; 5]), rs(&[1.0]), Is(vec![1; 5]), Is(vec![5, 0, 0, 0, 0])],
        ),
        case("dsyevx", "STEBZ_ERROR", five, some, [nan()]),
        case("dsygvx", "STEBZ_ERROR", five, some_of_pair, [nan(), identity(5, 1.0)]),
        case(
            "dstebz",
            "STEBZ_NO_CONV",
            five,
            "'I 'E 5 r0 r0 1 3 r0 # # 0 0 w5 i5 i5 w50 i50",
            [rs(&[f64::NAN; 5]), rs(&[0.1; 5])],
        ),
        case("dhseqr", "QR_EIG_NO_CONV", five, "'E 'N 5 1 5 # 5 w5 w5 w25 5 w500 500", [nan()]),
        case("dgees", "QR_EIG_NO_CONV", five, "'V 'N # 5 # 5 0 w5 w5 w25 5 w500 500 i5", [close(second_pair), nan()]),
        case("dgees", "REORDER_TOO_CLOSE", four, schur, [L(b'S'), close(second_pair), rs(&CLOSE)]),
        case("dgees", "REORDER_ROUNDOFF", four, schur, [L(b'S'), close(fickle), diagonal]),
        case("dgges", "REORDER_FAILED", four, schur_of_pair, [quotient, rs(&CLOSE_A), rs(&CLOSE_B)]),
        case("dtrexc", "SWAP_ILL_CONDITIONED", four, "'N 4 # 4 w16 4 1 3 w4", [rs(&CLOSE)]),
        case("dggev", "QZ_NO_CONV", five, "'N 'N 5 # 5 # 5 w5 w5 w5 w25 5 w25 5 w500 500", [nan(), identity(5, 1.0)]),
        // None of these numbers is an eigenvalue.
        case(
            "dhsein",
            "INVERSE_ITER_NO_CONV_BOTH_SIDES",
            five,
            "'R 'N 'N # 5 # 5 # w5 w25 5 w25 5 5 0 w100 i5 i5",
            [Is(vec![1; 5]), Rs((0..25).map(hessenberg).collect()), to_five(1e8)],
        ),
    ]
}

/// Whether the catalogue reads what LAPACK returned as the class. Where two are possible, one of them is.
fn is_read(lapack: &Lapack, case: Case) -> Option<Result<(), String>> {
    let info = lapack.info(case.routine, case.arguments)?;
    let Ok(explanation) = explain_info(case.routine, info, case.dims) else {
        return Some(Err(format!("{} returned {info}, which is not explained", case.routine)));
    };
    let found = explanation.class == Some(case.class)
        || explanation.possibilities.iter().any(|possible| possible.class == Some(case.class));
    let class = case.class;
    Some(if found { Ok(()) } else { Err(format!("{} returned {info}, which is not {class}", case.routine)) })
}

/// The names of the routines that have drivers in this crate.
fn wrapped() -> impl Iterator<Item = String> {
    // Those of mixed precision exist for double precision only.
    let single = |routine, dtype| {
        matches!(routine, Routine::MixedGesv | Routine::MixedPosv) && matches!(dtype, DType::Float32 | DType::Complex64)
    };
    Routine::all().flat_map(move |routine| {
        DType::ALL
            .into_iter()
            .filter(move |&dtype| !single(routine, dtype))
            .filter_map(move |dtype| routine.name(dtype))
    })
}

/// The classes that routines with drivers in this crate document.
fn of_wrapped_routines() -> BTreeSet<&'static str> {
    let stems: BTreeSet<&str> =
        wrapped().filter_map(|name| catalogue::Routine::parse(&name)).map(|routine| routine.stem).collect();
    classes().filter(|class| class.stems().any(|stem| stems.contains(stem))).map(|class| class.name).collect()
}

#[test]
fn most_classes_are_made_by_real_calls_and_read_as_what_they_are() {
    let lapack = Lapack::open();
    let mut real = BTreeSet::new();
    for case in by_documentation() {
        let class = case.class;
        match is_read(&lapack, case) {
            Some(Ok(())) => _ = real.insert(class),
            Some(Err(why)) => panic!("{why}"),
            None => {}
        }
    }
    let openblas = lapack.library.vendor().contains("OpenBLAS");
    for case in by_behaviour().into_iter().filter(|_| openblas) {
        let class = case.class;
        match is_read(&lapack, case) {
            Some(Ok(())) => _ = real.insert(class),
            Some(Err(why)) => println!("not here: {why}"),
            None => {}
        }
    }
    let all: BTreeSet<&str> = classes().map(|class| class.name).collect();
    let wrapped = of_wrapped_routines();
    let only_injected: Vec<&str> = all.difference(&real).copied().collect();
    let wrapped_and_real = wrapped.intersection(&real).count();
    println!("{} of {} classes by real calls; injected only: {}", real.len(), all.len(), only_injected.join(", "));
    println!("of the {} classes of routines with drivers: {wrapped_and_real} by real calls", wrapped.len());
    assert!(real.is_subset(&all));
    assert!(real.len() >= 18, "{real:?}");
    let modern = (lapack.library.version().major, lapack.library.version().minor) >= (3, 12);
    if openblas && modern {
        assert!(real.len() >= 39, "{} of {}", real.len(), all.len());
        assert!(wrapped_and_real >= 16, "{wrapped_and_real} of {}", wrapped.len());
    }
}

#[test]
fn every_argument_of_every_routine_with_a_driver_is_named_with_the_users_argument() {
    // Workspaces, results, and what the operations always pass in the same way.
    let own = [
        "INFO", "IPIV", "JPIV", "W", "WR", "WI", "S", "TAU", "RANK", "VT", "U", "M", "Z", "LDZ", "ISUPPZ", "IFAIL",
        "X", "LDX", "ITER", "SDIM", "VS", "LDVS", "JOBVS", "SORT", "SELECT", "ALPHAR", "ALPHAI", "ALPHA", "BETA", "VL",
        "VR", "ABSTOL", "RCOND", "NORM", "C", "LDC",
    ];
    let mut positions = 0;
    for name in wrapped() {
        let known = catalogue::Routine::parse(&name).unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        assert_eq!(known.to_string(), name);
        assert!(known.operation().is_some(), "{name}: no operation");
        let arguments: Vec<_> = known.arguments().collect();
        for position in 1..=arguments.len() {
            let argument = known.argument(position).expect("a position in the list");
            assert_eq!(argument.name, arguments[position - 1].0, "{name} {position}");
            assert!(!argument.meaning.is_empty(), "{name} {}", argument.name);
            let is_own = own.contains(&argument.name) || argument.name.ends_with("WORK");
            assert!(argument.user.is_some() || is_own, "{name}: {} has no argument of the user", argument.name);
            positions += 1;
        }
    }
    println!("{positions} positions of arguments");
    assert!(positions > 1400, "{positions}");
}
