// The reduction to bidiagonal form where a panel is one launch (bidiagonal_phases.cl has the mathematics). Its groups wait for each
// other between phases; all of them must be running at the same time, which OpenCL does not promise: a group that waits too
// long gives up, all others with it, and the panels behind it are not begun.
//
//   -DPTX   0: for a single group

// Polls before a group gives up: about 0.3 s.
#define POLLS 400000
#define GIVEN_UP (-2147483647 - 1)

// A barrier of the group for global memory too. With PTX one work-item's release and acquire are enough for all, since a barrier
// passes on what is ordered before it.
static inline void group_meets(void) {
#if PTX
    asm volatile("bar.sync 0;" ::: "memory");
#else
    barrier(CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE);
#endif
}

// Waits until all groups have said that they are here, `target` arrivals in all, or one has given up, which makes the count
// negative. What groups wrote before is read behind it by all others.
static inline void all_meet(volatile __global int *count, __global int *stalled, int target) {
    group_meets();
    if (get_local_id(0) == 0) {
#if PTX
        asm volatile("red.release.gpu.global.add.s32 [%0], 1;" ::"l"((ulong)count) : "memory");
        int seen = 0;
#else
        int seen = atomic_add(count, 1) + 1;
#endif
        for (int polls = 0; seen >= 0 && seen < target && polls < POLLS; polls++) {
#if PTX
            asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(seen) : "l"((ulong)count) : "memory");
#else
            seen = atomic_add(count, 0);
#endif
        }
        if (seen >= 0 && seen < target) {
            atomic_or(count, GIVEN_UP);
            *stalled = 1;
        }
    }
    group_meets();
}

// bidiagonal_panel
//   steps    int, steps of the panel
//   state    ints: whether groups have given up; arrivals in each panel, zero
//   panel    int, this one's number
//   groups   int, how many meet: those that are launched
// Local size (ITEMS, 1, 1); ROWS times the groups is at least m - first.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void bidiagonal_panel(
    PANEL_PARAMETERS, int steps, __global int *state, int panel, int groups) {
    __local Local memory;
    Panel w = PANEL;
    int lid = get_local_id(0), group = get_group_id(0), row = lid % ROWS, at = first + group * ROWS + row, target = 0;
    __global int *count = state + 1 + panel;
    // The matrix is to be reduced once more anyway: this panel is gone through without waiting.
    if (lid == 0 && state[0] != 0) {
        atomic_or(count, GIVEN_UP);
    }
    for (int e = lid; e < ROWS * EACH; e += ITEMS) {
        memory.tile[e / EACH][e % EACH] = 0;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int s = 0; s < steps; s++) {
        int i = first + s, parts = s > 0 ? sweeping(&w, i - 1, groups) : 0;
        // The memory would be idle until the sweep.
#pragma unroll
        for (int turn = 0; turn < DISTANCE - 1; turn++) {
            fetch_columns(&w, i, i + 1 + (group + turn * groups) * AT_ONCE, lid);
        }
        form_column(&w, &memory, group, i, s, parts, parts, 1);
        target += groups;
        all_meet(count, state, target);
        Reflector h = sweep_columns(&w, &memory, group, groups, i, s);
        if (lid < ROWS) {
            REAL v = at < i || at >= m ? 0 : at == i ? 1 : memory.column[row] * h.scale;
            memory.tile[row][2 * s] = v;
            if (at >= i && at < m) {
                p[at + 2 * s * ldp] = v;
            }
        }
        target += groups;
        all_meet(count, state, target);
    }
}
