//! The seam for observers, through real calls.

use lapack_ai::observe::{CallEvent, Observer, is_observed, subscribe};
use lapack_ai::{Code, MatrixView, SolveOptions, SvdOptions, solve, svd};
use std::sync::{Arc, Mutex};

/// What an observer saw: operation, code of the error, whether the time was measured.
type Seen = Mutex<Vec<(&'static str, Option<Code>, bool)>>;

#[derive(Default)]
struct Recorder {
    seen: Seen,
}

impl Observer for Recorder {
    fn call(&self, event: &CallEvent<'_>) {
        let timed = !event.report.times.total.is_zero();
        let code = event.error.map(lapack_ai::Error::code);
        self.seen.lock().unwrap().push((event.report.operation, code, timed));
    }
}

/// One test, since observers are told of every call of the process.
#[test]
fn an_observer_sees_every_call_and_every_failure_from_subscription_to_its_end() {
    let a = [2.0_f64, 0.0, 0.0, 0.0];
    let (a, b) = (MatrixView::row_major(&a, 2, 2).unwrap(), MatrixView::col_major(&a[..2], 2, 1).unwrap());
    assert!(!is_observed());
    svd(a, SvdOptions::default()).unwrap();

    let recorder = Arc::new(Recorder::default());
    let subscription = subscribe(Arc::clone(&recorder) as Arc<dyn Observer>);
    assert!(is_observed());
    svd(a, SvdOptions::default()).unwrap();
    solve(a, b, SolveOptions::default()).unwrap_err();
    drop(subscription);
    assert!(!is_observed());
    svd(a, SvdOptions::default()).unwrap();

    let seen = recorder.seen.lock().unwrap();
    assert_eq!(*seen, [("svd", None, true), ("solve", Some(Code::Singular), true)]);
}
