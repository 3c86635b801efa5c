//! Large products with fewer multiplications: bilinear schemes on blocks (`kernels/matrix_multiply/gemm_fast.cl`). The sums of a
//! scheme are generated from its table by crates/bilinear.
//!
//! A scheme of R products on `b` x `b` blocks replaces `b^3` products of blocks by R: 7 of 8 on halves, 49 or 48 of 64 on
//! quarters. All R are one batch for [`gemm`]; before it one kernel makes all sums of A and one all sums of B, and one kernel
//! puts C together behind it. With the sums in memory this moves `3 (b^2 + R) / b^2` matrices: 12.2 on quarters, 8.3 on halves.
//!
//! Rows and columns that do not fill the blocks are multiplied by [`gemm`]; terms that do not are filled up with zeros.

use super::gemm::gemm;
use super::gemm_variants::{PACK_A, PACK_B, lines, packed, takes_ptx};
use super::{DeviceView, Factor, TYPES, grid, int, invalid, options, same_kind, spare, writable};
use crate::fault::Fault;
use crate::gpu::{Arg, Gpu};
use crate::pool::Block;
use crate::program::Source;
use lapack_ai_core::{Complex64, DType};

/// Work-items of a group.
const ITEMS: usize = 128;
/// Terms of a block are a multiple of it: what the kernels of products take at a time.
const TERMS: usize = 16;
/// Most parts in which the products of a scheme are computed, for want of memory.
const MOST_PARTS: usize = 7;

/// A way of multiplying with fewer products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// V. Strassen (1969): halves, or quarters by applying it twice.
    Strassen,
    /// S. Winograd's variant of it, with fewer additions, which cost little here, and larger errors.
    Winograd,
    /// A. Fawzi and others (2022): quarters.
    AlphaTensor,
    /// 48 products, for quarters; the smallest errors (arXiv 2603.18699).
    Rank48,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Strassen, Self::Winograd, Self::AlphaTensor, Self::Rank48];

    /// Its name, that of the same algorithm on the CPU.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strassen => "strassen",
            Self::Winograd => "winograd",
            Self::AlphaTensor => "alphatensor",
            Self::Rank48 => "rank48",
        }
    }

    /// How often matrices may be halved by it: once for halves, twice for quarters; three times is Strassen's or Winograd's scheme for
    /// halves, and the scheme itself for their quarters.
    pub fn levels(self) -> &'static [usize] {
        match self {
            Self::Strassen | Self::Winograd => &[1, 2, 3],
            Self::AlphaTensor => &[2],
            Self::Rank48 => &[2, 3],
        }
    }

    /// Products of blocks, if it can be applied to matrices that are halved `levels` times.
    pub fn products(self, levels: usize) -> Option<usize> {
        form(self, levels).map(|form| form.products)
    }
}

/// A scheme on blocks of one size, as code.
struct Form {
    scheme: Scheme,
    levels: usize,
    products: usize,
    /// Largest error with numbers for blocks, in units of `(eps / 2) max|A| max|B|`: that of the generated code.
    error: f64,
    /// By how much it multiplies the errors of the products of blocks: its stability factor.
    growth: f64,
    source: Source,
}

/// What stands in front of and behind the functions of a scheme.
const BLOCKS: &str = include_str!("../../kernels/matrix_multiply/gemm_fast_blocks.cl");
const KERNELS: &str = include_str!("../../kernels/matrix_multiply/gemm_fast.cl");
/// What stands in front of and behind those of a scheme within another.
const INNER: &str = include_str!("../../kernels/matrix_multiply/gemm_fast_inner.cl");
const OUTER: &str = include_str!("../../kernels/matrix_multiply/gemm_fast_outer.cl");

macro_rules! functions {
    ($file:literal) => {
        include_str!(concat!("../../kernels/matrix_multiply/fast/", $file, ".cl"))
    };
}

macro_rules! form {
    ($scheme:ident, $levels:literal, $products:literal, $error:literal, $growth:literal, $file:literal) => {
        Form {
            scheme: Scheme::$scheme,
            levels: $levels,
            products: $products,
            error: $error,
            growth: $growth,
            source: Source { name: concat!("gemm_fast_", $file), parts: &[TYPES, BLOCKS, functions!($file), KERNELS] },
        }
    };
    // The last scheme within the one before.
    ($scheme:ident, $levels:literal, $products:literal, $error:literal, $growth:literal, $outer:literal, $inner:literal) => {
        Form {
            scheme: Scheme::$scheme,
            levels: $levels,
            products: $products,
            error: $error,
            growth: $growth,
            source: Source {
                name: concat!("gemm_fast_", $outer, "_of_", $inner),
                parts: &[TYPES, BLOCKS, INNER, functions!($inner), OUTER, functions!($outer), KERNELS],
            },
        }
    };
}

