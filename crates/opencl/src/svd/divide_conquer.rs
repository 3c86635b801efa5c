//! The SVD of a bidiagonal matrix by divide and conquer (Gu and Eisenstat, SIAM J. Matrix Anal. Appl. 16 (1995) 79): the tree, and
//! the order of the launches. The mathematics and the contracts of the kernels stand in `kernels/bidiagonal_svd/*.cl`;
//! `merge_types.cl` is where to begin.
//!
//! The matrix is cut at middle rows until its blocks are small, these are solved by QR iteration, a work-group each, and their
//! SVDs merged level by level. All merges of a level share a launch of each kernel, and nothing is waited for but the counts of
//! deflation where merges are so large that the products are left to the general one.

use super::merges::Merges;
use crate::fault::{Fault, FaultKind, injected};
use crate::gpu::{Arg, Gpu};
use crate::kernels::{int, invalid, options};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::DType;

/// A program of this folder: the types, what the programs share, and the file.
macro_rules! program {
    ($name:literal) => {
        Source {
            name: concat!("bidiagonal_svd/", $name),
            parts: &[
                crate::kernels::TYPES,
                include_str!("../../kernels/bidiagonal_svd/merge_types.cl"),
                include_str!(concat!("../../kernels/bidiagonal_svd/", $name, ".cl")),
            ],
        }
    };
}
pub(super) use program;

static DIVIDE: Source = program!("divide");
static QR: Source = program!("bidiagonal_qr");

/// Work-items of a group, as the kernels have them.
const GROUP: usize = 256;
const LEAF_ITEMS: usize = 96;
/// Bits of the status that kernels leave.
const NOT_FINITE: i32 = 1;
/// Sweeps of the QR iteration on the whole matrix for each launch.
const SWEEPS: usize = 32;
/// Largest order: the merges of a level are a dimension of the grid, whose extent devices limit to 65535 groups.
const LARGEST: usize = 1 << 20;

/// The decomposition B = U diag(sigma) V^T.
#[derive(Debug)]
pub struct BidiagonalSvd {
    /// The n singular values, descending.
    pub sigma: Block,
    /// U, n x n, column-major without gaps; `None` if values alone were asked for.
    pub u: Option<Block>,
    /// V (not transposed), likewise.
    pub v: Option<Block>,
}

/// How the work is shared; results differ by rounding alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Most rows of a block that is not cut: 3 to 32.
    pub leaf: usize,
    /// Merges of up to that many rows are multiplied by one launch for the level, larger ones by the general product.
    pub grouped: usize,
    /// Work-items for each root of the secular equation, a power of two up to 256.
    pub lanes: usize,
}

impl Plan {
    /// What suits a device.
    pub fn of(gpu: &Gpu) -> Self {
        match gpu.info().is_cpu {
            true => Self { leaf: 32, grouped: 512, lanes: 1 },
            // QR iteration on a leaf is one step after the other.
            false => Self { leaf: 16, grouped: 512, lanes: 32 },
        }
    }
}

/// The singular value decomposition of the upper bidiagonal n x n matrix with diagonal `d`, n elements, and superdiagonal
/// `e`, n - 1 elements, of the real type `dtype`. Both may be of any scale and keep their contents. Waits.
///
/// The error is that of LAPACK's xBDSDC: |B - U diag(sigma) V^T| and the distance of U and V from orthogonal ones are small
/// multiples of n eps (|B|). A singular value has an error of that size beside the largest one, not beside itself. The same
/// input gives the same bits on the same device. With vectors the memory of six n x n matrices is needed, two of which are
/// the result.
///
/// # Errors
/// `NotFinite` if the matrix has NaN or Inf; `Invalid` for a complex type, blocks that are too small, or n above 2^20;
/// `WrongResult` if neither this nor the QR iteration behind it converges; `NoFloat64`, `OutOfMemory`, or what the device
/// refused.
pub fn bidiagonal_svd(
    gpu: &Gpu,
    d: &Block,
    e: &Block,
    n: usize,
    dtype: DType,
    vectors: bool,
) -> Result<BidiagonalSvd, Fault> {
    bidiagonal_svd_by(&Plan::of(gpu), gpu, [d, e], n, dtype, vectors)
}

