//! Least squares and products.

mod common;

use common::{Dense, Random, check, every_way, ratio};
use lapack_ai::{
    BatchView, BatchViewMut, CallOptions, Code, LstsqOptions, Matrix, MatrixView, MatrixViewMut, Real, Scalar, lstsq,
    matmul, matmul_into,
};

fn least_squares<T: Scalar>() {
    let mut random = Random::new(41);
    for (m, n) in [(1, 1), (6, 6), (12, 5), (5, 12), (60, 30), (30, 60)] {
        let (data, rhs): (Vec<T>, Vec<T>) = (random.matrix(m, n), random.matrix(m, 3));
        for stored in every_way(&data, m, n) {
            let (a, b) = (stored.view(), MatrixView::row_major(&rhs, m, 3).unwrap());
            let fit = lstsq(a, b, LstsqOptions::default()).unwrap();
            let what = format!("lstsq {m} x {n}, {}, {}", stored.name, T::DTYPE.name());
            assert_eq!(fit.rank, m.min(n), "{what}");
            let (a, b, x) = (Dense::of(a), Dense::of(b), Dense::of(fit.x.view()));
            let residual = b.minus(&a.times(&x));
            // The residual is orthogonal to the columns of A (LAPACK's xQRT17), and X to the null space (xQRT14).
            let normal = a.adjoint().times(&residual);
            let scale = a.norm1() * (b.norm1() + a.norm1() * x.norm1());
            check(&what, ratio::<T>(&normal, scale, m.max(n)));
            for column in 0..3 {
                let squares: f64 = (0..m).map(|i| residual.at(i, column).norm_sqr()).sum();
                let reported: f64 = fit.residuals[column].into();
                if m > n {
                    assert!(
                        (squares - reported).abs() <= 100.0 * m as f64 * T::Real::EPSILON * (1.0 + squares),
                        "{what}"
                    );
                }
            }
        }
    }
}

#[test]
fn residuals_are_orthogonal_to_the_columns() {
    for_each_scalar!(least_squares);
}

#[test]
fn a_rank_deficient_system_gets_the_solution_of_least_norm_and_its_rank() {
    // Two equal columns: the least-norm solution shares the coefficient.
    let a = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0];
    let fit = lstsq(
        MatrixView::row_major(&a, 3, 2).unwrap(),
        MatrixView::col_major(&[2.0, 4.0, 6.0], 3, 1).unwrap(),
        LstsqOptions::default(),
    )
    .unwrap();
    assert_eq!(fit.rank, 1);
    assert!((0..2).all(|i| (fit.x.get(i, 0) - 1.0_f64).abs() < 1e-14));
    assert!(fit.residuals[0].is_nan());
    assert!(fit.report.rcond.unwrap() < 1e-15);
}

#[test]
fn a_nan_is_found_even_with_the_check_switched_off() {
    let call = CallOptions { check_finite: false, ..CallOptions::default() };
    let error = lstsq(
        MatrixView::row_major(&[1.0, f64::NAN], 2, 1).unwrap(),
        MatrixView::col_major(&[1.0, 1.0], 2, 1).unwrap(),
        LstsqOptions { call, ..LstsqOptions::default() },
    )
    .unwrap_err();
    assert_eq!(error.code(), Code::NonFinite);
}

fn products<T: Scalar>() {
    let mut random = Random::new(42);
    for (m, k, n) in [(1, 1, 1), (3, 5, 2), (1, 9, 7), (7, 1, 4), (40, 33, 21)] {
        let (left, right): (Vec<T>, Vec<T>) = (random.matrix(m, k), random.matrix(k, n));
        for a in every_way(&left, m, k) {
            for b in every_way(&right, k, n) {
                let (c, report) = matmul(a.view(), b.view(), CallOptions::default()).unwrap();
                let (exact_a, exact_b) = (Dense::of(a.view()), Dense::of(b.view()));
                let error = Dense::of(c.view()).minus(&exact_a.times(&exact_b));
                let what = format!("matmul {m} x {k} x {n}, {}, {}", a.name, b.name);
                check(&what, ratio::<T>(&error, exact_a.norm1() * exact_b.norm1(), k));
                let strided = |name: &str| matches!(name, "strided" | "reversed rows" | "reversed columns");
                let copies =
                    usize::from(strided(a.name) && m > 1 && k > 1) + usize::from(strided(b.name) && k > 1 && n > 1);
                if m > 1 && k > 1 && n > 1 {
                    assert_eq!(report.copies, copies, "{what}");
                }
            }
        }
    }
}

#[test]
fn products_are_right_in_every_layout_and_copy_only_what_has_two_strides() {
    for_each_scalar!(products);
}

#[test]
fn an_empty_inner_dimension_gives_zeros_and_nan_spreads() {
    let (c, _) = matmul(Matrix::<f64>::zeros(2, 0).view(), Matrix::zeros(0, 3).view(), CallOptions::default()).unwrap();
    assert_eq!(c.as_slice(), [0.0; 6]);
    let a = [f64::NAN, 1.0];
    let (c, _) = matmul(
        MatrixView::row_major(&a, 1, 2).unwrap(),
        MatrixView::row_major(&a, 2, 1).unwrap(),
        CallOptions::default(),
    )
    .unwrap();
    assert!(c.get(0, 0).is_nan());
}

#[test]
fn one_operand_is_repeated_over_the_batch_of_the_other() {
    let a = [1.0, 2.0, 3.0, 4.0];
    let b: Vec<f64> = (0..12).map(f64::from).collect();
    let mut c = [0.0; 12];
    // SAFETY: three row-major 2 x 2 matrices.
    let mut out = unsafe {
        let first = MatrixViewMut::from_raw(c.as_mut_ptr(), 2, 2, 2, 1);
        BatchViewMut::from_raw(first, &[3], &[4])
    };
    let left = MatrixView::row_major(&a, 2, 2).unwrap().into();
    matmul_into(&left, &BatchView::row_major(&b, 3, 2, 2).unwrap(), &mut out, CallOptions::default()).unwrap();
    drop(out);
    assert_eq!(&c[..4], [4.0, 7.0, 8.0, 15.0]);
    assert_eq!(&c[8..], [28.0, 31.0, 64.0, 71.0]);
}
