//! The reduction to bidiagonal form on a real device: what it factorises, how orthogonal its reflectors are.

mod common;

use common::gpu;
use common::matrices::{Layout, OnDevice, Random, check, numbers};
use lapack_ai_core::{Complex64, DType, Real, Scalar};
use lapack_ai_opencl::svd::{Bidiagonal, ReductionPlan, Side, apply_reflectors, bidiagonalise, bidiagonalise_by};
use lapack_ai_opencl::{Block, FaultKind, Gpu};

/// Column-major, m x n.
struct Dense {
    m: usize,
    n: usize,
    values: Vec<f64>,
}

impl Dense {
    fn at(&mut self, i: usize, j: usize) -> &mut f64 {
        &mut self.values[i + j * self.m]
    }

    /// Multiplies by I - tau w w^T from the left; `w` begins at row `from`.
    fn reflect_rows(&mut self, from: usize, w: &[f64], tau: f64) {
        for j in 0..self.n {
            let column = &mut self.values[j * self.m + from..][..w.len()];
            let dot: f64 = column.iter().zip(w).map(|(x, y)| x * y).sum();
            column.iter_mut().zip(w).for_each(|(x, y)| *x -= tau * dot * y);
        }
    }

    /// Likewise from the right.
    fn reflect_columns(&mut self, from: usize, w: &[f64], tau: f64) {
        for i in 0..self.m {
            let dot: f64 = w.iter().enumerate().map(|(k, y)| self.values[i + (from + k) * self.m] * y).sum();
            w.iter().enumerate().for_each(|(k, y)| *self.at(i, from + k) -= tau * dot * y);
        }
    }

    fn norm(&self) -> f64 {
        self.values.iter().fold(0.0, |sum: f64, x| sum.hypot(*x))
    }
}

/// Checks |A - Q B P^T| and the reflectors of a reduction. Returns d and e.
fn reduce<S: Scalar>(
    gpu: &Gpu,
    what: &str,
    [m, n]: [usize; 2],
    layout: Layout,
    value: impl FnMut(usize, usize, usize) -> Complex64,
) -> [Vec<f64>; 2] {
    reduce_by::<S>(&ReductionPlan::of(gpu, S::DTYPE), gpu, what, [m, n], layout, value)
}

fn reduce_by<S: Scalar>(
    plan: &ReductionPlan,
    gpu: &Gpu,
    what: &str,
    [m, n]: [usize; 2],
    layout: Layout,
    value: impl FnMut(usize, usize, usize) -> Complex64,
) -> [Vec<f64>; 2] {
    let a = OnDevice::<S>::new(gpu, layout, [1, m, n], value);
    let Bidiagonal { d, e, tauq, taup } = bidiagonalise_by(plan, gpu, a.view()).unwrap();
    let [d, e, tauq, taup] = [d, e, tauq, taup].map(|block| numbers::<S>(gpu, &block, n));
    let mut left = Dense { m, n, values: vec![0.0; m * n] };
    a.compare(gpu, |_, i, j, found| *left.at(i, j) = found.re);
    let mut b = Dense { m, n, values: vec![0.0; m * n] };
    for i in 0..n {
        *b.at(i, i) = d[i];
        if i + 1 < n {
            *b.at(i, i + 1) = e[i];
        }
    }
    let eps = S::Real::EPSILON;
    let reflects = |which: &str, i: usize, w: &[f64], tau: f64| {
        let length: f64 = w.iter().map(|x| x * x).sum();
        let off = if tau == 0.0 { 0.0 } else { (tau * length - 2.0).abs() };
        check(&format!("{what}: {which} reflector {i}"), off / (w.len() as f64 * eps));
    };
    for i in (0..n).rev() {
        if i + 1 < n {
            let u: Vec<f64> = (i + 1..n).map(|j| if j == i + 1 { 1.0 } else { *left.at(i, j) }).collect();
            reflects("right", i, &u, taup[i]);
            b.reflect_columns(i + 1, &u, taup[i]);
        }
        let v: Vec<f64> = (i..m).map(|row| if row == i { 1.0 } else { *left.at(row, i) }).collect();
        reflects("left", i, &v, tauq[i]);
        b.reflect_rows(i, &v, tauq[i]);
    }
    let mut original = Dense { m, n, values: vec![0.0; m * n] };
    for j in 0..n {
        for i in 0..m {
            *original.at(i, j) = a.at(0, i, j).re;
        }
    }
    let norm = original.norm();
    b.values.iter_mut().zip(&original.values).for_each(|(x, y)| *x -= y);
    let ratio = if b.norm() == 0.0 { 0.0 } else { b.norm() / (m as f64 * eps * norm) };
    check(&format!("{what}: A - Q B P^T"), ratio);
    [d, e[..n - 1].to_vec()]
}

fn real_types(gpu: &Gpu, run: impl Fn(&Gpu, bool)) {
    run(gpu, false);
    if gpu.info().float64 {
        run(gpu, true);
    }
}

