//! What happens where work-groups that should wait for each other are not all running. A program of its own: the device is
//! then taken for one that does not run them.

mod common;

use common::gpu;
use common::matrices::{Layout, OnDevice, check, numbers};
use lapack_ai_core::{Complex64, DType};
use lapack_ai_opencl::svd::{Bidiagonal, ReductionPlan, bidiagonalise_by};
use lapack_ai_opencl::{Trace, inject};

#[test]
fn groups_that_wait_in_vain_give_up_and_the_matrix_is_reduced_without_them() {
    let Some(gpu) = gpu() else { return };
    let plan = ReductionPlan::of(&gpu, DType::Float32);
    if plan.resident.is_none() {
        println!("skipped: {} does not promise that groups of a launch run at the same time", gpu.info().name);
        return;
    }
    let value = |_, i: usize, j: usize| Complex64::new(((3 * i + 7 * j) as f64 * 0.7).sin(), 0.0);
    let n = 60;
    let reduce = || {
        let a = OnDevice::<f32>::new(&gpu, Layout::ColPadded, [1, n, n], value);
        let trace = Trace::default();
        let Bidiagonal { d, e, .. } = trace.enter(|| bidiagonalise_by(&plan, &gpu, a.view())).unwrap();
        let ran = |name: &str| trace.spans().iter().any(|span| span.name == name);
        let [d, e] = [d, e].map(|block| numbers::<f32>(&gpu, &block, n));
        let norm = |x: &[f64]| x.iter().fold(0.0, |sum: f64, x| sum.hypot(*x));
        (norm(&d).hypot(norm(&e[..n - 1])), ran("bidiagonal_panel"), ran("bidiagonal_sweep"))
    };
    let (undisturbed, panels, sweeps) = reduce();
    assert!(panels && !sweeps);
    assert!(inject("stall", 1));
    let (stalled, panels, sweeps) = reduce();
    assert!(panels && sweeps);
    assert_eq!(ReductionPlan::of(&gpu, DType::Float32).resident, None);
    let exact = (0..n * n).map(|at| value(0, at / n, at % n).re).fold(0.0, f64::hypot);
    for norm in [undisturbed, stalled] {
        check("the Frobenius norm", (norm - exact).abs() / (n as f64 * f64::from(f32::EPSILON) * exact));
    }
}
