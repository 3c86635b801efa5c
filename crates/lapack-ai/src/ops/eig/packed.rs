//! LAPACK's packed form of complex eigenvalues of real matrices, and the way out of it.
//!
//! The real drivers return real and imaginary parts of eigenvalues in two arrays. Complex eigenvalues come in conjugate
//! pairs, the one with the positive imaginary part first, and the vectors of such a pair, `x + i y` and `x - i y`, as the
//! two real columns x and y. Where all eigenvalues are real, the packed form is the result itself.

use lapack_ai_core::{BatchView, BatchViewMut, MatrixView, Real, Scalar};

/// Whether every imaginary part is zero: then the packed form has nothing to unpack.
pub fn all_real<T: Scalar>(imaginary: &BatchView<'_, T>) -> bool {
    (0..imaginary.count()).all(|index| {
        let imaginary = imaginary.matrix(index);
        (0..imaginary.rows()).all(|j| imaginary.get(j, 0) == T::ZERO)
    })
}

/// Complex eigenvalues from their parts, n x 1 each. Without `imaginary`, the values are what `values` holds.
///
/// # Panics
/// If the shapes differ.
pub fn join_eigenvalues<T: Scalar>(
    values: &BatchView<'_, T>,
    imaginary: Option<&BatchView<'_, T>>,
    out: &mut BatchViewMut<'_, T::Complex>,
) {
    assert_eq!((values.count(), values.rows()), (out.count(), out.rows()), "(matrices, values)");
    for index in 0..values.count() {
        let (values, imaginary) = (values.matrix(index), imaginary.map(|parts| parts.matrix(index)));
        // SAFETY: `out` is borrowed exclusively, and one matrix is taken at a time.
        let mut out = unsafe { out.matrix(index) };
        for j in 0..values.rows() {
            out.set(j, 0, joined(values, imaginary, j));
        }
    }
}

/// Eigenvalues `alpha / beta`. Where beta is zero: Inf, or NaN if alpha is zero too (a singular pencil), as SciPy says it.
///
/// # Panics
/// If the shapes differ.
pub fn eigenvalue_quotients<T: Scalar>(
    alpha: &BatchView<'_, T>,
    imaginary: Option<&BatchView<'_, T>>,
    beta: &BatchView<'_, T>,
    out: &mut BatchViewMut<'_, T::Complex>,
) {
    let counts = (alpha.count(), alpha.rows());
    assert!(counts == (out.count(), out.rows()) && counts == (beta.count(), beta.rows()), "(matrices, values)");
    for index in 0..alpha.count() {
        let (alpha, imaginary) = (alpha.matrix(index), imaginary.map(|parts| parts.matrix(index)));
        let beta = beta.matrix(index);
        // SAFETY: as above.
        let mut out = unsafe { out.matrix(index) };
        for j in 0..alpha.rows() {
            let numerator = joined(alpha, imaginary, j);
            // The drivers scale beta to be real, and not negative.
            let denominator = beta.get(j, 0).re();
            let quotient = if denominator != T::Real::ZERO {
                T::complex(numerator.re().div(denominator), numerator.im().div(denominator))
            } else if numerator == T::Complex::ZERO {
                T::complex(T::Real::from_f64(f64::NAN), T::Real::ZERO)
            } else {
                T::complex(T::Real::from_f64(f64::INFINITY), T::Real::ZERO)
            };
            out.set(j, 0, quotient);
        }
    }
}

#[inline]
fn joined<T: Scalar>(values: MatrixView<'_, T>, imaginary: Option<MatrixView<'_, T>>, j: usize) -> T::Complex {
    let value = values.get(j, 0);
    T::complex(value.re(), imaginary.map_or(value.im(), |parts| parts.get(j, 0).re()))
}

/// Complex eigenvectors from packed ones, n x n each. Without `imaginary`, the vectors are what `packed` holds.
///
/// # Panics
/// If the shapes differ.
pub fn join_eigenvectors<T: Scalar>(
    imaginary: Option<&BatchView<'_, T>>,
    packed: &BatchView<'_, T>,
    out: &mut BatchViewMut<'_, T::Complex>,
) {
    let shape = (packed.count(), packed.rows(), packed.cols());
    assert_eq!(shape, (out.count(), out.rows(), out.cols()), "(matrices, rows, columns)");
    for index in 0..packed.count() {
        let packed = packed.matrix(index);
        let imaginary = imaginary.map(|parts| parts.matrix(index));
        // SAFETY: as above.
        let mut out = unsafe { out.matrix(index) };
        let n = packed.cols();
        let mut j = 0;
        while j < n {
            if !imaginary.is_some_and(|parts| starts_a_pair(parts, j)) {
                for i in 0..packed.rows() {
                    let value = packed.get(i, j);
                    out.set(i, j, T::complex(value.re(), value.im()));
                }
                j += 1;
                continue;
            }
            for i in 0..packed.rows() {
                let (x, y) = (packed.get(i, j).re(), packed.get(i, j + 1).re());
                let value = T::complex(x, y);
                out.set(i, j, value);
                out.set(i, j + 1, value.conj());
            }
            j += 2;
        }
    }
}

/// Where eigenvalues j and j + 1 are a conjugate pair. One imaginary part may have underflowed when LAPACK undid its
/// scaling; the other tells.
fn starts_a_pair<T: Scalar>(imaginary: MatrixView<'_, T>, j: usize) -> bool {
    let part = |j: usize| imaginary.get(j, 0).re();
    j + 1 < imaginary.rows() && (part(j) > T::Real::ZERO || part(j + 1) < T::Real::ZERO)
}
