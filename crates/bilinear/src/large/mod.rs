//! Large products by a bilinear scheme on blocks: `C = alpha op(A) op(B) + beta C`, column-major, without a sum of blocks in memory.
//!
//! With op(A), op(B) and C cut into the blocks of a scheme of rank R (the crate's `Scheme` has its equations),
//!
//! ```text
//!     P_r = (sum_x u_r(x) A_x) (sum_y v_r(y) B_y),      C_z = beta C_z + alpha sum_r w_r(z) P_r.
//! ```
//!
//! A product by blocks packs its operands into panels anyhow, and adds tiles of the product to C from registers. So the sums of
//! blocks are formed while packing, and each tile of P_r is added to all its blocks of C: nothing is read or written that an ordinary
//! product would not touch, but more often ("ABC" of the source). Levels are not nested but multiplied out: two levels of a
//! 2 x 2 scheme are one of a 4 x 4 scheme.
//!
//! ```text
//!     for each r, columns jc of a block, steps pc:        one panel of sum_y v_r(y) B_y, shared by all threads
//!       for each rows ic, on any thread:                  one panel of sum_x u_r(x) A_x, its own
//!         tiles of their product -> C_z, all z with w_r(z) != 0
//! ```
//!
//! Extents need not be multiples of the scheme's: blocks at the end are smaller, and what they lack counts as 0 and is not stored.
//!
//! Source: J. Huang, L. Rice, D. A. Matthews, R. A. van de Geijn, Generating families of practical fast matrix multiplication
//! algorithms, IPDPS 2017; the loops around the tile: F. G. Van Zee, R. A. van de Geijn, BLIS, ACM TOMS 41 (2015), article 14.

mod kernels;
mod pack;
mod tile;

pub use kernels::Element;

use crate::scheme::{Form, Scheme};
use crate::small::{Call, Isa};
use kernels::Kernels;
use pack::{Part, Source};
use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use tile::{Block, Target};

/// Steps of a panel: a tile's panel of B (8 columns of 256 doubles, 16 KiB) fills half of a first-level cache.
const STEPS: usize = 512;
/// Bytes of A's panels: less than half of a second-level cache of 1 MiB.
const A_BYTES: usize = 400 << 10;
/// Columns of a panel of B for all threads, in bytes of one step: 256 steps of 16 KiB, 4 MiB.
const B_BYTES: usize = 8 << 10;
/// Bytes of a cache line.
const LINE: usize = 64;

/// A scheme as the loops need it.
#[derive(Clone, Debug)]
pub struct Forms<T> {
    /// Blocks of op(A) in rows, in columns, and of op(B) in columns.
    cut: [usize; 3],
    /// For each product the blocks of op(A), of op(B) and of C, row by row, and their factors.
    products: Vec<[Vec<(usize, T)>; 3]>,
    /// What is known of each block of C.
    blocks: Vec<Added>,
}

/// What is added to a block of C.
#[derive(Clone, Copy, Debug)]
struct Added {
    /// The first product.
    first: usize,
    /// `sum_r |w_r| |u_r|_1 |v_r|_1`.
    size: f64,
    /// The same sum with each term times the roundings in its two sums.
    rounded: f64,
    /// The same sum with each term times the products that are added to the block from its own on.
    later: f64,
}

impl<T: Element> Forms<T> {
    /// Those of a scheme over the integers or with halves, whose factors are exact in `T`.
    pub fn of(scheme: &Scheme) -> Self {
        let terms = |form: &Form| form.iter().map(|&(at, factor)| (at, T::of(factor.to_f64()))).collect::<Vec<_>>();
        let forms = scheme.u.iter().zip(&scheme.v).zip(&scheme.w);
        let products: Vec<_> = forms.map(|((u, v), w)| [terms(u), terms(v), terms(w)]).collect();
        let size = |terms: &[(usize, T)]| terms.iter().map(|term| Into::<f64>::into(term.1).abs()).sum::<f64>();
        let inexact = |form: &Form| form.iter().filter(|term| !term.1.abs().is_power_of_two()).count();
        let roundings = |r: usize| {
            let (u, v): (&Form, &Form) = (&scheme.u[r], &scheme.v[r]);
            (u.len() + v.len() - 2 + inexact(u) + inexact(v)) as f64
        };
        let added = |z| {
            let mut added = Added { first: usize::MAX, size: 0.0, rounded: 0.0, later: 0.0 };
            for (r, [u, v, w]) in products.iter().enumerate() {
                if let Some((_, factor)) = w.iter().find(|term| term.0 == z) {
                    let term = Into::<f64>::into(*factor).abs() * size(u) * size(v);
                    added.first = added.first.min(r);
                    added.size += term;
                    added.rounded += term * roundings(r);
                    // What is there already passes one more addition.
                    added.later += added.size;
                }
            }
            added
        };
        Self { cut: [scheme.m, scheme.n, scheme.k], blocks: (0..scheme.m * scheme.k).map(added).collect(), products }
    }

