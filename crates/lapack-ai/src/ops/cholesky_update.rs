//! The Cholesky factor of `A + x x^H` or `A - x x^H` from that of A, in O(n^2).
//!
//! With `A = L L^H`, a rotation of column k of L with x brings x_k to zero, for k = 1, ..., n:
//!
//! ```text
//!     update:    l' = c l + conj(s) x,          x' = c x - s l,     c = l_k / r, s = x_k / r, r^2 = l_k^2 + |x_k|^2
//!     downdate:  l' = (l - conj(t) x) / c,      x' = c x - t l',    t = x_k / l_k, c^2 = 1 - |t|^2
//! ```
//!
//! The update's rotations are unitary (Givens). The downdate's are hyperbolic, in the mixed form, where x' takes the new l':
//! that is as stable as the problem permits (Bojanczyk, Brent, Van Dooren and de Hoog, SIAM J. Sci. Stat. Comput. 8, 1987;
//! Golub and Van Loan, Matrix Computations, section 6.5.4; LINPACK's xCHUD and xCHDD have the same purpose). If `|t| >= 1`,
//! the leading minor of order k of `A - x x^H` is not positive.
//!
//! The factor is copied to the output first, L by columns and U by rows, so that every rotation runs along memory. U by rows
//! is `conj(L)` by columns, the factor of `conj(A)`: there `conj(x)` takes the place of x.

use super::{CallOptions, assert_output, call, non_finite, require_square_argument, rough_seconds, shape_mismatch};
use crate::batch::{self, Contention, Item, Phase, Plan, Worker};
use crate::intake::{self, Part, Want};
use crate::provider::library;
use crate::report::{Clock, Report};
use crate::workspace::Need;
use lapack_ai_core::{
    Applicability, Argument, BatchView, BatchViewMut, Code, Error, Matrix, MatrixView, MatrixViewMut, Result, Scalar,
};

const OPERATION: &str = "cholesky_update";

/// Options of [`cholesky_update`].
#[derive(Clone, Copy, Debug, Default)]
pub struct CholeskyUpdateOptions {
    /// `A - x x^H` instead of `A + x x^H`.
    pub downdate: bool,
    /// The factor is U with `A = U^H U`, not L with `A = L L^H`.
    pub upper: bool,
    /// What every operation can be told.
    pub call: CallOptions,
}

/// The Cholesky factor of `A + x x^H` (or `A - x x^H`) from that of A: L (column-major), or U (row-major). The diagonal of
/// the result is positive, its other triangle zero; that of the input is not read.
///
/// # Errors
/// `LAP-E001` for NaN or Inf, with the place; `LAP-E002`, `LAP-E003` for shapes; `LAP-E011` with the first leading minor of
/// `A - x x^H` that is not positive; `LAP-E030` to `LAP-E034`, `LAP-E040`.
///
/// # Examples
/// ```
/// use lapack_ai::{CholeskyUpdateOptions, MatrixView, cholesky_update};
/// let l = MatrixView::row_major(&[3.0, 0.0, 0.0, 2.0], 2, 2).unwrap();
/// let x = MatrixView::col_major(&[4.0, 0.0], 2, 1).unwrap();
/// let (updated, _report) = cholesky_update(l, x, CholeskyUpdateOptions::default())?;
/// assert_eq!((updated.get(0, 0), updated.get(1, 0), updated.get(1, 1)), (5.0, 0.0, 2.0));
/// # Ok::<(), lapack_ai::Error>(())
/// ```
pub fn cholesky_update<T: Scalar>(
    factor: MatrixView<'_, T>,
    x: MatrixView<'_, T>,
    options: CholeskyUpdateOptions,
) -> Result<(Matrix<T>, Report)> {
    let zeros = if options.upper { Matrix::zeros_row_major } else { Matrix::zeros };
    let mut updated = zeros(factor.rows(), factor.cols());
    let report = cholesky_update_into(&factor.into(), &x.into(), &mut updated.view_mut().into(), options)?;
    Ok((updated, report))
}

/// As [`cholesky_update`], for a batch, into memory of the caller. `updated` has the batch of x, is column-major (row-major
/// for U), and shares no memory with the factor, which may have fewer batch dimensions or extents of 1.
///
/// # Panics
/// If `updated` does not have the shape or order stated.
///
/// # Errors
/// As [`cholesky_update`]; the error lists every matrix that failed.
pub fn cholesky_update_into<T: Scalar>(
    factor: &BatchView<'_, T>,
    x: &BatchView<'_, T>,
    updated: &mut BatchViewMut<'_, T>,
    options: CholeskyUpdateOptions,
) -> Result<Report> {
    let updated = &*updated;
    let name = if options.upper { "U" } else { "L" };
    let body = |report: &mut Report, timed| {
        let n = require_square_argument(OPERATION, Argument::at(0, "L"), factor)?;
        if (x.rows(), x.cols()) != (n, 1) {
            let text = format!("{name} is {n} x {n}, so x needs {n} elements, not {}", x.rows() * x.cols());
            return Err(shape_mismatch(OPERATION, Argument::at(1, "x"), text));
        }
        let count = x.count();
        assert_output("updated", updated, count, n, n);
        let Some(factors) = factor.broadcast_to(x.batch_shape()) else {
            let (of_l, of_x) = (factor.batch_shape(), x.batch_shape());
            let text = format!("the leading dimensions {of_l:?} of {name} and {of_x:?} of x do not fit together");
            return Err(shape_mismatch(OPERATION, Argument::at(1, "x"), text));
        };
        if n == 0 || count == 0 {
            return Ok(());
        }
        report.count_copy(n * n * count);
        let mut need = Need::default();
        let vector = need.add::<T>(n);
        let plan = Plan {
            count,
            seconds_each: rough_seconds(4.0 * (n * n) as f64),
            threshold: 0.0,
            contention: Contention::None,
            need,
        };
        let item = |worker: &Worker, index| {
            let mut item = Item::default();
            let mut clock = Clock::start(timed);
            // SAFETY: the scratch holds n elements.
            let vector = unsafe { std::slice::from_raw_parts_mut(worker.scratch.at(vector), n) };
            // SAFETY: each matrix of the output is taken once, by this call.
            let updated = unsafe { updated.matrix(index) };
            let mut target = take_in(factors.matrix(index), x.matrix(index), updated, vector, options)?;
            item.lap(&mut clock, Phase::Intake);
            rotate(&mut target, vector, options.downdate)?;
            item.lap(&mut clock, Phase::Compute);
            Ok(item)
        };
        batch::run(library()?, plan, report, item)?.conclude(report).map(|_| ())
    };
    call::<T, ()>(OPERATION, (factor.rows(), factor.cols(), x.count()), options.call, body).map(|((), report)| report)
}

