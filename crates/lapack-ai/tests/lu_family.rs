//! Inverses, determinants, LU and Cholesky factors and what is solved with them, against LAPACK's test ratios.

mod common;

use common::{Dense, Random, batch_of, check, every_way, positive_definite, ratio, special};
use lapack_ai::{
    BatchView, BatchViewMut, CallOptions, CholeskyUpdateOptions, Code, Complex64, LuRows, MatrixView, MatrixViewMut,
    Norm, RcondSource, Real, Scalar, Transpose, TriangularOptions, cho_solve, cholesky, cholesky_update, det, inv,
    inv_into, lu, lu_factor, lu_solve, lu_solve_into, rcond, slogdet, solve_triangular,
};

const SIZES: [usize; 9] = [1, 2, 3, 4, 7, 8, 9, 20, 40];

fn options() -> CallOptions {
    CallOptions::default()
}

/// Room for `count` column-major matrices one after the other.
fn batch_out<T: Scalar>(data: &mut [T], count: usize, rows: usize, cols: usize) -> BatchViewMut<'_, T> {
    assert_eq!(data.len(), count * rows * cols);
    // SAFETY: the slice holds exactly these elements.
    unsafe {
        let first = MatrixViewMut::from_raw(data.as_mut_ptr(), rows, cols, 1, rows as isize);
        BatchViewMut::from_raw(first, &[count], &[(rows * cols) as isize])
    }
}

/// `norm(I - A X) / (n eps norm(A) norm(X))` or with the factors exchanged, whichever is smaller.
fn inverse_defect<T: Scalar>(a: &Dense, x: &Dense) -> f64 {
    let defect = |left: &Dense, right: &Dense| {
        ratio::<T>(&Dense::identity(a.rows).minus(&left.times(right)), a.norm1() * x.norm1(), a.rows)
    };
    defect(a, x).min(defect(x, a))
}

fn inverses<T: Scalar>() {
    let mut random = Random::new(41);
    for n in SIZES {
        let data: Vec<T> = random.matrix(n, n);
        let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
        for stored in every_way(&data, n, n) {
            let (inverse, report) = inv(stored.view(), options()).unwrap();
            let what = format!("inv, n = {n}, {}, {}", stored.name, T::DTYPE.name());
            let x = Dense::of(inverse.view());
            check(&what, inverse_defect::<T>(&a, &x));
            assert_eq!((report.copies, report.rcond_source), (1, Some(RcondSource::Inverse)), "{what}");
            // The norm is of A or of its transpose, with CABS1 for moduli: a factor of n and 2 at most.
            let exact = 1.0 / (a.norm1() * x.norm1());
            let rcond = report.rcond.unwrap();
            assert!(rcond <= exact * n as f64 * 1.1 && rcond >= exact / (2.2 * n as f64), "{what}: {rcond} {exact}");
        }
    }
    for n in [3, 8, 9, 30] {
        for (name, data) in special::<T>(n) {
            let a = MatrixView::row_major(&data, n, n).unwrap();
            let what = format!("inv of {name}, n = {n}, {}", T::DTYPE.name());
            match inv(a, options()) {
                Err(error) => {
                    assert_eq!(error.code(), Code::Singular, "{what}: {error}");
                    assert!(matches!(name, "zero" | "rank one" | "all ones"), "{what}: called singular");
                }
                Ok((inverse, report)) => {
                    let warned = report.warnings.iter().any(|warning| warning.code() == Code::IllConditioned);
                    assert!(name != "zero" && name != "all ones", "{what}: inverted");
                    assert!(!matches!(name, "random" | "identity" | "orthogonal") || !warned, "{what}: warned");
                    assert!(name != "rank one" || warned, "{what}: not warned, rcond {:?}", report.rcond);
                    let x = Dense::of(inverse.view());
                    if x.norm1().is_finite() && !matches!(name, "denormal" | "near overflow") {
                        let growth = if name == "wilkinson" { 2.0_f64.powi(n as i32 - 1) } else { 1.0 };
                        check(&what, inverse_defect::<T>(&Dense::of(a), &x) / growth);
                    }
                }
            }
        }
    }
}

