/* A program with a LAPACK of its own, which calls its own DGEMM: from one source, the library (with -DLIBRARY) and the program.
 * The other routines of the library are in a second source, which the test writes. */
#include <stdio.h>
#include <stdlib.h>

void dgemm_(const char *, const char *, const int *, const int *, const int *, const double *, const double *, const int *,
            const double *, const int *, const double *, double *, const int *);
void dgesv_(const int *, const int *, double *, const int *, int *, double *, const int *, int *);
int calls_of_own_dgemm(void);

static const double one = 1, zero = 0;

#ifdef LIBRARY
static int calls;

int calls_of_own_dgemm(void) { return calls; }

void ilaver_(int *major, int *minor, int *patch) { *major = 3, *minor = 12, *patch = 0; }

void dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k, const double *alpha, const double *a,
            const int *lda, const double *b, const int *ldb, const double *beta, double *c, const int *ldc) {
    (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)alpha, (void)a, (void)lda, (void)b, (void)ldb, (void)beta, (void)ldc;
    calls++;
    c[0] = 42;
}

void dgesv_(const int *n, const int *nrhs, double *a, const int *lda, int *ipiv, double *b, const int *ldb, int *info) {
    (void)nrhs, (void)ipiv;
    dgemm_("N", "N", n, n, n, &one, a, lda, a, lda, &zero, b, ldb);
    *info = 0;
}
#else
int main(void) {
    const int four = 4;
    double a[16] = {2}, b[16] = {3}, c[16];
    int pivots[4], info;
    dgemm_("N", "N", &four, &four, &four, &one, a, &four, b, &four, &zero, c, &four);
    printf("the program's product: %g\n", c[0]);
    dgesv_(&four, &four, a, &four, pivots, b, &four, &info);
    printf("the library's product: %g\n", b[0]);
    printf("calls of its own dgemm: %d\n", calls_of_own_dgemm());
    return 0;
}
#endif
