//! General eigenproblems, of one matrix and of pairs, against LAPACK's test ratios and known spectra.

mod common;

use common::{Dense, Random, batch_of, check, every_way, is_mkl, ratio, special};
use lapack_ai::{
    Code, Complex64, Eig, EigOptions, EigOut, GeneralisedEig, Matrix, MatrixView, Operand, Real, Scalar, eig,
    eig_generalised, eig_into,
};

const BOTH: EigOptions = EigOptions {
    left: true,
    right: true,
    quotients: false,
    call: lapack_ai::CallOptions {
        check_finite: true,
        device: lapack_ai::Device::Auto,
        precision: None,
        timed: false,
        failures: lapack_ai::Failures::Raise,
        autofix: false,
    },
};

fn diagonal(values: &[Complex64]) -> Dense {
    let n = values.len();
    Dense::from_fn(n, n, |i, j| if i == j { values[i] } else { Complex64::new(0.0, 0.0) })
}

fn widened<C: Scalar>(values: &[C], scale: f64) -> Vec<Complex64> {
    values.iter().map(|value| value.to_complex128() * scale).collect()
}

fn has_unit_columns<T: Scalar>(what: &str, v: &Dense) {
    for j in 0..v.cols {
        let length = (0..v.rows).map(|i| v.at(i, j).norm_sqr()).sum::<f64>().sqrt();
        check(&format!("{what}, length of column {j}"), (length - 1.0).abs() / (v.rows as f64 * T::Real::EPSILON));
    }
}

/// `norm(A V - V W)` and `norm(U^H A - W U^H)` in units of `n eps norm(A)`, and columns of length 1.
fn verify<T: Scalar>(what: &str, a: &Dense, result: &Eig<T>) {
    let what = format!("{what}, n = {} {}", a.rows, T::DTYPE.name());
    let scale = if a.norm1() > 1e200 { 2.0_f64.powi(-200) } else { 1.0 };
    let (a, w) = (a.scaled(scale), diagonal(&widened(&result.eigenvalues, scale)));
    let (v, u) = (Dense::of(result.right.view()), Dense::of(result.left.view()));
    let right = a.times(&v).minus(&v.times(&w));
    check(&format!("{what}, A V - V W"), ratio::<T>(&right, a.norm1(), a.rows));
    let left = u.adjoint().times(&a).minus(&w.times(&u.adjoint()));
    check(&format!("{what}, U^H A - W U^H"), ratio::<T>(&left.adjoint(), a.norm1(), a.rows));
    has_unit_columns::<T>(&what, &v);
    has_unit_columns::<T>(&what, &u);
}

fn random_and_special<T: Scalar>() {
    let mut random = Random::new(31);
    for n in [1, 2, 3, 8, 20] {
        let mut cases = special::<T>(n);
        cases.push(("another random", random.matrix(n, n)));
        for (name, data) in cases {
            if name == "all ones" && is_mkl() {
                continue;
            }
            let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
            let mut first: Option<Eig<T>> = None;
            for stored in every_way(&data, n, n) {
                let what = format!("{name}, {}", stored.name);
                let result = eig(stored.view(), BOTH).unwrap();
                verify(&what, &a, &result);
                if let Some(first) = &first {
                    assert_eq!(first.eigenvalues, result.eigenvalues, "{what}: depends on the layout");
                    assert_eq!(first.right, result.right, "{what}: depends on the layout");
                }
                first.get_or_insert(result);
                let values = eig(stored.view(), EigOptions { right: false, ..EigOptions::default() }).unwrap();
                assert!(values.right.as_slice().is_empty() && values.left.as_slice().is_empty());
                let scale = if a.norm1() > 1e200 { 2.0_f64.powi(-200) } else { 1.0 };
                let sum: Complex64 = widened(&values.eigenvalues, scale).iter().sum();
                let trace: Complex64 = (0..n).map(|i| a.at(i, i) * scale).sum();
                let difference = Dense::from_fn(1, 1, |_, _| sum - trace);
                check(&format!("{what}, trace"), ratio::<T>(&difference, a.norm1() * scale, n));
            }
        }
    }
}