#[test]
fn inverses_meet_lapacks_ratio_and_know_their_conditioning() {
    for_each_scalar!(inverses);
}

#[test]
fn a_batch_of_inverses_gives_the_bits_of_single_calls_in_new_memory_and_in_place() {
    let mut random = Random::new(42);
    for (count, n) in [(500, 3), (300, 12), (40, 40)] {
        let mut data: Vec<f64> = random.matrix(count * n, n);
        let mut inverses = vec![0.0; data.len()];
        // Column-major matrices are the transposes of row-major ones.
        let a = batch_of(&data, count, n, n).transposed();
        inv_into(a.clone().into(), &mut batch_out(&mut inverses, count, n, n), options()).unwrap();
        for index in 0..count {
            let (single, _) = inv(a.matrix(index), options()).unwrap();
            assert_eq!(single.as_slice(), &inverses[index * n * n..][..n * n], "matrix {index}");
        }
        let pointer = data.as_mut_ptr();
        // SAFETY: two views of one memory, which the operation is told that it may overwrite.
        let (mut a, mut out) = unsafe {
            let view = || {
                let first = MatrixViewMut::from_raw(pointer, n, n, 1, n as isize);
                BatchViewMut::from_raw(first, &[count], &[(n * n) as isize])
            };
            (view(), view())
        };
        let report = inv_into(lapack_ai::Operand::overwritable(&mut a), &mut out, options()).unwrap();
        assert_eq!(report.copies, 0);
        assert_eq!(data, inverses);
    }
}

#[test]
fn exactly_singular_members_of_a_batch_are_all_listed_with_the_pivot() {
    for n in [2, 12] {
        let mut data = vec![0.0; 4 * n * n];
        for index in 0..4 {
            (0..n).for_each(|i| data[index * n * n + i * (n + 1)] = 1.0);
        }
        data[n * n + (n - 1) * (n + 1)] = 0.0;
        data[3 * n * n] = 0.0;
        let mut out = vec![0.0; data.len()];
        let a = batch_of(&data, 4, n, n).transposed();
        let error = inv_into(a.into(), &mut batch_out(&mut out, 4, n, n), options()).unwrap_err();
        assert_eq!((error.code(), error.failed(), error.rcond()), (Code::Singular, &[1, 3][..], Some(0.0)));
        assert!(error.report().contains(&format!("pivot: {} of {n} is exactly 0", n - 1)), "{}", error.report());
        assert!(error.fixes().iter().any(|fix| fix.text.contains("pinv")), "{error}");
    }
}

/// The determinant by elimination in extended range: mantissa and exponent in double precision.
fn reference_det(a: &Dense) -> (Complex64, f64) {
    let (n, mut a) = (a.rows, a.clone());
    let (mut sign, mut log) = (Complex64::new(1.0, 0.0), 0.0);
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a.at(i, k).norm().total_cmp(&a.at(j, k).norm())).unwrap();
        for j in 0..n {
            a.data.swap(k * n + j, pivot * n + j);
        }
        sign *= if pivot == k { 1.0 } else { -1.0 };
        let d = a.at(k, k);
        sign *= d / d.norm();
        log += d.norm().ln();
        for i in k + 1..n {
            let factor = a.at(i, k) / d;
            for j in k..n {
                let update = factor * a.at(k, j);
                a.data[i * n + j] -= update;
            }
        }
    }
    (sign, log)
}

fn determinants<T: Scalar>() {
    let mut random = Random::new(43);
    for n in SIZES {
        let data: Vec<T> = random.matrix(n, n);
        let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
        let (sign, log) = reference_det(&a);
        let inverse = Dense::of(inv(MatrixView::row_major(&data, n, n).unwrap(), options()).unwrap().0.view());
        // The determinant changes by at most n cond(A) times the relative change of A.
        let bound = 30.0 * (n * n) as f64 * a.norm1() * inverse.norm1() * T::Real::EPSILON;
        for stored in every_way(&data, n, n) {
            let what = format!("det, n = {n}, {}, {}", stored.name, T::DTYPE.name());
            let (s, _) = slogdet(stored.view(), options()).unwrap();
            let (d, _) = det(stored.view(), options()).unwrap();
            assert!((s.sign.to_complex128() - sign).norm() <= bound, "{what}: {:?} {sign}", s.sign);
            assert!((s.logabsdet.into() - log).abs() <= bound, "{what}: {:?} {log}", s.logabsdet);
            let expected = sign * log.exp();
            assert!((d.to_complex128() - expected).norm() <= bound * expected.norm(), "{what}: {d:?} {expected}");
        }
    }
}

