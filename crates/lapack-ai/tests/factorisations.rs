//! QR and Cholesky against LAPACK's test ratios.

mod common;

use common::{Dense, Random, check, every_way, is_mkl, positive_definite, ratio, special};
use lapack_ai::{CallOptions, Code, MatrixView, QrMode, Scalar, cholesky, qr};

fn qr_of<T: Scalar>(what: &str, a: MatrixView<'_, T>) {
    let (m, n) = (a.rows(), a.cols());
    let what = format!("{what}, {m} x {n} {}", T::DTYPE.name());
    for mode in [QrMode::Reduced, QrMode::Complete] {
        let result = qr(a, mode, CallOptions::default()).unwrap();
        let (q, r) = (Dense::of(result.q.view()), Dense::of(result.r.view()));
        let expected = if mode == QrMode::Complete { m } else { m.min(n) };
        assert_eq!((q.rows, q.cols, r.rows, r.cols), (m, expected, expected, n), "{what}");
        assert!((0..r.rows).all(|i| (0..i.min(n)).all(|j| r.at(i, j).norm() == 0.0)), "{what}: R is not triangular");
        check(&format!("{what}, Q"), q.orthogonality::<T>());
        let scale = if Dense::of(a).norm1() > 1e200 { 2.0_f64.powi(-200) } else { 1.0 };
        let (a, r) = (Dense::of(a).scaled(scale), r.scaled(scale));
        check(&what, ratio::<T>(&a.minus(&q.times(&r)), a.norm1(), m.max(n)));
    }
}

fn qr_everywhere<T: Scalar>() {
    let mut random = Random::new(31);
    for (m, n) in [(1, 1), (1, 5), (5, 1), (4, 4), (9, 4), (4, 9), (33, 33), (50, 20), (20, 50)] {
        let data: Vec<T> = random.matrix(m, n);
        for stored in every_way(&data, m, n) {
            qr_of(stored.name, stored.view());
        }
    }
    for n in [3, 24] {
        for (name, data) in special::<T>(n) {
            if name == "denormal" && is_mkl() {
                continue;
            }
            qr_of(name, MatrixView::row_major(&data, n, n).unwrap());
        }
    }
}

#[test]
fn qr_meets_lapacks_ratios_in_every_layout_and_on_special_matrices() {
    for_each_scalar!(qr_everywhere);
}

#[test]
fn the_modes_r_and_raw_give_the_same_r_as_reduced() {
    let mut random = Random::new(32);
    for (m, n) in [(7, 4), (4, 7), (5, 5)] {
        let data: Vec<f64> = random.matrix(m, n);
        let a = MatrixView::row_major(&data, m, n).unwrap();
        let reduced = qr(a, QrMode::Reduced, CallOptions::default()).unwrap();
        let only = qr(a, QrMode::R, CallOptions::default()).unwrap();
        assert_eq!(only.r.as_slice(), reduced.r.as_slice());
        let raw = qr(a, QrMode::Raw, CallOptions::default()).unwrap();
        assert_eq!((raw.q.rows(), raw.q.cols()), (m.min(n), 1));
        for i in 0..m.min(n) {
            for j in i..n {
                assert_eq!(raw.r.get(i, j), reduced.r.get(i, j));
            }
        }
    }
}

#[test]
fn empty_matrices_factorise() {
    for (m, n) in [(0, 0), (0, 4), (4, 0)] {
        let a = MatrixView::<f64>::row_major(&[], m, n).unwrap();
        let complete = qr(a, QrMode::Complete, CallOptions::default()).unwrap();
        assert_eq!((complete.q.rows(), complete.q.cols(), complete.r.rows()), (m, m, m));
        let q = Dense::of(complete.q.view());
        assert_eq!(q.orthogonality::<f64>(), 0.0);
    }
    let a = MatrixView::<f64>::row_major(&[], 0, 0).unwrap();
    assert_eq!(cholesky(a, false, CallOptions::default()).unwrap().0.rows(), 0);
}

fn cholesky_everywhere<T: Scalar>() {
    let mut random = Random::new(33);
    for n in [1, 2, 5, 15, 16, 40] {
        let data: Vec<T> = positive_definite(&mut random, n);
        let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
        for upper in [false, true] {
            let read = |k: usize| if upper { k / n <= k % n } else { k / n >= k % n };
            let kept: Vec<T> = (0..n * n).map(|k| if read(k) { data[k] } else { T::from_real(f64::NAN) }).collect();
            for stored in every_way(&kept, n, n) {
                let (factor, report) = cholesky(stored.view(), upper, CallOptions::default()).unwrap();
                assert_eq!(report.copies, 1);
                let factor = Dense::of(factor.view());
                let product = if upper { factor.adjoint().times(&factor) } else { factor.times(&factor.adjoint()) };
                let what = format!("cholesky upper {upper}, n = {n}, {}, {}", stored.name, T::DTYPE.name());
                check(&what, ratio::<T>(&a.minus(&product), a.norm1(), n));
                let other = |i: usize, j: usize| if upper { i > j } else { i < j };
                assert!((0..n * n).all(|k| !other(k / n, k % n) || factor.at(k / n, k % n).norm() == 0.0), "{what}");
            }
        }
    }
}

#[test]
fn cholesky_meets_lapacks_ratio_reads_one_triangle_and_clears_the_other() {
    for_each_scalar!(cholesky_everywhere);
}

#[test]
fn the_first_leading_minor_that_is_not_positive_is_named() {
    let data = [4.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, -1.0];
    let error = cholesky(MatrixView::row_major(&data, 3, 3).unwrap(), false, CallOptions::default()).unwrap_err();
    assert_eq!((error.code(), error.info(), error.routine()), (Code::NotPositiveDefinite, Some(3), Some("dpotrf")));
    assert!(error.report().contains("minor: 3 of 3 is not positive"), "{}", error.report());
}