#[test]
fn matrices_of_all_sizes_about_panels_and_groups_are_reduced() {
    let Some(gpu) = gpu() else { return };
    real_types(&gpu, |gpu, double| {
        for shape in [
            [1, 1],
            [2, 1],
            [2, 2],
            [3, 3],
            [5, 4],
            [31, 31],
            [32, 32],
            [33, 33],
            [34, 33],
            [64, 64],
            [65, 65],
            [97, 70],
            [300, 5],
            [300, 33],
            [257, 129],
            [600, 40],
        ] {
            let mut random = Random::new(7);
            let what = format!("{shape:?}");
            match double {
                true => reduce::<f64>(gpu, &what, shape, Layout::ColPadded, |_, _, _| random.uniform().into()),
                false => reduce::<f32>(gpu, &what, shape, Layout::ColMajor, |_, _, _| random.uniform().into()),
            };
        }
    });
}

#[test]
fn a_long_column_is_shared_among_more_work_items() {
    let Some(gpu) = gpu() else { return };
    if gpu.info().float64 {
        for m in [700, 1500, 3000, 5000] {
            let mut random = Random::new(3);
            reduce::<f64>(&gpu, &format!("{m} x 3"), [m, 3], Layout::ColMajor, |_, _, _| random.uniform().into());
        }
    }
}

/// A reduction of each real type by what `change` makes of the device's plan.
fn by_plans(gpu: &Gpu, shape: [usize; 2], change: impl Fn(ReductionPlan) -> ReductionPlan) {
    let mut random = Random::new(17);
    let mut value = |_: usize, _: usize, _: usize| random.uniform().into();
    let plan = |dtype| change(ReductionPlan::of(gpu, dtype));
    let what = |plan: &ReductionPlan| format!("{shape:?} by {plan:?}");
    let single = plan(DType::Float32);
    reduce_by::<f32>(&single, gpu, &what(&single), shape, Layout::ColMajor, &mut value);
    if gpu.info().float64 {
        let double = plan(DType::Float64);
        reduce_by::<f64>(&double, gpu, &what(&double), shape, Layout::ColPadded, &mut value);
    }
}

#[test]
fn columns_that_are_too_long_to_be_held_are_read_twice() {
    let Some(gpu) = gpu() else { return };
    for shape in [[1100, 70], [513, 100], [700, 1]] {
        by_plans(&gpu, shape, |plan| ReductionPlan { held: 1, at_once: 1, ..plan });
    }
}

#[test]
fn a_panel_is_reduced_in_one_launch_and_in_one_for_each_phase() {
    let Some(gpu) = gpu() else { return };
    for shape in [[64, 64], [33, 32]] {
        for ahead in [false, true] {
            for at_once in [1, 2, 4] {
                // Where the device promises that the groups are all running.
                by_plans(&gpu, shape, |plan| ReductionPlan { ahead, at_once, ..plan });
                by_plans(&gpu, shape, |plan| ReductionPlan { items: 512, ahead, at_once, resident: None, ..plan });
            }
        }
    }
}

#[test]
fn singular_graded_and_structured_matrices_are_reduced() {
    let Some(gpu) = gpu() else { return };
    real_types(&gpu, |gpu, double| {
        let mut random = Random::new(11);
        let mut noise = || random.uniform();
        let run = |what: &str, value: &mut dyn FnMut(usize, usize, usize) -> f64| match double {
            true => reduce::<f64>(gpu, what, [90, 70], Layout::ColMajor, |t, i, j| value(t, i, j).into()),
            false => reduce::<f32>(gpu, what, [90, 70], Layout::ColMajor, |t, i, j| value(t, i, j).into()),
        };
        let [d, e] = run("zero", &mut |_, _, _| 0.0);
        assert!(d.iter().chain(&e).all(|x| *x == 0.0));
        let [d, e] = run("identity", &mut |_, i, j| f64::from(i == j));
        assert!(d.iter().all(|x| x.abs() == 1.0) && e.iter().all(|x| *x == 0.0));
        run("rank one", &mut |_, i, j| (i as f64 + 1.0) * (j as f64 - 30.0) / 3000.0);
        run("upper bidiagonal", &mut |_, i, j| f64::from(i == j) + 0.5 * f64::from(i + 1 == j));
        run("graded rows", &mut |_, i, _| noise() * 10_f64.powi(-(i as i32) / 4));
        run("graded columns", &mut |_, _, j| noise() * 10_f64.powi(-(j as i32) / 4));
        run("zero columns", &mut |_, _, j| if j % 3 == 1 { 0.0 } else { noise() });
        run("equal columns", &mut |_, i, _| (i as f64 * 0.7).sin());
    });
}

