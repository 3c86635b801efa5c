//! Structured systems: what is found out about a matrix, and that every way of solving it meets LAPACK's ratio.

mod common;

use common::{Dense, Random, check, every_way, ratio};
use lapack_ai::{
    BatchView, BatchViewMut, Code, Matrix, MatrixView, Operand, Scalar, SolveOptions, Structure, solve, solve_into,
};

fn residual<T: Scalar>(a: &Dense, x: &Dense, b: &Dense) -> f64 {
    ratio::<T>(&b.minus(&a.times(x)), a.norm1() * x.norm1(), a.rows)
}

/// The structures with a matrix of each, row-major.
fn structured<T: Scalar>(n: usize, random: &mut Random) -> Vec<(Structure, Vec<T>)> {
    let dense: Vec<T> = random.matrix(n, n);
    let at = |i: usize, j: usize| dense[i * n + j];
    let build = |element: &dyn Fn(usize, usize) -> T| -> Vec<T> { (0..n * n).map(|k| element(k / n, k % n)).collect() };
    let keep = |kept: bool, x: T| if kept { x } else { T::ZERO };
    let raised = |i: usize, j: usize, x: T| if i == j { x.add(T::from_real(4.0 * n as f64)) } else { x };
    let real = |x: T| T::from_real(x.re_f64());
    let mirrored = |i: usize, j: usize| match i.cmp(&j) {
        std::cmp::Ordering::Less => at(i, j),
        std::cmp::Ordering::Equal => real(at(i, j)),
        std::cmp::Ordering::Greater => at(j, i).conj(),
    };
    // A negative first element refuses definiteness at a glance, a negative last one only at the end.
    let signed = |i: usize, j: usize, place: usize| {
        if i == place && j == place { T::from_real(-1.0) } else { mirrored(i, j) }
    };
    let complex = T::DTYPE.is_complex();
    let symmetric = if complex { Structure::Hermitian } else { Structure::Symmetric };
    let mut all = vec![
        (Structure::Diagonal, build(&|i, j| keep(i == j, raised(i, j, at(i, j))))),
        (Structure::UpperTriangular, build(&|i, j| keep(i <= j, raised(i, j, at(i, j))))),
        (Structure::LowerTriangular, build(&|i, j| keep(i >= j, raised(i, j, at(i, j))))),
        (Structure::Tridiagonal, build(&|i, j| keep(i.abs_diff(j) <= 1, at(i, j)))),
        (Structure::Banded, build(&|i, j| keep(i <= j + 2 && j <= i + 1, at(i, j)))),
        (Structure::PositiveDefinite, build(&|i, j| raised(i, j, mirrored(i, j)))),
        (symmetric, build(&|i, j| signed(i, j, 0))),
        (Structure::General, dense.clone()),
    ];
    if complex {
        all.push((Structure::Symmetric, build(&|i, j| at(i.min(j), i.max(j)))));
    }
    all
}

fn found_out<T: Scalar>() {
    let mut random = Random::new(31);
    for n in [9, 20, 33, 70] {
        for (structure, data) in structured::<T>(n, &mut random) {
            // The narrowest band does not fit the smallest matrix.
            let expected = if structure == Structure::Banded && n < 12 { Structure::General } else { structure };
            let rhs: Vec<T> = random.matrix(n, 2);
            let b = MatrixView::col_major(&rhs, n, 2).unwrap();
            for stored in every_way(&data, n, n) {
                let a = stored.view();
                let what = format!("{} {n} x {n}, {}", structure.name(), stored.name);
                for asked in [Structure::Auto, structure] {
                    let options = SolveOptions { structure: asked, ..SolveOptions::default() };
                    let solution = solve(a, b, options).unwrap();
                    if asked == Structure::Auto {
                        assert_eq!(solution.report.structure, expected.name(), "{what}");
                    }
                    check(&what, residual::<T>(&Dense::of(a), &Dense::of(solution.x.view()), &Dense::of(b)));
                    assert!(solution.report.rcond.is_some_and(|rcond| rcond > 0.0 && rcond <= 1.0), "{what}");
                }
            }
        }
    }
}

