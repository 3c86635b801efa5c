//! Registers of AVX-512 and of AVX2 with fused multiply-add.

use super::vector::{Double, Four, Vector};
use crate::real::Real;
use std::arch::x86_64::*;

/// Masks of AVX2 that begin with `count` set lanes, from `MASK[8 - count]` on.
static MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

macro_rules! register {
    ($name:ident, $scalar:ty, $lanes:literal, $register:ty, $add:ident, $sub:ident, $mul:ident, $fma:ident, $set:ident,
     $load:ident, $store:ident, $load_first:expr, $store_first:expr $(, $more:item)*) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name(pub(crate) $register);

        register!(@operator $name, Add, add, $add);
        register!(@operator $name, Sub, sub, $sub);
        register!(@operator $name, Mul, mul, $mul);

        impl std::ops::Neg for $name {
            type Output = Self;

            #[inline(always)]
            fn neg(self) -> Self {
                Self::splat(-0.0) - self
            }
        }

        impl Real for $name {
            // SAFETY: registers have the layout of the array, and every value of it is one of theirs.
            const ZERO: Self = unsafe { std::mem::transmute::<[$scalar; $lanes], Self>([0.0; $lanes]) };

            #[inline(always)]
            fn of(value: f64) -> Self {
                Self::splat(value as $scalar)
            }

            #[inline(always)]
            fn fused<const FMA: bool>(self, factor: Self, term: Self) -> Self {
                // SAFETY: the processor has the instruction, by the contract of `Vector`.
                unsafe { Self($fma(self.0, factor.0, term.0)) }
            }
        }

        impl Vector for $name {
            type Scalar = $scalar;
            const LANES: usize = $lanes;
            const FUSED: bool = true;

            #[inline(always)]
            fn splat(value: $scalar) -> Self {
                // SAFETY: the processor has the instruction, by the contract of `Vector`.
                unsafe { Self($set(value)) }
            }

            #[inline(always)]
            unsafe fn load(from: *const $scalar) -> Self {
                // SAFETY: likewise; and the caller's.
                unsafe { Self($load(from)) }
            }

            #[inline(always)]
            unsafe fn load_first(from: *const $scalar, count: usize) -> Self {
                // SAFETY: likewise; what the mask leaves out is not accessed.
                unsafe { Self($load_first(from, count)) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: likewise; and the caller's.
                unsafe { $store(to, self.0) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $scalar, count: usize) {
                // SAFETY: likewise; and the caller's.
                unsafe { $store_first(to, count, self.0) }
            }

            #[inline(always)]
            fn prefetch(address: *const $scalar) {
                // SAFETY: every x86-64 processor has the instruction, and it reads nothing that the program sees.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
            }

            #[inline(always)]
            fn prefetch_far(address: *const $scalar) {
                // SAFETY: likewise.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
            }

            $($more)*
        }
    };
    (@operator $name:ident, $trait:ident, $function:ident, $instruction:ident) => {
        impl std::ops::$trait for $name {
            type Output = Self;

            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                // SAFETY: the processor has the instruction, by the contract of `Vector`.
                unsafe { Self($instruction(self.0, other.0)) }
            }
        }
    };
}

register!(
    F64x8,
    f64,
    8,
    __m512d,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_fmadd_pd,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    |from, count: usize| _mm512_maskz_loadu_pd((0xff_u32 >> (8 - count)) as u8, from),
    |to, count: usize, value| _mm512_mask_storeu_pd(to, (0xff_u32 >> (8 - count)) as u8, value),
    #[inline(always)]
    unsafe fn store_turned<const W: usize>(vectors: &[Self; W], to: *mut f64) {
        let (eights, rest) = vectors.as_chunks::<8>();
        assert!(rest.is_empty(), "panels are whole vectors wide");
        for (at, eight) in eights.iter().enumerate() {
            // SAFETY: the caller's; and the processor has the instructions, by the contract of `Vector`.
            unsafe { store_eight_turned(eight, to.add(8 * at), W) };
        }
    }
);