    /// The number of products.
    pub fn rank(&self) -> usize {
        self.products.len()
    }

    /// Multiplications of blocks as a part of the definition's.
    pub fn share(&self) -> f64 {
        self.rank() as f64 / self.cut.iter().product::<usize>() as f64
    }

    /// Elements of an `m x n` product with `k` terms, `[m, n, k]`, that are read for sums of blocks, and read and written to add products up.
    pub fn traffic(&self, [m, n, k]: [usize; 3]) -> f64 {
        let [height, depth, width] = [(m, 0), (k, 1), (n, 2)].map(|(extent, at)| extent.div_ceil(self.cut[at]) as f64);
        let terms = |of: usize| self.products.iter().map(|forms| forms[of].len()).sum::<usize>() as f64;
        let sweeps = (width * size_of::<T>() as f64 / B_BYTES as f64).ceil();
        let panels = (depth / STEPS as f64).ceil();
        terms(0) * height * depth * sweeps + terms(1) * depth * width + 2.0 * terms(2) * height * width * panels
    }

    /// Bound of the error of an element of `op(A) op(B)` with `k` terms in units of `(eps / 2) max|A| max|B|`, to first order, eps the
    /// distance from 1 to the next number of the type.
    ///
    /// A term of block z of C, of which there are `q sum_r |w_r(z)| |u_r|_1 |v_r|_1` with `q = ceil(k / blocks)`, is rounded once for each
    /// block but the first of the two sums that it is in and for each factor there that is no power of two, at most `min(q, steps)` times in a
    /// panel's sum, and with every panel that is added to C after it.
    pub fn error_bound(&self, k: usize) -> f64 {
        let q = k.div_ceil(self.cut[1]);
        let bound = |added: &Added| {
            q as f64 * (added.rounded + added.size * q.min(STEPS) as f64 + added.later * q.div_ceil(STEPS) as f64)
        };
        self.blocks.iter().map(bound).fold(0.0, f64::max)
    }
}

/// Extents of everything that the loops cut.
struct Plan {
    /// Blocks of the scheme.
    block: [usize; 3],
    /// Panels of A that a block's rows are cut into, and the most rows of one.
    parts: usize,
    rows: usize,
    /// Rows of a tile.
    tile: usize,
    /// Columns of a panel of B.
    cols: usize,
    threads: usize,
}

/// One panel of B: what all threads work on between two meetings.
#[derive(Clone, Copy)]
struct Step {
    product: usize,
    col: usize,
    cols: usize,
    step: usize,
    steps: usize,
}

impl Plan {
    fn new<T: Element>(forms: &Forms<T>, product: &Call<T>, kernels: &Kernels<T>, threads: usize) -> Self {
        let extents = [product.m, product.k, product.n];
        // Blocks of whole tiles, if that leaves something for the last one.
        let tiles = [kernels.rows, 1, kernels.cols];
        let block = [0, 1, 2].map(|at| {
            let (extent, parts) = (extents[at], forms.cut[at]);
            let rounded = extent.div_ceil(parts).next_multiple_of(tiles[at]);
            if rounded * (parts - 1) < extent { rounded } else { extent.div_ceil(parts) }
        });
        let steps = STEPS.min(block[1].max(1));
        let fitting = (A_BYTES / size_of::<T>() / steps / kernels.rows).max(1);
        // As many for each thread, and about as large: nobody should wait for the last one.
        let tiles = block[0].div_ceil(kernels.rows);
        let parts = tiles.div_ceil(fitting).next_multiple_of(threads).min(tiles);
        let columns = (B_BYTES / size_of::<T>()).min(block[2]);
        Self {
            block,
            parts,
            rows: tiles.div_ceil(parts) * kernels.rows,
            tile: kernels.rows,
            cols: columns.next_multiple_of(kernels.cols),
            threads,
        }
    }

    /// The rows of a part: whole tiles, but for the last one.
    fn part(&self, at: usize) -> Range<usize> {
        let tiles = self.block[0].div_ceil(self.tile);
        let row = |at: usize| (tiles * at / self.parts * self.tile).min(self.block[0]);
        row(at)..row(at + 1)
    }

