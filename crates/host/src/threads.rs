//! Threads: how many to use, and how to tell the LAPACK.
//!
//! Either the library runs one large matrix on many threads, or `lapack-ai` runs many matrices on threads of its own
//! with the library held to one; never both, since the product would oversubscribe the cores.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The variables that cap the threads of numerical libraries, whose smallest value counts. Dask and joblib set all three.
const VARIABLES: [&str; 3] = ["OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"];

/// What the environment asks for: the smallest positive value of `OPENBLAS_NUM_THREADS`, `MKL_NUM_THREADS` and
/// `OMP_NUM_THREADS`, if one is set.
pub fn requested_threads() -> Option<usize> {
    smallest(VARIABLES.iter().filter_map(|name| std::env::var(name).ok()))
}

fn smallest(values: impl Iterator<Item = String>) -> Option<usize> {
    // OMP_NUM_THREADS may list one number for each nesting level; the first is the outer one.
    values.filter_map(|value| value.split(',').next()?.trim().parse().ok()).filter(|&threads| threads > 0).min()
}

/// Threads to use where nobody said otherwise: the environment's wish, at most what affinity and the cgroup quota leave.
pub fn default_threads() -> usize {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    requested_threads().map_or(available, |wanted| wanted.min(available))
}

/// Signature of OpenBLAS's and MKL's setters: one C int.
type Setter = unsafe extern "C" fn(i32);

/// Sets the number of threads of one library.
#[derive(Debug)]
pub struct ThreadControl {
    set: Option<Setter>,
    /// Threads for one large matrix.
    threads: AtomicUsize,
    /// How many batches are running now; the first one in lowers the library to one thread, the last one out raises it.
    batches: Mutex<usize>,
}

impl ThreadControl {
    pub(crate) fn find(symbol: &dyn Fn(&str) -> Option<*const c_void>, prefix: &str) -> Self {
        let stem = format!("{prefix}openblas_set_num_threads");
        let names = [stem.clone(), format!("{stem}64_"), format!("{stem}_64_"), "MKL_Set_Num_Threads".into()];
        let address = names.iter().find_map(|name| symbol(name));
        // SAFETY: each of these functions takes one integer and returns nothing.
        let set = address.map(|address| unsafe { std::mem::transmute::<*const c_void, Setter>(address) });
        let control = Self { set, threads: AtomicUsize::new(1), batches: Mutex::new(0) };
        control.set(default_threads());
        control
    }

    /// Whether the library can be told at all (reference LAPACK has no threads to set).
    pub fn is_adjustable(&self) -> bool {
        self.set.is_some()
    }

    /// Threads for one large matrix.
    pub fn get(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }

    /// Sets the threads for one large matrix and for batches.
    pub fn set(&self, threads: usize) {
        let threads = threads.max(1);
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        self.threads.store(threads, Ordering::Relaxed);
        if *batches == 0 {
            self.tell(threads);
        }
    }

    /// Holds the library to one thread until the guard is dropped. Calls of other threads that run meanwhile are held
    /// to one thread too: the libraries have one setting for the process.
    pub fn hold_to_one(&self) -> SingleThreaded<'_> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        if *batches == 0 && self.get() > 1 {
            self.tell(1);
        }
        *batches += 1;
        SingleThreaded { control: self }
    }

    fn tell(&self, threads: usize) {
        if let Some(set) = self.set {
            // SAFETY: the setter of this library, which stays open for the life of the process.
            unsafe { set(i32::try_from(threads).unwrap_or(i32::MAX)) };
        }
    }
}

/// While it lives, the library uses one thread a call.
#[derive(Debug)]
pub struct SingleThreaded<'a> {
    control: &'a ThreadControl,
}

impl Drop for SingleThreaded<'_> {
    fn drop(&mut self) {
        let mut batches = self.control.batches.lock().unwrap_or_else(PoisonError::into_inner);
        *batches -= 1;
        if *batches == 0 && self.control.get() > 1 {
            self.control.tell(self.control.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI32;

    #[test]
    fn the_smallest_positive_wish_counts_and_nonsense_is_passed_over() {
        let wish = |values: &[&str]| smallest(values.iter().map(ToString::to_string));
        assert_eq!(wish(&["4", "2", "8"]), Some(2));
        assert_eq!(wish(&["0", "many", "-3", ""]), None);
        assert_eq!(wish(&["6,2"]), Some(6));
    }

    static TOLD: AtomicI32 = AtomicI32::new(0);
    unsafe extern "C" fn record(threads: i32) {
        TOLD.store(threads, Ordering::SeqCst);
    }

    #[test]
    fn overlapping_batches_hold_the_library_to_one_thread_until_the_last_ends() {
        let control = ThreadControl { set: Some(record), threads: AtomicUsize::new(1), batches: Mutex::new(0) };
        control.set(6);
        assert_eq!(TOLD.load(Ordering::SeqCst), 6);
        let first = control.hold_to_one();
        let second = control.hold_to_one();
        assert_eq!(TOLD.load(Ordering::SeqCst), 1);
        drop(first);
        assert_eq!(TOLD.load(Ordering::SeqCst), 1);
        control.set(4);
        assert_eq!(TOLD.load(Ordering::SeqCst), 1, "a change waits for the batch to end");
        drop(second);
        assert_eq!(TOLD.load(Ordering::SeqCst), 4);
    }
}
