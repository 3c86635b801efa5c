// Elements of 16 bits for kernels that only move them: stands in front of a kernel file in the place of types.cl.

typedef ushort T;

static inline T conj_if(T x, int flag) { return x; }