/// A scheme within another has the error `4 (s - e) + e s'`, for s and e of the outer one and s' of the inner one, for 4 x 4 blocks.
static FORMS: [Form; 9] = [
    form!(Strassen, 1, 7, 42.0, 12.0, "strassen_7"),
    form!(Winograd, 1, 7, 83.0, 18.0, "winograd_7"),
    form!(Strassen, 2, 49, 830.0, 144.0, "strassen_49"),
    form!(Winograd, 2, 49, 2551.0, 324.0, "winograd_49"),
    form!(AlphaTensor, 2, 49, 2461.0, 328.0, "alphatensor_49"),
    form!(Rank48, 2, 48, 1251.5, 148.0, "rank_48"),
    form!(Strassen, 3, 343, 10080.0, 1728.0, "strassen_7", "strassen_49"),
    form!(Winograd, 3, 343, 46178.0, 5832.0, "winograd_7", "winograd_49"),
    form!(Rank48, 3, 336, 15138.0, 1776.0, "strassen_7", "rank_48"),
];

fn form(scheme: Scheme, levels: usize) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.scheme == scheme && form.levels == levels)
}

/// Bound of the error of an element of `op(A) op(B)` with `k` terms in units of `(eps / 2) max|A| max|B|`, to first order, eps
/// the distance from 1 to the next number of the type. `None` if the scheme is not for that many levels.
///
/// With q terms in a block (a multiple of 16, `k / 2^levels` or more), `s` the error of the scheme's code on numbers and `e` its
/// stability factor: sums of blocks add `q (s - e)`, the products of blocks `e q^2`, and adding up the parts of a scheme that is
/// computed in parts at most `7 e q`. `k^2` for the ordinary product, which is a bound too.
pub fn error_bound(scheme: Scheme, levels: usize, k: usize) -> Option<f64> {
    let form = form(scheme, levels)?;
    let q = k.div_ceil(1 << levels).next_multiple_of(TERMS).min(k) as f64;
    let parts = MOST_PARTS as f64;
    Some((q * (form.error - form.growth) + form.growth * (q * q + parts * q)).max((k * k) as f64))
}

/// How a product is computed by a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The scheme.
    pub scheme: Scheme,
    /// How often the matrices are halved.
    pub levels: usize,
    /// Rows of a block of op(A), its columns, and columns of a block of op(B).
    pub block: [usize; 3],
    /// Products of blocks that are computed at a time.
    pub at_a_time: usize,
    /// Memory for sums and products, in bytes.
    pub workspace: usize,
    /// The largest buffer of it, in bytes.
    pub largest: usize,
}

impl Plan {
    /// The plan for an m x n product with `k` terms, given as [m, n, k], that computes all products of blocks at a time: what it
    /// needs is the most that there is use for. `None` if the scheme is not for that many levels, or the matrices are too small.
    pub fn new([m, n, k]: [usize; 3], dtype: DType, scheme: Scheme, levels: usize) -> Option<Self> {
        let products = form(scheme, levels)?.products;
        let (across, lanes) = (1 << levels, 16 / dtype.size());
        let outer = |extent: usize| {
            let block = extent / across;
            // Whole tiles of the kernels of products, unless the rest were much.
            let unit = match block {
                0..256 => lanes,
                256..1024 => 64,
                _ => 128,
            };
            block / unit * unit
        };
        let block = [outer(m), k.div_ceil(across).next_multiple_of(TERMS), outer(n)];
        (block[0] > 0 && block[2] > 0 && k >= across)
            .then(|| Self { scheme, levels, block, at_a_time: 0, workspace: 0, largest: 0 }.taking(products, dtype))
    }

    /// The same with that many products at a time.
    fn taking(self, at_a_time: usize, dtype: DType) -> Self {
        let [m, k, n] = self.block;
        let bytes = [m * k, k * n, m * n].map(|elements| at_a_time * elements * dtype.size());
        let largest = bytes.into_iter().fold(0, usize::max);
        Self { at_a_time, workspace: bytes.iter().sum(), largest, ..self }
    }

