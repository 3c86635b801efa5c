//! What the library adds to a direct call of the same LAPACK routine with the same buffers.
//!
//! Both sides keep A, so both make the one working copy that LAPACK's overwriting asks for: the direct side by a plain
//! copy, the library by the sweep that also looks for NaN and Inf. All of the library's checks are on. Prints JSON rows.

use lapack_ai::{
    CallOptions, EighOptions, EighOut, Matrix, MatrixView, SolveOptions, SvdOptions, SvdOut, cholesky_into, eigh_into,
    provider, solve_into, svd_into,
};
use lapack_ai_host::Library;
use std::ptr::null_mut;
use std::time::Instant;

fn random(count: usize) -> Vec<f64> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds of one call.
fn seconds(call: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    call();
    start.elapsed().as_secs_f64()
}

fn compare(operation: &str, n: usize, rounds: usize, mut direct: impl FnMut(), mut ours: impl FnMut()) -> String {
    let (mut direct_times, mut our_times, mut ratios) = (vec![], vec![], vec![]);
    for round in 0..rounds + 2 {
        // The one that goes second finds warm caches: they change places.
        let (d, o) = if round % 2 == 0 {
            let d = seconds(&mut direct);
            (d, seconds(&mut ours))
        } else {
            let o = seconds(&mut ours);
            (seconds(&mut direct), o)
        };
        if round >= 2 {
            direct_times.push(d);
            our_times.push(o);
            ratios.push(o / d);
        }
    }
    format!(
        "{{\"operation\": \"{operation}\", \"n\": {n}, \"direct_us\": {:.3}, \"ours_us\": {:.3}, \"over_percent\": {:.3}}}",
        median(direct_times) * 1e6,
        median(our_times) * 1e6,
        (median(ratios) - 1.0) * 100.0
    )
}

fn solve(library: &Library, n: usize, rounds: usize, with_probe: bool) -> String {
    let (a, b) = (random(n * n), random(n));
    let (mut work, mut x, mut y, mut pivots) = (vec![0.0; n * n], vec![0.0; n], vec![0.0; n], vec![0_i64; n]);
    let direct = || {
        work.copy_from_slice(&a);
        x.copy_from_slice(&b);
        // SAFETY: buffers of the documented sizes.
        unsafe {
            library.getrf(n, n, work.as_mut_ptr(), n, pivots.as_mut_ptr());
            library.getrs(b'N', n, 1, work.as_ptr(), n, pivots.as_ptr(), x.as_mut_ptr(), n);
            if with_probe {
                y.copy_from_slice(&b);
                library.getrs(b'N', n, 1, work.as_ptr(), n, pivots.as_ptr(), y.as_mut_ptr(), n);
            }
        }
    };
    let mut out = Matrix::zeros(n, 1);
    let ours = || {
        let (a, b) = (MatrixView::col_major(&a, n, n).expect("n * n"), MatrixView::col_major(&b, n, 1).expect("n"));
        solve_into(a.into(), &b.into(), &mut out.view_mut().into(), SolveOptions::default()).expect("a solution");
    };
    compare(if with_probe { "solve, same calls" } else { "solve" }, n, rounds, direct, ours)
}

