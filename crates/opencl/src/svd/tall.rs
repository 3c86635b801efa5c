//! The SVD of a matrix with many more rows than columns: A = Q R, R = U_R S V^T, U = Q U_R.
//!
//! Q comes from Cholesky factors of Gram matrices, which are products and so run at the speed of the memory: with X_0 = A,
//!
//! ```text
//! G = X^T X,   G + shift = R_k^T R_k,   X <- X R_k^-1,   R <- R_k R
//! ```
//!
//! until |X^T X - I|_F <= 1/2. That is found before the last step, whose X then has condition below 2, so that its Q is as near
//! to orthonormal as the sums of G are accurate. Columns of any scale do no harm: pivots and shifts are relative to G's own
//! diagonal. A well-conditioned A takes two steps (CholeskyQR2; Yamamoto, Nakatsukasa, Yanagisawa, Fukaya, ETNA 44 (2015) 306),
//! and one that is nearly orthogonal itself, as random matrices are, a single one: singular values within a factor of kappa add
//! at least kappa + 1/kappa - 2 to |R|_F |R^-1|_F, which is n if all are equal, so that
//!
//! ```text
//! kappa <= |R|_F |R^-1|_F - n + 2
//! ```
//!
//! Where a pivot says that the condition is above what a step can do, G is shifted, and steps go on until it is below
//! (shifted CholeskyQR3; Fukaya, Kannan, Nakatsukasa, Yamamoto, Yanagisawa, SIAM J. Sci. Comput. 42 (2020) A477). A itself is
//! first changed by noise of four units in the last place of its norm, which LAPACK's own error hides: no direction is then
//! lost, not even in a column of zeros.
//!
//! X R_k^-1 is solved by substitution, each row backward stable, where R_k is ill-conditioned. Where it is not, and in the
//! last step, the product with the inverse is as accurate, and the last step's is joined with U_R.

use super::decomposition::{Svd, Vectors, powers, scale_down, scale_up, set_diagonal, svd as decompose};
use crate::fault::{Fault, FaultKind};
use crate::gpu::{Arg, Gpu};
use crate::kernels::copy::copy;
use crate::kernels::gemm::gemm;
use crate::kernels::norm::{Norm, norm};
use crate::kernels::scale::axpby;
use crate::kernels::{DeviceView, Factor, TYPES, int, options, read_reals};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::{Complex64, DType};

static SOURCE: Source = Source { name: "tall", parts: &[TYPES, include_str!("../../kernels/svd/tall.cl")] };

/// Order of a diagonal block.
const B: usize = 32;
/// Steps after which it is given up: four do for any matrix that was met.
const MOST_STEPS: usize = 8;
/// Noise in units of eps |A|.
const NOISE: f64 = 4.0;
/// |R| |R^-1| over n up to which a product with the inverse is as good as substitution.
const WELL_CONDITIONED: f64 = 8.0;

/// Condition of a matrix whose first step is the last: its square is how much farther than the sums of G its Q is from
/// orthonormal.
const NEARLY_ORTHOGONAL: f64 = 2.5;

const ONE: Complex64 = Complex64::new(1.0, 0.0);

/// Largest elements that are taken as they are: noise at eps of them still has squares.
fn safe(dtype: DType) -> std::ops::Range<f64> {
    if dtype.is_double() { 1e-100..1e100 } else { 1e-6..1e6 }
}

