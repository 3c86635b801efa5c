//! One level of merges of the bidiagonal SVD by divide and conquer (`kernels/bidiagonal_svd/merge.cl`, `secular.cl`,
//! `merge_multiply.cl`).

use super::divide_conquer::{Full, Node, Work, program};
use crate::fault::Fault;
use crate::gpu::Arg;
use crate::kernels::gemm::gemm;
use crate::kernels::{DeviceView, int};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::Complex64;

static MERGE: Source = program!("merge");
static SECULAR: Source = program!("secular");
static MULTIPLY: Source = program!("merge_multiply");

/// Work-items of a group, as the kernels have them.
const GROUP: usize = 256;
const COLUMN_ITEMS: usize = 64;

/// The arrays of merges, of all levels in turn. Names as in the kernels' contracts.
pub(super) struct Merges<'a> {
    work: &'a Work<'a>,
    d_sorted: Block,
    z_sorted: Block,
    pole: Block,
    z: Block,
    value: Block,
    weight: Block,
    tau: Block,
    packed: Block,
    source: Block,
    survivor: Block,
    origin: Block,
    turn: Block,
    chain: Block,
    place: Block,
    counts: Block,
    norm: Block,
    null_turn: Block,
}

/// The merges of a level, and the shapes of its launches.
struct Level<'a> {
    nodes: Arg<'a>,
    first_node: Arg<'a>,
    merges: usize,
    /// Most rows of a merge.
    size: usize,
    /// Merges times sides, of which there are U and V, or in thin form V alone.
    sides: usize,
    /// Groups and work-items along rows and columns of a merge's part of U and V.
    along: [usize; 2],
    local: [usize; 3],
}

impl<'a> Merges<'a> {
    pub(super) fn new(work: &'a Work<'a>) -> Result<Self, Fault> {
        let n = work.n;
        let reals = |count: usize| work.gpu.alloc(count * work.dtype.size());
        let ints = |count: usize| work.gpu.alloc(4 * count);
        let most = n / 2 + 1;
        Ok(Self {
            work,
            d_sorted: reals(n)?,
            z_sorted: reals(n)?,
            pole: reals(n)?,
            z: reals(n)?,
            value: reals(n)?,
            weight: reals(n)?,
            tau: reals(n)?,
            packed: ints(n)?,
            source: ints(n)?,
            survivor: ints(n)?,
            origin: ints(n)?,
            turn: reals(2 * n)?,
            chain: ints(2 * n)?,
            place: ints(4 * n)?,
            counts: ints(4 * most)?,
            norm: reals(most)?,
            null_turn: reals(2 * most)?,
        })
    }

    /// Merges the children of a level's nodes, which are `nodes` from `first_node` on.
    pub(super) fn level(&self, level: &[Node], nodes: &Block, first_node: usize) -> Result<(), Fault> {
        let merges = level.len();
        let size = level.iter().map(|&[_, nl, nr, _]| nl + 1 + nr).max().expect("a level has a node");
        // One column more than rows, where there is a null column.
        let (sides, along, local) = match self.work.full {
            Some(_) => (2 * merges, [(size + 1).div_ceil(64), (size + 1).div_ceil(4)], [64, 4, 1]),
            None => (merges, [1, (size + 1).div_ceil(64)], [2, 64, 1]),
        };
        let shape = Level { nodes: Arg::Block(nodes), first_node: int(first_node), merges, size, sides, along, local };
        self.order_and_deflate(&shape)?;
        self.pack(&shape)?;
        self.roots(&shape)?;
        match &self.work.full {
            Some(full) => self.vectors(&shape, level, full)?,
            None => self.rows(&shape)?,
        }
        self.unpack_and_rank(&shape)
    }

    /// The two matrices that most kernels take together.
    fn matrices(&self) -> [Arg<'_>; 2] {
        [Arg::Block(self.work.u()), Arg::Block(&self.work.v)]
    }

