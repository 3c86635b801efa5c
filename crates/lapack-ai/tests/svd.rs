//! The SVD against LAPACK's test ratios.

mod common;

use common::{Dense, Random, batch_of, check, every_way, is_mkl, ratio, special};
use lapack_ai::{Code, Matrix, MatrixView, Real, Scalar, Svd, SvdOptions, SvdOut, Vectors, svd, svd_into};

/// `norm(A - U S V^H) / (norm(A) max(m, n) eps)`, orthogonality, order and sign.
fn verify<T: Scalar>(what: &str, a: MatrixView<'_, T>, result: &Svd<T>) {
    let (m, n) = (a.rows(), a.cols());
    let k = m.min(n);
    let what = format!("{what}, {m} x {n} {}", T::DTYPE.name());
    let s: Vec<f64> = result.s.iter().map(|&value| value.into()).collect();
    assert!(s.iter().all(|&value| value >= 0.0), "{what}: negative singular value");
    assert!(s.windows(2).all(|pair| pair[0] >= pair[1]), "{what}: singular values not sorted");
    let (a, u, vh) = (Dense::of(a), Dense::of(result.u.view()), Dense::of(result.vh.view()));
    check(&format!("{what}, U"), u.orthogonality::<T>());
    check(&format!("{what}, V"), vh.adjoint().orthogonality::<T>());
    // Near overflow the product would overflow in the check: both sides are scaled by a power of two.
    let scale = if a.norm1() > 1e200 { 2.0_f64.powi(-200) } else { 1.0 };
    let s: Vec<f64> = s.iter().map(|value| value * scale).collect();
    let product = u.leading_columns(k).times_diagonal(&s).times(&vh.leading_rows(k));
    let a = a.scaled(scale);
    check(&what, ratio::<T>(&a.minus(&product), a.norm1(), m.max(n)));
}

fn thin_full_and_values_agree<T: Scalar>() {
    let mut random = Random::new(1);
    for (m, n) in [(1, 1), (1, 7), (7, 1), (4, 4), (5, 3), (3, 5), (25, 25), (26, 26), (40, 17), (17, 40), (60, 60)] {
        let data: Vec<T> = random.matrix(m, n);
        for stored in every_way(&data, m, n) {
            let a = stored.view();
            let thin = svd(a, SvdOptions::default()).unwrap();
            verify(&format!("thin, {}", stored.name), a, &thin);
            let full = svd(a, SvdOptions { vectors: Vectors::Full, ..SvdOptions::default() }).unwrap();
            assert_eq!((full.u.rows(), full.u.cols(), full.vh.rows(), full.vh.cols()), (m, m, n, n));
            verify(&format!("full, {}", stored.name), a, &full);
            let values = svd(a, SvdOptions { vectors: Vectors::None, ..SvdOptions::default() }).unwrap();
            for (one, other) in values.s.iter().zip(&thin.s) {
                let (one, other): (f64, f64) = ((*one).into(), (*other).into());
                let largest: f64 = thin.s[0].into();
                check("values only", (one - other).abs() / (largest * m.max(n) as f64 * T::Real::EPSILON));
            }
        }
    }
}

#[test]
fn thin_full_and_values_only_meet_lapacks_ratios_in_every_layout() {
    for_each_scalar!(thin_full_and_values_agree);
}

fn special_matrices<T: Scalar>() {
    for n in [1, 2, 5, 30] {
        for (name, data) in special::<T>(n) {
            if name == "denormal" && is_mkl() {
                continue;
            }
            let a = MatrixView::row_major(&data, n, n).unwrap();
            verify(name, a, &svd(a, SvdOptions::default()).unwrap());
        }
    }
}

#[test]
fn special_matrices_meet_lapacks_ratios() {
    for_each_scalar!(special_matrices);
}

#[test]
fn singular_values_of_known_matrices_are_right_to_the_last_digits() {
    // diag(n, ..., 1) with permuted rows, and the Hilbert matrix of order 3 (Golub and Van Loan).
    let data: Vec<f64> = (0..16).map(|k| if k / 4 == (k + 1) % 4 { (k % 4 + 1) as f64 } else { 0.0 }).collect();
    let result = svd(MatrixView::row_major(&data, 4, 4).unwrap(), SvdOptions::default()).unwrap();
    assert_eq!(result.s, [4.0, 3.0, 2.0, 1.0]);
    let hilbert: Vec<f64> = (0..9).map(|k| 1.0 / (k / 3 + k % 3 + 1) as f64).collect();
    let result = svd(MatrixView::row_major(&hilbert, 3, 3).unwrap(), SvdOptions::default()).unwrap();
    let exact = [1.408_318_927_123_653_7, 0.122_327_065_853_905_9, 0.002_687_340_355_773_529];
    for (value, exact) in result.s.iter().zip(exact) {
        check("hilbert 3", (value - exact).abs() / (3.0 * f64::EPSILON));
    }
}

#[test]
fn empty_matrices_have_identities_for_full_factors() {
    for (m, n) in [(0, 0), (0, 3), (4, 0)] {
        let a = MatrixView::<f64>::row_major(&[], m, n).unwrap();
        let full = svd(a, SvdOptions { vectors: Vectors::Full, ..SvdOptions::default() }).unwrap();
        assert!(full.s.is_empty());
        assert_eq!((full.u.rows(), full.vh.rows()), (m, n));
        assert!((0..m).all(|i| full.u.get(i, i) == 1.0) && (0..n).all(|i| full.vh.get(i, i) == 1.0));
    }
}

