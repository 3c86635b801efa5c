/* Products by every algorithm through the C functions and the Fortran names, held to their error bounds; error codes, XERBLA.
 * Prints "all products are right" at the end. */
#include "lapack_ai.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef WITHOUT_XERBLA
static char routine[32];
static int argument;

/* The program's own. */
void xerbla_(const char *name, const int32_t *info, size_t length) {
    snprintf(routine, sizeof routine, "%.*s", (int)length, name);
    argument = *info;
}
#endif

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("line %d: %s\n", __LINE__, #condition);                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { MOST = 80 };
static double a[MOST * MOST], b[MOST * MOST], c[MOST * MOST], before[MOST * MOST];
static float af[MOST * MOST], bf[MOST * MOST], cf[MOST * MOST];

static double random_number(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 4503599627370496.0 - 1.0;
}

/* One product in both precisions against the sum of its terms in long double. */
static void check(char algorithm, const char *letters, int m, int n, int k, double alpha, double beta, int pad) {
    int transposed_a = letters[0] != 'N' && letters[0] != 'n', transposed_b = letters[1] != 'N' && letters[1] != 'n';
    int32_t lda = (transposed_a ? k : m) + pad, ldb = (transposed_b ? n : k) + pad, ldc = m + pad;
    for (int i = 0; i < MOST * MOST; i++) {
        af[i] = (float)random_number(), bf[i] = (float)random_number(), cf[i] = (float)random_number();
        a[i] = af[i], b[i] = bf[i], before[i] = c[i] = cf[i];
    }
    if (beta == 0)
        c[0] = NAN, cf[0] = NAN;
    int status = lapack_ai_dgemm_alpha(algorithm, letters[0], letters[1], m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, 0);
    REQUIRE(status == 0);
    float alphaf = (float)alpha, betaf = (float)beta;
    int32_t rows = m, cols = n, terms = k;
    sgemm_alphax_(&algorithm, letters, letters + 1, &rows, &cols, &terms, &alphaf, af, &lda, bf, &ldb, &betaf, cf, &ldc);
    double bound = lapack_ai_gemm_error_bound(algorithm, m, n, k);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < ldc; i++) {
            int at = i + j * ldc;
            if (i >= m) {
                REQUIRE(c[at] == before[at] && cf[at] == (float)before[at]);
                continue;
            }
            long double sum = 0;
            for (int l = 0; l < k; l++)
                sum += (long double)a[transposed_a ? l + i * lda : i + l * lda] * b[transposed_b ? j + l * ldb : l + j * ldb];
            long double expected = alpha * sum + (beta == 0 ? 0 : (long double)beta * before[at]);
            /* That of the product, and the roundings of the two factors. */
            double allowed = fabs(alpha) * bound + 4 * (fabs(alpha) * k + fabs(beta));
            REQUIRE(fabsl(c[at] - expected) <= allowed * DBL_EPSILON / 2);
            expected = alphaf * sum + (beta == 0 ? 0 : (long double)betaf * before[at]);
            REQUIRE(fabsl(cf[at] - expected) <= allowed * FLT_EPSILON / 2);
        }
}

static void fortran_call(int32_t m, int32_t lda, const char *transb) {
    const int32_t four = 4;
    const double one = 1, zero = 0;
    dgemm_alpha_("N", transb, &m, &four, &four, &one, a, &lda, b, &four, &zero, c, &four);
}

int main(void) {
    static const int sizes[][3] = {{4, 4, 4}, {1, 1, 1}, {3, 5, 2}, {8, 4, 12}, {9, 7, 13}, {64, 33, 17}};
    static const char *letters[] = {"NN", "TN", "NT", "tc", "Cn"};
    static const double factors[][2] = {{1, 0}, {0.7, 1.3}, {1, 1}, {0, 0.5}, {-2, -1}};
    for (const char *algorithm = "FCSWARfcswar"; *algorithm; algorithm++)
        for (int s = 0; s < 6; s++)
            for (int t = 0; t < 5; t++)
                for (int f = 0; f < 5; f++)
                    check(*algorithm, letters[t], sizes[s][0], sizes[s][1], sizes[s][2], factors[f][0], factors[f][1], f % 3);
    for (const char *algorithm = "FCSWAR"; *algorithm; algorithm++)
        check(*algorithm, "NT", 70, 65, 66, 1, 1, 3);

    /* The C function says what is wrong. */
    memcpy(before, c, sizeof c);
    REQUIRE(lapack_ai_dgemm_alpha('x', 'N', 'N', 4, 4, 4, 1, a, 4, b, 4, 0, c, 4, 0) == -1);
    REQUIRE(lapack_ai_dgemm_alpha('F', 'N', 'y', 4, 4, 4, 1, a, 4, b, 4, 0, c, 4, 0) == -3);
    REQUIRE(lapack_ai_dgemm_alpha('F', 'N', 'N', 4, -1, 4, 1, a, 4, b, 4, 0, c, 4, 0) == -5);
    REQUIRE(lapack_ai_dgemm_alpha('F', 'N', 'N', 4, 4, 4, 1, a, 3, b, 4, 0, c, 4, 0) == -9);
    REQUIRE(lapack_ai_dgemm_alpha('F', 'N', 'N', 4, 4, 4, 1, a, 4, b, 4, 0, c, 3, 0) == -14);
    REQUIRE(lapack_ai_dgemm_alpha('F', 'N', 'N', 4, 4, 4, 1, a, 4, b, 4, 0, c, 4, -1) == -15);
    REQUIRE(lapack_ai_dgemm_alpha('A', 'N', 'N', 4, 4, 4, 1, a, 4, b, 4, 0, c, 4, 100) == LAPACK_AI_INACCURATE);
    REQUIRE(lapack_ai_dgemm_alpha('F', 'N', 'N', 4, 4, 4, 1, a, 4, b, 4, 0, c, 4, 11) == LAPACK_AI_INACCURATE);
    REQUIRE(memcmp(before, c, sizeof c) == 0);
    REQUIRE(lapack_ai_dgemm_alpha('F', 'N', 'N', 4, 4, 4, 1, a, 4, b, 4, 0, c, 4, 12) == 0);
    REQUIRE(lapack_ai_gemm_error_bound('S', 10000, 1, 1) == 1 && isnan(lapack_ai_gemm_error_bound('?', 1, 1, 1)));

    /* The Fortran names go through XERBLA. */
    memcpy(before, c, sizeof c);
    fortran_call(4, 3, "N");
#ifndef WITHOUT_XERBLA
    REQUIRE(strcmp(routine, "DGEMM_ALPHA") == 0 && argument == 8);
    fortran_call(-1, 4, "N");
    REQUIRE(argument == 3);
    fortran_call(4, 4, "/");
    REQUIRE(argument == 2);
    int32_t size = 4097;
    double one = 1;
    dgemm_alphax_("?", "N", "N", &size, &size, &size, &one, a, &size, b, &size, &one, c, &size);
    REQUIRE(strcmp(routine, "DGEMM_ALPHAX") == 0 && argument == 1);
    dgemm_alphax_("A", "N", "N", &size, &size, &size, &one, a, &size, b, &argument, &one, c, &size);
    REQUIRE(argument == 11);
#endif
    REQUIRE(memcmp(before, c, sizeof c) == 0);
    puts("all products are right");
    return 0;
}
