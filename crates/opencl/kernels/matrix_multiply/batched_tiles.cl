// Groups of small matrices between global and local memory, for kernels that are bound by the former: accesses of VEC
// elements, neighbouring items neighbouring ones.
//
//   -DVEC     elements of an access: divides the length of a line, offsets, leading dimensions and batch strides
//   -DITEMS   work-items of a group
//   -DUNROLL  accesses of an item that are under way at a time, 4 (the default) or 8
//
// A matrix lies in memory as `lines` of `line` contiguous elements, `ld` apart; in local memory without gaps. Where matrices
// begin in memory says scattered.cl; in local memory they are `pitch` apart: PAD elements behind each keep items that work on
// different matrices on different banks.

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
        *(__local V *)(to + (slot * pitch + at)) = x;
    }
}

// to = alpha from + beta to; beta = 0 does not read `to`.
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
        __global V *out = (__global V *)(to + (begins(begin, slot) + at / line * ld + at % line));
        V x = alpha * *(__local const V *)(from + (slot * pitch + at));
        *out = beta == 0 ? x : x + beta * *out;
    }
}
