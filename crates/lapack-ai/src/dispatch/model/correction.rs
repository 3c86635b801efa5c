//! What calls really took, beside what was predicted for them.
//!
//! For each operation, type, engine and power-of-two bucket of the sizes there is a factor f on the predicted time,
//! with `c = log f`. A call that took `q` times the uncorrected prediction moves it by
//!
//! ```text
//! c <- c + w d,    d = log q - c,    w = max(1 / (calls + 2), 1/8)
//! ```
//!
//! so that f follows a change of the machine within some ten calls and a single call moves it little. A call more than
//! ten times off is ignored, as the first one on a GPU, which compiles, is; the fourth such in a row is believed.
//! Once four calls are known, |d| counts as log 2 at most. f stays within 1/100 and 100.
//!
//! All is in one table of atomic words, each with its key, so that there is no lock and a reader never sees half a
//! value. Two keys that fall on one word take turns; an update that loses a race is dropped: both only lose some memory.

use std::sync::atomic::{AtomicU64, Ordering};

const SLOTS: usize = 4096;
/// Units of c in a word.
const UNIT: f64 = 1.0 / 4096.0;
/// log 100.
const MOST: f64 = 4.605;
/// log 10.
const OUTLIER: f64 = 2.303;
/// Outliers in a row that are ignored.
const PATIENCE: u64 = 3;
/// Calls after which a step is limited.
const SETTLED: u64 = 4;

/// What the factor is for, 29 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    /// A key from small numbers: the engine's (below 4) and what is computed (below 32), the type (below 4), and four sizes.
    pub(crate) fn new(engine: usize, what: usize, dtype: usize, sizes: [usize; 4]) -> Self {
        let head = (engine << 7 | what << 2 | dtype) as u64;
        // 0 for 0, else 1 + floor(log2); sizes from 2^30 on share a bucket, so that a word has room for the rest.
        let bucket = |size: usize| u64::from(usize::BITS - size.leading_zeros()).min(31);
        let [m, n, k, batch] = sizes.map(bucket);
        Self(head << 20 | m << 15 | n << 10 | k << 5 | batch)
    }

    fn slot(self) -> usize {
        // Fibonacci hashing: the top bits of the product depend on all of the key.
        (self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52) as usize % SLOTS
    }
}

/// A word taken apart: key (29 bits), outliers in a row (8), calls (8), c (16).
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    key: u64,
    outliers: u64,
    calls: u64,
    units: i16,
}

impl Entry {
    fn of(word: u64) -> Self {
        let units = i16::from_le_bytes([word as u8, (word >> 8) as u8]);
        Self { key: word >> 32, outliers: word >> 24 & 0xFF, calls: word >> 16 & 0xFF, units }
    }

    fn word(self) -> u64 {
        self.key << 32 | self.outliers << 24 | self.calls << 16 | u64::from(self.units as u16)
    }
}

/// All factors.
#[derive(Debug)]
pub(crate) struct Corrections(Box<[AtomicU64]>);

impl Default for Corrections {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Corrections {
    /// The factor for `key`; 1 where nothing is known.
    #[inline]
    pub(crate) fn factor(&self, key: Key) -> f64 {
        let entry = Entry::of(self.0[key.slot()].load(Ordering::Relaxed));
        if entry.key == key.0 && entry.calls > 0 { (f64::from(entry.units) * UNIT).exp() } else { 1.0 }
    }