/// As [`super::svd`], for real m x n `a`, m > n > 0; without [`Vectors::Full`]. Waits.
pub(super) fn svd(gpu: &Gpu, a: DeviceView<'_>, vectors: Vectors) -> Result<Svd, Fault> {
    let ([_, m, n], dtype) = (a.shape(), a.dtype());
    let work = Tall { gpu, m, n, dtype, options: format!("{} -DB={B}", options(gpu, dtype)?) };
    let largest = norm(gpu, Norm::Max, a)?[0];
    if !largest.is_finite() {
        return Err(Fault::new(FaultKind::NotFinite, "the matrix has a NaN or an Inf"));
    }
    if largest == 0.0 {
        return work.nothing(vectors);
    }
    let powers = powers(largest, safe(dtype));
    let scaled = match powers {
        None => None,
        Some(powers) => {
            let block = work.memory(m * n)?;
            scale_down(gpu, a, powers, work.tall(&block)?)?;
            Some(block)
        }
    };
    let Factors { x, inverse, r } = work.factorise(a, scaled)?;
    let Svd { sigma, u, v } = decompose(gpu, work.square(&r)?, vectors)?;
    drop(r);
    scale_up(gpu, &sigma, n, dtype, powers)?;
    let Some(small) = u else { return Ok(Svd { sigma, u: None, v: None }) };
    let joined = work.memory(n * n)?;
    work.product(work.square(&inverse)?, work.square(&small)?, work.square(&joined)?)?;
    drop((small, inverse));
    let u = work.memory(m * n)?;
    work.product(x.view(&work, a)?, work.square(&joined)?, work.tall(&u)?)?;
    Ok(Svd { sigma, u: Some(u), v })
}

/// The matrix of the last step: A itself, or a block of its own.
enum Last {
    Given,
    Own(Block),
}

impl Last {
    fn view<'a>(&'a self, work: &Tall<'_>, a: DeviceView<'a>) -> Result<DeviceView<'a>, Fault> {
        match self {
            Last::Given => Ok(a),
            Last::Own(block) => work.tall(block),
        }
    }
}

/// Q = X `inverse`, with A = Q R.
struct Factors {
    x: Last,
    inverse: Block,
    r: Block,
}

/// Where it is computed.
struct Tall<'a> {
    gpu: &'a Gpu,
    m: usize,
    n: usize,
    dtype: DType,
    options: String,
}