/// As [`bidiagonal_svd`] of `[d, e]`, with the work shared as `plan` says.
///
/// # Errors
/// As [`bidiagonal_svd`], and `Invalid` for a plan that is out of bounds.
pub fn bidiagonal_svd_by(
    plan: &Plan,
    gpu: &Gpu,
    [d, e]: [&Block; 2],
    n: usize,
    dtype: DType,
    vectors: bool,
) -> Result<BidiagonalSvd, Fault> {
    if dtype.is_complex() {
        return Err(invalid(format!("a bidiagonal matrix of {}", dtype.name())));
    }
    if !(3..=32).contains(&plan.leaf) || !plan.lanes.is_power_of_two() || plan.lanes > GROUP {
        return Err(invalid(format!("a bidiagonal SVD by {plan:?}")));
    }
    if n > LARGEST {
        return Err(invalid(format!("a bidiagonal matrix of order {n}, where {LARGEST} is the largest")));
    }
    for (block, count) in [(d, n), (e, n.saturating_sub(1))] {
        if block.size() < count * dtype.size() || !block.belongs_to(&gpu.shared) {
            return Err(invalid(format!("{block:?} for {count} numbers of {} on {}", dtype.name(), gpu.info().name)));
        }
    }
    let work = Work::new(gpu, n, dtype, vectors, plan)?;
    if n > 0 {
        work.solve(d, e)?;
    }
    work.result()
}

/// A node (first, nl, nr, sqre) or a leaf (first, size, sqre, 0), as `merge_types.cl` has them.
pub(super) type Node = [usize; 4];

/// The merges level by level from the root down, and the leaves; each level's nodes are in the order of their rows.
fn tree(n: usize, leaf: usize) -> (Vec<Vec<Node>>, Vec<Node>) {
    let (mut levels, mut nodes) = (Vec::new(), vec![[0, n, 0]]);
    while nodes.iter().any(|&[_, size, _]| size > leaf) {
        let (mut level, mut children) = (Vec::new(), Vec::new());
        for [first, size, sqre] in nodes {
            let upper = (size - 1) / 2;
            let lower = size - 1 - upper;
            level.push([first, upper, lower, sqre]);
            children.extend([[first, upper, 1], [first + upper + 1, lower, sqre]]);
        }
        levels.push(level);
        nodes = children;
    }
    (levels, nodes.into_iter().map(|[first, size, sqre]| [first, size, sqre, 0]).collect())
}

/// The n x n matrices beside V and packed V; there are none where values alone are wanted.
pub(super) struct Full {
    pub(super) u: Block,
    pub(super) packed_u: Block,
    /// Vectors of the undeflated problems.
    pub(super) q: Block,
    pub(super) w: Block,
}

/// The buffers of one decomposition, and where it is computed. Names as in the kernels' contracts.
pub(super) struct Work<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) n: usize,
    pub(super) dtype: DType,
    pub(super) plan: Plan,
    /// The compiler's options for the type.
    base: String,
    pub(super) b_d: Block,
    pub(super) b_e: Block,
    pub(super) info: Block,
    exponent: Block,
    pub(super) sigma: Block,
    pub(super) column: Block,
    pub(super) col_sorted: Block,
    pub(super) v: Block,
    pub(super) packed_v: Block,
    pub(super) full: Option<Full>,
}

impl<'a> Work<'a> {
    fn new(gpu: &'a Gpu, n: usize, dtype: DType, vectors: bool, plan: &Plan) -> Result<Self, Fault> {
        let mut base = options(gpu, dtype)?.to_string();
        if !dtype.is_double() && gpu.info().rounds_float32 {
            // OpenCL's own division has an error of 2.5 ulp, and each of the many rotations would be as far from orthogonal.
            base.push_str(" -cl-fp32-correctly-rounded-divide-sqrt");
        }
        let reals = |count: usize| gpu.alloc((count * dtype.size()).max(1));
        let ints = |count: usize| gpu.alloc((4 * count).max(1));
        let matrix = || reals(n * if vectors { n } else { 2 });
        let full = || Ok::<_, Fault>(Full { u: matrix()?, packed_u: matrix()?, q: matrix()?, w: matrix()? });
        Ok(Self {
            gpu,
            n,
            dtype,
            plan: *plan,
            base,
            b_d: reals(n)?,
            b_e: reals(n)?,
            info: ints(1)?,
            exponent: ints(1)?,
            sigma: reals(n)?,
            column: ints(n)?,
            col_sorted: ints(n)?,
            v: matrix()?,
            packed_v: matrix()?,
            full: if vectors { Some(full()?) } else { None },
        })
    }

