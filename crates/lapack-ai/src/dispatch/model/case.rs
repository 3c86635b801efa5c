//! What is predicted: an operation on matrices of one shape and type, its operation count and its bytes.
//!
//! With `l = max(m, n)`, `s = min(m, n)` and r right-hand sides, a real matrix takes
//!
//! | operation | floating-point operations |
//! |---|---|
//! | `matmul`, m x k by k x n | `2 m n k` |
//! | `solve` | `2/3 n^3 + 2 n^2 r` |
//! | `cholesky` | `1/3 n^3` |
//! | `lu`, `det` | `2 s^2 (l - s/3) - s^2 (l - s)` |
//! | `qr`, reduced | R: `2 s^2 (l - s/3)`, Q: `2 s^2 (m - s/3)` |
//! | `inv` | `2 n^3` |
//! | `lstsq` | `4 l s^2 + 8 s^3 + 4 m n r` |
//! | `svd`, thin; values only | `14 l s^2 + 8 s^3`; `2 l s^2 + 2 s^3` |
//! | `eigh`; values only | `9 n^3`; `4/3 n^3` |
//! | `eig`, `schur`; values only | `25 n^3`; `10 n^3` |
//!
//! A complex matrix takes four times as many. The counts only need the right slope: what a machine makes of them is
//! measured.
//!
//! Source: Golub and Van Loan, Matrix Computations, 4th ed., sections 3.2, 4.2, 5.2, 5.3, 7.5, 8.3 and 8.6.

use lapack_ai_core::DType;

/// An operation with the options that change its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// Product of an m x k and a k x n matrix.
    Matmul,
    /// Linear systems with k right-hand sides, general A of order n.
    Solve,
    /// Cholesky factorisation of order n.
    Cholesky,
    /// LU factorisation, m x n.
    Lu,
    /// QR factorisation with the reduced Q, m x n.
    Qr,
    /// Inverse of order n.
    Inv,
    /// Determinant of order n.
    Det,
    /// Least squares by SVD, m x n with k right-hand sides.
    Lstsq,
    /// Thin SVD, m x n.
    Svd,
    /// Singular values only, m x n.
    SvdVals,
    /// Eigenvalues and eigenvectors of a Hermitian matrix of order n.
    Eigh,
    /// Eigenvalues only of a Hermitian matrix of order n.
    EighVals,
    /// Eigenvalues and right eigenvectors of a general matrix of order n.
    Eig,
    /// Eigenvalues only of a general matrix of order n.
    EigVals,
    /// Schur form with vectors of order n.
    Schur,
}

/// Which of m, n and k an operation's time depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// m, n and k.
    Product,
    /// n alone.
    Square,
    /// n and the right-hand sides k.
    System,
    /// The smaller side and m / n.
    Oblong,
    /// The smaller side and larger / smaller: the operation turns A so that it is tall.
    Turned,
    /// As `Oblong`, with right-hand sides k.
    Fit,
}

impl OpKind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Matmul,
        Self::Solve,
        Self::Cholesky,
        Self::Lu,
        Self::Qr,
        Self::Inv,
        Self::Det,
        Self::Lstsq,
        Self::Svd,
        Self::SvdVals,
        Self::Eigh,
        Self::EighVals,
        Self::Eig,
        Self::EigVals,
        Self::Schur,
    ];

    /// A name for files and people.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 15] = [
            "matmul", "solve", "cholesky", "lu", "qr", "inv", "det", "lstsq", "svd", "svdvals", "eigh", "eighvals",
            "eig", "eigvals", "schur",
        ];
        NAMES[self as usize]
    }

    /// The operation of that name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }

    pub(crate) fn form(self) -> Form {
        match self {
            Self::Matmul => Form::Product,
            Self::Solve => Form::System,
            Self::Lu | Self::Qr => Form::Oblong,
            Self::Svd | Self::SvdVals => Form::Turned,
            Self::Lstsq => Form::Fit,
            Self::Cholesky | Self::Inv | Self::Det | Self::Eigh | Self::EighVals => Form::Square,
            Self::Eig | Self::EigVals | Self::Schur => Form::Square,
        }
    }

    /// The part of the product's rate that a CPU reaches on large matrices, roughly: for the prior.
    pub(crate) fn efficiency(self) -> f64 {
        match self {
            Self::Matmul => 0.8,
            Self::Solve | Self::Cholesky | Self::Lu | Self::Det | Self::Inv => 0.4,
            Self::Qr => 0.3,
            Self::Svd | Self::SvdVals | Self::Lstsq | Self::Eigh => 0.15,
            Self::EighVals => 0.1,
            Self::Eig | Self::EigVals | Self::Schur => 0.04,
        }
    }
}