#[test]
fn determinants_follow_an_independent_elimination_in_every_layout() {
    for_each_scalar!(determinants);
}

fn exact_determinants<T: Scalar>() {
    let diagonal = |elements: &[f64]| -> Vec<T> {
        let n = elements.len();
        (0..n * n).map(|k| T::from_real(if k / n == k % n { elements[k / n] } else { 0.0 })).collect()
    };
    let large = if T::Real::EPSILON > 1e-10 { 2.0_f64.powi(120) } else { 2.0_f64.powi(1000) };
    for (elements, expected) in [
        (vec![], 1.0),
        (vec![-3.0], -3.0),
        (vec![2.0, 0.0, 5.0], 0.0),
        (vec![large, large, 1.0 / large, -1.0 / large, 2.0], -2.0),
        (vec![large; 12], f64::INFINITY),
        (vec![1.0 / large; 12], 0.0),
    ] {
        let (data, n) = (diagonal(&elements), elements.len());
        let a = MatrixView::row_major(&data, n, n).unwrap();
        assert_eq!(det(a, options()).unwrap().0.re_f64(), expected, "{elements:?}");
        let (s, _) = slogdet(a, options()).unwrap();
        let log: f64 = elements.iter().map(|x| x.abs().ln()).sum();
        let difference: f64 = (s.logabsdet.into() - log).abs();
        assert!(
            s.logabsdet.into() == log || difference <= 10.0 * T::Real::EPSILON * log.abs().max(1.0),
            "{elements:?}"
        );
    }
}

#[test]
fn determinants_overflow_only_where_they_cannot_be_represented() {
    for_each_scalar!(exact_determinants);
}

#[test]
fn the_sign_of_a_permutation_matrix_is_that_of_the_permutation() {
    for n in [2_usize, 3, 8, 9, 15] {
        for shift in 1..n {
            let data: Vec<f64> = (0..n * n).map(|k| f64::from(u8::from((k / n + shift) % n == k % n))).collect();
            let expected = if shift * (n - shift) % 2 == 0 { 1.0 } else { -1.0 };
            assert_eq!(
                det(MatrixView::row_major(&data, n, n).unwrap(), options()).unwrap().0,
                expected,
                "{n}, {shift}"
            );
        }
    }
}

fn lu_everywhere<T: Scalar>() {
    let mut random = Random::new(44);
    for (m, n) in [(1, 1), (1, 5), (5, 1), (4, 4), (9, 4), (4, 9), (33, 33), (50, 20), (20, 50)] {
        let data: Vec<T> = random.matrix(m, n);
        let a = Dense::of(MatrixView::row_major(&data, m, n).unwrap());
        for stored in every_way(&data, m, n) {
            let what = format!("lu, {m} x {n}, {}, {}", stored.name, T::DTYPE.name());
            let apart = lu(stored.view(), LuRows::OfL, options()).unwrap();
            let (l, u) = (Dense::of(apart.l.view()), Dense::of(apart.u.view()));
            let k = m.min(n);
            assert_eq!((l.rows, l.cols, u.rows, u.cols), (m, k, k, n), "{what}");
            assert!((0..m * k).all(|i| i / k > i % k || l.at(i / k, i % k).re == f64::from(u8::from(i / k == i % k))));
            assert!((0..k * n).all(|i| i / n <= i % n || u.at(i / n, i % n).norm() == 0.0), "{what}");
            assert!(l.data.iter().all(|x| x.norm() < 1.5), "{what}: no partial pivoting");
            let product = l.times(&u);
            let back = Dense::from_fn(m, n, |i, j| product.at(apart.rows[i] as usize, j));
            check(&what, ratio::<T>(&a.minus(&back), a.norm1(), m.max(n)));
            let permuted = lu(stored.view(), LuRows::OfA, options()).unwrap();
            let product = Dense::of(permuted.l.view()).times(&Dense::of(permuted.u.view()));
            check(&what, ratio::<T>(&a.minus(&product), a.norm1(), m.max(n)));
            let packed = lu_factor(stored.view(), options()).unwrap();
            for (i, j) in (0..m * n).map(|at| (at / n, at % n)) {
                let expected = if i > j { apart.l.get(i, j) } else { apart.u.get(i, j) };
                assert_eq!(packed.lu.get(i, j), expected, "{what}: ({i}, {j})");
            }
            let mut rows: Vec<usize> = (0..m).collect();
            packed.pivots.iter().enumerate().for_each(|(i, &pivot)| rows.swap(i, pivot as usize));
            assert!(rows.iter().enumerate().all(|(i, &row)| apart.rows[row] as usize == i), "{what}");
        }
    }
}