    /// Elements of a panel of A, and of B.
    fn panels(&self) -> [usize; 2] {
        let steps = STEPS.min(self.block[1].max(1));
        [self.rows * steps, self.cols * steps]
    }

    fn steps(&self, rank: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        for product in 0..rank {
            for col in (0..self.block[2]).step_by(self.cols) {
                for step in (0..self.block[1]).step_by(STEPS) {
                    let (cols, steps_here) = (self.cols.min(self.block[2] - col), STEPS.min(self.block[1] - step));
                    steps.push(Step { product, col, cols, step, steps: steps_here });
                }
            }
        }
        steps
    }
}

/// Memory that begins on a cache line.
struct Panel<T> {
    memory: Vec<T>,
    start: usize,
}

impl<T: Element> Panel<T> {
    fn new(elements: usize) -> Self {
        let memory = vec![T::ZERO; elements + LINE / size_of::<T>()];
        let start = memory.as_ptr().align_offset(LINE);
        Self { memory, start }
    }

    fn as_mut_ptr(&mut self) -> *mut T {
        self.memory[self.start..].as_mut_ptr()
    }
}

/// Bytes that a product takes beside its matrices: panels, for `threads` threads.
pub fn workspace_bytes<T: Element>(forms: &Forms<T>, product: &Call<T>, threads: usize) -> usize {
    let kernels = T::kernels(Isa::best());
    let threads = threads.max(1);
    let [a, b] = Plan::new(forms, product, kernels, threads).panels();
    (a * threads + b * if threads > 1 { 2 } else { 1 }) * size_of::<T>()
}

/// Computes a product by a scheme, on `threads` threads, with the best instructions of this processor.
///
/// As BLAS's, `beta = 0` does not read C. No extent and not alpha is 0.
///
/// # Safety
/// The memory is as BLAS's `xGEMM` demands it, and C overlaps neither A nor B.
pub unsafe fn gemm<T: Element>(forms: &Forms<T>, product: &Call<T>, threads: usize) {
    // SAFETY: the caller's promise; the instructions are there.
    unsafe { gemm_with(Isa::best(), forms, product, threads) }
}

/// As [`gemm`], with the instructions that are named.
///
/// # Safety
/// As [`gemm`]; the processor has the instructions.
pub unsafe fn gemm_with<T: Element>(isa: Isa, forms: &Forms<T>, product: &Call<T>, threads: usize) {
    let kernels = T::kernels(isa);
    let plan = Plan::new(forms, product, kernels, threads.max(1));
    let steps = plan.steps(forms.rank());
    let [a_size, b_size] = plan.panels();
    // The next panel is packed while others still read the last one.
    let mut b: Vec<Panel<T>> = (0..if plan.threads > 1 { 2 } else { 1 }).map(|_| Panel::new(b_size)).collect();
    let b: Vec<*mut T> = b.iter_mut().map(Panel::as_mut_ptr).collect();
    let work = Work {
        kernels,
        forms,
        product,
        plan: &plan,
        steps: &steps,
        b: &b,
        next: &steps.iter().map(|_| AtomicUsize::new(0)).collect::<Vec<_>>(),
        meeting: &Barrier::new(plan.threads),
    };
    let one = |thread| {
        let mut a = Panel::new(a_size);
        // SAFETY: the caller's promise.
        unsafe { work.run(thread, a.as_mut_ptr()) }
    };
    std::thread::scope(|scope| {
        let one = &one;
        for thread in 1..plan.threads {
            scope.spawn(move || one(thread));
        }
        one(0);
    });
}

/// What the threads share.
struct Work<'a, T: Element> {
    kernels: &'static Kernels<T>,
    forms: &'a Forms<T>,
    product: &'a Call<T>,
    plan: &'a Plan,
    steps: &'a [Step],
    /// Panels of B, one or two.
    b: &'a [*mut T],
    /// For each step the next part of the rows that nobody has taken.
    next: &'a [AtomicUsize],
    meeting: &'a Barrier,
}

// SAFETY: the threads write through its pointers to elements of their own, with a meeting between writing and reading a panel.
unsafe impl<T: Element> Sync for Work<'_, T> {}

