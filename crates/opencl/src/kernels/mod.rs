//! Kernels and their launches, one file for each family; the kernels' own contracts stand in `kernels/*.cl`.
//!
//! Every function takes matrices as [`DeviceView`]s, checks shapes, types and devices, launches and returns at once, unless
//! it says that it waits. Scalars are given as [`Complex64`]; they are rounded to the matrices' type, and a real type takes
//! the real part. A batch of one is repeated for every matrix of the result's batch.

pub mod check;
pub mod copy;
pub mod gemm;
pub mod gemm_alphatensor;
pub mod gemm_at;
pub(crate) mod gemm_choose;
mod gemm_complex;
pub mod gemm_config;
pub mod gemm_fast;
pub mod gemm_fast_choose;
pub mod gemm_mixed;
pub(crate) mod gemm_variants;
pub mod norm;
pub mod scale;

use crate::fault::{Fault, FaultKind};
use crate::gpu::{Arg, Gpu};
use crate::pool::Block;
use lapack_ai_core::{Complex64, DType, Half};

/// Work-items of a group, where a kernel does not say otherwise: what every GPU has.
const GROUP: usize = 256;
/// Most groups along each dimension; CUDA's limits, and far more than fill a device. Kernels walk on with the grid's stride.
const MOST_GROUPS: [usize; 3] = [1 << 20, 65_535, 65_535];

/// The element types' common part of every program.
pub(crate) const TYPES: &str = include_str!("../../kernels/common/types.cl");
/// Where the matrices of a batch begin.
const SCATTERED: &str = include_str!("../../kernels/common/scattered.cl");
/// Groups of small matrices between global and local memory.
const BATCHED_TILES: &str = include_str!("../../kernels/matrix_multiply/batched_tiles.cl");

/// A type of elements: LAPACK's four ([`DType`]), which every kernel takes, or a 16-bit one ([`Half`]), which copies and
/// products take. The two are different types of views, so that no other kernel can be given 16 bits.
pub trait Element: Copy + PartialEq + std::fmt::Debug {
    /// Bytes of one element.
    fn size(self) -> usize;
    /// NumPy's name.
    fn name(self) -> &'static str;
}

impl Element for DType {
    fn size(self) -> usize {
        DType::size(self)
    }
    fn name(self) -> &'static str {
        DType::name(self)
    }
}

impl Element for Half {
    fn size(self) -> usize {
        2
    }
    fn name(self) -> &'static str {
        Half::name(self)
    }
}

/// A batch of equally shaped matrices in a block: element (i, j) of matrix b is element
/// `offset + b * batch_stride + i * row_stride + j * col_stride` of the block. All of them lie inside the block.
#[derive(Clone, Copy, Debug)]
pub struct DeviceView<'a, E = DType> {
    block: &'a Block,
    dtype: E,
    offset: usize,
    rows: usize,
    cols: usize,
    batch: usize,
    row_stride: isize,
    col_stride: isize,
    batch_stride: isize,
}

impl<'a, E: Element> DeviceView<'a, E> {
    /// `shape` is (batch, rows, columns); `strides`, in elements, go from matrix to matrix, row to row, column to column.
    /// `offset` is that of the first element, in elements.
    ///
    /// # Errors
    /// `Invalid` if an element lies outside the block or an extent is above 2^31 - 1, the kernels' limit.
    pub fn new(
        block: &'a Block,
        dtype: E,
        offset: usize,
        shape: [usize; 3],
        strides: [isize; 3],
    ) -> Result<Self, Fault> {
        if let Some(extent) = shape.iter().find(|&&extent| i32::try_from(extent).is_err()) {
            return Err(invalid(format!("an extent of {extent} is above {}, the most that kernels take", i32::MAX)));
        }
        if !shape.contains(&0) {
            let (mut first, mut last) = (offset as i128, offset as i128);
            for (extent, stride) in shape.into_iter().zip(strides) {
                let reach = (extent as i128 - 1) * stride as i128;
                first += reach.min(0);
                last += reach.max(0);
            }
            let held = block.size() / dtype.size();
            if first < 0 || last >= held as i128 {
                return Err(invalid(format!(
                    "a view of shape {shape:?} reaches elements {first} to {last} of a block that holds {held}"
                )));
            }
        }
        let [batch, rows, cols] = shape;
        let [batch_stride, row_stride, col_stride] = strides;
        Ok(Self { block, dtype, offset, rows, cols, batch, row_stride, col_stride, batch_stride })
    }

    /// A contiguous, row-major batch that begins at the block's first element; `shape` is (batch, rows, columns).
    ///
    /// # Errors
    /// As [`DeviceView::new`].
    pub fn row_major(block: &'a Block, dtype: E, shape: [usize; 3]) -> Result<Self, Fault> {
        let [_, rows, cols] = shape;
        Self::new(block, dtype, 0, shape, [(rows * cols) as isize, cols as isize, 1])
    }