#[test]
fn random_and_special_matrices_meet_lapacks_ratios_in_every_layout_alike() {
    for_each_scalar!(random_and_special);
}

fn roots_of_unity<T: Scalar>() {
    for n in [2, 5, 12, 40] {
        // The companion matrix of x^n - 1, which is a permutation and so normal.
        let a: Matrix<T> = Matrix::from_fn(n, n, |i, j| if i == (j + 1) % n { T::ONE } else { T::ZERO });
        let result = eig(a.view(), EigOptions::default()).unwrap();
        for k in 0..n {
            let root = Complex64::from_polar(1.0, 2.0 * std::f64::consts::PI * k as f64 / n as f64);
            let nearest = result.eigenvalues.iter().map(|w| (w.to_complex128() - root).norm()).fold(f64::MAX, f64::min);
            check("a root of unity", nearest / (n as f64 * T::Real::EPSILON));
        }
    }
}

#[test]
fn the_eigenvalues_of_a_companion_matrix_are_the_roots() {
    for_each_scalar!(roots_of_unity);
}

#[test]
fn the_vectors_of_a_normal_matrix_are_orthonormal() {
    let n = 9;
    let a = Matrix::from_fn(n, n, |i, j| if i == (j + 1) % n { 1.0_f64 } else { 0.0 });
    let result = eig(a.view(), EigOptions::default()).unwrap();
    check("V of a permutation", Dense::of(result.right.view()).orthogonality::<f64>());
}

#[test]
fn a_defective_matrix_has_its_eigenvalue_and_parallel_vectors() {
    let n = 4;
    let block = Matrix::from_fn(n, n, |i, j| if i == j { 3.0_f64 } else { f64::from(u8::from(j == i + 1)) });
    let result = eig(block.view(), BOTH).unwrap();
    assert!(result.eigenvalues.iter().all(|w| *w == Complex64::new(3.0, 0.0)), "{:?}", result.eigenvalues);
    verify("Jordan block", &Dense::of(block.view()), &result);
    let first = Dense::of(result.right.view());
    assert!((0..n).all(|j| (first.at(0, j).norm() - 1.0).abs() < 1e-12), "all vectors are e_1 up to sign");
}

#[test]
fn complex_eigenvalues_of_a_real_matrix_come_as_neighbouring_conjugates() {
    let data: Vec<f64> = Random::new(8).matrix(15, 15);
    let result = eig(MatrixView::row_major(&data, 15, 15).unwrap(), EigOptions::default()).unwrap();
    let w = &result.eigenvalues;
    let mut j = 0;
    let mut pairs = 0;
    while j < 15 {
        if w[j].im == 0.0 {
            j += 1;
            continue;
        }
        assert_eq!(w[j], w[j + 1].conj());
        assert!(w[j].im > 0.0);
        assert!((0..15).all(|i| result.right.get(i, j) == result.right.get(i, j + 1).conj()));
        pairs += 1;
        j += 2;
    }
    assert!(pairs > 0, "a random matrix of order 15 has complex eigenvalues");
}