    /// Notes a call that took `ratio` times the uncorrected prediction.
    pub(crate) fn learn(&self, key: Key, ratio: f64) {
        let log = ratio.ln();
        if !log.is_finite() {
            return;
        }
        let slot = &self.0[key.slot()];
        let word = slot.load(Ordering::Relaxed);
        let known = Entry::of(word);
        let mut entry = if known.key == key.0 { known } else { Entry { key: key.0, ..Entry::default() } };
        let c = f64::from(entry.units) * UNIT;
        let mut d = log - c;
        if d.abs() > OUTLIER && entry.outliers < PATIENCE {
            entry.outliers += 1;
        } else {
            if entry.calls >= SETTLED && d.abs() <= OUTLIER {
                d = d.clamp(-std::f64::consts::LN_2, std::f64::consts::LN_2);
            }
            let weight = (1.0 / (entry.calls as f64 + 2.0)).max(0.125);
            // A change that is believed starts anew from where it leads to.
            let weight = if d.abs() > OUTLIER { 1.0 } else { weight };
            entry.units = ((c + weight * d).clamp(-MOST, MOST) / UNIT).round() as i16;
            (entry.calls, entry.outliers) = ((entry.calls + 1).min(255), 0);
        }
        let _ = slot.compare_exchange(word, entry.word(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Forgets every key of which `which(engine, what, dtype)` holds, in the numbers of [`Key::new`].
    pub(crate) fn forget(&self, which: impl Fn(usize, usize, usize) -> bool) {
        for slot in &self.0 {
            let head = (Entry::of(slot.load(Ordering::Relaxed)).key >> 20) as usize;
            if which(head >> 7, head >> 2 & 31, head & 3) {
                slot.store(0, Ordering::Relaxed);
            }
        }
    }

    /// The words in use, for keeping.
    pub(crate) fn words(&self) -> Vec<u64> {
        self.0.iter().map(|slot| slot.load(Ordering::Relaxed)).filter(|word| Entry::of(*word).calls > 0).collect()
    }

    /// Takes up kept words. A word's key says where it belongs, so that nothing read from a file can do harm.
    pub(crate) fn restore(&self, words: &[u64]) {
        let most = (MOST / UNIT) as i16;
        for word in words {
            let entry = Entry::of(*word);
            let entry = Entry { units: entry.units.clamp(-most, most), ..entry };
            self.0[Key(entry.key).slot()].store(entry.word(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new(1, 3, 2, [100, 200, 1, 1])
    }

    fn close(a: f64, b: f64) -> bool {
        (a / b - 1.0).abs() < 0.01
    }

    #[test]
    fn the_factor_goes_to_the_steady_ratio_of_the_calls() {
        let all = Corrections::default();
        assert_eq!(all.factor(key()), 1.0);
        all.learn(key(), 2.0);
        assert!(close(all.factor(key()), 2.0_f64.sqrt()), "the first call counts half");
        (0..60).for_each(|_| all.learn(key(), 2.0));
        assert!(close(all.factor(key()), 2.0));
        (0..60).for_each(|_| all.learn(key(), 0.5));
        assert!(close(all.factor(key()), 0.5), "and follows a change");
    }

    #[test]
    fn outliers_are_ignored_until_they_are_the_rule() {
        let all = Corrections::default();
        all.learn(key(), 40.0);
        assert_eq!(all.factor(key()), 1.0);
        (0..20).for_each(|_| all.learn(key(), 1.0));
        (0..3).for_each(|_| all.learn(key(), 40.0));
        assert_eq!(all.factor(key()), 1.0);
        all.learn(key(), 1.0);
        (0..3).for_each(|_| all.learn(key(), 40.0));
        assert_eq!(all.factor(key()), 1.0, "a good call in between starts the count anew");
        all.learn(key(), 40.0);
        assert!(close(all.factor(key()), 40.0), "{}", all.factor(key()));
    }

    #[test]
    fn a_settled_factor_moves_little_by_one_call() {
        let all = Corrections::default();
        (0..20).for_each(|_| all.learn(key(), 1.0));
        all.learn(key(), 9.0);
        assert!(all.factor(key()) < 1.1, "{}", all.factor(key()));
    }

    #[test]
    fn factors_stay_within_a_hundred_and_what_is_no_number_is_ignored() {
        let all = Corrections::default();
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            all.learn(key(), bad);
        }
        assert_eq!(all.factor(key()), 1.0);
        (0..20).for_each(|_| all.learn(key(), 1e9));
        assert!(close(all.factor(key()), 100.0));
    }

    #[test]
    fn neighbouring_sizes_types_and_engines_have_factors_of_their_own() {
        let keys = [
            key(),
            Key::new(0, 3, 2, [100, 200, 1, 1]),
            Key::new(1, 4, 2, [100, 200, 1, 1]),
            Key::new(1, 3, 1, [100, 200, 1, 1]),
            Key::new(1, 3, 2, [200, 100, 1, 1]),
            Key::new(1, 3, 2, [100, 200, 2, 1]),
            Key::new(1, 3, 2, [100, 200, 1, 2]),
        ];
        let all = Corrections::default();
        all.learn(key(), 2.0);
        assert!(keys[1..].iter().all(|other| all.factor(*other) == 1.0));
        assert_eq!(Key::new(1, 3, 2, [127, 128, 1, 1]), key(), "one bucket");
    }

    #[test]
    fn what_is_kept_is_taken_up_again_and_one_part_can_be_forgotten() {
        let (all, again) = (Corrections::default(), Corrections::default());
        let other = Key::new(0, 3, 2, [7, 7, 7, 7]);
        (0..9).for_each(|_| all.learn(key(), 3.0));
        (0..9).for_each(|_| all.learn(other, 2.0));
        again.restore(&all.words());
        assert_eq!(again.factor(key()), all.factor(key()));
        again.forget(|engine, what, dtype| (engine, what, dtype) == (1, 3, 2));
        assert_eq!((again.factor(key()), again.factor(other)), (1.0, all.factor(other)));
        again.restore(&[u64::MAX, 1, 0]);
    }

    #[test]
    fn many_threads_at_once_leave_a_sound_factor() {
        let all = Corrections::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2000).for_each(|_| all.learn(key(), 2.0)));
            }
        });
        assert!(close(all.factor(key()), 2.0));
    }
}
