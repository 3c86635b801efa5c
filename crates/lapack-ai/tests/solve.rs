//! Linear systems against LAPACK's test ratios, and how well their conditioning is known.

mod common;

use common::{Dense, Random, check, every_way, hermitian_part, positive_definite, ratio, special};
use lapack_ai::{
    BatchView, BatchViewMut, CallOptions, Code, Failures, Matrix, MatrixView, RcondSource, Scalar, SolveOptions,
    Structure, num_threads, set_num_threads, solve, solve_into,
};

/// `norm(B - A X) / (norm(A) norm(X) n eps)`.
fn residual<T: Scalar>(a: &Dense, x: &Dense, b: &Dense) -> f64 {
    let scale = if a.norm1() > 1e200 { 2.0_f64.powi(-400) } else { 1.0 };
    let (a, b) = (a.scaled(scale), b.scaled(scale));
    ratio::<T>(&b.minus(&a.times(x)), a.norm1() * x.norm1(), a.rows)
}

fn random_systems<T: Scalar>() {
    let mut random = Random::new(2);
    for n in [1, 2, 3, 4, 7, 8, 9, 20, 33, 50] {
        for nrhs in [1, 2, 5] {
            let (data, rhs): (Vec<T>, Vec<T>) = (random.matrix(n, n), random.matrix(n, nrhs));
            for stored in every_way(&data, n, n) {
                for stored_b in every_way(&rhs, n, nrhs) {
                    let (a, b) = (stored.view(), stored_b.view());
                    let solution = solve(a, b, SolveOptions::default()).unwrap();
                    let what = format!("{n} x {n}, {nrhs} rhs, {}, b {}", stored.name, stored_b.name);
                    check(&what, residual::<T>(&Dense::of(a), &Dense::of(solution.x.view()), &Dense::of(b)));
                    assert!(solution.report.rcond.unwrap() > 0.0);
                }
            }
        }
    }
}

#[test]
fn random_systems_meet_lapacks_ratio_in_every_layout() {
    for_each_scalar!(random_systems);
}

fn special_systems<T: Scalar>() {
    let mut random = Random::new(5);
    for n in [2, 5, 8, 9, 30] {
        for (name, data) in special::<T>(n) {
            let a = MatrixView::row_major(&data, n, n).unwrap();
            let rhs: Vec<T> = random.matrix::<T>(n, 1);
            // Near the ends of the range the right-hand side is of A's size, so that X is representable.
            let size = Dense::of(a).norm1();
            let extreme = name == "denormal" || name == "near overflow";
            let factor = if extreme { T::from_real(size / n as f64) } else { T::ONE };
            let rhs: Vec<T> = rhs.iter().map(|x| x.mul(factor)).collect();
            let b = MatrixView::col_major(&rhs, n, 1).unwrap();
            match solve(a, b, SolveOptions::default()) {
                Err(error) => {
                    assert_eq!(error.code(), Code::Singular, "{name}, n = {n}: {error}");
                    assert!(matches!(name, "zero" | "rank one" | "all ones"), "{name} was called singular");
                }
                Ok(solution) => {
                    assert!(name != "zero" && name != "all ones", "{name} was solved");
                    let x = Dense::of(solution.x.view());
                    let warned = solution.report.warnings.iter().any(|warning| warning.code() == Code::IllConditioned);
                    if x.norm1().is_finite() && name != "denormal" {
                        // Wilkinson's matrix is the one on which partial pivoting loses 2^(n-1).
                        let growth = if name == "wilkinson" { 2.0_f64.powi(n as i32 - 1) } else { 1.0 };
                        check(&format!("{name}, n = {n}"), residual::<T>(&Dense::of(a), &x, &Dense::of(b)) / growth);
                    }
                    if matches!(name, "rank one") && n > 2 {
                        assert!(warned, "{name}, n = {n}: rcond {:?}", solution.report.rcond);
                    }
                    if matches!(name, "random" | "identity" | "orthogonal") {
                        assert!(!warned, "{name}, n = {n}: rcond {:?}", solution.report.rcond);
                    }
                }
            }
        }
    }
}

#[test]
fn special_systems_are_solved_or_refused_as_they_deserve() {
    for_each_scalar!(special_systems);
}

/// The triangle that is not read is filled with NaN.
fn one_triangle<T: Scalar>(data: &[T], n: usize, lower: bool) -> Vec<T> {
    let read = |k: usize| if lower { k / n >= k % n } else { k / n <= k % n };
    (0..n * n).map(|k| if read(k) { data[k] } else { T::from_real(f64::NAN) }).collect()
}