fn svd(library: &Library, n: usize, rounds: usize) -> String {
    let a = random(n * n);
    let (mut copy, mut s, mut u, mut vt) = (vec![0.0; n * n], vec![0.0; n], vec![0.0; n * n], vec![0.0; n * n]);
    let mut length = 0.0_f64;
    let none = std::ptr::null_mut;
    // SAFETY: a query writes the first element of the workspace only.
    unsafe {
        library.gesdd::<f64>(
            b'S',
            n,
            n,
            none(),
            n,
            none(),
            none(),
            n,
            none(),
            n,
            &mut length,
            Library::QUERY,
            none(),
            null_mut(),
        );
    }
    let lwork = length as usize;
    let (mut work, mut iwork) = (vec![0.0; lwork], vec![0_i64; 8 * n]);
    let direct = || {
        copy.copy_from_slice(&a);
        // SAFETY: buffers of the documented sizes.
        unsafe {
            let (u, vt, work, iwork) = (u.as_mut_ptr(), vt.as_mut_ptr(), work.as_mut_ptr(), iwork.as_mut_ptr());
            library.gesdd(
                b'S',
                n,
                n,
                copy.as_mut_ptr(),
                n,
                s.as_mut_ptr(),
                u,
                n,
                vt,
                n,
                work,
                lwork,
                null_mut(),
                iwork,
            );
        }
    };
    let (mut left, mut right, mut values) = (Matrix::zeros(n, n), Matrix::zeros(n, n), Matrix::zeros(n, 1));
    let ours = || {
        let out =
            SvdOut { vectors: Some((left.view_mut().into(), right.view_mut().into())), s: values.view_mut().into() };
        let a = MatrixView::col_major(&a, n, n).expect("n * n");
        svd_into(a.into(), out, SvdOptions::default()).expect("a decomposition");
    };
    compare("svd", n, rounds, direct, ours)
}

fn eigh(library: &Library, n: usize, rounds: usize) -> String {
    let a = random(n * n);
    let (mut v, mut w) = (vec![0.0; n * n], vec![0.0; n]);
    let (mut length, mut integers) = (0.0_f64, 0_i64);
    let ask = Library::QUERY;
    // SAFETY: a query writes the first element of the workspaces only.
    unsafe {
        library.syevd::<f64>(
            b'V',
            b'L',
            n,
            null_mut(),
            n,
            null_mut(),
            &mut length,
            ask,
            null_mut(),
            0,
            &mut integers,
            ask,
        );
    }
    let (lwork, liwork) = (length as usize, library.read_int(integers) as usize);
    let (mut work, mut iwork) = (vec![0.0; lwork], vec![0_i64; liwork]);
    let direct = || {
        v.copy_from_slice(&a);
        // SAFETY: buffers of the documented sizes.
        unsafe {
            let (work, iwork) = (work.as_mut_ptr(), iwork.as_mut_ptr());
            library.syevd(b'V', b'L', n, v.as_mut_ptr(), n, w.as_mut_ptr(), work, lwork, null_mut(), 0, iwork, liwork);
        }
    };
    let (mut vectors, mut values) = (Matrix::zeros(n, n), Matrix::zeros(n, 1));
    let ours = || {
        let out = EighOut { eigenvalues: values.view_mut().into(), eigenvectors: Some(vectors.view_mut().into()) };
        let a = MatrixView::col_major(&a, n, n).expect("n * n");
        eigh_into(a.into(), out, EighOptions::default()).expect("a decomposition");
    };
    compare("eigh", n, rounds, direct, ours)
}

fn cholesky(library: &Library, n: usize, rounds: usize) -> String {
    let mut a = random(n * n);
    for i in 0..n {
        a[i * n + i] += 2.0 * n as f64;
    }
    let mut factor = vec![0.0; n * n];
    let direct = || {
        factor.copy_from_slice(&a);
        // SAFETY: buffers of the documented sizes.
        unsafe { library.potrf(b'L', n, factor.as_mut_ptr(), n) };
        // The library clears the other triangle; so must whoever calls LAPACK.
        for column in 0..n {
            factor[column * n..column * n + column].fill(0.0);
        }
    };
    let mut out = Matrix::zeros(n, n);
    let ours = || {
        let a = MatrixView::col_major(&a, n, n).expect("n * n");
        cholesky_into(a.into(), &mut out.view_mut().into(), false, CallOptions::default()).expect("a factor");
    };
    compare("cholesky", n, rounds, direct, ours)
}

fn main() {
    let library = &provider().expect("a LAPACK").library;
    let mut rows = vec![];
    for (n, rounds) in [(256, 401), (512, 101), (1000, 41), (2000, 11)] {
        rows.push(solve(library, n, rounds, true));
        rows.push(solve(library, n, rounds, false));
        rows.push(cholesky(library, n, rounds));
        rows.push(eigh(library, n, (rounds / 4).max(7)));
        rows.push(svd(library, n, (rounds / 4).max(7)));
    }
    println!("[{}]", rows.join(",\n"));
}
