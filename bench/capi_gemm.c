/* Nanoseconds of one small DGEMM call through the Fortran interface, of whatever library offers it.
 *
 *     cc -O2 -o capi_gemm bench/capi_gemm.c -ldl
 *     ./capi_gemm N LIBRARY SYMBOL [LETTER]
 *
 * N x N matrices, alpha = 1, beta = 0. With LETTER the symbol is one that takes an algorithm before DGEMM's arguments.
 * `independent`: calls on 16 sets of matrices in turn, which have nothing to do with one another. `chained`: each result is
 * the next call's first factor. The best of 25 runs. Prints one line of JSON. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void gemm_t(const char *, const char *, const int *, const int *, const int *, const double *, const double *,
                    const int *, const double *, const int *, const double *, double *, const int *, size_t, size_t);
typedef void gemmx_t(const char *, const char *, const char *, const int *, const int *, const int *, const double *,
                     const double *, const int *, const double *, const int *, const double *, double *, const int *,
                     size_t, size_t, size_t);

static void *routine;
static const char *letter;
static int n;

static inline void call(const double *a, const double *b, double *c) {
    const double one = 1.0, zero = 0.0;
    if (letter)
        ((gemmx_t *)routine)(letter, "N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, c, &n, 1, 1, 1);
    else
        ((gemm_t *)routine)("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, c, &n, 1, 1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int count, char **arguments) {
    if (count < 4) {
        fprintf(stderr, "usage: %s N LIBRARY SYMBOL [LETTER]\n", arguments[0]);
        return 2;
    }
    n = atoi(arguments[1]);
    letter = count > 4 ? arguments[4] : NULL;
    void *library = dlopen(arguments[2], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!library || !(routine = dlsym(library, arguments[3]))) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    enum { SETS = 16 };
    size_t size = (size_t)n * n;
    /* Apart by other distances than multiples of 4 KiB, which loads and stores of a processor may take for the same place. */
    size_t apart = (SETS * size * sizeof(double) / 4096 + 1) * 4096 + 1088;
    char *pool = aligned_alloc(4096, (3 * apart / 4096 + 1) * 4096);
    if (!pool)
        return 1;
    double *a = (double *)pool, *b = (double *)(pool + apart), *c = (double *)(pool + 2 * apart);
    /* Rotations, so that a chain neither grows nor vanishes. */
    memset(b, 0, SETS * size * sizeof *b);
    for (int s = 0; s < SETS; s++)
        for (int i = 0; i < n; i += 2) {
            double *p = b + s * size + i + (size_t)i * n, angle = 0.7 + s;
            if (i + 1 == n) {
                p[0] = 1;
            } else {
                p[0] = p[n + 1] = cos(angle);
                p[1] = sin(angle);
                p[n] = -sin(angle);
            }
        }
    memcpy(a, b, SETS * size * sizeof *a);
    long calls = 3e6 / (double)(n * n * n + 60);
    calls = calls < 16 ? 16 : calls / 16 * 16;
    double independent = 1e300, chained = 1e300;
    for (int run = 0; run < 25; run++) {
        double start = now();
        for (long i = 0; i < calls; i++) {
            size_t s = i % SETS * size;
            call(a + s, b + s, c + s);
        }
        double spent = (now() - start) / calls;
        independent = spent < independent ? spent : independent;
        start = now();
        double *x = a, *y = c;
        for (long i = 0; i < calls; i++) {
            call(x, b, y);
            double *other = x;
            x = y;
            y = other;
        }
        spent = (now() - start) / calls;
        chained = spent < chained ? spent : chained;
    }
    printf("{\"n\": %d, \"symbol\": \"%s\", \"letter\": \"%s\", \"independent_ns\": %.2f, \"chained_ns\": %.2f}\n", n,
           arguments[3], letter ? letter : "", independent, chained);
    return 0;
}
