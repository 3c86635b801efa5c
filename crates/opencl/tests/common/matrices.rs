//! Matrices on the device, in any layout, with a copy on the host to compare with.

use lapack_ai_core::{Complex64, DType, Real, Scalar};
use lapack_ai_opencl::kernels::DeviceView;
use lapack_ai_opencl::{Block, Gpu};

/// A ratio above this fails: LAPACK's own threshold.
pub(crate) const FAIL: f64 = 30.0;
/// A ratio above this is printed.
pub(crate) const WARN: f64 = 10.0;

/// Two-level check of an error in units of `n eps`.
pub(crate) fn check(what: &str, ratio: f64) {
    assert!(ratio <= FAIL, "{what}: ratio {ratio:.1} exceeds {FAIL}");
    if ratio > WARN {
        eprintln!("warning: {what}: ratio {ratio:.1}");
    }
}

/// `error / (n eps bound)`; without a bound only an error of zero will do.
pub(crate) fn ratio<S: Scalar>(error: f64, n: usize, bound: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error / (n.max(1) as f64 * S::Real::EPSILON * bound) }
}

/// Runs a generic function for each of the four types that the device has.
#[macro_export]
macro_rules! all_types {
    ($gpu:expr, $function:ident) => {
        $function::<f32>($gpu);
        $function::<lapack_ai_core::Complex32>($gpu);
        if $gpu.info().float64 {
            $function::<f64>($gpu);
            $function::<lapack_ai_core::Complex64>($gpu);
        }
    };
}

/// Repeatable numbers, uniform in [-1, 1).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    pub(crate) fn complex(&mut self) -> Complex64 {
        Complex64::new(self.uniform(), self.uniform())
    }
}

/// Where the elements lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layout {
    RowMajor,
    ColMajor,
    /// With an offset and leading dimensions that leave gaps.
    RowPadded,
    ColPadded,
    /// No stride is 1.
    Strided,
    /// Rows and columns in descending order.
    Reversed,
}

impl Layout {
    pub(crate) const ALL: [Layout; 6] =
        [Layout::RowMajor, Layout::ColMajor, Layout::RowPadded, Layout::ColPadded, Layout::Strided, Layout::Reversed];

    /// Offset, strides of (batch, rows, columns), and elements in all.
    pub(crate) fn place(self, [batch, m, n]: [usize; 3]) -> (usize, [isize; 3], usize) {
        let (i, j) = (m as isize, n as isize);
        let (offset, row, col, each) = match self {
            Layout::RowMajor => (0, j, 1, m * n),
            Layout::ColMajor => (0, 1, i, m * n),
            Layout::RowPadded => (5, j + 3, 1, m * (n + 3) + 1),
            Layout::ColPadded => (5, 1, i + 3, n * (m + 3) + 1),
            Layout::Strided => (2, 2 * j + 1, 2, m * (2 * n + 1)),
            Layout::Reversed => ((m * n).max(1) - 1, -j, -1, m * n),
        };
        (offset, [each as isize, row, col], offset + batch * each + 1)
    }
}

/// A batch of matrices on the device. Whatever does not belong to an element is NaN: reading it shows in the results.
pub(crate) struct OnDevice<S> {
    pub(crate) block: Block,
    pub(crate) shape: [usize; 3],
    offset: usize,
    strides: [isize; 3],
    /// All of the block, as it was uploaded.
    values: Vec<S>,
}

impl<S: Scalar> OnDevice<S> {
    pub(crate) fn new(
        gpu: &Gpu,
        layout: Layout,
        shape: [usize; 3],
        mut value: impl FnMut(usize, usize, usize) -> Complex64,
    ) -> Self {
        let (offset, strides, len) = layout.place(shape);
        let nan = S::from_complex128(Complex64::new(f64::NAN, f64::NAN));
        let block = gpu.alloc(len * size_of::<S>()).unwrap();
        let mut made = Self { block, shape, offset, strides, values: vec![nan; len] };
        for t in 0..shape[0] {
            for i in 0..shape[1] {
                for j in 0..shape[2] {
                    let at = made.index(t, i, j);
                    made.values[at] = S::from_complex128(value(t, i, j));
                }
            }
        }
        gpu.write(&made.block, 0, &bytes_of(&made.values)).unwrap();
        made
    }