/// Checks Q^T Q - I and P^T P - I, and that Q B P^T = A, all from the reflectors as the device applies them.
fn transform<S: Scalar>(gpu: &Gpu, [m, n]: [usize; 2], layout: Layout, mut value: impl FnMut(usize, usize) -> f64) {
    let a = OnDevice::<S>::new(gpu, layout, [1, m, n], |_, i, j| value(i, j).into());
    let Bidiagonal { d, e, tauq, taup } = bidiagonalise(gpu, a.view()).unwrap();
    let eps = S::Real::EPSILON;
    let whole = |side, tau: &Block, order: usize| {
        let c = OnDevice::<S>::new(gpu, Layout::ColPadded, [1, order, order], |_, i, j| f64::from(i == j).into());
        apply_reflectors(gpu, side, a.view(), tau, c.view()).unwrap();
        let mut found = Dense { m: order, n: order, values: vec![0.0; order * order] };
        c.compare(gpu, |_, i, j, x| *found.at(i, j) = x.re);
        let columns: Vec<&[f64]> = found.values.chunks_exact(order).collect();
        let dot = |i: usize, j: usize| columns[i].iter().zip(columns[j]).map(|(x, y)| x * y).sum::<f64>();
        let off = (0..order * order).map(|z| (dot(z / order, z % order) - f64::from(z / order == z % order)).abs());
        check(&format!("{side:?} of {m} x {n}: orthogonality"), off.fold(0.0, f64::max) / (order as f64 * eps));
        found
    };
    let (mut q, mut p) = (whole(Side::Left, &tauq, m), whole(Side::Right, &taup, n));
    let (d, e) = (numbers::<S>(gpu, &d, n), numbers::<S>(gpu, &e, n));
    let mut worst: f64 = 0.0;
    let mut norm: f64 = 0.0;
    for i in 0..m {
        for j in 0..n {
            let mut sum = 0.0;
            for k in 0..n {
                let next = if k + 1 < n { e[k] * *p.at(j, k + 1) } else { 0.0 };
                sum += *q.at(i, k) * (d[k] * *p.at(j, k) + next);
            }
            worst = worst.hypot(sum - a.at(0, i, j).re);
            norm = norm.hypot(a.at(0, i, j).re);
        }
    }
    check(&format!("{m} x {n}: A - Q B P^T"), worst / (m as f64 * eps * norm));
}

#[test]
fn the_reflectors_make_orthogonal_matrices_that_restore_the_matrix() {
    let Some(gpu) = gpu() else { return };
    real_types(&gpu, |gpu, double| {
        for shape in [[1, 1], [3, 2], [33, 33], [70, 65], [150, 40], [200, 190], [1030, 280]] {
            let mut random = Random::new(13);
            match double {
                true => transform::<f64>(gpu, shape, Layout::ColPadded, |_, _| random.uniform()),
                false => transform::<f32>(gpu, shape, Layout::ColMajor, |_, _| random.uniform()),
            }
        }
        // Reflectors that are identities.
        match double {
            true => transform::<f64>(
                gpu,
                [50, 40],
                Layout::ColMajor,
                |i, j| if j % 3 == 1 { 0.0 } else { f64::from(i == j) },
            ),
            false => {
                transform::<f32>(
                    gpu,
                    [50, 40],
                    Layout::ColMajor,
                    |i, j| if j % 3 == 1 { 0.0 } else { f64::from(i == j) },
                )
            }
        }
    });
}

#[test]
fn reflectors_are_orthogonal_where_squares_underflow() {
    let Some(gpu) = gpu() else { return };
    real_types(&gpu, |gpu, double| {
        let mut random = Random::new(23);
        let mut value = |tiny: f64, i, j| if i == j { 1.0 } else { tiny * (1.0 + random.uniform()) };
        let shape = [40, 30];
        match double {
            true => reduce::<f64>(gpu, "tiny", shape, Layout::ColMajor, |_, i, j| value(4e-162, i, j).into()),
            false => reduce::<f32>(gpu, "tiny", shape, Layout::ColMajor, |_, i, j| value(4e-23, i, j).into()),
        };
    });
}

#[test]
fn the_same_matrix_gives_the_same_bits() {
    let Some(gpu) = gpu() else { return };
    let once = || {
        let mut random = Random::new(5);
        reduce::<f32>(&gpu, "twice", [150, 120], Layout::ColMajor, |_, _, _| random.uniform().into())
    };
    assert_eq!(once(), once());
}

#[test]
fn wide_complex_and_row_major_matrices_are_refused() {
    let Some(gpu) = gpu() else { return };
    let wide = OnDevice::<f32>::random(&gpu, Layout::ColMajor, [1, 3, 4], 1);
    let rows = OnDevice::<f32>::random(&gpu, Layout::RowMajor, [1, 4, 3], 1);
    let complex = OnDevice::<lapack_ai_core::Complex32>::random(&gpu, Layout::ColMajor, [1, 4, 3], 1);
    for view in [wide.view(), rows.view(), complex.view()] {
        assert_eq!(bidiagonalise(&gpu, view).unwrap_err().kind, FaultKind::Invalid);
    }
}
