/* Products of many kinds through the Fortran interface of DGEMM, of whatever library offers it.
 *
 *     cc -O2 -o gemm_scenarios bench/gemm_scenarios.c -ldl -lm
 *     ./gemm_scenarios LIBRARY SYMBOL [LETTER [LARGEST]]
 *
 * With LETTER the symbol is one that takes an algorithm before DGEMM's arguments; sizes above LARGEST are left out. One line of
 * JSON for each scenario: its name, n, the number of matrices, nanoseconds of a product, and the largest error of some elements
 * over k max|A| max|B|, in units of eps. A time is the best of several runs; matrices of one scenario are worked on in turn. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void gemm_t(const char *, const char *, const int *, const int *, const int *, const double *, const double *,
                    const int *, const double *, const int *, const double *, double *, const int *, size_t, size_t);
typedef void gemmx_t(const char *, const char *, const char *, const int *, const int *, const int *, const double *,
                     const double *, const int *, const double *, const int *, const double *, double *, const int *,
                     size_t, size_t, size_t);

typedef enum { RANDOM, IDENTITY, GRADED, ILL_SCALED, SYMMETRIC } Kind;

typedef struct {
    const char *name;
    Kind kind;
    const char *trans;
    double alpha, beta;
    int pad, sets, chained;
} Scenario;

static const Scenario ALL_SIZES[] = {
    {"random", RANDOM, "NN", 1, 0, 0, 16, 0},
    {"identity", IDENTITY, "NN", 1, 0, 0, 16, 0},
    {"graded", GRADED, "NN", 1, 0, 0, 16, 0},
    {"ill-scaled", ILL_SCALED, "NN", 1, 0, 0, 16, 0},
    {"symmetric", SYMMETRIC, "NN", 1, 0, 0, 16, 0},
    {"transposed A", RANDOM, "TN", 1, 0, 0, 16, 0},
    {"alpha and beta", RANDOM, "NN", 1.5, -0.5, 0, 16, 0},
};
static const Scenario SMALL[] = {
    {"transposed B", RANDOM, "NT", 1, 0, 0, 16, 0},  {"both transposed", RANDOM, "TT", 1, 0, 0, 16, 0},
    {"inside larger matrices", RANDOM, "NN", 1, 0, 3, 16, 0}, {"chained", IDENTITY, "NN", 1, 0, 0, 16, 1},
    {"batch in cache", RANDOM, "NN", 1, 0, 0, 64, 0}, {"batch from memory", RANDOM, "NN", 1, 0, 0, 200000, 0},
};

static void *routine;
static const char *letter;

static void call(const Scenario *what, int n, const double *a, const double *b, double *c) {
    int ld = n + what->pad;
    const char *ta = what->trans, *tb = what->trans + 1;
    if (letter)
        ((gemmx_t *)routine)(letter, ta, tb, &n, &n, &n, &what->alpha, a, &ld, b, &ld, &what->beta, c, &ld, 1, 1, 1);
    else
        ((gemm_t *)routine)(ta, tb, &n, &n, &n, &what->alpha, a, &ld, b, &ld, &what->beta, c, &ld, 1, 1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static double uniform(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (double)(state >> 11) / 4503599627370496.0 - 1.0;
}

static void fill(const Scenario *what, int n, double *a) {
    int ld = n + what->pad;
    double scale = 1;
    for (int i = 0; i < n; i++) {
        if (what->kind == ILL_SCALED)
            scale = pow(10, 6 * uniform());
        if (what->kind == GRADED)
            scale = pow(10, -8.0 * i / n);
        for (int j = 0; j < n; j++)
            a[i + (size_t)j * ld] = what->kind == IDENTITY ? i == j : scale * uniform();
    }
    for (int i = 0; what->kind == SYMMETRIC && i < n; i++)
        for (int j = 0; j < i; j++)
            a[i + (size_t)j * ld] = a[j + (size_t)i * ld];
}

static double largest(int n, int ld, const double *a) {
    double most = 0;
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++)
            most = fmax(most, fabs(a[i + (size_t)j * ld]));
    return most;
}

/* Of some elements of C = alpha op(A) op(B) + beta C0. */
static double error(const Scenario *what, int n, const double *a, const double *b, const double *c, const double *c0) {
    int ld = n + what->pad;
    double worst = 0, unit = n * largest(n, ld, a) * largest(n, ld, b) * fabs(what->alpha) * DBL_EPSILON;
    for (int sample = 0; sample < 64; sample++) {
        int i = sample * 7 % n, j = sample * 13 % n;
        long double sum = 0;
        for (int l = 0; l < n; l++)
            sum += (long double)a[what->trans[0] == 'T' ? l + (size_t)i * ld : i + (size_t)l * ld] *
                   b[what->trans[1] == 'T' ? j + (size_t)l * ld : l + (size_t)j * ld];
        sum = what->alpha * sum + what->beta * c0[i + (size_t)j * ld];
        worst = fmax(worst, fabs((double)(c[i + (size_t)j * ld] - sum)) / unit);
    }
    return worst;
}