/// One call: `batch` matrices of one shape. Sizes that the operation does not have are 1; see [`OpKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// The operation.
    pub op: OpKind,
    /// Element type.
    pub dtype: DType,
    /// Rows.
    pub m: usize,
    /// Columns; for a product, of the result.
    pub n: usize,
    /// Inner size of a product, or number of right-hand sides.
    pub k: usize,
    /// Number of matrices.
    pub batch: usize,
}

impl Case {
    /// One product of an m x k and a k x n matrix.
    pub fn matmul(dtype: DType, m: usize, n: usize, k: usize) -> Self {
        Self { op: OpKind::Matmul, dtype, m, n, k, batch: 1 }
    }

    /// One call on an m x n matrix.
    pub fn matrix(op: OpKind, dtype: DType, m: usize, n: usize) -> Self {
        Self { op, dtype, m, n, k: 1, batch: 1 }
    }

    /// The same with right-hand sides.
    pub fn with_rhs(self, k: usize) -> Self {
        Self { k, ..self }
    }

    /// The same for `batch` matrices.
    pub fn batched(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// Whether there is anything to compute.
    pub fn is_empty(&self) -> bool {
        self.m == 0 || self.n == 0 || self.batch == 0 || (self.k == 0 && self.op == OpKind::Matmul)
    }

    /// Floating-point operations of one matrix of the batch, by the table above.
    pub fn flops_each(&self) -> f64 {
        let (m, n, k) = (self.m as f64, self.n as f64, self.k as f64);
        let (l, s) = (m.max(n), m.min(n));
        let cube = n * n * n;
        let real = match self.op {
            OpKind::Matmul => 2.0 * m * n * k,
            OpKind::Solve => 2.0 / 3.0 * cube + 2.0 * n * n * k,
            OpKind::Cholesky => cube / 3.0,
            OpKind::Lu | OpKind::Det => 2.0 * s * s * (l - s / 3.0) - s * s * (l - s),
            OpKind::Qr => 2.0 * s * s * (l - s / 3.0) + 2.0 * s * s * (m - s / 3.0),
            OpKind::Inv => 2.0 * cube,
            OpKind::Lstsq => 4.0 * l * s * s + 8.0 * s * s * s + 4.0 * m * n * k,
            OpKind::Svd => 14.0 * l * s * s + 8.0 * s * s * s,
            OpKind::SvdVals => 2.0 * l * s * s + 2.0 * s * s * s,
            OpKind::Eigh => 9.0 * cube,
            OpKind::EighVals => 4.0 / 3.0 * cube,
            OpKind::Eig | OpKind::Schur => 25.0 * cube,
            OpKind::EigVals => 10.0 * cube,
        };
        if self.dtype.is_complex() { 4.0 * real } else { real }
    }

    /// Elements of one matrix's operands: A, and B or 0.
    fn operand_elements(&self) -> [usize; 2] {
        let Self { m, n, k, .. } = *self;
        match self.op {
            OpKind::Matmul => [m * k, k * n],
            OpKind::Solve => [m * n, n * k],
            OpKind::Lstsq => [m * n, m * k],
            _ => [m * n, 0],
        }
    }

    /// Elements of one matrix's results, vectors of values counted as elements.
    fn result_elements(&self) -> usize {
        let Self { m, n, k, .. } = *self;
        let s = m.min(n);
        match self.op {
            OpKind::Matmul | OpKind::Cholesky | OpKind::Lu | OpKind::Inv => m * n,
            OpKind::Solve => n * k,
            OpKind::Qr => m * s + s * n,
            OpKind::Det => 1,
            OpKind::Lstsq => n * k + k + s,
            OpKind::Svd => m * s + s + s * n,
            OpKind::SvdVals | OpKind::EighVals | OpKind::EigVals => s,
            OpKind::Eigh | OpKind::Eig => n * n + n,
            OpKind::Schur => 2 * n * n + n,
        }
    }

    /// Bytes of all operands: A, and B or 0.
    pub fn operand_bytes(&self) -> [usize; 2] {
        self.operand_elements().map(|elements| elements * self.dtype.size() * self.batch)
    }

    /// Bytes of all results.
    pub fn result_bytes(&self) -> usize {
        self.result_elements() * self.dtype.size() * self.batch
    }

    /// Bytes of one matrix's operands and results, each counted once.
    pub(crate) fn bytes_each(&self) -> f64 {
        let [a, b] = self.operand_elements();
        ((a + b + self.result_elements()) * self.dtype.size()) as f64
    }

    /// The logarithms that time is tabulated over; the last one is the batch's. Unused ones are 0.
    pub(crate) fn coordinates(&self) -> [f64; 4] {
        let log = |size: usize| (size.max(1) as f64).ln();
        let (m, n, k) = (log(self.m), log(self.n), log(self.k));
        let [x, y, z] = match self.op.form() {
            Form::Product => [m, n, k],
            Form::Square => [n, 0.0, 0.0],
            Form::System => [n, k, 0.0],
            Form::Oblong => [m.min(n), m - n, 0.0],
            Form::Turned => [m.min(n), (m - n).abs(), 0.0],
            Form::Fit => [m.min(n), m - n, k],
        };
        [x, y, z, log(self.batch)]
    }

    /// The case at `coordinates`, sizes rounded.
    pub(crate) fn at(op: OpKind, dtype: DType, [x, y, z, batch]: [f64; 4]) -> Self {
        let size = |log: f64| log.exp().round().max(1.0) as usize;
        let oblong = || if y < 0.0 { (size(x), size(x - y)) } else { (size(x + y), size(x)) };
        let (m, n, k) = match op.form() {
            Form::Product => (size(x), size(y), size(z)),
            Form::Square => (size(x), size(x), 1),
            Form::System => (size(x), size(x), size(y)),
            Form::Oblong | Form::Turned => (oblong().0, oblong().1, 1),
            Form::Fit => (oblong().0, oblong().1, size(z)),
        };
        Self { op, dtype, m, n, k, batch: size(batch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_operations_in_the_order_of_the_numbers() {
        for (number, op) in OpKind::ALL.into_iter().enumerate() {
            assert_eq!((op as usize, OpKind::from_name(op.name())), (number, Some(op)));
        }
        assert_eq!(OpKind::from_name("fft"), None);
    }

    #[test]
    fn coordinates_lead_back_to_the_case() {
        for op in OpKind::ALL {
            let square = matches!(op.form(), Form::Square | Form::System);
            for (m, n) in [(96, 96), (32, 256), (256, 32)].into_iter().filter(|(m, n)| !square || m == n) {
                let k = if matches!(op.form(), Form::Product | Form::System | Form::Fit) { 7 } else { 1 };
                let case = Case { op, dtype: DType::Float32, m, n, k, batch: 5 };
                let back = Case::at(op, DType::Float32, case.coordinates());
                let turned = Case { m: n, n: m, ..case };
                assert!(back == case || (op.form() == Form::Turned && back == turned), "{case:?} became {back:?}");
            }
        }
    }

    #[test]
    fn a_complex_case_has_four_times_the_operations_and_twice_the_bytes() {
        for op in OpKind::ALL {
            let real = Case::matrix(op, DType::Float64, 10, 10).with_rhs(10);
            let complex = Case { dtype: DType::Complex128, ..real };
            assert_eq!(complex.flops_each(), 4.0 * real.flops_each());
            assert_eq!(complex.bytes_each(), 2.0 * real.bytes_each());
        }
    }

    #[test]
    fn operands_and_results_are_counted_over_the_batch() {
        let case = Case::matmul(DType::Float32, 2, 3, 4).batched(10);
        assert_eq!((case.operand_bytes(), case.result_bytes()), ([320, 480], 240));
        let case = Case::matrix(OpKind::Qr, DType::Float64, 4, 2);
        assert_eq!((case.operand_bytes(), case.result_bytes()), ([64, 0], 96));
    }

    #[test]
    fn slopes_are_those_of_the_algorithms() {
        for op in OpKind::ALL {
            let flops = |n| Case::matrix(op, DType::Float64, n, n).with_rhs(n).flops_each();
            assert!((flops(2000) / flops(1000) - 8.0).abs() < 0.01, "{op:?}");
        }
        let tall = |op, m| Case::matrix(op, DType::Float64, m, 10).flops_each();
        for op in [OpKind::Qr, OpKind::Svd, OpKind::Lu, OpKind::Lstsq] {
            assert!((tall(op, 200_000) / tall(op, 100_000) - 2.0).abs() < 0.01, "{op:?}");
        }
    }
}