#[test]
fn a_batch_gives_the_bits_of_single_calls_and_lists_every_matrix_that_failed() {
    let (n, count) = (6, 300);
    let mut data: Vec<f64> = Random::new(3).matrix(count * n, n);
    let run = |data: &[f64]| {
        let [mut w, mut wi] = [Matrix::zeros(n, count), Matrix::zeros(n, count)];
        let mut v = Matrix::zeros(n, n * count);
        // SAFETY: `count` columns of n elements, and `count` squares of n x n, behind each other.
        let stack = |m: &mut Matrix<f64>, cols: usize| unsafe {
            let first = lapack_ai::MatrixViewMut::from_raw(m.view_mut().as_mut_ptr(), n, cols, 1, n as isize);
            lapack_ai::BatchViewMut::from_raw(first, &[count], &[(n * cols) as isize])
        };
        let out = EigOut {
            eigenvalues: stack(&mut w, 1),
            imaginary: Some(stack(&mut wi, 1)),
            left: None,
            right: Some(stack(&mut v, n)),
        };
        let outcome = eig_into(batch_of(data, count, n, n).into(), out, EigOptions::default());
        (outcome, w, wi)
    };
    let (outcome, w, wi) = run(&data);
    assert_eq!(outcome.unwrap().batch, count);
    for (k, matrix) in data.chunks(n * n).enumerate() {
        let alone = eig(MatrixView::row_major(matrix, n, n).unwrap(), EigOptions::default()).unwrap();
        for (i, value) in alone.eigenvalues.iter().enumerate() {
            assert_eq!((value.re, value.im), (w.get(i, k), wi.get(i, k)), "matrix {k}");
        }
    }
    data[7 * n * n + 8] = f64::NAN;
    data[250 * n * n] = f64::INFINITY;
    let error = run(&data).0.unwrap_err();
    assert_eq!((error.code(), error.failed()), (Code::NonFinite, &[7, 250][..]));
    assert!(error.summary().contains("row 1, column 2"), "{error}");
}

#[test]
fn overwriting_a_column_major_matrix_makes_no_copy_and_gives_the_same_bits() {
    let data: Vec<f64> = Random::new(5).matrix(30, 30);
    let mut a = Matrix::from_fn(30, 30, |i, j| data[i * 30 + j]);
    let expected = eig(a.view(), EigOptions::default()).unwrap();
    let [mut w, mut wi, mut v] = [Matrix::zeros(30, 1), Matrix::zeros(30, 1), Matrix::zeros(30, 30)];
    let out = EigOut {
        eigenvalues: w.view_mut().into(),
        imaginary: Some(wi.view_mut().into()),
        left: None,
        right: Some(v.view_mut().into()),
    };
    let mut input: lapack_ai::BatchViewMut<'_, f64> = a.view_mut().into();
    let report = eig_into(Operand::overwritable(&mut input), out, EigOptions::default()).unwrap();
    assert_eq!((report.copies, expected.report.copies), (0, 1));
    assert!(expected.eigenvalues.iter().enumerate().all(|(i, value)| value.re == w.get(i, 0)));
}

#[test]
fn nan_is_refused_with_its_place_even_if_the_check_is_switched_off() {
    let mut data = vec![1.0_f64; 9];
    data[5] = f64::NAN;
    let a = MatrixView::row_major(&data, 3, 3).unwrap();
    let mut options = EigOptions::default();
    options.call.check_finite = false;
    let error = eig(a, options).unwrap_err();
    assert_eq!(error.code(), Code::NonFinite);
    assert!(error.summary().contains("a has NaN at row 1, column 2"), "{error}");
}

#[test]
fn a_rectangular_matrix_is_refused_and_an_empty_one_is_not() {
    let error = eig(MatrixView::row_major(&[0.0; 6], 2, 3).unwrap(), EigOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::NotSquare);
    let empty = MatrixView::<f64>::row_major(&[], 0, 0).unwrap();
    assert!(eig(empty, BOTH).unwrap().eigenvalues.is_empty());
    assert!(eig_generalised(empty, empty, BOTH).unwrap().eigenvalues.is_empty());
}

