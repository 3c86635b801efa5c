// Groups of small matrices between global and local memory, for kernels that are bound by the former: accesses of VEC
// elements, neighbouring items neighbouring ones.
//
//   -DVEC     elements of an access: divides the length of a line, offsets, leading dimensions and batch strides
//   -DITEMS   work-items of a group
//   -DUNROLL  accesses of an item that are under way at a time, 4 (the default) or 8
//
// A matrix lies in memory as `lines` of `line` contiguous elements, `ld` apart; in local memory LINE_PITCH(line) apart. Where
// matrices begin in memory says scattered.cl; in local memory they are `pitch` apart. The gaps keep items that work on
// different lines, and on different matrices, on different banks: a line of 64 bytes or more has 16 more behind it, since every
// second, fourth or eighth such line would begin at the same bank; behind a matrix are PAD elements.

#define JOIN_VECTOR(a, b) JOIN(a, b)
#if VEC == 1
typedef REAL V;
#else
typedef JOIN_VECTOR(REAL, VEC) V;
#endif
#ifndef UNROLL
#define UNROLL 4
#endif
#define PAD (16 / sizeof(REAL))
#define LINE_PITCH(line) ((line) + ((line) * sizeof(REAL) >= 64 ? PAD : 0))

static inline void fetch(__local REAL *to, __global const REAL *from, long ld, Begin begin, int line, int lines, int pitch, int taken, int lid) {
    int each = line * lines / VEC;
    from = FIRST(from, begin);
#if UNROLL == 8
#pragma unroll 8
#else
#pragma unroll 4
#endif
    for (int e = lid; e < taken * each; e += ITEMS) {
        int slot = e / each, at = e % each * VEC;
        V x = *(__global const V *)(from + (begins(begin, slot) + at / line * ld + at % line));
        *(__local V *)(to + (slot * pitch + at / line * (int)LINE_PITCH(line) + at % line)) = x;
    }
}

// to = alpha x + beta to; beta = 0 does not read `to`.
static inline void put_scaled(__global V *to, V x, REAL alpha, REAL beta) { *to = beta == 0 ? alpha * x : alpha * x + beta * *to; }

// Likewise, of matrices in local memory.
static inline void store(__global REAL *to, __local const REAL *from, long ld, Begin begin, int line, int lines, int pitch, int taken, int lid, REAL alpha, REAL beta) {
    int each = line * lines / VEC;
    to = FIRST(to, begin);
#if UNROLL == 8
#pragma unroll 8
#else
#pragma unroll 4
#endif
    for (int e = lid; e < taken * each; e += ITEMS) {
        int slot = e / each, at = e % each * VEC;
        V x = *(__local const V *)(from + (slot * pitch + at / line * (int)LINE_PITCH(line) + at % line));
        put_scaled((__global V *)(to + (begins(begin, slot) + at / line * ld + at % line)), x, alpha, beta);
    }
}