/// Copies the factor (U as its transpose) and x (for U conjugated), and clears the other triangle.
fn take_in<'a, T: Scalar>(
    factor: MatrixView<'_, T>,
    x: MatrixView<'_, T>,
    updated: MatrixViewMut<'a, T>,
    vector: &mut [T],
    options: CholeskyUpdateOptions,
) -> Result<MatrixViewMut<'a, T>> {
    let (n, check) = (vector.len(), options.call.check_finite);
    let (stored, mut target) =
        if options.upper { (factor.transposed(), updated.transposed()) } else { (factor, updated) };
    let ld = target.col_major_lda().expect("L is column-major, U row-major");
    // SAFETY: the output holds n x n elements, and is not the input.
    let swept = unsafe { intake::copy(stored, Part::Lower, target.as_mut_ptr(), ld, Want::Finite) };
    if check && !swept.finite {
        let read = if options.upper { Part::Upper } else { Part::Lower };
        return Err(non_finite(OPERATION, Argument::at(0, "L"), factor, read));
    }
    for (i, element) in vector.iter_mut().enumerate() {
        *element = if options.upper { x.get(i, 0).conj() } else { x.get(i, 0) };
        if check && !element.is_finite() {
            return Err(non_finite(OPERATION, Argument::at(1, "x"), x, Part::Full));
        }
    }
    for column in 1..n {
        // SAFETY: the rows above the diagonal of this column.
        unsafe { std::slice::from_raw_parts_mut(target.as_mut_ptr().add(column * ld), column) }.fill(T::ZERO);
    }
    Ok(target)
}

fn rotate<T: Scalar>(target: &mut MatrixViewMut<'_, T>, x: &mut [T], downdate: bool) -> Result<()> {
    let n = x.len();
    let ld = target.col_major_lda().expect("column-major");
    for k in 0..n {
        // SAFETY: rows k to n of column k.
        let column = unsafe { std::slice::from_raw_parts_mut(target.as_mut_ptr().add(k * ld + k), n - k) };
        make_diagonal_positive(column);
        let (l_k, x_k) = (column[0].re_f64(), x[k]);
        let size = x_k.modulus();
        let rest = column.iter_mut().zip(&mut x[k..]).skip(1);
        if downdate {
            let ratio = size / l_k;
            if size == 0.0 && l_k > 0.0 {
                continue;
            }
            // NaN comes from an element that is NaN, or from two zeros.
            if ratio.is_nan() || ratio >= 1.0 {
                return Err(lost(k + 1, n));
            }
            let cosine = ((1.0 - ratio) * (1.0 + ratio)).sqrt();
            let (c, t) = (T::from_real(cosine), x_k.div(T::from_real(l_k)));
            let inverse = T::from_real(1.0 / cosine);
            for (l, x) in rest {
                *l = l.sub(t.conj().mul(*x)).mul(inverse);
                *x = x.mul(c).sub(t.mul(*l));
            }
            column[0] = T::from_real(l_k * cosine);
        } else {
            let r = l_k.hypot(size);
            if size == 0.0 || r == 0.0 {
                continue;
            }
            let (c, s) = (T::from_real(l_k / r), x_k.div(T::from_real(r)));
            for (l, x) in rest {
                let old = *l;
                *l = old.mul(c).add(s.conj().mul(*x));
                *x = x.mul(c).sub(s.mul(old));
            }
            column[0] = T::from_real(r);
        }
    }
    Ok(())
}

/// A column of L may carry any factor of modulus 1: it cancels in `L L^H`.
fn make_diagonal_positive<T: Scalar>(column: &mut [T]) {
    let diagonal = column[0].to_complex128();
    if diagonal.im == 0.0 && diagonal.re >= 0.0 || column[0] == T::ZERO {
        return;
    }
    let size = column[0].modulus();
    let phase = T::from_complex128(diagonal.conj() / size);
    column.iter_mut().for_each(|element| *element = element.mul(phase));
    column[0] = T::from_real(size);
}

#[cold]
fn lost(order: usize, n: usize) -> Error {
    let text = format!("A - x x^H is not positive definite, from minor {order} of {n} on");
    Error::text(Code::NotPositiveDefinite, OPERATION, text)
        .argument(Argument::at(1, "x"))
        .because("x takes away more than there is of A in its direction: inv(L) x has a norm of 1 or more")
        .fix(Applicability::NeedsValue, "scale x down, or make sure that x x^H was once added to A.")
}
