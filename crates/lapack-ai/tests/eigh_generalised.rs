//! Hermitian eigenproblems with a second matrix, and parts of spectra, against LAPACK's test ratios.

mod common;

use common::{Dense, Random, check, every_way, hermitian_part, positive_definite, ratio};
use lapack_ai::{
    Code, EighOptions, EighOut, EighSubset, Matrix, MatrixView, Problem, Real, Scalar, Select, eigh, eigh_generalised,
    eigh_generalised_into, eigh_subset,
};

const PROBLEMS: [Problem; 3] = [Problem::First, Problem::Second, Problem::Third];

/// The residual of the problem in units of `n eps` of its own size, the metric of the vectors, and the order.
fn verify<T: Scalar>(what: &str, a: &Dense, b: &Dense, problem: Problem, result: &EighSubset<T>) {
    let what = format!("{what}, {problem:?}, n = {} {}", a.rows, T::DTYPE.name());
    let n = a.rows;
    let w: Vec<f64> = result.eigenvalues.iter().map(|&value| value.into()).collect();
    assert!(w.windows(2).all(|pair| pair[0] <= pair[1]), "{what}: eigenvalues not sorted");
    let v = Dense::of(result.eigenvectors.view());
    assert_eq!((v.rows, v.cols), (n, w.len()), "{what}");
    if w.is_empty() {
        return;
    }
    let largest = w.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
    let (left, right, size) = match problem {
        Problem::First => (a.times(&v), b.times(&v).times_diagonal(&w), a.norm1() + b.norm1() * largest),
        Problem::Second => (a.times(&b.times(&v)), v.times_diagonal(&w), a.norm1() * b.norm1() + largest),
        Problem::Third => (b.times(&a.times(&v)), v.times_diagonal(&w), a.norm1() * b.norm1() + largest),
    };
    check(&format!("{what}, residual"), ratio::<T>(&left.minus(&right), size * v.norm1(), n));
    // In the third problem inv(B) V W = A V, so that V^H A V = W says that V^H inv(B) V = I.
    let gram = match problem {
        Problem::First | Problem::Second => v.adjoint().times(&b.times(&v)).minus(&Dense::identity(w.len())),
        Problem::Third => v.adjoint().times(&a.times(&v)).minus(&Dense::identity(w.len()).times_diagonal(&w)),
    };
    let size = match problem {
        Problem::First | Problem::Second => b.norm1() * v.norm1() * v.adjoint().norm1(),
        Problem::Third => a.norm1() * v.norm1() * v.adjoint().norm1(),
    };
    check(&format!("{what}, metric"), ratio::<T>(&gram, size, n));
}

fn selections(n: usize, middle: f64) -> Vec<Select> {
    vec![
        Select::All,
        Select::Indices { first: 0, last: 0 },
        Select::Indices { first: n / 3, last: n - 1 },
        Select::Indices { first: 0, last: n - 1 },
        Select::Values { above: f64::NEG_INFINITY, up_to: middle },
        Select::Values { above: middle, up_to: f64::INFINITY },
    ]
}

/// A part must be the same part of the whole.
fn is_part_of<T: Scalar>(what: &str, part: &EighSubset<T>, all: &[T::Real], select: Select) {
    let values = |list: &[T::Real]| list.iter().map(|&value| value.into()).collect::<Vec<f64>>();
    let (part, all) = (values(&part.eigenvalues), values(all));
    let expected: Vec<f64> = match select {
        Select::All => all.clone(),
        Select::Indices { first, last } => all[first..=last].to_vec(),
        Select::Values { above, up_to } => all.iter().copied().filter(|&w| above < w && w <= up_to).collect(),
    };
    assert_eq!(part.len(), expected.len(), "{what}, {select:?}");
    let largest = all.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
    for (one, other) in part.iter().zip(expected) {
        let units = (one - other).abs() / (largest * T::Real::EPSILON * all.len() as f64);
        check(&format!("{what}, {select:?}"), units);
    }
}

