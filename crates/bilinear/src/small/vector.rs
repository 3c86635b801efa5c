//! What the kernels need of a vector register. Each instruction set has its own types; kernels are written once.

use crate::real::Real;

/// A register of [`Vector::LANES`] numbers. Arithmetic is that of [`Real`], lane by lane.
///
/// A type stands for instructions of one instruction set; it may be used only where the processor is known to have it. Every
/// function that does so says so in its contract.
pub(crate) trait Vector: Real {
    /// Of a lane.
    type Scalar: Real + PartialEq;
    /// How many numbers it holds.
    const LANES: usize;
    /// Whether [`Vector::fma`] rounds once.
    const FUSED: bool;

    /// The number in every lane.
    fn splat(value: Self::Scalar) -> Self;

    /// # Safety
    /// `LANES` numbers can be read from `from` on, aligned as one number is.
    unsafe fn load(from: *const Self::Scalar) -> Self;

    /// The first `count` lanes, 1 to `LANES`; the rest is 0, and not read.
    ///
    /// # Safety
    /// `count` numbers can be read from `from` on.
    unsafe fn load_first(from: *const Self::Scalar, count: usize) -> Self;

    /// # Safety
    /// `LANES` numbers can be written from `to` on.
    unsafe fn store(self, to: *mut Self::Scalar);

    /// The first `count` lanes, 1 to `LANES`; nothing behind them is written.
    ///
    /// # Safety
    /// `count` numbers can be written from `to` on.
    unsafe fn store_first(self, to: *mut Self::Scalar, count: usize);

    /// Writes lane i of the j-th vector to `to + i W + j`.
    ///
    /// # Safety
    /// `W` times `LANES` numbers can be written from `to` on.
    #[inline(always)]
    unsafe fn store_turned<const W: usize>(vectors: &[Self; W], to: *mut Self::Scalar) {
        let lanes = vectors.as_ptr().cast::<Self::Scalar>();
        for lane in 0..Self::LANES {
            for vector in 0..W {
                // SAFETY: a vector is its lanes in order; and the caller's promise.
                unsafe { *to.add(lane * W + vector) = *lanes.add(vector * Self::LANES + lane) };
            }
        }
    }

    /// Asks for the cache line of an address, which need not be one that can be read. Without an instruction for it, nothing.
    #[inline(always)]
    fn prefetch(_: *const Self::Scalar) {}

    /// As [`Vector::prefetch`], for what is needed later: not in the first-level cache.
    #[inline(always)]
    fn prefetch_far(_: *const Self::Scalar) {}

    /// `self * factor + term`.
    #[inline(always)]
    fn fma(self, factor: Self, term: Self) -> Self {
        if Self::FUSED { self.fused::<true>(factor, term) } else { self.fused::<false>(factor, term) }
    }
}

/// A register of four.
pub(crate) trait Four: Vector {
    /// Lane j of the i-th becomes lane i of the j-th.
    fn transposed(rows: [Self; 4]) -> [Self; 4];

    /// A 2 x 2 block, column by column.
    ///
    /// # Safety
    /// Two numbers can be read from `from` on, and from `from + ld` on.
    unsafe fn load_block(from: *const Self::Scalar, ld: usize) -> Self;

    /// Writes what [`Four::load_block`] reads.
    ///
    /// # Safety
    /// Two numbers can be written from `to` on, and from `to + ld` on.
    unsafe fn store_block(self, to: *mut Self::Scalar, ld: usize);
}

/// A register, or two, of twice as many numbers as V.
pub(crate) trait Double<V: Four>: Real {
    /// Four vectors, one for each lane of seven vectors, in any order of the seven; their last lane is 0.
    fn spread(seven: [V; 7]) -> [Self; 4];

    /// What [`Double::spread`] was given.
    fn gather(four: [Self; 4]) -> [V; 7];
}

/// Two registers as one.
#[derive(Clone, Copy)]
pub(crate) struct Pair<V>(V, V);

macro_rules! both {
    ($trait:ident, $function:ident, $operator:tt) => {
        impl<V: Vector> std::ops::$trait for Pair<V> {
            type Output = Self;

            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                Self(self.0 $operator other.0, self.1 $operator other.1)
            }
        }
    };
}

both!(Add, add, +);
both!(Sub, sub, -);
both!(Mul, mul, *);

impl<V: Vector> std::ops::Neg for Pair<V> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0, -self.1)
    }
}