#[test]
fn every_structure_is_found_out_and_solved_in_every_layout() {
    for_each_scalar!(found_out);
}

fn guessed_wrong<T: Scalar>() {
    let mut random = Random::new(32);
    let n = 40;
    let (_, mut data) = structured::<T>(n, &mut random).swap_remove(5);
    // Positive on the diagonal, and yet indefinite: Cholesky's factorisation fails at the last pivot.
    let large = T::from_real(100.0 * n as f64);
    (data[n - 1], data[(n - 1) * n]) = (large, large);
    let rhs: Vec<T> = random.matrix(n, 1);
    let b = MatrixView::col_major(&rhs, n, 1).unwrap();
    for stored in every_way(&data, n, n) {
        let a = stored.view();
        let solution = solve(a, b, SolveOptions::default()).unwrap();
        let expected = if T::DTYPE.is_complex() { "hermitian" } else { "symmetric" };
        assert_eq!(solution.report.structure, expected);
        check(stored.name, residual::<T>(&Dense::of(a), &Dense::of(solution.x.view()), &Dense::of(b)));
        let options = SolveOptions { structure: Structure::PositiveDefinite, ..SolveOptions::default() };
        assert_eq!(solve(a, b, options).unwrap_err().code(), Code::NotPositiveDefinite);
    }
    // In A's own memory one triangle is lost before the failure shows, and comes back from the other.
    for mixed_precision in [false, T::DTYPE.size() >= 8 && T::DTYPE.is_complex() == (T::DTYPE.size() == 16)] {
        let mut own = data.clone();
        let mut x = rhs.clone();
        let mut a = BatchViewMut::col_major(&mut own, 1, n, n).unwrap();
        let mut out = BatchViewMut::col_major(&mut x, 1, n, 1).unwrap();
        let options = SolveOptions { mixed_precision, ..SolveOptions::default() };
        let batch_of_b = BatchView::row_major(&rhs, 1, n, 1).unwrap();
        let report = solve_into(Operand::overwritable(&mut a), &batch_of_b, &mut out, options).unwrap();
        assert_eq!(report.copies, 0);
        let a = Dense::of(MatrixView::col_major(&data, n, n).unwrap());
        let x = Dense::of(MatrixView::col_major(&x, n, 1).unwrap());
        check("in place", residual::<T>(&a, &x, &Dense::of(b)));
    }
}

#[test]
fn a_matrix_that_only_looked_definite_is_solved_as_symmetric_but_refused_where_definiteness_was_said() {
    for_each_scalar!(guessed_wrong);
}

#[test]
fn in_a_batch_each_matrix_is_taken_for_what_it_is_and_gives_the_bits_of_a_single_call() {
    let (n, mut random) = (30, Random::new(33));
    let all = structured::<f64>(n, &mut random);
    let data: Vec<f64> = all.iter().flat_map(|(_, matrix)| matrix.clone()).collect();
    let rhs: Vec<f64> = random.matrix(n * all.len(), 1);
    let a = BatchView::row_major(&data, all.len(), n, n).unwrap();
    let b = BatchView::row_major(&rhs, all.len(), n, 1).unwrap();
    let mut x = vec![0.0; n * all.len()];
    let mut out = BatchViewMut::col_major(&mut x, all.len(), n, 1).unwrap();
    let report = solve_into(a.into(), &b, &mut out, SolveOptions::default()).unwrap();
    assert_eq!((report.structure, report.routine), ("several", "several"));
    for (index, (structure, matrix)) in all.iter().enumerate() {
        let a = MatrixView::row_major(matrix, n, n).unwrap();
        let b = MatrixView::col_major(&rhs[index * n..(index + 1) * n], n, 1).unwrap();
        let single = solve(a, b, SolveOptions::default()).unwrap();
        assert_eq!(single.x.as_slice(), &x[index * n..(index + 1) * n], "{}", structure.name());
    }
}