fn pairs<T: Scalar>() {
    let mut random = Random::new(41);
    for n in [1, 2, 3, 12] {
        let a_data = hermitian_part(&random.matrix::<T>(n, n), n);
        let b_data = positive_definite::<T>(&mut random, n);
        let a = Dense::of(MatrixView::row_major(&a_data, n, n).unwrap());
        let b = Dense::of(MatrixView::row_major(&b_data, n, n).unwrap());
        for lower in [true, false] {
            let triangle = |data: &[T]| -> Vec<T> {
                let read = |k: usize| if lower { k / n >= k % n } else { k / n <= k % n };
                (0..n * n).map(|k| if read(k) { data[k] } else { T::from_real(f64::NAN) }).collect()
            };
            let (a_kept, b_kept) = (triangle(&a_data), triangle(&b_data));
            let (a_ways, b_ways) = (every_way(&a_kept, n, n), every_way(&b_kept, n, n));
            for (one, other) in a_ways.iter().zip(b_ways.iter().cycle().skip(1)) {
                for problem in PROBLEMS {
                    let what = format!("lower {lower}, {} and {}", one.name, other.name);
                    let options = EighOptions { lower, ..EighOptions::default() };
                    let all = eigh_generalised(one.view(), other.view(), problem, Select::All, options).unwrap();
                    let middle = all.eigenvalues[n / 2].into() + 1e-3;
                    for select in selections(n, middle) {
                        let result = eigh_generalised(one.view(), other.view(), problem, select, options).unwrap();
                        verify(&what, &a, &b, problem, &result);
                        is_part_of(&what, &result, &all.eigenvalues, select);
                        let options = EighOptions { vectors: false, ..options };
                        let values = eigh_generalised(one.view(), other.view(), problem, select, options).unwrap();
                        is_part_of(&what, &values, &all.eigenvalues, select);
                    }
                }
            }
        }
    }
}

#[test]
fn pairs_meet_the_ratios_in_every_layout_reading_one_triangle_only() {
    for_each_scalar!(pairs);
}

fn parts<T: Scalar>() {
    let mut random = Random::new(43);
    for n in [1, 2, 3, 12, 27] {
        let data = hermitian_part(&random.matrix::<T>(n, n), n);
        let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
        for lower in [true, false] {
            let read = |k: usize| if lower { k / n >= k % n } else { k / n <= k % n };
            let kept: Vec<T> = (0..n * n).map(|k| if read(k) { data[k] } else { T::from_real(f64::NAN) }).collect();
            for stored in every_way(&kept, n, n) {
                let options = EighOptions { lower, ..EighOptions::default() };
                let all = eigh(stored.view(), options).unwrap();
                let middle = all.eigenvalues[n / 2].into() + 1e-3;
                for select in selections(n, middle) {
                    let what = format!("lower {lower}, {}", stored.name);
                    let result = eigh_subset(stored.view(), select, options).unwrap();
                    verify(&what, &a, &Dense::identity(n), Problem::First, &result);
                    is_part_of(&what, &result, &all.eigenvalues, select);
                    let values = eigh_subset(stored.view(), select, EighOptions { vectors: false, ..options }).unwrap();
                    assert!(values.eigenvectors.as_slice().is_empty());
                    is_part_of(&what, &values, &all.eigenvalues, select);
                }
            }
        }
    }
}

#[test]
fn parts_of_a_spectrum_are_those_parts_of_the_whole() {
    for_each_scalar!(parts);
}

#[test]
fn the_lower_bound_of_an_interval_is_excluded_and_the_upper_one_included() {
    let a = Matrix::from_fn(4, 4, |i, j| if i == j { i as f64 } else { 0.0 });
    let values = |above, up_to| {
        eigh_subset(a.view(), Select::Values { above, up_to }, EighOptions::default()).unwrap().eigenvalues
    };
    assert_eq!(values(1.0, 2.0), [2.0]);
    assert_eq!(values(-1.0, 1.0), [0.0, 1.0]);
    assert!(values(3.0, 9.0).is_empty());
}

fn indefinite<T: Scalar>() {
    let a = Matrix::from_fn(3, 3, |i, j| if i == j { T::ONE } else { T::ZERO });
    let b = Matrix::from_fn(3, 3, |i, j| if i == j { T::from_real([1.0, 2.0, -1.0][i]) } else { T::ZERO });
    for (select, routine) in [(Select::All, "gvd"), (Select::Indices { first: 0, last: 0 }, "gvx")] {
        for vectors in [true, false] {
            let options = EighOptions { vectors, ..EighOptions::default() };
            let error = eigh_generalised(a.view(), b.view(), Problem::First, select, options).unwrap_err();
            assert_eq!(error.code(), Code::NotPositiveDefinite);
            assert!(error.summary().contains("b is not positive definite: diagonal element 2 is -1"), "{error}");
            assert!(error.report().contains("minor: 3 of 3"), "{}", error.report());
            assert_eq!(error.argument_at_fault().unwrap().position, Some(1));
            assert!(error.routine().unwrap().ends_with(routine) && error.info() == Some(6));
            assert!(error.fixes().iter().any(|fix| fix.text.contains("eig(a, b)")));
        }
    }
}

#[test]
fn an_indefinite_b_is_named_with_its_minor() {
    for_each_scalar!(indefinite);
}