impl<V: Vector> Real for Pair<V> {
    const ZERO: Self = Self(V::ZERO, V::ZERO);

    #[inline(always)]
    fn of(value: f64) -> Self {
        Self(V::of(value), V::of(value))
    }

    #[inline(always)]
    fn fused<const FMA: bool>(self, factor: Self, term: Self) -> Self {
        Self(self.0.fused::<FMA>(factor.0, term.0), self.1.fused::<FMA>(factor.1, term.1))
    }
}

impl<V: Four> Double<V> for Pair<V> {
    #[inline(always)]
    fn spread([p, q, r, s, t, u, v]: [V; 7]) -> [Self; 4] {
        let (low, high) = (V::transposed([p, q, r, s]), V::transposed([t, u, v, V::ZERO]));
        [0, 1, 2, 3].map(|at| Self(low[at], high[at]))
    }

    #[inline(always)]
    fn gather(four: [Self; 4]) -> [V; 7] {
        let ([p, q, r, s], [t, u, v, _]) = (V::transposed(four.map(|x| x.0)), V::transposed(four.map(|x| x.1)));
        [p, q, r, s, t, u, v]
    }
}

/// Numbers in the lanes of an array: for processors that the library has no instructions for, and what the compiler makes of it.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<T, const N: usize>([T; N]);

macro_rules! lane_by_lane {
    ($trait:ident, $function:ident, $operator:tt) => {
        impl<T: Real, const N: usize> std::ops::$trait for Lanes<T, N> {
            type Output = Self;

            #[inline(always)]
            fn $function(mut self, other: Self) -> Self {
                for (x, y) in self.0.iter_mut().zip(other.0) {
                    *x = *x $operator y;
                }
                self
            }
        }
    };
}

lane_by_lane!(Add, add, +);
lane_by_lane!(Sub, sub, -);
lane_by_lane!(Mul, mul, *);

impl<T: Real, const N: usize> std::ops::Neg for Lanes<T, N> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(self.0.map(|x| -x))
    }
}

impl<T: Real, const N: usize> Real for Lanes<T, N> {
    const ZERO: Self = Self([T::ZERO; N]);

    #[inline(always)]
    fn of(value: f64) -> Self {
        Self([T::of(value); N])
    }

    #[inline(always)]
    fn fused<const FMA: bool>(mut self, factor: Self, term: Self) -> Self {
        for ((x, y), z) in self.0.iter_mut().zip(factor.0).zip(term.0) {
            *x = x.fused::<FMA>(y, z);
        }
        self
    }
}

impl<T: Real + PartialEq, const N: usize> Vector for Lanes<T, N> {
    type Scalar = T;
    const LANES: usize = N;
    const FUSED: bool = cfg!(target_arch = "aarch64");

    #[inline(always)]
    fn splat(value: T) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller's; an array is laid out as its elements are.
        Self(unsafe { from.cast::<[T; N]>().read() })
    }

    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self {
        let mut lanes = [T::ZERO; N];
        for (at, lane) in lanes.iter_mut().enumerate() {
            if at < count {
                // SAFETY: the caller's.
                *lane = unsafe { *from.add(at) };
            }
        }
        Self(lanes)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller's.
        unsafe { to.cast::<[T; N]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize) {
        for (at, lane) in self.0.into_iter().enumerate() {
            if at < count {
                // SAFETY: the caller's.
                unsafe { *to.add(at) = lane };
            }
        }
    }
}

impl<T: Real + PartialEq> Four for Lanes<T, 4> {
    #[inline(always)]
    fn transposed(rows: [Self; 4]) -> [Self; 4] {
        let mut columns = rows;
        for (i, row) in rows.into_iter().enumerate() {
            for (j, x) in row.0.into_iter().enumerate() {
                columns[j].0[i] = x;
            }
        }
        columns
    }

    #[inline(always)]
    unsafe fn load_block(from: *const T, ld: usize) -> Self {
        // SAFETY: the caller's.
        unsafe { Self([*from, *from.add(1), *from.add(ld), *from.add(ld + 1)]) }
    }

    #[inline(always)]
    unsafe fn store_block(self, to: *mut T, ld: usize) {
        let [p, q, r, s] = self.0;
        // SAFETY: the caller's.
        unsafe { (*to, *to.add(1), *to.add(ld), *to.add(ld + 1)) = (p, q, r, s) };
    }
}
