//! Products with a choice of algorithm: every algorithm, layout and size within its error bound, batches, refusals.

mod common;

use common::Random;
use lapack_ai::ops::gemm_alpha::ways::{self, Way};
use lapack_ai::{
    BatchView, BatchViewMut, Code, GemmAlgorithm, GemmAlphaOptions, GemmScalar, MatrixView, MatrixViewMut, Scalar,
    gemm_alpha, gemm_alpha_into,
};

/// A matrix in one of the layouts of memory: row-major, column-major, every second element.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Rows,
    Columns,
    Strided,
}

const LAYOUTS: [Layout; 3] = [Layout::Rows, Layout::Columns, Layout::Strided];

impl Layout {
    fn strides(self, rows: usize, cols: usize) -> (isize, isize) {
        let (rows, cols) = (rows as isize, cols as isize);
        match self {
            Layout::Rows => (cols + 1, 1),
            Layout::Columns => (1, rows + 2),
            Layout::Strided => (2, 2 * rows + 1),
        }
    }
}

fn view<T: Scalar>(data: &[T], rows: usize, cols: usize, layout: Layout) -> MatrixView<'_, T> {
    let (row, col) = layout.strides(rows, cols);
    assert!(data.len() > (rows as isize * row + cols as isize * col) as usize);
    // SAFETY: the last element lies inside, as was just checked.
    unsafe { MatrixView::from_raw(data.as_ptr(), rows, cols, row, col) }
}

fn keeps_its_bound<T: GemmScalar>() {
    let mut random = Random::new(7);
    let algorithms = [None].into_iter().chain(GemmAlgorithm::ALL.map(Some));
    for (algorithm, [m, n, k]) in algorithms
        .flat_map(|a| [[4, 4, 4], [1, 1, 1], [3, 6, 9], [8, 8, 8], [17, 64, 5], [67, 9, 66]].map(|sizes| (a, sizes)))
    {
        for layout_a in LAYOUTS {
            for (layout_c, [flip_a, flip_b], [alpha, beta]) in [
                (Layout::Rows, [false, true], [1.0, 0.0]),
                (Layout::Columns, [true, false], [-0.5, 2.0]),
                (Layout::Rows, [true, true], [0.0, 0.5]),
            ] {
                let (ar, ac) = if flip_a { (k, m) } else { (m, k) };
                let (br, bc) = if flip_b { (n, k) } else { (k, n) };
                let size = 3 * 68 * 70;
                let (a, b, before): (Vec<T>, Vec<T>, Vec<T>) =
                    (random.matrix(size, 1), random.matrix(size, 1), random.matrix(size, 1));
                let (a, b) = (view(&a, ar, ac, layout_a), view(&b, br, bc, Layout::Columns));
                let mut after = before.clone();
                let (row, col) = layout_c.strides(m, n);
                // SAFETY: as for `view`, whose check this memory passes too.
                let mut c = unsafe { MatrixViewMut::from_raw(after.as_mut_ptr(), m, n, row, col) }.into();
                let options =
                    GemmAlphaOptions { transpose: [flip_a, flip_b], algorithm, ..GemmAlphaOptions::default() };
                let factors = [alpha, beta].map(T::from_real);
                let report = gemm_alpha_into(factors[0], &a.into(), &b.into(), factors[1], &mut c, options).unwrap();
                let what = format!("{algorithm:?} {m} x {n} x {k} {layout_a:?} {layout_c:?} {}", T::DTYPE.name());
                let expected = algorithm.map_or("classical", GemmAlgorithm::name);
                assert_eq!(
                    (report.algorithm, report.copies),
                    (expected, usize::from(ar > 1 && layout_a == Layout::Strided)),
                    "{what}"
                );
                let choice = ways::choose(algorithm, None, m, n, k).unwrap();
                let (a, b) = (if flip_a { a.transposed() } else { a }, if flip_b { b.transposed() } else { b });
                let largest = |x: MatrixView<'_, T>| {
                    let elements = (0..x.rows()).flat_map(|i| (0..x.cols()).map(move |j| x.get(i, j).modulus()));
                    elements.fold(0.0, f64::max)
                };
                // That of the product, and the roundings of the two factors.
                let terms = alpha.abs() * k as f64 * largest(a) * largest(b) + beta.abs() * 2.0;
                let allowed = alpha.abs() * choice.bound * largest(a) * largest(b) + 3.0 * terms;
                let eps = T::EPSILON;
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let at = (i as isize * row + j as isize * col) as usize;
                    let sum: f64 = (0..k).map(|l| a.get(i, l).re_f64() * b.get(l, j).re_f64()).sum();
                    let expected = alpha * sum + beta * before[at].re_f64();
                    let error = (after[at].re_f64() - expected).abs();
                    // The reference itself is a sum in double precision.
                    let allowed = allowed * eps / 2.0 + (k * k) as f64 * f64::EPSILON;
                    assert!(error <= allowed, "{what}, ({i}, {j}): {error:e} > {allowed:e}");
                }
            }
        }
    }
}

