/* LAPACK AI for C and Fortran: the general matrix product with a choice of algorithm, the singular value decomposition on a GPU, and
 * the meaning of what LAPACK and OpenCL return.
 *
 * Link with -llapack_ai, or with liblapack_ai.a and -lpthread -ldl -lm. Matrices are column-major, as in BLAS. All functions may
 * be called by several threads at once.
 *
 * Algorithms have letters, in either case:
 *   'F'  the fastest         'C'  classical: row times column
 *   'S'  Strassen, squared   'W'  Winograd, squared   'A'  AlphaTensor, 49 products   'R'  rank 48
 * Small sizes are computed by the library's own kernels, larger ones by 'F' and 'C' with the DGEMM of the LAPACK in use (see
 * LAPACK_AI_LIBRARY; where none is found, slower code of the library stands in). The schemes take 4 x 4 matrices of numbers, and
 * larger ones as 4 x 4 matrices of blocks; with an extent below 4 they are what 'C' is. 'F' takes Strassen's scheme for large matrices
 * where it has measured that to be faster, unless `accuracy` forbids it; 'C' never does. */
#ifndef LAPACK_AI_H
#define LAPACK_AI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C := alpha op(A) op(B) + beta C, where op(X) is X for the letter 'N', its transpose for 'T' and 'C'; op(A) is m x k, op(B) k x n.
 *
 * `accuracy` is the largest error bound allowed (see lapack_ai_gemm_error_bound), 0 for any.
 * beta = 0 does not read C, alpha = 0 does not read A and B. C must not overlap A or B.
 *
 * Returns 0; -i if the i-th argument is illegal; LAPACK_AI_INACCURATE if the algorithm's error bound is above `accuracy`. Unless it
 * returns 0, C is as it was. XERBLA is not called. */
int lapack_ai_dgemm_alpha(char algorithm, char transa, char transb, int64_t m, int64_t n, int64_t k, double alpha,
                          const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc,
                          double accuracy);
int lapack_ai_sgemm_alpha(char algorithm, char transa, char transb, int64_t m, int64_t n, int64_t k, float alpha,
                          const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc,
                          double accuracy);

#define LAPACK_AI_INACCURATE 1

/* Largest error of an element of op(A) op(B), in units of (eps / 2) max|A| max|B| and to first order, where eps is DBL_EPSILON
 * or FLT_EPSILON. NaN for a letter that is none. */
double lapack_ai_gemm_error_bound(char algorithm, int64_t m, int64_t n, int64_t k);

/* DGEMM_ALPHA and SGEMM_ALPHA for Fortran: arguments, their order and the numbers of illegal ones are those of DGEMM; errors go
 * through the program's own XERBLA, else as text to standard error, after which they return. The algorithm is the fastest.
 *
 * DGEMM_ALPHAX and SGEMM_ALPHAX have the algorithm's letter before the others, so that illegal ones have a number more; number 1
 * is the algorithm, if it has no such letter.
 *
 * INTEGER is 32 bits wide. Fortran compilers pass the lengths of CHARACTER arguments after all others; these functions do not
 * read them, so they are not declared here. The names without underscore and with two are the same functions. */
void dgemm_alpha_(const char *transa, const char *transb, const int32_t *m, const int32_t *n, const int32_t *k,
                  const double *alpha, const double *a, const int32_t *lda, const double *b, const int32_t *ldb,
                  const double *beta, double *c, const int32_t *ldc);
void sgemm_alpha_(const char *transa, const char *transb, const int32_t *m, const int32_t *n, const int32_t *k,
                  const float *alpha, const float *a, const int32_t *lda, const float *b, const int32_t *ldb,
                  const float *beta, float *c, const int32_t *ldc);
void dgemm_alphax_(const char *algorithm, const char *transa, const char *transb, const int32_t *m, const int32_t *n,
                   const int32_t *k, const double *alpha, const double *a, const int32_t *lda, const double *b,
                   const int32_t *ldb, const double *beta, double *c, const int32_t *ldc);
void sgemm_alphax_(const char *algorithm, const char *transa, const char *transb, const int32_t *m, const int32_t *n,
                   const int32_t *k, const float *alpha, const float *a, const int32_t *lda, const float *b,
                   const int32_t *ldb, const float *beta, float *c, const int32_t *ldc);

