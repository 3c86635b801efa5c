/* DGESVD, DGESDD and DGESV under LAPACK's names, workspace queries and INFO included. Prints "all tests passed" at the end. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dgesvd_(const char *, const char *, const int *, const int *, double *, const int *, double *, double *, const int *,
             double *, const int *, double *, const int *, int *, size_t, size_t);
void dgesdd_(const char *, const int *, const int *, double *, const int *, double *, double *, const int *, double *,
             const int *, double *, const int *, int *, int *, size_t);
void dgesv_(const int *, const int *, double *, const int *, int *, double *, const int *, int *);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("line %d: %s\n", __LINE__, #condition);                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

int main(void) {
    enum { M = 5, N = 3 };
    const int m = M, n = N, one = 1, query = -1;
    double a[M * N], s[N], u[M * M], vt[N * N], most;
    int iwork[8 * N], info;
    for (int driver = 0; driver < 2; driver++) {
        for (int i = 0; i < M * N; i++)
            a[i] = sin(i + 1.0);
        double before[M * N];
        memcpy(before, a, sizeof a);
        if (driver)
            dgesdd_("S", &m, &n, a, &m, s, u, &m, vt, &n, &most, &query, iwork, &info, 1);
        else
            dgesvd_("S", "A", &m, &n, a, &m, s, u, &m, vt, &n, &most, &query, &info, 1, 1);
        REQUIRE(info == 0 && most >= 1);
        int lwork = (int)most;
        double *work = malloc(lwork * sizeof *work);
        if (driver)
            dgesdd_("S", &m, &n, a, &m, s, u, &m, vt, &n, work, &lwork, iwork, &info, 1);
        else
            dgesvd_("S", "A", &m, &n, a, &m, s, u, &m, vt, &n, work, &lwork, &info, 1, 1);
        free(work);
        REQUIRE(info == 0 && s[0] >= s[1] && s[1] >= s[2] && s[2] >= 0);
        for (int j = 0; j < N; j++)
            for (int i = 0; i < M; i++) {
                double sum = 0;
                for (int l = 0; l < N; l++)
                    sum += u[i + l * M] * s[l] * vt[l + j * N];
                REQUIRE(fabs(sum - before[i + j * M]) < 1e-14);
            }
    }
    /* A pivot is needed: 0 on the diagonal. */
    double system[] = {0, 2, 1, 1}, x[] = {3, 5};
    const int two = 2;
    int pivots[2];
    dgesv_(&two, &one, system, &two, pivots, x, &two, &info);
    REQUIRE(info == 0 && pivots[0] == 2 && pivots[1] == 2 && fabs(x[0] - 1) < 1e-15 && fabs(x[1] - 3) < 1e-15);
    double singular[] = {1, 1, 1, 1};
    dgesv_(&two, &one, singular, &two, pivots, x, &two, &info);
    REQUIRE(info == 2);
    puts("all tests passed");
    return 0;
}