    fn order_and_deflate(&self, level: &Level<'_>) -> Result<(), Fault> {
        let work = self.work;
        let [d, z, col] = [&self.d_sorted, &self.z_sorted, &work.col_sorted].map(Arg::Block);
        let [b_d, b_e, v, sigma, column] = [&work.b_d, &work.b_e, &work.v, &work.sigma, &work.column].map(Arg::Block);
        let turn = Arg::Block(&self.null_turn);
        let args = [level.nodes, level.first_node, b_d, b_e, v, work.ld(), work.thin(), sigma, column, d, z, col, turn];
        let groups = [level.size.div_ceil(64), level.merges, 1];
        work.launch((&MERGE, ""), "merge_order", &args, groups, [64, 1, 1])?;

        let results = [&self.counts, &self.norm, &self.pole, &self.z, &self.packed, &self.source, &self.value];
        let chains = [&self.survivor, &self.turn, &self.chain, &self.place];
        let inputs = [level.nodes, level.first_node, d, z, col];
        let args: Vec<Arg<'_>> =
            inputs.into_iter().chain(results.map(Arg::Block)).chain(chains.map(Arg::Block)).collect();
        work.launch((&MERGE, ""), "merge_deflate", &args, [1, level.merges, 1], [GROUP, 1, 1])
    }

    /// Rotates what deflation needs rotated, and packs the columns for the product.
    fn pack(&self, level: &Level<'_>) -> Result<(), Fault> {
        let work = self.work;
        let ([u, v], thin) = (self.matrices(), work.thin());
        let [counts, col, survivor, turn, chain] =
            [&self.counts, &work.col_sorted, &self.survivor, &self.turn, &self.chain].map(Arg::Block);
        let args = [level.nodes, level.first_node, counts, col, survivor, turn, chain, u, v, work.ld(), thin];
        // Chains are few, if there are any: their kernel walks on with the grid's stride.
        let chains = level.size.min(if work.full.is_some() { 16 } else { 64 });
        let groups = [level.along[0], chains, level.sides];
        work.launch((&MERGE, ""), "merge_rotate", &args, groups, [level.local[0], 1, 1])?;

        let [source, turn, packed_u, packed_v] =
            [&self.source, &self.null_turn, work.packed_u(), &work.packed_v].map(Arg::Block);
        let args = [level.nodes, level.first_node, counts, source, turn, u, v, work.ld(), thin, packed_u, packed_v];
        let groups = [level.along[0], level.along[1], level.sides];
        work.launch((&MERGE, ""), "merge_pack", &args, groups, level.local)
    }

    fn secular(&self) -> String {
        format!(" -DLANES={}", self.work.plan.lanes)
    }

    fn roots(&self, level: &Level<'_>) -> Result<(), Fault> {
        let (more, work) = (self.secular(), self.work);
        let [counts, norm, pole, z, origin, tau, value, weight, info] = [
            &self.counts,
            &self.norm,
            &self.pole,
            &self.z,
            &self.origin,
            &self.tau,
            &self.value,
            &self.weight,
            &work.info,
        ]
        .map(Arg::Block);
        let groups = [level.size.div_ceil(GROUP / work.plan.lanes), level.merges, 1];
        let args = [level.nodes, level.first_node, counts, norm, pole, z, origin, tau, value, info];
        work.launch((&SECULAR, &more), "secular_roots", &args, groups, [GROUP, 1, 1])?;
        let args = [level.nodes, level.first_node, counts, pole, z, origin, tau, weight];
        work.launch((&SECULAR, &more), "secular_weights", &args, groups, [GROUP, 1, 1])
    }

