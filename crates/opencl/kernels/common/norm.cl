// Norms of every matrix of a batch, and the search for NaN and Inf.
//
//   Frobenius  ||A||_F   = sqrt(sum_ij |a_ij|^2)
//   largest    ||A||_max = max_ij |a_ij|
//   1-norm     ||A||_1   = max_j sum_i |a_ij|;  the inf-norm is the 1-norm of the transpose
//
// Each takes two kernels: `_partial` reduces chunks of a matrix, `_finish` reduces a matrix's chunks. The cut into chunks
// and the order of every sum depend on shape and strides alone, so that a result has the same bits in every run.
//
// Element (o, i), outer and inner, of matrix b lies at offset + b * batch stride + o * outer stride + i * inner stride; the
// host makes the direction with stride 1 the inner one. A chunk is o_chunk x i_chunk elements. GROUP work-items form a
// grid of GROUP / lanes x lanes over it; `lanes` is a power of two up to GROUP, small for a short inner extent.
//
// NaN in a matrix gives NaN; Inf without NaN gives Inf.

#define GROUP 256

// The squares of ||A||_F are summed as in LAPACK's xLASSQ (Blue's algorithm, ACM TOMS 4 (1978) 15): large, medium and small
// elements apart, the first and the last scaled, so that no square overflows or loses digits by underflow.
#if DOUBLE
#define LARGE 0x1p486
#define SMALL 0x1p-511
#define SCALE_LARGE 0x1p-538
#define SCALE_SMALL 0x1p537
#else
#define LARGE 0x1p52f
#define SMALL 0x1p-63f
#define SCALE_LARGE 0x1p-76f
#define SCALE_SMALL 0x1p75f
#endif

typedef struct {
    REAL large, medium, small;
} Squares;

static inline Squares add_square(Squares s, REAL part) {
    REAL x = fabs(part);
    // NaN answers no to both and makes the medium sum NaN.
    if (x > LARGE) {
        s.large += (x * SCALE_LARGE) * (x * SCALE_LARGE);
    } else if (x < SMALL) {
        s.small += (x * SCALE_SMALL) * (x * SCALE_SMALL);
    } else {
        s.medium += x * x;
    }
    return s;
}

static inline Squares add_element(Squares s, T x) {
#if COMPLEX
    return add_square(add_square(s, x.x), x.y);
#else
    return add_square(s, x);
#endif
}

static inline REAL root(Squares s) {
    if (s.large > 0) {
        // Beside large elements, small ones are below half an ulp.
        return sqrt(s.large + (s.medium * SCALE_LARGE) * SCALE_LARGE) / SCALE_LARGE;
    }
    if (s.small > 0 && !(s.medium != 0)) {
        return sqrt(s.small) / SCALE_SMALL;
    }
    if (s.small > 0) {
        REAL p = sqrt(s.medium), q = sqrt(s.small) / SCALE_SMALL;
        REAL most = p < q ? q : p, least = p < q ? p : q;
        return isnan(p) ? p : most * sqrt(1 + (least / most) * (least / most));
    }
    return sqrt(s.medium);
}

// The chunk's first element and its extents, for group `chunk` of a matrix.
#define CHUNK_BOUNDS                                                                    \
    long i_chunks = ((long)inner + i_chunk - 1) / i_chunk;                              \
    long o_first = (chunk / i_chunks) * o_chunk, i_first = (chunk % i_chunks) * i_chunk; \
    long o_end = min(o_first + o_chunk, (long)outer), i_end = min(i_first + i_chunk, (long)inner);

// Runs `body` with o and i on each element of the chunk that belongs to this work-item.
#define FOR_CHUNK(body)                                                                 \
    for (long o = o_first + lid / lanes; o < o_end; o += GROUP / lanes) {               \
        for (long i = i_first + lid % lanes; i < i_end; i += lanes) {                   \
            body                                                                        \
        }                                                                               \
    }

// Combines GROUP values in local memory pairwise into element 0; `combine` uses `at` and `other`.
#define REDUCE(combine)                                                                 \
    barrier(CLK_LOCAL_MEM_FENCE);                                                       \
    for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {                    \
        if (lid < half_size) {                                                          \
            int at = lid, other = lid + half_size;                                      \
            combine                                                                     \
        }                                                                               \
        barrier(CLK_LOCAL_MEM_FENCE);                                                   \
    }