#[test]
fn lu_meets_lapacks_ratio_in_every_shape_layout_and_form() {
    for_each_scalar!(lu_everywhere);
}

#[test]
fn a_zero_pivot_gives_factors_and_a_warning_that_lists_the_matrices() {
    let data = [1.0, 2.0, 2.0, 4.0];
    let factors = lu_factor(MatrixView::row_major(&data, 2, 2).unwrap(), options()).unwrap();
    assert_eq!(factors.report.rcond, Some(0.0));
    let warning = &factors.report.warnings[0];
    assert_eq!(warning.code(), Code::IllConditioned);
    assert!(warning.summary().contains("a is singular: column 1 is 2 times column 0"), "{warning}");
    assert!(warning.report().contains("pivot: 1 of 2 is exactly 0"), "{}", warning.report());
    let error = lu_solve(
        factors.lu.view(),
        &factors.pivots,
        MatrixView::col_major(&[1.0, 1.0], 2, 1).unwrap(),
        Transpose::No,
        options(),
    )
    .unwrap_err();
    assert_eq!(error.code(), Code::Singular);
    assert!(error.summary().contains("lu[1, 1] is 0"), "{}", error.report());
}

/// `A`, `A^T` or `A^H`.
fn op(a: &Dense, transpose: Transpose) -> Dense {
    match transpose {
        Transpose::No => a.clone(),
        Transpose::Transposed => Dense::from_fn(a.cols, a.rows, |i, j| a.at(j, i)),
        Transpose::Adjoint => a.adjoint(),
    }
}

const FORMS: [Transpose; 3] = [Transpose::No, Transpose::Transposed, Transpose::Adjoint];

fn solved<T: Scalar>(what: &str, a: &Dense, x: MatrixView<'_, T>, b: MatrixView<'_, T>) {
    let x = Dense::of(x);
    check(what, ratio::<T>(&Dense::of(b).minus(&a.times(&x)), a.norm1() * x.norm1(), a.rows));
}