#[test]
fn what_a_band_excludes_is_not_read_and_a_nan_in_it_is_located() {
    let n = 20;
    let mut data = vec![f64::NAN; n * n];
    for i in 0..n {
        for j in i.saturating_sub(1)..(i + 2).min(n) {
            data[i * n + j] = if i == j { 4.0 } else { 1.0 };
        }
    }
    let b = Matrix::from_fn(n, 1, |_, _| 1.0);
    let options = SolveOptions { structure: Structure::Tridiagonal, ..SolveOptions::default() };
    let of = |data: &[f64]| solve(MatrixView::row_major(data, n, n).unwrap(), b.view(), options);
    assert!(of(&data).unwrap().x.as_slice().iter().all(|x| x.is_finite()));
    data[7 * n + 8] = f64::INFINITY;
    let error = of(&data).unwrap_err();
    assert!(error.summary().contains("Inf at row 7, column 8"), "{error}");
}

#[test]
fn singular_bands_name_the_pivot() {
    let n = 12;
    let zero_column = |band: usize| {
        Matrix::from_fn(n, n, |i, j| if i.abs_diff(j) <= band && j != 5 { 3.0 + (i + 2 * j) as f64 } else { 0.0 })
    };
    let b = Matrix::from_fn(n, 1, |_, _| 1.0);
    for (structure, band) in [(Structure::Tridiagonal, 1), (Structure::Banded, 1)] {
        let options = SolveOptions { structure, ..SolveOptions::default() };
        let error = solve(zero_column(band).view(), b.view(), options).unwrap_err();
        assert_eq!(error.code(), Code::Singular, "{error}");
        assert!(error.report().contains("pivot: 5 of 12"), "{}", error.report());
    }
}

fn mixed<T: Scalar>() {
    let mut random = Random::new(34);
    for n in [1, 5, 30, 120] {
        let all = structured::<T>(n, &mut random);
        for index in [5, 7] {
            let (structure, data) = &all[index];
            let rhs: Vec<T> = random.matrix(n, 3);
            let b = MatrixView::row_major(&rhs, n, 3).unwrap();
            for stored in every_way(data, n, n) {
                let a = stored.view();
                for structure in [*structure, Structure::Auto] {
                    let options = SolveOptions { structure, mixed_precision: true, ..SolveOptions::default() };
                    let solution = solve(a, b, options).unwrap();
                    let what = format!("{} {n} x {n}, {}", structure.name(), stored.name);
                    let steps = solution.report.refinements;
                    if structure != Structure::Auto {
                        assert!(steps.is_some_and(|steps| steps >= 0), "{what}: {steps:?}");
                    }
                    check(&what, residual::<T>(&Dense::of(a), &Dense::of(solution.x.view()), &Dense::of(b)));
                }
            }
        }
    }
}

#[test]
fn mixed_precision_gives_double_precisions_accuracy_and_tells_its_steps() {
    mixed::<f64>();
    mixed::<lapack_ai::Complex64>();
}

#[test]
fn where_refinement_cannot_converge_double_precision_steps_in_and_the_steps_are_negative() {
    // Hilbert's matrix: far beyond single precision from order 8 on.
    let hilbert = Matrix::from_fn(9, 9, |i, j| 1.0 / (i + j + 1) as f64);
    let b = Matrix::from_fn(9, 1, |_, _| 1.0);
    for structure in [Structure::General, Structure::PositiveDefinite] {
        let options = SolveOptions { structure, mixed_precision: true, ..SolveOptions::default() };
        let solution = solve(hilbert.view(), b.view(), options).unwrap();
        assert!(solution.report.refinements.unwrap() < 0, "{:?}", solution.report.refinements);
        assert!(solution.report.rcond.unwrap() < 1e-10);
        let (a, b) = (Dense::of(hilbert.view()), Dense::of(b.view()));
        check("hilbert", residual::<f64>(&a, &Dense::of(solution.x.view()), &b));
    }
}

#[test]
fn mixed_precision_of_single_precision_input_is_refused_with_the_way_out() {
    let a = Matrix::from_fn(3, 3, |i, j| if i == j { 2.0_f32 } else { 0.0 });
    let options = SolveOptions { mixed_precision: true, ..SolveOptions::default() };
    let error = solve(a.view(), a.view(), options).unwrap_err();
    assert_eq!(error.code(), Code::BadOption);
    assert!(error.to_string().contains("float64"), "{error}");
}
