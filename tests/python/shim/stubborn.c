/* A LAPACK whose drivers can be told to fail: it stands in front of a real one, which answers all other calls.
 *
 * LAPACK_STUBBORN names the drivers that report INFO = 3, as if they had not converged: "gesdd", "gesvd", "syev", "geev",
 * "sygvd". Their workspace queries go to the real library, found by dlsym in the libraries that this one is linked to. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static int told_to_fail(const char *driver) {
    const char *names = getenv("LAPACK_STUBBORN");
    return names && strstr(names, driver);
}

typedef void (*gesdd_t)(const char *, const int *, const int *, double *, const int *, double *, double *, const int *,
                        double *, const int *, double *, const int *, int *, int *, size_t);

void scipy_dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
                   const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info,
                   size_t length) {
    if (*lwork != -1 && told_to_fail("gesdd")) {
        *info = 3;
        return;
    }
    ((gesdd_t)dlsym(RTLD_NEXT, "scipy_dgesdd_"))(jobz, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, iwork, info, length);
}

typedef void (*gesvd_t)(const char *, const char *, const int *, const int *, double *, const int *, double *, double *,
                        const int *, double *, const int *, double *, const int *, int *, size_t, size_t);

void scipy_dgesvd_(const char *jobu, const char *jobvt, const int *m, const int *n, double *a, const int *lda, double *s,
                   double *u, const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *info,
                   size_t length, size_t other_length) {
    if (*lwork != -1 && told_to_fail("gesvd")) {
        *info = 3;
        return;
    }
    ((gesvd_t)dlsym(RTLD_NEXT, "scipy_dgesvd_"))(jobu, jobvt, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, info, length,
                                                 other_length);
}

typedef void (*syev_t)(const char *, const char *, const int *, double *, const int *, double *, double *, const int *,
                       int *, size_t, size_t);

void scipy_dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
                  const int *lwork, int *info, size_t length, size_t other_length) {
    if (*lwork != -1 && told_to_fail("syev")) {
        *info = 3;
        return;
    }
    ((syev_t)dlsym(RTLD_NEXT, "scipy_dsyev_"))(jobz, uplo, n, a, lda, w, work, lwork, info, length, other_length);
}

typedef void (*geev_t)(const char *, const char *, const int *, double *, const int *, double *, double *, double *,
                       const int *, double *, const int *, double *, const int *, int *, size_t, size_t);

void scipy_dgeev_(const char *jobvl, const char *jobvr, const int *n, double *a, const int *lda, double *wr, double *wi,
                  double *vl, const int *ldvl, double *vr, const int *ldvr, double *work, const int *lwork, int *info,
                  size_t length, size_t other_length) {
    if (*lwork != -1 && told_to_fail("geev")) {
        *info = 3;
        return;
    }
    ((geev_t)dlsym(RTLD_NEXT, "scipy_dgeev_"))(jobvl, jobvr, n, a, lda, wr, wi, vl, ldvl, vr, ldvr, work, lwork, info,
                                               length, other_length);
}

typedef void (*sygvd_t)(const int *, const char *, const char *, const int *, double *, const int *, double *, const int *,
                        double *, double *, const int *, int *, const int *, int *, size_t, size_t);

void scipy_dsygvd_(const int *itype, const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *b,
                   const int *ldb, double *w, double *work, const int *lwork, int *iwork, const int *liwork, int *info,
                   size_t length, size_t other_length) {
    if (*lwork != -1 && told_to_fail("sygvd")) {
        *info = 3;
        return;
    }
    ((sygvd_t)dlsym(RTLD_NEXT, "scipy_dsygvd_"))(itype, jobz, uplo, n, a, lda, b, ldb, w, work, lwork, iwork, liwork, info,
                                                 length, other_length);
}