/// `norm(A V beta - B V alpha)`, and the same from the left, in units of `n eps (norm(A) beta + norm(B) abs(alpha))`.
fn verify_pair<T: Scalar>(what: &str, a: &Dense, b: &Dense, result: &GeneralisedEig<T>) {
    let what = format!("{what}, n = {} {}", a.rows, T::DTYPE.name());
    let n = a.rows;
    let alpha = widened(&result.alpha, 1.0);
    let beta: Vec<Complex64> = result.beta.iter().map(|&value| Complex64::new(value.into(), 0.0)).collect();
    let largest = |values: &[Complex64]| values.iter().map(|value| value.norm()).fold(0.0, f64::max);
    let size = a.norm1() * largest(&beta) + b.norm1() * largest(&alpha);
    let (alpha, beta) = (diagonal(&alpha), diagonal(&beta));
    let (v, u) = (Dense::of(result.right.view()), Dense::of(result.left.view()));
    let right = a.times(&v).times(&beta).minus(&b.times(&v).times(&alpha));
    check(&format!("{what}, A V beta - B V alpha"), ratio::<T>(&right, size, n));
    let left = beta.times(&u.adjoint()).times(a).minus(&alpha.times(&u.adjoint()).times(b));
    check(&format!("{what}, beta U^H A - alpha U^H B"), ratio::<T>(&left.adjoint(), size, n));
    has_unit_columns::<T>(&what, &v);
    has_unit_columns::<T>(&what, &u);
}

fn pairs<T: Scalar>() {
    let mut random = Random::new(17);
    for n in [1, 2, 3, 8, 20] {
        let (a_data, b_data): (Vec<T>, Vec<T>) = (random.matrix(n, n), random.matrix(n, n));
        let a = Dense::of(MatrixView::row_major(&a_data, n, n).unwrap());
        let b = Dense::of(MatrixView::row_major(&b_data, n, n).unwrap());
        let (a_ways, b_ways) = (every_way(&a_data, n, n), every_way(&b_data, n, n));
        for (a_stored, b_stored) in a_ways.iter().zip(b_ways.iter().cycle().skip(1)) {
            let what = format!("{} and {}", a_stored.name, b_stored.name);
            verify_pair(&what, &a, &b, &eig_generalised(a_stored.view(), b_stored.view(), BOTH).unwrap());
        }
    }
}

#[test]
fn pairs_of_matrices_meet_the_ratios_in_every_layout() {
    for_each_scalar!(pairs);
}

fn diagonal_pair<T: Scalar>() {
    let square = |d: [f64; 3]| Matrix::from_fn(3, 3, |i, j| T::from_real(if i == j { d[i] } else { 0.0 }));
    let (a, b) = (square([6.0, 1.0, 0.0]), square([2.0, 0.0, 0.0]));
    let result = eig_generalised(a.view(), b.view(), BOTH).unwrap();
    let w = widened(&result.eigenvalues, 1.0);
    assert!((w[0] - Complex64::new(3.0, 0.0)).norm() <= 4.0 * T::Real::EPSILON, "{w:?}");
    assert!(w[1].re == f64::INFINITY && w[1].im == 0.0, "{w:?}");
    assert!(w[2].re.is_nan() && result.beta[2].into() == 0.0, "{w:?}");
}

#[test]
fn a_singular_b_gives_an_infinite_eigenvalue_and_a_common_null_vector_nan() {
    for_each_scalar!(diagonal_pair);
}

#[test]
fn what_is_wrong_with_b_is_said_of_b() {
    let good = MatrixView::row_major(&[1.0_f64, 0.0, 0.0, 1.0], 2, 2).unwrap();
    let bad = MatrixView::row_major(&[1.0, 0.0, f64::INFINITY, 1.0], 2, 2).unwrap();
    let error = eig_generalised(good, bad, EigOptions::default()).unwrap_err();
    let argument = error.argument_at_fault().unwrap();
    assert_eq!((error.code(), argument.name, argument.position), (Code::NonFinite, "b", Some(1)));
    let three = Matrix::<f64>::zeros(3, 3);
    let error = eig_generalised(good, three.view(), EigOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::ShapeMismatch);
    assert!(error.summary().contains("b must be 2 x 2 like a, not 3 x 3"), "{error}");
}
