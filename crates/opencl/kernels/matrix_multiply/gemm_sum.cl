// C = alpha (P_1 + ... + P_s) + beta C: the end of a product whose terms were shared out, P_p being the sum over the p-th part
// of k. The parts are added in their order, so that a result does not depend on which was ready first.
//
// gemm_sum
//   p, parts              m x n matrices one behind the other, columns contiguous one behind the other, and their number
//   c, c_off, c_rs, c_cs  C, m x n: buffer, long offset, row and column strides
//   m, n                  int extents
//   alpha, beta           T; beta = 0 does not read C
// Any local size (x, 1, 1); dimension 0 goes along the elements with the stride of the grid.
__kernel void gemm_sum(
    __global const T *p, int parts, __global T *c, long c_off, long c_rs, long c_cs, int m, int n, T alpha, T beta) {
    long count = (long)m * n;
    for (long e = get_global_id(0); e < count; e += get_global_size(0)) {
        T sum = p[e];
        for (int part = 1; part < parts; part++) {
            sum = add(sum, p[part * count + e]);
        }
        __global T *at = c + (c_off + e % m * c_rs + e / m * c_cs);
        T product = scaled(alpha, sum);
        *at = is_zero(beta) ? product : add(product, scaled(beta, *at));
    }
}