    /// Plans that need less and less memory, the fastest first: the products in up to 7 parts, then fewer levels.
    fn all(shape: [usize; 3], dtype: DType, scheme: Scheme, levels: usize) -> impl Iterator<Item = Self> {
        let levels = scheme.levels().iter().rev().filter(move |&&fewer| fewer <= levels);
        levels.filter_map(move |&levels| Self::new(shape, dtype, scheme, levels)).flat_map(move |whole| {
            (1..=MOST_PARTS).map(move |parts| whole.taking(whole.at_a_time.div_ceil(parts), dtype))
        })
    }

    /// The fastest plan for `scheme` on matrices that are halved up to `levels` times whose memory the device has; `None` if
    /// there is none.
    pub fn fitting(gpu: &Gpu, shape: [usize; 3], dtype: DType, scheme: Scheme, levels: usize) -> Option<Self> {
        Self::all(shape, dtype, scheme, levels).find(|plan| plan.fits(gpu))
    }

    fn fits(&self, gpu: &Gpu) -> bool {
        // A block of the pool may be an eighth larger than what was asked for.
        self.workspace / 8 * 9 <= gpu.available() && self.largest as u64 <= gpu.info().max_allocation
    }

    /// Rows and columns of C that the blocks have.
    fn core(&self) -> [usize; 2] {
        [self.block[0] << self.levels, self.block[2] << self.levels]
    }

    /// Memory for the sums of A, of B, and the products; `None` without.
    fn memory(&self, gpu: &Gpu, dtype: DType) -> Result<Option<[Block; 3]>, Fault> {
        let [m, k, n] = self.block;
        let bytes = |elements: usize| self.at_a_time * elements * dtype.size();
        let Some(left) = spare(gpu, bytes(m * k))? else { return Ok(None) };
        let Some(right) = spare(gpu, bytes(k * n))? else { return Ok(None) };
        Ok(spare(gpu, bytes(m * n))?.map(|products| [left, right, products]))
    }
}

/// `C = alpha A B + beta C` by a scheme, on matrices that are halved up to `levels` times: `a` is (batch, m, k), `b`
/// (batch, k, n), `c` (batch, m, n) and overlaps neither; a batch of 1 of `a` or `b` is repeated. Transposes are given as views.
/// Real types.
///
/// As [`gemm`], but for two things. An element of the product is right up to [`error_bound`]` (eps / 2) max|A| max|B|`, the
/// largest elements of the whole matrices, not relative to its own terms; `alpha` and `beta` add the rounding of three
/// operations. And a NaN or Inf can spread to all of C.
///
/// Sums and products need memory from the pool; with less of it than [`Plan::new`] says, the products are computed in up to 7
/// parts, then on fewer levels, then by [`gemm`]. Returns what was done, `None` for [`gemm`].
///
/// # Errors
/// `Invalid` for shapes or types that do not fit, complex ones among them, a scheme that is not for so many levels, or a `c` with a
/// stride of 0, `NoFloat64`, or what the device refused.
pub fn gemm_fast(
    gpu: &Gpu,
    (scheme, levels): (Scheme, usize),
    alpha: Complex64,
    a: DeviceView<'_>,
    b: DeviceView<'_>,
    beta: Complex64,
    c: DeviceView<'_>,
) -> Result<Option<Plan>, Fault> {
    same_kind(gpu, &[&c, &a, &b])?;
    writable(&c)?;
    if c.dtype.is_complex() {
        return Err(invalid(format!("{} matrices; this product takes real ones", c.dtype.name())));
    }
    if form(scheme, levels).is_none() {
        let all = scheme.levels();
        return Err(invalid(format!("{levels} levels of {}, which has {all:?}", scheme.name())));
    }
    let (a, b) = (a.repeated(c.batch)?, b.repeated(c.batch)?);
    if a.rows != c.rows || b.cols != c.cols || a.cols != b.rows {
        return Err(invalid(format!("{:?} times {:?} into {:?}", a.shape(), b.shape(), c.shape())));
    }
    let (dtype, shape) = (c.dtype, [c.rows, c.cols, a.cols]);
    if alpha.re != 0.0 && !c.is_empty() {
        for plan in Plan::all(shape, dtype, scheme, levels).filter(|plan| plan.fits(gpu)) {
            let (Some(form), Some(memory)) = (form(plan.scheme, plan.levels), plan.memory(gpu, dtype)?) else {
                continue;
            };
            for t in 0..c.batch {
                let (a, b, c) = (a.run(t, 1)?, b.run(t, 1)?, c.run(t, 1)?);
                Core { gpu, form, plan, memory: &memory, dtype }.multiply(alpha, a, b, beta, c)?;
            }
            return Ok(Some(plan));
        }
    }
    gemm(gpu, alpha, (a, false), (b, false), beta, c)?;
    Ok(None)
}

