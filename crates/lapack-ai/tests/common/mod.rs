//! Test matrices, and LAPACK's test ratios with their two levels.
//!
//! All checks are done in complex double precision on the exact values that the operation saw, so that the check's own
//! rounding stays below what is measured.
#![allow(dead_code, reason = "each test file uses a part")]

use lapack_ai::{BatchView, Complex64, MatrixView, Real, Scalar};

/// A ratio above this fails: LAPACK's own threshold.
pub(crate) const FAIL: f64 = 30.0;
/// A ratio above this is printed.
pub(crate) const WARN: f64 = 10.0;

/// Two-level check of a residual in units of `n eps`.
pub(crate) fn check(what: &str, ratio: f64) {
    assert!(ratio <= FAIL, "{what}: ratio {ratio:.1} exceeds {FAIL}");
    if ratio > WARN {
        eprintln!("warning: {what}: ratio {ratio:.1}");
    }
}

/// A dense matrix for checking, row-major.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) data: Vec<Complex64>,
}

impl Dense {
    pub(crate) fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> Complex64) -> Self {
        let data = (0..rows * cols).map(|k| f(k / cols.max(1), k % cols.max(1))).collect();
        Self { rows, cols, data }
    }

    pub(crate) fn of<T: Scalar>(view: MatrixView<'_, T>) -> Self {
        Self::from_fn(view.rows(), view.cols(), |i, j| view.get(i, j).to_complex128())
    }

    pub(crate) fn at(&self, i: usize, j: usize) -> Complex64 {
        self.data[i * self.cols + j]
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        assert_eq!(self.cols, other.rows);
        Self::from_fn(self.rows, other.cols, |i, j| (0..self.cols).map(|k| self.at(i, k) * other.at(k, j)).sum())
    }

    pub(crate) fn adjoint(&self) -> Self {
        Self::from_fn(self.cols, self.rows, |i, j| self.at(j, i).conj())
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        Self::from_fn(self.rows, self.cols, |i, j| self.at(i, j) - other.at(i, j))
    }

    pub(crate) fn scaled(&self, factor: f64) -> Self {
        Self::from_fn(self.rows, self.cols, |i, j| self.at(i, j) * factor)
    }

    /// Column j times `factors[j]`.
    pub(crate) fn times_diagonal(&self, factors: &[f64]) -> Self {
        Self::from_fn(self.rows, self.cols, |i, j| self.at(i, j) * factors[j])
    }

    pub(crate) fn leading_columns(&self, cols: usize) -> Self {
        Self::from_fn(self.rows, cols, |i, j| self.at(i, j))
    }

    pub(crate) fn leading_rows(&self, rows: usize) -> Self {
        Self::from_fn(rows, self.cols, |i, j| self.at(i, j))
    }

    /// Largest column sum of moduli; NaN if there is one.
    pub(crate) fn norm1(&self) -> f64 {
        let sums = (0..self.cols).map(|j| (0..self.rows).map(|i| self.at(i, j).norm()).sum::<f64>());
        sums.fold(0.0, |norm, sum: f64| if sum > norm || sum.is_nan() { sum } else { norm })
    }

    pub(crate) fn identity(n: usize) -> Self {
        Self::from_fn(n, n, |i, j| Complex64::new(f64::from(u8::from(i == j)), 0.0))
    }

    /// `norm(I - A^H A) / (rows eps)`.
    pub(crate) fn orthogonality<T: Scalar>(&self) -> f64 {
        let defect = self.adjoint().times(self).minus(&Self::identity(self.cols));
        defect.norm1() / (self.rows.max(1) as f64 * T::Real::EPSILON)
    }
}

/// `norm(residual) / (n eps norm(scale))`, with the spacing of denormal numbers as the least error there can be.
pub(crate) fn ratio<T: Scalar>(residual: &Dense, scale: f64, n: usize) -> f64 {
    let denormal = T::Real::MIN_POSITIVE * T::Real::EPSILON;
    let unit = (scale * T::Real::EPSILON).max(denormal) * n.max(1) as f64;
    residual.norm1() / unit
}

/// Uniform numbers in (-1, 1), reproducible.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn real(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (((self.real() + 1.0) / 2.0) * bound as f64) as usize % bound.max(1)
    }

    pub(crate) fn scalar<T: Scalar>(&mut self) -> T {
        T::from_complex128(Complex64::new(self.real(), self.real()))
    }

    /// Row-major.
    pub(crate) fn matrix<T: Scalar>(&mut self, rows: usize, cols: usize) -> Vec<T> {
        (0..rows * cols).map(|_| self.scalar()).collect()
    }
}