fn substitutions<T: Scalar>() {
    let mut random = Random::new(45);
    for n in [1, 2, 5, 30] {
        let general: Vec<T> = random.matrix(n, n);
        let definite: Vec<T> = positive_definite(&mut random, n);
        let rhs: Vec<T> = random.matrix(n, 3);
        let dense = |data: &[T]| Dense::of(MatrixView::row_major(data, n, n).unwrap());
        let nan = T::from_real(f64::NAN);
        for stored_b in every_way(&rhs, n, 3) {
            let b = stored_b.view();
            let factors = lu_factor(MatrixView::row_major(&general, n, n).unwrap(), options()).unwrap();
            let packed: Vec<T> = (0..n * n).map(|k| factors.lu.get(k / n, k % n)).collect();
            for stored in every_way(&packed, n, n) {
                for form in FORMS {
                    let (x, _) = lu_solve(stored.view(), &factors.pivots, b, form, options()).unwrap();
                    let what = format!("lu_solve {form:?}, n = {n}, {}, {}", stored.name, T::DTYPE.name());
                    solved(&what, &op(&dense(&general), form), x.view(), b);
                }
            }
            for lower in [true, false] {
                let read = |k: usize| if lower { k / n >= k % n } else { k / n <= k % n };
                let (factor, _) = cholesky(MatrixView::row_major(&definite, n, n).unwrap(), !lower, options()).unwrap();
                let kept: Vec<T> = (0..n * n).map(|k| if read(k) { factor.get(k / n, k % n) } else { nan }).collect();
                for stored in every_way(&kept, n, n) {
                    let (x, _) = cho_solve(stored.view(), lower, b, options()).unwrap();
                    let what = format!("cho_solve, lower {lower}, n = {n}, {}, {}", stored.name, T::DTYPE.name());
                    solved(&what, &dense(&definite), x.view(), b);
                }
                for unit_diagonal in [false, true] {
                    let scale = T::from_real(1.0 / n as f64);
                    let element = |k: usize, unread: T| match (read(k), k / n == k % n, unit_diagonal) {
                        (false, ..) => unread,
                        (_, true, true) => {
                            if unread == T::ZERO {
                                T::ONE
                            } else {
                                unread
                            }
                        }
                        (_, true, false) => general[k].add(T::from_real(2.0)),
                        (_, false, _) => general[k].mul(scale),
                    };
                    let triangle: Vec<T> = (0..n * n).map(|k| element(k, T::ZERO)).collect();
                    let kept: Vec<T> = (0..n * n).map(|k| element(k, nan)).collect();
                    for (stored, transpose) in every_way(&kept, n, n).iter().flat_map(|s| FORMS.map(|form| (s, form))) {
                        let options = TriangularOptions { lower, unit_diagonal, transpose, call: options() };
                        let (x, _) = solve_triangular(stored.view(), b, options).unwrap();
                        let what = format!("{options:?}, n = {n}, {}, {}", stored.name, T::DTYPE.name());
                        solved(&what, &op(&dense(&triangle), transpose), x.view(), b);
                    }
                }
            }
        }
    }
}

#[test]
fn systems_with_factors_and_triangles_meet_lapacks_ratio_and_read_no_more_than_they_need() {
    for_each_scalar!(substitutions);
}

#[test]
fn factors_with_fewer_leading_dimensions_serve_a_batch_each_with_its_own_pivots() {
    let mut random = Random::new(46);
    let n = 4;
    let data: Vec<f64> = random.matrix(2 * n, n);
    let rhs: Vec<f64> = random.matrix(3 * 2 * n, 1);
    let factors: Vec<_> =
        data.chunks(n * n).map(|a| lu_factor(MatrixView::row_major(a, n, n).unwrap(), options()).unwrap()).collect();
    assert_ne!(factors[0].pivots, factors[1].pivots, "the test needs two different permutations");
    let packed: Vec<f64> = factors.iter().flat_map(|f| f.lu.as_slice().to_vec()).collect();
    let pivots: Vec<i32> = factors.iter().flat_map(|f| f.pivots.clone()).collect();
    let lu = batch_of(&packed, 2, n, n).transposed();
    let first = MatrixView::col_major(&rhs[..n], n, 1).unwrap();
    // SAFETY: 3 x 2 vectors of n elements.
    let b = unsafe { BatchView::from_raw(first, &[3, 2], &[2 * n as isize, n as isize]) };
    let mut x = vec![0.0; rhs.len()];
    // SAFETY: as above.
    let mut out = unsafe {
        let first = MatrixViewMut::from_raw(x.as_mut_ptr(), n, 1, 1, n as isize);
        BatchViewMut::from_raw(first, &[3, 2], &[2 * n as isize, n as isize])
    };
    lu_solve_into(&lu, &pivots, &b, &mut out, Transpose::No, options()).unwrap();
    drop(out);
    for index in 0..6 {
        let a = Dense::of(MatrixView::row_major(&data[index % 2 * n * n..][..n * n], n, n).unwrap());
        let (b, x) = (&rhs[index * n..][..n], &x[index * n..][..n]);
        solved(
            &format!("system {index}"),
            &a,
            MatrixView::col_major(x, n, 1).unwrap(),
            MatrixView::col_major(b, n, 1).unwrap(),
        );
    }
}