/// What the launches of a product have in common.
struct Core<'a> {
    gpu: &'a Gpu,
    form: &'static Form,
    plan: Plan,
    memory: &'a [Block; 3],
    dtype: DType,
}

/// A direction of blocks of an operand: its blocks' extents, and how they are put to the kernels.
struct Blocks {
    /// Elements along the inner direction, and lines.
    length: usize,
    lines: usize,
    /// Elements of an access.
    width: usize,
    /// Offset, inner and outer stride, from a block to the next one of its column, of its row.
    place: [i64; 5],
    items: [usize; 2],
}

impl Blocks {
    /// Of blocks with `rows` x `cols` elements; `k` are the product's terms if they go along the inner direction. `nested`: a scheme
    /// within another, which takes single elements.
    fn of(view: &DeviceView<'_>, [rows, cols]: [usize; 2], k: Option<usize>, nested: bool) -> Self {
        let (length, lines, inner, outer) = match view.rows_are_inner() {
            true => (rows, cols, view.row_stride, view.col_stride),
            false => (cols, rows, view.col_stride, view.row_stride),
        };
        let lanes = 16 / view.dtype.size();
        let even = [view.offset as isize, outer, length as isize, k.unwrap_or(0) as isize];
        let wide = !nested && inner == 1 && even.iter().all(|value| value % lanes as isize == 0);
        let width = if wide { lanes } else { 1 };
        let x = (length / width).next_power_of_two().min(ITEMS);
        let place = [
            view.offset as i64,
            inner as i64,
            outer as i64,
            rows as i64 * view.row_stride as i64,
            cols as i64 * view.col_stride as i64,
        ];
        Self { length, lines, width, place, items: [x, ITEMS / x] }
    }

    fn options(&self) -> String {
        let [x, y] = self.items;
        format!("-DVEC={} -DITEMS_X={x} -DITEMS_Y={y}", self.width)
    }

    /// Work-items, and those of a group.
    fn grid(&self) -> ([usize; 3], [usize; 3]) {
        let [x, y] = self.items;
        let local = [x, y, 1];
        (grid([(self.length / self.width).div_ceil(x), self.lines.div_ceil(y), 1], local), local)
    }
}

