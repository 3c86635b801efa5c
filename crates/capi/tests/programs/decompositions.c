/* DGESVDOCL and SGESVDOCL: every pair of jobs, shapes on both sides of every choice, the workspace query, illegal arguments, against
 * the definition and by LAPACK's ratios. With an argument "gpu" every matrix of 40 x 40 and more must have been computed by a device.
 * Prints "all decompositions are right" at the end. */
#include "lapack_ai.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char routine[32];
static int argument;

/* The program's own. */
void xerbla_(const char *name, const int32_t *info, size_t length) {
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

enum { MOST = 120 };
static double a[MOST * MOST], before[MOST * MOST], u[MOST * MOST], vt[MOST * MOST], s[MOST], alone[MOST];
static float af[MOST * MOST], uf[MOST * MOST], vtf[MOST * MOST], sf[MOST];
static int on_gpu;

static double random_number(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 4503599627370496.0 - 1.0;
}

static int least(int x, int y) { return x < y ? x : y; }
static int most(int x, int y) { return x > y ? x : y; }

/* Calls one of the two; what the single one computes is widened. Returns INFO. */
static int decompose(int single, char jobu, char jobvt, int32_t m, int32_t n, int32_t lda, int32_t ldu, int32_t ldvt) {
    int32_t info = 77, query = -1;
    if (single) {
        float length;
        sgesvdocl_(&jobu, &jobvt, &m, &n, af, &lda, sf, uf, &ldu, vtf, &ldvt, &length, &query, &info);
        REQUIRE(info == 0 && length >= 1);
        int32_t lwork = (int32_t)length;
        float *work = malloc((size_t)lwork * sizeof *work);
        sgesvdocl_(&jobu, &jobvt, &m, &n, af, &lda, sf, uf, &ldu, vtf, &ldvt, work, &lwork, &info);
        REQUIRE((int32_t)work[0] == lwork || least(m, n) == 0);
        free(work);
        for (int i = 0; i < MOST * MOST; i++)
            a[i] = af[i], u[i] = uf[i], vt[i] = vtf[i];
        for (int i = 0; i < MOST; i++)
            s[i] = sf[i];
    } else {
        double length;
        dgesvdocl_(&jobu, &jobvt, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, &length, &query, &info);
        REQUIRE(info == 0 && length >= 1);
        int32_t lwork = (int32_t)length;
        double *work = malloc((size_t)lwork * sizeof *work);
        dgesvdocl_(&jobu, &jobvt, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, &info);
        free(work);
    }
    return info;
}

/* The largest |x^T y - (x = y)| of `count` vectors of `length`, `step` from element to element and `next` from vector to vector. */
static double departure(const double *x, int length, int step, int count, int next) {
    double worst = 0;
    for (int i = 0; i < count; i++)
        for (int j = 0; j <= i; j++) {
            double dot = i == j ? -1 : 0;
            for (int l = 0; l < length; l++)
                dot += x[i * next + l * step] * x[j * next + l * step];
            worst = fmax(worst, fabs(dot));
        }
    return worst;
}

static void check(int single, char jobu, char jobvt, int m, int n, int pad) {
    int k = least(m, n), lda = most(m, 1) + pad, ldu = most(m, 1) + pad, ldvt = most(n, 1) + pad;
    for (int i = 0; i < MOST * MOST; i++) {
        af[i] = (float)random_number();
        before[i] = a[i] = af[i];
        u[i] = vt[i] = uf[i] = vtf[i] = 7;
    }
    int info = decompose(single, jobu, jobvt, m, n, lda, ldu, ldvt);
    REQUIRE(info == 0);
    REQUIRE(!on_gpu || k < 40 || lapack_ai_last_on_gpu());
    if (k == 0)
        return;
    double unit = 30 * most(m, n) * (single ? FLT_EPSILON : DBL_EPSILON);
    for (int i = 0; i < k; i++)
        REQUIRE(s[i] >= 0 && (i == 0 || s[i] <= s[i - 1]));
    int u_columns = jobu == 'A' ? m : jobu == 'N' ? 0 : k, vt_rows = jobvt == 'A' ? n : jobvt == 'N' ? 0 : k;
    const double *left = jobu == 'O' ? a : u, *right = jobvt == 'O' ? a : vt;
    int left_ld = jobu == 'O' ? lda : ldu, right_ld = jobvt == 'O' ? lda : ldvt;
    REQUIRE(departure(left, m, 1, u_columns, left_ld) <= unit);
    REQUIRE(departure(right, n, right_ld, vt_rows, 1) <= unit);
    /* What lies behind the leading dimension's rows, and the factors that nobody asked for, are as they were. */
    for (int j = 0; j < m && pad; j++)
        REQUIRE(u[j * ldu + m] == 7);
    for (int i = 0; i < MOST * MOST; i++)
        REQUIRE((jobu == 'A' || jobu == 'S' || u[i] == 7) && (jobvt == 'A' || jobvt == 'S' || vt[i] == 7));
    if (u_columns && vt_rows)
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) {
                double sum = -before[i + j * lda];
                for (int l = 0; l < k; l++)
                    sum += left[i + l * left_ld] * s[l] * right[l + j * right_ld];
                REQUIRE(fabs(sum) <= unit * s[0]);
            }
    /* Values are the same whatever vectors are asked for. */
    memcpy(alone, s, sizeof s);
    for (int i = 0; i < MOST * MOST; i++)
        a[i] = before[i], af[i] = (float)before[i];
    REQUIRE(decompose(single, 'N', 'N', m, n, lda, 1, 1) == 0);
    for (int i = 0; i < k; i++)
        REQUIRE(fabs(alone[i] - s[i]) <= unit * s[0]);
}