#[test]
fn a_pivot_outside_the_matrix_is_refused_before_lapack_sees_it() {
    let lu = [1.0, 0.0, 0.0, 1.0];
    let (lu, b) = (MatrixView::row_major(&lu, 2, 2).unwrap(), MatrixView::col_major(&[1.0, 1.0], 2, 1).unwrap());
    for pivots in [[0, 2], [-1, 1]] {
        let error = lu_solve(lu, &pivots, b, Transpose::No, options()).unwrap_err();
        assert_eq!(error.code(), Code::BadOption);
        assert!(error.summary().contains("which must be from 0 to 1"), "{error}");
    }
}

fn condition_numbers<T: Scalar>() {
    let mut random = Random::new(47);
    for n in [1, 2, 5, 20, 40] {
        let data: Vec<T> = random.matrix(n, n);
        let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
        let inverse = Dense::of(inv(MatrixView::row_major(&data, n, n).unwrap(), options()).unwrap().0.view());
        for (norm, exact) in [
            (Norm::One, 1.0 / (a.norm1() * inverse.norm1())),
            (Norm::Infinity, 1.0 / (a.adjoint().norm1() * inverse.adjoint().norm1())),
        ] {
            for stored in every_way(&data, n, n) {
                let (estimate, _) = rcond(stored.view(), norm, options()).unwrap();
                let estimate: f64 = estimate.into();
                let what = format!("{norm:?}, n = {n}, {}, {}: {estimate} {exact}", stored.name, T::DTYPE.name());
                assert!(estimate >= exact * 0.99 && estimate <= exact * 3.0, "{what}");
            }
        }
    }
    let (zero, nan, inf) = (T::ZERO, T::from_real(f64::NAN), T::from_real(f64::INFINITY));
    let of = |data: &[T]| -> f64 {
        rcond(MatrixView::row_major(data, 2, 2).unwrap(), Norm::One, CallOptions { check_finite: false, ..options() })
            .unwrap()
            .0
            .into()
    };
    assert_eq!(of(&[T::ONE, T::ONE, T::ONE, T::ONE]), 0.0);
    assert_eq!(of(&[zero; 4]), 0.0);
    assert!(of(&[nan, T::ONE, T::ONE, inf]).is_nan());
    assert_eq!(of(&[inf, T::ONE, T::ONE, zero]), 0.0);
}

#[test]
fn the_estimated_condition_number_is_within_a_factor_of_three_of_the_truth() {
    for_each_scalar!(condition_numbers);
}

fn rank_one_changes<T: Scalar>() {
    let mut random = Random::new(48);
    for n in [1, 2, 5, 30] {
        let data: Vec<T> = positive_definite(&mut random, n);
        let x: Vec<T> = random.matrix(n, 1);
        let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
        let column = Dense::of(MatrixView::col_major(&x, n, 1).unwrap());
        let outer = column.times(&column.adjoint());
        let sum = Dense::from_fn(n, n, |i, j| a.at(i, j) + outer.at(i, j));
        for upper in [false, true] {
            let product = |f: &Dense| if upper { f.adjoint().times(f) } else { f.times(&f.adjoint()) };
            let read = |k: usize| if upper { k / n <= k % n } else { k / n >= k % n };
            let (factor, _) = cholesky(MatrixView::row_major(&data, n, n).unwrap(), upper, options()).unwrap();
            let nan = T::from_real(f64::NAN);
            let kept: Vec<T> = (0..n * n).map(|k| if read(k) { factor.get(k / n, k % n) } else { nan }).collect();
            for (stored, stored_x) in every_way(&kept, n, n).iter().zip(every_way(&x, n, 1)) {
                let what = format!("upper {upper}, n = {n}, {}, {}", stored.name, T::DTYPE.name());
                let change = CholeskyUpdateOptions { upper, ..CholeskyUpdateOptions::default() };
                let (up, _) = cholesky_update(stored.view(), stored_x.view(), change).unwrap();
                let factor = Dense::of(up.view());
                check(&format!("update, {what}"), ratio::<T>(&sum.minus(&product(&factor)), sum.norm1(), n));
                assert!((0..n).all(|i| factor.at(i, i).re > 0.0 && factor.at(i, i).im == 0.0), "{what}");
                assert!((0..n * n).all(|k| read(k) || factor.at(k / n, k % n).norm() == 0.0), "{what}");
                let change = CholeskyUpdateOptions { downdate: true, ..change };
                let (down, _) = cholesky_update(up.view(), stored_x.view(), change).unwrap();
                let factor = Dense::of(down.view());
                check(&format!("downdate, {what}"), ratio::<T>(&a.minus(&product(&factor)), sum.norm1(), n));
            }
        }
    }
}