    /// U; in thin form, where kernels do not look at it, some buffer.
    pub(super) fn u(&self) -> &Block {
        self.full.as_ref().map_or(&self.v, |full| &full.u)
    }

    pub(super) fn packed_u(&self) -> &Block {
        self.full.as_ref().map_or(&self.packed_v, |full| &full.packed_u)
    }

    /// The leading dimension of all matrices.
    pub(super) fn ld(&self) -> Arg<'static> {
        Arg::I64(if self.full.is_some() { self.n as i64 } else { 2 })
    }

    pub(super) fn thin(&self) -> Arg<'static> {
        Arg::I32(i32::from(self.full.is_none()))
    }

    /// Launches `groups` groups of `local` work-items of a kernel of a program built with `more` options.
    pub(super) fn launch(
        &self,
        (source, more): (&Source, &str),
        kernel: &'static str,
        args: &[Arg<'_>],
        groups: [usize; 3],
        local: [usize; 3],
    ) -> Result<(), Fault> {
        let global = [groups[0] * local[0], groups[1] * local[1], groups[2] * local[2]];
        self.gpu.launch(source, &format!("{}{more}", self.base), kernel, args, global, local)
    }

    /// Leaves the values in `sigma` and the vectors, in the order of `column`, in U and V.
    fn solve(&self, d: &Block, e: &Block) -> Result<(), Fault> {
        let (levels, leaves) = tree(self.n, self.plan.leaf);
        let bytes: Vec<u8> =
            levels.iter().flatten().chain(&leaves).flatten().flat_map(|&x| (x as i32).to_ne_bytes()).collect();
        let nodes = self.gpu.alloc(bytes.len())?;
        self.gpu.write(&nodes, 0, &bytes)?;
        self.start(d, e)?;
        let mut first_node = levels.iter().map(Vec::len).sum();
        self.leaves(&nodes, first_node, leaves.len())?;
        if !levels.is_empty() {
            let merges = Merges::new(self)?;
            for level in levels.iter().rev() {
                first_node -= level.len();
                merges.level(level, &nodes, first_node)?;
            }
        }
        let status = self.status()?;
        if status & NOT_FINITE != 0 {
            return Err(Fault::new(FaultKind::NotFinite, "the bidiagonal matrix has NaN or Inf"));
        }
        if status != 0 || injected(FaultKind::WrongResult) {
            self.start(d, e)?;
            self.iterate()?;
        }
        Ok(())
    }

    fn start(&self, d: &Block, e: &Block) -> Result<(), Fault> {
        let inputs = [Arg::Block(d), Arg::Block(e), int(self.n)];
        let results = [&self.b_d, &self.b_e, &self.info, &self.exponent, &self.column, &self.col_sorted];
        let args: Vec<Arg<'_>> = inputs.into_iter().chain(results.map(Arg::Block)).collect();
        self.launch((&DIVIDE, ""), "scale_bidiagonal", &args, [1; 3], [GROUP, 1, 1])?;
        if let Some(Full { u, .. }) = &self.full {
            let args = [Arg::Block(u), Arg::Block(&self.v), self.ld(), int(self.n)];
            self.launch((&DIVIDE, ""), "set_identity", &args, self.tiles(), [64, 4, 1])?;
        }
        Ok(())
    }

    /// Groups of 64 x 4 work-items for all elements of U and V.
    fn tiles(&self) -> [usize; 3] {
        [self.n.div_ceil(64), self.n.div_ceil(4), 2]
    }

    fn leaves(&self, nodes: &Block, first_node: usize, count: usize) -> Result<(), Fault> {
        let args = [
            Arg::Block(nodes),
            int(first_node),
            Arg::Block(&self.b_d),
            Arg::Block(&self.b_e),
            Arg::Block(self.u()),
            Arg::Block(&self.v),
            self.ld(),
            self.thin(),
            Arg::Block(&self.sigma),
            Arg::Block(&self.column),
            Arg::Block(&self.info),
        ];
        let more = format!(" -DSPACE=__local -DLEAF={}", self.plan.leaf);
        self.launch((&QR, &more), "qr_leaves", &args, [count, 1, 1], [LEAF_ITEMS, 1, 1])
    }

    fn status(&self) -> Result<i32, Fault> {
        let mut bytes = [0; 4];
        self.gpu.read(&self.info, 0, &mut bytes)?;
        Ok(i32::from_ne_bytes(bytes))
    }

    /// The method of last resort: QR iteration on the whole matrix.
    fn iterate(&self) -> Result<(), Fault> {
        let (n, more) = (int(self.n), " -DSPACE=__global");
        // The lowest coupled row, sweeps of this launch, all of them (two ints), whether they are too many; rows of each.
        let state = self.gpu.alloc(4 * (5 + 2 * SWEEPS))?;
        let first: Vec<u8> = [self.n as i32 - 1, 0, 0, 0, 0].into_iter().flat_map(i32::to_ne_bytes).collect();
        self.gpu.write(&state, 0, &first)?;
        let rotations = self.gpu.alloc(4 * self.n * SWEEPS * self.dtype.size())?;
        let [b_d, b_e, v, sigma, column] = [&self.b_d, &self.b_e, &self.v, &self.sigma, &self.column].map(Arg::Block);
        let (at, turns) = (Arg::Block(&state), Arg::Block(&rotations));
        loop {
            self.launch((&QR, more), "qr_sweeps", &[b_d, b_e, n, int(SWEEPS), at, turns], [1; 3], [1; 3])?;
            if let Some(Full { u, .. }) = &self.full {
                let (args, groups) = ([Arg::Block(u), v, self.ld(), n, at, turns], [self.n.div_ceil(64), 2, 1]);
                self.launch((&QR, more), "qr_apply", &args, groups, [64, 1, 1])?;
            }
            let mut bytes = [0; 20];
            self.gpu.read(&state, 0, &mut bytes)?;
            let part = |index: usize| i32::from_ne_bytes(bytes[4 * index..][..4].try_into().expect("4 bytes"));
            if part(4) != 0 {
                let text = format!("the QR iteration of a bidiagonal matrix of order {} did not converge", self.n);
                return Err(Fault::new(FaultKind::WrongResult, text));
            }
            if part(0) == 0 {
                break;
            }
        }
        let rows = if self.full.is_some() { n } else { int(0) };
        let args = [b_d, n, v, self.ld(), rows, sigma, column];
        self.launch((&QR, more), "qr_finish", &args, [self.n.div_ceil(64), 1, 1], [64, 1, 1])
    }

    /// Values and vectors in descending order; the packed copies of U and V take the vectors.
    fn result(self) -> Result<BidiagonalSvd, Fault> {
        let sigma = self.gpu.alloc((self.n * self.dtype.size()).max(1))?;
        if self.n > 0 {
            let args = [Arg::Block(&self.sigma), Arg::Block(&self.exponent), int(self.n), Arg::Block(&sigma)];
            self.launch((&DIVIDE, ""), "sorted_values", &args, [self.n.div_ceil(64), 1, 1], [64, 1, 1])?;
        }
        if let Some(Full { u, packed_u, .. }) = self.full.as_ref().filter(|_| self.n > 0) {
            let from = [Arg::Block(u), Arg::Block(&self.v), self.ld(), Arg::Block(&self.column), int(self.n)];
            let to = [Arg::Block(packed_u), Arg::Block(&self.packed_v), self.ld()];
            let args: Vec<Arg<'_>> = from.into_iter().chain(to).collect();
            self.launch((&DIVIDE, ""), "sorted_vectors", &args, self.tiles(), [64, 4, 1])?;
        }
        let (u, v) = self.full.map(|full| (full.packed_u, self.packed_v)).unzip();
        Ok(BidiagonalSvd { sigma, u, v })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_covers_every_row_once_and_its_leaves_are_neither_empty_nor_too_large() {
        for leaf in [3, 7, 32] {
            for n in 1..400 {
                let (levels, leaves) = tree(n, leaf);
                let mut rows = vec![0; n];
                for &[first, upper, ..] in levels.iter().flatten() {
                    rows[first + upper] += 1;
                }
                for &[first, size, sqre, _] in &leaves {
                    assert!(size > 0 && size <= leaf && first + size + sqre <= n, "{n}, {leaf}");
                    rows[first..first + size].iter_mut().for_each(|count| *count += 1);
                }
                assert!(rows.iter().all(|&count| count == 1), "{n}, {leaf}");
            }
        }
    }
}
