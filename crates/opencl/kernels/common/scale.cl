// y = alpha x, and y = alpha x + beta y, for every matrix of a batch.
//
// Element (i, j) of matrix b lies at offset + b * batch stride + i * row stride + j * column stride. x and y may be the
// same memory with the same strides: an element is read before it is written, by one work-item.

// scale_matrix: y = alpha x
//   x, x_off, x_rs, x_cs, x_bs   source: buffer, then long offset and row, column, batch strides
//   y, y_off, y_rs, y_cs, y_bs   target, likewise
//   rows, cols, batch            int extents
//   alpha                        T; alpha = 0 multiplies, so that NaN and Inf of x become NaN in y
// Any global and local size: dimension 0 goes along j, 1 along i, 2 along the batch, each with the stride of the grid.
__kernel void scale_matrix(
    __global const T *x, long x_off, long x_rs, long x_cs, long x_bs,
    __global T *y, long y_off, long y_rs, long y_cs, long y_bs,
    int rows, int cols, int batch, T alpha) {
    for (long b = get_global_id(2); b < batch; b += get_global_size(2)) {
        for (long i = get_global_id(1); i < rows; i += get_global_size(1)) {
            for (long j = get_global_id(0); j < cols; j += get_global_size(0)) {
                y[y_off + b * y_bs + i * y_rs + j * y_cs] = scaled(alpha, x[x_off + b * x_bs + i * x_rs + j * x_cs]);
            }
        }
    }
}

// axpby_matrix: y = alpha x + beta y
//   the arguments of scale_matrix, then
//   beta                         T
// As in BLAS, alpha = 0 does not read x and beta = 0 does not read y: NaN that lies there does not spread.
__kernel void axpby_matrix(
    __global const T *x, long x_off, long x_rs, long x_cs, long x_bs,
    __global T *y, long y_off, long y_rs, long y_cs, long y_bs,
    int rows, int cols, int batch, T alpha, T beta) {
    int reads_x = !is_zero(alpha), reads_y = !is_zero(beta);
    for (long b = get_global_id(2); b < batch; b += get_global_size(2)) {
        for (long i = get_global_id(1); i < rows; i += get_global_size(1)) {
            for (long j = get_global_id(0); j < cols; j += get_global_size(0)) {
                long at = y_off + b * y_bs + i * y_rs + j * y_cs;
                T sum = reads_y ? scaled(beta, y[at]) : zero();
                if (reads_x) {
                    T term = scaled(alpha, x[x_off + b * x_bs + i * x_rs + j * x_cs]);
                    sum = reads_y ? add(term, sum) : term;
                }
                y[at] = sum;
            }
        }
    }
}