#[test]
fn rank_one_updates_and_downdates_give_the_factor_of_the_changed_matrix() {
    for_each_scalar!(rank_one_changes);
}

#[test]
fn a_downdate_that_loses_definiteness_names_the_minor() {
    let l = [2.0, 0.0, 0.0, 3.0];
    let l = MatrixView::row_major(&l, 2, 2).unwrap();
    let options = CholeskyUpdateOptions { downdate: true, ..CholeskyUpdateOptions::default() };
    for (x, order) in [([2.0, 0.0], 1), ([1.0, 3.0], 2), ([5.0, 0.0], 1)] {
        let error = cholesky_update(l, MatrixView::col_major(&x, 2, 1).unwrap(), options).unwrap_err();
        assert_eq!(error.code(), Code::NotPositiveDefinite);
        assert!(error.summary().contains(&format!("from minor {order} of 2 on")), "{error}");
    }
}

#[test]
fn nan_and_inf_are_refused_with_their_place_where_they_have_no_meaning() {
    let data = [1.0, f64::NAN, 0.0, 1.0];
    let a = MatrixView::row_major(&data, 2, 2).unwrap();
    let b = MatrixView::col_major(&[1.0, f64::INFINITY], 2, 1).unwrap();
    let eye = [1.0, 0.0, 0.0, 1.0];
    let eye = MatrixView::row_major(&eye, 2, 2).unwrap();
    let place = |error: lapack_ai::Error| {
        assert_eq!(error.code(), Code::NonFinite);
        error.summary()
    };
    for summary in [
        place(inv(a, options()).unwrap_err()),
        place(det(a, options()).unwrap_err()),
        place(slogdet(a, options()).unwrap_err()),
        place(lu_factor(a, options()).unwrap_err()),
        place(lu(a, LuRows::OfL, options()).unwrap_err()),
        place(rcond(a, Norm::One, options()).unwrap_err()),
        place(solve_triangular(a, eye, TriangularOptions::default()).unwrap_err()),
        place(cho_solve(a, false, eye, options()).unwrap_err()),
        place(lu_solve(a, &[0, 1], eye, Transpose::No, options()).unwrap_err()),
    ] {
        assert!(summary.contains("NaN at row 0, column 1"), "{summary}");
    }
    for summary in [
        place(solve_triangular(eye, b, TriangularOptions::default()).unwrap_err()),
        place(cho_solve(eye, false, b, options()).unwrap_err()),
        place(lu_solve(eye, &[0, 1], b, Transpose::No, options()).unwrap_err()),
        place(cholesky_update(eye, b, CholeskyUpdateOptions::default()).unwrap_err()),
    ] {
        assert!(summary.contains("Inf at row 1, column 0"), "{summary}");
    }
    let unchecked = CallOptions { check_finite: false, ..options() };
    assert!(det(a, unchecked).unwrap().0.is_nan());
    for n in [2, 20] {
        let all = vec![f64::NAN; n * n];
        let all = MatrixView::row_major(&all, n, n).unwrap();
        assert!(det(all, unchecked).unwrap().0.is_nan());
        let _ = inv(all, unchecked);
    }
}
