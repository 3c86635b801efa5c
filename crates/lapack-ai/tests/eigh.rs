//! Hermitian eigenproblems against LAPACK's test ratios.

mod common;

use common::{Dense, Random, check, every_way, hermitian_part, ratio, special};
use lapack_ai::{Code, Eigh, EighOptions, EighOut, Matrix, MatrixView, Operand, Scalar, eigh, eigh_into};

/// `norm(A - V W V^H) / (norm(A) n eps)`, orthogonality and order.
fn verify<T: Scalar>(what: &str, a: &Dense, result: &Eigh<T>) {
    let what = format!("{what}, n = {} {}", a.rows, T::DTYPE.name());
    let w: Vec<f64> = result.eigenvalues.iter().map(|&value| value.into()).collect();
    assert!(w.windows(2).all(|pair| pair[0] <= pair[1]), "{what}: eigenvalues not sorted");
    let v = Dense::of(result.eigenvectors.view());
    check(&format!("{what}, V"), v.orthogonality::<T>());
    let scale = if a.norm1() > 1e200 { 2.0_f64.powi(-200) } else { 1.0 };
    let w: Vec<f64> = w.iter().map(|value| value * scale).collect();
    let a = a.scaled(scale);
    check(&what, ratio::<T>(&a.minus(&v.times_diagonal(&w).times(&v.adjoint())), a.norm1(), a.rows));
}

fn random_and_special<T: Scalar>() {
    let mut random = Random::new(21);
    for n in [1, 2, 3, 16, 25, 26, 40] {
        let mut cases = special::<T>(n);
        cases.push(("random", random.matrix(n, n)));
        for (name, general) in cases {
            let data = hermitian_part(&general, n);
            let a = Dense::of(MatrixView::row_major(&data, n, n).unwrap());
            for lower in [true, false] {
                let read = |k: usize| if lower { k / n >= k % n } else { k / n <= k % n };
                let kept: Vec<T> = (0..n * n).map(|k| if read(k) { data[k] } else { T::from_real(f64::NAN) }).collect();
                for stored in every_way(&kept, n, n) {
                    let options = EighOptions { lower, ..EighOptions::default() };
                    let result = eigh(stored.view(), options).unwrap();
                    verify(&format!("{name}, lower {lower}, {}", stored.name), &a, &result);
                    let values = eigh(stored.view(), EighOptions { vectors: false, ..options }).unwrap();
                    let largest = result.eigenvalues.iter().map(|&w| w.into().abs()).fold(0.0, f64::max);
                    for (one, other) in values.eigenvalues.iter().zip(&result.eigenvalues) {
                        let difference = Dense::from_fn(1, 1, |_, _| one.sub(*other).to_complex128());
                        check("values only", ratio::<T>(&difference, largest, n));
                    }
                }
            }
        }
    }
}

#[test]
fn random_and_special_matrices_meet_lapacks_ratios_reading_one_triangle_only() {
    for_each_scalar!(random_and_special);
}

#[test]
fn overwriting_a_column_major_matrix_leaves_the_eigenvectors_in_it() {
    let data = hermitian_part(&Random::new(5).matrix::<f64>(30, 30), 30);
    let mut a = Matrix::from_fn(30, 30, |i, j| data[i * 30 + j]);
    let expected = eigh(a.view(), EighOptions::default()).unwrap();
    let mut w = Matrix::zeros(30, 1);
    let address = a.as_slice().as_ptr();
    // SAFETY: the operation is told that V is A's own memory, by the address and by `overwritable`.
    let v = unsafe { lapack_ai::MatrixViewMut::from_raw(a.view_mut().as_mut_ptr(), 30, 30, 1, 30) };
    let out = EighOut { eigenvalues: w.view_mut().into(), eigenvectors: Some(v.into()) };
    let mut input: lapack_ai::BatchViewMut<'_, f64> = a.view_mut().into();
    let report = eigh_into(Operand::overwritable(&mut input), out, EighOptions::default()).unwrap();
    assert_eq!(report.copies, 0);
    assert_eq!(w.as_slice(), expected.eigenvalues);
    assert_eq!((a.as_slice().as_ptr(), a.as_slice()), (address, expected.eigenvectors.as_slice()));
}

#[test]
fn a_nan_in_the_triangle_that_is_read_is_located_and_one_in_the_other_is_not_looked_at() {
    let mut data = vec![1.0_f64; 9];
    data[5] = f64::NAN;
    let a = MatrixView::row_major(&data, 3, 3).unwrap();
    eigh(a, EighOptions::default()).unwrap();
    let error = eigh(a, EighOptions { lower: false, ..EighOptions::default() }).unwrap_err();
    assert_eq!(error.code(), Code::NonFinite);
    assert!(error.summary().contains("row 1, column 2"), "{error}");
}

#[test]
fn a_rectangular_matrix_is_refused_and_an_empty_one_is_not() {
    let error = eigh(MatrixView::row_major(&[0.0; 6], 2, 3).unwrap(), EighOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::NotSquare);
    assert!(
        eigh(MatrixView::<f64>::row_major(&[], 0, 0).unwrap(), EighOptions::default()).unwrap().eigenvalues.is_empty()
    );
}

#[test]
fn a_workspace_beyond_32_bit_integers_is_refused_before_anything_is_allocated() {
    if lapack_ai::provider().unwrap().library.integer_bits() == 32 {
        let n = 33_000;
        let mut nothing = [0.0_f64; 1];
        let pointer = nothing.as_mut_ptr();
        // SAFETY: never read or written, since the call is refused.
        let (a, v, w) = unsafe {
            let square = || lapack_ai::MatrixViewMut::from_raw(pointer, n, n, 1, n as isize);
            (
                MatrixView::from_raw(pointer, n, n, 1, n as isize),
                square(),
                lapack_ai::MatrixViewMut::from_raw(pointer, n, 1, 1, n as isize),
            )
        };
        let out = EighOut { eigenvalues: w.into(), eigenvectors: Some(v.into()) };
        let error = eigh_into(a.into(), out, EighOptions::default()).unwrap_err();
        assert_eq!(error.code(), Code::TooLargeForLp64, "{error}");
    }
}

#[test]
fn an_empty_batch_gives_an_empty_result() {
    let batch = lapack_ai::BatchView::<f64>::row_major(&[], 0, 3, 3).unwrap();
    let mut nothing = [0.0_f64; 1];
    let pointer = nothing.as_mut_ptr();
    // SAFETY: a batch of no matrices reaches no element.
    let (w, v) = unsafe {
        let w = lapack_ai::MatrixViewMut::from_raw(pointer, 3, 1, 1, 3);
        let v = lapack_ai::MatrixViewMut::from_raw(pointer, 3, 3, 1, 3);
        (lapack_ai::BatchViewMut::from_raw(w, &[0], &[3]), lapack_ai::BatchViewMut::from_raw(v, &[0], &[9]))
    };
    let out = EighOut { eigenvalues: w, eigenvectors: Some(v) };
    assert_eq!(eigh_into(batch.into(), out, EighOptions::default()).unwrap().batch, 0);
}
