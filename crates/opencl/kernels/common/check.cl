// Checks of a product C = alpha op(A) op(B), op the identity, transposition or conjugation or both.
//
// Samples: for element (i, j),  |c_ij - alpha sum_l a_il b_lj|  against  |alpha| sum_l |a_il| |b_lj|,  which a correct
// product meets within (k + 8) eps. The sum here is compensated (Dot2: Ogita, Rump, Oishi, SIAM J. Sci. Comput. 26 (2005)
// 1955), so that its own error is about eps, not k eps.
// Freivalds: r = op(A) (op(B) x) - C x / alpha for a random x; its terms and their bounds |A| (|B| |x|) are products of a
// matrix and a vector.
//
// The matrices of samples may be kept in 16 bits (stored.cl).
//
// Data are finite and no product overflows: what is not finite in the results says nothing.

// A contraction of a product into a sum would undo the compensation.
#pragma OPENCL FP_CONTRACT OFF

// A sum and the rounding errors that its value lacks.
typedef struct {
    REAL value, error;
} Sum;

// TwoSum (Knuth): s.value + x exactly, as value and error.
static inline Sum add_term(Sum s, REAL x) {
    REAL value = s.value + x;
    REAL virtual_x = value - s.value;
    s.error += (s.value - (value - virtual_x)) + (x - virtual_x);
    s.value = value;
    return s;
}

static inline Sum add_product(Sum s, REAL a, REAL b) {
    REAL product = a * b;
    REAL rounding = fma(a, b, -product);
    s = add_term(s, product);
    s.error += rounding;
    return s;
}

static inline Sum join_sums(Sum s, Sum t) {
    s = add_term(s, t.value);
    s.error += t.error;
    return s;
}

#define SAMPLE_GROUP 64

