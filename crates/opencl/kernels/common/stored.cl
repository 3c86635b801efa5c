// How the operands and the result of a product are kept in memory: as the type T in which it is computed, or in 16 bits, T
// then being float. Stands behind types.cl.
//
//   -DOPERAND_16 -DRESULT_16   0 or not defined: T; 1: binary16; 2: bfloat16, the upper half of a float
//
// Widening is exact; a result is rounded to nearest, ties to even. Core OpenCL C: 16-bit floats are only loaded and stored.

#if OPERAND_16
typedef ushort OPERAND;
#else
typedef T OPERAND;
#endif
#if RESULT_16
typedef ushort RESULT;
#else
typedef T RESULT;
#endif

static inline T operand(__global const OPERAND *from, long at) {
#if OPERAND_16 == 1
    return vload_half(at, (__global const half *)from);
#elif OPERAND_16 == 2
    return as_float((uint)from[at] << 16);
#else
    return from[at];
#endif
}

static inline T result(__global const RESULT *from) {
#if RESULT_16 == 1
    return vload_half(0, (__global const half *)from);
#elif RESULT_16 == 2
    return as_float((uint)*from << 16);
#else
    return *from;
#endif
}

static inline void set_result(__global RESULT *to, T x) {
#if RESULT_16 == 1
    vstore_half_rte(x, 0, (__global half *)to);
#elif RESULT_16 == 2
    uint bits = as_uint(x);
    // What rounds the mantissa up would make Inf of some NaN.
    *to = isnan(x) ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
#else
    *to = x;
#endif
}