// frobenius_partial, largest_partial, nonfinite_partial
//   a, off, os, is, bs    matrices: buffer, then long offset and outer, inner, batch strides
//   outer, inner, batch   int extents
//   o_chunk, i_chunk      int extents of a chunk
//   lanes                 int, see above
//   partial               chunks x batch results, chunk the faster index: 3 REAL (frobenius), 1 REAL (largest),
//                         2 long (nonfinite)
// nonfinite_partial has two more arguments before `partial`:
//   o_index, i_index      long: o * o_index + i * i_index is the element's index in C order
// Local size (256, 1, 1); dimension 0 goes along the chunks, 1 along the batch, each with the stride of the grid.
#define PARTIAL_LOOP                                                                    \
    int lid = get_local_id(0);                                                          \
    long chunks = (((long)inner + i_chunk - 1) / i_chunk) * (((long)outer + o_chunk - 1) / o_chunk); \
    for (long b = get_group_id(1); b < batch; b += get_num_groups(1))                   \
        for (long chunk = get_group_id(0); chunk < chunks; chunk += get_num_groups(0))

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void frobenius_partial(
    __global const T *a, long off, long os, long is, long bs,
    int outer, int inner, int batch, int o_chunk, int i_chunk, int lanes, __global REAL *partial) {
    __local Squares sums[GROUP];
    PARTIAL_LOOP {
        CHUNK_BOUNDS
        Squares s = {0, 0, 0};
        FOR_CHUNK({ s = add_element(s, a[off + b * bs + o * os + i * is]); })
        sums[lid] = s;
        REDUCE({
            sums[at].large += sums[other].large;
            sums[at].medium += sums[other].medium;
            sums[at].small += sums[other].small;
        })
        if (lid == 0) {
            __global REAL *out = partial + 3 * (b * chunks + chunk);
            out[0] = sums[0].large;
            out[1] = sums[0].medium;
            out[2] = sums[0].small;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void largest_partial(
    __global const T *a, long off, long os, long is, long bs,
    int outer, int inner, int batch, int o_chunk, int i_chunk, int lanes, __global REAL *partial) {
    __local REAL most[GROUP];
    PARTIAL_LOOP {
        CHUNK_BOUNDS
        REAL m = 0;
        FOR_CHUNK({ m = max_or_nan(m, modulus(a[off + b * bs + o * os + i * is])); })
        most[lid] = m;
        REDUCE({ most[at] = max_or_nan(most[at], most[other]); })
        if (lid == 0) {
            partial[b * chunks + chunk] = most[0];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void nonfinite_partial(
    __global const T *a, long off, long os, long is, long bs,
    int outer, int inner, int batch, int o_chunk, int i_chunk, int lanes,
    long o_index, long i_index, __global long *partial) {
    __local long counts[GROUP], firsts[GROUP];
    PARTIAL_LOOP {
        CHUNK_BOUNDS
        long count = 0, first = LONG_MAX;
        FOR_CHUNK({
            if (!is_finite(a[off + b * bs + o * os + i * is])) {
                count += 1;
                first = min(first, o * o_index + i * i_index);
            }
        })
        counts[lid] = count;
        firsts[lid] = first;
        REDUCE({
            counts[at] += counts[other];
            firsts[at] = min(firsts[at], firsts[other]);
        })
        if (lid == 0) {
            partial[2 * (b * chunks + chunk)] = counts[0];
            partial[2 * (b * chunks + chunk) + 1] = firsts[0];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

// frobenius_finish, largest_finish, nonfinite_finish
//   partial       what the _partial kernel wrote
//   chunks        long, a matrix's number of chunks; 0 for an empty matrix
//   batch         int
//   result        one a matrix: REAL norm; nonfinite: 2 long, the count and the smallest C-order index, -1 for none
// Local size (256, 1, 1); groups go along the batch with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void frobenius_finish(
    __global const REAL *partial, long chunks, int batch, __global REAL *result) {
    __local Squares sums[GROUP];
    int lid = get_local_id(0);
    for (long b = get_group_id(0); b < batch; b += get_num_groups(0)) {
        Squares s = {0, 0, 0};
        for (long chunk = lid; chunk < chunks; chunk += GROUP) {
            __global const REAL *in = partial + 3 * (b * chunks + chunk);
            s.large += in[0];
            s.medium += in[1];
            s.small += in[2];
        }
        sums[lid] = s;
        REDUCE({
            sums[at].large += sums[other].large;
            sums[at].medium += sums[other].medium;
            sums[at].small += sums[other].small;
        })
        if (lid == 0) {
            result[b] = root(sums[0]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void largest_finish(
    __global const REAL *partial, long chunks, int batch, __global REAL *result) {
    __local REAL most[GROUP];
    int lid = get_local_id(0);
    for (long b = get_group_id(0); b < batch; b += get_num_groups(0)) {
        REAL m = 0;
        for (long chunk = lid; chunk < chunks; chunk += GROUP) {
            m = max_or_nan(m, partial[b * chunks + chunk]);
        }
        most[lid] = m;
        REDUCE({ most[at] = max_or_nan(most[at], most[other]); })
        if (lid == 0) {
            result[b] = most[0];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void nonfinite_finish(
    __global const long *partial, long chunks, int batch, __global long *result) {
    __local long counts[GROUP], firsts[GROUP];
    int lid = get_local_id(0);
    for (long b = get_group_id(0); b < batch; b += get_num_groups(0)) {
        long count = 0, first = LONG_MAX;
        for (long chunk = lid; chunk < chunks; chunk += GROUP) {
            count += partial[2 * (b * chunks + chunk)];
            first = min(first, partial[2 * (b * chunks + chunk) + 1]);
        }
        counts[lid] = count;
        firsts[lid] = first;
        REDUCE({
            counts[at] += counts[other];
            firsts[at] = min(firsts[at], firsts[other]);
        })
        if (lid == 0) {
            result[2 * b] = counts[0];
            result[2 * b + 1] = counts[0] > 0 ? firsts[0] : -1;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

// sums_partial: sums of |a| along one direction, over one chunk of it
//   a, off, ls, ps, bs    matrices: buffer, then long offset and strides from line to line, along a line, and of the batch
//   lines, length, batch  int extents: `lines` sums of `length` terms
//   chunk_length          int, terms in a chunk
//   lanes                 int, power of two up to 256: work-items along a line
//   along                 int flag: neighbouring work-items go along the line (its stride is 1), else across the lines
//   partial               chunks x lines x batch REAL, line the faster index, chunk the next
// Local size (256, 1, 1); a group takes 256 / lanes lines of a chunk. Dimension 0 goes along the strips of lines, 1 along
// the chunks, 2 along the batch, each with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void sums_partial(
    __global const T *a, long off, long ls, long ps, long bs,
    int lines, int length, int batch, int chunk_length, int lanes, int along, __global REAL *partial) {
    __local REAL sums[GROUP];
    int lid = get_local_id(0), strip = GROUP / lanes;
    int lane = along ? lid % lanes : lid / strip, line = along ? lid / lanes : lid % strip;
    long strips = ((long)lines + strip - 1) / strip, chunks = ((long)length + chunk_length - 1) / chunk_length;
    for (long b = get_group_id(2); b < batch; b += get_num_groups(2)) {
        for (long c = get_group_id(1); c < chunks; c += get_num_groups(1)) {
            for (long s = get_group_id(0); s < strips; s += get_num_groups(0)) {
                long l = s * strip + line, end = min((c + 1) * chunk_length, (long)length);
                REAL sum = 0;
                if (l < lines) {
                    for (long p = c * chunk_length + lane; p < end; p += lanes) {
                        sum += modulus(a[off + b * bs + l * ls + p * ps]);
                    }
                }
                sums[lane * strip + line] = sum;
                barrier(CLK_LOCAL_MEM_FENCE);
                for (int half_size = lanes / 2; half_size > 0; half_size /= 2) {
                    if (lane < half_size) {
                        sums[lane * strip + line] += sums[(lane + half_size) * strip + line];
                    }
                    barrier(CLK_LOCAL_MEM_FENCE);
                }
                if (lane == 0 && l < lines) {
                    partial[(b * chunks + c) * lines + l] = sums[line];
                }
                barrier(CLK_LOCAL_MEM_FENCE);
            }
        }
    }
}

// sums_finish: the largest sum of each matrix
//   partial              what sums_partial wrote
//   lines, batch         int
//   chunks               long; 0 for an empty matrix
//   result               REAL, one a matrix
// Local size (256, 1, 1); groups go along the batch with the stride of the grid.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void sums_finish(
    __global const REAL *partial, int lines, int batch, long chunks, __global REAL *result) {
    __local REAL most[GROUP];
    int lid = get_local_id(0);
    for (long b = get_group_id(0); b < batch; b += get_num_groups(0)) {
        REAL m = 0;
        for (long l = lid; l < lines; l += GROUP) {
            REAL sum = 0;
            for (long c = 0; c < chunks; c += 1) {
                sum += partial[(b * chunks + c) * lines + l];
            }
            m = max_or_nan(m, sum);
        }
        most[lid] = m;
        REDUCE({ most[at] = max_or_nan(most[at], most[other]); })
        if (lid == 0) {
            result[b] = most[0];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