static int refused(const char *jobs, int32_t m, int32_t n, int32_t lda, int32_t ldu, int32_t ldvt, int32_t lwork) {
    int32_t info = 0;
    argument = 0;
    dgesvdocl_(jobs, jobs + 1, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, before, &lwork, &info);
    REQUIRE(info == -argument && (argument == 0 || strcmp(routine, "DGESVDOCL") == 0));
    return argument;
}

int main(int count, char **arguments) {
    on_gpu = count > 1 && strcmp(arguments[1], "gpu") == 0;
    static const int sizes[][2] = {{1, 1}, {5, 3}, {3, 5}, {0, 4}, {4, 0}, {70, 70}, {110, 70}, {70, 110}};
    for (int single = 0; single < 2; single++)
        for (int size = 0; size < 8; size++)
            for (const char *jobu = "ASON"; *jobu; jobu++)
                for (const char *jobvt = "ASON"; *jobvt; jobvt++)
                    if (*jobu != 'O' || *jobvt != 'O')
                        check(single, *jobu, *jobvt, sizes[size][0], sizes[size][1], size % 3);

    REQUIRE(refused("XA", 4, 4, 4, 4, 4, 99) == 1);
    REQUIRE(refused("AX", 4, 4, 4, 4, 4, 99) == 2);
    REQUIRE(refused("OO", 4, 4, 4, 4, 4, 99) == 2);
    REQUIRE(refused("AA", -1, 4, 4, 4, 4, 99) == 3);
    REQUIRE(refused("AA", 4, -1, 4, 4, 4, 99) == 4);
    REQUIRE(refused("AA", 4, 4, 3, 4, 4, 99) == 6);
    REQUIRE(refused("SN", 4, 4, 4, 3, 1, 99) == 9);
    REQUIRE(refused("NN", 4, 4, 4, 0, 1, 99) == 9);
    REQUIRE(refused("NA", 3, 5, 3, 1, 4, 99) == 11);
    REQUIRE(refused("NS", 3, 5, 3, 1, 2, 99) == 11);
    REQUIRE(refused("AA", 4, 4, 4, 4, 4, 19) == 13);
    REQUIRE(refused("aa", 4, 4, 4, 4, 4, 20) == 0);

    /* A NaN is LAPACK's to answer: the call returns. */
    int32_t n = 70, lwork = 5000, info;
    for (int i = 0; i < MOST * MOST; i++)
        a[i] = random_number();
    a[77] = NAN;
    dgesvdocl_("N", "N", &n, &n, a, &n, s, u, &n, vt, &n, before, &lwork, &info);
    REQUIRE(!lapack_ai_last_on_gpu());
    puts("all decompositions are right");
    return 0;
}