#[test]
fn every_algorithm_keeps_its_bound_in_every_layout_and_size() {
    keeps_its_bound::<f64>();
    keeps_its_bound::<f32>();
}

#[test]
fn a_batch_broadcasts_and_equals_single_products() {
    let mut random = Random::new(3);
    let (a, b): (Vec<f64>, Vec<f64>) = (random.matrix(5000 * 16, 1), random.matrix(16, 1));
    let batch = BatchView::row_major(&a, 5000, 4, 4).unwrap();
    let one = MatrixView::row_major(&b, 4, 4).unwrap();
    let mut c = vec![0.0; 5000 * 16];
    let mut out = BatchViewMut::col_major(&mut c, 5000, 4, 4).unwrap();
    let options = GemmAlphaOptions { algorithm: Some(GemmAlgorithm::AlphaTensor), ..GemmAlphaOptions::default() };
    gemm_alpha_into(1.0, &batch, &one.into(), 0.0, &mut out, options).unwrap();
    for index in [0, 1, 2500, 4999] {
        let (single, _) = gemm_alpha(1.0, batch.matrix(index), one, options).unwrap();
        for (i, j) in (0..4).flat_map(|i| (0..4).map(move |j| (i, j))) {
            let (ours, theirs) = (c[index * 16 + i + 4 * j], single.as_slice()[4 * i + j]);
            // Row-major and column-major results are computed as transposes of one another.
            assert!((ours - theirs).abs() < 2.0 * 2461.0 * f64::EPSILON, "{index}: {ours} {theirs}");
        }
    }
}

#[test]
fn without_beta_c_is_not_read_and_without_alpha_neither_are_the_factors() {
    let nan = [f64::NAN; 16];
    let (ones, of_nan) = (MatrixView::row_major(&[1.0; 16], 4, 4).unwrap(), MatrixView::row_major(&nan, 4, 4).unwrap());
    let mut c = nan;
    let mut out: BatchViewMut<'_, f64> = BatchViewMut::col_major(&mut c, 1, 4, 4).unwrap();
    gemm_alpha_into(1.0, &ones.into(), &ones.into(), 0.0, &mut out, GemmAlphaOptions::default()).unwrap();
    gemm_alpha_into(0.0, &of_nan.into(), &of_nan.into(), 0.5, &mut out, GemmAlphaOptions::default()).unwrap();
    assert_eq!(c, [2.0; 16]);
}

#[test]
fn the_report_says_algorithm_and_reason() {
    let data = [1.0; 65 * 65];
    let square = |n: usize| MatrixView::row_major(&data[..n * n], n, n).unwrap();
    let reason = |n, algorithm, accuracy| {
        let options = GemmAlphaOptions { algorithm, accuracy, ..GemmAlphaOptions::default() };
        let (_, report) = gemm_alpha(1.0, square(n), square(n), options).unwrap();
        (report.algorithm, report.routine, report.reason.into_owned())
    };
    let text = |text: &str| text.to_string();
    let own = text("the fastest; own kernels, error bound 12");
    assert_eq!(reason(4, None, None), ("classical", "gemm_alpha", own));
    let capped = text("the fastest within the accuracy asked for; the BLAS, error bound 4225");
    assert_eq!(reason(65, None, Some(5000.0)), ("classical", "gemm", capped));
    let asked = text("asked for; own kernels, error bound 1948");
    assert_eq!(reason(8, Some(GemmAlgorithm::Strassen), None), ("strassen", "gemm_alpha", asked));
    let on_blocks = text("asked for; own kernels on blocks, error bound 73984");
    assert_eq!(reason(65, Some(GemmAlgorithm::Strassen), None), ("strassen", "gemm_alpha", on_blocks));
}

#[test]
fn what_cannot_be_had_is_an_error_that_names_the_keyword() {
    let data = vec![1.0; 4097];
    let (a, small) =
        (MatrixView::row_major(&data, 4097, 1).unwrap(), MatrixView::row_major(&data[..16], 4, 4).unwrap());
    let refused = |matrix, algorithm, accuracy| {
        let options = GemmAlphaOptions { algorithm, accuracy, ..GemmAlphaOptions::default() };
        gemm_alpha(1.0, matrix, matrix.transposed(), options).unwrap_err()
    };
    for (error, keyword) in [
        (refused(small, Some(GemmAlgorithm::Rank48), Some(100.0)), "accuracy"),
        (refused(small, None, Some(f64::NAN)), "accuracy"),
    ] {
        assert_eq!(
            (error.code(), error.argument_at_fault().map(|argument| argument.name)),
            (Code::BadOption, Some(keyword)),
            "{error}"
        );
    }
    let error = gemm_alpha(1.0, a, small, GemmAlphaOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::ShapeMismatch);
    assert_eq!(ways::choose(None, None, 4, 4, 4).map(|choice| choice.way), Ok(Way::Kernel));
}