fn structured_systems<T: Scalar>() {
    let mut random = Random::new(8);
    for n in [1, 2, 9, 24, 40] {
        let general: Vec<T> = random.matrix(n, n);
        let hermitian = hermitian_part(&general, n);
        let symmetric: Vec<T> = (0..n * n).map(|k| general[k].add(general[(k % n) * n + k / n])).collect();
        let definite: Vec<T> = positive_definite(&mut random, n);
        let shifted: Vec<T> = (0..n * n)
            .map(|k| if k / n == k % n { general[k].add(T::from_real(2.0 * n as f64)) } else { general[k] })
            .collect();
        let triangle = |lower: bool| -> Vec<T> {
            let kept = |k: usize| if lower { k / n >= k % n } else { k / n <= k % n };
            (0..n * n).map(|k| if kept(k) { shifted[k] } else { T::ZERO }).collect()
        };
        let diagonal: Vec<T> = (0..n * n).map(|k| if k / n == k % n { shifted[k] } else { T::ZERO }).collect();
        let rhs: Vec<T> = random.matrix(n, 3);
        let b = MatrixView::row_major(&rhs, n, 3).unwrap();
        let cases = [
            (Structure::Symmetric, true, symmetric.clone()),
            (Structure::Symmetric, false, symmetric),
            (Structure::Hermitian, true, hermitian.clone()),
            (Structure::Hermitian, false, hermitian),
            (Structure::PositiveDefinite, true, definite.clone()),
            (Structure::PositiveDefinite, false, definite),
            (Structure::LowerTriangular, true, triangle(true)),
            (Structure::UpperTriangular, false, triangle(false)),
            (Structure::Diagonal, true, diagonal),
        ];
        for (structure, lower, data) in cases {
            let mut read = one_triangle(&data, n, lower);
            if structure == Structure::Diagonal {
                let off_diagonal = |k: usize| k / n != k % n;
                (0..n * n).filter(|&k| off_diagonal(k)).for_each(|k| read[k] = T::from_real(f64::NAN));
            }
            for stored in every_way(&read, n, n) {
                let options = SolveOptions { structure, lower, ..SolveOptions::default() };
                let solution = solve(stored.view(), b, options).unwrap();
                let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
                let what = format!("{structure:?}, lower {lower}, n = {n}, {}, {}", stored.name, T::DTYPE.name());
                check(&what, residual::<T>(&a, &Dense::of(solution.x.view()), &Dense::of(b)));
            }
        }
    }
}

#[test]
fn structured_systems_meet_lapacks_ratio_and_read_one_triangle_only() {
    for_each_scalar!(structured_systems);
}

#[test]
fn an_exactly_singular_matrix_is_refused_with_its_pivot() {
    for n in [3, 12] {
        // Column 1 is zero.
        let data: Vec<f64> = (0..n * n).map(|k| if k % n == 1 { 0.0 } else { ((k * k) % 17) as f64 + 1.0 }).collect();
        let b = vec![1.0; n];
        let error = solve(
            MatrixView::row_major(&data, n, n).unwrap(),
            MatrixView::col_major(&b, n, 1).unwrap(),
            SolveOptions::default(),
        )
        .unwrap_err();
        assert_eq!((error.code(), error.rcond()), (Code::Singular, Some(0.0)));
        assert_eq!(error.routine(), Some("dgetrf"));
        assert!(error.report().contains("is exactly 0"), "{}", error.report());
    }
}

#[test]
fn a_matrix_that_is_not_positive_definite_is_refused_with_its_minor() {
    let data = [1.0, 2.0, 2.0, 1.0];
    let options = SolveOptions { structure: Structure::PositiveDefinite, ..SolveOptions::default() };
    let b = MatrixView::col_major(&[1.0, 1.0], 2, 1).unwrap();
    let error = solve(MatrixView::row_major(&data, 2, 2).unwrap(), b, options).unwrap_err();
    assert_eq!((error.code(), error.info()), (Code::NotPositiveDefinite, Some(2)));
    assert!(error.fixes()[0].text.contains("assume_a='sym'"), "{error}");
}

/// A matrix of order n with condition number about `1 / rcond`, with two nearly equal rows or columns.
fn nearly_singular(n: usize, rcond: f64, rows: bool, random: &mut Random) -> Vec<f64> {
    let mut a: Vec<f64> = random.matrix(n, n);
    for i in 0..n {
        let (from, to) = if rows { (i, n + i) } else { (i * n, i * n + 1) };
        a[to] = a[from] + rcond * random.real();
    }
    a
}