// check_samples
//   a, a_off, a_rs, a_cs, a_bs   op(A) without its conjugation: buffer, then long offset, row, column, batch strides
//   b, b_off, b_rs, b_cs, b_bs   op(B), likewise
//   c, c_off, c_rs, c_cs, c_bs   the product, likewise
//   k                            int, terms of a sum
//   conj_a, conj_b               int flags
//   alpha                        T
//   positions                    3 int a sample: row, column, batch; the host checks their range
//   samples                      int
//   samples_out                  2 REAL a sample: |c - alpha sum|, |alpha| sum |a| |b|
// Local size (64, 1, 1); a work-group takes a sample, with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(SAMPLE_GROUP, 1, 1))) void check_samples(
    __global const OPERAND *a, long a_off, long a_rs, long a_cs, long a_bs,
    __global const OPERAND *b, long b_off, long b_rs, long b_cs, long b_bs,
    __global const RESULT *c, long c_off, long c_rs, long c_cs, long c_bs,
    int k, int conj_a, int conj_b, T alpha,
    __global const int *positions, int samples, __global REAL *samples_out) {
    __local Sum re[SAMPLE_GROUP], im[SAMPLE_GROUP];
    __local REAL bounds[SAMPLE_GROUP];
    int lid = get_local_id(0);
    for (long s = get_group_id(0); s < samples; s += get_num_groups(0)) {
        long row = positions[3 * s], col = positions[3 * s + 1], matrix = positions[3 * s + 2];
        Sum x = {0, 0}, y = {0, 0};
        REAL bound = 0;
        for (long l = lid; l < k; l += SAMPLE_GROUP) {
            T p = conj_if(operand(a, a_off + matrix * a_bs + row * a_rs + l * a_cs), conj_a);
            T q = conj_if(operand(b, b_off + matrix * b_bs + l * b_rs + col * b_cs), conj_b);
#if COMPLEX
            x = add_product(add_product(x, p.x, q.x), -p.y, q.y);
            y = add_product(add_product(y, p.x, q.y), p.y, q.x);
#else
            x = add_product(x, p, q);
#endif
            bound += modulus(p) * modulus(q);
        }
        re[lid] = x;
        im[lid] = y;
        bounds[lid] = bound;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int half_size = SAMPLE_GROUP / 2; half_size > 0; half_size /= 2) {
            if (lid < half_size) {
                re[lid] = join_sums(re[lid], re[lid + half_size]);
                im[lid] = join_sums(im[lid], im[lid + half_size]);
                bounds[lid] += bounds[lid + half_size];
            }
            barrier(CLK_LOCAL_MEM_FENCE);
        }
        if (lid == 0) {
            T sum;
#if COMPLEX
            sum.x = re[0].value + re[0].error;
            sum.y = im[0].value + im[0].error;
#else
            sum = re[0].value + re[0].error;
#endif
            T found = result(c + (c_off + matrix * c_bs + row * c_rs + col * c_cs));
            samples_out[2 * s] = modulus(found - scaled(alpha, sum));
            samples_out[2 * s + 1] = modulus(alpha) * bounds[0];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

#define MATVEC_GROUP 256

// The sums of both kernels below: `term` is added up for l along row i, pairwise over the lanes; `store` has the row's sum
// in sums[line].
#define MATVEC(S, term, store)                                                          \
    __local S sums[MATVEC_GROUP];                                                       \
    int lid = get_local_id(0), strip = MATVEC_GROUP / lanes;                            \
    int lane = along ? lid % lanes : lid / strip, line = along ? lid / lanes : lid % strip; \
    long strips = ((long)m + strip - 1) / strip;                                        \
    for (long b = get_group_id(1); b < batch; b += get_num_groups(1)) {                 \
        for (long s = get_group_id(0); s < strips; s += get_num_groups(0)) {            \
            long i = s * strip + line;                                                  \
            S sum = (S)(0);                                                             \
            if (i < m) {                                                                \
                for (long l = lane; l < k; l += lanes) {                                \
                    term                                                                \
                }                                                                       \
            }                                                                           \
            sums[lane * strip + line] = sum;                                            \
            barrier(CLK_LOCAL_MEM_FENCE);                                               \
            for (int half_size = lanes / 2; half_size > 0; half_size /= 2) {            \
                if (lane < half_size) {                                                 \
                    sums[lane * strip + line] += sums[(lane + half_size) * strip + line]; \
                }                                                                       \
                barrier(CLK_LOCAL_MEM_FENCE);                                           \
            }                                                                           \
            if (lane == 0 && i < m) {                                                   \
                store                                                                   \
            }                                                                           \
            barrier(CLK_LOCAL_MEM_FENCE);                                               \
        }                                                                               \
    }

// matvec: y = op(A) x
//   a, a_off, a_rs, a_cs, a_bs   op(A) without its conjugation, m x k: buffer, long offset, row, column, batch strides
//   x, x_off, x_inc, x_bs        k-vectors: buffer, then long offset, stride, batch stride
//   y, y_off, y_inc, y_bs        m-vectors, likewise; do not overlap A and x
//   m, k, batch                  int extents
//   conj_a                       int flag
//   lanes                        int, power of two up to 256: work-items along a row
//   along                        int flag: neighbouring work-items go along the row (a_cs is 1), else across the rows
// Local size (256, 1, 1); a group takes 256 / lanes rows. Dimension 0 goes along the strips of rows, 1 along the batch,
// each with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(MATVEC_GROUP, 1, 1))) void matvec(
    __global const T *a, long a_off, long a_rs, long a_cs, long a_bs,
    __global const T *x, long x_off, long x_inc, long x_bs,
    __global T *y, long y_off, long y_inc, long y_bs,
    int m, int k, int batch, int conj_a, int lanes, int along) {
    MATVEC(T,
        sum = mul_add(conj_if(a[a_off + b * a_bs + i * a_rs + l * a_cs], conj_a), x[x_off + b * x_bs + l * x_inc], sum);,
        y[y_off + b * y_bs + i * y_inc] = sums[line];)
}

// matvec_abs: y = |A| x, for x without negative elements
//   the arguments of matvec without conj_a; x and y are REAL
__kernel __attribute__((reqd_work_group_size(MATVEC_GROUP, 1, 1))) void matvec_abs(
    __global const T *a, long a_off, long a_rs, long a_cs, long a_bs,
    __global const REAL *x, long x_off, long x_inc, long x_bs,
    __global REAL *y, long y_off, long y_inc, long y_bs,
    int m, int k, int batch, int lanes, int along) {
    MATVEC(REAL,
        sum += modulus(a[a_off + b * a_bs + i * a_rs + l * a_cs]) * x[x_off + b * x_bs + l * x_inc];,
        y[y_off + b * y_bs + i * y_inc] = sums[line];)
}