/// Writes lane i of the j-th to `to + i step + j`: pairs of lanes are exchanged, then pairs of those, then halves. Plain loops, since the
/// instructions of a closure would be calls.
///
/// # Safety
/// Eight numbers can be written at every `step`; the processor has AVX-512.
#[inline(always)]
unsafe fn store_eight_turned(rows: &[F64x8], to: *mut f64, step: usize) {
    // SAFETY: the caller's.
    unsafe {
        let mut pairs = [_mm512_setzero_pd(); 8];
        for i in 0..4 {
            let (p, q) = (rows[2 * i].0, rows[2 * i + 1].0);
            (pairs[i], pairs[4 + i]) = (_mm512_unpacklo_pd(p, q), _mm512_unpackhi_pd(p, q));
        }
        for odd in 0..2 {
            let [p, q, r, s] = [pairs[4 * odd], pairs[4 * odd + 1], pairs[4 * odd + 2], pairs[4 * odd + 3]];
            let (pq, rs) = (_mm512_shuffle_f64x2::<0x88>(p, q), _mm512_shuffle_f64x2::<0x88>(r, s));
            _mm512_storeu_pd(to.add(odd * step), _mm512_shuffle_f64x2::<0x88>(pq, rs));
            _mm512_storeu_pd(to.add((4 + odd) * step), _mm512_shuffle_f64x2::<0xdd>(pq, rs));
            let (pq, rs) = (_mm512_shuffle_f64x2::<0xdd>(p, q), _mm512_shuffle_f64x2::<0xdd>(r, s));
            _mm512_storeu_pd(to.add((2 + odd) * step), _mm512_shuffle_f64x2::<0x88>(pq, rs));
            _mm512_storeu_pd(to.add((6 + odd) * step), _mm512_shuffle_f64x2::<0xdd>(pq, rs));
        }
    }
}

register!(
    F32x16,
    f32,
    16,
    __m512,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_fmadd_ps,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    |from, count: usize| _mm512_maskz_loadu_ps((0xffff_u32 >> (16 - count)) as u16, from),
    |to, count: usize, value| _mm512_mask_storeu_ps(to, (0xffff_u32 >> (16 - count)) as u16, value)
);
register!(
    F64x4,
    f64,
    4,
    __m256d,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_fmadd_pd,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    |from, count: usize| {
        // The mask of each number of 64 bits is two of 32 bits.
        _mm256_maskload_pd(from, _mm256_loadu_si256(MASK.as_ptr().add(8 - 2 * count).cast()))
    },
    store_first_f64
);
register!(
    F32x8,
    f32,
    8,
    __m256,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    |from, count: usize| _mm256_maskload_ps(from, _mm256_loadu_si256(MASK.as_ptr().add(8 - count).cast())),
    |to: *mut f32, count: usize, value| {
        let (mut to, mut low) = (to, _mm256_castps256_ps128(value));
        if count == 8 {
            return _mm256_storeu_ps(to, value);
        }
        if count >= 4 {
            _mm_storeu_ps(to, low);
            (to, low) = (to.add(4), _mm256_extractf128_ps::<1>(value));
        }
        store_first_f32(to, count % 4, low);
    }
);
register!(
    F32x4,
    f32,
    4,
    __m128,
    _mm_add_ps,
    _mm_sub_ps,
    _mm_mul_ps,
    _mm_fmadd_ps,
    _mm_set1_ps,
    _mm_loadu_ps,
    _mm_storeu_ps,
    |from, count: usize| _mm_maskload_ps(from, _mm_loadu_si128(MASK.as_ptr().add(8 - count).cast())),
    |to, count: usize, value| if count == 4 { _mm_storeu_ps(to, value) } else { store_first_f32(to, count, value) }
);

/// Pieces: AVX2's masked stores take many times as long on some processors.
///
/// # Safety
/// `count` numbers, at most 4, can be written; the processor has AVX2.
#[inline(always)]
unsafe fn store_first_f64(to: *mut f64, count: usize, value: __m256d) {
    // SAFETY: the caller's.
    unsafe {
        let low = _mm256_castpd256_pd128(value);
        match count {
            4.. => _mm256_storeu_pd(to, value),
            3 => {
                _mm_storeu_pd(to, low);
                _mm_store_sd(to.add(2), _mm256_extractf128_pd::<1>(value));
            }
            2 => _mm_storeu_pd(to, low),
            _ => _mm_store_sd(to, low),
        }
    }
}