impl<T: Element> Work<'_, T> {
    /// All steps, on one of the threads.
    ///
    /// # Safety
    /// As [`gemm`]; `a` is the thread's own panel.
    unsafe fn run(&self, thread: usize, a: *mut T) {
        // SAFETY: the caller's promise. A panel of B is packed after the meeting that ended the step which read it last, and read
        // after the meeting that follows its packing.
        unsafe {
            for (at, step) in self.steps.iter().enumerate() {
                self.pack_b(thread, at, step);
                self.meet();
                self.multiply(at, step, a);
            }
        }
    }

    fn meet(&self) {
        if self.plan.threads > 1 {
            self.meeting.wait();
        }
    }

    /// This thread's share of a panel of B.
    ///
    /// # Safety
    /// Nobody reads the panel.
    unsafe fn pack_b(&self, thread: usize, at: usize, step: &Step) {
        let share = step.cols.div_ceil(self.kernels.cols).div_ceil(self.plan.threads) * self.kernels.cols;
        let first = thread * share;
        if first >= step.cols {
            return;
        }
        let Call { transpose: [_, flip], k, n, b, ldb, .. } = *self.product;
        let [_, depth, width] = self.plan.block;
        let strides = if flip { [1, ldb] } else { [ldb, 1] };
        let across = self.forms.cut[2];
        let place = |y| [y % across * width, y / across * depth];
        let sources = sources(&self.forms.products[step.product][1], b, strides, place, [n, k], [width, depth]);
        let part = Part {
            sources: &sources,
            line_stride: strides[0],
            step_stride: strides[1],
            line: step.col + first,
            count: share.min(step.cols - first),
            step: step.step,
            steps: step.steps,
        };
        // SAFETY: the caller's promise; shares do not overlap.
        unsafe { (self.kernels.pack_cols)(&part, self.b[at % self.b.len()].add(first * step.steps)) }
    }

    /// Rows of A, as long as there are any, times the panel of B.
    ///
    /// # Safety
    /// The panel of B is packed, `a` the thread's own.
    unsafe fn multiply(&self, at: usize, step: &Step, a: *mut T) {
        let Call { transpose: [flip, _], m, n, k, alpha, a: from, lda, beta, c, ldc, .. } = *self.product;
        let [height, depth, width] = self.plan.block;
        let strides = if flip { [lda, 1] } else { [1, lda] };
        let [_, inner, across] = self.forms.cut;
        let [u, _, w] = &self.forms.products[step.product];
        let place = |x| [x / inner * height, x % inner * depth];
        let sources = sources(u, from, strides, place, [m, k], [height, depth]);
        let target = |&(z, factor): &(usize, T)| {
            let (row, col) = (z / across * height, z % across * width);
            let fresh = self.forms.blocks[z].first == step.product && step.step == 0;
            Target {
                c: c.wrapping_add(row + col * ldc),
                factor: alpha * factor,
                beta: if fresh { beta } else { T::of(1.0) },
                rows: m.saturating_sub(row).min(height),
                cols: n.saturating_sub(col).min(width),
            }
        };
        let targets: Vec<Target<T>> = w.iter().map(target).collect();
        loop {
            let part = self.next[at].fetch_add(1, Ordering::Relaxed);
            if part >= self.plan.parts {
                return;
            }
            let Range { start: row, end } = self.plan.part(part);
            let rows = end - row;
            let part = Part {
                sources: &sources,
                line_stride: strides[0],
                step_stride: strides[1],
                line: row,
                count: rows,
                step: step.step,
                steps: step.steps,
            };
            let block = Block {
                k: step.steps,
                a,
                rows,
                first_row: row,
                b: self.b[at % self.b.len()],
                cols: step.cols,
                first_col: step.col,
                targets: &targets,
                ld: ldc,
            };
            // SAFETY: the caller's promise; rows are taken once.
            unsafe {
                (self.kernels.pack_rows)(&part, a);
                (self.kernels.multiply)(&block);
            }
        }
    }
}

/// The blocks of an operand that a product combines. `place` gives the line and the step at which a block begins; blocks have the
/// extents `block`, of which the operand's `extents` may leave less to the last ones.
fn sources<T: Element>(
    terms: &[(usize, T)],
    from: *const T,
    strides: [usize; 2],
    place: impl Fn(usize) -> [usize; 2],
    extents: [usize; 2],
    block: [usize; 2],
) -> Vec<Source<T>> {
    let source = |&(at, factor): &(usize, T)| {
        let [line, step] = place(at);
        Source {
            from: from.wrapping_add(line * strides[0] + step * strides[1]),
            factor,
            lines: extents[0].saturating_sub(line).min(block[0]),
            steps: extents[1].saturating_sub(step).min(block[1]),
        }
    };
    terms.iter().map(source).collect()
}