#[test]
fn selections_that_no_matrix_can_meet_are_refused_in_words() {
    let a = Matrix::<f64>::zeros(3, 3);
    let refused = |select| eigh_subset(a.view(), select, EighOptions::default()).unwrap_err();
    for (first, last) in [(0, 3), (2, 1), (7, 7)] {
        let error = refused(Select::Indices { first, last });
        assert_eq!(error.code(), Code::BadOption);
        assert!(error.summary().contains("in order from 0 to 2"), "{error}");
    }
    for (above, up_to) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
        let error = refused(Select::Values { above, up_to });
        assert_eq!(error.code(), Code::BadOption);
        assert!(error.summary().contains("the smaller one first"), "{error}");
    }
}

#[test]
fn an_interval_below_the_precision_of_the_type_holds_nothing() {
    let a = Matrix::from_fn(2, 2, |i, j| if i == j { 1.0_f32 } else { 0.0 });
    let select = Select::Values { above: 1.0, up_to: 1.0 + 1e-12 };
    assert!(eigh_subset(a.view(), select, EighOptions::default()).unwrap().eigenvalues.is_empty());
}

#[test]
fn nan_is_said_of_the_matrix_that_has_it() {
    let good = Matrix::from_fn(3, 3, |i, j| f64::from(u8::from(i == j)));
    let bad = Matrix::from_fn(3, 3, |i, j| if (i, j) == (2, 1) { f64::NAN } else { f64::from(u8::from(i == j)) });
    let run = |a: &Matrix<f64>, b: &Matrix<f64>, lower| {
        let options = EighOptions { lower, ..EighOptions::default() };
        eigh_generalised(a.view(), b.view(), Problem::First, Select::All, options)
    };
    for (a, b, name) in [(&bad, &good, "a has NaN at row 2, column 1"), (&good, &bad, "b has NaN at row 2, column 1")] {
        let error = run(a, b, true).unwrap_err();
        assert_eq!(error.code(), Code::NonFinite);
        assert!(error.summary().contains(name), "{error}");
        run(a, b, false).unwrap();
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused_and_empty_ones_are_not() {
    let (two, three) = (Matrix::<f64>::zeros(2, 2), Matrix::<f64>::zeros(3, 3));
    let options = EighOptions::default();
    let error = eigh_generalised(two.view(), three.view(), Problem::First, Select::All, options).unwrap_err();
    assert_eq!(error.code(), Code::ShapeMismatch);
    let none = Matrix::<f64>::zeros(0, 0);
    let empty = eigh_generalised(none.view(), none.view(), Problem::First, Select::All, options).unwrap();
    assert!(empty.eigenvalues.is_empty());
    let everything = Select::Values { above: 0.0, up_to: 1.0 };
    assert!(eigh_subset(none.view(), everything, options).unwrap().eigenvalues.is_empty());
}

#[test]
fn a_batch_tells_how_many_each_matrix_has_and_lists_every_b_that_failed() {
    let (n, count) = (4, 50);
    let square = |diagonal: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        let element = |k: usize| if k / n % n == k % n { diagonal(k / (n * n), k % n) } else { 0.0 };
        (0..count * n * n).map(element).collect()
    };
    let a = square(&|matrix, i| if i < matrix % (n + 1) { 1.0 } else { -1.0 });
    let run = |b: &[f64]| {
        let (mut w, mut v) = (Matrix::<f64>::zeros(n, count), Matrix::<f64>::zeros(n, n * count));
        // SAFETY: `count` columns of n elements, and `count` squares of n x n, behind each other.
        let stack = |m: &mut Matrix<f64>, cols: usize| unsafe {
            let first = lapack_ai::MatrixViewMut::from_raw(m.view_mut().as_mut_ptr(), n, cols, 1, n as isize);
            lapack_ai::BatchViewMut::from_raw(first, &[count], &[(n * cols) as isize])
        };
        let out = EighOut { eigenvalues: stack(&mut w, 1), eigenvectors: Some(stack(&mut v, n)) };
        let (a, b) = (common::batch_of(&a, count, n, n), common::batch_of(b, count, n, n));
        let select = Select::Values { above: 0.0, up_to: 9.0 };
        eigh_generalised_into(a.into(), b.into(), Problem::First, select, out, EighOptions::default())
    };
    let (report, found) = run(&square(&|_, _| 1.0)).unwrap();
    assert_eq!((report.batch, report.copies), (count, 2));
    assert_eq!(found, (0..count).map(|matrix| matrix % (n + 1)).collect::<Vec<_>>());
    let error = run(&square(&|matrix, _| if matrix % 20 == 3 { -1.0 } else { 1.0 })).unwrap_err();
    assert_eq!((error.code(), error.failed()), (Code::NotPositiveDefinite, &[3, 23, 43][..]));
}
