//! The Schur form against LAPACK's test ratios.

mod common;

use common::{Dense, Random, check, every_way, ratio, special};
use lapack_ai::{CallOptions, Code, MatrixView, Scalar, schur};

fn random_and_special<T: Scalar>() {
    let mut random = Random::new(51);
    for n in [1, 2, 3, 8, 20] {
        let mut cases = special::<T>(n);
        cases.push(("another random", random.matrix(n, n)));
        for (name, data) in cases {
            let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
            for stored in every_way(&data, n, n) {
                let what = format!("{name}, {}, n = {n} {}", stored.name, T::DTYPE.name());
                let result = schur(stored.view(), CallOptions::default()).unwrap();
                let (t, z) = (Dense::of(result.t.view()), Dense::of(result.z.view()));
                check(&format!("{what}, Z"), z.orthogonality::<T>());
                let scale = if a.norm1() > 1e200 { 2.0_f64.powi(-200) } else { 1.0 };
                let (a, t) = (a.scaled(scale), t.scaled(scale));
                let residual = a.minus(&z.times(&t).times(&z.adjoint()));
                check(&format!("{what}, A - Z T Z^H"), ratio::<T>(&residual, a.norm1(), n));
                // Real types: one diagonal below may hold blocks of order 2, never two in a row.
                let below = |i: usize, j: usize| t.at(i, j).norm() != 0.0;
                for j in 0..n {
                    let first = if T::DTYPE.is_complex() { j + 1 } else { j + 2 };
                    assert!((first..n).all(|i| !below(i, j)), "{what}: T is not triangular in column {j}");
                    assert!(j + 2 >= n || !(below(j + 1, j) && below(j + 2, j + 1)), "{what}: a block above order 2");
                }
            }
        }
    }
}

#[test]
fn random_and_special_matrices_meet_lapacks_ratios_in_every_layout() {
    for_each_scalar!(random_and_special);
}

#[test]
fn nan_is_located_a_rectangular_matrix_refused_and_an_empty_one_is_not() {
    let data = [1.0, f64::NAN, 0.0, 1.0];
    let error = schur(MatrixView::row_major(&data, 2, 2).unwrap(), CallOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::NonFinite);
    assert!(error.summary().contains("a has NaN at row 0, column 1"), "{error}");
    let error = schur(MatrixView::row_major(&[0.0; 6], 2, 3).unwrap(), CallOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::NotSquare);
    assert!(schur(MatrixView::<f64>::row_major(&[], 0, 0).unwrap(), CallOptions::default()).unwrap().t.rows() == 0);
}