/// Matrices with names, row-major, n x n, that linear algebra finds hard. `Hermitian` ones are marked.
pub(crate) fn special<T: Scalar>(n: usize) -> Vec<(&'static str, Vec<T>)> {
    let mut random = Random::new(n as u64 + 7);
    let real =
        |f: &dyn Fn(usize, usize) -> f64| -> Vec<T> { (0..n * n).map(|k| T::from_real(f(k / n, k % n))).collect() };
    let tiny = T::Real::MIN_POSITIVE / 16.0;
    let largest = if T::Real::EPSILON > 1e-10 { f64::from(f32::MAX) } else { f64::MAX };
    let huge = largest / (4.0 * (n * n) as f64);
    let (u, v): (Vec<T>, Vec<T>) = (random.matrix(n, 1), random.matrix(n, 1));
    let (sine, cosine) = (1.2_f64.sin(), 1.2_f64.cos());
    let kahan = |i: usize, j: usize| match i.cmp(&j) {
        std::cmp::Ordering::Greater => 0.0,
        std::cmp::Ordering::Equal => sine.powi(i as i32),
        std::cmp::Ordering::Less => -cosine * sine.powi(i as i32),
    };
    let wilkinson = |i: usize, j: usize| {
        if i == j || j + 1 == n {
            1.0
        } else if i > j {
            -1.0
        } else {
            0.0
        }
    };
    // The discrete cosine transform is orthogonal.
    let orthogonal = |i: usize, j: usize| {
        let scale = if i == 0 { (1.0 / n as f64).sqrt() } else { (2.0 / n as f64).sqrt() };
        scale * (std::f64::consts::PI * (j as f64 + 0.5) * i as f64 / n as f64).cos()
    };
    let noise: Vec<T> = random.matrix(n, n);
    vec![
        ("random", noise.clone()),
        ("zero", real(&|_, _| 0.0)),
        ("identity", real(&|i, j| f64::from(u8::from(i == j)))),
        ("rank one", (0..n * n).map(|k| u[k / n].mul(v[k % n])).collect()),
        ("all ones", real(&|_, _| 1.0)),
        ("graded", (0..n * n).map(|k| noise[k].mul(T::from_real(0.1_f64.powi((k / n + k % n) as i32 / 2)))).collect()),
        ("hilbert", real(&|i, j| 1.0 / (i + j + 1) as f64)),
        ("kahan", real(&kahan)),
        ("wilkinson", real(&wilkinson)),
        ("orthogonal", real(&orthogonal)),
        ("denormal", noise.iter().map(|x| x.mul(T::from_real(tiny))).collect()),
        ("near overflow", noise.iter().map(|x| x.mul(T::from_real(huge))).collect()),
        ("clustered", real(&|i, j| if i == j { 1.0 + 1e-7 * i as f64 } else { 1e-9 })),
    ]
}

/// Whether the library is MKL, which is wrong for some matrices, called directly too (MKL 2026.2): denormal ones, for which
/// `xGESVD` up to order 5 does not scale its input and the complex `xGEQRF` gives NaN, and the matrix of ones of order 20,
/// on which `DGEEV` does not converge.
#[allow(dead_code, reason = "not every test file has such matrices")]
pub(crate) fn is_mkl() -> bool {
    lapack_ai::provider().unwrap().library.vendor().contains("Math Kernel Library")
}

/// `(A + A^H) / 2` of row-major data, without overflow.
pub(crate) fn hermitian_part<T: Scalar>(a: &[T], n: usize) -> Vec<T> {
    let half = T::from_real(0.5);
    (0..n * n).map(|k| a[k].mul(half).add(a[(k % n) * n + k / n].conj().mul(half))).collect()
}

/// `B B^H + n I`, B random: positive definite.
pub(crate) fn positive_definite<T: Scalar>(random: &mut Random, n: usize) -> Vec<T> {
    let b: Vec<T> = random.matrix(n, n);
    let element = |i: usize, j: usize| {
        let sum = (0..n).fold(T::ZERO, |sum, k| sum.add(b[i * n + k].mul(b[j * n + k].conj())));
        if i == j { T::from_real(sum.re_f64() + n as f64) } else { sum }
    };
    (0..n * n).map(|k| element(k / n, k % n)).collect()
}

/// One matrix in memory in every way that a caller may hold it.
pub(crate) struct Stored<T> {
    pub(crate) name: &'static str,
    buffer: Vec<T>,
    offset: usize,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
}

impl<T: Scalar> Stored<T> {
    pub(crate) fn view(&self) -> MatrixView<'_, T> {
        let start = self.buffer[self.offset.min(self.buffer.len() - 1)..].as_ptr();
        // SAFETY: `every_way` laid the elements out by these strides inside the buffer.
        unsafe { MatrixView::from_raw(start, self.rows, self.cols, self.row_stride, self.col_stride) }
    }
}

/// Row-major data stored in row-major, column-major, padded, doubly strided and reversed form. Gaps hold NaN, so that
/// reading them shows.
pub(crate) fn every_way<T: Scalar>(data: &[T], rows: usize, cols: usize) -> Vec<Stored<T>> {
    let (r, c) = (rows as isize, cols as isize);
    let forms: [(&'static str, isize, isize, usize); 7] = [
        ("row-major", c, 1, 0),
        ("column-major", 1, r, 0),
        ("row-major, lda > n", c + 3, 1, 0),
        ("column-major, lda > m", 1, r + 2, 0),
        ("strided", 2 * c + 3, 2, 0),
        ("reversed rows", -c, 1, (rows.max(1) - 1) * cols),
        ("reversed columns", 1, -r, (cols.max(1) - 1) * rows),
    ];
    forms
        .into_iter()
        .map(|(name, row_stride, col_stride, offset)| {
            let length = (2 * cols + 3) * rows + 2 * cols + (rows + 2) * cols + 4;
            let mut buffer = vec![T::from_real(f64::NAN); length];
            for i in 0..rows {
                for j in 0..cols {
                    let at = offset as isize + i as isize * row_stride + j as isize * col_stride;
                    buffer[at as usize] = data[i * cols + j];
                }
            }
            Stored { name, buffer, offset, rows, cols, row_stride, col_stride }
        })
        .collect()
}

/// Runs a generic test for all four types.
#[macro_export]
macro_rules! for_each_scalar {
    ($test:ident) => {
        $test::<f32>();
        $test::<f64>();
        $test::<lapack_ai::Complex32>();
        $test::<lapack_ai::Complex64>();
    };
}

/// A contiguous batch of row-major matrices.
pub(crate) fn batch_of<T: Scalar>(data: &[T], count: usize, rows: usize, cols: usize) -> BatchView<'_, T> {
    BatchView::row_major(data, count, rows, cols).expect("count * rows * cols elements")
}