    pub(crate) fn random(gpu: &Gpu, layout: Layout, shape: [usize; 3], seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self::new(gpu, layout, shape, |_, _, _| random.complex())
    }

    /// One value everywhere.
    pub(crate) fn constant(gpu: &Gpu, layout: Layout, shape: [usize; 3], value: f64) -> Self {
        Self::new(gpu, layout, shape, |_, _, _| Complex64::new(value, 0.0))
    }

    pub(crate) fn view(&self) -> DeviceView<'_> {
        DeviceView::new(&self.block, S::DTYPE, self.offset, self.shape, self.strides).unwrap()
    }

    fn index(&self, t: usize, i: usize, j: usize) -> usize {
        let [batch, row, col] = self.strides;
        (self.offset as isize + t as isize * batch + i as isize * row + j as isize * col) as usize
    }

    /// The element as it was uploaded. A batch of one is repeated.
    pub(crate) fn at(&self, t: usize, i: usize, j: usize) -> Complex64 {
        self.values[self.index(t.min(self.shape[0] - 1), i, j)].to_complex128()
    }

    /// Calls `compare(t, i, j, found)` for every element as it is on the device now; what lies between them must be
    /// untouched.
    pub(crate) fn compare(&self, gpu: &Gpu, mut compare: impl FnMut(usize, usize, usize, Complex64)) {
        let found = self.download(gpu);
        let mut element = vec![false; found.len()];
        for t in 0..self.shape[0] {
            for i in 0..self.shape[1] {
                for j in 0..self.shape[2] {
                    let at = self.index(t, i, j);
                    element[at] = true;
                    compare(t, i, j, found[at].to_complex128());
                }
            }
        }
        let untouched = found.iter().zip(&element).all(|(value, &element)| element || value.is_nan());
        assert!(untouched, "something was written beside the matrix");
    }

    /// All of the block.
    pub(crate) fn download(&self, gpu: &Gpu) -> Vec<S> {
        let mut bytes = vec![0; self.values.len() * size_of::<S>()];
        gpu.read(&self.block, 0, &mut bytes).unwrap();
        let single = matches!(S::DTYPE, DType::Float32 | DType::Complex64);
        let parts: Vec<f64> = match single {
            true => bytes.chunks_exact(4).map(|b| f64::from(f32::from_ne_bytes(b.try_into().unwrap()))).collect(),
            false => bytes.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().unwrap())).collect(),
        };
        match S::DTYPE.is_complex() {
            true => parts.chunks_exact(2).map(|p| S::from_complex128(Complex64::new(p[0], p[1]))).collect(),
            false => parts.into_iter().map(S::from_real).collect(),
        }
    }
}

fn bytes_of<S: Scalar>(values: &[S]) -> Vec<u8> {
    let part = |value: f64| match S::DTYPE {
        DType::Float32 | DType::Complex64 => (value as f32).to_ne_bytes().to_vec(),
        DType::Float64 | DType::Complex128 => value.to_ne_bytes().to_vec(),
    };
    let parts = if S::DTYPE.is_complex() { 2 } else { 1 };
    let both = |value: &S| [value.to_complex128().re, value.to_complex128().im];
    values.iter().flat_map(|value| both(value).into_iter().take(parts).flat_map(part).collect::<Vec<u8>>()).collect()
}

/// The first `count` elements of a block of reals, widened.
pub(crate) fn numbers<S: Scalar>(gpu: &Gpu, block: &Block, count: usize) -> Vec<f64> {
    let mut bytes = vec![0; count * size_of::<S>()];
    gpu.read(block, 0, &mut bytes).unwrap();
    match size_of::<S>() {
        4 => bytes.chunks_exact(4).map(|b| f64::from(f32::from_ne_bytes(b.try_into().unwrap()))).collect(),
        _ => bytes.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().unwrap())).collect(),
    }
}

/// The complex conjugate, if asked for.
pub(crate) fn conj_if(value: Complex64, conjugate: bool) -> Complex64 {
    if conjugate { value.conj() } else { value }
}
