//! Into which pieces a product is cut, so that each fits a device.
//!
//! `C = A B` with A m x k, B k x n needs `(m k + k n + m n) size` bytes on the device for each matrix of a batch, less where
//! an operand is shared by the batch. The need is known before anything is allocated. Where it is above the budget:
//!
//! * a batch goes in runs of as many matrices as fit;
//! * a single product is cut along m, n and k, always along what shortens the largest of the three matrices, until a block
//!   of each fits. Products of blocks along k are added up on the device (beta = 1).
//!
//! While one piece comes back the next is already there, so two of them must fit.

use lapack_ai_opencl::{Fault, FaultKind};

/// The sizes of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extents {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) batch: usize,
    /// Bytes of an element.
    pub(crate) size: usize,
    /// Whether one A, or one B, serves the whole batch.
    pub(crate) shared: [bool; 2],
}

/// How it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Matrices of a piece.
    pub(crate) batch: usize,
    /// Extents of a block: the whole matrix where the batch is cut or nothing is.
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

/// Bytes that a device has for a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// In all.
    pub(crate) total: usize,
    /// In one buffer.
    pub(crate) largest: usize,
}

impl Extents {
    /// Bytes of A, B and C for `batch` matrices of blocks `m` x `k`, `k` x `n`.
    fn bytes(&self, cut: Cut) -> [usize; 3] {
        let times = |shared: bool| if shared { 1 } else { cut.batch };
        let product = |a: usize, b: usize, c: usize| a.saturating_mul(b).saturating_mul(c).saturating_mul(self.size);
        [
            product(cut.m, cut.k, times(self.shared[0])),
            product(cut.k, cut.n, times(self.shared[1])),
            product(cut.m, cut.n, cut.batch),
        ]
    }

    /// Bytes that the whole product needs.
    pub(crate) fn need(&self) -> usize {
        self.bytes(self.whole()).iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    pub(crate) fn whole(&self) -> Cut {
        Cut { batch: self.batch, m: self.m, n: self.n, k: self.k }
    }

    fn fits(&self, cut: Cut, budget: Budget) -> bool {
        let bytes = self.bytes(cut);
        bytes.iter().all(|&bytes| bytes <= budget.largest)
            && bytes.iter().fold(0_usize, |sum, bytes| sum.saturating_add(*bytes)) <= budget.total
    }

    /// Pieces that a cut makes.
    pub(crate) fn pieces(&self, cut: Cut) -> usize {
        let along = |extent: usize, block: usize| extent.div_ceil(block.max(1)).max(1);
        along(self.batch, cut.batch) * along(self.m, cut.m) * along(self.n, cut.n) * along(self.k, cut.k)
    }

    /// The largest cut that fits, with at most `most` matrices a piece.
    ///
    /// # Errors
    /// `OutOfMemory` if not even the smallest block fits.
    pub(crate) fn cut(&self, budget: Budget, most: usize) -> Result<Cut, Fault> {
        let whole = Cut { batch: self.batch.min(most.max(1)), ..self.whole() };
        if self.fits(whole, budget) {
            return Ok(whole);
        }
        // From here on two pieces share the budget.
        let half = Budget { total: budget.total / 2, ..budget };
        let one = Cut { batch: 1, ..whole };
        if self.fits(one, half) {
            // The largest run that fits, by bisection: `fits` is monotonous in the number of matrices.
            let (mut fit, mut too_many) = (1, whole.batch + 1);
            while too_many - fit > 1 {
                let middle = fit + (too_many - fit) / 2;
                if self.fits(Cut { batch: middle, ..whole }, half) { fit = middle } else { too_many = middle }
            }
            return Ok(Cut { batch: fit, ..whole });
        }
        let mut cut = one;
        while !self.fits(cut, half) {
            let [a, b, c] = self.bytes(cut);
            // What shortens the largest matrix; of its two extents the longer.
            let (first, second) = match a.max(b).max(c) {
                largest if largest == c => (&mut cut.m, &mut cut.n),
                largest if largest == a => (&mut cut.m, &mut cut.k),
                _ => (&mut cut.n, &mut cut.k),
            };
            let longer = if *first >= *second { first } else { second };
            if *longer <= SMALLEST_BLOCK {
                let text = format!("not even blocks of {SMALLEST_BLOCK} rows fit into the {} bytes of the device that may be used", half.total);
                return Err(Fault::new(FaultKind::OutOfMemory, text));
            }
            // Halves, in whole tiles.
            *longer = longer.div_ceil(2).next_multiple_of(SMALLEST_BLOCK).min(*longer - 1);
        }
        Ok(cut)
    }
}

/// Below this a block would be all transfer.
const SMALLEST_BLOCK: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: Extents = Extents { m: 4096, n: 4096, k: 4096, batch: 1, size: 8, shared: [false; 2] };

    fn budget(total: usize) -> Budget {
        Budget { total, largest: usize::MAX }
    }

    #[test]
    fn what_fits_is_not_cut() {
        let need = 3 * 4096 * 4096 * 8;
        assert_eq!(SQUARE.need(), need);
        assert_eq!(SQUARE.cut(budget(need), usize::MAX).unwrap(), SQUARE.whole());
        assert_eq!(SQUARE.pieces(SQUARE.whole()), 1);
    }

    #[test]
    fn a_cut_fits_twice_whatever_the_shape_and_the_budget() {
        for (m, n, k) in [(4096, 4096, 4096), (100_000, 64, 64), (64, 100_000, 1000), (10, 10, 5_000_000), (7001, 3, 9000)] {
            let extents = Extents { m, n, k, ..SQUARE };
            for total in [1 << 20, 10 << 20, 100 << 20] {
                let cut = extents.cut(budget(total), usize::MAX).unwrap();
                assert!(cut == extents.whole() || extents.bytes(cut).iter().sum::<usize>() <= total / 2, "{cut:?}");
                assert!(cut.m <= m && cut.n <= n && cut.k <= k && cut.m > 0 && cut.n > 0 && cut.k > 0);
            }
        }
    }

    #[test]
    fn a_single_buffer_above_the_device_s_largest_is_cut_even_if_the_memory_would_hold_it() {
        let extents = Extents { m: 100_000, n: 100, k: 100, ..SQUARE };
        let budget = Budget { total: usize::MAX, largest: 10_000_000 };
        let cut = extents.cut(budget, usize::MAX).unwrap();
        assert!(cut.m * 100 * 8 <= 10_000_000 && cut.m > 5_000, "{cut:?}");
    }

    #[test]
    fn a_batch_is_cut_into_the_longest_runs_that_fit() {
        let extents = Extents { m: 10, n: 10, k: 10, batch: 1000, size: 8, shared: [false, true] };
        // A and C are 1600 bytes a matrix, the shared B 800 in all; two pieces share the budget.
        let cut = extents.cut(budget(2 * (800 + 100 * 1600)), usize::MAX).unwrap();
        assert_eq!((cut.batch, extents.pieces(cut)), (100, 10));
        assert_eq!(extents.cut(budget(usize::MAX), 64).unwrap().batch, 64);
    }

    #[test]
    fn a_budget_for_nothing_is_refused_with_the_number() {
        let fault = SQUARE.cut(budget(1000), usize::MAX).unwrap_err();
        assert!(fault.kind == FaultKind::OutOfMemory && fault.text.contains("500 bytes"), "{fault}");
    }
}