/// # Safety
/// `count` numbers, at most 3, can be written; the processor has AVX2.
#[inline(always)]
unsafe fn store_first_f32(to: *mut f32, count: usize, value: __m128) {
    // SAFETY: the caller's.
    unsafe {
        if count >= 2 {
            _mm_storel_pd(to.cast(), _mm_castps_pd(value));
        }
        match count {
            1 => _mm_store_ss(to, value),
            3 => _mm_store_ss(to.add(2), _mm_movehl_ps(value, value)),
            _ => {}
        }
    }
}

impl Four for F64x4 {
    #[inline(always)]
    fn transposed([p, q, r, s]: [Self; 4]) -> [Self; 4] {
        // SAFETY: the processor has the instructions, by the contract of `Vector`.
        unsafe {
            let (t, u) = (_mm256_unpacklo_pd(p.0, q.0), _mm256_unpackhi_pd(p.0, q.0));
            let (v, w) = (_mm256_unpacklo_pd(r.0, s.0), _mm256_unpackhi_pd(r.0, s.0));
            [
                Self(_mm256_permute2f128_pd::<0x20>(t, v)),
                Self(_mm256_permute2f128_pd::<0x20>(u, w)),
                Self(_mm256_permute2f128_pd::<0x31>(t, v)),
                Self(_mm256_permute2f128_pd::<0x31>(u, w)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn load_block(from: *const f64, ld: usize) -> Self {
        // SAFETY: likewise; and the caller's.
        unsafe {
            let low = _mm256_castpd128_pd256(_mm_loadu_pd(from));
            Self(_mm256_insertf128_pd::<1>(low, _mm_loadu_pd(from.add(ld))))
        }
    }

    #[inline(always)]
    unsafe fn store_block(self, to: *mut f64, ld: usize) {
        // SAFETY: likewise; and the caller's.
        unsafe {
            _mm_storeu_pd(to, _mm256_castpd256_pd128(self.0));
            _mm_storeu_pd(to.add(ld), _mm256_extractf128_pd::<1>(self.0));
        }
    }
}

impl Four for F32x4 {
    #[inline(always)]
    fn transposed([p, q, r, s]: [Self; 4]) -> [Self; 4] {
        // SAFETY: the processor has the instructions, by the contract of `Vector`.
        unsafe {
            let (t, u) = (_mm_unpacklo_ps(p.0, q.0), _mm_unpackhi_ps(p.0, q.0));
            let (v, w) = (_mm_unpacklo_ps(r.0, s.0), _mm_unpackhi_ps(r.0, s.0));
            [Self(_mm_movelh_ps(t, v)), Self(_mm_movehl_ps(v, t)), Self(_mm_movelh_ps(u, w)), Self(_mm_movehl_ps(w, u))]
        }
    }

    #[inline(always)]
    unsafe fn load_block(from: *const f32, ld: usize) -> Self {
        // SAFETY: likewise; and the caller's. Two numbers are loaded as one of twice the size.
        unsafe { Self(_mm_castpd_ps(_mm_loadh_pd(_mm_load_sd(from.cast()), from.add(ld).cast()))) }
    }

    #[inline(always)]
    unsafe fn store_block(self, to: *mut f32, ld: usize) {
        // SAFETY: likewise; and the caller's.
        unsafe {
            _mm_storel_pd(to.cast(), _mm_castps_pd(self.0));
            _mm_storeh_pd(to.add(ld).cast(), _mm_castps_pd(self.0));
        }
    }
}

impl Double<F32x4> for F32x8 {
    #[inline(always)]
    fn spread([p, q, r, s, t, u, v]: [F32x4; 7]) -> [Self; 4] {
        let (low, high) = (F32x4::transposed([p, q, r, s]), F32x4::transposed([t, u, v, F32x4::ZERO]));
        // SAFETY: the processor has the instructions, by the contract of `Vector`.
        [0, 1, 2, 3].map(|at| unsafe { Self(_mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low[at].0), high[at].0)) })
    }

    #[inline(always)]
    fn gather(four: [Self; 4]) -> [F32x4; 7] {
        // SAFETY: likewise.
        let (low, high) = unsafe {
            (four.map(|x| F32x4(_mm256_castps256_ps128(x.0))), four.map(|x| F32x4(_mm256_extractf128_ps::<1>(x.0))))
        };
        let ([p, q, r, s], [t, u, v, _]) = (F32x4::transposed(low), F32x4::transposed(high));
        [p, q, r, s, t, u, v]
    }
}
