/* DGEMM, SGEMM, cblas_dgemm and cblas_sgemm under the names of the BLAS, by the rules of its level-3 test program: every
 * combination of transposes, sizes, factors and leading dimensions, results in units of the rounding error of their terms,
 * arguments left as they were, every illegal argument reported to XERBLA by its number. Prints "all tests passed" at the end. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dgemm_(const char *, const char *, const int *, const int *, const int *, const double *, const double *, const int *,
            const double *, const int *, const double *, double *, const int *, size_t, size_t);
void sgemm_(const char *, const char *, const int *, const int *, const int *, const float *, const float *, const int *,
            const float *, const int *, const float *, float *, const int *, size_t, size_t);
void cblas_dgemm(int, int, int, int, int, int, double, const double *, int, const double *, int, double, double *, int);
void cblas_sgemm(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);

static char routine[32];
static int argument;

void xerbla_(const char *name, const int *info, size_t length) {
    snprintf(routine, sizeof routine, "%.*s", (int)length, name);
    argument = *info;
}

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("line %d: %s\n", __LINE__, #condition);                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static double random_number(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 4503599627370496.0 - 1.0;
}

enum { MOST = 67 * 66 };
static const double THRESHOLD = 16;
static double worst;
static long calls;

/* The tests of one type, with its names. */
#define TESTS(type, gemm, cblas_gemm, epsilon)                                                                         \
    static type gemm##a[MOST], gemm##b[MOST], gemm##c[MOST];                                                           \
    static type gemm##a_before[MOST], gemm##b_before[MOST], gemm##c_before[MOST];                                      \
                                                                                                                       \
    /* `order`: 0 the Fortran routine, 101 row-major, 102 column-major. */                                             \
    static void gemm##_one(int order, char ta, char tb, int m, int n, int k, type alpha, type beta, int pad) {         \
        type *a = gemm##a, *b = gemm##b, *c = gemm##c;                                                                 \
        int flip_a = ta != 'N', flip_b = tb != 'N', row_major = order == 101;                                          \
        int a_run = flip_a != row_major ? k : m, b_run = flip_b != row_major ? n : k, c_run = row_major ? n : m;       \
        int lda = (a_run > 1 ? a_run : 1) + pad, ldb = (b_run > 1 ? b_run : 1) + pad, ldc = (c_run > 1 ? c_run : 1) + pad; \
        int most = (m > n ? m : n) > k ? (m > n ? m : n) : k, used = (most + 2) * (most + 1);                          \
        for (int i = 0; i < used; i++)                                                                                 \
            a[i] = random_number(), b[i] = random_number(), c[i] = beta == 0 ? (type)NAN : (type)random_number();      \
        memcpy(gemm##a_before, a, used * sizeof *a);                                                                   \
        memcpy(gemm##b_before, b, used * sizeof *b);                                                                   \
        memcpy(gemm##c_before, c, used * sizeof *c);                                                                   \
        int cta = ta == 'N' ? 111 : ta == 'T' ? 112 : 113, ctb = tb == 'N' ? 111 : tb == 'T' ? 112 : 113;              \
        if (order)                                                                                                     \
            cblas_gemm(order, cta, ctb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);                                 \
        else                                                                                                           \
            gemm(&ta, &tb, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc, 1, 1);                                \
        calls++;                                                                                                       \
        REQUIRE(memcmp(gemm##a_before, a, used * sizeof *a) == 0 && memcmp(gemm##b_before, b, used * sizeof *b) == 0); \
        for (int q = 0; q < (row_major ? m : n); q++)                                                                  \
            for (int p = 0; p < ldc; p++) {                                                                            \
                type *at = c + p + q * ldc, before = gemm##c_before[p + q * ldc];                                      \
                if (p >= c_run) {                                                                                      \
                    REQUIRE(memcmp(at, &before, sizeof before) == 0);                                                  \
                    continue;                                                                                          \
                }                                                                                                      \
                int i = row_major ? q : p, j = row_major ? p : q;                                                      \
                long double sum = 0, size = 0;                                                                         \
                for (int l = 0; l < k; l++) {                                                                          \
                    long double term = (long double)a[flip_a != row_major ? l + i * lda : i + l * lda]                 \
                                       * b[flip_b != row_major ? j + l * ldb : l + j * ldb];                           \
                    sum += term, size += fabsl(term);                                                                  \
                }                                                                                                      \
                long double expected = alpha * sum + (beta == 0 ? 0 : (long double)beta * before);                     \
                size = fabsl((long double)alpha) * size + (beta == 0 ? 0 : fabsl((long double)beta * before));         \
                double ratio = size == 0 ? (*at == 0 ? 0 : INFINITY) : (double)(fabsl(*at - expected) / size) / epsilon; \
                REQUIRE(ratio < THRESHOLD);                                                                            \
                worst = ratio > worst ? ratio : worst;                                                                 \
            }                                                                                                          \
    }                                                                                                                  \
                                                                                                                       \
    static void gemm##_all(void) {                                                                                     \
        static const int sizes[] = {0, 1, 2, 3, 4, 5, 9, 33, 65}, orders[] = {0, 101, 102};                            \
        static const type factors[] = {0, 1, (type)0.7, (type)-1.3};                                                   \
        for (int o = 0; o < 3; o++)                                                                                    \
            for (int m = 0; m < 9; m++)                                                                                \
                for (int n = 0; n < 9; n++)                                                                            \
                    for (int k = 0; k < 9; k++) {                                                                      \
                        int large = sizes[m] * sizes[n] * sizes[k] > 9 * 9 * 9;                                        \
                        for (int t = 0; t < 9; t++)                                                                    \
                            for (int f = 0; f < 16; f++)                                                               \
                                if (!large || (t + f + m + n + k) % 13 == 0)                                           \
                                    gemm##_one(orders[o], "NTC"[t % 3], "NTC"[t / 3], sizes[m], sizes[n], sizes[k],    \
                                               factors[f % 4], factors[f / 4], (t + f) % 2);                           \
                    }                                                                                                  \
    }                                                                                                                  \
                                                                                                                       \
    static void gemm##_illegal(const char *name, char ta, char tb, int m, int n, int k, int lda, int ldb, int ldc,     \
                               int expected) {                                                                         \
        type one = 1;                                                                                                  \
        argument = 0, routine[0] = 0;                                                                                  \
        memcpy(gemm##c_before, gemm##c, sizeof gemm##c);                                                               \
        gemm(&ta, &tb, &m, &n, &k, &one, gemm##a, &lda, gemm##b, &ldb, &one, gemm##c, &ldc, 1, 1);                     \
        REQUIRE(argument == expected && strcmp(routine, name) == 0);                                                   \
        REQUIRE(memcmp(gemm##c_before, gemm##c, sizeof gemm##c) == 0);                                                 \
    }                                                                                                                  \
                                                                                                                       \
    static void gemm##_errors(const char *name) {                                                                      \
        gemm##_illegal(name, '/', 'N', 0, 0, 0, 1, 1, 1, 1);                                                           \
        gemm##_illegal(name, 'T', '/', 0, 0, 0, 1, 1, 1, 2);                                                           \
        for (int t = 0; t < 4; t++) {                                                                                  \
            char ta = "NT"[t % 2], tb = "NT"[t / 2];                                                                   \
            gemm##_illegal(name, ta, tb, -1, 0, 0, 1, 1, 1, 3);                                                        \
            gemm##_illegal(name, ta, tb, 0, -1, 0, 1, 1, 1, 4);                                                        \
            gemm##_illegal(name, ta, tb, 0, 0, -1, 1, 1, 1, 5);                                                        \
            gemm##_illegal(name, ta, tb, ta == 'N' ? 2 : 0, 0, ta == 'N' ? 0 : 2, 1, 2, 2, 8);                         \
            gemm##_illegal(name, ta, tb, 0, tb == 'N' ? 0 : 2, tb == 'N' ? 2 : 0, 2, 1, 1, 10);                        \
            gemm##_illegal(name, ta, tb, 2, 0, 0, 2, 1, 1, 13);                                                        \
            gemm##_illegal(name, ta, tb, 4, 4, 4, 3, 4, 4, 8);                                                         \
            gemm##_illegal(name, ta, tb, 4, 4, 4, 4, 3, 3, 10);                                                        \
        }                                                                                                              \
    }

TESTS(double, dgemm_, cblas_dgemm, DBL_EPSILON)
TESTS(float, sgemm_, cblas_sgemm, FLT_EPSILON)

int main(void) {
    dgemm__errors("DGEMM ");
    sgemm__errors("SGEMM ");
    dgemm__all();
    sgemm__all();
    printf("%ld calls, largest error %.1f of %.0f\n", calls, worst, THRESHOLD);
    puts("all tests passed");
    return 0;
}
