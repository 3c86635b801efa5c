// Where the matrices of a batch begin, and copies of matrices that begin anywhere.
//
//   -DSCATTERED   1: where a list says; 0 (the default): at a constant distance
//
// A kernel that takes either has the argument SCATTERED_ARGUMENT at the end of its list: the beginnings, in elements, of all
// matrices of the first operand, then of the second, then of the third.

#ifndef SCATTERED
#define SCATTERED 0
#endif

// Beginnings of the matrices from one of them on: `begins` is relative to where FIRST moves a pointer or an offset. What is the
// same for a whole work-group is added once, and not with every access.
#if SCATTERED
typedef __global const long *Begin;
#define SCATTERED_ARGUMENT , __global const long *beginnings
#define BEGIN(operand, batch_stride, first, batch) (beginnings + ((long)(operand) * (batch) + (first)))
#define FIRST(from, begin) (from)
static inline long begins(Begin begin, long matrix) { return begin[matrix]; }
#else
typedef struct {
    long first, stride;
} Begin;
#define SCATTERED_ARGUMENT
#define BEGIN(operand, batch_stride, first, batch) ((Begin){(first) * (batch_stride), (batch_stride)})
#define FIRST(from, begin) ((from) + (begin).first)
static inline long begins(Begin begin, long matrix) { return matrix * begin.stride; }
#endif

#if SCATTERED
// gather_matrices
//   src, s_off, s_rs, s_cs   matrices of `rows` x `cols`: buffer, long offset, row and column stride
//   operand                  int, which of the lists of beginnings is theirs
//   dst                      gets them, one behind the other, neighbouring elements of a column apart by 1
//   rows, cols, batch        int extents
//   back                     int: 1 copies from `dst` to `src` instead
// Any size; dimension 0 goes along the rows, 1 along the columns, 2 along the batch, each with the stride of the grid.
__kernel void gather_matrices(
    __global T *src, long s_off, long s_rs, long s_cs, int operand, __global T *dst, int rows, int cols, int batch,
    int back SCATTERED_ARGUMENT) {
    for (int t = get_global_id(2); t < batch; t += get_global_size(2)) {
        __global T *matrix = src + (s_off + begins(BEGIN(operand, 0, 0, batch), t));
        __global T *packed = dst + (long)t * rows * cols;
        for (int j = get_global_id(1); j < cols; j += get_global_size(1)) {
            for (int i = get_global_id(0); i < rows; i += get_global_size(0)) {
                if (back) {
                    matrix[i * s_rs + j * s_cs] = packed[i + (long)j * rows];
                } else {
                    packed[i + (long)j * rows] = matrix[i * s_rs + j * s_cs];
                }
            }
        }
    }
}
#endif