static int measure(const Scenario *what, int n) {
    size_t size = (size_t)(n + what->pad) * n, sets = n > 64 && what->sets < 64 ? 2 : what->sets;
    /* Apart by other distances than multiples of 4 KiB, which loads and stores of a processor may take for the same place. */
    size_t apart = (sets * size * sizeof(double) / 4096 + 1) * 4096 + 1088;
    char *pool = aligned_alloc(4096, (3 * apart / 4096 + 1) * 4096);
    double *first = malloc(size * sizeof *first);
    if (!pool || !first)
        return 1;
    double *a = (double *)pool, *b = (double *)(pool + apart), *c = (double *)(pool + 2 * apart);
    memset(pool, 0, 3 * apart);
    Scenario plain = *what;
    plain.kind = RANDOM;
    for (size_t s = 0; s < sets; s++) {
        fill(what, n, a + s * size);
        fill(what->chained ? what : &plain, n, b + s * size);
        fill(&plain, n, c + s * size);
    }
    memcpy(first, c, size * sizeof *first);
    call(what, n, a, b, c);
    double off = error(what, n, a, b, c, first), best = INFINITY;
    long calls = 2e6 / ((double)n * n * n / 8 + 30);
    calls = calls < (long)sets ? (long)sets : calls;
    for (int run = 0; run < 9; run++) {
        double start = now();
        if (what->chained) {
            double *x = a, *y = c;
            for (long i = 0; i < calls; i++) {
                call(what, n, x, b, y);
                double *other = x;
                x = y, y = other;
            }
        } else {
            for (long i = 0, s = 0; i < calls; i++, s = s + 1 == (long)sets ? 0 : s + 1)
                call(what, n, a + s * size, b + s * size, c + s * size);
        }
        double spent = (now() - start) / calls;
        best = spent < best ? spent : best;
    }
    printf("{\"scenario\": \"%s\", \"n\": %d, \"matrices\": %zu, \"ns\": %.2f, \"error\": %.3g}\n", what->name, n, sets, best, off);
    free(pool), free(first);
    return 0;
}

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: %s LIBRARY SYMBOL [LETTER [LARGEST]]\n", arguments[0]);
        return 2;
    }
    letter = count > 3 && *arguments[3] ? arguments[3] : NULL;
    int most = count > 4 ? atoi(arguments[4]) : 512;
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!library || !(routine = dlsym(library, arguments[2]))) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    static const int sizes[] = {4, 8, 16, 32, 64, 128, 256, 512};
    for (int s = 0; s < 8 && sizes[s] <= most; s++)
        for (size_t k = 0; k < sizeof ALL_SIZES / sizeof *ALL_SIZES; k++)
            if (measure(ALL_SIZES + k, sizes[s]))
                return 1;
    for (int s = 0; s < 2 && sizes[s] <= most; s++)
        for (size_t k = 0; k < sizeof SMALL / sizeof *SMALL; k++)
            if (measure(SMALL + k, sizes[s]))
                return 1;
    return 0;
}
