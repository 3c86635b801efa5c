// What a device's compiler takes: a program that builds has the instructions. Never run.
//
//   -DMATRIX_F64=0   copies from global to local memory beside the computation
//   -DMATRIX_F64=1   matrix instructions of double precision
//   -DMATRIX_F64=0 -DMATRIX_MIXED=1   those, and matrix instructions for 16-bit and TF32 operands

#if MATRIX_F64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable

__kernel void probe(__global double *x) {
    double a[4] = {x[0], x[1], x[2], x[3]}, b[2] = {x[4], x[5]}, c[4] = {x[6], x[7], x[8], x[9]};
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
                 : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(b[0]), "d"(b[1]));
    x[0] = c[0] + c[1] + c[2] + c[3];
}
#else
__kernel void probe(__global float *x) {
    __local float tile[4] __attribute__((aligned(16)));
    asm volatile("{.reg .pred p; setp.eq.s32 p, %2, 0; cp.async.cg.shared.global [%0], [%1], 16, p;}"
                 ::"r"((uint)(ulong)tile), "l"((ulong)x), "r"((int)get_num_groups(0)));
    asm volatile("cp.async.wait_all;" ::: "memory");
    barrier(CLK_LOCAL_MEM_FENCE);
#if MATRIX_MIXED
    uint f[4];
    float c[4] = {x[0], x[1], x[2], x[3]};
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]) : "r"((uint)(ulong)tile));
    asm volatile("cvt.rna.tf32.f32 %0, %1;" : "=r"(f[0]) : "f"(x[4]));
    asm volatile("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(f[1]) : "f"(x[5]), "f"(x[6]));
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%4,%5},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(f[0]), "r"(f[1]), "r"(f[2]), "r"(f[3]));
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%4,%5},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(f[0]), "r"(f[1]), "r"(f[2]), "r"(f[3]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%4,%5},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(f[0]), "r"(f[1]), "r"(f[2]), "r"(f[3]));
    x[1] = c[0] + c[1] + c[2] + c[3];
#endif
    x[0] = tile[1];
}
#endif