    /// What the vectors of the undeflated problem come from.
    fn inputs<'b>(&'b self, level: &Level<'b>) -> [Arg<'b>; 8] {
        let [counts, pole, packed, weight, origin, tau] =
            [&self.counts, &self.pole, &self.packed, &self.weight, &self.origin, &self.tau].map(Arg::Block);
        [level.nodes, level.first_node, counts, pole, packed, weight, origin, tau]
    }

    /// First and last row of V, where values alone are wanted.
    fn rows(&self, level: &Level<'_>) -> Result<(), Fault> {
        let ends = [&self.work.packed_v, &self.work.v].map(Arg::Block);
        let args: Vec<Arg<'_>> = self.inputs(level).into_iter().chain(ends).collect();
        let groups = [level.size, level.merges, 1];
        self.work.launch((&SECULAR, &self.secular()), "secular_rows", &args, groups, [COLUMN_ITEMS, 1, 1])
    }

    /// U and V of the level: the undeflated problem's vectors, and their product with the packed columns.
    fn vectors(&self, level: &Level<'_>, nodes: &[Node], full: &Full) -> Result<(), Fault> {
        let work = self.work;
        let [q, w] = [&full.q, &full.w].map(Arg::Block);
        let args: Vec<Arg<'_>> = self.inputs(level).into_iter().chain([q, w, work.ld()]).collect();
        let groups = [level.size, level.merges, 1];
        work.launch((&SECULAR, &self.secular()), "secular_vectors", &args, groups, [COLUMN_ITEMS, 1, 1])?;
        if level.size > work.plan.grouped {
            return self.products(nodes, full);
        }
        let tile = if level.size <= 128 { 32 } else { 64 };
        let [counts, packed_u, packed_v] = [&self.counts, &full.packed_u, &work.packed_v].map(Arg::Block);
        let [u, v] = self.matrices();
        let args = [level.nodes, level.first_node, counts, packed_u, packed_v, q, w, u, v, work.ld()];
        // A half has at most nl + 1 or nr + 1 rows.
        let groups = [(level.size / 2 + 2).div_ceil(tile), level.size.div_ceil(tile), 4 * level.merges];
        let local = [(tile / 4) * (tile / 4), 1, 1];
        work.launch((&MULTIPLY, &format!(" -DTILE={tile}")), "merge_multiply", &args, groups, local)
    }

    /// The products of large merges, each half of U and V by the general kernels with the columns that reach it. Waits for the
    /// counts.
    fn products(&self, nodes: &[Node], full: &Full) -> Result<(), Fault> {
        let (work, n) = (self.work, self.work.n);
        let mut bytes = vec![0; 16 * nodes.len()];
        work.gpu.read(&self.counts, 0, &mut bytes)?;
        let counts: Vec<usize> =
            bytes.chunks_exact(4).map(|b| i32::from_ne_bytes(b.try_into().expect("4 bytes")) as usize).collect();
        let part = |block, row: usize, col: usize, rows: usize, cols: usize| {
            DeviceView::new(block, work.dtype, row + col * n, [1, rows, cols], [0, 1, n as isize])
        };
        let one = Complex64::new(1.0, 0.0);
        for (&[first, nl, nr, sqre], count) in nodes.iter().zip(counts.chunks_exact(4)) {
            let (k, upper, both) = (count[0], count[1], count[2]);
            // Packed columns: upper, pole 0, both, lower. Pole 0's column of V has lower rows if it is made of two null columns.
            let sides = [(&full.packed_u, &full.q, &full.u, 0), (&work.packed_v, &full.w, &work.v, sqre)];
            for (packed, vectors, result, extra) in sides {
                let below = upper + 1 - extra;
                let halves = [(first, nl + 1, 0, upper + 1 + both), (first + nl + 1, nr + extra, below, k - below)];
                for (row, rows, start, depth) in halves {
                    let a = part(packed, row, first + start, rows, depth)?;
                    let b = part(vectors, first + start, first, depth, k)?;
                    // A depth of zero makes the rows zero.
                    let c = part(result, row, first, rows, k)?;
                    gemm(work.gpu, one, (a, false), (b, false), Complex64::new(0.0, 0.0), c)?;
                }
            }
        }
        Ok(())
    }

    /// Brings back what no product changes, and the values into ascending order.
    fn unpack_and_rank(&self, level: &Level<'_>) -> Result<(), Fault> {
        let work = self.work;
        let ([u, v], [packed_u, packed_v]) = (self.matrices(), [work.packed_u(), &work.packed_v].map(Arg::Block));
        let [counts, value, sigma, column] = [&self.counts, &self.value, &work.sigma, &work.column].map(Arg::Block);
        let args = [level.nodes, level.first_node, counts, packed_u, packed_v, work.ld(), work.thin(), u, v];
        let groups = [level.along[0], level.along[1].min(64), level.sides];
        work.launch((&MERGE, ""), "merge_unpack", &args, groups, level.local)?;
        let args = [level.nodes, level.first_node, counts, value, sigma, column];
        let groups = [level.size.div_ceil(64), level.merges, 1];
        work.launch((&MERGE, ""), "merge_rank", &args, groups, [64, 1, 1])
    }
}