#[test]
fn nearly_equal_rows_and_columns_are_never_missed() {
    let mut random = Random::new(11);
    for n in [2, 4, 8, 9, 16, 40] {
        for rows in [true, false] {
            for _ in 0..200 {
                let data = nearly_singular(n, 1e-17, rows, &mut random);
                let b = vec![1.0; n];
                let (a, b) = (MatrixView::row_major(&data, n, n).unwrap(), MatrixView::col_major(&b, n, 1).unwrap());
                match solve(a, b, SolveOptions::default()) {
                    Err(error) => assert_eq!(error.code(), Code::Singular),
                    Ok(solution) => {
                        let report = solution.report;
                        assert!(!report.warnings.is_empty(), "n = {n}, rows {rows}: rcond {:?}", report.rcond);
                        assert_eq!(report.rcond_source, Some(RcondSource::Estimator));
                    }
                }
            }
        }
    }
}

#[test]
fn the_estimate_of_rcond_follows_the_truth_within_the_stated_spread() {
    let mut random = Random::new(12);
    for n in [4, 8, 9, 30] {
        for exponent in [2, 4, 6, 9, 12] {
            let data = nearly_singular(n, 0.1_f64.powi(exponent), true, &mut random);
            let a = MatrixView::row_major(&data, n, n).unwrap();
            let b = vec![1.0; n];
            let estimate = solve(a, MatrixView::col_major(&b, n, 1).unwrap(), SolveOptions::default()).unwrap();
            let exact = lapack_ai::svd(a, lapack_ai::SvdOptions::default()).unwrap().report.rcond.unwrap();
            let estimate = estimate.report.rcond.unwrap();
            // The 1-norm and the 2-norm differ by at most n each way; the probe adds its own spread.
            let spread = 10.0 * (n * n) as f64;
            assert!(estimate < exact * spread && estimate > exact / spread, "n = {n}: {estimate:e} for {exact:e}");
        }
    }
}

#[test]
fn well_conditioned_systems_never_pay_for_the_estimator() {
    let mut random = Random::new(13);
    for n in [4, 30] {
        for _ in 0..200 {
            let data: Vec<f64> = random.matrix(n, n);
            let data: Vec<f64> =
                (0..n * n).map(|k| if k / n == k % n { data[k] + n as f64 } else { data[k] }).collect();
            let b = vec![1.0; n];
            let (a, b) = (MatrixView::row_major(&data, n, n).unwrap(), MatrixView::col_major(&b, n, 1).unwrap());
            let report = solve(a, b, SolveOptions::default()).unwrap().report;
            assert_ne!(report.rcond_source, Some(RcondSource::Estimator));
            assert!(report.warnings.is_empty());
        }
    }
}

fn batches<T: Scalar>() {
    let mut random = Random::new(4);
    for (count, n) in [(3, 2), (500, 4), (200, 12), (40, 40)] {
        let (data, rhs): (Vec<T>, Vec<T>) = (random.matrix(count * n, n), random.matrix(count * n, 2));
        let mut x = vec![T::ZERO; count * n * 2];
        let a = common::batch_of(&data, count, n, n);
        let b = common::batch_of(&rhs, count, n, 2);
        let report = {
            // SAFETY: `count` column-major n x 2 matrices, one after the other.
            let mut out = unsafe {
                let first = lapack_ai::MatrixViewMut::from_raw(x.as_mut_ptr(), n, 2, 1, n as isize);
                lapack_ai::BatchViewMut::from_raw(first, &[count], &[2 * n as isize])
            };
            solve_into(a.clone().into(), &b, &mut out, SolveOptions::default()).unwrap()
        };
        // A library may compute otherwise with more threads, and beside other workers it is held to one.
        let threads = num_threads().unwrap();
        set_num_threads(if report.workers > 1 { 1 } else { threads }).unwrap();
        for index in 0..count {
            let single = solve(a.matrix(index), b.matrix(index), SolveOptions::default()).unwrap();
            assert_eq!(single.x.as_slice(), &x[index * 2 * n..(index + 1) * 2 * n], "the same bits as a single call");
        }
        set_num_threads(threads).unwrap();
    }
}

#[test]
fn batches_give_the_same_bits_as_single_calls() {
    for_each_scalar!(batches);
}