/* DGESVDOCL and SGESVDOCL: A = U diag(S) VT of an m x n matrix by an OpenCL device, with the arguments of LAPACK's DGESVD: JOBU and
 * JOBVT ('A' all vectors, 'S' the first min(m, n), 'O' those over A, 'N' none), M, N, A, LDA, S, U, LDU, VT, LDVT, WORK, LWORK
 * (-1 asks for the best length, which comes in WORK(1)), INFO. Errors are as accurate as DGESVD's, and illegal arguments have its
 * numbers: they go through XERBLA, and INFO is minus the number.
 *
 * DGESVD itself of the LAPACK in use computes, in WORK, where no device is usable (see LAPACK_GPU_DEVICE), where one fails or has
 * not enough memory, for NaN and Inf, and for matrices of less than about a million operations. Where there is neither, one line
 * on standard error says so and INFO is min(m, n) + 1. Unless jobs say 'O' a device leaves A as it is. */
void dgesvdocl_(const char *jobu, const char *jobvt, const int32_t *m, const int32_t *n, double *a, const int32_t *lda, double *s,
                double *u, const int32_t *ldu, double *vt, const int32_t *ldvt, double *work, const int32_t *lwork,
                int32_t *info);
void sgesvdocl_(const char *jobu, const char *jobvt, const int32_t *m, const int32_t *n, float *a, const int32_t *lda, float *s,
                float *u, const int32_t *ldu, float *vt, const int32_t *ldvt, float *work, const int32_t *lwork, int32_t *info);

/* 1 if a device computed this thread's last call of DGESVDOCL or SGESVDOCL, else 0. */
int lapack_ai_last_on_gpu(void);

/* The meaning of a number that LAPACK or OpenCL returned. Texts end with 0, and are empty where there is none. */
typedef struct {
    char code[12];             /* "LAP-E010"; empty if the number has several meanings */
    char severity[12];         /* "error", "warning" or "information" */
    char info_class[40];       /* class of INFO: "U_ZERO_PIVOT" */
    char summary[120];         /* one line of at most 88 characters */
    char argument[32];         /* the argument that was refused, as LAPACK's documentation names it */
    int32_t argument_position; /* its position, from 1; 0 for none */
    int32_t possibilities;     /* how many meanings are possible, if several; else 0 */
    int64_t index;             /* the row, column or pivot, from 0; -1 for none */
} lapack_ai_explanation;

/* What INFO = `info` of a routine means: "dgesvx" in any case, "DGESVX_", "LAPACKE_dgesvx" (positions are then those of the C
 * function), or "opencl" for an error code of OpenCL. m and n are the dimensions of the call, -1 where they are not known: some
 * INFO can be read only with them.
 *
 * Returns 0; LAPACK_AI_UNKNOWN if there is no such routine; LAPACK_AI_NOT_RETURNED if it does not return this number, or not for
 * these dimensions. Unless it returns 0, the struct is as it was. */
int lapack_ai_explain_info(const char *routine, int64_t info, int64_t m, int64_t n, lapack_ai_explanation *explanation);

#define LAPACK_AI_UNKNOWN 1
#define LAPACK_AI_NOT_RETURNED 2

/* The same in full, with cause and fixes, as JSON and as text; `what` may be a code too ("LAP-E010"), and the number does not
 * matter then. Writes at most `size` bytes with the 0 at the end. Returns the length of the whole text, -1 if it is not known. */
int64_t lapack_ai_explain_json(const char *what, int64_t number, int64_t m, int64_t n, char *buffer, int64_t size);
int64_t lapack_ai_explain_text(const char *what, int64_t number, int64_t m, int64_t n, char *buffer, int64_t size);

/* For Fortran, CALL LAPACK_AI_EXPLAIN(WHAT, INFO, M, N, TEXT): TEXT, of 100 characters or more, gets the first line, and blanks if
 * it is not known. The lengths of the CHARACTER arguments follow all others, as Fortran compilers pass them. */
void lapack_ai_explain_(const char *what, const int32_t *info, const int32_t *m, const int32_t *n, char *text,
                        size_t length_of_what, size_t length_of_text);

#ifdef __cplusplus
}
#endif

#endif