    /// A contiguous, column-major batch that begins at the block's first element; `shape` is (batch, rows, columns).
    ///
    /// # Errors
    /// As [`DeviceView::new`].
    pub fn col_major(block: &'a Block, dtype: E, shape: [usize; 3]) -> Result<Self, Fault> {
        let [_, rows, cols] = shape;
        Self::new(block, dtype, 0, shape, [(rows * cols) as isize, 1, rows as isize])
    }

    /// (batch, rows, columns).
    pub fn shape(&self) -> [usize; 3] {
        [self.batch, self.rows, self.cols]
    }

    /// The elements' type.
    pub fn dtype(&self) -> E {
        self.dtype
    }

    /// The block, and in elements the place of the first one and the strides from row to row and column to column.
    pub(crate) fn place(&self) -> (&'a Block, usize, [isize; 2]) {
        (self.block, self.offset, [self.row_stride, self.col_stride])
    }

    /// Each matrix transposed: the same memory, the strides exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// The diagonals of square matrices, as columns.
    pub(crate) fn diagonal(self) -> Self {
        Self { cols: 1, row_stride: self.row_stride + self.col_stride, ..self }
    }

    /// The `rows` x `cols` elements from (`row`, `col`) on of each matrix.
    ///
    /// # Errors
    /// `Invalid` if they are not all in the matrix.
    pub fn window(self, row: usize, col: usize, rows: usize, cols: usize) -> Result<Self, Fault> {
        let inside = |start: usize, len: usize, extent: usize| start.checked_add(len).is_some_and(|end| end <= extent);
        if !inside(row, rows, self.rows) || !inside(col, cols, self.cols) {
            return Err(invalid(format!(
                "a window of {rows} x {cols} at ({row}, {col}) of a {} x {} matrix",
                self.rows, self.cols
            )));
        }
        // An empty window may begin past the last element, where no offset needs to exist.
        let offset = match rows * cols * self.batch {
            0 => self.offset,
            _ => self.offset.wrapping_add_signed(row as isize * self.row_stride + col as isize * self.col_stride),
        };
        Ok(Self { offset, rows, cols, ..self })
    }

    /// Matrices `first` to `first + count - 1` of the batch.
    ///
    /// # Errors
    /// `Invalid` if they are not all there.
    pub fn run(self, first: usize, count: usize) -> Result<Self, Fault> {
        if first.checked_add(count).is_none_or(|end| end > self.batch) {
            return Err(invalid(format!("{count} matrices from {first} on of a batch of {}", self.batch)));
        }
        // An empty run may begin past the last matrix, where no offset needs to exist.
        let skipped = if count == 0 { 0 } else { first as isize * self.batch_stride };
        Ok(Self { offset: self.offset.wrapping_add_signed(skipped), batch: count, ..self })
    }

    /// The same matrices, or the only one `batch` times.
    fn repeated(self, batch: usize) -> Result<Self, Fault> {
        match self.batch {
            own if own == batch => Ok(self),
            1 => Ok(Self { batch, batch_stride: 0, ..self }),
            own => Err(invalid(format!("a batch of {own} where {batch} or 1 is needed"))),
        }
    }

    /// Matrices that differ: one that is repeated counts once.
    fn distinct(&self) -> usize {
        if self.batch_stride == 0 { 1 } else { self.batch }
    }

    /// The matrices that differ.
    fn once(self) -> Self {
        Self { batch: self.distinct(), ..self }
    }

    fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }

    /// Whether rows are the direction with the shorter stride; a direction of extent 1 has none.
    fn rows_are_inner(&self) -> bool {
        self.cols <= 1 || (self.rows > 1 && self.row_stride.unsigned_abs() < self.col_stride.unsigned_abs())
    }

    /// Buffer, offset, row, column and batch stride, as the kernels take them.
    fn args(&self) -> [Arg<'a>; 5] {
        [
            Arg::Block(self.block),
            Arg::I64(self.offset as i64),
            Arg::I64(self.row_stride as i64),
            Arg::I64(self.col_stride as i64),
            Arg::I64(self.batch_stride as i64),
        ]
    }
}

/// `value`, which [`DeviceView::new`] or a constant keeps below 2^31.
pub(crate) fn int(value: usize) -> Arg<'static> {
    Arg::I32(value as i32)
}

fn flag(value: bool) -> Arg<'static> {
    Arg::I32(i32::from(value))
}

pub(crate) fn invalid(text: String) -> Fault {
    Fault::new(FaultKind::Invalid, text)
}

/// The compiler's options for a type, if the device has it.
pub(crate) fn options(gpu: &Gpu, dtype: DType) -> Result<&'static str, Fault> {
    if dtype.is_double() && !gpu.info().float64 {
        let text = format!("{} has no double precision, which {} needs", gpu.info().name, dtype.name());
        return Err(Fault::new(FaultKind::NoFloat64, text));
    }
    Ok(match dtype {
        DType::Float32 => "-DREAL=float -DCOMPLEX=0",
        DType::Float64 => "-DREAL=double -DCOMPLEX=0",
        DType::Complex64 => "-DREAL=float -DCOMPLEX=1",
        DType::Complex128 => "-DREAL=double -DCOMPLEX=1",
    })
}