fn batches<T: Scalar>() {
    let mut random = Random::new(3);
    for (count, m, n) in [(1, 3, 3), (5, 4, 6), (400, 4, 4), (64, 30, 20), (9, 4, 30)] {
        let data: Vec<T> = random.matrix(count * m, n);
        let k = m.min(n);
        let mut u = vec![T::ZERO; count * m * k];
        let mut vh = vec![T::ZERO; count * k * n];
        let mut s = vec![T::Real::ZERO; count * k];
        let out = SvdOut {
            vectors: Some((writable(&mut u, count, m, k), writable(&mut vh, count, k, n))),
            s: writable(&mut s, count, k, 1),
        };
        let report = svd_into(batch_of(&data, count, m, n).into(), out, SvdOptions::default()).unwrap();
        assert_eq!((report.batch, report.copies), (count, 1));
        for index in 0..count {
            let a = batch_of(&data, count, m, n).matrix(index);
            let part = |data: &[T], size: usize| data[index * size..(index + 1) * size].to_vec();
            let single = svd(a, SvdOptions::default()).unwrap();
            assert_eq!(single.s, s[index * k..(index + 1) * k], "batches and single calls give the same bits");
            assert_eq!(single.u.as_slice(), part(&u, m * k));
            assert_eq!(single.vh.as_slice(), part(&vh, k * n));
        }
    }
}

/// A contiguous row-major batch to write.
fn writable<T: Scalar>(data: &mut [T], count: usize, rows: usize, cols: usize) -> lapack_ai::BatchViewMut<'_, T> {
    assert_eq!(data.len(), count * rows * cols);
    // SAFETY: the slice holds exactly these elements and is borrowed exclusively.
    unsafe {
        let first = lapack_ai::MatrixViewMut::from_raw(data.as_mut_ptr(), rows, cols, cols as isize, 1);
        lapack_ai::BatchViewMut::from_raw(first, &[count], &[(rows * cols) as isize])
    }
}

#[test]
fn batches_give_the_same_bits_as_single_calls() {
    for_each_scalar!(batches);
}

#[test]
fn overwriting_saves_the_copy_and_gives_the_same_values() {
    for order in 0..2 {
        let mut random = Random::new(9);
        let data: Vec<f64> = random.matrix(30, 20);
        let mut a = if order == 0 { Matrix::zeros_row_major(30, 20) } else { Matrix::zeros(30, 20) };
        for i in 0..30 {
            for j in 0..20 {
                a.view_mut().set(i, j, data[i * 20 + j]);
            }
        }
        let expected = svd(a.view(), SvdOptions::default()).unwrap();
        let zeros = if order == 0 { Matrix::zeros_row_major } else { Matrix::zeros };
        let (mut u, mut vh, mut s) = (zeros(30, 20), zeros(20, 20), Matrix::zeros(20, 1));
        let out = SvdOut { vectors: Some((u.view_mut().into(), vh.view_mut().into())), s: s.view_mut().into() };
        let mut input: lapack_ai::BatchViewMut<'_, f64> = a.view_mut().into();
        let report = svd_into(lapack_ai::Operand::overwritable(&mut input), out, SvdOptions::default()).unwrap();
        assert_eq!(report.copies, 0);
        assert_eq!(s.as_slice(), expected.s);
    }
}

#[test]
fn the_first_nan_or_inf_is_located_before_lapack_sees_it() {
    let mut data = vec![1.0_f64; 12];
    data[7] = f64::INFINITY;
    data[10] = f64::NAN;
    let error = svd(MatrixView::row_major(&data, 3, 4).unwrap(), SvdOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::NonFinite);
    assert!(error.summary().contains("a has Inf at row 1, column 3, first of 2"), "{error}");
}

#[test]
fn the_report_tells_the_condition_number_of_a_square_matrix() {
    let a = [2.0, 0.0, 0.0, 0.5];
    let result = svd(MatrixView::row_major(&a, 2, 2).unwrap(), SvdOptions::default()).unwrap();
    assert_eq!(result.report.rcond, Some(0.25));
    assert_eq!(result.report.engine.name(), "cpu");
}

#[test]
fn a_workspace_beyond_32_bit_integers_is_refused_before_anything_is_allocated() {
    let bits = lapack_ai::provider().unwrap().library.integer_bits();
    if bits == 32 {
        // One row of numbers read again and again: the view is large, the memory is not.
        let row = vec![1.0_f64; 40_000];
        for n in [26_754, 32_768, 40_000] {
            // SAFETY: every row is the first `n` elements of `row`.
            let a = unsafe { MatrixView::from_raw(row.as_ptr(), n, n, 0, 1) };
            let out = SvdOptions { vectors: Vectors::Thin, ..SvdOptions::default() };
            let error = svd_of_a_view_too_large(a, out);
            assert_eq!(error.code(), Code::TooLargeForLp64, "{error}");
            assert!(error.to_string().contains("scipy-openblas64"), "{error}");
        }
    }
}

/// Outputs of the right shape without memory behind them: the refusal comes before they are touched.
fn svd_of_a_view_too_large(a: MatrixView<'_, f64>, options: SvdOptions) -> lapack_ai::Error {
    let n = a.rows();
    let mut nothing = [0.0_f64; 1];
    let pointer = nothing.as_mut_ptr();
    // SAFETY: never written, since the call is refused.
    let (u, vh, s) = unsafe {
        let square = || lapack_ai::MatrixViewMut::from_raw(pointer, n, n, n as isize, 1);
        (square(), square(), lapack_ai::MatrixViewMut::from_raw(pointer, n, 1, 1, n as isize))
    };
    svd_into(a.into(), SvdOut { vectors: Some((u.into(), vh.into())), s: s.into() }, options).unwrap_err()
}