impl Core<'_> {
    fn multiply(
        &self,
        alpha: Complex64,
        a: DeviceView<'_>,
        b: DeviceView<'_>,
        beta: Complex64,
        c: DeviceView<'_>,
    ) -> Result<(), Fault> {
        let ([_, m, n], [rows, cols]) = (c.shape(), self.plan.core());
        let k = a.cols;
        self.blocks(alpha, a.window(0, 0, rows, k)?, b.window(0, 0, k, cols)?, beta, c.window(0, 0, rows, cols)?)?;
        // What is beyond the blocks, below and to the right.
        if rows < m {
            let (a, c) = (a.window(rows, 0, m - rows, k)?, c.window(rows, 0, m - rows, n)?);
            gemm(self.gpu, alpha, (a, false), (b, false), beta, c)?;
        }
        if cols < n {
            let (a, b) = (a.window(0, 0, rows, k)?, b.window(0, cols, k, n - cols)?);
            gemm(self.gpu, alpha, (a, false), (b, false), beta, c.window(0, cols, rows, n - cols)?)?;
        }
        Ok(())
    }

    fn is_nested(&self) -> bool {
        self.plan.levels > 2
    }

    /// Matrices that the blocks fill.
    fn blocks(
        &self,
        alpha: Complex64,
        a: DeviceView<'_>,
        b: DeviceView<'_>,
        beta: Complex64,
        c: DeviceView<'_>,
    ) -> Result<(), Fault> {
        // In single precision the products are faster with contiguous outer indices, and copies of the operands are smaller than
        // those of all sums.
        let single = self.dtype == DType::Float32 && takes_ptx(self.gpu);
        let block_a = if single { packed(self.gpu, &a, c.cols, PACK_A)? } else { None };
        let block_b = if single { packed(self.gpu, &b.transposed(), c.rows, PACK_B)? } else { None };
        let a = block_a.as_ref().map_or(Ok(a), |block| lines(&a, block))?;
        let b = block_b.as_ref().map_or(Ok(b), |block| Ok(lines(&b.transposed(), block)?.transposed()))?;
        for first in (0..self.form.products).step_by(self.plan.at_a_time) {
            let taken = first..self.form.products.min(first + self.plan.at_a_time);
            // Every part adds to what the ones before have made.
            let beta = if first == 0 { beta } else { Complex64::new(1.0, 0.0) };
            self.part(taken, alpha, a, b, beta, c)?;
        }
        Ok(())
    }

    /// The scheme's products of this range.
    fn part(
        &self,
        range: std::ops::Range<usize>,
        alpha: Complex64,
        a: DeviceView<'_>,
        b: DeviceView<'_>,
        beta: Complex64,
        c: DeviceView<'_>,
    ) -> Result<(), Fault> {
        let [m, k, n] = self.plan.block;
        let left = self.sums(&range, &a, [m, k], true)?;
        let right = self.sums(&range, &b, [k, n], false)?;
        let products = self.batch(2, range.len(), [m, n], c.rows_are_inner())?;
        gemm(self.gpu, Complex64::new(1.0, 0.0), (left, false), (right, false), Complex64::ZERO, products)?;

        let blocks = Blocks::of(&c, [m, n], None, self.is_nested());
        let (alpha, beta) = (Factor::new(alpha, self.dtype), Factor::new(beta, self.dtype));
        let mut args = vec![Arg::Block(&self.memory[2]), int(blocks.length), int(blocks.lines), Arg::Block(c.block)];
        args.extend(blocks.place.map(Arg::I64));
        args.extend([alpha.arg(), beta.arg()]);
        let update = format!("-DPART=3 -DUPDATE={}", u8::from(!beta.is_zero()));
        self.launch("gemm_fast_combine", &range, &update, &blocks, &args)
    }

    /// The factors of the products of `range` from the blocks of A or of B.
    fn sums(
        &self,
        range: &std::ops::Range<usize>,
        view: &DeviceView<'_>,
        block: [usize; 2],
        of_a: bool,
    ) -> Result<DeviceView<'_>, Fault> {
        let (terms, k) = if of_a { (block[1], view.cols) } else { (block[0], view.rows) };
        let terms_inner = view.rows_are_inner() != of_a;
        let blocks = Blocks::of(view, block, terms_inner.then_some(k), self.is_nested());
        let (operand, kernel) = if of_a { (0, "gemm_fast_sums_a") } else { (1, "gemm_fast_sums_b") };
        let mut args = vec![Arg::Block(view.block)];
        args.extend(blocks.place.map(Arg::I64));
        args.extend([Arg::Block(&self.memory[operand]), int(blocks.length), int(blocks.lines), int(terms), int(k)]);
        let part = format!("-DPART={} -DTERMS_INNER={}", operand + 1, u8::from(terms_inner));
        self.launch(kernel, range, &part, &blocks, &args)?;
        self.batch(operand, range.len(), block, view.rows_are_inner())
    }

    fn launch(
        &self,
        kernel: &'static str,
        range: &std::ops::Range<usize>,
        part: &str,
        blocks: &Blocks,
        args: &[Arg<'_>],
    ) -> Result<(), Fault> {
        let kind = options(self.gpu, self.dtype)?;
        let options = format!("{kind} {part} -DFIRST={} -DCOUNT={} {}", range.start, range.len(), blocks.options());
        let (global, local) = blocks.grid();
        self.gpu.launch(&self.form.source, &options, kernel, args, global, local)
    }

    /// Sums or products as a batch of `count` matrices without gaps.
    fn batch(
        &self,
        at: usize,
        count: usize,
        [rows, cols]: [usize; 2],
        rows_inner: bool,
    ) -> Result<DeviceView<'_>, Fault> {
        match rows_inner {
            true => DeviceView::col_major(&self.memory[at], self.dtype, [count, rows, cols]),
            false => DeviceView::row_major(&self.memory[at], self.dtype, [count, rows, cols]),
        }
    }
}