#[test]
fn one_matrix_serves_a_batch_of_right_hand_sides_and_the_failed_members_are_listed() {
    let a = [2.0, 0.0, 0.0, 4.0];
    let rhs = [2.0, 4.0, 4.0, 8.0, 6.0, 12.0];
    let b = BatchView::row_major(&rhs, 3, 2, 1).unwrap();
    let mut x = [0.0; 6];
    // SAFETY: three vectors of two elements.
    let mut out = unsafe {
        let first = lapack_ai::MatrixViewMut::from_raw(x.as_mut_ptr(), 2, 1, 1, 2);
        lapack_ai::BatchViewMut::from_raw(first, &[3], &[2])
    };
    solve_into(MatrixView::row_major(&a, 2, 2).unwrap().into(), &b, &mut out, SolveOptions::default()).unwrap();
    drop(out);
    assert_eq!(x, [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);

    let batch = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let a = BatchView::row_major(&batch, 3, 2, 2).unwrap();
    // SAFETY: as above.
    let mut out = unsafe {
        let first = lapack_ai::MatrixViewMut::from_raw(x.as_mut_ptr(), 2, 1, 1, 2);
        lapack_ai::BatchViewMut::from_raw(first, &[3], &[2])
    };
    let error = solve_into(a.into(), &b, &mut out, SolveOptions::default()).unwrap_err();
    assert_eq!((error.matrix(), error.failed()), (Some(0), &[0, 2][..]));
    assert!(error.summary().contains("(matrix 0 and 1 more of 3)"), "{error}");
}

#[test]
fn shapes_that_do_not_fit_are_refused_with_both_numbers() {
    let mut x = Matrix::<f64>::zeros(3, 1);
    let (a, b) = (Matrix::<f64>::zeros(2, 2), Matrix::<f64>::zeros(3, 1));
    let error =
        solve_into(a.view().into(), &b.view().into(), &mut x.view_mut().into(), SolveOptions::default()).unwrap_err();
    assert!(error.summary().contains("a is 2 x 2, so b needs 2 rows; it is 3 x 1"), "{error}");
    let wide = Matrix::<f64>::zeros(2, 3);
    let error = solve(wide.view(), b.view(), SolveOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::NotSquare);
    assert!(error.to_string().contains("use lstsq"), "{error}");
}

#[test]
fn equilibration_mends_what_units_spoil_and_a_safe_fix_does_it_by_itself() {
    let n = 9;
    let unit = |i: usize| 10.0_f64.powi([0, -9, 7, 3, -4, 9, -7, 2, 5][i]);
    let core = |i: usize, j: usize| if i == j { 5.0 } else { 1.0 / (1.0 + (i * 3 + j * 7) as f64 % 11.0) };
    let a = Matrix::from_fn(n, n, |i, j| unit(i) * core(i, j));
    let b = Matrix::from_fn(n, 1, |i, _| unit(i) * (0..n).map(|j| core(i, j)).sum::<f64>());
    let plain = solve(a.view(), b.view(), SolveOptions::default()).unwrap();
    assert!(plain.report.warnings.iter().any(|warning| warning.code() == Code::IllConditioned));
    let options = SolveOptions { equilibrate: true, ..SolveOptions::default() };
    let scaled = solve(a.view(), b.view(), options).unwrap();
    assert!(scaled.report.rcond.unwrap() > 1e-2 && scaled.report.warnings.is_empty(), "{:?}", scaled.report);
    assert!(scaled.x.as_slice().iter().all(|x| (x - 1.0).abs() < 1e-14 / scaled.report.rcond.unwrap()));
    let call = CallOptions { autofix: true, ..CallOptions::default() };
    let fixed = solve(a.view(), b.view(), SolveOptions { call, ..SolveOptions::default() }).unwrap();
    assert_eq!(fixed.x.as_slice(), scaled.x.as_slice());
    let codes: Vec<Code> = fixed.report.warnings.iter().map(|warning| warning.code()).collect();
    assert_eq!(codes, [Code::FixApplied]);
}

#[test]
fn failures_that_are_collected_leave_nan_and_the_results_of_the_others() {
    let data = [2.0, 0.0, 0.0, 2.0, 1.0, 1.0, 1.0, 1.0, 4.0, 0.0, 0.0, 4.0];
    let (b, mut x) = ([8.0; 6], [0.0; 6]);
    let a = BatchView::row_major(&data, 3, 2, 2).unwrap();
    let call = CallOptions { failures: Failures::Collect, ..CallOptions::default() };
    let report = solve_into(
        a.into(),
        &BatchView::row_major(&b, 3, 2, 1).unwrap(),
        &mut BatchViewMut::col_major(&mut x, 3, 2, 1).unwrap(),
        SolveOptions { call, ..SolveOptions::default() },
    )
    .unwrap();
    assert_eq!(report.failures.len(), 1);
    assert_eq!((report.failures[0].code(), report.failures[0].matrix()), (Code::Singular, Some(1)));
    assert!(report.warnings.is_empty());
    assert_eq!((&x[..2], &x[4..]), (&[4.0, 4.0][..], &[2.0, 2.0][..]));
    assert!(x[2..4].iter().all(|x| x.is_nan()));
}