/// The real type of the same precision.
fn real(dtype: DType) -> DType {
    match dtype {
        DType::Float32 | DType::Complex64 => DType::Float32,
        DType::Float64 | DType::Complex128 => DType::Float64,
    }
}

/// Memory that something is faster with; `None` if there is none for it.
pub(crate) fn spare(gpu: &Gpu, bytes: usize) -> Result<Option<Block>, Fault> {
    match gpu.alloc(bytes) {
        Ok(block) => Ok(Some(block)),
        Err(fault) if fault.kind == FaultKind::OutOfMemory => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Whether all views are of one type and lie on this device.
fn same_kind<E: Element>(gpu: &Gpu, views: &[&DeviceView<'_, E>]) -> Result<(), Fault> {
    for view in views {
        if view.dtype != views[0].dtype {
            return Err(invalid(format!("{} beside {}", view.dtype.name(), views[0].dtype.name())));
        }
        if !view.block.belongs_to(&gpu.shared) {
            return Err(invalid(format!("a block of another device than {}", gpu.info().name)));
        }
    }
    Ok(())
}

/// Whether no two elements of a target share an address through a stride of zero.
fn writable<E: Element>(view: &DeviceView<'_, E>) -> Result<(), Fault> {
    let strides = [view.batch_stride, view.row_stride, view.col_stride];
    match !view.is_empty() && view.shape().into_iter().zip(strides).any(|(extent, stride)| extent > 1 && stride == 0) {
        true => Err(invalid("a target with a stride of zero".to_string())),
        false => Ok(()),
    }
}

/// A scalar in the memory format of a type.
pub(crate) struct Factor {
    value: Complex64,
    bytes: [u8; 16],
    len: usize,
    complex: bool,
}

impl Factor {
    pub(crate) fn new(value: Complex64, dtype: DType) -> Self {
        let mut bytes = [0; 16];
        let value = if dtype.is_complex() { value } else { Complex64::new(value.re, 0.0) };
        let parts = [value.re, value.im];
        let part = real(dtype).size();
        for (target, value) in bytes.chunks_exact_mut(part).zip(parts) {
            match part {
                4 => target.copy_from_slice(&(value as f32).to_ne_bytes()),
                _ => target.copy_from_slice(&value.to_ne_bytes()),
            }
        }
        Self { value, bytes, len: dtype.size(), complex: dtype.is_complex() }
    }

    /// Its type.
    fn dtype(&self) -> DType {
        match (self.len, self.complex) {
            (4, _) => DType::Float32,
            (8, false) => DType::Float64,
            (8, true) => DType::Complex64,
            _ => DType::Complex128,
        }
    }

    /// Both zeros of each part count.
    fn is_zero(&self) -> bool {
        self.value == Complex64::new(0.0, 0.0)
    }

    /// As it lies in memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn arg(&self) -> Arg<'_> {
        Arg::Bytes(self.bytes())
    }
}

/// Work-items for `groups` groups of size `local`, within the limits.
fn grid(groups: [usize; 3], local: [usize; 3]) -> [usize; 3] {
    std::array::from_fn(|d| groups[d].clamp(1, MOST_GROUPS[d]) * local[d])
}

/// Groups of up to [`GROUP`] work-items, and their number, for one work-item an element, columns along dimension 0.
fn elementwise<E: Element>(view: &DeviceView<'_, E>) -> ([usize; 3], [usize; 3]) {
    let x = view.cols.next_power_of_two().min(64);
    let y = view.rows.next_power_of_two().min(GROUP / x);
    let z = view.batch.next_power_of_two().min(GROUP / (x * y)).min(64);
    let local = [x, y, z];
    (grid([view.cols.div_ceil(x), view.rows.div_ceil(y), view.batch.div_ceil(z)], local), local)
}

/// Work-items along a sum of `length` terms, where a group makes `GROUP / lanes` of `lines` sums. `along`: neighbouring
/// items take neighbouring terms; otherwise they take neighbouring sums, of which a group needs enough to read whole
/// cache lines.
fn lanes(lines: usize, length: usize, along: bool) -> usize {
    let most = if along { GROUP } else { GROUP / lines.next_power_of_two().clamp(1, 32) };
    length.next_power_of_two().clamp(1, most)
}

/// Reads `count` reals of `dtype`'s precision from the start of a block, widened. Waits.
pub(crate) fn read_reals(gpu: &Gpu, block: &Block, dtype: DType, count: usize) -> Result<Vec<f64>, Fault> {
    let size = real(dtype).size();
    let mut bytes = vec![0; count * size];
    gpu.read(block, 0, &mut bytes)?;
    Ok(match size {
        4 => bytes.chunks_exact(4).map(|b| f64::from(f32::from_ne_bytes([b[0], b[1], b[2], b[3]]))).collect(),
        _ => bytes.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().expect("8 bytes"))).collect(),
    })
}
