//! Observers that sample: what is told and what is counted add up, and nothing notable is only counted.

use lapack_ai::observe::{CallEvent, Observer, Tally, subscribe, tell_counts, unobserved};
use lapack_ai::{BatchView, BatchViewMut, MatrixView, SolveOptions, solve, solve_into};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Observers are told of every call of the process, so the tests run one after another.
static ALONE: Mutex<()> = Mutex::new(());

#[derive(Default)]
struct Counts {
    told: u64,
    timed: u64,
    counted: u64,
    failed: u64,
    warned: u64,
    /// Smallest rcond, told or counted.
    rcond: Option<f64>,
    /// Told calls with phases.
    phases: u64,
}

#[derive(Default)]
struct Sampler(Mutex<Counts>);

impl Sampler {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap()
    }
}

fn least(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).min_by(f64::total_cmp)
}

impl Observer for Sampler {
    fn call(&self, event: &CallEvent<'_>) {
        let mut counts = self.counts();
        counts.told += 1;
        counts.timed += u64::from(!event.report.times.total.is_zero());
        counts.phases += u64::from(!event.report.times.compute.is_zero());
        counts.failed += u64::from(event.error.is_some());
        counts.warned += u64::from(!event.report.warnings.is_empty());
        counts.rcond = least(counts.rcond, event.report.rcond);
    }

    fn samples(&self) -> bool {
        true
    }

    fn counted(&self, tally: &Tally) {
        assert_eq!(tally.operation, "solve");
        let mut counts = self.counts();
        counts.counted += tally.calls;
        counts.rcond = least(counts.rcond, tally.rcond);
    }
}

/// A diagonally dominant system whose rcond falls with `small`.
fn system(n: usize, small: f64) -> (Vec<f64>, Vec<f64>) {
    let mut a = vec![0.25 / n as f64; n * n];
    for i in 0..n {
        a[i * n + i] = 1.0;
    }
    a[0] = small;
    (a, vec![1.0; n])
}

fn solve_once(a: &[f64], b: &[f64]) {
    let n = b.len();
    let _ = solve(
        MatrixView::row_major(a, n, n).unwrap(),
        MatrixView::col_major(b, n, 1).unwrap(),
        SolveOptions::default(),
    );
}

#[test]
fn what_is_told_and_what_is_counted_add_up_to_the_calls_of_all_threads_and_few_are_told() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let sampler = Arc::new(Sampler::default());
    let _subscription = subscribe(Arc::clone(&sampler) as Arc<dyn Observer>);
    let work = || {
        for n in [2, 3, 4, 5] {
            let (a, b) = system(n, 1.0);
            (0..5000).for_each(|_| solve_once(&a, &b));
        }
    };
    work();
    // The threads' own counts come when they end.
    let threads: Vec<_> = (0..2).map(|_| std::thread::spawn(work)).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    tell_counts();
    let counts = sampler.counts();
    assert_eq!(counts.told + counts.counted, 3 * 4 * 5000);
    assert_eq!(counts.timed, counts.told, "what is told of calls that end well is timed");
    assert!(counts.told < counts.counted, "{} told, {} counted", counts.told, counts.counted);
}

#[test]
fn failures_and_warnings_are_told_however_many_and_the_least_rcond_is_known() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let sampler = Arc::new(Sampler::default());
    let _subscription = subscribe(Arc::clone(&sampler) as Arc<dyn Observer>);
    let (good, b) = system(4, 1.0);
    let (worse, _) = system(4, 1e-9);
    let (doubtful, _) = system(4, 1e-18);
    let mut singular = good.clone();
    singular[..4].fill(0.0);
    // Without the other elements of its row and column the small one is what decides.
    let (mut worse, mut doubtful) = (worse, doubtful);
    for i in 1..4 {
        (worse[i], worse[4 * i], doubtful[i], doubtful[4 * i]) = (0.0, 0.0, 0.0, 0.0);
    }
    for _ in 0..300 {
        for a in [&good, &worse, &singular, &doubtful, &good] {
            solve_once(a, &b);
        }
    }
    drop(singular);
    tell_counts();
    let counts = sampler.counts();
    assert_eq!((counts.failed, counts.warned), (300, 300));
    assert_eq!(counts.told + counts.counted, 1500);
    assert!(counts.rcond.is_some_and(|rcond| rcond < 1e-15), "{:?}", counts.rcond);
}

#[test]
fn long_calls_are_all_told_with_their_phases_and_batches_of_small_matrices_without() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let sampler = Arc::new(Sampler::default());
    let _subscription = subscribe(Arc::clone(&sampler) as Arc<dyn Observer>);
    let (a, b) = system(200, 1.0);
    (0..20).for_each(|_| solve_once(&a, &b));
    tell_counts();
    {
        let counts = sampler.counts();
        assert_eq!((counts.told, counts.counted, counts.phases), (20, 0, 20));
    }
    let count = 5000;
    let (a, b) = system(4, 1.0);
    let (a, b) = (a.repeat(count), b.repeat(count));
    let a = BatchView::row_major(&a, count, 4, 4).unwrap();
    let b = BatchView::row_major(&b, count, 4, 1).unwrap();
    let mut x = vec![0.0; 4 * count];
    let mut x = BatchViewMut::col_major(&mut x, count, 4, 1).unwrap();
    solve_into(a.into(), &b, &mut x, SolveOptions::default()).unwrap();
    let counts = sampler.counts();
    assert_eq!((counts.told, counts.timed, counts.phases), (21, 21, 20));
}

#[test]
fn an_observer_that_wants_every_call_gets_it_beside_one_that_samples_and_hidden_work_is_told_to_nobody() {
    struct Every(Mutex<u64>);
    impl Observer for Every {
        fn call(&self, _: &CallEvent<'_>) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (sampler, every) = (Arc::new(Sampler::default()), Arc::new(Every(Mutex::new(0))));
    let _sampling = subscribe(Arc::clone(&sampler) as Arc<dyn Observer>);
    let (a, b) = system(4, 1.0);
    {
        let _watching = subscribe(Arc::clone(&every) as Arc<dyn Observer>);
        (0..1000).for_each(|_| solve_once(&a, &b));
        unobserved(|| (0..1000).for_each(|_| solve_once(&a, &b)));
    }
    tell_counts();
    let counts = sampler.counts();
    assert_eq!((*every.0.lock().unwrap(), counts.told, counts.counted), (1000, 1000, 0));
}

#[test]
fn what_was_counted_is_told_before_a_subscription_ends_and_not_to_who_came_later() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, second) = (Arc::new(Sampler::default()), Arc::new(Sampler::default()));
    let subscription = subscribe(Arc::clone(&first) as Arc<dyn Observer>);
    let (a, b) = system(4, 1.0);
    (0..1000).for_each(|_| solve_once(&a, &b));
    let _later = subscribe(Arc::clone(&second) as Arc<dyn Observer>);
    (0..1000).for_each(|_| solve_once(&a, &b));
    drop(subscription);
    tell_counts();
    let sums = |counts: &Counts| counts.told + counts.counted;
    assert_eq!(sums(&first.counts()), 2000);
    assert_eq!(sums(&second.counts()), 1000);
    drop(subscribe(Arc::clone(&first) as Arc<dyn Observer>));
    let third = Arc::new(Sampler::default());
    let _last = subscribe(Arc::clone(&third) as Arc<dyn Observer>);
    (0..3).for_each(|_| solve_once(&a, &b));
    assert!(third.counts().timed >= 1, "whoever comes new knows how long a call takes");
}
