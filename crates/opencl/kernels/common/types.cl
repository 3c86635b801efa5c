// The element type of a program: stands in front of every kernel file.
//
//   -DREAL=float|double  -DCOMPLEX=0|1
//
// T is REAL, or REAL2 = (real part, imaginary part). Plain OpenCL C 1.2, so that every vendor's compiler takes it. Extents
// are `int`; element offsets and strides are `long`, because a matrix of 2^31 elements fits on today's devices.

#define JOIN_EXPANDED(a, b) a##b
#define JOIN(a, b) JOIN_EXPANDED(a, b)
#define IS_DOUBLE_float 0
#define IS_DOUBLE_double 1
#define DOUBLE JOIN(IS_DOUBLE_, REAL)

#if DOUBLE
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

#if COMPLEX
typedef JOIN(REAL, 2) T;
#else
typedef REAL T;
#endif

static inline T zero(void) { return (T)(0); }

static inline T add(T a, T b) { return a + b; }

// a * b + c. Written out, not mad(), whose error OpenCL does not bound; compilers contract it where that is fast.
static inline T mul_add(T a, T b, T c) {
#if COMPLEX
    c.x = a.x * b.x + c.x;
    c.x = -a.y * b.y + c.x;
    c.y = a.x * b.y + c.y;
    c.y = a.y * b.x + c.y;
    return c;
#else
    return a * b + c;
#endif
}

// factor * x. A real factor multiplies the parts alone, as BLAS users expect: 1 * (Inf + 0i) has no NaN.
static inline T scaled(T factor, T x) {
#if COMPLEX
    if (factor.y == 0) {
        return factor.x * x;
    }
    return (T)(factor.x * x.x - factor.y * x.y, factor.x * x.y + factor.y * x.x);
#else
    return factor * x;
#endif
}

static inline T conj_if(T x, int flag) {
#if COMPLEX
    x.y = flag ? -x.y : x.y;
#endif
    return x;
}

static inline int is_zero(T x) {
#if COMPLEX
    return x.x == 0 && x.y == 0;
#else
    return x == 0;
#endif
}

static inline int is_finite(T x) {
#if COMPLEX
    return isfinite(x.x) && isfinite(x.y);
#else
    return isfinite(x);
#endif
}

// |x|, without undue overflow or underflow (LAPACK's xLAPY2). NaN if a part is, which hypot() does not promise.
static inline REAL modulus(T x) {
#if COMPLEX
    REAL p = fabs(x.x), q = fabs(x.y);
    REAL large = p > q ? p : q, small = p > q ? q : p;
    if (isnan(p) || isnan(q)) {
        return p + q;
    }
    if (large == 0 || isinf(large)) {
        return large;
    }
    REAL ratio = small / large;
    return large * sqrt(1 + ratio * ratio);
#else
    return fabs(x);
#endif
}

// The larger of two, NaN if one is. fmax() drops NaN.
static inline REAL max_or_nan(REAL a, REAL b) { return (b > a || isnan(b)) ? b : a; }
