//! What a scheme costs in operations and in accuracy, apart from any program for it.

use crate::dyadic::Dyadic;
use crate::scheme::{Form, Scheme};

impl Scheme {
    /// Additions of the forms as they stand, each for itself: elements of A, of B, products.
    pub fn plain_additions(&self) -> [usize; 3] {
        let terms = |forms: &[Form]| forms.iter().map(Vec::len).sum::<usize>();
        let rank = self.rank();
        [terms(&self.u) - rank, terms(&self.v) - rank, terms(&self.w) - self.m * self.k]
    }

    /// The stability factor in the maximum norm,
    ///
    /// ```text
    ///     e = max_z sum_r |w_r(z)| |u_r|_1 |v_r|_1,
    /// ```
    ///
    /// of D. Bini and G. Lotti, Stability of fast algorithms for matrix multiplication, Numerische Mathematik 36 (1980), in the
    /// form of G. Ballard, A. R. Benson, A. Druinsky, B. Lipshitz, O. Schwartz, Improving the numerical stability of fast
    /// matrix multiplication, SIAM Journal on Matrix Analysis and Applications 37 (2016). It is the growth of the error with
    /// each level of recursion: that of t levels is bounded by `e^t` times a term that is linear in t. `n` for the definition
    /// of the product.
    pub fn stability_factor(&self) -> Dyadic {
        let norm = |form: &Form| form.iter().fold(Dyadic::ZERO, |sum, term| sum + term.1.abs());
        let mut sums = vec![Dyadic::ZERO; self.m * self.k];
        for ((u, v), w) in self.u.iter().zip(&self.v).zip(&self.w) {
            for &(z, factor) in w {
                sums[z] = sums[z] + factor.abs() * norm(u) * norm(v);
            }
        }
        sums.into_iter().max_by(|x, y| x.to_f64().total_cmp(&y.to_f64())).unwrap_or(Dyadic::ZERO)
    }

    /// The growth factor in the 2-norm, `sum_r |u_r|_2 |v_r|_2 |w_r|_2`, of J.-G. Dumas, C. Pernet, A. Sedoglavic, Strassen's
    /// algorithm is not optimally accurate, ISSAC 2024.
    pub fn growth_factor(&self) -> f64 {
        let norm = |form: &Form| form.iter().map(|term| term.1.to_f64().powi(2)).sum::<f64>().sqrt();
        self.u.iter().zip(&self.v).zip(&self.w).map(|((u, v), w)| norm(u) * norm(v) * norm(w)).sum()
    }
}