impl Tall<'_> {
    fn memory(&self, count: usize) -> Result<Block, Fault> {
        self.gpu.alloc(count.max(1) * self.dtype.size())
    }

    fn tall<'b>(&self, block: &'b Block) -> Result<DeviceView<'b>, Fault> {
        DeviceView::col_major(block, self.dtype, [1, self.m, self.n])
    }

    fn square<'b>(&self, block: &'b Block) -> Result<DeviceView<'b>, Fault> {
        DeviceView::col_major(block, self.dtype, [1, self.n, self.n])
    }

    fn product(&self, a: DeviceView<'_>, b: DeviceView<'_>, c: DeviceView<'_>) -> Result<(), Fault> {
        gemm(self.gpu, ONE, (a, false), (b, false), Complex64::ZERO, c)
    }

    fn launch(
        &self,
        kernel: &'static str,
        args: &[Arg<'_>],
        groups: [usize; 3],
        local: [usize; 3],
    ) -> Result<(), Fault> {
        let global = [groups[0] * local[0], groups[1] * local[1], local[2]];
        self.gpu.launch(&SOURCE, &self.options, kernel, args, global, local)
    }

    /// A number of the matrix's type.
    fn number(&self, value: f64) -> Factor {
        Factor::new(Complex64::new(value, 0.0), self.dtype)
    }

    fn eps(&self) -> f64 {
        if self.dtype.is_double() { f64::EPSILON } else { f64::from(f32::EPSILON) }
    }

    /// Rounding of a Gram matrix's element, relative to its columns' norms: sums of m terms, whose errors are of either sign.
    fn rounding(&self) -> f64 {
        (self.n as f64 + (self.m as f64).sqrt()) * self.eps()
    }

    /// All of zero: any orthonormal columns are its vectors.
    fn nothing(&self, vectors: Vectors) -> Result<Svd, Fault> {
        let Self { gpu, m, n, dtype, .. } = *self;
        let sigma = self.memory(n)?;
        let view = DeviceView::col_major(&sigma, dtype, [1, n, 1])?;
        axpby(gpu, Complex64::ZERO, view, Complex64::ZERO, view)?;
        if vectors == Vectors::Neither {
            return Ok(Svd { sigma, u: None, v: None });
        }
        let (u, v) = (self.memory(m * n)?, self.memory(n * n)?);
        let u_view = self.tall(&u)?;
        axpby(gpu, Complex64::ZERO, u_view, Complex64::ZERO, u_view)?;
        self.set_identity(u_view.window(0, 0, n, n)?)?;
        self.set_identity(self.square(&v)?)?;
        Ok(Svd { sigma, u: Some(u), v: Some(v) })
    }

    fn set_identity(&self, x: DeviceView<'_>) -> Result<(), Fault> {
        axpby(self.gpu, Complex64::ZERO, x, Complex64::ZERO, x)?;
        set_diagonal(self.gpu, x)
    }

    /// Q and R of `a`, or of `scaled` where that is given.
    fn factorise(&self, a: DeviceView<'_>, scaled: Option<Block>) -> Result<Factors, Fault> {
        let Self { gpu, n, .. } = *self;
        let mut x = scaled.map_or(Last::Given, Last::Own);
        let mut r: Option<Block> = None;
        let mut changed = false;
        for step in 0..MOST_STEPS {
            let g = self.gram(x.view(self, a)?)?;
            let last = step > 0 && self.departure(&g)? <= 0.5;
            let kept = self.copied(&g)?;
            let mut good = self.cholesky(&g, 0.0)?;
            if !good && !changed {
                // A alone is changed, once: what comes after it has every direction.
                let own = self.own(x, a)?;
                let size = NOISE * self.eps() * norm(gpu, Norm::Frobenius, self.tall(&own)?)?[0];
                self.perturb(&own, size / ((n as f64).sqrt() * (self.m as f64 / 3.0).sqrt()))?;
                let view = self.tall(&own)?;
                self.product(view.transposed(), view, self.square(&kept)?)?;
                x = Last::Own(own);
                changed = true;
            }
            let mut shift = 10.0 * self.rounding();
            while !good && shift < 1.0 {
                copy(gpu, self.square(&kept)?, false, self.square(&g)?)?;
                good = self.cholesky(&g, shift)?;
                shift *= 100.0;
            }
            if !good {
                break;
            }
            drop(kept);
            self.take_upper(&g)?;
            let inverse = self.memory(n * n)?;
            self.set_identity(self.square(&inverse)?)?;
            self.solve(self.square(&inverse)?, &g)?;
            let size = |block| Ok::<_, Fault>(norm(gpu, Norm::Frobenius, self.square(block)?)?[0]);
            // Of the last step nothing more need be known.
            let sizes = if last { n as f64 } else { size(&g)? * size(&inverse)? };
            r = Some(match r {
                None => self.copied(&g)?,
                Some(former) => {
                    let joined = self.memory(n * n)?;
                    self.product(self.square(&g)?, self.square(&former)?, self.square(&joined)?)?;
                    joined
                }
            });
            if last || sizes - n as f64 + 2.0 <= NEARLY_ORTHOGONAL {
                return Ok(Factors { x, inverse, r: r.expect("made just above") });
            }
            x = Last::Own(if sizes <= WELL_CONDITIONED * n as f64 {
                let next = self.memory(self.m * n)?;
                self.product(x.view(self, a)?, self.square(&inverse)?, self.tall(&next)?)?;
                next
            } else {
                let own = self.own(x, a)?;
                self.solve(self.tall(&own)?, &g)?;
                own
            });
        }
        let text = format!("the QR factorisation of a {} x {n} matrix did not become orthogonal", self.m);
        Err(Fault::new(FaultKind::WrongResult, text))
    }

    /// X in a block that may be changed.
    fn own(&self, x: Last, a: DeviceView<'_>) -> Result<Block, Fault> {
        match x {
            Last::Own(block) => Ok(block),
            Last::Given => {
                let own = self.memory(self.m * self.n)?;
                copy(self.gpu, a, false, self.tall(&own)?)?;
                Ok(own)
            }
        }
    }

    fn gram(&self, x: DeviceView<'_>) -> Result<Block, Fault> {
        let g = self.memory(self.n * self.n)?;
        self.product(x.transposed(), x, self.square(&g)?)?;
        Ok(g)
    }

    fn copied(&self, g: &Block) -> Result<Block, Fault> {
        let other = self.memory(self.n * self.n)?;
        copy(self.gpu, self.square(g)?, false, self.square(&other)?)?;
        Ok(other)
    }

    /// |G - I|_F.
    fn departure(&self, g: &Block) -> Result<f64, Fault> {
        let result = self.memory(1)?;
        self.launch("departure", &[Arg::Block(g), int(self.n), Arg::Block(&result)], [1; 3], [256, 1, 1])?;
        Ok(read_reals(self.gpu, &result, self.dtype, 1)?[0].sqrt())
    }

    fn perturb(&self, x: &Block, size: f64) -> Result<(), Fault> {
        let size = self.number(size);
        let args = [Arg::Block(x), int(self.m), int(self.n), Arg::Bytes(size.bytes())];
        self.launch("perturb", &args, [self.m.div_ceil(256).min(1024), self.n.min(1024), 1], [256, 1, 1])
    }

    fn take_upper(&self, g: &Block) -> Result<(), Fault> {
        let args = [Arg::Block(g), int(self.n)];
        self.launch("take_upper", &args, [self.n.div_ceil(64), self.n.min(1024), 1], [64, 1, 1])
    }

    /// R in the upper triangle of G, its diagonal shifted. Whether every pivot was large enough. Waits.
    fn cholesky(&self, g: &Block, shift: f64) -> Result<bool, Fault> {
        let Self { gpu, n, .. } = *self;
        let (diagonal, info) = (self.memory(n)?, gpu.alloc(4)?);
        let smallest = self.number(if self.dtype.is_double() { 1e-290 } else { 1e-35 });
        // With a shift what remains above it counts; without, what a step can bring near to orthogonal.
        let least = self.number(if shift > 0.0 { shift / 10.0 } else { 100.0 * self.rounding() });
        let shift = self.number(shift);
        let args = [Arg::Block(g), int(n), Arg::Bytes(shift.bytes()), Arg::Block(&diagonal), Arg::Block(&info)];
        self.launch("begin_cholesky", &args, [n.div_ceil(64).min(64), 1, 1], [64, 1, 1])?;
        let view = self.square(g)?;
        for first in (0..n).step_by(B) {
            let b = B.min(n - first);
            let args = [
                Arg::Block(g),
                int(n),
                int(first),
                int(b),
                Arg::Block(&diagonal),
                Arg::Bytes(least.bytes()),
                Arg::Bytes(smallest.bytes()),
                Arg::Block(&info),
            ];
            self.launch("cholesky_block", &args, [1; 3], [B, 1, 1])?;
            let rest = n - first - b;
            if rest > 0 {
                // The rows of the transpose of the panel right of the block.
                let panel = view.window(first, first + b, b, rest)?;
                self.solve_block(panel.transposed(), g, first, b)?;
                let below = view.window(first + b, first + b, rest, rest)?;
                gemm(gpu, -ONE, (panel.transposed(), false), (panel, false), ONE, below)?;
            }
        }
        let mut bytes = [0; 4];
        gpu.read(&info, 0, &mut bytes)?;
        Ok(bytes == [0; 4])
    }

    /// X <- X R^-1, R in the upper triangle of `g`.
    fn solve(&self, x: DeviceView<'_>, g: &Block) -> Result<(), Fault> {
        let (n, [_, rows, _]) = (self.n, x.shape());
        let r = self.square(g)?;
        for first in (0..n).step_by(B) {
            let b = B.min(n - first);
            let block = x.window(0, first, rows, b)?;
            if first > 0 {
                let (before, above) = (x.window(0, 0, rows, first)?, r.window(0, first, first, b)?);
                gemm(self.gpu, -ONE, (before, false), (above, false), ONE, block)?;
            }
            self.solve_block(block, g, first, b)?;
        }
        Ok(())
    }

    /// X <- X R^-1 with the diagonal block of R at `first`.
    fn solve_block(&self, x: DeviceView<'_>, g: &Block, first: usize, b: usize) -> Result<(), Fault> {
        let (block, offset, [row_stride, col_stride]) = x.place();
        let [_, rows, _] = x.shape();
        let args = [
            Arg::Block(block),
            Arg::I64(offset as i64),
            Arg::I64(row_stride as i64),
            Arg::I64(col_stride as i64),
            int(rows),
            Arg::Block(g),
            int(self.n),
            int(first),
            int(b),
        ];
        self.launch("solve_rows", &args, [rows.div_ceil(64).min(1 << 16), 1, 1], [64, 1, 1])
    }
}
